//! Convolution by transforms of tiles, two neighbours of a row of tiles at a time, as real and imaginary parts.
//!
//! Numbers are two-float throughout, so results are close to double precision: rounding is some 1e-14 of the largest value
//! around, where transforms in single precision would leave 1e-6, which swallows faint sources beside bright ones.

use std::f64::consts::TAU;
use std::ops::Range;

use ndarray::{Array2, Array3, Axis, s};
use rayon::prelude::*;

use super::super::batch::Kernel;
use super::super::device::GpuDevice;
use super::super::dispatch::DISPATCH_SECONDS;
use super::super::memory::Buffer;
use super::super::params;
use super::super::pipelines::{CONVOLVE_BACK, CONVOLVE_COLUMNS, CONVOLVE_ROWS};
use super::super::tiling::Tiling;
use super::super::two_float::{join, scale_for, split};
use crate::compute::occupied::Occupied;
use crate::control::Control;
use crate::error::Result;
use crate::kernels::ConvolveJob;
use crate::kernels::cube::PlaneView;

/// Sides of tiles.
const SIDES: [usize; 5] = [64, 128, 256, 512, 1024];
/// Points of a workgroup: `POINTS` of `shaders/shared/fft_steps.wgsl`.
const POINTS: usize = 1024;
/// Bytes of a complex number.
const POINT_BYTES: usize = 16;
/// Cost of a point of a pair of tiles, there and back, by the logarithm (base 2) of the side, in multiply-adds of the
/// direct sum. By the count of operations 220 (2 steps of radix 4, of 110 operations per point), where a multiply-add of a
/// direct sum is one and brings no loads with it; on a software adapter both take equally long with 64.
const POINT_COST: usize = 110;
/// Bytes of points that are packed and transformed at once.
const BATCH_BYTES: usize = 64 << 20;
/// Share of the free memory that points may take, and as much spectra of kernels: 1 of this many.
const MEMORY_SHARE: u64 = 4;

/// A point as it crosses: (re, im, their low parts).
type Point = [f32; 4];

/// A convolution as it is to be done.
pub(super) struct Transform<'a, 'd> {
    device: &'a GpuDevice,
    job: &'a ConvolveJob<'d>,
    tiling: Tiling,
    /// Slots that fit into the memory that they may take; as many kernels do.
    room: usize,
    /// Power of two for each plane of the cube and of the kernel.
    scales: Vec<f64>,
    kernel_scales: Vec<f64>,
    /// No value is negative, so no sum is.
    non_negative: bool,
}

/// Two neighbouring tiles: their row, and the column of the first.
#[derive(Debug, Clone, Copy)]
struct Slot {
    plane: usize,
    row: usize,
    column: usize,
}

/// The largest size of values, and whether one is negative; `None` where one is not a number.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, bool)> {
    let mut range = (0.0f64, false);
    for value in values {
        if !value.is_finite() {
            return None;
        }
        range = (range.0.max(value.abs()), range.1 | (value < 0.0));
    }
    Some(range)
}

