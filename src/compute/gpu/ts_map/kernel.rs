//! The kernel of a run as the device takes it: one shape for all planes, cells in falling order, and how far its largest
//! ratios reach.

use super::super::planes::{TILE, round_up, tiles_x};
use crate::kernels::TsMapRun;

/// All kernel planes of a run, `[plane, ky, kx]` in the smallest odd shape that holds each, centre on centre, without
/// what reaches farther than from one edge of the map to the other.
pub(super) fn common_kernel(run: &TsMapRun<'_>, (ny, nx): (usize, usize)) -> ndarray::Array3<f64> {
    let reach = |k: &ndarray::ArrayView3<'_, f64>| {
        ((k.dim().1 / 2).min(ny.saturating_sub(1)), (k.dim().2 / 2).min(nx.saturating_sub(1)))
    };
    let used = || run.kernels.iter().filter(|k| k.dim().0 > 0);
    let (hy, hx) = used().map(reach).fold((0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1)));
    let (ky, kx) = (2 * hy + 1, 2 * hx + 1);
    let planes = run.kernels.iter().map(|k| k.dim().0).sum();
    let mut common = ndarray::Array3::zeros((planes, ky, kx));
    let mut first = 0;
    for kernel in used() {
        let (planes, own_ky, own_kx) = kernel.dim();
        let (y, x) = reach(kernel);
        let inner = kernel.slice(ndarray::s![.., own_ky / 2 - y..=own_ky / 2 + y, own_kx / 2 - x..=own_kx / 2 + x]);
        common.slice_mut(ndarray::s![first..first + planes, hy - y..=hy + y, hx - x..=hx + x]).assign(&inner);
        first += planes;
    }
    common
}

/// Per plane: cells as (value times `scale` as bits, row << 16 | column) in falling order, and the largest value.
pub(super) fn sorted_cells(kernel: ndarray::ArrayView3<'_, f64>, scale: f64) -> (Vec<[u32; 2]>, Vec<f32>) {
    let mut cells = Vec::with_capacity(kernel.len());
    let mut peaks = Vec::new();
    for plane in kernel.outer_iter() {
        let first = cells.len();
        cells.extend(
            plane.indexed_iter().map(|((u, v), k)| [((k * scale) as f32).to_bits(), (u as u32) << 16 | v as u32]),
        );
        // Bits of floats that are not negative are ordered as the floats are.
        cells[first..].sort_unstable_by_key(|cell| (std::cmp::Reverse(cell[0]), cell[1]));
        peaks.push(cells.get(first).map_or(0.0, |cell| f32::from_bits(cell[0])));
    }
    (cells, peaks)
}

/// Largest value in each tile and in the tiles that a window of half sizes `reach` can touch from it.
pub(super) fn dilate(tiles: &[f32], (ny, nx): (usize, usize), reach: (usize, usize)) -> Vec<f32> {
    let (rows, columns) = (ny.div_ceil(TILE), tiles_x(nx));
    let (up, left) = (reach.0.div_ceil(TILE), reach.1.div_ceil(TILE));
    let mut across = vec![0f32; tiles.len()];
    for y in 0..rows {
        for x in 0..columns {
            let near = x.saturating_sub(left)..columns.min(x + left + 1);
            across[y * columns + x] = tiles[y * columns..][near].iter().copied().fold(0.0, f32::max);
        }
    }
    let mut both = vec![0f32; tiles.len()];
    for y in 0..rows {
        for x in 0..columns {
            let near = y.saturating_sub(up)..rows.min(y + up + 1);
            both[y * columns + x] = round_up(near.map(|row| across[row * columns + x]).fold(0.0, f32::max));
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_fall_and_keep_their_place() {
        let kernel = ndarray::arr3(&[[[0.0, 0.5, 0.25]]]);
        let (cells, peaks) = sorted_cells(kernel.view(), 2.0);
        assert_eq!(cells, [[1f32.to_bits(), 1], [0.5f32.to_bits(), 2], [0, 0]]);
        assert_eq!(peaks, [1.0]);
    }

    #[test]
    fn dilation_reaches_as_far_as_the_kernel() {
        // 3 x 1 tiles, a value in the last.
        let near = dilate(&[0.0, 0.0, 1.0], (10, 48), (3, 3));
        assert!(near[0] == 0.0 && near[1] >= 1.0 && near[2] >= 1.0);
        let far = dilate(&[0.0, 0.0, 1.0], (10, 48), (0, 17));
        assert!(far[0] >= 1.0);
    }
}
