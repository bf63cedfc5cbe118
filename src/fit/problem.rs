//! Models against datasets: which parameters are free, the likelihood at their values, and how far derivatives look.

use std::collections::BTreeSet;

use ndarray::Array2;

use super::derivatives::Place;
use super::local::{Local, Order, term_local};
use super::points::PointsTerm;
use super::term::{Term, Value};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::DatasetRef;
use crate::error::{Error, Result};
use crate::models::{FreeParameter, Model, Models, Parameter};

/// Steps of numeric derivatives, in errors of the parameter.
const STEP_SPECTRAL: f64 = 0.01;
/// Steps of a shape's derivatives: wider, as a shape has small kinks where pixels are divided.
const STEP_SHAPE: f64 = 0.05;
/// Longest step of a spectrum's exponent, and of a cutoff that is about 0, in its unit.
const LONGEST_EXPONENT: f64 = 1.0;
const LEAST_CUTOFF_STEP: f64 = 0.2;
/// Widest step of a position, in pixels.
const STEP_PIXELS: f64 = 0.5;

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
