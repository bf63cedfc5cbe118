//! The predicted background of a dataset: what its model makes of it, and the derivatives.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array3, Axis, Zip};

use super::derivatives::{Curve, Place, bends, moved, pair, scalar};
use super::source::{Block, difference};
use crate::error::{Error, Result};
use crate::maps::Geom;
use crate::models::{FoVBackgroundModel, Model, Parameter};

/// Shapes that are kept; a Hessian takes two for each shape parameter and two for each pair.
const KEPT_SHAPES: usize = 24;

/// Factors `[energy or 1, y, x]` that the spatial part of a background model gives; `None` without one.
type Factors = Option<Arc<Array3<f64>>>;

/// The background before its model, and what is kept of the model's shapes.
pub(super) struct Background {
    cube: Arc<Array3<f64>>,
    geom: Arc<Geom>,
    /// Shapes by the values of their parameters; the last used last.
    shapes: Vec<(Vec<f64>, Arc<Array3<f64>>)>,
    /// Derivatives of a shape that is a sum of terms proportional to its parameters: they are always the same.
    slopes: BTreeMap<usize, Arc<Array3<f64>>>,
}

/// The background at the parameters of a step, with its first derivatives and what second ones need.
pub(super) struct BackgroundLocal {
    spectral: Vec<Place>,
    shapes: Vec<Place>,
    factors: Curve,
    shape: Factors,
    slopes: Vec<Arc<Array3<f64>>>,
}

fn fov(model: &Model) -> Result<&FoVBackgroundModel> {
    match model {
        Model::FoVBackground(background) => Ok(background),
        other => Err(Error::input(other.name(), "is not a background model")),
    }
}

impl Background {
    pub fn new(cube: Array3<f64>, geom: Arc<Geom>) -> Self {
        Self { cube: Arc::new(cube), geom, shapes: Vec::new(), slopes: BTreeMap::new() }
    }

    /// Makes bins without a defined background (NaN), which are masked, 0: derivatives are sums over all bins, in which
    /// masked ones have the weight 0.
    pub fn forget_undefined(&mut self) {
        if self.cube.iter().any(|v| v.is_nan()) {
            Arc::make_mut(&mut self.cube).mapv_inplace(|v| if v.is_nan() { 0.0 } else { v });
        }
    }

    /// `[energy, y, x]`, before the model.
    pub fn cube(&self) -> &Array3<f64> {
        &self.cube
    }

    /// The factors of the model's spatial part.
    pub fn shape(&mut self, model: &Model) -> Result<Factors> {
        let model = fov(model)?;
        let Some(spatial) = &model.spatial else { return Ok(None) };
        let key: Vec<f64> = spatial.parameters().iter().map(|p| p.value).collect();
        if let Some(at) = self.shapes.iter().position(|(k, _)| *k == key) {
            let found = self.shapes.remove(at);
            self.shapes.push(found);
        } else {
            let Some(factors) = model.spatial_factors(&self.geom)? else { return Ok(None) };
            if self.shapes.len() >= KEPT_SHAPES {
                self.shapes.remove(0);
            }
            self.shapes.push((key, Arc::new(factors)));
        }
        Ok(self.shapes.last().map(|(_, factors)| Arc::clone(factors)))
    }

    /// The derivative of the factors by a parameter of the spatial part.
    fn slope(&mut self, model: &Model, place: &Place, (down, up): (f64, f64)) -> Result<Arc<Array3<f64>>> {
        let missing = || Error::input(model.name(), "the background has no spatial part");
        if fov(model)?.spatial.as_ref().is_some_and(|s| s.is_linear()) {
            if let Some(slope) = self.slopes.get(&place.index) {
                return Ok(Arc::clone(slope));
            }
            // The shape of this parameter alone, at 1.
            let first = model.spectral().parameters().len();
            let unit: Vec<Parameter> = model
                .parameters()
                .into_iter()
                .enumerate()
                .map(|(i, (_, p))| {
                    let value = if i < first { p.value } else { f64::from(u8::from(i == place.index)) };
                    Parameter { value, ..p.clone() }
                })
                .collect();
            let alone = model.with_parameters(&unit)?;
            let slope = Arc::new(fov(&alone)?.spatial_factors(&self.geom)?.ok_or_else(missing)?);
            self.slopes.insert(place.index, Arc::clone(&slope));
            return Ok(slope);
        }
        let high = self.shape(&moved(model, &[(place.index, up)])?)?.ok_or_else(missing)?;
        let low = self.shape(&moved(model, &[(place.index, -down)])?)?.ok_or_else(missing)?;
        Ok(Arc::new(difference(&high, &low, (up + down).max(f64::MIN_POSITIVE))))
    }

