//! Predicted counts against Gammapy's, for models that are written here and read there: shapes of backgrounds, sources that
//! leave responses out.
#![cfg(all(feature = "fits-system", feature = "yaml"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ndarray::Array3;
use pevatron::Control;
use pevatron::compute::Backend;
use pevatron::datasets::MapDataset;
use pevatron::io::WriteOptions;
use pevatron::maps::{Frame, Geom, Map, MapAxis, SkyPosition, WcsGeom};
use pevatron::models::spatial::*;
use pevatron::models::spectral::{PowerLawNormSpectralModel, PowerLawSpectralModel};
use pevatron::models::{ApplyIrf, FoVBackgroundModel, Model, Models, Parameter, SkyModel, SpectralModel};

fn python() -> Option<std::ffi::OsString> {
    let python = std::env::var_os("PEVATRON_PYTHON").unwrap_or_else(|| "python3".into());
    if Command::new(&python).args(["-c", "import gammapy"]).output().is_ok_and(|o| o.status.success()) {
        return Some(python);
    }
    println!("SKIPPED: no Python with gammapy (set PEVATRON_PYTHON)");
    None
}

/// A dataset around the Crab, in ICRS, with responses.
fn crab() -> Option<PathBuf> {
    let golden = support::golden("npred")?;
    Some(golden.parent().unwrap().parent().unwrap().join("data/hess-crab-cutout.fits.gz"))
}

