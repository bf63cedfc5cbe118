//! Fits whose results are known in closed form, and what errors and limits must fulfil.

use approx::assert_relative_eq;

use super::*;

fn window(bins: &[(f64, f64, f64)]) -> Window {
    let mut window = Window::default();
    for (n, b, m) in bins {
        window.push(*n, *b, *m);
    }
    window
}

fn fit(bins: &[(f64, f64, f64)]) -> WindowFit {
    fit_window(&window(bins), None, &TsMapSettings { sensitivity: true, ..TsMapSettings::default() })
}

#[test]
fn single_bin_follows_the_closed_form() {
    let (n, b, m, rest) = (3.0, 0.5, 0.2, 0.7);
    let f = fit(&[(n, b, m), (0.0, 1.0, rest)]);
    let total = m + rest;
    // Here the closed form lies above the bound -1/0.7.
    assert_relative_eq!(f.norm, n / total - b / m, epsilon = 1e-14);
    assert_relative_eq!(f.norm_err, n.sqrt() / total, max_relative = 1e-12);
    let c = m / b;
    assert_relative_eq!(f.ts, 2.0 * (n * (n * c / total).ln() - n + total / c), max_relative = 1e-10);
    assert_eq!(f.status, TsMapStatus::SINGLE_BIN);
}

#[test]
fn window_without_counts_sits_at_the_bound_with_linear_errors() {
    let f = fit(&[(0.0, 0.5, 0.2), (0.0, 1.0, 0.8)]);
    assert_relative_eq!(f.norm, -1.25);
    assert_eq!(f.norm_err, f64::INFINITY);
    assert!(f.errn.is_nan());
    assert_relative_eq!(f.errp, 0.5, max_relative = 1e-14);
    assert_relative_eq!(f.ul, -1.25 + 2.0, max_relative = 1e-14);
    assert_relative_eq!(f.ts, 2.0 * 1.25, max_relative = 1e-14);
    assert_eq!(f.status, TsMapStatus::NO_COUNTS | TsMapStatus::AT_BOUND | TsMapStatus::NO_ERRN);
}

#[test]
fn counts_without_model_bin_leave_the_bound() {
    let f = fit(&[(4.0, 0.5, 0.0), (0.0, 1.0, 0.8)]);
    assert_relative_eq!(f.norm, -1.25);
    assert_eq!(f.norm_err, f64::INFINITY);
    assert_relative_eq!(f.errp, 1.0 / 1.6, max_relative = 1e-14);
    assert_ne!(f.status & TsMapStatus::COUNTS_WITHOUT_MODEL, 0);
}

#[test]
fn no_model_gives_no_norm_but_statistics() {
    let f = fit(&[(4.0, 0.5, 0.0), (0.0, 1.0, 0.0)]);
    assert!(f.norm.is_nan() && f.norm_err.is_nan() && f.ul.is_nan() && f.sensitivity.is_nan());
    assert_eq!(f.ts, 0.0);
    assert_relative_eq!(f.stat_null, 2.0 * (1.5 - 4.0 * 0.5f64.ln()), max_relative = 1e-14);
    assert_eq!(f.status, TsMapStatus::NO_MODEL);
}

#[test]
fn empty_window_has_no_model() {
    let f = fit(&[]);
    assert_eq!(f.status, TsMapStatus::NO_MODEL);
    assert_eq!((f.ts, f.stat_null, f.npred_null), (0.0, 0.0, 0.0));
}

#[test]
fn zero_background_without_counts_bounds_the_norm_at_zero() {
    let f = fit(&[(0.0, 0.0, 0.2), (1.0, 5.0, 0.8)]);
    assert_eq!(f.norm, 0.0);
    assert_ne!(f.status & TsMapStatus::ZERO_BACKGROUND, 0);
    assert_ne!(f.status & TsMapStatus::AT_BOUND, 0);
    // Left of 0 the first bin is truncated: only the second one's npred still falls.
    let y = f.norm - f.errn;
    let rise = 2.0 * (0.8 * y - (1.0 + 0.8 * y / 5.0f64).ln());
    assert_relative_eq!(rise, 1.0, max_relative = 1e-9);
}

