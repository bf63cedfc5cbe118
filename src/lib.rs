//! Test-statistic maps and flux maps of gamma-ray surveys, on GPUs and CPUs.
//!
//! Rooms stand in floor order (see `ARCHITECTURE.md`): a room imports only from those above it in this list.

// A library must not end its user's process; tests may stop at the first surprise.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod control;
pub mod error;
pub mod math;
pub mod memory;

pub mod units;

pub mod kernels;
pub mod table;
pub mod time;

pub mod compute;
pub mod maps;

pub mod data;
pub mod irf;
pub mod models;

pub mod flux;

pub mod datasets;

pub mod fit;
#[cfg(feature = "yaml")]
pub mod io;
#[cfg(feature = "plot")]
pub mod plot;
pub mod simulate;

pub mod estimators;

#[cfg(feature = "cli")]
pub mod bench;

pub mod low_level;
pub mod prelude;

pub use control::{Control, Progress};
pub use error::{Error, ErrorKind, Place, Result};
#[cfg(feature = "gpu")]
pub use wgpu;
