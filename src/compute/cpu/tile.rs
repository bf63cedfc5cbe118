//! A tile of the map as one thread works on it: strips of sorted bins, ratios e / b with their halo, bounds.

use super::plan::{PATCH, RunPlan};
use super::prepare::{PlaneBins, is_hole, power_of_two_below};
use std::ops::Range;

/// Pixels that are fitted together; the last tiles of a map may be smaller.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

/// A bin with counts within the rows of a strip.
#[derive(Debug, Clone, Copy, Default)]
pub struct StripBin {
    /// Index in the kernel table of this bin's plane and row, for column 0 of a window.
    pub table_row: u32,
    /// Column in the tile's frame.
    pub column: u32,
    pub ratio: f32,
    pub counts: f32,
}

/// What the patches of a row see.
#[derive(Default)]
struct Strip {
    /// Sorted by column.
    bins: Vec<StripBin>,
    /// Where each column starts in `bins`; empty where the strip was not made.
    column_starts: Vec<u32>,
}

/// Bins without counts may have next to no background: beyond this c their bound is 0 for all that can be seen, and
/// larger ones would leave single precision.
const LARGEST_C: f64 = 1e36;

/// Bins of strips of a tile that stay for further runs: 16 bytes each.
const MOST_KEPT_BINS: usize = 1 << 20;

/// Data of the current tile, in a frame that starts half a kernel before its first pixel.
#[derive(Default)]
pub struct TileData {
    /// Rows and columns of the frame: the tile's patches and the halo.
    frame: (usize, usize),
    /// Brings c of this tile to about 1; a power of two.
    pub scale: f64,
    /// Smallest counts of a bin in reach.
    pub counts_min: f32,
    /// `[plane, row, column]` of the frame: e / b, scaled; 0 where there is no exposure, no background or no map.
    pub ratios: Vec<f32>,
    /// The same: b. Empty until asked for.
    backgrounds: Vec<f32>,
    /// The same: counts of the listed bins, 0 elsewhere. Empty until asked for.
    counts: Vec<f32>,
    /// `[plane, patch row, patch column]`: largest ratio in the window of the patch.
    bounds: Vec<f32>,
    patches: (usize, usize),
    /// The first is made anew for each row of patches; the others, one per row, stay for further runs over the tile.
    strips: Vec<Strip>,
    /// The current one.
    strip: usize,
    /// Bins in strips that stay.
    kept_bins: usize,
    next_in_column: Vec<u32>,
    /// Rows on their way from the maps.
    rows: [Vec<f64>; 2],
}

impl TileData {
    /// Goes to a tile.
    #[inline(always)]
    pub fn enter(&mut self, plan: &RunPlan<'_>, tile: &Tile) {
        let (rows, columns) = plan.window();
        self.patches = (tile.rows.len().div_ceil(PATCH), tile.columns.len().div_ceil(PATCH));
        self.frame = (self.patches.0 * PATCH + rows - PATCH, self.patches.1 * PATCH + columns - PATCH);
        self.backgrounds.clear();
        self.counts.clear();
        self.forget_strips();
        self.choose_scale(plan, tile);
        let Self { ratios, frame, scale, rows: [b_row, e_row], .. } = self;
        let ratio_scale = plan.norm_scale / plan.kernel_scale * *scale;
        let columns = frame_columns(plan, tile, *frame);
        b_row.resize(columns.len(), 0.0);
        e_row.resize(columns.len(), 0.0);
        ratios.clear();
        ratios.resize(plan.planes.len() * frame.0 * frame.1, 0.0);
        for (plane, ratios) in plan.planes.iter().zip(ratios.chunks_mut(frame.0 * frame.1)) {
            let most = LARGEST_C / f64::from(plane.kernel_max).max(1.0);
            for (y, row, first) in frame_rows(plan, tile, *frame) {
                let row = &mut ratios[row * frame.1 + first..][..columns.len()];
                plane.background.copy_row(y, columns.start, b_row);
                plane.exposure.copy_row(y, columns.start, e_row);
                for ((ratio, b), e) in row.iter_mut().zip(&*b_row).zip(&*e_row) {
                    *ratio = if is_hole(*b) { 0.0 } else { (*e / *b * ratio_scale).min(most) as f32 };
                }
            }
        }
        self.find_bounds(plan);
    }

