//! `pevatron devices`.

use pevatron::bench::{EngineReport, measured_devices};
use pevatron::{Control, Result};
use serde_json::{Value, json};

use crate::args::DevicesArgs;
use crate::report;

/// Buffer that is copied: far beyond the caches of a CPU.
const COPY_BYTES: u64 = 128 << 20;

pub fn run(args: &DevicesArgs, control: &Control) -> Result<()> {
    let measured = if args.measure { measured_devices(COPY_BYTES, control)? } else { Vec::new() };
    if args.common.json {
        let mut document = json!({ "adapters": adapters(&measured) });
        if let Some(cpu) = measured.iter().find(|engine| engine.id == "cpu") {
            document["cpu"] = json!({ "name": cpu.adapter, "threads": cpu.threads });
            add_rates(&mut document["cpu"], cpu);
        }
        report::json(&document);
        return Ok(());
    }
    list();
    if args.measure {
        table(&measured);
    }
    Ok(())
}

/// What was measured, or why it was not.
fn add_rates(device: &mut Value, measured: &EngineReport) {
    let rates = measured.ceilings.as_ref();
    device["fma_flops_per_second"] = json!(rates.map(|rates| rates.flops_per_second));
    device["copy_bytes_per_second"] = json!(rates.map(|rates| rates.copy_bytes_per_second));
    device["clock"] = json!(rates.map(|rates| &rates.clock));
    device["problem"] = json!(measured.problem);
}

fn table(measured: &[EngineReport]) {
    report::text(&format!("\n{:<8}  {:>12}  {:>9}  {:<6}  name", "device", "FMA GFLOP/s", "copy GB/s", "clock"));
    for engine in measured {
        let (flops, copy, clock) = match &engine.ceilings {
            Some(rates) => (
                format!("{:.1}", rates.flops_per_second / 1e9),
                format!("{:.1}", rates.copy_bytes_per_second / 1e9),
                rates.clock.as_str(),
            ),
            None => ("-".to_string(), "-".to_string(), "-"),
        };
        let why = engine.problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default();
        report::line(&format!("{:<8}  {flops:>12}  {copy:>9}  {clock:<6}  {}{why}", engine.id, engine.adapter));
    }
}

#[cfg(feature = "gpu")]
fn adapters(measured: &[EngineReport]) -> Vec<Value> {
    let describe = |a: pevatron::compute::gpu::Adapter| {
        let mut device = json!({
            "index": a.index, "name": a.name, "backend": a.backend, "driver": a.driver,
            "device_type": a.device_type, "software": a.software, "timestamps": a.timestamps,
            "max_storage_binding_bytes": a.max_binding_bytes, "max_buffer_bytes": a.max_buffer_bytes,
        });
        if let Some(engine) = measured.iter().find(|engine| engine.id == format!("gpu:{}", a.index)) {
            add_rates(&mut device, engine);
        }
        device
    };
    pevatron::compute::gpu::adapters().into_iter().map(describe).collect()
}

#[cfg(not(feature = "gpu"))]
fn adapters(_measured: &[EngineReport]) -> Vec<Value> {
    Vec::new()
}

#[cfg(feature = "gpu")]
fn list() {
    let adapters = pevatron::compute::gpu::adapters();
    if adapters.is_empty() {
        report::line("no adapter: wgpu found no Vulkan, Metal or DirectX 12 driver");
    }
    for a in adapters {
        report::text(&format!(
            "{}: {} ({}, {}, {}){}\n   largest binding {} MiB, largest buffer {} MiB, timestamps: {}",
            a.index,
            a.name,
            a.backend,
            a.device_type,
            a.driver,
            if a.software { ", software: only on request" } else { "" },
            a.max_binding_bytes >> 20,
            a.max_buffer_bytes >> 20,
            if a.timestamps { "yes" } else { "no" },
        ));
    }
}

#[cfg(not(feature = "gpu"))]
fn list() {
    report::line("this build has no GPU code (feature `gpu`)");
}
