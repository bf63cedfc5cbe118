//! Datasets of files, among them OGIP spectra that are given other responses or backgrounds than they name.

use std::path::{Path, PathBuf};

use pevatron::datasets::Dataset;
use pevatron::io::{FileKind, OgipOptions, file_kind};
use pevatron::{Error, Result};

use super::{each_dataset, is_list};
use crate::args::SpectrumArgs;

/// A dataset of any kind.
pub fn read_dataset(path: &Path, spectrum: &SpectrumArgs) -> Result<Dataset> {
    match options(&[path], spectrum)?.pop().flatten() {
        Some(options) => Dataset::read_ogip(path, &options),
        None => Dataset::read(path),
    }
}

/// The datasets of files and lists, handed to `take` one after the other with their numbers and files, so that only one
/// is in memory.
pub fn each_of(
    paths: &[PathBuf],
    spectrum: &SpectrumArgs,
    mut take: impl FnMut(usize, &Path, Dataset) -> Result<()>,
) -> Result<()> {
    let files: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    for (n, (path, options)) in files.iter().zip(options(&files, spectrum)?).enumerate() {
        match options {
            Some(options) => take(n, path, Dataset::read_ogip(path, &options)?)?,
            None => each_dataset(path, |dataset| take(n, path, dataset))?,
        }
    }
    Ok(())
}

/// What the options say of each file; `None`: nothing.
pub fn options(paths: &[&Path], spectrum: &SpectrumArgs) -> Result<Vec<Option<OgipOptions>>> {
    let files = [("arf", &spectrum.arf), ("rmf", &spectrum.rmf), ("bkg", &spectrum.bkg)];
    let given = files.iter().find(|(_, files)| !files.is_empty()).map(|(name, _)| *name);
    let Some(first) = given.or(spectrum.group.then_some("group")) else { return Ok(vec![None; paths.len()]) };
    let is_spectrum = |path: &&Path| Ok(!is_list(path) && file_kind(path)? == FileKind::Spectrum);
    let spectra: Vec<bool> = paths.iter().map(is_spectrum).collect::<Result<_>>()?;
    let number = spectra.iter().filter(|is| **is).count();
    if number == 0 {
        return Err(Error::options(first, "is for OGIP spectra (PHA), and none of the files is one"));
    }
    for (name, files) in files {
        // Backgrounds of two spectra that are the same counts are not independent of each other.
        let for_all = files.len() == 1 && (name != "bkg" || number == 1);
        if !(files.is_empty() || for_all || files.len() == number) {
            let problem = format!("{} files for {number} spectra", files.len());
            let help = format!("give --{name} once for each, in their order; 'none' for one without");
            return Err(Error::options(name, problem).with_help(help));
        }
    }
    let mut nth = 0;
    let mut of = |is: bool| {
        let n = nth;
        nth += usize::from(is);
        let file = |files: &[PathBuf]| files.get(if files.len() == 1 { 0 } else { n }).cloned();
        is.then(|| OgipOptions {
            arf: file(&spectrum.arf),
            rmf: file(&spectrum.rmf),
            bkg: file(&spectrum.bkg),
            group: spectrum.group,
        })
    };
    Ok(spectra.into_iter().map(&mut of).collect())
}