#[test]
fn zero_background_with_counts_gains_from_truncation() {
    let f = fit(&[(2.0, 0.0, 0.5), (0.0, 1.0, 0.5)]);
    assert_relative_eq!(f.norm, 2.0, max_relative = 1e-14);
    let gain = 2.0 * (2.0 * ((2.0f64 * 0.5).ln() - TRUNCATION_VALUE.ln()) - 2.0);
    assert_relative_eq!(f.ts, gain, max_relative = 1e-12);
    assert_eq!(f.status, TsMapStatus::SINGLE_BIN | TsMapStatus::ZERO_BACKGROUND);
}

#[test]
fn errors_reach_the_wanted_rise() {
    let w = window(&[(1.0, 0.3, 0.1), (2.0, 0.4, 0.6), (0.0, 2.0, 0.2), (7.0, 3.0, 0.4)]);
    let f = fit_window(&w, None, &TsMapSettings::default());
    let best = stat(&w, f.norm);
    assert_relative_eq!(stat(&w, f.norm - f.errn) - best, 1.0, max_relative = 1e-11);
    assert_relative_eq!(stat(&w, f.norm + f.errp) - best, 1.0, max_relative = 1e-11);
    assert_relative_eq!(stat(&w, f.ul) - best, 4.0, max_relative = 1e-11);
    assert_relative_eq!(stat(&w, 0.0) - best, f.ts, max_relative = 1e-11);
    assert_relative_eq!(stat_rise(&w, f.norm), -f.ts, max_relative = 1e-14);
}

#[test]
fn errn_of_a_clipped_norm_lies_beyond_the_minimum() {
    let w = window(&[(1.0, 2.0, 0.1), (0.0, 0.05, 0.8), (0.0, 3.0, 0.6)]);
    let f = fit_window(&w, None, &TsMapSettings::default());
    assert_relative_eq!(f.norm, -0.0625);
    let rise = |y: f64| stat(&w, y) - stat(&w, f.norm);
    assert_relative_eq!(rise(f.norm - f.errn), 1.0, max_relative = 1e-9);
    assert!((1..1000).all(|i| rise(f.norm - f.errn * f64::from(i) / 1000.0) < 1.0), "not the nearest crossing");
}

#[test]
fn faint_counts_may_have_no_lower_error() {
    // The truncated statistic rises by 2 n 57.6 at most, which n = 0.001 keeps below 1.
    let f = fit(&[(0.001, 1.0, 0.5)]);
    assert!(f.errn.is_nan());
    assert_ne!(f.status & TsMapStatus::NO_ERRN, 0);
}

#[test]
fn bright_source_keeps_its_digits() {
    let f = fit(&[(1e6, 0.01, 0.9), (1e5, 0.01, 0.1)]);
    assert_relative_eq!(f.norm_err, (1.1e6f64).sqrt(), max_relative = 1e-3);
    assert_relative_eq!(f.errn / f.norm_err, 1.0, max_relative = 1e-3);
    assert_relative_eq!(f.errp / f.norm_err, 1.0, max_relative = 1e-3);
}

#[test]
fn threshold_keeps_the_guess() {
    let w = window(&[(1.0, 0.3, 0.1), (2.0, 0.4, 0.6)]);
    let settings = TsMapSettings { threshold: Some(100.0), ..TsMapSettings::default() };
    let f = fit_window(&w, Some(0.5), &settings);
    assert_eq!((f.norm, f.niter), (0.5, 0));
    assert_relative_eq!(f.ts, stat(&w, 0.0) - stat(&w, 0.5), max_relative = 1e-11);
    assert_relative_eq!(stat(&w, 0.5 + f.errp) - stat(&w, 0.5), 1.0, max_relative = 1e-11);
    assert_ne!(f.status & TsMapStatus::BELOW_THRESHOLD, 0);
    let high = fit_window(&w, Some(0.5), &TsMapSettings { threshold: Some(0.0), ..settings });
    assert!(high.niter > 0);
}

#[test]
fn sensitivity_has_the_wanted_asimov_ts() {
    for background in [0.0, 1e-3, 20.0] {
        let bins = [(1.0, background, 0.1), (0.0, 0.4, 0.6), (3.0, 20.0, 0.3)];
        let x = fit(&bins).sensitivity;
        let asimov: Vec<_> = bins.iter().map(|(_, b, m)| (b + x * m, *b, *m)).collect();
        let w = window(&asimov);
        assert_relative_eq!(stat(&w, 0.0) - stat(&w, x), 25.0, max_relative = 1e-9);
    }
}
