//! Derivatives of what a model predicts by its parameters, from differences.

use std::sync::Arc;

use ndarray::{Array2, Array3};

use super::source::difference;
use crate::error::{Error, Result};
use crate::models::{Model, Parameter, SkyModel};

/// A free parameter at one of its places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Which free parameter.
    pub free: usize,
    /// Model in the list, and parameter in the model.
    pub component: usize,
    pub index: usize,
    pub is_shape: bool,
}

/// A model of the list with parameters moved by the given amounts.
pub(super) fn moved(model: &Model, moves: &[(usize, f64)]) -> Result<Model> {
    let mut parameters: Vec<Parameter> = model.parameters().into_iter().map(|(_, p)| p.clone()).collect();
    for (index, by) in moves {
        parameters[*index].value += by;
    }
    model.with_parameters(&parameters)
}

pub(super) fn sky(model: &Model) -> Result<&SkyModel> {
    match model {
        Model::Sky(sky) => Ok(sky),
        other => Err(Error::input(other.name(), "is not a source")),
    }
}

/// First and second derivatives of a vector (flux by energy) by the parameters at `places`.
pub(super) struct Curve {
    pub value: Vec<f64>,
    pub first: Vec<Vec<f64>>,
    /// Lower triangle, `[p][q]` with q ≤ p.
    pub second: Vec<Vec<Vec<f64>>>,
}

pub(super) fn curve(
    model: &Model,
    places: &[Place],
    reach: &[(f64, f64)],
    exact: bool,
    of: impl Fn(&Model) -> Result<Vec<f64>>,
) -> Result<Curve> {
    let value = of(model)?;
    let at = |moves: &[(usize, f64)]| -> Result<Vec<f64>> { of(&moved(model, moves)?) };
    let mut first = Vec::new();
    let mut second = Vec::new();
    let combine = |a: &[f64], b: &[f64], f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
        a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()
    };
    for (p, place) in places.iter().enumerate() {
        let (down, up) = reach[place.free];
        let (high, low) = (at(&[(place.index, up)])?, at(&[(place.index, -down)])?);
        let width = up + down;
        first.push(combine(&high, &low, &|a, b| if width > 0.0 { (a - b) / width } else { 0.0 }));
        let mut row = Vec::new();
        if exact {
            for other in &places[..p] {
                let (d, u) = reach[other.free];
                let scale = (u + d) * width;
                if scale <= 0.0 {
                    row.push(vec![0.0; value.len()]);
                    continue;
                }
                let upper = combine(
                    &at(&[(place.index, up), (other.index, u)])?,
                    &at(&[(place.index, up), (other.index, -d)])?,
                    &|a, b| a - b,
                );
                let lower = combine(
                    &at(&[(place.index, -down), (other.index, u)])?,
                    &at(&[(place.index, -down), (other.index, -d)])?,
                    &|a, b| a - b,
                );
                row.push(combine(&upper, &lower, &|a, b| (a - b) / scale));
            }
            // At a bound there is one side only; the parameter counts as fixed there.
            row.push(if up > 0.0 && down > 0.0 {
                let rise = combine(&high, &value, &|a, b| (a - b) / up);
                let fall = combine(&value, &low, &|a, b| (a - b) / down);
                combine(&rise, &fall, &|a, b| 2.0 * (a - b) / width)
            } else {
                vec![0.0; value.len()]
            });
        }
        second.push(row);
    }
    Ok(Curve { value, first, second })
}

pub(super) fn scalar(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| if *x == 0.0 { 0.0 } else { x * y }).sum()
}

/// Second derivatives of what `at` makes of a model, by the last of `places` and by each of them, itself first; parameters
/// at a bound are left out, as they count as fixed there.
pub(super) fn bends(
    model: &Model,
    places: &[Place],
    reach: &[(f64, f64)],
    value: &Array3<f64>,
    mut at: impl FnMut(&Model) -> Result<Arc<Array3<f64>>>,
) -> Result<Vec<(Place, Array3<f64>)>> {
    let Some((p, others)) = places.split_last() else { return Ok(Vec::new()) };
    let (down, up) = reach[p.free];
    if up <= 0.0 || down <= 0.0 {
        return Ok(Vec::new());
    }
    let mut at = |moves: &[(usize, f64)]| at(&moved(model, moves)?);
    let (high, low) = (at(&[(p.index, up)])?, at(&[(p.index, -down)])?);
    let rise = difference(&high, value, up);
    let bend = difference(&rise, &difference(value, &low, down), 0.5 * (up + down));
    let mut found = vec![(*p, bend)];
    for q in others {
        let (d, u) = reach[q.free];
        if u <= 0.0 || d <= 0.0 {
            continue;
        }
        let mut across = |by: f64| -> Result<Array3<f64>> {
            let high = at(&[(p.index, by), (q.index, u)])?;
            let low = at(&[(p.index, by), (q.index, -d)])?;
            Ok(difference(&high, &low, u + d))
        };
        let (upper, lower) = (across(up)?, across(-down)?);
        found.push((*q, difference(&upper, &lower, up + down)));
    }
    Ok(found)
}

/// Adds a second derivative of the predicted counts against the slopes of the bins. Linked parameters of one model meet
/// themselves, so both orders of a pair count there.
pub(super) fn pair(second: &mut Array2<f64>, p: &Place, q: &Place, same: bool, value: f64) {
    if same {
        second[[p.free, p.free]] += value;
    } else {
        second[[p.free, q.free]] += value;
        second[[q.free, p.free]] += value;
    }
}

/// The number that `b` is a multiple of `a` by, if it is one (amplitudes and norms).
pub(super) fn multiple(a: &[f64], b: &[f64]) -> Option<f64> {
    let (i, _) = a.iter().enumerate().max_by(|x, y| x.1.abs().total_cmp(&y.1.abs()))?;
    let ratio = b[i] / a[i];
    let same = a.iter().zip(b).all(|(x, y)| (y - ratio * x).abs() <= 1e-10 * (ratio * x).abs());
    (ratio.is_finite() && same).then_some(ratio)
}
