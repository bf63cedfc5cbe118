//! Flux points from and to files: GADF tables as FITS and ECSV, and plain tables of other tools.

use std::path::Path;

use super::fits::file_stem;
use super::table::is_fits;
use super::{WriteOptions, fits};
use crate::datasets::FluxPointsDataset;
use crate::error::warnings::within;
use crate::error::{Error, Place, Result};
use crate::flux::{FluxPoints, FluxPointsCollection, FromTable, SedType, TableFormat};
use crate::maps::Mask;
use crate::table::{Column, Table};

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

impl FluxPointsDataset {
    /// Reads flux points with their masks (columns `mask_safe` and `mask_fit`, where there are any) from any file that
    /// [`FluxPoints::read`] takes; the name is that of the file.
    ///
    /// # Errors
    /// [`Error::Input`] that names the file and the column or line.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self::read_with(path, &FromTable::default())?.0)
    }

    /// The same with what the file does not say, and what its reader should be told.
    ///
    /// # Errors
    /// As [`FluxPointsDataset::read`].
    pub fn read_with(path: impl AsRef<Path>, options: &FromTable) -> Result<(Self, Vec<String>)> {
        let path = path.as_ref();
        let (table, options) = read(path, options)?;
        let dataset = || -> Result<(Self, Vec<String>)> {
            // Masks belong to the points as they are sorted.
            let table = options.prepared(&table)?.into_owned();
            let options = FromTable { columns: Vec::new(), ..options.clone() };
            let (points, warnings) = FluxPoints::from_table(&table, &options)?;
            let mut dataset = Self::new(&file_stem(path), points)?;
            dataset.mask_safe = mask(&table, "mask_safe", &dataset)?;
            dataset.mask_fit = mask(&table, "mask_fit", &dataset)?;
            Ok((dataset, warnings))
        };
        dataset().map_err(|e| e.at(&Place::file(path)))
    }

    /// Writes the points in the SED type that they came in, with the columns `mask_safe` (points that are safe and that the
    /// statistic can use) and `mask_fit` (the same, where no points were chosen), as Gammapy does: FITS where the name says
    /// so (HDU `TABLE`, and good time intervals), else ECSV. Models are written apart, as YAML.
    ///
    /// # Errors
    /// As [`FluxPoints::write`], and those of [`FluxPointsDataset::mask`].
    pub fn write(&self, path: impl AsRef<Path>, options: &WriteOptions) -> Result<()> {
        let path = path.as_ref();
        super::check_output(path, options.overwrite)?;
        let mut table = self.data.to_table(self.data.sed_type_init(), None)?;
        let valid = self.mask_valid()?;
        let safe = self.mask_safe.as_ref().map_or(Ok(valid.clone()), |mask| mask.and(&valid))?;
        let fit = self.mask_fit.as_ref().unwrap_or(&safe);
        for (name, mask) in [("mask_fit", fit), ("mask_safe", &safe)] {
            // Rows are the first axis of the data; Gammapy wants the others in each of them.
            let column = Column::bools(name, mask.data().iter().copied().collect());
            table.push(column.with_shape(self.data_shape()[1..].to_vec())?)?;
        }
        if is_fits(path) {
            return fits::write_tables(path, &[("TABLE", &table)], self.gti(), options);
        }
        table.write_ecsv(path, options.overwrite)
    }
}

/// A mask of points that stands in a column, of any shape that has as many values.
fn mask(table: &Table, name: &str, dataset: &FluxPointsDataset) -> Result<Option<Mask>> {
    let Some(column) = table.get(name) else { return Ok(None) };
    let values = column.to_floats("")?.into_iter().map(|v| v != 0.0).collect();
    dataset.mask_of(values).map(Some).map_err(|e| e.at(&Place::item_only(name)))
}

/// The table, and the options with the good time intervals of the file.
fn read(path: &Path, options: &FromTable) -> Result<(Table, FromTable)> {
    let mut options = options.clone();
    let bytes = fits::read_bytes(path, &super::ReadOptions::default())?;
    if !bytes.starts_with(b"SIMPLE") {
        return Ok((Table::read(path, None)?, options));
    }
    let hdus = within(&Place::file(path), || fits::check_bytes(&bytes))?;
    let has = |name: &str| hdus.iter().any(|h| h.name == name && h.kind == fits::HduKind::Table);
    if let Some(hdu) = hdus.iter().find(|h| fits::is_healpix(&h.header)).filter(|_| !has(HDU)) {
        return Err(fits::healpix_error(&Place::file(path).hdu(hdu.label())));
    }
    if hdus.first().is_some_and(|h| h.header.text("SED_TYPE").is_some() && hdus.iter().any(fits::Hdu::has_image)) {
        return Err(Error::input_at(Place::file(path), "these are flux maps, not a table of flux points")
            .with_help_for(
                "read them with FluxMaps::read and take the points of a position with get_flux_points",
                "`pevatron flux-points --position LON,LAT` takes the points of a position out of them",
            ));
    }
    if options.gti.is_none() && has("GTI") {
        options.gti = Some(crate::time::Gti::read(path)?);
    }
    Ok((fits::read_flux_points_table(path, bytes, HDU)?, options))
}
