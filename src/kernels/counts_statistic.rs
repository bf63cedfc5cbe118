//! Statistics of counts in one bin: a signal above a known background (Cash) or above one that is measured (W).
//!
//! Everything is −2 ln L in `f64`. Differences of likelihoods are sums of [`deviance`]s, which are positive term by term,
//! so they are exact where the likelihoods themselves are huge, and never negative. Where an equation has a solution in
//! closed form (Lambert's W) that is taken; the others are convex and solved by Newton's method within a bracket.
//!
//! Gammapy's numbers come out wherever Gammapy is well defined. Differences, all on purpose:
//!
//! | where | Gammapy 2.1 | here |
//! |---|---|---|
//! | errors and limits with off counts, root outside of its bracket | NaN, or errn = n_on | the root |
//! | sensitivity with off counts | secant from below, NaN where it fails | the root; a closed form without off counts |
//! | many counts | differences of large logarithms, W of a rounded argument | full precision |
//!
//! What is a convention stays as it is there: with n_on = 0 and a known background the limit is n²/2, not reduced by the
//! background, and errn is 0; limits are distances from the best fit, so they are negative where the excess is far
//! below 0; without any known background the sensitivity is not defined (NaN).

use super::likelihood::cash_bin;
use super::ts_map::TRUNCATION_VALUE;
use crate::math::lambert::{log1p_rest, poisson_above, poisson_below, poisson_excess};

/// Most steps of a root finder; convex functions need fewer than 10.
const MAX_STEPS: usize = 100;

/// The Cash statistic `2 (mu - n ln mu)`, mu at least 1e-25 (Gammapy's `cash`).
pub fn cash(n_on: f64, mu_on: f64) -> f64 {
    if n_on.is_nan() || mu_on.is_nan() { f64::NAN } else { cash_bin(n_on, mu_on) }
}

/// The C statistic `2 (mu - n + n ln(n / mu))`, both at least 1e-25 (Gammapy's `cstat`): 0 for a perfect prediction.
pub fn cstat(n_on: f64, mu_on: f64) -> f64 {
    if n_on.is_nan() || mu_on.is_nan() {
        return f64::NAN;
    }
    2.0 * deviance(n_on.max(TRUNCATION_VALUE), mu_on.max(TRUNCATION_VALUE))
}

/// `n ln(n / mu) - (n - mu)`: half of what is lost in −2 ln L where mu is predicted and n is seen. At least 0; mu for
/// n = 0, infinite for mu = 0 with n > 0.
#[inline]
pub fn deviance(n: f64, mu: f64) -> f64 {
    if n == 0.0 {
        mu
    } else if mu < 0.6 * n {
        n * (n / mu).ln() - (n - mu)
    } else {
        n * log1p_rest((mu - n) / n)
    }
}

/// Expected counts on (signal and background) and off for an expected signal, the background being the most likely one.
#[derive(Debug, Clone, Copy)]
struct Means {
    on: f64,
    off: f64,
}

/// The most likely means for a signal. Both are roots of quadratic equations with the same discriminant, which is written
/// as a sum of positive terms for either sign of the signal, so nothing cancels.
fn means(n_on: f64, n_off: f64, alpha: f64, mu_sig: f64) -> Means {
    let a1 = 1.0 + alpha;
    let all = alpha * (n_on + n_off);
    let c_off = all - a1 * mu_sig;
    let c_on = all + a1 * mu_sig;
    let root = if mu_sig >= 0.0 {
        (c_off * c_off + 4.0 * alpha * a1 * n_off * mu_sig).sqrt()
    } else {
        (c_on * c_on - 4.0 * alpha * a1 * n_on * mu_sig).sqrt()
    };
    let off = if c_off >= 0.0 { (c_off + root) / (2.0 * alpha * a1) } else { 2.0 * n_off * mu_sig / (root - c_off) };
    let on = if c_on >= 0.0 { (c_on + root) / (2.0 * a1) } else { 2.0 * alpha * n_on * mu_sig / (c_on - root) };
    Means { on, off }
}

