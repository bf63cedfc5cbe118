//! Axes of files whose values decrease, and maps around the whole sky.
#![cfg(feature = "fits-system")]
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::path::Path;
use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};
use pevatron::io::WriteOptions;
use pevatron::maps::{
    AxisInterp, Frame, Geom, Map, MapAxis, MapData, RegionGeom, SkyPosition, SkyRegion, Wcs, WcsGeom, WcsHeader,
};
use pevatron::time::TimeReference;
use pevatron::units::Unit;

use crate::support::fits_file::{FitsFile, Hdu};

/// A map whose values count up, in a file, with its HDUs.
fn written(folder: &Path, axes: Vec<MapAxis>) -> (Map, FitsFile) {
    let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 3, 2, (0.1, 0.1), "TAN", axes).unwrap();
    let shape = Geom::from(&geom).data_shape();
    let values = (0..shape.iter().product::<usize>()).map(|v| v as f32).collect();
    let data = MapData::F32(ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap());
    let map = Map::new(Arc::new(Geom::from(geom)), Unit::default(), data).unwrap();
    let path = folder.join("whole.fits");
    map.write(&path, "PRIMARY", &WriteOptions::default().overwrite(true)).unwrap();
    let mut file = FitsFile::read(path);
    for hdu in &mut file.hdus {
        hdu.unset("CHECKSUM");
        hdu.unset("DATASUM");
    }
    (map, file)
}

/// Rows of a table, or planes of an image, in another order: `order[n]` is the old number of the new nth.
fn reorder(hdu: &mut Hdu, bytes: usize, order: &[usize]) {
    let old = hdu.data.clone();
    assert_eq!(old.len(), bytes * order.len());
    for (new, &from) in order.iter().enumerate() {
        hdu.data[new * bytes..(new + 1) * bytes].copy_from_slice(&old[from * bytes..(from + 1) * bytes]);
    }
}

fn row_bytes(hdu: &Hdu) -> usize {
    hdu.value("NAXIS1").unwrap().parse().unwrap()
}

fn read(folder: &Path, file: &FitsFile) -> pevatron::Result<Map> {
    file.write(folder.join("in.fits"));
    Map::read(folder.join("in.fits"), None)
}

fn assert_same(found: &Map, wanted: &Map, what: &str) {
    assert_eq!(found.geom().axes(), wanted.geom().axes(), "{what}");
    let values = |m: &Map| m.data().iter().collect::<Vec<f64>>();
    assert_eq!(values(found), values(wanted), "{what}");
}

fn energy(interp: AxisInterp) -> MapAxis {
    MapAxis::from_edges("energy", "TeV".parse().unwrap(), vec![0.5, 1.0, 4.0, 8.0], interp).unwrap()
}

fn nodes() -> MapAxis {
    MapAxis::from_nodes("energy_true", "GeV".parse().unwrap(), vec![1.0, 10.0, 100.0], AxisInterp::Log).unwrap()
}

fn times() -> MapAxis {
    let bins = [(0.0, 1.0), (1.5, 2.0), (2.0, 4.0)];
    MapAxis::time(&bins, "h".parse().unwrap(), TimeReference::default()).unwrap()
}

#[test]
fn planes_turn_with_decreasing_axes() {
    let folder = tempfile::tempdir().unwrap();
    for axis in [energy(AxisInterp::Log), nodes(), times()] {
        let name = axis.name().to_string();
        let (map, mut file) = written(folder.path(), vec![axis]);
        reorder(&mut file.hdus[0], 24, &[2, 1, 0]);
        let width = row_bytes(&file.hdus[1]);
        reorder(&mut file.hdus[1], width, &[2, 1, 0]);
        assert_same(&read(folder.path(), &file).unwrap(), &map, &name);
    }
}

#[test]
fn planes_turn_with_the_axis_that_decreases_only() {
    let folder = tempfile::tempdir().unwrap();
    let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), vec![0.0, 0.1, 0.3], AxisInterp::Lin).unwrap();
    for (axes, order) in [
        // Energies are the faster axis, then the slower one.
        (vec![nodes(), rad.clone()], [2, 1, 0, 5, 4, 3]),
        (vec![rad, nodes()], [4, 5, 2, 3, 0, 1]),
    ] {
        let (map, mut file) = written(folder.path(), axes);
        assert_same(&read(folder.path(), &file).unwrap(), &map, "as written");
        reorder(&mut file.hdus[0], 24, &order);
        let width = row_bytes(&file.hdus[1]);
        reorder(&mut file.hdus[1], width, &order);
        assert_same(&read(folder.path(), &file).unwrap(), &map, "turned");
    }
}

