//! A file and its companion that is of no use with another one: flux maps and their reference model, fitted models and
//! their covariance.
//!
//! Two names cannot change at once, so the first file says which companion is its own, and it never names one that holds
//! something else. Where nothing is replaced the companion comes first, then the file. Where something is,
//!
//! ```text
//! 1  all is written beside the targets and on the disk: whatever fails until here, the old pair is there
//! 2  the companion under a name of its own, x.fits-1f2e3d4c_model.yaml
//! 3  x.fits, which names that: this is the moment at which the new pair stands for the old one
//! 4  x_model.yaml is replaced; nothing names it now
//! 5  x.fits once more, which names x_model.yaml; the other name goes
//! ```
//!
//! A process that dies in between leaves the old pair (until 3) or the new one, maybe with a file more, which the next
//! writer removes. Writers of one folder wait for each other by a lock on it; where the file system has no locks, two
//! that write the same pair at the same time may leave the file of one with the companion of the other. A reader that
//! opens the file before step 4 and the companion after it sees both; readers of this crate take the model inside of
//! the file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::atomic::{
    Staged, check_output, commits, digest, folder_of, is_stream, lock_folder, next_number, shortened, write_atomic,
};
use crate::error::{Error, Result};

/// Makes a file for the name of its companion.
type Maker<'a> = dyn Fn(Option<&str>, &mut dyn Write) -> Result<()> + 'a;

/// Writes a file and its companion; `write` makes the file for the name of a companion (`None`: without one).
///
/// # Errors
/// [`Error::Options`] where one of the two exists and is not to be replaced or cannot be written; [`Error::Io`] where
/// writing fails; what `write` returns.
pub(super) fn write_pair(path: &Path, companion: &Path, text: &[u8], overwrite: bool, write: &Maker<'_>) -> Result<()> {
    check_output(path, overwrite)?;
    if is_stream(path) {
        let bytes = made(None, write)?;
        return write_atomic(path, overwrite, |out| out.write_all(&bytes));
    }
    check_output(companion, overwrite)?;
    let names = |companion: &Path| companion.file_name().map(|n| n.to_string_lossy().into_owned());
    let stage = |companion: &Path| -> Result<Staged> {
        let name = names(companion);
        Ok(Staged::write(path, overwrite, |file| write(name.as_deref(), file))?.0)
    };
    let stage_text = |target: &Path| -> Result<Staged> {
        Ok(Staged::write(target, overwrite, |file| file.write_all(text).map_err(|e| Error::io(target, e)))?.0)
    };
    let holds_text = || fs::read(companion).is_ok_and(|found| found == text);
    let is_fresh = || !path.exists() && !companion.exists();
    let folder = folder_of(companion);

    if holds_text() {
        let file = stage(companion)?;
        let _lock = lock_folder(&folder);
        if holds_text() {
            file.commit(&commits())?;
            remove_own_names(path, companion);
            return Ok(());
        }
    } else if is_fresh() {
        let (file, beside) = (stage(companion)?, stage_text(companion)?);
        let _lock = lock_folder(&folder);
        if is_fresh() {
            let commits = commits();
            beside.commit(&commits)?;
            return file.commit(&commits).inspect_err(|_| {
                // The companion alone is of no use.
                let _ = fs::remove_file(companion);
            });
        }
    }

    let _lock = lock_folder(&folder);
    // In the meantime one of them may have come into being that is not to be replaced.
    check_output(path, overwrite)?;
    check_output(companion, overwrite)?;
    let own = own_name(path, companion);
    let (first, second) = (stage(&own)?, stage(companion)?);
    let (own_text, beside) = (stage_text(&own)?, stage_text(companion)?);
    let commits = commits();
    own_text.commit(&commits)?;
    if let Err(error) = first.commit(&commits) {
        let _ = fs::remove_file(&own);
        return Err(error);
    }
    // From here on the pair is whole; what fails leaves it under the longer name.
    if beside.commit(&commits).and_then(|()| second.commit(&commits)).is_ok() {
        remove_own_names(path, companion);
    }
    Ok(())
}

fn made(name: Option<&str>, write: &Maker<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write(name, &mut bytes)?;
    Ok(bytes)
}

