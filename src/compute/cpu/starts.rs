//! Where fits begin: first guesses, corrected by how wrong they were for a similar kernel.

use super::simd::LANES;
use super::wide::{Mask, Wide};

/// Largest correction of a norm, in sigmas.
const MOST_SIGMAS: f64 = 5.0;
/// Largest factor of a displacement.
const MOST_FACTOR: f64 = 3.0;

/// Corrections of the first guesses of a patch; they correct nothing by default.
#[derive(Debug, Clone, Copy)]
pub struct Starts {
    /// Of the norm, in sigmas at norm 0.
    norm: [f32; LANES],
    /// Factors of the displacements down, up, and to the limit.
    displacements: [[f32; LANES]; 3],
}

impl Default for Starts {
    fn default() -> Self {
        Self { norm: [0.0; LANES], displacements: [[1.0; LANES]; 3] }
    }
}

impl Starts {
    /// What is not a number, or too large to be believed, corrects nothing.
    pub fn new(norm: Wide, displacements: [Wide; 3]) -> Self {
        let limited = |v: f64, neutral: f64, low: f64, high: f64| if v > low && v < high { v } else { neutral } as f32;
        Self {
            norm: norm.0.map(|v| limited(v, 0.0, -MOST_SIGMAS, MOST_SIGMAS)),
            displacements: displacements.map(|d| d.0.map(|v| limited(v, 1.0, 1.0 / MOST_FACTOR, MOST_FACTOR))),
        }
    }

    /// Correction of the norm, in sigmas at norm 0.
    #[inline(always)]
    pub fn norm(&self) -> Wide {
        Wide(self.norm.map(f64::from))
    }

    /// Factor of a displacement.
    #[inline(always)]
    pub fn displacement(&self, which: usize) -> Wide {
        Wide(self.displacements[which].map(f64::from))
    }
}

/// Final over first, 1 beside the lanes.
#[inline(always)]
pub fn factor(last: Wide, first: Wide, lanes: Mask) -> Wide {
    (last / first).where_or(lanes, Wide::splat(1.0))
}
