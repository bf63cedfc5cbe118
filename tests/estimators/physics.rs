//! What a TS map must do whatever the data: injected fluxes come back, masks and borders act, options act.

use std::sync::Arc;

use ndarray::Array3;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::datasets::MapDataset;
use pevatron::estimators::{EnergyEdges, NormScan, Selection, TsMapEstimator};
use pevatron::flux::{FluxMaps, FluxQuantity};
use pevatron::irf::PsfMap;
use pevatron::maps::{AxisInterp, Frame, Geom, Map, MapAxis, Mask, SkyPosition, WcsGeom};
use pevatron::models::spatial::{GaussianSpatialModel, PointSpatialModel};
use pevatron::models::spectral::PowerLawSpectralModel;
use pevatron::models::{Model, Models, SkyModel};
use pevatron::units::{Angle, Energy};
use pevatron::{Control, ErrorKind};

/// A small field: `npix` (x, y) pixels of `binsz` (x, y) degrees around a centre, three energy bins from 1 to 30 TeV.
struct Field {
    center: SkyPosition,
    npix: (usize, usize),
    binsz: (f64, f64),
    projection: &'static str,
    background: f64,
}

impl Default for Field {
    fn default() -> Self {
        let center = SkyPosition { lon_deg: 30.0, lat_deg: 10.0, frame: Frame::Galactic };
        Self { center, npix: (61, 45), binsz: (0.05, 0.05), projection: "CAR", background: 0.6 }
    }
}

impl Field {
    /// Background and responses; the counts are the Asimov prediction of background and `sources`.
    fn dataset(&self, sources: &[SkyModel]) -> MapDataset {
        let energy = MapAxis::energy_bounds(1.0, 30.0, 3, "energy").unwrap();
        let energy_true = energy.renamed("energy_true");
        let (nx, ny) = self.npix;
        let image = WcsGeom::create(self.center, nx, ny, self.binsz, self.projection, Vec::new()).unwrap();
        let geom = |axis: &MapAxis| Arc::new(Geom::Wcs(image.with_axes(vec![axis.clone()])));
        let exposure = Array3::from_shape_fn((3, ny, nx), |(e, y, x)| 1e14 * (1.0 + e as f64 + 0.01 * (x + y) as f64));
        let background = Array3::from_shape_fn((3, ny, nx), |(e, y, _)| {
            self.background * (1.0 + 0.01 * y as f64) / (1.0 + 2.0 * e as f64)
        });
        let rad = (0..=60).map(|i| 0.01 * f64::from(i)).collect();
        let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), rad, AxisInterp::Lin).unwrap();
        let mut dataset = MapDataset {
            name: "field".into(),
            background: Some(Map::from_cube(geom(&energy), Default::default(), background).unwrap()),
            exposure: Some(Map::from_cube(geom(&energy_true), "cm2 s".parse().unwrap(), exposure).unwrap()),
            psf: Some(PsfMap::from_gauss(rad, energy_true, |e| 0.08 * e.powf(-0.2)).unwrap()),
            models: Models { components: sources.iter().cloned().map(Model::Sky).collect() },
            ..MapDataset::default()
        };
        dataset.counts = Some(dataset.npred(&Backend::reference(), &Control::new()).unwrap());
        dataset.models = Models::default();
        dataset
    }

    /// A point source on a pixel.
    fn point(&self, x: f64, y: f64, amplitude: f64) -> SkyModel {
        let (nx, ny) = self.npix;
        let p = WcsGeom::create(self.center, nx, ny, self.binsz, self.projection, Vec::new())
            .unwrap()
            .pix_to_sky(x, y)
            .unwrap();
        let spatial = PointSpatialModel::new(p.lon_deg, p.lat_deg, p.frame);
        SkyModel::new("source", Arc::new(PowerLawSpectralModel::new(2.0, amplitude, 1.0)), Some(Arc::new(spatial)))
    }
}

fn estimator() -> TsMapEstimator {
    let selection = Selection { errn_errp: true, ul: true, ..Selection::default() };
    TsMapEstimator::new().kernel_width(Angle::deg(0.75)).sum_over_energy_groups(false).selection_optional(selection)
}

