//! `pevatron tsmap`.

use std::path::Path;
use std::time::Instant;

use pevatron::datasets::MapDataset;
use pevatron::models::{Model, Models, SkyModel};
use pevatron::{Control, Error, Place, Result};
use serde_json::json;

use super::{backend, check_output, max_sqrt_ts, require_map, write_options};
use crate::args::TsmapArgs;
use crate::{progress, report};

pub fn run(args: &TsmapArgs, control: &Control) -> Result<()> {
    let mut estimator = args.estimator()?;
    let sed_type = args.sed_type()?;
    check_output(&args.output, args.overwrite)?;
    if let Some(png) = &args.png {
        check_output(png, args.overwrite)?;
    }
    let backend = backend(&args.engine, &args.common)?;
    let control = progress::observed(control, args.common.quiet || args.common.json);

    let start = Instant::now();
    let models = args.models.as_deref().map(Models::read).transpose()?;
    let mut datasets = Vec::with_capacity(args.datasets.len());
    for path in &args.datasets {
        let mut dataset = MapDataset::read(path)?;
        require_map(&dataset, path)?;
        if let Some(models) = &models {
            dataset.models = models.clone();
        }
        datasets.push(dataset);
    }
    if let Some(path) = &args.kernel_model {
        estimator.kernel_model = kernel_model(path)?;
    }
    let read_seconds = start.elapsed().as_secs_f64();

    let estimate = Instant::now();
    let result = estimator.run_with(&datasets, &backend, &control)?;
    let estimate_seconds = estimate.elapsed().as_secs_f64();
    // Their memory is better used for the file that is made next.
    let n_datasets = datasets.len();
    drop(datasets);

    let write = Instant::now();
    let mut inputs: Vec<&Path> = args.datasets.iter().map(|p| p.as_path()).collect();
    inputs.extend(args.models.as_deref());
    inputs.extend(args.kernel_model.as_deref());
    let options = write_options(args.overwrite, &inputs);
    result.maps.write(&args.output, sed_type, &options)?;
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
            "pixels": result.pixels,
            "energy_groups": result.energy_groups,
            "datasets": n_datasets,
            "kernel_width_deg": result.kernel_width_deg,
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
        eprintln!(
            "kernel width: {} deg; null hypothesis: {}",
            result.kernel_width_deg, result.maps.meta.entries["null_models"]
        );
        eprintln!("status: {:?}", result.status_counts);
    }
    if args.common.verbose > 1 {
        eprintln!(
            "read {read_seconds:.3} s, prepare {:.3} s, estimate {estimate_seconds:.3} s, write {write_seconds:.3} s",
            result.prepare_seconds
        );
    }
    if !args.common.quiet {
        let place = best.map_or(String::new(), |(value, p, _)| {
            format!(", largest sqrt_ts {value:.1} at ({:.3}, {:.3}) deg", p.lon_deg, p.lat_deg)
        });
        report::line(&format!(
            "{}: {} fits in {} energy groups, {estimate_seconds:.2} s{place}",
            args.output.display(),
            result.pixels,
            result.energy_groups
        ));
    }
    Ok(())
}

/// The first source model of a file.
pub fn kernel_model(path: &Path) -> Result<SkyModel> {
    let models = Models::read(path)?;
    models
        .components
        .into_iter()
        .find_map(|m| match m {
            Model::Sky(sky) => Some(sky),
            _ => None,
        })
        .ok_or_else(|| Error::input_at(Place::file(path), "there is no SkyModel to take as test source"))
}
