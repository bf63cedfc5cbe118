//! The GPU engine against the reference engine, on any adapter; small maps, since it may be a software adapter.
#![cfg(feature = "gpu")]
#![expect(clippy::single_range_in_vec_init, reason = "one input has one range of planes")]

use crate::support;
use std::sync::OnceLock;

use ndarray::{Array2, Array3, ArrayView3};
use pevatron::compute::{Backend, BackendOptions};
use pevatron::kernels::{
    CashSumJob, ConvolveJob, CubeView, EdispJob, TsMapData, TsMapInput, TsMapOutput, TsMapRun, TsMapSettings,
    TsMapStatus,
};
use pevatron::low_level::{Engine, FallbackEngine, GpuEngine, TAKEN_OVER};
use pevatron::{Control, Error, ErrorKind};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

/// Deviations allowed, in standard deviations of the norm and in sqrt(TS). Single precision typically reaches 1e-5; the
/// limit is what results are promised to.
const SIGMA_LIMIT: f64 = 2e-3;

fn engine() -> Option<&'static GpuEngine> {
    static ENGINE: OnceLock<Option<GpuEngine>> = OnceLock::new();
    ENGINE.get_or_init(open).as_ref()
}

fn open() -> Option<GpuEngine> {
    support::gpu_engine(&BackendOptions::default())
}

/// A sky that is drawn: planes with falling background, sources, a hole-free field.
struct Sky {
    counts: Array3<f64>,
    background: Array3<f64>,
    exposure: Array3<f64>,
    kernel: Array3<f64>,
}

fn gauss_kernel(planes: usize, (ky, kx): (usize, usize), sigma: f64) -> Array3<f64> {
    let mut kernel = Array3::from_shape_fn((planes, ky, kx), |(p, y, x)| {
        let (dy, dx) = (y as f64 - (ky / 2) as f64, x as f64 - (kx / 2) as f64);
        let width = sigma * (1.0 + 0.3 * p as f64);
        (-0.5 * (dy * dy + dx * dx) / (width * width)).exp()
    });
    for mut plane in kernel.outer_iter_mut() {
        let sum = plane.sum();
        plane /= sum;
    }
    kernel
}

impl Sky {
    fn new(
        seed: u64,
        (planes, ny, nx): (usize, usize, usize),
        window: (usize, usize),
        level: f64,
        source: f64,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let kernel = gauss_kernel(planes, window, 1.5);
        let background = Array3::from_shape_fn((planes, ny, nx), |(p, y, x)| {
            level * (-1.2 * p as f64).exp() * (1.0 + 0.5 * (0.1 * x as f64).sin() + 0.3 * (0.07 * y as f64).cos())
        });
        let exposure = Array3::from_shape_fn((planes, ny, nx), |(p, y, x)| {
            (-0.8 * p as f64).exp() * (1.0 + 0.2 * (y as f64 * 0.05).sin() + 0.001 * x as f64)
        });
        let mut expected = background.clone();
        for (sy, sx, share) in [(ny / 2, nx / 2, 1.0), (ny / 5, nx / 4, 0.1), (3 * ny / 4, nx - 1, 0.3)] {
            for p in 0..planes {
                for u in 0..window.0 {
                    for v in 0..window.1 {
                        let (y, x) = ((sy + u).wrapping_sub(window.0 / 2), (sx + v).wrapping_sub(window.1 / 2));
                        if y < ny && x < nx {
                            expected[[p, y, x]] += source * share * kernel[[p, u, v]] * exposure[[p, y, x]];
                        }
                    }
                }
            }
        }
        let counts = expected.mapv(|mu| poisson(&mut rng, mu));
        Self { counts, background, exposure, kernel }
    }

    fn input(&self) -> TsMapInput<'_> {
        TsMapInput {
            counts: CubeView::F64(self.counts.view()),
            background: CubeView::F64(self.background.view()),
            exposure: CubeView::F64(self.exposure.view()),
        }
    }

    fn data(&self) -> TsMapData<'_> {
        TsMapData::new(vec![self.input()]).unwrap()
    }
}

fn poisson(rng: &mut impl Rng, mu: f64) -> f64 {
    if mu > 0.0 { Poisson::new(mu).unwrap().sample(rng) } else { 0.0 }
}

