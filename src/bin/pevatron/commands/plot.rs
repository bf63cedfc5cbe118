//! `pevatron plot`, and the picture of sqrt_ts that other commands write.

use std::path::Path;

use ndarray::Array2;
use pevatron::datasets::{Dataset, FluxPointsDataset, ResidualMethod};
use pevatron::flux::{FluxMaps, FluxPoints, FluxPointsCollection, FromTable, SedType};
use pevatron::io::{Catalogue, FileKind, ImageFile};
use pevatron::maps::{Frame, Map};
use pevatron::models::{Model, Models};
use pevatron::plot::{self, ColourMap, Figure, MapImage, Marker, Stretch};
use pevatron::{Control, Error, Place, Result};
use serde_json::json;

use super::spectra::{self, read_dataset};
use super::{plot_dataset, warn_of_unit};
use crate::args::PlotArgs;
use crate::outputs::Outputs;
use crate::report;

/// Maps of a dataset that are drawn by their name; the first three are those of every one.
const PARTS: [&str; 7] = ["counts", "background", "exposure", "counts_off", "acceptance", "acceptance_off", "alpha"];

/// Pictures of more energy groups than this would be unreadable; the groups are then summed or must be chosen.
pub const MOST_PANELS: usize = 12;

pub fn run(args: &PlotArgs, control: &Control) -> Result<()> {
    Outputs::new(args.overwrite)
        .picture("output", Some(&args.output))
        .reading_maps([&args.file])
        .reading(args.sources.iter().chain(&args.regions).chain(&args.dataset.models).chain(&args.dataset.runs))
        .check()?;
    if !(200..=8000).contains(&args.width) {
        return Err(Error::options("width", format!("{} px is not within 200 to 8000", args.width)));
    }
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
    match pevatron::io::file_kind(&args.file)? {
        FileKind::FluxMaps if kind == Some("histogram") => histogram(args, &markers)?,
        FileKind::FluxMaps => {
            wants(&["map", "histogram"])?;
            let maps = FluxMaps::read(&args.file)?;
            let style = FluxPicture {
                quantity: quantity.unwrap_or("sqrt_ts"),
                contours: contours(args)?,
                markers: &|_| markers.clone(),
            };
            write_flux_maps(&maps, &style, args.energy, args.width, &args.output, args.overwrite)
                .or_else(|error| other_image(args, error, &markers))?;
        }
        FileKind::FluxPoints => {
            wants(&["sed", "light-curve", "profiles", "fit"])?;
            if kind == Some("fit") { points_fit(args)? } else { flux_points(args)? }
        }
        FileKind::MapDataset | FileKind::MapDatasetOnOff | FileKind::Spectrum => {
            wants(&plot_dataset::KINDS)?;
            let dataset = read_dataset(&args.file, &args.spectrum)?;
            let natural = if dataset.common()?.is_spectrum() { "spectrum" } else { "map" };
            let kind = kind.unwrap_or(natural);
            if kind != "map" {
                plot_dataset::run(args, dataset, kind, &markers, control)?;
                return done(args);
            }
            let part = quantity.unwrap_or("counts");
            match part_of(dataset, part) {
                Ok(Some(map)) => write_map_picture(&map, part, args, &markers)?,
                Ok(None) => return Err(Error::input_at(Place::file(&args.file), format!("it has no {part}"))),
                Err(error) => other_image(args, error, &markers)?,
            }
        }
        FileKind::Map => {
            wants(&["map"])?;
            image_of_several(args, &markers)?;
        }
        FileKind::Other(what) => {
            let problem = format!("{what}, in which there is nothing to draw");
            return Err(Error::input_at(Place::file(&args.file), problem));
        }
        FileKind::EventList | FileKind::Datasets | FileKind::Models | FileKind::Sources => {
            return Err(Error::input_at(Place::file(&args.file), "there is nothing to draw in it"));
        }
    }
    done(args)
}

/// Says what was written, if asked for.
fn done(args: &PlotArgs) -> Result<()> {
    if args.common.json {
        report::json(&json!({ "output": report::name(&args.output) }));
    }
    Ok(())
}

