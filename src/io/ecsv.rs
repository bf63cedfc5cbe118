//! ECSV, astropy's tables as text: a YAML header with names, units and types in comments, then rows.

use std::fmt::Write;

use super::yaml::node::{Node, Value};
use crate::error::{Error, Result};
use crate::table::{Column, MetaValue, Table, Values};
use crate::units::Unit;

/// What the first line begins with.
pub(super) const MAGIC: &str = "# %ECSV";

/// A column as the header describes it.
struct Described {
    name: String,
    unit: Unit,
    kind: Kind,
    shape: Vec<usize>,
    description: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Float,
    Int,
    Bool,
    Text,
}

/// Parses a table.
pub(super) fn parse(text: &str) -> Result<Table> {
    let mut header = String::new();
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match line.strip_prefix('#') {
            Some(comment) if rows.is_empty() => {
                // The header starts behind its version; lines keep their numbers for messages.
                let content = comment.strip_prefix(' ').unwrap_or(comment);
                header.push_str(if content.starts_with("%ECSV") { "" } else { content });
                header.push('\n');
            }
            Some(_) => {}
            None if line.trim().is_empty() => {}
            None => rows.push((number + 1, line)),
        }
    }
    let root = Node::parse(&header)?;
    let delimiter = match root.get("delimiter").map(Node::text).transpose()?.as_deref() {
        None | Some(" ") => ' ',
        Some(",") => ',',
        Some(other) => return Err(Error::input("delimiter", format!("'{other}' is neither a blank nor a comma"))),
    };
    let described: Vec<Described> = root.require("datatype")?.list()?.iter().map(describe).collect::<Result<_>>()?;
    let mut rows = rows.into_iter();
    let Some((number, names)) = rows.next() else {
        return Err(Error::input("table", "the line with the names of the columns is missing"));
    };
    let names = fields(names, delimiter, number)?;
    if !names.iter().eq(described.iter().map(|d| &d.name)) {
        let wanted: Vec<&str> = described.iter().map(|d| d.name.as_str()).collect();
        return Err(Error::input(
            format!("line {number}"),
            format!("the columns {names:?} are not those of the header {wanted:?}"),
        ));
    }
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); described.len()];
    let mut lines = Vec::new();
    for (number, line) in rows {
        let found = fields(line, delimiter, number)?;
        if found.len() != described.len() {
            return Err(Error::input(
                format!("line {number}"),
                format!("{} values where there are {} columns", found.len(), described.len()),
            ));
        }
        lines.push(number);
        for (column, cell) in cells.iter_mut().zip(found) {
            column.push(cell);
        }
    }
    let mut table = Table::new();
    for (column, cells) in described.into_iter().zip(cells) {
        table.push(build(column, cells, &lines)?)?;
    }
    if let Some(meta) = root.get("meta") {
        read_meta(meta, &mut table)?;
    }
    Ok(table)
}

fn describe(node: &Node) -> Result<Described> {
    let name = node.require("name")?.text()?;
    let unit = match node.get("unit") {
        // Only columns that are used need a unit that is known.
        Some(unit) => Unit::parse_or_keep(&unit.text()?),
        None => Unit::default(),
    };
    let datatype = node.require("datatype")?.text()?;
    let subtype = node.get("subtype").map(Node::text).transpose()?;
    // Arrays are text with a subtype such as float64[11].
    let (scalar, shape) = match subtype.as_deref().and_then(|s| s.strip_suffix(']')).and_then(|s| s.split_once('[')) {
        Some((scalar, sizes)) => {
            let sizes: std::result::Result<Vec<usize>, _> = sizes.split(',').map(|n| n.trim().parse()).collect();
            let sizes = sizes.ok().filter(|s| s.iter().all(|n| *n > 0)).ok_or_else(|| {
                node.error(format!(
                    "column '{name}': rows of varying size ({}) cannot be read",
                    subtype.as_deref().unwrap_or("")
                ))
            })?;
            (scalar.to_string(), sizes)
        }
        None => (datatype, Vec::new()),
    };
    let kind = match scalar.as_str() {
        "bool" => Kind::Bool,
        "string" => Kind::Text,
        t if t.starts_with("int") || t.starts_with("uint") => Kind::Int,
        t if t.starts_with("float") => Kind::Float,
        other => return Err(node.error(format!("column '{name}': the type '{other}' cannot be read"))),
    };
    let description = node.get("description").map(Node::text).transpose()?.unwrap_or_default();
    Ok(Described { name, unit, kind, shape, description })
}

