//! Convolution of each plane with its kernel ("same" size, zeros outside), as direct sums.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use super::cube::CubeView;
use crate::error::{Error, Result};

/// Planes to convolve, each with its kernel plane (or one kernel plane for all).
#[derive(Debug, Clone, Copy)]
pub struct ConvolveJob<'a> {
    /// `[plane, y, x]`.
    pub cube: CubeView<'a>,
    /// `[plane or 1, ky, kx]`, ky and kx odd.
    pub kernel: ArrayView3<'a, f64>,
}

impl ConvolveJob<'_> {
    /// Checks shapes.
    ///
    /// # Errors
    /// [`Error::Input`] for even kernels or numbers of planes that do not fit.
    pub fn check(&self) -> Result<()> {
        let (planes, ..) = self.cube.dim();
        let (kp, ky, kx) = self.kernel.dim();
        if ky % 2 == 0 || kx % 2 == 0 || (kp != planes && kp != 1) {
            return Err(Error::input("kernel", format!("shape ({kp}, {ky}, {kx}) for {planes} planes")));
        }
        Ok(())
    }
}

/// `out[y, x] = sum_{u, v} kernel[u, v] image[y - u + ky/2, x - v + kx/2]`: the twin of
/// `shaders/convolve.wgsl` and, by transforms, of `shaders/convolve_{rows,columns,back}.wgsl`.
pub fn convolve_plane(image: ArrayView2<'_, f64>, kernel: ArrayView2<'_, f64>) -> Array2<f64> {
    let (ny, nx) = image.dim();
    let (ky, kx) = kernel.dim();
    let (hy, hx) = (ky / 2, kx / 2);
    let mut out = Array2::zeros((ny, nx));
    for y in 0..ny {
        for x in 0..nx {
            let mut sum = 0.0;
            for u in 0..ky {
                let Some(sy) = (y + hy).checked_sub(u).filter(|s| *s < ny) else { continue };
                for v in 0..kx {
                    let Some(sx) = (x + hx).checked_sub(v).filter(|s| *s < nx) else { continue };
                    sum += kernel[[u, v]] * image[[sy, sx]];
                }
            }
            out[[y, x]] = sum;
        }
    }
    out
}

/// All planes of a job by [`convolve_plane`].
pub fn convolve(job: &ConvolveJob<'_>) -> Array3<f64> {
    let cube = job.cube.to_f64();
    let mut out = Array3::zeros(cube.dim());
    for (p, (image, mut target)) in cube.outer_iter().zip(out.outer_iter_mut()).enumerate() {
        let kernel = job.kernel.index_axis(ndarray::Axis(0), if job.kernel.dim().0 == 1 { 0 } else { p });
        target.assign(&convolve_plane(image, kernel));
    }
    out
}
