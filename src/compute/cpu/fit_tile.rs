//! Fits a tile, patch by patch, and gathers what comes out.

use std::sync::{Mutex, PoisonError};

use ndarray::Array2;

use super::double::{DoubleScratch, fit_double};
use super::errors::{Errors, errors};
use super::moments::{Moments, Turn};
use super::patch::{Norm, Patch, PatchScratch, Source, c_bound, one_pole_step};
use super::plan::{PATCH, RunPlan, patch_lanes};
use super::sensitivity::{SensitivityScratch, sensitivity};
use super::simd::{LANES, Simd};
use super::starts::Starts;
use super::tile::{Tile, TileData};
use super::wide::{Mask, Wide};
use super::wing::{CORES, EIGHT, Reach, SIX, TERMS, Table};
use crate::kernels::ts_map::{Window, WindowFit};
use crate::kernels::{TsMapOutput, TsMapStatus};

/// Working memory of a thread.
#[derive(Default)]
pub struct Scratch {
    data: TileData,
    moments: Moments,
    patch: PatchScratch,
    double: DoubleScratch,
    sensitivity: SensitivityScratch,
    /// The bins of the current row of patches are sorted.
    strip: bool,
    /// Norms that the last patch of this strip looked at.
    reach: Option<Reach>,
    /// Of each patch of the tile what the run before found; empty where there is none.
    before: Vec<Before>,
    window: Window,
    fits: Vec<WindowFit>,
}

/// Bins of a patch from which on a wing pays: below, building it anew where it was wrong costs more than it saves.
const LEAST_WING_BINS: usize = 400;
/// Attempts with a wing before all bins are listed.
const WING_ATTEMPTS: usize = 2;
/// The wing is made for norms this much farther out than those of the last patch.
const REACH_MARGIN: f64 = 1.2;

/// The same, where they are those of a similar kernel.
const NEXT_REACH_MARGIN: f64 = 1.08;
/// Attempts with moments by transforms before a list is made.
const MOMENT_ATTEMPTS: usize = 3;
/// The same for moments without their core, which is made for the norms that the moments themselves foretell.
const CORE_MARGIN: f64 = 1.1;

/// Fits the double-precision way, for single pixels: number of the run, y, x.
pub type Refit<'r> = &'r (dyn Fn(usize, usize, usize, &mut Window) -> WindowFit + Sync);

