//! Axes of tables of flux points: energies, and what their rows are (times, distances).

use super::TableFormat;
use crate::error::{Error, Result};
use crate::maps::{AxisInterp, MapAxis};
use crate::table::{Column, MetaValue, Table, Values};
use crate::time::{TimeReference, mjd_of_date};
use crate::units::Unit;

/// The modified Julian date that Gammapy counts the times of light curves from: 2001-01-01.
const LIGHT_CURVE_MJD: i64 = 51910;

/// Modified Julian date 0 as a Julian date.
const JD_MJD: f64 = 2_400_000.5;

/// Relative overlap of neighbours that is rounding: edges of published tables have three digits.
const ROUNDING: f64 = 3e-3;

/// Energies of a column that all rows have in common: those of the rows, or, where rows are something else (`outer`), those
/// in each of them.
fn energies(table: &Table, name: &str, outer: bool) -> Result<(Vec<f64>, Unit)> {
    let column = table.column(name)?;
    let unit = column.unit().clone();
    if unit.is_known() && unit.factor_to_text("TeV").is_err() {
        let found =
            if unit.to_string().is_empty() { "the column has no unit".into() } else { format!("the unit is '{unit}'") };
        return Err(Error::input(name, format!("{found}, one such as TeV is needed")).with_help_for(
            "Table::set_unit gives the column a unit",
            format!("'pevatron convert --column {name}={name}:TeV' gives the column a unit"),
        ));
    }
    let values = column.to_floats(&if unit.is_known() { unit.to_string() } else { "TeV".to_string() })?;
    if let Some(row) = values.iter().position(|v| !v.is_finite()) {
        return Err(Error::input(name, format!("row {row}: {} is not an energy", values[row])));
    }
    if column.shape().is_empty() && !outer {
        return Ok((values, unit));
    }
    let n = column.per_row();
    let first = values.get(..n).unwrap_or_default().to_vec();
    if let Some(row) = values.chunks(n).position(|c| c != first) {
        return Err(Error::input(name, format!("row {row} has other energies than the first row")));
    }
    Ok((first, unit))
}

/// The energies of a table, each where the table has it.
pub(super) fn energy_axis(table: &Table, outer: bool, warnings: &mut Vec<String>) -> Result<MapAxis> {
    if table.rows() == 0 {
        return Err(Error::input("table", "has no rows"));
    }
    let has_bins = table.has("e_min") && table.has("e_max");
    let reference = match (table.has("e_ref"), has_bins) {
        (true, _) => match energies(table, "e_ref", outer) {
            Ok(found) => Some(found),
            Err(error) if has_bins => {
                warnings.push(format!("{error}; the centres of the bins are taken"));
                None
            }
            Err(error) => return Err(error),
        },
        (false, true) => None,
        (false, false) => {
            let names = table.names().join(", ");
            return Err(Error::input("e_ref", format!("there are neither e_ref nor e_min and e_max in [{names}]"))
                .with_help_for(
                    "Table::rename gives the column of the energies the name e_ref",
                    "'pevatron convert --column e_ref=NAME:UNIT' says which column has the energies",
                ));
        }
    };
    let bins = if has_bins { bins(table, outer) } else { Ok(None) };
    match (bins, reference) {
        (Ok(Some((bins, unit))), reference) => binned(bins, unit, reference, warnings),
        (Err(error), Some((nodes, unit))) => {
            warnings.push(format!("{error}; the energies are taken without their bins"));
            nodes_only(nodes, unit)
        }
        (Err(error), None) => Err(error),
        (Ok(None), Some((nodes, unit))) => nodes_only(nodes, unit),
        (Ok(None), None) => Err(Error::input("e_ref", "there are no energies")),
    }
}

fn nodes_only(nodes: Vec<f64>, unit: Unit) -> Result<MapAxis> {
    if let Some(row) = nodes.windows(2).position(|w| w[0] == w[1]) {
        let problem = format!("two rows have the energy {} {unit}, and no bins that tell them apart", nodes[row]);
        return Err(Error::input("e_ref", problem));
    }
    MapAxis::from_nodes("energy", unit, nodes, AxisInterp::Log)
}

/// Bins in the unit of e_min.
type Bins = (Vec<(f64, f64)>, Unit);

fn bins(table: &Table, outer: bool) -> Result<Option<Bins>> {
    let ((min, unit), (max, upper_unit)) = (energies(table, "e_min", outer)?, energies(table, "e_max", outer)?);
    let factor = upper_unit.factor_to(&unit)?;
    if min.len() != max.len() {
        return Err(Error::input("e_max", format!("{} upper and {} lower edges", max.len(), min.len())));
    }
    let bins: Vec<(f64, f64)> = min.iter().zip(&max).map(|(a, b)| (*a, b * factor)).collect();
    if let Some((a, b)) = bins.iter().find(|(a, b)| !(*a > 0.0 && a < b)) {
        return Err(Error::input("e_max", format!("from {a} to {b} {unit} is not a bin")));
    }
    Ok(Some((bins, unit)))
}

