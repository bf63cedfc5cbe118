//! How a map is cut into square tiles of transforms, each with half a kernel around its pixels.

/// The tiling of a map for transforms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tiling {
    pub(super) side: usize,
    /// Pixels of a tile, `(y, x)`.
    pub(super) tile: (usize, usize),
    /// Rows and columns of tiles.
    pub(super) grid: (usize, usize),
}

impl Tiling {
    /// The tiling with the least transforms, among those with one of `sides` whose tiles have a `multiple` of pixels in
    /// each direction; `None` where the kernel is too large. It depends on shapes only, so that no result depends on
    /// bands. `transforms`: how many transforms a grid of tiles takes.
    pub(super) fn new(
        (ny, nx): (usize, usize),
        (ky, kx): (usize, usize),
        sides: &[usize],
        multiple: usize,
        transforms: impl Fn((usize, usize)) -> usize,
    ) -> Option<Self> {
        let sides = sides.iter().filter(|side| **side >= ky.max(kx) - 1 + multiple);
        let tilings = sides.map(|side| {
            let pixels = |k: usize| (side + 1 - k) / multiple * multiple;
            let tile = (pixels(ky), pixels(kx));
            Self { side: *side, tile, grid: (ny.div_ceil(tile.0), nx.div_ceil(tile.1)) }
        });
        tilings.min_by_key(|tiling| transforms(tiling.grid) * tiling.area() * tiling.side.ilog2() as usize)
    }

    /// Tiles of the map.
    pub(super) fn count(&self) -> usize {
        self.grid.0 * self.grid.1
    }

    /// Points of a tile.
    pub(super) fn area(&self) -> usize {
        self.side * self.side
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tilings_hold_the_kernel_and_begin_at_multiples() {
        let new = |shape, kernel| Tiling::new(shape, kernel, &[64, 128, 256, 512], 16, |(y, x)| y * x);
        let tiling = new((1000, 2000), (51, 51)).unwrap();
        assert!(tiling.tile.0.is_multiple_of(16) && tiling.tile.0 + 50 <= tiling.side, "{tiling:?}");
        assert_eq!(new((20, 30), (9, 9)).unwrap().side, 64);
        assert_eq!(new((20, 30), (9, 9)).unwrap().count(), 1);
        assert!(new((2000, 2000), (511, 511)).is_none());
    }
}
