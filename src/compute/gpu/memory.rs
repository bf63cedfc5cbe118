//! Device memory: every buffer is entered in a ledger, which keeps all of them together below a budget.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of all buffers that an engine holds, staging included.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    used: AtomicU64,
    peak: AtomicU64,
}

/// A place in the ledger, given back when dropped.
#[derive(Debug)]
pub(super) struct Entry {
    ledger: Arc<Ledger>,
    bytes: u64,
}

impl Ledger {
    /// Enters `bytes`; the number of bytes that are left where they exceed the budget.
    pub(super) fn enter(self: &Arc<Self>, bytes: u64, budget: u64) -> Result<Entry, u64> {
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= budget);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(before) => {
                self.peak.fetch_max(before + bytes, Ordering::Relaxed);
                Ok(Entry { ledger: Arc::clone(self), bytes })
            }
            Err(used) => Err(budget.saturating_sub(used)),
        }
    }

    /// Bytes in use.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Most bytes that were in use at once.
    pub(super) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.ledger.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A buffer of the device with its place in the ledger.
#[derive(Debug)]
pub(super) struct Buffer {
    buffer: wgpu::Buffer,
    _entry: Entry,
}

impl Buffer {
    pub(super) fn new(buffer: wgpu::Buffer, entry: Entry) -> Self {
        Self { buffer, _entry: entry }
    }
}

impl Deref for Buffer {
    type Target = wgpu::Buffer;
    fn deref(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_stays_below_its_budget_and_forgets_what_is_dropped() {
        let ledger = Arc::new(Ledger::default());
        let first = ledger.enter(60, 100).unwrap();
        assert_eq!(ledger.enter(50, 100).unwrap_err(), 40);
        drop(first);
        let _second = ledger.enter(100, 100).unwrap();
        assert_eq!((ledger.used(), ledger.peak()), (100, 100));
    }
}