    /// Goes to the tile where it is, for another run with the same planes and windows.
    pub fn enter_again(&mut self, plan: &RunPlan<'_>, tile: &Tile) {
        let before = self.scale;
        self.choose_scale(plan, tile);
        if self.scale != before {
            // A power of two: no digit changes.
            let factor = (self.scale / before) as f32;
            self.ratios.iter_mut().chain(&mut self.bounds).for_each(|ratio| *ratio *= factor);
            self.forget_strips();
        }
    }

    fn forget_strips(&mut self) {
        self.kept_bins = 0;
        self.strips.iter_mut().for_each(|strip| strip.column_starts.clear());
    }

    /// b of the tile, read at first use: dense maps never need it.
    #[inline(always)]
    pub fn backgrounds(&mut self, plan: &RunPlan<'_>, tile: &Tile) {
        if !self.backgrounds.is_empty() {
            return;
        }
        let Self { backgrounds, frame, rows: [b_row, _], .. } = self;
        let columns = frame_columns(plan, tile, *frame);
        b_row.resize(columns.len(), 0.0);
        backgrounds.resize(plan.planes.len() * frame.0 * frame.1, 0.0);
        for (plane, backgrounds) in plan.planes.iter().zip(backgrounds.chunks_mut(frame.0 * frame.1)) {
            for (y, row, first) in frame_rows(plan, tile, *frame) {
                plane.background.copy_row(y, columns.start, b_row);
                let row = &mut backgrounds[row * frame.1 + first..][..columns.len()];
                row.iter_mut().zip(&*b_row).for_each(|(target, b)| *target = *b as f32);
            }
        }
    }

    /// Counts of the tile, spread out at first use: only windows that moments alone cannot fit need them.
    pub fn spread_counts(&mut self, plan: &RunPlan<'_>, tile: &Tile) {
        if !self.counts.is_empty() {
            return;
        }
        let (area, stride) = (self.frame.0 * self.frame.1, self.frame.1);
        let mut spread = std::mem::take(&mut self.counts);
        spread.resize(plan.planes.len() * area, 0.0);
        for (plane, spread) in plan.planes.iter().zip(spread.chunks_mut(area)) {
            self.for_each_bin(plan, tile, plane.bins, |row, column, _, counts| spread[row * stride + column] = counts);
        }
        self.counts = spread;
    }

    fn choose_scale(&mut self, plan: &RunPlan<'_>, tile: &Tile) {
        let (mut largest, mut counts_min) = (0.0f64, f32::INFINITY);
        for plane in &plan.planes {
            // Whole rows: a scale and a bound need no more.
            let rows = tile.rows.start.saturating_sub(plan.half.0)..plan.shape.0.min(tile.rows.end + plan.half.0);
            for (ratio, counts) in &plane.bins.row_bounds[rows] {
                largest = largest.max(f64::from(*ratio) * f64::from(plane.kernel_max));
                counts_min = counts_min.min(*counts);
            }
        }
        self.scale = power_of_two_below(1.0 / largest);
        self.counts_min = counts_min;
    }