fn run_of<'a>(kernel: ArrayView3<'a, f64>, mask: &'a Array2<bool>, settings: &TsMapSettings) -> TsMapRun<'a> {
    TsMapRun {
        planes: vec![0..kernel.dim().0],
        kernels: vec![kernel],
        fit_mask: mask.view(),
        norm_guess: None,
        settings: settings.clone(),
    }
}

/// Compares every pixel; prints the worst of each quantity, panics beyond the limit.
fn compare(name: &str, got: &TsMapOutput, want: &TsMapOutput) {
    let optional = |map: &Option<Array2<f64>>, at: [usize; 2]| map.as_ref().map_or(0.0, |m| m[at]);
    let mut deviations: [Vec<f64>; 9] = std::array::from_fn(|_| Vec::new());
    let names = ["norm", "norm_err", "sqrt_ts", "errn", "errp", "ul", "stat_null", "npred", "sensitivity"];
    let mut worst = [(0.0, [0, 0]); 9];
    for ((y, x), norm) in want.norm.indexed_iter() {
        let at = [y, x];
        let sigma = if want.norm_err[at].is_finite() { want.norm_err[at] } else { norm.abs().max(1e-300) };
        let root = (got.ts[at].abs().sqrt() + want.ts[at].abs().sqrt()).max(0.1);
        let (stat, b, m) = (want.stat_null[at].abs(), want.npred_null[at], want.npred_reference[at]);
        let rows = [
            (got.norm[at], *norm, sigma),
            (got.norm_err[at], want.norm_err[at], sigma),
            (got.ts[at], want.ts[at], root),
            (optional(&got.norm_errn, at), optional(&want.norm_errn, at), sigma),
            (optional(&got.norm_errp, at), optional(&want.norm_errp, at), sigma),
            (optional(&got.norm_ul, at), optional(&want.norm_ul, at), sigma),
            (got.stat_null[at], want.stat_null[at], stat.max(1.0) * 1e-8),
            (
                got.npred_null[at] + got.npred_reference[at],
                want.npred_null[at] + want.npred_reference[at],
                (b + m) * 1e-3,
            ),
        ];
        let sensitivity = optional(&want.norm_sensitivity, at);
        let rows = rows.into_iter().chain([(optional(&got.norm_sensitivity, at), sensitivity, sensitivity)]);
        for (q, (got_v, want_v, scale)) in rows.into_iter().enumerate() {
            if got_v == want_v || got_v.is_nan() && want_v.is_nan() {
                continue;
            }
            let off = ((got_v - want_v) / scale).abs();
            let off = if off.is_nan() { f64::INFINITY } else { off };
            deviations[q].push(off);
            if off > worst[q].0 {
                worst[q] = (off, at);
            }
        }
        let ignored = TsMapStatus::NOT_CONVERGED;
        assert_eq!(got.status[at] & !ignored, want.status[at] & !ignored, "{name}: status at {at:?}, norm {norm}");
    }
    let mut bad = None;
    for (q, values) in deviations.iter_mut().enumerate() {
        values.sort_by(f64::total_cmp);
        let (Some(median), Some(max)) = (values.get(values.len() / 2), values.last()) else { continue };
        let high = values[values.len() * 99 / 100];
        println!("{name}: {}: {median:.0e} / {high:.0e} / {max:.0e} at {:?}", names[q], worst[q].1);
        if *max > SIGMA_LIMIT {
            bad = Some((names[q], *max, worst[q].1));
        }
    }
    if let Some((quantity, off, at)) = bad {
        let show = |o: &TsMapOutput| {
            let [errn, errp, ul] = [&o.norm_errn, &o.norm_errp, &o.norm_ul].map(|m| optional(m, at));
            format!(
                "norm {} +- {} -{errn} +{errp} ul {ul} ts {} niter {} status {}",
                o.norm[at], o.norm_err[at], o.ts[at], o.niter[at], o.status[at]
            )
        };
        panic!("{name}: {quantity} off by {off:e} at {at:?}\n got {}\nwant {}", show(got), show(want));
    }
}

fn reference() -> &'static dyn Engine {
    static REFERENCE: OnceLock<Backend> = OnceLock::new();
    REFERENCE.get_or_init(Backend::reference).engine()
}

