//! Flux points in the likelihood: what they say of the flux, and the sources that make it.

use ndarray::Array2;

use super::derivatives::{Curve, Place, curve, sky};
use super::local::Local;
use super::source::add_symmetric;
use crate::datasets::{FluxPointsDataset, PointsLikelihood, PointsSource};
use crate::error::words::counted;
use crate::error::{Error, Result};
use crate::models::{Model, Models};

/// One dataset of flux points.
pub(super) struct PointsTerm {
    name: String,
    pub likelihood: PointsLikelihood,
    /// Places of the sources that apply, and what stays the same of them.
    sources: Vec<(usize, PointsSource)>,
}

impl PointsTerm {
    pub fn new(dataset: &FluxPointsDataset, models: &Models) -> Result<Self> {
        let mut sources = Vec::new();
        for (place, model) in models.components.iter().enumerate().filter(|(_, m)| m.applies_to(&dataset.name)) {
            match model {
                Model::Sky(model) => sources.push((place, dataset.source(model)?)),
                other => {
                    let problem = format!("it is a background model, but '{}' are flux points", dataset.name);
                    return Err(Error::input(other.name(), problem));
                }
            }
        }
        if sources.is_empty() {
            return Err(dataset.no_model());
        }
        let likelihood = dataset.likelihood()?;
        likelihood.check_any()?;
        likelihood.check()?;
        Ok(Self { name: dataset.name.clone(), likelihood, sources })
    }

    /// Flux of all sources at the points.
    fn flux(&self, models: &Models) -> Result<Vec<f64>> {
        let mut total = Vec::new();
        for (place, source) in &self.sources {
            add(&mut total, &source.flux(sky(&models.components[*place])?)?);
        }
        Ok(total)
    }

    /// −2 ln L.
    pub fn stat(&self, models: &Models) -> Result<f64> {
        Ok(self.likelihood.stat(&self.flux(models)?))
    }

    /// Refuses points that count but cannot be predicted.
    pub fn check(&self, models: &Models) -> Result<()> {
        let flux = self.flux(models)?;
        let bad = |(i, v): (usize, &f64)| self.likelihood.at(i, *v).is_some_and(|(stat, ..)| !stat.is_finite());
        let number = flux.iter().enumerate().filter(|point| bad(*point)).count();
        if number == 0 {
            return Ok(());
        }
        let problem =
            format!("flux points '{}': the models have no finite flux at {}", self.name, counted(number, "point"));
        Err(Error::input("models", problem))
    }

    /// Adds −2 ln L and its derivatives. `second` takes what the steps' matrix, which must be positive, does not.
    pub fn add_local(
        &self,
        models: &Models,
        places: &[Place],
        reach: &[(f64, f64)],
        exact: bool,
        local: &mut Local,
        second: &mut Array2<f64>,
    ) -> Result<()> {
        let mut total = Vec::new();
        let mut sources: Vec<(Vec<Place>, Curve)> = Vec::new();
        for (component, source) in &self.sources {
            // A shape makes no difference to the flux of the whole source.
            let own: Vec<Place> = places.iter().filter(|p| p.component == *component && !p.is_shape).copied().collect();
            let model = &models.components[*component];
            let flux = curve(model, &own, reach, exact, |m| source.flux(sky(m)?))?;
            add(&mut total, &flux.value);
            sources.push((own, flux));
        }
        let slopes: Vec<(usize, &Vec<f64>)> =
            sources.iter().flat_map(|(own, flux)| own.iter().map(|p| p.free).zip(&flux.first)).collect();
        for (i, flux) in total.iter().enumerate() {
            let Some((stat, slope, curvature)) = self.likelihood.at(i, *flux) else { continue };
            local.value.stat += stat;
            // Where the statistic bends down, steps are as long as its slope allows.
            let step = if curvature > 0.0 { curvature } else { 0.5 * slope * slope };
            // By free parameter: linked ones of several models add up.
            let mut gradient = vec![0.0; local.gradient.len()];
            for (free, by) in &slopes {
                gradient[*free] += by[i];
            }
            for k in 0..gradient.len() {
                local.gradient[k] += slope * gradient[k];
                for l in 0..=k {
                    let product = gradient[k] * gradient[l];
                    add_symmetric(&mut local.gauss, k, l, step * product);
                    add_symmetric(second, k, l, (curvature - step) * product);
                }
            }
            for (own, flux) in sources.iter().filter(|_| exact) {
                for (a, p) in own.iter().enumerate() {
                    for (b, q) in own[..=a].iter().enumerate() {
                        let bend = slope * flux.second[a][b][i];
                        second[[p.free, q.free]] += bend;
                        if a != b {
                            second[[q.free, p.free]] += bend;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn add(total: &mut Vec<f64>, flux: &[f64]) {
    total.resize(flux.len(), 0.0);
    total.iter_mut().zip(flux).for_each(|(sum, v)| *sum += v);
}
