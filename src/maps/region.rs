//! Region geometries: one value per axis bin for a place on the sky, or for everywhere.

use super::axis::MapAxis;
use super::frame::SkyPosition;

/// A region (a circle, a point, or everywhere) with axes.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionGeom {
    center: Option<SkyPosition>,
    radius_deg: Option<f64>,
    axes: Vec<MapAxis>,
}

impl RegionGeom {
    /// Everywhere (no centre), a point (no radius), or a circle.
    pub fn new(center: Option<SkyPosition>, radius_deg: Option<f64>, axes: Vec<MapAxis>) -> Self {
        Self { center, radius_deg, axes }
    }

    /// Centre; `None`: valid everywhere.
    pub fn center(&self) -> Option<SkyPosition> {
        self.center
    }

    /// Radius of a circle in degrees.
    pub fn radius_deg(&self) -> Option<f64> {
        self.radius_deg
    }

    /// Non-spatial axes, the first one fastest.
    pub fn axes(&self) -> &[MapAxis] {
        &self.axes
    }

    /// The same region with other axes.
    pub fn with_axes(&self, axes: Vec<MapAxis>) -> Self {
        Self { axes, ..self.clone() }
    }
}
