//! `pevatron plot`, and the picture of sqrt_ts that other commands write.

use std::path::Path;

use ndarray::Array2;
use pevatron::datasets::MapDataset;
use pevatron::flux::{FluxMaps, SedType};
use pevatron::io::FileKind;
use pevatron::maps::{Map, WcsGeom};
use pevatron::models::{Model, Models};
use pevatron::plot::{ColourMap, Figure, MapImage, Marker, Stretch};
use pevatron::{Error, Place, Result};
use serde_json::json;

use super::check_output;
use crate::args::PlotArgs;
use crate::report;

/// Pictures of more energy groups than this would be unreadable; the groups are then summed or must be chosen.
const MOST_PANELS: usize = 12;

pub fn run(args: &PlotArgs) -> Result<()> {
    check_output(&args.output, args.overwrite)?;
    if !(200..=8000).contains(&args.width) {
        return Err(Error::options("width", format!("{} px is not within 200 to 8000", args.width)));
    }
    let markers = match &args.sources {
        Some(path) => markers_of(&Models::read(path)?),
        None => Vec::new(),
    };
    let quantity = args.quantity.as_deref();
    match pevatron::io::file_kind(&args.file)? {
        FileKind::FluxMaps => {
            let maps = FluxMaps::read(&args.file)?;
            let quantity = quantity.unwrap_or("sqrt_ts");
            write_flux_picture(&maps, quantity, args.energy, args.width, &markers, &args.output, args.overwrite)?;
        }
        FileKind::MapDataset => {
            let dataset = MapDataset::read(&args.file)?;
            let part = quantity.unwrap_or("counts");
            let map = match part {
                "counts" => dataset.counts,
                "background" => dataset.background,
                "exposure" => dataset.exposure,
                _ => {
                    return Err(Error::options(
                        "quantity",
                        format!("'{part}' is not one of counts, background, exposure"),
                    ));
                }
            };
            let map = map.ok_or_else(|| Error::input_at(Place::file(&args.file), format!("it has no {part}")))?;
            write_map_picture(&map, part, args, &markers)?;
        }
        FileKind::Map => write_map_picture(&Map::read(&args.file, None)?, quantity.unwrap_or(""), args, &markers)?,
        _ => return Err(Error::input_at(Place::file(&args.file), "there is nothing to draw in it")),
    }
    if args.common.json {
        report::json(&json!({ "output": args.output }));
    }
    Ok(())
}

/// Positions of the sources of a list of models.
fn markers_of(models: &Models) -> Vec<Marker> {
    models
        .components
        .iter()
        .filter_map(|m| match m {
            Model::Sky(sky) => sky.spatial.as_ref()?.position().map(|p| Marker::new(p).label(&sky.name)),
            _ => None,
        })
        .collect()
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
    write_marked_picture(maps, quantity, energy, width, &|_| markers.to_vec(), path, overwrite)
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
    let mut names = Vec::new();
    let mut found = None;
    for sed in SedType::ALL {
        for (name, map) in maps.to_sed(sed).unwrap_or_default() {
            if name == quantity && found.is_none() {
                found = Some(map.into_owned());
            } else if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let map =
        found.ok_or_else(|| Error::options("quantity", format!("'{quantity}' is not one of {}", names.join(", "))))?;
    let geom = map.wcs_geom()?.to_image();
    let edges = map.geom().axis("energy")?.edges_tev()?;
    let groups = chosen(energy, edges.len() - 1)?;
    if groups.len() > MOST_PANELS {
        return Err(Error::options("energy", format!("{} energy groups are too many panels", groups.len()))
            .with_help(format!("choose one of 0 to {}", edges.len() - 2)));
    }
    let mut figure = Figure::new().width_px(width).shared_range(quantity == "sqrt_ts");
    // Wide maps stay legible one below the other.
    if groups.len() <= 4 && 2 * geom.nx() >= 3 * geom.ny() {
        figure = figure.columns(1);
    }
    for group in &groups {
        let title = format!("{} – {}", energy_text(edges[*group]), energy_text(edges[group + 1]));
        let image = MapImage::new(&map.plane_f64(*group), &geom)?.title(title).markers(markers(*group));
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
    let image = match args.energy {
        Some(energy) => {
            chosen(Some(energy), map.planes())?;
            map.plane_f64(energy)
        }
        // Exposures of different energies do not add up to anything.
        None if name == "exposure" => map.plane_f64(map.planes() / 2),
        None => (0..map.planes()).fold(Array2::zeros((geom.ny(), geom.nx())), |sum, p| sum + map.plane_f64(p)),
    };
    write_figure(
        map_figure(&image, &geom, name, map.unit().to_string(), args.width, markers)?,
        &args.output,
        args.overwrite,
    )
}

fn map_figure(
    image: &Array2<f64>,
    geom: &WcsGeom,
    name: &str,
    unit: String,
    width: u32,
    markers: &[Marker],
) -> Result<pevatron::plot::Picture> {
    let panel = MapImage::new(image, geom)?.markers(markers.iter().cloned());
    Figure::new().width_px(width).panel(styled(panel, name, unit)).draw()
}

fn styled(image: MapImage, quantity: &str, unit: String) -> MapImage {
    match quantity {
        "sqrt_ts" => image.significance(),
        "ts" => image.quantity("TS", unit).colours(ColourMap::Inferno).stretch(Stretch::Sqrt),
        "counts" => image.quantity("counts", unit).colours(ColourMap::Inferno).stretch(Stretch::Sqrt),
        _ => image.quantity(quantity.replace('_', " "), unit).colours(ColourMap::Viridis),
    }
}

fn chosen(energy: Option<usize>, groups: usize) -> Result<Vec<usize>> {
    match energy {
        Some(e) if e >= groups => {
            Err(Error::options("energy", format!("{e} is not one of the energy bins 0 to {}", groups - 1)))
        }
        Some(e) => Ok(vec![e]),
        None => Ok((0..groups).collect()),
    }
}

/// An energy in the unit that reads best.
fn energy_text(tev: f64) -> String {
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

fn write_figure(picture: pevatron::plot::Picture, path: &Path, overwrite: bool) -> Result<()> {
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
