//! Errors and limits of a patch: displacements d from the norm with a wanted rise of the statistic.
//!
//! With `u = m / mu` at the norm, `D(d) = 2 [d G + sum n (d u - ln(1 + d u))]`, `G = M - sum n u` (0 unless the norm is
//! at its bound): sums of positive terms, so single precision is enough however bright the window. Below the bound
//! npred ≥ 0 the truncated bins add to it.

use super::dense::truncation;
use super::passes::{BinList, Moved, Rise, factors_of, rises};
use super::patch::{Norm, Patch, PatchScratch};
use super::simd::Simd;
use super::starts::{Starts, factor};
use super::tile::TileData;
use super::wide::{Mask, Wide};

/// Steps below this many sigmas are the last: convergence is cubic.
const LAST_STEP: f64 = 0.03;
/// The same where npred is truncated, in sigmas and in distances from the pole: the statistic has kinks there.
const LAST_TRUNCATED_STEP: f64 = 0.005;
/// Steps below this many sigmas need no bracket, where the rise is that close to what is wanted, as a part of it.
const ARRIVED: f64 = 1e-3;
const ARRIVED_RISE: f64 = 0.01;
/// Closest that `1 + d u` may come to 0 in single precision; nearer, pixels are fitted in double. Products of
/// [`super::passes::FACTORS`] stay in range.
const CLOSEST_POLE: f64 = 3e-5;
/// Largest that the terms of a rise may be, where they cancel to about 1: their rounding is then 5e-4.
const LARGEST_TERMS: f64 = 2500.0;
/// Largest displacement up, in sigmas, whose rounding to single precision does not show: it is then 2e-4.
const FARTHEST: f64 = 1500.0;
/// Share of the way to the pole from which on the distance from it is the better variable.
const NEAR_POLE: f64 = 0.5;
/// Bound on passes; pixels that need more are fitted in double.
const MOST_PASSES: usize = 40;

/// Displacements, in units of the tile.
pub struct Errors {
    pub down: Wide,
    pub up: Wide,
    pub limit: Wide,
    /// Lanes that did not settle.
    pub failed: Mask,
    /// Lanes whose lower error did not.
    pub failed_down: Mask,
    /// Lanes whose upper error or limit is so many sigmas away that its rounding shows (counts are tiny parts of one).
    pub far: Mask,
    /// What the first guesses of the displacements from the norm had to be multiplied by.
    pub corrections: [Wide; 3],
}

const DOWN: usize = 0;
const UP: usize = 1;
const LIMIT: usize = 2;

/// Search of one displacement.
#[derive(Clone, Copy)]
struct Search {
    at: Wide,
    /// Square root of the wanted rise.
    wanted: Wide,
    /// Length of the last step.
    moved: Wide,
    open: Mask,
}

