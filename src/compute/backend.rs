//! The backend handle: chooses an engine and says why.

use std::sync::Arc;

use super::engine::Engine;
use super::{cpu, reference};
use crate::error::{Error, Result};

/// Which engine is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BackendChoice {
    /// A hardware GPU, else the CPU; never a software adapter. Where the GPU is lost or its memory is too small on the
    /// way, the CPU goes on, and [`Backend::info`] says so.
    #[default]
    Auto,
    /// The fast CPU engine.
    Cpu,
    /// A GPU through wgpu; a software adapter where there is nothing else.
    Gpu,
    /// Plain `f64`, pixel by pixel: the truth, slowly.
    Reference,
}

impl std::str::FromStr for BackendChoice {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            "reference" => Ok(Self::Reference),
            _ => Err(Error::not_one_of("backend", s, ["auto", "cpu", "gpu", "reference"])),
        }
    }
}

/// What a [`Backend`] is made from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BackendOptions {
    /// Which engine. Default [`BackendChoice::Auto`].
    pub choice: BackendChoice,
    /// Name (or part of it) or index of the adapter, as `pevatron devices` lists them.
    pub adapter: Option<String>,
    /// Most CPU threads. Default: all cores.
    pub threads: Option<usize>,
    /// Most memory that an engine may take for its working set, in bytes. Default: three quarters of what is free.
    pub memory_bytes: Option<u64>,
}

/// What was chosen, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendInfo {
    /// `"reference"`, `"cpu"` or `"gpu"`.
    pub name: &'static str,
    /// Adapter and driver of a GPU; instruction set and threads of a CPU.
    pub adapter: String,
    /// Why this one, in one line.
    pub reason: String,
    /// True where the fit itself is done in double precision.
    pub double_precision: bool,
}

/// An engine behind a cheap, clonable handle.
///
/// ```
/// use pevatron::compute::Backend;
/// assert_eq!(Backend::reference().info().name, "reference");
/// ```
#[derive(Clone)]
pub struct Backend(Arc<dyn Engine>);

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Backend").field(self.info()).finish()
    }
}

impl Backend {
    /// Chooses an engine.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a GPU in a build without the feature `gpu`, [`Error::Device`] where there is no
    /// adapter, [`Error::Options`] for an adapter that is not there.
    pub fn new(options: &BackendOptions) -> Result<Self> {
        match options.choice {
            BackendChoice::Reference => Ok(Self::reference()),
            BackendChoice::Cpu => Self::cpu(options, "asked for"),
            BackendChoice::Gpu => Self::gpu(options),
            BackendChoice::Auto => Self::auto(options),
        }
    }

    /// The plain `f64` engine.
    pub fn reference() -> Self {
        Self(Arc::new(reference::ReferenceEngine::new()))
    }

    /// Wraps an engine; for tests and benches.
    pub fn from_engine(engine: Arc<dyn Engine>) -> Self {
        Self(engine)
    }

    /// What was chosen and why.
    pub fn info(&self) -> &BackendInfo {
        self.0.info()
    }

    /// The engine behind the handle.
    pub fn engine(&self) -> &dyn Engine {
        self.0.as_ref()
    }

    /// An engine whose smaller jobs (convolution, energy dispersion) are done in double precision: this one, or the CPU
    /// in place of a GPU.
    ///
    /// # Errors
    /// Where the CPU engine cannot be made.
    pub fn precise(&self) -> Result<Self> {
        if self.info().name == "gpu" {
            Self::cpu(&BackendOptions::default(), "double precision")
        } else {
            Ok(self.clone())
        }
    }

    /// Runs work on the engine's own threads, so that what surrounds its jobs keeps to
    /// [`BackendOptions::threads`] too; on the caller's where it has none.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.0.threads() {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    fn cpu(options: &BackendOptions, reason: &str) -> Result<Self> {
        Ok(Self(Arc::new(cpu::CpuEngine::new(options, reason)?)))
    }

    /// Works on the caller's wgpu device, whose callbacks and features stay as they are.
    ///
    /// # Errors
    /// [`Error::Device`] naming a limit that is too low.
    #[cfg(feature = "gpu")]
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        Ok(Self(Arc::new(super::gpu::GpuEngine::from_wgpu(device, queue)?)))
    }

    #[cfg(feature = "gpu")]
    fn gpu(options: &BackendOptions) -> Result<Self> {
        Ok(Self(Arc::new(super::gpu::GpuEngine::new(options, true)?)))
    }

    #[cfg(not(feature = "gpu"))]
    fn gpu(_options: &BackendOptions) -> Result<Self> {
        Err(Error::unsupported("this build has no GPU code").with_help_for(
            "build with the feature `gpu`",
            "take --backend cpu, or install Pevatron with the feature `gpu`",
        ))
    }

    #[cfg(feature = "gpu")]
    fn auto(options: &BackendOptions) -> Result<Self> {
        match super::gpu::GpuEngine::new(options, false) {
            Ok(engine) => {
                let cpu = cpu::CpuEngine::new(options, "stands in for the GPU")?;
                Ok(Self(Arc::new(super::fallback::FallbackEngine::new(Arc::new(engine), Arc::new(cpu)))))
            }
            // An adapter that was asked for by name is not replaced by something else.
            Err(error) if options.adapter.is_some() => Err(error),
            Err(error) => Self::cpu(options, &format!("no GPU is used: {error}")),
        }
    }

    #[cfg(not(feature = "gpu"))]
    fn auto(options: &BackendOptions) -> Result<Self> {
        Self::cpu(options, "this build has no GPU code")
    }
}
