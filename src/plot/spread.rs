//! How the values of a map are spread, and the ends of colours that show them.

use super::scale::{LINEAR_SIGMA, nice_step};
use super::stretch::Stretch;

/// Values that say how a map is spread, from which an automatic range is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub min: f64,
    pub max: f64,
    low: f64,
    high: f64,
    min_positive: f64,
}

/// Values at most that quantiles are taken from; larger maps are thinned out evenly.
const QUANTILE_SAMPLES: usize = 400_000;

impl Spread {
    /// Of the finite values; `None` where there are none. `tails`: the parts below and above the quantiles.
    pub fn of<'a>(values: impl Iterator<Item = &'a f64> + Clone, tails: (f64, f64)) -> Option<Self> {
        let finite = values.copied().filter(|v| v.is_finite());
        let (mut min, mut max, mut min_positive, mut count) = (f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, 0usize);
        for v in finite.clone() {
            min = min.min(v);
            max = max.max(v);
            if v > 0.0 {
                min_positive = min_positive.min(v);
            }
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let mut sample: Vec<f64> = finite.step_by(count.div_ceil(QUANTILE_SAMPLES)).collect();
        let mut quantile = |share: f64| {
            let k = ((sample.len() - 1) as f64 * share).round() as usize;
            *sample.select_nth_unstable_by(k, f64::total_cmp).1
        };
        Some(Self { min, max, low: quantile(tails.0), high: quantile(1.0 - tails.1), min_positive })
    }

    /// Parts of the pixels that may lie beyond the ends of an automatic range.
    pub fn tails(stretch: Stretch) -> (f64, f64) {
        match stretch {
            Stretch::Linear => (0.005, 0.005),
            Stretch::Sqrt | Stretch::Asinh => (0.005, 0.000_5),
            Stretch::Log => (0.01, 0.0),
            Stretch::Significance => (0.0, 0.0),
        }
    }

    /// Ends that show the map, rounded outwards; `centred` says whether zero is to be in the middle of two ends.
    pub fn range(&self, stretch: Stretch, centred: impl Fn(f64, f64) -> bool) -> (f64, f64) {
        let (mut lo, mut hi) = (self.low, self.high);
        if stretch == Stretch::Significance {
            return (self.min.min(-LINEAR_SIGMA), self.max.max(LINEAR_SIGMA));
        }
        if lo >= hi {
            // Mostly one value, e.g. sparse counts: show all there is.
            (lo, hi) = (self.min, self.max);
        }
        if stretch == Stretch::Log {
            let lo = if lo > 0.0 { lo } else { self.min_positive };
            return if lo.is_finite() { (lo, hi.max(lo)) } else { (self.low, hi) };
        }
        if centred(lo, hi) {
            let size = lo.abs().max(hi.abs());
            (lo, hi) = (-size, size);
        }
        if lo == hi {
            return (lo, hi);
        }
        if lo > 0.0 && lo < 0.35 * hi {
            lo = 0.0;
        }
        let (grain, _) = nice_step((hi - lo) / 50.0);
        ((lo / grain + 1e-6).floor() * grain, (hi / grain - 1e-6).ceil() * grain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_ranges() {
        let values: Vec<f64> = (0..1000).map(f64::from).chain([f64::NAN, 1e9]).collect();
        let spread = |stretch| Spread::of(values.iter(), Spread::tails(stretch)).unwrap();
        assert_eq!(spread(Stretch::Linear).range(Stretch::Linear, |_, _| false), (0.0, 1000.0));
        assert_eq!(spread(Stretch::Linear).range(Stretch::Linear, |_, _| true), (-1000.0, 1000.0));
        let sparse = [0.0, 0.0, 0.0, 1.0];
        let spread = Spread::of(sparse.iter(), (0.3, 0.3)).unwrap();
        assert_eq!(spread.range(Stretch::Linear, |_, _| false), (0.0, 1.0));
        assert!(Spread::of([f64::NAN].iter(), (0.0, 0.0)).is_none());
    }
}
