//! The estimator against sums made by hand, and what it does at the edges of what is defined.

use std::sync::Arc;

use ndarray::{Array3, ArrayD};

use super::*;
use crate::compute::{Backend, BackendChoice, BackendOptions};
use crate::datasets::{MapDataset, MapDatasetOnOff};
use crate::estimators::EnergyEdges;
use crate::flux::{FluxMaps, FluxQuantity};
use crate::kernels::counts_statistic::{CashCountsStatistic, CountsStatistic, WStatCountsStatistic};
use crate::maps::{Frame, Geom, Map, MapAxis, Mask, SkyPosition, WcsGeom};
use crate::models::spatial::ConstantSpatialModel;
use crate::models::spectral::PowerLawSpectralModel;
use crate::models::{Model, SkyModel};
use crate::units::{Angle, Energy};

const NX: usize = 23;
const NY: usize = 17;
const ENERGIES: usize = 3;

fn image() -> WcsGeom {
    let center = SkyPosition { lon_deg: 83.6, lat_deg: 22.0, frame: Frame::Icrs };
    WcsGeom::create(center, NX, NY, (0.1, 0.1), "TAN", vec![]).unwrap()
}

fn geom(name: &str) -> Arc<Geom> {
    let axis = MapAxis::energy_bounds(1.0, 8.0, ENERGIES, name).unwrap();
    Arc::new(Geom::Wcs(image().with_axes(vec![axis])))
}

fn map(name: &str, unit: &str, f: impl FnMut((usize, usize, usize)) -> f64) -> Map {
    Map::from_cube(geom(name), unit.parse().unwrap(), Array3::from_shape_fn((ENERGIES, NY, NX), f)).unwrap()
}

fn mask(f: impl Fn(usize, usize, usize) -> bool) -> Mask {
    let data = Array3::from_shape_fn((ENERGIES, NY, NX), |(e, y, x)| f(e, y, x)).into_dyn();
    Mask::new(geom("energy"), data as ArrayD<bool>).unwrap()
}

fn exposure() -> Map {
    map("energy_true", "m2 s", |(e, y, x)| 1e13 * (1.0 + e as f64 + 0.01 * (x + y) as f64))
}

fn counts((e, y, x): (usize, usize, usize)) -> f64 {
    ((e * 7 + y * 5 + x * 3 + y * x) % 4) as f64
}

fn dataset() -> MapDataset {
    MapDataset {
        name: "test".into(),
        counts: Some(map("energy", "", counts)),
        background: Some(map("energy", "", |(e, y, x)| 0.3 + 0.1 * e as f64 + 0.01 * (x * y % 7) as f64)),
        exposure: Some(exposure()),
        mask_safe: Some(mask(|e, y, x| x > 0 && !(e == 1 && x < 9) && !(y > 13 && x > 18))),
        ..MapDataset::default()
    }
}

fn on_off() -> MapDatasetOnOff {
    let acceptance = map("energy", "", |(e, y, x)| 1.0 + 0.1 * e as f64 + 0.01 * (x + y) as f64);
    MapDatasetOnOff::from_map_dataset(
        dataset(),
        map("energy", "", |(e, y, x)| ((e * 3 + y * 7 + x * 5) % 6) as f64),
        acceptance.clone(),
        acceptance.scaled(7.5, "".parse().unwrap()),
    )
}

fn estimator() -> ExcessMapEstimator {
    ExcessMapEstimator::new().correlation_radius(Angle::deg(0.25)).selection_optional(ExcessSelection::ALL)
}

fn cpu(threads: usize) -> Backend {
    let options = BackendOptions { choice: BackendChoice::Cpu, threads: Some(threads), ..BackendOptions::default() };
    Backend::new(&options).unwrap()
}

fn cube(maps: &FluxMaps, quantity: FluxQuantity) -> Array3<f64> {
    maps.get(quantity).unwrap_or_else(|| panic!("no {}", quantity.name())).to_cube_f64()
}

