//! The C library, behind a safe face: files in memory, images, table columns, keywords.
//!
//! All calls into it are in this folder. Files are opened from bytes that [`super::check`] has walked, and the two must agree
//! on where the data of an HDU start before anything is read.

mod block;
mod read;
mod write;

pub(super) use read::MemoryFile;
pub(super) use write::{ColumnData, MemoryWriter};

use std::ffi::{c_char, c_int};

use fitsio::FitsFile;
use fitsio::hdu::FitsHdu;
use fitsio::images::ReadImage;
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

fn safe_error(error: &fitsio::errors::Error, place: &Place) -> Error {
    // SAFETY: only clears the library's list of messages.
    unsafe { sys::ffcmsg() };
    Error::input_at(place.clone(), format!("FITS library: {error}"))
}

/// A number that images and columns are read and written as.
pub(super) trait Pixel: Copy + Default {
    /// The library's code of the type.
    const CODE: c_int;

    /// A whole image through the safe interface.
    fn read_image(hdu: &FitsHdu, file: &mut FitsFile) -> fitsio::errors::Result<Vec<Self>>;
}

macro_rules! pixels {
    ($($t:ty, $code:expr;)*) => {
        $(impl Pixel for $t {
            const CODE: c_int = $code as c_int;

            fn read_image(hdu: &FitsHdu, file: &mut FitsFile) -> fitsio::errors::Result<Vec<Self>> {
                <Vec<Self> as ReadImage>::read_image(file, hdu)
            }
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