fn run(estimator: &TsMapEstimator, datasets: &[MapDataset]) -> FluxMaps {
    estimator.run(datasets, &Backend::reference()).unwrap()
}

fn at(maps: &FluxMaps, quantity: FluxQuantity, plane: usize, y: usize, x: usize) -> f64 {
    maps.get(quantity).unwrap().cube().at(plane, y, x)
}

fn peak(maps: &FluxMaps) -> (usize, usize) {
    let map = maps.sqrt_ts().unwrap();
    let nx = map.wcs_geom().unwrap().nx();
    let (index, _) = map.max().unwrap();
    (index / nx, index % nx)
}

/// The kernel holds nearly all of the PSF, so an Asimov source comes back with its norm, in every mode, projection and
/// pixel shape, and the map peaks on it.
#[test]
fn injected_sources_come_back_in_each_mode_and_geometry() {
    let icrs = SkyPosition { lon_deg: 83.6, lat_deg: 22.0, frame: Frame::Icrs };
    let fields = [
        Field::default(),
        Field { center: icrs, projection: "TAN", ..Field::default() },
        Field { center: icrs, projection: "SFL", ..Field::default() },
        Field { binsz: (0.05, 0.025), npix: (51, 90), ..Field::default() },
        Field { binsz: (0.08, 0.05), npix: (40, 44), projection: "ZEA", ..Field::default() },
    ];
    for field in fields {
        let dataset = field.dataset(&[field.point(22.0, 18.0, 3e-12)]);
        for sum in [true, false] {
            for edges in [EnergyEdges::Whole, EnergyEdges::All] {
                let maps =
                    run(&estimator().sum_over_energy_groups(sum).energy_edges(edges), std::slice::from_ref(&dataset));
                assert_eq!(peak(&maps), (18, 22), "{} {:?} sum {sum}", field.projection, field.binsz);
                let norm = at(&maps, FluxQuantity::Norm, 0, 18, 22);
                // The summed mode's plain mean over the kernels of several energies is not their counts' mean.
                let tolerance = if sum && maps.geom().axes()[0].nbin() == 1 { 0.05 } else { 0.02 };
                assert!(
                    (norm / 3.0 - 1.0).abs() < tolerance,
                    "{} {:?} sum {sum}: {norm}",
                    field.projection,
                    field.binsz
                );
            }
        }
    }
}

/// All engines give the same maps through the whole chain.
#[test]
fn engines_agree_through_the_whole_chain() {
    let field = Field::default();
    let dataset = field.dataset(&[field.point(30.0, 20.0, 2e-12), field.point(2.0, 1.0, 1e-12)]);
    let estimator = estimator().selection_optional(Selection::ALL);
    let truth = run(&estimator, std::slice::from_ref(&dataset));
    let mut choices = vec![BackendChoice::Cpu];
    if cfg!(feature = "gpu") {
        choices.push(BackendChoice::Gpu);
    }
    for choice in choices {
        let backend = match Backend::new(&BackendOptions { choice, ..BackendOptions::default() }) {
            Ok(backend) => backend,
            Err(error) if choice == BackendChoice::Gpu && std::env::var_os("PEVATRON_REQUIRE_GPU").is_none() => {
                println!("SKIPPED: no adapter ({error})");
                continue;
            }
            Err(error) => panic!("{choice:?}: {error}"),
        };
        let maps = estimator.run(std::slice::from_ref(&dataset), &backend).unwrap();
        let error = truth.get(FluxQuantity::NormErr).unwrap().to_cube_f64();
        // The scanned norms hang on the last digits where points of the grid coincide, as they do at norms of 0 and 1.
        let scanned = |maps: &FluxMaps| maps.get(FluxQuantity::DndeScanValues).unwrap().to_cube_f64();
        let (own_scan, true_scan) = (scanned(&maps), scanned(&truth));
        for quantity in truth.available_quantities() {
            let (a, b) = (maps.get(quantity).unwrap().cube(), truth.get(quantity).unwrap().to_cube_f64());
            for ((p, y, x), expected) in b.indexed_iter() {
                let found = a.at(p, y, x);
                assert_eq!(found.is_nan(), expected.is_nan(), "{choice:?} {} at {p} {y} {x}", quantity.name());
                let scale = match quantity {
                    FluxQuantity::Norm
                    | FluxQuantity::NormErr
                    | FluxQuantity::NormErrn
                    | FluxQuantity::NormErrp
                    | FluxQuantity::NormUl => error[[0, y, x]],
                    FluxQuantity::Niter | FluxQuantity::Status | FluxQuantity::DndeScanValues => continue,
                    FluxQuantity::StatScan => {
                        let (own, expected_norm) = (own_scan[[p, y, x]], true_scan[[p, y, x]]);
                        if (own - expected_norm).abs() > 1e-9 * expected_norm.abs() {
                            continue;
                        }
                        expected.abs().max(1.0)
                    }
                    _ => expected.abs().max(1.0),
                };
                assert!(
                    expected.is_nan() || (found - expected).abs() <= 2e-3 * scale,
                    "{choice:?} {} at {p} {y} {x}: {found} for {expected}",
                    quantity.name()
                );
            }
        }
    }
}

