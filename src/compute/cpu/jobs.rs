//! The smaller jobs: convolution, energy dispersion, the Cash statistic; all in double precision, by threads.

use ndarray::{Array3, Axis};
use rayon::prelude::*;

use super::correlate::{Method, Term, correlate};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::likelihood::cash_bin;
use crate::kernels::{CashSumJob, ConvolveJob, EdispJob};

/// Kernels up to this many pixels are summed directly, as the twin does: faint tails keep their digits. Larger ones
/// are summed by transforms where those are faster, exact to 1e-15 of the largest value around.
const LARGEST_DIRECT_KERNEL: usize = 41 * 41;

/// Convolves each plane.
pub fn convolve(job: &ConvolveJob<'_>, control: &Control) -> Result<Array3<f64>> {
    let (planes, ny, nx) = job.cube.dim();
    let mut out = Array3::zeros((planes, ny, nx));
    if out.is_empty() {
        return Ok(out);
    }
    let direct = job.kernel.dim().1 * job.kernel.dim().2 <= LARGEST_DIRECT_KERNEL;
    for (p, mut target) in out.outer_iter_mut().enumerate() {
        let plane = job.cube.plane(p);
        let mut kernel = job.kernel.index_axis(Axis(0), if job.kernel.dim().0 == 1 { 0 } else { p });
        // A convolution is a correlation with the kernel turned round.
        kernel.invert_axis(Axis(0));
        kernel.invert_axis(Axis(1));
        let term = [Term { at: |y: usize, x: usize| plane.at(y, x), kernels: vec![kernel] }];
        let method = if direct { Method::Direct } else { Method::Signed };
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
