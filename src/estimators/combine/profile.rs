//! The likelihood of one pixel against the norm, and the maximum of a product of likelihoods.

use std::cmp::Ordering;

/// Steps of a profile in which the statistic changes by more than this are walls, not parts of a parabola.
const WALL: f64 = 10.0;

/// Distance of a negative norm from 0, in errors, beyond which its ts tells a line from a parabola.
const FAR: f64 = 1.05;

/// Part of a straight line from which a best fit counts as lying at its bound.
const STRAIGHT: f64 = 0.2;

/// What the variance of the approximation cannot fall below, as a part of its value at the best fit.
const LEAST_VARIANCE: f64 = 0.01;

/// `stat - stat_null` of one pixel of one map, as a function of the norm.
#[derive(Debug, Clone)]
pub(super) enum Profile {
    /// Scanned: norms, ascending, with values and slopes there.
    Scan { norms: Vec<f64>, values: Vec<f64>, slopes: Vec<f64> },
    /// Best fit, its shape, height of the minimum.
    Errors { norm: f64, shape: Shape, minimum: f64 },
}

impl Profile {
    /// From scanned points in any order; those that are not finite are left out. `None` for less than three.
    pub fn from_scan(points: impl Iterator<Item = (f64, f64)>) -> Option<Self> {
        let mut points: Vec<(f64, f64)> = points.filter(|p| p.0.is_finite() && p.1.is_finite()).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.dedup_by(|a, b| a.0 <= b.0);
        if points.len() < 3 {
            return None;
        }
        let (norms, values): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
        let slopes = slopes(&norms, &values);
        Some(Self::Scan { norms, values, slopes })
    }

    /// From a best fit and its errors, see [`Shape`]. `ts` sets the height of the minimum under the value at norm 0,
    /// where it is known. `None` for errors that are not positive and finite.
    pub fn from_errors(norm: f64, errn: f64, errp: f64, ts: Option<f64>) -> Option<Self> {
        let usable = |e: f64| e.is_finite() && e > 0.0;
        if !(norm.is_finite() && usable(errn) && usable(errp)) {
            return None;
        }
        let ts = ts.filter(|t| t.is_finite());
        let shape = Shape::new(norm, errn, errp, ts);
        let minimum = -ts.unwrap_or_else(|| shape.rise(-norm));
        Some(Self::Errors { norm, shape, minimum })
    }

    /// The norms between which the profile is known.
    fn range(&self) -> (f64, f64) {
        match self {
            Self::Scan { norms, .. } => (norms[0], norms[norms.len() - 1]),
            Self::Errors { .. } => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// The value at a norm within the range: cubic between scanned norms, so that parabolas are exact.
    fn at(&self, norm: f64) -> f64 {
        match self {
            Self::Scan { norms, values, slopes } => {
                let i = norms.partition_point(|n| *n <= norm).clamp(1, norms.len() - 1) - 1;
                let step = norms[i + 1] - norms[i];
                let t = (norm - norms[i]) / step;
                let (u, v) = (values[i], values[i + 1]);
                let (a, b) = (slopes[i] * step - (v - u), -slopes[i + 1] * step + (v - u));
                u + t * (v - u) + t * (1.0 - t) * ((1.0 - t) * a + t * b)
            }
            Self::Errors { norm: best, shape, minimum } => minimum + shape.rise(norm - best),
        }
    }

    /// Norms between which the profile does nothing unexpected.
    fn marks(&self, out: &mut Vec<f64>) {
        match self {
            Self::Scan { norms, .. } => out.extend(norms),
            Self::Errors { norm, shape: Shape { errn, errp, .. }, .. } => {
                let steps = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 50.0];
                out.push(*norm);
                out.extend(steps.iter().flat_map(|s| [norm - s * errn, norm + s * errp]));
            }
        }
    }
}

/// The approximation of a likelihood from its errors.
///
/// It is the parabola whose variance changes linearly with the norm (Barlow 2004, "Asymmetric statistical errors"):
/// `d² / (errn errp + (errp - errn) d)` with `d = norm - best`, which is 1 at both errors. Where the best fit is negative
/// and lies at the bound of predicted counts, the likelihood rises as a straight line instead; so much of a line is mixed
/// in above the best fit that it has risen by ts at norm 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    errn: f64,
    errp: f64,
    /// Part of the straight line, 0 to 1.
    line: f64,
}

