//! One window, fitted in `f64`: the definition that every engine is compared with.
//!
//! Slow and plain on purpose. The norm is searched as its distance `z` from the last pole of the derivative, and
//! likelihoods are summed as differences bin by bin, so that nothing is lost where norms are tiny or sources bright.

use std::cell::OnceCell;

use super::rise::RiseBins;
use super::{TRUNCATION_VALUE, TsMapSettings, TsMapStatus};

/// Poles left of the norm that the search for errn visits one by one; farther out it walks in growing steps.
const MAX_POLES: usize = 64;
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

/// A compensated sum (Neumaier 1974): as good as twice the precision for the lengths met here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    /// Adds a term.
    #[inline(always)]
    pub fn add(&mut self, term: f64) {
        let next = self.sum + term;
        self.lost += if self.sum.abs() >= term.abs() { (self.sum - next) + term } else { (term - next) + self.sum };
        self.sum = next;
    }

    /// The sum so far.
    #[inline(always)]
    pub fn value(self) -> f64 {
        self.sum + self.lost
    }

    /// The sum of all terms.
    pub fn of(terms: impl Iterator<Item = f64>) -> f64 {
        let mut sum = Self::default();
        for term in terms {
            sum.add(term);
        }
        sum.value()
    }
}

/// Sums and bounds that do not depend on the norm.
#[derive(Debug, Clone, Copy)]
struct Totals {
    /// Sum of m. Windows of other programs may hold m < 0 (noise of a convolution by FFT): the derivative leaves such
    /// bins out, the likelihood does not.
    model: f64,
    /// q = min b/m over bins with m > 0: norms below -q predict negative counts somewhere.
    bound: f64,
    /// s = min b/m over bins with n > 0 and m > 0: the derivative has its last pole at -s.
    pole: f64,
    /// Counts at that pole.
    pole_counts: f64,
    /// Bins with n > 0 and m > 0.
    fitted_bins: usize,
    status: u32,
}

impl Totals {
    fn new(window: &Window) -> Self {
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
                if b == 0.0 {
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

/// The norm with the highest likelihood and npred ≥ 0 in every bin.
fn best_fit<'w>(window: &'w Window, totals: &Totals, settings: &TsMapSettings, fit: &mut WindowFit) -> AtNorm<'w> {
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

/// A window seen from one norm: predicted counts there, and likelihood differences to other norms.
struct AtNorm<'w> {
    window: &'w Window,
    norm: f64,
    /// mu = b + norm m.
    npred: Vec<f64>,
    /// Made at the first question for a rise.
    bins: OnceCell<RiseBins>,
}

impl<'w> AtNorm<'w> {
    /// `from_pole`: the norm as distance z from the pole -s, as `(z, s)`, where b + norm m would cancel.
    fn new(window: &'w Window, norm: f64, from_pole: Option<(f64, f64)>) -> Self {
        let npred = window
            .bins()
            .map(|(n, b, m)| match from_pole {
                Some((z, s)) if n > 0.0 && m > 0.0 => m * (z + (b / m - s)),
                _ => b + norm * m,
            })
            .collect();
        Self { window, norm, npred, bins: OnceCell::new() }
    }

    /// stat(0) - stat(norm), bin by bin.
    fn ts(&self) -> f64 {
        2.0 * Sum::of(self.window.bins().zip(&self.npred).filter(|((_, _, m), _)| *m != 0.0).map(|((n, b, m), &mu)| {
            let linear = b.max(TRUNCATION_VALUE) - mu.max(TRUNCATION_VALUE);
            if b <= TRUNCATION_VALUE || mu <= TRUNCATION_VALUE {
                return linear + times(n, || (mu.max(TRUNCATION_VALUE) / b.max(TRUNCATION_VALUE)).ln());
            }
            let relative = self.norm * m / b;
            -self.norm * m + times(n, || if relative > -0.5 { relative.ln_1p() } else { (mu / b).ln() })
        }))
    }

    /// `sum m² n / mu²`: half the second derivative of stat.
    fn curvature(&self) -> f64 {
        Sum::of(self.window.bins().zip(&self.npred).filter_map(|((n, _, m), &mu)| {
            let share = m / mu;
            (n > 0.0 && m > 0.0 && mu != 0.0).then_some(n * share * share)
        }))
    }

    /// `stat(norm + shift) - stat(norm)` and its derivative by the shift.
    fn rise(&self, shift: f64) -> (f64, f64) {
        let bins = self.bins.get_or_init(|| RiseBins::new(self.window, &self.npred));
        let (mut value, mut slope) = bins.empty(shift);
        for &(n, m, mu0) in &bins.single {
            let mu = mu0 + shift * m;
            if mu > TRUNCATION_VALUE && mu0 > TRUNCATION_VALUE {
                value.add(shift * m - times(n, || (shift * m / mu0).ln_1p()));
            } else {
                let (t, t0) = (mu.max(TRUNCATION_VALUE), mu0.max(TRUNCATION_VALUE));
                value.add(t - t0 - times(n, || (t / t0).ln()));
            }
            if mu > TRUNCATION_VALUE {
                slope.add(m - n * m / mu);
            }
        }
        (2.0 * value.value(), 2.0 * slope.value())
    }

