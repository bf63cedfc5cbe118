//! Fits of a patch in double precision, for windows that single precision cannot hold: many counts (rounded terms of
//! their sums weigh more than their Poisson error), backgrounds that differ by many orders of magnitude, terms that
//! vanish. Norm and TS come from sums in double precision; errors and limits, which are sums of positive terms, from the
//! usual passes in units of the pixel's own sigma.

use super::dense::lowest_norm;
use super::errors::errors;
use super::fit_tile::describe;
use super::passes::{Moved, Sums};
use super::patch::{Norm, Patch, PatchScratch, c_bound, one_pole_step};
use super::plan::{PATCH, RunPlan, patch_lanes};
use super::poles::{Fall, lower_errors};
use super::prepare::{is_hole, power_of_two_below};
use super::simd::{LANES, Simd};
use super::starts::Starts;
use super::tile::{Tile, TileData, within};
use super::wide::{Mask, Wide};
use crate::kernels::ts_map::{TRUNCATION_VALUE, WindowFit};

/// Steps below this many sigmas, and this part of the distance from the pole, are the last: one more, cubically
/// convergent, is taken.
const LAST_STEP: f64 = 1e-6;
const LAST_PART: f64 = 1e-4;
/// Bound on passes; pixels that need more go to the reference.
const MOST_PASSES: u32 = 80;
/// Closest that `1 + x c` may come to 0.
const CLOSEST_POLE: f64 = 1e-9;

/// Bins with counts of a patch.
#[derive(Default)]
pub struct DoubleScratch {
    /// `m / b` of each lane.
    c: Vec<Wide>,
    pub counts: Vec<f64>,
    backgrounds: Vec<f64>,
    /// `u = c / (1 + x c)` at the norm, in units of the patch.
    pub u: Vec<Wide>,
    /// Least that predicted counts may be, over those at the norm.
    pub floors: Vec<Wide>,
    fall: Fall,
}

/// What the gathering of bins finds.
struct Found {
    /// Lanes that see counts without background: only the reference knows what to do with them.
    holes: Mask,
    /// Sum of the counts that each lane has model for, and the number of their bins.
    counts: Wide,
    bins: Wide,
    c_max: Wide,
}

