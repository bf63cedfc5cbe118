//! The random numbers that are added to values before they are rounded, and taken away again (FITS standard 4.0,
//! section 10.2.1 and appendix I).

use std::sync::LazyLock;

/// Length of the sequence, after which it starts again.
const LENGTH: usize = 10_000;

/// Park and Miller's minimal generator.
static NUMBERS: LazyLock<Box<[f32]>> = LazyLock::new(|| {
    let mut seed = 1u64;
    (0..LENGTH)
        .map(|_| {
            seed = seed * 16_807 % 2_147_483_647;
            (seed as f64 / 2_147_483_647.0) as f32
        })
        .collect()
});

/// The numbers for the pixels of a tile, one after the other.
pub(super) struct Sequence {
    /// The number that the current pass through the list was started from.
    start: usize,
    next: usize,
}

impl Sequence {
    /// Of a tile, counted from 0, in an image with this ZDITHER0.
    pub(super) fn of_tile(tile: usize, seed: usize) -> Self {
        let start = (tile % LENGTH + seed.max(1) - 1) % LENGTH;
        Self { start, next: first(start) }
    }

    #[inline]
    pub(super) fn draw(&mut self) -> f64 {
        let value = NUMBERS[self.next];
        self.next += 1;
        if self.next == LENGTH {
            self.start = (self.start + 1) % LENGTH;
            self.next = first(self.start);
        }
        f64::from(value)
    }
}

/// Where a pass begins.
fn first(start: usize) -> usize {
    (NUMBERS[start] * 500.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard's own check of the generator.
    #[test]
    fn the_last_number_is_that_of_the_standard() {
        assert_eq!(NUMBERS.len(), LENGTH);
        assert_eq!(NUMBERS[LENGTH - 1], (1_043_618_065.0_f64 / 2_147_483_647.0) as f32);
    }

    #[test]
    fn long_tiles_go_around() {
        let mut numbers = Sequence::of_tile(9_999, 10_000);
        for _ in 0..30_000 {
            assert!((0.0..1.0).contains(&numbers.draw()));
        }
    }
}