/// Both engines on one run, compared.
fn check<'a>(name: &str, gpu: &'a dyn Engine, data: &TsMapData<'a>, run: &TsMapRun<'_>) -> TsMapOutput {
    let control = Control::new();
    let started = std::time::Instant::now();
    let got = gpu.ts_map(data, run, &control).unwrap();
    let gpu_seconds = started.elapsed().as_secs_f64();
    let started = std::time::Instant::now();
    let want = reference().ts_map(data, run, &control).unwrap();
    println!("{name}: gpu {gpu_seconds:.2} s, reference {:.2} s", started.elapsed().as_secs_f64());
    compare(name, &got, &want);
    got
}

#[test]
fn sparse_and_dense_skies_equal_the_reference() {
    let Some(gpu) = engine() else { return };
    for (name, level, source) in [
        ("empty", 1e-4, 0.0),
        ("sparse", 0.02, 20.0),
        ("medium", 0.5, 100.0),
        ("dense", 20.0, 2e3),
        ("bright", 0.1, 3e6),
    ] {
        let sky = Sky::new(1, (3, 40, 52), (9, 11), level, source);
        let mask = Array2::from_elem((40, 52), true);
        check(name, gpu, &sky.data(), &run_of(sky.kernel.view(), &mask, &TsMapSettings::default()));
    }
}

#[test]
fn faint_skies_with_far_tails_stay_on_the_device() {
    let Some(gpu) = engine() else { return };
    // Kernel values fall by 18 orders of magnitude: poles and errn lie up to 10^13 times farther out than the bound.
    let settings = TsMapSettings { sensitivity: true, ..TsMapSettings::default() };
    for (level, most_on_host) in [(1e-3, 60), (0.1, 20)] {
        let sky = Sky::new(13, (1, 48, 64), (21, 21), level, 10.0);
        let mask = Array2::from_elem((48, 64), true);
        let run = run_of(sky.kernel.view(), &mask, &settings);
        check(&format!("faint {level}"), gpu, &sky.data(), &run);
        let on_host = std::sync::Arc::new(std::sync::Mutex::new(0));
        let seen = on_host.clone();
        let control = Control::new().with_observer(move |p| {
            if p.stage == "fit in double precision" {
                *seen.lock().unwrap() = p.total;
            }
        });
        gpu.ts_map(&sky.data(), &run, &control).unwrap();
        assert!(*on_host.lock().unwrap() <= most_on_host, "{on_host:?} pixels were left to the host");
    }
}

#[test]
fn errors_whose_first_guess_is_the_root() {
    let Some(gpu) = engine() else { return };
    // All bins with counts have the same ratio of model to background: then the first guess is exact but for rounding,
    // and itself an end of the bracket.
    let mut sky = Sky::new(17, (2, 24, 26), (7, 7), 1.0, 0.0);
    sky.kernel.fill(1.0 / 49.0);
    sky.exposure.fill(1.0);
    let mask = Array2::from_elem((24, 26), true);
    for level in [0.02, 0.3, 4.0, 500.0] {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        sky.background.fill(level);
        sky.counts.mapv_inplace(|_| poisson(&mut rng, 1.3 * level));
        for n_sigma in [0.4, 1.0, 2.5] {
            let settings = TsMapSettings { n_sigma, n_sigma_ul: 2.0 * n_sigma, ..TsMapSettings::default() };
            let run = run_of(sky.kernel.view(), &mask, &settings);
            check(&format!("flat, {level} a bin, {n_sigma} sigmas"), gpu, &sky.data(), &run);
        }
    }
}

#[test]
fn kernels_larger_than_the_map_and_maps_of_one_pixel() {
    let Some(gpu) = engine() else { return };
    let settings = TsMapSettings::default();
    for (name, shape, window) in [
        ("one pixel", (2, 1, 1), (1, 1)),
        ("one pixel, wide kernel", (1, 1, 1), (7, 5)),
        ("kernel larger than the map", (2, 9, 6), (31, 23)),
        ("one row", (2, 1, 45), (5, 9)),
        ("one column", (2, 45, 1), (9, 5)),
        ("long kernel", (1, 20, 33), (45, 3)),
    ] {
        let sky = Sky::new(2, shape, window, 0.3, 10.0);
        let mask = Array2::from_elem((shape.1, shape.2), true);
        check(name, gpu, &sky.data(), &run_of(sky.kernel.view(), &mask, &settings));
    }
}

