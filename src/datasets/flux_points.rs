//! Flux points that models are fitted to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ndarray::{Array3, ArrayD};

use super::statistic::{InfoDict, ResidualMethod};
use crate::error::{Error, Result};
use crate::flux::{FluxPoints, FluxQuantity, SedType};
use crate::maps::{Geom, Map, MapAxis, Mask};
use crate::math::{QuadraticSpline, ln_erfc};
use crate::models::{Models, SkyModel, temporal};
use crate::table::Table;
use crate::time::{Gti, convert_mjd};
use crate::units::Energy;

/// How flux points are compared with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PointsStatistic {
    /// Squared distance over the symmetric error (where there is none, over the mean of both errors). Upper limits say
    /// nothing.
    #[default]
    Chi2,
    /// Normal distributions with the error of the side that the model is on, and for upper limits the probability of a
    /// measurement below them (Mohanty et al. 2013, ApJ 773, 168, equation C7).
    Distribution,
    /// The likelihood profiles of the points: what there is to be known. Upper limits count like all others.
    Profile,
}

impl PointsStatistic {
    /// As Gammapy calls it: `chi2`, `distrib`, `profile`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chi2 => "chi2",
            Self::Distribution => "distrib",
            Self::Profile => "profile",
        }
    }
}

impl FromStr for PointsStatistic {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "chi2" => Ok(Self::Chi2),
            "distrib" | "distribution" => Ok(Self::Distribution),
            "profile" => Ok(Self::Profile),
            _ => Err(Error::options("stat_type", format!("'{text}' is not one of chi2, distrib, profile"))),
        }
    }
}

