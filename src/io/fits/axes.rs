//! Axes of maps: tables of bands, one row per bin or per combination of bins.

use super::cfitsio::{ColumnData, MemoryWriter};
use super::header::Header;
use super::reader::FitsReader;
use crate::error::{Error, Place, Result};
use crate::maps::{AxisInterp, MapAxis, NodeType};
use crate::units::Unit;

/// Files name up to this many axes (AXCOLS1…).
const MAX_AXES: usize = 9;

/// The axes of a map.
#[derive(Debug, Default)]
pub(super) struct Bands {
    /// With increasing values, the first one fastest.
    pub axes: Vec<MapAxis>,
    /// True for axes whose values decrease in the file: their planes must be turned over.
    pub reversed: Vec<bool>,
}

/// Columns of one axis, values in the order of the file.
enum Columns {
    Nodes(Vec<f64>),
    Edges(Vec<f64>, Vec<f64>),
}

/// What an axis is before its values are known.
struct AxisOf {
    name: String,
    unit: Unit,
    interp: AxisInterp,
    /// Its columns, for messages.
    label: String,
    columns: Columns,
}

/// The axes of a table of bands, the first one fastest.
///
/// # Errors
/// [`Error::Input`] at the column: missing units, bins with gaps, values that neither increase nor decrease, rows that are
/// no grid of the axes.
pub(super) fn read(reader: &mut FitsReader, bands: usize, map_header: &Header) -> Result<Bands> {
    let hdu = reader.hdus()[bands].clone();
    let place = reader.place().hdu(hdu.label());
    if hdu.column("NPIX").is_some() {
        return Err(Error::unsupported(format!("{place}: maps whose size varies with energy cannot be read")));
    }
    let ebounds = |reader: &mut FitsReader| edges(reader, bands, "energy", ["E_MIN", "E_MAX"], AxisInterp::Log);
    match hdu.name.as_str() {
        // Fermi's own formats, which Gammapy knows by these names.
        "EBOUNDS" => {
            let axis = ebounds(reader)?;
            return grid(reader, bands, vec![axis]);
        }
        "ENERGIES" => {
            let axis = nodes(reader, bands, "energy_true", "ENERGY", AxisInterp::Log)?;
            return grid(reader, bands, vec![axis]);
        }
        _ => {}
    }
    let mut axes = Vec::new();
    for n in 1..=MAX_AXES {
        let key = format!("AXCOLS{n}");
        let Some(columns) = hdu.header.text(&key).or_else(|| map_header.text(&key)) else { break };
        let key = format!("INTERP{n}");
        let interp = match hdu.header.text(&key).or_else(|| map_header.text(&key)) {
            None | Some("lin") => AxisInterp::Lin,
            Some("log") => AxisInterp::Log,
            Some("sqrt") => AxisInterp::Sqrt,
            Some(other) => {
                return Err(Error::input_at(place.item(key), format!("'{other}' is not one of lin, log, sqrt")));
            }
        };
        let names: Vec<&str> = columns.split(',').map(str::trim).collect();
        axes.push(match names.as_slice() {
            [min, max] => {
                let name = match *min {
                    "E_MIN" => "energy".to_string(),
                    _ => axis_name(min.strip_suffix("_MIN").unwrap_or(min)),
                };
                edges(reader, bands, &name, [min, max], interp)?
            }
            [node] => nodes(reader, bands, &axis_name(node), node, interp)?,
            _ => {
                let problem = format!("'{columns}' is neither one column (nodes) nor two (edges)");
                return Err(Error::input_at(place.item(format!("AXCOLS{n}")), problem));
            }
        });
    }
    if axes.is_empty() {
        if hdu.column("E_MIN").is_some() && hdu.column("E_MAX").is_some() {
            axes.push(ebounds(reader)?);
        } else {
            return Err(Error::input_at(place.item("AXCOLS1"), "the keyword that names the axis' columns is missing"));
        }
    }
    grid(reader, bands, axes)
}

/// Nodes of an axis; those of Fermi's table of energies are in MeV where the column has no unit.
fn nodes(reader: &mut FitsReader, bands: usize, name: &str, column: &str, interp: AxisInterp) -> Result<AxisOf> {
    let hdu = &reader.hdus()[bands];
    let in_mev = hdu.name == "ENERGIES" && hdu.columns[reader.column_index(hdu, column)?].unit.is_empty();
    let unit = if in_mev { "MeV".parse()? } else { column_unit(reader, bands, column, name)? };
    let columns = Columns::Nodes(reader.column::<f64>(bands, column)?);
    Ok(AxisOf { name: name.to_string(), unit, interp, label: column.to_string(), columns })
}

