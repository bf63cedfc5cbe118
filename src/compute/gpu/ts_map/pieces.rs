//! What one dispatch takes of a run's planes and of the kernel.

use std::ops::Range;

use super::super::params;
use super::super::planes::DeviceSlab;

/// Consecutive planes of a run in one slab.
pub(super) struct Segment<'d> {
    pub(super) slab: &'d DeviceSlab,
    pub(super) slab_plane0: usize,
    pub(super) kernel_plane0: usize,
    pub(super) planes: usize,
}

/// Planes and rows or cells of the kernel that one dispatch takes.
pub(super) struct Piece<'s, 'd> {
    pub(super) segment: &'s Segment<'d>,
    pub(super) plane0: usize,
    pub(super) planes: usize,
    pub(super) part: Range<usize>,
}

impl Piece<'_, '_> {
    pub(super) fn slab_plane0(&self) -> u32 {
        (self.segment.slab_plane0 + self.plane0) as u32
    }

    pub(super) fn kernel_plane0(&self) -> u32 {
        (self.segment.kernel_plane0 + self.plane0) as u32
    }

    pub(super) fn params(&self, common: params::TsMap) -> params::TsMap {
        let rows = &self.segment.slab.place.rows;
        params::TsMap {
            slab_y0: rows.start as u32,
            slab_ny: rows.len() as u32,
            slab_plane0: self.slab_plane0(),
            kernel_plane0: self.kernel_plane0(),
            planes: self.planes as u32,
            ..common
        }
    }
}

/// `0..total` in parts of `part`.
pub(super) fn cut(total: usize, part: usize) -> Vec<Range<usize>> {
    (0..total).step_by(part).map(|first| first..total.min(first + part)).collect()
}

/// The tiles of `tiles` with open pixels.
pub(super) fn still_open(tiles: &[u32], open: &[u32]) -> Vec<u32> {
    tiles.iter().zip(open).filter(|(_, open)| **open > 0).map(|(tile, _)| *tile).collect()
}

/// The planes `used`, in order, as runs of planes that lie side by side in a slab.
pub(super) fn segments<'d>(slabs: &'d [DeviceSlab], used: &[usize]) -> Vec<Segment<'d>> {
    let mut segments: Vec<Segment<'d>> = Vec::new();
    for (kernel_plane, plane) in used.iter().enumerate() {
        for slab in slabs.iter().filter(|slab| slab.place.planes.contains(plane)) {
            let slab_plane = plane - slab.place.planes.start;
            match segments.last_mut() {
                Some(last)
                    if std::ptr::eq(last.slab, slab)
                        && last.slab_plane0 + last.planes == slab_plane
                        && last.kernel_plane0 + last.planes == kernel_plane =>
                {
                    last.planes += 1;
                }
                _ => segments.push(Segment { slab, slab_plane0: slab_plane, kernel_plane0: kernel_plane, planes: 1 }),
            }
        }
    }
    segments
}
