//! Model files, with the maps of their templates.

use std::path::Path;

use super::writer::WriteOptions;
use crate::error::{Error, Place, Result};
use crate::io::atomic::write_atomic;
use crate::maps::Map;
use crate::models::Models;

impl Models {
    /// Reads a YAML file of Gammapy and the FITS maps that its templates name.
    ///
    /// # Errors
    /// [`Error::Input`] where a file is missing, or with the line for anything that is no model.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if !path.exists() {
            return Err(Error::input_at(Place::file(path), "there is no such file"));
        }
        Self::read_with(path, &|map: &Path| Map::read(map, None))
    }

    /// Writes the models as YAML for Gammapy and [`Models::read`].
    ///
    /// # Errors
    /// [`Error::Options`] where the file exists and is not to be replaced or its folder is missing; [`Error::Io`] where
    /// writing fails.
    pub fn write(&self, path: impl AsRef<Path>, options: &WriteOptions) -> Result<()> {
        let yaml = self.to_yaml()?;
        write_atomic(path, options.overwrite, |file| file.write_all(yaml.as_bytes()))
    }
}
