//! Parts of flux maps: some bins of an axis, one position.

use std::ops::Range;
use std::sync::Arc;

use ndarray::Array3;

use super::maps::FluxMaps;
use super::points::FluxPoints;
use crate::error::{Error, Result};
use crate::maps::{AxisSlice, Geom, Map, MapAxis, NodeType, RegionGeom, SkyPosition};
use crate::time::{Gti, convert_mjd};
use crate::units::Quantity;

/// Coordinates on an axis: one value, whose bin is taken, or a range, open or closed.
#[derive(Debug, Clone, PartialEq)]
pub enum CoordSlice {
    /// The bin that holds this value; the axis is kept.
    Value(Quantity),
    /// The bins between these values: on axes of touching bins those whose centre is, on time axes those that lie
    /// between them as a whole.
    Range {
        /// Lower end, `None`: from the first bin.
        min: Option<Quantity>,
        /// Upper end, `None`: to the last bin.
        max: Option<Quantity>,
    },
}

impl CoordSlice {
    /// From one value to another.
    pub fn range(min: Quantity, max: Quantity) -> Self {
        Self::Range { min: Some(min), max: Some(max) }
    }
}

impl FluxMaps {
    /// Bins of some axes, in all maps; axes that are not named stay as they are. A single bin takes its axis away, which
    /// the energy axis does not allow since fluxes need it. Gammapy: `slice_by_idx`.
    ///
    /// # Errors
    /// Where there is no such axis, or the bins are none or beyond it.
    pub fn slice_by_idx(&self, slices: &[(&str, AxisSlice)]) -> Result<Self> {
        let mut geom = self.geom().as_ref().clone();
        for (name, slice) in slices {
            let axis = self.geom().axis(name)?;
            let mut axes = geom.axes().to_vec();
            let position = axes.iter().position(|a| a.name() == *name).unwrap_or_default();
            match slice {
                AxisSlice::Index(_) if *name == "energy" => {
                    return Err(Error::options("energy", "one bin would take the energy axis away, which fluxes need")
                        .with_help("take a range of one bin, such as 0..1"));
                }
                AxisSlice::Index(index) => {
                    axis.slice(*index..*index + 1)?;
                    axes.remove(position);
                }
                AxisSlice::Range(bins) => axes[position] = axis.slice(bins.clone())?,
            }
            geom = geom.with_axes(axes);
        }
        let mut sliced = self.rebuilt(geom, |map| map.slice_by_idx(slices))?;
        // The times of what was left out are not good times of what is left.
        if let (Some(gti), Some((_, slice))) = (&self.gti, slices.iter().find(|(name, _)| *name == "time")) {
            let axis = self.geom().axis("time")?;
            let bins = match slice {
                AxisSlice::Index(index) => *index..*index + 1,
                AxisSlice::Range(bins) => bins.clone(),
            };
            if let Some(limits) = mjd_bounds(axis)?.get(bins) {
                let own = axis.time_reference().map_or(gti.reference.timesys.as_str(), |r| r.timesys.as_str());
                let mjd = |value: f64| convert_mjd(value, own, &gti.reference.timesys);
                let mut parts = Vec::with_capacity(limits.len());
                for (min, max) in limits {
                    parts.push(gti.select_time(mjd(*min)?, mjd(*max)?));
                }
                sliced.gti = Gti::union_of(&parts)?;
            }
        }
        Ok(sliced)
    }

    /// The energy bins of a range, in all maps.
    ///
    /// # Errors
    /// Where the range is empty or beyond the axis.
    pub fn slice_energy_bins(&self, bins: Range<usize>) -> Result<Self> {
        self.energy_axis()?;
        self.slice_by_idx(&[("energy", bins.into())])
    }

