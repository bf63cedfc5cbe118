//! Dispatches, bounded in time.

use std::time::Instant;

use bytemuck::Pod;

use super::clock::Clock;
use super::device::{GpuDevice, lock};
use super::memory::Buffer;
use super::pipelines::Shader;
use crate::control::Control;
use crate::error::Result;

/// Time that a dispatch is planned for: well below drivers' watchdogs, and often enough to cancel.
pub(super) const DISPATCH_SECONDS: f64 = 0.05;
/// Dispatches expected to be shorter are queued without waiting for them.
const QUEUE_SECONDS: f64 = 0.002;
/// Work units (a handful of operations each) per second assumed before the first measurement: slow, to be safe.
const FIRST_RATE: f64 = 5e7;
/// How much a rate may grow from one measurement to the next.
const RATE_GROWTH: f64 = 4.0;
/// Workgroups per axis that every adapter allows.
pub(super) const MAX_GROUPS: u32 = 65_535;

/// A storage buffer and its place in the shader.
pub(super) type Binding<'a> = (u32, &'a Buffer);

/// Where the uniforms of a dispatch lie.
type Uniform<'a> = (&'a Buffer, u64, usize);

impl GpuDevice {
    pub(super) fn bind(
        &self,
        shader: &Shader,
        uniform: Uniform<'_>,
        bindings: &[Binding<'_>],
    ) -> Result<wgpu::BindGroup> {
        let pipeline = self.pipeline(shader)?;
        let label = format!("pevatron.{}", shader.name);
        self.scoped(&label, 0, || {
            let params = wgpu::BufferBinding {
                buffer: uniform.0,
                offset: uniform.1,
                size: wgpu::BufferSize::new(uniform.2.next_multiple_of(16) as u64),
            };
            let mut entries =
                vec![wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(params) }];
            entries.extend(bindings.iter().map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: *binding,
                resource: buffer.as_entire_binding(),
            }));
            let layout = pipeline.get_bind_group_layout(0);
            self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&label),
                layout: &layout,
                entries: &entries,
            })
        })
    }

    /// Writes uniforms and fills buffers with zeros, then submits one compute pass that `encode` fills.
    pub(super) fn submit(
        &self,
        label: &str,
        (uniform, params): (&Buffer, &[u8]),
        zeros: &[&Buffer],
        encode: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<wgpu::SubmissionIndex> {
        self.watcher.count_pass();
        let mut clock = lock(&self.clock);
        self.wind_clock(&mut clock)?;
        self.scoped(label, 0, || {
            self.queue.write_buffer(uniform, 0, params);
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            zeros.iter().for_each(|buffer| encoder.clear_buffer(buffer, 0, None));
            {
                let timestamp_writes = clock.as_mut().map(Clock::next_pass);
                let descriptor = wgpu::ComputePassDescriptor { label: Some(label), timestamp_writes };
                encode(&mut encoder.begin_compute_pass(&descriptor));
            }
            self.queue.submit([encoder.finish()])
        })
    }

    /// Work units per second that a kernel reached last, or is trusted with before the first measurement.
    pub(super) fn rate(&self, name: &str) -> f64 {
        lock(&self.rates).get(name).copied().unwrap_or(FIRST_RATE)
    }

    /// Waits for a dispatch of `work` units and learns from the time it took; `expected` seconds were planned for it.
    pub(super) fn learn(
        &self,
        name: &'static str,
        index: wgpu::SubmissionIndex,
        work: f64,
        started: Instant,
        expected: f64,
    ) -> Result<()> {
        let known = lock(&self.rates).get(name).copied();
        if known.is_some() && expected < QUEUE_SECONDS {
            return Ok(());
        }
        self.wait(index)?;
        let reached = work / started.elapsed().as_secs_f64().max(1e-6);
        // The first dispatch includes the driver's compilation: it only says that the rate is not lower.
        let next = match known {
            Some(rate) => reached.clamp(rate / RATE_GROWTH, rate * RATE_GROWTH),
            None => reached.max(FIRST_RATE),
        };
        lock(&self.rates).insert(name, next);
        Ok(())
    }

    /// Runs `groups` workgroups in x times `rows` in y, in pieces of bounded time, in order. `params(first)` are the
    /// uniforms of the piece that starts with x-group `first`; `work` is the work of one x-group in arbitrary units.
    #[expect(clippy::too_many_arguments, reason = "one call site per kernel; a struct would only repeat the names")]
    pub(super) fn run<P: Pod>(
        &self,
        shader: &Shader,
        uniform: &Buffer,
        bindings: &[Binding<'_>],
        groups: u32,
        rows: u32,
        work: f64,
        control: &Control,
        params: impl Fn(u32) -> P,
    ) -> Result<()> {
        let bind_group = self.bind(shader, (uniform, 0, size_of::<P>()), bindings)?;
        let pipeline = self.pipeline(shader)?;
        let mut first = 0;
        while first < groups {
            control.check()?;
            let rate = self.rate(shader.name);
            let fitting = (rate * DISPATCH_SECONDS / work.max(1.0)).clamp(1.0, f64::from(MAX_GROUPS)) as u32;
            let piece = fitting.min(groups - first);
            let started = Instant::now();
            let index = self.submit(shader.name, (uniform, bytemuck::bytes_of(&params(first))), &[], |pass| {
                pass.set_pipeline(&pipeline);
                pass.set_bind_group(0, &bind_group, &[]);
                pass.dispatch_workgroups(piece, rows, 1);
            })?;
            first += piece;
            let work = f64::from(piece) * work;
            self.learn(shader.name, index, work, started, work / rate)?;
        }
        Ok(())
    }
}
