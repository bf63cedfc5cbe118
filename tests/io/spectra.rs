//! OGIP spectra as instruments and tools have them, each way of its own: the same numbers, a warning, or the reason why not.
#![cfg(feature = "fits-system")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::fits_file::{Cells, FitsFile, Hdu, file_of, lists, quoted, real, table_of, texts, whole};
use ndarray::Array2;
use pevatron::Error;
use pevatron::datasets::{Dataset, Datasets, MapDatasetOnOff};
use pevatron::error::warnings;
use pevatron::io::{FileKind, OgipOptions, file_kind};
use pevatron::maps::Map;

const CHANNELS: usize = 5;
const TRUE: usize = 7;
const SECONDS: f64 = 1000.0;

/// A spectrum with background and responses, to be changed before it is written.
#[derive(Clone)]
struct Parts {
    /// Edges of the channels in keV, and of the true energies.
    energy: Vec<f64>,
    truth: Vec<f64>,
    counts: Vec<f64>,
    off: Vec<f64>,
    area: Vec<f64>,
    matrix: Array2<f64>,
    /// Number of the first channel: of the spectrum, EBOUNDS, F_CHAN; TLMIN of F_CHAN.
    first: (i32, i32, i32, Option<i32>),
    /// More columns and keywords of the spectrum, keywords of the matrix.
    columns: Vec<Cells>,
    keys: Vec<(&'static str, String)>,
    matrix_keys: Vec<(&'static str, String)>,
    matrix_name: &'static str,
    /// Rows in falling order of energy: of channels, true energies of the ARF and of the RMF.
    falls: (bool, bool, bool),
}

fn edges(from: f64, to: f64, bins: usize) -> Vec<f64> {
    (0..=bins).map(|i| from * (to / from).powf(i as f64 / bins as f64)).collect()
}

impl Parts {
    fn new() -> Self {
        let matrix = Array2::from_shape_fn((TRUE, CHANNELS), |(t, c)| {
            let distance = t as f64 / TRUE as f64 - c as f64 / CHANNELS as f64;
            if distance.abs() < 0.35 { (0.4 - distance.abs()) / (3.0 + t as f64 * 0.1) } else { 0.0 }
        });
        Self {
            energy: edges(0.5, 8.0, CHANNELS),
            truth: edges(0.3, 10.0, TRUE),
            counts: vec![3.0, 0.0, 12.0, 7.0, 1.0],
            off: vec![20.0, 31.0, 5.0, 8.0, 2.0],
            area: (0..TRUE).map(|t| 100.0 + 40.0 * t as f64).collect(),
            matrix,
            first: (0, 0, 0, Some(0)),
            columns: Vec::new(),
            keys: [("ANCRFILE", "x.arf"), ("RESPFILE", "x.rmf"), ("BACKFILE", "x.bkg")]
                .map(|(key, name)| (key, quoted(name)))
                .to_vec(),
            matrix_keys: vec![("HDUCLAS3", quoted("REDIST"))],
            matrix_name: "MATRIX",
            falls: (false, false, false),
        }
    }

    fn key(mut self, key: &'static str, value: &str) -> Self {
        self.keys.retain(|(k, _)| *k != key);
        self.keys.push((key, value.to_string()));
        self
    }

    fn column(mut self, column: Cells) -> Self {
        self.columns.push(column);
        self
    }

    /// Values of channels in the order of the rows.
    fn rows<T: Clone>(&self, values: &[T]) -> Vec<T> {
        turned(values, self.falls.0)
    }

    fn spectrum(&self, counts: &[f64], class: &str, more: &[(&'static str, String)]) -> Hdu {
        let channels: Vec<i32> = (0..CHANNELS as i32).map(|n| n + self.first.0).collect();
        let mut columns = vec![whole("CHANNEL", &channels), real("COUNTS", "count", &self.rows(counts))];
        if class == "TOTAL" {
            columns.extend(self.columns.clone());
        }
        let mut keys: Vec<(&str, String)> = vec![
            ("HDUCLAS1", quoted("SPECTRUM")),
            ("HDUCLAS2", quoted(class)),
            ("EXPOSURE", format!("{SECONDS}")),
            ("POISSERR", "T".into()),
            ("BACKSCAL", if class == "BKG" { "4.0" } else { "1.0" }.into()),
        ];
        // What is said last holds; a column replaces a keyword.
        keys.retain(|(key, _)| !more.iter().any(|(k, _)| k == key) && !columns.iter().any(|c| c.0 == *key));
        keys.extend(more.iter().cloned());
        let keys: Vec<(&str, &str)> = keys.iter().map(|(k, v)| (*k, v.as_str())).collect();
        table_of("SPECTRUM", &columns, &keys)
    }

    fn pha(&self) -> Hdu {
        self.spectrum(&self.counts, "TOTAL", &self.keys)
    }

    fn bkg(&self) -> Hdu {
        self.spectrum(&self.off, "BKG", &[])
    }

    fn arf(&self) -> Hdu {
        let falls = self.falls.1;
        let (low, high) = (turned(&self.truth[..TRUE], falls), turned(&self.truth[1..], falls));
        let area = real("SPECRESP", "cm**2", &turned(&self.area, falls));
        table_of("SPECRESP", &[real("ENERG_LO", "keV", &low), real("ENERG_HI", "keV", &high), area], &[])
    }

    fn ebounds(&self) -> Hdu {
        let channels: Vec<i32> = (0..CHANNELS as i32).map(|n| n + self.first.1).collect();
        let (low, high) = (self.rows(&self.energy[..CHANNELS]), self.rows(&self.energy[1..]));
        let columns = [whole("CHANNEL", &channels), real("E_MIN", "keV", &low), real("E_MAX", "keV", &high)];
        table_of("EBOUNDS", &columns, &[])
    }

    /// Each row has one group, from its first element above 0 to the last one.
    fn rmf(&self) -> Hdu {
        let falls = self.falls.2;
        let (low, high) = (turned(&self.truth[..TRUE], falls), turned(&self.truth[1..], falls));
        let rows: Vec<Vec<f64>> = self.matrix.outer_iter().map(|row| self.rows(&row.to_vec())).collect();
        let (mut start, mut size, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for row in turned(&rows, falls) {
            let used: Vec<usize> = (0..CHANNELS).filter(|c| row[*c] != 0.0).collect();
            let (first, last) = (used.first().copied().unwrap_or(0), used.last().map_or(0, |l| l + 1));
            start.push(first as i32 + self.first.2);
            size.push(last.saturating_sub(first) as i32);
            let mut elements = row[first..last.max(first)].to_vec();
            elements.resize(CHANNELS, 0.0);
            values.push(elements);
        }
        let columns = [
            real("ENERG_LO", "keV", &low),
            real("ENERG_HI", "keV", &high),
            whole("N_GRP", &[1; TRUE]),
            whole("F_CHAN", &start),
            whole("N_CHAN", &size),
            lists("MATRIX", "", &values),
        ];
        let mut keys: Vec<(&str, &str)> = vec![("HDUCLAS1", "'RESPONSE'"), ("HDUCLAS2", "'RSP_MATRIX'")];
        keys.extend(self.matrix_keys.iter().map(|(k, v)| (*k, v.as_str())));
        let tlmin = self.first.3.map(|v| v.to_string());
        keys.extend(tlmin.as_ref().map(|v| ("TLMIN4", v.as_str())));
        table_of(self.matrix_name, &columns, &keys)
    }

    /// Writes x.pha, x.bkg, x.arf, x.rmf.
    fn write(&self, folder: &Path) -> PathBuf {
        file_of(vec![self.pha()]).write(folder.join("x.pha"));
        file_of(vec![self.bkg()]).write(folder.join("x.bkg"));
        file_of(vec![self.arf()]).write(folder.join("x.arf"));
        file_of(vec![self.rmf(), self.ebounds()]).write(folder.join("x.rmf"));
        folder.join("x.pha")
    }
}

fn turned<T: Clone>(values: &[T], falls: bool) -> Vec<T> {
    let mut values = values.to_vec();
    if falls {
        values.reverse();
    }
    values
}

/// What is read of parts, and what was said.
fn read(parts: &Parts) -> (Result<MapDatasetOnOff, Error>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = parts.write(folder.path());
    warnings::collect(|| MapDatasetOnOff::read_ogip(path))
}

#[track_caller]
fn quiet(parts: &Parts) -> MapDatasetOnOff {
    let (dataset, said) = read(parts);
    assert_eq!(said, [""; 0]);
    dataset.unwrap()
}

/// What is read with one warning of these words.
#[track_caller]
fn warned(parts: &Parts, words: &[&str]) -> MapDatasetOnOff {
    let (dataset, said) = read(parts);
    assert_eq!(said.len(), 1, "{said:?}");
    for word in words {
        assert!(said[0].contains(word), "'{word}' is not in {said:?}");
    }
    dataset.unwrap()
}

#[track_caller]
fn refused(parts: &Parts, words: &[&str]) -> Error {
    let error = read(parts).0.unwrap_err();
    for word in words {
        assert!(error.to_string().contains(word), "'{word}' is not in {error}");
    }
    error
}

fn values(map: &Option<Map>) -> Vec<f64> {
    map.as_ref().unwrap().data().iter().collect()
}

fn matrix(dataset: &MapDatasetOnOff) -> Vec<f64> {
    let matrix = dataset.on.edisp.as_ref().unwrap().matrix_at(None, dataset.energy_axis().unwrap()).unwrap();
    matrix.iter().copied().collect()
}

#[track_caller]
fn close(what: &str, a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= 1e-12 * a.abs().max(b.abs()), "{what}: value {i} is {a}, not {b}");
    }
}

#[track_caller]
fn same(a: &MapDatasetOnOff, b: &MapDatasetOnOff) {
    let energies = |d: &MapDatasetOnOff| d.energy_axis().unwrap().edges_tev().unwrap();
    close("energy", &energies(a), &energies(b));
    close("counts", &values(&a.on.counts), &values(&b.on.counts));
    close("counts_off", &values(&a.counts_off), &values(&b.counts_off));
    close("exposure", &values(&a.on.exposure), &values(&b.on.exposure));
    close("edisp", &matrix(a), &matrix(b));
    close("alpha", &values(&a.alpha().ok()), &values(&b.alpha().ok()));
}

#[test]
fn the_parts_are_whole() {
    let (parts, dataset) = (Parts::new(), quiet(&Parts::new()));
    close("counts", &values(&dataset.on.counts), &parts.counts);
    close("counts_off", &values(&dataset.counts_off), &parts.off);
    close("alpha", &values(&dataset.alpha().ok()), &[0.25; CHANNELS]);
    close("edisp", &matrix(&dataset), parts.matrix.as_slice().unwrap());
}

/// Rows of gratings, whose wavelengths rise: counts, columns and rows turn with the energies.
#[test]
fn falling_energies() {
    let rising = quiet(&Parts::new());
    for n in 1..8 {
        let falls = (n & 1 > 0, n & 2 > 0, n & 4 > 0);
        same(&rising, &quiet(&Parts { falls, ..Parts::new() }));
    }
    // Masks and groups, too.
    let quality = |falls: bool| {
        let bad = turned(&[0, 5, 0, 0, 1], falls);
        let grouping = [1, -1, 1, 1, -1];
        let parts = Parts { falls: (falls, false, false), ..Parts::new() };
        parts.column(whole("QUALITY", &bad)).column(whole("GROUPING", &grouping))
    };
    let folder = tempfile::tempdir().unwrap();
    let group = OgipOptions { group: true, ..OgipOptions::default() };
    let dataset = MapDatasetOnOff::read_ogip_with(quality(false).write(folder.path()), &group).unwrap();
    // The channels 0 (1 is bad), 2, 3 (4 is bad).
    close("counts", &values(&dataset.on.counts), &[3.0, 12.0, 7.0]);
    let dataset = MapDatasetOnOff::read_ogip_with(quality(true).write(folder.path()), &group).unwrap();
    // From the highest energy down: {4, 3}, {2}, {1, 0}; 4 and 1 are bad.
    close("counts", &values(&dataset.on.counts), &[3.0, 12.0, 7.0]);
    // Ends of bins in the other column.
    let parts = Parts { falls: (true, false, false), ..Parts::new() };
    let path = parts.write(folder.path());
    let mut file = FitsFile::read(folder.path().join("x.rmf"));
    file.hdu("EBOUNDS").set("TTYPE2", "'E_MAX   '");
    file.hdu("EBOUNDS").set("TTYPE3", "'E_MIN   '");
    file.write(folder.path().join("x.rmf"));
    same(&rising, &MapDatasetOnOff::read_ogip(&path).unwrap());
    // A spectrum whose own energies run the other way than those of the response.
    file_of(vec![parts.pha(), Parts::new().ebounds()]).write(&path);
    let error = MapDatasetOnOff::read_ogip(&path).unwrap_err().to_string();
    assert!(error.contains("not those of the spectrum"), "{error}");
}

/// A file that names itself as its background means its other spectrum.
#[test]
fn background_in_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::new().key("BACKFILE", &quoted("x.pha"));
    let path = parts.write(folder.path());
    let expected = quiet(&Parts::new());
    fs::remove_file(folder.path().join("x.bkg")).unwrap();
    for tables in [vec![parts.pha(), parts.bkg()], vec![parts.bkg(), parts.pha()]] {
        file_of(tables).write(&path);
        same(&expected, &MapDatasetOnOff::read(&path).unwrap());
        assert_eq!(file_kind(&path).unwrap(), FileKind::Spectrum);
    }
    // The class may stand in HDUCLAS3, the name of the table may be another.
    let mut bkg = parts.spectrum(&parts.off, "TOTAL", &[("HDUCLAS3", quoted("BKG")), ("BACKSCAL", "4.0".into())]);
    bkg.set("EXTNAME", "'SPECTRUM2'");
    file_of(vec![parts.pha(), bkg]).write(&path);
    same(&expected, &MapDatasetOnOff::read(&path).unwrap());
    // Never the spectrum itself.
    for tables in [vec![parts.pha()], vec![parts.pha(), parts.bkg(), parts.bkg()]] {
        file_of(tables).write(&path);
        let error = MapDatasetOnOff::read(&path).unwrap_err();
        assert!(error.to_string().contains("x.pha") && error.help().is_some(), "{error}");
    }
    // One of several, by number.
    let parts = Parts::new().key("BACKFILE", &quoted("x.pha[3]"));
    file_of(vec![parts.pha(), parts.spectrum(&[9.0; 5], "BKG", &[]), parts.bkg()]).write(&path);
    same(&expected, &MapDatasetOnOff::read(&path).unwrap());
    // Two spectra of sources: which one?
    file_of(vec![parts.pha(), parts.pha(), parts.bkg()]).write(&path);
    let error = MapDatasetOnOff::read(&path).unwrap_err();
    assert!(error.to_string().contains("2 spectra, one is needed: [1] SPECTRUM, [2] SPECTRUM"), "{error}");
    let chosen = folder.path().join("x.pha[1]");
    same(&expected, &MapDatasetOnOff::read(&chosen).unwrap());
    assert!(Dataset::read(&chosen).is_ok() && Dataset::open_lazy(&chosen, false).is_ok());
    assert_eq!(file_kind(&chosen).unwrap(), FileKind::Spectrum);
}

#[test]
fn companions_are_found() {
    let expected = quiet(&Parts::new());
    let compress = |path: &Path| {
        FitsFile::read(path).write_gz(path.with_extension(format!("{}.gz", path.extension().unwrap().display())));
        fs::remove_file(path).unwrap();
    };
    // All but the spectrum compressed, or named as if they were.
    let folder = tempfile::tempdir().unwrap();
    let path = Parts::new().write(folder.path());
    for name in ["x.arf", "x.rmf", "x.bkg"] {
        compress(&folder.path().join(name));
    }
    same(&expected, &MapDatasetOnOff::read(&path).unwrap());
    for (key, name) in [
        ("BACKFILE", "x.bkg.gz"),
        ("BACKFILE", "x.bkg{1}"),
        ("BACKFILE", "x.bkg[SPECTRUM]"),
        ("BACKFILE", "x.bkg[1]"),
        ("BACKFILE", "x.bkg[spectrum,1]{1}"),
        ("BACKFILE", "x.bkg+1"),
        ("BACKFILE", "%match%"),
        ("ANCRFILE", "x.arf[SPECRESP]"),
        ("ANCRFILE", "%MATCH%"),
        ("RESPFILE", "x.rmf{1}"),
        ("RESPFILE", "x.rmf[MATRIX]"),
        ("RESPFILE", "%match%"),
        ("RESPFILE", "./x.rmf"),
    ] {
        let dataset = quiet(&Parts::new().key(key, &quoted(name)));
        same(&expected, &dataset);
    }
    for (key, name, words) in [
        ("BACKFILE", "x.bkg{2}", ["{2}", "counted from 1 to 1"]),
        ("BACKFILE", "x.bkg[BKG]", ["[BKG]", "no such HDU"]),
        ("RESPFILE", "x.rmf[EBOUNDS]", ["x.rmf[EBOUNDS]", "ENERG_LO"]),
        ("ANCRFILE", "other.arf", ["ANCRFILE", "no file 'other.arf'"]),
    ] {
        refused(&Parts::new().key(key, &quoted(name)), &words);
    }
    // None.
    for none in ["'NONE    '", "'none    '", "'        '", "''"] {
        let dataset = quiet(&Parts::new().key("BACKFILE", none));
        assert!(dataset.counts_off.is_none());
    }
    // The folders of another machine.
    let dataset =
        warned(&Parts::new().key("ANCRFILE", &quoted("/data/alice/x.arf")), &["ANCRFILE", "/data/alice", "is taken"]);
    same(&expected, &dataset);
    // A list of spectra, whose files may be parts.
    let yaml = "datasets:\n- name: one\n  type: SpectrumDatasetOnOff\n  filename: 'x.pha[1]'\n";
    fs::write(folder.path().join("list.yaml"), yaml).unwrap();
    assert_eq!(Datasets::read(folder.path().join("list.yaml"), None).unwrap().names(), ["one"]);
}

#[test]
fn other_companions_than_the_spectrum_names() {
    let expected = quiet(&Parts::new());
    let folder = tempfile::tempdir().unwrap();
    let path = Parts::new().write(folder.path());
    let moved = tempfile::tempdir().unwrap();
    let path = {
        fs::copy(&path, moved.path().join("x.pha")).unwrap();
        moved.path().join("x.pha")
    };
    let beside = |name: &str| Some(folder.path().join(name));
    let none = || Some(PathBuf::from("none"));
    let options = OgipOptions { arf: beside("x.arf"), rmf: beside("x.rmf{1}"), bkg: beside("x.bkg[1]"), group: false };
    same(&expected, &MapDatasetOnOff::read_ogip_with(&path, &options).unwrap());
    let without = OgipOptions { bkg: none(), ..options.clone() };
    assert!(matches!(Dataset::read_ogip(&path, &without).unwrap(), Dataset::Map(d) if d.background.is_none()));
    let wrong = OgipOptions { arf: beside("y.arf"), ..options };
    let error = MapDatasetOnOff::read_ogip_with(&path, &wrong).unwrap_err().to_string();
    assert!(error.starts_with("arf: ") && error.contains("y.arf"), "{error}");
}

/// Several spectra in one table.
#[test]
fn spectra_of_type_two() {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::new();
    let path = parts.write(folder.path());
    let other: Vec<f64> = parts.counts.iter().map(|v| v + 5.0).collect();
    let table = |more: Vec<Cells>| {
        let channels: Vec<f64> = (0..CHANNELS).map(|n| n as f64).collect();
        let columns = [
            vec![
                whole("SPEC_NUM", &[1, 2]),
                lists("CHANNEL", "", &[channels.clone(), channels]),
                lists("COUNTS", "count", &[parts.counts.clone(), other.clone()]),
                real("EXPOSURE", "s", &[SECONDS, 2.0 * SECONDS]),
            ],
            more,
        ]
        .concat();
        let keys = [("HDUCLAS1", "'SPECTRUM'"), ("HDUCLAS4", "'TYPE:II '"), ("POISSERR", "T"), ("BACKSCAL", "1.0")];
        let files = [("ANCRFILE", "'x.arf   '"), ("RESPFILE", "'x.rmf   '")];
        table_of("SPECTRUM", &columns, &[keys.to_vec(), files.to_vec()].concat())
    };
    let chosen = |n: usize| folder.path().join(format!("x.pha{{{n}}}"));
    file_of(vec![table(vec![texts("BACKFILE", &["x.bkg", "none"])])]).write(&path);
    same(&quiet(&Parts::new()), &MapDatasetOnOff::read(chosen(1)).unwrap());
    let second = Dataset::read(chosen(2)).unwrap();
    assert_eq!(second.name(), "x.pha-2");
    let second = second.common().unwrap();
    close("counts", &values(&second.counts), &other);
    assert_eq!(second.livetime_s, Some(2.0 * SECONDS));
    for error in [Dataset::read(&path).unwrap_err(), MapDatasetOnOff::read(&path).unwrap_err()] {
        assert!(error.to_string().contains("2 spectra in one table (type II)"), "{error}");
        assert!(
            error.to_string().contains("{2} (SPEC_NUM 2)") && error.help().unwrap().contains("x.pha{1}"),
            "{error}"
        );
    }
    let list = Datasets::read_ogip(&path, &OgipOptions::default()).unwrap();
    assert_eq!(list.names(), ["x.pha-1", "x.pha-2"]);
    let counts = |at: usize| values(&list.iter().nth(at).unwrap().common().unwrap().counts);
    close("counts", &counts(0), &parts.counts);
    close("counts", &counts(1), &other);
    assert_eq!(Datasets::read_ogip(chosen(2), &OgipOptions::default()).unwrap().names(), ["x.pha-2"]);
    let error = Dataset::read(chosen(3)).unwrap_err().to_string();
    assert!(error.contains("{3}") && error.contains("from 1 to 2"), "{error}");
    // The background is another row of the same table.
    file_of(vec![table(vec![texts("BACKFILE", &["x.pha{2}", "x.pha"])])]).write(&path);
    let first = MapDatasetOnOff::read(chosen(1)).unwrap();
    close("counts_off", &values(&first.counts_off), &other);
    close("alpha", &values(&first.alpha().ok()), &[0.5; CHANNELS]);
    let error = MapDatasetOnOff::read(chosen(2)).unwrap_err().to_string();
    assert!(error.contains("own file") && error.contains("BKG"), "{error}");
    // Gratings: on both sides of the spectrum, in the same row.
    let side = |values: [f64; CHANNELS]| vec![values.to_vec(), vec![0.0; CHANNELS]];
    let mut hdu = table(vec![
        lists("BACKGROUND_UP", "", &side([1.0, 2.0, 3.0, 4.0, 5.0])),
        lists("BACKGROUND_DOWN", "", &side([0.0, 0.0, 1.0, 0.0, 2.0])),
    ]);
    hdu.set("BACKSCUP", "4.0");
    hdu.set("BACKSCDN", "6.0");
    file_of(vec![hdu]).write(&path);
    let first = MapDatasetOnOff::read(chosen(1)).unwrap();
    close("counts_off", &values(&first.counts_off), &[1.0, 2.0, 4.0, 4.0, 7.0]);
    close("alpha", &values(&first.alpha().ok()), &[0.1; CHANNELS]);
}

/// AREASCAL and BACKSCAL by channel; what bad channels have does not matter.
#[test]
fn scales_by_channel() {
    let area = [0.5, 1.0, 0.25, 1.0, 0.8];
    let whole_area = quiet(&Parts::new());
    let dataset = quiet(&Parts::new().column(real("AREASCAL", "", &area)));
    close("exposure", &values(&dataset.on.exposure), &values(&whole_area.on.exposure));
    let expected: Vec<f64> = matrix(&whole_area).iter().enumerate().map(|(i, v)| v * area[i % CHANNELS]).collect();
    close("edisp", &matrix(&dataset), &expected);
    // Expected off counts are those of a whole area.
    let alpha: Vec<f64> = area.iter().map(|a| 0.25 * a).collect();
    close("alpha", &values(&dataset.alpha().ok()), &alpha);
    // The same in all channels is a part of the exposure.
    let half = quiet(&Parts::new().key("AREASCAL", "0.5"));
    let expected: Vec<f64> = values(&whole_area.on.exposure).iter().map(|v| 0.5 * v).collect();
    close("exposure", &values(&half.on.exposure), &expected);
    close("edisp", &matrix(&half), &matrix(&whole_area));

    let back = [1.0, f64::NAN, 2.0, 1.0, -1.0];
    let bad = whole("QUALITY", &[0, 1, 0, 0, 5]);
    let dataset = quiet(&Parts::new().column(bad).column(real("BACKSCAL", "", &back)));
    close("alpha", &values(&dataset.alpha().ok()), &[0.25, 0.0, 0.5, 0.25, 0.0]);
    let mask = dataset.on.mask_safe.as_ref().unwrap();
    assert_eq!(mask.data().iter().copied().collect::<Vec<_>>(), [true, false, true, true, false]);
    refused(&Parts::new().column(real("BACKSCAL", "", &back)), &["BACKSCAL", "row 1", "NaN"]);
    // Bad in the background alone.
    let folder = tempfile::tempdir().unwrap();
    let path = Parts::new().write(folder.path());
    let mut file = FitsFile::read(folder.path().join("x.bkg"));
    file.hdus[1] = Parts::new().column(whole("QUALITY", &[0, 0, 0, 5, 0])).pha();
    file.hdus[1].set("HDUCLAS2", "'BKG     '");
    file.write(folder.path().join("x.bkg"));
    let (dataset, said) = warnings::collect(|| MapDatasetOnOff::read(&path).unwrap());
    assert!(said.len() == 1 && said[0].contains("1 good channels are bad in the background"), "{said:?}");
    assert_eq!(dataset.on.mask_safe.unwrap().count(), CHANNELS - 1);
}

#[test]
fn scales_of_0_everywhere_are_told() {
    warned(&Parts::new().key("BACKSCAL", "0.0"), &["x.pha[SPECTRUM] BACKSCAL", "0 everywhere"]);
}

#[test]
fn groups_are_told_or_merged() {
    let parts = Parts::new().column(whole("GROUPING", &[1, -1, 1, 1, -1]));
    let dataset = warned(&parts, &["GROUPING", "3 groups", "--group"]);
    assert_eq!(values(&dataset.on.counts).len(), CHANNELS);
    let folder = tempfile::tempdir().unwrap();
    let path = parts.write(folder.path());
    let options = OgipOptions { group: true, ..OgipOptions::default() };
    let (dataset, said) = warnings::collect(|| MapDatasetOnOff::read_ogip_with(&path, &options).unwrap());
    assert_eq!(said, [""; 0]);
    close("counts", &values(&dataset.on.counts), &[3.0, 12.0, 8.0]);
    close("counts_off", &values(&dataset.counts_off), &[51.0, 5.0, 10.0]);
    let sums: Vec<f64> = parts.matrix.outer_iter().flat_map(|row| [row[0] + row[1], row[2], row[3] + row[4]]).collect();
    close("edisp", &matrix(&dataset), &sums);
    // No group of two, or none at all: nothing to say.
    quiet(&Parts::new().column(whole("GROUPING", &[1; CHANNELS])));
    quiet(&Parts::new().key("GROUPING", "0"));
}

#[test]
fn errors_of_the_file_are_told() {
    let column = |name| real(name, "", &[0.1; CHANNELS]);
    quiet(&Parts::new().column(column("STAT_ERR")));
    quiet(&Parts::new().key("SYS_ERR", "0.0"));
    warned(&Parts::new().key("POISSERR", "F"), &["POISSERR", "Poisson"]);
    warned(&Parts::new().column(column("SYS_ERR")), &["SYS_ERR", "0.1", "not used"]);
    warned(&Parts::new().key("SYS_ERR", "0.05"), &["SYS_ERR", "0.05"]);
}

#[test]
fn energies_that_begin_at_zero() {
    let expected = quiet(&Parts::new());
    let mut zero = Parts::new();
    zero.truth[0] = 0.0;
    let (dataset, said) = read(&zero);
    let dataset = dataset.unwrap();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|s| s.contains("ENERG_LO: row 0") && s.contains("begins at 0")), "{said:?}");
    // On a logarithmic axis, what comes before is known.
    let truth =
        |d: &MapDatasetOnOff| d.on.exposure.as_ref().unwrap().geom().axis("energy_true").unwrap().edges_tev().unwrap();
    close("energy_true", &truth(&dataset), &truth(&expected));
    let mut zero = Parts { falls: (false, true, true), ..zero };
    assert!(read(&zero).1.iter().all(|s| s.contains("ENERG_LO: row 6")));
    zero = Parts::new();
    zero.energy[0] = 0.0;
    let dataset = warned(&zero, &["EBOUNDS", "E_MIN: row 0"]);
    assert!(dataset.energy_axis().unwrap().edges_tev().unwrap()[0] > 0.0);
    zero.energy[0] = -0.1;
    refused(&zero, &["E_MIN", "row 0", "-0.1"]);
    let mut gap = Parts::new();
    gap.truth[3] = 0.0;
    refused(&gap, &["ENERG_HI", "row 2"]);
}

