//! The smaller jobs: convolution, energy dispersion, the Cash statistic; all in double precision, by threads.

use ndarray::{Array3, Axis, s};
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
    // A convolution is a correlation with the kernel turned round.
    let turned = |p: usize| {
        let mut kernel = job.kernel.index_axis(Axis(0), if job.kernel.dim().0 == 1 { 0 } else { p });
        kernel.invert_axis(Axis(0));
        kernel.invert_axis(Axis(1));
        kernel
    };
    // One plane that stands for all of them is transformed once.
    let together = if job.cube.repeats_a_plane() { planes } else { 1 };
    for first in (0..planes).step_by(together) {
        let plane = job.cube.plane(first);
        let kernels = (first..first + together).map(turned).collect();
        let term = [Term { plane, holes_of: None, kernels }];
        let sums = correlate(&term, (ny, nx), method, control)?;
        for (mut target, values) in out.slice_mut(s![first.., .., ..]).outer_iter_mut().zip(sums) {
            for (target, value) in target.iter_mut().zip(values) {
                *target = value;
            }
        }
        control.report("convolve", (first + together) as u64, planes as u64);
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
        let mut values = vec![0.0; nx];
        for t in 0..nt {
            let weight = job.matrix[[t, r]];
            if weight != 0.0 {
                job.cube.plane(t).copy_row(y, 0, &mut values);
                target.iter_mut().zip(&values).for_each(|(target, value)| *target += weight * value);
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
