//! A table of times and factors.

use std::sync::Arc;

use ndarray::Array2;

use super::{T_REF, TemporalModel};
use crate::error::{Error, Result};
use crate::maps::MapAxis;
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};
use crate::units::Unit;

const SPECS: [ParameterSpec; 1] = [ParameterSpec::frozen("t_ref", T_REF, "d")];

/// Factors at times, linear in between and beyond, not below 0 (Gammapy's `LightCurveTemplateTemporalModel`). Gammapy:
/// sums 100 samples for an integral, of which the ends count twice; here it is that of the lines.
///
/// With energies ([`LightCurveTemplateTemporalModel::with_energies`]) it is linear in time, in the scale of the energy
/// axis and in the logarithm of the factor; without an energy given, that in the middle of the axis is taken.
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
    energies: Option<Energies>,
    scale: String,
    filename: Option<String>,
    is_map: bool,
}

/// The factors of an axis of energies.
#[derive(Debug, Clone, PartialEq)]
struct Energies {
    axis: MapAxis,
    /// TeV to the unit of the axis.
    factor: f64,
    middle_tev: f64,
    /// Logarithms of the factors, `[energy, time]`.
    logs: Array2<f64>,
}

impl Energies {
    /// The logarithm of the factor at a node of time.
    fn log(&self, energy_pix: f64, time: usize) -> f64 {
        let n = self.axis.nbin();
        if n == 1 {
            return self.logs[[0, time]];
        }
        let lower = (energy_pix.floor().max(0.0) as usize).min(n - 2);
        let (a, b) = (self.logs[[lower, time]], self.logs[[lower + 1, time]]);
        a + (b - a) * (energy_pix - lower as f64)
    }
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
        Ok(Self { set, days, norms, energies: None, scale: "utc".to_string(), filename: None, is_map: false })
    }

    /// From a reference (modified Julian date, UTC), days since then, increasing, an axis of energies, and factors
    /// `[energy, time]`.
    ///
    /// # Errors
    /// As [`LightCurveTemplateTemporalModel::new`], and for an axis in another unit or of another length.
    pub fn with_energies(t_ref_mjd: f64, days: Vec<f64>, axis: MapAxis, norms: &Array2<f64>) -> Result<Self> {
        if norms.dim() != (axis.nbin(), days.len()) {
            let problem = format!("{:?} norms for {} energies and {} times", norms.dim(), axis.nbin(), days.len());
            return Err(Error::input(Self::TAG, problem));
        }
        if norms.iter().any(|v| !v.is_finite()) {
            return Err(Error::input(Self::TAG, "a value is not a finite number"));
        }
        let factor = "TeV".parse::<Unit>()?.factor_to(axis.unit())?;
        let middle_tev = axis.pix_to_coord(0.5 * (axis.nbin() - 1) as f64) / factor;
        let logs = norms.mapv(|v| v.max(f64::MIN_POSITIVE).ln());
        let ones = vec![1.0; days.len()];
        let energies = Some(Energies { axis, factor, middle_tev, logs });
        Ok(Self { energies, is_map: true, ..Self::new(t_ref_mjd, days, ones)? })
    }

    /// As one that a map was read for, not a table: what is written says so.
    pub fn as_map(self) -> Self {
        Self { is_map: true, ..self }
    }

    /// True where its file holds a map, not a table.
    pub fn is_map(&self) -> bool {
        self.is_map
    }

    /// The axis of energies, and the logarithms of the factors `[energy, time]`.
    pub fn energies(&self) -> Option<(&MapAxis, &Array2<f64>)> {
        self.energies.as_ref().map(|e| (&e.axis, &e.logs))
    }

    /// The segment of a day, and how far the day lies in it.
    fn segment(&self, day: f64) -> (usize, f64) {
        let upper = self.days.partition_point(|d| *d <= day).clamp(1, self.days.len() - 1);
        (upper - 1, (day - self.days[upper - 1]) / (self.days[upper] - self.days[upper - 1]))
    }

    /// The logarithm of the factor at an energy.
    fn log_at(&self, energies: &Energies, day: f64, energy_tev: f64) -> f64 {
        let pix = energies.axis.coord_to_pix(energy_tev * energies.factor);
        let (first, weight) = self.segment(day);
        let (a, b) = (energies.log(pix, first), energies.log(pix, first + 1));
        a + (b - a) * weight
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
        let (a, weight) = self.segment(day);
        (self.norms[a] + (self.norms[a + 1] - self.norms[a]) * weight).max(0.0)
    }

    /// Start, nodes in between, and stop, in days since the reference.
    fn ends(&self, start: f64, stop: f64) -> Vec<f64> {
        let mut ends = vec![start];
        ends.extend(self.days.iter().copied().filter(|d| *d > start && *d < stop));
        ends.push(stop);
        ends
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
        match &self.energies {
            Some(energies) => self.evaluate_at(mjd, energies.middle_tev),
            None => self.at(mjd - self.set.values()[0]),
        }
    }

    fn is_energy_dependent(&self) -> bool {
        self.energies.is_some()
    }

    fn evaluate_at(&self, mjd: f64, energy_tev: f64) -> f64 {
        let Some(energies) = &self.energies else { return self.evaluate(mjd) };
        let value = self.log_at(energies, mjd - self.set.values()[0], energy_tev).exp();
        // Far beyond the ends the line of logarithms leads out of all numbers.
        if value <= 2.0 * f64::MIN_POSITIVE || !value.is_finite() { 0.0 } else { value }
    }

    fn integral_days_at(&self, start: f64, stop: f64, energy_tev: f64) -> f64 {
        let Some(energies) = &self.energies else { return self.integral_days(start, stop) };
        let t_ref = self.set.values()[0];
        let ends = self.ends(start - t_ref, stop - t_ref);
        let value = |a: f64, b: f64| {
            // An exponential between its ends: (y1 - y0) / ln(y1 / y0).
            let (p, q) = (self.log_at(energies, a, energy_tev), self.log_at(energies, b, energy_tev));
            let width = q - p;
            let mean = if width == 0.0 { p.exp() } else { p.exp() * (width.exp_m1() / width) };
            if mean.is_finite() { mean * (b - a) } else { 0.0 }
        };
        ends.windows(2).map(|w| value(w[0], w[1])).sum()
    }

    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        if let Some(energies) = &self.energies {
            return self.integral_days_at(start, stop, energies.middle_tev);
        }
        let t_ref = self.set.values()[0];
        let ends = self.ends(start - t_ref, stop - t_ref);
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
