//! The host's side of `shaders/shared/two_float.wgsl`: numbers as two of single precision, 48 bits together.

/// A number as hi + lo.
pub(super) fn split(value: f64) -> [f32; 2] {
    let high = value as f32;
    [high, (value - f64::from(high)) as f32]
}

/// The number that hi + lo is.
pub(super) fn join([high, low]: [f32; 2]) -> f64 {
    f64::from(high) + f64::from(low)
}

/// A power of two that brings `largest` to 1…2, so that neither values nor sums leave single precision.
pub(super) fn scale_for(largest: f64) -> f64 {
    // Subnormal planes are as good as empty; beyond 1e300 the scale itself would be subnormal.
    if largest > 1e-300 && largest < 1e300 { 2f64.powi(-libm::ilogb(largest)) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_keep_48_bits(value in -2.0f64..2.0) {
            prop_assert!((join(split(value)) - value).abs() <= value.abs() * 2f64.powi(-47));
        }

        #[test]
        fn scales_bring_the_largest_to_one(exponent in -290.0f64..290.0) {
            let largest = 10f64.powf(exponent);
            let scaled = largest * scale_for(largest);
            prop_assert!((1.0..2.0).contains(&scaled), "{scaled}");
        }
    }
}
