//! Fits arrive: from far away, without counts, with few of them, over jagged statistics; none claims a minimum that is not
//! one, and every search ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::sync::Arc;

use ndarray::Array3;
use pevatron::compute::Backend;
use pevatron::datasets::{DatasetRef, MapDataset, MapDatasetOnOff};
use pevatron::fit::{ErrorInterval, Fit, FitResult};
use pevatron::maps::{Frame, Map, Mask};
use pevatron::models::spatial::{DiskSpatialModel, PointSpatialModel, Shell2SpatialModel};
use pevatron::models::spectral::{BrokenPowerLawSpectralModel, ExpCutoffPowerLawSpectralModel, PowerLawSpectralModel};
use pevatron::models::{Model, Models, SkyModel, SpatialModel, SpectralModel};
use pevatron::{Control, Result};

use crate::injected::{CENTER, background, field, models, observed, point, run, stat};

/// Evaluations that no fit of these small problems may need.
const MOST_EVALUATIONS: usize = 4000;

fn try_fit(dataset: DatasetRef<'_>, models: &Models) -> Result<FitResult> {
    Fit::default().run(&[dataset], models, &Backend::reference(), &Control::new())
}

fn confidence(dataset: &MapDataset, models: &Models, parameter: &str) -> ErrorInterval {
    Fit::default()
        .confidence(&[dataset.into()], models, parameter, 1.0, &Backend::reference(), &Control::new())
        .unwrap()
}

fn value(result: &FitResult, name: &str) -> f64 {
    result.models.parameter(name).unwrap().value
}

fn error(result: &FitResult, name: &str) -> f64 {
    result.models.parameter(name).unwrap().error
}

/// Fractions in 0 to 1 that fill a square evenly (the R2 sequence), so that no seed decides.
fn spread(n: usize) -> impl Iterator<Item = (f64, f64)> {
    (1..=n).map(|i| ((0.754_877_666 * i as f64).fract(), (0.569_840_291 * i as f64).fract()))
}

/// From a factor of 1000 in the amplitude and 2 in the index each fit comes to the same minimum.
#[test]
fn far_starts_arrive() {
    let truth = models(vec![point("pt", 2.2, 3e-12, (0.3, -0.2)), background("a", 0.0, 1.0)]);
    let dataset = observed("a", &truth, 5);
    let best = run(&[&dataset], &truth);
    for (a, b) in spread(30) {
        let (index, amplitude) = (2.2 + 4.0 * (a - 0.5), 3e-12 * 10f64.powf(6.0 * (b - 0.5)));
        let start = models(vec![point("pt", index, amplitude, (0.3, -0.2)), background("a", 0.0, 1.0)]);
        let result = run(&[&dataset], &start);
        assert!((result.stat - best.stat).abs() < 1e-3, "index {index}, amplitude {amplitude}: {}", result.message);
        assert!(result.nfev < 300, "{} evaluations", result.nfev);
        let pull = (value(&result, "pt.spectral.index") - value(&best, "pt.spectral.index"))
            / error(&best, "pt.spectral.index");
        assert!(pull.abs() < 0.01, "{pull}");
    }
}

/// An observation without counts has its best fit at 0, and an upper limit: −2 ln L rises by 1 for half a count.
#[test]
fn nothing_seen_is_a_result() {
    let mut model = point("pt", 2.0, 1e-12, (0.0, 0.0));
    let Model::Sky(sky) = &mut model else { panic!() };
    let mut parameters = sky.spectral.parameters().to_vec();
    parameters[0].frozen = true;
    parameters[1].min = 0.0;
    let mut place = sky.spatial.as_ref().unwrap().parameters().to_vec();
    place.iter_mut().for_each(|p| p.frozen = true);
    let spatial = PointSpatialModel::from_parameters(&place, Frame::Galactic).unwrap();
    sky.spatial = Some(Arc::new(spatial));
    sky.spectral = Arc::new(PowerLawSpectralModel::from_parameters(&parameters).unwrap());
    let mut dataset = observed("a", &models(vec![model.clone()]), 3);
    let counts = dataset.counts.as_mut().unwrap();
    *counts = Map::from_cube(Arc::clone(counts.geom()), Default::default(), Array3::zeros((4, 35, 41))).unwrap();
    let models = models(vec![model]);
    let result = run(&[&dataset], &models);
    assert_eq!(value(&result, "pt.spectral.amplitude"), 0.0);
    assert!(result.message.contains("at a bound"), "{}", result.message);
    let interval = confidence(&dataset, &result.models, "pt.spectral.amplitude");
    let npred = MapDataset { models, ..dataset.clone() }.npred_signal(None, &Backend::reference(), &Control::new());
    let wanted = 0.5 * 1e-12 / npred.unwrap().sum();
    assert!((interval.errp / wanted - 1.0).abs() < 2e-3, "{} {wanted}", interval.errp);
    assert!(interval.errn.is_nan() && interval.message.contains("lower"), "{}", interval.message);
}

