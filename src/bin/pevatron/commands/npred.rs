//! `pevatron npred`.

use std::time::Instant;

use pevatron::models::Models;
use pevatron::{Control, Result};
use serde_json::json;

use super::spectra::read_dataset;
use super::{backend, say_unused, write_options};
use crate::args::NpredArgs;
use crate::outputs::{FITS, Outputs};
use crate::{progress, report};

pub fn run(args: &NpredArgs, control: &Control) -> Result<()> {
    Outputs::new(args.overwrite)
        .file("output", &args.output, FITS)
        .reading([&args.dataset])
        .reading(&args.models)
        .check()?;
    let backend = backend(&args.engine, &args.common)?;
    let control = progress::observed(control, args.common.quiet || args.common.json);
    let start = Instant::now();
    let mut dataset = read_dataset(&args.dataset, &args.spectrum)?;
    if let Some(models) = &args.models {
        dataset.set_models(Models::read(models)?);
        say_unused(dataset.models(), &[dataset.name()])?;
    }
    let estimate = Instant::now();
    let npred = match (&args.component, args.signal) {
        (Some(name), _) => dataset.common()?.npred_signal(Some(name), &backend, &control)?,
        (None, true) => dataset.common()?.npred_signal(None, &backend, &control)?,
        // With off counts the background is the likeliest one.
        (None, false) => dataset.npred(&backend, &control)?,
    };
    let estimate_seconds = estimate.elapsed().as_secs_f64();
    let mut inputs = vec![args.dataset.as_path()];
    inputs.extend(args.models.as_deref());
    npred.write(&args.output, "NPRED", &write_options(args.overwrite, &inputs))?;
    if args.common.json {
        report::json(&json!({
            "output": report::name(&args.output),
            "backend": backend.info().name,
            "npred_sum": npred.sum(),
            "estimate_seconds": estimate_seconds,
            "seconds": start.elapsed().as_secs_f64(),
        }));
    } else if !args.common.quiet {
        report::line(&format!("{}: {:.6} predicted counts", args.output.display(), npred.sum()));
    }
    Ok(())
}
