//! Prepared data of the CPU engine, and how runs over it are cut into tiles.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ndarray::{Array3, ArrayView3, s};
use rayon::prelude::*;

use super::CpuEngine;
use super::plan::{LastBoxSums, PATCH, RunPlan, add_model_sums};
use super::prepare::BinLists;
use super::profile::stat_rises;
use super::tile::Tile;
use crate::compute::engine::PreparedTsMap;
use crate::compute::reference::{Windows, check_norms, for_each_row};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::{TsMapData, TsMapOutput, TsMapRun};

/// Most rows of a tile: the strips of its rows share a halo of ratios.
const TILE_ROWS: usize = 64;
/// Most columns of a tile: sorted strips stay in the second-level cache.
const TILE_COLUMNS: usize = 256;
/// Tiles that a map is cut into at least, if it is not tiny, to keep threads busy. Independent of their number.
const TILES_WANTED: usize = 64;

/// Memory that kernel tables and spectra of runs that are done together may take; the last one may go beyond.
const GROUP_BYTES: usize = 192 << 20;

pub struct Prepared<'a> {
    engine: &'a CpuEngine,
    data: TsMapData<'a>,
    lists: BinLists,
    last: LastBoxSums,
}

impl<'a> Prepared<'a> {
    pub fn new(engine: &'a CpuEngine, data: &TsMapData<'a>, control: &Control) -> Result<Self> {
        control.check()?;
        let lists = engine.pool.install(|| BinLists::new(data));
        Ok(Self { engine, data: data.clone(), lists, last: LastBoxSums::default() })
    }

    fn run_in_pool(&self, runs: &[TsMapRun<'_>], control: &Control) -> Result<Vec<TsMapOutput>> {
        let pixels = |run: &TsMapRun<'_>| run.fit_mask.iter().filter(|fitted| **fitted).count() as u64;
        let progress = FitProgress { done: AtomicU64::new(0), total: runs.iter().map(pixels).sum() };
        control.report("fit", 0, progress.total);
        let mut outputs = Vec::with_capacity(runs.len());
        while outputs.len() < runs.len() {
            let begun = outputs.len();
            outputs.extend(self.run_group(&runs[begun..], &progress, control)?);
        }
        control.check()?;
        Ok(outputs)
    }

    /// Does the first of `runs`, and with it those that follow and share its planes, as far as memory is allowed.
    fn run_group(&self, runs: &[TsMapRun<'_>], progress: &FitProgress, control: &Control) -> Result<Vec<TsMapOutput>> {
        let mut plans: Vec<RunPlan<'_>> = Vec::new();
        let mut bytes = 0;
        for run in runs {
            if !plans.is_empty() && (bytes > GROUP_BYTES || !share_planes(&runs[0], run)) {
                break;
            }
            let mut plan = RunPlan::new(&self.data, &self.lists, &self.last, run, control)?;
            if let Some(before) = plans.last() {
                plan.follow(before);
            }
            bytes += plan.bytes();
            plans.push(plan);
        }
        add_model_sums(&mut plans, control)?;
        let runs = &runs[..plans.len()];
        let windows: Vec<_> = runs.iter().map(|run| Windows::new(&self.data, run)).collect();
        let refit =
            |number: usize, y: usize, x: usize, window: &mut _| windows[number].fit(y, x, &runs[number], window);
        let empty = |run: &TsMapRun<'_>| Mutex::new(TsMapOutput::empty(self.data.shape(), &run.settings));
        let outputs: Vec<_> = runs.iter().map(empty).collect();
        let most = plans[0].moments.as_ref().map(|moments| moments.tile(plans[0].half));
        tiles(self.data.shape(), most).par_iter().try_for_each(|tile| {
            control.check()?;
            let mut scratch = self.engine.scratch.take();
            let count = self.engine.instructions.fit_tile(&plans, tile, &mut scratch, &refit, &outputs);
            self.engine.scratch.put(scratch);
            if count > 0 {
                let done = progress.done.fetch_add(count, Ordering::Relaxed) + count;
                control.report("fit", done, progress.total);
            }
            Ok(())
        })?;
        Ok(outputs.into_iter().map(|output| output.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
    }
}

/// How many fits of how many are done.
struct FitProgress {
    done: AtomicU64,
    total: u64,
}

/// Whether two runs differ in nothing but the values of their kernels and the first guess.
fn share_planes(a: &TsMapRun<'_>, b: &TsMapRun<'_>) -> bool {
    let sizes = |run: &TsMapRun<'_>| run.kernels.iter().map(|kernel| kernel.dim()).collect::<Vec<_>>();
    a.planes == b.planes && sizes(a) == sizes(b) && a.settings == b.settings && a.fit_mask == b.fit_mask
}

impl PreparedTsMap for Prepared<'_> {
    fn run(&self, run: &TsMapRun<'_>, control: &Control) -> Result<TsMapOutput> {
        run.check(&self.data)?;
        control.check()?;
        let runs = std::slice::from_ref(run);
        let mut outputs = self.engine.pool.install(|| self.run_in_pool(runs, control))?;
        outputs.pop().ok_or_else(|| Error::input("run", "nothing came out"))
    }

    fn run_many(&self, runs: &[TsMapRun<'_>], control: &Control) -> Result<Vec<TsMapOutput>> {
        runs.iter().try_for_each(|run| run.check(&self.data))?;
        control.check()?;
        self.engine.pool.install(|| self.run_in_pool(runs, control))
    }

    fn profile(&self, run: &TsMapRun<'_>, norms: ArrayView3<'_, f64>, control: &Control) -> Result<Array3<f64>> {
        run.check(&self.data)?;
        check_norms(&self.data, norms)?;
        let mut profile = Array3::from_elem(norms.dim(), f64::NAN);
        let windows = Windows::new(&self.data, run);
        self.engine.pool.install(|| {
            for_each_row(
                run,
                control,
                |y, x, window| {
                    let mut scratch = self.engine.profiles.take();
                    windows.collect(y, x, window);
                    let norms: Vec<f64> = norms.slice(s![.., y, x]).to_vec();
                    let mut rises = Vec::with_capacity(norms.len());
                    stat_rises(window, &norms, &mut rises, &mut scratch);
                    self.engine.profiles.put(scratch);
                    rises
                },
                |y, x, rises| {
                    for (scan, rise) in rises.iter().enumerate() {
                        profile[[scan, y, x]] = *rise;
                    }
                },
            )
        })?;
        Ok(profile)
    }
}

/// Cuts a map into tiles: by its shape alone (or by the size that transforms ask for), so that no result depends on the
/// number of threads.
fn tiles((ny, nx): (usize, usize), transformed: Option<(usize, usize)>) -> Vec<Tile> {
    let columns = TILE_COLUMNS.min(nx.next_multiple_of(PATCH)).max(PATCH);
    let across = nx.div_ceil(columns).max(1);
    let rows = (ny * across / TILES_WANTED).next_multiple_of(PATCH).clamp(4 * PATCH, TILE_ROWS);
    let (rows, columns) = transformed.unwrap_or((rows, columns));
    let mut tiles = Vec::new();
    for y in (0..ny).step_by(rows) {
        for x in (0..nx).step_by(columns) {
            tiles.push(Tile { rows: y..ny.min(y + rows), columns: x..nx.min(x + columns) });
        }
    }
    tiles
}