    /// Bins of some axes by their coordinates, in all maps. Times count from the reference of the axis, as in Gammapy
    /// (see [`FluxMaps::slice_by_time`] for dates). Gammapy: `slice_by_coord`.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use pevatron::flux::{CoordSlice, FluxMaps, FluxQuantity};
    /// # use pevatron::maps::{Geom, Map, MapAxis, RegionGeom};
    /// let axis = MapAxis::energy_bounds(1.0, 1000.0, 3, "energy")?;
    /// let geom = Arc::new(Geom::Region(RegionGeom::new(None, None, vec![axis])));
    /// let mut flux = FluxMaps::new(geom.clone(), FluxMaps::default_reference_model());
    /// flux.insert(FluxQuantity::Norm, Map::zeros(geom, "".parse()?))?;
    /// let from = CoordSlice::Range { min: Some("2 TeV".parse()?), max: None };
    /// assert_eq!(flux.slice_by_coord(&[("energy", from)])?.energy_axis()?.nbin(), 3);
    /// let one = CoordSlice::Value("20 TeV".parse()?);
    /// assert!((flux.slice_by_coord(&[("energy", one)])?.energy_min_tev()?[0] - 10.0).abs() < 1e-12);
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such axis, a unit is not that of the axis, or there are no bins between the values.
    pub fn slice_by_coord(&self, slices: &[(&str, CoordSlice)]) -> Result<Self> {
        let mut by_index: Vec<(&str, AxisSlice)> = Vec::with_capacity(slices.len());
        for (name, slice) in slices {
            let axis = self.geom().axis(name)?;
            let unit = axis.unit().to_string();
            let convert = |q: &Quantity| {
                q.to(&unit).map_err(|_| Error::options(*name, format!("'{}' where the axis is in '{unit}'", q.unit)))
            };
            let bins = match slice {
                CoordSlice::Value(value) => {
                    let value = convert(value)?;
                    axis.coord_to_idx(value).map(|bin| bin..bin + 1).ok_or_else(|| outside(axis, value, value))?
                }
                CoordSlice::Range { min, max } => {
                    let min = min.as_ref().map(convert).transpose()?.unwrap_or(f64::NEG_INFINITY);
                    let max = max.as_ref().map(convert).transpose()?.unwrap_or(f64::INFINITY);
                    bins_between(axis, min, max)?
                }
            };
            by_index.push((name, bins.into()));
        }
        self.slice_by_idx(&by_index)
    }

    /// The energy bins whose reference energy lies between `min_tev` and `max_tev`, in all maps.
    ///
    /// # Errors
    /// Where there is none, with the energies that there are.
    pub fn slice_by_energy(&self, min_tev: f64, max_tev: f64) -> Result<Self> {
        let axis = self.energy_axis()?;
        let factor = axis.unit().factor_to_text("TeV")?;
        let bins = bins_between(axis, min_tev / factor, max_tev / factor)?;
        self.slice_energy_bins(bins)
    }

    /// The time bins that lie between two modified Julian dates (in the time scale of the axis), in all maps.
    ///
    /// # Errors
    /// Where there is no time axis, or no bin between them.
    pub fn slice_by_time(&self, mjd_min: f64, mjd_max: f64) -> Result<Self> {
        let axis = self.geom().axis("time")?;
        let bounds = mjd_bounds(axis)?;
        let inside = |b: &(f64, f64)| b.0 >= mjd_min && b.1 <= mjd_max;
        match (bounds.iter().position(inside), bounds.iter().rposition(inside)) {
            (Some(first), Some(last)) => self.slice_by_idx(&[("time", (first..last + 1).into())]),
            _ => Err(Error::options(
                "time",
                format!(
                    "no bin lies between MJD {mjd_min} and {mjd_max}, they are from {} to {}",
                    bounds[0].0,
                    bounds[bounds.len() - 1].1
                ),
            )),
        }
    }

    /// One after the other the parts of one bin of an axis, without it; of the energy axis with it.
    ///
    /// # Errors
    /// Where there is no such axis.
    pub fn iter_by_axis<'a>(&'a self, name: &'a str) -> Result<impl Iterator<Item = Result<Self>> + 'a> {
        let bins = self.geom().axis(name)?.nbin();
        Ok((0..bins).map(move |bin| {
            let slice = if name == "energy" { (bin..bin + 1).into() } else { bin.into() };
            self.slice_by_idx(&[(name, slice)])
        }))
    }

    /// Flux points of the pixel that holds a position; the map's centre without one. Undefined values stay undefined. Between
    /// two pixels, as the centre of a map with even sides is, the lower one is taken, as Gammapy does.
    ///
    /// # Errors
    /// Where the position is outside the map.
    pub fn get_flux_points(&self, position: Option<SkyPosition>) -> Result<FluxPoints> {
        let position = match (position, self.geom().as_ref()) {
            (Some(position), _) => position,
            (None, Geom::Wcs(geom)) => geom.center()?,
            (None, Geom::Region(_)) => return FluxPoints::new(self.clone()),
        };
        FluxPoints::new(self.at_position(position)?)
    }

