//! A table of times and factors.

use std::sync::Arc;

use super::{T_REF, TemporalModel};
use crate::error::{Error, Result};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 1] = [ParameterSpec::frozen("t_ref", T_REF, "d")];

/// Factors at times, linear in between and beyond, not below 0 (Gammapy's `LightCurveTemplateTemporalModel` without
/// energies). Gammapy: sums 100 samples for an integral, of which the ends count twice; here it is that of the lines.
///
/// ```
/// use pevatron::models::temporal::{LightCurveTemplateTemporalModel, TemporalModel};
/// let model = LightCurveTemplateTemporalModel::new(55555.0, vec![0.0, 1.0, 3.0], vec![1.0, 2.0, 0.0])?;
/// assert_eq!(model.evaluate(55555.5), 1.5);
/// assert!((model.integral_days(55555.0, 55558.0) - 3.5).abs() < 1e-12);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LightCurveTemplateTemporalModel {
    set: ParameterSet<1>,
    days: Vec<f64>,
    norms: Vec<f64>,
    scale: String,
    filename: Option<String>,
}

impl LightCurveTemplateTemporalModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "LightCurveTemplateTemporalModel";

    /// From a reference (modified Julian date, UTC), days since then, increasing, and factors.
    ///
    /// # Errors
    /// [`Error::Input`] for fewer than two times, unlike lengths, times that do not increase, or values that are not
    /// finite.
    pub fn new(t_ref_mjd: f64, days: Vec<f64>, norms: Vec<f64>) -> Result<Self> {
        let wrong = |what: String| Err(Error::input(Self::TAG, what));
        if days.len() < 2 || days.len() != norms.len() {
            return wrong(format!("{} times and {} norms, of two or more", days.len(), norms.len()));
        }
        if days.iter().chain(&norms).chain([&t_ref_mjd]).any(|v| !v.is_finite()) {
            return wrong("a value is not a finite number".to_string());
        }
        if let Some(pair) = days.windows(2).find(|w| w[1] <= w[0]) {
            return wrong(format!("time {} does not follow {}", pair[1], pair[0]));
        }
        let set = ParameterSet::new(&SPECS, [t_ref_mjd]);
        Ok(Self { set, days, norms, scale: "utc".to_string(), filename: None })
    }

    /// With the name of the file that the table came from, for writing.
    pub fn with_filename(self, filename: impl Into<String>) -> Self {
        Self { filename: Some(filename.into()), ..self }
    }

    /// The name of the table's file.
    pub fn filename(&self) -> Option<&str> {
        self.filename.as_deref()
    }

    /// Days since the reference, and factors.
    pub fn nodes(&self) -> (&[f64], &[f64]) {
        (&self.days, &self.norms)
    }

    fn at(&self, day: f64) -> f64 {
        let upper = self.days.partition_point(|d| *d <= day).clamp(1, self.days.len() - 1);
        let (a, b) = (upper - 1, upper);
        let weight = (day - self.days[a]) / (self.days[b] - self.days[a]);
        (self.norms[a] + (self.norms[b] - self.norms[a]) * weight).max(0.0)
    }
}

impl TemporalModel for LightCurveTemplateTemporalModel {
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
        self.at(mjd - self.set.values()[0])
    }

    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        let t_ref = self.set.values()[0];
        let (start, stop) = (start - t_ref, stop - t_ref);
        let mut ends = vec![start];
        ends.extend(self.days.iter().copied().filter(|d| *d > start && *d < stop));
        ends.push(stop);
        let line = |a: f64, b: f64| {
            // Where a line falls below 0, only the part above counts: the middle tells a line from a cut one.
            let (ya, yb, middle) = (self.at(a), self.at(b), self.at(0.5 * (a + b)));
            if (ya + yb - 2.0 * middle).abs() <= 1e-12 * (ya + yb) {
                return 0.5 * (ya + yb) * (b - a);
            }
            crate::math::quadrature::integrate(|t| self.at(t), a, b, 0.0, 1e-10).value
        };
        ends.windows(2).map(|w| line(w[0], w[1])).sum()
    }

    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn TemporalModel>> {
        let set = ParameterSet::from_parameters(Self::TAG, &SPECS, parameters)?;
        Ok(Arc::new(Self { set, ..self.clone() }))
    }

    fn as_light_curve(&self) -> Option<&LightCurveTemplateTemporalModel> {
        Some(self)
    }
}
