//! Datasets whose parts are read from their file when they are first asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::check::HduKind;
use super::dataset::{
    check_map, check_psf, geom_part, is_ogip, is_on_off, livetime_s, map_part, mask_part, meta_of, name_of, read_any,
    read_edisp, read_gti, read_meta_table, read_psf, refuse_off, refuse_others, require_off, whole,
};
use super::disk::DiskFile;
use super::ogip::{Chosen, dataset_of};
use super::reader::{FitsReader, ReadOptions};
use crate::datasets::{Dataset, FluxPointsDataset, MapDataset, MapDatasetOnOff};
use crate::error::{Error, Place, Result};
use crate::io::kind::{FileKind, fits_kind};
use crate::irf::{EDisp, PsfMap};
use crate::maps::{Geom, Map, MapAxis, Mask};
use crate::table::Table;
use crate::time::Gti;

/// What a dataset of maps may consist of; the names of the HDUs are the same in capitals.
const PARTS: [&str; 12] = [
    "counts",
    "background",
    "exposure",
    "edisp",
    "psf",
    "mask_safe",
    "mask_fit",
    "gti",
    "meta_table",
    "counts_off",
    "acceptance",
    "acceptance_off",
];

/// A part that was read, or not yet.
#[derive(Debug)]
pub(super) struct Slot<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Slot<T> {
    pub(super) fn get(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What is there, else what is read; others who ask for it meanwhile wait.
    pub(super) fn get_or(&self, read: impl FnOnce() -> Result<Option<T>>) -> Result<Option<Arc<T>>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_none() {
            *kept = read()?.map(Arc::new);
        }
        Ok(kept.clone())
    }
}

/// The parts of a dataset that were read so far.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) counts: Slot<Map>,
    pub(super) background: Slot<Map>,
    pub(super) exposure: Slot<Map>,
    pub(super) edisp: Slot<EDisp>,
    pub(super) psf: Slot<PsfMap>,
    pub(super) mask_safe: Slot<Mask>,
    pub(super) mask_fit: Slot<Mask>,
    pub(super) gti: Slot<Gti>,
    pub(super) meta_table: Slot<Table>,
    pub(super) counts_off: Slot<Map>,
    pub(super) acceptance: Slot<Map>,
    pub(super) acceptance_off: Slot<Map>,
}

impl Kept {
    fn clear(&self) {
        for slot in
            [&self.counts, &self.background, &self.exposure, &self.counts_off, &self.acceptance, &self.acceptance_off]
        {
            slot.clear();
        }
        self.edisp.clear();
        self.psf.clear();
        self.mask_safe.clear();
        self.mask_fit.clear();
        self.gti.clear();
        self.meta_table.clear();
    }
}

/// A copy of what was read before, else what is read.
pub(super) fn or_read<T: Clone>(slot: Option<&Slot<T>>, read: impl FnOnce() -> Result<Option<T>>) -> Result<Option<T>> {
    match slot.and_then(Slot::get) {
        Some(part) => Ok(Some(part.as_ref().clone())),
        None => read(),
    }
}

/// The kind of dataset that a file must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    WithBackground,
    WithOff,
}

#[derive(Debug)]
enum Content {
    /// Maps, in a file.
    Maps(Arc<DiskFile>),
    /// An OGIP spectrum: several small files, which were read.
    Spectrum(Box<MapDatasetOnOff>),
    /// A table, which was read.
    Points(Box<FluxPointsDataset>),
}

