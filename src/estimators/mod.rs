//! Estimators: datasets in, flux maps out.

mod energy;
pub mod ts_map;

pub use energy::{EnergyEdges, EnergyGroups};
pub use ts_map::{NormScan, Selection, TsMapEstimator};
