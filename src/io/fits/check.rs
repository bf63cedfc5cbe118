//! A walk over all headers of a FITS file, before any other code sees it.
//!
//! Everything that passes here has data within the file, columns that fill their rows, variable-length entries within
//! their heap, and compressed images that are no larger than the file can hold.

use std::borrow::Cow;

use crate::error::{Error, Place, Result, warnings};

use super::header::{CARD, Header};
use super::keys::Keys;
use super::tiles::Plan;
use super::values::Scaling;

/// FITS files are made of blocks of this many bytes.
pub(super) const BLOCK: usize = 2880;

/// Images with more dimensions are refused.
pub(super) const MAX_NAXIS: i64 = 16;

/// A table whose rows are empty may have so many of them: nothing in the file bounds their number.
const MAX_EMPTY_ROWS: u64 = 1 << 16;

/// Headers do not get longer than this; one without an end is not looked for beyond.
const MAX_HEADER: usize = 64 << 20;

/// Filling behind the last HDU is not longer than this; a stream may have no end.
const MAX_FILLING: usize = 128 << 20;

/// What an HDU holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HduKind {
    /// An image; without data if it has no axes or an empty one.
    Image,
    /// A binary table.
    Table,
    /// A tile-compressed image (stored as a binary table).
    CompressedImage,
    /// An ASCII table or an unknown extension; its size is checked, nothing else.
    Other,
}

/// A column of a binary table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// TTYPE.
    pub name: String,
    /// TUNIT; empty if there is none.
    pub unit: String,
    /// Letter of TFORM: L, X, B, I, J, K, A, E, D, C, M, P, Q.
    pub code: char,
    /// Elements per row (bytes for strings).
    pub repeat: usize,
    /// Bytes in a row.
    pub bytes: usize,
    /// First byte in a row.
    pub offset: usize,
    /// TDIM, the fastest dimension first; empty if there is none.
    pub dims: Vec<usize>,
}

/// One header and data unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Hdu {
    /// Number in the file, from 0.
    pub index: usize,
    /// EXTNAME in upper case, `"PRIMARY"` for the first HDU without one, else empty.
    pub name: String,
    /// What it holds.
    pub kind: HduKind,
    /// Its keywords.
    pub header: Header,
    /// BITPIX (ZBITPIX of a compressed image).
    pub bitpix: i64,
    /// NAXISn of an image (ZNAXISn of a compressed one), or bytes per row and rows of a table.
    pub dims: Vec<usize>,
    /// Columns of a binary table.
    pub columns: Vec<Column>,
    /// First byte of the header in the file.
    pub header_start: usize,
    /// First byte of the data.
    pub data_start: usize,
    /// Bytes of data, without the filling of the last block.
    pub data_bytes: usize,
}

impl Hdu {
    /// Name, or number where it has none: how messages call it.
    pub fn label(&self) -> String {
        if self.name.is_empty() { self.index.to_string() } else { self.name.clone() }
    }

    /// True for images with at least one value.
    pub fn has_image(&self) -> bool {
        matches!(self.kind, HduKind::Image | HduKind::CompressedImage)
            && !self.dims.is_empty()
            && self.dims.iter().all(|n| *n > 0)
    }

    /// Number of values of an image; its product is known to fit.
    pub fn values(&self) -> usize {
        if self.has_image() { self.dims.iter().product() } else { 0 }
    }

    /// Rows of a table.
    pub fn rows(&self) -> usize {
        self.dims.get(1).copied().unwrap_or(0)
    }

    /// The number (from 0) of a column, by name in any case.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// End of the data in the file, without filling.
    pub(super) fn data_end(&self) -> usize {
        self.data_start + self.data_bytes
    }

    /// End of the last block of the data.
    pub(super) fn end(&self) -> usize {
        self.data_end().div_ceil(BLOCK).saturating_mul(BLOCK)
    }
}

