//! The reference engine: plain f64, pixel by pixel.

use ndarray::Array3;

use super::backend::BackendInfo;
use super::engine::{Engine, PreparedTsMap};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::{CashSumJob, ConvolveJob, EdispJob, TsMapData};

/// The truth, slowly.
#[derive(Debug)]
pub struct ReferenceEngine {
    info: BackendInfo,
}

impl ReferenceEngine {
    /// Makes one.
    #[expect(clippy::new_without_default, reason = "an engine is chosen, never defaulted")]
    pub fn new() -> Self {
        Self {
            info: BackendInfo {
                name: "reference",
                adapter: String::new(),
                reason: String::from("asked for"),
                double_precision: true,
            },
        }
    }
}

impl Engine for ReferenceEngine {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn prepare<'a>(&'a self, _: &TsMapData<'a>, _: &Control) -> Result<Box<dyn PreparedTsMap + 'a>> {
        Err(Error::unsupported("not yet"))
    }

    fn convolve(&self, _: &ConvolveJob<'_>, _: &Control) -> Result<Array3<f64>> {
        Err(Error::unsupported("not yet"))
    }

    fn apply_edisp(&self, _: &EdispJob<'_>, _: &Control) -> Result<Array3<f64>> {
        Err(Error::unsupported("not yet"))
    }

    fn cash_sum(&self, _: &CashSumJob<'_>, _: &Control) -> Result<f64> {
        Err(Error::unsupported("not yet"))
    }
}
