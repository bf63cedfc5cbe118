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

use super::check::{Hdu, Keys};
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
    let values = plan.dims.iter().product::<usize>();
    let mut out = room(values)?;
    out.resize(values, T::UNDEFINED);

    let shapes = Shapes { dims: &plan.dims, tile: &plan.tile };
    if shapes.contiguous() {
        let mut parts: Vec<&mut [T]> = room(rows)?;
        let mut rest = out.as_mut_slice();
        for tile in 0..rows {
            let (part, after) = rest.split_at_mut(shapes.of(tile).1.iter().product::<usize>().min(rest.len()));
            parts.push(part);
            rest = after;
        }
        let wrong = parts
            .par_iter_mut()
            .enumerate()
            .find_map_first(|(tile, part)| decoder.decode(tile, &sources[tile], part).err().map(|error| (tile, error)));
        return wrong.map_or(Ok(out), |wrong| Err(failed(wrong)));
    }
    let pixels = plan.tile.iter().product::<usize>().max(1);
    let together = (BATCH / pixels).max(1);
    for start in (0..rows).step_by(together) {
        let tiles: Vec<Result<Vec<T>, (usize, Error)>> = (start..(start + together).min(rows))
            .into_par_iter()
            .map(|tile| {
                let count = shapes.of(tile).1.iter().product::<usize>();
                let part = sources[tile].check_size(&plan, count).and_then(|()| room(count)).and_then(|mut part| {
                    part.resize(count, T::UNDEFINED);
                    decoder.decode(tile, &sources[tile], &mut part).map(|()| part)
                });
                part.map_err(|error| (tile, error))
            })
            .collect();
        for (tile, part) in (start..).zip(tiles) {
            shapes.put(tile, &part.map_err(failed)?, &mut out);
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
