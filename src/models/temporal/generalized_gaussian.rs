//! A flare of any sharpness, rising and falling at its own pace.

use super::{T_REF, TemporalModel, temporal_methods, temporal_model};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 4] = [
    ParameterSpec::free("t_ref", T_REF, "d"),
    ParameterSpec::free("t_rise", 1.0, "d"),
    ParameterSpec::free("t_decay", 1.0, "d"),
    ParameterSpec::free("eta", 0.5, ""),
];

/// exp(-(|t - t_ref| / τ)^(1/eta) / 2) with τ = t_rise before t_ref and t_decay after it. The integral is a quadrature.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneralizedGaussianTemporalModel {
    set: ParameterSet<4>,
    scale: String,
}

temporal_model!(GeneralizedGaussianTemporalModel, "GeneralizedGaussianTemporalModel", &SPECS);

impl TemporalModel for GeneralizedGaussianTemporalModel {
    temporal_methods!();

    fn evaluate(&self, mjd: f64) -> f64 {
        let [t_ref, t_rise, t_decay, eta] = *self.set.values();
        let tau = if mjd < t_ref { t_rise } else { t_decay };
        (-0.5 * ((mjd - t_ref).abs() / tau).powf(1.0 / eta)).exp()
    }

    // The two sides meet with a kink.
    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        let peak = self.set.values()[0].clamp(start, stop);
        let part = |a: f64, b: f64| {
            if a < b { crate::math::quadrature::integrate(|t| self.evaluate(t), a, b, 0.0, 1e-10).value } else { 0.0 }
        };
        part(start, peak) + part(peak, stop)
    }
}
