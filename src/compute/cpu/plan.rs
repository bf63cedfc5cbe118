//! What is worked out once per run: the planes with their kernels, kernel tables for patches, per-pixel sums.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::{ArrayView2, ArrayView3};
use rayon::prelude::*;

use super::boxes::{add_box_sums, add_column_sums, row_sums};
use super::correlate::{Method, Term, correlate};
use super::moments::MomentPlan;
use super::prepare::{BinLists, PlaneBins, power_of_two_below};
use super::simd::{Block, LANES};
use super::wide::Wide;
use crate::control::Control;
use crate::error::Result;
use crate::kernels::cube::PlaneView;
use crate::kernels::ts_map::{TRUNCATION_VALUE, TsMapInput};
use crate::kernels::{TsMapData, TsMapRun, TsMapSettings};

/// Rows and columns of a patch; its pixels are the lanes, row by row.
pub const PATCH: usize = 4;

/// Share of the kernels up to which two runs may differ and still count as similar.
const SIMILAR: f64 = 0.2;

/// One plane of a run with its kernel.
pub struct RunPlane<'r> {
    pub bins: &'r PlaneBins,
    pub counts: PlaneView<'r>,
    pub background: PlaneView<'r>,
    pub exposure: PlaneView<'r>,
    pub kernel: ArrayView2<'r, f64>,
    /// Largest kernel value, scaled like [`RunPlan::table`].
    pub kernel_max: f32,
    /// Cells of the patch's window in which some lane has model, largest first.
    pub cells: Vec<Cell>,
}

impl RunPlane<'_> {
    /// What the kernels around each pixel of the patch at `pixel` are at a bin.
    #[inline(always)]
    pub fn kernel_at(&self, (y, x): (usize, usize), pixel: (usize, usize)) -> Wide {
        let (ky, kx) = self.kernel.dim();
        Wide(std::array::from_fn(|lane| {
            let u = (y + ky / 2).wrapping_sub(pixel.0 + lane / PATCH);
            let v = (x + kx / 2).wrapping_sub(pixel.1 + lane % PATCH);
            if u < ky && v < kx { self.kernel[[u, v]] } else { 0.0 }
        }))
    }
}

/// A cell of the window of a patch: bins at `(row, column)` from the patch's corner less the half kernel.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// Largest of the table's lanes here.
    pub largest: f32,
    pub row: u32,
    pub column: u32,
    /// Index in [`RunPlan::table`].
    pub index: u32,
}

/// Sums over each pixel's window that no kernel has a say in, only its size; whole map, row by row.
#[derive(Default)]
pub struct BoxSums {
    /// Sum of b.
    pub background: Vec<f64>,
    /// `2 sum [t(b) - n ln t(b)]`.
    pub stat_null: Vec<f64>,
    /// Number of bins with counts.
    pub filled: Vec<f64>,
    /// Number of bins that single precision cannot hold; empty where the run has none.
    pub awkward: Vec<f64>,
}

/// What [`BoxSums`] depend on: per input the planes and the half sides of the kernel.
pub type Boxes = Vec<(Range<usize>, (usize, usize))>;

/// The sums of the last run: runs over many kernels of one size make them once.
#[derive(Default)]
pub struct LastBoxSums(Mutex<Option<(Boxes, Arc<BoxSums>)>>);

/// Sums over each pixel's window, whole map, row by row.
pub struct WindowSums {
    pub boxes: Arc<BoxSums>,
    /// Sum of m.
    pub model: Vec<f64>,
    /// Sum of m over bins without background; empty where the run has none.
    pub hole_model: Vec<f64>,
}

/// A run, ready to be done tile by tile.
pub struct RunPlan<'r> {
    pub shape: (usize, usize),
    /// Half sides that hold the window of every plane.
    pub half: (usize, usize),
    pub planes: Vec<RunPlane<'r>>,
    /// `[plane, row, column]` of the patch's window: kernel value of each lane, scaled.
    pub table: Vec<Block>,
    /// Largest lane of each block of `table`.
    pub table_max: Vec<f32>,
    /// Real norms are [`RunPlan::norm_scale`] times those of a fit with `c = table * ratio`.
    pub norm_scale: f64,
    /// Factor of the kernel in `table`; a power of two.
    pub kernel_scale: f64,
    pub sums: WindowSums,
    /// Transforms for dense maps.
    pub moments: Option<MomentPlan>,
    pub fit_mask: ArrayView2<'r, bool>,
    /// First guess of the norm, whole map; `None` where no threshold asks for it.
    pub guess: Option<Vec<f64>>,
    pub settings: TsMapSettings,
    /// The kernels are so close to those of the run before that its fits tell where these begin.
    pub similar: bool,
}

