//! Fits: injected values come back, errors are those of the likelihood, links, priors and bounds hold, intervals are where
//! the statistic says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::sync::Arc;

use ndarray::Array3;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::datasets::{DatasetRef, MapDataset, MapDatasetOnOff};
use pevatron::error::warnings;
use pevatron::fit::{Fit, FitResult};
use pevatron::irf::PsfMap;
use pevatron::maps::{AxisInterp, Frame, Geom, Map, MapAxis, Mask, SkyPosition, WcsGeom};
use pevatron::models::spatial::{GaussianSpatialModel, PiecewiseNormSpatialModel, PointSpatialModel};
use pevatron::models::spectral::{LogParabolaSpectralModel, PowerLawNormSpectralModel, PowerLawSpectralModel};
use pevatron::models::{
    FoVBackgroundModel, Model, Models, Parameter, Prior, PriorDensity, Scan, SkyModel, TemplateNPredModel,
};
use pevatron::simulate::fake_counts;
use pevatron::{Control, ErrorKind};

pub const CENTER: (f64, f64) = (30.0, 10.0);

/// Background and responses of a small field; no counts.
pub fn field(name: &str) -> MapDataset {
    let center = SkyPosition { lon_deg: CENTER.0, lat_deg: CENTER.1, frame: Frame::Galactic };
    let energy = MapAxis::energy_bounds(1.0, 30.0, 4, "energy").unwrap();
    let energy_true = MapAxis::energy_bounds(0.8, 40.0, 7, "energy_true").unwrap();
    let image = WcsGeom::create(center, 41, 35, (0.05, 0.05), "CAR", Vec::new()).unwrap();
    let geom = |axis: &MapAxis| Arc::new(Geom::Wcs(image.with_axes(vec![axis.clone()])));
    let exposure = Array3::from_shape_fn((7, 35, 41), |(e, y, x)| 1e14 * (1.0 + e as f64 + 0.01 * (x + y) as f64));
    let background =
        Array3::from_shape_fn((4, 35, 41), |(e, y, _)| 0.6 * (1.0 + 0.01 * y as f64) / (1.0 + 2.0 * e as f64));
    let rad = (0..=60).map(|i| 0.01 * f64::from(i)).collect();
    let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), rad, AxisInterp::Lin).unwrap();
    MapDataset {
        name: name.into(),
        background: Some(Map::from_cube(geom(&energy), Default::default(), background).unwrap()),
        exposure: Some(Map::from_cube(geom(&energy_true), "cm2 s".parse().unwrap(), exposure).unwrap()),
        psf: Some(PsfMap::from_gauss(rad, energy_true, |e| 0.08 * e.powf(-0.2)).unwrap()),
        ..MapDataset::default()
    }
}

/// The field with random counts of models.
pub fn observed(name: &str, models: &Models, seed: u64) -> MapDataset {
    let mut dataset = MapDataset { models: models.clone(), ..field(name) };
    let npred = dataset.npred(&Backend::reference(), &Control::new()).unwrap();
    dataset.counts = Some(fake_counts(&npred, seed).unwrap());
    dataset
}

pub fn background(dataset: &str, tilt: f64, norm: f64) -> Model {
    let mut parameters = PowerLawNormSpectralModel::new(tilt, norm, 1.0).parameters().to_vec();
    parameters[0].frozen = false;
    Model::FoVBackground(FoVBackgroundModel {
        name: format!("{dataset}-bkg"),
        spectral: Arc::new(PowerLawNormSpectralModel::from_parameters(&parameters).unwrap()),
        spatial: None,
        datasets_names: vec![dataset.to_string()],
    })
}

use pevatron::models::SpectralModel;

pub fn point(name: &str, index: f64, amplitude: f64, (lon, lat): (f64, f64)) -> Model {
    let spatial = PointSpatialModel::new(CENTER.0 + lon, CENTER.1 + lat, Frame::Galactic);
    let spectral = PowerLawSpectralModel::new(index, amplitude, 1.0);
    Model::Sky(SkyModel::new(name, Arc::new(spectral), Some(Arc::new(spatial))))
}

