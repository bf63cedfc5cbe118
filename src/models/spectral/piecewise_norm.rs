//! A free norm at each of several energies.

use std::sync::Arc;

use super::{SpectralModel, trapezoid_integrals};
use crate::error::{Error, Result};
use crate::models::Parameter;
use crate::units::Unit;

/// Norms at fixed energies, each a parameter `norm_0`, `norm_1`, …; in between linear in the logarithms of energy and norm
/// (or in themselves), beyond the ends constant. It multiplies other spectra (Gammapy's `PiecewiseNormSpectralModel`).
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::PiecewiseNormSpectralModel;
/// let model = PiecewiseNormSpectralModel::new(vec![1.0, 100.0], vec![1.0, 4.0])?;
/// assert!((model.evaluate(10.0) - 2.0).abs() < 1e-12);
/// assert_eq!(model.evaluate(1000.0), 4.0);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PiecewiseNormSpectralModel {
    energies: Vec<f64>,
    energy_unit: Unit,
    parameters: Vec<Parameter>,
    is_log: bool,
    /// Energy in TeV and norm, or their logarithms.
    nodes: Vec<(f64, f64)>,
}

impl PiecewiseNormSpectralModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "PiecewiseNormSpectralModel";

    /// From energies in TeV, increasing, and norms, interpolated in logarithms.
    ///
    /// # Errors
    /// As [`PiecewiseNormSpectralModel::with_nodes`].
    pub fn new(energies_tev: Vec<f64>, norms: Vec<f64>) -> Result<Self> {
        let parameters: Vec<Parameter> = norms
            .into_iter()
            .enumerate()
            .map(|(i, norm)| Parameter::new(&format!("norm_{i}"), norm, Unit::dimensionless()))
            .collect();
        Self::with_nodes(energies_tev, "TeV".parse()?, &parameters, true)
    }

    /// From energies in any unit and a parameter for each.
    ///
    /// # Errors
    /// [`Error::Input`] for fewer than two energies, as many norms as there are energies not being there, energies that
    /// are not positive and increasing, or norms that are not finite numbers without a unit.
    pub fn with_nodes(energies: Vec<f64>, energy_unit: Unit, norms: &[Parameter], is_log: bool) -> Result<Self> {
        let wrong = |what: String| Err(Error::input(Self::TAG, what));
        if energies.len() < 2 || energies.len() != norms.len() {
            return wrong(format!("{} energies and {} norms, of two or more", energies.len(), norms.len()));
        }
        let factor = energy_unit.factor_to_text("TeV")?;
        if energies.iter().any(|e| !(e.is_finite() && *e > 0.0)) || energies.windows(2).any(|w| w[1] <= w[0]) {
            return wrong("its energies are not positive and increasing".to_string());
        }
        let mut nodes = Vec::new();
        for (energy, norm) in energies.iter().zip(norms) {
            let value = norm.value * norm.unit.factor_to(&Unit::dimensionless())?;
            if !value.is_finite() {
                return wrong(format!("{} {} is not a finite number", norm.name, norm.value));
            }
            let tev = energy * factor;
            nodes.push(if is_log { (tev.ln(), value.max(f64::MIN_POSITIVE).ln()) } else { (tev, value) });
        }
        Ok(Self { energies, energy_unit, parameters: norms.to_vec(), is_log, nodes })
    }

    /// Energies as given, and their unit.
    pub fn energies(&self) -> (&[f64], &Unit) {
        (&self.energies, &self.energy_unit)
    }

    /// True where it is linear in logarithms.
    pub fn is_log(&self) -> bool {
        self.is_log
    }
}

impl SpectralModel for PiecewiseNormSpectralModel {
    trapezoid_integrals!();

    fn tag(&self) -> &'static str {
        Self::TAG
    }

    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let n = self.nodes.len();
        let x = if self.is_log { energy_tev.ln() } else { energy_tev };
        let x = x.clamp(self.nodes[0].0, self.nodes[n - 1].0);
        let upper = self.nodes.partition_point(|p| p.0 <= x).clamp(1, n - 1);
        let ((x0, y0), (x1, y1)) = (self.nodes[upper - 1], self.nodes[upper]);
        let y = y0 + (y1 - y0) * ((x - x0) / (x1 - x0));
        if !self.is_log {
            return y;
        }
        let value = y.exp();
        if value <= 2.0 * f64::MIN_POSITIVE { 0.0 } else { value }
    }

    /// All norms, in order.
    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn SpectralModel>> {
        Ok(Arc::new(Self::with_nodes(self.energies.clone(), self.energy_unit.clone(), parameters, self.is_log)?))
    }

    fn as_piecewise(&self) -> Option<&PiecewiseNormSpectralModel> {
        Some(self)
    }
}
