//! Responses: the effective area (ARF) and the energy dispersion (RMF).

use ndarray::{Array2, Axis};

use super::super::check::{Hdu, HduKind};
use super::super::reader::FitsReader;
use super::cells::{Cells, numbers, whole};
use super::energies::{self, Energies};
use super::names::Chosen;
use super::pha::{channel_energies, consecutive};
use crate::error::words::of_number;
use crate::error::{Error, Place, Result, warnings};
use crate::maps::MapAxis;
use crate::units::Unit;

/// A row of the matrix is a probability: its sum is 1 at most. More by this is rounding, for some tools write the
/// elements with a few digits.
const ROW_SUM: f64 = 1e-3;

/// Rows of calibration files sum to a little more than 1; more than this is something else.
const ROW_SUM_SAID: f64 = 0.1;

/// No instrument has an effective area above this, in cm².
const MOST_AREA_CM2: f64 = 1e15;

/// Matrices are held as a whole: this many elements at most (1 GB).
const MOST_ELEMENTS: usize = 1 << 27;

/// Effective area per bin of true energy, which rises.
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
    pub(super) fn read(chosen: &Chosen) -> Result<Self> {
        let reader = FitsReader::open(&chosen.path)?;
        let index = table(&reader, chosen, &["SPECRESP"], "SPECRESP")?.index;
        let hdu = &reader.hdus()[index];
        let place = reader.place().hdu(hdu.label());
        let column = &hdu.columns[reader.column_index(hdu, "SPECRESP")?];
        // Of gratings there are several in a table, one in each row.
        let several = hdu.column("SPEC_NUM").is_some() || column.repeat > 1 || "PQ".contains(column.code);
        let row = if several {
            let row = chosen.of(hdu.rows(), "effective area")?.ok_or_else(|| {
                let problem = format!("{} effective areas in one table, one is needed", hdu.rows());
                Error::input_at(place.clone(), problem)
                    .with_help(format!("choose one by its number, as '{}{{1}}'", chosen.path.display()))
            })?;
            Some(row)
        } else {
            None
        };
        let energies = energies::read(&reader, index, ["ENERG_LO", "ENERG_HI"], "energy_true", row)?;
        let values = match row {
            None => numbers(&reader, index, "SPECRESP")?,
            Some(row) => Cells::open(&reader, index, "SPECRESP")?.all(row),
        };
        let unit = area_unit(&column.unit, &place)?;
        let to_cm2 = unit.factor_to_text("cm2").unwrap_or(1.0);
        if values.len() != energies.axis.nbin() {
            let problem = format!("{} areas for {} energies", values.len(), energies.axis.nbin());
            return Err(Error::input_at(place.item("SPECRESP"), problem));
        }
        if let Some(row) = values.iter().position(|v| !(*v >= 0.0 && *v * to_cm2 <= MOST_AREA_CM2)) {
            let problem = format!("row {row}: {} {unit} is not an area: one is finite and 0 or more", values[row]);
            return Err(Error::input_at(place.item("SPECRESP"), problem));
        }
        if values.iter().all(|v| *v == 0.0) {
            let text = "the effective area is 0 everywhere: no counts are predicted";
            warnings::warn(Error::input_at(place.item("SPECRESP"), text))?;
        }
        let values = energies.turned(values);
        Ok(Self { energy_true: energies.axis, values, unit })
    }
}

/// The one table of these names, else of that class (HDUCLAS2).
fn table<'a>(reader: &'a FitsReader, chosen: &Chosen, names: &[&str], class: &str) -> Result<&'a Hdu> {
    let all: Vec<&Hdu> = chosen.hdus(reader.hdus())?.into_iter().filter(|h| h.kind == HduKind::Table).collect();
    let of_class = |h: &&Hdu| h.header.text("HDUCLAS2").is_some_and(|c| c.trim().eq_ignore_ascii_case(class));
    let mut found: Vec<&Hdu> = all.iter().copied().filter(|h| names.contains(&h.name.as_str())).collect();
    if found.is_empty() {
        found = all.iter().copied().filter(of_class).collect();
    }
    match found.as_slice() {
        [one] => Ok(one),
        [] if chosen.hdu.is_some() && all.len() == 1 => Ok(all[0]),
        [] => {
            let problem = format!("no table {} in [{}]", names.join(" or "), reader.names().join(", "));
            Err(Error::input_at(reader.place(), problem)
                .with_help("this is not a file of the kind that the spectrum names"))
        }
        several => match chosen.of(several.len(), "response")? {
            Some(n) => Ok(several[n]),
            None => {
                let numbers: Vec<String> = several.iter().map(|h| format!("[{}] {}", h.index, h.label())).collect();
                let problem =
                    format!("{} tables {}, one is needed: {}", several.len(), names.join(" or "), numbers.join(", "));
                let example = format!("{}[{}]", chosen.path.display(), several[0].index);
                Err(Error::input_at(reader.place(), problem)
                    .with_help(format!("choose one by the number of its HDU, as '{example}'")))
            }
        },
    }
}

