//! How a map is cut into tiles of transforms.

use super::super::planes::TILE;

/// Sides of tiles.
const SIDES: [usize; 4] = [64, 128, 256, 512];

/// The tiling of a map for transforms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tiling {
    pub(super) side: usize,
    /// Pixels of a tile, `(y, x)`: multiples of 16.
    pub(super) tile: (usize, usize),
    pub(super) count: usize,
}

impl Tiling {
    /// The cheapest tiling; it depends on shapes only, so that no result depends on the bands.
    pub(super) fn new((ny, nx): (usize, usize), (ky, kx): (usize, usize)) -> Option<Self> {
        let sides = SIDES.iter().filter(|side| **side >= ky.max(kx) - 1 + TILE);
        let tilings = sides.map(|side| {
            let pixels = |k: usize| (side + 1 - k) / TILE * TILE;
            let tile = (pixels(ky), pixels(kx));
            Self { side: *side, tile, count: ny.div_ceil(tile.0) * nx.div_ceil(tile.1) }
        });
        tilings.min_by_key(|tiling| tiling.points() * tiling.side.ilog2() as usize)
    }

    pub(super) fn points(&self) -> usize {
        self.count * self.side * self.side
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tilings_hold_the_kernel_and_begin_at_tiles() {
        let tiling = Tiling::new((1000, 2000), (51, 51)).unwrap();
        assert!(tiling.tile.0.is_multiple_of(TILE) && tiling.tile.0 + 50 <= tiling.side, "{tiling:?}");
        assert_eq!(Tiling::new((20, 30), (9, 9)).unwrap().side, 64);
        assert_eq!(Tiling::new((20, 30), (9, 9)).unwrap().count, 1);
        assert!(Tiling::new((2000, 2000), (511, 511)).is_none());
    }
}
