//! Writing files: made in memory with checksums on every HDU, then written as a whole.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::cfitsio::{ColumnData, MemoryWriter};
use super::region as region_hdu;
use super::{axes, gti, table, wcs_header};
use crate::datasets::{Dataset, MapDataset, MapDatasetOnOff};
use crate::error::{Error, Place, Result};
use crate::io::atomic::{Staged, check_output, commits, is_stream, write_atomic};
use crate::irf::EDisp;
use crate::maps::{Geom, Map, MapAxis, MapData, Mask, RegionGeom};

/// Level of gzip: noisy maps do not get smaller at higher ones, only slower to write.
pub(super) const GZIP_LEVEL: u32 = 4;

/// Who made a file, from what: written as HISTORY of the primary HDU.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// Program and version.
    pub program: String,
    /// Command or estimator and its options, by name.
    pub options: Vec<(String, String)>,
    /// Input files with their sizes in bytes.
    pub inputs: Vec<(String, u64)>,
}

impl Default for Provenance {
    fn default() -> Self {
        let program = concat!("pevatron ", env!("CARGO_PKG_VERSION")).to_string();
        Self { program, options: Vec::new(), inputs: Vec::new() }
    }
}

impl Provenance {
    /// This program in this version, without options and inputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with an option.
    pub fn with_option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// The same, with an input file; its size is looked up (0 where it cannot be).
    pub fn with_input(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let size = std::fs::metadata(path).map_or(0, |m| m.len());
        self.inputs.push((path.display().to_string(), size));
        self
    }
}

/// How to write a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WriteOptions {
    /// Replace an existing file.
    pub overwrite: bool,
    /// Who made it, from what.
    pub provenance: Provenance,
}

impl WriteOptions {
    /// The same, that replaces an existing file or does not.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }
}

impl Map {
    /// Writes the map as the HDU `hdu` (`"PRIMARY"` for the first one) and its table of bands. A name that ends in
    /// `.gz` is compressed.
    ///
    /// # Errors
    /// [`Error::Options`] where the file exists and is not to be replaced or its folder is missing; [`Error::Io`]
    /// where writing fails. Nothing is left half-written.
    pub fn write(&self, path: impl AsRef<Path>, hdu: &str, options: &WriteOptions) -> Result<()> {
        let path = path.as_ref();
        check_output(path, options.overwrite)?;
        let mut out = MemoryWriter::new(map_bytes(self))?;
        let region = matches!(self.geom().as_ref(), Geom::Region(_));
        if hdu.eq_ignore_ascii_case("PRIMARY") && !region {
            map(&mut out, self, "PRIMARY", Encoding::Keep, Some(options))?;
        } else {
            out.image(8, &[]);
            provenance(&mut out, options);
            map(&mut out, self, &hdu.to_uppercase(), Encoding::Keep, None)?;
        }
        save(out, path, options.overwrite)
    }
}

/// Writes several maps into one file, each as the HDU of its name (in upper case) with its table of bands; Gammapy's
/// `Map.read(file, hdu="NAME")` reads them. A first one of the name `PRIMARY` is the image of the primary HDU.
///
/// # Errors
/// As [`Map::write`].
pub fn write_maps(path: impl AsRef<Path>, maps: &[(&str, &Map)], options: &WriteOptions) -> Result<()> {
    let path = path.as_ref();
    check_output(path, options.overwrite)?;
    let mut out = MemoryWriter::new(maps.iter().map(|(_, m)| map_bytes(m)).sum())?;
    let mut rest = maps;
    match maps {
        [(name, first), others @ ..] if name.eq_ignore_ascii_case("PRIMARY") && first.wcs_geom().is_ok() => {
            map(&mut out, first, "PRIMARY", Encoding::Keep, Some(options))?;
            rest = others;
        }
        _ => {
            out.image(8, &[]);
            provenance(&mut out, options);
        }
    }
    for (name, values) in rest {
        map(&mut out, values, &name.to_uppercase(), Encoding::Keep, None)?;
    }
    save(out, path, options.overwrite)
}

impl MapDataset {
    /// Writes the dataset in the layout of Gammapy's `MapDataset.write`; its models are written apart, as YAML.
    ///
    /// # Errors
    /// As [`Map::write`].
    pub fn write(&self, path: impl AsRef<Path>, options: &WriteOptions) -> Result<()> {
        let path = path.as_ref();
        check_output(path, options.overwrite)?;
        save(self.file(options)?, path, options.overwrite)
    }

    fn file(&self, options: &WriteOptions) -> Result<MemoryWriter> {
        dataset(self, &[("BACKGROUND", self.background.as_ref())], options)
    }
}