#[test]
fn kernels_beyond_the_loop_limit_are_cut() {
    let Some(_) = engine() else { return };
    // Some adapters end loops after 65535 steps without a word; here a plane of 1363 cells needs several dispatches.
    static FEW_STEPS: OnceLock<GpuEngine> = OnceLock::new();
    let few_steps = FEW_STEPS.get_or_init(|| open().unwrap().with_step_limit(700));
    let sky = Sky::new(14, (2, 36, 40), (47, 29), 0.3, 10.0);
    let mask = Array2::from_elem((36, 40), true);
    let settings = TsMapSettings { sensitivity: true, ..TsMapSettings::default() };
    check("few steps", few_steps, &sky.data(), &run_of(sky.kernel.view(), &mask, &settings));
    // What reaches beyond the map is left out.
    let mut wide = Sky::new(14, (1, 18, 20), (5, 5), 0.3, 10.0);
    wide.kernel = Array3::from_shape_fn((1, 501, 501), |(_, y, x)| 1e-5 * (1.0 + 1e-3 * y as f64 + 2e-3 * x as f64));
    let mask = Array2::from_elem((18, 20), true);
    check("501 x 501", few_steps, &wide.data(), &run_of(wide.kernel.view(), &mask, &settings));
}

#[test]
fn masks_and_holes_and_counts_without_model() {
    let Some(gpu) = engine() else { return };
    let mut sky = Sky::new(3, (2, 36, 40), (9, 9), 0.05, 30.0);
    // A masked corner, a corner without exposure but with counts, a few bins without background, with and without counts.
    for cube in [&mut sky.counts, &mut sky.background, &mut sky.exposure] {
        cube.slice_mut(ndarray::s![.., ..8, ..12]).fill(0.0);
    }
    sky.exposure.slice_mut(ndarray::s![.., 26.., 28..]).fill(0.0);
    sky.background[[0, 20, 10]] = 0.0;
    sky.background[[1, 12, 30]] = 0.0;
    sky.counts[[1, 12, 30]] = 2.0;
    let mut mask = Array2::from_elem((36, 40), true);
    mask.slice_mut(ndarray::s![17.., ..6]).fill(false);
    let settings = TsMapSettings { sensitivity: true, ..TsMapSettings::default() };
    let output = check("holes", gpu, &sky.data(), &run_of(sky.kernel.view(), &mask, &settings));
    let any = |bit: u32| output.status.iter().any(|s| s & bit != 0);
    for (bit, name) in TsMapStatus::ALL {
        let absent = [TsMapStatus::BELOW_THRESHOLD, TsMapStatus::NOT_CONVERGED, TsMapStatus::APPROXIMATE];
        assert!(absent.contains(&bit) || any(bit), "the test has no pixel with {name}");
    }
}

#[test]
fn joint_fits_of_inputs_with_kernels_of_different_shapes() {
    let Some(gpu) = engine() else { return };
    let a = Sky::new(4, (3, 30, 34), (9, 5), 0.4, 50.0);
    let b = Sky::new(5, (2, 30, 34), (3, 13), 0.05, 20.0);
    let counts = b.counts.mapv(|n| (n * 1.37) as f32);
    let (background, exposure) = (b.background.mapv(|v| v as f32), b.exposure.mapv(|v| v as f32));
    let single = TsMapInput {
        counts: CubeView::F32(counts.view()),
        background: CubeView::F32(background.view()),
        exposure: CubeView::F32(exposure.view()),
    };
    let data = TsMapData::new(vec![a.input(), single]).unwrap();
    let mask = Array2::from_elem((30, 34), true);
    let run = TsMapRun {
        planes: vec![1..3, 0..2],
        kernels: vec![a.kernel.slice(ndarray::s![1.., .., ..]), b.kernel.view()],
        fit_mask: mask.view(),
        norm_guess: None,
        settings: TsMapSettings::default(),
    };
    check("joint", gpu, &data, &run);
    let one_empty = TsMapRun {
        planes: vec![0..0, 1..2],
        kernels: vec![a.kernel.slice(ndarray::s![..0, .., ..]), b.kernel.slice(ndarray::s![1.., .., ..])],
        ..run
    };
    check("one input without planes", gpu, &data, &one_empty);
}

