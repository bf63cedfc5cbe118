//! A table of energies and values.

use std::sync::Arc;

use super::{SpectralModel, trapezoid_integrals};
use crate::error::{Error, Result};
use crate::models::Parameter;
use crate::units::Unit;

/// Interpolation between the values of a table, linear in the logarithms of energy and value, extrapolated beyond its
/// ends (Gammapy's `TemplateSpectralModel`). It has no parameters.
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::TemplateSpectralModel;
/// let model = TemplateSpectralModel::new(vec![1.0, 100.0], vec![1e-10, 1e-14])?;
/// assert!((model.evaluate(10.0) / 1e-12 - 1.0).abs() < 1e-12);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateSpectralModel {
    energies: Vec<f64>,
    energy_unit: Unit,
    values: Vec<f64>,
    value_unit: Unit,
    /// ln of energy in TeV and of value in cm-2 s-1 TeV-1.
    nodes: Vec<(f64, f64)>,
    /// Values up to this are 0: twice the smallest normal number in the table's unit, as in Gammapy.
    zero: f64,
}

impl TemplateSpectralModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "TemplateSpectralModel";

    /// From energies in TeV, increasing, and values in cm-2 s-1 TeV-1.
    ///
    /// # Errors
    /// As [`TemplateSpectralModel::with_units`].
    pub fn new(energies_tev: Vec<f64>, values: Vec<f64>) -> Result<Self> {
        Self::with_units(energies_tev, "TeV".parse()?, values, "cm-2 s-1 TeV-1".parse()?)
    }

    /// From energies and values in any units; dimensionless values make it a norm, values per energy a spectrum of counts
    /// (see [`crate::models::ApplyIrf`]).
    ///
    /// # Errors
    /// [`Error::Input`] for an empty table, unlike lengths, energies that are not positive and increasing, values that
    /// are not finite, or wrong units.
    pub fn with_units(energies: Vec<f64>, energy_unit: Unit, values: Vec<f64>, value_unit: Unit) -> Result<Self> {
        let wrong = |what: String| Err(Error::input(Self::TAG, what));
        if energies.is_empty() || energies.len() != values.len() {
            return wrong(format!("{} energies and {} values", energies.len(), values.len()));
        }
        let energy_factor = energy_unit.factor_to_text("TeV")?;
        let value_factor = if value_unit == Unit::dimensionless() {
            1.0
        } else {
            let flux = value_unit.factor_to_text("cm-2 s-1 TeV-1");
            flux.or_else(|e| value_unit.factor_to_text("TeV-1").map_err(|_| e))?
        };
        if let Some(e) = energies.iter().find(|e| !(e.is_finite() && **e > 0.0)) {
            return wrong(format!("energy {e} is not a positive number"));
        }
        if let Some(pair) = energies.windows(2).find(|w| w[1] <= w[0]) {
            return wrong(format!("energy {} does not follow {}", pair[1], pair[0]));
        }
        if let Some(v) = values.iter().find(|v| !v.is_finite()) {
            return wrong(format!("value {v} is not a finite number"));
        }
        // Zeros and negative values stand for the smallest number, as in Gammapy's logarithmic scale (which clips the
        // value in its own unit).
        let ln = |v: f64| v.max(f64::MIN_POSITIVE).ln() + value_factor.ln();
        let nodes = energies.iter().zip(&values).map(|(e, v)| ((e * energy_factor).ln(), ln(*v))).collect();
        Ok(Self { energies, energy_unit, values, value_unit, nodes, zero: 2.0 * f64::MIN_POSITIVE * value_factor })
    }

    /// Energies as given, and their unit.
    pub fn energies(&self) -> (&[f64], &Unit) {
        (&self.energies, &self.energy_unit)
    }

    /// Values as given, and their unit.
    pub fn values(&self) -> (&[f64], &Unit) {
        (&self.values, &self.value_unit)
    }
}

impl SpectralModel for TemplateSpectralModel {
    trapezoid_integrals!();

    fn tag(&self) -> &'static str {
        Self::TAG
    }

    fn parameters(&self) -> &[Parameter] {
        &[]
    }

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let n = self.nodes.len();
        let x = energy_tev.ln();
        let y = if n == 1 {
            self.nodes[0].1
        } else {
            let upper = self.nodes.partition_point(|p| p.0 <= x).clamp(1, n - 1);
            let ((x0, y0), (x1, y1)) = (self.nodes[upper - 1], self.nodes[upper]);
            y0 + (y1 - y0) * ((x - x0) / (x1 - x0))
        };
        let value = y.exp();
        if value <= self.zero { 0.0 } else { value }
    }

    fn is_norm(&self) -> bool {
        self.value_unit == Unit::dimensionless()
    }

    fn with_parameters(&self, _parameters: &[Parameter]) -> Result<Arc<dyn SpectralModel>> {
        Ok(Arc::new(self.clone()))
    }

    fn as_template(&self) -> Option<&TemplateSpectralModel> {
        Some(self)
    }
}
