//! The norm with the highest likelihood.

use super::errors::AtNorm;
use super::{Sum, Window, WindowFit};
use crate::kernels::ts_map::{TRUNCATION_VALUE, TsMapSettings, TsMapStatus};

/// Sums and bounds that do not depend on the norm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Totals {
    /// Sum of m. Windows of other programs may hold m < 0 (noise of a convolution by FFT): the derivative leaves such
    /// bins out, the likelihood does not.
    pub(super) model: f64,
    /// q = min b/m over bins with m > 0: norms below -q predict negative counts somewhere.
    bound: f64,
    /// s = min b/m over bins with n > 0 and m > 0: the derivative has its last pole at -s.
    pole: f64,
    /// Counts at that pole.
    pole_counts: f64,
    /// Bins with n > 0 and m > 0.
    fitted_bins: usize,
    pub(super) status: u32,
}

impl Totals {
    pub(super) fn new(window: &Window) -> Self {
        let mut totals = Self {
            model: Sum::of(window.model.iter().map(|m| m.max(0.0))),
            bound: f64::INFINITY,
            pole: f64::INFINITY,
            pole_counts: 0.0,
            fitted_bins: 0,
            status: 0,
        };
        let mut any_counts = false;
        for (n, b, m) in window.bins() {
            any_counts |= n > 0.0;
            if m > 0.0 {
                let ratio = b / m;
                totals.bound = totals.bound.min(ratio);
                if b <= TRUNCATION_VALUE {
                    totals.status |= TsMapStatus::ZERO_BACKGROUND;
                }
                if n > 0.0 {
                    totals.fitted_bins += 1;
                    if ratio < totals.pole {
                        (totals.pole, totals.pole_counts) = (ratio, n);
                    } else if ratio == totals.pole {
                        totals.pole_counts += n;
                    }
                }
            }
        }
        totals.status |= match (any_counts, totals.fitted_bins) {
            (false, _) => TsMapStatus::NO_COUNTS,
            (true, 0) => TsMapStatus::COUNTS_WITHOUT_MODEL,
            (true, 1) => TsMapStatus::SINGLE_BIN,
            _ => 0,
        };
        totals
    }
}

/// The norm with the highest likelihood and npred ≥ 0 in every bin.
pub(super) fn best_fit<'w>(
    window: &'w Window,
    totals: &Totals,
    settings: &TsMapSettings,
    fit: &mut WindowFit,
) -> AtNorm<'w> {
    fit.niter = 0;
    if totals.fitted_bins > 0 {
        let root = root_above_pole(window, totals, settings);
        fit.niter = root.niter;
        if !root.converged {
            fit.status |= TsMapStatus::NOT_CONVERGED;
        }
        let norm = root.distance - totals.pole;
        if norm > -totals.bound {
            return AtNorm::new(window, norm, Some((root.distance, totals.pole)));
        }
    }
    fit.status |= TsMapStatus::AT_BOUND;
    AtNorm::new(window, -totals.bound, None)
}

struct Root {
    /// Distance from the pole.
    distance: f64,
    niter: u32,
    converged: bool,
}

/// Solves `sum n / (z + r) = M`, `r = b/m - s`, for the distance z > 0 from the pole.
///
/// `h(z) = 1 / sum n/(z + r)` is concave and increasing, so Newton's steps on `h = 1/M` rise towards the root from any
/// start below it and never pass it; `z = (counts at the pole) / M` is below it.
fn root_above_pole(window: &Window, totals: &Totals, settings: &TsMapSettings) -> Root {
    let mut z = totals.pole_counts / totals.model;
    for niter in 1..=settings.max_niter {
        let (mut p, mut q) = (Sum::default(), Sum::default());
        for (n, b, m) in window.bins() {
            if n > 0.0 && m > 0.0 {
                let u = 1.0 / (z + (b / m - totals.pole));
                p.add(n * u);
                q.add(n * u * u);
            }
        }
        let (p, q) = (p.value(), q.value());
        let step = (p / totals.model - 1.0) * p / q;
        z += step.max(0.0);
        // Rounding ends the rise; below it a step says nothing.
        if step <= 4.0 * f64::EPSILON * z {
            return Root { distance: z, niter, converged: true };
        }
        if niter == settings.max_niter {
            let converged = step <= settings.rtol * (z - totals.pole).abs();
            return Root { distance: z, niter, converged };
        }
    }
    Root { distance: z, niter: 0, converged: false }
}