impl Shape {
    fn new(norm: f64, errn: f64, errp: f64, ts: Option<f64>) -> Self {
        let mut shape = Self { errn, errp, line: 0.0 };
        let Some(ts) = ts.filter(|_| -norm > FAR * errp) else { return shape };
        let (curved, straight) = (shape.rise(-norm), -norm / errp);
        if curved > straight {
            shape.line = ((curved - ts) / (curved - straight)).clamp(0.0, 1.0);
        }
        if shape.line > STRAIGHT {
            // Below the bound nothing is predicted any more, so what was found there is no error.
            shape.errn = errn.min(errp);
            let curved = shape.rise_curved(-norm);
            shape.line = if curved > straight { ((curved - ts) / (curved - straight)).clamp(0.0, 1.0) } else { 0.0 };
        }
        shape
    }

    fn rise_curved(&self, distance: f64) -> f64 {
        let variance = self.errn * self.errp;
        distance * distance / (variance + (self.errp - self.errn) * distance).max(LEAST_VARIANCE * variance)
    }

    fn rise(&self, distance: f64) -> f64 {
        let curved = self.rise_curved(distance);
        if distance > 0.0 { self.line * distance / self.errp + (1.0 - self.line) * curved } else { curved }
    }
}

/// Slopes at the points, each that of the parabola through it and its neighbours, but beside walls (where predicted
/// counts become negative, profiles jump) no steeper than what keeps a rising profile rising and a minimum a minimum.
fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let step = |i: usize| x[i + 1] - x[i];
    let secant = |i: usize| (y[i + 1] - y[i]) / step(i);
    let inner = |i: usize| {
        let (before, after) = (secant(i - 1), secant(i));
        let parabola = (step(i) * before + step(i - 1) * after) / (step(i - 1) + step(i));
        let wall = (before * step(i - 1)).abs().max((after * step(i)).abs()) > WALL;
        let bound = 3.0 * before.abs().min(after.abs());
        match (wall, before * after > 0.0) {
            (false, _) => parabola,
            (true, true) => parabola.clamp(-bound, bound),
            (true, false) => 0.0,
        }
    };
    let mut slopes = vec![0.0; n];
    slopes.iter_mut().enumerate().take(n - 1).skip(1).for_each(|(i, slope)| *slope = inner(i));
    let end = |secant: f64, next: f64| {
        let parabola = 2.0 * secant - next;
        if parabola * secant <= 0.0 { 0.0 } else { parabola.clamp(-3.0 * secant.abs(), 3.0 * secant.abs()) }
    };
    slopes[0] = end(secant(0), slopes[1]);
    slopes[n - 1] = end(secant(n - 2), slopes[n - 2]);
    slopes
}

/// What the sum of profiles says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Best {
    pub norm: f64,
    /// The smallest value of the sum.
    pub stat: f64,
    /// Distances to where the sum has risen by n_sigma², NaN where it is not known that far.
    pub errn: f64,
    pub errp: f64,
    /// Norm where the sum has risen by n_sigma_ul².
    pub ul: f64,
}

/// Profiles of one pixel, added.
#[derive(Debug)]
pub(super) struct Sum<'a> {
    profiles: &'a [Profile],
    /// Norms at which all are known, ascending.
    marks: Vec<f64>,
}

impl<'a> Sum<'a> {
    /// `None` where there is no profile, or no norm at which all are known.
    pub fn new(profiles: &'a [Profile]) -> Option<Self> {
        let ranges = profiles.iter().map(Profile::range);
        let (low, high) =
            ranges.fold((f64::NEG_INFINITY, f64::INFINITY), |(low, high), r| (low.max(r.0), high.min(r.1)));
        let mut marks = Vec::new();
        profiles.iter().for_each(|p| p.marks(&mut marks));
        marks.retain(|m| *m >= low && *m <= high);
        marks.sort_by(f64::total_cmp);
        marks.dedup_by(|a, b| *a <= *b);
        (marks.len() >= 3).then_some(Self { profiles, marks })
    }

