//! Prepared data of the CPU engine, and how runs over it are cut into tiles.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use super::CpuEngine;
use super::plan::{PATCH, RunPlan};
use super::prepare::BinLists;
use super::tile::Tile;
use crate::compute::engine::PreparedTsMap;
use crate::compute::reference::{Windows, check_norms, for_each_row};
use crate::control::Control;
use crate::error::Result;
use crate::kernels::ts_map::window::stat_rise;
use crate::kernels::{TsMapData, TsMapOutput, TsMapRun};

/// Most rows of a tile: the strips of its rows share a halo of ratios.
const TILE_ROWS: usize = 64;
/// Most columns of a tile: sorted strips stay in the second-level cache.
const TILE_COLUMNS: usize = 256;
/// Tiles that a map is cut into at least, if it is not tiny, to keep threads busy. Independent of their number.
const TILES_WANTED: usize = 64;

pub struct Prepared<'a> {
    engine: &'a CpuEngine,
    data: TsMapData<'a>,
    lists: BinLists,
}

impl<'a> Prepared<'a> {
    pub fn new(engine: &'a CpuEngine, data: &TsMapData<'a>, control: &Control) -> Result<Self> {
        control.check()?;
        let lists = engine.pool.install(|| BinLists::new(data));
        Ok(Self { engine, data: data.clone(), lists })
    }

    fn run_in_pool(&self, run: &TsMapRun<'_>, control: &Control) -> Result<TsMapOutput> {
        let plan = RunPlan::new(&self.data, &self.lists, run, control)?;
        let windows = Windows::new(&self.data, run);
        let refit = |y: usize, x: usize, window: &mut _| windows.fit(y, x, run, window);
        let output = Mutex::new(TsMapOutput::empty(self.data.shape(), &run.settings));
        let total = run.fit_mask.iter().filter(|fitted| **fitted).count() as u64;
        let done = AtomicU64::new(0);
        control.report("fit", 0, total);
        let most = plan.moments.as_ref().map(|moments| moments.tile(plan.half));
        tiles(self.data.shape(), most).par_iter().try_for_each(|tile| {
            control.check()?;
            let mut scratch = self.engine.scratch.take();
            let count = self.engine.instructions.fit_tile(&plan, tile, &mut scratch, &refit, &output);
            self.engine.scratch.put(scratch);
            if count > 0 {
                control.report("fit", done.fetch_add(count, Ordering::Relaxed) + count, total);
            }
            Ok(())
        })?;
        control.check()?;
        Ok(output.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PreparedTsMap for Prepared<'_> {
    fn run(&self, run: &TsMapRun<'_>, control: &Control) -> Result<TsMapOutput> {
        run.check(&self.data)?;
        control.check()?;
        self.engine.pool.install(|| self.run_in_pool(run, control))
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
                    windows.collect(y, x, window);
                    (0..norms.dim().0).map(|scan| stat_rise(window, norms[[scan, y, x]])).collect::<Vec<f64>>()
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
