//! Numbers of FITS images and tables: of all types, scaled, without a sign, undefined.
#![cfg(feature = "fits-system")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::path::Path;

use crate::support::fits_file::{FitsFile, Hdu};
use pevatron::ErrorKind;
use pevatron::maps::{Map, MapData};
use pevatron::table::{Table, Values};

fn hdu(cards: &[(&str, &str)], data: Vec<u8>) -> Hdu {
    let mut hdu = Hdu { cards: Vec::new(), data };
    cards.iter().for_each(|(key, value)| hdu.set(key, value));
    hdu
}

/// An image of one line.
fn image(bitpix: i32, data: Vec<u8>, keys: &[(&str, &str)]) -> Vec<f64> {
    let width = (data.len() / (bitpix.unsigned_abs() as usize / 8)).to_string();
    let mut image = hdu(
        &[("SIMPLE", "T"), ("BITPIX", &bitpix.to_string()), ("NAXIS", "2"), ("NAXIS1", &width), ("NAXIS2", "1")],
        data,
    );
    for (key, value) in [("CTYPE1", "'GLON-CAR'"), ("CTYPE2", "'GLAT-CAR'"), ("CDELT1", "-0.1"), ("CDELT2", "0.1")] {
        image.set(key, value);
    }
    keys.iter().for_each(|(key, value)| image.set(key, value));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    FitsFile { hdus: vec![image] }.write(&path);
    match Map::read(&path, None).unwrap().data() {
        MapData::F32(data) => data.iter().map(|v| f64::from(*v)).collect(),
        MapData::F64(data) => data.iter().copied().collect(),
    }
}

fn big<const N: usize, T: Copy>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|v| bytes(*v)).collect()
}

#[track_caller]
fn same(found: &[f64], expected: &[f64]) {
    let equal = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(equal), "{found:?}, not {expected:?}");
}

#[test]
fn images_of_all_types() {
    same(&image(8, vec![0, 1, 255], &[]), &[0.0, 1.0, 255.0]);
    let shorts = || big(&[-32768i16, -1, 32767], i16::to_be_bytes);
    same(&image(16, shorts(), &[]), &[-32768.0, -1.0, 32767.0]);
    // Without a sign.
    same(&image(16, shorts(), &[("BZERO", "32768")]), &[0.0, 32767.0, 65535.0]);
    same(&image(8, vec![0, 255], &[("BZERO", "-128")]), &[-128.0, 127.0]);
    let longs = big(&[i32::MIN, 16_777_217, i32::MAX], i32::to_be_bytes);
    same(&image(32, longs.clone(), &[]), &[-2_147_483_648.0, 16_777_217.0, 2_147_483_647.0]);
    same(&image(32, longs, &[("BZERO", "2147483648")]), &[0.0, 2_164_260_865.0, 4_294_967_295.0]);
    let whole = big(&[i64::MIN, -9_223_372_036_854_774_784, i64::MAX], i64::to_be_bytes);
    same(&image(64, whole, &[("BZERO", "9223372036854775808")]), &[0.0, 1024.0, 18_446_744_073_709_551_615.0]);
    // Scaled, with an undefined one.
    let keys = [("BSCALE", "0.25"), ("BZERO", "-3.0"), ("BLANK", "-1")];
    same(&image(16, shorts(), &keys), &[-8195.0, f64::NAN, 8188.75]);
    let singles = || big(&[1.5f32, f32::NAN, f32::INFINITY, 1e-42], f32::to_be_bytes);
    // Small numbers and infinite ones stay what they are; BLANK means nothing here.
    let expected = [1.5, f64::NAN, f64::INFINITY, f64::from(1e-42f32)];
    same(&image(-32, singles(), &[]), &expected);
    same(&image(-32, singles(), &[("BLANK", "1")]), &expected);
    same(&image(-32, big(&[1.5f32], f32::to_be_bytes), &[("BSCALE", "2.0"), ("BZERO", "1.0")]), &[4.0]);
    same(&image(-64, big(&[0.1f64, -5e-324], f64::to_be_bytes), &[]), &[0.1, -5e-324]);
}

/// Many values are converted by several threads.
#[test]
fn large_images() {
    let values: Vec<i16> = (0..600_000).map(|i| (i % 65_536 - 32_768) as i16).collect();
    let expected: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
    same(&image(16, big(&values, i16::to_be_bytes), &[]), &expected);
}