    /// First and last norm.
    pub fn range(&self) -> (f64, f64) {
        (self.marks[0], self.marks[self.marks.len() - 1])
    }

    pub fn at(&self, norm: f64) -> f64 {
        self.profiles.iter().map(|p| p.at(norm)).sum()
    }

    /// The minimum, errors and limit.
    pub fn best(&self, n_sigma: f64, n_sigma_ul: f64) -> Option<Best> {
        let values: Vec<f64> = self.marks.iter().map(|m| self.at(*m)).collect();
        let lowest = (0..values.len()).min_by(|a, b| values[*a].partial_cmp(&values[*b]).unwrap_or(Ordering::Equal))?;
        let (norm, stat) = self.bottom(
            self.marks[lowest.saturating_sub(1)],
            self.marks[(lowest + 1).min(self.marks.len() - 1)],
            (self.marks[lowest], values[lowest]),
        );
        let crossing = |up: bool, n: f64| {
            let target = stat + n * n;
            let mut inside = norm;
            let mut outside = f64::NAN;
            let order: Box<dyn Iterator<Item = usize>> =
                if up { Box::new(0..values.len()) } else { Box::new((0..values.len()).rev()) };
            for i in order.filter(|i| if up { self.marks[*i] > norm } else { self.marks[*i] < norm }) {
                if values[i] >= target {
                    outside = self.marks[i];
                    break;
                }
                inside = self.marks[i];
            }
            if outside.is_nan() {
                return f64::NAN;
            }
            for _ in 0..60 {
                let middle = 0.5 * (inside + outside);
                if self.at(middle) >= target { outside = middle } else { inside = middle }
            }
            0.5 * (inside + outside)
        };
        Some(Best {
            norm,
            stat,
            errn: norm - crossing(false, n_sigma),
            errp: crossing(true, n_sigma) - norm,
            ul: crossing(true, n_sigma_ul),
        })
    }

