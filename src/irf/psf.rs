//! Point spread function maps and kernels.

use crate::maps::Map;

/// PSF map: axes `[rad, energy_true]` (or `[rad, energy]`, a PSF in reconstructed energy), values per sr or deg².
#[derive(Debug, Clone, PartialEq)]
pub struct PsfMap {
    /// `[energy, rad, y, x]`.
    pub psf: Map,
    /// Exposure at the PSF map's pixels, `[energy_true, 1, y, x]`; says where the PSF is valid.
    pub exposure: Option<Map>,
}
