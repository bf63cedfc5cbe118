//! Datasets: the HDUs of Gammapy's `MapDataset`, checked against each other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::disk::DiskFile;
use super::header::Value;
use super::lazy::{Kept, or_read};
use super::map::{read_geom, read_map, read_mask};
use super::ogip::{self, Chosen, OgipOptions};
use super::reader::{FitsReader, ReadOptions, read_bytes};
use super::{check::HduKind, content, gti};
use crate::datasets::{Dataset, FluxPointsDataset, MapDataset, MapDatasetOnOff};
use crate::error::{Error, Place, Result};
use crate::io::kind::{FileKind, fits_kind, not_a_dataset, text_kind};
use crate::irf::{EDisp, EDispKernelMap, EDispMap, PsfMap};
use crate::maps::{Geom, Map, MapAxis, MapData, Mask};
use crate::table::Table;
use crate::time::Gti;

/// How much a [`Problem`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Results will be missing or different in some places.
    Warning,
    /// Estimators cannot run on this.
    Error,
}

/// Something in a dataset that its user should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// The part it concerns, by its HDU name.
    pub part: &'static str,
    /// What it is, in one sentence.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {}: {}", self.part, self.text)
    }
}

/// Keywords of the primary HDU that describe the file, not the data.
const STRUCTURE: [&str; 11] =
    ["SIMPLE", "BITPIX", "NAXIS", "EXTEND", "NAME", "CREATOR", "CREATED", "CHECKSUM", "DATASUM", "EXTNAME", "ORIGIN"];

impl MapDataset {
    /// Reads a dataset as Gammapy's `MapDataset.write` makes it, plain or gzip.
    ///
    /// Undefined background and exposure (NaN) outside of the safe mask occurs in real files and is kept.
    ///
    /// # Errors
    /// [`Error::Input`] that names HDU and keyword or bin: missing or damaged parts, negative or undefined counts,
    /// negative or infinite background or exposure, units of another kind, geometries that differ.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        whole(&mut open(path.as_ref())?, read)
    }

    /// Reads a dataset from the bytes of an uncompressed FITS file; messages call it `memory`.
    ///
    /// # Errors
    /// As [`MapDataset::read`].
    pub fn from_fits_bytes(bytes: Vec<u8>) -> Result<Self> {
        let name = Path::new("memory");
        read(&mut FitsReader::from_bytes(name, bytes).map_err(|e| e.at(&Place::file(name)))?)
    }

    /// What a user should know of this dataset, the worst first.
    pub fn check(&self) -> Vec<Problem> {
        let mut list = background_problems(self);
        list.extend(problems(self));
        list.sort_by_key(|p| std::cmp::Reverse(p.severity));
        list
    }
}

impl MapDatasetOnOff {
    /// Reads a dataset as Gammapy's `MapDatasetOnOff.write` makes it, plain or gzip, or an OGIP spectrum
    /// ([`MapDatasetOnOff::read_ogip`]).
    ///
    /// # Errors
    /// As [`MapDataset::read`], also for off counts and acceptances; where the file is a dataset without off counts.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let chosen = Chosen::parse(path.as_ref());
        if chosen.is_part() {
            return Self::read_ogip(path);
        }
        let mut reader = open(&chosen.path)?;
        if is_ogip(&reader) { Self::read_ogip(path) } else { whole(&mut reader, read_on_off) }
    }

    /// What a user should know of this dataset, the worst first.
    pub fn check(&self) -> Vec<Problem> {
        let mut list = off_problems(self);
        list.extend(problems(&self.on));
        list.sort_by_key(|p| std::cmp::Reverse(p.severity));
        list
    }
}

