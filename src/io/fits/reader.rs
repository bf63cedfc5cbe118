//! Opening files: decompression, the header walk, and access to images and columns by HDU name.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use super::check::{BLOCK, Hdu, HduKind, check_bytes};
use super::disk::{DiskFile, Fetch};
use super::growing;
use super::header::Header;
use super::memory::MemoryFile;
use super::values::{Cell, Real};
use crate::error::warnings::within;
use crate::error::{Error, Place, Result};
use crate::io::input::{MOST_TEXT_BYTES, is_stream, open_error, stream, too_long};

/// How a gzip stream begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Step in which compressed data are read.
pub(super) const STEP_BYTES: usize = 256 << 10;

/// Bounds on reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// A file may have this many bytes, after decompression, at most (64 GiB).
    pub max_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { max_bytes: 64 << 30 }
    }
}

/// An open FITS file whose headers were checked.
pub(super) struct FitsReader {
    path: PathBuf,
    hdus: Arc<[Hdu]>,
    store: Store,
}

/// Where the data of a file are.
enum Store {
    /// All of them, in memory.
    Whole(MemoryFile),
    /// On the disk; each HDU is fetched when it is read.
    Disk(Box<Fetch>),
}

/// The bytes of a file or stream (`-`: the standard input), decompressed where it is gzip (by its first bytes, not its
/// name). Streams and compressed files are read as far as the headers of a FITS file say, or up to 256 MiB of text.
///
/// # Errors
/// [`Error::Input`] where it is missing, no file, truncated or too large after decompression, or a stream is neither FITS
/// nor text; else [`Error::Io`].
pub fn read_bytes(path: &Path, options: &ReadOptions) -> Result<Vec<u8>> {
    if is_stream(path)? {
        return read_stream(path, options).map(|bytes| bytes.to_vec());
    }
    crate::io::same::note_input(path);
    let io = |error: std::io::Error| open_error(path, error);
    let mut file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.is_dir() {
        return Err(open_error(path, ErrorKind::IsADirectory.into()));
    }
    if metadata.len() > options.max_bytes {
        return Err(too_large(path, "file", options));
    }
    let mut bytes = Vec::new();
    (&mut file).take(BLOCK as u64).read_to_end(&mut bytes).map_err(io)?;
    if bytes.starts_with(&GZIP) {
        return read_gzip(path, options, file, metadata.len());
    }
    if !bytes.starts_with(b"SIMPLE") && metadata.len() > MOST_TEXT_BYTES {
        return Err(too_long(path));
    }
    let size = usize::try_from(metadata.len()).unwrap_or(0);
    crate::memory::check_bytes(&format!("'{}'", path.display()), metadata.len())?;
    bytes.try_reserve_exact(size).map_err(|_| memory(metadata.len()))?;
    // A file that grows meanwhile, or one of the system's that has no length, has no more than this.
    let most = metadata.len().max(MOST_TEXT_BYTES);
    file.take(most + 1 - bytes.len() as u64).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > most {
        return Err(Error::input_at(Place::file(path), "the file grows while it is read"));
    }
    Ok(bytes)
}

/// The bytes of a compressed file of `length` bytes.
fn read_gzip(path: &Path, options: &ReadOptions, mut file: File, length: u64) -> Result<Vec<u8>> {
    let io = |error: std::io::Error| open_error(path, error);
    // The last four bytes tell the length modulo 4 GiB; deflate cannot do better than 1032 : 1.
    let mut tail = [0; 4];
    file.seek(SeekFrom::Start(length.saturating_sub(4))).map_err(io)?;
    let known = file.read_exact(&mut tail).is_ok();
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let tail = if known { u64::from(u32::from_le_bytes(tail)) } else { 0 };
    let hint = tail.min(length.saturating_mul(1032)).min(options.max_bytes) + BLOCK as u64;
    growing::read(path, options, true, hint, MultiGzDecoder::new(BufReader::with_capacity(STEP_BYTES, file)))
}

/// The bytes of a stream, decompressed where it is gzip.
pub(super) fn read_stream(path: &Path, options: &ReadOptions) -> Result<Arc<[u8]>> {
    stream(path, |reader| {
        let mut start = Vec::new();
        reader.take(2).read_to_end(&mut start).map_err(|e| open_error(path, e))?;
        let compressed = start == GZIP;
        let whole = start.as_slice().chain(reader);
        if compressed {
            growing::read(path, options, true, 0, MultiGzDecoder::new(BufReader::with_capacity(STEP_BYTES, whole)))
        } else {
            growing::read(path, options, false, 0, whole)
        }
    })
}

/// The error of a file (`what`: as it lies there, or decompressed) beyond the limit.
pub(super) fn too_large(path: &Path, what: &str, options: &ReadOptions) -> Error {
    let problem = format!("the {what} has more than the {} bytes that are allowed", options.max_bytes);
    Error::input_at(Place::file(path), problem).with_help_for(
        "raise ReadOptions::max_bytes if this is meant",
        "that is more than is read at once: cut the data into several files with the program that made them",
    )
}

/// The error of a file that cannot be decompressed.
pub(super) fn undecodable(path: &Path, error: &std::io::Error, needed_bytes: u64) -> Error {
    let problem = match error.kind() {
        ErrorKind::OutOfMemory => return memory(needed_bytes),
        ErrorKind::UnexpectedEof => "the compressed file is truncated: it ends before its data do".to_string(),
        _ => format!("the compressed file is damaged: {error}"),
    };
    Error::input_at(Place::file(path), problem).with_help("get the file again from where it came from")
}

pub(super) fn memory(needed_bytes: u64) -> Error {
    Error::Memory { what: "reading the file".into(), needed_bytes, available_bytes: 0 }
}

