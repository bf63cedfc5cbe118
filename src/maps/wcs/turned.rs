//! Unusual headers as usual ones: other fiducial points, and coordinates of other systems, which are rotations of the
//! sky. The pixels stay where they are; CRPIX, CRVAL, LONPOLE and LATPOLE change.

use super::projection::Projection;
use super::rotation::{Rotation, lonlat_of, poles_of};
use super::systems::{System, product};
use super::{Wcs, WcsHeader};
use crate::error::{Error, Result};

/// Where CRVAL lies in native coordinates if not at the projection's own place: PVi_0 to PVi_2 of the longitude axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fiducial {
    /// Native longitude φ₀ in degrees.
    pub(crate) phi_deg: f64,
    /// Native latitude θ₀ in degrees; `None`: the projection's.
    pub(crate) theta_deg: Option<f64>,
    /// CRPIX is at this point, too (PVi_0 is not 0).
    pub(crate) at_crpix: bool,
}

impl Wcs {
    /// From keywords with a fiducial point of their own, as the WCS with the projection's that maps pixels to the same
    /// places.
    ///
    /// # Errors
    /// As [`Wcs::new`]; where the point has no place in the plane.
    pub(crate) fn with_fiducial(mut header: WcsHeader, fiducial: Fiducial) -> Result<Self> {
        let projection = Projection::from_code(&header.projection)?;
        let theta0 = fiducial.theta_deg.unwrap_or(projection.theta0_deg());
        if header.projection == "GLS" || (fiducial.phi_deg == 0.0 && theta0 == projection.theta0_deg()) {
            // GLS is SFL with a fiducial point that CRVAL2 gives.
            return Self::new(header);
        }
        let (phi0, valid) = (fiducial.phi_deg, fiducial.phi_deg.abs() <= 360.0 && theta0.abs() <= 90.0);
        // Without an offset, CRPIX stays at the projection's own point, and this one needs no place in the plane.
        let place = if fiducial.at_crpix { projection.project(phi0, theta0) } else { Some((0.0, 0.0)) };
        let Some(shift) = place.filter(|(x, y)| valid && x.is_finite() && y.is_finite()) else {
            return Err(Error::input("PV1_1", format!("({phi0}, {theta0}) deg is not a place of the projection")));
        };
        let (lonpole, latpole) = (header.lonpole, header.latpole);
        let rotation = Rotation::new(header.crval, (phi0, theta0), lonpole, latpole)?;
        // The projection's own fiducial point has the pole of the standard's defaults, whatever was in the header.
        (header.lonpole, header.latpole) = (None, None);
        let plain = Self::new(header)?;
        plain.with_rotation(*rotation.matrix(), shift, plain.frame())
    }

    /// The same pixels with their positions, which are of `system`, turned to ICRS or Galactic; for the shifts that are
    /// no rotation, those at the pixel `(x, y)` count, or at the reference point if that lies outside the projection.
    ///
    /// # Errors
    /// Where no keywords express the result.
    pub(crate) fn turned(&self, system: System, x: f64, y: f64) -> Result<Self> {
        let (lon, lat) = self.pix_to_world(x, y).unwrap_or(self.header.crval);
        let rotation = system.rotation_around(super::rotation::vector_of(lon, lat));
        let mut source = self.clone();
        let shift = (0.0, source.y0_deg);
        source.header.projection =
            if self.header.projection == "GLS" { "SFL".into() } else { self.header.projection.clone() };
        source.with_rotation(product(&rotation, self.rotation.matrix()), shift, system.target())
    }

    /// The linear part and the projection of this WCS with another matrix from native to celestial vectors; CRPIX has
    /// the plane coordinate `(x0, y0)`.
    fn with_rotation(&self, matrix: [[f64; 3]; 3], (x0, y0): (f64, f64), frame: crate::maps::Frame) -> Result<Self> {
        let mut header = self.header.clone();
        let m = &self.inverse;
        header.crpix.0 -= m[0][0] * x0 + m[0][1] * y0;
        header.crpix.1 -= m[1][0] * x0 + m[1][1] * y0;
        header.frame = frame;
        let (lon_pole, lat_pole, phi_pole) = poles_of(&matrix);
        header.lonpole = Some(phi_pole);
        if self.projection.theta0_deg() == 90.0 {
            header.crval = (lon_pole.rem_euclid(360.0), lat_pole);
            header.latpole = None;
        } else {
            let (lon, lat) = lonlat_of([matrix[0][0], matrix[1][0], matrix[2][0]]);
            // At a celestial pole the longitude of the reference point is that of the native pole.
            header.crval = (if lat.abs() > 90.0 - 1e-9 { lon_pole.rem_euclid(360.0) } else { lon }, lat);
            header.latpole = Some(lat_pole);
        }
        let mut wcs = Self::new(header)?;
        wcs.rotation = wcs.rotation.exactly(matrix)?;
        Ok(wcs)
    }
}
