//! Maps and masks cut out, padded, cropped, down- and upsampled, sliced and summed along axes.
//!
//! What only rearranges values keeps their precision; what computes with them is summed and returned in double
//! precision. Gammapy: stores such results in the precision of the map, usually single.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array3, ArrayD, ArrayViewD, Axis, IxDyn, Slice};
use rayon::prelude::*;

use super::axis::MapAxis;
use super::frame::SkyPosition;
use super::geom::{CutoutOrigin, Geom, WcsGeom};
use super::map::{Map, MapData};
use super::mask::Mask;
use crate::error::{Error, Result};
use crate::kernels::CubeView;
use crate::memory;

/// Weights of a sum over pixels or bins: of the map's shape, or one image for all planes.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// All 1.
    One,
    /// 1 where the mask is true.
    Mask(&'a Mask),
    /// The values of a map.
    Map(&'a Map),
}

impl Weights<'_> {
    fn shape(&self) -> Option<&[usize]> {
        match self {
            Self::One => None,
            Self::Mask(mask) => Some(mask.data().shape()),
            Self::Map(map) => Some(map.data().shape()),
        }
    }

    /// Weights for a map of `shape`.
    fn for_shape(self, shape: &[usize]) -> Result<PlaneWeights<Self>> {
        let image = &shape[shape.len() - 2..];
        let planes = match self.shape() {
            None => None,
            Some(found) if found == shape => Some(false),
            Some(found)
                if found.ends_with(image) && found.iter().product::<usize>() == image.iter().product::<usize>() =>
            {
                Some(true)
            }
            Some(found) => {
                return Err(Error::input("weights", format!("shape {found:?} where the map has {shape:?}")));
            }
        };
        Ok(PlaneWeights { weights: self, same_for_all: planes.unwrap_or(true), image_len: image.iter().product() })
    }
}

struct PlaneWeights<W> {
    weights: W,
    same_for_all: bool,
    image_len: usize,
}

impl PlaneWeights<Weights<'_>> {
    #[inline]
    fn at(&self, plane: usize, pixel: usize) -> f64 {
        let index = if self.same_for_all { pixel } else { plane * self.image_len + pixel };
        match self.weights {
            Weights::One => 1.0,
            Weights::Mask(mask) => f64::from(u8::from(mask.data().as_slice().is_some_and(|s| s[index]))),
            Weights::Map(map) => map.data().at(index).unwrap_or(f64::NAN),
        }
    }
}

/// How values are taken between the centres of coarse pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpsampleOrder {
    /// The value of the coarse pixel (order 0).
    Nearest,
    /// Bilinear, constant beyond the outermost centres (order 1).
    Linear,
}

/// The part of the last two dimensions.
fn image_part<T: Clone>(data: &ArrayD<T>, y: &Range<usize>, x: &Range<usize>) -> ArrayD<T> {
    let n = data.ndim();
    let mut view = data.view();
    view.slice_axis_inplace(Axis(n - 2), Slice::from(y.clone()));
    view.slice_axis_inplace(Axis(n - 1), Slice::from(x.clone()));
    standard(view)
}

/// A copy in memory order, whatever the strides of the view.
fn standard<T: Clone>(view: ArrayViewD<'_, T>) -> ArrayD<T> {
    view.as_standard_layout().into_owned()
}

fn padded<T: Clone>(data: &ArrayD<T>, pad_y: usize, pad_x: usize, value: T) -> ArrayD<T> {
    let n = data.ndim();
    let (ny, nx) = (data.shape()[n - 2], data.shape()[n - 1]);
    let mut shape = data.shape().to_vec();
    shape[n - 2] += 2 * pad_y;
    shape[n - 1] += 2 * pad_x;
    let mut out = ArrayD::from_elem(shape, value);
    let mut inner = out.view_mut();
    inner.slice_axis_inplace(Axis(n - 2), Slice::from(pad_y..pad_y + ny));
    inner.slice_axis_inplace(Axis(n - 1), Slice::from(pad_x..pad_x + nx));
    inner.assign(data);
    out
}

