//! Power law by its integral flux.

use super::{SpectralModel, integrate, tag_and_parameters};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 4] = [
    ParameterSpec::free("amplitude", 1e-12, "s-1 cm-2"),
    ParameterSpec::free("index", 2.0, ""),
    ParameterSpec::frozen("emin", 0.1, "TeV"),
    ParameterSpec::frozen("emax", 100.0, "TeV"),
];

/// A power law with the integral flux `amplitude` between `emin` and `emax`.
///
/// Gammapy: gives NaN at index 1, this is the limit there.
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::PowerLaw2SpectralModel;
/// let model = PowerLaw2SpectralModel::new(2e-11, 1.0, 0.5, 80.0);
/// assert!((model.integral(0.5, 80.0) / 2e-11 - 1.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PowerLaw2SpectralModel {
    set: ParameterSet<4>,
}

parameter_model!(PowerLaw2SpectralModel, "PowerLaw2SpectralModel", &SPECS);

impl PowerLaw2SpectralModel {
    /// Integral flux in cm-2 s-1, index, energy range of that flux in TeV.
    pub fn new(amplitude: f64, index: f64, emin_tev: f64, emax_tev: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [amplitude, index, emin_tev, emax_tev]) }
    }

    /// dnde at `emax`.
    fn amplitude_at_emax(&self) -> f64 {
        let [amplitude, index, emin, emax] = *self.set.values();
        amplitude / integrate::power_law(index, emax, emin, emax)
    }
}

impl SpectralModel for PowerLaw2SpectralModel {
    tag_and_parameters!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [_, index, _, emax] = *self.set.values();
        self.amplitude_at_emax() * (energy_tev / emax).powf(-index)
    }

    fn integral(&self, min_tev: f64, max_tev: f64) -> f64 {
        let [_, index, _, emax] = *self.set.values();
        self.amplitude_at_emax() * integrate::power_law(index, emax, min_tev, max_tev)
    }

    // Gammapy: trapezoids in log-log, which are exact for a power law.
    fn energy_flux(&self, min_tev: f64, max_tev: f64) -> f64 {
        let [_, index, _, emax] = *self.set.values();
        self.amplitude_at_emax() * integrate::power_law_energy(index, emax, min_tev, max_tev)
    }

    fn integral_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.integral(min_tev, max_tev)
    }

    fn energy_flux_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.energy_flux(min_tev, max_tev)
    }
}
