//! Datasets: counts with everything needed to predict them.

mod create;
mod list;
mod map;
mod masks;
mod npred;
mod on_off;
mod resample;
mod spectrum;
mod stack;
mod statistic;

pub use create::{Geoms, IrfAxes};
pub use list::Datasets;
pub use map::MapDataset;
pub use npred::{Domain, Evaluation, Evaluator, Evaluators, Exposure, NpredWork, Prepared};
pub use on_off::{Dataset, DatasetRef, MapDatasetOnOff};
pub use resample::AxisSlices;
pub use spectrum::{SpectrumDataset, SpectrumDatasetOnOff};
pub use statistic::{InfoDict, OffInfo, ResidualMethod};
