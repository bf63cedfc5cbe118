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
    /// The curvature that is expected where the prediction holds: never 0, and the slope over it leads to the bin's own
    /// best prediction from any distance, where the observed one over- or undershoots.
    pub expected: f64,
    /// True for counts where nothing is predicted: the statistic is flat there, as the logarithm is cut off.
    pub is_dead: bool,
    /// True for a prediction below 0 where there are no counts: the statistic is flat there, too.
    pub is_negative: bool,
}

/// The Cash statistic. Where it is cut off, the derivatives are those that lead back to a prediction of the counts.
pub(super) fn cash(n: f64, mu: f64) -> Bin {
    let stat = cash_bin(n, mu);
    let cut = mu.max(TRUNCATION_VALUE);
    if mu <= TRUNCATION_VALUE {
        let (slope, expected) = if n > 0.0 {
            let slope = -2.0 * n / TRUNCATION_VALUE;
            (slope, -slope / (n - mu))
        } else {
            // Without counts the statistic is flat below 0 and rises above it.
            (if mu < 0.0 { 0.0 } else { 2.0 }, 2.0 / TRUNCATION_VALUE)
        };
        return Bin { stat, slope, curvature: 0.0, expected, is_dead: n > 0.0, is_negative: n <= 0.0 && mu < 0.0 };
    }
    let n = n.max(0.0);
    Bin {
        stat,
        slope: 2.0 * (1.0 - n / cut),
        curvature: 2.0 * n / (cut * cut),
        expected: 2.0 / cut,
        is_dead: false,
        is_negative: false,
    }
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
    // Errors of both measurements where the prediction holds.
    let expected = 2.0 / (on + alpha * alpha * off).max(TRUNCATION_VALUE);
    if n_on <= 0.0 {
        let (slope, curvature) = if signal + alpha * n_off / (1.0 + alpha) >= 0.0 {
            (2.0, 0.0)
        } else {
            // The background makes up for a signal below 0: alpha × off = −signal.
            (2.0 * (n_off / off - 1.0) / alpha, 2.0 * n_off / (alpha * off).powi(2))
        };
        return Bin { stat, slope, curvature, expected, is_dead: false, is_negative: false };
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
    let is_dead = on <= TRUNCATION_VALUE;
    Bin { stat, slope: 2.0 * (1.0 - n_on / on), curvature, expected, is_dead, is_negative: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_statistics() {
        let check = |f: &dyn Fn(f64) -> Bin, x: f64, what: &str| {
            let h = 1e-4 * x.abs();
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
            (0.0, 8.0, 0.3, -4.0),
            (5.0, 8.0, 0.3, -4.0),
            (4.0, 0.0, 0.5, 1.0),
            (4.0, 0.0, 0.5, 9.0),
        ] {
            check(&|x| w(on, off, alpha, x), s, &format!("w {on} {off} {alpha} {s}"));
        }
    }

    #[test]
    fn one_expected_step_leads_to_the_counts_from_any_distance() {
        for (n, mu) in [(5.0, 1e-20), (5.0, 1e9), (3.0, 0.0), (3.0, -7.0), (0.5, 1e-25), (1e6, 2.0)] {
            let bin = cash(n, mu);
            let next = mu - bin.slope / bin.expected;
            assert!((next / n - 1.0).abs() < 1e-9, "{n} {mu}: {next}");
            assert_eq!(bin.is_dead, mu <= 1e-25, "{n} {mu}");
        }
        assert!(!cash(0.0, -1.0).is_dead && !w(1.0, 0.0, 0.5, 0.0).is_dead);
        // One count on and none off: the statistic falls in a straight line at first, which has no curvature.
        let bin = w(1.0, 0.0, 0.5, 0.1);
        assert!(bin.curvature == 0.0 && bin.slope < 0.0 && bin.expected > 0.0, "{bin:?}");
    }
}
