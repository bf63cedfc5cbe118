//! One window, fitted in `f64`: the definition that every engine is compared with.
//!
//! Slow and plain on purpose. The norm is searched as its distance `z` from the last pole of the derivative, and
//! likelihoods are summed as differences bin by bin, so that nothing is lost where norms are tiny or sources bright.

mod best_fit;
mod errors;
mod sensitivity;
mod sum;
#[cfg(test)]
mod tests;

pub use sum::Sum;

use std::ops::Range;

use self::best_fit::{Totals, best_fit};
use self::errors::AtNorm;
use self::sensitivity::sensitivity;
use super::{TRUNCATION_VALUE, TsMapSettings, TsMapStatus};
use crate::kernels::cube::PlaneView;

/// Relative width at which roots of likelihood differences are done: a few roundings of the sums.
const ROOT_TOLERANCE: f64 = 1e-14;
/// Bound on steps of a bracketed root; bisection alone needs about 60 to 1100 for any pair of doubles.
const MAX_ROOT_STEPS: usize = 400;

/// The bins of one window: counts, background and model, all flat and of one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Window {
    /// Measured counts n.
    pub counts: Vec<f64>,
    /// Background b.
    pub background: Vec<f64>,
    /// Predicted counts m of the test source for norm 1.
    pub model: Vec<f64>,
}

impl Window {
    /// Removes all bins, keeps the memory.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.background.clear();
        self.model.clear();
    }

    /// Adds a bin; bins without anything in them change no result and are dropped.
    #[inline]
    pub fn push(&mut self, counts: f64, background: f64, model: f64) {
        if counts != 0.0 || background != 0.0 || model != 0.0 {
            self.counts.push(counts);
            self.background.push(background);
            self.model.push(model);
        }
    }

    /// Adds part of a row of three maps, the last one weighted by the kernel. Unlike [`Window::push`] it keeps bins
    /// without anything in them; they change no result.
    pub fn push_row<'k>(
        &mut self,
        [counts, background, exposure]: [PlaneView<'_>; 3],
        (row, columns): (usize, Range<usize>),
        kernel: impl Iterator<Item = &'k f64>,
    ) {
        let start = self.counts.len();
        let end = start + columns.len();
        for (target, plane) in
            [(&mut self.counts, counts), (&mut self.background, background), (&mut self.model, exposure)]
        {
            target.resize(end, 0.0);
            plane.copy_row(row, columns.start, &mut target[start..]);
        }
        self.model[start..].iter_mut().zip(kernel).for_each(|(m, k)| *m *= k);
    }

    pub(super) fn bins(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        self.counts.iter().zip(&self.background).zip(&self.model).map(|((n, b), m)| (*n, *b, *m))
    }
}

/// Everything that is known of one fitted window. See [`super::TsMapOutput`] for the meaning of each number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowFit {
    /// Best-fit norm.
    pub norm: f64,
    /// Error from the curvature.
    pub norm_err: f64,
    /// Lower error, positive; NaN where there is none or it was not asked for.
    pub errn: f64,
    /// Upper error.
    pub errp: f64,
    /// Upper limit.
    pub ul: f64,
    /// stat(0) - stat(norm).
    pub ts: f64,
    /// stat(0).
    pub stat_null: f64,
    /// Sum of b.
    pub npred_null: f64,
    /// Sum of m.
    pub npred_reference: f64,
    /// Norm with Asimov TS n_sigma_sensitivity².
    pub sensitivity: f64,
    /// Iterations of the best fit.
    pub niter: u32,
    /// Bits of [`TsMapStatus`].
    pub status: u32,
}

impl WindowFit {
    /// A pixel that is not fitted.
    pub const MASKED: Self = Self {
        norm: f64::NAN,
        norm_err: f64::NAN,
        errn: f64::NAN,
        errp: f64::NAN,
        ul: f64::NAN,
        ts: f64::NAN,
        stat_null: f64::NAN,
        npred_null: f64::NAN,
        npred_reference: f64::NAN,
        sensitivity: f64::NAN,
        niter: 0,
        status: TsMapStatus::MASKED,
    };
}

/// Fits one window: see the formulas at the top of [`super`].
///
/// `guess` is the first guess of the norm that `settings.threshold` is about; without one the threshold has no effect.
pub fn fit_window(window: &Window, guess: Option<f64>, settings: &TsMapSettings) -> WindowFit {
    let totals = Totals::new(window);
    let mut fit = WindowFit {
        stat_null: stat(window, 0.0),
        npred_null: Sum::of(window.background.iter().copied()),
        npred_reference: totals.model,
        ..WindowFit::MASKED
    };
    if totals.model <= 0.0 {
        fit.ts = 0.0;
        fit.status = TsMapStatus::NO_MODEL;
        return fit;
    }
    fit.status = totals.status;
    if settings.sensitivity {
        fit.sensitivity = sensitivity(window, totals.model, settings.n_sigma_sensitivity);
    }

    let kept_guess = guess.zip(settings.threshold).and_then(|(guess, threshold)| {
        let at_guess = AtNorm::new(window, guess, None);
        (guess.is_finite() && at_guess.ts() <= threshold).then_some(at_guess)
    });
    let at_norm = match kept_guess {
        Some(at_guess) => {
            fit.niter = 0;
            fit.status |= TsMapStatus::BELOW_THRESHOLD;
            at_guess
        }
        None => best_fit(window, &totals, settings, &mut fit),
    };

    fit.norm = at_norm.norm;
    fit.ts = at_norm.ts();
    let curvature = at_norm.curvature();
    fit.norm_err = settings.n_sigma / curvature.sqrt();
    if settings.errn_errp {
        fit.errn = at_norm.errn(curvature, settings.n_sigma);
        fit.errp = at_norm.upper_distance(curvature, totals.model, settings.n_sigma);
        if fit.errn.is_nan() {
            fit.status |= TsMapStatus::NO_ERRN;
        }
    }
    if settings.ul {
        fit.ul = fit.norm + at_norm.upper_distance(curvature, totals.model, settings.n_sigma_ul);
    }
    fit
}

/// `n value`, 0 without counts whatever the value.
#[inline(always)]
fn times(n: f64, value: impl FnOnce() -> f64) -> f64 {
    if n > 0.0 { n * value() } else { 0.0 }
}

/// `2 sum [t(mu) - n ln t(mu)]` at one norm.
pub fn stat(window: &Window, norm: f64) -> f64 {
    2.0 * Sum::of(window.bins().map(|(n, b, m)| {
        let mu = (b + norm * m).max(TRUNCATION_VALUE);
        mu - times(n, || mu.ln())
    }))
}

/// `stat(norm) - stat(0)`, bin by bin: one point of a likelihood profile.
pub fn stat_rise(window: &Window, norm: f64) -> f64 {
    -AtNorm::new(window, norm, None).ts()
}
