//! Sky models and lists of models.

use std::sync::Arc;

use super::background::FoVBackgroundModel;
use super::spatial::SpatialModel;
use super::spectral::SpectralModel;
use super::template_npred::TemplateNPredModel;
use super::temporal::TemporalModel;

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
    /// Datasets it applies to; `None`: all.
    pub datasets_names: Option<Vec<String>>,
}

impl SkyModel {
    /// A source that applies to all datasets.
    pub fn new(name: &str, spectral: Arc<dyn SpectralModel>, spatial: Option<Arc<dyn SpatialModel>>) -> Self {
        Self { name: name.to_string(), spectral, spatial, temporal: None, datasets_names: None }
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
