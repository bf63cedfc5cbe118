//! Fits the sixteen pixels of a patch together.
//!
//! All in units of the tile (`c` is about 1 at most). The norm comes from steps that fit "one pole and a constant" to
//! the derivative, cubically convergent; errors and limits are displacements from the norm, see [`super::errors`].

use super::dense::{Truncated, lowest_norm};
use super::passes::{BinList, Moved, Sums, factors_of, move_to, sums};
use super::plan::{Cell, PATCH, RunPlan, patch_lanes};
use super::simd::{LANES, Simd};
use super::starts::Starts;
use super::tile::{StripBin, Tile, TileData};
use super::wide::{Mask, Wide};
use super::wing::{LIST_TERMS, Reach, SIX, TERMS, Table, Wing};

/// Least value of curvatures that are divided by: products of faint bins may vanish in single precision.
const TINY: f64 = 1e-100;
/// Steps of the norm below this many sigmas are done: one more, cubically convergent, follows from the exact sums.
const LAST_STEP: f64 = 0.1;
/// Closest that `1 + x c` may come to 0: nearer, single precision loses the norm. Such pixels are fitted in double.
const CLOSEST_POLE: f64 = 1e-4;
/// Windows with more filled bins than this are not searched for the one bin that has model.
const MOST_FILLED_SINGLE: f64 = 100.5;
/// Largest that terms may be, in sigmas, which cancel to what is seen: their rounding is then 2e-4.
const MOST_ROUNDED: f64 = 1500.0;
/// Least u of the bins that matter, in units of the tile: below, cubes vanish in single precision.
const LEAST_U: f64 = 1e-11;
/// Part of a bound, found in single precision, that its rounding may be.
const BOUND_ROUNDING: f64 = 1.2e-7;
/// By how much of an upper error a bound may be rounded.
const MOST_BOUND_ERROR: f64 = 5e-4;
/// Bound on passes; pixels that need more are fitted in double.
const MOST_PASSES: u32 = 30;

/// Working memory of a thread.
#[derive(Default)]
pub struct PatchScratch {
    pub list: BinList,
    pub truncated: Truncated,
    /// Cells of a plane in which the core has bins.
    found: Vec<u32>,
}

/// A patch on its way through the fit.
pub struct Patch<'p, 'r> {
    pub plan: &'p RunPlan<'r>,
    pub tile: &'p Tile,
    /// Patch row and column in the tile.
    pub at: (usize, usize),
    /// Lanes to fit: unmasked, with model.
    pub active: Mask,
    /// Of those, lanes with a bin that has counts and model.
    pub fitted: Mask,
    /// Of those, lanes with one such bin.
    pub single: Mask,
    /// Some lane may have one such bin: moments cannot tell.
    pub maybe_single: bool,
    /// Sum of m; 1 in lanes that are not active.
    pub model: Wide,
    /// Sum of m over bins without background.
    pub holes: Wide,
    /// Bins that are kept as moments, where there are any.
    pub wing: Option<Wing>,
    /// Norms of the patch times this are norms.
    pub scale: Wide,
    /// Norms of the patch times this are norms of the tile: 1 but for fits in double precision.
    pub per_tile: Wide,
    /// Largest c of the bins in the list.
    pub c_max: Wide,
    /// Upper bound of c over all bins of the patch, in units of the tile.
    pub c_bound: f64,
    /// The bound npred ≥ 0 once it was needed.
    pub lowest: Option<Wide>,
}

/// Where the sums of a patch come from.
#[derive(Clone, Copy)]
pub enum Source<'m> {
    /// The bins, those with c up to a limit as moments.
    List { wing_limit: f32 },
    /// Moments of all bins, and the table for them.
    Moments { moments: &'m [Wide; TERMS], table: &'static Table },
    /// The same; bins with c above a limit are taken out of the moments and listed.
    Core { moments: &'m [Wide; TERMS], limit: f32, table: &'static Table },
}

/// Sums at norm 0, found while the list is built, and the largest c.
struct AtZero {
    s1: Wide,
    s2: Wide,
    s3: Wide,
    c_max: Wide,
}

