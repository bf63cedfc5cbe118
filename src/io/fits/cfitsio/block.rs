//! Memory that the library may let grow.

use std::ffi::c_void;
use std::ptr;

unsafe extern "C" {
    fn calloc(n: usize, size: usize) -> *mut c_void;
    fn realloc(p: *mut c_void, size: usize) -> *mut c_void;
    fn free(p: *mut c_void);
}

/// Bytes before each block of [`grow`], which hold its size and its capacity and keep the alignment.
const PREFIX: usize = 16;

/// A block of `size` bytes of 0 for [`grow`] that can become `capacity` bytes long where it lies; null without memory.
/// Pages that are never written cost nothing.
pub(super) fn reserve(size: usize, capacity: usize) -> *mut c_void {
    let capacity = capacity.max(size);
    let Some(total) = capacity.checked_add(PREFIX) else { return ptr::null_mut() };
    // SAFETY: a fresh block of `total` bytes of 0, long enough for the prefix.
    unsafe {
        let start = calloc(total, 1).cast::<u8>();
        if start.is_null() {
            return ptr::null_mut();
        }
        start.cast::<usize>().write(size);
        start.cast::<usize>().add(1).write(capacity);
        start.add(PREFIX).cast()
    }
}

/// `realloc` for files in memory whose new part is 0: the library takes what it finds beyond what it wrote for part of
/// the file, and old memory must not get into files. What is cut off is set to 0 at once and kept for later.
///
/// # Safety
/// `block` came from [`reserve`] or this function.
pub(super) unsafe extern "C" fn grow(block: *mut c_void, size: usize) -> *mut c_void {
    let Some(total) = size.checked_add(PREFIX) else { return ptr::null_mut() };
    // SAFETY: a block starts PREFIX bytes after what the allocator gave, where its size and capacity stand; all that is
    // zeroed lies within the capacity, old or new.
    unsafe {
        let mut start = block.cast::<u8>().sub(PREFIX);
        let (old, capacity) = (start.cast::<usize>().read(), start.cast::<usize>().add(1).read());
        if size < old {
            start.add(PREFIX + size).write_bytes(0, old - size);
        } else if size > capacity {
            start = realloc(start.cast(), total).cast::<u8>();
            if start.is_null() {
                return ptr::null_mut();
            }
            start.add(PREFIX + capacity).write_bytes(0, size - capacity);
            start.cast::<usize>().add(1).write(size);
        }
        start.cast::<usize>().write(size);
        start.add(PREFIX).cast()
    }
}

/// Frees a block of [`grow`]; null is left alone.
///
/// # Safety
/// `block` came from [`reserve`] or [`grow`] and is not used any more.
pub(super) unsafe fn release(block: *mut c_void) {
    if !block.is_null() {
        // SAFETY: this is where the allocation starts.
        unsafe { free(block.cast::<u8>().sub(PREFIX).cast()) };
    }
}
