//! FITS world coordinates (Calabretta & Greisen 2002, FITS paper II): projections and the rotation to the sky.
//!
//! Written from the paper; agreement with astropy is tested in both directions, up to where a projection ends.

mod all_sky;
mod cylindrical;
mod projection;
pub(super) mod rotation;
mod zenithal;

use self::projection::Projection;
use self::rotation::Rotation;
use super::frame::Frame;
use crate::error::{Error, Result};

/// A celestial WCS: linear part, projection, rotation.
#[derive(Debug, Clone, PartialEq)]
pub struct Wcs {
    header: WcsHeader,
    projection: Projection,
    rotation: Rotation,
    /// Degrees in the projection plane per pixel: CDELT times PC.
    matrix: [[f64; 2]; 2],
    /// Its inverse.
    inverse: [[f64; 2]; 2],
    /// Plane coordinate y of the reference pixel; not 0 for GLS only.
    y0_deg: f64,
}

/// The keywords that define a [`Wcs`].
#[derive(Debug, Clone, PartialEq)]
pub struct WcsHeader {
    /// FITS code of the projection: CAR, CEA, MER, TAN, SIN, ARC, STG, ZEA, AIT, MOL, SFL, GLS.
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

impl WcsHeader {
    /// The usual case: unity PC matrix, default LONPOLE and LATPOLE.
    pub fn new(projection: &str, frame: Frame, crpix: (f64, f64), crval: (f64, f64), cdelt: (f64, f64)) -> Self {
        Self {
            projection: projection.to_string(),
            frame,
            crpix,
            crval,
            cdelt,
            pc: [[1.0, 0.0], [0.0, 1.0]],
            lonpole: None,
            latpole: None,
        }
    }
}

impl Wcs {
    /// Prepares the rotation.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for unknown projections, zero increments, a singular PC matrix, or a LONPOLE that is
    /// impossible for the reference latitude.
    pub fn new(header: WcsHeader) -> Result<Self> {
        let projection = Projection::from_code(&header.projection)?;
        let WcsHeader { crpix, crval, cdelt, pc, .. } = &header;
        for (name, value) in [
            ("CRPIX1", crpix.0),
            ("CRPIX2", crpix.1),
            ("CRVAL1", crval.0),
            ("CRVAL2", crval.1),
            ("CDELT1", cdelt.0),
            ("CDELT2", cdelt.1),
            ("LONPOLE", header.lonpole.unwrap_or(0.0)),
            ("LATPOLE", header.latpole.unwrap_or(0.0)),
        ] {
            if !value.is_finite() {
                return Err(Error::input(name, format!("found {value}, a finite number is needed")));
            }
        }
        if crval.1.abs() > 90.0 {
            return Err(Error::input("CRVAL2", format!("latitude {} is beyond a pole", crval.1)));
        }
        if cdelt.0 == 0.0 || cdelt.1 == 0.0 {
            return Err(Error::input("CDELT", format!("increments are {} and {}, none may be 0", cdelt.0, cdelt.1)));
        }
        let pc_determinant = pc[0][0] * pc[1][1] - pc[0][1] * pc[1][0];
        if !pc_determinant.is_finite() || pc_determinant == 0.0 {
            return Err(Error::input("PC", format!("the matrix {pc:?} has no inverse")));
        }
        let matrix = [[cdelt.0 * pc[0][0], cdelt.0 * pc[0][1]], [cdelt.1 * pc[1][0], cdelt.1 * pc[1][1]]];
        let inverse = [
            [pc[1][1] / pc_determinant / cdelt.0, -pc[0][1] / pc_determinant / cdelt.1],
            [-pc[1][0] / pc_determinant / cdelt.0, pc[0][0] / pc_determinant / cdelt.1],
        ];
        // astropy reads GLS as SFL with the fiducial point at native latitude CRVAL2 (PV1_0 = 1, PV1_2 = CRVAL2).
        let (theta0, y0_deg) =
            if header.projection == "GLS" { (crval.1, crval.1) } else { (projection.theta0_deg(), 0.0) };
        let rotation = Rotation::new(*crval, theta0, header.lonpole, header.latpole)?;
        Ok(Self { header, projection, rotation, matrix, inverse, y0_deg })
    }

    /// The keywords.
    pub fn header(&self) -> &WcsHeader {
        &self.header
    }

    /// Frame of the coordinates.
    pub fn frame(&self) -> Frame {
        self.header.frame
    }

    /// LONPOLE and LATPOLE in degrees with the defaults filled in, as astropy writes them to a header.
    pub fn pole_deg(&self) -> (f64, f64) {
        (self.rotation.lonpole_deg, self.rotation.latpole_deg)
    }

