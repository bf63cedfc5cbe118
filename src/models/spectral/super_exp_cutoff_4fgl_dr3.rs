//! Power law with a super-exponential cutoff, as in the 4FGL catalogue from DR3 on.

use super::{DNDE, SpectralModel, tag_and_parameters, trapezoid_integrals};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 5] = [
    ParameterSpec::free("amplitude", 1e-12, DNDE),
    ParameterSpec::frozen("reference", 1.0, "TeV"),
    ParameterSpec::free("expfactor", 1e-2, ""),
    ParameterSpec::free("index_1", 1.5, ""),
    ParameterSpec::free("index_2", 2.0, ""),
];

/// Below this |index_2 ln(E / reference)| the series of equation 3 stands for equation 2.
const SERIES_BELOW: f64 = 1e-2;

/// dnde = amplitude x^(-index_1 + d / b) exp(d / b² (1 - x^b)), x = E / reference, d = expfactor, b = index_2:
/// equations 2 and 3 of the 4FGL-DR3 paper (arXiv:2201.11184).
#[derive(Debug, Clone, PartialEq)]
pub struct SuperExpCutoffPowerLaw4FGLDR3SpectralModel {
    set: ParameterSet<5>,
}

parameter_model!(SuperExpCutoffPowerLaw4FGLDR3SpectralModel, "SuperExpCutoffPowerLaw4FGLDR3SpectralModel", &SPECS);

impl SuperExpCutoffPowerLaw4FGLDR3SpectralModel {
    /// Amplitude in cm-2 s-1 TeV-1, reference energy in TeV, expfactor, indices.
    pub fn new(amplitude: f64, reference_tev: f64, expfactor: f64, index_1: f64, index_2: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [amplitude, reference_tev, expfactor, index_1, index_2]) }
    }
}

impl SpectralModel for SuperExpCutoffPowerLaw4FGLDR3SpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [amplitude, reference, d, index_1, b] = *self.set.values();
        let x = energy_tev / reference;
        let ln = x.ln();
        // Gammapy: the third term has ln³ where the expansion has ln⁴ / ln; followed for equal numbers (below 1e-7).
        let cutoff = if (b * ln).abs() < SERIES_BELOW {
            x.powf(-d * (ln / 2.0 + b / 6.0 * ln * ln + b * b / 24.0 * ln.powi(3)))
        } else {
            x.powf(d / b) * (d / (b * b) * (1.0 - x.powf(b))).exp()
        };
        amplitude * x.powf(-index_1) * cutoff
    }
}
