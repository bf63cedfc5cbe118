//! What single pixels are on the sky: their true size and shape, and where the last column meets the first.

use super::geom::WcsGeom;
use super::wcs::rotation::vector_of;

/// Size and shape of a pixel on the sky, against a pixel at the reference point of its projection: all 1 where the
/// header's increments hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelShape {
    /// Solid angle in sr.
    pub solid_angle_sr: f64,
    /// Solid angle over `|CDELT1 CDELT2 det PC|`: cos b in CAR maps, cos³ of the distance in TAN maps.
    pub area: f64,
    /// Length on the sky of a step of one column over its length in the plane (CDELT and PC).
    pub width: f64,
    /// The same for a step of one row.
    pub height: f64,
}

impl PixelShape {
    /// How much longer one side is than it should be beside the other one, at least 1: 2 for CAR pixels at b = 60°.
    pub fn elongation(&self) -> f64 {
        (self.width / self.height).max(self.height / self.width)
    }
}

impl WcsGeom {
    /// For a map around the whole sky the number of columns in one turn: columns `x` and `x + n` show the same places,
    /// so that column 0 follows column `n - 1`. Of ordinary maps `n` is [`WcsGeom::nx`]; a map with more columns shows a
    /// part of the sky twice.
    ///
    /// `None` where the first and the last column are not neighbours: cylindrical projections (CAR, CEA, MER) of less
    /// than 360°, or of a turn that is not a whole number of columns (to 2 % of one), or whose rows are not along
    /// native longitude; and all other projections.
    ///
    /// ```
    /// use pevatron::maps::{SkyPosition, WcsGeom};
    /// let center = SkyPosition::galactic(0.0, 0.0);
    /// let sky = WcsGeom::create(center, 180, 90, (2.0, 2.0), "CAR", vec![])?;
    /// assert_eq!(sky.closes_in_longitude(), Some(180));
    /// assert_eq!(sky.slice(0..90, 1..180)?.closes_in_longitude(), None);
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    pub fn closes_in_longitude(&self) -> Option<usize> {
        const TOLERANCE_PX: f64 = 0.02;
        let (dx, dy) = self.wcs().turn_px()?;
        let columns = dx.abs().round();
        let whole = (dx.abs() - columns).abs() < TOLERANCE_PX && dy.abs() < TOLERANCE_PX;
        (whole && columns >= 1.0 && columns <= self.nx() as f64).then_some(columns as usize)
    }

    /// Of the places of one position in the plane the one in the map, or nearest to it; the given one if that is in the
    /// map.
    #[inline]
    pub(super) fn copy_in_map(&self, pixel: (f64, f64)) -> (f64, f64) {
        let outside = |v: f64, n: usize| (-0.5 - v).max(v - (n as f64 - 0.5)).max(0.0);
        // The upper borders belong to the next pixel, which may be the first one.
        let inside =
            |(x, y): (f64, f64)| x >= -0.5 && y >= -0.5 && x < self.nx() as f64 - 0.5 && y < self.ny() as f64 - 0.5;
        if inside(pixel) {
            return pixel;
        }
        let Some((dx, dy)) = self.wcs().turn_px() else { return pixel };
        let (to_x, to_y) = ((self.nx() as f64 - 1.0) / 2.0 - pixel.0, (self.ny() as f64 - 1.0) / 2.0 - pixel.1);
        let turns = ((to_x * dx + to_y * dy) / (dx * dx + dy * dy)).round();
        let copy = |k: f64| (pixel.0 + k * dx, pixel.1 + k * dy);
        let far = |(x, y): (f64, f64)| outside(x, self.nx()).hypot(outside(y, self.ny()));
        let mut best = pixel;
        for candidate in [copy(turns), copy(turns - 1.0), copy(turns + 1.0)] {
            let (new, old) = (far(candidate), far(best));
            if new < old || (new == old && inside(candidate) && !inside(best)) {
                best = candidate;
            }
        }
        best
    }

    /// Size and shape of the pixel at a pixel coordinate, from the derivatives of the projection there; `None` outside of
    /// the projection and on its border.
    ///
    /// ```
    /// use pevatron::maps::{SkyPosition, WcsGeom};
    /// let geom = WcsGeom::create(SkyPosition::galactic(0.0, 0.0), 61, 121, (1.0, 1.0), "CAR", vec![])?;
    /// let pixel = geom.pixel_shape(10.0, 120.0).unwrap(); // at b = 60 deg
    /// assert!((pixel.area - 0.5).abs() < 1e-5 && (pixel.width - 0.5).abs() < 1e-5 && (pixel.height - 1.0).abs() < 1e-5);
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    pub fn pixel_shape(&self, x: f64, y: f64) -> Option<PixelShape> {
        // Long enough for the differences to be exact, short enough for them to be derivatives.
        const STEP_PX: f64 = 0.01;
        const LEAST_STEP_RAD: f64 = 1e-9;
        let (scale_x, scale_y) = self.pixel_scales_deg();
        let step = STEP_PX.max(LEAST_STEP_RAD / scale_x.min(scale_y).to_radians());
        let at = |dx: f64, dy: f64| {
            let (lon, lat) = self.wcs().pix_to_world(x + dx, y + dy)?;
            Some(vector_of(lon, lat))
        };
        let slope = |a: [f64; 3], b: [f64; 3]| -> [f64; 3] { std::array::from_fn(|i| (b[i] - a[i]) / (2.0 * step)) };
        let along_x = slope(at(-step, 0.0)?, at(step, 0.0)?);
        let along_y = slope(at(0.0, -step)?, at(0.0, step)?);
        let length = |v: [f64; 3]| (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
        let [[a, b, c], [d, e, f]] = [along_x, along_y];
        let solid_angle_sr = length([b * f - c * e, c * d - a * f, a * e - b * d]);
        Some(PixelShape {
            solid_angle_sr,
            area: solid_angle_sr / self.wcs().pixel_area_deg2() / 1f64.to_radians().powi(2),
            width: length(along_x).to_degrees() / scale_x,
            height: length(along_y).to_degrees() / scale_y,
        })
    }
}
