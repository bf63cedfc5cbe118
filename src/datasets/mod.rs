//! Datasets: counts with everything needed to predict them.

mod create;
mod map;
mod masks;
mod npred;
mod on_off;
mod resample;
mod stack;

pub use create::{Geoms, IrfAxes};
pub use map::MapDataset;
pub use npred::{Evaluation, Evaluator, Exposure};
pub use resample::AxisSlices;
pub use on_off::{Dataset, DatasetRef, MapDatasetOnOff};
