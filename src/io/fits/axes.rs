//! Axes of maps: tables of bands, one row per bin or per combination of bins.

use super::cfitsio::{ColumnData, MemoryWriter};
use super::header::Header;
use super::reader::FitsReader;
use crate::error::{Error, Place, Result};
use crate::maps::{AxisInterp, MapAxis, NodeType};
use crate::units::Unit;

/// Files name up to this many axes (AXCOLS1…).
const MAX_AXES: usize = 9;

/// The axes of a table of bands, the first one fastest.
///
/// # Errors
/// [`Error::Input`] at the column: missing units, bins with gaps, nodes that do not increase.
pub(super) fn read(reader: &mut FitsReader, bands: usize, map_header: &Header) -> Result<Vec<MapAxis>> {
    let hdu = reader.hdus()[bands].clone();
    let place = reader.place().hdu(hdu.label());
    if hdu.column("NPIX").is_some() {
        return Err(Error::unsupported(format!("{place}: maps whose size varies with energy cannot be read")));
    }
    match hdu.name.as_str() {
        // Fermi's own formats, which Gammapy knows by these names.
        "EBOUNDS" => return Ok(vec![edges_axis(reader, bands, "energy", ["E_MIN", "E_MAX"], AxisInterp::Log, None)?]),
        "ENERGIES" => {
            let nodes = sorted_unique(reader.column::<f64>(bands, "ENERGY")?);
            let unit = "MeV".parse()?;
            let axis = MapAxis::from_nodes("energy_true", unit, nodes, AxisInterp::Log);
            return Ok(vec![axis.map_err(|e| e.at(&place))?]);
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
                edges_axis(reader, bands, &name, [min, max], interp, None)?
            }
            [node] => {
                let name = axis_name(node);
                let nodes = sorted_unique(reader.column::<f64>(bands, node)?);
                let unit = column_unit(reader, bands, node, &name)?;
                MapAxis::from_nodes(&name, unit, nodes, interp).map_err(|e| e.at(&place))?
            }
            _ => {
                let problem = format!("'{columns}' is neither one column (nodes) nor two (edges)");
                return Err(Error::input_at(place.item(format!("AXCOLS{n}")), problem));
            }
        });
    }
    if axes.is_empty() {
        if hdu.column("E_MIN").is_some() && hdu.column("E_MAX").is_some() {
            axes.push(edges_axis(reader, bands, "energy", ["E_MIN", "E_MAX"], AxisInterp::Log, None)?);
        } else {
            return Err(Error::input_at(place.item("AXCOLS1"), "the keyword that names the axis' columns is missing"));
        }
    }
    Ok(axes)
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

fn edges_axis(
    reader: &mut FitsReader,
    bands: usize,
    name: &str,
    columns: [&str; 2],
    interp: AxisInterp,
    unit: Option<Unit>,
) -> Result<MapAxis> {
    let place = reader.place().hdu(reader.hdus()[bands].label());
    let min = sorted_unique(reader.column::<f64>(bands, columns[0])?);
    let max = sorted_unique(reader.column::<f64>(bands, columns[1])?);
    let unit = match unit {
        Some(unit) => unit,
        None => column_unit(reader, bands, columns[0], name)?,
    };
    let upper_unit = column_unit(reader, bands, columns[1], name)?;
    if upper_unit != unit {
        return Err(Error::input_at(
            place.item(columns[1]),
            format!("'{upper_unit}' where {} has '{unit}'", columns[0]),
        ));
    }
    if min.len() != max.len() {
        let problem = format!("{} lower and {} upper edges", min.len(), max.len());
        return Err(Error::input_at(place.item(columns[1]), problem));
    }
    if name == "time" {
        let bins: Vec<(f64, f64)> = min.into_iter().zip(max).collect();
        let header = &reader.hdus()[bands].header;
        let reference = super::gti::time_reference(header).unwrap_or_default();
        return MapAxis::time(&bins, unit, reference).map_err(|e| e.at(&place));
    }
    for (i, (upper, lower)) in max.iter().zip(min.iter().skip(1)).enumerate() {
        // Single precision columns are not exact.
        if (upper - lower).abs() > 1e-4 * (upper.abs() + lower.abs()) {
            let problem = format!("bin {i} ends at {upper}, the next one starts at {lower}: bins must touch");
            return Err(Error::input_at(place.item(columns[1]), problem));
        }
    }
    let edges: Vec<f64> = min.iter().copied().chain(max.last().copied()).collect();
    MapAxis::from_edges(name, unit, edges, interp).map_err(|e| e.at(&place))
}

/// Each value of a column with one row per combination of bins.
fn sorted_unique(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
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
