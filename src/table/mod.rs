//! Tables in memory: columns with names and units, and what stands about them in a header.
//!
//! ```
//! use pevatron::table::{Column, Table};
//! let mut table = Table::new();
//! table.push(Column::floats("E", "GeV".parse()?, vec![1.0, 10.0]))?;
//! table.rename("E", "e_ref")?;
//! assert_eq!(table.floats("e_ref", "TeV")?, [1e-3, 1e-2]);
//! # Ok::<(), pevatron::Error>(())
//! ```

mod column;

pub use column::{Column, Values};

use crate::error::{Error, Result};

/// A value that belongs to a whole table.
#[derive(Debug, Clone, PartialEq)]
pub enum MetaValue {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

impl MetaValue {
    /// As a number, where it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(v) => Some(*v as f64),
            Self::Float(v) => Some(*v),
            Self::Text(t) => t.trim().parse().ok(),
            Self::Bool(_) => None,
        }
    }

    /// As text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(t) => Some(t),
            _ => None,
        }
    }
}

impl std::fmt::Display for MetaValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(v) => f.write_str(v),
            Self::Int(v) => v.fmt(f),
            Self::Float(v) => v.fmt(f),
            Self::Bool(v) => v.fmt(f),
        }
    }
}

impl From<&str> for MetaValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl From<String> for MetaValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for MetaValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for MetaValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<i64> for MetaValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// Columns of equally many rows, and values that belong to the whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    columns: Vec<Column>,
    meta: Vec<(String, MetaValue)>,
}

