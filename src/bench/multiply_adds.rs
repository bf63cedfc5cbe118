//! Fused multiply-adds and nothing else, on one thread, with the vectors that the machine has.
//!
//! Written with intrinsics: left to itself the compiler makes scalar code of `mul_add` over arrays.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Steps of each chain between two looks at the clock.
const STEPS: usize = 4096;

/// Runs `STEPS` steps of `v = v * scale + shift` on many chains and gives their sum, and how many chains there are.
type Round = fn(f32, f32) -> (f32, usize);

/// Operations per second of this thread, measured for `time`; a multiply-add is two.
pub(super) fn multiply_adds(time: Duration) -> f64 {
    let round = fastest();
    // Unknown to the compiler, so that nothing can be worked out before.
    let (scale, shift) = (black_box(0.999f32), black_box(0.001f32));
    let mut operations = 0;
    let begun = Instant::now();
    while operations == 0 || begun.elapsed() < time {
        // The sum is looked at, so that there is a reason to compute it.
        let (sum, chains) = round(black_box(scale), shift);
        black_box(sum);
        operations += 2 * STEPS * chains;
    }
    operations as f64 / begun.elapsed().as_secs_f64()
}

/// What the machine has.
fn fastest() -> Round {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature was just found.
            return |scale, shift| unsafe { x86::avx512(scale, shift) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: likewise.
            return |scale, shift| unsafe { x86::avx2(scale, shift) };
        }
    }
    portable
}

/// Vectors of the build's baseline; fused where the baseline is.
fn portable(scale: f32, shift: f32) -> (f32, usize) {
    const CHAINS: usize = 96;
    let mut v: [f32; CHAINS] = std::array::from_fn(|i| i as f32);
    for _ in 0..STEPS {
        for lane in &mut v {
            // Without the instruction `mul_add` is a call of a function.
            let fused = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
            *lane = if fused { lane.mul_add(scale, shift) } else { *lane * scale + shift };
        }
    }
    (v.iter().sum(), CHAINS)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::STEPS;

    /// Vectors that hide the latency of two units and leave registers for the constants.
    const VECTORS: usize = 12;

    #[target_feature(enable = "avx512f")]
    pub fn avx512(scale: f32, shift: f32) -> (f32, usize) {
        let (scale, shift) = (_mm512_set1_ps(scale), _mm512_set1_ps(shift));
        let mut v = [_mm512_setzero_ps(); VECTORS];
        for _ in 0..STEPS {
            for vector in &mut v {
                *vector = _mm512_fmadd_ps(*vector, scale, shift);
            }
        }
        let sum = v.iter().fold(_mm512_setzero_ps(), |sum, vector| _mm512_add_ps(sum, *vector));
        (_mm512_reduce_add_ps(sum), 16 * VECTORS)
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(scale: f32, shift: f32) -> (f32, usize) {
        let (scale, shift) = (_mm256_set1_ps(scale), _mm256_set1_ps(shift));
        let mut v = [_mm256_setzero_ps(); VECTORS];
        for _ in 0..STEPS {
            for vector in &mut v {
                *vector = _mm256_fmadd_ps(*vector, scale, shift);
            }
        }
        let sum = v.iter().fold(_mm256_setzero_ps(), |sum, vector| _mm256_add_ps(sum, *vector));
        (_mm256_cvtss_f32(sum), 8 * VECTORS)
    }
}