/// A dataset in a file, of which each part is read when it is first asked for (Gammapy's `read(lazy=True)`), also by
/// several threads at once.
///
/// [`Dataset::open_lazy`] reads and checks all headers. A part is then read from its own HDUs, its bytes are compared with
/// their checksums, and its values are checked as [`Dataset::read`] does; [`LazyDataset::load`] reads all of them and
/// checks them against each other. The file is open only while it is read; that it was changed in between is an error.
///
/// Of a compressed file, all that stands before a part must be decompressed each time; it is not kept, so that memory is
/// saved, not time. OGIP spectra and flux points are small: they are read at once.
///
/// ```
/// use std::sync::Arc;
/// use pevatron::datasets::{Dataset, IrfAxes, MapDataset};
/// use pevatron::io::WriteOptions;
/// use pevatron::maps::{MapAxis, SkyPosition, WcsGeom};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("crab.fits");
/// let axis = MapAxis::energy_bounds(1.0, 10.0, 4, "energy")?;
/// let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 200, 100, (0.02, 0.02), "TAN", vec![axis])?;
/// MapDataset::create("crab", &geom, &IrfAxes::default())?.write(&path, &WriteOptions::default())?;
///
/// let lazy = Dataset::open_lazy(&path, true)?;
/// assert_eq!((lazy.name(), lazy.kind()?), ("crab", "MapDataset"));
/// assert_eq!(lazy.geom()?.data_shape(), [4, 100, 200]); // from the header
/// let before = lazy.bytes_read();
///
/// let counts = lazy.counts()?.ok_or("there are counts").unwrap();
/// assert_eq!(counts.sum(), 0.0);
/// let of_counts = 8 * 4 * 100 * 200; // bytes in double precision, and the header
/// assert!((of_counts..2 * of_counts).contains(&(lazy.bytes_read() - before)));
/// assert!(Arc::ptr_eq(&counts, &lazy.counts()?.unwrap())); // read once
/// assert!(lazy.mask_fit()?.is_none()); // not in the file
/// assert_eq!(lazy.load()?.name(), "crab");
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "lazy")]
#[doc(alias = "LazyFitsData")]
pub struct LazyDataset {
    path: PathBuf,
    name: String,
    content: Content,
    kept: Option<Kept>,
}

impl Dataset {
    /// Opens a dataset of any kind without reading its data; parts are read when they are first asked for (Gammapy's
    /// `read(lazy=True, cache=cache)`). With `cache` they are kept until [`LazyDataset::reset_data_cache`], else they are
    /// read each time.
    ///
    /// # Errors
    /// As [`Dataset::read`] for what stands in headers: missing, truncated or damaged files, and files that are not a
    /// dataset.
    /// [`Error::Input`] for what is not a plain file, as a pipe.
    #[doc(alias = "lazy")]
    #[doc(alias = "cache")]
    pub fn open_lazy(path: impl AsRef<Path>, cache: bool) -> Result<LazyDataset> {
        LazyDataset::open(path.as_ref(), cache, Wanted::Any)
    }
}

impl LazyDataset {
    pub(super) fn open(path: &Path, cache: bool, wanted: Wanted) -> Result<Self> {
        let chosen = Chosen::parse(path);
        let file = DiskFile::open(&chosen.path, &ReadOptions::default())?;
        let points = match &file {
            Some(file) => fits_kind(file.hdus()) == FileKind::FluxPoints,
            None => wanted == Wanted::Any,
        };
        if points && wanted == Wanted::Any {
            if !path.is_file() {
                return Err(Error::input_at(
                    Place::file(path),
                    "this is not a plain file, so parts of it cannot be read",
                ));
            }
            return match Dataset::read(path)? {
                Dataset::FluxPoints(points) => Ok(Self::points(path, points)),
                _ => Err(Error::input_at(Place::file(path), "the file was changed while it was read")),
            };
        }
        let Some(file) = file else {
            // A text: the error of who wanted to read it.
            return Err(match MapDataset::read(path) {
                Err(error) => error,
                Ok(_) => Error::input_at(Place::file(path), "the file was changed while it was read"),
            });
        };
        let file = Arc::new(file);
        let reader = FitsReader::on_disk(&file);
        if (is_ogip(&reader) || chosen.is_part()) && wanted != Wanted::WithBackground {
            let dataset = MapDatasetOnOff::read_ogip(path)?;
            let name = dataset.on.name.clone();
            let content = Content::Spectrum(Box::new(dataset));
            return Ok(Self { path: path.to_path_buf(), name, content, kept: cache.then(Kept::default) });
        }
        match wanted {
            Wanted::Any => refuse_others(&reader)?,
            Wanted::WithBackground => refuse_off(&reader)?,
            Wanted::WithOff => require_off(&reader)?,
        }
        let name = name_of(&reader);
        Ok(Self { path: path.to_path_buf(), name, content: Content::Maps(file), kept: cache.then(Kept::default) })
    }