/// How likelihood profiles go on between their points, and beyond them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProfileInterpolation {
    /// By parabolas, as a profile is one near its minimum (Gammapy's `interp_scale="sqrt"`).
    #[default]
    Parabolas,
    /// By straight lines (`"lin"`).
    Lines,
}

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
    /// [`Error::Input`] for an axis that is no energy.
    pub fn energy_range(&self) -> Result<(Energy, Energy)> {
        let (min, max) = (self.data.energy_min_tev()?, self.data.energy_max_tev()?);
        let ends = (min.into_iter().fold(f64::INFINITY, f64::min), max.into_iter().fold(0.0, f64::max));
        Ok((Energy::tev(ends.0), Energy::tev(ends.1)))
    }

    /// Points that the statistic can use: for chi2 fluxes that are no upper limits, for the distribution also limits, for
    /// profiles those whose whole profile is known.
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

    /// Points with errors; with `limits`, also upper limits.
    fn measured_points(&self, limits: bool) -> Result<Vec<Point>> {
        let data = &self.data;
        let value = values(&data.dnde()?);
        let of = |quantity: FluxQuantity, map: fn(&FluxPoints) -> Result<Map>| -> Result<Vec<f64>> {
            let there = data.get(quantity).is_some();
            if there { Ok(values(&map(data)?)) } else { Ok(vec![f64::NAN; value.len()]) }
        };
        let symmetric = of(FluxQuantity::NormErr, |d| d.dnde_err())?;
        let below = of(FluxQuantity::NormErrn, |d| d.dnde_errn())?;
        let above = of(FluxQuantity::NormErrp, |d| d.dnde_errp())?;
        let limit = of(FluxQuantity::NormUl, |d| d.dnde_ul())?;
        let is_ul = values(&data.is_ul()?);
        let usable = |v: f64| if v.is_finite() && v > 0.0 { Some(v) } else { None };
        let mean = |i: usize| Some(0.5 * (usable(below[i])? + usable(above[i])?));
        let either = |own: f64, i: usize, other: f64| usable(own).or(usable(symmetric[i])).or(usable(other));
        let point = |i: usize| {
            if is_ul[i] != 0.0 {
                return match usable(limit[i]) {
                    Some(limit) if limits => Point::Limit(limit),
                    _ => Point::Nothing,
                };
            }
            if !value[i].is_finite() {
                return Point::Nothing;
            }
            let errors = match limits {
                false => usable(symmetric[i]).or(mean(i)).map(|error| (error, error)),
                true => either(below[i], i, above[i]).zip(either(above[i], i, below[i])),
            };
            match errors {
                Some((below, above)) => Point::Measured { value: value[i], below, above },
                None => Point::WithoutError,
            }
        };
        Ok((0..value.len()).map(point).collect())
    }

    /// Points with profiles: rise of −2 ln L above the best fit against norm.
    fn profile_points(&self) -> Result<Vec<Point>> {
        let data = &self.data;
        if !data.has_stat_profiles() {
            return Err(Error::input("stat_scan", "these points have no likelihood profiles")
                .with_help("take stat_type chi2 or distrib"));
        }
        let (rise, norms) = (data.ts_scan()?, data.norm_scan()?);
        let axes = rise.geom().axes();
        let own = |a: &MapAxis| data.geom().axes().iter().all(|b| b.name() != a.name());
        let place = axes
            .iter()
            .position(own)
            .ok_or_else(|| Error::input("stat_scan", "has no axis of its own that norms could stand on"))?;
        let below: usize = axes[..place].iter().map(MapAxis::nbin).product();
        let n = axes[place].nbin();
        let reference = data.reference_values(SedType::Dnde)?;
        let (rise, norms) = (values(&rise), values(&norms));
        let count: usize = data.geom().axes().iter().map(MapAxis::nbin).product();
        let mut points = Vec::with_capacity(count);
        for i in 0..count {
            let at = |k: usize| i % below + below * (k + n * (i / below));
            let x: Vec<f64> = (0..n).map(|k| norms[at(k)]).collect();
            // Gammapy: profiles whose stat is a little above their lowest point are folded up.
            let y: Vec<f64> = (0..n).map(|k| rise[at(k)].abs()).collect();
            points.push(if y.iter().all(|v| v.is_finite()) {
                let curve = Curve::new(self.interpolation, &x, &y).ok_or_else(|| {
                    let problem = format!("profile {i} has {n} norms; three or more are needed, finite and increasing");
                    Error::input("norm_scan", problem)
                })?;
                Point::Profile { curve, reference: reference[i % reference.len()] }
            } else {
                Point::Nothing
            });
        }
        Ok(points)
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

    /// What stays the same of a source while its spectrum and its variation with time are fitted.
    ///
    /// # Errors
    /// [`Error::Input`] where its spectrum is a norm, or for a template without pixels.
    pub fn source(&self, model: &SkyModel) -> Result<PointsSource> {
        if !model.apply_irf.exposure {
            return Err(Error::input(&model.name, "without exposure it has counts, which flux points have not")
                .with_help("name the datasets that it is for in datasets_names"));
        }
        model.check_irf()?;
        if model.spectral.is_norm() {
            let problem = format!("a {} is a norm, flux points need a flux", model.spectral.tag());
            return Err(Error::input(&model.name, problem));
        }
        let energies = self.data.energy_ref_tev()?;
        let share = template_integrals(model, &energies)?;
        let times = self.times()?;
        let axes = self.data.geom().axes();
        let place = axes.iter().position(|a| a.name() == "time");
        let below = axes[..place.unwrap_or(0)].iter().map(MapAxis::nbin).product();
        let planes = axes.iter().map(MapAxis::nbin).product();
        Ok(PointsSource { energies, share, times, below, planes })
    }

    /// The time that each bin of the time axis stands for; one for all where there is none, none where it is not known.
    fn times(&self) -> Result<Vec<Option<Gti>>> {
        let Some(axis) = self.data.time_axis() else { return Ok(vec![self.gti().cloned()]) };
        let seconds = axis.unit().factor_to_text("s")?;
        let reference = axis.time_reference().cloned().unwrap_or_default();
        let of = |(min, max): (f64, f64)| {
            let whole = Gti { intervals: vec![(min * seconds, max * seconds)], reference: reference.clone() };
            let Some(gti) = self.gti() else { return Ok(Some(whole)) };
            let date = |v: f64| {
                let mjd = reference.mjd() + v * seconds / 86400.0;
                convert_mjd(mjd, &reference.timesys, &gti.reference.timesys)
            };
            let inside = gti.select_time(date(min)?, date(max)?);
            // Intervals that miss the bin say nothing of it.
            Ok(Some(if inside.intervals.is_empty() { whole } else { inside }))
        };
        axis.bounds().into_iter().map(of).collect()
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

/// By energy, the integral of a template over the sky that it is for; 1 for other shapes, whose spectrum is the flux of
/// the source. Gammapy interpolates between 20 energies per decade here.
fn template_integrals(model: &SkyModel, energies: &[f64]) -> Result<Vec<f64>> {
    let Some(spatial) = model.spatial.as_ref().filter(|s| s.as_template().is_some()) else {
        return Ok(vec![1.0; energies.len()]);
    };
    let Some(template) = spatial.as_template() else { return Ok(vec![1.0; energies.len()]) };
    let Geom::Wcs(geom) = template.map().geom().as_ref() else {
        return Err(Error::input(&model.name, "its template has no pixels on the sky"));
    };
    let solid_angle = geom.solid_angle_sr();
    let centers: Vec<_> = solid_angle
        .indexed_iter()
        .filter_map(|((y, x), omega)| geom.pix_to_sky(x as f64, y as f64).map(|p| (p, *omega)))
        .collect();
    let integral = |energy: f64| -> f64 {
        let here = centers.iter().map(|(p, omega)| spatial.evaluate(p.lon_deg, p.lat_deg, energy) * omega);
        here.filter(|v| v.is_finite()).sum()
    };
    if spatial.is_energy_dependent() {
        return Ok(energies.iter().map(|e| integral(*e)).collect());
    }
    Ok(vec![integral(energies.first().copied().unwrap_or(1.0)); energies.len()])
}

/// A source as the points see it.
#[derive(Debug, Clone)]
pub struct PointsSource {
    energies: Vec<f64>,
    /// By energy, what a template of the sky makes of the spectrum.
    share: Vec<f64>,
    /// By bin of time.
    times: Vec<Option<Gti>>,
    /// Planes per bin of time.
    below: usize,
    planes: usize,
}

impl PointsSource {
    /// Differential flux at the points in TeV-1 s-1 cm-2, plane by plane.
    ///
    /// # Errors
    /// [`Error::Input`] for time scales that are not known.
    pub fn flux(&self, model: &SkyModel) -> Result<Vec<f64>> {
        let spectrum: Vec<f64> =
            self.energies.iter().zip(&self.share).map(|(e, share)| model.spectral.evaluate(*e) * share).collect();
        let factors: Vec<f64> = match &model.temporal {
            None => vec![1.0; self.times.len()],
            Some(model) => {
                let of = |gti: &Option<Gti>| gti.as_ref().map_or(Ok(1.0), |gti| temporal::mean(model.as_ref(), gti));
                self.times.iter().map(of).collect::<Result<_>>()?
            }
        };
        let at = |plane: usize| {
            let factor = if factors.len() == 1 { factors[0] } else { factors[plane / self.below % factors.len()] };
            spectrum[plane % spectrum.len()] * factor
        };
        Ok((0..self.planes).map(at).collect())
    }
}

/// What one point says.
#[derive(Debug, Clone)]
enum Point {
    /// Nothing that the statistic can use.
    Nothing,
    /// It has a flux, but no error.
    WithoutError,
    Measured {
        value: f64,
        below: f64,
        above: f64,
    },
    Limit(f64),
    /// Rise of −2 ln L by norm, and the flux of norm 1.
    Profile {
        curve: Curve,
        reference: f64,
    },
}

impl Point {
    /// The statistic at a flux with its first and second derivative; NaN and zeros where there is none.
    fn at(&self, flux: f64) -> (f64, f64, f64) {
        match self {
            Self::Nothing | Self::WithoutError => (f64::NAN, 0.0, 0.0),
            Self::Measured { value, below, above } => {
                let error = if flux >= *value { above } else { below };
                let pull = (flux - value) / error;
                (pull * pull, 2.0 * pull / error, 2.0 / (error * error))
            }
            // Relative to no flux at all; the width is that of a limit of one sigma above zero.
            Self::Limit(limit) => {
                let (value, slope, curvature) = ln_erfc((limit - flux) / limit);
                (2.0 * (value - ln_erfc(1.0).0), -2.0 * slope / limit, 2.0 * curvature / (limit * limit))
            }
            Self::Profile { curve, reference } => {
                let (value, slope, curvature) = curve.at(flux / reference);
                (value, slope / reference, curvature / (reference * reference))
            }
        }
    }
}

/// A curve through the points of a profile.
#[derive(Debug, Clone)]
enum Curve {
    Parabolas(QuadraticSpline),
    Lines(Vec<(f64, f64)>),
}

impl Curve {
    fn new(interpolation: ProfileInterpolation, x: &[f64], y: &[f64]) -> Option<Self> {
        let parabolas = QuadraticSpline::new(x, y)?;
        Some(match interpolation {
            ProfileInterpolation::Parabolas => Self::Parabolas(parabolas),
            ProfileInterpolation::Lines => Self::Lines(x.iter().copied().zip(y.iter().copied()).collect()),
        })
    }

    fn at(&self, x: f64) -> (f64, f64, f64) {
        match self {
            Self::Parabolas(spline) => spline.at(x),
            Self::Lines(points) => {
                let upper = points.partition_point(|p| p.0 <= x).clamp(1, points.len() - 1);
                let ((x0, y0), (x1, y1)) = (points[upper - 1], points[upper]);
                let slope = (y1 - y0) / (x1 - x0);
                (y0 + slope * (x - x0), slope, 0.0)
            }
        }
    }
}

/// What flux points say of fluxes, see [`FluxPointsDataset::likelihood`].
#[derive(Debug, Clone)]
pub struct PointsLikelihood {
    name: String,
    stat_type: PointsStatistic,
    points: Vec<Point>,
    counts_in: Vec<bool>,
}

impl PointsLikelihood {
    /// Number of points that count.
    pub fn count(&self) -> usize {
        self.counts_in.iter().filter(|inside| **inside).count()
    }

    /// True where all points that count are upper limits: they hold a flux down, and nothing holds it up.
    pub fn has_only_limits(&self) -> bool {
        let mut counted = self.points.iter().zip(&self.counts_in).filter(|(_, inside)| **inside);
        counted.all(|(point, _)| matches!(point, Point::Limit(_)))
    }

    /// Refuses points that count but have no error.
    ///
    /// # Errors
    /// [`Error::Input`] with their number and the first of them.
    pub fn check(&self) -> Result<()> {
        let bare =
            |(i, inside): (usize, &bool)| (*inside && matches!(self.points[i], Point::WithoutError)).then_some(i);
        let bad: Vec<usize> = self.counts_in.iter().enumerate().filter_map(bare).collect();
        let Some(first) = bad.first() else { return Ok(()) };
        let (number, name) = (bad.len(), &self.name);
        let problem = format!(
            "flux points '{name}': {number} of {} points have no error above 0 (the first is point {first})",
            self.points.len()
        );
        Err(Error::input("dnde_err", problem).with_help("mask them in mask_safe or mask_fit"))
    }

    /// Refuses points of which none counts.
    ///
    /// # Errors
    /// [`Error::Input`] that says whether masks or the statistic leave them out.
    pub fn check_any(&self) -> Result<()> {
        if self.count() > 0 {
            return Ok(());
        }
        let name = &self.name;
        if self.points.iter().any(|p| !matches!(p, Point::Nothing)) {
            return Err(Error::input("mask", format!("flux points '{name}': all of them are masked")));
        }
        let (item, what) = match self.stat_type {
            PointsStatistic::Profile => ("stat_scan", "no point has a whole likelihood profile"),
            PointsStatistic::Distribution => ("dnde", "no point has a flux or an upper limit"),
            PointsStatistic::Chi2 => ("dnde", "all of them are upper limits or undefined, which chi2 leaves out"),
        };
        let error = Error::input(item, format!("flux points '{name}': {what}"));
        Err(match self.stat_type {
            PointsStatistic::Chi2 => error.with_help("stat_type distrib or profile takes upper limits, too"),
            _ => error,
        })
    }

    /// Sum of the statistic over the points that count, of fluxes in TeV-1 s-1 cm-2.
    pub fn stat(&self, flux: &[f64]) -> f64 {
        let counted = self.points.iter().zip(flux).zip(&self.counts_in).filter(|(_, inside)| **inside);
        // The sum of nothing is -0.
        counted.map(|((point, flux), _)| point.at(*flux).0).sum::<f64>() + 0.0
    }

    /// Statistic, slope and curvature of a point; `None` where it does not count.
    pub fn at(&self, point: usize, flux: f64) -> Option<(f64, f64, f64)> {
        self.counts_in[point].then(|| self.points[point].at(flux))
    }
}
