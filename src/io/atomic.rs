//! Whole files or none: written beside the target, then renamed.
//!
//! A file under way is `.NAME.HOST-PID-N.part` in the folder of its target, locked (`flock`) while its writer lives. A
//! process that is killed leaves it behind; the next one that writes into the folder removes what it finds of its own
//! machine (HOST, of its name) and can lock, since a lock ends with its holder. Where the file system has no locks nothing
//! is removed, nor are parts of other machines, whose locks may not be seen from here.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::same;
use crate::error::{Error, Result};

/// Names of files have at most so many bytes on the usual file systems.
const LONGEST_NAME: usize = 255;

/// Held while files take their names, so that a process that is to end does not do so in between.
static COMMIT: Mutex<()> = Mutex::new(());

/// Parts under way in this process.
static PARTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn problem(text: String, help: &str) -> Result<()> {
    Err(Error::options("output", text).with_help(help))
}

/// Checks, before any work is done, that a file could be written there: its folder is there and can be written to, its
/// name is not too long, it is neither a folder nor a link to nowhere, it may be replaced where it exists, and it is
/// not a file that was read ([`protect_inputs`](super::protect_inputs)).
///
/// # Errors
/// [`Error::Options`] where that is not so; [`Error::Io`] with the system's reason where nothing can be written there (no
/// permission, no space, a disk that is read only).
pub fn check_output(path: impl AsRef<Path>, overwrite: bool) -> Result<()> {
    let path = path.as_ref();
    if path.file_name().is_none() {
        return problem(format!("'{}' is not a file name", path.display()), "name a file, e.g. flux.fits");
    }
    let folder = folder_of(path);
    match fs::metadata(&folder) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return problem(format!("'{}' is not a folder", folder.display()), "name a folder that exists"),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return problem(format!("the folder '{}' does not exist", folder.display()), "create it first");
        }
        Err(error) => return Err(Error::io(folder, error)),
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            problem(format!("'{}' is a folder", path.display()), "name a file in it, e.g. flux.fits")
        }
        Ok(found) if found.is_file() => {
            if let Some(input) = same::read_as(path) {
                return Err(same::is_input(path, &input));
            }
            if !overwrite {
                let error = Error::options("output", format!("'{}' exists", path.display()));
                return Err(error.with_help_for(
                    "choose another name, or set WriteOptions::overwrite",
                    "add --overwrite to replace it, or choose another name",
                ));
            }
            probe(path, &fs::canonicalize(path).map_err(|e| Error::io(path, e))?)
        }
        // A device or pipe is written as it is.
        Ok(_) => Ok(()),
        Err(_) if fs::symlink_metadata(path).is_ok() => {
            let text = match fs::read_link(path) {
                Ok(to) => format!("'{}' is a link to '{}', which is not there", path.display(), to.display()),
                Err(_) => format!("'{}' is a link that leads nowhere", path.display()),
            };
            problem(text, "remove the link, or name the file that it should lead to")
        }
        Err(error) if error.kind() == ErrorKind::NotFound => probe(path, path),
        Err(error) => refused(path, error),
    }
}

/// Creates an empty part and removes it: there is no other way to know of permissions, quotas and read-only disks.
fn probe(path: &Path, target: &Path) -> Result<()> {
    match Part::create_file(target) {
        Ok(_) => Ok(()),
        Err(error) => refused(path, error),
    }
}

/// The error of a file that cannot be created.
fn refused(path: &Path, error: std::io::Error) -> Result<()> {
    match error.kind() {
        ErrorKind::InvalidFilename => {
            problem(format!("the name of '{}' is too long", path.display()), "choose a shorter one")
        }
        ErrorKind::InvalidInput | ErrorKind::NotADirectory => {
            problem(format!("'{}' is not a file name", path.display()), "name a file, e.g. flux.fits")
        }
        _ => Err(Error::io(path, error)),
    }
}

/// The folder that a file lies in.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// A name for this machine in the names of parts: eight hexadecimal digits.
static HOST: LazyLock<String> = LazyLock::new(|| {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var_os("HOSTNAME").map(|v| v.to_string_lossy().into_owned()))
        .or_else(|| std::env::var_os("COMPUTERNAME").map(|v| v.to_string_lossy().into_owned()))
        .unwrap_or_default();
    format!("{:08x}", digest(name.trim().as_bytes()) as u32)
});

