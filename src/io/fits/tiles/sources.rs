//! Where the bytes of each tile are.

use super::super::check::{Column, big_endian};
use super::super::values::room;
use super::gzip::BEST_RATIO;
use super::plan::{Arrays, Plan};
use crate::error::{Error, Place, Result};

/// The column that has a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Compressed,
    Gzipped,
    /// With the type of its elements.
    Stored(char),
}

/// The bytes of a tile, within the data of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) kept: Kept,
    pub(super) start: usize,
    pub(super) bytes: usize,
}

impl Source {
    /// So many bytes can hold so many pixels.
    pub(super) fn check_size(&self, plan: &Plan, pixels: usize) -> Result<()> {
        let best = match self.kept {
            Kept::Compressed => plan.best_ratio(),
            Kept::Gzipped => BEST_RATIO,
            Kept::Stored(_) => 1,
        };
        if pixels > self.bytes.saturating_mul(best) {
            let problem = format!("{} bytes cannot hold its {pixels} pixels", self.bytes);
            return Err(Error::input("tile", problem));
        }
        Ok(())
    }
}

/// Bytes of an element.
pub(super) fn size(code: char) -> usize {
    match code {
        'I' => 2,
        'J' | 'E' => 4,
        'K' | 'D' => 8,
        _ => 1,
    }
}

/// The source of each tile. `(row_bytes, heap)`: width of the table, and where its heap starts.
///
/// # Errors
/// [`Error::Input`] for tiles without data, and for those that share a part of theirs with others.
pub(super) fn find(
    plan: &Plan,
    columns: &[Column],
    data: &[u8],
    (row_bytes, heap): (usize, usize),
    rows: usize,
    place: &Place,
) -> Result<Vec<Source>> {
    let entry = |row: usize, (column, code): Arrays| -> Option<(usize, usize)> {
        let info = &columns[column];
        let half = if info.code == 'Q' { 8 } else { 4 };
        let at = row.checked_mul(row_bytes)?.checked_add(info.offset)?;
        let entry = data.get(at..at + 2 * half)?;
        let count = usize::try_from(big_endian(&entry[..half])).ok()?;
        let offset = usize::try_from(big_endian(&entry[half..])).ok()?;
        let bytes = count.checked_mul(size(code))?;
        let start = heap.checked_add(offset)?;
        (bytes > 0 && data.get(start..start.checked_add(bytes)?).is_some()).then_some((start, bytes))
    };
    let mut out: Vec<Source> = room(rows)?;
    for row in 0..rows {
        let found = [
            Some((Kept::Compressed, (plan.compressed, 'B'))),
            plan.gzipped.map(|n| (Kept::Gzipped, (n, 'B'))),
            plan.stored.map(|(n, code)| (Kept::Stored(code), (n, code))),
        ]
        .into_iter()
        .flatten()
        .find_map(|(kept, column)| entry(row, column).map(|(start, bytes)| Source { kept, start, bytes }));
        let none = || Error::input_at(place.clone(), format!("tile {} of {rows}: it has no data", row + 1));
        out.push(found.ok_or_else(none)?);
    }
    apart(&out, place)?;
    Ok(out)
}

/// Tiles lie apart in the heap, or are the same bytes: else a small file could claim any size.
fn apart(sources: &[Source], place: &Place) -> Result<()> {
    let clash = |a: &Source, b: &Source| b.start < a.start + a.bytes && (a.start, a.bytes) != (b.start, b.bytes);
    if sources.windows(2).all(|pair| pair[0].start <= pair[1].start && !clash(&pair[0], &pair[1])) {
        return Ok(());
    }
    let mut order: Vec<usize> = room(sources.len())?;
    order.extend(0..sources.len());
    order.sort_unstable_by_key(|n| (sources[*n].start, sources[*n].bytes));
    match order.windows(2).find(|pair| clash(&sources[pair[0]], &sources[pair[1]])) {
        None => Ok(()),
        Some(pair) => {
            let (a, b) = (pair[0].min(pair[1]) + 1, pair[0].max(pair[1]) + 1);
            Err(Error::input_at(
                place.clone(),
                format!("tile {b} of {}: its data overlap those of tile {a}", sources.len()),
            ))
        }
    }
}
