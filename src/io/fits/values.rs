//! Numbers as FITS keeps them, big-endian and perhaps scaled, and the numbers that they stand for.
//!
//! That what is read here lies within the data was found out by [`super::check`]; each place is looked up with bounds
//! nevertheless.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::check::{Hdu, HduKind};
use super::header::{Header, Value};
use super::keys::Keys;
use super::tiles;
use crate::error::{Error, Place, Result};

/// Images from this many values on are converted by several threads.
const PARALLEL: usize = 1 << 18;
/// Values that a thread converts at once.
const BLOCK: usize = PARALLEL / 8;

/// What stands for unsigned integers of 64 bits: they are stored less 2^63.
const HALF: f64 = 9_223_372_036_854_775_808.0;

/// A number that images are read as.
pub(super) trait Real: Copy + Default + Send + Sync {
    /// What pixels without a value get.
    const UNDEFINED: Self;

    /// Rounded to this precision.
    fn of(value: f64) -> Self;

    /// The same number.
    fn of_single(value: f32) -> Self;
}

impl Real for f32 {
    const UNDEFINED: Self = Self::NAN;

    fn of(value: f64) -> Self {
        value as Self
    }

    fn of_single(value: f32) -> Self {
        value
    }
}

impl Real for f64 {
    const UNDEFINED: Self = Self::NAN;

    fn of(value: f64) -> Self {
        value
    }

    fn of_single(value: f32) -> Self {
        Self::from(value)
    }
}

/// What the numbers of an image or column stand for: number × `scale` + `zero`, nothing where it is `blank`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scaling {
    pub(super) scale: f64,
    pub(super) zero: f64,
    pub(super) blank: Option<i64>,
}

impl Scaling {
    /// BSCALE, BZERO and, for integers, BLANK.
    ///
    /// # Errors
    /// [`Error::Input`] for values that make no number of any pixel.
    pub(super) fn of_image(keys: &Keys<'_>, bitpix: i64) -> Result<Self> {
        let scale = keys.finite("BSCALE")?.unwrap_or(1.0);
        if scale == 0.0 {
            return Err(keys.error("BSCALE", "0 makes the same number of all values"));
        }
        let zero = keys.finite("BZERO")?.unwrap_or(0.0);
        // The standard has no BLANK for real numbers, which have NaN; where it is there, it means nothing.
        let blank = if bitpix > 0 { keys.whole("BLANK")? } else { None };
        Ok(Self { scale, zero, blank })
    }

    /// TSCALn, TZEROn and, for integers, TNULLn of a column, counted from 0.
    fn of_column(header: &Header, column: usize, code: char, place: &Place) -> Result<Self> {
        let key = |stem: &str| format!("{stem}{}", column + 1);
        // That they are finite was checked.
        let scale = header.real(&key("TSCAL")).unwrap_or(1.0);
        if scale == 0.0 {
            let problem = format!("{} is 0, which makes the same number of all values", key("TSCAL"));
            return Err(Error::input_at(place.clone(), problem));
        }
        let blank = if "BIJK".contains(code) { header.int(&key("TNULL")) } else { None };
        Ok(Self { scale, zero: header.real(&key("TZERO")).unwrap_or(0.0), blank })
    }

    /// True where numbers stand for themselves.
    pub(super) fn is_trivial(&self) -> bool {
        self.scale == 1.0 && self.zero == 0.0
    }

    /// What an integer stands for; NaN for the one that stands for nothing.
    #[inline]
    pub(super) fn integer(&self, value: i64) -> f64 {
        if self.blank == Some(value) {
            f64::NAN
        } else if self.scale == 1.0 && self.zero == HALF {
            // The sum of two rounded numbers would not be the rounded sum.
            (value as u64 ^ (1 << 63)) as f64
        } else {
            value as f64 * self.scale + self.zero
        }
    }

    /// What a real number stands for.
    #[inline]
    pub(super) fn real(&self, value: f64) -> f64 {
        value * self.scale + self.zero
    }
}

