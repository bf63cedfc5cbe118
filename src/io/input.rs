//! What is read: files, and streams (pipes, devices, the standard input) that can be read only once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Place, Result};

/// The name of the standard input.
const STANDARD_INPUT: &str = "-";

/// Texts are not longer than this; a stream without an end is noticed by it.
pub(super) const MOST_TEXT_BYTES: u64 = 256 << 20;

static KEEP: AtomicBool = AtomicBool::new(false);

/// What tells streams apart: device and number, or a path.
type Identity = (u64, u64, PathBuf);

/// What streams gave.
static KEPT: Mutex<BTreeMap<Identity, Arc<[u8]>>> = Mutex::new(BTreeMap::new());

/// From now on, what is read of a pipe, a device or the standard input (`-`) is kept until the process ends: it is opened
/// once, however often it is read. Programs whose inputs are named by their user need that, since a file is looked at
/// before it is read. Without it, each reading opens the stream anew.
pub fn keep_streams() {
    KEEP.store(true, Ordering::Relaxed);
}

/// Whether [`keep_streams`] was called.
pub(super) fn keeps_streams() -> bool {
    KEEP.load(Ordering::Relaxed)
}

/// True for what is neither a file nor a folder, but there.
pub(super) fn is_stream(path: &Path) -> Result<bool> {
    if path.as_os_str() == STANDARD_INPUT {
        return Ok(true);
    }
    let found = std::fs::metadata(path).map_err(|e| open_error(path, e))?;
    Ok(!found.is_file() && !found.is_dir())
}

/// What tells streams apart; the same one may have several names.
fn identity(path: &Path) -> Identity {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let name = if path.as_os_str() == STANDARD_INPUT { Path::new("/dev/stdin") } else { path };
        if let Ok(found) = std::fs::metadata(name) {
            return (found.dev(), found.ino(), PathBuf::new());
        }
    }
    (0, 0, path.to_path_buf())
}

/// All that a stream gives, by `read`, or what it gave before.
pub(super) fn stream(path: &Path, read: impl FnOnce(&mut dyn Read) -> Result<Vec<u8>>) -> Result<Arc<[u8]>> {
    // Nobody else reads meanwhile: two readers would get a part each.
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let identity = identity(path);
    if let Some(bytes) = kept.get(&identity) {
        return Ok(Arc::clone(bytes));
    }
    let bytes: Arc<[u8]> = if path.as_os_str() == STANDARD_INPUT {
        read(&mut std::io::stdin().lock())?.into()
    } else {
        read(&mut File::open(path).map_err(|e| open_error(path, e))?)?.into()
    };
    if keeps_streams() {
        kept.insert(identity, Arc::clone(&bytes));
    }
    Ok(bytes)
}

/// The text of a file or stream, of [`MOST_TEXT_BYTES`] at most. `what`: e.g. `"this is not text"`, where it is not.
///
/// # Errors
/// [`Error::Input`] where it is missing, a folder, no text or too long; else [`Error::Io`].
pub(super) fn read_text(path: &Path, what: &str) -> Result<String> {
    super::same::note_input(path);
    let bytes = if is_stream(path)? {
        stream(path, |reader| some_text(path, reader))?.to_vec()
    } else {
        some_text(path, &mut File::open(path).map_err(|e| open_error(path, e))?)?
    };
    String::from_utf8(bytes).map_err(|_| Error::input_at(Place::file(path), what))
}

/// The bytes of a text, in any encoding.
fn some_text(path: &Path, reader: &mut dyn Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A device of zeros or random numbers is known by its beginning.
    reader.take(4096).read_to_end(&mut bytes).map_err(|e| open_error(path, e))?;
    if bytes.contains(&0) && !bytes.starts_with(b"SIMPLE") {
        return Err(Error::input_at(Place::file(path), "this is not text: there are bytes of 0 in it"));
    }
    reader.take(MOST_TEXT_BYTES + 1).read_to_end(&mut bytes).map_err(|e| open_error(path, e))?;
    if bytes.len() as u64 > MOST_TEXT_BYTES {
        return Err(too_long(path));
    }
    Ok(bytes)
}

/// The error of a text without an end.
pub(super) fn too_long(path: &Path) -> Error {
    Error::input_at(
        Place::file(path),
        format!("this is not a FITS file, and a text has at most {MOST_TEXT_BYTES} bytes"),
    )
}

/// The error of a file that cannot be opened or read.
pub(super) fn open_error(path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::input_at(Place::file(path), "there is no such file"),
        ErrorKind::IsADirectory => Error::input_at(Place::file(path), "this is a folder, a file is needed"),
        _ => Error::io(path, error),
    }
}
