//! A count of passes and transfers, for benchmarks; nothing of it costs anything while it is off.

use std::sync::Mutex;
use std::time::Instant;

use super::device::{GpuDevice, lock};
use crate::compute::instruments::{DeviceWork, Transfer};
use crate::error::Result;

/// Off, or watching.
#[derive(Debug, Default)]
pub(super) struct Watcher(Mutex<Option<Watch>>);

#[derive(Debug)]
struct Watch {
    work: DeviceWork,
    /// What the device's clock said at the start.
    seconds_before: Option<f64>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Into,
    Out,
}

impl Watcher {
    /// Counts a compute pass.
    pub(super) fn count_pass(&self) {
        if let Some(watch) = lock(&self.0).as_mut() {
            watch.work.passes += 1;
        }
    }
}

impl GpuDevice {
    pub(super) fn watch_start(&self) {
        let seconds_before = self.seconds();
        *lock(&self.watcher.0) = Some(Watch { work: DeviceWork::default(), seconds_before });
    }

    pub(super) fn watch_stop(&self) -> DeviceWork {
        let Some(watch) = lock(&self.watcher.0).take() else { return DeviceWork::default() };
        let seconds = self.seconds().zip(watch.seconds_before).map(|(after, before)| after - before);
        DeviceWork { device_seconds: seconds, ..watch.work }
    }

    /// Begins to time a transfer, after all work before it; `None` while nobody watches.
    pub(super) fn transfer_begins(&self) -> Result<Option<Instant>> {
        if lock(&self.watcher.0).is_none() {
            return Ok(None);
        }
        let index = self.queue.submit([]);
        self.wait(index)?;
        Ok(Some(Instant::now()))
    }

    /// Ends it, once all bytes are there.
    pub(super) fn transfer_ends(&self, begun: Option<Instant>, way: Way, bytes: usize) -> Result<()> {
        let Some(begun) = begun else { return Ok(()) };
        let index = self.queue.submit([]);
        self.wait(index)?;
        if let Some(watch) = lock(&self.watcher.0).as_mut() {
            let transfer: &mut Transfer = match way {
                Way::Into => &mut watch.work.into,
                Way::Out => &mut watch.work.out,
            };
            transfer.bytes += bytes as u64;
            transfer.seconds += begun.elapsed().as_secs_f64();
        }
        Ok(())
    }
}
