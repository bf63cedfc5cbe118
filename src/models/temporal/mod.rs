//! Temporal models, one per file: how the flux of a source varies with time.
//!
//! Times are modified Julian dates in the model's time scale, values have no unit. A source's predicted counts are
//! multiplied with the mean over the good time intervals of the dataset.

use std::fmt::Debug;
use std::sync::Arc;

use super::parameter::Parameter;
use crate::error::Result;
use crate::math::quadrature;
use crate::time::{Gti, convert_mjd};

mod constant;
mod exp_decay;
mod gaussian;
mod generalized_gaussian;
mod light_curve;
mod linear;
mod phase_curve;
mod power_law;
mod registry;
mod sine;

pub use light_curve::LightCurveTemplateTemporalModel;
pub use phase_curve::TemplatePhaseCurveTemporalModel;
pub use registry::*;

/// A variation with time.
pub trait TemporalModel: Debug + Send + Sync {
    /// Gammapy's type name, e.g. `"GaussianTemporalModel"`.
    fn tag(&self) -> &'static str;

    /// Parameters in Gammapy's order.
    fn parameters(&self) -> &[Parameter];

    /// Time scale of the model's dates: `"utc"`, `"tt"`, `"tai"` or `"tdb"`.
    fn scale(&self) -> &str;

    /// The factor at a modified Julian date.
    fn evaluate(&self, mjd: f64) -> f64;

    /// Integral of the factor between two dates, in days.
    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        quadrature::integrate(|t| self.evaluate(t), start, stop, 0.0, 1e-10).value
    }

    /// True where the variation is another one at each energy.
    fn is_energy_dependent(&self) -> bool {
        false
    }

    /// The factor at a modified Julian date and an energy in TeV.
    fn evaluate_at(&self, mjd: f64, _energy_tev: f64) -> f64 {
        self.evaluate(mjd)
    }

    /// Integral of the factor at an energy in TeV between two dates, in days.
    fn integral_days_at(&self, start: f64, stop: f64, _energy_tev: f64) -> f64 {
        self.integral_days(start, stop)
    }

    /// The same model with other parameters (by name; missing ones get Gammapy's defaults).
    ///
    /// # Errors
    /// For values or units that the parameter cannot have.
    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn TemporalModel>> {
        from_parameters(self.tag(), parameters, self.scale())
    }

    /// The table of a [`LightCurveTemplateTemporalModel`], `None` for other models.
    fn as_light_curve(&self) -> Option<&LightCurveTemplateTemporalModel> {
        None
    }

    /// The table of a [`TemplatePhaseCurveTemporalModel`], `None` for other models.
    fn as_phase_curve(&self) -> Option<&TemplatePhaseCurveTemporalModel> {
        None
    }
}

/// The mean factor over good time intervals, as Gammapy's `integral` gives it, summed; 1 without any time.
///
/// # Errors
/// For time scales that are not known.
pub fn mean(model: &dyn TemporalModel, gti: &Gti) -> Result<f64> {
    mean_of(model, gti, |start, stop| model.integral_days(start, stop))
}

/// As [`mean`], at an energy in TeV.
///
/// # Errors
/// As [`mean`].
pub fn mean_at(model: &dyn TemporalModel, gti: &Gti, energy_tev: f64) -> Result<f64> {
    mean_of(model, gti, |start, stop| model.integral_days_at(start, stop, energy_tev))
}

fn mean_of(model: &dyn TemporalModel, gti: &Gti, integral: impl Fn(f64, f64) -> f64) -> Result<f64> {
    let total = gti.time_sum_s();
    if total <= 0.0 {
        return Ok(1.0);
    }
    let date =
        |seconds: f64| convert_mjd(gti.reference.mjd() + seconds / 86400.0, &gti.reference.timesys, model.scale());
    let mut sum = 0.0;
    for (start, stop) in &gti.intervals {
        // The length is that of the interval, not that of dates, which lose digits.
        let from = date(*start)?;
        sum += integral(from, from + (stop - start) / 86400.0);
    }
    Ok(sum * 86400.0 / total)
}

/// A model made of parameters alone: everything but its formula.
macro_rules! temporal_model {
    ($name:ident, $tag:literal, $specs:expr) => {
        impl Default for $name {
            /// With Gammapy's default parameters, in UTC.
            fn default() -> Self {
                Self { set: ParameterSet::defaults($specs), scale: "utc".to_string() }
            }
        }

        impl $name {
            /// Gammapy's type name.
            pub const TAG: &'static str = $tag;

            /// From parameters in any order and unit; missing ones have Gammapy's defaults, unknown ones are ignored.
            ///
            /// # Errors
            /// [`crate::Error::Input`] that names the parameter, for a value that is not finite or a unit of another
            /// kind, and for a time scale that is not known.
            pub fn from_parameters(parameters: &[Parameter], scale: &str) -> crate::Result<Self> {
                crate::time::convert_mjd(0.0, "utc", scale)?;
                let set = ParameterSet::from_parameters(Self::TAG, $specs, parameters)?;
                Ok(Self { set, scale: scale.to_string() })
            }
        }
    };
}

/// The methods of the trait that need no formula.
macro_rules! temporal_methods {
    () => {
        fn tag(&self) -> &'static str {
            Self::TAG
        }

        fn parameters(&self) -> &[Parameter] {
            self.set.parameters()
        }

        fn scale(&self) -> &str {
            &self.scale
        }
    };
}

use {temporal_methods, temporal_model};

/// 2000-01-01, Gammapy's default reference.
const T_REF: f64 = 51544.0;

#[cfg(test)]
mod tests;
