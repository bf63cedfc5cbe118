//! Passes over the list of a patch: the sums over non-zero bins that a fit is made of.
//!
//! A bin adds to each of the sixteen pixels with its own `c = m / b`. Sums are single precision over [`CHUNK`] bins
//! and double precision between chunks.

use super::simd::{Block, Simd};
use super::wide::Wide;

/// Bins summed in single precision before the sum goes to double: rounding stays near 1e-6 of a chunk.
const CHUNK: usize = 128;
/// Factors `1 + x c` multiplied before one logarithm is taken, where they are up to 2^15.
pub const FACTORS: usize = 8;
/// Binary orders of magnitude that a product may reach.
const MOST_BITS: f64 = 120.0;

/// How many factors `1 + t` may be multiplied before one logarithm is taken, where the largest t is this: 8 as a rule,
/// less where backgrounds are so small that products would leave the range of single precision.
#[inline(always)]
pub fn factors_of(largest: f64) -> usize {
    if largest < 32767.0 { FACTORS } else { ((MOST_BITS / (1.0 + largest).log2()) as usize).clamp(1, FACTORS) }
}

/// Bins with counts of a patch, as `c` or, once moved to the norm, as `u = c / (1 + x c)`.
#[derive(Debug, Default)]
pub struct BinList {
    /// Bins with one count.
    pub ones: Vec<Block>,
    /// Bins with other counts.
    pub others: Vec<Block>,
    /// Counts of `others`.
    pub other_counts: Vec<f32>,
}

impl BinList {
    pub fn clear(&mut self) {
        self.ones.clear();
        self.others.clear();
        self.other_counts.clear();
    }

    /// Adds a bin.
    #[inline(always)]
    pub fn push<V: Simd>(&mut self, c: V, counts: f32) {
        let mut block = Block::ZERO;
        c.store(&mut block);
        if counts == 1.0 {
            self.ones.push(block);
        } else {
            self.others.push(block);
            self.other_counts.push(counts);
        }
    }
}

/// `L = sum n ln(1 + x c)` and its derivatives `P = L'`, `Q = -L''`, `R = L'''/2`.
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    pub l: Wide,
    pub p: Wide,
    pub q: Wide,
    pub r: Wide,
}

impl Sums {
    pub const ZERO: Self = Self { l: Wide::ZERO, p: Wide::ZERO, q: Wide::ZERO, r: Wide::ZERO };
}

/// All four sums at `x`; `factors` from [`factors_of`].
#[inline(always)]
pub fn sums<V: Simd>(list: &BinList, factors: usize, x: V) -> Sums {
    let one = V::splat(1.0);
    let mut total = Sums::ZERO;
    for chunk in list.ones.chunks(CHUNK) {
        let (mut l, mut p, mut q, mut r) = (V::zero(), V::zero(), V::zero(), V::zero());
        for factors in chunk.chunks(factors) {
            let mut product = one;
            for c in factors {
                let c = V::load(c);
                let t = x.mul_add(c, one);
                let u = c.mul(t.recip());
                let u2 = u.mul(u);
                p = p.add(u);
                q = q.add(u2);
                r = u2.mul_add(u, r);
                product = product.mul(t);
            }
            l = l.add(product.ln());
        }
        total.l.add_lanes(l);
        total.p.add_lanes(p);
        total.q.add_lanes(q);
        total.r.add_lanes(r);
    }
    for (chunk, counts) in list.others.chunks(CHUNK).zip(list.other_counts.chunks(CHUNK)) {
        let (mut l, mut p, mut q, mut r) = (V::zero(), V::zero(), V::zero(), V::zero());
        for (c, n) in chunk.iter().zip(counts) {
            let (c, n) = (V::load(c), V::splat(*n));
            let t = x.mul(c);
            let u = c.mul(x.mul_add(c, one).recip());
            let nu = n.mul(u);
            let nu2 = nu.mul(u);
            p = p.add(nu);
            q = q.add(nu2);
            r = nu2.mul_add(u, r);
            l = n.mul_add(t.ln_1p_and_rest().0, l);
        }
        total.l.add_lanes(l);
        total.p.add_lanes(p);
        total.q.add_lanes(q);
        total.r.add_lanes(r);
    }
    total
}

/// The sums at the norm (without L), after every `c` became `u = c / (1 + x c)`.
#[derive(Debug, Clone, Copy)]
pub struct Moved {
    pub p: Wide,
    pub q: Wide,
    pub r: Wide,
    /// Part of `p` from bins with one count.
    pub p_ones: Wide,
    /// Largest u.
    pub u_max: Wide,
}