fn axis_part<T: Clone>(data: &ArrayD<T>, dimension: usize, bins: &Range<usize>) -> ArrayD<T> {
    standard(data.slice_axis(Axis(dimension), Slice::from(bins.clone())))
}

fn repeated<T: Copy + Send + Sync>(data: &ArrayD<T>, factor: usize) -> ArrayD<T> {
    let n = data.ndim();
    let nx = data.shape()[n - 1];
    let mut shape = data.shape().to_vec();
    shape[n - 2] *= factor;
    shape[n - 1] *= factor;
    // Rows of all planes in one: row r of the result repeats row r / factor. Maps and masks are in memory order.
    let source = data.as_slice().unwrap_or_default();
    let mut values = Vec::with_capacity(source.len() * factor * factor);
    for row in source.chunks(nx) {
        for _ in 0..factor {
            values.extend(row.iter().flat_map(|v| std::iter::repeat_n(*v, factor)));
        }
    }
    let shape = IxDyn(&shape);
    ArrayD::from_shape_vec(shape.clone(), values).unwrap_or_else(|_| {
        ArrayD::from_shape_fn(shape, |mut index| {
            index[n - 2] /= factor;
            index[n - 1] /= factor;
            data[index]
        })
    })
}

/// Applies a generic function in either precision.
macro_rules! in_its_precision {
    ($data:expr, $array:ident => $f:expr) => {
        match $data {
            MapData::F32($array) => MapData::F32($f),
            MapData::F64($array) => MapData::F64($f),
        }
    };
}

/// The position of an axis in the geometry, and its dimension in the data (`[axes reversed…, y, x]`).
fn find(geom: &Geom, name: &str) -> Result<(usize, usize)> {
    geom.axis(name)?;
    let position = geom.axes().iter().position(|a| a.name() == name).unwrap_or_default();
    Ok((position, geom.axes().len() - 1 - position))
}

/// The geometry with one axis replaced, or left out.
fn with_axis(geom: &Geom, position: usize, axis: Option<MapAxis>) -> Geom {
    let mut axes = geom.axes().to_vec();
    match axis {
        Some(axis) => axes[position] = axis,
        None => {
            axes.remove(position);
        }
    }
    geom.with_axes(axes)
}

impl Map {
    fn with_image(&self, geom: WcsGeom, data: MapData) -> Result<Self> {
        Self::new(Arc::new(Geom::Wcs(geom)), self.unit().clone(), data)
    }

    /// The map around a position, see [`WcsGeom::cutout`].
    ///
    /// # Errors
    /// For region maps, and where the cutout does not overlap the map.
    pub fn cutout(&self, center: SkyPosition, width_deg: (f64, f64), odd_npix: bool) -> Result<(Self, CutoutOrigin)> {
        let (geom, origin) = self.wcs_geom()?.cutout(center, width_deg, odd_npix)?;
        let map = self.slice_image(origin.y0..origin.y0 + geom.ny(), origin.x0..origin.x0 + geom.nx())?;
        Ok((map, origin))
    }

    /// The rows and columns of a range, all planes.
    ///
    /// # Errors
    /// For region maps, and where the range is empty or beyond the map.
    pub fn slice_image(&self, y: Range<usize>, x: Range<usize>) -> Result<Self> {
        let geom = self.wcs_geom()?.slice(y.clone(), x.clone())?;
        self.with_image(geom, in_its_precision!(self.data(), a => image_part(a, &y, &x)))
    }

    /// `pad_y`, `pad_x` pixels of `value` more on each side.
    ///
    /// # Errors
    /// For region maps.
    pub fn pad(&self, pad_y: usize, pad_x: usize, value: f64) -> Result<Self> {
        let geom = self.wcs_geom()?.pad(pad_y, pad_x);
        memory::check::<f64>("a padded map", &[self.planes(), geom.ny(), geom.nx()])?;
        let data = match self.data() {
            MapData::F32(a) => MapData::F32(padded(a, pad_y, pad_x, value as f32)),
            MapData::F64(a) => MapData::F64(padded(a, pad_y, pad_x, value)),
        };
        self.with_image(geom, data)
    }