/// Rows of a matrix are probabilities, or hold the effective area.
#[test]
fn sums_of_matrix_rows() {
    let scaled = |factor: f64| {
        let mut parts = Parts::new();
        for mut row in parts.matrix.outer_iter_mut() {
            let sum = row.sum();
            row *= factor / sum;
        }
        parts
    };
    quiet(&scaled(1.0));
    let dataset = warned(&scaled(1.0013), &["MATRIX", "7 rows", "1.0013"]);
    assert!((matrix(&dataset)[..CHANNELS].iter().sum::<f64>() - 1.0013).abs() < 1e-12, "not normalised");
    warned(&scaled(1.01), &["MATRIX"]);
    refused(&scaled(1.5), &["MATRIX", "row 0", "1.5"]);
    // The area is inside: by the class, the name of the table, or as there is no other way to read it.
    let expected = quiet(&scaled(1.0));
    let with_area = |name, keys: &[(&'static str, String)]| {
        let mut parts = scaled(1.0).key("ANCRFILE", &quoted("none"));
        for (mut row, area) in parts.matrix.outer_iter_mut().zip(&parts.area) {
            row *= *area;
        }
        Parts { matrix_name: name, matrix_keys: keys.to_vec(), ..parts }
    };
    same(&expected, &quiet(&with_area("MATRIX", &[("HDUCLAS3", quoted("FULL"))])));
    same(&expected, &quiet(&with_area("MATRIX", &[("TUNIT6", quoted("cm**2"))])));
    same(&expected, &warned(&with_area("SPECRESP MATRIX", &[]), &["hold the effective area"]));
    same(&expected, &warned(&with_area("MATRIX", &[]), &["hold the effective area"]));
    refused(&with_area("MATRIX", &[("HDUCLAS3", quoted("REDIST"))]), &["MATRIX", "row 0", "sum to 1"]);
    refused(&with_area("MATRIX", &[]).key("ANCRFILE", &quoted("x.arf")), &["MATRIX", "row 0", "sum to 1"]);
    // No area of anything.
    let mut huge = with_area("MATRIX", &[("HDUCLAS3", quoted("FULL"))]);
    huge.matrix *= 6e30;
    refused(&huge, &["MATRIX", "row 0", "not an area"]);
    let mut none = Parts::new();
    none.matrix.fill(0.0);
    warned(&none, &["MATRIX", "no counts are predicted"]);
    for value in [f64::INFINITY, f64::NAN, -1.0, 1e30] {
        let mut parts = Parts::new();
        parts.area[2] = value;
        refused(&parts, &["SPECRESP", "row 2", "not an area"]);
        if value != 1e30 {
            parts = Parts::new();
            parts.matrix[[3, 2]] = value;
            refused(&parts, &["MATRIX", "row 3", "finite and 0 or more"]);
        }
    }
}

/// Channels are counted from 0 or 1, and not all files of a spectrum agree.
#[test]
fn numbers_of_channels() {
    let expected = quiet(&Parts::new());
    for first in [(0, 0, 0, Some(0)), (1, 1, 1, Some(1)), (1, 1, 1, None)] {
        same(&expected, &quiet(&Parts { first, ..Parts::new() }));
    }
    for (first, words) in [
        ((1, 0, 0, Some(0)), ["CHANNEL", "first is taken for the first"]),
        ((0, 1, 1, Some(1)), ["CHANNEL", "first is taken for the first"]),
        ((0, 0, 1, Some(0)), ["F_CHAN", "counted from 1"]),
        ((1, 1, 0, Some(1)), ["F_CHAN", "counted from 0"]),
        ((1, 1, 0, None), ["F_CHAN", "counted from 0"]),
        ((0, 0, 1, None), ["F_CHAN", "counted from 1"]),
        ((0, 0, 0, None), ["F_CHAN", "counted from 0"]),
    ] {
        let dataset = match first {
            // The lowest channel is used, so that there is but one way.
            (0, 0, 0, None) => quiet(&Parts { first, ..Parts::new() }),
            _ => warned(&Parts { first, ..Parts::new() }, &words),
        };
        same(&expected, &dataset);
    }
    refused(&Parts { first: (3, 0, 0, Some(0)), ..Parts::new() }, &["CHANNEL", "they start at 0, the spectrum at 3"]);
    refused(&Parts { first: (0, 0, 2, Some(0)), ..Parts::new() }, &["F_CHAN", "none of the channels 0 to 4"]);
}

/// Without off counts the background is known, or there is none.
#[test]
fn spectra_without_off_counts() {
    use pevatron::compute::Backend;
    use pevatron::fit::Fit;
    use pevatron::models::{Model, Models, SkyModel, spectral::PowerLawSpectralModel};

    let folder = tempfile::tempdir().unwrap();
    let path = Parts::new().key("BACKFILE", &quoted("none")).write(folder.path());
    let Dataset::Map(dataset) = Dataset::read(&path).unwrap() else { panic!("off counts") };
    assert!(dataset.is_spectrum() && dataset.background.is_none());
    assert_eq!(Dataset::open_lazy(&path, false).unwrap().kind().unwrap(), "SpectrumDataset");
    let spectral = std::sync::Arc::new(PowerLawSpectralModel::new(2.0, 1e6, 1e-9));
    let mut models = Models { components: vec![Model::Sky(SkyModel::new("a", spectral, None))] };
    models.freeze("a.spectral.index").unwrap();
    let (backend, control) = (Backend::reference(), pevatron::Control::new());
    let result = Fit::default().run(&[(&dataset).into()], &models, &backend, &control).unwrap();
    // All counts are the source's: the norm is that of the sum of the predicted counts.
    let mut fitted = dataset.clone();
    fitted.models = result.models;
    let npred = fitted.npred(&backend, &control).unwrap().sum();
    assert!(result.success && (npred - 23.0).abs() < 1e-3, "{npred}");
    // Written and read again.
    let again = folder.path().join("again.fits");
    Dataset::Map(dataset.clone()).write_ogip(&again, &Default::default()).unwrap();
    let Dataset::Map(again) = Dataset::read(&again).unwrap() else { panic!("off counts") };
    close("counts", &values(&again.counts), &values(&dataset.counts));
}

/// A table of flux points that is called SPECTRUM holds no counts.
#[test]
fn not_all_that_is_called_a_spectrum_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    file_of(vec![table_of("SPECTRUM", &[real("e_ref", "TeV", &[1.0]), real("dnde", "", &[2.0])], &[])]).write(&path);
    assert_ne!(file_kind(&path).unwrap(), FileKind::Spectrum);
}

