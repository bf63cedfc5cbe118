//! Times within good time intervals, uniform or as a temporal model has them.

use rand::{Rng, RngExt};

use crate::error::{Error, Result};
use crate::models::TemporalModel;
use crate::time::{Gti, convert_mjd};

const DAY_S: f64 = 86400.0;

/// Parts of an interval that a variation is first looked at in.
const FIRST_PARTS: usize = 16;

/// How often a part is halved at most, until the variation is a line in it.
const HALVINGS: u32 = 10;

/// Relative deviation from a line up to which a part counts as one.
const STRAIGHT: f64 = 1e-4;

/// Where in a part it is looked at beside the ends and the middle: no period divides the part there.
const PROBE: f64 = 0.292_893;

/// Steps of a bisection: enough for a nanosecond in a year.
const BISECTIONS: usize = 55;

/// Good time intervals one after the other: time that is observed.
#[derive(Debug, Clone)]
pub(super) struct Livetime {
    /// Start and stop in seconds since the reference, and the time observed before.
    pieces: Vec<(f64, f64, f64)>,
    total_s: f64,
    reference_mjd: f64,
    timesys: String,
}

impl Livetime {
    /// Of sorted intervals; those that overlap are one.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no time in them.
    pub fn new(gti: &Gti) -> Result<Self> {
        let mut total_s = 0.0;
        let mut pieces = Vec::new();
        for (start, stop) in gti.merged().intervals {
            if stop > start && start.is_finite() && stop.is_finite() {
                pieces.push((start, stop, total_s));
                total_s += stop - start;
            }
        }
        if total_s <= 0.0 {
            return Err(Error::input("gti", "there is no time in the good time intervals, so no event has one")
                .with_help("a dataset with the intervals of its observation is needed"));
        }
        let (reference_mjd, timesys) = (gti.reference.mjd(), gti.reference.timesys.clone());
        Ok(Self { pieces, total_s, reference_mjd, timesys })
    }

    /// Observed time in seconds.
    pub fn total_s(&self) -> f64 {
        self.total_s
    }

    /// The intervals that an observed time falls into, from one observed time to another.
    fn between(&self, from_s: f64, to_s: f64) -> impl Iterator<Item = (f64, f64)> {
        self.pieces.iter().filter_map(move |(start, stop, before)| {
            let a = start + (from_s - before).max(0.0);
            let b = (start + (to_s - before)).min(*stop);
            (b > a).then_some((a, b))
        })
    }

    /// Seconds since the reference at an observed time.
    fn seconds_at(&self, observed_s: f64) -> f64 {
        let after = self.pieces.partition_point(|(.., before)| *before <= observed_s).max(1);
        let (start, stop, before) = self.pieces[after - 1];
        (start + (observed_s - before)).clamp(start, stop)
    }

    /// The date of a time in the scale of a model.
    fn date(&self, seconds: f64, model: &dyn TemporalModel) -> Result<f64> {
        convert_mjd(self.reference_mjd + seconds / DAY_S, &self.timesys, model.scale())
    }

    /// Integral of a variation from one observed time to another, in days.
    ///
    /// # Errors
    /// [`Error::Input`] where it is not finite or negative, or for an unknown time scale.
    pub fn integral_days(&self, model: &dyn TemporalModel, from_s: f64, to_s: f64) -> Result<f64> {
        let mut sum = 0.0;
        for (a, b) in self.between(from_s, to_s) {
            let date = self.date(a, model)?;
            sum += model.integral_days(date, date + (b - a) / DAY_S);
        }
        if sum.is_finite() && sum >= 0.0 {
            return Ok(sum);
        }
        Err(Error::input(model.tag(), format!("its integral over the good time intervals is {sum} days"))
            .with_help("a variation that events are drawn from is finite and not negative"))
    }
}

/// A part of an interval in which a variation is drawn.
#[derive(Debug, Clone, Copy)]
struct Part {
    start_s: f64,
    length_s: f64,
    start_mjd: f64,
    /// Values at both ends where it is a line in between.
    line: Option<(f64, f64)>,
    integral_days: f64,
}

