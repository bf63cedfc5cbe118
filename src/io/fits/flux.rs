//! Flux maps: one HDU per quantity, the reference model inside the file and beside it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cfitsio::{ColumnData, MemoryWriter};
use super::dataset::file_stem;
use super::images::{healpix_error, is_healpix};
use super::map::read_map;
use super::reader::FitsReader;
use super::writer::{Encoding, WriteOptions, encode, map, map_bytes, map_sharing_bands, provenance};
use super::{check::Hdu, check::HduKind, gti};
use crate::error::{Error, Place, Result};
use crate::flux::{FluxMaps, FluxMeta, ScanZero, SedType};
use crate::io::atomic::check_output;
use crate::io::pair::write_pair;
use crate::maps::Map;
use crate::models::{Model, Models, SkyModel};
use crate::time::Gti;

/// HDU of the reference model: one row, the bytes of its YAML. A table, since Gammapy takes every image for a quantity.
const MODEL_HDU: &str = "MODEL_YAML";

/// Keywords of numbers in [`FluxMeta`], with their comments.
type Number = (&'static str, fn(&mut FluxMeta) -> &mut f64, &'static str);
const NUMBERS: [Number; 4] = [
    ("N_SIGMA", |m| &mut m.n_sigma, "sigmas of the errors"),
    ("NSIGMAUL", |m| &mut m.n_sigma_ul, "sigmas of the upper limits"),
    ("NSIGMASE", |m| &mut m.n_sigma_sensitivity, "sigmas of the sensitivity"),
    ("SQRTTSUL", |m| &mut m.sqrt_ts_threshold_ul, "pixels below this sqrt_ts are limits"),
];

/// Keyword of what likelihood profiles count from.
const SCAN_ZERO: &str = "SCANZERO";

/// Keyword of the SED type that the maps were estimated in.
const SED_INIT: &str = "SED_INIT";

