//! A straight line.

use super::{T_REF, TemporalModel, temporal_methods, temporal_model};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 3] = [
    ParameterSpec::free("alpha", 1.0, ""),
    ParameterSpec::free("beta", 0.0, "d-1"),
    ParameterSpec::frozen("t_ref", T_REF, "d"),
];

/// alpha + beta (t - t_ref).
#[derive(Debug, Clone, PartialEq)]
pub struct LinearTemporalModel {
    set: ParameterSet<3>,
    scale: String,
}

temporal_model!(LinearTemporalModel, "LinearTemporalModel", &SPECS);

impl TemporalModel for LinearTemporalModel {
    temporal_methods!();

    fn evaluate(&self, mjd: f64) -> f64 {
        let [alpha, beta, t_ref] = *self.set.values();
        alpha + beta * (mjd - t_ref)
    }

    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        (stop - start) * self.evaluate(start + 0.5 * (stop - start))
    }
}
