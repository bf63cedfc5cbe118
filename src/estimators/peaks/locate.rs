//! Where a source is, to less than a pixel: the shape of ts around its peak.

use ndarray::ArrayView2;

use super::find::{Columns, Peak};
use crate::maps::{Frame, SkyPosition, WcsGeom};

/// Largest half side of the window that the shape is taken from, in pixels.
const MOST_HALF: usize = 8;

/// The window grows until ts has fallen by this much along its border: the region that the error is about.
const WANTED_DROP: f64 = 1.0;

/// Part of the peak below which ts is too low for a logarithm that means something.
const LOG_RANGE: f64 = 0.05;

/// How far a position can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeakStatus {
    /// The fit is a maximum within a pixel of the peak.
    Ok,
    /// The peak lies at the border of the map: the position is that of the pixel, there is no error.
    Border,
    /// A pixel beside the peak has no value: as above.
    Hole,
    /// The shape around the pixel has no maximum within a pixel of it: as above.
    NoMaximum,
    /// There is no ts: as above.
    NoTs,
}

impl PeakStatus {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Border => "border",
            Self::Hole => "hole",
            Self::NoMaximum => "no_maximum",
            Self::NoTs => "no_ts",
        }
    }
}

/// The region on the sky where ts is within 1 of its maximum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SkyEllipse {
    /// 1 sigma along the longitude, in degrees on the sky (times the cosine of the latitude).
    pub lon_err_deg: f64,
    /// 1 sigma along the latitude, in degrees.
    pub lat_err_deg: f64,
    /// Larger half axis, in degrees.
    pub major_deg: f64,
    /// Smaller half axis, in degrees.
    pub minor_deg: f64,
    /// Angle of the larger axis, in degrees from north to growing longitude, 0 to 180.
    pub angle_deg: f64,
}

/// A position below the size of a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeakLocation {
    /// Pixel coordinates `(x, y)`.
    pub pixel: (f64, f64),
    /// The same on the sky, in the map's frame.
    pub position: SkyPosition,
    /// ts at the maximum of the fit; that of the pixel where there is none.
    pub ts: f64,
    /// Covariance of `(x, y)` in pixels² as `(xx, xy, yy)`, NaN unless the status is [`PeakStatus::Ok`].
    pub covariance: (f64, f64, f64),
    /// Whether the fit is to be trusted.
    pub status: PeakStatus,
}

impl PeakLocation {
    /// The centre of the pixel, without error, of a map without ts.
    pub(super) fn unknown(peak: &Peak) -> Self {
        Self {
            pixel: (peak.x as f64, peak.y as f64),
            position: peak.position,
            ts: f64::NAN,
            covariance: (f64::NAN, f64::NAN, f64::NAN),
            status: PeakStatus::NoTs,
        }
    }

    /// The error on the sky, in the directions of a frame; `None` unless the status is [`PeakStatus::Ok`].
    pub fn ellipse(&self, geom: &WcsGeom, frame: Frame) -> Option<SkyEllipse> {
        if self.status != PeakStatus::Ok {
            return None;
        }
        let (x, y) = self.pixel;
        let here = self.position.to_frame(frame);
        // Degrees east and north per pixel, from half a pixel to either side.
        let step = |dx: f64, dy: f64| {
            let columns = Columns::of(geom);
            let place =
                |sign: f64| geom.pix_to_sky(columns.within(x + sign * dx), y + sign * dy).map(|p| p.to_frame(frame));
            let (ahead, behind) = (place(0.5)?, place(-0.5)?);
            let turn = (ahead.lon_deg - behind.lon_deg + 540.0).rem_euclid(360.0) - 180.0;
            Some((turn * here.lat_deg.to_radians().cos(), ahead.lat_deg - behind.lat_deg))
        };
        let ((ex, nx), (ey, ny)) = (step(1.0, 0.0)?, step(0.0, 1.0)?);
        let (xx, xy, yy) = self.covariance;
        let east = ex * ex * xx + 2.0 * ex * ey * xy + ey * ey * yy;
        let north = nx * nx * xx + 2.0 * nx * ny * xy + ny * ny * yy;
        let both = ex * nx * xx + (ex * ny + ey * nx) * xy + ey * ny * yy;
        let (mean, half) = (0.5 * (east + north), (0.25 * (east - north).powi(2) + both * both).sqrt());
        let angle = 0.5 * (2.0 * both).atan2(north - east).to_degrees();
        Some(SkyEllipse {
            lon_err_deg: east.sqrt(),
            lat_err_deg: north.sqrt(),
            major_deg: (mean + half).sqrt(),
            minor_deg: (mean - half).max(0.0).sqrt(),
            angle_deg: angle.rem_euclid(180.0),
        })
    }
}

