//! The TS map's prepared data and its run: bands of rows one after the other, then what is left for the host.

use ndarray::{Array3, ArrayView3};

use super::engine::GpuEngine;
use super::planes::{Planes, TILE};
use super::ts_map_host::{WindowSums, assemble, fit_on_host};
use super::ts_map_run::{BandState, RunOnGpu, STATE_BYTES};
use crate::compute::bands::plan_bands;
use crate::compute::engine::{Engine, PreparedTsMap};
use crate::control::Control;
use crate::error::Result;
use crate::kernels::{TsMapData, TsMapOutput, TsMapRun};

/// Data of a TS map, on the device.
pub(super) struct PreparedOnGpu<'a> {
    engine: &'a GpuEngine,
    data: TsMapData<'a>,
    planes: Planes,
}

impl<'a> PreparedOnGpu<'a> {
    pub(super) fn new(engine: &'a GpuEngine, data: &TsMapData<'a>, control: &Control) -> Result<Self> {
        control.check()?;
        let limit = engine.device.binding_bytes;
        let planes = Planes::new(&engine.device, data, limit, engine.memory_bytes, control)?;
        Ok(Self { engine, data: data.clone(), planes })
    }
}

impl PreparedTsMap for PreparedOnGpu<'_> {
    fn run(&self, run: &TsMapRun<'_>, control: &Control) -> Result<TsMapOutput> {
        run.check(&self.data)?;
        control.check()?;
        let (ny, nx) = self.data.shape();
        let mut output = TsMapOutput::empty((ny, nx), &run.settings);
        let total = run.fit_mask.iter().filter(|fitted| **fitted).count() as u64;
        if total == 0 {
            return Ok(output);
        }
        let sums = WindowSums::new(&self.data, run);
        let on_gpu = RunOnGpu::new(&self.engine.device, &self.planes, run)?;
        let mut left = Vec::new();
        let mut done = 0;
        for band in plan_bands(ny, TILE, (STATE_BYTES * nx) as u64, self.engine.device.binding_bytes)? {
            let fitted = run.fit_mask.slice(ndarray::s![band.clone(), ..]).iter().filter(|f| **f).count() as u64;
            if fitted == 0 {
                continue;
            }
            // Two halves of the way, norms and errors, by the pixels that are still open.
            let report = |half: u64, open: u64| {
                control.report("fit", done + ((half + 1) * fitted - open.min(fitted)) / 2, total);
            };
            let state: BandState = on_gpu.fit_band(band.clone(), &sums, control, &report)?;
            left.extend(assemble(&mut output, &state, &sums, run, on_gpu.scale));
            done += fitted;
        }
        fit_on_host(&mut output, &left, &self.data, run, control)?;
        control.report("fit", total, total);
        Ok(output)
    }

    /// In `f64` on the host, by the reference engine's code: scans are few.
    fn profile(&self, run: &TsMapRun<'_>, norms: ArrayView3<'_, f64>, control: &Control) -> Result<Array3<f64>> {
        self.engine.reference.prepare(&self.data, control)?.profile(run, norms, control)
    }
}