impl FluxMaps {
    /// Reads flux maps as Gammapy's `FluxMaps.write` or [`FluxMaps::write`] makes them, in any SED type.
    ///
    /// The reference model is the one inside the file, else the YAML that the keyword MODEL names (relative to the
    /// file, in its folder, or from where the program runs), else the one named like the file. A file that names none has a point source with an
    /// E^-2 spectrum.
    ///
    /// # Errors
    /// [`Error::Input`] where the file is missing or damaged, the map of its SED type is not in it, or the reference
    /// model that it names is missing; see [`FluxMaps::read_with_model`] for that.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_with_warnings(path).map(|(maps, _)| maps)
    }

    /// The same with another reference model than the file's, which may be missing.
    ///
    /// # Errors
    /// As [`FluxMaps::read`], without that of a missing model.
    pub fn read_with_model(path: impl AsRef<Path>, model: SkyModel) -> Result<Self> {
        Self::from_reader(FitsReader::open(path.as_ref())?, Some(model)).map(|(maps, _)| maps)
    }

    /// [`FluxMaps::read`], with what its user should be told (a file that names no reference model).
    ///
    /// # Errors
    /// As [`FluxMaps::read`].
    pub fn read_with_warnings(path: impl AsRef<Path>) -> Result<(Self, Vec<String>)> {
        Self::from_reader(FitsReader::open(path.as_ref())?, None)
    }

    /// From the bytes of an uncompressed file, as [`FluxMaps::to_bytes`] makes them. Gammapy: `from_hdulist`.
    ///
    /// # Errors
    /// As [`FluxMaps::read`]; the reference model must be inside, else a point source with an E^-2 spectrum is taken.
    #[doc(alias = "from_hdulist")]
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::from_reader(FitsReader::from_bytes(Path::new(""), bytes)?, None).map(|(maps, _)| maps)
    }

    fn from_reader(mut reader: FitsReader, given: Option<SkyModel>) -> Result<(Self, Vec<String>)> {
        let content = read(&mut reader)?;
        let mut warnings = Vec::new();
        let known = |h: &&Hdu| content.maps.iter().any(|(name, _)| name.eq_ignore_ascii_case(&h.name));
        let others: Vec<String> =
            reader.hdus().iter().filter(|h| h.has_image() && !known(h)).map(|h| h.label()).collect();
        if !others.is_empty() {
            warnings.push(format!(
                "{}: images that are not quantities of flux maps are left out: {}",
                reader.path().display(),
                others.join(", ")
            ));
        }
        let model = match (given, &content.model, &content.model_name) {
            (Some(model), ..) => model,
            (None, Some(source), _) => parse_model(&source.yaml, &source.path)?,
            (None, None, Some(name)) => {
                return Err(Error::input_at(
                    reader.place().hdu("PRIMARY").item("MODEL"),
                    format!("the reference model '{name}' is neither inside the file nor beside it"),
                )
                .with_help(
                    "put the YAML beside the file, or name one: pevatron convert FILE -o OUT --models MODEL.yaml",
                ));
            }
            (None, None, None) => {
                warnings.push(format!(
                    "{}: the file names no reference model; a point source with an E^-2 spectrum is taken",
                    reader.path().display()
                ));
                Self::default_reference_model()
            }
        };
        let owned = content.maps.into_iter().map(|(name, map)| (name, map.into_owned())).collect();
        let meta = content.meta;
        let (init, zero) = (meta.sed_type_init, meta.scan_zero);
        let mut maps =
            Self::from_maps(content.sed, owned, model, content.gti, Some(meta)).map_err(|e| e.at(&reader.place()))?;
        maps.meta.sed_type_init = init;
        if reader.primary().text(SCAN_ZERO).is_some() {
            maps.meta.scan_zero = zero;
        }
        maps.forget_derived_is_ul();
        Ok((maps, warnings))
    }

    /// Where the reference model of flux maps is written, beside them: `x_model.yaml` for `x.fits` and `x.fits.gz`.
    pub fn model_path(path: &Path) -> PathBuf {
        model_path(path)
    }

    /// Writes the maps in a SED type (without one: in that which they came in), with the reference model inside and beside
    /// the file ([`FluxMaps::model_path`]). The file names it by its path as given here, so that Gammapy finds it from the
    /// same folder; where both are moved, this crate finds it all the same.
    ///
    /// Maps and model are replaced as a pair: whatever fails, or ends the process, the file and the YAML that its keyword
    /// MODEL names are the old ones or the new ones. A process that is killed between two renames may leave the new pair
    /// with the YAML under a longer name (`x.fits-1f2e3d4c_model.yaml`), which the next writing takes away. A device or a
    /// pipe gets the maps alone, with the model inside.
    ///
    /// # Errors
    /// [`Error::Options`] where one of the two files exists and is not to be replaced or the folder is missing;
    /// [`Error::Io`] where writing fails.
    #[doc(alias = "save")]
    pub fn write(&self, path: impl AsRef<Path>, sed: impl Into<Option<SedType>>, options: &WriteOptions) -> Result<()> {
        let path = path.as_ref();
        self.write_with_model(path, model_path(path), sed, options)
    }

    /// [`FluxMaps::write`] with another name for the file of the reference model (Gammapy's `filename_model`), which the
    /// file names as it is given.
    ///
    /// # Errors
    /// As [`FluxMaps::write`], and where both files are one.
    #[doc(alias = "filename_model")]
    pub fn write_with_model(
        &self,
        path: impl AsRef<Path>,
        model: impl AsRef<Path>,
        sed: impl Into<Option<SedType>>,
        options: &WriteOptions,
    ) -> Result<()> {
        let (path, model) = (path.as_ref(), model.as_ref());
        if path == model {
            return Err(Error::options("filename_model", "is the file of the maps itself"));
        }
        check_output(path, options.overwrite)?;
        check_output(model, options.overwrite)?;
        write(path, model, &self.content(sed.into())?, options)
    }

    /// [`FluxMaps::to_bytes`] with one table of bands of this name for all maps that have the same axes (Gammapy's
    /// `hdu_bands`); reading finds it by itself.
    ///
    /// # Errors
    /// As [`FluxMaps::to_bytes`], and for the name of a map.
    #[doc(alias = "hdu_bands")]
    pub fn to_bytes_with_bands(
        &self,
        sed: impl Into<Option<SedType>>,
        hdu_bands: &str,
        options: &WriteOptions,
    ) -> Result<Vec<u8>> {
        let mut content = self.content(sed.into())?;
        if content.maps.iter().any(|(name, _)| name.eq_ignore_ascii_case(hdu_bands)) || hdu_bands.trim().is_empty() {
            return Err(Error::options(
                "hdu_bands",
                format!("'{hdu_bands}' is not a name for a table beside these maps"),
            ));
        }
        content.bands = Some(hdu_bands.to_string());
        Ok(file(&content, None, options)?.finish()?.to_vec())
    }

    /// The bytes of the FITS file of a SED type, with the reference model inside: for programs that keep files
    /// elsewhere. Gammapy: `to_hdulist`.
    ///
    /// # Errors
    /// Where the reference model does not allow the SED type, or memory is short.
    #[doc(alias = "to_hdulist")]
    pub fn to_bytes(&self, sed: impl Into<Option<SedType>>, options: &WriteOptions) -> Result<Vec<u8>> {
        Ok(file(&self.content(sed.into())?, None, options)?.finish()?.to_vec())
    }

    fn content(&self, sed: Option<SedType>) -> Result<Content<'_>> {
        let sed = sed.unwrap_or(self.meta.sed_type_init);
        let models = Models { components: vec![Model::Sky(self.reference_model().clone())] };
        Ok(Content {
            sed,
            maps: self.to_maps(sed)?,
            model_name: None,
            model: Some(ModelSource { yaml: models.to_yaml()?, path: PathBuf::new() }),
            gti: self.gti.clone(),
            meta: self.meta.clone(),
            bands: None,
        })
    }
}

