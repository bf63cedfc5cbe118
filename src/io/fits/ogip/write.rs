//! Datasets as OGIP files: one each for counts, background, effective area and energy dispersion.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::super::cfitsio::{ColumnData, MemoryWriter};
use super::super::writer::{WriteOptions, provenance, save_all};
use super::super::{gti, region as region_table};
use super::energies::same;
use crate::datasets::{Dataset, MapDataset, MapDatasetOnOff};
use crate::error::{Error, Result};
use crate::io::atomic::check_output;
use crate::maps::{Geom, Map, MapAxis, RegionGeom};

/// Energies are written in the unit that X-ray tools take for granted.
const ENERGY_UNIT: &str = "keV";

/// As [`ENERGY_UNIT`], for areas.
const AREA_UNIT: &str = "cm2";

/// Bytes of a file beside its columns.
const HEADERS: usize = 8 * 2880;

/// The files beside a PHA file.
struct Names {
    arf: PathBuf,
    rmf: PathBuf,
    bkg: PathBuf,
}

impl Names {
    /// `a/x.fits` → `a/x_arf.fits` and so on, as Gammapy names them.
    fn of(path: &Path) -> Result<Self> {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.bytes().all(|b| (0x21..0x7f).contains(&b)) {
            let problem = format!("'{name}': the name stands in headers, which are printable ASCII without blanks");
            return Err(Error::options("output", problem));
        }
        let lower = name.to_lowercase();
        let ending = [".fits.gz", ".fit.gz", ".pha.gz", ".fits", ".fit", ".pha"].iter().find(|e| lower.ends_with(**e));
        let (stem, ending) = name.split_at(name.len() - ending.map_or(0, |e| e.len()));
        let beside = |part: &str| path.with_file_name(format!("{stem}_{part}{ending}"));
        Ok(Self { arf: beside("arf"), rmf: beside("rmf"), bkg: beside("bkg") })
    }
}

/// A file name for a keyword.
fn file_name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What all spectra of a dataset have.
struct Common<'a> {
    dataset: &'a MapDataset,
    energy: &'a MapAxis,
    livetime_s: f64,
    good: Vec<bool>,
    /// ANCRFILE and RESPFILE.
    responses: [Option<String>; 2],
}

impl MapDatasetOnOff {
    /// The files that [`MapDatasetOnOff::write_ogip`] writes beside `path` where the dataset has their contents: effective
    /// area, energy dispersion, off counts.
    ///
    /// # Errors
    /// [`Error::Options`] for what is not a file name.
    pub fn ogip_paths(path: impl AsRef<Path>) -> Result<[PathBuf; 3]> {
        let names = Names::of(path.as_ref())?;
        Ok([names.arf, names.rmf, names.bkg])
    }