/// Finds all displacements that are asked for; lanes without counts get those of a linear statistic.
#[inline(always)]
pub fn errors<V: Simd>(
    patch: &mut Patch<'_, '_>,
    data: &mut TileData,
    scratch: &mut PatchScratch,
    norm: &Norm,
    starts: &Starts,
) -> Errors {
    let settings = &patch.plan.settings;
    let (n_sigma, n_sigma_ul) = (settings.n_sigma, settings.n_sigma_ul);
    let (asked_errors, asked_limit) = (settings.errn_errp, settings.ul);
    let lanes = patch.fitted.and(norm.failed.not());
    let gap = (patch.model - norm.moved.p).only(lanes);
    let q = norm.moved.q.where_or(lanes, Wide::splat(1.0)).at_least(1e-60);
    let sigma = q.sqrt().recip();
    let mut pole = norm.moved.u_max.at_least(1e-30).map(|u| -1.0 / u);
    if let Some(wing) = &patch.wing {
        pole = pole.max((Wide::splat(wing.lower()) - norm.base).at_most(-1e-30));
    }
    let sloped = norm.at_bound.or(norm.kept).and(lanes);

    let start = |n_sigma: f64, direction: f64| {
        let skew = norm.moved.r * sigma * sigma * sigma * (direction * n_sigma);
        let curved = sigma * effective_counts_series(skew) * (direction * n_sigma);
        let root = (gap * gap + q * (n_sigma * n_sigma)).sqrt();
        let quadratic = (root * direction - gap) / q;
        quadratic.where_or(sloped, curved)
    };
    let search = |n_sigma: f64, at: Wide, asked: bool| Search {
        at: at.only(lanes),
        wanted: (Wide::splat(n_sigma * n_sigma) - norm.offset).at_least(0.0).sqrt(),
        moved: Wide::splat(f64::INFINITY),
        open: if asked { lanes } else { Mask::none() },
    };
    // Where the statistic falls at first, the parabola knows nothing of the truncation that ends the fall.
    let falls = sloped.and(gap.over(0.0));
    let down = (-sigma * n_sigma).max(pole * 0.6).where_or(falls, start(n_sigma, -1.0)).max(pole * 0.9999);
    let guesses = [down, start(n_sigma, 1.0).max(sigma * 1e-6), start(n_sigma_ul, 1.0).max(sigma * 1e-6)];
    let [down, up, limit] = std::array::from_fn(|j| guesses[j] * starts.displacement(j));
    let mut searches = [
        search(n_sigma, down.max(pole * 0.9999), asked_errors),
        search(n_sigma, up, asked_errors),
        search(n_sigma_ul, limit, asked_limit),
    ];
    let (mut nearest, mut farthest) = (Wide::ZERO, pole);
    let mut terms = Wide::ZERO;

    for _ in 0..MOST_PASSES {
        let open: Vec3 = Vec3::of(searches.map(|search| search.open.any()));
        if open.count == 0 {
            break;
        }
        let mut found = evaluate::<V>(&scratch.list, &norm.moved, &searches, open);
        if let Some(wing) = &patch.wing {
            for (search, found) in searches.iter().zip(&mut found) {
                let added = wing.rise(&norm.wing, norm.base, search.at.rounded());
                found.value = found.value + added.value;
                found.slope = found.slope + added.slope;
                found.bend = found.bend + added.bend;
            }
        }
        for j in [UP, LIMIT] {
            if open.is[j] {
                step_up(&mut searches[j], &found[j], gap, sigma);
            }
        }
        if open.is[DOWN] {
            let y = norm.base + searches[DOWN].at;
            let mut cut = Mask::none();
            let mut rise = found[DOWN];
            terms = (searches[DOWN].at * gap).abs().where_or(searches[DOWN].open, terms);
            if patch.may_be_negative(y, searches[DOWN].open) {
                let lowest = patch.lowest_norm::<V>(data);
                cut = lowest.above(y).or(norm.at_bound).and(lanes);
                if lowest.above(y).and(searches[DOWN].open).any() {
                    let y = y.only(searches[DOWN].open);
                    let place = (patch.tile, patch.at);
                    let y = y * patch.per_tile;
                    let (value, slope) = truncation::<V>(patch.plan, data, place, &mut scratch.truncated, y);
                    // The background of the truncated bins, of which what is truncated may be a small part.
                    terms = terms + (y * slope).abs();
                    let slope = slope * patch.per_tile;
                    let below_zero = (-(norm.base + searches[DOWN].at))
                        .at_least(0.0)
                        .only(searches[DOWN].open)
                        .only(patch.holes.over(0.0));
                    terms = terms + value;
                    rise.value = rise.value + value + below_zero * patch.holes;
                    rise.slope = rise.slope - slope - patch.holes.only(below_zero.over(0.0));
                }
            }
            step_down(&mut searches[DOWN], &rise, gap, sigma, pole, cut, (&mut nearest, &mut farthest));
        }
    }

    let corrections = std::array::from_fn(|j| factor(searches[j].at, guesses[j], lanes.and(searches[j].open.not())));
    let far_up = (searches[UP].at.max(searches[LIMIT].at) * gap).abs().over(LARGEST_TERMS).and(norm.kept).and(lanes);
    let unsettled = searches[UP].open.or(searches[LIMIT].open);
    let at_pole = (searches[DOWN].at - pole * (1.0 - CLOSEST_POLE)).under(0.0).and(lanes);
    let cancelled = terms.over(LARGEST_TERMS).and(lanes);
    let at_pole = if asked_errors { at_pole.or(cancelled) } else { Mask::none() };
    let far = (searches[UP].at.max(searches[LIMIT].at) / sigma).over(FARTHEST).and(lanes);
    let linear = |n_sigma: f64| patch.model.recip() * (0.5 * n_sigma * n_sigma);
    Errors {
        down: (norm.rest - searches[DOWN].at).where_or(lanes, Wide::splat(f64::NAN)),
        up: (searches[UP].at - norm.rest).where_or(lanes, linear(n_sigma)),
        limit: (searches[LIMIT].at - norm.rest).where_or(lanes, linear(n_sigma_ul)),
        failed: unsettled.or(far_up),
        failed_down: searches[DOWN].open.or(at_pole),
        far,
        corrections,
    }
}

/// Which of the three searches go on.
#[derive(Clone, Copy)]
struct Vec3 {
    is: [bool; 3],
    count: usize,
}

impl Vec3 {
    fn of(is: [bool; 3]) -> Self {
        Self { is, count: is.iter().filter(|open| **open).count() }
    }
}

/// Rises at the points of the open searches: one pass for all of them.
#[inline(always)]
fn evaluate<V: Simd>(list: &BinList, moved: &Moved, searches: &[Search; 3], open: Vec3) -> [Rise; 3] {
    let farthest = searches[UP].at.max(searches[LIMIT].at) * moved.u_max;
    let factors = factors_of(farthest.highest());
    let p_ones = moved.p_ones;
    if open.count > 1 {
        return rises::<V, 3>(list, factors, p_ones, searches.map(|search| search.at));
    }
    let mut found = [Rise::ZERO; 3];
    for j in 0..3 {
        if open.is[j] {
            [found[j]] = rises::<V, 1>(list, factors, p_ones, [searches[j].at]);
        }
    }
    found
}

