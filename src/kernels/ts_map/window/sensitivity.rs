//! The norm that would be seen at a wanted significance.

use super::{MAX_ROOT_STEPS, ROOT_TOLERANCE, Sum, Window};
use crate::kernels::ts_map::TRUNCATION_VALUE;

/// The norm x > 0 whose Asimov counts b + x m have TS = n_sigma²: `2 sum [mu ln(mu/t(b)) - (mu - b)]`.
///
/// Newton's steps on the square root of the TS, which is nearly linear in x.
pub(super) fn sensitivity(window: &Window, model: f64, n_sigma: f64) -> f64 {
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
