//! FITS world coordinates (Calabretta & Greisen 2002, FITS paper II): projections and the rotation to the sky.

use super::frame::Frame;
use crate::error::Result;

/// A celestial WCS: linear part, projection, rotation.
#[derive(Debug, Clone, PartialEq)]
pub struct Wcs {
    header: WcsHeader,
}

/// The keywords that define a [`Wcs`].
#[derive(Debug, Clone, PartialEq)]
pub struct WcsHeader {
    /// FITS code of the projection: CAR, TAN, AIT, SFL, GLS, MOL, ZEA, SIN, ARC, STG.
    pub projection: String,
    /// Frame of the coordinates.
    pub frame: Frame,
    /// Reference pixel, 1-based as in FITS (x, y).
    pub crpix: (f64, f64),
    /// Reference coordinate in degrees (lon, lat).
    pub crval: (f64, f64),
    /// Increment in degrees per pixel (x, y).
    pub cdelt: (f64, f64),
    /// PC matrix, row by row; unity by default.
    pub pc: [[f64; 2]; 2],
    /// LONPOLE in degrees; `None`: the standard's default.
    pub lonpole: Option<f64>,
    /// LATPOLE in degrees; `None`: the standard's default, 90.
    pub latpole: Option<f64>,
}

impl Wcs {
    /// Prepares the rotation.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for unknown projections, zero increments, a singular PC matrix, or a LONPOLE that is
    /// impossible for the reference latitude.
    pub fn new(_header: WcsHeader) -> Result<Self> {
        todo!()
    }

    /// The keywords.
    pub fn header(&self) -> &WcsHeader {
        &self.header
    }

    /// Frame of the coordinates.
    pub fn frame(&self) -> Frame {
        self.header.frame
    }

    /// `(lon, lat)` in degrees at a 0-based pixel coordinate; `None` outside the projection. 0 ≤ lon < 360.
    pub fn pix_to_world(&self, _x: f64, _y: f64) -> Option<(f64, f64)> {
        todo!()
    }

    /// 0-based pixel coordinate of `(lon, lat)` in degrees; `None` where it cannot be projected.
    pub fn world_to_pix(&self, _lon_deg: f64, _lat_deg: f64) -> Option<(f64, f64)> {
        todo!()
    }

    /// Pixel scales `(x, y)` in degrees, from CDELT and PC.
    pub fn pixel_scales_deg(&self) -> (f64, f64) {
        todo!()
    }

    /// True where both map pixels to the same places (keywords equal to 1e-9).
    pub fn is_close(&self, _other: &Self) -> bool {
        todo!()
    }
}
