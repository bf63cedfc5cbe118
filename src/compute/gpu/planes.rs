//! Data that stay on the device over many runs: exposure and exposure over background, and the lists of bins with
//! counts, in slabs that fit a binding.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::device::GpuDevice;
use super::lists::{BIN_BYTES, Lists, Scaling, Survey};
use super::memory::Buffer;
use crate::compute::bands::{Slab, plan_slabs};
use crate::control::Control;
use crate::error::Result;
use crate::kernels::TsMapData;
use crate::kernels::cube::{CubeView, PlaneView};
use crate::kernels::ts_map::TRUNCATION_VALUE;

/// Side of a tile: one workgroup, one pixel per invocation.
pub(super) const TILE: usize = 16;
/// Columns per entry of the row starts.
pub(super) const BLOCK_X: usize = 4;
/// Most rows of a slab, in all its planes together: bounds the loops of the kernel that sums over them.
const MAX_ROWS: u64 = 1 << 20;
/// Values that are narrowed at once.
const NARROW_VALUES: usize = 4 << 20;

/// A bin with counts and exposure: `Bin` of `shaders/shared/ts_bins.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct Bin {
    column: u32,
    g: f32,
    n: f32,
}

/// A slab on the device.
pub(super) struct DeviceSlab {
    pub(super) place: Slab,
    pub(super) exposure: Buffer,
    pub(super) ratio: Buffer,
    pub(super) bins: Buffer,
    pub(super) starts: Buffer,
    pub(super) bin_count: usize,
}

/// All planes of all inputs, in order, on the device.
pub(super) struct Planes {
    pub(super) slabs: Vec<DeviceSlab>,
    /// First plane of each input.
    pub(super) first: Vec<usize>,
    /// Exposures on the device are multiplied by 2 to this power.
    pub(super) exponent: i32,
    /// `[plane][tile of the map]`: largest scaled exposure over background.
    pub(super) tile_ratio: Vec<Vec<f32>>,
    pub(super) shape: (usize, usize),
}

/// One plane's three views.
#[derive(Clone, Copy)]
struct Views<'a> {
    counts: PlaneView<'a>,
    background: PlaneView<'a>,
    exposure: PlaneView<'a>,
}

/// True for a bin with exposure whose background is nothing to divide by.
pub(super) fn is_hole(exposure: f64, background: f64) -> bool {
    exposure > 0.0 && (background <= TRUNCATION_VALUE || !(exposure / background).is_finite())
}

/// Columns of tiles.
pub(super) fn tiles_x(nx: usize) -> usize {
    nx.div_ceil(TILE)
}

impl Planes {
    /// Uploads all planes and makes their lists on the device. `limit`: most bytes of a binding.
    pub(super) fn new(device: &GpuDevice, data: &TsMapData<'_>, limit: u64, control: &Control) -> Result<Self> {
        let (ny, nx) = data.shape();
        let mut views = Vec::new();
        let mut first = Vec::new();
        for input in data.inputs() {
            first.push(views.len());
            views.extend((0..input.counts.dim().0).map(|plane| Views {
                counts: input.counts.plane(plane),
                background: input.background.plane(plane),
                exposure: input.exposure.plane(plane),
            }));
        }
        let map_tiles = tiles_x(nx) * ny.div_ceil(TILE);
        let row_bytes = (BIN_BYTES * nx.max(1)).max(4 * (nx.div_ceil(BLOCK_X) + 1)) as u64;
        let places = plan_slabs(views.len(), ny, limit, |_, _| row_bytes.max(limit / MAX_ROWS))?;
        let total = (views.len() * ny) as u64;
        let plane = |pick: for<'v> fn(&Views<'v>) -> PlaneView<'v>, place: &Slab, factor: f64| {
            let rows: Vec<_> = views[place.planes.clone()].iter().map(pick).collect();
            upload_rows(device, &rows, place, factor)
        };

        // Exposures in their own units first; where those leave the range of single precision, scaled ones.
        let survey = Survey::new(device)?;
        let mut dense = Vec::new();
        let mut scaling = Scaling::default();
        for attempt in 0..2 {
            dense.clear();
            for place in &places {
                control.check()?;
                control.report("upload", (place.planes.start * ny) as u64, total);
                let background = plane(|v| v.background, place, 1.0)?;
                let exposure = plane(|v| v.exposure, place, scaling.exposure_factor())?;
                survey.enter(place, nx, (&background, &exposure), control)?;
                dense.push((background, exposure));
            }
            scaling = survey.read(scaling)?;
            if attempt == 1 || scaling.in_range {
                break;
            }
            scaling.exposure_exponent = exponent_of_largest(&views);
            survey.clear()?;
        }

        let lists = Lists::new(device, views.len() * map_tiles)?;
        let mut slabs = Vec::new();
        for (place, (ratio, exposure)) in places.into_iter().zip(dense) {
            control.check()?;
            lists.divide(&place, (ny, nx), (&ratio, &exposure), &scaling, control)?;
            let counts = plane(|v| v.counts, &place, 1.0)?;
            let (bins, starts, bin_count) = lists.list(&place, nx, (&counts, &ratio), control)?;
            slabs.push(DeviceSlab { place, exposure, ratio, bins, starts, bin_count });
        }
        let tile_ratio = if map_tiles == 0 {
            vec![Vec::new(); views.len()]
        } else {
            let largest = lists.tile_ratio()?;
            largest.chunks_exact(map_tiles).map(|plane| plane.iter().copied().map(round_up).collect()).collect()
        };
        Ok(Self { slabs, first, exponent: scaling.exponent(), tile_ratio, shape: (ny, nx) })
    }
}

