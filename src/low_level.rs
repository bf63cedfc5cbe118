//! Engines and kernels for tests, benches and curious readers: public, but outside the promise of stable versions.

pub use crate::compute::fallback::{FallbackEngine, TAKEN_OVER};
#[cfg(feature = "gpu")]
pub use crate::compute::gpu::{GpuEngine, params as shader_params, pipelines as shaders};
pub use crate::compute::{Engine, PreparedTsMap};
pub use crate::kernels;
