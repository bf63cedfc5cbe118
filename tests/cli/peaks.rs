//! `pevatron peaks`, `combine` and `asmooth` as a stranger uses them: what goes in wrong comes out as one line that names
//! the place, exit code 2 and no file; what goes in right can be read again.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;
use std::ops::Deref;
use std::path::Path;

use crate::support::field;
use crate::support::fits_file::{FitsFile, Hdu};
use crate::support::program::{self, data};
use pevatron::flux::{FluxMaps, FluxQuantity, SedType};
use pevatron::io::{Catalogue, WriteOptions};
use pevatron::maps::Map;
use pevatron::models::Models;
use serde_json::Value;

/// Golden flux maps of our own, as `flux.fits`, and a folder to work in.
struct Place(program::Place);

impl Place {
    fn new() -> Self {
        let place = Self(program::Place::new());
        FluxMaps::read(data("ts-sim-cube/flux.fits.gz"))
            .unwrap()
            .write(place.path("flux.fits"), SedType::Likelihood, &WriteOptions::default())
            .unwrap();
        place
    }

    /// Exit code 2, see [`program::Place::fails`].
    #[track_caller]
    fn fails(&self, arguments: &[&str], words: &[&str]) {
        self.0.fails(arguments, 2, words);
    }
}

impl Deref for Place {
    type Target = program::Place;

    fn deref(&self) -> &program::Place {
        &self.0
    }
}

/// A catalogue as a FITS table: name and two columns of positions of these names and units.
fn catalogue(path: &Path, columns: [&str; 3], unit: &str, entries: &[(&str, f64, f64)]) {
    let card = |text: String| format!("{text:<80}");
    let primary =
        ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0"];
    let mut cards: Vec<String> = [
        "XTENSION= 'BINTABLE'".to_string(),
        "BITPIX  =                    8".into(),
        "NAXIS   =                    2".into(),
        "NAXIS1  =                   32".into(),
        format!("NAXIS2  = {:>20}", entries.len()),
        "PCOUNT  =                    0".into(),
        "GCOUNT  =                    1".into(),
        "TFIELDS =                    3".into(),
        "EXTNAME = 'CATALOGUE'".into(),
    ]
    .map(card)
    .to_vec();
    for (i, (name, form)) in columns.iter().zip(["20A", "E", "D"]).enumerate() {
        cards.push(card(format!("TTYPE{:<3}= '{name}'", i + 1)));
        cards.push(card(format!("TFORM{:<3}= '{form}'", i + 1)));
        if i > 0 {
            cards.push(card(format!("TUNIT{:<3}= '{unit}'", i + 1)));
        }
    }
    let mut bytes = Vec::new();
    for (name, lon, lat) in entries {
        bytes.extend(format!("{name:<20}").into_bytes());
        bytes.extend((*lon as f32).to_be_bytes());
        bytes.extend(lat.to_be_bytes());
    }
    let first = Hdu { cards: primary.map(|t| card(t.into())).to_vec(), data: Vec::new() };
    FitsFile { hdus: vec![first, Hdu { cards, data: bytes }] }.write(path);
}

