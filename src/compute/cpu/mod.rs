//! The fast CPU engine.

use ndarray::Array3;

use crate::compute::backend::{BackendInfo, BackendOptions};
use crate::compute::engine::{Engine, PreparedTsMap};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::{CashSumJob, ConvolveJob, EdispJob, TsMapData};

/// Sparse, threaded, vectorised.
#[derive(Debug)]
pub struct CpuEngine {
    info: BackendInfo,
}

impl CpuEngine {
    /// Makes one.
    ///
    /// # Errors
    /// Where the thread pool cannot be made.
    pub fn new(_options: &BackendOptions, reason: &str) -> Result<Self> {
        Ok(Self {
            info: BackendInfo {
                name: "cpu",
                adapter: String::new(),
                reason: reason.to_string(),
                double_precision: false,
            },
        })
    }
}

impl Engine for CpuEngine {
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
