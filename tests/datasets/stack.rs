//! Datasets stacked, cut and merged: what must stay the same, and what must be refused.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::sync::Arc;

use ndarray::{Array3, ArrayD};
use pevatron::compute::Backend;
use pevatron::control::Control;
use pevatron::datasets::{Datasets, IrfAxes, MapDataset, MapDatasetOnOff, ResidualMethod};
use pevatron::irf::{EDisp, EDispKernelMap, PsfMap, gauss_response};
use pevatron::maps::{AxisInterp, Geom, Map, MapAxis, Mask, SkyPosition, WcsGeom};
use pevatron::models::spatial::PointSpatialModel;
use pevatron::models::spectral::{PowerLawNormSpectralModel, PowerLawSpectralModel};
use pevatron::models::{FoVBackgroundModel, Model, Models, SkyModel, TemplateNPredModel};
use pevatron::time::{Gti, TimeReference};
use pevatron::units::{Angle, Energy};
use proptest::prelude::*;

const BINS: usize = 5;
const CENTER: SkyPosition = SkyPosition::icrs(83.63, 22.01);

fn energy() -> MapAxis {
    MapAxis::energy_bounds(0.5, 50.0, BINS, "energy").unwrap()
}

fn energy_true() -> MapAxis {
    MapAxis::energy_bounds(0.3, 80.0, 9, "energy_true").unwrap()
}

fn image() -> WcsGeom {
    WcsGeom::create(CENTER, 20, 16, (0.1, 0.1), "TAN", Vec::new()).unwrap()
}

fn cube(geom: &WcsGeom, axes: Vec<MapAxis>, unit: &str, f: impl Fn((usize, usize, usize)) -> f64) -> Map {
    let geom = Arc::new(Geom::Wcs(geom.with_axes(axes)));
    let shape = geom.data_shape();
    let planes: usize = shape[..shape.len() - 2].iter().product();
    let (ny, nx) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    Map::from_cube(geom, unit.parse().unwrap(), Array3::from_shape_fn((planes, ny, nx), f)).unwrap()
}

fn source() -> Model {
    let spectral = PowerLawSpectralModel::new(2.3, 3e-12, 1.0);
    let spatial = PointSpatialModel::new(CENTER.lon_deg, CENTER.lat_deg, CENTER.frame);
    Model::Sky(SkyModel::new("source", Arc::new(spectral), Some(Arc::new(spatial))))
}

/// An observation: exposure per true energy, energy resolution, safe energies.
fn observation(name: &str, exposure: &dyn Fn(usize) -> f64, resolution: f64, safe: &[bool]) -> MapDataset {
    let coarse = WcsGeom::create(CENTER, 4, 4, (0.5, 0.5), "TAN", Vec::new()).unwrap();
    let rad = MapAxis::from_edges(
        "rad",
        "deg".parse().unwrap(),
        (0..=30).map(|i| 0.02 * f64::from(i)).collect(),
        AxisInterp::Lin,
    )
    .unwrap();
    let profile = PsfMap::from_gauss(rad.clone(), energy_true(), |_| 0.08).unwrap().psf.to_cube_f64();
    let psf = PsfMap {
        psf: cube(&coarse, vec![rad.clone(), energy_true()], "sr-1", |(p, ..)| profile[[p, 0, 0]]),
        exposure: Some(cube(&coarse, vec![rad.squash(), energy_true()], "m2 s", |(t, ..)| exposure(t))),
    };
    let matrix = gauss_response(&energy_true(), &energy(), resolution, 0.0).unwrap();
    let edisp = EDispKernelMap {
        edisp: cube(&coarse, vec![energy(), energy_true()], "", |(p, ..)| matrix[[p / BINS, p % BINS]]),
        exposure: Some(cube(&coarse, vec![energy().squash(), energy_true()], "m2 s", |(t, ..)| exposure(t))),
    };
    let geom = Arc::new(Geom::Wcs(image().with_axes(vec![energy()])));
    let mask = ArrayD::from_shape_fn(geom.data_shape(), |i| safe[i[0]]);
    MapDataset {
        name: name.into(),
        counts: Some(cube(&image(), vec![energy()], "", |(e, y, x)| ((3 * e + 5 * y + 7 * x) % 4) as f64)),
        background: Some(cube(&image(), vec![energy()], "", |(e, ..)| 0.4 / (1.0 + e as f64))),
        exposure: Some(cube(&image(), vec![energy_true()], "m2 s", |(t, ..)| exposure(t))),
        psf: Some(psf),
        edisp: Some(EDisp::Kernel(edisp)),
        mask_safe: Some(Mask::new(geom, mask).unwrap()),
        gti: Some(Gti { intervals: vec![(0.0, 100.0)], reference: TimeReference::default() }),
        livetime_s: Some(90.0),
        ..MapDataset::default()
    }
}

