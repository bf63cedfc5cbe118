//! The maps of a dataset as images: summed over the energies inside of the masks.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis};

use super::super::counts::reference_map;
use super::super::image::MapImage;
use super::super::marker::Marker;
use crate::datasets::DatasetRef;
use crate::error::{Error, Result};
use crate::maps::{Geom, Map, Mask, SmoothKernel, WcsGeom};

/// The images of a dataset: its maps summed over the energies at which a pixel is inside of the masks.
pub(super) struct Images<'a> {
    pub(super) geom: WcsGeom,
    mask: Option<Mask>,
    pub(super) inside: Array2<bool>,
    markers: &'a [Marker],
}

impl<'a> Images<'a> {
    pub(super) fn of(dataset: DatasetRef<'_>, markers: &'a [Marker]) -> Result<Self> {
        let reference = reference_map(dataset)?;
        let geom = reference.wcs_geom()?.to_image();
        let mask = dataset.common()?.mask()?;
        let dim = reference.cube().dim();
        if let Some(found) = mask.as_ref().map(|m| m.cube().dim()).filter(|found| *found != dim) {
            return Err(Error::input("mask", format!("shape {found:?} where the counts have {dim:?}")));
        }
        let inside = mask.as_ref().map_or_else(|| Array2::from_elem((geom.ny(), geom.nx()), true), Mask::any_plane);
        Ok(Self { geom, mask, inside, markers })
    }

    /// Sums of finite values inside of the masks; 0 outside.
    pub(super) fn sum(&self, map: &Map) -> Result<Array2<f64>> {
        let cube = map.cube();
        let (planes, ny, nx) = cube.dim();
        if (ny, nx) != self.inside.dim() || self.mask.as_ref().is_some_and(|m| m.cube().dim() != (planes, ny, nx)) {
            return Err(Error::input("dataset", "its maps differ in shape"));
        }
        let mask = self.mask.as_ref().map(Mask::cube);
        let mut image = Array2::zeros((ny, nx));
        for plane in 0..planes {
            let mask = mask.as_ref().map(|m| m.index_axis(Axis(0), plane));
            for ((y, x), sum) in image.indexed_iter_mut() {
                let v = cube.at(plane, y, x);
                if v.is_finite() && mask.as_ref().is_none_or(|m: &ArrayView2<'_, bool>| m[[y, x]]) {
                    *sum += v;
                }
            }
        }
        Ok(image)
    }

    /// Smoothed by a Gaussian, as if nothing lay outside of the masks.
    pub(super) fn smooth(&self, image: Array2<f64>, smooth: Option<SmoothKernel>) -> Result<Array2<f64>> {
        let Some(kernel) = smooth else { return Ok(image) };
        let geom = Arc::new(Geom::Wcs(self.geom.clone()));
        let smoothed = |image: Array2<f64>| -> Result<Array2<f64>> {
            let cube = image.insert_axis(Axis(0));
            Ok(Map::from_cube(Arc::clone(&geom), Default::default(), cube)?.smooth(kernel)?.plane_f64(0))
        };
        let share = smoothed(self.inside.mapv(|i| f64::from(u8::from(i))))?;
        let mut image = smoothed(image)?;
        image.zip_mut_with(&share, |v, share| *v /= share);
        Ok(image)
    }

    /// A panel with what is outside of the masks left open.
    pub(super) fn panel(&self, image: &Array2<f64>, title: impl Into<String>) -> Result<MapImage> {
        let mut shown = image.clone();
        shown.zip_mut_with(&self.inside, |v, inside| {
            if !inside {
                *v = f64::NAN;
            }
        });
        Ok(MapImage::new(&shown, &self.geom)?.title(title).markers(self.markers.iter().cloned()))
    }

    pub(super) fn aspect(&self) -> f64 {
        let (x, y) = self.geom.pixel_scales_deg();
        let aspect = self.geom.ny() as f64 * y / (self.geom.nx() as f64 * x);
        if aspect.is_finite() { aspect } else { 1.0 }
    }
}