    /// Distance down to the nearest norm with a rise of n_sigma².
    ///
    /// Between two poles stat is convex (truncated npred included), so a rise reached at a pole is crossed once
    /// between that pole and the one before it.
    fn errn(&self, curvature: f64, n_sigma: f64) -> f64 {
        if curvature <= 0.0 {
            return f64::NAN;
        }
        let target = n_sigma * n_sigma;
        let mut near = 0.0;
        for pole in self.pole_distances() {
            // A little past the pole its bin is truncated: the limit that stat rises to.
            let far = pole + 4.0 * f64::EPSILON * self.norm.abs().max(pole);
            if self.rise(-far).0 >= target {
                return self.crossing(-1.0, near, far, n_sigma / curvature.sqrt(), target);
            }
            near = far;
        }
        self.walk(-1.0, near.max(0.1 * n_sigma / curvature.sqrt()), target)
    }

    /// Distances of the poles below the norm, nearest first, at most [`MAX_POLES`].
    fn pole_distances(&self) -> Vec<f64> {
        let mut poles: Vec<f64> = self
            .window
            .bins()
            .zip(&self.npred)
            .filter(|((n, _, m), mu)| *n > 0.0 && *m > 0.0 && **mu > 0.0)
            .map(|((_, _, m), mu)| mu / m)
            .collect();
        if poles.len() > MAX_POLES {
            poles.select_nth_unstable_by(MAX_POLES, f64::total_cmp);
            poles.truncate(MAX_POLES);
        }
        poles.sort_unstable_by(f64::total_cmp);
        poles
    }

    /// Distance up to the nearest norm with a rise of n_sigma².
    fn upper_distance(&self, curvature: f64, model: f64, n_sigma: f64) -> f64 {
        let target = n_sigma * n_sigma;
        // Without counts stat is linear with slope 2 M.
        let linear = target / (2.0 * model);
        if curvature <= 0.0 && self.npred.iter().all(|mu| *mu >= 0.0) {
            return linear;
        }
        // Right of the last pole stat is convex: no nearer crossing can be stepped over.
        let convex = self.window.bins().zip(&self.npred).all(|((n, _, m), mu)| n <= 0.0 || m <= 0.0 || *mu > 0.0);
        let scale = if curvature > 0.0 { n_sigma / curvature.sqrt() } else { linear };
        self.walk(1.0, if convex { scale } else { 0.1 * scale }, target)
    }

    /// Steps away from the norm, each 1.5 times farther, until the rise is reached, then closes in. NaN: never.
    fn walk(&self, direction: f64, first: f64, target: f64) -> f64 {
        let (mut near, mut far) = (0.0, first);
        for _ in 0..200 {
            if self.rise(direction * far).0 >= target {
                return self.crossing(direction, near, far, 0.5 * (near + far), target);
            }
            near = far;
            far *= 1.5;
        }
        f64::NAN
    }

    /// The distance in (near, far) where the rise passes `target`: Newton's steps, halving where they leave the
    /// bracket.
    fn crossing(&self, direction: f64, mut near: f64, mut far: f64, start: f64, target: f64) -> f64 {
        let mut distance = if start > near && start < far { start } else { 0.5 * (near + far) };
        for _ in 0..MAX_ROOT_STEPS {
            let (value, slope) = self.rise(direction * distance);
            if value >= target {
                far = distance;
            } else {
                near = distance;
            }
            let newton = distance - (value - target) / (direction * slope);
            let next = if newton > near && newton < far { newton } else { 0.5 * (near + far) };
            let moved = (next - distance).abs();
            distance = next;
            // Beside a pole steps are small long before the root is near: the rise must fit as well.
            let arrived = moved <= ROOT_TOLERANCE * distance && (value - target).abs() <= 1e-6 * target;
            if arrived || far - near <= ROOT_TOLERANCE * far {
                break;
            }
        }
        distance
    }
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

/// The norm x > 0 whose Asimov counts b + x m have TS = n_sigma²: `2 sum [mu ln(mu/t(b)) - (mu - b)]`.
///
/// Newton's steps on the square root of the TS, which is nearly linear in x.
fn sensitivity(window: &Window, model: f64, n_sigma: f64) -> f64 {
    let information =
        Sum::of(window.bins().filter(|(_, _, m)| *m > 0.0).map(|(_, b, m)| m * (m / b.max(TRUNCATION_VALUE))));
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut x = (n_sigma / information.sqrt()).max(f64::MIN_POSITIVE / model);
    for _ in 0..MAX_ROOT_STEPS {
        let (mut ts, mut slope) = (Sum::default(), Sum::default());
        for (_, b, m) in window.bins() {
            if m > 0.0 {
                let (value, derivative) = asimov_bin(b, x * m);
                ts.add(value);
                slope.add(m * derivative);
            }
        }
        let root = (2.0 * ts.value()).sqrt();
        if root >= n_sigma {
            high = x;
        } else {
            low = x;
        }
        let newton = x + (n_sigma - root) * root / slope.value();
        let inside = newton > low && newton < high;
        let next = match (inside, high.is_finite()) {
            (true, _) => newton,
            (false, true) => 0.5 * (low + high),
            (false, false) => 2.0 * x,
        };
        let moved = (next - x).abs();
        x = next;
        if moved <= ROOT_TOLERANCE * x {
            return x;
        }
    }
    x
}

/// `mu ln(mu/t(b)) - (mu - t(b))` with mu = b + excess, and its derivative by mu.
#[inline(always)]
fn asimov_bin(b: f64, excess: f64) -> (f64, f64) {
    let t = b.max(TRUNCATION_VALUE);
    let mu = (b + excess).max(TRUNCATION_VALUE);
    let relative = (mu - t) / t;
    let log = if b > TRUNCATION_VALUE { (excess / b).ln_1p() } else { (mu / t).ln() };
    if relative < 1e-4 {
        // (1+r) ln(1+r) - r cancels: its series.
        return (t * relative * relative * (0.5 - relative / 6.0 + relative * relative / 12.0), log);
    }
    (mu * log - (mu - t), log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

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
}