fn area_unit(text: &str, place: &Place) -> Result<Unit> {
    let wrong = |problem: String| {
        Error::input_at(place.clone().item("SPECRESP"), problem).with_help("set the TUNIT keyword of the column")
    };
    if text.is_empty() {
        return Err(wrong("the column has no unit, one such as cm2 is needed".into()));
    }
    let unit: Unit = text.parse().map_err(|_| wrong(format!("'{text}' is not a unit")))?;
    match unit.factor_to_text("cm2") {
        Ok(_) => Ok(unit),
        Err(_) => Err(wrong(format!("the unit is '{text}', one such as cm2 is needed"))),
    }
}

/// Energy dispersion, and the effective area where the matrix holds it.
pub(super) struct Redistribution {
    pub(super) place: Place,
    pub(super) energy: Energies,
    pub(super) energy_true: MapAxis,
    /// `[energy_true, energy]`, rows of probabilities; energies rise.
    pub(super) matrix: Array2<f64>,
    /// From a matrix that holds it (HDUCLAS3 FULL).
    pub(super) area: Option<Area>,
}

impl Redistribution {
    /// Reads an RMF for a spectrum of so many channels. `has_arf`: the area is in a file of its own.
    ///
    /// # Errors
    /// [`Error::Input`] at the column and row: channels that are not those of the spectrum, groups outside of them, rows
    /// that are not probabilities. [`Error::Unsupported`] for matrices that are too large.
    pub(super) fn read(chosen: &Chosen, channels: usize, first_channel: i64, has_arf: bool) -> Result<Self> {
        let reader = FitsReader::open(&chosen.path)?;
        let hdu = table(&reader, chosen, &["MATRIX", "SPECRESP MATRIX"], "RSP_MATRIX")?.clone();
        let ebounds = bounds_of(&reader, &hdu)?;
        let place = reader.place().hdu(hdu.label());
        let energy = channel_energies(&reader, ebounds, channels, first_channel)?;
        let truth = energies::read(&reader, hdu.index, ["ENERG_LO", "ENERG_HI"], "energy_true", None)?;
        let too_large = channels.checked_mul(hdu.rows()).is_none_or(|n| n > MOST_ELEMENTS);
        if too_large {
            let what = format!("{place}: a matrix of {} energies × {channels} channels is too large", hdu.rows());
            return Err(Error::unsupported(what).with_help("rebin spectrum and response"));
        }
        let rows = Rows { reader: &reader, hdu: &hdu, truth: &truth };
        let first = first_of_matrix(&rows, ebounds, channels)?;
        let mut matrix = rows.matrix(channels, first)?;
        let sums: Vec<f64> = matrix.sum_axis(Axis(1)).to_vec();
        let mut area = None;
        if let Some(unit) = area_in_matrix(&hdu, has_arf, &sums, &place)? {
            let to_cm2 = unit.factor_to_text("cm2").unwrap_or(1.0);
            if let Some(row) = sums.iter().position(|sum| *sum * to_cm2 > MOST_AREA_CM2) {
                let problem =
                    format!("row {row} ({}) sums to {} {unit}, which is not an area", rows.bin(row), sums[row]);
                return Err(Error::input_at(place.item("MATRIX"), problem));
            }
            for (mut row, sum) in matrix.outer_iter_mut().zip(&sums) {
                row.mapv_inplace(|v| if *sum > 0.0 { v / sum } else { 0.0 });
            }
            area = Some((sums, unit));
        } else {
            check_sums(&rows, &sums, has_arf, &place)?;
        }
        if truth.falling {
            matrix.invert_axis(Axis(0));
        }
        if energy.falling {
            matrix.invert_axis(Axis(1));
        }
        let matrix = matrix.as_standard_layout().into_owned();
        let area =
            area.map(|(values, unit)| Area { energy_true: truth.axis.clone(), values: truth.turned(values), unit });
        Ok(Self { place, energy, energy_true: truth.axis, matrix, area })
    }
}

