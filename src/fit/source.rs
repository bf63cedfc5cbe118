//! A source in a dataset: its predicted counts and their derivatives.

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView3, Axis, s};
use rayon::prelude::*;

use crate::control::Control;
use crate::datasets::{Evaluator, Prepared};
use crate::error::Result;
use crate::models::{Parameter, SkyModel};

/// Shapes that are kept; a Hessian takes two for each shape parameter and two for each pair.
const KEPT_SHAPES: usize = 24;

/// Growth of a model's evaluation radius beyond which its cutout is cut anew.
const RADIUS_GROWTH: f64 = 1.2;

/// A rectangle of predicted counts or of a derivative, all energies, at `(y0, x0)` of the dataset.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub y0: usize,
    pub x0: usize,
    pub data: Arc<Array3<f64>>,
}

/// A source with what is kept of it.
pub(super) struct Source {
    /// Place of the model in the list.
    pub component: usize,
    /// Responses and cutout where the fit began.
    pub prepared: Prepared,
    start: SkyModel,
    /// Shapes through the responses, by the values of the shape's parameters; the last used last.
    shapes: Vec<(Vec<f64>, Arc<Array3<f64>>)>,
}

fn values(parameters: &[Parameter]) -> Vec<f64> {
    parameters.iter().map(|p| p.value).collect()
}

impl Source {
    pub fn new(component: usize, model: &SkyModel, prepared: Prepared) -> Self {
        Self { component, prepared, start: model.clone(), shapes: Vec::new() }
    }

    /// True where a model does not lie where the responses were taken.
    pub fn is_moved(&self, model: &SkyModel) -> bool {
        let shape = |m: &SkyModel| m.spatial.as_ref().map(|s| values(s.parameters()));
        shape(&self.start) != shape(model)
    }

    /// True where a model has left the place, or outgrown the cutout, that the responses were taken for.
    pub fn is_left_by(&self, model: &SkyModel) -> bool {
        let (Some(old), Some(new)) = (&self.start.spatial, &model.spatial) else { return false };
        let (Some(r0), Some(r1)) = (old.evaluation_radius_deg(), new.evaluation_radius_deg()) else { return false };
        let (Some(a), Some(b)) = (old.position(), new.position()) else { return false };
        // Gammapy: takes new responses beyond the radius and a margin of 0.1 deg, and keeps the size of the cutout.
        r1 > RADIUS_GROWTH * r0 || a.separation_deg(b) > (r0 + 0.1).min(0.1 + 0.5 * r0)
    }

    /// Counts per unit of flux, `[energy_true, y, x]`.
    pub fn exposed(
        &mut self,
        model: &SkyModel,
        evaluator: &Evaluator<'_>,
        control: &Control,
    ) -> Result<Arc<Array3<f64>>> {
        let key = model.spatial.as_ref().map_or(Vec::new(), |s| values(s.parameters()));
        if let Some(at) = self.shapes.iter().position(|(k, _)| *k == key) {
            let found = self.shapes.remove(at);
            self.shapes.push(found);
        } else {
            if self.shapes.len() >= KEPT_SHAPES {
                self.shapes.remove(0);
            }
            let share = evaluator.exposed_share(model, &self.prepared, control)?;
            self.shapes.push((key, Arc::new(share)));
        }
        Ok(Arc::clone(&self.shapes[self.shapes.len() - 1].1))
    }

    /// Predicted counts in reconstructed energy of fluxes in true energy: `[energy, y, x]`.
    pub fn fold(
        &self,
        exposed: &Array3<f64>,
        flux: &[f64],
        evaluator: &Evaluator<'_>,
        control: &Control,
    ) -> Result<Block> {
        let data = Arc::new(evaluator.fold(exposed, flux, &self.prepared, control)?);
        Ok(Block { y0: self.prepared.origin.y0, x0: self.prepared.origin.x0, data })
    }

    /// What a unit of flux in each true energy adds to the sum of `slope` × predicted counts: the sum over all bins, for
    /// shapes through the responses. Derivatives of all orders by spectral parameters are sums over it.
    pub fn per_flux(&self, exposed: &Array3<f64>, slope: &Array3<f64>) -> Vec<f64> {
        let sums: Vec<f64> = exposed
            .axis_iter(Axis(0))
            .into_par_iter()
            .enumerate()
            .map(|(t, shape)| {
                let mut sum = 0.0;
                for (e, plane) in slope.outer_iter().enumerate() {
                    let weight = self.prepared.matrix[[t, e]];
                    if weight != 0.0 {
                        sum += weight * dot(shape.as_slice(), plane.as_slice());
                    }
                }
                sum
            })
            .collect();
        sums
    }