/// Moves the list to `x`: displacements from there are then free of cancellation however bright the bins.
#[inline(always)]
pub fn move_to<V: Simd>(list: &mut BinList, x: V) -> Moved {
    let one = V::splat(1.0);
    let mut moved = Moved { p: Wide::ZERO, q: Wide::ZERO, r: Wide::ZERO, p_ones: Wide::ZERO, u_max: Wide::ZERO };
    let mut u_max = V::zero();
    for chunk in list.ones.chunks_mut(CHUNK) {
        let (mut p, mut q, mut r) = (V::zero(), V::zero(), V::zero());
        for block in chunk {
            let c = V::load(block);
            let u = c.mul(x.mul_add(c, one).recip());
            u.store(block);
            let u2 = u.mul(u);
            p = p.add(u);
            q = q.add(u2);
            r = u2.mul_add(u, r);
            u_max = u_max.max(u);
        }
        moved.p_ones.add_lanes(p);
        moved.q.add_lanes(q);
        moved.r.add_lanes(r);
    }
    moved.p = moved.p_ones;
    for (chunk, counts) in list.others.chunks_mut(CHUNK).zip(list.other_counts.chunks(CHUNK)) {
        let (mut q, mut r) = (V::zero(), V::zero());
        for (block, n) in chunk.iter_mut().zip(counts) {
            let (c, n) = (V::load(block), V::splat(*n));
            let u = c.mul(x.mul_add(c, one).recip());
            u.store(block);
            let nu = n.mul(u);
            let nu2 = nu.mul(u);
            // A bright source is known to 1 / sqrt(n): its sum must not lose what single precision holds.
            moved.p.add_lanes(nu);
            q = q.add(nu2);
            r = nu2.mul_add(u, r);
            u_max = u_max.max(u);
        }
        moved.q.add_lanes(q);
        moved.r.add_lanes(r);
    }
    moved.u_max = Wide::from_lanes(u_max);
    moved
}

/// Of a displacement d from the norm: `sum n [d u - ln(1 + d u)]` and its two derivatives by d.
#[derive(Debug, Clone, Copy)]
pub struct Rise {
    pub value: Wide,
    pub slope: Wide,
    pub bend: Wide,
}

impl Rise {
    pub const ZERO: Self = Self { value: Wide::ZERO, slope: Wide::ZERO, bend: Wide::ZERO };
}

/// Rises at several displacements in one pass over a list of `u`; `factors` from [`factors_of`].
#[inline(always)]
pub fn rises<V: Simd, const N: usize>(list: &BinList, factors: usize, p_ones: Wide, at: [Wide; N]) -> [Rise; N] {
    let one = V::splat(1.0);
    let d: [V; N] = at.map(Wide::to_lanes);
    let mut out = [Rise::ZERO; N];
    for chunk in list.ones.chunks(CHUNK) {
        let (mut l, mut s, mut b) = ([V::zero(); N], [V::zero(); N], [V::zero(); N]);
        for factors in chunk.chunks(factors) {
            let mut product = [one; N];
            for u in factors {
                let u = V::load(u);
                for j in 0..N {
                    let t = d[j].mul_add(u, one);
                    let v = u.mul(t.recip());
                    s[j] = u.mul_add(v, s[j]);
                    b[j] = v.mul_add(v, b[j]);
                    product[j] = product[j].mul(t);
                }
            }
            for j in 0..N {
                l[j] = l[j].sub(product[j].ln());
            }
        }
        for j in 0..N {
            out[j].value.add_lanes(l[j]);
            out[j].slope.add_lanes(s[j]);
            out[j].bend.add_lanes(b[j]);
        }
    }
    for (out, at) in out.iter_mut().zip(at) {
        // The terms d u of bins with one count, all at once.
        out.value = out.value + at.rounded() * p_ones;
    }
    for (chunk, counts) in list.others.chunks(CHUNK).zip(list.other_counts.chunks(CHUNK)) {
        let (mut l, mut s, mut b) = ([V::zero(); N], [V::zero(); N], [V::zero(); N]);
        for (u, n) in chunk.iter().zip(counts) {
            let (u, n) = (V::load(u), V::splat(*n));
            for j in 0..N {
                let v = u.mul(d[j].mul_add(u, one).recip());
                let nv = n.mul(v);
                s[j] = u.mul_add(nv, s[j]);
                b[j] = v.mul_add(nv, b[j]);
                l[j] = n.mul_add(d[j].mul(u).ln_1p_and_rest().1, l[j]);
            }
        }
        for j in 0..N {
            out[j].value.add_lanes(l[j]);
            out[j].slope.add_lanes(s[j]);
            out[j].bend.add_lanes(b[j]);
        }
    }
    for (out, at) in out.iter_mut().zip(at) {
        out.slope = out.slope * at.rounded();
    }
    out
}
