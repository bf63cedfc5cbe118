//! Event lists in memory, and the counts that they make.

use std::sync::Arc;

use ndarray::ArrayD;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::maps::{Geom, Map, MapData, SkyPosition};
use crate::time::{Gti, TimeReference};

/// Events that are placed by one thread at a time.
const ROWS: usize = 1 << 14;

/// What holds for all events of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventMeta {
    /// Identifier of the observation.
    pub obs_id: String,
    /// Telescope; may be empty.
    pub telescope: String,
    /// Instrument; may be empty.
    pub instrument: String,
    /// The source that was looked at, and where it is.
    pub object: Option<(String, SkyPosition)>,
    /// Where the telescopes pointed.
    pub pointing: Option<SkyPosition>,
    /// What the times of the events count from.
    pub reference: TimeReference,
    /// Good time intervals.
    pub gti: Option<Gti>,
    /// Observation time without dead time, in seconds; `None`: that of the intervals.
    pub livetime_s: Option<f64>,
    /// Reconstructed energies that the list covers, in TeV.
    pub energy_range_tev: Option<(f64, f64)>,
    /// Number and name of each simulated component that `mc_id` refers to.
    pub components: Vec<(i64, String)>,
}

/// Columns beyond number, time, position and energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventColumns {
    /// The number of the simulated component.
    pub mc_id: bool,
    /// True energy and position.
    pub truth: bool,
    /// Position in the field of view.
    pub detector: bool,
}

/// Where simulated events came from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrueColumns {
    /// True energy in TeV.
    pub energy_tev: Vec<f64>,
    /// True right ascension in degrees.
    pub ra_deg: Vec<f64>,
    /// True declination in degrees.
    pub dec_deg: Vec<f64>,
}

/// Positions in a field of view centred on the pointing: `SkyOffsetFrame` of astropy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DetectorColumns {
    /// DETX in degrees, growing to the east.
    pub x_deg: Vec<f64>,
    /// DETY in degrees, growing to the north.
    pub y_deg: Vec<f64>,
}

/// Reconstructed events (Gammapy's `EventList`): columns of equal length, and what holds for all of them.
///
/// ```
/// use std::sync::Arc;
/// use pevatron::data::EventList;
/// use pevatron::maps::{Geom, MapAxis, SkyPosition, WcsGeom};
/// let events = EventList {
///     event_id: vec![0, 1, 2],
///     time_s: vec![0.5, 1.0, 7.0],
///     ra_deg: vec![10.0, 10.04, 50.0],
///     dec_deg: vec![20.0, 20.0, 20.0],
///     energy_tev: vec![1.5, 20.0, 2.0],
///     ..EventList::default()
/// };
/// let axis = MapAxis::energy_bounds(1.0, 100.0, 2, "energy")?;
/// let geom = WcsGeom::create(SkyPosition::icrs(10.0, 20.0), 5, 5, (0.1, 0.1), "TAN", vec![axis])?;
/// let counts = events.counts(&Arc::new(Geom::Wcs(geom)))?;
/// assert_eq!(counts.sum(), 2.0);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventList {
    /// Number of each event.
    pub event_id: Vec<i64>,
    /// Time in seconds since `meta.reference`.
    pub time_s: Vec<f64>,
    /// Right ascension in degrees, ICRS.
    pub ra_deg: Vec<f64>,
    /// Declination in degrees, ICRS.
    pub dec_deg: Vec<f64>,
    /// Energy in TeV.
    pub energy_tev: Vec<f64>,
    /// Number of the simulated component, see [`EventMeta::components`].
    pub mc_id: Option<Vec<i64>>,
    /// True energy and position of simulated events.
    pub truth: Option<TrueColumns>,
    /// Position in the field of view.
    pub detector: Option<DetectorColumns>,
    /// What holds for all events.
    pub meta: EventMeta,
}

