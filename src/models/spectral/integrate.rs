//! Integrals of spectra: Gammapy's trapezoids on a log-log grid, and adaptive quadrature.

use crate::math::quadrature;

/// Grid points per decade, Gammapy's `ndecade`.
const NODES_PER_DECADE: f64 = 100.0;

/// Largest number of nodes in a bin; 100 per decade reach it only for edges that are not energies.
const MAX_NODES: f64 = 1e6;

/// Integrals of `f` over successive bins in the way of Gammapy's `integrate_spectrum`: each bin has the same number of
/// nodes, `max(2, int(max over bins of 100 log10(Emax / Emin)))` at logarithmic spacing, and `f` is a power law between
/// them. A segment from (x0, y0) to (x1, y1) with L = ln(x1 / x0) and t = ln(x1 y1 / (x0 y0)) has the integral
/// x0 y0 L (exp(t) - 1) / t; it is 0 where either end is 0, as there.
pub(super) fn loglog_bins(f: impl Fn(f64) -> f64, edges_tev: &[f64]) -> Vec<f64> {
    let widest = edges_tev.windows(2).map(|w| NODES_PER_DECADE * (w[1] / w[0]).log10()).fold(2.0, f64::max);
    let n = widest.min(MAX_NODES) as usize;
    edges_tev.windows(2).map(|w| loglog_bin(&f, w[0], w[1], n)).collect()
}

fn loglog_bin(f: &impl Fn(f64) -> f64, min: f64, max: f64, nodes: usize) -> f64 {
    let (a, b) = (min.log10(), max.log10());
    let step = (b - a) / (nodes - 1) as f64;
    let (mut x0, mut y0) = (min, f(min));
    let mut sum = 0.0;
    for i in 1..nodes {
        let x1 = if i == nodes - 1 { max } else { 10f64.powf(a + step * i as f64) };
        let y1 = f(x1);
        sum += segment(x0, y0, x1, y1);
        (x0, y0) = (x1, y1);
    }
    sum
}

fn segment(x0: f64, y0: f64, x1: f64, y1: f64) -> f64 {
    if y0 == 0.0 || y1 == 0.0 {
        return 0.0;
    }
    let width = (x1 / x0).ln();
    // Values of unlike signs have no power law between them; Gammapy clips their ratio.
    let ratio = y1 / y0;
    let t = width + if ratio < 0.0 { f64::MIN_POSITIVE.ln() } else { ratio.ln() };
    x0 * y0 * width * relative_power(t)
}

/// (exp(t) - 1) / t, 1 at t = 0.
pub(super) fn relative_power(t: f64) -> f64 {
    if t == 0.0 { 1.0 } else { t.exp_m1() / t }
}

/// ∫ (E / reference)^-index dE from `min` to `max`, without a loss of digits near index 1.
pub(super) fn power_law(index: f64, reference: f64, min: f64, max: f64) -> f64 {
    let (width, lower) = ((max / min).ln(), (min / reference).ln());
    let slope = 1.0 - index;
    reference * (slope * lower).exp() * width * relative_power(slope * width)
}

/// ∫ E (E / reference)^-index dE from `min` to `max`, without a loss of digits near index 2.
pub(super) fn power_law_energy(index: f64, reference: f64, min: f64, max: f64) -> f64 {
    reference * power_law(index - 1.0, reference, min, max)
}

/// ∫ f dE by adaptive quadrature over ln E, to 1e-12 of the integral for smooth spectra.
pub(super) fn adaptive(f: impl Fn(f64) -> f64, min: f64, max: f64) -> f64 {
    if min == max {
        return 0.0;
    }
    quadrature::integrate(
        |t| {
            let e = t.exp();
            f(e) * e
        },
        min.ln(),
        max.ln(),
        0.0,
        1e-12,
    )
    .value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_laws_are_exact_near_the_special_indices() {
        let at = |index| power_law(index, 1.5, 0.7, 5.9);
        assert!((at(1.0) - 1.5 * (5.9f64 / 0.7).ln()).abs() < 1e-14);
        for index in [1.0 + 1e-12, 1.0 - 1e-9, 1.0 + 1e-6] {
            assert!((at(index) / at(1.0) - 1.0).abs() < 2e-6, "{index}");
        }
        assert!((power_law_energy(2.0, 1.5, 0.7, 5.9) - 1.5 * 1.5 * (5.9f64 / 0.7).ln()).abs() < 1e-13);
    }

    #[test]
    fn trapezoids_are_exact_for_power_laws_and_zero_for_zeros() {
        let bins = loglog_bins(|e| 3.0 * e.powf(-2.7), &[0.1, 1.0, 50.0]);
        assert!((bins[0] / (3.0 * power_law(2.7, 1.0, 0.1, 1.0)) - 1.0).abs() < 1e-12);
        assert_eq!(loglog_bins(|_| 0.0, &[0.1, 1.0]), vec![0.0]);
        assert_eq!(loglog_bins(|e| if e < 0.5 { 0.0 } else { 1.0 }, &[0.1, 0.4, 0.45]), vec![0.0, 0.0]);
        assert!(loglog_bins(|e| e - 0.5, &[0.1, 1.0])[0].is_finite());
    }
}
