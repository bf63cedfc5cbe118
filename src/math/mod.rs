//! Numerical methods that rooms share.

pub mod lambert;
mod normal;
pub mod quadrature;
mod spline;

pub use normal::{confidence_of_sigma, ln_erfc, sigma_of_confidence};
pub use spline::QuadraticSpline;