/// The bytes of an uncompressed FITS file, which the walk asks for from the first to the last: a file in memory lends
/// them, one on a disk reads what it must.
pub(super) trait Source {
    /// Up to `len` bytes from `start` on, fewer at the end of the file.
    fn get(&mut self, start: usize, len: usize) -> Result<Cow<'_, [u8]>>;

    /// How many bytes the file has; where it has more than `needed`, any number from there on.
    fn len_up_to(&mut self, needed: u64) -> Result<u64>;

    /// Called for each HDU whose header is sound and whose data are there, before the walk goes on behind it.
    fn passed(&mut self, hdu: &Hdu) -> Result<()>;
}

/// A file in memory: what its HDUs hold is checked on the way.
struct Memory<'a>(&'a [u8]);

impl Source for Memory<'_> {
    fn get(&mut self, start: usize, len: usize) -> Result<Cow<'_, [u8]>> {
        let rest = self.0.get(start..).unwrap_or_default();
        Ok(Cow::Borrowed(&rest[..len.min(rest.len())]))
    }

    fn len_up_to(&mut self, _needed: u64) -> Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn passed(&mut self, hdu: &Hdu) -> Result<()> {
        check_data(hdu, &self.0[hdu.header_start..hdu.end().min(self.0.len())])
    }
}

/// Checks every header of an uncompressed FITS file against its length and returns what is in it.
///
/// # Errors
/// [`Error::Input`] that names the HDU and the keyword: truncated files, sizes that do not fit, rows that their
/// columns do not fill, entries outside their heap, checksums that do not match.
pub fn check_bytes(bytes: &[u8]) -> Result<Vec<Hdu>> {
    walk(&mut Memory(bytes))
}

/// Checks every header of a file and returns what is in it.
pub(super) fn walk(source: &mut impl Source) -> Result<Vec<Hdu>> {
    let first = source.get(0, BLOCK)?;
    if first.is_empty() {
        return Err(Error::input("size", "the file is empty"));
    }
    if !first.starts_with(b"SIMPLE  =") {
        return Err(Error::input("SIMPLE", "this is not a FITS file: it does not start with SIMPLE"));
    }
    let mut hdus: Vec<Hdu> = Vec::new();
    let mut start = 0usize;
    loop {
        let first = source.get(start, 8)?;
        if first.is_empty() {
            return Ok(hdus);
        }
        if !hdus.is_empty() && first.as_ref() != b"XTENSION" {
            if only_filling(source, start)? {
                return Ok(hdus);
            }
            return Err(Error::input_at(
                Place::default().hdu(hdus.len().to_string()),
                format!("no header follows at byte {start}: 'XTENSION' is missing there"),
            )
            .with_help("the file is damaged; get it again from where it came from"));
        }
        let hdu = read_hdu(source, start, hdus.len())?;
        source.passed(&hdu)?;
        start = hdu.end();
        hdus.push(hdu);
    }
}

/// True where nothing but zeros and blanks follows.
fn only_filling(source: &mut impl Source, start: usize) -> Result<bool> {
    let mut at = start;
    loop {
        let part = source.get(at, 1 << 20)?;
        if part.iter().any(|b| *b != 0 && *b != b' ') {
            return Ok(false);
        }
        if part.is_empty() {
            return Ok(true);
        }
        at += part.len();
        if at - start > MAX_FILLING {
            let problem = format!("more than {MAX_FILLING} bytes follow the last HDU");
            return Err(Error::input("size", problem).with_help("cut off what belongs to no HDU"));
        }
    }
}