/// On and off counts by energy in one pixel of a field whose other pixels are masked.
fn on_off(on: [f64; 4], off: [f64; 4], alpha: f64) -> MapDatasetOnOff {
    let mut dataset = field("w");
    let geom = Arc::clone(dataset.background.take().unwrap().geom());
    let map = |values: [f64; 4], beside: f64| {
        let at = |(e, y, x): (usize, usize, usize)| if (y, x) == (17, 20) { values[e] } else { beside };
        Map::from_cube(Arc::clone(&geom), Default::default(), Array3::from_shape_fn((4, 35, 41), at)).unwrap()
    };
    dataset.counts = Some(map(on, 0.0));
    let used = Array3::from_shape_fn((4, 35, 41), |(_, y, x)| (y, x) == (17, 20));
    dataset.mask_fit = Some(Mask::new(Arc::clone(&geom), used.into_dyn()).unwrap());
    MapDatasetOnOff::from_map_dataset(dataset, map(off, 0.0), map([1.0; 4], 1.0), map([1.0 / alpha; 4], 1.0 / alpha))
}

/// One source without a place to move to, whose amplitude and index are free.
fn still(index: f64, amplitude: f64) -> Models {
    let mut place = PointSpatialModel::new(CENTER.0, CENTER.1, Frame::Galactic).parameters().to_vec();
    place.iter_mut().for_each(|p| p.frozen = true);
    let spatial = PointSpatialModel::from_parameters(&place, Frame::Galactic).unwrap();
    let spectral = PowerLawSpectralModel::new(index, amplitude, 1.0);
    models(vec![Model::Sky(SkyModel::new("pt", Arc::new(spectral), Some(Arc::new(spatial))))])
}

/// A handful of counts and a measured background: the same minimum from everywhere, and it is one.
#[test]
fn few_counts_arrive() {
    for (on, off) in [
        ([1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]),
        ([1.0, 0.0, 0.0, 0.0], [0.0; 4]),
        ([0.0, 1.0, 1.0, 0.0], [0.0; 4]),
        ([2.0, 1.0, 0.0, 0.0], [3.0, 0.0, 2.0, 0.0]),
    ] {
        let dataset = on_off(on, off, 0.2);
        let mut lowest = f64::INFINITY;
        let mut found = Vec::new();
        for (a, b) in spread(12) {
            let start = still(1.0 + 3.0 * a, 1e-13 * 10f64.powf(4.0 * (b - 0.5)));
            let result = try_fit((&dataset).into(), &start).unwrap();
            assert!(result.nfev < MOST_EVALUATIONS, "{on:?} {off:?}: {} evaluations", result.nfev);
            lowest = lowest.min(result.stat);
            found.push(result);
        }
        let arrived = found.iter().filter(|r| r.success && r.stat < lowest + 0.02).count();
        assert!(arrived >= 10, "{on:?} {off:?}: {arrived} of 12 arrive");
        let wrong = found.iter().find(|r| r.success && r.stat > lowest + 0.1);
        assert!(wrong.is_none(), "{on:?} {off:?}: {:?}", wrong.map(|r| (r.stat, lowest, &r.message)));
    }
}

