//! One run of the TS map on the device: which kernels run in which order, over which slabs, on which tiles.
//!
//! Per band of rows: M by correlation and the bound; where the map is dense enough, fits from moments of whole windows;
//! for the tiles with pixels that are left, moments at norm 0 and then passes over the lists of bins until no pixel
//! needs another one, first for the norm, then for its errors. After each pass the host reads how many pixels of each
//! tile are open and makes the next list of tiles from it.

use std::ops::Range;

use ndarray::ArrayView3;

use super::super::convolve::{convolve_pieces, padded_kernel};
use super::super::device::GpuDevice;
use super::super::memory::Buffer;
use super::super::params;
use super::super::pipelines::{
    TS_MAP_BOUND, TS_MAP_ERRORS, TS_MAP_FIT, TS_MAP_MOMENTS, TS_MAP_RISE, TS_MAP_START, TS_MAP_STEP, TS_MAP_TRUNCATION,
};
use super::super::planes::{Planes, TILE, exponent_of_two, tiles_x};
use super::band::{BandBuffers, BandPool, BandResult};
use super::kernel::{common_kernel, dilate, sorted_cells};
use super::moments::Moments;
use super::pieces::{Segment, segments, still_open};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::{TsMapData, TsMapRun};

/// Passes that a pixel may take before the host fits it.
const MAX_PASSES: u32 = 30;

/// What an observer sees as the stage when moments have fitted some of a band's pixels.
const BY_MOMENTS: &str = "fit from moments";

/// A kernel that passes over lists take.
pub(super) struct ListKernel {
    /// With zeros around.
    pub(super) buffer: Buffer,
    pub(super) shape: (usize, usize),
    /// Bins in the window of a typical tile, all planes.
    pub(super) tile_bins: f64,
}

impl ListKernel {
    /// `density`: share of bins with counts.
    pub(super) fn new(
        device: &GpuDevice,
        kernel: ArrayView3<'_, f64>,
        scale: f64,
        (ny, nx): (usize, usize),
        density: f64,
    ) -> Result<Self> {
        let (planes, ky, kx) = kernel.dim();
        let window = ((TILE + ky).min(ny + TILE) * (TILE + kx).min(nx + TILE) * planes) as f64;
        let tile_bins = density * window + 16.0 * (planes * ky.div_ceil(256)) as f64;
        let buffer = device.upload("pevatron.kernel", &padded_kernel(kernel, scale))?;
        Ok(Self { buffer, shape: (ky, kx), tile_bins })
    }
}

/// Which part of the kernel a pass over lists takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum KernelPart {
    /// All of it.
    Whole,
    /// Its core, to which the wing's moments are added.
    Core,
}

/// One run: its kernel on the device, and what is the same for all bands.
pub(super) struct RunOnGpu<'d, 'r> {
    pub(super) device: &'d GpuDevice,
    pub(super) run: &'d TsMapRun<'r>,
    pub(super) planes: &'d Planes,
    pub(super) segments: Vec<Segment<'d>>,
    /// Kernel rows that a dispatch of the correlation takes.
    pub(super) model_pieces: Vec<Range<usize>>,
    /// `(ny, nx)` of the map, `(ky, kx)` common to all planes.
    pub(super) shape: (usize, usize),
    pub(super) kernel_shape: (usize, usize),
    pub(super) kernel: ListKernel,
    pub(super) cells: Buffer,
    pub(super) ratio_max: Buffer,
    pub(super) uniform: Buffer,
    /// Norms on the device times this are norms; M on the device divided by this is M.
    pub(super) scale: f64,
    /// Transforms, where they pay.
    pub(super) moments: Option<Moments>,
}

impl<'d, 'r> RunOnGpu<'d, 'r> {
    pub(super) fn new(
        device: &'d GpuDevice,
        planes: &'d Planes,
        data: &TsMapData<'_>,
        run: &'d TsMapRun<'r>,
        control: &Control,
    ) -> Result<Self> {
        let (ny, nx) = planes.shape;
        let used: Vec<usize> = run
            .planes
            .iter()
            .zip(&planes.first)
            .flat_map(|(range, first)| range.clone().map(move |plane| first + plane))
            .collect();
        let kernel = common_kernel(run, planes.shape);
        let (_, ky, kx) = kernel.dim();
        if ky.max(kx) > 0xffff {
            return Err(Error::unsupported(format!("a kernel of {kx} x {ky} pixels on a GPU")));
        }
        let model_pieces = convolve_pieces(ky, kx, device.max_steps)?;
        // The largest kernel value becomes 1 to 2: c = kernel * ratio then keeps the range of the ratios.
        let peak = kernel.iter().copied().fold(0.0, f64::max);
        let kernel_exponent = if peak > 0.0 { -(peak.log2().floor().clamp(-1000.0, 1000.0) as i32) } else { 0 };
        let kernel_scale = exponent_of_two(kernel_exponent);
        let (cells, peaks) = sorted_cells(kernel.view(), kernel_scale);

        let mut ratio_max = Vec::new();
        for plane in &used {
            ratio_max.extend(dilate(&planes.tile_ratio[*plane], planes.shape, (ky / 2, kx / 2)));
        }
        debug_assert_eq!(peaks.len(), used.len());

        let segments = segments(&planes.slabs, &used);
        let bins: usize = planes.slabs.iter().map(|s| s.bin_count).sum();
        let all_rows: usize = planes.slabs.iter().map(|s| s.place.row_count()).sum();
        let density = bins as f64 / (all_rows * nx).max(1) as f64;
        // A first guess is judged before anything is fitted: that is for lists.
        let settings = &run.settings;
        let moments = if settings.exact || settings.threshold.is_some() && run.norm_guess.is_some() {
            None
        } else {
            Moments::new(device, planes, (data, run), (kernel.view(), kernel_scale), &used, density)?
        };
        let mut prepared = Self {
            device,
            run,
            planes,
            moments: None,
            segments,
            model_pieces,
            shape: (ny, nx),
            kernel_shape: (ky, kx),
            kernel: ListKernel::new(device, kernel.view(), kernel_scale, (ny, nx), density)?,
            cells: device.upload("pevatron.cells", &cells)?,
            ratio_max: device.upload("pevatron.ratio_max", &ratio_max)?,
            uniform: device.uniform(size_of::<params::TsMap>())?,
            scale: exponent_of_two(planes.exponent + kernel_exponent),
        };
        if let Some(moments) = &moments {
            prepared.prepare_moments(moments, control)?;
        }
        prepared.moments = moments;
        Ok(prepared)
    }

