//! The command line as a stranger uses it: what goes in wrong comes out as one line that names the place, an exit code,
//! and nothing half-written; what goes in right can be read by other programs.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;
use std::process::Command;

use crate::support::fits_file::FitsFile;
use crate::support::program::{Place, assert_sober, data, dataset};
use serde_json::Value;

/// A run that is quick and the same everywhere; options that matter to a test are added.
fn tsmap<'a>(input: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["tsmap", input, "-o", "out.fits", "--backend", "reference"];
    if !more.contains(&"--kernel-width") && !more.iter().any(|a| a.starts_with("--kernel-width=")) {
        arguments.extend(["--kernel-width", "0.2deg"]);
    }
    arguments.extend(more);
    arguments
}

// ------------------------------------------------------------------------------------------------ broken datasets

#[track_caller]
fn broken(change: impl FnOnce(&mut FitsFile), words: &[&str]) {
    Place::with(change).fails(&tsmap("in.fits", &[]), 2, words);
}

#[test]
fn missing_file() {
    Place::new().fails(&tsmap("nowhere.fits", &[]), 2, &["nowhere.fits"]);
    Place::new().fails(&["info", "nowhere.fits"], 2, &["nowhere.fits"]);
    Place::new().fails(&["plot", "nowhere.fits", "-o", "a.png"], 2, &["nowhere.fits"]);
    Place::new().fails(&["npred", "nowhere.fits", "-o", "a.fits"], 2, &["nowhere.fits"]);
}

#[test]
fn folder_and_text_instead_of_fits() {
    let place = Place::new();
    fs::create_dir(place.path("folder")).unwrap();
    fs::write(place.path("text.fits"), "hello\n").unwrap();
    fs::write(place.path("empty.fits"), "").unwrap();
    for name in ["folder", "text.fits", "empty.fits"] {
        place.fails(&tsmap(name, &[]), 2, &[name]);
        place.fails(&["info", name], 2, &[name]);
    }
}

#[test]
fn truncated_files() {
    let place = Place::new();
    let whole = fs::read(data("sim-tan-1.fits.gz")).unwrap();
    fs::write(place.path("in.fits.gz"), &whole[..whole.len() / 2]).unwrap();
    place.fails(&tsmap("in.fits.gz", &[]), 2, &["in.fits.gz", "truncated"]);
    let plain = dataset().bytes();
    for part in [plain.len() / 2, 2880 + 1000, 700] {
        fs::write(place.path("cut.fits"), &plain[..part]).unwrap();
        place.fails(&tsmap("cut.fits", &[]), 2, &["cut.fits"]);
    }
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 40].fill(0x55);
    fs::write(place.path("in.fits.gz"), damaged).unwrap();
    place.fails(&tsmap("in.fits.gz", &[]), 2, &["in.fits.gz"]);
}

#[test]
fn missing_parts() {
    broken(|f| f.remove("COUNTS"), &["counts"]);
    broken(|f| f.remove("EXPOSURE"), &["exposure"]);
    broken(|f| f.hdu("COUNTS_BANDS").set("EXTNAME", "'ELSEWHERE'"), &["in.fits[COUNTS"]);
    // Without a background there is no null hypothesis to fit against.
    Place::with(|f| f.remove("BACKGROUND")).fails(&tsmap("in.fits", &[]), 2, &["background"]);
}

#[test]
fn values_that_cannot_be() {
    // Undefined counts are left out, as they are outside of a projection.
    let undefined = Place::with(|f| f.hdu("COUNTS").set_f32(30, f32::NAN));
    let output = undefined.run(&tsmap("in.fits", &[]));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("undefined (NaN) are counts in 1"), "{told}");
    broken(|f| f.hdu("COUNTS").set_f32(0, -1.0), &["in.fits[COUNTS]", "-1"]);
    broken(|f| f.hdu("COUNTS").set_f32(0, f32::INFINITY), &["in.fits[COUNTS]", "inf"]);
    broken(|f| f.hdu("BACKGROUND").set_f32(7, -0.5), &["in.fits[BACKGROUND]", "-0.5"]);
    broken(|f| f.hdu("EXPOSURE").set_f32(7, -2e12), &["in.fits[EXPOSURE]", "negative", "(-1999999991808)"]);
    broken(|f| f.hdu("EXPOSURE").set_f32(7, f32::INFINITY), &["in.fits[EXPOSURE]", "inf"]);
}

