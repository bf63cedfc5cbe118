//! Spectral models by Gammapy's type names.

use std::sync::Arc;

use super::*;
use crate::error::{Error, Result};

macro_rules! registry {
    ($($file:ident::$model:ident, $short:literal;)*) => {
        $(pub use super::$file::$model;)*

        /// Type names and short names of all models that have parameters alone (a template needs its table).
        pub const SPECTRAL_TAGS: &[(&str, &str)] = &[$(($model::TAG, $short),)*];

        /// A model by its type name (or Gammapy's short name, e.g. `"pl"`) from parameters in any order; missing ones
        /// have Gammapy's defaults.
        ///
        /// ```
        /// let model = pevatron::models::spectral::from_parameters("pl", &[])?;
        /// assert_eq!(model.evaluate(1.0), 1e-12);
        /// # Ok::<(), pevatron::Error>(())
        /// ```
        ///
        /// # Errors
        /// [`Error::Input`] for an unknown name, with the known ones, and for parameters that the model cannot have.
        pub fn from_parameters(tag: &str, parameters: &[Parameter]) -> Result<Arc<dyn SpectralModel>> {
            match tag {
                $($model::TAG | $short => Ok(Arc::new($model::from_parameters(parameters)?)),)*
                _ => {
                    let known: Vec<&str> = SPECTRAL_TAGS.iter().map(|t| t.0).collect();
                    Err(Error::input(tag, "is not a spectral model that can be used here").with_help(format!(
                        "known are {}, {}",
                        known.join(", "),
                        TABLE_TAGS.join(", ")
                    )))
                }
            }
        }
    };
}

/// Type names of the models that need more than parameters.
pub const TABLE_TAGS: [&str; 5] = [
    TemplateSpectralModel::TAG,
    TemplateNDSpectralModel::TAG,
    CompoundSpectralModel::TAG,
    PiecewiseNormSpectralModel::TAG,
    EblAbsorptionNormSpectralModel::TAG,
];

registry! {
    power_law::PowerLawSpectralModel, "pl";
    power_law2::PowerLaw2SpectralModel, "pl-2";
    power_law_norm::PowerLawNormSpectralModel, "pl-norm";
    broken_power_law::BrokenPowerLawSpectralModel, "bpl";
    smooth_broken_power_law::SmoothBrokenPowerLawSpectralModel, "sbpl";
    exp_cutoff_power_law::ExpCutoffPowerLawSpectralModel, "ecpl";
    exp_cutoff_power_law::ExpCutoffPowerLawNormSpectralModel, "ecpl-norm";
    exp_cutoff_3fgl::ExpCutoffPowerLaw3FGLSpectralModel, "ecpl-3fgl";
    super_exp_cutoff_3fgl::SuperExpCutoffPowerLaw3FGLSpectralModel, "secpl-3fgl";
    super_exp_cutoff_4fgl::SuperExpCutoffPowerLaw4FGLSpectralModel, "secpl-4fgl";
    super_exp_cutoff_4fgl_dr3::SuperExpCutoffPowerLaw4FGLDR3SpectralModel, "secpl-4fgl-dr3";
    log_parabola::LogParabolaSpectralModel, "lp";
    log_parabola::LogParabola2SpectralModel, "lp2";
    log_parabola::LogParabolaNormSpectralModel, "lp-norm";
    gaussian::GaussianSpectralModel, "gauss";
    crab::MeyerCrabSpectralModel, "crab";
    constant::ConstantSpectralModel, "const";
}
