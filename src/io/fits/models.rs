//! Model files, with the maps of their templates.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::reader::{ReadOptions, read_bytes};
use super::table::read_table;
use super::writer::WriteOptions;
use crate::error::{Error, Place, Result};
use crate::io::atomic::{check_output, write_atomic};
use crate::maps::Map;
use crate::models::spectral::AbsorptionTable;
use crate::models::temporal::LightCurveTemplateTemporalModel;
use crate::models::{Covariance, Models};
use crate::table::Table;
use crate::time::convert_mjd;

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
        Self::read_files(path, &|map: &Path| Map::read(map, None), &read_absorption, &read_light_curve)
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

/// The table of an absorption in the layout of XSPEC's table models, as Gammapy's data has them: redshifts in PARAMETERS,
/// energies in keV in ENERGIES, the part that arrives in SPECTRA.
fn read_absorption(path: &Path) -> Result<AbsorptionTable> {
    let place = Place::file(path);
    let bytes = read_bytes(path, &ReadOptions::default())?;
    let table = |hdu: &str| read_table(path, bytes.clone(), Some(hdu));
    let column = |table: &Table, hdu: &str, name: &str| -> Result<Vec<f64>> {
        // Units do not always stand in the file; energies are in keV.
        let unit = table.column(name).map(|c| if c.unit().is_dimensionless() { "" } else { "keV" });
        unit.and_then(|unit| table.floats(name, unit)).map_err(|e| e.at(&place.clone().hdu(hdu)))
    };
    let parameters = table("PARAMETERS")?;
    let rows = parameters.rows().max(1);
    let mut given = column(&parameters, "PARAMETERS", "VALUE")?;
    given.truncate(given.len() / rows);
    let energies = table("ENERGIES")?;
    let (low, high) = (column(&energies, "ENERGIES", "ENERG_LO")?, column(&energies, "ENERGIES", "ENERG_HI")?);
    let centers: Vec<f64> = low.iter().zip(&high).map(|(a, b)| (a * b).sqrt()).collect();
    let spectra = column(&table("SPECTRA")?, "SPECTRA", "INTPSPEC")?;
    let n = centers.len();
    if n == 0 || spectra.len() / n < given.len() {
        let problem = format!("{} values for {} redshifts and {n} energies", spectra.len(), given.len());
        return Err(Error::input_at(place.hdu("SPECTRA"), problem));
    }
    // Some redshifts stand in the files twice: the first one counts.
    let mut order: Vec<usize> = (0..given.len()).collect();
    order.sort_by(|a, b| given[*a].total_cmp(&given[*b]));
    order.dedup_by(|a, b| given[*a] == given[*b]);
    let redshifts = order.iter().map(|i| given[*i]).collect();
    let values = Array2::from_shape_fn((order.len(), n), |(i, j)| spectra[order[i] * n + j]);
    AbsorptionTable::new(redshifts, centers, "keV".parse()?, values, true).map_err(|e| e.at(&place))
}

/// A table of TIME and NORM with the reference time in its header, as Gammapy writes light curves of models.
fn read_light_curve(path: &Path) -> Result<LightCurveTemplateTemporalModel> {
    let place = Place::file(path);
    let table = read_table(path, read_bytes(path, &ReadOptions::default())?, None)?;
    let find = |wanted: &str| {
        let names = table.names();
        let found = names.iter().find(|n| n.eq_ignore_ascii_case(wanted)).map(|n| (*n).to_string());
        found.ok_or_else(|| {
            Error::input_at(place.clone().item(wanted), format!("only [{}] are there", names.join(", ")))
        })
    };
    let (time, norm) = (find("TIME")?, find("NORM")?);
    let meta = |key: &str| table.meta().iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.clone());
    let unit = table.column(&time)?.unit().clone();
    let seconds = if unit.is_dimensionless() {
        let text = meta("TIMEUNIT").and_then(|v| v.as_text().map(str::to_string));
        let text =
            text.ok_or_else(|| Error::input_at(place.clone().item("TIMEUNIT"), "the unit of TIME is missing"))?;
        text.parse::<crate::units::Unit>()?.factor_to_text("s")?
    } else {
        unit.factor_to_text("s")?
    };
    let number = |key: &str| meta(key).and_then(|v| v.as_f64());
    let reference = match (number("MJDREFI"), number("MJDREFF")) {
        (Some(i), f) => i + f.unwrap_or(0.0),
        _ => return Err(Error::input_at(place.item("MJDREFI"), "the reference time is missing")),
    };
    let scale = meta("TIMESYS").and_then(|v| v.as_text().map(str::to_string)).unwrap_or_else(|| "utc".to_string());
    let days = table.column(&time)?.to_floats(&unit.to_string())?.into_iter().map(|t| t * seconds / 86400.0).collect();
    let reference = convert_mjd(reference, &scale, "utc").map_err(|e| e.at(&place))?;
    LightCurveTemplateTemporalModel::new(reference, days, table.floats(&norm, "")?).map_err(|e| e.at(&place))
}
