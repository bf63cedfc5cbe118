//! Tables before they are read: columns named and in the units that were asked for, energies and times in order.

use std::borrow::Cow;
use std::str::FromStr;

use super::from::guess_format;
use super::{FromTable, TableFormat};
use crate::error::{Error, Result};
use crate::flux::SedType;
use crate::table::{Table, Values};

/// Names of columns that are read, beside those of fluxes.
const NAMES: [&str; 26] = [
    "e_ref",
    "e_min",
    "e_max",
    "ref_dnde",
    "ref_flux",
    "ref_eflux",
    "ref_e2dnde",
    "time_min",
    "time_max",
    "time_bin_start",
    "time_bin_size",
    "x_min",
    "x_max",
    "x_ref",
    "norm_scan",
    "stat_scan",
    "loglike",
    "loglike_null",
    "dloglike_scan",
    "source",
    "lon",
    "lat",
    "time_start",
    "time_stop",
    "mask_safe",
    "mask_fit",
];

/// A column of a table, the name that it is read under, and the unit that its numbers are in whatever the file says.
///
/// ```
/// use pevatron::flux::ColumnAs;
/// let column: ColumnAs = "time_min=T_START:d".parse()?;
/// assert_eq!((column.name.as_str(), column.column.as_str(), column.unit.as_deref()), ("time_min", "T_START", Some("d")));
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnAs {
    /// Name that it is read under, e.g. `e_ref`.
    pub name: String,
    /// Name in the file.
    pub column: String,
    /// Unit of its numbers; `None`: that of the file.
    pub unit: Option<String>,
}

impl FromStr for ColumnAs {
    type Err = Error;

    /// `NEW=OLD` or `NEW=OLD:UNIT`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |problem: &str| {
            Error::options("column", format!("'{text}' {problem}")).with_help("write NEW=OLD:UNIT, e.g. e_ref=E:TeV")
        };
        let (name, rest) = text.split_once('=').ok_or_else(|| wrong("has no ="))?;
        let (column, unit) = rest.split_once(':').map_or((rest, None), |(column, unit)| (column, Some(unit)));
        if name.is_empty() || column.is_empty() {
            return Err(wrong("lacks a name"));
        }
        Ok(Self { name: name.to_string(), column: column.to_string(), unit: unit.map(str::to_string) })
    }
}

impl FromTable {
    /// The table with its columns under the names and in the units of [`FromTable::columns`]; names that differ from
    /// those that are read in case alone (`E_REF`) are those.
    ///
    /// # Errors
    /// [`Error::Input`] where a column is missing or two have one name; [`Error::Options`] where a unit is none.
    pub fn named<'a>(&self, table: &'a Table) -> Result<Cow<'a, Table>> {
        let mut named = Cow::Borrowed(table);
        for column in &self.columns {
            let table = named.to_mut();
            table.rename(&column.column, &column.name)?;
            if let Some(unit) = &column.unit {
                table.set_unit(&column.name, unit).map_err(|e| {
                    Error::options("column", format!("{}={}: {e}", column.name, column.column)).with_help_of(&e)
                })?;
            }
        }
        let renamed: Vec<(String, String)> = table_names(&named)
            .into_iter()
            .map(|name| (name.to_lowercase(), name))
            .filter(|(lower, name)| lower != name && !named.has(lower) && is_read(lower))
            .collect();
        for (lower, name) in renamed {
            if !named.has(&lower) {
                named.to_mut().rename(&name, &lower)?;
            }
        }
        Ok(named)
    }

    /// [`FromTable::named`], with rows in the order of their energies, times or distances, and in each row the energies in
    /// order: what [`FluxPoints::from_table`](crate::flux::FluxPoints::from_table) reads. Columns of masks and of other
    /// things are turned with them.
    ///
    /// # Errors
    /// As [`FromTable::named`].
    pub fn prepared<'a>(&self, table: &'a Table) -> Result<Cow<'a, Table>> {
        let mut table = self.named(table)?;
        let format = self.format.unwrap_or_else(|| guess_format(&table));
        let keys: &[&str] = match format {
            TableFormat::GadfSed => &["e_ref", "e_min", "e_max"],
            TableFormat::LightCurve => &["time_min", "time_max"],
            TableFormat::BinnedTimeSeries => &["time_bin_start"],
            TableFormat::Profile => &["x_min", "x_max"],
        };
        if let Some(order) = order_of(&table, keys, false) {
            table = Cow::Owned(table.select(&order));
        }
        if format != TableFormat::GadfSed
            && let Some(order) = order_of(&table, &["e_ref", "e_min", "e_max"], true)
        {
            let mut turned = Table::new();
            for column in table.columns() {
                turned.push(column.rearranged(&order))?;
            }
            for (key, value) in table.meta() {
                turned.set_meta(key, value.clone());
            }
            table = Cow::Owned(turned);
        }
        Ok(table)
    }
}

fn table_names(table: &Table) -> Vec<String> {
    table.names().into_iter().map(str::to_string).collect()
}

/// True for names of columns that have a meaning.
pub(in crate::flux) fn is_read(name: &str) -> bool {
    NAMES.contains(&name) || SedType::ALL.iter().any(|sed| sed.quantity(name).is_some())
}

/// The order in which the numbers of a column increase (those that are equal by the next one); `None` where they do
/// already, or cannot be ordered. `inside`: of the first row.
fn order_of(table: &Table, keys: &[&str], inside: bool) -> Option<Vec<usize>> {
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for column in keys.iter().filter_map(|key| table.get(key)) {
        let pairs = super::axes::julian_pairs(column).filter(|_| !inside);
        let is_pairs = pairs.is_some();
        let values = match column.values() {
            _ if is_pairs => pairs.unwrap_or_default(),
            Values::Text(_) => super::axes::dates(column)?,
            _ if column.unit().is_known() => column.to_floats(&column.unit().to_string()).ok()?,
            Values::Float(values) => values.clone(),
            Values::Int(values) => values.iter().map(|v| *v as f64).collect(),
            Values::Bool(_) => return None,
        };
        if inside {
            columns.push(values.get(..column.per_row()).filter(|_| !column.shape().is_empty())?.to_vec());
        } else if column.shape().is_empty() || is_pairs {
            columns.push(values);
        }
    }
    let first = columns.first()?;
    if first.iter().any(|v| v.is_nan()) {
        columns.remove(0);
    }
    let first = columns.first().filter(|c| !c.iter().any(|v| v.is_nan()))?;
    let mut order: Vec<usize> = (0..first.len()).collect();
    order.sort_by(|a, b| {
        let by = |c: &Vec<f64>| c.get(*a).zip(c.get(*b)).map_or(std::cmp::Ordering::Equal, |(a, b)| a.total_cmp(b));
        columns.iter().map(by).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    (!order.is_sorted()).then_some(order)
}
