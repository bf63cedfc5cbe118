//! Predicted counts of many sources: what is kept against what is predicted anew, threads, and transforms.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::sync::Arc;

use ndarray::{Array3, ArrayD, s};
use rand::rand_core::SeedableRng;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use pevatron::Control;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::datasets::{MapDataset, NpredWork};
use pevatron::irf::{EDisp, EDispKernelMap, PsfMap, gauss_response};
use pevatron::kernels::{ConvolveJob, CubeView};
use pevatron::maps::{AxisInterp, Frame, Geom, Map, MapAxis, Mask, SkyPosition, WcsGeom};
use pevatron::models::spatial::*;
use pevatron::models::spectral::{
    ExpCutoffPowerLawSpectralModel, LogParabolaSpectralModel, PowerLawNormSpectralModel, PowerLawSpectralModel,
};
use pevatron::models::{FoVBackgroundModel, Model, Models, SkyModel, SpectralModel, TemplateNPredModel};

const CENTER: (f64, f64) = (83.6, 22.0);

fn cpu(threads: usize) -> Backend {
    let options = BackendOptions { choice: BackendChoice::Cpu, threads: Some(threads), ..BackendOptions::default() };
    Backend::new(&options).unwrap()
}

fn map(geom: &WcsGeom, axes: Vec<MapAxis>, unit: &str, value: impl Fn(usize, usize, usize) -> f64) -> Map {
    let geom = Arc::new(Geom::Wcs(geom.with_axes(axes)));
    let shape = geom.data_shape();
    let (ny, nx) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let planes = shape.iter().product::<usize>() / (ny * nx);
    let cube = Array3::from_shape_fn((planes, ny, nx), |(p, y, x)| value(p, y, x));
    Map::from_cube(geom, unit.parse().unwrap(), cube).unwrap()
}

/// Responses that vary over the sky, and a mask that leaves a corner out.
fn dataset(reco_psf: bool) -> MapDataset {
    let center = SkyPosition::icrs(CENTER.0, CENTER.1);
    let energy = MapAxis::energy_bounds(1.0, 10.0, 3, "energy").unwrap();
    let truth = MapAxis::energy_bounds(0.5, 20.0, 4, "energy_true").unwrap();
    let edges: Vec<f64> = (0..=30).map(|i| 0.02 * f64::from(i)).collect();
    let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), edges, AxisInterp::Lin).unwrap();
    let image = WcsGeom::create(center, 48, 40, (0.05, 0.05), "TAN", vec![]).unwrap();
    let coarse = WcsGeom::create(center, 4, 4, (0.8, 0.8), "TAN", vec![]).unwrap();
    let psf_axis = if reco_psf { energy.clone() } else { truth.clone() };
    let psf = map(&coarse, vec![rad, psf_axis], "sr-1", |p, y, x| {
        let sigma = (0.07 + 0.01 * y as f64 + 0.005 * x as f64 - 0.005 * (p / 30) as f64).to_radians();
        let r = (0.02 * ((p % 30) as f64 + 0.5)).to_radians();
        (-0.5 * (r / sigma).powi(2)).exp() / (std::f64::consts::TAU * sigma * sigma)
    });
    let matrix = gauss_response(&truth, &energy, 0.2, 0.0).unwrap();
    let edisp = map(&coarse, vec![energy.clone(), truth.clone()], "", |p, y, _| {
        matrix[[p / 3, p % 3]] * (1.0 - 0.05 * y as f64)
    });
    let counts = map(&image, vec![energy.clone()], "", |_, _, _| 0.0);
    let mask = ArrayD::from_shape_fn(counts.geom().data_shape(), |i| i[1] > 12 || i[2] > 12);
    MapDataset {
        name: "a".into(),
        mask_safe: Some(Mask::new(counts.geom().clone(), mask).unwrap()),
        background: Some(map(&image, vec![energy], "", |p, y, x| 0.3 + 0.1 * ((p + y + 2 * x) % 5) as f64)),
        exposure: Some(map(&image, vec![truth], "m2 s", |t, y, x| 1e9 * (1.0 + t as f64 + 0.01 * (y + 2 * x) as f64))),
        psf: Some(PsfMap { psf, exposure: None }),
        edisp: Some(EDisp::Kernel(EDispKernelMap { edisp, exposure: None })),
        counts: Some(counts),
        ..MapDataset::default()
    }
}

