//! The C library, behind a safe face: files that are written in memory.
//!
//! All calls into it are in this folder, and all that it sees is what this crate gives it: files of others are read in
//! Rust ([`super::check`], [`super::values`], [`super::tiles`]). It lays out headers, tables and heaps, and sums
//! checksums. Bundled is cfitsio 3.49 with zlib 1.2.5; the feature `fits-system` links the one of the system instead,
//! which may be newer.

mod block;
mod write;

pub(super) use write::{ColumnData, MemoryWriter};

use std::ffi::{c_char, c_int};

use fitsio_sys as sys;

use crate::error::{Error, Place, Result};

/// The library's text for a status, with the messages that it piled up.
fn message(status: c_int) -> String {
    let mut short: [c_char; 32] = [0; 32];
    // SAFETY: the library writes at most 31 characters and a NUL for any status.
    unsafe { sys::ffgerr(status, short.as_mut_ptr()) };
    let mut text = format!("FITS library: {} (status {status})", to_text(&short));
    loop {
        let mut line: [c_char; 96] = [0; 96];
        // SAFETY: messages have at most 80 characters and a NUL.
        if unsafe { sys::ffgmsg(line.as_mut_ptr()) } == 0 {
            return text;
        }
        if text.len() < 400 {
            text.push_str("; ");
            text.push_str(to_text(&line).trim());
        }
    }
}

fn to_text(chars: &[c_char]) -> String {
    let bytes: Vec<u8> = chars.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn checked(status: c_int, place: &Place) -> Result<()> {
    if status == 0 { Ok(()) } else { Err(Error::input_at(place.clone(), message(status))) }
}

/// A number that images and columns are written as.
pub(super) trait Pixel: Copy {
    /// The library's code of the type.
    const CODE: c_int;
}

macro_rules! pixels {
    ($($t:ty, $code:expr;)*) => {
        $(impl Pixel for $t {
            const CODE: c_int = $code as c_int;
        })*
    };
}
pixels! {
    u8, sys::TBYTE;
    i16, sys::TSHORT;
    i32, sys::TINT;
    i64, sys::TLONGLONG;
    f32, sys::TFLOAT;
    f64, sys::TDOUBLE;
}
