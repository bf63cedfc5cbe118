//! Lists of the bins with counts, made on the device from dense planes: count, prefix sum, scatter. The order is that of
//! the rows, whatever the device does first.

use super::device::GpuDevice;
use super::memory::Buffer;
use super::params;
use super::pipelines::{LISTS_COUNT, LISTS_OFFSETS, LISTS_RATIO, LISTS_SCATTER, LISTS_SURVEY, Shader};
use super::planes::{BLOCK_X, Bin, TILE, exponent_of_two, tiles_x};
use crate::compute::bands::Slab;
use crate::control::Control;
use crate::error::Result;

/// Bytes of a bin.
pub(super) const BIN_BYTES: usize = size_of::<Bin>();
/// The largest exposure over background on the device is 2 to this power, so that its third power and that of a
/// number 17 orders of magnitude smaller are normal single-precision numbers.
const TOP_EXPONENT: i32 = 20;
/// Largest exposures between 2^-this and 2^this are taken as they are.
const EASY_EXPONENT: i32 = 60;
/// Bias of exponents in single precision.
const BIAS: i32 = 127;

/// Powers of two that bring exposures and their ratios to background into range.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scaling {
    /// Of the exposures as uploaded.
    pub(super) exposure_exponent: i32,
    /// Of those once more, so that the ratios are in range.
    ratio_exponent: i32,
    /// Whether the exposures as uploaded fit single precision well.
    pub(super) in_range: bool,
}

impl Scaling {
    pub(super) fn exposure_factor(&self) -> f64 {
        exponent_of_two(self.exposure_exponent)
    }

    pub(super) fn exponent(&self) -> i32 {
        self.exposure_exponent + self.ratio_exponent
    }
}

fn slab_params(place: &Slab, nx: usize) -> params::Lists {
    params::Lists {
        nx: nx as u32,
        slab_y0: place.rows.start as u32,
        slab_ny: place.rows.len() as u32,
        slab_plane0: place.planes.start as u32,
        rows: place.row_count() as u32,
        tiles_x: tiles_x(nx) as u32,
        scale_a: 1.0,
        scale_b: 1.0,
        ..Default::default()
    }
}

/// How large exposures and ratios are, found slab by slab.
pub(super) struct Survey<'d> {
    device: &'d GpuDevice,
    uniform: Buffer,
    found: Buffer,
}

impl<'d> Survey<'d> {
    pub(super) fn new(device: &'d GpuDevice) -> Result<Self> {
        let uniform = device.uniform(size_of::<params::Lists>())?;
        Ok(Self { device, uniform, found: device.upload("pevatron.survey", &[0u32; 4])? })
    }

    pub(super) fn clear(&self) -> Result<()> {
        self.device.clear(&self.found)
    }

    /// Looks at the background and exposure of a slab.
    pub(super) fn enter(
        &self,
        place: &Slab,
        nx: usize,
        (background, exposure): (&Buffer, &Buffer),
        control: &Control,
    ) -> Result<()> {
        let common = slab_params(place, nx);
        let bindings = [(1, background), (2, exposure), (3, &self.found)];
        self.device.run(&LISTS_SURVEY, &self.uniform, &bindings, common.rows, 1, (4 * nx) as f64, control, |first| {
            params::Lists { first_group: first, ..common }
        })
    }

    /// What was found.
    pub(super) fn read(&self, before: Scaling) -> Result<Scaling> {
        let found: Vec<u32> = self.device.read(&self.found, 0, 2)?;
        let (ratio, exposure) = (found[0] as i32, found[1] as i32);
        // A ratio with exponents e - b + 256 is below 2^(e - b + 1).
        let ratio_exponent = if ratio > 0 { TOP_EXPONENT - (ratio - 255) } else { 0 };
        let in_range = (exposure - BIAS).abs() <= EASY_EXPONENT;
        Ok(Scaling { ratio_exponent, in_range, ..before })
    }
}

