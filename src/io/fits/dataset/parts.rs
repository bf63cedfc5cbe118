//! The parts of a dataset, each read from its HDU.

use std::collections::BTreeMap;
use std::path::Path;

use super::is_on_off;
use crate::datasets::MapDataset;
use crate::error::{Error, Result};
use crate::io::fits::check::HduKind;
use crate::io::fits::header::Value;
use crate::io::fits::lazy::{Kept, or_read};
use crate::io::fits::map::{read_geom, read_map, read_mask};
use crate::io::fits::reader::FitsReader;
use crate::io::fits::{content, gti, table};
use crate::irf::{EDisp, EDispKernelMap, EDispMap, PsfMap};
use crate::maps::{Geom, Map, MapAxis, Mask};
use crate::table::Table;
use crate::time::Gti;

/// Keywords of the primary HDU that describe the file, not the data.
const STRUCTURE: [&str; 11] =
    ["SIMPLE", "BITPIX", "NAXIS", "EXTEND", "NAME", "CREATOR", "CREATED", "CHECKSUM", "DATASUM", "EXTNAME", "ORIGIN"];

/// The name in the file, else that of the file.
pub(in crate::io::fits) fn name_of(reader: &FitsReader) -> String {
    match reader.primary().get("NAME") {
        Some(Value::Text(name)) if !name.is_empty() => name.clone(),
        _ => file_stem(reader.path()),
    }
}

/// The entries of the primary header that do not describe the file.
pub(in crate::io::fits) fn meta_of(reader: &FitsReader) -> BTreeMap<String, String> {
    reader
        .primary()
        .cards()
        .iter()
        .filter(|(key, _)| !STRUCTURE.contains(&key.as_str()))
        .filter_map(|(key, value)| {
            let text = match value {
                Value::Text(t) => t.clone(),
                Value::Int(i) => i.to_string(),
                Value::Real(r) => r.to_string(),
                Value::Bool(b) => if *b { "T" } else { "F" }.to_string(),
                Value::None => return None,
            };
            Some((key.clone(), text))
        })
        .collect()
}

/// What both kinds of datasets have, not yet checked.
pub(super) fn read_common(reader: &mut FitsReader, kept: Option<&Kept>) -> Result<MapDataset> {
    let mut dataset = MapDataset { name: name_of(reader), meta: meta_of(reader), ..MapDataset::default() };
    dataset.counts = or_read(kept.map(|k| &k.counts), || map_part(reader, "COUNTS"))?;
    if !is_on_off(reader) {
        dataset.background = or_read(kept.map(|k| &k.background), || map_part(reader, "BACKGROUND"))?;
    }
    dataset.exposure = or_read(kept.map(|k| &k.exposure), || map_part(reader, "EXPOSURE"))?;
    dataset.edisp = or_read(kept.map(|k| &k.edisp), || read_edisp(reader))?;
    dataset.psf = or_read(kept.map(|k| &k.psf), || read_psf(reader))?;
    dataset.mask_safe = or_read(kept.map(|k| &k.mask_safe), || mask_part(reader, "MASK_SAFE"))?;
    dataset.mask_fit = or_read(kept.map(|k| &k.mask_fit), || mask_part(reader, "MASK_FIT"))?;
    dataset.gti = or_read(kept.map(|k| &k.gti), || read_gti(reader))?;
    dataset.livetime_s = livetime_s(reader)?;
    dataset.meta_table = or_read(kept.map(|k| &k.meta_table), || read_meta_table(reader))?;
    Ok(dataset)
}

/// A map by the name of its HDU; off counts make the background of a dataset that has any, whose own is not read (nor
/// does Gammapy read it).
pub(in crate::io::fits) fn map_part(reader: &mut FitsReader, name: &str) -> Result<Option<Map>> {
    let mut map = optional(reader, name)?;
    if !["COUNTS", "COUNTS_OFF"].contains(&name)
        && let Some(map) = &mut map
    {
        content::round_to_zero(&reader.place().hdu(name), map)?;
    }
    if name == "EXPOSURE" { map.map(with_true_energy).transpose() } else { Ok(map) }
}

/// The geometry of that map.
pub(in crate::io::fits) fn geom_part(reader: &mut FitsReader, name: &str) -> Result<Option<Geom>> {
    let Some(index) = reader.find(name).map(|h| h.index) else { return Ok(None) };
    let geom = read_geom(reader, index)?;
    if name != "EXPOSURE" {
        return Ok(Some(geom));
    }
    Ok(Some(true_energy_axes(&geom).map_or(geom.clone(), |axes| geom.with_axes(axes))))
}

