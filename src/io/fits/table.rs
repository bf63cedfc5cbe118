//! Binary tables as tables in memory.

use std::path::Path;

use super::cfitsio::{ColumnData, MemoryWriter};
use super::check::{Hdu, HduKind};
use super::gti;
use super::header::Value;
use super::reader::FitsReader;
use super::writer::{WriteOptions, provenance, save};
use crate::error::{Error, Result};
use crate::flux::SedType;
use crate::io::atomic::check_output;
use crate::table::{Column, MetaValue, Table, Values};
use crate::time::Gti;
use crate::units::Unit;

/// Keywords that describe the table's layout and are made anew when it is written.
const STRUCTURE: [&str; 26] = [
    "XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "EXTNAME", "CHECKSUM", "DATASUM", "END", "THEAP",
    "TTYPE", "TFORM", "TUNIT", "TDIM", "TNULL", "TSCAL", "TZERO", "TDISP", "COMMENT", "HISTORY", "CONTINUE",
    "LONGSTRN", "EXTVER", "TLMIN", "TLMAX",
];

/// Reads the table of an HDU, the first one without a name.
pub fn read_table(path: &Path, bytes: Vec<u8>, hdu: Option<&str>) -> Result<Table> {
    let place = crate::error::Place::file(path);
    let mut reader = FitsReader::from_bytes(path, bytes).map_err(|e| e.at(&place))?;
    let index =
        match hdu {
            Some(name) => reader.require(name)?.index,
            None => reader.hdus().iter().find(|h| h.kind == HduKind::Table).map(|h| h.index).ok_or_else(|| {
                Error::input_at(place, format!("there is no table in [{}]", reader.names().join(", ")))
            })?,
        };
    read(&mut reader, index)
}

/// True for an HDU whose table has the columns of flux points: energies, and a flux or norm.
pub(in crate::io) fn is_flux_points(hdu: &Hdu) -> bool {
    let has = |name: &str| hdu.columns.iter().any(|c| c.name.trim().eq_ignore_ascii_case(name));
    hdu.kind == HduKind::Table
        && (has("e_ref") || (has("e_min") && has("e_max")))
        && SedType::ALL.iter().any(|sed| has(sed.stem()))
}

/// The table of flux points of a file: the HDU of this name where there is one, else the first table that has their
/// columns, else the first table.
pub fn read_flux_points_table(path: &Path, bytes: Vec<u8>, name: &str) -> Result<Table> {
    let place = crate::error::Place::file(path);
    let mut reader = FitsReader::from_bytes(path, bytes).map_err(|e| e.at(&place))?;
    let tables = || reader.hdus().iter().filter(|h| h.kind == HduKind::Table);
    let found = tables().find(|h| h.name == name).or_else(|| tables().find(|h| is_flux_points(h)));
    let index = found
        .or_else(|| tables().next())
        .map(|h| h.index)
        .ok_or_else(|| Error::input_at(place, format!("there is no table in [{}]", reader.names().join(", "))))?;
    read(&mut reader, index)
}

/// All columns of an HDU. Columns of kinds that tables in memory do not have (complex numbers, bits, arrays of varying
/// length) are left out.
pub(super) fn read(reader: &mut FitsReader, index: usize) -> Result<Table> {
    let hdu = reader.hdus()[index].clone();
    let place = reader.place().hdu(hdu.label());
    if hdu.kind != HduKind::Table {
        return Err(Error::input_at(place, "a table is needed here"));
    }
    let mut table = Table::new();
    for info in &hdu.columns {
        let name = info.name.trim();
        let repeat = info.repeat;
        let values = match info.code {
            'A' => Values::Text(reader.text_column(index, name)?),
            'L' => {
                let rows = reader.raw_column(index, name)?;
                Values::Bool(rows.concat().iter().map(|b| *b == b'T' || *b == 1).collect())
            }
            'B' | 'I' | 'J' | 'K' | 'E' | 'D' => {
                let values = reader.column::<f64>(index, name)?;
                // Whole numbers have none that is undefined (TNULL); real ones have.
                let defined = !values.iter().any(|v| v.is_nan());
                if "BIJK".contains(info.code) && defined && !is_scaled(&hdu.header, info, &hdu.columns) {
                    Values::Int(reader.column::<i64>(index, name)?)
                } else {
                    Values::Float(values)
                }
            }
            _ => continue,
        };
        if repeat == 0 || (info.code == 'A' && values.len() != hdu.rows()) {
            continue;
        }
        // Only columns that are used need a unit that is known.
        let unit = Unit::parse_or_keep(&info.unit);
        let mut column = Column::new(name, unit, values);
        if info.code != 'A' {
            let fits = info.dims.iter().product::<usize>() == repeat && !info.dims.is_empty();
            if fits {
                column = column.with_shape(info.dims.iter().rev().copied().collect())?;
            } else if repeat > 1 {
                column = column.with_shape(vec![repeat])?;
            }
        }
        table.push(column).map_err(|e| e.at(&place))?;
    }
    for (key, value) in hdu.header.cards() {
        let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
        if STRUCTURE.contains(&key.as_str()) || STRUCTURE.contains(&stem) || key.is_empty() {
            continue;
        }
        match value {
            Value::Text(t) => table.set_meta(key, t.as_str()),
            Value::Bool(b) => table.set_meta(key, MetaValue::Bool(*b)),
            Value::Int(i) => table.set_meta(key, *i),
            Value::Real(r) => table.set_meta(key, *r),
            _ => {}
        }
    }
    // Columns of times may have a scale of their own, which counts before that of the table.
    let scales: Vec<&str> = (1..=hdu.columns.len())
        .filter_map(|n| hdu.header.text(&format!("TCTYP{n}")).map(str::trim))
        .filter(|scale| ["TT", "TDT", "ET", "TAI", "IAT", "UTC", "GPS", "TDB"].contains(scale))
        .collect();
    if let Some(scale) = scales.first().filter(|first| scales.iter().all(|s| s == *first)) {
        table.set_meta("TIMESYS", *scale);
    }
    Ok(table)
}

