//! From values to positions on an axis or colour bar: stretches, ranges, ticks.

use super::label;
use super::stretch::Stretch;

/// Significance up to which [`Stretch::Significance`] is linear.
pub(super) const LINEAR_SIGMA: f64 = 5.0;

/// Significance that gets the end colour where the map has none beyond.
const DARKEST_SIGMA: f64 = 20.0;

/// Share of the largest value below which [`Stretch::Asinh`] is about linear.
const ASINH_SOFTENING: f64 = 0.05;

/// Part of a decade below which log axes are labelled like linear ones.
const FEW_DECADES: f64 = 0.8;

/// A stretch between two ends, `lo < hi`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub stretch: Stretch,
    pub lo: f64,
    pub hi: f64,
    /// Numbers of a logarithmic axis as powers of ten, none taken out of them.
    powers: bool,
}

fn symlog(v: f64) -> f64 {
    let u = v / LINEAR_SIGMA;
    if u.abs() <= 1.0 { u } else { u.signum() * (1.0 + u.abs().ln()) }
}

fn unsymlog(f: f64) -> f64 {
    LINEAR_SIGMA * if f.abs() <= 1.0 { f } else { f.signum() * (f.abs() - 1.0).exp() }
}

impl Scale {
    /// Repairs ends that the stretch cannot take: unordered, equal, not positive under a logarithm.
    pub fn new(stretch: Stretch, lo: f64, hi: f64) -> Self {
        let finite = |v: f64, or: f64| if v.is_finite() { v.clamp(-1e300, 1e300) } else { or };
        let (lo, hi) = (finite(lo, 0.0), finite(hi, 1.0));
        let (lo, hi) = if lo <= hi { (lo, hi) } else { (hi, lo) };
        let (mut stretch, mut lo, mut hi) = (stretch, lo, hi);
        if stretch == Stretch::Log {
            if hi <= 0.0 {
                stretch = Stretch::Linear;
            } else if lo <= 0.0 {
                lo = hi * 1e-4;
            }
        }
        let size = lo.abs().max(hi.abs());
        if hi - lo <= size * 1e-9 || hi - lo < 1e-300 {
            (lo, hi) = match (stretch, size == 0.0 || size < 1e-290) {
                (Stretch::Log, true) => (0.1, 1.0),
                (_, true) => (0.0, 1.0),
                (Stretch::Log, _) => (lo / 3.0, hi * 3.0),
                _ => (lo - 0.5 * size, hi + 0.5 * size),
            };
        }
        Self { stretch, lo, hi, powers: false }
    }

    /// With powers of ten at a logarithmic axis: `10⁻¹²`, not `1` and a factor in the name.
    pub fn with_powers(self, powers: bool) -> Self {
        Self { powers, ..self }
    }

    fn softening(&self) -> f64 {
        self.lo.abs().max(self.hi.abs()) * ASINH_SOFTENING
    }

    fn warp(&self, v: f64) -> f64 {
        match self.stretch {
            Stretch::Linear => v,
            Stretch::Sqrt => (v - self.lo).max(0.0).sqrt(),
            Stretch::Log => v.max(self.lo.min(f64::MIN_POSITIVE)).max(f64::MIN_POSITIVE).ln(),
            Stretch::Asinh => (v / self.softening()).asinh(),
            Stretch::Significance => symlog(v),
        }
    }

    /// 0 at the lower end, 1 at the upper one; not clamped.
    pub fn position(&self, v: f64) -> f64 {
        let (a, b) = (self.warp(self.lo), self.warp(self.hi));
        (self.warp(v) - a) / (b - a)
    }

    /// The value at a position.
    pub fn value(&self, position: f64) -> f64 {
        let (a, b) = (self.warp(self.lo), self.warp(self.hi));
        let w = a + position * (b - a);
        match self.stretch {
            Stretch::Linear => w,
            Stretch::Sqrt => self.lo + w * w,
            Stretch::Log => w.exp(),
            Stretch::Asinh => w.sinh() * self.softening(),
            Stretch::Significance => unsymlog(w),
        }
    }

    /// Position of a value on a diverging colour map, −1 to 1 around zero. For significances 5 is at ±0.5 whatever the
    /// range, so that the same colour means the same in every map; the largest value is at the end.
    pub fn diverging_position(&self, v: f64) -> f64 {
        let size = self.lo.abs().max(self.hi.abs());
        match self.stretch {
            Stretch::Significance => {
                let end = symlog(size.max(DARKEST_SIGMA));
                let f = symlog(v);
                if f.abs() <= 1.0 { 0.5 * f } else { f.signum() * (0.5 + 0.5 * (f.abs() - 1.0) / (end - 1.0)) }
            }
            Stretch::Asinh => self.warp(v) / self.warp(size),
            _ => v / size,
        }
    }

