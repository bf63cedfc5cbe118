//! Files: FITS maps, datasets and flux maps, model YAML; written beside their target and renamed.

mod atomic;
mod ecsv_write;
#[cfg(feature = "fits-system")]
pub mod fits;
#[cfg(feature = "fits-system")]
mod kind;
mod yaml;

pub use atomic::{check_output, write_atomic};
pub use ecsv_write::{EcsvColumn, EcsvMeta, EcsvTable};
#[cfg(feature = "fits-system")]
pub use fits::{Catalogue, Problem, Provenance, ReadOptions, Severity, WriteOptions, write_maps};
#[cfg(feature = "fits-system")]
pub use kind::{FileKind, file_kind};
