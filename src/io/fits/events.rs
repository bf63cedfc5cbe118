//! Event lists in the layout of the open gamma-ray format (GADF): HDUs EVENTS and GTI.
//!
//! Events are written as they come, so a list may be longer than memory. The headers are made by the FITS library for a
//! table without rows; number of rows and checksums are put in when the rows are there.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

use super::cfitsio::{ColumnData, MemoryWriter};
use super::check::{BLOCK, Hdu, check_bytes};
use super::checksum::Checksum;
use super::gti;
use super::header::{CARD, Header};
use super::reader::FitsReader;
use super::writer::{GZIP_LEVEL, WriteOptions, provenance};
use crate::data::{DetectorColumns, EventColumns, EventList, EventMeta, TrueColumns};
use crate::error::{Error, Place, Result};
use crate::io::atomic::{check_output, with_spool, write_atomic, write_file};
use crate::maps::{Frame, SkyPosition};
use crate::time::TimeReference;
use crate::units::Unit;

const EXTENSION: &str = "EVENTS";

/// Rows that are encoded by one thread at a time.
const ROWS: usize = 1 << 13;

/// The zeros that a checksum is computed with.
const NO_CHECKSUM: &str = "0000000000000000";

impl EventList {
    /// Reads the HDU `EVENTS`, and `GTI` where there is one. Lists of Fermi are read, too. Columns that are not known
    /// are left out.
    ///
    /// # Errors
    /// [`Error::Input`] where the file is missing or damaged, has no events, a column is missing or of another kind or
    /// unit, a value is not a time, energy or position, or the reference of the times is missing.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let mut reader = FitsReader::open(path.as_ref())?;
        let hdu = reader.require(EXTENSION)?.clone();
        let mut columns = Columns { place: reader.place().hdu(hdu.label()), reader: &mut reader, hdu: &hdu };
        let mut time_s = columns.numbers("TIME", "s", hdu.header.text("TIMEUNIT").unwrap_or("s"))?;
        let zero_s = gti::time_zero_s(&hdu.header, &columns.place)?;
        if zero_s != 0.0 {
            time_s.iter_mut().for_each(|t| *t += zero_s);
        }
        let ra_deg = columns.numbers("RA", "deg", "deg")?;
        let dec_deg = columns.numbers("DEC", "deg", "deg")?;
        let energy_tev = columns.numbers("ENERGY", "TeV", hdu.header.text("EUNIT").unwrap_or("TeV"))?;
        columns.refuse("ENERGY", &energy_tev, |v| v > 0.0)?;
        columns.refuse("DEC", &dec_deg, |v| v.abs() <= 90.0)?;
        let event_id = match columns.has("EVENT_ID") {
            true => columns.integers("EVENT_ID")?,
            false => (0..time_s.len() as i64).collect(),
        };
        let mc_id = if columns.has("MC_ID") { Some(columns.integers("MC_ID")?) } else { None };
        let truth = if ["ENERGY_TRUE", "RA_TRUE", "DEC_TRUE"].iter().all(|name| columns.has(name)) {
            Some(TrueColumns {
                energy_tev: columns.numbers("ENERGY_TRUE", "TeV", "TeV")?,
                ra_deg: columns.numbers("RA_TRUE", "deg", "deg")?,
                dec_deg: columns.numbers("DEC_TRUE", "deg", "deg")?,
            })
        } else {
            None
        };
        let detector = if columns.has("DETX") && columns.has("DETY") {
            Some(DetectorColumns {
                x_deg: columns.numbers("DETX", "deg", "deg")?,
                y_deg: columns.numbers("DETY", "deg", "deg")?,
            })
        } else {
            None
        };
        let reference = gti::time_reference_of(&reader, hdu.index);
        let mut meta = meta_of(&hdu.header, reference, &reader.place().hdu(hdu.label()))?;
        if let Some(index) = reader.find("GTI").map(|h| h.index) {
            meta.gti = Some(gti::read(&mut reader, index)?);
        }
        Ok(Self { event_id, time_s, ra_deg, dec_deg, energy_tev, mc_id, truth, detector, meta })
    }

    /// Writes the events in the layout that Gammapy's `EventList.read` and `GTI.read` open.
    ///
    /// # Errors
    /// As [`write_events`].
    pub fn write(&self, path: impl AsRef<Path>, options: &WriteOptions) -> Result<()> {
        write_events(path, &self.meta, self.columns(), options, |take| take(self)).map(drop)
    }
}

