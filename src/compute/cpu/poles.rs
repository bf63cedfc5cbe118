//! Lower errors beyond what single precision can follow: next to the pole of a bin with counts, or past poles, as where
//! counts are fractions of one and the rise of the statistic at each pole is small.
//!
//! Past its pole a bin's predicted counts are truncated, so the statistic jumps there to a finite height and goes on. The
//! poles are looked at one after the other, as in the reference twin, sixteen pixels at a time and in double precision.

use super::dense::{Truncated, truncation};
use super::double::{DoubleScratch, ln_of};
use super::patch::Patch;
use super::simd::{LANES, Simd};
use super::tile::TileData;
use super::wide::{Mask, Wide};

/// Poles that are visited one by one; farther out the search walks in growing steps (as the twin does).
const MOST_POLES: usize = 64;
/// Steps of the walk.
const MOST_STEPS: usize = 200;
/// Bound on all of them together.
const MOST_ROUNDS: usize = 400;
/// Width of the bracket, in sigmas, at which a distance is known.
const WIDTH: f64 = 1e-4;
/// Largest truncated counts that single precision may sum: their rounding is then 5e-4.
const MOST_TRUNCATED: f64 = 2500.0;

/// Where the search of a lane is.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// At a pole, by number.
    Pole(usize),
    /// Beyond the poles, after so many steps.
    Walk(usize),
    /// Just before the far end of a bracket: mostly the rise is the pole's own, and then that is the answer.
    Beside,
    /// Between two distances.
    Close,
    Done,
}

/// Distances down to the nearest rise of `target`, in units of the patch, and the lanes for which that was not found.
/// `gap`: M - P at the norm; `sigma`: error of the curvature.
#[inline(always)]
pub fn lower_errors<V: Simd>(
    patch: &Patch<'_, '_>,
    data: &mut TileData,
    (bins, truncated): (&DoubleScratch, &mut Truncated),
    base: Wide,
    (gap, sigma, target): (Wide, Wide, f64),
    lanes: Mask,
) -> (Wide, Mask) {
    let poles: [Vec<f64>; LANES] =
        std::array::from_fn(|lane| if lanes.get(lane) { bins.pole_distances(lane, MOST_POLES) } else { Vec::new() });
    let mut phase = [Phase::Done; LANES];
    let (mut near, mut far) = (Wide::ZERO, Wide::ZERO);
    let mut lost = Mask::none();
    for lane in (0..LANES).filter(|lane| lanes.get(*lane)) {
        (phase[lane], far.0[lane]) = after_pole(&poles[lane], 0, 0.0, sigma.0[lane]);
    }
    for _ in 0..MOST_ROUNDS {
        if phase.iter().all(|phase| *phase == Phase::Done) {
            break;
        }
        let at = Wide(std::array::from_fn(|lane| match phase[lane] {
            Phase::Pole(_) | Phase::Walk(_) => past(far.0[lane]),
            Phase::Beside => (far.0[lane] - 0.9 * width(sigma.0[lane], far.0[lane])).max(near.0[lane]),
            Phase::Close => 0.5 * (near.0[lane] + far.0[lane]),
            Phase::Done => 0.0,
        }));
        let open = Mask::from_fn(|lane| phase[lane] != Phase::Done);
        let (below_zero, norm) = ((at - base).at_least(0.0).only(open), (base - at).only(open));
        let place = (patch.tile, patch.at);
        let (cut, _) = truncation::<V>(patch.plan, data, place, truncated, norm * patch.per_tile);
        lost = lost.or(cut.over(MOST_TRUNCATED).and(open));
        let rise = (bins.rise(at) - at * gap + cut + below_zero * patch.holes) * 2.0;
        for lane in 0..LANES {
            let reached = rise.0[lane] >= target;
            phase[lane] = match phase[lane] {
                Phase::Done => Phase::Done,
                _ if lost.get(lane) => Phase::Done,
                Phase::Beside | Phase::Close => {
                    if reached {
                        far.0[lane] = at.0[lane]
                    } else {
                        near.0[lane] = at.0[lane]
                    }
                    Phase::Close
                }
                Phase::Pole(_) | Phase::Walk(_) if reached => Phase::Beside,
                Phase::Pole(number) => {
                    near.0[lane] = far.0[lane];
                    let (next, distance) = after_pole(&poles[lane], number + 1, near.0[lane], sigma.0[lane]);
                    far.0[lane] = distance;
                    next
                }
                Phase::Walk(steps) => {
                    near.0[lane] = far.0[lane];
                    far.0[lane] *= 1.5;
                    if steps < MOST_STEPS {
                        Phase::Walk(steps + 1)
                    } else {
                        lost = lost.or(Mask::from_fn(|l| l == lane));
                        Phase::Done
                    }
                }
            };
            let closing = matches!(phase[lane], Phase::Beside | Phase::Close);
            if closing && far.0[lane] - near.0[lane] <= width(sigma.0[lane], far.0[lane]) {
                phase[lane] = Phase::Done;
            }
        }
    }
    let open = Mask::from_fn(|lane| phase[lane] != Phase::Done);
    ((near + far) * 0.5, lost.or(open))
}

/// How closely a distance is searched for.
#[inline(always)]
fn width(sigma: f64, distance: f64) -> f64 {
    sigma.min(distance) * WIDTH
}

/// A little past a pole its bin is truncated: the height that the statistic jumps to.
#[inline(always)]
fn past(distance: f64) -> f64 {
    distance * (1.0 + 8.0 * f64::EPSILON)
}

/// The next pole, or the first step beyond them.
#[inline(always)]
fn after_pole(poles: &[f64], number: usize, near: f64, sigma: f64) -> (Phase, f64) {
    match poles.get(number) {
        Some(pole) => (Phase::Pole(number), *pole),
        None => (Phase::Walk(0), near.max(0.1 * sigma)),
    }
}

impl DoubleScratch {
    /// Distances of a lane's poles below the norm, nearest first, at most so many.
    fn pole_distances(&self, lane: usize, most: usize) -> Vec<f64> {
        let mut poles: Vec<f64> = self.u.iter().map(|u| u.0[lane]).filter(|u| *u > 0.0).map(|u| 1.0 / u).collect();
        if poles.len() > most {
            poles.select_nth_unstable_by(most, f64::total_cmp);
            poles.truncate(most);
        }
        poles.sort_unstable_by(f64::total_cmp);
        poles
    }

    /// `sum n [-ln t - d u]`, t = 1 - d u but not below its truncation.
    #[inline(always)]
    fn rise(&self, distance: Wide) -> Wide {
        let mut sum = Wide::ZERO;
        for ((u, floor), n) in self.u.iter().zip(&self.floors).zip(&self.counts) {
            let mut term = distance * *u;
            for (z, floor) in term.0.iter_mut().zip(floor.0) {
                *z = -ln_of((1.0 - *z).max(floor), -*z) - *z;
            }
            sum = sum + term * *n;
        }
        sum
    }
}
