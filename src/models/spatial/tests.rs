//! Against Gammapy 2.1.

use std::f64::consts::TAU;

use ndarray::Array3;
use proptest::prelude::*;

use super::*;
use crate::maps::{AxisInterp, Geom, Map, MapAxis, MapData, WcsGeom};

const POSITIONS: [(f64, f64); 5] = [(83.6, 22.0), (83.9, 22.1), (83.3, 21.6), (84.6, 22.5), (83.63, 22.015)];

type Case = (Box<dyn SpatialModel>, [f64; 5], Option<f64>, Option<f64>);

/// `m(lon, lat).to("sr-1")` at POSITIONS, `m.evaluation_radius`, `m.evaluation_bin_size_min` with the same model `m`
/// in Gammapy.
#[rustfmt::skip]
fn gammapy() -> Vec<Case> {
    vec![
        (Box::new(GaussianSpatialModel::new(83.63, 22.01, 0.3, 0.0, 0.0, Frame::Icrs)), [5777.181101923411, 3919.144952830436, 1354.408544113783, 17.381085654118365, 5804.483224841427], Some(1.5), Some(0.09999999999999999)),
        (Box::new(GaussianSpatialModel::new(83.63, 22.01, 0.4, 0.8, 35.0, Frame::Icrs)), [5418.848389965047, 3830.062194049993, 2396.657037183363, 66.76734307296864, 5441.772602520792], Some(2.0), Some(0.13333333333333333)),
        (Box::new(GaussianSpatialModel::new(83.63, 22.01, 5.0, 0.0, 0.0, Frame::Icrs)), [20.91189664826823, 20.882685663564864, 20.80291097701646, 20.479048790950824, 20.912251813540163], Some(25.0), Some(1.6666666666666667)),
        (Box::new(DiskSpatialModel::new(83.63, 22.01, 0.3, 0.0, 0.0, 0.01, Frame::Icrs)), [11610.578921771288, 11610.578921771288, 0.0, 0.0, 11610.578921771288], Some(0.33330000000000004), Some(0.029699999999999997)),
        (Box::new(DiskSpatialModel::new(83.63, 22.01, 0.3, 0.7, 120.0, 0.5, Frame::Icrs)), [16258.05326354431, 3895.6045155384763, 0.0, 0.0, 16258.053327073645], Some(0.495), Some(0.015)),
        (Box::new(DiskSpatialModel::new(83.63, 22.01, 1.0, 0.95, -70.0, 0.5, Frame::Icrs)), [3346.5639934654455, 3336.497611369253, 0.2527369649899368, 0.0, 3346.5639945768257], Some(1.6500000000000001), Some(0.05)),
        (Box::new(DiskSpatialModel::new(83.63, 22.01, 20.0, 0.995, -70.0, 0.5, Frame::Icrs)), [26.29412682898369, 26.294126806181307, 26.2941177983026, 26.293407942875255, 26.294126829239634], Some(33.0), Some(1.0)),
        (Box::new(ShellSpatialModel::new(83.63, 22.01, 0.3, 0.2, Frame::Icrs)), [3208.185719928517, 4551.373159806443, 0.0, 0.0, 3199.092265203089], Some(0.5), Some(0.2)),
        (Box::new(Shell2SpatialModel::new(83.63, 22.01, 0.5, 0.3, Frame::Icrs)), [2870.0500969269456, 3738.2242847725347, 0.0, 0.0, 2863.0804472381906], Some(0.5), Some(0.15)),
        (Box::new(GeneralizedGaussianSpatialModel::new(83.63, 22.01, 0.3, 0.4, 0.5, 30.0, Frame::Icrs)), [14342.882358477566, 6029.088947527662, 314.22172646192877, 6.100467844322862e-07, 14393.830084930018], Some(1.26), Some(0.03225806451612903)),
        (Box::new(ConstantSpatialModel::new(1.0)), [1.0, 1.0, 1.0, 1.0, 1.0], None, None),
    ]
}

fn close(a: f64, b: f64, rel: f64) -> bool {
    (a - b).abs() <= rel * b.abs()
}