/// True where whole numbers in the file stand for others (TSCAL, TZERO).
fn is_scaled(header: &super::header::Header, info: &super::check::Column, columns: &[super::check::Column]) -> bool {
    let number = columns.iter().position(|c| std::ptr::eq(c, info)).unwrap_or_default() + 1;
    header.real(&format!("TSCAL{number}")).is_some_and(|v| v != 1.0)
        || header.real(&format!("TZERO{number}")).is_some_and(|v| v.fract() != 0.0)
}

/// Writes tables, each an HDU of its name, and good time intervals.
pub fn write_tables(path: &Path, tables: &[(&str, &Table)], gti: Option<&Gti>, options: &WriteOptions) -> Result<()> {
    check_output(path, options.overwrite)?;
    let bytes: usize = tables.iter().flat_map(|(_, t)| t.columns()).map(|c| c.values().len() * 8).sum();
    let mut out = MemoryWriter::new(bytes + 8 * 2880)?;
    out.image(8, &[]);
    provenance(&mut out, options);
    for (name, table) in tables {
        write(&mut out, name, table);
    }
    if let Some(intervals) = gti {
        gti::write(&mut out, intervals);
    }
    save(out, path, options.overwrite)
}

/// A table's HDU.
pub(super) fn write(out: &mut MemoryWriter, name: &str, table: &Table) {
    // Headers are ASCII.
    let ascii = |text: String| text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect::<String>();
    let units: Vec<String> = table.columns().iter().map(|c| ascii(c.unit().to_string())).collect();
    let columns: Vec<(&str, &str, ColumnData<'_>)> = table
        .columns()
        .iter()
        .zip(&units)
        .map(|(column, unit)| {
            let n = column.per_row();
            let data = match column.values() {
                Values::Float(v) => ColumnData::Double(v, n),
                Values::Int(v) => ColumnData::Ints(v, n),
                Values::Bool(v) => ColumnData::Bools(v, n),
                Values::Text(v) => ColumnData::Texts(v),
            };
            (column.name(), unit.as_str(), data)
        })
        .collect();
    out.table(table.rows(), &columns);
    for (n, column) in table.columns().iter().enumerate() {
        // Arrays of one value are arrays, too: their readers count on it.
        if !column.shape().is_empty() && !matches!(column.values(), Values::Text(_)) {
            let sizes: Vec<String> = column.shape().iter().rev().map(usize::to_string).collect();
            out.text(&format!("TDIM{}", n + 1), &format!("({})", sizes.join(",")), "shape of one row");
        }
    }
    out.text("EXTNAME", name, "extension name");
    for (key, value) in table.meta() {
        if key.len() > 8 || key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            out.history(&format!("meta {key} = {value:?}"));
            continue;
        }
        let key = key.to_uppercase();
        match value {
            MetaValue::Text(t) => out.text(&key, t, ""),
            MetaValue::Int(v) => out.int(&key, *v, ""),
            MetaValue::Float(v) if v.is_finite() => out.real(&key, *v, ""),
            MetaValue::Float(v) => out.text(&key, &v.to_string(), ""),
            MetaValue::Bool(v) => out.int(&key, i64::from(*v), ""),
        }
    }
}