/// Checks the bytes of one HDU, from its header on, that were found to be `expected` before: the same header, with
/// sound data. `None` where it is another one.
///
/// # Errors
/// [`Error::Input`] for entries outside of their heap and checksums that do not match.
pub(super) fn check_again(expected: &Hdu, bytes: &[u8]) -> Result<Option<Hdu>> {
    let Ok(found) = read_hdu(&mut Memory(bytes), 0, expected.index) else { return Ok(None) };
    let mut same = expected.clone();
    (same.header_start, same.data_start) = (0, expected.data_start - expected.header_start);
    if found != same {
        return Ok(None);
    }
    check_data(&found, &bytes[..found.end().min(bytes.len())])?;
    Ok(Some(found))
}

/// Checks what an HDU holds, given its bytes from the header to the end of the last block (or of the file).
fn check_data(hdu: &Hdu, bytes: &[u8]) -> Result<()> {
    let data = bytes.get(hdu.data_start - hdu.header_start..).unwrap_or_default();
    if !hdu.columns.is_empty() {
        check_heap(hdu, &data[..hdu.data_bytes.min(data.len())])?;
    }
    verify_checksums(hdu, &bytes[..bytes.len() - data.len()], data)
}

fn truncated(place: Place, needed: u64, there: u64) -> Error {
    Error::input_at(place, format!("the file is truncated: {needed} bytes are needed, {there} are there"))
        .with_help("the file was not copied or written to its end; get it again")
}

/// Bytes of the header that starts there, with its END; `None` where there is no end.
fn header_bytes(source: &mut impl Source, start: usize) -> Result<Option<usize>> {
    let mut len = BLOCK;
    loop {
        let bytes = source.get(start, len)?;
        if let Some(cards) = bytes.chunks_exact(CARD).position(is_end) {
            return Ok(Some((cards + 1) * CARD));
        }
        if bytes.len() < len || len >= MAX_HEADER {
            return Ok(None);
        }
        len *= 2;
    }
}

