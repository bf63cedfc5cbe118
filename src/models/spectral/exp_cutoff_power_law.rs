//! Power laws with an exponential cutoff.

use super::{DNDE, SpectralModel, tag_and_parameters, trapezoid_integrals};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 5] = [
    ParameterSpec::free("index", 1.5, ""),
    ParameterSpec::free("amplitude", 1e-12, DNDE),
    ParameterSpec::frozen("reference", 1.0, "TeV"),
    ParameterSpec::free("lambda_", 0.1, "TeV-1"),
    ParameterSpec::frozen("alpha", 1.0, ""),
];

const NORM_SPECS: [ParameterSpec; 5] = [
    ParameterSpec::free("index", 0.0, ""),
    ParameterSpec::free("norm", 1.0, ""),
    ParameterSpec::frozen("reference", 1.0, "TeV"),
    ParameterSpec::free("lambda_", 0.1, "TeV-1"),
    ParameterSpec::frozen("alpha", 1.0, ""),
];

/// amplitude (E / reference)^-index exp(-(lambda E)^alpha)
fn evaluate([index, amplitude, reference, lambda, alpha]: [f64; 5], energy_tev: f64) -> f64 {
    amplitude * (energy_tev / reference).powf(-index) * (-(energy_tev * lambda).powf(alpha)).exp()
}

/// dnde = amplitude (E / reference)^-index exp(-(lambda E)^alpha).
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::ExpCutoffPowerLawSpectralModel;
/// let model = ExpCutoffPowerLawSpectralModel::new(2.0, 1e-12, 1.0, 0.1, 1.0);
/// assert!((model.evaluate(10.0) / (1e-14 * (-1f64).exp()) - 1.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ExpCutoffPowerLawSpectralModel {
    set: ParameterSet<5>,
}

parameter_model!(ExpCutoffPowerLawSpectralModel, "ExpCutoffPowerLawSpectralModel", &SPECS);

impl ExpCutoffPowerLawSpectralModel {
    /// Index, amplitude in cm-2 s-1 TeV-1, reference energy in TeV, lambda (the inverse cutoff energy) in TeV-1, alpha.
    pub fn new(index: f64, amplitude: f64, reference_tev: f64, lambda_per_tev: f64, alpha: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [index, amplitude, reference_tev, lambda_per_tev, alpha]) }
    }
}

impl SpectralModel for ExpCutoffPowerLawSpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        evaluate(*self.set.values(), energy_tev)
    }
}

/// norm (E / reference)^-index exp(-(lambda E)^alpha), dimensionless.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpCutoffPowerLawNormSpectralModel {
    set: ParameterSet<5>,
}

parameter_model!(ExpCutoffPowerLawNormSpectralModel, "ExpCutoffPowerLawNormSpectralModel", &NORM_SPECS);

impl ExpCutoffPowerLawNormSpectralModel {
    /// Index, norm, reference energy in TeV, lambda (the inverse cutoff energy) in TeV-1, alpha.
    pub fn new(index: f64, norm: f64, reference_tev: f64, lambda_per_tev: f64, alpha: f64) -> Self {
        Self { set: ParameterSet::new(&NORM_SPECS, [index, norm, reference_tev, lambda_per_tev, alpha]) }
    }
}

impl SpectralModel for ExpCutoffPowerLawNormSpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        evaluate(*self.set.values(), energy_tev)
    }
}
