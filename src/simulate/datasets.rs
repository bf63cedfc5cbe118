//! Datasets whose counts are simulated, or are what is predicted.

use ndarray::Zip;
use std::sync::Arc;

use super::fake::fake_counts_apart;
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::{Dataset, MapDataset, MapDatasetOnOff};
use crate::error::{Error, Result};
use crate::maps::Map;

/// Numbers of the maps of one dataset, see [`fake_counts_apart`].
const ON: u64 = 0;
const BACKGROUND: u64 = 1;
const OFF: u64 = 2;

/// What cannot be predicted counts as 0.
fn defined(map: &Map) -> Result<Map> {
    let cube = map.to_cube_f64().mapv(|v| if v.is_finite() { v } else { 0.0 });
    Map::from_cube(Arc::clone(map.geom()), map.unit().clone(), cube)
}

fn combined(a: &Map, b: &Map, f: impl Fn(f64, f64) -> f64) -> Result<Map> {
    let (mut cube, other) = (a.to_cube_f64(), b.to_cube_f64());
    if cube.dim() != other.dim() {
        return Err(Error::input("npred_background", format!("shape {:?}, counts {:?}", other.dim(), cube.dim())));
    }
    Zip::from(&mut cube).and(&other).for_each(|a, b| *a = f(*a, *b));
    Map::from_cube(Arc::clone(a.geom()), Default::default(), cube)
}

impl MapDataset {
    /// Replaces the counts by Poisson counts of what is predicted; the seed decides, not the number of threads.
    ///
    /// # Errors
    /// Those of [`MapDataset::npred`].
    pub fn fake(&mut self, seed: u64, backend: &Backend, control: &Control) -> Result<()> {
        self.counts = Some(fake_counts_apart(&defined(&self.npred(backend, control)?)?, seed, ON)?);
        Ok(())
    }

    /// The dataset with the predicted counts as its counts (Gammapy's `_to_asimov_dataset`); 0 where nothing can be
    /// predicted.
    ///
    /// # Errors
    /// Those of [`MapDataset::npred`].
    pub fn asimov(&self, backend: &Backend, control: &Control) -> Result<Self> {
        Ok(Self { counts: Some(defined(&self.npred(backend, control)?)?), ..self.clone() })
    }
}

impl MapDatasetOnOff {
    /// Replaces on and off counts by Poisson counts of the predicted signal, of the background expected in the on region,
    /// and of that background over alpha (none where alpha is 0).
    ///
    /// # Errors
    /// Those of [`MapDatasetOnOff::npred_signal`]; [`Error::Input`] for a background of another shape.
    pub fn fake(&mut self, npred_background: &Map, seed: u64, backend: &Backend, control: &Control) -> Result<()> {
        // Numerical noise of convolutions falls below 0.
        let signal = defined(&self.npred_signal(None, backend, control)?)?;
        let signal = combined(&signal, npred_background, |s, _| s.max(0.0))?;
        let on = fake_counts_apart(&signal, seed, ON)?;
        let background = fake_counts_apart(&defined(npred_background)?, seed, BACKGROUND)?;
        let off = combined(npred_background, &self.alpha()?, |b, alpha| b / alpha)?;
        self.counts_off = Some(fake_counts_apart(&defined(&off)?, seed, OFF)?);
        self.on.counts = Some(combined(&on, &background, |a, b| a + b)?);
        Ok(())
    }

    /// The dataset with the predicted counts as its counts; the off counts stay.
    ///
    /// # Errors
    /// Those of [`MapDatasetOnOff::npred`].
    pub fn asimov(&self, backend: &Backend, control: &Control) -> Result<Self> {
        let counts = Some(defined(&self.npred(backend, control)?)?);
        Ok(Self { on: MapDataset { counts, ..self.on.clone() }, ..self.clone() })
    }
}

impl Dataset {
    /// As [`MapDataset::asimov`].
    ///
    /// # Errors
    /// As there.
    pub fn asimov(&self, backend: &Backend, control: &Control) -> Result<Self> {
        match self {
            Self::Map(d) => d.asimov(backend, control).map(Self::Map),
            Self::OnOff(d) => d.asimov(backend, control).map(Self::OnOff),
            Self::FluxPoints(points) => Err(points.no_counts()),
        }
    }

    /// As [`MapDataset::fake`], and [`MapDatasetOnOff::fake`] with alpha times the off counts as the expected background.
    ///
    /// # Errors
    /// As there.
    pub fn fake(&mut self, seed: u64, backend: &Backend, control: &Control) -> Result<()> {
        match self {
            Self::Map(d) => d.fake(seed, backend, control),
            Self::OnOff(d) => {
                let background = d.background()?;
                d.fake(&background, seed, backend, control)
            }
            Self::FluxPoints(points) => Err(points.no_counts()),
        }
    }
}
