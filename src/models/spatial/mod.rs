//! Spatial models, one per file.

use std::fmt::Debug;
use std::sync::Arc;

use super::parameter::Parameter;
use crate::error::Result;
use crate::maps::{Frame, SkyPosition};

mod center;
mod constant;
mod disk;
mod gaussian;
mod generalized_gaussian;
mod piecewise;
mod pixels;
mod point;
mod registry;
mod shell;
mod shell2;
mod smooth_border;
mod template;
mod template_nd;

pub use constant::ConstantSpatialModel;
pub use piecewise::PiecewiseNormSpatialModel;
pub(crate) use pixels::{pixel_factors, value_at};
pub use registry::*;
pub use smooth_border::SmoothBorder;
pub use template::TemplateSpatialModel;
pub use template_nd::TemplateNDSpatialModel;

/// A source's shape on the sky: surface brightness per sr, integrating to 1 (templates to their own sum).
pub trait SpatialModel: Debug + Send + Sync {
    /// Gammapy's type name, e.g. `"GaussianSpatialModel"`.
    fn tag(&self) -> &'static str;

    /// Parameters in Gammapy's order.
    fn parameters(&self) -> &[Parameter];

    /// Frame of the parameters.
    fn frame(&self) -> Frame;

    /// Centre; `None` for models without one.
    fn position(&self) -> Option<SkyPosition>;

    /// The same shape at another centre (given in any frame), expressed in the model's own frame.
    fn at_position(&self, position: SkyPosition) -> Box<dyn SpatialModel>;

    /// True for point sources: all flux in one place, `evaluate` is not used.
    fn is_point(&self) -> bool {
        false
    }

    /// Surface brightness in sr-1 at a position (degrees, the model's frame) and energy (TeV; only templates with an
    /// energy axis look at it). A template in units of a flux gives cm-2 s-1 TeV-1 sr-1.
    fn evaluate(&self, lon_deg: f64, lat_deg: f64, energy_tev: f64) -> f64;

    /// True where the shape varies with energy.
    fn is_energy_dependent(&self) -> bool {
        false
    }

    /// True where the brightness ends at a border within less than a pixel: drawn on pixels, such a shape changes in steps.
    fn has_border(&self) -> bool {
        false
    }

    /// As [`SpatialModel::evaluate`] with a border, if the model has one, that falls over about `width_deg`, smoothly in all
    /// parameters: what [`SmoothBorder`] is made of.
    fn evaluate_smooth(&self, lon_deg: f64, lat_deg: f64, energy_tev: f64, width_deg: f64) -> f64 {
        let _ = width_deg;
        self.evaluate(lon_deg, lat_deg, energy_tev)
    }

    /// True for factors without a unit, which scale a background or a template and are not the shape of a source.
    fn is_norm(&self) -> bool {
        false
    }

    /// What a value in sr-1 is multiplied with to be the number that scales counts. Gammapy drops the unit there, which is
    /// sr-1 for most models, but that of the parameter or map for some.
    fn unit_factor(&self) -> f64 {
        1.0
    }

    /// True where the value is a sum of terms, each of them proportional to one of the parameters.
    fn is_linear(&self) -> bool {
        false
    }

    /// Radius around the position, in degrees, beyond which the model is taken as 0; `None`: everywhere.
    fn evaluation_radius_deg(&self) -> Option<f64>;

    /// Pixel size in degrees that resolves the model, Gammapy's `evaluation_bin_size_min`; `None`: any.
    fn evaluation_bin_size_min_deg(&self) -> Option<f64>;

    /// The same model with other parameters (by name; missing ones get Gammapy's defaults).
    ///
    /// # Errors
    /// For values or units that the parameter cannot have.
    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn SpatialModel>> {
        from_parameters(self.tag(), parameters, self.frame())
    }

    /// The map of a [`TemplateSpatialModel`], `None` for other models.
    fn as_template(&self) -> Option<&TemplateSpatialModel> {
        None
    }

    /// The nodes of a [`PiecewiseNormSpatialModel`], `None` for other models.
    fn as_piecewise(&self) -> Option<&PiecewiseNormSpatialModel> {
        None
    }

    /// The map of a [`TemplateNDSpatialModel`], `None` for other models.
    fn as_template_nd(&self) -> Option<&TemplateNDSpatialModel> {
        None
    }
}

/// A shape made of parameters alone, with its centre first: everything but its formula.
///
/// The type has the fields `set`, `frame` and `shape`; `$prepare` computes the shape from the parameters' values once.
macro_rules! centered_model {
    ($name:ident, $tag:literal, $specs:expr, $prepare:expr) => {
        impl Default for $name {
            /// With Gammapy's default parameters, in ICRS.
            fn default() -> Self {
                Self::from_set(ParameterSet::defaults($specs), Frame::Icrs)
            }
        }

        impl $name {
            /// Gammapy's type name.
            pub const TAG: &'static str = $tag;

            fn from_set(set: ParameterSet<{ $specs.len() }>, frame: Frame) -> Self {
                let shape = $prepare(set.values());
                Self { set, frame, shape }
            }

            /// From parameters in any order and unit; missing ones have Gammapy's defaults, unknown ones are ignored.
            ///
            /// # Errors
            /// [`crate::Error::Input`] that names the parameter, for a value that is not finite or a unit of another
            /// kind.
            pub fn from_parameters(parameters: &[Parameter], frame: Frame) -> crate::Result<Self> {
                Ok(Self::from_set(ParameterSet::from_parameters(Self::TAG, $specs, parameters)?, frame))
            }
        }
    };
}

/// The methods of the trait that need no formula.
macro_rules! centered_methods {
    ($specs:expr) => {
        fn tag(&self) -> &'static str {
            Self::TAG
        }

        fn parameters(&self) -> &[Parameter] {
            self.set.parameters()
        }

        fn frame(&self) -> Frame {
            self.frame
        }

        fn position(&self) -> Option<SkyPosition> {
            let values = self.set.values();
            Some(SkyPosition { lon_deg: values[0], lat_deg: values[1], frame: self.frame })
        }

        fn at_position(&self, position: SkyPosition) -> Box<dyn SpatialModel> {
            let p = if position.frame == self.frame { position } else { position.to_frame(self.frame) };
            let set = self.set.clone().with_value($specs, 0, p.lon_deg).with_value($specs, 1, p.lat_deg);
            Box::new(Self::from_set(set, self.frame))
        }
    };
}

use {centered_methods, centered_model};

#[cfg(test)]
mod tests;