impl Table {
    /// Without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of rows; 0 without columns.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Column::rows)
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Names of the columns.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(Column::name).collect()
    }

    /// Adds a column, or replaces the one of that name.
    ///
    /// # Errors
    /// [`Error::Input`] where it has another number of rows than the others.
    pub fn push(&mut self, column: Column) -> Result<()> {
        let rows = self.rows();
        if !self.columns.is_empty() && column.rows() != rows && !(self.columns.len() == 1 && self.has(column.name())) {
            return Err(Error::input(column.name(), format!("{} rows in a table of {rows}", column.rows())));
        }
        match self.columns.iter_mut().find(|c| c.name() == column.name()) {
            Some(old) => *old = column,
            None => self.columns.push(column),
        }
        Ok(())
    }

    /// Adds a column of one value per row: name, unit, description, values.
    ///
    /// # Errors
    /// As [`Table::push`], and where the unit is none.
    pub fn add(&mut self, name: &str, unit: &str, description: &str, values: impl Into<Values>) -> Result<()> {
        self.push(Column::new(name, unit.parse()?, values.into()).described(description))
    }

    /// The same with a value that belongs to the whole.
    pub fn with_meta(mut self, key: &str, value: impl Into<MetaValue>) -> Self {
        self.set_meta(key, value);
        self
    }

    /// True where there is a column of that name.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The column of a name.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name() == name)
    }

    /// The column of a name.
    ///
    /// # Errors
    /// [`Error::Input`] that lists the columns there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.get(name)
            .ok_or_else(|| Error::input(name, format!("there is no such column, only [{}]", self.names().join(", "))))
    }

    /// The numbers of a column in a unit, all rows one after the other. Whole numbers and truth values are numbers, too.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such column, it holds text, or its unit cannot be converted.
    pub fn floats(&self, name: &str, unit: &str) -> Result<Vec<f64>> {
        self.column(name)?.to_floats(unit)
    }

    /// The texts of a column.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such column or it holds no text.
    pub fn texts(&self, name: &str) -> Result<&[String]> {
        match self.column(name)?.values() {
            Values::Text(texts) => Ok(texts),
            _ => Err(Error::input(name, "text is needed in this column")),
        }
    }

    /// Gives a column another name.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such column, or one of the new name.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<()> {
        self.column(old)?;
        if old != new && self.has(new) {
            return Err(Error::input(new, format!("a column of this name is there already, beside '{old}'")));
        }
        for column in self.columns.iter_mut().filter(|c| c.name() == old) {
            column.set_name(new);
        }
        Ok(())
    }

    /// Sets the unit of a column without touching its values: for tables that come without units.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such column or the text is not a unit.
    pub fn set_unit(&mut self, name: &str, unit: &str) -> Result<()> {
        self.column(name)?;
        let unit = unit.parse()?;
        if let Some(column) = self.columns.iter_mut().find(|c| c.name() == name) {
            column.set_unit(unit);
        }
        Ok(())
    }

    /// Takes a column out.
    pub fn remove(&mut self, name: &str) -> Option<Column> {
        let at = self.columns.iter().position(|c| c.name() == name)?;
        Some(self.columns.remove(at))
    }

    /// Some rows, in the order of `rows`; rows may be repeated. Rows beyond the table are left out.
    pub fn select(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|c| c.select(rows)).collect();
        Self { columns, meta: self.meta.clone() }
    }

    /// The rows of another table after these, columns by name in the order of these; units are converted. `None` where
    /// the columns are not the same ones, of the same kinds.
    pub fn appended(&self, other: &Self) -> Option<Self> {
        if self.columns.len() != other.columns.len() {
            return None;
        }
        let columns = self.columns.iter().map(|c| c.appended(other.get(c.name())?)).collect::<Option<_>>()?;
        Some(Self { columns, meta: self.meta.clone() })
    }

    /// What belongs to the whole table, in order.
    pub fn meta(&self) -> &[(String, MetaValue)] {
        &self.meta
    }

    /// The value of a key, in any case.
    pub fn meta_value(&self, key: &str) -> Option<&MetaValue> {
        self.meta.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v)
    }

    /// Sets the value of a key.
    pub fn set_meta(&mut self, key: &str, value: impl Into<MetaValue>) {
        let value = value.into();
        match self.meta.iter_mut().find(|(k, _)| k.eq_ignore_ascii_case(key)) {
            Some((_, old)) => *old = value,
            None => self.meta.push((key.to_string(), value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Unit;

    #[test]
    fn columns_are_found_and_checked() {
        let mut table = Table::new();
        table.push(Column::floats("a", "m".parse().unwrap(), vec![1.0, 2.0])).unwrap();
        assert!(table.push(Column::floats("b", Unit::default(), vec![1.0])).is_err());
        table.push(Column::texts("name", vec!["x".into(), "y".into()])).unwrap();
        assert_eq!(table.floats("a", "cm").unwrap(), [100.0, 200.0]);
        assert!(table.floats("a", "s").is_err());
        assert!(table.floats("name", "").is_err());
        let error = table.floats("c", "").unwrap_err().to_string();
        assert!(error.contains("only [a, name]"), "{error}");
        assert!(table.rename("a", "name").is_err() && table.rename("z", "q").is_err());
        table.rename("a", "length").unwrap();
        assert_eq!(table.names(), ["length", "name"]);
        let picked = table.select(&[1, 1, 0, 7]);
        assert_eq!(picked.floats("length", "m").unwrap(), [2.0, 2.0, 1.0]);
        assert_eq!(picked.texts("name").unwrap(), ["y", "y", "x"]);
    }

    #[test]
    fn rows_may_be_arrays() {
        let column = Column::floats("scan", Unit::default(), vec![1.0, 2.0, 3.0, 4.0]).with_shape(vec![2]).unwrap();
        assert_eq!(column.rows(), 2);
        assert_eq!(column.select(&[1]).to_floats("").unwrap(), [3.0, 4.0]);
        assert!(column.with_shape(vec![3]).is_err());
    }

    #[test]
    fn meta_keys_know_no_case() {
        let mut table = Table::new();
        table.set_meta("SED_TYPE", "dnde");
        table.set_meta("sed_type", "flux");
        table.set_meta("UL_CONF", 0.95);
        assert_eq!(table.meta().len(), 2);
        assert_eq!(table.meta_value("Sed_Type").and_then(MetaValue::as_text), Some("flux"));
        assert_eq!(table.meta_value("UL_CONF").and_then(MetaValue::as_f64), Some(0.95));
    }
}
