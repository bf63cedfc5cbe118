//! Masks of a dataset on its other geometries, and the energies that they leave.

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView2};

use super::create::squashed;
use super::map::MapDataset;
use crate::error::{Error, Result};
use crate::irf::EDisp;
use crate::maps::{Geom, Map, Mask, SkyPosition, WcsGeom};
use crate::units::Energy;

/// Interpolated masks above this are true: less is the rounding of pixel coordinates.
const ANY: f64 = 1e-6;

/// A mask from a cube `[plane, y, x]`.
pub(super) fn mask_of(geom: Arc<Geom>, cube: Array3<bool>) -> Result<Mask> {
    let shape = geom.data_shape();
    let data = cube.into_dyn().into_shape_with_order(shape).map_err(|e| Error::input("mask", e.to_string()))?;
    Mask::new(geom, data)
}

/// The image of a mask, true where any energy is.
pub(super) fn image_of(mask: &Mask) -> Result<Mask> {
    let image = mask.any_plane();
    let (ny, nx) = image.dim();
    let geom = Arc::new(mask.geom().with_axes(Vec::new()));
    let data = image.into_shape_with_order((1, ny, nx)).map_err(|e| Error::input("mask", e.to_string()))?;
    mask_of(geom, data)
}

/// Where a region without a centre looks at a map: anywhere.
fn any(image: ArrayView2<'_, bool>) -> bool {
    image.iter().any(|v| *v)
}

fn at(geom: &WcsGeom, image: ArrayView2<'_, bool>, position: SkyPosition) -> bool {
    geom.pixel_of(position).is_some_and(|pixel| image[pixel])
}

/// The mask's image at the centres of a response's pixels; false beyond the map.
fn nearest_image(mask: &Mask, target: &Geom) -> Result<Array2<bool>> {
    let image = mask.any_plane();
    let Geom::Wcs(geom) = mask.geom().as_ref() else {
        return Ok(Array2::from_elem(image_shape(target), any(image.view())));
    };
    Ok(match target {
        Geom::Wcs(target) => Array2::from_shape_fn((target.ny(), target.nx()), |(y, x)| {
            target.pix_to_sky(x as f64, y as f64).is_some_and(|p| at(geom, image.view(), p))
        }),
        Geom::Region(target) => {
            let value = target.center().map_or_else(|| any(image.view()), |p| at(geom, image.view(), p));
            Array2::from_elem((1, 1), value)
        }
    })
}

fn image_shape(geom: &Geom) -> (usize, usize) {
    let shape = geom.data_shape();
    (shape[shape.len() - 2], shape[shape.len() - 1])
}

/// Whether a mask has the shape of a geometry.
fn fits(mask: Option<&Mask>, geom: &Geom) -> Result<()> {
    let shape = geom.data_shape();
    match mask.filter(|m| m.data().shape() != shape) {
        Some(mask) => {
            Err(Error::input("mask", format!("shape {:?} where the counts have {shape:?}", mask.data().shape())))
        }
        None => Ok(()),
    }
}

/// Each plane of a mask at the centres of a response's pixels: true where any of the pixels around is, extrapolated
/// beyond the map, as Gammapy takes it.
fn around(mask: &Mask, target: &Geom) -> Result<Array3<bool>> {
    let planes = mask.cube().dim().0;
    let values = match (mask.geom().as_ref(), target) {
        (Geom::Wcs(_), Geom::Wcs(target)) => mask.to_map().interp_planes_to(&target.to_image()),
        (Geom::Wcs(_), Geom::Region(target)) if target.center().is_some() => {
            let center = target.center().ok_or_else(|| Error::input("mask", "a centre is needed"))?;
            let values = mask.to_map().interp_planes_at(center)?;
            Array3::from_shape_fn((planes, 1, 1), |(p, ..)| values[p])
        }
        _ => {
            let (ny, nx) = image_shape(target);
            let cube = mask.cube();
            Array3::from_shape_fn((planes, ny, nx), |(p, ..)| {
                f64::from(u8::from(any(cube.index_axis(ndarray::Axis(0), p))))
            })
        }
    };
    Ok(values.mapv(|v| v.abs() > ANY))
}

impl MapDataset {
    /// `[y, x]`: true where mask_safe is at any energy; `None` without mask_safe.
    ///
    /// # Errors
    /// [`Error::Input`] for a mask that does not fit its geometry.
    pub fn mask_safe_image(&self) -> Result<Option<Mask>> {
        self.mask_safe.as_ref().map(image_of).transpose()
    }

    /// `[y, x]`: true where mask_fit is at any energy; `None` without mask_fit.
    ///
    /// # Errors
    /// As [`MapDataset::mask_safe_image`].
    pub fn mask_fit_image(&self) -> Result<Option<Mask>> {
        self.mask_fit.as_ref().map(image_of).transpose()
    }

    /// `[y, x]`: true where [`MapDataset::mask`] is at any energy; everywhere without masks.
    ///
    /// # Errors
    /// As [`MapDataset::mask`] and [`MapDataset::geoms`].
    pub fn mask_image(&self) -> Result<Mask> {
        match self.mask()? {
            Some(mask) => image_of(&mask),
            None => Ok(Mask::filled(Arc::new(self.geoms()?.geom.with_axes(Vec::new())), true)),
        }
    }

