//! PSF kernels on pixels.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, Axis, s};
use rayon::prelude::*;

use super::map::PsfMap;
use super::profile::PsfProfile;
use crate::error::{Error, Result};
use crate::maps::{MapAxis, PixelShape, SkyPosition, WcsGeom};
use crate::memory;
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

/// As [`kernel_geom`], but of the map's own pixels around its centre, in the map's own projection: where that is stretched
/// or sheared there, so is the kernel. As many pixels per side as a circle of the radius needs at the centre.
///
/// # Errors
/// As [`kernel_geom`].
pub fn own_kernel_geom(geom: &WcsGeom, radius: Angle) -> Result<WcsGeom> {
    let (cx, cy) = ((geom.nx() as f64 - 1.0) / 2.0, (geom.ny() as f64 - 1.0) / 2.0);
    let outside = || Error::input("geometry", "the centre of the map lies outside its projection or on its border");
    let shape = geom.pixel_shape(cx, cy).ok_or_else(outside)?;
    let width = 2.0 * radius.to_deg();
    if !(width > 0.0 && width.is_finite()) {
        return Err(Error::options("kernel_width", format!("{width} deg must be positive and finite")));
    }
    let (sx, sy) = geom.pixel_scales_deg();
    // How far a circle reaches along the axes of sheared pixels. Close to a pole that is without end: no further than to all
    // pixels of the map, and once around the sky.
    let side = |width: f64, most: usize| odd_above(width.min(most as f64)).min(most);
    let columns = geom.closes_in_longitude().map_or(2 * geom.nx() + 1, |turn| turn - (turn + 1) % 2);
    let nx = side(width / sx * shape.height / shape.area, columns);
    let ny = side(width / sy * shape.width / shape.area, 2 * geom.ny() + 1);
    let wcs = geom.wcs().shifted((nx as f64 - 1.0) / 2.0 - cx, (ny as f64 - 1.0) / 2.0 - cy);
    Ok(WcsGeom::new(wcs, nx, ny, geom.axes().to_vec()))
}

/// Which pixels a kernel is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KernelPixels {
    /// Those of the projection at its reference point, as in Gammapy: [`kernel_geom`].
    #[default]
    Reference,
    /// The map's own around its centre: [`own_kernel_geom`].
    Own,
}

/// Pixels that differ from what their header says by up to this part are taken as it says, as in Gammapy.
const DISTORTED: f64 = 0.02;

/// True where size or shape of a pixel on the sky differs from what its header says by more than 2 %.
pub fn is_distorted(pixel: &PixelShape) -> bool {
    [pixel.area, pixel.width, pixel.height].iter().any(|v| (v - 1.0).abs() > DISTORTED)
}

impl KernelPixels {
    /// Those that a kernel at a pixel coordinate of a map is drawn on: its own where they are distorted.
    pub fn at(geom: &WcsGeom, (x, y): (f64, f64)) -> Self {
        if geom.pixel_shape(x, y).is_some_and(|pixel| is_distorted(&pixel)) { Self::Own } else { Self::Reference }
    }

