//! Region files: shapes, frames and units as DS9 writes them, and how they look on maps.
#![cfg(all(feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::sync::Arc;

use ndarray::Array2;
use pevatron::io::{parse_region, read_shapes};
use pevatron::maps::{Curve, Frame, Shape, SkyPosition, SkyRegion, Spot, WcsGeom};
use pevatron::plot::{MapImage, Marker};

fn shapes(text: &str) -> (Vec<Shape>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.reg");
    std::fs::write(&path, text).unwrap();
    read_shapes(&path).unwrap()
}

fn wrong(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.reg");
    std::fs::write(&path, text).unwrap();
    read_shapes(&path).unwrap_err().to_string()
}

fn sky(spot: Spot) -> SkyPosition {
    match spot {
        Spot::Sky(position) => position,
        Spot::Pixel { .. } => panic!("{spot:?} is not a place on the sky"),
    }
}

/// Points of a shape on the sky.
fn points(shape: &Shape) -> Vec<SkyPosition> {
    let along = |curve: &Curve| (0..=40).map(|i| sky(curve.at(f64::from(i) / 40.0))).collect::<Vec<_>>();
    shape.curves(0.1).iter().flat_map(along).collect()
}

fn reach(shape: &Shape, center: SkyPosition) -> (f64, f64) {
    let distances = points(shape).into_iter().map(|p| p.separation_deg(center));
    distances.fold((f64::MAX, 0.0), |(lo, hi), d| (lo.min(d), hi.max(d)))
}

/// Lines of a picture with these regions that are not there without: points in parts of the picture's width and height.
fn drawn(geom: &WcsGeom, text: &str) -> Vec<Vec<(f64, f64)>> {
    let draw = |markers: Vec<Marker>| {
        let picture =
            MapImage::new(&Array2::zeros((geom.ny(), geom.nx())), geom).unwrap().colour_bar(false).markers(markers);
        let picture = picture.draw().unwrap();
        let size = (f64::from(picture.width_px()), f64::from(picture.height_px()));
        (String::from_utf8(picture.to_svg_with_text()).unwrap(), size)
    };
    let (plain, _) = draw(Vec::new());
    let (with, size) = draw(shapes(text).0.into_iter().map(Marker::of_shape).collect());
    let mut lines = Vec::new();
    for tag in with.split('<').filter(|t| t.starts_with("path ") && t.contains("stroke-opacity=\"1\"")) {
        if plain.contains(tag) {
            continue;
        }
        let data = tag.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        for piece in data.split('M').filter(|p| !p.is_empty()) {
            let numbers: Vec<f64> = piece
                .split(|c: char| c.is_ascii_alphabetic() || c == ' ')
                .filter(|s| !s.is_empty())
                .map(|s| s.parse().unwrap())
                .collect();
            lines.push(numbers.chunks_exact(2).map(|p| (p[0] / size.0, p[1] / size.1)).collect());
        }
    }
    lines
}

fn longest_step(lines: &[Vec<(f64, f64)>]) -> f64 {
    let steps = lines.iter().flat_map(|l| l.windows(2)).map(|p| (p[0].0 - p[1].0).hypot(p[0].1 - p[1].1));
    steps.fold(0.0, f64::max)
}

fn extent(line: &[(f64, f64)]) -> (f64, f64) {
    let range = |f: fn(&(f64, f64)) -> f64| {
        let (lo, hi) = line.iter().map(f).fold((f64::MAX, f64::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)));
        hi - lo
    };
    (range(|p| p.0), range(|p| p.1))
}