fn read_hdu(source: &mut impl Source, start: usize, index: usize) -> Result<Hdu> {
    let place = Place::default().hdu(if index == 0 { "PRIMARY".to_string() } else { index.to_string() });
    let Some(length) = header_bytes(source, start)? else {
        return Err(Error::input_at(place.item("END"), "the header has no end: the file is truncated or damaged")
            .with_help("get the file again from where it came from"));
    };
    let (header, order) = {
        let bytes = source.get(start, length)?;
        let key = |card: &[u8]| String::from_utf8_lossy(&card[..8]).trim_end().to_string();
        let order: Vec<String> = bytes.chunks_exact(CARD).take(MAX_NAXIS as usize + 3).map(key).collect();
        (Header::parse(&bytes[..length - CARD]), order)
    };
    let data_start = start + length.div_ceil(BLOCK) * BLOCK;
    let name = header.text("EXTNAME").map(|n| n.trim().to_uppercase()).unwrap_or_default();
    let name = if index == 0 && name.is_empty() { "PRIMARY".to_string() } else { name };
    let place = if name.is_empty() { place } else { Place::default().hdu(name.clone()) };
    let keys = Keys { header: &header, place: place.clone() };

    // The standard fixes the order of these, and readers rely on it.
    let expect = |n: usize, key: &str| match order.get(n) {
        Some(found) if found == key => Ok(()),
        found => Err(keys.error(key, format!("'{}' stands where {key} is needed", found.map_or("", String::as_str)))),
    };
    expect(1, "BITPIX")?;
    expect(2, "NAXIS")?;
    let bitpix = keys.required("BITPIX")?;
    if ![8, 16, 32, 64, -32, -64].contains(&bitpix) {
        return Err(keys.error("BITPIX", format!("{bitpix} is not one of 8, 16, 32, 64, -32, -64")));
    }
    let naxis = keys.required("NAXIS")?;
    if !(0..=MAX_NAXIS).contains(&naxis) {
        return Err(keys.error("NAXIS", format!("{naxis} axes, where 0 to {MAX_NAXIS} can be read")));
    }
    let mut sizes: Vec<u64> = Vec::with_capacity(naxis as usize);
    for n in 1..=naxis as usize {
        let key = format!("NAXIS{n}");
        expect(n + 2, &key)?;
        sizes.push(keys.size(&key)?);
    }
    let pcount = keys.optional_size("PCOUNT", 0)?;
    let gcount = keys.optional_size("GCOUNT", 1)?;
    if header.flag("GROUPS") == Some(true) && sizes.first() == Some(&0) {
        return Err(Error::unsupported(format!("{place}: random groups (an old radio format) cannot be read")));
    }
    let too_large = || keys.error("NAXIS", format!("sizes {sizes:?} are too large for any file"));
    let pixels = if sizes.is_empty() { Some(0) } else { sizes.iter().try_fold(1u64, |a, n| a.checked_mul(*n)) };
    let data_bytes = pixels
        .and_then(|n| n.checked_add(pcount))
        .and_then(|n| n.checked_mul(gcount))
        .and_then(|n| n.checked_mul(bitpix.unsigned_abs() / 8))
        .filter(|n| *n < (1 << 62))
        .ok_or_else(too_large)?;
    let needed = data_start as u64 + data_bytes;
    let there = source.len_up_to(needed)?;
    if needed > there {
        return Err(truncated(place, needed, there));
    }

    let extension = header.text("XTENSION").unwrap_or("").trim();
    let mut hdu = Hdu {
        index,
        name,
        kind: HduKind::Image,
        bitpix,
        dims: sizes.iter().map(|n| *n as usize).collect(),
        columns: Vec::new(),
        header_start: start,
        data_start,
        data_bytes: data_bytes as usize,
        header: Header::default(),
    };
    match extension {
        _ if index == 0 => {}
        "IMAGE" => {
            if pcount != 0 || gcount != 1 {
                return Err(keys.error("PCOUNT", "an image has PCOUNT 0 and GCOUNT 1"));
            }
        }
        "BINTABLE" => {
            hdu.kind = HduKind::Table;
            hdu.columns = read_columns(&keys, bitpix, &sizes, gcount)?;
            check_theap(&keys, &sizes, pcount)?;
            if sizes[0] == 0 && sizes[1] > MAX_EMPTY_ROWS {
                return Err(keys.error("NAXIS2", format!("{} rows of no bytes", sizes[1])));
            }
            if header.flag("ZIMAGE") == Some(true) {
                let plan = Plan::new(&keys, &hdu.columns, hdu.dims[1], hdu.data_bytes)?;
                (hdu.kind, hdu.bitpix, hdu.dims) = (HduKind::CompressedImage, plan.bitpix, plan.dims);
            }
        }
        _ => hdu.kind = HduKind::Other,
    }
    if hdu.kind == HduKind::Image && hdu.has_image() {
        keys.no_more_axes("NAXIS", naxis)?;
        Scaling::of_image(&keys, bitpix)?;
    }
    hdu.header = header;
    Ok(hdu)
}

/// `END` and blanks.
fn is_end(card: &[u8]) -> bool {
    card.starts_with(b"END") && card[3..].iter().all(|b| *b == b' ')
}

/// Letter, elements and bytes of a TFORM.
fn parse_tform(tform: &str) -> Option<(char, usize, usize, Option<usize>)> {
    let tform = tform.trim();
    let digits = tform.find(|c: char| !c.is_ascii_digit())?;
    let repeat: usize = if digits == 0 { 1 } else { tform[..digits].parse().ok()? };
    let code = tform[digits..].chars().next()?;
    let tail = &tform[digits + 1..];
    let bytes = match code {
        'L' | 'B' | 'A' => repeat,
        'X' => repeat.div_ceil(8),
        'I' => repeat.checked_mul(2)?,
        'J' | 'E' => repeat.checked_mul(4)?,
        'K' | 'D' | 'C' | 'P' => repeat.checked_mul(8)?,
        'M' | 'Q' => repeat.checked_mul(16)?,
        _ => return None,
    };
    // `12A4`: three strings of four; `1PE(100)`: element type and longest entry.
    let width = match code {
        'A' if !tail.is_empty() => {
            let width: usize = tail.parse().ok()?;
            if width == 0 || width > repeat.max(1) {
                return None;
            }
            Some(width)
        }
        'P' | 'Q' => {
            let element = tail.chars().next()?;
            let size = match element {
                'L' | 'B' | 'A' | 'X' => 1,
                'I' => 2,
                'J' | 'E' => 4,
                'K' | 'D' | 'C' => 8,
                'M' => 16,
                _ => return None,
            };
            if repeat > 1 {
                return None;
            }
            Some(size)
        }
        _ if tail.is_empty() => None,
        'A' => None,
        _ => return None,
    };
    Some((code, repeat, bytes, width))
}

