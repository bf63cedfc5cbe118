//! Estimators: datasets in, flux maps out.

mod energy;
pub mod excess_map;
pub mod ts_map;

pub use energy::{EnergyEdges, EnergyGroups};
pub use excess_map::{ExcessMapEstimator, ExcessSelection};
pub use ts_map::{NormScan, Selection, TsMapEstimator};
