//! Fits against Gammapy's: statistic, values and errors of a point source and a background.
#![cfg(all(feature = "fits-system", feature = "yaml"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use pevatron::Control;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::datasets::MapDataset;
use pevatron::fit::Fit;
use pevatron::io::WriteOptions;
use pevatron::maps::{Geom, Map};
use pevatron::models::{Model, Models, TemplateNPredModel};

/// Spectra with their start values.
const SPECTRA: [(&str, &str); 2] = [
    (
        "PowerLawSpectralModel",
        "{name: index, value: 2.3}, {name: amplitude, value: AMPLITUDE, unit: TeV-1 s-1 cm-2}, \
         {name: reference, value: 1.0, unit: TeV}",
    ),
    (
        "LogParabolaSpectralModel",
        "{name: amplitude, value: AMPLITUDE, unit: TeV-1 s-1 cm-2}, {name: reference, value: 1.5, unit: TeV}, \
         {name: alpha, value: 2.3}, {name: beta, value: 0.1}",
    ),
];

fn yaml(spectrum: (&str, &str), amplitude: &str, (frame, lon, lat): (&str, f64, f64), dataset: &str) -> String {
    format!(
        "components:
-   name: source
    type: SkyModel
    spectral: {{type: {}, parameters: [{}]}}
    spatial:
        type: PointSpatialModel
        frame: {frame}
        parameters: [{{name: lon_0, value: {lon:?}, unit: deg}}, {{name: lat_0, value: {lat:?}, unit: deg}}]
-   type: FoVBackgroundModel
    datasets_names: [{dataset}]
    spectral:
        type: PowerLawNormSpectralModel
        parameters:
        - {{name: tilt, value: 0.0, frozen: false}}
        - {{name: norm, value: 1.0}}
        - {{name: reference, value: 1.0, unit: TeV}}
",
        spectrum.0,
        spectrum.1.replace("AMPLITUDE", amplitude)
    )
}

#[test]
fn fits_are_gammapys() {
    let Some(python) = support::python_with("gammapy") else { return };
    let Some(golden) = support::golden("npred") else { return };
    let data = golden.parent().unwrap().parent().unwrap().join("data");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.yaml");
    let cases = [
        ("hess-crab-cutout", "3.0e-11", ("icrs", 83.62, 22.02)),
        ("hess-crab", "3.0e-11", ("icrs", 83.62, 22.02)),
        ("cta-gc-cutout", "2.0e-12", ("galactic", 0.02, -0.03)),
    ];
    let options = BackendOptions { choice: BackendChoice::Cpu, ..BackendOptions::default() };
    let backend = Backend::new(&options).unwrap();
    for (name, amplitude, position) in cases {
        let file = data.join(format!("{name}.fits.gz"));
        let dataset = MapDataset::read(&file).unwrap();
        for spectrum in SPECTRA {
            std::fs::write(&path, yaml(spectrum, amplitude, position, &dataset.name)).unwrap();
            let models = Models::read(&path).unwrap();
            let start = Instant::now();
            let result = Fit::default().run(&[(&dataset).into()], &models, &backend, &Control::new()).unwrap();
            let seconds = start.elapsed().as_secs_f64();
            assert!(result.success, "{name}: {}", result.message);
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fit/fit_gammapy.py");
            let output = Command::new(&python).arg(&script).arg(&file).arg(&path).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            for line in text.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let (value, second): (f64, f64) = (words[1].parse().unwrap(), words[2].parse().unwrap());
                if words[0] == "stat" {
                    println!("{name} {}: {seconds:.3} s, Gammapy {second:.3} s", spectrum.0);
                    println!("{name} {}: statistic {:+.1e} above Gammapy's", spectrum.0, result.stat - value);
                    let above = result.stat - value;
                    assert!(above < 2e-3 && above > -0.02, "{name}: stat {} and {value}", result.stat);
                    continue;
                }
                let ours = result.models.parameter(words[0]).unwrap();
                let pull = (ours.value - value) / second;
                println!("{name} {}: {} off by {pull:.4} errors", spectrum.0, words[0]);
                assert!(pull.abs() < 0.01, "{name} {}: {} is {pull} errors from {value}", words[0], ours.value);
                // HESSE's finite differences move by 2 % between Gammapy's own first and second fit of a log parabola.
                assert!((ours.error / second - 1.0).abs() < 0.05, "{name} {}: error {} {second}", words[0], ours.error);
            }
        }
    }
}

