//! `pevatron peaks`.

use std::path::{Path, PathBuf};

use pevatron::datasets::MapDataset;
use pevatron::estimators::peaks::{
    PeakLocation, Region, SearchReport, add_counterparts, ds9_regions, find_peaks_in_flux_map, match_positions,
    peak_models, peaks_table, sources_table,
};
use pevatron::estimators::{PeakDistance, SourceSearch};
use pevatron::flux::{FluxMaps, SedType};
use pevatron::io::Catalogue;
use pevatron::maps::{Frame, SkyPosition, WcsGeom};
use pevatron::models::Models;
use pevatron::plot::{Figure, Marker};
use pevatron::table::{Column, Table, Values};
use pevatron::units::Angle;
use pevatron::{Control, Error, Place, Result};
use serde_json::{Value, json};

use super::energies::bin_of;
use super::picture::Look;
use super::plot_maps::FluxPicture;
use super::{backend, require_map, say_unused, write_options};
use crate::args::{PeaksArgs, named};
use crate::outputs::{ECSV, Outputs, REGIONS, YAML};
use crate::{progress, report};

/// What either way of finding gives.
struct Found {
    table: Table,
    names: Vec<String>,
    locations: Vec<PeakLocation>,
    /// Energy bin of each, of the maps that the picture shows.
    bins: Vec<usize>,
    maps: FluxMaps,
    geom: WcsGeom,
    warnings: Vec<String>,
    /// More for --json.
    more: Value,
}

pub fn run(args: &PeaksArgs, control: &Control) -> Result<()> {
    if !args.threshold.is_finite() {
        return Err(Error::options("threshold", format!("{} is not finite", args.threshold)));
    }
    let min_distance = args.min_distance()?;
    let radius = named("match_radius", args.match_radius.parse::<Angle>())?;
    let frame = args.frame()?;
    let outputs = Outputs::new(args.overwrite)
        .file("output", &args.output, ECSV)
        .maybe("regions", args.regions.as_ref(), REGIONS)
        .picture("png", args.png.as_ref())
        .maybe("models_out", args.models_out.as_ref(), YAML);
    let outputs = match &args.residual {
        Some(path) => outputs.flux_maps("residual", path),
        None => outputs,
    };
    outputs
        .reading_maps(&args.flux)
        .reading(&args.dataset)
        .reading(args.models.iter().chain(&args.kernel_model).chain(&args.catalogue))
        .reading(args.picture.psf_file())
        .check()?;
    let look = Look::new(&args.picture, "png", args.png.as_deref())?;
    let catalogue = args.catalogue.as_deref().map(Catalogue::read).transpose()?;
    // Also checks the radius before the work.
    match_positions(&[], &[], radius)?;

    let mut found = if args.iterative { search(args, min_distance, control)? } else { peaks(args, min_distance)? };
    let positions: Vec<SkyPosition> = found.locations.iter().map(|l| l.position).collect();
    let mut labels = found.names.clone();
    if let Some(catalogue) = &catalogue {
        let matched = match_positions(&positions, &catalogue.positions, radius)?;
        add_counterparts(&mut found.table, &matched, &catalogue.names)?;
        for (label, counterpart) in labels.iter_mut().zip(&matched) {
            if let Some(name) = counterpart.and_then(|c| catalogue.names.get(c.index)) {
                *label = name.clone();
            }
        }
    }
    let inputs: Vec<String> = args.flux.iter().chain(&args.dataset).map(|p| p.display().to_string()).collect();
    let table = found
        .table
        .clone()
        .with_meta("program", format!("pevatron {}", env!("CARGO_PKG_VERSION")))
        .with_meta("inputs", inputs.join(", "))
        .with_meta("quantity", if args.iterative { "sqrt_ts" } else { args.quantity.as_str() })
        .with_meta("threshold", args.threshold)
        .with_meta("iterative", args.iterative);
    let draw = |path| Ok::<_, Error>((path, look.draw(figure(args, &found, &labels, &look)?)?));
    let picture = args.png.as_ref().map(draw).transpose()?;
    table.write_ecsv(&args.output, args.overwrite)?;
    if let Some(path) = &args.regions {
        let text = regions(&found, &labels, frame.unwrap_or(found.geom.frame()));
        pevatron::io::write_atomic(path, args.overwrite, |out| out.write_all(text.as_bytes()))?;
    }
    if let Some((path, picture)) = picture {
        look.write_picture(&picture, path, args.overwrite)?;
    }
    if args.common.json {
        let mut document = json!({
            "output": report::name(&args.output),
            "threshold": args.threshold,
            "peaks": rows(&table),
            "warnings": found.warnings,
        });
        if let (Value::Object(all), Value::Object(more)) = (&mut document, found.more) {
            all.extend(more);
        }
        report::json(&document);
        return Ok(());
    }
    for warning in &found.warnings {
        report::warning(warning);
    }
    if !args.common.quiet {
        summary(&found, &labels, args);
    }
    Ok(())
}

