//! Good time intervals.

use std::path::Path;

use super::cfitsio::{ColumnData, MemoryWriter};
use super::check::HduKind;
use super::header::{Header, Value};
use super::reader::FitsReader;
use crate::error::{Error, Place, Result};
use crate::time::{Gti, TimeReference};
use crate::units::Unit;

impl Gti {
    /// Reads the HDU `GTI` of a file.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none, or its columns or time reference are missing or damaged.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let mut reader = FitsReader::open(path.as_ref())?;
        let index = reader.require("GTI")?.index;
        read(&mut reader, index)
    }
}

/// Good time intervals. Those of no length stay: [`MapDataset::check`](crate::datasets::MapDataset::check) says so.
pub(super) fn read(reader: &mut FitsReader, index: usize) -> Result<Gti> {
    let hdu = reader.hdus()[index].clone();
    let place = reader.place().hdu(hdu.label());
    let zero = time_zero_s(&hdu.header, &place)?;
    let mut seconds = |name: &str| -> Result<Vec<f64>> {
        let column = reader.column_index(&hdu, name)?;
        // Gammapy: the unit of the column, else TIMEUNIT, else seconds.
        let text = match hdu.columns[column].unit.trim() {
            "" => hdu.header.text("TIMEUNIT").map(str::trim).filter(|t| !t.is_empty()).unwrap_or("s"),
            unit => unit,
        };
        let factor = text.parse::<Unit>().and_then(|u| u.factor_to_text("s")).map_err(|e| {
            Error::input_at(place.clone().item(name), format!("'{text}' is not a unit of time: {e}"))
                .with_help("set the unit of the column (TUNITn) to s or d")
        })?;
        let values = reader.column::<f64>(index, name)?;
        Ok(values.into_iter().map(|v| if factor == 1.0 && zero == 0.0 { v } else { v * factor + zero }).collect())
    };
    let (start, stop) = (seconds("START")?, seconds("STOP")?);
    for (row, (a, b)) in start.iter().zip(&stop).enumerate() {
        if !(a.is_finite() && b.is_finite() && a <= b) {
            let what = if a > b { "it ends before it starts" } else { "it is not a time" };
            return Err(Error::input_at(place.item("STOP"), format!("row {row}: the interval {a} to {b} s: {what}")));
        }
    }
    let Some(reference) = time_reference_of(reader, index) else {
        return Err(Error::input_at(place.item("MJDREFI"), "the reference of the times is missing")
            .with_help("set MJDREFI and MJDREFF, or MJDREF, in the header of the table"));
    };
    Ok(Gti { intervals: start.into_iter().zip(stop).collect(), reference })
}

/// What is added to all times of a table in seconds: TIMEZERO, or TIMEZERI and TIMEZERF.
pub(super) fn time_zero_s(header: &Header, place: &Place) -> Result<f64> {
    let real = |key: &str| header.real(key).filter(|v| v.is_finite());
    let zero = real("TIMEZERO").or_else(|| real("TIMEZERI").map(|whole| whole + real("TIMEZERF").unwrap_or(0.0)));
    let Some(zero) = zero.filter(|v| *v != 0.0) else { return Ok(0.0) };
    let text = header.text("TIMEUNIT").map(str::trim).filter(|t| !t.is_empty()).unwrap_or("s");
    let factor = text.parse::<Unit>().and_then(|u| u.factor_to_text("s"));
    factor.map(|f| zero * f).map_err(|_| {
        Error::input_at(place.clone().item("TIMEUNIT"), format!("'{text}' is not a unit of time, which TIMEZERO needs"))
    })
}

/// The reference of the times of an HDU: of its header, else of the primary one, else the one that all other tables agree
/// upon.
pub(super) fn time_reference_of(reader: &FitsReader, index: usize) -> Option<TimeReference> {
    let own = &reader.hdus()[index].header;
    if let Some(reference) = time_reference(own) {
        return Some(reference);
    }
    // What the table itself says of its times counts before what stands elsewhere.
    let with = |header: &Header| {
        let get = |key: &str| keyword(own, key).or_else(|| keyword(header, key));
        TimeReference::from_keywords(get, DEFAULT_SCALE)
    };
    // Headers of images say MJDREF = 0 of their own coordinates, whatever the times of tables are.
    let first = reader.hdus().first().filter(|h| !h.has_image());
    if let Some(reference) = first.and_then(|h| with(&h.header)) {
        return Some(reference);
    }
    let tables = reader.hdus().iter().filter(|h| h.kind == HduKind::Table);
    let mut others = tables.filter_map(|h| with(&h.header));
    let first = others.next()?;
    others.all(|r| r == first).then_some(first)
}

/// Gammapy's time scale of files that name none.
const DEFAULT_SCALE: &str = "tt";

/// A keyword as text, whatever its kind.
fn keyword(header: &Header, key: &str) -> Option<String> {
    match header.get(key)? {
        Value::Text(text) => Some(header.real(key).map_or_else(|| text.clone(), |v| v.to_string())),
        Value::Int(v) => Some(v.to_string()),
        Value::Real(v) => Some(v.to_string()),
        _ => None,
    }
}

/// The reference of times that a header gives; `None` without MJDREFI, MJDREF, JDREF or DATEREF.
pub(super) fn time_reference(header: &Header) -> Option<TimeReference> {
    TimeReference::from_keywords(|key| keyword(header, key), DEFAULT_SCALE)
}

/// The keywords of a reference.
pub(super) fn write_reference(out: &mut MemoryWriter, reference: &TimeReference) {
    out.int("MJDREFI", reference.mjdrefi, "[d] reference, integer part");
    out.real("MJDREFF", reference.mjdreff, "[d] reference, fraction");
    out.text("TIMESYS", &reference.timesys, "time scale");
    if let Some(timeref) = &reference.timeref {
        out.text("TIMEREF", timeref, "time reference");
    }
}

pub(super) fn write(out: &mut MemoryWriter, gti: &Gti) {
    let (start, stop): (Vec<f64>, Vec<f64>) = gti.intervals.iter().filter(|(a, b)| a < b).copied().unzip();
    out.table(
        start.len(),
        &[("START", "s", ColumnData::Double(&start, 1)), ("STOP", "s", ColumnData::Double(&stop, 1))],
    );
    out.text("EXTNAME", "GTI", "extension name");
    write_reference(out, &gti.reference);
}