    /// `crop_y`, `crop_x` pixels less on each side.
    ///
    /// # Errors
    /// For region maps, and where nothing is left.
    pub fn crop(&self, crop_y: usize, crop_x: usize) -> Result<Self> {
        let geom = self.wcs_geom()?.crop(crop_y, crop_x)?;
        let (y, x) = (crop_y..crop_y + geom.ny(), crop_x..crop_x + geom.nx());
        self.with_image(geom, in_its_precision!(self.data(), a => image_part(a, &y, &x)))
    }

    /// `factor` × `factor` pixels become one: their weighted sum (`preserve_counts`), or their weighted mean, 0 where
    /// all weights are 0. Products that are NaN are left out of the sum; their weights stay in the mean, as in Gammapy.
    /// In double precision; a factor of 1 returns the map as it is, without weights, as in Gammapy.
    ///
    /// # Errors
    /// For region maps, sides that are not divisible, and weights of another shape.
    pub fn downsample(&self, factor: usize, preserve_counts: bool, weights: Weights<'_>) -> Result<Self> {
        if factor == 1 {
            return Ok(self.clone());
        }
        let old = self.wcs_geom()?;
        let geom = old.downsample(factor)?;
        let weights = weights.for_shape(self.data().shape())?;
        let (nx_old, nx, ny) = (old.nx(), geom.nx(), geom.ny());
        let cube = self.cube();
        let mut out = Array3::zeros((self.planes(), ny, nx));
        if let Some(values) = out.as_slice_mut() {
            values.par_chunks_mut(nx).enumerate().for_each(|(row, out)| {
                let (plane, y) = (row / ny, row % ny);
                for (x, out) in out.iter_mut().enumerate() {
                    let (mut sum, mut weight_sum) = (0.0, 0.0);
                    for j in y * factor..(y + 1) * factor {
                        for i in x * factor..(x + 1) * factor {
                            let weight = weights.at(plane, j * nx_old + i);
                            let product = weight * cube.at(plane, j, i);
                            sum += if product.is_nan() { 0.0 } else { product };
                            weight_sum += if weight.is_nan() { 0.0 } else { weight };
                        }
                    }
                    *out = match (preserve_counts, weight_sum == 0.0) {
                        (true, _) => sum,
                        (false, true) => 0.0,
                        (false, false) => sum / weight_sum,
                    };
                }
            });
        }
        Self::from_cube(Arc::new(Geom::Wcs(geom)), self.unit().clone(), out)
    }

    /// Each pixel becomes `factor` × `factor`. With `preserve_counts` values are divided by the solid angle of the
    /// coarse pixel before, and multiplied by that of the fine one after. In double precision, except
    /// [`UpsampleOrder::Nearest`] without `preserve_counts`; a factor of 1 returns the map as it is.
    ///
    /// Gammapy: interpolates through scipy, where a NaN spreads to neighbours of weight 0, the next lower plane of an
    /// axis among them. Here it spreads only where it has a weight.
    ///
    /// # Errors
    /// For region maps.
    pub fn upsample(&self, factor: usize, order: UpsampleOrder, preserve_counts: bool) -> Result<Self> {
        let old = self.wcs_geom()?;
        if factor <= 1 {
            return Ok(self.clone());
        }
        let geom = old.upsample(factor);
        memory::check::<f64>("an upsampled map", &[self.planes(), geom.ny(), geom.nx()])?;
        if order == UpsampleOrder::Nearest && !preserve_counts {
            return self.with_image(geom, in_its_precision!(self.data(), a => repeated(a, factor)));
        }
        let solid_angles = preserve_counts.then(|| (old.solid_angle_sr(), geom.solid_angle_sr()));
        let (ny_old, nx_old, ny, nx) = (old.ny(), old.nx(), geom.ny(), geom.nx());
        let cube = self.cube();
        let coarse = |plane: usize, y: usize, x: usize| {
            let value = cube.at(plane, y, x);
            solid_angles.as_ref().map_or(value, |(coarse, _)| value / coarse[[y, x]])
        };
        let columns: Vec<[(usize, f64); 2]> = (0..nx).map(|x| neighbours(x, factor, nx_old, order)).collect();
        let mut out = Array3::zeros((self.planes(), ny, nx));
        if let Some(values) = out.as_slice_mut() {
            values.par_chunks_mut(nx).enumerate().for_each(|(row, out)| {
                let (plane, y) = (row / ny, row % ny);
                let rows = neighbours(y, factor, ny_old, order);
                for (x, out) in out.iter_mut().enumerate() {
                    let mut value = 0.0;
                    for (j, wy) in rows {
                        for (i, wx) in columns[x] {
                            if wx * wy != 0.0 {
                                value += wx * wy * coarse(plane, j, i);
                            }
                        }
                    }
                    *out = solid_angles.as_ref().map_or(value, |(_, fine)| value * fine[[y, x]]);
                }
            });
        }
        Self::from_cube(Arc::new(Geom::Wcs(geom)), self.unit().clone(), out)
    }

