//! What a file is, by its content.

use std::path::Path;

use super::fits::{
    Chosen, Hdu, HduKind, OFF_PARTS, ReadOptions, check_bytes, find_spectrum, headers, is_background, read_bytes,
};
use crate::error::warnings::within;
use crate::error::{Error, Place, Result};

/// Kinds of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A dataset: [`crate::datasets::MapDataset::read`].
    MapDataset,
    /// A dataset with off counts: [`crate::datasets::MapDatasetOnOff::read`].
    MapDatasetOnOff,
    /// An OGIP spectrum (PHA): [`crate::datasets::MapDatasetOnOff::read_ogip`].
    Spectrum,
    /// Flux maps: [`crate::flux::FluxMaps::read`].
    FluxMaps,
    /// A table of flux points: [`crate::flux::FluxPoints::read`], or of several sources
    /// ([`crate::flux::FluxPointsCollection::read`]).
    FluxPoints,
    /// A map: [`crate::maps::Map::read`].
    Map,
    /// Events: [`crate::data::EventList::read`].
    EventList,
    /// A YAML list of datasets: [`crate::datasets::Datasets::read`].
    Datasets,
    /// Models as YAML.
    Models,
    /// Something that is recognised, or not, but not read: `"an HDU index"`.
    Other(String),
}

/// Looks into a file, which may be followed by what is chosen of it ([`super::OgipOptions`]). Of FITS files, only headers
/// are read and checked.
///
/// # Errors
/// [`Error::Input`] where it is missing, truncated or damaged.
pub fn file_kind(path: impl AsRef<Path>) -> Result<FileKind> {
    let path = path.as_ref();
    let chosen = Chosen::parse(path);
    if chosen.is_part() {
        return match headers(&chosen.path)? {
            Some(hdus) if find_spectrum(&hdus).is_some() => Ok(FileKind::Spectrum),
            _ => Err(Error::input_at(
                Place::file(&chosen.path),
                "this is no OGIP spectrum, of which a part is chosen here",
            )),
        };
    }
    if let Some(hdus) = headers(path)? {
        return Ok(fits_kind(&hdus));
    }
    let bytes = read_bytes(path, &ReadOptions::default())?;
    if bytes.starts_with(b"SIMPLE") {
        return Ok(fits_kind(&within(&Place::file(path), || check_bytes(&bytes))?));
    }
    if bytes.is_empty() {
        return Err(Error::input_at(Place::file(path), "the file is empty"));
    }
    Ok(text_kind(path, &bytes))
}

/// What a file that is no FITS file is.
pub(super) fn text_kind(path: &Path, bytes: &[u8]) -> FileKind {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(1 << 16)]);
    let yaml = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"));
    let has_key = |key: &str| text.lines().any(|l| l.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    if has_key("datasets") {
        FileKind::Datasets
    } else if yaml || has_key("components") {
        FileKind::Models
    } else if text.starts_with("# %ECSV") {
        let has = |name: &str| text.contains(&format!("name: {name},")) || text.contains(&format!("name: {name}}}"));
        if has("e_ref") || has("e_min") || text.contains("SED_TYPE") {
            FileKind::FluxPoints
        } else {
            FileKind::Other("an ECSV table".into())
        }
    } else {
        FileKind::Other("neither FITS nor model YAML".into())
    }
}

/// What a FITS file is by its HDUs.
pub(super) fn fits_kind(hdus: &[Hdu]) -> FileKind {
    let has = |name: &str| hdus.iter().any(|h| h.name == name);
    let other = |what: &str| FileKind::Other(what.into());
    let image = |name: &str| hdus.iter().any(|h| h.name == name && (h.has_image() || h.column("DATA").is_some()));
    if hdus.first().is_some_and(|h| h.header.text("SED_TYPE").is_some()) {
        return FileKind::FluxMaps;
    }
    if OFF_PARTS.iter().any(|part| image(part)) {
        return FileKind::MapDatasetOnOff;
    }
    if image("COUNTS") && (has("EXPOSURE") || has("BACKGROUND") || has("MASK_SAFE")) || image("EXPOSURE") && has("PSF")
    {
        return FileKind::MapDataset;
    }
    if ["NORM", "DNDE", "FLUX", "EFLUX", "E2DNDE"].iter().any(|n| image(n)) && (has("TS") || has("SQRT_TS")) {
        return FileKind::FluxMaps;
    }
    if hdus.iter().any(|h| h.name == "EVENTS" && h.kind == HduKind::Table) {
        return FileKind::EventList;
    }
    if !has("EVENTS")
        && let Some(spectrum) = find_spectrum(hdus)
    {
        return if is_background(spectrum) { other("an OGIP background spectrum") } else { FileKind::Spectrum };
    }
    for (name, what) in [
        ("EVENTS", "an event list"),
        ("SPECRESP", "an OGIP effective area"),
        ("MATRIX", "an OGIP energy dispersion"),
        ("SPECRESP MATRIX", "an OGIP energy dispersion"),
        ("OBS_INDEX", "an observation index"),
        ("HDU_INDEX", "an HDU index"),
    ] {
        if has(name) {
            return other(what);
        }
    }
    let map = |h: &Hdu| h.has_image() && h.header.text("CTYPE1").is_some() || h.column("DATA").is_some();
    if hdus.iter().any(map) {
        return FileKind::Map;
    }
    if hdus.iter().any(|h| h.kind == HduKind::Table && h.column("e_ref").or(h.column("e_min")).is_some()) {
        return FileKind::FluxPoints;
    }
    other("a FITS file without maps")
}
