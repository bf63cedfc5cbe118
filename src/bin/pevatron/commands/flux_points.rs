//! `pevatron flux-points`.

use std::path::{Path, PathBuf};

use pevatron::flux::{FluxMaps, FluxPointsCollection, FluxPointsKey, SedType};
use pevatron::io::{Catalogue, FileKind};
use pevatron::maps::{Frame, Geom, SkyPosition};
use pevatron::table::{MetaValue, Table};
use pevatron::{Error, Place, Result};
use serde_json::json;

use super::picture::Look;
use super::plot_points::spectra_figure;
use super::write_options;
use crate::args::{FluxPointsArgs, parse_frame, parse_position};
use crate::outputs::{Outputs, TABLE};
use crate::report;

pub fn run(args: &FluxPointsArgs) -> Result<()> {
    Outputs::new(args.overwrite)
        .file("output", &args.output, TABLE)
        .picture("png", args.png.as_ref())
        .reading_maps([&args.file])
        .reading(&args.positions)
        .check()?;
    let look = Look::of_chart(&args.chart, "png", args.png.as_deref())?;
    let sed = args.sed_type.as_deref().map(str::parse::<SedType>).transpose()?;
    let (maps, warnings) = FluxMaps::read_with_warnings(&args.file)?;
    let Geom::Wcs(geom) = maps.geom().as_ref() else {
        return Err(Error::input_at(
            Place::file(&args.file),
            "these are not maps with pixels that points could be taken of",
        ));
    };
    let sed = sed.unwrap_or(maps.sed_type_init());
    let options = write_options(args.overwrite, &[&args.file]);
    let mut collection = FluxPointsCollection::new();
    match &args.positions {
        Some(path) if args.position.is_none() => {
            for (name, position) in positions(path, args.frame.as_deref(), geom.frame())? {
                let points = maps
                    .get_flux_points(Some(position))
                    .map_err(|e| Error::input_at(Place::file(path), format!("{name}: {e}")))?;
                collection.push(FluxPointsKey::source(name).at(position), points);
            }
            collection.write(&args.output, sed, &options)?;
        }
        list => {
            let frame = parse_frame(args.frame.as_deref(), geom.frame())?;
            let position = match &args.position {
                Some(text) => {
                    let files: Vec<&Path> = list.iter().map(PathBuf::as_path).collect();
                    // Tables and JSON have it in the frame of the option, else of the maps.
                    parse_position("position", text, frame, &files)?.to_frame(frame)
                }
                None => geom.center()?,
            };
            let points = maps.get_flux_points(Some(position))?;
            points.write(&args.output, sed, None, &options)?;
            collection.push(FluxPointsKey::default().at(position), points);
        }
    }
    if let Some(png) = &args.png {
        look.write(spectra_figure(&collection, None, None)?, png, args.overwrite)?;
    }
    for warning in &warnings {
        report::warning(warning);
    }
    if args.common.json {
        let list: Vec<_> = collection
            .iter()
            .map(|(key, points)| {
                let norm: Vec<f64> = points.norm().map(|m| m.data().iter().collect()).unwrap_or_default();
                json!({
                    "source": key.source,
                    "lon_deg": key.position.map(|p| p.lon_deg),
                    "lat_deg": key.position.map(|p| p.lat_deg),
                    "norm": norm,
                })
            })
            .collect();
        report::json(
            &json!({ "output": report::name(&args.output), "sed_type": sed.name(), "points": list, "warnings": warnings }),
        );
    } else if !args.common.quiet {
        report::line(&format!(
            "{}: flux points of {} position(s), SED type {}",
            args.output.display(),
            collection.len(),
            sed.name()
        ));
    }
    Ok(())
}

/// Names and positions of a table with the columns lon and lat, or of another file of sources.
fn positions(path: &Path, frame: Option<&str>, default: Frame) -> Result<Vec<(String, SkyPosition)>> {
    let is_table = !matches!(pevatron::io::file_kind(path), Ok(FileKind::Models | FileKind::Datasets));
    let table = if is_table { Some(Table::read(path, None)?) } else { None };
    match table {
        // Peaks have fitted positions, too.
        Some(mut table) if table.has("lon") && table.has("lat") && !table.has("lon_fit") => {
            positions_of_table(&mut table, frame, default).map_err(|e| e.at(&Place::file(path)))
        }
        _ => {
            let sources = Catalogue::of_file(path, parse_frame(frame, default)?)?;
            let all: Vec<_> = sources.names.into_iter().zip(sources.positions).collect();
            if all.is_empty() {
                return Err(Error::input_at(Place::file(path), "there are no sources in it"));
            }
            Ok(all)
        }
    }
}

/// Names and positions of a table with the columns name, lon, lat. Bare numbers are degrees; the frame is that of the
/// option, else of the table's keyword FRAME, else of the maps.
fn positions_of_table(table: &mut Table, frame: Option<&str>, default: Frame) -> Result<Vec<(String, SkyPosition)>> {
    for name in ["lon", "lat"] {
        if table.column(name)?.unit().to_string().is_empty() {
            table.set_unit(name, "deg")?;
        }
    }
    let stated = table.meta_value("FRAME").and_then(MetaValue::as_text).map(str::to_string);
    let frame = parse_frame(frame.or(stated.as_deref()), default)?;
    let (lon, lat) = (table.floats("lon", "deg")?, table.floats("lat", "deg")?);
    let names: Vec<String> = match table.has("name") {
        true => table.texts("name").map(<[String]>::to_vec).or_else(|_| {
            // Sources may be numbered.
            table.floats("name", "").map(|v| v.iter().map(f64::to_string).collect())
        })?,
        false => (1..=lon.len()).map(|n| n.to_string()).collect(),
    };
    let mut list = Vec::with_capacity(lon.len());
    for (row, ((name, lon_deg), lat_deg)) in names.into_iter().zip(lon).zip(lat).enumerate() {
        if !(lon_deg.is_finite() && (-90.0..=90.0).contains(&lat_deg)) {
            return Err(Error::input(
                "lat",
                format!("row {row}: ({lon_deg}, {lat_deg}) deg is not a place on the sky"),
            ));
        }
        list.push((name, SkyPosition { lon_deg, lat_deg, frame }));
    }
    if list.is_empty() {
        return Err(Error::input("lon", "the table has no rows"));
    }
    Ok(list)
}
