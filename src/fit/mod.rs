//! Maximum-likelihood fits of models to datasets: parameters, errors, profiles.
//!
//! One likelihood over any number of datasets, Cash for those with a known background, W for those with off counts and
//! what [`crate::datasets::PointsStatistic`] says for flux points, plus the priors. What a step needs again is kept: a source's shape through PSF and exposure as long as its position
//! and shape stay, so that spectral parameters only weigh energies anew.

mod background;
mod bins;
mod borders;
mod derivatives;
mod finish;
mod linear;
mod local;
mod minimize;
mod points;
mod problem;
mod profile;
mod source;
mod term;

pub use profile::{Contour, ErrorInterval, StatProfile};

use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::DatasetRef;
use crate::error::Result;
use crate::models::{Covariance, Models};

/// Options of a fit (Gammapy's `Fit`).
///
/// The minimum of −2 ln L is found by damped Newton steps with the derivatives of the predicted counts, within the bounds
/// of the parameters; errors are from the second derivatives there, as Minuit's HESSE gives them.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Most steps of one minimisation.
    pub max_iterations: usize,
    /// A minimum is reached where −2 ln L can sink by no more than this (Minuit's EDM).
    pub tolerance: f64,
}

impl Default for Fit {
    /// 200 steps, 1e-6.
    fn default() -> Self {
        Self { max_iterations: 200, tolerance: 1e-6 }
    }
}

/// What a fit found.
#[derive(Debug, Clone)]
pub struct FitResult {
    /// True where a minimum was reached and its errors can be trusted.
    pub success: bool,
    /// How it ended; the reason where it did not succeed.
    pub message: String,
    /// What should be known of a minimum that was reached: parameters at bounds, jagged statistics, sources of 0.
    pub remarks: Vec<String>,
    /// −2 ln L at the end, with priors (Gammapy's `total_stat`).
    pub stat: f64,
    /// The part of it that the priors have.
    pub stat_priors: f64,
    /// How often the predicted counts were computed.
    pub nfev: usize,
    /// Steps that were taken.
    pub iterations: usize,
    /// Full names of the parameters that ended at a bound; they count as fixed there for the errors of the others.
    pub at_bounds: Vec<String>,
    /// The models with fitted values and errors.
    pub models: Models,
    /// Covariance of all parameters.
    pub covariance: Covariance,
}

impl Fit {
    /// Fits all free parameters of the models to the datasets together. The datasets' own models are not looked at.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for datasets without counts or with the same name, a background model of a dataset that is
    /// not there, bins that cannot be predicted, or values beyond their bounds; [`crate::Error::Options`] where no
    /// parameter is free.
    pub fn run(
        &self,
        datasets: &[DatasetRef<'_>],
        models: &Models,
        backend: &Backend,
        control: &Control,
    ) -> Result<FitResult> {
        let backend = backend.precise()?;
        backend.install(|| finish::fit(self, datasets, models, &backend, control))
    }

    /// −2 ln L of models as they are, with priors (Gammapy's `Datasets.stat_sum`).
    ///
    /// # Errors
    /// As [`Fit::run`].
    pub fn stat(
        &self,
        datasets: &[DatasetRef<'_>],
        models: &Models,
        backend: &Backend,
        control: &Control,
    ) -> Result<f64> {
        let backend = backend.precise()?;
        backend.install(|| problem::Problem::new(datasets, models, &backend)?.stat_at_start(control))
    }
}
