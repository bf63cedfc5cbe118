//! The engine: what it is, and the jobs that are a single kernel.

use ndarray::{Array3, Axis};

use super::convolve::{convolve_pieces, narrow, padded_kernel};
use super::device::GpuDevice;
use super::disk;
use super::memory::Buffer;
use super::params;
use super::pipelines::{CONVOLVE, EDISP, LIKELIHOOD, SELF_TEST};
use super::planes::{TILE, tiles_x};
use super::ts_map::PreparedOnGpu;
use crate::compute::backend::{BackendInfo, BackendOptions};
use crate::compute::bands::plan_bands;
use crate::compute::engine::{Engine, PreparedTsMap};
use crate::compute::instruments::Instruments;
use crate::control::Control;
use crate::error::Result;
use crate::kernels::{CashSumJob, ConvolveJob, DiskSumJob, EdispJob, TsMapData};

/// Bins that one workgroup of the likelihood sums.
const LIKELIHOOD_BINS: usize = 256 * 64;

/// WGSL on one device.
#[derive(Debug)]
pub struct GpuEngine {
    pub(super) device: GpuDevice,
    info: BackendInfo,
}

impl GpuEngine {
    /// Opens an adapter; `software` says whether a software adapter will do.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where there is none or it cannot be opened, [`crate::Error::Options`] where the adapter
    /// asked for is not there.
    pub fn new(options: &BackendOptions, software: bool) -> Result<Self> {
        let (device, reason) = GpuDevice::open(options, software)?;
        Self::with_device(device, reason, options.memory_bytes)
    }

    /// Works on the caller's device; its callbacks stay as they are.
    ///
    /// # Errors
    /// [`crate::Error::Device`] naming a limit that is too low.
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        Self::with_device(GpuDevice::wrap(device, queue)?, "the caller's device".into(), None)
    }

    /// Pretends that a binding holds at most `bytes`: for tests of bands and slabs.
    #[doc(hidden)]
    pub fn with_binding_limit(mut self, bytes: u64) -> Self {
        self.device.binding_bytes = self.device.binding_bytes.min(bytes & !3);
        self
    }

    /// Plans dispatches for fewer loop steps: for tests of kernels that must be cut.
    #[doc(hidden)]
    pub fn with_step_limit(mut self, steps: usize) -> Self {
        self.device.max_steps = steps;
        self
    }

    /// Pipelines that were made, and bytes that went up, so far: for tests of what runs over prepared data repeat.
    #[doc(hidden)]
    pub fn made_and_uploaded(&self) -> (usize, u64) {
        let uploaded = self.device.uploaded.load(std::sync::atomic::Ordering::Relaxed);
        (super::device::lock(&self.device.pipelines).len(), uploaded)
    }

    /// Destroys the device under the engine: for tests of lost devices.
    #[doc(hidden)]
    pub fn destroy(&self) {
        self.device.device.destroy();
    }

    fn with_device(mut device: GpuDevice, reason: String, memory_bytes: Option<u64>) -> Result<Self> {
        device.budget = memory_bytes.unwrap_or(u64::MAX);
        let info = BackendInfo { name: "gpu", adapter: device.name.clone(), reason, double_precision: false };
        let engine = Self { device, info };
        engine.self_test()?;
        Ok(engine)
    }

    /// Checks the arithmetic that results rely on: drivers may fold two-float sums away.
    fn self_test(&self) -> Result<()> {
        let (tiny, small) = (2f32.powi(-30), 2f32.powi(-12));
        let uniform = self.device.uniform(size_of::<params::SelfTest>())?;
        let out = self.device.buffer("pevatron.self_test", 16)?;
        self.device.run(&SELF_TEST, &uniform, &[(1, &out)], 1, 1, 1.0, &Control::new(), |_| params::SelfTest {
            one: 1.0,
            tiny,
            small,
            zero: 0,
        })?;
        let found: Vec<f32> = self.device.read(&out, 0, 4)?;
        let wanted =
            [f64::from(tiny), f64::from(small).powi(2), f64::from(small) - f64::from(small).ln_1p(), 3f64.ln()];
        for (found, wanted) in found.iter().zip(wanted) {
            if (f64::from(*found) / wanted - 1.0).abs() > 1e-6 {
                let problem = format!("its arithmetic is not what results need: {found:e} for {wanted:e}");
                return Err(self.device.error(problem));
            }
        }
        Ok(())
    }
}

