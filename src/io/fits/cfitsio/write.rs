//! A file that is being written in memory.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

use fitsio::{FileOpenMode, FitsFile};
use fitsio_sys as sys;

use super::super::check::BLOCK;
use super::block::{grow, release, reserve};
use super::{Pixel, checked};
use crate::error::{Error, Place, Result};

/// Step in which the library lets a file in memory grow. It cuts the file after each HDU, so what is not yet written is
/// made and thrown away as often; the memory itself is set aside once, see [`reserve`].
const GROWTH_BYTES: usize = 1 << 20;

/// A column to write.
#[derive(Clone, Copy)]
pub(in crate::io::fits) enum ColumnData<'a> {
    /// `K`
    Int(&'a [i64]),
    /// `K`, with so many values per row.
    Ints(&'a [i64], usize),
    /// `I`
    Short(&'a [i16]),
    /// `J`
    Whole(&'a [i32]),
    /// `PJ`: a list of any length per row.
    WholeLists(&'a [Vec<i32>]),
    /// `PE`: a list of any length per row.
    SingleLists(&'a [Vec<f32>]),
    /// `L`, with so many values per row.
    Bools(&'a [bool], usize),
    /// `E`, with so many values per row.
    Single(&'a [f32], usize),
    /// `D`, with so many values per row.
    Double(&'a [f64], usize),
    /// `nB`, one row.
    Bytes(&'a [u8]),
    /// `nA`, as wide as the longest; printable ASCII.
    Texts(&'a [String]),
}

/// A file that is being written in memory.
pub(in crate::io::fits) struct MemoryWriter {
    /// Closes the file, after which `fptr` is not used any more.
    file: Option<FitsFile>,
    fptr: *mut sys::fitsfile,
    pinned: Box<(*mut c_void, usize)>,
    status: c_int,
    hdus: usize,
}

impl MemoryWriter {
    /// An empty file that expects about `bytes`.
    pub(in crate::io::fits) fn new(bytes: usize) -> Result<Self> {
        // The library takes the first allocation for a file that exists and looks for HDUs in it: one empty block.
        let size = BLOCK;
        let start = reserve(size, bytes.saturating_add(GROWTH_BYTES));
        if start.is_null() {
            return Err(Error::Memory {
                what: "writing a file".into(),
                needed_bytes: bytes as u64,
                available_bytes: 0,
            });
        }
        let mut pinned = Box::new((start, size));
        let mut fptr: *mut sys::fitsfile = ptr::null_mut();
        let mut status = 0;
        // SAFETY: address and size are boxed and outlive the file; the memory is `grow`'s, which may move it.
        unsafe {
            sys::ffimem(&mut fptr, &mut pinned.0, &mut pinned.1, GROWTH_BYTES, Some(grow), &mut status);
        }
        let mut out = Self { file: None, fptr, pinned, status, hdus: 0 };
        checked(status, &Place::default())?;
        // SAFETY: `fptr` is open, and only this owner closes it.
        let file = unsafe { FitsFile::from_raw(fptr, FileOpenMode::READWRITE) };
        out.file = Some(file.map_err(|e| Error::input("memory", format!("FITS library: {e}")))?);
        Ok(out)
    }

    /// Checksums of the HDU that was written last.
    fn seal(&mut self) {
        if self.hdus > 0 {
            // SAFETY: `fptr` is open, the status carries earlier errors.
            unsafe { sys::ffpcks(self.fptr, &mut self.status) };
        }
        self.hdus += 1;
    }

    /// Begins an image HDU; `sizes` are NAXISn, x first.
    pub(in crate::io::fits) fn image(&mut self, bitpix: c_int, sizes: &[usize]) {
        self.seal();
        let mut sizes: Vec<sys::LONGLONG> = sizes.iter().map(|n| *n as sys::LONGLONG).collect();
        // SAFETY: `sizes` has as many entries as are announced.
        unsafe {
            sys::ffcrimll(self.fptr, bitpix, sizes.len() as c_int, sizes.as_mut_ptr(), &mut self.status);
        }
    }

    /// The values of the image that was begun.
    pub(in crate::io::fits) fn values<T: Pixel>(&mut self, values: &[T]) {
        // SAFETY: the library reads `len` values of the type that CODE names and does not write them.
        unsafe {
            sys::ffppr(
                self.fptr,
                T::CODE,
                1,
                values.len() as sys::LONGLONG,
                values.as_ptr().cast_mut().cast(),
                &mut self.status,
            );
        }
    }

    /// A table HDU with its columns: name, unit, values.
    pub(in crate::io::fits) fn table(&mut self, rows: usize, columns: &[(&str, &str, ColumnData<'_>)]) {
        self.seal();
        let names: Vec<CString> = columns.iter().map(|c| c_text(c.0)).collect();
        let units: Vec<CString> = columns.iter().map(|c| c_text(c.1)).collect();
        let formats: Vec<CString> = columns
            .iter()
            .map(|c| match &c.2 {
                ColumnData::Int(_) => "K".to_string(),
                ColumnData::Ints(_, n) => format!("{n}K"),
                ColumnData::Short(_) => "I".to_string(),
                ColumnData::Whole(_) => "J".to_string(),
                ColumnData::WholeLists(rows) => format!("PJ({})", longest(rows)),
                ColumnData::SingleLists(rows) => format!("PE({})", longest(rows)),
                ColumnData::Bools(_, n) => format!("{n}L"),
                ColumnData::Texts(list) => format!("{}A", list.iter().map(String::len).max().unwrap_or(0).max(1)),
                ColumnData::Single(_, n) => format!("{n}E"),
                ColumnData::Double(_, n) => format!("{n}D"),
                ColumnData::Bytes(b) => format!("{}B", b.len()),
            })
            .map(|f| c_text(&f))
            .collect();
        let pointers = |list: &[CString]| -> Vec<*mut c_char> { list.iter().map(|s| s.as_ptr().cast_mut()).collect() };
        let (mut names_p, mut formats_p, mut units_p) = (pointers(&names), pointers(&formats), pointers(&units));
        // SAFETY: three lists of as many NUL-terminated strings as columns are announced, which the library only reads.
        unsafe {
            sys::ffcrtb(
                self.fptr,
                sys::BINARY_TBL as c_int,
                rows as sys::LONGLONG,
                columns.len() as c_int,
                names_p.as_mut_ptr(),
                formats_p.as_mut_ptr(),
                units_p.as_mut_ptr(),
                ptr::null(),
                &mut self.status,
            );
        }
        for (n, (_, _, data)) in columns.iter().enumerate() {
            let column = n as c_int + 1;
            match data {
                ColumnData::Int(v) | ColumnData::Ints(v, _) => self.put(column, v),
                ColumnData::Short(v) => self.put(column, v),
                ColumnData::Whole(v) => self.put(column, v),
                ColumnData::WholeLists(rows) => self.put_lists(column, rows),
                ColumnData::SingleLists(rows) => self.put_lists(column, rows),
                ColumnData::Bools(v, _) => self.put_bools(column, v),
                ColumnData::Single(v, _) => self.put(column, v),
                ColumnData::Double(v, _) => self.put(column, v),
                ColumnData::Bytes(v) => self.put(column, v),
                ColumnData::Texts(list) => self.put_texts(column, list.iter().map(String::as_str)),
            }
        }
    }

    /// The strings of a column, one per row.
    fn put_texts<'a>(&mut self, column: c_int, texts: impl Iterator<Item = &'a str>) {
        let texts: Vec<CString> = texts.map(c_text).collect();
        let mut list: Vec<*mut c_char> = texts.iter().map(|t| t.as_ptr().cast_mut()).collect();
        if list.is_empty() {
            return;
        }
        // SAFETY: as many NUL-terminated strings as are announced, which the library only reads.
        unsafe {
            let n = list.len() as sys::LONGLONG;
            sys::ffpcls(self.fptr, column, 1, 1, n, list.as_mut_ptr(), &mut self.status);
        }
    }

    /// The truth values of a column.
    fn put_bools(&mut self, column: c_int, values: &[bool]) {
        let mut bytes: Vec<c_char> = values.iter().map(|v| c_char::from(*v)).collect();
        if bytes.is_empty() {
            return;
        }
        // SAFETY: as many values of 0 and 1 as are announced, which the library only reads.
        unsafe {
            let n = bytes.len() as sys::LONGLONG;
            sys::ffpcll(self.fptr, column, 1, 1, n, bytes.as_mut_ptr(), &mut self.status);
        }
    }

    /// One list per row, into the heap; an empty one is a descriptor of 0.
    fn put_lists<T: Pixel>(&mut self, column: c_int, rows: &[Vec<T>]) {
        for (n, row) in rows.iter().enumerate() {
            self.put_from(column, n as sys::LONGLONG + 1, row);
        }
    }

    fn put<T: Pixel>(&mut self, column: c_int, values: &[T]) {
        self.put_from(column, 1, values);
    }

    /// Values from a row (counted from 1) on.
    fn put_from<T: Pixel>(&mut self, column: c_int, row: sys::LONGLONG, values: &[T]) {
        if values.is_empty() {
            return;
        }
        // SAFETY: the library reads `len` values of the type that CODE names and does not write them.
        unsafe {
            sys::ffpcl(
                self.fptr,
                T::CODE,
                column,
                row,
                1,
                values.len() as sys::LONGLONG,
                values.as_ptr().cast_mut().cast(),
                &mut self.status,
            );
        }
    }

    /// A string keyword of any length.
    pub(in crate::io::fits) fn text(&mut self, key: &str, value: &str, comment: &str) {
        let (key, value, comment) = (c_text(key), c_text(value), c_text(comment));
        // SAFETY: three NUL-terminated strings that the library only reads.
        unsafe { sys::ffpkls(self.fptr, key.as_ptr(), value.as_ptr(), comment.as_ptr(), &mut self.status) };
    }

    /// An integer keyword.
    pub(in crate::io::fits) fn int(&mut self, key: &str, value: i64, comment: &str) {
        self.card(&format!("{key:8}= {value:>20} / {comment}"));
    }

    /// A logical keyword.
    pub(in crate::io::fits) fn flag(&mut self, key: &str, value: bool, comment: &str) {
        self.card(&format!("{key:8}= {:>20} / {comment}", if value { "T" } else { "F" }));
    }

    /// A real keyword with as many digits as bring back the same number.
    pub(in crate::io::fits) fn real(&mut self, key: &str, value: f64, comment: &str) {
        // `{:?}` is the shortest text that reads as the same f64, e.g. 0.05, 1e-12.
        let text = format!("{value:?}").replace('e', "E");
        let text = match text.split_once('E') {
            Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
            _ => text,
        };
        self.card(&format!("{key:8}= {text:>20} / {comment}"));
    }

    /// One line of history; longer ones take several cards.
    pub(in crate::io::fits) fn history(&mut self, line: &str) {
        let line = c_text(line);
        // SAFETY: a NUL-terminated string that the library only reads.
        unsafe { sys::ffphis(self.fptr, line.as_ptr(), &mut self.status) };
    }

    fn card(&mut self, card: &str) {
        let short: String = card.chars().take(80).collect();
        let card = c_text(short.trim_end().trim_end_matches('/'));
        // SAFETY: a NUL-terminated string of at most 80 characters that the library only reads.
        unsafe { sys::ffprec(self.fptr, card.as_ptr(), &mut self.status) };
    }

    /// The finished file.
    pub(in crate::io::fits) fn finish(mut self) -> Result<Finished> {
        self.seal();
        let (mut head, mut data, mut end) = (0, 0, 0);
        // SAFETY: `fptr` is open; all pointers are to locals of the right type.
        unsafe {
            sys::ffflus(self.fptr, &mut self.status);
            sys::ffghadll(self.fptr, &mut head, &mut data, &mut end, &mut self.status);
        }
        let status = self.status;
        self.close();
        let file = Finished { start: self.pinned.0, len: usize::try_from(end).unwrap_or(0).min(self.pinned.1) };
        self.pinned.0 = ptr::null_mut();
        checked(status, &Place::default())?;
        Ok(file)
    }

    /// Closes the file; its memory stays ours.
    fn close(&mut self) {
        self.file = None;
        self.fptr = ptr::null_mut();
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        self.close();
        // SAFETY: `grow`'s memory or null after `finish`.
        unsafe { release(self.pinned.0) };
    }
}

/// A finished file.
pub(in crate::io::fits) struct Finished {
    start: *mut c_void,
    len: usize,
}

impl std::ops::Deref for Finished {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `len` bytes were written behind `start`, which is allocated until drop.
        unsafe { std::slice::from_raw_parts(self.start.cast::<u8>(), self.len) }
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        // SAFETY: allocated by `grow`, freed once.
        unsafe { release(self.start) };
    }
}

/// Text for the C library: printable ASCII, everything else becomes `?`.
fn c_text(text: &str) -> CString {
    let clean: Vec<u8> = text.bytes().map(|b| if (0x20..0x7f).contains(&b) { b } else { b'?' }).collect();
    CString::new(clean).unwrap_or_default()
}

/// Length of the longest list.
fn longest<T>(rows: &[Vec<T>]) -> usize {
    rows.iter().map(Vec::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::fits::reader::FitsReader;
    use std::path::Path;

    #[test]
    fn numbers_come_back_as_they_were() {
        let values = [0.05, 0.1 + 0.2, 1e-12, -1.0, 5e-324, f64::MAX, 51910.0, 7.428703703703703e-4];
        let mut out = MemoryWriter::new(0).unwrap();
        out.image(8, &[]);
        for (n, v) in values.iter().enumerate() {
            out.real(&format!("V{n}"), *v, "a number");
        }
        let long = "it's ".repeat(60);
        out.text("LONG", &long, "a long text");
        out.history(&long);
        let reader = FitsReader::from_bytes(Path::new("a"), out.finish().unwrap().to_vec()).unwrap();
        for (n, v) in values.iter().enumerate() {
            assert_eq!(reader.primary().real(&format!("V{n}")), Some(*v));
        }
        assert_eq!(reader.primary().text("LONG"), Some(long.trim_end()));
        assert!(reader.primary().history().len() > 1);
    }

    /// One C library, several threads.
    #[test]
    fn files_are_written_in_parallel() {
        // SAFETY: only returns how the library was built.
        assert_eq!(unsafe { sys::fits_is_reentrant() }, 1);
        let write = || {
            let mut out = MemoryWriter::new(1000).unwrap();
            out.image(32, &[40, 100]);
            out.values(&(0..4000).collect::<Vec<i32>>());
            out.finish().unwrap().to_vec()
        };
        let expected = write();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| assert_eq!(write(), expected)));
            }
        });
    }
}
