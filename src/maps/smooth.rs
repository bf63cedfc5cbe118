//! Maps smoothed plane by plane.

use ndarray::{Array2, Array3, Axis, s};
use rayon::prelude::*;

use super::map::Map;
use crate::error::{Error, Result};
use crate::units::Angle;

/// Widths of a Gaussian beyond this many sigmas are cut, as scipy does.
const TRUNCATE: f64 = 4.0;

/// What a map is smoothed with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SmoothKernel {
    /// A Gaussian with this standard deviation.
    Gauss(Angle),
    /// A square with sides of this width.
    Box(Angle),
}

impl SmoothKernel {
    /// Weights along one dimension, an odd number of them, for pixels of a size; they sum up to 1.
    fn weights(self, pixel_deg: f64) -> Result<Vec<f64>> {
        let (width, name) = match self {
            Self::Gauss(width) => (width, "sigma"),
            Self::Box(width) => (width, "width"),
        };
        let pixels = width.to_deg() / pixel_deg;
        if !(pixels > 0.0 && pixels.is_finite()) {
            return Err(Error::options("smooth", format!("a {name} of {width} must be positive and finite")));
        }
        if pixels > 1e6 {
            return Err(Error::options("smooth", format!("a {name} of {width} is more than a million pixels")));
        }
        let mut weights: Vec<f64> = match self {
            Self::Gauss(_) => {
                let radius = (TRUNCATE * pixels + 0.5) as i64;
                (-radius..=radius).map(|i| (-0.5 * (i as f64 / pixels).powi(2)).exp()).collect()
            }
            Self::Box(_) => {
                // Pixels at the edges count with the share of them that lies inside.
                let radius = (pixels / 2.0 - 0.5).ceil().max(0.0) as i64;
                let share = |i: i64| (pixels / 2.0 + 0.5 - i.abs() as f64).clamp(0.0, 1.0);
                (-radius..=radius).map(share).collect()
            }
        };
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
        Ok(weights)
    }
}

impl Map {
    /// Each plane smoothed, in double precision; beyond the borders there is nothing (0), unless the rows of the map go
    /// around the sky ([`WcsGeom::closes_in_longitude`](crate::maps::WcsGeom::closes_in_longitude)); values that are not finite
    /// count as 0. The width in pixels is that in degrees over the mean pixel scale.
    ///
    /// Gammapy: `smooth(width, kernel, mode="constant")`; its box has a whole number of pixels, here the outermost ones
    /// count in part.
    ///
    /// # Errors
    /// [`Error::Options`] for a width that is not positive; [`Error::Input`] for region maps.
    pub fn smooth(&self, kernel: SmoothKernel) -> Result<Self> {
        let (x, y) = self.wcs_geom()?.pixel_scales_deg();
        let weights = kernel.weights(0.5 * (x + y))?;
        let closes = self.wcs_geom()?.closes_in_longitude().filter(|turn| weights.len() / 2 <= *turn);
        let cube = self.cube();
        let (planes, ny, nx) = cube.dim();
        let smoothed: Vec<Array2<f64>> = (0..planes)
            .into_par_iter()
            .map(|plane| {
                let image = Array2::from_shape_fn((ny, nx), |(y, x)| {
                    let v = cube.at(plane, y, x);
                    if v.is_finite() { v } else { 0.0 }
                });
                along(&along_rows(&image, closes, &weights), Axis(0), &weights)
            })
            .collect();
        let mut out = Array3::zeros((planes, ny, nx));
        for (mut plane, image) in out.outer_iter_mut().zip(smoothed) {
            plane.assign(&image);
        }
        Self::from_cube(self.geom().clone(), self.unit().clone(), out)
    }
}

/// A symmetric kernel along rows, of which `closes` columns are a turn around the sky.
fn along_rows(image: &Array2<f64>, closes: Option<usize>, weights: &[f64]) -> Array2<f64> {
    let Some(turn) = closes else { return along(image, Axis(1), weights) };
    let (nx, half) = (image.ncols(), weights.len() / 2);
    let columns: Vec<usize> = (turn - half..turn).chain(0..nx).chain(nx - turn..nx - turn + half).collect();
    let wide = along(&image.select(Axis(1), &columns), Axis(1), weights);
    wide.slice(s![.., half..half + nx]).to_owned()
}

/// A symmetric kernel along one dimension of an image.
fn along(image: &Array2<f64>, axis: Axis, weights: &[f64]) -> Array2<f64> {
    let mut out = Array2::zeros(image.dim());
    let (n, radius) = (image.len_of(axis) as i64, (weights.len() / 2) as i64);
    for (offset, weight) in (-radius..=radius).zip(weights) {
        let first = (-offset).max(0);
        let last = (n - offset).min(n);
        for i in first..last {
            let source = image.index_axis(axis, (i + offset) as usize);
            out.index_axis_mut(axis, i as usize).scaled_add(*weight, &source);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::{Geom, SkyPosition, WcsGeom};
    use std::sync::Arc;

    fn point() -> Map {
        let geom = WcsGeom::create(SkyPosition::icrs(0.0, 0.0), 9, 7, (0.1, 0.1), "CAR", Vec::new()).unwrap();
        let mut cube = Array3::zeros((1, 7, 9));
        cube[[0, 3, 4]] = 2.0;
        cube[[0, 0, 0]] = f64::NAN;
        Map::from_cube(Arc::new(Geom::Wcs(geom)), Default::default(), cube).unwrap()
    }

    /// `scipy.ndimage.gaussian_filter(image, 0.7, mode="constant")`: at the point, beside it, diagonally.
    #[test]
    fn a_gaussian_is_scipys() {
        let smooth = point().smooth(SmoothKernel::Gauss(Angle::deg(0.07))).unwrap().plane_f64(0);
        let norm: f64 = (-3..=3).map(|i| (-0.5 * (f64::from(i) / 0.7).powi(2)).exp()).sum();
        let g = |i: i32| (-0.5 * (f64::from(i) / 0.7).powi(2)).exp() / norm;
        for (at, expected) in [([3, 4], 2.0 * g(0) * g(0)), ([3, 5], 2.0 * g(0) * g(1)), ([2, 3], 2.0 * g(1) * g(1))] {
            assert!((smooth[at] - expected).abs() < 1e-15);
        }
        assert!((smooth.sum() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_box_keeps_the_sum() {
        let smooth = point().smooth(SmoothKernel::Box(Angle::deg(0.3))).unwrap().plane_f64(0);
        assert!((smooth[[2, 3]] - 2.0 / 9.0).abs() < 1e-12 && smooth[[3, 6]] < 1e-12);
        let half = point().smooth(SmoothKernel::Box(Angle::deg(0.2))).unwrap().plane_f64(0);
        assert!((half[[3, 4]] - 0.5).abs() < 1e-12 && (half[[3, 5]] - 0.25).abs() < 1e-12);
        assert!(point().smooth(SmoothKernel::Gauss(Angle::deg(0.0))).is_err());
        assert!(point().smooth(SmoothKernel::Box(Angle::deg(f64::NAN))).is_err());
    }
}
