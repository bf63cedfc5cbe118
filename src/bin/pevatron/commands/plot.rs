//! `pevatron plot`: what is drawn of which file.

use std::path::Path;

use pevatron::datasets::Dataset;
use pevatron::flux::FluxMaps;
use pevatron::io::{Catalogue, FileKind, ImageFile};
use pevatron::maps::{Frame, Map};
use pevatron::plot::{Figure, Marker};
use pevatron::{Control, Error, Place, Result};
use serde_json::json;

use super::picture::Look;
use super::plot_maps::{FluxPicture, map_figure};
use super::spectra::{self, read_dataset};
use super::{plot_dataset, plot_points, warn_of_unit};
use crate::args::PlotArgs;
use crate::outputs::Outputs;
use crate::report;

/// Maps of a dataset that are drawn by their name; the first three are those of every one.
const PARTS: [&str; 7] = ["counts", "background", "exposure", "counts_off", "acceptance", "acceptance_off", "alpha"];

pub fn run(args: &PlotArgs, control: &Control) -> Result<()> {
    Outputs::new(args.overwrite)
        .picture("output", Some(&args.output))
        .reading_maps([&args.file])
        .reading(args.sources.iter().chain(&args.regions).chain(&args.dataset.models).chain(&args.dataset.runs))
        .reading(args.picture.psf_file())
        .check()?;
    if !(200..=8000).contains(&args.width) {
        return Err(Error::options("width", format!("{} px is not within 200 to 8000", args.width)));
    }
    let look = Look::new(&args.picture, "output", Some(&args.output))?.width_px(args.width);
    let mut markers = match &args.sources {
        Some(path) => markers_of(path)?,
        None => Vec::new(),
    };
    if let Some(path) = &args.regions {
        let (shapes, warnings) = pevatron::io::read_shapes(path)?;
        for warning in &warnings {
            report::warning(&warning.to_string());
        }
        markers.extend(shapes.into_iter().map(Marker::of_shape));
    }
    let quantity = args.quantity.as_deref();
    let kind = args.kind.as_deref();
    let wants = |allowed: &[&str]| match kind {
        Some(k) if !allowed.contains(&k) => {
            Err(Error::options("kind", format!("'{k}' is not drawn of this file, only {}", allowed.join(", "))))
        }
        _ => Ok(()),
    };
    spectra::options(&[&args.file], &args.spectrum)?;
    let figure = match pevatron::io::file_kind(&args.file)? {
        FileKind::FluxMaps if kind == Some("histogram") => plot_points::histogram(args, &markers)?,
        FileKind::FluxMaps => {
            wants(&["map", "histogram"])?;
            let maps = FluxMaps::read(&args.file)?;
            let picture = FluxPicture {
                quantity: quantity.unwrap_or("sqrt_ts"),
                energy: args.energy.as_deref(),
                contours: contours(args)?,
                markers: &|_| markers.clone(),
                look: &look,
            };
            picture.figure(&maps).or_else(|error| other_image(args, error, &markers, &look))?
        }
        FileKind::FluxPoints => {
            wants(&["sed", "light-curve", "profiles", "fit"])?;
            if kind == Some("fit") { plot_points::points_fit(args)? } else { plot_points::flux_points(args)? }
        }
        FileKind::MapDataset | FileKind::MapDatasetOnOff | FileKind::Spectrum => {
            wants(&plot_dataset::KINDS)?;
            let dataset = read_dataset(&args.file, &args.spectrum)?;
            let natural = if dataset.common()?.is_spectrum() { "spectrum" } else { "map" };
            let kind = kind.unwrap_or(natural);
            let part = quantity.unwrap_or("counts");
            match kind {
                "map" => match part_of(dataset, part) {
                    Ok(Some(map)) => map_figure(&map, part, args, &markers, &look)?,
                    Ok(None) => return Err(Error::input_at(Place::file(&args.file), format!("it has no {part}"))),
                    Err(error) => other_image(args, error, &markers, &look)?,
                },
                kind => plot_dataset::figure(args, dataset, kind, &markers, control)?,
            }
        }
        FileKind::Map => {
            wants(&["map"])?;
            image_of_several(args, &markers, &look)?
        }
        FileKind::Other(what) => {
            let problem = format!("{what}, in which there is nothing to draw");
            return Err(Error::input_at(Place::file(&args.file), problem));
        }
        FileKind::EventList | FileKind::Datasets | FileKind::Models | FileKind::Sources => {
            return Err(Error::input_at(Place::file(&args.file), "there is nothing to draw in it"));
        }
    };
    look.write(figure, &args.output, args.overwrite)?;
    if args.common.json {
        report::json(&json!({ "output": report::name(&args.output) }));
    }
    Ok(())
}

