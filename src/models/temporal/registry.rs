//! Temporal models by Gammapy's type names.

use std::sync::Arc;

use super::*;
use crate::error::Error;

macro_rules! registry {
    ($($file:ident::$model:ident, $short:literal;)*) => {
        $(pub use super::$file::$model;)*

        /// Type names and short names of all models that have parameters alone (a light curve needs its table).
        pub const TEMPORAL_TAGS: &[(&str, &str)] = &[$(($model::TAG, $short),)*];

        /// A model by its type name (or Gammapy's short name, e.g. `"gauss"`) from parameters in any order; missing ones
        /// have Gammapy's defaults.
        ///
        /// # Errors
        /// [`Error::Input`] for an unknown name, with the known ones, and for parameters that the model cannot have.
        pub fn from_parameters(tag: &str, parameters: &[Parameter], scale: &str) -> Result<Arc<dyn TemporalModel>> {
            match tag {
                $($model::TAG | $short => Ok(Arc::new($model::from_parameters(parameters, scale)?)),)*
                _ => {
                    let known: Vec<&str> = TEMPORAL_TAGS.iter().map(|t| t.0).collect();
                    Err(Error::input(tag, "is not a temporal model that can be used here").with_help(format!(
                        "known are {}, {}",
                        known.join(", "),
                        TABLE_TAGS.join(", ")
                    )))
                }
            }
        }
    };
}

/// Type names of the models that need a table.
pub const TABLE_TAGS: [&str; 2] = [LightCurveTemplateTemporalModel::TAG, TemplatePhaseCurveTemporalModel::TAG];

registry! {
    constant::ConstantTemporalModel, "const";
    linear::LinearTemporalModel, "linear";
    exp_decay::ExpDecayTemporalModel, "exp-decay";
    gaussian::GaussianTemporalModel, "gauss";
    generalized_gaussian::GeneralizedGaussianTemporalModel, "gengauss";
    power_law::PowerLawTemporalModel, "powerlaw";
    sine::SineTemporalModel, "sinus";
}