/// An image of the file by its HDU's name, where `error` says that the quantity is not known otherwise.
fn other_image(args: &PlotArgs, error: Error, markers: &[Marker]) -> Result<()> {
    match (&error, &args.quantity) {
        (Error::Options { option, .. }, Some(name)) if option == "quantity" => {
            match ImageFile::open(&args.file)?.find(name) {
                Ok(_) => image_of_several(args, markers),
                Err(_) => Err(error),
            }
        }
        _ => Err(error),
    }
}

/// The image of a file of maps that is asked for by its name, or the only one.
fn image_of_several(args: &PlotArgs, markers: &[Marker]) -> Result<()> {
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
    write_map_picture(&map, name, args, markers).map_err(|e| e.at(&Place::file(&args.file).hdu(&entry.name)))
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
fn contours(args: &PlotArgs) -> Result<Vec<f64>> {
    let level = |text: &str| {
        let value = text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
        value.ok_or_else(|| Error::options("contours", format!("'{text}' is not a finite number")))
    };
    args.contours.as_deref().map_or(Ok(Vec::new()), |list| list.split(',').map(level).collect())
}

/// The significances of flux maps as a histogram.
fn histogram(args: &PlotArgs, markers: &[Marker]) -> Result<()> {
    let maps = FluxMaps::read(&args.file)?;
    let sqrt_ts = maps.sqrt_ts()?;
    let geom = sqrt_ts.wcs_geom()?.to_image();
    let radius = match &args.exclude_radius {
        Some(text) => Some(crate::args::named("exclude_radius", text.parse::<pevatron::units::Angle>())?.to_deg()),
        None => None,
    };
    if let Some(radius) = radius.filter(|r| !(*r > 0.0 && *r < 180.0)) {
        let problem = format!("{radius} deg must be positive, and below 180 deg: else nothing is left");
        return Err(Error::options("exclude_radius", problem));
    }
    let is_off = |i: usize, radius: f64| {
        let here = geom.pix_to_sky((i % geom.nx()) as f64, (i / geom.nx()) as f64);
        here.is_some_and(|p| markers.iter().filter_map(|m| m.position_on(&geom)).all(|m| m.separation_deg(p) > radius))
    };
    let off: Option<Vec<bool>> = radius.map(|r| (0..geom.nx() * geom.ny()).map(|i| is_off(i, r)).collect());
    let edges = sqrt_ts.geom().axis("energy")?.edges_tev()?;
    let mut figure = Figure::new().width_px(args.width);
    for group in chosen(args.energy, edges.len() - 1)? {
        let values: Vec<f64> = sqrt_ts.plane_f64(group).iter().copied().collect();
        let title = format!("{} – {}", energy_text(edges[group]), energy_text(edges[group + 1]));
        figure = figure.panel(plot::significance_histogram(&values, off.as_deref())?.title(title));
    }
    write_figure(figure.draw()?, &args.output, args.overwrite)
}

/// A table of flux points: spectra, a light curve or likelihood profiles.
fn flux_points(args: &PlotArgs) -> Result<()> {
    let (collection, warnings) = FluxPointsCollection::read(&args.file, &FromTable::default())?;
    // The reference model matters to conversions alone.
    for warning in warnings.iter().filter(|w| !w.starts_with("no reference model")) {
        report::warning(&warning.to_string());
    }
    let sed = args.quantity.as_deref().map(str::parse::<SedType>).transpose()?;
    let first = collection.iter().next().map(|(_, p)| p);
    let Some(points) = first else { return Err(Error::input_at(Place::file(&args.file), "there are no flux points")) };
    let sed = sed.unwrap_or(points.sed_type_plot_default());
    let is_curve = points.time_axis().is_some();
    let chart = match args.kind.as_deref() {
        Some("profiles") => plot::profile_chart(points, sed)?,
        Some("sed") if is_curve => {
            return Err(Error::options("kind", "a light curve has no single spectrum").with_help("take light-curve"));
        }
        Some("light-curve") | None if is_curve => plot::light_curve_chart(points, sed)?,
        Some("light-curve") => {
            return Err(Error::options("kind", "the points have no times, so there is no light curve"));
        }
        _ => {
            if let Some(path) = &args.sources {
                let models = Models::read(path)?;
                return write_spectra_with(&collection, sed, Some(&models), args.width, &args.output, args.overwrite);
            }
            return write_spectra(&collection, Some(sed), args.width, &args.output, args.overwrite);
        }
    };
    write_figure(Figure::new().width_px(args.width).panel(chart).draw()?, &args.output, args.overwrite)
}

/// Flux points with fitted models above, residuals below.
fn points_fit(args: &PlotArgs) -> Result<()> {
    let Some(path) = &args.dataset.models else {
        return Err(Error::options("models", "the kind fit compares the points with models")
            .with_help("give those that `pevatron fit` wrote"));
    };
    let sed = args.quantity.as_deref().map_or(Ok(SedType::E2dnde), str::parse)?;
    let mut dataset = FluxPointsDataset::read(&args.file)?;
    dataset.models = Models::read(path)?;
    let method = args.dataset.method.as_deref().map_or(Ok(ResidualMethod::DiffOverModel), str::parse)?;
    let picture = points_fit_figure(&dataset, sed, method, path)?.width_px(args.width).draw()?;
    write_figure(picture, &args.output, args.overwrite)
}

/// The same as a figure; `models` is the file of the dataset's models, which may name a covariance.
pub fn points_fit_figure(
    dataset: &FluxPointsDataset,
    sed: SedType,
    method: ResidualMethod,
    models: &Path,
) -> Result<Figure> {
    let covariance = dataset.models.read_covariance(models)?;
    let (spectrum, residuals) = plot::points_fit_charts(dataset, sed, method, covariance.as_ref())?;
    Ok(Figure::new().columns(1).panel(spectrum).panel(residuals))
}

/// The spectra of a collection in one chart.
pub fn write_spectra(
    collection: &FluxPointsCollection,
    sed: Option<SedType>,
    width: u32,
    path: &Path,
    overwrite: bool,
) -> Result<()> {
    let default = collection.iter().next().map_or(SedType::Dnde, |(_, p)| p.sed_type_plot_default());
    write_spectra_with(collection, sed.unwrap_or(default), None, width, path, overwrite)
}

fn write_spectra_with(
    collection: &FluxPointsCollection,
    sed: SedType,
    models: Option<&Models>,
    width: u32,
    path: &Path,
    overwrite: bool,
) -> Result<()> {
    let spectra: Vec<(&str, &FluxPoints)> =
        collection.iter().map(|(k, p)| (k.source.as_deref().unwrap_or("flux points"), p)).collect();
    if spectra.len() > MOST_PANELS {
        return Err(Error::options("sources", format!("{} spectra are too many for one chart", spectra.len())));
    }
    let mut chart = plot::sed_chart(&spectra, sed)?;
    // The source of the same name, where there is one.
    let named = |m: &Model| matches!(m, Model::Sky(sky) if spectra.iter().any(|(name, _)| *name == sky.name));
    let sky = |m: &Model| match m {
        Model::Sky(sky) => Some(sky.clone()),
        _ => None,
    };
    let list = models.map(|m| m.components.as_slice()).unwrap_or_default();
    if let Some(model) = list.iter().find(|m| named(m)).or(list.first()).and_then(sky) {
        let ends = |list: Vec<f64>, pick: fn(f64, f64) -> f64| list.into_iter().reduce(pick).unwrap_or(1.0);
        let (min, max) =
            (ends(spectra[0].1.energy_min_tev()?, f64::min), ends(spectra[0].1.energy_max_tev()?, f64::max));
        for series in plot::model_series(model.spectral.as_ref(), &model.name, sed, (min, max))? {
            chart = chart.series(series);
        }
    }
    write_figure(Figure::new().width_px(width).panel(chart).draw()?, path, overwrite)
}

/// One panel per energy group (or the chosen one) of a quantity of flux maps.
pub fn write_flux_picture(
    maps: &FluxMaps,
    quantity: &str,
    energy: Option<usize>,
    width: u32,
    markers: &[Marker],
    path: &Path,
    overwrite: bool,
) -> Result<()> {
    let style = FluxPicture { quantity, contours: Vec::new(), markers: &|_| markers.to_vec() };
    write_flux_maps(maps, &style, energy, width, path, overwrite)
}

/// The same with the markers of each energy group.
pub fn write_marked_picture(
    maps: &FluxMaps,
    quantity: &str,
    energy: Option<usize>,
    width: u32,
    markers: &dyn Fn(usize) -> Vec<Marker>,
    path: &Path,
    overwrite: bool,
) -> Result<()> {
    write_flux_maps(maps, &FluxPicture { quantity, contours: Vec::new(), markers }, energy, width, path, overwrite)
}

/// What a picture of flux maps shows.
struct FluxPicture<'a> {
    quantity: &'a str,
    contours: Vec<f64>,
    /// The markers of an energy group.
    markers: &'a dyn Fn(usize) -> Vec<Marker>,
}

