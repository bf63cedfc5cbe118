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

/// ln erfc(z) with its first and second derivative, also where erfc itself is too small for a number.
///
/// ```
/// let (value, slope, _) = pevatron::math::ln_erfc(0.0);
/// assert!(value == 0.0 && (slope + 2.0 / std::f64::consts::PI.sqrt()).abs() < 1e-15);
/// assert!((pevatron::math::ln_erfc(100.0).0 + 10_005.177_585).abs() < 1e-6);
/// ```
pub fn ln_erfc(z: f64) -> (f64, f64, f64) {
    let root_pi = std::f64::consts::PI.sqrt();
    // From here on the asymptotic series of erfcx is right to twelve digits.
    let far = z > 20.0;
    let (value, hazard) = if far {
        let q = 1.0 / (2.0 * z * z);
        let series = 1.0 - q * (1.0 - 3.0 * q * (1.0 - 5.0 * q * (1.0 - 7.0 * q)));
        (series.ln() - z * z - (z * root_pi).ln(), 2.0 * z / series)
    } else {
        let erfc = libm::erfc(z);
        (erfc.ln(), 2.0 / root_pi * (-z * z).exp() / erfc)
    };
    // The difference of two large numbers far out, where the curvature is that of -z².
    let curvature = if far { -2.0 } else { hazard * (2.0 * z - hazard) };
    (value, -hazard, curvature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_erfc_is_smooth_across_its_branches() {
        for z in [-30.0, -3.0, 0.0, 0.5, 2.0, 8.0, 19.999, 20.001, 50.0] {
            let h = 1e-4;
            let (low, (value, slope, curvature), high) = (ln_erfc(z - h), ln_erfc(z), ln_erfc(z + h));
            assert!(((high.0 - low.0) / (2.0 * h) - slope).abs() < 1e-6 * (1.0 + slope.abs()), "{z}");
            assert!(((high.1 - low.1) / (2.0 * h) - curvature).abs() < 1e-2, "{z} {curvature}");
            assert!(value.is_finite() && curvature <= 0.0);
        }
    }

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
