//! Shapes with a border, drawn on pixels: −2 ln L jumps wherever the border crosses the centre of a pixel (or of a part of
//! one), so that a minimum is one notch among many. The lowest notch is sought, and errors are taken across them.

use super::Fit;
use super::minimize::{Minimum, minimize};
use super::problem::{Order, Problem};
use crate::control::Control;
use crate::error::{Error, Result};

/// How often all parameters of borders are scanned.
const MOST_ROUNDS: usize = 5;
/// Places of a scan on each side.
const PLACES: usize = 12;
/// How often a scan that sees no rise is made twice as wide.
const MOST_DOUBLINGS: usize = 14;
/// −2 ln L rises by at least this at the ends of a scan.
const RISE: f64 = 2.0;
/// A notch is lower where −2 ln L is lower by this.
const LOWER: f64 = 1e-3;
/// −2 ln L that is farther than this (root mean square) from a parabola is jagged.
const ROUGH: f64 = 0.05;

/// A parameter along which −2 ln L is jagged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Jagged {
    pub parameter: usize,
    /// Second derivative of −2 ln L across the notches.
    pub curvature: f64,
    /// True for a parameter of a border; else for a norm that makes predictions without counts negative, each of which
    /// bends −2 ln L where it crosses 0.
    pub is_of_border: bool,
}

/// −2 ln L along one parameter, the others held: distances from the minimum, and the rise there.
struct Scan {
    places: Vec<(f64, f64)>,
}

impl Scan {
    fn new(problem: &mut Problem<'_>, minimum: &Minimum, k: usize, first: f64, control: &Control) -> Result<Self> {
        let (min, max) = problem.parameter(k).bounds();
        let mut rise = |by: f64| -> Result<f64> {
            let mut theta = minimum.theta.clone();
            theta[k] += by;
            match problem.stat(&theta, control) {
                Ok(stat) if !stat.is_nan() => Ok(stat - minimum.stat),
                Ok(_) | Err(Error::Input { .. }) => Ok(f64::INFINITY),
                Err(other) => Err(other),
            }
        };
        let mut places = vec![(0.0, 0.0)];
        for (side, reach) in [(-1.0, minimum.theta[k] - min), (1.0, max - minimum.theta[k])] {
            let mut end = first.min(reach);
            for _ in 0..MOST_DOUBLINGS {
                if end >= reach || rise(side * end)? >= RISE {
                    break;
                }
                end = (2.0 * end).min(reach);
            }
            for place in 1..=PLACES {
                let by = side * end * place as f64 / PLACES as f64;
                places.push((by, rise(by)?));
            }
        }
        places.retain(|(_, rise)| rise.is_finite());
        Ok(Self { places })
    }

    fn lowest(&self) -> (f64, f64) {
        self.places.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0.0, 0.0))
    }

    /// Second derivative of the parabola through all places, and how far (root mean square) they are from it.
    fn parabola(&self) -> Option<(f64, f64)> {
        // Least squares in x = by / width for c0 + c1 x + c2 x².
        let width = self.places.iter().fold(0.0, |w: f64, (by, _)| w.max(by.abs()));
        if self.places.len() < 6 || width <= 0.0 {
            return None;
        }
        let mut matrix = ndarray::Array2::zeros((3, 3));
        let mut right = vec![0.0; 3];
        for (by, rise) in &self.places {
            let x = by / width;
            let powers = [1.0, x, x * x];
            for i in 0..3 {
                right[i] += powers[i] * rise;
                for j in 0..3 {
                    matrix[[i, j]] += powers[i] * powers[j];
                }
            }
        }
        let c = super::linear::Cholesky::new(matrix.view())?.solve(&right);
        let square = |(by, rise): &(f64, f64)| {
            let x = by / width;
            (rise - c[0] - c[1] * x - c[2] * x * x).powi(2)
        };
        let rough = (self.places.iter().map(square).sum::<f64>() / self.places.len() as f64).sqrt();
        (c[2] > 0.0).then_some((2.0 * c[2] / (width * width), rough))
    }
}

/// The lowest notch around a minimum, and the parameters along which −2 ln L is jagged.
pub(super) fn lowest_notch(
    fit: &Fit,
    problem: &mut Problem<'_>,
    mut minimum: Minimum,
    control: &Control,
) -> Result<(Minimum, Vec<Jagged>)> {
    let mut places: Vec<(usize, bool)> = problem.of_borders().into_iter().map(|k| (k, true)).collect();
    let mut jagged = Vec::new();
    if problem.value(&minimum.theta, control)?.negative > 0 {
        places.extend((0..minimum.theta.len()).filter(|k| problem.is_norm(*k)).map(|k| (k, false)));
    }
    if places.is_empty() {
        return Ok((minimum, jagged));
    }
    for _ in 0..MOST_ROUNDS {
        jagged.clear();
        let mut is_lower = false;
        for &(k, is_of_border) in &places {
            let local = problem.local(&minimum.theta, Order::Observed, control)?;
            let error = (2.0 / local.gauss[[k, k]]).sqrt();
            let first = if error.is_finite() && error > 0.0 { error } else { 1e-3 * minimum.theta[k].abs().max(1e-3) };
            let scan = Scan::new(problem, &minimum, k, first, control)?;
            let (by, rise) = scan.lowest();
            if rise < -LOWER {
                let mut theta = minimum.theta.clone();
                theta[k] += by;
                // The others follow first: a free step from a notch would leave it over the edge.
                let held = minimize(fit, problem, &theta, &[k], Order::Observed, control)?;
                let next = minimize(fit, problem, &held.theta, &[], Order::Observed, control)?;
                let next = if next.stat < held.stat { next } else { held };
                if next.stat < minimum.stat - LOWER {
                    minimum = Minimum { iterations: minimum.iterations + next.iterations, ..next };
                    is_lower = true;
                }
            }
            if let Some((curvature, rough)) = scan.parabola()
                && (rough > ROUGH || !is_of_border)
            {
                jagged.push(Jagged { parameter: k, curvature, is_of_border });
            }
        }
        if !is_lower {
            break;
        }
    }
    if jagged.iter().any(|j| j.is_of_border) {
        // In a notch slopes are not 0, and no step leads out of it.
        minimum.problem = None;
        minimum.at_kinks.extend(jagged.iter().filter(|j| j.is_of_border).map(|j| j.parameter));
        minimum.at_kinks.sort_unstable();
        minimum.at_kinks.dedup();
    }
    Ok((minimum, jagged))
}

/// Lets derivatives by jagged parameters look across the notches.
pub(super) fn widen(problem: &mut Problem<'_>, jagged: &[Jagged]) {
    for j in jagged.iter().filter(|j| j.is_of_border) {
        problem.set_step(j.parameter, (2.0 / j.curvature).sqrt());
    }
}
