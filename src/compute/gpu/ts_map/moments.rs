//! Moments of the weak terms by transforms, tile by tile: fits of most pixels of dense maps at a cost that depends
//! neither on the number of bins with counts nor on the kernel's size.

use std::f64::consts::TAU;
use std::ops::Range;

use ndarray::ArrayView3;

use super::super::batch::Kernel;
use super::super::convolve::padded_kernel;
use super::super::device::GpuDevice;
use super::super::memory::Buffer;
use super::super::params;
use super::super::pipelines::{FFT_COLUMNS, FFT_ROWS};
use super::super::planes::{Planes, TILE, round_up, tiles_x};
use super::super::tiling::Tiling;
use super::kernel::dilate;
use super::pieces::Segment;
use super::run::ListKernel;
use super::split::Split;
use crate::error::Result;
use crate::kernels::{TsMapData, TsMapRun};

/// Moments, and pairs of them: `PAIRS` of `shaders/shared/fft.wgsl`.
pub(super) const TERMS: usize = 8;
pub(super) const PAIRS: usize = TERMS / 2;
/// Sides of tiles.
const SIDES: [usize; 4] = [64, 128, 256, 512];
/// Points of a workgroup, `POINTS` there.
pub(super) const POINTS: usize = 1024;
/// Planes that one dispatch transforms: bounds its time.
const PLANES_AT_ONCE: usize = 4;
/// Operations of a fit per pixel and bin of its window, when lists do it: about five passes of twenty, in tiles with
/// two thirds more bins than a window.
const LIST_COST: f64 = 170.0;
/// Operations of a transform there and back again, per point and pair.
const POINT_COST: f64 = 400.0;
/// Transforms and passes over the core must take less than this share of what passes over whole windows take.
const MOST_OF_LISTS: f64 = 0.7;
/// Largest share of the budget that is free which transforms may take.
const MEMORY_SHARE: u64 = 2;

/// Kernel planes whose spectra lie in one buffer.
pub(super) struct Chunk {
    pub(super) planes: Range<usize>,
    pub(super) spectra: Buffer,
    pub(super) squares: Buffer,
}

/// Everything that transforms of a run need.
pub(super) struct Moments {
    pub(super) tiling: Tiling,
    pub(super) roots: Buffer,
    pub(super) peaks: Buffer,
    pub(super) chunks: Vec<Chunk>,
    /// Spectra of the planes of a tile, and sums of their squares.
    pub(super) images: Buffer,
    pub(super) image_squares: Buffer,
    pub(super) products: Buffer,
    pub(super) moments: Buffer,
    pub(super) noise: Buffer,
    /// `[kernel plane]`: the plane among all, and the largest value of its kernel's wing.
    planes: Vec<(usize, f32)>,
    /// The wing of the kernel, with zeros around.
    kernel: Buffer,
    /// What is left of the kernel, where moments do not hold it all.
    pub(super) core: Option<ListKernel>,
    /// `[tile of the map]`: bound of c in the wings of its pixels.
    pub(super) wing_c: Buffer,
}

