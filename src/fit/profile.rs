//! Asymmetric errors, profiles and contours of −2 ln L: some parameters are held, the others fitted again.

use super::Fit;
use super::minimize::{errors, minimize};
use super::problem::Problem;
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::DatasetRef;
use crate::error::{Error, Result};
use crate::models::Models;

/// Most values that are tried for one end of an interval.
const MOST_TRIES: usize = 60;
/// An end is found where −2 ln L is right to this.
const STAT_TOLERANCE: f64 = 1e-3;

/// An interval where −2 ln L rises by sigma² (Gammapy's `Fit.confidence`, Minuit's MINOS).
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorInterval {
    /// Distance from the minimum to the lower end, in the parameter's unit.
    pub errn: f64,
    /// Distance from the minimum to the upper end.
    pub errp: f64,
    /// True where both ends were found; an end at a bound is none.
    pub success: bool,
    /// How it ended.
    pub message: String,
    /// How often the predicted counts were computed.
    pub nfev: usize,
}

/// −2 ln L at values of a parameter, the others fitted again (Gammapy's `Fit.stat_profile`).
#[derive(Debug, Clone, PartialEq)]
pub struct StatProfile {
    /// Values, in the parameter's unit.
    pub values: Vec<f64>,
    /// −2 ln L at each.
    pub stat: Vec<f64>,
    /// True where the other parameters' minimum was reached.
    pub success: Vec<bool>,
}

/// Points around a minimum where −2 ln L is higher by sigma² (Gammapy's `Fit.stat_contour`).
#[derive(Debug, Clone, PartialEq)]
pub struct Contour {
    /// Values of the first parameter.
    pub x: Vec<f64>,
    /// Values of the second parameter.
    pub y: Vec<f64>,
    /// True where all points were found.
    pub success: bool,
}

/// A fitted problem, and where its minimum lies.
struct Bottom<'a> {
    problem: Problem<'a>,
    theta: Vec<f64>,
    stat: f64,
    covariance: ndarray::Array2<f64>,
}

