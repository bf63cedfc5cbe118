//! Sky frames and positions.

use super::wcs::rotation::{lonlat_of, vector_of};
use crate::error::{Error, Result};

/// Celestial frame of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frame {
    /// Right ascension and declination, ICRS.
    Icrs,
    /// Galactic longitude and latitude.
    Galactic,
}

/// Unit vectors from ICRS to Galactic, as astropy has the rotation: by way of FK5, so it is not the matrix of the
/// Hipparcos catalogue. The inverse is the transpose.
const ICRS_TO_GALACTIC: [[f64; 3]; 3] = [
    [-0.05487565771259163, -0.8734370519556159, -0.48383507361671546],
    [0.4941094371927268, -0.4448297212232952, 0.7469821839866676],
    [-0.8676661375596576, -0.19807633727300053, 0.4559838136873016],
];

impl Frame {
    /// Astropy's name: `icrs` or `galactic`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Icrs => "icrs",
            Self::Galactic => "galactic",
        }
    }

    /// `(lon, lat)` of this frame in another, in degrees; unchanged where the frames are the same.
    pub fn convert(self, to: Self, lon_deg: f64, lat_deg: f64) -> (f64, f64) {
        let m = &ICRS_TO_GALACTIC;
        let v = |lon, lat| vector_of(lon, lat);
        match (self, to) {
            (Self::Icrs, Self::Galactic) => {
                let p = v(lon_deg, lat_deg);
                lonlat_of(std::array::from_fn(|i| m[i][0] * p[0] + m[i][1] * p[1] + m[i][2] * p[2]))
            }
            (Self::Galactic, Self::Icrs) => {
                let p = v(lon_deg, lat_deg);
                lonlat_of(std::array::from_fn(|i| m[0][i] * p[0] + m[1][i] * p[1] + m[2][i] * p[2]))
            }
            (Self::Icrs, Self::Icrs) | (Self::Galactic, Self::Galactic) => (lon_deg, lat_deg),
        }
    }
}

impl std::str::FromStr for Frame {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "icrs" => Ok(Self::Icrs),
            "galactic" => Ok(Self::Galactic),
            _ => Err(Error::not_one_of("frame", text.trim(), ["icrs", "galactic"])),
        }
    }
}

/// A position on the sky.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SkyPosition {
    /// Longitude in degrees, 0 ≤ lon < 360 by convention, any value allowed.
    pub lon_deg: f64,
    /// Latitude in degrees.
    pub lat_deg: f64,
    /// Frame of both.
    pub frame: Frame,
}

impl SkyPosition {
    /// Right ascension and declination in degrees.
    pub const fn icrs(lon_deg: f64, lat_deg: f64) -> Self {
        Self { lon_deg, lat_deg, frame: Frame::Icrs }
    }

    /// Galactic longitude and latitude in degrees.
    pub const fn galactic(lon_deg: f64, lat_deg: f64) -> Self {
        Self { lon_deg, lat_deg, frame: Frame::Galactic }
    }

    /// The same place in another frame (the rotation that astropy uses).
    ///
    /// ```
    /// use pevatron::maps::{Frame, SkyPosition};
    /// let crab = SkyPosition::icrs(83.63, 22.01).to_frame(Frame::Galactic);
    /// assert!((crab.lon_deg - 184.55974014406843).abs() < 1e-11 && (crab.lat_deg + 5.7891801498861595).abs() < 1e-11);
    /// ```
    pub fn to_frame(self, frame: Frame) -> Self {
        let (lon_deg, lat_deg) = self.frame.convert(frame, self.lon_deg, self.lat_deg);
        Self { lon_deg, lat_deg, frame }
    }

    /// Great-circle distance to another position, in degrees (Vincenty's formula, exact at all distances).
    pub fn separation_deg(self, other: Self) -> f64 {
        let other = other.to_frame(self.frame);
        Distance::from(self.lat_deg).to(other.lon_deg - self.lon_deg, other.lat_deg)
    }
}

/// Vincenty's formula with the sine and cosine of the first latitude kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distance {
    sin_lat: f64,
    cos_lat: f64,
}

impl Distance {
    /// From a point at a latitude in degrees.
    pub(super) fn from(lat_deg: f64) -> Self {
        let (sin_lat, cos_lat) = lat_deg.to_radians().sin_cos();
        Self { sin_lat, cos_lat }
    }

    /// Degrees to a point whose longitude differs by `dlon_deg`.
    #[inline]
    pub(super) fn to(self, dlon_deg: f64, lat_deg: f64) -> f64 {
        let (sin_dlon, cos_dlon) = dlon_deg.to_radians().sin_cos();
        let (sin_lat, cos_lat) = lat_deg.to_radians().sin_cos();
        let east = cos_lat * sin_dlon;
        let north = self.cos_lat * sin_lat - self.sin_lat * cos_lat * cos_dlon;
        let cosine = self.sin_lat * sin_lat + self.cos_lat * cos_lat * cos_dlon;
        east.hypot(north).atan2(cosine).to_degrees()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SkyCoord(184.5, -5.7, unit="deg", frame="galactic").icrs`, and its separation from (83.63, 22.01) deg ICRS.
    #[test]
    fn frames_and_distances_are_astropys() {
        let a = SkyPosition::galactic(184.5, -5.7).to_frame(Frame::Icrs);
        assert!((a.lon_deg - 83.67695183888871).abs() < 1e-11 && (a.lat_deg - 22.107942251937654).abs() < 1e-11);
        let d = SkyPosition::icrs(83.63, 22.01).separation_deg(SkyPosition::galactic(184.5, -5.7));
        assert!((d - 0.10717381747350369).abs() < 1e-12);
    }

    #[test]
    fn distances_are_exact_when_tiny_and_when_opposite() {
        let p = SkyPosition::icrs(10.0, 40.0);
        assert_eq!(p.separation_deg(p), 0.0);
        assert!((p.separation_deg(SkyPosition::icrs(10.0, 40.0 + 1e-9)) - 1e-9).abs() < 1e-14);
        assert!((p.separation_deg(SkyPosition::icrs(190.0, -40.0)) - 180.0).abs() < 1e-12);
        assert!((p.separation_deg(SkyPosition::icrs(190.0, 40.0)) - 100.0).abs() < 1e-12);
    }
}