impl<'a, 'd> Transform<'a, 'd> {
    /// `None` where direct sums take less work, where there is no memory for a single tile or for a workgroup, and for
    /// values that are not numbers, which a transform would spread over whole tiles.
    pub(super) fn plan(device: &'a GpuDevice, job: &'a ConvolveJob<'d>) -> Option<Self> {
        let (_, ny, nx) = job.cube.dim();
        let (_, ky, kx) = job.kernel.dim();
        let pairs = |(rows, columns): (usize, usize)| rows * columns.div_ceil(2);
        let tiling = Tiling::new((ny, nx), (ky, kx), &SIDES, 1, pairs)?;
        let steps = pairs(tiling.grid) * tiling.area() * tiling.side.ilog2() as usize;
        if !device.transforms.unwrap_or(steps * POINT_COST <= ny * nx * ky * kx) {
            return None;
        }
        // WebGPU's default; wgpu has adapters with 32 bytes less.
        if (device.device.limits().max_compute_workgroup_storage_size as usize) < POINTS * POINT_BYTES {
            return None;
        }
        let free = device.budget.saturating_sub(device.ledger.used()) / MEMORY_SHARE;
        let room = device.binding_bytes.min(free).min(BATCH_BYTES as u64) / (POINT_BYTES * tiling.area()) as u64;
        let room = usize::try_from(room).ok().filter(|room| *room > 0)?;
        let kernels: Vec<_> = job.kernel.outer_iter().map(|k| range(k.iter().copied())).collect::<Option<_>>()?;
        let planes: Vec<_> = (0..job.cube.dim().0)
            .into_par_iter()
            .map(|p| {
                let plane = job.cube.plane(p);
                let mut row = vec![0.0; nx];
                let rows = (0..ny).map(|y| {
                    plane.copy_row(y, 0, &mut row);
                    range(row.iter().copied())
                });
                rows.reduce(|a, b| a.zip(b).map(|(a, b)| (a.0.max(b.0), a.1 | b.1))).flatten()
            })
            .collect::<Option<_>>()?;
        let scales = |ranges: &[(f64, bool)]| ranges.iter().map(|range| scale_for(range.0)).collect();
        Some(Self {
            device,
            job,
            tiling,
            room,
            scales: scales(&planes),
            kernel_scales: scales(&kernels),
            non_negative: !planes.iter().chain(&kernels).any(|range| range.1),
        })
    }

    /// Convolves each plane.
    pub(super) fn convolve(&self, control: &Control) -> Result<Array3<f64>> {
        let (planes, ..) = self.job.cube.dim();
        let mut out = Array3::zeros(self.job.cube.dim());
        let side = self.tiling.side;
        let roots: Vec<Point> = (0..side)
            .map(|m| {
                let (sine, cosine) = (-TAU * m as f64 / side as f64).sin_cos();
                point(cosine, sine)
            })
            .collect();
        let roots = self.device.upload("pevatron.roots", &roots)?;
        let shared = self.job.kernel.dim().0 == 1;
        let mut first = 0;
        while first < planes {
            // Planes with kernels of their own: as many as one pass transforms the kernels of.
            let end = if shared { planes } else { planes.min(first + self.slots_at_once()) };
            let kernels = if shared { 0..1 } else { first..end };
            let spectra = self.kernel_spectra(kernels, &roots, control)?;
            let kernel_of = |plane: usize| if shared { 0 } else { (plane - first) as u32 };
            self.convolve_planes(first..end, (&roots, &spectra, &kernel_of), &mut out, control)?;
            first = end;
        }
        Ok(out)
    }

    fn params(&self, mode: u32) -> params::ConvolveTiles {
        let (_, ky, kx) = self.job.kernel.dim();
        params::ConvolveTiles {
            side: self.tiling.side as u32,
            ky: ky as u32,
            kx: kx as u32,
            tile_y: self.tiling.tile.0 as u32,
            tile_x: self.tiling.tile.1 as u32,
            mode,
            ..Default::default()
        }
    }

    /// Workgroups of a pass over some slots, and its work.
    fn size(&self, slots: usize) -> ((usize, usize), f64) {
        (
            (self.tiling.area() / POINTS, slots),
            (slots * self.tiling.area()) as f64 * f64::from(self.tiling.side.ilog2()),
        )
    }

    /// Slots that a pass of bounded time may take.
    fn slots_at_once(&self) -> usize {
        let slots = self.device.rate(RATE) * DISPATCH_SECONDS / self.size(1).1;
        (slots as usize).clamp(1, self.room)
    }

