//! Files of which only those HDUs are read that are asked for.
//!
//! ```text
//! open: headers, one after the other ─ check      fetch: one HDU ─ the header again, what it holds ─ values
//! ```
//!
//! Nothing stays open in between, so that lists of datasets can be longer than a process may have files. A file that was
//! changed since it was opened is found by its length, its time of modification, or a header that differs.
//!
//! In a compressed file nothing can be found without decompressing all that stands before it. It is decompressed as it
//! passes by, at each reading, and never kept as a whole: who reads one part of a file does so to save memory. What keeps
//! its axes is small and is kept when the file is opened.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use flate2::bufread::MultiGzDecoder;

use super::check::{BLOCK, Hdu, Source, check_again, walk};
use super::memory::MemoryFile;
use super::reader::{ReadOptions, STEP_BYTES, memory, read_stream, too_large, undecodable};
use crate::error::warnings::within;
use crate::error::{Error, Place, Result};
use crate::io::input::{is_stream, keeps_streams, open_error};

/// HDUs of a compressed file up to this size are kept when it is opened.
const SMALL_BYTES: usize = 64 << 10;

/// All of them together.
const SMALL_TOTAL_BYTES: usize = 16 << 20;

/// What tells that a file is still the same.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// The HDUs of a file by its headers; `None` as [`DiskFile::open`].
pub(in crate::io) fn headers(path: &Path) -> Result<Option<Arc<[Hdu]>>> {
    let file = DiskFile::open(path, &ReadOptions::default())?;
    Ok(file.map(|file| file.hdus))
}

/// A FITS file whose headers were read and checked.
#[derive(Debug)]
pub(super) struct DiskFile {
    path: PathBuf,
    /// What a stream gave that cannot be opened again.
    kept: Option<Arc<[u8]>>,
    stamp: Stamp,
    options: ReadOptions,
    compressed: bool,
    hdus: Arc<[Hdu]>,
    /// HDUs from header to last block, by number.
    small: BTreeMap<usize, Box<[u8]>>,
    /// What the HDUs hold was read once and is sound.
    sound: Vec<AtomicBool>,
    bytes_read: AtomicU64,
}

impl DiskFile {
    /// Reads and checks all headers; `None` for what is not a FITS file, or cannot be read twice, as a pipe that is not
    /// kept ([`crate::io::keep_streams`]).
    ///
    /// # Errors
    /// [`Error::Input`] where the file is missing, a folder, too large, truncated or damaged; else [`Error::Io`].
    pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Option<Self>> {
        Self::open_if(path, options, |_| true)
    }

    /// [`DiskFile::open`], also `None` for a compressed file, of which nothing else is read then.
    pub(super) fn open_plain(path: &Path, options: &ReadOptions) -> Result<Option<Self>> {
        Self::open_if(path, options, |stream| !stream.compressed())
    }

