//! One column of a table.

use crate::error::{Error, Result};
use crate::units::Unit;

/// The values of a column, all rows one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers; NaN where there is none.
    Float(Vec<f64>),
    /// Whole numbers.
    Int(Vec<i64>),
    /// Yes or no.
    Bool(Vec<bool>),
    /// Text.
    Text(Vec<String>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Float(v) => v.len(),
            Self::Int(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

macro_rules! from {
    ($($source:ty => $variant:ident;)*) => {
        $(
            impl From<$source> for Values {
                fn from(values: $source) -> Self {
                    Self::$variant(values)
                }
            }
        )*
    };
}

from! {
    Vec<f64> => Float;
    Vec<i64> => Int;
    Vec<bool> => Bool;
    Vec<String> => Text;
}

/// A column: name, unit, values, and the shape of one row (empty for one value per row; slowest dimension first).
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    unit: Unit,
    values: Values,
    shape: Vec<usize>,
    description: String,
}

impl Column {
    /// One value per row.
    pub fn new(name: &str, unit: Unit, values: Values) -> Self {
        Self { name: name.to_string(), unit, values, shape: Vec::new(), description: String::new() }
    }

    /// The same with a description, which ECSV files hold.
    pub fn described(self, description: &str) -> Self {
        Self { description: description.to_string(), ..self }
    }

    /// What the values are; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// One number per row.
    pub fn floats(name: &str, unit: Unit, values: Vec<f64>) -> Self {
        Self::new(name, unit, Values::Float(values))
    }

    /// One text per row.
    pub fn texts(name: &str, values: Vec<String>) -> Self {
        Self::new(name, Unit::default(), Values::Text(values))
    }

    /// One truth value per row.
    pub fn bools(name: &str, values: Vec<bool>) -> Self {
        Self::new(name, Unit::default(), Values::Bool(values))
    }

    /// The same values as arrays, one per row.
    ///
    /// # Errors
    /// [`Error::Input`] where they do not make whole rows.
    pub fn with_shape(self, shape: Vec<usize>) -> Result<Self> {
        let per_row: usize = shape.iter().product();
        if per_row == 0 || !self.values.len().is_multiple_of(per_row) {
            let problem = format!("{} values do not make rows of {shape:?}", self.values.len());
            return Err(Error::input(self.name, problem));
        }
        Ok(Self { shape, ..self })
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn set_name(&mut self, name: &str) {
        self.name = name.to_string();
    }

    /// Unit.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    pub(super) fn set_unit(&mut self, unit: Unit) {
        self.unit = unit;
    }

    /// The values of all rows.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Shape of one row, the slowest dimension first; empty for one value.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Values in a row.
    pub fn per_row(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.per_row().max(1)
    }

    /// The rows of another column after these; `None` for another kind, shape or unit that cannot be converted.
    pub(super) fn appended(&self, other: &Self) -> Option<Self> {
        let factor = other.unit.factor_to(&self.unit).ok()?;
        if self.shape != other.shape || (factor != 1.0 && !matches!(other.values, Values::Float(_))) {
            return None;
        }
        let values = match (&self.values, &other.values) {
            (Values::Float(a), Values::Float(b)) => {
                Values::Float(a.iter().copied().chain(b.iter().map(|v| v * factor)).collect())
            }
            (Values::Int(a), Values::Int(b)) => Values::Int([&a[..], b].concat()),
            (Values::Bool(a), Values::Bool(b)) => Values::Bool([&a[..], b].concat()),
            (Values::Text(a), Values::Text(b)) => Values::Text([&a[..], b].concat()),
            _ => return None,
        };
        Some(Self { values, ..self.clone() })
    }

    /// The same with the values of a row in another order along the first dimension of its shape; columns of another
    /// shape stay as they are.
    pub(crate) fn rearranged(&self, order: &[usize]) -> Self {
        if self.shape.first() != Some(&order.len()) {
            return self.clone();
        }
        let block = self.per_row() / order.len();
        let rows: Vec<usize> =
            (0..self.rows()).flat_map(|row| order.iter().map(move |i| row * order.len() + i)).collect();
        let flat = Self { shape: if block > 1 { vec![block] } else { Vec::new() }, ..self.clone() };
        Self { shape: self.shape.clone(), ..flat.select(&rows) }
    }

    /// The numbers in a unit; whole numbers and truth values are numbers, too.
    ///
    /// # Errors
    /// [`Error::Input`] for text and for a unit that cannot be converted.
    pub fn to_floats(&self, unit: &str) -> Result<Vec<f64>> {
        let factor = self.unit.factor_to_text(unit).map_err(|e| {
            if self.unit.is_known() {
                let problem = format!("the column is in '{}' where '{unit}' is needed", self.unit);
                return Error::input(&self.name, problem);
            }
            let hint = e.help().filter(|h| h.starts_with("did you mean")).map(|h| format!("{h} ")).unwrap_or_default();
            let name = &self.name;
            Error::input(name, format!("the unit of the column is not read: {e}")).with_help_for(
                format!("{hint}Table::set_unit gives the column another unit"),
                format!("{hint}Another unit is given by 'pevatron convert --column {name}={name}:UNIT'"),
            )
        })?;
        let mut values: Vec<f64> = match &self.values {
            Values::Float(v) => v.clone(),
            Values::Int(v) => v.iter().map(|v| *v as f64).collect(),
            Values::Bool(v) => v.iter().map(|v| f64::from(u8::from(*v))).collect(),
            Values::Text(_) => return Err(Error::input(&self.name, "numbers are needed in this column")),
        };
        if factor != 1.0 {
            values.iter_mut().for_each(|v| *v *= factor);
        }
        Ok(values)
    }

    /// Some rows.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let n = self.per_row();
        fn pick<T: Clone>(values: &[T], rows: &[usize], n: usize) -> Vec<T> {
            rows.iter().filter_map(|r| values.get(r * n..(r + 1) * n)).flatten().cloned().collect()
        }
        let values = match &self.values {
            Values::Float(v) => Values::Float(pick(v, rows, n)),
            Values::Int(v) => Values::Int(pick(v, rows, n)),
            Values::Bool(v) => Values::Bool(pick(v, rows, n)),
            Values::Text(v) => Values::Text(pick(v, rows, n)),
        };
        Self { values, ..self.clone() }
    }
}