impl<'a> Bottom<'a> {
    fn new(
        fit: &Fit,
        datasets: &[DatasetRef<'a>],
        models: &Models,
        backend: &'a Backend,
        control: &Control,
    ) -> Result<Self> {
        let mut problem = Problem::new(datasets, models, backend)?;
        problem.check(control)?;
        let start = problem.start();
        let minimum = minimize(fit, &mut problem, &start, &[], control)?;
        if let Some(why) = &minimum.problem {
            return Err(Error::input("models", format!("there is no minimum to begin with: {why}")));
        }
        let errors = errors(&mut problem, &minimum, control)?;
        Ok(Self { problem, theta: minimum.theta, stat: minimum.stat, covariance: errors.covariance })
    }

    fn free(&self, name: &str) -> Result<usize> {
        let place = self.problem.models.place_of(name)?;
        self.problem.free.iter().position(|f| f.places.contains(&place)).ok_or_else(|| {
            Error::input(name, "is frozen").with_help("a parameter must be free for an interval or a profile")
        })
    }

    /// −2 ln L above the minimum with some parameters held; the others begin where the covariance expects them.
    fn above(&mut self, fit: &Fit, held: &[(usize, f64)], control: &Control) -> Result<(f64, bool)> {
        let mut start = self.theta.clone();
        if let [(k, value)] = held {
            let variance = self.covariance[[*k, *k]];
            if variance > 0.0 {
                for (l, at) in start.iter_mut().enumerate() {
                    let (min, max) = self.problem.parameter(l).bounds();
                    *at = (*at + self.covariance[[l, *k]] / variance * (value - self.theta[*k])).clamp(min, max);
                }
            }
        }
        for (k, value) in held {
            start[*k] = *value;
        }
        let fixed: Vec<usize> = held.iter().map(|(k, _)| *k).collect();
        let minimum = minimize(fit, &mut self.problem, &start, &fixed, control)?;
        Ok((minimum.stat - self.stat, minimum.problem.is_none()))
    }

    /// How far along a direction −2 ln L rises by `rise`; `None` where it does not before `reach`.
    fn end(
        &mut self,
        fit: &Fit,
        held: &dyn Fn(f64) -> Vec<(usize, f64)>,
        first: f64,
        reach: f64,
        rise: f64,
        control: &Control,
    ) -> Result<Option<f64>> {
        // Between `low` (below) and `high` (above) the root of the distance is sought, which is nearly a straight line.
        let (mut low, mut low_root) = (0.0, 0.0);
        let mut high: Option<(f64, f64)> = None;
        let wanted = rise.sqrt();
        let mut at = first.min(reach);
        for _ in 0..MOST_TRIES {
            let (above, _) = self.above(fit, &held(at), control)?;
            if (above - rise).abs() < STAT_TOLERANCE * rise {
                return Ok(Some(at));
            }
            let root = above.max(0.0).sqrt();
            if above < rise || above.is_nan() {
                if at >= reach {
                    return Ok(None);
                }
                (low, low_root) = (at, root);
            } else {
                high = Some((at, root));
            }
            at = match high {
                None => {
                    (if root > 0.0 { (at * wanted / root).min(3.0 * at) } else { 3.0 * at }).max(1.05 * at).min(reach)
                }
                Some((high, high_root)) => {
                    let guess = low + (high - low) * (wanted - low_root) / (high_root - low_root);
                    // Never so close to an end that nothing is learned.
                    let margin = 0.02 * (high - low);
                    guess.clamp(low + margin, high - margin)
                }
            };
        }
        Ok(None)
    }
}

impl Fit {
    /// The interval of a parameter where −2 ln L rises by `sigma`² with all others fitted again. The models should be
    /// fitted; they are fitted on where they are not quite.
    ///
    /// # Errors
    /// As [`Fit::run`], and for a parameter that is not there, frozen, or a `sigma` that is not positive.
    pub fn confidence(
        &self,
        datasets: &[DatasetRef<'_>],
        models: &Models,
        parameter: &str,
        sigma: f64,
        backend: &Backend,
        control: &Control,
    ) -> Result<ErrorInterval> {
        positive("sigma", sigma)?;
        let backend = backend.precise()?;
        backend.install(|| {
            let mut bottom = Bottom::new(self, datasets, models, &backend, control)?;
            let k = bottom.free(parameter)?;
            let center = bottom.theta[k];
            let (min, max) = bottom.problem.parameter(k).bounds();
            let error = bottom.covariance[[k, k]].sqrt();
            let first = if error > 0.0 { sigma * error } else { 1e-2 * center.abs().max(1e-10) };
            let lower = bottom.end(self, &|d| vec![(k, center - d)], first, center - min, sigma * sigma, control)?;
            let upper = bottom.end(self, &|d| vec![(k, center + d)], first, max - center, sigma * sigma, control)?;
            let message = match (lower, upper) {
                (Some(_), Some(_)) => "both ends were found",
                (None, Some(_)) => "there is no lower end within the bounds",
                (Some(_), None) => "there is no upper end within the bounds",
                (None, None) => "there are no ends within the bounds",
            };
            Ok(ErrorInterval {
                errn: lower.unwrap_or(f64::NAN),
                errp: upper.unwrap_or(f64::NAN),
                success: lower.is_some() && upper.is_some(),
                message: message.to_string(),
                nfev: bottom.problem.nfev,
            })
        })
    }

    /// −2 ln L at the parameter's [`scan_values`](crate::models::Parameter::scan_values), with the others fitted again
    /// where `reoptimize`, else as they are.
    ///
    /// # Errors
    /// As [`Fit::confidence`], and for a scan without values or beyond the bounds.
    pub fn stat_profile(
        &self,
        datasets: &[DatasetRef<'_>],
        models: &Models,
        parameter: &str,
        reoptimize: bool,
        backend: &Backend,
        control: &Control,
    ) -> Result<StatProfile> {
        let values = models.parameter(parameter)?.scan_values()?;
        let (min, max) = models.parameter(parameter)?.bounds();
        if let Some(value) = values.iter().find(|v| **v < min || **v > max) {
            return Err(Error::input(parameter, format!("scan value {value} is beyond its bounds {min} and {max}")));
        }
        let backend = backend.precise()?;
        backend.install(|| {
            let mut profile = StatProfile { values: values.clone(), stat: Vec::new(), success: Vec::new() };
            if !reoptimize {
                let mut problem = Problem::new(datasets, models, &backend)?;
                problem.check(control)?;
                let place = models.place_of(parameter)?;
                let mut all: Vec<_> = problem.all.iter().map(|(_, p)| p.clone()).collect();
                let link = all[place].link.clone();
                for value in &values {
                    for (i, p) in all.iter_mut().enumerate() {
                        if i == place || link.is_some() && p.link == link {
                            p.value = *value;
                        }
                    }
                    problem.models.set_parameters(&all)?;
                    let theta: Vec<f64> = problem.free.iter().map(|f| all[f.places[0]].value).collect();
                    let stat = problem.stat(&theta, control)?;
                    profile.stat.push(stat);
                    profile.success.push(stat.is_finite());
                }
                return Ok(profile);
            }
            let mut bottom = Bottom::new(self, datasets, models, &backend, control)?;
            let k = bottom.free(parameter)?;
            for value in &values {
                let (above, success) = bottom.above(self, &[(k, *value)], control)?;
                profile.stat.push(bottom.stat + above);
                profile.success.push(success);
            }
            Ok(profile)
        })
    }

    /// Points around the minimum in two parameters where −2 ln L is higher by `sigma`², the others fitted again. They lie
    /// at equal angles of the ellipse that the covariance expects.
    ///
    /// # Errors
    /// As [`Fit::confidence`], and for fewer than 3 points or twice the same parameter.
    #[expect(clippy::too_many_arguments, reason = "Gammapy's arguments, and where the work is done")]
    pub fn stat_contour(
        &self,
        datasets: &[DatasetRef<'_>],
        models: &Models,
        x: &str,
        y: &str,
        points: usize,
        sigma: f64,
        backend: &Backend,
        control: &Control,
    ) -> Result<Contour> {
        positive("sigma", sigma)?;
        if points < 3 {
            return Err(Error::options("points", format!("{points} points make no contour; give 3 or more")));
        }
        let backend = backend.precise()?;
        backend.install(|| {
            let mut bottom = Bottom::new(self, datasets, models, &backend, control)?;
            let (i, j) = (bottom.free(x)?, bottom.free(y)?);
            if i == j {
                return Err(Error::options("y", format!("{y} is (linked to) the first parameter, {x}")));
            }
            let (cx, cy) = (bottom.theta[i], bottom.theta[j]);
            let (vx, vy, vxy) = (bottom.covariance[[i, i]], bottom.covariance[[j, j]], bottom.covariance[[i, j]]);
            if !(vx > 0.0 && vy > 0.0) {
                return Err(Error::input(x, "a contour needs errors of both parameters"));
            }
            // The Cholesky root of the covariance turns a circle into the ellipse.
            let (a, b) = (vx.sqrt(), vxy / vx.sqrt());
            let c = (vy - b * b).max(0.0).sqrt();
            let (bx, by) = (bottom.problem.parameter(i).bounds(), bottom.problem.parameter(j).bounds());
            let mut contour = Contour { x: Vec::new(), y: Vec::new(), success: true };
            for point in 0..points {
                let (sin, cos) = (std::f64::consts::TAU * point as f64 / points as f64).sin_cos();
                let (dx, dy) = (a * cos, b * cos + c * sin);
                let within = |center: f64, step: f64, (min, max): (f64, f64)| {
                    if step > 0.0 {
                        (max - center) / step
                    } else if step < 0.0 {
                        (min - center) / step
                    } else {
                        f64::INFINITY
                    }
                };
                let reach = within(cx, dx, bx).min(within(cy, dy, by));
                let held = |d: f64| vec![(i, cx + d * dx), (j, cy + d * dy)];
                let found = bottom.end(self, &held, sigma, reach, sigma * sigma, control)?;
                contour.success &= found.is_some();
                let d = found.unwrap_or(f64::NAN);
                contour.x.push(cx + d * dx);
                contour.y.push(cy + d * dy);
            }
            Ok(contour)
        })
    }
}

fn positive(option: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::options(option, format!("{value} is not a positive number")))
}
