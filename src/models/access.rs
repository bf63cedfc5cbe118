//! The parameters of a list of models: by name, free ones, linked ones.

use std::sync::Arc;

use super::parameter::Parameter;
use super::sky::{Model, Models};
use super::spectral::SpectralModel;
use crate::error::{Error, Result};

/// A value that a fit changes: one parameter, or several that are linked.
#[derive(Debug, Clone, PartialEq)]
pub struct FreeParameter {
    /// Full name of the first of them, `model.spectral.index`.
    pub name: String,
    /// Their places in [`Models::parameters`].
    pub places: Vec<usize>,
}

/// Names of a spectrum's parameters; those of a compound's parts have `model1.` or `model2.` before them.
fn spectral_names(model: &dyn SpectralModel, prefix: &str, names: &mut Vec<String>) {
    match model.as_compound() {
        Some(compound) => {
            let (first, second) = compound.models();
            spectral_names(first.as_ref(), &format!("{prefix}model1."), names);
            spectral_names(second.as_ref(), &format!("{prefix}model2."), names);
        }
        None => names.extend(model.parameters().iter().map(|p| format!("{prefix}{}", p.name))),
    }
}

impl Model {
    /// Parameters with their names within the model (`spectral.index`), in Gammapy's order: spectrum, shape, time.
    pub fn parameters(&self) -> Vec<(String, &Parameter)> {
        let mut names = Vec::new();
        spectral_names(self.spectral().as_ref(), "spectral.", &mut names);
        let mut parameters: Vec<&Parameter> = self.spectral().parameters().iter().collect();
        let spatial = match self {
            Self::Sky(sky) => sky.spatial.as_ref(),
            Self::FoVBackground(background) => background.spatial.as_ref(),
            // Gammapy: its parameters are none of the model.
            Self::TemplateNPred(_) => None,
        };
        if let Some(spatial) = spatial {
            names.extend(spatial.parameters().iter().map(|p| format!("spatial.{}", p.name)));
            parameters.extend(spatial.parameters());
        }
        if let Self::Sky(sky) = self
            && let Some(temporal) = &sky.temporal
        {
            names.extend(temporal.parameters().iter().map(|p| format!("temporal.{}", p.name)));
            parameters.extend(temporal.parameters());
        }
        names.into_iter().zip(parameters).collect()
    }

    /// Its spectrum, or the norm spectrum of a background.
    pub fn spectral(&self) -> &Arc<dyn SpectralModel> {
        match self {
            Self::Sky(m) => &m.spectral,
            Self::FoVBackground(m) => &m.spectral,
            Self::TemplateNPred(m) => &m.spectral,
        }
    }

    /// The same model with other parameters: all of them, in the order of [`Model::parameters`].
    ///
    /// # Errors
    /// [`Error::Input`] for another number of them, or values that one cannot have.
    pub fn with_parameters(&self, parameters: &[Parameter]) -> Result<Self> {
        let here = self.parameters().len();
        if parameters.len() != here {
            return Err(Error::input(self.name(), format!("{} parameters where it has {here}", parameters.len())));
        }
        let (spectral, rest) = parameters.split_at(self.spectral().parameters().len());
        let spectral = self.spectral().with_parameters(spectral)?;
        Ok(match self {
            Self::Sky(sky) => {
                let mut sky = sky.clone();
                sky.spectral = spectral;
                let mut rest = rest;
                if let Some(spatial) = &mut sky.spatial {
                    let (own, others) = rest.split_at(spatial.parameters().len());
                    *spatial = spatial.with_parameters(own)?;
                    rest = others;
                }
                if let Some(temporal) = &mut sky.temporal {
                    *temporal = temporal.with_parameters(rest)?;
                }
                Self::Sky(sky)
            }
            Self::FoVBackground(background) => {
                let mut background = background.clone();
                background.spectral = spectral;
                if let Some(spatial) = &mut background.spatial {
                    *spatial = spatial.with_parameters(rest)?;
                }
                Self::FoVBackground(background)
            }
            Self::TemplateNPred(template) => {
                let mut template = template.clone();
                template.spectral = spectral;
                Self::TemplateNPred(template)
            }
        })
    }
}