#[test]
fn shapes_have_their_sizes_on_the_sky_near_a_pole_too() {
    for (lon_deg, lat_deg) in [(83.6, 22.0), (10.0, 88.0), (200.0, -89.9), (359.9, 0.0)] {
        let center = SkyPosition::icrs(lon_deg, lat_deg);
        let one = |text: String| {
            let (mut list, warnings) = shapes(&format!("icrs\n{text}\n"));
            assert!(list.len() == 1 && warnings.is_empty(), "{text}: {list:?} {warnings:?}");
            list.remove(0)
        };
        let close = |(a, b): (f64, f64), (c, d): (f64, f64)| (a - c).abs() < 1e-6 && (b - d).abs() < 1e-6;
        let at = format!("{lon_deg},{lat_deg}");
        for (text, wanted) in [
            (format!("circle({at},3)"), (3.0, 3.0)),
            (format!("ellipse({at},6,1.5,30)"), (1.5, 6.0)),
            (format!("annulus({at},1,2,5)"), (1.0, 5.0)),
            (format!("annulus({at},1,2,n=4)"), (1.0, 2.0)),
            (format!("ellipse({at},1,2,3,4,10)"), (1.0, 4.0)),
            (format!("panda({at},20,110,3,1,4,2)"), (1.0, 4.0)),
            (format!("pie({at},2,4,350,20)"), (2.0, 4.0)),
            (format!("circle({at},30')"), (0.5, 0.5)),
            (format!("circle {lon_deg} {lat_deg} 1800\""), (0.5, 0.5)),
            (format!("circle({at},0.1r)"), (5.729_577_951, 5.729_577_951)),
            (format!("circle({at},20i)"), (2.0, 2.0)),
            (format!("-circle({at},3d) # color=red"), (3.0, 3.0)),
        ] {
            let shape = one(text.clone());
            assert!(close(reach(&shape, center), wanted), "{text}: {:?}", reach(&shape, center));
            assert_eq!(shape.excluded, text.starts_with('-'));
        }
        // A box: half sides along its axes, corners at the angle between them.
        let (near, far) = reach(&one(format!("box({at},4,2,75)")), center);
        let corner = 2f64.to_radians().tan().hypot(1f64.to_radians().tan()).atan().to_degrees();
        assert!((near - 1.0).abs() < 1e-3 && (far - corner).abs() < 1e-6, "{near} {far}");
    }
}

#[test]
fn angles_turn_from_west_to_north_in_the_frame_of_the_file() {
    let (list, _) = shapes("icrs\nvector(10,0,1,0)\n# vector(10,0,1,90) vector=1\n# vector(10,0,1,30) vector=1\n");
    let tips: Vec<SkyPosition> = list.iter().map(|s| sky(s.curves(1.0)[0].at(1.0))).collect();
    let near = |a: SkyPosition, lon: f64, lat: f64| a.separation_deg(SkyPosition::icrs(lon, lat)) < 1e-9;
    assert!(near(tips[0], 9.0, 0.0) && near(tips[1], 10.0, 1.0) && tips[2].lon_deg < 10.0 && tips[2].lat_deg > 0.49);
    // The same arrow in B1950: its foot moves, its length does not, and it points to the north of that system.
    let (list, _) = shapes("fk4\nvector(10,60,1,90)\n");
    let curve = &list[0].curves(1.0)[0];
    let (foot, tip) = (sky(curve.at(0.0)), sky(curve.at(1.0)));
    let (ends, _) = shapes("fk4\nline(10,60,10,61)\n");
    let true_tip = sky(ends[0].curves(1.0)[0].at(1.0));
    assert!(
        (foot.separation_deg(tip) - 1.0).abs() < 1e-9 && tip.separation_deg(true_tip) < 1e-4,
        "{tip:?} {true_tip:?}"
    );
    assert!(foot.separation_deg(SkyPosition::icrs(10.0, 60.0)) > 0.2);
    // astropy: SkyCoord(10, 60, unit="deg", frame="fk4", equinox="B1950").icrs
    assert!(foot.separation_deg(SkyPosition::icrs(10.727_887, 60.273_784)) < 1e-3, "{foot:?}");
}