    /// Writes a dataset of one region as OGIP files, as Gammapy's `SpectrumDatasetOnOff.write(format="ogip")` does: counts
    /// to `path`, and beside it `NAME_arf.fits`, with energy dispersion `NAME_rmf.fits`, with off counts `NAME_bkg.fits`.
    /// Energies are in keV, areas in cm², channels count from 0; the matrix is in single precision, as the standard has
    /// it. There is no place for `mask_fit`, models and a PSF. Outputs are checked before any is written, the PHA file is
    /// the last.
    ///
    /// # Errors
    /// [`Error::Input`] for a dataset of more than one region, without counts, exposure or livetime, with responses for
    /// other energies, or with off counts without acceptances; [`Error::Options`] where a file exists and is not to be
    /// replaced or the folder is missing; [`Error::Io`] where writing fails.
    pub fn write_ogip(&self, path: impl AsRef<Path>, options: &WriteOptions) -> Result<()> {
        let path = path.as_ref();
        let names = Names::of(path)?;
        let dataset = &self.on;
        let counts = dataset.require_counts()?;
        let region = region_of(counts, "counts")?;
        let energy = counts.geom().axis("energy")?;
        let livetime_s = dataset.livetime_s.filter(|s| *s > 0.0 && s.is_finite()).ok_or_else(|| {
            dataset.missing("livetime").with_help_for(
                "OGIP files hold the exposure as effective area and livetime: set MapDataset::livetime_s; Gammapy's own FITS \
                 files of spectra lose it",
                "OGIP files hold the exposure as effective area and livetime, which Gammapy's own FITS files of spectra lose: \
                 take the OGIP files, or set the keyword LIVETIME",
            )
        })?;
        let area = area(dataset, livetime_s)?;
        let matrix = match &dataset.edisp {
            None => None,
            Some(edisp) => {
                let truth = edisp.energy_true_axis()?;
                if !same(&area.0, truth) {
                    let problem = "its true energies are not those of the exposure, OGIP files have the same ones";
                    return Err(Error::input("edisp", problem));
                }
                Some(edisp.matrix_at(None, energy)?)
            }
        };
        let channels = energy.nbin();
        let good = match &dataset.mask_safe {
            None => vec![true; channels],
            Some(mask) if mask.data().len() == channels => mask.data().iter().copied().collect(),
            Some(mask) => return Err(unlike("mask_safe", mask.data().len(), channels)),
        };
        let common = Common {
            dataset,
            energy,
            livetime_s,
            good,
            responses: [Some(file_name(&names.arf)), matrix.is_some().then(|| file_name(&names.rmf))],
        };
        let acceptance = match (&self.acceptance, &self.counts_off) {
            (Some(map), _) => values(map, "acceptance", channels)?,
            (None, None) => vec![1.0; channels],
            (None, Some(_)) => return Err(dataset.missing("acceptance")),
        };
        let off = match &self.counts_off {
            None => None,
            Some(off) => {
                let scale = self.acceptance_off.as_ref().ok_or_else(|| dataset.missing("acceptance_off"))?;
                let scale = values(scale, "acceptance_off", channels)?;
                // Off counts of several observations are kept on the on region: from where they are is not known.
                let place = Some(region_of(off, "counts_off")?).filter(|off| !off.same_region(region));
                Some((values(off, "counts_off", channels)?, place, scale))
            }
        };

        let mut files = vec![(&names.arf, write_arf(dataset, &area, options)?)];
        if let Some(matrix) = &matrix {
            files.push((&names.rmf, write_rmf(dataset, &area.0, energy, matrix, options)?));
        }
        if let Some((counts, region, scale)) = &off {
            files.push((&names.bkg, common.write(Part::Off, counts, scale, *region, None, options)?));
        }
        let on = values(counts, "counts", channels)?;
        let background = off.as_ref().map(|_| file_name(&names.bkg));
        let pha = common.write(Part::On, &on, &acceptance, Some(region), background, options)?;
        for output in files.iter().map(|(file, _)| file.as_path()).chain([path]) {
            check_output(output, options.overwrite)?;
        }
        // The counts come last: they name the others.
        let mut files: Vec<(&Path, MemoryWriter)> =
            files.into_iter().map(|(file, out)| (file.as_path(), out)).collect();
        files.push((path, pha));
        save_all(files, options.overwrite)
    }
}

impl Dataset {
    /// Writes a dataset with off counts, or a spectrum without any background, as OGIP files, see
    /// [`MapDatasetOnOff::write_ogip`].
    ///
    /// # Errors
    /// Those of it, and [`Error::Unsupported`] for a dataset with a known background.
    pub fn write_ogip(&self, path: impl AsRef<Path>, options: &WriteOptions) -> Result<()> {
        match self {
            Self::OnOff(dataset) => dataset.write_ogip(path, options),
            Self::Map(dataset) if dataset.is_spectrum() && dataset.background.is_none() => {
                MapDatasetOnOff { on: dataset.clone(), ..MapDatasetOnOff::default() }.write_ogip(path, options)
            }
            Self::Map(_) | Self::FluxPoints(_) => {
                let what = format!("dataset '{}' has no off counts, which OGIP files need", self.name());
                Err(Error::unsupported(what).with_help_for(
                    "write it as gadf, which holds a known background, or give a dataset with off counts",
                    "write it with --format gadf, which holds a known background, or give a dataset with off counts",
                ))
            }
        }
    }
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    On,
    Off,
}