fn plain(name: &str) -> MapDataset {
    observation(name, &|t| 1e9 * (1.0 + t as f64), 0.15, &[true; BINS])
}

fn signal(dataset: &MapDataset) -> Array3<f64> {
    let with = MapDataset { models: Models { components: vec![source()] }, ..dataset.clone() };
    let mut cube = with.npred_signal(None, &Backend::reference(), &Control::new()).unwrap().to_cube_f64();
    // Where a dataset is not safe, nothing is expected of it.
    if let Some(mask) = &dataset.mask_safe {
        cube.zip_mut_with(&mask.cube(), |v, m| {
            if !m {
                *v = 0.0;
            }
        });
    }
    cube
}

fn sum(datasets: &[MapDataset]) -> MapDataset {
    match Datasets::new(datasets.iter().cloned()).unwrap().stack_reduce("sum").unwrap() {
        pevatron::datasets::Dataset::Map(d) => d,
        _ => unreachable!(),
    }
}

type Run = (Vec<f64>, f64, Vec<bool>);

fn run() -> impl Strategy<Value = Run> {
    (prop::collection::vec(0.1f64..10.0, 9), 0.08f64..0.4, prop::collection::vec(any::<bool>(), BINS))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Predicted counts of the sum are the sum of the predicted counts, whatever the thresholds, exposures and energy
    /// resolutions of the observations.
    #[test]
    fn stacking_conserves_npred(runs in prop::collection::vec(run(), 1..5)) {
        let datasets: Vec<MapDataset> = runs
            .iter()
            .enumerate()
            .map(|(n, (exposure, resolution, safe))| {
                observation(&format!("run {n}"), &|t| 1e9 * exposure[t], *resolution, safe)
            })
            .collect();
        let stacked = sum(&datasets);
        let mut expected = Array3::zeros(signal(&datasets[0]).dim());
        let mut counts = 0.0;
        for dataset in &datasets {
            expected += &signal(dataset);
            let mask = dataset.mask_safe.as_ref().unwrap();
            counts += dataset.counts.as_ref().unwrap().data().iter().zip(mask.data()).filter(|(_, m)| **m).map(|(v, _)| v).sum::<f64>();
        }
        let any_safe = datasets.iter().any(|d| d.mask_safe.as_ref().unwrap().count() > 0);
        prop_assert_eq!(stacked.counts.as_ref().unwrap().sum(), counts);
        if any_safe {
            let found = signal(&stacked);
            let largest = expected.iter().fold(0.0f64, |m, v| m.max(*v));
            for (f, e) in found.iter().zip(&expected) {
                prop_assert!((f - e).abs() <= 1e-9 * largest, "{} for {}", f, e);
            }
        }
        let safe = runs.iter().filter(|(.., s)| s.iter().any(|v| *v)).count();
        prop_assert!((stacked.livetime_s.unwrap_or(0.0) - 90.0 * safe as f64).abs() < 1e-9);
    }

    /// The order does not matter but for rounding.
    #[test]
    fn stacking_is_commutative(a in run(), b in run()) {
        let make = |name: &str, (exposure, resolution, safe): &Run| {
            observation(name, &|t| 1e9 * exposure[t], *resolution, safe)
        };
        let (a, b) = (make("a", &a), make("b", &b));
        let (ab, ba) = (sum(&[a.clone(), b.clone()]), sum(&[b, a]));
        prop_assert_eq!(&ab.mask_safe, &ba.mask_safe);
        let close = |x: &Map, y: &Map| x.data().iter().zip(y.data().iter()).all(|(p, q)| (p - q).abs() <= 1e-12 * p.abs().max(q.abs()));
        prop_assert!(close(ab.exposure.as_ref().unwrap(), ba.exposure.as_ref().unwrap()));
        let (Some(EDisp::Kernel(x)), Some(EDisp::Kernel(y))) = (&ab.edisp, &ba.edisp) else { unreachable!() };
        prop_assert!(close(&x.edisp, &y.edisp));
    }
}

