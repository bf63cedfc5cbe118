//! The binned map dataset.

use std::collections::BTreeMap;

use crate::irf::{EDisp, PsfMap};
use crate::maps::{Map, Mask};
use crate::models::Models;
use crate::time::Gti;

/// Counts, background and reduced IRFs on one sky geometry (Gammapy's `MapDataset`).
///
/// Maps in reconstructed energy are `[energy, y, x]`, the exposure is `[energy_true, y, x]`.
#[derive(Debug, Clone, Default)]
pub struct MapDataset {
    /// Name; background models refer to it.
    pub name: String,
    /// Measured counts.
    pub counts: Option<Map>,
    /// Predicted background counts, before any background model.
    pub background: Option<Map>,
    /// Exposure (area times time).
    pub exposure: Option<Map>,
    /// Point spread function.
    pub psf: Option<PsfMap>,
    /// Energy dispersion.
    pub edisp: Option<EDisp>,
    /// Bins that are safe to use.
    pub mask_safe: Option<Mask>,
    /// Bins chosen for the fit.
    pub mask_fit: Option<Mask>,
    /// Good time intervals.
    pub gti: Option<Gti>,
    /// Models of the null hypothesis.
    pub models: Models,
    /// Free-form header entries of the primary HDU that were there (`EVENT_TYPE`, …), by keyword.
    pub meta: BTreeMap<String, String>,
}
