//! Log-parabolas.

use super::{DNDE, SpectralModel, tag_and_parameters, trapezoid_integrals};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 4] = [
    ParameterSpec::free("amplitude", 1e-12, DNDE),
    ParameterSpec::frozen("reference", 10.0, "TeV"),
    ParameterSpec::free("alpha", 2.0, ""),
    ParameterSpec::free("beta", 1.0, ""),
];

const NORM_SPECS: [ParameterSpec; 4] = [
    ParameterSpec::free("norm", 1.0, ""),
    ParameterSpec::frozen("reference", 10.0, "TeV"),
    ParameterSpec::free("alpha", 0.0, ""),
    ParameterSpec::free("beta", 0.0, ""),
];

fn evaluate([amplitude, reference, alpha, beta]: [f64; 4], energy_tev: f64) -> f64 {
    let x = energy_tev / reference;
    amplitude * x.powf(-alpha - beta * x.ln())
}

/// dnde = amplitude (E / reference)^(-alpha - beta ln(E / reference)).
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::LogParabolaSpectralModel;
/// let model = LogParabolaSpectralModel::new(3e-12, 2.0, 2.3, 0.12);
/// assert_eq!(model.evaluate(2.0), 3e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LogParabolaSpectralModel {
    set: ParameterSet<4>,
}

parameter_model!(LogParabolaSpectralModel, "LogParabolaSpectralModel", &SPECS);

impl LogParabolaSpectralModel {
    /// Amplitude in cm-2 s-1 TeV-1, reference energy in TeV, alpha, beta (for the natural logarithm).
    pub fn new(amplitude: f64, reference_tev: f64, alpha: f64, beta: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [amplitude, reference_tev, alpha, beta]) }
    }
}

impl SpectralModel for LogParabolaSpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        evaluate(*self.set.values(), energy_tev)
    }
}

const ESCALE_SPECS: [ParameterSpec; 5] =
    [SPECS[0], SPECS[1], SPECS[2], SPECS[3], ParameterSpec::frozen("escale", 1.0, "TeV")];

/// dnde = amplitude (E / reference)^(-alpha - beta ln(E / escale)): a curvature that is 0 at an energy of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct LogParabola2SpectralModel {
    set: ParameterSet<5>,
}

parameter_model!(LogParabola2SpectralModel, "LogParabola2SpectralModel", &ESCALE_SPECS);

impl LogParabola2SpectralModel {
    /// Amplitude in cm-2 s-1 TeV-1, reference energy in TeV, alpha, beta (for the natural logarithm), and the energy in
    /// TeV where the index is alpha.
    pub fn new(amplitude: f64, reference_tev: f64, alpha: f64, beta: f64, escale_tev: f64) -> Self {
        Self { set: ParameterSet::new(&ESCALE_SPECS, [amplitude, reference_tev, alpha, beta, escale_tev]) }
    }
}

impl SpectralModel for LogParabola2SpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [amplitude, reference, alpha, beta, escale] = *self.set.values();
        amplitude * (energy_tev / reference).powf(-alpha - beta * (energy_tev / escale).ln())
    }
}

/// norm (E / reference)^(-alpha - beta ln(E / reference)), dimensionless.
#[derive(Debug, Clone, PartialEq)]
pub struct LogParabolaNormSpectralModel {
    set: ParameterSet<4>,
}

parameter_model!(LogParabolaNormSpectralModel, "LogParabolaNormSpectralModel", &NORM_SPECS);

impl LogParabolaNormSpectralModel {
    /// Norm, reference energy in TeV, alpha, beta (for the natural logarithm).
    pub fn new(norm: f64, reference_tev: f64, alpha: f64, beta: f64) -> Self {
        Self { set: ParameterSet::new(&NORM_SPECS, [norm, reference_tev, alpha, beta]) }
    }
}

impl SpectralModel for LogParabolaNormSpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        evaluate(*self.set.values(), energy_tev)
    }
}
