//! How the likelihood falls off around a norm: its curvature, errors and limits.

use std::cell::OnceCell;

use super::{MAX_ROOT_STEPS, ROOT_TOLERANCE, Sum, Window, times};
use crate::kernels::ts_map::TRUNCATION_VALUE;
use crate::kernels::ts_map::rise::RiseBins;

/// Poles left of the norm that the search for errn visits one by one; farther out it walks in growing steps.
const MAX_POLES: usize = 64;

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
    pub(super) fn errn(&self, curvature: f64, n_sigma: f64) -> f64 {
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
