//! Models that Gammapy writes: read with its numbers, written back, and read by Gammapy as what they were.
#![cfg(all(feature = "fits-system", feature = "yaml"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use pevatron::io::WriteOptions;
use pevatron::models::{Model, Models, temporal};
use pevatron::time::{Gti, TimeReference};

fn python_with_gammapy() -> Option<OsString> {
    let python = std::env::var_os("PEVATRON_PYTHON").unwrap_or_else(|| "python3".into());
    if !Command::new(&python).args(["-c", "import gammapy"]).output().is_ok_and(|o| o.status.success()) {
        println!("SKIPPED: no Python with gammapy (set PEVATRON_PYTHON)");
        return None;
    }
    Some(python)
}

fn run(python: &OsStr, script: &str, arguments: &[&Path]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(script);
    let output = Command::new(python).arg(&script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn models_of_gammapy_survive() {
    let Some(python) = python_with_gammapy() else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&Path]| run(&python, "models_gammapy.py", arguments);
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
    assert_eq!(lines, 18);

    models.write_with_covariance(&ours, &covariance, &WriteOptions::default()).unwrap();
    run(&[Path::new("compare"), &theirs, &ours]);
    let again = Models::read(&ours).unwrap();
    assert_eq!(again.to_yaml().unwrap(), models.to_yaml().unwrap());
}

/// What `models_every.py` tells of a model.
#[derive(Default)]
struct Deviations(Vec<String>);

impl Deviations {
    fn add(&mut self, what: &str, found: &[f64], wanted: &[f64], tolerance: f64) {
        assert_eq!(found.len(), wanted.len(), "{what}");
        let scale = wanted.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        // Where Gammapy has no number there is nothing to compare.
        for (a, b) in found.iter().zip(wanted).filter(|(_, b)| b.is_finite()) {
            // Beside the largest of the values, as tails have no digits in Gammapy's differences.
            let close = (a - b).abs() <= tolerance * b.abs() + 1e-15 * scale;
            if !close || !a.is_finite() {
                self.0.push(format!("{what}: {a:e} instead of {b:e}, off by {:.1e}", (a - b).abs() / b.abs()));
            }
        }
    }
}

#[test]
fn every_model_has_gammapys_numbers() {
    const ENERGIES: [f64; 5] = [0.03, 0.3, 1.0, 4.5, 90.0];
    const EDGES: [f64; 7] = [0.02, 0.11, 0.7, 5.9, 49.9, 60.0, 300.0];
    let Some(python) = python_with_gammapy() else { return };
    let folder = tempfile::tempdir().unwrap();
    run(&python, "models_every.py", &[folder.path()]);
    let told = std::fs::read_to_string(folder.path().join("told.json")).unwrap();
    let told: Vec<serde_json::Value> = serde_json::from_str(&told).unwrap();
    let theirs = folder.path().join("every.yaml");
    let models = Models::read(&theirs).unwrap();

    let mut off = Deviations::default();
    let mut gti = Gti::default();
    for entry in &told {
        let name = entry["name"].as_str().unwrap();
        let numbers = |key: &str| -> Vec<f64> {
            entry[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
        };
        let model = models.get(name);
        let spectral = || model.unwrap().spectral();
        match &name[..2] {
            "s-" => {
                // A norm stands beside a power law, which alone can be a source.
                let own = match spectral().as_compound() {
                    Some(compound) if entry["is_norm"].as_bool().unwrap() => compound.models().1,
                    _ => spectral(),
                };
                let found: Vec<f64> = ENERGIES.iter().map(|e| own.evaluate(*e)).collect();
                off.add(name, &found, &numbers("values"), 1e-9);
                off.add(&format!("{name} integral"), &own.integral_bins(&EDGES), &numbers("integral"), 1e-8);
                off.add(&format!("{name} energy flux"), &own.energy_flux_bins(&EDGES), &numbers("energy_flux"), 1e-8);
            }
            "p-" => {
                let Some(Model::Sky(sky)) = model else { panic!("{name}") };
                let shape = sky.spatial.as_ref().unwrap();
                let places = entry["where"].as_array().unwrap();
                let at = |i: usize, j: usize| places[i][j].as_f64().unwrap();
                let wanted = numbers("values");
                let found: Vec<f64> = (0..wanted.len()).map(|i| shape.evaluate(at(i, 0), at(i, 1), 3.3)).collect();
                // Gammapy's 1 - cos has 1e-16 / (1 - cos sigma) left of a narrow Gaussian.
                let tolerance = if name == "p-GaussianSpatialModel-edge-1" { 1e-6 } else { 2e-8 };
                off.add(name, &found, &wanted, tolerance);
                for (key, found) in
                    [("radius", shape.evaluation_radius_deg()), ("bin", shape.evaluation_bin_size_min_deg())]
                {
                    assert_eq!(found.is_some(), entry[key].is_number(), "{name} {key}");
                    if let Some(found) = found {
                        off.add(&format!("{name} {key}"), &[found], &[entry[key].as_f64().unwrap()], 1e-12);
                    }
                }
            }
            "t-" => {
                let Some(Model::Sky(sky)) = model else { panic!("{name}") };
                let temporal = sky.temporal.as_ref().unwrap();
                let found: Vec<f64> = numbers("times").iter().map(|t| temporal.evaluate_at(*t, 2.0)).collect();
                // A date in days has 1e-11 of them.
                off.add(name, &found, &numbers("values"), 1e-8);
                let mean = temporal::mean_at(temporal.as_ref(), &gti, 2.0).unwrap();
                // A fine sum blurs the jumps between rotations, and Gammapy takes one frequency for an interval.
                let (fine, own) = if name.contains("pulsar") { (1e-4, 1e-4) } else { (1e-6, 1e-7) };
                off.add(&format!("{name} mean"), &[mean], &[entry["mean"].as_f64().unwrap()], fine);
                // Gammapy's own means of these are not integrals of what it evaluates.
                let known = ["Sine", "GeneralizedGaussian", "light-curve"];
                if let Some(theirs) = entry["gammapy"].as_f64()
                    && !known.iter().any(|k| name.contains(k))
                {
                    off.add(&format!("{name} Gammapy's mean"), &[mean], &[theirs], own);
                }
            }
            "gt" => {
                let seconds = |v: &serde_json::Value| (v[0].as_f64().unwrap(), v[1].as_f64().unwrap());
                gti.intervals = entry["intervals"].as_array().unwrap().iter().map(seconds).collect();
                gti.reference = TimeReference {
                    mjdrefi: entry["reference"][0].as_i64().unwrap(),
                    mjdreff: entry["reference"][1].as_f64().unwrap(),
                    timesys: entry["reference"][2].as_str().unwrap().to_string(),
                    timeref: None,
                };
            }
            _ => {
                let Some(Model::TemplateNPred(template)) = model else { panic!("{name}") };
                let found: Vec<f64> = template.evaluate().unwrap().data().iter().collect();
                off.add(name, &found, &numbers("counts"), 1e-14);
            }
        }
    }
    assert!(off.0.is_empty(), "{} deviations:\n{}", off.0.len(), off.0.join("\n"));
    assert!(told.len() > 120, "{}", told.len());

    // There and back: what Gammapy reads from our file is what it reads from its own.
    let ours = folder.path().join("ours.yaml");
    models.write(&ours, &WriteOptions::default()).unwrap();
    run(&python, "models_gammapy.py", &[Path::new("compare"), &theirs, &ours]);
    let again = Models::read(&ours).unwrap();
    assert_eq!(again.to_yaml().unwrap(), models.to_yaml().unwrap());
    // All keys of all parameters say the same as those that differ from defaults.
    let full = Models::read(folder.path().join("full.yaml")).unwrap();
    // Labels of links are random.
    let without_links = |models: &Models| -> Vec<String> {
        models.to_yaml().unwrap().lines().filter(|l| !l.contains("link: ")).map(str::to_string).collect()
    };
    let (full, usual) = (without_links(&full), without_links(&models));
    let differ: Vec<_> = full.iter().zip(&usual).filter(|(a, b)| a != b).take(5).collect();
    assert!(differ.is_empty() && full.len() == usual.len(), "{differ:?} {} {}", full.len(), usual.len());
}
