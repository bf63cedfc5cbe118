//! The covariance file beside a YAML of models, as Gammapy writes it: a table of fixed width with `|` between columns.

use std::fmt::Write;
use std::path::Path;

use ndarray::Array2;

use crate::error::{Error, Place, Result};
use crate::io::yaml::node::Node;
use crate::models::{Covariance, Models};

/// Most parameters that a file may have.
const MAX_PARAMETERS: usize = 20_000;

impl Covariance {
    /// As the table that Gammapy reads (`ascii.fixed_width`).
    pub fn to_table_text(&self) -> String {
        let n = self.names().len();
        let mut columns = vec![[vec!["Parameters".to_string()], self.names().to_vec()].concat()];
        for j in 0..n {
            let values = self.matrix().column(j).iter().map(|v| format!("{v:?}")).collect();
            columns.push([vec![j.to_string()], values].concat());
        }
        let widths: Vec<usize> =
            columns.iter().map(|c| c.iter().map(|t| t.chars().count()).max().unwrap_or(0)).collect();
        let mut text = String::new();
        for row in 0..=n {
            text.push('|');
            for (column, width) in columns.iter().zip(&widths) {
                // Writing to a String cannot fail.
                let _ = write!(text, " {:>width$} |", column[row]);
            }
            text.push('\n');
        }
        text
    }

    /// From the table that Gammapy writes.
    ///
    /// # Errors
    /// [`Error::Input`] with the line for anything else, and as [`Covariance::new`].
    pub fn from_table_text(text: &str) -> Result<Self> {
        let mut rows = Vec::new();
        for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let cells = line.trim().strip_prefix('|').and_then(|l| l.strip_suffix('|'));
            let Some(cells) = cells else {
                return Err(Error::input(format!("line {}", n + 1), "is not a row of a covariance between '|'"));
            };
            rows.push((n + 1, cells.split('|').map(str::trim).collect::<Vec<_>>()));
        }
        if rows.len() > MAX_PARAMETERS {
            return Err(Error::input("covariance", format!("{} rows are too many", rows.len())));
        }
        let Some((_, head)) = rows.first() else { return Err(Error::input("covariance", "the table is empty")) };
        let n = rows.len() - 1;
        if head.first() != Some(&"Parameters") || head.len() != n + 1 {
            return Err(Error::input("line 1", format!("{} columns for {n} parameters", head.len().saturating_sub(1))));
        }
        let (mut names, mut matrix) = (Vec::new(), Array2::zeros((n, n)));
        for (i, (line, cells)) in rows[1..].iter().enumerate() {
            if cells.len() != n + 1 {
                return Err(Error::input(format!("line {line}"), format!("{} values, not {n}", cells.len() - 1)));
            }
            names.push(cells[0].to_string());
            for (j, cell) in cells[1..].iter().enumerate() {
                matrix[[i, j]] = cell
                    .parse()
                    .map_err(|_| Error::input(format!("line {line}"), format!("'{cell}' is not a number")))?;
            }
        }
        Self::new(names, matrix)
    }
}

impl Models {
    /// The covariance that the YAML file of these models names; `None` where it names none.
    ///
    /// # Errors
    /// [`Error::Input`] where the file is missing or no table, or has other parameters than the models.
    pub fn read_covariance(&self, yaml: impl AsRef<Path>) -> Result<Option<Covariance>> {
        let yaml = yaml.as_ref();
        let text = |path: &Path| super::input::read_text(path, "this is not text");
        let root = Node::parse(&text(yaml)?).map_err(|e| e.at(&Place::file(yaml)))?;
        let Some(name) = root.get("covariance").map(Node::text).transpose()? else { return Ok(None) };
        let path = yaml.parent().unwrap_or(Path::new("")).join(name);
        let covariance = Covariance::from_table_text(&text(&path)?).map_err(|e| e.at(&Place::file(&path)))?;
        let names: Vec<String> = self.parameters().into_iter().map(|(n, _)| n).collect();
        if covariance.names().len() != names.len() {
            let found = covariance.names().len();
            return Err(Error::input_at(
                Place::file(&path),
                format!("{found} parameters where the models have {}", names.len()),
            ));
        }
        Ok(Some(covariance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_back_and_broken_ones_are_refused() {
        let names = vec!["a.spectral.index".to_string(), "a.spectral.amplitude".to_string()];
        let matrix = ndarray::array![[0.01, -1.25e-14], [-1.25e-14, 3.3e-26]];
        let covariance = Covariance::new(names, matrix).unwrap();
        let text = covariance.to_table_text();
        assert_eq!(Covariance::from_table_text(&text).unwrap(), covariance);
        assert!(covariance.correlation()[[0, 1]] < -0.6);
        for broken in [
            "",
            "no table",
            "| Parameters | 0 |\n| a | x |\n",
            "| Parameters | 0 |\n| a | 1.0 | 2.0 |\n",
            "| Parameters | 0 |\n| a | -1.0 |\n",
        ] {
            assert!(Covariance::from_table_text(broken).is_err(), "{broken:?}");
        }
    }
}
