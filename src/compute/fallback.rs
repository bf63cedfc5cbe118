//! The automatic choice's safety net: a first engine, and a second one that takes over when the first one's device is
//! lost or its memory is too small. A job that was begun is done again from its start; jobs change nothing but their
//! output, so this is safe.

use std::sync::{Arc, OnceLock};

use ndarray::{Array3, ArrayView3};

use super::backend::BackendInfo;
use super::engine::{Engine, PreparedTsMap};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{CashSumJob, ConvolveJob, DiskSumJob, EdispJob, TsMapData, TsMapOutput, TsMapRun};

/// What an observer of progress sees as the stage when the second engine takes over.
pub const TAKEN_OVER: &str = "the GPU failed, going on with the CPU";

/// A first engine and its stand-in.
pub struct FallbackEngine {
    first: Arc<dyn Engine>,
    second: Arc<dyn Engine>,
    /// The second engine and why it is used, once the first has lost its device.
    lost: OnceLock<BackendInfo>,
}

impl std::fmt::Debug for FallbackEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FallbackEngine").field("first", self.first.info()).field("second", self.second.info()).finish()
    }
}

impl FallbackEngine {
    /// `first` for all jobs, `second` where it fails.
    pub fn new(first: Arc<dyn Engine>, second: Arc<dyn Engine>) -> Self {
        Self { first, second, lost: OnceLock::new() }
    }

    /// Whether `error` is one that the second engine may not meet. A lost device stays lost: it is not tried again.
    fn takes_over(&self, error: &Error, control: &Control) -> bool {
        match error.kind() {
            ErrorKind::Device => {
                let second = self.second.info();
                let reason = format!("the GPU failed: {error}");
                self.lost.get_or_init(|| BackendInfo { reason, ..second.clone() });
            }
            ErrorKind::Memory => {}
            _ => return false,
        }
        control.report(TAKEN_OVER, 0, 1);
        true
    }

    fn job<T>(&self, control: &Control, job: impl Fn(&dyn Engine) -> Result<T>) -> Result<T> {
        if self.lost.get().is_none() {
            match job(self.first.as_ref()) {
                Err(error) if self.takes_over(&error, control) => {}
                done => return done,
            }
        }
        job(self.second.as_ref())
    }
}

impl Engine for FallbackEngine {
    /// The first engine, or the second one with the reason once the first is lost.
    fn info(&self) -> &BackendInfo {
        self.lost.get().unwrap_or_else(|| self.first.info())
    }

    fn threads(&self) -> Option<&rayon::ThreadPool> {
        self.first.threads().or_else(|| self.second.threads())
    }

    /// Those of the first engine.
    fn device_seconds(&self) -> Option<f64> {
        self.first.device_seconds()
    }

    /// Those of the first engine.
    fn device_peak_bytes(&self) -> Option<u64> {
        self.first.device_peak_bytes()
    }

    fn prepare<'a, 'd: 'a>(&'a self, data: &TsMapData<'d>, control: &Control) -> Result<Box<dyn PreparedTsMap + 'a>> {
        let data = &data.shortened();
        let mut first = None;
        if self.lost.get().is_none() {
            match self.first.prepare(data, control) {
                Ok(prepared) => first = Some(prepared),
                Err(error) if self.takes_over(&error, control) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Box::new(Prepared { engine: self, data: data.clone(), first, second: OnceLock::new() }))
    }

    fn convolve(&self, job: &ConvolveJob<'_>, control: &Control) -> Result<Array3<f64>> {
        self.job(control, |engine| engine.convolve(job, control))
    }

    fn apply_edisp(&self, job: &EdispJob<'_>, control: &Control) -> Result<Array3<f64>> {
        self.job(control, |engine| engine.apply_edisp(job, control))
    }

    fn cash_sum(&self, job: &CashSumJob<'_>, control: &Control) -> Result<f64> {
        self.job(control, |engine| engine.cash_sum(job, control))
    }

    fn disk_sum(&self, job: &DiskSumJob<'_>, control: &Control) -> Result<Array3<f64>> {
        self.job(control, |engine| engine.disk_sum(job, control))
    }
}

struct Prepared<'a> {
    engine: &'a FallbackEngine,
    data: TsMapData<'a>,
    first: Option<Box<dyn PreparedTsMap + 'a>>,
    second: OnceLock<Box<dyn PreparedTsMap + 'a>>,
}

impl Prepared<'_> {
    fn job<T>(&self, control: &Control, job: impl Fn(&dyn PreparedTsMap) -> Result<T>) -> Result<T> {
        if let (Some(first), None) = (&self.first, self.engine.lost.get()) {
            match job(first.as_ref()) {
                Err(error) if self.engine.takes_over(&error, control) => {}
                done => return done,
            }
        }
        if let Some(second) = self.second.get() {
            return job(second.as_ref());
        }
        let second = self.engine.second.prepare(&self.data, control)?;
        job(self.second.get_or_init(|| second).as_ref())
    }
}

impl PreparedTsMap for Prepared<'_> {
    fn run(&self, run: &TsMapRun<'_>, control: &Control) -> Result<TsMapOutput> {
        self.job(control, |prepared| prepared.run(run, control))
    }

    fn run_many(&self, runs: &[TsMapRun<'_>], control: &Control) -> Result<Vec<TsMapOutput>> {
        self.job(control, |prepared| prepared.run_many(runs, control))
    }

    fn profile(&self, run: &TsMapRun<'_>, norms: ArrayView3<'_, f64>, control: &Control) -> Result<Array3<f64>> {
        self.job(control, |prepared| prepared.profile(run, norms, control))
    }
}