/// The sum of `f` over the disk of radius 2.5 pixels around a pixel.
fn disk(y: usize, x: usize, f: impl Fn(usize, usize) -> f64) -> f64 {
    let near = |y2: usize, x2: usize| y.abs_diff(y2).pow(2) + x.abs_diff(x2).pow(2) <= 6;
    (0..NY).flat_map(|y| (0..NX).map(move |x| (y, x))).filter(|(y2, x2)| near(*y2, *x2)).map(|(y, x)| f(y, x)).sum()
}

fn close(found: f64, wanted: f64) -> bool {
    (found.is_nan() && wanted.is_nan()) || (found - wanted).abs() <= 1e-11 * wanted.abs().max(1e-3)
}

const ALL: [FluxQuantity; 9] = [
    FluxQuantity::Counts,
    FluxQuantity::NpredExcess,
    FluxQuantity::Ts,
    FluxQuantity::Norm,
    FluxQuantity::NormErr,
    FluxQuantity::NormErrn,
    FluxQuantity::NormErrp,
    FluxQuantity::NormUl,
    FluxQuantity::NormSensitivity,
];

/// What `stat` says, in the order of [`ALL`].
fn expected(stat: &dyn CountsStatistic, exposure: f64) -> [f64; 9] {
    [
        stat.n_on(),
        stat.n_sig(),
        stat.ts(),
        stat.n_sig() / exposure,
        stat.error() / exposure,
        stat.compute_errn(1.0) / exposure,
        stat.compute_errp(1.0) / exposure,
        stat.compute_upper_limit(2.0) / exposure,
        stat.n_sig_matching_significance(5.0) / exposure,
    ]
}

/// Both kinds of datasets in two groups, pixel by pixel, with a mask whose shape differs between energies.
#[test]
fn maps_are_the_statistics_of_sums_over_disks() {
    let edges = EnergyEdges::Edges(vec![Energy::tev(1.0), Energy::tev(4.0), Energy::tev(8.0)]);
    let groups = [0..2, 2..3];
    let (dataset, on_off) = (dataset(), on_off());
    let safe = dataset.mask_safe.as_ref().unwrap().cube();
    let values = |map: &Option<Map>| map.as_ref().unwrap().to_cube_f64();
    let (on, background, exposures) = (values(&dataset.counts), values(&dataset.background), values(&dataset.exposure));
    let off_background = on_off.background().unwrap().to_cube_f64();
    let (off, acceptance) = (values(&on_off.counts_off), values(&on_off.acceptance));
    let flux = PowerLawSpectralModel::default();
    let edges_tev = dataset.energy_axis().unwrap().edges_tev().unwrap();
    let flux: Vec<f64> =
        edges_tev.windows(2).map(|e| crate::models::SpectralModel::integral(&flux, e[0], e[1]) * 1e4).collect();
    for correlate_off in [true, false] {
        let estimator = estimator().energy_edges(edges.clone()).correlate_off(correlate_off);
        let maps = estimator.run(&dataset, &cpu(2)).unwrap();
        let off_maps = estimator.run(&on_off, &cpu(2)).unwrap();
        for (g, bins) in groups.iter().enumerate() {
            for (y, x) in (0..NY).flat_map(|y| (0..NX).map(move |x| (y, x))) {
                let sum = |cube: &Array3<f64>, y: usize, x: usize| -> f64 {
                    bins.clone().filter(|e| safe[[*e, y, x]]).map(|e| cube[[e, y, x]]).sum()
                };
                let is_safe = |y: usize, x: usize| bins.clone().any(|e| safe[[e, y, x]]);
                let n = disk(y, x, |y, x| f64::from(u8::from(is_safe(y, x))));
                let per_norm = |y: usize, x: usize| -> f64 {
                    bins.clone().filter(|e| safe[[*e, y, x]]).map(|e| exposures[[e, y, x]] * flux[e]).sum()
                };
                let exposure = disk(y, x, per_norm) / n;
                let n_on = disk(y, x, |y, x| sum(&on, y, x));
                let cash = CashCountsStatistic { n_on, mu_bkg: disk(y, x, |y, x| sum(&background, y, x)) };
                let wstat = if correlate_off {
                    let n_off = disk(y, x, |y, x| sum(&off, y, x));
                    let alpha = disk(y, x, |y, x| sum(&off_background, y, x)) / n_off;
                    WStatCountsStatistic { n_on, n_off, alpha, mu_sig: 0.0 }
                } else {
                    let n_off = sum(&off, y, x);
                    let acceptance_off = if n_off > 0.0 {
                        sum(&acceptance, y, x) * n_off / sum(&off_background, y, x)
                    } else {
                        7.5 * sum(&acceptance, y, x)
                    };
                    let alpha = disk(y, x, |y, x| sum(&acceptance, y, x)) / acceptance_off;
                    WStatCountsStatistic { n_on, n_off, alpha, mu_sig: 0.0 }
                };
                let at = |maps: &FluxMaps, quantity| maps.get(quantity).unwrap().cube().at(g, y, x);
                for (maps, stat) in [(&maps, &cash as &dyn CountsStatistic), (&off_maps, &wstat)] {
                    for (quantity, wanted) in ALL.iter().zip(expected(stat, exposure)) {
                        let found = at(maps, *quantity);
                        let wanted = if is_safe(y, x) { wanted } else { f64::NAN };
                        assert!(close(found, wanted), "{} at {g}, {y}, {x}: {found} for {wanted}", quantity.name());
                    }
                    let sqrt_ts = at(maps, FluxQuantity::SqrtTs);
                    assert!(close(sqrt_ts, if is_safe(y, x) { stat.sqrt_ts() } else { f64::NAN }));
                }
                let alpha = at(&off_maps, FluxQuantity::Alpha);
                assert!(close(alpha, if is_safe(y, x) { wstat.alpha } else { f64::NAN }));
            }
        }
        assert!(maps.get(FluxQuantity::Alpha).is_none(), "there are no off counts");
        assert!(off_maps.get(FluxQuantity::AcceptanceOn).is_some());
        assert!(off_maps.get(FluxQuantity::AcceptanceOff).is_some());
    }
}

