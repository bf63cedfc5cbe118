//! Power law with a super-exponential cutoff, as in the 4FGL catalogue (DR1 and DR2).

use super::{DNDE, SpectralModel, tag_and_parameters, trapezoid_integrals};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 5] = [
    ParameterSpec::free("amplitude", 1e-12, DNDE),
    ParameterSpec::frozen("reference", 1.0, "TeV"),
    ParameterSpec::free("expfactor", 1e-14, ""),
    ParameterSpec::free("index_1", 1.5, ""),
    ParameterSpec::free("index_2", 2.0, ""),
];

const MEV_PER_TEV: f64 = 1e6;

/// dnde = amplitude (E / reference)^-index_1 exp(expfactor (reference^index_2 - E^index_2)) with the energies of the
/// exponential in MeV: equation 4 of the 4FGL paper (arXiv:1902.10045).
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::SuperExpCutoffPowerLaw4FGLSpectralModel;
/// let model = SuperExpCutoffPowerLaw4FGLSpectralModel::new(1e-12, 1.0, 1e-14, 1.5, 2.0);
/// assert!((model.evaluate(2.0) / (1e-12 * 2f64.powf(-1.5) * (-0.03f64).exp()) - 1.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SuperExpCutoffPowerLaw4FGLSpectralModel {
    set: ParameterSet<5>,
}

parameter_model!(SuperExpCutoffPowerLaw4FGLSpectralModel, "SuperExpCutoffPowerLaw4FGLSpectralModel", &SPECS);

impl SuperExpCutoffPowerLaw4FGLSpectralModel {
    /// Amplitude in cm-2 s-1 TeV-1, reference energy in TeV, expfactor (for energies in MeV), indices.
    pub fn new(amplitude: f64, reference_tev: f64, expfactor: f64, index_1: f64, index_2: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [amplitude, reference_tev, expfactor, index_1, index_2]) }
    }
}

impl SpectralModel for SuperExpCutoffPowerLaw4FGLSpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [amplitude, reference, expfactor, index_1, index_2] = *self.set.values();
        let (energy_mev, reference_mev) = (energy_tev * MEV_PER_TEV, reference * MEV_PER_TEV);
        let exponent = expfactor * (reference_mev.powf(index_2) - energy_mev.powf(index_2));
        amplitude * (energy_tev / reference).powf(-index_1) * exponent.exp()
    }
}
