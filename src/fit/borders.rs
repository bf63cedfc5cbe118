//! Shapes with a border, drawn on pixels: −2 ln L jumps wherever the border crosses the centre of a pixel (or of a part of
//! one), so that a minimum is one notch among many. The lowest notch is sought around the minimum of the same models with
//! smooth borders, whose second derivatives give the errors across the notches. A norm that makes predictions negative where
//! there are no counts bends −2 ln L in as many places; its error is from its profile.

use super::Fit;
use super::linear::Cholesky;
use super::local::{Local, Order};
use super::minimize::{Minimum, minimize};
use super::problem::Problem;
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::DatasetRef;
use crate::error::{Error, Result};

/// How often all parameters of borders are scanned.
const MOST_ROUNDS: usize = 3;
/// Places of a scan on each side, and how many of them are compared with smooth borders.
const PLACES: usize = 30;
const COMPARED: usize = 10;
/// Ends of the scan for the lowest notch, in errors.
const REACH: f64 = 1.5;
/// How often a scan that sees no rise is made twice as wide, and the rise at its ends.
const MOST_DOUBLINGS: usize = 14;
const RISE: f64 = 2.0;
/// A notch is lower where −2 ln L is lower by this.
const LOWER: f64 = 1e-3;
/// −2 ln L that is farther than this (root mean square) from that of smooth borders is jagged.
const ROUGH: f64 = 0.05;

/// What is jagged at a minimum, and what errors are taken from.
#[derive(Debug, Default)]
pub(super) struct Jagged {
    /// Parameters of borders along which −2 ln L is jagged.
    pub of_borders: Vec<usize>,
    /// The likelihood with smooth borders around its minimum, where there are such parameters.
    pub smooth: Option<Local>,
    /// Norms that make predictions negative, and the second derivative of −2 ln L across the bends.
    pub norms: Vec<(usize, f64)>,
}

/// −2 ln L above a minimum along one parameter, the others held; infinite where a model cannot be.
fn rise(problem: &mut Problem<'_>, minimum: &Minimum, k: usize, by: f64, control: &Control) -> Result<f64> {
    let (min, max) = problem.parameter(k).bounds();
    let mut theta = minimum.theta.clone();
    theta[k] += by;
    if theta[k] < min || theta[k] > max {
        return Ok(f64::INFINITY);
    }
    match problem.stat(&theta, control) {
        Ok(stat) if !stat.is_nan() => Ok(stat - minimum.stat),
        Ok(_) | Err(Error::Input { .. }) => Ok(f64::INFINITY),
        Err(other) => Err(other),
    }
}

/// Distances of a scan to both sides.
fn places(down: f64, up: f64) -> impl Iterator<Item = f64> {
    let part = |n: usize| n as f64 / PLACES as f64;
    (1..=PLACES).flat_map(move |n| [-down * part(n), up * part(n)])
}

/// Second derivative of the parabola through points, by least squares; `None` where it does not open upwards.
fn parabola(points: &[(f64, f64)]) -> Option<f64> {
    // In x = distance / width for c0 + c1 x + c2 x².
    let width = points.iter().fold(0.0, |w: f64, (by, _)| w.max(by.abs()));
    if points.len() < 6 || width <= 0.0 {
        return None;
    }
    let mut matrix = ndarray::Array2::zeros((3, 3));
    let mut right = vec![0.0; 3];
    for (by, rise) in points {
        let x = by / width;
        let powers = [1.0, x, x * x];
        for i in 0..3 {
            right[i] += powers[i] * rise;
            for j in 0..3 {
                matrix[[i, j]] += powers[i] * powers[j];
            }
        }
    }
    let c = Cholesky::new(matrix.view())?.solve(&right);
    (c[2] > 0.0).then_some(2.0 * c[2] / (width * width))
}

