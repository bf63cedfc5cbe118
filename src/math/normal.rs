//! The standard normal distribution.

/// Probability of a value within `n_sigma` standard deviations of the mean, on both sides: 0.6827 for 1.
///
/// ```
/// use pevatron::math::{confidence_of_sigma, sigma_of_confidence};
/// assert!((confidence_of_sigma(2.0) - 0.954_499_736_103_641_6).abs() < 1e-15);
/// assert!((sigma_of_confidence(0.95) - 1.959_963_984_540_054).abs() < 1e-12);
/// ```
pub fn confidence_of_sigma(n_sigma: f64) -> f64 {
    libm::erf(n_sigma / std::f64::consts::SQRT_2)
}

/// The inverse of [`confidence_of_sigma`]; NaN outside of 0 to 1, infinite at 1.
pub fn sigma_of_confidence(confidence: f64) -> f64 {
    if !(0.0..=1.0).contains(&confidence) {
        return f64::NAN;
    }
    let tail = 1.0 - confidence;
    if tail == 0.0 {
        return f64::INFINITY;
    }
    // The tail falls monotonically: bisection in sigma, down to neighbouring numbers.
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..200 {
        let middle: f64 = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if libm::erfc(middle / std::f64::consts::SQRT_2) > tail { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigma_and_confidence_are_inverse() {
        for n in [0.0, 0.1, 1.0, 1.5, 2.0, 3.0, 5.0] {
            let back = sigma_of_confidence(confidence_of_sigma(n));
            assert!((back - n).abs() < 1e-9, "{n} {back}");
        }
        assert!(sigma_of_confidence(1.5).is_nan() && sigma_of_confidence(f64::NAN).is_nan());
        assert_eq!(sigma_of_confidence(1.0), f64::INFINITY);
    }
}