fn build(column: Described, cells: Vec<String>, lines: &[usize]) -> Result<Column> {
    let Described { name, unit, kind, shape, description } = column;
    let per_row: usize = shape.iter().product();
    let wrong = |row: usize, cell: &str| {
        Error::input(format!("line {}", lines[row]), format!("'{cell}' in column '{name}' is not a value of its type"))
    };
    let mut items: Vec<(usize, String)> = Vec::with_capacity(cells.len() * per_row);
    for (row, cell) in cells.into_iter().enumerate() {
        if shape.is_empty() {
            items.push((row, cell));
            continue;
        }
        let before = items.len();
        let flat: String = cell.chars().filter(|c| *c != '[' && *c != ']').collect();
        items.extend(flat.split(',').map(|v| (row, v.trim().to_string())));
        if items.len() - before != per_row {
            return Err(wrong(row, &cell));
        }
    }
    fn all<T>(
        items: &[(usize, String)],
        one: impl Fn(&str) -> Option<T>,
        wrong: impl Fn(usize, &str) -> Error,
    ) -> Result<Vec<T>> {
        items.iter().map(|(row, cell)| one(cell).ok_or_else(|| wrong(*row, cell))).collect()
    }
    let values = match kind {
        // Empty: a value that is masked.
        Kind::Float => Values::Float(all(
            &items,
            |c| if c.is_empty() || c == "null" { Some(f64::NAN) } else { c.parse().ok() },
            wrong,
        )?),
        Kind::Int => Values::Int(all(&items, |c| c.parse().ok(), wrong)?),
        Kind::Bool => Values::Bool(all(
            &items,
            |c| match c {
                "True" | "true" | "1" => Some(true),
                "False" | "false" | "0" => Some(false),
                _ => None,
            },
            wrong,
        )?),
        Kind::Text => Values::Text(items.into_iter().map(|(_, c)| c).collect()),
    };
    let column = Column::new(&name, unit, values).described(&description);
    if shape.is_empty() { Ok(column) } else { column.with_shape(shape) }
}

fn read_meta(node: &Node, table: &mut Table) -> Result<()> {
    let mut set = |key: &str, value: &Node| match &value.value {
        Value::Text(t) => table.set_meta(key, t.as_str()),
        Value::Bool(b) => table.set_meta(key, MetaValue::Bool(*b)),
        Value::Number(v) if v.fract() == 0.0 && v.abs() < 1e15 => table.set_meta(key, MetaValue::Int(*v as i64)),
        Value::Number(v) => table.set_meta(key, *v),
        // Columns of times in astropy's own description: their scale counts, the rest is in the columns.
        Value::Map(columns) if key == "__serialized_columns__" => {
            let scales: Vec<String> =
                columns.iter().filter_map(|(_, c)| c.get("scale")?.text().ok()).map(|s| s.to_lowercase()).collect();
            if let Some(scale) = scales.first().filter(|first| scales.iter().all(|s| s == *first)) {
                table.set_meta("TIMESYS", scale.as_str());
            }
        }
        // Comments and nested entries of other tools are not needed.
        Value::Null | Value::List(_) | Value::Map(_) => {}
    };
    let entries = match &node.value {
        Value::List(list) => list.iter().collect(),
        _ => vec![node],
    };
    for entry in entries {
        let Value::Map(pairs) = &entry.value else { return Err(entry.error("an entry with a key is needed here")) };
        for (key, value) in pairs {
            set(key, value);
        }
    }
    Ok(())
}

