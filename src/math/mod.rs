//! Numerical methods that rooms share.

pub mod lambert;
mod normal;
pub mod quadrature;

pub use normal::{confidence_of_sigma, sigma_of_confidence};