fn models() -> Models {
    let (lon, lat, f) = (CENTER.0, CENTER.1, Frame::Icrs);
    let template = {
        let geom = WcsGeom::create(SkyPosition::icrs(lon, lat), 12, 12, (0.1, 0.1), "TAN", vec![]).unwrap();
        TemplateSpatialModel::new(Arc::new(map(&geom, vec![], "sr-1", |_, y, x| 1.0 + (x * y) as f64)), true).unwrap()
    };
    let shapes: Vec<Arc<dyn SpatialModel>> = vec![
        Arc::new(PointSpatialModel::new(lon, lat, f)),
        Arc::new(PointSpatialModel::new(lon + 0.4, lat - 0.3, f)),
        Arc::new(GaussianSpatialModel::new(lon - 0.3, lat + 0.2, 0.1, 0.0, 0.0, f)),
        Arc::new(GaussianSpatialModel::new(lon + 0.1, lat + 0.4, 0.15, 0.7, 30.0, f)),
        Arc::new(DiskSpatialModel::new(lon - 0.2, lat - 0.4, 0.25, 0.0, 0.0, 0.01, f)),
        Arc::new(template),
        // In the corner that is masked, and far outside.
        Arc::new(PointSpatialModel::new(lon + 1.2, lat - 0.9, f)),
        Arc::new(PointSpatialModel::new(lon + 5.0, lat, f)),
    ];
    let spectra: [Arc<dyn SpectralModel>; 3] = [
        Arc::new(PowerLawSpectralModel::new(2.3, 1e-11, 1.0)),
        Arc::new(ExpCutoffPowerLawSpectralModel::new(1.9, 3e-12, 1.0, 0.1, 1.0)),
        Arc::new(LogParabolaSpectralModel::new(5e-12, 1.0, 2.2, 0.1)),
    ];
    let mut components: Vec<Model> = shapes
        .into_iter()
        .enumerate()
        .map(|(i, shape)| Model::Sky(SkyModel::new(&format!("s{i}"), spectra[i % 3].clone(), Some(shape))))
        .collect();
    let counts = {
        let energy = MapAxis::energy_bounds(1.0, 10.0, 3, "energy").unwrap();
        let geom = WcsGeom::create(SkyPosition::icrs(lon, lat), 48, 40, (0.05, 0.05), "TAN", vec![]).unwrap();
        map(&geom.slice(5..30, 10..48).unwrap(), vec![energy], "", |p, y, x| 0.1 * ((p + y * x) % 7) as f64)
    };
    components.push(Model::TemplateNPred(TemplateNPredModel::new("t", Arc::new(counts)).unwrap()));
    components.push(Model::FoVBackground(FoVBackgroundModel {
        name: "bkg".into(),
        spectral: Arc::new(PowerLawNormSpectralModel::new(0.0, 5e-3, 1.0)),
        spatial: Some(Arc::new(GaussianSpatialModel::new(lon - 0.2, lat + 0.1, 1.5, 0.3, 20.0, f))),
        datasets_names: vec!["a".into()],
    }));
    Models { components }
}

fn assert_same(found: &Map, wanted: &Map, what: &str) {
    for (i, (found, wanted)) in found.data().iter().zip(wanted.data().iter()).enumerate() {
        assert!((found - wanted).abs() <= 1e-12 * wanted.abs(), "{what}: bin {i}: {found:e} for {wanted:e}");
    }
}

/// Changes one thing of the models; what it was.
fn step(models: &mut Models, random: &mut impl Rng) -> String {
    let change = random.random_range(0..12);
    let names: Vec<String> = models.parameters().into_iter().map(|(name, _)| name).collect();
    let of = |part: &str| names.iter().filter(|name| name.contains(part)).cloned().collect::<Vec<_>>();
    let (candidates, factor, shift): (Vec<String>, f64, f64) = match change {
        0 | 1 => (of(".amplitude"), random.random_range(0.1..10.0), 0.0),
        2 | 3 => ([of(".index"), of(".alpha"), of(".lambda_")].concat(), random.random_range(0.9..1.1), 0.0),
        4 => (of(".lon_0"), 1.0, random.random_range(-0.02..0.02)),
        5 => (of(".lat_0"), 1.0, random.random_range(-1.0..1.0)),
        6 => ([of(".sigma"), of(".r_0")].concat(), random.random_range(0.8..1.2), 0.0),
        7 => (of(".phi"), 1.0, random.random_range(-3.0..3.0)),
        8 => ([of("bkg.spectral.norm"), of("t.spectral.norm")].concat(), random.random_range(0.8..1.2), 0.0),
        9 => {
            let last = models.components.len() - 1;
            let (a, b) = (random.random_range(0..last), random.random_range(0..last));
            models.components.swap(a, b);
            return format!("swap {a} {b}");
        }
        10 if models.components.len() > 4 => {
            let gone = models.components.remove(0);
            return format!("without {}", gone.name());
        }
        _ => return "nothing".into(),
    };
    if candidates.is_empty() {
        return "nothing".into();
    }
    let name = &candidates[random.random_range(0..candidates.len())];
    let value = models.parameter(name).unwrap().value;
    models.set_value(name, value * factor + shift).unwrap();
    format!("{name} from {value}")
}

