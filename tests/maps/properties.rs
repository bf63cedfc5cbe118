//! Identities of interpolation and resampling, over random sizes.

use std::sync::Arc;

use ndarray::Array3;
use pevatron::maps::{
    AxisInterp, Frame, Geom, Map, MapAxis, Mask, RegionGeom, SkyPosition, UpsampleOrder, WcsGeom, Weights,
};
use pevatron::units::Unit;
use proptest::prelude::*;

fn map(nx: usize, ny: usize, nbin: usize, value: impl Fn(f64, f64, f64) -> f64) -> Map {
    let edges = (0..=nbin).map(|i| 10f64.powi(i as i32)).collect();
    let axis = MapAxis::from_edges("energy", "TeV".parse().unwrap(), edges, AxisInterp::Log).unwrap();
    let geom = WcsGeom::create(SkyPosition::galactic(5.0, 40.0), nx, ny, (0.3, 0.2), "TAN", vec![axis]).unwrap();
    let cube = Array3::from_shape_fn((nbin, ny, nx), |(e, y, x)| value(x as f64, y as f64, e as f64));
    Map::from_cube(Arc::new(Geom::Wcs(geom)), Unit::default(), cube).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planes_in_pixels_are_met_everywhere(
        nx in 2usize..9, ny in 2usize..9, nbin in 2usize..4, x in -3.0..12.0f64, y in -3.0..12.0f64, e in -1.0..5.0f64,
    ) {
        let linear = |x: f64, y: f64, e: f64| 1.0 + 2.0 * x - 3.0 * y + 0.5 * e;
        let map = map(nx, ny, nbin, linear);
        let position = map.wcs_geom().unwrap().pix_to_sky(x, y).unwrap();
        for (plane, found) in map.interp_planes_at(position).unwrap().into_iter().enumerate() {
            prop_assert!((found - linear(x, y, plane as f64)).abs() < 1e-9);
        }
        let energy = 10f64.powf(e + 0.5);
        prop_assert!((map.interp_at(position, &[energy]).unwrap() - linear(x, y, e)).abs() < 1e-9);
    }

    #[test]
    fn sums_survive_resampling(nx in 1usize..7, ny in 1usize..7, nbin in 1usize..4, factor in 1usize..4) {
        let map = map(nx, ny, nbin, |x, y, e| x + 10.0 * y + 100.0 * e);
        let fine = map.upsample(factor, UpsampleOrder::Nearest, false).unwrap();
        let back = fine.downsample(factor, false, Weights::One).unwrap();
        prop_assert!(back.data().iter().zip(map.data().iter()).all(|(a, b)| (a - b).abs() <= 1e-14 * b));
        let summed = fine.downsample(factor, true, Weights::One).unwrap();
        prop_assert!((summed.sum() - fine.sum()).abs() < 1e-9 * (1.0 + fine.sum()));
        let spread = map.upsample(factor, UpsampleOrder::Nearest, true).unwrap();
        prop_assert!((spread.sum() - map.sum()).abs() < 1e-3 * (1.0 + map.sum()));
        prop_assert_eq!(map.sum_over_axes(false, Weights::One).unwrap().sum(), map.sum());
        let mask = Mask::from_map(&map);
        let mask_back = mask.upsample(factor).unwrap().downsample(factor).unwrap();
        prop_assert_eq!(mask_back.data(), mask.data());
    }
}

#[test]
fn one_pixel_and_region_maps_are_the_same_everywhere() {
    let single = map(1, 1, 3, |_, _, e| e);
    assert_eq!(single.interp_planes_at(SkyPosition::galactic(7.0, 41.0)).unwrap(), [0.0, 1.0, 2.0]);
    let geom = Arc::new(Geom::Region(RegionGeom::new(None, None, single.geom().axes().to_vec())));
    let region = Map::from_cube(geom, Unit::default(), single.to_cube_f64()).unwrap();
    let anywhere = SkyPosition { lon_deg: 200.0, lat_deg: -80.0, frame: Frame::Icrs };
    assert_eq!(region.interp_planes_at(anywhere).unwrap(), [0.0, 1.0, 2.0]);
    assert_eq!(region.nearest_planes_at(anywhere).unwrap(), [0.0, 1.0, 2.0]);
    assert!((region.interp_at(anywhere, &[10.0]).unwrap() - 0.5).abs() < 1e-12);
    assert_eq!(region.slice_axis("energy", 1..3).unwrap().interp_planes_at(anywhere).unwrap(), [1.0, 2.0]);
    assert!(region.crop(0, 0).is_err() && region.pad(1, 1, 0.0).is_err());
}

#[test]
fn values_that_are_not_finite_count_as_zero_unless_all_are() {
    let at = SkyPosition::galactic(5.0, 40.0);
    let some = map(2, 2, 1, |x, _, _| if x == 0.0 { f64::INFINITY } else { 4.0 });
    assert!((some.interp_planes_at(at).unwrap()[0] - 2.0).abs() < 1e-9);
    let none = map(2, 2, 1, |_, _, _| f64::NAN);
    assert!(none.interp_planes_at(at).unwrap()[0].is_nan());
    let same = map(2, 2, 1, |_, _, _| 3.0);
    assert_eq!(same.interp_planes_to(same.wcs_geom().unwrap()).shape(), [1, 2, 2]);
}
