//! Datasets: counts with everything needed to predict them, and flux points.

mod any;
mod create;
mod flux_points;
mod list;
mod map;
mod masks;
mod npred;
mod on_off;
mod resample;
mod spectrum;
mod stack;
mod statistic;

pub use any::{Dataset, DatasetRef};
pub use create::{Geoms, IrfAxes};
pub use flux_points::{FluxPointsDataset, PointsLikelihood, PointsSource, PointsStatistic, ProfileInterpolation};
pub use list::Datasets;
pub use map::MapDataset;
pub use npred::{Domain, Evaluation, Evaluator, Evaluators, Exposure, NpredWork, Prepared, TemplateCounts};
pub use on_off::MapDatasetOnOff;
pub use resample::AxisSlices;
pub use spectrum::{SpectrumDataset, SpectrumDatasetOnOff};
pub use statistic::{InfoDict, OffInfo, ResidualMethod};