#[test]
fn settings_are_honoured() {
    let Some(gpu) = engine() else { return };
    let sky = Sky::new(6, (2, 32, 30), (7, 7), 0.3, 60.0);
    let mask = Array2::from_elem((32, 30), true);
    let data = sky.data();
    let sigmas = TsMapSettings { n_sigma: 2.5, n_sigma_ul: 3.5, ..TsMapSettings::default() };
    check("n_sigma", gpu, &data, &run_of(sky.kernel.view(), &mask, &sigmas));
    let bare = TsMapSettings { errn_errp: false, ul: false, ..TsMapSettings::default() };
    let output = check("norm only", gpu, &data, &run_of(sky.kernel.view(), &mask, &bare));
    assert!(output.norm_errn.is_none() && output.norm_ul.is_none());
    let only_ul =
        TsMapSettings { errn_errp: false, sensitivity: true, n_sigma_sensitivity: 4.5, ..TsMapSettings::default() };
    let output = check("ul and sensitivity", gpu, &data, &run_of(sky.kernel.view(), &mask, &only_ul));
    assert!(output.norm_sensitivity.is_some());
    let guess = Array2::from_shape_fn((32, 30), |(y, x)| 0.2 * y as f64 + if x == 3 { f64::NAN } else { 0.0 });
    let threshold = TsMapSettings { threshold: Some(1.0), ..TsMapSettings::default() };
    let run = TsMapRun { norm_guess: Some(guess.view()), ..run_of(sky.kernel.view(), &mask, &threshold) };
    let output = check("threshold", gpu, &data, &run);
    assert!(output.status.iter().any(|s| s & TsMapStatus::BELOW_THRESHOLD != 0));
}

#[test]
fn single_kernels_equal_their_twins() {
    let Some(gpu) = engine() else { return };
    let control = Control::new();
    let sky = Sky::new(7, (3, 37, 41), (11, 21), 0.5, 100.0);
    let cube = CubeView::F64(sky.counts.view());
    let skewed = Array3::from_shape_fn((1, 5, 75), |(_, y, x)| 1.0 + 0.1 * y as f64 - 0.01 * x as f64);
    for kernel in [sky.kernel.view(), skewed.view()] {
        let job = ConvolveJob { cube, kernel };
        let (got, want) = (gpu.convolve(&job, &control).unwrap(), reference().convolve(&job, &control).unwrap());
        let off = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let top = want.iter().copied().fold(0.0, f64::max);
        assert!(off < 2e-7 * top, "convolve: {off:e} of {top}");
    }
    let matrix = Array2::from_shape_fn((3, 2), |(t, r)| 0.1 + t as f64 * 0.3 + r as f64 * 0.2);
    let job = EdispJob { cube, matrix: matrix.view() };
    let (got, want) = (gpu.apply_edisp(&job, &control).unwrap(), reference().apply_edisp(&job, &control).unwrap());
    let off = got.iter().zip(&want).map(|(a, b)| (a - b).abs() / b.max(1e-3)).fold(0.0, f64::max);
    assert!(off < 2e-7, "edisp: {off:e}");

    let mut npred = sky.background.clone();
    npred[[0, 3, 4]] = 0.0;
    let mask = Array3::from_shape_fn(npred.dim(), |(_, y, x)| (y + x) % 7 != 0);
    for mask in [None, Some(mask.view())] {
        let job = CashSumJob { counts: cube, npred: CubeView::F64(npred.view()), mask };
        let (got, want) = (gpu.cash_sum(&job, &control).unwrap(), reference().cash_sum(&job, &control).unwrap());
        assert!((got / want - 1.0).abs() < 2e-8, "cash sum: {got} for {want}");
    }
    let dim = npred.dim();
    let exact = (Array3::from_elem(dim, 3.0), Array3::from_elem(dim, 2.5));
    let job = CashSumJob { counts: CubeView::F64(exact.0.view()), npred: CubeView::F64(exact.1.view()), mask: None };
    let (got, want) = (gpu.cash_sum(&job, &control).unwrap(), reference().cash_sum(&job, &control).unwrap());
    assert!((got / want - 1.0).abs() < 1e-9, "the logarithm in two floats: {got} for {want}");
}