/// Which of three axes changes first from row to row of their table, and which last, is free (Gammapy's own order is neither
/// that of the planes nor its reverse); axes of a single bin may stand anywhere.
#[test]
fn rows_of_three_axes_stand_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    for heights in [4, 1] {
        let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), vec![0.0, 0.1, 0.3], AxisInterp::Lin).unwrap();
        let edges = (0..=heights).map(|n| f64::from(n) + 0.5).collect();
        let height = MapAxis::from_edges("height", "m".parse().unwrap(), edges, AxisInterp::Lin).unwrap();
        let sizes = [3, 2, heights as usize];
        let (map, file) = written(folder.path(), vec![nodes(), rad, height]);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut rows = Vec::new();
            for slow in 0..sizes[order[2]] {
                for middle in 0..sizes[order[1]] {
                    for fast in 0..sizes[order[0]] {
                        let mut bin = [0; 3];
                        (bin[order[0]], bin[order[1]], bin[order[2]]) = (fast, middle, slow);
                        rows.push(bin[0] + sizes[0] * (bin[1] + sizes[1] * bin[2]));
                    }
                }
            }
            let mut file = file.clone();
            let width = row_bytes(&file.hdus[1]);
            reorder(&mut file.hdus[1], width, &rows);
            assert_same(&read(folder.path(), &file).unwrap(), &map, &format!("{order:?}, {heights} heights"));
            // Two rows that change places leave no order at all.
            let last = rows.len() - 1;
            let swapped = (0..=last).map(|row| [1, 0].get(row).copied().unwrap_or(row)).collect::<Vec<_>>();
            reorder(&mut file.hdus[1], width, &swapped);
            let error = read(folder.path(), &file).unwrap_err().to_string();
            assert!(error.contains("[PRIMARY_BANDS]") || error.contains("_BANDS"), "{order:?}: {error}");
        }
    }
}

/// A table of one column per name, in double precision.
fn table(name: &str, columns: &[(&str, &str, &[f64])]) -> Hdu {
    let rows = columns[0].2.len();
    let mut hdu = Hdu { cards: Vec::new(), data: Vec::new() };
    let (width, count) = ((8 * columns.len()).to_string(), rows.to_string());
    let fields = columns.len().to_string();
    for (key, value) in [
        ("XTENSION", "'BINTABLE'"),
        ("BITPIX", "8"),
        ("NAXIS", "2"),
        ("NAXIS1", &width),
        ("NAXIS2", &count),
        ("PCOUNT", "0"),
        ("GCOUNT", "1"),
        ("TFIELDS", &fields),
    ] {
        hdu.set(key, value);
    }
    for (n, (column, unit, _)) in columns.iter().enumerate() {
        hdu.set(&format!("TTYPE{}", n + 1), &format!("'{column}'"));
        hdu.set(&format!("TFORM{}", n + 1), "'D'");
        if !unit.is_empty() {
            hdu.set(&format!("TUNIT{}", n + 1), &format!("'{unit}'"));
        }
    }
    hdu.set("EXTNAME", &format!("'{name}'"));
    hdu.data = (0..rows).flat_map(|row| columns.iter().flat_map(move |c| c.2[row].to_be_bytes())).collect();
    hdu
}

/// The cube of three planes with another table of energies, without the keywords that name its own.
fn cube(folder: &Path, energies: Hdu) -> FitsFile {
    let (_, mut file) = written(folder, vec![nodes()]);
    file.hdus.truncate(1);
    for key in ["BANDSHDU", "AXCOLS1", "INTERP1"] {
        file.hdus[0].unset(key);
    }
    file.hdus.push(energies);
    file
}