impl MapDatasetOnOff {
    /// Writes the dataset in the layout of Gammapy's `MapDatasetOnOff.write`; its models are written apart, as YAML.
    ///
    /// # Errors
    /// As [`Map::write`].
    pub fn write(&self, path: impl AsRef<Path>, options: &WriteOptions) -> Result<()> {
        let path = path.as_ref();
        check_output(path, options.overwrite)?;
        save(self.file(options)?, path, options.overwrite)
    }

    fn file(&self, options: &WriteOptions) -> Result<MemoryWriter> {
        let own = [
            ("COUNTS_OFF", self.counts_off.as_ref()),
            ("ACCEPTANCE", self.acceptance.as_ref()),
            ("ACCEPTANCE_OFF", self.acceptance_off.as_ref()),
        ];
        dataset(&self.on, &own, options)
    }
}

impl Dataset {
    /// Writes the dataset in the layout of its kind.
    ///
    /// # Errors
    /// As [`Map::write`].
    pub fn write(&self, path: impl AsRef<Path>, options: &WriteOptions) -> Result<()> {
        match self {
            Self::Map(dataset) => dataset.write(path, options),
            Self::OnOff(dataset) => dataset.write(path, options),
            Self::FluxPoints(dataset) => dataset.write(path, options),
        }
    }

    /// The file that [`Dataset::write`] would write, uncompressed. Gammapy: `to_hdulist`.
    ///
    /// # Errors
    /// [`Error::Input`] for what cannot be written.
    #[doc(alias = "to_hdulist")]
    pub fn to_bytes(&self, options: &WriteOptions) -> Result<Vec<u8>> {
        let file = match self {
            Self::Map(dataset) => dataset.file(options),
            Self::OnOff(dataset) => dataset.file(options),
            Self::FluxPoints(_) => Err(Error::unsupported("flux points as the bytes of a dataset").with_help_for(
                "FluxPoints::to_table makes a table of them",
                "`pevatron convert` writes them as a table",
            )),
        };
        Ok(file?.finish()?.to_vec())
    }
}

/// A file of what both kinds of datasets have, and the maps that are a kind's `own`.
fn dataset(common: &MapDataset, own: &[(&str, Option<&Map>)], options: &WriteOptions) -> Result<MemoryWriter> {
    let (edisp, edisp_exposure) = match &common.edisp {
        Some(EDisp::Kernel(k)) => (Some(&k.edisp), k.exposure.as_ref()),
        Some(EDisp::Migra(m)) => (Some(&m.edisp), m.exposure.as_ref()),
        None => (None, None),
    };
    let psf = common.psf.as_ref();
    let mut parts = vec![("COUNTS", common.counts.as_ref()), ("EXPOSURE", common.exposure.as_ref())];
    parts.extend_from_slice(own);
    parts.extend([
        ("EDISP", edisp),
        ("EDISP_EXPOSURE", edisp_exposure),
        ("PSF", psf.map(|p| &p.psf)),
        ("PSF_EXPOSURE", psf.and_then(|p| p.exposure.as_ref())),
    ]);
    let mut out = MemoryWriter::new(parts.iter().filter_map(|(_, part)| *part).map(map_bytes).sum())?;
    out.image(8, &[]);
    out.text("NAME", &common.name, "name of the dataset");
    for (key, value) in &common.meta {
        keyword(&mut out, key, value);
    }
    provenance(&mut out, options);
    // Gammapy keeps the livetime with the exposure.
    let livetime = common.livetime_s.filter(|v| v.is_finite());
    let exposure_meta = livetime.map_or(NO_META.to_string(), |v| format!("{{\"livetime\": \"{v:?} s\"}}"));
    for (name, part) in parts {
        if let Some(part) = part {
            let meta = if name == "EXPOSURE" { &exposure_meta } else { NO_META };
            map_with_meta(&mut out, part, name, Encoding::Keep, None, meta)?;
        }
    }
    for (name, part) in [("MASK_SAFE", &common.mask_safe), ("MASK_FIT", &common.mask_fit)] {
        if let Some(part) = part {
            mask(&mut out, part, name)?;
        }
    }
    if let Some(intervals) = &common.gti {
        gti::write(&mut out, intervals);
    }
    if let Some(rows) = &common.meta_table {
        table::write(&mut out, "META_TABLE", rows);
    }
    Ok(out)
}

/// A free keyword that was read as text, as the number it may be.
fn keyword(out: &mut MemoryWriter, key: &str, value: &str) {
    if key.len() > 8 || key.is_empty() || key.starts_with("NAXIS") {
        return;
    }
    match (value.parse::<i64>(), value.parse::<f64>()) {
        (Ok(i), _) => out.int(key, i, ""),
        (_, Ok(r)) if r.is_finite() => out.real(key, r, ""),
        _ => out.text(key, value, ""),
    }
}

