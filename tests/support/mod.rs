//! Shared by the integration tests: where golden data lies, how it is read, and synthetic maps.
#![allow(dead_code, reason = "each test target uses its part")]

pub mod compare;
pub mod field;
pub mod fits_file;
#[cfg(feature = "fits-system")]
pub mod npz;
#[cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
pub mod program;
pub mod synthetic;

use std::path::PathBuf;

/// The folder of golden data, or `None` (and a line saying so) where it is not there.
pub fn golden(case: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared"));
    let shared = std::env::var_os("PEVATRON_SHARED").map_or(beside, PathBuf::from);
    let folder = shared.join("golden").join(case);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no golden data at {}; set PEVATRON_SHARED", folder.display());
    None
}
