//! Flux maps combined through their likelihoods are the joint fit of their data.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::sync::Arc;

use crate::support::field::{cpu, dataset, image, source};
use pevatron::datasets::MapDataset;
use pevatron::estimators::{CombineMethod, EnergyEdges, Selection, TsMapEstimator, combine_flux_maps};
use pevatron::flux::{FluxMaps, FluxQuantity};
use pevatron::models::SkyModel;
use pevatron::models::spatial::{GaussianSpatialModel, PointSpatialModel};
use pevatron::models::spectral::PowerLawSpectralModel;
use pevatron::units::{Angle, Energy};
use pevatron::{Control, Error};

/// A field with a bright and a faint source, observed twice (or more often).
fn halves(n: u64) -> Vec<MapDataset> {
    let geom = image(31, 25);
    let sources = [source("a", &geom, (9.0, 12.0), 1.5), source("b", &geom, (22.0, 13.0), 0.3)];
    (0..n).map(|seed| dataset(&geom, &sources, 1.0, 40 + seed)).collect()
}

fn estimator() -> TsMapEstimator {
    TsMapEstimator::new()
        .kernel_width(Angle::deg(0.7))
        .sum_over_energy_groups(false)
        .energy_edges(EnergyEdges::Edges([1.0, 9.0, 30.0].map(Energy::tev).to_vec()))
}

fn with_scan() -> TsMapEstimator {
    estimator().selection_optional(Selection { stat_scan: true, ..Selection::default() })
}

fn with_errors() -> TsMapEstimator {
    estimator().selection_optional(Selection { errn_errp: true, ul: true, ..Selection::default() })
}

fn maps(estimator: &TsMapEstimator, data: &[MapDataset]) -> FluxMaps {
    estimator.run(data, &cpu(2)).unwrap()
}

fn values(maps: &FluxMaps, quantity: FluxQuantity) -> Vec<f64> {
    maps.get(quantity).unwrap().data().iter().collect()
}

/// Differences of a quantity in errors of the pixel, ascending by size; pixels where the joint norm is positive.
fn deviations(combined: &FluxMaps, joint: &FluxMaps, quantity: FluxQuantity) -> Vec<f64> {
    let (error, norm) = (values(joint, FluxQuantity::NormErr), values(joint, FluxQuantity::Norm));
    let (own, theirs): (Vec<f64>, Vec<f64>) = if quantity == FluxQuantity::Ts {
        let root = |m: &FluxMaps| m.sqrt_ts().unwrap().data().iter().collect::<Vec<f64>>();
        (root(combined), root(joint))
    } else {
        (values(combined, quantity), values(joint, quantity))
    };
    let mut list: Vec<f64> = (0..own.len())
        .filter(|i| norm[*i] > 0.0)
        .map(|i| (own[i] - theirs[i]).abs() / if quantity == FluxQuantity::Ts { 1.0 } else { error[i] })
        .collect();
    list.sort_by(f64::total_cmp);
    assert!(list.len() > 300 && list.iter().all(|d| d.is_finite()), "{quantity:?}");
    list
}

const QUANTITIES: [FluxQuantity; 6] = [
    FluxQuantity::Norm,
    FluxQuantity::NormErr,
    FluxQuantity::NormErrn,
    FluxQuantity::NormErrp,
    FluxQuantity::NormUl,
    FluxQuantity::Ts,
];

#[test]
fn profiles_of_two_halves_are_the_joint_fit() {
    let data = halves(2);
    let joint = maps(&with_errors(), &data);
    let (a, b) = (maps(&with_scan(), &data[..1]), maps(&with_scan(), &data[1..]));
    let report = combine_flux_maps(&[("a", &a), ("b", &b)], false, &Control::new()).unwrap();
    assert_eq!(report.methods, [CombineMethod::Profile; 2]);
    assert_eq!(report.pixels, 2 * 31 * 25);
    for quantity in QUANTITIES {
        let list = deviations(&report.maps, &joint, quantity);
        let (median, most) = (list[list.len() / 2], list[list.len() - 1]);
        println!("profile {:<10} median {median:.5} largest {most:.5} sigma", quantity.name());
        // The symmetric error of the fit is that of the curvature, the combined one the mean of both sides; the lower
        // error may reach down to where predicted counts become negative.
        let bound = match quantity {
            FluxQuantity::NormErr => 0.1,
            FluxQuantity::NormErrn => 0.05,
            _ => 0.01,
        };
        assert!(most < bound, "{}: {most}", quantity.name());
    }
    for quantity in [FluxQuantity::StatNull, FluxQuantity::Stat] {
        let (own, theirs) = (values(&report.maps, quantity), values(&joint, quantity));
        let norm = values(&joint, FluxQuantity::Norm);
        let fit = |i: &usize| norm[*i] > 0.0;
        assert!((0..own.len()).filter(fit).all(|i| (own[i] - theirs[i]).abs() < 0.02), "{}", quantity.name());
    }
}