/// The peaks of a file of flux maps.
fn peaks(args: &PeaksArgs, min_distance: PeakDistance) -> Result<Found> {
    let path = args.flux.as_deref().ok_or_else(|| Error::options("flux", "flux maps are needed"))?;
    let (maps, warnings) = FluxMaps::read_with_warnings(path)?;
    let bins = maps.energy_axis()?.nbin();
    if args.models_out.is_some() && args.energy.is_none() && bins > 1 {
        let problem =
            format!("a source belongs to all energies, and each of the {bins} energy bins has peaks of its own");
        return Err(Error::options("models_out", problem)
            .with_help("choose the bin whose peaks are to become sources with --energy, or take --iterative"));
    }
    let bin = match args.energy.as_deref() {
        Some(text) => {
            let edges = maps.energy_axis()?.edges_tev()?;
            Some(bin_of(text, edges.len() - 1, Some(&edges))?)
        }
        None => None,
    };
    let peaks = find_peaks_in_flux_map(&maps, &args.quantity, bin, args.threshold, min_distance)
        .map_err(|e| e.at(&Place::file(path)))?;
    let geom = maps.geom().as_wcs()?.to_image();
    let names: Vec<String> = (1..=peaks.len()).map(|n| format!("P{n}")).collect();
    if let Some(out) = &args.models_out {
        let models = peak_models(&peaks, &names, maps.reference_model()).map_err(|e| e.at(&Place::file(path)))?;
        models.write(out, &write_options(args.overwrite, &[path]))?;
    }
    Ok(Found {
        table: peaks_table(&peaks, &names, &geom)?,
        names,
        locations: peaks.iter().map(|p| p.location).collect(),
        bins: peaks.iter().map(|p| p.energy_bin).collect(),
        maps,
        geom,
        warnings,
        more: json!({}),
    })
}

/// The sources of datasets, one after the other.
fn search(args: &PeaksArgs, min_distance: PeakDistance, control: &Control) -> Result<Found> {
    if args.quantity != "sqrt_ts" || args.energy.is_some() {
        return Err(Error::options("iterative", "sources are found in sqrt_ts of one energy range")
            .with_help("leave --quantity and --energy out; --energy-edges chooses the range"));
    }
    let mut search = SourceSearch::new(args.estimator()?);
    search.threshold = args.threshold;
    search.min_distance = min_distance;
    search.max_sources = args.max_sources;
    let mut flux = None;
    if let Some(path) = &args.flux {
        let (maps, _) = FluxMaps::read_with_warnings(path)?;
        search.estimator.kernel_model = maps.reference_model().clone();
        flux = Some((path, maps));
    }
    if let Some(path) = &args.kernel_model {
        search.estimator.kernel_model = super::tsmap::kernel_model(path)?;
    }
    let models = args.models.as_deref().map(Models::read).transpose()?.unwrap_or_default();
    let mut datasets = Vec::with_capacity(args.dataset.len());
    for path in &args.dataset {
        let mut dataset = MapDataset::read(path)?;
        require_map(&dataset, path)?;
        dataset.models = models.clone();
        if let Some((flux_path, maps)) = &flux
            && !maps.geom().as_wcs().is_ok_and(|g| dataset.wcs_geom().is_ok_and(|d| d.same_image(g)))
        {
            let problem = format!("its pixels are not those of '{}'", flux_path.display());
            return Err(Error::input_at(Place::file(path), problem));
        }
        datasets.push(dataset);
    }
    say_unused(&models, &datasets.iter().map(|d| d.name.as_str()).collect::<Vec<_>>())?;
    let backend = backend(&args.engine, &args.common)?;
    let control = progress::observed(control, args.common.quiet || args.common.json);
    let SearchReport { sources, first, residual, warnings, maps, complete, .. } =
        &search.run_with(&datasets, &backend, &control)?;
    drop(datasets);
    let mut all = models;
    all.components.extend(sources.iter().map(|s| pevatron::models::Model::Sky(s.model.clone())));
    let inputs: Vec<&Path> = args.dataset.iter().map(PathBuf::as_path).collect();
    let options = write_options(args.overwrite, &inputs);
    if let Some(path) = &args.models_out {
        all.write(path, &options)?;
    }
    if let Some(path) = &args.residual {
        residual.write(path, SedType::Likelihood, &options)?;
    }
    let geom = first.geom().as_wcs()?.to_image();
    Ok(Found {
        table: sources_table(sources, &geom)?,
        names: sources.iter().map(|s| s.name.clone()).collect(),
        locations: sources.iter().map(|s| s.location).collect(),
        bins: vec![0; sources.len()],
        maps: first.clone(),
        geom,
        warnings: warnings.clone(),
        more: json!({ "maps": maps, "complete": complete, "backend": backend.info().name }),
    })
}

