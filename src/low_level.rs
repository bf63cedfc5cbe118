//! Engines and kernels for tests, benches and curious readers: public, but outside the promise of stable versions.

pub use crate::compute::{Engine, PreparedTsMap};
pub use crate::kernels;
