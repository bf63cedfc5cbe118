//! A Gaussian flare.

use super::{T_REF, TemporalModel, temporal_methods, temporal_model};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 2] = [ParameterSpec::free("t_ref", T_REF, "d"), ParameterSpec::free("sigma", 1.0, "d")];

/// exp(-(t - t_ref)² / (2 sigma²)).
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianTemporalModel {
    set: ParameterSet<2>,
    scale: String,
}

temporal_model!(GaussianTemporalModel, "GaussianTemporalModel", &SPECS);

impl TemporalModel for GaussianTemporalModel {
    temporal_methods!();

    fn evaluate(&self, mjd: f64) -> f64 {
        let [t_ref, sigma] = *self.set.values();
        (-0.5 * ((mjd - t_ref) / sigma).powi(2)).exp()
    }

    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        let [t_ref, sigma] = *self.set.values();
        let u = |t: f64| (t - t_ref) / (std::f64::consts::SQRT_2 * sigma);
        let (a, b) = (u(start), u(stop));
        // On either side the tails are subtracted, which are small and exact.
        let difference = if a > 0.0 {
            libm::erfc(a) - libm::erfc(b)
        } else if b < 0.0 {
            libm::erfc(-b) - libm::erfc(-a)
        } else {
            libm::erf(b) - libm::erf(a)
        };
        (std::f64::consts::PI / 2.0).sqrt() * sigma * difference
    }
}