impl Dataset {
    /// Reads a dataset of the kind that the file is, which its HDUs say; flux points also from ECSV. Of a file with several
    /// OGIP spectra one may be chosen, as [`crate::io::OgipOptions`] says.
    ///
    /// # Errors
    /// As [`MapDataset::read`], [`MapDatasetOnOff::read`] and [`FluxPointsDataset::read`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if Chosen::parse(path).is_part() {
            return Self::read_ogip(path, &OgipOptions::default());
        }
        let points = || FluxPointsDataset::read(path).map(Self::FluxPoints);
        if let Some(mut reader) = open_plain(path)? {
            return if fits_kind(reader.hdus()) == FileKind::FluxPoints {
                points()
            } else if is_ogip(&reader) {
                Self::read_ogip(path, &OgipOptions::default())
            } else {
                whole(&mut reader, |reader| read_any(reader, None))
            };
        }
        let bytes = read_bytes(path, &ReadOptions::default())?;
        if !bytes.starts_with(b"SIMPLE") && text_kind(path, &bytes) == FileKind::FluxPoints {
            return points();
        }
        let reader = FitsReader::from_bytes(path, bytes).map_err(|e| e.at(&Place::file(path)))?;
        if fits_kind(reader.hdus()) == FileKind::FluxPoints {
            return points();
        }
        Self::from_reader(reader)
    }

    /// From the bytes of an uncompressed FITS file, as [`Dataset::to_bytes`] makes them; messages call it `memory`.
    /// Gammapy: `from_hdulist`. Flux points are read from files.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    #[doc(alias = "from_hdulist")]
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        let name = Path::new("memory");
        Self::from_reader(FitsReader::from_bytes(name, bytes).map_err(|e| e.at(&Place::file(name)))?)
    }

    fn from_reader(mut reader: FitsReader) -> Result<Self> {
        if is_ogip(&reader) {
            let chosen = Chosen::parse(reader.path());
            return ogip::read(&mut reader, &chosen, &OgipOptions::default()).map(ogip::dataset_of);
        }
        read_any(&mut reader, None)
    }

    /// What a user should know of this dataset, the worst first.
    pub fn check(&self) -> Vec<Problem> {
        match self {
            Self::Map(dataset) => dataset.check(),
            Self::OnOff(dataset) => dataset.check(),
            Self::FluxPoints(_) => Vec::new(),
        }
    }
}

/// An uncompressed FITS file whose HDUs are read one by one, so that it is not in memory beside the dataset; `None` for
/// other files.
fn open_plain(path: &Path) -> Result<Option<FitsReader>> {
    let file = DiskFile::open_plain(path, &ReadOptions::default())?;
    Ok(file.map(|file| FitsReader::on_disk(&Arc::new(file))))
}

fn open(path: &Path) -> Result<FitsReader> {
    open_plain(path)?.map_or_else(|| FitsReader::open(path), Ok)
}

/// What is read of a file whose other HDUs must be sound, too.
pub(super) fn whole<T>(reader: &mut FitsReader, read: impl Fn(&mut FitsReader) -> Result<T>) -> Result<T> {
    let found = read(reader)?;
    reader.check_rest()?;
    Ok(found)
}

/// HDUs that only datasets with off counts have.
pub(in crate::io) const OFF_PARTS: [&str; 3] = ["COUNTS_OFF", "ACCEPTANCE", "ACCEPTANCE_OFF"];

pub(super) fn is_on_off(reader: &FitsReader) -> bool {
    OFF_PARTS.iter().any(|part| reader.find(part).is_some())
}

/// True for an OGIP spectrum, which has no counts map.
pub(super) fn is_ogip(reader: &FitsReader) -> bool {
    ogip::is_spectrum(reader.hdus()) && reader.find("COUNTS").is_none() && !is_on_off(reader)
}

/// A dataset of maps, of the kind that its HDUs say; `kept`: the parts of it that were read before.
pub(super) fn read_any(reader: &mut FitsReader, kept: Option<&Kept>) -> Result<Dataset> {
    if is_on_off(reader) {
        with_off(reader, kept).map(Dataset::OnOff)
    } else {
        with_background(reader, kept).map(Dataset::Map)
    }
}

fn read_on_off(reader: &mut FitsReader) -> Result<MapDatasetOnOff> {
    with_off(reader, None)
}

