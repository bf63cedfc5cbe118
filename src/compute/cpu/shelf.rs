//! Working memory that is kept between tiles and runs: fresh pages cost more than the sums that are made in them.

use std::sync::{Mutex, PoisonError};

/// Pieces of working memory, at most one per thread at a time.
pub struct Shelf<T>(Mutex<Vec<T>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T> std::fmt::Debug for Shelf<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shelf")
    }
}

impl<T: Default> Shelf<T> {
    /// The piece that was put back last, or a new one.
    pub fn take(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Puts a piece back.
    pub fn put(&self, piece: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
    }
}
