//! Sixteen `f32` lanes at a time: AVX-512, AVX2 with FMA, and plain arrays for every other machine.
//!
//! Code that uses them is generic over [`Simd`], always inlined, and compiled once per instruction set in
//! `dispatch.rs`; the two intrinsic types never leave those functions.

/// Lanes of a vector: the pixels of one 4x4 patch.
pub const LANES: usize = 16;

/// A vector in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Block(pub [f32; LANES]);

impl Block {
    pub const ZERO: Self = Self([0.0; LANES]);

    pub fn max(&self) -> f32 {
        self.0.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }
}

/// Arithmetic on sixteen lanes.
pub trait Simd: Copy {
    fn splat(value: f32) -> Self;
    fn load(block: &Block) -> Self;
    fn store(self, block: &mut Block);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    /// `self * factor + term`, in one rounding where the machine has it.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// `term - self * factor`.
    fn neg_mul_add(self, factor: Self, term: Self) -> Self;
    /// 1 / self to about 1 ulp; self is finite and not 0.
    fn recip(self) -> Self;
    /// `value` where self < 0, else 0.
    fn where_negative(self, value: Self) -> Self;
    /// Mantissa in [0.75, 1.5) and exponent, for positive normal lanes.
    fn log_parts(self) -> (Self, Self);

    #[inline(always)]
    fn zero() -> Self {
        Self::splat(0.0)
    }

    /// Smallest lane.
    #[inline(always)]
    fn lowest(self) -> f32 {
        let mut block = Block::ZERO;
        self.store(&mut block);
        block.0.iter().copied().fold(f32::INFINITY, f32::min)
    }

    /// ln(self) for positive normal lanes, to about 1e-7.
    #[inline(always)]
    fn ln(self) -> Self {
        let (mantissa, exponent) = self.log_parts();
        let z = mantissa.sub(Self::splat(1.0));
        exponent.mul_add(Self::splat(LN2_HIGH), z.add(log_tail(z, exponent)))
    }

    /// ln(1 + self) and self - ln(1 + self), both without cancellation for small lanes; self > -1.
    #[inline(always)]
    fn ln_1p_and_rest(self) -> (Self, Self) {
        let one = Self::splat(1.0);
        let (mantissa, exponent) = self.add(one).log_parts();
        // Where 1 + self needs no shift of the exponent, self itself is the exact z.
        let rounded = mantissa.sub(one);
        let shifted = exponent.mul(exponent);
        let z = Self::splat(-0.5).add(shifted).where_negative(self.sub(rounded)).add(rounded);
        let tail = exponent.mul_add(Self::splat(LN2_HIGH), log_tail(z, exponent));
        (z.add(tail), self.sub(z).sub(tail))
    }
}

const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// `ln(1 + z) - z + e LN2_LOW` on [-0.25, 0.5]: the polynomial of Cephes' logf.
#[inline(always)]
fn log_tail<V: Simd>(z: V, exponent: V) -> V {
    let mut p = V::splat(7.037_683_6e-2);
    for c in [
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ] {
        p = p.mul_add(z, V::splat(c));
    }
    let z2 = z.mul(z);
    let cubic = p.mul(z).mul(z2);
    let low = exponent.mul_add(V::splat(LN2_LOW), cubic);
    V::splat(-0.5).mul_add(z2, low)
}