/// The YAML of a reference model and the file it stands in.
struct ModelSource {
    yaml: String,
    path: PathBuf,
}

/// What a file of flux maps holds.
struct Content<'a> {
    sed: SedType,
    maps: Vec<(String, Cow<'a, Map>)>,
    model_name: Option<String>,
    model: Option<ModelSource>,
    gti: Option<Gti>,
    meta: FluxMeta,
    /// Name of a table of bands that maps share.
    bands: Option<String>,
}

fn parse_model(yaml: &str, path: &Path) -> Result<SkyModel> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let load = |file: &str| {
        // Beside the file, or as it is named.
        let beside = folder.join(file);
        Map::read(if beside.exists() { &beside } else { Path::new(file) }, None)
    };
    let models = Models::from_yaml(yaml, &load).map_err(|e| e.at(&Place::file(path)))?;
    models
        .components
        .into_iter()
        .find_map(|m| match m {
            Model::Sky(sky) => Some(sky),
            _ => None,
        })
        .ok_or_else(|| Error::input_at(Place::file(path), "there is no SkyModel in it"))
}

/// `x_model.yaml` beside `x.fits` and `x.fits.gz`.
fn model_path(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}_model.yaml", file_stem(path)))
}

fn read(reader: &mut FitsReader) -> Result<Content<'static>> {
    if let Some(hdu) = reader.hdus().iter().find(|h| is_healpix(&h.header)) {
        return Err(healpix_error(&reader.place().hdu(hdu.label())));
    }
    let images: Vec<(usize, String)> = reader
        .hdus()
        .iter()
        .filter(|h| h.has_image() || h.column("DATA").is_some())
        .map(|h| (h.index, h.name.to_lowercase()))
        .collect();
    let sed = match reader.primary().text("SED_TYPE") {
        Some(text) => text
            .parse::<SedType>()
            .map_err(|e| Error::input_at(reader.place().hdu("PRIMARY").item("SED_TYPE"), e.to_string()))?,
        None => *SedType::ALL.iter().find(|s| images.iter().any(|(_, n)| n == s.stem())).ok_or_else(|| {
            let problem = format!(
                "these are not flux maps: there is no SED_TYPE, and no map of a flux in [{}]",
                reader.names().join(", ")
            );
            Error::input_at(reader.place(), problem)
        })?,
    };
    let mut maps = Vec::new();
    for (index, name) in images {
        if sed.quantity(&name).is_some() {
            maps.push((name, Cow::Owned(read_map(reader, index)?)));
        }
    }
    let gti = match reader.find("GTI").filter(|h| h.kind == HduKind::Table).map(|h| h.index) {
        Some(index) => Some(gti::read(reader, index)?),
        None => None,
    };
    let model_name = reader.primary().text("MODEL").map(str::to_string);
    let model = find_model(reader, model_name.as_deref())?;
    Ok(Content { sed, maps, model_name, model, gti, meta: read_meta(reader, sed), bands: None })
}