/// Names of the form `x.fits-1f2e3d4c_model.yaml`: what stands before and after the digits.
fn own_parts(path: &Path, companion: &Path) -> (String, String) {
    let text = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (name, beside) = (text(path), text(companion));
    // What the companion adds to the stem that both have.
    let common = name.bytes().zip(beside.bytes()).take_while(|(a, b)| a == b).count();
    let end = beside.get(common..).unwrap_or("-companion");
    (format!("{}-", shortened(&name, 200)), shortened(end, 40).to_string())
}

fn own_name(path: &Path, companion: &Path) -> PathBuf {
    let (start, end) = own_parts(path, companion);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    let seed = format!("{now} {} {}", std::process::id(), next_number());
    companion.with_file_name(format!("{start}{:08x}{end}", digest(seed.as_bytes()) as u32))
}

/// Removes the longer names of companions, which nothing names any more; the caller holds the lock.
fn remove_own_names(path: &Path, companion: &Path) {
    let (start, end) = own_parts(path, companion);
    let is_own = |name: &str| {
        let digits = name.strip_prefix(start.as_str()).and_then(|rest| rest.strip_suffix(end.as_str()));
        digits.is_some_and(|d| d.len() == 8 && d.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let Ok(entries) = fs::read_dir(folder_of(companion)) else { return };
    for entry in entries.flatten().filter(|e| e.file_name().to_str().is_some_and(is_own)) {
        let _ = fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// A file of one line: the name of its companion and a text that both must hold.
    fn write(folder: &Path, text: &str, overwrite: bool) -> Result<()> {
        let (path, companion) = (folder.join("x.fits"), folder.join("x_model.yaml"));
        write_pair(&path, &companion, text.as_bytes(), overwrite, &|name, out| {
            let line = format!("{} {text}", name.unwrap_or("-"));
            out.write_all(line.as_bytes()).map_err(|e| Error::io("x.fits", e))
        })
    }

    /// The text of a pair, which must agree.
    fn read(folder: &Path) -> String {
        let line = fs::read_to_string(folder.join("x.fits")).unwrap();
        let (name, text) = line.split_once(' ').unwrap();
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), text);
        text.to_string()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_pair_keeps_its_names_when_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for (text, overwrite) in [("one", false), ("one", true), ("two", true)] {
            write(folder.path(), text, overwrite).unwrap();
            assert_eq!(read(folder.path()), text);
            assert_eq!(fs::read_to_string(folder.path().join("x_model.yaml")).unwrap(), text);
            assert_eq!(names(folder.path()), ["x.fits", "x_model.yaml"]);
        }
        assert_eq!(write(folder.path(), "three", false).unwrap_err().kind(), ErrorKind::Options);
        assert_eq!(read(folder.path()), "two");
    }

    #[test]
    fn what_a_dead_writer_left_goes_with_the_next() {
        let folder = tempfile::tempdir().unwrap();
        // As between steps 3 and 4.
        fs::write(folder.path().join("x.fits"), "x.fits-00ff00ff_model.yaml two").unwrap();
        fs::write(folder.path().join("x.fits-00ff00ff_model.yaml"), "two").unwrap();
        fs::write(folder.path().join("x_model.yaml"), "one").unwrap();
        fs::write(folder.path().join("x.fits.gz-00ff00ff_model.yaml"), "of another").unwrap();
        assert_eq!(read(folder.path()), "two");
        // As between steps 4 and 5: the same model again.
        fs::write(folder.path().join("x_model.yaml"), "two").unwrap();
        write(folder.path(), "two", true).unwrap();
        assert_eq!(read(folder.path()), "two");
        assert_eq!(names(folder.path()), ["x.fits", "x.fits.gz-00ff00ff_model.yaml", "x_model.yaml"]);
        fs::write(folder.path().join("x.fits-00ff00ff_model.yaml"), "two").unwrap();
        write(folder.path(), "three", true).unwrap();
        assert_eq!(read(folder.path()), "three");
        assert_eq!(names(folder.path()), ["x.fits", "x.fits.gz-00ff00ff_model.yaml", "x_model.yaml"]);
    }

    #[test]
    fn writers_at_the_same_time_leave_a_pair() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "start", false).unwrap();
        std::thread::scope(|scope| {
            for n in 0..4 {
                let folder = folder.path();
                scope.spawn(move || (0..20).for_each(|i| write(folder, &format!("{n} {i}"), true).unwrap()));
            }
        });
        assert!(read(folder.path()).ends_with(" 19"));
        assert_eq!(names(folder.path()), ["x.fits", "x_model.yaml"]);
    }
}