/// Plain arrays: what the compiler makes of them on machines without the others.
#[derive(Clone, Copy)]
pub struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn map2(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Simd for Portable {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    fn load(block: &Block) -> Self {
        Self(block.0)
    }
    #[inline(always)]
    fn store(self, block: &mut Block) {
        block.0 = self.0;
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.map2(other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.map2(other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.map2(other, |a, b| a * b)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.map2(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.map2(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // Not f32::mul_add: without the instruction that is a function call.
        self.mul(factor).add(term)
    }
    #[inline(always)]
    fn neg_mul_add(self, factor: Self, term: Self) -> Self {
        term.sub(self.mul(factor))
    }
    #[inline(always)]
    fn recip(self) -> Self {
        Self(self.0.map(|a| 1.0 / a))
    }
    #[inline(always)]
    fn where_negative(self, value: Self) -> Self {
        self.map2(value, |a, v| if a < 0.0 { v } else { 0.0 })
    }
    #[inline(always)]
    fn log_parts(self) -> (Self, Self) {
        let shift = self.0.map(|a| (a.to_bits().wrapping_sub(THREE_QUARTERS) as i32) >> 23);
        let mantissa =
            std::array::from_fn(|i| f32::from_bits(self.0[i].to_bits().wrapping_sub((shift[i] << 23) as u32)));
        (Self(mantissa), Self(shift.map(|e| e as f32)))
    }
}

/// Bits of 0.75: subtracting them leaves the exponent of a mantissa in [0.75, 1.5).
const THREE_QUARTERS: u32 = 0x3f40_0000;

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Block, Simd, THREE_QUARTERS};
    use std::arch::x86_64::*;

    /// One 512-bit register.
    #[derive(Clone, Copy)]
    pub struct Avx512(__m512);

    // SAFETY (all blocks below): values of this type are made and used only inside functions compiled for AVX-512F,
    // which `dispatch.rs` calls only after detecting it. Loads and stores are of whole, aligned blocks.
    impl Simd for Avx512 {
        #[inline(always)]
        fn splat(value: f32) -> Self {
            unsafe { Self(_mm512_set1_ps(value)) }
        }
        #[inline(always)]
        fn load(block: &Block) -> Self {
            unsafe { Self(_mm512_load_ps(block.0.as_ptr())) }
        }
        #[inline(always)]
        fn store(self, block: &mut Block) {
            unsafe { _mm512_store_ps(block.0.as_mut_ptr(), self.0) }
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe { Self(_mm512_add_ps(self.0, other.0)) }
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            unsafe { Self(_mm512_mul_ps(self.0, other.0)) }
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            unsafe { Self(_mm512_min_ps(self.0, other.0)) }
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            unsafe { Self(_mm512_max_ps(self.0, other.0)) }
        }
        #[inline(always)]
        fn mul_add(self, factor: Self, term: Self) -> Self {
            unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, term.0)) }
        }
        #[inline(always)]
        fn neg_mul_add(self, factor: Self, term: Self) -> Self {
            unsafe { Self(_mm512_fnmadd_ps(self.0, factor.0, term.0)) }
        }
        #[inline(always)]
        fn recip(self) -> Self {
            // 14 bits, then one step of Newton.
            let estimate = unsafe { Self(_mm512_rcp14_ps(self.0)) };
            let error = self.neg_mul_add(estimate, Self::splat(1.0));
            estimate.mul_add(error, estimate)
        }
        #[inline(always)]
        fn where_negative(self, value: Self) -> Self {
            unsafe {
                let negative = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, _mm512_setzero_ps());
                Self(_mm512_maskz_mov_ps(negative, value.0))
            }
        }
        #[inline(always)]
        fn log_parts(self) -> (Self, Self) {
            unsafe {
                let bits = _mm512_castps_si512(self.0);
                let shift = _mm512_srai_epi32::<23>(_mm512_sub_epi32(bits, _mm512_set1_epi32(THREE_QUARTERS as i32)));
                let mantissa = _mm512_sub_epi32(bits, _mm512_slli_epi32::<23>(shift));
                (Self(_mm512_castsi512_ps(mantissa)), Self(_mm512_cvtepi32_ps(shift)))
            }
        }
        #[inline(always)]
        fn lowest(self) -> f32 {
            unsafe { _mm512_reduce_min_ps(self.0) }
        }
    }

    /// Two 256-bit registers.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256, __m256);

    impl Avx2 {
        #[inline(always)]
        fn half_log_parts(half: __m256) -> (__m256, __m256) {
            // SAFETY: as for the trait below.
            unsafe {
                let bits = _mm256_castps_si256(half);
                let shift = _mm256_srai_epi32::<23>(_mm256_sub_epi32(bits, _mm256_set1_epi32(THREE_QUARTERS as i32)));
                let mantissa = _mm256_sub_epi32(bits, _mm256_slli_epi32::<23>(shift));
                (_mm256_castsi256_ps(mantissa), _mm256_cvtepi32_ps(shift))
            }
        }
    }

    // SAFETY (all blocks below): values of this type are made and used only inside functions compiled for AVX2 and
    // FMA, which `dispatch.rs` calls only after detecting them. Loads and stores are of whole, aligned blocks.
    impl Simd for Avx2 {
        #[inline(always)]
        fn splat(value: f32) -> Self {
            unsafe { Self(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
        }
        #[inline(always)]
        fn load(block: &Block) -> Self {
            unsafe { Self(_mm256_load_ps(block.0.as_ptr()), _mm256_load_ps(block.0.as_ptr().add(8))) }
        }
        #[inline(always)]
        fn store(self, block: &mut Block) {
            unsafe {
                _mm256_store_ps(block.0.as_mut_ptr(), self.0);
                _mm256_store_ps(block.0.as_mut_ptr().add(8), self.1);
            }
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            unsafe { Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            unsafe { Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
        }
        #[inline(always)]
        fn mul_add(self, factor: Self, term: Self) -> Self {
            unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, term.0), _mm256_fmadd_ps(self.1, factor.1, term.1)) }
        }
        #[inline(always)]
        fn neg_mul_add(self, factor: Self, term: Self) -> Self {
            unsafe { Self(_mm256_fnmadd_ps(self.0, factor.0, term.0), _mm256_fnmadd_ps(self.1, factor.1, term.1)) }
        }
        #[inline(always)]
        fn recip(self) -> Self {
            let estimate = unsafe { Self(_mm256_rcp_ps(self.0), _mm256_rcp_ps(self.1)) };
            let error = self.neg_mul_add(estimate, Self::splat(1.0));
            estimate.mul_add(error, estimate)
        }
        #[inline(always)]
        fn where_negative(self, value: Self) -> Self {
            unsafe {
                let zero = _mm256_setzero_ps();
                Self(
                    _mm256_and_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(self.0, zero), value.0),
                    _mm256_and_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(self.1, zero), value.1),
                )
            }
        }
        #[inline(always)]
        fn log_parts(self) -> (Self, Self) {
            let (m0, e0) = Self::half_log_parts(self.0);
            let (m1, e1) = Self::half_log_parts(self.1);
            (Self(m0, m1), Self(e0, e1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes<V: Simd>(value: V) -> [f32; LANES] {
        let mut block = Block::ZERO;
        value.store(&mut block);
        block.0
    }

    fn check_logs<V: Simd>() {
        for k in -60..60 {
            let t = 1.3f32.powi(k) - 0.9 * f32::from(i8::from(k % 3 == 0)).min(1.3f32.powi(k) * 0.99);
            let want = f64::from(t);
            assert!((f64::from(lanes(V::splat(t).ln())[3]) - want.ln()).abs() < 2e-7 * want.ln().abs().max(1.0), "{t}");
            for t in [t, -t / (1.0 + 1.01 * t), 1e-5 * t] {
                let want = f64::from(t);
                let (log, rest) = V::splat(t).ln_1p_and_rest();
                let (log, rest) = (f64::from(lanes(log)[0]), f64::from(lanes(rest)[15]));
                let exact_rest = if t.abs() < 1e-3 { want * want * (0.5 - want / 3.0) } else { want - want.ln_1p() };
                // Near t = -1, rounding 1 + t is what there is.
                let slack = 6e-7 + 1e-7 / (1.0 + want);
                assert!((log - want.ln_1p()).abs() <= slack * want.ln_1p().abs(), "{t}: {log}");
                assert!((rest - exact_rest).abs() <= 10.0 * slack * exact_rest, "{t}: {rest} for {exact_rest}");
            }
        }
    }

    #[test]
    fn logarithms_keep_their_digits() {
        check_logs::<Portable>();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                check_logs::<Avx512>();
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                check_logs::<Avx2>();
            }
        }
    }
}