    /// Spectra of some planes of the kernel.
    fn kernel_spectra(&self, kernels: Range<usize>, roots: &Buffer, control: &Control) -> Result<Buffer> {
        let side = self.tiling.side;
        let spectra =
            self.device.buffer("pevatron.spectra", (POINT_BYTES * self.tiling.area() * kernels.len()) as u64)?;
        let unused = self.device.upload("pevatron.kernel_of", &[0u32])?;
        let mut tile = vec![Point::default(); self.tiling.area()];
        for (i, plane) in kernels.clone().enumerate() {
            let kernel = self.job.kernel.index_axis(Axis(0), plane);
            for (u, row) in kernel.outer_iter().enumerate() {
                for (v, value) in row.iter().enumerate() {
                    tile[u * side + v] = point(value * self.kernel_scales[plane], 0.0);
                }
            }
            self.device.write(&spectra, (POINT_BYTES * tile.len() * i) as u64, &tile)?;
        }
        let (groups, work) = self.size(kernels.len());
        let rows = vec![(1, roots), (2, &spectra)];
        // There is no kernel to multiply with yet.
        let columns = vec![(1, roots), (2, &spectra), (3, roots), (4, &unused)];
        let kernels = [
            Kernel::new(CONVOLVE_ROWS, self.params(0), rows, groups, work),
            Kernel::new(CONVOLVE_COLUMNS, self.params(0), columns, groups, work),
        ];
        self.device.run_all(RATE, &[], &kernels, control)?;
        Ok(spectra)
    }

    fn convolve_planes(
        &self,
        planes: Range<usize>,
        (roots, spectra, kernel_of): (&Buffer, &Buffer, &dyn Fn(usize) -> u32),
        out: &mut Array3<f64>,
        control: &Control,
    ) -> Result<()> {
        let (rows, columns) = self.tiling.grid;
        let slots: Vec<Slot> = planes
            .into_par_iter()
            .flat_map_iter(|plane| {
                let places = (0..rows).flat_map(|row| (0..columns).step_by(2).map(move |column| (row, column)));
                places.map(move |(row, column)| Slot { plane, row, column })
            })
            .filter(|slot| self.holds_anything(slot))
            .collect();
        let most = self.room.min(slots.len());
        let tile_pixels = self.tiling.tile.0 * self.tiling.tile.1;
        let tiles = self.device.buffer("pevatron.tiles", (POINT_BYTES * self.tiling.area() * most) as u64)?;
        let sums = self.device.buffer("pevatron.convolved", (POINT_BYTES * tile_pixels * most) as u64)?;
        let mut packed = vec![Point::default(); self.tiling.area() * most];
        let mut first = 0;
        while first < slots.len() {
            control.check()?;
            control.report("convolve", slots[first].plane as u64, self.job.cube.dim().0 as u64);
            let batch = &slots[first..slots.len().min(first + self.slots_at_once())];
            let packed = &mut packed[..self.tiling.area() * batch.len()];
            packed.par_chunks_mut(self.tiling.area()).zip(batch).for_each(|(points, slot)| self.pack(slot, points));
            self.device.write(&tiles, 0, packed)?;
            let kernels: Vec<u32> = batch.iter().map(|slot| kernel_of(slot.plane)).collect();
            let kernels = self.device.upload("pevatron.kernel_of", &kernels)?;
            let (groups, work) = self.size(batch.len());
            let columns = vec![(1, roots), (2, &tiles), (3, spectra), (4, &kernels)];
            let passes = [
                Kernel::new(CONVOLVE_ROWS, self.params(0), vec![(1, roots), (2, &tiles)], groups, work),
                Kernel::new(CONVOLVE_COLUMNS, self.params(1), columns, groups, 2.0 * work),
                Kernel::new(CONVOLVE_BACK, self.params(0), vec![(1, roots), (2, &tiles), (3, &sums)], groups, work),
            ];
            self.device.run_all(RATE, &[], &passes, control)?;
            let found: Vec<Point> = self.device.read(&sums, 0, tile_pixels * batch.len())?;
            let found: Vec<_> =
                found.par_chunks(tile_pixels).zip(batch).map(|(sums, slot)| self.unpack(slot, sums)).collect();
            for (slot, parts) in batch.iter().zip(found) {
                for (i, part) in parts.into_iter().enumerate() {
                    let (y, x) = self.pixels(slot, i);
                    out.slice_mut(s![slot.plane, y, x]).assign(&part);
                }
            }
            first += batch.len();
        }
        Ok(())
    }

