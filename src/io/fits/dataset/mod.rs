//! Datasets: the HDUs of Gammapy's `MapDataset`, checked against each other.

mod parts;
mod problems;
mod validate;

use std::path::Path;
use std::sync::Arc;

pub(in crate::io) use self::parts::file_stem;
use self::parts::read_common;
pub(in crate::io::fits) use self::parts::{
    geom_part, livetime_s, map_part, mask_part, meta_of, name_of, read_edisp, read_gti, read_meta_table, read_psf,
};
pub use self::problems::{Problem, Severity};
use self::validate::validate;
pub(in crate::io::fits) use self::validate::{check_map, check_psf};
use super::disk::DiskFile;
use super::lazy::{Kept, or_read};
use super::ogip::{self, Chosen, OgipOptions};
use super::reader::{FitsReader, ReadOptions, read_bytes};
use crate::datasets::{Dataset, FluxPointsDataset, MapDataset, MapDatasetOnOff};
use crate::error::{Error, Place, Result};
use crate::io::kind::{FileKind, fits_kind, not_a_dataset, text_kind};

impl MapDataset {
    /// Reads a dataset as Gammapy's `MapDataset.write` makes it, plain or gzip.
    ///
    /// Undefined background and exposure (NaN) outside of the safe mask occurs in real files and is kept.
    ///
    /// # Errors
    /// [`Error::Input`] that names HDU and keyword or bin: missing or damaged parts, negative or undefined counts,
    /// negative or infinite background or exposure, units of another kind, geometries that differ.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        whole(&mut open(path.as_ref())?, read)
    }

    /// Reads a dataset from the bytes of an uncompressed FITS file; messages call it `memory`.
    ///
    /// # Errors
    /// As [`MapDataset::read`].
    pub fn from_fits_bytes(bytes: Vec<u8>) -> Result<Self> {
        let name = Path::new("memory");
        read(&mut FitsReader::from_bytes(name, bytes).map_err(|e| e.at(&Place::file(name)))?)
    }
}

impl MapDatasetOnOff {
    /// Reads a dataset as Gammapy's `MapDatasetOnOff.write` makes it, plain or gzip, or an OGIP spectrum
    /// ([`MapDatasetOnOff::read_ogip`]).
    ///
    /// # Errors
    /// As [`MapDataset::read`], also for off counts and acceptances; where the file is a dataset without off counts.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let chosen = Chosen::parse(path.as_ref());
        if chosen.is_part() {
            return Self::read_ogip(path);
        }
        let mut reader = open(&chosen.path)?;
        if is_ogip(&reader) { Self::read_ogip(path) } else { whole(&mut reader, read_on_off) }
    }
}

impl Dataset {
    /// Reads a dataset of the kind that the file is, which its HDUs say; flux points also from ECSV. Of a file with several
    /// OGIP spectra one may be chosen, as [`crate::io::OgipOptions`] says.
    ///
    /// # Errors
    /// As [`MapDataset::read`], [`MapDatasetOnOff::read`] and [`FluxPointsDataset::read`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if Chosen::parse(path).is_part() {
            return Self::read_ogip(path, &OgipOptions::default());
        }
        let points = || FluxPointsDataset::read(path).map(Self::FluxPoints);
        if let Some(mut reader) = open_plain(path)? {
            return if fits_kind(reader.hdus()) == FileKind::FluxPoints {
                points()
            } else if is_ogip(&reader) {
                Self::read_ogip(path, &OgipOptions::default())
            } else {
                whole(&mut reader, |reader| read_any(reader, None))
            };
        }
        let bytes = read_bytes(path, &ReadOptions::default())?;
        if !bytes.starts_with(b"SIMPLE") && text_kind(path, &bytes) == FileKind::FluxPoints {
            return points();
        }
        let reader = FitsReader::from_bytes(path, bytes).map_err(|e| e.at(&Place::file(path)))?;
        if fits_kind(reader.hdus()) == FileKind::FluxPoints {
            return points();
        }
        Self::from_reader(reader)
    }

    /// From the bytes of an uncompressed FITS file, as [`Dataset::to_bytes`] makes them; messages call it `memory`.
    /// Gammapy: `from_hdulist`. Flux points are read from files.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    #[doc(alias = "from_hdulist")]
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        let name = Path::new("memory");
        Self::from_reader(FitsReader::from_bytes(name, bytes).map_err(|e| e.at(&Place::file(name)))?)
    }

    fn from_reader(mut reader: FitsReader) -> Result<Self> {
        if is_ogip(&reader) {
            let chosen = Chosen::parse(reader.path());
            return ogip::read(&mut reader, &chosen, &OgipOptions::default()).map(ogip::dataset_of);
        }
        read_any(&mut reader, None)
    }
}

/// An uncompressed FITS file whose HDUs are read one by one, so that it is not in memory beside the dataset; `None` for
/// other files.
fn open_plain(path: &Path) -> Result<Option<FitsReader>> {
    let file = DiskFile::open_plain(path, &ReadOptions::default())?;
    Ok(file.map(|file| FitsReader::on_disk(&Arc::new(file))))
}

fn open(path: &Path) -> Result<FitsReader> {
    open_plain(path)?.map_or_else(|| FitsReader::open(path), Ok)
}

