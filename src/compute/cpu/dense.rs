//! What needs all bins of a window, with counts or without: the bound npred ≥ 0 and truncated npred.

use super::plan::RunPlan;
use super::simd::{Block, Simd};
use super::tile::{Tile, TileData};
use super::wide::{Mask, Wide};

/// Cells that are looked at between two tests whether more can matter.
const CELLS_PER_TEST: usize = 8;
/// Cells of each plane that are looked at first: the bound is mostly there, and ends the search in other planes.
const FIRST_CELLS: usize = 8;
/// How much farther than asked truncated bins are gathered, so that the next step needs no new search.
const REACH_MARGIN: f64 = 1.25;

/// Scratch of the current patch.
#[derive(Default)]
pub struct Truncated {
    c: Vec<Block>,
    b: Vec<f32>,
    /// Norm down to which bins are gathered.
    reach: f64,
}

impl Truncated {
    pub fn clear(&mut self) {
        self.c.clear();
        self.b.clear();
        self.reach = 0.0;
    }
}

/// `-1 / max c` over all bins of each lane's window: norms below predict negative counts. Lanes that do not matter
/// (`active` false) must not hold up the search.
#[inline(always)]
pub fn lowest_norm<V: Simd>(plan: &RunPlan<'_>, tile: &TileData, patch: (usize, usize), active: Mask) -> Wide {
    let mut best: V = Wide::splat(1e-30).where_or(active, Wide::splat(1e30)).to_lanes();
    for first in [true, false] {
        for (p, plane) in plan.planes.iter().enumerate() {
            let ratio_max = tile.bound(p, patch);
            let ratios = tile.window_ratios(p, patch);
            let stride = tile.stride();
            let cells = &plane.cells[..if first { plane.cells.len().min(FIRST_CELLS) } else { plane.cells.len() }];
            let mut lowest = best.lowest();
            for cells in cells.chunks(CELLS_PER_TEST) {
                if cells[0].largest * ratio_max <= lowest {
                    break;
                }
                for cell in cells {
                    let ratio = ratios[cell.row as usize * stride + cell.column as usize];
                    best = best.max(V::splat(ratio).mul(V::load(&plan.table[cell.index as usize])));
                }
                lowest = best.lowest();
            }
        }
    }
    Wide::from_lanes(best).map(|c| -1.0 / c)
}

/// `T = sum max(0, -(b + y m))` and `-T' = sum m` over bins with b + y m < 0.
#[inline(always)]
pub fn truncation<V: Simd>(
    plan: &RunPlan<'_>,
    tile: &mut TileData,
    place: (&Tile, (usize, usize)),
    bins: &mut Truncated,
    y: Wide,
) -> (Wide, Wide) {
    let lowest = y.lowest();
    if lowest < bins.reach {
        gather::<V>(plan, tile, place, bins, lowest * REACH_MARGIN);
    }
    let (one, zero) = (V::splat(1.0), V::zero());
    let y: V = y.to_lanes();
    let (mut value, mut slope) = (Wide::ZERO, Wide::ZERO);
    for (c, b) in bins.c.chunks(256).zip(bins.b.chunks(256)) {
        // Two sums each, so that additions overlap.
        let (mut v, mut s) = ([zero; 2], [zero; 2]);
        for (c, b) in c.chunks(2).zip(b.chunks(2)) {
            for (j, (c, b)) in c.iter().zip(b).enumerate() {
                let (c, b) = (V::load(c), V::splat(*b));
                let t = y.mul_add(c, one);
                v[j] = t.min(zero).neg_mul_add(b, v[j]);
                s[j] = t.where_negative(c).mul_add(b, s[j]);
            }
        }
        value.add_lanes(v[0].add(v[1]));
        slope.add_lanes(s[0].add(s[1]));
    }
    (value, slope)
}

/// Collects the bins that are truncated somewhere above the norm `reach`.
#[inline(always)]
fn gather<V: Simd>(
    plan: &RunPlan<'_>,
    tile: &mut TileData,
    (place, patch): (&Tile, (usize, usize)),
    bins: &mut Truncated,
    reach: f64,
) {
    tile.backgrounds(plan, place);
    bins.clear();
    bins.reach = reach;
    let limit = (-1.0 / reach) as f32;
    for (p, plane) in plan.planes.iter().enumerate() {
        let ratio_max = tile.bound(p, patch);
        if ratio_max <= 0.0 {
            continue;
        }
        let (ratios, backgrounds) = (tile.window_ratios(p, patch), tile.window_backgrounds(p, patch));
        let stride = tile.stride();
        let least = limit / ratio_max;
        let cells = &plane.cells[..plane.cells.partition_point(|cell| cell.largest > least)];
        for cell in cells {
            let at = cell.row as usize * stride + cell.column as usize;
            if ratios[at] * cell.largest > limit {
                let mut c = Block::ZERO;
                V::splat(ratios[at]).mul(V::load(&plan.table[cell.index as usize])).store(&mut c);
                bins.c.push(c);
                bins.b.push(backgrounds[at]);
            }
        }
    }
}