/// The number of the table EBOUNDS; of several matrices with one each, that behind the matrix.
fn bounds_of(reader: &FitsReader, hdu: &Hdu) -> Result<usize> {
    let all: Vec<usize> = reader.hdus().iter().filter(|h| h.name == "EBOUNDS").map(|h| h.index).collect();
    match all.as_slice() {
        [] | [_] => reader.require("EBOUNDS").map(|h| h.index),
        several => Ok(several.iter().copied().find(|index| *index > hdu.index).unwrap_or(several[0])),
    }
}

/// The unit of the area that a matrix holds: by HDUCLAS3 or the unit of the column; without an ARF also by the name of
/// the table, which the standard keeps for such matrices, or by sums far above 1. `None`: it holds none.
fn area_in_matrix(hdu: &Hdu, has_arf: bool, sums: &[f64], place: &Place) -> Result<Option<Unit>> {
    let text = hdu.column("MATRIX").map_or("", |c| hdu.columns[c].unit.as_str());
    let has_unit = text.parse::<Unit>().is_ok_and(|u| u.factor_to_text("cm2").is_ok());
    let far_above_1 = sums.iter().any(|sum| *sum > 1.0 + ROW_SUM_SAID);
    let full = match hdu.header.text("HDUCLAS3").map(|c| c.trim().to_uppercase()).as_deref() {
        Some("FULL") => true,
        Some("REDIST" | "DETECTOR") => false,
        _ => has_unit || !has_arf && (hdu.name == "SPECRESP MATRIX" || far_above_1),
    };
    if !full {
        return Ok(None);
    }
    if has_arf {
        let problem = "the matrix holds the effective area already, and the spectrum names an ARF, too";
        return Err(Error::input_at(place.clone().item("HDUCLAS3"), problem)
            .with_help("read it without the ARF ('none' in place of its name)"));
    }
    if has_unit {
        return text.parse().map(Some);
    }
    if hdu.header.text("HDUCLAS3").is_none_or(|c| c.trim().is_empty()) {
        let text = "there is no ARF and no HDUCLAS3: the matrix is taken to hold the effective area, in cm2";
        warnings::warn(Error::input_at(place.clone().item("MATRIX"), text))?;
    }
    // The standard's unit, which files leave out.
    "cm2".parse().map(Some)
}

/// Rows are probabilities.
fn check_sums(rows: &Rows<'_>, sums: &[f64], has_arf: bool, place: &Place) -> Result<()> {
    let at = || place.clone().item("MATRIX");
    if let Some(row) = sums.iter().position(|sum| *sum > 1.0 + ROW_SUM_SAID) {
        let problem = format!("row {row} ({}) sums to {}, probabilities sum to 1 at most", rows.bin(row), sums[row]);
        let help = if has_arf {
            "a matrix that holds the effective area needs no ARF: read it with 'none' in place of the ARF"
        } else {
            "for a matrix that holds the effective area, HDUCLAS3 is 'FULL'"
        };
        return Err(Error::input_at(at(), problem).with_help(help));
    }
    let above: Vec<usize> = (0..sums.len()).filter(|row| sums[*row] > 1.0 + ROW_SUM).collect();
    if !above.is_empty() {
        let largest = above.iter().map(|row| sums[*row]).fold(0.0, f64::max);
        let text = format!(
            "{} to more than 1, up to {largest}: as many more counts than sources have are predicted there",
            of_number(above.len(), "row", "sums")
        );
        warnings::warn(Error::input_at(at(), text))?;
    }
    if sums.iter().all(|sum| *sum == 0.0) {
        warnings::warn(Error::input_at(at(), "all elements are 0: no counts are predicted"))?;
    }
    Ok(())
}

