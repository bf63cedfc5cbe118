//! Whole files or none: written beside the target, then renamed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Checks, before any work is done, that a file could be written there.
///
/// # Errors
/// [`Error::Options`] where the folder is missing, the path is a folder, or the file exists and is not to be replaced.
pub fn check_output(path: impl AsRef<Path>, overwrite: bool) -> Result<()> {
    let path = path.as_ref();
    let problem = |text: String, help: &str| Err(Error::options("output", text).with_help(help));
    if path.file_name().is_none() {
        return problem(format!("'{}' is no file name", path.display()), "name a file, e.g. flux.fits");
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            return problem(format!("'{}' is a folder", path.display()), "name a file in it, e.g. flux.fits");
        }
        Ok(found) if found.is_file() && !overwrite => {
            return problem(format!("'{}' exists", path.display()), "choose another name, or allow to overwrite it");
        }
        _ => {}
    }
    let folder = folder_of(path);
    match fs::metadata(&folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => problem(format!("'{}' is no folder", folder.display()), "name a folder that exists"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            problem(format!("the folder '{}' does not exist", folder.display()), "create it first")
        }
        Err(error) => Err(Error::io(folder, error)),
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// A file beside the target, removed unless it was renamed.
struct Part {
    path: PathBuf,
    file: Option<File>,
}

impl Part {
    fn create(target: &Path) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = folder_of(target).join(format!(".{name}.{}-{number}.part", std::process::id()));
            match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { path, file: Some(file) }),
                // Left over from a killed process of the same number.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(target, error)),
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.file = None;
        // After the rename there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes a file as a whole: to its end and to the disk beside the target, then renamed. On any error the target is as
/// it was and nothing is left beside it.
///
/// # Errors
/// As [`check_output`]; [`Error::Io`] with the system's reason (no space, no permission) where writing fails.
pub fn write_atomic(
    path: impl AsRef<Path>,
    overwrite: bool,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    let path = path.as_ref();
    check_output(path, overwrite)?;
    let io = |error| Error::io(path, error);
    let existing = fs::metadata(path).ok();
    // A device or pipe cannot be replaced by a file.
    if existing.as_ref().is_some_and(|m| !m.is_file()) {
        let mut file = OpenOptions::new().write(true).open(path).map_err(io)?;
        return write(&mut file).and_then(|()| file.flush()).map_err(io);
    }
    write_file(path, overwrite, |file| write(file).map_err(io))
}

/// As [`write_atomic`], for what is not written from its beginning to its end: the file may be sought in and read.
///
/// # Errors
/// As there; [`Error::Options`] for a device or a pipe; what `write` returns.
pub(super) fn write_file<T>(path: &Path, overwrite: bool, write: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    check_output(path, overwrite)?;
    let io = |error| Error::io(path, error);
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(|m| !m.is_file()) {
        return Err(Error::options("output", format!("'{}' is no file that can be sought in", path.display()))
            .with_help("name a file in a folder"));
    }
    // The target of a link is replaced, not the link.
    let target = if existing.is_some() { fs::canonicalize(path).map_err(io)? } else { path.to_path_buf() };
    let mut part = Part::create(&target)?;
    let written = match &mut part.file {
        Some(file) => {
            let written = write(file)?;
            file.sync_all().map_err(io)?;
            written
        }
        None => return Err(io(std::io::Error::other("the file is closed"))),
    };
    part.file = None;
    if let Some(found) = existing {
        // Best effort: some file systems have no permissions.
        let _ = fs::set_permissions(&part.path, found.permissions());
    }
    if overwrite {
        fs::rename(&part.path, &target).map_err(io)?;
    } else {
        // A link fails where the target has come into being in the meantime; not all file systems have links.
        match fs::hard_link(&part.path, &target) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                check_output(path, false)?;
                return Err(io(error));
            }
            Err(_) => {
                check_output(path, false)?;
                fs::rename(&part.path, &target).map_err(io)?;
            }
        }
    }
    if let Ok(folder) = File::open(folder_of(&target)) {
        // The name is on the disk, too, where the system can do that.
        let _ = folder.sync_all();
    }
    Ok(written)
}

/// A file beside a target that is gone when the work is done: what has to be written before its beginning is known.
#[cfg(feature = "fits-system")]
pub(super) fn with_spool<T>(path: &Path, work: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let mut part = Part::create(path)?;
    match &mut part.file {
        Some(file) => work(file),
        None => Err(Error::io(path, std::io::Error::other("the file is closed"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn whole_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, false, |out| out.write_all(b"one")).unwrap();
        let error = write_atomic(&path, false, |out| out.write_all(b"two")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Options);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write_atomic(&path, true, |out| out.write_all(b"two")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let error = write_atomic(&path, true, |out| {
            out.write_all(b"half")?;
            Err(std::io::Error::other("disk full"))
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn missing_folder_and_folder_as_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = check_output(folder.path().join("no/a.fits"), false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Options);
        assert!(error.to_string().contains("does not exist"));
        assert_eq!(check_output(folder.path(), true).unwrap_err().kind(), ErrorKind::Options);
    }
}
