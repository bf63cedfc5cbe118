use proptest::prelude::*;

use super::*;

/// Numbers between 0 and 1 that look random.
fn noise(i: usize) -> f64 {
    (i as f64 * 0.754_877_666_246_692_7 + 0.1).fract()
}

fn scattered(n: usize) -> (Vec<f64>, Vec<f64>) {
    let lon = (0..n).map(|i| 80.0 + 6.0 * noise(7 * i + 1)).collect();
    let lat = (0..n).map(|i| 20.0 + 4.0 * noise(13 * i * i + 3)).collect();
    (lon, lat)
}

fn model(lon: &[f64], lat: &[f64], norms: &[f64]) -> PiecewiseNormSpatialModel {
    PiecewiseNormSpatialModel::new(lon.to_vec(), lat.to_vec(), norms.to_vec(), Frame::Icrs).unwrap()
}

#[test]
fn nodes_have_their_norms_and_planes_stay_planes() {
    let (lon, lat) = scattered(40);
    let norms: Vec<f64> = (0..40).map(|i| 1.0 + noise(3 * i)).collect();
    let bumpy = model(&lon, &lat, &norms);
    let plane = |lon: f64, lat: f64| 2.0 + 0.3 * (lon - 83.0) - 0.7 * (lat - 22.0);
    let flat: Vec<f64> = lon.iter().zip(&lat).map(|(lon, lat)| plane(*lon, *lat)).collect();
    let flat = model(&lon, &lat, &flat);
    for k in 0..40 {
        assert!((bumpy.evaluate(lon[k], lat[k], 1.0) - norms[k]).abs() < 1e-12, "node {k}");
        // Places between three nodes are inside of the hull.
        let (a, b) = ((k + 5) % 40, (k + 17) % 40);
        let at = ((lon[k] + lon[a] + lon[b]) / 3.0, (lat[k] + lat[a] + lat[b]) / 3.0);
        let found = flat.evaluate(at.0, at.1, 1.0);
        assert!((found - plane(at.0, at.1)).abs() < 1e-12, "{at:?}: {found} for {}", plane(at.0, at.1));
    }
}

/// Across each inner side the value and the slope are the same on both of its triangles.
#[test]
fn it_is_smooth_across_sides() {
    let (lon, lat) = scattered(25);
    let norms: Vec<f64> = (0..25).map(|i| 1.0 + noise(11 * i)).collect();
    let model = model(&lon, &lat, &norms);
    let triangles = &model.nodes.triangles;
    let mut sides = 0;
    for t in 0..triangles.len() {
        let corners = triangles.corners(t);
        for k in (0..3).filter(|k| triangles.neighbour(t, *k).is_some()) {
            let (a, b) = (triangles.place(corners[(k + 1) % 3]), triangles.place(corners[(k + 2) % 3]));
            for along in [0.2, 0.5, 0.7] {
                let at = [a[0] + along * (b[0] - a[0]), a[1] + along * (b[1] - a[1])];
                let across = [a[1] - b[1], b[0] - a[0]];
                let value = |step: f64| model.evaluate(at[0] + step * across[0], at[1] + step * across[1], 1.0);
                // A bend vanishes with the step, a kink does not.
                let change = |h: f64| (value(h) - 2.0 * value(0.0) + value(-h)) / h;
                let kink = (10.0 * change(1e-5) - change(1e-4)) / 9.0;
                assert!(kink.abs() < 1e-5, "triangle {t}, side {k}: {kink}");
                sides += 1;
            }
        }
    }
    assert!(sides > 100, "{sides}");
}

