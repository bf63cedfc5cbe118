//! The f64 solver against stored windows and the solutions of an independent solver.
#![cfg(feature = "fits-system")]

use crate::support;
use pevatron::kernels::TsMapSettings;
use pevatron::kernels::ts_map::{Window, fit_window};

/// Relative to norm_err (to 1 where that is infinite): both sides are f64, so roundings of long sums are all there is.
const SIGMA_LIMIT: f64 = 1e-10;

const CASES: [&str; 7] =
    ["ts-cta-cube", "ts-defaults", "ts-fermi-cube", "ts-fermi-sum", "ts-hess-cube", "ts-joint", "ts-source-model"];

#[test]
fn stored_windows_give_the_stored_solutions() {
    for case in CASES {
        if let Some(folder) = support::golden(case) {
            check_case(case, &folder);
        }
    }
}

fn check_case(case: &str, folder: &std::path::Path) {
    let arrays = support::npz::read(&folder.join("intermediates.npz"));
    let [counts, background, model, offset, result] =
        ["counts", "background", "model", "offset", "result"].map(|name| &arrays[name]);
    let columns = result.len() / (offset.len() - 1);
    let mut worst = [0.0f64; 8];
    for (k, (ends, want)) in offset.windows(2).zip(result.chunks_exact(columns)).enumerate() {
        let range = ends[0] as usize..ends[1] as usize;
        let window = Window {
            counts: counts[range.clone()].to_vec(),
            background: background[range.clone()].to_vec(),
            model: model[range].to_vec(),
        };
        let fit = fit_window(&window, None, &TsMapSettings::default());
        // norm, ts, norm_err, errn, errp, ul, stat, stat_null, flags
        let sigma = if want[2].is_finite() { want[2] } else { 1.0 };
        let root = |ts: f64| ts.abs().sqrt();
        let got = [fit.norm, fit.ts, fit.norm_err, fit.errn, fit.errp, fit.ul, fit.stat_null - fit.ts, fit.stat_null];
        let scales =
            [sigma, root(fit.ts) + root(want[1]) + 0.1, sigma, sigma, sigma, sigma, want[6].abs(), want[7].abs()];
        for (q, ((got, want), scale)) in got.iter().zip(want).zip(scales).enumerate() {
            if got == want || got.is_nan() && want.is_nan() {
                continue;
            }
            let deviation = (got - want).abs() / scale;
            assert!(
                deviation <= SIGMA_LIMIT,
                "{case}, window {k}, quantity {q}: {got} for {want}, off by {deviation:e}"
            );
            worst[q] = worst[q].max(deviation);
        }
    }
    println!("{case}: {} windows, worst deviations {worst:?}", offset.len() - 1);
}
