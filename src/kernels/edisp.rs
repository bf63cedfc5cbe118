//! The energy-dispersion product: true-energy planes to reconstructed-energy planes.

use ndarray::{Array3, ArrayView2};

use super::cube::CubeView;
use crate::error::{Error, Result};

/// `out[r, y, x] = sum_t matrix[t, r] cube[t, y, x]`.
#[derive(Debug, Clone, Copy)]
pub struct EdispJob<'a> {
    /// `[true energy, y, x]`.
    pub cube: CubeView<'a>,
    /// `[true energy, reconstructed energy]`.
    pub matrix: ArrayView2<'a, f64>,
}

impl EdispJob<'_> {
    /// Checks shapes.
    ///
    /// # Errors
    /// [`Error::Input`] where the number of true energies differs.
    pub fn check(&self) -> Result<()> {
        if self.cube.dim().0 != self.matrix.dim().0 {
            return Err(Error::input(
                "edisp",
                format!("{} true energies in the matrix, {} in the cube", self.matrix.dim().0, self.cube.dim().0),
            ));
        }
        Ok(())
    }
}

/// The twin of `shaders/edisp.wgsl`.
pub fn apply_edisp(job: &EdispJob<'_>) -> Array3<f64> {
    let (nt, ny, nx) = job.cube.dim();
    let nr = job.matrix.dim().1;
    let mut out = Array3::zeros((nr, ny, nx));
    for t in 0..nt {
        let plane = job.cube.plane(t);
        for r in 0..nr {
            let weight = job.matrix[[t, r]];
            if weight == 0.0 {
                continue;
            }
            for y in 0..ny {
                for x in 0..nx {
                    out[[r, y, x]] += weight * plane.at(y, x);
                }
            }
        }
    }
    out
}
