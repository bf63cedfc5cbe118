//! The minimum of −2 ln L by damped Newton steps within bounds (Levenberg 1944, Marquardt 1963), and errors there.

use ndarray::Array2;

use super::linear::{Cholesky, submatrix};
use super::problem::{Local, Problem};
use super::{Fit, FitResult};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::DatasetRef;
use crate::error::{Error, Result};
use crate::models::{Covariance, Models, Parameter};

/// Damping that a minimisation begins with, and the one that says it is stuck.
const FIRST_DAMPING: f64 = 1e-3;
const LAST_DAMPING: f64 = 1e12;
/// How often responses are taken anew where a source wanders off.
const MOST_MOVES: usize = 8;
/// A parameter is at a kink (a position that crosses a pixel's centre) where −2 ln L sinks by no more than this to either
/// side, at a distance of this many errors.
const KINK_TOLERANCE: f64 = 1e-4;
const KINK_DISTANCE: f64 = 0.1;

/// Where a minimisation ended.
#[derive(Debug, Clone)]
pub(super) struct Minimum {
    pub theta: Vec<f64>,
    pub stat: f64,
    pub iterations: usize,
    /// Shape parameters that ended at a kink: −2 ln L rises to either side of them, though its slope is not 0.
    pub at_kinks: Vec<usize>,
    /// `None`: reached; else why not.
    pub problem: Option<String>,
}

/// Values in between which a parameter may be, and whether it is there to be moved at all.
fn is_free(problem: &Problem<'_>, fixed: &[usize], k: usize, value: f64, slope: f64) -> bool {
    let (min, max) = problem.parameter(k).bounds();
    // At a bound, only steps inwards are left.
    let is_held = value <= min && slope > 0.0 || value >= max && slope < 0.0;
    !is_held && !fixed.contains(&k)
}

/// By how much −2 ln L sinks at most, by the second derivatives; infinite where they have no minimum.
fn distance(local: &Local, moving: &[usize]) -> f64 {
    let gradient: Vec<f64> = moving.iter().map(|k| local.gradient[*k]).collect();
    match Cholesky::new(submatrix(local.gauss.view(), moving).view()) {
        Some(c) => 0.5 * c.solve(&gradient).iter().zip(&gradient).map(|(a, b)| a * b).sum::<f64>(),
        None => f64::INFINITY,
    }
}

/// By how much −2 ln L sinks from `theta` to `next` by the first and second derivatives at `theta`.
fn promise(local: &Local, moving: &[usize], theta: &[f64], next: &[f64]) -> f64 {
    let step: Vec<f64> = moving.iter().map(|k| theta[*k] - next[*k]).collect();
    let bent: f64 = moving
        .iter()
        .zip(&step)
        .map(|(i, a)| moving.iter().zip(&step).map(|(j, b)| a * local.gauss[[*i, *j]] * b).sum::<f64>())
        .sum();
    moving.iter().zip(&step).map(|(k, s)| local.gradient[*k] * s).sum::<f64>() - 0.5 * bent
}

