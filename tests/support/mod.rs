//! Shared by the integration tests: where golden data and a Python lie, fields and models, the program in a folder.
#![allow(dead_code, reason = "each test target uses its part")]

pub mod compare;
pub mod field;
pub mod fits_file;
#[cfg(feature = "fits-system")]
pub mod npz;
#[cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
pub mod program;
#[cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
pub mod quick;
pub mod yaml;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

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

/// A Python that has a module, by PEVATRON_PYTHON or on the path, or `None` (and a line saying so).
pub fn python_with(module: &str) -> Option<OsString> {
    let python = std::env::var_os("PEVATRON_PYTHON").unwrap_or_else(|| "python3".into());
    let import = format!("import {module}");
    if Command::new(&python).args(["-c", &import]).output().is_ok_and(|o| o.status.success()) {
        return Some(python);
    }
    println!("SKIPPED: no Python with {module} (set PEVATRON_PYTHON)");
    None
}

/// The GPU engine on any adapter, a software one included; where there is none a line saying so, and a failure with
/// PEVATRON_REQUIRE_GPU.
#[cfg(feature = "gpu")]
pub fn gpu_engine(options: &pevatron::compute::BackendOptions) -> Option<pevatron::low_level::GpuEngine> {
    match pevatron::low_level::GpuEngine::new(options, true) {
        Ok(engine) => Some(engine),
        Err(error) => {
            println!("SKIPPED: no adapter: {error}");
            assert!(std::env::var_os("PEVATRON_REQUIRE_GPU").is_none(), "PEVATRON_REQUIRE_GPU is set: {error}");
            None
        }
    }
}
