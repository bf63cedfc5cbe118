//! What stands out in flux maps: local maxima, their positions below the size of a pixel with errors, and sources found
//! one after the other.
//!
//! [`find_peaks`] and [`find_peaks_in_flux_map`] are Gammapy's functions of these names; [`SourceSearch`] puts each found
//! source into the null hypothesis and makes the map again, so that blended sources come apart.

mod catalogue;
mod find;
mod locate;
mod models;
mod regions;
mod search;
#[cfg(feature = "yaml")]
mod table;

pub use catalogue::{Counterpart, match_positions};
pub use find::{FluxPeak, Peak, PeakDistance, find_peaks, find_peaks_in_flux_map};
pub use locate::{PeakLocation, PeakStatus, SkyEllipse};
pub use models::peak_models;
pub use regions::{Region, ds9_regions};
pub use search::{FoundSource, SearchReport, SourceSearch};
#[cfg(feature = "yaml")]
pub use table::{add_counterparts, peaks_table, sources_table};