    #[inline(always)]
    fn find_bounds(&mut self, plan: &RunPlan<'_>) {
        let (rows, columns) = plan.window();
        let (py, px) = self.patches;
        let (by, bx) = (self.frame.0.div_ceil(PATCH), self.frame.1.div_ceil(PATCH));
        // Blocks that the window of a patch reaches, its own included.
        let (reach_y, reach_x) = (rows.div_ceil(PATCH), columns.div_ceil(PATCH));
        self.bounds.clear();
        let mut blocks = vec![0.0f32; by * bx];
        let mut along = vec![0.0f32; by * px];
        for ratios in self.ratios.chunks(self.frame.0 * self.frame.1) {
            blocks.fill(0.0);
            for (row, ratios) in ratios.chunks(self.frame.1).enumerate() {
                let blocks = &mut blocks[row / PATCH * bx..][..bx];
                for (block, ratios) in blocks.iter_mut().zip(ratios.chunks(PATCH)) {
                    *block = ratios.iter().copied().fold(*block, f32::max);
                }
            }
            for (blocks, along) in blocks.chunks(bx).zip(along.chunks_mut(px)) {
                for (x, along) in along.iter_mut().enumerate() {
                    *along = blocks[x..bx.min(x + reach_x)].iter().copied().fold(0.0, f32::max);
                }
            }
            for y in 0..py {
                let start = self.bounds.len();
                self.bounds.resize(start + px, 0.0);
                for along in along.chunks(px).take(by.min(y + reach_y)).skip(y) {
                    for (bound, along) in self.bounds[start..].iter_mut().zip(along) {
                        *bound = bound.max(*along);
                    }
                }
            }
        }
    }

    /// Calls `bin(row, column, ratio, counts)` for each bin with counts within the frame; rows and columns are the
    /// frame's, the ratio is not yet scaled to the tile.
    pub fn for_each_bin(
        &self,
        plan: &RunPlan<'_>,
        tile: &Tile,
        bins: &PlaneBins,
        mut bin: impl FnMut(usize, usize, f32, f32),
    ) {
        let (hy, hx) = plan.half;
        let reach = tile.columns.start.saturating_sub(hx)..tile.columns.start + self.frame.1 - hx;
        for y in tile.rows.start.saturating_sub(hy)..plan.shape.0.min(tile.rows.start + self.frame.0 - hy) {
            for i in within(&bins.columns, bins.starts[y]..bins.starts[y + 1], &reach) {
                let column = bins.columns[i] as usize + hx - tile.columns.start;
                bin(y + hy - tile.rows.start, column, bins.ratios[i], bins.counts[i]);
            }
        }
    }

    /// Largest ratio of a plane within the window of a patch.
    #[inline(always)]
    pub fn bound(&self, plane: usize, patch: (usize, usize)) -> f32 {
        self.bounds[(plane * self.patches.0 + patch.0) * self.patches.1 + patch.1]
    }

    /// Columns of the frame.
    #[inline(always)]
    pub fn stride(&self) -> usize {
        self.frame.1
    }

    /// Ratios of a plane from the first cell of the window of a patch on.
    #[inline(always)]
    pub fn window_ratios(&self, plane: usize, patch: (usize, usize)) -> &[f32] {
        &self.ratios[self.window_start(plane, patch)..]
    }

    /// Backgrounds likewise; asked for before by [`TileData::backgrounds`].
    #[inline(always)]
    pub fn window_backgrounds(&self, plane: usize, patch: (usize, usize)) -> &[f32] {
        &self.backgrounds[self.window_start(plane, patch)..]
    }

    /// Counts likewise; asked for before by [`TileData::spread_counts`].
    #[inline(always)]
    pub fn window_counts(&self, plane: usize, patch: (usize, usize)) -> &[f32] {
        &self.counts[self.window_start(plane, patch)..]
    }

    #[inline(always)]
    fn window_start(&self, plane: usize, patch: (usize, usize)) -> usize {
        (plane * self.frame.0 + patch.0 * PATCH) * self.frame.1 + patch.1 * PATCH
    }

