//! A pulse that repeats.

use std::sync::Arc;

use super::TemporalModel;
use crate::error::{Error, Result};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 5] = [
    ParameterSpec::frozen("t_ref", 48442.5, "d"),
    ParameterSpec::frozen("phi_ref", 0.0, ""),
    ParameterSpec::frozen("f0", 29.946923, "s-1"),
    ParameterSpec::frozen("f1", 0.0, "s-2"),
    ParameterSpec::frozen("f2", 0.0, "s-3"),
];

const SECONDS_PER_DAY: f64 = 86400.0;

/// Factors at phases of a rotation, linear in between and extrapolated to the whole of 0 to 1; the phase is
/// phi_ref + f0 t + f1 t² / 2 + f2 t³ / 6 at a time t after t_ref (Gammapy's `TemplatePhaseCurveTemporalModel`).
///
/// Gammapy: takes the frequency at the start of an interval for all of it; here it is the mean one.
///
/// ```
/// use pevatron::models::temporal::{TemplatePhaseCurveTemporalModel, TemporalModel};
/// let pulse = TemplatePhaseCurveTemporalModel::new(vec![0.0, 0.5, 1.0], vec![0.0, 3.0, 0.0], true)?;
/// assert!((pulse.evaluate(48442.5 + 0.25 / 29.946923 / 86400.0) - 1.0).abs() < 1e-3);
/// assert!((pulse.integral_days(50000.0, 50001.0) - 1.0).abs() < 1e-6);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TemplatePhaseCurveTemporalModel {
    set: ParameterSet<5>,
    phases: Vec<f64>,
    /// Factors; normalised where that was asked for.
    norms: Vec<f64>,
    normalize: bool,
    scale: String,
    filename: Option<String>,
}

impl TemplatePhaseCurveTemporalModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "TemplatePhaseCurveTemporalModel";

    /// From phases within 0 and 1, increasing, and factors; with `normalize` (Gammapy's default) these are divided by
    /// their mean over a rotation. The timing is Gammapy's default, see [`TemporalModel::with_parameters`].
    ///
    /// # Errors
    /// [`Error::Input`] for fewer than two phases, unlike lengths, phases that do not increase or lie outside of 0 to 1,
    /// values that are not finite, or a mean that is not positive where it is to be normalised.
    pub fn new(phases: Vec<f64>, norms: Vec<f64>, normalize: bool) -> Result<Self> {
        let wrong = |what: String| Err(Error::input(Self::TAG, what));
        if phases.len() < 2 || phases.len() != norms.len() {
            return wrong(format!("{} phases and {} norms, of two or more", phases.len(), norms.len()));
        }
        if let Some(v) = phases.iter().chain(&norms).find(|v| !v.is_finite()) {
            return wrong(format!("value {v} is not a finite number"));
        }
        if let Some(p) = phases.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return wrong(format!("phase {p} does not lie within 0 and 1"));
        }
        if let Some(pair) = phases.windows(2).find(|w| w[1] <= w[0]) {
            return wrong(format!("phase {} does not follow {}", pair[1], pair[0]));
        }
        let set = ParameterSet::defaults(&SPECS);
        let mut model = Self { set, phases, norms, normalize, scale: "utc".to_string(), filename: None };
        if normalize {
            let mean = model.sum_to(1.0);
            if mean <= 0.0 {
                return wrong(format!("the mean over a rotation is {mean}, it cannot be normalised"));
            }
            model.norms.iter_mut().for_each(|v| *v /= mean);
        }
        Ok(model)
    }

    /// With the name of the file that the table came from, for writing.
    pub fn with_filename(self, filename: impl Into<String>) -> Self {
        Self { filename: Some(filename.into()), ..self }
    }

    /// With dates in another time scale than UTC.
    ///
    /// # Errors
    /// For one that is not known.
    pub fn with_scale(self, scale: &str) -> Result<Self> {
        crate::time::convert_mjd(0.0, "utc", scale)?;
        Ok(Self { scale: scale.to_string(), ..self })
    }

    /// The name of the table's file.
    pub fn filename(&self) -> Option<&str> {
        self.filename.as_deref()
    }

    /// Phases, and the factors there.
    pub fn nodes(&self) -> (&[f64], &[f64]) {
        (&self.phases, &self.norms)
    }

    /// Whether the factors were divided by their mean.
    pub fn is_normalized(&self) -> bool {
        self.normalize
    }

    /// Gammapy's default timing.
    pub fn default_parameters() -> [Parameter; 5] {
        SPECS.map(|spec| spec.parameter(spec.value))
    }

    /// Rotations since the one that phi_ref counts in.
    fn rotations(&self, mjd: f64) -> f64 {
        let [t_ref, phi_ref, f0, f1, f2] = *self.set.values();
        let t = (mjd - t_ref) * SECONDS_PER_DAY;
        phi_ref + t * (f0 + t / 2.0 * (f1 + t / 3.0 * f2))
    }

    fn at_phase(&self, phase: f64) -> f64 {
        let upper = self.phases.partition_point(|p| *p <= phase).clamp(1, self.phases.len() - 1);
        let weight = (phase - self.phases[upper - 1]) / (self.phases[upper] - self.phases[upper - 1]);
        self.norms[upper - 1] + (self.norms[upper] - self.norms[upper - 1]) * weight
    }

    /// Integral from phase 0 to another one, up to 1.
    fn sum_to(&self, phase: f64) -> f64 {
        let mut ends = vec![0.0];
        ends.extend(self.phases.iter().copied().filter(|p| *p > 0.0 && *p < phase));
        ends.push(phase);
        // A line between any two ends, so the middle is the mean.
        ends.windows(2).map(|w| (w[1] - w[0]) * self.at_phase(0.5 * (w[0] + w[1]))).sum()
    }
}

