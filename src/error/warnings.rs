//! Warnings: what can be read although something is wrong with it.
//!
//! A reader that can go on says what it found as the error that it would have been. Where nobody asks, nothing is
//! heard; [`collect`] hands what a piece of work says to its caller, [`set_handler`] hears the whole process;
//! [`as_errors`] and [`set_strict`] turn warnings back into errors.

use std::cell::{Cell, RefCell};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Error, Place, Result};

type Handler = Box<dyn Fn(&str) + Send + Sync>;

static HANDLER: RwLock<Option<Handler>> = RwLock::new(None);
static STRICT: AtomicBool = AtomicBool::new(false);
static PROGRAM: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What is said in each [`collect`] that this thread is in.
    static LISTS: RefCell<Vec<Vec<String>>> = const { RefCell::new(Vec::new()) };
    /// The files that this thread reads, the innermost last.
    static PLACES: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
    /// In how many [`as_errors`] this thread is.
    static ERRORS: Cell<usize> = const { Cell::new(0) };
}

/// Takes away the innermost place, also when the work panics.
struct LeavePlace;

impl Drop for LeavePlace {
    fn drop(&mut self) {
        PLACES.with_borrow_mut(|places| drop(places.pop()));
    }
}

/// Takes away the innermost list where the work did not end in order.
struct LeaveList(usize);

impl Drop for LeaveList {
    fn drop(&mut self) {
        LISTS.with_borrow_mut(|lists| lists.truncate(self.0));
    }
}

/// Warnings are what they were before, also when the work panics.
struct LeaveErrors;

impl Drop for LeaveErrors {
    fn drop(&mut self) {
        ERRORS.set(ERRORS.get().saturating_sub(1));
    }
}

/// Does `work` and returns what was said in it, each text once. What other threads say for it goes to the handler.
///
/// ```
/// use pevatron::error::warnings;
/// let (value, said) = warnings::collect(|| 2 + 2);
/// assert_eq!((value, said.len()), (4, 0));
/// ```
pub fn collect<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let depth = LISTS.with_borrow_mut(|lists| {
        lists.push(Vec::new());
        lists.len() - 1
    });
    let leave = LeaveList(depth);
    let value = work();
    let said = LISTS.with_borrow_mut(|lists| lists.pop()).unwrap_or_default();
    drop(leave);
    (value, said)
}

/// Does `work`, in which what would be read with a warning is an error (of this thread; other threads that help are as
/// [`set_strict`] says).
///
/// # Errors
/// Those of the work, and its first warning.
pub fn as_errors<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    ERRORS.set(ERRORS.get() + 1);
    let leave = LeaveErrors;
    let result = work();
    drop(leave);
    result
}

/// Calls `handler` with each warning of this process that no [`collect`] takes, from any thread; it replaces the one
/// before. The same text may come again where a file is read twice.
pub fn set_handler(handler: impl Fn(&str) + Send + Sync + 'static) {
    if let Ok(mut place) = HANDLER.write() {
        *place = Some(Box::new(handler));
    }
}

/// Whether what would be read with a warning is an error from now on, in the whole process.
pub fn set_strict(strict: bool) {
    STRICT.store(strict, Ordering::Relaxed);
}

/// Whether warnings name the next step in the words of the command line from now on ([`Error::program_help`]), in the
/// whole process.
pub fn set_program_words(program: bool) {
    PROGRAM.store(program, Ordering::Relaxed);
}

/// Says an error that need not end the work, with its help.
///
/// # Errors
/// The error itself where warnings are errors.
pub fn warn(error: Error) -> Result<()> {
    let error = PLACES.with_borrow(|places| places.iter().rev().fold(error, Error::at));
    if ERRORS.get() > 0 || STRICT.load(Ordering::Relaxed) {
        return Err(error);
    }
    let help = if PROGRAM.load(Ordering::Relaxed) { error.program_help() } else { error.help() };
    let text = match help {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    };
    let taken = LISTS.with_borrow_mut(|lists| {
        let Some(list) = lists.last_mut() else { return false };
        if !list.contains(&text) {
            list.push(text.clone());
        }
        true
    });
    if !taken
        && let Ok(handler) = HANDLER.read()
        && let Some(handler) = handler.as_ref()
    {
        handler(&text);
    }
    Ok(())
}

/// Does `work`, whose warnings and errors are about `place` as far as they do not know better.
#[cfg_attr(not(feature = "yaml"), expect(dead_code, reason = "only readers of files warn"))]
pub(crate) fn within<T>(place: &Place, work: impl FnOnce() -> Result<T>) -> Result<T> {
    PLACES.with_borrow_mut(|places| places.push(place.clone()));
    let leave = LeavePlace;
    let result = work().map_err(|e| e.at(place));
    drop(leave);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_collected_once_and_with_its_file() {
        let ((), said) = collect(|| {
            for _ in 0..2 {
                let warned = within(&Place::file("a.fits"), || {
                    warn(Error::input_at(Place::default().hdu("COUNTS").item("X"), "is odd").with_help("mend it"))
                });
                assert!(warned.is_ok());
            }
            let ((), inner) = collect(|| drop(warn(Error::input("Y", "is odd, too"))));
            assert_eq!(inner, ["Y: is odd, too"]);
        });
        assert_eq!(said, ["a.fits[COUNTS] X: is odd; mend it"]);
        let error = as_errors(|| warn(Error::input("X", "is odd"))).map_err(|e| e.to_string());
        assert_eq!(error, Err("X: is odd".to_string()));
        assert!(warn(Error::input("X", "is odd")).is_ok());
    }
}