pub fn gauss(name: &str, alpha: f64, amplitude: f64, sigma: f64) -> Model {
    let spatial = GaussianSpatialModel::new(CENTER.0, CENTER.1, sigma, 0.0, 0.0, Frame::Galactic);
    let spectral = LogParabolaSpectralModel::new(amplitude, 2.0, alpha, 0.2);
    Model::Sky(SkyModel::new(name, Arc::new(spectral), Some(Arc::new(spatial))))
}

pub fn models(components: Vec<Model>) -> Models {
    Models { components }
}

pub fn run(datasets: &[&MapDataset], models: &Models) -> FitResult {
    let lent: Vec<DatasetRef<'_>> = datasets.iter().map(|d| DatasetRef::from(*d)).collect();
    let result = Fit::default().run(&lent, models, &Backend::reference(), &Control::new()).unwrap();
    assert!(result.success, "{}", result.message);
    result
}

pub fn stat(datasets: &[&MapDataset], models: &Models) -> f64 {
    let lent: Vec<DatasetRef<'_>> = datasets.iter().map(|d| DatasetRef::from(*d)).collect();
    Fit::default().stat(&lent, models, &Backend::reference(), &Control::new()).unwrap()
}

/// Deviations of all free parameters from their true values, in errors.
fn pulls(result: &FitResult, truth: &Models) -> Vec<(String, f64)> {
    let pull = |name: String| {
        let (found, wanted) = (result.models.parameter(&name).unwrap(), truth.parameter(&name).unwrap());
        let pull = (found.value - wanted.value) / found.error;
        (name, pull)
    };
    result.models.free_parameters().into_iter().map(|f| pull(f.name)).collect()
}

#[test]
fn injected_values_come_back() {
    let truth =
        models(vec![gauss("ext", 2.3, 2e-12, 0.15), point("pt", 2.0, 3e-12, (0.5, -0.3)), background("a", 0.1, 1.1)]);
    let start =
        models(vec![gauss("ext", 2.0, 8e-12, 0.2), point("pt", 2.5, 1e-12, (0.52, -0.28)), background("a", 0.0, 1.0)]);
    let dataset = observed("a", &truth, 7);
    let result = run(&[&dataset], &start);
    for (name, pull) in pulls(&result, &truth) {
        assert!(pull.abs() < 3.5, "{name} is off by {pull} errors");
    }
    assert_eq!(result.models.free_parameters().len(), 12);
    assert!(
        (result.stat - stat(&[&dataset], &result.models)).abs() < 0.02,
        "the statistic is that of the fitted models"
    );
    assert!(result.stat < stat(&[&dataset], &truth));
}

/// The inverse of the covariance is half of the second derivatives of the statistic, taken here by brute force.
#[test]
fn errors_are_those_of_the_likelihood() {
    let truth = models(vec![gauss("ext", 2.3, 4e-12, 0.15), background("a", 0.1, 1.1)]);
    check_errors(&observed("a", &truth, 11), &truth);
}

/// A background that is brighter than the field's, and falls off to the sides as an ellipse does.
fn shaped_background(dataset: &str, tilt: f64, norm: f64, sigma: f64) -> Model {
    let Model::FoVBackground(mut model) = background(dataset, tilt, norm * 3e-3) else { panic!("a background") };
    // In the frame that the field is not in.
    let center = SkyPosition { lon_deg: CENTER.0, lat_deg: CENTER.1, frame: Frame::Galactic }.to_frame(Frame::Icrs);
    let (lon, lat) = (center.lon_deg + 0.2, center.lat_deg - 0.1);
    model.spatial = Some(Arc::new(GaussianSpatialModel::new(lon, lat, sigma, 0.7, 30.0, Frame::Icrs)));
    Model::FoVBackground(model)
}

