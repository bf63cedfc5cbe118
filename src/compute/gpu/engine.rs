//! The engine: what it is, and the jobs that are a single kernel.

use ndarray::Array3;

use super::convolve;
use super::device::GpuDevice;
use super::disk;
use super::params;
use super::pipelines::{EDISP, LIKELIHOOD, SELF_TEST};
use super::planes::narrow;
use super::ts_map::PreparedOnGpu;
use super::two_float;
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

    /// Convolves by transforms always, or never: for tests that compare both ways.
    #[doc(hidden)]
    pub fn with_transforms(mut self, transforms: bool) -> Self {
        self.device.transforms = Some(transforms);
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

    /// Kernels of some size by transforms of two-float numbers, close to double precision. Smaller ones directly: values
    /// and kernel are rounded to single precision, sums are two-float.
    fn convolve(&self, job: &ConvolveJob<'_>, control: &Control) -> Result<Array3<f64>> {
        job.check()?;
        convolve::convolve(&self.device, job, control)
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
                *target = two_float::join(value);
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
                total += values.into_iter().map(two_float::join).sum::<f64>();
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
