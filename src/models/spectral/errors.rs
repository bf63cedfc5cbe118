//! Errors of a spectrum from those of its parameters.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use super::SpectralModel;
use crate::error::{Error, Result};

/// Steps of the derivatives, in errors of the parameter: near enough for a slope, far enough for its digits.
const STEP: f64 = 0.01;

/// A spectrum whose parameters have a covariance: fluxes with errors, to first order in the parameters.
///
/// Gammapy draws 3500 sets of parameters and gives the median and the 16 % and 84 % quantiles of the fluxes; the two agree
/// where errors are small, and here nothing is random.
///
/// ```
/// use pevatron::models::spectral::{PowerLawSpectralModel, SpectralErrors};
/// let model = PowerLawSpectralModel::new(2.0, 1e-12, 1.0);
/// // Index and amplitude with errors of 0.1 and 1e-13, the reference energy without.
/// let covariance = ndarray::array![[0.01, 0.0, 0.0], [0.0, 1e-26, 0.0], [0.0, 0.0, 0.0]];
/// let errors = SpectralErrors::new(&model, covariance.view())?;
/// // At the reference energy the index makes no difference.
/// let (dnde, error) = errors.evaluate(1.0);
/// assert!((dnde - 1e-12).abs() < 1e-24 && (error - 1e-13).abs() < 1e-18);
/// let (dnde, error) = errors.evaluate(10.0);
/// assert!((error / dnde - 0.1f64.hypot(0.1 * 10f64.ln())).abs() < 1e-4);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug)]
pub struct SpectralErrors<'a> {
    model: &'a dyn SpectralModel,
    /// Parameters that have an error, with the model a step above and below and the distance of the two.
    moved: Vec<Moved>,
    /// Covariance of those parameters.
    covariance: Array2<f64>,
}

#[derive(Debug)]
struct Moved {
    above: Arc<dyn SpectralModel>,
    below: Arc<dyn SpectralModel>,
    width: f64,
}

impl<'a> SpectralErrors<'a> {
    /// With the covariance `[parameter, parameter]` of all parameters of the model, frozen ones with zeros.
    ///
    /// # Errors
    /// [`Error::Input`] for a matrix of another size, numbers that are not finite, or negative variances.
    pub fn new(model: &'a dyn SpectralModel, covariance: ArrayView2<'_, f64>) -> Result<Self> {
        let parameters = model.parameters();
        let n = parameters.len();
        if covariance.dim() != (n, n) {
            let problem = format!("{:?} values for the {n} parameters of a {}", covariance.dim(), model.tag());
            return Err(Error::input("covariance", problem));
        }
        if covariance.iter().any(|v| !v.is_finite()) || covariance.diag().iter().any(|v| *v < 0.0) {
            return Err(Error::input("covariance", "it has a negative variance or a value that is not finite"));
        }
        let known: Vec<usize> = (0..n).filter(|i| covariance[[*i, *i]] > 0.0).collect();
        let mut moved = Vec::with_capacity(known.len());
        for i in &known {
            let step = STEP * covariance[[*i, *i]].sqrt();
            let (min, max) = parameters[*i].bounds();
            let at = |value: f64| {
                let mut other = parameters.to_vec();
                other[*i].value = value.clamp(min, max);
                let width = other[*i].value - parameters[*i].value;
                Ok::<_, Error>((model.with_parameters(&other)?, width))
            };
            let ((above, up), (below, down)) = (at(parameters[*i].value + step)?, at(parameters[*i].value - step)?);
            moved.push(Moved { above, below, width: up - down });
        }
        let covariance = Array2::from_shape_fn((known.len(), known.len()), |(a, b)| covariance[[known[a], known[b]]]);
        Ok(Self { model, moved, covariance })
    }

    /// With the errors of the model's own parameters, as if they were independent.
    ///
    /// # Errors
    /// For values that the parameters cannot have.
    pub fn independent(model: &'a dyn SpectralModel) -> Result<Self> {
        let variance = |error: f64| if error.is_finite() { error * error } else { 0.0 };
        let errors = model.parameters().iter().map(|p| variance(p.error)).collect();
        Self::new(model, Array2::from_diag(&ndarray::Array1::from_vec(errors)).view())
    }

    /// True where no parameter has an error.
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty()
    }

    /// dnde at an energy in TeV and its error, in cm-2 s-1 TeV-1 (Gammapy's `evaluate_error`).
    pub fn evaluate(&self, energy_tev: f64) -> (f64, f64) {
        self.of(|m| m.evaluate(energy_tev))
    }

    /// Integral flux between two energies in TeV and its error, in cm-2 s-1 (`integral_error`).
    pub fn integral(&self, min_tev: f64, max_tev: f64) -> (f64, f64) {
        self.of(|m| m.integral(min_tev, max_tev))
    }

    /// Integral energy flux between two energies in TeV and its error, in TeV cm-2 s-1 (`energy_flux_error`).
    pub fn energy_flux(&self, min_tev: f64, max_tev: f64) -> (f64, f64) {
        self.of(|m| m.energy_flux(min_tev, max_tev))
    }

    /// Any number that a spectrum has, and its error.
    fn of(&self, value: impl Fn(&dyn SpectralModel) -> f64) -> (f64, f64) {
        let slope = |m: &Moved| {
            let difference = value(m.above.as_ref()) - value(m.below.as_ref());
            if m.width > 0.0 { difference / m.width } else { 0.0 }
        };
        let slopes: Vec<f64> = self.moved.iter().map(slope).collect();
        let mut variance = 0.0;
        for (i, a) in slopes.iter().enumerate() {
            for (j, b) in slopes.iter().enumerate() {
                variance += a * self.covariance[[i, j]] * b;
            }
        }
        // Rounding may leave a little less than nothing.
        (value(self.model), variance.max(0.0).sqrt())
    }
}
