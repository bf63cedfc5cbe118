//! The likelihood of one pixel against the norm, and the maximum of a product of likelihoods.

use std::cmp::Ordering;

use super::curve::Curve;
use super::likeness::{Guess, Known, Likeness};

/// Part of an error over which the curvature at the best fit is taken.
const CURVATURE_STEP: f64 = 0.2;

/// `stat - stat_null` of one pixel of one map, as a function of the norm.
#[derive(Debug, Clone)]
pub(super) enum Profile {
    /// Scanned.
    Scan(Curve),
    /// Known by its errors.
    Errors(Likeness),
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
        let (norms, values) = points.into_iter().unzip();
        Some(Self::Scan(Curve::new(norms, values)))
    }

    /// From a best fit and its errors, see [`Likeness`].
    pub fn from_errors(known: &Known) -> Option<Self> {
        Likeness::new(known).map(Self::Errors)
    }

    /// The norms between which the profile is known.
    fn range(&self) -> (f64, f64) {
        match self {
            Self::Scan(curve) => (curve.norms()[0], curve.norms()[curve.norms().len() - 1]),
            Self::Errors(likeness) if likeness.wall => (likeness.norm, f64::INFINITY),
            Self::Errors(_) => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// The norm below which predicted counts are negative, where it is known.
    fn wall(&self) -> Option<f64> {
        match self {
            Self::Errors(likeness) if likeness.wall => Some(likeness.norm),
            _ => None,
        }
    }

    /// The value at a norm within the range.
    fn at(&self, norm: f64, guess: Guess) -> f64 {
        match self {
            Self::Scan(curve) => curve.at(norm),
            Self::Errors(likeness) => likeness.at(norm, guess),
        }
    }

    /// Whether the value at a norm hangs on what errors do not tell.
    pub fn is_delicate(&self, norm: f64) -> bool {
        matches!(self, Self::Errors(likeness) if !likeness.wall && likeness.is_delicate(norm))
    }

    /// Norms between which the profile does nothing unexpected.
    fn marks(&self, out: &mut Vec<f64>) {
        match self {
            Self::Scan(curve) => out.extend(curve.norms()),
            Self::Errors(likeness) => likeness.marks(out),
        }
    }
}

/// What the sum of profiles says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Best {
    pub norm: f64,
    /// The smallest value of the sum.
    pub stat: f64,
    /// Error of the curvature at the norm; NaN where the sum does not bend upwards there.
    pub err: f64,
    /// The norm lies at the bound of predicted counts of an input.
    pub at_bound: bool,
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
    /// The highest bound of predicted counts.
    wall: Option<f64>,
    guess: Guess,
}

impl<'a> Sum<'a> {
    /// `None` where there is no profile, or no norm at which all are known.
    pub fn new(profiles: &'a [Profile], guess: Guess) -> Option<Self> {
        let ranges = profiles.iter().map(Profile::range);
        let (low, high) =
            ranges.fold((f64::NEG_INFINITY, f64::INFINITY), |(low, high), r| (low.max(r.0), high.min(r.1)));
        let mut marks = Vec::new();
        profiles.iter().for_each(|p| p.marks(&mut marks));
        marks.retain(|m| *m >= low && *m <= high);
        marks.sort_by(f64::total_cmp);
        marks.dedup_by(|a, b| *a <= *b);
        let wall = profiles.iter().filter_map(Profile::wall).reduce(f64::max);
        (marks.len() >= 3).then_some(Self { profiles, marks, wall, guess })
    }

    /// First and last norm.
    pub fn range(&self) -> (f64, f64) {
        (self.marks[0], self.marks[self.marks.len() - 1])
    }

    pub fn at(&self, norm: f64) -> f64 {
        self.profiles.iter().map(|p| p.at(norm, self.guess)).sum()
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
        let (errn, errp) = (norm - crossing(false, n_sigma), crossing(true, n_sigma) - norm);
        let at_bound = self.wall.is_some_and(|wall| norm - wall <= 1e-6 * (norm.abs() + errp.abs()));
        Some(Best {
            norm,
            stat,
            err: self.curved(norm, (errn, errp), n_sigma),
            at_bound,
            errn,
            errp,
            ul: crossing(true, n_sigma_ul),
        })
    }

