//! `pevatron stack`, `cutout`, `residuals` and `simulate` as a stranger uses them.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;

use crate::support::fits_file::FitsFile;
use crate::support::program::{Place, data};
use crate::support::yaml::PointSource;
use pevatron::datasets::{Dataset, MapDataset, MapDatasetOnOff};
use pevatron::io::WriteOptions;
use pevatron::maps::{Map, SkyRegion};
use pevatron::table::{Column, Table, Values};
use serde_json::Value;

fn dataset(number: usize) -> MapDataset {
    MapDataset::read(data(&format!("sim-tan-{number}.fits.gz"))).unwrap()
}

/// A folder with two datasets, one with off counts, and models at their centre.
fn place() -> Place {
    let place = Place::new();
    let (a, b) = (dataset(1), dataset(2));
    let center = a.wcs_geom().unwrap().center().unwrap();
    let position = (center.lon_deg, center.lat_deg);
    let source = PointSource { name: "s", index: "2.0", amplitude: "1.0e-12", position, position_is_frozen: false };
    fs::write(place.path("models.yaml"), source.yaml()).unwrap();
    let background = a.background.clone().unwrap();
    let same = |v: f64| {
        let cube = background.to_cube_f64().mapv(|_| v);
        Map::from_cube(background.geom().clone(), Default::default(), cube).unwrap()
    };
    let off = MapDatasetOnOff::from_map_dataset(a.clone(), same(3.0), same(1.0), same(5.0));
    off.write(place.path("off.fits"), &WriteOptions::default()).unwrap();
    write(&place, "a.fits", &a);
    write(&place, "b.fits", &b);
    place
}