impl Engine for GpuEngine {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn instruments(&self) -> Option<&dyn Instruments> {
        Some(self)
    }

    fn device_seconds(&self) -> Option<f64> {
        self.device.seconds()
    }

    fn device_peak_bytes(&self) -> Option<u64> {
        Some(self.device.ledger.peak())
    }

    fn prepare<'a, 'd: 'a>(&'a self, data: &TsMapData<'d>, control: &Control) -> Result<Box<dyn PreparedTsMap + 'a>> {
        let data = &data.shortened();
        Ok(Box::new(PreparedOnGpu::new(self, data, control)?))
    }

    /// Values and kernel are rounded to single precision, sums are two-float.
    fn convolve(&self, job: &ConvolveJob<'_>, control: &Control) -> Result<Array3<f64>> {
        job.check()?;
        let (planes, ny, nx) = job.cube.dim();
        let mut out = Array3::zeros((planes, ny, nx));
        // A correlation with the kernel turned around is a convolution.
        let turned = job.kernel.slice(ndarray::s![.., ..;-1, ..;-1]);
        let (_, ky, kx) = job.kernel.dim();
        let pieces = convolve_pieces(ky, kx, self.device.max_steps)?;
        let uniform = self.device.uniform(size_of::<params::Convolve>())?;
        let kernel = self.device.upload("pevatron.kernel", &padded_kernel(turned, 1.0))?;
        for p in 0..planes {
            control.check()?;
            control.report("convolve", p as u64, planes as u64);
            // Output takes 8 bytes per pixel; the image rows that a band needs take 4, and are at most all rows.
            for band in plan_bands(ny, TILE, 8 * nx as u64, self.device.binding_bytes)? {
                self.convolve_band(job, p, &band, &pieces, (&uniform, &kernel), &mut out, control)?;
            }
        }
        Ok(out)
    }

    /// Values and matrix are rounded to single precision, sums are two-float.
    fn apply_edisp(&self, job: &EdispJob<'_>, control: &Control) -> Result<Array3<f64>> {
        job.check()?;
        let (nt, ny, nx) = job.cube.dim();
        let nr = job.matrix.dim().1;
        let mut out = Array3::zeros((nr, ny, nx));
        if nt == 0 || nr == 0 || nx == 0 {
            return Ok(out);
        }
        let uniform = self.device.uniform(size_of::<params::Edisp>())?;
        let matrix: Vec<f32> = job.matrix.iter().map(|v| *v as f32).collect();
        let matrix = self.device.upload("pevatron.edisp", &matrix)?;
        let row_bytes = nx as u64 * (4 * nt).max(8 * nr) as u64;
        for band in plan_bands(ny, 1, row_bytes, self.device.binding_bytes)? {
            control.report("edisp", band.start as u64, ny as u64);
            let pixels = band.len() * nx;
            let cube = self.device.upload("pevatron.cube", &narrow(job.cube, 0..nt, band.clone()))?;
            let sums = self.device.buffer("pevatron.folded", (8 * nr * pixels) as u64)?;
            let work = (256 * nr * nt * 4) as f64;
            let bindings = [(1, &cube), (2, &matrix), (3, &sums)];
            let groups = pixels.div_ceil(256) as u32;
            self.device.run(&EDISP, &uniform, &bindings, groups, nr as u32, work, control, |first_group| {
                params::Edisp {
                    pixels: pixels as u32,
                    true_energies: nt as u32,
                    reco_energies: nr as u32,
                    first_group,
                    ..Default::default()
                }
            })?;
            let values: Vec<[f32; 2]> = self.device.read(&sums, 0, nr * pixels)?;
            let mut target = out.slice_mut(ndarray::s![.., band, ..]);
            for (target, value) in target.iter_mut().zip(values) {
                *target = f64::from(value[0]) + f64::from(value[1]);
            }
        }
        Ok(out)
    }

