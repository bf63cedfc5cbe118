//! Which engines are there, and what opening them costs.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::ceilings::cpu_ceilings;
use super::report::Ceilings;
use super::workload::Size;
use crate::compute::{Backend, BackendChoice, BackendOptions};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};

/// An engine, as reports name it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineReport {
    /// `"cpu"`, `"gpu:0"` (the index of `pevatron devices`) or `"reference"`.
    pub id: String,
    /// Adapter and driver of a GPU; instruction set and threads of a CPU.
    pub adapter: String,
    /// Driver and its version, of a GPU.
    pub driver: Option<String>,
    /// True for programs that play a GPU.
    pub software: bool,
    /// Limits of a GPU.
    pub limits: Option<Limits>,
    /// Threads of a CPU engine.
    pub threads: Option<usize>,
    /// Wall time to make the engine.
    pub create_seconds: f64,
    /// Wall time to compile all pipelines, of a GPU.
    pub compile_seconds: Option<f64>,
    /// What its hardware reaches at best.
    pub ceilings: Option<Ceilings>,
    /// Why it is not measured, if it is not.
    pub problem: Option<String>,
}

/// Limits of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most bytes of one storage binding.
    pub max_binding_bytes: u64,
    /// Most bytes of one buffer.
    pub max_buffer_bytes: u64,
    /// Most bytes of workgroup memory.
    pub max_workgroup_bytes: u32,
    /// True where the device can time its own work.
    pub timestamps: bool,
}

/// An engine that is open.
pub(super) struct Opened {
    pub(super) id: String,
    pub(super) backend: Backend,
    /// Jobs other than TS maps are in double precision.
    pub(super) double: bool,
    pub(super) kind: Kind,
}

impl Opened {
    /// Without a graphics card a quick look would take minutes.
    pub(super) fn is_slow(&self) -> bool {
        self.kind == Kind::Software
    }
}

/// How much work an engine is given where no size is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Reference,
    Cpu,
    Software,
    Hardware,
}

impl Kind {
    /// Enough to be busy with, not so much that one would wait for minutes.
    pub(super) fn sizes(self) -> &'static [Size] {
        match self {
            Self::Reference => &[Size::Tiny],
            Self::Software => &[Size::Quick],
            Self::Cpu => &[Size::Standard],
            Self::Hardware => &[Size::Standard, Size::Large],
        }
    }
}

impl EngineReport {
    fn new(id: &str) -> Self {
        Self {
            id: id.to_string(),
            adapter: String::new(),
            driver: None,
            software: false,
            limits: None,
            threads: None,
            create_seconds: 0.0,
            compile_seconds: None,
            ceilings: None,
            problem: None,
        }
    }
}

/// Opens what `choices` name: [`BackendChoice::Gpu`] stands for every adapter, or for the one in `options`. An engine
/// that cannot be opened is reported, not returned; where there is none at all, that is an error. `compile`: all
/// pipelines of a device; `ceilings`: measure them with at most so many bytes per buffer.
pub(super) fn open_all(
    choices: &[BackendChoice],
    options: &BackendOptions,
    compile: bool,
    ceilings: Option<u64>,
    control: &Control,
) -> Result<(Vec<EngineReport>, Vec<Opened>)> {
    let (mut reports, mut engines, mut first_problem) = (Vec::new(), Vec::new(), None);
    for choice in choices {
        let wanted = match choice {
            BackendChoice::Gpu => adapters(options)?,
            BackendChoice::Reference => vec![(EngineReport::new("reference"), None)],
            _ => vec![(EngineReport::new("cpu"), None)],
        };
        for (mut report, adapter) in wanted {
            control.check()?;
            let options = BackendOptions { choice: *choice, adapter, ..options.clone() };
            match open(&mut report, &options, compile, ceilings, control) {
                Ok(backend) => {
                    let kind = match (choice, report.software) {
                        (BackendChoice::Gpu, true) => Kind::Software,
                        (BackendChoice::Gpu, false) => Kind::Hardware,
                        (BackendChoice::Reference, _) => Kind::Reference,
                        _ => Kind::Cpu,
                    };
                    let double = matches!(kind, Kind::Cpu | Kind::Reference);
                    engines.push(Opened { id: report.id.clone(), backend, double, kind });
                }
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => {
                    report.problem = Some(error.to_string());
                    first_problem = first_problem.or(Some(error));
                }
            }
            reports.push(report);
        }
    }
    match first_problem {
        Some(error) if engines.is_empty() => Err(error),
        _ => Ok((reports, engines)),
    }
}