impl TemporalModel for TemplatePhaseCurveTemporalModel {
    fn tag(&self) -> &'static str {
        Self::TAG
    }

    fn parameters(&self) -> &[Parameter] {
        self.set.parameters()
    }

    fn scale(&self) -> &str {
        &self.scale
    }

    fn evaluate(&self, mjd: f64) -> f64 {
        let rotations = self.rotations(mjd);
        self.at_phase(rotations - rotations.floor())
    }

    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        let (a, b) = (self.rotations(start), self.rotations(stop));
        if a == b {
            return self.evaluate(start) * (stop - start);
        }
        let part = |rotations: f64| self.sum_to(rotations - rotations.floor());
        let whole = (b.floor() - a.floor()) * self.sum_to(1.0);
        (whole + part(b) - part(a)) * (stop - start) / (b - a)
    }

    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn TemporalModel>> {
        let set = ParameterSet::from_parameters(Self::TAG, &SPECS, parameters)?;
        Ok(Arc::new(Self { set, ..self.clone() }))
    }

    fn as_phase_curve(&self) -> Option<&TemplatePhaseCurveTemporalModel> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::temporal::TemporalModel;

    fn with(values: [f64; 5]) -> Arc<dyn TemporalModel> {
        let model = TemplatePhaseCurveTemporalModel::new(vec![0.1, 0.4, 0.8], vec![1.0, 4.0, 0.5], false).unwrap();
        let parameters: Vec<Parameter> = SPECS.iter().zip(values).map(|(spec, v)| spec.parameter(v)).collect();
        model.with_parameters(&parameters).unwrap()
    }

    #[test]
    fn pulses_are_lines_to_both_ends() {
        let model = with([55555.0, 0.0, 1.0 / 86400.0, 0.0, 0.0]);
        // From 0.1 on down to phase 0, and from 0.8 on to 1.
        for (phase, wanted) in [(0.0, 0.0), (0.05, 0.5), (0.25, 2.5), (0.8, 0.5), (0.9, -0.375)] {
            assert!((model.evaluate(55555.0 + phase) - wanted).abs() < 1e-9, "{phase}");
        }
        let sum = |a: f64, b: f64| {
            let n = 200_000;
            (0..n).map(|i| model.evaluate(a + (b - a) * (f64::from(i) + 0.5) / f64::from(n))).sum::<f64>() * (b - a)
                / f64::from(n)
        };
        for (a, b) in [(55555.2, 55555.3), (55554.7, 55557.1), (55555.9, 55556.05)] {
            // The sum blurs each jump from 1 to 0 by a step.
            assert!((model.integral_days(a, b) - sum(a, b)).abs() < 5e-5, "{a} {b}");
        }
    }

    #[test]
    fn a_clock_that_stands_still_has_one_phase() {
        let model = with([55555.0, 0.25, 0.0, 0.0, 0.0]);
        assert!((model.evaluate(55570.0) - 2.5).abs() < 1e-12);
        assert!((model.integral_days(55570.0, 55572.0) - 5.0).abs() < 1e-12);
    }

    #[test]
    fn tables_that_are_none_are_refused() {
        let new = |phases: &[f64], norms: &[f64]| {
            TemplatePhaseCurveTemporalModel::new(phases.to_vec(), norms.to_vec(), true).unwrap_err().to_string()
        };
        for (phases, norms, said) in [
            (vec![0.5], vec![1.0], "1 phases"),
            (vec![0.5, 0.4], vec![1.0, 1.0], "0.4 does not follow 0.5"),
            (vec![0.5, 1.2], vec![1.0, 1.0], "1.2"),
            (vec![0.5, 0.7], vec![1.0, f64::NAN], "NaN"),
            (vec![0.0, 1.0], vec![1.0, -1.0], "normalised"),
        ] {
            let error = new(&phases, &norms);
            assert!(error.contains(said), "{error}");
        }
    }
}
