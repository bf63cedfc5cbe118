//! `ExcessMapEstimator` against all maps that Gammapy makes, on every engine, from the dataset's file to flux maps; and
//! what is written is read again, by Gammapy too.
#![cfg(feature = "fits-system")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use std::path::{Path, PathBuf};
use std::process::Command;

use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::datasets::{Dataset, MapDataset, MapDatasetOnOff};
use pevatron::estimators::{EnergyEdges, ExcessMapEstimator, ExcessSelection};
use pevatron::flux::{FluxMaps, FluxQuantity, SedType};
use pevatron::io::{FileKind, WriteOptions, file_kind};
use pevatron::maps::Map;
use pevatron::units::{Angle, Energy, parse_list};
use serde_json::Value;

const CASES: [&str; 4] = ["excess-hess", "excess-hess-default", "excess-onoff", "excess-onoff-uncorrelated"];

/// Gammapy sums by single-precision transforms of the whole map, and its Lambert W of a single-precision argument loses
/// half of the digits where counts are many.
const SINGLE: f64 = 5e-6;
const LAMBERT: f64 = 1e-4;

struct Case {
    dataset: PathBuf,
    raw: PathBuf,
    estimator: ExcessMapEstimator,
}

fn case(folder: &Path) -> Case {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("case.json")).unwrap()).unwrap();
    let mut estimator = ExcessMapEstimator::new();
    for (key, value) in json["options"].as_object().unwrap() {
        let words = || {
            let words: Vec<&str> = value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
            words.join(",")
        };
        match key.as_str() {
            "correlation_radius" => estimator.correlation_radius = value.as_str().unwrap().parse::<Angle>().unwrap(),
            "energy_edges" => {
                let edges = parse_list(&words()).unwrap();
                let edges = edges.iter().map(|q| Energy::tev(q.to("TeV").unwrap())).collect();
                estimator.energy_edges = EnergyEdges::Edges(edges);
            }
            "selection_optional" => estimator.selection_optional = words().parse::<ExcessSelection>().unwrap(),
            "correlate_off" => estimator.correlate_off = value.as_bool().unwrap(),
            "n_sigma" => estimator.n_sigma = value.as_f64().unwrap(),
            "n_sigma_ul" => estimator.n_sigma_ul = value.as_f64().unwrap(),
            other => panic!("option {other}"),
        }
    }
    Case { dataset: folder.join(json["dataset"].as_str().unwrap()), raw: folder.join("raw.fits.gz"), estimator }
}

fn engines() -> Vec<Backend> {
    let make = |choice| Backend::new(&BackendOptions { choice, ..BackendOptions::default() });
    let mut list = vec![Backend::reference(), make(BackendChoice::Cpu).unwrap()];
    match make(BackendChoice::Gpu) {
        Ok(gpu) => list.push(gpu),
        Err(e) if std::env::var_os("PEVATRON_REQUIRE_GPU").is_some() => panic!("{e}"),
        Err(e) => println!("SKIPPED: the GPU: {e}"),
    }
    list
}

#[test]
fn every_map_is_gammapys() {
    for name in CASES {
        let Some(folder) = support::golden(name) else { return };
        let case = case(&folder);
        let dataset = Dataset::read(&case.dataset).unwrap();
        assert_eq!(matches!(dataset, Dataset::OnOff(_)), name.contains("onoff"));
        for backend in engines() {
            let maps = case.estimator.run(&dataset, &backend).unwrap_or_else(|e| panic!("{name}: {e}"));
            let error = maps.get(FluxQuantity::NormErr).unwrap().to_cube_f64();
            let errp = maps.get(FluxQuantity::NormErrp).map_or_else(|| error.clone(), Map::to_cube_f64);
            // The error of about one count, where there are none.
            let least = error.iter().copied().filter(|e| *e > 0.0).fold(f64::INFINITY, f64::min);
            let mut compared = 0;
            for quantity in FluxQuantity::ALL {
                let Ok(wanted) = Map::read(&case.raw, Some(&quantity.name().to_uppercase())) else { continue };
                let found = maps.get(*quantity).unwrap_or_else(|| panic!("{name}: no {}", quantity.name()));
                let (found, wanted) = (found.to_cube_f64(), wanted.to_cube_f64());
                assert_eq!(found.dim(), wanted.dim(), "{name}: {}", quantity.name());
                let is_norm = quantity.name().starts_with("norm");
                let is_lambert =
                    matches!(quantity, FluxQuantity::NormErrn | FluxQuantity::NormErrp | FluxQuantity::NormUl)
                        && !name.contains("onoff");
                let mut worst: f64 = 0.0;
                for (at, wanted) in wanted.indexed_iter() {
                    assert_eq!(found[at].is_nan(), wanted.is_nan(), "{name}: {} at {at:?}", quantity.name());
                    if wanted.is_nan() {
                        continue;
                    }
                    let unit = match quantity {
                        FluxQuantity::Counts | FluxQuantity::Npred => 0.0,
                        FluxQuantity::Ts => 2.0 * wanted.sqrt().max(0.1),
                        _ if is_norm => error[at].max(errp[at]).max(least),
                        _ => wanted.abs().max(1.0),
                    };
                    let off = (found[at] - wanted).abs();
                    worst = worst.max(if off == 0.0 { 0.0 } else { off / unit });
                }
                let limit = if is_lambert { LAMBERT } else { SINGLE };
                assert!(worst <= limit, "{name}, {}: {}: {worst:e}", backend.info().name, quantity.name());
                compared += 1;
            }
            println!("{name}, {}: {compared} maps", backend.info().name);
            assert!(compared >= 7, "{name}: {compared}");
        }
    }
}