#[test]
fn peaks_are_found_named_and_written() {
    let place = Place::new();
    let find = ["peaks", "flux.fits", "--threshold", "4", "--min-distance", "0.2deg"];
    let more = |extra: &[&'static str]| -> Vec<&str> { find.iter().copied().chain(extra.iter().copied()).collect() };
    let text = place.works(&more(&["-o", "p.ecsv", "--json", "--regions", "p.reg", "--png", "p.png"]));
    let document: Value = serde_json::from_str(&text).unwrap();
    let peaks = document["peaks"].as_array().unwrap();
    assert!(peaks.len() >= 2, "{document:#}");
    let bins = |p: &Value| p["energy_bin"].as_u64().unwrap();
    assert!(peaks.iter().any(|p| bins(p) == 0) && peaks.windows(2).all(|w| bins(&w[0]) <= bins(&w[1])));
    let first = &peaks[0];
    assert_eq!(first["value"], first["sqrt_ts"]);
    assert!(first["position_status"] == "ok" && first["ra_err"].as_f64().unwrap() > 0.0, "{first:#}");
    assert!((first["x_fit"].as_f64().unwrap() - first["x"].as_f64().unwrap()).abs() <= 1.0);
    let ecsv = fs::read_to_string(place.path("p.ecsv")).unwrap();
    assert_eq!(ecsv.lines().filter(|l| !l.starts_with("# ")).count(), peaks.len() + 1);
    let regions = fs::read_to_string(place.path("p.reg")).unwrap();
    assert_eq!(regions.matches("text={").count(), peaks.len());
    assert!(fs::read(place.path("p.png")).unwrap().starts_with(b"\x89PNG"));

    // Gammapy's squares of pixels.
    let square = ["peaks", "flux.fits", "--threshold", "4", "-o", "s.ecsv", "--json", "--min-distance"];
    let number = |distance: &'static str| -> usize {
        let arguments: Vec<&str> = square.iter().copied().chain([distance, "--overwrite"]).collect();
        let document: Value = serde_json::from_str(&place.works(&arguments)).unwrap();
        document["peaks"].as_array().unwrap().len()
    };
    assert!(number("9pix") <= number("1pix") && number("2 pixels") == number("2px"));

    // One energy bin alone, another quantity, other words in the frame of the regions.
    let one = place.works(&more(&[
        "--energy",
        "1",
        "-o",
        "q.ecsv",
        "--json",
        "--quantity",
        "ts",
        "--regions",
        "q.reg",
        "--frame",
        "icrs",
    ]));
    let one: Value = serde_json::from_str(&one).unwrap();
    assert!(one["peaks"].as_array().unwrap().iter().all(|p| bins(p) == 1 && p["value"] == p["ts"]));
    assert!(fs::read_to_string(place.path("q.reg")).unwrap().contains("\nicrs\n"));

    // A catalogue with the first peak in it, in three kinds of columns.
    let (ra, dec) = (first["ra_fit"].as_f64().unwrap(), first["dec_fit"].as_f64().unwrap());
    let (lon, lat) = (first["lon_fit"].as_f64().unwrap(), first["lat_fit"].as_f64().unwrap());
    for (columns, x, y) in [
        (["Source_Name", "RAJ2000", "DEJ2000"], ra, dec),
        (["common_name", "ra", "dec"], ra, dec),
        (["NAME", "GLON", "GLAT"], lon, lat),
    ] {
        let entries = [("far away", x + 20.0, y), ("4FGL J1234.5-6789", x, y + 0.01), ("nowhere", f64::NAN, f64::NAN)];
        catalogue(&place.path("cat.fits"), columns, "deg", &entries);
        let read = Catalogue::read(place.path("cat.fits")).unwrap();
        assert_eq!(read.names, ["far away", "4FGL J1234.5-6789", "nowhere"]);
        let text = place.works(&more(&[
            "-o",
            "p.ecsv",
            "--overwrite",
            "--json",
            "--match",
            "cat.fits",
            "--match-radius",
            "0.1deg",
        ]));
        let named: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(named["peaks"][0]["counterpart"], "4FGL J1234.5-6789");
        assert!((named["peaks"][0]["separation"].as_f64().unwrap() - 0.01).abs() < 1e-4);
    }
    let plain = place.works(&more(&["-o", "p.ecsv", "--overwrite"]));
    assert!(plain.starts_with(&format!("p.ecsv: {} peaks above 4", peaks.len())), "{plain}");
    // Nothing above the threshold is a result, too.
    let none = place.works(&["peaks", "flux.fits", "-o", "none.ecsv", "--threshold", "1e6", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&none).unwrap()["peaks"], Value::Array(Vec::new()));
}

