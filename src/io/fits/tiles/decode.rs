//! From the bytes of a tile to its values.

use std::borrow::Cow;

use super::super::check::{Column, big_endian};
use super::super::values::{Real, Scaling, room};
use super::dither::Sequence;
use super::plan::{Algorithm, PerTile, Plan};
use super::sources::{Kept, Source, size};
use super::{gzip, rice};
use crate::error::{Error, Result};

/// The whole number that stands for exactly 0 in SUBTRACTIVE_DITHER_2.
const EXACT_ZERO: i64 = -2_147_483_646;

/// Decodes tiles of one image.
pub(super) struct Decoder<'a> {
    pub(super) plan: &'a Plan,
    pub(super) columns: &'a [Column],
    /// Rows and heap of the table.
    pub(super) data: &'a [u8],
    pub(super) row_bytes: usize,
}

/// The values of a tile as they were stored.
pub(super) enum Elements<'a> {
    /// Big-endian, of the type of a column.
    Bytes(char, Cow<'a, [u8]>),
    Whole(Vec<i32>),
}

fn wrong(problem: impl Into<String>) -> Error {
    Error::input("tile", problem)
}

impl Decoder<'_> {
    /// The values of a tile of so many pixels as they were stored. Memory is taken as far as the stream has data.
    ///
    /// # Errors
    /// [`Error::Input`] that says what is wrong with it.
    pub(super) fn elements(&self, source: &Source, pixels: usize) -> Result<Elements<'_>> {
        source.check_size(self.plan, pixels)?;
        let bytes = self.data.get(source.start..source.start + source.bytes).unwrap_or_default();
        let exact = self.plan.quantised.is_none();
        match source.kept {
            Kept::Stored(code) => {
                let count = bytes.len() / size(code);
                if count != pixels {
                    return Err(wrong(format!("{count} uncompressed values where the tile has {pixels} pixels")));
                }
                Ok(Elements::Bytes(code, Cow::Borrowed(bytes)))
            }
            Kept::Gzipped => self.gzipped(bytes, pixels, false, true),
            Kept::Compressed => match self.plan.algorithm {
                Algorithm::Rice { bytes: width, block } => {
                    let mut whole = room(pixels)?;
                    whole.resize(pixels, 0);
                    rice::decode(bytes, width, block, &mut whole).map_err(wrong)?;
                    Ok(Elements::Whole(whole))
                }
                Algorithm::Gzip { shuffled } => self.gzipped(bytes, pixels, shuffled, exact),
                Algorithm::Stored => {
                    let code = self.code(bytes.len(), pixels, exact)?;
                    Ok(Elements::Bytes(code, Cow::Borrowed(bytes)))
                }
            },
        }
    }

    /// What the elements of a tile (counted from 0) stand for, as many as `out` has.
    ///
    /// # Errors
    /// [`Error::Input`] that says what is wrong with it.
    pub(super) fn finish<T: Real>(
        &self,
        tile: usize,
        source: &Source,
        elements: &Elements<'_>,
        out: &mut [T],
    ) -> Result<()> {
        let blank = self.plan.blank.map(|blank| self.whole(blank, tile)).transpose()?;
        if self.plan.bitpix > 0 {
            return self.integers(elements, blank, out);
        }
        match self.plan.quantised.filter(|_| source.kept == Kept::Compressed) {
            None => self.reals(elements, out),
            Some(quantised) => {
                let (scale, zero) = (self.number(quantised.scale, tile)?, self.number(quantised.zero, tile)?);
                if !scale.is_finite() || !zero.is_finite() {
                    return Err(wrong(format!("ZSCALE is {scale}, ZZERO {zero}")));
                }
                let outer = &self.plan.scaling;
                let scaling = if outer.is_trivial() {
                    Scaling { scale, zero, blank }
                } else {
                    Scaling { scale: scale * outer.scale, zero: zero * outer.scale + outer.zero, blank }
                };
                let numbers = quantised.seed.map(|seed| Sequence::of_tile(tile, seed));
                unround(elements, scaling, numbers, quantised.exact_zero, out)
            }
        }
    }

    /// A tile that is a gzip stream; `lossless`: of the numbers of the image themselves.
    fn gzipped(&self, bytes: &[u8], pixels: usize, shuffled: bool, lossless: bool) -> Result<Elements<'static>> {
        let usual = if lossless { self.plan.bitpix.unsigned_abs() as usize / 8 } else { 4 };
        let most = pixels.saturating_mul(8);
        let plain = gzip::inflate(bytes, pixels.saturating_mul(usual), most)?.map_err(wrong)?;
        let code = self.code(plain.len(), pixels, lossless)?;
        let plain = if shuffled && size(code) > 1 { gzip::unshuffle(&plain, size(code))? } else { plain };
        Ok(Elements::Bytes(code, Cow::Owned(plain)))
    }

    /// The type of so many values in so many bytes: real numbers are as ZBITPIX says, whole numbers of any size.
    fn code(&self, bytes: usize, pixels: usize, lossless: bool) -> Result<char> {
        let each = if pixels > 0 && bytes.is_multiple_of(pixels) { bytes / pixels } else { 0 };
        let code = match (self.plan.bitpix, each) {
            (-32, 4) if lossless => Some('E'),
            (-64, 8) if lossless => Some('D'),
            (..0, _) if lossless => None,
            (_, 1) => Some('B'),
            (_, 2) => Some('I'),
            (_, 4) => Some('J'),
            (_, 8) if lossless => Some('K'),
            _ => None,
        };
        code.ok_or_else(|| wrong(format!("{bytes} bytes are not {pixels} values of ZBITPIX {}", self.plan.bitpix)))
    }

    /// The cell of a tile in a column of numbers.
    fn cell(&self, column: usize, code: char, tile: usize) -> Result<&[u8]> {
        let at = tile * self.row_bytes + self.columns[column].offset;
        self.data.get(at..at + size(code)).ok_or_else(|| wrong("its row lies behind the end of the data"))
    }

    fn number(&self, value: PerTile<f64>, tile: usize) -> Result<f64> {
        match value {
            PerTile::Constant(value) => Ok(value),
            PerTile::Column(column, code) => match (code, self.cell(column, code, tile)?) {
                ('E', [a, b, c, d]) => Ok(f64::from(f32::from_be_bytes([*a, *b, *c, *d]))),
                ('D', [a, b, c, d, e, f, g, h]) => Ok(f64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
                (_, cell) => Ok(integer(cell) as f64),
            },
        }
    }

    fn whole(&self, value: PerTile<i64>, tile: usize) -> Result<i64> {
        match value {
            PerTile::Constant(value) => Ok(value),
            PerTile::Column(column, code) => self.cell(column, code, tile).map(integer),
        }
    }

    /// Whole numbers, which must be such as ZBITPIX says.
    fn integers<T: Real>(&self, elements: &Elements<'_>, blank: Option<i64>, out: &mut [T]) -> Result<()> {
        let range = match self.plan.bitpix {
            8 => 0..=255,
            16 => i64::from(i16::MIN)..=i64::from(i16::MAX),
            32 => i64::from(i32::MIN)..=i64::from(i32::MAX),
            _ => i64::MIN..=i64::MAX,
        };
        let scaling = Scaling { blank, ..self.plan.scaling };
        let mut outside = None;
        each_integer(elements, out, |value| {
            if !range.contains(&value) && blank != Some(value) {
                outside = outside.or(Some(value));
            }
            T::of(scaling.integer(value))
        });
        match outside {
            Some(value) => Err(wrong(format!("it has the value {value}, which ZBITPIX {} has not", self.plan.bitpix))),
            None => Ok(()),
        }
    }

    /// Real numbers that were kept as they are.
    fn reals<T: Real>(&self, elements: &Elements<'_>, out: &mut [T]) -> Result<()> {
        let scaling = &self.plan.scaling;
        match elements {
            Elements::Bytes('E', bytes) if scaling.is_trivial() => {
                fill(bytes, out, |b| T::of_single(f32::from_be_bytes(b)));
            }
            Elements::Bytes('E', bytes) => {
                fill(bytes, out, |b| T::of(scaling.real(f64::from(f32::from_be_bytes(b)))));
            }
            Elements::Bytes('D', bytes) if scaling.is_trivial() => fill(bytes, out, |b| T::of(f64::from_be_bytes(b))),
            Elements::Bytes('D', bytes) => fill(bytes, out, |b| T::of(scaling.real(f64::from_be_bytes(b)))),
            _ => return Err(wrong("it has whole numbers where real ones are needed")),
        }
        Ok(())
    }
}