/// Times from one observed time to another.
#[derive(Debug, Clone)]
pub(super) struct TimeLaw {
    from_s: f64,
    to_s: f64,
    /// Parts of a variation and their integrals added up; none for a constant source.
    parts: Vec<Part>,
    cumulative: Vec<f64>,
}

impl TimeLaw {
    /// Prepares times for a model; `None`: uniform.
    ///
    /// # Errors
    /// [`Error::Input`] for a variation that is negative or not finite.
    pub fn new(livetime: &Livetime, model: Option<&dyn TemporalModel>, from_s: f64, to_s: f64) -> Result<Self> {
        let mut law = Self { from_s, to_s, parts: Vec::new(), cumulative: Vec::new() };
        let Some(model) = model else { return Ok(law) };
        for (a, b) in livetime.between(from_s, to_s) {
            let date = livetime.date(a, model)?;
            let step = (b - a) / FIRST_PARTS as f64;
            for i in 0..FIRST_PARTS {
                let start_s = a + step * i as f64;
                law.divide(model, (start_s, date + (start_s - a) / DAY_S), step, HALVINGS)?;
            }
        }
        let mut sum = 0.0;
        for part in &law.parts {
            sum += part.integral_days;
            law.cumulative.push(sum);
        }
        Ok(law)
    }

    /// Adds a part, halved where the variation is not a line in it.
    fn divide(
        &mut self,
        model: &dyn TemporalModel,
        (start_s, start_mjd): (f64, f64),
        length_s: f64,
        halvings: u32,
    ) -> Result<()> {
        let days = length_s / DAY_S;
        let at = |fraction: f64| model.evaluate(start_mjd + fraction * days);
        let (first, probe, middle, last) = (at(0.0), at(PROBE), at(0.5), at(1.0));
        if [first, probe, middle, last].iter().any(|v| *v < 0.0) {
            return Err(Error::input(model.tag(), format!("it falls below 0 near MJD {start_mjd:.6}"))
                .with_help("a variation that events are drawn from is not negative"));
        }
        let integral_days = model.integral_days(start_mjd, start_mjd + days);
        if !integral_days.is_finite() {
            return Err(Error::input(model.tag(), format!("its integral near MJD {start_mjd:.6} is not finite")));
        }
        let scale = STRAIGHT * first.max(last).max(middle);
        let near = |value: f64, line: f64| (value - line).abs() <= scale;
        let straight = scale.is_finite()
            && near(middle, 0.5 * (first + last))
            && near(probe, (1.0 - PROBE) * first + PROBE * last)
            && near(integral_days / days, 0.5 * (first + last));
        if !straight && halvings > 0 {
            let half = 0.5 * length_s;
            self.divide(model, (start_s, start_mjd), half, halvings - 1)?;
            return self.divide(model, (start_s + half, start_mjd + 0.5 * days), half, halvings - 1);
        }
        let line = straight.then_some((first, last));
        self.parts.push(Part { start_s, length_s, start_mjd, line, integral_days: integral_days.max(0.0) });
        Ok(())
    }