/// A quadratic form through the values of a square window, by least squares; `(x, y)` from its centre.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paraboloid {
    value: f64,
    slope: (f64, f64),
    /// Second derivatives `(xx, xy, yy)`.
    curve: (f64, f64, f64),
}

impl Paraboloid {
    /// `value(dx, dy)` for offsets within `half` pixels.
    pub(super) fn fit(half: usize, value: impl Fn(isize, isize) -> f64) -> Self {
        let h = half as isize;
        let side = (2 * h + 1) as f64;
        // Sums over the window of x², x⁴ and x² y²; odd ones vanish.
        let line = |power: i32| (-h..=h).map(|i| (i as f64).powi(power)).sum::<f64>();
        let (n, s2, s4, s22) = (side * side, side * line(2), side * line(4), line(2) * line(2));
        let [mut f, mut fx, mut fy, mut fxx, mut fxy, mut fyy] = [0.0; 6];
        for dy in -h..=h {
            for dx in -h..=h {
                let (v, x, y) = (value(dx, dy), dx as f64, dy as f64);
                f += v;
                fx += v * x;
                fy += v * y;
                fxx += v * x * x;
                fxy += v * x * y;
                fyy += v * y * y;
            }
        }
        let difference = (fxx - fyy) / (s4 - s22);
        let sum = (fxx + fyy - 2.0 * s2 * f / n) / (s4 + s22 - 2.0 * s2 * s2 / n);
        Self {
            value: (f - s2 * sum) / n,
            slope: (fx / s2, fy / s2),
            curve: (sum + difference, fxy / s22, sum - difference),
        }
    }

    pub(super) fn at(&self, (x, y): (f64, f64)) -> f64 {
        let (xx, xy, yy) = self.curve;
        self.value + self.slope.0 * x + self.slope.1 * y + 0.5 * (xx * x * x + 2.0 * xy * x * y + yy * y * y)
    }

    /// The place of the maximum, `None` where the form has none.
    fn maximum(&self) -> Option<(f64, f64)> {
        let ((bx, by), (xx, xy, yy)) = (self.slope, self.curve);
        let determinant = xx * yy - xy * xy;
        // A ridge has a maximum only by rounding.
        let sure = xx < 0.0 && yy < 0.0 && determinant > 1e-6 * xx * yy;
        sure.then(|| (-(yy * bx - xy * by) / determinant, -(xx * by - xy * bx) / determinant))
    }
}