/// Columns of a table of events.
struct Columns<'a> {
    reader: &'a mut FitsReader,
    hdu: &'a Hdu,
    place: Place,
}

impl Columns<'_> {
    fn has(&self, name: &str) -> bool {
        self.hdu.column(name).is_some()
    }

    fn one_per_row(&self, name: &str) -> Result<()> {
        let column = &self.hdu.columns[self.reader.column_index(self.hdu, name)?];
        if column.repeat == 1 && "BIJKED".contains(column.code) {
            return Ok(());
        }
        Err(Error::input_at(self.place.clone().item(name), "one number per row is needed"))
    }

    /// Numbers in a unit; `default` is that of a column without one.
    fn numbers(&mut self, name: &str, unit: &str, default: &str) -> Result<Vec<f64>> {
        self.one_per_row(name)?;
        let column = &self.hdu.columns[self.reader.column_index(self.hdu, name)?];
        let text = if column.unit.trim().is_empty() { default } else { column.unit.trim() };
        let factor = text
            .parse::<Unit>()
            .and_then(|u| u.factor_to_text(unit))
            .map_err(|_| Error::input_at(self.place.clone().item(name), format!("is in '{text}', {unit} is needed")))?;
        let mut values = self.reader.column::<f64>(self.hdu.index, name)?;
        if factor != 1.0 {
            values.iter_mut().for_each(|v| *v *= factor);
        }
        self.refuse(name, &values, f64::is_finite)?;
        Ok(values)
    }

    fn integers(&mut self, name: &str) -> Result<Vec<i64>> {
        self.one_per_row(name)?;
        self.reader.column::<i64>(self.hdu.index, name)
    }

    fn refuse(&self, name: &str, values: &[f64], right: impl Fn(f64) -> bool) -> Result<()> {
        match values.iter().position(|v| !right(*v)) {
            Some(row) => {
                let problem = format!("row {row} has the value {}, which no event can have", values[row]);
                Err(Error::input_at(self.place.clone().item(name), problem))
            }
            None => Ok(()),
        }
    }
}

fn meta_of(header: &Header, reference: Option<TimeReference>, place: &Place) -> Result<EventMeta> {
    let reference = reference.ok_or_else(|| {
        Error::input_at(place.clone().item("MJDREFI"), "the reference of the times is missing")
            .with_help("set MJDREFI and MJDREFF in the header of the table")
    })?;
    let text = |key: &str| header.text(key).map(|t| t.trim().to_string()).unwrap_or_default();
    let position = |ra: &str, dec: &str| {
        let (ra, dec) = header.real(ra).zip(header.real(dec))?;
        (ra.is_finite() && dec.abs() <= 90.0).then(|| SkyPosition::icrs(ra, dec))
    };
    let mut components = Vec::new();
    for (key, value) in header.cards() {
        let number = key.strip_prefix("MID").filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if let (Some(number), super::header::Value::Int(id)) = (number, value) {
            components.push((*id, text(&format!("MMN{number}"))));
        }
    }
    let range = header.text("DSVAL2").and_then(|t| t.split_once(':'));
    let range = range.and_then(|(a, b)| Some((a.trim().parse::<f64>().ok()?, b.trim().parse::<f64>().ok()?)));
    Ok(EventMeta {
        obs_id: header.int("OBS_ID").map_or_else(|| text("OBS_ID"), |id| id.to_string()),
        telescope: text("TELESCOP"),
        instrument: text("INSTRUME"),
        object: header.text("OBJECT").map(|t| t.trim().to_string()).zip(position("RA_OBJ", "DEC_OBJ")),
        pointing: position("RA_PNT", "DEC_PNT"),
        reference,
        gti: None,
        livetime_s: header.real("LIVETIME").filter(|v| v.is_finite() && *v >= 0.0),
        // Energies of other units than ours say nothing here.
        energy_range_tev: range.filter(|_| header.text("DSUNI2").is_some_and(|u| u.trim() == "TeV")),
        components,
    })
}

