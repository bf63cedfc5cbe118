//! Regions of the sky: which positions lie inside, and which pixels.

use ndarray::Array2;
use rayon::prelude::*;

use super::frame::{Frame, SkyPosition};
use super::geom::WcsGeom;
use crate::error::{Error, Result};

/// Pixels at the border of a region are divided into this many per side to find their part inside (Gammapy's
/// `oversampling_factor`).
const WEIGHT_DIVISIONS: usize = 10;

/// A region of the sky (those of the `regions` package that have a place in spectra).
///
/// Shapes are those on the sphere: the distance from the centre decides, for an ellipse that in the direction of the
/// position; sides of rectangles and polygons are great circles. Gammapy draws the same shapes on the pixels of a map, with the
/// pixel scale at the region's centre, which differs where a projection distorts or pixels are not square.
///
/// ```
/// use pevatron::maps::{SkyPosition, SkyRegion};
/// let region = SkyRegion::circle(SkyPosition::icrs(83.63, 22.01), 0.11)?;
/// assert!(region.contains(SkyPosition::icrs(83.70, 22.05)));
/// assert!(!region.contains(SkyPosition::icrs(83.80, 22.01)));
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SkyRegion {
    /// A position.
    Point {
        /// The position.
        center: SkyPosition,
    },
    /// A circle.
    Circle {
        /// Centre.
        center: SkyPosition,
        /// Radius in degrees.
        radius_deg: f64,
    },
    /// The ring between two circles.
    Annulus {
        /// Centre.
        center: SkyPosition,
        /// Inner radius in degrees.
        inner_deg: f64,
        /// Outer radius in degrees.
        outer_deg: f64,
    },
    /// An ellipse.
    Ellipse {
        /// Centre.
        center: SkyPosition,
        /// Whole length of the first axis, along longitude where the angle is 0, in degrees.
        width_deg: f64,
        /// Whole length of the second axis in degrees.
        height_deg: f64,
        /// Rotation in degrees, anti-clockwise on a map with longitude to the left.
        angle_deg: f64,
    },
    /// A rectangle; axes and angle as those of the ellipse.
    Rectangle {
        /// Centre.
        center: SkyPosition,
        /// Length along longitude where the angle is 0, in degrees.
        width_deg: f64,
        /// The other length in degrees.
        height_deg: f64,
        /// Rotation in degrees.
        angle_deg: f64,
    },
    /// A polygon with straight sides in the plane that touches the sphere at the mean of its corners.
    Polygon {
        /// Corners in order.
        vertices: Vec<SkyPosition>,
    },
    /// Positions in any of several regions.
    Union(Vec<SkyRegion>),
}

impl SkyRegion {
    /// A circle.
    ///
    /// # Errors
    /// [`Error::Options`] for a radius that is not positive, or larger than half of the sky.
    pub fn circle(center: SkyPosition, radius_deg: f64) -> Result<Self> {
        Self::Circle { center, radius_deg }.checked()
    }

    /// The region, if its sizes make sense.
    ///
    /// # Errors
    /// [`Error::Options`] for sizes that are not positive and at most 180 deg, positions that are none, polygons of less
    /// than three corners, empty unions.
    pub fn checked(self) -> Result<Self> {
        let positive = |name: &str, values: &[f64]| match values.iter().find(|v| !(**v > 0.0 && **v <= 180.0)) {
            Some(v) => Err(Error::options("region", format!("{name} {v} deg is not within 0 to 180 deg"))),
            None => Ok(()),
        };
        match &self {
            Self::Point { .. } => Ok(()),
            Self::Circle { radius_deg, .. } => positive("the radius", &[*radius_deg]),
            Self::Annulus { inner_deg, outer_deg, .. } => {
                positive("the radius", &[*inner_deg, *outer_deg])?;
                if inner_deg >= outer_deg {
                    let problem =
                        format!("the inner radius {inner_deg} deg is not below the outer one {outer_deg} deg");
                    return Err(Error::options("region", problem));
                }
                Ok(())
            }
            Self::Ellipse { width_deg, height_deg, angle_deg, .. }
            | Self::Rectangle { width_deg, height_deg, angle_deg, .. } => {
                positive("the size", &[*width_deg, *height_deg])?;
                if !angle_deg.is_finite() {
                    return Err(Error::options("region", format!("the angle {angle_deg} deg is not finite")));
                }
                Ok(())
            }
            Self::Polygon { vertices } if vertices.len() < 3 => {
                Err(Error::options("region", format!("{} corners make no polygon", vertices.len())))
            }
            Self::Polygon { .. } => Ok(()),
            Self::Union(parts) if parts.is_empty() => Err(Error::options("region", "it has no parts")),
            Self::Union(parts) => {
                for part in parts {
                    part.clone().checked()?;
                }
                Ok(())
            }
        }?;
        let center = self.center();
        if !(center.lon_deg.is_finite() && (-90.0..=90.0).contains(&center.lat_deg)) {
            let problem = format!("({}, {}) deg is not a place on the sky", center.lon_deg, center.lat_deg);
            return Err(Error::options("region", problem));
        }
        Ok(self)
    }

