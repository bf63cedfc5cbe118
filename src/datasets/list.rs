//! Several datasets: fitted together, or stacked into one.

use std::borrow::Borrow;

use super::any::Dataset;
use super::flux_points::FluxPointsDataset;
use super::map::MapDataset;
use super::on_off::MapDatasetOnOff;
use super::statistic::{InfoDict, OffInfo, ResidualMethod};
use crate::compute::Backend;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::maps::{AxisSlice, Map, Mask, SkyPosition, SmoothKernel};
use crate::models::Models;
use crate::table::{Column, Table, Values};
use crate::time::Gti;
use crate::units::{Angle, Energy, Unit};

/// The same method of either kind with counts, and its result as it is; flux points have none.
macro_rules! of_counts {
    ($self:expr, $d:ident => $f:expr) => {
        match $self {
            Dataset::Map($d) => $f,
            Dataset::OnOff($d) => $f,
            Dataset::FluxPoints(points) => Err(points.no_counts()),
        }
    };
}

/// The same method of either kind with counts, which makes a dataset of that kind.
macro_rules! new_of_counts {
    ($self:expr, $d:ident => $f:expr) => {
        match $self {
            Dataset::Map($d) => $f.map(Dataset::Map),
            Dataset::OnOff($d) => $f.map(Dataset::OnOff),
            Dataset::FluxPoints(points) => Err(points.no_counts()),
        }
    };
}

impl Dataset {
    /// Shape `[energy, y, x]` of the counts, or `[other axes…, energy, 1, 1]` of flux points.
    ///
    /// # Errors
    /// [`Error::Input`] without counts.
    pub fn data_shape(&self) -> Result<Vec<usize>> {
        match self {
            Self::FluxPoints(points) => Ok(points.data_shape()),
            _ => of_counts!(self, d => d.data_shape()),
        }
    }

    /// Counts without the background.
    ///
    /// # Errors
    /// As [`MapDataset::excess`].
    pub fn excess(&self) -> Result<Map> {
        of_counts!(self, d => d.excess())
    }

    /// Predicted counts of sources and background.
    ///
    /// # Errors
    /// As [`MapDataset::npred`].
    pub fn npred(&self, backend: &Backend, control: &Control) -> Result<Map> {
        of_counts!(self, d => d.npred(backend, control))
    }

    /// The statistic of each bin or point.
    ///
    /// # Errors
    /// As [`MapDataset::stat_array`] and [`FluxPointsDataset::stat_array`].
    pub fn stat_array(&self, backend: &Backend, control: &Control) -> Result<Map> {
        match self {
            Self::FluxPoints(points) => points.stat_array(),
            _ => of_counts!(self, d => d.stat_array(backend, control)),
        }
    }

    /// The statistic of all bins or points inside of the masks.
    ///
    /// # Errors
    /// As [`MapDataset::stat_sum`] and [`FluxPointsDataset::stat_sum`].
    pub fn stat_sum(&self, backend: &Backend, control: &Control) -> Result<f64> {
        match self {
            Self::FluxPoints(points) => points.stat_sum(),
            _ => of_counts!(self, d => d.stat_sum(backend, control)),
        }
    }

    /// As [`MapDataset::residuals`] and [`FluxPointsDataset::residuals`].
    ///
    /// # Errors
    /// As there; [`Error::Options`] where flux points are to be smoothed.
    pub fn residuals(
        &self,
        method: ResidualMethod,
        smooth: Option<SmoothKernel>,
        backend: &Backend,
        control: &Control,
    ) -> Result<Map> {
        match self {
            Self::FluxPoints(_) if smooth.is_some() => Err(Error::options("smooth", "flux points are not smoothed")),
            Self::FluxPoints(points) => points.residuals(method),
            _ => of_counts!(self, d => d.residuals(method, smooth, backend, control)),
        }
    }

    /// As [`MapDataset::info_dict`] and [`FluxPointsDataset::info_dict`].
    ///
    /// # Errors
    /// As there.
    pub fn info_dict(&self, in_safe_data_range: bool, backend: &Backend, control: &Control) -> Result<InfoDict> {
        match self {
            Self::FluxPoints(points) => points.info_dict(),
            _ => of_counts!(self, d => d.info_dict(in_safe_data_range, backend, control)),
        }
    }

