//! Models that Gammapy writes: read with its numbers, written back, and read by Gammapy as what they were.
#![cfg(all(feature = "fits-system", feature = "yaml"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::path::Path;
use std::process::Command;

use pevatron::io::WriteOptions;
use pevatron::models::{Model, Models};

#[test]
fn models_of_gammapy_survive() {
    let python = std::env::var_os("PEVATRON_PYTHON").unwrap_or_else(|| "python3".into());
    if !Command::new(&python).args(["-c", "import gammapy"]).output().is_ok_and(|o| o.status.success()) {
        println!("SKIPPED: no Python with gammapy (set PEVATRON_PYTHON)");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models_gammapy.py");
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&Path]| {
        let output = Command::new(&python).arg(&script).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let told = run(&[Path::new("write"), folder.path()]);
    let (theirs, ours) = (folder.path().join("gammapy.yaml"), folder.path().join("ours.yaml"));
    let models = Models::read(&theirs).unwrap();
    let covariance = models.read_covariance(&theirs).unwrap().unwrap();
    assert_eq!(covariance.names(), models.parameters().iter().map(|(n, _)| n.clone()).collect::<Vec<_>>());

    // What they are worth: spectra at 0.2, 2 and 20 TeV, the variation at MJD 55558.25.
    let mut lines = 0;
    for line in told.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(model) = models.get(words[0]) else { panic!("no model '{}'", words[0]) };
        let wanted: Vec<f64> = words[1..].iter().map(|w| w.parse().unwrap()).collect();
        let mut found: Vec<f64> = [0.2, 2.0, 20.0].iter().map(|e| model.spectral().evaluate(*e)).collect();
        found.push(match model {
            Model::Sky(sky) => sky.temporal.as_ref().map_or(1.0, |t| t.evaluate(55558.25)),
            _ => 1.0,
        });
        // Gammapy takes the logarithms of a table in single precision as such.
        let tolerance = if words[0] == "absorbed-file" { 1e-5 } else { 1e-9 };
        for (a, b) in found.iter().zip(&wanted) {
            assert!((a - b).abs() <= tolerance * b.abs(), "{}: {found:?} instead of {wanted:?}", words[0]);
        }
        lines += 1;
    }
    assert_eq!(lines, models.components.len());
    assert_eq!(lines, 14);

    models.write_with_covariance(&ours, &covariance, &WriteOptions::default()).unwrap();
    run(&[Path::new("compare"), &theirs, &ours]);
    let again = Models::read(&ours).unwrap();
    assert_eq!(again.to_yaml().unwrap(), models.to_yaml().unwrap());
}