    /// The same WCS with the reference pixel moved by `(x, y)` pixels.
    pub fn shifted(&self, x: f64, y: f64) -> Self {
        let mut shifted = self.clone();
        shifted.header.crpix.0 += x;
        shifted.header.crpix.1 += y;
        shifted
    }

    /// The same place on the sky with pixels of `factor` times the size; the corner of the first pixel stays.
    pub(super) fn rescaled(&self, factor: f64) -> Self {
        let mut scaled = self.clone();
        let header = &mut scaled.header;
        header.crpix = ((header.crpix.0 - 0.5) / factor + 0.5, (header.crpix.1 - 0.5) / factor + 0.5);
        header.cdelt = (header.cdelt.0 * factor, header.cdelt.1 * factor);
        scaled.matrix = scaled.matrix.map(|row| row.map(|v| v * factor));
        scaled.inverse = scaled.inverse.map(|row| row.map(|v| v / factor));
        scaled
    }

    /// `(lon, lat)` in degrees at a 0-based pixel coordinate; `None` outside the projection. 0 ≤ lon < 360.
    pub fn pix_to_world(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let (dx, dy) = (x + 1.0 - self.header.crpix.0, y + 1.0 - self.header.crpix.1);
        let plane_x = self.matrix[0][0] * dx + self.matrix[0][1] * dy;
        let plane_y = self.matrix[1][0] * dx + self.matrix[1][1] * dy + self.y0_deg;
        if !(plane_x.is_finite() && plane_y.is_finite()) {
            return None;
        }
        Some(match self.projection {
            Projection::Zenithal(p) => self.rotation.sky_of_vector(p.deproject(plane_x, plane_y)?),
            Projection::Cylindrical(p) => {
                let (phi, theta) = p.deproject(plane_x, plane_y)?;
                self.rotation.sky_of_native(phi, theta)
            }
            Projection::AllSky(p) => {
                let (phi, theta) = p.deproject(plane_x, plane_y)?;
                self.rotation.sky_of_native(phi, theta)
            }
        })
    }

    /// 0-based pixel coordinate of `(lon, lat)` in degrees; `None` where it cannot be projected.
    pub fn world_to_pix(&self, lon_deg: f64, lat_deg: f64) -> Option<(f64, f64)> {
        if !(lon_deg.is_finite() && lat_deg.abs() <= 90.0) {
            return None;
        }
        let (plane_x, plane_y) = match self.projection {
            Projection::Zenithal(p) => p.project(self.rotation.vector_of_sky(lon_deg, lat_deg))?,
            Projection::Cylindrical(p) => {
                let (phi, theta) = self.rotation.native_of_sky(lon_deg, lat_deg);
                p.project(phi, theta)?
            }
            Projection::AllSky(p) => {
                let (phi, theta) = self.rotation.native_of_sky(lon_deg, lat_deg);
                p.project(phi, theta)?
            }
        };
        let plane_y = plane_y - self.y0_deg;
        let dx = self.inverse[0][0] * plane_x + self.inverse[0][1] * plane_y;
        let dy = self.inverse[1][0] * plane_x + self.inverse[1][1] * plane_y;
        Some((dx + self.header.crpix.0 - 1.0, dy + self.header.crpix.1 - 1.0))
    }

    /// Pixel scales `(x, y)` in degrees, from CDELT and PC.
    pub fn pixel_scales_deg(&self) -> (f64, f64) {
        let m = &self.matrix;
        // Not hypot: the square root of a square is exact, and npix is a ceiling of a ratio to this number.
        let scale = |i: usize| (m[0][i] * m[0][i] + m[1][i] * m[1][i]).sqrt();
        (scale(0), scale(1))
    }

    /// True where both map pixels to the same places: reference pixel and coordinate equal to 1e-6 (in pixels and
    /// degrees), pixel sizes and PC relative to 1e-6. This is the tolerance with which Gammapy compares geometries.
    pub fn is_close(&self, other: &Self) -> bool {
        const TOLERANCE: f64 = 1e-6;
        let (a, b) = (&self.header, &other.header);
        let near = |p: f64, q: f64| (p - q).abs() <= TOLERANCE;
        let same_angle = |p: f64, q: f64| near((p - q + 180.0).rem_euclid(360.0), 180.0);
        let size = self.matrix.as_flattened().iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let matrices = self.matrix.as_flattened().iter().zip(other.matrix.as_flattened());
        a.projection == b.projection
            && a.frame == b.frame
            && near(a.crpix.0, b.crpix.0)
            && near(a.crpix.1, b.crpix.1)
            && same_angle(a.crval.0, b.crval.0)
            && near(a.crval.1, b.crval.1)
            && matrices.into_iter().all(|(p, q)| (p - q).abs() <= TOLERANCE * size)
            && same_angle(self.rotation.lonpole_deg, other.rotation.lonpole_deg)
            && near(self.rotation.latpole_deg, other.rotation.latpole_deg)
    }
}
