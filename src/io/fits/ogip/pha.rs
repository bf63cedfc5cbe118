//! The table SPECTRUM of a PHA or BKG file: counts per channel and what belongs to them.

use super::super::check::{Hdu, HduKind};
use super::super::gti;
use super::super::reader::FitsReader;
use super::super::region;
use super::cells::numbers;
use super::energies;
use crate::error::{Error, Place, Result};
use crate::maps::{MapAxis, SkyRegion};
use crate::time::Gti;

/// Rates times the exposure are counts where they differ from whole numbers by no more than this and [`WHOLE_RELATIVE`]:
/// rates are often in single precision.
const WHOLE: f64 = 1e-3;

/// See [`WHOLE`].
const WHOLE_RELATIVE: f64 = 1e-6;

/// What a spectrum is of, by HDUCLAS2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// All counts of the on region, or not said.
    Total,
    /// Counts of an off region.
    Background,
}

/// A spectrum, checked by itself. Lists have one value per channel.
pub(super) struct Spectrum {
    pub(super) place: Place,
    pub(super) kind: Kind,
    /// OBS_ID.
    pub(super) name: Option<String>,
    pub(super) counts: Vec<f64>,
    /// Number of the first channel; the others follow.
    pub(super) first_channel: i64,
    /// True for good channels (QUALITY 0); `None` where the file has no QUALITY.
    pub(super) good: Option<Vec<bool>>,
    /// BACKSCAL, 1 where there is none.
    pub(super) backscal: Vec<f64>,
    /// AREASCAL, 1 where there is none.
    pub(super) areascal: Vec<f64>,
    /// EXPOSURE in seconds.
    pub(super) exposure_s: Option<f64>,
    /// ANCRFILE, RESPFILE, BACKFILE; `None` where they are not there or `none`.
    pub(super) files: [Option<String>; 3],
    /// Energies of the channels, where the file has them.
    pub(super) energy: Option<MapAxis>,
    /// The region on the sky, or why it cannot be used; `None` where the file has none.
    pub(super) region: Result<Option<SkyRegion>>,
    pub(super) gti: Option<Gti>,
    /// TELESCOP, INSTRUME and OBJECT, where they say something.
    pub(super) meta: Vec<(String, String)>,
}

/// Keywords of files that belong to a spectrum.
pub(super) const FILE_KEYS: [&str; 3] = ["ANCRFILE", "RESPFILE", "BACKFILE"];

/// The table of a spectrum: EXTNAME SPECTRUM, or HDUCLAS1 where a tool names it otherwise.
pub(in crate::io) fn find(hdus: &[Hdu]) -> Option<&Hdu> {
    let is_table = |h: &&Hdu| h.kind == HduKind::Table;
    let class = |h: &&Hdu| h.header.text("HDUCLAS1").is_some_and(|c| c.trim().eq_ignore_ascii_case("SPECTRUM"));
    hdus.iter().filter(is_table).find(|h| h.name == "SPECTRUM").or_else(|| hdus.iter().filter(is_table).find(class))
}

/// True for the spectrum of an off region.
pub(in crate::io) fn is_background(hdu: &Hdu) -> bool {
    hdu.header.text("HDUCLAS2").is_some_and(|c| c.trim().eq_ignore_ascii_case("BKG"))
}

