//! How the tiles of a compressed image are stored: what its keywords and columns say, checked before any tile is read.

use super::super::check::{Column, MAX_NAXIS};
use super::super::keys::Keys;
use super::super::values::{Scaling, heap_code};
use super::gzip::BEST_RATIO;
use super::rice;
use crate::error::{Error, Result};

/// Values of an image may take this many bytes at most.
const MAX_UNCOMPRESSED: u64 = 64 << 30;

/// RICE blocks are not longer than this (the standard knows 16 and 32).
const MAX_BLOCK: i64 = 64;

/// ZDITHER0 goes from 1 to this.
const MAX_SEED: i64 = 10_000;

/// How the values of a tile become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rice {
        /// Bytes of a value: 1, 2 or 4.
        bytes: usize,
        /// Pixels of a block.
        block: usize,
    },
    Gzip {
        /// The bytes of the values are sorted by significance.
        shuffled: bool,
    },
    /// Not compressed at all.
    Stored,
}

/// A number that is the same for all tiles, or that each tile has in a column (its number and type).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PerTile<T> {
    Constant(T),
    Column(usize, char),
}

/// How real numbers were made whole numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantised {
    pub(super) scale: PerTile<f64>,
    pub(super) zero: PerTile<f64>,
    /// The seed of the random numbers that were added.
    pub(super) seed: Option<usize>,
    /// One whole number stands for exactly 0.
    pub(super) exact_zero: bool,
}

/// Columns of arrays in the heap: their number, and the type of their elements.
pub(super) type Arrays = (usize, char);

/// What keywords and columns say of a compressed image.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::io::fits) struct Plan {
    pub(super) algorithm: Algorithm,
    pub(in crate::io::fits) bitpix: i64,
    pub(in crate::io::fits) dims: Vec<usize>,
    /// Pixels of a tile that is not cut by the border.
    pub(super) tile: Vec<usize>,
    pub(super) compressed: usize,
    /// Where tiles are that were compressed without loss instead.
    pub(super) gzipped: Option<usize>,
    /// Where tiles are that were not compressed.
    pub(super) stored: Option<Arrays>,
    pub(super) quantised: Option<Quantised>,
    /// The whole number of pixels without a value.
    pub(super) blank: Option<PerTile<i64>>,
    /// BSCALE and BZERO.
    pub(super) scaling: Scaling,
}

