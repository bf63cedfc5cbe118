//! What a command writes, checked as a whole before it reads anything.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pevatron::flux::FluxMaps;
use pevatron::models::Models;
use pevatron::{Error, Result};

/// The outputs of a command and the inputs that they must not be.
#[derive(Default)]
pub struct Outputs {
    overwrite: bool,
    outputs: Vec<PathBuf>,
    inputs: Vec<PathBuf>,
}

impl Outputs {
    pub fn new(overwrite: bool) -> Self {
        Self { overwrite, ..Self::default() }
    }

    /// A file.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.outputs.push(path.as_ref().to_path_buf());
        self
    }

    /// A file that may be asked for.
    pub fn maybe(self, path: Option<&PathBuf>) -> Self {
        match path {
            Some(path) => self.file(path),
            None => self,
        }
    }

    /// Flux maps, and their reference model beside them where they are a file.
    pub fn flux_maps(self, path: &Path) -> Self {
        self.pair(path, &FluxMaps::model_path(path))
    }

    /// Fitted models, and their covariance beside them.
    pub fn models(self, path: &Path) -> Self {
        self.pair(path, &Models::covariance_path(path))
    }

    fn pair(self, path: &Path, beside: &Path) -> Self {
        let is_stream = std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
        if is_stream { self.file(path) } else { self.file(path).file(beside) }
    }

    /// A picture that may be asked for; `option` names it in an error of its ending.
    pub fn picture(self, option: &str, path: Option<&PathBuf>) -> Result<Self> {
        if let Some(path) = path {
            picture_ending(option, path)?;
        }
        Ok(self.maybe(path))
    }

    /// Files that are read.
    pub fn reading<P: AsRef<Path>>(mut self, inputs: impl IntoIterator<Item = P>) -> Self {
        self.inputs.extend(inputs.into_iter().map(|path| path.as_ref().to_path_buf()));
        self
    }

    /// Flux maps that are read, with the model beside them.
    pub fn reading_maps<P: AsRef<Path>>(self, inputs: impl IntoIterator<Item = P>) -> Self {
        let both = |path: P| [path.as_ref().to_path_buf(), FluxMaps::model_path(path.as_ref())];
        let inputs: Vec<PathBuf> = inputs.into_iter().flat_map(both).collect();
        self.reading(inputs)
    }

    /// Everything that costs nothing to find out.
    ///
    /// # Errors
    /// See [`pevatron::io::check_outputs`].
    pub fn check(self) -> Result<()> {
        let outputs: Vec<&Path> = self.outputs.iter().map(PathBuf::as_path).collect();
        let inputs: Vec<&Path> = self.inputs.iter().map(PathBuf::as_path).collect();
        pevatron::io::check_outputs(&outputs, &inputs, self.overwrite)
    }
}

/// Refuses names of pictures that end in something else than `.png`, `.svg` or `.pdf`.
pub fn picture_ending(option: &str, path: &Path) -> Result<()> {
    let known = |e: &OsStr| ["png", "svg", "pdf"].iter().any(|known| e.eq_ignore_ascii_case(known));
    if path.extension().is_some_and(known) {
        return Ok(());
    }
    Err(Error::options(option, format!("{}: pictures end in .png, .svg or .pdf", path.display())))
}
