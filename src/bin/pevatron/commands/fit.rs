//! `pevatron fit`.

use std::path::Path;
use std::time::Instant;

use pevatron::datasets::{Dataset, DatasetRef, PointsStatistic};
use pevatron::fit::{Fit, FitResult};
use pevatron::models::Models;
use pevatron::{Control, Error, Result};
use serde_json::{Value, json};

use super::{backend, check_output, read_datasets, write_options};
use crate::args::FitArgs;
use crate::{progress, report};

pub fn run(args: &FitArgs, control: &Control) -> Result<()> {
    let fit = Fit { max_iterations: args.max_iterations, tolerance: args.tolerance };
    if !(args.tolerance.is_finite() && args.tolerance > 0.0) {
        return Err(Error::options("tolerance", format!("{} is not a positive number", args.tolerance)));
    }
    let stat_type = args.stat_type.as_deref().map(str::parse::<PointsStatistic>).transpose()?;
    check_output(&args.output, args.overwrite)?;
    check_output(&Models::covariance_path(&args.output), args.overwrite)?;
    let backend = backend(&args.engine, &args.common)?;
    let control = progress::observed(control, args.common.quiet || args.common.json);

    let start = Instant::now();
    let models = Models::read(&args.models)?;
    let mut datasets = Vec::new();
    for path in &args.datasets {
        datasets.extend(read_datasets(path)?);
    }
    if let Some(stat_type) = stat_type {
        compare_points(&mut datasets, stat_type)?;
    }
    let lent: Vec<DatasetRef<'_>> = datasets.iter().map(Dataset::lend).collect();
    let read_seconds = start.elapsed().as_secs_f64();

    let begin = Instant::now();
    let result = fit.run(&lent, &models, &backend, &control)?;
    let fit_seconds = begin.elapsed().as_secs_f64();

    let begin = Instant::now();
    let mut intervals = Vec::new();
    for name in &args.confidence {
        let interval = fit.confidence(&lent, &result.models, name, args.sigma, &backend, &control)?;
        intervals.push((name.clone(), interval));
    }
    let confidence_seconds = begin.elapsed().as_secs_f64();

    let mut inputs: Vec<&Path> = args.datasets.iter().map(AsRef::as_ref).collect();
    inputs.push(&args.models);
    result.models.write_with_covariance(&args.output, &result.covariance, &write_options(args.overwrite, &inputs))?;

    if args.common.json {
        let intervals: serde_json::Map<String, Value> = intervals
            .iter()
            .map(|(name, i)| {
                let value = json!({
                    "errn": i.errn, "errp": i.errp, "sigma": args.sigma, "success": i.success, "message": i.message,
                });
                (name.clone(), value)
            })
            .collect();
        report::json(&json!({
            "output": args.output,
            "covariance": Models::covariance_path(&args.output),
            "backend": backend.info().name,
            "success": result.success,
            "message": result.message,
            "stat": result.stat,
            "stat_priors": result.stat_priors,
            "nfev": result.nfev,
            "iterations": result.iterations,
            "at_bounds": result.at_bounds,
            "datasets": datasets.iter().map(Dataset::name).collect::<Vec<_>>(),
            "parameters": parameters(&result),
            "errors": errors(&result),
            "confidence": intervals,
            "stages": {
                "read_seconds": read_seconds,
                "fit_seconds": fit_seconds,
                "confidence_seconds": confidence_seconds,
            },
            "seconds": start.elapsed().as_secs_f64(),
        }));
        return Ok(());
    }
    if !result.success {
        eprintln!("warning: the fit did not succeed: {}", result.message);
    }
    if args.common.quiet {
        return Ok(());
    }
    report::line(&format!(
        "{}: stat {:.4}, {}, {} steps, {fit_seconds:.3} s",
        args.output.display(),
        result.stat,
        result.message,
        result.iterations
    ));
    for free in result.models.free_parameters() {
        let p = result.models.parameter(&free.name)?;
        let unit = p.unit.to_string();
        let interval = intervals.iter().find(|(name, _)| *name == free.name);
        let interval = interval.map_or(String::new(), |(_, i)| format!("  (-{:.4e}, +{:.4e})", i.errn, i.errp));
        report::line(&format!("  {:<36} {:>13.6e} ± {:.4e} {unit}{interval}", free.name, p.value, p.error));
    }
    Ok(())
}

/// Sets how all flux points are compared with models.
fn compare_points(datasets: &mut [Dataset], stat_type: PointsStatistic) -> Result<()> {
    let mut any = false;
    for dataset in datasets {
        if let Dataset::FluxPoints(points) = dataset {
            points.stat_type = stat_type;
            any = true;
        }
    }
    if any {
        return Ok(());
    }
    Err(Error::options("stat_type", "is for flux points, and none of the datasets are"))
}

/// All parameters by full name; numbers that there are not are null.
fn parameters(result: &FitResult) -> Value {
    let entry = |(name, p): (String, &pevatron::models::Parameter)| {
        json!({
            "name": name, "value": p.value, "unit": p.unit.to_string(), "error": p.error,
            "min": p.min, "max": p.max, "frozen": p.frozen, "link": p.link,
        })
    };
    result.models.parameters().into_iter().map(entry).collect()
}

/// Errors of the free parameters by full name.
fn errors(result: &FitResult) -> Value {
    let all = result.models.parameters();
    let free = all.iter().filter(|(_, p)| !p.frozen);
    Value::Object(free.map(|(name, p)| (name.clone(), json!(p.error))).collect())
}