#[test]
fn shapes_of_backgrounds_come_back() {
    let truth = models(vec![shaped_background("a", 0.1, 3.0, 0.9), point("pt", 2.0, 3e-12, (0.5, -0.3))]);
    let mut start = models(vec![shaped_background("a", 0.0, 2.5, 1.1), point("pt", 2.2, 2e-12, (0.5, -0.3))]);
    for name in ["a-bkg.spatial.e", "a-bkg.spatial.phi"] {
        start.unfreeze(name).unwrap();
    }
    let dataset = observed("a", &truth, 31);
    let result = run(&[&dataset], &start);
    assert_eq!(result.models.free_parameters().len(), 7 + 4);
    for (name, pull) in pulls(&result, &truth) {
        assert!(pull.abs() < 3.5, "{name} is off by {pull} errors");
    }
    assert!((result.stat - stat(&[&dataset], &result.models)).abs() < 0.02);
    let fixed = run(&[&dataset], &models(vec![background("a", 0.0, 1.0), start.components[1].clone()]));
    assert!(fixed.stat > result.stat + 100.0, "the shape is there: {} {}", fixed.stat, result.stat);
    check_errors(&dataset, &result.models);
}

/// A background with a norm at each of some places, in the field's frame or the other one.
fn uneven_background(dataset: &str, norms: [f64; 6], is_log: bool, frame: Frame) -> Model {
    let nodes = [(-1.1, -0.9), (1.05, -0.95), (-0.1, 0.05), (1.15, 0.9), (-1.05, 0.95), (0.5, -0.4)];
    let place = |(lon, lat): (f64, f64)| {
        SkyPosition { lon_deg: CENTER.0 + lon, lat_deg: CENTER.1 + lat, frame: Frame::Galactic }.to_frame(frame)
    };
    let places = nodes.map(place);
    let norms: Vec<Parameter> =
        (0..6).map(|i| Parameter::new(&format!("norm_{i}"), norms[i], "".parse().unwrap())).collect();
    let (lon, lat) = (places.iter().map(|p| p.lon_deg).collect(), places.iter().map(|p| p.lat_deg).collect());
    let shape = PiecewiseNormSpatialModel::with_nodes(lon, lat, &norms, is_log, frame).unwrap();
    let Model::FoVBackground(mut model) = background(dataset, 0.1, 4.0) else { panic!("a background") };
    model.spatial = Some(Arc::new(shape));
    Model::FoVBackground(model)
}

#[test]
fn norms_at_nodes_come_back() {
    for (is_log, frame, seed) in [(false, Frame::Galactic, 3), (true, Frame::Icrs, 4)] {
        let truth = [1.0, 1.4, 0.7, 1.1, 0.8, 1.2];
        let truth = models(vec![uneven_background("a", truth, is_log, frame), point("pt", 2.0, 3e-12, (0.5, -0.3))]);
        let mut start =
            models(vec![uneven_background("a", [1.0; 6], is_log, frame), point("pt", 2.2, 2e-12, (0.5, -0.3))]);
        // The norms hold the level.
        start.freeze("a-bkg.spectral.norm").unwrap();
        start.set_value("a-bkg.spectral.tilt", 0.0).unwrap();
        // Two of them are one.
        start.link("a-bkg.spatial.norm_5", "a-bkg.spatial.norm_1").unwrap();
        let mut truth = truth;
        truth.set_value("a-bkg.spatial.norm_5", 1.4).unwrap();
        let dataset = observed("a", &truth, seed);
        let result = run(&[&dataset], &start);
        assert_eq!(result.models.free_parameters().len(), 1 + 5 + 4);
        for (name, pull) in pulls(&result, &truth) {
            assert!(pull.abs() < 3.5, "{is_log}: {name} is off by {pull} errors");
        }
        assert!((result.stat - stat(&[&dataset], &result.models)).abs() < 0.02);
        check_errors(&dataset, &result.models);
    }
}