#[test]
fn numbers_of_all_spellings() {
    for text in [
        "icrs; circle(5:34:31.94,+22:00:52.2,0.5)",
        "fk5; circle(5h34m31.94s,22d00m52.2s,0.5)",
        "J2000; circle[83.633083333,22.0145,0.5d]",
        "global color=green\nICRS\n+circle(83.633083333d , 22.0145d , 30')",
    ] {
        let (list, _) = shapes(text);
        let center = sky(list[0].center());
        // astropy: SkyCoord(83.633083333, 22.0145, unit="deg", frame="fk5").icrs
        let is_fk5 = text.starts_with("fk5") || text.starts_with("J2000");
        let (lon, lat) = if is_fk5 { (83.633_075_708_3, 22.014_505_213_4) } else { (83.633_083_333, 22.0145) };
        assert!(center.separation_deg(SkyPosition::icrs(lon, lat)) < 1e-8, "{text}: {center:?}");
        assert!((reach(&list[0], center).1 - 0.5).abs() < 1e-6, "{text}");
    }
    // Galactic longitudes are degrees, not hours.
    let (list, _) = shapes("galactic\ncircle(10:30:00,-1:30:00,1)");
    assert!(sky(list[0].center()).separation_deg(SkyPosition::galactic(10.5, -1.5)) < 1e-9);
    let (list, _) = shapes("image\ncircle(10.5,20,5) # text={a; b}\nicrs\n# text(83.6,22.0) text={Crab}\n");
    assert_eq!(list[0].center(), Spot::Pixel { x: 10.5, y: 20.0 });
    assert_eq!((list.len(), list[1].name.as_str()), (2, "Crab"));
}

#[test]
fn what_is_not_drawn_is_told_and_what_is_wrong_is_refused() {
    let (list, warnings) =
        shapes("icrs\ncompass(1,2,3)\nblob(1,2)\nblob(2,3)\ncircle(1,2,3)\n# composite(1,2,0) || composite=1\n");
    assert_eq!((list.len(), warnings.len()), (1, 2));
    assert!(warnings[0].contains("'compass'") && warnings[1].contains("'blob'"), "{warnings:?}");
    for (text, word) in [
        ("physical\ncircle(1,2,3)", "'physical'"),
        ("circle(1,2,3)", "before the line"),
        ("icrs\ncircle(1,2)", "circle with 2 numbers"),
        ("icrs\ncircle(1,95,3)", "not a place"),
        ("icrs\ncircle(1,2,-3)", "-3"),
        ("icrs\ncircle(1,2,0)", "within 0 to 180"),
        ("icrs\ncircle(1,2,nan)", "'nan'"),
        ("icrs\npolygon(1,2,3,4)", "polygon with 4 numbers"),
        ("icrs\npanda(1,2,0,90,1e9,1,2,3)", "number of rings or sectors"),
        ("#CRTF\ncircle[[1deg,2deg],1deg]", "CASA"),
    ] {
        let error = wrong(text);
        assert!(error.contains("a.reg") && error.contains(word), "{text}: {error}");
    }
    assert!(
        parse_region("-circle(1,2,3)", Frame::Icrs).is_err()
            && parse_region("image;circle(1,2,3)", Frame::Icrs).is_err()
    );
}

#[test]
fn a_large_ellipse_holds_what_its_outline_encloses() {
    let center = SkyPosition::icrs(30.0, 40.0);
    let region = SkyRegion::Ellipse { center, width_deg: 80.0, height_deg: 20.0, angle_deg: 0.0 };
    let (list, _) = shapes("icrs\nellipse(30,40,40,10,0)");
    for p in points(&list[0]) {
        let step = |share: f64| {
            let (dlon, dlat) = (p.lon_deg - center.lon_deg, p.lat_deg - center.lat_deg);
            let dlon = (dlon + 180.0).rem_euclid(360.0) - 180.0;
            SkyPosition::icrs(p.lon_deg + share * dlon, p.lat_deg + share * dlat)
        };
        assert!(region.contains(step(-0.03)) && !region.contains(step(0.03)), "{p:?}");
    }
}