/// The most likely background in the off region for a signal in the on region (Gammapy's `get_wstat_mu_bkg`). NaN for
/// alpha = 0.
pub fn wstat_mu_bkg(n_on: f64, n_off: f64, alpha: f64, mu_sig: f64) -> f64 {
    if alpha > 0.0 { means(n_on, n_off, alpha, mu_sig).off } else { f64::NAN }
}

/// What turns the W statistic into a goodness of fit, independent of the model (Gammapy's `get_wstat_gof_terms`).
pub fn wstat_gof_terms(n_on: f64, n_off: f64) -> f64 {
    let term = |n: f64| if n == 0.0 { 0.0 } else { -n * (1.0 - n.ln()) };
    2.0 * (term(n_on) + term(n_off))
}

/// The W statistic: −2 ln L of on and off counts, the background being `mu_bkg` or the most likely one; with the terms of
/// [`wstat_gof_terms`] where `extra_terms` says so (Gammapy's `wstat`). NaN for alpha = 0.
pub fn wstat(n_on: f64, n_off: f64, alpha: f64, mu_sig: f64, mu_bkg: Option<f64>, extra_terms: bool) -> f64 {
    let means = match mu_bkg {
        Some(off) => Means { on: mu_sig + alpha * off, off },
        None if alpha > 0.0 => means(n_on, n_off, alpha, mu_sig),
        None => return f64::NAN,
    };
    let log = |n: f64, mu: f64| if n == 0.0 { 0.0 } else { n * mu.ln() };
    let stat = 2.0 * (mu_sig + (1.0 + alpha) * means.off - log(n_on, means.on) - log(n_off, means.off));
    if extra_terms { stat + wstat_gof_terms(n_on, n_off) } else { stat }
}

/// What can be said of the signal in one bin.
pub trait CountsStatistic {
    /// Counts in the on region.
    fn n_on(&self) -> f64;

    /// Expected background counts in the on region.
    fn n_bkg(&self) -> f64;

    /// Excess: counts without background (and without a signal that is known already).
    fn n_sig(&self) -> f64;

    /// Symmetric error of the excess, 1 sigma, from the counts.
    fn error(&self) -> f64;

    /// −2 ln L without a signal.
    fn stat_null(&self) -> f64;

    /// −2 ln L at the best fit.
    fn stat_max(&self) -> f64;

    /// Likelihood-ratio test statistic of the excess, at least 0. With a measured background, the square of Li & Ma's
    /// significance (1983, eq. 17).
    fn ts(&self) -> f64;

    /// Root of [`CountsStatistic::ts`] with the sign of the excess: the significance.
    fn sqrt_ts(&self) -> f64 {
        let n_sig = self.n_sig();
        let root = self.ts().sqrt();
        if n_sig > 0.0 {
            root
        } else if n_sig < 0.0 {
            -root
        } else {
            // 0, or NaN where the background is not known.
            n_sig * root
        }
    }

    /// Distance (positive) from the excess down to where −2 ln L has risen by n_sigma².
    fn compute_errn(&self, n_sigma: f64) -> f64;

    /// Distance from the excess up to where −2 ln L has risen by n_sigma².
    fn compute_errp(&self, n_sigma: f64) -> f64;

    /// Upper limit of the excess: where −2 ln L has risen by n_sigma² above that of the best fit.
    fn compute_upper_limit(&self, n_sigma: f64) -> f64;

    /// The excess that would have this significance, given the background (`sensitivity`).
    fn n_sig_matching_significance(&self, significance: f64) -> f64;
}

/// Counts above a known background.
///
/// ```
/// use pevatron::kernels::counts_statistic::{CashCountsStatistic, CountsStatistic};
/// let stat = CashCountsStatistic { n_on: 13.0, mu_bkg: 5.5 };
/// assert!((stat.sqrt_ts() - 2.713_896_257_376_265).abs() < 1e-12);
/// // No counts: the limit is n²/2 events.
/// assert_eq!(CashCountsStatistic { n_on: 0.0, mu_bkg: 0.3 }.compute_upper_limit(2.0), 2.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CashCountsStatistic {
    /// Counts, 0 or more.
    pub n_on: f64,
    /// Background, 0 or more.
    pub mu_bkg: f64,
}

impl CountsStatistic for CashCountsStatistic {
    fn n_on(&self) -> f64 {
        self.n_on
    }

