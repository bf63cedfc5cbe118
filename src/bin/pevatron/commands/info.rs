//! `pevatron info`.

use std::path::Path;

use pevatron::data::EventList;
use pevatron::datasets::{Dataset, Datasets};
use pevatron::error::warnings;
use pevatron::flux::{FluxMaps, FromTable};
use pevatron::io::fits::HduKind;
use pevatron::io::{Catalogue, FileKind, ImageFile, OgipOptions, ReadOptions};
use pevatron::maps::{Frame, Geom, Map, Mask, SkyRegion, WcsGeom};
use pevatron::models::Models;
use pevatron::table::Table;
use pevatron::{Error, Place, Result};
use serde_json::{Value, json};

use super::spectra;
use crate::args::InfoArgs;
use crate::report;

/// Longer lists of numbers are cut short in texts.
const MOST_NUMBERS: usize = 16;

pub fn run(args: &InfoArgs) -> Result<()> {
    let mut documents = Vec::new();
    let files: Vec<&Path> = args.files.iter().map(AsRef::as_ref).collect();
    for (file, options) in files.iter().zip(spectra::options(&files, &args.spectrum)?) {
        // What is said belongs to what is known of the file.
        let (document, said) = warnings::collect(|| describe(file, options));
        said.iter().for_each(|text| report::warning(text));
        documents.push(with_problems(document?, &said));
    }
    if args.common.json {
        report::json(&if documents.len() == 1 { documents.remove(0) } else { Value::Array(documents) });
    } else {
        for document in &documents {
            print_text(document);
        }
    }
    Ok(())
}

/// The document with what was said in reading the file as the first of its problems.
fn with_problems(mut document: Value, said: &[String]) -> Value {
    if let (Value::Object(entries), false) = (&mut document, said.is_empty()) {
        let known = entries.entry("problems").or_insert_with(|| json!([]));
        if let Value::Array(list) = known {
            list.splice(0..0, said.iter().map(|text| json!(format!("warning: {text}"))));
        }
    }
    document
}

fn describe(path: &Path, options: Option<OgipOptions>) -> Result<Value> {
    if let Some(options) = options {
        return dataset(path, Dataset::read_ogip(path, &options)?, "ogip");
    }
    match pevatron::io::file_kind(path)? {
        FileKind::MapDataset | FileKind::MapDatasetOnOff => dataset(path, Dataset::read(path)?, "gadf"),
        FileKind::Spectrum => dataset(path, Dataset::read(path)?, "ogip"),
        FileKind::FluxMaps => flux_maps(path),
        FileKind::FluxPoints => flux_points(path),
        FileKind::Map => maps(path),
        FileKind::EventList => events(path),
        FileKind::Models => models(path),
        FileKind::Datasets => datasets(path),
        FileKind::Sources => sources(path),
        FileKind::Other(what) => other(path, &what),
    }
}

fn geometry(geom: &Geom) -> Value {
    match geom {
        Geom::Wcs(geom) => image_geometry(geom),
        Geom::Region(geom) => json!({
            "projection": null,
            "region": geom.region().map(region_text),
            "frame": geom.center().map(|c| c.frame.name()),
            "npix": [1, 1],
            "center_lon_deg": geom.center().map(|c| c.lon_deg),
            "center_lat_deg": geom.center().map(|c| c.lat_deg),
            "radius_deg": geom.radius_deg(),
        }),
        _ => Value::Null, // a kind of geometry that this program does not know
    }
}

fn region_text(region: &SkyRegion) -> &'static str {
    match region {
        SkyRegion::Point { .. } => "point",
        SkyRegion::Circle { .. } => "circle",
        SkyRegion::Annulus { .. } => "annulus",
        SkyRegion::Ellipse { .. } => "ellipse",
        SkyRegion::Rectangle { .. } => "rectangle",
        SkyRegion::Polygon { .. } => "polygon",
        _ => "union",
    }
}

