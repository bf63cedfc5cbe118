//! Parameters: a value with a unit, bounds, and what a fit may do with it.

use crate::units::Unit;

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
    /// Name of a link shared with other parameters.
    pub link: Option<String>,
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
        }
    }
}