#[test]
fn what_is_kept_is_what_is_predicted_anew() {
    let control = Control::new();
    for (seed, reco_psf, backend) in
        [(1, false, cpu(2)), (2, false, Backend::reference()), (3, true, cpu(2)), (4, false, cpu(1))]
    {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let data = dataset(reco_psf);
        let mut fresh = data.clone();
        let mut evaluators = data.evaluators(&backend).unwrap();
        let mut models = models();
        for number in 0..40 {
            let what = format!("seed {seed}, step {number}: {}", step(&mut models, &mut random));
            fresh.models = models.clone();
            let wanted = fresh.npred(&backend, &control).unwrap();
            assert!(wanted.sum() > 1000.0, "{what}");
            assert_same(evaluators.npred(&models, &control).unwrap(), &wanted, &what);
            if number % 10 == 0 {
                let signal = evaluators.npred_signal(&models, &control).unwrap();
                assert_same(&signal, &fresh.npred_signal(None, &backend, &control).unwrap(), &what);
            }
        }
    }
}

#[test]
fn only_what_a_change_needs_is_computed() {
    let (data, backend, control) = (dataset(false), cpu(1), Control::new());
    let mut models = models();
    let mut evaluators = data.evaluators(&backend).unwrap();
    evaluators.npred(&models, &control).unwrap();
    // Two sources are where they do not count.
    let first = evaluators.work();
    assert_eq!((first.responses, first.shapes, first.spectra, first.norms), (8, 6 + 1, 6, 0));
    let whole = 3 * 40 * 48;
    assert_eq!(first.bins, whole);
    let mut work = |models: &Models| {
        let before = evaluators.work();
        evaluators.npred(models, &control).unwrap();
        let after = evaluators.work();
        let of = |f: fn(&NpredWork) -> u64| f(&after) - f(&before);
        (of(|w| w.responses), of(|w| w.shapes), of(|w| w.spectra), of(|w| w.norms), of(|w| w.bins))
    };
    assert_eq!(work(&models), (0, 0, 0, 0, 0));
    models.set_value("s1.spectral.amplitude", 7e-12).unwrap();
    let norm = work(&models);
    assert!((norm.0, norm.1, norm.2, norm.3) == (0, 0, 0, 1) && norm.4 > 0 && norm.4 < whole, "{norm:?}");
    assert_eq!(work(&models), (0, 0, 0, 0, 0));
    models.set_value("s0.spectral.index", 2.4).unwrap();
    let index = work(&models);
    assert!((index.0, index.1, index.2, index.3) == (0, 0, 1, 0) && index.4 < whole, "{index:?}");
    models.set_value("s3.spatial.phi", 40.0).unwrap();
    let angle = work(&models);
    assert_eq!((angle.0, angle.1, angle.2, angle.3), (0, 1, 1, 0));
    models.set_value("s0.spatial.lon_0", CENTER.0 + 0.01).unwrap();
    let position = work(&models);
    assert_eq!((position.0, position.1, position.2, position.3), (1, 1, 1, 0));
    models.set_value("bkg.spectral.norm", 1.2).unwrap();
    assert_eq!(work(&models), (0, 0, 0, 0, 0));
    // Nodes that stay keep the shape, though each change makes the models anew.
    let nodes = (vec![82.0, 85.0, 85.0, 82.0, 83.7], vec![21.0, 21.0, 23.0, 23.0, 22.1]);
    let piecewise =
        PiecewiseNormSpatialModel::new(nodes.0, nodes.1, vec![1.0, 1.1, 0.9, 1.2, 0.8], Frame::Icrs).unwrap();
    let mut uneven = models.clone();
    let Some(Model::FoVBackground(background)) = uneven.components.last_mut() else { panic!("a background") };
    background.spatial = Some(Arc::new(piecewise));
    assert_eq!(work(&uneven).1, 1);
    uneven.set_value("s2.spectral.amplitude", 7e-12).unwrap();
    assert_eq!(work(&uneven).1, 0);
    uneven.set_value("bkg.spatial.norm_4", 0.7).unwrap();
    assert_eq!(work(&uneven).1, 1);
    assert_eq!(work(&models).1, 1);
    // The background's shape alone: no source is touched, nothing is summed anew.
    models.set_value("bkg.spatial.sigma", 1.4).unwrap();
    assert_eq!(work(&models), (0, 1, 0, 0, 0));
    models.set_value("s3.spectral.amplitude", 7e-12).unwrap();
    assert_eq!(work(&models).1, 0);
    evaluators.reset();
    evaluators.npred(&models, &control).unwrap();
    assert_eq!(evaluators.work().responses, 8 + 1 + 8);
}

