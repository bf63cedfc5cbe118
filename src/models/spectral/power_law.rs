//! Power law.

use super::{DNDE, SpectralModel, integrate, tag_and_parameters};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 3] = [
    ParameterSpec::free("index", 2.0, ""),
    ParameterSpec::free("amplitude", 1e-12, DNDE),
    ParameterSpec::frozen("reference", 1.0, "TeV"),
];

/// dnde = amplitude (E / reference)^-index. Integrals have closed forms, also at index 1 and 2.
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::PowerLawSpectralModel;
/// let model = PowerLawSpectralModel::new(2.0, 1e-12, 1.0);
/// assert!((model.integral(1.0, 10.0) / 0.9e-12 - 1.0).abs() < 1e-12);
/// assert!((model.energy_flux(1.0, 10.0) / (1e-12 * 10f64.ln()) - 1.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PowerLawSpectralModel {
    set: ParameterSet<3>,
}

parameter_model!(PowerLawSpectralModel, "PowerLawSpectralModel", &SPECS);

impl PowerLawSpectralModel {
    /// Index, amplitude in cm-2 s-1 TeV-1, reference energy in TeV.
    pub fn new(index: f64, amplitude: f64, reference_tev: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [index, amplitude, reference_tev]) }
    }
}

impl SpectralModel for PowerLawSpectralModel {
    tag_and_parameters!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [index, amplitude, reference] = *self.set.values();
        amplitude * (energy_tev / reference).powf(-index)
    }

    fn integral(&self, min_tev: f64, max_tev: f64) -> f64 {
        let [index, amplitude, reference] = *self.set.values();
        amplitude * integrate::power_law(index, reference, min_tev, max_tev)
    }

    fn energy_flux(&self, min_tev: f64, max_tev: f64) -> f64 {
        let [index, amplitude, reference] = *self.set.values();
        amplitude * integrate::power_law_energy(index, reference, min_tev, max_tev)
    }

    fn integral_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.integral(min_tev, max_tev)
    }

    fn energy_flux_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.energy_flux(min_tev, max_tev)
    }
}