/// Lower and upper edges of an axis, in the unit of the lower ones.
fn edges(reader: &mut FitsReader, bands: usize, name: &str, columns: [&str; 2], interp: AxisInterp) -> Result<AxisOf> {
    let place = reader.place().hdu(reader.hdus()[bands].label());
    let unit = column_unit(reader, bands, columns[0], name)?;
    let upper_unit = column_unit(reader, bands, columns[1], name)?;
    let factor = upper_unit.factor_to(&unit).map_err(|_| {
        Error::input_at(place.item(columns[1]), format!("'{upper_unit}' where {} has '{unit}'", columns[0]))
    })?;
    let min = reader.column::<f64>(bands, columns[0])?;
    let mut max = reader.column::<f64>(bands, columns[1])?;
    if factor != 1.0 {
        max.iter_mut().for_each(|v| *v *= factor);
    }
    let label = format!("{},{}", columns[0], columns[1]);
    Ok(AxisOf { name: name.to_string(), unit, interp, label, columns: Columns::Edges(min, max) })
}

impl Columns {
    fn len(&self) -> usize {
        match self {
            Self::Nodes(v) => v.len(),
            Self::Edges(min, max) => min.len().min(max.len()),
        }
    }

    fn same(&self, a: usize, b: usize) -> bool {
        match self {
            Self::Nodes(v) => v[a] == v[b],
            Self::Edges(min, max) => min[a] == min[b] && max[a] == max[b],
        }
    }

    /// The values of every `stride`th row, `count` of them.
    fn pick(&self, stride: usize, count: usize) -> Self {
        let pick = |v: &[f64]| v.iter().step_by(stride).take(count).copied().collect();
        match self {
            Self::Nodes(v) => Self::Nodes(pick(v)),
            Self::Edges(min, max) => Self::Edges(pick(min), pick(max)),
        }
    }

    /// Turns values over that decrease from the first to the last; true if they did.
    fn turn_over(&mut self) -> bool {
        let first = match self {
            Self::Nodes(v) | Self::Edges(v, _) => v,
        };
        let falling = matches!((first.first(), first.last()), (Some(a), Some(b)) if b < a);
        if falling {
            match self {
                Self::Nodes(v) => v.reverse(),
                Self::Edges(min, max) => {
                    min.reverse();
                    max.reverse();
                }
            }
        }
        falling
    }
}

/// The axes of a table that has a row for each combination of bins.
fn grid(reader: &FitsReader, bands: usize, axes: Vec<AxisOf>) -> Result<Bands> {
    let hdu = &reader.hdus()[bands];
    let place = reader.place().hdu(hdu.label());
    let rows = axes.iter().map(|a| a.columns.len()).min().unwrap_or(0);
    // Where each row stands does not matter, as long as there are all combinations.
    let Some(strides) = strides(&axes, rows) else {
        let labels: Vec<&str> = axes.iter().map(|a| a.label.as_str()).collect();
        let problem =
            format!("its {rows} rows do not form a grid of [{}]: one row per combination of bins", labels.join("; "));
        return Err(Error::input_at(place, problem).with_help("each value of an axis must be the same in all its rows"));
    };
    let mut out = Bands::default();
    for (axis, (stride, count)) in axes.into_iter().zip(strides) {
        let mut columns = axis.columns.pick(stride, count);
        out.reversed.push(columns.turn_over());
        let place = place.clone().item(axis.label.rsplit(',').next().unwrap_or_default());
        let header = &hdu.header;
        out.axes.push(finished(AxisOf { columns, ..axis }, header, &place)?);
    }
    Ok(out)
}

/// Rows from one value of each axis to the next, and number of values; `None` if the rows do not form such a grid.
/// Whichever axis changes first is the fastest one: Gammapy's order of three axes is neither the first nor the last
/// one.
fn strides(axes: &[AxisOf], rows: usize) -> Option<Vec<(usize, usize)>> {
    let mut left: Vec<usize> = (0..axes.len()).collect();
    let mut found = vec![(1, 1); axes.len()];
    let mut stride = 1;
    while stride < rows {
        let last = left.len() == 1;
        let next = left.iter().position(|n| last || !axes[*n].columns.same(0, stride))?;
        let n = left.remove(next);
        let columns = &axes[n].columns;
        let mut count = 1;
        while count * stride < rows && (last || !columns.same(0, count * stride)) {
            count += 1;
        }
        // NaN equals nothing; what it does here is found when the axis is made.
        let fits = |row: usize| columns.same(row, row / stride % count * stride) || count == rows;
        if !(0..rows).all(fits) {
            return None;
        }
        found[n] = (stride, count);
        stride *= count;
    }
    let constant = |n: &usize| rows == 1 || (0..rows).all(|row| axes[*n].columns.same(0, row));
    (stride == rows && left.iter().all(constant)).then_some(found)
}

fn axis_name(column: &str) -> String {
    match column.to_lowercase() {
        name if name == "theta" => "rad".to_string(),
        name => name,
    }
}

