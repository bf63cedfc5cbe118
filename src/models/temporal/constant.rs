//! No variation.

use super::{TemporalModel, temporal_methods, temporal_model};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};

const SPECS: [ParameterSpec; 0] = [];

/// Always 1.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstantTemporalModel {
    set: ParameterSet<0>,
    scale: String,
}

temporal_model!(ConstantTemporalModel, "ConstantTemporalModel", &SPECS);

impl TemporalModel for ConstantTemporalModel {
    temporal_methods!();

    fn evaluate(&self, _mjd: f64) -> f64 {
        1.0
    }

    fn integral_days(&self, start: f64, stop: f64) -> f64 {
        stop - start
    }
}
