//! What a command writes, checked as a whole before it reads anything.

use std::path::{Path, PathBuf};

use pevatron::flux::FluxMaps;
use pevatron::models::Models;
use pevatron::{Error, Result};

/// How the names of a kind of file end.
#[derive(Clone, Copy)]
pub struct Endings {
    files: &'static str,
    list: &'static [&'static str],
    /// As they are told.
    told: &'static str,
}

pub const FITS: Endings = Endings {
    files: "FITS files",
    list: &[".fits", ".fits.gz", ".fit", ".fit.gz", ".fts", ".fts.gz"],
    told: ".fits or .fits.gz",
};
/// Spectra, whose files have other endings, too.
pub const OGIP: Endings = Endings {
    files: "spectra",
    list: &[".fits", ".fits.gz", ".fit", ".fit.gz", ".fts", ".fts.gz", ".pha", ".pha.gz", ".pi", ".pi.gz"],
    told: ".fits, .fits.gz, .pha or .pi",
};
/// Tables are FITS or ECSV by their endings, so there are no others.
pub const TABLE: Endings =
    Endings { files: "tables", list: &[".fits", ".fits.gz", ".ecsv"], told: ".fits, .fits.gz or .ecsv" };
pub const ECSV: Endings = Endings { files: "tables", list: &[".ecsv"], told: ".ecsv" };
pub const YAML: Endings = Endings { files: "models", list: &[".yaml", ".yml"], told: ".yaml" };
pub const REGIONS: Endings = Endings { files: "regions", list: &[".reg"], told: ".reg" };
pub const CSV: Endings = Endings { files: "tables", list: &[".csv"], told: ".csv" };
pub const PICTURE: Endings = Endings { files: "pictures", list: &[".png", ".svg", ".pdf"], told: ".png, .svg or .pdf" };

impl Endings {
    /// Refuses a file of another ending; `option` names it. Devices and pipes have none.
    pub fn check(self, option: &str, path: &Path) -> Result<()> {
        let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        // Names that are endings and nothing else hide the file.
        let fits = |ending: &&&str| name.strip_suffix(**ending).is_some_and(|stem| !stem.is_empty());
        if self.list.iter().find(fits).is_some() || path.file_name().is_none() || is_stream(path) || path.is_dir() {
            return Ok(());
        }
        let Self { files, told, .. } = self;
        Err(Error::options(option, format!("'{}': {files} end in {told}", path.display())))
    }
}

fn is_stream(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// The outputs of a command and the inputs that they must not be.
#[derive(Default)]
pub struct Outputs {
    overwrite: bool,
    outputs: Vec<PathBuf>,
    inputs: Vec<PathBuf>,
    /// The first name that ends in another way than it should.
    wrong: Option<Error>,
}

impl Outputs {
    pub fn new(overwrite: bool) -> Self {
        Self { overwrite, ..Self::default() }
    }

    /// A file beside others, whose ending has been looked at.
    pub fn beside(mut self, path: impl AsRef<Path>) -> Self {
        self.outputs.push(path.as_ref().to_path_buf());
        self
    }

    /// A file; `option` names it in an error of its ending.
    pub fn file(mut self, option: &str, path: impl AsRef<Path>, endings: Endings) -> Self {
        self.wrong = self.wrong.or_else(|| endings.check(option, path.as_ref()).err());
        self.beside(path)
    }

    /// A file that may be asked for.
    pub fn maybe(self, option: &str, path: Option<&PathBuf>, endings: Endings) -> Self {
        match path {
            Some(path) => self.file(option, path, endings),
            None => self,
        }
    }

    /// Flux maps, and their reference model beside them where they are a file.
    pub fn flux_maps(self, option: &str, path: &Path) -> Self {
        self.file(option, path, FITS).companion(path, &FluxMaps::model_path(path))
    }

    /// Fitted models, and their covariance beside them.
    pub fn models(self, option: &str, path: &Path) -> Self {
        self.file(option, path, YAML).companion(path, &Models::covariance_path(path))
    }

    fn companion(self, path: &Path, beside: &Path) -> Self {
        if is_stream(path) { self } else { self.beside(beside) }
    }

    /// A picture that may be asked for.
    pub fn picture(self, option: &str, path: Option<&PathBuf>) -> Self {
        self.maybe(option, path, PICTURE)
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
    /// Other endings than those of the kind of file; see [`pevatron::io::check_outputs`].
    pub fn check(self) -> Result<()> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        let outputs: Vec<&Path> = self.outputs.iter().map(PathBuf::as_path).collect();
        let inputs: Vec<&Path> = self.inputs.iter().map(PathBuf::as_path).collect();
        pevatron::io::check_outputs(&outputs, &inputs, self.overwrite)
    }
}