fn image_geometry(geom: &WcsGeom) -> Value {
    let header = geom.wcs().header();
    let center = geom.center().ok();
    let (sx, sy) = geom.pixel_scales_deg();
    json!({
        "projection": header.projection,
        "frame": geom.frame().name(),
        "npix": [geom.nx(), geom.ny()],
        "pixel_deg": [sx, sy],
        "center_lon_deg": center.map(|c| c.lon_deg),
        "center_lat_deg": center.map(|c| c.lat_deg),
    })
}

fn mask_json(mask: &Option<Mask>) -> Value {
    mask.as_ref().map_or(Value::Null, |m| json!({ "true": m.count(), "of": m.data().len() }))
}

fn sum_json(map: &Option<Map>) -> Value {
    map.as_ref().map_or(Value::Null, |m| json!(m.sum()))
}

/// `format`: the layout of the file, gadf or ogip.
fn dataset(path: &Path, kind: Dataset, format: &str) -> Result<Value> {
    let dataset = kind.common()?;
    let off = match &kind {
        Dataset::OnOff(dataset) => Some(dataset),
        _ => None,
    };
    let (geom, energy) = match off {
        Some(off) => (off.geom()?, off.energy_axis()?),
        None => (dataset.geom()?, dataset.energy_axis()?),
    };
    // Off counts make a background where all of their parts are there.
    let background_sum = match off {
        Some(off) => off.background().map_or(Value::Null, |background| json!(background.sum())),
        None => sum_json(&dataset.background),
    };
    let exposure = dataset.exposure.as_ref();
    let psf = dataset.psf.as_ref().map(|p| if p.is_in_reco_energy() { "energy" } else { "energy_true" });
    let edisp = dataset.edisp.as_ref().map(|e| match e {
        pevatron::irf::EDisp::Kernel(_) => "kernel",
        pevatron::irf::EDisp::Migra(_) => "migra",
    });
    let mut document = json!({
        "file": report::name(path),
        "kind": kind.kind(),
        "format": format,
        "name": dataset.name,
        "counts_sum": sum_json(&dataset.counts),
        "background_sum": background_sum,
        "exposure_max": exposure.and_then(|e| e.max()).map(|(_, v)| v),
        "exposure_unit": exposure.map(|e| e.unit().to_string()),
        "energy_edges_tev": energy.edges_tev()?,
        "energy_true_edges_tev": exposure
            .and_then(|e| e.geom().axis("energy_true").ok())
            .and_then(|a| a.edges_tev().ok()),
        "geometry": geometry(geom),
        "masks": { "mask_safe": mask_json(&dataset.mask_safe), "mask_fit": mask_json(&dataset.mask_fit) },
        "psf": psf,
        "edisp": edisp,
        "gti_seconds": dataset.gti.as_ref().map(pevatron::time::Gti::time_sum_s),
        "problems": kind.check().iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    if let (Some(off), Value::Object(entries)) = (off, &mut document) {
        entries.insert("counts_off_sum".into(), sum_json(&off.counts_off));
        entries.insert("acceptance_sum".into(), sum_json(&off.acceptance));
        entries.insert("acceptance_off_sum".into(), sum_json(&off.acceptance_off));
    }
    Ok(document)
}

/// A list of datasets, each in short.
fn datasets(path: &Path) -> Result<Value> {
    let mut entries = Vec::new();
    // One after the other, so that only one is in memory.
    for dataset in Datasets::open_lazy(path, false)?.load_each() {
        let dataset = dataset?;
        let binned = dataset.common().ok();
        entries.push(json!({
            "name": dataset.name(),
            "kind": dataset.kind(),
            "counts_sum": binned.map(|d| sum_json(&d.counts)),
            "shape": dataset.data_shape().ok(),
            "problems": dataset.check().len(),
        }));
    }
    Ok(json!({ "file": report::name(path), "kind": "Datasets", "number": entries.len(), "datasets": entries }))
}

fn flux_maps(path: &Path) -> Result<Value> {
    let maps = FluxMaps::read(path)?;
    let quantities: Vec<_> = maps.available_quantities().map(|q| q.name()).collect();
    let best = if maps.geom().as_wcs().is_ok() && maps.has_any_ts() { super::max_sqrt_ts(&maps)? } else { None };
    Ok(json!({
        "file": report::name(path),
        "kind": "FluxMaps",
        "sed_type": maps.meta.sed_type_init.name(),
        "quantities": quantities,
        "reference_model": maps.reference_model().name,
        "energy_edges_tev": maps.geom().axis("energy")?.edges_tev()?,
        "geometry": maps.geom().as_wcs().ok().map(image_geometry),
        "n_sigma": maps.meta.n_sigma,
        "n_sigma_ul": maps.meta.n_sigma_ul,
        "max_sqrt_ts": best.map(|(value, p, group)| {
            json!({ "value": value, "lon_deg": p.lon_deg, "lat_deg": p.lat_deg, "energy_group": group })
        }),
        "meta": maps.meta.entries,
    }))
}

fn flux_points(path: &Path) -> Result<Value> {
    let (collection, warnings) = pevatron::flux::FluxPointsCollection::read(path, &FromTable::default())?;
    let mut entries = Vec::new();
    for (key, points) in collection.iter() {
        let quantities: Vec<_> = points.available_quantities().map(|q| q.name()).collect();
        entries.push(json!({
            "source": key.source,
            "lon_deg": key.position.map(|p| p.lon_deg),
            "lat_deg": key.position.map(|p| p.lat_deg),
            "sed_type": points.sed_type_init().name(),
            "energy_ref_tev": points.energy_ref_tev()?,
            "time_bins": points.time_axis().map(|a| a.nbin()),
            "n_sigma_ul": points.has_ul().then(|| points.n_sigma_ul()),
            "quantities": quantities,
        }));
    }
    Ok(json!({ "file": report::name(path), "kind": "FluxPoints", "points": entries, "problems": warnings }))
}

/// The map of a file, or all of them by their names.
fn maps(path: &Path) -> Result<Value> {
    let mut file = ImageFile::open(path)?;
    let entries = file.entries().to_vec();
    if let [one] = entries.as_slice() {
        let mut document = json!({ "file": report::name(path), "kind": "Map", "name": one.name });
        let read = file.read(one)?;
        super::warn_of_unit(&read, Place::file(path).hdu(&one.name));
        let described = map(&read);
        if let (Value::Object(document), Value::Object(described)) = (&mut document, described) {
            document.extend(described);
        }
        return Ok(document);
    }
    let mut images = Vec::new();
    for entry in &entries {
        let mut image = json!({ "name": entry.name, "hdu": entry.hdu, "shape": entry.shape });
        let described = match file.read(entry) {
            Ok(read) => {
                super::warn_of_unit(&read, Place::file(path).hdu(&entry.name));
                map(&read)
            }
            Err(error) => json!({ "problem": entry.problem.clone().unwrap_or_else(|| error.to_string()) }),
        };
        if let (Value::Object(image), Value::Object(described)) = (&mut image, described) {
            image.extend(described);
        }
        images.push(image);
    }
    Ok(json!({ "file": path, "kind": "Maps", "number": images.len(), "images": images }))
}

fn map(map: &Map) -> Value {
    let axes: Vec<_> = map
        .geom()
        .axes()
        .iter()
        .map(|a| json!({ "name": a.name(), "unit": a.unit().to_string(), "bins": a.nbin(), "edges": a.edges() }))
        .collect();
    json!({
        "unit": map.unit().to_string(),
        "sum": map.sum(),
        "min": map.data().iter().filter(|v| !v.is_nan()).reduce(f64::min),
        "max": map.max().map(|(_, v)| v),
        "axes": axes,
        "geometry": geometry(map.geom()),
    })
}

/// A FITS file that is recognised, or not, but not read: the HDUs that it has.
fn other(path: &Path, what: &str) -> Result<Value> {
    let refused = || Error::input_at(Place::file(path), format!("{what}, which is not read here"));
    let bytes = pevatron::io::fits::read_bytes(path, &ReadOptions::default())?;
    if !bytes.starts_with(b"SIMPLE") {
        return Err(refused());
    }
    let hdus = pevatron::io::fits::check_bytes(&bytes).map_err(|e| e.at(&Place::file(path)))?;
    let list: Vec<Value> = hdus
        .iter()
        .filter(|hdu| hdu.kind != HduKind::Image || hdu.has_image())
        .map(|hdu| match hdu.kind {
            HduKind::Table => {
                let columns: Vec<&str> = hdu.columns.iter().map(|c| c.name.trim()).collect();
                json!({ "name": hdu.label(), "rows": hdu.rows(), "columns": columns })
            }
            HduKind::Image | HduKind::CompressedImage => json!({ "name": hdu.label(), "shape": hdu.dims }),
            _ => json!({ "name": hdu.label() }),
        })
        .collect();
    if list.is_empty() {
        return Err(refused());
    }
    Ok(json!({ "file": path, "kind": "Other", "what": what, "hdus": list }))
}

fn events(path: &Path) -> Result<Value> {
    let list = EventList::read(path)?;
    let range = |values: &[f64]| {
        let low = values.iter().copied().reduce(f64::min);
        low.zip(values.iter().copied().reduce(f64::max)).map(|(low, high)| json!([low, high]))
    };
    let components: Vec<_> = list
        .meta
        .components
        .iter()
        .map(|(id, name)| {
            let ids = list.mc_id.as_deref().unwrap_or_default();
            json!({ "mc_id": id, "name": name, "events": ids.iter().filter(|i| *i == id).count() })
        })
        .collect();
    let meta = &list.meta;
    Ok(json!({
        "file": report::name(path),
        "kind": "EventList",
        "events": list.len(),
        "energy_tev": range(&list.energy_tev),
        "time_s": range(&list.time_s),
        "reference_mjd": meta.reference.mjd(),
        "time_scale": meta.reference.timesys,
        "gti_seconds": meta.gti.as_ref().map(pevatron::time::Gti::time_sum_s),
        "livetime_seconds": meta.livetime_s,
        "obs_id": meta.obs_id,
        "telescope": meta.telescope,
        "object": meta.object.as_ref().map(|(name, _)| name),
        "pointing_ra_deg": meta.pointing.map(|p| p.lon_deg),
        "pointing_dec_deg": meta.pointing.map(|p| p.lat_deg),
        "components": (!components.is_empty()).then_some(components),
    }))
}

fn models(path: &Path) -> Result<Value> {
    let models = Models::read(path)?;
    let list: Vec<_> = models
        .components
        .iter()
        .map(|m| match m {
            pevatron::models::Model::Sky(s) => json!({
                "name": s.name,
                "spectral": s.spectral.tag(),
                "spatial": s.spatial.as_ref().map(|m| m.tag()),
                "lon_deg": s.spatial.as_ref().and_then(|m| m.position()).map(|p| p.lon_deg),
                "lat_deg": s.spatial.as_ref().and_then(|m| m.position()).map(|p| p.lat_deg),
            }),
            other => json!({ "name": other.name(), "datasets_names": other.datasets_names() }),
        })
        .collect();
    Ok(json!({ "file": report::name(path), "kind": "Models", "models": list }))
}

/// A table of peaks or other sources.
fn sources(path: &Path) -> Result<Value> {
    let sources = Catalogue::of_file(path, Frame::Icrs)?;
    let list: Vec<_> = sources
        .names
        .iter()
        .zip(&sources.positions)
        .map(|(name, p)| json!({ "name": name, "lon_deg": p.lon_deg, "lat_deg": p.lat_deg, "frame": p.frame.name() }))
        .collect();
    let table = Table::read(path, None)?;
    Ok(json!({
        "file": report::name(path), "kind": "Sources", "number": list.len(), "columns": table.names(), "sources": list,
    }))
}

/// Keys and values, indented; short lists on one line.
fn print_text(document: &Value) {
    let Value::Object(entries) = document else { return };
    let title = |key: &str| entries.get(key).map(|v| v.to_string().trim_matches('"').to_string()).unwrap_or_default();
    report::line(&format!("{}: {}", title("file"), title("kind")));
    for (key, value) in entries.iter().filter(|(k, _)| !["file", "kind"].contains(&k.as_str())) {
        let (key, value) = &in_own_unit(key, value).unwrap_or_else(|| (key.clone(), value.clone()));
        match value {
            Value::Null => {}
            Value::String(s) => report::line(&format!("  {key}: {s}")),
            Value::Array(list) if list.iter().all(|v| v.is_object()) && !list.is_empty() => {
                report::line(&format!("  {key}:"));
                for item in list {
                    report::line(&match item.get("name").and_then(Value::as_str) {
                        Some(name) if ["images", "hdus", "sources"].contains(&key.as_str()) => {
                            format!("    {name}: {}", of_hdu(item))
                        }
                        _ => format!("    {item}"),
                    });
                }
            }
            Value::Array(list) => {
                let words: Vec<String> = list.iter().map(short).collect();
                let text = match (words.as_slice(), list.iter().all(Value::is_number)) {
                    ([], _) => "none".into(),
                    // The JSON has all of them.
                    ([first, second, .., last], true) if words.len() > MOST_NUMBERS => {
                        format!("{first}, {second}, … {last} ({} values)", words.len())
                    }
                    (words, _) => words.join(", "),
                };
                report::line(&format!("  {key}: {text}"));
            }
            Value::Object(inner) => {
                let words: Vec<String> = inner.iter().map(|(k, v)| format!("{k} {}", short(v))).collect();
                report::line(&format!("  {key}: {}", words.join("; ")));
            }
            other => report::line(&format!("  {key}: {}", short(other))),
        }
    }
}

/// An image or table of a file in one line, the JSON has more.
fn of_hdu(item: &Value) -> String {
    let Value::Object(entries) = item else { return item.to_string() };
    let mut words = Vec::new();
    for (key, value) in entries.iter().filter(|(key, _)| !["name", "hdu", "sum"].contains(&key.as_str())) {
        match (key.as_str(), value) {
            (_, Value::Null) => {}
            ("axes", Value::Array(axes)) => {
                let axis = |a: &Value| format!("axis {} of {} bins", short(&a["name"]), short(&a["bins"]));
                words.extend(axes.iter().map(axis));
            }
            ("geometry", geometry) => words.extend(geometry["projection"].as_str().map(str::to_string)),
            ("columns", Value::Array(columns)) => {
                words.push(format!("columns {}", columns.iter().map(short).collect::<Vec<_>>().join(", ")));
            }
            ("problem", problem) => words.push(short(problem)),
            (key, value) => words.push(format!("{key} {}", short(value)).trim_end().to_string()),
        }
    }
    words.join("; ")
}

/// Energies far below 1 TeV in the unit that those who measure them think in.
fn in_own_unit(key: &str, value: &Value) -> Option<(String, Value)> {
    let (name, list) = (key.strip_suffix("_tev")?, value.as_array()?);
    let energies: Vec<f64> = list.iter().map(Value::as_f64).collect::<Option<_>>()?;
    let largest = energies.iter().copied().fold(0.0, f64::max);
    let (unit, factor) = match largest {
        v if v <= 0.0 || v >= 1e-3 => return None,
        v if v >= 1e-6 => ("mev", 1e6),
        _ => ("kev", 1e9),
    };
    let energies: Vec<f64> = energies.iter().map(|v| v * factor).collect();
    Some((format!("{name}_{unit}"), json!(energies)))
}

fn short(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Number(n) => match n.as_f64() {
            Some(v) if n.is_f64() => number(v),
            _ => n.to_string(),
        },
        Value::Array(list) => list.iter().map(short).collect::<Vec<_>>().join(" x "),
        other => other.to_string(),
    }
}

/// Six digits behind the point, or in all where the number is so small that it would vanish among them, or very large.
fn number(v: f64) -> String {
    if v != 0.0 && !(1e-3..1e9).contains(&v.abs()) {
        let text = format!("{v:.5e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    format!("{v:.6}").trim_end_matches('0').trim_end_matches('.').to_string()
}