    fn n_bkg(&self) -> f64 {
        self.mu_bkg
    }

    fn n_sig(&self) -> f64 {
        self.n_on - self.mu_bkg
    }

    fn error(&self) -> f64 {
        self.n_on.sqrt()
    }

    fn stat_null(&self) -> f64 {
        cash(self.n_on, self.mu_bkg)
    }

    fn stat_max(&self) -> f64 {
        cash(self.n_on, self.n_on)
    }

    #[inline]
    fn ts(&self) -> f64 {
        // A background of 0 is truncated, as everywhere, so that ts stays finite.
        let mu = if self.mu_bkg < TRUNCATION_VALUE { TRUNCATION_VALUE } else { self.mu_bkg };
        if self.n_on == 0.0 { 2.0 * (mu - TRUNCATION_VALUE) } else { 2.0 * deviance(self.n_on, mu) }
    }

    fn compute_errn(&self, n_sigma: f64) -> f64 {
        if self.n_on == 0.0 { 0.0 } else { self.n_on * poisson_below(0.5 * n_sigma * n_sigma / self.n_on) }
    }

    fn compute_errp(&self, n_sigma: f64) -> f64 {
        let c = 0.5 * n_sigma * n_sigma;
        if self.n_on == 0.0 { c } else { self.n_on * poisson_above(c / self.n_on) }
    }

    fn compute_upper_limit(&self, n_sigma: f64) -> f64 {
        let errp = self.compute_errp(n_sigma);
        if self.n_on == 0.0 { errp } else { self.n_sig() + errp }
    }

    fn n_sig_matching_significance(&self, significance: f64) -> f64 {
        if self.mu_bkg > 0.0 {
            self.mu_bkg * poisson_excess(0.5 * significance * significance / self.mu_bkg)
        } else {
            f64::NAN
        }
    }
}

/// Counts above a background that is measured in an off region.
///
/// ```
/// use pevatron::kernels::counts_statistic::{CountsStatistic, WStatCountsStatistic};
/// let stat = WStatCountsStatistic { n_on: 13.0, n_off: 11.0, alpha: 0.5, mu_sig: 0.0 };
/// assert!((stat.sqrt_ts() - 2.092_832_368_493_28).abs() < 1e-12);
/// assert_eq!(stat.n_bkg(), 5.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WStatCountsStatistic {
    /// Counts in the on region, 0 or more.
    pub n_on: f64,
    /// Counts in the off region, 0 or more.
    pub n_off: f64,
    /// Acceptance of the on region over that of the off region; all is NaN where this is not positive.
    pub alpha: f64,
    /// Signal counts in the on region that are known already; the excess is what is beyond them.
    pub mu_sig: f64,
}

impl WStatCountsStatistic {
    /// Half of −2 ln L at a signal above that of the best fit.
    fn rise(&self, signal: f64) -> (f64, f64) {
        let means = means(self.n_on, self.n_off, self.alpha, signal);
        // The background is at its best, so only the signal itself counts in the derivative.
        (deviance(self.n_on, means.on) + deviance(self.n_off, means.off), 1.0 - self.n_on / means.on)
    }

    /// The distance from the best fit, up (`side` 1) or down (-1), at which half of −2 ln L has risen by `c`; on and off
    /// counts are positive.
    fn distance(&self, c: f64, side: f64) -> f64 {
        let best = self.n_on - self.alpha * self.n_off;
        let variance = self.n_on + self.alpha * self.alpha * self.n_off;
        let start = (2.0 * c * variance).sqrt() + if side > 0.0 { c } else { 0.0 };
        newton_convex(start, |t| {
            let (rise, slope) = self.rise(best + side * t);
            (rise - c, side * slope)
        })
    }

    fn is_defined(&self) -> bool {
        self.alpha > 0.0 && self.alpha.is_finite() && self.n_on >= 0.0 && self.n_off >= 0.0
    }
}

