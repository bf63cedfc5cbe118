//! Convolution on the GPU, directly and by transforms, against direct sums in double precision.
#![cfg(feature = "gpu")]

use crate::support;
use std::sync::OnceLock;

use ndarray::{Array3, ArrayView3, Axis, s};
use pevatron::Control;
use pevatron::compute::BackendOptions;
use pevatron::kernels::convolve::convolve;
use pevatron::kernels::{ConvolveJob, CubeView};
use pevatron::low_level::{Engine, GpuEngine};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rounding of transforms in two-float arithmetic, relative to the norms of image and kernel, of which the largest value
/// is a part only; typically a tenth of it.
const ROUNDING: f64 = 2e-14;

fn open() -> Option<GpuEngine> {
    support::gpu_engine(&BackendOptions::default())
}

/// Convolves by transforms always.
fn transforms() -> Option<&'static GpuEngine> {
    static ENGINE: OnceLock<Option<GpuEngine>> = OnceLock::new();
    ENGINE.get_or_init(|| open().map(|engine| engine.with_transforms(true))).as_ref()
}

fn run<'a>(engine: &GpuEngine, cube: CubeView<'a>, kernel: ArrayView3<'a, f64>) -> Array3<f64> {
    engine.convolve(&ConvolveJob { cube, kernel }, &Control::new()).unwrap()
}

fn norm(values: ArrayView3<'_, f64>, plane: usize) -> f64 {
    let plane = plane.min(values.dim().0 - 1);
    values.index_axis(Axis(0), plane).iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn check(name: &str, got: &Array3<f64>, image: &Array3<f64>, kernel: &Array3<f64>) {
    let wanted = convolve(&ConvolveJob { cube: CubeView::F64(image.view()), kernel: kernel.view() });
    for p in 0..image.dim().0 {
        let allowed = ROUNDING * norm(image.view(), p) * norm(kernel.view(), p);
        let pairs = got.index_axis(Axis(0), p).into_iter().zip(wanted.index_axis(Axis(0), p));
        let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{name}, plane {p}: {:.1e} of the norms", off * ROUNDING / allowed);
        assert!(off <= allowed, "{name}, plane {p}: {off:e}, allowed {allowed:e}");
    }
}

fn random(shape: (usize, usize, usize), seed: u64, value: impl Fn(&mut ChaCha8Rng) -> f64) -> Array3<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array3::from_shape_simple_fn(shape, || value(&mut rng))
}

/// One of `bright` per hundred pixels has up to 1e6 counts, half of the others none.
fn sky(rng: &mut ChaCha8Rng, bright: f64) -> f64 {
    match rng.random::<f64>() {
        draw if draw < 0.01 * bright => 1e6 * rng.random::<f64>(),
        draw if draw < 0.5 => rng.random::<f64>(),
        _ => 0.0,
    }
}

fn gaussian(planes: usize, (ky, kx): (usize, usize), sigma: f64) -> Array3<f64> {
    let mut kernel = Array3::from_shape_fn((planes, ky, kx), |(p, y, x)| {
        let (dy, dx) = (y as f64 - (ky / 2) as f64, x as f64 - (kx / 2) as f64);
        (-0.5 * (dy * dy + dx * dx) / (sigma * (1.0 + 0.3 * p as f64)).powi(2)).exp()
    });
    for mut plane in kernel.outer_iter_mut() {
        let sum = plane.sum();
        plane /= sum;
    }
    kernel
}

#[test]
fn transforms_are_as_good_as_double_precision() {
    let Some(gpu) = transforms() else { return };
    for (name, shape, kernel_shape) in [
        ("several tiles", (2, 150, 333), (31, 41)),
        ("one tile", (1, 20, 30), (9, 9)),
        ("rows of an odd number of tiles", (1, 40, 150), (15, 15)),
        ("a kernel larger than the map", (1, 17, 23), (63, 41)),
        ("a single column", (1, 90, 1), (21, 1)),
        ("a tile of 512 points", (1, 60, 80), (301, 21)),
        ("a tile of 1024 points", (1, 60, 80), (5, 601)),
    ] {
        let image = random(shape, 1, |rng| sky(rng, 0.3));
        for kernel in
            [gaussian(shape.0, kernel_shape, 4.0), random((1, kernel_shape.0, kernel_shape.1), 2, Rng01::draw)]
        {
            check(name, &run(gpu, CubeView::F64(image.view()), kernel.view()), &image, &kernel);
        }
    }
    let signed = random((2, 70, 90), 3, |rng| rng.random::<f64>() - 0.5);
    let kernel = random((2, 33, 17), 4, |rng| rng.random::<f64>() - 0.5);
    check("signed", &run(gpu, CubeView::F64(signed.view()), kernel.view()), &signed, &kernel);
}

/// A skewed draw: no symmetry hides a kernel that is turned around.
struct Rng01;

impl Rng01 {
    fn draw(rng: &mut ChaCha8Rng) -> f64 {
        rng.random::<f64>().powi(3)
    }
}

