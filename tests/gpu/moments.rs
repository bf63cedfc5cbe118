//! Fits from moments on the GPU engine: as close to the reference as sums over lists, and used where they hold.
#![cfg(feature = "gpu")]
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use crate::support;
use std::sync::{Arc, Mutex, OnceLock};

use crate::support::compare::{DEVICE, compare};
use ndarray::Array2;
use pevatron::Control;
use pevatron::compute::{Backend, BackendOptions};
use pevatron::kernels::TsMapOutput;
use pevatron::low_level::{Engine, GpuEngine};
use pevatron::simulate::synthetic::{Case, Survey, add_source};

fn open() -> Option<GpuEngine> {
    support::gpu_engine(&BackendOptions::default())
}

fn engine() -> Option<&'static GpuEngine> {
    static ENGINE: OnceLock<Option<GpuEngine>> = OnceLock::new();
    ENGINE.get_or_init(open).as_ref()
}

/// Runs a case; also the share of its pixels that moments have fitted.
fn run(engine: &GpuEngine, case: &Case) -> (TsMapOutput, f64) {
    let seen = Arc::new(Mutex::new((0, 0)));
    let by_moments = seen.clone();
    let control = Control::new().with_observer(move |p| {
        if p.stage == "fit from moments" {
            let mut seen = by_moments.lock().unwrap();
            *seen = (seen.0 + p.done, seen.1 + p.total);
        }
    });
    let output = engine.ts_map(&case.data().unwrap(), &case.run(), &control).unwrap();
    let (done, total) = *seen.lock().unwrap();
    (output, if total > 0 { done as f64 / total as f64 } else { 0.0 })
}

/// Compares with the reference; returns the share that moments have fitted.
fn check(engine: &GpuEngine, case: &Case) -> f64 {
    let (got, share) = run(engine, case);
    let want = Backend::reference().engine().ts_map(&case.data().unwrap(), &case.run(), &Control::new()).unwrap();
    let report = compare(case, &got, &want, DEVICE);
    print!("{}, {:.0} % from moments:", case.name, 100.0 * share);
    for (quantity, worst, median) in report {
        print!(" {quantity} {median:.0e}/{worst:.0e}");
    }
    println!();
    share
}

const DENSE: Survey =
    Survey { shape: (48, 60), planes: 4, half: (12, 12), occupancy: 0.6, sources: 3, spectrum: 10.0, seed: 6 };

/// A survey whose kernel is as wide in every plane, so that no bin stands out in a window.
fn smooth(survey: Survey, name: &str, width: f64) -> Case {
    survey.case(name).with(|case| {
        for mut plane in case.datasets[0].kernel.outer_iter_mut() {
            let (ky, kx) = plane.dim();
            let square = |i: usize, n: usize| (i as f64 - (n / 2) as f64).powi(2);
            plane.indexed_iter_mut().for_each(|((u, v), k)| {
                *k = (-0.5 * (square(u, ky) + square(v, kx)) / (width * width)).exp();
            });
            let sum = plane.sum();
            plane /= sum;
        }
    })
}

#[test]
fn dense_maps_are_fitted_from_moments() {
    let Some(engine) = engine() else { return };
    for (occupancy, least) in [(0.3, 0.2), (0.6, 0.5), (0.95, 0.5)] {
        let case = smooth(Survey { occupancy, ..DENSE }, &format!("occupancy {occupancy}"), 5.0);
        let share = check(engine, &case);
        assert!(share > least, "{share} at {occupancy}");
        let exact = case.with(|case| case.settings.exact = true);
        assert_eq!(check(engine, &exact), 0.0);
    }
}

#[test]
fn kernels_with_narrow_cores_are_cut() {
    let Some(engine) = engine() else { return };
    // Kernels of the last planes are three times as narrow as those of the first, where background is faint.
    for (occupancy, half, least) in [(0.2, 14, 0.3), (0.6, 12, 0.4), (0.9, 10, 0.5)] {
        let survey = Survey { occupancy, half: (half, half), ..DENSE };
        let share = check(engine, &survey.case(&format!("core, occupancy {occupancy}")));
        assert!(share > least, "{share} at {occupancy}");
    }
    let small = Survey { shape: (30, 33), sources: 1, half: (14, 14), ..DENSE };
    let bare = small.case("core, norm only").with(|case| (case.settings.errn_errp, case.settings.ul) = (false, false));
    check(engine, &bare);
    check(engine, &small.case("core, limit only").with(|case| case.settings.errn_errp = false));
    let hot = small.case("core, background that vanishes in places").with(|case| {
        for ((p, y, x), b) in case.datasets[0].background.indexed_iter_mut() {
            if (p + 3 * y + 7 * x) % 97 == 0 {
                *b *= 1e-7;
            }
        }
    });
    check(engine, &hot);
    check(
        engine,
        &small.case("core, a bin of a million counts").with(|case| case.datasets[0].counts[[1, 20, 30]] = 1e6),
    );
    let empty = small.case("core, half empty").with(|case| {
        let data = &mut case.datasets[0];
        data.counts.slice_mut(ndarray::s![.., .., 16..]).fill(0.0);
        data.exposure.slice_mut(ndarray::s![.., 22.., ..]).fill(0.0);
    });
    check(engine, &empty);
}

