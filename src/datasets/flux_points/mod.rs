//! Flux points that models are fitted to.

mod likelihood;
mod points;
mod source;

pub use likelihood::{PointsLikelihood, PointsStatistic, ProfileInterpolation};
pub use source::PointsSource;

use std::fmt;
use std::sync::Arc;

use ndarray::{Array3, ArrayD};

use self::likelihood::Point;
use super::statistic::{InfoDict, ResidualMethod};
use crate::error::{Error, Result};
use crate::flux::{FluxPoints, SedType};
use crate::maps::{Map, Mask};
use crate::models::Models;
use crate::table::Table;
use crate::time::Gti;
use crate::units::Energy;

/// Flux points and the models that are compared with them (Gammapy's `FluxPointsDataset`): a spectrum, or a light curve
/// with a spectrum per time. Of the models, spectrum and variation with time count; the flux of a template of the sky is
/// that of the whole template.
///
/// ```
/// use std::sync::Arc;
/// use pevatron::datasets::FluxPointsDataset;
/// use pevatron::flux::FluxPoints;
/// use pevatron::models::{Model, SkyModel, spectral::PowerLawSpectralModel};
/// use pevatron::table::{Column, Table};
/// let mut table = Table::new();
/// table.push(Column::floats("e_ref", "TeV".parse()?, vec![1.0, 10.0]))?;
/// table.push(Column::floats("dnde", "TeV-1 s-1 cm-2".parse()?, vec![2e-12, 1e-14]))?;
/// table.push(Column::floats("dnde_err", "TeV-1 s-1 cm-2".parse()?, vec![2e-13, 2e-15]))?;
/// let mut dataset = FluxPointsDataset::new("points", FluxPoints::from_table(&table, &Default::default())?.0)?;
/// let spectrum = Arc::new(PowerLawSpectralModel::new(2.0, 1.6e-12, 1.0));
/// dataset.models.components.push(Model::Sky(SkyModel::new("source", spectrum, None)));
/// // Two errors below the first point, three above the second.
/// assert!((dataset.stat_sum()? - 13.0).abs() < 1e-9);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FluxPointsDataset {
    /// Name; models refer to it.
    pub name: String,
    /// The points, with their good time intervals.
    pub data: FluxPoints,
    /// Models; those count that apply to this dataset.
    pub models: Models,
    /// Points chosen for the fit, in the shape of the data.
    pub mask_fit: Option<Mask>,
    /// Points that are safe to use, in the shape of the data.
    pub mask_safe: Option<Mask>,
    /// How points and models are compared.
    pub stat_type: PointsStatistic,
    /// How profiles are interpolated.
    pub interpolation: ProfileInterpolation,
    /// One line per observation that went in; carried along, not used.
    pub meta_table: Option<Table>,
}

impl FluxPointsDataset {
    /// Flux points without models or masks, to be compared by chi2.
    ///
    /// # Errors
    /// [`Error::Input`] where the points have no energy axis or one that is not the first.
    pub fn new(name: &str, data: FluxPoints) -> Result<Self> {
        if data.geom().axes().first().is_none_or(|a| a.name() != "energy") {
            return Err(Error::input("energy", "flux points need an energy axis, before all others"));
        }
        Ok(Self {
            name: name.to_string(),
            data,
            models: Models::default(),
            mask_fit: None,
            mask_safe: None,
            stat_type: PointsStatistic::default(),
            interpolation: ProfileInterpolation::default(),
            meta_table: None,
        })
    }

    /// A copy under another name, without models (which refer to datasets by their names), as in Gammapy.
    pub fn copy(&self, name: &str) -> Self {
        Self { name: name.to_string(), models: Models::default(), ..self.clone() }
    }

    /// Good time intervals of the points.
    pub fn gti(&self) -> Option<&Gti> {
        self.data.gti.as_ref()
    }

    /// Shape `[other axes…, energy, 1, 1]`.
    pub fn data_shape(&self) -> Vec<usize> {
        self.data.geom().data_shape()
    }

    /// The ends of the energies.
    ///
    /// # Errors
    /// [`Error::Input`] for an axis that is not an energy.
    pub fn energy_range(&self) -> Result<(Energy, Energy)> {
        let (min, max) = (self.data.energy_min_tev()?, self.data.energy_max_tev()?);
        let ends = (min.into_iter().fold(f64::INFINITY, f64::min), max.into_iter().fold(0.0, f64::max));
        Ok((Energy::tev(ends.0), Energy::tev(ends.1)))
    }