    /// The geometry of a kernel of the given radius.
    ///
    /// # Errors
    /// As [`kernel_geom`].
    pub fn geom(self, geom: &WcsGeom, radius: Angle) -> Result<WcsGeom> {
        match self {
            Self::Reference => kernel_geom(geom, radius),
            Self::Own => own_kernel_geom(geom, radius),
        }
    }
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
        self.kernel_on(KernelPixels::Reference, position, geom, energies)
    }

    /// As [`PsfMap::kernel_at`], drawn on the pixels that are wanted.
    ///
    /// # Errors
    /// As there.
    pub fn kernel_on(
        &self,
        pixels: KernelPixels,
        position: Option<SkyPosition>,
        geom: &WcsGeom,
        energies: &MapAxis,
    ) -> Result<PsfKernel> {
        let profile = self.profile_at(position)?;
        let radii: Vec<f64> = profile
            .energy_axis()
            .center()
            .into_par_iter()
            .map(|energy_tev| profile.containment_radius_deg(CONTAINMENT, energy_tev))
            .collect();
        let max_radius = radii.iter().copied().fold(0.0, f64::max);
        let (sx, sy) = geom.pixel_scales_deg();
        let image = pixels.geom(&geom.to_image(), Angle::deg(max_radius))?;
        // With pixels of a wrong size (CDELT) a kernel has more of them than there is memory for.
        let what = format!("a PSF of {max_radius:.4} deg on pixels of {sx:e} × {sy:e} deg");
        // Planes are made one by one, then joined.
        memory::check::<f64>(&what, &[energies.nbin().saturating_mul(2), image.ny(), image.nx()])?;
        let pixel = match pixels {
            KernelPixels::Reference => sx.max(sy),
            KernelPixels::Own => {
                let center = ((image.nx() as f64 - 1.0) / 2.0, (image.ny() as f64 - 1.0) / 2.0);
                image.pixel_shape(center.0, center.1).map_or(sx.max(sy), |p| (sx * p.width).max(sy * p.height))
            }
        };
        let (ny, nx) = (image.ny(), image.nx());
        let plans: Vec<PlanePlan> = energies
            .center_tev()?
            .into_par_iter()
            .zip(&radii)
            .map(|(energy_tev, radius)| {
                let r68 = profile.containment_radius_deg(0.68, energy_tev);
                let oversampling =
                    ((PRECISION_FACTOR / (2.0 * r68 / pixel)).ceil() as usize).clamp(1, MAX_OVERSAMPLING);
                let cut = pixels.geom(&image, Angle::deg(*radius))?;
                Ok(PlanePlan { energy_tev, oversampling, cut: (cut.ny().min(ny), cut.nx().min(nx)) })
            })
            .collect::<Result<_>>()?;
        let distances = Distances::new(&image, &plans)?;
        let planes: Vec<Array2<f64>> =
            plans.par_iter().map(|plan| plan.fill(&profile, (ny, nx), &distances.grids[&plan.oversampling])).collect();
        let mut data = Array3::zeros((energies.nbin(), ny, nx));
        for (mut target, plane) in data.outer_iter_mut().zip(planes) {
            target.assign(&plane);
        }
        Ok(PsfKernel { geom: image.with_axes(vec![energies.clone()]), data })
    }
}

/// How a plane of a kernel is computed.
struct PlanePlan {
    energy_tev: f64,
    /// Points per pixel side.
    oversampling: usize,
    /// Rows and columns, odd, around the kernel's centre; 0 outside.
    cut: (usize, usize),
}

/// Distances in degrees to the kernel's centre on finer grids, by oversampling: planes share them.
struct Distances {
    grids: BTreeMap<usize, Array2<f64>>,
}

impl Distances {
    /// For each oversampling a grid as large as the largest cut that needs it.
    fn new(image: &WcsGeom, plans: &[PlanePlan]) -> Result<Self> {
        let mut sizes: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for plan in plans {
            let size = sizes.entry(plan.oversampling).or_default();
            *size = (size.0.max(plan.cut.0), size.1.max(plan.cut.1));
        }
        let center = image.center()?;
        let grid = |(oversampling, (ny, nx)): (usize, (usize, usize))| {
            let cut = image.crop((image.ny() - ny) / 2, (image.nx() - nx) / 2)?;
            memory::check::<f64>("the kernel of a PSF", &[ny, oversampling, nx, oversampling])?;
            Ok((oversampling, cut.upsample(oversampling).separation_deg(center)))
        };
        Ok(Self { grids: sizes.into_iter().map(grid).collect::<Result<_>>()? })
    }
}

impl PlanePlan {
    /// The plane, summing to 1.
    fn fill(&self, profile: &PsfProfile, (ny, nx): (usize, usize), distances: &Array2<f64>) -> Array2<f64> {
        let (factor, (cut_y, cut_x)) = (self.oversampling, self.cut);
        let (fine_y, fine_x) = distances.dim();
        let distances = distances.slice(s![
            (fine_y - cut_y * factor) / 2..(fine_y + cut_y * factor) / 2,
            (fine_x - cut_x * factor) / 2..(fine_x + cut_x * factor) / 2
        ]);
        let density = profile.density_at(self.energy_tev);
        let mut plane = Array2::zeros((ny, nx));
        let mut target = plane.slice_mut(s![(ny - cut_y) / 2..(ny + cut_y) / 2, (nx - cut_x) / 2..(nx + cut_x) / 2]);
        for (mut target, fine) in target.rows_mut().into_iter().zip(distances.axis_chunks_iter(Axis(0), factor)) {
            for row in fine.rows() {
                for (target, points) in target.iter_mut().zip(row.axis_chunks_iter(Axis(0), factor)) {
                    *target += points.iter().map(|d| density(*d)).filter(|v| v.is_finite()).sum::<f64>();
                }
            }
        }
        let sum = plane.sum();
        if sum > 0.0 {
            plane /= sum;
        }
        plane
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
