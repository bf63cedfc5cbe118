//! Tables as ECSV, the text tables of astropy: a YAML header in comments, then the values, separated by blanks.
//!
//! ```
//! use pevatron::io::EcsvTable;
//! let mut table = EcsvTable::new().with_meta("threshold", 5.0);
//! table.column("name", "", "name of the peak", vec!["P1".to_string(), "a b".to_string()])?;
//! table.column("ra", "deg", "", vec![83.63, f64::NAN])?;
//! let text = table.to_ecsv();
//! assert!(text.starts_with("# %ECSV 1.0\n# ---\n"));
//! assert!(text.ends_with("name ra\nP1 83.63\n\"a b\" nan\n"));
//! # Ok::<(), pevatron::Error>(())
//! ```

use std::path::Path;

use super::atomic::write_atomic;
use crate::error::{Error, Result};

/// Values of a column, one per row.
#[derive(Debug, Clone, PartialEq)]
pub enum EcsvColumn {
    /// `float64`; what is not known is NaN.
    Float(Vec<f64>),
    /// `int64`.
    Int(Vec<i64>),
    /// `bool`.
    Bool(Vec<bool>),
    /// `string`; control characters are written as blanks.
    Text(Vec<String>),
}

impl EcsvColumn {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Float(v) => v.len(),
            Self::Int(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn datatype(&self) -> &'static str {
        match self {
            Self::Float(_) => "float64",
            Self::Int(_) => "int64",
            Self::Bool(_) => "bool",
            Self::Text(_) => "string",
        }
    }

    fn cell(&self, row: usize) -> String {
        match self {
            Self::Float(v) => number(v[row]),
            Self::Int(v) => v[row].to_string(),
            Self::Bool(v) => if v[row] { "True" } else { "False" }.to_string(),
            Self::Text(v) => cell_text(&v[row]),
        }
    }
}

/// A value of the header.
#[derive(Debug, Clone, PartialEq)]
pub enum EcsvMeta {
    /// A number; not finite ones are written as `.nan` and `.inf`.
    Float(f64),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(String),
}

macro_rules! from {
    ($($source:ty => $target:ident :: $variant:ident ($convert:expr);)*) => {
        $(
            impl From<$source> for $target {
                fn from(value: $source) -> Self {
                    Self::$variant($convert(value))
                }
            }
        )*
    };
}

from! {
    Vec<f64> => EcsvColumn::Float(|v| v);
    Vec<i64> => EcsvColumn::Int(|v| v);
    Vec<bool> => EcsvColumn::Bool(|v| v);
    Vec<String> => EcsvColumn::Text(|v| v);
    f64 => EcsvMeta::Float(|v| v);
    i64 => EcsvMeta::Int(|v| v);
    bool => EcsvMeta::Bool(|v| v);
    &str => EcsvMeta::Text(str::to_string);
    String => EcsvMeta::Text(|v| v);
}

#[derive(Debug, Clone, PartialEq)]
struct NamedColumn {
    name: String,
    unit: String,
    description: String,
    values: EcsvColumn,
}

/// A table with units, descriptions and a header, to be written for astropy's `Table.read(…, format="ascii.ecsv")`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EcsvTable {
    meta: Vec<(String, EcsvMeta)>,
    columns: Vec<NamedColumn>,
}

