//! Which names stand for one file, and what must therefore not be written.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::atomic::{check_output, folder_of};
use crate::error::{Error, Result};

/// A file whatever it is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Identity {
    /// Device and number.
    #[cfg(unix)]
    Number(u64, u64),
    /// Its name without links.
    Name(PathBuf),
}

#[cfg(unix)]
fn identity(_path: &Path, found: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    Some(Identity::Number(found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path, _found: &Metadata) -> Option<Identity> {
    fs::canonicalize(path).ok().map(Identity::Name)
}

/// The regular file that a name leads to.
fn existing(path: &Path) -> Option<Identity> {
    let found = fs::metadata(path).ok()?;
    if found.is_file() { identity(path, &found) } else { None }
}

/// The file that would be written under a name; `None` for devices and pipes, of which there may be many readers.
fn written(path: &Path) -> Option<Identity> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => identity(path, &found),
        Ok(_) => None,
        Err(_) => {
            let folder = folder_of(path);
            Some(Identity::Name(fs::canonicalize(&folder).unwrap_or(folder).join(path.file_name()?)))
        }
    }
}

static PROTECTS: AtomicBool = AtomicBool::new(false);
static INPUTS: Mutex<Option<HashMap<Identity, PathBuf>>> = Mutex::new(None);

/// From now on no file that this process has read is replaced by one that it writes, whatever names lead to it: what a
/// command line wants, where an output that is an input is a slip. The files that others name (lists of datasets,
/// companions of a spectrum, models) are meant, too.
pub fn protect_inputs() {
    PROTECTS.store(true, Ordering::Relaxed);
}

/// Remembers a file that is read, where [`protect_inputs`] was called. Readers of this crate do that by themselves.
pub fn note_input(path: &Path) {
    if !PROTECTS.load(Ordering::Relaxed) {
        return;
    }
    if let Some(identity) = existing(path) {
        let mut inputs = INPUTS.lock().unwrap_or_else(PoisonError::into_inner);
        inputs.get_or_insert_with(HashMap::new).entry(identity).or_insert_with(|| path.to_path_buf());
    }
}

/// The name under which the file that a name leads to was read, if it was.
pub(super) fn read_as(path: &Path) -> Option<PathBuf> {
    if !PROTECTS.load(Ordering::Relaxed) {
        return None;
    }
    let identity = existing(path)?;
    INPUTS.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.get(&identity).cloned()
}

/// Checks, before any work is done, all files that will be written: each as [`check_output`] does, that no two of them are
/// one, and that none is one of the inputs, whatever names (spellings, links) lead to them.
///
/// # Errors
/// [`Error::Options`] that names the file; see [`check_output`].
pub fn check_outputs(outputs: &[&Path], inputs: &[&Path], overwrite: bool) -> Result<()> {
    let mut taken: HashMap<Identity, &Path> = HashMap::new();
    let read: HashMap<Identity, &Path> = inputs.iter().filter_map(|path| Some((existing(path)?, *path))).collect();
    for path in outputs {
        if let Some(identity) = written(path) {
            if let Some(input) = read.get(&identity) {
                return Err(is_input(path, input));
            }
            if let Some(other) = taken.insert(identity, path) {
                let text = format!("'{}' and '{}' are one file", other.display(), path.display());
                return Err(Error::options("output", text).with_help("give each output a name of its own"));
            }
        }
        check_output(path, overwrite)?;
    }
    Ok(())
}

/// The error of an output that is an input.
pub(super) fn is_input(output: &Path, input: &Path) -> Error {
    let text = if output == input {
        format!("'{}' is an input of this command", output.display())
    } else {
        format!("'{}' is '{}', an input of this command", output.display(), input.display())
    };
    Error::options("output", text).with_help("choose another name; rename it afterwards, if the input may go")
}
