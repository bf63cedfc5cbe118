//! `pevatron convert`.

use std::path::Path;

use pevatron::data::EventList;
use pevatron::datasets::MapDatasetOnOff;
use pevatron::flux::{ColumnAs, FluxMaps, FluxPoints, FluxPointsCollection, FromTable, SedType, TableFormat};
use pevatron::io::{FileKind, ImageFile};
use pevatron::maps::Map;
use pevatron::models::Models;
use pevatron::table::Table;
use pevatron::{Error, Place, Result};
use serde_json::json;

use super::spectra::{self, read_dataset};
use super::{warn_of_unit, write_options};
use crate::args::ConvertArgs;
use crate::outputs::{Endings, FITS, OGIP, Outputs, TABLE, YAML};
use crate::report;

pub fn run(args: &ConvertArgs) -> Result<()> {
    let beside = match args.format.as_deref() {
        Some("ogip") => MapDatasetOnOff::ogip_paths(&args.output)?.to_vec(),
        _ => Vec::new(),
    };
    beside
        .iter()
        .fold(Outputs::new(args.overwrite).beside(&args.output), Outputs::beside)
        .reading_maps([&args.file])
        .reading(&args.models)
        .check()?;
    let sed = args.sed_type.as_deref().map(str::parse::<SedType>).transpose()?;
    let mut inputs: Vec<&Path> = vec![&args.file];
    inputs.extend(args.models.as_deref());
    let options = write_options(args.overwrite, &inputs);
    let mut warnings = Vec::new();
    spectra::options(&[&args.file], &args.spectrum)?;
    let kind = if args.column.is_empty() { pevatron::io::file_kind(&args.file)? } else { FileKind::FluxPoints };
    let ending = |endings: Endings| endings.check("output", &args.output);
    let what = match kind {
        FileKind::FluxMaps => {
            ending(FITS)?;
            only(args, &["sed_type", "models"], "flux maps")?;
            Outputs::new(args.overwrite)
                .flux_maps("output", &args.output)
                .reading_maps([&args.file])
                .reading(&args.models)
                .check()?;
            let maps = match &args.models {
                Some(path) => FluxMaps::read_with_model(&args.file, super::tsmap::kernel_model(path)?)?,
                None => {
                    let (maps, said) = FluxMaps::read_with_warnings(&args.file)?;
                    warnings = said;
                    maps
                }
            };
            let sed = sed.unwrap_or(maps.sed_type_init());
            maps.write(&args.output, sed, &options)?;
            format!("flux maps, SED type {}", sed.name())
        }
        FileKind::FluxPoints => {
            ending(TABLE)?;
            points(args, sed, &options, &mut warnings)?
        }
        FileKind::MapDataset | FileKind::MapDatasetOnOff | FileKind::Spectrum => {
            only(args, &["format"], "a dataset")?;
            let as_it_came = if kind == FileKind::Spectrum { "ogip" } else { "gadf" };
            let format = args.format.as_deref().unwrap_or(as_it_came);
            ending(if format == "ogip" { OGIP } else { FITS })?;
            match format {
                "gadf" => read_dataset(&args.file, &args.spectrum)?.write(&args.output, &options)?,
                "ogip" => read_dataset(&args.file, &args.spectrum)?.write_ogip(&args.output, &options)?,
                other => {
                    return Err(Error::options("format", format!("'{other}': datasets are written as gadf or ogip")));
                }
            }
            "a dataset".to_string()
        }
        FileKind::Map => {
            ending(FITS)?;
            only(args, &["quantity"], "maps")?;
            maps(args, &options)?
        }
        FileKind::EventList => {
            ending(FITS)?;
            only(args, &[], "events")?;
            EventList::read(&args.file)?.write(&args.output, &options)?;
            "events".to_string()
        }
        FileKind::Models => {
            ending(YAML)?;
            only(args, &[], "models")?;
            let yaml = Models::read(&args.file)?.to_yaml()?;
            pevatron::io::write_atomic(&args.output, args.overwrite, |out| out.write_all(yaml.as_bytes()))?;
            "models".to_string()
        }
        FileKind::Sources => {
            ending(TABLE)?;
            only(args, &[], "a table of sources")?;
            Table::read(&args.file, None)?.write(&args.output, &options)?;
            "a table of sources".to_string()
        }
        FileKind::Datasets => {
            return Err(Error::input_at(Place::file(&args.file), "a list of datasets is not converted")
                .with_help("convert its files one by one"));
        }
        FileKind::Other(what) => {
            return Err(Error::input_at(Place::file(&args.file), format!("{what}, which is not converted"))
                .with_help("a table of another tool is taken with --column NEW=OLD:UNIT"));
        }
    };
    for warning in &warnings {
        report::warning(warning);
    }
    if args.common.json {
        report::json(&json!({ "output": report::name(&args.output), "kind": what, "warnings": warnings }));
    } else if !args.common.quiet {
        report::line(&format!("{}: {what}", args.output.display()));
    }
    Ok(())
}

