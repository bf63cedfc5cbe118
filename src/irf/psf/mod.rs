//! Point spread functions: maps of radial profiles, profiles at a position, and kernels on pixels.

mod kernel;
mod map;
mod profile;

pub use kernel::{KernelPixels, PsfKernel, is_distorted, kernel_geom, own_kernel_geom};
pub use map::PsfMap;
pub use profile::PsfProfile;