fn check_errors(dataset: &MapDataset, start: &Models) {
    let result = run(&[dataset], start);
    let free: Vec<(String, f64, f64)> = result
        .models
        .free_parameters()
        .iter()
        .map(|f| result.models.parameter(&f.name).map(|p| (f.name.clone(), p.value, p.error)).unwrap())
        .collect();
    let at = |moves: &[(usize, f64)]| {
        let mut models = result.models.clone();
        for (k, by) in moves {
            let (name, value, error) = &free[*k];
            models.set_value(name, value + by * error).unwrap();
        }
        stat(&[dataset], &models)
    };
    let here = at(&[]);
    let n = free.len();
    let h = 0.05;
    for (i, (name, _, _)) in free.iter().enumerate() {
        // The minimum is one: both ways up, by what the errors say of a parameter with the others held.
        let up = at(&[(i, h)]) - here;
        let down = at(&[(i, -h)]) - here;
        assert!(up > 0.0 && down > 0.0, "{name}: {up} {down}");
    }
    // Hessian in units of errors, its inverse against the correlations.
    let mut hessian = ndarray::Array2::<f64>::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let cross = |a: f64, b: f64| at(&[(i, a * h), (j, b * h)]);
            let value = if i == j {
                (at(&[(i, h)]) - 2.0 * here + at(&[(i, -h)])) / (h * h)
            } else {
                (cross(1.0, 1.0) - cross(1.0, -1.0) - cross(-1.0, 1.0) + cross(-1.0, -1.0)) / (4.0 * h * h)
            };
            hessian[[i, j]] = value;
            hessian[[j, i]] = value;
        }
    }
    let names: Vec<&String> = free.iter().map(|f| &f.0).collect();
    let correlation = ndarray::Array2::from_shape_fn((n, n), |(i, j)| {
        result.covariance.get(names[i], names[j]).unwrap() / (free[i].2 * free[j].2)
    });
    let unit = hessian.dot(&correlation) / 2.0;
    for i in 0..n {
        for j in 0..n {
            let wanted = f64::from(u8::from(i == j));
            assert!((unit[[i, j]] - wanted).abs() < 0.01, "{} {}: {}", names[i], names[j], unit[[i, j]]);
        }
    }
}

#[test]
fn datasets_are_fitted_together_and_threads_do_not_matter() {
    let truth =
        models(vec![point("pt", 2.2, 4e-12, (0.1, 0.1)), background("a", 0.1, 1.1), background("b", -0.1, 0.9)]);
    let (a, b) = (observed("a", &truth, 3), observed("b", &truth, 4));
    let joint = run(&[&a, &b], &truth);
    let only_a = models(vec![truth.components[0].clone(), truth.components[1].clone()]);
    let alone = run(&[&a], &only_a);
    let error = |r: &FitResult| r.models.parameter("pt.spectral.amplitude").unwrap().error;
    assert!(error(&joint) < 0.85 * error(&alone), "{} {}", error(&joint), error(&alone));
    for (name, pull) in pulls(&joint, &truth) {
        assert!(pull.abs() < 3.5, "{name} is off by {pull} errors");
    }
    let threads = |n| {
        let options = BackendOptions { choice: BackendChoice::Cpu, threads: Some(n), ..BackendOptions::default() };
        let backend = Backend::new(&options).unwrap();
        Fit::default().run(&[(&a).into(), (&b).into()], &truth, &backend, &Control::new()).unwrap()
    };
    let (one, three) = (threads(1), threads(3));
    assert_eq!(one.stat, three.stat);
    assert_eq!(one.models.to_values(), three.models.to_values());
    assert_eq!(one.covariance, three.covariance);
    assert!((one.stat - joint.stat).abs() < 1e-3);
}

trait Values {
    fn to_values(&self) -> Vec<f64>;
}

impl Values for Models {
    fn to_values(&self) -> Vec<f64> {
        self.parameters().iter().map(|(_, p)| p.value).collect()
    }
}

