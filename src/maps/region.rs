//! Region geometries: one value per axis bin for a place on the sky, or for everywhere.

use super::axis::MapAxis;
use super::frame::SkyPosition;
use super::sky_region::SkyRegion;

/// A region of the sky, or everywhere, with axes.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionGeom {
    region: Option<SkyRegion>,
    axes: Vec<MapAxis>,
}

impl RegionGeom {
    /// Everywhere (no centre), a point (no radius), or a circle.
    pub fn new(center: Option<SkyPosition>, radius_deg: Option<f64>, axes: Vec<MapAxis>) -> Self {
        let region = center.map(|center| match radius_deg {
            Some(radius_deg) => SkyRegion::Circle { center, radius_deg },
            None => SkyRegion::Point { center },
        });
        Self { region, axes }
    }

    /// Any region; `None`: everywhere.
    pub fn of(region: Option<SkyRegion>, axes: Vec<MapAxis>) -> Self {
        Self { region, axes }
    }

    /// The region; `None`: everywhere.
    pub fn region(&self) -> Option<&SkyRegion> {
        self.region.as_ref()
    }

    /// Centre; `None`: valid everywhere.
    pub fn center(&self) -> Option<SkyPosition> {
        self.region.as_ref().map(SkyRegion::center)
    }

    /// Radius of a circle in degrees; `None` for other regions.
    pub fn radius_deg(&self) -> Option<f64> {
        self.region.as_ref().and_then(SkyRegion::radius_deg)
    }

    /// True where both are the same region, or everywhere. The axes are not looked at.
    pub fn same_region(&self, other: &Self) -> bool {
        self.region == other.region
    }

    /// Non-spatial axes, the first one fastest.
    pub fn axes(&self) -> &[MapAxis] {
        &self.axes
    }

    /// The same region with other axes.
    pub fn with_axes(&self, axes: Vec<MapAxis>) -> Self {
        Self { axes, region: self.region.clone() }
    }
}