/// A template of counts on a part of the field, beside a source and the background.
#[test]
fn templates_of_counts_are_fitted_as_gammapys() {
    let Some(python) = support::python_with("gammapy") else { return };
    let Some(golden) = support::golden("npred") else { return };
    let data = golden.parent().unwrap().parent().unwrap().join("data/hess-crab-cutout.fits.gz");
    let mut dataset = MapDataset::read(&data).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.yaml");
    std::fs::write(&path, yaml(SPECTRA[0], "3.0e-11", ("icrs", 83.62, 22.02), &dataset.name)).unwrap();
    let mut models = Models::read(&path).unwrap();
    models.freeze("source.spatial.lon_0").unwrap();
    models.freeze("source.spatial.lat_0").unwrap();
    // Counts that rise to one side, on a part of the map.
    let geom = dataset.counts.as_ref().unwrap().wcs_geom().unwrap();
    let part = geom.slice(2..geom.ny() - 5, 0..geom.nx() - 3).unwrap();
    let shape = (part.axes()[0].nbin(), part.ny(), part.nx());
    let cube = ndarray::Array3::from_shape_fn(shape, |(e, y, x)| 0.02 * (x + 2 * y) as f64 / (1.0 + e as f64));
    // They are in the data, too: a norm close to 0 has no tilt.
    let counts = dataset.counts.take().unwrap();
    let mut all = counts.to_cube_f64();
    let (ny, nx) = (part.ny(), part.nx());
    let mut inside = all.slice_mut(ndarray::s![.., 2..2 + ny, ..nx]);
    inside += &cube.mapv(f64::round);
    dataset.counts = Some(Map::from_cube(Arc::clone(counts.geom()), Default::default(), all).unwrap());
    let file = folder.path().join("dataset.fits");
    dataset.write(&file, &WriteOptions::default()).unwrap();
    let map = Map::from_cube(Arc::new(Geom::Wcs(part)), Default::default(), cube).unwrap();
    // Gammapy reads its own names as paths.
    let name = folder.path().join("counts.fits");
    let mut template = TemplateNPredModel::new("counts", Arc::new(map)).unwrap().with_filename(name.to_string_lossy());
    template.datasets_names = Some(vec![dataset.name.clone()]);
    models.components.push(Model::TemplateNPred(template));
    models.unfreeze("counts.spectral.tilt").unwrap();
    std::fs::remove_file(&path).unwrap();
    models.write(&path, &WriteOptions::default()).unwrap();
    assert!(name.exists(), "the map is written with the models");
    let backend = Backend::new(&BackendOptions { choice: BackendChoice::Cpu, ..BackendOptions::default() }).unwrap();
    let models = Models::read(&path).unwrap();
    let result = Fit::default().run(&[(&dataset).into()], &models, &backend, &Control::new()).unwrap();
    assert!(result.success, "{}", result.message);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fit/fit_gammapy.py");
    let output = Command::new(&python).arg(&script).arg(&file).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut compared = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (value, second): (f64, f64) = (words[1].parse().unwrap(), words[2].parse().unwrap());
        if words[0] == "stat" {
            assert!((result.stat - value).abs() < 0.02, "stat {} and {value}", result.stat);
            continue;
        }
        let ours = result.models.parameter(words[0]).unwrap();
        let pull = (ours.value - value) / second;
        assert!(pull.abs() < 0.03, "{}: {} is {pull} errors from {value}", words[0], ours.value);
        assert!((ours.error / second - 1.0).abs() < 0.05, "{}: error {} {second}", words[0], ours.error);
        compared += 1;
    }
    assert_eq!(compared, 6, "{text}");
}
