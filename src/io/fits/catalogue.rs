//! Catalogues: tables with a name and a position in each row.

use std::path::Path;

use super::check::{Hdu, HduKind};
use super::reader::FitsReader;
use crate::error::{Error, Place, Result};
use crate::maps::{Frame, SkyPosition};

/// Names and positions of the entries of a catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    /// Name of each entry.
    pub names: Vec<String>,
    /// Position of each entry; NaN where the table has none.
    pub positions: Vec<SkyPosition>,
    /// HDU and columns that they are from: name, longitude, latitude.
    pub source: [String; 4],
}

/// Columns of names, in any case, the best first.
pub(in crate::io) const NAMES: [&str; 9] =
    ["source_name", "name", "common_name", "src_name", "main_id", "source", "object", "designation", "id"];

/// Pairs of columns of positions, in any case, the best first. J2000 is taken as ICRS.
pub(in crate::io) const POSITIONS: [(&str, &str, Frame); 6] = [
    ("ra", "dec", Frame::Icrs),
    ("raj2000", "dej2000", Frame::Icrs),
    ("_raj2000", "_dej2000", Frame::Icrs),
    ("ra_j2000", "dec_j2000", Frame::Icrs),
    ("glon", "glat", Frame::Galactic),
    ("l", "b", Frame::Galactic),
];

impl Catalogue {
    /// Reads the first table of a FITS file that has a column of names and columns of positions: those of 4FGL, 3FHL,
    /// gamma-cat and HGPS, and most others.
    ///
    /// # Errors
    /// [`Error::Input`] where the file is missing or damaged, has no such table (with the columns that there are and
    /// those that are needed), or its positions are not angles in degrees.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let mut reader = FitsReader::open(path.as_ref())?;
        let tables: Vec<Hdu> = reader.hdus().iter().filter(|h| h.kind == HduKind::Table).cloned().collect();
        let find = |hdu: &Hdu, name: &str| {
            hdu.columns.iter().find(|c| c.name.trim().eq_ignore_ascii_case(name)).map(|c| c.name.clone())
        };
        let name_of = |hdu: &Hdu| {
            NAMES
                .iter()
                .find_map(|n| find(hdu, n).filter(|n| hdu.column(n).is_some_and(|i| hdu.columns[i].code == 'A')))
        };
        let position_of =
            |hdu: &Hdu| POSITIONS.iter().find_map(|(lon, lat, frame)| Some((find(hdu, lon)?, find(hdu, lat)?, *frame)));
        let whole = tables.iter().find_map(|hdu| Some((hdu.clone(), name_of(hdu)?, position_of(hdu)?)));
        let Some((hdu, name, (lon, lat, frame))) = whole else {
            return Err(missing(&reader, &tables, |hdu| name_of(hdu).is_some(), |hdu| position_of(hdu).is_some()));
        };
        let place = reader.place().hdu(hdu.label());
        let names = reader.text_column(hdu.index, &name)?;
        let lons = degrees(&mut reader, &hdu, &lon, &place)?;
        let lats = degrees(&mut reader, &hdu, &lat, &place)?;
        if let Some(row) = lats.iter().position(|v| v.abs() > 90.0) {
            let problem = format!("row {row} has a latitude of {} deg", lats[row]);
            return Err(Error::input_at(place.item(&lat), problem));
        }
        let positions = lons.iter().zip(&lats).map(|(lon, lat)| SkyPosition { lon_deg: *lon, lat_deg: *lat, frame });
        Ok(Self { names, positions: positions.collect(), source: [hdu.label(), name, lon, lat] })
    }
}

/// What a file lacks.
fn missing(
    reader: &FitsReader,
    tables: &[Hdu],
    has_name: impl Fn(&Hdu) -> bool,
    has_position: impl Fn(&Hdu) -> bool,
) -> Error {
    // The table that comes nearest to a catalogue is the one that the message is about.
    let best = tables.iter().max_by_key(|h| (has_position(h), has_name(h), h.columns.len(), usize::MAX - h.index));
    let Some(hdu) = best else {
        return Error::input_at(reader.place(), format!("no table in it, only [{}]", reader.names().join(", ")));
    };
    let what = match (has_name(hdu), has_position(hdu)) {
        (true, _) => "no columns of positions",
        (_, true) => "no column of names",
        _ => "neither names nor positions",
    };
    let columns: Vec<&str> = hdu.columns.iter().map(|c| c.name.as_str()).collect();
    Error::input_at(reader.place().hdu(hdu.label()), format!("{what} in [{}]", columns.join(", "))).with_help(
        "a catalogue has a column Source_Name or Name, and RA and DEC, RAJ2000 and DEJ2000, or GLON and GLAT in degrees",
    )
}

fn degrees(reader: &mut FitsReader, hdu: &Hdu, name: &str, place: &Place) -> Result<Vec<f64>> {
    let column = &hdu.columns[reader.column_index(hdu, name)?];
    let place = place.clone().item(name);
    if column.repeat != 1 || !"BIJKED".contains(column.code) {
        return Err(Error::input_at(place, "one number per row is needed"));
    }
    let unit = column.unit.trim().to_lowercase();
    if !["", "deg", "degree", "degrees"].contains(&unit.as_str()) {
        return Err(Error::input_at(place, format!("is in '{}', degrees are needed", column.unit)));
    }
    let values = reader.column::<f64>(hdu.index, name)?;
    // Gamma-cat writes what is not known as NaN, others as infinity; both have no place.
    Ok(values.into_iter().map(|v| if v.is_finite() { v } else { f64::NAN }).collect())
}
