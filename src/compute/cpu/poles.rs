//! Lower errors beyond what single precision can follow: next to the pole of a bin with counts, or past poles, as where
//! counts are fractions of one and the rise of the statistic at each pole is small.
//!
//! Past its pole a bin's predicted counts are truncated, so the statistic jumps there to a finite height and goes on. The
//! first pole whose height is enough is found as in the reference twin, by ranges of poles that are halved where they may
//! hold it, sixteen pixels at a time and in double precision.

use super::double::{DoubleScratch, ln_of};
use super::patch::Patch;
use super::plan::PATCH;
use super::prepare::is_hole;
use super::simd::LANES;
use super::wide::{Mask, Wide};

/// Poles that are sorted at first: the first or the second mostly end the search.
const FIRST_POLES: usize = 64;
/// Bound on looks at ranges and distances.
const MOST_ROUNDS: usize = 1000;
/// Width of the bracket, in sigmas, at which a distance is known.
const WIDTH: f64 = 1e-4;
/// What predicted counts fall by from the norm down, bin by bin: as they are truncated one after the other, the sum is a
/// small part of the model at any distance, so it is not a difference of larger ones.
#[derive(Default)]
pub struct Fall {
    /// m and mu at the norm of each bin with model, in units of the patch.
    model: Vec<Wide>,
    npred: Vec<Wide>,
}

impl Fall {
    /// Lists the bins that the patch at `pixel` sees; `base`: its norms.
    fn gather(&mut self, patch: &Patch<'_, '_>, pixel: (usize, usize), base: Wide) {
        self.model.clear();
        self.npred.clear();
        let (plan, (hy, hx)) = (patch.plan, patch.plan.half);
        let rows = pixel.0.saturating_sub(hy)..plan.shape.0.min(pixel.0 + PATCH + hy);
        let columns = pixel.1.saturating_sub(hx)..plan.shape.1.min(pixel.1 + PATCH + hx);
        for plane in &plan.planes {
            for (y, x) in rows.clone().flat_map(|y| columns.clone().map(move |x| (y, x))) {
                let background = plane.background.at(y, x);
                if is_hole(background) {
                    continue;
                }
                let c = plane.kernel_at((y, x), pixel) * (plane.exposure.at(y, x) / background) * patch.scale;
                if c.highest() > 0.0 {
                    self.model.push(c * background);
                    self.npred.push(((base * c + 1.0) * background).at_least(0.0));
                }
            }
        }
    }

    /// `sum min(d m, mu)` at distances d.
    #[inline(always)]
    fn by(&self, distance: Wide) -> Wide {
        let mut sum = Wide::ZERO;
        for (m, mu) in self.model.iter().zip(&self.npred) {
            sum = sum + (distance * *m).min(*mu);
        }
        sum
    }
}

/// Where the search of a lane is.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// At a range of poles, from one by number (0: the norm) to another.
    Poles(usize, usize),
    /// Just before the far end of a bracket: mostly the rise is the pole's own, and then that is the answer.
    Beside,
    /// Between two distances.
    Close,
    Done,
}

/// The poles of a lane, and the ranges of them that are still to be looked at.
#[derive(Default)]
struct Poles {
    /// Distances a little past the poles, nearest first: there their bins are truncated.
    distances: Vec<f64>,
    ranges: Vec<(usize, usize)>,
    /// Poles that are in a range, or were.
    done: usize,
    complete: bool,
}

impl Poles {
    fn new(bins: &DoubleScratch, lane: usize) -> Self {
        let distances = bins.pole_distances(lane, FIRST_POLES);
        Self { complete: distances.len() < FIRST_POLES, distances, ..Self::default() }
    }

    /// Distance of a pole by number; 0 is the norm itself.
    fn edge(&self, number: usize) -> f64 {
        if number == 0 { 0.0 } else { self.distances[number - 1] }
    }

    /// The next range, twice as long as what was looked at before; none beyond the last pole, where the statistic only
    /// falls.
    fn next(&mut self, bins: &DoubleScratch, lane: usize) -> Option<Phase> {
        if self.ranges.is_empty() {
            if self.done == self.distances.len() && !self.complete {
                self.distances = bins.pole_distances(lane, usize::MAX);
                self.complete = true;
            }
            let last = self.distances.len();
            if self.done < last {
                let until = (2 * self.done).clamp(self.done + 1, last);
                self.ranges.push((self.done, until));
                self.done = until;
            }
        }
        self.ranges.pop().map(|(low, high)| Phase::Poles(low, high))
    }
}

