//! The pure band planner: how cubes and maps are cut so that no piece exceeds a limit.
//!
//! Data on a device lies in *slabs*: consecutive whole planes, or rows of one plane where a single plane is too large.
//! Results of a map are computed in *bands* of rows. Slabs need no halo: a band adds up over all slabs.

use std::ops::Range;

use crate::error::{Error, Result};

/// Planes and rows that lie in one buffer. Rows are all rows of the map, or `planes` is a single plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slab {
    /// Planes of the cube.
    pub planes: Range<usize>,
    /// Rows of each plane.
    pub rows: Range<usize>,
}

impl Slab {
    /// Rows of all planes together.
    pub fn row_count(&self) -> usize {
        self.planes.len() * self.rows.len()
    }
}

/// Cuts a cube into as few slabs as go in order, each of at most `limit` bytes.
///
/// `row_bytes(plane, row)` is what a row takes in the largest of the buffers that hold the slab.
///
/// # Errors
/// [`Error::Memory`] where a single row exceeds the limit.
pub fn plan_slabs(
    planes: usize,
    rows: usize,
    limit: u64,
    row_bytes: impl Fn(usize, usize) -> u64,
) -> Result<Vec<Slab>> {
    let mut slabs: Vec<Slab> = Vec::new();
    let mut open_bytes = 0u64;
    for plane in 0..planes {
        let plane_bytes: u64 = (0..rows).map(|row| row_bytes(plane, row)).sum();
        if plane_bytes > limit {
            push_rows(&mut slabs, plane, rows, limit, |row| row_bytes(plane, row))?;
            // Nothing joins a part of a plane.
            open_bytes = u64::MAX;
            continue;
        }
        match slabs.last_mut() {
            Some(last) if open_bytes.saturating_add(plane_bytes) <= limit => {
                last.planes.end = plane + 1;
                open_bytes += plane_bytes;
            }
            _ => {
                slabs.push(Slab { planes: plane..plane + 1, rows: 0..rows });
                open_bytes = plane_bytes;
            }
        }
    }
    Ok(slabs)
}

fn push_rows(
    slabs: &mut Vec<Slab>,
    plane: usize,
    rows: usize,
    limit: u64,
    row_bytes: impl Fn(usize) -> u64,
) -> Result<()> {
    let mut first = 0;
    let mut bytes = 0u64;
    for row in 0..rows {
        let more = row_bytes(row);
        if more > limit {
            return Err(Error::Memory {
                what: "one row of the map in one binding".into(),
                needed_bytes: more,
                available_bytes: limit,
            });
        }
        if bytes + more > limit {
            slabs.push(Slab { planes: plane..plane + 1, rows: first..row });
            (first, bytes) = (row, 0);
        }
        bytes += more;
    }
    slabs.push(Slab { planes: plane..plane + 1, rows: first..rows });
    Ok(())
}

/// Cuts `rows` into bands of at most `limit` bytes that begin at multiples of `align` rows.
///
/// # Errors
/// [`Error::Memory`] where `align` rows exceed the limit.
pub fn plan_bands(rows: usize, align: usize, row_bytes: u64, limit: u64) -> Result<Vec<Range<usize>>> {
    let needed_bytes = row_bytes.saturating_mul(align.min(rows) as u64);
    if needed_bytes > limit {
        let what = "a band of the map in one binding".into();
        return Err(Error::Memory { what, needed_bytes, available_bytes: limit });
    }
    let fitting = usize::try_from(limit / row_bytes.max(1)).unwrap_or(usize::MAX);
    let height = if fitting >= rows { rows.max(1) } else { (fitting / align).max(1) * align };
    Ok((0..rows).step_by(height).map(|first| first..rows.min(first + height)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn planes_share_a_slab_while_they_fit() {
        let slabs = plan_slabs(5, 10, 200, |_, _| 10).unwrap();
        let planes: Vec<_> = slabs.iter().map(|s| s.planes.clone()).collect();
        assert_eq!(planes, [0..2, 2..4, 4..5]);
        assert!(slabs.iter().all(|s| s.rows == (0..10)));
    }

    #[test]
    fn a_plane_that_is_too_large_is_cut_into_rows() {
        let slabs = plan_slabs(3, 10, 45, |plane, _| if plane == 1 { 10 } else { 1 }).unwrap();
        let expected = [(0..1, 0..10), (1..2, 0..4), (1..2, 4..8), (1..2, 8..10), (2..3, 0..10)];
        assert_eq!(slabs, expected.map(|(planes, rows)| Slab { planes, rows }));
        assert!(plan_slabs(1, 4, 9, |_, _| 10).is_err());
    }

    #[test]
    fn no_plane_and_no_row_give_no_slab_and_no_band() {
        assert!(plan_slabs(0, 10, 1, |_, _| 10).unwrap().is_empty());
        assert!(plan_bands(0, 16, 10, 1000).unwrap().is_empty());
    }

    #[test]
    fn bands_begin_at_multiples_of_the_alignment() {
        assert_eq!(plan_bands(70, 16, 10, 500).unwrap(), [0..48, 48..70]);
        assert_eq!(plan_bands(70, 16, 10, 700).unwrap(), std::slice::from_ref(&(0..70)));
        assert!(plan_bands(70, 16, 10, 159).is_err());
    }

    proptest! {
        #[test]
        fn slabs_cover_every_row_once_within_the_limit(
            planes in 0usize..6, rows in 1usize..20, limit in 30u64..400, seed in 0u64..1000,
        ) {
            let bytes = |plane: usize, row: usize| (seed + 7 * plane as u64 + 13 * row as u64) % 30 + 1;
            let slabs = plan_slabs(planes, rows, limit, bytes).unwrap();
            let covered: Vec<_> = slabs
                .iter()
                .flat_map(|s| s.planes.clone().flat_map(|p| s.rows.clone().map(move |r| (p, r))))
                .collect();
            let all: Vec<_> = (0..planes).flat_map(|p| (0..rows).map(move |r| (p, r))).collect();
            prop_assert_eq!(covered, all);
            for s in &slabs {
                let total: u64 = s.planes.clone().flat_map(|p| s.rows.clone().map(move |r| bytes(p, r))).sum();
                prop_assert!(total <= limit);
                prop_assert!(s.rows == (0..rows) || s.planes.len() == 1);
            }
        }
    }
}