/// Fits the lanes of `wanted`; returns them with those that did not work out, lanes without counts among them.
#[inline(always)]
pub fn fit_double<V: Simd>(
    plan: &RunPlan<'_>,
    tile: &Tile,
    at: (usize, usize),
    wanted: Mask,
    data: &mut TileData,
    scratch: &mut PatchScratch,
    double: &mut DoubleScratch,
) -> ([WindowFit; LANES], Mask) {
    let pixel = (tile.rows.start + at.0 * PATCH, tile.columns.start + at.1 * PATCH);
    let lanes = |map: &[f64]| Wide(patch_lanes(map, plan.shape, pixel, 0.0));
    let model = lanes(&plan.sums.model);
    let found = gather(plan, pixel, double);
    let fitted = wanted.and(model.over(0.0)).and(found.counts.over(0.0)).and(found.holes.not());
    if !fitted.any() {
        return ([WindowFit::MASKED; LANES], wanted);
    }

    // The norm is at most as far above the last pole as if all counts stood there: that is the unit.
    let unit = Wide(std::array::from_fn(|lane| {
        if fitted.get(lane) { power_of_two_below(found.counts.0[lane] / model.0[lane]) } else { 1.0 }
    }));
    for c in &mut double.c {
        *c = *c * unit;
    }
    let one = Wide::splat(1.0);
    let model = (model * unit).where_or(fitted, one);
    let per_tile = unit * (1.0 / (plan.norm_scale * data.scale));
    let c_max = found.c_max * unit;
    let pole = c_max.where_or(fitted, one).map(|c| -1.0 / c);
    let holes = if plan.sums.hole_model.is_empty() { Wide::ZERO } else { lanes(&plan.sums.hole_model) * unit };
    let lowest = Wide::ZERO.where_or(holes.over(0.0), lowest_norm::<V>(plan, data, at, fitted) / per_tile);

    let mut low = pole + double.counts_at(c_max) / model;
    let mut high = (pole + found.counts / model).max(low);
    let (floor, ceiling) = (low, high);
    let mut x = Wide::ZERO.max(low).min(high);
    let (mut kept, mut unclear) = (Mask::none(), Mask::none());
    let mut kept_at = Wide::ZERO;
    if let (Some(guess), Some(threshold)) = (&plan.guess, plan.settings.threshold) {
        let guess = Wide(patch_lanes(guess, plan.shape, pixel, f64::NAN)) / unit;
        let given = Mask::from_fn(|lane| guess.0[lane].is_finite()).and(fitted);
        kept_at = guess.where_or(given, Wide::ZERO);
        let clear = kept_at.above(lowest).and(kept_at.above(pole * (1.0 - CLOSEST_POLE)));
        kept_at = kept_at.only(given.and(clear));
        let kept_ts = (double.logarithms(kept_at) - kept_at * model) * 2.0;
        kept = given.and(clear).and(kept_ts.over(threshold).not());
        unclear = given.and(clear.not());
    }

    let free = fitted.and(kept.not());
    let mut open = free;
    let mut passes = 0;
    while open.any() && passes < MOST_PASSES.min(plan.settings.max_niter) {
        passes += 1;
        let at = double.sums(x);
        let below = at.p.above(model);
        low = x.where_or(below, low);
        high = x.where_or(below.not(), high);
        let step = one_pole_step(at.p - model, at.q, at.r, model);
        let next = x + step;
        let last = (step.abs() * at.q.sqrt()).under(LAST_STEP).and((step.abs() / (x - pole)).under(LAST_PART));
        // Outside of what is known: half the way, in orders of magnitude of the distance from the pole.
        let middle = pole + ((low - pole) * (high - pole)).at_least(0.0).sqrt();
        let inside = next.above(low).and(high.above(next)).or(last);
        let next = next.where_or(inside, middle).max(floor).min(ceiling);
        // Where the bracket is closed there is nothing left to find.
        let closed = (high - low - (high - pole).abs() * 1e-14).over(0.0).not();
        x = next.where_or(open, x);
        open = open.and(last.or(closed).not());
    }
    let below = (lowest + lowest.abs() * 1e-12).above(x).and(free);
    x = lowest.where_or(below, x);
    x = kept_at.where_or(kept, x);
    let lost = (pole * (1.0 - CLOSEST_POLE)).above(x).and(fitted);
    let x = x.only(fitted.and(lost.not()));
    let ts = ((double.logarithms(x) - x * model) * 2.0).only(fitted);

    // Displacements from the norm are of the order of sigma.
    let here = double.sums(x);
    let sigma = here.q.where_or(fitted, one).map(|q| power_of_two_below(1.0 / q.sqrt()));
    scratch.list.clear();
    scratch.truncated.clear();
    let (mut p_ones, mut u_max) = (Wide::ZERO, Wide::ZERO);
    double.u.clear();
    double.floors.clear();
    for ((c, n), b) in double.c.iter().zip(&double.counts).zip(&double.backgrounds) {
        let share = x * *c + 1.0;
        let u = (*c * sigma / share).only(fitted);
        double.u.push(u);
        double.floors.push((share * *b).recip() * TRUNCATION_VALUE);
        let u = u.rounded();
        scratch.list.push(u.to_lanes::<V>(), *n as f32);
        u_max = u_max.max(u);
        if *n == 1.0 {
            p_ones = p_ones + u;
        }
    }
    let sloped = below.or(kept);
    let model = model * sigma;
    let moved = Moved {
        p: (here.p * sigma).where_or(sloped, model),
        q: here.q * sigma * sigma,
        r: here.r * sigma * sigma * sigma,
        p_ones,
        u_max,
    };
    let norm = Norm {
        base: x / sigma,
        rest: Wide::ZERO,
        moved,
        wing: Sums::ZERO,
        ts,
        offset: Wide::ZERO,
        at_bound: below,
        kept,
        failed: open.or(lost).or(unclear),
        passes,
        correction: Wide::ZERO,
    };
    let mut patch = Patch {
        plan,
        tile,
        at,
        active: fitted,
        fitted,
        single: found.bins.under(1.5).and(fitted),
        maybe_single: false,
        wing: None,
        model,
        holes: holes * sigma,
        scale: unit * sigma,
        per_tile: per_tile * sigma,
        c_max: u_max,
        c_bound: c_bound(plan, data, at),
        lowest: Some(lowest / sigma),
    };
    let mut errors = errors::<V>(&mut patch, data, scratch, &norm, &Starts::default());
    let mut failed_down = errors.failed_down.and(fitted).and(norm.failed.not());
    if failed_down.any() {
        let sigma = norm.moved.q.sqrt().recip() * plan.settings.n_sigma;
        let target = plan.settings.n_sigma * plan.settings.n_sigma;
        let searched = failed_down;
        let mut fall = std::mem::take(&mut double.fall);
        let (down, lost) = lower_errors(&patch, (&*double, &mut fall), pixel, norm.base, (sigma, target), searched);
        double.fall = fall;
        errors.down = down.where_or(searched, errors.down);
        failed_down = lost;
    }
    if errors.far.any() {
        let settings = &plan.settings;
        let gap = (patch.model - norm.moved.p).only(sloped);
        errors.up = double.closer(errors.up, gap, settings.n_sigma).where_or(errors.far, errors.up);
        errors.limit = double.closer(errors.limit, gap, settings.n_sigma_ul).where_or(errors.far, errors.limit);
    }
    let rough = patch.rough_bound(&norm, errors.up);
    let failed = norm.failed.or(errors.failed).or(rough).or(failed_down).or(fitted.not()).and(wanted);
    (describe(&mut patch, data, pixel, fitted, &norm, &errors), failed)
}

