//! Spatial models by Gammapy's type names.

use std::sync::Arc;

use super::*;
use crate::error::Error;

macro_rules! registry {
    ($($file:ident::$model:ident, $short:literal;)*) => {
        $(pub use super::$file::$model;)*

        /// Type names and short names of all models that have parameters alone (a template needs its map).
        pub const SPATIAL_TAGS: &[(&str, &str)] =
            &[$(($model::TAG, $short),)* (ConstantSpatialModel::TAG, "const")];

        /// A model by its type name (or Gammapy's short name, e.g. `"gauss"`) from parameters in any order; missing
        /// ones have Gammapy's defaults.
        ///
        /// # Errors
        /// [`Error::Input`] for an unknown name, with the known ones, and for parameters that the model cannot have.
        pub fn from_parameters(tag: &str, parameters: &[Parameter], frame: Frame) -> Result<Arc<dyn SpatialModel>> {
            match tag {
                $($model::TAG | $short => Ok(Arc::new($model::from_parameters(parameters, frame)?)),)*
                ConstantSpatialModel::TAG | "const" => Ok(Arc::new(ConstantSpatialModel::from_parameters(parameters)?)),
                _ => {
                    let known: Vec<&str> = SPATIAL_TAGS.iter().map(|t| t.0).collect();
                    Err(Error::input(tag, "is not a spatial model that can be used here").with_help(format!(
                        "known are {}, {}, {}",
                        known.join(", "),
                        MAP_TAGS.join(", "),
                        NODE_TAGS.join(", ")
                    )))
                }
            }
        }
    };
}

/// Type names of the models that need a map.
pub const MAP_TAGS: [&str; 2] = [TemplateSpatialModel::TAG, TemplateNDSpatialModel::TAG];

/// Type names of the models that need nodes.
pub const NODE_TAGS: [&str; 1] = [PiecewiseNormSpatialModel::TAG];

registry! {
    point::PointSpatialModel, "point";
    gaussian::GaussianSpatialModel, "gauss";
    generalized_gaussian::GeneralizedGaussianSpatialModel, "gauss-general";
    disk::DiskSpatialModel, "disk";
    shell::ShellSpatialModel, "shell";
    shell2::Shell2SpatialModel, "shell2";
}