/// Program, options and inputs.
pub(super) fn provenance(out: &mut MemoryWriter, options: &WriteOptions) {
    let provenance = &options.provenance;
    out.text("CREATOR", &provenance.program, "program that made this file");
    out.history(&format!("made by {}", provenance.program));
    for (name, value) in &provenance.options {
        out.history(&format!("option {name} = {value}"));
    }
    for (name, bytes) in &provenance.inputs {
        out.history(&format!("input {name} ({bytes} bytes)"));
    }
}

/// About as many bytes as a map takes in a file.
pub(super) fn map_bytes(map: &Map) -> usize {
    let value = if matches!(map.data(), MapData::F32(_)) { 4 } else { 8 };
    map.data().len() * value + 8 * 2880
}

/// How the values of a map are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// In their precision.
    Keep,
    /// As bytes 0 and 1; undefined ones become 0.
    Flag,
    /// As 32-bit integers; undefined ones become 0.
    Bits,
}

/// A map's HDU and its table of bands. `primary` has the options where the map itself is the first HDU.
pub(super) fn map(
    out: &mut MemoryWriter,
    map: &Map,
    name: &str,
    encoding: Encoding,
    primary: Option<&WriteOptions>,
) -> Result<()> {
    map_with_meta(out, map, name, encoding, primary, NO_META)
}

/// Meta data of a map that has none.
const NO_META: &str = "{}";

/// As [`map`], with meta data (JSON).
fn map_with_meta(
    out: &mut MemoryWriter,
    map: &Map,
    name: &str,
    encoding: Encoding,
    primary: Option<&WriteOptions>,
    meta: &str,
) -> Result<()> {
    if let Geom::Region(geom) = map.geom().as_ref() {
        return region(out, map, geom, name, &map.unit().to_string(), meta);
    }
    image(out, map, (name, &bands_name(name)), encoding, primary, meta)?;
    bands(out, map.geom().axes(), name);
    Ok(())
}

/// A map of pixels whose axes stand in a table of bands that others may share; `write` says whether it follows here.
pub(super) fn map_sharing_bands(
    out: &mut MemoryWriter,
    map: &Map,
    name: &str,
    encoding: Encoding,
    (table, write): (&str, bool),
) -> Result<()> {
    if let Geom::Region(_) = map.geom().as_ref() {
        return self::map(out, map, name, encoding, None);
    }
    image(out, map, (name, table), encoding, None, NO_META)?;
    if write {
        axes::write_table(out, table, map.geom().axes());
    }
    Ok(())
}

fn image(
    out: &mut MemoryWriter,
    map: &Map,
    (name, bands): (&str, &str),
    encoding: Encoding,
    primary: Option<&WriteOptions>,
    meta: &str,
) -> Result<()> {
    let unit = map.unit().to_string();
    let sizes: Vec<usize> = map.data().shape().iter().rev().copied().collect();
    let damaged = || Error::input_at(Place::default().hdu(name), "the values are not in one piece");
    match (encoding, map.data()) {
        (Encoding::Keep, MapData::F32(a)) => {
            out.image(-32, &sizes);
            out.values(a.as_slice().ok_or_else(damaged)?);
        }
        (Encoding::Keep, MapData::F64(a)) => {
            out.image(-64, &sizes);
            out.values(a.as_slice().ok_or_else(damaged)?);
        }
        (Encoding::Flag, data) => {
            let values: Vec<u8> = data.iter().map(|v| u8::from(!v.is_nan() && v != 0.0)).collect();
            out.image(8, &sizes);
            out.values(&values);
        }
        (Encoding::Bits, data) => {
            let values: Vec<i32> = data.iter().map(|v| v as i32).collect();
            out.image(32, &sizes);
            out.values(&values);
        }
    }
    keywords(out, map.geom(), (name, bands), &unit, primary, meta);
    Ok(())
}

/// A mask's HDU and its table of bands.
pub(super) fn mask(out: &mut MemoryWriter, mask: &Mask, name: &str) -> Result<()> {
    let sizes: Vec<usize> = mask.data().shape().iter().rev().copied().collect();
    if let Geom::Region(geom) = mask.geom().as_ref() {
        // Gammapy takes the mask of a region as it stands: numbers would not choose bins.
        let values: Vec<bool> = mask.data().iter().copied().collect();
        return region_table(out, geom, name, "", NO_META, &ColumnData::Bools(&values, 1), values.len());
    }
    let values: Vec<u8> = mask.data().iter().map(|v| u8::from(*v)).collect();
    out.image(8, &sizes);
    out.values(&values);
    keywords(out, mask.geom(), (name, &bands_name(name)), "", None, NO_META);
    bands(out, mask.geom().axes(), name);
    Ok(())
}

