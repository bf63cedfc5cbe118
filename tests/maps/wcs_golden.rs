//! Projections and solid angles against astropy's and Gammapy's numbers for 71 geometries.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pevatron::maps::{Frame, Wcs, WcsGeom, WcsHeader};

/// Both are rounding noise of a few ulp in degrees; at all-sky borders astropy itself is no better than 1e-10.
const SKY_DEG: f64 = 1e-9;
/// In units of a pixel.
const PIXEL: f64 = 1e-8;
/// Relative. Differences of position angles over a pixel carry a noise of 1e-16 / (pixel in radians).
const SOLID_ANGLE: f64 = 1e-9;

fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PEVATRON_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let path = root.join("golden").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: there is no {}; set PEVATRON_SHARED to the folder of golden data", path.display());
    None
}

struct Case {
    geom: WcsGeom,
    width_deg: (f64, f64),
    scales_deg: (f64, f64),
    center_deg: (f64, f64),
}

fn case(value: &serde_json::Value) -> Case {
    let header = &value["header"];
    let number = |key: &str| header[key].as_f64();
    let pair = |key: &str| (value[key][0].as_f64().unwrap(), value[key][1].as_f64().unwrap());
    let wcs = Wcs::new(WcsHeader {
        projection: header["CTYPE1"].as_str().unwrap()[5..].to_string(),
        frame: if value["frame"] == "icrs" { Frame::Icrs } else { Frame::Galactic },
        crpix: (number("CRPIX1").unwrap(), number("CRPIX2").unwrap()),
        crval: (number("CRVAL1").unwrap_or(0.0), number("CRVAL2").unwrap_or(0.0)),
        cdelt: (number("CDELT1").unwrap(), number("CDELT2").unwrap()),
        pc: [[1.0, 0.0], [0.0, 1.0]],
        lonpole: number("LONPOLE"),
        latpole: number("LATPOLE"),
    })
    .unwrap();
    let npix = pair("npix");
    Case {
        geom: WcsGeom::new(wcs, npix.0 as usize, npix.1 as usize, Vec::new()),
        width_deg: pair("width_deg"),
        scales_deg: pair("pixel_scales_deg"),
        center_deg: pair("center_lonlat_deg"),
    }
}

fn angle_between(a: f64, b: f64) -> f64 {
    ((a - b + 180.0).rem_euclid(360.0) - 180.0).abs()
}

#[test]
fn pixels_positions_and_solid_angles_are_astropys() {
    let (Some(csv), Some(json)) = (shared("wcs.csv"), shared("wcs.json")) else { return };
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let cases: BTreeMap<&str, Case> =
        json["geometries"].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), case(value))).collect();
    for (name, c) in &cases {
        let (width, scales) = (c.geom.width_deg(), c.geom.pixel_scales_deg());
        assert!((width.0 - c.width_deg.0).abs() < 1e-12 && (width.1 - c.width_deg.1).abs() < 1e-12, "{name}");
        assert_eq!(scales, c.scales_deg, "{name}");
        let center = c.geom.center().unwrap();
        assert!(angle_between(center.lon_deg, c.center_deg.0) < SKY_DEG, "{name}: {center:?}");
        assert!((center.lat_deg - c.center_deg.1).abs() < SKY_DEG, "{name}: {center:?}");
    }
    let omegas: BTreeMap<&str, _> = cases.iter().map(|(name, c)| (*name, c.geom.solid_angle_sr())).collect();

    let (mut worst_sky, mut worst_pixel, mut worst_omega) = (0.0f64, 0.0f64, 0.0f64);
    let text = std::fs::read_to_string(csv).unwrap();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let geom = &cases[fields[0]].geom;
        let v: Vec<f64> = fields[1..].iter().map(|f| f.parse().unwrap_or(f64::NAN)).collect();
        let (x, y, lon, lat) = (v[0], v[1], v[2], v[3]);
        match geom.pix_to_sky(x, y) {
            None => assert!(lon.is_nan() && lat.is_nan(), "{line}: we say outside"),
            Some(p) => {
                assert!(lon.is_finite(), "{line}: we say {p:?}");
                let d = (angle_between(p.lon_deg, lon) * lat.to_radians().cos()).max((p.lat_deg - lat).abs());
                assert!(d < SKY_DEG, "{line}: {p:?}");
                worst_sky = worst_sky.max(d);
                let back = geom.wcs().world_to_pix(lon, lat).unwrap();
                let d = (back.0 - v[4]).abs().max((back.1 - v[5]).abs());
                assert!(d < PIXEL, "{line}: {back:?}");
                worst_pixel = worst_pixel.max(d);
            }
        }
        if !fields[7].is_empty() {
            let omega = omegas[fields[0]][[y as usize, x as usize]];
            if v[6].is_nan() {
                assert!(omega.is_nan(), "{line}: {omega}");
            } else {
                let d = (omega / v[6] - 1.0).abs();
                assert!(d < SOLID_ANGLE, "{line}: {omega}");
                worst_omega = worst_omega.max(d);
            }
        }
    }
    println!("worst: {worst_sky:.1e} deg on the sky, {worst_pixel:.1e} pixel back, {worst_omega:.1e} in solid angle");
}
