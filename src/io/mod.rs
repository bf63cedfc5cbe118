//! Files: FITS maps, datasets and flux maps, model YAML; written beside their target and renamed.

mod atomic;
mod covariance;
mod ecsv;
#[cfg(feature = "fits-system")]
pub mod fits;
#[cfg(feature = "fits-system")]
mod flux_points;
mod input;
#[cfg(feature = "fits-system")]
mod kind;
#[cfg(feature = "fits-system")]
mod pair;
mod regions;
mod same;
#[cfg(feature = "fits-system")]
mod sources;
mod table;
mod yaml;

pub use atomic::{abandon, check_output, write_atomic};
#[cfg(feature = "fits-system")]
pub use fits::{
    Catalogue, ImageEntry, ImageFile, LazyDataset, LazyDatasets, OgipOptions, Problem, Provenance, ReadOptions,
    Severity, WriteOptions, write_events, write_maps,
};
pub use input::keep_streams;
#[cfg(feature = "fits-system")]
pub use kind::{FileKind, file_kind};
pub use regions::{NamedRegion, parse_region, read_regions, read_shapes};
pub use same::{check_outputs, note_input, protect_inputs};
