//! Adaptive smoothing: Gammapy's maps, and what must hold whatever the data.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use crate::support::field::{dataset, image, source};
use pevatron::Control;
use pevatron::estimators::{AsmoothMapEstimator, AsmoothMethod, EnergyEdges};
use pevatron::units::Angle;

#[test]
fn bright_places_are_smoothed_least_and_counts_stay_counts() {
    let geom = image(61, 51);
    let data = dataset(&geom, &[source("s", &geom, (20.0, 25.0), 3.0)], 1.0, 5);
    let mut estimator = AsmoothMapEstimator::new();
    estimator.scales = [0.05, 0.1, 0.2, 0.4].map(Angle::deg).to_vec();
    estimator.energy_edges = EnergyEdges::Whole;
    let maps = estimator.run(&data, &Control::new()).unwrap();
    let scale = maps.scale.plane_f64(0);
    assert_eq!(scale[[25, 20]], 0.05);
    assert!(scale.iter().any(|s| *s > 0.05) && scale.iter().any(|s| s.is_nan()));
    let (sqrt_ts, counts) = (maps.sqrt_ts.plane_f64(0), maps.counts.plane_f64(0));
    let rest: Vec<f64> = counts.iter().zip(&scale).filter(|(_, s)| s.is_nan()).map(|(c, _)| *c).collect();
    assert!(rest.iter().all(|c| *c == rest[0]) && rest[0] > 1.0 && rest[0] < 3.0, "{}", rest[0]);
    for (s, ts) in scale.iter().zip(&sqrt_ts) {
        assert!(if s.is_nan() { ts.is_nan() } else { *ts > 5.0 });
    }
    // The background is flat: smoothed or not, it is 1 + 1/3 + 1/5 counts, but for the borders.
    let background = maps.background.plane_f64(0)[[25, 20]];
    assert!((background - 1.0 - 1.0 / 3.0 - 0.2).abs() < 1e-6, "{background}");
    assert_eq!(maps.flux.as_ref().unwrap().unit().to_string().replace(' ', ""), "cm-2s-1");

    let refused = |change: &dyn Fn(&mut AsmoothMapEstimator), word: &str| {
        let mut wrong = estimator.clone();
        change(&mut wrong);
        let error = wrong.run(&data, &Control::new()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(&|e| e.threshold = f64::NAN, "threshold");
    refused(&|e| e.scales[1] = Angle::deg(0.0), "scales");
    refused(&|e| e.scales[1] = Angle::deg(1e9), "scales");
    let control = Control::new();
    control.cancel();
    assert!(estimator.run(&data, &control).is_err());
    // Without scales: the paper's.
    estimator.scales.clear();
    estimator.method = AsmoothMethod::Asmooth;
    assert!(estimator.run(&data, &Control::new()).unwrap().scale.max().unwrap().1 <= 0.05 * 16.0 * 0.189);
}

/// The same maps as Gammapy's on a dataset with masks, energy dispersion and a background that varies.
#[cfg(feature = "fits-system")]
#[test]
fn maps_are_gammapys() {
    use pevatron::datasets::MapDataset;
    use pevatron::maps::Map;
    use std::path::PathBuf;
    use std::process::Command;

    let Some(python) = support::python_with("gammapy") else { return };
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared"));
    let shared = std::env::var_os("PEVATRON_SHARED").map_or(beside, PathBuf::from).join("data");
    let ours = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
    let crab = shared.join("hess-crab-cutout.fits.gz");
    let mut cases = vec![(ours.join("sim-tan-1.fits.gz"), "0.05,0.1,0.2", "lima", 2.0, "none")];
    if crab.is_file() {
        cases.push((crab.clone(), "0.02,0.05,0.1,0.2,0.3", "lima", 3.0, "none"));
        cases.push((crab.clone(), "0.03,0.1,0.25", "asmooth", 4.0, "0.5,2,20"));
        cases.push((crab, "0.3,0.05", "lima", 5.0, "1,10"));
    } else {
        println!("SKIPPED: no {}; set PEVATRON_SHARED", crab.display());
    }
    for (path, scales, method, threshold, edges) in cases {
        let folder = tempfile::tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/estimators/gammapy_asmooth.py");
        let output = Command::new(&python)
            .args([script.as_ref(), path.as_os_str(), folder.path().as_os_str()])
            .args([method, &threshold.to_string(), scales, edges])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut estimator = AsmoothMapEstimator::new();
        estimator.scales = scales.split(',').map(|s| Angle::deg(s.parse().unwrap())).collect();
        estimator.method = method.parse().unwrap();
        estimator.threshold = threshold;
        if edges != "none" {
            let list = edges.split(',').map(|e| pevatron::units::Energy::tev(e.parse().unwrap())).collect();
            estimator.energy_edges = EnergyEdges::Edges(list);
        }
        let maps = estimator.run(&MapDataset::read(&path).unwrap(), &Control::new()).unwrap();
        let read = |name: &str| Map::read(folder.path().join(format!("{name}.fits")), None).unwrap();
        let (own_scale, scale) = (maps.scale.to_cube_f64(), read("scale").to_cube_f64());
        assert_eq!(own_scale.dim(), scale.dim());
        let taken = scale.iter().filter(|s| !s.is_nan()).count();
        // A pixel whose significance is the threshold up to rounding may take the next scale.
        let moved =
            own_scale.iter().zip(&scale).filter(|(a, b)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan()));
        let moved = moved.filter(|(a, b)| a.is_nan() || b.is_nan() || (*a - *b).abs() > 1e-9).count();
        println!("{} {method} {edges}: {taken} of {} pixels, {moved} moved", path.display(), scale.len());
        assert!(taken > 20 && moved == 0, "{moved} of {taken}");
        for (name, map) in maps.named() {
            let theirs = read(name);
            assert!(map.unit().is_convertible_to(theirs.unit()) || name == "scale", "{name}");
            let factor = if name == "flux" { theirs.unit().factor_to_text("cm-2 s-1").unwrap() } else { 1.0 };
            let (own, theirs) = (map.to_cube_f64(), theirs.to_cube_f64());
            let largest = theirs.iter().filter(|v| v.is_finite()).fold(0.0, |m: f64, v| m.max((v * factor).abs()));
            for (index, (a, b)) in own.iter().zip(&theirs).enumerate() {
                let b = b * factor;
                assert!(
                    (a - b).abs() < 1e-6 * largest || a.is_nan() && b.is_nan(),
                    "{name} {index}: {a} where Gammapy has {b}"
                );
            }
        }
    }
}
