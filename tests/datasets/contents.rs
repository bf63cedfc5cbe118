//! What stands in datasets and cannot be meant as it stands: values by rounding, nonsense, undefined bins, sources outside.
#![cfg(feature = "fits-system")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::path::PathBuf;
use std::sync::Arc;

use crate::support::fits_file::FitsFile;
use pevatron::compute::Backend;
use pevatron::datasets::{Dataset, MapDataset, MapDatasetOnOff};
use pevatron::error::warnings;
use pevatron::fit::Fit;
use pevatron::io::WriteOptions;
use pevatron::irf::PsfMap;
use pevatron::maps::{Geom, Map, SkyPosition};
use pevatron::models::spatial::{GaussianSpatialModel, PointSpatialModel};
use pevatron::models::spectral::PowerLawSpectralModel;
use pevatron::models::{Model, Models, SkyModel, SpatialModel};
use pevatron::units::Angle;
use pevatron::{Control, Error};

/// A file of the repository: 25 × 25 pixels, 4 energies.
fn file() -> FitsFile {
    FitsFile::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sim-tan-1.fits.gz"))
}

fn written(file: &FitsFile) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    file.write(&path);
    (folder, path)
}

/// What is read of a changed file, and what was said.
fn read(change: impl FnOnce(&mut FitsFile)) -> (Result<Dataset, Error>, Vec<String>) {
    let mut file = file();
    change(&mut file);
    let (_folder, path) = written(&file);
    warnings::collect(|| Dataset::read(path))
}

fn values(map: &Option<Map>) -> Vec<f64> {
    map.as_ref().unwrap().data().iter().collect()
}

/// Differences of single precision numbers and transforms leave values below 0 that are 0.
#[test]
fn values_that_are_negative_by_rounding() {
    let (dataset, said) = read(|f| {
        f.hdu("BACKGROUND").set_f32(7, -1e-8);
        f.hdu("BACKGROUND").set_f32(3 * 625, -1e-9);
        f.hdu("EXPOSURE").set_f32(1, -1.0);
    });
    let dataset = dataset.unwrap();
    let background = values(&dataset.common().unwrap().background);
    assert_eq!((background[7], background[3 * 625]), (0.0, 0.0));
    assert!(background[8] > 0.4, "others are as they were");
    assert_eq!(values(&dataset.common().unwrap().exposure)[1], 0.0);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("[BACKGROUND]: 2 values are below 0 by rounding (down to -1.00e-8)"), "{said:?}");
    // A plane that has nothing else is compared with all planes.
    let (dataset, said) = read(|f| (0..625).for_each(|i| f.hdu("BACKGROUND").set_f32(i, -8e-18)));
    assert!(values(&dataset.unwrap().common().unwrap().background)[..625].iter().all(|v| *v == 0.0));
    assert!(said[0].contains("625 values"), "{said:?}");
    // One that is meant is wrong.
    for (at, value) in [(7, -1e-3), (3 * 625 + 2, -1e-6)] {
        let error = read(|f| f.hdu("BACKGROUND").set_f32(at, value)).0.unwrap_err().to_string();
        assert!(error.contains("[BACKGROUND]") && error.contains("pixel ["), "{error}");
    }
    // The same part by part.
    let mut changed = file();
    changed.hdu("BACKGROUND").set_f32(7, -1e-8);
    let (_folder, path) = written(&changed);
    let lazy = Dataset::open_lazy(&path, true).unwrap();
    assert_eq!(lazy.background().unwrap().unwrap().data().iter().nth(7), Some(0.0));
    assert_eq!(values(&lazy.load().unwrap().common().unwrap().background)[7], 0.0);
}

#[test]
fn energy_dispersion_of_no_probabilities() {
    let scaled = |factor: f32| {
        move |f: &mut FitsFile| {
            let hdu = f.hdu("EDISP");
            let old: Vec<f32> = hdu.data.chunks_exact(4).map(|b| f32::from_be_bytes(b.try_into().unwrap())).collect();
            old.iter().enumerate().for_each(|(i, v)| hdu.set_f32(i, v * factor));
        }
    };
    assert_eq!(read(scaled(1.0)).1, [""; 0]);
    let (dataset, said) = read(scaled(1.3));
    assert!(dataset.is_ok() && said.len() == 1 && said[0].contains("[EDISP]: the sum over energies"), "{said:?}");
    for factor in [6e30, f32::INFINITY] {
        let error = read(scaled(factor)).0.unwrap_err().to_string();
        assert!(error.contains("[EDISP]") && error.contains("probabilities"), "{error}");
    }
}

