//! Parameters: a value with a unit, bounds, and what a fit may do with it.

use super::prior::Prior;
use crate::error::{Error, Result};
use crate::units::Unit;

/// The values that a scan of the statistic takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// First value; `None`: `n_sigma` errors below the parameter's.
    pub min: Option<f64>,
    /// Last value; `None`: `n_sigma` errors above the parameter's.
    pub max: Option<f64>,
    /// Number of values at equal distances.
    pub n_values: usize,
    /// Half of the range in errors, where an end is not given.
    pub n_sigma: f64,
    /// The values themselves, in place of all of the above.
    pub values: Option<Vec<f64>>,
}

impl Default for Scan {
    /// Gammapy's: 11 values within 2 errors.
    fn default() -> Self {
        Self { min: None, max: None, n_values: 11, n_sigma: 2.0, values: None }
    }
}

/// A model parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Name, as in Gammapy's YAML.
    pub name: String,
    /// Value, in `unit`.
    pub value: f64,
    /// Unit as it was written.
    pub unit: Unit,
    /// Error from a fit, 0 if there was none.
    pub error: f64,
    /// Lower bound; NaN: none.
    pub min: f64,
    /// Upper bound; NaN: none.
    pub max: f64,
    /// A fit leaves it alone.
    pub frozen: bool,
    /// Label shared with the parameters that have the same value, whatever a fit makes of it.
    pub link: Option<String>,
    /// What is known of the value, in `unit`.
    pub prior: Option<Prior>,
    /// The values that a profile of the statistic takes.
    pub scan: Scan,
}

impl Parameter {
    /// A free parameter without bounds.
    pub fn new(name: &str, value: f64, unit: Unit) -> Self {
        Self {
            name: name.to_string(),
            value,
            unit,
            error: 0.0,
            min: f64::NAN,
            max: f64::NAN,
            frozen: false,
            link: None,
            prior: None,
            scan: Scan::default(),
        }
    }

    /// Lower and upper bound, those of a uniform prior included; infinite where there is none.
    pub fn bounds(&self) -> (f64, f64) {
        let (low, high) = self.prior.as_ref().map_or((f64::NEG_INFINITY, f64::INFINITY), Prior::range);
        let or = |bound: f64, none: f64| if bound.is_nan() { none } else { bound };
        (or(self.min, low).max(low), or(self.max, high).min(high))
    }

    /// Checks what a fit begins with.
    ///
    /// # Errors
    /// [`Error::Input`] for a value that is not finite or beyond its bounds, or bounds in the wrong order.
    pub fn check(&self) -> Result<()> {
        let (min, max) = self.bounds();
        let wrong = |problem: String| {
            Err(Error::input(&self.name, problem).with_help("set its value within min and max, or take these away"))
        };
        if !self.value.is_finite() {
            return wrong(format!("value {} is not a finite number", self.value));
        }
        if min > max {
            return wrong(format!("its lower bound {min} lies above the upper one {max}"));
        }
        if self.value < min || self.value > max {
            return wrong(format!("value {} is beyond its bounds {min} and {max}", self.value));
        }
        Ok(())
    }

    /// The values that a scan takes: those given, else at equal distances between two ends (Gammapy's `scan_values`).
    ///
    /// # Errors
    /// [`Error::Input`] where an end is not known (no error and none given), or not finite, or there are no values.
    pub fn scan_values(&self) -> Result<Vec<f64>> {
        let wrong = |problem: String| Err(Error::input(&self.name, problem));
        if let Some(values) = &self.scan.values {
            return match values.iter().find(|v| !v.is_finite()) {
                _ if values.is_empty() => wrong("scan_values is empty".to_string()),
                Some(value) => wrong(format!("scan value {value} is not a finite number")),
                None => Ok(values.clone()),
            };
        }
        let is_known = self.error > 0.0;
        if (self.scan.min.is_none() || self.scan.max.is_none()) && !is_known {
            return wrong("a scan needs an error of the parameter, or its ends".to_string());
        }
        let reach = self.scan.n_sigma * self.error;
        let (a, b) = (self.scan.min.unwrap_or(self.value - reach), self.scan.max.unwrap_or(self.value + reach));
        if !(a.is_finite() && b.is_finite()) || self.scan.n_values == 0 {
            return wrong(format!("a scan of {} values from {a} to {b}", self.scan.n_values));
        }
        let last = self.scan.n_values.saturating_sub(1).max(1) as f64;
        Ok((0..self.scan.n_values).map(|i| a + (b - a) * (i as f64 / last)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::PriorDensity;

    fn parameter() -> Parameter {
        Parameter { error: 0.5, ..Parameter::new("index", 2.0, Unit::dimensionless()) }
    }

    #[test]
    fn scans_are_given_or_made_from_errors() {
        let values = parameter().scan_values().unwrap();
        assert_eq!((values.len(), values[0], values[5], values[10]), (11, 1.0, 2.0, 3.0));
        let scan = Scan { min: Some(0.0), max: Some(1.0), n_values: 3, ..Scan::default() };
        assert_eq!(Parameter { scan, ..parameter() }.scan_values().unwrap(), [0.0, 0.5, 1.0]);
        let scan = Scan { values: Some(vec![4.0, 1.0]), ..Scan::default() };
        assert_eq!(Parameter { scan, ..parameter() }.scan_values().unwrap(), [4.0, 1.0]);
        let scan = Scan { values: Some(vec![]), ..Scan::default() };
        assert!(Parameter { scan, ..parameter() }.scan_values().is_err());
        assert!(Parameter { error: 0.0, ..parameter() }.scan_values().is_err());
    }

    #[test]
    fn bounds_join_those_of_a_uniform_prior() {
        let prior = Prior::new(PriorDensity::Uniform { min: 1.0, max: 4.0 }).unwrap();
        let p = Parameter { min: 0.0, max: 3.0, prior: Some(prior), ..parameter() };
        assert_eq!(p.bounds(), (1.0, 3.0));
        assert!(p.check().is_ok());
        assert!(Parameter { value: 0.5, ..p.clone() }.check().is_err());
        assert!(Parameter { min: 5.0, max: 4.5, ..parameter() }.check().is_err());
        assert_eq!(parameter().bounds(), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
