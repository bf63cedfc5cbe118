//! The boundary that every engine implements: few, large, blocking calls on plain arrays.

use ndarray::{Array3, ArrayView3};

use super::backend::BackendInfo;
use super::instruments::Instruments;
use crate::control::Control;
use crate::error::Result;
use crate::kernels::{CashSumJob, ConvolveJob, DiskSumJob, EdispJob, TsMapData, TsMapOutput, TsMapRun};

/// An engine. The same job gives the same bits twice on one engine, whatever the threads or bands.
pub trait Engine: Send + Sync {
    /// What the engine is and why it was chosen.
    fn info(&self) -> &BackendInfo;

    /// What its device can say about itself, where it works on one.
    fn instruments(&self) -> Option<&dyn Instruments> {
        None
    }

    /// The threads that the engine works with, where they are its own: what surrounds a job runs on them too.
    fn threads(&self) -> Option<&rayon::ThreadPool> {
        None
    }

    /// Seconds that kernels have taken on the device since the engine was made, by the device's own clock; `None` where
    /// there is no device, or none that tells. The difference before and after a job is that job's.
    fn device_seconds(&self) -> Option<f64> {
        None
    }

    /// Most bytes of device memory that were in use at once since the engine was made; `None` without a device.
    fn device_peak_bytes(&self) -> Option<u64> {
        None
    }

    /// Builds lists, planes and resident buffers once, for many runs.
    ///
    /// # Errors
    /// Memory, device, or [`crate::Error::Cancelled`].
    fn prepare<'a, 'd: 'a>(&'a self, data: &TsMapData<'d>, control: &Control) -> Result<Box<dyn PreparedTsMap + 'a>>;

    /// Prepares and runs once.
    ///
    /// # Errors
    /// Those of [`Engine::prepare`] and [`PreparedTsMap::run`].
    fn ts_map(&self, data: &TsMapData<'_>, run: &TsMapRun<'_>, control: &Control) -> Result<TsMapOutput> {
        self.prepare(data, control)?.run(run, control)
    }

    /// Convolves each plane with its kernel.
    ///
    /// # Errors
    /// Shapes, memory, device or cancellation.
    fn convolve(&self, job: &ConvolveJob<'_>, control: &Control) -> Result<Array3<f64>>;

    /// Applies an energy-dispersion matrix.
    ///
    /// # Errors
    /// Shapes, memory, device or cancellation.
    fn apply_edisp(&self, job: &EdispJob<'_>, control: &Control) -> Result<Array3<f64>>;

    /// Sums the Cash statistic.
    ///
    /// # Errors
    /// Shapes, memory, device or cancellation.
    fn cash_sum(&self, job: &CashSumJob<'_>, control: &Control) -> Result<f64>;

    /// Sums each plane over a disk around each pixel; whole numbers exactly, up to 2^47.
    ///
    /// # Errors
    /// Radius, memory, device or cancellation.
    fn disk_sum(&self, job: &DiskSumJob<'_>, control: &Control) -> Result<Array3<f64>>;
}

/// Data that an engine holds ready.
pub trait PreparedTsMap: Send + Sync {
    /// One TS map over the prepared planes.
    ///
    /// # Errors
    /// A run that does not fit the data, memory, device or cancellation.
    fn run(&self, run: &TsMapRun<'_>, control: &Control) -> Result<TsMapOutput>;

    /// TS maps of several runs over the prepared planes, in their order.
    ///
    /// An engine may share what neighbouring runs with the same planes, kernel sizes, mask and settings have in common,
    /// and may begin the fit of a pixel where that of a similar kernel ended: maps are those of [`PreparedTsMap::run`]
    /// within the engine's tolerance, `niter` counts what was needed here. The same call gives the same bits twice.
    ///
    /// # Errors
    /// Those of [`PreparedTsMap::run`] of any of the runs.
    fn run_many(&self, runs: &[TsMapRun<'_>], control: &Control) -> Result<Vec<TsMapOutput>> {
        runs.iter().map(|run| self.run(run, control)).collect()
    }

    /// Likelihood profiles: `norms` and the result are `[scan, y, x]`; the result is stat(norm) - stat(0), summed as
    /// differences bin by bin with Gammapy's truncation of npred, NaN outside the mask.
    ///
    /// # Errors
    /// A run or norms that do not fit the data, memory, device or cancellation.
    fn profile(&self, run: &TsMapRun<'_>, norms: ArrayView3<'_, f64>, control: &Control) -> Result<Array3<f64>>;
}