    /// Power of ten to take out of the labels: 0 where they are short without.
    pub fn label_power(&self) -> i32 {
        if self.has_powers() {
            return 0;
        }
        if self.is_logarithmic() {
            // Up to four decades are read more easily as 1 to 10000 times a power.
            let narrow = self.hi / self.lo <= 1.001e4;
            let power = (self.lo.log10() + 1e-9).floor() as i32;
            return if narrow && !self.is_plain() { power } else { 0 };
        }
        let size = self.lo.abs().max(self.hi.abs());
        let power = (size * 0.999).log10().floor() as i32;
        if (-2..=4).contains(&power) { 0 } else { power }
    }

    /// Whether a logarithmic axis can do without powers of ten.
    fn is_plain(&self) -> bool {
        self.lo >= 0.99e-3 && self.hi <= 1.01e4
    }

    /// Whether powers of ten are wanted at a logarithmic axis whose numbers are not handy, and enough of them fit in.
    fn has_powers(&self) -> bool {
        let wanted = self.powers && self.stretch == Stretch::Log && !self.is_plain();
        let decades = || self.lo.log10().floor() as i32..=self.hi.log10().ceil() as i32;
        let inside = |v: f64| v >= self.lo && v <= self.hi;
        let labels = |d: i32| [1.0, 2.0, 3.0, 5.0].iter().filter(|m| inside(*m * 10f64.powi(d))).count();
        wanted && decades().map(labels).sum::<usize>() >= 2
    }

    fn is_logarithmic(&self) -> bool {
        self.stretch == Stretch::Log && (self.hi / self.lo).log10() >= FEW_DECADES
    }

    /// Ticks for an axis of `length_px`, labels at least `gap_px` apart; values are divided by 10^`label_power`.
    pub fn ticks(&self, length_px: f64, gap_px: f64) -> Vec<Tick> {
        let room = (length_px / gap_px).floor().max(1.0);
        match self.stretch {
            Stretch::Linear => self.linear_ticks(room),
            Stretch::Log if !self.is_logarithmic() && !self.has_powers() => self.linear_ticks(room),
            Stretch::Log => self.log_ticks(room),
            Stretch::Sqrt | Stretch::Asinh | Stretch::Significance => self.picked_ticks(length_px, gap_px),
        }
    }

    fn linear_ticks(&self, room: f64) -> Vec<Tick> {
        let (step, parts) = nice_step((self.hi - self.lo) / room);
        let power = self.label_power();
        let unit = 10f64.powi(power);
        let decimals = decimals_of(step / unit);
        let minor = step / f64::from(parts);
        let tick = |k: i64| {
            let value = k as f64 * minor;
            let major = k.rem_euclid(i64::from(parts)) == 0;
            let label = if major { label::fixed(value / unit, decimals) } else { String::new() };
            Tick { value, label }
        };
        let slack = 1e-6;
        let (first, last) = ((self.lo / minor - slack).ceil() as i64, (self.hi / minor + slack).floor() as i64);
        (first..=last.min(first + 1000)).map(tick).collect()
    }

    fn log_ticks(&self, room: f64) -> Vec<Tick> {
        let (a, b) = (self.lo.log10(), self.hi.log10());
        let (first, last) = (a.floor() as i32, b.ceil() as i32);
        let per_label = ((b - a) / room).ceil().max(1.0) as i32;
        // Labels at 2 and 5 (or 3) too where decades alone would be few.
        let between: &[i32] = match room / (b - a) {
            _ if !self.is_logarithmic() => &[2, 3, 5],
            r if r >= 3.5 && b - a < 2.6 => &[2, 5],
            r if r >= 2.4 && b - a < 2.6 => &[3],
            _ => &[],
        };
        let power = self.label_power();
        let plain = power != 0 || self.is_plain();
        let mut ticks = Vec::new();
        for decade in first..=last {
            for m in 1..10 {
                let value = f64::from(m) * 10f64.powi(decade);
                if value < self.lo * (1.0 - 1e-9) || value > self.hi * (1.0 + 1e-9) || (m > 1 && per_label > 1) {
                    continue;
                }
                let labelled = if m == 1 { decade.rem_euclid(per_label) == 0 } else { between.contains(&m) };
                let label = match (labelled, plain) {
                    (false, _) => String::new(),
                    (true, true) => label::short(value / 10f64.powi(power)),
                    (true, false) => label::scientific(value),
                };
                ticks.push(Tick { value, label });
            }
        }
        ticks
    }

    /// 0, then 1-2-5 numbers from the most telling on, as long as they keep their distance.
    fn picked_ticks(&self, length_px: f64, gap_px: f64) -> Vec<Tick> {
        let size = self.lo.abs().max(self.hi.abs());
        let top = size.log10().floor() as i32;
        let mut candidates = vec![0.0];
        let mut both = |v: f64| candidates.extend([v, -v]);
        let significance = self.stretch == Stretch::Significance;
        if significance {
            for v in [5.0, 3.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 30.0, 2.0, 1.0] {
                both(v);
            }
        }
        // A square root spreads the bottom less than the others do.
        let decades = if self.stretch == Stretch::Sqrt { 1 } else { 3 };
        for decade in (top - decades..=top).rev() {
            for m in if significance { [].as_slice() } else { [1.0, 5.0, 2.0, 3.0].as_slice() } {
                both(m * 10f64.powi(decade));
            }
        }
        let mut taken: Vec<f64> = Vec::new();
        let at = |v: f64| self.position(v) * length_px;
        for v in candidates {
            let inside = v >= self.lo - 1e-9 * size && v <= self.hi + 1e-9 * size;
            if inside && taken.iter().all(|t| (at(*t) - at(v)).abs() >= gap_px) {
                taken.push(v);
            }
        }
        taken.sort_by(f64::total_cmp);
        let unit = 10f64.powi(self.label_power());
        taken.into_iter().map(|value| Tick { value, label: label::short(value / unit) }).collect()
    }
}

