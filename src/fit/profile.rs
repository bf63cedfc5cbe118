//! Asymmetric errors, profiles and contours of −2 ln L: some parameters are held, the others fitted again.

use super::Fit;
use super::borders;
use super::finish::{confirmed, errors};
use super::local::Order;
use super::minimize::{Minimum, minimize};
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
/// Predictions that the search for one end may take, in units of the most steps of a minimisation.
const EVALUATIONS_PER_STEP: usize = 20;
/// −2 ln L is flat where its root rises by less than this part of what is wanted while the distance, this many times the
/// expected one, grows by a half or more.
const FAR: f64 = 100.0;
const FLAT: f64 = 1e-2;
/// −2 ln L jumps where the ends of an interval this narrow are on either side of what is wanted.
const JUMP: f64 = 1e-6;

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
    /// Derivatives of −2 ln L, not 0 at bounds.
    slopes: Vec<f64>,
    covariance: ndarray::Array2<f64>,
    /// Where the others ended when a parameter was held last.
    last: Option<Vec<f64>>,
}

/// How the search for an end of an interval ended.
enum End {
    /// At this distance.
    Found(f64),
    /// At this distance or beyond: the minimum of the other parameters was not reached there.
    AtLeast(f64),
    /// −2 ln L does not rise so far before the bound.
    Bound,
    /// It stays below however far the parameter goes.
    Flat,
    /// Not within the evaluations that are allowed.
    Spent,
}

impl End {
    /// `arrived`: whether −2 ln L there is that of the other parameters' minimum.
    fn at(distance: f64, arrived: bool) -> Self {
        if arrived { Self::Found(distance) } else { Self::AtLeast(distance) }
    }

    fn is_found(&self) -> bool {
        matches!(self, Self::Found(_))
    }

    fn distance(&self) -> f64 {
        match self {
            Self::Found(d) | Self::AtLeast(d) => *d,
            _ => f64::NAN,
        }
    }

