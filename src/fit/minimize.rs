//! The minimum of −2 ln L by damped Newton steps within bounds (Levenberg 1944, Marquardt 1963).
//!
//! From afar a step is made with the second derivatives that are expected where the prediction holds (Fisher's scoring):
//! they lead to the scale of the data in a few steps, from a factor of 1000 too. Near the end they give way to those of the
//! counts that are seen, and where these converge slowly (few counts) to those of the predicted counts as well.

use super::Fit;
use super::linear::{Cholesky, submatrix};
use super::local::{Local, Order};
use super::problem::Problem;
use super::term::Value;
use crate::control::Control;
use crate::error::{Error, Result};

/// Damping that a minimisation begins with, and the one that says it is stuck.
const FIRST_DAMPING: f64 = 1e-3;
const LAST_DAMPING: f64 = 1e12;
/// Predictions that a minimisation may take for each of its steps; most take one or two.
const EVALUATIONS_PER_STEP: usize = 20;
/// How often responses are taken anew where a source wanders off.
const MOST_MOVES: usize = 8;
/// A parameter is at a kink (a position that crosses a pixel's centre, a break that crosses an energy) where −2 ln L sinks
/// by no more than this to either side, at a distance of this many errors.
const KINK_TOLERANCE: f64 = 1e-4;
const KINK_DISTANCE: f64 = 0.1;
/// A norm that is known (this many errors) is not made smaller than this part of itself in one step: a step that is too
/// long would carry it through 0, where another model begins.
const KNOWN_ERRORS: f64 = 3.0;
const LEAST_SHARE: f64 = 0.1;
/// What a step did of what it promised, at which the second derivatives are good.
const GOOD: std::ops::Range<f64> = 0.7..1.4;
/// What norms are made smaller by where nothing finite is predicted, and how often.
const SHRINK: f64 = 1e-15;
const MOST_SHRINKS: usize = 20;
/// −2 ln L per bin beyond which a start is out of sight of the counts, and what it is brought to.
const IN_SIGHT: f64 = 1e9;
const NEAR: f64 = 1e6;
/// −2 ln L is expected to sink by this from a start that is far off.
const FAR: f64 = 100.0;
/// Steps after which second derivatives of the predicted counts are taken in any case.
const LONG: usize = 15;

/// Where a minimisation ended.
#[derive(Debug, Clone)]
pub(super) struct Minimum {
    pub theta: Vec<f64>,
    pub stat: f64,
    /// Bins without counts whose prediction is below 0.
    pub negative: usize,
    pub iterations: usize,
    /// Parameters that ended at a kink: −2 ln L rises to either side of them, though its slope is not 0.
    pub at_kinks: Vec<usize>,
    /// `None`: reached; else why not.
    pub problem: Option<String>,
}

/// Values in between which a parameter may be, and whether it is there to be moved at all.
pub(super) fn is_free(problem: &Problem<'_>, fixed: &[usize], k: usize, value: f64, slope: f64) -> bool {
    let (min, max) = problem.parameter(k).bounds();
    // At a bound, only steps inwards are left.
    let is_held = value <= min && slope > 0.0 || value >= max && slope < 0.0;
    !is_held && !fixed.contains(&k)
}

/// By how much −2 ln L sinks at most, by the second derivatives; infinite where they have no minimum.
pub(super) fn distance(local: &Local, moving: &[usize]) -> f64 {
    let gradient: Vec<f64> = moving.iter().map(|k| local.gradient[*k]).collect();
    match Cholesky::new(submatrix(local.matrix().view(), moving).view()) {
        Some(c) => 0.5 * c.solve(&gradient).iter().zip(&gradient).map(|(a, b)| a * b).sum::<f64>(),
        None => f64::INFINITY,
    }
}

/// By how much −2 ln L sinks from `theta` to `next` by the first and second derivatives at `theta`.
fn promise(local: &Local, moving: &[usize], theta: &[f64], next: &[f64]) -> f64 {
    let step: Vec<f64> = moving.iter().map(|k| theta[*k] - next[*k]).collect();
    let matrix = local.matrix();
    let bent: f64 = moving
        .iter()
        .zip(&step)
        .map(|(i, a)| moving.iter().zip(&step).map(|(j, b)| a * matrix[[*i, *j]] * b).sum::<f64>())
        .sum();
    moving.iter().zip(&step).map(|(k, s)| local.gradient[*k] * s).sum::<f64>() - 0.5 * bent
}