/// Real numbers from whole ones.
fn unround<T: Real>(
    elements: &Elements<'_>,
    scaling: Scaling,
    numbers: Option<Sequence>,
    exact_zero: bool,
    out: &mut [T],
) -> Result<()> {
    let Scaling { scale, zero, blank } = scaling;
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    let mut defined = |value: i64| {
        (least, most) = (least.min(value), most.max(value));
        blank != Some(value)
    };
    match numbers {
        None => {
            each_integer(
                elements,
                out,
                |value| {
                    if defined(value) { T::of(value as f64 * scale + zero) } else { T::UNDEFINED }
                },
            )
        }
        Some(mut numbers) => each_integer(elements, out, |value| {
            let number = numbers.draw();
            if !defined(value) {
                T::UNDEFINED
            } else if exact_zero && value == EXACT_ZERO {
                T::of(0.0)
            } else {
                T::of((value as f64 - number + 0.5) * scale + zero)
            }
        }),
    }
    if scale == 0.0 && least < most {
        return Err(wrong("ZSCALE is 0, which makes the same number of all its values"));
    }
    Ok(())
}

/// Big-endian, of 1 byte without a sign.
fn integer(cell: &[u8]) -> i64 {
    match cell {
        [a] => i64::from(*a),
        [a, b] => i64::from(i16::from_be_bytes([*a, *b])),
        other => big_endian(other),
    }
}

fn fill<T, const N: usize>(bytes: &[u8], out: &mut [T], mut value: impl FnMut([u8; N]) -> T) {
    for (out, b) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *out = value(*b);
    }
}

fn each_integer<T>(elements: &Elements<'_>, out: &mut [T], mut value: impl FnMut(i64) -> T) {
    match elements {
        Elements::Whole(list) => out.iter_mut().zip(list).for_each(|(out, v)| *out = value(i64::from(*v))),
        Elements::Bytes('B', bytes) => fill(bytes, out, |b: [u8; 1]| value(i64::from(b[0]))),
        Elements::Bytes('I', bytes) => fill(bytes, out, |b| value(i64::from(i16::from_be_bytes(b)))),
        Elements::Bytes('J', bytes) => fill(bytes, out, |b| value(i64::from(i32::from_be_bytes(b)))),
        Elements::Bytes(_, bytes) => fill(bytes, out, |b| value(i64::from_be_bytes(b))),
    }
}