#[test]
fn values_and_sizes_are_gammapys() {
    for (model, values, radius, bin) in gammapy() {
        for ((lon, lat), expected) in POSITIONS.into_iter().zip(values) {
            let found = model.evaluate(lon, lat, 1.0);
            // Gammapy's 1 - erf has no digits in the tail of an edge.
            let tail = 1e-14 * values[0];
            assert!(
                close(found, expected, 1e-9) || (found - expected).abs() < tail,
                "{model:?} at {lon}, {lat}: {found} {expected}"
            );
        }
        for (found, expected) in [(model.evaluation_radius_deg(), radius), (model.evaluation_bin_size_min_deg(), bin)] {
            assert_eq!(found.is_some(), expected.is_some());
            assert!(close(found.unwrap_or(0.0), expected.unwrap_or(0.0), 1e-14), "{model:?} {found:?} {expected:?}");
        }
    }
    let point = PointSpatialModel::new(1.0, 2.0, Frame::Galactic);
    assert!(point.is_point());
    assert_eq!((point.evaluation_radius_deg(), point.evaluation_bin_size_min_deg()), (Some(0.0), Some(0.0)));
}

#[test]
fn shapes_move() {
    for tag in SPATIAL_TAGS {
        let model = from_parameters(tag.1, &[], Frame::Galactic).unwrap();
        assert_eq!(model.tag(), tag.0);
        let at = SkyPosition { lon_deg: 30.0, lat_deg: -2.0, frame: Frame::Galactic };
        let moved = model.at_position(at);
        if let Some(p) = moved.position() {
            assert_eq!((p, moved.parameters()[0].value), (at, 30.0));
            assert!(close(moved.evaluate(30.3, -2.0, 1.0), moved.evaluate(29.7, -2.0, 1.0), 1e-9));
        }
    }
    let icrs = PointSpatialModel::new(0.0, 0.0, Frame::Icrs);
    let p = icrs.at_position(SkyPosition { lon_deg: 0.0, lat_deg: 0.0, frame: Frame::Galactic }).position().unwrap();
    // >>> SkyCoord(0, 0, unit="deg", frame="galactic").icrs
    assert!((p.lon_deg - 266.4049882865447).abs() < 1e-9 && (p.lat_deg + 28.936177761791473).abs() < 1e-9);
}

#[test]
fn parameters_keep_their_units() {
    let lon = Parameter::new("lon_0", 1.0, "rad".parse().unwrap());
    let model = PointSpatialModel::from_parameters(&[lon], Frame::Icrs).unwrap();
    assert!(close(model.position().unwrap().lon_deg, 1f64.to_degrees(), 1e-15));
    let moved = model.at_position(SkyPosition { lon_deg: 90.0, lat_deg: 0.0, frame: Frame::Icrs });
    assert!(close(moved.parameters()[0].value, TAU / 4.0, 1e-15));
}