fn write_flux_maps(
    maps: &FluxMaps,
    style: &FluxPicture<'_>,
    energy: Option<usize>,
    width: u32,
    path: &Path,
    overwrite: bool,
) -> Result<()> {
    let quantity = match style.quantity {
        // Gammapy's name.
        "excess" => "npred_excess",
        quantity => quantity,
    };
    let mut names = Vec::new();
    let mut found = None;
    for sed in SedType::ALL {
        for (name, map) in maps.to_maps(sed).unwrap_or_default() {
            if name == quantity && found.is_none() {
                found = Some(map.into_owned());
            } else if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let map = found.ok_or_else(|| Error::not_one_of("quantity", style.quantity, names.iter().map(String::as_str)))?;
    let geom = map.wcs_geom()?.to_image();
    let edges = map.geom().axis("energy")?.edges_tev()?;
    let groups = chosen(energy, edges.len() - 1)?;
    if groups.len() > MOST_PANELS {
        return Err(Error::options("energy", format!("{} energy groups are too many panels", groups.len()))
            .with_help(format!("choose one of 0 to {}", edges.len() - 2)));
    }
    let mut figure = Figure::new().width_px(width).shared_range(true);
    // Wide maps stay legible one below the other.
    if groups.len() <= 4 && 2 * geom.nx() >= 3 * geom.ny() {
        figure = figure.columns(1);
    }
    for group in &groups {
        let title = format!("{} – {}", energy_text(edges[*group]), energy_text(edges[group + 1]));
        let image = MapImage::new(&map.plane_f64(*group), &geom)?.title(title).markers((style.markers)(*group));
        // Fluxes fall by orders of magnitude from group to group, on one scale for all.
        let spread = groups.len() > 1 && !map.unit().to_string().is_empty();
        let image = if spread { image.stretch(Stretch::Asinh) } else { image };
        let image = if style.contours.is_empty() { image } else { image.contours(&style.contours) };
        figure = figure.panel(styled(image, quantity, map.unit().to_string()));
    }
    write_figure(figure.draw()?, path, overwrite)
}

/// One panel per energy bin of a map.
pub fn write_panels(map: &Map, quantity: &str, path: &Path, overwrite: bool) -> Result<()> {
    let geom = map.wcs_geom()?.to_image();
    let edges = map.geom().axis("energy")?.edges_tev()?;
    if edges.len() - 1 > MOST_PANELS {
        return Err(Error::options("png", format!("{} energy groups are too many panels", edges.len() - 1)));
    }
    let mut figure = Figure::new();
    for (group, pair) in edges.windows(2).enumerate() {
        let title = format!("{} – {}", energy_text(pair[0]), energy_text(pair[1]));
        let image = MapImage::new(&map.plane_f64(group), &geom)?.title(title);
        figure = figure.panel(styled(image, quantity, map.unit().to_string()));
    }
    write_figure(figure.draw()?, path, overwrite)
}

fn write_map_picture(map: &Map, name: &str, args: &PlotArgs, markers: &[Marker]) -> Result<()> {
    let geom = map.wcs_geom()?.to_image();
    let contours = contours(args)?;
    let planes = map.planes();
    let summed = args.energy.is_none() && planes > 1 && adds_up(name, map);
    let shown: Vec<usize> = match args.energy {
        Some(_) => chosen(args.energy, planes)?,
        None if summed => vec![0],
        // Exposures of different energies do not add up to anything, and look alike.
        None if name.eq_ignore_ascii_case("exposure") || planes > MOST_PANELS => vec![planes / 2],
        None => (0..planes).collect(),
    };
    if planes > shown.len() && !summed && args.energy.is_none() && !args.common.quiet {
        let file_name = args.file.display();
        let last = planes - 1;
        report::warning(&format!("{file_name}: plane {} of 0 to {last} is drawn; --energy chooses one", shown[0]));
    }
    let mut figure = Figure::new().width_px(args.width).shared_range(true);
    if (2..=4).contains(&shown.len()) && 2 * geom.nx() >= 3 * geom.ny() {
        figure = figure.columns(1);
    }
    for plane in &shown {
        let image = match summed {
            true => (0..planes).fold(Array2::zeros((geom.ny(), geom.nx())), |sum, p| sum + map.plane_f64(p)),
            false => map.plane_f64(*plane),
        };
        let title = if planes > 1 && !summed { plane_title(map, *plane) } else { String::new() };
        let panel = MapImage::new(&image, &geom)?.markers(markers.iter().cloned()).contours(&contours).title(title);
        figure = figure.panel(styled(panel, name, map.unit().to_string()));
    }
    write_figure(figure.draw()?, &args.output, args.overwrite)
}

/// Whether the planes of a map make sense as a sum: numbers of events do, significances and fluxes do not.
fn adds_up(name: &str, map: &Map) -> bool {
    let name = name.to_lowercase();
    let counted = ["count", "npred", "background", "excess", "event", "signal"].iter().any(|n| name.contains(n));
    let nameless = name.is_empty() || name == "primary";
    (counted || nameless) && map.unit().is_dimensionless()
}

/// The energies of a plane, or its number.
fn plane_title(map: &Map, plane: usize) -> String {
    let energies =
        map.geom().axes().first().filter(|a| a.name().starts_with("energy")).filter(|_| map.geom().axes().len() == 1);
    match energies.and_then(|axis| axis.edges_tev().ok()).as_deref().and_then(|edges| edges.get(plane..plane + 2)) {
        Some([low, high]) => format!("{} – {}", energy_text(*low), energy_text(*high)),
        _ => format!("plane {plane}"),
    }
}

fn styled(image: MapImage, quantity: &str, unit: String) -> MapImage {
    match quantity.to_lowercase().as_str() {
        "sqrt_ts" => image.significance(),
        name if name.contains("significance") || name.contains("sqrt_ts") => {
            image.significance().quantity(quantity.replace('_', " "), unit)
        }
        "ts" => image.quantity("TS", unit).colours(ColourMap::Inferno).stretch(Stretch::Sqrt),
        "counts" => image.quantity("counts", unit).colours(ColourMap::Inferno).stretch(Stretch::Sqrt),
        _ => image.quantity(quantity.replace('_', " "), unit).colours(ColourMap::Viridis),
    }
}

pub fn chosen(energy: Option<usize>, groups: usize) -> Result<Vec<usize>> {
    match energy {
        Some(e) if e >= groups => {
            Err(Error::options("energy", format!("{e} is not one of the energy bins 0 to {}", groups - 1)))
        }
        Some(e) => Ok(vec![e]),
        None => Ok((0..groups).collect()),
    }
}

/// An energy in the unit that reads best.
pub fn energy_text(tev: f64) -> String {
    let (value, unit) = match tev {
        t if t < 1e-6 => (t * 1e9, "keV"),
        t if t < 1e-3 => (t * 1e6, "MeV"),
        t if t < 0.9995 => (t * 1e3, "GeV"),
        t if t < 999.5 => (t, "TeV"),
        t => (t * 1e-3, "PeV"),
    };
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

pub fn write_figure(picture: pevatron::plot::Picture, path: &Path, overwrite: bool) -> Result<()> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let bytes = match extension.as_deref() {
        Some("svg") => picture.to_svg()?,
        Some("png") => picture.to_png()?,
        _ => {
            return Err(Error::options("output", format!("{}: pictures end in .png or .svg", path.display())));
        }
    };
    pevatron::io::write_atomic(path, overwrite, |out| out.write_all(&bytes))
}