/// A source that stands in the null hypothesis leaves nothing behind.
#[test]
fn a_source_in_the_null_hypothesis_is_gone() {
    let field = Field::default();
    // Near the border: its flux beyond the border is smeared into the map, so the dataset must be padded.
    let source = field.point(1.0, 22.0, 5e-12);
    let mut dataset = field.dataset(std::slice::from_ref(&source));
    dataset.models = Models { components: vec![Model::Sky(source)] };
    let maps = run(&estimator(), &[dataset]);
    let (_, largest) = maps.sqrt_ts().unwrap().max().unwrap();
    assert!(largest < 1e-3, "{largest}");
}

/// A masked bin has no say: garbage there changes nothing, and pixels masked in all energies are NaN.
#[test]
fn masked_bins_have_no_say() {
    let field = Field::default();
    let mut dataset = field.dataset(&[field.point(30.0, 20.0, 2e-12)]);
    let geom = dataset.counts.as_ref().unwrap().geom().clone();
    let mask = ndarray::ArrayD::from_shape_fn(geom.data_shape(), |i| !(i[2] < 10 || (i[0] == 0 && i[1] > 30)));
    dataset.mask_safe = Some(Mask::new(geom.clone(), mask.clone()).unwrap());
    let clean = run(&estimator(), std::slice::from_ref(&dataset));
    let garbage = |map: &Map, value: f64| {
        let mut cube = map.to_cube_f64();
        for ((p, y, x), v) in cube.indexed_iter_mut() {
            if !mask[[p, y, x]] {
                *v = value;
            }
        }
        Some(Map::from_cube(geom.clone(), Default::default(), cube).unwrap())
    };
    dataset.background = garbage(dataset.background.as_ref().unwrap(), f64::NAN);
    dataset.counts = garbage(dataset.counts.as_ref().unwrap(), 1e6);
    let dirty = run(&estimator(), &[dataset]);
    for quantity in clean.available_quantities() {
        let (a, b) = (clean.get(quantity).unwrap(), dirty.get(quantity).unwrap());
        for (x, y) in a.data().iter().zip(b.data().iter()) {
            assert!(x == y || (x.is_nan() && y.is_nan()), "{}", quantity.name());
        }
    }
    assert!(at(&clean, FluxQuantity::Norm, 0, 20, 5).is_nan());
    assert!(at(&clean, FluxQuantity::Norm, 0, 40, 30).is_finite());
}

/// With one set of unmasked energies everywhere, the summed fit of one energy bin is the cube fit of it.
#[test]
fn one_bin_summed_is_one_bin_fitted() {
    let field = Field { background: 0.05, ..Field::default() };
    let dataset = field.dataset(&[field.point(30.0, 20.0, 2e-12)]);
    let all = estimator().energy_edges(EnergyEdges::All);
    let (a, b) =
        (run(&all, std::slice::from_ref(&dataset)), run(&all.clone().sum_over_energy_groups(true), &[dataset]));
    for quantity in a.available_quantities() {
        for (x, y) in a.get(quantity).unwrap().data().iter().zip(b.get(quantity).unwrap().data().iter()) {
            assert!(x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() < 1e-9 * x.abs(), "{}", quantity.name());
        }
    }
}

