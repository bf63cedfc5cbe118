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
            if x86::fit_tile_avx512::is_available() {
                return Self::Avx512;
            }
            if x86::fit_tile_avx2::is_available() {
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
            Self::Avx512 => unsafe { x86::fit_tile_avx512::call(plans, tile, scratch, refit, outputs) },
            // SAFETY: likewise.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86::fit_tile_avx2::call(plans, tile, scratch, refit, outputs) },
            Self::Portable => fit_tile::<Portable>(plans, tile, scratch, refit, outputs),
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::simd::{Avx2, Avx512};
    use super::*;

    /// The fit compiled for some features, and the question whether a processor has them: one list for both, since a
    /// feature that is enabled and not asked for ends in an illegal instruction.
    macro_rules! compiled_for {
        ($name:ident, $vector:ty, [$($feature:tt),+]) => {
            pub mod $name {
                use super::*;

                /// What the processor must have.
                #[cfg(test)]
                pub const FEATURES: &[&str] = &[$($feature),+];

                pub fn is_available() -> bool {
                    $(is_x86_feature_detected!($feature))&&+
                }

                $(#[target_feature(enable = $feature)])+
                pub unsafe fn call(
                    plans: &[RunPlan<'_>],
                    tile: &Tile,
                    scratch: &mut Scratch,
                    refit: Refit<'_>,
                    outputs: &[Mutex<TsMapOutput>],
                ) -> u64 {
                    fit_tile::<$vector>(plans, tile, scratch, refit, outputs)
                }
            }
        };
    }
    compiled_for!(
        fit_tile_avx512,
        Avx512,
        ["avx512f", "avx512vl", "avx512dq", "avx512bw", "avx2", "fma", "bmi1", "bmi2"]
    );
    compiled_for!(fit_tile_avx2, Avx2, ["avx2", "fma", "bmi1", "bmi2"]);
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::x86::{fit_tile_avx2, fit_tile_avx512};

    /// Every feature that code of this engine is compiled for is asked for: by the macro above, or by `multiversion`, which
    /// asks by itself; nowhere else is one enabled.
    #[test]
    fn what_is_enabled_is_detected() {
        // A processor that lacks one feature of a list must not get its code; this one has all or is not given it.
        let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let line = flags.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        let has = |feature: &&str| line.split_whitespace().any(|flag| flag == *feature);
        for (features, available) in [
            (fit_tile_avx512::FEATURES, fit_tile_avx512::is_available()),
            (fit_tile_avx2::FEATURES, fit_tile_avx2::is_available()),
        ] {
            assert!(features.contains(&"bmi1") && features.contains(&"bmi2"), "{features:?}");
            if !line.is_empty() {
                assert_eq!(features.iter().all(has), available, "{features:?} on a processor with {line}");
            }
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/compute");
        let mut enabled = Vec::new();
        let mut folders = vec![std::path::PathBuf::from(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let attribute = concat!("#[target_", "feature(");
                    enabled.extend(text.matches(attribute).map(|_| path.clone()));
                }
            }
        }
        assert_eq!(enabled.len(), 1, "features are enabled elsewhere than in the macro: {enabled:?}");
    }
}