fn with_off(reader: &mut FitsReader, kept: Option<&Kept>) -> Result<MapDatasetOnOff> {
    require_off(reader)?;
    let dataset = MapDatasetOnOff {
        on: read_common(reader, kept)?,
        counts_off: or_read(kept.map(|k| &k.counts_off), || map_part(reader, "COUNTS_OFF"))?,
        acceptance: or_read(kept.map(|k| &k.acceptance), || map_part(reader, "ACCEPTANCE"))?,
        acceptance_off: or_read(kept.map(|k| &k.acceptance_off), || map_part(reader, "ACCEPTANCE_OFF"))?,
    };
    let off = [
        ("COUNTS_OFF", dataset.counts_off.as_ref()),
        ("ACCEPTANCE", dataset.acceptance.as_ref()),
        ("ACCEPTANCE_OFF", dataset.acceptance_off.as_ref()),
    ];
    validate(reader, &dataset.on, &off)?;
    Ok(dataset)
}

pub(super) fn read(reader: &mut FitsReader) -> Result<MapDataset> {
    with_background(reader, None)
}

fn with_background(reader: &mut FitsReader, kept: Option<&Kept>) -> Result<MapDataset> {
    refuse_off(reader)?;
    let dataset = read_common(reader, kept)?;
    validate(reader, &dataset, &[])?;
    Ok(dataset)
}

/// The error of a file that holds no dataset with off counts.
pub(super) fn require_off(reader: &FitsReader) -> Result<()> {
    refuse_others(reader)?;
    if is_on_off(reader) {
        return Ok(());
    }
    let problem = format!("no on-off dataset: none of {OFF_PARTS:?} among the HDUs");
    Err(Error::input_at(reader.place(), problem)
        .with_help_for("read it with MapDataset::read", "give a dataset with off counts, a MapDatasetOnOff"))
}

/// The error of a file that holds no dataset with a background.
pub(super) fn refuse_off(reader: &FitsReader) -> Result<()> {
    refuse_others(reader)?;
    if is_on_off(reader) {
        let problem = "this is a MapDatasetOnOff: it has off counts in place of a background, for the W statistic";
        return Err(Error::input_at(reader.place(), problem).with_help_for(
            "ExcessMapEstimator makes excess, significance and flux maps of it; where a background is needed, as for a TS \
             map, MapDatasetOnOff::to_map_dataset takes alpha times the off counts as one",
            "`pevatron excess` makes excess, significance and flux maps of it; where a background is needed, as for a TS \
             map, write alpha times the off counts as one with Gammapy: dataset.to_map_dataset().write(...)",
        ));
    }
    Ok(())
}

/// The error of a file that holds no dataset of maps.
pub(super) fn refuse_others(reader: &FitsReader) -> Result<()> {
    if let Some(sed) = reader.primary().text("SED_TYPE") {
        return Err(Error::input_at(reader.place(), format!("these are flux maps ('{sed}'), a dataset is needed"))
            .with_help_for(
                "read them with FluxMaps::read",
                "`pevatron peaks`, `flux-points`, `combine`, `convert` and `plot` take flux maps",
            ));
    }
    if is_ogip(reader) {
        let problem = "this is an OGIP spectrum, which is read with its off counts";
        return Err(Error::input_at(reader.place(), problem).with_help_for(
            "read it with MapDatasetOnOff::read",
            "`pevatron fit`, `stack`, `simulate` and `residuals` take it",
        ));
    }
    let parts = ["COUNTS", "EXPOSURE", "BACKGROUND", "COUNTS_OFF"];
    if let Some(error) = not_a_dataset(reader.path(), reader.hdus(), &[&parts[..], &OFF_PARTS[..]].concat()) {
        return Err(error);
    }
    if parts.iter().all(|p| reader.find(p).is_none()) {
        let problem = format!("no dataset: none of {parts:?} among the HDUs [{}]", reader.names().join(", "));
        return Err(Error::input_at(reader.place(), problem)
            .with_help("a dataset is a file as Gammapy's MapDataset.write makes it"));
    }
    Ok(())
}