/// The second derivative by a norm across the bends around a minimum.
fn across_bends(problem: &mut Problem<'_>, minimum: &Minimum, k: usize, control: &Control) -> Result<Option<f64>> {
    let local = problem.local(&minimum.theta, Order::Observed, &[], control)?;
    let error = (2.0 / local.gauss[[k, k]]).sqrt();
    let first = if error.is_finite() && error > 0.0 { error } else { 1e-3 * minimum.theta[k].abs().max(1e-30) };
    let mut ends = [first, first];
    for (end, side) in ends.iter_mut().zip([-1.0, 1.0]) {
        for _ in 0..MOST_DOUBLINGS {
            if rise(problem, minimum, k, side * *end, control)? >= RISE {
                break;
            }
            *end *= 2.0;
        }
    }
    let mut points = vec![(0.0, 0.0)];
    for by in places(ends[0], ends[1]) {
        points.push((by, rise(problem, minimum, k, by, control)?));
    }
    points.retain(|(_, rise)| rise.is_finite());
    Ok(parabola(&points))
}

/// The lowest notch around a minimum, and what is jagged there.
pub(super) fn lowest_notch<'a>(
    fit: &Fit,
    problem: &mut Problem<'a>,
    datasets: &[DatasetRef<'a>],
    backend: &'a Backend,
    mut minimum: Minimum,
    control: &Control,
) -> Result<(Minimum, Jagged)> {
    let mut jagged = Jagged::default();
    if minimum.negative > 0 {
        for k in (0..minimum.theta.len()).filter(|k| problem.is_norm(*k)).collect::<Vec<_>>() {
            if let Some(curvature) = across_bends(problem, &minimum, k, control)? {
                jagged.norms.push((k, curvature));
            }
        }
    }
    let of_borders = problem.of_borders();
    if of_borders.is_empty() {
        return Ok((minimum, jagged));
    }
    let (models, _) = problem.models_at(&minimum.theta)?.with_smooth_borders(problem.pixel_deg());
    let mut smooth = Problem::new(datasets, &models, backend)?;
    let even = minimize(fit, &mut smooth, &minimum.theta, &[], Order::Observed, control)?;
    let local = smooth.local(&even.theta, Order::Exact, &[], control)?;
    let errors: Vec<f64> = of_borders.iter().map(|k| (2.0 / local.matrix()[[*k, *k]]).sqrt()).collect();
    // On pixels the minimum of smooth borders may be lower than where the minimisation got caught.
    let there = minimize(fit, problem, &even.theta, &of_borders, Order::Observed, control)?;
    if there.stat < minimum.stat - LOWER {
        minimum = Minimum { iterations: minimum.iterations + there.iterations, ..there };
    }
    for _ in 0..MOST_ROUNDS {
        let mut is_lower = false;
        jagged.of_borders.clear();
        for (&k, &error) in of_borders.iter().zip(&errors).filter(|(_, error)| error.is_finite() && **error > 0.0) {
            let even_here = Minimum { stat: smooth.stat(&minimum.theta, control)?, ..minimum.clone() };
            let (mut lowest, mut apart, mut number) = ((-LOWER, 0.0), 0.0, 0.0);
            for (place, by) in places(REACH * error, REACH * error).enumerate() {
                let found = rise(problem, &minimum, k, by, control)?;
                if place % (PLACES / COMPARED) == 0 && found.is_finite() {
                    let wanted = rise(&mut smooth, &even_here, k, by, control)?;
                    if wanted.is_finite() {
                        apart += (found - wanted) * (found - wanted);
                        number += 1.0;
                    }
                }
                if found < lowest.0 {
                    lowest = (found, by);
                }
            }
            if number > 0.0 && f64::sqrt(apart / number) > ROUGH {
                jagged.of_borders.push(k);
            }
            if lowest.1 != 0.0 {
                let mut theta = minimum.theta.clone();
                theta[k] += lowest.1;
                // The others follow; a free step from a notch would leave it over its edge.
                let next = minimize(fit, problem, &theta, &[k], Order::Observed, control)?;
                if next.stat < minimum.stat - LOWER {
                    minimum = Minimum { iterations: minimum.iterations + next.iterations, ..next };
                    is_lower = true;
                }
            }
        }
        if !is_lower {
            break;
        }
    }
    if !jagged.of_borders.is_empty() {
        // In a notch slopes are not 0, and no step leads out of it.
        minimum.problem = even.problem;
        minimum.at_kinks.extend(&jagged.of_borders);
        minimum.at_kinks.sort_unstable();
        minimum.at_kinks.dedup();
        jagged.smooth = Some(local);
    }
    Ok((minimum, jagged))
}
