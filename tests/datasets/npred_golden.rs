//! Predicted counts of single models against Gammapy's, for every engine.
#![cfg(all(feature = "fits-system", feature = "yaml"))]
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use crate::support;
use std::path::Path;

use pevatron::Control;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::datasets::MapDataset;
use pevatron::maps::Map;
use pevatron::models::Models;

/// Of the peak: the stored maps are single precision, and so is the arithmetic of the fast engines.
const PEAK_LIMIT: f64 = 2e-6;
/// Of the total, which Gammapy's JSON holds in double precision.
const TOTAL_LIMIT: f64 = 2e-6;

#[test]
fn reference_predicts_what_gammapy_predicts() {
    check(&Backend::reference());
}

#[test]
fn cpu_predicts_what_gammapy_predicts() {
    check(&Backend::new(&BackendOptions { choice: BackendChoice::Cpu, ..BackendOptions::default() }).unwrap());
}

fn check(backend: &Backend) {
    let Some(folder) = support::golden("npred") else { return };
    let text = std::fs::read_to_string(folder.join("npred.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cases = index["cases"].as_object().unwrap();
    assert!(cases.len() >= 12, "{} cases", cases.len());
    for (name, case) in cases {
        let mut dataset = MapDataset::read(folder.join(case["dataset"].as_str().unwrap())).unwrap();
        dataset.models = Models::read(folder.join(case["model"].as_str().unwrap())).unwrap();
        let found = dataset.npred_signal(None, backend, &Control::new()).unwrap();
        let (peak, worst) = difference(&found, &folder.join(format!("{name}.fits.gz")));
        assert!(worst <= PEAK_LIMIT * peak, "{name}: {:e} of the peak", worst / peak);
        let total = case["total"].as_f64().unwrap();
        assert!((found.sum() / total - 1.0).abs() <= TOTAL_LIMIT, "{name}: {} for a total of {total}", found.sum());
    }
}

/// The stored map's peak, and the largest difference from it.
fn difference(found: &Map, stored: &Path) -> (f64, f64) {
    let stored = Map::read(stored, None).unwrap();
    assert_eq!(found.data().shape(), stored.data().shape());
    let pairs = found.data().iter().zip(stored.data().iter());
    pairs.fold((0.0, 0.0), |(peak, worst): (f64, f64), (a, b)| (peak.max(b), worst.max((a - b).abs())))
}