fn unlike(part: &str, found: usize, channels: usize) -> Error {
    Error::input(part, format!("{found} values where the counts have {channels} energies"))
}

fn region_of<'a>(map: &'a Map, part: &str) -> Result<&'a RegionGeom> {
    match map.geom().as_ref() {
        Geom::Region(region) => Ok(region),
        _ => Err(Error::input(part, "these are maps with pixels, an OGIP spectrum is of one region").with_help_for(
            "write maps as gadf; a spectrum is what to_spectrum_dataset makes of them",
            "write maps with --format gadf; `pevatron cutout --region` makes a spectrum of them",
        )),
    }
}

/// Values per channel, finite and not negative.
fn values(map: &Map, part: &str, channels: usize) -> Result<Vec<f64>> {
    region_of(map, part)?;
    let values: Vec<f64> = map.data().iter().collect();
    if values.len() != channels {
        return Err(unlike(part, values.len(), channels));
    }
    match values.iter().position(|v| !(*v >= 0.0 && v.is_finite())) {
        Some(n) => Err(Error::input(part, format!("energy bin {n}: {} is not finite or negative", values[n]))),
        None => Ok(values),
    }
}

/// True energies and effective area in cm²; undefined ones become 0, as in Gammapy's files.
fn area(dataset: &MapDataset, livetime_s: f64) -> Result<(MapAxis, Vec<f64>)> {
    let exposure = dataset.require_exposure()?;
    region_of(exposure, "exposure")?;
    let axis = exposure.geom().axis("energy_true")?;
    let factor = exposure.unit().factor_to_text(&format!("{AREA_UNIT} s"))? / livetime_s;
    let values: Vec<f64> = exposure.data().iter().map(|v| if v.is_nan() { 0.0 } else { v * factor }).collect();
    match values.iter().position(|v| !(*v >= 0.0 && v.is_finite())) {
        Some(n) => Err(Error::input("exposure", format!("energy bin {n}: {} is not finite or negative", values[n]))),
        None if values.len() != axis.nbin() => Err(unlike("exposure", values.len(), axis.nbin())),
        None => Ok((axis.clone(), values)),
    }
}

/// Lower and upper edges in the unit of the files.
fn bounds(axis: &MapAxis) -> Result<(Vec<f64>, Vec<f64>)> {
    let factor = axis.unit().factor_to_text(ENERGY_UNIT)?;
    Ok(axis.bounds().into_iter().map(|(a, b)| (a * factor, b * factor)).unzip())
}

/// Keywords of every table; `hduclas`: HDUCLAS1 and so on.
fn class(out: &mut MemoryWriter, dataset: &MapDataset, name: &str, version: &str, hduclas: &[&str]) {
    out.text("EXTNAME", name, "extension name");
    let meta = |key: &str| dataset.meta.get(key).map_or("unknown", String::as_str);
    out.text("TELESCOP", meta("TELESCOP"), "telescope");
    out.text("INSTRUME", meta("INSTRUME"), "instrument");
    out.text("FILTER", "none", "filter");
    out.text("HDUCLASS", "OGIP", "organisation that made the format");
    for (n, value) in hduclas.iter().enumerate() {
        out.text(&format!("HDUCLAS{}", n + 1), value, "");
    }
    out.text("HDUVERS", version, "version of the format");
}

/// The table EBOUNDS.
fn channel_energies(out: &mut MemoryWriter, dataset: &MapDataset, energy: &MapAxis) -> Result<()> {
    let channel: Vec<i32> = (0..energy.nbin() as i32).collect();
    let (lower, upper) = bounds(energy)?;
    out.table(
        channel.len(),
        &[
            ("CHANNEL", "", ColumnData::Whole(&channel)),
            ("E_MIN", ENERGY_UNIT, ColumnData::Double(&lower, 1)),
            ("E_MAX", ENERGY_UNIT, ColumnData::Double(&upper, 1)),
        ],
    );
    class(out, dataset, "EBOUNDS", "1.2.0", &["RESPONSE", "EBOUNDS"]);
    channels(out, channel.len());
    Ok(())
}