#[test]
fn linked_parameters_are_fitted_as_one() {
    let mut truth = models(vec![point("a", 2.4, 5e-12, (-0.5, 0.0)), point("b", 2.4, 5e-12, (0.5, 0.0))]);
    let dataset = observed("d", &truth, 5);
    let unlinked = run(&[&dataset], &truth);
    truth.link("b.spectral.index", "a.spectral.index").unwrap();
    let linked = run(&[&dataset], &truth);
    let index = |r: &FitResult, name: &str| {
        let p = r.models.parameter(&format!("{name}.spectral.index")).unwrap();
        (p.value, p.error)
    };
    assert_eq!(index(&linked, "a"), index(&linked, "b"));
    assert_ne!(index(&unlinked, "a"), index(&unlinked, "b"));
    // Two measurements of one value: the error is that of their mean.
    let (sa, sb) = (index(&unlinked, "a").1, index(&unlinked, "b").1);
    let mean = 1.0 / (1.0 / (sa * sa) + 1.0 / (sb * sb)).sqrt();
    assert!((index(&linked, "a").1 / mean - 1.0).abs() < 0.1, "{} {mean}", index(&linked, "a").1);
    let (name_a, name_b) = ("a.spectral.index", "b.spectral.index");
    assert_eq!(linked.covariance.get(name_a, name_b), linked.covariance.get(name_a, name_a));
}

#[test]
fn priors_pull_and_bounds_hold() {
    let truth = models(vec![point("a", 2.4, 2e-12, (0.0, 0.0))]);
    let dataset = observed("d", &truth, 6);
    let free = run(&[&dataset], &truth);
    let (value, error) = free.models.parameter("a.spectral.index").map(|p| (p.value, p.error)).unwrap();

    let mut pulled = truth.clone();
    let prior = Prior::new(PriorDensity::Gaussian { mu: value + 2.0 * error, sigma: error }).unwrap();
    pulled.change("a.spectral.index", |p| p.prior = Some(prior)).unwrap();
    let with = run(&[&dataset], &pulled);
    let (found, new_error) = with.models.parameter("a.spectral.index").map(|p| (p.value, p.error)).unwrap();
    // Prior and data weigh the same: half of the way, and an error smaller by the root of two.
    assert!(((found - value) / error - 1.0).abs() < 0.15, "{}", (found - value) / error);
    assert!((new_error / error * 2f64.sqrt() - 1.0).abs() < 0.1, "{}", new_error / error);
    assert!((with.stat_priors - prior.stat(found)).abs() < 1e-12);

    let mut bound = truth.clone();
    bound.change("a.spectral.index", |p| p.max = value - error).unwrap();
    bound.set_value("a.spectral.index", value - 3.0 * error).unwrap();
    let held = run(&[&dataset], &bound);
    assert_eq!(held.models.parameter("a.spectral.index").unwrap().value, value - error);
    assert_eq!(held.at_bounds, ["a.spectral.index"]);
    assert!(held.message.contains("at a bound"));
    assert_eq!(held.models.parameter("a.spectral.index").unwrap().error, 0.0);
    assert!(held.models.parameter("a.spectral.amplitude").unwrap().error > 0.0);
}