#[test]
fn tables_of_energies_keep_their_units_and_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let first = |map: &Map| map.data().iter().next().unwrap();
    let node_table = |unit| table("ENERGIES", &[("ENERGY", unit, &[3.0, 2.0, 1.0])]);
    for (unit, wanted) in [("", 1e-6), ("MeV", 1e-6), ("GeV", 1e-3), ("keV", 1e-9)] {
        let map = read(folder.path(), &cube(folder.path(), node_table(unit))).unwrap();
        let tev = map.geom().axes()[0].center_tev().unwrap();
        assert!((tev[0] / wanted - 1.0).abs() < 1e-12 && (tev[2] / wanted - 3.0).abs() < 1e-12, "{unit}: {tev:?}");
        assert_eq!(first(&map), 12.0, "{unit}");
    }
    // Upper edges in another unit.
    let edges = table("EBOUNDS", &[("E_MIN", "GeV", &[1.0, 0.1, 0.01]), ("E_MAX", "MeV", &[1e4, 1e3, 1e2])]);
    let map = read(folder.path(), &cube(folder.path(), edges)).unwrap();
    let tev = map.geom().axes()[0].edges_tev().unwrap();
    assert!(tev.iter().zip([1e-5, 1e-4, 1e-3, 1e-2]).all(|(a, b)| (a / b - 1.0).abs() < 1e-12), "{tev:?}");
    assert_eq!(first(&map), 12.0);
}

#[test]
fn tables_that_are_no_axes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ebounds = |min: &[f64], max: &[f64]| table("EBOUNDS", &[("E_MIN", "keV", min), ("E_MAX", "keV", max)]);
    let cases = [
        (ebounds(&[1.0, 3.0, 2.0], &[3.0, 4.0, 3.0]), "E_MAX"),
        (ebounds(&[1.0, 2.0, 4.0], &[2.0, 3.0, 5.0]), "must touch"),
        (ebounds(&[2.0, 3.0, 4.0], &[1.0, 2.0, 3.0]), "E_MAX"),
        (ebounds(&[1.0, f64::NAN, 3.0], &[2.0, 3.0, 4.0]), "NaN"),
        (ebounds(&[1.0, 2.0], &[2.0, 3.0]), "[3] planes"),
        (ebounds(&[1.0, 2.0, 2.0], &[2.0, 3.0, 3.0]), "E_MAX"),
        (ebounds(&[0.0, 1.0, 2.0], &[1.0, 2.0, 3.0]), "value 0"),
        (table("EBOUNDS", &[("E_MIN", "", &[1.0, 2.0, 3.0]), ("E_MAX", "", &[2.0, 3.0, 4.0])]), "E_MIN"),
        (table("EBOUNDS", &[("E_MIN", "keV", &[1.0, 2.0, 3.0]), ("E_MAX", "cm", &[2.0, 3.0, 4.0])]), "E_MAX"),
        (table("ENERGIES", &[("ENERGY", "s", &[1.0, 2.0, 3.0])]), "ENERGY"),
        (table("ENERGIES", &[("ENERGY", "MeV", &[1.0, 3.0, 2.0])]), "energy_true"),
    ];
    for (energies, word) in cases {
        let error = read(folder.path(), &cube(folder.path(), energies)).expect_err(word).to_string();
        assert!(error.contains("in.fits[E") || error.contains("in.fits[PRIMARY]"), "{error}");
        assert!(error.contains(word), "'{word}' is not in: {error}");
    }
    // Rows of two axes that do not form a grid.
    let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), vec![0.0, 0.1, 0.3], AxisInterp::Lin).unwrap();
    let (_, mut file) = written(folder.path(), vec![nodes(), rad]);
    let width = row_bytes(&file.hdus[1]);
    reorder(&mut file.hdus[1], width, &[0, 1, 2, 3, 5, 4]);
    let error = read(folder.path(), &file).unwrap_err().to_string();
    assert!(error.contains("do not form a grid"), "{error}");
}

/// Galactic plane maps in degrees with `nx` columns; the first pixel at `lon`, the reference pixel at CRPIX1.
fn plane(projection: &str, lon: f64, nx: usize, crpix: f64, crval_lat: f64) -> WcsGeom {
    let crval = ((lon - (crpix - 1.0)).rem_euclid(360.0), crval_lat);
    let header = WcsHeader::new(projection, Frame::Galactic, (crpix, 11.0), crval, (-1.0, 1.0));
    WcsGeom::new(Wcs::new(header).unwrap(), nx, 21, vec![])
}

