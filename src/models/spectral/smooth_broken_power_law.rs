//! Smoothly broken power law.

use super::{DNDE, SpectralModel, tag_and_parameters, trapezoid_integrals};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 6] = [
    ParameterSpec::free("index1", 2.0, ""),
    ParameterSpec::free("index2", 2.0, ""),
    ParameterSpec::free("amplitude", 1e-12, DNDE),
    ParameterSpec::free("ebreak", 1.0, "TeV"),
    ParameterSpec::frozen("reference", 1.0, "TeV"),
    ParameterSpec::frozen("beta", 1.0, ""),
];

/// dnde = amplitude (E / reference)^-index1 [1 + (E / ebreak)^((index2 - index1) / b)]^-b with b = beta times the sign
/// of index2 - index1; a plain power law where the indices are equal.
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::SmoothBrokenPowerLawSpectralModel;
/// let model = SmoothBrokenPowerLawSpectralModel::new(2.0, 2.0, 1e-12, 3.0, 1.0, 1.0);
/// assert_eq!(model.evaluate(1.0), 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SmoothBrokenPowerLawSpectralModel {
    set: ParameterSet<6>,
}

parameter_model!(SmoothBrokenPowerLawSpectralModel, "SmoothBrokenPowerLawSpectralModel", &SPECS);

impl SmoothBrokenPowerLawSpectralModel {
    /// Indices below and above the break, amplitude in cm-2 s-1 TeV-1, energy of the break and reference energy in
    /// TeV, smoothness beta.
    pub fn new(index1: f64, index2: f64, amplitude: f64, ebreak_tev: f64, reference_tev: f64, beta: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [index1, index2, amplitude, ebreak_tev, reference_tev, beta]) }
    }
}

/// ln(1 + exp(x)) without overflow.
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

impl SpectralModel for SmoothBrokenPowerLawSpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [index1, index2, amplitude, ebreak, reference, beta] = *self.set.values();
        let power_law = amplitude * (energy_tev / reference).powf(-index1);
        let bend = (index2 - index1).abs();
        if bend == 0.0 || beta == 0.0 {
            return power_law;
        }
        let b = beta * (index2 - index1).signum();
        power_law * (-b * softplus((energy_tev / ebreak).ln() * bend / beta)).exp()
    }
}
