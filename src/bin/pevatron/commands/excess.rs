//! `pevatron excess`.

use std::path::Path;
use std::time::Instant;

use pevatron::datasets::Dataset;
use pevatron::models::Models;
use pevatron::{Control, Result};
use serde_json::json;

use super::{backend, check_output, max_sqrt_ts, require_map, write_options};
use crate::args::ExcessArgs;
use crate::{progress, report};

pub fn run(args: &ExcessArgs, control: &Control) -> Result<()> {
    let mut estimator = args.estimator()?;
    let sed_type = args.sed_type()?;
    check_output(&args.output, args.overwrite)?;
    if let Some(png) = &args.png {
        check_output(png, args.overwrite)?;
    }
    let backend = backend(&args.engine, &args.common)?;
    let control = progress::observed(control, args.common.quiet || args.common.json);

    let start = Instant::now();
    let mut dataset = Dataset::read(&args.dataset)?;
    require_map(dataset.common()?, &args.dataset)?;
    if let Some(models) = &args.models {
        dataset.set_models(Models::read(models)?);
    }
    if let Some(path) = &args.spectral_model {
        estimator.spectral_model = super::tsmap::kernel_model(path)?;
    }
    let read_seconds = start.elapsed().as_secs_f64();

    let estimate = Instant::now();
    let result = estimator.run_with(&dataset, &backend, &control)?;
    let estimate_seconds = estimate.elapsed().as_secs_f64();
    let kind = dataset.kind();
    drop(dataset);

    let write = Instant::now();
    let mut inputs: Vec<&Path> = vec![&args.dataset];
    inputs.extend(args.models.as_deref());
    inputs.extend(args.spectral_model.as_deref());
    result.maps.write(&args.output, sed_type, &write_options(args.overwrite, &inputs))?;
    if let Some(png) = &args.png {
        super::plot::write_flux_picture(&result.maps, "sqrt_ts", None, 1200, &[], png, args.overwrite)?;
    }
    let write_seconds = write.elapsed().as_secs_f64();

    let best = max_sqrt_ts(&result.maps)?;
    let info = backend.info();
    if args.common.json {
        report::json(&json!({
            "output": args.output,
            "backend": info.name,
            "adapter": info.adapter,
            "kind": kind,
            "pixels": result.pixels,
            "energy_groups": result.energy_groups,
            "datasets": 1,
            "correlation_radius_deg": estimator.correlation_radius.to_deg(),
            "correlation_radius_pixels": result.radius_pixels,
            "stages": {
                "read_seconds": read_seconds,
                "prepare_seconds": result.prepare_seconds,
                "estimate_seconds": estimate_seconds,
                "write_seconds": write_seconds,
            },
            "peak_memory_bytes": report::peak_memory_bytes(),
            "max_sqrt_ts": best.map(|(value, position, group)| json!({
                "value": value, "lon_deg": position.lon_deg, "lat_deg": position.lat_deg, "energy_group": group,
            })),
            "status_counts": result.status_counts,
            "warnings": result.warnings,
        }));
        return Ok(());
    }
    for warning in &result.warnings {
        eprintln!("warning: {warning}");
    }
    if args.common.verbose > 0 {
        let statistic = if kind == "MapDatasetOnOff" { "W, with off counts" } else { "Cash, with a known background" };
        eprintln!(
            "{kind}, statistic: {statistic}; radius {:.4} pixels; null hypothesis: {}",
            result.radius_pixels, result.maps.meta.entries["null_models"]
        );
        eprintln!("status: {:?}", result.status_counts);
    }
    if args.common.verbose > 1 {
        eprintln!(
            "read {read_seconds:.3} s, prepare {:.4} s, estimate {estimate_seconds:.4} s, write {write_seconds:.3} s",
            result.prepare_seconds
        );
    }
    if !args.common.quiet {
        let place = best.map_or(String::new(), |(value, p, _)| {
            format!(", largest sqrt_ts {value:.1} at ({:.3}, {:.3}) deg", p.lon_deg, p.lat_deg)
        });
        report::line(&format!(
            "{}: {} pixels in {} energy group{}, {estimate_seconds:.3} s{place}",
            args.output.display(),
            result.pixels,
            result.energy_groups,
            if result.energy_groups == 1 { "" } else { "s" },
        ));
    }
    Ok(())
}
