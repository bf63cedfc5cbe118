//! Convolution on the device: by transforms of tiles where those take less work, else directly.

mod direct;
mod transform;

use ndarray::Array3;

pub(super) use direct::{KERNEL_PAD, convolve_pieces, convolve_planes, padded_kernel};

use super::device::GpuDevice;
use crate::control::Control;
use crate::error::Result;
use crate::kernels::ConvolveJob;

/// Convolves each plane of a checked job.
pub(super) fn convolve(device: &GpuDevice, job: &ConvolveJob<'_>, control: &Control) -> Result<Array3<f64>> {
    if job.cube.dim().1 * job.cube.dim().2 == 0 {
        return Ok(Array3::zeros(job.cube.dim()));
    }
    match transform::Transform::plan(device, job) {
        Some(transform) => transform.convolve(control),
        None => direct::convolve(device, job, control),
    }
}