/// The CPU and every adapter with what their hardware reaches at best, measured with at most `bytes` per buffer; one
/// that cannot be measured says why.
///
/// # Errors
/// [`Error::Cancelled`].
pub fn measured_devices(bytes: u64, control: &Control) -> Result<Vec<EngineReport>> {
    let choices = [BackendChoice::Cpu, BackendChoice::Gpu];
    let (mut reports, _) = open_all(&choices, &BackendOptions::default(), false, Some(bytes), control)?;
    // Without an adapter there is none to be told about.
    reports.retain(|report| report.threads.is_some() || report.limits.is_some());
    Ok(reports)
}

fn open(
    report: &mut EngineReport,
    options: &BackendOptions,
    compile: bool,
    ceilings: Option<u64>,
    control: &Control,
) -> Result<Backend> {
    let begun = Instant::now();
    let backend = Backend::new(options)?;
    report.create_seconds = begun.elapsed().as_secs_f64();
    if report.adapter.is_empty() {
        report.adapter = backend.info().adapter.clone();
    }
    match (backend.engine().instruments(), options.choice) {
        (Some(instruments), _) => {
            if compile {
                let begun = Instant::now();
                instruments.compile()?;
                report.compile_seconds = Some(begun.elapsed().as_secs_f64());
            }
            if let Some(bytes) = ceilings {
                let found = instruments.ceilings(bytes, control)?;
                report.ceilings = Some(Ceilings {
                    flops_per_second: found.flops_per_second,
                    copy_bytes_per_second: found.copy_bytes_per_second,
                    in_bytes_per_second: Some(found.in_bytes_per_second),
                    out_bytes_per_second: Some(found.out_bytes_per_second),
                    clock: if found.device_clock { "device" } else { "host" }.to_string(),
                });
            }
        }
        (None, BackendChoice::Cpu) => {
            let all = std::thread::available_parallelism().map_or(1, |n| n.get());
            let threads = options.threads.unwrap_or(all);
            report.threads = Some(threads);
            if let Some(bytes) = ceilings {
                report.ceilings = Some(cpu_ceilings(threads, bytes, control)?);
            }
        }
        (None, _) => {}
    }
    Ok(backend)
}

/// The adapters that are wanted, and how each is asked for.
#[cfg(feature = "gpu")]
fn adapters(options: &BackendOptions) -> Result<Vec<(EngineReport, Option<String>)>> {
    let all = crate::compute::gpu::adapters();
    let wanted: Vec<_> = match &options.adapter {
        None => all,
        Some(name) => {
            let lower = name.to_lowercase();
            let index = name.parse::<usize>().ok();
            let names: Vec<_> = all.iter().map(|a| format!("{}: {}", a.index, a.name)).collect();
            let by_index: Vec<_> = all.iter().filter(|a| index == Some(a.index)).cloned().collect();
            let by_name = all.into_iter().filter(|a| a.name.to_lowercase().contains(&lower)).collect();
            let found: Vec<_> = if by_index.is_empty() { by_name } else { by_index };
            if found.is_empty() {
                return Err(Error::options("adapter", format!("'{name}' is not there")).with_help(names.join(", ")));
            }
            found
        }
    };
    if wanted.is_empty() {
        // Opening it says what is missing.
        return Ok(vec![(EngineReport::new("gpu"), None)]);
    }
    let reports = wanted.into_iter().map(|a| {
        let report = EngineReport {
            adapter: format!("{} ({}, {})", a.name, a.backend, a.device_type),
            driver: Some(a.driver),
            software: a.software,
            limits: Some(Limits {
                max_binding_bytes: a.max_binding_bytes,
                max_buffer_bytes: a.max_buffer_bytes,
                max_workgroup_bytes: a.max_workgroup_bytes,
                timestamps: a.timestamps,
            }),
            ..EngineReport::new(&format!("gpu:{}", a.index))
        };
        (report, Some(a.index.to_string()))
    });
    Ok(reports.collect())
}

#[cfg(not(feature = "gpu"))]
fn adapters(options: &BackendOptions) -> Result<Vec<(EngineReport, Option<String>)>> {
    match options.adapter {
        Some(_) => Err(Error::unsupported("this build has no GPU code").with_help_for(
            "build with the feature `gpu`",
            "take --backend cpu, or install Pevatron with the feature `gpu`",
        )),
        None => Ok(vec![(EngineReport::new("gpu"), None)]),
    }
}
