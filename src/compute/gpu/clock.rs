//! The device's own clock: two timestamps around each dispatch, summed.

use super::device::{GpuDevice, lock};
use crate::error::Result;

/// Pairs of timestamps that wait to be read.
const PAIRS: u32 = 1024;

/// Timestamps of a device that offers them.
pub(super) struct Clock {
    set: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readable: wgpu::Buffer,
    /// Pairs written since the last reading.
    waiting: u32,
    seconds: f64,
}

impl Clock {
    /// `None` where the device was opened without timestamps.
    pub(super) fn new(device: &wgpu::Device) -> Option<Self> {
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let set = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("pevatron.clock"),
            ty: wgpu::QueryType::Timestamp,
            count: 2 * PAIRS,
        });
        let buffer = |usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("pevatron.clock"),
                size: u64::from(16 * PAIRS),
                usage,
                mapped_at_creation: false,
            })
        };
        Some(Self {
            set,
            resolved: buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
            readable: buffer(wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ),
            waiting: 0,
            seconds: 0.0,
        })
    }

    /// The timestamps of the next compute pass; the pass must be submitted before the next call.
    pub(super) fn next_pass(&mut self) -> wgpu::ComputePassTimestampWrites<'_> {
        let first = 2 * self.waiting;
        self.waiting += 1;
        wgpu::ComputePassTimestampWrites {
            query_set: &self.set,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting == PAIRS
    }

    /// Reads the pairs that wait.
    fn read(&mut self, device: &GpuDevice) -> Result<()> {
        let count = std::mem::take(&mut self.waiting);
        if count == 0 {
            return Ok(());
        }
        let bytes = u64::from(16 * count);
        let (sender, receiver) = std::sync::mpsc::channel();
        let index = device.scoped("clock", bytes, || {
            let mut encoder = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.resolve_query_set(&self.set, 0..2 * count, &self.resolved, 0);
            encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.readable, 0, bytes);
            let index = device.queue.submit([encoder.finish()]);
            self.readable.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
                // The receiver is gone only where waiting failed.
                let _ = sender.send(result);
            });
            index
        })?;
        device.wait(index)?;
        if let Ok(Ok(())) = receiver.recv_timeout(std::time::Duration::from_secs(10)) {
            if let Ok(view) = self.readable.get_mapped_range(..bytes) {
                let ticks: u64 = view
                    .chunks_exact(16)
                    .map(|pair| {
                        let [start, end] = [0, 8].map(|i| bytemuck::pod_read_unaligned::<u64>(&pair[i..i + 8]));
                        end.saturating_sub(start)
                    })
                    .sum();
                self.seconds += ticks as f64 * f64::from(device.queue.get_timestamp_period()) * 1e-9;
            }
            self.readable.unmap();
        }
        Ok(())
    }
}

impl GpuDevice {
    /// Makes room for the timestamps of another pass.
    pub(super) fn wind_clock(&self, clock: &mut Option<Clock>) -> Result<()> {
        match clock {
            Some(clock) if clock.is_full() => clock.read(self),
            _ => Ok(()),
        }
    }

    /// Seconds that the device has spent on kernels so far, by its own clock.
    pub(super) fn seconds(&self) -> Option<f64> {
        let mut clock = lock(&self.clock);
        let clock = clock.as_mut()?;
        clock.read(self).ok()?;
        Some(clock.seconds)
    }
}