    fn open_if(path: &Path, options: &ReadOptions, wanted: impl Fn(&Stream) -> bool) -> Result<Option<Self>> {
        let kept = match is_stream(path)? {
            true if !keeps_streams() => return Ok(None),
            true => Some(read_stream(path, options)?),
            false => None,
        };
        let (mut stream, stamp) = Stream::open(path, kept.as_ref(), options)?;
        if stamp.bytes > options.max_bytes {
            return Err(too_large(path, "file", options));
        }
        let mut start = Vec::new();
        if !wanted(&stream) || stream.read(BLOCK, &mut start)? == 0 || !start.starts_with(b"SIMPLE") {
            return Ok(None);
        }
        let compressed = stream.compressed();
        let mut window =
            Window { stream, start: 0, bytes: start, file_bytes: stamp.bytes, small: BTreeMap::new(), small_bytes: 0 };
        let hdus = within(&Place::file(path), || walk(&mut window))?;
        let Window { stream, small, .. } = window;
        Ok(Some(Self {
            path: path.to_path_buf(),
            kept,
            stamp,
            options: options.clone(),
            compressed,
            small,
            sound: hdus.iter().map(|_| AtomicBool::new(false)).collect(),
            hdus: hdus.into(),
            bytes_read: AtomicU64::new(stream.bytes_read),
        }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn hdus(&self) -> &Arc<[Hdu]> {
        &self.hdus
    }

    /// Bytes that were read of the file so far, after decompression.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// The error for a file that is another one by now.
    fn changed(&self, how: &str) -> Error {
        Error::input_at(Place::file(&self.path), format!("the file was changed after it was opened: {how}"))
            .with_help("open it again when it is complete")
    }

    fn compare(&self, found: &Stamp) -> Result<()> {
        if found.bytes != self.stamp.bytes {
            return Err(self.changed(&format!("it has {} bytes and had {}", found.bytes, self.stamp.bytes)));
        }
        if *found != self.stamp {
            return Err(self.changed("it was written again"));
        }
        Ok(())
    }
}

/// Reads HDUs of a file, one at a time.
pub(super) struct Fetch {
    file: Arc<DiskFile>,
    stream: Option<Stream>,
    /// The HDU that was read last: its number in the file, where it stands in memory, and this memory.
    current: Option<(usize, Hdu, MemoryFile)>,
}

impl Fetch {
    pub(super) fn new(file: Arc<DiskFile>) -> Self {
        Self { file, stream: None, current: None }
    }

    /// The file in memory that holds an HDU, and where it does.
    ///
    /// # Errors
    /// [`Error::Input`] for a file that was changed since it was opened, or an HDU that holds what it must not.
    pub(super) fn hdu(&mut self, index: usize) -> Result<(&MemoryFile, &Hdu)> {
        let current = match self.current.take() {
            Some(current) if current.0 == index => current,
            last => {
                // Two of them need not be in memory.
                drop(last);
                let bytes = self.bytes(index)?;
                let hdu = self.check(index, &bytes)?;
                self.file.sound[index].store(true, Ordering::Relaxed);
                (index, hdu, MemoryFile::new(bytes))
            }
        };
        let (_, hdu, file) = self.current.insert(current);
        Ok((file, hdu))
    }

    /// The one that was read last.
    pub(super) fn current(&self) -> Option<(usize, &Hdu, &MemoryFile)> {
        self.current.as_ref().map(|(index, hdu, file)| (*index, hdu, file))
    }

    /// Checks what all those HDUs hold that were not yet read.
    pub(super) fn check_rest(&mut self) -> Result<()> {
        for index in 0..self.file.hdus.len() {
            if !self.file.sound[index].load(Ordering::Relaxed) {
                self.hdu(index)?;
            }
        }
        self.current = None;
        Ok(())
    }

    /// The HDU as it stands in bytes, checked.
    fn check(&self, index: usize, bytes: &[u8]) -> Result<Hdu> {
        let expected = &self.file.hdus[index];
        let found = within(&Place::file(&self.file.path), || check_again(expected, bytes))?;
        found.ok_or_else(|| self.file.changed(&format!("the header of {} differs", expected.label())))
    }

    /// The bytes of an HDU, in whole blocks.
    fn bytes(&mut self, index: usize) -> Result<Vec<u8>> {
        let file = Arc::clone(&self.file);
        let hdu = &file.hdus[index];
        let length = hdu.end() - hdu.header_start;
        let mut out = Vec::new();
        crate::memory::check_bytes(&format!("'{}'", file.path.display()), length as u64)?;
        out.try_reserve_exact(length).map_err(|_| memory(length as u64))?;
        match file.small.get(&index) {
            Some(bytes) => out.extend_from_slice(bytes),
            None => {
                let stream = self.stream(hdu.header_start as u64)?;
                let read = stream.read(length, &mut out)?;
                let (counted, stamp) = (std::mem::take(&mut stream.bytes_read), stream.stamp()?);
                file.bytes_read.fetch_add(counted, Ordering::Relaxed);
                file.compare(&stamp)?;
                // The last block of a file may be cut.
                if read < hdu.data_end() - hdu.header_start {
                    return Err(file.changed("it ends earlier"));
                }
            }
        }
        out.resize(length, 0);
        Ok(out)
    }

    /// The file, open at a byte.
    fn stream(&mut self, start: u64) -> Result<&mut Stream> {
        let mut stream = match self.stream.take() {
            Some(stream) if !(stream.compressed() && stream.position > start) => stream,
            _ => {
                let (stream, stamp) = Stream::open(&self.file.path, self.file.kept.as_ref(), &self.file.options)?;
                self.file.compare(&stamp)?;
                if stream.compressed() != self.file.compressed {
                    return Err(self.file.changed("it was compressed or decompressed"));
                }
                stream
            }
        };
        stream.skip_to(start)?;
        Ok(self.stream.insert(stream))
    }
}

enum Bytes {
    Plain(File),
    Memory(Cursor<Arc<[u8]>>),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
}

/// An open file, decompressed where it is gzip (by its first bytes, not its name).
struct Stream {
    path: PathBuf,
    options: ReadOptions,
    bytes: Bytes,
    /// Bytes before what is read next; at the end of a compressed file, its length.
    position: u64,
    /// Bytes that were read, or decompressed and passed over.
    bytes_read: u64,
}

impl Stream {
    /// Opens a file, or the bytes that were kept of a stream.
    fn open(path: &Path, kept: Option<&Arc<[u8]>>, options: &ReadOptions) -> Result<(Self, Stamp)> {
        let io = |e| open_error(path, e);
        if let Some(kept) = kept {
            let stamp = Stamp { bytes: kept.len() as u64, modified: None };
            let bytes = Bytes::Memory(Cursor::new(Arc::clone(kept)));
            let (path, options) = (path.to_path_buf(), options.clone());
            return Ok((Self { path, options, bytes, position: 0, bytes_read: 0 }, stamp));
        }
        crate::io::same::note_input(path);
        let mut file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(open_error(path, ErrorKind::IsADirectory.into()));
        }
        let mut magic = Vec::new();
        (&file).take(2).read_to_end(&mut magic).map_err(io)?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        let bytes = if magic == [0x1f, 0x8b] {
            Bytes::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(STEP_BYTES, file))))
        } else {
            Bytes::Plain(file)
        };
        let stream = Self { path: path.to_path_buf(), options: options.clone(), bytes, position: 0, bytes_read: 0 };
        Ok((stream, Stamp::of(&metadata)))
    }

    fn compressed(&self) -> bool {
        matches!(self.bytes, Bytes::Gzip(_))
    }

    fn stamp(&self) -> Result<Stamp> {
        let file = match &self.bytes {
            Bytes::Plain(file) => file,
            Bytes::Memory(kept) => return Ok(Stamp { bytes: kept.get_ref().len() as u64, modified: None }),
            Bytes::Gzip(decoder) => decoder.get_ref().get_ref(),
        };
        Ok(Stamp::of(&file.metadata().map_err(|e| open_error(&self.path, e))?))
    }

    /// Appends up to `len` bytes, fewer at the end of the file, and returns how many.
    fn read(&mut self, len: usize, out: &mut Vec<u8>) -> Result<usize> {
        let read = match &mut self.bytes {
            Bytes::Plain(file) => file.take(len as u64).read_to_end(out).map_err(|e| open_error(&self.path, e)),
            Bytes::Memory(kept) => kept.take(len as u64).read_to_end(out).map_err(|e| open_error(&self.path, e)),
            Bytes::Gzip(decoder) => {
                decoder.take(len as u64).read_to_end(out).map_err(|e| undecodable(&self.path, &e, len as u64))
            }
        }?;
        self.position += read as u64;
        self.bytes_read += read as u64;
        if self.compressed() && self.position > self.options.max_bytes {
            return Err(too_large(&self.path, "decompressed file", &self.options));
        }
        Ok(read)
    }

    /// Goes on from a byte, or from the end of a compressed file that ends before. Compressed files go forwards only.
    fn skip_to(&mut self, start: u64) -> Result<()> {
        if let Bytes::Plain(file) = &mut self.bytes {
            self.position = file.seek(SeekFrom::Start(start)).map_err(|e| open_error(&self.path, e))?;
            return Ok(());
        }
        if let Bytes::Memory(kept) = &mut self.bytes {
            kept.set_position(start);
            self.position = start;
            return Ok(());
        }
        let mut passed = Vec::new();
        while self.position < start {
            passed.clear();
            let step = (start - self.position).min(STEP_BYTES as u64);
            if self.read(step as usize, &mut passed)? == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// The part of a file that the walk over its headers looks at.
struct Window {
    stream: Stream,
    /// First byte of the part.
    start: usize,
    bytes: Vec<u8>,
    /// Length of the file as it lies on the disk.
    file_bytes: u64,
    small: BTreeMap<usize, Box<[u8]>>,
    small_bytes: usize,
}

impl Source for Window {
    fn get(&mut self, start: usize, len: usize) -> Result<Cow<'_, [u8]>> {
        debug_assert!(start >= self.start, "the walk goes forwards");
        let passed = start.saturating_sub(self.start);
        if passed <= self.bytes.len() {
            self.bytes.drain(..passed);
        } else {
            self.bytes.clear();
            self.stream.skip_to(start as u64)?;
        }
        self.start = start;
        let missing = len.saturating_sub(self.bytes.len());
        if missing > 0 {
            self.stream.read(missing, &mut self.bytes)?;
        }
        Ok(Cow::Borrowed(&self.bytes[..len.min(self.bytes.len())]))
    }

    fn len_up_to(&mut self, needed: u64) -> Result<u64> {
        if !self.stream.compressed() {
            return Ok(self.file_bytes);
        }
        let more = needed.saturating_sub(self.start as u64);
        if more <= SMALL_BYTES as u64 {
            let start = self.start;
            return Ok((start + self.get(start, more as usize)?.len()) as u64);
        }
        self.stream.skip_to(needed)?;
        Ok(self.stream.position)
    }

    fn passed(&mut self, hdu: &Hdu) -> Result<()> {
        let size = hdu.end() - hdu.header_start;
        if self.stream.compressed() && size <= SMALL_BYTES && self.small_bytes + size <= SMALL_TOTAL_BYTES {
            let bytes = self.get(hdu.header_start, size)?.into_owned();
            self.small_bytes += bytes.len();
            self.small.insert(hdu.index, bytes.into());
        }
        Ok(())
    }
}
