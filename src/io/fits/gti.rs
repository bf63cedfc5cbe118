//! Good time intervals.

use std::path::Path;

use super::cfitsio::{ColumnData, MemoryWriter};
use super::header::Header;
use super::reader::FitsReader;
use crate::error::{Error, Result};
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

pub(super) fn read(reader: &mut FitsReader, index: usize) -> Result<Gti> {
    let hdu = reader.hdus()[index].clone();
    let place = reader.place().hdu(hdu.label());
    let mut seconds = |name: &str| -> Result<Vec<f64>> {
        let column = reader.column_index(&hdu, name)?;
        // Gammapy: the unit of the column, else TIMEUNIT, else seconds.
        let text = match hdu.columns[column].unit.as_str() {
            "" => hdu.header.text("TIMEUNIT").unwrap_or("s"),
            unit => unit,
        };
        let place = || place.clone().item(name);
        let factor = text
            .parse::<Unit>()
            .and_then(|u| u.factor_to_text("s"))
            .map_err(|_| Error::input_at(place(), format!("'{text}' is no unit of time")))?;
        Ok(reader.column::<f64>(index, name)?.into_iter().map(|v| v * factor).collect())
    };
    let (start, stop) = (seconds("START")?, seconds("STOP")?);
    for (row, (a, b)) in start.iter().zip(&stop).enumerate() {
        if !(a.is_finite() && b.is_finite() && a <= b) {
            return Err(Error::input_at(
                place.item("STOP"),
                format!("row {row}: the interval {a} to {b} s is no time"),
            ));
        }
    }
    let Some(reference) = time_reference(&hdu.header) else {
        return Err(Error::input_at(place.item("MJDREFI"), "the reference of the times is missing")
            .with_help("set MJDREFI and MJDREFF in the header of the table"));
    };
    Ok(Gti { intervals: start.into_iter().zip(stop).collect(), reference })
}

/// The reference of times that a header gives; `None` without MJDREFI or MJDREF.
pub(super) fn time_reference(header: &Header) -> Option<TimeReference> {
    let real = |key: &str| header.real(key).filter(|v| v.is_finite());
    let (mjdrefi, mjdreff) = match (real("MJDREFI"), real("MJDREFF"), real("MJDREF")) {
        (Some(i), f, _) => (i.trunc() as i64, i.fract() + f.unwrap_or(0.0)),
        (None, _, Some(mjd)) => (mjd.trunc() as i64, mjd.fract()),
        (None, ..) => return None,
    };
    let text = |key: &str| header.text(key).map(str::trim).filter(|t| !t.is_empty()).map(str::to_string);
    let timesys = text("TIMESYS").unwrap_or(TimeReference::default().timesys);
    Some(TimeReference { mjdrefi, mjdreff, timesys, timeref: text("TIMEREF") })
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
    let (start, stop): (Vec<f64>, Vec<f64>) = gti.intervals.iter().copied().unzip();
    out.table(
        start.len(),
        &[("START", "s", ColumnData::Double(&start, 1)), ("STOP", "s", ColumnData::Double(&stop, 1))],
    );
    out.text("EXTNAME", "GTI", "extension name");
    write_reference(out, &gti.reference);
}
