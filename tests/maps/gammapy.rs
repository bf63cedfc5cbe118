//! Interpolation and resampling of a small map against numbers that Gammapy 2.1 gave for it:
//!
//! ```python
//! e = MapAxis.from_edges([1, 3, 10, 30.], name="energy", unit="TeV", interp="log")
//! r = MapAxis.from_edges([0, .1, .4], name="rad", unit="deg")
//! g = WcsGeom.create(skydir=(83.63, 22.01), frame="icrs", npix=(6, 4), binsz=(0.5, 1.), proj="TAN", axes=[r, e])
//! m = Map.from_geom(g, data=(np.arange(144) * 7919 % 101).astype(float).reshape(g.data_shape))
//! m.data[1, 0, 2, 3] = np.nan
//! w = Map.from_geom(g, data=((np.arange(144) * 31 % 7) > 2).reshape(g.data_shape))
//! ```

use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};
use pevatron::maps::{AxisInterp, Geom, Map, MapAxis, MapData, Mask, SkyPosition, UpsampleOrder, WcsGeom, Weights};
use pevatron::units::Unit;

const NAN_AT: usize = 63;

fn geom() -> WcsGeom {
    let energy =
        MapAxis::from_edges("energy", "TeV".parse().unwrap(), vec![1.0, 3.0, 10.0, 30.0], AxisInterp::Log).unwrap();
    let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), vec![0.0, 0.1, 0.4], AxisInterp::Lin).unwrap();
    WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 6, 4, (0.5, 1.0), "TAN", vec![rad, energy]).unwrap()
}

fn map() -> Map {
    let mut values: Vec<f64> = (0..144).map(|i| f64::from(i * 7919 % 101)).collect();
    values[NAN_AT] = f64::NAN;
    let geom = Arc::new(Geom::Wcs(geom()));
    let data = ArrayD::from_shape_vec(IxDyn(&geom.data_shape()), values).unwrap();
    Map::new(geom, Unit::default(), MapData::F64(data)).unwrap()
}

fn mask() -> Mask {
    let geom = Arc::new(Geom::Wcs(geom()));
    let values = (0..144).map(|i| i * 31 % 7 > 2).collect();
    let data = ArrayD::from_shape_vec(IxDyn(&geom.data_shape()), values).unwrap();
    Mask::new(geom, data).unwrap()
}

/// Values of one plane (energy, rad), rows and columns of a range.
fn part(map: &Map, energy: usize, rad: usize, y: std::ops::Range<usize>, x: std::ops::Range<usize>) -> Vec<f64> {
    let image = map.plane_f64(energy * map.geom().axes()[0].nbin() + rad);
    y.flat_map(|y| x.clone().map(move |x| (y, x))).map(|at| image[at]).collect()
}

#[track_caller]
fn same(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{found:?} {expected:?}");
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= 1e-9 * (1.0 + e.abs()), "{found:?}\n{expected:?}");
    }
}

/// Where, `interp_by_coord` at four (rad, energy), on all planes, and there with `method="nearest"`.
#[rustfmt::skip]
#[expect(clippy::type_complexity, reason = "a table of numbers, named in its comment")]
const INTERPOLATED: &[(f64, f64, [f64; 4], [f64; 6], [f64; 6])] = &[
    (2.3, 1.6, [43.42774253792797, 65.26051265919018, 59.79128869214258, 55.58567585476693],
     [45.51999999999989, 65.97999999999993, 29.539999999999647, 68.5199999999999, 42.51999999999989, 62.97999999999994],
     [69.0, 43.0, 17.0, 92.0, 66.0, 40.0]),
    (-0.9, 3.4, [-31.932153751351866, -64.50078818344332, -6.656080431110894, -321.08305574855666],
     [-65.06000000000274, -91.06000000000276, 187.96000000000294, 34.69999999999982, -68.06000000000274, -57.70000000000121],
     [31.0, 5.0, 80.0, 54.0, 28.0, 2.0]),
    (7.2, -1.5, [-449.15296396604646, 949.5320482087151, 3929.0348810797927, -2535.556052282088],
     [-528.2999999999911, 586.9999999999916, 76.19999999999891, -505.2999999999911, -531.2999999999911, 583.9999999999916],
     [3.0, 78.0, 52.0, 26.0, 0.0, 75.0]),
];