impl EventList {
    /// Number of events.
    pub fn len(&self) -> usize {
        self.time_s.len()
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns beyond those that every list has.
    pub fn columns(&self) -> EventColumns {
        EventColumns { mc_id: self.mc_id.is_some(), truth: self.truth.is_some(), detector: self.detector.is_some() }
    }

    /// All columns are as long as each other.
    ///
    /// # Errors
    /// [`Error::Input`] that names the column that is not.
    pub fn check(&self) -> Result<()> {
        let mut lengths = vec![
            ("EVENT_ID", self.event_id.len()),
            ("RA", self.ra_deg.len()),
            ("DEC", self.dec_deg.len()),
            ("ENERGY", self.energy_tev.len()),
        ];
        if let Some(ids) = &self.mc_id {
            lengths.push(("MC_ID", ids.len()));
        }
        if let Some(t) = &self.truth {
            lengths.extend([
                ("ENERGY_TRUE", t.energy_tev.len()),
                ("RA_TRUE", t.ra_deg.len()),
                ("DEC_TRUE", t.dec_deg.len()),
            ]);
        }
        if let Some(d) = &self.detector {
            lengths.extend([("DETX", d.x_deg.len()), ("DETY", d.y_deg.len())]);
        }
        match lengths.into_iter().find(|(_, n)| *n != self.len()) {
            Some((name, n)) => {
                Err(Error::input(name, format!("the column has {n} rows where TIME has {}", self.len())))
            }
            None => Ok(()),
        }
    }

    /// The events of some rows, in the order of `rows`; rows beyond the list are left out.
    pub fn select(&self, rows: &[usize]) -> Self {
        let floats = |v: &[f64]| rows.iter().filter_map(|r| v.get(*r).copied()).collect::<Vec<f64>>();
        let ints = |v: &[i64]| rows.iter().filter_map(|r| v.get(*r).copied()).collect::<Vec<i64>>();
        Self {
            event_id: ints(&self.event_id),
            time_s: floats(&self.time_s),
            ra_deg: floats(&self.ra_deg),
            dec_deg: floats(&self.dec_deg),
            energy_tev: floats(&self.energy_tev),
            mc_id: self.mc_id.as_deref().map(ints),
            truth: self.truth.as_ref().map(|t| TrueColumns {
                energy_tev: floats(&t.energy_tev),
                ra_deg: floats(&t.ra_deg),
                dec_deg: floats(&t.dec_deg),
            }),
            detector: self
                .detector
                .as_ref()
                .map(|d| DetectorColumns { x_deg: floats(&d.x_deg), y_deg: floats(&d.y_deg) }),
            meta: self.meta.clone(),
        }
    }

    /// The events of one simulated component; none where the list does not say.
    pub fn of_component(&self, mc_id: i64) -> Self {
        let ids = self.mc_id.as_deref().unwrap_or_default();
        let rows: Vec<usize> = (0..ids.len()).filter(|row| ids[*row] == mc_id).collect();
        self.select(&rows)
    }

    /// The events of another list after these. Columns that one of the lists lacks are dropped; what holds for all
    /// events is that of `self`.
    pub fn append(&mut self, other: &Self) {
        self.event_id.extend_from_slice(&other.event_id);
        self.time_s.extend_from_slice(&other.time_s);
        self.ra_deg.extend_from_slice(&other.ra_deg);
        self.dec_deg.extend_from_slice(&other.dec_deg);
        self.energy_tev.extend_from_slice(&other.energy_tev);
        match (&mut self.mc_id, &other.mc_id) {
            (Some(a), Some(b)) => a.extend_from_slice(b),
            (own, _) => *own = None,
        }
        match (&mut self.truth, &other.truth) {
            (Some(a), Some(b)) => {
                a.energy_tev.extend_from_slice(&b.energy_tev);
                a.ra_deg.extend_from_slice(&b.ra_deg);
                a.dec_deg.extend_from_slice(&b.dec_deg);
            }
            (own, _) => *own = None,
        }
        match (&mut self.detector, &other.detector) {
            (Some(a), Some(b)) => {
                a.x_deg.extend_from_slice(&b.x_deg);
                a.y_deg.extend_from_slice(&b.y_deg);
            }
            (own, _) => *own = None,
        }
    }

    /// The number of events in each bin of a geometry with an axis `energy`, one of `energy_true`, or none, in single
    /// precision (Gammapy's `Map.fill_events`). Events outside of it are not counted.
    ///
    /// # Errors
    /// [`Error::Input`] for a region, for another axis, for an axis that is not an energy, or columns of unlike
    /// lengths.
    pub fn counts(&self, geom: &Arc<Geom>) -> Result<Map> {
        self.check()?;
        let image = geom.as_wcs()?;
        let axis = match geom.axes() {
            [] => None,
            [axis] => {
                let values = match (axis.name(), &self.truth) {
                    ("energy", _) => &self.energy_tev,
                    ("energy_true", Some(truth)) => &truth.energy_tev,
                    (name, _) => {
                        return Err(Error::input(name, "the events have no such column, counts cannot have the axis"));
                    }
                };
                Some((values, axis.bounds(), axis.in_unit(&[1.0], "TeV")?[0]))
            }
            axes => {
                return Err(Error::input("geometry", format!("{} axes where one at most can be filled", axes.len())));
            }
        };
        let (ny, nx) = (image.ny(), image.nx());
        let bin_of = |row: usize| -> Option<usize> {
            let plane = match &axis {
                Some((values, bounds, factor)) => {
                    // Edges are compared with, so that no rounding of a logarithm moves an event.
                    let value = values[row] / factor;
                    let above = bounds.partition_point(|(start, _)| *start <= value);
                    above.checked_sub(1).filter(|bin| value < bounds[*bin].1)?
                }
                None => 0,
            };
            let (y, x) = image.pixel_of(SkyPosition::icrs(self.ra_deg[row], self.dec_deg[row]))?;
            Some((plane * ny + y) * nx + x)
        };
        let rows: Vec<usize> = (0..self.len()).collect();
        let bins: Vec<Vec<usize>> =
            rows.par_chunks(ROWS).map(|rows| rows.iter().filter_map(|row| bin_of(*row)).collect()).collect();
        // Whole numbers: single precision would stop counting at 2^24.
        let mut counts = vec![0u32; geom.data_shape().iter().product()];
        for bin in bins.into_iter().flatten() {
            counts[bin] += 1;
        }
        let values = counts.into_iter().map(|n| n as f32).collect();
        let data = ArrayD::from_shape_vec(geom.data_shape(), values)
            .map_err(|e| Error::input("counts", format!("shape: {e}")))?;
        Map::new(Arc::clone(geom), Default::default(), MapData::F32(data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::{AxisInterp, MapAxis, RegionGeom, WcsGeom};

    fn events() -> EventList {
        EventList {
            event_id: vec![0, 1, 2, 3],
            time_s: vec![0.0, 1.0, 2.0, 3.0],
            ra_deg: vec![10.0; 4],
            dec_deg: vec![20.0; 4],
            energy_tev: vec![1.0, 10.0, 100.0, 0.999],
            mc_id: Some(vec![0, 1, 1, 0]),
            ..EventList::default()
        }
    }

    #[test]
    fn bins_have_their_lower_edges() {
        let edges = vec![1.0, 10.0, 100.0];
        let axis = MapAxis::from_edges("energy", "TeV".parse().unwrap(), edges, AxisInterp::Log).unwrap();
        let geom = WcsGeom::create(SkyPosition::icrs(10.0, 20.0), 3, 1, (1.0, 1.0), "CAR", vec![axis]).unwrap();
        let counts = events().counts(&Arc::new(Geom::Wcs(geom))).unwrap();
        assert_eq!(counts.data().iter().collect::<Vec<_>>(), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_filled_is_an_error() {
        let axis = |name: &str| MapAxis::energy_bounds(1.0, 100.0, 2, name).unwrap();
        let geom = |axes| {
            Arc::new(Geom::Wcs(WcsGeom::create(SkyPosition::icrs(10.0, 20.0), 3, 1, (1.0, 1.0), "CAR", axes).unwrap()))
        };
        assert!(events().counts(&geom(vec![axis("energy_true")])).unwrap_err().to_string().contains("energy_true"));
        assert!(events().counts(&geom(vec![axis("energy"), axis("energy_true")])).is_err());
        assert_eq!(events().counts(&geom(Vec::new())).unwrap().sum(), 4.0);
        let region = Arc::new(Geom::Region(RegionGeom::new(None, None, Vec::new())));
        assert!(events().counts(&region).is_err());
        let mut short = events();
        short.energy_tev.pop();
        assert!(short.counts(&geom(Vec::new())).unwrap_err().to_string().contains("ENERGY"));
    }

    #[test]
    fn components_are_taken_apart_and_put_together() {
        let all = events();
        let (mut a, b) = (all.of_component(0), all.of_component(1));
        assert_eq!((a.len(), b.event_id.as_slice()), (2, &[1, 2][..]));
        a.append(&b);
        assert_eq!(a.mc_id.as_deref(), Some(&[0, 0, 1, 1][..]));
        a.check().unwrap();
    }
}
