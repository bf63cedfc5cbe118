//! Engines: the kernels on the CPU in `f64`, on the CPU fast, and on GPUs; and the handle that chooses one.

pub mod backend;
pub mod bands;
pub mod cpu;
pub mod engine;
pub mod fallback;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod instruments;
mod occupied;
pub mod reference;
pub mod tolerance;

pub use backend::{Backend, BackendChoice, BackendInfo, BackendOptions};
pub use engine::{Engine, PreparedTsMap};
pub use instruments::{DeviceCeilings, DeviceWork, Instruments, Transfer};
