//! Constant.

use super::{DNDE, SpectralModel, integrate, tag_and_parameters};
use crate::error::Result;
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};
use crate::units::Unit;

const SPECS: [ParameterSpec; 1] = [ParameterSpec::free("const", 1e-12, DNDE)];
const NORM_SPECS: [ParameterSpec; 1] = [ParameterSpec::free("const", 1.0, "")];

/// dnde = const. With a dimensionless `const` ([`ConstantSpectralModel::norm`]) it scales templates.
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::ConstantSpectralModel;
/// assert!((ConstantSpectralModel::new(2e-13).integral(1.0, 3.0) / 4e-13 - 1.0).abs() < 1e-12);
/// assert_eq!(ConstantSpectralModel::norm(1.2).evaluate(5.0), 1.2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConstantSpectralModel {
    set: ParameterSet<1>,
}

impl Default for ConstantSpectralModel {
    /// With Gammapy's default, 1e-12 cm-2 s-1 TeV-1.
    fn default() -> Self {
        Self { set: ParameterSet::defaults(&SPECS) }
    }
}

impl ConstantSpectralModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "ConstantSpectralModel";

    /// The constant in cm-2 s-1 TeV-1.
    pub fn new(constant: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [constant]) }
    }

    /// A dimensionless constant.
    pub fn norm(constant: f64) -> Self {
        Self { set: ParameterSet::new(&NORM_SPECS, [constant]) }
    }

    /// From parameters; `const` may be a differential flux or dimensionless.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a value that is not finite or a unit of another kind.
    pub fn from_parameters(parameters: &[Parameter]) -> Result<Self> {
        let is_norm = parameters.iter().any(|p| p.name == "const" && p.unit == Unit::dimensionless());
        let specs = if is_norm { &NORM_SPECS } else { &SPECS };
        Ok(Self { set: ParameterSet::from_parameters(Self::TAG, specs, parameters)? })
    }
}

impl SpectralModel for ConstantSpectralModel {
    tag_and_parameters!();

    fn evaluate(&self, _energy_tev: f64) -> f64 {
        self.set.values()[0]
    }

    // Gammapy: trapezoids in log-log, which are exact for a constant.
    fn integral(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.set.values()[0] * (max_tev - min_tev)
    }

    fn energy_flux(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.set.values()[0] * integrate::power_law_energy(0.0, 1.0, min_tev, max_tev)
    }

    fn integral_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.integral(min_tev, max_tev)
    }

    fn energy_flux_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        self.energy_flux(min_tev, max_tev)
    }

    fn is_norm(&self) -> bool {
        self.parameters()[0].unit == Unit::dimensionless()
    }
}