/// The power of two that brings the largest exposure to about 1; 0 where there is none.
fn exponent_of_largest(views: &[Views<'_>]) -> i32 {
    let largest = views
        .par_iter()
        .map(|view| {
            let (ny, nx) = view.exposure.dim();
            (0..ny).flat_map(|y| (0..nx).map(move |x| (y, x))).map(|(y, x)| view.exposure.at(y, x)).fold(0.0, f64::max)
        })
        .reduce(|| 0.0, f64::max);
    if largest > 0.0 { -(largest.log2().floor().clamp(-1000.0, 1000.0) as i32) } else { 0 }
}

/// Uploads rows of planes, times `factor`: single precision that is to stay as it is goes straight to the device.
#[expect(clippy::cast_possible_truncation, reason = "single precision on the device")]
fn upload_rows(device: &GpuDevice, planes: &[PlaneView<'_>], place: &Slab, factor: f64) -> Result<Buffer> {
    let nx = planes.first().map_or(0, |plane| plane.dim().1);
    let buffer = device.buffer("pevatron.planes", (4 * place.row_count() * nx) as u64)?;
    let mut offset = 0;
    let mut narrowed = Vec::new();
    for plane in planes {
        let rows = ndarray::s![place.rows.clone(), ..];
        if let (PlaneView::F32(values), true) = (plane, factor == 1.0)
            && let Some(values) = values.slice(rows).to_slice()
        {
            device.write(&buffer, offset, values)?;
            offset += 4 * values.len() as u64;
            continue;
        }
        let step = (NARROW_VALUES / nx.max(1)).max(1);
        for first in place.rows.clone().step_by(step) {
            let rows = first..place.rows.end.min(first + step);
            narrowed.resize(rows.len() * nx, 0f32);
            narrowed.par_chunks_mut(nx.max(1)).zip(rows).for_each(|(row, y)| match plane {
                PlaneView::F32(a) => {
                    row.iter_mut().zip(a.row(y)).for_each(|(to, v)| *to = (f64::from(*v) * factor) as f32)
                }
                PlaneView::F64(a) => row.iter_mut().zip(a.row(y)).for_each(|(to, v)| *to = (*v * factor) as f32),
            });
            device.write(&buffer, offset, &narrowed)?;
            offset += 4 * narrowed.len() as u64;
        }
    }
    Ok(buffer)
}

/// Planes and rows of a cube in single precision.
pub(super) fn narrow(cube: CubeView<'_>, planes: Range<usize>, rows: Range<usize>) -> Vec<f32> {
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

/// A bound must not be rounded below what it bounds.
pub(super) fn round_up(value: f32) -> f32 {
    if value > 0.0 { value * (1.0 + 4.0 * f32::EPSILON) } else { 0.0 }
}

/// 2 to the power of `exponent`, also where that is beyond a normal number's reach in one step.
pub(super) fn exponent_of_two(exponent: i32) -> f64 {
    2f64.powi(exponent)
}
