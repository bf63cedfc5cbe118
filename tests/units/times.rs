//! Good time intervals of all kinds of headers: references and time scales of any spelling mean the same seconds, and stay
//! the same seconds when datasets are added up.
#![cfg(all(feature = "fits-system", feature = "yaml"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support::fits_file::FitsFile;
use pevatron::datasets::MapDataset;
use pevatron::io::WriteOptions;
use pevatron::time::{Gti, TimeReference, convert_mjd};

/// A dataset of our own with other good time intervals: cards that are set (`""` takes one away), rows.
fn with_gti(cards: &[(&str, &str)], rows: &[(f64, f64)]) -> FitsFile {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sim-tan-1.fits.gz");
    let mut file = FitsFile::read(path);
    for hdu in &mut file.hdus {
        ["CHECKSUM", "DATASUM"].iter().for_each(|key| hdu.unset(key));
    }
    let hdu = file.hdu("GTI");
    for (key, value) in cards {
        if value.is_empty() { hdu.unset(key) } else { hdu.set(key, value) }
    }
    hdu.set("NAXIS2", &rows.len().to_string());
    hdu.data = rows.iter().flat_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()].concat()).collect();
    file
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn gti(&self, file: &FitsFile) -> pevatron::Result<Gti> {
        let path = self.0.path().join("in.fits");
        file.write(&path);
        Gti::read(&path)
    }

    fn dataset(&self, file: &FitsFile) -> MapDataset {
        let path = self.0.path().join("in.fits");
        file.write(&path);
        MapDataset::read(&path).unwrap()
    }
}

/// Seconds since MJD 58849 in TT.
fn seconds(gti: &Gti) -> Vec<(f64, f64)> {
    let zero = TimeReference { mjdrefi: 58849, ..TimeReference::mjd_zero("tt") };
    let shift = zero.seconds_to(&gti.reference).unwrap();
    gti.intervals.iter().map(|(a, b)| (a + shift, b + shift)).collect()
}

#[track_caller]
fn assert_seconds(gti: &Gti, wanted: &[(f64, f64)]) {
    let found = seconds(gti);
    let near = |(a, b): (&(f64, f64), &(f64, f64))| (a.0 - b.0).abs() < 1e-3 && (a.1 - b.1).abs() < 1e-3;
    assert!(found.len() == wanted.len() && found.iter().zip(wanted).all(near), "{found:?} is not {wanted:?}");
}

/// Cards of a reference.
fn at<'a>(mjd: &'a str, scale: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("MJDREFI", mjd), ("MJDREFF", "0.0"), ("TIMESYS", scale)]
}

#[test]
fn headers_of_all_kinds_mean_the_same_seconds() {
    let folder = Folder::new();
    let none = [("MJDREFI", ""), ("MJDREFF", ""), ("TIMESYS", "'TT'")];
    let more: [&[(&str, &str)]; 12] = [
        &[("MJDREFI", "58849"), ("MJDREFF", "0.0")],
        &[("MJDREFI", "58848"), ("MJDREFF", "1.0")],
        &[("MJDREFI", "'58849'"), ("MJDREFF", "'0.0'")],
        &[("MJDREF", "58849.0")],
        &[("MJDREF", "58849")],
        &[("JDREF", "2458849.5")],
        &[("DATEREF", "'2020-01-01T00:00:00'")],
        &[("MJDREFI", "58848"), ("MJDREFF", "0.0"), ("TIMEZERO", "86400.0")],
        &[("MJDREFI", "58848"), ("MJDREFF", "0.0"), ("TIMEZERI", "86399"), ("TIMEZERF", "1.0"), ("TIMEUNIT", "'s'")],
        &[("MJDREFI", "58849"), ("TIMESYS", "'TAI'"), ("TIMEZERO", "-32.184")],
        &[("MJDREFI", "58849"), ("TIMESYS", "'UTC'"), ("TIMEZERO", "-69.184")],
        &[("MJDREFI", "58849"), ("TIMESYS", "")],
    ];
    for cards in more {
        let file = with_gti(&[&none[..], cards].concat(), &[(0.0, 3600.0)]);
        assert_seconds(&folder.gti(&file).unwrap_or_else(|e| panic!("{cards:?}: {e}")), &[(0.0, 3600.0)]);
    }
    // Days, of the columns or of TIMEUNIT.
    for unit in [&[("TUNIT1", "'d'"), ("TUNIT2", "'d'")][..], &[("TUNIT1", ""), ("TUNIT2", ""), ("TIMEUNIT", "'d'")]] {
        let file = with_gti(&[&at("58849", "'tt'")[..], unit].concat(), &[(0.0, 0.5)]);
        assert_seconds(&folder.gti(&file).unwrap(), &[(0.0, 43200.0)]);
    }
    // The primary header, or another one, has the reference.
    for name in ["PRIMARY", "COUNTS_BANDS"] {
        let mut file = with_gti(&none, &[(0.0, 3600.0)]);
        let hdu = if name == "PRIMARY" { &mut file.hdus[0] } else { file.hdu(name) };
        hdu.set("MJDREFI", "58849");
        hdu.set("MJDREFF", "0.0");
        assert_seconds(&folder.gti(&file).unwrap(), &[(0.0, 3600.0)]);
        assert_seconds(folder.dataset(&file).gti.as_ref().unwrap(), &[(0.0, 3600.0)]);
    }
    // The MJDREF of an image is that of its coordinates.
    let mut file = with_gti(&none, &[(0.0, 1.0)]);
    file.hdu("COUNTS").set("MJDREF", "0.0");
    assert!(folder.gti(&file).is_err());
    let error = folder.gti(&with_gti(&none, &[(0.0, 1.0)])).unwrap_err().to_string();
    assert!(error.contains("[GTI] MJDREFI") && error.contains("missing"), "{error}");
    let wrong = with_gti(&at("58849", "'tt'"), &[(0.0, 1.0), (5.0, 4.0)]);
    let error = folder.gti(&wrong).unwrap_err().to_string();
    assert!(error.contains("[GTI] STOP") && error.contains("row 1") && error.contains("before"), "{error}");
}