    pub(super) fn points(path: &Path, points: FluxPointsDataset) -> Self {
        let name = points.name.clone();
        Self { path: path.to_path_buf(), name, content: Content::Points(Box::new(points)), kept: None }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Name; models refer to it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives it another name.
    pub fn set_name(&mut self, name: &str) {
        self.name = name.to_string();
    }

    /// Gammapy's name of the kind, as [`Dataset::kind`].
    ///
    /// # Errors
    /// [`Error::Input`] where the axes or the region of the counts are damaged, or the file was changed.
    pub fn kind(&self) -> Result<&'static str> {
        let off = match &self.content {
            Content::Points(_) => return Ok("FluxPointsDataset"),
            Content::Spectrum(d) if d.counts_off.is_none() => return Ok("SpectrumDataset"),
            Content::Spectrum(_) => return Ok("SpectrumDatasetOnOff"),
            Content::Maps(file) => is_on_off(&FitsReader::on_disk(file)),
        };
        let region = matches!(self.first_geom()?.as_deref(), Some(Geom::Region(_))) && !self.has("psf");
        Ok(match (region, off) {
            (true, true) => "SpectrumDatasetOnOff",
            (true, false) => "SpectrumDataset",
            (false, true) => "MapDatasetOnOff",
            (false, false) => "MapDataset",
        })
    }