fn find_model(reader: &mut FitsReader, name: Option<&str>) -> Result<Option<ModelSource>> {
    if let Some(index) = reader.find(MODEL_HDU).filter(|h| h.kind == HduKind::Table).map(|h| h.index) {
        let bytes = reader.raw_column(index, "YAML")?.concat();
        let yaml = String::from_utf8(bytes).map_err(|_| {
            Error::input_at(reader.place().hdu(MODEL_HDU).item("YAML"), "the reference model is not UTF-8 text")
        })?;
        return Ok(Some(ModelSource { yaml, path: reader.path().to_path_buf() }));
    }
    let file = reader.path();
    let folder = file.parent().unwrap_or(Path::new(""));
    let whole = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let named = name.map(Path::new);
    let candidates = [
        // A whole path comes behind the folder of the file, which may have been moved with its model.
        named.filter(|n| n.is_relative()).map(|n| folder.join(n)),
        named.and_then(Path::file_name).map(|n| folder.join(n)),
        named.map(Path::to_path_buf),
        Some(model_path(file)),
        // Gammapy's default name, which keeps the ending.
        Some(folder.join(format!("{whole}_model.yaml"))),
    ];
    for path in candidates.into_iter().flatten() {
        if path.is_file() {
            crate::io::same::note_input(&path);
            let yaml = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
            return Ok(Some(ModelSource { yaml, path }));
        }
    }
    Ok(None)
}

fn read_meta(reader: &FitsReader, sed: SedType) -> FluxMeta {
    let header = reader.primary();
    let mut meta = FluxMeta { sed_type_init: sed, ..FluxMeta::default() };
    for (key, field, _) in NUMBERS {
        if let Some(value) = header.real(key) {
            *field(&mut meta) = value;
        }
    }
    if let Some(init) = header.text(SED_INIT).and_then(|t| t.parse().ok()) {
        meta.sed_type_init = init;
    }
    meta.scan_zero = match header.text(SCAN_ZERO) {
        Some("absolute") => ScanZero::Absolute,
        _ => ScanZero::StatNull,
    };
    if let Some(entries) = header.text("META").and_then(|t| serde_json::from_str(t).ok()) {
        meta.entries = entries;
    }
    meta
}