/// Fits all pixels of a tile for runs that share planes, kernel sizes and mask, one run after the other, and stores them.
#[inline(always)]
pub fn fit_tile<V: Simd>(
    plans: &[RunPlan<'_>],
    tile: &Tile,
    scratch: &mut Scratch,
    refit: Refit<'_>,
    outputs: &[Mutex<TsMapOutput>],
) -> u64 {
    let mut done = 0;
    scratch.before.clear();
    for (number, (plan, output)) in plans.iter().zip(outputs).enumerate() {
        let turn = match number {
            _ if plans.len() == 1 => Turn::Only,
            0 => Turn::First,
            _ => Turn::Further,
        };
        if !plan.similar {
            scratch.before.clear();
        }
        done += fit_run::<V>(plan, tile, turn, scratch, &|y, x, window| refit(number, y, x, window), output);
    }
    done
}

/// The same for one run.
#[inline(always)]
fn fit_run<V: Simd>(
    plan: &RunPlan<'_>,
    tile: &Tile,
    turn: Turn,
    scratch: &mut Scratch,
    refit: &dyn Fn(usize, usize, &mut Window) -> WindowFit,
    output: &Mutex<TsMapOutput>,
) -> u64 {
    let (rows, columns) = (tile.rows.len(), tile.columns.len());
    let across = columns.div_ceil(PATCH);
    let wanted = |y: usize, x: usize| y < tile.rows.end && x < tile.columns.end && plan.fit_mask[[y, x]];
    let mut done = 0;
    let mut entered = false;
    scratch.fits.clear();
    scratch.fits.resize(rows * columns, WindowFit::MASKED);
    if turn != Turn::Only {
        scratch.before.resize(rows.div_ceil(PATCH) * across, Before::default());
    }
    for patch_row in 0..rows.div_ceil(PATCH) {
        scratch.strip = false;
        scratch.reach = None;
        scratch.sensitivity.start_row();
        for patch_column in 0..columns.div_ceil(PATCH) {
            let (y0, x0) = (tile.rows.start + patch_row * PATCH, tile.columns.start + patch_column * PATCH);
            let lanes = Mask::from_fn(|lane| wanted(y0 + lane / PATCH, x0 + lane % PATCH));
            if !lanes.any() {
                continue;
            }
            if !entered {
                match turn {
                    Turn::Only | Turn::First => scratch.data.enter(plan, tile),
                    Turn::Further => scratch.data.enter_again(plan, tile),
                }
                if let Some(moments) = &plan.moments {
                    scratch.moments.enter(moments, plan, tile, &scratch.data, turn);
                }
                entered = true;
            }
            if !scratch.strip && plan.moments.is_none() {
                scratch.data.enter_strip(plan, tile, patch_row, turn != Turn::Only);
                scratch.strip = true;
            }
            let at = (patch_row, patch_column);
            let mut before = scratch.before.get(patch_row * across + patch_column).copied().unwrap_or_default();
            let (mut fits, mut again) = fit_patch::<V>(plan, tile, at, lanes, turn, &mut before, scratch);
            if again.any() {
                let Scratch { data, patch, double, .. } = &mut *scratch;
                let (second, left) = fit_double::<V>(plan, tile, at, again, data, patch, double);
                for (lane, (fit, second)) in fits.iter_mut().zip(second).enumerate() {
                    if again.get(lane) && !left.get(lane) {
                        *fit = second;
                    }
                }
                again = left;
            }
            if let Some(place) = scratch.before.get_mut(patch_row * across + patch_column) {
                *place = before;
            }
            if plan.settings.sensitivity {
                let usual = lanes.and(again.not());
                let (norms, failed) =
                    sensitivity::<V>(plan, &mut scratch.data, tile, at, usual, &mut scratch.sensitivity);
                for (fit, norm) in fits.iter_mut().zip(norms.0) {
                    fit.sensitivity = norm;
                }
                again = again.or(failed);
            }
            for (lane, mut fit) in fits.into_iter().enumerate() {
                if lanes.get(lane) {
                    let (y, x) = (y0 + lane / PATCH, x0 + lane % PATCH);
                    if again.get(lane) {
                        fit = refit(y, x, &mut scratch.window);
                    }
                    scratch.fits[(y - tile.rows.start) * columns + x - tile.columns.start] = fit;
                    done += 1;
                }
            }
        }
    }
    if done > 0 {
        store(&mut output.lock().unwrap_or_else(PoisonError::into_inner), tile, &scratch.fits);
    }
    done
}

/// Fits of a patch, and the lanes that have to be fitted in double precision instead. `before` is what the run before
/// found, and becomes what this one finds.
#[inline(always)]
fn fit_patch<V: Simd>(
    plan: &RunPlan<'_>,
    tile: &Tile,
    at: (usize, usize),
    wanted: Mask,
    turn: Turn,
    before: &mut Before,
    scratch: &mut Scratch,
) -> ([WindowFit; LANES], Mask) {
    let pixel = (tile.rows.start + at.0 * PATCH, tile.columns.start + at.1 * PATCH);
    let awkward = if plan.sums.boxes.awkward.is_empty() {
        Mask::none()
    } else {
        let bins = patch_lanes(&plan.sums.boxes.awkward, plan.shape, pixel, 0.0);
        Mask::from_fn(|lane| bins[lane] > 0.0).and(wanted)
    };
    let usual = wanted.and(awkward.not());
    let moments = if plan.moments.is_some() { scratch.moments.patch(at) } else { [Wide::ZERO; TERMS] };
    let c_max = c_bound(plan, &scratch.data, at);
    let scale = plan.norm_scale * scratch.data.scale;
    let n_sigma = plan.settings.n_sigma_ul.max(plan.settings.n_sigma);
    let hidden = plan.moments.is_some() && {
        let lanes = |map: &[f64]| Wide(patch_lanes(map, plan.shape, pixel, 0.0)).over(0.0);
        let seen = usual.and(lanes(&plan.sums.model)).and(lanes(&plan.sums.boxes.filled));
        scratch.moments.hides(moments[0], seen)
    };
    let mut way = match plan.moments {
        Some(_) if !hidden => {
            Way::choose(&first_look(plan, &moments, pixel, &scratch.data, usual), c_max, &scratch.moments, n_sigma)
        }
        _ => Way::List,
    };
    let mut expected = None;
    let (mut transformed, mut lists) = (0, 0);
    loop {
        let source = match way {
            Way::Moments { table } => Source::Moments { moments: &moments, table },
            Way::Core { limit, table } => {
                scratch.data.spread_counts(plan, tile);
                Source::Core { moments: &moments, limit, table }
            }
            Way::List => {
                if !scratch.strip {
                    scratch.data.enter_strip(plan, tile, at.0, turn != Turn::Only);
                    scratch.strip = true;
                }
                let bins = scratch.data.patch_bins(at.1, plan.window().1).len();
                let wing = !plan.settings.exact && bins >= LEAST_WING_BINS && lists < WING_ATTEMPTS;
                lists += 1;
                let same_patch = before.reach.map(|reach| (reach.times(1.0 / scale), NEXT_REACH_MARGIN));
                let reach = expected.or(same_patch).or(scratch.reach.map(|reach| (reach, REACH_MARGIN)));
                let limit = reach.filter(|_| wing).map_or(0.0, |(reach, margin)| reach.largest_c(&SIX) / margin);
                Source::List { wing_limit: limit as f32 }
            }
        };
        let (fits, failed, look, holds) = attempt::<V>(plan, tile, at, usual, source, &before.starts, scratch);
        let noisy = way.table().is_some_and(|table| look.is_noisy(&scratch.moments, n_sigma, table));
        if holds && !noisy {
            *before = Before { starts: look.starts, reach: Some(look.reach.times(scale)) };
            if matches!(way, Way::List) {
                scratch.reach = Some(look.reach);
            }
            return (fits, awkward.or(failed));
        }
        expected = Some((look.reach, REACH_MARGIN));
        transformed += 1;
        way = match way {
            Way::Moments { .. } | Way::Core { .. } if transformed <= MOMENT_ATTEMPTS => {
                Way::choose(&look, c_max, &scratch.moments, n_sigma)
            }
            _ => Way::List,
        };
        if lists > WING_ATTEMPTS {
            return (fits, wanted);
        }
    }
}

/// How a patch is fitted.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// All bins as moments by transforms.
    Moments { table: &'static Table },
    /// The same, without bins with c above the limit, which are listed.
    Core { limit: f32, table: &'static Table },
    /// From a list of bins.
    List,
}

impl Way {
    /// Moments, with the narrowest table that holds over the reach; without their core where none does; not at all
    /// where they are too noisy.
    fn choose(look: &Look, c_max: f64, moments: &Moments, n_sigma: f64) -> Self {
        if let Some(table) = EIGHT.iter().find(|table| look.reach.largest_c(table) >= c_max)
            && !look.is_noisy(moments, n_sigma, table)
        {
            return Self::Moments { table };
        }
        match CORES.into_iter().find(|table| !look.is_noisy(moments, n_sigma, table)) {
            Some(table) => Self::Core { limit: (look.reach.largest_c(table) / CORE_MARGIN) as f32, table },
            None => Self::List,
        }
    }

    fn table(self) -> Option<&'static Table> {
        match self {
            Self::Moments { table } | Self::Core { table, .. } => Some(table),
            Self::List => None,
        }
    }
}

/// What the run before found of a patch.
#[derive(Clone, Copy, Default)]
struct Before {
    starts: Starts,
    /// In units of the run, not of the tile.
    reach: Option<Reach>,
}

/// What a patch looks at, or is expected to.
struct Look {
    reach: Reach,
    /// Norms and their errors; 0 in lanes that do not matter.
    norm: Wide,
    sigma: Wide,
    /// How the first guesses were wrong.
    starts: Starts,
}

impl Look {
    fn is_noisy(&self, moments: &Moments, n_sigma: f64, table: &Table) -> bool {
        moments.is_noisy(self.norm, self.sigma, n_sigma, table)
    }
}

/// One attempt: fits with the lanes that failed, the norms looked at, and whether the sums hold there.
#[inline(always)]
fn attempt<V: Simd>(
    plan: &RunPlan<'_>,
    tile: &Tile,
    at: (usize, usize),
    wanted: Mask,
    source: Source<'_>,
    starts: &Starts,
    scratch: &mut Scratch,
) -> ([WindowFit; LANES], Mask, Look, bool) {
    let pixel = (tile.rows.start + at.0 * PATCH, tile.columns.start + at.1 * PATCH);
    let (mut patch, at_zero) = Patch::new::<V>(plan, tile, at, wanted, source, &scratch.data, &mut scratch.patch);
    let norm = patch.norm::<V>(&scratch.data, &mut scratch.patch.list, &at_zero, starts);
    let errors = errors::<V>(&mut patch, &mut scratch.data, &mut scratch.patch, &norm, starts);
    let q = norm.moved.q.where_or(patch.fitted, Wide::splat(1.0)).at_least(1e-100);
    let look = Look {
        reach: patch.reach(&norm, &errors),
        norm: (norm.base + norm.rest).only(patch.fitted),
        sigma: q.sqrt().recip().only(patch.fitted),
        starts: Starts::new(norm.correction, errors.corrections),
    };
    if !patch.holds(look.reach) {
        return ([WindowFit::MASKED; LANES], wanted, look, false);
    }
    let rough = patch.rough(&norm).or(patch.rough_bound(&norm, errors.up));
    let failed = norm.failed.or(errors.failed).or(errors.failed_down).or(errors.far).or(rough).and(patch.active);
    (describe(&mut patch, &scratch.data, pixel, wanted, &norm, &errors), failed, look, true)
}

/// What a patch will look at, as the first three moments have it.
#[inline(always)]
fn first_look(
    plan: &RunPlan<'_>,
    moments: &[Wide; TERMS],
    pixel: (usize, usize),
    data: &TileData,
    wanted: Mask,
) -> Look {
    let model = Wide(patch_lanes(&plan.sums.model, plan.shape, pixel, 0.0)) * (plan.norm_scale * data.scale);
    let wanted = wanted.and(model.over(0.0)).and(moments[0].over(0.0));
    let model = model.where_or(wanted, Wide::splat(1.0));
    let [s1, s2, s3, ..] = *moments;
    let norm = one_pole_step(s1 - model, s2, s3, model);
    let sigma = (s3 / s2.at_least(1e-100) * norm + 1.0).at_least(0.1) / s2.at_least(1e-100).sqrt();
    let high = (norm + sigma * plan.settings.n_sigma_ul.max(plan.settings.n_sigma)).only(wanted).highest();
    let low = (sigma * plan.settings.n_sigma - norm).only(wanted).highest();
    let reach = Reach { low: low.max(0.0) * 1.03, high: high.max(0.0) * 1.03 };
    Look { reach, norm: norm.only(wanted), sigma: sigma.only(wanted), starts: Starts::default() }
}

/// Turns lanes into fits in the units of the run.
#[inline(always)]
pub fn describe(
    patch: &mut Patch<'_, '_>,
    data: &TileData,
    pixel: (usize, usize),
    wanted: Mask,
    norm: &Norm,
    errors: &Errors,
) -> [WindowFit; LANES] {
    let plan = patch.plan;
    let settings = &plan.settings;
    let lanes = |map: &[f64]| patch_lanes(map, plan.shape, pixel, 0.0);
    let (stat_null, npred_null) = (lanes(&plan.sums.boxes.stat_null), lanes(&plan.sums.boxes.background));
    let (npred_reference, filled) = (lanes(&plan.sums.model), lanes(&plan.sums.boxes.filled));
    let lowest = if patch.fitted.not().and(patch.active).any() { Some(norm_at_bound(patch, data)) } else { None };
    let q = one_pole_curvature(norm);
    std::array::from_fn(|lane| {
        if !wanted.get(lane) {
            return WindowFit::MASKED;
        }
        let mut fit = WindowFit {
            ts: 0.0,
            stat_null: stat_null[lane],
            npred_null: npred_null[lane],
            npred_reference: npred_reference[lane],
            status: TsMapStatus::NO_MODEL,
            ..WindowFit::MASKED
        };
        if !patch.active.get(lane) {
            return fit;
        }
        let fitted = patch.fitted.get(lane);
        let scale = patch.scale.0[lane];
        let x = match lowest {
            Some(lowest) if !fitted => lowest.0[lane],
            _ => norm.base.0[lane] + norm.rest.0[lane],
        };
        fit.norm = x * scale;
        fit.norm_err = if fitted { settings.n_sigma / q.0[lane].sqrt() * scale } else { f64::INFINITY };
        fit.ts = if fitted { norm.ts.0[lane] } else { -2.0 * x * patch.model.0[lane] };
        fit.niter = match (fitted, norm.kept.get(lane)) {
            (true, false) => norm.passes,
            _ => 0,
        };
        let mut status = 0;
        let mut flag = |bit: u32, set: bool| status |= if set { bit } else { 0 };
        flag(TsMapStatus::NO_COUNTS, filled[lane] == 0.0);
        flag(TsMapStatus::COUNTS_WITHOUT_MODEL, filled[lane] > 0.0 && !fitted);
        flag(TsMapStatus::SINGLE_BIN, patch.single.get(lane));
        flag(TsMapStatus::AT_BOUND, norm.at_bound.get(lane));
        flag(TsMapStatus::ZERO_BACKGROUND, patch.holes.0[lane] > 0.0);
        flag(TsMapStatus::BELOW_THRESHOLD, norm.kept.get(lane));
        if settings.errn_errp {
            fit.errn = errors.down.0[lane] * scale;
            fit.errp = errors.up.0[lane] * scale;
            flag(TsMapStatus::NO_ERRN, fit.errn.is_nan());
        }
        if settings.ul {
            fit.ul = fit.norm + errors.limit.0[lane] * scale;
        }
        fit.status = status;
        fit
    })
}

/// Q at the norm, from the sums at the base: the one-pole model again.
#[inline(always)]
fn one_pole_curvature(norm: &Norm) -> Wide {
    let bend = norm.moved.r / norm.moved.q.at_least(1e-100);
    let stretch = bend * norm.rest + 1.0;
    norm.moved.q / (stretch * stretch)
}

#[inline(always)]
fn norm_at_bound(patch: &mut Patch<'_, '_>, data: &TileData) -> Wide {
    // Known by now: lanes without counts asked for it first of all.
    patch.lowest_norm::<super::simd::Portable>(data)
}

/// Copies the fits of a tile into the maps.
fn store(output: &mut TsMapOutput, tile: &Tile, fits: &[WindowFit]) {
    let columns = tile.columns.len();
    for (y, row) in tile.rows.clone().zip(fits.chunks_exact(columns)) {
        let put = |map: &mut Array2<f64>, value: fn(&WindowFit) -> f64| {
            let mut map = map.row_mut(y);
            for (target, fit) in map.iter_mut().skip(tile.columns.start).zip(row) {
                *target = value(fit);
            }
        };
        put(&mut output.norm, |fit| fit.norm);
        put(&mut output.norm_err, |fit| fit.norm_err);
        put(&mut output.ts, |fit| fit.ts);
        put(&mut output.stat_null, |fit| fit.stat_null);
        put(&mut output.npred_null, |fit| fit.npred_null);
        put(&mut output.npred_reference, |fit| fit.npred_reference);
        let put_if = |map: &mut Option<Array2<f64>>, value| {
            if let Some(map) = map {
                put(map, value);
            }
        };
        put_if(&mut output.norm_errn, |fit| fit.errn);
        put_if(&mut output.norm_errp, |fit| fit.errp);
        put_if(&mut output.norm_ul, |fit| fit.ul);
        put_if(&mut output.norm_sensitivity, |fit| fit.sensitivity);
        for (x, fit) in tile.columns.clone().zip(row) {
            output.niter[[y, x]] = fit.niter;
            output.status[[y, x]] = fit.status;
        }
    }
}