/// Breaks and cutoffs: fits end, and where they say that they arrived nothing beside is lower.
#[test]
fn bent_spectra_end_at_minima() {
    let with = |spectral: Arc<dyn SpectralModel>| {
        let mut models = still(2.0, 3e-12);
        let Model::Sky(sky) = &mut models.components[0] else { panic!() };
        sky.spectral = spectral;
        models
    };
    let dataset = observed("a", &with(Arc::new(BrokenPowerLawSpectralModel::new(1.8, 3.0, 1e-12, 4.0))), 9);
    let starts = [
        with(Arc::new(BrokenPowerLawSpectralModel::new(2.2, 2.5, 3e-11, 3.0))),
        with(Arc::new(BrokenPowerLawSpectralModel::new(1.0, 4.0, 1e-14, 12.0))),
        with(Arc::new(ExpCutoffPowerLawSpectralModel::new(2.5, 1e-10, 1.0, 0.02, 1.0))),
        with(Arc::new(ExpCutoffPowerLawSpectralModel::new(1.0, 1e-14, 1.0, 1.0, 1.0))),
        // An exponential that rises beyond all numbers.
        with(Arc::new(ExpCutoffPowerLawSpectralModel::new(2.0, 1e-12, 1.0, -12.0, 1.0))),
    ];
    for start in starts {
        let result = try_fit((&dataset).into(), &start).unwrap();
        assert!(result.nfev < MOST_EVALUATIONS, "{} evaluations", result.nfev);
        assert!(result.success, "{}", result.message);
        for free in result.models.free_parameters() {
            for by in [-0.3, -0.03, 0.03, 0.3] {
                let mut beside = result.models.clone();
                let parameter = result.models.parameter(&free.name).unwrap();
                beside.set_value(&free.name, parameter.value + by * parameter.error).unwrap();
                // Where the models cannot be evaluated they are no better.
                let stat = Fit::default().stat(&[(&dataset).into()], &beside, &Backend::reference(), &Control::new());
                let rise = stat.map_or(f64::INFINITY, |stat| stat - result.stat);
                assert!(rise > -2e-3, "{} {by}: {rise}", free.name);
            }
        }
    }
}

fn shaped(spatial: Arc<dyn SpatialModel>) -> Models {
    let mut parameters = PowerLawSpectralModel::new(2.0, 1e-11, 1.0).parameters().to_vec();
    parameters[0].frozen = true;
    let spectral = PowerLawSpectralModel::from_parameters(&parameters).unwrap();
    models(vec![Model::Sky(SkyModel::new("ext", Arc::new(spectral), Some(spatial)))])
}

/// A disk with only its radius free.
fn disk(r_0: f64) -> Arc<dyn SpatialModel> {
    let mut parameters =
        DiskSpatialModel::new(CENTER.0, CENTER.1, r_0, 0.0, 0.0, 0.001, Frame::Galactic).parameters().to_vec();
    parameters[..2].iter_mut().for_each(|p| p.frozen = true);
    Arc::new(DiskSpatialModel::from_parameters(&parameters, Frame::Galactic).unwrap())
}

/// The statistic of a disk on pixels is jagged: it is said, the lowest notch is taken, and the error is as wide as that of
/// the same disk with a smooth border, not as narrow as a notch.
#[test]
fn disks_on_pixels_have_honest_errors() {
    let mut dataset = observed("a", &shaped(disk(0.31)), 21);
    dataset.psf = None;
    for start in [0.24, 0.4] {
        let jagged = run(&[&dataset], &shaped(disk(start)));
        assert!(jagged.message.contains("notch"), "{}", jagged.message);
        let (smooth, number) = shaped(disk(start)).with_smooth_borders(0.05);
        assert_eq!(number, 1);
        let smooth = run(&[&dataset], &smooth);
        assert_eq!(smooth.message, "a minimum was reached");
        let (a, b) = (error(&jagged, "ext.spatial.r_0"), error(&smooth, "ext.spatial.r_0"));
        assert!(a > 0.4 * b && a < 2.5 * b, "errors {a} and {b}");
        // A deep notch may lie some errors away, but never higher than the place where the smooth border fits best.
        let mut plain = jagged.models.clone();
        for free in smooth.models.free_parameters() {
            plain.set_value(&free.name, value(&smooth, &free.name)).unwrap();
        }
        assert!(jagged.stat < stat(&[&dataset], &plain) + 1e-3);
        // Notches are as narrow as they like: of those within an error hardly any is much lower.
        for step in -20..=20 {
            let mut beside = jagged.models.clone();
            let radius = value(&jagged, "ext.spatial.r_0") + 0.05 * f64::from(step) * a;
            beside.set_value("ext.spatial.r_0", radius).unwrap();
            let rise = stat(&[&dataset], &beside) - jagged.stat;
            assert!(rise > -1.0, "{radius}: {rise}");
        }
    }
}

