//! Estimators: datasets in, flux maps out.

mod energy;
pub mod peaks;
pub mod ts_map;

pub use energy::{EnergyEdges, EnergyGroups};
pub use peaks::{PeakDistance, SourceSearch, find_peaks, find_peaks_in_flux_map};
pub use ts_map::{NormScan, Selection, TsMapEstimator};