    /// Predicted counts are rounded to single precision; logarithms and sums are two-float.
    fn cash_sum(&self, job: &CashSumJob<'_>, control: &Control) -> Result<f64> {
        job.check()?;
        let (planes, ny, nx) = job.counts.dim();
        let uniform = self.device.uniform(size_of::<params::Likelihood>())?;
        let mut total = 0.0;
        for p in 0..planes {
            for band in plan_bands(ny, 1, 4 * nx as u64, self.device.binding_bytes)? {
                control.report("likelihood", (p * ny + band.start) as u64, (planes * ny) as u64);
                let mut counts = narrow(job.counts, p..p + 1, band.clone());
                let mut npred = narrow(job.npred, p..p + 1, band.clone());
                if let Some(mask) = job.mask {
                    for (i, _) in mask.slice(ndarray::s![p, band, ..]).iter().enumerate().filter(|(_, used)| !**used) {
                        (counts[i], npred[i]) = (-1.0, 0.0);
                    }
                }
                let groups = counts.len().div_ceil(LIKELIHOOD_BINS);
                let bins = counts.len() as u32;
                let counts = self.device.upload("pevatron.counts", &counts)?;
                let npred = self.device.upload("pevatron.npred", &npred)?;
                let sums = self.device.buffer("pevatron.likelihood", 8 * groups as u64)?;
                let bindings = [(1, &counts), (2, &npred), (3, &sums)];
                let work = (LIKELIHOOD_BINS * 16) as f64;
                self.device.run(&LIKELIHOOD, &uniform, &bindings, groups as u32, 1, work, control, |first_group| {
                    params::Likelihood { bins, first_group, ..Default::default() }
                })?;
                let values: Vec<[f32; 2]> = self.device.read(&sums, 0, groups)?;
                total += values.iter().map(|v| f64::from(v[0]) + f64::from(v[1])).sum::<f64>();
            }
        }
        Ok(2.0 * total)
    }

    /// Values are split into two single-precision parts, sums are two-float.
    fn disk_sum(&self, job: &DiskSumJob<'_>, control: &Control) -> Result<Array3<f64>> {
        job.check()?;
        disk::disk_sum(&self.device, job, control)
    }
}

impl GpuEngine {
    #[expect(clippy::too_many_arguments, reason = "the loop body of `convolve`")]
    fn convolve_band(
        &self,
        job: &ConvolveJob<'_>,
        plane: usize,
        band: &std::ops::Range<usize>,
        pieces: &[std::ops::Range<usize>],
        (uniform, kernel): (&Buffer, &Buffer),
        out: &mut Array3<f64>,
        control: &Control,
    ) -> Result<()> {
        let (_, ny, nx) = job.cube.dim();
        let (kernel_planes, ky, kx) = job.kernel.dim();
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
            let image = self.device.upload("pevatron.image", &narrow(job.cube, plane..plane + 1, slab.clone()))?;
            for piece in pieces {
                let work = (256 * piece.len() * kx) as f64;
                let bindings = [(1, &image), (2, kernel), (3, &tiles), (4, &sums)];
                self.device.run(&CONVOLVE, uniform, &bindings, tile_count as u32, 1, work, control, |tile0| {
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
        let values: Vec<[f32; 2]> = self.device.read(&sums, 0, band.len() * nx)?;
        let mut target = out.index_axis_mut(Axis(0), plane);
        for (target, value) in target.slice_mut(ndarray::s![band.clone(), ..]).iter_mut().zip(values) {
            *target = f64::from(value[0]) + f64::from(value[1]);
        }
        Ok(())
    }
}