/// With smooth borders the prediction varies smoothly with the radius, where Gammapy's varies in steps; on the whole they
/// are the same.
#[test]
fn smooth_borders_are_smooth() {
    let roughness = |of: &dyn Fn(f64) -> Models| {
        let dataset = MapDataset { psf: None, ..field("a") };
        let npred = |r: f64| {
            let dataset = MapDataset { models: of(r), ..dataset.clone() };
            dataset.npred_signal(None, &Backend::reference(), &Control::new()).unwrap().to_cube_f64()
        };
        let (step, total) = (0.0004, npred(0.3).sum());
        // Second differences of a pixel that the border crosses.
        let along: Vec<f64> = (0..40).map(|i| npred(0.30 + step * f64::from(i))[[0, 17, 26]] / total).collect();
        along.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).abs()).fold(0.0, f64::max)
    };
    let shell = |r: f64| -> Arc<dyn SpatialModel> {
        Arc::new(Shell2SpatialModel::new(CENTER.0, CENTER.1, r, 0.2, Frame::Galactic))
    };
    let on_pixels = roughness(&|r| shaped(disk(r)));
    let smooth = roughness(&|r| shaped(disk(r)).with_smooth_borders(0.05).0);
    assert!(smooth < 0.1 * on_pixels, "{smooth} {on_pixels}");
    let smooth_shell = roughness(&|r| shaped(shell(r)).with_smooth_borders(0.05).0);
    assert!(smooth_shell < on_pixels, "{smooth_shell}");
    let dataset = field("a");
    for spatial in [disk(0.33), shell(0.4), disk(0.01)] {
        let npred = |models: Models| {
            let dataset = MapDataset { models, ..dataset.clone() };
            dataset.npred_signal(None, &Backend::reference(), &Control::new()).unwrap().to_cube_f64()
        };
        let spatial_is_small = spatial.evaluation_radius_deg().unwrap() < 0.05;
        let plain = npred(shaped(Arc::clone(&spatial)));
        let smooth = npred(shaped(spatial).with_smooth_borders(0.05).0);
        let largest = plain.iter().copied().fold(0.0, f64::max);
        let apart = plain.iter().zip(&smooth).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        // Two by two parts of a pixel leave a border pixel off by up to a quarter, before the PSF.
        assert!(spatial_is_small || apart < 0.1 * largest, "{}", apart / largest);
        // The exposure varies in a straight line: all of the source is predicted where a point in its centre is.
        let all = npred(still(2.0, 1e-11)).sum();
        assert!((smooth.sum() / all - 1.0).abs() < 2e-3, "{} {all}", smooth.sum());
    }
}

/// A parameter that the data do not bound has no end, and that is what is said.
#[test]
fn intervals_without_ends_end() {
    let mut models = still(2.0, 3e-12);
    let dataset = observed("a", &models, 13);
    let Model::Sky(sky) = &mut models.components[0] else { panic!() };
    // Where there is no cutoff its sharpness has no effect.
    let mut parameters = ExpCutoffPowerLawSpectralModel::new(2.0, 3e-12, 1.0, 1e-4, 1.0).parameters().to_vec();
    parameters.iter_mut().filter(|p| p.name == "alpha").for_each(|p| {
        p.frozen = false;
        (p.min, p.max) = (0.1, 5.0);
    });
    parameters.iter_mut().filter(|p| p.name == "lambda_").for_each(|p| p.frozen = true);
    sky.spectral = Arc::new(ExpCutoffPowerLawSpectralModel::from_parameters(&parameters).unwrap());
    let result = try_fit((&dataset).into(), &models).unwrap();
    let interval = confidence(&dataset, &result.models, "pt.spectral.alpha");
    assert!(!interval.success && interval.nfev < 20_000, "{interval:?}");
    assert!(interval.message.contains("no lower end") || interval.message.contains("no upper end"), "{interval:?}");
    assert!(interval.errn.is_nan() || interval.errp.is_nan());
}
