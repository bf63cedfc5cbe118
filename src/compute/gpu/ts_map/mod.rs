//! The TS map's prepared data and its run: bands of rows one after the other, then what is left for the host.
//!
//! While the device fits a band, the host reads the one before and puts it into the output.

mod assemble;
mod band;
mod kernel;
pub(super) mod layout;
mod moments;
mod moments_pass;
mod passes;
mod pieces;
mod profile;
mod rows;
mod run;
mod sensitivity;
mod split;
mod window_sums;
mod wing;

use std::sync::mpsc::sync_channel;

use ndarray::{Array3, ArrayView3};

use super::engine::GpuEngine;
use super::planes::{Planes, TILE};
use crate::compute::bands::plan_bands;
use crate::compute::engine::PreparedTsMap;
use crate::compute::reference::check_norms;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::{TsMapData, TsMapOutput, TsMapRun, TsMapSettings};
use assemble::{assemble, fit_on_host, profile_on_host};
use band::{BAND_BYTES, BandPool, BandResult, RESULT_BYTES};
use layout::STATE_BYTES;
use run::RunOnGpu;
use window_sums::WindowSumsCache;

/// Bands whose results may be on their way to the host at once.
const IN_FLIGHT: usize = 2;

/// Data of a TS map, on the device.
pub(super) struct PreparedOnGpu<'a> {
    engine: &'a GpuEngine,
    data: TsMapData<'a>,
    planes: Planes,
    pool: BandPool,
    window_sums: WindowSumsCache,
}

impl<'a> PreparedOnGpu<'a> {
    pub(super) fn new(engine: &'a GpuEngine, data: &TsMapData<'a>, control: &Control) -> Result<Self> {
        control.check()?;
        let planes = Planes::new(&engine.device, data, engine.device.binding_bytes, control)?;
        let (pool, window_sums) = (BandPool::default(), WindowSumsCache::default());
        Ok(Self { engine, data: data.clone(), planes, pool, window_sums })
    }

    /// Bands of rows that fit a binding and, together with what is on the device already, the budget.
    fn bands(&self, on_gpu: &RunOnGpu<'_, '_>) -> Result<Vec<std::ops::Range<usize>>> {
        let device = &self.engine.device;
        let (ny, nx) = self.data.shape();
        let free = device.budget - device.ledger.used().saturating_sub(self.pool.bytes()).min(device.budget);
        // A small part is left for lists of tiles and uniforms.
        let per_pixel = (BAND_BYTES + on_gpu.wing_bytes() + IN_FLIGHT * RESULT_BYTES + 1) as f64;
        let fitting = ((free as f64 * 0.99 - 65_536.0).max(0.0) / per_pixel * STATE_BYTES as f64) as u64;
        let row_bytes = (STATE_BYTES * nx) as u64;
        plan_bands(ny, TILE, row_bytes, device.binding_bytes.min(fitting)).map_err(|error| match error {
            Error::Memory { .. } if fitting < device.binding_bytes => Error::Memory {
                what: format!("a band of the map on {}", device.name),
                needed_bytes: (per_pixel * (TILE.min(ny) * nx) as f64) as u64,
                available_bytes: free,
            },
            other => other,
        })
    }

    /// Fits all bands; returns the pixels that are left for the host.
    fn fit_bands(
        &self,
        run: &TsMapRun<'_>,
        output: &mut TsMapOutput,
        total: u64,
        control: &Control,
    ) -> Result<Vec<(usize, usize)>> {
        let device = &self.engine.device;
        let nx = self.data.shape().1;
        let on_gpu = RunOnGpu::new(device, &self.planes, &self.data, run, control)?;
        let bands = self.bands(&on_gpu)?;
        std::thread::scope(|scope| {
            // The one that waits here and the one that is being read are all there are.
            let (sender, receiver) = sync_channel::<BandResult>(IN_FLIGHT - 2);
            let scale = on_gpu.scale;
            let assembler = scope.spawn(move || {
                let sums = self.window_sums.get(&self.data, run);
                let mut left = Vec::new();
                for result in receiver {
                    left.extend(assemble(output, &result.finish(device, nx)?, &sums, run, scale));
                }
                Ok(left)
            });
            let mut done = 0;
            let mut fit = |band: std::ops::Range<usize>| {
                let fitted = run.fit_mask.slice(ndarray::s![band.clone(), ..]).iter().filter(|f| **f).count() as u64;
                if fitted == 0 {
                    return Ok(());
                }
                // Two halves of the way, norms and errors, by the pixels that are still open.
                let report = |half: u64, open: u64| {
                    control.report("fit", done + ((half + 1) * fitted - open.min(fitted)) / 2, total);
                };
                let result = on_gpu.fit_band(band, &self.pool, control, &report)?;
                done += fitted;
                // Where nobody reads any more, there is an error to be found there.
                let _ = sender.send(result);
                Ok(())
            };
            let fitted = bands.into_iter().try_for_each(&mut fit);
            drop(sender);
            let left = assembler.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            fitted.and(left)
        })
    }
}

impl PreparedTsMap for PreparedOnGpu<'_> {
    fn run(&self, run: &TsMapRun<'_>, control: &Control) -> Result<TsMapOutput> {
        run.check(&self.data)?;
        control.check()?;
        let mut output = TsMapOutput::empty(self.data.shape(), &run.settings);
        let total = run.fit_mask.iter().filter(|fitted| **fitted).count() as u64;
        if total == 0 {
            return Ok(output);
        }
        let left = self.fit_bands(run, &mut output, total, control)?;
        fit_on_host(&mut output, &left, &self.data, run, control)?;
        control.report("fit", total, total);
        Ok(output)
    }

    /// Sums on the device; norms left of the bound, and windows with bins that have nothing to divide by, on the host.
    fn profile(&self, run: &TsMapRun<'_>, norms: ArrayView3<'_, f64>, control: &Control) -> Result<Array3<f64>> {
        run.check(&self.data)?;
        check_norms(&self.data, norms)?;
        control.check()?;
        let mut profile = Array3::from_elem(norms.dim(), f64::NAN);
        if norms.is_empty() || !run.fit_mask.iter().any(|wanted| *wanted) {
            return Ok(profile);
        }
        // Nothing is fitted: no moments are needed.
        let settings = TsMapSettings { exact: true, ..run.settings.clone() };
        let run = &TsMapRun { settings, ..run.clone() };
        let on_gpu = RunOnGpu::new(&self.engine.device, &self.planes, &self.data, run, control)?;
        let sums = self.window_sums.get(&self.data, run);
        let mut left = Vec::new();
        for band in self.bands(&on_gpu)? {
            let rows = ndarray::s![.., band.clone(), ..];
            let out = profile.slice_mut(rows);
            left.extend(on_gpu.profile_band(band, norms.slice(rows), &sums, &self.pool, out, control)?);
        }
        profile_on_host(&mut profile, &left, (&self.data, run), norms, control)?;
        Ok(profile)
    }
}
