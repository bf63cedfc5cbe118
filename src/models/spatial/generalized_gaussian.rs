//! Generalised Gaussian: from a disk through a Gaussian to a Laplace profile.

use std::f64::consts::PI;

use super::center::{Center, Ellipse};
use super::{SpatialModel, centered_methods, centered_model};
use crate::maps::{Frame, SkyPosition};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 6] = [
    ParameterSpec::free("lon_0", 0.0, "deg"),
    ParameterSpec::free("lat_0", 0.0, "deg").bounded(-90.0, 90.0),
    ParameterSpec::free("r_0", 1.0, "deg"),
    ParameterSpec::free("eta", 0.5, "").bounded(0.01, 1.0),
    ParameterSpec::frozen("e", 0.0, "").bounded(0.0, 1.0),
    ParameterSpec::frozen("phi", 0.0, "deg").bounded(-180.0, 180.0),
];

/// N exp(-(θ / r)^(1/eta)) with N = 1 / (2π r_0² sqrt(1 - e²) eta Γ(2 eta)) and r the radius of the ellipse in the
/// direction of the position.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneralizedGaussianSpatialModel {
    set: ParameterSet<6>,
    frame: Frame,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    center: Center,
    ellipse: Ellipse,
    power: f64,
    norm: f64,
}

fn prepare([lon, lat, r_0, eta, e, phi]: &[f64; 6]) -> Shape {
    let ellipse = Ellipse::new(*r_0, *e, *phi);
    let norm = 1.0 / (2.0 * PI * ellipse.minor * ellipse.major * eta * libm::tgamma(2.0 * eta));
    Shape { center: Center::new(*lon, *lat), ellipse, power: 1.0 / eta, norm }
}

centered_model!(GeneralizedGaussianSpatialModel, "GeneralizedGaussianSpatialModel", &SPECS, prepare);

impl GeneralizedGaussianSpatialModel {
    /// Position and major semiaxis in degrees, eta (0.5: Gaussian), eccentricity, position angle in degrees.
    pub fn new(lon_deg: f64, lat_deg: f64, r_0_deg: f64, eta: f64, e: f64, phi_deg: f64, frame: Frame) -> Self {
        Self::from_set(ParameterSet::new(&SPECS, [lon_deg, lat_deg, r_0_deg, eta, e, phi_deg]), frame)
    }
}

impl SpatialModel for GeneralizedGaussianSpatialModel {
    centered_methods!(&SPECS);

    fn evaluate(&self, lon_deg: f64, lat_deg: f64, _energy_tev: f64) -> f64 {
        let Shape { center, ellipse, power, norm } = &self.shape;
        let offset = center.offset(lon_deg, lat_deg);
        norm * (-(offset.separation / ellipse.radius(offset.angle)).powf(*power)).exp()
    }

    /// r_0 (1 + 8 eta).
    fn evaluation_radius_deg(&self) -> Option<f64> {
        let [_, _, r_0, eta, ..] = self.set.values();
        Some(r_0 * (1.0 + 8.0 * eta))
    }

    /// r_0 / (3 + 8 eta) / (1 + e).
    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        let [_, _, r_0, eta, e, _] = self.set.values();
        Some(r_0 / (3.0 + 8.0 * eta) / (e + 1.0))
    }
}
