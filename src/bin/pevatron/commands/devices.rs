//! `pevatron devices`.

use pevatron::Result;
use serde_json::json;

use crate::args::DevicesArgs;
use crate::report;

#[cfg(feature = "gpu")]
pub fn run(args: &DevicesArgs) -> Result<()> {
    let adapters = pevatron::compute::gpu::adapters();
    if args.common.json {
        let list: Vec<_> = adapters
            .iter()
            .map(|a| {
                json!({
                    "index": a.index, "name": a.name, "backend": a.backend, "driver": a.driver,
                    "device_type": a.device_type, "software": a.software, "timestamps": a.timestamps,
                    "max_storage_binding_bytes": a.max_binding_bytes, "max_buffer_bytes": a.max_buffer_bytes,
                })
            })
            .collect();
        report::json(&json!({ "adapters": list }));
        return Ok(());
    }
    if adapters.is_empty() {
        report::line("no adapter: wgpu found no Vulkan, Metal or DirectX 12 driver");
    }
    for a in adapters {
        report::line(&format!(
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
    Ok(())
}

#[cfg(not(feature = "gpu"))]
pub fn run(args: &DevicesArgs) -> Result<()> {
    if args.common.json {
        report::json(&json!({ "adapters": [] }));
    } else {
        report::line("this build has no GPU code (feature `gpu`)");
    }
    Ok(())
}