fn write(place: &Place, name: &str, dataset: &MapDataset) {
    dataset.write(place.path(name), &WriteOptions::default()).unwrap();
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Counts inside of mask_safe.
fn safe_counts(dataset: &MapDataset) -> f64 {
    dataset.to_masked().unwrap().counts.unwrap().sum()
}

#[test]
fn datasets_are_stacked() {
    let place = place();
    let document = json(&place.works(&["stack", "a.fits", "b.fits", "-o", "sum.fits", "--json"]));
    let expected = safe_counts(&dataset(1)) + safe_counts(&dataset(2));
    assert_eq!(document["counts_sum"].as_f64().unwrap(), expected);
    assert_eq!(document["datasets"], 2);
    let sum = MapDataset::read(place.path("sum.fits")).unwrap();
    assert_eq!((sum.name.as_str(), sum.counts.as_ref().unwrap().sum()), ("stacked", expected));
    assert!(sum.mask_fit.is_none());
    // Off counts; a list of datasets; an existing output.
    fs::write(
        place.path("both.yaml"),
        "datasets:\n- {name: a, type: MapDataset, filename: a.fits}\n- {name: o, type: MapDatasetOnOff, filename: off.fits}\n",
    )
    .unwrap();
    let info = json(&place.works(&["info", "both.yaml", "--json"]));
    let kinds: Vec<&str> = info["datasets"].as_array().unwrap().iter().map(|d| d["kind"].as_str().unwrap()).collect();
    assert_eq!((info["number"].as_u64(), kinds), (Some(2), vec!["MapDataset", "MapDatasetOnOff"]));
    place.fails(&["convert", "both.yaml", "-o", "x.fits"], 2, &["both.yaml", "list of datasets"]);
    place.works(&["stack", "off.fits", "off.fits", "-o", "off-sum.fits", "--name", "mine"]);
    let off = MapDatasetOnOff::read(place.path("off-sum.fits")).unwrap();
    assert_eq!(off.name(), "mine");
    let list = "datasets:\n-   name: x\n    type: MapDataset\n    filename: a.fits\n-   {name: y, type: MapDataset, filename: b.fits}\n";
    fs::write(place.path("list.yaml"), list).unwrap();
    place.works(&["stack", "list.yaml", "-o", "again.fits", "--quiet"]);
    assert_eq!(MapDataset::read(place.path("again.fits")).unwrap().counts, sum.counts);
    place.fails(&["stack", "a.fits", "b.fits", "-o", "sum.fits"], 2, &["sum.fits", "exists"]);
}

/// The livetime, the meta table and the intervals of the sum, as files hold them.
#[test]
fn times_are_added_up() {
    let place = place();
    let with = |number: usize, livetime: f64, id: i64| {
        let mut table = Table::new();
        table.push(Column::new("OBS_ID", Default::default(), Values::Int(vec![id]))).unwrap();
        table.push(Column::texts("TELESCOP", vec!["T".into()])).unwrap();
        let mut d = MapDataset { livetime_s: Some(livetime), meta_table: Some(table), ..dataset(number) };
        d.meta.insert("TELESCOP".into(), format!("T{number}"));
        d
    };
    write(&place, "one.fits", &with(1, 100.5, 7));
    write(&place, "two.fits", &with(2, 200.0, 8));
    let document = json(&place.works(&["stack", "one.fits", "two.fits", "-o", "times.fits.gz", "--json"]));
    assert_eq!(document["livetime_seconds"], 300.5);
    assert!(document["warnings"][0].as_str().unwrap().contains("T1, T2"), "{document}");
    let sum = MapDataset::read(place.path("times.fits.gz")).unwrap();
    assert_eq!(sum.livetime_s, Some(300.5));
    let table = sum.meta_table.unwrap();
    assert_eq!(table.floats("OBS_ID", "").unwrap(), [7.0, 8.0]);
    assert_eq!(table.texts("TELESCOP").unwrap(), ["T", "T"]);
    assert!(!sum.meta.contains_key("TELESCOP"), "what is said of one of them only");
    // A livetime that is none.
    let mut file = FitsFile::read(place.path("one.fits"));
    for key in ["CHECKSUM", "DATASUM"] {
        file.hdu("EXPOSURE").unset(key);
    }
    file.hdu("EXPOSURE").set("META", "'{\"livetime\": \"-5 s\"}'");
    file.write(place.path("bad.fits"));
    place.fails(&["stack", "bad.fits", "-o", "out.fits"], 2, &["bad.fits[EXPOSURE] META", "livetime"]);
}

#[test]
fn datasets_that_cannot_be_stacked() {
    let place = place();
    let out = ["-o", "out.fits"];
    let fails = |inputs: &[&str], words: &[&str]| {
        let arguments: Vec<&str> = ["stack"].iter().chain(inputs).chain(&out).copied().collect();
        place.fails(&arguments, 2, words);
    };
    let image = dataset(2).to_image().unwrap();
    write(&place, "image.fits", &image);
    fails(&["a.fits", "image.fits"], &["image.fits", "energy"]);
    let other = MapDataset::read(data("sim-car.fits.gz")).unwrap();
    write(&place, "car.fits", &other);
    fails(&["a.fits", "car.fits"], &["car.fits", "geometry", "cutout"]);
    let bare = MapDataset { exposure: None, psf: None, ..dataset(2) };
    write(&place, "bare.fits", &bare);
    fails(&["a.fits", "bare.fits"], &["bare.fits", "exposure"]);
    let scaled = |factor: f64, unit: &str| {
        let map = dataset(2).exposure.unwrap().scaled(factor, unit.parse().unwrap());
        MapDataset { exposure: Some(map), ..dataset(2) }
    };
    write(&place, "negative.fits", &scaled(-1.0, "m2 s"));
    fails(&["a.fits", "negative.fits"], &["negative.fits[EXPOSURE]", "negative"]);
    write(&place, "unit.fits", &scaled(1.0, "m2"));
    fails(&["a.fits", "unit.fits"], &["unit.fits[EXPOSURE]", "BUNIT"]);
    fails(&["off.fits", "a.fits"], &["a.fits", "off counts"]);
    fails(&["a.fits", "nothing.fits"], &["nothing.fits"]);
    let list = |text: &str| fs::write(place.path("list.yaml"), text).unwrap();
    list("datasets:\n- {name: x, type: LightCurve, filename: a.fits}\n");
    fails(&["list.yaml"], &["LightCurve", "line 2"]);
    list("datasets:\n- {name: x, type: MapDataset}\n");
    fails(&["list.yaml"], &["list.yaml", "filename"]);
    list("datasets: []\n");
    fails(&["list.yaml"], &["list.yaml", "empty"]);
    list(
        "datasets:\n- {name: x, type: MapDataset, filename: a.fits}\n- {name: x, type: MapDataset, filename: b.fits}\n",
    );
    fails(&["list.yaml"], &["list.yaml", "'x'"]);
    list("datasets: [\n");
    fails(&["list.yaml"], &["list.yaml"]);
}

#[test]
fn spectra_are_cut_out() {
    let place = place();
    let center = dataset(1).wcs_geom().unwrap().center().unwrap();
    let region = format!("circle({}, {}, 0.1)", center.lon_deg, center.lat_deg);
    let arguments =
        ["cutout", "a.fits", "-o", "spectrum.fits", "--region", &region, "--containment-correction", "--json"];
    let document = json(&place.works(&arguments));
    assert_eq!((&document["kind"], &document["npix"]), (&"SpectrumDataset".into(), &serde_json::json!([1, 1])));
    let wanted = SkyRegion::circle(center, 0.1).unwrap();
    let wanted = dataset(1).to_spectrum_dataset(&wanted, true).unwrap();
    let found = MapDataset::read(place.path("spectrum.fits")).unwrap();
    let sum = |d: &MapDataset| (d.counts.as_ref().unwrap().sum(), d.exposure.as_ref().unwrap().sum());
    assert_eq!(sum(&found).0, sum(&wanted).0);
    assert!((sum(&found).1 / sum(&wanted).1 - 1.0).abs() < 1e-6);
    let info = json(&place.works(&["info", "spectrum.fits", "--json"]));
    assert_eq!((&info["kind"], &info["geometry"]["region"]), (&"SpectrumDataset".into(), &"circle".into()));
    // All that works on datasets works on spectra.
    place.works(&["simulate", "spectrum.fits", "--models", "models.yaml", "-o", "fake.fits"]);
    place.works(&["npred", "spectrum.fits", "--models", "models.yaml", "-o", "npred.fits"]);
    place.works(&["stack", "spectrum.fits", "fake.fits", "-o", "sum.fits"]);
    place.works(&["cutout", "off.fits", "-o", "off-spectrum.fits", "--region", &region]);
    let sum = |more: &[&str]| {
        let arguments =
            ["npred", "off-spectrum.fits", "--models", "models.yaml", "-o", "n.fits", "--overwrite", "--json"];
        let arguments: Vec<&str> = arguments.into_iter().chain(more.iter().copied()).collect();
        json(&place.works(&arguments))["npred_sum"].as_f64().unwrap()
    };
    // Off counts predict a background.
    assert!(sum(&[]) > sum(&["--signal"]), "{} {}", sum(&[]), sum(&["--signal"]));
    let fails = |more: &[&str], words: &[&str]| {
        let arguments: Vec<&str> =
            ["cutout", "a.fits", "-o", "x.fits"].into_iter().chain(more.iter().copied()).collect();
        place.fails(&arguments, 2, words);
    };
    fails(&[], &["required arguments"]);
    fails(&["--region", "circle(1,2"], &["region"]);
    fails(&["--region", "circle(1, 2, 0.1)"], &["region", "not on the map"]);
    fails(&["--region", &region, "--width", "1deg"], &["--width"]);
    place.fails(&["cutout", "spectrum.fits", "-o", "x.fits", "--region", &region], 2, &["spectrum.fits", "region"]);
    fails(
        &["--position", "1,2", "--width", "1deg", "--containment-correction"],
        &["--containment-correction", "--region"],
    );
    place.fails(&["tsmap", "spectrum.fits", "-o", "x.fits"], 2, &["spectrum.fits", "region"]);
    place.fails(&["excess", "spectrum.fits", "-o", "x.fits"], 2, &["spectrum.fits", "region"]);
}

#[test]
fn parts_are_cut_out() {
    let place = place();
    let center = dataset(1).wcs_geom().unwrap().center().unwrap();
    let at = format!("{}deg,{}deg", center.lon_deg, center.lat_deg);
    let cut = |more: &[&str]| -> Vec<String> {
        ["cutout", "a.fits", "-o", "cut.fits"].iter().chain(more).map(|s| s.to_string()).collect()
    };
    let run = |more: &[&str]| {
        let arguments = cut(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        place.works(&arguments)
    };
    let document = json(&run(&["--position", &at, "--width", "0.4deg,0.2deg", "--json"]));
    assert_eq!(document["npix"], serde_json::json!([10, 5]));
    let part = MapDataset::read(place.path("cut.fits")).unwrap();
    let wanted = dataset(1).cutout(center, ("0.4deg".parse().unwrap(), "0.2deg".parse().unwrap())).unwrap();
    assert_eq!((part.counts, part.mask_safe), (wanted.counts, wanted.mask_safe));
    let fails = |more: &[&str], words: &[&str]| {
        let arguments = cut(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--overwrite"]).collect();
        place.fails(&arguments, 2, words);
    };
    fails(&["--position", "10deg,10deg", "--width", "1deg"], &["a.fits", "outside"]);
    fails(&["--position", "10deg,100deg", "--width", "1deg"], &["position"]);
    fails(&["--position", "10deg", "--width", "1deg"], &["position"]);
    for bad in ["0deg", "-1deg", "1deg,0deg", "1TeV", "wide", "1deg,1deg,1deg", "infdeg"] {
        fails(&["--position", &at, "--width", bad], &["width"]);
    }
    fails(&["--position", &at, "--width", "1deg", "--frame", "ecliptic"], &["frame"]);
    // With off counts, in another frame.
    let galactic = center.to_frame(pevatron::maps::Frame::Galactic);
    let at = format!("{},{}", galactic.lon_deg, galactic.lat_deg);
    let off =
        ["cutout", "off.fits", "-o", "off-cut.fits", "--position", &at, "--frame", "galactic", "--width", "0.4deg"];
    place.works(&off);
    let off = MapDatasetOnOff::read(place.path("off-cut.fits")).unwrap();
    assert_eq!(off.counts_off.unwrap().geom().data_shape(), [4, 10, 10]);
}

#[test]
fn residuals_are_mapped_and_drawn() {
    let place = place();
    let base = ["residuals", "a.fits", "--models", "models.yaml", "--backend", "cpu", "-o"];
    let with = |more: &[&'static str]| -> Vec<&str> { base.iter().chain(more).copied().collect() };
    let document =
        json(&place.works(&with(&["res.fits", "--method", "diff/sqrt(model)", "--png", "res.png", "--json"])));
    assert_eq!(document["method"], "diff/sqrt(model)");
    assert!(document["stat_sum"].as_f64().unwrap().is_finite());
    let map = Map::read(place.path("res.fits"), Some("RESIDUALS")).unwrap();
    let a = dataset(1);
    let mask = a.mask().unwrap().unwrap();
    assert!(map.data().iter().zip(mask.data()).all(|(v, m)| *m || v.is_nan()));
    assert!(map.data().iter().all(|v| !v.is_infinite()));
    let picture = fs::read(place.path("res.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 5000);
    place.works(&with(&["smooth.fits", "--smooth", "0.08deg", "--png", "one.svg", "--energy", "1", "--quiet"]));
    place.works(&["residuals", "off.fits", "-o", "off-res.fits", "--backend", "reference"]);
    place.fails(&with(&["x.fits", "--method", "ratio"]), 2, &["method", "diff/sqrt(model)"]);
    place.fails(&with(&["x.fits", "--smooth", "0deg"]), 2, &["smooth"]);
    place.fails(&with(&["x.fits", "--smooth", "-1deg"]), 2, &["smooth"]);
    place.fails(&with(&["x.fits", "--png", "x.jpg"]), 2, &["png"]);
    place.fails(&with(&["x.fits", "--png", "x.png", "--energy", "4"]), 2, &["energy"]);
    place.fails(&["residuals", "a.fits", "--models", "none.yaml", "-o", "x.fits"], 2, &["none.yaml"]);
    let none = MapDataset { counts: None, ..dataset(1) };
    write(&place, "none.fits", &none);
    place.fails(&["residuals", "none.fits", "-o", "x.fits", "--backend", "cpu"], 2, &["none.fits", "counts"]);
}

#[test]
fn counts_are_simulated() {
    let place = place();
    let simulate = |input: &str, out: &str, more: &[&str]| {
        let arguments: Vec<&str> = ["simulate", input, "--models", "models.yaml", "--backend", "cpu", "-o", out]
            .iter()
            .chain(more)
            .copied()
            .collect();
        place.works(&arguments)
    };
    simulate("a.fits", "one.fits", &["--seed", "1"]);
    simulate("a.fits", "same.fits", &["--seed", "1", "--threads", "1"]);
    simulate("a.fits", "two.fits", &["--seed", "2"]);
    let document = json(&simulate("a.fits", "asimov.fits", &["--asimov", "--json"]));
    let counts = |name: &str| Dataset::read(place.path(name)).unwrap().common().unwrap().counts.clone().unwrap();
    assert_eq!(counts("one.fits"), counts("same.fits"));
    assert_ne!(counts("one.fits"), counts("two.fits"));
    let expected = counts("asimov.fits").sum();
    assert!((document["counts_sum"].as_f64().unwrap() / expected - 1.0).abs() < 1e-12);
    assert!((counts("one.fits").sum() - expected).abs() < 5.0 * expected.sqrt());
    // What was predicted leaves no residuals.
    let document = json(&place.works(&[
        "residuals",
        "asimov.fits",
        "--models",
        "models.yaml",
        "-o",
        "r.fits",
        "--backend",
        "cpu",
        "--json",
    ]));
    assert!(document["std"].as_f64().unwrap() < 1e-9);
    simulate("off.fits", "off-sim.fits", &["--seed", "7"]);
    let off = MapDatasetOnOff::read(place.path("off-sim.fits")).unwrap();
    let n = off.counts_off.as_ref().unwrap();
    assert!((n.sum() - 3.0 * n.data().len() as f64).abs() < 5.0 * (3.0 * n.data().len() as f64).sqrt());
    place.fails(&["simulate", "a.fits", "--models", "none.yaml", "-o", "x.fits"], 2, &["none.yaml"]);
    place.fails(&["simulate", "nothing.fits", "-o", "x.fits"], 2, &["nothing.fits"]);
}