impl AtZero {
    const ZERO: Self = Self { s1: Wide::ZERO, s2: Wide::ZERO, s3: Wide::ZERO, c_max: Wide::ZERO };

    #[inline(always)]
    fn add(&mut self, moments: &[Wide; TERMS]) {
        self.s1 = self.s1 + moments[0];
        self.s2 = self.s2 + moments[1];
        self.s3 = self.s3 + moments[2];
    }
}

/// The norm of each lane, and the sums there.
pub struct Norm {
    /// Where the list was moved to; the norm is `base + rest`.
    pub base: Wide,
    pub rest: Wide,
    /// Sums at `base`.
    pub moved: Moved,
    /// Of `moved`, what the wing adds.
    pub wing: Sums,
    /// stat(0) - stat(norm).
    pub ts: Wide,
    /// stat(base) - stat(norm).
    pub offset: Wide,
    /// Lanes at the bound npred ≥ 0.
    pub at_bound: Mask,
    /// Lanes that keep the first guess.
    pub kept: Mask,
    /// Lanes that did not settle.
    pub failed: Mask,
    pub passes: u32,
    /// By how many sigmas at norm 0 the first guess was wrong.
    pub correction: Wide,
}

impl<'p, 'r> Patch<'p, 'r> {
    /// Makes the list of the patch; `wanted` are the lanes to fit.
    #[inline(always)]
    pub fn new<V: Simd>(
        plan: &'p RunPlan<'r>,
        tile: &'p Tile,
        at: (usize, usize),
        wanted: Mask,
        source: Source<'_>,
        data: &TileData,
        scratch: &mut PatchScratch,
    ) -> (Self, AtZeroSums) {
        let scale = plan.norm_scale * data.scale;
        let pixel = (tile.rows.start + at.0 * PATCH, tile.columns.start + at.1 * PATCH);
        let lanes = |map: &[f64]| Wide(patch_lanes(map, plan.shape, pixel, 0.0)) * scale;
        let model = lanes(&plan.sums.model);
        let holes = if plan.sums.hole_model.is_empty() { Wide::ZERO } else { lanes(&plan.sums.hole_model) };

        let c_bound = c_bound(plan, data, at);
        let mut at_zero = AtZero::ZERO;
        let mut wing = None;
        let bins = || data.patch_bins(at.1, plan.window().1);
        match source {
            Source::Moments { moments, table } => {
                scratch.list.clear();
                at_zero.add(moments);
                wing = Some(Wing::new(*moments, c_bound, table));
            }
            Source::Core { moments, limit, table } => {
                let mut moments = *moments;
                at_zero = build_core::<V>(plan, data, at, limit, scratch, &mut moments);
                at_zero.add(&moments);
                wing = Some(Wing::new(moments, f64::from(limit).min(c_bound), table));
            }
            Source::List { wing_limit } if wing_limit > 0.0 => {
                let moments;
                (at_zero, moments) = build_with_wing::<V>(plan, bins(), at.1, wing_limit, &mut scratch.list);
                at_zero.add(&moments);
                wing = Some(Wing::new(moments, f64::from(wing_limit).min(c_bound), &SIX));
            }
            Source::List { .. } => at_zero = build::<V>(plan, bins(), at.1, &mut scratch.list),
        }
        scratch.truncated.clear();
        let active = wanted.and(model.over(0.0));
        let fitted = active.and(at_zero.s1.over(0.0));
        let equal = equal_bins(&at_zero, fitted);
        let single = if equal.any() { single_bins(equal, &scratch.list) } else { equal };
        let filled = Wide(patch_lanes(&plan.sums.boxes.filled, plan.shape, pixel, 0.0));
        let patch = Self {
            plan,
            tile,
            at,
            active,
            fitted,
            single,
            maybe_single: equal.and(filled.under(MOST_FILLED_SINGLE)).any(),
            wing,
            model: model.where_or(active, Wide::splat(1.0)),
            holes,
            scale: Wide::splat(scale),
            per_tile: Wide::splat(1.0),
            c_max: at_zero.c_max,
            c_bound,
            lowest: None,
        };
        (patch, AtZeroSums(at_zero))
    }