/// `(3,66,14)`.
fn parse_tdim(tdim: &str) -> Option<Vec<usize>> {
    let inner = tdim.trim().strip_prefix('(')?.strip_suffix(')')?;
    let dims: Vec<usize> = inner.split(',').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
    (dims.len() <= MAX_NAXIS as usize && dims.iter().all(|n| *n > 0)).then_some(dims)
}

fn read_columns(keys: &Keys<'_>, bitpix: i64, sizes: &[u64], gcount: u64) -> Result<Vec<Column>> {
    if bitpix != 8 || sizes.len() != 2 || gcount != 1 {
        return Err(keys.error("NAXIS", "a binary table has BITPIX 8, NAXIS 2 and GCOUNT 1"));
    }
    let tfields = keys.required("TFIELDS")?;
    if !(0..=999).contains(&tfields) {
        return Err(keys.error("TFIELDS", format!("{tfields} columns, where 0 to 999 are possible")));
    }
    let mut columns = Vec::with_capacity(tfields as usize);
    let mut offset = 0usize;
    for n in 1..=tfields as usize {
        let key = format!("TFORM{n}");
        let tform = keys.text(&key)?.ok_or_else(|| keys.error(&key, "the keyword is missing"))?;
        let (code, repeat, bytes, width) =
            parse_tform(tform).ok_or_else(|| keys.error(&key, format!("'{tform}' is not a column format")))?;
        let name = keys.text(&format!("TTYPE{n}"))?.unwrap_or("").trim().to_string();
        let unit = keys.text(&format!("TUNIT{n}"))?.unwrap_or("").trim().to_string();
        let key = format!("TDIM{n}");
        let dims = match keys.text(&key)? {
            None | Some("") => width.filter(|_| code == 'A').map(|w| vec![w, repeat / w]).unwrap_or_default(),
            Some(tdim) => {
                let dims = parse_tdim(tdim)
                    .ok_or_else(|| keys.error(&key, format!("'{tdim}' is not a list of sizes from 1, e.g. '(3,4)'")))?;
                let product = dims.iter().try_fold(1usize, |a, n| a.checked_mul(*n));
                if !matches!(code, 'P' | 'Q') && product.is_none_or(|p| p > repeat) {
                    return Err(keys.error(&key, format!("'{tdim}' is more than the {repeat} elements of TFORM{n}")));
                }
                dims
            }
        };
        for scale in ["TSCAL", "TZERO"] {
            let key = format!("{scale}{n}");
            keys.once(&key)?;
            if keys.header.get(&key).is_some() && !keys.header.real(&key).is_some_and(f64::is_finite) {
                return Err(keys.error(&key, "a finite number is needed"));
            }
        }
        columns.push(Column { name, unit, code, repeat, bytes, offset, dims });
        offset = offset.checked_add(bytes).ok_or_else(|| keys.error("NAXIS1", "columns are too wide"))?;
    }
    if offset as u64 != sizes[0] {
        return Err(keys.error("NAXIS1", format!("rows have {} bytes, but their columns take {offset}", sizes[0])));
    }
    Ok(columns)
}