    /// The values of the pixel that holds a position, as maps of a point region.
    ///
    /// # Errors
    /// Where the position is outside the map.
    pub fn at_position(&self, position: SkyPosition) -> Result<Self> {
        let pixel = match self.geom().as_ref() {
            Geom::Wcs(geom) => {
                let place = geom.pixel_of(position).zip(geom.sky_to_pix(position)).ok_or_else(|| {
                    let frame = position.frame.name();
                    let at = format!("({}, {}) deg ({frame})", position.lon_deg, position.lat_deg);
                    Error::options("position", format!("{at} is outside the map"))
                })?;
                let (pixel, (x, y)) = place;
                (lower_of(pixel.0, y), lower_of(pixel.1, x))
            }
            Geom::Region(_) => (0, 0),
        };
        let point = |geom: &Geom| Geom::Region(RegionGeom::new(Some(position), None, geom.axes().to_vec()));
        self.rebuilt(point(self.geom()), |map| {
            let cube = map.cube();
            let values = Array3::from_shape_fn((map.planes(), 1, 1), |(p, ..)| cube.at(p, pixel.0, pixel.1));
            Map::from_cube(Arc::new(point(map.geom())), map.unit().clone(), values)
        })
    }

    /// The same with another geometry and maps made from the old ones.
    fn rebuilt(&self, geom: Geom, make: impl Fn(&Map) -> Result<Map>) -> Result<Self> {
        let mut new = Self::new(Arc::new(geom), self.reference_model().clone());
        new.gti = self.gti.clone();
        new.meta = self.meta.clone();
        new.set_filter_success_nan(self.filter_success_nan());
        for quantity in self.available_quantities() {
            new.insert(quantity, make(self.require(quantity)?)?)?;
        }
        Ok(new)
    }
}

/// The pixel before the one found, where the coordinate lies on the border between the two but for rounding.
fn lower_of(pixel: usize, coordinate: f64) -> usize {
    const ROUNDING: f64 = 1e-6;
    if coordinate - (pixel as f64 - 0.5) < ROUNDING { pixel.saturating_sub(1) } else { pixel }
}

/// The bins between two coordinates in the axis' unit, see [`CoordSlice::Range`].
fn bins_between(axis: &MapAxis, min: f64, max: f64) -> Result<Range<usize>> {
    let inside: Vec<bool> = match axis.node_type() {
        NodeType::Intervals => axis.bounds().iter().map(|(a, b)| *a >= min && *b <= max).collect(),
        _ => axis.center().iter().map(|c| *c >= min && *c <= max).collect(),
    };
    match (inside.iter().position(|i| *i), inside.iter().rposition(|i| *i)) {
        (Some(first), Some(last)) => Ok(first..last + 1),
        _ => Err(outside(axis, min, max)),
    }
}

fn outside(axis: &MapAxis, min: f64, max: f64) -> Error {
    let (unit, bounds) = (axis.unit(), axis.bounds());
    let what = if min == max { format!("holds {min} {unit}") } else { format!("lies between {min} and {max} {unit}") };
    let (first, last) = (bounds[0].0, bounds[bounds.len() - 1].1);
    let there = match axis.node_type() {
        // Whole bins are looked for, else centres.
        NodeType::Intervals => format!("the {} bins are from {first} to {last} {unit}", bounds.len()),
        _ => format!("the bins from {first} to {last} {unit} are centred on {:?}", axis.center()),
    };
    Error::options(axis.name(), format!("no bin {what}, {there}"))
}

/// Start and stop of the bins of a time axis as modified Julian dates.
pub(super) fn mjd_bounds(axis: &MapAxis) -> Result<Vec<(f64, f64)>> {
    let factor = axis.unit().factor_to_text("d")?;
    let reference = axis
        .time_reference()
        .ok_or_else(|| Error::input(axis.name(), "the axis has no reference that its times count from"))?;
    // Whole days and fraction are added apart: a reference of 0 keeps the digits.
    let mjd = |v: f64| reference.mjdrefi as f64 + (reference.mjdreff + v * factor);
    Ok(axis.bounds().iter().map(|(a, b)| (mjd(*a), mjd(*b))).collect())
}
