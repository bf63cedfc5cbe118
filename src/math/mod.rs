//! Numerical methods that rooms share.

pub mod lambert;
pub mod quadrature;