#[test]
fn acceptances_of_0_everywhere() {
    let (dataset, _) = read(|_| ());
    let Dataset::Map(dataset) = dataset.unwrap() else { panic!("off counts") };
    let counts = dataset.counts.clone().unwrap();
    let filled =
        |value: f64| Map::from_cube(counts.geom().clone(), Default::default(), counts.to_cube_f64() * 0.0 + value);
    for (on, off, words) in [(0.0, 3.0, "[ACCEPTANCE]"), (1.0, 0.0, "[ACCEPTANCE_OFF]"), (1.0, 3.0, "")] {
        let on_off = MapDatasetOnOff::from_map_dataset(
            dataset.clone(),
            counts.clone(),
            filled(on).unwrap(),
            filled(off).unwrap(),
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fits");
        on_off.write(&path, &WriteOptions::default()).unwrap();
        let (read, said) = warnings::collect(|| Dataset::read(&path));
        assert!(read.is_ok());
        assert_eq!(said.len(), usize::from(!words.is_empty()), "{said:?}");
        assert!(said.iter().all(|s| s.contains(words) && s.contains("0 everywhere")), "{said:?}");
    }
}

fn source(name: &str, spatial: Arc<dyn SpatialModel>) -> Models {
    let spectral = Arc::new(PowerLawSpectralModel::new(2.0, 1e-11, 1.0));
    Models { components: vec![Model::Sky(SkyModel::new(name, spectral, Some(spatial)))] }
}

/// What `info` calls left out, a fit leaves out.
#[test]
fn undefined_bins_are_left_out_by_all() {
    let (dataset, said) = read(|f| {
        f.hdu("BACKGROUND").set_f32(312, f32::NAN);
        f.hdu("EXPOSURE").set_f32(100, f32::NAN);
    });
    assert_eq!(said, [""; 0]);
    let dataset = dataset.unwrap();
    assert!(dataset.check().iter().any(|p| p.to_string().contains("left out")));
    let center = dataset.common().unwrap().geom().unwrap().as_wcs().unwrap().center().unwrap();
    let models = source("a", Arc::new(PointSpatialModel::new(center.lon_deg, center.lat_deg, center.frame)));
    let mut models = models;
    for name in ["a.spatial.lon_0", "a.spatial.lat_0"] {
        models.freeze(name).unwrap();
    }
    let (backend, control) = (Backend::reference(), Control::new());
    let (result, said) = warnings::collect(|| Fit::default().run(&[(&dataset).into()], &models, &backend, &control));
    let result = result.unwrap();
    assert!(result.success && result.stat.is_finite());
    // The bin, and the four energies of the pixel.
    assert!(said.len() == 1 && said[0].contains(": 5 bins") && said[0].contains("left out"), "{said:?}");
}

/// A source outside of the map is predicted as in a dataset that is larger.
#[test]
fn sources_outside_whose_psf_reaches_in() {
    let large = MapDataset::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sim-tan-1.fits.gz")).unwrap();
    let geom = large.wcs_geom().unwrap().to_image();
    let center = geom.center().unwrap();
    let mut small = large.cutout(center, (Angle::deg(0.44), Angle::deg(0.44))).unwrap();
    // Responses of the whole, so that they are the same ones.
    small.psf.clone_from(&large.psf);
    small.edisp.clone_from(&large.edisp);
    let own = small.wcs_geom().unwrap().to_image();
    let (dy, dx) = own.offset_in(&geom).unwrap();
    let (backend, control) = (Backend::reference(), Control::new());
    let at = |x: f64, y: f64| -> SkyPosition { geom.pix_to_sky(x, y).unwrap() };
    let mut seen = 0;
    for (x, y) in [(5.3, 12.1), (12.0, 19.6), (4.4, 20.2), (19.5, 12.0)] {
        let p = at(x, y);
        assert!(own.pixel_of(p).is_none(), "it is outside");
        let point: Arc<dyn SpatialModel> = Arc::new(PointSpatialModel::new(p.lon_deg, p.lat_deg, p.frame));
        let gauss: Arc<dyn SpatialModel> =
            Arc::new(GaussianSpatialModel::new(p.lon_deg, p.lat_deg, 0.05, 0.0, 0.0, p.frame));
        for spatial in [point, gauss] {
            let models = source("a", spatial);
            let (mut large, mut small) = (large.clone(), small.clone());
            (large.models, small.models) = (models.clone(), models.clone());
            let wanted = large.npred_signal(None, &backend, &control).unwrap().into_cube_f64();
            let found = small.npred_signal(None, &backend, &control).unwrap().into_cube_f64();
            let largest = found.iter().copied().fold(0.0, f64::max);
            let mut evaluators = small.evaluators(&backend).unwrap();
            let kept = evaluators.npred(&models, &control).unwrap().to_cube_f64();
            let background = small.npred_background().unwrap().into_cube_f64();
            for ((e, y, x), v) in found.indexed_iter() {
                let w = wanted[[e, (y as isize + dy) as usize, (x as isize + dx) as usize]];
                // The PSF is drawn on the pixels at the centre of either map.
                assert!((v - w).abs() <= 1e-5 * largest, "{v} is not {w} at {e}, {y}, {x}");
                assert!((kept[[e, y, x]] - background[[e, y, x]] - v).abs() <= 1e-9 * (largest + 1.0));
            }
            seen += usize::from(found.sum() > 1e-3);
        }
    }
    assert!(seen >= 6, "{seen} of 8 reach in");

    // The exposure outside is not known, which a PSF that comes last would need.
    let mut reco = small.clone();
    let psf = small.psf.as_ref().unwrap();
    let rad = psf.psf.geom().axis("rad").unwrap().clone();
    let energy = small.energy_axis().unwrap().clone();
    let image = psf.psf.geom().as_wcs().unwrap().with_axes(vec![rad.clone(), energy.clone()]);
    let cube = psf.psf.to_cube_f64();
    let cube = cube.slice(ndarray::s![..rad.nbin() * energy.nbin(), .., ..]).to_owned();
    let map = Map::from_cube(Arc::new(Geom::Wcs(image)), psf.psf.unit().clone(), cube).unwrap();
    reco.psf = Some(PsfMap { psf: map, exposure: None });
    let p = at(5.3, 12.1);
    reco.models = source("a", Arc::new(PointSpatialModel::new(p.lon_deg, p.lat_deg, p.frame)));
    let (npred, said) = warnings::collect(|| reco.npred_signal(None, &backend, &control).unwrap());
    assert!(npred.sum() == 0.0 && said.len() == 1 && said[0].contains("outside of the map"), "{said:?}");
}

#[cfg(all(feature = "cli", feature = "plot"))]
mod program {
    use super::*;
    use crate::support::program::Place;

    const BACKGROUND: &str = "components:\n- type: FoVBackgroundModel\n  datasets_names: [other]\n  spectral:\n    type: PowerLawNormSpectralModel\n    parameters:\n    - {name: norm, value: 2.0, frozen: true}\n    - {name: tilt, value: 0.0, frozen: true}\n    - {name: reference, value: 1.0, unit: TeV, frozen: true}\n";

    /// A background model whose dataset is not there changes nothing, which is told.
    #[test]
    fn models_of_datasets_that_are_not_there() {
        let place = Place::with(|_| ());
        std::fs::write(place.path("m.yaml"), BACKGROUND).unwrap();
        let name = MapDataset::read(place.path("in.fits")).unwrap().name;
        let own = BACKGROUND.replace("other", &name);
        std::fs::write(place.path("own.yaml"), own).unwrap();
        let run = |models: &str, output: &str| {
            let output = place.run(&["npred", "in.fits", "--models", models, "-o", output, "--backend", "reference"]);
            assert_eq!(output.status.code(), Some(0));
            String::from_utf8(output.stderr).unwrap()
        };
        let text = run("m.yaml", "a.fits");
        assert!(
            text.lines().any(|l| l.starts_with("warning: ") && l.contains("'other'") && l.contains(&name)),
            "{text}"
        );
        assert!(!run("own.yaml", "b.fits").contains("warning"));
        place.fails(
            &["npred", "in.fits", "--models", "m.yaml", "-o", "c.fits", "--backend", "reference", "--strict"],
            2,
            &["'other'"],
        );
    }
}