/// The same bits with 1, 2 and 5 threads, and what the reference engine gives.
#[test]
fn results_do_not_depend_on_threads_or_engines() {
    let (dataset, on_off) = (dataset(), on_off());
    let estimator = estimator().energy_edges(EnergyEdges::All);
    let both =
        |backend: &Backend| [estimator.run(&dataset, backend).unwrap(), estimator.run(&on_off, backend).unwrap()];
    let one = both(&cpu(1));
    for threads in [2, 5] {
        for (a, b) in one.iter().zip(&both(&cpu(threads))) {
            for quantity in a.available_quantities() {
                let bits = |maps: &FluxMaps| cube(maps, quantity).mapv(f64::to_bits);
                assert_eq!(bits(a), bits(b), "{} with {threads} threads", quantity.name());
            }
        }
    }
    for (a, b) in one.iter().zip(&both(&Backend::reference())) {
        for quantity in a.available_quantities() {
            let (a, b) = (cube(a, quantity), cube(b, quantity));
            assert!(a.iter().zip(&b).all(|(a, b)| close(*a, *b)), "{}", quantity.name());
        }
    }
}

#[test]
fn pixels_without_exposure_have_counts_but_no_flux() {
    let mut dataset = dataset();
    dataset.exposure = Some(map("energy_true", "m2 s", |(_, _, x)| if x < 11 { 0.0 } else { 1e13 }));
    let report = estimator().run_with(&dataset, &cpu(1), &crate::Control::new()).unwrap();
    for quantity in ALL {
        let values = cube(&report.maps, quantity);
        assert!(values.iter().all(|v| !v.is_infinite()), "{}", quantity.name());
        let is_flux = quantity.name().starts_with("norm");
        // Radius 2.5: the first pixel that sees an exposure is 2 pixels before it.
        assert_eq!(values[[0, 8, 8]].is_nan(), is_flux, "{}", quantity.name());
        assert!(values[[0, 8, 9]].is_finite(), "{}", quantity.name());
    }
    assert!(report.status_counts["no_exposure"] > 0 && report.warnings.iter().any(|w| w.contains("no exposure")));

    for (bad, word) in
        [(0.0, "no exposure"), (f64::NAN, "no exposure"), (-1.0, "negative"), (f64::INFINITY, "infinite")]
    {
        dataset.exposure = Some(map("energy_true", "m2 s", |_| bad));
        let error = estimator().run(&dataset, &cpu(1)).unwrap_err().to_string();
        assert!(error.contains(word), "{bad}: {error}");
    }
    dataset.exposure = None;
    assert!(estimator().run(&dataset, &cpu(1)).unwrap_err().to_string().contains("exposure"));
}