#[test]
fn the_same_bits_twice_and_for_any_bands_and_slabs() {
    let Some(gpu) = engine() else { return };
    let control = Control::new();
    let sky = Sky::new(8, (4, 50, 45), (7, 9), 0.3, 40.0);
    let mask = Array2::from_shape_fn((50, 45), |(y, x)| (y * x) % 11 != 3);
    let run = run_of(sky.kernel.view(), &mask, &TsMapSettings::default());
    let whole = gpu.ts_map(&sky.data(), &run, &control).unwrap();
    let again = gpu.ts_map(&sky.data(), &run, &control).unwrap();
    assert_same_bits(&whole, &again);
    // 2250 pixels: state takes 180 kB, a plane 9 kB. Bands of 48 and of 16 rows, slabs of three and of one plane.
    for limit in [175_000, 100_000, 28_000 * 3] {
        let small = open().unwrap().with_binding_limit(limit);
        assert_same_bits(&whole, &small.ts_map(&sky.data(), &run, &control).unwrap());
    }
}

fn assert_same_bits(a: &TsMapOutput, b: &TsMapOutput) {
    let maps = |o: &TsMapOutput| {
        let [errn, errp, ul] = [&o.norm_errn, &o.norm_errp, &o.norm_ul].map(|m| m.clone().unwrap());
        [o.norm.clone(), o.norm_err.clone(), o.ts.clone(), o.stat_null.clone(), errn, errp, ul]
    };
    for (q, (a, b)) in maps(a).iter().zip(maps(b)).enumerate() {
        for ((at, a), b) in a.indexed_iter().zip(&b) {
            assert_eq!(a.to_bits(), b.to_bits(), "quantity {q} at {at:?}: {a} and {b}");
        }
    }
    assert_eq!(a.status, b.status);
}

#[test]
fn a_plane_larger_than_a_binding_is_cut_into_rows() {
    let Some(_) = engine() else { return };
    let sky = Sky::new(9, (2, 600, 8), (5, 5), 0.5, 30.0);
    let mask = Array2::from_elem((600, 8), true);
    let run = run_of(sky.kernel.view(), &mask, &TsMapSettings::default());
    // A band of 16 rows needs 10 kB, the kernel 13 kB, a plane 19 kB.
    static SMALL: OnceLock<GpuEngine> = OnceLock::new();
    let small = SMALL.get_or_init(|| open().unwrap().with_binding_limit(14_000));
    check("small bindings", small, &sky.data(), &run);
    let control = Control::new();
    let error = open().unwrap().with_binding_limit(5_000).ts_map(&sky.data(), &run, &control).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Memory, "{error}");
}

#[test]
fn cancel_ends_a_run_and_progress_reaches_the_end() {
    let Some(gpu) = engine() else { return };
    let sky = Sky::new(10, (2, 40, 40), (9, 9), 0.3, 40.0);
    let mask = Array2::from_elem((40, 40), true);
    let run = run_of(sky.kernel.view(), &mask, &TsMapSettings::default());
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen_by = seen.clone();
    let watched = Control::new().with_observer(move |p| seen_by.lock().unwrap().push(p));
    gpu.ts_map(&sky.data(), &run, &watched).unwrap();
    let fits: Vec<_> = seen.lock().unwrap().iter().filter(|p| p.stage == "fit").copied().collect();
    assert!(fits.windows(2).all(|w| w[0].done <= w[1].done), "{fits:?}");
    assert_eq!(fits.last().map(|p| (p.done, p.total)), Some((1600, 1600)));

    let cancelled = Control::new();
    let token = cancelled.clone();
    let cancelled = cancelled.with_observer(move |p| {
        if p.stage == "fit" && p.done > 0 {
            token.cancel()
        }
    });
    let error = gpu.ts_map(&sky.data(), &run, &cancelled).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn a_lost_device_is_a_device_error() {
    let Some(_) = engine() else { return };
    let sky = Sky::new(11, (2, 40, 40), (9, 9), 0.3, 40.0);
    let mask = Array2::from_elem((40, 40), true);
    let run = run_of(sky.kernel.view(), &mask, &TsMapSettings::default());
    let gpu = std::sync::Arc::new(open().unwrap());
    let doomed = gpu.clone();
    let control = Control::new().with_observer(move |p| {
        if p.stage == "fit" && p.done > 0 {
            doomed.destroy()
        }
    });
    let error = gpu.ts_map(&sky.data(), &run, &control).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device, "{error}");
    assert!(error.to_string().contains("lost"), "{error}");
    let error = gpu.ts_map(&sky.data(), &run, &Control::new()).unwrap_err();
    assert!(error.to_string().contains("lost"), "{error}");
}

