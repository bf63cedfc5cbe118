//! The program in its own words: errors name options as they are typed and a remedy that can be typed, positions have any
//! spelling, files have the ending of what they are, and one command takes what another one wrote.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;
use std::process::Command;

use crate::support::fits_file::FitsFile;
use crate::support::program::{Place, data};
use pevatron::datasets::MapDataset;
use pevatron::flux::{FluxMaps, SedType};
use pevatron::io::WriteOptions;
use pevatron::maps::SkyPosition;
use pevatron::models::Models;
use serde_json::Value;

/// A dataset and flux maps of it, `in.fits` and `flux.fits`.
fn place() -> Place {
    let place = Place::with(|_| ());
    place.works(&["tsmap", "in.fits", "-o", "flux.fits", "--backend", "reference", "--kernel-width", "0.3deg"]);
    place
}

/// Runs what must be refused with exit code 2, in words that are all there, none of them twice in a row.
#[track_caller]
fn refused(place: &Place, arguments: &[&str], error: &[&str], help: &[&str]) {
    place.fails(arguments, 2, error);
    let stderr = String::from_utf8(place.run(arguments).stderr).unwrap();
    let told = format!("pevatron {}\n{stderr}", arguments.join(" "));
    let line = stderr.lines().find(|l| l.starts_with("help: ")).unwrap_or_default();
    for word in help {
        assert!(line.contains(word), "'{word}' is not in the help of {told}");
    }
    for line in stderr.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_word = |w: &str| w.len() > 1 && w.starts_with(char::is_alphabetic);
        let twice =
            words.windows(2).find(|w| is_word(w[0]) && w[0].trim_end_matches(':') == w[1].trim_end_matches(':'));
        assert!(twice.is_none(), "{twice:?} in {told}");
        assert!(!line.contains("::"), "an item of the library in {told}");
    }
}