#[test]
fn parts_of_the_sum() {
    let a = observation("a", &|_| 1e9, 0.1, &[false, true, true, true, true]);
    let mut b = observation("b", &|_| 3e9, 0.2, &[false, false, true, true, false]);
    b.gti = Some(Gti { intervals: vec![(50.0, 200.0)], reference: TimeReference::default() });
    b.mask_fit = b.mask_safe.clone();
    b.meta.insert("TELESCOP".into(), "B".into());
    let stacked = sum(&[a.clone(), b.clone()]);
    assert!(stacked.mask_fit.is_none());
    let safe = stacked.mask_safe.as_ref().unwrap();
    assert_eq!((0..BINS).map(|e| safe.cube()[[e, 3, 3]]).collect::<Vec<_>>(), [false, true, true, true, true]);
    assert_eq!(stacked.gti.as_ref().unwrap().intervals, [(0.0, 200.0)]);
    assert_eq!(stacked.livetime_s, Some(180.0));
    // Counts and background inside of each mask; exposures everywhere that is safe at any energy.
    let at = |m: &Option<Map>, e: usize| m.as_ref().unwrap().cube().at(e, 7, 9);
    assert_eq!(at(&stacked.counts, 0), 0.0);
    assert_eq!(at(&stacked.counts, 1), at(&a.counts, 1));
    assert_eq!(at(&stacked.counts, 2), at(&a.counts, 2) + at(&b.counts, 2));
    assert!((at(&stacked.background, 4) - at(&a.background, 4)).abs() < 1e-15);
    assert_eq!(at(&stacked.exposure, 3), 4e9);
    // Exposure-weighted means; b gives nothing to the last energy.
    let edisp = |d: &MapDataset, t: usize, e: usize| match &d.edisp {
        Some(EDisp::Kernel(k)) => k.edisp.cube().at(t * BINS + e, 1, 1),
        _ => unreachable!(),
    };
    let expected = 0.25 * edisp(&a, 4, 2) + 0.75 * edisp(&b, 4, 2);
    assert!((edisp(&stacked, 4, 2) - expected).abs() < 1e-15);
    assert!((edisp(&stacked, 8, 4) - 0.25 * edisp(&a, 8, 4)).abs() < 1e-15);
    // The same onto an empty dataset of the same geometry.
    let irfs = IrfAxes {
        energy_true: Some(energy_true()),
        rad: Some(a.psf.as_ref().unwrap().psf.geom().axes()[0].clone()),
        binsz_deg: 0.5,
        ..IrfAxes::default()
    };
    let mut empty = MapDataset::create("empty", a.wcs_geom().unwrap(), &irfs).unwrap();
    assert_eq!(empty.energy_range_total().unwrap(), None);
    // Responses of the empty one cover the map, not the square of the observations.
    let error = empty.stack(&a).unwrap_err().to_string();
    assert!(error.contains("psf") && error.contains("pixels"), "{error}");
    assert_eq!(empty.counts.as_ref().unwrap().sum(), 0.0, "an error leaves the dataset as it was");
}

/// Responses that hold everywhere and have no exposure map take the dataset's exposure.
#[test]
fn responses_without_exposure_maps() {
    let bare = |name: &str, exposure: f64, resolution: f64, safe: &[bool]| {
        let whole = observation(name, &|t| exposure * (1.0 + t as f64), resolution, safe);
        let rad = whole.psf.as_ref().unwrap().psf.geom().axes()[0].clone();
        let matrix = gauss_response(&energy_true(), &energy(), resolution, 0.0).unwrap();
        MapDataset {
            psf: Some(PsfMap::from_gauss(rad, energy_true(), |_| 0.08).unwrap()),
            edisp: Some(EDisp::Kernel(EDispKernelMap::from_matrix(energy(), energy_true(), &matrix).unwrap())),
            ..whole
        }
    };
    let a = bare("a", 1e9, 0.1, &[false, true, true, true, true]);
    let b = bare("b", 4e9, 0.3, &[false, false, true, true, false]);
    let expected = signal(&a) + signal(&b);
    let stacked = sum(&[a.clone(), b.clone()]);
    let found = signal(&stacked);
    let largest = expected.iter().fold(0.0f64, |m, v| m.max(*v));
    assert!(largest > 0.0 && found.iter().zip(&expected).all(|(f, e)| (f - e).abs() < 1e-9 * largest));
    // Nothing to take it from.
    let mut none = a.clone();
    none.exposure = None;
    let error = none.to_masked().unwrap_err();
    assert!(error.to_string().contains("exposure map") && error.help().is_some(), "{error}");
}

