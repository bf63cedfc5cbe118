//! Lambert's W on its two real branches, and the three equations of Poisson statistics that it solves.
//!
//! W near its branch point at -1/e, and W + 1 there, lose half of the digits when they are computed from the argument of
//! the textbook formula; counting statistics with many counts live just there. The equations are therefore solved in
//! W + 1 itself, and W is made from that.

use std::f64::consts::E;

/// e to twice the digits of a double: `E + E_LOW`.
const E_LOW: f64 = 1.445_646_891_729_250_2e-16;

/// 1/25, 1/23, …, 1/3: coefficients of artanh.
const ODD_INVERSES: [f64; 12] = {
    let mut inverses = [0.0; 12];
    let mut i = 0;
    while i < 12 {
        inverses[i] = 1.0 / (25 - 2 * i) as f64;
        i += 1;
    }
    inverses
};

/// `v - ln(1 + v)`, to full relative precision also near 0; infinite at -1, NaN below.
///
/// With z = v / (2 + v), ln(1 + v) is 2 artanh z, and what is left after the first term has no cancellation.
#[inline]
pub fn log1p_rest(v: f64) -> f64 {
    if v.abs() > 0.4 {
        return v - v.ln_1p();
    }
    let z = v / (2.0 + v);
    let q = z * z;
    let sum = ODD_INVERSES.iter().fold(1.0 / 27.0, |sum, inverse| sum * q + inverse);
    z * (v - 2.0 * q * sum)
}

/// `(u - 1) e^u + 1`, to full relative precision also near 0.
#[inline]
fn shifted(u: f64) -> f64 {
    if u.abs() > 0.5 {
        return (u - 1.0) * u.exp() + 1.0;
    }
    // The sum over k from 2 on of u^k (k - 1) / k!.
    let (mut term, mut sum) = (u * u, 0.0);
    let mut k = 2.0;
    term *= 0.5;
    while k < 22.0 {
        sum += term * (k - 1.0);
        k += 1.0;
        term *= u / k;
    }
    sum
}

/// Solves `(u - 1) e^u + 1 = q` from a start near the root; the function is convex with its minimum 0 at u = 0.
fn solve_shifted(q: f64, mut u: f64) -> f64 {
    for _ in 0..30 {
        let slope = u * u.exp();
        if slope == 0.0 {
            break;
        }
        let f = shifted(u) - q;
        // Halley: the second derivative is (u + 1) e^u.
        let newton = f / slope;
        let step = newton / (1.0 - 0.5 * newton * (u + 1.0) / u).max(0.5);
        u -= step;
        if step.abs() <= 2e-16 * u.abs() {
            break;
        }
    }
    u
}

/// W + 1 near the branch point, as a series in `p = ±sqrt(2 (1 + e x))`.
fn branch_series(p: f64) -> f64 {
    p * (1.0 + p * (-1.0 / 3.0 + p * (11.0 / 72.0 + p * (-43.0 / 540.0 + p * (769.0 / 17_280.0)))))
}

/// `1 + e x` without the rounding of e.
fn above_branch_point(x: f64) -> f64 {
    x.mul_add(E, 1.0) + x * E_LOW
}

/// The principal branch W₀: the solution of `w e^w = x` with w ≥ -1. NaN below -1/e.
///
/// ```
/// use pevatron::math::lambert::lambertw0;
/// assert!((lambertw0(1.0) - 0.567_143_290_409_783_8).abs() < 1e-15);
/// assert!(lambertw0(-1.0).is_nan());
/// ```
pub fn lambertw0(x: f64) -> f64 {
    if x < -0.25 {
        let q = above_branch_point(x);
        return if q > 0.0 {
            solve_shifted(q, branch_series((2.0 * q).sqrt())) - 1.0
        } else if q > -1e-15 {
            -1.0
        } else {
            f64::NAN
        };
    }
    if x == 0.0 || x.is_nan() || x == f64::INFINITY {
        return x;
    }
    let mut w = if x < 1.0 {
        x * (1.0 + 1.2 * x) / (1.0 + x * (2.2 + 0.6 * x))
    } else {
        let l = x.ln_1p();
        l * (1.0 - l.ln_1p() / (2.0 + l))
    };
    for _ in 0..30 {
        let step = if x > 3.0 {
            // In logarithms, where nothing overflows: w + ln w = ln x.
            (w + (w / x).ln()) * w / (1.0 + w)
        } else {
            let f = w - x * (-w).exp();
            f / (w + 1.0 - 0.5 * (w + 2.0) * f / (w + 1.0))
        };
        w -= step;
        if step.abs() <= 2e-16 * w.abs() {
            break;
        }
    }
    w
}