/// The unit of a column, checked for energies and angles, whose meaning it decides.
pub(super) fn column_unit(reader: &FitsReader, bands: usize, column: &str, axis: &str) -> Result<Unit> {
    let hdu = &reader.hdus()[bands];
    let place = || reader.place().hdu(hdu.label()).item(column);
    let text = &hdu.columns[reader.column_index(hdu, column)?].unit;
    let unit: Unit = text.parse().map_err(|e: Error| e.at_column(place()))?;
    let needed = match axis {
        "energy" | "energy_true" => "TeV",
        "rad" => "deg",
        "time" => "s",
        _ => return Ok(unit),
    };
    if unit.factor_to_text(needed).is_ok() {
        return Ok(unit);
    }
    let problem = if text.is_empty() { "the column has no unit".to_string() } else { format!("the unit is '{text}'") };
    Err(Error::input_at(place(), format!("{problem}, one such as {needed} is needed"))
        .with_help("set the TUNIT keyword of the column"))
}

trait AtColumn {
    fn at_column(self, place: Place) -> Self;
}

impl AtColumn for Error {
    /// The problem of a unit's text, at the column that has it.
    fn at_column(self, place: Place) -> Self {
        match self {
            Error::Input { problem, help, .. } => Error::Input { place, problem, help },
            other => other,
        }
    }
}

/// The axis, from values that increase.
fn finished(axis: AxisOf, header: &Header, place: &Place) -> Result<MapAxis> {
    let AxisOf { name, unit, interp, columns, .. } = axis;
    let (min, max) = match columns {
        Columns::Nodes(nodes) => return MapAxis::from_nodes(&name, unit, nodes, interp).map_err(|e| e.at(place)),
        Columns::Edges(min, max) => (min, max),
    };
    if name == "time" {
        let bins: Vec<(f64, f64)> = min.into_iter().zip(max).collect();
        let reference = super::gti::time_reference(header).unwrap_or_default();
        return MapAxis::time(&bins, unit, reference).map_err(|e| e.at(place));
    }
    for (i, (upper, lower)) in max.iter().zip(min.iter().skip(1)).enumerate() {
        // Single precision columns are not exact.
        if (upper - lower).abs() > 1e-4 * (upper.abs() + lower.abs()) {
            let problem = format!("bin {i} ends at {upper}, the next one starts at {lower}: bins must touch");
            return Err(Error::input_at(place.clone(), problem));
        }
    }
    let edges: Vec<f64> = min.iter().copied().chain(max.last().copied()).collect();
    MapAxis::from_edges(&name, unit, edges, interp).map_err(|e| e.at(place))
}

/// Column names of an axis: node, lower and upper edge.
fn column_names(axis: &MapAxis) -> [String; 3] {
    match axis.name() {
        "energy" => ["ENERGY".into(), "E_MIN".into(), "E_MAX".into()],
        name => {
            let name = name.to_uppercase();
            [name.clone(), format!("{name}_MIN"), format!("{name}_MAX")]
        }
    }
}

/// AXCOLSn and INTERPn.
pub(super) fn write_keywords(out: &mut MemoryWriter, axes: &[MapAxis]) {
    for (n, axis) in axes.iter().enumerate() {
        let [node, min, max] = column_names(axis);
        let columns = match axis.node_type() {
            NodeType::Edges | NodeType::Intervals => format!("{min},{max}"),
            NodeType::Center => node,
        };
        out.text(&format!("AXCOLS{}", n + 1), &columns, "columns of the axis in the table of bands");
        let interp = match axis.interp() {
            AxisInterp::Lin => "lin",
            AxisInterp::Log => "log",
            AxisInterp::Sqrt => "sqrt",
        };
        out.text(&format!("INTERP{}", n + 1), interp, "interpolation scale of the axis");
        if let Some(reference) = axis.time_reference() {
            super::gti::write_reference(out, reference);
        }
    }
}

/// The table of bands as an HDU of its own.
pub(super) fn write_table(out: &mut MemoryWriter, name: &str, axes: &[MapAxis]) {
    let rows: usize = axes.iter().map(MapAxis::nbin).product();
    let channel: Vec<i64> = (0..rows as i64).collect();
    let mut values: Vec<(String, String, Vec<f64>)> = Vec::new();
    let mut stride = 1;
    for axis in axes {
        let (lower, upper): (Vec<f64>, Vec<f64>) = axis.bounds().into_iter().unzip();
        let n = axis.nbin();
        let unit = axis.unit().to_string();
        let [node, min, max] = column_names(axis);
        for (column, source) in [(node, axis.center()), (min, lower), (max, upper)] {
            values.push((column, unit.clone(), (0..rows).map(|row| source[row / stride % n]).collect()));
        }
        stride *= n;
    }
    let mut columns = vec![("CHANNEL", "", ColumnData::Int(&channel))];
    columns.extend(values.iter().map(|(c, u, v)| (c.as_str(), u.as_str(), ColumnData::Double(v, 1))));
    out.table(rows, &columns);
    out.text("EXTNAME", name, "extension name");
    write_keywords(out, axes);
}
