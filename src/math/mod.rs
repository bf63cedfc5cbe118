//! Numerical methods that rooms share.

pub mod quadrature;
