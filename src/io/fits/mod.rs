//! FITS: maps, datasets, flux maps, good time intervals, in the layouts of Gammapy.
//!
//! ```text
//! bytes ─ decompressed ─ check (every header) ─ values, tiles ─ maps, datasets, flux maps
//! disk: headers ─ check ─ one HDU after the other ─ values, tiles ─ datasets, whole or by part (lazy)
//! maps, datasets, flux maps ─ cfitsio (memory) ─ files
//! ```
//!
//! All reading is done in Rust: no file of anyone is given to the C library, which only writes.

mod axes;
mod catalogue;
mod cfitsio;
mod check;
mod checksum;
mod content;
mod dataset;
mod datasets;
mod disk;
mod events;
mod flux;
mod growing;
mod gti;
mod header;
mod images;
mod keys;
mod lazy;
mod lazy_datasets;
mod map;
mod memory;
mod models;
mod ogip;
mod reader;
mod region;
mod table;
mod tiles;
mod values;
mod wcs_header;
mod wcs_linear;
mod writer;

pub use catalogue::Catalogue;
pub(in crate::io) use catalogue::{NAMES, POSITIONS};
pub use check::{Column, Hdu, HduKind, check_bytes};
pub(in crate::io) use dataset::{OFF_PARTS, file_stem};
pub use dataset::{Problem, Severity};
pub(in crate::io) use disk::headers;
pub use events::write_events;
pub use header::{Header, Value};
pub use images::{ImageEntry, ImageFile};
pub(in crate::io) use images::{healpix_error, is_healpix};
pub use lazy::LazyDataset;
pub use lazy_datasets::LazyDatasets;
pub use ogip::OgipOptions;
pub(in crate::io) use ogip::{Chosen, find as find_spectrum, is_background};
pub use reader::{ReadOptions, read_bytes};
pub(in crate::io) use table::{is_flux_points, read_flux_points_table, read_table, write_tables};
pub use writer::{Provenance, WriteOptions, write_maps};