#[test]
fn every_column_of_a_cylindrical_map_is_sky() {
    for projection in ["CAR", "CEA", "MER"] {
        for (crpix, nx, lat) in
            [(1.0, 360, 0.0), (360.0, 360, 0.0), (-400.0, 90, 0.0), (1.0, 300, 20.0), (700.0, 360, 0.0)]
        {
            let geom = plane(projection, 180.0, nx, crpix, lat);
            let (lon, lats) = geom.sky_grid();
            assert!(lon.iter().chain(&lats).all(|v| v.is_finite()), "{projection} {crpix}");
            assert!(geom.solid_angle_sr().iter().all(|v| *v > 0.0), "{projection} {crpix}");
            for ((y, x), l) in lon.indexed_iter() {
                if lat == 0.0 {
                    let wanted = 180.0 - x as f64;
                    let d = (l - wanted + 180.0).rem_euclid(360.0) - 180.0;
                    assert!(d.abs() < 1e-9, "{projection} {crpix} column {x}: {l} {wanted}");
                }
                let position = SkyPosition { lon_deg: *l, lat_deg: lats[[y, x]], frame: Frame::Galactic };
                let (u, v) = geom.sky_to_pix(position).unwrap();
                assert!(
                    (u - x as f64).abs() < 1e-7 && (v - y as f64).abs() < 1e-7,
                    "{projection} {crpix}: {x} {y} {u} {v}"
                );
                assert_eq!(geom.pixel_of(position), Some((y, x)));
            }
        }
    }
}

#[test]
fn positions_beside_a_map_are_those_nearest_to_it() {
    let geom = plane("CAR", 180.0, 100, 1.0, 0.0);
    // Just left of the first column, at native longitude 180 - 358 = -178 and on.
    let at = |lon: f64| geom.sky_to_pix(SkyPosition::galactic(lon, 0.0)).unwrap().0;
    assert!((at(182.0) + 2.0).abs() < 1e-9 && (at(70.0) - 110.0).abs() < 1e-9);
    assert!(!geom.contains(SkyPosition::galactic(182.0, 0.0)) && geom.contains(SkyPosition::galactic(90.0, 0.0)));
    // More than a turn: the copy near the reference pixel.
    let twice = plane("CAR", 180.0, 500, 1.0, 0.0);
    assert_eq!(twice.pixel_of(SkyPosition::galactic(170.0, 0.0)), Some((10, 10)));
    assert_eq!(twice.pixel_of(SkyPosition::galactic(-170.0, 0.0)), Some((10, 350)));
}

#[test]
fn cutouts_and_regions_lie_where_they_should() {
    let geom = plane("CAR", 180.0, 360, 1.0, 0.0);
    let center = SkyPosition::galactic(240.0, 0.5);
    let (cutout, origin) = geom.cutout(center, (5.0, 5.0), true).unwrap();
    assert_eq!((origin.x0, cutout.nx(), cutout.ny()), (298, 5, 5));
    let middle = cutout.pix_to_sky(2.0, 2.0).unwrap();
    assert!(middle.separation_deg(SkyPosition::galactic(240.0, 0.0)) < 0.51, "{middle:?}");
    let region = SkyRegion::circle(center, 3.0).unwrap();
    let inside = geom.region_mask(&region);
    let columns: Vec<usize> = inside.indexed_iter().filter(|(_, m)| **m).map(|((_, x), _)| x).collect();
    assert!(columns.iter().all(|x| (297..=303).contains(x)) && columns.len() > 20, "{columns:?}");
    // Over the seam, a circle has both ends.
    let seam = geom.region_mask(&SkyRegion::circle(SkyPosition::galactic(180.0, 0.0), 3.0).unwrap());
    assert!(seam[[10, 0]] && seam[[10, 359]] && seam[[10, 2]] && seam[[10, 358]] && !seam[[10, 180]]);
}

#[test]
fn angles_of_regions_are_those_on_the_sky() {
    let folder = tempfile::tempdir().unwrap();
    let center = SkyPosition::icrs(83.63, 22.01);
    let region = SkyRegion::Ellipse { center, width_deg: 2.0, height_deg: 0.4, angle_deg: 20.0 };
    let geom = Geom::from(RegionGeom::of(Some(region), vec![energy(AxisInterp::Log)]));
    let data = MapData::F32(ArrayD::zeros(IxDyn(&geom.data_shape())));
    let map = Map::new(Arc::new(geom), Unit::default(), data).unwrap();
    let path = folder.path().join("region.fits");
    map.write(&path, "COUNTS", &WriteOptions::default()).unwrap();
    // What the pixels of the table are turned by, and the angle of the same 20 degrees in pixels on the sky.
    for (cards, wanted) in [
        (vec![], 20.0),
        (vec![("CROTA2", "30.0")], -10.0),
        (vec![("CDELT1", "0.01")], 160.0),
        (vec![("CRVAL1", "80.0"), ("CRPIX1", "1.0"), ("EQUINOX", "1950.0"), ("RADESYS", "'FK5'")], 20.3),
    ] {
        let mut file = FitsFile::read(&path);
        let table = file.hdu("COUNTS_REGION");
        table.unset("CHECKSUM");
        table.unset("DATASUM");
        for (key, value) in &cards {
            table.set(key, value);
        }
        let map = read(folder.path(), &file).unwrap();
        let Geom::Region(geom) = map.geom().as_ref() else { panic!("no region") };
        let Some(SkyRegion::Ellipse { angle_deg, .. }) = geom.region() else { panic!("no ellipse") };
        let d = (angle_deg - wanted + 90.0).rem_euclid(180.0) - 90.0;
        let tolerance = if wanted == 20.0 { 0.0 } else { 0.1 };
        assert!(d.abs() <= tolerance, "{cards:?}: {angle_deg}");
    }
}