#[test]
fn the_stand_in_takes_over_when_the_device_is_lost_or_too_small() {
    let Some(_) = engine() else { return };
    let sky = Sky::new(11, (2, 40, 40), (9, 9), 0.3, 40.0);
    let mask = Array2::from_elem((40, 40), true);
    let run = run_of(sky.kernel.view(), &mask, &TsMapSettings::default());
    let want = reference().ts_map(&sky.data(), &run, &Control::new()).unwrap();
    let reference_engine = || std::sync::Arc::new(pevatron::compute::reference::ReferenceEngine::new());

    let gpu = std::sync::Arc::new(open().unwrap());
    let doomed = gpu.clone();
    let control = Control::new().with_observer(move |p| {
        if p.stage == "fit" && p.done > 0 {
            doomed.destroy();
        }
    });
    let net = FallbackEngine::new(gpu, reference_engine());
    assert_eq!(net.info().name, "gpu");
    assert_eq!(net.ts_map(&sky.data(), &run, &control).unwrap(), want);
    assert_eq!(net.info().name, "reference");
    assert!(net.info().reason.contains("lost"), "{:?}", net.info());
    assert_eq!(net.ts_map(&sky.data(), &run, &control).unwrap(), want);

    let small = std::sync::Arc::new(open().unwrap().with_binding_limit(5_000));
    let net = FallbackEngine::new(small, reference_engine());
    let told = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let tell = told.clone();
    let control = Control::new().with_observer(move |p| {
        tell.fetch_or(p.stage == TAKEN_OVER, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(net.ts_map(&sky.data(), &run, &control).unwrap(), want);
    assert!(told.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!(net.info().name, "gpu", "memory may suffice for the next job");
}

/// A device as another program would have it.
fn foreign(limits: wgpu::Limits) -> (wgpu::Device, wgpu::Queue) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).unwrap();
    let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..Default::default() };
    pollster::block_on(adapter.request_device(&descriptor)).unwrap()
}

#[test]
fn a_callers_device_works_keeps_its_callbacks_and_is_checked() {
    let Some(_) = engine() else { return };
    let (device, queue) = foreign(wgpu::Limits::default());
    let errors = std::sync::Arc::new(std::sync::Mutex::new(0));
    let count = errors.clone();
    device.on_uncaptured_error(std::sync::Arc::new(move |_| *count.lock().unwrap() += 1));
    let backend = Backend::from_wgpu(device.clone(), queue).unwrap();
    assert_eq!(backend.info().name, "gpu");
    let sky = Sky::new(12, (2, 20, 20), (5, 5), 0.3, 40.0);
    let mask = Array2::from_elem((20, 20), true);
    let run = run_of(sky.kernel.view(), &mask, &TsMapSettings::default());
    let got = backend.engine().ts_map(&sky.data(), &run, &Control::new()).unwrap();
    compare("a caller's device", &got, &reference().ts_map(&sky.data(), &run, &Control::new()).unwrap());
    // The caller's own mistakes still reach the caller.
    let _too_large = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::MAX / 2,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    assert_eq!(*errors.lock().unwrap(), 1);
    device.destroy();
    let error = backend.engine().ts_map(&sky.data(), &run, &Control::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device, "{error}");

    let low = wgpu::Limits { max_compute_invocations_per_workgroup: 64, ..wgpu::Limits::default() };
    let (device, queue) = foreign(low);
    let error = Backend::from_wgpu(device, queue).unwrap_err();
    assert!(error.to_string().contains("max_compute_invocations_per_workgroup is 64, 256 is needed"), "{error}");
}

#[test]
fn backends_are_chosen_and_say_why() {
    let choice = |text: &str| text.parse().unwrap();
    let Some(_) = engine() else {
        let error = Backend::new(&BackendOptions { choice: choice("gpu"), ..Default::default() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Device, "{error}");
        return;
    };
    let gpu = Backend::new(&BackendOptions { choice: choice("gpu"), ..Default::default() }).unwrap();
    assert_eq!(gpu.info().name, "gpu");
    assert!(!gpu.info().reason.is_empty());
    let unknown = BackendOptions { choice: choice("gpu"), adapter: Some("no such thing".into()), ..Default::default() };
    assert!(matches!(Backend::new(&unknown), Err(Error::Options { .. })));
    let software_only = pevatron::compute::gpu::adapters().iter().all(|a| a.software);
    let auto = Backend::new(&BackendOptions::default()).unwrap();
    assert_eq!(auto.info().name, if software_only { "cpu" } else { "gpu" }, "{:?}", auto.info());
}