    /// Points that the statistic can use: for chi2 fluxes that are not upper limits, for the distribution also limits,
    /// for profiles those whose whole profile is known.
    ///
    /// # Errors
    /// Those of [`FluxPointsDataset::likelihood`].
    pub fn mask_valid(&self) -> Result<Mask> {
        let likelihood = self.likelihood()?;
        self.mask_of(likelihood.points.iter().map(|p| !matches!(p, Point::Nothing)).collect())
    }

    /// Points that count: [`FluxPointsDataset::mask_valid`], mask_safe and mask_fit together.
    ///
    /// # Errors
    /// Those of [`FluxPointsDataset::likelihood`].
    pub fn mask(&self) -> Result<Mask> {
        self.mask_of(self.likelihood()?.counts_in)
    }

    /// Differential flux of the models at the reference energies, in TeV-1 s-1 cm-2.
    ///
    /// # Errors
    /// [`Error::Input`] where no model applies, a model's spectrum is a norm, or a time scale is not known.
    pub fn flux_pred(&self) -> Result<Map> {
        let flux = self.flux_of_models()?;
        self.map(SedType::Dnde.unit(), flux)
    }

    /// The statistic of each point; NaN for those that it cannot use.
    ///
    /// # Errors
    /// Those of [`FluxPointsDataset::flux_pred`] and [`FluxPointsDataset::likelihood`].
    pub fn stat_array(&self) -> Result<Map> {
        let likelihood = self.likelihood()?;
        let flux = self.flux_of_models()?;
        self.map("", likelihood.points.iter().zip(&flux).map(|(point, flux)| point.at(*flux).0).collect())
    }

    /// Sum of [`FluxPointsDataset::stat_array`] over the points that count, without priors (Gammapy's `stat_sum` of one
    /// dataset); 0 without any.
    ///
    /// # Errors
    /// Those of [`FluxPointsDataset::stat_array`], and for points that count but have no error.
    pub fn stat_sum(&self) -> Result<f64> {
        let likelihood = self.likelihood()?;
        likelihood.check()?;
        Ok(likelihood.stat(&self.flux_of_models()?))
    }

    /// Flux of the points against that of the models: `diff` in TeV-1 s-1 cm-2, `diff/model` without a unit. NaN for upper
    /// limits.
    ///
    /// # Errors
    /// Those of [`FluxPointsDataset::flux_pred`]; [`Error::Options`] for `diff/sqrt(model)`, which is for counts.
    pub fn residuals(&self, method: ResidualMethod) -> Result<Map> {
        let unit = match method {
            ResidualMethod::Diff => SedType::Dnde.unit(),
            ResidualMethod::DiffOverModel => "",
            ResidualMethod::DiffOverSqrtModel => {
                return Err(Error::options("method", format!("'{}' compares counts, not fluxes", method.name()))
                    .with_help("take diff or diff/model"));
            }
        };
        let model = self.flux_of_models()?;
        let (data, is_ul) = (values(&self.data.dnde()?), values(&self.data.is_ul()?));
        let residual = |i: usize| if is_ul[i] == 0.0 { method.of(data[i], model[i]) } else { f64::NAN };
        self.map(unit, (0..model.len()).map(residual).collect())
    }

    /// What the points say of a flux at each of them, ready to be asked often.
    ///
    /// # Errors
    /// [`Error::Input`] where fluxes, errors, limits or profiles are missing as a whole or of a wrong kind, or where the
    /// shape of a mask is another one.
    pub fn likelihood(&self) -> Result<PointsLikelihood> {
        let points = match self.stat_type {
            PointsStatistic::Chi2 => self.measured_points(false),
            PointsStatistic::Distribution => self.measured_points(true),
            PointsStatistic::Profile => self.profile_points(),
        };
        let points = points.map_err(|e| e.at(&crate::error::Place::default().hdu(&self.name)))?;
        let mut counts_in: Vec<bool> = points.iter().map(|p| !matches!(p, Point::Nothing)).collect();
        for (name, mask) in [("mask_safe", &self.mask_safe), ("mask_fit", &self.mask_fit)] {
            let Some(mask) = mask else { continue };
            if mask.data().shape() != self.data_shape() {
                let (found, wanted) = (mask.data().shape(), self.data_shape());
                let problem =
                    format!("dataset '{}': its shape is {found:?} where the points have {wanted:?}", self.name);
                return Err(Error::input(name, problem));
            }
            for (inside, value) in counts_in.iter_mut().zip(mask.data()) {
                *inside &= value;
            }
        }
        Ok(PointsLikelihood { name: self.name.clone(), stat_type: self.stat_type, points, counts_in })
    }

