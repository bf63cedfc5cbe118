//! Kernels that are submitted together.

use std::time::Instant;

use bytemuck::Pod;

use super::device::GpuDevice;
use super::dispatch::{Binding, DISPATCH_SECONDS};
use super::memory::Buffer;
use super::pipelines::Shader;
use crate::control::Control;
use crate::error::Result;

/// A kernel with all that it needs. It is not cut: whoever makes it keeps it small.
pub(super) struct Kernel<'a> {
    shader: Shader,
    params: Vec<u8>,
    bindings: Vec<Binding<'a>>,
    /// Workgroups in x and y.
    groups: (u32, u32),
    /// In arbitrary units.
    work: f64,
}

impl<'a> Kernel<'a> {
    pub(super) fn new<P: Pod>(
        shader: Shader,
        params: P,
        bindings: Vec<Binding<'a>>,
        groups: (usize, usize),
        work: f64,
    ) -> Self {
        let groups = (groups.0 as u32, groups.1 as u32);
        Self { shader, params: bytemuck::bytes_of(&params).to_vec(), bindings, groups, work }
    }
}

impl GpuDevice {
    /// Fills buffers with zeros and then runs kernels one after the other, in as few submissions as their time allows.
    /// `name` is what their rate is remembered by.
    pub(super) fn run_all(
        &self,
        name: &'static str,
        zeros: &[&Buffer],
        kernels: &[Kernel<'_>],
        control: &Control,
    ) -> Result<()> {
        let alignment = self.device.limits().min_uniform_buffer_offset_alignment.max(16) as usize;
        let largest = kernels.iter().map(|kernel| kernel.params.len()).max().unwrap_or(0);
        let stride = largest.next_multiple_of(alignment);
        let mut params = vec![0u8; kernels.len() * stride];
        for (slot, kernel) in params.chunks_exact_mut(stride.max(1)).zip(kernels) {
            slot[..kernel.params.len()].copy_from_slice(&kernel.params);
        }
        let uniform = self.uniform(params.len())?;
        let mut ready = Vec::with_capacity(kernels.len());
        for (i, kernel) in kernels.iter().enumerate() {
            let place = (&uniform, (i * stride) as u64, kernel.params.len());
            let bind_group = self.bind(&kernel.shader, place, &kernel.bindings)?;
            ready.push((self.pipeline(&kernel.shader)?, bind_group, kernel.groups));
        }
        let mut first = 0;
        while first < kernels.len() {
            control.check()?;
            let rate = self.rate(name);
            let mut work = kernels[first].work;
            let mut end = first + 1;
            while end < kernels.len() && work + kernels[end].work <= rate * DISPATCH_SECONDS {
                work += kernels[end].work;
                end += 1;
            }
            let started = Instant::now();
            let zeros = if first == 0 { zeros } else { &[] };
            let index = self.submit(name, (&uniform, &params), zeros, |pass| {
                for (pipeline, bind_group, (x, y)) in &ready[first..end] {
                    pass.set_pipeline(pipeline);
                    pass.set_bind_group(0, bind_group, &[]);
                    pass.dispatch_workgroups(*x, *y, 1);
                }
            })?;
            first = end;
            self.learn(name, index, work, started, work / rate)?;
        }
        Ok(())
    }
}
