//! PSF kernels on pixels.

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::map::PsfMap;
use crate::error::{Error, Result};
use crate::maps::{MapAxis, SkyPosition, WcsGeom};
use crate::units::Angle;

/// Containment that decides how large a kernel is (Gammapy's `PSF_CONTAINMENT`).
const CONTAINMENT: f64 = 0.999;
/// Pixels are divided so that twice r68 spans this many (Gammapy's `precision_factor`) …
const PRECISION_FACTOR: f64 = 12.0;
/// … but not into more than this many per side (`PSF_MAX_OVERSAMPLING`).
const MAX_OVERSAMPLING: usize = 4;

/// Relative difference of the pixel scales up to which pixels count as square.
const SQUARE_TOLERANCE: f64 = 1e-6;

/// A PSF on pixels: `[energy, ky, kx]`, odd sides, each plane normalised to 1 (or 0 where there is no PSF).
#[derive(Debug, Clone)]
pub struct PsfKernel {
    /// Geometry, centred on the kernel's position.
    pub geom: WcsGeom,
    /// Values.
    pub data: Array3<f64>,
}

/// The geometry of a kernel of the given radius: for square pixels Gammapy's `to_odd_npix`; where the map's pixels
/// are not square, odd numbers of the map's own pixels per side, so that the kernel fits the map (Gammapy refuses
/// such maps).
///
/// # Errors
/// Where the centre of the map lies outside its projection or the radius is not positive.
pub fn kernel_geom(geom: &WcsGeom, radius: Angle) -> Result<WcsGeom> {
    let (sx, sy) = geom.pixel_scales_deg();
    if (sx - sy).abs() <= SQUARE_TOLERANCE * sx.max(sy) {
        return geom.to_odd_npix(Some(radius));
    }
    let width = 2.0 * radius.to_deg();
    if !(width > 0.0 && width.is_finite()) {
        return Err(Error::options("kernel_width", format!("{width} deg must be positive and finite")));
    }
    WcsGeom::create(
        geom.center()?,
        odd_above(width / sx),
        odd_above(width / sy),
        (sx, sy),
        &geom.wcs().header().projection,
        geom.axes().to_vec(),
    )
}

/// Gammapy's `round_up_to_odd`: the ceiling, plus one where that is even.
fn odd_above(npix: f64) -> usize {
    (npix.ceil() as usize) / 2 * 2 + 1
}

impl PsfMap {
    /// The PSF kernel at a position (`None`: at the map's centre) for the pixels of `geom` and the planes of `energies` (Gammapy's
    /// `get_psf_kernel` with its defaults): containment 0.999, oversampling by r68, distances to the kernel's centre
    /// on the sphere.
    ///
    /// As in Gammapy, containment radii are evaluated at the PSF map's own energies and paired with the planes by
    /// index; planes beyond the PSF's axis stay 0.
    ///
    /// # Errors
    /// [`Error::Input`] where the PSF is 0 everywhere or cannot be evaluated.
    pub fn kernel_at(&self, position: Option<SkyPosition>, geom: &WcsGeom, energies: &MapAxis) -> Result<PsfKernel> {
        let profile = self.profile_at(position)?;
        let radii: Vec<f64> =
            profile.energy_axis().center().iter().map(|e| profile.containment_radius_deg(CONTAINMENT, *e)).collect();
        let max_radius = radii.iter().copied().fold(0.0, f64::max);
        let (sx, sy) = geom.pixel_scales_deg();
        let pixel = sx.max(sy);
        let energies_tev = energies.center_tev()?;
        let image = kernel_geom(&geom.to_image(), Angle::deg(max_radius))?;
        let center = image.center()?;
        let (ny, nx) = (image.ny(), image.nx());
        let planes: Vec<Array2<f64>> = energies_tev
            .par_iter()
            .zip(&radii)
            .map(|(energy, radius)| -> Result<Array2<f64>> {
                let r68 = profile.containment_radius_deg(0.68, *energy);
                let factor = ((PRECISION_FACTOR / (2.0 * r68 / pixel)).ceil() as usize).clamp(1, MAX_OVERSAMPLING);
                let cut = kernel_geom(&image, Angle::deg(*radius))?;
                let distance = cut.upsample(factor).separation_deg(center);
                let density = profile.density_at(*energy);
                let (oy, ox) = ((ny - cut.ny()) / 2, (nx - cut.nx()) / 2);
                let mut plane = Array2::zeros((ny, nx));
                for ((y, x), d) in distance.indexed_iter() {
                    let value = density(*d);
                    if value.is_finite() {
                        plane[[oy + y / factor, ox + x / factor]] += value;
                    }
                }
                let sum = plane.sum();
                if sum > 0.0 {
                    plane /= sum;
                }
                Ok(plane)
            })
            .collect::<Result<_>>()?;
        let mut data = Array3::zeros((energies.nbin(), ny, nx));
        for (mut target, plane) in data.outer_iter_mut().zip(planes) {
            target.assign(&plane);
        }
        Ok(PsfKernel { geom: image.with_axes(vec![energies.clone()]), data })
    }
}

impl PsfKernel {
    /// The larger side in degrees (pixels times pixel scale).
    pub fn width_deg(&self) -> f64 {
        let (sx, sy) = self.geom.pixel_scales_deg();
        (sx * self.geom.nx() as f64).max(sy * self.geom.ny() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::odd_above;

    #[test]
    fn round_up_to_odd() {
        assert_eq!([0.5, 1.0, 1.2, 2.0, 20.0, 20.5, 21.0].map(odd_above), [1, 1, 3, 3, 21, 21, 21]);
    }
}