/// Big-endian integer of 4 or 8 bytes.
pub(super) fn big_endian(bytes: &[u8]) -> i64 {
    match bytes {
        [a, b, c, d] => i64::from(i32::from_be_bytes([*a, *b, *c, *d])),
        [a, b, c, d, e, f, g, h] => i64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        _ => -1,
    }
}

/// Where the heap starts, from the first byte of the data, and where it ends.
fn check_theap(keys: &Keys<'_>, sizes: &[u64], pcount: u64) -> Result<(u64, u64)> {
    // The product is known to fit.
    let table: u64 = sizes.iter().product();
    let theap = keys.optional_size("THEAP", table)?;
    let end = table + pcount;
    if theap < table || theap > end {
        return Err(keys.error("THEAP", format!("{theap} lies outside of the data ({table} to {end})")));
    }
    Ok((theap, end))
}

/// All entries of variable-length columns lie within the heap.
fn check_heap(hdu: &Hdu, data: &[u8]) -> Result<()> {
    let keys = Keys { header: &hdu.header, place: Place::default().hdu(hdu.label()) };
    // A compressed image has the sizes of the image in `dims`.
    let sizes = [keys.size("NAXIS1")?, keys.size("NAXIS2")?];
    let (theap, end) = check_theap(&keys, &sizes, keys.optional_size("PCOUNT", 0)?)?;
    let (row_bytes, rows) = (sizes[0] as usize, sizes[1] as usize);
    for (n, column) in hdu.columns.iter().enumerate() {
        let half = match column.code {
            'P' => 4,
            'Q' => 8,
            _ => continue,
        };
        if column.repeat == 0 {
            continue;
        }
        let tform = keys.text(&format!("TFORM{}", n + 1))?.unwrap_or("");
        let size = parse_tform(tform).and_then(|t| t.3).unwrap_or(1) as u64;
        for row in 0..rows {
            let at = row * row_bytes + column.offset;
            let Some(entry) = data.get(at..at + 2 * half) else { continue };
            let (count, offset) = (big_endian(&entry[..half]), big_endian(&entry[half..]));
            let fits = u64::try_from(count).ok().zip(u64::try_from(offset).ok()).is_some_and(|(count, offset)| {
                count == 0
                    || count.checked_mul(size).and_then(|b| b.checked_add(offset)).is_some_and(|b| b <= end - theap)
            });
            if !fits {
                let problem = format!("row {row}: {count} elements at {offset} lie outside of the heap");
                return Err(keys.error(&column.name, problem));
            }
        }
    }
    Ok(())
}

/// Ones'-complement sum of big-endian 32-bit words (FITS standard 4.0, appendix J); a last partial word is filled with 0.
pub(super) fn ones_sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(4);
    let tail = words.remainder();
    let mut sum: u64 = words.map(|w| u64::from(u32::from_be_bytes([w[0], w[1], w[2], w[3]]))).sum();
    if !tail.is_empty() {
        let mut word = [0u8; 4];
        word[..tail.len()].copy_from_slice(tail);
        sum += u64::from(u32::from_be_bytes(word));
    }
    while sum >> 32 != 0 {
        sum = (sum & 0xffff_ffff) + (sum >> 32);
    }
    sum as u32
}

/// Tables that Gammapy writes again with all keywords of the file it read them from, its checksums among them, which are
/// those of another header. Nothing is computed from what such a table holds.
const CARRIED_ALONG: [&str; 1] = ["META_TABLE"];

