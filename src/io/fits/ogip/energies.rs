//! Energies of channels (EBOUNDS) and of true energies (ENERG_LO, ENERG_HI).

use super::super::axes;
use super::super::reader::FitsReader;
use super::cells::numbers;
use crate::error::{Error, Result};
use crate::maps::{AxisInterp, MapAxis};

/// Bins touch where an upper edge and the next lower one differ by no more than this, relative to their sum: single
/// precision is good to 6e-8, and some tools write six digits.
const TOUCH: f64 = 1e-5;

/// Energies of two files are the same bins where their edges differ by no more than this, relative to their sum.
const SAME: f64 = 1e-5;

/// The energy axis of two columns, in the order of the rows.
///
/// # Errors
/// [`Error::Input`] at column and row: a unit that is no energy, energies that are not positive or do not increase, bins
/// with gaps.
pub(super) fn read(reader: &FitsReader, index: usize, columns: [&str; 2], name: &str) -> Result<MapAxis> {
    let [low, high] = columns;
    let place = reader.place().hdu(reader.hdus()[index].label());
    let (lower, upper) = (numbers(reader, index, low)?, numbers(reader, index, high)?);
    let unit = axes::column_unit(reader, index, low, name)?;
    let factor = axes::column_unit(reader, index, high, name)?.factor_to(&unit)?;
    let upper: Vec<f64> = upper.into_iter().map(|v| v * factor).collect();
    let wrong = |column: &str, problem: String| Err(Error::input_at(place.clone().item(column), problem));
    for (row, (a, b)) in lower.iter().zip(&upper).enumerate() {
        if !(a.is_finite() && b.is_finite() && *a > 0.0) {
            let error = wrong(low, format!("row {row}: {a} to {b} {unit} is no range of energies above 0"));
            return error.map_err(|e: Error| e.with_help("leave out the bin, or begin it at a small energy"));
        }
        if b <= a {
            return wrong(high, format!("row {row}: energies must increase, this bin is {a} to {b} {unit}"));
        }
        if let Some(next) = lower.get(row + 1) {
            if next <= a {
                let problem = format!("row {}: energies must increase, {next} {unit} follows {a} {unit}", row + 1);
                return wrong(low, problem);
            }
            if (b - next).abs() > TOUCH * (b + next.abs()) {
                let problem = format!("row {row} ends at {b} {unit}, the next one starts at {next}: bins must touch");
                return wrong(high, problem);
            }
        }
    }
    let edges = lower.into_iter().chain(upper.last().copied()).collect();
    MapAxis::from_edges(name, unit, edges, AxisInterp::Log).map_err(|e| e.at(&place))
}

/// True where both have the same bins, in whatever units.
pub(super) fn same(a: &MapAxis, b: &MapAxis) -> bool {
    let Ok(factor) = b.unit().factor_to(a.unit()) else { return false };
    let (a, b) = (a.edges(), b.edges());
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b * factor).abs() <= SAME * (a + b * factor))
}
