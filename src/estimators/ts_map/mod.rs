//! The TS map estimator (Gammapy's `TSMapEstimator`): per pixel the norm of a test source, its significance, errors
//! and limits.

mod assemble;
pub(super) mod inputs;
mod kernel;
mod options;
mod run;
mod scan;
mod seam;

pub use options::{NormScan, Selection, TsMapEstimator};
pub use run::TsMapReport;
pub(super) use scan::adaptive_norms;
