//! Adaptive quadrature: Gauss–Kronrod rules with 10 and 21 points, bisected where their difference is too large.

/// Positive nodes of the 21-point Kronrod rule; every second one (from index 1) is a node of the 10-point Gauss rule.
/// Values from QUADPACK (Piessens et al. 1983), routine `dqk21`.
const NODES: [f64; 11] = [
    0.995_657_163_025_808_1,
    0.973_906_528_517_171_7,
    0.930_157_491_355_708_2,
    0.865_063_366_688_984_5,
    0.780_817_726_586_416_9,
    0.679_409_568_299_024_4,
    0.562_757_134_668_604_7,
    0.433_395_394_129_247_2,
    0.294_392_862_701_460_2,
    0.148_874_338_981_631_22,
    0.0,
];

const KRONROD: [f64; 11] = [
    0.011_694_638_867_371_874,
    0.032_558_162_307_964_725,
    0.054_755_896_574_351_995,
    0.075_039_674_810_919_96,
    0.093_125_454_583_697_6,
    0.109_387_158_802_297_64,
    0.123_491_976_262_065_84,
    0.134_709_217_311_473_34,
    0.142_775_938_577_060_09,
    0.147_739_104_901_338_49,
    0.149_445_554_002_916_9,
];

const GAUSS: [f64; 5] = [
    0.066_671_344_308_688_14,
    0.149_451_349_150_580_6,
    0.219_086_362_515_982_04,
    0.269_266_719_309_996_35,
    0.295_524_224_714_752_87,
];

/// An integral and a bound on its error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The integral.
    pub value: f64,
    /// Estimated absolute error (QUADPACK's, usually far too large for smooth functions).
    pub error: f64,
}

/// One panel with 21 points; the error is QUADPACK's estimate.
fn panel(f: &impl Fn(f64) -> f64, a: f64, b: f64) -> Estimate {
    let (center, half) = (0.5 * (a + b), 0.5 * (b - a));
    let mut values = [(0.0, 0.0); 10];
    let middle = f(center);
    let (mut kronrod, mut gauss) = (KRONROD[10] * middle, 0.0);
    let mut absolute = KRONROD[10] * middle.abs();
    for (i, pair) in values.iter_mut().enumerate() {
        *pair = (f(center - half * NODES[i]), f(center + half * NODES[i]));
        let sum = pair.0 + pair.1;
        kronrod += KRONROD[i] * sum;
        absolute += KRONROD[i] * (pair.0.abs() + pair.1.abs());
        if i % 2 == 1 {
            gauss += GAUSS[i / 2] * sum;
        }
    }
    let mean = 0.5 * kronrod;
    let mut spread = KRONROD[10] * (middle - mean).abs();
    for (i, pair) in values.iter().enumerate() {
        spread += KRONROD[i] * ((pair.0 - mean).abs() + (pair.1 - mean).abs());
    }
    let half = half.abs();
    let (absolute, spread) = (absolute * half, spread * half);
    let mut error = ((kronrod - gauss) * half).abs();
    if spread != 0.0 && error != 0.0 {
        error = spread * (200.0 * error / spread).powf(1.5).min(1.0);
    }
    if absolute > f64::MIN_POSITIVE / (50.0 * f64::EPSILON) {
        error = error.max(50.0 * f64::EPSILON * absolute);
    }
    Estimate { value: kronrod * half * (b - a).signum(), error }
}

/// Largest number of panels; smooth functions of one scale need fewer than 20.
const MAX_PANELS: usize = 400;

/// Integral of `f` from `a` to `b`: the panel with the largest error is bisected until the sum of the errors is below
/// `abs_tol` or below `rel_tol` times the integral, or 400 panels are reached.
///
/// ```
/// use pevatron::math::quadrature::integrate;
/// let arc = integrate(f64::sin, 0.0, std::f64::consts::PI, 0.0, 1e-12);
/// assert!((arc.value - 2.0).abs() < 1e-13);
/// ```
pub fn integrate(f: impl Fn(f64) -> f64, a: f64, b: f64, abs_tol: f64, rel_tol: f64) -> Estimate {
    let mut panels = vec![(a, b, panel(&f, a, b))];
    loop {
        let value: f64 = panels.iter().map(|p| p.2.value).sum();
        let error: f64 = panels.iter().map(|p| p.2.error).sum();
        // Also stops for NaN.
        if !(error > abs_tol && error > rel_tol * value.abs()) || panels.len() >= MAX_PANELS {
            return Estimate { value, error };
        }
        let mut worst = 0;
        for (i, p) in panels.iter().enumerate() {
            if p.2.error > panels[worst].2.error {
                worst = i;
            }
        }
        let (lo, hi, _) = panels[worst];
        let middle = 0.5 * (lo + hi);
        if middle <= lo.min(hi) || middle >= lo.max(hi) {
            return Estimate { value, error };
        }
        panels[worst] = (lo, middle, panel(&f, lo, middle));
        panels.push((middle, hi, panel(&f, middle, hi)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_integrals() {
        type Case = (fn(f64) -> f64, f64, f64, f64);
        let cases: [Case; 4] = [
            (|x| x.powi(20), -1.0, 1.0, 2.0 / 21.0),
            (|x| (-x * x).exp(), -10.0, 10.0, std::f64::consts::PI.sqrt()),
            (|x| 1.0 / x, 1.0, 1e6, 1e6_f64.ln()),
            (|x| if x < 0.3 { 0.0 } else { 1.0 }, 0.0, 1.0, 0.7),
        ];
        for (f, a, b, truth) in cases {
            let found = integrate(f, a, b, 0.0, 1e-12);
            assert!((found.value / truth - 1.0).abs() < 1e-11, "{found:?} {truth}");
            assert!((integrate(f, b, a, 0.0, 1e-12).value / truth + 1.0).abs() < 1e-11);
        }
    }

    #[test]
    fn nan_and_empty_intervals_end() {
        assert!(integrate(|_| f64::NAN, 0.0, 1.0, 0.0, 1e-12).value.is_nan());
        assert_eq!(integrate(|x| x, 1.0, 1.0, 0.0, 1e-12).value, 0.0);
    }
}
