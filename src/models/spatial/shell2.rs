//! Shell by its outer radius and relative width, projected on the sky.

use super::center::per_square;
use super::shell::Shell;
use super::{SpatialModel, centered_methods, centered_model};
use crate::maps::{Frame, SkyPosition};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 4] = [
    ParameterSpec::free("lon_0", 0.0, "deg"),
    ParameterSpec::free("lat_0", 0.0, "deg").bounded(-90.0, 90.0),
    ParameterSpec::free("r_0", 1.0, "deg"),
    ParameterSpec::free("eta", 0.2, "").bounded(0.02, 1.0),
];

/// The projection of a homogeneous shell with outer radius `r_0` and inner radius `r_0 (1 - eta)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Shell2SpatialModel {
    set: ParameterSet<4>,
    frame: Frame,
    shape: Shell,
}

fn prepare([lon, lat, r_0, eta]: &[f64; 4]) -> Shell {
    Shell::new(*lon, *lat, (1.0 - eta) * r_0, *r_0)
}

centered_model!(Shell2SpatialModel, "Shell2SpatialModel", &SPECS, prepare);

impl Shell2SpatialModel {
    /// Position and outer radius in degrees, width as a fraction of it.
    pub fn new(lon_deg: f64, lat_deg: f64, r_0_deg: f64, eta: f64, frame: Frame) -> Self {
        Self::from_set(ParameterSet::new(&SPECS, [lon_deg, lat_deg, r_0_deg, eta]), frame)
    }
}

impl SpatialModel for Shell2SpatialModel {
    centered_methods!(&SPECS);

    fn has_border(&self) -> bool {
        true
    }

    fn evaluate(&self, lon_deg: f64, lat_deg: f64, _energy_tev: f64) -> f64 {
        self.shape.evaluate(lon_deg, lat_deg, 0.0)
    }

    fn evaluate_smooth(&self, lon_deg: f64, lat_deg: f64, _energy_tev: f64, width_deg: f64) -> f64 {
        self.shape.evaluate(lon_deg, lat_deg, width_deg)
    }

    /// r_0.
    fn unit_factor(&self) -> f64 {
        per_square(&self.set.parameters()[2].unit)
    }

    fn evaluation_radius_deg(&self) -> Option<f64> {
        Some(self.set.values()[2])
    }

    /// eta r_0.
    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        let [_, _, r_0, eta] = self.set.values();
        Some(eta * r_0)
    }
}
