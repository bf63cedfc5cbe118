//! Datasets whose background is measured in an off region.

use std::sync::Arc;

use ndarray::{Array3, Zip};

use super::map::MapDataset;
use crate::compute::Backend;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::counts_statistic::wstat_mu_bkg;
use crate::maps::{Geom, Map, MapAxis, Mask, WcsGeom};

/// On and off counts with their acceptances, and reduced IRFs, on one sky geometry (Gammapy's `MapDatasetOnOff`).
///
/// What both kinds of datasets have (name, counts, exposure, responses, masks, time intervals, models) is a [`MapDataset`]
/// without a background, [`MapDatasetOnOff::on`]; the background comes from the off counts. All maps in reconstructed
/// energy are `[energy, y, x]`. The statistic is the W statistic.
///
/// ```
/// use pevatron::datasets::{MapDataset, MapDatasetOnOff};
/// use pevatron::maps::{Frame, Geom, Map, MapAxis, SkyPosition, WcsGeom};
/// let center = SkyPosition { lon_deg: 83.6, lat_deg: 22.0, frame: Frame::Icrs };
/// let axis = MapAxis::energy_bounds(1.0, 10.0, 1, "energy")?;
/// let geom = std::sync::Arc::new(Geom::Wcs(WcsGeom::create(center, 4, 3, (0.1, 0.1), "TAN", vec![axis])?));
/// let map = |value: f64| {
///     Map::from_cube(geom.clone(), Default::default(), ndarray::Array3::from_elem((1, 3, 4), value))
/// };
/// let dataset = MapDatasetOnOff {
///     on: MapDataset { counts: Some(map(7.0)?), ..MapDataset::default() },
///     counts_off: Some(map(20.0)?),
///     acceptance: Some(map(1.0)?),
///     acceptance_off: Some(map(4.0)?),
/// };
/// assert_eq!(dataset.background()?.sum(), 12.0 * 5.0);
/// assert_eq!(dataset.excess()?.sum(), 12.0 * 2.0);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MapDatasetOnOff {
    /// The on region: counts and everything that predicts them but the background, which is `None`.
    pub on: MapDataset,
    /// Counts of the off region.
    pub counts_off: Option<Map>,
    /// Relative acceptance of background events in the on region.
    pub acceptance: Option<Map>,
    /// Relative acceptance of background events in the off region.
    pub acceptance_off: Option<Map>,
}

impl MapDatasetOnOff {
    /// A dataset with off counts from one without; its own background, if any, is dropped.
    pub fn from_map_dataset(dataset: MapDataset, counts_off: Map, acceptance: Map, acceptance_off: Map) -> Self {
        Self {
            on: MapDataset { background: None, ..dataset },
            counts_off: Some(counts_off),
            acceptance: Some(acceptance),
            acceptance_off: Some(acceptance_off),
        }
    }

    /// The same with [`MapDatasetOnOff::background`] taken as a known background (Gammapy's `to_map_dataset`): what can
    /// be fitted with the Cash statistic.
    ///
    /// # Errors
    /// Those of [`MapDatasetOnOff::background`].
    pub fn to_map_dataset(&self) -> Result<MapDataset> {
        Ok(MapDataset { background: Some(self.background()?), ..self.on.clone() })
    }

    /// Name; models refer to it.
    pub fn name(&self) -> &str {
        &self.on.name
    }

    /// The geometry of the counts, or that of the first other map in reconstructed energy that there is.
    ///
    /// # Errors
    /// [`Error::Input`] without any of them.
    pub fn geom(&self) -> Result<&Arc<Geom>> {
        let maps = [&self.on.counts, &self.counts_off, &self.acceptance, &self.acceptance_off];
        Ok(maps.into_iter().flatten().next().ok_or_else(|| self.on.missing("counts"))?.geom())
    }

    /// The same for a map with pixels.
    ///
    /// # Errors
    /// [`Error::Input`] without any of the maps, or for a region.
    pub fn wcs_geom(&self) -> Result<&WcsGeom> {
        self.geom()?.as_wcs()
    }

    /// The reconstructed-energy axis.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none.
    pub fn energy_axis(&self) -> Result<&MapAxis> {
        self.geom()?.axis("energy")
    }

    /// mask_safe and mask_fit together; `None`: all bins count.
    ///
    /// # Errors
    /// [`Error::Input`] where their shapes differ.
    pub fn mask(&self) -> Result<Option<Mask>> {
        self.on.mask()
    }

