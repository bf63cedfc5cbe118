//! Spectral models by Gammapy's type names.

use std::sync::Arc;

use super::*;
use crate::error::{Error, Result};

macro_rules! registry {
    ($($model:ident, $short:literal;)*) => {
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
pub const TABLE_TAGS: [&str; 4] = [
    TemplateSpectralModel::TAG,
    CompoundSpectralModel::TAG,
    PiecewiseNormSpectralModel::TAG,
    EblAbsorptionNormSpectralModel::TAG,
];

registry! {
    PowerLawSpectralModel, "pl";
    PowerLaw2SpectralModel, "pl-2";
    PowerLawNormSpectralModel, "pl-norm";
    BrokenPowerLawSpectralModel, "bpl";
    SmoothBrokenPowerLawSpectralModel, "sbpl";
    ExpCutoffPowerLawSpectralModel, "ecpl";
    ExpCutoffPowerLawNormSpectralModel, "ecpl-norm";
    ExpCutoffPowerLaw3FGLSpectralModel, "ecpl-3fgl";
    SuperExpCutoffPowerLaw3FGLSpectralModel, "secpl-3fgl";
    SuperExpCutoffPowerLaw4FGLSpectralModel, "secpl-4fgl";
    SuperExpCutoffPowerLaw4FGLDR3SpectralModel, "secpl-4fgl-dr3";
    LogParabolaSpectralModel, "lp";
    LogParabolaNormSpectralModel, "lp-norm";
    ConstantSpectralModel, "const";
}
