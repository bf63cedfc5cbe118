//! Responses: the effective area (ARF) and the energy dispersion (RMF).

use std::path::Path;

use ndarray::{Array2, Axis};

use super::super::check::{Hdu, HduKind};
use super::super::reader::FitsReader;
use super::cells::{Cells, numbers, whole};
use super::energies;
use super::pha::{channel_energies, consecutive};
use crate::error::{Error, Place, Result};
use crate::maps::MapAxis;
use crate::units::Unit;

/// A row of the matrix is a probability: its sum is 1 at most. More by this is rounding, for some tools write the
/// elements with a few digits.
const ROW_SUM: f64 = 1e-3;

/// Matrices are held as a whole: this many elements at most (1 GB).
const MOST_ELEMENTS: usize = 1 << 27;

/// Effective area per bin of true energy.
pub(super) struct Area {
    pub(super) energy_true: MapAxis,
    pub(super) values: Vec<f64>,
    pub(super) unit: Unit,
}

impl Area {
    /// Reads an ARF.
    ///
    /// # Errors
    /// [`Error::Input`] at the column and row.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let reader = FitsReader::open(path)?;
        let index = table(&reader, &["SPECRESP"], "SPECRESP")?.index;
        let place = reader.place().hdu(reader.hdus()[index].label());
        let energy_true = energies::read(&reader, index, ["ENERG_LO", "ENERG_HI"], "energy_true")?;
        let values = numbers(&reader, index, "SPECRESP")?;
        let hdu = &reader.hdus()[index];
        let unit = &hdu.columns[reader.column_index(hdu, "SPECRESP")?].unit;
        let unit = area_unit(unit, &place)?;
        if let Some(row) = values.iter().position(|v| !(*v >= 0.0 && v.is_finite())) {
            let problem = format!("row {row}: an area is finite and 0 or more, not {}", values[row]);
            return Err(Error::input_at(place.item("SPECRESP"), problem));
        }
        Ok(Self { energy_true, values, unit })
    }
}

/// The one table of these names, else of that class (HDUCLAS2).
fn table<'a>(reader: &'a FitsReader, names: &[&str], class: &str) -> Result<&'a Hdu> {
    let tables = || reader.hdus().iter().filter(|h| h.kind == HduKind::Table);
    let of_class = |h: &&Hdu| h.header.text("HDUCLAS2").is_some_and(|c| c.trim().eq_ignore_ascii_case(class));
    let named: Vec<&Hdu> = tables().filter(|h| names.contains(&h.name.as_str())).collect();
    let found = if named.is_empty() { tables().filter(of_class).collect() } else { named };
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let problem = format!("no table {} in [{}]", names.join(" or "), reader.names().join(", "));
            Err(Error::input_at(reader.place(), problem)
                .with_help("this is no file of the kind that the spectrum names"))
        }
        several => {
            let what = format!("{}: {} tables {}, one can be used", reader.place(), several.len(), names.join(" or "));
            Err(Error::unsupported(what))
        }
    }
}

fn area_unit(text: &str, place: &Place) -> Result<Unit> {
    let wrong = |problem: String| {
        Error::input_at(place.clone().item("SPECRESP"), problem).with_help("set the TUNIT keyword of the column")
    };
    if text.is_empty() {
        return Err(wrong("the column has no unit, one such as cm2 is needed".into()));
    }
    let unit: Unit = text.parse().map_err(|_| wrong(format!("'{text}' is no unit")))?;
    match unit.factor_to_text("cm2") {
        Ok(_) => Ok(unit),
        Err(_) => Err(wrong(format!("the unit is '{text}', one such as cm2 is needed"))),
    }
}

/// Energy dispersion, and the effective area where the matrix holds it.
pub(super) struct Redistribution {
    pub(super) place: Place,
    pub(super) energy: MapAxis,
    pub(super) energy_true: MapAxis,
    /// `[energy_true, energy]`, rows of probabilities.
    pub(super) matrix: Array2<f64>,
    /// From a matrix that holds it (HDUCLAS3 FULL).
    pub(super) area: Option<Area>,
}

impl Redistribution {
    /// Reads an RMF for a spectrum of so many channels. `has_arf`: the area is in a file of its own.
    ///
    /// # Errors
    /// [`Error::Input`] at the column and row: channels that are not those of the spectrum, groups outside of them, rows
    /// that are no probabilities. [`Error::Unsupported`] for matrices that are too large.
    pub(super) fn read(path: &Path, channels: usize, first_channel: i64, has_arf: bool) -> Result<Self> {
        let reader = FitsReader::open(path)?;
        let names = ["MATRIX", "SPECRESP MATRIX"];
        let hdu = table(&reader, &names, "RSP_MATRIX")?.clone();
        let ebounds = reader.require("EBOUNDS")?.index;
        let place = reader.place().hdu(hdu.label());
        let energy = channel_energies(&reader, ebounds, channels, first_channel)?;
        let energy_true = energies::read(&reader, hdu.index, ["ENERG_LO", "ENERG_HI"], "energy_true")?;
        let too_large = channels.checked_mul(hdu.rows()).is_none_or(|n| n > MOST_ELEMENTS);
        if too_large {
            let what = format!("{place}: a matrix of {} energies × {channels} channels is too large", hdu.rows());
            return Err(Error::unsupported(what).with_help("rebin spectrum and response"));
        }
        let first = first_of_matrix(&reader, &hdu, ebounds)?;
        let mut matrix = matrix(&reader, &hdu, channels, first, &energy_true)?;
        let mut area = None;
        if let Some(unit) = full(&hdu, has_arf, &place)? {
            let values: Vec<f64> = matrix.sum_axis(Axis(1)).to_vec();
            for (mut row, sum) in matrix.outer_iter_mut().zip(&values) {
                row.mapv_inplace(|v| if *sum > 0.0 { v / sum } else { 0.0 });
            }
            area = Some(Area { energy_true: energy_true.clone(), values, unit });
        }
        for (row, values) in matrix.outer_iter().enumerate() {
            let sum = values.sum();
            if sum > 1.0 + ROW_SUM {
                let problem =
                    format!("row {row} ({}) sums to {sum}, probabilities sum to 1 at most", bin(&energy_true, row));
                let help = if has_arf {
                    "a matrix that holds the effective area needs no ARF: set ANCRFILE to 'none'"
                } else {
                    "for a matrix that holds the effective area, HDUCLAS3 is 'FULL'"
                };
                return Err(Error::input_at(place.item("MATRIX"), problem).with_help(help));
            }
        }
        Ok(Self { place, energy, energy_true, matrix, area })
    }
}

