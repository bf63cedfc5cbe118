//! Point source.

use super::{SpatialModel, centered_methods, centered_model};
use crate::maps::{Frame, SkyPosition};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 2] =
    [ParameterSpec::free("lon_0", 0.0, "deg"), ParameterSpec::free("lat_0", 0.0, "deg").bounded(-90.0, 90.0)];

/// All flux at one position. Predicted counts share it among the four nearest pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct PointSpatialModel {
    set: ParameterSet<2>,
    frame: Frame,
    shape: (),
}

centered_model!(PointSpatialModel, "PointSpatialModel", &SPECS, |_: &[f64; 2]| ());

impl PointSpatialModel {
    /// Position in degrees.
    pub fn new(lon_deg: f64, lat_deg: f64, frame: Frame) -> Self {
        Self::from_set(ParameterSet::new(&SPECS, [lon_deg, lat_deg]), frame)
    }
}

impl SpatialModel for PointSpatialModel {
    centered_methods!(&SPECS);

    fn is_point(&self) -> bool {
        true
    }

    /// Not used: a point has no surface brightness. Gives 0.
    fn evaluate(&self, _lon_deg: f64, _lat_deg: f64, _energy_tev: f64) -> f64 {
        0.0
    }

    fn evaluation_radius_deg(&self) -> Option<f64> {
        Some(0.0)
    }

    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        Some(0.0)
    }
}
