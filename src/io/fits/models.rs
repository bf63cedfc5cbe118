//! Model files, with the maps of their templates.

use std::path::{Path, PathBuf};

use super::writer::WriteOptions;
use crate::error::{Error, Place, Result};
use crate::io::atomic::{check_output, write_atomic};
use crate::maps::Map;
use crate::models::{Covariance, Models};

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

    /// Writes the models as YAML, and their covariance beside it as Gammapy does: `fitted.yaml` names
    /// `fitted_covariance.dat`. Either both are written or none.
    ///
    /// # Errors
    /// As [`Models::write`], for either file.
    pub fn write_with_covariance(
        &self,
        path: impl AsRef<Path>,
        covariance: &Covariance,
        options: &WriteOptions,
    ) -> Result<()> {
        let path = path.as_ref();
        let beside = Self::covariance_path(path);
        check_output(path, options.overwrite)?;
        check_output(&beside, options.overwrite)?;
        let name = beside.file_name().map(|n| n.to_string_lossy().into_owned());
        let yaml = self.to_yaml_beside(name.as_deref())?;
        let existed = beside.exists();
        let table = covariance.to_table_text();
        write_atomic(&beside, options.overwrite, |file| file.write_all(table.as_bytes()))?;
        let written = write_atomic(path, options.overwrite, |file| file.write_all(yaml.as_bytes()));
        if written.is_err() && !existed {
            // What failed is told below; a covariance without its models is of no use.
            let _ = std::fs::remove_file(&beside);
        }
        written
    }

    /// Where the covariance of a YAML file stands: `fitted.yaml` → `fitted_covariance.dat`.
    pub fn covariance_path(path: &Path) -> PathBuf {
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        path.with_file_name(format!("{stem}_covariance.dat"))
    }
}