pub(in crate::io::fits) fn mask_part(reader: &mut FitsReader, name: &str) -> Result<Option<Mask>> {
    match reader.find(name).map(|h| h.index) {
        Some(index) => read_mask(reader, index).map(Some),
        None => Ok(None),
    }
}

pub(in crate::io::fits) fn read_psf(reader: &mut FitsReader) -> Result<Option<PsfMap>> {
    let Some(psf) = optional(reader, "PSF")? else { return Ok(None) };
    Ok(Some(PsfMap { psf, exposure: optional(reader, "PSF_EXPOSURE")? }))
}

pub(in crate::io::fits) fn read_gti(reader: &mut FitsReader) -> Result<Option<Gti>> {
    match reader.find("GTI").filter(|h| h.kind == HduKind::Table).map(|h| h.index) {
        Some(index) => gti::read(reader, index).map(Some),
        None => Ok(None),
    }
}

/// Carried along and not used: one that is damaged keeps no dataset from being read.
pub(in crate::io::fits) fn read_meta_table(reader: &mut FitsReader) -> Result<Option<Table>> {
    match reader.find("META_TABLE").filter(|h| h.kind == HduKind::Table).map(|h| h.index) {
        Some(index) => {
            reader.fetch(index)?;
            Ok(table::read(reader, index).ok())
        }
        None => Ok(None),
    }
}

/// The livetime in the meta data of the exposure, `{"livetime": "1687.0 s"}`.
pub(in crate::io::fits) fn livetime_s(reader: &FitsReader) -> Result<Option<f64>> {
    let Some(text) = reader.find("EXPOSURE").and_then(|h| h.header.text("META")) else { return Ok(None) };
    // Other meta data may be anything.
    let Ok(meta) = serde_json::from_str::<serde_json::Value>(text) else { return Ok(None) };
    let Some(livetime) = meta.get("livetime").and_then(|v| v.as_str()) else { return Ok(None) };
    let seconds = livetime.parse::<crate::units::Quantity>().and_then(|q| q.to("s"));
    match seconds {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(Some(seconds)),
        _ => {
            Err(Error::input_at(reader.place().hdu("EXPOSURE").item("META"), format!("'{livetime}' is not a livetime"))
                .with_help("a number of seconds is needed, e.g. {\"livetime\": \"1687.0 s\"}"))
        }
    }
}

/// The name of a file without folders and endings: `a/x.fits.gz` → `x`.
pub(in crate::io) fn file_stem(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let name = [".fits", ".fit", ".ecsv"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    name.to_string()
}

fn optional(reader: &mut FitsReader, name: &str) -> Result<Option<Map>> {
    match reader.find(name).map(|h| h.index) {
        Some(index) => read_map(reader, index).map(Some),
        None => Ok(None),
    }
}

/// Exposures of older files call their axis `energy`; `None` where it has its name.
fn true_energy_axes(geom: &Geom) -> Option<Vec<MapAxis>> {
    let position = geom.axes().iter().position(|a| a.name() == "energy")?;
    if geom.axes().iter().any(|a| a.name() == "energy_true") {
        return None;
    }
    let mut axes: Vec<MapAxis> = geom.axes().to_vec();
    axes[position] = axes[position].renamed("energy_true");
    Some(axes)
}

fn with_true_energy(map: Map) -> Result<Map> {
    let Some(axes) = true_energy_axes(map.geom()) else { return Ok(map) };
    let geom = map.geom().with_axes(axes);
    Map::new(geom.into(), map.unit().clone(), map.into_data())
}

pub(in crate::io::fits) fn read_edisp(reader: &mut FitsReader) -> Result<Option<EDisp>> {
    let Some(edisp) = optional(reader, "EDISP")? else { return Ok(None) };
    let exposure = optional(reader, "EDISP_EXPOSURE")?;
    let names: Vec<&str> = edisp.geom().axes().iter().map(MapAxis::name).collect();
    content::check_edisp(&reader.place().hdu("EDISP"), &edisp)?;
    match names.as_slice() {
        ["migra", "energy_true"] => Ok(Some(EDisp::Migra(EDispMap { edisp, exposure }))),
        ["energy", "energy_true"] => Ok(Some(EDisp::Kernel(EDispKernelMap { edisp, exposure }))),
        names => {
            let problem = format!("axes {names:?}, where (migra, energy_true) or (energy, energy_true) are needed");
            Err(Error::input_at(reader.place().hdu("EDISP"), problem))
        }
    }
}
