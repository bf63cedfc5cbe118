//! Spectral models, one per file.
//!
//! Energies are in TeV and dnde in cm-2 s-1 TeV-1, whatever units the parameters carry. Models whose integral has no
//! closed form in Gammapy are integrated with its trapezoids, because the numbers of its maps hold that error (up to a
//! few 1e-6); [`SpectralModel::integral_exact`] and [`SpectralModel::energy_flux_exact`] are free of it.

use std::fmt::Debug;
use std::sync::Arc;

use super::parameter::Parameter;
use crate::error::Result;

mod broken_power_law;
mod compound;
mod constant;
mod crab;
mod ebl_absorption;
mod errors;
mod exp_cutoff_3fgl;
mod exp_cutoff_power_law;
mod gaussian;
mod integrate;
mod log_parabola;
mod piecewise_norm;
mod power_law;
mod power_law2;
mod power_law_norm;
mod registry;
mod smooth_broken_power_law;
mod super_exp_cutoff_3fgl;
mod super_exp_cutoff_4fgl;
mod super_exp_cutoff_4fgl_dr3;
mod template;
mod template_nd;

pub use compound::{CompoundOperator, CompoundSpectralModel};
pub use crab::crab;
pub use ebl_absorption::{AbsorptionTable, EblAbsorptionNormSpectralModel};
pub use errors::SpectralErrors;
pub use piecewise_norm::PiecewiseNormSpectralModel;
pub use registry::*;
pub use template::TemplateSpectralModel;
pub use template_nd::TemplateNDSpectralModel;

/// A spectrum: differential flux against energy.
pub trait SpectralModel: Debug + Send + Sync {
    /// Gammapy's type name, e.g. `"PowerLawSpectralModel"`.
    fn tag(&self) -> &'static str;

    /// Parameters in Gammapy's order.
    fn parameters(&self) -> &[Parameter];

    /// dnde in cm-2 s-1 TeV-1 at an energy in TeV (dimensionless for norm models).
    fn evaluate(&self, energy_tev: f64) -> f64;

    /// Integral flux in cm-2 s-1 from `min` to `max` TeV (TeV for norm models), Gammapy's number for this one bin:
    /// closed form where Gammapy has one, else its trapezoids (see [`SpectralModel::integral_bins`]).
    fn integral(&self, min_tev: f64, max_tev: f64) -> f64;

    /// Integral fluxes of successive bins. Without a closed form Gammapy integrates all bins on one number of nodes,
    /// set by the widest; models that do so override this.
    fn integral_bins(&self, edges_tev: &[f64]) -> Vec<f64> {
        edges_tev.windows(2).map(|w| self.integral(w[0], w[1])).collect()
    }

    /// Integral energy flux in TeV cm-2 s-1 from `min` to `max` TeV, Gammapy's number for this one bin.
    fn energy_flux(&self, min_tev: f64, max_tev: f64) -> f64;

    /// Integral energy fluxes of successive bins, as [`SpectralModel::integral_bins`].
    fn energy_flux_bins(&self, edges_tev: &[f64]) -> Vec<f64> {
        edges_tev.windows(2).map(|w| self.energy_flux(w[0], w[1])).collect()
    }

    /// Integral flux in cm-2 s-1 to about 1e-12, by a closed form or adaptive quadrature.
    fn integral_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        integrate::adaptive(|e| self.evaluate(e), min_tev, max_tev)
    }

    /// Integral energy flux in TeV cm-2 s-1 to about 1e-12, by a closed form or adaptive quadrature.
    fn energy_flux_exact(&self, min_tev: f64, max_tev: f64) -> f64 {
        integrate::adaptive(|e| e * self.evaluate(e), min_tev, max_tev)
    }

    /// True for models of a dimensionless norm, as backgrounds and templates need them.
    fn is_norm(&self) -> bool {
        self.tag().contains("Norm")
    }

    /// The same model with other parameters (by name; missing ones get Gammapy's defaults).
    ///
    /// # Errors
    /// For values or units that the parameter cannot have.
    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn SpectralModel>> {
        from_parameters(self.tag(), parameters)
    }

    /// The table of a [`TemplateSpectralModel`], `None` for other models.
    fn as_template(&self) -> Option<&TemplateSpectralModel> {
        None
    }

    /// The map of a [`TemplateNDSpectralModel`], `None` for other models.
    fn as_template_nd(&self) -> Option<&TemplateNDSpectralModel> {
        None
    }

    /// The energies of a [`PiecewiseNormSpectralModel`], `None` for other models.
    fn as_piecewise(&self) -> Option<&PiecewiseNormSpectralModel> {
        None
    }

    /// The table of an [`EblAbsorptionNormSpectralModel`], `None` for other models.
    fn as_absorption(&self) -> Option<&EblAbsorptionNormSpectralModel> {
        None
    }

    /// The parts of a [`CompoundSpectralModel`], `None` for other models.
    fn as_compound(&self) -> Option<&CompoundSpectralModel> {
        None
    }
}

/// The methods of models that Gammapy integrates with trapezoids, in flux and in energy flux.
macro_rules! trapezoid_integrals {
    () => {
        fn integral(&self, min_tev: f64, max_tev: f64) -> f64 {
            self.integral_bins(&[min_tev, max_tev])[0]
        }

        fn integral_bins(&self, edges_tev: &[f64]) -> Vec<f64> {
            super::integrate::loglog_bins(|e| self.evaluate(e), edges_tev)
        }

        fn energy_flux(&self, min_tev: f64, max_tev: f64) -> f64 {
            self.energy_flux_bins(&[min_tev, max_tev])[0]
        }

        fn energy_flux_bins(&self, edges_tev: &[f64]) -> Vec<f64> {
            super::integrate::loglog_bins(|e| e * self.evaluate(e), edges_tev)
        }
    };
}

/// Tag and parameters of a model with a `set`.
macro_rules! tag_and_parameters {
    () => {
        fn tag(&self) -> &'static str {
            Self::TAG
        }

        fn parameters(&self) -> &[Parameter] {
            self.set.parameters()
        }
    };
}

use {tag_and_parameters, trapezoid_integrals};

/// Unit of differential fluxes as Gammapy writes it.
const DNDE: &str = "TeV-1 s-1 cm-2";

#[cfg(test)]
mod tests;