/// Migration densities are averaged by exposure.
#[test]
fn migration_densities_are_averaged() {
    let migra = MapAxis::from_edges("migra", Default::default(), vec![0.4, 0.8, 1.2, 1.6], AxisInterp::Lin).unwrap();
    let irfs = IrfAxes { energy_true: Some(energy_true()), migra: Some(migra), ..IrfAxes::default() };
    let geom = image().with_axes(vec![energy()]);
    let make = |name: &str, exposure: f64, density: f64| {
        let mut d = MapDataset::create(name, &geom, &irfs).unwrap();
        d.mask_safe = Some(d.mask_safe.unwrap().not());
        d.exposure =
            d.exposure.map(|m| Map::from_cube(m.geom().clone(), m.unit().clone(), m.to_cube_f64() + exposure).unwrap());
        let flat =
            |m: &Map, v: f64| Map::from_cube(m.geom().clone(), m.unit().clone(), m.to_cube_f64().mapv(|_| v)).unwrap();
        if let Some(EDisp::Migra(m)) = &mut d.edisp {
            m.edisp = flat(&m.edisp, density);
            m.exposure = m.exposure.as_ref().map(|e| flat(e, exposure));
        }
        if let Some(psf) = &mut d.psf {
            psf.exposure = psf.exposure.as_ref().map(|e| flat(e, exposure));
        }
        d
    };
    let stacked = sum(&[make("a", 1e9, 1.0), make("b", 3e9, 0.5)]);
    let Some(EDisp::Migra(m)) = &stacked.edisp else { unreachable!() };
    assert!(m.edisp.data().iter().all(|v| (v - 0.625).abs() < 1e-12));
    assert!(m.exposure.as_ref().unwrap().data().iter().all(|v| (v - 4e9).abs() < 1.0));
    let mut kernel = make("c", 1e9, 1.0);
    let wrong = kernel.stack(&MapDataset { psf: kernel.psf.clone(), ..plain("d") }).unwrap_err().to_string();
    assert!(wrong.contains("edisp"), "{wrong}");
}

#[test]
fn cutouts_go_back_where_they_were() {
    let a = plain("a");
    let (left, right) = (SkyPosition::icrs(84.2, 22.0), SkyPosition::icrs(83.0, 22.3));
    let width = (Angle::deg(0.7), Angle::deg(0.5));
    let cuts = [left, right].map(|p| a.cutout(p, width).unwrap());
    let mut whole = a.to_masked().unwrap();
    whole.counts = whole.counts.map(|m| m.scaled(0.0, Default::default()));
    for cut in &cuts {
        whole.stack(cut).unwrap();
    }
    let total: f64 = cuts.iter().map(|c| c.counts.as_ref().unwrap().sum()).sum();
    assert!(total > 0.0);
    assert_eq!(whole.counts.as_ref().unwrap().sum(), total);
    let (found, before) = (whole.counts.unwrap().to_cube_f64(), a.counts.as_ref().unwrap().to_cube_f64());
    assert!(found.iter().zip(&before).all(|(f, b)| *f == 0.0 || f == b));
    // A position beside the map, a width of nothing.
    assert!(a.cutout(SkyPosition::icrs(90.0, 22.0), width).is_err());
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(a.cutout(left, (Angle::deg(bad), Angle::deg(1.0))).is_err());
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let a = plain("a");
    let refuse = |b: &MapDataset, words: &[&str]| {
        let mut sum = a.clone();
        let error = sum.stack(b).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "'{word}' is not in {error}");
        }
        assert_eq!(sum.counts, a.counts, "an error leaves the dataset as it was");
        assert_eq!(sum.exposure, a.exposure);
        assert!(sum.edisp == a.edisp && sum.psf == a.psf && sum.mask_safe == a.mask_safe);
    };
    let other = plain("b");
    let shifted = WcsGeom::create(SkyPosition::icrs(83.66, 22.01), 20, 16, (0.1, 0.1), "TAN", Vec::new()).unwrap();
    let moved = cube(&shifted, vec![energy()], "", |_| 1.0);
    refuse(&MapDataset { counts: Some(moved), ..other.clone() }, &["pixels", "cutout"]);
    let axis = MapAxis::energy_bounds(0.4, 50.0, BINS, "energy").unwrap();
    let axes = cube(&image(), vec![axis], "", |_| 1.0);
    refuse(&MapDataset { counts: Some(axes.clone()), ..other.clone() }, &["energy"]);
    refuse(&MapDataset { background: Some(axes), ..other.clone() }, &["background", "energy"]);
    let unit = cube(&image(), vec![energy_true()], "m2", |_| 1.0);
    refuse(&MapDataset { exposure: Some(unit), ..other.clone() }, &["exposure", "unit"]);
    refuse(&MapDataset { exposure: None, ..other.clone() }, &["exposure", "'b'"]);
    refuse(&MapDataset { background: None, ..other.clone() }, &["background", "'b'"]);
    refuse(&MapDataset { edisp: None, ..other.clone() }, &["edisp"]);
    let beside =
        WcsGeom::create(CENTER, 200, 16, (0.1, 0.1), "TAN", Vec::new()).unwrap().slice(0..16, 190..200).unwrap();
    let away = cube(&beside, vec![energy()], "", |_| 1.0);
    refuse(&MapDataset { counts: Some(away), ..other.clone() }, &["no pixel in common"]);
    let mixed = Datasets::new([pevatron::datasets::Dataset::from(a.clone()), on_off("o", 3.0).into()]).unwrap();
    assert!(mixed.stack_reduce("sum").unwrap_err().to_string().contains("one kind"));
    assert!(!mixed.is_all_same_type() && mixed.is_all_same_shape().unwrap());
    assert!(Datasets::default().stack_reduce("sum").is_err());
}