#[test]
fn moments_give_way_where_they_do_not_hold() {
    let Some(engine) = engine() else { return };
    let case = smooth(DENSE, "a bin of a million counts", 5.0).with(|case| {
        case.datasets[0].counts[[1, 20, 30]] = 1e6;
    });
    check(engine, &case);
    let hot = smooth(DENSE, "background that vanishes in places", 5.0).with(|case| {
        for ((p, y, x), b) in case.datasets[0].background.indexed_iter_mut() {
            if (p + 3 * y + 7 * x) % 97 == 0 {
                *b *= 1e-7;
            }
        }
    });
    check(engine, &hot);
    let halves = smooth(DENSE, "half empty", 5.0).with(|case| {
        let data = &mut case.datasets[0];
        data.counts.slice_mut(ndarray::s![.., .., 25..]).fill(0.0);
        data.exposure.slice_mut(ndarray::s![.., 30.., ..]).fill(0.0);
    });
    check(engine, &halves);
    let negative = smooth(DENSE, "fewer counts than background", 5.0).with(|case| {
        case.datasets[0].background.mapv_inplace(|b| b * 3.0);
    });
    check(engine, &negative);
    let tails = smooth(DENSE, "kernel with zeros and faint tails", 5.0).with(|case| {
        for ((_, u, v), k) in case.datasets[0].kernel.indexed_iter_mut() {
            *k *= [1.0, 0.0, 1e-9, 1.0][(u + 2 * v) % 4];
        }
    });
    check(engine, &tails);
    let source = smooth(DENSE, "bright source", 5.0).with(|case| {
        let data = &mut case.datasets[0];
        let mut expected = data.counts.mapv(f64::from);
        add_source(&mut expected, &data.exposure, &data.kernel, (12, 15), 1e3);
        data.counts = expected.mapv(|v| v.round() as f32);
    });
    check(engine, &source);
}

#[test]
fn settings_hold_for_moments_too() {
    let Some(engine) = engine() else { return };
    let small = Survey { shape: (30, 33), sources: 1, ..DENSE };
    let sigmas =
        smooth(small, "sigmas", 5.0).with(|case| (case.settings.n_sigma, case.settings.n_sigma_ul) = (2.0, 3.0));
    check(engine, &sigmas);
    let bare =
        smooth(small, "norm only", 5.0).with(|case| (case.settings.errn_errp, case.settings.ul) = (false, false));
    assert!(check(engine, &bare) > 0.5);
    let limit = smooth(small, "limit only", 5.0).with(|case| case.settings.errn_errp = false);
    assert!(check(engine, &limit) > 0.5);
    let masked = smooth(small, "thin mask", 5.0).with(|case| {
        case.fit_mask = Array2::from_shape_fn(case.fit_mask.dim(), |(y, x)| (y * 7 + x) % 13 == 0);
    });
    check(engine, &masked);
    let sensitivity = smooth(small, "sensitivity", 5.0).with(|case| case.settings.sensitivity = true);
    check(engine, &sensitivity);
}

#[test]
fn large_kernels_take_large_tiles() {
    let Some(engine) = engine() else { return };
    let wide = Survey { shape: (20, 24), half: (50, 40), planes: 2, ..DENSE };
    check(engine, &smooth(wide, "101 x 81", 15.0));
    let map = Survey { shape: (150, 40), half: (9, 20), planes: 2, sources: 1, ..DENSE };
    check(
        engine,
        &smooth(map, "several tiles", 5.0).with(|case| {
            case.fit_mask = Array2::from_shape_fn(case.fit_mask.dim(), |(y, x)| (y * 5 + x) % 9 == 0);
        }),
    );
}

#[test]
fn the_same_bits_for_any_bands_and_slabs() {
    let Some(engine) = engine() else { return };
    let case = smooth(Survey { shape: (150, 70), half: (9, 9), planes: 3, ..DENSE }, "bands", 4.0);
    let (whole, share) = run(engine, &case);
    assert!(share > 0.5, "{share}");
    let bits = |o: &TsMapOutput| {
        let [errn, errp, ul] = [&o.norm_errn, &o.norm_errp, &o.norm_ul].map(|m| m.clone().unwrap());
        [&o.norm, &o.norm_err, &o.ts, &o.stat_null, &errn, &errp, &ul]
            .map(|map| map.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
    };
    assert!(bits(&whole) == bits(&run(engine, &case).0), "other bits the second time");
    // A pixel of state takes 84 bytes, a transform's tile of 128 points side 524 kB per plane.
    for limit in [560_000, 700_000] {
        let small = open().unwrap().with_binding_limit(limit);
        let (cut, share) = run(&small, &case);
        assert!(share > 0.5 && bits(&whole) == bits(&cut), "other bits with bindings of {limit} bytes, {share}");
    }
}