#[test]
fn the_order_of_nodes_and_turns_make_no_difference() {
    // A grid, whose cells may be cut both ways, about longitude 0.
    let grid: Vec<(f64, f64)> =
        (0..20).map(|i| (-0.2 + 0.1 * f64::from(i % 5), -5.0 + 0.1 * f64::from(i / 5))).collect();
    let norms: Vec<f64> = (0..20).map(|i| 1.0 + noise(5 * i)).collect();
    let make = |order: &[usize], turn: &dyn Fn(f64) -> f64| {
        let pick = |f: &dyn Fn(usize) -> f64| order.iter().map(|i| f(*i)).collect::<Vec<f64>>();
        model(&pick(&|i| turn(grid[i].0)), &pick(&|i| grid[i].1), &pick(&|i| norms[i]))
    };
    let order: Vec<usize> = (0..20).collect();
    let turned: Vec<usize> = (0..20).map(|i| (i * 7 + 3) % 20).collect();
    let (first, second) = (make(&order, &|lon| lon), make(&turned, &|lon| lon));
    let other = make(&turned, &|lon| if lon < 0.05 { lon + 360.0 } else { lon - 720.0 });
    for i in 0..200 {
        let at = (-0.25 + 0.5 * noise(3 * i), -5.1 + 0.5 * noise(17 * i));
        let wanted = first.evaluate(at.0, at.1, 1.0);
        assert_eq!(second.evaluate(at.0, at.1, 1.0), wanted, "{at:?}");
        assert!((other.evaluate(at.0 + 360.0, at.1, 1.0) - wanted).abs() < 1e-9, "{at:?}");
    }
    // Rounding of the nodes does not turn a cell's diagonal.
    let shaken: Vec<f64> = grid.iter().enumerate().map(|(i, g)| g.0 + 1e-14 * (noise(i) - 0.5)).collect();
    let lat: Vec<f64> = grid.iter().enumerate().map(|(i, g)| g.1 + 1e-14 * (noise(i + 50) - 0.5)).collect();
    let shaken = model(&shaken, &lat, &norms);
    let sides = |m: &PiecewiseNormSpatialModel| {
        let triangles = &m.nodes.triangles;
        let given = |(a, b): (usize, usize)| (triangles.order[a], triangles.order[b]);
        triangles.sides().map(given).map(|(a, b)| (a.min(b), a.max(b))).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(sides(&shaken), sides(&first));
    // From the lower left of each cell to its upper right.
    assert_eq!(first.nodes.triangles.len(), 2 * 4 * 3);
    for cell in [0, 1, 6, 13] {
        assert!(sides(&first).contains(&(cell, cell + 6)), "{cell}");
    }
}

#[test]
fn beyond_the_hull_the_border_counts() {
    let model = model(&[10.0, 12.0, 12.0, 10.0, 11.0], &[-1.0, -1.0, 1.0, 1.0, 0.1], &[1.0, 2.0, 3.0, 4.0, 2.5]);
    for (place, border) in [((13.0, 0.3), (12.0, 0.3)), ((10.5, 7.0), (10.5, 1.0)), ((2.0, -60.0), (10.0, -1.0))] {
        assert_eq!(model.evaluate(place.0, place.1, 1.0), model.evaluate(border.0, border.1, 1.0), "{place:?}");
    }
    // Half a turn away the nearer side counts; nothing is missing anywhere.
    assert_eq!(model.evaluate(190.9, 0.3, 1.0), model.evaluate(12.0, 0.3, 1.0));
    assert_eq!(model.evaluate(191.1, 0.3, 1.0), model.evaluate(10.0, 0.3, 1.0));
    assert_eq!(model.evaluate(12.0, -1.0, 1.0), 2.0);
}

#[test]
fn norms_add_up_and_logarithms_stay_positive() {
    let (lon, lat) = scattered(12);
    let norms: Vec<f64> = (0..12).map(|i| 0.5 + noise(9 * i)).collect();
    let whole = model(&lon, &lat, &norms);
    let parts: Vec<_> = (0..12)
        .map(|k| model(&lon, &lat, &(0..12).map(|i| f64::from(u8::from(i == k))).collect::<Vec<f64>>()))
        .collect();
    assert!(whole.is_linear());
    let steep: Vec<Parameter> = (0..12)
        .map(|i| Parameter::new(&format!("norm_{i}"), [0.0, 1e-8, 1.0, 1e6][i % 4], Unit::dimensionless()))
        .collect();
    let steep = PiecewiseNormSpatialModel::with_nodes(lon.clone(), lat.clone(), &steep, true, Frame::Icrs).unwrap();
    assert!(!steep.is_linear());
    assert!(
        (steep.evaluate(lon[3], lat[3], 1.0) / 1e6 - 1.0).abs() < 1e-9 && steep.evaluate(lon[0], lat[0], 1.0) == 0.0
    );
    for i in 0..300 {
        let at = (79.0 + 8.0 * noise(3 * i), 19.0 + 6.0 * noise(7 * i + 2));
        let sum: f64 = parts.iter().zip(&norms).map(|(part, norm)| norm * part.evaluate(at.0, at.1, 1.0)).sum();
        assert!((sum - whole.evaluate(at.0, at.1, 1.0)).abs() < 1e-12, "{at:?}");
        let value = steep.evaluate(at.0, at.1, 1.0);
        assert!(value >= 0.0 && value.is_finite(), "{value}");
    }
}

#[test]
fn what_makes_no_surface_is_refused() {
    let said = |lon: &[f64], lat: &[f64], norms: &[f64]| {
        PiecewiseNormSpatialModel::new(lon.to_vec(), lat.to_vec(), norms.to_vec(), Frame::Icrs).unwrap_err().to_string()
    };
    let (lon, lat, one) = ([1.0, 2.0, 1.0, 2.0], [1.0, 1.0, 2.0, 2.0], [1.0; 4]);
    for (lon, lat, norms, wanted) in [
        (&lon[..3], &lat[..3], &one[..3], "3 nodes where 4"),
        (&lon[..], &lat[..3], &one[..], "3 latitudes and 4 norms"),
        (&lon[..], &lat[..], &one[..3], "4 longitudes"),
        (&[1.0, 2.0, 3.0, 4.0], &[0.1, 0.2, 0.3, 0.4], &one[..], "on a line"),
        (&[1.0, 2.0, 1.0, 361.0], &[1.0, 1.0, 2.0, 2.0], &one[..], "nodes 2 and 3"),
        (&[1.0, 2.0, 1.0, f64::NAN], &lat[..], &one[..], "not a place"),
        (&lon[..], &[1.0, 1.0, 2.0, 91.0], &one[..], "not a place"),
        (&lon[..], &lat[..], &[1.0, 1.0, 1.0, f64::INFINITY], "norm_3"),
    ] {
        let found = said(lon, lat, norms);
        assert!(found.contains(wanted), "{found}");
    }
    let mut norm = model(&lon, &lat, &one).parameters().to_vec();
    norm[1].unit = "TeV".parse().unwrap();
    assert!(model(&lon, &lat, &one).with_parameters(&norm).unwrap_err().to_string().contains("norm_1"));
    assert!(model(&lon, &lat, &one).with_parameters(&norm[..3]).is_err());
}

#[test]
fn nodes_that_differ_by_rounding_are_one() {
    let of = |shift: f64| {
        let lon = vec![0.0, 3.0, 3.0 + shift, 1.0, 0.0];
        PiecewiseNormSpatialModel::new(lon, vec![0.0, 1.0, 1.0, 3.0, 2.0], vec![1.0; 5], Frame::Icrs)
    };
    let problem = of(1e-14).unwrap_err().to_string();
    assert!(problem.contains("nodes 1 and 2 are at the same place"), "{problem}");
    assert!((of(1e-6).unwrap().evaluate(1.0, 1.0, 1.0) - 1.0).abs() < 1e-9);
}

proptest! {
    /// Nodes on few lines, on circles, nearly the same: there is a surface or an error, and no value beyond all measure.
    #[test]
    fn strange_nodes_make_no_trouble(
        nodes in prop::collection::vec((0..6i32, 0..6i32, -1..2i32), 4..30),
        scale in prop::sample::select(vec![1e-9, 0.1, 15.0]),
        shake in prop::sample::select(vec![0.0, 1e-15, 1e-10, 1e-7]),
    ) {
        let place = |a: i32, c: i32| scale * (f64::from(a) + shake * f64::from(c));
        let lon: Vec<f64> = nodes.iter().map(|n| place(n.0, n.2)).collect();
        let lat: Vec<f64> = nodes.iter().map(|n| place(n.1, n.0 * n.2 % 2)).collect();
        let norms: Vec<f64> = (0..nodes.len()).map(noise).collect();
        if let Ok(model) = PiecewiseNormSpatialModel::new(lon.clone(), lat.clone(), norms.clone(), Frame::Icrs) {
            for i in 0..60 {
                let value = model.evaluate(scale * 6.0 * noise(3 * i), scale * 6.0 * noise(5 * i + 1), 1.0);
                prop_assert!(value.is_finite(), "{value}");
                prop_assert!(shake > 0.0 || value.abs() < 20.0, "{value}");
            }
            if shake == 0.0 {
                for k in 0..norms.len() {
                    prop_assert!((model.evaluate(lon[k], lat[k], 1.0) - norms[k]).abs() < 1e-9);
                }
            }
        }
    }
}