/// Halley's step on `sqrt(D) - wanted`; D, half its slope and half its bend at `at` are given.
#[inline(always)]
fn halley_root(at: Wide, half: Wide, slope: Wide, bend: Wide, wanted: Wide) -> Wide {
    let root = (half * 2.0).at_least(1e-20).sqrt();
    let first = slope / root;
    let second = (bend - first * first) / root;
    let miss = root - wanted;
    at - miss / (first - miss * second * 0.5 / first)
}

#[inline(always)]
fn step_up(search: &mut Search, rise: &Rise, gap: Wide, sigma: Wide) {
    let at = search.at.rounded();
    let (half, slope) = (at * gap + rise.value, gap + rise.slope);
    let next = halley_root(at, half, slope, rise.bend, search.wanted);
    // A norm below the best one (a first guess that is kept) has a dip to cross first: the square root knows no way out
    // of it, the statistic itself has.
    let dip = (search.wanted * search.wanted * 0.36 - half * 2.0).over(0.0);
    let newton = at - (half * 2.0 - search.wanted * search.wanted) / slope * 0.5;
    let out = newton.min(at * 4.0).where_or(slope.over(0.0), at * 1.6);
    let next = out.where_or(dip, next).max(at * 0.2);
    let far = ((next - at).abs() - sigma.min(next) * LAST_STEP).over(0.0);
    // A lane that has arrived stays: later steps for the sake of others would only cost, not harm.
    search.at = next.where_or(search.open, search.at);
    search.open = search.open.and(far.or(dip).or(finite(next).not()));
}

#[inline(always)]
fn step_down(
    search: &mut Search,
    rise: &Rise,
    gap: Wide,
    sigma: Wide,
    pole: Wide,
    cut: Mask,
    (nearest, farthest): (&mut Wide, &mut Wide),
) {
    let at = search.at.rounded();
    let (half, slope) = (at * gap + rise.value, gap + rise.slope);
    let miss = half * 2.0 - search.wanted * search.wanted;
    let beyond = miss.over(0.0);
    *farthest = at.where_or(beyond.and(search.open), *farthest);
    *nearest = at.where_or(beyond.not().and(search.open), *nearest);

    // Near a pole the logarithm of the distance z from it is the better variable: Halley's step on D - wanted² there.
    let z = at - pole;
    let first = slope * z * 2.0;
    let second = (rise.bend * z + slope) * z * 2.0;
    // Short of the root D may have a minimum, where Halley's step vanishes: Newton's there, which the bracket tames.
    let halley = (miss * second * 0.5 / first).only(beyond);
    let by_log = miss / (first - halley);
    let by_log = by_log.at_least(-1.8).at_most(1.8);
    let factor = (Wide::splat(2.0) - by_log) / (by_log + 2.0);
    let log = cut.or((pole * NEAR_POLE).above(at));
    let next = (pole + z * factor).where_or(log, halley_root(at, half, slope, rise.bend, search.wanted));

    // Steps that do not shrink may run in a circle between two kinks.
    let shrinks = (search.moved * 0.5).above((next - at).abs());
    // A start within rounding of the root is itself an end of the bracket: the root then lies on it, not between. Steps
    // are short in the dip of a first guess that is kept, too, where the rise is far from what is wanted.
    let scale = sigma.min(z).min(-at);
    let near = (search.wanted * search.wanted * ARRIVED_RISE - miss.abs()).over(0.0);
    let arrived = (scale * ARRIVED).above((next - at).abs()).and(near);
    let inside = next.above(*farthest).and(nearest.above(next)).and(shrinks).or(arrived);
    let next = next.where_or(inside, (*nearest + *farthest) * 0.5);
    let moved = (next - at).abs();
    search.moved = moved;
    let scale = sigma.min(z).min(-next);
    let far = (moved - scale * LAST_STEP).over(0.0);
    let far_cut = (moved - scale * LAST_TRUNCATED_STEP).over(0.0).and(cut);
    search.at = next.where_or(search.open, search.at);
    search.open = search.open.and(far.or(far_cut));
}

#[inline(always)]
fn finite(value: Wide) -> Mask {
    Mask::from_fn(|lane| value.0[lane].is_finite())
}

/// `z / u` of the solution z of `z - ln(1 + z) = u²/2`: a Poisson bin with N effective counts has u = s / sqrt(N).
#[inline(always)]
fn effective_counts_series(u: Wide) -> Wide {
    let u = u.at_least(-2.5).at_most(4.0);
    ((((u * (1.0 / 4320.0) - 1.0 / 270.0) * u + 1.0 / 36.0) * u + 1.0 / 3.0) * u + 1.0).at_least(0.05)
}
