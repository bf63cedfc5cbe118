//! Shell by its inner radius and width, projected on the sky.

use std::f64::consts::PI;

use super::center::{Center, per_square};
use super::{SpatialModel, centered_methods, centered_model};
use crate::maps::{Frame, SkyPosition};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 4] = [
    ParameterSpec::free("lon_0", 0.0, "deg"),
    ParameterSpec::free("lat_0", 0.0, "deg").bounded(-90.0, 90.0),
    ParameterSpec::free("radius", 1.0, "deg"),
    ParameterSpec::free("width", 0.2, "deg"),
];

/// A homogeneously emitting shell between two spheres of small angular radii.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shell {
    center: Center,
    inner: f64,
    outer: f64,
    norm: f64,
}

impl Shell {
    pub fn new(lon_deg: f64, lat_deg: f64, inner_deg: f64, outer_deg: f64) -> Self {
        let (inner, outer) = (inner_deg.to_radians(), outer_deg.to_radians());
        let norm = 3.0 / (2.0 * PI * (outer.powi(3) - inner.powi(3)));
        Self { center: Center::new(lon_deg, lat_deg), inner, outer, norm }
    }

    /// 3 / (2π (R³ - r³)) times sqrt(R² - θ²) - sqrt(r² - θ²), without the second term beyond r, 0 beyond R; the limit
    /// of an infinitely thin shell where R = r.
    ///
    /// With a width in degrees, the depth of each sphere begins gently over about that width.
    pub fn evaluate(&self, lon_deg: f64, lat_deg: f64, width_deg: f64) -> f64 {
        let theta = self.center.separation(lon_deg, lat_deg);
        let gentle = 2.0 * self.outer * width_deg.to_radians();
        let depth = |radius: f64| {
            let square = (radius - theta) * (radius + theta);
            let square = if square.abs() < gentle { (square + gentle).powi(2) / (4.0 * gentle) } else { square };
            square.max(0.0).sqrt()
        };
        if theta > self.outer + width_deg.to_radians() {
            0.0
        } else if self.inner == self.outer {
            1.0 / (2.0 * PI * self.inner * depth(self.inner).max(f64::MIN_POSITIVE))
        } else {
            self.norm * (depth(self.outer) - depth(self.inner))
        }
    }
}

/// The projection of a homogeneous shell with inner radius `radius` and outer radius `radius + width`.
///
/// ```
/// use pevatron::maps::Frame;
/// use pevatron::models::SpatialModel;
/// use pevatron::models::spatial::ShellSpatialModel;
/// let model = ShellSpatialModel::new(0.0, 0.0, 0.3, 0.2, Frame::Icrs);
/// assert!(model.evaluate(0.0, 0.3, 1.0) > model.evaluate(0.0, 0.0, 1.0));
/// assert_eq!(model.evaluate(0.0, 0.51, 1.0), 0.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ShellSpatialModel {
    set: ParameterSet<4>,
    frame: Frame,
    shape: Shell,
}

fn prepare([lon, lat, radius, width]: &[f64; 4]) -> Shell {
    Shell::new(*lon, *lat, *radius, radius + width)
}

centered_model!(ShellSpatialModel, "ShellSpatialModel", &SPECS, prepare);

impl ShellSpatialModel {
    /// Position, inner radius and width in degrees.
    pub fn new(lon_deg: f64, lat_deg: f64, radius_deg: f64, width_deg: f64, frame: Frame) -> Self {
        Self::from_set(ParameterSet::new(&SPECS, [lon_deg, lat_deg, radius_deg, width_deg]), frame)
    }
}

impl SpatialModel for ShellSpatialModel {
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

    /// radius + width.
    fn unit_factor(&self) -> f64 {
        per_square(&self.set.parameters()[2].unit)
    }

    fn evaluation_radius_deg(&self) -> Option<f64> {
        let [_, _, radius, width] = self.set.values();
        Some(radius + width)
    }

    /// width.
    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        Some(self.set.values()[3])
    }
}