#[test]
fn peaks_of_wrong_input() {
    let place = Place::new();
    let refuse = |arguments: &[&str], words: &[&str]| {
        let mut all = vec!["peaks"];
        all.extend(arguments);
        if !arguments.contains(&"-o") {
            all.extend(["-o", "out.ecsv"]);
        }
        place.fails(&all, words);
    };
    refuse(&["nowhere.fits"], &["nowhere.fits"]);
    let whole = fs::read(place.path("flux.fits")).unwrap();
    fs::write(place.path("cut.fits"), &whole[..whole.len() / 2]).unwrap();
    refuse(&["cut.fits"], &["cut.fits"]);
    fs::write(place.path("text.fits"), "no FITS at all").unwrap();
    refuse(&["text.fits"], &["text.fits"]);
    fs::copy(data("sim-tan-1.fits.gz"), place.path("dataset.fits.gz")).unwrap();
    refuse(&["dataset.fits.gz"], &["dataset.fits.gz", "not flux maps"]);
    let maps = FluxMaps::read(place.path("flux.fits")).unwrap();
    let mut bare = FluxMaps::new(maps.geom().clone(), maps.reference_model().clone());
    for quantity in [FluxQuantity::Norm, FluxQuantity::NormErr] {
        bare.insert(quantity, maps.get(quantity).unwrap().clone()).unwrap();
    }
    bare.write(place.path("bare.fits"), SedType::Likelihood, &WriteOptions::default()).unwrap();
    refuse(&["bare.fits"], &["sqrt_ts", "norm"]);
    for threshold in ["nan", "inf", "-inf"] {
        refuse(&["flux.fits", "--threshold", threshold], &["threshold", "finite"]);
    }
    for distance in ["0deg", "-1deg", "nandeg", "1e-9deg", "0.3", "1TeV", "0pix", "1.5pix", "-1pix", "pix"] {
        refuse(&["flux.fits", "--min-distance", distance], &["--min-distance"]);
    }
    refuse(&["flux.fits", "--quantity", "nonsense"], &["quantity", "nonsense", "sqrt_ts"]);
    refuse(&["flux.fits", "--energy", "99"], &["energy", "99"]);
    refuse(&["flux.fits", "--frame", "moon"], &["frame", "moon"]);
    refuse(&["flux.fits", "--match", "flux.fits"], &["flux.fits", "neither names nor positions"]);
    refuse(&["flux.fits", "--match", "nowhere.fits"], &["nowhere.fits"]);
    refuse(&["flux.fits", "--match-radius", "0deg"], &["--match-radius"]);
    catalogue(&place.path("cat.fits"), ["Source_Name", "where", "when"], "deg", &[("a", 1.0, 2.0)]);
    refuse(&["flux.fits", "--match", "cat.fits"], &["cat.fits", "no columns of positions", "where"]);
    catalogue(&place.path("cat.fits"), ["whatever", "RA", "DEC"], "deg", &[("a", 1.0, 2.0)]);
    refuse(&["flux.fits", "--match", "cat.fits"], &["no column of names"]);
    catalogue(&place.path("cat.fits"), ["Source_Name", "RA", "DEC"], "rad", &[("a", 1.0, 2.0)]);
    refuse(&["flux.fits", "--match", "cat.fits"], &["RA", "rad", "degrees"]);
    catalogue(&place.path("cat.fits"), ["Source_Name", "RA", "DEC"], "deg", &[("a", 1.0, 91.0)]);
    refuse(&["flux.fits", "--match", "cat.fits"], &["DEC", "91"]);
    fs::write(place.path("there.ecsv"), "mine").unwrap();
    refuse(&["flux.fits", "-o", "there.ecsv"], &["there.ecsv", "exists"]);
    assert_eq!(fs::read_to_string(place.path("there.ecsv")).unwrap(), "mine");
    fs::write(place.path("there.reg"), "mine").unwrap();
    refuse(&["flux.fits", "--regions", "there.reg"], &["exists"]);
    refuse(&["flux.fits", "--png", "nowhere/p.png"], &["nowhere"]);
    refuse(&["flux.fits", "-o", "out.fits"], &["output", ".ecsv"]);
    refuse(&["--iterative"], &["required"]);
    refuse(&["--iterative", "--dataset", "nowhere.fits"], &["nowhere.fits"]);
    refuse(&["--iterative", "--dataset", "dataset.fits.gz", "--threshold", "0"], &["threshold"]);
    refuse(&["--iterative", "--dataset", "dataset.fits.gz", "--quantity", "ts"], &["iterative"]);
    refuse(&["--iterative", "--dataset", "dataset.fits.gz", "--max-sources", "0"], &["--max-sources"]);
    refuse(&["flux.fits", "--iterative", "--dataset", "dataset.fits.gz"], &["dataset.fits.gz", "pixels"]);
    refuse(&["flux.fits", "--models-out", "m.yaml"], &["--models-out", "2 energy bins"]);
    refuse(&[], &["required"]);
}