/// A table of one column, and keys of it.
fn table(form: &str, rows: &[Vec<u8>], keys: &[(&str, &str)], path: &Path) {
    let (width, count) = (rows[0].len().to_string(), rows.len().to_string());
    let cards = [
        ("XTENSION", "'BINTABLE'"),
        ("BITPIX", "8"),
        ("NAXIS", "2"),
        ("NAXIS1", &width),
        ("NAXIS2", &count),
        ("PCOUNT", "0"),
        ("GCOUNT", "1"),
        ("TFIELDS", "1"),
        ("TTYPE1", "'X'"),
        ("TFORM1", &format!("'{form}'")),
    ];
    let mut table = hdu(&cards, rows.concat());
    keys.iter().for_each(|(key, value)| table.set(key, value));
    let primary = hdu(&[("SIMPLE", "T"), ("BITPIX", "8"), ("NAXIS", "0")], Vec::new());
    FitsFile { hdus: vec![primary, table] }.write(path);
}

fn column(form: &str, rows: &[Vec<u8>], keys: &[(&str, &str)]) -> Result<Values, pevatron::Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    table(form, rows, keys, &path);
    Table::read(&path, None).map(|table| table.column("X").unwrap().values().clone())
}

#[track_caller]
fn floats(found: Result<Values, pevatron::Error>, expected: &[f64]) {
    match found.unwrap() {
        Values::Float(values) => same(&values, expected),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn whole(found: Result<Values, pevatron::Error>, expected: &[i64]) {
    match found.unwrap() {
        Values::Int(values) => assert_eq!(values, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn columns_of_all_types() {
    let rows = |list: &[i16]| list.iter().map(|v| v.to_be_bytes().to_vec()).collect::<Vec<_>>();
    whole(column("B", &[vec![7], vec![255]], &[]), &[7, 255]);
    whole(column("B", &[vec![7], vec![255]], &[("TZERO1", "-128")]), &[-121, 127]);
    whole(column("I", &rows(&[-5, 32767]), &[]), &[-5, 32767]);
    whole(column("I", &rows(&[-5, 32767]), &[("TZERO1", "32768")]), &[32763, 65535]);
    whole(column("2J", &[[0, 0, 0, 1, 255, 255, 255, 255].to_vec()], &[]), &[1, -1]);
    floats(column("I", &rows(&[-5, 4]), &[("TSCAL1", "0.5"), ("TZERO1", "1.0")]), &[-1.5, 3.0]);
    // Undefined numbers are none.
    floats(column("I", &rows(&[-5, 4]), &[("TNULL1", "-5")]), &[f64::NAN, 4.0]);
    whole(column("I", &rows(&[-5, 4]), &[("TNULL1", "-999")]), &[-5, 4]);
    let long = |v: i64| v.to_be_bytes().to_vec();
    whole(column("K", &[long(i64::MAX), long(i64::MIN)], &[]), &[i64::MAX, i64::MIN]);
    let unsigned = [("TZERO1", "9223372036854775808")];
    whole(column("K", &[long(i64::MIN), long(-1)], &unsigned), &[0, i64::MAX]);
    let error = column("K", &[long(i64::MIN), long(0)], &unsigned).unwrap_err();
    assert!(error.to_string().contains("row 1 holds no whole number"), "{error}");
    floats(column("E", &[1.5f32.to_be_bytes().to_vec(), f32::NAN.to_be_bytes().to_vec()], &[]), &[1.5, f64::NAN]);
    floats(column("D", &[0.1f64.to_be_bytes().to_vec()], &[("TSCAL1", "2.0")]), &[0.2]);
    let error = column("D", &[0.1f64.to_be_bytes().to_vec()], &[("TSCAL1", "0.0")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("TSCAL1"), "{error}");
}

/// Rows without bytes, of which a few kilobytes could have any number.
#[test]
fn rows_of_nothing() {
    let error = column("0D", &[Vec::new()], &[("NAXIS2", "4000000000000000000")]).unwrap_err().to_string();
    assert!(error.contains("NAXIS2") && error.contains("rows of no bytes"), "{error}");
}

#[test]
fn compressed_tables_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    table("D", &[vec![0; 8]], &[("ZTABLE", "T")], &path);
    let error = Table::read(&path, None).unwrap_err().to_string();
    assert!(error.contains("ZTABLE") && error.contains("a.fits"), "{error}");
}