/// The name of a map's table of bands.
fn bands_name(name: &str) -> String {
    format!("{name}_BANDS")
}

fn bands(out: &mut MemoryWriter, axes: &[MapAxis], name: &str) {
    if !axes.is_empty() {
        axes::write_table(out, &bands_name(name), axes);
    }
}

fn keywords(
    out: &mut MemoryWriter,
    geom: &Geom,
    (name, bands): (&str, &str),
    unit: &str,
    primary: Option<&WriteOptions>,
    meta: &str,
) {
    if let Geom::Wcs(wcs) = geom {
        wcs_header::write(out, wcs.wcs().header());
        axes::write_keywords(out, wcs.axes());
        let sizes: Vec<String> = [wcs.nx(), wcs.ny()]
            .into_iter()
            .chain(wcs.axes().iter().map(MapAxis::nbin))
            .map(|n| n.to_string())
            .collect();
        out.text("WCSSHAPE", &format!("({})", sizes.join(",")), "pixels and bins");
    }
    if !geom.axes().is_empty() {
        out.text("BANDSHDU", bands, "HDU of the axes");
    }
    match primary {
        Some(options) => provenance(out, options),
        None => out.text("EXTNAME", name, "extension name"),
    }
    out.text("META", meta, "");
    out.text("BUNIT", unit, "unit of the values");
}

fn region(out: &mut MemoryWriter, map: &Map, geom: &RegionGeom, name: &str, unit: &str, meta: &str) -> Result<()> {
    let damaged = || Error::input_at(Place::default().hdu(name), "the values are not in one piece");
    match map.data() {
        MapData::F32(a) => {
            let values = a.as_slice().ok_or_else(damaged)?;
            region_table(out, geom, name, unit, meta, &ColumnData::Single(values, 1), values.len())
        }
        MapData::F64(a) => {
            let values = a.as_slice().ok_or_else(damaged)?;
            region_table(out, geom, name, unit, meta, &ColumnData::Double(values, 1), values.len())
        }
    }
}

/// A region map: one row per bin, its table of bands, and its region if there is one.
fn region_table(
    out: &mut MemoryWriter,
    geom: &RegionGeom,
    name: &str,
    unit: &str,
    meta: &str,
    values: &ColumnData<'_>,
    rows: usize,
) -> Result<()> {
    let channel: Vec<i64> = (0..rows as i64).collect();
    out.table(rows, &[("CHANNEL", "", ColumnData::Int(&channel)), ("DATA", unit, *values)]);
    out.text("EXTNAME", name, "extension name");
    axes::write_keywords(out, geom.axes());
    if meta != NO_META {
        out.text("META", meta, "");
    }
    bands(out, geom.axes(), name);
    match geom.region() {
        Some(sky) => region_hdu::write(out, sky, name),
        None => Ok(()),
    }
}

/// Finishes the file in memory and writes it.
pub(super) fn save(out: MemoryWriter, path: &Path, overwrite: bool) -> Result<()> {
    let bytes = out.finish().map_err(|e| e.at(&Place::file(path)))?;
    write_atomic(path, overwrite, |file| encode(&bytes, path, file))
}

/// Finishes files in memory, writes all of them, then gives them their names.
pub(super) fn save_all(files: Vec<(&Path, MemoryWriter)>, overwrite: bool) -> Result<()> {
    if files.iter().any(|(path, _)| is_stream(path)) {
        return files.into_iter().try_for_each(|(path, out)| save(out, path, overwrite));
    }
    let mut staged = Vec::with_capacity(files.len());
    for (path, out) in files {
        let bytes = out.finish().map_err(|e| e.at(&Place::file(path)))?;
        let write = |file: &mut std::fs::File| encode(&bytes, path, file).map_err(|e| Error::io(path, e));
        staged.push(Staged::write(path, overwrite, write)?.0);
    }
    let commits = commits();
    staged.into_iter().try_for_each(|file| file.commit(&commits))
}

/// Writes bytes, compressed where the name ends in `.gz`.
pub(super) fn encode(bytes: &[u8], path: &Path, out: &mut dyn Write) -> std::io::Result<()> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz")) {
        let mut encoder = GzEncoder::new(out, Compression::new(GZIP_LEVEL));
        encoder.write_all(bytes)?;
        encoder.finish().map(|_| ())
    } else {
        out.write_all(bytes)
    }
}