#[test]
fn errors_of_two_halves_are_close_to_the_joint_fit() {
    let data = halves(2);
    let joint = maps(&with_errors(), &data);
    let (a, b) = (maps(&with_errors(), &data[..1]), maps(&with_errors(), &data[1..]));
    let report = combine_flux_maps(&[("a", &a), ("b", &b)], false, &Control::new()).unwrap();
    assert_eq!(report.methods, [CombineMethod::AsymmetricErrors; 2]);
    for quantity in QUANTITIES {
        let list = deviations(&report.maps, &joint, quantity);
        let (median, most, part) = (list[list.len() / 2], list[list.len() - 1], list[list.len() * 95 / 100]);
        println!("errors {:<10} median {median:.4} 95 % {part:.4} largest {most:.4} sigma", quantity.name());
        // Limits are twice as far from the best fit, where the approximation knows nothing.
        let (bound, bound_most) = match quantity {
            FluxQuantity::NormUl => (0.5, 2.5),
            FluxQuantity::Ts => (0.15, 1.5),
            _ => (0.15, 1.0),
        };
        assert!(median < 0.06 && part < bound && most < bound_most, "{}: {median} {part} {most}", quantity.name());
    }
    // Profiles can be left aside; then it is the errors that are read off them.
    let scan = (maps(&with_scan(), &data[..1]), maps(&with_scan(), &data[1..]));
    let report = combine_flux_maps(&[("a", &scan.0), ("b", &scan.1)], true, &Control::new()).unwrap();
    assert_eq!(report.methods, [CombineMethod::AsymmetricErrors; 2]);
    assert!(report.maps.get(FluxQuantity::StatScan).is_none());
    // One of each: said so.
    let report = combine_flux_maps(&[("a", &scan.0), ("b", &b)], false, &Control::new()).unwrap();
    assert_eq!(report.methods, [CombineMethod::Profile, CombineMethod::AsymmetricErrors]);
    assert!(report.maps.meta.entries["inputs"].contains("a (profile), b (asymmetric errors)"));
}

#[test]
fn the_order_of_combining_does_not_matter() {
    let data = halves(3);
    let all: Vec<FluxMaps> = data.iter().map(|d| maps(&with_scan(), std::slice::from_ref(d))).collect();
    let combine = |inputs: &[(&str, &FluxMaps)]| combine_flux_maps(inputs, false, &Control::new()).unwrap().maps;
    let at_once = combine(&[("a", &all[0]), ("b", &all[1]), ("c", &all[2])]);
    let first = combine(&[("a", &all[0]), ("b", &all[1])]);
    let stepwise = combine(&[("ab", &first), ("c", &all[2])]);
    let backwards = combine(&[("c", &all[2]), ("b", &all[1]), ("a", &all[0])]);
    for quantity in QUANTITIES {
        let (steps, order) = (deviations(&stepwise, &at_once, quantity), deviations(&backwards, &at_once, quantity));
        println!(
            "{}: stepwise {:.5}, backwards {:.1e}",
            quantity.name(),
            steps[steps.len() - 1],
            order[order.len() - 1]
        );
        assert!(steps[steps.len() - 1] < 0.02, "{}", quantity.name());
        assert!(order[order.len() - 1] < 1e-6, "{}", quantity.name());
    }
}

fn kernel(index: f64, amplitude: f64) -> SkyModel {
    let spatial = Arc::new(PointSpatialModel::default());
    SkyModel::new("k", Arc::new(PowerLawSpectralModel::new(index, amplitude, 1.0)), Some(spatial))
}