/// JSON in ASCII, as keywords need it.
fn to_json(entries: &BTreeMap<String, String>) -> String {
    let json = serde_json::to_string(entries).unwrap_or_default();
    let mut out = String::with_capacity(json.len());
    let mut units = [0u16; 2];
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// How a quantity is stored: truth values as bytes, bits as integers, everything else as it is.
fn encoding(name: &str) -> Encoding {
    match name {
        "is_ul" | "success" => Encoding::Flag,
        "status" => Encoding::Bits,
        _ => Encoding::Keep,
    }
}

/// The file in memory; `beside`: the name of the file with the reference model.
fn file(content: &Content<'_>, beside: Option<&str>, options: &WriteOptions) -> Result<MemoryWriter> {
    let mut out = MemoryWriter::new(content.maps.iter().map(|(_, m)| map_bytes(m)).sum())?;
    out.image(8, &[]);
    out.text("SED_TYPE", content.sed.name(), "how fluxes are expressed");
    if let Some(name) = beside {
        out.text("MODEL", name, "reference model");
    }
    let mut meta = content.meta.clone();
    for (key, field, comment) in NUMBERS {
        out.real(key, *field(&mut meta), comment);
    }
    out.text(SED_INIT, meta.sed_type_init.name(), "how fluxes were estimated");
    if content.maps.iter().any(|(name, _)| name == "stat_scan") {
        let zero = match meta.scan_zero {
            ScanZero::StatNull => "stat_null",
            ScanZero::Absolute => "absolute",
        };
        out.text(SCAN_ZERO, zero, "what stat_scan counts from");
    }
    if !meta.entries.is_empty() {
        out.text("META", &to_json(&meta.entries), "");
    }
    provenance(&mut out, options);
    for (name, value) in &meta.entries {
        out.history(&format!("meta {name} = {value}"));
    }
    let mut shared = None;
    for (name, values) in &content.maps {
        let hdu = name.to_uppercase();
        match &content.bands {
            Some(table) if shared.is_none_or(|axes| axes == values.geom().axes()) => {
                map_sharing_bands(&mut out, values, &hdu, encoding(name), (table, shared.is_none()))?;
                shared = Some(values.geom().axes());
            }
            _ => map(&mut out, values, &hdu, encoding(name), None)?,
        }
    }
    if let Some(model) = &content.model {
        out.table(1, &[("YAML", "", ColumnData::Bytes(model.yaml.as_bytes()))]);
        out.text("EXTNAME", MODEL_HDU, "reference model");
    }
    if let Some(intervals) = &content.gti {
        gti::write(&mut out, intervals);
    }
    Ok(out)
}

/// Writes maps and their reference model as a pair. The file names the model by the path that it is written to, as it was
/// given: Gammapy looks for it from the folder that it runs in. FITS keywords hold ASCII only; a path with more is that
/// of the file alone.
fn write(path: &Path, model: &Path, content: &Content<'_>, options: &WriteOptions) -> Result<()> {
    let yaml = content.model.as_ref().map_or("", |source| source.yaml.as_str());
    write_pair(path, model, yaml.as_bytes(), options.overwrite, &|name, out| {
        let beside = name.map(|name| {
            let whole = model.with_file_name(name).to_string_lossy().into_owned();
            if whole.bytes().all(|b| (0x20..0x7f).contains(&b)) { whole } else { name.to_string() }
        });
        let bytes = file(content, beside.as_deref(), options)?.finish().map_err(|e| e.at(&Place::file(path)))?;
        encode(&bytes, path, out).map_err(|e| Error::io(path, e))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn golden() -> Vec<PathBuf> {
        let shared = std::env::var_os("PEVATRON_SHARED")
            .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
        let sets = ["ts-fermi-cube", "ts-hess-cube", "ts-joint", "excess-hess", "excess-onoff", "ts-defaults"];
        let mut list: Vec<PathBuf> = sets.iter().map(|s| shared.join(format!("golden/{s}/flux.fits.gz"))).collect();
        list.extend(SedType::ALL.iter().map(|s| shared.join(format!("golden/fluxmaps/flux_{}.fits.gz", s.name()))));
        list.retain(|p| p.is_file());
        if list.is_empty() {
            println!("SKIPPED: no flux maps in {}", shared.display());
        }
        list
    }

    fn content(path: &Path) -> Content<'static> {
        read(&mut FitsReader::open(path).unwrap()).unwrap()
    }

    #[test]
    fn files_of_all_sed_types_are_rewritten_for_gammapy() {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments: Vec<PathBuf> = Vec::new();
        for (n, path) in golden().iter().enumerate() {
            let mut before = content(path);
            assert!(before.maps.len() > 3 && before.model.is_some(), "{}", path.display());
            // Gammapy does not know these and must pass over them.
            let extra = Map::zeros(before.maps[0].1.geom().clone(), Default::default());
            before.maps.push(("alpha".into(), Cow::Owned(extra.clone())));
            before.maps.push(("status".into(), Cow::Owned(extra)));
            before.meta.n_sigma_ul = 3.0;
            before
                .meta
                .entries
                .insert("kernel_width".into(), "0.5 deg – \"so\" weit's reicht, \\ and far more of it".into());
            let rewritten = folder.path().join(format!("flux_{n}.fits{}", if n % 2 == 0 { "" } else { ".gz" }));
            write(&rewritten, &model_path(&rewritten), &before, &WriteOptions::default()).unwrap();
            let after = content(&rewritten);
            assert_eq!(after.meta, before.meta);
            assert_eq!(after.gti, before.gti);
            assert_eq!(after.model.as_ref().unwrap().yaml, before.model.as_ref().unwrap().yaml);
            assert_eq!(after.model_name.unwrap(), model_path(&rewritten).to_str().unwrap());
            assert_eq!(after.maps.len(), before.maps.len());
            for ((a, x), (b, y)) in after.maps.iter().zip(&before.maps) {
                assert_eq!(a, b);
                assert_eq!(x.unit(), y.unit());
                let same = |(p, q): (f64, f64)| p == q || (p.is_nan() && q.is_nan());
                assert!(x.data().iter().zip(y.data().iter()).all(same), "{a}");
            }
            arguments.extend(["fluxmaps".into(), path.clone(), rewritten]);
        }
        let python = std::env::var_os("PEVATRON_PYTHON").unwrap_or_else(|| "python3".into());
        let has = Command::new(&python).args(["-c", "import gammapy"]).output().is_ok_and(|o| o.status.success());
        if !has || arguments.is_empty() {
            println!("SKIPPED: no Python with gammapy (set PEVATRON_PYTHON)");
            return;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/io/gammapy_roundtrip.py");
        let output = Command::new(python).arg(script).args(&arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        println!("{} files opened with Gammapy: {text}", arguments.len() / 3);
    }

    #[test]
    fn models_are_named_after_their_file() {
        for (file, model) in [("a/x.fits", "a/x_model.yaml"), ("x.fits.gz", "x_model.yaml"), ("x", "x_model.yaml")] {
            assert_eq!(model_path(Path::new(file)), PathBuf::from(model));
        }
    }
}
