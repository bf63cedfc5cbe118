//! Sixteen `f64` lanes for the algebra between passes: plain loops that compilers turn into vectors.

use super::simd::{Block, LANES, Simd};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// One `f64` per pixel of a patch.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Wide(pub [f64; LANES]);

/// Which pixels of a patch; 1 where true. Kept as numbers so that selects stay vectors.
#[derive(Debug, Clone, Copy)]
pub struct Mask(Wide);

macro_rules! lanewise {
    ($trait:ident, $function:ident) => {
        impl $trait for Wide {
            type Output = Self;
            #[inline(always)]
            fn $function(mut self, other: Self) -> Self {
                for i in 0..LANES {
                    self.0[i] = self.0[i].$function(other.0[i]);
                }
                self
            }
        }
        impl $trait<f64> for Wide {
            type Output = Self;
            #[inline(always)]
            fn $function(mut self, other: f64) -> Self {
                for i in 0..LANES {
                    self.0[i] = self.0[i].$function(other);
                }
                self
            }
        }
    };
}
lanewise!(Add, add);
lanewise!(Sub, sub);
lanewise!(Mul, mul);
lanewise!(Div, div);

impl Neg for Wide {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|v| -v)
    }
}

impl Wide {
    pub const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    pub fn splat(value: f64) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    pub fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        for i in 0..LANES {
            self.0[i] = f(self.0[i]);
        }
        self
    }

    #[inline(always)]
    pub fn sqrt(self) -> Self {
        self.map(f64::sqrt)
    }

    #[inline(always)]
    pub fn abs(self) -> Self {
        self.map(f64::abs)
    }

    #[inline(always)]
    pub fn recip(self) -> Self {
        self.map(|v| 1.0 / v)
    }

    #[inline(always)]
    pub fn max(mut self, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] = if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] };
        }
        self
    }

    #[inline(always)]
    pub fn min(mut self, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] = if self.0[i] < other.0[i] { self.0[i] } else { other.0[i] };
        }
        self
    }

    #[inline(always)]
    pub fn at_least(self, bound: f64) -> Self {
        self.max(Self::splat(bound))
    }

    #[inline(always)]
    pub fn at_most(self, bound: f64) -> Self {
        self.min(Self::splat(bound))
    }

    /// Lanes above `other`.
    #[inline(always)]
    pub fn above(self, other: Self) -> Mask {
        let mut out = Self::ZERO;
        for i in 0..LANES {
            out.0[i] = if self.0[i] > other.0[i] { 1.0 } else { 0.0 };
        }
        Mask(out)
    }

    /// Lanes above a number.
    #[inline(always)]
    pub fn over(self, bound: f64) -> Mask {
        self.above(Self::splat(bound))
    }

    /// Lanes below a number.
    #[inline(always)]
    pub fn under(self, bound: f64) -> Mask {
        Self::splat(bound).above(self)
    }

    /// `self` where the mask is true, else `other`.
    #[inline(always)]
    pub fn where_or(mut self, mask: Mask, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] = if mask.0.0[i] > 0.0 { self.0[i] } else { other.0[i] };
        }
        self
    }

    /// `self` where the mask is true, else 0.
    #[inline(always)]
    pub fn only(self, mask: Mask) -> Self {
        self.where_or(mask, Self::ZERO)
    }

    #[inline(always)]
    pub fn highest(self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, |a, b| if b > a { b } else { a })
    }

    #[inline(always)]
    pub fn lowest(self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, |a, b| if b < a { b } else { a })
    }

    /// Adds single-precision lanes.
    #[inline(always)]
    pub fn add_lanes<V: Simd>(&mut self, lanes: V) {
        let mut block = Block::ZERO;
        lanes.store(&mut block);
        for i in 0..LANES {
            self.0[i] += f64::from(block.0[i]);
        }
    }

    #[inline(always)]
    pub fn from_lanes<V: Simd>(lanes: V) -> Self {
        let mut out = Self::ZERO;
        out.add_lanes(lanes);
        out
    }

    #[inline(always)]
    pub fn to_lanes<V: Simd>(self) -> V {
        let mut block = Block::ZERO;
        for i in 0..LANES {
            block.0[i] = self.0[i] as f32;
        }
        V::load(&block)
    }

    /// Rounded to single precision, so that `f64` algebra and `f32` passes speak of the same point.
    #[inline(always)]
    pub fn rounded(self) -> Self {
        self.map(|v| f64::from(v as f32))
    }
}

impl Mask {
    #[inline(always)]
    pub fn from_fn(f: impl Fn(usize) -> bool) -> Self {
        Self(Wide(std::array::from_fn(|i| f64::from(u8::from(f(i))))))
    }

    #[inline(always)]
    pub fn none() -> Self {
        Self(Wide::ZERO)
    }

    #[inline(always)]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }

    #[inline(always)]
    pub fn or(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    #[inline(always)]
    pub fn not(self) -> Self {
        Self(Wide::splat(1.0) - self.0)
    }

    #[inline(always)]
    pub fn any(self) -> bool {
        self.0.highest() > 0.0
    }

    #[inline(always)]
    pub fn get(self, lane: usize) -> bool {
        self.0.0[lane] > 0.0
    }
}
