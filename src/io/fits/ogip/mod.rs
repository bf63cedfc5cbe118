//! OGIP spectra: counts per channel (PHA), the background (BKG) and the responses (ARF, RMF), a file each.
//!
//! A PHA file names the others, which lie beside it. Together they are a [`MapDatasetOnOff`] of one region: maps are
//! `[energy, 1, 1]`, there is no PSF. Channels are the bins of `energy`, QUALITY is the safe mask, BACKSCAL the
//! acceptance, EXPOSURE the livetime. The layouts are those of the OGIP memos 92-007 (spectra) and CAL/GEN/92-002
//! (responses), with the choices of Gammapy's `SpectrumDatasetOnOff`.
//!
//! ```text
//! cells ─ energies ─ pha, response ─ read          write
//! ```

mod cells;
mod energies;
mod pha;
mod read;
mod response;
mod write;

use std::path::Path;

use super::check::Hdu;
use super::reader::FitsReader;
use crate::datasets::MapDatasetOnOff;
use crate::error::Result;

pub(in crate::io) use pha::{find, is_background};
pub(super) use read::read;

/// True for a file with the table of a spectrum.
pub(super) fn is_spectrum(hdus: &[Hdu]) -> bool {
    find(hdus).is_some()
}

impl MapDatasetOnOff {
    /// Reads an OGIP spectrum (PHA) with the background and the responses that it names, as Gammapy's
    /// `SpectrumDatasetOnOff.read(format="ogip")` does; [`MapDatasetOnOff::read`] finds out by itself.
    ///
    /// ANCRFILE, RESPFILE and BACKFILE lie beside the file; without them or with `none`, exposure, energy dispersion or
    /// off counts are `None`. A response that holds the effective area (HDUCLAS3 FULL) needs no ARF. GROUPING and
    /// SYS_ERR are not used. The acceptance of the off counts is BACKSCAL times the ratios of the exposures and of
    /// AREASCAL of background and spectrum.
    ///
    /// # Errors
    /// [`crate::Error::Input`] that names file, HDU, keyword or column, and row: missing files, channels that do not match,
    /// negative or undefined counts, energies that do not increase, units of another kind, rows of the response that are no
    /// probabilities. [`crate::Error::Unsupported`] for several spectra in one file.
    pub fn read_ogip(path: impl AsRef<Path>) -> Result<Self> {
        read(&mut FitsReader::open(path.as_ref())?)
    }
}