/// Two halves of an observation fitted jointly are the observation.
#[test]
fn halves_fitted_jointly_are_the_whole() {
    let field = Field::default();
    let whole = field.dataset(&[field.point(30.0, 20.0, 2e-12)]);
    let half = |d: &MapDataset| {
        let scale = |m: &Option<Map>| m.as_ref().map(|m| m.scaled(0.5, m.unit().clone()));
        MapDataset {
            counts: scale(&d.counts),
            background: scale(&d.background),
            exposure: scale(&d.exposure),
            ..d.clone()
        }
    };
    let (a, b) = (run(&estimator(), std::slice::from_ref(&whole)), run(&estimator(), &[half(&whole), half(&whole)]));
    for quantity in [FluxQuantity::Norm, FluxQuantity::NormErrn, FluxQuantity::NormUl, FluxQuantity::Ts] {
        let error = at(&a, FluxQuantity::NormErr, 0, 20, 30);
        let (x, y) = (at(&a, quantity, 0, 20, 30), at(&b, quantity, 0, 20, 30));
        assert!((x - y).abs() < 1e-9 * x.abs().max(error), "{}: {x} {y}", quantity.name());
    }
}

#[test]
fn sensitivity_acts_and_does_not_depend_on_counts() {
    let field = Field::default();
    let selection = Selection { sensitivity: true, ..Selection::default() };
    let e = estimator().selection_optional(selection);
    let empty = run(&e, &[field.dataset(&[])]);
    let bright = run(&e, &[field.dataset(&[field.point(30.0, 20.0, 9e-12)])]);
    let three = run(&e.clone().n_sigma_sensitivity(3.0), &[field.dataset(&[])]);
    let s = |m: &FluxMaps| at(m, FluxQuantity::NormSensitivity, 0, 20, 30);
    assert!((s(&empty) / s(&bright) - 1.0).abs() < 1e-9);
    assert!(s(&three) > 0.0 && s(&three) < s(&empty));
    // A source of that norm is found with that significance.
    let source = field.point(30.0, 20.0, s(&empty) * 1e-12);
    let found = run(&e, &[field.dataset(&[source])]).sqrt_ts().unwrap().max().unwrap().1;
    assert!((found - 5.0).abs() < 0.1, "{found}");
}

#[test]
fn the_profile_holds_the_best_fit_and_the_errors() {
    let field = Field::default();
    let dataset = field.dataset(&[field.point(30.0, 20.0, 2e-12)]);
    let e = estimator().selection_optional(Selection { stat_scan: true, ..Selection::default() });
    let maps = run(&e, std::slice::from_ref(&dataset));
    let (stat, dnde) = (maps.get(FluxQuantity::StatScan).unwrap(), maps.get(FluxQuantity::DndeScanValues).unwrap());
    assert_eq!(stat.geom().data_shape(), vec![109, 1, 45, 61]);
    let (ts, ul) = (at(&maps, FluxQuantity::Ts, 0, 20, 30), at(&maps, FluxQuantity::NormUl, 0, 20, 30));
    let lowest = (0..109).map(|i| stat.cube().at(i, 20, 30)).fold(f64::INFINITY, f64::min);
    assert!((lowest + ts).abs() < 1e-9 * ts, "the profile's minimum is the best fit");
    let center = dataset.energy_axis().unwrap().squash().center_tev().unwrap()[0];
    let reference = maps.reference_model().spectral.evaluate(center);
    let inside = (0..109)
        .filter(|i| dnde.cube().at(*i, 20, 30) / reference < ul && stat.cube().at(*i, 20, 30) + ts > 4.0 + 1e-9)
        .all(|i| dnde.cube().at(i, 20, 30) / reference < at(&maps, FluxQuantity::Norm, 0, 20, 30));
    assert!(inside, "between the best fit and the limit the profile stays below the limit's rise");

    let linear = run(&e.norm(NormScan::Linear { min: -1.0, max: 5.0, n: 13 }), &[dataset]);
    assert_eq!(linear.get(FluxQuantity::StatScan).unwrap().geom().data_shape(), vec![13, 1, 45, 61]);
}

