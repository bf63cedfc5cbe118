//! What a file is.

use std::path::Path;

use super::fits::{HduKind, ReadOptions, check_bytes, read_bytes};
use crate::error::{Place, Result};

/// Kinds of files that are read here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A dataset, as Gammapy's `MapDataset.write` makes it.
    MapDataset,
    /// Flux maps.
    FluxMaps,
    /// A single map.
    Map,
    /// Models in YAML.
    Models,
    /// Something else, described.
    Other(String),
}

/// Looks into a file: by its ending for YAML, by its HDUs for FITS.
///
/// # Errors
/// [`crate::Error::Input`] where it is missing or damaged.
pub fn file_kind(path: impl AsRef<Path>) -> Result<FileKind> {
    let path = path.as_ref();
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml")) {
        return Ok(FileKind::Models);
    }
    let bytes = read_bytes(path, &ReadOptions::default())?;
    let hdus = check_bytes(&bytes).map_err(|e| e.at(&Place::file(path)))?;
    let has = |name: &str| hdus.iter().any(|h| h.name == name);
    Ok(if hdus.first().is_some_and(|h| h.header.text("SED_TYPE").is_some()) {
        FileKind::FluxMaps
    } else if has("COUNTS_OFF") || has("ACCEPTANCE") {
        FileKind::Other("an on-off dataset".into())
    } else if has("COUNTS") || (has("EXPOSURE") && has("BACKGROUND")) {
        FileKind::MapDataset
    } else if hdus.iter().any(|h| h.has_image()) {
        FileKind::Map
    } else {
        let tables = hdus.iter().filter(|h| h.kind == HduKind::Table).count();
        FileKind::Other(format!("a FITS file of {tables} tables and no image"))
    })
}
