//! Epochs of any depth combined from their errors are the joint fit of their data, or say where they are not.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod support;

use pevatron::Control;
use pevatron::compute::Backend;
use pevatron::datasets::MapDataset;
use pevatron::estimators::{CombineReport, EnergyEdges, Selection, TsMapEstimator, combine_flux_maps};
use pevatron::flux::{FluxMaps, FluxQuantity};
use pevatron::kernels::TsMapStatus;
use pevatron::maps::{Map, WcsGeom};
use pevatron::models::{Model, Models, SkyModel};
use pevatron::simulate::fake_counts;
use pevatron::units::{Angle, Energy};
use support::field::{cpu, dataset, image, source};

/// An observation of a share of the full exposure, with that share of the background.
fn epoch(geom: &WcsGeom, sources: &[SkyModel], background: f64, share: f64, seed: u64) -> MapDataset {
    let mut data = dataset(geom, &[], background, seed);
    let scaled = |map: &Map| {
        Map::from_cube(map.geom().clone(), map.unit().clone(), map.to_cube_f64().mapv(|v| v * share)).unwrap()
    };
    data.exposure = data.exposure.as_ref().map(scaled);
    data.background = data.background.as_ref().map(scaled);
    data.models = Models { components: sources.iter().cloned().map(Model::Sky).collect() };
    let npred = data.npred(&Backend::reference(), &Control::new()).unwrap();
    data.counts = Some(fake_counts(&npred, seed).unwrap());
    data.models = Models::default();
    data
}

fn estimator(selection: Selection) -> TsMapEstimator {
    TsMapEstimator::new()
        .kernel_width(Angle::deg(0.5))
        .sum_over_energy_groups(false)
        .energy_edges(EnergyEdges::Edges([1.0, 9.0, 30.0].map(Energy::tev).to_vec()))
        .selection_optional(selection)
}

const ERRORS: Selection = Selection { errn_errp: true, ul: true, stat_scan: false, sensitivity: false };
const PROFILES: Selection = Selection { stat_scan: true, ..ERRORS };

fn values(maps: &FluxMaps, quantity: FluxQuantity) -> Vec<f64> {
    match quantity {
        FluxQuantity::SqrtTs => maps.sqrt_ts().unwrap().data().iter().collect(),
        _ => maps.get(quantity).unwrap().data().iter().collect(),
    }
}

/// What a comparison with the joint fit found.
#[derive(Debug, Default)]
struct Found {
    pixels: usize,
    marked: usize,
    /// Largest deviation of pixels that are not marked, in errors, and where.
    worst: f64,
    of: String,
    /// Pixels of those that are off by more than a tenth.
    off: usize,
}

fn compare(report: &CombineReport, joint: &FluxMaps, name: &str, found: &mut Found) {
    let status = values(&report.maps, FluxQuantity::Status);
    let joint_status = values(joint, FluxQuantity::Status);
    let (err, errp) = (values(joint, FluxQuantity::NormErr), values(joint, FluxQuantity::NormErrp));
    let bound = |i: usize| joint_status[i] as u32 & TsMapStatus::AT_BOUND != 0;
    let sigma = |i: usize| if bound(i) || !err[i].is_finite() { errp[i] } else { err[i] };
    found.pixels += status.len();
    found.marked += status.iter().filter(|s| **s as u32 & TsMapStatus::APPROXIMATE != 0).count();
    let mut off = vec![false; status.len()];
    for quantity in
        [FluxQuantity::Norm, FluxQuantity::NormErr, FluxQuantity::NormErrp, FluxQuantity::NormUl, FluxQuantity::SqrtTs]
    {
        let (own, theirs) = (values(&report.maps, quantity), values(joint, quantity));
        for i in 0..own.len() {
            // The curvature at a bound is that of a slope: it says nothing of an error.
            if status[i] as u32 & TsMapStatus::APPROXIMATE != 0 || (quantity == FluxQuantity::NormErr && bound(i)) {
                continue;
            }
            let scale = if quantity == FluxQuantity::SqrtTs { 1.0 } else { sigma(i) };
            let deviation = (own[i] - theirs[i]).abs() / scale;
            off[i] |= !(deviation <= 0.1);
            if !(deviation <= found.worst) {
                found.worst = deviation;
                found.of = format!(
                    "{name}, {} at {i}: {} for {}, status {} for {}",
                    quantity.name(),
                    own[i],
                    theirs[i],
                    status[i],
                    joint_status[i]
                );
            }
        }
    }
    found.off += off.iter().filter(|o| **o).count();
}

/// Shares of exposure of the epochs: alike, one deep, far apart.
const EPOCHS: [&[f64]; 6] = [
    &[0.5, 0.5],
    &[0.99, 0.01],
    &[0.999, 0.001],
    &[0.4, 0.35, 0.25],
    &[0.9, 0.07, 0.03],
    &[0.5, 0.3, 0.15, 0.04, 0.01],
];

fn skies(selection: Selection, only_errors: bool, each: impl Fn(f64, usize, &Found)) {
    let geom = image(17, 15);
    let engine = cpu(2);
    // Windows of about 200 pixels and energies.
    for (level, counts) in [1e-4, 1e-3, 0.01, 0.1, 0.5].into_iter().enumerate() {
        for (number, shares) in EPOCHS.iter().enumerate() {
            let mut found = Found::default();
            let amplitude = 0.3 * f64::sqrt(counts) + 0.03;
            let sources = [source("a", &geom, (5.0, 8.0), amplitude), source("b", &geom, (12.0, 6.0), 0.3 * amplitude)];
            let seed = 1000 + 100 * level as u64 + 10 * number as u64;
            let data: Vec<MapDataset> =
                shares.iter().zip(seed..).map(|(share, seed)| epoch(&geom, &sources, counts, *share, seed)).collect();
            let joint = estimator(ERRORS).run(&data, &engine).unwrap();
            let maps: Vec<FluxMaps> =
                data.iter().map(|d| estimator(selection).run(std::slice::from_ref(d), &engine).unwrap()).collect();
            let names: Vec<String> = (0..maps.len()).map(|i| format!("epoch {i}")).collect();
            let inputs: Vec<(&str, &FluxMaps)> = names.iter().map(String::as_str).zip(&maps).collect();
            let report = combine_flux_maps(&inputs, only_errors, &Control::new()).unwrap();
            let marked = values(&report.maps, FluxQuantity::Status);
            let marked = marked.iter().filter(|s| **s as u32 & TsMapStatus::APPROXIMATE != 0).count();
            assert_eq!(report.approximate, marked as u64);
            compare(&report, &joint, &format!("{counts} a bin, {shares:?}"), &mut found);
            each(counts, number, &found);
        }
    }
}

#[test]
fn errors_of_epochs_are_the_joint_fit_or_marked() {
    skies(ERRORS, true, |counts, _, found| {
        println!(
            "{counts}: {} pixels, {} marked, worst {:.3}, {} off: {}",
            found.pixels, found.marked, found.worst, found.off, found.of
        );
    });
}

#[test]
fn profiles_of_epochs_are_the_joint_fit_or_marked() {
    skies(PROFILES, false, |counts, _, found| {
        println!(
            "{counts}: {} pixels, {} marked, worst {:.3}, {} off: {}",
            found.pixels, found.marked, found.worst, found.off, found.of
        );
    });
}