    /// The bins of a range on one axis.
    ///
    /// # Errors
    /// Where there is no such axis or the range is empty or beyond it.
    pub fn slice_axis(&self, name: &str, bins: Range<usize>) -> Result<Self> {
        let (position, dimension) = find(self.geom(), name)?;
        let axis = self.geom().axes()[position].slice(bins.clone())?;
        let geom = Arc::new(with_axis(self.geom(), position, Some(axis)));
        Self::new(geom, self.unit().clone(), in_its_precision!(self.data(), a => axis_part(a, dimension, &bins)))
    }

    /// One bin of an axis, without that axis.
    ///
    /// # Errors
    /// As [`Map::slice_axis`].
    pub fn select_bin(&self, name: &str, bin: usize) -> Result<Self> {
        let (position, dimension) = find(self.geom(), name)?;
        self.geom().axes()[position].slice(bin..bin + 1)?;
        let geom = Arc::new(with_axis(self.geom(), position, None));
        Self::new(
            geom,
            self.unit().clone(),
            in_its_precision!(self.data(), a => standard(a.index_axis(Axis(dimension), bin))),
        )
    }

    /// Weighted sums over groups of bins of one axis, in double precision; the groups become the bins of the new axis
    /// and must follow each other without gaps. Products that are NaN are left out.
    ///
    /// Gammapy: `resample_axis(axis, weights)`.
    ///
    /// # Errors
    /// Where there is no such axis, a group is empty or beyond it, the groups do not follow each other, or the weights
    /// have another shape.
    pub fn group_axis(&self, name: &str, groups: &[Range<usize>], weights: Weights<'_>) -> Result<Self> {
        let (position, _) = find(self.geom(), name)?;
        let axis = &self.geom().axes()[position];
        let wrong = |problem: String| Error::input(name, problem);
        let edges = axis.edges();
        let mut nodes = Vec::with_capacity(groups.len() + 1);
        for (i, group) in groups.iter().enumerate() {
            if group.is_empty() || group.end > axis.nbin() {
                return Err(wrong(format!("bins {group:?} of {} cannot be summed", axis.nbin())));
            }
            if i > 0 && groups[i - 1].end != group.start {
                return Err(wrong(format!("bins {group:?} do not follow {:?}", groups[i - 1])));
            }
            nodes.push(edges[group.start]);
        }
        let last = groups.last().ok_or_else(|| wrong("there are no bins to sum".to_string()))?;
        nodes.push(edges[last.end]);
        let new_axis = MapAxis::from_edges(name, axis.unit().clone(), nodes, axis.interp())?;
        self.summed(position, new_axis, groups, weights)
    }

