//! Numbers of a table column whose rows are arrays: in the row itself, or in the heap and of any length.
//!
//! That every entry lies within the heap was found out by [`super::super::check`] when the file was opened.

use super::super::check::{Column, Hdu, HduKind, big_endian};
use super::super::reader::FitsReader;
use crate::error::{Error, Place, Result};

/// Where the array of a row is.
#[derive(Debug, Clone, Copy)]
enum Layout {
    /// In the row, with so many elements.
    Row(usize),
    /// In the heap, which starts at a byte of the data; the row has count and offset, each of so many bytes.
    Heap { start: usize, entry: usize },
}

/// A column, row by row.
pub(super) struct Cells<'a> {
    data: &'a [u8],
    place: Place,
    rows: usize,
    row_bytes: usize,
    offset: usize,
    code: char,
    layout: Layout,
    scale: f64,
    zero: f64,
}

/// Bytes of one element.
fn size(code: char) -> usize {
    match code {
        'I' => 2,
        'J' | 'E' => 4,
        'K' | 'D' => 8,
        _ => 1,
    }
}

impl<'a> Cells<'a> {
    /// The column of that name.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none, or none of numbers.
    pub(super) fn open(reader: &'a FitsReader, index: usize, name: &str) -> Result<Self> {
        let hdu = &reader.hdus()[index];
        let place = reader.place().hdu(hdu.label()).item(name);
        let column = reader.column_index(hdu, name)?;
        let info = &hdu.columns[column];
        let (code, layout) = layout(hdu, column, info);
        if hdu.kind != HduKind::Table || !"LBIJKED".contains(code) {
            return Err(Error::input_at(place, format!("a column of numbers is needed, not of '{code}'")));
        }
        let key = |key: &str, default: f64| hdu.header.real(&format!("{key}{}", column + 1)).unwrap_or(default);
        Ok(Self {
            data: reader.data(index)?,
            place,
            rows: hdu.rows(),
            row_bytes: hdu.dims.first().copied().unwrap_or(0),
            offset: info.offset,
            code,
            layout,
            scale: key("TSCAL", 1.0),
            zero: key("TZERO", 0.0),
        })
    }

    /// The column, for messages.
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    /// The bytes of a row's array; none where a descriptor points nowhere.
    fn bytes(&self, row: usize) -> &'a [u8] {
        let at = row * self.row_bytes + self.offset;
        let part = |from: usize, count: usize| {
            let to = count.checked_mul(size(self.code)).and_then(|bytes| from.checked_add(bytes))?;
            self.data.get(from..to)
        };
        let found = match self.layout {
            Layout::Row(count) => part(at, count),
            Layout::Heap { start, entry } => self.data.get(at..at + 2 * entry).and_then(|descriptor| {
                let count = usize::try_from(big_endian(&descriptor[..entry])).ok()?;
                let offset = usize::try_from(big_endian(&descriptor[entry..])).ok()?;
                part(start.checked_add(offset)?, count)
            }),
        };
        found.unwrap_or_default()
    }

    /// Elements in a row.
    pub(super) fn len(&self, row: usize) -> usize {
        self.bytes(row).len() / size(self.code)
    }

    fn number(&self, bytes: &[u8]) -> f64 {
        let raw = match (self.code, bytes) {
            ('L', [b]) => f64::from(u8::from(*b == b'T' || *b == 1)),
            ('B', [b]) => f64::from(*b),
            ('I', [a, b]) => f64::from(i16::from_be_bytes([*a, *b])),
            ('J', [a, b, c, d]) => f64::from(i32::from_be_bytes([*a, *b, *c, *d])),
            ('E', [a, b, c, d]) => f64::from(f32::from_be_bytes([*a, *b, *c, *d])),
            ('K', bytes) => big_endian(bytes) as f64,
            ('D', [a, b, c, d, e, f, g, h]) => f64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            _ => f64::NAN,
        };
        raw * self.scale + self.zero
    }

    /// The first `count` elements of a row.
    ///
    /// # Errors
    /// [`Error::Input`] where there are fewer.
    pub(super) fn first(&self, row: usize, count: usize) -> Result<Vec<f64>> {
        let there = self.len(row);
        if there < count {
            let problem = format!("row {row}: {there} elements where {count} are needed");
            return Err(Error::input_at(self.place(), problem));
        }
        Ok(self.bytes(row).chunks_exact(size(self.code)).take(count).map(|b| self.number(b)).collect())
    }

    /// The one number of each row.
    ///
    /// # Errors
    /// [`Error::Input`] for rows with none or several.
    pub(super) fn scalars(&self) -> Result<Vec<f64>> {
        if let Some(row) = (0..self.rows).find(|row| self.len(*row) != 1) {
            let problem = format!("row {row} has {} elements, one per row is needed", self.len(row));
            return Err(Error::input_at(self.place(), problem));
        }
        (0..self.rows).map(|row| self.first(row, 1).map(|v| v[0])).collect()
    }
}

/// Type of the elements and where they are.
fn layout(hdu: &Hdu, column: usize, info: &Column) -> (char, Layout) {
    let entry = match info.code {
        'P' => 4,
        'Q' => 8,
        code => return (code, Layout::Row(info.repeat)),
    };
    let tform = hdu.header.text(&format!("TFORM{}", column + 1)).unwrap_or_default();
    let code = tform.trim().trim_start_matches(|c: char| c.is_ascii_digit()).chars().nth(1).unwrap_or('?');
    if info.repeat == 0 {
        return (code, Layout::Row(0));
    }
    let table = hdu.dims.iter().product::<usize>();
    let start = hdu.header.int("THEAP").and_then(|v| usize::try_from(v).ok()).unwrap_or(table);
    (code, Layout::Heap { start, entry })
}

/// The one number that each row of a column has.
pub(super) fn numbers(reader: &FitsReader, index: usize, name: &str) -> Result<Vec<f64>> {
    Cells::open(reader, index, name)?.scalars()
}

/// A number that counts something, from 0 to `most`.
pub(super) fn whole(value: f64, most: usize) -> Option<usize> {
    (value >= 0.0 && value <= most as f64 && value.fract() == 0.0).then_some(value as usize)
}