#[test]
fn maps_that_do_not_fit_together() {
    let other = FitsFile::read(data("sim-car.fits.gz"));
    broken(|f| f.replace("BACKGROUND", &other), &["in.fits[BACKGROUND]", "40 × 32", "25 × 25"]);
    broken(|f| f.replace("EXPOSURE", &other), &["in.fits[EXPOSURE]"]);
    broken(|f| f.replace("MASK_SAFE", &other), &["in.fits[MASK_SAFE]"]);
    broken(|f| f.hdu("BACKGROUND").set("CRVAL1", "151.0"), &["in.fits[BACKGROUND]"]);
    // Datasets of a joint fit share their pixels.
    let place = Place::new();
    let (car, tan) = (data("sim-car.fits.gz"), data("sim-tan-1.fits.gz"));
    let mut arguments = tsmap(car.to_str().unwrap(), &[]);
    arguments.insert(2, tan.to_str().unwrap());
    place.fails(&arguments, 2, &["sim-"]);
}

#[test]
fn headers_that_cannot_be() {
    broken(|f| f.hdu("EXPOSURE").set("BUNIT", "'kg'"), &["in.fits[EXPOSURE]", "BUNIT", "kg"]);
    broken(|f| f.hdu("EXPOSURE").set("BUNIT", "'quux s'"), &["in.fits[EXPOSURE]", "BUNIT", "quux"]);
    broken(|f| f.hdu("COUNTS").set("BUNIT", "'m2'"), &["in.fits[COUNTS]", "BUNIT"]);
    broken(|f| f.hdu("COUNTS").set("CTYPE1", "'RA---XYZ'"), &["in.fits[COUNTS]", "XYZ"]);
    broken(|f| f.hdu("COUNTS").unset("CDELT1"), &["in.fits["]);
    broken(|f| f.hdu("COUNTS").set("CDELT1", "0.0"), &["in.fits[COUNTS]"]);
    broken(|f| f.hdu("COUNTS").set("CRVAL1", "NaN"), &["in.fits[COUNTS]"]);
    broken(|f| f.hdu("COUNTS").set("NAXIS1", "99999999"), &["in.fits"]);
    broken(|f| f.hdu("COUNTS").set("NAXIS2", "-3"), &["in.fits"]);
    broken(|f| f.hdu("COUNTS").set("BITPIX", "17"), &["in.fits"]);
}

// ------------------------------------------------------------------------------------------------- wrong options

#[test]
fn options_that_cannot_be() {
    let place = Place::with(|_| ());
    let run = |more: &[&str], words: &[&str]| place.fails(&tsmap("in.fits", more), 2, words);
    for width in ["0deg", "-1deg", "NaNdeg", "wide", "1TeV", "1"] {
        run(&[&format!("--kernel-width={width}")], &["--kernel-width"]);
    }
    run(&["--energy-edges", "30TeV,50TeV"], &["--energy-edges", "no bin"]);
    run(&["--energy-edges", "5TeV,1TeV"], &["--energy-edges"]);
    run(&["--energy-edges", "5TeV"], &["--energy-edges"]);
    run(&["--energy-edges", "1deg,5deg"], &["--energy-edges"]);
    run(&["--selection", "everything"], &["selection", "everything"]);
    run(&["--sed-type", "magnitude"], &["--sed-type", "magnitude"]);
    run(&["--norm-scan", "5,1,10"], &["--norm-scan"]);
    run(&["--rtol", "0"], &["rtol"]);
    run(&["--rtol=-1"], &["rtol"]);
    run(&["--n-sigma", "0"], &["--n-sigma"]);
    run(&["--n-sigma-ul=-2", "--selection", "ul"], &["--n-sigma-ul"]);
    run(&["--n-sigma-sensitivity", "NaN", "--selection", "sensitivity"], &["--n-sigma-sensitivity"]);
    run(&["--max-niter", "0"], &["--max-niter"]);
    run(&["--downsampling-factor", "0"], &["--downsampling-factor"]);
    run(&["--downsampling-factor", "2"], &["--downsampling-factor"]); // 25 pixels
    run(&["--threads", "0"], &["threads"]);
    run(&["--memory", "much"], &["memory", "much"]);
    run(&["--backend", "abacus"], &["backend", "abacus"]);
    run(&["--kernel-model", "no.yaml"], &["no.yaml"]);
    run(&["--models", "no.yaml"], &["no.yaml"]);
    run(&["--config", "no.toml"], &["no.toml"]);
}