/// Memory for so many values.
pub(super) fn room<T>(count: usize) -> Result<Vec<T>> {
    let mut out = Vec::new();
    let bytes = count as u64 * size_of::<T>() as u64;
    out.try_reserve_exact(count).map_err(|_| super::reader::memory(bytes))?;
    Ok(out)
}

/// All values of an image, scaled; pixels without a value are NaN. `data`: those of the HDU.
pub(super) fn image<T: Real>(hdu: &Hdu, data: &[u8], place: &Place) -> Result<Vec<T>> {
    if hdu.kind == HduKind::CompressedImage {
        return tiles::image(hdu, data, place);
    }
    let scaling = Scaling::of_image(&Keys { header: &hdu.header, place: place.clone() }, hdu.bitpix)?;
    let size = hdu.bitpix.unsigned_abs() as usize / 8;
    let count = hdu.values();
    let data = count.checked_mul(size).and_then(|bytes| data.get(..bytes)).ok_or_else(|| {
        Error::input_at(place.clone(), format!("{} bytes are too few for {count} values", data.len()))
    })?;
    let mut out = room(count)?;
    match hdu.bitpix {
        8 => convert(data, &mut out, |b: [u8; 1]| T::of(scaling.integer(i64::from(b[0])))),
        16 => convert(data, &mut out, |b| T::of(scaling.integer(i64::from(i16::from_be_bytes(b))))),
        32 => convert(data, &mut out, |b| T::of(scaling.integer(i64::from(i32::from_be_bytes(b))))),
        64 => convert(data, &mut out, |b| T::of(scaling.integer(i64::from_be_bytes(b)))),
        -32 if scaling.is_trivial() => convert(data, &mut out, |b| T::of_single(f32::from_be_bytes(b))),
        -32 => convert(data, &mut out, |b| T::of(scaling.real(f64::from(f32::from_be_bytes(b))))),
        -64 if scaling.is_trivial() => convert(data, &mut out, |b| T::of(f64::from_be_bytes(b))),
        _ => convert(data, &mut out, |b| T::of(scaling.real(f64::from_be_bytes(b)))),
    }
    Ok(out)
}

/// Each `N` bytes as a value, appended where there is room for them.
fn convert<T: Send, const N: usize>(data: &[u8], out: &mut Vec<T>, value: impl Fn([u8; N]) -> T + Sync) {
    let (whole, _) = data.as_chunks::<N>();
    if whole.len() < PARALLEL {
        out.extend(whole.iter().map(|b| value(*b)));
        return;
    }
    out.reserve(whole.len());
    let length = out.len() + whole.len();
    in_blocks(whole.as_flattened(), N, &mut out.spare_capacity_mut()[..whole.len()], &|data, out| {
        for (bytes, out) in data.as_chunks::<N>().0.iter().zip(out) {
            out.write(value(*bytes));
        }
    });
    // SAFETY: the values up to this length were written: each block has as many groups of N bytes as places.
    unsafe { out.set_len(length) }
}

/// What makes values of bytes, as many as there are places.
type Fill<'a, T> = dyn Fn(&[u8], &mut [MaybeUninit<T>]) + Sync + 'a;

/// Fills blocks of `out` from those of the data, `size` bytes for each value, on all threads. Not generic over what is
/// done to a block, so that the threads' part is compiled once for all types of a file.
fn in_blocks<T: Send>(data: &[u8], size: usize, out: &mut [MaybeUninit<T>], fill: &Fill<'_, T>) {
    out.par_chunks_mut(BLOCK).zip(data.par_chunks(BLOCK * size)).for_each(|(out, data)| fill(data, out));
}

/// A number that columns are read as.
pub(super) trait Cell: Copy {
    /// What an integer of the file stands for; `None` where this type has no such number.
    fn integer(value: i64, scaling: &Scaling) -> Option<Self>;

    /// What a real number of the file stands for.
    fn real(value: f64, scaling: &Scaling) -> Option<Self>;
}