#[test]
fn zero_counts_are_counts() {
    let mut dataset = dataset();
    dataset.counts = Some(map("energy", "", |_| 0.0));
    let maps = estimator().run(&dataset, &cpu(1)).unwrap();
    let at = |quantity| cube(&maps, quantity)[[0, 8, 12]];
    assert_eq!((at(FluxQuantity::Counts), at(FluxQuantity::NormErr), at(FluxQuantity::NormErrn)), (0.0, 0.0, 0.0));
    assert!(at(FluxQuantity::SqrtTs) < 0.0 && at(FluxQuantity::Ts) > 0.0);
    assert!(at(FluxQuantity::NormUl) > 0.0 && at(FluxQuantity::NormErrp) > 0.0);
    assert!(at(FluxQuantity::NormSensitivity) > 0.0);

    // Neither on nor off counts: alpha is known from the acceptances, so there is a limit.
    let mut on_off = on_off();
    on_off.on.counts = Some(map("energy", "", |_| 0.0));
    on_off.counts_off = Some(map("energy", "", |_| 0.0));
    for correlate_off in [true, false] {
        let report =
            estimator().correlate_off(correlate_off).run_with(&on_off, &cpu(1), &crate::Control::new()).unwrap();
        let at = |quantity| cube(&report.maps, quantity)[[0, 8, 12]];
        assert_eq!((at(FluxQuantity::Counts), at(FluxQuantity::Ts), at(FluxQuantity::SqrtTs)), (0.0, 0.0, 0.0));
        assert!(at(FluxQuantity::NormUl) > 0.0 && at(FluxQuantity::NormErrp) > 0.0 && at(FluxQuantity::Alpha) > 0.0);
        assert!(report.status_counts["no_off_counts"] > 0);
    }
}

/// Bins without a known background: their counts are not an excess.
#[test]
fn undefined_backgrounds_are_left_out() {
    let mut dataset = dataset();
    dataset.mask_safe = None;
    let hole = |y: usize, x: usize| y < 9 && x < 12;
    let full = dataset.background.clone().unwrap().to_cube_f64();
    dataset.background = Some(map("energy", "", |(e, y, x)| if hole(y, x) { f64::NAN } else { full[[e, y, x]] }));
    let maps = estimator().run(&dataset, &cpu(1)).unwrap();
    let counts = cube(&maps, FluxQuantity::Counts);
    let wanted = disk(8, 12, |y, x| if hole(y, x) { 0.0 } else { (0..3).map(|e| self::counts((e, y, x))).sum() });
    assert_eq!(counts[[0, 8, 12]], wanted);
    assert!(counts[[0, 2, 2]].is_nan(), "nothing but the hole in its disk");

    let mut on_off = on_off();
    on_off.on.mask_safe = None;
    let full = on_off.acceptance_off.clone().unwrap().to_cube_f64();
    on_off.acceptance_off = Some(map("energy", "", |(e, y, x)| if hole(y, x) { 0.0 } else { full[[e, y, x]] }));
    let maps = estimator().run(&on_off, &cpu(1)).unwrap();
    assert_eq!(cube(&maps, FluxQuantity::Counts)[[0, 8, 12]], wanted);
    assert!(cube(&maps, FluxQuantity::Ts)[[0, 2, 2]].is_nan());
}

