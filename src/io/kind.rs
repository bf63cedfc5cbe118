//! What a file is, by its content.

use std::path::Path;

use super::fits::{
    Chosen, Hdu, HduKind, OFF_PARTS, ReadOptions, check_bytes, find_spectrum, headers, healpix_error, is_background,
    is_flux_points, is_healpix, read_bytes,
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
    /// A map, or several: [`crate::maps::Map::read`], [`crate::io::ImageFile`].
    Map,
    /// Events: [`crate::data::EventList::read`].
    EventList,
    /// A YAML list of datasets: [`crate::datasets::Datasets::read`].
    Datasets,
    /// Models as YAML.
    Models,
    /// A table (ECSV) of names and positions, such as that of peaks: [`crate::io::Catalogue::of_file`].
    Sources,
    /// Something that is recognised, or not, but not read: `"an HDU index"`.
    Other(String),
}

/// Looks into a file, which may be followed by what is chosen of it ([`super::OgipOptions`]). Of FITS files, only headers
/// are read and checked.
///
/// # Errors
/// [`Error::Input`] where it is missing, truncated or damaged; [`Error::Unsupported`] for HEALPix maps.
pub fn file_kind(path: impl AsRef<Path>) -> Result<FileKind> {
    let path = path.as_ref();
    let chosen = Chosen::parse(path);
    if chosen.is_part() {
        return match headers(&chosen.path)? {
            Some(hdus) if find_spectrum(&hdus).is_some() => Ok(FileKind::Spectrum),
            _ => Err(Error::input_at(
                Place::file(&chosen.path),
                "this is not an OGIP spectrum, of which a part is chosen here",
            )),
        };
    }
    if let Some(hdus) = headers(path)? {
        return supported(path, &hdus);
    }
    let bytes = read_bytes(path, &ReadOptions::default())?;
    if bytes.starts_with(b"SIMPLE") {
        return supported(path, &within(&Place::file(path), || check_bytes(&bytes))?);
    }
    if bytes.is_empty() {
        return Err(Error::input_at(Place::file(path), "the file is empty"));
    }
    Ok(text_kind(path, &bytes))
}

/// What a FITS file is, if that is not known by name to be beyond this program.
fn supported(path: &Path, hdus: &[Hdu]) -> Result<FileKind> {
    let kind = fits_kind(hdus);
    match (&kind, hdus.iter().find(|h| is_healpix(&h.header))) {
        (FileKind::Other(_), Some(hdu)) => Err(healpix_error(&Place::file(path).hdu(hdu.label()))),
        _ => Ok(kind),
    }
}

