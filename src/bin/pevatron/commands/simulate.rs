//! `pevatron simulate`.

use pevatron::datasets::Dataset;
use pevatron::models::Models;
use pevatron::{Control, Place, Result};
use serde_json::json;

use super::{backend, check_output, write_options};
use crate::dataset_args::SimulateArgs;
use crate::{progress, report};

pub fn run(args: &SimulateArgs, control: &Control) -> Result<()> {
    check_output(&args.output, args.overwrite)?;
    let backend = backend(&args.engine, &args.common)?;
    let control = progress::observed(control, args.common.quiet || args.common.json);
    let mut dataset = Dataset::read(&args.dataset)?;
    if let Some(models) = &args.models {
        dataset.set_models(Models::read(models)?);
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
            "output": args.output,
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
