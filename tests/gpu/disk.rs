//! Sums over disks on the GPU: exact for whole numbers, twelve digits else; in bands and pieces as small as they get.
#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use ndarray::Array3;
use pevatron::Control;
use pevatron::compute::{Backend, BackendOptions};
use pevatron::kernels::{CubeView, DiskSumJob};
use pevatron::low_level::{Engine, GpuEngine};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn open() -> Option<GpuEngine> {
    support::gpu_engine(&BackendOptions::default())
}

fn check(engine: &GpuEngine, cube: &Array3<f64>, radius: f64, is_whole: bool) {
    let job = DiskSumJob { cube: CubeView::F64(cube.view()), radius };
    let control = Control::new();
    let found = engine.disk_sum(&job, &control).unwrap();
    let wanted = Backend::reference().engine().disk_sum(&job, &control).unwrap();
    let largest = cube.iter().fold(0.0f64, |m, v| m.max(v.abs())) * cube.dim().2 as f64;
    for (at, wanted) in wanted.indexed_iter() {
        let off = (found[at] - wanted).abs();
        assert!(
            if is_whole { off == 0.0 } else { off <= 1e-13 * largest },
            "radius {radius} at {at:?}: {} for {wanted}",
            found[at]
        );
        assert_eq!(*wanted == 0.0, found[at] == 0.0, "an empty disk stays empty: {at:?}");
    }
}

#[test]
fn sums_over_disks_are_exact() {
    let Some(engine) = open() else { return };
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for (shape, radii) in [
        ((1, 1, 1), vec![1.0]),
        ((2, 5, 70), vec![0.5, 3.0, 70.0]),
        ((1, 83, 61), vec![1.0, 5.0, 17.3, 83.0]),
        ((3, 40, 300), vec![2.5, 40.0]),
    ] {
        // Counts up to 2^24, most of them few, with an empty stripe.
        let counts = Array3::from_shape_fn(shape, |(_, y, _)| {
            if y % 40 > 20 {
                return 0.0;
            }
            let size = random.random_range(0..24);
            f64::from(random.random_range(0..=1u32 << size))
        });
        let smooth = counts.mapv(|v| v * 0.137);
        for radius in radii {
            check(&engine, &counts, radius, true);
            check(&engine, &smooth, radius, false);
            check(&engine, &smooth.mapv(|v| v * 1e-40), radius, false);
        }
    }
    let empty = Array3::<f64>::zeros((2, 9, 9));
    check(&engine, &empty, 3.0, true);
}

/// A binding of a few rows, dispatches of a few steps.
#[test]
fn bands_and_pieces_make_no_difference() {
    let Some(engine) = open() else { return };
    let counts = Array3::from_shape_fn((2, 50, 64), |(p, y, x)| ((p + 1) * (y * 31 + x * 17) % 11) as f64);
    let small = engine.with_binding_limit(14 * 64 * 8).with_step_limit(100);
    check(&small, &counts, 4.0, true);
    // The disk's own rows no longer fit.
    let job = DiskSumJob { cube: CubeView::F64(counts.view()), radius: 10.0 };
    assert!(small.disk_sum(&job, &Control::new()).is_err());
    let control = Control::new();
    control.cancel();
    let job = DiskSumJob { cube: CubeView::F64(counts.view()), radius: 4.0 };
    assert!(small.disk_sum(&job, &control).is_err());
}