impl Plan {
    /// Of a table of `rows` rows, whose rows and heap have `bytes` bytes.
    ///
    /// # Errors
    /// [`Error::Input`] for other compressions, for descriptions that are not sound, and for images that are larger than
    /// so many bytes can hold.
    pub(in crate::io::fits) fn new(keys: &Keys<'_>, columns: &[Column], rows: usize, bytes: usize) -> Result<Self> {
        let algorithm = algorithm(keys)?;
        let bitpix = keys.required("ZBITPIX")?;
        if ![8, 16, 32, 64, -32, -64].contains(&bitpix) {
            return Err(keys.error("ZBITPIX", format!("{bitpix} is not one of 8, 16, 32, 64, -32, -64")));
        }
        if bitpix == 64 && matches!(algorithm, Algorithm::Rice { .. }) {
            return Err(keys.error("ZBITPIX", "RICE_1 has values of up to 32 bits, not of 64"));
        }
        if keys.text("ZMASKCMP")?.is_some_and(|kind| !kind.is_empty()) {
            return Err(unsupported(keys, "ZMASKCMP", "compressed masks of undefined pixels cannot be read"));
        }
        let (dims, tile) = sizes(keys)?;
        let tiles = dims.iter().zip(&tile).map(|(n, t)| n.div_ceil(*t) as u64).fold(1, u64::saturating_mul);
        if tiles != rows as u64 {
            return Err(keys.error("NAXIS2", format!("{rows} rows for {tiles} tiles")));
        }
        let values = dims.iter().fold(1u64, |all, n| all.saturating_mul(*n as u64));
        let most = (bytes as u64).saturating_mul(best_ratio(algorithm) as u64);
        if values > most || values.saturating_mul(bitpix.unsigned_abs() / 8) > MAX_UNCOMPRESSED {
            let problem = format!("an image of {values} values is more than {bytes} compressed bytes can hold");
            return Err(keys.error("ZNAXIS", problem));
        }
        let column = |name: &str| columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        let bytes_in_heap = |name: &str| match column(name) {
            None => Ok(None),
            Some(n) if "PQ".contains(columns[n].code) && heap_code(keys.header, n) == Some('B') => Ok(Some(n)),
            Some(_) => Err(keys.error(name, "the column of compressed tiles is none of bytes of any number (1PB)")),
        };
        let compressed = bytes_in_heap("COMPRESSED_DATA")?
            .ok_or_else(|| keys.error("COMPRESSED_DATA", "the column of compressed tiles is missing"))?;
        let stored = match column("UNCOMPRESSED_DATA") {
            None => None,
            Some(n) => {
                let right = if bitpix < 0 { "ED" } else { "BIJK" };
                let code = heap_code(keys.header, n).filter(|code| right.contains(*code));
                match code.filter(|_| "PQ".contains(columns[n].code)) {
                    Some(code) => Some((n, code)),
                    None => {
                        let problem = format!("the column of uncompressed tiles has no numbers of ZBITPIX {bitpix}");
                        return Err(keys.error("UNCOMPRESSED_DATA", problem));
                    }
                }
            }
        };
        let mut scaling = Scaling::of_image(keys, bitpix)?;
        scaling.blank = None;
        let number = |name: &str| match column(name) {
            None => Ok(None),
            Some(n) if columns[n].repeat == 1 && "BIJKED".contains(columns[n].code) => Ok(Some((n, columns[n].code))),
            Some(_) => Err(keys.error(name, "one number per tile is needed")),
        };
        let quantised = quantised(keys, bitpix, algorithm, &number)?;
        let blank = match number("ZBLANK")? {
            Some((_, code)) if "ED".contains(code) => return Err(keys.error("ZBLANK", "whole numbers are needed")),
            Some((n, code)) => Some(PerTile::Column(n, code)),
            None => keys.whole("ZBLANK")?.or(keys.whole("BLANK")?).map(PerTile::Constant),
        };
        let gzipped = bytes_in_heap("GZIP_COMPRESSED_DATA")?;
        Ok(Self { algorithm, bitpix, dims, tile, compressed, gzipped, stored, quantised, blank, scaling })
    }

    /// Pixels that one byte of a tile can make at most.
    pub(super) fn best_ratio(&self) -> usize {
        best_ratio(self.algorithm)
    }
}

/// Pixels that one byte can make at most, in the column of compressed tiles or in that of gzip streams.
fn best_ratio(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Rice { bytes, block } => (8 * block).div_ceil(rice::split_bits(bytes) as usize).max(BEST_RATIO),
        _ => BEST_RATIO,
    }
}

/// The error of what others can read: a tool that does is the next step.
fn unsupported(keys: &Keys<'_>, key: &str, problem: impl Into<String>) -> Error {
    keys.error(key, problem).with_help("uncompress the file with funpack")
}

fn algorithm(keys: &Keys<'_>) -> Result<Algorithm> {
    match keys.text("ZCMPTYPE")?.unwrap_or("").trim() {
        "RICE_1" | "RICE_ONE" => rice_parameters(keys),
        "GZIP_1" => Ok(Algorithm::Gzip { shuffled: false }),
        "GZIP_2" => Ok(Algorithm::Gzip { shuffled: true }),
        "NOCOMPRESS" => Ok(Algorithm::Stored),
        "" => Err(keys.error("ZCMPTYPE", "the name of the compression is missing")),
        kind => Err(unsupported(keys, "ZCMPTYPE", format!("the compression '{kind}' cannot be read"))),
    }
}