    /// True where some lane of `lanes` may predict negative counts in a bin at `norm`.
    #[inline(always)]
    pub fn may_be_negative(&self, norm: Wide, lanes: Mask) -> bool {
        let lowest = (norm * self.per_tile).only(lanes).lowest();
        lowest < 0.0 && (1.0 + lowest * self.c_bound <= 0.0 || self.holes.over(0.0).any())
    }

    /// The bound npred ≥ 0 of each lane.
    #[inline(always)]
    pub fn lowest_norm<V: Simd>(&mut self, data: &TileData) -> Wide {
        if let Some(lowest) = self.lowest {
            return lowest;
        }
        let lowest = lowest_norm::<V>(self.plan, data, self.at, self.active) / self.per_tile;
        let lowest = Wide::ZERO.where_or(self.holes.over(0.0), lowest).rounded();
        self.lowest = Some(lowest);
        lowest
    }

    /// Finds the norm of each lane and moves the list there.
    #[inline(always)]
    pub fn norm<V: Simd>(
        &mut self,
        data: &TileData,
        list: &mut BinList,
        at_zero: &AtZeroSums,
        starts: &Starts,
    ) -> Norm {
        let at_zero = &at_zero.0;
        let (model, fitted) = (self.model, self.fitted);
        let pole = at_zero.c_max.at_least(1e-30).map(|c| -1.0 / c);
        // Right of the last pole by what its counts alone ask for, and never where single precision is lost.
        let above_pole = pole + model.recip() * (0.999 * f64::from(data.counts_min).min(1e30));
        let closest = pole * (1.0 - CLOSEST_POLE);
        let mut lower = closest.max(above_pole);
        if let Some(wing) = &self.wing {
            lower = lower.at_least(wing.lower());
        }

        let guess = one_pole_step(at_zero.s1 - model, at_zero.s2, at_zero.s3, model);
        let root_q = at_zero.s2.at_least(TINY).sqrt();
        let mut x = (guess + starts.norm() / root_q).max(lower).only(fitted);
        if self.may_be_negative(x, self.active) || fitted.not().and(self.active).any() {
            x = x.max(self.lowest_norm::<V>(data));
        }
        let kept = self.keep_guess::<V>(data, list, lower, &mut x);
        let free = fitted.and(kept.lanes.not());

        let mut passes = 0;
        let most = MOST_PASSES.min(self.plan.settings.max_niter);
        let (mut at, mut step);
        loop {
            passes += 1;
            x = x.rounded();
            at = self.sums::<V>(list, x);
            let mut next = (x + one_pole_step(at.p - model, at.q, at.r, model)).max(lower);
            if self.lowest.is_none() && self.may_be_negative(next, free) {
                self.lowest_norm::<V>(data);
            }
            if let Some(lowest) = self.lowest {
                next = next.max(lowest);
            }
            step = (next - x).only(free);
            if (step.abs() * at.q.sqrt()).highest() < LAST_STEP || passes >= most {
                break;
            }
            x = x + step;
        }
        let settled = (step.abs() * at.q.sqrt()).under(LAST_STEP);

        let base = (x + step).rounded();
        let likelihood = taylor(&at, base - x) - base * model;
        let mut moved = move_to::<V>(list, base.to_lanes());
        let wing = self.wing.as_ref().map_or(Sums::ZERO, |wing| wing.sums(base));
        moved.p = moved.p + wing.p;
        moved.q = moved.q + wing.q;
        moved.r = moved.r + wing.r;
        let excess = moved.p - model;
        let mut rest = one_pole_step(excess, moved.q, moved.r, model).only(free);
        let mut at_bound = fitted.not().and(self.active);
        if let Some(lowest) = self.lowest {
            let below = (lowest + lowest.abs() * 1e-12).above(base + rest).and(free);
            rest = (lowest - base).where_or(below, rest);
            at_bound = at_bound.or(below);
        }
        let found = free.and(at_bound.not()).and(settled);
        let correction = ((base + rest - guess) * root_q).only(found);
        let offset = (excess * rest).at_least(0.0).only(at_bound.not());
        let lost = closest.above(base - base.abs() * 1e-6).and(free);
        let jumped = (rest.abs() * moved.q.sqrt()).over(2.0 * LAST_STEP).and(free);
        Norm {
            base,
            rest,
            moved,
            wing,
            ts: likelihood * 2.0 + offset,
            offset,
            at_bound: at_bound.and(kept.lanes.not()),
            kept: kept.lanes,
            failed: settled.not().and(free).or(lost).or(jumped).or(kept.unclear),
            passes,
            correction,
        }
    }

