//! The numeric kernels: what is computed per pixel, as plain arrays and numbers.
//!
//! No sky, no units, no energies here. Each kernel file holds the job that an engine is handed, the output it gives
//! back, and the twin: the formula as readable `f64` Rust, which is the truth that every engine is compared with.

pub mod convolve;
pub mod counts_statistic;
pub mod cube;
pub mod disk;
pub mod edisp;
pub mod likelihood;
pub mod ts_map;

pub use convolve::ConvolveJob;
pub use counts_statistic::{CashCountsStatistic, CountsStatistic, WStatCountsStatistic};
pub use cube::{Cube, CubeView};
pub use disk::DiskSumJob;
pub use edisp::EdispJob;
pub use likelihood::CashSumJob;
pub(crate) use ts_map::check_sigmas;
pub use ts_map::{TsMapData, TsMapInput, TsMapOutput, TsMapRun, TsMapSettings, TsMapStatus};