/// Lists the bins with counts that the patch at `pixel` sees, in the units of the run.
#[inline(always)]
fn gather(plan: &RunPlan<'_>, pixel: (usize, usize), double: &mut DoubleScratch) -> Found {
    double.c.clear();
    double.counts.clear();
    double.backgrounds.clear();
    let (hy, hx) = plan.half;
    let rows = pixel.0.saturating_sub(hy)..plan.shape.0.min(pixel.0 + PATCH + hy);
    let columns = pixel.1.saturating_sub(hx)..plan.shape.1.min(pixel.1 + PATCH + hx);
    let mut found = Found { holes: Mask::none(), counts: Wide::ZERO, bins: Wide::ZERO, c_max: Wide::ZERO };
    for plane in &plan.planes {
        let mut bin = |y: usize, x: usize| {
            let kernel = plane.kernel_at((y, x), pixel);
            let background = plane.background.at(y, x);
            let seen = kernel.over(0.0);
            if is_hole(background) {
                found.holes = found.holes.or(seen);
                return;
            }
            let counts = plane.counts.at(y, x);
            let c = kernel * (plane.exposure.at(y, x) / background);
            found.counts = found.counts + Wide::splat(counts).only(seen);
            found.bins = found.bins + Wide::splat(1.0).only(seen);
            found.c_max = found.c_max.max(c);
            double.c.push(c);
            double.counts.push(counts);
            double.backgrounds.push(background);
        };
        for y in rows.clone() {
            for i in within(&plane.bins.columns, plane.bins.starts[y]..plane.bins.starts[y + 1], &columns) {
                bin(y, plane.bins.columns[i] as usize);
            }
        }
        let first = plane.bins.awkward.partition_point(|(y, _)| (*y as usize) < rows.start);
        let awkward = plane.bins.awkward[first..].iter().map(|(y, x)| (*y as usize, *x as usize));
        for (y, x) in awkward.take_while(|(y, _)| *y < rows.end).filter(|(_, x)| columns.contains(x)) {
            bin(y, x);
        }
    }
    found
}