/// Minimises over the free parameters that are not in `fixed`.
pub(super) fn minimize(
    fit: &Fit,
    problem: &mut Problem<'_>,
    start: &[f64],
    fixed: &[usize],
    control: &Control,
) -> Result<Minimum> {
    let n = start.len();
    let mut theta = start.to_vec();
    let mut local = problem.local(&theta, false, control)?;
    let mut damping = FIRST_DAMPING;
    let mut iterations = 0;
    let mut at_kinks: Vec<usize> = Vec::new();
    loop {
        control.check()?;
        let moving: Vec<usize> = (0..n)
            .filter(|k| is_free(problem, fixed, *k, theta[*k], local.gradient[*k]) && local.gauss[[*k, *k]] > 0.0)
            .filter(|k| !at_kinks.contains(k))
            .collect();
        let ended = |theta: Vec<f64>, stat: f64, iterations: usize, problem: Option<String>| {
            Ok(Minimum { theta, stat, iterations, at_kinks: at_kinks.clone(), problem })
        };
        if moving.is_empty() {
            return ended(theta, local.stat, iterations, None);
        }
        let left = distance(&local, &moving);
        if left < fit.tolerance {
            return ended(theta, local.stat, iterations, None);
        }
        if iterations >= fit.max_iterations {
            let problem = format!("no minimum within {iterations} steps: −2 ln L may sink by another {left:.2e}");
            return ended(theta, local.stat, iterations, Some(problem));
        }
        // One step: damped more until it leads down.
        let accepted = loop {
            let mut matrix = submatrix(local.gauss.view(), &moving);
            for i in 0..moving.len() {
                matrix[[i, i]] *= 1.0 + damping;
            }
            let gradient: Vec<f64> = moving.iter().map(|k| local.gradient[*k]).collect();
            if let Some(cholesky) = Cholesky::new(matrix.view()) {
                let mut next = theta.clone();
                for (k, step) in moving.iter().zip(cholesky.solve(&gradient)) {
                    let (min, max) = problem.parameter(*k).bounds();
                    next[*k] = (theta[*k] - step).clamp(min, max);
                }
                if next == theta {
                    break None;
                }
                // A step into values that a model cannot have is one too far.
                let stat = match problem.stat(&next, control) {
                    Ok(stat) => stat,
                    Err(Error::Input { .. }) => f64::INFINITY,
                    Err(other) => return Err(other),
                };
                if stat.is_finite() && stat < local.stat {
                    break Some((next, stat));
                }
            }
            damping = if damping < FIRST_DAMPING { FIRST_DAMPING } else { damping * 8.0 };
            if damping > LAST_DAMPING {
                break None;
            }
        };
        let Some((next, stat)) = accepted else {
            let kinks = kinks(problem, &theta, &local, &moving, control)?;
            if !kinks.is_empty() {
                // The others may still have a way to go.
                at_kinks.extend(kinks);
                damping = FIRST_DAMPING;
                continue;
            }
            let problem = (left > KINK_TOLERANCE).then(|| {
                if left.is_finite() {
                    format!("no step leads down, though −2 ln L should sink by {left:.2e}")
                } else {
                    "some parameters cannot be told from one another by these data".to_string()
                }
            });
            return ended(theta, local.stat, iterations, problem);
        };
        iterations += 1;
        // What the second derivatives promise of the step that was taken, damped and cut at bounds as it is: held against
        // the promise of the undamped one, a damped step never keeps its word, and the damping would never be taken back.
        let promised = promise(&local, &moving, &theta, &next);
        let kept = (local.stat - stat) / promised;
        theta = next;
        local = problem.local(&theta, false, control)?;
        if kept > 0.75 {
            damping *= 0.1;
        } else if kept < 0.25 {
            damping = (4.0 * damping).clamp(FIRST_DAMPING, LAST_DAMPING);
        }
        if damping < 1e-8 {
            damping = 0.0;
        }
    }
}

/// The shape parameters that sit at a kink.
fn kinks(
    problem: &mut Problem<'_>,
    theta: &[f64],
    local: &Local,
    moving: &[usize],
    control: &Control,
) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    for k in moving.iter().copied().filter(|k| problem.is_shape(*k)).collect::<Vec<_>>() {
        let (min, max) = problem.parameter(k).bounds();
        let distance = KINK_DISTANCE * (2.0 / local.gauss[[k, k]]).sqrt();
        let mut is_bottom = true;
        for by in [-distance, distance] {
            let mut next = theta.to_vec();
            next[k] = (theta[k] + by).clamp(min, max);
            is_bottom &= problem.stat(&next, control)? > local.stat - KINK_TOLERANCE;
        }
        if is_bottom {
            found.push(k);
        }
    }
    Ok(found)
}

/// Follows sources that leave the place which responses were taken for, until none does. Once, responses are taken where
/// the sources ended, so that the result is that of the fitted models. Gammapy: keeps the responses of wherever its
/// minimiser first came by within 0.1 deg, so its statistic depends on the way there (by 0.2 for the runs of H.E.S.S.).
pub(super) fn minimize_following(
    fit: &Fit,
    problem: &mut Problem<'_>,
    start: &[f64],
    control: &Control,
) -> Result<Minimum> {
    let mut minimum = minimize(fit, problem, start, &[], control)?;
    for round in 0..MOST_MOVES {
        if !problem.follow(&minimum.theta, round == 0)? {
            return Ok(minimum);
        }
        let next = minimize(fit, problem, &minimum.theta.clone(), &[], control)?;
        minimum = Minimum { iterations: minimum.iterations + next.iterations, ..next };
    }
    minimum.problem.get_or_insert_with(|| "a source wanders: its responses do not settle".to_string());
    Ok(minimum)
}

/// Errors at a minimum.
pub(super) struct Errors {
    /// Covariance of the free parameters; zeros for those at bounds or without effect.
    pub covariance: Array2<f64>,
    pub at_bounds: Vec<usize>,
    pub without_effect: Vec<usize>,
    pub problem: Option<String>,
}

