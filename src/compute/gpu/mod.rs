//! The GPU engine: WGSL through wgpu.
//!
//! Shaders are in `shaders/`, one job each; [`pipelines`] names them and their parts. Single precision, with two-float
//! numbers where it matters; what single precision cannot reach is left to the `f64` twin on the host, pixel by
//! pixel. Sums over the window that do not depend on the norm (`npred_null`, `stat_null`) are `f64` sums on the host.

pub mod adapters;
mod batch;
mod buffers;
mod ceilings;
mod clock;
mod convolve;
pub mod device;
mod disk;
mod dispatch;
mod engine;
mod lists;
mod memory;
pub mod params;
pub mod pipelines;
mod planes;
mod tiling;
mod ts_map;
mod two_float;
mod watch;

pub use adapters::{Adapter, adapters};
pub use engine::GpuEngine;
