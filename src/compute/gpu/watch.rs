//! The device's own clock and a count of transfers, for benchmarks; nothing of it costs anything while it is off.

use std::sync::Mutex;
use std::time::Instant;

use super::device::{GpuDevice, lock};
use crate::compute::instruments::{DeviceWork, Transfer};
use crate::error::Result;

/// Compute passes that are stamped before their times are read.
const STAMPS: u32 = 1024;

/// Off, or watching.
#[derive(Debug, Default)]
pub(super) struct Watcher(Mutex<Option<Watch>>);

#[derive(Debug)]
struct Watch {
    work: DeviceWork,
    stamps: Option<Stamps>,
}

/// Pairs of timestamps that wait to be read.
#[derive(Debug)]
struct Stamps {
    set: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    used: u32,
}

/// Where a compute pass leaves its times.
pub(super) struct Stamp {
    set: wgpu::QuerySet,
    first: u32,
}

impl Stamp {
    pub(super) fn writes(&self) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.set,
            beginning_of_pass_write_index: Some(self.first),
            end_of_pass_write_index: Some(self.first + 1),
        }
    }
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Into,
    Out,
}

impl GpuDevice {
    pub(super) fn watch_start(&self) -> Result<()> {
        let stamps = if self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            let bytes = u64::from(2 * STAMPS) * 8;
            Some(self.scoped("pevatron.watch", bytes, || Stamps {
                set: self.device.create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("pevatron.watch"),
                    ty: wgpu::QueryType::Timestamp,
                    count: 2 * STAMPS,
                }),
                resolved: self.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("pevatron.watch"),
                    size: bytes,
                    usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                    mapped_at_creation: false,
                }),
                used: 0,
            })?)
        } else {
            None
        };
        let device_seconds = stamps.as_ref().map(|_| 0.0);
        let work = DeviceWork { device_seconds, ..DeviceWork::default() };
        *lock(&self.watcher.0) = Some(Watch { work, stamps });
        Ok(())
    }

    pub(super) fn watch_stop(&self) -> Result<DeviceWork> {
        let watch = lock(&self.watcher.0).take();
        let Some(mut watch) = watch else { return Ok(DeviceWork::default()) };
        self.collect(&mut watch)?;
        Ok(watch.work)
    }

    /// Counts a compute pass, and says where it leaves its times; `None` while nobody watches or there is no clock.
    pub(super) fn stamp(&self) -> Result<Option<Stamp>> {
        // The watch is taken out meanwhile: reading the times is work of the device, too, and is not to be counted.
        let Some(mut watch) = lock(&self.watcher.0).take() else { return Ok(None) };
        if watch.stamps.as_ref().is_some_and(|stamps| stamps.used == STAMPS) {
            self.collect(&mut watch)?;
        }
        watch.work.passes += 1;
        let stamp = watch.stamps.as_mut().map(|stamps| {
            let first = 2 * stamps.used;
            stamps.used += 1;
            Stamp { set: stamps.set.clone(), first }
        });
        *lock(&self.watcher.0) = Some(watch);
        Ok(stamp)
    }

    /// Reads the times that are there.
    fn collect(&self, watch: &mut Watch) -> Result<()> {
        let Some(stamps) = watch.stamps.as_mut().filter(|stamps| stamps.used > 0) else { return Ok(()) };
        self.scoped("pevatron.watch", 0, || {
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.resolve_query_set(&stamps.set, 0..2 * stamps.used, &stamps.resolved, 0);
            self.queue.submit([encoder.finish()])
        })?;
        let ticks: Vec<[u64; 2]> = self.read(&stamps.resolved, 0, stamps.used as usize)?;
        stamps.used = 0;
        let ticks: u64 = ticks.iter().map(|[begin, end]| end.saturating_sub(*begin)).sum();
        let seconds = ticks as f64 * f64::from(self.queue.get_timestamp_period()) * 1e-9;
        watch.work.device_seconds = watch.work.device_seconds.map(|sum| sum + seconds);
        Ok(())
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
