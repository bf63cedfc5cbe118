//! The images of a file by their names: which there are, and reading one of them.

use std::path::Path;

use super::check::{Hdu, HduKind};
use super::header::Header;
use super::map::read_map;
use super::reader::FitsReader;
use crate::error::{Error, Place, Result};
use crate::maps::Map;

/// Longer lists of names are cut short in messages.
const MOST_NAMES: usize = 24;

/// An image of a file as its header describes it; its values are not read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ImageEntry {
    /// Number of the HDU, from 0.
    pub hdu: usize,
    /// EXTNAME, else HDUNAME, `PRIMARY` for the first HDU, else its number. Where several images share a name,
    /// `NAME,VERSION` (EXTVER), or the number if the versions are the same, too.
    pub name: String,
    /// Numbers of pixels along the axes, the fastest first (NAXISn); rows of the table of a region.
    pub shape: Vec<usize>,
    /// Why it is not a map, if it is none: an image without sky coordinates, HEALPix.
    pub problem: Option<String>,
    /// The name in its header.
    given: String,
    version: i64,
}

impl ImageEntry {
    /// True where the header has a name for it.
    pub fn is_named(&self) -> bool {
        !self.given.is_empty()
    }

    /// The name in the header, which others may have, too; empty where there is none.
    pub fn given_name(&self) -> &str {
        &self.given
    }
}

/// A file of images.
pub struct ImageFile {
    reader: FitsReader,
    entries: Vec<ImageEntry>,
}

impl ImageFile {
    /// Opens a file, plain or gzip; one without images has no entries.
    ///
    /// # Errors
    /// [`Error::Input`] where it is missing, no FITS file, or damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let reader = FitsReader::open(path.as_ref())?;
        let entries = entries(reader.hdus());
        Ok(Self { reader, entries })
    }

    /// All images, in the order of the file, those without sky coordinates included.
    pub fn entries(&self) -> &[ImageEntry] {
        &self.entries
    }

    /// The image of a name: that of the header in any case, with `,VERSION` where several have it, or the number of an
    /// HDU.
    ///
    /// # Errors
    /// [`Error::Options`] for `quantity` with the names to choose from where there is none, or several.
    pub fn find(&self, name: &str) -> Result<&ImageEntry> {
        let name = name.trim();
        let same = |a: &str| a.eq_ignore_ascii_case(name);
        if let Some(entry) = self.entries.iter().find(|e| same(&e.name)) {
            return Ok(entry);
        }
        let given: Vec<&ImageEntry> = self.entries.iter().filter(|e| e.is_named() && same(&e.given)).collect();
        match given.as_slice() {
            [entry] => return Ok(*entry),
            [] => {}
            several => {
                let names: Vec<&str> = several.iter().map(|e| e.name.as_str()).collect();
                let problem = format!("{} images are called '{name}': {}", several.len(), names.join("; "));
                return Err(Error::options("quantity", problem).with_help(format!("choose one, e.g. {}", names[0])));
            }
        }
        let version = |e: &&ImageEntry| e.is_named() && format!("{},{}", e.given, e.version).eq_ignore_ascii_case(name);
        if let Some(entry) = self.entries.iter().find(version) {
            return Ok(entry);
        }
        let number = name.parse::<usize>().ok().or(same("PRIMARY").then_some(0));
        self.entries
            .iter()
            .find(|e| Some(e.hdu) == number)
            .ok_or_else(|| Error::not_one_of("quantity", name, self.entries.iter().map(|e| e.name.as_str())))
    }

    /// The one image with sky coordinates, if there is no other.
    ///
    /// # Errors
    /// [`Error::Input`] with the names to choose from where there are several; where there is none, why.
    pub fn only(&self) -> Result<&ImageEntry> {
        let maps: Vec<&ImageEntry> = self.entries.iter().filter(|e| e.problem.is_none()).collect();
        match (maps.as_slice(), self.entries.as_slice()) {
            ([one], _) => Ok(*one),
            ([], []) => Err(self.error(format!("no image in [{}]", self.reader.names().join(", ")))),
            ([], [one]) => Err(self.refused(one)),
            ([], _) => {
                Err(self.error(format!("{} images, none with sky coordinates: {}", self.entries.len(), self.names())))
            }
            (several, _) => Err(self
                .error(format!("it holds {} images: {}", several.len(), self.names()))
                .with_help(format!("choose one by its name, e.g. --quantity {}", several[0].name))),
        }
    }

    /// The names of all images, in one line.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.entries.iter().map(|e| e.name.as_str()).collect();
        match names.get(MOST_NAMES..) {
            Some([_, ..]) => format!("{}, … ({} in all)", names[..MOST_NAMES].join(", "), names.len()),
            _ => names.join(", "),
        }
    }

    /// Reads an image.
    ///
    /// # Errors
    /// As [`Map::read`]; [`Error::Input`] for an image without sky coordinates, [`Error::Unsupported`] for HEALPix.
    pub fn read(&mut self, entry: &ImageEntry) -> Result<Map> {
        if entry.problem.is_some() {
            return Err(self.refused(entry));
        }
        read_map(&mut self.reader, entry.hdu)
    }

    fn error(&self, problem: String) -> Error {
        Error::input_at(self.reader.place(), problem)
    }

    fn refused(&self, entry: &ImageEntry) -> Error {
        let place = self.reader.place().hdu(entry.name.clone());
        match self.reader.hdus().get(entry.hdu).filter(|h| is_healpix(&h.header)) {
            Some(_) => healpix_error(&place),
            None => Error::input_at(place, entry.problem.clone().unwrap_or_default()),
        }
    }
}