    /// Sorts the bins that the patches of one row of patches see by column; `keep`: further runs will ask for them.
    pub fn enter_strip(&mut self, plan: &RunPlan<'_>, tile: &Tile, patch_row: usize, keep: bool) {
        let keep = keep && self.kept_bins < MOST_KEPT_BINS;
        let own = patch_row + 1;
        if self.strips.len() <= own {
            self.strips.resize_with(own + 1, Strip::default);
        }
        if !self.strips[own].column_starts.is_empty() {
            self.strip = own;
            return;
        }
        self.strip = if keep { own } else { 0 };
        let strip = &mut self.strips[self.strip];
        let (rows, columns) = plan.window();
        let reach = tile.columns.start.saturating_sub(plan.half.1)..tile.columns.start + self.frame.1 - plan.half.1;
        let first_column = tile.columns.start as isize - plan.half.1 as isize;
        let first_row = (tile.rows.start + patch_row * PATCH) as isize - plan.half.0 as isize;
        let map_rows = first_row.max(0) as usize..(first_row + rows as isize).min(plan.shape.0 as isize) as usize;

        strip.column_starts.clear();
        strip.column_starts.resize(self.frame.1 + 1, 0);
        let mut ranges = Vec::with_capacity(plan.planes.len() * rows);
        for (p, plane) in plan.planes.iter().enumerate() {
            for y in map_rows.clone() {
                let bins = within(&plane.bins.columns, plane.bins.starts[y]..plane.bins.starts[y + 1], &reach);
                if bins.is_empty() {
                    continue;
                }
                for x in &plane.bins.columns[bins.clone()] {
                    strip.column_starts[(*x as isize - first_column) as usize + 1] += 1;
                }
                let row = (y as isize - first_row) as usize;
                ranges.push((p, ((p * rows + row) * columns) as u32, bins));
            }
        }
        for i in 1..strip.column_starts.len() {
            strip.column_starts[i] += strip.column_starts[i - 1];
        }
        self.next_in_column.clear();
        self.next_in_column.extend_from_slice(&strip.column_starts);
        let total = strip.column_starts[self.frame.1] as usize;
        strip.bins.clear();
        strip.bins.resize(total, StripBin::default());
        let scale = self.scale;
        for (p, table_row, bins) in ranges {
            let plane = plan.planes[p].bins;
            for ((x, ratio), counts) in
                plane.columns[bins.clone()].iter().zip(&plane.ratios[bins.clone()]).zip(&plane.counts[bins])
            {
                let column = (*x as isize - first_column) as u32;
                let next = &mut self.next_in_column[column as usize];
                strip.bins[*next as usize] = {
                    let ratio = (f64::from(*ratio) * scale) as f32;
                    StripBin { table_row, column, ratio, counts: *counts }
                };
                *next += 1;
            }
        }
        if keep {
            self.kept_bins += total;
        }
    }

    /// Bins of the current strip that a patch sees.
    #[inline(always)]
    pub fn patch_bins(&self, patch_column: usize, window_columns: usize) -> &[StripBin] {
        let first = patch_column * PATCH;
        let strip = &self.strips[self.strip];
        let range = strip.column_starts[first] as usize..strip.column_starts[first + window_columns] as usize;
        &strip.bins[range]
    }
}

/// Part of an ascending list of columns that lies in `reach`.
pub fn within(columns: &[u32], bins: Range<usize>, reach: &Range<usize>) -> Range<usize> {
    let columns = &columns[bins.clone()];
    let first = columns.partition_point(|x| (*x as usize) < reach.start);
    let last = first + columns[first..].partition_point(|x| (*x as usize) < reach.end);
    bins.start + first..bins.start + last
}

/// Columns of the map within the frame.
#[inline(always)]
fn frame_columns(plan: &RunPlan<'_>, tile: &Tile, frame: (usize, usize)) -> Range<usize> {
    let hx = plan.half.1;
    tile.columns.start.saturating_sub(hx)..plan.shape.1.min(tile.columns.start + frame.1 - hx)
}

/// Rows of the map within the frame: `(y, frame row, first frame column)`.
#[inline(always)]
fn frame_rows(
    plan: &RunPlan<'_>,
    tile: &Tile,
    frame: (usize, usize),
) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
    let (hy, hx) = plan.half;
    let (y0, x0) = (tile.rows.start, tile.columns.start);
    let rows = y0.saturating_sub(hy)..plan.shape.0.min(y0 + frame.0 - hy);
    let first = x0.saturating_sub(hx) + hx - x0;
    rows.map(move |y| (y, y + hy - y0, first))
}
