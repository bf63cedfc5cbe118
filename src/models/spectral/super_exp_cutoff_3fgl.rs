//! Power law with a super-exponential cutoff, as in the 3FGL catalogue.

use super::{DNDE, SpectralModel, tag_and_parameters, trapezoid_integrals};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 5] = [
    ParameterSpec::free("amplitude", 1e-12, DNDE),
    ParameterSpec::frozen("reference", 1.0, "TeV"),
    ParameterSpec::free("ecut", 10.0, "TeV"),
    ParameterSpec::free("index_1", 1.5, ""),
    ParameterSpec::free("index_2", 2.0, ""),
];

/// dnde = amplitude (E / reference)^-index_1 exp((reference / ecut)^index_2 - (E / ecut)^index_2).
#[derive(Debug, Clone, PartialEq)]
pub struct SuperExpCutoffPowerLaw3FGLSpectralModel {
    set: ParameterSet<5>,
}

parameter_model!(SuperExpCutoffPowerLaw3FGLSpectralModel, "SuperExpCutoffPowerLaw3FGLSpectralModel", &SPECS);

impl SuperExpCutoffPowerLaw3FGLSpectralModel {
    /// Amplitude in cm-2 s-1 TeV-1, reference and cutoff energy in TeV, indices.
    pub fn new(amplitude: f64, reference_tev: f64, ecut_tev: f64, index_1: f64, index_2: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [amplitude, reference_tev, ecut_tev, index_1, index_2]) }
    }
}

impl SpectralModel for SuperExpCutoffPowerLaw3FGLSpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [amplitude, reference, ecut, index_1, index_2] = *self.set.values();
        let exponent = (reference / ecut).powf(index_2) - (energy_tev / ecut).powf(index_2);
        amplitude * (energy_tev / reference).powf(-index_1) * exponent.exp()
    }
}