impl Spectrum {
    /// Reads the spectrum of an open file.
    ///
    /// # Errors
    /// [`Error::Input`] at the keyword or column; [`Error::Unsupported`] for several spectra in a table.
    pub(super) fn read(reader: &mut FitsReader) -> Result<Self> {
        let Some(hdu) = find(reader.hdus()).cloned() else {
            let problem = format!("no OGIP spectrum: no HDU SPECTRUM among [{}]", reader.names().join(", "));
            return Err(Error::input_at(reader.place(), problem));
        };
        let place = reader.place().hdu(hdu.label());
        let header = &hdu.header;
        let text = |key: &str| header.text(key).map(str::trim).filter(|t| !t.is_empty());
        let class = text("HDUCLAS4").unwrap_or("").to_uppercase();
        if hdu.column("SPEC_NUM").is_some() || class.starts_with("TYPE:II") || class == "TYPE:2" {
            return Err(Error::unsupported(format!("{place}: several spectra in one table (type II) are not read"))
                .with_help("write each spectrum as a file of its own"));
        }
        let kind = match text("HDUCLAS2").unwrap_or("").to_uppercase().as_str() {
            "NET" => {
                let problem = "the background is subtracted already: such counts have no Poisson statistic";
                return Err(Error::input_at(place.item("HDUCLAS2"), problem)
                    .with_help("give the spectrum with all counts (HDUCLAS2 TOTAL) and its background as BACKFILE"));
            }
            _ if is_background(&hdu) => Kind::Background,
            _ => Kind::Total,
        };
        let exposure_s = match header.get("EXPOSURE") {
            None => None,
            Some(_) => {
                let seconds = header.real("EXPOSURE").filter(|v| *v > 0.0 && v.is_finite());
                Some(seconds.ok_or_else(|| {
                    Error::input_at(place.clone().item("EXPOSURE"), "a positive number of seconds is needed")
                })?)
            }
        };
        let counts = counts(reader, &hdu, exposure_s, &place)?;
        let channels = counts.len();
        if channels == 0 {
            return Err(Error::input_at(place, "the spectrum has no channels"));
        }
        if let Some(announced) = header.int("DETCHANS").filter(|n| *n != channels as i64) {
            let problem = format!("the channels do not match: {channels} rows, {announced} by this keyword");
            return Err(Error::input_at(place.item("DETCHANS"), problem)
                .with_help("a spectrum with all channels of the detector is needed"));
        }
        let numbers_of_channels = match hdu.column("CHANNEL") {
            Some(_) => numbers(reader, hdu.index, "CHANNEL")?,
            None => (0..channels).map(|n| n as f64).collect(),
        };
        let first_channel = consecutive(&numbers_of_channels)
            .ok_or_else(|| Error::input_at(place.clone().item("CHANNEL"), "channels must follow one another by 1"))?;
        let good = quality(reader, &hdu)?;
        let backscal = scale(reader, &hdu, "BACKSCAL", channels)?;
        let areascal = scale(reader, &hdu, "AREASCAL", channels)?;
        let energy = match reader.find("EBOUNDS").map(|h| h.index) {
            None => None,
            Some(index) => Some(channel_energies(reader, index, channels, first_channel)?),
        };
        // Regions of other tools in detector pixels say nothing about the sky.
        let on_sky = reader.find("REGION").is_some_and(|h| h.header.text("CTYPE1").is_some());
        let region = if on_sky { region::read_table(reader, "REGION") } else { Ok(None) };
        let gti = match reader.find("GTI").filter(|h| h.kind == HduKind::Table).map(|h| h.index) {
            Some(index) => Some(gti::read(reader, index)?),
            None => None,
        };
        let name = match header.int("OBS_ID") {
            Some(number) => Some(number.to_string()),
            None => text("OBS_ID").map(str::to_string),
        };
        let said = |t: &&str| !["unknown", "none", "dummy"].contains(&t.to_lowercase().as_str());
        let meta = ["TELESCOP", "INSTRUME", "OBJECT"]
            .iter()
            .filter_map(|key| Some((key.to_string(), text(key).filter(said)?.to_string())))
            .collect();
        let files = FILE_KEYS.map(|key| text(key).filter(|t| !t.eq_ignore_ascii_case("none")).map(str::to_string));
        Ok(Self {
            kind,
            name,
            counts,
            first_channel,
            good,
            backscal,
            areascal,
            exposure_s,
            files,
            energy,
            region,
            gti,
            meta,
            place,
        })
    }

    /// Number of channels.
    pub(super) fn channels(&self) -> usize {
        self.counts.len()
    }
}

/// The first of whole numbers that follow one another.
pub(super) fn consecutive(numbers: &[f64]) -> Option<i64> {
    let first = numbers.first().copied().filter(|v| v.fract() == 0.0 && v.abs() < 1e15)?;
    let follow = numbers.iter().enumerate().all(|(n, v)| *v == first + n as f64);
    follow.then_some(first as i64)
}