/// Refuses options that say nothing about this kind of file.
fn only(args: &ConvertArgs, allowed: &[&str], what: &str) -> Result<()> {
    let given = [
        ("sed_type", args.sed_type.is_some()),
        ("format", args.format.is_some()),
        ("models", args.models.is_some()),
        ("column", !args.column.is_empty()),
        ("quantity", args.quantity.is_some()),
    ];
    match given.iter().find(|(name, given)| *given && !allowed.contains(name)) {
        Some((name, _)) => {
            Err(Error::options(*name, format!("{} holds {what}, which has no such option", args.file.display())))
        }
        None => Ok(()),
    }
}

/// The image that is asked for by its name, or all of them, each under its name.
fn maps(args: &ConvertArgs, options: &pevatron::io::WriteOptions) -> Result<String> {
    let mut file = ImageFile::open(&args.file)?;
    let entries = match &args.quantity {
        Some(name) => vec![file.find(name)?.clone()],
        None => file.entries().to_vec(),
    };
    let mut maps = Vec::new();
    for entry in &entries {
        let name = match (entry.is_named(), entry.hdu) {
            (true, _) => entry.given_name().to_string(),
            (false, 0) => "PRIMARY".to_string(),
            (false, number) => format!("HDU{number}"),
        };
        // Images that share a name would have to share their tables of axes.
        if maps.iter().any(|(other, _): &(String, Map)| other.eq_ignore_ascii_case(&name)) {
            let problem = format!("several of its images have the name {name}: {}", file.names());
            return Err(Error::input_at(Place::file(&args.file), problem)
                .with_help(format!("convert them one by one, e.g. --quantity {}", entry.name)));
        }
        let map = file.read(entry).map_err(|e| match entries.len() {
            1 => e,
            _ => e.with_help(format!("choose others by their names with --quantity: {}", file.names())),
        })?;
        warn_of_unit(&map, Place::file(&args.file).hdu(&entry.name));
        maps.push((name, map));
    }
    let lent: Vec<(&str, &Map)> = maps.iter().map(|(name, map)| (name.as_str(), map)).collect();
    pevatron::io::write_maps(&args.output, &lent, options)?;
    Ok(match lent.as_slice() {
        [(name, _)] => format!("the map {name}"),
        maps => format!("{} maps: {}", maps.len(), maps.iter().map(|m| m.0).collect::<Vec<_>>().join(", ")),
    })
}

fn points(
    args: &ConvertArgs,
    sed: Option<SedType>,
    options: &pevatron::io::WriteOptions,
    warnings: &mut Vec<String>,
) -> Result<String> {
    let format = args.format.as_deref().map(str::parse::<TableFormat>).transpose()?;
    let reference_model = args.models.as_deref().map(super::tsmap::kernel_model).transpose()?;
    let columns: Vec<ColumnAs> = args.column.iter().map(|text| text.parse()).collect::<Result<_>>()?;
    // Where the column of a flux is named on the command line, the SED type is that of the column.
    let sed_type = SedType::ALL.into_iter().find(|sed| columns.iter().any(|c| c.name == sed.stem()));
    let how = FromTable { reference_model, columns, sed_type, ..FromTable::default() };
    let (collection, said) = FluxPointsCollection::read(&args.file, &how)?;
    warnings.extend(said);
    let mut entries = collection.iter();
    let single: Option<&FluxPoints> = match (entries.next(), entries.next()) {
        (Some((key, points)), None) if key.source.is_none() => Some(points),
        _ => None,
    };
    let came_as = collection.iter().next().map_or(SedType::default(), |(_, p)| p.sed_type_init());
    let sed = sed.unwrap_or(came_as);
    match single {
        Some(points) => points.write(&args.output, sed, format, options)?,
        None if format.is_some_and(|f| f != TableFormat::GadfSed) => {
            return Err(Error::options("format", "a collection is written as one flat table only"));
        }
        None => collection.write(&args.output, sed, options)?,
    }
    Ok(format!("flux points of {} source(s), SED type {}", collection.len(), sed.name()))
}