/// A background model is applied once.
#[test]
fn background_models_are_applied_and_gone() {
    let model = |name: &str, norm: f64| {
        Model::FoVBackground(FoVBackgroundModel {
            name: format!("{name}-bkg"),
            spectral: Arc::new(PowerLawNormSpectralModel::new(0.0, norm, 1.0)),
            spatial: None,
            datasets_names: vec![name.into()],
        })
    };
    let (mut a, mut b) = (plain("a"), plain("b"));
    a.models.components = vec![source(), model("a", 2.0)];
    b.models.components = vec![model("b", 3.0)];
    a.stack(&b).unwrap();
    let expected = 5.0 * b.background.as_ref().unwrap().sum();
    assert!((a.background.as_ref().unwrap().sum() / expected - 1.0).abs() < 1e-12);
    assert!((a.npred_background().unwrap().sum() / expected - 1.0).abs() < 1e-12);
    assert_eq!(a.models.components.len(), 1);
}

fn on_off(name: &str, factor: f64) -> MapDatasetOnOff {
    let map = |v: f64| cube(&image(), vec![energy()], "", move |_| v);
    let off = cube(&image(), vec![energy()], "", |(e, y, x)| ((e + 2 * y + 3 * x) % 5) as f64);
    MapDatasetOnOff::from_map_dataset(plain(name), off, map(1.0), map(factor))
}

#[test]
fn off_counts_keep_the_background() {
    let (a, b) = (on_off("a", 4.0), on_off("b", 9.0));
    let mut sum = a.to_masked().unwrap();
    sum.stack(&b).unwrap();
    let wanted = a.background().unwrap().sum() + b.background().unwrap().sum();
    assert!((sum.background().unwrap().sum() / wanted - 1.0).abs() < 1e-12);
    assert_eq!(sum.acceptance.as_ref().unwrap().cube().at(0, 0, 0), 2.0);
    assert!(sum.acceptance_off.as_ref().unwrap().data().iter().all(|v| v.is_finite() && v > 0.0));
    // Merged bins and energies keep it, too.
    for merged in [a.downsample(2).unwrap(), a.to_image().unwrap()] {
        assert!((merged.background().unwrap().sum() / a.background().unwrap().sum() - 1.0).abs() < 1e-12);
        assert_eq!(merged.counts_off.as_ref().unwrap().sum(), a.counts_off.as_ref().unwrap().sum());
    }
    // Without any off counts nothing is divided by 0.
    let mut none = a.clone();
    none.counts_off = none.counts_off.map(|m| m.scaled(0.0, Default::default()));
    let mut sum = none.to_masked().unwrap();
    sum.stack(&none).unwrap();
    assert!(sum.acceptance_off.as_ref().unwrap().data().iter().all(|v| v == 8.0));
    // Alpha times the off counts is the background of a dataset that has one.
    let mut known = plain("known");
    known.stack(&a).unwrap();
    let wanted = plain("known").background.unwrap().sum() + a.background().unwrap().sum();
    assert!((known.background.unwrap().sum() / wanted - 1.0).abs() < 1e-12);
}

