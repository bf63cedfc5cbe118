//! A Gaussian line.

use std::f64::consts::{PI, SQRT_2};

use super::{SpectralModel, tag_and_parameters};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 3] = [
    ParameterSpec::free("amplitude", 1e-12, "s-1 cm-2"),
    ParameterSpec::free("mean", 1.0, "TeV"),
    ParameterSpec::free("sigma", 2.0, "TeV"),
];

/// dnde = amplitude / (sigma sqrt(2 pi)) exp(-(E - mean)² / (2 sigma²)), linear in energy.
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::GaussianSpectralModel;
/// let line = GaussianSpectralModel::new(1e-12, 5.0, 0.5);
/// assert!((line.integral(1.0, 10.0) / 1e-12 - 1.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianSpectralModel {
    set: ParameterSet<3>,
}

parameter_model!(GaussianSpectralModel, "GaussianSpectralModel", &SPECS);

impl GaussianSpectralModel {
    /// Amplitude (the flux of the whole line) in cm-2 s-1, mean and standard deviation in TeV.
    pub fn new(amplitude: f64, mean_tev: f64, sigma_tev: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [amplitude, mean_tev, sigma_tev]) }
    }

    /// The part of the line between two energies, and these in units of sqrt(2) sigma from the mean.
    fn part(&self, min_tev: f64, max_tev: f64) -> (f64, f64, f64) {
        let [_, mean, sigma] = *self.set.values();
        let (a, b) = ((min_tev - mean) / (SQRT_2 * sigma), (max_tev - mean) / (SQRT_2 * sigma));
        // In a tail the difference of two numbers close to 1 has no digits: that of what is left has. (Gammapy: erf.)
        let part = if a > 0.0 && b > 0.0 {
            libm::erfc(a) - libm::erfc(b)
        } else if a < 0.0 && b < 0.0 {
            libm::erfc(-b) - libm::erfc(-a)
        } else {
            libm::erf(b) - libm::erf(a)
        };
        (0.5 * part, a, b)
    }
}

impl SpectralModel for GaussianSpectralModel {
    tag_and_parameters!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [amplitude, mean, sigma] = *self.set.values();
        let x = (energy_tev - mean) / sigma;
        amplitude / (sigma * (2.0 * PI).sqrt()) * (-0.5 * x * x).exp()
    }

    fn integral(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.set.values()[0] * self.part(min_tev, max_tev).0
    }

    fn energy_flux(&self, min_tev: f64, max_tev: f64) -> f64 {
        let [amplitude, mean, sigma] = *self.set.values();
        let (part, a, b) = self.part(min_tev, max_tev);
        amplitude * (sigma / (2.0 * PI).sqrt() * ((-a * a).exp() - (-b * b).exp()) + mean * part)
    }

    fn integral_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.integral(min_tev, max_tev)
    }

    fn energy_flux_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.energy_flux(min_tev, max_tev)
    }
}
