//! FITS: maps, datasets, flux maps, good time intervals, in the layouts of Gammapy.
//!
//! ```text
//! bytes ─ decompressed ─ check (pure Rust, every header) ─ cfitsio (memory) ─ maps, datasets, flux maps
//! disk: headers ─ check ─ one HDU after the other ─ cfitsio (memory) ─ datasets, whole or by part (lazy)
//! ```

mod axes;
mod catalogue;
mod cfitsio;
mod check;
mod checksum;
mod dataset;
mod datasets;
mod disk;
mod events;
mod flux;
mod gti;
mod header;
mod images;
mod lazy;
mod lazy_datasets;
mod map;
mod models;
mod ogip;
mod reader;
mod region;
mod table;
mod wcs_header;
mod wcs_linear;
mod writer;

pub use catalogue::Catalogue;
pub use check::{Column, Hdu, HduKind, check_bytes};
pub(in crate::io) use dataset::{OFF_PARTS, file_stem};
pub use dataset::{Problem, Severity};
pub(in crate::io) use disk::headers;
pub use events::write_events;
pub use header::{Header, Value};
pub(in crate::io) use images::{healpix_error, is_healpix};
pub use images::{ImageEntry, ImageFile};
pub use lazy::LazyDataset;
pub use lazy_datasets::LazyDatasets;
pub(in crate::io) use ogip::{find as find_spectrum, is_background};
pub use reader::{ReadOptions, read_bytes};
pub(in crate::io) use table::{is_flux_points, read_flux_points_table, read_table, write_tables};
pub use writer::{Provenance, WriteOptions, write_maps};
