//! Values of maps between pixel centres.
//!
//! As Gammapy's `interp_by_coord(…, fill_value=None)`: multilinear in pixel coordinates, extrapolated linearly from the
//! outermost two pixels, values that are not finite taken as 0 (unless no value of the map is finite), dimensions of one
//! bin ignored. All sums are in double precision.

use std::cell::OnceCell;

use ndarray::Array3;
use rayon::prelude::*;

use super::frame::SkyPosition;
use super::geom::{Geom, WcsGeom};
use super::map::Map;
use crate::error::{Error, Result};

/// The two bins of one dimension that a value is made of: `value = (1 - weight) · [lower] + weight · [lower + step]`.
#[derive(Debug, Clone, Copy)]
struct Pair {
    lower: usize,
    step: usize,
    weight: f64,
}

impl Pair {
    fn linear(pix: f64, nbin: usize) -> Self {
        if nbin < 2 {
            return Self { lower: 0, step: 0, weight: 0.0 };
        }
        let lower = (pix.floor().max(0.0) as usize).min(nbin - 2);
        Self { lower, step: 1, weight: pix - lower as f64 }
    }

    /// The nearest bin; halfway the lower one, as scipy takes it. The centre of an even map is halfway up to the
    /// rounding of its projection, so halfway means within 1e-8 pixel.
    fn nearest(pix: f64, nbin: usize) -> Self {
        let lower = ((pix - 0.5 - 1e-8).ceil().max(0.0) as usize).min(nbin.saturating_sub(1));
        Self { lower, step: 0, weight: 0.0 }
    }

    fn terms(self) -> [(usize, f64); 2] {
        [(self.lower, 1.0 - self.weight), (self.lower + self.step, self.weight)]
    }
}

impl Map {
    /// Per plane: bilinear interpolation at a sky position, extrapolated beyond the outermost pixel centres as
    /// Gammapy's `interp_by_coord` does, NaN taken as 0. A region map gives its value everywhere.
    ///
    /// # Errors
    /// Where the position cannot be projected.
    pub fn interp_planes_at(&self, position: SkyPosition) -> Result<Vec<f64>> {
        let (x, y) = self.pixel_at(position)?;
        Ok(self.interp_planes_at_pixel(x, y))
    }

    /// As [`Map::interp_planes_at`], at a pixel coordinate.
    pub fn interp_planes_at_pixel(&self, x: f64, y: f64) -> Vec<f64> {
        let (ny, nx) = self.image_shape();
        self.planes_with(Pair::linear(x, nx), Pair::linear(y, ny), &OnceCell::new())
    }

    /// Per plane: the value of the pixel that holds a sky position, the nearest one beyond the borders; NaN as 0.
    ///
    /// # Errors
    /// Where the position cannot be projected.
    pub fn nearest_planes_at(&self, position: SkyPosition) -> Result<Vec<f64>> {
        let (x, y) = self.pixel_at(position)?;
        let (ny, nx) = self.image_shape();
        Ok(self.planes_with(Pair::nearest(x, nx), Pair::nearest(y, ny), &OnceCell::new()))
    }

    /// Interpolation at a sky position and a coordinate on each axis, given in the axes' order and units; linear in
    /// the axes' pixel coordinates, so logarithmic in energy on a logarithmic axis.
    ///
    /// # Errors
    /// Where the position cannot be projected, or the number of coordinates is not that of the axes.
    pub fn interp_at(&self, position: SkyPosition, coords: &[f64]) -> Result<f64> {
        let (x, y) = self.pixel_at(position)?;
        let axes = self.geom().axes();
        let pix: Vec<f64> = axes.iter().zip(coords).map(|(axis, v)| axis.coord_to_pix(*v)).collect();
        if coords.len() != axes.len() {
            return Err(Error::input("coordinates", format!("{} given for {} axes", coords.len(), axes.len())));
        }
        Ok(self.interp_at_pixel(x, y, &pix))
    }

