//! `pevatron fit`.

use std::path::Path;
use std::time::Instant;

use pevatron::compute::Backend;
use pevatron::datasets::{Dataset, DatasetRef, PointsStatistic};
use pevatron::fit::{ErrorInterval, Fit, FitResult};
use pevatron::models::Models;
use pevatron::plot::{self, Figure, FittedParameter};
use pevatron::{Control, Error, Result};
use serde_json::{Value, json};

use super::picture::Look;
use super::plot_maps::MOST_PANELS;
use super::spectra::each_of;
use super::{backend, say_unused, write_options};
use crate::args::FitArgs;
use crate::outputs::{Outputs, PICTURE};
use crate::{progress, report};

/// No likelihood reaches farther.
const MOST_SIGMAS: f64 = 1000.0;

/// Points of a contour.
const CONTOUR_POINTS: usize = 36;

/// Whether a minimum was reached whose errors can be trusted; files are written and numbers told in either case.
pub fn run(args: &FitArgs, control: &Control) -> Result<bool> {
    let fit = Fit { max_iterations: args.max_iterations, tolerance: args.tolerance };
    if !(args.tolerance.is_finite() && args.tolerance > 0.0) {
        return Err(Error::options("tolerance", format!("{} is not a positive number", args.tolerance)));
    }
    if !(args.sigma > 0.0 && args.sigma <= MOST_SIGMAS) {
        let problem = format!("{} must be positive and at most {MOST_SIGMAS}", args.sigma);
        return Err(Error::options("sigma", problem));
    }
    if args.max_iterations == 0 {
        return Err(Error::options("max_iterations", "must be at least 1"));
    }
    let stat_type = args.stat_type.as_deref().map(str::parse::<PointsStatistic>).transpose()?;
    check_picture(args)?;
    Outputs::new(args.overwrite)
        .models("output", &args.output)
        .picture("png", args.png.as_ref())
        .reading(&args.datasets)
        .reading([&args.models])
        .check()?;
    let look = Look::of_chart(&args.chart, "png", args.png.as_deref())?;
    let backend = backend(&args.engine, &args.common)?;
    let control = progress::observed(control, args.common.quiet || args.common.json);

    let start = Instant::now();
    let models = Models::read(&args.models)?;
    let mut datasets = Vec::new();
    each_of(&args.datasets, &args.spectrum, |_, _, dataset| {
        datasets.push(dataset);
        Ok(())
    })?;
    if let Some(stat_type) = stat_type {
        compare_points(&mut datasets, stat_type)?;
    }
    say_unused(&models, &datasets.iter().map(Dataset::name).collect::<Vec<_>>())?;
    check_names(args, &models)?;
    let models = if args.smooth_borders { smooth_borders(&models, &datasets)? } else { models };
    let lent: Vec<DatasetRef<'_>> = datasets.iter().map(Dataset::lend).collect();
    let read_seconds = start.elapsed().as_secs_f64();

    let begin = Instant::now();
    let result = fit.run(&lent, &models, &backend, &control)?;
    let fit_seconds = begin.elapsed().as_secs_f64();

    // What was reached is written before anything else is tried.
    let mut inputs: Vec<&Path> = args.datasets.iter().map(AsRef::as_ref).collect();
    inputs.push(&args.models);
    result.models.write_with_covariance(&args.output, &result.covariance, &write_options(args.overwrite, &inputs))?;

    let begin = Instant::now();
    let mut intervals = Vec::new();
    for name in &args.confidence {
        let interval = match fit.confidence(&lent, &result.models, name, args.sigma, &backend, &control) {
            Ok(interval) => interval,
            // The fit stands without them.
            Err(Error::Input { problem, .. }) => {
                ErrorInterval { errn: f64::NAN, errp: f64::NAN, success: false, message: problem, nfev: 0 }
            }
            Err(other) => return Err(other),
        };
        intervals.push((name.clone(), interval));
    }
    let confidence_seconds = begin.elapsed().as_secs_f64();

    if let Some(path) = &args.png {
        let picture = look.draw(charts(args, &fit, &lent, &result, &intervals, &backend, &control)?)?;
        look.write_picture(&picture, path, args.overwrite)?;
    }

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
            "output": report::name(&args.output),
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
    } else if !args.common.quiet {
        print(&result, &args.output, fit_seconds, &intervals)?;
    }
    for remark in &result.remarks {
        report::warning(&format!("the fit ended with {remark}"));
    }
    for (name, interval) in intervals.iter().filter(|(_, i)| !i.success) {
        report::problem(&format!("no asymmetric errors of {name}: {}", interval.message), None);
    }
    if !result.success {
        report::problem(
            &format!("the fit did not succeed: {}", result.message),
            Some(&format!(
                "{} holds where it ended; begin nearer to the minimum, freeze what the data cannot tell, or raise \
                 --max-iterations",
                args.output.display()
            )),
        );
    }
    Ok(result.success)
}