    /// The part of a map of the dataset that this source touches, taken back through a PSF that is applied last.
    pub fn cut(&self, map: ArrayView3<'_, f64>, evaluator: &Evaluator<'_>, control: &Control) -> Result<Array3<f64>> {
        let (y0, x0) = (self.prepared.origin.y0, self.prepared.origin.x0);
        let (ny, nx) = self.prepared.image_shape();
        let part = map.slice(s![.., y0..y0 + ny, x0..x0 + nx]).to_owned();
        evaluator.apply_last_psf(part, &self.prepared, true, control)
    }
}

/// Sum of products of two equally long slices (0 where memory is not contiguous, which it is here).
fn dot(a: Option<&[f64]>, b: Option<&[f64]>) -> f64 {
    let (Some(a), Some(b)) = (a, b) else { return 0.0 };
    // Four sums side by side: the order is fixed and the compiler can use its vectors.
    let mut sums = [0.0; 4];
    let (chunks_a, chunks_b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = chunks_a.remainder().iter().zip(chunks_b.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in chunks_a.zip(chunks_b) {
        for i in 0..4 {
            sums[i] += x[i] * y[i];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// Sum over all bins of `weight` × a × b where the two rectangles meet.
pub(super) fn weighted_product(weight: &Array3<f64>, a: &Block, b: &Block) -> f64 {
    let (_, ay, ax) = a.data.dim();
    let (_, by, bx) = b.data.dim();
    let (y_min, y_max) = (a.y0.max(b.y0), (a.y0 + ay).min(b.y0 + by));
    let (x_min, x_max) = (a.x0.max(b.x0), (a.x0 + ax).min(b.x0 + bx));
    if y_min >= y_max || x_min >= x_max {
        return 0.0;
    }
    let mut total = 0.0;
    for e in 0..weight.dim().0 {
        for y in y_min..y_max {
            let w = weight.slice(s![e, y, x_min..x_max]);
            let u = a.data.slice(s![e, y - a.y0, x_min - a.x0..x_max - a.x0]);
            let v = b.data.slice(s![e, y - b.y0, x_min - b.x0..x_max - b.x0]);
            let (Some(w), Some(u), Some(v)) = (w.as_slice(), u.as_slice(), v.as_slice()) else { continue };
            let mut row = 0.0;
            for ((w, u), v) in w.iter().zip(u).zip(v) {
                row += w * u * v;
            }
            total += row;
        }
    }
    total
}

/// Adds a block into a cube of the whole dataset.
pub(super) fn add(total: &mut Array3<f64>, block: &Block, factor: f64) {
    let (_, ny, nx) = block.data.dim();
    let mut target = total.slice_mut(s![.., block.y0..block.y0 + ny, block.x0..block.x0 + nx]);
    target.scaled_add(factor, &block.data.view());
}

/// Sum of slope × derivative over all bins.
pub(super) fn product(slope: &Array3<f64>, block: &Block) -> f64 {
    let (_, ny, nx) = block.data.dim();
    let part = slope.slice(s![.., block.y0..block.y0 + ny, block.x0..block.x0 + nx]);
    let mut total = 0.0;
    for (a, b) in part.outer_iter().zip(block.data.outer_iter()) {
        for (u, v) in a.outer_iter().zip(b.outer_iter()) {
            total += dot(u.as_slice(), v.as_slice());
        }
    }
    total
}

/// Two blocks of one dataset as one, over the rectangle that holds both.
pub(super) fn joined(a: &Block, b: &Block) -> Block {
    let (planes, ay, ax) = a.data.dim();
    let (_, by, bx) = b.data.dim();
    let (y0, x0) = (a.y0.min(b.y0), a.x0.min(b.x0));
    let (y1, x1) = ((a.y0 + ay).max(b.y0 + by), (a.x0 + ax).max(b.x0 + bx));
    let mut data = Array3::zeros((planes, y1 - y0, x1 - x0));
    for block in [a, b] {
        add(&mut data, &Block { y0: block.y0 - y0, x0: block.x0 - x0, data: Arc::clone(&block.data) }, 1.0);
    }
    Block { y0, x0, data: Arc::new(data) }
}

/// (a − b) / width, for derivatives of shapes.
pub(super) fn difference(a: &Array3<f64>, b: &Array3<f64>, width: f64) -> Array3<f64> {
    let mut out = a - b;
    out /= width;
    out
}

/// Symmetric matrix entries of both triangles.
pub(super) fn add_symmetric(matrix: &mut Array2<f64>, i: usize, j: usize, value: f64) {
    matrix[[i, j]] += value;
    if i != j {
        matrix[[j, i]] += value;
    }
}