#[test]
fn merged_energies_keep_predictions() {
    let a = observation("a", &|t| 1e9 * (1.0 + t as f64), 0.2, &[false, true, true, false, true]);
    let axis = MapAxis::from_edges(
        "energy",
        energy().unit().clone(),
        [0, 2, 5].map(|i| energy().edges()[i]).to_vec(),
        AxisInterp::Log,
    )
    .unwrap();
    let merged = a.resample_energy_axis(&axis).unwrap();
    let (before, after) = (signal(&a), signal(&merged));
    for (group, bins) in [(0, 0..2), (1, 2..5)] {
        let expected: f64 = bins.map(|b| before.index_axis(ndarray::Axis(0), b).sum()).sum();
        assert!((after.index_axis(ndarray::Axis(0), group).sum() / expected - 1.0).abs() < 1e-9);
    }
    assert_eq!(a.to_image().unwrap().data_shape().unwrap(), [1, 16, 20]);
    let wrong = MapAxis::energy_bounds(0.5, 40.0, 2, "energy").unwrap();
    assert!(a.resample_energy_axis(&wrong).unwrap_err().to_string().contains("edge"));
    assert!(a.downsample_energy(2).is_err() && a.downsample_energy(0).is_err());
    let part = a.slice_by_energy(Some(Energy::tev(1.2)), None).unwrap();
    assert_eq!(part.data_shape().unwrap(), [4, 16, 20]);
    assert!((signal(&part).sum() / before.slice(ndarray::s![1.., .., ..]).sum() - 1.0).abs() < 1e-9);
    assert!(a.slice_by_energy(Some(Energy::tev(100.0)), None).is_err());
    assert!(a.slice_by_energy(Some(Energy::tev(-1.0)), None).is_err());
    assert!(a.slice_by_idx(&[("energy", 3..3)]).is_err() && a.slice_by_idx(&[("time", 0..1)]).is_err());
    // One bin takes an axis away: from a map, not from a dataset.
    let alone = a.slice_by_idx(&[("energy", 2)]).unwrap_err();
    assert!(alone.to_string().contains("take the axis 'energy' away"), "{alone}");
    assert!(alone.help().unwrap().contains("2..3"), "{alone}");
    let background = a.background.as_ref().unwrap();
    let image = background.slice_by_idx(&[("energy", 2)]).unwrap();
    assert_eq!(image.geom().data_shape(), [16, 20]);
    assert_eq!(image.plane_f64(0), background.plane_f64(2));
    assert!(background.slice_by_idx(&[("energy", 99)]).is_err() && background.slice_by_idx(&[("rad", 0..1)]).is_err());
    let (low, high) = a.energy_range_total().unwrap().unwrap();
    assert!((low.to_tev() - energy().edges()[1]).abs() < 1e-12 && (high.to_tev() - 50.0).abs() < 1e-9);
}

#[test]
fn statistics_and_residuals() {
    let (backend, control) = (Backend::reference(), Control::new());
    let mut a = plain("a");
    a.models.components.push(source());
    let perfect = a.asimov(&backend, &control).unwrap();
    let residuals = perfect.residuals(ResidualMethod::Diff, None, &backend, &control).unwrap();
    assert!(residuals.data().iter().all(|v| v == 0.0));
    assert!(perfect.stat_sum(&backend, &control).unwrap() < a.stat_sum(&backend, &control).unwrap() + 1e9);
    // Never infinite: no model to divide by is NaN.
    let nothing = MapDataset { background: None, ..plain("b") };
    let over = nothing.residuals(ResidualMethod::DiffOverModel, None, &backend, &control).unwrap();
    assert!(over.data().iter().all(f64::is_nan));
    // An undefined background leaves its bins out.
    let mut undefined = plain("c");
    let background = undefined.background.as_ref().unwrap().to_cube_f64();
    let mut hole = background.clone();
    hole[[1, 2, 3]] = f64::NAN;
    undefined.background =
        Some(Map::from_cube(Arc::clone(undefined.counts.as_ref().unwrap().geom()), Default::default(), hole).unwrap());
    let (with, without) =
        (plain("c").stat_sum(&backend, &control).unwrap(), undefined.stat_sum(&backend, &control).unwrap());
    let bin = plain("c").stat_array(&backend, &control).unwrap().cube().at(1, 2, 3);
    assert!((with - without - bin).abs() < 1e-9 * with.abs());
    // Seeds decide.
    let fake = |seed: u64| {
        let mut d = a.clone();
        d.fake(seed, &backend, &control).unwrap();
        d.counts.unwrap()
    };
    assert_eq!(fake(1), fake(1));
    assert_ne!(fake(1), fake(2));
    let (sum, expected) = (fake(3).sum(), perfect.counts.as_ref().unwrap().sum());
    assert!((sum - expected).abs() < 5.0 * expected.sqrt(), "{sum} for {expected}");
    let mut off = on_off("off", 4.0);
    let background = cube(&image(), vec![energy()], "", |_| 2.0);
    off.fake(&background, 5, &backend, &control).unwrap();
    let (n, expected) = (off.counts_off.as_ref().unwrap().sum(), 8.0 * background.data().len() as f64);
    assert!((n - expected).abs() < 5.0 * expected.sqrt(), "{n} for {expected}");
}

