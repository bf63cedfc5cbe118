//! `pevatron tsmap`.

use std::path::Path;
use std::time::Instant;

use pevatron::datasets::MapDataset;
use pevatron::models::{Model, Models, SkyModel};
use pevatron::{Control, Error, Place, Result};
use serde_json::{Map, json};

use super::flux_maps::{self, Stages, Summary};
use super::{backend, require_map, say_unused};
use crate::args::TsmapArgs;
use crate::progress;

pub fn run(args: &TsmapArgs, control: &Control) -> Result<()> {
    let mut estimator = args.estimator()?;
    let mut inputs: Vec<&Path> = args.datasets.iter().map(|p| p.as_path()).collect();
    inputs.extend(args.models.as_deref());
    inputs.extend(args.kernel_model.as_deref());
    let target = flux_maps::check(&args.maps, &inputs)?;
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
    if let Some(models) = &models {
        say_unused(models, &datasets.iter().map(|d| d.name.as_str()).collect::<Vec<_>>())?;
    }
    if let Some(path) = &args.kernel_model {
        estimator.kernel_model = kernel_model(path)?;
    }
    let read = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let result = estimator.run_with(&datasets, &backend, &control)?;
    let estimate = start.elapsed().as_secs_f64();
    // Their memory is better used for the file that is made next.
    let n_datasets = datasets.len();
    drop(datasets);

    let write = flux_maps::write(&result.maps, &target, &args.maps, &inputs)?;
    Summary {
        output: &args.maps.output,
        backend: &backend,
        maps: &result.maps,
        pixels: (result.pixels, "fits"),
        energy_groups: result.energy_groups,
        datasets: n_datasets,
        stages: Stages { read, prepare: result.prepare_seconds, estimate, write },
        status_counts: &result.status_counts,
        warnings: &result.warnings,
        own: Map::from_iter([("kernel_width_deg".to_string(), json!(result.kernel_width_deg))]),
        decided: format!("kernel width: {} deg", result.kernel_width_deg),
    }
    .print(&args.common)
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