impl FitsReader {
    /// Reads, decompresses and checks a file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, &ReadOptions::default())
    }

    pub(super) fn open_with(path: &Path, options: &ReadOptions) -> Result<Self> {
        Self::from_bytes(path, read_bytes(path, options)?).map_err(|e| e.at(&Place::file(path)))
    }

    /// From the bytes of an uncompressed file.
    pub(super) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        let hdus = within(&Place::file(path), || check_bytes(&bytes))?;
        Ok(Self { path: path.to_path_buf(), hdus: hdus.into(), store: Store::Whole(MemoryFile::new(bytes)) })
    }

    /// Of a file whose HDUs are fetched one by one.
    pub(super) fn on_disk(file: &Arc<DiskFile>) -> Self {
        let store = Store::Disk(Box::new(Fetch::new(Arc::clone(file))));
        Self { path: file.path().to_path_buf(), hdus: Arc::clone(file.hdus()), store }
    }

    /// Reads what an HDU holds, if that is not in memory yet.
    ///
    /// # Errors
    /// [`Error::Input`] where it is damaged, or the file was changed since it was opened.
    pub(super) fn fetch(&mut self, index: usize) -> Result<()> {
        self.at(index).map(|_| ())
    }

    /// Checks what those HDUs hold that were not read.
    pub(super) fn check_rest(&mut self) -> Result<()> {
        match &mut self.store {
            Store::Whole(_) => Ok(()),
            Store::Disk(fetch) => fetch.check_rest(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn hdus(&self) -> &[Hdu] {
        &self.hdus
    }

    pub(super) fn primary(&self) -> &Header {
        &self.hdus[0].header
    }

    /// The file as a place of messages.
    pub(super) fn place(&self) -> Place {
        Place::file(&self.path)
    }

    /// The HDU of a name (in any case), or of a number if the name is one.
    pub(super) fn find(&self, name: &str) -> Option<&Hdu> {
        self.hdus
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name.trim()))
            .or_else(|| name.trim().parse::<usize>().ok().and_then(|n| self.hdus.get(n)))
    }

    /// [`FitsReader::find`], or an error that lists what there is.
    pub(super) fn require(&self, name: &str) -> Result<&Hdu> {
        self.find(name).ok_or_else(|| {
            Error::input_at(self.place().hdu(name), format!("there is no such HDU, only [{}]", self.names().join(", ")))
        })
    }

    /// Names of all HDUs.
    pub(super) fn names(&self) -> Vec<String> {
        self.hdus.iter().map(Hdu::label).collect()
    }

    /// The file in memory that holds an HDU, where it does, and how messages call it.
    fn at(&mut self, index: usize) -> Result<(&MemoryFile, Hdu, Place)> {
        let place = self.place().hdu(self.hdus[index].label());
        // Headers can be long, but there are few HDUs; a copy frees the file for the call.
        match &mut self.store {
            Store::Whole(file) => Ok((file, self.hdus[index].clone(), place)),
            Store::Disk(fetch) => {
                let (file, hdu) = fetch.hdu(index)?;
                let hdu = hdu.clone();
                Ok((file, hdu, place))
            }
        }
    }

    /// Values of an image; undefined ones are NaN.
    pub(super) fn image<T: Real>(&mut self, index: usize) -> Result<Vec<T>> {
        let (file, hdu, place) = self.at(index)?;
        file.image(&hdu, &place)
    }

    /// Values of a numeric column; undefined ones are NaN, where the type has it.
    pub(super) fn column<T: Cell>(&mut self, index: usize, name: &str) -> Result<Vec<T>> {
        let column = self.column_index(&self.hdus[index], name)?;
        let (file, hdu, place) = self.at(index)?;
        file.column(&hdu, column, &place.item(name))
    }

    /// Values of a column of strings, without trailing blanks.
    pub(super) fn text_column(&mut self, index: usize, name: &str) -> Result<Vec<String>> {
        let rows = self.raw_column(index, name)?;
        Ok(rows.iter().map(|r| String::from_utf8_lossy(r).trim_end_matches(['\0', ' ']).to_string()).collect())
    }

    /// The bytes of a column, row by row.
    pub(super) fn raw_column(&mut self, index: usize, name: &str) -> Result<Vec<Vec<u8>>> {
        let column = self.column_index(&self.hdus[index], name)?;
        let (file, hdu, _) = self.at(index)?;
        Ok(file.raw_column(&hdu, column))
    }

    /// The data of an HDU: rows and heap of a table. Of a file on a disk, those of the HDU that was fetched last.
    pub(super) fn data(&self, index: usize) -> Result<&[u8]> {
        match &self.store {
            Store::Whole(file) => Ok(file.data(&self.hdus[index])),
            Store::Disk(fetch) => match fetch.current() {
                Some((current, hdu, file)) if current == index => Ok(file.data(hdu)),
                _ => Err(Error::input_at(self.place().hdu(self.hdus[index].label()), "the HDU was not read")),
            },
        }
    }

    /// The number of a column of a table.
    pub(super) fn column_index(&self, hdu: &Hdu, name: &str) -> Result<usize> {
        let place = || self.place().hdu(hdu.label());
        if hdu.kind != HduKind::Table {
            return Err(Error::input_at(place(), "a table is needed here"));
        }
        if hdu.header.flag("ZTABLE") == Some(true) {
            return Err(Error::input_at(place().item("ZTABLE"), "compressed tables cannot be read")
                .with_help("uncompress the file with funpack"));
        }
        hdu.column(name).ok_or_else(|| {
            let names: Vec<&str> = hdu.columns.iter().map(|c| c.name.as_str()).collect();
            Error::input_at(place().item(name), format!("there is no such column, only [{}]", names.join(", ")))
        })
    }
}
