//! Datasets: counts with everything needed to predict them.

mod map;
mod npred;
mod resample;

pub use map::MapDataset;
pub use npred::{Evaluation, Evaluator, Exposure};
