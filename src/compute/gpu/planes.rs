//! Data that stay on the device over many runs: exposure and exposure over background, and the lists of bins with
//! counts, in slabs that fit a binding.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::device::GpuDevice;
use crate::compute::bands::{Slab, plan_slabs};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::cube::PlaneView;
use crate::kernels::ts_map::TRUNCATION_VALUE;
use crate::kernels::{TsMapData, TsMapInput};

/// Side of a tile: one workgroup, one pixel per invocation.
pub(super) const TILE: usize = 16;
/// Columns per entry of the row starts.
const BLOCK_X: usize = 4;
/// The largest exposure over background on the device is 2 to this power, so that its third power and that of a
/// number 17 orders of magnitude smaller are normal single-precision numbers.
const TOP_EXPONENT: i32 = 20;

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
    pub(super) exposure: wgpu::Buffer,
    pub(super) ratio: wgpu::Buffer,
    pub(super) bins: wgpu::Buffer,
    pub(super) starts: wgpu::Buffer,
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

/// What the first look at a plane finds.
struct Survey {
    /// Bins with counts in each row.
    row_bins: Vec<u64>,
    /// Largest exposure over background in each tile.
    tile_ratio: Vec<f64>,
}

/// One plane's three views.
#[derive(Clone, Copy)]
struct Views<'a> {
    counts: PlaneView<'a>,
    background: PlaneView<'a>,
    exposure: PlaneView<'a>,
}

impl<'a> Views<'a> {
    fn new(input: &TsMapInput<'a>, plane: usize) -> Self {
        Self {
            counts: input.counts.plane(plane),
            background: input.background.plane(plane),
            exposure: input.exposure.plane(plane),
        }
    }

    /// Exposure over background; 0 without exposure or in a hole.
    fn ratio(&self, y: usize, x: usize) -> f64 {
        let (e, b) = (self.exposure.at(y, x), self.background.at(y, x));
        if e > 0.0 && !is_hole(e, b) { e / b } else { 0.0 }
    }
}

/// True for a bin with exposure whose background is nothing to divide by.
pub(super) fn is_hole(exposure: f64, background: f64) -> bool {
    exposure > 0.0 && (background <= TRUNCATION_VALUE || !(exposure / background).is_finite())
}

/// Columns of tiles.
pub(super) fn tiles_x(nx: usize) -> usize {
    nx.div_ceil(TILE)
}

fn survey(views: Views<'_>) -> Survey {
    let (ny, nx) = views.counts.dim();
    let mut found = Survey { row_bins: vec![0; ny], tile_ratio: vec![0.0; tiles_x(nx) * ny.div_ceil(TILE)] };
    for y in 0..ny {
        for x in 0..nx {
            let ratio = views.ratio(y, x);
            if ratio > 0.0 {
                let tile = &mut found.tile_ratio[y / TILE * tiles_x(nx) + x / TILE];
                *tile = tile.max(ratio);
                found.row_bins[y] += u64::from(views.counts.at(y, x) > 0.0);
            }
        }
    }
    found
}

/// The buffers' contents for one plane's rows.
#[derive(Default)]
struct Rows {
    exposure: Vec<f32>,
    ratio: Vec<f32>,
    bins: Vec<Bin>,
    /// Relative to this plane's first bin.
    starts: Vec<u32>,
}

#[expect(clippy::cast_possible_truncation, reason = "single precision on the device; columns and bins fit a binding")]
fn rows(views: Views<'_>, range: std::ops::Range<usize>, scale: f64) -> Rows {
    let (_, nx) = views.counts.dim();
    let mut rows = Rows::default();
    for y in range {
        for x in 0..nx {
            if x % BLOCK_X == 0 {
                rows.starts.push(rows.bins.len() as u32);
            }
            let ratio = views.ratio(y, x);
            rows.exposure.push((views.exposure.at(y, x) * scale) as f32);
            rows.ratio.push((ratio * scale) as f32);
            let n = views.counts.at(y, x);
            if ratio > 0.0 && n > 0.0 {
                rows.bins.push(Bin { column: x as u32, g: (ratio * scale) as f32, n: n as f32 });
            }
        }
        rows.starts.push(rows.bins.len() as u32);
    }
    rows
}

impl Planes {
    /// Uploads all planes. `limit`: most bytes of a binding; `memory`: most bytes of all buffers.
    pub(super) fn new(
        device: &GpuDevice,
        data: &TsMapData<'_>,
        limit: u64,
        memory: Option<u64>,
        control: &Control,
    ) -> Result<Self> {
        let (ny, nx) = data.shape();
        let mut views = Vec::new();
        let mut first = Vec::new();
        for input in data.inputs() {
            first.push(views.len());
            views.extend((0..input.counts.dim().0).map(|plane| Views::new(input, plane)));
        }
        let surveys: Vec<Survey> = views.par_iter().map(|v| survey(*v)).collect();
        control.check()?;

        let top = surveys.iter().flat_map(|s| &s.tile_ratio).copied().fold(0.0, f64::max);
        let exponent = if top > 0.0 { TOP_EXPONENT - top.log2().ceil() as i32 } else { 0 };
        let scale = exponent_of_two(exponent);

        let blocks = nx.div_ceil(BLOCK_X);
        let dense_row = 4 * nx.max(blocks + 1) as u64;
        let bin_bytes = size_of::<Bin>() as u64;
        let places =
            plan_slabs(views.len(), ny, limit, |plane, row| dense_row.max(bin_bytes * surveys[plane].row_bins[row]))?;
        let total_rows = (views.len() * ny) as u64;
        let bins: u64 = surveys.iter().flat_map(|s| &s.row_bins).sum();
        let needed = total_rows * (8 * nx as u64 + 4 * (blocks as u64 + 1)) + bins * bin_bytes;
        if let Some(available_bytes) = memory.filter(|m| needed > *m) {
            let what = format!("the data on {}", device.name);
            return Err(Error::Memory { what, needed_bytes: needed, available_bytes });
        }

        let mut slabs = Vec::new();
        for place in places {
            control.check()?;
            control.report("upload", (place.planes.start * ny) as u64, total_rows);
            let parts: Vec<Rows> =
                place.planes.clone().into_par_iter().map(|p| rows(views[p], place.rows.clone(), scale)).collect();
            let mut all = Rows::default();
            for part in parts {
                let before = all.bins.len() as u32;
                all.exposure.extend(part.exposure);
                all.ratio.extend(part.ratio);
                all.bins.extend(part.bins);
                all.starts.extend(part.starts.iter().map(|start| start + before));
            }
            slabs.push(DeviceSlab {
                place,
                exposure: device.upload("pevatron.exposure", &all.exposure)?,
                ratio: device.upload("pevatron.ratio", &all.ratio)?,
                bins: device.upload("pevatron.bins", &all.bins)?,
                starts: device.upload("pevatron.starts", &all.starts)?,
                bin_count: all.bins.len(),
            });
        }
        let tile_ratio = surveys
            .iter()
            .map(|s| s.tile_ratio.iter().map(|ratio| round_up((ratio * scale) as f32)).collect())
            .collect();
        Ok(Self { slabs, first, exponent, tile_ratio, shape: (ny, nx) })
    }
}

/// A bound must not be rounded below what it bounds.
pub(super) fn round_up(value: f32) -> f32 {
    if value > 0.0 { value * (1.0 + 4.0 * f32::EPSILON) } else { 0.0 }
}

/// 2 to the power of `exponent`, also where that is no normal number's reach in one step.
pub(super) fn exponent_of_two(exponent: i32) -> f64 {
    2f64.powi(exponent)
}