impl Models {
    /// Names of the models, in order.
    pub fn names(&self) -> Vec<&str> {
        self.components.iter().map(Model::name).collect()
    }

    /// A model by its name.
    pub fn get(&self, name: &str) -> Option<&Model> {
        self.components.iter().find(|m| m.name() == name)
    }

    /// The models that a condition holds for.
    pub fn select(&self, keep: impl Fn(&Model) -> bool) -> Self {
        Self { components: self.components.iter().filter(|m| keep(m)).cloned().collect() }
    }

    /// All parameters with their full names (`crab.spectral.index`), in Gammapy's order.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use pevatron::models::{Model, Models, SkyModel};
    /// use pevatron::models::spectral::PowerLawSpectralModel;
    /// let spectral = Arc::new(PowerLawSpectralModel::default());
    /// let mut models = Models { components: vec![Model::Sky(SkyModel::new("crab", spectral, None))] };
    /// models.set_value("crab.spectral.index", 2.6)?;
    /// models.freeze("crab.spectral.amplitude")?;
    /// assert_eq!(models.parameters()[0].0, "crab.spectral.index");
    /// assert_eq!(models.parameter("crab.spectral.index")?.value, 2.6);
    /// assert_eq!(models.free_parameters().len(), 1);
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    pub fn parameters(&self) -> Vec<(String, &Parameter)> {
        let of = |m: &'_ Model| m.name().to_string();
        self.components
            .iter()
            .flat_map(|m| m.parameters().into_iter().map(move |(name, p)| (format!("{}.{name}", of(m)), p)))
            .collect()
    }

    /// The values that a fit changes, linked ones once, in the order of [`Models::parameters`].
    pub fn free_parameters(&self) -> Vec<FreeParameter> {
        let all = self.parameters();
        let mut free: Vec<FreeParameter> = Vec::new();
        for (place, (name, parameter)) in all.iter().enumerate().filter(|(_, (_, p))| !p.frozen) {
            let same = |f: &&mut FreeParameter| parameter.link.is_some() && all[f.places[0]].1.link == parameter.link;
            match free.iter_mut().find(same) {
                Some(first) => first.places.push(place),
                None => free.push(FreeParameter { name: name.clone(), places: vec![place] }),
            }
        }
        free
    }

