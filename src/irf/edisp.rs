//! Energy dispersion maps and matrices.

use crate::maps::Map;

/// Matrices per position: axes `[energy, energy_true]`.
#[derive(Debug, Clone, PartialEq)]
pub struct EDispKernelMap {
    /// `[energy_true, energy, y, x]`.
    pub edisp: Map,
    /// Exposure at the map's pixels, `[energy_true, 1, y, x]`.
    pub exposure: Option<Map>,
}

/// Migration densities per position: axes `[migra, energy_true]`.
#[derive(Debug, Clone, PartialEq)]
pub struct EDispMap {
    /// `[energy_true, migra, y, x]`.
    pub edisp: Map,
    /// Exposure at the map's pixels, `[energy_true, 1, y, x]`.
    pub exposure: Option<Map>,
}

/// Either form of energy dispersion.
#[derive(Debug, Clone, PartialEq)]
pub enum EDisp {
    /// Matrices in reconstructed energy.
    Kernel(EDispKernelMap),
    /// Migration densities.
    Migra(EDispMap),
}
