//! The Poisson likelihood of a cube: the Cash statistic summed over unmasked bins.

use ndarray::ArrayView3;

use super::cube::CubeView;
use super::ts_map::TRUNCATION_VALUE;
use crate::error::{Error, Result};

/// Counts, predicted counts and mask, all `[plane, y, x]`.
#[derive(Debug, Clone, Copy)]
pub struct CashSumJob<'a> {
    /// Measured counts.
    pub counts: CubeView<'a>,
    /// Predicted counts.
    pub npred: CubeView<'a>,
    /// Bins that count; `None`: all.
    pub mask: Option<ArrayView3<'a, bool>>,
}

impl CashSumJob<'_> {
    /// Checks shapes.
    ///
    /// # Errors
    /// [`Error::Input`] where they differ.
    pub fn check(&self) -> Result<()> {
        let dim = self.counts.dim();
        if self.npred.dim() != dim || self.mask.is_some_and(|m| m.dim() != dim) {
            return Err(Error::input("npred", format!("counts, npred and mask must have one shape, {dim:?}")));
        }
        Ok(())
    }
}

/// `2 [t(mu) - n ln t(mu)]` of one bin, `t(mu) = max(mu, 1e-25)`: Gammapy's `cash` (Cash 1979, eq. 5).
#[inline(always)]
pub fn cash_bin(n: f64, mu: f64) -> f64 {
    let mu = mu.max(TRUNCATION_VALUE);
    2.0 * if n > 0.0 { mu - n * mu.ln() } else { mu }
}

/// The twin of `shaders/likelihood.wgsl`: rows are summed first, then the rows' sums, so the order never varies.
pub fn cash_sum(job: &CashSumJob<'_>) -> f64 {
    let (np, ny, nx) = job.counts.dim();
    let mut total = 0.0;
    for p in 0..np {
        let (counts, npred) = (job.counts.plane(p), job.npred.plane(p));
        for y in 0..ny {
            let mut row = 0.0;
            for x in 0..nx {
                if job.mask.is_none_or(|m| m[[p, y, x]]) {
                    row += cash_bin(counts.at(y, x), npred.at(y, x));
                }
            }
            total += row;
        }
    }
    total
}