fn channels(out: &mut MemoryWriter, channels: usize) {
    out.text("CHANTYPE", "PHA", "channels are not corrected");
    out.int("DETCHANS", channels as i64, "channels");
    out.int("TLMIN1", 0, "first channel");
    out.int("TLMAX1", channels as i64 - 1, "last channel");
}

impl Common<'_> {
    /// A PHA or BKG file.
    fn write(
        &self,
        part: Part,
        counts: &[f64],
        scale: &[f64],
        region: Option<&RegionGeom>,
        background: Option<String>,
        options: &WriteOptions,
    ) -> Result<MemoryWriter> {
        let mut out = MemoryWriter::new(counts.len() * 40 + HEADERS)?;
        out.image(8, &[]);
        provenance(&mut out, options);
        let channel: Vec<i32> = (0..counts.len() as i32).collect();
        let quality: Vec<i16> = self.good.iter().map(|good| i16::from(!good)).collect();
        // Counts of an Asimov dataset are not whole numbers; all tools read those, too.
        let whole: Option<Vec<i32>> =
            counts.iter().map(|v| (v.fract() == 0.0 && *v <= f64::from(i32::MAX)).then_some(*v as i32)).collect();
        let counts = whole.as_ref().map_or(ColumnData::Double(counts, 1), |whole| ColumnData::Whole(whole));
        out.table(
            channel.len(),
            &[
                ("CHANNEL", "", ColumnData::Whole(&channel)),
                ("COUNTS", "", counts),
                ("QUALITY", "", ColumnData::Short(&quality)),
                ("BACKSCAL", "", ColumnData::Double(scale, 1)),
            ],
        );
        let kind = if part == Part::On { "TOTAL" } else { "BKG" };
        class(&mut out, self.dataset, "SPECTRUM", "1.2.1", &["SPECTRUM", kind, "COUNT", "TYPE:I"]);
        channels(&mut out, channel.len());
        out.text("OBS_ID", &self.dataset.name, "name of the dataset");
        if let Some(object) = self.dataset.meta.get("OBJECT") {
            out.text("OBJECT", object, "");
        }
        out.real("EXPOSURE", self.livetime_s, "[s] livetime");
        let [arf, rmf] = &self.responses;
        // A file that is not there has no keyword: Gammapy would look for one of the name 'none'.
        for (key, name) in [("ANCRFILE", arf), ("RESPFILE", rmf), ("BACKFILE", &background)] {
            if let Some(name) = name {
                out.text(key, name, "");
            }
        }
        out.text("CORRFILE", "none", "");
        out.real("CORRSCAL", 1.0, "");
        out.real("AREASCAL", 1.0, "");
        out.flag("POISSERR", true, "errors are those of Poisson counts");
        out.real("SYS_ERR", 0.0, "no systematic error");
        out.int("GROUPING", 0, "channels are not grouped");
        channel_energies(&mut out, self.dataset, self.energy)?;
        if let Some(sky) = region.and_then(RegionGeom::region) {
            region_table::write_table(&mut out, sky, "REGION")?;
        }
        if let (Part::On, Some(intervals)) = (part, &self.dataset.gti) {
            gti::write(&mut out, intervals);
        }
        Ok(out)
    }
}

fn write_arf(dataset: &MapDataset, area: &(MapAxis, Vec<f64>), options: &WriteOptions) -> Result<MemoryWriter> {
    let (axis, values) = area;
    let mut out = MemoryWriter::new(values.len() * 24 + HEADERS)?;
    out.image(8, &[]);
    provenance(&mut out, options);
    let (lower, upper) = bounds(axis)?;
    out.table(
        values.len(),
        &[
            ("ENERG_LO", ENERGY_UNIT, ColumnData::Double(&lower, 1)),
            ("ENERG_HI", ENERGY_UNIT, ColumnData::Double(&upper, 1)),
            ("SPECRESP", AREA_UNIT, ColumnData::Double(values, 1)),
        ],
    );
    class(&mut out, dataset, "SPECRESP", "1.1.0", &["RESPONSE", "SPECRESP"]);
    Ok(out)
}