/// Makes lists.
pub(super) struct Lists<'d> {
    device: &'d GpuDevice,
    uniform: Buffer,
    /// `[plane, tile of the map]`: largest ratio as bits.
    tile_ratio: Buffer,
    tile_count: usize,
}

impl<'d> Lists<'d> {
    /// `tile_count`: tiles of the map times planes.
    pub(super) fn new(device: &'d GpuDevice, tile_count: usize) -> Result<Self> {
        let uniform = device.uniform(size_of::<params::Lists>())?;
        let tile_ratio = device.buffer("pevatron.tile_ratio", 4 * tile_count as u64)?;
        Ok(Self { device, uniform, tile_ratio, tile_count })
    }

    /// Scales the exposure of a slab and divides it by the background, in whose place the ratio goes.
    pub(super) fn divide(
        &self,
        place: &Slab,
        (ny, nx): (usize, usize),
        (ratio, exposure): (&Buffer, &Buffer),
        scaling: &Scaling,
        control: &Control,
    ) -> Result<()> {
        let half = scaling.ratio_exponent / 2;
        let common = params::Lists {
            map_tiles: (tiles_x(nx) * ny.div_ceil(TILE)) as u32,
            scale_a: exponent_of_two(half) as f32,
            scale_b: exponent_of_two(scaling.ratio_exponent - half) as f32,
            ..slab_params(place, nx)
        };
        let tile_rows = place.rows.end.div_ceil(TILE) - place.rows.start / TILE;
        let (groups, planes) = ((tile_rows * tiles_x(nx)) as u32, place.planes.len() as u32);
        let bindings = [(1, ratio), (2, exposure), (3, &self.tile_ratio)];
        let work = (TILE * TILE * place.planes.len() * 8) as f64;
        self.device.run(&LISTS_RATIO, &self.uniform, &bindings, groups, planes, work, control, |first| params::Lists {
            first_group: first,
            ..common
        })
    }

    /// The list of a slab: bins, where rows and blocks begin in it, and how many bins there are.
    pub(super) fn list(
        &self,
        place: &Slab,
        nx: usize,
        (counts, ratio): (&Buffer, &Buffer),
        control: &Control,
    ) -> Result<(Buffer, Buffer, usize)> {
        let device = self.device;
        let common = slab_params(place, nx);
        let rows = place.row_count();
        let starts = device.buffer("pevatron.starts", (4 * rows * (nx.div_ceil(BLOCK_X) + 1)) as u64)?;
        let offsets = device.buffer("pevatron.offsets", 4 * (rows + 1) as u64)?;
        let run = |shader: &Shader, bindings: &[(u32, &Buffer)], groups: u32, work: usize| {
            device.run(shader, &self.uniform, bindings, groups, 1, work as f64, control, |first| params::Lists {
                first_group: first,
                ..common
            })
        };
        run(&LISTS_COUNT, &[(1, counts), (2, ratio), (3, &starts)], common.rows, 8 * nx)?;
        run(&LISTS_OFFSETS, &[(1, &starts), (2, &offsets)], 1, 4 * rows)?;
        let count = device.read::<u32>(&offsets, 4 * rows as u64, 1)?.first().map_or(0, |count| *count as usize);
        if count > rows * nx {
            return Err(device.error(format!("it counts {count} bins among {}", rows * nx)));
        }
        let bins = device.buffer("pevatron.bins", (BIN_BYTES * count) as u64)?;
        let bindings = [(1, counts), (2, ratio), (3, &offsets), (4, &starts), (5, &bins)];
        run(&LISTS_SCATTER, &bindings, common.rows, 8 * nx)?;
        Ok((bins, starts, count))
    }

    /// Largest ratio of each tile, `[plane, tile of the map]`.
    pub(super) fn tile_ratio(&self) -> Result<Vec<f32>> {
        self.device.read(&self.tile_ratio, 0, self.tile_count)
    }
}
