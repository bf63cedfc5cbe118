//! Norm and tilt.

use super::{SpectralModel, integrate, tag_and_parameters};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 3] = [
    ParameterSpec::frozen("tilt", 0.0, ""),
    ParameterSpec::free("norm", 1.0, ""),
    ParameterSpec::frozen("reference", 1.0, "TeV"),
];

/// norm (E / reference)^-tilt, dimensionless: what backgrounds and templates are scaled with. Integrals are in TeV and
/// TeV2.
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::PowerLawNormSpectralModel;
/// assert_eq!(PowerLawNormSpectralModel::new(0.0, 1.3, 1.0).evaluate(7.0), 1.3);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PowerLawNormSpectralModel {
    set: ParameterSet<3>,
}

parameter_model!(PowerLawNormSpectralModel, "PowerLawNormSpectralModel", &SPECS);

impl PowerLawNormSpectralModel {
    /// Tilt, norm, reference energy in TeV.
    pub fn new(tilt: f64, norm: f64, reference_tev: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [tilt, norm, reference_tev]) }
    }
}

impl SpectralModel for PowerLawNormSpectralModel {
    tag_and_parameters!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [tilt, norm, reference] = *self.set.values();
        norm * (energy_tev / reference).powf(-tilt)
    }

    fn integral(&self, min_tev: f64, max_tev: f64) -> f64 {
        let [tilt, norm, reference] = *self.set.values();
        norm * integrate::power_law(tilt, reference, min_tev, max_tev)
    }

    fn energy_flux(&self, min_tev: f64, max_tev: f64) -> f64 {
        let [tilt, norm, reference] = *self.set.values();
        norm * integrate::power_law_energy(tilt, reference, min_tev, max_tev)
    }

    fn integral_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.integral(min_tev, max_tev)
    }

    fn energy_flux_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.energy_flux(min_tev, max_tev)
    }
}