/// The name that a header gives to its HDU.
fn given_name(header: &Header) -> String {
    let text = |key: &str| header.text(key).map(str::trim).filter(|t| !t.is_empty()).map(str::to_string);
    text("EXTNAME").or_else(|| text("HDUNAME")).unwrap_or_default()
}

fn entries(hdus: &[Hdu]) -> Vec<ImageEntry> {
    let is_image = |h: &&Hdu| h.has_image() || h.column("DATA").is_some() || is_healpix(&h.header);
    let mut entries: Vec<ImageEntry> = hdus
        .iter()
        .filter(is_image)
        .map(|h| {
            let given = given_name(&h.header);
            let name = match (given.as_str(), h.index) {
                ("", 0) => "PRIMARY".to_string(),
                ("", index) => index.to_string(),
                (given, _) => given.to_string(),
            };
            // Without the keyword the version is 1 (FITS standard 4.0, section 4.4.2.6).
            let version = h.header.int("EXTVER").unwrap_or(1);
            let shape = if h.kind == HduKind::Table { vec![h.rows()] } else { h.dims.clone() };
            ImageEntry { hdu: h.index, name, shape, problem: problem(h), given, version }
        })
        .collect();
    let names: Vec<(String, i64)> = entries.iter().map(|e| (e.name.to_uppercase(), e.version)).collect();
    for (entry, own) in entries.iter_mut().zip(&names) {
        if names.iter().filter(|n| n.0 == own.0).count() > 1 {
            let unique = names.iter().filter(|n| *n == own).count() == 1;
            entry.name = if unique { format!("{},{}", entry.name, entry.version) } else { entry.hdu.to_string() };
        }
    }
    entries
}

fn problem(hdu: &Hdu) -> Option<String> {
    if is_healpix(&hdu.header) {
        Some("HEALPix maps cannot be read".into())
    } else if hdu.kind != HduKind::Table && hdu.dims.len() < 2 {
        Some("an image of one axis has no place on the sky".into())
    } else if hdu.kind != HduKind::Table && hdu.header.text("CTYPE1").is_none() {
        Some("an image without sky coordinates (CTYPE1)".into())
    } else {
        None
    }
}

/// True for the header of a HEALPix map: by PIXTYPE, or, in files that leave it out, by size and order of the pixels.
pub(in crate::io) fn is_healpix(header: &Header) -> bool {
    let upper = |key: &str| header.text(key).map(|t| t.trim().to_uppercase()).unwrap_or_default();
    let order = upper("ORDERING");
    upper("PIXTYPE") == "HEALPIX"
        || header.int("NSIDE").is_some() && (order.starts_with("RING") || order.starts_with("NEST"))
}

/// The refusal of a HEALPix map.
pub(in crate::io) fn healpix_error(place: &Place) -> Error {
    let place = place.clone().item("PIXTYPE");
    Error::unsupported(format!("{place}: HEALPix maps cannot be read"))
        .with_help("project the map onto a WCS geometry first, with Gammapy: HpxNDMap.to_wcs")
}
