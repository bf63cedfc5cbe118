//! Coordinates of headers in all conventions: converted as astropy does, or refused by the name of the keyword.
#![cfg(feature = "fits-system")]
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use crate::support;
use std::path::Path;
use std::process::Command;

use pevatron::ErrorKind;
use pevatron::io::WriteOptions;
use pevatron::maps::{Frame, Map, SkyPosition, WcsGeom};
use serde_json::Value;

use crate::support::fits_file::{FitsFile, Hdu};

/// Pixels of the images.
const SIZE: (usize, usize) = (48, 32);

/// A FITS file of one image with these cards, keyword and value as they stand in the file.
fn image(cards: &[(&str, &str)]) -> FitsFile {
    let mut hdu = Hdu { cards: Vec::new(), data: Vec::new() };
    let (nx, ny) = (SIZE.0.to_string(), SIZE.1.to_string());
    for (key, value) in [("SIMPLE", "T"), ("BITPIX", "-32"), ("NAXIS", "2"), ("NAXIS1", &nx), ("NAXIS2", &ny)] {
        hdu.set(key, value);
    }
    for (key, value) in cards {
        hdu.set(key, value);
    }
    hdu.data = (0..SIZE.0 * SIZE.1).flat_map(|v| (v as f32).to_be_bytes()).collect();
    FitsFile { hdus: vec![hdu] }
}

/// A usual header in which cards are changed, added, or (empty value) taken away.
fn changed(changes: &[(&str, &str)]) -> FitsFile {
    let usual = [
        ("CTYPE1", "'RA---TAN'"),
        ("CTYPE2", "'DEC--TAN'"),
        ("CRPIX1", "24.5"),
        ("CRPIX2", "16.5"),
        ("CRVAL1", "83.63"),
        ("CRVAL2", "22.01"),
        ("CDELT1", "-0.02"),
        ("CDELT2", "0.02"),
    ];
    let mut file = image(&usual);
    for (key, value) in changes {
        if value.is_empty() { file.hdus[0].unset(key) } else { file.hdus[0].set(key, value) }
    }
    file
}

fn read(file: &FitsFile) -> pevatron::Result<WcsGeom> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.fits");
    file.write(&path);
    Map::read(&path, None).map(|map| map.wcs_geom().unwrap().clone())
}

fn card(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text:<8}'"),
        Value::Number(n) if n.is_f64() => format!("{:.17E}", n.as_f64().unwrap()),
        other => other.to_string(),
    }
}

/// Compares all headers of a file that `wcs_headers.py` made; positions are those of the file, and of what is written.
fn compare(lines: &str) {
    let mut worst = (0.0f64, 0.0f64);
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let cards: Vec<(String, String)> =
            case["cards"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), card(v))).collect();
        let cards: Vec<(&str, &str)> = cards.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let folder = tempfile::tempdir().unwrap();
        image(&cards).write(folder.path().join("in.fits"));
        let map = Map::read(folder.path().join("in.fits"), None).unwrap_or_else(|e| panic!("{e}: {line}"));
        let geom = map.wcs_geom().unwrap();
        let frame: Frame = case["frame"].as_str().unwrap().parse().unwrap();
        assert_eq!(geom.frame(), frame, "{line}");
        // FK4 has shifts that no rotation is; between the corners of these maps they differ by this at most.
        let scales = geom.pixel_scales_deg();
        let text = |key: &str| case["cards"][key].as_str().unwrap_or("");
        let equinox = case["cards"]["EQUINOX"].as_f64().or(case["cards"]["EPOCH"].as_f64());
        let shifted = text("RADESYS") == "FK4" || text("RADESYS").is_empty() && equinox.is_some_and(|e| e < 1984.0);
        let tolerance = if shifted { 1e-7 + (3e-6 * scales.0.max(scales.1) * 30.0).min(1e-4) } else { 1e-7 };
        map.write(folder.path().join("out.fits"), "PRIMARY", &WriteOptions::default()).unwrap();
        let again = Map::read(folder.path().join("out.fits"), None).unwrap();
        for point in case["points"].as_array().unwrap() {
            let v: Vec<f64> = point.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            let wanted = SkyPosition { lon_deg: v[2], lat_deg: v[3], frame };
            let found = geom.pix_to_sky(v[0], v[1]).unwrap_or_else(|| panic!("{v:?} is outside: {line}"));
            let distance = found.separation_deg(wanted);
            assert!(distance < tolerance, "{distance} deg at {v:?}: {found:?}\n{line}");
            let back = geom.sky_to_pix(found).unwrap();
            let back = geom.pix_to_sky(back.0, back.1).unwrap_or(found);
            assert!(back.separation_deg(found) < 1e-9, "{back:?} {found:?}\n{line}");
            let written = again.wcs_geom().unwrap().pix_to_sky(v[0], v[1]).unwrap();
            // Keywords are not exact where the reference point lies on a pole.
            assert!(written.separation_deg(found) < 1e-6, "{written:?} {found:?}\n{line}");
            let worst = if shifted { &mut worst.1 } else { &mut worst.0 };
            *worst = worst.max(distance);
        }
    }
    println!("worst: {:.1e} deg, FK4 with its E-terms {:.1e} deg", worst.0, worst.1);
}

