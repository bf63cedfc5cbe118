//! `pevatron excess`.

use std::path::Path;
use std::time::Instant;

use pevatron::datasets::Dataset;
use pevatron::models::Models;
use pevatron::{Control, Result};
use serde_json::{Map, json};

use super::flux_maps::{self, Stages, Summary};
use super::{backend, require_map, say_unused};
use crate::args::ExcessArgs;
use crate::progress;

pub fn run(args: &ExcessArgs, control: &Control) -> Result<()> {
    let mut estimator = args.estimator()?;
    let mut inputs: Vec<&Path> = vec![&args.dataset];
    inputs.extend(args.models.as_deref());
    inputs.extend(args.spectral_model.as_deref());
    let target = flux_maps::check(&args.maps, &inputs)?;
    let backend = backend(&args.engine, &args.common)?;
    let control = progress::observed(control, args.common.quiet || args.common.json);

    let start = Instant::now();
    let mut dataset = Dataset::read(&args.dataset)?;
    require_map(dataset.common()?, &args.dataset)?;
    if let Some(models) = &args.models {
        dataset.set_models(Models::read(models)?);
        say_unused(dataset.models(), &[dataset.name()])?;
    }
    if let Some(path) = &args.spectral_model {
        estimator.spectral_model = super::tsmap::kernel_model(path)?;
    }
    let read = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let result = estimator.run_with(&dataset, &backend, &control)?;
    let estimate = start.elapsed().as_secs_f64();
    let kind = dataset.kind();
    drop(dataset);

    let write = flux_maps::write(&result.maps, &target, &args.maps, &inputs)?;
    let statistic = if kind == "MapDatasetOnOff" { "W, with off counts" } else { "Cash, with a known background" };
    Summary {
        output: &args.maps.output,
        backend: &backend,
        maps: &result.maps,
        pixels: (result.pixels, "pixels"),
        energy_groups: result.energy_groups,
        datasets: 1,
        stages: Stages { read, prepare: result.prepare_seconds, estimate, write },
        status_counts: &result.status_counts,
        warnings: &result.warnings,
        own: Map::from_iter([
            ("kind".to_string(), json!(kind)),
            ("correlation_radius_deg".to_string(), json!(estimator.correlation_radius.to_deg())),
            ("correlation_radius_pixels".to_string(), json!(result.radius_pixels)),
        ]),
        decided: format!("{kind}, statistic: {statistic}; radius {:.4} pixels", result.radius_pixels),
    }
    .print(&args.common)
}
