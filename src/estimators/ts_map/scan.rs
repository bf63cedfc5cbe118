//! Norms of the likelihood profile.

use ndarray::{Array2, Array3, ArrayView1, Axis, s};
use rayon::prelude::*;

use super::options::NormScan;
use crate::kernels::TsMapOutput;

/// Number of norms of the adaptive grid (Gammapy's).
const ADAPTIVE: usize = 109;

/// Norms below this many errors are rounding of 0.
const ZERO_NORM: f64 = 1e-9;

/// `[scan, y, x]`: the norms per pixel, ascending. The adaptive grid is Gammapy's: 51 norms within ±2.5 errors and 21
/// within ±10 errors of the best fit, 21 within ±10 |norm|, 21 within ±10, and ±100; where points coincide, Gammapy
/// fills up with random numbers, here the widest gaps between neighbours are halved.
pub(super) fn scan_norms(scan: &NormScan, norm: &Array2<f64>, norm_err: &Array2<f64>) -> Array3<f64> {
    let (ny, nx) = norm.dim();
    match *scan {
        NormScan::Linear { min, max, n } => Array3::from_shape_fn((n, ny, nx), |(i, y, x)| {
            if norm[[y, x]].is_nan() { f64::NAN } else { min + (max - min) * i as f64 / (n - 1) as f64 }
        }),
        NormScan::Adaptive => {
            let mut out = Array3::from_elem((ADAPTIVE, ny, nx), f64::NAN);
            out.axis_iter_mut(Axis(1)).into_par_iter().enumerate().for_each(|(y, mut row)| {
                for x in (0..nx).filter(|x| !norm[[y, *x]].is_nan()) {
                    for (i, v) in adaptive_norms(norm[[y, x]], norm_err[[y, x]]).into_iter().enumerate() {
                        row[[i, x]] = v;
                    }
                }
            });
            out
        }
    }
}

/// The norms of the adaptive grid around a best fit, ascending.
pub(in crate::estimators) fn adaptive_norms(norm: f64, error: f64) -> Vec<f64> {
    // A norm that is 0 but for rounding stays the centre, whatever the rounding: Gammapy takes 1 where it is exactly 0,
    // any number of errors away.
    let is_zero = error.is_finite() && norm.abs() <= ZERO_NORM * error;
    let error = if error.is_finite() && error != 0.0 { error } else { 0.1 };
    let (norm, scale) = match (is_zero, norm.is_finite() && norm != 0.0) {
        (true, _) => (0.0, error),
        (false, true) => (norm, norm.abs()),
        (false, false) => (1.0, 1.0),
    };
    let mut norms: Vec<f64> = Vec::with_capacity(ADAPTIVE + 8);
    let mut spread = |center: f64, half: f64, n: usize| {
        norms.extend((0..n).map(|i| center + half * (2.0 * i as f64 / (n - 1) as f64 - 1.0)));
    };
    spread(norm, 2.5 * error, 51);
    spread(norm, 10.0 * error, 21);
    spread(0.0, 10.0 * scale, 21);
    spread(0.0, 10.0, 21);
    norms.extend([-100.0, 100.0]);
    norms.sort_by(f64::total_cmp);
    // The best fit and 0 stand in several of the grids.
    norms.dedup_by(|a, b| (*a - *b).abs() <= 1e-12 * (a.abs() + b.abs()) + 1e-300);
    norms.truncate(ADAPTIVE);
    while norms.len() < ADAPTIVE {
        let widest = norms.windows(2).enumerate().max_by(|a, b| (a.1[1] - a.1[0]).total_cmp(&(b.1[1] - b.1[0])));
        let Some((i, pair)) = widest else { break };
        let middle = 0.5 * (pair[0] + pair[1]);
        norms.insert(i + 1, middle);
    }
    norms
}

/// Replaces ts, norm, errors and limits by those of the profile (Gammapy's `estimate_scan`): the norm is the scanned one
/// with the lowest statistic, the errors are the distances to where the profile, linear between the scanned norms, has
/// risen by n², norm_err is their mean. The profile also runs where predicted counts are negative and truncated, so
/// the norm may lie below the bound of the fit.
pub(super) fn read_off_profile(
    output: &mut TsMapOutput,
    norms: &Array3<f64>,
    stat: &Array3<f64>,
    n_sigma: f64,
    n_sigma_ul: f64,
) {
    let (_, ny, nx) = norms.dim();
    let rows: Vec<Vec<Option<Reading>>> = (0..ny)
        .into_par_iter()
        .map(|y| {
            let reading = |x| Reading::new(norms.slice(s![.., y, x]), stat.slice(s![.., y, x]), n_sigma, n_sigma_ul);
            (0..nx).map(reading).collect()
        })
        .collect();
    for (y, row) in rows.into_iter().enumerate() {
        for (x, reading) in row.into_iter().enumerate() {
            let Some(reading) = reading else { continue };
            output.norm[[y, x]] = reading.norm;
            output.ts[[y, x]] = -reading.stat;
            output.norm_err[[y, x]] = 0.5 * (reading.errn + reading.errp);
            let optional = [
                (&mut output.norm_errn, reading.errn),
                (&mut output.norm_errp, reading.errp),
                (&mut output.norm_ul, reading.ul),
            ];
            for (map, value) in optional {
                if let Some(map) = map {
                    map[[y, x]] = value;
                }
            }
        }
    }
}

/// What a profile says of one pixel.
struct Reading {
    norm: f64,
    stat: f64,
    errn: f64,
    errp: f64,
    ul: f64,
}

impl Reading {
    /// `None` where no point of the profile is finite.
    fn new(norms: ArrayView1<'_, f64>, stat: ArrayView1<'_, f64>, n_sigma: f64, n_sigma_ul: f64) -> Option<Self> {
        let points: Vec<(f64, f64)> = norms.iter().copied().zip(stat.iter().copied()).collect();
        let finite = points.iter().enumerate().filter(|(_, p)| p.1.is_finite());
        let (best, &(norm, minimum)) = finite.min_by(|a, b| a.1.1.total_cmp(&b.1.1))?;
        let rise = |side: &mut dyn Iterator<Item = &(f64, f64)>, n_sigma: f64| {
            let (target, mut last) = (minimum + n_sigma * n_sigma, (norm, minimum));
            for point in side {
                if point.1 >= target {
                    let t = (target - last.1) / (point.1 - last.1);
                    return ((last.0 + (point.0 - last.0) * t) - norm).abs();
                }
                last = *point;
            }
            (last.0 - norm).abs()
        };
        Some(Self {
            norm,
            stat: minimum,
            errn: rise(&mut points[..best].iter().rev(), n_sigma),
            errp: rise(&mut points[best + 1..].iter(), n_sigma),
            ul: norm + rise(&mut points[best + 1..].iter(), n_sigma_ul),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adaptive_grid_always_has_its_size_and_holds_the_best_fit() {
        for (norm, error) in [(1.3, 0.4), (0.0, f64::INFINITY), (-2.0, 0.2), (1.0, 1.0), (5e4, 100.0)] {
            let norms = adaptive_norms(norm, error);
            assert_eq!(norms.len(), ADAPTIVE, "{norm} {error}");
            assert!(norms.windows(2).all(|w| w[0] <= w[1]));
            if norm != 0.0 || error.is_finite() {
                assert!(norms.iter().any(|v| (v - norm).abs() < 1e-9 * norm.abs()));
            }
        }
    }
}
