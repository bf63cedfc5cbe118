//! The same brightness everywhere.

use super::SpatialModel;
use crate::maps::{Frame, SkyPosition};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};
use crate::units::Unit;

const SPECS: [ParameterSpec; 1] = [ParameterSpec::frozen("value", 1.0, "sr-1")];

/// Isotropic emission of `value` sr-1, 1 by default; it has no centre.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstantSpatialModel {
    set: ParameterSet<1>,
}

parameter_model!(ConstantSpatialModel, "ConstantSpatialModel", &SPECS);

impl ConstantSpatialModel {
    /// Surface brightness in sr-1.
    pub fn new(value_per_sr: f64) -> Self {
        Self { set: ParameterSet::new(&SPECS, [value_per_sr]) }
    }
}

impl SpatialModel for ConstantSpatialModel {
    fn tag(&self) -> &'static str {
        Self::TAG
    }

    fn parameters(&self) -> &[Parameter] {
        self.set.parameters()
    }

    fn frame(&self) -> Frame {
        Frame::Icrs
    }

    fn position(&self) -> Option<SkyPosition> {
        None
    }

    fn at_position(&self, _position: SkyPosition) -> Box<dyn SpatialModel> {
        Box::new(self.clone())
    }

    fn evaluate(&self, _lon_deg: f64, _lat_deg: f64, _energy_tev: f64) -> f64 {
        self.set.values()[0]
    }

    fn unit_factor(&self) -> f64 {
        // The parameter's own number.
        "sr-1".parse::<Unit>().and_then(|sr| sr.factor_to(&self.parameters()[0].unit)).unwrap_or(1.0)
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn evaluation_radius_deg(&self) -> Option<f64> {
        None
    }

    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        None
    }
}