    /// The parts that there are, by Gammapy's names: `counts`, `background`, `exposure`, `edisp`, `psf`, `mask_safe`,
    /// `mask_fit`, `gti`, `meta_table`, `counts_off`, `acceptance`, `acceptance_off`.
    pub fn parts(&self) -> Vec<&'static str> {
        PARTS.into_iter().filter(|part| self.has(part)).collect()
    }

    /// Whether there is a part of that name.
    pub fn has(&self, part: &str) -> bool {
        match &self.content {
            Content::Maps(file) => {
                let reader = FitsReader::on_disk(file);
                let table = ["gti", "meta_table"].contains(&part);
                // Off counts make the background.
                PARTS.contains(&part)
                    && !(part == "background" && is_on_off(&reader))
                    && reader.find(part).is_some_and(|h| !table || h.kind == HduKind::Table)
            }
            Content::Spectrum(d) => match part {
                "counts" => d.on.counts.is_some(),
                "exposure" => d.on.exposure.is_some(),
                "edisp" => d.on.edisp.is_some(),
                "mask_safe" => d.on.mask_safe.is_some(),
                "gti" => d.on.gti.is_some(),
                "counts_off" => d.counts_off.is_some(),
                "acceptance" => d.acceptance.is_some(),
                "acceptance_off" => d.acceptance_off.is_some(),
                _ => false,
            },
            Content::Points(_) => false,
        }
    }

    /// Entries of the primary header that do not describe the file, by keyword (see [`MapDataset::meta`]).
    pub fn meta(&self) -> BTreeMap<String, String> {
        match &self.content {
            Content::Maps(file) => meta_of(&FitsReader::on_disk(file)),
            Content::Spectrum(d) => d.on.meta.clone(),
            Content::Points(_) => BTreeMap::new(),
        }
    }

    /// Time of observation without dead time, in seconds, from the header of the exposure.
    ///
    /// # Errors
    /// [`Error::Input`] where it is not a time.
    pub fn livetime_s(&self) -> Result<Option<f64>> {
        match &self.content {
            Content::Maps(file) => livetime_s(&FitsReader::on_disk(file)),
            Content::Spectrum(d) => Ok(d.on.livetime_s),
            Content::Points(_) => Ok(None),
        }
    }

    /// The geometry of the counts, or of the first other map in reconstructed energy that there is, as
    /// [`MapDataset::geom`] and [`MapDatasetOnOff::geom`]. Of the data, only tables of axes and regions are read.
    ///
    /// # Errors
    /// [`Error::Input`] without any such map, for flux points, damaged axes or a file that was changed.
    pub fn geom(&self) -> Result<Arc<Geom>> {
        if let Content::Points(points) = &self.content {
            return Err(points.no_counts());
        }
        self.first_geom()?.ok_or_else(|| {
            Error::input("counts", format!("dataset '{}' has none", self.name))
                .with_help("a map dataset with counts is needed")
                .at(&Place::file(&self.path))
        })
    }

    fn first_geom(&self) -> Result<Option<Arc<Geom>>> {
        for part in ["counts", "background", "counts_off", "acceptance", "acceptance_off"] {
            if let Some(geom) = self.geom_of(part)? {
                return Ok(Some(geom));
            }
        }
        Ok(None)
    }

    /// The geometry of a part that is a map or a mask, in the file or kept (`counts`, `exposure`, `mask_safe`, `psf`, …);
    /// `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Options`] for other parts, [`Error::Input`] for damaged axes or a file that was changed.
    pub fn geom_of(&self, part: &str) -> Result<Option<Arc<Geom>>> {
        if !PARTS.contains(&part) || ["gti", "meta_table"].contains(&part) {
            let maps = PARTS.into_iter().filter(|p| !["gti", "meta_table"].contains(p));
            return Err(Error::not_one_of("part", part, maps));
        }
        if !self.has(part) {
            return Ok(None);
        }
        let of_map = |map: &Option<Map>| map.as_ref().map(|m| Arc::clone(m.geom()));
        match &self.content {
            Content::Maps(file) => Ok(geom_part(&mut FitsReader::on_disk(file), &part.to_uppercase())?.map(Arc::new)),
            Content::Spectrum(d) => Ok(match part {
                "counts" => of_map(&d.on.counts),
                "exposure" => of_map(&d.on.exposure),
                "counts_off" => of_map(&d.counts_off),
                "acceptance" => of_map(&d.acceptance),
                "acceptance_off" => of_map(&d.acceptance_off),
                "mask_safe" => d.on.mask_safe.as_ref().map(|m| Arc::clone(m.geom())),
                "edisp" => d.on.edisp.as_ref().map(|e| match e {
                    EDisp::Kernel(kernel) => Arc::clone(kernel.edisp.geom()),
                    EDisp::Migra(migra) => Arc::clone(migra.edisp.geom()),
                }),
                _ => None,
            }),
            Content::Points(_) => Ok(None),
        }
    }

    /// The reconstructed-energy axis.
    ///
    /// # Errors
    /// Those of [`LazyDataset::geom`]; [`Error::Input`] where there is no such axis.
    pub fn energy_axis(&self) -> Result<MapAxis> {
        Ok(self.geom()?.axis("energy")?.clone())
    }

    /// Bytes that were read of the file so far, headers and what had to be decompressed on the way among them; 0 for what
    /// is read at once.
    pub fn bytes_read(&self) -> u64 {
        match &self.content {
            Content::Maps(file) => file.bytes_read(),
            _ => 0,
        }
    }

    /// Whether parts are kept once they were read.
    pub fn is_cached(&self) -> bool {
        self.kept.is_some()
    }

    /// Forgets the parts that were read; those that are still in use elsewhere stay there.
    pub fn reset_data_cache(&self) {
        if let Some(kept) = &self.kept {
            kept.clear();
        }
    }

    /// A part: kept, or read now.
    fn part<T: Clone>(
        &self,
        name: &str,
        slot: impl Fn(&Kept) -> &Slot<T>,
        of_spectrum: impl Fn(&MapDatasetOnOff) -> Option<&T>,
        read: impl Fn(&mut FitsReader) -> Result<Option<T>>,
    ) -> Result<Option<Arc<T>>> {
        let read = || match &self.content {
            Content::Maps(file) => read(&mut FitsReader::on_disk(file)),
            Content::Spectrum(dataset) => Ok(of_spectrum(dataset).cloned()),
            Content::Points(points) => Err(points.no_counts()),
        };
        if !self.has(name) && !matches!(self.content, Content::Points(_)) {
            return Ok(None);
        }
        match &self.kept {
            Some(kept) => slot(kept).get_or(read),
            None => Ok(read()?.map(Arc::new)),
        }
    }

    /// A map, with its own checks.
    fn map(
        &self,
        name: &str,
        slot: impl Fn(&Kept) -> &Slot<Map>,
        of_spectrum: impl Fn(&MapDatasetOnOff) -> Option<&Map>,
    ) -> Result<Option<Arc<Map>>> {
        self.part(name, slot, of_spectrum, |reader| {
            let hdu = name.to_uppercase();
            let map = map_part(reader, &hdu)?;
            map.iter().try_for_each(|map| check_map(&reader.place(), &hdu, map))?;
            Ok(map)
        })
    }

    /// Measured counts; `None` where the file has none, as for all parts.
    ///
    /// # Errors
    /// As [`Dataset::read`] for this part, [`Error::Input`] for a file that was changed since it was opened or is gone, and
    /// for flux points, as for all parts.
    pub fn counts(&self) -> Result<Option<Arc<Map>>> {
        self.map("counts", |k| &k.counts, |d| d.on.counts.as_ref())
    }

    /// Predicted background counts; `None` for datasets with off counts.
    ///
    /// # Errors
    /// As [`LazyDataset::counts`].
    pub fn background(&self) -> Result<Option<Arc<Map>>> {
        self.map("background", |k| &k.background, |_| None)
    }

    /// Exposure (area times time).
    ///
    /// # Errors
    /// As [`LazyDataset::counts`].
    pub fn exposure(&self) -> Result<Option<Arc<Map>>> {
        self.map("exposure", |k| &k.exposure, |d| d.on.exposure.as_ref())
    }

    /// Energy dispersion, with its exposure.
    ///
    /// # Errors
    /// As [`LazyDataset::counts`].
    pub fn edisp(&self) -> Result<Option<Arc<EDisp>>> {
        self.part("edisp", |k| &k.edisp, |d| d.on.edisp.as_ref(), read_edisp)
    }

    /// Point spread function, with its exposure.
    ///
    /// # Errors
    /// As [`LazyDataset::counts`].
    pub fn psf(&self) -> Result<Option<Arc<PsfMap>>> {
        self.part(
            "psf",
            |k| &k.psf,
            |_| None,
            |reader| {
                let psf = read_psf(reader)?;
                psf.iter().try_for_each(|psf| check_psf(&reader.place(), psf))?;
                Ok(psf)
            },
        )
    }

    /// Bins that are safe to use.
    ///
    /// # Errors
    /// As [`LazyDataset::counts`].
    pub fn mask_safe(&self) -> Result<Option<Arc<Mask>>> {
        self.part("mask_safe", |k| &k.mask_safe, |d| d.on.mask_safe.as_ref(), |r| mask_part(r, "MASK_SAFE"))
    }

    /// Bins chosen for the fit.
    ///
    /// # Errors
    /// As [`LazyDataset::counts`].
    pub fn mask_fit(&self) -> Result<Option<Arc<Mask>>> {
        self.part("mask_fit", |k| &k.mask_fit, |d| d.on.mask_fit.as_ref(), |r| mask_part(r, "MASK_FIT"))
    }

    /// Good time intervals.
    ///
    /// # Errors
    /// As [`LazyDataset::counts`].
    pub fn gti(&self) -> Result<Option<Arc<Gti>>> {
        self.part("gti", |k| &k.gti, |d| d.on.gti.as_ref(), read_gti)
    }

    /// One line per observation that went in.
    ///
    /// # Errors
    /// As [`LazyDataset::counts`]; a table of other columns than can be read is `None`.
    pub fn meta_table(&self) -> Result<Option<Arc<Table>>> {
        self.part("meta_table", |k| &k.meta_table, |_| None, read_meta_table)
    }

    /// Off counts.
    ///
    /// # Errors
    /// As [`LazyDataset::counts`].
    pub fn counts_off(&self) -> Result<Option<Arc<Map>>> {
        self.map("counts_off", |k| &k.counts_off, |d| d.counts_off.as_ref())
    }

    /// Acceptance of the on region.
    ///
    /// # Errors
    /// As [`LazyDataset::counts`].
    pub fn acceptance(&self) -> Result<Option<Arc<Map>>> {
        self.map("acceptance", |k| &k.acceptance, |d| d.acceptance.as_ref())
    }

    /// Acceptance of the off region.
    ///
    /// # Errors
    /// As [`LazyDataset::counts`].
    pub fn acceptance_off(&self) -> Result<Option<Arc<Map>>> {
        self.map("acceptance_off", |k| &k.acceptance_off, |d| d.acceptance_off.as_ref())
    }

    /// The whole dataset, with every check of [`Dataset::read`]: also of HDUs that belong to no part, and of the parts
    /// against each other. Parts that are kept are copied, the others are read, one HDU at a time, and not kept.
    ///
    /// # Errors
    /// Those of [`Dataset::read`]; [`Error::Input`] for a file that was changed since it was opened or is gone.
    pub fn load(&self) -> Result<Dataset> {
        let mut dataset = match &self.content {
            Content::Maps(file) => {
                let mut reader = FitsReader::on_disk(file);
                whole(&mut reader, |reader| read_any(reader, self.kept.as_ref()))?
            }
            Content::Spectrum(dataset) => dataset_of(dataset.as_ref().clone()),
            Content::Points(points) => Dataset::FluxPoints(points.as_ref().clone()),
        };
        dataset.set_name(&self.name);
        Ok(dataset)
    }
}
