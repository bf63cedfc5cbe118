//! What damaged input is given to: the bodies of `tests/fuzz/main.rs` (stable Rust, random mutations) and of the libFuzzer
//! targets in `fuzz/`. An error is fine, a panic, an abort or a run without end is not.

use std::path::{Path, PathBuf};

use pevatron::Error;
use pevatron::data::EventList;
use pevatron::datasets::{Dataset, Datasets, MapDataset};
use pevatron::flux::{FluxMaps, FluxPoints, FromTable};
use pevatron::io::fits::check_bytes;
use pevatron::io::{file_kind, parse_region, read_regions};
use pevatron::maps::{Frame, Map};
use pevatron::models::Models;
use pevatron::table::{Column, Table};
use pevatron::units::{Quantity, Unit, parse_list};

/// A name and a body.
pub type Target = (&'static str, fn(&[u8]));

/// All bodies, by the names of the targets in `fuzz/`.
pub const TARGETS: [Target; 11] = [
    ("fits", fits),
    ("tiles", tiles),
    ("flux", flux),
    ("spectra", spectra),
    ("events", events),
    ("tables", tables),
    ("datasets", datasets),
    ("yaml", yaml),
    ("regions", regions),
    ("quantities", quantities),
    ("columns", columns),
];

/// A folder of this thread, which goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("pevatron-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
        let folder = std::env::temp_dir().join(name.replace(['(', ')'], ""));
        std::fs::create_dir_all(&folder).expect("a folder for files");
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The bytes as a file of that name.
fn with_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    thread_local! {
        static SCRATCH: Scratch = Scratch::new();
    }
    SCRATCH.with(|scratch| {
        let path = scratch.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        read(&path);
    });
}

/// The bytes of a FITS file: the walk over its headers, then the whole reading of a dataset.
pub fn fits(bytes: &[u8]) {
    let headers = check_bytes(bytes);
    let dataset = MapDataset::from_fits_bytes(bytes.to_vec());
    assert!(headers.is_ok() || dataset.is_err(), "a file is read whose headers are refused");
    if let Ok(dataset) = dataset {
        let _ = dataset.check();
        let _ = dataset.mask();
        let _ = dataset.npred_background();
    }
    let _ = Dataset::from_bytes(bytes.to_vec());
}

/// A FITS file with one map, tile-compressed or not.
pub fn tiles(bytes: &[u8]) {
    with_file("map.fits", bytes, |path| {
        if let Ok(map) = Map::read(path, None) {
            let _ = map.sum();
        }
    });
}

/// Flux maps.
pub fn flux(bytes: &[u8]) {
    if let Ok(maps) = FluxMaps::from_bytes(bytes.to_vec()) {
        let _ = maps.geom();
    }
}

/// A spectrum with all that belongs to it in one file, which calls it `spectrum.fits`.
pub fn spectra(bytes: &[u8]) {
    with_file("spectrum.fits", bytes, |path| {
        if let Ok(dataset) = Dataset::read(path) {
            let _ = dataset.check();
        }
    });
}

/// A list of events.
pub fn events(bytes: &[u8]) {
    with_file("events.fits", bytes, |path| {
        if let Ok(events) = EventList::read(path) {
            let _ = events.check();
        }
    });
}

/// A table, FITS, ECSV or plain, and the flux points that it may be.
pub fn tables(bytes: &[u8]) {
    with_file("table", bytes, |path| {
        let _ = Table::read(path, None);
        let _ = FluxPoints::read(path, &FromTable::default());
    });
}

/// A list of datasets, or whatever else the program would take it for.
pub fn datasets(bytes: &[u8]) {
    with_file("list.yaml", bytes, |path| {
        let _ = file_kind(path);
        let _ = Datasets::read(path, None);
        let _ = Datasets::open_lazy(path, false).map(|list| list.len());
    });
}

/// The text of a models file. What is read can be written and read again.
pub fn yaml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let no_maps = |name: &str| Err(Error::input(name, "there are no maps here"));
    let Ok(models) = Models::from_yaml(text, &no_maps) else { return };
    match models.to_yaml() {
        Ok(written) => {
            let again = Models::from_yaml(&written, &no_maps);
            assert!(again.is_ok(), "{:?} of\n{written}\nfrom\n{text}", again.err());
        }
        Err(error) => drop(error),
    }
}

/// A region as options have it, and a file of regions.
pub fn regions(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = parse_region(text, Frame::Galactic).map(|region| region.radius_deg());
    }
    with_file("regions.reg", bytes, |path| drop(read_regions(path)));
}

/// Numbers with units, lists of them, and units. What is read can be written and read again.
pub fn quantities(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = parse_list(text);
    let _ = text.parse::<Quantity>().and_then(|q| q.to("deg"));
    if let Ok(unit) = text.parse::<Unit>() {
        let written = unit.to_string();
        let again = written.parse::<Unit>();
        assert!(again.is_ok_and(|u| u.factor_to(&unit).is_ok()), "'{text}' is written as '{written}'");
    }
}

/// `NEW=OLD[:UNIT]`, as `--column` has it, on a table.
pub fn columns(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((new, rest)) = text.split_once('=') else { return };
    let (old, unit) = rest.split_once(':').map_or((rest, None), |(old, unit)| (old, Some(unit)));
    let mut table = Table::new();
    for name in ["e_ref", "dnde", "dnde_err"] {
        let column = Column::floats(name, "TeV".parse().expect("a unit"), vec![1.0, 2.0]);
        table.push(column).expect("another column");
    }
    if table.rename(old, new).is_ok() {
        let _ = unit.map(|unit| table.set_unit(new, unit));
        let _ = FluxPoints::from_table(&table, &FromTable::default());
    }
}