    /// Centre; of polygons and unions the mean direction of corners or parts.
    pub fn center(&self) -> SkyPosition {
        match self {
            Self::Point { center }
            | Self::Circle { center, .. }
            | Self::Annulus { center, .. }
            | Self::Ellipse { center, .. }
            | Self::Rectangle { center, .. } => *center,
            Self::Polygon { vertices } => mean(vertices.iter().copied()),
            Self::Union(parts) => mean(parts.iter().map(Self::center)),
        }
    }

    /// Radius of a circle in degrees; `None` for other shapes.
    pub fn radius_deg(&self) -> Option<f64> {
        match self {
            Self::Circle { radius_deg, .. } => Some(*radius_deg),
            _ => None,
        }
    }

    /// True for a single point, and for points alone.
    pub fn is_point(&self) -> bool {
        match self {
            Self::Point { .. } => true,
            Self::Union(parts) => parts.iter().all(Self::is_point),
            _ => false,
        }
    }

    /// Radius in degrees of a circle around the centre that holds all of it.
    pub fn extent_deg(&self) -> f64 {
        match self {
            Self::Point { .. } => 0.0,
            Self::Circle { radius_deg, .. } => *radius_deg,
            Self::Annulus { outer_deg, .. } => *outer_deg,
            Self::Ellipse { width_deg, height_deg, .. } => 0.5 * width_deg.max(*height_deg),
            Self::Rectangle { width_deg, height_deg, .. } => {
                let half = |size: f64| (0.5 * size).to_radians().tan();
                half(*width_deg).hypot(half(*height_deg)).atan().to_degrees()
            }
            Self::Polygon { vertices } => {
                let center = self.center();
                vertices.iter().map(|v| center.separation_deg(*v)).fold(0.0, f64::max)
            }
            Self::Union(parts) => {
                let center = self.center();
                parts.iter().map(|p| center.separation_deg(p.center()) + p.extent_deg()).fold(0.0, f64::max)
            }
        }
    }

    /// True for a position inside; points hold nothing.
    pub fn contains(&self, position: SkyPosition) -> bool {
        match self {
            Self::Point { .. } => false,
            Self::Circle { center, radius_deg } => center.separation_deg(position) < *radius_deg,
            Self::Annulus { center, inner_deg, outer_deg } => {
                let separation = center.separation_deg(position);
                separation >= *inner_deg && separation < *outer_deg
            }
            Self::Ellipse { center, width_deg, height_deg, angle_deg } => {
                let (u, v, _) = turned(*center, *angle_deg, position);
                let (separation, length) = (center.separation_deg(position), u.hypot(v));
                // In the direction of the position; of no direction is the centre, and what lies opposite to it.
                let (u, v) = if length > 0.0 { (u / length, v / length) } else { (1.0, 0.0) };
                separation * (2.0 * u / width_deg).hypot(2.0 * v / height_deg) < 1.0
            }
            Self::Rectangle { center, width_deg, height_deg, angle_deg } => {
                let half = |size: f64| (0.5 * size).to_radians().tan().to_degrees();
                offsets(*center, *angle_deg, position)
                    .is_some_and(|(u, v)| u.abs() < half(*width_deg) && v.abs() < half(*height_deg))
            }
            Self::Polygon { vertices } => in_polygon(self.center(), vertices, position),
            Self::Union(parts) => parts.iter().any(|p| p.contains(position)),
        }
    }

    /// Solid angle in sr, overlaps of the parts of a union counted as often as they occur; 0 for points.
    pub fn solid_angle_sr(&self) -> f64 {
        use std::f64::consts::PI;
        let cap = |radius_deg: f64| 2.0 * PI * (1.0 - radius_deg.to_radians().cos());
        match self {
            Self::Point { .. } => 0.0,
            Self::Circle { radius_deg, .. } => cap(*radius_deg),
            Self::Annulus { inner_deg, outer_deg, .. } => cap(*outer_deg) - cap(*inner_deg),
            Self::Ellipse { width_deg, height_deg, .. } => 0.25 * PI * width_deg.to_radians() * height_deg.to_radians(),
            Self::Rectangle { width_deg, height_deg, .. } => width_deg.to_radians() * height_deg.to_radians(),
            Self::Polygon { vertices } => {
                let center = self.center();
                let corners: Vec<_> = vertices.iter().filter_map(|v| offsets(center, 0.0, *v)).collect();
                let twice: f64 = ring(&corners).map(|((x0, y0), (x1, y1))| x0 * y1 - x1 * y0).sum::<f64>()
                    * 1f64.to_radians().powi(2);
                0.5 * twice.abs()
            }
            Self::Union(parts) => parts.iter().map(Self::solid_angle_sr).sum(),
        }
    }
}