#[test]
fn amplitudes_of_reference_models_are_converted() {
    let data = halves(2);
    let a = maps(&with_scan(), &data[..1]);
    let same = maps(&with_scan(), &data[1..]);
    let other = maps(&with_scan().kernel_model(kernel(2.0, 4e-13)), &data[1..]);
    let plain = combine_flux_maps(&[("a", &a), ("b", &same)], false, &Control::new()).unwrap().maps;
    let converted = combine_flux_maps(&[("a", &a), ("b", &other)], false, &Control::new()).unwrap().maps;
    for quantity in QUANTITIES {
        let list = deviations(&converted, &plain, quantity);
        // The grids of scanned norms differ.
        assert!(list[list.len() - 1] < 0.01, "{}: {}", quantity.name(), list[list.len() - 1]);
    }
    let errors = (maps(&with_errors(), &data[1..]), maps(&with_errors().kernel_model(kernel(2.0, 4e-13)), &data[1..]));
    let plain = combine_flux_maps(&[("a", &a), ("b", &errors.0)], true, &Control::new()).unwrap().maps;
    let converted = combine_flux_maps(&[("a", &a), ("b", &errors.1)], true, &Control::new()).unwrap().maps;
    for quantity in QUANTITIES {
        let list = deviations(&converted, &plain, quantity);
        assert!(list[list.len() - 1] < 0.01, "{}: {}", quantity.name(), list[list.len() - 1]);
    }
}

#[test]
fn maps_that_do_not_belong_together_are_named() {
    let data = halves(1);
    let a = maps(&with_errors(), &data);
    let refused = |b: &FluxMaps, words: &[&str]| {
        let error =
            combine_flux_maps(&[("a.fits", &a), ("b.fits", b)], false, &Control::new()).unwrap_err().to_string();
        assert!(error.contains("b.fits"), "{error}");
        words.iter().for_each(|w| assert!(error.contains(w), "'{w}' is not in {error}"));
    };
    let larger = image(33, 25);
    refused(&maps(&with_errors(), &[dataset(&larger, &[], 1.0, 1)]), &["33 x 25", "31 x 25", "a.fits"]);
    let shifted = image(31, 27).slice(2..27, 0..31).unwrap();
    refused(&maps(&with_errors(), &[dataset(&shifted, &[], 1.0, 1)]), &["elsewhere", "a.fits"]);
    refused(&maps(&with_errors().energy_edges(EnergyEdges::Whole), &data), &["energy", "edges"]);
    refused(
        &maps(&with_errors().kernel_model(kernel(2.3, 1e-12)), &data),
        &["reference model", "index 2.3", "index 2"],
    );
    let wide = GaussianSpatialModel::new(0.0, 0.0, 0.1, 0.0, 0.0, pevatron::maps::Frame::Icrs);
    let extended = SkyModel { spatial: Some(Arc::new(wide)), ..kernel(2.0, 1e-12) };
    refused(&maps(&with_errors().kernel_model(extended), &data), &["GaussianSpatialModel", "PointSpatialModel"]);
    let mut bare = FluxMaps::new(a.geom().clone(), a.reference_model().clone());
    bare.insert(FluxQuantity::Norm, a.get(FluxQuantity::Norm).unwrap().clone()).unwrap();
    refused(&bare, &["neither a profile nor a norm with errors"]);
    assert!(matches!(combine_flux_maps(&[("a", &a)], false, &Control::new()), Err(Error::Options { .. })));
    let control = Control::new();
    control.cancel();
    assert!(matches!(combine_flux_maps(&[("a", &a), ("b", &a)], false, &control), Err(Error::Cancelled)));
}

/// Where one input has no value, the other decides; where none has, there is none.
#[test]
fn holes_are_filled_by_the_other_input() {
    let data = halves(2);
    let (a, mut b) = (maps(&with_errors(), &data[..1]), maps(&with_errors(), &data[1..]));
    let mut norm = b.get(FluxQuantity::Norm).unwrap().to_cube_f64();
    norm[[0, 3, 4]] = f64::NAN;
    let map = pevatron::maps::Map::from_cube(b.geom().clone(), Default::default(), norm).unwrap();
    b.insert(FluxQuantity::Norm, map.clone()).unwrap();
    let report = combine_flux_maps(&[("a", &a), ("b", &b)], false, &Control::new()).unwrap();
    let at = |m: &FluxMaps, q| m.get(q).unwrap().to_cube_f64()[[0, 3, 4]];
    assert!((at(&report.maps, FluxQuantity::Norm) - at(&a, FluxQuantity::Norm)).abs() < 1e-6);
    let both = combine_flux_maps(&[("b", &b), ("b", &b)], false, &Control::new()).unwrap();
    assert!(at(&both.maps, FluxQuantity::Norm).is_nan() && at(&both.maps, FluxQuantity::Ts).is_nan());
    assert_eq!(both.pixels + 1, report.pixels);
    for quantity in QUANTITIES {
        assert!(values(&report.maps, quantity).iter().all(|v| !v.is_infinite()), "{}", quantity.name());
    }
}