    /// mask_safe at the pixels of the PSF, both axes with one bin: true where the pixel of the map is at any energy.
    /// `None` without mask_safe or PSF.
    ///
    /// # Errors
    /// As [`MapDataset::mask_safe_image`].
    pub fn mask_safe_psf(&self) -> Result<Option<Mask>> {
        let (Some(mask), Some(psf)) = (&self.mask_safe, &self.psf) else { return Ok(None) };
        let geom = psf.psf.geom();
        let image = nearest_image(mask, geom)?;
        let axes = geom.axes().iter().map(|a| a.squash()).collect();
        let (ny, nx) = image.dim();
        let cube = Array3::from_shape_fn((1, ny, nx), |(_, y, x)| image[[y, x]]);
        mask_of(Arc::new(geom.with_axes(axes)), cube).map(Some)
    }

    /// mask_safe at the pixels of the energy dispersion: per reconstructed energy for matrices, `energy_true` with one
    /// bin; for migration densities true where it is at any energy. `None` without mask_safe or energy dispersion.
    ///
    /// Gammapy: interpolates along the energy axis, too, where rounding may add a neighbour's mask.
    ///
    /// # Errors
    /// [`Error::Input`] where the energies of the matrices are not those of the mask.
    pub fn mask_safe_edisp(&self) -> Result<Option<Mask>> {
        let (Some(mask), Some(edisp)) = (&self.mask_safe, &self.edisp) else { return Ok(None) };
        match edisp {
            EDisp::Kernel(kernel) => {
                let geom = kernel.edisp.geom();
                let (found, wanted) = (geom.axis("energy")?.nbin(), mask.geom().axis("energy")?.nbin());
                if found != wanted {
                    let problem = format!("{found} reconstructed energies where mask_safe has {wanted}");
                    return Err(Error::input("edisp", problem));
                }
                mask_of(squashed(geom, "energy_true"), around(mask, geom)?).map(Some)
            }
            EDisp::Migra(migra) => {
                let geom = migra.edisp.geom();
                let image = image_of(mask)?;
                let axes = geom.axes().iter().map(|a| a.squash()).collect();
                mask_of(Arc::new(geom.with_axes(axes)), around(&image, geom)?).map(Some)
            }
        }
    }

    fn energy_range_of(&self, mask: Option<&Mask>) -> Result<(Map, Map)> {
        let geom = self.geoms()?.geom;
        let axis = geom.axis("energy")?;
        let edges = axis.edges();
        let image = Arc::new(geom.with_axes(Vec::new()));
        let (ny, nx) = image_shape(&image);
        fits(mask, &geom)?;
        let mut low = Array3::from_elem((1, ny, nx), f64::NAN);
        let mut high = low.clone();
        for y in 0..ny {
            for x in 0..nx {
                let is = |bin: usize| mask.is_none_or(|m| m.cube()[[bin, y, x]]);
                let bins = 0..axis.nbin();
                if let (Some(first), Some(last)) = (bins.clone().find(|b| is(*b)), bins.rev().find(|b| is(*b))) {
                    low[[0, y, x]] = edges[first];
                    high[[0, y, x]] = edges[last + 1];
                }
            }
        }
        let map = |cube| Map::from_cube(Arc::clone(&image), axis.unit().clone(), cube);
        Ok((map(low)?, map(high)?))
    }

    /// Images of the lowest and the highest energy inside of mask_safe and mask_fit, in the unit of the energy axis;
    /// NaN where there is none.
    ///
    /// # Errors
    /// [`Error::Input`] without an energy axis or where masks do not fit.
    pub fn energy_range(&self) -> Result<(Map, Map)> {
        self.energy_range_of(self.mask()?.as_ref())
    }

    /// As [`MapDataset::energy_range`], of mask_safe alone.
    ///
    /// # Errors
    /// As [`MapDataset::energy_range`].
    pub fn energy_range_safe(&self) -> Result<(Map, Map)> {
        self.energy_range_of(self.mask_safe.as_ref())
    }

    /// As [`MapDataset::energy_range`], of mask_fit alone.
    ///
    /// # Errors
    /// As [`MapDataset::energy_range`].
    pub fn energy_range_fit(&self) -> Result<(Map, Map)> {
        self.energy_range_of(self.mask_fit.as_ref())
    }

    /// The lowest and the highest energy of all pixels inside of both masks; `None` where no bin is.
    ///
    /// # Errors
    /// As [`MapDataset::energy_range`].
    pub fn energy_range_total(&self) -> Result<Option<(Energy, Energy)>> {
        let axis = self.geoms()?.geom.axis("energy")?.edges_tev()?;
        let mask = self.mask()?;
        fits(mask.as_ref(), &self.geoms()?.geom)?;
        let used: Vec<usize> = match mask {
            Some(mask) => (0..axis.len() - 1).filter(|b| any(mask.cube().index_axis(ndarray::Axis(0), *b))).collect(),
            None => (0..axis.len() - 1).collect(),
        };
        let ends = used.first().zip(used.last());
        Ok(ends.map(|(first, last)| (Energy::tev(axis[*first]), Energy::tev(axis[*last + 1]))))
    }
}
