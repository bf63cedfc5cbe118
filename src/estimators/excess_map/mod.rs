//! The excess map estimator: counts in a disk around each pixel against the background there.

mod inputs;
mod options;
mod run;
mod statistic;

pub use options::{ExcessMapEstimator, ExcessSelection};
pub use run::ExcessMapReport;

#[cfg(test)]
mod tests;
