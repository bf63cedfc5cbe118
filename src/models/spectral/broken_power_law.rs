//! Broken power law.

use super::{DNDE, SpectralModel, integrate, tag_and_parameters, trapezoid_integrals};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 4] = [
    ParameterSpec::free("index1", 2.0, ""),
    ParameterSpec::free("index2", 2.0, ""),
    ParameterSpec::free("amplitude", 1e-12, DNDE),
    ParameterSpec::free("ebreak", 1.0, "TeV"),
];

/// dnde = amplitude (E / ebreak)^-index, index1 below ebreak, index2 from ebreak on.
///
/// `integral` has Gammapy's trapezoids, which miss the kink by up to 1e-5; `integral_exact` has the closed form.
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::BrokenPowerLawSpectralModel;
/// let model = BrokenPowerLawSpectralModel::new(0.0, 2.0, 1e-12, 1.0);
/// assert!((model.integral_exact(0.5, 2.0) / 1e-12 - 1.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BrokenPowerLawSpectralModel {
    set: ParameterSet<4>,
}

parameter_model!(BrokenPowerLawSpectralModel, "BrokenPowerLawSpectralModel", &SPECS);

impl BrokenPowerLawSpectralModel {
    /// Indices below and above the break, amplitude at the break in cm-2 s-1 TeV-1, energy of the break in TeV.
    pub fn new(index1: f64, index2: f64, amplitude: f64, ebreak_tev: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [index1, index2, amplitude, ebreak_tev]) }
    }

    /// The sum of an integral over the parts of `min..max` below and above the break.
    fn parts(&self, min: f64, max: f64, part: impl Fn(f64, f64, f64, f64) -> f64) -> f64 {
        let [index1, index2, amplitude, ebreak] = *self.set.values();
        let middle = ebreak.clamp(min.min(max), min.max(max));
        amplitude * (part(index1, ebreak, min, middle) + part(index2, ebreak, middle, max))
    }
}

impl SpectralModel for BrokenPowerLawSpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [index1, index2, amplitude, ebreak] = *self.set.values();
        amplitude * (energy_tev / ebreak).powf(if energy_tev < ebreak { -index1 } else { -index2 })
    }

    fn integral_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.parts(min_tev, max_tev, integrate::power_law)
    }

    fn energy_flux_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.parts(min_tev, max_tev, integrate::power_law_energy)
    }
}
