//! Datasets: counts with everything needed to predict them.

mod map;
mod npred;
mod on_off;
mod resample;

pub use map::MapDataset;
pub use npred::{Evaluation, Evaluator, Exposure, Prepared};
pub use on_off::{Dataset, DatasetRef, MapDatasetOnOff};