/// A uniform exposure has that mean also beside the border of mask_fit.
#[test]
fn mean_exposures_are_means_of_what_is_summed() {
    let mut dataset = dataset();
    dataset.mask_safe = None;
    dataset.mask_fit = Some(mask(|_, _, x| x > 7));
    dataset.exposure = Some(map("energy_true", "m2 s", |_| 1e13));
    let maps = estimator().run(&dataset, &cpu(1)).unwrap();
    let (norm, excess) = (cube(&maps, FluxQuantity::Norm), cube(&maps, FluxQuantity::NpredExcess));
    let ratio = |x: usize| excess[[0, 8, x]] / norm[[0, 8, x]];
    assert!(norm[[0, 8, 7]].is_nan());
    for x in 8..NX {
        assert!((ratio(x) / ratio(15) - 1.0).abs() < 1e-12, "{x}: {} {}", ratio(x), ratio(15));
    }
}

#[test]
fn known_sources_are_no_excess() {
    let mut on_off = on_off();
    on_off.on.mask_safe = None;
    let before = cube(&estimator().run(&on_off, &cpu(1)).unwrap(), FluxQuantity::NpredExcess);
    let spatial = ConstantSpatialModel::default();
    let spectral = PowerLawSpectralModel::new(2.0, 1e-12, 1.0);
    on_off.on.models.components.push(Model::Sky(SkyModel::new("glow", Arc::new(spectral), Some(Arc::new(spatial)))));
    let signal = on_off.npred_signal(None, &cpu(1), &crate::Control::new()).unwrap().to_cube_f64();
    assert!(signal.sum() > 0.0);
    let maps = estimator().run(&on_off, &cpu(1)).unwrap();
    let after = cube(&maps, FluxQuantity::NpredExcess);
    for (y, x) in [(8, 12), (0, 0), (16, 3)] {
        let known = disk(y, x, |y, x| (0..3).map(|e| signal[[e, y, x]]).sum());
        assert!(
            close(after[[0, y, x]], before[[0, y, x]] - known),
            "{} {} {known}",
            after[[0, y, x]],
            before[[0, y, x]]
        );
    }
    assert_eq!(maps.meta.entries["null_models"], "glow");
}

#[test]
fn thresholds_raise_sensitivities() {
    let dataset = dataset();
    let sensitivity = |estimator: &ExcessMapEstimator| {
        cube(&estimator.run(&dataset, &cpu(1)).unwrap(), FluxQuantity::NormSensitivity)
    };
    let norm = estimator().run(&dataset, &cpu(1)).unwrap();
    let exposure = cube(&norm, FluxQuantity::NpredExcess)[[0, 8, 12]] / cube(&norm, FluxQuantity::Norm)[[0, 8, 12]];
    let background = cube(&norm, FluxQuantity::Counts)[[0, 8, 12]] - cube(&norm, FluxQuantity::NpredExcess)[[0, 8, 12]];
    let plain = sensitivity(&estimator())[[0, 8, 12]] * exposure;
    let at = |gamma_min: f64, fraction: f64| {
        let estimator = estimator().apply_threshold_sensitivity(true).gamma_min_sensitivity(gamma_min);
        sensitivity(&estimator.bkg_syst_fraction_sensitivity(fraction))[[0, 8, 12]] * exposure
    };
    assert!(close(at(0.0, 0.0), plain));
    assert!(close(at(plain + 7.0, 0.0), plain + 7.0));
    assert!(close(at(1.0, 50.0), 50.0 * background));
    let more = sensitivity(&estimator().n_sigma_sensitivity(7.0))[[0, 8, 12]] * exposure;
    assert!(more > plain);

    // Without any background every count is significant; the least number of them still says something.
    let mut empty = dataset.clone();
    empty.background = Some(map("energy", "", |_| 0.0));
    let run =
        |estimator: ExcessMapEstimator| cube(&estimator.run(&empty, &cpu(1)).unwrap(), FluxQuantity::NormSensitivity);
    assert!(run(estimator())[[0, 8, 12]].is_nan());
    assert!(close(run(estimator().apply_threshold_sensitivity(true))[[0, 8, 12]] * exposure, 10.0));
}