/// The name in the file, else that of the file.
pub(super) fn name_of(reader: &FitsReader) -> String {
    match reader.primary().get("NAME") {
        Some(Value::Text(name)) if !name.is_empty() => name.clone(),
        _ => file_stem(reader.path()),
    }
}

/// The entries of the primary header that do not describe the file.
pub(super) fn meta_of(reader: &FitsReader) -> BTreeMap<String, String> {
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
fn read_common(reader: &mut FitsReader, kept: Option<&Kept>) -> Result<MapDataset> {
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
pub(super) fn map_part(reader: &mut FitsReader, name: &str) -> Result<Option<Map>> {
    let mut map = optional(reader, name)?;
    if !["COUNTS", "COUNTS_OFF"].contains(&name)
        && let Some(map) = &mut map
    {
        content::round_to_zero(&reader.place().hdu(name), map)?;
    }
    if name == "EXPOSURE" { map.map(with_true_energy).transpose() } else { Ok(map) }
}

/// The geometry of that map.
pub(super) fn geom_part(reader: &mut FitsReader, name: &str) -> Result<Option<Geom>> {
    let Some(index) = reader.find(name).map(|h| h.index) else { return Ok(None) };
    let geom = read_geom(reader, index)?;
    if name != "EXPOSURE" {
        return Ok(Some(geom));
    }
    Ok(Some(true_energy_axes(&geom).map_or(geom.clone(), |axes| geom.with_axes(axes))))
}

pub(super) fn mask_part(reader: &mut FitsReader, name: &str) -> Result<Option<Mask>> {
    match reader.find(name).map(|h| h.index) {
        Some(index) => read_mask(reader, index).map(Some),
        None => Ok(None),
    }
}

pub(super) fn read_psf(reader: &mut FitsReader) -> Result<Option<PsfMap>> {
    let Some(psf) = optional(reader, "PSF")? else { return Ok(None) };
    Ok(Some(PsfMap { psf, exposure: optional(reader, "PSF_EXPOSURE")? }))
}

pub(super) fn read_gti(reader: &mut FitsReader) -> Result<Option<Gti>> {
    match reader.find("GTI").filter(|h| h.kind == HduKind::Table).map(|h| h.index) {
        Some(index) => gti::read(reader, index).map(Some),
        None => Ok(None),
    }
}

/// Carried along and not used: one that is damaged keeps no dataset from being read.
pub(super) fn read_meta_table(reader: &mut FitsReader) -> Result<Option<Table>> {
    match reader.find("META_TABLE").filter(|h| h.kind == HduKind::Table).map(|h| h.index) {
        Some(index) => {
            reader.fetch(index)?;
            Ok(super::table::read(reader, index).ok())
        }
        None => Ok(None),
    }
}

/// The livetime in the meta data of the exposure, `{"livetime": "1687.0 s"}`.
pub(super) fn livetime_s(reader: &FitsReader) -> Result<Option<f64>> {
    let Some(text) = reader.find("EXPOSURE").and_then(|h| h.header.text("META")) else { return Ok(None) };
    // Other meta data may be anything.
    let Ok(meta) = serde_json::from_str::<serde_json::Value>(text) else { return Ok(None) };
    let Some(livetime) = meta.get("livetime").and_then(|v| v.as_str()) else { return Ok(None) };
    let seconds = livetime.parse::<crate::units::Quantity>().and_then(|q| q.to("s"));
    match seconds {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(Some(seconds)),
        _ => Err(Error::input_at(reader.place().hdu("EXPOSURE").item("META"), format!("'{livetime}' is no livetime"))
            .with_help("a number of seconds is needed, e.g. {\"livetime\": \"1687.0 s\"}")),
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

pub(super) fn read_edisp(reader: &mut FitsReader) -> Result<Option<EDisp>> {
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

/// Where a value stands, as FITS software counts it: `[x, y, plane]` from 1.
fn bin(map: &Map, index: usize) -> String {
    let shape = map.data().shape();
    let mut rest = index;
    let mut position: Vec<String> = Vec::new();
    for n in shape.iter().rev() {
        position.push((rest % n + 1).to_string());
        rest /= n;
    }
    format!("pixel [{}]", position.join(", "))
}

/// Number of values for which `bad` holds, and the first one with its index.
fn count_bad(map: &Map, bad: impl Fn(f64) -> bool) -> Option<(usize, usize, f64)> {
    fn go<T: Copy + Into<f64>>(
        values: impl Iterator<Item = T>,
        bad: impl Fn(f64) -> bool,
    ) -> Option<(usize, usize, f64)> {
        let mut first = None;
        let mut count = 0;
        for (i, v) in values.enumerate() {
            let v: f64 = v.into();
            if bad(v) {
                count += 1;
                first.get_or_insert((i, v));
            }
        }
        first.map(|(i, v)| (count, i, v))
    }
    match map.data() {
        MapData::F32(a) => go(a.iter().copied(), bad),
        MapData::F64(a) => go(a.iter().copied(), bad),
    }
}

fn require(place: &Place, map: &Map, what: &str, bad: impl Fn(f64) -> bool, help: &str) -> Result<()> {
    match count_bad(map, bad) {
        None => Ok(()),
        Some((count, index, value)) => {
            let problem = format!("{count} values are {what}, the first one ({value}) in {}", bin(map, index));
            Err(Error::input_at(place.clone(), problem).with_help(help))
        }
    }
}

fn require_unit(place: &Place, map: &Map, unit: &str, kind: &str) -> Result<()> {
    map.unit().factor_to_text(unit).map(|_| ()).map_err(|_| {
        let problem = format!("the unit is '{}', {kind} such as '{unit}' is needed", map.unit());
        Error::input_at(place.clone().item("BUNIT"), problem).with_help("correct BUNIT in the header")
    })
}

fn require_axes(place: &Place, geom: &Geom, allowed: &[&[&str]]) -> Result<()> {
    let names: Vec<&str> = geom.axes().iter().map(MapAxis::name).collect();
    if allowed.contains(&names.as_slice()) {
        return Ok(());
    }
    let wanted: Vec<String> = allowed.iter().map(|a| format!("({})", a.join(", "))).collect();
    Err(Error::input_at(place.clone(), format!("axes ({}), needed {}", names.join(", "), wanted.join(" or "))))
}

fn same_axis(a: &MapAxis, b: &MapAxis) -> bool {
    let Ok(factor) = b.unit().factor_to(a.unit()) else { return false };
    let (a, b) = (a.edges(), b.edges());
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b * factor).abs() <= 1e-5 * (a.abs() + (b * factor).abs()))
}

/// Checks the values, axes and unit of a map by the name of its HDU.
pub(super) fn check_map(file: &Place, name: &str, map: &Map) -> Result<()> {
    let at = file.clone().hdu(name);
    let (axes, unit, kind) = match name {
        "EXPOSURE" => ("energy_true", "m2 s", "area times time"),
        _ => ("energy", "", "none"),
    };
    require_axes(&at, map.geom(), &[&[axes]])?;
    require_unit(&at, map, unit, kind)?;
    match name {
        "COUNTS" | "COUNTS_OFF" => {
            let help = "counts are numbers of events: 0 or more; undefined bins (NaN) are left out";
            require(&at, map, "negative or infinite", |v| v < 0.0 || v.is_infinite(), help)
        }
        _ => {
            let help = match name {
                "BACKGROUND" => "predicted counts are 0 or more; undefined bins (NaN) are left out of the fit",
                "EXPOSURE" => "exposures are 0 or more",
                _ => "acceptances are 0 or more; undefined ones (NaN) leave the bin without a background",
            };
            require(&at, map, "negative or infinite", |v| v < 0.0 || v.is_infinite(), help)
        }
    }
}

/// Checks axes and units of a PSF.
pub(super) fn check_psf(file: &Place, psf: &PsfMap) -> Result<()> {
    let at = file.clone().hdu("PSF");
    require_axes(&at, psf.psf.geom(), &[&["rad", "energy_true"], &["rad", "energy"]])?;
    require_unit(&at, &psf.psf, "sr-1", "a density on the sky")?;
    match &psf.exposure {
        Some(exposure) => require_unit(&file.clone().hdu("PSF_EXPOSURE"), exposure, "m2 s", "area times time"),
        None => Ok(()),
    }
}

/// Checks the parts of a dataset one by one and against each other; `off`: the off counts and acceptances, if any.
fn validate(reader: &FitsReader, dataset: &MapDataset, off: &[(&str, Option<&Map>)]) -> Result<()> {
    let place = |hdu: &str| reader.place().hdu(hdu);
    for (name, map) in [
        ("COUNTS", dataset.counts.as_ref()),
        ("BACKGROUND", dataset.background.as_ref()),
        ("EXPOSURE", dataset.exposure.as_ref()),
    ] {
        map.map_or(Ok(()), |map| check_map(&reader.place(), name, map))?;
    }
    dataset.psf.as_ref().map_or(Ok(()), |psf| check_psf(&reader.place(), psf))?;
    for (name, map) in off {
        map.map_or(Ok(()), |map| check_map(&reader.place(), name, map))?;
    }
    content::check_acceptances(&reader.place(), dataset, off)?;
    let parts = [
        ("COUNTS", dataset.counts.as_ref().map(|m| m.geom())),
        ("BACKGROUND", dataset.background.as_ref().map(|m| m.geom())),
        ("MASK_SAFE", dataset.mask_safe.as_ref().map(Mask::geom)),
        ("MASK_FIT", dataset.mask_fit.as_ref().map(Mask::geom)),
        ("EXPOSURE", dataset.exposure.as_ref().map(|m| m.geom())),
    ];
    let off = off.iter().map(|(name, map)| (*name, map.map(Map::geom)));
    let mut present = parts.into_iter().chain(off).filter_map(|(name, geom)| geom.map(|g| (name, g)));
    let Some((first_name, first)) = present.next() else { return Ok(()) };
    for (name, geom) in present {
        let at = place(name);
        match (first.as_ref(), geom.as_ref()) {
            (Geom::Wcs(a), Geom::Wcs(b)) if !a.same_image(b) => {
                let sizes = format!("{} × {} pixels, {first_name} has {} × {}", b.nx(), b.ny(), a.nx(), a.ny());
                let problem = if (a.nx(), a.ny()) == (b.nx(), b.ny()) {
                    format!("its pixels lie elsewhere on the sky than those of {first_name}")
                } else {
                    sizes
                };
                return Err(Error::input_at(at, problem).with_help("all maps of a dataset have the same pixels"));
            }
            (Geom::Wcs(_), Geom::Wcs(_)) | (Geom::Region(_), Geom::Region(_)) => {}
            _ => return Err(Error::input_at(at, format!("a map and a region: {first_name} is of the other kind"))),
        }
        if name == "EXPOSURE" || first_name == "EXPOSURE" {
            continue;
        }
        if let ([a], [b]) = (first.axes(), geom.axes()) {
            if !same_axis(a, b) {
                let problem =
                    format!("{} energy bins, not the {} of {first_name} or with other edges", b.nbin(), a.nbin());
                return Err(Error::input_at(at, problem));
            }
        } else if first.axes().len() != geom.axes().len() {
            return Err(Error::input_at(
                at,
                format!("{} axes, {first_name} has {}", geom.axes().len(), first.axes().len()),
            ));
        }
    }
    Ok(())
}

/// Values of a map that a mask chooses (all without one).
fn inside<'a>(map: &'a Map, mask: Option<&'a Mask>) -> Box<dyn Iterator<Item = f64> + 'a> {
    match mask.filter(|m| m.data().len() == map.data().len()) {
        Some(mask) => Box::new(map.data().iter().zip(mask.data().iter()).filter(|(_, m)| **m).map(|(v, _)| v)),
        None => map.data().iter(),
    }
}

/// Whether a bin `[plane, y, x]` is inside of a mask.
fn chosen(mask: Option<&Mask>) -> impl Fn(usize, usize, usize) -> bool {
    let mask = mask.map(Mask::cube);
    move |plane, y, x| mask.and_then(|m| m.get((plane, y, x)).copied()).unwrap_or(true)
}

/// What is to be said of undefined values (NaN): how many, how many of them in chosen bins on the sky.
fn undefined(map: &Map, is_chosen: impl Fn(usize, usize, usize) -> bool) -> Option<(Severity, String)> {
    let all = map.data().iter().filter(|v| v.is_nan()).count();
    if all == 0 {
        return None;
    }
    let (cube, geom) = (map.cube(), map.wcs_geom().ok());
    let (planes, ny, nx) = cube.dim();
    let (mut used, mut beyond) = (0, 0);
    for (y, x) in (0..ny).flat_map(|y| (0..nx).map(move |x| (y, x))) {
        let here = (0..planes).filter(|p| cube.at(*p, y, x).is_nan());
        if geom.is_some_and(|g| g.pix_to_sky(x as f64, y as f64).is_none()) {
            beyond += here.count();
        } else {
            used += here.filter(|p| is_chosen(*p, y, x)).count();
        }
    }
    let severity = if used > 0 { Severity::Warning } else { Severity::Note };
    let mut text = format!("{all} values are undefined (NaN), {used} of them inside of the safe mask: left out");
    if beyond > 0 {
        text += &format!("; {beyond} lie outside of the projection");
    }
    Some((severity, text))
}

/// What is to be said of a known background.
fn background_problems(dataset: &MapDataset) -> Vec<Problem> {
    let mut list = Vec::new();
    let mut add = |severity, text: &str| list.push(Problem { severity, part: "BACKGROUND", text: text.to_string() });
    let Some(background) = &dataset.background else {
        add(Severity::Warning, "there is no background: 0 is taken");
        return list;
    };
    let mask = dataset.mask_safe.as_ref();
    if let Some((severity, text)) = undefined(background, chosen(mask)) {
        add(severity, &text);
    }
    if inside(background, mask).all(|v| v.is_nan() || v == 0.0) {
        add(Severity::Warning, "no bin has any background");
    }
    list
}

/// What is to be said of off counts and acceptances.
fn off_problems(dataset: &MapDatasetOnOff) -> Vec<Problem> {
    let mut list = Vec::new();
    let mut add = |severity, part, text: String| list.push(Problem { severity, part, text });
    for (part, map) in [
        ("COUNTS_OFF", &dataset.counts_off),
        ("ACCEPTANCE", &dataset.acceptance),
        ("ACCEPTANCE_OFF", &dataset.acceptance_off),
    ] {
        if map.is_none() {
            add(Severity::Error, part, "it is missing: the background is not known".into());
        }
    }
    let mask = dataset.on.mask_safe.as_ref();
    if let Some(off) = &dataset.counts_off
        && inside(off, mask).all(|v| v == 0.0)
    {
        add(Severity::Warning, "COUNTS_OFF", "no bin has any off counts".into());
    }
    if let Some(acceptance) = &dataset.acceptance_off {
        let bad = inside(acceptance, mask).filter(|v| v.is_nan() || *v <= 0.0).count();
        if bad > 0 {
            let text = format!("{bad} values inside of the safe mask are 0 or undefined: there is no background there");
            add(Severity::Warning, "ACCEPTANCE_OFF", text);
        }
    }
    list
}

/// What is to be said of the parts that both kinds of datasets have.
fn problems(dataset: &MapDataset) -> Vec<Problem> {
    let mut list = Vec::new();
    let mut add = |severity, part, text: String| list.push(Problem { severity, part, text });
    let mask = dataset.mask_safe.as_ref();
    if let Some(gti) = &dataset.gti {
        let empty = gti.intervals.iter().filter(|(a, b)| a == b).count();
        if empty > 0 {
            let text = format!("{empty} of {} intervals have no length and are left out", gti.intervals.len());
            add(Severity::Warning, "GTI", text);
        }
    }
    match &dataset.counts {
        None => add(Severity::Error, "COUNTS", "there are no counts".into()),
        Some(counts) => {
            if let Some((n, index, value)) = count_bad(counts, |v| v < 0.0 || v.is_infinite()) {
                let text =
                    format!("{n} values are negative or infinite, the first one ({value}) in {}", bin(counts, index));
                add(Severity::Error, "COUNTS", text);
            } else if counts.data().iter().any(|v| v.is_finite() && v.fract() != 0.0) {
                add(Severity::Note, "COUNTS", "some counts are no whole numbers".into());
            }
            if let Some((severity, text)) = undefined(counts, chosen(mask)) {
                add(severity, "COUNTS", text);
            }
            if counts.sum() == 0.0 {
                add(Severity::Warning, "COUNTS", "all counts are 0".into());
            }
        }
    }
    match &dataset.exposure {
        None => add(Severity::Error, "EXPOSURE", "there is no exposure: counts cannot be turned into fluxes".into()),
        Some(exposure) => {
            let image = mask.map(Mask::any_plane);
            if let Some((severity, text)) =
                undefined(exposure, |_, y, x| image.as_ref().is_none_or(|m| m.get((y, x)).is_none_or(|m| *m)))
            {
                add(severity, "EXPOSURE", text);
            }
            let empty: Vec<String> = (0..exposure.planes())
                .filter(|plane| exposure.plane_f64(*plane).iter().all(|v| v.is_nan() || *v == 0.0))
                .map(|plane| plane.to_string())
                .collect();
            if empty.len() == exposure.planes() {
                add(Severity::Error, "EXPOSURE", "the exposure is 0 everywhere".into());
            } else if !empty.is_empty() {
                add(Severity::Warning, "EXPOSURE", format!("the exposure is 0 in the planes {}", empty.join(", ")));
            }
        }
    }
    match &dataset.psf {
        // The area of a spectrum is that of its region already.
        None if dataset.is_spectrum() => {}
        None => add(Severity::Warning, "PSF", "there is no PSF: sources are taken as seen sharply".into()),
        Some(psf) => {
            if let (Some(exposure), Some(nodes)) =
                (&dataset.exposure, psf.psf.geom().axes().iter().find(|a| a.name() == "energy_true"))
            {
                let planes = exposure.planes();
                if nodes.nbin() < planes {
                    let text = format!(
                        "the PSF has {} true energies, the exposure {planes}: the last planes have no kernel",
                        nodes.nbin()
                    );
                    add(Severity::Warning, "PSF", text);
                }
            }
        }
    }
    if dataset.edisp.is_none() {
        add(
            Severity::Note,
            "EDISP",
            "there is no energy dispersion: true and reconstructed energies are taken as equal".into(),
        );
    }
    match mask {
        None => add(Severity::Note, "MASK_SAFE", "there is no safe mask: all bins are used".into()),
        Some(mask) if mask.count() == 0 => add(Severity::Error, "MASK_SAFE", "no bin is safe to use".into()),
        Some(_) => {}
    }
    if let Some(fit) = &dataset.mask_fit {
        let both = mask.map_or(Ok(fit.clone()), |m| m.and(fit));
        if both.is_ok_and(|m| m.count() == 0) {
            add(Severity::Error, "MASK_FIT", "no bin is chosen for the fit".into());
        }
    }
    if let Some(Ok(geom)) = dataset.counts.as_ref().map(Map::wcs_geom) {
        let (x, y) = geom.pixel_scales_deg();
        if (x / y - 1.0).abs() > 1e-4 {
            let text = format!("pixels of {x:.6} × {y:.6} deg are not square: a PSF cannot be applied");
            add(Severity::Warning, "COUNTS", text);
        }
    }
    if dataset.gti.as_ref().is_some_and(|g| g.intervals.is_empty()) {
        add(Severity::Note, "GTI", "there are no time intervals".into());
    }
    list
}