impl<'r> RunPlan<'r> {
    /// Without the sums over m, see [`add_model_sums`].
    pub fn new(
        data: &'r TsMapData<'_>,
        lists: &'r BinLists,
        last: &LastBoxSums,
        run: &'r TsMapRun<'_>,
        control: &Control,
    ) -> Result<Self> {
        let mut planes = Vec::new();
        for (i, ((input, range), kernel)) in data.inputs().iter().zip(&run.planes).zip(&run.kernels).enumerate() {
            for (plane, kernel) in range.clone().zip(kernel.outer_iter()) {
                planes.push(RunPlane {
                    bins: &lists.planes[lists.first_plane[i] + plane],
                    counts: input.counts.reborrow().plane(plane),
                    background: input.background.reborrow().plane(plane),
                    exposure: input.exposure.reborrow().plane(plane),
                    kernel,
                    kernel_max: 0.0,
                    cells: Vec::new(),
                });
            }
        }
        let half = |side: fn(&RunPlane<'_>) -> usize| planes.iter().map(|plane| side(plane) / 2).max().unwrap_or(0);
        let half = (half(|plane| plane.kernel.dim().0), half(|plane| plane.kernel.dim().1));

        // The largest c of a bin with counts is brought to about 1: its powers neither overflow nor vanish.
        let peak = |plane: &RunPlane<'_>| plane.kernel.iter().copied().fold(0.0, f64::max);
        let largest = planes.iter().map(|plane| f64::from(plane.bins.ratio_max) * peak(plane)).fold(0.0, f64::max);
        let kernel_scale = power_of_two_below(1.0 / largest);
        let (rows, columns) = (2 * half.0 + PATCH, 2 * half.1 + PATCH);
        let mut table = vec![Block::ZERO; planes.len() * rows * columns];
        table.par_chunks_mut(rows * columns).zip(planes.par_iter_mut()).enumerate().for_each(
            |(number, (table, plane))| {
                fill_table(table, (rows, columns), plane.kernel, half, kernel_scale);
                plane.kernel_max = (peak(plane) * kernel_scale) as f32;
                plane.cells = sorted_cells(table, columns, number * rows * columns);
            },
        );
        let table_max = table.par_iter().map(Block::max).collect();
        control.check()?;
        let boxes = last.of(data, run, &planes, control)?;
        let sums = WindowSums { boxes, model: Vec::new(), hole_model: Vec::new() };
        let mut plan = Self {
            similar: false,
            moments: None,
            shape: data.shape(),
            half,
            planes,
            table,
            table_max,
            norm_scale: lists.ratio_scale * kernel_scale,
            kernel_scale,
            sums,
            fit_mask: run.fit_mask.view(),
            guess: run.norm_guess.filter(|_| run.settings.threshold.is_some()).map(|g| g.iter().copied().collect()),
            settings: run.settings.clone(),
        };
        plan.moments = MomentPlan::new(&plan, run);
        Ok(plan)
    }

    /// Memory that it takes, about, with its part of [`add_model_sums`].
    pub fn bytes(&self) -> usize {
        let table = self.table.len() * (size_of::<Block>() + size_of::<Cell>() + size_of::<f32>());
        let (ny, nx) = self.shape;
        table + self.moments.as_ref().map_or(0, MomentPlan::bytes) + ny * nx * 2 * size_of::<f64>()
    }

    /// Finds out whether the kernels are close to those of `before`.
    pub fn follow(&mut self, before: &RunPlan<'_>) {
        let (mut apart, mut all) = (0.0, 0.0);
        for (plane, other) in self.planes.iter().zip(&before.planes) {
            for (a, b) in plane.kernel.iter().zip(&other.kernel) {
                apart += (a - b).abs();
                all += a.max(*b);
            }
        }
        self.similar = apart < SIMILAR * all;
    }

    /// Rows and columns of the window of a patch.
    pub fn window(&self) -> (usize, usize) {
        (2 * self.half.0 + PATCH, 2 * self.half.1 + PATCH)
    }
}

fn fill_table(
    table: &mut [Block],
    (rows, columns): (usize, usize),
    kernel: ArrayView2<'_, f64>,
    (hy, hx): (usize, usize),
    scale: f64,
) {
    let (ky, kx) = kernel.dim();
    let (dy, dx) = (hy - ky / 2, hx - kx / 2);
    for row in 0..rows {
        for column in 0..columns {
            let block = &mut table[row * columns + column].0;
            for (lane, value) in block.iter_mut().enumerate() {
                let u = row.checked_sub(lane / PATCH + dy).filter(|u| *u < ky);
                let v = column.checked_sub(lane % PATCH + dx).filter(|v| *v < kx);
                if let (Some(u), Some(v)) = (u, v) {
                    *value = (kernel[[u, v]] * scale) as f32;
                }
            }
        }
    }
}

fn sorted_cells(table: &[Block], columns: usize, first: usize) -> Vec<Cell> {
    let mut cells: Vec<Cell> = table
        .iter()
        .enumerate()
        .filter(|(_, block)| block.max() > 0.0)
        .map(|(i, block)| Cell {
            largest: block.max(),
            row: (i / columns) as u32,
            column: (i % columns) as u32,
            index: (first + i) as u32,
        })
        .collect();
    cells.sort_by(|a, b| b.largest.total_cmp(&a.largest));
    cells
}

impl LastBoxSums {
    /// Those of this run, made only where the last run had others.
    fn of(
        &self,
        data: &TsMapData<'_>,
        run: &TsMapRun<'_>,
        planes: &[RunPlane<'_>],
        control: &Control,
    ) -> Result<Arc<BoxSums>> {
        let half = |kernel: &ArrayView3<'_, f64>| (kernel.dim().1 / 2, kernel.dim().2 / 2);
        let boxes: Boxes = run.planes.iter().cloned().zip(run.kernels.iter().map(half)).collect();
        // Not locked while the sums are made: a thread that waits for others may be given another run to do.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut last = lock();
            match last.as_ref() {
                Some((known, sums)) if *known == boxes => return Ok(sums.clone()),
                // Their memory is better used for the new ones.
                _ => *last = None,
            }
        }
        let sums = Arc::new(BoxSums::new(data, run, planes, control)?);
        *lock() = Some((boxes, sums.clone()));
        Ok(sums)
    }
}

impl BoxSums {
    fn new(data: &TsMapData<'_>, run: &TsMapRun<'_>, planes: &[RunPlane<'_>], control: &Control) -> Result<Self> {
        let (ny, nx) = data.shape();
        let mut sums = Self {
            background: vec![0.0; ny * nx],
            stat_null: vec![0.0; ny * nx],
            filled: vec![0.0; ny * nx],
            awkward: Vec::new(),
        };
        if ny * nx == 0 {
            return Ok(sums);
        }
        // Inputs may have windows of different sizes: their boxes are summed apart.
        let mut first = 0;
        for ((input, range), kernel) in data.inputs().iter().zip(&run.planes).zip(&run.kernels) {
            control.check()?;
            let of_input = &planes[first..first + range.len()];
            first += range.len();
            let half = (kernel.dim().1 / 2, kernel.dim().2 / 2);
            let mut maps = [vec![0.0; ny * nx], vec![0.0; ny * nx], vec![0.0; ny * nx]];
            let [background, stat_null, filled] = &mut maps;
            background
                .par_chunks_mut(nx)
                .zip(stat_null.par_chunks_mut(nx))
                .zip(filled.par_chunks_mut(nx))
                .enumerate()
                .for_each_init(
                    || RowTotals::new(nx),
                    |totals, (y, ((background, stat_null), filled))| {
                        totals.fill(input, range.clone(), y);
                        let (starts, ends) = (&mut totals.counts, &mut totals.expected);
                        row_sums(&totals.background, half.1, background, starts, ends);
                        row_sums(&totals.stat_null, half.1, stat_null, starts, ends);
                        row_sums(&totals.filled, half.1, filled, starts, ends);
                    },
                );
            let targets = [&mut sums.background, &mut sums.stat_null, &mut sums.filled];
            for (target, map) in targets.into_iter().zip(&maps) {
                add_column_sums(target, map, (ny, nx), half.0);
            }
            if of_input.iter().any(|plane| !plane.bins.awkward.is_empty()) {
                let mut map = vec![0.0; ny * nx];
                for (y, x) in of_input.iter().flat_map(|plane| &plane.bins.awkward) {
                    map[*y as usize * nx + *x as usize] += 1.0;
                }
                sums.awkward.resize(ny * nx, 0.0);
                add_box_sums(&mut sums.awkward, &map, (ny, nx), half);
            }
        }
        Ok(sums)
    }
}

/// Adds the sums over m to plans with the same planes and kernel sizes: each plane is transformed once for all of them.
pub fn add_model_sums(plans: &mut [RunPlan<'_>], control: &Control) -> Result<()> {
    let Some(first) = plans.first() else { return Ok(()) };
    let shape = first.shape;
    if shape.0 * shape.1 == 0 {
        return Ok(());
    }
    let kernels = |plane: usize| plans.iter().map(|plan| plan.planes[plane].kernel).collect();
    let model: Vec<_> = first
        .planes
        .iter()
        .enumerate()
        .map(|(i, p)| Term { plane: p.exposure, holes_of: None, kernels: kernels(i) })
        .collect();
    let sums = correlate(&model, shape, Method::NonNegative, control)?;
    let holes: Vec<_> = first
        .planes
        .iter()
        .enumerate()
        .filter(|(_, plane)| plane.bins.has_holes)
        .map(|(i, p)| Term { plane: p.exposure, holes_of: Some(p.background), kernels: kernels(i) })
        .collect();
    let hole_sums = correlate(&holes, shape, Method::NonNegative, control)?;
    if sums.is_empty() {
        // Runs without planes.
        plans.iter_mut().for_each(|plan| plan.sums.model = vec![0.0; shape.0 * shape.1]);
    }
    for (plan, sums) in plans.iter_mut().zip(sums) {
        plan.sums.model = sums;
    }
    for (plan, sums) in plans.iter_mut().zip(hole_sums) {
        plan.sums.hole_model = sums;
    }
    Ok(())
}

/// Sums over the planes of one row.
struct RowTotals {
    background: Vec<f64>,
    stat_null: Vec<f64>,
    filled: Vec<f64>,
    counts: Vec<f64>,
    expected: Vec<f64>,
}

impl RowTotals {
    fn new(nx: usize) -> Self {
        let row = || vec![0.0; nx];
        Self { background: row(), stat_null: row(), filled: row(), counts: row(), expected: row() }
    }

    fn fill(&mut self, input: &TsMapInput<'_>, planes: Range<usize>, y: usize) {
        let nx = self.background.len();
        for totals in [&mut self.background, &mut self.stat_null, &mut self.filled] {
            totals.fill(0.0);
        }
        self.counts.resize(nx, 0.0);
        self.expected.resize(nx, 0.0);
        for plane in planes {
            input.counts.plane(plane).copy_row(y, 0, &mut self.counts);
            input.background.plane(plane).copy_row(y, 0, &mut self.expected);
            for ((background, stat_null), b) in self.background.iter_mut().zip(&mut self.stat_null).zip(&self.expected)
            {
                *background += b;
                // Bins without anything at all drop out.
                *stat_null += if *b > 0.0 { 2.0 * b.max(TRUNCATION_VALUE) } else { 0.0 };
            }
            for (x, n) in self.counts.iter().enumerate().filter(|(_, n)| **n > 0.0) {
                self.stat_null[x] -= 2.0 * n * self.expected[x].max(TRUNCATION_VALUE).ln();
                self.filled[x] += 1.0;
            }
        }
    }
}

/// Lanes of the patch at `(y, x)` read from a map, `outside` where there is no pixel.
#[inline(always)]
pub fn patch_lanes(map: &[f64], (ny, nx): (usize, usize), (y, x): (usize, usize), outside: f64) -> [f64; LANES] {
    std::array::from_fn(|lane| {
        let (y, x) = (y + lane / PATCH, x + lane % PATCH);
        if y < ny && x < nx { map[y * nx + x] } else { outside }
    })
}