    /// Fitted lanes whose sums single precision does not hold: rounded terms of P, or of L and `x M`, show in norm or TS, or
    /// cubes vanish.
    #[inline(always)]
    pub fn rough(&self, norm: &Norm) -> Mask {
        let (p, q) = (norm.moved.p, norm.moved.q);
        let best = norm.base + norm.rest;
        // Next to a pole a rounding of c is one of its difference from 1 / x.
        let amplified = p * (best.abs() * norm.moved.u_max + 1.0);
        let shift = amplified / q.sqrt().max((self.model - p).abs());
        let linear = best * self.model;
        let terms = linear.abs() + (norm.ts * 0.5 + linear).abs();
        let shown = terms / norm.ts.abs().sqrt().at_least(0.05);
        let good = shift.under(MOST_ROUNDED).and(shown.under(MOST_ROUNDED)).and((q - p * LEAST_U).over(0.0));
        self.fitted.and(good.not())
    }

    /// Lanes at a bound that is not known as closely as their upper error.
    #[inline(always)]
    pub fn rough_bound(&self, norm: &Norm, up: Wide) -> Mask {
        let Some(lowest) = self.lowest else { return Mask::none() };
        let bound = norm.at_bound.or(self.fitted.not()).and(self.active);
        bound.and((lowest.abs() * BOUND_ROUNDING - up * MOST_BOUND_ERROR).over(0.0))
    }

    /// The sums at `x` over list and wing.
    #[inline(always)]
    fn sums<V: Simd>(&self, list: &BinList, x: Wide) -> Sums {
        let factors = factors_of((x * self.c_max).highest());
        let mut sums = sums::<V>(list, factors, x.to_lanes());
        if let Some(wing) = &self.wing {
            let wing = wing.sums(x);
            sums.l = sums.l + wing.l;
            sums.p = sums.p + wing.p;
            sums.q = sums.q + wing.q;
            sums.r = sums.r + wing.r;
        }
        sums
    }

    /// Norms that were looked at by all fitted lanes.
    #[inline(always)]
    pub fn reach(&self, norm: &Norm, errors: &super::errors::Errors) -> Reach {
        let best = norm.base + norm.rest;
        let high = errors.up.max(errors.limit).at_least(0.0) + best;
        let low = best - errors.down.at_least(0.0);
        let high = high.max(norm.base).only(self.fitted).highest();
        Reach { high: high.max(0.0), low: -low.min(norm.base).only(self.fitted).lowest().min(0.0) }
    }

    /// Whether the sums of this attempt hold.
    #[inline(always)]
    pub fn holds(&self, reach: Reach) -> bool {
        self.wing.as_ref().is_none_or(|wing| wing.covers(reach) && !self.maybe_single)
    }

    /// Which lanes keep the first guess because of the threshold; their `x` becomes the guess.
    #[inline(always)]
    fn keep_guess<V: Simd>(&mut self, data: &TileData, list: &BinList, lower: Wide, x: &mut Wide) -> Kept {
        let (Some(guess), Some(threshold)) = (&self.plan.guess, self.plan.settings.threshold) else {
            return Kept { lanes: Mask::none(), unclear: Mask::none() };
        };
        let pixel = (self.tile.rows.start + self.at.0 * PATCH, self.tile.columns.start + self.at.1 * PATCH);
        let guess = Wide(patch_lanes(guess, self.plan.shape, pixel, f64::NAN)) / self.scale;
        let given = Mask::from_fn(|lane| guess.0[lane].is_finite()).and(self.active);
        let at = guess.where_or(given, Wide::ZERO).rounded();
        let mut clear = at.above(lower).and(self.fitted);
        if self.may_be_negative(at, given) {
            clear = clear.and(at.above(self.lowest_norm::<V>(data)));
        }
        let tested = given.and(clear);
        let at = at.only(tested);
        let ts = (self.sums::<V>(list, at).l - at * self.model) * 2.0;
        let lanes = tested.and(ts.over(threshold).not());
        *x = at.where_or(lanes, *x);
        Kept { lanes, unclear: given.and(clear.not()) }
    }
}

