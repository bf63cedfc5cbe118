//! Energies of channels (EBOUNDS) and of true energies (ENERG_LO, ENERG_HI).

use super::super::axes;
use super::super::reader::FitsReader;
use super::cells::{Cells, numbers};
use crate::error::{Error, Result, warnings};
use crate::maps::{AxisInterp, MapAxis};

/// Bins touch where an upper edge and the next lower one differ by no more than this, relative to their sum: single
/// precision is good to 6e-8, and some tools write six digits.
const TOUCH: f64 = 1e-5;

/// Energies of two files are the same bins where their edges differ by no more than this, relative to their sum.
const SAME: f64 = 1e-5;

/// A first bin that begins at 0 begins at no less than this part of its end.
const SMALLEST: f64 = 1e-2;

/// Bins of energy in rising order.
pub(super) struct Energies {
    pub(super) axis: MapAxis,
    /// The rows have them in falling order, as those of gratings, whose wavelengths rise.
    pub(super) falling: bool,
}

impl Energies {
    /// True where both have the same bins in the same order of rows.
    pub(super) fn same(&self, other: &Self) -> bool {
        (self.falling == other.falling || self.axis.nbin() == 1) && same(&self.axis, &other.axis)
    }

    /// Values of the rows, in the order of the axis.
    pub(super) fn turned<T>(&self, mut values: Vec<T>) -> Vec<T> {
        if self.falling {
            values.reverse();
        }
        values
    }
}

/// The energies of two columns, a row each; `row`: of one row of a table whose cells hold all of them.
///
/// # Errors
/// [`Error::Input`] at column and row: a unit that is not an energy, energies that are negative or neither rise nor
/// fall, bins with gaps.
pub(super) fn read(
    reader: &FitsReader,
    index: usize,
    columns: [&str; 2],
    name: &str,
    row: Option<usize>,
) -> Result<Energies> {
    let [low, high] = columns;
    let place = reader.place().hdu(reader.hdus()[index].label());
    let column = |name: &str| match row {
        None => numbers(reader, index, name),
        Some(row) => Ok(Cells::open(reader, index, name)?.all(row)),
    };
    let (mut lower, mut upper) = (column(low)?, column(high)?);
    let unit = axes::column_unit(reader, index, low, name)?;
    let factor = axes::column_unit(reader, index, high, name)?.factor_to(&unit)?;
    upper.iter_mut().for_each(|v| *v *= factor);
    let wrong = |column: &str, problem: String| Err(Error::input_at(place.clone().item(column), problem));
    if lower.len() != upper.len() || lower.is_empty() {
        return wrong(high, format!("{} energies where {low} has {}", upper.len(), lower.len()));
    }
    let rows = lower.len();
    if let Some(row) = (0..rows).find(|row| !(lower[*row].is_finite() && upper[*row].is_finite())) {
        return wrong(low, format!("row {row}: {} to {} {unit} is not a range of energies", lower[row], upper[row]));
    }
    // Where wavelengths rise, tools have either end of a bin in either column.
    if lower.iter().zip(&upper).all(|(a, b)| b < a) {
        std::mem::swap(&mut lower, &mut upper);
    }
    let falling = rows > 1 && lower.windows(2).all(|w| w[1] < w[0]);
    // Messages count rows as the file does.
    let number = |n: usize| if falling { rows - 1 - n } else { n };
    if falling {
        lower.reverse();
        upper.reverse();
    }
    begin_above_zero(&mut lower, &upper, |text| {
        let error = Error::input_at(place.clone().item(low), format!("row {}: {text} {unit}", number(0)));
        warnings::warn(error)
    })?;
    for n in 0..rows {
        let (a, b, row) = (lower[n], upper[n], number(n));
        if a <= 0.0 {
            let error = wrong(low, format!("row {row}: {a} to {b} {unit} is not a range of energies above 0"));
            return error.map_err(|e: Error| e.with_help("leave out the bin, or begin it at a small energy"));
        }
        if b <= a {
            return wrong(high, format!("row {row}: energies must increase, this bin is {a} to {b} {unit}"));
        }
        let Some(next) = lower.get(n + 1) else { continue };
        if *next <= a {
            let problem = format!(
                "row {}: energies must increase (or fall) from row to row, {next} {unit} follows {a} {unit}",
                number(n + 1)
            );
            return wrong(low, problem);
        }
        if (b - next).abs() > TOUCH * (b + next.abs()) {
            let problem = format!("row {row} ends at {b} {unit}, the next one starts at {next}: bins must touch");
            return wrong(high, problem);
        }
    }
    let edges = lower.into_iter().chain(upper.last().copied()).collect();
    let axis = MapAxis::from_edges(name, unit, edges, AxisInterp::Log).map_err(|e| e.at(&place))?;
    Ok(Energies { axis, falling })
}

/// A first bin from 0 on, which has no place on an axis in the logarithm of energy, begins at a small energy: as far
/// below its end as the next bin's begin is below its own, but not further than [`SMALLEST`].
fn begin_above_zero(lower: &mut [f64], upper: &[f64], say: impl Fn(String) -> Result<()>) -> Result<()> {
    let ([first, rest @ ..], [end, ends @ ..]) = (lower, upper) else { return Ok(()) };
    if *first != 0.0 || *end <= 0.0 {
        return Ok(());
    }
    let ratio = match (rest.first(), ends.first()) {
        (Some(a), Some(b)) if *a > 0.0 && b > a => (a / b).max(SMALLEST),
        _ => SMALLEST,
    };
    *first = end * ratio;
    say(format!("a bin that begins at 0 is taken from {first} on, its end is {end}"))
}

/// True where both have the same bins, in whatever units.
pub(super) fn same(a: &MapAxis, b: &MapAxis) -> bool {
    let Ok(factor) = b.unit().factor_to(a.unit()) else { return false };
    let (a, b) = (a.edges(), b.edges());
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b * factor).abs() <= SAME * (a + b * factor))
}
