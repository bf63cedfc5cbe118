//! What host and shaders of the TS map have in common: planes of the pixels' state, flags, constants.

use super::super::convolve::KERNEL_PAD;
use super::super::planes::TILE;
use crate::kernels::TsMapStatus;

/// Planes of `state` and `sums` in the shaders.
pub(super) const STATE_PLANES: usize = 21;
pub(super) const SUM_PLANES: usize = 11;
/// Bytes of state per pixel: what a band is planned by.
pub(super) const STATE_BYTES: usize = 4 * STATE_PLANES;

/// Indices of planes of `state` (`shaders/shared/ts_map.wgsl`).
pub(super) mod plane {
    pub(in super::super) const X: usize = 0;
    pub(in super::super) const Z: usize = 1;
    pub(in super::super) const C_COUNTS: usize = 4;
    pub(in super::super) const C_ALL: usize = 5;
    pub(in super::super) const FLAGS: usize = 6;
    pub(in super::super) const RHO: usize = 7;
    pub(in super::super) const Q: usize = 8;
    pub(in super::super) const D_ERRN: usize = 10;
    pub(in super::super) const D_UL: usize = 12;
    pub(in super::super) const GAIN: usize = 17;
    pub(in super::super) const ITERATIONS: usize = 18;
    pub(in super::super) const GUESS: usize = 19;
}

/// Bits of FLAGS beyond the public status bits.
pub(super) mod flag {
    pub(in super::super) const VALID: u32 = 0x1_0000;
    pub(in super::super) const FITTED: u32 = 0x2_0000;
    pub(in super::super) const DONE_ERRN: u32 = 0x4_0000;
    pub(in super::super) const DONE_ERRP: u32 = 0x8_0000;
    pub(in super::super) const DONE_UL: u32 = 0x10_0000;
    pub(in super::super) const TO_HOST: u32 = 0x20_0000;
    pub(in super::super) const WING_FAILED: u32 = 0x200_0000;
    pub(in super::super) const BY_MOMENTS: u32 = 0x100_0000;
    /// The public status bits.
    pub(in super::super) const STATUS: u32 = 0x7fff;
}

/// What the shaders of the TS map have as constants, too; `tests/gpu/shaders.rs` compares them.
pub(in super::super) fn shared_constants() -> Vec<(&'static str, usize)> {
    let flag = |flag: u32| flag as usize;
    vec![
        ("X", plane::X),
        ("Z", plane::Z),
        ("C_COUNTS", plane::C_COUNTS),
        ("C_ALL", plane::C_ALL),
        ("FLAGS", plane::FLAGS),
        ("RHO", plane::RHO),
        ("Q", plane::Q),
        ("D_ERRN", plane::D_ERRN),
        ("D_UL", plane::D_UL),
        ("GAIN", plane::GAIN),
        ("ITERATIONS", plane::ITERATIONS),
        ("GUESS", plane::GUESS),
        ("P", STATE_PLANES - 1),
        ("VALID", flag(flag::VALID)),
        ("FITTED", flag(flag::FITTED)),
        ("DONE_ERRN", flag(flag::DONE_ERRN)),
        ("DONE_ERRP", flag(flag::DONE_ERRP)),
        ("DONE_UL", flag(flag::DONE_UL)),
        ("TO_HOST", flag(flag::TO_HOST)),
        ("BY_MOMENTS", flag(flag::BY_MOMENTS)),
        ("WING_FAILED", flag(flag::WING_FAILED)),
        ("NO_COUNTS", flag(TsMapStatus::NO_COUNTS)),
        ("SINGLE_BIN", flag(TsMapStatus::SINGLE_BIN)),
        ("NO_MODEL", flag(TsMapStatus::NO_MODEL)),
        ("AT_BOUND", flag(TsMapStatus::AT_BOUND)),
        ("BELOW_THRESHOLD", flag(TsMapStatus::BELOW_THRESHOLD)),
        ("TILE", TILE),
        ("KERNEL_PAD_Y", KERNEL_PAD.0),
        ("KERNEL_PAD_X", KERNEL_PAD.1),
    ]
}
