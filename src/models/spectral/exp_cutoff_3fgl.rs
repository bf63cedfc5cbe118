//! Power law with an exponential cutoff, as in the 3FGL catalogue.

use super::{DNDE, SpectralModel, tag_and_parameters, trapezoid_integrals};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 4] = [
    ParameterSpec::free("index", 1.5, ""),
    ParameterSpec::free("amplitude", 1e-12, DNDE),
    ParameterSpec::frozen("reference", 1.0, "TeV"),
    ParameterSpec::free("ecut", 10.0, "TeV"),
];

/// dnde = amplitude (E / reference)^-index exp((reference - E) / ecut).
#[derive(Debug, Clone, PartialEq)]
pub struct ExpCutoffPowerLaw3FGLSpectralModel {
    set: ParameterSet<4>,
}

parameter_model!(ExpCutoffPowerLaw3FGLSpectralModel, "ExpCutoffPowerLaw3FGLSpectralModel", &SPECS);

impl ExpCutoffPowerLaw3FGLSpectralModel {
    /// Index, amplitude in cm-2 s-1 TeV-1, reference and cutoff energy in TeV.
    pub fn new(index: f64, amplitude: f64, reference_tev: f64, ecut_tev: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [index, amplitude, reference_tev, ecut_tev]) }
    }
}

impl SpectralModel for ExpCutoffPowerLaw3FGLSpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [index, amplitude, reference, ecut] = *self.set.values();
        amplitude * (energy_tev / reference).powf(-index) * ((reference - energy_tev) / ecut).exp()
    }
}