#[test]
fn interpolated_values() {
    let map = map();
    for (x, y, at, planes, nearest) in INTERPOLATED {
        let position = map.wcs_geom().unwrap().pix_to_sky(*x, *y).unwrap();
        let coords = [(0.05, 2.0), (0.3, 20.0), (0.5, 50.0), (-0.01, 0.7)];
        let found = coords.map(|(rad, energy)| map.interp_at(position, &[rad, energy]).unwrap());
        same(&found, at);
        same(&map.interp_planes_at(position).unwrap(), planes);
        same(&map.nearest_planes_at(position).unwrap(), nearest);
    }
    let position = SkyPosition::icrs(83.63, 22.01);
    assert!(map.interp_at(position, &[0.05]).is_err());
    assert!(map.interp_planes_at(SkyPosition::icrs(263.63, -22.01)).is_err());

    // t = WcsGeom.create(skydir=(83.9, 22.3), frame="icrs", npix=(3, 2), binsz=.7, axes=[r, e]); m.interp_to_geom(t)
    let target = WcsGeom::create(SkyPosition::icrs(83.9, 22.3), 3, 2, (0.7, 0.7), "CAR", Vec::new()).unwrap();
    let found = map.interp_planes_to(&target);
    let expected = [
        58.60459383250032,
        48.91040261012999,
        34.38097138623487,
        58.28723313971315,
        23.133953888684086,
        36.6680969858712,
    ];
    same(&found.index_axis(ndarray::Axis(0), 2).iter().copied().collect::<Vec<_>>(), &expected);
}

#[test]
fn downsampled() {
    let (map, mask) = (map(), mask());
    let weights = Weights::Mask(&mask);
    let all = |m: Map| part(&m, 1, 0, 0..2, 0..3);
    same(&all(map.downsample(2, true, Weights::One).unwrap()), &[265.0, 189.0, 214.0, 213.0, 79.0, 263.0]);
    same(&all(map.downsample(2, true, weights).unwrap()), &[82.0, 115.0, 107.0, 56.0, 18.0, 221.0]);
    let mean = [41.0, 38.333333333333336, 53.5, 28.0, 9.0, 73.66666666666667];
    same(&all(map.downsample(2, false, weights).unwrap()), &mean);
    same(&all(map.downsample(2, false, Weights::Map(&mask.to_map())).unwrap()), &mean);
    same(&all(map.downsample(2, false, Weights::One).unwrap()), &[66.25, 47.25, 53.5, 53.25, 19.75, 65.75]);
    assert!(map.downsample(3, true, Weights::One).is_err());
    assert!(map.downsample(2, true, Weights::Mask(&mask.crop(1, 1).unwrap())).is_err());
    assert_eq!(mask.downsample(2).unwrap().count(), 36);
    let few = mask.and(&mask.not()).unwrap();
    assert_eq!(few.downsample(2).unwrap().count(), 0);
    assert!(all(map.downsample(2, false, Weights::Mask(&few)).unwrap()).iter().all(|v| *v == 0.0));
}

#[test]
#[rustfmt::skip]
fn upsampled() {
    let map = map();
    same(&part(&map.upsample(2, UpsampleOrder::Linear, false).unwrap(), 0, 1, 0..3, 0..12), &[
        75.0, 60.0, 30.0, 25.25, 45.75, 66.25, 86.75, 82.0, 52.0, 47.25, 67.75, 78.0, 60.75, 52.0625, 34.6875, 36.25,
        56.75, 70.9375, 78.8125, 74.0625, 56.6875, 51.9375, 59.8125, 63.75, 32.25, 36.1875, 44.0625, 58.25, 78.75,
        80.3125, 62.9375, 58.1875, 66.0625, 61.3125, 43.9375, 35.25]);
    same(&part(&map.upsample(2, UpsampleOrder::Linear, true).unwrap(), 0, 1, 0..3, 0..4), &[
        18.741383367426128, 14.996953782932122, 7.499118728956392, 6.310242154279674, 15.189886256945888,
        13.019910946367679, 8.673273496718794, 9.061704014735206, 8.064912902928166, 9.049417991908669,
        11.01633988537693, 14.56263138930648]);
    same(&part(&map.upsample(3, UpsampleOrder::Linear, true).unwrap(), 2, 1, 3..5, 0..7), &[
        3.7789517619328614, 3.7797185680881866, 4.050632877619854, 4.321533718729932, 4.592400471506722,
        6.111108079405276, 7.629930292074395, 1.666449351049896, 1.6667875597089534, 3.1850352404008473,
        4.703702886540306, 6.222675038340471, 7.7412701458507716, 9.259938500607237]);
    same(&part(&map.upsample(2, UpsampleOrder::Nearest, true).unwrap(), 0, 1, 0..2, 0..4), &[
        18.741383367426128, 18.746726308208544, 3.7484909617674593, 3.7491321264906565, 18.754212557100455,
        18.759562121627262, 3.751058035245703, 3.7517000373469]);
}

#[test]
fn nan_spreads_by_one_pixel_and_to_no_other_plane() {
    let map = map();
    let nan = |m: &Map, plane: usize| m.plane_f64(plane).iter().filter(|v| v.is_nan()).count();
    let linear = map.upsample(2, UpsampleOrder::Linear, false).unwrap();
    assert_eq!((0..6).map(|p| nan(&linear, p)).collect::<Vec<_>>(), [0, 0, 16, 0, 0, 0]);
    let nearest = map.upsample(2, UpsampleOrder::Nearest, false).unwrap();
    assert_eq!((0..6).map(|p| nan(&nearest, p)).collect::<Vec<_>>(), [0, 0, 4, 0, 0, 0]);
}