#[test]
fn sources_are_found_one_after_the_other() {
    let place = Place::new();
    let geom = field::image(61, 45);
    let sources = [field::source("a", &geom, (25.2, 20.1), 3.0), field::source("b", &geom, (29.4, 20.9), 2.0)];
    let dataset = field::dataset(&geom, &sources, 0.5, 11);
    dataset.write(place.path("data.fits"), &WriteOptions::default()).unwrap();
    let run = [
        "peaks",
        "--iterative",
        "--dataset",
        "data.fits",
        "-o",
        "s.ecsv",
        "--models-out",
        "s.yaml",
        "--residual",
        "r.fits",
        "--regions",
        "s.reg",
        "--png",
        "s.png",
        "--kernel-width",
        "0.7deg",
        "--sum-over-energy-groups",
        "false",
        "--selection",
        "errn-errp,ul",
        "--backend",
        "cpu",
        "--json",
    ];
    let document: Value = serde_json::from_str(&place.works(&run)).unwrap();
    let found = document["peaks"].as_array().unwrap();
    assert!(found.len() == 2 && document["complete"] == true, "{document:#}");
    for (place, amplitude) in [((25.2, 20.1), 3.0), ((29.4, 20.9), 2.0)] {
        let number = |s: &Value, name: &str| s[name].as_f64().unwrap();
        let near = |s: &&Value| (number(s, "x") - place.0).hypot(number(s, "y") - place.1) < 1.0;
        let s = found.iter().find(near).unwrap_or_else(|| panic!("nothing at {place:?}: {document:#}"));
        assert!((number(s, "norm") - amplitude).abs() < 3.5 * number(s, "norm_err"), "{s:#}");
        assert!((number(s, "flux") / number(s, "norm") / (1e-12 * (1.0 - 1.0 / 30.0)) - 1.0).abs() < 1e-6);
        assert!(number(s, "flux_ul") > number(s, "flux"));
    }
    // The models are a null hypothesis in which nothing is left.
    assert_eq!(Models::read(place.path("s.yaml")).unwrap().components.len(), 2);
    let again: Vec<&str> = [
        "peaks",
        "--iterative",
        "--dataset",
        "data.fits",
        "-o",
        "t.ecsv",
        "--models",
        "s.yaml",
        "--kernel-width",
        "0.7deg",
        "--sum-over-energy-groups",
        "false",
        "--backend",
        "cpu",
        "--json",
    ]
    .to_vec();
    let document: Value = serde_json::from_str(&place.works(&again)).unwrap();
    assert_eq!(document["peaks"], Value::Array(Vec::new()));
    assert!(FluxMaps::read(place.path("r.fits")).unwrap().sqrt_ts().unwrap().max().unwrap().1 < 5.0);
    place.fails(&run, &["exists"]);
}