/// Counts, or rates times the exposure.
fn counts(reader: &FitsReader, hdu: &Hdu, exposure_s: Option<f64>, place: &Place) -> Result<Vec<f64>> {
    let (column, values) = if hdu.column("COUNTS").is_some() {
        ("COUNTS", numbers(reader, hdu.index, "COUNTS")?)
    } else if hdu.column("RATE").is_some() {
        let at = || place.clone().item("RATE");
        let seconds = exposure_s.ok_or_else(|| {
            Error::input_at(at(), "rates become counts by the EXPOSURE, which is missing")
                .with_help("give a spectrum with a column COUNTS")
        })?;
        let mut counts = numbers(reader, hdu.index, "RATE")?;
        for (row, value) in counts.iter_mut().enumerate() {
            *value *= seconds;
            let nearest = value.round();
            if value.is_finite() && (*value - nearest).abs() > WHOLE + WHOLE_RELATIVE * nearest.abs() {
                let problem = format!("row {row}: the rate times EXPOSURE is {value}, no number of counts");
                return Err(Error::input_at(at(), problem).with_help(
                    "rates without Poisson statistic (subtracted, or corrected) cannot be used: give a spectrum with a \
                     column COUNTS",
                ));
            }
            *value = nearest;
        }
        ("RATE", counts)
    } else {
        // Lists the columns there are.
        numbers(reader, hdu.index, "COUNTS").map(|v| ("COUNTS", v))?
    };
    match values.iter().position(|v| !(*v >= 0.0 && v.is_finite())) {
        Some(row) => {
            let problem = format!("row {row}: counts are finite and 0 or more, not {}", values[row]);
            Err(Error::input_at(place.clone().item(column), problem))
        }
        None => Ok(values),
    }
}

/// QUALITY as a column or keyword: 0 is good, everything else is not.
fn quality(reader: &FitsReader, hdu: &Hdu) -> Result<Option<Vec<bool>>> {
    if hdu.column("QUALITY").is_some() {
        let values = numbers(reader, hdu.index, "QUALITY")?;
        return Ok(Some(values.iter().map(|v| *v == 0.0).collect()));
    }
    Ok(hdu.header.real("QUALITY").map(|v| vec![v == 0.0; hdu.rows()]))
}

/// BACKSCAL or AREASCAL as a column or keyword, else 1.
fn scale(reader: &FitsReader, hdu: &Hdu, name: &str, channels: usize) -> Result<Vec<f64>> {
    let values = match (hdu.column(name), hdu.header.real(name)) {
        (Some(_), _) => numbers(reader, hdu.index, name)?,
        (None, Some(value)) => vec![value; channels],
        (None, None) => vec![1.0; channels],
    };
    match values.iter().position(|v| !(*v >= 0.0 && v.is_finite())) {
        Some(row) => {
            let problem = format!("row {row}: a scale is finite and 0 or more, not {}", values[row]);
            Err(Error::input_at(reader.place().hdu(hdu.label()).item(name), problem))
        }
        None => Ok(values),
    }
}

/// The energies of a table EBOUNDS, whose channels are those of a spectrum.
pub(super) fn channel_energies(
    reader: &FitsReader,
    index: usize,
    channels: usize,
    first_channel: i64,
) -> Result<MapAxis> {
    let hdu = &reader.hdus()[index];
    let place = reader.place().hdu(hdu.label());
    if hdu.rows() != channels {
        let problem = format!("the channels do not match: {} energies, {channels} in the spectrum", hdu.rows());
        return Err(Error::input_at(place, problem).with_help("spectrum and response must be of the same channels"));
    }
    if hdu.column("CHANNEL").is_some() {
        let first = consecutive(&numbers(reader, index, "CHANNEL")?)
            .ok_or_else(|| Error::input_at(place.clone().item("CHANNEL"), "channels must follow one another by 1"))?;
        if first != first_channel {
            let problem = format!("the channels do not match: they start at {first}, the spectrum at {first_channel}");
            return Err(Error::input_at(place.item("CHANNEL"), problem));
        }
    }
    energies::read(reader, index, ["E_MIN", "E_MAX"], "energy")
}