#[test]
fn sums_over_axes() {
    let (map, mask) = (map(), mask());
    let weights = Weights::Mask(&mask);
    let energy = |weights| part(&map.sum_over_axis("energy", true, weights).unwrap(), 0, 0, 2..3, 0..6);
    same(&energy(Weights::One), &[209.0, 130.0, 152.0, 15.0, 196.0, 218.0]);
    same(&energy(weights), &[36.0, 53.0, 17.0, 15.0, 149.0, 127.0]);
    let all = map.sum_over_axes(false, Weights::One).unwrap();
    assert!(all.geom().axes().is_empty());
    same(&all.plane_f64(0).row(1).to_vec(), &[278.0, 322.0, 366.0, 309.0, 252.0, 296.0]);

    // e2 = MapAxis.from_edges([1, 10, 30.], name="energy", unit="TeV", interp="log"); m.resample_axis(e2, weights=w)
    let groups = map.group_axis("energy", &[0..2, 2..3], weights).unwrap();
    assert_eq!(groups.geom().axes()[1].edges(), [1.0, 10.0, 30.0]);
    same(&part(&groups, 0, 1, 2..3, 0..6), &[62.0, 53.0, 92.0, 84.0, 73.0, 65.0]);
    same(&part(&groups, 1, 0, 3..4, 0..6), &[28.0, 0.0, 9.0, 0.0, 91.0, 0.0]);
    assert!(map.group_axis("energy", &[0..1, 2..3], weights).is_err());
    assert!(map.group_axis("energy", &[], weights).is_err());
    assert!(map.group_axis("energy", std::slice::from_ref(&(1..4)), weights).is_err());
    assert!(map.sum_over_axis("migra", true, weights).is_err());
}

#[test]
fn parts_keep_values_and_precision() {
    let map = map();
    let single = match map.data() {
        MapData::F64(a) => MapData::F32(a.mapv(|v| v as f32)),
        MapData::F32(_) => unreachable!(),
    };
    let single = Map::new(map.geom().clone(), Unit::default(), single).unwrap();
    let bin = single.slice_axis("energy", 1..3).unwrap().select_bin("rad", 1).unwrap();
    assert_eq!(bin.geom().data_shape(), [2, 4, 6]);
    assert!(matches!(bin.data(), MapData::F32(_)));
    assert_eq!(bin.plane_f64(1), map.plane_f64(5));
    let back = bin.pad(2, 1, 7.0).unwrap().crop(2, 1).unwrap();
    assert_eq!(back.data(), bin.data());
    assert!(back.wcs_geom().unwrap().same_image(bin.wcs_geom().unwrap()));
    assert_eq!(bin.pad(2, 1, 7.0).unwrap().plane_f64(0)[[1, 3]], 7.0);
    let center = bin.wcs_geom().unwrap().pix_to_sky(4.1, 1.2).unwrap();
    let (cutout, origin) = bin.cutout(center, (1.5, 1.0), true).unwrap();
    assert_eq!((origin.y0, origin.x0, cutout.geom().data_shape()), (1, 3, vec![2, 1, 3]));
    assert_eq!(cutout.plane_f64(1)[[0, 1]], bin.plane_f64(1)[[1, 4]]);
    assert!(matches!(cutout.data(), MapData::F32(_)));

    let mask = mask();
    let (part, origin) = mask.cutout(center, (1.5, 1.0), true).unwrap();
    assert_eq!((origin.y0, origin.x0, part.geom().data_shape()), (1, 3, vec![3, 2, 1, 3]));
    assert_eq!(part.cube()[[4, 0, 2]], mask.cube()[[4, 1, 5]]);
    assert_eq!(mask.pad(1, 2, true).unwrap().count(), mask.count() + 6 * (10 * 6 - 24));
    assert_eq!(mask.upsample(3).unwrap().count(), 9 * mask.count());
    assert_eq!(mask.or(&mask.not()).unwrap().count(), 144);
    assert_eq!(Mask::from_map(&mask.to_map()), mask);
    let count = ndarray::Array2::from_shape_fn((4, 6), |(y, x)| (0..6).filter(|p| mask.cube()[[*p, y, x]]).count());
    assert_eq!(mask.any_plane(), count.mapv(|n| n > 0));
    assert_eq!(mask.all_planes(), count.mapv(|n| n == 6));
    assert_eq!(mask.slice_axis("energy", 2..3).unwrap().cube()[[0, 0, 0]], mask.cube()[[4, 0, 0]]);
}