/// Bins as an axis, with reference energies of their own where these are not in the middle.
fn binned(
    mut bins: Vec<(f64, f64)>,
    unit: Unit,
    reference: Option<(Vec<f64>, Unit)>,
    warnings: &mut Vec<String>,
) -> Result<MapAxis> {
    for i in 1..bins.len() {
        let (before, bin) = (bins[i - 1], bins[i]);
        let overlap = before.1 - bin.0;
        let narrow = (before.1 - before.0).min(bin.1 - bin.0);
        if overlap > 0.0 && overlap <= ROUNDING * bin.0 && overlap < 0.2 * narrow && before.0 < bin.0 {
            bins[i - 1].1 = bin.0;
        }
    }
    // Tables have rounded edges; what is wider is a gap.
    let touch = bins.windows(2).all(|w| (w[0].1 - w[1].0).abs() <= 1e-4 * w[1].0.abs());
    let first_overlap = bins.windows(2).position(|w| w[0].1 > w[1].0 * (1.0 + 1e-9)).filter(|_| !touch);
    let points = match &reference {
        Some((values, own)) => {
            let factor = own.factor_to(&unit)?;
            Some(values.iter().map(|v| v * factor).collect::<Vec<f64>>())
        }
        None => None,
    };
    let outside =
        |(i, e): (usize, &f64)| (*e < bins[i].0 * (1.0 - ROUNDING) || *e > bins[i].1 * (1.0 + ROUNDING)).then_some(i);
    if let Some(points) = points.as_ref().filter(|p| p.len() == bins.len())
        && let Some(row) = points.iter().enumerate().find_map(outside)
    {
        let (a, b) = bins[row];
        warnings.push(format!("e_ref {} {unit} lies outside of its bin from {a} to {b} {unit}", points[row]));
    }
    let axis = if let Some(row) = first_overlap {
        warnings.push(format!(
            "energy bins overlap (from {} to {} {unit}, and from {} to {} {unit}): each point keeps its own",
            bins[row].0,
            bins[row].1,
            bins[row + 1].0,
            bins[row + 1].1
        ));
        let middle = || bins.iter().map(|(a, b)| (a * b).sqrt()).collect();
        let points = points.clone().unwrap_or_else(middle);
        return MapAxis::from_points("energy", unit, &points, &bins, AxisInterp::Log);
    } else if touch {
        let edges = bins.iter().map(|b| b.0).chain(bins.last().map(|b| b.1)).collect();
        MapAxis::from_edges("energy", unit, edges, AxisInterp::Log)?
    } else {
        MapAxis::from_intervals("energy", unit, &bins, AxisInterp::Log)?
    };
    let Some(points) = points else { return Ok(axis) };
    if points.len() != axis.nbin() {
        return Err(Error::input("e_ref", format!("{} energies for {} bins", points.len(), axis.nbin())));
    }
    // The middle to the digits that files have is the middle.
    let off = points.iter().zip(&axis.center()).any(|(a, b)| (a / b - 1.0).abs() > 1e-6);
    if off { axis.with_centers(&points) } else { Ok(axis) }
}

/// Dates of a column of text as modified Julian dates; `None` where one of them is none.
pub(super) fn dates(column: &Column) -> Option<Vec<f64>> {
    let Values::Text(texts) = column.values() else { return None };
    texts.iter().map(|t| mjd_of_date(t).map(|(days, part)| days as f64 + part)).collect()
}

/// Modified Julian dates of a column whose rows are the two parts of Julian dates, as astropy writes times to FITS.
pub(super) fn julian_pairs(column: &Column) -> Option<Vec<f64>> {
    let Values::Float(values) = column.values() else { return None };
    let is_date = |pair: &[f64]| (pair[0] + pair[1]) > 2_000_000.0;
    let pairs = column.shape() == [2] && !values.is_empty() && values.chunks_exact(2).all(is_date);
    pairs.then(|| values.chunks_exact(2).map(|pair| (pair[0] - JD_MJD) + pair[1]).collect())
}

