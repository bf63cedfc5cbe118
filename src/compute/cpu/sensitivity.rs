//! The norm whose Asimov counts reach a wanted significance, sixteen pixels at a time.
//!
//! With `u = x c`, `c = m / b`: `TS(x) = 2 sum b [(1 + u) ln(1 + u) - u]` over all bins of the window, counts or not.
//! Bins with small u, which are most, enter as moments of c; the others are listed and summed with logarithms.

use super::patch::c_bound;
use super::plan::{PATCH, RunPlan, patch_lanes};
use super::prepare::power_of_two_below;
use super::simd::{Block, Simd};
use super::tile::{Tile, TileData};
use super::wide::{Mask, Wide};

/// Largest u that is expanded: the first term that is left out, u^6 / 30, is 5e-6 of the first.
const LARGEST_EXPANDED: f64 = 0.1;
/// How much farther than the norms of the last patch the expansion is made to hold.
const MARGIN: f64 = 1.25;
/// Rounds of widening before single lanes are left to double precision.
const MAX_ROUNDS: usize = 8;
/// Steps to the root; the significance is nearly linear in the norm, three or four do.
const MAX_STEPS: usize = 40;
const TOLERANCE: f64 = 1e-6;

/// Working memory, and what the last patch of the row of patches found.
#[derive(Default)]
pub struct SensitivityScratch {
    c: Vec<Block>,
    b: Vec<f32>,
    /// Largest norm of the last patch, times [`MARGIN`], in units of the tile.
    farthest: Option<f64>,
}

impl SensitivityScratch {
    /// Forgets the last patch: what was found must not depend on the order of tiles.
    pub fn start_row(&mut self) {
        self.farthest = None;
    }
}

/// Sums of `b c^k`, k = 2 to 5, over expanded bins.
struct Moments([Wide; 4]);

impl Moments {
    /// Half the TS and its derivative.
    #[inline(always)]
    fn at(&self, x: Wide) -> (Wide, Wide) {
        let [s2, s3, s4, s5] = self.0;
        let value = x * x * (s2 * 0.5 - x * (s3 * (1.0 / 6.0) - x * (s4 * (1.0 / 12.0) - x * s5 * 0.05)));
        let slope = x * (s2 - x * (s3 * 0.5 - x * (s4 * (1.0 / 3.0) - x * s5 * 0.25)));
        (value, slope)
    }

    /// Where `S2 x^2 / (1 + x S3 / (3 S2))` is `n_sigma^2`: the start of the search.
    #[inline(always)]
    fn guess(&self, n_sigma: f64) -> Wide {
        let [s2, s3, ..] = self.0;
        let target = n_sigma * n_sigma;
        let bend = s3 / s2 * (target / 3.0);
        (bend + (bend * bend + s2 * (4.0 * target)).sqrt()) / (s2 * 2.0)
    }
}

/// Norms in the units of the run for the lanes of `wanted`, and the lanes of these that need double precision.
#[inline(always)]
pub fn sensitivity<V: Simd>(
    plan: &RunPlan<'_>,
    data: &mut TileData,
    tile: &Tile,
    at: (usize, usize),
    wanted: Mask,
    scratch: &mut SensitivityScratch,
) -> (Wide, Mask) {
    let pixel = (tile.rows.start + at.0 * PATCH, tile.columns.start + at.1 * PATCH);
    let lanes = |map: &[f64]| Wide(patch_lanes(map, plan.shape, pixel, 0.0));
    let wanted = wanted.and(lanes(&plan.sums.model).over(0.0));
    let holes = if plan.sums.hole_model.is_empty() { Mask::none() } else { lanes(&plan.sums.hole_model).over(0.0) };
    let nan = Wide::splat(f64::NAN);
    let usual = wanted.and(holes.not());
    let bound = c_bound(plan, data, at);
    let usable = usual.any() && bound > 0.0 && bound.is_finite();
    if !usable {
        return (nan, wanted);
    }
    data.backgrounds(plan, tile);
    // Brings c to at most 1, also where no bin with counts has set the tile's scale.
    let scale = power_of_two_below(1.0 / bound);
    let unit = plan.norm_scale * data.scale * scale;
    let n_sigma = plan.settings.n_sigma_sensitivity;

    let mut farthest = match scratch.farthest {
        Some(farthest) => farthest / scale,
        None => {
            let all = collect::<V>(plan, data, at, scale as f32, f32::INFINITY, scratch);
            all.guess(n_sigma).only(usual).highest() * MARGIN
        }
    };
    for _ in 0..MAX_ROUNDS {
        let moments = collect::<V>(plan, data, at, scale as f32, (LARGEST_EXPANDED / farthest) as f32, scratch);
        let (x, settled) = solve::<V>(&moments, scratch, n_sigma, farthest / MARGIN, usual);
        let highest = x.only(settled).highest();
        if highest <= farthest || !settled.any() {
            scratch.farthest = Some(highest * MARGIN * scale).filter(|v| v.is_finite() && *v > 0.0);
            return ((x * unit).where_or(settled, nan), wanted.and(settled.not()));
        }
        farthest = highest * MARGIN;
    }
    (nan, wanted)
}

