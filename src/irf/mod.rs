//! Reduced instrument responses: PSF and energy-dispersion maps, kernels at a position, parametric forms.

mod edisp;
mod position;
mod psf;

pub use edisp::{EDisp, EDispKernelMap, EDispMap, diagonal_response, gauss_response};
pub use position::{nearest_positive_pixel, nearest_unmasked_position, nearest_valid_position};
pub use psf::{KernelPixels, PsfKernel, PsfMap, PsfProfile, is_distorted, kernel_geom, own_kernel_geom};