#[test]
fn maps_close_where_the_last_column_meets_the_first() {
    let closes = |projection: &str, nx: usize, binsz: f64| {
        let center = SkyPosition::galactic(0.0, 0.0);
        WcsGeom::create(center, nx, 4, (binsz, 1.0), projection, vec![]).unwrap().closes_in_longitude()
    };
    assert_eq!(closes("CAR", 360, 1.0), Some(360));
    assert_eq!(closes("CEA", 400, 1.0), Some(360));
    assert_eq!(closes("MER", 1080, 0.333333), Some(1080));
    assert_eq!(closes("CAR", 359, 1.0), None);
    assert_eq!(closes("CAR", 52, 7.0), None);
    assert_eq!(closes("AIT", 360, 1.0), None);
    assert_eq!(closes("TAN", 360, 1.0), None);
    assert_eq!(plane("CAR", 180.0, 360, 1.0, 30.0).closes_in_longitude(), Some(360));
    let mut header = WcsHeader::new("CAR", Frame::Galactic, (1.0, 1.0), (0.0, 0.0), (-1.0, 1.0));
    header.pc = [[0.6, -0.8], [0.8, 0.6]];
    assert_eq!(WcsGeom::new(Wcs::new(header).unwrap(), 700, 700, vec![]).closes_in_longitude(), None);
}

#[test]
fn pixels_have_the_shape_that_projections_give_them() {
    let at = |projection: &str, x: f64, y: f64| {
        let geom = WcsGeom::create(SkyPosition::galactic(0.0, 0.0), 11, 11, (0.1, 0.2), projection, vec![]).unwrap();
        let shape = geom.pixel_shape(5.0 + x / 0.1, 5.0 + y / 0.2).unwrap();
        (shape.area, shape.width, shape.height, shape.elongation())
    };
    let near = |found: (f64, f64, f64, f64), wanted: (f64, f64, f64, f64)| {
        let pairs = [(found.0, wanted.0), (found.1, wanted.1), (found.2, wanted.2), (found.3, wanted.3)];
        assert!(pairs.iter().all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {wanted:?}");
    };
    near(at("CAR", 50.0, 60.0), (0.5, 0.5, 1.0, 2.0));
    near(at("CAR", 170.0, 0.0), (1.0, 1.0, 1.0, 1.0));
    // TAN: cos³ in area, cos² along the radius, cos across.
    let c = 50f64.to_radians().cos();
    near(at("TAN", 0.0, 50f64.to_radians().tan().to_degrees()), (c.powi(3), c, c * c, 1.0 / c));
    near(at("ZEA", 0.0, 0.0), (1.0, 1.0, 1.0, 1.0));
    // ZEA: equal areas, but stretched around the centre by 1 / cos of half of the distance, and pressed towards it.
    let (half, far) = (25f64.to_radians().cos(), 2.0 * 25f64.to_radians().sin().to_degrees());
    near(at("ZEA", 0.0, far), (1.0, half, 1.0 / half, 1.0 / half.powi(2)));
    let geom = WcsGeom::create(SkyPosition::galactic(0.0, 0.0), 11, 11, (0.1, 0.2), "CAR", vec![]).unwrap();
    let (single, all) = (geom.pixel_shape(3.0, 4.0).unwrap().solid_angle_sr, geom.solid_angle_sr()[[4, 3]]);
    assert!((single / all - 1.0).abs() < 1e-5, "{single} {all}");
    assert!(geom.pixel_shape(0.0, 1000.0).is_none());
}