#[test]
fn intervals_profiles_and_contours_agree() {
    let truth = models(vec![point("a", 2.4, 1e-12, (0.0, 0.0)), background("d", 0.0, 1.0)]);
    let dataset = observed("d", &truth, 8);
    let result = run(&[&dataset], &truth);
    let (fit, backend, control) = (Fit::default(), Backend::reference(), Control::new());
    let data = [DatasetRef::from(&dataset)];
    let name = "a.spectral.amplitude";
    let (value, error) = result.models.parameter(name).map(|p| (p.value, p.error)).unwrap();
    let interval = fit.confidence(&data, &result.models, name, 1.0, &backend, &control).unwrap();
    assert!(interval.success, "{}", interval.message);
    // A faint source: the upper error is the larger one, the mean is the symmetric one.
    assert!(interval.errp > interval.errn && interval.errn > 0.5 * error);
    assert!((0.5 * (interval.errp + interval.errn) / error - 1.0).abs() < 0.05);

    let mut scanned = result.models.clone();
    let values = vec![value - interval.errn, value, value + interval.errp];
    scanned.change(name, |p| p.scan = Scan { values: Some(values.clone()), ..Scan::default() }).unwrap();
    let profile = fit.stat_profile(&data, &scanned, name, true, &backend, &control).unwrap();
    let rise: Vec<f64> = profile.stat.iter().map(|s| s - result.stat).collect();
    assert!((rise[0] - 1.0).abs() < 0.01 && rise[1].abs() < 0.01 && (rise[2] - 1.0).abs() < 0.01, "{rise:?}");
    let stiff = fit.stat_profile(&data, &scanned, name, false, &backend, &control).unwrap();
    assert!(stiff.stat[0] > profile.stat[0] && stiff.stat[2] > profile.stat[2]);

    let y = "a.spectral.index";
    let contour = fit.stat_contour(&data, &result.models, name, y, 4, 1.0, &backend, &control).unwrap();
    assert!(contour.success);
    for (x, index) in contour.x.iter().zip(&contour.y) {
        let mut on = result.models.clone();
        on.set_value(name, *x).unwrap();
        on.set_value(y, *index).unwrap();
        on.freeze(name).unwrap();
        on.freeze(y).unwrap();
        let rise = run(&[&dataset], &on).stat - result.stat;
        assert!((rise - 1.0).abs() < 0.02, "{rise}");
    }
    // The contour reaches as far as the interval, or a little less at four points.
    assert!(contour.x.iter().all(|x| *x > value - 1.1 * interval.errn && *x < value + 1.1 * interval.errp));
}

/// Counts of a gradient over the field, or over a part of it.
fn gradient(name: &str, norm: f64, tilt: f64) -> Model {
    let geom = field("d").background.unwrap().wcs_geom().unwrap().slice(4..30, 6..41).unwrap();
    let cube = Array3::from_shape_fn((4, 26, 35), |(e, y, x)| (0.2 + 0.06 * (x + y) as f64) / (1.0 + e as f64));
    let map = Map::from_cube(Arc::new(Geom::Wcs(geom)), Default::default(), cube).unwrap();
    let mut parameters = PowerLawNormSpectralModel::new(tilt, norm, 2.0).parameters().to_vec();
    parameters[0].frozen = false;
    let spectral = Arc::new(PowerLawNormSpectralModel::from_parameters(&parameters).unwrap());
    let mut template = TemplateNPredModel::new(name, Arc::new(map)).unwrap().with_spectral(spectral).unwrap();
    template.datasets_names = Some(vec!["d".to_string()]);
    Model::TemplateNPred(template)
}