/// The positive root of a convex function that is negative at 0, from its value and slope: Newton's method, which from
/// beyond the root goes straight to it, within a bracket that only becomes narrower.
fn newton_convex(start: f64, f: impl Fn(f64) -> (f64, f64)) -> f64 {
    let (mut low, mut high) = (0.0_f64, f64::INFINITY);
    let mut t = start;
    for _ in 0..MAX_STEPS {
        let (value, slope) = f(t);
        if value.is_nan() {
            return f64::NAN;
        }
        if value > 0.0 {
            high = high.min(t);
        } else {
            low = low.max(t);
        }
        let next = t - value / slope;
        let next = if next > low && next < high {
            next
        } else if next == low || next == high || value == 0.0 {
            return t;
        } else if high.is_finite() {
            0.5 * (low + high)
        } else {
            2.0 * t
        };
        let done = (next - t).abs() <= 4e-16 * next;
        t = next;
        if done || t <= 0.0 || !t.is_finite() {
            break;
        }
    }
    if t > 0.0 && t.is_finite() { t } else { f64::NAN }
}

impl CountsStatistic for WStatCountsStatistic {
    fn n_on(&self) -> f64 {
        self.n_on
    }

    fn n_bkg(&self) -> f64 {
        self.alpha * self.n_off
    }

    fn n_sig(&self) -> f64 {
        self.n_on - self.n_bkg() - self.mu_sig
    }

    fn error(&self) -> f64 {
        (self.n_on + self.alpha * self.alpha * self.n_off).sqrt()
    }

    fn stat_null(&self) -> f64 {
        wstat(self.n_on, self.n_off, self.alpha, self.mu_sig, None, true)
    }

    fn stat_max(&self) -> f64 {
        wstat(self.n_on, self.n_off, self.alpha, self.n_sig() + self.mu_sig, None, true)
    }

    fn ts(&self) -> f64 {
        if self.is_defined() { 2.0 * self.rise(self.mu_sig).0 } else { f64::NAN }
    }

    fn compute_errn(&self, n_sigma: f64) -> f64 {
        if !self.is_defined() {
            return f64::NAN;
        }
        let Self { n_on, n_off, alpha, .. } = *self;
        let c = 0.5 * n_sigma * n_sigma;
        if n_on == 0.0 {
            // Below the best fit nothing is expected in the on region, and the background grows with the signal.
            return alpha * if n_off == 0.0 { c } else { n_off * poisson_above(c / n_off) };
        }
        if n_off == 0.0 {
            // A small signal leaves room for a background, whatever is (not) seen of it.
            let signal = n_on * (1.0 - poisson_below(c / n_on));
            if signal >= alpha * n_on / (1.0 + alpha) {
                return n_on * poisson_below(c / n_on);
            }
            return n_on - alpha * (n_on * (1.0 / alpha).ln_1p() - c);
        }
        self.distance(c, -1.0)
    }

    fn compute_errp(&self, n_sigma: f64) -> f64 {
        if !self.is_defined() {
            return f64::NAN;
        }
        let Self { n_on, n_off, alpha, .. } = *self;
        let c = 0.5 * n_sigma * n_sigma;
        if n_off == 0.0 {
            return if n_on == 0.0 { c } else { n_on * poisson_above(c / n_on) };
        }
        if n_on == 0.0 {
            // Up to this signal the on region stays empty, and the background falls from n_off.
            let lowest = n_off / (1.0 + alpha);
            let spent = deviance(n_off, lowest);
            return if c <= spent {
                alpha * n_off * poisson_below(c / n_off)
            } else {
                alpha * (n_off - lowest) + (c - spent)
            };
        }
        self.distance(c, 1.0)
    }

    fn compute_upper_limit(&self, n_sigma: f64) -> f64 {
        self.n_sig() + self.compute_errp(n_sigma)
    }

    fn n_sig_matching_significance(&self, significance: f64) -> f64 {
        if !self.is_defined() {
            return f64::NAN;
        }
        let Self { n_off, alpha, .. } = *self;
        let c = 0.5 * significance * significance;
        if n_off == 0.0 {
            return c / (1.0 / alpha).ln_1p();
        }
        let background = alpha * n_off;
        newton_convex((2.0 * c * background * (1.0 + alpha)).sqrt() + c, |excess| {
            let n_on = background + excess;
            let off = (n_on + n_off) / (1.0 + alpha);
            (deviance(n_on, alpha * off) + deviance(n_off, off) - c, (n_on / (alpha * off)).ln())
        })
    }
}

#[cfg(test)]
mod tests;
