//! How a convolution is cut into dispatches, and images and kernels as the device takes them.

use ndarray::{Array3, ArrayView3};

use crate::error::{Error, Result};
use crate::kernels::cube::CubeView;

/// Zeros around a kernel plane on the device, above and below, left and right (`KERNEL_PAD_*` in the shaders).
pub(super) const KERNEL_PAD: (usize, usize) = (15, 20);
/// Kernel cells that one workgroup of the convolution stages: rows, columns.
const STAGE: (usize, usize) = (16, 32);
/// Loop steps of one stage: 16 rows of 8 steps and their own, and copying.
const STAGE_STEPS: usize = 200;
/// Ranges of kernel rows that one dispatch of the convolution may take.
pub(super) fn convolve_pieces(ky: usize, kx: usize, max_steps: usize) -> Result<Vec<std::ops::Range<usize>>> {
    let stages = max_steps / STAGE_STEPS / kx.div_ceil(STAGE.1);
    if stages == 0 {
        return Err(Error::unsupported(format!("a kernel of {kx} x {ky} pixels on a GPU")));
    }
    let rows = STAGE.0 * stages;
    Ok((0..ky).step_by(rows).map(|u| u..ky.min(u + rows)).collect())
}

/// Planes of a convolution that one dispatch may take, where a plane is one piece.
pub(super) fn convolve_planes(ky: usize, kx: usize, max_steps: usize) -> usize {
    (max_steps / STAGE_STEPS / (ky.div_ceil(STAGE.0) * kx.div_ceil(STAGE.1))).max(1)
}

/// Kernel planes times `scale` with their zeros around, `[plane, ky + 30, kx + 40]`.
pub(super) fn padded_kernel(kernel: ArrayView3<'_, f64>, scale: f64) -> Vec<f32> {
    let (planes, ky, kx) = kernel.dim();
    let shape = (planes, ky + 2 * KERNEL_PAD.0, kx + 2 * KERNEL_PAD.1);
    let mut padded = Array3::<f32>::zeros(shape);
    let inner = ndarray::s![.., KERNEL_PAD.0..KERNEL_PAD.0 + ky, KERNEL_PAD.1..KERNEL_PAD.1 + kx];
    padded.slice_mut(inner).zip_mut_with(&kernel, |to, from| *to = (from * scale) as f32);
    padded.into_raw_vec_and_offset().0
}

/// Planes and rows of a cube in single precision.
pub(super) fn narrow(cube: CubeView<'_>, planes: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> Vec<f32> {
    let (_, _, nx) = cube.dim();
    let mut values = Vec::with_capacity(planes.len() * rows.len() * nx);
    for p in planes {
        let plane = cube.plane(p);
        for y in rows.clone() {
            values.extend((0..nx).map(|x| plane.at(y, x) as f32));
        }
    }
    values
}
