//! What a device reaches at best: fused multiply-adds, copies on the device, and transfers.

use std::time::Instant;

use super::device::GpuDevice;
use super::engine::GpuEngine;
use super::params;
use super::pipelines::{ALL, CEILING_COPY, CEILING_FMA};
use crate::compute::instruments::{DeviceCeilings, DeviceWork, Instruments};
use crate::control::Control;
use crate::error::Result;

/// A measurement must take this long to count: well above the cost of a submission.
const LONG_ENOUGH_SECONDS: f64 = 0.02;
/// No more time than this is spent on one ceiling.
const SECONDS: f64 = 0.4;
/// Loop steps of `ceiling_fma.wgsl`, and its operations per step and invocation: 8 chains of 4 lanes, 2 each.
const FMA_STEPS: u32 = 1024;
const FMA_OPERATIONS: f64 = 64.0;
/// Values of 16 bytes that an invocation of `ceiling_copy.wgsl` copies.
const COPY_PER_LANE: u32 = 4;
/// Largest buffer that is copied or moved: far beyond all caches.
const COPY_BYTES: u64 = 256 << 20;

impl Instruments for GpuEngine {
    fn compile(&self) -> Result<()> {
        ALL.iter().try_for_each(|shader| self.device.pipeline(shader).map(drop))
    }

    fn start(&self) -> Result<()> {
        self.device.watch_start();
        Ok(())
    }

    fn stop(&self) -> Result<DeviceWork> {
        Ok(self.device.watch_stop())
    }

    fn ceilings(&self, bytes: u64, control: &Control) -> Result<DeviceCeilings> {
        let device = &self.device;
        let bytes = bytes.min(COPY_BYTES).min(device.binding_bytes).max(1 << 16) & !0xffff;
        let (flops_per_second, device_clock) = fma(device, control)?;
        let copy_bytes_per_second = copy(device, bytes, control)?;
        let (in_bytes_per_second, out_bytes_per_second) = transfers(device, bytes.min(64 << 20), control)?;
        Ok(DeviceCeilings {
            flops_per_second,
            copy_bytes_per_second,
            in_bytes_per_second,
            out_bytes_per_second,
            device_clock,
        })
    }
}

/// Seconds of `work` by the device's clock where there is one, else by the host's; and which it was.
fn timed(device: &GpuDevice, work: impl FnOnce() -> Result<()>) -> Result<(f64, bool)> {
    device.watch_start();
    let begun = Instant::now();
    let done = work().and_then(|()| device.wait(device.queue.submit([])));
    let wall = begun.elapsed().as_secs_f64();
    let seen = device.watch_stop();
    done?;
    // A clock that stands still (seen on software adapters) is none.
    Ok(seen.device_seconds.filter(|s| *s > 0.0).map_or((wall, false), |s| (s, true)))
}

fn fma(device: &GpuDevice, control: &Control) -> Result<(f64, bool)> {
    let uniform = device.uniform(size_of::<params::CeilingFma>())?;
    let mut groups = 64u32;
    let mut out = device.buffer("pevatron.ceiling", u64::from(groups) * 1024)?;
    let mut best = 0.0f64;
    let begun = Instant::now();
    loop {
        control.check()?;
        let work = f64::from(FMA_STEPS) * 8.0 * 256.0;
        let (seconds, own_clock) = timed(device, || {
            device.run(&CEILING_FMA, &uniform, &[(1, &out)], groups, 1, work, control, |first_group| {
                params::CeilingFma { steps: FMA_STEPS, first_group, scale: 0.999, shift: 0.001 }
            })
        })?;
        let operations = f64::from(groups) * 256.0 * f64::from(FMA_STEPS) * FMA_OPERATIONS;
        best = best.max(operations / seconds.max(1e-9));
        if begun.elapsed().as_secs_f64() > SECONDS {
            return Ok((best, own_clock));
        }
        if seconds < LONG_ENOUGH_SECONDS && groups < 1 << 16 {
            groups *= 4;
            out = device.buffer("pevatron.ceiling", u64::from(groups) * 1024)?;
        }
    }
}

fn copy(device: &GpuDevice, bytes: u64, control: &Control) -> Result<f64> {
    let values = (bytes / 16) as u32;
    let groups = values.div_ceil(256 * COPY_PER_LANE);
    let uniform = device.uniform(size_of::<params::CeilingCopy>())?;
    let from = device.buffer("pevatron.ceiling", bytes)?;
    let to = device.buffer("pevatron.ceiling", bytes)?;
    let mut best = 0.0f64;
    let begun = Instant::now();
    while begun.elapsed().as_secs_f64() < SECONDS {
        control.check()?;
        let (seconds, _) = timed(device, || {
            device.run(&CEILING_COPY, &uniform, &[(1, &from), (2, &to)], groups, 1, 1024.0, control, |first_group| {
                params::CeilingCopy { values, first_group, pad0: 0, pad1: 0 }
            })
        })?;
        best = best.max(2.0 * bytes as f64 / seconds.max(1e-9));
    }
    Ok(best)
}

fn transfers(device: &GpuDevice, bytes: u64, control: &Control) -> Result<(f64, f64)> {
    let buffer = device.buffer("pevatron.ceiling", bytes)?;
    let data = vec![1u32; (bytes / 4) as usize];
    let mut best = (0.0f64, 0.0f64);
    let begun = Instant::now();
    while best.0 == 0.0 || begun.elapsed().as_secs_f64() < SECONDS {
        control.check()?;
        let start = Instant::now();
        device.write(&buffer, 0, &data)?;
        device.wait(device.queue.submit([]))?;
        let into = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let read: Vec<u32> = device.read(&buffer, 0, data.len())?;
        let out = start.elapsed().as_secs_f64();
        if read != data {
            return Err(device.error("a transfer to the device and back changed the data"));
        }
        best = (best.0.max(bytes as f64 / into), best.1.max(bytes as f64 / out));
    }
    Ok(best)
}