/// Compares DATASUM and CHECKSUM, where they are; tools that change a file often leave the old ones, so others are worth
/// a warning. `data`: with the filling of the last block.
fn verify_checksums(hdu: &Hdu, header: &[u8], data: &[u8]) -> Result<()> {
    if CARRIED_ALONG.contains(&hdu.name.as_str()) {
        return Ok(());
    }
    let place = Place::default().hdu(hdu.label());
    let damaged = |key: &str, problem: String| {
        let error = Error::input_at(place.clone().item(key), format!("the checksum is another one: {problem}"));
        warnings::warn(
            error.with_help("the file was changed after it was written; get it again, or renew CHECKSUM and DATASUM"),
        )
    };
    let datasum = hdu.header.text("DATASUM").and_then(|t| t.trim().parse::<u32>().ok());
    let checksum = hdu.header.text("CHECKSUM").unwrap_or("").trim();
    let has_checksum = checksum.len() == 16 && checksum.bytes().any(|b| b != b'0');
    if datasum.is_none() && !has_checksum {
        return Ok(());
    }
    let data = ones_sum(data);
    if let Some(expected) = datasum.filter(|e| *e != data) {
        return damaged("DATASUM", format!("the data have the sum {data}, not {expected}"));
    }
    if has_checksum {
        let header = ones_sum(header);
        let (sum, carry) = header.overflowing_add(data);
        let found = sum.wrapping_add(u32::from(carry));
        if found != 0 && found != u32::MAX {
            return damaged("CHECKSUM", format!("header and data sum to {found:#010x}, not to 0xffffffff"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cards: &[&str]) -> Vec<u8> {
        let mut out: Vec<u8> = cards.iter().flat_map(|c| format!("{c:80}").into_bytes()).collect();
        out.extend(format!("{:80}", "END").into_bytes());
        out.resize(out.len().div_ceil(BLOCK) * BLOCK, b' ');
        out
    }

    fn image(bitpix: i32, sizes: &[usize]) -> Vec<u8> {
        let mut cards = vec![
            "SIMPLE  =                    T".to_string(),
            format!("BITPIX  = {bitpix:>20}"),
            format!("NAXIS   = {:>20}", sizes.len()),
        ];
        for (i, n) in sizes.iter().enumerate() {
            cards.push(format!("{:8}= {n:>20}", format!("NAXIS{}", i + 1)));
        }
        let refs: Vec<&str> = cards.iter().map(String::as_str).collect();
        header(&refs)
    }

    #[test]
    fn sizes_are_compared_with_the_length() {
        let mut file = image(-32, &[10, 10]);
        let message = check_bytes(&file).unwrap_err().to_string();
        assert!(message.contains("truncated") && message.contains("PRIMARY"), "{message}");
        file.resize(file.len() + 400, 0);
        assert_eq!(check_bytes(&file).unwrap()[0].values(), 100);
        assert!(check_bytes(&image(-32, &[9_999_999_999, 9_999_999_999, 9_999_999_999])).is_err());
        assert!(check_bytes(b"hello").unwrap_err().to_string().contains("not a FITS file"));
        assert!(check_bytes(b"").is_err());
    }

    #[test]
    fn column_formats() {
        assert_eq!(parse_tform("D"), Some(('D', 1, 8, None)));
        assert_eq!(parse_tform("130D"), Some(('D', 130, 1040, None)));
        assert_eq!(parse_tform("12A4"), Some(('A', 12, 12, Some(4))));
        assert_eq!(parse_tform("1PE(100)"), Some(('P', 1, 8, Some(4))));
        assert_eq!(parse_tform("11X"), Some(('X', 11, 2, None)));
        for bad in ["", "12", "Z", "12A0", "-1D", "99999999999999999999D", "2PE(3)", "D5", "1P"] {
            assert_eq!(parse_tform(bad), None, "{bad}");
        }
        assert_eq!(parse_tdim("(3, 4)"), Some(vec![3, 4]));
        assert_eq!(parse_tdim("(3,0)"), None);
        assert_eq!(parse_tdim("3,4"), None);
    }

    #[test]
    fn sums_are_those_of_the_standard() {
        assert_eq!(ones_sum(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]), 1);
        assert_eq!(ones_sum(b"SIMP"), u32::from_be_bytes(*b"SIMP"));
    }
}
