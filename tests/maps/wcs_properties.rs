//! Round trips and identities of geometries, over random headers.

use pevatron::maps::{Frame, SkyPosition, Wcs, WcsGeom, WcsHeader};
use proptest::prelude::*;

const PROJECTIONS: [&str; 12] = ["CAR", "CEA", "MER", "TAN", "SIN", "ARC", "STG", "ZEA", "AIT", "MOL", "SFL", "GLS"];

fn header() -> impl Strategy<Value = WcsHeader> {
    let latitude = prop_oneof![Just(0.0), Just(90.0), Just(-90.0), -90.0..90.0f64];
    (
        prop::sample::select(PROJECTIONS.to_vec()),
        (0.0..360.0f64, latitude),
        (0.01..2.0f64, 0.01..2.0f64, any::<bool>()),
        (0.5..80.5f64, 0.5..80.5f64),
        (0.0..360.0f64, -0.5..0.5f64),
        prop::option::of(0.0..360.0f64),
    )
        .prop_map(|(projection, crval, (dx, dy, flip), crpix, (angle, shear), lonpole)| {
            let (s, c) = angle.to_radians().sin_cos();
            let mut header = WcsHeader::new(projection, Frame::Icrs, crpix, crval, (if flip { dx } else { -dx }, dy));
            header.pc = [[c, -s], [s, c + shear * s]];
            header.lonpole = lonpole;
            header
        })
        .prop_filter("the PC matrix is well-conditioned", |h| {
            (h.pc[0][0] * h.pc[1][1] - h.pc[0][1] * h.pc[1][0]).abs() > 0.2
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pixel_to_sky_to_pixel(header in header(), x in -40.0..120.0f64, y in -40.0..120.0f64) {
        // Some LONPOLE are impossible at some latitudes.
        let Ok(wcs) = Wcs::new(header) else { return Ok(()) };
        let Some((lon, lat)) = wcs.pix_to_world(x, y) else { return Ok(()) };
        prop_assert!((0.0..360.0).contains(&lon) && lat.abs() <= 90.0);
        let Some((u, v)) = wcs.world_to_pix(lon, lat) else {
            // Only on the horizon may a position be lost again.
            prop_assert!(matches!(wcs.header().projection.as_str(), "SIN" | "TAN"));
            return Ok(());
        };
        // Where the way back is steep (borders, poles, far out in TAN), compare on the sky.
        let Some((l, b)) = wcs.pix_to_world(u, v) else { return Ok(()) };
        let distance = SkyPosition::icrs(lon, lat).separation_deg(SkyPosition::icrs(l, b));
        let near = (u - x).abs() < 1e-6 && (v - y).abs() < 1e-6;
        prop_assert!(near || distance < 1e-7, "{x} {y} -> {lon} {lat} -> {u} {v}: {distance} deg");
    }

    #[test]
    fn odd_cutouts_are_centred_on_the_nearest_pixel(
        nx in 1usize..40, ny in 1usize..40, fx in 0.0..1.0f64, fy in 0.0..1.0f64, size in 0usize..4,
    ) {
        let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), nx, ny, (0.1, 0.2), "TAN", Vec::new()).unwrap();
        let (x, y) = (fx * nx as f64 - 0.499, fy * ny as f64 - 0.499);
        prop_assume!(x < nx as f64 - 0.5 && y < ny as f64 - 0.5);
        prop_assume!((x - x.round()).abs() < 0.499 && (y - y.round()).abs() < 0.499);
        let side = 2 * size + 1;
        let width = (0.1 * (side as f64 - 0.5), 0.2 * (side as f64 - 0.5));
        let (cutout, origin) = geom.cutout(geom.pix_to_sky(x, y).unwrap(), width, true).unwrap();
        let (column, row) = (x.round() as usize, y.round() as usize);
        prop_assert_eq!(origin.x0, column.saturating_sub(size));
        prop_assert_eq!(origin.y0, row.saturating_sub(size));
        prop_assert_eq!(cutout.nx(), (column + size + 1).min(nx) - origin.x0);
        prop_assert_eq!(cutout.ny(), (row + size + 1).min(ny) - origin.y0);
    }

    #[test]
    fn solid_angles_add_up(factor in 1usize..4, projection in prop::sample::select(vec!["CAR", "TAN", "AIT", "SFL", "ZEA"])) {
        let geom = WcsGeom::create(SkyPosition::galactic(30.0, 10.0), 12, 8, (0.5, 0.4), projection, Vec::new()).unwrap();
        let (coarse, fine) = (geom.solid_angle_sr().sum(), geom.upsample(factor).solid_angle_sr().sum());
        prop_assert!((coarse / fine - 1.0).abs() < 1e-4, "{coarse} {fine}");
    }

    #[test]
    fn frames_turn_back(lon in 0.0..360.0f64, lat in -90.0..90.0f64) {
        let p = SkyPosition::icrs(lon, lat);
        let back = p.to_frame(Frame::Galactic).to_frame(Frame::Icrs);
        prop_assert!(p.separation_deg(back) < 1e-12);
    }
}

#[test]
fn all_sky_maps_cover_the_sphere() {
    for projection in ["CAR", "CEA", "MOL", "SFL", "AIT"] {
        let geom =
            WcsGeom::create_with_width(SkyPosition::galactic(0.0, 0.0), (360.0, 180.0), (1.0, 1.0), projection, vec![])
                .unwrap();
        assert!(geom.is_all_sky());
        let area: f64 = geom.solid_angle_sr().iter().filter(|v| v.is_finite()).sum();
        let whole = 4.0 * std::f64::consts::PI;
        // Pixels across the border have no solid angle.
        let lost = if projection == "CAR" { 1e-4 } else { 0.03 };
        assert!((area / whole - 1.0).abs() < lost, "{projection} {area}");
    }
}

#[test]
fn outline_and_footprint_enclose_the_map() {
    let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 5, 3, (0.1, 0.2), "TAN", Vec::new()).unwrap();
    let outline = geom.outline();
    assert_eq!(outline.len(), 16);
    for (i, (x, y)) in [(0, (-0.5, -0.5)), (5, (4.5, -0.5)), (8, (4.5, 2.5)), (13, (-0.5, 2.5))] {
        assert_eq!(outline[i], geom.pix_to_sky(x, y), "{i}");
    }
    assert_eq!(geom.footprint()[2], geom.pix_to_sky(4.0, 2.0));
    let (lon, lat) = geom.sky_grid();
    assert_eq!((lon[[2, 4]], lat[[2, 4]]), geom.pix_to_sky(4.0, 2.0).map(|p| (p.lon_deg, p.lat_deg)).unwrap());
    let separation = geom.separation_deg(SkyPosition::icrs(83.63, 22.01));
    assert!(separation[[1, 2]] < 1e-12 && (separation[[2, 2]] - 0.2).abs() < 1e-5);
}
