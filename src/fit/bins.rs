//! The statistic of one bin against its predicted counts, with two derivatives.

use crate::kernels::counts_statistic::{wstat, wstat_gof_terms, wstat_mu_bkg};
use crate::kernels::likelihood::cash_bin;
use crate::kernels::ts_map::TRUNCATION_VALUE;

/// −2 ln L of a bin, its first derivative and (at least 0) its second one by the predicted counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bin {
    pub stat: f64,
    pub slope: f64,
    pub curvature: f64,
}

/// The Cash statistic. Below the truncation the statistic is flat in the counts' logarithm, the slope is that of the
/// prediction alone.
pub(super) fn cash(n: f64, mu: f64) -> Bin {
    let stat = cash_bin(n, mu);
    if mu <= TRUNCATION_VALUE {
        return Bin { stat, slope: 2.0, curvature: 0.0 };
    }
    if n <= 0.0 {
        return Bin { stat, slope: 2.0, curvature: 0.0 };
    }
    Bin { stat, slope: 2.0 * (1.0 - n / mu), curvature: 2.0 * n / (mu * mu) }
}

/// The W statistic for a predicted signal, the background being the most likely one.
pub(super) fn w(n_on: f64, n_off: f64, alpha: f64, signal: f64) -> Bin {
    if alpha <= 0.0 {
        // No background is known there: what is seen on is signal.
        let bin = cash(n_on, signal);
        return Bin { stat: bin.stat + wstat_gof_terms(n_on, 0.0), ..bin };
    }
    let off = wstat_mu_bkg(n_on, n_off, alpha, signal);
    let on = signal + alpha * off;
    let stat = wstat(n_on, n_off, alpha, signal, None, true);
    if n_on <= 0.0 {
        return Bin { stat, slope: 2.0, curvature: 0.0 };
    }
    // The background follows the signal, which takes from the curvature: a b / (alpha² a + b) with the curvatures a of
    // the on region and b of the off region.
    let a = 2.0 * n_on / (on * on);
    let curvature = if off > 0.0 {
        let b = 2.0 * n_off / (off * off);
        a * b / (alpha * alpha * a + b)
    } else {
        a
    };
    let curvature = if curvature.is_finite() { curvature } else { 0.0 };
    Bin { stat, slope: 2.0 * (1.0 - n_on / on), curvature }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_statistics() {
        let check = |f: &dyn Fn(f64) -> Bin, x: f64, what: &str| {
            let h = 1e-4 * x;
            let (a, b, c) = (f(x - h), f(x), f(x + h));
            let slope = (c.stat - a.stat) / (2.0 * h);
            let curvature = (c.slope - a.slope) / (2.0 * h);
            assert!((b.slope - slope).abs() < 1e-5 * (1.0 + slope.abs()), "{what}: slope {} {slope}", b.slope);
            assert!(
                (b.curvature - curvature).abs() < 1e-5 * (1.0 + curvature.abs()),
                "{what}: {} {curvature}",
                b.curvature
            );
        };
        for (n, mu) in [(0.0, 0.3), (3.0, 0.5), (7.0, 9.0)] {
            check(&|x| cash(n, x), mu, &format!("cash {n} {mu}"));
        }
        for (on, off, alpha, s) in [
            (5.0, 8.0, 0.3, 2.0),
            (5.0, 8.0, 0.3, 20.0),
            (0.0, 8.0, 0.3, 2.0),
            (4.0, 0.0, 0.5, 1.0),
            (4.0, 0.0, 0.5, 9.0),
        ] {
            check(&|x| w(on, off, alpha, x), s, &format!("w {on} {off} {alpha} {s}"));
        }
    }
}
