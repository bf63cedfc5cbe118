//! Sky models and lists of models.

use std::sync::Arc;

use super::background::FoVBackgroundModel;
use super::spatial::SpatialModel;
use super::spectral::SpectralModel;
use super::template_npred::TemplateNPredModel;
use super::temporal::TemporalModel;
use crate::error::{Error, Result};
use crate::units::Unit;

/// What a source goes through before it is counts (Gammapy's `apply_irf`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplyIrf {
    /// The exposure. Without it the spectrum is one of counts, with a unit such as TeV-1.
    pub exposure: bool,
    /// The point spread function.
    pub psf: bool,
    /// The energy dispersion. Without it energies are reconstructed as they are.
    pub edisp: bool,
}

impl Default for ApplyIrf {
    /// All of them.
    fn default() -> Self {
        Self { exposure: true, psf: true, edisp: true }
    }
}

/// A source: spectrum times shape.
///
/// ```
/// use std::sync::Arc;
/// use pevatron::maps::Frame;
/// use pevatron::models::SkyModel;
/// use pevatron::models::spatial::PointSpatialModel;
/// use pevatron::models::spectral::PowerLawSpectralModel;
/// let spectral = Arc::new(PowerLawSpectralModel::new(2.5, 1e-12, 1.0));
/// let spatial = Arc::new(PointSpatialModel::new(83.63, 22.01, Frame::Icrs));
/// let model = SkyModel::new("Crab", spectral, Some(spatial));
/// assert!((model.spectral.evaluate(10.0) / 1e-12 - 10f64.powf(-2.5)).abs() < 1e-15);
/// ```
#[derive(Debug, Clone)]
pub struct SkyModel {
    /// Name.
    pub name: String,
    /// Spectrum.
    pub spectral: Arc<dyn SpectralModel>,
    /// Shape; `None`: a spectrum alone.
    pub spatial: Option<Arc<dyn SpatialModel>>,
    /// Variation with time; `None`: constant.
    pub temporal: Option<Arc<dyn TemporalModel>>,
    /// What it goes through; all responses unless they are switched off.
    pub apply_irf: ApplyIrf,
    /// Datasets it applies to; `None`: all.
    pub datasets_names: Option<Vec<String>>,
}

/// True for a spectrum of counts: its amplitude, or the values of its table, have a unit without area and time.
fn is_of_counts(model: &dyn SpectralModel) -> bool {
    if let Some(compound) = model.as_compound() {
        let (first, second) = compound.models();
        return is_of_counts(first.as_ref()) || is_of_counts(second.as_ref());
    }
    if let Some(template) = model.as_template() {
        return template.values().1.factor_to_text("TeV-1").is_ok();
    }
    let is_flux = |unit: &Unit| ["cm-2 s-1 TeV-1", "cm-2 s-1"].iter().any(|flux| unit.factor_to_text(flux).is_ok());
    let is_norm = model.is_norm();
    model.parameters().iter().any(|p| {
        let is_amplitude = p.name == "amplitude" || p.name == "const" && !p.unit.is_dimensionless();
        !is_norm && is_amplitude && !is_flux(&p.unit)
    })
}

impl SkyModel {
    /// A source that applies to all datasets.
    pub fn new(name: &str, spectral: Arc<dyn SpectralModel>, spatial: Option<Arc<dyn SpatialModel>>) -> Self {
        let apply_irf = ApplyIrf::default();
        Self { name: name.to_string(), spectral, spatial, temporal: None, apply_irf, datasets_names: None }
    }

    /// Refuses a spectrum of a flux where no exposure makes counts of it, and one of counts where an exposure does.
    ///
    /// # Errors
    /// [`Error::Input`] that names the model.
    pub fn check_irf(&self) -> Result<()> {
        match (self.apply_irf.exposure, is_of_counts(self.spectral.as_ref())) {
            (true, true) => Err(Error::input(&self.name, "the unit of its spectrum has no area and no time")
                .with_help("give the amplitude in cm-2 s-1 TeV-1, or switch the exposure off in apply_irf")),
            (false, false) => Err(Error::input(&self.name, "without exposure its spectrum is to be one of counts")
                .with_help("give the amplitude in TeV-1 (counts per energy), or leave the exposure in apply_irf")),
            _ => Ok(()),
        }
    }
}

/// One component of a list of models.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Model {
    /// A source.
    Sky(SkyModel),
    /// A scaled and tilted background.
    FoVBackground(FoVBackgroundModel),
    /// Predicted counts that go through no response.
    TemplateNPred(TemplateNPredModel),
}

impl Model {
    /// Name of the component.
    pub fn name(&self) -> &str {
        match self {
            Self::Sky(m) => &m.name,
            Self::FoVBackground(m) => &m.name,
            Self::TemplateNPred(m) => &m.name,
        }
    }

    /// Datasets it applies to; `None`: all.
    pub fn datasets_names(&self) -> Option<&[String]> {
        match self {
            Self::Sky(m) => m.datasets_names.as_deref(),
            Self::FoVBackground(m) => Some(&m.datasets_names),
            Self::TemplateNPred(m) => m.datasets_names.as_deref(),
        }
    }

    /// True if it applies to the dataset of that name.
    pub fn applies_to(&self, dataset: &str) -> bool {
        self.datasets_names().is_none_or(|names| names.iter().any(|n| n == dataset))
    }
}

/// A list of models.
#[derive(Debug, Clone, Default)]
pub struct Models {
    /// The components, in order.
    pub components: Vec<Model>,
}

impl Models {
    /// The source models that apply to a dataset.
    pub fn sky_models<'a>(&'a self, dataset: &'a str) -> impl Iterator<Item = &'a SkyModel> {
        self.components.iter().filter(move |m| m.applies_to(dataset)).filter_map(|m| match m {
            Model::Sky(sky) => Some(sky),
            Model::FoVBackground(_) | Model::TemplateNPred(_) => None,
        })
    }

    /// The models that predict a signal in a dataset, in order: sources and templates of counts, all but its background
    /// model.
    pub fn signal<'a>(&'a self, dataset: &'a str) -> impl Iterator<Item = &'a Model> {
        self.components.iter().filter(move |m| m.applies_to(dataset) && !matches!(m, Model::FoVBackground(_)))
    }

    /// The models that apply to none of the datasets of these names.
    pub fn unused(&self, datasets: &[&str]) -> Vec<&Model> {
        self.components.iter().filter(|m| !datasets.iter().any(|name| m.applies_to(name))).collect()
    }

    /// True where something predicts a signal in a dataset.
    pub fn has_signal(&self, dataset: &str) -> bool {
        self.signal(dataset).next().is_some()
    }

    /// The background model of a dataset, if there is one.
    pub fn background<'a>(&'a self, dataset: &'a str) -> Option<&'a FoVBackgroundModel> {
        self.components.iter().filter(move |m| m.applies_to(dataset)).find_map(|m| match m {
            Model::FoVBackground(background) => Some(background),
            Model::Sky(_) | Model::TemplateNPred(_) => None,
        })
    }
}