#[test]
fn maps_are_combined() {
    let place = Place::new();
    let geom = field::image(25, 21);
    for seed in [1, 2] {
        let sources = [field::source("a", &geom, (12.0, 10.0), 1.0)];
        field::dataset(&geom, &sources, 1.0, seed)
            .write(place.path(&format!("d{seed}.fits")), &WriteOptions::default())
            .unwrap();
        for (name, selection) in [("scan", "stat_scan"), ("err", "errn-errp,ul")] {
            place.works(&[
                "tsmap",
                &format!("d{seed}.fits"),
                "-o",
                &format!("{name}{seed}.fits"),
                "--kernel-width",
                "0.5deg",
                "--selection",
                selection,
                "--backend",
                "cpu",
                "-q",
            ]);
        }
    }
    let text = place.works(&["combine", "scan1.fits", "scan2.fits", "-o", "all.fits", "--json", "--png", "all.png"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(document["exact"] == true && document["inputs"][1]["method"] == "profile", "{document:#}");
    let all = FluxMaps::read(place.path("all.fits")).unwrap();
    assert!(all.meta.entries["inputs"].contains("scan2.fits (profile)"));
    assert!(all.get(FluxQuantity::StatScan).is_some() && all.get(FluxQuantity::NormUl).is_some());
    let text = place.works(&["combine", "scan1.fits", "err2.fits", "-o", "mixed.fits"]);
    assert!(text.contains("scan1.fits: profile") && text.contains("err2.fits: asymmetric errors"), "{text}");
    let largest = |name: &str| FluxMaps::read(place.path(name)).unwrap().sqrt_ts().unwrap().max().unwrap().1;
    assert!(largest("all.fits") > largest("scan1.fits").max(largest("scan2.fits")));
    assert!((largest("mixed.fits") / largest("all.fits") - 1.0).abs() < 0.05);

    place.fails(&["combine", "scan1.fits", "flux.fits", "-o", "o.fits"], &["flux.fits", "geometry", "scan1.fits"]);
    place.fails(
        &["combine", "scan1.fits", "err2.fits", "-o", "o.fits", "--method", "profile"],
        &["err2.fits", "stat_scan"],
    );
    place.fails(&["combine", "scan1.fits", "err2.fits", "-o", "o.fits", "--method", "guess"], &["method", "guess"]);
    place.fails(&["combine", "scan1.fits", "nowhere.fits", "-o", "o.fits"], &["nowhere.fits"]);
    place.fails(&["combine", "scan1.fits", "-o", "o.fits"], &["FLUX.fits"]);
    place.fails(&["combine", "scan1.fits", "scan2.fits", "-o", "all.fits"], &["all.fits", "exists"]);
}

#[test]
fn datasets_are_smoothed() {
    let place = Place::new();
    fs::copy(data("sim-tan-1.fits.gz"), place.path("d.fits.gz")).unwrap();
    let run = [
        "asmooth",
        "d.fits.gz",
        "-o",
        "s.fits",
        "--scales",
        "0.05deg,0.1deg",
        "--threshold",
        "2",
        "--json",
        "--png",
        "s.png",
        "--energy-edges",
        "all",
    ];
    let document: Value = serde_json::from_str(&place.works(&run)).unwrap();
    assert!(document["significant_pixels"].as_u64().unwrap() > 10, "{document:#}");
    for name in ["COUNTS", "BACKGROUND", "FLUX", "SCALE", "SQRT_TS"] {
        assert_eq!(Map::read(place.path("s.fits"), Some(name)).unwrap().planes(), 4, "{name}");
    }
    place.fails(&run, &["s.fits", "exists"]);
    let refuse = |more: &[&str], words: &[&str]| {
        let mut all = vec!["asmooth", "d.fits.gz", "-o", "o.fits"];
        all.extend(more);
        place.fails(&all, words);
    };
    refuse(&["--scales", "0deg"], &["scales"]);
    refuse(&["--scales", "1TeV"], &["scales"]);
    refuse(&["--threshold", "nan"], &["threshold"]);
    refuse(&["--method", "ts"], &["method", "lima"]);
    refuse(&["--energy-edges", "5TeV,1TeV"], &["--energy-edges"]);
    place.fails(&["asmooth", "flux.fits", "-o", "o.fits"], &["flux.fits"]);
    place.fails(&["asmooth", "nowhere.fits", "-o", "o.fits"], &["nowhere.fits"]);
}