    /// The background times factors by energy and those of a shape, over the whole dataset.
    pub fn block(&self, by_energy: &[f64], shape: Option<&Array3<f64>>) -> Block {
        let mut cube = self.cube.as_ref().clone();
        for (mut plane, factor) in cube.outer_iter_mut().zip(by_energy) {
            plane *= *factor;
        }
        if let Some(shape) = shape {
            // One plane stands for all energies.
            cube *= shape;
        }
        Block { y0: 0, x0: 0, data: Arc::new(cube) }
    }

    /// By energy, the sum of weight × shape; `weight` is slope × background.
    fn sums(weight: &Array3<f64>, shape: Option<&Array3<f64>>) -> Vec<f64> {
        let plane = |e: usize, plane: ndarray::ArrayView2<'_, f64>| match shape {
            Some(shape) => {
                let shape = shape.index_axis(Axis(0), if shape.dim().0 == 1 { 0 } else { e });
                Zip::from(plane).and(shape).fold(0.0, |sum, w, s| sum + w * s)
            }
            None => plane.sum(),
        };
        weight.outer_iter().enumerate().map(|(e, w)| plane(e, w)).collect()
    }

    /// What the model makes of the background at a step; `put` takes the first derivatives of the predicted counts.
    pub fn local(
        &mut self,
        model: &Model,
        (spectral, shapes): (Vec<Place>, Vec<Place>),
        factors: Curve,
        reach: &[(f64, f64)],
        mut put: impl FnMut(usize, Block),
    ) -> Result<BackgroundLocal> {
        let shape = self.shape(model)?;
        for (p, slope) in spectral.iter().zip(&factors.first) {
            put(p.free, self.block(slope, shape.as_deref()));
        }
        let mut slopes = Vec::new();
        for p in &shapes {
            let slope = self.slope(model, p, reach[p.free])?;
            put(p.free, self.block(&factors.value, Some(&slope)));
            slopes.push(slope);
        }
        Ok(BackgroundLocal { spectral, shapes, factors, shape, slopes })
    }

    /// Adds second derivatives of the predicted counts against the slopes of the bins; those by two parameters of the shape
    /// where `shapes` says so.
    pub fn add_second(
        &mut self,
        model: &Model,
        local: &BackgroundLocal,
        slope: &Array3<f64>,
        reach: &[(f64, f64)],
        shapes: bool,
        second: &mut ndarray::Array2<f64>,
    ) -> Result<()> {
        // Bins without a slope do not count, whatever stands in them.
        let weight = Zip::from(slope).and(self.cube.as_ref()).map_collect(|s, b| if *s == 0.0 { 0.0 } else { s * b });
        let sums = Self::sums(&weight, local.shape.as_deref());
        for (i, p) in local.spectral.iter().enumerate() {
            for (j, q) in local.spectral[..=i].iter().enumerate() {
                pair(second, p, q, i == j, scalar(&local.factors.second[i][j], &sums));
            }
        }
        let is_linear = fov(model)?.spatial.as_ref().is_some_and(|s| s.is_linear());
        for (i, p) in local.shapes.iter().enumerate() {
            let by_shape = Self::sums(&weight, Some(&local.slopes[i]));
            for (q, factor) in local.spectral.iter().zip(&local.factors.first) {
                pair(second, p, q, false, scalar(factor, &by_shape));
            }
            let Some(shape) = local.shape.as_ref().filter(|_| shapes && !is_linear) else { continue };
            let at = |model: &Model| {
                let missing = || Error::input(model.name(), "the background has no spatial part");
                self.shape(model)?.ok_or_else(missing)
            };
            for (q, bend) in bends(model, &local.shapes[..=i], reach, shape, at)? {
                let same = q.index == p.index;
                pair(second, p, &q, same, scalar(&local.factors.value, &Self::sums(&weight, Some(&bend))));
            }
        }
        Ok(())
    }
}
