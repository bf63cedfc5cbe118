//! Compares the output of an engine with that of the reference, pixel by pixel.

use ndarray::{Array2, ArrayView2};
use pevatron::compute::tolerance;
use pevatron::kernels::{TsMapOutput, TsMapStatus};
use pevatron::simulate::synthetic::Case;

/// Largest deviation allowed per quantity.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// norm, errors and limits, in units of norm_err (of errp where that is infinite).
    pub sigma: f64,
    /// TS, as difference of square roots: `|ts_a - ts_b| / max(sqrt|ts_a| + sqrt|ts_b|, 0.1)`.
    pub sqrt_ts: f64,
    /// Median of all of these.
    pub median: f64,
    /// Sums over windows, relative.
    pub sums: f64,
    /// npred_reference, relative.
    pub model: f64,
    /// Convolution, energy dispersion and Cash sum, relative to the largest value.
    pub jobs: f64,
}

/// Single precision passes: rounding and the last step of cubic convergence.
pub const SINGLE: Tolerance = Tolerance {
    sigma: tolerance::SIGMA,
    sqrt_ts: tolerance::SQRT_TS,
    median: 1e-4,
    sums: 1e-12,
    model: 1e-7,
    jobs: tolerance::JOBS_DOUBLE,
};
/// As [`SINGLE`], with kernel, exposure and images rounded to single precision as well.
pub const DEVICE: Tolerance = Tolerance { model: 3e-7, jobs: tolerance::JOBS_DEVICE, ..SINGLE };
/// The same arithmetic in another order.
pub const DOUBLE: Tolerance = Tolerance { sigma: 1e-9, sqrt_ts: 1e-9, median: 1e-10, ..SINGLE };

/// Largest and median deviations of a comparison, by quantity.
pub type Report = Vec<(&'static str, f64, f64)>;

/// Status bits that may differ: a norm within rounding of its bound is on either side.
const FREE_BITS: u32 = TsMapStatus::AT_BOUND;

/// Compares all maps; panics at the worst pixel of a quantity that is off.
pub fn compare(case: &Case, got: &TsMapOutput, want: &TsMapOutput, tolerance: Tolerance) -> Report {
    let name = &case.name;
    let scale = Array2::from_shape_fn(want.norm.dim(), |at| {
        let err = want.norm_err[at];
        match &want.norm_errp {
            Some(errp) if !err.is_finite() => errp[at],
            _ if err.is_finite() => err,
            _ => want.norm[at].abs().max(1e-300),
        }
    });
    let mut report = Vec::new();
    let mut check = |quantity: &'static str,
                     got: &Array2<f64>,
                     want: &Array2<f64>,
                     limit: f64,
                     unit: &dyn Fn((usize, usize)) -> f64| {
        let mut deviations = Vec::new();
        let mut worst = (0.0, (0, 0));
        for (at, (g, w)) in got.indexed_iter().map(|(at, g)| (at, (*g, want[at]))) {
            assert_eq!(
                g.is_nan(),
                w.is_nan(),
                "{name}, {quantity} at {at:?}: {g} for {w}; status {} for {}, norm {}",
                case_status(got, at),
                case_status(want, at),
                scale[at]
            );
            if g == w || g.is_nan() {
                if !g.is_nan() {
                    deviations.push(0.0);
                }
                continue;
            }
            let deviation = (g - w).abs() / unit(at);
            deviations.push(deviation);
            if deviation.is_nan() || deviation > worst.0 {
                worst = (deviation, at);
            }
        }
        let (deviation, at) = worst;
        assert!(
            deviation <= limit,
            "{name}, {quantity}: {} for {} at {at:?}, off by {deviation:.2e}; around: {:?} for {:?}",
            got[at],
            want[at],
            around(got.view(), at),
            around(want.view(), at)
        );
        deviations.sort_by(f64::total_cmp);
        let median = deviations.get(deviations.len() / 2).copied().unwrap_or(0.0);
        assert!(median <= limit.min(tolerance.median), "{name}, {quantity}: median deviation {median:.2e}");
        report.push((quantity, deviation, median));
    };
    let sigma = |at: (usize, usize)| scale[at];
    check("norm", &got.norm, &want.norm, tolerance.sigma, &sigma);
    check("norm_err", &got.norm_err, &want.norm_err, tolerance.sigma, &sigma);
    let root = |at: (usize, usize)| (got.ts[at].abs().sqrt() + want.ts[at].abs().sqrt()).max(0.1);
    check("ts", &got.ts, &want.ts, tolerance.sqrt_ts, &root);
    for (quantity, got, want) in [
        ("norm_errn", &got.norm_errn, &want.norm_errn),
        ("norm_errp", &got.norm_errp, &want.norm_errp),
        ("norm_ul", &got.norm_ul, &want.norm_ul),
    ] {
        assert_eq!(got.is_some(), want.is_some(), "{name}, {quantity}");
        if let (Some(got), Some(want)) = (got, want) {
            check(quantity, got, want, tolerance.sigma, &sigma);
        }
    }
    if let (Some(got), Some(want)) = (&got.norm_sensitivity, &want.norm_sensitivity) {
        check("norm_sensitivity", got, want, tolerance.sigma, &|at| want[at].abs());
    }
    let null = |at: (usize, usize)| want.stat_null[at].abs() + want.npred_null[at] + 1e-9;
    check("stat_null", &got.stat_null, &want.stat_null, tolerance.sums, &null);
    check("npred_null", &got.npred_null, &want.npred_null, tolerance.sums, &|at| want.npred_null[at]);
    check("npred_reference", &got.npred_reference, &want.npred_reference, tolerance.model, &|at| {
        want.npred_reference[at]
    });
    for (at, status) in want.status.indexed_iter() {
        let other = got.status[at];
        assert_eq!(status & !FREE_BITS, other & !FREE_BITS, "{name}: status at {at:?}: {other} for {status}");
    }
    report
}

fn case_status(map: &Array2<f64>, at: (usize, usize)) -> f64 {
    map[at]
}

/// A map in words of its neighbourhood: for messages.
fn around(map: ArrayView2<'_, f64>, (y, x): (usize, usize)) -> Vec<Vec<f64>> {
    let (ny, nx) = map.dim();
    (y.saturating_sub(1)..ny.min(y + 2))
        .map(|row| (x.saturating_sub(1)..nx.min(x + 2)).map(|column| map[[row, column]]).collect())
        .collect()
}
