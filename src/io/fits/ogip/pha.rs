//! The table SPECTRUM of a PHA or BKG file: counts per channel and what belongs to them.

use super::super::check::{Hdu, HduKind};
use super::super::gti;
use super::super::reader::FitsReader;
use super::super::region;
use super::energies::{self, Energies};
use super::names::Chosen;
use super::source::{Source, is_of_several};
use crate::error::{Error, Place, Result, warnings};
use crate::maps::SkyRegion;
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

/// A spectrum, checked by itself. Lists have one value per channel, in the order of the rows.
pub(super) struct Spectrum {
    pub(super) place: Place,
    pub(super) kind: Kind,
    /// OBS_ID, and the number of one of several spectra.
    pub(super) name: Option<String>,
    pub(super) counts: Vec<f64>,
    /// Number of the first channel; the others follow.
    pub(super) first_channel: i64,
    /// True for good channels (QUALITY 0); `None` where the file has no QUALITY.
    pub(super) good: Option<Vec<bool>>,
    /// First channels of groups, by GROUPING; `None` where each channel is one of its own.
    pub(super) groups: Option<Vec<usize>>,
    /// BACKSCAL, 1 where there is none; 0 where a bad channel has none.
    pub(super) backscal: Vec<f64>,
    /// AREASCAL, 1 where there is none or a bad channel has none.
    pub(super) areascal: Vec<f64>,
    /// EXPOSURE in seconds.
    pub(super) exposure_s: Option<f64>,
    /// ANCRFILE, RESPFILE, BACKFILE; `None` where they are not there or `none`.
    pub(super) files: [Option<String>; 3],
    /// Counts and BACKSCAL of a background in the same row.
    pub(super) inner_background: Option<(Vec<f64>, f64)>,
    /// Energies of the channels, where the file has them.
    pub(super) energy: Option<Energies>,
    /// The region on the sky, or why it cannot be used; `None` where the file has none.
    pub(super) region: Result<Option<SkyRegion>>,
    pub(super) gti: Option<Gti>,
    /// TELESCOP, INSTRUME and OBJECT, where they say something.
    pub(super) meta: Vec<(String, String)>,
    /// Number of the HDU, and which one of several spectra there.
    pub(super) at: (usize, Option<usize>),
}

/// Keywords of files that belong to a spectrum.
pub(super) const FILE_KEYS: [&str; 3] = ["ANCRFILE", "RESPFILE", "BACKFILE"];

/// Tables of spectra: EXTNAME SPECTRUM with counts or rates (flux points of other tools have that name, too), or
/// HDUCLAS1 where a tool names it otherwise.
fn is_spectrum(hdu: &Hdu) -> bool {
    let class = hdu.header.text("HDUCLAS1").is_some_and(|c| c.trim().eq_ignore_ascii_case("SPECTRUM"));
    let counts = || ["COUNTS", "RATE"].iter().any(|name| hdu.column(name).is_some());
    hdu.kind == HduKind::Table && (class || hdu.name == "SPECTRUM" && counts())
}

/// The first spectrum that is none of a background, else the first one.
pub(in crate::io) fn find(hdus: &[Hdu]) -> Option<&Hdu> {
    let spectra = || hdus.iter().filter(|h| is_spectrum(h));
    spectra().find(|h| !is_background(h)).or_else(|| spectra().next())
}

/// True for the spectrum of an off region.
pub(in crate::io) fn is_background(hdu: &Hdu) -> bool {
    let class = |key: &str| hdu.header.text(key).is_some_and(|c| c.trim().eq_ignore_ascii_case("BKG"));
    class("HDUCLAS2") || class("HDUCLAS3")
}

/// Whose spectrum is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// That of the on region.
    On,
    /// That of an off region, which is not the spectrum at this place ([`Spectrum::at`]) of the same file.
    Off(Option<(usize, Option<usize>)>),
}