#[test]
fn threshold_keeps_the_guess_where_there_is_nothing() {
    let field = Field::default();
    let dataset = field.dataset(&[field.point(30.0, 20.0, 5e-12)]);
    let maps = run(&estimator().threshold(4.0), std::slice::from_ref(&dataset));
    let full = run(&estimator(), &[dataset]);
    assert_eq!(at(&maps, FluxQuantity::Niter, 0, 5, 5), 0.0);
    assert_eq!(at(&maps, FluxQuantity::Norm, 0, 20, 30), at(&full, FluxQuantity::Norm, 0, 20, 30));
}

#[test]
fn downsampling_keeps_the_flux_and_the_geometry() {
    let field = Field { npix: (60, 44), ..Field::default() };
    let dataset = field.dataset(&[field.point(30.5, 20.5, 5e-12)]);
    let maps = run(&estimator().downsampling_factor(2), std::slice::from_ref(&dataset));
    assert!(maps.geom().as_wcs().unwrap().same_image(dataset.wcs_geom().unwrap()));
    let (y, x) = peak(&maps);
    assert!((20..=21).contains(&y) && (30..=31).contains(&x), "{y} {x}");
    assert!((at(&maps, FluxQuantity::Norm, 0, y, x) / 5.0 - 1.0).abs() < 0.1);
}

/// The kernel need not be a point, nor the map larger than the kernel.
#[test]
fn extended_test_sources_and_kernels_larger_than_the_map() {
    let field = Field { npix: (15, 13), ..Field::default() };
    let p = field.center;
    let shape = GaussianSpatialModel::new(p.lon_deg, p.lat_deg, 0.15, 0.0, 0.0, p.frame);
    let model = SkyModel::new("gauss", Arc::new(PowerLawSpectralModel::new(2.0, 4e-12, 1.0)), Some(Arc::new(shape)));
    let test_source = SkyModel { spectral: Arc::new(PowerLawSpectralModel::default()), ..model.clone() };
    let dataset = field.dataset(&[model]);
    let maps = run(&estimator().kernel_model(test_source).kernel_width(Angle::deg(2.0)), &[dataset]);
    let norm = at(&maps, FluxQuantity::Norm, 0, 6, 7);
    assert!((norm / 4.0 - 1.0).abs() < 0.02, "{norm}");
}

#[test]
fn what_cannot_be_done_is_said() {
    let field = Field::default();
    let dataset = field.dataset(&[]);
    let backend = Backend::reference();
    let kind = |e: TsMapEstimator, d: MapDataset| e.run(&[d], &backend).unwrap_err().kind();
    assert_eq!(kind(estimator().kernel_width(Angle::deg(0.0)), dataset.clone()), ErrorKind::Options);
    assert_eq!(kind(estimator().kernel_width(Angle::deg(f64::NAN)), dataset.clone()), ErrorKind::Options);
    assert_eq!(kind(estimator().n_sigma(-1.0), dataset.clone()), ErrorKind::Options);
    assert_eq!(kind(estimator().rtol(2.0), dataset.clone()), ErrorKind::Options);
    let outside = EnergyEdges::Edges([100.0, 200.0].map(Energy::tev).to_vec());
    assert_eq!(kind(estimator().energy_edges(outside), dataset.clone()), ErrorKind::Options);
    assert_eq!(kind(estimator(), MapDataset { exposure: None, ..dataset.clone() }), ErrorKind::Input);
    assert_eq!(kind(estimator(), MapDataset { background: None, ..dataset.clone() }), ErrorKind::Input);
    assert_eq!(kind(estimator(), MapDataset { counts: None, ..dataset.clone() }), ErrorKind::Input);
    let no_exposure = dataset.exposure.as_ref().map(|m| m.scaled(0.0, m.unit().clone()));
    assert_eq!(kind(estimator(), MapDataset { exposure: no_exposure, ..dataset.clone() }), ErrorKind::Input);
    let other = Field { npix: (60, 45), ..Field::default() }.dataset(&[]);
    let error = estimator().run(&[dataset.clone(), other], &backend).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    let control = Control::new();
    control.cancel();
    assert_eq!(estimator().run_with(&[dataset], &backend, &control).unwrap_err().kind(), ErrorKind::Cancelled);
}
