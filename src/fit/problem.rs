//! The likelihood of parameters: its value and its derivatives.

use std::collections::BTreeSet;
use std::sync::Arc;

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::points::PointsTerm;
use super::source::{Block, add, add_symmetric, difference, joined, product, weighted_product};
use super::term::{Derivatives, Term, Value};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::DatasetRef;
use crate::error::{Error, Result};
use crate::models::{FreeParameter, Model, Models, Parameter, SkyModel};

/// Steps of numeric derivatives, in errors of the parameter.
const STEP_SPECTRAL: f64 = 0.01;
/// Steps of a shape's derivatives: wider, as a shape has small kinks where pixels are divided.
const STEP_SHAPE: f64 = 0.05;
/// Longest step of a spectrum's exponent, and of a cutoff that is about 0, in its unit.
const LONGEST_EXPONENT: f64 = 1.0;
const LEAST_CUTOFF_STEP: f64 = 0.2;
/// Widest step of a position, in pixels.
const STEP_PIXELS: f64 = 0.5;

/// Which second derivatives are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Those that are expected where the prediction holds, without those of the predicted counts: Fisher's scoring, which
    /// leads from afar.
    Expected,
    /// Those of the counts that are seen, without those of the predicted counts.
    Observed,
    /// All but the second derivatives by two parameters of a shape, which cost most.
    Bent,
    /// All.
    Exact,
}

/// The likelihood around a point.
#[derive(Debug, Clone)]
pub(super) struct Local {
    pub value: Value,
    /// Derivatives of −2 ln L by the free parameters.
    pub gradient: Vec<f64>,
    /// Second derivatives without those of the predicted counts: positive where there is any effect at all.
    pub gauss: Array2<f64>,
    /// With those of the predicted counts, where they were asked for.
    pub hessian: Option<Array2<f64>>,
}

impl Local {
    /// What a step is made with.
    pub fn matrix(&self) -> &Array2<f64> {
        self.hessian.as_ref().unwrap_or(&self.gauss)
    }
}

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

/// Models against datasets.
pub(super) struct Problem<'a> {
    pub models: Models,
    /// Full names and parameters where the fit began.
    pub all: Vec<(String, Parameter)>,
    pub free: Vec<FreeParameter>,
    places: Vec<Place>,
    /// Datasets with counts, and flux points.
    terms: Vec<Term<'a>>,
    points: Vec<PointsTerm>,
    /// Step of each free parameter's derivative.
    steps: Vec<f64>,
    /// How often the predicted counts were computed.
    pub nfev: usize,
}