    /// Flux of all models, plane by plane.
    fn flux_of_models(&self) -> Result<Vec<f64>> {
        let mut total: Option<Vec<f64>> = None;
        for model in self.models.sky_models(&self.name) {
            let flux = self.source(model)?.flux(model)?;
            match &mut total {
                Some(total) => total.iter_mut().zip(flux).for_each(|(sum, v)| *sum += v),
                None => total = Some(flux),
            }
        }
        total.ok_or_else(|| self.no_model())
    }

    /// The error for flux points where counts are needed.
    pub fn no_counts(&self) -> Error {
        Error::input(&self.name, "these are flux points, a dataset with counts is needed")
    }

    /// The error that there is nothing to compare the points with.
    pub(crate) fn no_model(&self) -> Error {
        Error::input("models", format!("no source applies to the flux points '{}'", self.name))
            .with_help("give models whose datasets_names are empty or name this dataset")
    }

    fn map(&self, unit: &str, values: Vec<f64>) -> Result<Map> {
        let n = values.len();
        let cube = Array3::from_shape_vec((n, 1, 1), values).map_err(|e| Error::input("data", e.to_string()))?;
        Map::from_cube(Arc::clone(self.data.geom()), unit.parse()?, cube)
    }

    /// A mask of the points, plane by plane.
    ///
    /// # Errors
    /// [`Error::Input`] for another number of values than points.
    pub fn mask_of(&self, values: Vec<bool>) -> Result<Mask> {
        let (n, shape) = (values.len(), self.data_shape());
        let data = ArrayD::from_shape_vec(shape.as_slice(), values);
        let data = data.map_err(|_| Error::input("mask", format!("{n} values for points of shape {shape:?}")))?;
        Mask::new(Arc::clone(self.data.geom()), data)
    }

    /// The points in the numbers that they share with counts; those of counts alone are NaN. The statistic is NaN without
    /// models.
    ///
    /// # Errors
    /// Those of [`FluxPointsDataset::stat_sum`].
    pub fn info_dict(&self) -> Result<InfoDict> {
        let has_model = self.models.sky_models(&self.name).next().is_some();
        Ok(InfoDict {
            name: self.name.clone(),
            n_bins: self.data_shape().iter().product(),
            n_fit_bins: self.likelihood()?.count(),
            stat_type: self.stat_type.name(),
            stat_sum: if has_model { self.stat_sum()? } else { f64::NAN },
            ontime_s: self.gti().map_or(f64::NAN, Gti::time_sum_s),
            ..InfoDict::without_counts()
        })
    }
}

impl fmt::Display for FluxPointsDataset {
    /// As Gammapy prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, key: &str, value: String| writeln!(f, "  {key:<32}: {value}");
        let info = self.info_dict();
        let (fit, stat) = match &info {
            Ok(info) => (info.n_fit_bins.to_string(), format!("{:.2}", info.stat_sum)),
            Err(error) => (error.to_string(), f64::NAN.to_string()),
        };
        let own = self.models.select(|m| m.applies_to(&self.name));
        writeln!(f, "FluxPointsDataset\n-----------------\n")?;
        line(f, "Name", self.name.clone())?;
        line(f, "Number of total flux points", self.data_shape().iter().product::<usize>().to_string())?;
        line(f, "Number of fit bins", fit)?;
        line(f, "Fit statistic type", self.stat_type.name().to_string())?;
        line(f, "Fit statistic value (-2 log(L))", stat)?;
        line(f, "Number of models", own.components.len().to_string())?;
        line(f, "Number of parameters", own.parameters().len().to_string())?;
        line(f, "Number of free parameters", own.free_parameters().len().to_string())
    }
}

fn values(map: &Map) -> Vec<f64> {
    map.data().iter().collect()
}
