//! Spatial models, one per file.

use std::fmt::Debug;

use super::parameter::Parameter;
use crate::maps::{Frame, SkyPosition};

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
    /// energy axis look at it).
    fn evaluate(&self, lon_deg: f64, lat_deg: f64, energy_tev: f64) -> f64;

    /// True where the shape varies with energy.
    fn is_energy_dependent(&self) -> bool {
        false
    }

    /// Radius around the position, in degrees, beyond which the model is taken as 0; `None`: everywhere.
    fn evaluation_radius_deg(&self) -> Option<f64>;

    /// Pixel size in degrees that resolves the model, Gammapy's `evaluation_bin_size_min`; `None`: any.
    fn evaluation_bin_size_min_deg(&self) -> Option<f64>;
}