#[test]
fn stacking_keeps_the_seconds_of_each_scale() {
    let folder = Folder::new();
    let dataset =
        |mjd: &str, scale: &str, start: f64| folder.dataset(&with_gti(&at(mjd, scale), &[(start, start + 3600.0)]));
    for (first, second, wanted) in [
        (dataset("58849", "'tt'", 0.0), dataset("58849", "'UTC'", 7200.0), 7269.184),
        (dataset("58849", "'TT'", 0.0), dataset("58849", "'tai'", 7200.0), 7232.184),
        (dataset("58849", "'tt'", 0.0), dataset("51910", "'tt'", 6939.0 * 86400.0 + 7200.0), 7200.0),
        // Five leap seconds lie between the references: seconds that pass are counted.
        (dataset("58849", "'tt'", 0.0), dataset("51910", "'utc'", 6939.0 * 86400.0 + 7200.0), 7264.184),
        (dataset("58849", "'TDB'", 0.0), dataset("58849", "'GPS'", 7200.0), 7251.184),
    ] {
        let wanted = [(0.0, 3600.0), (wanted, wanted + 3600.0)];
        for (a, b) in [(&first, &second), (&second, &first)] {
            let mut sum = a.to_masked().unwrap();
            sum.stack(b).unwrap();
            let gti = sum.gti.as_ref().unwrap();
            assert_eq!(gti.reference, a.gti.as_ref().unwrap().reference);
            assert_seconds(gti, &wanted);
            let path = folder.0.path().join("sum.fits");
            sum.write(&path, &WriteOptions { overwrite: true, ..WriteOptions::default() }).unwrap();
            assert_seconds(&Gti::read(&path).unwrap(), &wanted);
        }
    }
    // One that is not known: the same seconds with itself, an error with others, and nothing has changed.
    let local = dataset("58849", "'LOCAL'", 0.0);
    let mut sum = local.to_masked().unwrap();
    sum.stack(&dataset("58850", "'local'", 0.0)).unwrap();
    assert_eq!(sum.gti.as_ref().unwrap().intervals, [(0.0, 3600.0), (86400.0, 90000.0)]);
    let before = sum.counts.as_ref().unwrap().sum();
    let error = sum.stack(&dataset("58849", "'tt'", 0.0)).unwrap_err().to_string();
    assert!(error.contains("TIMESYS") && error.to_lowercase().contains("'local'"), "{error}");
    assert_eq!(sum.counts.as_ref().unwrap().sum(), before);
}

#[test]
fn intervals_of_no_length_are_left_out_and_said() {
    let folder = Folder::new();
    let rows = [(0.0, 3600.0), (3700.0, 3700.0), (4000.0, 5000.0)];
    let dataset = folder.dataset(&with_gti(&at("58849", "'tt'"), &rows));
    let said: Vec<String> = dataset.check().iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|s| s.contains("GTI") && s.contains("1 of 3 intervals of no length")), "{said:?}");
    let path = folder.0.path().join("out.fits");
    dataset.write(&path, &WriteOptions::default()).unwrap();
    assert_seconds(&Gti::read(&path).unwrap(), &[(0.0, 3600.0), (4000.0, 5000.0)]);
    assert_seconds(dataset.to_masked().unwrap().gti.as_ref().unwrap(), &[(0.0, 3600.0), (4000.0, 5000.0)]);
}

#[test]
fn dates_of_one_scale_in_another_and_back() {
    let scales = ["tt", "TAI", "utc", "tdb", "gps", "UT", "TDT"];
    for mjd in [41317.5, 50000.0, 57753.9999, 57754.0001, 60000.25] {
        for (a, b) in scales.iter().flat_map(|a| scales.map(|b| (a, b))) {
            let there = convert_mjd(mjd, a, b).unwrap();
            let back = convert_mjd(there, b, a).unwrap();
            assert!((back - mjd).abs() * 86400.0 < 1e-4, "{mjd} {a} {b}: {there} {back}");
        }
    }
    assert!(convert_mjd(5.0, "local", "tt").is_err() && convert_mjd(5.0, "local", "LOCAL").is_ok());
}