fn regions(found: &Found, labels: &[String], frame: Frame) -> String {
    let region = |(location, label): (&PeakLocation, &String)| Region {
        position: location.position,
        ellipse_deg: location.ellipse(&found.geom, frame).map(|e| (e.major_deg, e.minor_deg, e.angle_deg)),
        label: label.clone(),
    };
    let all: Vec<Region> = found.locations.iter().zip(labels).map(region).collect();
    ds9_regions(&all, frame)
}

fn figure(args: &PeaksArgs, found: &Found, labels: &[String], look: &Look) -> Result<Figure> {
    let of_bin = |bin: usize| -> Vec<Marker> {
        let all = found.locations.iter().zip(labels).zip(&found.bins);
        all.filter(|(_, b)| **b == bin).map(|((l, label), _)| Marker::new(l.position).label(label)).collect()
    };
    let quantity = if found.maps.has_any_ts() { "sqrt_ts" } else { args.quantity.as_str() };
    let energy = args.energy.as_deref();
    FluxPicture { quantity, energy, contours: Vec::new(), markers: &of_bin, look }.figure(&found.maps)
}

/// The rows of a table as JSON objects.
fn rows(table: &Table) -> Vec<Value> {
    let cell = |column: &Column, row: usize| match column.values() {
        Values::Float(v) => json!(v[row]),
        Values::Int(v) => json!(v[row]),
        Values::Bool(v) => json!(v[row]),
        Values::Text(v) => json!(v[row]),
    };
    let row = |row: usize| {
        let cells = table.columns().iter().map(|c| (c.name().to_string(), cell(c, row)));
        Value::Object(cells.collect())
    };
    (0..table.rows()).map(row).collect()
}

fn summary(found: &Found, labels: &[String], args: &PeaksArgs) {
    let value = if args.iterative { "sqrt_ts" } else { "value" };
    let numbers = |name: &str| match found.table.get(name).map(Column::values) {
        Some(Values::Float(v)) => v.clone(),
        _ => vec![f64::NAN; labels.len()],
    };
    let (values, flux, error) = (numbers(value), numbers("flux"), numbers("flux_err"));
    let kind = if args.iterative { "sources" } else { "peaks" };
    report::line(&format!("{}: {} {kind} above {}", args.output.display(), labels.len(), args.threshold));
    for (i, location) in found.locations.iter().enumerate() {
        let p = location.position;
        let size = location
            .ellipse(&found.geom, p.frame)
            .map_or(format!("({})", location.status.name()), |e| format!("± {:.4}", e.major_deg));
        report::line(&format!(
            "  {:<16} ({:.4}, {:.4}) {size} deg   {} {:.2}   flux {:.3e} ± {:.1e} cm-2 s-1",
            labels[i],
            p.lon_deg,
            p.lat_deg,
            if args.iterative { "sqrt_ts" } else { args.quantity.as_str() },
            values[i],
            flux[i],
            error[i]
        ));
    }
}