/// Sums at norm 0: made by [`Patch::new`], used by [`Patch::norm`].
pub struct AtZeroSums(AtZero);

struct Kept {
    lanes: Mask,
    /// Lanes whose guess single precision cannot judge.
    unclear: Mask,
}

/// Step to the root of P = M by fitting `A / (1 + B d) + C` to P, Q and R; `excess` is P - M. Where that has no root,
/// Newton's step on 1/P, which is concave and hence safe.
#[inline(always)]
pub fn one_pole_step(excess: Wide, q: Wide, r: Wide, model: Wide) -> Wide {
    let (q, r) = (q.at_least(TINY), r.at_least(TINY));
    let peak = q * q / r;
    let rest = peak - excess;
    let pole_step = excess * q / (rest * r);
    let newton = excess * (excess + model) / (model * q);
    pole_step.where_or((rest - peak * 0.02).over(0.0), newton)
}

/// L at a small step d from where the sums were taken.
#[inline(always)]
fn taylor(at: &Sums, d: Wide) -> Wide {
    at.l + (at.p + (at.r * d * (2.0 / 3.0) - at.q) * d * 0.5) * d
}

/// Makes the list of the bins that a patch sees.
#[inline(always)]
fn build<V: Simd>(plan: &RunPlan<'_>, bins: &[StripBin], patch_column: usize, list: &mut BinList) -> AtZero {
    list.clear();
    list.ones.reserve(bins.len());
    list.others.reserve(bins.len());
    list.other_counts.reserve(bins.len());
    let mut at_zero = AtZero::ZERO;
    let first = (patch_column * PATCH) as u32;
    let mut c_max = V::zero();
    for chunk in bins.chunks(256) {
        let (mut s1, mut s2, mut s3) = (V::zero(), V::zero(), V::zero());
        for bin in chunk {
            let kernel = V::load(&plan.table[(bin.table_row + bin.column - first) as usize]);
            let c = V::splat(bin.ratio).mul(kernel);
            c_max = c_max.max(c);
            let nc = V::splat(bin.counts).mul(c);
            let nc2 = nc.mul(c);
            s1 = s1.add(nc);
            s2 = s2.add(nc2);
            s3 = nc2.mul_add(c, s3);
            list.push(c, bin.counts);
        }
        at_zero.s1.add_lanes(s1);
        at_zero.s2.add_lanes(s2);
        at_zero.s3.add_lanes(s3);
    }
    at_zero.c_max = Wide::from_lanes(c_max);
    at_zero
}

/// The same, with all bins up to `limit` as moments instead.
#[inline(always)]
fn build_with_wing<V: Simd>(
    plan: &RunPlan<'_>,
    bins: &[StripBin],
    patch_column: usize,
    limit: f32,
    list: &mut BinList,
) -> (AtZero, [Wide; TERMS]) {
    list.clear();
    let mut at_zero = AtZero::ZERO;
    let mut moments = [Wide::ZERO; TERMS];
    let first = (patch_column * PATCH) as u32;
    let mut c_max = V::zero();
    for chunk in bins.chunks(256) {
        let mut sums = [V::zero(); LIST_TERMS];
        let (mut s1, mut s2, mut s3) = (V::zero(), V::zero(), V::zero());
        for bin in chunk {
            let index = (bin.table_row + bin.column - first) as usize;
            let c = V::splat(bin.ratio).mul(V::load(&plan.table[index]));
            let mut power = V::splat(bin.counts).mul(c);
            if bin.ratio * plan.table_max[index] <= limit {
                sums[0] = sums[0].add(power);
                for sum in &mut sums[1..] {
                    power = power.mul(c);
                    *sum = sum.add(power);
                }
                continue;
            }
            c_max = c_max.max(c);
            s1 = s1.add(power);
            power = power.mul(c);
            s2 = s2.add(power);
            s3 = power.mul_add(c, s3);
            list.push(c, bin.counts);
        }
        for (moment, sum) in moments.iter_mut().zip(sums) {
            moment.add_lanes(sum);
        }
        at_zero.s1.add_lanes(s1);
        at_zero.s2.add_lanes(s2);
        at_zero.s3.add_lanes(s3);
    }
    at_zero.c_max = Wide::from_lanes(c_max);
    (at_zero, moments)
}