/// All engines give the same counts, bit by bit, and the rest to twelve digits.
#[test]
fn engines_agree() {
    let Some(folder) = support::golden("excess-onoff") else { return };
    let case = case(&folder);
    let dataset = Dataset::read(&case.dataset).unwrap();
    let engines = engines();
    let all: Vec<FluxMaps> = engines.iter().map(|e| case.estimator.run(&dataset, e).unwrap()).collect();
    for (maps, engine) in all.iter().zip(&engines).skip(1) {
        // Two single-precision numbers hold 48 bits of a value.
        let digits = if engine.info().name == "gpu" { 1e-11 } else { 1e-12 };
        for quantity in maps.available_quantities() {
            let (a, b) = (all[0].get(quantity).unwrap().to_cube_f64(), maps.get(quantity).unwrap().to_cube_f64());
            for (a, b) in a.iter().zip(&b) {
                let exact = quantity == FluxQuantity::Counts;
                let same = a.to_bits() == b.to_bits()
                    || a.is_nan() && b.is_nan()
                    || !exact && (a - b).abs() <= digits * a.abs().max(0.1);
                assert!(same, "{} on {}: {b} for {a}", quantity.name(), engine.info().name);
            }
        }
    }
}

/// alpha and the acceptances survive in a file, too, which Gammapy's own do not.
#[test]
fn written_flux_maps_are_read_again() {
    let Some(folder) = support::golden("excess-onoff") else { return };
    let case = case(&folder);
    let maps = case.estimator.run(&Dataset::read(&case.dataset).unwrap(), &Backend::reference()).unwrap();
    let out = tempfile::tempdir().unwrap();
    for sed in [SedType::Likelihood, SedType::Flux] {
        let path = out.path().join(format!("{}.fits.gz", sed.name()));
        maps.write(&path, sed, &WriteOptions::default()).unwrap();
        let again = FluxMaps::read(&path).unwrap();
        for quantity in maps.available_quantities() {
            let (a, b) = (maps.get(quantity).unwrap().to_cube_f64(), again.get(quantity).unwrap().to_cube_f64());
            let same = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-13 * a.abs() || a.is_nan() && b.is_nan();
            assert!(a.iter().zip(&b).all(same), "{}", quantity.name());
        }
        assert!(again.get(FluxQuantity::Alpha).is_some() && again.get(FluxQuantity::AcceptanceOff).is_some());
        assert_eq!(again.meta.entries["correlation_radius_deg"], "0.1");
    }
}

/// A dataset with off counts: read, written, read, and opened by Gammapy.
#[test]
fn on_off_datasets_are_rewritten_for_gammapy() {
    let Some(golden) = support::golden("") else { return };
    let out = tempfile::tempdir().unwrap();
    let mut arguments: Vec<PathBuf> = Vec::new();
    for name in ["hess-crab-onoff", "hess-crab-onoff-cutout"] {
        let path = golden.join(format!("../data/{name}.fits.gz"));
        assert_eq!(file_kind(&path).unwrap(), FileKind::MapDatasetOnOff);
        let dataset = MapDatasetOnOff::read(&path).unwrap();
        assert_eq!(dataset.name(), name);
        let rewritten = out.path().join(format!("{name}.fits.gz"));
        dataset.write(&rewritten, &WriteOptions::default()).unwrap();
        let Dataset::OnOff(again) = Dataset::read(&rewritten).unwrap() else { panic!("the kind is lost") };
        assert!(again.on.counts == dataset.on.counts && again.counts_off == dataset.counts_off);
        assert!(again.acceptance == dataset.acceptance && again.acceptance_off == dataset.acceptance_off);
        assert!(again.on.exposure == dataset.on.exposure && again.on.mask_safe == dataset.on.mask_safe);
        assert_eq!(again.on.gti, dataset.on.gti);
        assert!(again.check().iter().all(|p| p.part != "BACKGROUND"), "{:?}", again.check());
        arguments.extend([path, rewritten]);
    }
    // As a dataset with a known background, and that one is not an on-off dataset any more.
    let first = MapDatasetOnOff::read(&arguments[0]).unwrap();
    let map = first.to_map_dataset().unwrap();
    assert_eq!(map.background.as_ref().unwrap().sum(), first.background().unwrap().sum());
    let path = out.path().join("map.fits");
    map.write(&path, &WriteOptions::default()).unwrap();
    assert_eq!(file_kind(&path).unwrap(), FileKind::MapDataset);
    assert!(MapDataset::read(&path).is_ok());
    let error = MapDatasetOnOff::read(&path).unwrap_err();
    assert!(error.to_string().contains("not an on-off dataset"), "{error}");
    let error = MapDataset::read(&arguments[0]).unwrap_err();
    assert!(error.to_string().contains("MapDatasetOnOff") && error.help().unwrap().contains("ExcessMapEstimator"));
    assert!(error.program_help().unwrap().contains("pevatron excess"));

    let Some(python) = support::python_with("gammapy") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/estimators/gammapy_onoff.py");
    let output = Command::new(python).arg(script).args(&arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
