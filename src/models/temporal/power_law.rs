//! Power law in time.

use super::{T_REF, TemporalModel, temporal_methods, temporal_model};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 3] = [
    ParameterSpec::free("alpha", 1.0, ""),
    ParameterSpec::frozen("t_ref", T_REF, "d"),
    ParameterSpec::frozen("t0", 1.0, "d"),
];

/// ((t - t_ref) / t0)^alpha after t_ref. Before it, 0. Gammapy: not a number before t_ref.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerLawTemporalModel {
    set: ParameterSet<3>,
    scale: String,
}

temporal_model!(PowerLawTemporalModel, "PowerLawTemporalModel", &SPECS);

impl TemporalModel for PowerLawTemporalModel {
    temporal_methods!();

    fn evaluate(&self, mjd: f64) -> f64 {
        let [alpha, t_ref, t0] = *self.set.values();
        if mjd <= t_ref { 0.0 } else { ((mjd - t_ref) / t0).powf(alpha) }
    }

    /// From the reference on; infinite fluxes there (alpha at most -1) count from 1e-6 of the scale.
    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        let [alpha, t_ref, t0] = *self.set.values();
        let from = if alpha <= -1.0 { 1e-6 } else { 0.0 };
        let (a, b) = (((start - t_ref) / t0).max(from), ((stop - t_ref) / t0).max(from));
        if a >= b {
            return 0.0;
        }
        if alpha == -1.0 {
            return t0 * (b / a).ln();
        }
        t0 / (alpha + 1.0) * (b.powf(alpha + 1.0) - a.powf(alpha + 1.0))
    }
}