    /// The place in [`Models::parameters`] of a full name.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none of that name, with those that there are.
    pub fn place_of(&self, name: &str) -> Result<usize> {
        let all = self.parameters();
        all.iter().position(|(n, _)| n == name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|(n, _)| n.as_str()).collect();
            Error::input(name, "no parameter has this name").with_help(format!("there are {}", names.join(", ")))
        })
    }

    /// A parameter by its full name.
    ///
    /// # Errors
    /// As [`Models::place_of`].
    pub fn parameter(&self, name: &str) -> Result<&Parameter> {
        Ok(self.parameters()[self.place_of(name)?].1)
    }

    /// Changes a parameter and all that are linked to it.
    ///
    /// # Errors
    /// As [`Models::place_of`], and for what the parameter cannot be.
    pub fn change(&mut self, name: &str, change: impl Fn(&mut Parameter)) -> Result<()> {
        let place = self.place_of(name)?;
        let mut all: Vec<Parameter> = self.parameters().into_iter().map(|(_, p)| p.clone()).collect();
        let link = all[place].link.clone();
        for (i, parameter) in all.iter_mut().enumerate() {
            if i == place || link.is_some() && parameter.link == link {
                change(parameter);
            }
        }
        self.set_parameters(&all)
    }

    /// Sets a value, in the parameter's own unit, there and where it is linked.
    ///
    /// # Errors
    /// As [`Models::change`].
    pub fn set_value(&mut self, name: &str, value: f64) -> Result<()> {
        self.change(name, |p| p.value = value)
    }

    /// A fit shall leave this parameter (and those linked to it) alone.
    ///
    /// # Errors
    /// As [`Models::place_of`].
    pub fn freeze(&mut self, name: &str) -> Result<()> {
        self.change(name, |p| p.frozen = true)
    }

    /// A fit shall change this parameter (and those linked to it).
    ///
    /// # Errors
    /// As [`Models::place_of`].
    pub fn unfreeze(&mut self, name: &str) -> Result<()> {
        self.change(name, |p| p.frozen = false)
    }

    /// Replaces all parameters, in the order of [`Models::parameters`].
    ///
    /// # Errors
    /// [`Error::Input`] for another number of them, or values that one cannot have.
    pub fn set_parameters(&mut self, parameters: &[Parameter]) -> Result<()> {
        let wanted: usize = self.components.iter().map(|m| m.parameters().len()).sum();
        if parameters.len() != wanted {
            return Err(Error::input("parameters", format!("{} where the models have {wanted}", parameters.len())));
        }
        let mut rest = parameters;
        let mut components = Vec::with_capacity(self.components.len());
        for model in &self.components {
            let (own, others) = rest.split_at(model.parameters().len());
            components.push(model.with_parameters(own)?);
            rest = others;
        }
        self.components = components;
        Ok(())
    }

    /// Gives a parameter the value of another one, now and in fits.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none of that name, or for a parameter of another unit or linked to itself.
    pub fn link(&mut self, name: &str, target: &str) -> Result<()> {
        self.place_of(target)?;
        let place = self.place_of(name)?;
        let mut all: Vec<Parameter> = self.parameters().into_iter().map(|(_, p)| p.clone()).collect();
        all[place].link = Some(target.to_string());
        self.resolve(all)
    }

    /// Replaces links that name another parameter (`link: crab.spectral.index`) by labels that both share, and gives all
    /// parameters of one label the value of the first.
    ///
    /// # Errors
    /// [`Error::Input`] for the name of a parameter that there is not, for links in a circle, or of unlike units.
    pub fn resolve_links(&mut self) -> Result<()> {
        let all: Vec<Parameter> = self.parameters().into_iter().map(|(_, p)| p.clone()).collect();
        if all.iter().all(|p| p.link.is_none()) {
            return Ok(());
        }
        self.resolve(all)
    }

    fn resolve(&mut self, mut all: Vec<Parameter>) -> Result<()> {
        let names: Vec<String> = self.parameters().into_iter().map(|(n, _)| n).collect();
        for start in 0..all.len() {
            let Some(root) = root_of(start, &all, &names)? else { continue };
            let (first, other) = (all[root].clone(), all[start].clone());
            if !first.unit.is_convertible_to(&other.unit) {
                return Err(Error::input(
                    &names[start],
                    format!("is linked to {}, whose unit is '{}', not '{}'", names[root], first.unit, other.unit),
                ));
            }
            let label = first.link.clone().unwrap_or_else(|| format!("{}@{}", first.name, names[root]));
            all[root].link = Some(label);
            all[start] = Parameter { name: other.name, ..all[root].clone() };
        }
        self.set_parameters(&all)
    }
}

/// True for a link that is the name of a parameter, not one of Gammapy's labels (`index@a1b2c3`).
fn is_target(link: &str) -> bool {
    !link.contains('@') && [".spectral.", ".spatial.", ".temporal."].iter().any(|part| link.contains(part))
}

