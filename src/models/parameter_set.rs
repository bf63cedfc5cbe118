//! The parameters that a model type has, with their values in the units that it computes in.

use super::parameter::Parameter;
use crate::error::{Error, Result};
use crate::units::Unit;

/// What Gammapy says about a parameter of a model type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParameterSpec {
    pub name: &'static str,
    /// Default value, in `unit`.
    pub value: f64,
    /// Unit that the model computes in, spelled as Gammapy writes it.
    pub unit: &'static str,
    pub frozen: bool,
    pub min: f64,
    pub max: f64,
}

impl ParameterSpec {
    pub const fn free(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, frozen: false, min: f64::NAN, max: f64::NAN }
    }

    pub const fn frozen(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { frozen: true, ..Self::free(name, value, unit) }
    }

    pub const fn bounded(self, min: f64, max: f64) -> Self {
        Self { min, max, ..self }
    }

    /// The unit of the specification, which is always a known one (a test of each model goes through here).
    fn known_unit(&self) -> Unit {
        self.unit.parse().unwrap_or_default()
    }

    /// For a flux, what is left of its unit where no exposure makes counts of it, see `SkyModel::apply_irf`.
    fn unit_of_counts(&self) -> Option<Unit> {
        let text = match self.unit {
            "TeV-1 s-1 cm-2" => "TeV-1",
            "s-1 cm-2" => "",
            _ => return None,
        };
        text.parse().ok()
    }

    pub fn parameter(&self, value: f64) -> Parameter {
        Parameter {
            frozen: self.frozen,
            min: self.min,
            max: self.max,
            ..Parameter::new(self.name, value, self.known_unit())
        }
    }
}

/// `N` parameters in the order of the specification, and their values converted to its units.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ParameterSet<const N: usize> {
    parameters: Vec<Parameter>,
    values: [f64; N],
}

impl<const N: usize> ParameterSet<N> {
    pub fn new(specs: &[ParameterSpec; N], values: [f64; N]) -> Self {
        let parameters = specs.iter().zip(values).map(|(spec, value)| spec.parameter(value)).collect();
        Self { parameters, values }
    }

    pub fn defaults(specs: &[ParameterSpec; N]) -> Self {
        Self::new(specs, specs.map(|spec| spec.value))
    }

    /// Takes the parameters by name, in any order; those that are missing have the defaults, others are ignored, as
    /// Gammapy does both.
    pub fn from_parameters(tag: &str, specs: &[ParameterSpec; N], given: &[Parameter]) -> Result<Self> {
        let mut set = Self::defaults(specs);
        for (i, spec) in specs.iter().enumerate() {
            let Some(parameter) = given.iter().find(|p| p.name == spec.name) else { continue };
            let place = || format!("{tag}.{}", spec.name);
            if !parameter.value.is_finite() {
                return Err(Error::input(place(), format!("value {} is not a finite number", parameter.value)));
            }
            let counts = || spec.unit_of_counts().and_then(|unit| parameter.unit.factor_to(&unit).ok());
            let factor = parameter.unit.factor_to(&spec.known_unit()).or_else(|e| counts().ok_or(e)).map_err(|_| {
                let expected = if spec.unit.is_empty() { "no unit" } else { spec.unit };
                Error::input(place(), format!("unit '{}' where {expected} is needed", parameter.unit))
            })?;
            set.values[i] = parameter.value * factor;
            set.parameters[i] = parameter.clone();
        }
        Ok(set)
    }

    /// With another value (in the unit of the specification) for parameter `i`, which keeps its own unit.
    pub fn with_value(mut self, specs: &[ParameterSpec; N], i: usize, value: f64) -> Self {
        let factor = specs[i].known_unit().factor_to(&self.parameters[i].unit).unwrap_or(1.0);
        self.parameters[i].value = value * factor;
        self.values[i] = value;
        self
    }

    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Values in the units of the specification.
    pub fn values(&self) -> &[f64; N] {
        &self.values
    }
}

/// What every model made of parameters alone has: its tag, defaults, and the way from and to parameters.
macro_rules! parameter_model {
    ($name:ident, $tag:literal, $specs:expr) => {
        impl Default for $name {
            /// With Gammapy's default parameters.
            fn default() -> Self {
                Self { set: ParameterSet::defaults($specs) }
            }
        }

        impl $name {
            /// Gammapy's type name.
            pub const TAG: &'static str = $tag;

            /// From parameters in any order and unit; missing ones have Gammapy's defaults, unknown ones are ignored.
            ///
            /// # Errors
            /// [`crate::Error::Input`] that names the parameter, for a value that is not finite or a unit of another
            /// kind.
            pub fn from_parameters(parameters: &[Parameter]) -> crate::Result<Self> {
                Ok(Self { set: ParameterSet::from_parameters(Self::TAG, $specs, parameters)? })
            }
        }
    };
}

pub(crate) use parameter_model;
