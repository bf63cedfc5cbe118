//! How the likelihood falls off around a norm: its curvature, errors and limits.

use std::cell::OnceCell;

use super::{MAX_ROOT_STEPS, ROOT_TOLERANCE, Sum, Window, times};
use crate::kernels::ts_map::TRUNCATION_VALUE;
use crate::kernels::ts_map::rise::RiseBins;

/// A window seen from one norm: predicted counts there, and likelihood differences to other norms.
pub(super) struct AtNorm<'w> {
    window: &'w Window,
    pub(super) norm: f64,
    /// mu = b + norm m.
    npred: Vec<f64>,
    /// Made at the first question for a rise.
    bins: OnceCell<RiseBins>,
}

impl<'w> AtNorm<'w> {
    /// `from_pole`: the norm as distance z from the pole -s, as `(z, s)`, where b + norm m would cancel.
    pub(super) fn new(window: &'w Window, norm: f64, from_pole: Option<(f64, f64)>) -> Self {
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
    pub(super) fn ts(&self) -> f64 {
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
    pub(super) fn curvature(&self) -> f64 {
        Sum::of(self.window.bins().zip(&self.npred).filter_map(|((n, _, m), &mu)| {
            let share = m / mu;
            (n > 0.0 && m > 0.0 && mu != 0.0).then_some(n * share * share)
        }))
    }

    fn rise_bins(&self) -> &RiseBins {
        self.bins.get_or_init(|| RiseBins::new(self.window, &self.npred))
    }

    /// `stat(norm + shift) - stat(norm)` and its derivative by the shift.
    fn rise(&self, shift: f64) -> (f64, f64) {
        let bins = self.rise_bins();
        let (mut value, mut slope) = bins.empty(shift);
        for bin in &bins.single {
            value.add(rise_of_bin(bin, shift));
            let &(n, m, mu0) = bin;
            let mu = mu0 + shift * m;
            if mu > TRUNCATION_VALUE {
                slope.add(m - n * m / mu);
            }
        }
        (2.0 * value.value(), 2.0 * slope.value())
    }

    /// The most that `stat(norm - d) - stat(norm)` may be for any d from `near` to `far`: each bin changes in one
    /// direction, or falls before it rises, so its own highest value is at one of the ends. The rise itself where these
    /// are the same.
    fn highest_rise(&self, near: f64, far: f64) -> f64 {
        let bins = self.rise_bins();
        let (mut value, _) = bins.empty(-near);
        for bin in &bins.single {
            value.add(rise_of_bin(bin, -near).max(rise_of_bin(bin, -far)));
        }
        2.0 * value.value()
    }

    /// Distance down to the nearest norm with a rise of n_sigma².
    ///
    /// Between two poles stat is convex (truncated npred included), so a rise reached at a pole is crossed once
    /// between that pole and the one before it. Beyond the last one stat only falls, but for models below 0.
    pub(super) fn errn(&self, curvature: f64, n_sigma: f64) -> f64 {
        if curvature <= 0.0 {
            return f64::NAN;
        }
        let (target, sigma) = (n_sigma * n_sigma, n_sigma / curvature.sqrt());
        let poles = self.poles();
        if let Some((near, far)) = self.first_reached(&poles, target) {
            return self.crossing(-1.0, near, far, sigma, target);
        }
        if self.window.model.iter().all(|m| *m >= 0.0) {
            return f64::NAN;
        }
        self.walk(-1.0, poles.last().copied().unwrap_or(0.0).max(0.1 * sigma), target)
    }

    /// Distances a little past the poles below the norm, where their bins are truncated: the limits that stat rises to,
    /// nearest first.
    fn poles(&self) -> Vec<f64> {
        let mut poles: Vec<f64> = self
            .window
            .bins()
            .zip(&self.npred)
            .filter(|((n, _, m), mu)| *n > 0.0 && *m > 0.0 && **mu > 0.0)
            .map(|((_, _, m), mu)| mu / m)
            .map(|pole| pole + 4.0 * f64::EPSILON * self.norm.abs().max(pole))
            .collect();
        poles.sort_unstable_by(f64::total_cmp);
        poles
    }

    /// The nearest pole with a rise of `target`, after the one before it (0 for the first). Ranges of poles are looked at
    /// as a whole, each twice as long as the one before, and halved where the rise may be reached.
    fn first_reached(&self, poles: &[f64], target: f64) -> Option<(f64, f64)> {
        let edge = |n: usize| if n == 0 { 0.0 } else { poles[n - 1] };
        let mut done = 0;
        while done < poles.len() {
            let mut ranges = vec![(done, (2 * done).clamp(done + 1, poles.len()))];
            done = ranges[0].1;
            while let Some((low, high)) = ranges.pop() {
                let near = if high - low == 1 { edge(high) } else { edge(low) };
                if self.highest_rise(near, edge(high)) < target {
                    continue;
                }
                if high - low == 1 {
                    return Some((edge(low), edge(high)));
                }
                let middle = low.midpoint(high);
                ranges.extend([(middle, high), (low, middle)]);
            }
        }
        None
    }

    /// Distance up to the nearest norm with a rise of n_sigma².
    pub(super) fn upper_distance(&self, curvature: f64, model: f64, n_sigma: f64) -> f64 {
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

/// Half of what a bin `(n, m, mu)` adds to the rise at `shift`.
fn rise_of_bin(&(n, m, mu0): &(f64, f64, f64), shift: f64) -> f64 {
    let mu = mu0 + shift * m;
    if mu > TRUNCATION_VALUE && mu0 > TRUNCATION_VALUE {
        return shift * m - times(n, || (shift * m / mu0).ln_1p());
    }
    let (t, t0) = (mu.max(TRUNCATION_VALUE), mu0.max(TRUNCATION_VALUE));
    t - t0 - times(n, || (t / t0).ln())
}