#[test]
fn templates_of_counts_are_fitted() {
    let truth = models(vec![point("a", 2.4, 4e-12, (0.0, 0.0)), gradient("t", 1.3, 0.2), background("d", 0.1, 1.1)]);
    let mut start =
        models(vec![point("a", 2.1, 2e-12, (0.0, 0.0)), gradient("t", 1.0, 0.0), background("d", 0.0, 1.0)]);
    // A position has kinks at pixels; the other tests have some.
    start.freeze("a.spatial.lon_0").unwrap();
    start.freeze("a.spatial.lat_0").unwrap();
    let dataset = observed("d", &truth, 21);
    let result = run(&[&dataset], &start);
    for (name, pull) in pulls(&result, &truth) {
        assert!(pull.abs() < 3.5, "{name} is off by {pull} errors");
    }
    assert!((result.stat - stat(&[&dataset], &result.models)).abs() < 0.02);
    assert!(result.stat < stat(&[&dataset], &truth));
    // Second derivatives by brute force, of the template's own and with the source and the background.
    let of = |name: &str| result.models.parameter(name).map(|p| (p.value, p.error)).unwrap();
    let names: Vec<String> = result.models.free_parameters().into_iter().map(|f| f.name).collect();
    let n = names.len();
    let at = |moves: &[(usize, f64)]| {
        let mut models = result.models.clone();
        for (k, by) in moves {
            let (value, error) = of(&names[*k]);
            models.set_value(&names[*k], value + by * error).unwrap();
        }
        stat(&[&dataset], &models)
    };
    let h = 0.05;
    let hessian = ndarray::Array2::from_shape_fn((n, n), |(i, j)| {
        let cross = |a: f64, b: f64| at(&[(i, a * h), (j, b * h)]);
        if i == j {
            (at(&[(i, h)]) - 2.0 * at(&[]) + at(&[(i, -h)])) / (h * h)
        } else {
            (cross(1.0, 1.0) - cross(1.0, -1.0) - cross(-1.0, 1.0) + cross(-1.0, -1.0)) / (4.0 * h * h)
        }
    });
    let correlation = ndarray::Array2::from_shape_fn((n, n), |(i, j)| {
        let (a, b) = (&names[i], &names[j]);
        result.covariance.get(a, b).unwrap() / (of(a).1 * of(b).1)
    });
    let unit = hessian.dot(&correlation) / 2.0;
    for ((i, j), value) in unit.indexed_iter() {
        let wanted = f64::from(u8::from(i == j));
        assert!((value - wanted).abs() < 0.02, "{} {}: {value}", names[i], names[j]);
    }
    // A template that does not apply is not fitted.
    let other = observed("e", &models(vec![truth.components[0].clone()]), 22);
    let lent = [DatasetRef::from(&other)];
    let error = Fit::default().run(&lent, &truth, &Backend::reference(), &Control::new()).unwrap_err();
    assert!(error.to_string().contains("'d'"), "{error}");
}

#[test]
fn off_counts_are_fitted_with_the_w_statistic() {
    let truth = models(vec![point("a", 2.4, 5e-12, (0.0, 0.0))]);
    let on = observed("d", &truth, 9);
    let geom = Arc::clone(on.counts.as_ref().unwrap().geom());
    let expected = on.background.as_ref().unwrap().scaled(5.0, Default::default());
    let ones = Map::from_cube(geom, Default::default(), Array3::from_elem((4, 35, 41), 1.0)).unwrap();
    let off = fake_counts(&expected, 10).unwrap();
    let dataset =
        MapDatasetOnOff::from_map_dataset(on.clone(), off, ones.clone(), ones.scaled(5.0, Default::default()));
    let (fit, backend) = (Fit::default(), Backend::reference());
    let result = fit.run(&[(&dataset).into()], &truth, &backend, &Control::new()).unwrap();
    assert!(result.success, "{}", result.message);
    for (name, pull) in pulls(&result, &truth) {
        assert!(pull.abs() < 3.5, "{name} is off by {pull} errors");
    }
    // Off counts five times as many as on say nearly as much as a known background.
    let cash = run(&[&on], &truth);
    let error = |r: &FitResult| r.models.parameter("a.spectral.amplitude").unwrap().error;
    let ratio = error(&result) / error(&cash);
    assert!(ratio > 1.0 && ratio < 1.25, "{ratio}");
}