/// A bin of true energy, for messages.
fn bin(axis: &MapAxis, row: usize) -> String {
    axis.bounds().get(row).map_or(String::new(), |(a, b)| format!("{a} to {b} {}", axis.unit()))
}

/// The channel that F_CHAN counts from: TLMIN of the column, else the first channel of EBOUNDS, else 1.
fn first_of_matrix(reader: &FitsReader, hdu: &Hdu, ebounds: usize) -> Result<i64> {
    let column = reader.column_index(hdu, "F_CHAN")?;
    let key = format!("TLMIN{}", column + 1);
    if hdu.header.get(&key).is_some() {
        return hdu.header.int(&key).ok_or_else(|| {
            Error::input_at(reader.place().hdu(hdu.label()).item(key), "the number of the first channel is needed")
        });
    }
    if reader.hdus()[ebounds].column("CHANNEL").is_some() {
        return Ok(consecutive(&numbers(reader, ebounds, "CHANNEL")?).unwrap_or(1));
    }
    Ok(1)
}

/// The unit of the area that a matrix holds: by HDUCLAS3 or the unit of the column; without an ARF also by the name of
/// the table, which the standard keeps for such matrices. `None`: it holds none.
fn full(hdu: &Hdu, has_arf: bool, place: &Place) -> Result<Option<Unit>> {
    let text = hdu.column("MATRIX").map_or("", |c| hdu.columns[c].unit.as_str());
    let has_area = text.parse::<Unit>().is_ok_and(|u| u.factor_to_text("cm2").is_ok());
    let full = match hdu.header.text("HDUCLAS3").map(|c| c.trim().to_uppercase()).as_deref() {
        Some("FULL") => true,
        Some("REDIST" | "DETECTOR") => false,
        _ => has_area || (!has_arf && hdu.name == "SPECRESP MATRIX"),
    };
    if !full {
        return Ok(None);
    }
    if has_arf {
        let problem = "the matrix holds the effective area already, and the spectrum names an ARF, too";
        return Err(Error::input_at(place.clone().item("HDUCLAS3"), problem).with_help("set ANCRFILE to 'none'"));
    }
    // The standard's unit, which files leave out.
    if has_area { text.parse().map(Some) } else { "cm2".parse().map(Some) }
}

/// `[energy_true, channel]`: each row has groups of channels that follow one another, and their elements.
fn matrix(reader: &FitsReader, hdu: &Hdu, channels: usize, first: i64, truth: &MapAxis) -> Result<Array2<f64>> {
    let rows = hdu.rows();
    let open = |name: &str| Cells::open(reader, hdu.index, name);
    let groups = numbers(reader, hdu.index, "N_GRP")?;
    let (from, count, elements) = (open("F_CHAN")?, open("N_CHAN")?, open("MATRIX")?);
    let mut matrix = Array2::zeros((rows, channels));
    for (row, groups) in groups.iter().enumerate() {
        let wrong = |cells: &Cells<'_>, problem: String| {
            Error::input_at(cells.place(), format!("row {row} ({}): {problem}", bin(truth, row)))
        };
        let groups = whole(*groups, channels)
            .ok_or_else(|| wrong(&count, format!("N_GRP is {groups}, where 0 to {channels} groups are possible")))?;
        let (starts, sizes) = (from.first(row, groups)?, count.first(row, groups)?);
        let mut spans = Vec::with_capacity(groups);
        let mut total = 0usize;
        for (start, size) in starts.iter().zip(&sizes) {
            let size = whole(*size, channels)
                .ok_or_else(|| wrong(&count, format!("a group of {size} channels, of {channels} that there are")))?;
            if size == 0 {
                continue;
            }
            let start = whole(start - first as f64, channels - size).ok_or_else(|| {
                let last = first + channels as i64 - 1;
                wrong(&from, format!("{size} channels from {start} on are none of the channels {first} to {last}"))
            })?;
            total = total.saturating_add(size);
            spans.push(start..start + size);
        }
        if total > channels {
            return Err(wrong(&count, format!("groups of {total} channels in all, of {channels} that there are")));
        }
        let values = elements.first(row, total)?;
        if let Some(value) = values.iter().find(|v| !(**v >= 0.0 && v.is_finite())) {
            return Err(wrong(&elements, format!("an element is {value}, probabilities are finite and 0 or more")));
        }
        for (channel, value) in spans.into_iter().flatten().zip(values) {
            matrix[[row, channel]] += value;
        }
    }
    Ok(matrix)
}
