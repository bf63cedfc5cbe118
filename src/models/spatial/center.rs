//! Distances and directions from a model's centre.

use crate::units::Unit;

/// A centre, prepared for many positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Center {
    lon: f64,
    sin_lat: f64,
    cos_lat: f64,
}

/// A position relative to the centre, in rad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Offset {
    /// Great-circle distance, by Vincenty's formula: exact at all distances.
    pub separation: f64,
    /// Position angle, counted from north through east.
    pub angle: f64,
}

impl Center {
    pub fn new(lon_deg: f64, lat_deg: f64) -> Self {
        let (sin_lat, cos_lat) = lat_deg.to_radians().sin_cos();
        Self { lon: lon_deg.to_radians(), sin_lat, cos_lat }
    }

    /// Components of the offset to the east and to the north, and the cosine of the distance.
    fn components(&self, lon_deg: f64, lat_deg: f64) -> (f64, f64, f64) {
        let (sin_dlon, cos_dlon) = (lon_deg.to_radians() - self.lon).sin_cos();
        let (sin_lat, cos_lat) = lat_deg.to_radians().sin_cos();
        let east = cos_lat * sin_dlon;
        let north = self.cos_lat * sin_lat - self.sin_lat * cos_lat * cos_dlon;
        (east, north, self.sin_lat * sin_lat + self.cos_lat * cos_lat * cos_dlon)
    }

    pub fn separation(&self, lon_deg: f64, lat_deg: f64) -> f64 {
        let (east, north, cosine) = self.components(lon_deg, lat_deg);
        east.hypot(north).atan2(cosine)
    }

    pub fn offset(&self, lon_deg: f64, lat_deg: f64) -> Offset {
        let (east, north, cosine) = self.components(lon_deg, lat_deg);
        Offset { separation: east.hypot(north).atan2(cosine), angle: east.atan2(north) }
    }
}

/// An ellipse by its major semiaxis and eccentricity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ellipse {
    /// Major semiaxis in rad.
    pub major: f64,
    /// Minor semiaxis in rad.
    pub minor: f64,
    /// Position angle of the major semiaxis in rad.
    phi: f64,
}

impl Ellipse {
    pub fn new(major_deg: f64, eccentricity: f64, phi_deg: f64) -> Self {
        let major = major_deg.to_radians();
        Self { major, minor: major * (1.0 - eccentricity * eccentricity).sqrt(), phi: phi_deg.to_radians() }
    }

    pub fn is_circle(&self) -> bool {
        self.major == self.minor
    }

    /// Radius of the ellipse in the direction of a position angle.
    pub fn radius(&self, angle: f64) -> f64 {
        if self.is_circle() {
            return self.major;
        }
        let (sin, cos) = (self.phi - angle).sin_cos();
        self.major * self.minor / (self.major * sin).hypot(self.minor * cos)
    }
}

/// From sr-1 to the inverse square of an angle's unit.
pub(super) fn per_square(unit: &Unit) -> f64 {
    unit.factor_to_text("rad").map_or(1.0, |rad| rad * rad)
}

/// 1 - cos(x) without a loss of digits at small x.
pub(super) fn versine(x: f64) -> f64 {
    let s = (0.5 * x).sin();
    2.0 * s * s
}