#[test]
fn templates_are_signals_beside_off_counts() {
    let mut truth = models(vec![point("a", 2.4, 5e-12, (0.0, 0.0)), gradient("t", 1.2, 0.2)]);
    for name in ["lon_0", "lat_0"] {
        truth.freeze(&format!("a.spatial.{name}")).unwrap();
    }
    let on = observed("d", &truth, 9);
    let ones = on.background.as_ref().unwrap().to_cube_f64().mapv(|_| 1.0);
    let ones = Map::from_cube(Arc::clone(on.counts.as_ref().unwrap().geom()), Default::default(), ones).unwrap();
    let off = fake_counts(&on.background.as_ref().unwrap().scaled(5.0, Default::default()), 10).unwrap();
    let fives = ones.scaled(5.0, Default::default());
    let dataset = MapDatasetOnOff::from_map_dataset(on, off, ones, fives);
    let mut start = truth.clone();
    start.set_value("t.spectral.norm", 0.8).unwrap();
    start.set_value("t.spectral.tilt", 0.0).unwrap();
    let result = Fit::default().run(&[(&dataset).into()], &start, &Backend::reference(), &Control::new()).unwrap();
    assert!(result.success, "{}", result.message);
    for (name, pull) in pulls(&result, &truth) {
        // Far from sources the off counts of a bin are few, which pulls a norm by some of its error.
        assert!(pull.abs() < 4.5, "{name} is off by {pull} errors");
    }
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let truth = models(vec![point("a", 2.4, 2e-12, (0.0, 0.0)), background("d", 0.0, 1.0)]);
    let dataset = observed("d", &truth, 6);
    let (fit, backend, control) = (Fit::default(), Backend::reference(), Control::new());
    let refused = |datasets: &[&MapDataset], models: &Models, word: &str| {
        let lent: Vec<DatasetRef<'_>> = datasets.iter().map(|d| DatasetRef::from(*d)).collect();
        let error = fit.run(&lent, models, &backend, &control).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Input | ErrorKind::Options), "{error}");
        assert!(error.to_string().contains(word), "'{word}' is not in {error}");
    };
    refused(&[], &truth, "none to fit");
    refused(&[&dataset, &dataset], &truth, "two datasets are named 'd'");
    refused(&[&field("d")], &truth, "counts");
    refused(&[&dataset], &models(vec![truth.components[0].clone(), background("e", 0.0, 1.0)]), "applies to 'e'");
    let mut frozen = truth.clone();
    for free in truth.free_parameters() {
        frozen.freeze(&free.name).unwrap();
    }
    refused(&[&dataset], &frozen, "no parameter is free");
    let mut beyond = truth.clone();
    beyond.change("a.spectral.index", |p| p.max = 2.0).unwrap();
    refused(&[&dataset], &beyond, "beyond its bounds");
    let outside = models(vec![point("a", 2.4, 2e-12, (20.0, 0.0))]);
    refused(&[&dataset], &outside, "no free parameter has an effect");
    let mut broken = dataset.clone();
    let with = |value: f64| {
        let background = dataset.background.as_ref().unwrap();
        let cube = background.to_cube_f64().mapv(|v| if v > 0.55 { value } else { v });
        Some(Map::from_cube(Arc::clone(background.geom()), Default::default(), cube).unwrap())
    };
    broken.background = with(f64::INFINITY);
    refused(&[&broken], &truth, "no finite predicted counts");
    // What is not defined is left out, and told.
    broken.background = with(f64::NAN);
    let (left_out, said) = warnings::collect(|| fit.run(&[(&broken).into()], &truth, &backend, &control).unwrap());
    assert!(said.len() == 1 && said[0].contains("left out"), "{said:?}");
    let mut masked = dataset.clone();
    let background = broken.background.as_ref().unwrap();
    let defined = background.to_cube_f64().mapv(|v| !v.is_nan()).into_dyn();
    masked.mask_fit = Some(Mask::new(Arc::clone(background.geom()), defined).unwrap());
    let by_mask = fit.run(&[(&masked).into()], &truth, &backend, &control).unwrap();
    assert_eq!(left_out.stat, by_mask.stat);

    let mut alone = models(vec![truth.components[0].clone(), point("far", 2.0, 1e-12, (20.0, 0.0))]);
    alone.freeze("a.spatial.lon_0").unwrap();
    let result = fit.run(&[(&dataset).into()], &alone, &backend, &control).unwrap();
    assert!(!result.success && result.message.contains("far.spectral.index"), "{}", result.message);
    let error = fit.confidence(&[(&dataset).into()], &truth, "a.spectral.reference", 1.0, &backend, &control);
    assert!(error.unwrap_err().to_string().contains("frozen"));
}
