//! The smaller jobs: convolution, energy dispersion, the Cash statistic; all in double precision, by threads.

use ndarray::{Array3, Axis};
use rayon::prelude::*;

use super::correlate::{Method, Term, correlate};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::likelihood::cash_bin;
use crate::kernels::{CashSumJob, ConvolveJob, EdispJob};

/// Planes with up to this many multiply-adds (about a millisecond) are summed directly, as the twin does: faint tails keep
/// their digits. Larger ones are summed by transforms where those are faster, exact to 1e-15 of the largest value around.
const LARGEST_DIRECT_PLANE: usize = 1 << 22;
/// Planes with negative or unknown values, too, where the kernel has up to this many pixels.
const LARGEST_DIRECT_KERNEL: usize = 41 * 41;

/// Convolves each plane.
pub fn convolve(job: &ConvolveJob<'_>, control: &Control) -> Result<Array3<f64>> {
    let (planes, ny, nx) = job.cube.dim();
    let mut out = Array3::zeros((planes, ny, nx));
    if out.is_empty() {
        return Ok(out);
    }
    let cells = job.kernel.dim().1 * job.kernel.dim().2;
    let sound = |v: f64| v.is_finite() && v >= 0.0;
    let method = if cells * ny * nx <= LARGEST_DIRECT_PLANE {
        Method::Direct
    } else if job.kernel.iter().all(|v| sound(*v)) && job.cube.all(sound) {
        Method::Clamped
    } else if cells <= LARGEST_DIRECT_KERNEL {
        Method::Direct
    } else {
        Method::Signed
    };
    for (p, mut target) in out.outer_iter_mut().enumerate() {
        let plane = job.cube.plane(p);
        let mut kernel = job.kernel.index_axis(Axis(0), if job.kernel.dim().0 == 1 { 0 } else { p });
        // A convolution is a correlation with the kernel turned round.
        kernel.invert_axis(Axis(0));
        kernel.invert_axis(Axis(1));
        let term = [Term { at: |y: usize, x: usize| plane.at(y, x), kernels: vec![kernel] }];
        let values = correlate(&term, (ny, nx), method, control)?.pop().unwrap_or_default();
        for (target, value) in target.iter_mut().zip(values) {
            *target = value;
        }
        control.report("convolve", p as u64 + 1, planes as u64);
    }
    Ok(out)
}

/// Sums true energies into reconstructed energies, row by row.
pub fn apply_edisp(job: &EdispJob<'_>, control: &Control) -> Result<Array3<f64>> {
    let (nt, ny, nx) = job.cube.dim();
    let nr = job.matrix.dim().1;
    let mut out = Array3::zeros((nr, ny, nx));
    if out.is_empty() {
        return Ok(out);
    }
    let Some(values) = out.as_slice_mut() else {
        return Err(Error::input("edisp", "the result must lie in one piece"));
    };
    values.par_chunks_mut(nx).enumerate().try_for_each(|(row, target)| {
        control.check()?;
        let (r, y) = (row / ny, row % ny);
        for t in 0..nt {
            let weight = job.matrix[[t, r]];
            if weight != 0.0 {
                let plane = job.cube.plane(t);
                for (x, target) in target.iter_mut().enumerate() {
                    *target += weight * plane.at(y, x);
                }
            }
        }
        Ok(())
    })?;
    Ok(out)
}

/// Sums the Cash statistic: rows by threads, then their sums in order.
pub fn cash_sum(job: &CashSumJob<'_>, control: &Control) -> Result<f64> {
    let (np, ny, nx) = job.counts.dim();
    control.check()?;
    let rows: Vec<f64> = (0..np * ny)
        .into_par_iter()
        .map(|row| {
            let (p, y) = (row / ny, row % ny);
            let (counts, npred) = (job.counts.plane(p), job.npred.plane(p));
            (0..nx)
                .filter(|x| job.mask.is_none_or(|mask| mask[[p, y, *x]]))
                .map(|x| cash_bin(counts.at(y, x), npred.at(y, x)))
                .sum()
        })
        .collect();
    control.check()?;
    Ok(rows.iter().sum())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::kernels::convolve::convolve as twin;
    use crate::kernels::CubeView;

    /// A bright blob, a faint one and nothing between them, over the size from which transforms are taken.
    #[test]
    fn transforms_of_what_is_not_negative_stay_so() {
        let (ny, nx, k) = (127, 211, 21);
        let blob = |y: usize, x: usize, at: (f64, f64), width: f64| {
            let r2 = (y as f64 - at.0).powi(2) + (x as f64 - at.1).powi(2);
            if r2 < (7.0 * width).powi(2) { (-0.5 * r2 / (width * width)).exp() } else { 0.0 }
        };
        let cube = Array3::from_shape_fn((1, ny, nx), |(_, y, x)| {
            1e6 * blob(y, x, (40.0, 35.0), 4.0) + 1e-3 * blob(y, x, (90.0, 180.0), 2.0)
        });
        let plane: Array2<f64> =
            Array2::from_shape_fn((k, k), |(u, v)| blob(u, v, (10.0, 10.0), 3.0) * (1.0 + 0.1 * u as f64));
        assert!(ny * nx * k * k > LARGEST_DIRECT_PLANE);
        let kernel = (&plane / plane.sum()).insert_axis(Axis(0));
        let job = ConvolveJob { cube: CubeView::F64(cube.view()), kernel: kernel.view() };
        let (found, wanted) = (convolve(&job, &Control::new()).unwrap(), twin(&job));
        let peak = wanted.iter().copied().fold(0.0, f64::max);
        let mut empty = 0;
        for (i, wanted) in wanted.indexed_iter() {
            let found = found[i];
            assert!(found >= 0.0 && (found - wanted).abs() <= 1e-15 * peak, "{i:?}: {found:e} for {wanted:e}");
            if *wanted == 0.0 {
                assert_eq!(found, 0.0, "{i:?}");
                empty += 1;
            }
        }
        assert!(empty > 1000, "{empty}");
    }
}
