//! Which parts of a tile hold nothing: there sums are exactly 0, whatever a transform leaves.

/// Where a tile holds anything at all: counts over its corner rectangles, integers, so their differences are exact.
pub(super) struct Occupied {
    side: usize,
    counts: Vec<u32>,
}

impl Occupied {
    /// An empty tile.
    pub(super) fn new(side: usize) -> Self {
        Self { side, counts: vec![0; (side + 1) * (side + 1)] }
    }

    /// Marks the non-zero elements; false where there is none.
    pub(super) fn mark(&mut self, tile: &[f64]) -> bool {
        let mut any = false;
        for (row, counts) in tile.chunks_exact(self.side).zip(self.counts.chunks_exact_mut(self.side + 1).skip(1)) {
            for (value, count) in row.iter().zip(&mut counts[1..]) {
                *count |= u32::from(*value != 0.0);
                any |= *value != 0.0;
            }
        }
        any
    }

    /// To be called once after all marks.
    pub(super) fn sum(&mut self) {
        let width = self.side + 1;
        for y in 1..width {
            let mut row = 0;
            for x in 1..width {
                row += self.counts[y * width + x];
                self.counts[y * width + x] = row + self.counts[(y - 1) * width + x];
            }
        }
    }

    /// True where the rectangle that begins at `(y, x)` holds anything.
    pub(super) fn any(&self, (y, rows): (usize, usize), (x, columns): (usize, usize)) -> bool {
        let at = |y: usize, x: usize| self.counts[y.min(self.side) * (self.side + 1) + x.min(self.side)];
        at(y + rows, x + columns) + at(y, x) > at(y, x + columns) + at(y + rows, x)
    }
}