impl<'a> Problem<'a> {
    pub fn new(datasets: &[DatasetRef<'a>], models: &Models, backend: &'a Backend) -> Result<Self> {
        if datasets.is_empty() {
            return Err(Error::options("datasets", "there are none to fit"));
        }
        let mut names = BTreeSet::new();
        for dataset in datasets {
            if !names.insert(dataset.name()) {
                let problem = format!("two datasets are named '{}'", dataset.name());
                return Err(Error::options("datasets", problem)
                    .with_help("models refer to datasets by name: give them different ones"));
            }
        }
        for model in &models.components {
            if !names.iter().any(|name| model.applies_to(name)) && model.parameters().iter().any(|(_, p)| !p.frozen) {
                let wanted = model.datasets_names().unwrap_or_default().join("', '");
                let there: Vec<&str> = names.iter().copied().collect();
                return Err(Error::input(
                    model.name(),
                    format!(
                        "it has free parameters, but applies to '{wanted}' and the datasets are '{}'",
                        there.join("', '")
                    ),
                )
                .with_help("name a dataset that is there in datasets_names, or freeze its parameters"));
            }
        }
        let all: Vec<(String, Parameter)> = models.parameters().into_iter().map(|(n, p)| (n, p.clone())).collect();
        for (name, parameter) in all.iter().filter(|(_, p)| !p.frozen) {
            parameter.check().map_err(|e| match e {
                Error::Input { ref problem, .. } => Error::input(name, problem).with_help_of(&e),
                other => other,
            })?;
        }
        let free = models.free_parameters();
        let (mut terms, mut points) = (Vec::new(), Vec::new());
        for dataset in datasets {
            match dataset {
                DatasetRef::FluxPoints(dataset) => points.push(PointsTerm::new(dataset, models)?),
                other => terms.push(Term::new(*other, models, backend)?),
            }
        }
        if terms.is_empty() && points.iter().all(|p| p.likelihood.has_only_limits()) {
            let problem = "all flux points are upper limits: they hold a flux down and nothing holds it up";
            return Err(Error::input("dnde_ul", problem).with_help("there is no best fit to upper limits alone"));
        }
        let pixel = terms.iter().map(|t| t.pixel_deg).fold(f64::INFINITY, f64::min);
        let mut places = Vec::new();
        let mut first = 0;
        for (component, model) in models.components.iter().enumerate() {
            let count = model.parameters().len();
            for index in 0..count {
                if let Some(free) = free.iter().position(|f| f.places.contains(&(first + index))) {
                    let is_shape = model.parameters()[index].0.starts_with("spatial.");
                    places.push(Place { free, component, index, is_shape });
                }
            }
            first += count;
        }
        let steps = free
            .iter()
            .map(|f| {
                let p = &all[f.places[0]].1;
                let is_position = ["lon_0", "lat_0"].contains(&p.name.as_str());
                match p.unit.factor_to_text("deg") {
                    Ok(factor) if is_position && pixel.is_finite() => 0.1 * pixel / factor,
                    _ if p.value != 0.0 => 1e-3 * p.value.abs(),
                    _ => 1e-4,
                }
            })
            .collect();
        Ok(Self { models: models.clone(), all, free, places, terms, points, steps, nfev: 0 })
    }

    /// Values of the free parameters where the fit begins, each in its own unit.
    pub fn start(&self) -> Vec<f64> {
        self.free.iter().map(|f| self.all[f.places[0]].1.value).collect()
    }

    pub fn parameter(&self, free: usize) -> &Parameter {
        &self.all[self.free[free].places[0]].1
    }

    pub fn bins(&self) -> usize {
        self.terms.iter().map(Term::bins).chain(self.points.iter().map(|p| p.likelihood.count())).sum()
    }

    /// All parameters with values of the free ones.
    pub fn parameters_at(&self, theta: &[f64]) -> Vec<Parameter> {
        let mut all: Vec<Parameter> = self.all.iter().map(|(_, p)| p.clone()).collect();
        for (free, value) in self.free.iter().zip(theta) {
            for place in &free.places {
                all[*place].value = *value;
            }
        }
        all
    }

    pub fn models_at(&self, theta: &[f64]) -> Result<Models> {
        let mut models = self.models.clone();
        models.set_parameters(&self.parameters_at(theta))?;
        Ok(models)
    }

    /// −2 ln of the priors of all parameters; of linked ones once.
    pub fn stat_priors(&self, theta: &[f64]) -> f64 {
        let fixed = self.all.iter().filter(|(_, p)| p.frozen).map(|(_, p)| (p, p.value));
        let free = self.free.iter().zip(theta).map(|(f, v)| (&self.all[f.places[0]].1, *v));
        fixed.chain(free).filter_map(|(p, value)| p.prior.as_ref().map(|prior| prior.stat(value))).sum()
    }

    /// −2 ln L of the models as they came, after a check of the bins.
    pub fn stat_at_start(mut self, control: &Control) -> Result<f64> {
        self.check(control)?;
        let theta = self.start();
        self.stat(&theta, control)
    }

    /// Refuses bins that cannot be predicted where the fit begins.
    pub fn check(&mut self, control: &Control) -> Result<()> {
        for term in &mut self.terms {
            let npred = term.npred(&self.models, control)?;
            term.check(&npred)?;
        }
        self.points.iter().try_for_each(|points| points.check(&self.models))
    }

    /// −2 ln L with priors.
    pub fn stat(&mut self, theta: &[f64], control: &Control) -> Result<f64> {
        Ok(self.value(theta, control)?.stat)
    }

    /// −2 ln L with priors, and the number of bins where it is cut off.
    pub fn value(&mut self, theta: &[f64], control: &Control) -> Result<Value> {
        self.nfev += 1;
        let models = self.models_at(theta)?;
        let mut total = Value { stat: self.stat_priors(theta), ..Value::default() };
        for term in &mut self.terms {
            let npred = term.npred(&models, control)?;
            total += term.value(&npred);
        }
        for points in &self.points {
            total.stat += points.stat(&models)?;
        }
        Ok(total)
    }

    /// Takes responses at the places where sources are now, of those that have moved out of reach of the old ones or, with
    /// `all`, at all; true where one has.
    pub fn follow(&mut self, theta: &[f64], all: bool) -> Result<bool> {
        let models = self.models_at(theta)?;
        let mut moved = false;
        for term in &mut self.terms {
            moved |= term.follow(&models, all)?;
        }
        Ok(moved)
    }

    /// The likelihood around a point.
    ///
    /// Derivatives by the parameters `held` are left at 0.
    pub fn local(&mut self, theta: &[f64], order: Order, held: &[usize], control: &Control) -> Result<Local> {
        self.nfev += 1;
        let models = self.models_at(theta)?;
        let n = self.free.len();
        let mut local = Local {
            value: Value { stat: self.stat_priors(theta), ..Value::default() },
            gradient: vec![0.0; n],
            gauss: Array2::zeros((n, n)),
            hessian: None,
        };
        let mut second = Array2::zeros((n, n));
        for (k, value) in theta.iter().enumerate() {
            if let Some(prior) = &self.parameter(k).prior {
                let (first, curvature) = prior.derivatives(*value);
                local.gradient[k] += first;
                local.gauss[[k, k]] += curvature.max(0.0);
                second[[k, k]] += curvature.min(0.0);
            }
        }
        let widths: Vec<(f64, f64)> =
            (0..n).map(|k| if held.contains(&k) { (0.0, 0.0) } else { self.reach(k, theta[k]) }).collect();
        let (places, steps) = (&self.places, widths);
        for term in &mut self.terms {
            term_local(term, &models, places, &steps, order, &mut local, &mut second, control)?;
        }
        for points in &self.points {
            points.add_local(&models, places, &steps, order >= Order::Bent, &mut local, &mut second)?;
        }
        if order >= Order::Bent {
            local.hessian = Some(&local.gauss + &second);
        }
        self.learn_steps(theta, &local.gauss);
        Ok(local)
    }

    /// How far down and up a derivative looks.
    fn reach(&self, free: usize, value: f64) -> (f64, f64) {
        let (min, max) = self.parameter(free).bounds();
        let step = self.steps[free];
        ((value - min).min(step).max(0.0), (max - value).min(step).max(0.0))
    }

    /// True for a parameter of a source's shape or position.
    pub fn is_shape(&self, free: usize) -> bool {
        self.places.iter().any(|p| p.free == free && p.is_shape)
    }

    /// True for a factor of all that a model predicts.
    pub fn is_norm(&self, free: usize) -> bool {
        let name = self.parameter(free).name.as_str();
        ["amplitude", "norm", "const"].contains(&name)
    }

    /// True for a norm of sources.
    pub fn is_source_norm(&self, free: usize) -> bool {
        let of_source = |p: &Place| matches!(self.models.components[p.component], Model::Sky(_));
        self.is_norm(free) && self.places.iter().filter(|p| p.free == free).all(of_source)
    }

    /// True for a parameter of models whose norms are all 0 at `theta`, so that it has no effect.
    pub fn is_of_nothing(&self, free: usize, theta: &[f64]) -> bool {
        let all = self.parameters_at(theta);
        let is_nothing = |component: usize| {
            let first: usize = self.models.components[..component].iter().map(|m| m.parameters().len()).sum();
            let own = &all[first..first + self.models.components[component].parameters().len()];
            own.iter().any(|p| ["amplitude", "norm", "const"].contains(&p.name.as_str()) && p.value == 0.0)
        };
        self.places.iter().filter(|p| p.free == free).all(|p| is_nothing(p.component))
    }

    /// The free parameters of shapes that have a border.
    pub fn of_borders(&self) -> Vec<usize> {
        let has_border = |component: usize| match &self.models.components[component] {
            Model::Sky(sky) => sky.spatial.as_ref().is_some_and(|s| s.has_border()),
            _ => false,
        };
        let of_border =
            |free: &usize| self.places.iter().any(|p| p.free == *free && p.is_shape && has_border(p.component));
        if self.terms.is_empty() { Vec::new() } else { (0..self.free.len()).filter(of_border).collect() }
    }

    /// True for an exponent of a spectrum, or a factor within one.
    fn is_exponent(&self, free: usize) -> bool {
        let name = self.parameter(free).name.as_str();
        ["index", "alpha", "beta", "tilt", "expfactor"].iter().any(|exponent| name.starts_with(exponent))
    }

    /// True for an exponent of a model that `norm` is a norm of.
    pub fn is_exponent_of(&self, free: usize, norm: usize) -> bool {
        let of_both = |p: &Place| self.places.iter().any(|q| q.free == norm && q.component == p.component);
        self.is_exponent(free) && self.places.iter().any(|p| p.free == free && of_both(p))
    }

    /// The longest step that a minimisation may take: exponents, which any number of counts depends on, by 1, cutoffs by half
    /// of their value, energies to a third, others as they like.
    pub fn longest_step(&self, free: usize, value: f64) -> f64 {
        let parameter = self.parameter(free);
        if self.is_exponent(free) {
            LONGEST_EXPONENT
        } else if parameter.unit.factor_to_text("TeV-1").is_ok() {
            // The exponent of a cutoff, λ E.
            0.5 * value.abs() + LEAST_CUTOFF_STEP
        } else if parameter.unit.factor_to_text("TeV").is_ok() && value != 0.0 {
            if value > 0.0 { 2.0 * value / 3.0 } else { f64::INFINITY }
        } else {
            f64::INFINITY
        }
    }

    /// Free parameters of shapes and positions.
    pub fn shapes(&self) -> Vec<usize> {
        (0..self.free.len()).filter(|k| self.is_shape(*k)).collect()
    }

    /// The smallest of the datasets' pixels.
    pub fn pixel_deg(&self) -> f64 {
        self.terms.iter().map(|t| t.pixel_deg).fold(f64::INFINITY, f64::min)
    }

    /// Lets the next derivatives by a position look across a pixel, over a kink.
    pub fn widen(&mut self, free: usize) {
        let pixel = self.terms.iter().map(|t| t.pixel_deg).fold(f64::INFINITY, f64::min);
        let p = self.parameter(free);
        if let (true, Ok(factor)) = (["lon_0", "lat_0"].contains(&p.name.as_str()), p.unit.factor_to_text("deg")) {
            self.steps[free] = STEP_PIXELS * pixel / factor;
        }
    }

    /// Steps of derivatives become a part of the errors.
    fn learn_steps(&mut self, theta: &[f64], gauss: &Array2<f64>) {
        let pixel = self.terms.iter().map(|t| t.pixel_deg).fold(f64::INFINITY, f64::min);
        for k in 0..self.free.len() {
            let is_shape = self.is_shape(k);
            let error = (2.0 / gauss[[k, k]]).sqrt();
            if !error.is_finite() || error == 0.0 {
                continue;
            }
            let size = theta[k].abs();
            let p = self.parameter(k);
            let step = if is_shape {
                let widest = match p.unit.factor_to_text("deg") {
                    Ok(factor) if ["lon_0", "lat_0"].contains(&p.name.as_str()) => STEP_PIXELS * pixel / factor,
                    _ if size > 0.0 => 0.1 * size,
                    _ => f64::INFINITY,
                };
                (STEP_SHAPE * error).min(widest)
            } else {
                // An error beyond the value itself says that the parameter is hardly known there.
                let widest = if size > 0.0 { 0.05 * size.max(error.min(1.0)) } else { f64::INFINITY };
                (STEP_SPECTRAL * error).min(widest)
            };
            // Below this a difference holds nothing but rounding.
            self.steps[k] = step.max(1e-7 * size);
        }
    }
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
fn multiple(a: &[f64], b: &[f64]) -> Option<f64> {
    let (i, _) = a.iter().enumerate().max_by(|x, y| x.1.abs().total_cmp(&y.1.abs()))?;
    let ratio = b[i] / a[i];
    let same = a.iter().zip(b).all(|(x, y)| (y - ratio * x).abs() <= 1e-10 * (ratio * x).abs());
    (ratio.is_finite() && same).then_some(ratio)
}

#[expect(clippy::too_many_arguments, reason = "one step of Problem::local, on its parts")]
fn term_local(
    term: &mut Term<'_>,
    models: &Models,
    places: &[Place],
    reach: &[(f64, f64)],
    order: Order,
    local: &mut Local,
    second: &mut Array2<f64>,
    control: &Control,
) -> Result<()> {
    let is_bent = order >= Order::Bent;
    // Derivatives of the predicted counts by free parameter.
    let mut blocks: Vec<Option<Block>> = vec![None; reach.len()];
    let put = |blocks: &mut Vec<Option<Block>>, free: usize, block: Block| {
        blocks[free] = Some(match &blocks[free] {
            Some(other) => joined(other, &block),
            None => block,
        });
    };
    let of_component = |component: usize| -> (Vec<Place>, Vec<Place>) {
        places.iter().filter(|p| p.component == component).partition(|p| !p.is_shape)
    };

    // What a source's second derivatives need again.
    struct Kept {
        component: usize,
        shapes: Vec<Place>,
        spectral: Vec<Place>,
        fluxes: Curve,
        exposed: Arc<Array3<f64>>,
        slopes: Vec<Array3<f64>>,
    }
    let mut kept: Vec<Kept> = Vec::new();
    let background = match term.background {
        Some(place) => {
            let model = &models.components[place];
            let (spectral, shapes) = of_component(place);
            let factors = curve(model, &spectral, reach, is_bent, |m| Ok(term.background_factors(m)))?;
            let put = |free, block| put(&mut blocks, free, block);
            match term.background_cube() {
                Some(background) => Some((model, background.local(model, (spectral, shapes), factors, reach, put)?)),
                None => None,
            }
        }
        None => None,
    };
    let mut total = term.npred_background(models)?;
    let mut templates: Vec<(Vec<Place>, Curve)> = Vec::new();
    for template in &term.templates {
        let model = &models.components[template.component];
        let (spectral, _) = of_component(template.component);
        let factors = curve(model, &spectral, reach, is_bent, |m| Ok(template.factors(m)))?;
        for (p, slope) in spectral.iter().zip(&factors.first) {
            put(&mut blocks, p.free, template.block(slope));
        }
        add(&mut total, &template.block(&factors.value), 1.0);
        templates.push((spectral, factors));
    }
    if let Some((evaluator, sources)) = term.evaluator_and_sources() {
        for source in sources.iter_mut() {
            control.check()?;
            let model = &models.components[source.component];
            let (spectral, shapes) = of_component(source.component);
            let fluxes = curve(model, &spectral, reach, is_bent, |m| evaluator.flux(sky(m)?))?;
            let exposed = source.exposed(sky(model)?, &evaluator, control)?;
            let signal = source.fold(&exposed, &fluxes.value, &evaluator, control)?;
            add(&mut total, &signal, 1.0);
            for (p, slope) in spectral.iter().zip(&fluxes.first) {
                let block = match multiple(&fluxes.value, slope) {
                    Some(ratio) => Block { data: Arc::new(signal.data.as_ref() * ratio), ..signal.clone() },
                    None => source.fold(&exposed, slope, &evaluator, control)?,
                };
                put(&mut blocks, p.free, block);
            }
            let mut slopes = Vec::new();
            for p in &shapes {
                let (down, up) = reach[p.free];
                let high = source.exposed(sky(&moved(model, &[(p.index, up)])?)?, &evaluator, control)?;
                let low = source.exposed(sky(&moved(model, &[(p.index, -down)])?)?, &evaluator, control)?;
                let slope = difference(&high, &low, (up + down).max(f64::MIN_POSITIVE));
                put(&mut blocks, p.free, source.fold(&slope, &fluxes.value, &evaluator, control)?);
                slopes.push(slope);
            }
            if is_bent {
                kept.push(Kept { component: source.component, shapes, spectral, fluxes, exposed, slopes });
            }
        }
    }

    let Derivatives { value, slope, curvature } = term.derivatives(&total, order == Order::Expected);
    local.value += value;
    for (k, block) in blocks.iter().enumerate() {
        if let Some(block) = block {
            local.gradient[k] += product(&slope, block);
        }
    }
    let pairs: Vec<(usize, usize)> = (0..blocks.len()).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    let products: Vec<f64> = pairs
        .par_iter()
        .map(|(i, j)| match (&blocks[*i], &blocks[*j]) {
            (Some(a), Some(b)) => weighted_product(&curvature, a, b),
            _ => 0.0,
        })
        .collect();
    for ((i, j), value) in pairs.into_iter().zip(products) {
        add_symmetric(&mut local.gauss, i, j, value);
    }
    if !is_bent {
        return Ok(());
    }

    // Second derivatives of the predicted counts against the slopes of the bins.
    if let (Some((model, kept)), Some(background)) = (&background, term.background_cube()) {
        background.add_second(model, kept, &slope, reach, order == Order::Exact, second)?;
    }
    let mut pair = |p: &Place, q: &Place, same: bool, value: f64| pair(second, p, q, same, value);
    for (template, (spectral, factors)) in term.templates.iter().zip(&templates) {
        let sums = template.sums(&slope);
        for (i, p) in spectral.iter().enumerate() {
            for (j, q) in spectral[..=i].iter().enumerate() {
                pair(p, q, i == j, scalar(&factors.second[i][j], &sums));
            }
        }
    }
    let Some((evaluator, sources)) = term.evaluator_and_sources() else { return Ok(()) };
    for (source, kept) in sources.iter_mut().zip(&kept) {
        control.check()?;
        let model = &models.components[kept.component];
        let part = source.cut(slope.view(), &evaluator, control)?;
        let sums = source.per_flux(&kept.exposed, &part);
        for (i, p) in kept.spectral.iter().enumerate() {
            for (j, q) in kept.spectral[..=i].iter().enumerate() {
                pair(p, q, i == j, scalar(&kept.fluxes.second[i][j], &sums));
            }
        }
        for (i, p) in kept.shapes.iter().enumerate() {
            let by_shape = source.per_flux(&kept.slopes[i], &part);
            for (q, flux) in kept.spectral.iter().zip(&kept.fluxes.first) {
                pair(p, q, false, scalar(flux, &by_shape));
            }
            if order < Order::Exact {
                continue;
            }
            let at = |model: &Model| source.exposed(sky(model)?, &evaluator, control);
            for (q, bend) in bends(model, &kept.shapes[..=i], reach, &kept.exposed, at)? {
                let same = q.index == p.index;
                pair(p, &q, same, scalar(&kept.fluxes.value, &source.per_flux(&bend, &part)));
            }
        }
    }
    Ok(())
}