/// True where `next` is better: fewer bins without a prediction of their counts, or as many and a smaller −2 ln L. Where
/// the statistic is cut off it is flat, and a minimisation that got there would not find back.
fn is_better(next: Value, here: Value) -> bool {
    next.stat.is_finite() && (next.dead < here.dead || next.dead == here.dead && next.stat < here.stat)
}

/// A minimisation on its way.
struct Search<'s, 'a> {
    problem: &'s mut Problem<'a>,
    fixed: &'s [usize],
    control: &'s Control,
    theta: Vec<f64>,
    order: Order,
    local: Local,
    damping: f64,
    at_kinks: Vec<usize>,
    /// True where other than the expected derivatives say nothing.
    is_blind: bool,
}

/// A step that was taken.
struct Step {
    theta: Vec<f64>,
    value: Value,
    /// Steps that were tried before it and did not lead down.
    rejected: usize,
}

impl Search<'_, '_> {
    /// The parameters that can be moved. Takes the expected derivatives where the observed ones say nothing of a parameter
    /// that has a slope (no counts where the source is).
    fn moving(&mut self) -> Result<Vec<usize>> {
        loop {
            let free: Vec<usize> = (0..self.theta.len())
                .filter(|k| is_free(self.problem, self.fixed, *k, self.theta[*k], self.local.gradient[*k]))
                .filter(|k| !self.at_kinks.contains(k))
                .collect();
            // Differences that only rounding tells from 0 say nothing either.
            let known = |k: &usize| self.local.gauss[[*k, *k]] > 0.0;
            if self.order == Order::Expected || free.iter().all(|k| known(k) || self.local.gradient[*k] == 0.0) {
                return Ok(free.into_iter().filter(known).collect());
            }
            self.take(Order::Expected)?;
            self.is_blind = true;
        }
    }

    fn take(&mut self, order: Order) -> Result<()> {
        self.order = order;
        self.local = self.problem.local(&self.theta, order, self.fixed, self.control)?;
        Ok(())
    }

    /// What damping is a multiple of.
    fn scale(&self, k: usize) -> f64 {
        self.local.gauss[[k, k]].max(self.local.matrix()[[k, k]].abs())
    }

    /// One step, damped more until it leads down; `None` where none does, or where `evaluations` are used up.
    fn step(&mut self, moving: &[usize], evaluations: usize) -> Result<Option<Step>> {
        let gradient: Vec<f64> = moving.iter().map(|k| self.local.gradient[*k]).collect();
        let mut rejected = 0;
        while self.damping <= LAST_DAMPING && self.problem.nfev < evaluations {
            let mut matrix = submatrix(self.local.matrix().view(), moving);
            for (i, k) in moving.iter().enumerate() {
                matrix[[i, i]] += self.damping * self.scale(*k);
            }
            if let Some(cholesky) = Cholesky::new(matrix.view()) {
                let mut next = self.theta.clone();
                for (k, step) in moving.iter().zip(cholesky.solve(&gradient)) {
                    next[*k] = self.within(*k, self.theta[*k] - step);
                }
                if next == self.theta {
                    return Ok(None);
                }
                // A step into values that a model cannot have is one too far.
                match self.problem.value(&next, self.control) {
                    Ok(value) if is_better(value, self.local.value) => {
                        return Ok(Some(Step { theta: next, value, rejected }));
                    }
                    Ok(_) | Err(Error::Input { .. }) => rejected += 1,
                    Err(other) => return Err(other),
                }
            }
            self.damping = if self.damping < FIRST_DAMPING { FIRST_DAMPING } else { self.damping * 8.0 };
        }
        Ok(None)
    }

    /// A value within the bounds and in reach, and for norms on this side of 0.
    fn within(&self, k: usize, value: f64) -> f64 {
        let parameter = self.problem.parameter(k);
        let (min, max) = parameter.bounds();
        let (here, error) = (self.theta[k], (2.0 / self.local.gauss[[k, k]]).sqrt());
        let longest = self.problem.longest_step(k, here);
        let value = value.clamp(here - longest, here + longest);
        let value = if self.problem.is_norm(k) && here.abs() > KNOWN_ERRORS * error {
            let least = LEAST_SHARE * here;
            if here > 0.0 { value.max(least) } else { value.min(least) }
        } else {
            value
        };
        value.clamp(min, max)
    }