/// Moments of the bins whose c is at most `limit` in all lanes; the others go to the lists.
#[inline(always)]
fn collect<V: Simd>(
    plan: &RunPlan<'_>,
    data: &TileData,
    at: (usize, usize),
    scale: f32,
    limit: f32,
    scratch: &mut SensitivityScratch,
) -> Moments {
    let (rows, columns) = plan.window();
    let mut moments = Moments([Wide::ZERO; 4]);
    scratch.c.clear();
    scratch.b.clear();
    for (p, _) in plan.planes.iter().enumerate().filter(|(p, _)| data.bound(*p, at) > 0.0) {
        let (ratios, backgrounds) = (data.window_ratios(p, at), data.window_backgrounds(p, at));
        for row in 0..rows {
            let first = row * data.stride();
            let (ratios, backgrounds) = (&ratios[first..first + columns], &backgrounds[first..first + columns]);
            let table_row = (p * rows + row) * columns;
            let table = &plan.table[table_row..table_row + columns];
            let largest = &plan.table_max[table_row..table_row + columns];
            let mut sums = [V::zero(); 4];
            for (((ratio, b), table), largest) in ratios.iter().zip(backgrounds).zip(table).zip(largest) {
                let ratio = ratio * scale;
                let c = V::splat(ratio).mul(V::load(table));
                if ratio * largest > limit {
                    let mut block = Block::ZERO;
                    c.store(&mut block);
                    scratch.c.push(block);
                    scratch.b.push(*b);
                    continue;
                }
                let mut power = c.mul(V::splat(*b));
                for sum in &mut sums {
                    *sum = power.mul_add(c, *sum);
                    power = power.mul(c);
                }
            }
            for (total, sum) in moments.0.iter_mut().zip(sums) {
                total.add_lanes(sum);
            }
        }
    }
    moments
}

/// Newton's steps on the significance, which is concave: they rise to the root from below. Returns the lanes that
/// settled.
#[inline(always)]
fn solve<V: Simd>(
    moments: &Moments,
    scratch: &SensitivityScratch,
    n_sigma: f64,
    start: f64,
    wanted: Mask,
) -> (Wide, Mask) {
    let mut x = Wide::splat(start);
    let mut open = wanted;
    for _ in 0..MAX_STEPS {
        let (mut value, mut slope) = moments.at(x);
        let lanes: V = x.to_lanes();
        for (c, b) in scratch.c.chunks(64).zip(scratch.b.chunks(64)) {
            let (mut v, mut s) = (V::zero(), V::zero());
            for (c, b) in c.iter().zip(b) {
                let (c, b) = (V::load(c), V::splat(*b));
                let u = lanes.mul(c);
                let (log, rest) = u.ln_1p_and_rest();
                // (1 + u) ln(1 + u) - u
                v = u.mul(log).sub(rest).mul_add(b, v);
                s = c.mul(log).mul_add(b, s);
            }
            value.add_lanes(v);
            slope.add_lanes(s);
        }
        let root = (value * 2.0).sqrt();
        let next = x + (Wide::splat(n_sigma) - root) * root / slope;
        // A start far above the root must not lead below 0.
        let next = next.max(x * 0.125);
        let moving = (next - x).abs().above(x * TOLERANCE);
        x = next;
        open = wanted.and(Mask::from_fn(|lane| moving.get(lane) || !x.0[lane].is_finite()));
        if !open.any() {
            break;
        }
    }
    (x, wanted.and(open.not()))
}
