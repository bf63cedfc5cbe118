//! The fast CPU engine: lists of non-zero bins, sixteen pixels at a time, many threads.
//!
//! A run is planned once (`plan.rs`: kernel tables, per-pixel sums), cut into tiles (`prepared.rs`), and each tile is
//! fitted patch by patch (`fit_tile.rs`, `patch.rs`, `errors.rs`) with passes over the bins with counts (`passes.rs`).
//! Patches that single precision cannot fit are fitted in double (`double.rs`); the few pixels left go through the
//! reference twin.

mod boxes;
mod correlate;
mod dense;
mod disk;
mod dispatch;
mod double;
mod errors;
mod fit_tile;
mod fourier;
mod jobs;
mod moments;
mod passes;
mod patch;
mod plan;
mod poles;
mod prepare;
mod prepared;
mod profile;
mod sensitivity;
mod shelf;
mod simd;
mod starts;
mod tile;
mod wide;
mod wing;

use ndarray::Array3;

use self::dispatch::InstructionSet;
use self::fit_tile::Scratch;
use self::prepared::Prepared;
use self::profile::ProfileScratch;
use self::shelf::Shelf;
use crate::compute::backend::{BackendInfo, BackendOptions};
use crate::compute::engine::{Engine, PreparedTsMap};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::{CashSumJob, ConvolveJob, DiskSumJob, EdispJob, TsMapData};

/// Sparse, threaded, vectorised.
#[derive(Debug)]
pub struct CpuEngine {
    info: BackendInfo,
    instructions: InstructionSet,
    pool: rayon::ThreadPool,
    scratch: Shelf<Scratch>,
    profiles: Shelf<ProfileScratch>,
}

/// What threads have as a rule; without optimisation each step of the vector code keeps its values on the stack, and needs
/// more. What is not touched costs nothing.
const STACK_BYTES: usize = if cfg!(debug_assertions) { 256 << 20 } else { 2 << 20 };

/// The largest number of threads that makes sense on this machine; more than that only wait for each other, and some
/// systems end a process that asks for too many.
fn most_threads() -> usize {
    const MOST: usize = 1024;
    std::thread::available_parallelism().map_or(MOST, |cores| MOST.max(4 * cores.get()))
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
        let most = most_threads();
        if let Some(threads) = options.threads.filter(|threads| *threads > most) {
            let problem = format!("{threads} are more than make sense here: at most {most}");
            return Err(Error::options("threads", problem).with_help("leave it out to take all cores"));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or(0))
            .thread_name(|number| format!("pevatron-cpu-{number}"))
            .stack_size(STACK_BYTES)
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
            scratch: Shelf::default(),
            profiles: Shelf::default(),
        })
    }
}

impl Engine for CpuEngine {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn threads(&self) -> Option<&rayon::ThreadPool> {
        Some(&self.pool)
    }

    fn prepare<'a, 'd: 'a>(&'a self, data: &TsMapData<'d>, control: &Control) -> Result<Box<dyn PreparedTsMap + 'a>> {
        let data = &data.shortened();
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

    fn disk_sum(&self, job: &DiskSumJob<'_>, control: &Control) -> Result<Array3<f64>> {
        job.check()?;
        self.pool.install(|| disk::disk_sum(job, control))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::kernels::cube::CubeView;
    use crate::kernels::ts_map::{TsMapInput, TsMapRun, TsMapSettings};

    #[test]
    fn all_instruction_sets_agree() {
        let counts = Array3::from_shape_fn((2, 21, 27), |(e, y, x)| ((e + 3 * y * y + 5 * x) % 7 / 4) as f32);
        let background = Array3::from_shape_fn((2, 21, 27), |(e, y, x)| 0.2 + 0.1 * ((e + y + 2 * x) % 5) as f32);
        let exposure = Array3::from_elem((2, 21, 27), 10.0f32);
        let kernel = Array3::from_shape_fn((2, 5, 5), |(e, u, v)| {
            let (u, v) = (u as f64 - 2.0, v as f64 - 2.0);
            (-(u * u + v * v) / (1.5 + e as f64)).exp() * 0.2
        });
        let data = TsMapData::new(vec![TsMapInput {
            counts: CubeView::F32(counts.view()),
            background: CubeView::F32(background.view()),
            exposure: CubeView::F32(exposure.view()),
        }])
        .unwrap();
        let fit_mask = Array2::from_elem((21, 27), true);
        let run = TsMapRun {
            planes: std::iter::once(0..2).collect(),
            kernels: vec![kernel.view()],
            fit_mask: fit_mask.view(),
            norm_guess: None,
            settings: TsMapSettings::default(),
        };
        let control = Control::new();
        let engines: Vec<CpuEngine> = InstructionSet::available()
            .into_iter()
            .map(|instructions| CpuEngine {
                instructions,
                ..CpuEngine::new(&BackendOptions::default(), "test").unwrap()
            })
            .collect();
        let outputs: Vec<_> = engines
            .iter()
            .map(|engine| Prepared::new(engine, &data, &control).unwrap().run(&run, &control).unwrap())
            .collect();
        for output in &outputs {
            for (at, norm) in output.norm.indexed_iter() {
                let (want, err) = (outputs[0].norm[at], outputs[0].norm_err[at]);
                assert!((norm - want).abs() < 1e-4 * err, "norm at {at:?}: {norm} for {want}");
            }
        }
    }
}