/// Writes the events that `produce` hands on, list by list, into one file in the layout of the open gamma-ray format, and
/// gives their number. All lists have the columns that are named; those that they have beyond are left out. A name that
/// ends in `.gz` is compressed.
///
/// # Errors
/// [`Error::Options`] where the file exists and is not to be replaced, its folder is missing, or it is a device;
/// [`Error::Io`] where writing fails; [`Error::Input`] for a list that lacks a column; what `produce` returns. Nothing is
/// left half-written.
pub fn write_events(
    path: impl AsRef<Path>,
    meta: &EventMeta,
    columns: EventColumns,
    options: &WriteOptions,
    produce: impl FnOnce(&mut dyn FnMut(&EventList) -> Result<()>) -> Result<()>,
) -> Result<u64> {
    let path = path.as_ref();
    check_output(path, options.overwrite)?;
    let frame = Frames::new(meta, columns, options).map_err(|e| e.at(&Place::file(path)))?;
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz")) {
        return write_file(path, options.overwrite, |file| frame.fill(path, file, produce));
    }
    // What is compressed cannot be changed afterwards.
    with_spool(path, |spool| {
        let rows = frame.fill(path, spool, produce)?;
        spool.seek(SeekFrom::Start(0)).map_err(|e| Error::io(path, e))?;
        write_atomic(path, options.overwrite, |out| {
            let mut encoder = GzEncoder::new(out, Compression::new(GZIP_LEVEL));
            std::io::copy(&mut BufReader::with_capacity(1 << 20, spool), &mut encoder)?;
            encoder.finish().map(|_| ())
        })?;
        Ok(rows)
    })
}

/// A file without events: what stands before and after them.
struct Frames {
    columns: EventColumns,
    row_bytes: usize,
    before: Vec<u8>,
    /// Where the header of the events starts.
    header_start: usize,
    after: Vec<u8>,
}

impl Frames {
    fn new(meta: &EventMeta, columns: EventColumns, options: &WriteOptions) -> Result<Self> {
        let mut out = MemoryWriter::new(16 * BLOCK)?;
        out.image(8, &[]);
        provenance(&mut out, options);
        let number = ColumnData::Double(&[], 1);
        let mut list = vec![("EVENT_ID", "", ColumnData::Int(&[])), ("TIME", "s", number)];
        list.extend([("RA", "deg", number), ("DEC", "deg", number), ("ENERGY", "TeV", number)]);
        if columns.mc_id {
            list.push(("MC_ID", "", ColumnData::Int(&[])));
        }
        if columns.truth {
            list.extend([("ENERGY_TRUE", "TeV", number), ("RA_TRUE", "deg", number), ("DEC_TRUE", "deg", number)]);
        }
        if columns.detector {
            list.extend([("DETX", "deg", number), ("DETY", "deg", number)]);
        }
        out.table(0, &list);
        keywords(&mut out, meta, options);
        if let Some(intervals) = &meta.gti {
            gti::write(&mut out, intervals);
            classes(&mut out, "GTI");
            out.text("TIMEUNIT", "s", "unit of times");
        }
        let bytes = out.finish()?;
        let hdus = check_bytes(&bytes)?;
        let Some(hdu) = hdus.iter().find(|h| h.name == EXTENSION) else {
            return Err(Error::input_at(Place::default().hdu(EXTENSION), "the header was not made"));
        };
        Ok(Self {
            columns,
            row_bytes: 8 * list.len(),
            before: bytes[..hdu.data_start].to_vec(),
            header_start: hdu.header_start,
            after: bytes[hdu.data_start..].to_vec(),
        })
    }

