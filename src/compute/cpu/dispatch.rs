//! The instruction set, chosen once per engine.

use std::sync::Mutex;

use super::fit_tile::{Refit, Scratch, fit_tile};
use super::plan::RunPlan;
use super::simd::Portable;
use super::tile::Tile;
use crate::kernels::TsMapOutput;

/// What the fit of tiles is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Whatever the build was made for.
    Portable,
}

impl InstructionSet {
    /// The best that this machine has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
            {
                return Self::Avx512;
            }
            if avx2 {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// All that this machine has, best first; for tests.
    #[cfg(test)]
    pub fn available() -> Vec<Self> {
        match Self::detect() {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => vec![Self::Avx512, Self::Avx2, Self::Portable],
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => vec![Self::Avx2, Self::Portable],
            Self::Portable => vec![Self::Portable],
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2 + FMA",
            Self::Portable => "baseline",
        }
    }

    /// Fits a tile for several runs; returns the number of fits.
    pub fn fit_tile(
        self,
        plans: &[RunPlan<'_>],
        tile: &Tile,
        scratch: &mut Scratch,
        refit: Refit<'_>,
        outputs: &[Mutex<TsMapOutput>],
    ) -> u64 {
        match self {
            // SAFETY: `detect` found the features; nothing else makes these values outside tests, which ask
            // `available`.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { x86::fit_tile_avx512(plans, tile, scratch, refit, outputs) },
            // SAFETY: likewise.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86::fit_tile_avx2(plans, tile, scratch, refit, outputs) },
            Self::Portable => fit_tile::<Portable>(plans, tile, scratch, refit, outputs),
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::simd::{Avx2, Avx512};
    use super::*;

    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi1,bmi2")]
    pub unsafe fn fit_tile_avx512(
        plans: &[RunPlan<'_>],
        tile: &Tile,
        scratch: &mut Scratch,
        refit: Refit<'_>,
        outputs: &[Mutex<TsMapOutput>],
    ) -> u64 {
        fit_tile::<Avx512>(plans, tile, scratch, refit, outputs)
    }

    #[target_feature(enable = "avx2,fma,bmi1,bmi2")]
    pub unsafe fn fit_tile_avx2(
        plans: &[RunPlan<'_>],
        tile: &Tile,
        scratch: &mut Scratch,
        refit: Refit<'_>,
        outputs: &[Mutex<TsMapOutput>],
    ) -> u64 {
        fit_tile::<Avx2>(plans, tile, scratch, refit, outputs)
    }
}