/// What Gammapy predicts for each of some lists of models.
fn predicted(data: &Path, folder: &Path, cases: &[(String, Models)], what: &str) -> Option<Vec<Array3<f64>>> {
    let mut command = Command::new(python()?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/datasets/gammapy_npred.py"));
    let out = |i: usize| folder.join(format!("npred-{i}.fits"));
    for (i, (_, models)) in cases.iter().enumerate() {
        let yaml = folder.join(format!("models-{i}.yaml"));
        models.write(&yaml, &WriteOptions::default()).unwrap();
        command.arg(data).arg(yaml).arg(out(i)).arg(what);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some((0..cases.len()).map(|i| Map::read(out(i), None).unwrap().to_cube_f64()).collect())
}

fn assert_near(found: &Array3<f64>, wanted: &Array3<f64>, tolerance: f64, what: &str) {
    assert_eq!(found.dim(), wanted.dim(), "{what}");
    let largest = wanted.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    let mut worst: f64 = 0.0;
    for (at, (found, wanted)) in found.indexed_iter().map(|(at, v)| (at, (*v, wanted[at]))) {
        let deviation = (found - wanted).abs() / wanted.abs().max(1e-6 * largest);
        assert!(deviation < tolerance, "{what} at {at:?}: {found:e} for {wanted:e}");
        worst = worst.max(deviation);
    }
    assert!(largest > 0.0, "{what}: nothing is predicted");
    println!("{what}: largest deviation {worst:.1e}");
}

fn template(center: SkyPosition, axes: Vec<MapAxis>, name: &Path) -> Arc<dyn SpatialModel> {
    let geom = WcsGeom::create(center, 30, 26, (0.2, 0.2), "TAN", axes).unwrap();
    let planes = geom.axes().iter().map(MapAxis::nbin).product();
    let cube = Array3::from_shape_fn((planes, 26, 30), |(e, y, x)| 1.0 + 0.1 * (e + 1) as f64 * (x + 2 * y) as f64);
    let map = Map::from_cube(Arc::new(Geom::Wcs(geom)), "sr-1".parse().unwrap(), cube).unwrap();
    Arc::new(TemplateSpatialModel::new(Arc::new(map), false).unwrap().with_filename(name.to_string_lossy()))
}

#[test]
fn shapes_of_backgrounds_are_gammapys() {
    let Some(data) = crab() else { return };
    let mut dataset = MapDataset::read(&data).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let center = SkyPosition::icrs(83.63, 22.01);
    let axis = MapAxis::energy_bounds(0.1, 300.0, 6, "energy_true").unwrap();
    let noise = |i: usize| (i as f64 * 0.754_877_666).fract();
    let nodes: Vec<(f64, f64)> =
        (0..30).map(|i| (9.0 * noise(7 * i + 1) - 4.5, 8.0 * noise(i * i + 3) - 4.0)).collect();
    // With corners that hold the whole map, which Gammapy has no values beyond.
    let nodes: Vec<(f64, f64)> =
        nodes.into_iter().chain([(-9.0, -7.0), (8.0, -8.0), (9.0, 8.5), (-8.5, 7.5)]).collect();
    let lon = nodes.iter().map(|n| center.lon_deg + n.0).collect();
    let lat = nodes.iter().map(|n| center.lat_deg + n.1).collect();
    let norms = (0..nodes.len()).map(|i| 0.7 + 0.6 * noise(11 * i)).collect();
    let shapes: Vec<(Arc<dyn SpatialModel>, f64)> = vec![
        (Arc::new(ConstantSpatialModel::new(1.7)), 1e-6),
        (Arc::new(GaussianSpatialModel::new(83.2, 22.3, 1.1, 0.6, 40.0, Frame::Icrs)), 1e-6),
        (Arc::new(DiskSpatialModel::new(83.9, 21.8, 0.9, 0.3, 10.0, 0.3, Frame::Icrs)), 1e-6),
        // Per square degree, where those above are per steradian.
        (Arc::new(ShellSpatialModel::new(83.6, 22.0, 0.5, 0.4, Frame::Icrs)), 1e-6),
        (template(center, vec![], &folder.path().join("flat.fits")), 1e-6),
        (template(center, vec![axis], &folder.path().join("energies.fits")), 1e-6),
        // Gammapy's gradients are found to 1e-6.
        (Arc::new(PiecewiseNormSpatialModel::new(lon, lat, norms, Frame::Icrs).unwrap()), 1e-5),
    ];
    let case = |(shape, _): &(Arc<dyn SpatialModel>, f64)| {
        let spectral: Arc<dyn SpectralModel> = Arc::new(PowerLawNormSpectralModel::new(0.2, 1.3, 2.0));
        let mut background = FoVBackgroundModel::new(&dataset.name, spectral);
        background.spatial = Some(Arc::clone(shape));
        (shape.tag().to_string(), Models { components: vec![Model::FoVBackground(background)] })
    };
    let cases: Vec<(String, Models)> = shapes.iter().map(case).collect();
    let Some(wanted) = predicted(&data, folder.path(), &cases, "background") else { return };
    for (((name, models), (_, tolerance)), wanted) in cases.iter().zip(&shapes).zip(&wanted) {
        // As written and read again.
        let yaml = folder.path().join("again.yaml");
        models.write(&yaml, &WriteOptions { overwrite: true, ..WriteOptions::default() }).unwrap();
        dataset.models = Models::read(&yaml).unwrap();
        assert_near(&dataset.npred_background().unwrap().to_cube_f64(), wanted, *tolerance, name);
    }
}

#[test]
fn responses_are_left_out_as_in_gammapy() {
    let Some(data) = crab() else { return };
    let mut dataset = MapDataset::read(&data).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flux: Arc<dyn SpectralModel> = Arc::new(PowerLawSpectralModel::new(2.3, 3e-11, 1.0));
    let mut counts: Vec<Parameter> = PowerLawSpectralModel::new(1.8, 40.0, 1.0).parameters().to_vec();
    counts[1].unit = "TeV-1".parse().unwrap();
    let counts: Arc<dyn SpectralModel> = Arc::new(PowerLawSpectralModel::from_parameters(&counts).unwrap());
    let shapes: [Arc<dyn SpatialModel>; 2] = [
        Arc::new(PointSpatialModel::new(83.63, 22.02, Frame::Icrs)),
        Arc::new(GaussianSpatialModel::new(83.5, 22.1, 0.15, 0.0, 0.0, Frame::Icrs)),
    ];
    let mut cases = Vec::new();
    for shape in &shapes {
        for bits in 0..8 {
            let apply_irf = ApplyIrf { exposure: bits & 1 == 0, psf: bits & 2 == 0, edisp: bits & 4 == 0 };
            let spectral = if apply_irf.exposure { flux.clone() } else { counts.clone() };
            let model = SkyModel { apply_irf, ..SkyModel::new("source", spectral, Some(shape.clone())) };
            cases.push((format!("{} {apply_irf:?}", shape.tag()), Models { components: vec![Model::Sky(model)] }));
        }
    }
    let Some(wanted) = predicted(&data, folder.path(), &cases, "signal") else { return };
    let (backend, control) = (Backend::reference(), Control::new());
    let mut sums = Vec::new();
    for ((name, models), wanted) in cases.iter().zip(&wanted) {
        let yaml = folder.path().join("again.yaml");
        models.write(&yaml, &WriteOptions { overwrite: true, ..WriteOptions::default() }).unwrap();
        dataset.models = Models::read(&yaml).unwrap();
        let found = dataset.npred_signal(None, &backend, &control).unwrap().to_cube_f64();
        // Of the largest bin: where the transform of Gammapy's convolution leaves its noise there is no relative precision.
        let largest = wanted.iter().fold(0.0, |a: f64, b| a.max(*b));
        let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest;
        assert!(worst < 2e-6 && largest > 0.01, "{name}: {worst:e} of {largest}");
        println!("{name}: largest deviation {worst:.1e} of the largest bin");
        let kept = dataset.evaluators(&backend).unwrap().npred_signal(&dataset.models, &control).unwrap().to_cube_f64();
        assert!(kept.iter().zip(&found).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs()), "{name}: what is kept");
        sums.push(found.sum());
    }
    // Each response makes a difference; a point's sum is the same with and without a PSF that lies on the map.
    let gauss = &sums[8..];
    let differs = |i: usize| gauss[..i].iter().all(|other| (gauss[i] - other).abs() > 1e-3 * other);
    assert!((0..gauss.len()).all(differs), "{gauss:?}");
}