/// What clap itself refuses has its usage below, but the same first line and exit code.
#[test]
fn unknown_options_and_commands() {
    let place = Place::with(|_| ());
    for (arguments, word) in [
        (vec!["tsmap", "in.fits", "-o", "out.fits", "--kernel-widht", "1deg"], "--kernel-widht"),
        (vec!["tsmap", "in.fits"], "--output"),
        (vec!["tsmap", "-o", "out.fits"], "DATASET"),
        (vec!["tsmap", "in.fits", "-o", "out.fits", "--rtol", "small"], "rtol"),
        (vec!["tsnap"], "tsnap"),
        (vec![], ""),
    ] {
        let output = place.run(&arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert_sober(&stderr, &format!("{arguments:?}: {stderr}"));
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
        assert!(arguments.is_empty() || stderr.starts_with("error: "), "{arguments:?}: {stderr}");
    }
    assert_eq!(place.names(), ["in.fits"]);
}

#[test]
fn models_that_cannot_be() {
    let place = Place::with(|_| ());
    let good = fs::read_to_string(data("ts-sim-null/models.yaml")).unwrap();
    for (name, text, words) in [
        ("spectral", good.replace("PowerLawSpectralModel", "WavySpectralModel"), vec!["WavySpectralModel"]),
        ("spatial", good.replace("GaussianSpatialModel", "SquareSpatialModel"), vec!["SquareSpatialModel"]),
        ("number", good.replace("value: 2.5", "value: two"), vec!["two"]),
        ("unit", good.replace("unit: deg", "unit: quux"), vec!["quux"]),
        ("frame", good.replace("frame: galactic", "frame: barycentric"), vec!["barycentric"]),
        ("syntax", format!("{good}\n  - ]:\n"), vec![]),
        ("list", "[1, 2, 3]\n".to_string(), vec![]),
        ("empty", String::new(), vec![]),
    ] {
        let file = format!("{name}.yaml");
        fs::write(place.path(&file), text).unwrap();
        let mut words = words.clone();
        words.push(&file);
        for option in ["--models", "--kernel-model"] {
            if option == "--models" && name == "empty" {
                continue; // no models at all is a null hypothesis, too
            }
            place.fails(&tsmap("in.fits", &[option, &file]), 2, &words);
        }
    }
    // A test source that is not a source.
    let only_background =
        format!("components:\n-   type: FoV{}", good.split("-   type: FoV").nth(1).unwrap_or_default());
    fs::write(place.path("only.yaml"), only_background).unwrap();
    place.fails(&tsmap("in.fits", &["--kernel-model", "only.yaml"]), 2, &["only.yaml"]);
}

// ---------------------------------------------------------------------------------------------------- outputs

#[test]
fn outputs_that_exist_or_have_no_folder() {
    let place = Place::with(|_| ());
    fs::write(place.path("out.fits"), "mine").unwrap();
    place.fails(&tsmap("in.fits", &[]), 2, &["out.fits", "exists"]);
    assert_eq!(fs::read_to_string(place.path("out.fits")).unwrap(), "mine");
    let elsewhere = ["tsmap", "in.fits", "-o", "no/out.fits", "--backend", "reference"];
    place.fails(&elsewhere, 2, &["no", "does not exist"]);
    let folder = ["tsmap", "in.fits", "-o", ".", "--backend", "reference"];
    place.fails(&folder, 2, &["output"]);
    // The second output is looked at before the work, too.
    fs::write(place.path("a.png"), "mine").unwrap();
    fs::remove_file(place.path("out.fits")).unwrap();
    place.fails(&tsmap("in.fits", &["--png", "a.png"]), 2, &["a.png", "exists"]);
    // An input is never overwritten by accident.
    let before = fs::read(place.path("in.fits")).unwrap();
    place.fails(&["tsmap", "in.fits", "-o", "in.fits", "--backend", "reference"], 2, &["in.fits"]);
    assert_eq!(fs::read(place.path("in.fits")).unwrap(), before);
    place.works(&tsmap("in.fits", &["--quiet"]));
    place.works(&tsmap("in.fits", &["--quiet", "--overwrite"]));
    assert_eq!(place.names(), ["a.png", "in.fits", "out.fits", "out_model.yaml"]);
}

/// A device that is full: the work is done, writing fails on the way.
#[test]
#[cfg(target_os = "linux")]
fn full_disk() {
    let place = Place::with(|_| ());
    place.fails(
        &["tsmap", "in.fits", "-o", "/dev/full", "--backend", "reference", "--kernel-width", "0.2deg"],
        1,
        &["/dev/full"],
    );
    // A file that may not grow beyond 8 blocks of 512 bytes; the part that was written is taken away.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_pevatron")])
        .args(tsmap("in.fits", &[]))
        .current_dir(place.folder.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_sober(&stderr, &stderr);
    assert!(stderr.lines().any(|l| l.starts_with("error: ") && l.contains("out.fits")), "{stderr}");
    assert_eq!(place.names(), ["in.fits"], "{stderr}");
}

/// A reader that goes away, or a full disk behind stdout, is no reason to panic.
#[test]
#[cfg(target_os = "linux")]
fn stdout_that_cannot_be_written() {
    let place = Place::with(|_| ());
    for arguments in [
        vec!["info", "in.fits"],
        vec!["info", "in.fits", "--json"],
        vec!["devices", "--json"],
        vec!["completions", "bash"],
        vec!["man"],
        vec!["tsmap", "in.fits", "-o", "out.fits", "--dump-config"],
        vec!["--help"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = place.command(&arguments).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_sober(&stderr, &format!("{arguments:?} > /dev/full: {stderr}"));
        assert!([Some(0), Some(1)].contains(&output.status.code()), "{arguments:?} > /dev/full: {:?}", output.status);
        // A pipe whose reader has gone.
        let script = "\"$0\" \"$@\" 2>err.txt | true; exit 0";
        let status = Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_pevatron")])
            .args(&arguments)
            .current_dir(place.folder.path())
            .status()
            .unwrap();
        assert!(status.success());
        let stderr = fs::read_to_string(place.path("err.txt")).unwrap();
        assert_sober(&stderr, &format!("{arguments:?} | true: {stderr}"));
    }
}

#[test]
#[cfg(unix)]
fn folder_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with(|_| ());
    let locked = place.path("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("probe"), "").is_ok() {
        println!("SKIPPED: this user may write everywhere");
        return;
    }
    let arguments = ["tsmap", "in.fits", "-o", "locked/out.fits", "--backend", "reference", "--kernel-width", "0.2deg"];
    place.fails(&arguments, 1, &["locked/out.fits"]);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
}

// ------------------------------------------------------------------------------------------- what others read

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn tsmap_as_json() {
    let place = Place::with(|_| ());
    let document = json(&place.works(&tsmap("in.fits", &["--json", "--selection", "errn-errp,ul"])));
    assert_eq!(document["output"], "out.fits");
    assert_eq!(document["backend"], "reference");
    assert_eq!(
        (&document["pixels"], &document["energy_groups"], &document["datasets"]),
        (&625.into(), &1.into(), &1.into())
    );
    for key in ["read_seconds", "prepare_seconds", "estimate_seconds", "write_seconds"] {
        assert!(document["stages"][key].as_f64().unwrap() >= 0.0, "{key}");
    }
    assert!(document["status_counts"].is_object() && document["warnings"].is_array());
    assert!((document["kernel_width_deg"].as_f64().unwrap() - 0.2).abs() < 1e-9);
    let best = &document["max_sqrt_ts"];
    assert!(best["value"].as_f64().unwrap() > 10.0, "{best}");
    // The source of the simulation.
    assert!((best["lon_deg"].as_f64().unwrap() - 150.05).abs() < 0.06, "{best}");
    assert!((best["lat_deg"].as_f64().unwrap() + 39.93).abs() < 0.06, "{best}");

    // What was written is what it says.
    let written = json(&place.works(&["info", "out.fits", "--json"]));
    assert_eq!(written["kind"], "FluxMaps");
    assert_eq!(written["sed_type"], "likelihood");
    let close = (written["max_sqrt_ts"]["value"].as_f64().unwrap() / best["value"].as_f64().unwrap() - 1.0).abs();
    assert!(close < 1e-6, "{written}");
}

#[test]
fn info_as_json() {
    let place = Place::with(|_| ());
    let document = json(&place.works(&["info", "in.fits", "--json"]));
    assert_eq!(document["kind"], "MapDataset");
    assert_eq!(document["counts_sum"], 705.0);
    assert_eq!(document["energy_edges_tev"].as_array().unwrap().len(), 5);
    assert_eq!(document["geometry"]["npix"], serde_json::json!([25, 25]));
    for key in ["background_sum", "exposure_max", "masks", "problems"] {
        assert!(!document[key].is_null(), "{key}");
    }
    let models = data("ts-sim-null/models.yaml");
    let document = json(&place.works(&["info", models.to_str().unwrap(), "--json"]));
    assert_eq!(document["kind"], "Models");
    // Two files make a list.
    let both = json(&place.works(&["info", "in.fits", models.to_str().unwrap(), "--json"]));
    assert_eq!(both.as_array().unwrap().len(), 2);
}

#[test]
fn devices_as_json() {
    assert!(json(&Place::new().works(&["devices", "--json"])).is_object() || cfg!(feature = "gpu"));
}

#[test]
fn devices_are_measured() {
    let place = Place::new();
    let found = json(&place.works(&["devices", "--measure", "--json"]));
    let believable = |device: &serde_json::Value, name: &str| {
        let rate = device[name].as_f64().unwrap_or_else(|| panic!("{name} of {device}"));
        assert!(rate > 1e7 && rate < 1e16, "{name}: {rate}");
    };
    let adapters = found["adapters"].as_array().unwrap();
    for device in adapters.iter().chain([&found["cpu"]]) {
        // An adapter may be listed and not work; then it says why.
        if device["problem"].is_null() {
            believable(device, "fma_flops_per_second");
            believable(device, "copy_bytes_per_second");
            assert!(["host", "device"].contains(&device["clock"].as_str().unwrap()), "{device}");
        }
    }
    assert!(found["cpu"]["problem"].is_null() && found["cpu"]["threads"].as_u64().unwrap() > 0, "{found}");

    let table = place.works(&["devices", "--measure"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let header = rows.iter().position(|row| row.first() == Some(&"device")).expect("a header");
    assert_eq!(rows[header][1..6], ["FMA", "GFLOP/s", "copy", "GB/s", "clock"]);
    assert_eq!(rows.len() - header - 1, adapters.len() + 1, "{table}");
    assert_eq!(rows[header + 1][0], "cpu");
    assert!(rows[header + 1][1].parse::<f64>().unwrap() > 0.1 && rows[header + 1][2].parse::<f64>().unwrap() > 0.1);
    // Nothing is measured that was not asked for.
    assert!(json(&place.works(&["devices", "--json"]))["cpu"].is_null());
}

#[test]
fn npred_gives_a_map() {
    let place = Place::new();
    let (dataset, models) = (data("sim-car.fits.gz"), data("ts-sim-null/models.yaml"));
    let common = ["--backend", "reference", "--quiet"];
    let mut arguments =
        vec!["npred", dataset.to_str().unwrap(), "--models", models.to_str().unwrap(), "-o", "npred.fits"];
    arguments.extend(common);
    place.works(&arguments);
    let all = json(&place.works(&["info", "npred.fits", "--json"]));
    arguments[5] = "signal.fits";
    arguments.push("--signal");
    place.works(&arguments);
    let signal = json(&place.works(&["info", "signal.fits", "--json"]));
    let (all, signal) = (all["sum"].as_f64().unwrap(), signal["sum"].as_f64().unwrap());
    assert!(signal > 100.0 && all > 3000.0 && all > signal, "{signal} of {all}");
    arguments[5] = "none.fits";
    arguments.extend(["--component", "nobody"]);
    place.fails(&arguments, 2, &["nobody"]);
}

#[test]
fn pictures_are_made() {
    let place = Place::with(|_| ());
    place.works(&tsmap("in.fits", &["--quiet", "--png", "sqrt_ts.png"]));
    assert!(fs::read(place.path("sqrt_ts.png")).unwrap().starts_with(b"\x89PNG"));
    place.works(&["plot", "in.fits", "-o", "counts.svg", "--quantity", "counts", "--quiet"]);
    assert!(fs::read_to_string(place.path("counts.svg")).unwrap().contains("<svg"));
    place.fails(&["plot", "out.fits", "-o", "a.png", "--quantity", "beauty"], 2, &["beauty"]);
    place.fails(&["plot", "out.fits", "-o", "a.png", "--energy", "7"], 2, &["energy"]);
    place.fails(&["plot", "out.fits", "-o", "a.gif"], 2, &["a.gif"]);
    place.fails(&["plot", "in.fits", "-o", "counts.svg"], 2, &["counts.svg", "exists"]);
}

#[test]
fn dumped_configuration_gives_the_same_run() {
    let place = Place::with(|_| ());
    let options = ["--energy-edges", "0.5TeV,3TeV,20TeV", "--sum-over-energy-groups", "false", "--n-sigma-ul", "3"];
    let mut direct = tsmap("in.fits", &options);
    direct.extend(["--selection", "ul", "--threshold=-1", "--quiet"]);
    let mut dumping = direct.clone();
    dumping.push("--dump-config");
    let text = place.works(&dumping);
    assert!(text.contains("kernel_width") && !place.names().contains(&"out.fits".to_string()), "{text}");
    fs::write(place.path("run.toml"), &text).unwrap();
    // The same options come out when the file goes in.
    assert_eq!(place.works(&["tsmap", "--config", "run.toml", "--dump-config"]), text);
    // The command line wins.
    let wins = place.works(&["tsmap", "--config", "run.toml", "--kernel-width", "0.3deg", "--dump-config"]);
    assert!(wins.contains("kernel_width = \"0.3deg\""), "{wins}");

    place.works(&direct);
    let by_options = FitsFile::read(place.path("out.fits"));
    place.works(&["tsmap", "--config", "run.toml", "-o", "again.fits"]);
    let by_file = FitsFile::read(place.path("again.fits"));
    assert_eq!(by_options.hdus.len(), by_file.hdus.len());
    for (a, b) in by_options.hdus.iter().zip(&by_file.hdus) {
        assert_eq!(a.data, b.data, "{:?}", a.value("EXTNAME"));
    }
    fs::write(place.path("wrong.toml"), "kernel_widht = \"1deg\"\n").unwrap();
    place.fails(&["tsmap", "in.fits", "-o", "c.fits", "--config", "wrong.toml"], 2, &["wrong.toml", "kernel_widht"]);
    fs::write(place.path("broken.toml"), "kernel_width = [\n").unwrap();
    place.fails(&["tsmap", "in.fits", "-o", "c.fits", "--config", "broken.toml"], 2, &["broken.toml"]);
}

#[test]
fn help_of_everything() {
    let place = Place::new();
    let top = place.works(&["--help"]);
    assert!(place.works(&["--version"]).starts_with("pevatron "));
    for command in [
        "tsmap",
        "excess",
        "npred",
        "stack",
        "cutout",
        "residuals",
        "simulate",
        "info",
        "plot",
        "devices",
        "demo",
        "bench",
        "completions",
        "man",
    ] {
        assert!(top.contains(command), "{command} is not in --help");
        let help = place.works(&[command, "--help"]);
        assert!(help.contains("Usage:"), "{help}");
        assert!(["completions", "man"].contains(&command) || help.contains("Example"), "no example for {command}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.works(&["completions", shell]).contains("tsmap"));
    }
    assert!(place.works(&["man"]).contains(".TH"));
}

/// Everything that a benchmark says, on the smallest maps: right results, records, tables, comparison, exit codes.
#[test]
fn bench_measures_checks_and_compares() {
    let place = Place::new();
    let bench = |more: &[&'static str]| {
        let mut arguments =
            vec!["bench", "--quick", "--size", "tiny", "--workload", "tsmap_15_k21,convolve,edisp,cash"];
        arguments.extend(more);
        arguments
    };
    let text = place.works(&bench(&["--json", "--csv", "bench.csv"]));
    let document = json(&text);
    assert_eq!(document["right"], true);
    assert!(document["version"].is_string() && document["host"]["cores"].as_u64().unwrap() > 0);
    let engines = document["engines"].as_array().unwrap();
    let cpu = engines.iter().find(|e| e["id"] == "cpu").unwrap();
    assert!(cpu["ceilings"]["flops_per_second"].as_f64().unwrap() > 1e8);
    let open = engines.iter().filter(|e| e["problem"].is_null()).count();
    let rows = document["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4 * open);
    for row in rows {
        assert_eq!((&row["outcome"], &row["same_bits"]), (&"done".into(), &true.into()), "{row}");
        assert!(row["verdict"]["worst"].as_f64().unwrap() <= 1.0, "{row}");
        assert!(row["wall_seconds"]["min"].as_f64().unwrap() > 0.0 && row["pixels_per_second"].as_f64().unwrap() > 0.0);
        assert_eq!(row["inputs"].as_str().unwrap().len(), 16);
        if row["engine"].as_str().unwrap().starts_with("gpu") {
            assert!(row["bytes_in"].as_u64().unwrap() > 0 && row["bytes_out"].as_u64().unwrap() > 0, "{row}");
        }
    }
    let csv = fs::read_to_string(place.path("bench.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + rows.len());
    place.fails(&bench(&["--csv", "bench.csv"]), 2, &["bench.csv", "exists"]);

    // Against an earlier report that was a thousand times slower all is well; against one as much faster it is not.
    for (name, factor, code) in [("slow.json", 1e3, 0), ("fast.json", 1e-3, 1)] {
        let mut earlier = document.clone();
        for row in earlier["rows"].as_array_mut().unwrap() {
            let median = row["wall_seconds"]["median"].as_f64().unwrap();
            row["wall_seconds"]["median"] = (median * factor).into();
        }
        fs::write(place.path(name), earlier.to_string()).unwrap();
        let output = place.run(&[
            "bench",
            "--quick",
            "--size",
            "tiny",
            "--workload",
            "cash",
            "--backend",
            "cpu",
            "--compare",
            name,
            "--threshold",
            "100",
        ]);
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
        assert!(stdout.contains(if code == 0 { "faster" } else { "slower" }), "{stdout}");
        assert_eq!(stderr.contains("error: cash 48x32x2 on cpu takes"), code == 1, "{stderr}");
    }
}

#[test]
fn bench_options_that_cannot_be() {
    let place = Place::new();
    fs::write(place.path("no.json"), "{}").unwrap();
    place.fails(&["bench", "--workload", "nonsense"], 2, &["workload", "nonsense", "tsmap_3_k21"]);
    place.fails(&["bench", "--backend", "tpu"], 2, &["backend", "tpu"]);
    place.fails(&["bench", "--backend", "reference", "--size", "standard"], 2, &["reference"]);
    place.fails(&["bench", "--size", "giant"], 2, &["size", "giant"]);
    place.fails(&["bench", "--sustain", "0"], 2, &["sustain"]);
    place.fails(&["bench", "--sustain", "1", "--workload", "tsmap"], 2, &["workload"]);
    place.fails(&["bench", "--threads", "0"], 2, &["threads"]);
    place.fails(&["bench", "--adapter", "no such adapter"], 2, &["adapter"]);
    place.fails(&["bench", "--compare", "no.json"], 2, &["no.json", "report"]);
    place.fails(&["bench", "--compare", "nowhere.json"], 2, &["nowhere.json"]);
}

/// The demonstration finds what it has put there.
#[test]
fn demo_recovers_its_sources() {
    let place = Place::new();
    let document = json(&place.works(&["demo", "-o", "demo", "--binsz", "0.04deg", "--backend", "cpu", "--json"]));
    let sources = document["sources"].as_array().unwrap();
    assert!(sources.len() >= 8, "{document}");
    assert!(sources.iter().any(|s| s["sqrt_ts"].as_f64().unwrap() > 20.0), "{document}");
    assert!(sources.iter().all(|s| s["pull"].as_f64().unwrap().abs() < 5.0), "{document}");
    for name in ["dataset.fits.gz", "models.yaml", "flux.fits", "sqrt_ts.png"] {
        assert!(place.path("demo").join(name).is_file(), "{name}");
    }
    place.fails(&["demo", "-o", "demo"], 2, &["exists"]);
    place.fails(&["demo", "-o", "d", "--binsz", "0deg"], 2, &["binsz"]);
}
