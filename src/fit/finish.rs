//! The end of a fit: whether a minimum is one, the errors there, and what is said of it.

use ndarray::Array2;

use super::borders::{self, Jagged};
use super::linear::{Cholesky, submatrix};
use super::local::{Local, Order};
use super::minimize::{Minimum, distance, is_free, minimize, minimize_following};
use super::problem::Problem;
use super::{Fit, FitResult};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::DatasetRef;
use crate::error::{Error, Result};
use crate::models::{Covariance, Models, Parameter};

/// −2 ln L may sink by so much, by all second derivatives, from what is called a minimum.
const CONFIRMED: f64 = 1e-3;
/// How often a minimum that is none is left.
const MOST_RETURNS: usize = 3;
/// Distances, in errors, at which lower places are looked for where the second derivatives have no minimum.
const LOOKS: [f64; 3] = [0.1, 0.5, 2.0];
/// What exponents are changed by where a source vanished.
const REVIVALS: [f64; 3] = [0.0, -1.5, 1.5];

const JAGGED: &str = "in the lowest notch of a statistic that is jagged, as the border is drawn on pixels: errors are those of \
                      a smooth border";
const NEGATIVE: &str = "so low that predictions are negative in bins without counts, where the statistic is flat: a lower \
                        bound of 0 avoids that";

/// Goes on from a minimum that all second derivatives, those of the predicted counts too, say is none.
pub(super) fn confirmed(
    fit: &Fit,
    problem: &mut Problem<'_>,
    mut minimum: Minimum,
    jagged: &Jagged,
    control: &Control,
) -> Result<(Minimum, Local)> {
    if let Some(smooth) = &jagged.smooth {
        return Ok((minimum, smooth.clone()));
    }
    let mut round = 0;
    loop {
        for k in &minimum.at_kinks {
            problem.widen(*k);
        }
        let local = problem.local(&minimum.theta, Order::Exact, &[], control)?;
        if round == MOST_RETURNS || minimum.problem.is_some() {
            return Ok((minimum, local));
        }
        let moving: Vec<usize> = (0..minimum.theta.len())
            .filter(|k| is_free(problem, &[], *k, minimum.theta[*k], local.gradient[*k]))
            .filter(|k| !minimum.at_kinks.contains(k) && local.gauss[[*k, *k]] > 0.0)
            .collect();
        let left = if moving.is_empty() { 0.0 } else { distance(&local, &moving) };
        if left < CONFIRMED {
            return Ok((minimum, local));
        }
        let start = if left.is_finite() {
            minimum.theta.clone()
        } else {
            match lower_place(problem, &minimum, &local, &moving, control)? {
                Some(theta) => theta,
                None => return Ok((minimum, local)),
            }
        };
        let next = minimize_following(fit, problem, &start, Order::Bent, control)?;
        let iterations = minimum.iterations + next.iterations;
        if next.stat > minimum.stat - fit.tolerance {
            minimum.iterations = iterations;
            return Ok((minimum, local));
        }
        minimum = Minimum { iterations, ..next };
        round += 1;
    }
}

/// Tries again with other exponents where a source vanished on the way: at a norm of 0 its spectrum has no effect, and a
/// wrong one cannot be left. The statistic is then the lowest of all tries.
pub(super) fn revived(
    fit: &Fit,
    problem: &mut Problem<'_>,
    mut minimum: Minimum,
    start: &[f64],
    control: &Control,
) -> Result<Minimum> {
    let vanished: Vec<usize> = (0..start.len())
        .filter(|k| problem.is_norm(*k) && start[*k] != 0.0)
        .filter(|k| minimum.theta[*k] == 0.0 || minimum.problem.is_some() || minimum.at_kinks.contains(k))
        .collect();
    for norm in vanished {
        let exponents: Vec<usize> = (0..start.len()).filter(|k| problem.is_exponent_of(*k, norm)).collect();
        if exponents.is_empty() {
            continue;
        }
        for by in REVIVALS {
            let mut theta = minimum.theta.clone();
            theta[norm] = start[norm];
            for k in &exponents {
                let (min, max) = problem.parameter(*k).bounds();
                theta[*k] = (start[*k] + by).clamp(min, max);
            }
            let held = match minimize(fit, problem, &theta, &exponents, Order::Expected, control) {
                Ok(held) => held,
                Err(Error::Input { .. }) => continue,
                Err(other) => return Err(other),
            };
            let next = minimize_following(fit, problem, &held.theta, Order::Observed, control)?;
            if next.stat < minimum.stat - fit.tolerance {
                minimum = Minimum { iterations: minimum.iterations + next.iterations, ..next };
            }
        }
    }
    Ok(minimum)
}

/// A place beside a saddle where −2 ln L is lower, if there is one along a parameter.
fn lower_place(
    problem: &mut Problem<'_>,
    minimum: &Minimum,
    local: &Local,
    moving: &[usize],
    control: &Control,
) -> Result<Option<Vec<f64>>> {
    let mut best = (minimum.stat - CONFIRMED, None);
    for k in moving {
        let (min, max) = problem.parameter(*k).bounds();
        let error = (2.0 / local.gauss[[*k, *k]]).sqrt();
        for by in LOOKS.iter().flat_map(|look| [-look * error, look * error]) {
            let mut next = minimum.theta.clone();
            next[*k] = (next[*k] + by).clamp(min, max);
            match problem.stat(&next, control) {
                Ok(stat) if stat < best.0 => best = (stat, Some(next)),
                Ok(_) | Err(Error::Input { .. }) => {}
                Err(other) => return Err(other),
            }
        }
    }
    Ok(best.1)
}