    /// Fits the pixels of a band; `report` is told the half of the way, 0 or 1, and how many of them are
    /// open there.
    pub(super) fn fit_band(
        &self,
        rows: Range<usize>,
        pool: &BandPool,
        control: &Control,
        report: &dyn Fn(u64, u64),
    ) -> Result<BandResult> {
        let settings = &self.run.settings;
        let (all_tiles, band) = self.band_buffers(rows, pool)?;
        self.device.write(&band.tiles, 0, &all_tiles)?;
        self.model(&band, all_tiles.len(), control)?;
        self.cells_pass(&TS_MAP_BOUND, &band, all_tiles.len(), 0, control)?;
        let mut for_lists = all_tiles.clone();
        if let Some(moments) = &self.moments {
            let mut open = self.moments_pass(moments, &band, &all_tiles, control)?;
            if moments.core.is_some() {
                self.fit_from_lists(&band, &all_tiles, KernelPart::Core, control, report)?;
                self.device.write(&band.tiles, 0, &all_tiles)?;
                open = self.reopen(moments, &band, all_tiles.len(), control)?;
            }
            let fitted = self.run.fit_mask.slice(ndarray::s![band.rows.clone(), ..]);
            let fitted = fitted.iter().filter(|fitted| **fitted).count() as u64;
            let left = open.iter().map(|n| u64::from(*n)).sum::<u64>();
            control.report(BY_MOMENTS, fitted.saturating_sub(left), fitted);
            for_lists = still_open(&all_tiles, &open);
        }
        self.fit_from_lists(&band, &for_lists, KernelPart::Whole, control, report)?;
        let mut result = self.send_back(&band)?;
        if settings.sensitivity {
            result.sensitivity = Some(self.sensitivity(&band, &all_tiles, control)?);
        }
        pool.put(band);
        Ok(result)
    }

    /// Norms and errors of the open pixels of `all_tiles` from passes over lists.
    fn fit_from_lists(
        &self,
        band: &BandBuffers,
        all_tiles: &[u32],
        part: KernelPart,
        control: &Control,
        report: &dyn Fn(u64, u64),
    ) -> Result<()> {
        let settings = &self.run.settings;
        let report_open = |half: u64, open: &[u32]| report(half, open.iter().map(|n| u64::from(*n)).sum());
        self.device.write(&band.tiles, 0, all_tiles)?;
        self.list_pass(&TS_MAP_MOMENTS, band, all_tiles.len(), (0, part), control)?;
        let trial = settings.threshold.is_some() && self.run.norm_guess.is_some();
        let mut open = self.update(&TS_MAP_START, band, all_tiles.len(), (u32::from(trial), 0), control)?;
        let mut tiles = still_open(all_tiles, &open);
        let mut iteration = 0;
        while !tiles.is_empty() {
            iteration += 1;
            report_open(0, &open);
            self.device.write(&band.tiles, 0, &tiles)?;
            let mode = u32::from(trial && iteration == 1);
            self.list_pass(&TS_MAP_FIT, band, tiles.len(), (mode, part), control)?;
            open = self.update(&TS_MAP_STEP, band, tiles.len(), (mode, iteration), control)?;
            tiles = still_open(&tiles, &open);
        }

        self.device.write(&band.tiles, 0, all_tiles)?;
        open = self.update(&TS_MAP_ERRORS, band, all_tiles.len(), (0, 0), control)?;
        tiles = still_open(all_tiles, &open);
        iteration = 0;
        while !tiles.is_empty() {
            iteration += 1;
            report_open(1, &open);
            self.device.write(&band.tiles, 0, &tiles)?;
            self.list_pass(&TS_MAP_RISE, band, tiles.len(), (u32::from(iteration == 1), part), control)?;
            if settings.errn_errp {
                self.cells_pass(&TS_MAP_TRUNCATION, band, tiles.len(), 0, control)?;
            }
            open = self.update(&TS_MAP_ERRORS, band, tiles.len(), (1, iteration), control)?;
            tiles = still_open(&tiles, &open);
        }
        Ok(())
    }

    pub(super) fn params(&self, band: &BandBuffers) -> params::TsMap {
        let settings = &self.run.settings;
        let (ny, nx) = self.shape;
        params::TsMap {
            nx: nx as u32,
            band_y0: band.rows.start as u32,
            band_ny: band.rows.len() as u32,
            tiles_x: tiles_x(nx) as u32,
            map_tiles: (tiles_x(nx) * ny.div_ceil(TILE)) as u32,
            ky: self.kernel_shape.0 as u32,
            kx: self.kernel_shape.1 as u32,
            max_iterations: MAX_PASSES.min(settings.max_niter),
            n_sigma: settings.n_sigma as f32,
            n_sigma_ul: settings.n_sigma_ul as f32,
            threshold: settings.threshold.unwrap_or(0.0) as f32,
            ..Default::default()
        }
    }
}
