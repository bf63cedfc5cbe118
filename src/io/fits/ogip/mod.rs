//! OGIP spectra: counts per channel (PHA), the background (BKG) and the responses (ARF, RMF), a file each.
//!
//! A PHA file names the others, which lie beside it. Together they are a [`MapDatasetOnOff`] of one region: maps are
//! `[energy, 1, 1]`, there is no PSF. Channels are the bins of `energy`, QUALITY is the safe mask, BACKSCAL the
//! acceptance, EXPOSURE the livetime. The layouts are those of the OGIP memos 92-007 (spectra) and CAL/GEN/92-002
//! (responses), with the choices of Gammapy's `SpectrumDatasetOnOff`.
//!
//! ```text
//! names ─ cells ─ energies, source ─ pha, response ─ read          write
//! ```

mod cells;
mod energies;
mod names;
mod pha;
mod read;
mod response;
mod source;
mod write;

use std::path::{Path, PathBuf};

use super::check::Hdu;
use super::reader::FitsReader;
use crate::datasets::{Dataset, Datasets, MapDatasetOnOff};
use crate::error::Result;

pub(in crate::io) use names::Chosen;
pub(in crate::io) use pha::{find, is_background};
pub(super) use read::{dataset_of, read};

/// True for a file with the table of a spectrum.
pub(super) fn is_spectrum(hdus: &[Hdu]) -> bool {
    find(hdus).is_some()
}

/// How an OGIP spectrum is read: files in place of those that it names, and its channels alone or in groups.
///
/// A file may be followed by what is chosen of it: `bkg.pha{3}` is the third spectrum of a table of several (type II),
/// `pha.fits[BKG]` and `pha.fits[2]` are an HDU. `none` stands for no file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OgipOptions {
    /// Effective area, in place of ANCRFILE.
    pub arf: Option<PathBuf>,
    /// Energy dispersion, in place of RESPFILE.
    pub rmf: Option<PathBuf>,
    /// Background, in place of BACKFILE.
    pub bkg: Option<PathBuf>,
    /// Channels are merged as GROUPING says.
    pub group: bool,
}

impl MapDatasetOnOff {
    /// Reads an OGIP spectrum (PHA) with the background and the responses that it names, as Gammapy's
    /// `SpectrumDatasetOnOff.read(format="ogip")` does; [`MapDatasetOnOff::read`] finds out by itself. The file may be
    /// followed by what is chosen of it, see [`OgipOptions`].
    ///
    /// ANCRFILE, RESPFILE and BACKFILE lie beside the file, compressed or not; without them or with `none`, exposure, energy
    /// dispersion or off counts are `None`. A BACKFILE that is the file itself means its spectrum of class BKG. A response
    /// that holds the effective area (HDUCLAS3 FULL) needs no ARF. Channels and energies may fall from row to row; maps
    /// rise. Channels with a QUALITY other than 0 are outside of `mask_safe`, here or in the background. GROUPING is used
    /// where options say so, SYS_ERR and STAT_ERR are not. The acceptance of the off counts is BACKSCAL times the ratios of
    /// the exposures and of AREASCAL of background and spectrum; AREASCAL of the spectrum scales exposure and, where it
    /// differs between channels, energy dispersion.
    ///
    /// What is read although it is not as the standard has it is told as a warning ([`crate::error::warnings`]): rates in
    /// place of counts, errors that are not Poisson's, rows of the response that sum to a little more than 1, a bin that
    /// begins at energy 0, channels that are counted from 0 here and from 1 there.
    ///
    /// # Errors
    /// [`crate::Error::Input`] that names file, HDU, keyword or column, and row: missing files, channels that do not match,
    /// negative or undefined counts, energies that neither rise nor fall, units of another kind, rows of the response that
    /// are not probabilities, several spectra of which none is chosen.
    pub fn read_ogip(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_ogip_with(path, &OgipOptions::default())
    }

    /// [`MapDatasetOnOff::read_ogip`] with other files than those that the spectrum names, or in groups of channels.
    ///
    /// # Errors
    /// Those of it.
    pub fn read_ogip_with(path: impl AsRef<Path>, options: &OgipOptions) -> Result<Self> {
        let chosen = Chosen::parse(path.as_ref());
        read(&mut FitsReader::open(&chosen.path)?, &chosen, options)
    }
}

impl Dataset {
    /// Reads an OGIP spectrum, see [`MapDatasetOnOff::read_ogip_with`]. One that has no background is a
    /// [`crate::datasets::SpectrumDataset`], which is compared with models by the Cash statistic.
    ///
    /// # Errors
    /// Those of it.
    pub fn read_ogip(path: impl AsRef<Path>, options: &OgipOptions) -> Result<Self> {
        MapDatasetOnOff::read_ogip_with(path, options).map(dataset_of)
    }
}

impl Datasets {
    /// Reads all spectra of an OGIP file: the rows of a table of several (type II), in their order, each with the files
    /// that it names; of other files, or where one is chosen, the one spectrum.
    ///
    /// # Errors
    /// Those of [`Dataset::read_ogip`], for the first spectrum that has one.
    pub fn read_ogip(path: impl AsRef<Path>, options: &OgipOptions) -> Result<Self> {
        let chosen = Chosen::parse(path.as_ref());
        let mut reader = FitsReader::open(&chosen.path)?;
        let mut list = Self::default();
        for chosen in pha::each(&reader, chosen)? {
            list.push(read(&mut reader, &chosen, options).map(dataset_of)?)?;
        }
        Ok(list)
    }
}