    /// Writes the file, and then its header again.
    fn fill(
        &self,
        path: &Path,
        file: &mut File,
        produce: impl FnOnce(&mut dyn FnMut(&EventList) -> Result<()>) -> Result<()>,
    ) -> Result<u64> {
        let io = |error| Error::io(path, error);
        file.write_all(&self.before).map_err(io)?;
        let (mut rows, mut data) = (0, Checksum::default());
        produce(&mut |list| {
            let blocks = self.encode(list)?;
            for (bytes, sum) in &blocks {
                file.write_all(bytes).map_err(io)?;
                data.join(*sum);
            }
            rows += list.len();
            Ok(())
        })?;
        let bytes = rows * self.row_bytes;
        file.write_all(&vec![0; bytes.next_multiple_of(BLOCK) - bytes]).map_err(io)?;
        file.write_all(&self.after).map_err(io)?;
        let header = self.header(rows, data);
        file.seek(SeekFrom::Start(self.header_start as u64)).map_err(io)?;
        file.write_all(&header).map_err(io)?;
        Ok(rows as u64)
    }

    /// Rows as they stand in the file, and their sums.
    fn encode(&self, list: &EventList) -> Result<Vec<(Vec<u8>, Checksum)>> {
        list.check()?;
        let lacks = |name: &str| Error::input(name, "the events have no such column, but it is to be written");
        let mut ints = vec![(0, list.event_id.as_slice())];
        let mut floats = vec![
            (1, list.time_s.as_slice()),
            (2, list.ra_deg.as_slice()),
            (3, list.dec_deg.as_slice()),
            (4, list.energy_tev.as_slice()),
        ];
        let mut next = 5;
        if self.columns.mc_id {
            ints.push((next, list.mc_id.as_deref().ok_or_else(|| lacks("MC_ID"))?));
            next += 1;
        }
        if self.columns.truth {
            let truth = list.truth.as_ref().ok_or_else(|| lacks("ENERGY_TRUE"))?;
            floats.extend([(next, truth.energy_tev.as_slice()), (next + 1, &truth.ra_deg), (next + 2, &truth.dec_deg)]);
            next += 3;
        }
        if self.columns.detector {
            let detector = list.detector.as_ref().ok_or_else(|| lacks("DETX"))?;
            floats.extend([(next, detector.x_deg.as_slice()), (next + 1, &detector.y_deg)]);
        }
        let starts: Vec<usize> = (0..list.len()).step_by(ROWS).collect();
        let block = |start: &usize| {
            let end = (start + ROWS).min(list.len());
            let mut bytes = vec![0; (end - start) * self.row_bytes];
            for (row, out) in (*start..end).zip(bytes.chunks_exact_mut(self.row_bytes)) {
                for (column, values) in &ints {
                    out[8 * column..8 * column + 8].copy_from_slice(&values[row].to_be_bytes());
                }
                for (column, values) in &floats {
                    out[8 * column..8 * column + 8].copy_from_slice(&values[row].to_be_bytes());
                }
            }
            let mut sum = Checksum::default();
            sum.add(&bytes);
            (bytes, sum)
        };
        Ok(starts.par_iter().map(block).collect())
    }

    /// The header of the events with number of rows and checksums.
    fn header(&self, rows: usize, data: Checksum) -> Vec<u8> {
        let mut header = self.before[self.header_start..].to_vec();
        let put = |header: &mut [u8], key: &str, value: &str| {
            for card in header.chunks_exact_mut(CARD) {
                if card.starts_with(format!("{key:8}=").as_bytes()) {
                    let text = format!("{key:8}= {value:<CARD$}");
                    card.copy_from_slice(&text.as_bytes()[..CARD]);
                }
            }
        };
        put(&mut header, "NAXIS2", &format!("{rows:>20} / number of rows"));
        // Readers make the cards anew to check them: text as the standard's fixed format has it.
        let text = |value: &str, comment: &str| format!("{:<20} / {comment}", format!("'{value:<8}'"));
        put(&mut header, "DATASUM", &text(&data.value().to_string(), "sum of the data"));
        put(&mut header, "CHECKSUM", &text(NO_CHECKSUM, "sum of the HDU"));
        let mut whole = data;
        whole.add(&header);
        put(&mut header, "CHECKSUM", &text(&whole.encoded(), "sum of the HDU"));
        header
    }
}