/// The channel that F_CHAN counts from: TLMIN of the column, else the first channel of EBOUNDS, else 1; where the groups
/// do not fit into the channels so, but do from 0 or 1 on, that is taken and said.
fn first_of_matrix(rows: &Rows<'_>, ebounds: usize, channels: usize) -> Result<i64> {
    let Rows { reader, hdu, .. } = rows;
    let column = reader.column_index(hdu, "F_CHAN")?;
    let key = format!("TLMIN{}", column + 1);
    let at = |item: &str| reader.place().hdu(hdu.label()).item(item);
    let said = match hdu.header.get(&key) {
        None => None,
        Some(_) => Some(
            hdu.header
                .int(&key)
                .ok_or_else(|| Error::input_at(at(&key), "the number of the first channel is needed"))?,
        ),
    };
    let bounds = match reader.hdus()[ebounds].column("CHANNEL") {
        Some(_) => consecutive(&numbers(reader, ebounds, "CHANNEL")?),
        None => None,
    };
    let first = said.or(bounds).unwrap_or(1);
    let Some((lowest, highest)) = rows.channels_used()? else { return Ok(first) };
    let fits = |first: i64| lowest >= first as f64 && highest < (first + channels as i64) as f64;
    match [0, 1].into_iter().find(|other| (other - first).abs() == 1 && fits(*other)) {
        Some(other) if !fits(first) => {
            let why = if said.is_some() { key } else { "EBOUNDS".into() };
            let text = format!(
                "groups of the channels {lowest} to {highest} do not fit to {channels} channels from {first} on, as {why} \
                 has it: they are taken to be counted from {other}"
            );
            warnings::warn(Error::input_at(at("F_CHAN"), text))?;
            Ok(other)
        }
        // Both would do, and the standard's default is the other one.
        Some(1) if said.is_none() && first == 0 => {
            let text = format!("there is no {key}: channels are taken to be counted from 0, as in EBOUNDS");
            warnings::warn(Error::input_at(at("F_CHAN"), text))?;
            Ok(first)
        }
        _ => Ok(first),
    }
}

/// The table of a matrix: each row has groups of channels that follow one another, and their elements.
struct Rows<'a> {
    reader: &'a FitsReader,
    hdu: &'a Hdu,
    truth: &'a Energies,
}

impl Rows<'_> {
    fn open(&self, name: &str) -> Result<Cells<'_>> {
        Cells::open(self.reader, self.hdu.index, name)
    }

    /// The bin of true energy of a row, for messages.
    fn bin(&self, row: usize) -> String {
        let axis = &self.truth.axis;
        let n = if self.truth.falling { axis.nbin().wrapping_sub(row + 1) } else { row };
        axis.bounds().get(n).map_or(String::new(), |(a, b)| format!("{a} to {b} {}", axis.unit()))
    }

    /// The lowest and highest number of a channel in any group.
    fn channels_used(&self) -> Result<Option<(f64, f64)>> {
        let (groups, from, count) =
            (numbers(self.reader, self.hdu.index, "N_GRP")?, self.open("F_CHAN")?, self.open("N_CHAN")?);
        let mut range: Option<(f64, f64)> = None;
        for (row, groups) in groups.iter().enumerate() {
            let there = from.len(row).min(count.len(row));
            let Some(groups) = whole(*groups, there) else { continue };
            let (starts, sizes) = (from.first(row, groups)?, count.first(row, groups)?);
            for (start, size) in starts.into_iter().zip(sizes).filter(|(_, size)| *size >= 1.0) {
                let (lowest, highest) = range.unwrap_or((start, start));
                range = Some((lowest.min(start), highest.max(start + size - 1.0)));
            }
        }
        Ok(range)
    }

    /// `[energy_true, channel]` in the order of the file.
    fn matrix(&self, channels: usize, first: i64) -> Result<Array2<f64>> {
        let rows = self.hdu.rows();
        let groups = numbers(self.reader, self.hdu.index, "N_GRP")?;
        let (from, count, elements) = (self.open("F_CHAN")?, self.open("N_CHAN")?, self.open("MATRIX")?);
        let mut matrix = Array2::zeros((rows, channels));
        for (row, groups) in groups.iter().enumerate() {
            let wrong = |cells: &Cells<'_>, problem: String| {
                Error::input_at(cells.place(), format!("row {row} ({}): {problem}", self.bin(row)))
            };
            let groups = whole(*groups, channels).ok_or_else(|| {
                wrong(&count, format!("N_GRP is {groups}, where 0 to {channels} groups are possible"))
            })?;
            let (starts, sizes) = (from.first(row, groups)?, count.first(row, groups)?);
            let mut spans = Vec::with_capacity(groups);
            let mut total = 0usize;
            for (start, size) in starts.iter().zip(&sizes) {
                let size = whole(*size, channels).ok_or_else(|| {
                    wrong(&count, format!("a group of {size} channels, of {channels} that there are"))
                })?;
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
}