    /// What is said of the lower or upper end.
    fn text(&self, side: &str) -> String {
        match self {
            Self::Found(_) => format!("the {side} end was found"),
            Self::AtLeast(_) => {
                format!("the {side} end may lie farther out: the other parameters' minimum was not reached there")
            }
            Self::Bound => format!("there is no {side} end within the bounds"),
            Self::Flat => format!("there is no {side} end: the data do not bound the parameter on that side"),
            Self::Spent => format!("the {side} end was not found within the evaluations that are allowed"),
        }
    }
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
        let minimum = minimize(fit, &mut problem, &start, &[], Order::Observed, control)?;
        let (minimum, jagged) = borders::lowest_notch(fit, &mut problem, datasets, backend, minimum, control)?;
        if let Some(why) = &minimum.problem {
            return Err(Error::input("models", format!("there is no minimum to begin with: {why}")));
        }
        let (minimum, local) = confirmed(fit, &mut problem, minimum, &jagged, control)?;
        let errors = errors(&mut problem, &minimum, &local, &jagged, control)?;
        let Minimum { theta, stat, .. } = minimum;
        Ok(Self { problem, theta, stat, slopes: local.gradient, covariance: errors.covariance, last: None })
    }

    fn free(&self, name: &str) -> Result<usize> {
        let place = self.problem.models.place_of(name)?;
        self.problem.free.iter().position(|f| f.places.contains(&place)).ok_or_else(|| {
            Error::input(name, "is frozen").with_help("a parameter must be free for an interval or a profile")
        })
    }

    /// −2 ln L above the minimum with some parameters held. The others begin where the covariance expects them, where they
    /// are at the minimum, or where they ended last, whichever is lowest: a valley that bends is followed. Where the
    /// minimisation from there does not arrive, those from the other places are tried.
    fn above(&mut self, fit: &Fit, held: &[(usize, f64)], control: &Control) -> Result<(f64, bool)> {
        let mut expected = self.theta.clone();
        if let [(k, value)] = held {
            let variance = self.covariance[[*k, *k]];
            if variance > 0.0 {
                for (l, at) in expected.iter_mut().enumerate() {
                    let (min, max) = self.problem.parameter(l).bounds();
                    *at = (*at + self.covariance[[l, *k]] / variance * (value - self.theta[*k])).clamp(min, max);
                }
            }
        }
        let mut starts: Vec<(f64, Vec<f64>)> = Vec::new();
        for mut start in [expected, self.theta.clone()].into_iter().chain(self.last.clone()) {
            for (k, value) in held {
                start[*k] = *value;
            }
            match self.problem.stat(&start, control) {
                Ok(stat) if stat.is_finite() => starts.push((stat, start)),
                Ok(_) | Err(Error::Input { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        starts.sort_by(|a, b| a.0.total_cmp(&b.0));
        let fixed: Vec<usize> = held.iter().map(|(k, _)| *k).collect();
        let mut best: Option<Minimum> = None;
        for (_, start) in starts {
            let minimum = minimize(fit, &mut self.problem, &start, &fixed, Order::Observed, control)?;
            let arrived = minimum.problem.is_none();
            if best.as_ref().is_none_or(|b| minimum.stat < b.stat) {
                best = Some(minimum);
            }
            if arrived {
                break;
            }
        }
        let Some(best) = best else { return Ok((f64::INFINITY, false)) };
        let above = (best.stat - self.stat, best.problem.is_none());
        self.last = Some(best.theta);
        Ok(above)
    }

    /// How far along a direction −2 ln L rises by `rise`, if it does before `reach`.
    fn end(
        &mut self,
        fit: &Fit,
        held: &dyn Fn(f64) -> Vec<(usize, f64)>,
        first: f64,
        reach: f64,
        rise: f64,
        control: &Control,
    ) -> Result<End> {
        // Between `low` (below) and `high` (above) the root of the distance is sought, which is nearly a straight line.
        let (mut low, mut low_root) = (0.0, 0.0);
        let mut high: Option<(f64, f64)> = None;
        let wanted = rise.sqrt();
        let mut at = first.min(reach);
        let mut is_sure = true;
        self.last = None;
        let evaluations = self.problem.nfev + fit.max_iterations.saturating_mul(EVALUATIONS_PER_STEP);
        for _ in 0..MOST_TRIES {
            if self.problem.nfev >= evaluations {
                return Ok(End::Spent);
            }
            // Beyond what a model can be, −2 ln L is infinite.
            let (above, arrived) = match self.above(fit, &held(at), control) {
                Ok(found) => found,
                Err(Error::Input { .. }) => (f64::INFINITY, true),
                Err(other) => return Err(other),
            };
            if (above - rise).abs() < STAT_TOLERANCE * rise {
                return Ok(End::at(at, arrived && is_sure));
            }
            let root = above.max(0.0).sqrt();
            if above < rise || above.is_nan() {
                if at >= reach {
                    return Ok(End::Bound);
                }
                if high.is_none() && at > FAR * first && root - low_root < FLAT * wanted {
                    return Ok(End::Flat);
                }
                (low, low_root) = (at, root);
            } else {
                // What is not the minimum may be lower.
                is_sure &= arrived || !above.is_finite();
                high = Some((at, root));
            }
            at = match high {
                None => {
                    (if root > 0.0 { (at * wanted / root).min(3.0 * at) } else { 3.0 * at }).max(1.05 * at).min(reach)
                }
                Some((high, _)) if high - low < JUMP * high => {
                    // It jumps there (a border that crosses a pixel).
                    return Ok(End::at(0.5 * (low + high), is_sure));
                }
                Some((high, high_root)) => {
                    let guess = low + (high - low) * (wanted - low_root) / (high_root - low_root);
                    // Never so close to an end that nothing is learned.
                    let margin = 0.02 * (high - low);
                    if guess.is_finite() { guess.clamp(low + margin, high - margin) } else { 0.5 * (low + high) }
                }
            };
        }
        Ok(End::Spent)
    }

    /// Where an end is sought first: where the slope and the variance say that −2 ln L rises by sigma².
    fn first(&self, k: usize, sigma: f64, side: f64) -> f64 {
        let (variance, slope) = (self.covariance[[k, k]], side * self.slopes[k]);
        let by_variance = if variance > 0.0 { sigma * variance.sqrt() } else { f64::INFINITY };
        // At a bound −2 ln L may rise in a straight line.
        let by_slope = if slope > 0.0 { sigma * sigma / slope } else { f64::INFINITY };
        let first = if variance > 0.0 { by_variance } else { by_slope };
        if first.is_finite() && first > 0.0 { first } else { 1e-2 * self.theta[k].abs().max(1e-10) }
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
            let rise = sigma * sigma;
            let (down, up) = (bottom.first(k, sigma, -1.0), bottom.first(k, sigma, 1.0));
            let lower = bottom.end(self, &|d| vec![(k, center - d)], down, center - min, rise, control)?;
            let upper = bottom.end(self, &|d| vec![(k, center + d)], up, max - center, rise, control)?;
            let message = match (&lower, &upper) {
                (End::Found(_), End::Found(_)) => "both ends were found".to_string(),
                (End::Found(_), upper) => upper.text("upper"),
                (lower, End::Found(_)) => lower.text("lower"),
                (lower, upper) => format!("{}; {}", lower.text("lower"), upper.text("upper")),
            };
            Ok(ErrorInterval {
                errn: lower.distance(),
                errp: upper.distance(),
                success: lower.is_found() && upper.is_found(),
                message,
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
                let d = found.distance();
                contour.success &= found.is_found();
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