/// Keywords that say by which standard an HDU is written.
fn classes(out: &mut MemoryWriter, class: &str) {
    out.text("HDUCLASS", "GADF", "standard of this HDU");
    out.text("HDUDOC", "https://github.com/open-gamma-ray-astro/gamma-astro-data-formats", "its document");
    out.text("HDUVERS", "0.2", "its version");
    out.text("HDUCLAS1", class, "kind of HDU");
}

fn keywords(out: &mut MemoryWriter, meta: &EventMeta, options: &WriteOptions) {
    out.text("EXTNAME", EXTENSION, "extension name");
    classes(out, EXTENSION);
    match meta.obs_id.parse::<i64>() {
        Ok(id) => out.int("OBS_ID", id, "observation"),
        Err(_) => out.text("OBS_ID", &meta.obs_id, "observation"),
    }
    out.text("TELESCOP", or_unknown(&meta.telescope), "telescope");
    out.text("INSTRUME", or_unknown(&meta.instrument), "instrument");
    out.text("CREATOR", &options.provenance.program, "program that made this file");
    gti::write_reference(out, &meta.reference);
    if meta.reference.timeref.is_none() {
        out.text("TIMEREF", "LOCAL", "time reference");
    }
    out.text("TIMEUNIT", "s", "unit of times");
    out.text("EUNIT", "TeV", "unit of energies");
    out.text("RADECSYS", "ICRS", "frame of positions");
    out.real("EQUINOX", 2000.0, "");
    out.text("OBS_MODE", "POINTING", "");
    out.text("EV_CLASS", "", "");
    if let Some(intervals) = &meta.gti {
        let ontime = intervals.time_sum_s();
        let livetime = meta.livetime_s.filter(|v| v.is_finite()).unwrap_or(ontime);
        let start = intervals.intervals.iter().map(|i| i.0).fold(f64::INFINITY, f64::min);
        let stop = intervals.intervals.iter().map(|i| i.1).fold(f64::NEG_INFINITY, f64::max);
        if start.is_finite() && stop.is_finite() {
            out.real("TSTART", start, "[s] start of the first interval");
            out.real("TSTOP", stop, "[s] end of the last interval");
            out.real("TELAPSE", stop - start, "[s] from start to end");
        }
        out.real("ONTIME", ontime, "[s] sum of the good time intervals");
        out.real("LIVETIME", livetime, "[s] without dead time");
        let deadc = if ontime > 0.0 { (livetime / ontime).min(1.0) } else { 1.0 };
        out.real("DEADC", deadc, "LIVETIME over ONTIME");
    }
    if let Some(p) = meta.pointing.map(|p| p.to_frame(Frame::Icrs)) {
        out.real("RA_PNT", p.lon_deg, "[deg] pointing");
        out.real("DEC_PNT", p.lat_deg, "[deg] pointing");
    }
    if let Some((name, position)) = &meta.object {
        let p = position.to_frame(Frame::Icrs);
        out.text("OBJECT", name, "source");
        out.real("RA_OBJ", p.lon_deg, "[deg] position of the source");
        out.real("DEC_OBJ", p.lat_deg, "[deg] position of the source");
    }
    out.text("DSTYP1", "TIME", "");
    out.text("DSUNI1", "s", "");
    out.text("DSVAL1", "TABLE", "");
    out.text("DSREF1", ":GTI", "");
    if let Some((low, high)) = meta.energy_range_tev {
        out.text("DSTYP2", "ENERGY", "");
        out.text("DSUNI2", "TeV", "");
        out.text("DSVAL2", &format!("{low}:{high}"), "");
    }
    let keys = if meta.energy_range_tev.is_some() { 2 } else { 1 };
    out.int("NDSKEYS", keys, "");
    if !meta.components.is_empty() {
        out.int("NMCIDS", meta.components.len() as i64, "simulated components");
        for (id, name) in meta.components.iter().filter(|(id, _)| (0..100_000).contains(id)) {
            out.int(&format!("MID{id:05}"), *id, "MC_ID of a component");
            out.text(&format!("MMN{id:05}"), name, "its name");
        }
    }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "UNKNOWN" } else { text }
}