    /// The weighted sum over one axis, in double precision; the axis stays with one bin (`keep_axis`) or goes.
    ///
    /// # Errors
    /// Where there is no such axis, or the weights have another shape.
    pub fn sum_over_axis(&self, name: &str, keep_axis: bool, weights: Weights<'_>) -> Result<Self> {
        let (position, _) = find(self.geom(), name)?;
        let axis = &self.geom().axes()[position];
        let sum = self.summed(position, axis.squash(), std::slice::from_ref(&(0..axis.nbin())), weights)?;
        if keep_axis { Ok(sum) } else { sum.select_bin(name, 0) }
    }

    /// The weighted sum over all axes, in double precision; the axes stay with one bin each (`keep_axes`) or go.
    ///
    /// # Errors
    /// Where the weights have another shape.
    pub fn sum_over_axes(&self, keep_axes: bool, weights: Weights<'_>) -> Result<Self> {
        let weights = weights.for_shape(self.data().shape())?;
        let out = plane_sums(self.cube(), &[(0..self.planes()).collect()], &weights);
        let axes: Vec<MapAxis> =
            if keep_axes { self.geom().axes().iter().map(MapAxis::squash).collect() } else { Vec::new() };
        Self::from_cube(Arc::new(self.geom().with_axes(axes)), self.unit().clone(), out)
    }

    fn summed(
        &self,
        position: usize,
        new_axis: MapAxis,
        groups: &[Range<usize>],
        weights: Weights<'_>,
    ) -> Result<Self> {
        let weights = weights.for_shape(self.data().shape())?;
        let axes = self.geom().axes();
        // Planes are numbered with the first axis fastest.
        let below: usize = axes[..position].iter().map(MapAxis::nbin).product();
        let nbin = axes[position].nbin();
        let mut sources = vec![Vec::new(); self.planes() / nbin * groups.len()];
        for plane in 0..self.planes() {
            let (low, bin, high) = (plane % below, plane / below % nbin, plane / below / nbin);
            if let Some(group) = groups.iter().position(|g| g.contains(&bin)) {
                sources[low + below * (group + groups.len() * high)].push(plane);
            }
        }
        let out = plane_sums(self.cube(), &sources, &weights);
        let geom = Arc::new(with_axis(self.geom(), position, Some(new_axis)));
        Self::from_cube(geom, self.unit().clone(), out)
    }
}

/// For each list of planes the sum of the weighted values that are not NaN.
fn plane_sums(cube: CubeView<'_>, sources: &[Vec<usize>], weights: &PlaneWeights<Weights<'_>>) -> Array3<f64> {
    let (_, ny, nx) = cube.dim();
    let mut out = Array3::zeros((sources.len(), ny, nx));
    if let Some(values) = out.as_slice_mut() {
        values.par_chunks_mut(nx).enumerate().for_each(|(row, sums)| {
            let y = row % ny;
            for &plane in &sources[row / ny] {
                for (x, sum) in sums.iter_mut().enumerate() {
                    let product = cube.at(plane, y, x) * weights.at(plane, y * nx + x);
                    if !product.is_nan() {
                        *sum += product;
                    }
                }
            }
        });
    }
    out
}

/// The coarse pixels that a fine pixel is made of along one dimension, with weights.
fn neighbours(fine: usize, factor: usize, n_coarse: usize, order: UpsampleOrder) -> [(usize, f64); 2] {
    let parent = fine / factor;
    if order == UpsampleOrder::Nearest {
        return [(parent, 1.0), (parent, 0.0)];
    }
    let pix = ((fine as f64 - 0.5 * (factor - 1) as f64) / factor as f64).clamp(0.0, (n_coarse - 1) as f64);
    let lower = pix.floor();
    let weight = pix - lower;
    let lower = lower as usize;
    [(lower, 1.0 - weight), ((lower + 1).min(n_coarse - 1), weight)]
}

impl Mask {
    fn with_image(geom: WcsGeom, data: ArrayD<bool>) -> Result<Self> {
        Self::new(Arc::new(Geom::Wcs(geom)), data)
    }

