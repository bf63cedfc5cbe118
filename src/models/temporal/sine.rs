//! A sine.

use super::{T_REF, TemporalModel, temporal_methods, temporal_model};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 3] = [
    ParameterSpec::free("amp", 1.0, ""),
    ParameterSpec::free("omega", 1.0, "rad d-1"),
    ParameterSpec::free("t_ref", T_REF, "d"),
];

/// 1 + amp sin(omega (t - t_ref)).
///
/// Gammapy: takes the sine for the integral of a sine; here it is the cosine.
#[derive(Debug, Clone, PartialEq)]
pub struct SineTemporalModel {
    set: ParameterSet<3>,
    scale: String,
}

temporal_model!(SineTemporalModel, "SineTemporalModel", &SPECS);

impl SineTemporalModel {
    /// Amplitude, phase at a date, and its rate per day.
    fn phase(&self, mjd: f64) -> (f64, f64, f64) {
        let [amp, omega, t_ref] = *self.set.values();
        (amp, omega * (mjd - t_ref), omega)
    }
}

impl TemporalModel for SineTemporalModel {
    temporal_methods!();

    fn evaluate(&self, mjd: f64) -> f64 {
        let (amp, phase, _) = self.phase(mjd);
        1.0 + amp * phase.sin()
    }

    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        let (amp, a, rate) = self.phase(start);
        let (_, b, _) = self.phase(stop);
        let swing = if rate == 0.0 { (stop - start) * a.sin() } else { (a.cos() - b.cos()) / rate };
        (stop - start) + amp * swing
    }
}