impl DoubleScratch {
    /// P, Q and R at `x`; no L.
    #[inline(always)]
    fn sums(&self, x: Wide) -> Sums {
        let mut sums = Sums::ZERO;
        for (c, n) in self.c.iter().zip(&self.counts) {
            let u = *c / (x * *c + 1.0);
            let nu = u * *n;
            let nu2 = nu * u;
            sums.p = sums.p + nu;
            sums.q = sums.q + nu2;
            sums.r = sums.r + nu2 * u;
        }
        sums
    }

    /// L at `x`.
    #[inline(always)]
    fn logarithms(&self, x: Wide) -> Wide {
        let mut sum = Wide::ZERO;
        for (c, n) in self.c.iter().zip(&self.counts) {
            sum = sum + (x * *c).map(ln_1p) * *n;
        }
        sum
    }

    /// A displacement up from the norm, known in single precision, after a Newton step in double: to where the statistic
    /// has risen by n_sigma². `gap`: M - P at the norm.
    #[inline(always)]
    fn closer(&self, up: Wide, gap: Wide, n_sigma: f64) -> Wide {
        let (mut half, mut slope) = (up * gap, gap);
        for (u, n) in self.u.iter().zip(&self.counts) {
            let t = up * *u;
            half = half + (t - t.map(ln_1p)) * *n;
            slope = slope + *u * t / (t + 1.0) * *n;
        }
        up - (half - 0.5 * n_sigma * n_sigma) / slope
    }

    /// Counts in the bins with the largest c of each lane: where that is 0, all of them.
    #[inline(always)]
    fn counts_at(&self, c_max: Wide) -> Wide {
        let mut sum = Wide::ZERO;
        for (c, n) in self.c.iter().zip(&self.counts) {
            sum = sum + Wide::splat(*n).only(c_max.above(*c).not());
        }
        sum
    }
}

/// ln(1 + t) to about 1e-15, t > -1.
#[inline(always)]
fn ln_1p(t: f64) -> f64 {
    ln_of(1.0 + t, t)
}

/// ln(one) to about 1e-15; `rest` is `one - 1` with all digits. Without branches, so that it becomes vectors.
#[inline(always)]
pub fn ln_of(one: f64, rest: f64) -> f64 {
    /// Bits of 0.75: subtracting them leaves the exponent of a mantissa in [0.75, 1.5).
    const THREE_QUARTERS: u64 = 0x3fe8_0000_0000_0000;
    let bits = one.to_bits();
    let shift = (bits.wrapping_sub(THREE_QUARTERS) as i64) >> 52;
    let mantissa = f64::from_bits(bits.wrapping_sub((shift << 52) as u64));
    let z = if shift == 0 { rest } else { mantissa - 1.0 };
    // ln(1 + z) = 2 artanh(s), |s| ≤ 0.2.
    let s = z / (2.0 + z);
    let s2 = s * s;
    let mut sum = 1.0 / 21.0;
    for k in (0..10).rev() {
        sum = sum * s2 + 1.0 / f64::from(2 * k + 1);
    }
    shift as f64 * std::f64::consts::LN_2 + 2.0 * s * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_have_the_digits_of_the_library() {
        for k in -400..400 {
            let t = 1.21f64.powi(k);
            for t in [t, -t / (1.0 + 1.0001 * t), 0.3 * t] {
                let want = t.ln_1p();
                assert!((ln_1p(t) - want).abs() <= 2e-15 * want.abs() + 1e-16 / (1.0 + t), "{t}: {}", ln_1p(t));
            }
        }
    }
}