#[cfg(all(feature = "cli", feature = "plot"))]
mod program {
    use super::*;
    use crate::support::program::Place;

    fn stderr(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
        let output = place.run(arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    #[test]
    fn options_name_companions() {
        let place = Place::new();
        Parts::new().write(&place.path(""));
        let parts = ["ANCRFILE", "RESPFILE", "BACKFILE"].iter().fold(Parts::new(), |p, key| p.key(key, "'gone    '"));
        fs::remove_file(place.path("x.pha")).unwrap();
        file_of(vec![parts.pha()]).write(place.path("y.pha"));
        place.fails(&["info", "y.pha"], 2, &["ANCRFILE", "gone"]);
        let given = ["--arf", "x.arf", "--rmf", "x.rmf", "--bkg", "x.bkg"];
        let with = |arguments: &[&'static str]| [arguments, &given].concat();
        let text = place.works(&with(&["info", "y.pha", "--json"]));
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["counts_off_sum"].as_f64(), Some(66.0));
        place.works(&with(&["convert", "y.pha", "-o", "z.fits", "--format", "gadf"]));
        place.works(&with(&["plot", "y.pha", "-o", "z.png"]));
        place.works(&["info", "y.pha", "--arf", "none", "--rmf", "x.rmf", "--bkg", "none"]);
        place.fails(&["info", "z.fits", "--arf", "x.arf"], 2, &["arf", "OGIP"]);
        place.fails(&["plot", "z.fits", "-o", "n.png", "--group"], 2, &["group", "OGIP"]);
        place.fails(&["convert", "z.fits", "-o", "n.fits", "--bkg", "none"], 2, &["bkg", "OGIP"]);
        place.fails(&with(&["info", "y.pha", "y.pha"]), 2, &["bkg", "1 files for 2 spectra"]);
        place.fails(&["info", "y.pha", "--arf", "none", "--rmf", "n.rmf"], 2, &["n.rmf"]);
    }

    /// What is read with a warning is refused with --strict.
    #[test]
    fn warnings_are_lines_and_errors_where_wanted() {
        let place = Place::new();
        Parts::new().key("POISSERR", "F").write(&place.path(""));
        let (code, text) = stderr(&place, &["info", "x.pha"]);
        assert!(code == Some(0) && text.lines().filter(|l| l.starts_with("warning: ")).count() == 1, "{text}");
        place.fails(&["info", "x.pha", "--strict"], 2, &["x.pha[SPECTRUM] POISSERR"]);
        let document: serde_json::Value = serde_json::from_str(&place.works(&["info", "x.pha", "--json"])).unwrap();
        assert!(document["problems"][0].as_str().unwrap().starts_with("warning: x.pha[SPECTRUM] POISSERR"));
    }

    /// A checksum that was not renewed by a tool that changed the file.
    #[test]
    fn stale_checksums() {
        let place = Place::new();
        let mut pha = Parts::new().pha();
        pha.set("DATASUM", "'12345   '");
        Parts::new().write(&place.path(""));
        file_of(vec![pha]).write(place.path("x.pha"));
        for command in [["info", "x.pha"], ["plot", "x.pha"]] {
            let more: &[&str] = if command[0] == "plot" { &["-o", "a.png"] } else { &[] };
            let (code, text) = stderr(&place, &[&command, more].concat());
            assert!(code == Some(0) && text.contains("warning: x.pha[SPECTRUM] DATASUM"), "{text}");
            assert_eq!(text.matches("DATASUM").count(), 2, "once, with its help: {text}");
        }
        place.fails(&["info", "x.pha", "--strict"], 2, &["x.pha[SPECTRUM] DATASUM"]);
    }

    #[test]
    fn energies_of_x_rays_can_be_read() {
        let place = Place::new();
        Parts::new().write(&place.path(""));
        let text = place.works(&["info", "x.pha"]);
        assert!(text.contains("energy_edges_kev: 0.5, "), "{text}");
        assert!(text.contains("energy_true_edges_kev: 0.3, "), "{text}");
        let document: serde_json::Value = serde_json::from_str(&place.works(&["info", "x.pha", "--json"])).unwrap();
        let first = document["energy_edges_tev"][0].as_f64().unwrap();
        assert!((first - 5e-10).abs() < 1e-22);
    }
}
