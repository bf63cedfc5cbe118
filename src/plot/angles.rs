//! Steps and texts of coordinates: in degrees, or in hours, minutes and seconds.

use super::label;
use super::scale::{decimals_of, nice_step};

/// Steps from one degree on; below it is 1, 2, 5 × 10ⁿ.
const STEPS_DEG: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 90.0];

/// Steps in hours, and those in minutes and seconds of them or of a degree.
const STEPS_HOURS: [f64; 4] = [1.0, 2.0, 3.0, 6.0];
const STEPS_SIXTY: [f64; 7] = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0];

/// Degrees in an hour.
const HOUR_DEG: f64 = 15.0;

/// How coordinates are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AngleFormat {
    /// `83.5°`
    Degrees,
    /// `22°30′`
    Arc,
    /// `5ʰ34ᵐ`
    Hours,
}

impl AngleFormat {
    /// Degrees of the largest unit, and its steps.
    fn unit(self) -> (f64, &'static [f64]) {
        match self {
            Self::Degrees | Self::Arc => (1.0, &STEPS_DEG),
            Self::Hours => (HOUR_DEG, &STEPS_HOURS),
        }
    }

    /// Steps from the smallest to the largest in degrees, and below which angle they are 1, 2, 5 × 10ⁿ of it.
    fn steps(self) -> (Vec<f64>, f64) {
        let (unit, whole) = self.unit();
        let parts: &[f64] = if self == Self::Degrees { &[] } else { &[3600.0, 60.0] };
        let small = parts.iter().flat_map(|part| STEPS_SIXTY.iter().map(move |s| s / part * unit));
        let steps = small.chain(whole.iter().map(|s| s * unit)).collect();
        (steps, parts.first().map_or(unit, |part| unit / part))
    }

    /// The smallest step that is not below an angle.
    pub fn step_at_least(self, least: f64) -> f64 {
        let (steps, fine) = self.steps();
        if least <= fine {
            nice_step((least / fine).max(1e-7)).0 * fine
        } else {
            steps.into_iter().find(|s| *s >= least * (1.0 - 1e-9)).unwrap_or(90.0)
        }
    }

    /// The next step below, if there is one.
    pub fn next_finer(self, step: f64) -> f64 {
        let (steps, fine) = self.steps();
        if step <= fine * (1.0 + 1e-9) {
            nice_step(step / fine * 0.35).0 * fine
        } else {
            steps.into_iter().rev().find(|s| *s < step * (1.0 - 1e-9)).unwrap_or(fine)
        }
    }

    /// Room of a label, in font sizes.
    pub fn label_room(self, full: bool) -> f64 {
        match (self, full) {
            (Self::Degrees, true) => 4.2,
            (Self::Degrees, false) => 3.4,
            _ => 6.2,
        }
    }

    /// A coordinate in as many parts and decimals as a step needs.
    pub fn text(self, degrees: f64, step: f64) -> String {
        let signs = match self {
            Self::Degrees => return format!("{}°", label::fixed(degrees, decimals_of(step))),
            Self::Arc => ["°", "′", "″"],
            Self::Hours => ["ʰ", "ᵐ", "ˢ"],
        };
        let (unit, _) = self.unit();
        let step = step / unit * 3600.0;
        // Parts are seconds of so many decimals, minutes, or whole units.
        let (size, shown) = match step {
            s if s + 1e-6 >= 3600.0 => (3600.0, 1),
            s if s + 1e-6 >= 60.0 => (60.0, 2),
            _ => (1.0, 3),
        };
        let decimals = if shown == 3 { decimals_of(step).min(6) } else { 0 };
        let grain = 10f64.powi(decimals as i32) / size;
        let mut ticks = (degrees.abs() / unit * 3600.0 * grain).round() as u64;
        let per_unit = (3600.0 * grain).round() as u64;
        if self == Self::Hours {
            ticks %= 24 * per_unit;
        }
        let minus = if degrees < 0.0 && ticks > 0 { "−" } else { "" };
        let mut text = format!("{minus}{}{}", ticks / per_unit, signs[0]);
        if shown == 1 {
            return text;
        }
        let per_minute = per_unit / 60;
        text += &format!("{:02}{}", ticks % per_unit / per_minute, signs[1]);
        if shown == 3 {
            let seconds = (ticks % per_minute) as f64 / grain;
            let width = if decimals > 0 { decimals + 3 } else { 2 };
            text += &format!("{seconds:0width$.decimals$}{}", signs[2]);
        }
        text
    }
}

/// A length on the sky in the unit that reads best: `2°`, `15′`, `1.5″`.
pub(super) fn length_text(deg: f64) -> String {
    let parts = [(1.0, "°"), (60.0, "′"), (3600.0, "″")];
    let (factor, sign) = parts.into_iter().find(|(f, _)| deg * f > 0.999_999).unwrap_or((3600.0, "″"));
    format!("{}{sign}", label::rounded(deg * factor))
}

/// The longest round angle that is not above another.
pub(super) fn round_below(deg: f64) -> f64 {
    let (steps, fine) = AngleFormat::Arc.steps();
    let below = |s: &f64| *s <= deg * (1.0 + 1e-9);
    steps.into_iter().rev().find(below).unwrap_or_else(|| nice_step(deg / fine * 0.4).0 * fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_have_the_parts_that_their_step_needs() {
        use AngleFormat::{Arc, Degrees, Hours};
        for (format, degrees, step, wanted) in [
            (Degrees, -0.5, 0.5, "−0.5°"),
            (Arc, -22.5, 0.25, "−22°30′"),
            (Arc, -0.25, 0.25, "−0°15′"),
            (Arc, 30.0, 10.0, "30°"),
            (Arc, 21.0 + 59.0 / 60.0 + 58.0 / 3600.0, 2.0 / 3600.0, "21°59′58″"),
            (Hours, 83.5, 0.25, "5ʰ34ᵐ"),
            (Hours, 83.625, 30.0 * HOUR_DEG / 3600.0, "5ʰ34ᵐ30ˢ"),
            (Hours, 359.999_999_999, 0.25, "0ʰ00ᵐ"),
            (Hours, 90.0, 15.0, "6ʰ"),
            (Hours, HOUR_DEG * 1.5 / 3600.0, 0.5 * HOUR_DEG / 3600.0, "0ʰ00ᵐ01.5ˢ"),
        ] {
            assert_eq!(format.text(degrees, step), wanted);
        }
    }

    #[test]
    fn steps_divide_the_next_unit_and_grow_and_shrink() {
        for format in [AngleFormat::Degrees, AngleFormat::Arc, AngleFormat::Hours] {
            let mut least = 1e-5;
            while least < 90.0 {
                let step = format.step_at_least(least);
                assert!(step >= least * (1.0 - 1e-6) && step < 7.0 * least, "{format:?} {least} {step}");
                let finer = format.next_finer(step);
                assert!(finer < step && finer > 0.1 * step, "{format:?} {step} {finer}");
                least *= 1.37;
            }
        }
        assert_eq!(AngleFormat::Hours.step_at_least(0.3), 0.5);
        assert_eq!(AngleFormat::Arc.step_at_least(0.3), 20.0 / 60.0);
        for (deg, round, text) in [(0.3, 20.0 / 60.0 * 0.75, "15′"), (1.9, 1.0, "1°"), (0.02, 1.0 / 60.0, "1′")] {
            assert!((round_below(deg) - round).abs() < 1e-12, "{deg}: {}", round_below(deg));
            assert_eq!(length_text(round), text);
        }
        assert!(round_below(1e-5) <= 1e-5 && round_below(1e-5) > 1e-6);
    }
}
