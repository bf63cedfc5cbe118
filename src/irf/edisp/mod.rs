//! Energy dispersion: maps of matrices or migration densities, and matrices `[energy_true, energy]` at a position.

mod map;
mod response;

pub use map::{EDisp, EDispKernelMap, EDispMap};
pub use response::{diagonal_response, gauss_response};