/// The parameter at the end of a chain of links by name; `None` where there is no such chain.
fn root_of(start: usize, all: &[Parameter], names: &[String]) -> Result<Option<usize>> {
    let mut at = start;
    let mut steps = 0;
    while let Some(target) = all[at].link.as_deref().filter(|link| is_target(link)) {
        steps += 1;
        if steps > all.len() {
            return Err(Error::input(&names[start], format!("its link to {target} leads back to itself"))
                .with_help("let one of the linked parameters have no link"));
        }
        at = names.iter().position(|n| n == target).ok_or_else(|| {
            Error::input(&names[at], format!("is linked to '{target}', which is not a parameter of these models"))
                .with_help(format!("there are {}", names.join(", ")))
        })?;
    }
    Ok((at != start).then_some(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::Frame;
    use crate::models::spatial::PointSpatialModel;
    use crate::models::spectral::{
        CompoundOperator, CompoundSpectralModel, LogParabolaSpectralModel, PowerLawSpectralModel,
    };
    use crate::models::{Model, SkyModel};

    fn models() -> Models {
        let point = || Some(Arc::new(PointSpatialModel::new(0.0, 0.0, Frame::Icrs)) as Arc<_>);
        let sum = CompoundSpectralModel::new(
            Arc::new(PowerLawSpectralModel::default()),
            Arc::new(LogParabolaSpectralModel::default()),
            CompoundOperator::Add,
        );
        Models {
            components: vec![
                Model::Sky(SkyModel::new("a", Arc::new(PowerLawSpectralModel::default()), point())),
                Model::Sky(SkyModel::new("b", Arc::new(sum), point())),
            ],
        }
    }

    #[test]
    fn names_are_gammapys() {
        let models = models();
        let names: Vec<String> = models.parameters().into_iter().map(|(n, _)| n).collect();
        assert_eq!(
            names[..5].join(" "),
            "a.spectral.index a.spectral.amplitude a.spectral.reference a.spatial.lon_0 a.spatial.lat_0"
        );
        assert_eq!(names[5], "b.spectral.model1.index");
        assert_eq!(names[11], "b.spectral.model2.beta");
        assert_eq!(models.names(), ["a", "b"]);
        assert_eq!(models.select(|m| m.name() == "b").names(), ["b"]);
        assert!(models.place_of("a.spectral.indx").unwrap_err().help().unwrap().contains("a.spectral.index"));
    }

    #[test]
    fn linked_parameters_are_one_value() {
        let mut models = models();
        let free = models.free_parameters().len();
        models.set_value("a.spectral.index", 2.7).unwrap();
        models.link("b.spectral.model1.index", "a.spectral.index").unwrap();
        assert_eq!(models.parameter("b.spectral.model1.index").unwrap().value, 2.7);
        assert_eq!(models.free_parameters().len(), free - 1);
        models.set_value("b.spectral.model1.index", 3.1).unwrap();
        assert_eq!(models.parameter("a.spectral.index").unwrap().value, 3.1);
        models.freeze("a.spectral.index").unwrap();
        assert!(models.parameter("b.spectral.model1.index").unwrap().frozen);
        assert_eq!(models.free_parameters().len(), free - 2);
        assert!(models.components[1].spectral().evaluate(1.0) > 0.0);
    }

    #[test]
    fn chains_end_and_circles_are_refused() {
        let mut chain = models();
        chain.link("b.spectral.model1.index", "a.spectral.index").unwrap();
        chain.link("b.spectral.model2.alpha", "b.spectral.model1.index").unwrap();
        chain.set_value("a.spectral.index", 1.5).unwrap();
        assert_eq!(chain.parameter("b.spectral.model2.alpha").unwrap().value, 1.5);

        let mut all: Vec<Parameter> = models().parameters().into_iter().map(|(_, p)| p.clone()).collect();
        all[0].link = Some("b.spectral.model1.index".to_string());
        all[5].link = Some("a.spectral.index".to_string());
        let mut circle = models();
        circle.set_parameters(&all).unwrap();
        assert!(circle.resolve_links().unwrap_err().to_string().contains("back to itself"));
        assert!(models().link("a.spectral.index", "a.spectral.index").is_err());
        assert!(models().link("a.spectral.index", "a.spectral.gamma").is_err());
        let units = models().link("a.spectral.index", "a.spectral.amplitude").unwrap_err();
        assert!(units.to_string().contains("whose unit"), "{units}");
    }
}