/// The position of the source that peaks at pixel `(y, x)` of a map of ts.
///
/// Around its maximum ts is a quadratic form, and where it has fallen by 1 is the contour of 1 sigma. The form is fitted
/// to the logarithm of ts, which is one over a wider range (ts falls like the square of the PSF's overlap with itself),
/// in the smallest window along whose border ts has fallen by 1, of 3 × 3 pixels at least.
pub(super) fn locate(ts: ArrayView2<'_, f64>, geom: &WcsGeom, (y, x): (usize, usize)) -> PeakLocation {
    let (ny, nx) = ts.dim();
    let columns = Columns::of(geom);
    let at = |dx: isize, dy: isize| ts.get((y.checked_add_signed(dy)?, columns.step(x, dx)?)).copied();
    let here = at(0, 0).unwrap_or(f64::NAN);
    let center = (x as f64, y as f64);
    let nowhere = SkyPosition { lon_deg: f64::NAN, lat_deg: f64::NAN, frame: geom.frame() };
    let fail = |status| PeakLocation {
        pixel: center,
        position: geom.pix_to_sky(center.0, center.1).unwrap_or(nowhere),
        ts: here,
        covariance: (f64::NAN, f64::NAN, f64::NAN),
        status,
    };
    // Rows around the sky have no end.
    let along = columns.turn.map_or(x.min((nx - 1).saturating_sub(x)), |turn| turn / 2);
    let room = along.min(y).min((ny - 1).saturating_sub(y));
    if room == 0 {
        return fail(PeakStatus::Border);
    }
    let whole = |half: usize| {
        let h = half as isize;
        (-h..=h).all(|dy| (-h..=h).all(|dx| at(dx, dy).is_some_and(f64::is_finite)))
    };
    if !whole(1) {
        return fail(PeakStatus::Hole);
    }
    let border_drop = |half: usize| {
        let h = half as isize;
        let ring = (-h..=h).flat_map(|i| [(i, -h), (i, h), (-h, i), (h, i)]);
        let values: Vec<f64> = ring.filter_map(|(dx, dy)| at(dx, dy)).collect();
        here - values.iter().sum::<f64>() / values.len() as f64
    };
    let mut half = 1;
    while border_drop(half) < WANTED_DROP && half < room.min(MOST_HALF) && whole(half + 1) {
        half += 1;
    }
    let h = half as isize;
    let lowest = (-h..=h)
        .flat_map(|dy| (-h..=h).map(move |dx| (dx, dy)))
        .filter_map(|(dx, dy)| at(dx, dy))
        .fold(f64::INFINITY, f64::min);
    let logarithmic = here > 0.0 && lowest > LOG_RANGE * here;
    let form = Paraboloid::fit(half, |dx, dy| {
        let value = at(dx, dy).unwrap_or(f64::NAN);
        if logarithmic { value.ln() } else { value }
    });
    let Some(shift) = form.maximum().filter(|(dx, dy)| dx.abs() <= 1.0 && dy.abs() <= 1.0) else {
        return fail(PeakStatus::NoMaximum);
    };
    let pixel = (columns.within(center.0 + shift.0), center.1 + shift.1);
    let Some(position) = geom.pix_to_sky(pixel.0, pixel.1) else { return fail(PeakStatus::Border) };
    let top = if logarithmic { form.at(shift).exp() } else { form.at(shift) };
    let scale = if logarithmic { top } else { 1.0 };
    // ts falls by d² times half the second derivative: the covariance is twice the inverse of minus that matrix.
    let (xx, xy, yy) = form.curve;
    let determinant = (xx * yy - xy * xy) * scale;
    PeakLocation {
        pixel,
        position,
        ts: top,
        covariance: (-2.0 * yy / determinant, 2.0 * xy / determinant, -2.0 * xx / determinant),
        status: PeakStatus::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn geom(projection: &str) -> WcsGeom {
        WcsGeom::create(SkyPosition::galactic(30.0, 40.0), 21, 17, (0.05, 0.05), projection, vec![]).unwrap()
    }

    /// A Gaussian of ts with a known place, widths and tilt.
    fn gaussian(peak: f64, place: (f64, f64), q: (f64, f64, f64)) -> Array2<f64> {
        Array2::from_shape_fn((17, 21), |(y, x)| {
            let (dx, dy) = (x as f64 - place.0, y as f64 - place.1);
            peak * (-0.5 * (q.0 * dx * dx + 2.0 * q.1 * dx * dy + q.2 * dy * dy)).exp()
        })
    }

    #[test]
    fn a_gaussian_gives_its_place_and_its_curvature() {
        let geom = geom("CAR");
        for (peak, place, q) in [
            (40.0, (10.3, 7.8), (0.3, 0.1, 0.5)),
            (900.0, (5.45, 9.0), (0.5, 0.0, 0.2)),
            (30.0, (9.6, 8.1), (0.01, 0.0, 0.02)),
        ] {
            let ts = gaussian(peak, place, q);
            let found = locate(ts.view(), &geom, (place.1.round() as usize, place.0.round() as usize));
            assert_eq!(found.status, PeakStatus::Ok);
            assert!((found.pixel.0 - place.0).abs() < 1e-9 && (found.pixel.1 - place.1).abs() < 1e-9, "{found:?}");
            assert!((found.ts / peak - 1.0).abs() < 1e-9);
            // ts = peak - peak/2 dᵀ Q d, so C = 2 (peak Q)⁻¹.
            let det = (q.0 * q.2 - q.1 * q.1) * peak;
            let expected = (2.0 * q.2 / det, -2.0 * q.1 / det, 2.0 * q.0 / det);
            for (a, b) in
                [(found.covariance.0, expected.0), (found.covariance.1, expected.1), (found.covariance.2, expected.2)]
            {
                assert!((a - b).abs() < 1e-9 * expected.0.abs(), "{a} {b}");
            }
            // Where ts has fallen by 1 along x alone is the error of x at fixed y: 1/sqrt of the inverse's element.
            let conditional = (2.0 / (peak * q.0)).sqrt();
            let profile = found.covariance.0.sqrt();
            assert!(profile >= conditional - 1e-12);
        }
    }

    #[test]
    fn the_ellipse_is_on_the_sky() {
        let geom = geom("TAN");
        let found = locate(gaussian(50.0, (10.0, 8.0), (0.4, 0.0, 0.1)).view(), &geom, (8, 10));
        let own = found.ellipse(&geom, Frame::Galactic).unwrap();
        // Pixels of 0.05 deg whatever the latitude; longitude grows against x.
        assert!((own.lon_err_deg / (0.05 * found.covariance.0.sqrt()) - 1.0).abs() < 1e-3, "{own:?}");
        assert!((own.lat_err_deg / (0.05 * found.covariance.2.sqrt()) - 1.0).abs() < 1e-3);
        assert!((own.major_deg - own.lat_err_deg).abs() < 1e-9 && own.minor_deg < own.major_deg);
        assert!(own.angle_deg.min(180.0 - own.angle_deg) < 0.1, "{own:?}");
        // Another frame turns the ellipse and leaves its size.
        let icrs = found.ellipse(&geom, Frame::Icrs).unwrap();
        assert!(
            (icrs.major_deg / own.major_deg - 1.0).abs() < 1e-3 && (icrs.minor_deg / own.minor_deg - 1.0).abs() < 1e-3
        );
        let turned = (icrs.angle_deg - own.angle_deg).rem_euclid(180.0);
        assert!((5.0..175.0).contains(&turned), "{turned}");
    }

    #[test]
    fn what_is_no_maximum_is_said_to_be_none() {
        let geom = geom("CAR");
        let mut ts = gaussian(40.0, (10.0, 8.0), (0.3, 0.0, 0.3));
        assert_eq!(locate(ts.view(), &geom, (8, 0)).status, PeakStatus::Border);
        assert_eq!(locate(ts.view(), &geom, (16, 10)).status, PeakStatus::Border);
        assert_eq!(locate(ts.view(), &geom, (8, 5)).status, PeakStatus::NoMaximum, "a slope");
        let saddle =
            Array2::from_shape_fn((17, 21), |(y, x)| 50.0 + (x as f64 - 10.0).powi(2) - 2.0 * (y as f64 - 8.0).powi(2));
        assert_eq!(locate(saddle.view(), &geom, (8, 10)).status, PeakStatus::NoMaximum);
        let ridge = Array2::from_shape_fn((17, 21), |(y, _)| 50.0 - 2.0 * (y as f64 - 8.0).powi(2));
        assert_eq!(locate(ridge.view(), &geom, (8, 10)).status, PeakStatus::NoMaximum);
        ts[[7, 9]] = f64::NAN;
        let hole = locate(ts.view(), &geom, (8, 10));
        assert_eq!((hole.status, hole.pixel), (PeakStatus::Hole, (10.0, 8.0)));
        assert!(hole.covariance.0.is_nan() && hole.ellipse(&geom, Frame::Icrs).is_none());
        // A hole further out only keeps the window small.
        ts[[7, 9]] = 37.0;
        ts[[6, 10]] = f64::NAN;
        assert_eq!(locate(ts.view(), &geom, (8, 10)).status, PeakStatus::Ok);
    }
}