#[test]
fn positions_of_all_conventions_are_astropys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wcs_headers.json");
    compare(&std::fs::read_to_string(path).unwrap());
}

#[test]
fn positions_of_other_headers_are_astropys() {
    let Some(python) = support::python_with("astropy") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/maps/wcs_headers.py");
    let output = Command::new(python).arg(script).args(["2", "400"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    compare(std::str::from_utf8(&output.stdout).unwrap());
}

#[test]
fn what_cannot_be_right_is_refused_by_its_keyword() {
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str);
    let cases: &[Case<'_>] = &[
        (&[("CTYPE1", "")], "CTYPE1"),
        (&[("CTYPE2", "")], "CTYPE2"),
        (&[("CTYPE2", "'GLAT-TAN'")], "CTYPE1"),
        (&[("CTYPE2", "'DEC--CAR'")], "CTYPE2"),
        (&[("CTYPE1", "'RA---ZPX'"), ("CTYPE2", "'DEC--ZPX'")], "ZPX"),
        (&[("CTYPE1", "'RA---TAB'"), ("CTYPE2", "'DEC--TAB'")], "TAB"),
        (&[("CTYPE1", "'RA---TPV'"), ("CTYPE2", "'DEC--TPV'")], "TPV"),
        (&[("CTYPE1", "'RA---TAN-SIP'"), ("CTYPE2", "'DEC--TAN-SIP'")], "TAN-SIP"),
        (&[("CTYPE1", "'HLON-TAN'"), ("CTYPE2", "'HLAT-TAN'")], "HLON"),
        (&[("CTYPE1", "'TLON-TAN'"), ("CTYPE2", "'TLAT-TAN'")], "TLON"),
        (&[("CTYPE1", "'ENERGY'"), ("CTYPE2", "'RA---TAN'")], "CTYPE1"),
        (&[("A_ORDER", "2"), ("A_2_0", "1e-5")], "A_2_0"),
        (&[("CPDIS1", "'LOOKUP'")], "CPDIS1"),
        (&[("RADESYS", "'GAPPT'")], "RADESYS"),
        (&[("RADESYS", "'FK6'")], "RADESYS"),
        (&[("RADECSYS", "'FK3'")], "RADECSYS"),
        (&[("RADESYS", "5.0")], "RADESYS"),
        (&[("EQUINOX", "0.0")], "EQUINOX"),
        (&[("EQUINOX", "'now'")], "EQUINOX"),
        (&[("EPOCH", "1e300")], "EPOCH"),
        (&[("CTYPE1", "'ELON-TAN'"), ("CTYPE2", "'ELAT-TAN'"), ("EQUINOX", "1950.0")], "RADESYS"),
        (&[("CRPIX1", "1e15")], "CRPIX1"),
        (&[("CRPIX2", "'abc'")], "CRPIX2"),
        (&[("CRVAL1", "1e10")], "CRVAL1"),
        (&[("CRVAL2", "-90.5")], "CRVAL2"),
        (&[("CRVAL2", "NaN")], "CRVAL2"),
        (&[("CTYPE1", "'DEC--TAN'"), ("CTYPE2", "'RA---TAN'"), ("CRVAL1", "95.0")], "CRVAL1"),
        (&[("CDELT1", "0.0")], "CDELT1"),
        (&[("CDELT1", "1e5")], "CDELT1"),
        (&[("CDELT2", "")], "CDELT2"),
        (&[("LONPOLE", "1e300")], "LONPOLE"),
        (&[("LATPOLE", "-1e4")], "LATPOLE"),
        (&[("CUNIT1", "'m'")], "CUNIT1"),
        (&[("CUNIT2", "'hours'")], "CUNIT2"),
        (&[("CROTA1", "30.0")], "CROTA1"),
        (&[("CROTA1", "30.0"), ("CROTA2", "20.0")], "CROTA1"),
        (&[("CROTA2", "30.0"), ("PC1_1", "1.0")], "CROTA2"),
        (&[("CD1_1", "0.02"), ("CD2_2", "0.02"), ("PC1_1", "1.0")], "CD1_1"),
        (&[("CD1_1", "0.02")], "CD2_2"),
        (&[("PC1_2", "0.1"), ("PC001002", "0.2")], "PC001002"),
        (&[("PC1_1", "1.0"), ("PC1_2", "1.0"), ("PC2_1", "1.0")], "PC"),
        (&[("PC1_3", "0.1")], "PC1_3"),
        (&[("WCSAXES", "0")], "WCSAXES"),
        (&[("WCSAXES", "1")], "WCSAXES"),
        (&[("WCSAXES", "7")], "WCSAXES"),
        (&[("PV2_1", "0.1"), ("CTYPE1", "'RA---SIN'"), ("CTYPE2", "'DEC--SIN'")], "PV2_1"),
        (&[("PV1_5", "0.1")], "PV1_5"),
        (&[("PV2_1", "1.5"), ("CTYPE1", "'RA---CEA'"), ("CTYPE2", "'DEC--CEA'")], "PV2_1"),
        (&[("PV1_2", "100.0")], "PV1_"),
    ];
    for (changes, keyword) in cases {
        let error = read(&changed(changes)).expect_err(keyword);
        let text = error.to_string();
        assert!(text.contains("map.fits[PRIMARY]") && text.contains(keyword), "{changes:?}: {text}");
        assert!(matches!(error.kind(), ErrorKind::Input | ErrorKind::Unsupported), "{changes:?}: {text}");
    }
}

#[test]
fn keywords_that_change_nothing_are_read() {
    let usual = read(&changed(&[])).unwrap();
    let cases: &[&[(&str, &str)]] = &[
        &[("WCSAXES", "2")],
        &[("WCSAXES", "3"), ("CTYPE3", "'ENERGY'")],
        &[("RADESYS", "'ICRS'"), ("EQUINOX", "2000.0")],
        &[("RADESYS", "' '")],
        &[("CUNIT1", "'Degrees'"), ("CUNIT2", "'DEG'")],
        &[("CTYPE1", "'ra---tan'"), ("CTYPE2", "'dec--tan'")],
        &[("PV1_0", "0.0"), ("PV1_1", "0.0"), ("PV1_2", "90.0"), ("PV1_3", "180.0"), ("PV1_4", "22.01")],
        &[("LONPOLE", "999.0"), ("LATPOLE", "999.0")],
        &[("CROTA1", "0.0"), ("CROTA2", "0.0")],
        &[("PC001001", "1.0"), ("PC002002", "1.0")],
        &[("CD1_1", "-0.02"), ("CD1_2", "0.0"), ("CD2_1", "0.0"), ("CD2_2", "0.02"), ("CROTA2", "20.0")],
        &[("CRVAL1A", "1.0"), ("CTYPE1A", "'GLON-TAN'"), ("CDELT1A", "0.0"), ("RADESYSA", "'FK4'")],
        &[("A_ORDER", "2"), ("A_2_0", "0.0")],
        &[("CRVAL1", "443.63")],
    ];
    for changes in cases {
        let geom = read(&changed(changes)).unwrap_or_else(|e| panic!("{changes:?}: {e}"));
        let (a, b) = (usual.pix_to_sky(3.0, 4.0).unwrap(), geom.pix_to_sky(3.0, 4.0).unwrap());
        assert!(a.separation_deg(b) < 1e-12, "{changes:?}: {a:?} {b:?}");
    }
}