/// The fields of a line; a field in double quotes may hold delimiters, and quotes that are doubled.
pub(super) fn fields(line: &str, delimiter: char, number: usize) -> Result<Vec<String>> {
    let mut list = Vec::new();
    let mut chars = line.trim().chars().peekable();
    loop {
        while chars.peek().is_some_and(|c| c.is_whitespace() && *c != delimiter || *c == ' ') {
            chars.next();
        }
        let mut field = String::new();
        if chars.peek() == Some(&'"') {
            chars.next();
            loop {
                match chars.next() {
                    Some('"') if chars.peek() == Some(&'"') => {
                        chars.next();
                        field.push('"');
                    }
                    Some('"') => break,
                    Some(c) => field.push(c),
                    None => return Err(Error::input(format!("line {number}"), "a quotation mark is not closed")),
                }
            }
        }
        let is_end = |c: char| if delimiter == ' ' { c.is_whitespace() } else { c == delimiter };
        while let Some(c) = chars.peek().copied() {
            if is_end(c) {
                break;
            }
            field.push(c);
            chars.next();
        }
        list.push(if delimiter == ' ' { field } else { field.trim().to_string() });
        if chars.next().is_none() {
            return Ok(list);
        }
    }
}

/// The text of a table.
pub(super) fn to_text(table: &Table) -> String {
    let mut out = format!("{MAGIC} 1.0\n# ---\n# datatype:\n");
    for column in table.columns() {
        let kind = match column.values() {
            Values::Float(_) => "float64",
            Values::Int(_) => "int64",
            Values::Bool(_) => "bool",
            Values::Text(_) => "string",
        };
        let unit = column.unit().to_string();
        let unit = if unit.is_empty() { unit } else { format!(", unit: {}", quoted_yaml(&unit)) };
        let kind = if column.shape().is_empty() {
            format!("datatype: {kind}")
        } else {
            let sizes: Vec<String> = column.shape().iter().map(usize::to_string).collect();
            format!("datatype: string, subtype: '{kind}[{}]'", sizes.join(","))
        };
        let description = match column.description() {
            "" => String::new(),
            text => format!(", description: {}", quoted_yaml(text)),
        };
        let _ = writeln!(out, "# - {{name: {}{unit}, {kind}{description}}}", quoted_yaml(column.name()));
    }
    if !table.meta().is_empty() {
        out.push_str("# meta: !!omap\n");
        for (key, value) in table.meta() {
            let value = match value {
                MetaValue::Text(t) => quoted_yaml(t),
                MetaValue::Int(v) => v.to_string(),
                MetaValue::Float(v) if v.is_nan() => ".nan".to_string(),
                MetaValue::Float(v) if v.is_infinite() => if *v > 0.0 { ".inf" } else { "-.inf" }.to_string(),
                MetaValue::Float(v) => yaml_float(*v),
                MetaValue::Bool(v) => v.to_string(),
            };
            let _ = writeln!(out, "# - {{{}: {value}}}", quoted_yaml(key));
        }
    }
    out.push_str("# schema: astropy-2.0\n");
    let names: Vec<String> = table.names().into_iter().map(quoted_field).collect();
    out.push_str(&names.join(" "));
    out.push('\n');
    for row in 0..table.rows() {
        let cells: Vec<String> = table.columns().iter().map(|c| cell(c, row)).collect();
        out.push_str(&cells.join(" "));
        out.push('\n');
    }
    out
}

fn cell(column: &Column, row: usize) -> String {
    let n = column.per_row();
    let texts: Vec<String> = (row * n..(row + 1) * n)
        .map(|i| match column.values() {
            Values::Float(v) => float(v[i], !column.shape().is_empty()),
            Values::Int(v) => v[i].to_string(),
            Values::Bool(v) if column.shape().is_empty() => if v[i] { "True" } else { "False" }.to_string(),
            Values::Bool(v) => v[i].to_string(),
            Values::Text(v) => quoted_field(&v[i]),
        })
        .collect();
    if column.shape().is_empty() { texts.concat() } else { nested(&texts, column.shape()) }
}

/// JSON of an array.
fn nested(values: &[String], shape: &[usize]) -> String {
    let parts: Vec<String> = match shape {
        [] | [_] => values.to_vec(),
        [_, rest @ ..] => values.chunks(rest.iter().product::<usize>().max(1)).map(|c| nested(c, rest)).collect(),
    };
    format!("[{}]", parts.join(","))
}

/// A number that reads back as the same; JSON has its own words for those that are not finite.
fn float(value: f64, json: bool) -> String {
    match value {
        v if v.is_nan() => if json { "NaN" } else { "nan" }.to_string(),
        v if v.is_infinite() && json => if v > 0.0 { "Infinity" } else { "-Infinity" }.to_string(),
        v => format!("{v:?}"),
    }
}

