//! `pevatron residuals`.

use pevatron::datasets::{Dataset, FluxPointsDataset, ResidualMethod};
use pevatron::flux::SedType;
use pevatron::maps::Map;
use pevatron::models::Models;
use pevatron::plot::{ColourMap, Figure, MapImage};
use pevatron::table::{Column, Table};
use pevatron::{Control, Error, Place, Result};
use serde_json::json;

use super::energies::{chosen, edges_of, range_text};
use super::picture::Look;
use super::plot_maps::MOST_PANELS;
use super::plot_points::points_fit_figure;
use super::spectra::read_dataset;
use super::{backend, say_unused, write_options};
use crate::args::ResidualsArgs;
use crate::outputs::{Outputs, TABLE};
use crate::{progress, report};

pub fn run(args: &ResidualsArgs, control: &Control) -> Result<()> {
    let (method, smooth) = (args.method()?, args.smooth()?);
    Outputs::new(args.overwrite)
        .file("output", &args.output, TABLE)
        .picture("png", args.png.as_ref())
        .reading([&args.dataset])
        .reading(&args.models)
        .reading(args.picture.psf_file())
        .check()?;
    let look = Look::new(&args.picture, "png", args.png.as_deref())?;
    let backend = backend(&args.engine, &args.common)?;
    let control = progress::observed(control, args.common.quiet || args.common.json);
    let mut dataset = read_dataset(&args.dataset, &args.spectrum)?;
    if let Some(models) = &args.models {
        dataset.set_models(Models::read(models)?);
        say_unused(dataset.models(), &[dataset.name()])?;
    }
    let place = Place::file(&args.dataset);
    if let Dataset::FluxPoints(points) = &dataset {
        return of_points(points, method, args, &look).map_err(|e| e.at(&place));
    }
    let groups = if args.png.is_some() || args.energy.is_some() {
        let edges = edges_of(&dataset).map_err(|e| e.at(&place))?;
        chosen(args.energy.as_deref(), edges.len() - 1, Some(&edges))?
    } else {
        Vec::new()
    };
    if groups.len() > MOST_PANELS {
        return Err(Error::options("energy", format!("{} energies are too many panels", groups.len()))
            .with_help("choose one of them for the picture with --energy"));
    }
    let map = dataset.residuals(method, smooth, &backend, &control).map_err(|e| e.at(&place))?;
    let mut inputs = vec![args.dataset.as_path()];
    inputs.extend(args.models.as_deref());
    let picture = match &args.png {
        Some(path) => Some((path, look.draw(figure(&map, method, &groups, &look)?)?)),
        None => None,
    };
    map.write(&args.output, "RESIDUALS", &write_options(args.overwrite, &inputs))?;
    if let Some((path, picture)) = picture {
        look.write_picture(&picture, path, args.overwrite)?;
    }
    let values: Vec<f64> = map.data().iter().filter(|v| v.is_finite()).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let stat = dataset.stat_sum(&backend, &control)?;
    if args.common.json {
        report::json(&json!({
            "output": report::name(&args.output),
            "backend": backend.info().name,
            "method": method.name(),
            "bins": values.len(),
            "mean": mean,
            "std": std,
            "stat_sum": stat,
        }));
    } else if !args.common.quiet {
        report::line(&format!(
            "{}: {} of {} bins, mean {mean:.4}, standard deviation {std:.4}, stat_sum {stat:.3}",
            args.output.display(),
            method.name(),
            values.len()
        ));
    }
    Ok(())
}

/// A table of flux points, models and what is left between them.
fn of_points(points: &FluxPointsDataset, method: ResidualMethod, args: &ResidualsArgs, look: &Look) -> Result<()> {
    if args.smooth.is_some() || args.energy.is_some() {
        let option = if args.smooth.is_some() { "smooth" } else { "energy" };
        return Err(Error::options(option, "is for maps, these are flux points"));
    }
    let residuals = points.residuals(method)?;
    let values = |map: &Map| -> Vec<f64> { map.data().iter().collect() };
    let energies = points.data.energy_ref_tev()?;
    let rows = residuals.data().len();
    let mut table = Table::new();
    let mut column = |name: &str, unit: &str, values: Vec<f64>| -> Result<()> {
        table.push(Column::floats(name, unit.parse()?, values))
    };
    column("e_ref", "TeV", (0..rows).map(|i| energies[i % energies.len()]).collect())?;
    column("dnde", SedType::Dnde.unit(), values(&points.data.dnde()?))?;
    column("model", SedType::Dnde.unit(), values(&points.flux_pred()?))?;
    column("residual", &residuals.unit().to_string(), values(&residuals))?;
    column("stat", "", values(&points.stat_array()?))?;
    table.set_meta("METHOD", method.name());
    let stat = points.stat_sum()?;
    let mut inputs = vec![args.dataset.as_path()];
    inputs.extend(args.models.as_deref());
    let picture = match (&args.png, &args.models) {
        (Some(path), Some(models)) => {
            Some((path, look.draw(points_fit_figure(points, SedType::E2dnde, method, models)?)?))
        }
        _ => None,
    };
    table.write(&args.output, &write_options(args.overwrite, &inputs))?;
    if let Some((path, picture)) = picture {
        look.write_picture(&picture, path, args.overwrite)?;
    }
    let used = values(&residuals).iter().filter(|v| v.is_finite()).count();
    if args.common.json {
        report::json(&json!({
            "output": report::name(&args.output), "method": method.name(), "points": rows, "residuals": used, "stat_sum": stat,
        }));
    } else if !args.common.quiet {
        let output = args.output.display();
        report::line(&format!("{output}: {} of {used} of {rows} flux points, stat_sum {stat:.3}", method.name()));
    }
    Ok(())
}

/// One panel per energy, centred on 0, on one scale.
fn figure(map: &Map, method: ResidualMethod, groups: &[usize], look: &Look) -> Result<Figure> {
    let geom = map.wcs_geom()?.to_image();
    let edges = map.geom().axis("energy")?.edges_tev()?;
    let largest = groups
        .iter()
        .flat_map(|g| map.plane_f64(*g).into_iter().filter(|v| v.is_finite()).map(f64::abs).collect::<Vec<_>>())
        .fold(0.0, f64::max);
    let largest = if largest > 0.0 { largest } else { 1.0 };
    let mut figure = Figure::new();
    for group in groups {
        let (low, high) = (edges[*group], edges[group + 1]);
        let image = MapImage::new(&map.plane_f64(*group), &geom)?
            .title(range_text(low, high))
            .quantity(method.name(), "")
            .colours(ColourMap::Diverging)
            .range(-largest, largest);
        figure = figure.panel(look.with_psf(image, Some((low, high)))?);
    }
    Ok(figure)
}
