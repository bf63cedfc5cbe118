//! The net below the library's checks of memory: an allocation that the machine cannot hold ends with a message and exit
//! code 1, not with an abort, nor with a process that the system kills.
//!
//! Where sizes come from files and options the library asks before it allocates ([`pevatron::memory`]) and gives an error;
//! this is for what is left.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Smaller allocations are not counted: counting would cost more than they do.
const COUNTED_BYTES: usize = 8 << 20;

/// Bytes of all counted allocations that live.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// What they may be together.
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Sets what large allocations may be together.
pub fn bound(bytes: u64) {
    LIMIT.store(usize::try_from(bytes).unwrap_or(usize::MAX), Ordering::Relaxed);
}

/// The system's allocator, bounded.
pub struct Bounded;

/// What an allocation counts as.
#[inline]
fn counted(bytes: usize) -> usize {
    if bytes >= COUNTED_BYTES { bytes } else { 0 }
}

#[inline]
fn count(bytes: usize) {
    if bytes > 0 {
        let before = LIVE.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > LIMIT.load(Ordering::Relaxed) {
            refuse(bytes);
        }
    }
}

/// Beyond what was free at the start: others may have given memory back since.
#[cold]
fn refuse(bytes: usize) {
    if bytes as u64 > pevatron::memory::available_bytes() {
        crate::process::end_for_memory(bytes);
    }
}

/// Memory that the system gave; where it did not (a limit of the process), Rust would abort.
#[inline]
fn there(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if pointer.is_null() {
        crate::process::end_for_memory(bytes);
    }
    pointer
}

#[inline]
fn forget(bytes: usize) {
    if bytes > 0 {
        LIVE.fetch_sub(bytes, Ordering::Relaxed);
    }
}

// SAFETY: the system's allocator does the work; sizes are only counted.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(counted(layout.size()));
        // SAFETY: as the caller promises.
        there(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(counted(layout.size()));
        // SAFETY: as the caller promises.
        there(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        forget(counted(layout.size()));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Large memory is moved by its addresses, not copied: only the growth is new.
        let growth = counted(size).saturating_sub(counted(layout.size()));
        let shrink = counted(layout.size()).saturating_sub(counted(size));
        count(growth);
        // SAFETY: as the caller promises.
        let moved = there(unsafe { System.realloc(pointer, layout, size) }, size);
        LIVE.fetch_sub(shrink, Ordering::Relaxed);
        moved
    }
}