/// YAML 1.1 wants a point in the mantissa.
fn yaml_float(value: f64) -> String {
    let text = format!("{value:?}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let point = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{mantissa}{point}e{sign}{exponent}")
        }
        None => text,
    }
}

fn quoted_yaml(text: &str) -> String {
    let plain = !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./()^ *".contains(c))
        && text.chars().any(|c| c.is_ascii_alphabetic())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&text.to_lowercase().as_str());
    if plain {
        return text.to_string();
    }
    // Line breaks would leave the comment: in double quotes they are escaped, as in JSON.
    match serde_json::to_string(text) {
        Ok(json) if text.contains(|c: char| c.is_control()) => json,
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

fn quoted_field(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.is_empty() || clean.starts_with('#') || clean.contains(|c: char| c.is_whitespace() || c == '"') {
        format!("\"{}\"", clean.replace('"', "\"\""))
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut table = Table::new();
        table.push(Column::floats("e_ref", "TeV".parse().unwrap(), vec![1.5e-3, f64::NAN])).unwrap();
        table.push(Column::floats("dnde", "cm-2 s-1 TeV-1".parse().unwrap(), vec![2.88e-12, f64::INFINITY])).unwrap();
        table.push(Column::new("n", Unit::default(), Values::Int(vec![-3, 4]))).unwrap();
        table.push(Column::bools("is_ul", vec![true, false]).described("1: only the limit, e.g. {x}")).unwrap();
        table.push(Column::texts("name", vec!["Crab \"the\" nebula".into(), String::new()])).unwrap();
        let scan = vec![1.0, 2.0, 3.5, -1e-9, f64::NAN, 6.0, 7.0, 8.0];
        table.push(Column::floats("scan", Unit::default(), scan).with_shape(vec![2, 2]).unwrap()).unwrap();
        table.set_meta("SED_TYPE", "dnde");
        table.set_meta("UL_CONF", 0.9544997);
        table.set_meta("MJDREFI", 51544_i64);
        table.set_meta("comment", "it's: # odd");
        table.set_meta("a: #b", "x {y}\n- z\t\"");
        table.set_meta("tiny", 1e-12);
        let text = to_text(&table);
        let again = parse(&text).unwrap();
        assert_eq!(to_text(&again), text);
        assert_eq!(again.names(), table.names());
        assert_eq!(again.meta(), table.meta());
        assert_eq!(again.texts("name").unwrap()[0], "Crab \"the\" nebula");
        assert_eq!(again.column("scan").unwrap().shape(), [2, 2]);
        assert_eq!(again.floats("scan", "").unwrap()[3], -1e-9);
    }

    #[test]
    fn damage_is_named() {
        let good = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: float64}\n# - {name: b, datatype: bool}\n\
                    a b\n1.0 True\n";
        assert_eq!(parse(good).unwrap().rows(), 1);
        for (from, to, wanted) in [
            ("1.0 True", "1.0", "line 7"),
            ("1.0 True", "x True", "'x' in column 'a'"),
            ("True", "\"True", "not closed"),
            ("a b\n", "a c\n", "are not those of the header"),
            ("float64", "complex128", "cannot be read"),
            ("# - {name: a", "# - {nam: a", "'name' is missing"),
            ("# datatype:", "# types:", "'datatype' is missing"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            let error = parse(&bad).unwrap_err().to_string();
            assert!(error.contains(wanted), "{bad}\n{error}");
        }
        // A unit that is none matters where the column is used.
        let odd = parse(&good.replacen("datatype: float64", "datatype: float64, unit: foo", 1)).unwrap();
        assert!(!odd.column("a").unwrap().unit().is_known());
        assert!(odd.floats("a", "TeV").is_err());
    }

    #[test]
    fn fields_may_be_quoted() {
        assert_eq!(fields("a  \"b c\" d", ' ', 1).unwrap(), ["a", "b c", "d"]);
        assert_eq!(fields("a, \"b,\"\"c\", d,", ',', 1).unwrap(), ["a", "b,\"c", "d", ""]);
    }
}