    /// The parameters that sit at a kink.
    fn kinks(&mut self, moving: &[usize]) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        for k in moving {
            let (min, max) = self.problem.parameter(*k).bounds();
            // By the second derivatives, and by the slope where these are as good as infinite.
            let by_curvature = KINK_DISTANCE * (2.0 / self.local.gauss[[*k, *k]]).sqrt();
            let by_slope = KINK_DISTANCE * KINK_DISTANCE / self.local.gradient[*k].abs();
            let mut is_bottom = false;
            for by in [by_curvature, by_slope].iter().filter(|by| by.is_finite()).flat_map(|by| [-by, *by]) {
                let mut next = self.theta.clone();
                next[*k] = (self.theta[*k] + by).clamp(min, max);
                is_bottom = match self.problem.stat(&next, self.control) {
                    Ok(stat) => stat > self.local.value.stat - KINK_TOLERANCE,
                    Err(Error::Input { .. }) => true,
                    Err(other) => return Err(other),
                };
                if !is_bottom {
                    break;
                }
            }
            if is_bottom {
                found.push(*k);
            }
        }
        Ok(found)
    }
}

/// The start, or where the sources' norms are made smaller until what is predicted there is in sight of the counts (an
/// exponential that rises in place of falling is beyond all numbers).
fn predictable(
    problem: &mut Problem<'_>,
    start: &[f64],
    fixed: &[usize],
    order: Order,
    control: &Control,
) -> Result<(Vec<f64>, Local)> {
    let mut theta = start.to_vec();
    let bins = problem.bins() as f64;
    let norms: Vec<usize> = (0..theta.len()).filter(|k| problem.is_source_norm(*k) && !fixed.contains(k)).collect();
    for _ in 0..MOST_SHRINKS {
        let local = problem.local(&theta, order, fixed, control)?;
        let is_finite = local.gauss.iter().chain(&local.gradient).all(|v| v.is_finite());
        if is_finite && local.value.stat < IN_SIGHT * bins || norms.is_empty() {
            return Ok((theta, local));
        }
        // −2 ln L is twice the prediction where that is far above the counts.
        let factor = if is_finite { NEAR * bins / local.value.stat } else { SHRINK };
        for k in &norms {
            let (min, max) = problem.parameter(*k).bounds();
            theta[*k] = (factor * theta[*k]).clamp(min, max);
        }
    }
    Ok((start.to_vec(), problem.local(start, order, fixed, control)?))
}

/// Minimises over the free parameters that are not in `fixed`, beginning with second derivatives of an order.
pub(super) fn minimize(
    fit: &Fit,
    problem: &mut Problem<'_>,
    start: &[f64],
    fixed: &[usize],
    order: Order,
    control: &Control,
) -> Result<Minimum> {
    let begin = predictable(problem, start, fixed, order, control)?;
    minimize_from(fit, problem, begin, fixed, order, control)
}

