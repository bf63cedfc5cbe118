//! Disk with a smooth edge, round or elliptical.

use std::f64::consts::{FRAC_PI_2, PI};

use super::center::{Center, Ellipse, versine};
use super::{SpatialModel, centered_methods, centered_model};
use crate::maps::{Frame, SkyPosition};
use crate::math::quadrature;
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 6] = [
    ParameterSpec::free("lon_0", 0.0, "deg"),
    ParameterSpec::free("lat_0", 0.0, "deg").bounded(-90.0, 90.0),
    ParameterSpec::free("r_0", 1.0, "deg").bounded(0.0, f64::NAN),
    ParameterSpec::frozen("e", 0.0, "").bounded(0.0, 1.0),
    ParameterSpec::frozen("phi", 0.0, "deg").bounded(-180.0, 180.0),
    ParameterSpec::frozen("edge_width", 0.01, "").bounded(0.0, 1.0),
];

/// Twice the x with erf(x) = 0.9: the edge falls from 95 % to 5 % over its width.
const EDGE_WIDTH_95: f64 = 2.326_174_307_353_347;

/// N (1 - erf(2.326 (θ - r) / (r edge_width))) / 2, with r the radius of the ellipse in the direction of the position:
/// 1 / (solid angle of the ellipse) inside, falling from 95 % to 5 % over edge_width times the radius.
///
/// Gammapy: the solid angle of elongated disks is integrated with an absolute tolerance, which leaves it 1e-5 off for
/// r_0 0.1 deg and e 0.99 (1e-11 for usual ones); here it is good to 1e-12.
///
/// ```
/// use pevatron::maps::Frame;
/// use pevatron::models::SpatialModel;
/// use pevatron::models::spatial::DiskSpatialModel;
/// let model = DiskSpatialModel::new(0.0, 0.0, 1.0, 0.0, 0.0, 0.01, Frame::Galactic);
/// let solid_angle_sr = std::f64::consts::TAU * (1.0 - 1f64.to_radians().cos());
/// assert!((model.evaluate(0.0, 0.5, 1.0) * solid_angle_sr - 1.0).abs() < 1e-9);
/// assert_eq!(model.evaluate(0.0, 1.5, 1.0), 0.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DiskSpatialModel {
    set: ParameterSet<6>,
    frame: Frame,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    center: Center,
    ellipse: Ellipse,
    edge_width: f64,
    norm: f64,
}

/// Solid angle of an ellipse on the sphere: ∫ (1 - cos r(x)) dx with sin² r = 1 / (B + C cos² x), B = 1 / sin² minor,
/// C = 1 / sin² major - B.
fn solid_angle(ellipse: &Ellipse) -> f64 {
    if ellipse.is_circle() {
        return 2.0 * PI * versine(ellipse.major);
    }
    let (a, b) = (ellipse.major.sin(), ellipse.minor.sin());
    let (a2, b2) = (a * a, b * b);
    let one_minus_cos = |x: f64| {
        let (sin, cos) = x.sin_cos();
        let sin2_radius = a2 * b2 / (a2 * sin * sin + b2 * cos * cos);
        // 1 - sqrt(1 - s) without a loss of digits.
        sin2_radius / (1.0 + (1.0 - sin2_radius).max(0.0).sqrt())
    };
    4.0 * quadrature::integrate(one_minus_cos, 0.0, FRAC_PI_2, 0.0, 1e-13).value
}

fn prepare([lon, lat, r_0, e, phi, edge_width]: &[f64; 6]) -> Shape {
    let ellipse = Ellipse::new(*r_0, *e, *phi);
    Shape { center: Center::new(*lon, *lat), ellipse, edge_width: *edge_width, norm: 1.0 / solid_angle(&ellipse) }
}

centered_model!(DiskSpatialModel, "DiskSpatialModel", &SPECS, prepare);

impl DiskSpatialModel {
    /// Position and major semiaxis in degrees, eccentricity, position angle in degrees, width of the edge as a
    /// fraction of the radius.
    pub fn new(lon_deg: f64, lat_deg: f64, r_0_deg: f64, e: f64, phi_deg: f64, edge_width: f64, frame: Frame) -> Self {
        Self::from_set(ParameterSet::new(&SPECS, [lon_deg, lat_deg, r_0_deg, e, phi_deg, edge_width]), frame)
    }
}

impl SpatialModel for DiskSpatialModel {
    centered_methods!(&SPECS);

    fn has_border(&self) -> bool {
        true
    }

    fn evaluate(&self, lon_deg: f64, lat_deg: f64, energy_tev: f64) -> f64 {
        self.evaluate_smooth(lon_deg, lat_deg, energy_tev, 0.0)
    }

    fn evaluate_smooth(&self, lon_deg: f64, lat_deg: f64, _energy_tev: f64, width_deg: f64) -> f64 {
        let Shape { center, ellipse, edge_width, norm } = &self.shape;
        let offset = center.offset(lon_deg, lat_deg);
        let radius = ellipse.radius(offset.angle);
        let beyond = offset.separation - radius;
        // On the border half of it, also without an edge, where the quotient is 0/0.
        let share = |quotient: f64| if beyond == 0.0 { 0.5 } else { 0.5 * libm::erfc(quotient) };
        if width_deg == 0.0 {
            return norm * share(beyond / (radius * edge_width) * EDGE_WIDTH_95);
        }
        let (own, added) = (radius * edge_width / EDGE_WIDTH_95, width_deg.to_radians());
        // A wider edge lets a little more out than it takes from the inside: the area grows by half the square of its width.
        let area = ellipse.major * ellipse.minor + 0.5 * own * own;
        norm * area / (area + 0.5 * added * added) * share(beyond / own.hypot(added))
    }

    /// 1.1 r_0 (1 + edge_width).
    fn evaluation_radius_deg(&self) -> Option<f64> {
        let [_, _, r_0, .., edge_width] = self.set.values();
        Some(1.1 * r_0 * (1.0 + edge_width))
    }

    /// r_0 (1 - edge_width) / 10.
    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        let [_, _, r_0, .., edge_width] = self.set.values();
        Some(r_0 * (1.0 - edge_width) / 10.0)
    }
}