    /// A time in seconds since the reference.
    pub fn draw(&self, livetime: &Livetime, model: Option<&dyn TemporalModel>, rng: &mut impl Rng) -> f64 {
        let u: f64 = rng.random();
        let (Some(model), Some(total)) = (model, self.cumulative.last()) else {
            return livetime.seconds_at(self.from_s + (self.to_s - self.from_s) * u);
        };
        let place = u * total;
        let part = self.parts[self.cumulative.partition_point(|c| *c <= place).min(self.parts.len() - 1)];
        let u: f64 = rng.random();
        let fraction = match part.line {
            Some((a, b)) if a + b > 0.0 => u * (a + b) / (a + (a * a + u * (b * b - a * a)).max(0.0).sqrt()),
            Some(_) => u,
            None => {
                let days = part.length_s / DAY_S;
                let (mut low, mut high) = (0.0, 1.0);
                for _ in 0..BISECTIONS {
                    let middle = 0.5 * (low + high);
                    let below = model.integral_days(part.start_mjd, part.start_mjd + middle * days);
                    if below < u * part.integral_days { low = middle } else { high = middle }
                }
                0.5 * (low + high)
            }
        };
        part.start_s + part.length_s * fraction.min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Parameter;
    use crate::models::temporal::{SineTemporalModel, from_parameters};
    use crate::time::TimeReference;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn gti() -> Gti {
        // Not in order, and two of them overlap.
        let intervals = vec![(5000.0, 6000.0), (0.0, 1000.0), (500.0, 1800.0)];
        Gti { intervals, reference: TimeReference::mjd_zero("tt") }
    }

    fn model(tag: &str, values: &[(&str, f64, &str)]) -> std::sync::Arc<dyn TemporalModel> {
        let parameters: Vec<Parameter> =
            values.iter().map(|(n, v, u)| Parameter::new(n, *v, u.parse().unwrap())).collect();
        from_parameters(tag, &parameters, "tt").unwrap()
    }

    #[test]
    fn observed_time_has_no_gaps() {
        let livetime = Livetime::new(&gti()).unwrap();
        assert_eq!(livetime.total_s(), 2800.0);
        assert_eq!(livetime.seconds_at(1700.0), 1700.0);
        assert_eq!(livetime.seconds_at(1900.0), 5100.0);
        assert_eq!(livetime.between(1500.0, 2000.0).collect::<Vec<_>>(), [(1500.0, 1800.0), (5000.0, 5200.0)]);
        assert!(Livetime::new(&Gti::default()).is_err());
        assert!(Livetime::new(&Gti { intervals: vec![(1.0, 1.0)], ..gti() }).is_err());
    }

    /// Times against the integral of the model, whatever its shape: lines, flares shorter than the first parts, a
    /// variation too fast for a table, a pole at the beginning.
    #[test]
    fn times_follow_the_integral() {
        let livetime = Livetime::new(&gti()).unwrap();
        let day = |s: f64| s / DAY_S;
        for model in [
            model("LinearTemporalModel", &[("alpha", 0.1, ""), ("beta", 10.0, "d-1"), ("t_ref", 0.0, "d")]),
            model("GaussianTemporalModel", &[("t_ref", day(5500.0), "d"), ("sigma", day(3.0), "d")]),
            model("ExpDecayTemporalModel", &[("t_ref", 0.0, "d"), ("t0", day(300.0), "d")]),
            model("PowerLawTemporalModel", &[("alpha", -0.5, ""), ("t_ref", 0.0, "d"), ("t0", day(300.0), "d")]),
            model(
                SineTemporalModel::TAG,
                &[("amp", 0.9, ""), ("omega", 2.0 * 86400.0, "rad / d"), ("t_ref", 0.0, "d")],
            ),
        ] {
            let whole = livetime.integral_days(model.as_ref(), 0.0, 2800.0).unwrap();
            let law = TimeLaw::new(&livetime, Some(model.as_ref()), 0.0, 2800.0).unwrap();
            let mut rng = ChaCha8Rng::seed_from_u64(4);
            const N: usize = 20_000;
            let mut times: Vec<f64> = (0..N).map(|_| law.draw(&livetime, Some(model.as_ref()), &mut rng)).collect();
            times.sort_by(f64::total_cmp);
            let mut worst: f64 = 0.0;
            for (i, t) in times.iter().enumerate().step_by(7) {
                assert!((0.0..=1800.0).contains(t) || (5000.0..=6000.0).contains(t), "{t}");
                let observed = if *t > 2000.0 { t - 3200.0 } else { *t };
                let cdf = livetime.integral_days(model.as_ref(), 0.0, observed).unwrap() / whole;
                worst = worst.max((cdf - (i as f64 + 0.5) / N as f64).abs());
            }
            assert!(worst * (N as f64).sqrt() < 1.8, "{}: {}", model.tag(), worst * (N as f64).sqrt());
        }
    }

    #[test]
    fn negative_variations_are_errors() {
        let livetime = Livetime::new(&gti()).unwrap();
        let falling = model("LinearTemporalModel", &[("alpha", 1.0, ""), ("beta", -20.0, "d-1"), ("t_ref", 0.0, "d")]);
        let error = TimeLaw::new(&livetime, Some(falling.as_ref()), 0.0, 2800.0).unwrap_err().to_string();
        assert!(error.contains("below 0"), "{error}");
    }
}
