//! Tile-compressed images (FITS standard 4.0, section 10): a table, of which each row holds a part of the image.
//!
//! ```text
//! keywords ─ plan ─ rows: where each tile is ─ RICE, gzip or as it is ─ whole numbers ─ scaled ─ into the image
//! ```
//!
//! All of it is checked here and no other code sees a compressed tile: it may claim any size, point anywhere and hold
//! more or fewer pixels than it must. Compressed by RICE_1, GZIP_1, GZIP_2 or NOCOMPRESS; PLIO_1 and HCOMPRESS_1 are
//! refused.

mod decode;
mod dither;
mod gzip;
mod plan;
mod rice;
mod sources;

pub(super) use plan::Plan;

use rayon::prelude::*;

use super::check::Hdu;
use super::keys::Keys;
use super::values::{Real, room};
use crate::error::{Error, Place, Result};
use decode::Decoder;

/// Tiles that are copied into the image are decoded until they have so many pixels together.
const BATCH: usize = 1 << 22;

/// All values of a compressed image, scaled; pixels without a value are NaN. `data`: rows and heap of the table.
///
/// # Errors
/// [`Error::Input`] that names the tile and what is wrong with it, [`Error::Memory`].
pub(super) fn image<T: Real>(hdu: &Hdu, data: &[u8], place: &Place) -> Result<Vec<T>> {
    let keys = Keys { header: &hdu.header, place: place.clone() };
    let row_bytes = keys.size("NAXIS1")? as usize;
    let rows = keys.size("NAXIS2")? as usize;
    let plan = Plan::new(&keys, &hdu.columns, rows, data.len())?;
    let heap = keys.optional_size("THEAP", row_bytes.saturating_mul(rows) as u64)? as usize;
    let sources = sources::find(&plan, &hdu.columns, data, (row_bytes, heap), rows, place)?;
    let decoder = Decoder { plan: &plan, columns: &hdu.columns, data, row_bytes };
    let failed = |(tile, error): (usize, Error)| match error {
        Error::Input { problem, help, .. } => {
            let problem = format!("tile {} of {rows}: {problem}", tile + 1);
            Error::Input { place: place.clone(), problem, help }
        }
        other => other,
    };
    let shapes = Shapes { dims: &plan.dims, tile: &plan.tile };
    for (tile, source) in sources.iter().enumerate() {
        source.check_size(&plan, shapes.pixels(tile)).map_err(|error| failed((tile, error)))?;
    }
    // Before there is memory for the whole image: a file that claims more than it has is found out here.
    let first = decoder.elements(&sources[0], shapes.pixels(0)).map_err(|error| failed((0, error)))?;
    let decode = |tile: usize, out: &mut [T]| match tile {
        0 => decoder.finish(0, &sources[0], &first, out),
        _ => {
            let elements = decoder.elements(&sources[tile], out.len())?;
            decoder.finish(tile, &sources[tile], &elements, out)
        }
    };
    let values = plan.dims.iter().product::<usize>();
    let mut out = room(values)?;
    out.resize(values, T::UNDEFINED);
    if shapes.contiguous() {
        let mut parts: Vec<&mut [T]> = room(rows)?;
        let mut rest = out.as_mut_slice();
        for tile in 0..rows {
            let (part, after) = rest.split_at_mut(shapes.pixels(tile).min(rest.len()));
            parts.push(part);
            rest = after;
        }
        let parts = parts.par_iter_mut().enumerate();
        let wrong = parts.find_map_first(|(tile, part)| decode(tile, part).err().map(|error| (tile, error)));
        return wrong.map_or(Ok(out), |wrong| Err(failed(wrong)));
    }
    let together = (BATCH / plan.tile.iter().product::<usize>().max(1)).max(1);
    for start in (0..rows).step_by(together) {
        let tiles: Vec<Result<Vec<T>>> = (start..(start + together).min(rows))
            .into_par_iter()
            .map(|tile| {
                let count = shapes.pixels(tile);
                let mut part = room(count)?;
                part.resize(count, T::UNDEFINED);
                decode(tile, &mut part).map(|()| part)
            })
            .collect();
        for (tile, part) in (start..).zip(tiles) {
            shapes.put(tile, &part.map_err(|error| failed((tile, error)))?, &mut out);
        }
    }
    Ok(out)
}

/// Where tiles lie in the image.
struct Shapes<'a> {
    dims: &'a [usize],
    tile: &'a [usize],
}

impl Shapes<'_> {
    /// True where the tiles follow each other in the image.
    fn contiguous(&self) -> bool {
        let cut = self.dims.iter().zip(self.tile).position(|(n, t)| t < n).unwrap_or(self.dims.len());
        self.tile.iter().skip(cut + 1).all(|t| *t == 1)
    }

    /// Number of pixels of a tile.
    fn pixels(&self, tile: usize) -> usize {
        self.of(tile).1.iter().product()
    }

    /// First pixel and sizes of a tile, the first axis first.
    fn of(&self, tile: usize) -> (Vec<usize>, Vec<usize>) {
        let mut rest = tile;
        let axes = self.dims.iter().zip(self.tile).map(|(size, tile)| {
            let tiles = size.div_ceil(*tile);
            let first = rest % tiles * tile;
            rest /= tiles;
            (first, (*tile).min(size - first))
        });
        axes.unzip()
    }

    /// Copies the pixels of a tile to where they belong.
    fn put<T: Copy>(&self, tile: usize, part: &[T], out: &mut [T]) {
        let (first, sizes) = self.of(tile);
        for (n, line) in part.chunks_exact(sizes[0]).enumerate() {
            let (mut rest, mut stride, mut at) = (n, self.dims[0], first[0]);
            for axis in 1..sizes.len() {
                at += (first[axis] + rest % sizes[axis]) * stride;
                rest /= sizes[axis];
                stride *= self.dims[axis];
            }
            out[at..at + line.len()].copy_from_slice(line);
        }
    }
}