/// A tick; one without label is a small one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub value: f64,
    pub label: String,
}

/// The smallest of 1, 2, 5 × 10ⁿ that is not below `least`, and the number of parts that small ticks divide it into.
pub(super) fn nice_step(least: f64) -> (f64, u8) {
    let decade = 10f64.powf(least.log10().floor());
    let share = least / decade * (1.0 - 1e-9);
    let (m, parts) = match share {
        s if s <= 1.0 => (1.0, 5),
        s if s <= 2.0 => (2.0, 4),
        s if s <= 5.0 => (5.0, 5),
        _ => (10.0, 5),
    };
    (m * decade, parts)
}

/// Decimals that a step needs.
pub(super) fn decimals_of(step: f64) -> usize {
    let mut decimals = 0;
    let mut scaled = step.abs();
    while decimals < 12 && (scaled - scaled.round()).abs() > 1e-6 * scaled.max(1e-300) {
        scaled *= 10.0;
        decimals += 1;
    }
    decimals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, length: f64, gap: f64) -> Vec<String> {
        scale.ticks(length, gap).into_iter().map(|t| t.label).filter(|l| !l.is_empty()).collect()
    }

    #[test]
    fn value_undoes_position() {
        for stretch in Stretch::ALL {
            let scale = Scale::new(stretch, 0.5, 40.0);
            for i in 0..=20 {
                let t = f64::from(i) / 20.0;
                assert!((scale.position(scale.value(t)) - t).abs() < 1e-12, "{stretch:?} {t}");
            }
        }
    }

    #[test]
    fn bad_ends_are_repaired() {
        for stretch in Stretch::ALL {
            for (lo, hi) in [(0.0, 0.0), (3.0, 3.0), (-2.0, -2.0), (5.0, 1.0), (f64::NAN, f64::INFINITY), (1e-320, 0.0)]
            {
                let scale = Scale::new(stretch, lo, hi);
                assert!(scale.lo < scale.hi && scale.position(scale.value(0.5)).is_finite(), "{stretch:?} {lo} {hi}");
                assert!(!scale.ticks(500.0, 50.0).is_empty(), "{stretch:?} {lo} {hi}");
            }
        }
        assert_eq!(Scale::new(Stretch::Log, -1.0, 10.0).lo, 1e-3);
        assert_eq!(Scale::new(Stretch::Log, -2.0, -1.0).stretch, Stretch::Linear);
    }

    #[test]
    fn ticks_have_short_labels() {
        assert_eq!(
            labels(Scale::new(Stretch::Linear, 0.0, 1.0), 500.0, 100.0),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        let narrow = |powers: bool| Scale::new(Stretch::Log, 2.5e-12, 1.2e-11).with_powers(powers);
        assert_eq!(labels(narrow(true), 500.0, 50.0), ["3×10⁻¹²", "5×10⁻¹²", "10⁻¹¹"]);
        assert_eq!((narrow(true).label_power(), narrow(false).label_power()), (0, -11));
        let wide = Scale::new(Stretch::Log, 2e-15, 3e-11).with_powers(true);
        assert_eq!(labels(wide, 500.0, 50.0), ["10⁻¹⁴", "10⁻¹³", "10⁻¹²", "10⁻¹¹"]);
        // Handy numbers stay, and so does what is too narrow for two of them.
        assert_eq!(
            labels(Scale::new(Stretch::Log, 0.5, 20.0).with_powers(true), 500.0, 50.0),
            ["0.5", "1", "2", "5", "10", "20"]
        );
        assert_eq!(Scale::new(Stretch::Log, 3.1e-12, 3.9e-12).with_powers(true).label_power(), -12);
        let flux = Scale::new(Stretch::Linear, 0.0, 3e-12);
        assert_eq!(
            (flux.label_power(), labels(flux, 300.0, 80.0)),
            (-12, ["0", "1", "2", "3"].map(String::from).to_vec())
        );
        assert_eq!(labels(Scale::new(Stretch::Log, 1e-13, 1e-10), 400.0, 60.0), ["1", "10", "100", "1000"]);
        assert_eq!(
            labels(Scale::new(Stretch::Significance, -5.0, 60.0), 500.0, 25.0),
            ["−5", "−3", "0", "3", "5", "10", "20", "30", "50"]
        );
    }

    #[test]
    fn five_sigma_has_one_colour_in_all_maps() {
        for hi in [5.0, 7.0, 300.0] {
            assert_eq!(Scale::new(Stretch::Significance, -5.0, hi).diverging_position(5.0), 0.5);
        }
    }
}