impl EcsvTable {
    /// Without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more entry of the header; one of the same name is replaced.
    #[must_use]
    pub fn with_meta(mut self, key: &str, value: impl Into<EcsvMeta>) -> Self {
        let value = value.into();
        match self.meta.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value,
            None => self.meta.push((key.to_string(), value)),
        }
        self
    }

    /// Adds a column at the end; `unit` and `description` may be empty.
    ///
    /// # Errors
    /// [`Error::Input`] where the name is empty or there already, or the number of rows is not that of the others.
    pub fn column(&mut self, name: &str, unit: &str, description: &str, values: impl Into<EcsvColumn>) -> Result<()> {
        let values = values.into();
        if name.is_empty() || self.columns.iter().any(|c| c.name == name) {
            return Err(Error::input(name, "a column needs a name that no other has"));
        }
        if let Some(first) = self.columns.first()
            && first.values.len() != values.len()
        {
            return Err(Error::input(
                name,
                format!("{} rows where '{}' has {}", values.len(), first.name, first.values.len()),
            ));
        }
        self.columns.push(NamedColumn {
            name: name.to_string(),
            unit: unit.to_string(),
            description: description.to_string(),
            values,
        });
        Ok(())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |c| c.values.len())
    }

    /// Names of the columns, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|c| c.name.as_str())
    }

    /// The values of a column.
    pub fn get(&self, name: &str) -> Option<&EcsvColumn> {
        self.columns.iter().find(|c| c.name == name).map(|c| &c.values)
    }

    /// The whole file.
    pub fn to_ecsv(&self) -> String {
        let mut out = String::from("# %ECSV 1.0\n# ---\n");
        if !self.columns.is_empty() {
            out += "# datatype:\n";
        }
        for column in &self.columns {
            out += &format!("# - {{name: {}", quoted(&column.name));
            if !column.unit.is_empty() {
                out += &format!(", unit: {}", quoted(&column.unit));
            }
            out += &format!(", datatype: {}", column.values.datatype());
            if !column.description.is_empty() {
                out += &format!(", description: {}", quoted(&column.description));
            }
            out += "}\n";
        }
        if !self.meta.is_empty() {
            out += "# meta: !!omap\n";
        }
        for (key, value) in &self.meta {
            let value = match value {
                EcsvMeta::Float(v) if v.is_nan() => ".nan".to_string(),
                EcsvMeta::Float(v) if v.is_infinite() => if *v > 0.0 { ".inf" } else { "-.inf" }.to_string(),
                EcsvMeta::Float(v) => yaml_number(*v),
                EcsvMeta::Int(v) => v.to_string(),
                EcsvMeta::Bool(v) => v.to_string(),
                EcsvMeta::Text(v) => quoted(v),
            };
            out += &format!("# - {{{}: {value}}}\n", quoted(key));
        }
        out += "# schema: astropy-2.0\n";
        let names: Vec<String> = self.columns.iter().map(|c| cell_text(&c.name)).collect();
        out += &(names.join(" ") + "\n");
        for row in 0..self.rows() {
            let cells: Vec<String> = self.columns.iter().map(|c| c.values.cell(row)).collect();
            out += &(cells.join(" ") + "\n");
        }
        out
    }

    /// Writes the file as a whole or not at all.
    ///
    /// # Errors
    /// [`Error::Options`] where the file exists and is not to be replaced or its folder is missing, [`Error::Io`] where
    /// writing fails.
    pub fn write(&self, path: impl AsRef<Path>, overwrite: bool) -> Result<()> {
        write_atomic(path, overwrite, |out| out.write_all(self.to_ecsv().as_bytes()))
    }
}

/// The shortest text that reads back as the same number.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_string();
    }
    let magnitude = value.abs();
    if value == 0.0 || (1e-4..1e16).contains(&magnitude) { format!("{value}") } else { format!("{value:e}") }
}

/// YAML 1.1 takes `1e-12` for a text: it wants a point and a signed exponent.
fn yaml_number(value: f64) -> String {
    let text = number(value);
    match text.split_once('e') {
        Some((mantissa, power)) => {
            let point = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if power.starts_with('-') { "" } else { "+" };
            format!("{mantissa}{point}e{sign}{power}")
        }
        None if text.contains('.') => text,
        None => text + ".0",
    }
}

/// A text in double quotes, as JSON and YAML have them.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// A text as a cell: quoted where it is empty or holds blanks or quotes.
fn cell_text(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    let bare = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '"' || c == '#');
    if bare { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_are_errors() {
        let mut table = EcsvTable::new();
        table.column("a", "", "", vec![1.0, 2.0]).unwrap();
        assert!(table.column("a", "", "", vec![1.0, 2.0]).is_err());
        assert!(table.column("", "", "", vec![1.0, 2.0]).is_err());
        let error = table.column("b", "", "", vec![1_i64]).unwrap_err();
        assert!(error.to_string().contains("1 rows where 'a' has 2"), "{error}");
        assert_eq!((table.rows(), table.names().count()), (2, 1));
    }

    #[test]
    fn numbers_read_back_as_they_were() {
        for value in [0.0, -0.0, 1.0, 1e-12, -3.25e-300, 1e300, 5e-324, 0.1 + 0.2, 123456789.123, 1e16, -1e-4] {
            assert_eq!(number(value).parse::<f64>().unwrap().to_bits(), value.to_bits(), "{value}");
            let yaml = yaml_number(value);
            assert_eq!(yaml.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{yaml}");
            assert!(yaml.contains('.'), "{yaml}");
        }
    }

    #[test]
    fn texts_cannot_break_the_table() {
        let mut table = EcsvTable::new().with_meta("a: b", "x\n# - {y: 1}").with_meta("n", 3_i64);
        let names = ["", "a b", "say \"hi\"", "two\nlines", "#comment", "ü"].map(String::from).to_vec();
        table.column("name", "", "", names).unwrap();
        let text = table.to_ecsv();
        let body: Vec<&str> = text.lines().skip_while(|l| l.starts_with("# ")).collect();
        assert_eq!(body, ["name", "\"\"", "\"a b\"", "\"say \"\"hi\"\"\"", "\"two lines\"", "\"#comment\"", "ü"]);
        assert!(text.contains("# - {\"a: b\": \"x\\n# - {y: 1}\"}\n"));
    }
}
