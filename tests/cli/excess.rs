//! `pevatron excess` as a stranger uses it: what goes in wrong comes out as one line with exit code 2 and no file; what
//! goes in right can be read.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;
use std::ops::Deref;
use std::sync::Arc;

use crate::support::program::{self, data};
use pevatron::datasets::{MapDataset, MapDatasetOnOff};
use pevatron::flux::{FluxMaps, FluxQuantity};
use pevatron::io::WriteOptions;
use pevatron::maps::Map;
use serde_json::Value;

/// A folder with a dataset (`map.fits`) and one with off counts (`onoff.fits`).
struct Place(program::Place);

impl Place {
    fn new() -> Self {
        Self::with(|_| (), |_| ())
    }

    /// The same with changes to what is written.
    fn with(change: impl FnOnce(&mut MapDataset), change_off: impl FnOnce(&mut MapDatasetOnOff)) -> Self {
        let place = program::Place::new();
        let mut dataset = MapDataset::read(data("sim-tan-1.fits.gz")).unwrap();
        let background = dataset.background.as_ref().unwrap();
        let constant = |value: f64| {
            let cube = background.to_cube_f64();
            Map::from_cube(Arc::clone(background.geom()), Default::default(), cube.mapv(|_| value)).unwrap()
        };
        let off = background.to_cube_f64().mapv(|v| (8.0 * v).round());
        let off = Map::from_cube(Arc::clone(background.geom()), Default::default(), off).unwrap();
        let mut on_off = MapDatasetOnOff::from_map_dataset(dataset.clone(), off, constant(1.0), constant(8.0));
        change(&mut dataset);
        change_off(&mut on_off);
        dataset.write(place.path("map.fits"), &WriteOptions::default()).unwrap();
        on_off.write(place.path("onoff.fits"), &WriteOptions::default()).unwrap();
        Self(place)
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

fn excess<'a>(input: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["excess", input, "-o", "out.fits", "--backend", "cpu"];
    arguments.extend(more);
    arguments
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn options_that_cannot_be() {
    let place = Place::new();
    for (more, words) in [
        (&["--correlation-radius", "0deg"][..], &["--correlation-radius", "positive"][..]),
        (&["--correlation-radius", "-0.1deg"], &["--correlation-radius"]),
        (&["--correlation-radius", "wide"], &["--correlation-radius"]),
        (&["--correlation-radius", "0.1 TeV"], &["--correlation-radius"]),
        (&["--correlation-radius", "5deg"], &["--correlation-radius", "width of the map"]),
        (&["--energy-edges", "1TeV,1.001TeV"], &["--energy-edges", "leave no bin"]),
        (&["--energy-edges", "10TeV,1TeV"], &["--energy-edges"]),
        (&["--energy-edges", "1TeV"], &["--energy-edges", "two"]),
        (&["--energy-edges", "all", "--sum-over-energy-groups", "true"], &["contradicts"]),
        (&["--selection", "ul,limits"], &["selection", "'limits'", "acceptance_on"]),
        (&["--n-sigma", "0"], &["--n-sigma"]),
        (&["--n-sigma-ul", "-1"], &["--n-sigma-ul"]),
        (&["--n-sigma-sensitivity", "NaN"], &["--n-sigma-sensitivity"]),
        (&["--gamma-min-sensitivity", "-3"], &["--gamma-min-sensitivity"]),
        (&["--sed-type", "counts"], &["--sed-type"]),
        (&["--backend", "abacus"], &["backend"]),
        (&["--spectral-model", "none.yaml"], &["none.yaml"]),
        (&["--models", "none.yaml"], &["none.yaml"]),
    ] {
        for input in ["map.fits", "onoff.fits"] {
            place.fails(&excess(input, more), words);
        }
    }
    place.fails(&excess("map.fits", &["--selection", "alpha"]), &["alpha", "off counts", "MapDataset"]);
    place.fails(&excess("nothing.fits", &[]), &["nothing.fits"]);
}

#[test]
fn outputs_that_exist() {
    let place = Place::new();
    fs::write(place.path("out.fits"), "mine").unwrap();
    place.fails(&excess("map.fits", &[]), &["out.fits", "exists"]);
    assert_eq!(fs::read(place.path("out.fits")).unwrap(), b"mine");
    place.works(&excess("map.fits", &["--overwrite", "--quiet"]));
    assert!(FluxMaps::read(place.path("out.fits")).is_ok());
    place.fails(&["excess", "map.fits", "-o", "no/out.fits"], &["no"]);
}

#[test]
fn datasets_that_cannot_be() {
    let scaled = |map: &Option<Map>, factor: f64| map.as_ref().map(|m| m.scaled(factor, m.unit().clone()));
    let with_exposure = |factor: f64| {
        Place::with(
            |dataset| dataset.exposure = scaled(&dataset.exposure, factor),
            |dataset| dataset.on.exposure = scaled(&dataset.on.exposure, factor),
        )
    };
    for (place, word) in [(with_exposure(0.0), "no exposure"), (with_exposure(-1.0), "negative")] {
        for input in ["map.fits", "onoff.fits"] {
            place.fails(&excess(input, &[]), &[word]);
        }
    }
    let place = Place::with(|dataset| dataset.exposure = None, |dataset| dataset.on.exposure = None);
    for input in ["map.fits", "onoff.fits"] {
        place.fails(&excess(input, &[]), &["exposure"]);
    }
    let place = Place::with(|dataset| dataset.background = None, |dataset| dataset.acceptance_off = None);
    place.fails(&excess("map.fits", &[]), &["background"]);
    place.fails(&excess("onoff.fits", &[]), &["acceptance_off"]);
    let place =
        Place::with(|dataset| dataset.counts = None, |dataset| dataset.counts_off = scaled(&dataset.counts_off, -1.0));
    place.fails(&excess("map.fits", &[]), &["counts"]);
    place.fails(&excess("onoff.fits", &[]), &["COUNTS_OFF", "negative"]);
    // Flux maps are not a dataset.
    let place = Place::new();
    place.works(&excess("map.fits", &["--quiet"]));
    place.fails(&["excess", "out.fits", "-o", "again.fits"], &["flux maps"]);
}

/// A TS map needs a background; the error says what to do with off counts.
#[test]
fn tsmap_says_what_to_do_with_off_counts() {
    let place = Place::new();
    let tsmap = ["tsmap", "onoff.fits", "-o", "ts.fits", "--backend", "reference"];
    place.fails(&tsmap, &["onoff.fits", "MapDatasetOnOff"]);
    let told = String::from_utf8(place.run(&tsmap).stderr).unwrap();
    let help = told.lines().find(|l| l.starts_with("help: ")).unwrap_or_default();
    assert!(help.contains("pevatron excess") && help.contains("to_map_dataset"), "{told}");
    // Counts are predicted of these, too.
    place.works(&["npred", "onoff.fits", "-o", "npred.fits"]);
}

#[test]
fn maps_pictures_and_json() {
    let place = Place::new();
    let more =
        ["--json", "--selection", "all", "--png", "s.png", "--energy-edges", "all", "--correlation-radius", "6arcmin"];
    let document = json(&place.works(&excess("onoff.fits", &more)));
    assert_eq!(document["kind"], "MapDatasetOnOff");
    assert_eq!(document["energy_groups"], 4);
    assert_eq!(document["backend"], "cpu");
    assert_eq!(document["correlation_radius_deg"], 0.1);
    assert!((document["correlation_radius_pixels"].as_f64().unwrap() - 2.5).abs() < 1e-9);
    for stage in ["read_seconds", "prepare_seconds", "estimate_seconds", "write_seconds"] {
        assert!(document["stages"][stage].as_f64().unwrap() > 0.0, "{stage}");
    }
    assert!(document["max_sqrt_ts"]["value"].as_f64().unwrap() > 3.0);
    assert!(document["status_counts"]["ok"].as_u64().unwrap() > 1000);
    assert!(document["peak_memory_bytes"].as_u64().is_none_or(|b| b > 1 << 20));
    let picture = fs::read(place.path("s.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 5000);
    let maps = FluxMaps::read(place.path("out.fits")).unwrap();
    for quantity in
        [FluxQuantity::Alpha, FluxQuantity::AcceptanceOn, FluxQuantity::NormSensitivity, FluxQuantity::NormUl]
    {
        assert!(maps.get(quantity).is_some(), "{}", quantity.name());
    }
    let off = maps.get(FluxQuantity::AcceptanceOff).unwrap().to_cube_f64();
    assert!(off.iter().all(|v| v.is_nan() || (v - 8.0).abs() < 1e-12));

    // The whole energy range, with a known background; what is said of files of both kinds.
    let document = json(&place.works(&excess("map.fits", &["--json", "--overwrite", "--selection", "errn-errp"])));
    assert_eq!((document["kind"].as_str(), document["energy_groups"].as_u64()), (Some("MapDataset"), Some(1)));
    let document = json(&place.works(&["info", "onoff.fits", "--json"]));
    assert_eq!(document["kind"], "MapDatasetOnOff");
    let (on, off) = (document["background_sum"].as_f64().unwrap(), document["counts_off_sum"].as_f64().unwrap());
    assert!((on - off / 8.0).abs() < 1e-6 * on, "{on} {off}");
    let problems = document["problems"].to_string();
    assert!(!problems.contains("BACKGROUND"), "{problems}");
    for part in ["counts_off", "background", "alpha"] {
        place.works(&["plot", "onoff.fits", "-o", &format!("{part}.png"), "--quantity", part]);
    }
    place.fails(&["plot", "onoff.fits", "-o", "x.png", "--quantity", "odd"], &["quantity", "acceptance_off"]);
}

/// The options of a configuration file, and a picture of what the help says.
#[test]
fn configuration_and_help() {
    let place = Place::new();
    fs::write(place.path("excess.toml"), "correlation_radius = \"0.08deg\"\nselection = [\"ul\", \"alpha\"]\n")
        .unwrap();
    place.works(&excess("onoff.fits", &["--config", "excess.toml", "--quiet"]));
    let maps = FluxMaps::read(place.path("out.fits")).unwrap();
    assert!(maps.get(FluxQuantity::NormUl).is_some() && maps.get(FluxQuantity::Alpha).is_some());
    assert_eq!(maps.meta.entries["correlation_radius_deg"], "0.08");
    let help = place.works(&["excess", "--help"]);
    for word in ["Example", "0.1deg", "Li & Ma", "acceptance", "default: 0.05", "--correlate-off"] {
        assert!(help.contains(word), "'{word}' is not in {help}");
    }
}