#[test]
fn errors_name_options_as_they_are_typed_and_a_remedy() {
    let place = place();
    let tsmap =
        |more: &[&'static str]| [&["tsmap", "in.fits", "-o", "out.fits", "--backend", "reference"], more].concat();
    for (arguments, error, help) in [
        (tsmap(&["--kernel-width", "2"]), "--kernel-width: '2' has no unit", "add one, e.g. 2deg"),
        (tsmap(&["--kernel-width", "2TeV"]), "--kernel-width: '2TeV' has a unit of another kind", "such as deg"),
        (tsmap(&["--energy-edges", "1,3,9"]), "--energy-edges: '1,3,9' has no unit", "e.g. 1,3,9TeV"),
        (tsmap(&["--energy-edges", "30TeV,40TeV"]), "--energy-edges: the edges", "energy axis"),
        (tsmap(&["--max-niter", "0"]), "--max-niter: ", ""),
        (tsmap(&["--selection", "stat-scan"]), "--selection: 'stat-scan'", "did you mean 'stat_scan'?"),
        (tsmap(&["--backend", "gpus"]), "--backend: 'gpus'", "did you mean 'gpu'?"),
        (tsmap(&["--sed-type", "e2dnd"]), "'e2dnd'", "did you mean 'e2dnde'?"),
        (vec!["tsmap", "flux.fits", "-o", "out.fits", "--backend", "cpu"], "these are flux maps", "`pevatron peaks`"),
        (vec!["tsmap", "in.fits", "-o", "flux.fits"], "--output: 'flux.fits' exists", "add --overwrite"),
        (vec!["plot", "flux.fits", "-o", "a.png", "--quantity", "sqrtts"], "--quantity: ", "did you mean 'sqrt_ts'?"),
        (vec!["peaks", "flux.fits", "-o", "a.ecsv", "--quantity", "fluxx"], "--quantity: ", "did you mean 'flux'?"),
        (vec!["peaks", "flux.fits", "-o", "a.ecsv", "--match-radius", "0.3"], "--match-radius: ", "e.g. 0.3deg"),
        (vec!["peaks", "flux.fits", "-o", "a.ecsv", "--frame", "galactc"], "--frame: ", "'galactic'"),
        (vec!["excess", "in.fits", "-o", "a.fits", "--selection", "ern-errp"], "--selection: ", "'errn-errp'"),
        (vec!["cutout", "in.fits", "-o", "a.fits", "--position", "1,2", "--width", "2,1"], "--width: ", "e.g. 2,1deg"),
        (vec!["asmooth", "in.fits", "-o", "a.fits", "--scales", "0.1,0.2"], "--scales: ", "e.g. 0.1,0.2deg"),
    ] {
        refused(&place, &arguments, &[error], &[help]);
    }
}

#[test]
fn an_option_of_another_command_is_named() {
    let place = place();
    for (arguments, error) in [
        (
            vec!["tsmap", "in.fits", "--correlation-radius", "1deg"],
            "`--correlation-radius` is an option of `excess`, not",
        ),
        (vec!["info", "in.fits", "--measure"], "`--measure` is an option of `devices`, not of `info`"),
        (vec!["excess", "in.fits", "--kernel-width=1deg"], "`--kernel-width` is an option of `tsmap` and `peaks`, not"),
    ] {
        refused(&place, &arguments, &[error], &[&format!("pevatron {} --help", arguments[0])]);
    }
    // What no command has is left to the parser, which knows names that are like it.
    let output = place.run(&["tsmap", "in.fits", "-o", "a.fits", "--kernel-widht", "1deg"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && text.contains("'--kernel-width'"), "{text}");
    // Files of options likewise.
    fs::write(place.path("o.toml"), "correlation_radius = \"1deg\"\n").unwrap();
    let arguments = ["tsmap", "in.fits", "-o", "a.fits", "--config", "o.toml"];
    refused(&place, &arguments, &["o.toml", "`--correlation-radius` is an option of `excess`"], &["tsmap --help"]);
}

#[test]
fn endings_that_are_not_of_the_kind_are_refused() {
    let place = place();
    let position = "150 -40";
    for arguments in [
        vec!["tsmap", "in.fits", "-o", "a.txt"],
        vec!["excess", "in.fits", "-o", "a.fit.zip"],
        vec!["combine", "flux.fits", "flux.fits", "-o", "a"],
        vec!["asmooth", "in.fits", "-o", "a.png"],
        vec!["npred", "in.fits", "-o", "a.txt"],
        vec!["stack", "in.fits", "-o", "a.yaml"],
        vec!["cutout", "in.fits", "-o", "a.txt", "--position", position, "--width", "1deg"],
        vec!["residuals", "in.fits", "-o", "a.txt"],
        vec!["simulate", "in.fits", "-o", "a.txt"],
        vec!["flux-points", "flux.fits", "-o", "a.txt"],
        vec!["convert", "flux.fits", "-o", "a.ecsv"],
        vec!["convert", "in.fits", "-o", "a.txt"],
        vec!["convert", "flux_model.yaml", "-o", "a.fits"],
        vec!["peaks", "flux.fits", "-o", "a.fits"],
        vec!["peaks", "flux.fits", "-o", "a.ecsv", "--regions", "a.txt"],
        vec!["peaks", "flux.fits", "-o", "a.ecsv", "--models-out", "a.txt"],
        vec!["fit", "in.fits", "--models", "flux_model.yaml", "-o", "a.json"],
        vec!["plot", "flux.fits", "-o", "a.jpg"],
        vec!["tsmap", "in.fits", "-o", "a.fits", "--png", "a.jpg"],
        vec!["bench", "--quick", "--csv", "a.txt"],
    ] {
        refused(&place, &arguments, &[" end in ."], &[]);
    }
    // A pipe has no ending.
    #[cfg(unix)]
    place.works(&["npred", "in.fits", "-o", "/dev/null", "--backend", "reference"]);
    place.works(&["npred", "in.fits", "-o", "N.FITS.GZ", "--backend", "reference"]);
}

#[test]
fn edges_that_move_are_told_and_where_groups_end() {
    let place = place();
    let run = ["tsmap", "in.fits", "-o", "a.fits", "--backend", "reference", "--kernel-width", "0.2deg"];
    let output = place.run(&[&run[..], &["--energy-edges", "510GeV,3TeV,20TeV", "-v"]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && text.contains("warning: --energy-edges: "), "{text}");
    // The edges of the dataset are 0.5, 1.257433, 3.162278, 7.952707 and 20 TeV.
    assert!(text.contains("510 GeV to 500 GeV, 3 TeV to 3.1623 TeV\n"), "{text}");
    assert!(text.contains("energy groups: 500 GeV – 3.16 TeV – 20 TeV\n"), "{text}");
    let output = place.run(&[&run[..], &["--energy-edges", "0.5TeV,3.1623TeV,20TeV", "--overwrite"]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !text.contains("warning"), "{text}");
}

#[test]
fn positions_of_all_commands_have_any_spelling() {
    let place = place();
    // (150, -40) deg ICRS; the others are what astropy 8.0.2 makes of it.
    for text in [
        "150 -40",
        "150d,-40d",
        "10h00m00s -40d00m00s",
        "10:00:00 -40:00:00",
        "icrs;150.0,-40",
        "galactic 270.75325743157595,11.926306629203708",
        "fk5 150.00000931751774 -40.000004953008194",
        "fk4 149.47664969880546,-39.75949712948021",
    ] {
        let points = ["flux-points", "flux.fits", "-o", "p.fits", "--overwrite", "--json", "--position", text];
        let told: Value = serde_json::from_str(&place.works(&points)).unwrap();
        let at = |key: &str| told["points"][0][key].as_f64().unwrap();
        let at = SkyPosition::icrs(at("lon_deg"), at("lat_deg"));
        let off = at.separation_deg(SkyPosition::icrs(150.0, -40.0));
        assert!(off < 1e-8, "{text}: {at:?}, {off} deg away");
        place.works(&["cutout", "in.fits", "-o", "c.fits", "--overwrite", "--width", "0.4deg", "--position", text]);
        let center = MapDataset::read(place.path("c.fits")).unwrap().wcs_geom().unwrap().center().unwrap();
        assert!(center.separation_deg(at) < 0.04, "{text}: {center:?}");
    }
    let wrong = ["cutout", "in.fits", "-o", "d.fits", "--width", "1deg", "--position"];
    refused(&place, &[&wrong[..], &["somewhere"]].concat(), &["--position: 'somewhere'"], &["83.63,22.01"]);
    refused(&place, &[&wrong[..], &["10:61:00 1:1:1"]].concat(), &["--position: '10:61:00'"], &[]);
    let plot = ["plot", "in.fits", "-o", "psf.png", "--kind", "psf", "--position"];
    place.works(&[&plot[..], &["10h00m00s -40d00m00s"]].concat());
    refused(
        &place,
        &[&plot[..], &["10h00m00s", "--overwrite"]].concat(),
        &["--position: '10h00m00s' is not two angles"],
        &[],
    );
}

#[test]
fn what_peaks_writes_is_taken_by_others() {
    let place = place();
    let peaks = ["peaks", "flux.fits", "-o", "p.ecsv", "--threshold", "4", "--models-out", "m.yaml", "--json"];
    let told: Value = serde_json::from_str(&place.works(&peaks)).unwrap();
    let found = told["peaks"].as_array().unwrap();
    assert!(!found.is_empty(), "{told}");
    let models = Models::read(place.path("m.yaml")).unwrap();
    assert_eq!(models.components.len(), found.len());
    let norm = models.parameters().into_iter().find(|(name, _)| name == "P1.spectral.amplitude").unwrap().1.value;
    let reference = FluxMaps::read(place.path("flux.fits")).unwrap().reference_model().spectral.parameters().to_vec();
    let of_reference = reference.iter().find(|p| p.name == "amplitude").unwrap().value;
    assert!((norm / of_reference / found[0]["norm"].as_f64().unwrap() - 1.0).abs() < 1e-12);

    let info: Value = serde_json::from_str(&place.works(&["info", "p.ecsv", "--json"])).unwrap();
    assert_eq!((info["kind"].as_str(), info["number"].as_u64()), (Some("Sources"), Some(found.len() as u64)));
    assert_eq!(info["sources"][0]["lon_deg"], found[0]["ra_fit"]);
    place.works(&["plot", "flux.fits", "-o", "p.svg", "--sources", "p.ecsv"]);
    assert!(fs::read_to_string(place.path("p.svg")).unwrap().contains("<svg"));
    place.works(&["cutout", "in.fits", "-o", "c.fits", "--position", "P1", "--sources", "p.ecsv", "--width", "0.3deg"]);
    let cut = MapDataset::read(place.path("c.fits")).unwrap().wcs_geom().unwrap().center().unwrap();
    let at = |key: &str| found[0][key].as_f64().unwrap();
    let off = cut.separation_deg(SkyPosition::icrs(at("ra_fit"), at("dec_fit")));
    assert!(off < 0.06, "{off} deg");
    let wrong = ["cutout", "in.fits", "-o", "d.fits", "--width", "1deg", "--sources", "p.ecsv", "--position"];
    refused(&place, &[&wrong[..], &["p7"]].concat(), &["--position: 'p7' is not one of P1"], &["'P1'"]);
    place.works(&["flux-points", "flux.fits", "-o", "all.ecsv", "--positions", "p.ecsv"]);
    place.works(&["flux-points", "flux.fits", "-o", "one.ecsv", "--positions", "m.yaml", "--position", "P1"]);
    place.works(&["convert", "p.ecsv", "-o", "p.fits"]);
    place.works(&["fit", "in.fits", "--models", "m.yaml", "-o", "f.yaml", "--backend", "reference", "--quiet"]);

    // Of several energies each has peaks of its own, which are not sources each.
    let cube = FluxMaps::read(data("ts-sim-cube/flux.fits.gz")).unwrap();
    cube.write(place.path("cube.fits"), SedType::Likelihood, &WriteOptions::default()).unwrap();
    let several = ["peaks", "cube.fits", "-o", "q.ecsv", "--models-out", "q.yaml", "--threshold", "3"];
    refused(&place, &several, &["--models-out: "], &["--energy"]);
    place.works(&[&several[..], &["--energy", "0"]].concat());
}

/// The model is named as Gammapy looks for it: from the folder in which the command ran.
#[test]
fn gammapy_reads_flux_maps_of_other_folders() {
    let place = place();
    fs::create_dir(place.path("out")).unwrap();
    place.works(&["convert", "flux.fits", "-o", "out/x.fits", "--sed-type", "dnde"]);
    assert_eq!(FitsFile::read(place.path("out/x.fits")).hdus[0].value("MODEL").as_deref(), Some("out/x_model.yaml"));
    let whole = place.path("y.fits");
    place.works(&["convert", "flux.fits", "-o", whole.to_str().unwrap()]);

    // Moved as a pair, and without the model inside, this program finds it.
    fs::create_dir(place.path("moved")).unwrap();
    let mut file = FitsFile::read(place.path("out/x.fits"));
    file.hdus.retain(|h| h.value("EXTNAME").as_deref() != Some("MODEL_YAML"));
    file.write(place.path("moved/x.fits"));
    let mut file = FitsFile::read(&whole);
    file.hdus.retain(|h| h.value("EXTNAME").as_deref() != Some("MODEL_YAML"));
    file.write(place.path("moved/y.fits"));
    let kernel = fs::read_to_string(place.path("y_model.yaml")).unwrap();
    let name_of_model = format!("name: {}", FluxMaps::read(&whole).unwrap().reference_model().name);
    assert!(kernel.contains(&name_of_model), "{kernel}");
    for name in ["x", "y"] {
        fs::write(place.path(&format!("moved/{name}_model.yaml")), kernel.replace(&name_of_model, "name: beside"))
            .unwrap();
        let maps = FluxMaps::read(place.path(&format!("moved/{name}.fits"))).unwrap();
        assert_eq!(maps.reference_model().name, "beside");
    }

    let python = std::env::var_os("PEVATRON_PYTHON").unwrap_or_else(|| "python3".into());
    let script = "import sys\nfrom gammapy.estimators import FluxMaps\n\
                  for name in sys.argv[1:]:\n    print(FluxMaps.read(name).reference_model.name)\n";
    let has = Command::new(&python).args(["-c", "import gammapy"]).output().is_ok_and(|o| o.status.success());
    if !has {
        println!("SKIPPED: no Python with gammapy (set PEVATRON_PYTHON)");
        return;
    }
    let names = ["out/x.fits", whole.to_str().unwrap(), "y.fits"];
    let output =
        Command::new(&python).args(["-c", script]).args(names).current_dir(place.folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().count(), 3, "{text}");
}
