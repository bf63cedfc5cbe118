//! Sky frames and positions.

/// Celestial frame of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frame {
    /// Right ascension and declination, ICRS.
    Icrs,
    /// Galactic longitude and latitude.
    Galactic,
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
    /// The same place in another frame (the rotation that astropy uses).
    pub fn to_frame(self, _frame: Frame) -> Self {
        todo!()
    }

    /// Great-circle distance to another position, in degrees (Vincenty's formula, exact at all distances).
    pub fn separation_deg(self, _other: Self) -> f64 {
        todo!()
    }
}