impl Cell for f64 {
    fn integer(value: i64, scaling: &Scaling) -> Option<Self> {
        Some(scaling.integer(value))
    }

    fn real(value: f64, scaling: &Scaling) -> Option<Self> {
        Some(if scaling.is_trivial() { value } else { scaling.real(value) })
    }
}

impl Cell for f32 {
    fn integer(value: i64, scaling: &Scaling) -> Option<Self> {
        Some(scaling.integer(value) as Self)
    }

    fn real(value: f64, scaling: &Scaling) -> Option<Self> {
        <f64 as Cell>::real(value, scaling).map(|v| v as Self)
    }
}

impl Cell for i64 {
    fn integer(value: i64, scaling: &Scaling) -> Option<Self> {
        if scaling.scale == 1.0 && scaling.zero.fract() == 0.0 && scaling.zero.abs() <= HALF {
            return Self::try_from(i128::from(value) + scaling.zero as i128).ok();
        }
        Self::real(value as f64, scaling)
    }

    fn real(value: f64, scaling: &Scaling) -> Option<Self> {
        let value = scaling.real(value);
        (value.fract() == 0.0 && (-HALF..HALF).contains(&value)).then_some(value as Self)
    }
}

/// All values of a numeric column, row by row, scaled; undefined ones are NaN, where the type has it.
pub(super) fn column<T: Cell>(hdu: &Hdu, column: usize, data: &[u8], place: &Place) -> Result<Vec<T>> {
    let info = &hdu.columns[column];
    if hdu.kind != HduKind::Table || !"BIJKED".contains(info.code) {
        return Err(Error::input_at(place.clone(), format!("a column of numbers is needed, not '{}'", info.code)));
    }
    let scaling = Scaling::of_column(&hdu.header, column, info.code, place)?;
    let width = hdu.dims.first().copied().unwrap_or(0);
    let mut out = room(hdu.rows().saturating_mul(info.repeat))?;
    if info.bytes == 0 {
        return Ok(out);
    }
    for row in 0..hdu.rows() {
        let cell = row * width + info.offset;
        let cell = data
            .get(cell..cell + info.bytes)
            .ok_or_else(|| Error::input_at(place.clone(), format!("row {row} lies behind the end of the data")))?;
        let whole = match info.code {
            'B' => append(cell, &mut out, |b: [u8; 1]| T::integer(i64::from(b[0]), &scaling)),
            'I' => append(cell, &mut out, |b| T::integer(i64::from(i16::from_be_bytes(b)), &scaling)),
            'J' => append(cell, &mut out, |b| T::integer(i64::from(i32::from_be_bytes(b)), &scaling)),
            'K' => append(cell, &mut out, |b| T::integer(i64::from_be_bytes(b), &scaling)),
            'E' => append(cell, &mut out, |b| T::real(f64::from(f32::from_be_bytes(b)), &scaling)),
            _ => append(cell, &mut out, |b| T::real(f64::from_be_bytes(b), &scaling)),
        };
        if !whole {
            return Err(Error::input_at(place.clone(), format!("row {row} holds no whole number of 64 bits")));
        }
    }
    Ok(out)
}

/// Each `N` bytes of a cell as a value; false where one is none.
fn append<T, const N: usize>(cell: &[u8], out: &mut Vec<T>, value: impl Fn([u8; N]) -> Option<T>) -> bool {
    cell.as_chunks::<N>().0.iter().all(|b| value(*b).map(|v| out.push(v)).is_some())
}

/// The type of the elements of a column that keeps its arrays in the heap, e.g. `E` of `1PE(100)`.
pub(super) fn heap_code(header: &Header, column: usize) -> Option<char> {
    let tform = match header.get(&format!("TFORM{}", column + 1)) {
        Some(Value::Text(tform)) => tform.trim(),
        _ => return None,
    };
    tform.trim_start_matches(|c: char| c.is_ascii_digit()).chars().nth(1)
}