    /// The error of the curvature at a norm.
    fn curved(&self, norm: f64, (errn, errp): (f64, f64), n_sigma: f64) -> f64 {
        let (low, high) = self.range();
        let step = CURVATURE_STEP * if errn < errp || errp.is_nan() { errn } else { errp } / n_sigma;
        // Beside an end of what is known: on the side that is.
        let middle = norm.max(low + step).min(high - step);
        let bend = (self.at(middle - step) + self.at(middle + step) - 2.0 * self.at(middle)) / (2.0 * step * step);
        if bend > 0.0 && bend.is_finite() { n_sigma / bend.sqrt() } else { f64::NAN }
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
        let best = Sum::new(&profiles, Guess::Best).unwrap().best(1.0, 2.0).unwrap();
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
        let best = Sum::new(std::slice::from_ref(&profile), Guess::Best).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 0.77).abs() < 0.02 && (best.stat + 6.0).abs() < 0.05, "{best:?}");
        let fine = scan(f, -3.0, 5.0, 161);
        let best = Sum::new(std::slice::from_ref(&fine), Guess::Best).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 0.77).abs() < 1e-6 && (best.stat + 6.0).abs() < 1e-9, "{best:?}");
        assert!((best.errn - 0.3).abs() < 1e-6 && (best.errp - 0.3).abs() < 1e-6 && (best.ul - 1.37).abs() < 1e-6);
    }

    #[test]
    fn errors_have_their_meaning() {
        let known = Known {
            norm: 2.0,
            err: None,
            errn: Some(0.5),
            errp: Some(0.8),
            n_sigma: 1.0,
            ul: None,
            n_sigma_ul: 2.0,
            ts: Some(9.0),
            model: None,
            at_bound: None,
        };
        let one = [Profile::from_errors(&known).unwrap()];
        let best = Sum::new(&one, Guess::Best).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 2.0).abs() < 1e-6 && (best.stat + 9.0).abs() < 1e-9);
        assert!((best.errn - 0.5).abs() < 1e-6 && (best.errp - 0.8).abs() < 1e-6 && !best.at_bound, "{best:?}");
        // Two equal symmetric ones: errors over sqrt 2, ts twice.
        let plain = Known { norm: 1.0, err: Some(0.2), errn: None, errp: None, ts: None, ..known };
        let same = Profile::from_errors(&plain).unwrap();
        let both = [same.clone(), same];
        let best = Sum::new(&both, Guess::Best).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 1.0).abs() < 1e-6 && (best.stat + 50.0).abs() < 1e-6);
        assert!((best.errp - 0.2 / 2f64.sqrt()).abs() < 1e-6 && (best.ul - 1.0 - 0.4 / 2f64.sqrt()).abs() < 1e-6);
        assert!((best.err - 0.2 / 2f64.sqrt()).abs() < 1e-6, "{best:?}");
        // An input at its bound: the other cannot go below it, and is hardly moved above it.
        let bound = Known {
            norm: -0.24,
            err: Some(5.7),
            errp: Some(0.56),
            errn: Some(4.1),
            ul: Some(1.97),
            ts: Some(0.42),
            model: Some(1.1),
            at_bound: Some(true),
            ..known
        };
        let wall = Profile::from_errors(&bound).unwrap();
        let deep =
            Profile::from_errors(&Known { ts: None, errn: Some(0.22), errp: Some(0.24), norm: 1.0, ..known }).unwrap();
        let best = Sum::new(&[wall.clone(), deep], Guess::Best).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 0.955).abs() < 0.01 && (best.err - 0.225).abs() < 0.01, "{best:?}");
        let below =
            Profile::from_errors(&Known { norm: -0.5, ts: None, err: Some(0.1), errn: None, errp: None, ..known })
                .unwrap();
        let best = Sum::new(&[wall, below], Guess::Best).unwrap().best(1.0, 2.0).unwrap();
        assert!(best.norm == -0.24 && best.at_bound && best.errn.is_nan(), "{best:?}");
    }

    #[test]
    fn what_is_not_known_is_nan_and_never_infinite() {
        let f = |x: f64| (x - 1.0).powi(2);
        let short = [scan(f, 0.5, 1.5, 11)];
        let best = Sum::new(&short, Guess::Best).unwrap().best(1.0, 2.0).unwrap();
        assert!((best.norm - 1.0).abs() < 1e-6 && best.errn.is_nan() && best.errp.is_nan() && best.ul.is_nan());
        let apart = [scan(f, 0.0, 1.0, 11), scan(f, 2.0, 3.0, 11)];
        assert!(Sum::new(&apart, Guess::Best).is_none() && Sum::new(&[], Guess::Best).is_none());
        assert!(Profile::from_scan([(1.0, f64::NAN), (2.0, 1.0), (3.0, 2.0)].into_iter()).is_none());
    }
}