/// Distances down to the nearest rise of `target`, in units of the patch (NaN where there is none), and the lanes for
/// which that was not found. `base`: the norms; `sigma`: error of the curvature.
#[inline(always)]
pub fn lower_errors(
    patch: &Patch<'_, '_>,
    (bins, fall): (&DoubleScratch, &mut Fall),
    pixel: (usize, usize),
    base: Wide,
    (sigma, target): (Wide, f64),
    lanes: Mask,
) -> (Wide, Mask) {
    fall.gather(patch, pixel, base);
    let mut poles: [Poles; LANES] =
        std::array::from_fn(|lane| if lanes.get(lane) { Poles::new(bins, lane) } else { Poles::default() });
    let mut phase = [Phase::Done; LANES];
    let (mut near, mut far) = (Wide::ZERO, Wide::ZERO);
    let nowhere = |lane: usize, near: &mut Wide| {
        near.0[lane] = f64::NAN;
        Phase::Done
    };
    for lane in (0..LANES).filter(|lane| lanes.get(*lane)) {
        phase[lane] = poles[lane].next(bins, lane).unwrap_or_else(|| nowhere(lane, &mut near));
    }
    for _ in 0..MOST_ROUNDS {
        if phase.iter().all(|phase| *phase == Phase::Done) {
            break;
        }
        let from = Wide(std::array::from_fn(|lane| match phase[lane] {
            Phase::Poles(low, high) => poles[lane].edge(if high - low == 1 { high } else { low }),
            Phase::Beside => (far.0[lane] - 0.9 * width(sigma.0[lane], far.0[lane])).max(near.0[lane]),
            Phase::Close => 0.5 * (near.0[lane] + far.0[lane]),
            Phase::Done => 0.0,
        }));
        let to = Wide(std::array::from_fn(|lane| match phase[lane] {
            Phase::Poles(_, high) => poles[lane].edge(high),
            _ => from.0[lane],
        }));
        // Logarithms rise with the distance, predicted counts fall.
        let fallen = fall.by(from) + from.min(base.at_least(0.0)) * patch.holes;
        let highest = (bins.logarithms_down(to) - fallen) * 2.0;
        for lane in 0..LANES {
            let reached = highest.0[lane] >= target;
            phase[lane] = match phase[lane] {
                Phase::Done => Phase::Done,
                Phase::Poles(low, high) if high - low > 1 => {
                    if reached {
                        let middle = low.midpoint(high);
                        poles[lane].ranges.extend([(middle, high), (low, middle)]);
                    }
                    poles[lane].next(bins, lane).unwrap_or_else(|| nowhere(lane, &mut near))
                }
                Phase::Poles(low, high) if reached => {
                    (near.0[lane], far.0[lane]) = (poles[lane].edge(low), poles[lane].edge(high));
                    Phase::Beside
                }
                Phase::Poles(..) => poles[lane].next(bins, lane).unwrap_or_else(|| nowhere(lane, &mut near)),
                Phase::Beside | Phase::Close => {
                    if reached {
                        far.0[lane] = from.0[lane]
                    } else {
                        near.0[lane] = from.0[lane]
                    }
                    Phase::Close
                }
            };
            let closing = matches!(phase[lane], Phase::Beside | Phase::Close);
            if closing && far.0[lane] - near.0[lane] <= width(sigma.0[lane], far.0[lane]) {
                phase[lane] = Phase::Done;
            }
        }
    }
    ((near + far) * 0.5, Mask::from_fn(|lane| phase[lane] != Phase::Done))
}

/// How closely a distance is searched for.
#[inline(always)]
fn width(sigma: f64, distance: f64) -> f64 {
    sigma.min(distance) * WIDTH
}

impl DoubleScratch {
    /// Distances a little past a lane's poles below the norm, nearest first, at most so many.
    fn pole_distances(&self, lane: usize, most: usize) -> Vec<f64> {
        let past = 1.0 + 8.0 * f64::EPSILON;
        let mut poles: Vec<f64> = self.u.iter().map(|u| u.0[lane]).filter(|u| *u > 0.0).map(|u| past / u).collect();
        if poles.len() > most {
            poles.select_nth_unstable_by(most, f64::total_cmp);
            poles.truncate(most);
        }
        poles.sort_unstable_by(f64::total_cmp);
        poles
    }

    /// `sum -n ln t`, t = 1 - d u but not below its truncation.
    #[inline(always)]
    fn logarithms_down(&self, distance: Wide) -> Wide {
        let mut sum = Wide::ZERO;
        for ((u, floor), n) in self.u.iter().zip(&self.floors).zip(&self.counts) {
            let mut term = distance * *u;
            for (z, floor) in term.0.iter_mut().zip(floor.0) {
                *z = -ln_of((1.0 - *z).max(floor), -*z);
            }
            sum = sum + term * *n;
        }
        sum
    }
}