    /// Golden section between two norms, not worse than a known point.
    fn bottom(&self, mut a: f64, mut b: f64, known: (f64, f64)) -> (f64, f64) {
        const RATIO: f64 = 0.618_033_988_749_894_8;
        let (mut c, mut d) = (b - RATIO * (b - a), a + RATIO * (b - a));
        let (mut fc, mut fd) = (self.at(c), self.at(d));
        for _ in 0..48 {
            if fc < fd {
                (b, d, fd) = (d, c, fc);
                c = b - RATIO * (b - a);
                fc = self.at(c);
            } else {
                (a, c, fc) = (c, d, fd);
                d = a + RATIO * (b - a);
                fd = self.at(d);
            }
        }
        let middle = 0.5 * (a + b);
        let value = self.at(middle);
        if value < known.1 { (middle, value) } else { known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Poisson: n counts, background b, s predicted counts per norm; relative to norm 0.
    fn poisson(n: f64, b: f64, s: f64) -> impl Fn(f64) -> f64 {
        move |x: f64| 2.0 * (x * s - n * ((b + x * s) / b).ln())
    }

    fn scan(f: impl Fn(f64) -> f64, from: f64, to: f64, n: usize) -> Profile {
        let at = move |i: usize| from + (to - from) * i as f64 / (n - 1) as f64;
        Profile::from_scan((0..n).map(|i| (at(i), f(at(i))))).unwrap()
    }

    #[test]
    fn sums_of_scans_are_the_joint_likelihood() {
        // Two pixels' worth of counts with one norm: as one Poisson bin, where the ratio s/b is the same.
        let profiles = [scan(poisson(30.0, 10.0, 5.0), -1.5, 20.0, 87), scan(poisson(17.0, 10.0, 5.0), -1.4, 24.0, 93)];
        let best = Sum::new(&profiles).unwrap().best(1.0, 2.0).unwrap();
        let joint = poisson(47.0, 20.0, 10.0);
        assert!((best.norm - 2.7).abs() < 2e-3, "{best:?}");
        assert!((best.stat - joint(2.7)).abs() < 1e-3, "{best:?} {}", joint(2.7));
        let crossing = |x: f64, rise: f64| (joint(x) - joint(2.7) - rise).abs();
        assert!(crossing(best.norm - best.errn, 1.0) < 5e-3 && crossing(best.norm + best.errp, 1.0) < 5e-3);
        assert!(crossing(best.ul, 4.0) < 5e-3);
    }

    #[test]
    fn parabolas_are_exact_on_any_grid() {
        let f = |x: f64| (x - 0.77).powi(2) / 0.09 - 6.0;
        let uneven = [-3.0, -1.0, -0.2, 0.1, 0.9, 1.0, 1.4, 2.0, 4.0, 9.0];
        let profile = Profile::from_scan(uneven.iter().rev().map(|x| (*x, f(*x)))).unwrap();
        let best = Sum::new(std::slice::from_ref(&profile)).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 0.77).abs() < 0.02 && (best.stat + 6.0).abs() < 0.05, "{best:?}");
        let fine = scan(f, -3.0, 5.0, 161);
        let best = Sum::new(std::slice::from_ref(&fine)).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 0.77).abs() < 1e-6 && (best.stat + 6.0).abs() < 1e-9, "{best:?}");
        assert!((best.errn - 0.3).abs() < 1e-6 && (best.errp - 0.3).abs() < 1e-6 && (best.ul - 1.37).abs() < 1e-6);
    }

    #[test]
    fn walls_do_not_ring() {
        // A jump of a thousand beside the minimum, as where predicted counts become negative.
        let f = |x: f64| if x < -0.5 { 1000.0 } else { 3.0 * (x + 0.5) };
        let profile = scan(f, -5.0, 5.0, 41);
        let lowest = (0..2000).map(|i| profile.at(-5.0 + f64::from(i) * 0.005)).fold(f64::INFINITY, f64::min);
        assert!(lowest > -1e-9, "{lowest}");
    }

    #[test]
    fn asymmetric_errors_have_their_meaning() {
        let one = [Profile::from_errors(2.0, 0.5, 0.8, Some(9.0)).unwrap()];
        let best = Sum::new(&one).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 2.0).abs() < 1e-6 && (best.stat + 9.0).abs() < 1e-9);
        assert!((best.errn - 0.5).abs() < 1e-6 && (best.errp - 0.8).abs() < 1e-6, "{best:?}");
        // At the bound of predicted counts: a straight line through 1 at the error and ts at norm 0.
        let line = [Profile::from_errors(-0.09, 0.9, 0.03, Some(3.0)).unwrap()];
        let sum = Sum::new(&line).unwrap();
        assert!((sum.at(-0.06) + 2.0).abs() < 1e-9 && sum.at(0.0).abs() < 1e-9 && (sum.at(0.09) - 3.0).abs() < 1e-9);
        // An ordinary negative fit stays a parabola.
        let plain = [Profile::from_errors(-0.09, 0.03, 0.03, Some(9.0)).unwrap()];
        assert!((Sum::new(&plain).unwrap().at(0.03) - 7.0).abs() < 1e-9);
        // Two equal symmetric ones: errors over sqrt 2, ts twice.
        let same = Profile::from_errors(1.0, 0.2, 0.2, None).unwrap();
        let both = [same.clone(), same];
        let best = Sum::new(&both).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 1.0).abs() < 1e-6 && (best.stat + 50.0).abs() < 1e-6);
        assert!((best.errp - 0.2 / 2f64.sqrt()).abs() < 1e-6 && (best.ul - 1.0 - 0.4 / 2f64.sqrt()).abs() < 1e-6);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                Profile::from_errors(1.0, bad, 0.2, None).is_none()
                    && Profile::from_errors(bad, 0.2, bad, None).is_none()
            );
        }
    }

    #[test]
    fn what_is_not_known_is_nan_and_never_infinite() {
        let f = |x: f64| (x - 1.0).powi(2);
        let short = [scan(f, 0.5, 1.5, 11)];
        let best = Sum::new(&short).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 1.0).abs() < 1e-6 && best.errn.is_nan() && best.errp.is_nan() && best.ul.is_nan());
        let apart = [scan(f, 0.0, 1.0, 11), scan(f, 2.0, 3.0, 11)];
        assert!(Sum::new(&apart).is_none() && Sum::new(&[]).is_none());
        assert!(Profile::from_scan([(1.0, f64::NAN), (2.0, 1.0), (3.0, 2.0)].into_iter()).is_none());
    }
}