/// Mean direction, in the frame of the first; the first itself where directions cancel.
fn mean(positions: impl Iterator<Item = SkyPosition>) -> SkyPosition {
    let mut positions = positions.peekable();
    let first = positions.peek().copied().unwrap_or(SkyPosition { lon_deg: 0.0, lat_deg: 0.0, frame: Frame::Icrs });
    let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
    for position in positions {
        let p = position.to_frame(first.frame);
        let (lon, lat) = (p.lon_deg.to_radians(), p.lat_deg.to_radians());
        x += lat.cos() * lon.cos();
        y += lat.cos() * lon.sin();
        z += lat.sin();
    }
    if x.hypot(y).hypot(z) < 1e-12 {
        return first;
    }
    let lon_deg = y.atan2(x).to_degrees().rem_euclid(360.0);
    SkyPosition { lon_deg, lat_deg: z.atan2(x.hypot(y)).to_degrees(), frame: first.frame }
}

/// Offsets of a position in degrees along the two axes of a shape, in the plane that touches the sphere at its centre
/// (gnomonic); `None` on the other half of the sphere.
fn offsets(center: SkyPosition, angle_deg: f64, position: SkyPosition) -> Option<(f64, f64)> {
    let (u, v, cosine) = turned(center, angle_deg, position);
    (cosine > 0.0).then(|| ((u / cosine).to_degrees(), (v / cosine).to_degrees()))
}

/// The direction to a position along the two axes of a shape and along its centre, as a unit vector.
fn turned(center: SkyPosition, angle_deg: f64, position: SkyPosition) -> (f64, f64, f64) {
    let p = position.to_frame(center.frame);
    let (lat0, lat) = (center.lat_deg.to_radians(), p.lat_deg.to_radians());
    let dlon = (p.lon_deg - center.lon_deg).to_radians();
    let cosine = lat0.sin() * lat.sin() + lat0.cos() * lat.cos() * dlon.cos();
    // Longitude grows to the left.
    let x = -(lat.cos() * dlon.sin());
    let y = lat0.cos() * lat.sin() - lat0.sin() * lat.cos() * dlon.cos();
    let (sin, cos) = angle_deg.to_radians().sin_cos();
    (x * cos + y * sin, y * cos - x * sin, cosine)
}

/// Neighbouring corners, the last and the first one too.
fn ring(corners: &[(f64, f64)]) -> impl Iterator<Item = ((f64, f64), (f64, f64))> + '_ {
    corners.iter().zip(corners.iter().cycle().skip(1)).map(|(a, b)| (*a, *b))
}

/// Odd number of sides crossed on the way to the right.
fn in_polygon(center: SkyPosition, vertices: &[SkyPosition], position: SkyPosition) -> bool {
    let Some((x, y)) = offsets(center, 0.0, position) else { return false };
    let corners: Vec<_> = vertices.iter().filter_map(|v| offsets(center, 0.0, *v)).collect();
    let crossed = |((x0, y0), (x1, y1)): &((f64, f64), (f64, f64))| {
        (*y0 > y) != (*y1 > y) && x < (x1 - x0) * (y - y0) / (y1 - y0) + x0
    };
    corners.len() == vertices.len() && ring(&corners).filter(crossed).count() % 2 == 1
}

impl WcsGeom {
    /// `[y, x]`: true where the centre of the pixel lies inside of the region (Gammapy's `region_mask`).
    pub fn region_mask(&self, region: &SkyRegion) -> Array2<bool> {
        self.by_pixel(|x, y| self.pix_to_sky(x, y).is_some_and(|p| region.contains(p)))
    }

    /// `[y, x]`: the part of each pixel that lies inside of the region, to a hundredth (Gammapy's `region_weights`).
    pub fn region_weights(&self, region: &SkyRegion) -> Array2<f64> {
        let n = WEIGHT_DIVISIONS;
        let offset = |sub: usize| (sub as f64 + 0.5) / n as f64 - 0.5;
        let (sx, sy) = self.pixel_scales_deg();
        // Pixels further from the circle around the region than they are wide lie outside.
        let far = region.extent_deg() + sx.hypot(sy);
        let center = region.center();
        self.by_pixel(|x, y| {
            if self.pix_to_sky(x, y).is_some_and(|p| center.separation_deg(p) > far) {
                return 0.0;
            }
            let inside = |sub: &usize| {
                let at = self.pix_to_sky(x + offset(sub % n), y + offset(sub / n));
                at.is_some_and(|p| region.contains(p))
            };
            (0..n * n).filter(inside).count() as f64 / (n * n) as f64
        })
    }

