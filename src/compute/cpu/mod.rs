//! The fast CPU engine: lists of non-zero bins, sixteen pixels at a time, many threads.
//!
//! A run is planned once (`plan.rs`: kernel tables, per-pixel sums), cut into tiles (`prepared.rs`), and each tile is
//! fitted patch by patch (`fit_tile.rs`, `patch.rs`, `errors.rs`) with passes over the bins with counts (`passes.rs`).
//! The few pixels that single precision cannot fit go through the reference twin.

mod boxes;
mod correlate;
mod dense;
mod dispatch;
mod errors;
mod fit_tile;
mod fourier;
mod jobs;
mod passes;
mod patch;
mod plan;
mod prepare;
mod prepared;
mod simd;
mod tile;
mod wide;

use ndarray::Array3;

use self::dispatch::InstructionSet;
use self::prepared::Prepared;
use crate::compute::backend::{BackendInfo, BackendOptions};
use crate::compute::engine::{Engine, PreparedTsMap};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::{CashSumJob, ConvolveJob, EdispJob, TsMapData};

/// Sparse, threaded, vectorised.
#[derive(Debug)]
pub struct CpuEngine {
    info: BackendInfo,
    instructions: InstructionSet,
    pool: rayon::ThreadPool,
}

impl CpuEngine {
    /// Makes one, with its own threads: `options.threads`, all cores by default.
    ///
    /// # Errors
    /// For 0 threads, or where the thread pool cannot be made.
    pub fn new(options: &BackendOptions, reason: &str) -> Result<Self> {
        if options.threads == Some(0) {
            return Err(Error::options("threads", "must be at least 1"));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or(0))
            .thread_name(|number| format!("pevatron-cpu-{number}"))
            .build()
            .map_err(|error| Error::options("threads", format!("no thread pool: {error}")))?;
        let instructions = InstructionSet::detect();
        let threads = pool.current_num_threads();
        let plural = if threads == 1 { "" } else { "s" };
        Ok(Self {
            info: BackendInfo {
                name: "cpu",
                adapter: format!("{}, {threads} thread{plural}", instructions.name()),
                reason: reason.to_string(),
                double_precision: false,
            },
            instructions,
            pool,
        })
    }
}

impl Engine for CpuEngine {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn prepare<'a>(&'a self, data: &TsMapData<'a>, control: &Control) -> Result<Box<dyn PreparedTsMap + 'a>> {
        Ok(Box::new(Prepared::new(self, data, control)?))
    }

    fn convolve(&self, job: &ConvolveJob<'_>, control: &Control) -> Result<Array3<f64>> {
        job.check()?;
        self.pool.install(|| jobs::convolve(job, control))
    }

    fn apply_edisp(&self, job: &EdispJob<'_>, control: &Control) -> Result<Array3<f64>> {
        job.check()?;
        self.pool.install(|| jobs::apply_edisp(job, control))
    }

    fn cash_sum(&self, job: &CashSumJob<'_>, control: &Control) -> Result<f64> {
        job.check()?;
        self.pool.install(|| jobs::cash_sum(job, control))
    }
}