#[test]
fn options_that_cannot_be() {
    let dataset = dataset();
    let message = |estimator: ExcessMapEstimator| estimator.run(&dataset, &cpu(1)).unwrap_err().to_string();
    for (estimator, word) in [
        (estimator().correlation_radius(Angle::deg(0.0)), "correlation_radius"),
        (estimator().correlation_radius(Angle::deg(-1.0)), "correlation_radius"),
        (estimator().correlation_radius(Angle::deg(f64::NAN)), "correlation_radius"),
        (estimator().correlation_radius(Angle::deg(2.4)), "width of the map"),
        (estimator().n_sigma(0.0), "n_sigma"),
        (estimator().n_sigma_ul(-2.0), "n_sigma_ul"),
        (estimator().n_sigma_sensitivity(f64::INFINITY), "n_sigma_sensitivity"),
        (estimator().gamma_min_sensitivity(-1.0), "gamma_min"),
        (estimator().bkg_syst_fraction_sensitivity(f64::NAN), "bkg_syst"),
        (estimator().selection_optional("ul,alpha".parse().unwrap()), "off counts"),
        (estimator().energy_edges(EnergyEdges::All).sum_over_energy_groups(true), "contradicts"),
        (estimator().energy_edges(EnergyEdges::Edges(vec![Energy::tev(1.0), Energy::tev(1.01)])), "leave no bin"),
    ] {
        let message = message(estimator);
        assert!(message.contains(word), "{word}: {message}");
    }
    assert!("ul,limits".parse::<ExcessSelection>().unwrap_err().to_string().contains("limits"));
    let masked = MapDataset { mask_safe: Some(mask(|_, _, _| false)), ..dataset.clone() };
    assert!(estimator().run(&masked, &cpu(1)).unwrap_err().to_string().contains("unmasked"));
    let no_background = MapDataset { background: None, ..dataset.clone() };
    assert!(estimator().run(&no_background, &cpu(1)).unwrap_err().to_string().contains("background"));
    let negative = MapDataset { counts: Some(map("energy", "", |_| -1.0)), ..dataset };
    assert!(estimator().run(&negative, &cpu(1)).unwrap_err().to_string().contains("counts"));
    for part in ["counts_off", "acceptance", "acceptance_off"] {
        let mut on_off = on_off();
        match part {
            "counts_off" => on_off.counts_off = None,
            "acceptance" => on_off.acceptance = None,
            _ => on_off.acceptance_off = None,
        }
        assert!(estimator().run(&on_off, &cpu(1)).unwrap_err().to_string().contains(part), "{part}");
    }
}

/// One group is the default whatever `sum_over_energy_groups` says; `all` has every bin, and the options stand in the meta
/// data.
#[test]
fn energy_groups_and_meta() {
    let dataset = dataset();
    let bins =
        |estimator: ExcessMapEstimator| estimator.run(&dataset, &cpu(1)).unwrap().geom().axis("energy").unwrap().nbin();
    assert_eq!(bins(estimator()), 1);
    assert_eq!(bins(estimator().sum_over_energy_groups(true)), 1);
    assert_eq!(bins(estimator().energy_edges(EnergyEdges::All)), ENERGIES);
    let maps = estimator().n_sigma_ul(3.0).run(&dataset, &cpu(1)).unwrap();
    assert_eq!(maps.meta.n_sigma_ul, 3.0);
    assert_eq!(maps.meta.entries["correlation_radius_deg"], "0.25");
    assert_eq!(maps.meta.entries["estimator"], "ExcessMapEstimator");
}
