//! Tables from and to files: FITS, ECSV, and plain text of other tools.

use std::path::Path;

use super::atomic::write_atomic;
use super::{check_output, ecsv};
use crate::error::{Error, Place, Result};
use crate::table::{Column, Table, Values};
use crate::units::Unit;

impl Table {
    /// Reads a table: FITS (the HDU `hdu`, else the first table), ECSV, or plain text with a line of names, separated
    /// by blanks, commas or semicolons, where lines that start with `#` are left out. Columns of plain text have no
    /// units; see [`Table::set_unit`] and [`Table::rename`].
    ///
    /// # Errors
    /// [`Error::Input`] with the line or column where the file is missing, damaged, or no table.
    pub fn read(path: impl AsRef<Path>, hdu: Option<&str>) -> Result<Self> {
        let path = path.as_ref();
        #[cfg(feature = "fits-system")]
        let bytes = {
            let bytes = super::fits::read_bytes(path, &super::ReadOptions::default())?;
            if bytes.starts_with(b"SIMPLE") {
                return super::fits::read_table(path, bytes, hdu);
            }
            bytes
        };
        #[cfg(not(feature = "fits-system"))]
        let bytes = super::input::read_text(path, "is not text: there is no table in it")?.into_bytes();
        let _ = hdu;
        let place = Place::file(path);
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::input_at(place.clone(), "is neither FITS nor text: there is no table in it"))?;
        let table = if text.starts_with(ecsv::MAGIC) { ecsv::parse(&text) } else { plain(&text) };
        table.map_err(|e| e.at(&place))
    }

    /// Writes the table as ECSV, or as FITS where the name ends in `.fits` or `.fits.gz` (as the HDU `TABLE`).
    ///
    /// # Errors
    /// [`Error::Options`] where the file exists and is not to be replaced or its folder is missing; [`Error::Io`]
    /// where writing fails. Nothing is left half-written.
    #[cfg(feature = "fits-system")]
    pub fn write(&self, path: impl AsRef<Path>, options: &super::WriteOptions) -> Result<()> {
        let path = path.as_ref();
        if is_fits(path) {
            return super::fits::write_tables(path, &[("TABLE", self)], None, options);
        }
        self.write_ecsv(path, options.overwrite)
    }

    /// Writes the table as ECSV.
    ///
    /// # Errors
    /// As [`Table::write`].
    pub fn write_ecsv(&self, path: impl AsRef<Path>, overwrite: bool) -> Result<()> {
        check_output(path.as_ref(), overwrite)?;
        let text = ecsv::to_text(self);
        write_atomic(path.as_ref(), overwrite, |file| file.write_all(text.as_bytes()))
    }
}

/// True where the name says FITS.
#[cfg(feature = "fits-system")]
pub(super) fn is_fits(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    [".fits", ".fits.gz", ".fit", ".fit.gz"].iter().any(|end| name.ends_with(end))
}

/// Text without a description: names, then rows.
fn plain(text: &str) -> Result<Table> {
    let mut lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.trim_start().starts_with('#'));
    let Some((number, names)) = lines.next() else {
        return Err(Error::input("table", "the file has no line with the names of columns"));
    };
    let delimiter = [',', ';'].into_iter().find(|d| names.contains(*d)).unwrap_or(' ');
    let names = ecsv::fields(names, delimiter, number + 1)?;
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    for (number, line) in lines {
        let found = ecsv::fields(line, delimiter, number + 1)?;
        if found.len() != names.len() {
            let problem = format!("{} values where there are {} columns", found.len(), names.len());
            return Err(Error::input(format!("line {}", number + 1), problem));
        }
        for (column, cell) in cells.iter_mut().zip(found) {
            column.push(cell);
        }
    }
    let mut table = Table::new();
    for (name, cells) in names.iter().zip(cells) {
        if table.has(name) {
            return Err(Error::input(name.as_str(), "two columns have this name"));
        }
        table.push(Column::new(name, Unit::default(), guess(cells)))?;
    }
    Ok(table)
}

/// Numbers where all are (nothing counts as NaN), truth values, else text.
fn guess(cells: Vec<String>) -> Values {
    let number = |c: &String| if c.is_empty() { Some(f64::NAN) } else { c.parse().ok() };
    if let Some(numbers) = cells.iter().map(number).collect::<Option<Vec<f64>>>() {
        return Values::Float(numbers);
    }
    let truth = |c: &String| match c.to_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    match cells.iter().map(truth).collect::<Option<Vec<bool>>>() {
        Some(values) => Values::Bool(values),
        None => Values::Text(cells),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_of_other_tools() {
        let table = plain("# copied\nE   flux  name\n0.5  1e-12  a\n 1.0 nan \"b c\"\n").unwrap();
        assert_eq!(table.names(), ["E", "flux", "name"]);
        assert_eq!(table.floats("E", "").unwrap(), [0.5, 1.0]);
        assert_eq!(table.texts("name").unwrap(), ["a", "b c"]);
        let table = plain("a;is_ul\n1;true\n;False\n").unwrap();
        assert!(table.floats("a", "").unwrap()[1].is_nan());
        assert_eq!(table.column("is_ul").unwrap().values(), &Values::Bool(vec![true, false]));
        for bad in ["", "# only\n", "a b\n1\n", "a a\n1 2\n"] {
            assert!(plain(bad).is_err(), "{bad:?}");
        }
    }
}