/// The table that a file has for a wish.
///
/// # Errors
/// [`Error::Input`] where there is none, or several that could be meant.
fn choose<'a>(reader: &'a FitsReader, chosen: &Chosen, wanted: Wanted) -> Result<&'a Hdu> {
    let place = reader.place();
    let all: Vec<&Hdu> = chosen.hdus(reader.hdus())?.into_iter().filter(|h| is_spectrum(h)).collect();
    let found: Vec<&Hdu> = match wanted {
        Wanted::On => {
            let on: Vec<&Hdu> = all.iter().copied().filter(|h| !is_background(h)).collect();
            if on.is_empty() { all.clone() } else { on }
        }
        Wanted::Off(own) => {
            let is_own = |h: &Hdu| {
                own.is_some_and(|(index, number)| index == h.index && (number.is_none() || number == chosen.number))
            };
            let others: Vec<&Hdu> = all.iter().copied().filter(|h| !is_own(h)).collect();
            let off: Vec<&Hdu> = others.iter().copied().filter(|h| is_background(h)).collect();
            // Of a file of its own the class may be missing; in the same one it could be anything.
            if off.is_empty() && (own.is_none() || chosen.is_part()) { others } else { off }
        }
    };
    match (found.as_slice(), wanted) {
        ([one], _) => Ok(one),
        ([], Wanted::Off(Some(_))) => {
            let problem = "the spectrum names its own file as its background, which has no other spectrum of class BKG";
            Err(Error::input_at(place.item("BACKFILE"), problem)
                .with_help("name the file of the background, with its HDU as file[EXT], or 'none'"))
        }
        ([], _) => {
            let problem = format!("no OGIP spectrum: no HDU SPECTRUM among [{}]", reader.names().join(", "));
            Err(Error::input_at(place, problem))
        }
        (several, _) => {
            let names: Vec<String> = several.iter().map(|h| format!("[{}] {}", h.index, h.label())).collect();
            let problem = format!("{} spectra, one is needed: {}", several.len(), names.join(", "));
            let example = format!("{}[{}]", chosen.path.display(), several[0].index);
            Err(Error::input_at(place, problem).with_help(format!("choose one by its number or name, as '{example}'")))
        }
    }
}

/// All spectra of the on region that a file has where none is chosen: the rows of a table of several, else the one.
///
/// # Errors
/// [`Error::Input`] for no table of spectra, or several that could be meant.
pub(super) fn each(reader: &FitsReader, chosen: Chosen) -> Result<Vec<Chosen>> {
    let hdu = choose(reader, &chosen, Wanted::On)?;
    if chosen.number.is_some() || !is_of_several(hdu) {
        return Ok(vec![chosen]);
    }
    Ok((1..=hdu.rows()).map(|n| Chosen { number: Some(n), ..chosen.clone() }).collect())
}