/// What is read of a file whose other HDUs must be sound, too.
pub(super) fn whole<T>(reader: &mut FitsReader, read: impl Fn(&mut FitsReader) -> Result<T>) -> Result<T> {
    let found = read(reader)?;
    reader.check_rest()?;
    Ok(found)
}

/// HDUs that only datasets with off counts have.
pub(in crate::io) const OFF_PARTS: [&str; 3] = ["COUNTS_OFF", "ACCEPTANCE", "ACCEPTANCE_OFF"];

pub(super) fn is_on_off(reader: &FitsReader) -> bool {
    OFF_PARTS.iter().any(|part| reader.find(part).is_some())
}

/// True for an OGIP spectrum, which has no counts map.
pub(super) fn is_ogip(reader: &FitsReader) -> bool {
    ogip::is_spectrum(reader.hdus()) && reader.find("COUNTS").is_none() && !is_on_off(reader)
}

/// A dataset of maps, of the kind that its HDUs say; `kept`: the parts of it that were read before.
pub(super) fn read_any(reader: &mut FitsReader, kept: Option<&Kept>) -> Result<Dataset> {
    if is_on_off(reader) {
        with_off(reader, kept).map(Dataset::OnOff)
    } else {
        with_background(reader, kept).map(Dataset::Map)
    }
}

fn read_on_off(reader: &mut FitsReader) -> Result<MapDatasetOnOff> {
    with_off(reader, None)
}

fn with_off(reader: &mut FitsReader, kept: Option<&Kept>) -> Result<MapDatasetOnOff> {
    require_off(reader)?;
    let dataset = MapDatasetOnOff {
        on: read_common(reader, kept)?,
        counts_off: or_read(kept.map(|k| &k.counts_off), || map_part(reader, "COUNTS_OFF"))?,
        acceptance: or_read(kept.map(|k| &k.acceptance), || map_part(reader, "ACCEPTANCE"))?,
        acceptance_off: or_read(kept.map(|k| &k.acceptance_off), || map_part(reader, "ACCEPTANCE_OFF"))?,
    };
    let off = [
        ("COUNTS_OFF", dataset.counts_off.as_ref()),
        ("ACCEPTANCE", dataset.acceptance.as_ref()),
        ("ACCEPTANCE_OFF", dataset.acceptance_off.as_ref()),
    ];
    validate(reader, &dataset.on, &off)?;
    Ok(dataset)
}

pub(super) fn read(reader: &mut FitsReader) -> Result<MapDataset> {
    with_background(reader, None)
}

fn with_background(reader: &mut FitsReader, kept: Option<&Kept>) -> Result<MapDataset> {
    refuse_off(reader)?;
    let dataset = read_common(reader, kept)?;
    validate(reader, &dataset, &[])?;
    Ok(dataset)
}

/// The error of a file that holds no dataset with off counts.
pub(super) fn require_off(reader: &FitsReader) -> Result<()> {
    refuse_others(reader)?;
    if is_on_off(reader) {
        return Ok(());
    }
    let problem = format!("this is not an on-off dataset: none of {OFF_PARTS:?} among the HDUs");
    Err(Error::input_at(reader.place(), problem)
        .with_help_for("read it with MapDataset::read", "give a dataset with off counts, a MapDatasetOnOff"))
}

/// The error of a file that holds no dataset with a background.
pub(super) fn refuse_off(reader: &FitsReader) -> Result<()> {
    refuse_others(reader)?;
    if is_on_off(reader) {
        let problem = "this is a MapDatasetOnOff: it has off counts in place of a background, for the W statistic";
        return Err(Error::input_at(reader.place(), problem).with_help_for(
            "ExcessMapEstimator makes excess, significance and flux maps of it; where a background is needed, as for a TS \
             map, MapDatasetOnOff::to_map_dataset takes alpha times the off counts as one",
            "`pevatron excess` makes excess, significance and flux maps of it; where a background is needed, as for a TS \
             map, write alpha times the off counts as one with Gammapy: dataset.to_map_dataset().write(...)",
        ));
    }
    Ok(())
}

/// The error of a file that holds no dataset of maps.
pub(super) fn refuse_others(reader: &FitsReader) -> Result<()> {
    if let Some(sed) = reader.primary().text("SED_TYPE") {
        return Err(Error::input_at(reader.place(), format!("these are flux maps ('{sed}'), a dataset is needed"))
            .with_help_for(
                "read them with FluxMaps::read",
                "`pevatron peaks`, `flux-points`, `combine`, `convert` and `plot` take flux maps",
            ));
    }
    if is_ogip(reader) {
        let problem = "this is an OGIP spectrum, which is read with its off counts";
        return Err(Error::input_at(reader.place(), problem).with_help_for(
            "read it with MapDatasetOnOff::read",
            "`pevatron fit`, `stack`, `simulate` and `residuals` take it",
        ));
    }
    let parts = ["COUNTS", "EXPOSURE", "BACKGROUND", "COUNTS_OFF"];
    if let Some(error) = not_a_dataset(reader.path(), reader.hdus(), &[&parts[..], &OFF_PARTS[..]].concat()) {
        return Err(error);
    }
    if parts.iter().all(|p| reader.find(p).is_none()) {
        let problem =
            format!("this is not a dataset: none of {parts:?} among the HDUs [{}]", reader.names().join(", "));
        return Err(Error::input_at(reader.place(), problem)
            .with_help("a dataset is a file as Gammapy's MapDataset.write makes it"));
    }
    Ok(())
}
