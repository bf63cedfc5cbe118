//! Where the values of a spectrum stand: in the rows of a table, or in one row of a table of several spectra (type II),
//! with keywords that may be columns there.

use super::super::check::Hdu;
use super::super::header::Value;
use super::super::reader::FitsReader;
use super::cells::{Cells, text};
use super::names::Chosen;
use crate::error::{Error, Place, Result};

/// Spectra that are named where one has to be chosen.
const NAMED: usize = 12;

/// A spectrum in a file.
pub(super) struct Source<'a> {
    reader: &'a FitsReader,
    hdu: &'a Hdu,
    /// Of a table of several: the row.
    row: Option<usize>,
}

/// True for a table with a spectrum per row.
pub(super) fn is_of_several(hdu: &Hdu) -> bool {
    let class = hdu.header.text("HDUCLAS4").unwrap_or("").trim().to_uppercase();
    let wide =
        |name: &str| hdu.column(name).map(|c| &hdu.columns[c]).is_some_and(|c| c.repeat > 1 || "PQ".contains(c.code));
    hdu.column("SPEC_NUM").is_some()
        || class.starts_with("TYPE:II")
        || class == "TYPE:2"
        || wide("COUNTS")
        || wide("RATE")
}

impl<'a> Source<'a> {
    /// # Errors
    /// [`Error::Input`] for several spectra of which none is chosen, or one that is not there.
    pub(super) fn open(reader: &'a FitsReader, hdu: &'a Hdu, chosen: &Chosen) -> Result<Self> {
        let mut source = Self { reader, hdu, row: None };
        if !is_of_several(hdu) {
            if chosen.number.is_some_and(|n| n != 1) {
                chosen.of(1, "spectrum")?;
            }
            return Ok(source);
        }
        let row = chosen.of(hdu.rows(), "spectrum")?;
        source.row = Some(row.ok_or_else(|| source.several(chosen))?);
        Ok(source)
    }

    fn several(&self, chosen: &Chosen) -> Error {
        let rows = self.hdu.rows();
        let told = |row: usize| {
            let parts: Vec<String> = ["SPEC_NUM", "TG_PART", "TG_M"]
                .iter()
                .filter_map(|name| Some((name, Cells::open(self.reader, self.hdu.index, name).ok()?.all(row))))
                .filter_map(|(name, values)| Some(format!("{name} {}", values.first()?)))
                .collect();
            let what = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
            format!("{{{}}}{what}", row + 1)
        };
        let mut names: Vec<String> = (0..rows.min(NAMED)).map(told).collect();
        if rows > NAMED {
            names.push(format!("… {{{rows}}}"));
        }
        let problem = format!("{rows} spectra in one table (type II), one is needed: {}", names.join(", "));
        let example = format!("{}{{1}}", chosen.path.display());
        Error::input_at(self.place(), problem).with_help(format!("choose one by its number, as '{example}'"))
    }

    /// The table, for messages.
    pub(super) fn place(&self) -> Place {
        let label = self.hdu.label();
        self.reader.place().hdu(self.row.map_or(label.clone(), |row| format!("{label}{{{}}}", row + 1)))
    }

    pub(super) fn has_column(&self, name: &str) -> bool {
        self.hdu.column(name).is_some()
    }

    /// True where there is something for [`Source::real`].
    pub(super) fn has(&self, name: &str) -> bool {
        self.row.is_some() && self.has_column(name) || self.hdu.header.get(name).is_some()
    }

    /// Which one of several it is, from 1.
    pub(super) fn number(&self) -> Option<usize> {
        self.row.map(|row| row + 1)
    }

    /// The values of a column: one in each row, or the list in the row.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such column, or none of numbers.
    pub(super) fn column(&self, name: &str) -> Result<Vec<f64>> {
        let cells = Cells::open(self.reader, self.hdu.index, name)?;
        match self.row {
            None => cells.scalars(),
            Some(row) => Ok(cells.all(row)),
        }
    }

    /// The same of a column that need not be there.
    pub(super) fn values(&self, name: &str) -> Result<Option<Vec<f64>>> {
        if self.has_column(name) { self.column(name).map(Some) } else { Ok(None) }
    }

    /// A value for each channel, from a column or keyword that may have one for all.
    pub(super) fn per_channel(&self, name: &str, channels: usize) -> Result<Option<Vec<f64>>> {
        match self.values(name)? {
            Some(values) if values.len() == channels => Ok(Some(values)),
            Some(values) if values.len() == 1 => Ok(Some(vec![values[0]; channels])),
            Some(values) => {
                let problem = format!("{} values for {channels} channels", values.len());
                Err(Error::input_at(self.place().item(name), problem))
            }
            None => Ok(self.hdu.header.real(name).map(|value| vec![value; channels])),
        }
    }

    /// A number of the spectrum as a whole.
    pub(super) fn real(&self, name: &str) -> Result<Option<f64>> {
        if self.row.is_some()
            && let Some(values) = self.values(name)?
        {
            return Ok(values.first().copied());
        }
        Ok(self.hdu.header.real(name))
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.hdu.header.int(name)
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.hdu.header.get(name) {
            Some(Value::Bool(flag)) => Some(*flag),
            Some(Value::Int(number)) => Some(*number != 0),
            // Some tools write letters.
            Some(Value::Text(text)) => match text.trim().to_uppercase().as_str() {
                "T" | "TRUE" => Some(true),
                "F" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// A text that is not blank, from the row or the header.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let own = self.row.filter(|_| self.has_column(name));
        let found = match own {
            Some(row) => text(self.reader, self.hdu.index, name, row).ok()?,
            None => self.hdu.header.text(name)?.trim().to_string(),
        };
        Some(found).filter(|t| !t.is_empty())
    }

    /// OBS_ID, with the number of one of several.
    pub(super) fn name(&self) -> Option<String> {
        let name = self.int("OBS_ID").map(|n| n.to_string()).or_else(|| self.text("OBS_ID"));
        match self.row {
            None => name,
            Some(row) => {
                let name = name.unwrap_or_else(|| super::super::dataset::file_stem(self.reader.path()));
                Some(format!("{name}-{}", row + 1))
            }
        }
    }

    /// Where channels are counted from if no column says so: TLMIN of the column CHANNEL, else from 0.
    pub(super) fn first_channel(&self) -> i64 {
        let column = self.hdu.column("CHANNEL").map(|c| c + 1);
        column.and_then(|n| self.hdu.header.int(&format!("TLMIN{n}"))).unwrap_or(0)
    }
}