/// Errors at a minimum.
pub(super) struct Errors {
    /// Covariance of the free parameters; zeros for those at bounds or without effect.
    pub covariance: Array2<f64>,
    pub at_bounds: Vec<usize>,
    /// Norms that ended where nothing is predicted and less would be the same.
    pub at_walls: Vec<usize>,
    pub without_effect: Vec<usize>,
    pub problem: Option<String>,
}

/// Errors from the second derivatives at a minimum; of jagged parameters from their profile.
pub(super) fn errors(
    problem: &mut Problem<'_>,
    minimum: &Minimum,
    local: &Local,
    jagged: &Jagged,
    control: &Control,
) -> Result<Errors> {
    let theta = &minimum.theta;
    let n = theta.len();
    let mut hessian = local.matrix().clone();
    let mut gauss = local.gauss.clone();
    for (k, curvature) in &jagged.norms {
        hessian[[*k, *k]] = *curvature;
        gauss[[*k, *k]] = *curvature;
    }
    let nothing = |gauss: &Array2<f64>, k: usize| gauss[[k, k]].is_nan() || gauss[[k, k]] <= 0.0;
    let at_bounds: Vec<usize> = (0..n)
        .filter(|k| {
            let (min, max) = problem.parameter(*k).bounds();
            theta[*k] <= min || theta[*k] >= max
        })
        .collect();
    let mut at_walls = Vec::new();
    let mut without_effect: Vec<usize> = (0..n).filter(|k| nothing(&gauss, *k)).collect();
    if !without_effect.is_empty() {
        // Without counts the observed derivatives are 0, whatever the effect is.
        let expected = problem.local(theta, Order::Expected, &[], control)?;
        at_walls = without_effect.iter().copied().filter(|k| !nothing(&expected.gauss, *k)).collect();
        without_effect.retain(|k| !at_walls.contains(k));
        at_walls.retain(|k| !at_bounds.contains(k));
    }
    let at_bounds: Vec<usize> = at_bounds.into_iter().filter(|k| !without_effect.contains(k)).collect();
    let known: Vec<usize> =
        (0..n).filter(|k| !without_effect.contains(k) && !at_bounds.contains(k) && !at_walls.contains(k)).collect();
    let mut covariance = Array2::zeros((n, n));
    let mut trouble = None;
    let exact = Cholesky::new(submatrix(hessian.view(), &known).view());
    let cholesky = exact.or_else(|| {
        trouble = Some("the second derivatives at the end have no minimum: errors are estimates".to_string());
        Cholesky::new(submatrix(gauss.view(), &known).view())
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
    Ok(Errors { covariance, at_bounds, at_walls, without_effect, problem: trouble })
}

/// A fit from start to end.
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
    let minimum = minimize_following(fit, &mut problem, &start, Order::Observed, control)?;
    let minimum = revived(fit, &mut problem, minimum, &start, control)?;
    let (minimum, jagged) = borders::lowest_notch(fit, &mut problem, datasets, backend, minimum, control)?;
    let (minimum, local) = confirmed(fit, &mut problem, minimum, &jagged, control)?;
    let errors = errors(&mut problem, &minimum, &local, &jagged, control)?;
    let names = |list: &[usize]| -> Vec<String> { list.iter().map(|k| problem.free[*k].name.clone()).collect() };
    if errors.without_effect.len() == problem.free.len() {
        return Err(Error::input(
            names(&errors.without_effect).join(", "),
            "no free parameter has an effect on what is predicted for these datasets",
        )
        .with_help("are the sources within the maps, and their amplitudes not 0?"));
    }
    let mut problems: Vec<String> = minimum.problem.iter().cloned().chain(errors.problem.clone()).collect();
    // The shape of a source whose norm ended at 0 is not known, and need not be.
    let (of_nothing, unused): (Vec<usize>, Vec<usize>) =
        errors.without_effect.iter().partition(|k| problem.is_of_nothing(**k, &minimum.theta));
    if !unused.is_empty() {
        problems.push(format!("{} without an effect on what is predicted: freeze", names(&unused).join(", ")));
    }
    let success = problems.is_empty();
    let at_bounds = names(&errors.at_bounds);
    let mut remarks = Vec::new();
    let message = if success {
        let mut message = "a minimum was reached".to_string();
        let mut remark = |list: &[String], text: &str| {
            if !list.is_empty() {
                let text = format!("{} {text}", list.join(", "));
                message += &format!(", with {text}");
                remarks.push(text);
            }
        };
        remark(&at_bounds, "at a bound");
        remark(&names(&errors.at_walls), "at the wall where nothing is predicted (its limit: --confidence)");
        remark(&names(&of_nothing), "unknown, as the source is 0");
        remark(&names(&jagged.of_borders), JAGGED);
        let norms: Vec<usize> = jagged.norms.iter().map(|(k, _)| *k).collect();
        remark(&names(&norms), NEGATIVE);
        message
    } else {
        problems.join("; ")
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
        remarks,
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