#[test]
fn an_ellipse_and_a_box_have_their_aspect_on_the_drawing() {
    let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 60, 60, (0.05, 0.05), "TAN", vec![]).unwrap();
    for (text, aspect) in [
        ("icrs\nellipse(83.63,22.01,0.6,0.1,0)", 6.0),
        ("icrs\nellipse(83.63,22.01,0.6,0.1,90)", 1.0 / 6.0),
        ("icrs\nbox(83.63,22.01,1.2,0.4,0)", 3.0),
        ("image\nbox(30.5,30.5,24,8,0)", 3.0),
        ("image\nellipse(30.5,30.5,12,2,90)", 1.0 / 6.0),
        ("image\nellipse(30.5,30.5,36',6',90)", 1.0 / 6.0),
    ] {
        let lines = drawn(&geom, text);
        assert_eq!(lines.len(), 1, "{text}");
        let (w, h) = extent(&lines[0]);
        // The picture is not square.
        let (pw, ph) = extent(&drawn(&geom, "image\nbox(30.5,30.5,20,20,0)")[0]);
        assert!((w / pw / (h / ph) / aspect - 1.0).abs() < 0.02, "{text}: {w} {h}");
        assert!((w / pw * 20.0 * 0.05 - if aspect > 1.0 { 1.2 } else { 0.2 }).abs() < 0.02, "{text}");
    }
    // Parts of the border alone.
    let polygon = drawn(&geom, "icrs\npolygon(84,22,83.5,22,83.5,22.5)\nline(84,21.8,83.2,21.8)");
    assert_eq!(polygon.len(), 2);
    let excluded = drawn(&geom, "icrs\n-circle(83.63,22.01,0.3)");
    assert_eq!(excluded.len(), 1);
}

#[test]
fn outlines_are_cut_at_seams_poles_and_borders() {
    let create = |projection: &str, lon: f64| {
        let center = SkyPosition::galactic(lon, 0.0);
        WcsGeom::create(center, 180, 90, (2.0, 2.0), projection, vec![]).unwrap()
    };
    for projection in ["CAR", "AIT", "MOL", "SFL"] {
        for lon in [0.0, 90.0] {
            let geom = create(projection, lon);
            let seam = lon + 180.0;
            for text in [
                format!("galactic\ncircle({seam},30,20)"),
                format!("galactic\nellipse({seam},-10,30,10,20)"),
                format!("galactic\nbox({seam},0,40,20,0)"),
                format!("galactic\npolygon({0},10,{1},10,{1},-20,{0},-20)", seam - 15.0, seam + 15.0),
                format!("galactic\nline({},0,{},10)", seam - 20.0, seam + 20.0),
                format!("galactic\nannulus({seam},5,5,10,15)"),
                format!("galactic\ncircle({lon},85,20)"),
                format!("galactic\ncircle({lon},-80,30)"),
                format!("galactic\ncircle({lon},90,10)"),
                "icrs\ncircle(192.86,27.13,25)".to_string(),
            ] {
                let lines = drawn(&geom, &text);
                assert!(
                    !lines.is_empty() && longest_step(&lines) < 0.06,
                    "{projection} {text}: {}",
                    longest_step(&lines)
                );
            }
            let ring = drawn(&geom, &format!("galactic\ncircle({seam},30,20)"));
            let xs = || ring.iter().flatten().map(|p| p.0);
            assert!(
                ring.len() == 2 && xs().fold(1.0, f64::min) < 0.3 && xs().fold(0.0, f64::max) > 0.7,
                "{projection}"
            );
        }
    }
    // A shape whose middle is not on the map, and one that has no part of it there.
    let small = WcsGeom::create(SkyPosition::icrs(10.0, 0.0), 40, 40, (0.1, 0.1), "TAN", vec![]).unwrap();
    assert_eq!(drawn(&small, "icrs\ncircle(14,0,3)").len(), 1);
    assert!(drawn(&small, "icrs\ncircle(190,0,3)\ncircle(30,0,3)").is_empty());
    assert!(!drawn(&small, "icrs\ncircle(10,0,179)\ncircle(100,0,90)").is_empty());
}

#[test]
fn pixels_are_those_of_the_whole_image() {
    // Rows and columns without sky are cut away from the picture of an all-sky map, the pixels of a file count on.
    let center = SkyPosition::galactic(0.0, 0.0);
    let geom = WcsGeom::create(center, 220, 110, (2.0, 2.0), "AIT", vec![]).unwrap();
    let (x, y) = geom.sky_to_pix(SkyPosition::galactic(20.0, 10.0)).unwrap();
    let a = drawn(&geom, &format!("image\npoint({},{})", x + 1.0, y + 1.0));
    let b = drawn(&geom, "galactic\npoint(20,10)");
    let middle = |lines: &[Vec<(f64, f64)>]| lines[0][0];
    assert!((middle(&a).0 - middle(&b).0).abs() < 1e-3 && (middle(&a).1 - middle(&b).1).abs() < 1e-3);
    let _ = Arc::new(geom);
}