#[test]
fn values_far_from_one_do_not_leave_the_range() {
    let Some(gpu) = transforms() else { return };
    let kernel = gaussian(1, (25, 25), 4.0);
    for scale in [1e-200, 1e-42, 1e38, 1e250] {
        let image = random((1, 80, 70), 5, |rng| scale * sky(rng, 1.0));
        // The norm squares: compared where it can.
        let unit = |cube: &Array3<f64>| cube.mapv(|v| v / scale);
        check("image", &unit(&run(gpu, CubeView::F64(image.view()), kernel.view())), &unit(&image), &kernel);
        let scaled = kernel.mapv(|v| v * scale);
        let image = unit(&image);
        check("kernel", &unit(&run(gpu, CubeView::F64(image.view()), scaled.view())), &image, &kernel);
    }
}

#[test]
fn faint_sources_beside_bright_ones_stay() {
    let Some(gpu) = transforms() else { return };
    let mut image = Array3::zeros((1, 200, 400));
    image[[0, 100, 30]] = 1e9;
    image[[0, 90, 300]] = 1.0;
    let kernel = gaussian(1, (61, 61), 6.0);
    let got = run(gpu, CubeView::F64(image.view()), kernel.view());
    let wanted = convolve(&ConvolveJob { cube: CubeView::F64(image.view()), kernel: kernel.view() });
    for (got, wanted) in got.slice(s![0, 60..120, 270..330]).iter().zip(wanted.slice(s![0, 60..120, 270..330])) {
        // Single precision would leave 60 counts of noise here.
        assert!((got - wanted).abs() < 1e-5 * kernel[[0, 30, 30]], "{got} for {wanted}");
    }
    assert!(got.iter().all(|v| *v >= 0.0));
    let outside = wanted.iter().zip(&got).filter(|(wanted, _)| **wanted == 0.0);
    assert!(
        outside.clone().count() > 70_000 && outside.clone().all(|(_, got)| *got == 0.0),
        "0 where there is nothing"
    );
}

#[test]
fn nothing_depends_on_precision_of_the_file_memory_or_repetition() {
    let Some(gpu) = transforms() else { return };
    let image = random((5, 130, 260), 6, |rng| sky(rng, 0.1)).mapv(|v| f64::from(v as f32));
    let narrow = image.mapv(|v| v as f32);
    let kernel = gaussian(5, (25, 31), 3.0);
    let wanted = run(gpu, CubeView::F64(image.view()), kernel.view());
    assert!(wanted == run(gpu, CubeView::F64(image.view()), kernel.view()), "repeated");
    assert!(wanted == run(gpu, CubeView::F32(narrow.view()), kernel.view()), "of a file in single precision");
    let small = open().unwrap().with_transforms(true).with_binding_limit(16 * 128 * 128 * 2);
    assert!(wanted == run(&small, CubeView::F64(image.view()), kernel.view()), "with less memory");
    for p in 0..5 {
        let own = run(gpu, CubeView::F64(image.slice(s![p..p + 1, .., ..])), kernel.slice(s![p..p + 1, .., ..]));
        assert!(own.index_axis(Axis(0), 0) == wanted.index_axis(Axis(0), p), "plane {p} alone");
    }
}

#[test]
fn small_kernels_and_values_that_are_no_numbers_are_summed_directly() {
    let (Some(gpu), Some(chosen)) = (transforms(), open()) else { return };
    let direct = open().unwrap().with_transforms(false);
    let mut image = random((1, 100, 100), 7, |rng| rng.random());
    let kernel = gaussian(1, (7, 7), 1.5);
    let job = |engine: &GpuEngine, image: &Array3<f64>, kernel: &Array3<f64>| {
        run(engine, CubeView::F64(image.view()), kernel.view())
    };
    assert!(job(&chosen, &image, &kernel) == job(&direct, &image, &kernel), "7 x 7");
    let image_wide = random((1, 300, 300), 8, |rng| rng.random());
    let wide = gaussian(1, (91, 91), 15.0);
    assert!(job(&chosen, &image_wide, &wide) == job(gpu, &image_wide, &wide), "91 x 91");
    assert!(job(&direct, &image_wide, &wide) != job(gpu, &image_wide, &wide));
    image[[0, 50, 50]] = f64::NAN;
    let got = job(gpu, &image, &kernel);
    let undefined = got.iter().filter(|v| v.is_nan()).count();
    // Direct sums take kernel columns by four, the missing ones as 0.
    assert!((49..=7 * 10).contains(&undefined), "only what the kernel reaches: {undefined}");
    assert!(job(&chosen, &Array3::zeros((2, 0, 7)), &kernel).is_empty());
    assert!(job(gpu, &Array3::zeros((2, 40, 300)), &kernel).iter().all(|v| *v == 0.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 12 } else { 48 }))]
    #[test]
    fn any_shape(
        (planes, ny, nx) in (1usize..4, 1usize..140, 1usize..140),
        (hy, hx) in (0usize..40, 0usize..40),
        own in any::<bool>(),
        seed in any::<u64>(),
    ) {
        if let Some(gpu) = transforms() {
            let image = random((planes, ny, nx), seed, |rng| sky(rng, 2.0));
            let shape = (if own { planes } else { 1 }, 2 * hy + 1, 2 * hx + 1);
            let kernel = random(shape, seed ^ 1, Rng01::draw);
            check("any", &run(gpu, CubeView::F64(image.view()), kernel.view()), &image, &kernel);
        }
    }
}
