//! The likelihood profile of one window at many norms: sums over bins without logarithms, products of ratios with few.

use multiversion::multiversion;

use crate::kernels::ts_map::{TRUNCATION_VALUE, Window};

/// Norms that are summed together: they stay in registers.
const NORMS: usize = 32;
/// Binary orders of magnitude that a product of ratios may span before its logarithm is taken.
const SPAN: f64 = 900.0;
/// Bins of up to this many counts enter a product as often; for others a logarithm is cheaper.
const MOST_FACTORS: f64 = 4.0;

/// A window split by what its bins need.
#[derive(Default)]
pub struct ProfileScratch {
    b: Vec<f64>,
    m: Vec<f64>,
    /// Counts, background and model of bins with counts.
    filled: Vec<(f64, f64, f64)>,
}

/// `stat(norm) - stat(0)` for each of `norms`, with truncated npred, as `kernels::ts_map::window::stat_rise`.
pub fn stat_rises(window: &Window, norms: &[f64], out: &mut Vec<f64>, scratch: &mut ProfileScratch) {
    scratch.b.clear();
    scratch.m.clear();
    scratch.filled.clear();
    let (mut model, mut truncated) = (0.0, 0.0);
    // Norms between these two predict more than the truncation value in every bin.
    let (mut lowest, mut highest) = (f64::NEG_INFINITY, f64::INFINITY);
    for ((&n, &b), &m) in window.counts.iter().zip(&window.background).zip(&window.model) {
        if m == 0.0 {
            continue;
        }
        scratch.b.push(b);
        scratch.m.push(m);
        model += m;
        truncated += b.max(TRUNCATION_VALUE);
        let clip = (TRUNCATION_VALUE - b) / m;
        if m > 0.0 {
            lowest = clip.max(lowest);
        } else {
            highest = clip.min(highest);
        }
        if n > 0.0 {
            scratch.filled.push((n, b, m));
        }
    }
    out.clear();
    for norms in norms.chunks(NORMS) {
        let mut x = [0.0; NORMS];
        x[..norms.len()].copy_from_slice(norms);
        let mut linear = x.map(|x| x * model);
        if norms.iter().any(|x| !(*x >= lowest && *x <= highest)) {
            let mut sums = [0.0; NORMS];
            add_truncated(&mut sums, &x, &scratch.b, &scratch.m);
            for ((linear, sum), x) in linear.iter_mut().zip(sums).zip(x) {
                if !(x >= lowest && x <= highest) {
                    *linear = sum - truncated;
                }
            }
        }
        let logs = logarithms(&x, &scratch.filled);
        let rises = linear.iter().zip(logs).zip(norms);
        // At 0 there is no rise, not even one of rounding.
        out.extend(rises.map(|((linear, log), x)| if *x == 0.0 { 0.0 } else { 2.0 * (linear - log) }));
    }
}

/// `sum max(b + x m, truncation)`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma", "aarch64+neon"))]
fn add_truncated(sums: &mut [f64; NORMS], x: &[f64; NORMS], b: &[f64], m: &[f64]) {
    let mut total = *sums;
    for (b, m) in b.iter().zip(m) {
        for (total, x) in total.iter_mut().zip(x) {
            let mu = b + x * m;
            *total += if mu > TRUNCATION_VALUE { mu } else { TRUNCATION_VALUE };
        }
    }
    *sums = total;
}

/// `sum n ln(t(b + x m) / t(b))`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma", "aarch64+neon"))]
fn logarithms(x: &[f64; NORMS], filled: &[(f64, f64, f64)]) -> [f64; NORMS] {
    let farthest = x.iter().fold(0.0f64, |far, x| far.max(x.abs()));
    let mut sums = [0.0; NORMS];
    let mut product = [1.0; NORMS];
    let mut span = 0.0;
    for &(n, b, m) in filled {
        let t0 = b.max(TRUNCATION_VALUE);
        let factors = if n.fract() == 0.0 && n <= MOST_FACTORS { n } else { 1.0 };
        let reach = ((TRUNCATION_VALUE / t0).log2().abs()).max(((t0 + farthest * m.abs()) / t0).log2()) * factors;
        if span + reach > SPAN || factors != n {
            take_logarithms(&mut sums, &mut product, 1.0);
            span = 0.0;
        }
        let inverse = 1.0 / t0;
        for (product, x) in product.iter_mut().zip(x) {
            let mu = b + x * m;
            let ratio = if mu > TRUNCATION_VALUE { mu } else { TRUNCATION_VALUE } * inverse;
            for _ in 0..factors as usize {
                *product *= ratio;
            }
        }
        span += reach;
        if factors != n {
            take_logarithms(&mut sums, &mut product, n);
            span = 0.0;
        }
    }
    take_logarithms(&mut sums, &mut product, 1.0);
    sums
}

#[inline(always)]
fn take_logarithms(sums: &mut [f64; NORMS], product: &mut [f64; NORMS], weight: f64) {
    for (sum, product) in sums.iter_mut().zip(product) {
        *sum += weight * product.ln();
        *product = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::ts_map::window::stat_rise;

    #[test]
    fn profiles_are_those_of_the_twin() {
        let mut window = Window::default();
        for i in 0..700u32 {
            let n = f64::from(if i % 9 == 0 { [1, 2, 0, 7, 1, 100_000][(i % 6) as usize] } else { 0 });
            let b = [0.3, 1e-9, 2.5, 0.0, 1e-30, 40.0][(i % 5) as usize] * (1.0 + f64::from(i % 13));
            let m = [0.2, 1e-12, 0.0, 3.0][(i % 4) as usize];
            window.push(n, b, m);
        }
        let norms: Vec<f64> = (0..77).map(|i| -10.0 + 0.4 * f64::from(i)).chain([0.0, 1e-12, 100.0, -100.0]).collect();
        let (mut rises, mut scratch) = (Vec::new(), ProfileScratch::default());
        stat_rises(&window, &norms, &mut rises, &mut scratch);
        assert_eq!(rises.len(), norms.len());
        for (norm, rise) in norms.iter().zip(&rises) {
            let want = stat_rise(&window, *norm);
            assert!((rise - want).abs() <= 1e-9 * want.abs().max(1.0), "{norm}: {rise} for {want}");
        }
    }
}