impl Spectrum {
    /// Reads the spectrum of an open file, of which a part may be chosen.
    ///
    /// # Errors
    /// [`Error::Input`] at the keyword or column; where there are several spectra and none is chosen.
    pub(super) fn read(reader: &mut FitsReader, chosen: &Chosen, wanted: Wanted) -> Result<Self> {
        let hdu = choose(reader, chosen, wanted)?.clone();
        let background = is_background(&hdu);
        let source = Source::open(reader, &hdu, chosen)?;
        let place = source.place();
        if source.text("HDUCLAS2").is_some_and(|c| c.eq_ignore_ascii_case("NET")) {
            let problem = "the background is subtracted already: such counts have no Poisson statistic";
            return Err(Error::input_at(place.item("HDUCLAS2"), problem)
                .with_help("give the spectrum with all counts (HDUCLAS2 TOTAL) and its background as BACKFILE"));
        }
        let exposure_s = match source.real("EXPOSURE")? {
            Some(seconds) if seconds > 0.0 && seconds.is_finite() => Some(seconds),
            None if !source.has("EXPOSURE") => None,
            _ => return Err(Error::input_at(place.item("EXPOSURE"), "a positive number of seconds is needed")),
        };
        let counts = counts(&source, exposure_s)?;
        let channels = counts.len();
        if channels == 0 {
            return Err(Error::input_at(place, "the spectrum has no channels"));
        }
        if let Some(announced) = source.int("DETCHANS").filter(|n| *n != channels as i64) {
            let problem = format!("the channels do not match: {channels} rows, {announced} by this keyword");
            return Err(Error::input_at(place.item("DETCHANS"), problem)
                .with_help("a spectrum with all channels of the detector is needed"));
        }
        let first_channel = match source.values("CHANNEL")? {
            Some(numbers) if numbers.len() == channels => consecutive(&numbers).ok_or_else(|| {
                Error::input_at(place.clone().item("CHANNEL"), "channels must follow one another by 1")
            })?,
            _ => source.first_channel(),
        };
        let good = quality(&source, channels)?;
        let usable = |n: usize| good.as_ref().is_none_or(|good: &Vec<bool>| good[n]);
        let backscal = scale(&source, "BACKSCAL", channels, 0.0, usable)?;
        let areascal = scale(&source, "AREASCAL", channels, 1.0, usable)?;
        say_errors(&source)?;
        let inner_background = if wanted == Wanted::On { inner_background(&source, channels)? } else { None };
        let groups = groups(&source, channels)?;
        let (name, at) = (source.name(), (hdu.index, source.number()));
        let meta = ["TELESCOP", "INSTRUME", "OBJECT"]
            .iter()
            .filter_map(|key| Some((key.to_string(), source.text(key).filter(|t| says_something(t))?)))
            .collect();
        let files = FILE_KEYS.map(|key| source.text(key).filter(|t| !t.eq_ignore_ascii_case("none")));
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
        Ok(Self {
            kind: if background { Kind::Background } else { Kind::Total },
            at,
            name,
            counts,
            first_channel,
            good,
            groups,
            backscal,
            areascal,
            exposure_s,
            files,
            inner_background,
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

    /// Takes the channels in rising order of energy.
    pub(super) fn turn(&mut self) {
        let channels = self.channels();
        self.counts.reverse();
        self.backscal.reverse();
        self.areascal.reverse();
        if let Some(good) = &mut self.good {
            good.reverse();
        }
        if let Some((counts, _)) = &mut self.inner_background {
            counts.reverse();
        }
        if let Some(groups) = &mut self.groups {
            // What was the channel behind a group is the first of the one that follows now.
            let ends = groups.iter().skip(1).copied().chain([channels]);
            *groups = ends.map(|end| channels - end).collect();
            groups.reverse();
        }
    }
}

fn says_something(text: &str) -> bool {
    !["unknown", "none", "dummy"].contains(&text.to_lowercase().as_str())
}

/// The first of whole numbers that follow one another.
pub(super) fn consecutive(numbers: &[f64]) -> Option<i64> {
    let first = numbers.first().copied().filter(|v| v.fract() == 0.0 && v.abs() < 1e15)?;
    let follow = numbers.iter().enumerate().all(|(n, v)| *v == first + n as f64);
    follow.then_some(first as i64)
}

/// Counts, or rates times the exposure.
fn counts(source: &Source<'_>, exposure_s: Option<f64>) -> Result<Vec<f64>> {
    let at = |column: &str| source.place().item(column);
    let (column, values) = if source.has_column("COUNTS") {
        ("COUNTS", source.column("COUNTS")?)
    } else if source.has_column("RATE") {
        let seconds = exposure_s.ok_or_else(|| {
            Error::input_at(at("RATE"), "rates become counts by the EXPOSURE, which is missing")
                .with_help("give a spectrum with a column COUNTS")
        })?;
        let mut counts = source.column("RATE")?;
        for (row, value) in counts.iter_mut().enumerate() {
            *value *= seconds;
            let nearest = value.round();
            if value.is_finite() && (*value - nearest).abs() > WHOLE + WHOLE_RELATIVE * nearest.abs() {
                let problem = format!("row {row}: the rate times EXPOSURE is {value}, which is not a number of counts");
                return Err(Error::input_at(at("RATE"), problem).with_help(
                    "rates without Poisson statistic (subtracted, or corrected) cannot be used: give a spectrum with a \
                     column COUNTS",
                ));
            }
            *value = nearest;
        }
        let text = format!("there are no COUNTS: rates times the EXPOSURE of {seconds} s are taken");
        warnings::warn(Error::input_at(at("RATE"), text))?;
        ("RATE", counts)
    } else {
        // Lists the columns there are.
        ("COUNTS", source.column("COUNTS")?)
    };
    match values.iter().position(|v| !(*v >= 0.0 && v.is_finite())) {
        Some(row) => {
            let problem = format!("row {row}: counts are finite and 0 or more, not {}", values[row]);
            Err(Error::input_at(at(column), problem))
        }
        None => Ok(values),
    }
}

/// QUALITY as a column or keyword: 0 is good, everything else is not.
fn quality(source: &Source<'_>, channels: usize) -> Result<Option<Vec<bool>>> {
    let values = source.per_channel("QUALITY", channels)?;
    Ok(values.map(|values| values.iter().map(|v| *v == 0.0).collect()))
}

/// The first channels of groups by GROUPING: 1 begins one, -1 goes on with it; 0 says nothing.
fn groups(source: &Source<'_>, channels: usize) -> Result<Option<Vec<usize>>> {
    if !source.has_column("GROUPING") {
        return Ok(None);
    }
    let Some(values) = source.per_channel("GROUPING", channels)? else { return Ok(None) };
    if !values.iter().any(|v| *v < 0.0) {
        return Ok(None);
    }
    Ok(Some((0..channels).filter(|n| *n == 0 || values[*n] >= 0.0).collect()))
}

/// BACKSCAL or AREASCAL as a column or keyword, else 1; `bad`: for bad channels without a value that can be used.
fn scale(
    source: &Source<'_>,
    name: &str,
    channels: usize,
    bad: f64,
    usable: impl Fn(usize) -> bool,
) -> Result<Vec<f64>> {
    let mut values = source.per_channel(name, channels)?.unwrap_or_else(|| vec![1.0; channels]);
    for (row, value) in values.iter_mut().enumerate() {
        if *value >= 0.0 && value.is_finite() {
            continue;
        }
        if usable(row) {
            let problem = format!("row {row}: a scale is finite and 0 or more, not {value}");
            return Err(Error::input_at(source.place().item(name), problem)
                .with_help("channels that are of no use have a QUALITY other than 0"));
        }
        *value = bad;
    }
    Ok(values)
}

/// Says that errors of the file are not those of the statistic.
fn say_errors(source: &Source<'_>) -> Result<()> {
    let place = source.place();
    if source.flag("POISSERR") == Some(false) {
        let text =
            "the errors of the counts are not those of Poisson's statistic, by which they are compared with models";
        warnings::warn(Error::input_at(place.clone().item("POISSERR"), text))?;
    } else if source.has_column("STAT_ERR") && source.flag("POISSERR").is_none() {
        let text = "these errors are not used: counts are compared with models by Poisson's statistic";
        warnings::warn(Error::input_at(place.clone().item("STAT_ERR"), text))?;
    }
    let systematic = source.values("SYS_ERR")?.or(source.real("SYS_ERR")?.map(|v| vec![v])).unwrap_or_default();
    if let Some(value) = systematic.iter().find(|v| **v != 0.0 && v.is_finite()) {
        let text = format!("a systematic error ({value} of the counts) is not used");
        warnings::warn(Error::input_at(place.item("SYS_ERR"), text))?;
    }
    Ok(())
}

/// The background of gratings: counts on both sides of the spectrum, and the BACKSCAL of both together.
fn inner_background(source: &Source<'_>, channels: usize) -> Result<Option<(Vec<f64>, f64)>> {
    let (Some(up), Some(down)) = (source.values("BACKGROUND_UP")?, source.values("BACKGROUND_DOWN")?) else {
        return Ok(None);
    };
    let scales = (source.real("BACKSCUP")?, source.real("BACKSCDN")?);
    let (Some(above), Some(below)) = scales else {
        let text = "columns of a background without BACKSCUP and BACKSCDN are not used";
        warnings::warn(Error::input_at(source.place().item("BACKGROUND_UP"), text))?;
        return Ok(None);
    };
    let counts: Vec<f64> = up.iter().zip(&down).map(|(a, b)| a + b).collect();
    let scale = above + below;
    let sound = |v: f64| v >= 0.0 && v.is_finite();
    if counts.len() != channels || !counts.iter().all(|v| sound(*v)) || !(sound(scale) && scale > 0.0) {
        let problem = format!("{channels} finite counts, and scales above 0, are needed");
        return Err(Error::input_at(source.place().item("BACKGROUND_UP"), problem));
    }
    Ok(Some((counts, scale)))
}

/// The energies of a table EBOUNDS, whose channels are those of a spectrum.
pub(super) fn channel_energies(
    reader: &FitsReader,
    index: usize,
    channels: usize,
    first_channel: i64,
) -> Result<Energies> {
    let hdu = &reader.hdus()[index];
    let place = reader.place().hdu(hdu.label());
    if hdu.rows() != channels {
        let problem = format!("the channels do not match: {} energies, {channels} in the spectrum", hdu.rows());
        return Err(Error::input_at(place, problem).with_help("spectrum and response must be of the same channels"));
    }
    if hdu.column("CHANNEL").is_some() {
        let first = consecutive(&super::cells::numbers(reader, index, "CHANNEL")?)
            .ok_or_else(|| Error::input_at(place.clone().item("CHANNEL"), "channels must follow one another by 1"))?;
        counted_alike(&place, first, first_channel)?;
    }
    energies::read(reader, index, ["E_MIN", "E_MAX"], "energy", None)
}

/// As many channels that are counted from 0 in one file and from 1 in the other are the same ones.
pub(super) fn counted_alike(place: &Place, first: i64, of_spectrum: i64) -> Result<()> {
    if first == of_spectrum {
        return Ok(());
    }
    let problem = format!("the channels do not match: they start at {first}, the spectrum at {of_spectrum}");
    let error = Error::input_at(place.clone().item("CHANNEL"), problem);
    if [(0, 1), (1, 0)].contains(&(first, of_spectrum)) {
        return warnings::warn(error.with_help("there are as many, so the first is taken for the first"));
    }
    Err(error)
}
