//! Files of unknown length, compressed or from a stream, which are read as far as their headers say.

use std::borrow::Cow;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::check::{BLOCK, Hdu, Source, walk};
use super::reader::{ReadOptions, memory, too_large, undecodable};
use crate::error::{Error, Place, Result};
use crate::io::input::{MOST_TEXT_BYTES, open_error, too_long};

/// Bytes that are read at a time: a claim of size is believed as far as there are data.
const STEP: u64 = 16 << 20;

/// What was read so far.
struct Growing<'a, R> {
    path: &'a Path,
    options: &'a ReadOptions,
    /// The bytes are decompressed.
    compressed: bool,
    reader: R,
    bytes: Vec<u8>,
    ended: bool,
}

/// All bytes of a FITS file or of a text. `expected`: about how many there are.
///
/// # Errors
/// [`Error::Input`] for FITS files that are not sound or go on behind their last HDU, for what is neither, and for what is
/// longer than allowed.
pub(super) fn read(
    path: &Path,
    options: &ReadOptions,
    compressed: bool,
    expected: u64,
    reader: impl Read,
) -> Result<Vec<u8>> {
    let mut growing = Growing { path, options, compressed, reader, bytes: Vec::new(), ended: false };
    growing.reserve(expected)?;
    growing.up_to(BLOCK as u64)?;
    if growing.bytes.starts_with(b"SIMPLE") {
        walk(&mut growing).map_err(|e| e.at(&Place::file(path)))?;
        return Ok(growing.bytes);
    }
    if !compressed && growing.bytes.contains(&0) {
        let problem = "this is neither a FITS file nor a text: it does not start with SIMPLE";
        return Err(Error::input_at(Place::file(path), problem));
    }
    growing.up_to(MOST_TEXT_BYTES + 1)?;
    if growing.bytes.len() as u64 > MOST_TEXT_BYTES { Err(too_long(path)) } else { Ok(growing.bytes) }
}

impl<R: Read> Growing<'_, R> {
    fn reserve(&mut self, more: u64) -> Result<()> {
        let more_bytes = usize::try_from(more).map_err(|_| memory(more))?;
        self.bytes.try_reserve(more_bytes).map_err(|_| memory(self.bytes.len() as u64 + more))
    }

    /// Reads until so many bytes are there, or the end is reached.
    fn up_to(&mut self, length: u64) -> Result<()> {
        while !self.ended && (self.bytes.len() as u64) < length {
            let step = (length - self.bytes.len() as u64).min(STEP);
            self.reserve(step)?;
            let read = (&mut self.reader).take(step).read_to_end(&mut self.bytes);
            let read = read.map_err(|e| match e.kind() {
                _ if self.compressed => undecodable(self.path, &e, length),
                ErrorKind::OutOfMemory => memory(length),
                _ => open_error(self.path, e),
            })?;
            self.ended = (read as u64) < step;
            if self.bytes.len() as u64 > self.options.max_bytes {
                let what = if self.compressed { "decompressed file" } else { "file" };
                return Err(too_large(self.path, what, self.options));
            }
        }
        Ok(())
    }
}

impl<R: Read> Source for Growing<'_, R> {
    fn get(&mut self, start: usize, len: usize) -> Result<Cow<'_, [u8]>> {
        self.up_to(start as u64 + len as u64)?;
        let rest = self.bytes.get(start..).unwrap_or_default();
        Ok(Cow::Borrowed(&rest[..len.min(rest.len())]))
    }

    fn len_up_to(&mut self, needed: u64) -> Result<u64> {
        self.up_to(needed)?;
        Ok(self.bytes.len() as u64)
    }

    fn passed(&mut self, _hdu: &Hdu) -> Result<()> {
        Ok(())
    }
}
