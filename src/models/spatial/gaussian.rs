//! Gaussian, round or elliptical.

use std::f64::consts::PI;

use super::center::{Center, Ellipse, versine};
use super::{SpatialModel, centered_methods, centered_model};
use crate::maps::{Frame, SkyPosition};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 5] = [
    ParameterSpec::free("lon_0", 0.0, "deg"),
    ParameterSpec::free("lat_0", 0.0, "deg").bounded(-90.0, 90.0),
    ParameterSpec::free("sigma", 1.0, "deg").bounded(0.0, f64::NAN),
    ParameterSpec::frozen("e", 0.0, "").bounded(0.0, 1.0),
    ParameterSpec::frozen("phi", 0.0, "deg").bounded(-180.0, 180.0),
];

/// N exp(-(1 - cos θ) / (2 (1 - cos σ))): a Gaussian on the sphere, θ the distance to the centre.
///
/// Round, N = 1 / (4π a (1 - exp(-1/a))) with a = 1 - cos σ, the exact norm on the sphere. Elliptical, σ is the radius
/// of the ellipse with semiaxes sigma and sigma sqrt(1 - e²) in the direction of the position, the major axis at
/// position angle phi (from north through east), and N = 1 / (2π sigma² sqrt(1 - e²)).
///
/// Gammapy: computes 1 - cos θ as such, which costs it 1e-16 / a of the value (1e-8 for sigma 0.005 deg).
///
/// ```
/// use pevatron::maps::Frame;
/// use pevatron::models::SpatialModel;
/// use pevatron::models::spatial::GaussianSpatialModel;
/// let model = GaussianSpatialModel::new(83.63, 22.01, 0.1, 0.0, 0.0, Frame::Icrs);
/// let ratio = model.evaluate(83.63, 22.11, 1.0) / model.evaluate(83.63, 22.01, 1.0);
/// assert!((ratio - (-0.5f64).exp()).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianSpatialModel {
    set: ParameterSet<5>,
    frame: Frame,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    center: Center,
    ellipse: Ellipse,
    norm: f64,
}

fn prepare([lon, lat, sigma, e, phi]: &[f64; 5]) -> Shape {
    let ellipse = Ellipse::new(*sigma, *e, *phi);
    let norm = if *e == 0.0 {
        let a = versine(ellipse.major);
        1.0 / (4.0 * PI * a * -(-1.0 / a).exp_m1())
    } else {
        1.0 / (2.0 * PI * ellipse.major * ellipse.minor)
    };
    Shape { center: Center::new(*lon, *lat), ellipse, norm }
}

centered_model!(GaussianSpatialModel, "GaussianSpatialModel", &SPECS, prepare);

impl GaussianSpatialModel {
    /// Position and sigma (along the major axis) in degrees, eccentricity, position angle of the major axis in
    /// degrees.
    pub fn new(lon_deg: f64, lat_deg: f64, sigma_deg: f64, e: f64, phi_deg: f64, frame: Frame) -> Self {
        Self::from_set(ParameterSet::new(&SPECS, [lon_deg, lat_deg, sigma_deg, e, phi_deg]), frame)
    }
}

impl SpatialModel for GaussianSpatialModel {
    centered_methods!(&SPECS);

    fn evaluate(&self, lon_deg: f64, lat_deg: f64, _energy_tev: f64) -> f64 {
        let Shape { center, ellipse, norm } = &self.shape;
        let (separation, sigma) = if ellipse.is_circle() {
            (center.separation(lon_deg, lat_deg), ellipse.major)
        } else {
            let offset = center.offset(lon_deg, lat_deg);
            (offset.separation, ellipse.radius(offset.angle))
        };
        norm * (-0.5 * versine(separation) / versine(sigma)).exp()
    }

    /// 5 sigma.
    fn evaluation_radius_deg(&self) -> Option<f64> {
        Some(5.0 * self.set.values()[2])
    }

    /// sigma / 3.
    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        Some(self.set.values()[2] / 3.0)
    }
}
