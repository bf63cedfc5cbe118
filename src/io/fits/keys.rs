//! Keywords that say where things are and what they mean: each has one value, of the right kind.

use super::check::MAX_NAXIS;
use super::header::{Header, Value};
use crate::error::{Error, Place, Result};

/// The values that decide where things are and what they mean, with the place for messages.
pub(super) struct Keys<'a> {
    pub(super) header: &'a Header,
    pub(super) place: Place,
}

impl Keys<'_> {
    pub(super) fn error(&self, key: &str, problem: impl Into<String>) -> Error {
        Error::input_at(self.place.clone().item(key), problem)
    }

    /// The keyword must stand there once at most, so that all readers see the same value.
    pub(super) fn once(&self, key: &str) -> Result<()> {
        match self.header.count(key) {
            0 | 1 => Ok(()),
            n => Err(self.error(key, format!("the keyword stands {n} times in the header"))),
        }
    }

    pub(super) fn optional(&self, key: &str) -> Result<Option<i64>> {
        self.once(key)?;
        match self.header.get(key) {
            None => Ok(None),
            Some(Value::Int(i)) => Ok(Some(*i)),
            Some(_) => Err(self.error(key, "an integer is needed")),
        }
    }

    pub(super) fn required(&self, key: &str) -> Result<i64> {
        self.optional(key)?.ok_or_else(|| self.error(key, "the keyword is missing"))
    }

    pub(super) fn size(&self, key: &str) -> Result<u64> {
        u64::try_from(self.required(key)?).map_err(|_| self.error(key, "a size cannot be negative"))
    }

    pub(super) fn optional_size(&self, key: &str, default: u64) -> Result<u64> {
        match self.optional(key)? {
            None => Ok(default),
            Some(v) => u64::try_from(v).map_err(|_| self.error(key, "a size cannot be negative")),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>> {
        self.once(key)?;
        match self.header.get(key) {
            None | Some(Value::None) => Ok(None),
            Some(Value::Text(t)) => Ok(Some(t)),
            Some(_) => Err(self.error(key, "a string is needed")),
        }
    }

    /// A number that may stand there twice if it is the same.
    fn single(&self, key: &str) -> Result<Option<&Value>> {
        let mut all = self.header.cards().iter().filter(|(name, _)| name == key).map(|(_, value)| value);
        let first = all.next();
        match all.find(|other| Some(*other) != first) {
            Some(_) => Err(self.error(key, "the keyword stands there with different values")),
            None => Ok(first),
        }
    }

    /// A finite number.
    pub(super) fn finite(&self, key: &str) -> Result<Option<f64>> {
        match self.single(key)? {
            None => Ok(None),
            Some(_) => match self.header.real(key).filter(|v| v.is_finite()) {
                Some(value) => Ok(Some(value)),
                None => Err(self.error(key, "a finite number is needed")),
            },
        }
    }

    /// A whole number, also one that is written with a decimal point.
    pub(super) fn whole(&self, key: &str) -> Result<Option<i64>> {
        match self.single(key)? {
            None => Ok(None),
            Some(_) => self.header.int(key).map(Some).ok_or_else(|| self.error(key, "a whole number is needed")),
        }
    }

    /// Sizes of axes beyond those that there are contradict their number; tools leave some of 0 and 1 behind.
    pub(super) fn no_more_axes(&self, stem: &str, count: i64) -> Result<()> {
        for n in count + 1..=MAX_NAXIS {
            let key = format!("{stem}{n}");
            if let Some(size) = self.header.int(&key).filter(|size| ![0, 1].contains(size)) {
                return Err(self.error(&key, format!("an axis of {size} pixels where {stem} is {count}")));
            }
        }
        Ok(())
    }
}