    /// As [`MapDataset::cutout`].
    ///
    /// # Errors
    /// As there.
    pub fn cutout(&self, position: SkyPosition, width: (Angle, Angle)) -> Result<Self> {
        new_of_counts!(self, d => d.cutout(position, width))
    }

    /// As [`MapDataset::slice_by_idx`].
    ///
    /// # Errors
    /// As there.
    pub fn slice_by_idx<S: Clone + Into<AxisSlice>>(&self, slices: &[(&str, S)]) -> Result<Self> {
        new_of_counts!(self, d => d.slice_by_idx(slices))
    }

    /// As [`MapDataset::slice_by_energy`].
    ///
    /// # Errors
    /// As there.
    pub fn slice_by_energy(&self, min: Option<Energy>, max: Option<Energy>) -> Result<Self> {
        new_of_counts!(self, d => d.slice_by_energy(min, max))
    }

    /// As [`MapDataset::to_image`].
    ///
    /// # Errors
    /// As there.
    pub fn to_image(&self) -> Result<Self> {
        new_of_counts!(self, d => d.to_image())
    }

    /// As [`MapDataset::to_masked`].
    ///
    /// # Errors
    /// As there.
    pub fn to_masked(&self) -> Result<Self> {
        new_of_counts!(self, d => d.to_masked())
    }

    /// As [`MapDataset::stack`]: one with a background takes both kinds, one with off counts only its own.
    ///
    /// # Errors
    /// As there.
    pub fn stack(&mut self, other: &Self) -> Result<()> {
        match (self, other) {
            (Self::FluxPoints(points), _) => Err(points.no_counts()),
            (_, Self::FluxPoints(points)) => Err(points.no_counts()),
            (Self::Map(own), other) => own.stack(other),
            (Self::OnOff(own), Self::OnOff(other)) => own.stack(other),
            (Self::OnOff(own), Self::Map(other)) => {
                let problem =
                    format!("it has a background, so it cannot be added to '{}' with its off counts", own.on.name);
                Err(Error::input(other.name.clone(), problem).with_help("add the one with off counts to this one"))
            }
        }
    }
}

impl From<MapDataset> for Dataset {
    fn from(dataset: MapDataset) -> Self {
        Self::Map(dataset)
    }
}

impl From<MapDatasetOnOff> for Dataset {
    fn from(dataset: MapDatasetOnOff) -> Self {
        Self::OnOff(dataset)
    }
}

impl From<FluxPointsDataset> for Dataset {
    fn from(dataset: FluxPointsDataset) -> Self {
        Self::FluxPoints(dataset)
    }
}

/// A list of datasets with names of their own (Gammapy's `Datasets`).
///
/// ```
/// use pevatron::compute::Backend;
/// use pevatron::datasets::{Datasets, IrfAxes, MapDataset};
/// use pevatron::maps::{MapAxis, SkyPosition, WcsGeom};
/// let axis = MapAxis::energy_bounds(1.0, 10.0, 4, "energy")?;
/// let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 20, 20, (0.1, 0.1), "TAN", vec![axis])?;
/// let make = |name| MapDataset::create(name, &geom, &IrfAxes::default());
/// let datasets = Datasets::new([make("a")?, make("b")?])?;
/// assert_eq!(datasets.names(), ["a", "b"]);
/// assert_eq!(datasets.stack_reduce("sum")?.name(), "sum");
/// assert!(Datasets::new([make("a")?, make("a")?]).is_err());
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Datasets {
    list: Vec<Dataset>,
}

impl Datasets {
    /// From datasets.
    ///
    /// # Errors
    /// [`Error::Input`] where two have the same name.
    pub fn new(datasets: impl IntoIterator<Item = impl Into<Dataset>>) -> Result<Self> {
        let mut list = Self::default();
        for dataset in datasets {
            list.push(dataset)?;
        }
        Ok(list)
    }

    /// Adds a dataset at the end.
    ///
    /// # Errors
    /// [`Error::Input`] where its name is there already.
    pub fn push(&mut self, dataset: impl Into<Dataset>) -> Result<()> {
        let dataset = dataset.into();
        if self.get(dataset.name()).is_some() {
            let problem = format!("two datasets have the name '{}'; names must be unique", dataset.name());
            return Err(Error::input("datasets", problem).with_help_for(
                "copy(name) gives a dataset another name",
                "`pevatron stack ONE -o OUT.fits --name NAME` writes a dataset under another name",
            ));
        }
        self.list.push(dataset);
        Ok(())
    }

