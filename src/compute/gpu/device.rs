//! Devices: with the list of adapters and the readback the only place where wgpu is asynchronous.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::adapters::{Adapter, choose, driver_text, listed};
use super::clock::Clock;
use super::memory::Ledger;
use super::watch::Watcher;
use crate::compute::backend::BackendOptions;
use crate::error::{Error, Result};

/// Bytes that a storage binding may have at most, whatever the adapter says: offsets stay in 31 bits.
const MAX_BINDING_BYTES: u64 = (1 << 31) - 4;

/// A device with what the engine needs to know of it.
pub(super) struct GpuDevice {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// Adapter and driver in one line.
    pub(super) name: String,
    /// Most bytes of one storage binding or buffer.
    pub(super) binding_bytes: u64,
    /// Loop steps of one invocation that a dispatch is planned for; 65535 end without a word on some adapters.
    pub(super) max_steps: usize,
    /// Convolutions by transforms: `None` where they take less work.
    pub(super) transforms: Option<bool>,
    /// Bytes of all buffers together, and the most they may be.
    pub(super) ledger: Arc<Ledger>,
    pub(super) budget: u64,
    /// Bytes that went up to the device so far.
    pub(super) uploaded: AtomicU64,
    /// The device's own clock, where it has one.
    pub(super) clock: Mutex<Option<Clock>>,
    /// Counts for benchmarks.
    pub(super) watcher: Watcher,
    /// Why the device was lost, once it is; only devices of our own tell.
    lost: Arc<OnceLock<String>>,
    pub(super) pipelines: Mutex<HashMap<&'static str, Arc<wgpu::ComputePipeline>>>,
    /// Work units per second that each kernel reached last.
    pub(super) rates: Mutex<HashMap<&'static str, f64>>,
}

impl std::fmt::Debug for GpuDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GpuDevice").field("name", &self.name).field("binding_bytes", &self.binding_bytes).finish()
    }
}

/// A lock whose holder panicked holds caches only: go on with it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GpuDevice {
    /// Opens the adapter that `options` name, or the best there is. `software`: may it be a software adapter?
    ///
    /// Also returns why this one, in one line.
    pub(super) fn open(options: &BackendOptions, software: bool) -> Result<(Self, String)> {
        let listed = listed();
        let known: Vec<Adapter> = listed.iter().enumerate().map(|(i, a)| Adapter::new(i, a)).collect();
        let (chosen, reason) = choose(&known, options.adapter.as_deref(), software)?;
        let adapter = &listed[chosen.index];
        let described = format!("{} ({}, {})", chosen.name, chosen.backend, chosen.driver);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("pevatron"),
            required_features: adapter.features() & wgpu::Features::TIMESTAMP_QUERY,
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|e| Error::Device { adapter: described.clone(), problem: format!("cannot be opened: {e}") })?;
        let mut opened = Self::wrap(device, queue)?;
        // Errors are caught by scopes; one that escapes must not end the program.
        opened.device.on_uncaptured_error(Arc::new(|_| {}));
        let lost = Arc::clone(&opened.lost);
        opened.device.set_device_lost_callback(move |reason, message| {
            // Only the first reason counts; a second one is a consequence.
            let _ = lost.set(format!("the device was lost ({reason:?}): {message}"));
        });
        opened.name = described;
        Ok((opened, reason))
    }

    /// Wraps a device: reads its limits and leaves its callbacks alone.
    pub(super) fn wrap(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        let info = device.adapter_info();
        let limits = device.limits();
        let name = format!("{} ({}, {})", info.name, info.backend, driver_text(&info));
        let needed: [(&str, u64, u64); 6] = [
            ("max_storage_buffers_per_shader_stage", limits.max_storage_buffers_per_shader_stage.into(), 7),
            ("max_compute_invocations_per_workgroup", limits.max_compute_invocations_per_workgroup.into(), 256),
            ("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x.into(), 256),
            ("max_compute_workgroup_storage_size", limits.max_compute_workgroup_storage_size.into(), 16_352),
            ("max_storage_buffer_binding_size", limits.max_storage_buffer_binding_size, 1 << 20),
            ("max_uniform_buffer_binding_size", limits.max_uniform_buffer_binding_size, 256),
        ];
        if let Some((limit, found, wanted)) = needed.iter().find(|(_, found, wanted)| found < wanted) {
            return Err(Error::Device { adapter: name, problem: format!("{limit} is {found}, {wanted} is needed") });
        }
        let binding_bytes =
            limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(MAX_BINDING_BYTES) & !3;
        Ok(Self {
            clock: Mutex::new(Clock::new(&device)),
            watcher: Watcher::default(),
            device,
            queue,
            name,
            binding_bytes,
            max_steps: 50_000,
            transforms: None,
            ledger: Arc::default(),
            uploaded: AtomicU64::new(0),
            budget: u64::MAX,
            lost: Arc::default(),
            pipelines: Mutex::default(),
            rates: Mutex::default(),
        })
    }

    /// An [`Error::Device`] of this device; says so where the device is lost, whatever else went wrong.
    pub(super) fn error(&self, problem: impl Into<String>) -> Error {
        // A loss is told while polling; its own failure would add nothing.
        let _ = self.device.poll(wgpu::PollType::Poll);
        let problem = self.lost.get().cloned().unwrap_or_else(|| problem.into());
        Error::Device { adapter: self.name.clone(), problem }
    }

    /// Fails where the device is known to be lost.
    pub(super) fn check_lost(&self) -> Result<()> {
        match self.lost.get() {
            Some(problem) => Err(Error::Device { adapter: self.name.clone(), problem: problem.clone() }),
            None => Ok(()),
        }
    }

    /// Runs `work` and turns every wgpu error in it into ours; `what` names it, with sizes, for messages.
    pub(super) fn scoped<T>(&self, what: &str, bytes: u64, work: impl FnOnce() -> T) -> Result<T> {
        self.check_lost()?;
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let value = work();
        let problems = [
            pollster::block_on(validation.pop()),
            pollster::block_on(internal.pop()),
            pollster::block_on(memory.pop()),
        ];
        match problems.into_iter().flatten().next() {
            None => Ok(value),
            Some(wgpu::Error::OutOfMemory { .. }) => {
                self.check_lost()?;
                Err(Error::Memory { what: format!("{what} on {}", self.name), needed_bytes: bytes, available_bytes: 0 })
            }
            Some(other) => Err(self.error(format!("{what}: {other}"))),
        }
    }

    /// Waits until all work up to `index` is done.
    pub(super) fn wait(&self, index: wgpu::SubmissionIndex) -> Result<()> {
        self.device
            .poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: None })
            .map_err(|e| self.error(format!("waiting failed: {e}")))?;
        self.check_lost()
    }
}
