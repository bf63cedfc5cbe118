//! Flux points of several sources, regions or times.

use super::points::FluxPoints;
use super::quantity::SedType;
use super::select::mjd_bounds;
use crate::error::{Error, Result};
use crate::flux::FluxMaps;
use crate::maps::{MapAxis, SkyPosition};
use crate::table::{Column, Table, Values};
use crate::time::TimeReference;
use crate::units::Unit;

/// What an entry of a collection belongs to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FluxPointsKey {
    /// Name of the source.
    pub source: Option<String>,
    /// Where it is.
    pub position: Option<SkyPosition>,
    /// Start and stop as modified Julian dates.
    pub time_mjd: Option<(f64, f64)>,
}

impl FluxPointsKey {
    /// Of a source.
    pub fn source(name: impl Into<String>) -> Self {
        Self { source: Some(name.into()), ..Self::default() }
    }

    /// The same, at a position.
    pub fn at(self, position: SkyPosition) -> Self {
        Self { position: Some(position), ..self }
    }

    /// The same, for a span of time in modified Julian dates.
    pub fn during(self, mjd_min: f64, mjd_max: f64) -> Self {
        Self { time_mjd: Some((mjd_min, mjd_max)), ..self }
    }
}

/// Flux points by source, region or time, in the order in which they were added.
///
/// ```
/// use pevatron::flux::{FluxPoints, FluxPointsCollection, FluxPointsKey, SedType};
/// # use pevatron::table::{Column, Table};
/// # let mut table = Table::new();
/// # table.push(Column::floats("e_ref", "TeV".parse()?, vec![1.0, 10.0]))?;
/// # table.push(Column::floats("dnde", "TeV-1 s-1 cm-2".parse()?, vec![2e-12, 1e-14]))?;
/// # let points = FluxPoints::from_table(&table, &Default::default())?.0;
/// let mut collection = FluxPointsCollection::new();
/// collection.push(FluxPointsKey::source("Crab"), points.clone());
/// collection.push(FluxPointsKey::source("Vela"), points);
/// assert_eq!(collection.select_source("Vela").len(), 1);
/// let table = collection.to_table(SedType::Dnde)?;
/// assert_eq!(table.texts("source")?, ["Crab", "Crab", "Vela", "Vela"]);
/// assert_eq!(FluxPointsCollection::from_table(&table, &Default::default())?.0.len(), 2);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct FluxPointsCollection {
    entries: Vec<(FluxPointsKey, FluxPoints)>,
}

/// Key columns of the flat table.
const KEYS: [&str; 5] = ["source", "lon", "lat", "time_start", "time_stop"];

impl FluxPointsCollection {
    /// Without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry at the end.
    pub fn push(&mut self, key: FluxPointsKey, points: FluxPoints) {
        self.entries.push((key, points));
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&FluxPointsKey, &FluxPoints)> {
        self.entries.iter().map(|(k, p)| (k, p))
    }

    fn filtered(&self, keep: impl Fn(&FluxPointsKey) -> bool) -> Self {
        Self { entries: self.entries.iter().filter(|(k, _)| keep(k)).cloned().collect() }
    }

    /// The entries of a source.
    pub fn select_source(&self, name: &str) -> Self {
        self.filtered(|k| k.source.as_deref() == Some(name))
    }

    /// The entries within `radius_deg` of a position.
    pub fn select_region(&self, center: SkyPosition, radius_deg: f64) -> Self {
        self.filtered(|k| k.position.is_some_and(|p| p.separation_deg(center) <= radius_deg))
    }

    /// The entries whose time lies between two modified Julian dates as a whole.
    pub fn select_time(&self, mjd_min: f64, mjd_max: f64) -> Self {
        self.filtered(|k| k.time_mjd.is_some_and(|(a, b)| a >= mjd_min && b <= mjd_max))
    }

    /// The entry whose time holds a modified Julian date: the spectrum at that time.
    pub fn flux_points_at_time(&self, mjd: f64) -> Option<&FluxPoints> {
        let holds = |k: &FluxPointsKey| k.time_mjd.is_some_and(|(a, b)| a <= mjd && mjd < b);
        self.entries.iter().find(|(k, _)| holds(k)).map(|(_, p)| p)
    }

    /// Sorted by source, then time, then as added.
    pub fn sorted(&self) -> Self {
        let mut entries = self.entries.clone();
        let start = |k: &FluxPointsKey| k.time_mjd.map_or(f64::NEG_INFINITY, |t| t.0);
        entries.sort_by(|(a, _), (b, _)| a.source.cmp(&b.source).then(start(a).total_cmp(&start(b))));
        Self { entries }
    }