/// Times in days, and whether they are dates (MJD) whatever the header counts from.
fn times(table: &Table, name: &str, warnings: &mut Vec<String>) -> Result<(Vec<f64>, bool)> {
    let column = table.column(name)?;
    if let Values::Text(texts) = column.values() {
        return dates(column).map(|days| (days, true)).ok_or_else(|| {
            let bad = texts.iter().find(|t| mjd_of_date(t).is_none()).map_or("", String::as_str);
            Error::input(name, format!("'{bad}' is neither a number nor a date such as 2020-01-31T12:00:00"))
        });
    }
    if let Some(days) = julian_pairs(column) {
        return Ok((days, true));
    }
    let own = column.unit().to_string();
    let text = match (own.is_empty(), table.meta_value("TIMEUNIT").and_then(MetaValue::as_text)) {
        (false, _) => own.as_str(),
        (true, Some(text)) => text.trim(),
        (true, None) => "d",
    };
    let mut plain = column.clone();
    if own.is_empty() || !column.unit().is_known() {
        plain = Column::new(name, Unit::default(), column.values().clone());
    }
    let values = |unit: &str| plain.to_floats(if own.is_empty() || !column.unit().is_known() { "" } else { unit });
    // Units of published tables that are none, but say what the numbers are.
    let zero = match text.to_lowercase().replace(['(', ')', '[', ']', '_', '-', ' '], "").as_str() {
        "mjd" | "mjdd" | "dmjd" | "mjddays" | "daysmjd" | "mjdutc" | "mjdtt" | "mjdtdb" => Some(0.0),
        "jd" | "jdd" | "djd" | "jddays" | "daysjd" | "jdutc" | "jdtt" | "jdtdb" => Some(JD_MJD),
        _ => None,
    };
    if let Some(zero) = zero {
        return Ok((values("")?.into_iter().map(|v| v - zero).collect(), true));
    }
    let unit = Unit::parse_or_keep(text);
    let factor = unit.factor_to_text("d").map_err(|e| {
        Error::input(name, format!("'{text}' is not a unit of time: {e}")).with_help_for(
            "give the column the unit d by Table::set_unit to read its numbers as days (MJD)",
            format!("'pevatron convert --column {name}={name}:d' reads the numbers as days (MJD)"),
        )
    })?;
    let days: Vec<f64> = match own.is_empty() {
        true => values("")?.into_iter().map(|v| v * factor).collect(),
        false => values("d")?,
    };
    let whole = table.meta_value("MJDREFI").or_else(|| table.meta_value("MJDREF")).and_then(MetaValue::as_f64);
    if whole.is_none_or(|v| v == 0.0) && days.iter().any(|v| *v > 2_000_000.0) {
        let said = format!("{name} has numbers beyond 2000000: they are taken as Julian dates");
        if !warnings.contains(&said) {
            warnings.push(said);
        }
        return Ok((days.into_iter().map(|v| v - JD_MJD).collect(), true));
    }
    Ok((days, false))
}

/// The axis of the rows: times, distances, or none.
pub(super) fn outer_axis(table: &Table, format: TableFormat, warnings: &mut Vec<String>) -> Result<Option<MapAxis>> {
    let keyword = |key: &str| table.meta_value(key).map(ToString::to_string);
    let scale = keyword("TIMESYS").unwrap_or_else(|| "utc".to_string()).trim().to_lowercase();
    let zero = TimeReference::mjd_zero(&scale);
    let header = || match TimeReference::from_keywords(keyword, &scale) {
        Some(found) => TimeReference { timesys: scale.clone(), timeref: None, ..found },
        None => zero.clone(),
    };
    let day: Unit = "d".parse()?;
    let time = |bins: Vec<(f64, f64)>, absolute: bool, warnings: &mut Vec<String>| -> Result<Option<MapAxis>> {
        let mut reference = header();
        let zero_of_dates = reference.mjd() == 0.0 || reference.mjd() == -JD_MJD;
        if absolute && zero_of_dates {
            reference = zero.clone();
        }
        if absolute && reference.mjd() != 0.0 {
            warnings.push(format!("times are dates: the reference MJD {} of the header is left out", reference.mjd()));
            reference = zero.clone();
        }
        if reference.mjd() != 0.0 {
            return MapAxis::time(&bins, day.clone(), reference).map(Some);
        }
        // Dates are counted from a recent day, as Gammapy does; the difference is exact.
        let first = LIGHT_CURVE_MJD as f64;
        let moved: Vec<(f64, f64)> = bins.into_iter().map(|(a, b)| (a - first, b - first)).collect();
        MapAxis::time(&moved, day.clone(), TimeReference { mjdrefi: LIGHT_CURVE_MJD, ..reference }).map(Some)
    };
    match format {
        TableFormat::GadfSed => Ok(None),
        TableFormat::LightCurve => {
            let ((min, dates), (max, also)) =
                (times(table, "time_min", warnings)?, times(table, "time_max", warnings)?);
            if dates != also {
                return Err(Error::input("time_max", "its times are of another kind than those of time_min"));
            }
            time(min.into_iter().zip(max).collect(), dates, warnings)
        }
        TableFormat::BinnedTimeSeries => {
            let (start, dates) = times(table, "time_bin_start", warnings)?;
            let size = table.floats("time_bin_size", "d")?;
            time(start.iter().zip(&size).map(|(a, b)| (*a, a + b)).collect(), dates, warnings)
        }
        TableFormat::Profile => {
            let (min, max) = (table.column("x_min")?, table.column("x_max")?);
            let unit = min.unit().clone();
            let (min, max) = (min.to_floats(&unit.to_string())?, max.to_floats(&unit.to_string())?);
            let bins: Vec<(f64, f64)> = min.into_iter().zip(max).collect();
            let scale = bins.iter().fold(0.0, |m: f64, b| m.max(b.1.abs()));
            let axis = if bins.windows(2).all(|w| (w[0].1 - w[1].0).abs() <= 1e-9 * scale) {
                let edges = bins.iter().map(|b| b.0).chain(bins.last().map(|b| b.1)).collect();
                MapAxis::from_edges("projected-distance", unit, edges, AxisInterp::Lin)?
            } else {
                MapAxis::from_intervals("projected-distance", unit, &bins, AxisInterp::Lin)?
            };
            Ok(Some(axis))
        }
    }
}