/// Minimises from a place whose likelihood is known.
fn minimize_from(
    fit: &Fit,
    problem: &mut Problem<'_>,
    (start, local): (Vec<f64>, Local),
    fixed: &[usize],
    order: Order,
    control: &Control,
) -> Result<Minimum> {
    let evaluations = problem.nfev.saturating_add(fit.max_iterations.saturating_mul(EVALUATIONS_PER_STEP));
    let mut search = Search {
        problem,
        fixed,
        control,
        theta: start,
        order,
        local,
        damping: FIRST_DAMPING,
        at_kinks: Vec::new(),
        is_blind: false,
    };
    let (mut iterations, mut slow) = (0, 0);
    let mut before = f64::INFINITY;
    loop {
        control.check()?;
        let moving = search.moving()?;
        let left = if moving.is_empty() { 0.0 } else { distance(&search.local, &moving) };
        let ended = |search: Search<'_, '_>, problem: Option<String>| {
            let Search { theta, local, at_kinks, .. } = search;
            let Value { stat, negative, .. } = local.value;
            Ok(Minimum { theta, stat, negative, iterations, at_kinks, problem })
        };
        // Differences below the rounding of the sum cannot be seen.
        if left < fit.tolerance.max(1e-13 * search.local.value.stat.abs()) {
            return ended(search, None);
        }
        let is_spent = search.problem.nfev >= evaluations;
        if iterations >= fit.max_iterations || is_spent {
            let left = if left.is_finite() { format!("{left:.2e}") } else { "an unknown amount".to_string() };
            let problem = format!("no minimum within {iterations} steps: −2 ln L may sink by another {left}");
            return ended(search, Some(problem));
        }
        // Near the end each step should leave a small part of what was left.
        slow = if left < 1.0 && left > 0.2 * before { slow + 1 } else { 0 };
        before = left;
        if search.order < Order::Bent && !search.is_blind && (slow >= 2 || iterations >= LONG) {
            search.take(Order::Bent)?;
            continue;
        }
        let Some(step) = search.step(&moving, evaluations)? else {
            if search.problem.nfev >= evaluations {
                continue;
            }
            search.damping = FIRST_DAMPING;
            if search.order < Order::Bent && !search.is_blind {
                search.take(Order::Bent)?;
                continue;
            }
            let kinks = search.kinks(&moving)?;
            if !kinks.is_empty() {
                // The others may still have a way to go.
                search.at_kinks.extend(kinks);
                continue;
            }
            let gauss = submatrix(search.local.gauss.view(), &moving);
            let problem = (left > KINK_TOLERANCE).then(|| {
                if left.is_finite() {
                    format!("no step leads down, though −2 ln L should sink by {left:.2e}")
                } else if Cholesky::new(gauss.view()).is_none() {
                    "some parameters cannot be told from one another by these data".to_string()
                } else {
                    "no step leads down, though the second derivatives have no minimum there".to_string()
                }
            });
            return ended(search, problem);
        };
        iterations += 1;
        // What the second derivatives promise of the step that was taken, damped and cut at bounds as it is: held against
        // the promise of the undamped one, a damped step never keeps its word, and the damping would never be taken back.
        let promised = promise(&search.local, &moving, &search.theta, &step.theta);
        let kept = (search.local.value.stat - step.value.stat) / promised;
        search.theta = step.theta;
        search.is_blind = false;
        let order = match search.order {
            Order::Bent | Order::Exact => search.order,
            _ if step.rejected >= 2 || !GOOD.contains(&kept) => Order::Expected,
            _ => Order::Observed,
        };
        search.take(order)?;
        if kept > 0.75 {
            search.damping *= 0.1;
        } else if kept < 0.25 {
            search.damping = (4.0 * search.damping).clamp(FIRST_DAMPING, LAST_DAMPING);
        }
        if search.damping < 1e-8 {
            search.damping = 0.0;
        }
    }
}

/// Minimises, first over the spectra alone where it begins far off: a source that is a hundred times too bright would rather
/// go where it is not seen.
fn minimize_in_turn(
    fit: &Fit,
    problem: &mut Problem<'_>,
    start: &[f64],
    order: Order,
    control: &Control,
) -> Result<Minimum> {
    let (theta, local) = predictable(problem, start, &[], order, control)?;
    let shapes = problem.shapes();
    let spectra: Vec<usize> = (0..theta.len())
        .filter(|k| is_free(problem, &shapes, *k, theta[*k], local.gradient[*k]) && local.gauss[[*k, *k]] > 0.0)
        .collect();
    if shapes.is_empty() || spectra.is_empty() || distance(&local, &spectra) < FAR {
        return minimize_from(fit, problem, (theta, local), &[], order, control);
    }
    let near = minimize(fit, problem, &theta, &shapes, Order::Expected, control)?;
    minimize(fit, problem, &near.theta, &[], order, control)
}

/// Follows sources that leave the place which responses were taken for, until none does. Once, responses are taken where
/// the sources ended, so that the result is that of the fitted models. Gammapy: keeps the responses of wherever its
/// minimiser first came by within 0.1 deg, so its statistic depends on the way there (by 0.2 for the runs of H.E.S.S.).
pub(super) fn minimize_following(
    fit: &Fit,
    problem: &mut Problem<'_>,
    start: &[f64],
    order: Order,
    control: &Control,
) -> Result<Minimum> {
    let mut minimum = minimize_in_turn(fit, problem, start, order, control)?;
    for round in 0..MOST_MOVES {
        if !problem.follow(&minimum.theta, round == 0)? {
            return Ok(minimum);
        }
        let next = minimize(fit, problem, &minimum.theta.clone(), &[], Order::Observed, control)?;
        minimum = Minimum { iterations: minimum.iterations + next.iterations, ..next };
    }
    minimum.problem.get_or_insert_with(|| "a source wanders: its responses do not settle".to_string());
    Ok(minimum)
}
