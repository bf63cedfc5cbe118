//! A dataset of any kind, owned or borrowed.

use super::flux_points::FluxPointsDataset;
use super::map::MapDataset;
use super::on_off::MapDatasetOnOff;
use crate::error::Result;
use crate::models::Models;
use crate::time::Gti;

/// A dataset of any kind.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one per file, never many in a list")]
pub enum Dataset {
    /// With a known background (Cash statistic).
    Map(MapDataset),
    /// With off counts (W statistic).
    OnOff(MapDatasetOnOff),
    /// Fluxes in place of counts.
    FluxPoints(FluxPointsDataset),
}

impl Dataset {
    /// What all kinds with counts have: for an on-off dataset its on region.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for flux points.
    pub fn common(&self) -> Result<&MapDataset> {
        self.lend().common()
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for flux points.
    pub fn common_mut(&mut self) -> Result<&mut MapDataset> {
        match self {
            Self::Map(dataset) => Ok(dataset),
            Self::OnOff(dataset) => Ok(&mut dataset.on),
            Self::FluxPoints(points) => Err(points.no_counts()),
        }
    }

    /// Name; models refer to it.
    pub fn name(&self) -> &str {
        self.lend().name()
    }

    /// Gives it another name.
    pub fn set_name(&mut self, name: &str) {
        let own = match self {
            Self::Map(dataset) => &mut dataset.name,
            Self::OnOff(dataset) => &mut dataset.on.name,
            Self::FluxPoints(dataset) => &mut dataset.name,
        };
        *own = name.to_string();
    }

    /// Its models.
    pub fn models(&self) -> &Models {
        match self {
            Self::Map(dataset) => &dataset.models,
            Self::OnOff(dataset) => &dataset.on.models,
            Self::FluxPoints(dataset) => &dataset.models,
        }
    }

    /// Gives it models; those count that apply to it.
    pub fn set_models(&mut self, models: Models) {
        let own = match self {
            Self::Map(dataset) => &mut dataset.models,
            Self::OnOff(dataset) => &mut dataset.on.models,
            Self::FluxPoints(dataset) => &mut dataset.models,
        };
        *own = models;
    }

    /// Good time intervals.
    pub fn gti(&self) -> Option<&Gti> {
        match self {
            Self::Map(dataset) => dataset.gti.as_ref(),
            Self::OnOff(dataset) => dataset.on.gti.as_ref(),
            Self::FluxPoints(dataset) => dataset.gti(),
        }
    }

    /// Gammapy's name of the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Map(dataset) if dataset.is_spectrum() => "SpectrumDataset",
            Self::Map(_) => "MapDataset",
            Self::OnOff(dataset) if dataset.is_spectrum() => "SpectrumDatasetOnOff",
            Self::OnOff(_) => "MapDatasetOnOff",
            Self::FluxPoints(_) => "FluxPointsDataset",
        }
    }

    /// Lends the dataset.
    pub fn lend(&self) -> DatasetRef<'_> {
        match self {
            Self::Map(dataset) => DatasetRef::Map(dataset),
            Self::OnOff(dataset) => DatasetRef::OnOff(dataset),
            Self::FluxPoints(dataset) => DatasetRef::FluxPoints(dataset),
        }
    }
}

/// A borrowed dataset of any kind.
#[derive(Debug, Clone, Copy)]
pub enum DatasetRef<'a> {
    /// With a known background (Cash statistic).
    Map(&'a MapDataset),
    /// With off counts (W statistic).
    OnOff(&'a MapDatasetOnOff),
    /// Fluxes in place of counts.
    FluxPoints(&'a FluxPointsDataset),
}

impl<'a> DatasetRef<'a> {
    /// What all kinds with counts have: for an on-off dataset its on region.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for flux points.
    pub fn common(self) -> Result<&'a MapDataset> {
        match self {
            Self::Map(dataset) => Ok(dataset),
            Self::OnOff(dataset) => Ok(&dataset.on),
            Self::FluxPoints(points) => Err(points.no_counts()),
        }
    }

    /// Name; models refer to it.
    pub fn name(self) -> &'a str {
        match self {
            Self::Map(dataset) => &dataset.name,
            Self::OnOff(dataset) => &dataset.on.name,
            Self::FluxPoints(dataset) => &dataset.name,
        }
    }
}

impl<'a> From<&'a MapDataset> for DatasetRef<'a> {
    fn from(dataset: &'a MapDataset) -> Self {
        Self::Map(dataset)
    }
}

impl<'a> From<&'a MapDatasetOnOff> for DatasetRef<'a> {
    fn from(dataset: &'a MapDatasetOnOff) -> Self {
        Self::OnOff(dataset)
    }
}

impl<'a> From<&'a FluxPointsDataset> for DatasetRef<'a> {
    fn from(dataset: &'a FluxPointsDataset) -> Self {
        Self::FluxPoints(dataset)
    }
}

impl<'a> From<&'a Dataset> for DatasetRef<'a> {
    fn from(dataset: &'a Dataset) -> Self {
        dataset.lend()
    }
}