    /// The mask around a position, see [`WcsGeom::cutout`].
    ///
    /// # Errors
    /// For region masks, and where the cutout does not overlap the mask.
    pub fn cutout(&self, center: SkyPosition, width_deg: (f64, f64), odd_npix: bool) -> Result<(Self, CutoutOrigin)> {
        let (geom, origin) = self.geom().as_wcs()?.cutout(center, width_deg, odd_npix)?;
        let mask = self.slice_image(origin.y0..origin.y0 + geom.ny(), origin.x0..origin.x0 + geom.nx())?;
        Ok((mask, origin))
    }

    /// The rows and columns of a range, all planes.
    ///
    /// # Errors
    /// For region masks, and where the range is empty or beyond the mask.
    pub fn slice_image(&self, y: Range<usize>, x: Range<usize>) -> Result<Self> {
        let geom = self.geom().as_wcs()?.slice(y.clone(), x.clone())?;
        Self::with_image(geom, image_part(self.data(), &y, &x))
    }

    /// `pad_y`, `pad_x` pixels of `value` more on each side.
    ///
    /// # Errors
    /// For region masks.
    pub fn pad(&self, pad_y: usize, pad_x: usize, value: bool) -> Result<Self> {
        let geom = self.geom().as_wcs()?.pad(pad_y, pad_x);
        memory::check::<bool>("a padded mask", &[self.cube().dim().0, geom.ny(), geom.nx()])?;
        Self::with_image(geom, padded(self.data(), pad_y, pad_x, value))
    }

    /// `crop_y`, `crop_x` pixels less on each side.
    ///
    /// # Errors
    /// For region masks, and where nothing is left.
    pub fn crop(&self, crop_y: usize, crop_x: usize) -> Result<Self> {
        let geom = self.geom().as_wcs()?.crop(crop_y, crop_x)?;
        let (y, x) = (crop_y..crop_y + geom.ny(), crop_x..crop_x + geom.nx());
        Self::with_image(geom, image_part(self.data(), &y, &x))
    }

    /// `factor` × `factor` pixels become one, true where any of them is, as Gammapy's `downsample` of a mask.
    ///
    /// # Errors
    /// For region masks, and sides that are not divisible.
    pub fn downsample(&self, factor: usize) -> Result<Self> {
        let geom = self.geom().as_wcs()?.downsample(factor)?;
        let mask = self.cube();
        let (planes, ny, nx) = mask.dim();
        let mut out = Array3::from_elem((planes, geom.ny(), geom.nx()), false);
        for plane in 0..planes {
            for y in 0..ny {
                for x in 0..nx {
                    out[[plane, y / factor, x / factor]] |= mask[[plane, y, x]];
                }
            }
        }
        let mut shape = self.data().shape().to_vec();
        let n = shape.len();
        (shape[n - 2], shape[n - 1]) = (geom.ny(), geom.nx());
        let out = out.into_dyn().into_shape_with_order(shape).map_err(|e| Error::input("mask", e.to_string()))?;
        Self::with_image(geom, out)
    }

    /// Each pixel becomes `factor` × `factor`; a factor of 0 counts as 1.
    ///
    /// # Errors
    /// For region masks.
    pub fn upsample(&self, factor: usize) -> Result<Self> {
        let factor = factor.max(1);
        let geom = self.geom().as_wcs()?.upsample(factor);
        memory::check::<bool>("an upsampled mask", &[self.cube().dim().0, geom.ny(), geom.nx()])?;
        Self::with_image(geom, repeated(self.data(), factor))
    }

    /// The bins of a range on one axis.
    ///
    /// # Errors
    /// Where there is no such axis or the range is empty or beyond it.
    pub fn slice_axis(&self, name: &str, bins: Range<usize>) -> Result<Self> {
        let (position, dimension) = find(self.geom(), name)?;
        let axis = self.geom().axes()[position].slice(bins.clone())?;
        let geom = Arc::new(with_axis(self.geom(), position, Some(axis)));
        Self::new(geom, axis_part(self.data(), dimension, &bins))
    }
}
