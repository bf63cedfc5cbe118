//! Bins with small |x c| as power moments: `ln(1 + x c)` is a short polynomial there, so `L(x) = sum_k a_k x^k S_k`
//! with `S_k = sum n c^k`: after one look at the bins, fits and errors are algebra.
//!
//! `a_1 = 1` and `a_2 = -1/2` are exact, the others minimax with weight 1/t² on the range of t = x c: the relative
//! error of that fit (given with each table) bounds the relative errors of TS and, nearly, of 1/norm_err².

use super::passes::{Rise, Sums};
use super::wide::Wide;

/// Moments that are kept at most.
pub const TERMS: usize = 8;
/// Moments of a wing that is summed from a list: more would cost more than they save.
pub const LIST_TERMS: usize = 6;
/// Nearest that a step may come to the poles of the wing, which lie beyond its range.
const CLOSEST_POLE: f64 = 0.95;

/// A polynomial for `ln(1 + t)` on a range of t.
#[derive(Debug)]
pub struct Table {
    pub low: f64,
    pub high: f64,
    pub coefficients: [f64; TERMS],
    /// Largest deviation from `ln(1 + t)` over t².
    pub error: f64,
}

/// Six terms; relative error 9e-6.
pub const SIX: Table = Table {
    low: -0.2,
    high: 0.3,
    coefficients: [1.0, -0.5, 3.332414796977e-1, -2.508226638335e-1, 2.078446778823e-1, -1.474095529757e-1, 0.0, 0.0],
    error: 9.0e-6,
};

/// Five terms and four; relative errors 2.5e-5 and 4e-5. For moments by transforms, whose high powers are the noisy
/// ones.
pub const FIVE: Table = Table {
    low: -0.15,
    high: 0.2,
    coefficients: [1.0, -0.5, 3.334796196556e-1, -2.537724414922e-1, 1.897966824861e-1, 0.0, 0.0, 0.0],
    error: 2.5e-5,
};
/// See [`FIVE`].
pub const FOUR: Table = Table {
    low: -0.08,
    high: 0.1,
    coefficients: [1.0, -0.5, 3.344578954025e-1, -2.468033050178e-1, 0.0, 0.0, 0.0, 0.0],
    error: 4.1e-5,
};

/// Eight terms; relative errors 2e-10, 1e-7, 2.3e-6 and 2.8e-5.
pub const EIGHT: [Table; 4] = [
    Table {
        low: -0.1,
        high: 0.1,
        coefficients: [
            1.0,
            -0.5,
            3.333333452402e-1,
            -2.500000318079e-1,
            1.999902774059e-1,
            -1.666513309891e-1,
            1.448125518276e-1,
            -1.272238939552e-1,
        ],
        error: 1.9e-10,
    },
    Table {
        low: -0.2,
        high: 0.3,
        coefficients: [
            1.0,
            -0.5,
            3.333340443841e-1,
            -2.499763297255e-1,
            1.998641258412e-1,
            -1.683042546046e-1,
            1.500941272945e-1,
            -1.029879060288e-1,
        ],
        error: 1.1e-7,
    },
    Table {
        low: -0.3,
        high: 0.5,
        coefficients: [
            1.0,
            -0.5,
            3.333375389744e-1,
            -2.497688129953e-1,
            1.995456868012e-1,
            -1.732888287962e-1,
            1.573214304005e-1,
            -8.943181405606e-2,
        ],
        error: 2.3e-6,
    },
    Table {
        low: -0.4,
        high: 0.8,
        coefficients: [
            1.0,
            -0.5,
            3.332683451458e-1,
            -2.486850900736e-1,
            2.009705240925e-1,
            -1.865578802620e-1,
            1.585876533513e-1,
            -6.681798653417e-2,
        ],
        error: 2.8e-5,
    },
];

/// Tables for moments without their core: the first leaves the smallest core, others are more exact or less noisy.
pub const CORES: [&Table; 5] = [&EIGHT[3], &EIGHT[2], &EIGHT[1], &FIVE, &FOUR];

/// Norms that a patch looked at: from `-low` to `high`.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    pub low: f64,
    pub high: f64,
}

impl Reach {
    /// In other units.
    pub fn times(self, factor: f64) -> Self {
        Self { low: self.low * factor, high: self.high * factor }
    }

    /// Largest c for which all of the reach lies in a table's range.
    pub fn largest_c(self, table: &Table) -> f64 {
        1.0 / (self.high / table.high).max(self.low / -table.low).max(1e-300)
    }
}

/// The wing of a patch.
#[derive(Debug, Clone, Copy)]
pub struct Wing {
    /// `a_k S_k`.
    terms: [Wide; TERMS],
    /// Upper bound of its c.
    c_max: f64,
    table: &'static Table,
}

impl Wing {
    pub fn new(moments: [Wide; TERMS], c_max: f64, table: &'static Table) -> Self {
        let mut terms = moments;
        for (term, coefficient) in terms.iter_mut().zip(table.coefficients) {
            *term = *term * coefficient;
        }
        Self { terms, c_max, table }
    }

    /// Whether the polynomial holds over all norms that were looked at.
    #[inline(always)]
    pub fn covers(&self, reach: Reach) -> bool {
        reach.largest_c(self.table) >= self.c_max
    }

    /// Norm below which the polynomial must not be asked.
    #[inline(always)]
    pub fn lower(&self) -> f64 {
        -CLOSEST_POLE / self.c_max.max(1e-30)
    }

    /// L, P, Q and R.
    #[inline(always)]
    pub fn sums(&self, x: Wide) -> Sums {
        let mut sums = Sums::ZERO;
        for k in (1..=TERMS).rev() {
            let (term, k) = (self.terms[k - 1], k as f64);
            sums.l = sums.l * x + term;
            sums.p = sums.p * x + term * k;
            if k >= 2.0 {
                sums.q = sums.q * x - term * (k * (k - 1.0));
            }
            if k >= 3.0 {
                sums.r = sums.r * x + term * (k * (k - 1.0) * (k - 2.0) * 0.5);
            }
        }
        sums.l = sums.l * x;
        sums
    }

    /// What the wing adds to a rise at `base + d`.
    #[inline(always)]
    pub fn rise(&self, at_base: &Sums, base: Wide, d: Wide) -> Rise {
        let there = self.sums(base + d);
        Rise { value: d * at_base.p - (there.l - at_base.l), slope: at_base.p - there.p, bend: there.q }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_follow_the_logarithm_as_closely_as_they_say() {
        for table in EIGHT.iter().chain([&SIX, &FIVE, &FOUR]) {
            let wing = Wing { terms: table.coefficients.map(Wide::splat), c_max: 1.0, table };
            for i in 0..=100 {
                let t = table.low + (table.high - table.low) * f64::from(i) / 100.0;
                let error = wing.sums(Wide::splat(t)).l.0[5] - t.ln_1p();
                assert!(error.abs() <= 1.03 * table.error * t * t + 1e-16, "{} at {t}: {error}", table.high);
            }
        }
    }
}
