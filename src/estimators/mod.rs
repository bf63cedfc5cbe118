//! Estimators: datasets in, flux maps out.

pub mod asmooth;
mod combine;
mod distortion;
mod energy;
pub mod excess_map;
pub mod peaks;
mod setters;
pub mod ts_map;
mod undefined;

pub use asmooth::{AsmoothMapEstimator, AsmoothMethod};
pub use combine::{CombineMethod, CombineReport, combine_flux_maps};
pub use energy::{EnergyEdges, EnergyGroups};
pub use excess_map::{ExcessMapEstimator, ExcessSelection};
pub use peaks::{PeakDistance, SourceSearch, find_peaks, find_peaks_in_flux_map};
pub use ts_map::{NormScan, Selection, TsMapEstimator};