    /// Off counts, or the error that there are none.
    ///
    /// # Errors
    /// [`Error::Input`] without off counts.
    pub fn require_counts_off(&self) -> Result<&Map> {
        self.counts_off.as_ref().ok_or_else(|| self.on.missing("counts_off"))
    }

    /// Acceptances of the on and the off region, or the error that there are none.
    ///
    /// # Errors
    /// [`Error::Input`] without one of them.
    pub fn require_acceptances(&self) -> Result<(&Map, &Map)> {
        let on = self.acceptance.as_ref().ok_or_else(|| self.on.missing("acceptance"))?;
        let off = self.acceptance_off.as_ref().ok_or_else(|| self.on.missing("acceptance_off"))?;
        Ok((on, off))
    }

    /// Acceptance of the on region over that of the off region, `[energy, y, x]`; 0 where it is not defined.
    ///
    /// # Errors
    /// [`Error::Input`] where an acceptance is missing or their shapes differ.
    pub fn alpha(&self) -> Result<Map> {
        let (on, off) = self.require_acceptances()?;
        combine(on, off, |on, off| {
            let alpha = on / off;
            if alpha.is_finite() { alpha } else { 0.0 }
        })
    }

    /// Background counts in the on region, alpha times the off counts, `[energy, y, x]`.
    ///
    /// # Errors
    /// [`Error::Input`] where off counts or an acceptance are missing or shapes differ.
    pub fn background(&self) -> Result<Map> {
        combine(&self.alpha()?, self.require_counts_off()?, |alpha, off| alpha * off)
    }

    /// Counts without the background, `[energy, y, x]`.
    ///
    /// # Errors
    /// As [`MapDatasetOnOff::background`], and where there are no counts.
    pub fn excess(&self) -> Result<Map> {
        combine(self.on.require_counts()?, &self.background()?, |counts, background| counts - background)
    }

    /// Predicted counts of the source models, or of one of them, as [`MapDataset::npred_signal`].
    ///
    /// # Errors
    /// Those of [`MapDataset::npred_signal`].
    pub fn npred_signal(&self, name: Option<&str>, backend: &Backend, control: &Control) -> Result<Map> {
        self.on.npred_signal(name, backend, control)
    }

    /// The background counts in the on region that are the most likely ones given on and off counts and the source
    /// models, `[energy, y, x]`; 0 where they are not defined.
    ///
    /// # Errors
    /// Those of [`MapDatasetOnOff::background`] and [`MapDataset::npred_signal`].
    pub fn npred_background(&self, backend: &Backend, control: &Control) -> Result<Map> {
        let signal = self.npred_signal(None, backend, control)?.into_cube_f64();
        let alpha = self.alpha()?;
        let (on, off) = (self.on.require_counts()?.to_cube_f64(), self.require_counts_off()?.to_cube_f64());
        let mut cube = alpha.to_cube_f64();
        same_shape("counts", cube.dim(), on.dim())?;
        same_shape("counts_off", cube.dim(), off.dim())?;
        Zip::from(&mut cube).and(&on).and(&off).and(&signal).for_each(|alpha, on, off, signal| {
            let background = *alpha * wstat_mu_bkg(*on, *off, *alpha, *signal);
            *alpha = if background.is_finite() { background } else { 0.0 };
        });
        Map::from_cube(Arc::clone(alpha.geom()), Default::default(), cube)
    }

    /// Predicted counts of sources and background, `[energy, y, x]`.
    ///
    /// # Errors
    /// Those of [`MapDatasetOnOff::npred_background`].
    pub fn npred(&self, backend: &Backend, control: &Control) -> Result<Map> {
        let signal = self.npred_signal(None, backend, control)?;
        combine(&self.npred_background(backend, control)?, &signal, |background, signal| background + signal)
    }
}

fn same_shape(name: &str, wanted: (usize, usize, usize), found: (usize, usize, usize)) -> Result<()> {
    if wanted == found {
        return Ok(());
    }
    Err(Error::input(name, format!("its shape is {found:?} where the others have {wanted:?}")))
}

/// Bin by bin, in double precision, on the geometry of the first map.
fn combine(a: &Map, b: &Map, f: impl Fn(f64, f64) -> f64) -> Result<Map> {
    let (mut cube, other): (Array3<f64>, Array3<f64>) = (a.to_cube_f64(), b.to_cube_f64());
    same_shape("counts_off and acceptances", cube.dim(), other.dim())?;
    Zip::from(&mut cube).and(&other).for_each(|a, b| *a = f(*a, *b));
    Map::from_cube(Arc::clone(a.geom()), Default::default(), cube)
}