pub(super) fn errors(problem: &mut Problem<'_>, minimum: &Minimum, control: &Control) -> Result<Errors> {
    let theta = &minimum.theta;
    let n = theta.len();
    for k in &minimum.at_kinks {
        problem.widen(*k);
    }
    let local = problem.local(theta, true, control)?;
    let hessian = local.hessian.as_ref().unwrap_or(&local.gauss);
    let without_effect: Vec<usize> =
        (0..n).filter(|k| local.gauss[[*k, *k]].is_nan() || local.gauss[[*k, *k]] <= 0.0).collect();
    let at_bounds: Vec<usize> = (0..n)
        .filter(|k| {
            let (min, max) = problem.parameter(*k).bounds();
            !without_effect.contains(k) && (theta[*k] <= min || theta[*k] >= max)
        })
        .collect();
    let known: Vec<usize> = (0..n).filter(|k| !without_effect.contains(k) && !at_bounds.contains(k)).collect();
    let mut covariance = Array2::zeros((n, n));
    let mut trouble = None;
    let exact = Cholesky::new(submatrix(hessian.view(), &known).view());
    let cholesky = exact.or_else(|| {
        trouble = Some("the second derivatives at the end have no minimum: errors are estimates".to_string());
        Cholesky::new(submatrix(local.gauss.view(), &known).view())
    });
    match cholesky {
        Some(cholesky) => {
            // −2 ln L rises by 1 at one error: the covariance is twice the inverse.
            let inverse = cholesky.inverse();
            for (i, k) in known.iter().enumerate() {
                for (j, l) in known.iter().enumerate() {
                    covariance[[*k, *l]] = 2.0 * inverse[[i, j]];
                }
            }
        }
        None => trouble = Some("some parameters cannot be told from one another by these data".to_string()),
    }
    Ok(Errors { covariance, at_bounds, without_effect, problem: trouble })
}

pub(super) fn fit(
    fit: &Fit,
    datasets: &[DatasetRef<'_>],
    models: &Models,
    backend: &Backend,
    control: &Control,
) -> Result<FitResult> {
    let mut problem = Problem::new(datasets, models, backend)?;
    if problem.free.is_empty() {
        return Err(Error::options("models", "no parameter is free, so there is nothing to fit")
            .with_help("set frozen: false for those that are to be fitted"));
    }
    if problem.bins() == 0 {
        return Err(Error::input("mask", "all bins of all datasets are masked"));
    }
    problem.check(control)?;
    let start = problem.start();
    let minimum = minimize_following(fit, &mut problem, &start, control)?;
    let errors = errors(&mut problem, &minimum, control)?;
    let names = |list: &[usize]| -> Vec<String> { list.iter().map(|k| problem.free[*k].name.clone()).collect() };
    if errors.without_effect.len() == problem.free.len() {
        return Err(Error::input(
            names(&errors.without_effect).join(", "),
            "no free parameter has an effect on what is predicted for these datasets",
        )
        .with_help("are the sources within the maps, and their amplitudes not 0?"));
    }
    let mut problems: Vec<String> = minimum.problem.iter().cloned().chain(errors.problem.clone()).collect();
    if !errors.without_effect.is_empty() {
        problems.push(format!(
            "{} without an effect on what is predicted: freeze",
            names(&errors.without_effect).join(", ")
        ));
    }
    let success = problems.is_empty();
    let at_bounds = names(&errors.at_bounds);
    let message = if !success {
        problems.join("; ")
    } else if at_bounds.is_empty() {
        "a minimum was reached".to_string()
    } else {
        format!("a minimum was reached, with {} at a bound", at_bounds.join(", "))
    };
    let mut all = problem.parameters_at(&minimum.theta);
    let covariance = spread(&problem, &errors.covariance)?;
    for (place, (parameter, error)) in all.iter_mut().zip(covariance.errors()).enumerate() {
        let is_fitted = problem.free.iter().any(|f| f.places.contains(&place));
        parameter.error = if is_fitted { error } else { 0.0 };
    }
    let mut fitted = models.clone();
    fitted.set_parameters(&all)?;
    Ok(FitResult {
        success,
        message,
        stat: minimum.stat,
        stat_priors: problem.stat_priors(&minimum.theta),
        nfev: problem.nfev,
        iterations: minimum.iterations,
        at_bounds,
        models: fitted,
        covariance,
    })
}

/// The covariance of all parameters from that of the free ones: linked parameters vary together.
fn spread(problem: &Problem<'_>, free: &Array2<f64>) -> Result<Covariance> {
    let of: Vec<Option<usize>> =
        (0..problem.all.len()).map(|place| problem.free.iter().position(|f| f.places.contains(&place))).collect();
    let matrix = Array2::from_shape_fn((of.len(), of.len()), |(i, j)| match (of[i], of[j]) {
        (Some(a), Some(b)) => free[[a, b]],
        _ => 0.0,
    });
    Covariance::new(problem.all.iter().map(|(n, _): &(String, Parameter)| n.clone()).collect(), matrix)
}