#[test]
fn lists_of_datasets() {
    let (backend, control) = (Backend::reference(), Control::new());
    let mut b = plain("b");
    b.gti = Some(Gti { intervals: vec![(1000.0, 1100.0)], reference: TimeReference::default() });
    let list = Datasets::new([plain("a"), b]).unwrap();
    let each: f64 = list.iter().map(|d| d.stat_sum(&backend, &control).unwrap()).sum();
    assert_eq!(list.stat_sum(&backend, &control).unwrap(), each);
    let table = list.info_table(false, &backend, &control).unwrap();
    assert_eq!(table.texts("name").unwrap(), ["a", "b"]);
    let cumulative = list.info_table(true, &backend, &control).unwrap();
    let counts = cumulative.floats("counts", "").unwrap();
    assert_eq!(counts[1], 2.0 * counts[0]);
    assert_eq!(cumulative.floats("livetime", "min").unwrap(), [1.5, 3.0]);
    assert_eq!(list.gti().unwrap().intervals, [(0.0, 100.0), (1000.0, 1100.0)]);
    let mjd = TimeReference::default().mjd();
    let day = |s: f64| mjd + s / 86400.0;
    assert_eq!(list.select_time(day(0.0), day(100.0), 1e-3).names(), ["a"]);
    assert_eq!(list.select_time(day(0.0), day(1200.0), 1e-3).names(), ["a", "b"]);
    assert!(list.select_time(day(10.0), day(500.0), 1e-3).is_empty());
    let ranges = list.energy_ranges().unwrap();
    assert!((ranges[1].1.to_tev() - 50.0).abs() < 1e-9);
    let sliced = list.slice_by_energy(Some(Energy::tev(5.0)), Some(Energy::tev(20.0))).unwrap();
    assert_eq!(sliced.len(), 2);
    assert!(list.slice_by_energy(Some(Energy::tev(5.0)), Some(Energy::tev(1.0))).is_err());
    assert!(list.slice_by_energy(Some(Energy::tev(500.0)), None).unwrap().is_empty());
    assert_eq!(list.contributes_to_stat().unwrap(), [true, true]);
}

/// A template of the counts' geometry, or of a part of it.
fn template(map: &Map, norm: f64) -> TemplateNPredModel {
    let spectral = PowerLawNormSpectralModel::new(0.3, norm, 1.0);
    TemplateNPredModel::new("counts", Arc::new(map.clone())).unwrap().with_spectral(Arc::new(spectral)).unwrap()
}