    /// Pixels of the map in the first or second tile of a slot; none beyond its border.
    fn pixels(&self, slot: &Slot, tile: usize) -> (Range<usize>, Range<usize>) {
        let (_, ny, nx) = self.job.cube.dim();
        let range =
            |index: usize, pixels: usize, end: usize| (index * pixels).min(end)..((index + 1) * pixels).min(end);
        (range(slot.row, self.tiling.tile.0, ny), range(slot.column + tile, self.tiling.tile.1, nx))
    }

    /// Pixels of the map that reach those of a tile, and where the first of them lies among its points.
    fn window(&self, slot: &Slot, tile: usize) -> ((Range<usize>, Range<usize>), (usize, usize)) {
        let (_, ny, nx) = self.job.cube.dim();
        let (_, ky, kx) = self.job.kernel.dim();
        let (y, x) = self.pixels(slot, tile);
        let around = |pixels: &Range<usize>, half: usize, end: usize| {
            let window = pixels.start.saturating_sub(half)..(pixels.end + half).min(end);
            let first = window.start + half - pixels.start;
            if pixels.is_empty() { (0..0, 0) } else { (window, first) }
        };
        let ((y, first_y), (x, first_x)) = (around(&y, ky / 2, ny), around(&x, kx / 2, nx));
        if y.is_empty() || x.is_empty() { ((0..0, 0..0), (0, 0)) } else { ((y, x), (first_y, first_x)) }
    }

    fn plane(&self, slot: &Slot) -> PlaneView<'d> {
        self.job.cube.plane(slot.plane)
    }

    fn holds_anything(&self, slot: &Slot) -> bool {
        let plane = self.plane(slot);
        (0..2).any(|tile| {
            let ((y, x), _) = self.window(slot, tile);
            y.into_iter().any(|y| x.clone().any(|x| plane.at(y, x) != 0.0))
        })
    }

    /// Goes over the rows of a tile: points of its beginning, and values.
    fn rows(&self, slot: &Slot, tile: usize, mut each: impl FnMut(usize, &[f64])) {
        let plane = self.plane(slot);
        let ((y, x), (first_y, first_x)) = self.window(slot, tile);
        let mut values = vec![0.0; x.len()];
        for (i, y) in y.enumerate() {
            plane.copy_row(y, x.start, &mut values);
            each((first_y + i) * self.tiling.side + first_x, &values);
        }
    }

    fn pack(&self, slot: &Slot, points: &mut [Point]) {
        points.fill(Point::default());
        let scale = self.scales[slot.plane];
        for tile in 0..2 {
            self.rows(slot, tile, |first, values| {
                for (point, value) in points[first..].iter_mut().zip(values) {
                    [point[tile], point[tile + 2]] = split(value * scale);
                }
            });
        }
    }

    /// The pixels of both tiles of a slot.
    fn unpack(&self, slot: &Slot, sums: &[Point]) -> [Array2<f64>; 2] {
        let (_, ky, kx) = self.job.kernel.dim();
        let kernel = if self.kernel_scales.len() == 1 { 0 } else { slot.plane };
        let (scale, kernel_scale) = (self.scales[slot.plane], self.kernel_scales[kernel]);
        [0, 1].map(|tile| {
            let (y, x) = self.pixels(slot, tile);
            let mut values = vec![0.0; self.tiling.area()];
            self.rows(slot, tile, |first, row| values[first..first + row.len()].copy_from_slice(row));
            let mut occupied = Occupied::new(self.tiling.side);
            let any = occupied.mark(&values);
            occupied.sum();
            Array2::from_shape_fn((y.len(), x.len()), |(y, x)| {
                if !any || !occupied.any((y, ky), (x, kx)) {
                    return 0.0;
                }
                let point = sums[y * self.tiling.tile.1 + x];
                // One after the other: their product may leave the range.
                let value = join([point[2 * tile], point[2 * tile + 1]]) / scale / kernel_scale;
                if self.non_negative { value.max(0.0) } else { value }
            })
        })
    }
}

/// What the rate of these passes is remembered by.
const RATE: &str = "convolve_fft";

fn point(re: f64, im: f64) -> Point {
    let (re, im) = (split(re), split(im));
    [re[0], im[0], re[1], im[1]]
}