impl Moments {
    /// `None` where lists are faster, or where there is no memory for it. `used`: planes of the run among all;
    /// `density`: share of bins with counts.
    pub(super) fn new(
        device: &GpuDevice,
        on_device: &Planes,
        (data, run): (&TsMapData<'_>, &TsMapRun<'_>),
        (kernel, kernel_scale): (ArrayView3<'_, f64>, f64),
        used: &[usize],
        density: f64,
    ) -> Result<Option<Self>> {
        let shape = data.shape();
        let kernel_shape = (kernel.dim().1, kernel.dim().2);
        let Some(tiling) = Tiling::new(shape, kernel_shape, &SIDES, TILE, |(y, x)| y * x) else { return Ok(None) };
        let pixels = (shape.0 * shape.1) as f64;
        // Bins in a tile of pixels and around it, each looked at by all of them.
        let lists = |(ky, kx): (usize, usize)| {
            density * ((ky + TILE - 1) * (kx + TILE - 1) * used.len()) as f64 * LIST_COST * pixels
        };
        let transforms = (tiling.count() * tiling.area() * used.len() * PAIRS) as f64 * POINT_COST;
        if transforms > lists(kernel_shape) {
            return Ok(None);
        }
        let Some(split) = Split::new(data, run, kernel) else { return Ok(None) };
        let core_shape = split.core.as_ref().map(|core| (core.dim().1, core.dim().2));
        if core_shape.is_some_and(|core| transforms + lists(core) > MOST_OF_LISTS * lists(kernel_shape)) {
            return Ok(None);
        }
        let peak =
            |plane: ndarray::ArrayView2<'_, f64>| (plane.iter().copied().fold(0.0, f64::max) * kernel_scale) as f32;
        let planes: Vec<(usize, f32)> = used.iter().copied().zip(split.wing.outer_iter().map(peak)).collect();
        let half = (kernel_shape.0 / 2, kernel_shape.1 / 2);
        let mut wing_c = vec![0f32; tiles_x(shape.1) * shape.0.div_ceil(TILE)];
        for (plane, peak) in &planes {
            let ratios = dilate(&on_device.tile_ratio[*plane], shape, half);
            wing_c.iter_mut().zip(ratios).for_each(|(c, ratio)| *c = c.max(round_up(ratio * peak)));
        }
        let area = tiling.area();
        let plane_bytes = (8 * PAIRS * area) as u64;
        let free = device.budget.saturating_sub(device.ledger.used()) / MEMORY_SHARE;
        let at_once = usize::try_from(device.binding_bytes / plane_bytes).unwrap_or(usize::MAX).min(planes.len());
        let needed = plane_bytes * (planes.len() + at_once + 3) as u64;
        if at_once == 0 || needed > free {
            return Ok(None);
        }
        let groups = area / POINTS;
        let squares = |planes: usize| device.buffer("pevatron.squares", (8 * PAIRS * groups * planes) as u64);
        let spectra = |planes: usize| device.buffer("pevatron.spectra", plane_bytes * planes as u64);
        let chunks = (0..planes.len()).step_by(at_once).map(|first| {
            let planes = first..planes.len().min(first + at_once);
            Ok(Chunk { spectra: spectra(planes.len())?, squares: squares(planes.len())?, planes })
        });
        let chunks = chunks.collect::<Result<Vec<_>>>()?;
        let roots: Vec<[f32; 2]> = (0..tiling.side)
            .map(|m| {
                let (sine, cosine) = (-TAU * m as f64 / tiling.side as f64).sin_cos();
                [cosine as f32, sine as f32]
            })
            .collect();
        let peaks: Vec<f32> = planes.iter().map(|(_, peak)| *peak).collect();
        Ok(Some(Self {
            roots: device.upload("pevatron.roots", &roots)?,
            peaks: device.upload("pevatron.peaks", &peaks)?,
            images: spectra(at_once)?,
            image_squares: squares(at_once)?,
            products: device.buffer("pevatron.products", plane_bytes)?,
            kernel: device.upload("pevatron.kernel", &padded_kernel(split.wing.view(), kernel_scale))?,
            core: match &split.core {
                Some(core) => Some(ListKernel::new(device, core.view(), kernel_scale, shape, density)?),
                None => None,
            },
            wing_c: device.upload("pevatron.wing_c", &wing_c)?,
            moments: device.buffer("pevatron.moments", (4 * TERMS * area) as u64)?,
            noise: device.buffer("pevatron.noise", (4 * PAIRS) as u64)?,
            tiling,
            chunks,
            planes,
        }))
    }

    /// Scale of c in the tile of transforms whose first point is `(y0, x0)`: a power of two that brings the largest c
    /// to at most 1.
    pub(super) fn scale(&self, planes: &Planes, (y0, x0): (i64, i64)) -> f32 {
        let (ny, nx) = planes.shape;
        let tiles = |first: i64, length: usize| {
            let end = (first + self.tiling.side as i64).clamp(0, length as i64) as usize;
            first.clamp(0, length as i64) as usize / TILE..end.div_ceil(TILE)
        };
        let mut largest = 0f32;
        for (plane, peak) in &self.planes {
            let ratios = &planes.tile_ratio[*plane];
            for row in tiles(y0, ny) {
                let row = &ratios[row * tiles_x(nx)..][tiles(x0, nx)];
                largest = row.iter().fold(largest, |largest, ratio| largest.max(ratio * peak));
            }
        }
        // Beyond 2^100 the powers of the scale itself would not be numbers.
        if largest > 0.0 { (-largest.log2().ceil()).clamp(-100.0, 100.0).exp2() } else { 1.0 }
    }

    /// Kernels that transform planes `planes` of a chunk into `spectra`: images of a tile, or the kernel.
    pub(super) fn transform<'a>(
        &'a self,
        kernels: &mut Vec<Kernel<'a>>,
        segments: &'a [Segment<'_>],
        chunk: &Chunk,
        (spectra, squares): (&'a Buffer, &'a Buffer),
        common: params::Fft,
        mode: u32,
    ) {
        let groups = self.tiling.side * self.tiling.side / POINTS;
        let work = |planes: usize| (planes * PAIRS * self.tiling.side * self.tiling.side) as f64;
        for segment in segments {
            let planes = segment.kernel_plane0..segment.kernel_plane0 + segment.planes;
            let (first, end) = (planes.start.max(chunk.planes.start), planes.end.min(chunk.planes.end));
            let rows = &segment.slab.place.rows;
            // The kernel itself lies in no slab: the one that holds a plane's first row stands for it.
            if mode == 1 && rows.start > 0 {
                continue;
            }
            for plane in (first..end).step_by(PLANES_AT_ONCE) {
                let count = PLANES_AT_ONCE.min(end - plane);
                let params = params::Fft {
                    slab_y0: rows.start as u32,
                    slab_ny: rows.len() as u32,
                    slab_plane0: (segment.slab_plane0 + plane - segment.kernel_plane0) as u32,
                    kernel_plane0: plane as u32,
                    spectrum_plane0: (plane - chunk.planes.start) as u32,
                    mode,
                    ..common
                };
                let slab = segment.slab;
                let bindings = vec![
                    (1, &self.roots),
                    (2, &slab.bins),
                    (3, &slab.starts),
                    (4, &self.kernel),
                    (5, &self.peaks),
                    (6, spectra),
                    (7, squares),
                ];
                kernels.push(Kernel::new(FFT_ROWS, params, bindings, (groups, count * PAIRS), work(count)));
            }
        }
        for plane in (0..chunk.planes.len()).step_by(PLANES_AT_ONCE) {
            let count = PLANES_AT_ONCE.min(chunk.planes.len() - plane);
            let params = params::Fft { spectrum_plane0: plane as u32, ..common };
            let bindings = vec![(1, &self.roots), (2, spectra)];
            kernels.push(Kernel::new(FFT_COLUMNS, params, bindings, (groups, count * PAIRS), work(count)));
        }
    }
}
