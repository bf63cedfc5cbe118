//! A file in memory, open for reading.

use std::ffi::{c_int, c_void};
use std::ptr;

use fitsio::FitsFile;
use fitsio_sys as sys;

use super::super::check::{Hdu, HduKind};
use super::{Pixel, checked, safe_error};
use crate::error::{Error, Place, Result};

/// A file in memory, open for reading.
pub(in crate::io::fits) struct MemoryFile {
    // Closed first, since fields are dropped in order: the library keeps the addresses of the next two fields, and the
    // bytes behind the first of them.
    file: FitsFile,
    _pinned: Box<(*mut c_void, usize)>,
    bytes: Vec<u8>,
}

impl MemoryFile {
    /// Opens bytes that were checked.
    pub(in crate::io::fits) fn open(mut bytes: Vec<u8>) -> Result<Self> {
        let mut pinned = Box::new((bytes.as_mut_ptr().cast::<c_void>(), bytes.len()));
        let mut fptr: *mut sys::fitsfile = ptr::null_mut();
        let mut status = 0;
        // SAFETY: address and size stay where they are until the file is closed (boxed, and the vector is not touched);
        // without a realloc function and in mode 0 the library neither writes nor moves them. The name is not opened.
        unsafe {
            sys::ffomem(&mut fptr, c"memory".as_ptr(), 0, &mut pinned.0, &mut pinned.1, 0, None, &mut status);
        }
        checked(status, &Place::default())?;
        // SAFETY: `fptr` is open, and only this owner closes it.
        let file = unsafe { FitsFile::from_raw(fptr, fitsio::FileOpenMode::READONLY) }
            .map_err(|e| safe_error(&e, &Place::default()))?;
        Ok(Self { file, _pinned: pinned, bytes })
    }

    fn raw(&mut self) -> *mut sys::fitsfile {
        // SAFETY: the pointer is used within calls that end before `self` does, and never to close the file.
        unsafe { self.file.as_raw() }
    }

    /// Moves to an HDU; the library must find it where the check found it.
    fn select(&mut self, hdu: &Hdu, place: &Place) -> Result<()> {
        let mut status = 0;
        let (mut kind, mut head, mut data, mut end) = (0, 0, 0, 0);
        // SAFETY: `fptr` is open; all pointers are to locals of the right type.
        unsafe {
            sys::ffmahd(self.raw(), hdu.index as c_int + 1, &mut kind, &mut status);
            sys::ffghadll(self.raw(), &mut head, &mut data, &mut end, &mut status);
        }
        checked(status, place)?;
        if data != hdu.data_start as sys::LONGLONG {
            return Err(Error::input_at(
                place.clone(),
                format!("the header is damaged: the data start at byte {} or {data}", hdu.data_start),
            ));
        }
        Ok(())
    }

    /// All values of an image, scaled by BSCALE and BZERO; undefined integers (BLANK) become `blank`.
    pub(in crate::io::fits) fn image<T: Pixel>(
        &mut self,
        hdu: &Hdu,
        blank: Option<T>,
        place: &Place,
    ) -> Result<Vec<T>> {
        self.select(hdu, place)?;
        let n = hdu.values();
        let Some(mut blank) = blank.filter(|_| n > 0) else {
            if n == 0 {
                return Ok(Vec::new());
            }
            let handle = self.file.hdu(hdu.index).map_err(|e| safe_error(&e, place))?;
            let values = T::read_image(&handle, &mut self.file).map_err(|e| safe_error(&e, place))?;
            if values.len() != n {
                return Err(Error::input_at(place.clone(), format!("{} values where {n} are announced", values.len())));
            }
            return Ok(values);
        };
        // The safe interface cannot replace undefined values.
        let mut out = vec![T::default(); n];
        let mut status = 0;
        let mut any_undefined = 0;
        // SAFETY: `out` has room for `n` values of the type that CODE names; `blank` is one such value.
        unsafe {
            sys::ffgpv(
                self.raw(),
                T::CODE,
                1,
                n as sys::LONGLONG,
                ptr::from_mut(&mut blank).cast::<c_void>(),
                out.as_mut_ptr().cast(),
                &mut any_undefined,
                &mut status,
            );
        }
        checked(status, place)?;
        Ok(out)
    }

    /// All values of a numeric column, row by row, scaled; undefined ones are left as they are.
    pub(in crate::io::fits) fn column<T: Pixel>(&mut self, hdu: &Hdu, column: usize, place: &Place) -> Result<Vec<T>> {
        self.select(hdu, place)?;
        let info = &hdu.columns[column];
        let n = hdu.rows() * info.repeat;
        let mut out = vec![T::default(); n];
        if hdu.kind != HduKind::Table || !"BIJKED".contains(info.code) {
            return Err(Error::input_at(place.clone(), format!("a column of numbers is needed, not '{}'", info.code)));
        }
        if n == 0 {
            return Ok(out);
        }
        let (mut status, mut any_undefined) = (0, 0);
        // SAFETY: `out` has room for `n` values of the type that CODE names; the check made sure that rows × repeat
        // elements are in the file.
        unsafe {
            sys::ffgcv(
                self.raw(),
                T::CODE,
                column as c_int + 1,
                1,
                1,
                n as sys::LONGLONG,
                ptr::null_mut(),
                out.as_mut_ptr().cast(),
                &mut any_undefined,
                &mut status,
            );
        }
        checked(status, place)?;
        Ok(out)
    }

    /// The data of an HDU as they stand in the file.
    pub(in crate::io::fits) fn data(&self, hdu: &Hdu) -> &[u8] {
        self.bytes.get(hdu.data_start..hdu.data_end()).unwrap_or_default()
    }

    /// The bytes of a string column, row by row (`repeat` bytes each), as they stand in the file.
    pub(in crate::io::fits) fn raw_column(&self, hdu: &Hdu, column: usize) -> Vec<Vec<u8>> {
        let info = &hdu.columns[column];
        let row_bytes = hdu.dims[0];
        if info.bytes == 0 {
            return Vec::new();
        }
        (0..hdu.rows())
            .map(|row| {
                let start = hdu.data_start + row * row_bytes + info.offset;
                self.bytes.get(start..start + info.bytes).unwrap_or_default().to_vec()
            })
            .collect()
    }
}