/// FNV-1a.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A number that no other call in this process gives.
pub(super) fn next_number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// The beginning of a text that has at most so many bytes.
pub(super) fn shortened(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A file beside the target, removed unless it was renamed.
struct Part {
    path: PathBuf,
    file: Option<File>,
}

impl Part {
    fn create(target: &Path) -> Result<Self> {
        Self::create_file(target).map_err(|error| Error::io(target, error))
    }

    fn create_file(target: &Path) -> std::io::Result<Self> {
        // The part's own name is short enough in any case.
        if target.file_name().is_some_and(|name| name.len() > LONGEST_NAME) {
            return Err(ErrorKind::InvalidFilename.into());
        }
        let folder = folder_of(target);
        sweep(&folder);
        let name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        loop {
            let end = format!(".{}-{}-{}.part", *HOST, std::process::id(), next_number());
            let path = folder.join(format!(".{}{end}", shortened(&name, LONGEST_NAME - 1 - end.len())));
            let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => file,
                // Left over from a killed process of the same number.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            // Where there are no locks nobody removes it.
            let _ = file.try_lock();
            if is_at(&file, &path) {
                locked(&PARTS).push(path.clone());
                return Ok(Self { path, file: Some(file) });
            }
            // Taken for a left-over between the two steps.
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.file = None;
        // After the rename there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
        locked(&PARTS).retain(|path| *path != self.path);
    }
}

/// Whether an open file still has that name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |found: fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => number(open) == number(named),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether a name is that of a part of this machine.
fn is_own_part(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((start, end)) = name.strip_suffix(".part").and_then(|name| name.rsplit_once('.')) else { return false };
    match end.split('-').collect::<Vec<_>>().as_slice() {
        [host, process, number] => start.starts_with('.') && host == &*HOST && digits(process) && digits(number),
        _ => false,
    }
}

/// Removes the parts of dead processes from a folder, once per process and folder.
fn sweep(folder: &Path) {
    static DONE: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    if !locked(&DONE).get_or_insert_with(HashSet::new).insert(folder.to_path_buf()) {
        return;
    }
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().filter(|e| e.file_name().to_str().is_some_and(is_own_part)).map(|e| e.path()) {
        let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        let Some(file) = is_file.then(|| File::open(&path).ok()).flatten() else { continue };
        // Its writer holds the lock as long as it lives.
        if file.try_lock().is_ok() && is_at(&file, &path) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Gives up all files that are under way and keeps any from taking its name from now on: for a process that is about to
/// end by itself, in whatever state its threads are. A step that has begun is completed first.
pub fn abandon() {
    // A disk that does not answer must not keep the process from ending.
    for _ in 0..50 {
        match COMMIT.try_lock() {
            Ok(guard) => {
                std::mem::forget(guard);
                break;
            }
            Err(std::sync::TryLockError::Poisoned(error)) => {
                std::mem::forget(error.into_inner());
                break;
            }
            Err(std::sync::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    let parts = PARTS.try_lock().map(|parts| parts.clone()).unwrap_or_default();
    for path in parts {
        let _ = fs::remove_file(path);
    }
}

/// A file that is written and waits for its name.
pub(super) struct Staged {
    part: Part,
    /// As its writer calls it.
    path: PathBuf,
    /// Without links.
    target: PathBuf,
    overwrite: bool,
}

impl Staged {
    /// Writes the file to its end and to the disk, beside its target.
    ///
    /// # Errors
    /// As [`check_output`]; [`Error::Options`] for a device or a pipe; what `write` returns.
    pub fn write<T>(path: &Path, overwrite: bool, write: impl FnOnce(&mut File) -> Result<T>) -> Result<(Self, T)> {
        check_output(path, overwrite)?;
        let io = |error| Error::io(path, error);
        let existing = fs::metadata(path).ok();
        if existing.as_ref().is_some_and(|m| !m.is_file()) {
            return Err(Error::options(
                "output",
                format!("'{}' is not a file in which a program can seek", path.display()),
            )
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
        if let Some(found) = &existing {
            // Best effort: some file systems have no permissions.
            let _ = fs::set_permissions(&part.path, found.permissions());
        }
        Ok((Self { part, path: path.to_path_buf(), target, overwrite }, written))
    }

    /// Gives the file its name. The caller holds [`commits`].
    ///
    /// # Errors
    /// [`Error::Options`] where it came into being in the meantime and is not to be replaced; [`Error::Io`].
    pub fn commit(self, _commits: &Commits) -> Result<()> {
        let Self { part, path, target, overwrite } = self;
        let io = |error| Error::io(&path, error);
        if overwrite {
            fs::rename(&part.path, &target).map_err(io)?;
        } else {
            // A link fails where the target has come into being in the meantime; not all file systems have links.
            match fs::hard_link(&part.path, &target) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    check_output(&path, false)?;
                    return Err(io(error));
                }
                Err(_) => {
                    check_output(&path, false)?;
                    fs::rename(&part.path, &target).map_err(io)?;
                }
            }
        }
        // The name is on the disk, too, where the system can do that.
        sync_folder(&folder_of(&target));
        Ok(())
    }
}

fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// The right to give files their names.
pub(super) struct Commits(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

/// Waits for it. While it is held the process does not end by itself.
pub(super) fn commits() -> Commits {
    Commits(locked(&COMMIT))
}

/// A lock on a folder among processes, where the system has such locks.
#[cfg(feature = "fits-system")]
pub(super) fn lock_folder(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    for _ in 0..600 {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            Err(fs::TryLockError::Error(_)) => return None,
        }
    }
    None
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
    // A device or pipe cannot be replaced by a file.
    if is_stream(path) {
        let mut file = OpenOptions::new().write(true).open(path).map_err(io)?;
        return write(&mut file).and_then(|()| file.flush()).map_err(io);
    }
    write_file(path, overwrite, |file| write(file).map_err(io))
}

/// True for a device or a pipe.
pub(super) fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
}

/// As [`write_atomic`], for what is not written from its beginning to its end: the file may be sought in and read.
///
/// # Errors
/// As there; [`Error::Options`] for a device or a pipe; what `write` returns.
pub(super) fn write_file<T>(path: &Path, overwrite: bool, write: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let (staged, written) = Staged::write(path, overwrite, write)?;
    staged.commit(&commits())?;
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

    #[test]
    fn parts_are_known_by_their_names() {
        let own = format!(".a.fits.{}-12-0.part", *HOST);
        assert!(is_own_part(&own));
        for other in [own.replace(&*HOST, "0000000g"), own.replace("12", "x"), own[1..].to_string(), "a.part".into()] {
            assert!(!is_own_part(&other), "{other}");
        }
        assert_eq!(shortened("aµb", 2), "a");
    }

    #[test]
    fn left_over_parts_go_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (dead, other) = (format!(".a.fits.{}-1-7.part", *HOST), ".a.fits.00000000-1-7.part");
        let alive = format!(".b.fits.{}-2-7.part", *HOST);
        for name in [&dead, &alive, other, "a.part"] {
            fs::write(at(name), "x").unwrap();
        }
        let held = File::open(at(&alive)).unwrap();
        held.lock().unwrap();
        write_atomic(at("a.fits"), false, |out| out.write_all(b"one")).unwrap();
        let mut left = names(folder.path());
        left.sort();
        let mut expected = vec!["a.fits".to_string(), "a.part".into(), other.into(), alive];
        expected.sort();
        assert_eq!(left, expected);
    }

    #[cfg(unix)]
    #[test]
    fn links_to_nowhere_and_long_names_are_told_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link.fits");
        std::os::unix::fs::symlink("nowhere/a.fits", &link).unwrap();
        let error = check_output(&link, true).unwrap_err();
        assert!(error.kind() == ErrorKind::Options && error.to_string().contains("nowhere/a.fits"), "{error}");
        let error = check_output(folder.path().join("n".repeat(256)), false).unwrap_err();
        assert!(error.kind() == ErrorKind::Options && error.to_string().contains("too long"), "{error}");
        // Just short enough, although a part's name is longer.
        let long = folder.path().join("n".repeat(255));
        write_atomic(&long, false, |out| out.write_all(b"one")).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
    }

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