    /// Number of datasets.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True without datasets.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The datasets in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Dataset> {
        self.list.iter()
    }

    /// The dataset of a name.
    pub fn get(&self, name: &str) -> Option<&Dataset> {
        self.list.iter().find(|d| d.name() == name)
    }

    /// The datasets in order, as they are.
    pub fn into_inner(self) -> Vec<Dataset> {
        self.list
    }

    /// Names in order.
    pub fn names(&self) -> Vec<&str> {
        self.list.iter().map(Dataset::name).collect()
    }

    /// The same models for all datasets; each takes those that apply to it.
    pub fn set_models(&mut self, models: &Models) {
        for dataset in &mut self.list {
            dataset.set_models(models.clone());
        }
    }

    /// The models of all datasets, each name once (the first one of a name).
    pub fn models(&self) -> Models {
        let mut all = Models::default();
        for model in self.list.iter().flat_map(|d| &d.models().components) {
            if !all.components.iter().any(|m| m.name() == model.name()) {
                all.components.push(model.clone());
            }
        }
        all
    }

    /// True where all are of one kind.
    pub fn is_all_same_type(&self) -> bool {
        self.list.windows(2).all(|w| w[0].kind() == w[1].kind())
    }

    /// True where the data of all have one shape.
    ///
    /// # Errors
    /// [`Error::Input`] for a dataset without any data.
    pub fn is_all_same_shape(&self) -> Result<bool> {
        let shapes: Vec<Vec<usize>> = self.list.iter().map(Dataset::data_shape).collect::<Result<_>>()?;
        Ok(shapes.windows(2).all(|w| w[0] == w[1]))
    }

    /// True where all have as many bins of reconstructed energy.
    ///
    /// # Errors
    /// [`Error::Input`] for a dataset without any data.
    pub fn is_all_same_energy_shape(&self) -> Result<bool> {
        let shapes: Vec<Vec<usize>> = self.list.iter().map(Dataset::data_shape).collect::<Result<_>>()?;
        Ok(shapes.windows(2).all(|w| w[0].first() == w[1].first()))
    }

    /// For each dataset whether any bin or point is inside of its masks.
    ///
    /// # Errors
    /// [`Error::Input`] where masks do not fit.
    pub fn contributes_to_stat(&self) -> Result<Vec<bool>> {
        let any = |d: &Dataset| -> Result<bool> {
            let mask = match d {
                Dataset::FluxPoints(points) => Some(points.mask()?),
                _ => d.common()?.mask()?,
            };
            Ok(mask.is_none_or(|m: Mask| m.count() > 0))
        };
        self.list.iter().map(any).collect()
    }

    /// The joint statistic: the sum of those of the datasets, without priors. It is not the statistic of the stacked dataset.
    ///
    /// # Errors
    /// Those of [`MapDataset::stat_sum`].
    pub fn stat_sum(&self, backend: &Backend, control: &Control) -> Result<f64> {
        let mut sum = 0.0;
        for dataset in &self.list {
            sum += dataset.stat_sum(backend, control)?;
        }
        Ok(sum)
    }

    /// The ends of the axis of reconstructed energy of each dataset.
    ///
    /// # Errors
    /// [`Error::Input`] for a dataset without an energy axis.
    pub fn energy_ranges(&self) -> Result<Vec<(Energy, Energy)>> {
        let range = |d: &Dataset| -> Result<(Energy, Energy)> {
            if let Dataset::FluxPoints(points) = d {
                return points.energy_range();
            }
            let edges = of_counts!(d, d => d.geoms())?.geom.axis("energy")?.edges_tev()?;
            Ok((Energy::tev(edges[0]), Energy::tev(edges[edges.len() - 1])))
        };
        self.list.iter().map(range).collect()
    }

    /// One interval for each dataset that has any, from its first start to its last stop, in the time reference of the
    /// first of them; `None` without any.
    pub fn gti(&self) -> Option<Gti> {
        let mut all: Option<Gti> = None;
        for gti in self.list.iter().filter_map(Dataset::gti) {
            let (Some(first), Some(last)) = (gti.intervals.first(), gti.intervals.last()) else { continue };
            let all = all.get_or_insert_with(|| Gti { intervals: Vec::new(), reference: gti.reference.clone() });
            let shift = all.reference.days_to(&gti.reference) * 86400.0;
            all.intervals.push((first.0 + shift, last.1 + shift));
        }
        all
    }

    /// The datasets whose intervals all lie between two modified Julian dates, in the time scale of their references; the
    /// ends may be off by `tolerance_s` seconds (Gammapy: 1e-6 s).
    pub fn select_time(&self, mjd_min: f64, mjd_max: f64, tolerance_s: f64) -> Self {
        let inside = |d: &&Dataset| {
            let Some(gti) = d.gti() else { return false };
            let (Some(first), Some(last)) = (gti.intervals.first(), gti.intervals.last()) else { return false };
            let seconds = |mjd: f64| ((mjd - gti.reference.mjdrefi as f64) - gti.reference.mjdreff) * 86400.0;
            first.0 >= seconds(mjd_min) - tolerance_s && last.1 <= seconds(mjd_max) + tolerance_s
        };
        Self { list: self.list.iter().filter(inside).cloned().collect() }
    }

    /// The bins of all datasets between two energies; datasets that have none there are left out.
    ///
    /// # Errors
    /// [`Error::Input`] for a dataset without an energy axis, [`Error::Options`] for energies that are not positive or do
    /// not increase.
    pub fn slice_by_energy(&self, min: Option<Energy>, max: Option<Energy>) -> Result<Self> {
        if let (Some(a), Some(b)) = (min, max)
            && !(a.to_tev() > 0.0 && b > a)
        {
            return Err(Error::options("energy_max", format!("{b} does not follow {a}, both above 0")));
        }
        let mut list = Vec::new();
        for dataset in &self.list {
            match dataset.slice_by_energy(min, max) {
                Ok(sliced) => list.push(sliced),
                Err(Error::Options { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { list })
    }

    /// All datasets stacked into one of the first one's geometry, inside of each mask_safe; see [`MapDataset::stack`].
    ///
    /// # Errors
    /// [`Error::Input`] without datasets, for datasets of two kinds, and those of [`MapDataset::stack`], which name the
    /// dataset.
    pub fn stack_reduce(&self, name: &str) -> Result<Dataset> {
        let [first, rest @ ..] = self.list.as_slice() else {
            return Err(Error::input("datasets", "there is none to be stacked"));
        };
        if !self.is_all_same_type() {
            let kinds: Vec<&str> = self.list.iter().map(Dataset::kind).collect();
            return Err(Error::input(
                "datasets",
                format!("only datasets of one kind are stacked, these are {kinds:?}"),
            ));
        }
        Self::stack_each(name, std::iter::once(first).chain(rest).map(Ok))
    }

    /// [`Datasets::stack_reduce`] of datasets that come one by one, as from files: only the sum and one of them need be in
    /// memory.
    ///
    /// ```
    /// use pevatron::datasets::{Datasets, IrfAxes, MapDataset};
    /// use pevatron::maps::{MapAxis, SkyPosition, WcsGeom};
    /// let axis = MapAxis::energy_bounds(1.0, 10.0, 4, "energy")?;
    /// let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 20, 20, (0.1, 0.1), "TAN", vec![axis])?;
    /// let run = |n| Ok(MapDataset::create(&format!("run {n}"), &geom, &IrfAxes::default())?.into());
    /// let sum = Datasets::stack_each::<pevatron::datasets::Dataset>("sum", (0..3).map(run))?;
    /// assert_eq!((sum.name(), sum.data_shape()?), ("sum", vec![4, 20, 20]));
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Datasets::stack_reduce`], and the first error among those that come.
    pub fn stack_each<D: Borrow<Dataset>>(
        name: &str,
        datasets: impl IntoIterator<Item = Result<D>>,
    ) -> Result<Dataset> {
        let mut sum: Option<Dataset> = None;
        for dataset in datasets {
            let dataset = dataset?;
            let dataset = dataset.borrow();
            match &mut sum {
                None => {
                    let mut first = dataset.to_masked().map_err(|e| of_dataset(e, dataset.name()))?;
                    first.common_mut()?.mask_fit = None;
                    sum = Some(first);
                }
                Some(sum) => {
                    if sum.kind() != dataset.kind() {
                        let kinds = [sum.kind(), dataset.kind()];
                        return Err(Error::input(
                            "datasets",
                            format!("only datasets of one kind are stacked, these are {kinds:?}"),
                        ));
                    }
                    sum.stack(dataset).map_err(|e| of_dataset(e, dataset.name()))?;
                }
            }
        }
        let mut sum = sum.ok_or_else(|| Error::input("datasets", "there is none to be stacked"))?;
        sum.set_name(name);
        Ok(sum)
    }

    /// [`MapDataset::info_dict`] of each dataset, one row each; with `cumulative` of the first one, the first two stacked,
    /// and so on.
    ///
    /// # Errors
    /// [`Error::Input`] for flux points or datasets of two kinds that are to be summed up, and those of
    /// [`MapDataset::info_dict`] and [`MapDataset::stack`].
    pub fn info_table(&self, cumulative: bool, backend: &Backend, control: &Control) -> Result<Table> {
        if cumulative && !self.is_all_same_type() {
            return Err(Error::input("datasets", "only datasets of one kind are summed up in a table"));
        }
        let mut rows = Vec::with_capacity(self.list.len());
        if cumulative {
            let mut sum: Option<Dataset> = None;
            for dataset in &self.list {
                let next = match sum.take() {
                    None => {
                        let mut first = dataset.to_masked()?;
                        first.set_name("stacked");
                        first.set_models(Models::default());
                        first
                    }
                    Some(mut sum) => {
                        sum.stack(dataset).map_err(|e| of_dataset(e, dataset.name()))?;
                        sum
                    }
                };
                rows.push(next.info_dict(true, backend, control)?);
                sum = Some(next);
            }
        } else {
            for dataset in &self.list {
                rows.push(dataset.info_dict(true, backend, control)?);
            }
        }
        table(&rows)
    }
}

/// Says which dataset an error belongs to.
fn of_dataset(error: Error, name: &str) -> Error {
    error.at(&crate::error::Place::default().hdu(name))
}

fn table(rows: &[InfoDict]) -> Result<Table> {
    type Get = fn(&InfoDict) -> f64;
    let mut table = Table::new();
    table.push(Column::texts("name", rows.iter().map(|r| r.name.clone()).collect()))?;
    let floats: [(&str, &str, Get); 15] = [
        ("counts", "", |r| r.counts),
        ("excess", "", |r| r.excess),
        ("sqrt_ts", "", |r| r.sqrt_ts),
        ("background", "", |r| r.background),
        ("npred", "", |r| r.npred),
        ("npred_background", "", |r| r.npred_background),
        ("npred_signal", "", |r| r.npred_signal),
        ("exposure_min", "m2 s", |r| r.exposure_min_m2_s),
        ("exposure_max", "m2 s", |r| r.exposure_max_m2_s),
        ("livetime", "s", |r| r.livetime_s),
        ("ontime", "s", |r| r.ontime_s),
        ("counts_rate", "s-1", |r| r.counts_rate),
        ("background_rate", "s-1", |r| r.background_rate),
        ("excess_rate", "s-1", |r| r.excess_rate),
        ("stat_sum", "", |r| r.stat_sum),
    ];
    let column = |(name, unit, get): (&str, &str, Get)| -> Result<Column> {
        Ok(Column::floats(name, unit.parse::<Unit>()?, rows.iter().map(get).collect()))
    };
    for entry in &floats[..14] {
        table.push(column(*entry)?)?;
    }
    let int = |name: &str, get: fn(&InfoDict) -> usize| {
        Column::new(name, Unit::default(), Values::Int(rows.iter().map(|r| get(r) as i64).collect()))
    };
    table.push(int("n_bins", |r| r.n_bins))?;
    table.push(int("n_fit_bins", |r| r.n_fit_bins))?;
    table.push(Column::texts("stat_type", rows.iter().map(|r| r.stat_type.to_string()).collect()))?;
    table.push(column(floats[14])?)?;
    if rows.iter().any(|r| r.off.is_some()) {
        type GetOff = fn(&OffInfo) -> f64;
        let off: [(&str, GetOff); 4] = [
            ("counts_off", |o| o.counts_off),
            ("acceptance", |o| o.acceptance),
            ("acceptance_off", |o| o.acceptance_off),
            ("alpha", |o| o.alpha),
        ];
        for (name, get) in off {
            let values = rows.iter().map(|r| r.off.as_ref().map_or(f64::NAN, get)).collect();
            table.push(Column::floats(name, Unit::default(), values))?;
        }
    }
    Ok(table)
}
