//! Reduced instrument responses: PSF and energy-dispersion maps, kernels at a position, parametric forms.

mod edisp;
mod psf;

pub use edisp::{EDisp, EDispKernelMap, EDispMap};
pub use psf::PsfMap;