/// The parameters that options name must be there and free.
fn check_names(args: &FitArgs, models: &Models) -> Result<()> {
    let single = |option: &'static str, names: &[String]| -> Vec<(&'static str, String)> {
        names.iter().map(|name| (option, name.clone())).collect()
    };
    let mut names = single("confidence", &args.confidence);
    names.extend(single("profile", &args.profile));
    for text in &args.contour {
        let (x, y) = pair(text)?;
        names.extend([("contour", x.to_string()), ("contour", y.to_string())]);
    }
    for (option, name) in names {
        if models.parameter(&name)?.frozen {
            return Err(Error::options(option, format!("{name} is frozen"))
                .with_help("set frozen: false in the models, or name another parameter"));
        }
    }
    Ok(())
}

/// The models with borders drawn smoothly on the smallest pixels of the datasets.
fn smooth_borders(models: &Models, datasets: &[Dataset]) -> Result<Models> {
    let geoms = datasets.iter().filter_map(|d| d.lend().common().ok()?.geom().ok()?.as_wcs().ok());
    let pixel = geoms.map(|g| g.pixel_scales_deg().0.min(g.pixel_scales_deg().1)).fold(f64::INFINITY, f64::min);
    let (smooth, number) = models.with_smooth_borders(pixel);
    if number == 0 || !pixel.is_finite() {
        return Err(Error::options("smooth_borders", "none of the models is a disk or a shell on a map"));
    }
    Ok(smooth)
}

/// What was found, for people.
fn print(result: &FitResult, output: &Path, seconds: f64, intervals: &[(String, ErrorInterval)]) -> Result<()> {
    report::line(&format!(
        "{}: stat {:.4}, {}, {} steps, {seconds:.3} s",
        output.display(),
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

/// What can be known of the picture before the fit.
fn check_picture(args: &FitArgs) -> Result<()> {
    let Some(png) = &args.png else { return Ok(()) };
    PICTURE.check("png", png)?;
    match args.profile.len() + args.contour.len() {
        0 => Err(Error::options("png", "there is nothing to draw").with_help("give --profile or --contour")),
        n if n > MOST_PANELS => Err(Error::options("png", format!("{n} are too many panels"))),
        _ => args.contour.iter().try_for_each(|text| pair(text).map(drop)),
    }
}

/// The two names of a contour.
fn pair(text: &str) -> Result<(&str, &str)> {
    match text.split(',').map(str::trim).collect::<Vec<_>>().as_slice() {
        [x, y] if !x.is_empty() && !y.is_empty() => Ok((x, y)),
        _ => Err(Error::options(
            "contour",
            format!("'{text}' is not two parameters, e.g. src.spectral.index,src.spectral.amplitude"),
        )),
    }
}

/// Profiles and contours of the fitted models.
fn charts(
    args: &FitArgs,
    fit: &Fit,
    datasets: &[DatasetRef<'_>],
    result: &FitResult,
    intervals: &[(String, ErrorInterval)],
    backend: &Backend,
    control: &Control,
) -> Result<Figure> {
    let units: Vec<(String, String)> =
        result.models.parameters().into_iter().map(|(name, p)| (name, p.unit.to_string())).collect();
    let fitted = |name: &str| -> Result<FittedParameter<'_>> {
        let p = result.models.parameter(name)?;
        let interval = intervals.iter().find(|(n, i)| n == name && i.success && args.sigma == 1.0);
        let errors = interval.map_or((p.error, p.error), |(_, i)| (i.errn, i.errp));
        let own = units.iter().find(|(n, _)| n == name);
        let (name, unit) = own.map_or(("", ""), |(n, u)| (n.as_str(), u.as_str()));
        Ok(FittedParameter { name, unit, value: p.value, errors })
    };
    let mut figure = Figure::new();
    for name in &args.profile {
        let profile = fit.stat_profile(datasets, &result.models, name, true, backend, control)?;
        figure = figure.panel(plot::fit_profile_chart(&fitted(name)?, &profile.values, &profile.stat, result.stat)?);
    }
    for text in &args.contour {
        let (x, y) = pair(text)?;
        let mut lines = Vec::new();
        for sigma in [1.0, 2.0, 3.0] {
            let c = fit.stat_contour(datasets, &result.models, x, y, CONTOUR_POINTS, sigma, backend, control)?;
            lines.push((format!("{sigma}σ"), c.x.into_iter().zip(c.y).collect::<Vec<_>>()));
        }
        let lines: Vec<(&str, &[(f64, f64)])> = lines.iter().map(|(n, l)| (n.as_str(), l.as_slice())).collect();
        figure = figure.panel(plot::contour_chart(&fitted(x)?, &fitted(y)?, &lines)?);
    }
    Ok(figure)
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