/// An image of the file by its HDU's name, where `error` says that the quantity is not known otherwise.
fn other_image(args: &PlotArgs, error: Error, markers: &[Marker], look: &Look) -> Result<Figure> {
    match (&error, &args.quantity) {
        (Error::Options { option, .. }, Some(name)) if option == "quantity" => {
            match ImageFile::open(&args.file)?.find(name) {
                Ok(_) => image_of_several(args, markers, look),
                Err(_) => Err(error),
            }
        }
        _ => Err(error),
    }
}

/// The image of a file of maps that is asked for by its name, or the only one.
fn image_of_several(args: &PlotArgs, markers: &[Marker], look: &Look) -> Result<Figure> {
    let mut file = ImageFile::open(&args.file)?;
    let entry = match &args.quantity {
        Some(name) => file.find(name)?.clone(),
        None => file.only()?.clone(),
    };
    if args.quantity.is_none() && file.entries().len() > 1 && !args.common.quiet {
        let file_name = args.file.display();
        report::warning(&format!(
            "{file_name}: {} is drawn, the only one of {} with sky coordinates",
            entry.name,
            file.names()
        ));
    }
    let map = file.read(&entry)?;
    warn_of_unit(&map, Place::file(&args.file).hdu(&entry.name));
    let name = if entry.is_named() { entry.name.as_str() } else { "" };
    map_figure(&map, name, args, markers, look).map_err(|e| e.at(&Place::file(&args.file).hdu(&entry.name)))
}

/// A map of a dataset by its name.
fn part_of(dataset: Dataset, part: &str) -> Result<Option<Map>> {
    let names = match &dataset {
        Dataset::OnOff(_) => PARTS.as_slice(),
        _ => &PARTS[..3],
    };
    Ok(match (part, dataset) {
        ("counts", dataset) => dataset.common()?.counts.clone(),
        ("exposure", dataset) => dataset.common()?.exposure.clone(),
        ("background", Dataset::Map(dataset)) => dataset.background,
        ("background", Dataset::OnOff(dataset)) => Some(dataset.background()?),
        ("counts_off", Dataset::OnOff(dataset)) => dataset.counts_off,
        ("acceptance", Dataset::OnOff(dataset)) => dataset.acceptance,
        ("acceptance_off", Dataset::OnOff(dataset)) => dataset.acceptance_off,
        ("alpha", Dataset::OnOff(dataset)) => Some(dataset.alpha()?),
        _ => return Err(Error::not_one_of("quantity", part, names.iter().copied())),
    })
}

/// The sources of models, of a table of peaks, or of a catalogue.
fn markers_of(path: &Path) -> Result<Vec<Marker>> {
    let sources = Catalogue::of_file(path, Frame::Icrs)?;
    let all = sources.positions.iter().zip(&sources.names);
    Ok(all.filter(|(p, _)| p.lon_deg.is_finite()).map(|(p, name)| Marker::new(*p).label(name.trim())).collect())
}

/// Levels of `--contours`.
pub fn contours(args: &PlotArgs) -> Result<Vec<f64>> {
    let level = |text: &str| {
        let value = text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
        value.ok_or_else(|| Error::options("contours", format!("'{text}' is not a finite number")))
    };
    args.contours.as_deref().map_or(Ok(Vec::new()), |list| list.split(',').map(level).collect())
}