#[test]
fn templates_of_counts_are_signals() {
    let (backend, control) = (Backend::reference(), Control::new());
    let map = cube(&image(), vec![energy()], "", |(e, y, x)| (1 + e + 2 * y + 3 * x) as f64);
    let model = template(&map, 0.5);
    let scaled = model.evaluate().unwrap().to_cube_f64();
    let with = |dataset: &MapDataset, models: Vec<Model>| MapDataset {
        models: Models { components: models },
        ..dataset.clone()
    };
    let dataset = with(&plain("a"), vec![source(), Model::TemplateNPred(model.clone())]);
    let all = dataset.npred_signal(None, &backend, &control).unwrap().to_cube_f64();
    let alone = dataset.npred_signal(Some("counts"), &backend, &control).unwrap().to_cube_f64();
    assert_eq!(alone, scaled);
    let sum = signal(&plain("a")) + &scaled;
    assert!(all.iter().zip(&sum).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs()));
    let npred = dataset.npred(&backend, &control).unwrap().sum();
    assert!((npred - sum.sum() - dataset.background.as_ref().unwrap().sum()).abs() < 1e-9 * npred);
    // No exposure is needed, and nothing where it does not apply.
    let mut bare = MapDataset { exposure: None, ..with(&plain("a"), vec![Model::TemplateNPred(model.clone())]) };
    assert_eq!(bare.npred_signal(None, &backend, &control).unwrap().to_cube_f64(), scaled);
    let mut elsewhere = model.clone();
    elsewhere.datasets_names = Some(vec!["b".to_string()]);
    bare.models.components = vec![Model::TemplateNPred(elsewhere)];
    assert_eq!(bare.npred_signal(None, &backend, &control).unwrap().sum(), 0.0);

    // A cutout, fewer energies, a border: the template is cut where it is used.
    let cut = dataset.cutout(SkyPosition::icrs(83.3, 22.2), (Angle::deg(0.7), Angle::deg(0.5))).unwrap();
    let at = cut.counts.as_ref().unwrap().wcs_geom().unwrap().offset_in(&image()).unwrap();
    let found = cut.npred_signal(Some("counts"), &backend, &control).unwrap().to_cube_f64();
    let (_, ny, nx) = found.dim();
    let (y0, x0) = (at.0 as usize, at.1 as usize);
    assert_eq!(found, scaled.slice(ndarray::s![.., y0..y0 + ny, x0..x0 + nx]));
    let edges = energy().edges_tev().unwrap();
    let tev = |i: usize| Some(pevatron::units::Energy::tev(edges[i]));
    let sliced = dataset.slice_by_energy(tev(1), tev(BINS)).unwrap();
    let found = sliced.npred_signal(Some("counts"), &backend, &control).unwrap().to_cube_f64();
    let wanted = scaled.slice(ndarray::s![1.., .., ..]);
    assert!(found.dim() == wanted.dim() && found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() <= 1e-12 * b));
    let part = cube(&image().slice(3..9, 5..20).unwrap(), vec![energy()], "", |_| 2.0);
    let part = with(&plain("a"), vec![Model::TemplateNPred(template(&part, 1.0))]);
    let found = part.npred_signal(None, &backend, &control).unwrap().to_cube_f64();
    assert_eq!(found[[0, 2, 6]], 0.0);
    assert!(found[[0, 3, 5]] > 0.0 && found[[0, 8, 19]] > 0.0 && found[[0, 9, 6]] == 0.0);

    // What is not a number is nothing; pixels and energies must be those of the dataset.
    let holes = cube(&image(), vec![energy()], "", |(_, y, _)| if y == 0 { f64::NAN } else { 1.0 });
    let holes = with(&plain("a"), vec![Model::TemplateNPred(template(&holes, 1.0))]);
    let found = holes.npred_signal(None, &backend, &control).unwrap().to_cube_f64();
    assert!(found[[0, 0, 3]] == 0.0 && found[[0, 1, 3]] > 0.0);
    let shifted = WcsGeom::create(SkyPosition::icrs(83.66, 22.01), 20, 16, (0.1, 0.1), "TAN", Vec::new()).unwrap();
    let other = MapAxis::energy_bounds(0.4, 50.0, BINS, "energy").unwrap();
    for (map, said, remedy) in [
        (cube(&shifted, vec![energy()], "", |_| 1.0), "pixels", "resample"),
        (cube(&image(), vec![other], "", |_| 1.0), "energy bins", "edges"),
    ] {
        let wrong = with(&plain("a"), vec![Model::TemplateNPred(template(&map, 1.0))]);
        let error = wrong.npred(&backend, &control).unwrap_err();
        assert!(error.to_string().contains("counts") && error.to_string().contains(said), "{error}");
        assert!(error.help().unwrap().contains(remedy), "{error}");
    }
    // With off counts the background follows the signal that the template is.
    let mut measured = on_off("a", 4.0);
    let before = measured.npred_background(&backend, &control).unwrap().sum();
    measured.on.models.components = vec![Model::TemplateNPred(model)];
    assert_eq!(measured.npred_signal(None, &backend, &control).unwrap().to_cube_f64(), scaled);
    assert!(measured.npred_background(&backend, &control).unwrap().sum() < before);
}
