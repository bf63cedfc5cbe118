//! Buffers, dispatches bounded in time, and readback.

use std::time::Instant;

use bytemuck::Pod;

use super::device::{GpuDevice, lock};
use super::pipelines::Shader;
use super::watch::{Stamp, Way};
use crate::control::Control;
use crate::error::{Error, Result};

/// Time that a dispatch is planned for: well below drivers' watchdogs, and often enough to cancel.
const DISPATCH_SECONDS: f64 = 0.05;
/// Dispatches expected to be shorter are queued without waiting for them.
const QUEUE_SECONDS: f64 = 0.002;
/// Work units (a handful of operations each) per second assumed before the first measurement: slow, to be safe.
const FIRST_RATE: f64 = 5e7;
/// How much a rate may grow from one measurement to the next.
const RATE_GROWTH: f64 = 4.0;
/// Workgroups per axis that every adapter allows.
pub(super) const MAX_GROUPS: u32 = 65_535;
/// Bytes that are uploaded or read at once: bounds the staging memory.
const STAGING_BYTES: usize = 64 << 20;

/// A storage buffer and its place in the shader.
pub(super) type Binding<'a> = (u32, &'a wgpu::Buffer);

impl GpuDevice {
    /// A storage buffer of zeros.
    pub(super) fn buffer(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer> {
        if bytes > self.binding_bytes {
            return Err(Error::Memory {
                what: format!("{label} on {}", self.name),
                needed_bytes: bytes,
                available_bytes: self.binding_bytes,
            });
        }
        self.scoped(label, bytes, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes.max(16).next_multiple_of(4),
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }

    /// A storage buffer with `data` in it.
    pub(super) fn upload<T: Pod>(&self, label: &str, data: &[T]) -> Result<wgpu::Buffer> {
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let buffer = self.buffer(label, bytes.len() as u64)?;
        self.write(&buffer, 0, data)?;
        Ok(buffer)
    }

    /// Writes `data` into a buffer, before all work submitted later.
    pub(super) fn write<T: Pod>(&self, buffer: &wgpu::Buffer, offset: u64, data: &[T]) -> Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let begun = self.transfer_begins()?;
        let mut offset = offset;
        for piece in bytes.chunks(STAGING_BYTES) {
            let index = self.scoped("upload", piece.len() as u64, || {
                self.queue.write_buffer(buffer, offset, piece);
                (bytes.len() > STAGING_BYTES).then(|| self.queue.submit([]))
            })?;
            if let Some(index) = index {
                self.wait(index)?;
            }
            offset += piece.len() as u64;
        }
        self.transfer_ends(begun, Way::Into, bytes.len())
    }

    /// Reads `count` values from byte `offset` on, after all work submitted before.
    pub(super) fn read<T: Pod>(&self, buffer: &wgpu::Buffer, offset: u64, count: usize) -> Result<Vec<T>> {
        let size = count * size_of::<T>();
        let begun = self.transfer_begins()?;
        let mut values = Vec::with_capacity(count);
        let step = STAGING_BYTES / size_of::<T>() * size_of::<T>();
        for first in (0..size).step_by(step.max(1)) {
            let piece = step.min(size - first) as u64;
            let staging = self.scoped("readback", piece, || {
                self.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("pevatron.readback"),
                    size: piece,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            })?;
            let (sender, receiver) = std::sync::mpsc::channel();
            let index = self.scoped("readback", piece, || {
                let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                encoder.copy_buffer_to_buffer(buffer, offset + first as u64, &staging, 0, piece);
                let index = self.queue.submit([encoder.finish()]);
                staging.map_async(wgpu::MapMode::Read, .., move |result| {
                    // The receiver is gone only where an error was found before.
                    let _ = sender.send(result);
                });
                index
            })?;
            self.wait(index)?;
            match receiver.recv_timeout(std::time::Duration::from_secs(10)) {
                Ok(Ok(())) => {}
                Ok(Err(e)) => return Err(self.error(format!("results cannot be read: {e}"))),
                Err(_) => return Err(self.error("results cannot be read: the device does not answer")),
            }
            let view = staging.get_mapped_range(..).map_err(|e| self.error(format!("results cannot be read: {e}")))?;
            values.extend(view.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned::<T>));
        }
        self.transfer_ends(begun, Way::Out, size)?;
        Ok(values)
    }

    /// Runs `groups` workgroups in x times `rows` in y, in pieces of bounded time, in order. `params(first)` are the
    /// uniforms of the piece that starts with x-group `first`; `work` is the work of one x-group in arbitrary units.
    #[expect(clippy::too_many_arguments, reason = "one call site per kernel; a struct would only repeat the names")]
    pub(super) fn run<P: Pod>(
        &self,
        shader: &Shader,
        uniform: &wgpu::Buffer,
        bindings: &[Binding<'_>],
        groups: u32,
        rows: u32,
        work: f64,
        control: &Control,
        params: impl Fn(u32) -> P,
    ) -> Result<()> {
        let pipeline = self.pipeline(shader)?;
        let label = format!("pevatron.{}", shader.name);
        let bind_group = self.scoped(&label, 0, || {
            let entries: Vec<_> = std::iter::once(&(0, uniform))
                .chain(bindings)
                .map(|(binding, buffer)| wgpu::BindGroupEntry {
                    binding: *binding,
                    resource: buffer.as_entire_binding(),
                })
                .collect();
            let layout = pipeline.get_bind_group_layout(0);
            self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&label),
                layout: &layout,
                entries: &entries,
            })
        })?;
        let mut first = 0;
        while first < groups {
            control.check()?;
            let known = lock(&self.rates).get(shader.name).copied();
            let rate = known.unwrap_or(FIRST_RATE);
            let fitting = (rate * DISPATCH_SECONDS / work.max(1.0)).clamp(1.0, f64::from(MAX_GROUPS)) as u32;
            let piece = fitting.min(groups - first);
            let expected = f64::from(piece) * work / rate;
            let stamp = self.stamp()?;
            let started = Instant::now();
            let index = self.scoped(&label, 0, || {
                self.queue.write_buffer(uniform, 0, bytemuck::bytes_of(&params(first)));
                let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                {
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                        label: Some(&label),
                        timestamp_writes: stamp.as_ref().map(Stamp::writes),
                    });
                    pass.set_pipeline(&pipeline);
                    pass.set_bind_group(0, &bind_group, &[]);
                    pass.dispatch_workgroups(piece, rows, 1);
                }
                self.queue.submit([encoder.finish()])
            })?;
            first += piece;
            if known.is_some() && expected < QUEUE_SECONDS {
                continue;
            }
            self.wait(index)?;
            let reached = f64::from(piece) * work / started.elapsed().as_secs_f64().max(1e-6);
            // The first dispatch includes the driver's compilation: it only says that the rate is not lower.
            let next = match known {
                Some(rate) => reached.clamp(rate / RATE_GROWTH, rate * RATE_GROWTH),
                None => reached.max(FIRST_RATE),
            };
            lock(&self.rates).insert(shader.name, next);
        }
        Ok(())
    }

    /// A buffer for the uniforms of one run.
    pub(super) fn uniform(&self, bytes: usize) -> Result<wgpu::Buffer> {
        self.scoped("pevatron.uniform", bytes as u64, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("pevatron.uniform"),
                size: bytes.next_multiple_of(16) as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }
}
