//! Flux points from and to files: GADF tables as FITS and ECSV, and plain tables of other tools.

use std::path::Path;

use super::table::is_fits;
use super::{WriteOptions, fits};
use crate::error::{Error, Place, Result};
use crate::flux::{FluxPoints, FluxPointsCollection, FromTable, SedType, TableFormat};
use crate::table::Table;

/// HDU of a table of flux points, as Gammapy names it.
const HDU: &str = "FLUXPOINTS";

impl FluxPoints {
    /// Reads flux points from FITS (the HDU `FLUXPOINTS`, else the first table; with good time intervals), ECSV or plain
    /// text, in the layouts `gadf-sed`, `lightcurve`, `profile` and `binned-time-series`, in any SED type. `options` says
    /// what the file does not. Also returns what the reader should be told.
    ///
    /// # Errors
    /// [`Error::Input`] that names the file and the column or line.
    pub fn read(path: impl AsRef<Path>, options: &FromTable) -> Result<(Self, Vec<String>)> {
        let (table, options) = read(path.as_ref(), options)?;
        Self::from_table(&table, &options).map_err(|e| e.at(&Place::file(path)))
    }

    /// Writes a table: FITS where the name says so (with good time intervals), else ECSV. `format` `None`: the layout
    /// that goes with the axes.
    ///
    /// # Errors
    /// Where the format or SED type is not possible; [`Error::Options`] where the file exists and is not to be replaced;
    /// [`Error::Io`] where writing fails. Nothing is left half-written.
    pub fn write(
        &self,
        path: impl AsRef<Path>,
        sed: SedType,
        format: Option<TableFormat>,
        options: &WriteOptions,
    ) -> Result<()> {
        let path = path.as_ref();
        super::check_output(path, options.overwrite)?;
        let table = self.to_table(sed, format)?;
        if is_fits(path) {
            return fits::write_tables(path, &[(HDU, &table)], self.gti.as_ref(), options);
        }
        table.write_ecsv(path, options.overwrite)
    }
}

impl FluxPointsCollection {
    /// Reads a flat table, see [`FluxPointsCollection::from_table`].
    ///
    /// # Errors
    /// [`Error::Input`] that names the file and the column or line.
    pub fn read(path: impl AsRef<Path>, options: &FromTable) -> Result<(Self, Vec<String>)> {
        let (table, options) = read(path.as_ref(), options)?;
        Self::from_table(&table, &options).map_err(|e| e.at(&Place::file(path)))
    }

    /// Writes the flat table: FITS where the name says so, else ECSV.
    ///
    /// # Errors
    /// As [`FluxPoints::write`].
    pub fn write(&self, path: impl AsRef<Path>, sed: SedType, options: &WriteOptions) -> Result<()> {
        let path = path.as_ref();
        super::check_output(path, options.overwrite)?;
        let table = self.to_table(sed)?;
        if is_fits(path) {
            return fits::write_tables(path, &[(HDU, &table)], None, options);
        }
        table.write_ecsv(path, options.overwrite)
    }
}

/// The table, and the options with the good time intervals of the file.
fn read(path: &Path, options: &FromTable) -> Result<(Table, FromTable)> {
    let mut options = options.clone();
    let bytes = fits::read_bytes(path, &super::ReadOptions::default())?;
    if !bytes.starts_with(b"SIMPLE") {
        return Ok((Table::read(path, None)?, options));
    }
    let hdus = fits::check_bytes(&bytes).map_err(|e| e.at(&Place::file(path)))?;
    let has = |name: &str| hdus.iter().any(|h| h.name == name && h.kind == fits::HduKind::Table);
    if hdus.first().is_some_and(|h| h.header.text("SED_TYPE").is_some()) {
        return Err(Error::input_at(Place::file(path), "these are flux maps, not a table of flux points")
            .with_help("read them as flux maps and take the points of a position"));
    }
    if options.gti.is_none() && has("GTI") {
        options.gti = Some(crate::time::Gti::read(path)?);
    }
    let hdu = has(HDU).then_some(HDU);
    Ok((fits::read_table(path, bytes, hdu)?, options))
}
