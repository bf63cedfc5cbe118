//! `pevatron convert`.

use std::path::Path;

use pevatron::data::EventList;
use pevatron::datasets::{Dataset, MapDatasetOnOff};
use pevatron::flux::{FluxMaps, FluxPoints, FluxPointsCollection, FromTable, SedType, TableFormat};
use pevatron::io::FileKind;
use pevatron::maps::Map;
use pevatron::models::Models;
use pevatron::table::Table;
use pevatron::{Error, Place, Result};
use serde_json::json;

use super::write_options;
use crate::args::ConvertArgs;
use crate::outputs::Outputs;
use crate::report;

pub fn run(args: &ConvertArgs) -> Result<()> {
    let beside = match args.format.as_deref() {
        Some("ogip") => MapDatasetOnOff::ogip_paths(&args.output)?.to_vec(),
        _ => Vec::new(),
    };
    beside
        .iter()
        .fold(Outputs::new(args.overwrite).file(&args.output), Outputs::file)
        .reading_maps([&args.file])
        .reading(&args.models)
        .check()?;
    let sed = args.sed_type.as_deref().map(str::parse::<SedType>).transpose()?;
    let mut inputs: Vec<&Path> = vec![&args.file];
    inputs.extend(args.models.as_deref());
    let options = write_options(args.overwrite, &inputs);
    let mut warnings = Vec::new();
    let kind = if args.column.is_empty() { pevatron::io::file_kind(&args.file)? } else { FileKind::FluxPoints };
    let what = match kind {
        FileKind::FluxMaps => {
            only(args, &["sed_type", "models"], "flux maps")?;
            Outputs::new(args.overwrite)
                .flux_maps(&args.output)
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
        FileKind::FluxPoints => points(args, sed, &options, &mut warnings)?,
        FileKind::MapDataset | FileKind::MapDatasetOnOff | FileKind::Spectrum => {
            only(args, &["format"], "a dataset")?;
            let as_it_came = if kind == FileKind::Spectrum { "ogip" } else { "gadf" };
            match args.format.as_deref().unwrap_or(as_it_came) {
                "gadf" => Dataset::read(&args.file)?.write(&args.output, &options)?,
                "ogip" => Dataset::read(&args.file)?.write_ogip(&args.output, &options)?,
                other => {
                    return Err(Error::options("format", format!("'{other}': datasets are written as gadf or ogip")));
                }
            }
            "a dataset".to_string()
        }
        FileKind::Map => {
            only(args, &[], "a map")?;
            Map::read(&args.file, None)?.write(&args.output, "PRIMARY", &options)?;
            "a map".to_string()
        }
        FileKind::EventList => {
            only(args, &[], "events")?;
            EventList::read(&args.file)?.write(&args.output, &options)?;
            "events".to_string()
        }
        FileKind::Models => {
            only(args, &[], "models")?;
            let yaml = Models::read(&args.file)?.to_yaml()?;
            pevatron::io::write_atomic(&args.output, args.overwrite, |out| out.write_all(yaml.as_bytes()))?;
            "models".to_string()
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
    ];
    match given.iter().find(|(name, given)| *given && !allowed.contains(name)) {
        Some((name, _)) => {
            Err(Error::options(*name, format!("{} holds {what}, which has no such option", args.file.display())))
        }
        None => Ok(()),
    }
}

fn points(
    args: &ConvertArgs,
    sed: Option<SedType>,
    options: &pevatron::io::WriteOptions,
    warnings: &mut Vec<String>,
) -> Result<String> {
    let format = args.format.as_deref().map(str::parse::<TableFormat>).transpose()?;
    let reference_model = args.models.as_deref().map(super::tsmap::kernel_model).transpose()?;
    // With columns that are named on the command line the SED type is that of the flux column.
    let mut how = FromTable { reference_model, ..FromTable::default() };
    let (collection, said) = if args.column.is_empty() {
        FluxPointsCollection::read(&args.file, &how)?
    } else {
        let mut table = Table::read(&args.file, None)?;
        for column in &args.column {
            name_column(&mut table, column)?;
        }
        how.sed_type = SedType::ALL.into_iter().find(|sed| table.has(sed.stem()));
        FluxPointsCollection::from_table(&table, &how).map_err(|e| e.at(&Place::file(&args.file)))?
    };
    warnings.extend(said);
    let mut entries = collection.iter();
    let single: Option<&FluxPoints> = match (entries.next(), entries.next()) {
        (Some((key, points)), None) if key.source.is_none() => Some(points),
        _ => None,
    };
    let came_as = collection.iter().next().map_or(SedType::default(), |(_, p)| p.sed_type_init());
    let sed = sed.unwrap_or(came_as);
    match single {
        Some(points) => {
            // Light curves have good time intervals, which the file of the table holds.
            let points = if args.column.is_empty() { FluxPoints::read(&args.file, &how)?.0 } else { points.clone() };
            points.write(&args.output, sed, format, options)?;
        }
        None if format.is_some_and(|f| f != TableFormat::GadfSed) => {
            return Err(Error::options("format", "a collection is written as one flat table only"));
        }
        None => collection.write(&args.output, sed, options)?,
    }
    Ok(format!("flux points of {} source(s), SED type {}", collection.len(), sed.name()))
}

/// `NEW=OLD[:UNIT]`.
fn name_column(table: &mut Table, text: &str) -> Result<()> {
    let wrong = |problem: &str| {
        Error::options("column", format!("'{text}' {problem}")).with_help("write NEW=OLD:UNIT, e.g. e_ref=E:TeV")
    };
    let (new, rest) = text.split_once('=').ok_or_else(|| wrong("has no ="))?;
    let (old, unit) = rest.split_once(':').map_or((rest, None), |(old, unit)| (old, Some(unit)));
    if new.is_empty() || old.is_empty() {
        return Err(wrong("lacks a name"));
    }
    table.rename(old, new)?;
    if let Some(unit) = unit {
        table.set_unit(new, unit)?;
    }
    Ok(())
}