    /// As [`Map::interp_at`], in pixel coordinates; missing ones count as 0, those beyond the axes are ignored.
    pub fn interp_at_pixel(&self, x: f64, y: f64, axes_pix: &[f64]) -> f64 {
        let (ny, nx) = self.image_shape();
        let mut terms: Vec<(usize, f64)> = vec![(0, 1.0)];
        let mut stride = 1;
        let axes = self.geom().axes().iter().zip(axes_pix).map(|(axis, pix)| (*pix, axis.nbin()));
        for (pix, nbin) in [(x, nx), (y, ny)].into_iter().chain(axes) {
            let pair = Pair::linear(pix, nbin);
            terms = terms
                .into_iter()
                .flat_map(|(index, w)| pair.terms().map(|(bin, v)| (index + bin * stride, w * v)))
                .filter(|(_, w)| *w != 0.0)
                .collect();
            stride *= nbin;
        }
        let blank = OnceCell::new();
        terms.into_iter().map(|(index, w)| w * self.finite_at(index, &blank)).sum()
    }

    /// All planes at the pixel centres of another image, `[plane, y, x]`, as Gammapy's `interp_to_geom` for a geometry
    /// with the same axes; NaN where a pixel has no place on the sky or that place none in this map's projection.
    pub fn interp_planes_to(&self, target: &WcsGeom) -> Array3<f64> {
        let planes = self.planes();
        let (ny, nx) = self.image_shape();
        let blank = self.blank();
        let mut out = Array3::from_elem((target.ny(), target.nx(), planes), f64::NAN);
        if let Some(values) = out.as_slice_mut().filter(|v| !v.is_empty()) {
            values.par_chunks_mut(target.nx() * planes).enumerate().for_each(|(y, row)| {
                for (x, out) in row.chunks_mut(planes).enumerate() {
                    let place = target.pix_to_sky(x as f64, y as f64);
                    if let Some(Ok((u, v))) = place.map(|p| self.pixel_at(p)) {
                        let known = OnceCell::from(blank);
                        out.copy_from_slice(&self.planes_with(Pair::linear(u, nx), Pair::linear(v, ny), &known));
                    }
                }
            });
        }
        out.permuted_axes([2, 0, 1]).as_standard_layout().into_owned()
    }

    fn image_shape(&self) -> (usize, usize) {
        let shape = self.data().shape();
        (shape[shape.len() - 2], shape[shape.len() - 1])
    }

    fn pixel_at(&self, position: SkyPosition) -> Result<(f64, f64)> {
        match self.geom().as_ref() {
            Geom::Region(_) => Ok((0.0, 0.0)),
            Geom::Wcs(geom) => geom.sky_to_pix(position).ok_or_else(|| {
                let SkyPosition { lon_deg, lat_deg, frame } = position;
                Error::input(
                    "position",
                    format!("({lon_deg}, {lat_deg}) deg ({frame:?}) has no place in the projection"),
                )
            }),
        }
    }

    fn planes_with(&self, x: Pair, y: Pair, blank: &OnceCell<f64>) -> Vec<f64> {
        let (ny, nx) = self.image_shape();
        let mut terms = Vec::with_capacity(4);
        for (row, wy) in y.terms() {
            for (column, wx) in x.terms() {
                if wx * wy != 0.0 {
                    terms.push((row * nx + column, wx * wy));
                }
            }
        }
        let value = |plane: usize| {
            let offset = plane * nx * ny;
            terms.iter().map(|(index, w)| w * self.finite_at(offset + index, blank)).sum()
        };
        (0..self.planes()).map(value).collect()
    }

    /// The value at a memory index, [`Map::blank`] where it is not finite. That is looked up at most once.
    fn finite_at(&self, index: usize, blank: &OnceCell<f64>) -> f64 {
        match self.data().at(index) {
            Some(v) if v.is_finite() => v,
            _ => *blank.get_or_init(|| self.blank()),
        }
    }

    /// What stands for values that are not finite: 0, or NaN if nothing in the map is finite.
    fn blank(&self) -> f64 {
        if self.data().iter().any(f64::is_finite) { 0.0 } else { f64::NAN }
    }
}