    /// The entries as one light curve, in the order of time.
    ///
    /// # Errors
    /// Where an entry has no time, times overlap, or energies differ.
    pub fn light_curve(&self) -> Result<FluxPoints> {
        let mut entries: Vec<&(FluxPointsKey, FluxPoints)> = self.entries.iter().collect();
        let mut bins = Vec::with_capacity(entries.len());
        for (n, (key, _)) in entries.iter().enumerate() {
            bins.push(key.time_mjd.ok_or_else(|| Error::input("time", format!("entry {n} has no time")))?);
        }
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|a, b| bins[*a].0.total_cmp(&bins[*b].0));
        entries = order.iter().map(|i| entries[*i]).collect();
        let bins: Vec<(f64, f64)> = order.iter().map(|i| bins[*i]).collect();
        let timesys = entries.iter().find_map(|(_, p)| p.gti.as_ref()).map_or("utc", |g| g.reference.timesys.as_str());
        let axis = MapAxis::time(&bins, "d".parse()?, TimeReference::mjd_zero(timesys))?;
        let maps: Vec<FluxMaps> = entries.iter().map(|(_, p)| FluxMaps::from((*p).clone())).collect();
        FluxPoints::new(FluxMaps::from_stack(&maps, axis)?)
    }

    /// The light curve of the energy bin that holds an energy.
    ///
    /// # Errors
    /// As [`FluxPointsCollection::light_curve`], and where no bin holds the energy.
    pub fn lightcurve_at_energy(&self, energy_tev: f64) -> Result<FluxPoints> {
        let curve = self.light_curve()?;
        let axis = curve.energy_axis()?;
        let bin = axis
            .coord_to_idx(energy_tev / axis.unit().factor_to_text("TeV")?)
            .ok_or_else(|| Error::options("energy", format!("no energy bin holds {energy_tev} TeV")))?;
        FluxPoints::new(curve.slice_energy_bins(bin..bin + 1)?)
    }

    /// From the time bins of a light curve: one entry per bin.
    ///
    /// # Errors
    /// Where there is no time axis.
    pub fn from_light_curve(curve: &FluxPoints, source: Option<&str>) -> Result<Self> {
        let bounds = mjd_bounds(curve.geom().axis("time")?)?;
        let parts: Vec<FluxMaps> = curve.iter_by_axis("time")?.collect::<Result<_>>()?;
        let mut collection = Self::new();
        for (part, (min, max)) in parts.into_iter().zip(bounds) {
            let key = FluxPointsKey { source: source.map(str::to_string), position: curve.position(), time_mjd: None };
            collection.push(key.during(min, max), FluxPoints::new(part)?);
        }
        Ok(collection)
    }

    /// All entries as one flat table: one row per entry and energy, with columns for what the entry belongs to (`source`,
    /// `lon` and `lat` in degrees with the frame in the keyword FRAME, `time_start` and `time_stop` in days).
    ///
    /// # Errors
    /// Where a conversion is impossible, positions have different frames, or entries have more axes than energy.
    pub fn to_table(&self, sed: SedType) -> Result<Table> {
        let mut tables = Vec::with_capacity(self.len());
        for (_, points) in self.iter() {
            tables.push(points.to_table(sed, None)?);
        }
        let Some(first) = tables.first() else {
            return Err(Error::input("collection", "there are no flux points in it"));
        };
        if let Some((n, _)) = self.iter().enumerate().find(|(_, (_, p))| p.geom().axes().len() != 1) {
            return Err(Error::input("collection", format!("entry {n} has more axes than energy")));
        }
        let frame = self.entries.iter().find_map(|(k, _)| k.position).map(|p| p.frame);
        let repeated = |of: &dyn Fn(&FluxPointsKey) -> f64| -> Vec<f64> {
            self.iter().zip(&tables).flat_map(|((k, _), t)| vec![of(k); t.rows()]).collect()
        };
        let mut out = Table::new();
        let names = self.iter().zip(&tables);
        let sources = names.flat_map(|((k, _), t)| vec![k.source.clone().unwrap_or_default(); t.rows()]).collect();
        out.push(Column::texts("source", sources))?;
        if let Some(frame) = frame {
            let position = |k: &FluxPointsKey| k.position.map(|p| p.to_frame(frame));
            let deg: Unit = "deg".parse()?;
            out.push(Column::floats("lon", deg.clone(), repeated(&|k| position(k).map_or(f64::NAN, |p| p.lon_deg))))?;
            out.push(Column::floats("lat", deg, repeated(&|k| position(k).map_or(f64::NAN, |p| p.lat_deg))))?;
            out.set_meta("FRAME", frame.name());
        }
        if self.entries.iter().any(|(k, _)| k.time_mjd.is_some()) {
            let day: Unit = "d".parse()?;
            out.push(Column::floats("time_start", day.clone(), repeated(&|k| k.time_mjd.map_or(f64::NAN, |t| t.0))))?;
            out.push(Column::floats("time_stop", day, repeated(&|k| k.time_mjd.map_or(f64::NAN, |t| t.1))))?;
        }
        for column in first.columns() {
            let name = column.name();
            // Columns that not all entries have are filled up; those of unlike shape are left out.
            let like = |t: &Table| t.get(name).is_none_or(|c| c.shape() == column.shape());
            if !tables.iter().all(like) {
                continue;
            }
            if let Values::Text(_) = column.values() {
                let of = |t: &Table| t.texts(name).map_or_else(|_| vec![String::new(); t.rows()], <[String]>::to_vec);
                out.push(Column::texts(name, tables.iter().flat_map(of).collect()))?;
                continue;
            }
            let unit = column.unit().to_string();
            let mut values = Vec::new();
            let mut truths = true;
            for table in &tables {
                match table.get(name) {
                    Some(part) => {
                        truths &= matches!(part.values(), Values::Bool(_));
                        values.extend(part.to_floats(&unit)?);
                    }
                    None => {
                        truths = false;
                        values.extend(vec![f64::NAN; table.rows() * column.per_row()]);
                    }
                }
            }
            let values = match truths {
                true => Values::Bool(values.iter().map(|v| *v != 0.0).collect()),
                false => Values::Float(values),
            };
            let whole = Column::new(name, column.unit().clone(), values);
            let shape = column.shape().to_vec();
            out.push(if shape.is_empty() { whole } else { whole.with_shape(shape)? })?;
        }
        for (key, value) in first.meta() {
            out.set_meta(key, value.clone());
        }
        Ok(out)
    }

    /// From a flat table as [`FluxPointsCollection::to_table`] makes it, or one of another tool with the same columns:
    /// rows of the same source, position and time are the points of one entry. Also says what its reader should know.
    ///
    /// # Errors
    /// As [`FluxPoints::from_table`], with the entry.
    pub fn from_table(table: &Table, options: &super::table::FromTable) -> Result<(Self, Vec<String>)> {
        let named = options.named(table)?;
        let table = named.as_ref();
        let texts =
            if table.has("source") { table.texts("source")?.to_vec() } else { vec![String::new(); table.rows()] };
        let optional = |name: &str, unit: &str| -> Result<Option<Vec<f64>>> {
            if table.has(name) { table.floats(name, unit).map(Some) } else { Ok(None) }
        };
        let (lon, lat) = (optional("lon", "deg")?, optional("lat", "deg")?);
        let (start, stop) = (optional("time_start", "d")?, optional("time_stop", "d")?);
        let frame = match table.meta_value("FRAME").and_then(crate::table::MetaValue::as_text) {
            Some(text) => text.parse()?,
            None => crate::maps::Frame::Icrs,
        };
        let key = |row: usize| -> FluxPointsKey {
            let at = |v: &Option<Vec<f64>>| v.as_ref().map(|v| v[row]).filter(|v| v.is_finite());
            FluxPointsKey {
                source: Some(texts[row].clone()).filter(|t| !t.is_empty()),
                position: at(&lon).zip(at(&lat)).map(|(lon_deg, lat_deg)| SkyPosition { lon_deg, lat_deg, frame }),
                time_mjd: at(&start).zip(at(&stop)),
            }
        };
        let mut groups: Vec<(FluxPointsKey, Vec<usize>)> = Vec::new();
        for row in 0..table.rows() {
            let key = key(row);
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((key, vec![row])),
            }
        }
        let mut collection = Self::new();
        let mut warnings: Vec<String> = Vec::new();
        for (key, rows) in groups {
            let mut part = table.select(&rows);
            for name in KEYS {
                part.remove(name);
            }
            let columns = Vec::new();
            let options = super::table::FromTable { position: key.position, columns, ..options.clone() };
            let name = key.source.clone().unwrap_or_else(|| format!("row {}", rows[0]));
            let (points, said) =
                FluxPoints::from_table(&part, &options).map_err(|e| Error::input(name, e.to_string()))?;
            warnings.extend(said.into_iter().filter(|w| !warnings.contains(w)).collect::<Vec<_>>());
            collection.push(key, points);
        }
        Ok((collection, warnings))
    }
}