/// Channels that follow one another with elements that are not 0.
fn groups(row: &[f32]) -> (Vec<i32>, Vec<i32>, Vec<f32>) {
    let (mut first, mut count, mut elements) = (Vec::new(), Vec::new(), Vec::new());
    let mut open = false;
    for (channel, value) in row.iter().enumerate() {
        if *value == 0.0 {
            open = false;
            continue;
        }
        match count.last_mut().filter(|_| open) {
            Some(count) => *count += 1,
            None => {
                first.push(channel as i32);
                count.push(1);
            }
        }
        open = true;
        elements.push(*value);
    }
    (first, count, elements)
}

fn write_rmf(
    dataset: &MapDataset,
    truth: &MapAxis,
    energy: &MapAxis,
    matrix: &Array2<f64>,
    options: &WriteOptions,
) -> Result<MemoryWriter> {
    let mut out = MemoryWriter::new(matrix.len() * 4 + matrix.nrows() * 64 + HEADERS)?;
    out.image(8, &[]);
    provenance(&mut out, options);
    let (lower, upper) = bounds(truth)?;
    let (mut first, mut count, mut elements) = (Vec::new(), Vec::new(), Vec::new());
    for (n, row) in matrix.outer_iter().enumerate() {
        let row: Vec<f32> = row.iter().map(|v| *v as f32).collect();
        if let Some(value) = row.iter().find(|v| !(**v >= 0.0 && v.is_finite())) {
            return Err(Error::input("edisp", format!("true energy bin {n}: {value} is not a probability")));
        }
        let (f, c, e) = groups(&row);
        first.push(f);
        count.push(c);
        elements.push(e);
    }
    let n_groups: Vec<i32> = count.iter().map(|c| c.len() as i32).collect();
    out.table(
        matrix.nrows(),
        &[
            ("ENERG_LO", ENERGY_UNIT, ColumnData::Double(&lower, 1)),
            ("ENERG_HI", ENERGY_UNIT, ColumnData::Double(&upper, 1)),
            ("N_GRP", "", ColumnData::Whole(&n_groups)),
            ("F_CHAN", "", ColumnData::WholeLists(&first)),
            ("N_CHAN", "", ColumnData::WholeLists(&count)),
            ("MATRIX", "", ColumnData::SingleLists(&elements)),
        ],
    );
    class(&mut out, dataset, "MATRIX", "1.3.0", &["RESPONSE", "RSP_MATRIX", "REDIST"]);
    out.text("RMFVERSN", "1992a", "version of the format");
    out.text("CHANTYPE", "PHA", "channels are not corrected");
    out.int("DETCHANS", energy.nbin() as i64, "channels");
    out.int("NUMGRP", n_groups.iter().map(|n| i64::from(*n)).sum(), "groups of channels");
    out.int("NUMELT", elements.iter().map(|e| e.len() as i64).sum(), "elements");
    out.real("LO_THRES", 0.0, "smaller elements are left out");
    out.int("TLMIN4", 0, "first channel");
    out.int("TLMAX4", energy.nbin() as i64 - 1, "last channel");
    channel_energies(&mut out, dataset, energy)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_gammapy_names_them() {
        for (path, wanted) in [
            ("a/pha_obs1.fits", "a/pha_obs1_arf.fits"),
            ("x.FITS.gz", "x_arf.FITS.gz"),
            ("x.pha", "x_arf.pha"),
            ("x", "x_arf"),
        ] {
            assert_eq!(Names::of(Path::new(path)).unwrap().arf, Path::new(wanted));
        }
        assert!(Names::of(Path::new("a b.fits")).is_err() && Names::of(Path::new("ä.fits")).is_err());
    }

    #[test]
    fn rows_are_cut_into_groups() {
        let row = [0.0, 0.5, 0.25, 0.0, 0.0, 0.125, 0.0];
        assert_eq!(groups(&row), (vec![1, 5], vec![2, 1], vec![0.5, 0.25, 0.125]));
        assert_eq!(groups(&[0.0; 3]), (vec![], vec![], vec![]));
    }
}