#[test]
fn edges_of_the_parameter_range_are_finite() {
    for model in [
        Box::new(DiskSpatialModel::new(0.0, 0.0, 1.0, 0.0, 0.0, 0.0, Frame::Icrs)) as Box<dyn SpatialModel>,
        Box::new(ShellSpatialModel::new(0.0, 0.0, 1.0, 0.0, Frame::Icrs)),
        Box::new(GaussianSpatialModel::new(0.0, 0.0, 1e-9, 0.0, 0.0, Frame::Icrs)),
        Box::new(GaussianSpatialModel::new(0.0, 0.0, 1.0, 0.999, 0.0, Frame::Icrs)),
    ] {
        for lat in [0.0, 0.5, 1.0, 2.0, 90.0, -90.0] {
            let value = model.evaluate(180.0 * lat, lat, 1.0);
            assert!(value.is_finite() && value >= 0.0, "{model:?} {lat} {value}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Sum over a fine polar grid around the centre: every shape integrates to 1.
    #[test]
    fn shapes_integrate_to_one(
        size in 0.05..0.5f64, e in 0.0..0.9f64, phi in -180.0..180.0f64, lat in -60.0..60.0f64,
    ) {
        let f = Frame::Icrs;
        let models: [(Box<dyn SpatialModel>, f64); 5] = [
            (Box::new(GaussianSpatialModel::new(40.0, lat, size, 0.0, 0.0, f)), 1e-4),
            (Box::new(GaussianSpatialModel::new(40.0, lat, size, e, phi, f)), 1e-3),
            (Box::new(DiskSpatialModel::new(40.0, lat, size, e, phi, 0.02, f)), 1e-3),
            (Box::new(ShellSpatialModel::new(40.0, lat, size, size / 2.0, f)), 2e-3),
            (Box::new(GeneralizedGaussianSpatialModel::new(40.0, lat, size, 0.5, e, phi, f)), 1e-3),
        ];
        let (n_r, n_phi) = (2000, 90);
        for (model, tolerance) in models {
            let radius = 1.4 * model.evaluation_radius_deg().unwrap();
            let center = model.position().unwrap();
            let (sin0, cos0) = center.lat_deg.to_radians().sin_cos();
            let mut sum = 0.0;
            for i in 0..n_r {
                let theta = (radius * (i as f64 + 0.5) / n_r as f64).to_radians();
                for j in 0..n_phi {
                    let angle = TAU * j as f64 / n_phi as f64;
                    let sin_lat = sin0 * theta.cos() + cos0 * theta.sin() * angle.cos();
                    let dlon = (angle.sin() * theta.sin() * cos0).atan2(theta.cos() - sin0 * sin_lat);
                    let value = model.evaluate(center.lon_deg + dlon.to_degrees(), sin_lat.asin().to_degrees(), 1.0);
                    sum += value * theta.sin();
                }
            }
            sum *= TAU / n_phi as f64 * (radius / n_r as f64).to_radians();
            prop_assert!((sum - 1.0).abs() < tolerance, "{model:?}: {sum}");
        }
    }
}

fn template_geom(axes: Vec<MapAxis>) -> WcsGeom {
    let center = SkyPosition { lon_deg: 0.3, lat_deg: -0.1, frame: Frame::Galactic };
    WcsGeom::create(center, 6, 5, (0.1, 0.1), "CAR", axes).unwrap()
}

fn template_cube() -> Array3<f64> {
    Array3::from_shape_fn((2, 5, 6), |(p, y, x)| {
        let (p, y, x) = (p as f64, y as f64, x as f64);
        if (x, y) == (3.0, 2.0) { 0.0 } else { (1.0 + x + 2.0 * y) * 10f64.powf(-p) * 1e-3 }
    })
}

const TEMPLATE_POSITIONS: [(f64, f64, f64); 7] = [
    (0.33, -0.14, 3.2),
    (0.02, 0.13, 1.5),
    (0.3, -0.1, 20.0),
    (0.579, -0.33, 99.0),
    (0.61, -0.1, 5.0),
    (0.3, -0.1, 120.0),
    (0.3, -0.1, 31.0),
];

/// The same map in Gammapy: `WcsGeom.create(skydir=(0.3, -0.1), binsz=0.1, npix=(6, 5), frame="galactic", axes=[ax])`
/// with `ax = MapAxis.from_energy_bounds("1 TeV", "100 TeV", nbin=2, name="energy_true")`, unit cm-2 s-1 MeV-1 sr-1.
#[test]
fn templates_are_gammapys() {
    let axis = MapAxis::energy_bounds(1.0, 100.0, 2, "energy_true").unwrap();
    let geom = Arc::new(Geom::Wcs(template_geom(vec![axis])));
    let map = Arc::new(Map::from_cube(geom, "cm-2 s-1 MeV-1 sr-1".parse().unwrap(), template_cube()).unwrap());
    // A logarithm of zero stands at 1e-308, so pixels beside a zero are tiny, as in Gammapy.
    let flux = [
        1.344548710280251e-33,
        31569.78022391939,
        4.962565338957044e-150,
        18.138941884441152,
        0.0,
        0.0,
        3.9860284011918293e-150,
    ];
    let shape = [
        3.7266389273696127e-34,
        22654.357782940446,
        1.5350201610131936e-152,
        859.084891996178,
        0.0,
        0.0,
        1.5350201610131936e-152,
    ];
    for (normalize, expected) in [(false, flux), (true, shape)] {
        let model = TemplateSpatialModel::new(map.clone(), normalize).unwrap();
        for ((lon, lat, e), value) in TEMPLATE_POSITIONS.into_iter().zip(expected) {
            let found = model.evaluate(lon, lat, e);
            // The smallest values hang on the rounding of the position in pixels, times 700.
            let rel = if value < 1e-20 { 1e-6 } else { 1e-9 };
            assert!(close(found, value, rel), "{normalize} {lon} {lat} {e}: {found:e} {value:e}");
        }
        assert!(close(model.evaluation_radius_deg().unwrap(), 0.3, 1e-12));
        assert!(model.is_energy_dependent() && model.evaluation_bin_size_min_deg().is_none());
    }
}

#[test]
fn template_images_and_wrong_maps() {
    let geom = Arc::new(Geom::Wcs(template_geom(vec![])));
    let image = template_cube().index_axis(ndarray::Axis(0), 0).mapv(|v| v as f32).into_dyn();
    let map = Arc::new(Map::new(geom, "".parse().unwrap(), MapData::F32(image)).unwrap());
    let model = TemplateSpatialModel::new(map, false).unwrap().with_filename("a.fits");
    assert!(close(model.evaluate(0.02, 0.13, 1.0), 0.014974866976678243, 1e-5));
    assert_eq!((model.filename(), model.is_energy_dependent()), (Some("a.fits"), false));
    // Shifted by a tenth of a degree, which is a pixel.
    let moved = model.at_position(SkyPosition { lon_deg: 0.4, lat_deg: -0.1, frame: Frame::Galactic });
    assert!(close(moved.evaluate(0.12, 0.13, 1.0), model.evaluate(0.02, 0.13, 1.0), 1e-6));
    assert!((moved.position().unwrap().lon_deg - 0.4).abs() < 1e-9);
    assert_eq!(moved.parameters()[0].value, 0.4);

    let axis = MapAxis::from_edges("rad", "deg".parse().unwrap(), vec![0.0, 1.0], AxisInterp::Lin).unwrap();
    let map = Map::zeros(Arc::new(Geom::Wcs(template_geom(vec![axis]))), "sr-1".parse().unwrap());
    assert!(TemplateSpatialModel::new(Arc::new(map), true).unwrap_err().to_string().contains("rad"));
    let map = Map::zeros(Arc::new(Geom::Wcs(template_geom(vec![]))), "cm2 s".parse().unwrap());
    assert!(TemplateSpatialModel::new(Arc::new(map.clone()), false).unwrap_err().to_string().contains("cm2 s"));
    let empty = TemplateSpatialModel::new(Arc::new(map), true).unwrap();
    assert_eq!(empty.evaluate(0.3, -0.1, 1.0), 0.0);
}

#[test]
fn maps_of_parameters_are_interpolated() {
    let energy = MapAxis::energy_bounds(1.0, 100.0, 2, "energy_true").unwrap();
    let height = MapAxis::from_nodes("height", "kpc".parse().unwrap(), vec![1.0, 10.0], AxisInterp::Log).unwrap();
    let at = |axes: Vec<MapAxis>, unit: &str| {
        let center = SkyPosition { lon_deg: 83.6, lat_deg: 22.0, frame: Frame::Galactic };
        let geom = Geom::Wcs(WcsGeom::create(center, 5, 5, (0.5, 0.5), "CAR", axes).unwrap());
        let shape = geom.data_shape();
        let planes = shape[..shape.len() - 2].iter().product();
        let cube = Array3::from_shape_fn((planes, 5, 5), |(p, y, _)| (0.1 * y as f64 + p as f64).exp());
        TemplateNDSpatialModel::new(Arc::new(Map::from_cube(Arc::new(geom), unit.parse().unwrap(), cube).unwrap()))
    };
    let model = at(vec![energy.clone(), height.clone()], "sr-1").unwrap();
    assert!(model.is_energy_dependent() && model.frame() == Frame::Galactic && model.position().is_none());
    let centers = energy.center_tev().unwrap();
    let moved = model.with_parameters(&[Parameter::new("height", 10f64.sqrt(), "kpc".parse().unwrap())]).unwrap();
    // The middle row, the first energy, halfway between the heights: 0.2 + (0 + 2) / 2.
    let found = moved.evaluate(83.6, 22.0, centers[0]);
    assert!((found / 1.2f64.exp() - 1.0).abs() < 1e-9, "{found}");
    // Beyond half a pixel of any axis there is nothing.
    assert!(moved.evaluate(83.6, 23.2, centers[0]) > 0.0);
    assert_eq!(moved.evaluate(83.6, 23.3, centers[0]), 0.0);
    assert_eq!(moved.evaluate(83.6, 22.0, 0.5), 0.0);
    for (axes, unit, said) in
        [(vec![energy.clone()], "sr-1", "no axis that is a parameter"), (vec![energy, height], "m", "'m'")]
    {
        let error = at(axes, unit).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
