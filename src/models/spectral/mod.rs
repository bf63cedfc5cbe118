//! Spectral models, one per file.

use std::fmt::Debug;

use super::parameter::Parameter;

/// A spectrum: differential flux against energy.
pub trait SpectralModel: Debug + Send + Sync {
    /// Gammapy's type name, e.g. `"PowerLawSpectralModel"`.
    fn tag(&self) -> &'static str;

    /// Parameters in Gammapy's order.
    fn parameters(&self) -> &[Parameter];

    /// dnde in cm-2 s-1 TeV-1 at an energy in TeV (dimensionless for norm models).
    fn evaluate(&self, energy_tev: f64) -> f64;

    /// Integral flux in cm-2 s-1 from `min` to `max` TeV: closed form where there is one, else as Gammapy's numbers
    /// need it.
    fn integral(&self, min_tev: f64, max_tev: f64) -> f64;

    /// Integral fluxes of successive bins. Without a closed form Gammapy integrates all bins on one number of nodes,
    /// set by the widest; models that do so override this.
    fn integral_bins(&self, edges_tev: &[f64]) -> Vec<f64> {
        edges_tev.windows(2).map(|w| self.integral(w[0], w[1])).collect()
    }

    /// Integral energy flux in TeV cm-2 s-1 from `min` to `max` TeV.
    fn energy_flux(&self, min_tev: f64, max_tev: f64) -> f64;
}