#[test]
fn predicted_counts_do_not_depend_on_threads() {
    let mut data = dataset(false);
    data.models = models();
    let control = Control::new();
    let one = data.npred(&cpu(1), &control).unwrap();
    let four = data.npred(&cpu(4), &control).unwrap();
    assert!(one == four && one.sum() > 1000.0);
    let (backend_one, backend_four) = (cpu(1), cpu(4));
    let kept_one = data.evaluators(&backend_one).unwrap().npred(&data.models, &control).unwrap().clone();
    assert!(kept_one == *data.evaluators(&backend_four).unwrap().npred(&data.models, &control).unwrap());
}

#[test]
fn an_error_leaves_what_is_kept_usable() {
    let (data, backend, control) = (dataset(false), cpu(2), Control::new());
    let mut evaluators = data.evaluators(&backend).unwrap();
    let good = models();
    let wanted = evaluators.npred(&good, &control).unwrap().clone();
    let mut bad = models();
    bad.set_value("s0.spectral.index", 3.0).unwrap();
    let Model::Sky(model) = &mut bad.components[2] else { panic!("a source") };
    model.spatial = None;
    assert!(evaluators.npred(&bad, &control).is_err());
    assert_same(evaluators.npred(&good, &control).unwrap(), &wanted, "after an error");
    let cancelled = Control::new();
    cancelled.cancel();
    bad = models();
    bad.set_value("s2.spatial.sigma", 0.2).unwrap();
    let _ = evaluators.npred(&bad, &cancelled);
    assert_same(evaluators.npred(&good, &control).unwrap(), &wanted, "after a cancellation");
}

/// A bright blob, a faint one and nothing between them, over the size from which transforms are taken; once as one plane
/// that stands for all, once with planes of its own.
#[test]
fn transforms_of_what_is_not_negative_stay_so() {
    let (ny, nx, k) = (127, 211, 21);
    let blob = |y: usize, x: usize, at: (f64, f64), width: f64| {
        let r2 = (y as f64 - at.0).powi(2) + (x as f64 - at.1).powi(2);
        if r2 < (7.0 * width).powi(2) { (-0.5 * r2 / (width * width)).exp() } else { 0.0 }
    };
    let one = Array3::from_shape_fn((1, ny, nx), |(_, y, x)| {
        1e6 * blob(y, x, (40.0, 35.0), 4.0) + 1e-3 * blob(y, x, (90.0, 180.0), 2.0)
    });
    let kernel = Array3::from_shape_fn((2, k, k), |(p, u, v)| {
        blob(u, v, (10.0, 10.0), 3.0 - p as f64) * (1.0 + 0.1 * u as f64) / 60.0
    });
    let repeated = one.broadcast((2, ny, nx)).unwrap();
    let (own, control) = (repeated.to_owned(), Control::new());
    let convolve = |cube, backend: &Backend| {
        let job = ConvolveJob { cube: CubeView::F64(cube), kernel: kernel.view() };
        backend.engine().convolve(&job, &control).unwrap()
    };
    let (found, wanted) = (convolve(repeated, &cpu(2)), convolve(own.view(), &Backend::reference()));
    assert!(found == convolve(own.view(), &cpu(1)), "planes of their own");
    let peak = wanted.iter().copied().fold(0.0, f64::max);
    let mut empty = 0;
    for (i, wanted) in wanted.indexed_iter() {
        let found = found[i];
        assert!(found >= 0.0 && (found - wanted).abs() <= 2e-15 * peak, "{i:?}: {found:e} for {wanted:e}");
        let around = |at: usize, n: usize| at.saturating_sub(k / 2)..n.min(at + k / 2 + 1);
        if one.slice(s![0, around(i.1, ny), around(i.2, nx)]).iter().all(|v| *v == 0.0) {
            assert!(found == 0.0 && *wanted == 0.0, "{i:?}");
            empty += 1;
        }
    }
    assert!(empty > 1000, "{empty}");
    let repeats = |cube| CubeView::F64(cube).repeats_a_plane();
    assert!(repeats(repeated) && !repeats(own.view()) && !repeats(one.view()));
}
