//! `pevatron simulate`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use pevatron::datasets::{Dataset, MapDataset};
use pevatron::io::write_events;
use pevatron::maps::Frame;
use pevatron::models::Models;
use pevatron::simulate::{ComponentEvents, EventSampler, EventSamplerOptions};
use pevatron::{Control, Error, Place, Result};
use serde_json::json;

use super::spectra::read_dataset;
use super::{backend, say_unused, write_options};
use crate::args::{SimulateArgs, parse_position};
use crate::outputs::{FITS, Outputs};
use crate::{progress, report};

pub fn run(args: &SimulateArgs, control: &Control) -> Result<()> {
    Outputs::new(args.overwrite)
        .file("output", &args.output, FITS)
        .reading([&args.dataset])
        .reading(&args.models)
        .check()?;
    let backend = backend(&args.engine, &args.common)?;
    if args.events {
        // The engine has nothing to do there, but its threads are those that were asked for.
        return backend.install(|| events(args, control));
    }
    let control = progress::observed(control, args.common.quiet || args.common.json);
    let mut dataset = read_dataset(&args.dataset, &args.spectrum)?;
    if let Some(models) = &args.models {
        dataset.set_models(Models::read(models)?);
        say_unused(dataset.models(), &[dataset.name()])?;
    }
    let place = Place::file(&args.dataset);
    if args.asimov {
        dataset = dataset.asimov(&backend, &control).map_err(|e| e.at(&place))?;
    } else {
        dataset.fake(args.seed, &backend, &control).map_err(|e| e.at(&place))?;
    }
    let mut inputs = vec![args.dataset.as_path()];
    inputs.extend(args.models.as_deref());
    dataset.write(&args.output, &write_options(args.overwrite, &inputs))?;
    let counts = dataset.common()?.require_counts()?.sum();
    if args.common.json {
        report::json(&json!({
            "output": report::name(&args.output),
            "backend": backend.info().name,
            "kind": dataset.kind(),
            "counts_sum": counts,
            "seed": (!args.asimov).then_some(args.seed),
        }));
    } else if !args.common.quiet {
        let how = if args.asimov { "predicted".to_string() } else { format!("simulated with seed {}", args.seed) };
        report::line(&format!("{}: {counts:.6} counts, {how}", args.output.display()));
    }
    Ok(())
}

/// An event list instead of counts.
fn events(args: &SimulateArgs, control: &Control) -> Result<()> {
    let files: Vec<&Path> = args.models.iter().map(PathBuf::as_path).collect();
    let pointing = |text| parse_position("pointing", text, Frame::Icrs, &files).map(|p| p.to_frame(Frame::Icrs));
    let pointing = args.pointing.as_deref().map(pointing).transpose()?;
    let control = progress::observed(control, args.common.quiet || args.common.json);
    let start = Instant::now();
    let mut dataset: MapDataset = match read_dataset(&args.dataset, &args.spectrum)? {
        Dataset::Map(dataset) => dataset,
        Dataset::OnOff(_) => {
            return Err(Error::options("events", format!("{} has off counts", args.dataset.display()))
                .with_help("events are drawn from a dataset with a background"));
        }
        Dataset::FluxPoints(points) => return Err(points.no_counts().at(&Place::file(&args.dataset))),
    };
    if let Some(models) = &args.models {
        dataset.models = Models::read(models)?;
        say_unused(&dataset.models, &[&dataset.name])?;
    }
    let options = EventSamplerOptions {
        seed: args.seed,
        component: args.component.clone(),
        pointing,
        ..EventSamplerOptions::default()
    };
    let place = Place::file(&args.dataset);
    let sampler = EventSampler::new(&dataset, &options).map_err(|e| e.at(&place))?;
    drop(dataset);
    let mut inputs = vec![args.dataset.as_path()];
    inputs.extend(args.models.as_deref());
    let write = write_options(args.overwrite, &inputs);
    let mut components: Vec<ComponentEvents> = Vec::new();
    let sampling = Instant::now();
    let number = write_events(&args.output, sampler.meta(), sampler.columns(), &write, |take| {
        components = sampler.for_each_slice(&control, take).map_err(|e| e.at(&place))?;
        Ok(())
    })?;
    let sampling_seconds = sampling.elapsed().as_secs_f64();
    if args.common.json {
        let list: Vec<_> = components
            .iter()
            .map(|c| {
                json!({ "name": c.name, "mc_id": c.mc_id, "expected": c.expected, "drawn": c.drawn, "events": c.kept })
            })
            .collect();
        report::json(&json!({
            "output": report::name(&args.output),
            "events": number,
            "components": list,
            "seed": args.seed,
            "sampling_seconds": sampling_seconds,
            "seconds": start.elapsed().as_secs_f64(),
        }));
    } else if !args.common.quiet {
        report::line(&format!("{}: {number} events, simulated with seed {}", args.output.display(), args.seed));
        for c in &components {
            report::line(&format!("  {}: {} of {} drawn", c.name, c.kept, c.drawn));
        }
    }
    Ok(())
}