/// Lists the bins with c above `limit`, found in the planes of the tile themselves, and takes them out of the moments.
#[inline(always)]
fn build_core<V: Simd>(
    plan: &RunPlan<'_>,
    data: &TileData,
    at: (usize, usize),
    limit: f32,
    scratch: &mut PatchScratch,
    moments: &mut [Wide; TERMS],
) -> AtZero {
    let PatchScratch { list, found, .. } = scratch;
    list.clear();
    let mut at_zero = AtZero::ZERO;
    let mut c_max = V::zero();
    let stride = data.stride();
    for (p, plane) in plan.planes.iter().enumerate() {
        let bound = data.bound(p, at);
        if bound <= 0.0 {
            continue;
        }
        let least = limit / bound;
        let cells = &plane.cells[..plane.cells.partition_point(|cell| cell.largest > least)];
        let (ratios, counts) = (data.window_ratios(p, at), data.window_counts(p, at));
        let place = |cell: &Cell| cell.row as usize * stride + cell.column as usize;
        // Which cells hold such bins no processor can foresee: counted up without a branch.
        found.resize(cells.len().max(found.len()), 0);
        let mut bins = 0;
        for (i, cell) in cells.iter().enumerate() {
            let place = place(cell);
            found[bins] = i as u32;
            bins += usize::from((ratios[place] * cell.largest > limit) & (counts[place] > 0.0));
        }
        for chunk in found[..bins].chunks(256) {
            let mut sums = [V::zero(); TERMS];
            for i in chunk {
                let cell = &cells[*i as usize];
                let (ratio, n) = (ratios[place(cell)], counts[place(cell)]);
                let c = V::splat(ratio).mul(V::load(&plan.table[cell.index as usize]));
                c_max = c_max.max(c);
                let mut power = V::splat(n).mul(c);
                sums[0] = sums[0].add(power);
                for sum in &mut sums[1..] {
                    power = power.mul(c);
                    *sum = sum.add(power);
                }
                list.push(c, n);
            }
            at_zero.s1.add_lanes(sums[0]);
            at_zero.s2.add_lanes(sums[1]);
            at_zero.s3.add_lanes(sums[2]);
            for (moment, sum) in moments.iter_mut().zip(sums) {
                *moment = *moment - Wide::from_lanes(sum);
            }
        }
    }
    at_zero.c_max = Wide::from_lanes(c_max);
    at_zero
}

/// Upper bound of c over all bins that a patch sees.
#[inline(always)]
pub fn c_bound(plan: &RunPlan<'_>, data: &TileData, at: (usize, usize)) -> f64 {
    let bound = |p: usize| f64::from(data.bound(p, at)) * f64::from(plan.planes[p].kernel_max);
    (0..plan.planes.len()).map(bound).fold(0.0, f64::max) * (1.0 + 1e-6)
}

/// Lanes whose bins all have one c, as the sums tell: a single bin is among them.
#[inline(always)]
fn equal_bins(at_zero: &AtZero, fitted: Mask) -> Mask {
    let spread = at_zero.s1 * at_zero.s3 - at_zero.s2 * at_zero.s2 * (1.0 + 1e-4);
    spread.over(0.0).not().and(fitted)
}

/// Lanes with one bin that has counts and model, of those with equal bins.
#[inline(always)]
fn single_bins(equal: Mask, list: &BinList) -> Mask {
    let mut bins = [0u32; LANES];
    for c in list.ones.iter().chain(&list.others) {
        for (bins, c) in bins.iter_mut().zip(c.0) {
            *bins += u32::from(c > 0.0);
        }
    }
    Mask::from_fn(|lane| bins[lane] == 1).and(equal)
}