/// The parameters stand in pairs of ZNAMEn and ZVALn; files from before 2010 have them without names.
fn rice_parameters(keys: &Keys<'_>) -> Result<Algorithm> {
    let (mut block, mut bytes) = (None, None);
    for n in 1..=9 {
        let key = format!("ZVAL{n}");
        match (keys.text(&format!("ZNAME{n}"))?.map(str::trim), n) {
            (Some(name), _) if name.eq_ignore_ascii_case("BLOCKSIZE") => block = keys.optional(&key)?.map(|v| (v, key)),
            (Some(name), _) if name.eq_ignore_ascii_case("BYTEPIX") => bytes = keys.optional(&key)?.map(|v| (v, key)),
            (None, 1) => block = keys.optional(&key)?.map(|v| (v, key)),
            (None, 2) => bytes = keys.optional(&key)?.map(|v| (v, key)),
            _ => {}
        }
    }
    let (block, block_key) = block.unwrap_or((32, "ZVAL1".into()));
    let (bytes, bytes_key) = bytes.unwrap_or((4, "ZVAL2".into()));
    if !(1..=MAX_BLOCK).contains(&block) {
        return Err(keys.error(&block_key, format!("RICE blocks of {block} pixels, where 16 or 32 are usual")));
    }
    if ![1, 2, 4].contains(&bytes) {
        return Err(keys.error(&bytes_key, format!("RICE values of {bytes} bytes, where 1, 2 or 4 can be read")));
    }
    Ok(Algorithm::Rice { bytes: bytes as usize, block: block as usize })
}

/// Sizes of the image and of its tiles.
fn sizes(keys: &Keys<'_>) -> Result<(Vec<usize>, Vec<usize>)> {
    let naxis = keys.required("ZNAXIS")?;
    if !(1..=MAX_NAXIS).contains(&naxis) {
        return Err(keys.error("ZNAXIS", format!("{naxis} axes, where 1 to {MAX_NAXIS} can be read")));
    }
    let (mut dims, mut tiles) = (Vec::new(), Vec::new());
    for n in 1..=naxis {
        let size = keys.size(&format!("ZNAXIS{n}"))?;
        let key = format!("ZTILE{n}");
        let tile = keys.optional_size(&key, if n == 1 { size } else { 1 })?;
        if tile == 0 || size == 0 {
            return Err(keys.error(&key, format!("tiles of {tile} pixels on an axis of {size}")));
        }
        dims.push(size as usize);
        tiles.push(tile.min(size) as usize);
    }
    keys.no_more_axes("ZNAXIS", naxis)?;
    Ok((dims, tiles))
}

/// How real numbers were made whole numbers; `None` for whole numbers, and where they were compressed without loss.
fn quantised(
    keys: &Keys<'_>,
    bitpix: i64,
    algorithm: Algorithm,
    column: &impl Fn(&str) -> Result<Option<(usize, char)>>,
) -> Result<Option<Quantised>> {
    let one = |name: &str| match column(name)? {
        Some((n, code)) => Ok(Some(PerTile::Column(n, code))),
        None => Ok::<_, Error>(keys.finite(name)?.map(PerTile::Constant)),
    };
    let (scale, zero) = (one("ZSCALE")?, one("ZZERO")?);
    let method = keys.text("ZQUANTIZ")?.map(str::trim);
    if bitpix > 0 {
        // A scale of 1 changes nothing.
        let trivial = |value: Option<PerTile<f64>>, neutral| value.is_none_or(|v| v == PerTile::Constant(neutral));
        if !trivial(scale, 1.0) || !trivial(zero, 0.0) {
            return Err(keys.error("ZSCALE", format!("whole numbers (ZBITPIX {bitpix}) are scaled by BSCALE only")));
        }
        return Ok(None);
    }
    if method == Some("NONE") || scale.is_none() && zero.is_none() {
        if matches!(algorithm, Algorithm::Rice { .. }) {
            return Err(keys.error("ZSCALE", "the scale of real numbers that RICE_1 has as whole numbers is missing"));
        }
        return Ok(None);
    }
    let (Some(scale), Some(zero)) = (scale, zero) else {
        return Err(keys.error("ZSCALE", "ZSCALE and ZZERO are needed, one of them is missing"));
    };
    let (dithered, exact_zero) = match method {
        None | Some("" | "NO_DITHER") => (false, false),
        Some("SUBTRACTIVE_DITHER_1") => (true, false),
        Some("SUBTRACTIVE_DITHER_2") => (true, true),
        Some(other) => return Err(keys.error("ZQUANTIZ", format!("'{other}' is not a known way of rounding"))),
    };
    let seed = keys.optional("ZDITHER0")?.unwrap_or(1);
    if dithered && !(1..=MAX_SEED).contains(&seed) {
        return Err(keys.error("ZDITHER0", format!("{seed} is not in the range of seeds, 1 to {MAX_SEED}")));
    }
    Ok(Some(Quantised { scale, zero, seed: dithered.then_some(seed as usize), exact_zero }))
}
