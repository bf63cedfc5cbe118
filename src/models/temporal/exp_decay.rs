//! Exponential decay.

use super::{T_REF, TemporalModel, temporal_methods, temporal_model};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 2] = [ParameterSpec::free("t0", 1.0, "d"), ParameterSpec::frozen("t_ref", T_REF, "d")];

/// exp(-(t - t_ref) / t0).
#[derive(Debug, Clone, PartialEq)]
pub struct ExpDecayTemporalModel {
    set: ParameterSet<2>,
    scale: String,
}

temporal_model!(ExpDecayTemporalModel, "ExpDecayTemporalModel", &SPECS);

impl TemporalModel for ExpDecayTemporalModel {
    temporal_methods!();

    fn evaluate(&self, mjd: f64) -> f64 {
        let [t0, t_ref] = *self.set.values();
        (-(mjd - t_ref) / t0).exp()
    }

    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        let t0 = self.set.values()[0];
        -t0 * self.evaluate(start) * (-(stop - start) / t0).exp_m1()
    }
}