/// The lower branch W₋₁: the solution of `w e^w = x` with w ≤ -1, for x from -1/e to 0. NaN elsewhere, -∞ at 0.
///
/// ```
/// use pevatron::math::lambert::lambertw_m1;
/// assert!((lambertw_m1(-0.1) + 3.577_152_063_957_297).abs() < 4e-15);
/// ```
pub fn lambertw_m1(x: f64) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_nan() || x > 0.0 {
        return f64::NAN;
    }
    if x < -0.25 {
        let q = above_branch_point(x);
        return if q > 0.0 {
            solve_shifted(q, branch_series(-(2.0 * q).sqrt())) - 1.0
        } else if q > -1e-15 {
            -1.0
        } else {
            f64::NAN
        };
    }
    let l = (-x).ln();
    let mut w = l - (-l).ln();
    for _ in 0..30 {
        let step = (w + (-w).ln() - l) * w / (1.0 + w);
        w -= step;
        if step.abs() <= 2e-16 * w.abs() {
            break;
        }
    }
    w
}

/// The u in 0…1 with `-u - ln(1 - u) = d`, which is `W₀(-e^(-1 - d)) + 1`: how far, in units of the counts, the mean of
/// a Poisson distribution lies below the counts where the log-likelihood has fallen by d per count.
pub fn poisson_below(d: f64) -> f64 {
    if d.is_nan() || d <= 0.0 {
        return if d == 0.0 { 0.0 } else { f64::NAN };
    }
    if d > 30.0 {
        // The next term of the series is below the last digit.
        return 1.0 - (-1.0 - d).exp();
    }
    let mut u = if d < 0.7 {
        let p = (2.0 * d).sqrt();
        p * (1.0 - p * (1.0 / 3.0 - p * (1.0 / 36.0 + p / 270.0)))
    } else {
        let z = (-1.0 - d).exp();
        1.0 - z * (1.0 + z * (1.0 + 1.5 * z))
    };
    for _ in 0..30 {
        let step = (log1p_rest(-u) - d) * (1.0 - u) / u;
        u -= step;
        if step.abs() <= 2e-16 * u {
            break;
        }
    }
    u
}

/// The v ≥ 0 with `v - ln(1 + v) = d`, which is `-(W₋₁(-e^(-1 - d)) + 1)`: the same above the counts.
pub fn poisson_above(d: f64) -> f64 {
    if d.is_nan() || d <= 0.0 {
        return if d == 0.0 { 0.0 } else { f64::NAN };
    }
    let mut v = if d < 2.0 {
        let p = (2.0 * d).sqrt();
        p * (1.0 + p * (1.0 / 3.0 + p * (1.0 / 36.0 - p / 270.0)))
    } else {
        d + (1.0 + d + (1.0 + d).ln()).ln()
    };
    for _ in 0..30 {
        let step = (log1p_rest(v) - d) * (1.0 + v) / v;
        v -= step;
        if step.abs() <= 2e-16 * v {
            break;
        }
    }
    v
}

/// The s ≥ 0 with `(1 + s) ln(1 + s) - s = d`, which is `exp(W₀((d - 1) / e) + 1) - 1`: the excess, in units of the
/// background, whose log-likelihood ratio against no excess is d per background count.
pub fn poisson_excess(d: f64) -> f64 {
    if d.is_nan() || d <= 0.0 {
        return if d == 0.0 { 0.0 } else { f64::NAN };
    }
    if d > 0.5 {
        return (lambertw0((d - 1.0) / E) + 1.0).exp_m1();
    }
    solve_shifted(d, branch_series((2.0 * d).sqrt())).exp_m1()
}

#[cfg(test)]
mod tests;
