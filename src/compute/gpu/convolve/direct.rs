//! Direct sums: how they are cut into dispatches, and kernels as the device takes them.

use std::ops::Range;

use ndarray::{Array3, ArrayView3, Axis, s};

use super::super::device::GpuDevice;
use super::super::memory::Buffer;
use super::super::params;
use super::super::pipelines::CONVOLVE;
use super::super::planes::{TILE, narrow, tiles_x};
use super::super::two_float;
use crate::compute::bands::plan_bands;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::ConvolveJob;

/// Zeros around a kernel plane on the device, above and below, left and right (`KERNEL_PAD_*` in the shaders).
pub(in super::super) const KERNEL_PAD: (usize, usize) = (15, 20);
/// Kernel cells that one workgroup of the convolution stages: rows, columns.
const STAGE: (usize, usize) = (16, 32);
/// Loop steps of one stage: 16 rows of 8 steps and their own, and copying.
const STAGE_STEPS: usize = 200;

/// Ranges of kernel rows that one dispatch of the convolution may take.
pub(in super::super) fn convolve_pieces(ky: usize, kx: usize, max_steps: usize) -> Result<Vec<Range<usize>>> {
    let stages = max_steps / STAGE_STEPS / kx.div_ceil(STAGE.1);
    if stages == 0 {
        return Err(Error::unsupported(format!("a kernel of {kx} x {ky} pixels on a GPU")));
    }
    let rows = STAGE.0 * stages;
    Ok((0..ky).step_by(rows).map(|u| u..ky.min(u + rows)).collect())
}

/// Planes of a convolution that one dispatch may take, where a plane is one piece.
pub(in super::super) fn convolve_planes(ky: usize, kx: usize, max_steps: usize) -> usize {
    (max_steps / STAGE_STEPS / (ky.div_ceil(STAGE.0) * kx.div_ceil(STAGE.1))).max(1)
}

/// Kernel planes times `scale` with their zeros around, `[plane, ky + 30, kx + 40]`.
pub(in super::super) fn padded_kernel(kernel: ArrayView3<'_, f64>, scale: f64) -> Vec<f32> {
    let (planes, ky, kx) = kernel.dim();
    let shape = (planes, ky + 2 * KERNEL_PAD.0, kx + 2 * KERNEL_PAD.1);
    let mut padded = Array3::<f32>::zeros(shape);
    let inner = ndarray::s![.., KERNEL_PAD.0..KERNEL_PAD.0 + ky, KERNEL_PAD.1..KERNEL_PAD.1 + kx];
    padded.slice_mut(inner).zip_mut_with(&kernel, |to, from| *to = (from * scale) as f32);
    padded.into_raw_vec_and_offset().0
}

/// Convolves all planes of a job: values and kernel are rounded to single precision, sums are two-float.
pub(super) fn convolve(device: &GpuDevice, job: &ConvolveJob<'_>, control: &Control) -> Result<Array3<f64>> {
    let (planes, ny, nx) = job.cube.dim();
    let mut out = Array3::zeros((planes, ny, nx));
    // A correlation with the kernel turned around is a convolution.
    let turned = job.kernel.slice(s![.., ..;-1, ..;-1]);
    let (_, ky, kx) = job.kernel.dim();
    let direct = Direct {
        device,
        job,
        pieces: convolve_pieces(ky, kx, device.max_steps)?,
        uniform: device.uniform(size_of::<params::Convolve>())?,
        kernel: device.upload("pevatron.kernel", &padded_kernel(turned, 1.0))?,
    };
    for p in 0..planes {
        control.check()?;
        control.report("convolve", p as u64, planes as u64);
        // Output takes 8 bytes per pixel; the image rows that a band needs take 4, and are at most all rows.
        for band in plan_bands(ny, TILE, 8 * nx as u64, device.binding_bytes)? {
            let values = direct.band(p, &band, control)?;
            let mut target = out.index_axis_mut(Axis(0), p);
            for (target, value) in target.slice_mut(s![band, ..]).iter_mut().zip(values) {
                *target = two_float::join(value);
            }
        }
    }
    Ok(out)
}

/// What all bands of all planes share.
struct Direct<'a, 'd> {
    device: &'a GpuDevice,
    job: &'a ConvolveJob<'d>,
    /// Rows of the kernel by dispatch.
    pieces: Vec<Range<usize>>,
    uniform: Buffer,
    kernel: Buffer,
}

impl Direct<'_, '_> {
    /// The rows `band` of the convolved plane.
    fn band(&self, plane: usize, band: &Range<usize>, control: &Control) -> Result<Vec<[f32; 2]>> {
        let (_, ny, nx) = self.job.cube.dim();
        let (kernel_planes, ky, kx) = self.job.kernel.dim();
        let rows = band.start.saturating_sub(ky / 2)..ny.min(band.end + ky / 2);
        let tile_count = tiles_x(nx) * band.len().div_ceil(TILE);
        let tiles: Vec<u32> = (0..tile_count as u32).collect();
        let tiles = self.device.upload("pevatron.tiles", &tiles)?;
        let sums = self.device.buffer("pevatron.convolved", 8 * (band.len() * nx) as u64)?;
        let kernel_plane0 = if kernel_planes == 1 { 0 } else { plane as u32 };
        // Rows of the image come in slabs that fit a binding; what is outside counts as 0 and is added by another.
        let mut add = 0;
        for slab in plan_bands(rows.len(), 1, 4 * nx as u64, self.device.binding_bytes)? {
            let slab = rows.start + slab.start..rows.start + slab.end;
            let image = narrow(self.job.cube, plane..plane + 1, slab.clone());
            let image = self.device.upload("pevatron.image", &image)?;
            for piece in &self.pieces {
                let work = (256 * piece.len() * kx) as f64;
                let bindings = [(1, &image), (2, &self.kernel), (3, &tiles), (4, &sums)];
                let groups = tile_count as u32;
                self.device.run(&CONVOLVE, &self.uniform, &bindings, groups, 1, work, control, |tile0| {
                    params::Convolve {
                        nx: nx as u32,
                        band_y0: band.start as u32,
                        band_ny: band.len() as u32,
                        tiles_x: tiles_x(nx) as u32,
                        slab_y0: slab.start as u32,
                        slab_ny: slab.len() as u32,
                        slab_plane0: 0,
                        kernel_plane0,
                        planes: 1,
                        ky: ky as u32,
                        kx: kx as u32,
                        u0: piece.start as u32,
                        u1: piece.end as u32,
                        tile0,
                        add,
                        zero: 0,
                    }
                })?;
                add = 1;
            }
        }
        self.device.read(&sums, 0, band.len() * nx)
    }
}