    fn by_pixel<T: Send + Clone + Default>(&self, value: impl Fn(f64, f64) -> T + Sync) -> Array2<T> {
        let (ny, nx) = (self.ny(), self.nx());
        let rows: Vec<Vec<T>> =
            (0..ny).into_par_iter().map(|y| (0..nx).map(|x| value(x as f64, y as f64)).collect()).collect();
        let mut out = Array2::default((ny, nx));
        for (mut target, row) in out.rows_mut().into_iter().zip(rows) {
            target.iter_mut().zip(row).for_each(|(t, v)| *t = v);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lon_deg: f64, lat_deg: f64) -> SkyPosition {
        SkyPosition::icrs(lon_deg, lat_deg)
    }

    #[test]
    fn the_weights_of_a_region_are_its_solid_angle() {
        let center = at(83.6, 22.0);
        let geom = WcsGeom::create(center, 61, 71, (0.02, 0.03), "TAN", vec![]).unwrap();
        let solid = geom.solid_angle_sr();
        let square = [(83.3, 21.8), (83.9, 21.8), (83.9, 22.3), (83.3, 22.3)];
        let regions = [
            SkyRegion::circle(center, 0.4).unwrap(),
            SkyRegion::Annulus { center, inner_deg: 0.2, outer_deg: 0.45 },
            SkyRegion::Ellipse { center, width_deg: 0.8, height_deg: 0.3, angle_deg: 30.0 },
            SkyRegion::Rectangle { center, width_deg: 0.7, height_deg: 0.3, angle_deg: -20.0 },
            SkyRegion::Polygon { vertices: square.iter().map(|(x, y)| at(*x, *y)).collect() },
            SkyRegion::Union(vec![
                SkyRegion::circle(at(83.4, 22.2), 0.1).unwrap(),
                SkyRegion::circle(at(83.8, 21.8), 0.15).unwrap(),
            ]),
        ];
        for region in regions {
            let region = region.checked().unwrap();
            let sum: f64 = geom.region_weights(&region).iter().zip(&solid).map(|(w, s)| w * s).sum();
            let wanted = region.solid_angle_sr();
            assert!((sum / wanted - 1.0).abs() < 3e-3, "{region:?}: {sum} {wanted}");
            // Every pixel of the mask has its centre inside, so at least a quarter of it.
            let (mask, weights) = (geom.region_mask(&region), geom.region_weights(&region));
            assert!(mask.iter().zip(&weights).all(|(m, w)| !m || *w > 0.2), "{region:?}");
        }
    }

    #[test]
    fn a_circle_at_the_pole_and_across_zero() {
        let pole = SkyRegion::circle(at(10.0, 89.9), 0.5).unwrap();
        assert!(pole.contains(at(190.0, 89.8)) && !pole.contains(at(190.0, 89.5)));
        let zero = SkyRegion::circle(at(359.95, 0.0), 0.2).unwrap();
        assert!(zero.contains(at(0.1, 0.0)) && !zero.contains(at(0.2, 0.0)));
    }

    #[test]
    fn angles_turn_anti_clockwise_with_longitude_to_the_left() {
        // Width along the diagonal from lower left (east, south) to upper right (west, north) at 45 degrees.
        let region = SkyRegion::Ellipse { center: at(10.0, 0.0), width_deg: 2.0, height_deg: 0.2, angle_deg: 45.0 };
        assert!(region.contains(at(9.4, 0.6)) && region.contains(at(10.6, -0.6)));
        assert!(!region.contains(at(10.6, 0.6)));
    }

    #[test]
    fn sizes_that_make_no_sense_are_refused() {
        let center = at(10.0, 0.0);
        for region in [
            SkyRegion::Circle { center, radius_deg: 0.0 },
            SkyRegion::Circle { center, radius_deg: f64::NAN },
            SkyRegion::Annulus { center, inner_deg: 0.3, outer_deg: 0.2 },
            SkyRegion::Rectangle { center, width_deg: 1.0, height_deg: -1.0, angle_deg: 0.0 },
            SkyRegion::Polygon { vertices: vec![center, center] },
            SkyRegion::Union(vec![]),
            SkyRegion::Circle { center: at(10.0, 95.0), radius_deg: 1.0 },
        ] {
            assert!(region.clone().checked().is_err(), "{region:?}");
        }
    }
}