/// What a file that is not a FITS file is.
pub(super) fn text_kind(path: &Path, bytes: &[u8]) -> FileKind {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(1 << 16)]);
    let yaml = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"));
    let has_key = |key: &str| text.lines().any(|l| l.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    if has_key("datasets") {
        FileKind::Datasets
    } else if yaml || has_key("components") {
        FileKind::Models
    } else if text.starts_with("# %ECSV") {
        let lower = text.to_lowercase();
        let has = |name: &str| {
            lower.match_indices(name).any(|(at, _)| {
                let before = lower[..at].trim_end_matches(['\'', '"']).ends_with("name: ");
                before && !lower[at + name.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        };
        if has("e_ref") || has("e_min") || lower.contains("sed_type") {
            FileKind::FluxPoints
        } else if has("name") && [("ra", "dec"), ("glon", "glat"), ("lon", "lat")].iter().any(|(a, b)| has(a) && has(b))
        {
            FileKind::Sources
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
    // A table of points is one whatever its HDU is called.
    let points = hdus.iter().any(is_flux_points);
    let images = hdus.iter().any(Hdu::has_image);
    if hdus.first().is_some_and(|h| h.header.text("SED_TYPE").is_some()) && (images || !points) {
        return FileKind::FluxMaps;
    }
    match dataset_of_maps(hdus) {
        Some(true) => return FileKind::MapDatasetOnOff,
        Some(false) => return FileKind::MapDataset,
        None => {}
    }
    let flux = |h: &Hdu| ["NORM", "DNDE", "FLUX", "EFLUX", "E2DNDE"].contains(&h.name.as_str()) && has_bins(hdus, h);
    if hdus.iter().any(flux) && (has("TS") || has("SQRT_TS")) && !has("SCALE") {
        return FileKind::FluxMaps;
    }
    if points && !images && !hdus.iter().any(|h| is_healpix(&h.header)) {
        return FileKind::FluxPoints;
    }
    let map = |h: &Hdu| h.has_image() && h.header.text("CTYPE1").is_some() || h.column("DATA").is_some();
    if hdus.iter().any(|h| h.name == "EVENTS" && h.kind == HduKind::Table) {
        return FileKind::EventList;
    }
    if hdus.iter().any(|h| is_healpix(&h.header)) {
        return if hdus.iter().any(map) { FileKind::Map } else { other("a HEALPix map") };
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
    if hdus.iter().any(map) {
        return FileKind::Map;
    }
    if let Some(what) = hdus.iter().find_map(known_table) {
        return other(what);
    }
    let points = |h: &Hdu| h.kind == HduKind::Table && h.column("e_ref").or(h.column("e_min")).is_some();
    if hdus.iter().any(|h| points(h) && h.name != "EBOUNDS") {
        return FileKind::FluxPoints;
    }
    if hdus.iter().any(Hdu::has_image) {
        return other("images without sky coordinates");
    }
    let table = |name: &str| hdus.iter().any(|h| h.name == name && h.kind == HduKind::Table);
    if hdus.iter().any(is_catalogue) {
        other("a catalogue of sources")
    } else if table("EBOUNDS") {
        other("energies of channels (OGIP)")
    } else if table("GTI") {
        other("good time intervals")
    } else {
        other("a FITS file without maps")
    }
}

/// Images that a dataset may hold.
const DATASET_IMAGES: [&str; 12] = [
    "PRIMARY",
    "COUNTS",
    "COUNTS_OFF",
    "ACCEPTANCE",
    "ACCEPTANCE_OFF",
    "EXPOSURE",
    "BACKGROUND",
    "MASK_SAFE",
    "MASK_FIT",
    "PSF",
    "EDISP",
    "MASK",
];

/// Whether a file is a dataset with off counts (`true`) or without (`false`), as its HDUs and their axes say; `None`
/// where it is not a dataset. Maps of other tools have the same names, but no energies.
fn dataset_of_maps(hdus: &[Hdu]) -> Option<bool> {
    let has = |name: &str| hdus.iter().any(|h| h.name == name);
    let cube = |name: &str| hdus.iter().any(|h| h.name == name && has_bins(hdus, h));
    let off = OFF_PARTS.iter().any(|part| cube(part));
    let responses = has("EXPOSURE") || has("PSF") || has("EDISP") || has("MASK_SAFE") || has("MASK_FIT");
    let known = |h: &Hdu| {
        DATASET_IMAGES.contains(&h.name.as_str()) || h.name.starts_with("PSF_") || h.name.starts_with("EDISP_")
    };
    let foreign = hdus.iter().any(|h| h.has_image() && !known(h));
    if off && (responses || !foreign) {
        return Some(true);
    }
    let counts = cube("COUNTS") && (responses || has("BACKGROUND") && !foreign);
    (counts || cube("EXPOSURE") && has("PSF")).then_some(false)
}

/// Why parts of a dataset in a file are none: images without energies, HEALPix maps.
pub(super) fn not_a_dataset(path: &Path, hdus: &[Hdu], parts: &[&str]) -> Option<Error> {
    let parts: Vec<&Hdu> = hdus.iter().filter(|h| parts.contains(&h.name.as_str())).collect();
    let healpix = |h: &&Hdu| is_healpix(&h.header);
    let found = parts.iter().copied().find(healpix).or_else(|| hdus.iter().find(healpix).filter(|_| parts.is_empty()));
    if let Some(hdu) = found {
        return Some(healpix_error(&Place::file(path).hdu(hdu.label())));
    }
    let flat = |h: &&Hdu| h.has_image() && !has_bins(hdus, h);
    if parts.is_empty() || !parts.iter().all(flat) {
        return None;
    }
    let names: Vec<String> = hdus.iter().filter(|h| h.has_image()).map(Hdu::label).collect();
    let problem = format!("this is not a dataset: its images ({}) have no energies", names.join(", "));
    Some(Error::input_at(Place::file(path), problem).with_help(
        "`pevatron plot --quantity NAME` draws them; a dataset is a file as Gammapy's MapDataset.write makes it",
    ))
}

/// True for a map with axes beside those of the sky: planes, or a table of bands of its own.
fn has_bins(hdus: &[Hdu], map: &Hdu) -> bool {
    let own = format!("{}_BANDS", map.name);
    let bands = || map.header.text("BANDSHDU").is_some() || hdus.iter().any(|h| h.name == own);
    map.column("DATA").is_some() || map.has_image() && (map.dims.iter().skip(2).any(|n| *n > 1) || bands())
}

/// Tables that are known by their class, their name or their columns, but not read.
fn known_table(hdu: &Hdu) -> Option<&'static str> {
    if hdu.kind != HduKind::Table {
        return None;
    }
    let class = |n: usize| hdu.header.text(&format!("HDUCLAS{n}")).map(|c| c.trim().to_uppercase()).unwrap_or_default();
    let columns = |names: &[&str]| names.iter().all(|n| hdu.column(n).is_some());
    let classes = [class(1), class(2), class(3), class(4)];
    let any = |name: &str| classes.iter().any(|c| c.starts_with(name)) || hdu.name.replace(' ', "_").starts_with(name);
    Some(if any("AEFF") || any("EFF_AREA") || any("EFFECTIVE_AREA") || columns(&["THETA_LO", "EFFAREA"]) {
        "an effective area (IRF)"
    } else if any("EDISP") || any("ENERGY_DISPERSION") || columns(&["MIGRA_LO", "THETA_LO", "MATRIX"]) {
        "an energy dispersion (IRF)"
    } else if any("PSF") || any("RPSF") || any("POINT_SPREAD_FUNCTION") || columns(&["RAD_LO", "THETA_LO", "RPSF"]) {
        "a point spread function (IRF)"
    } else if any("BKG") || columns(&["ENERG_LO", "BKG"]) {
        "a background model (IRF)"
    } else if any("RAD_MAX") {
        "radii of on regions (IRF)"
    } else if columns(&["OBS_ID", "HDU_TYPE"]) {
        "an HDU index"
    } else if columns(&["OBS_ID", "RA_PNT", "DEC_PNT"]) {
        "an observation index"
    } else {
        return None;
    })
}

/// True for a table of names and positions.
fn is_catalogue(hdu: &Hdu) -> bool {
    let has = |names: &[&str]| names.iter().any(|n| hdu.column(n).is_some());
    hdu.kind == HduKind::Table
        && has(&["ra", "raj2000", "_raj2000", "ra_j2000", "glon"])
        && has(&["dec", "dej2000", "_dej2000", "dec_j2000", "decj2000", "glat"])
}
