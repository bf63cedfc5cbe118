//! The bodies: each takes a subject and compares it with the reference.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{Array2, Array3, s};
use pevatron::compute::Backend;
use pevatron::kernels::cube::CubeView;
use pevatron::kernels::{
    CashSumJob, ConvolveJob, EdispJob, TsMapData, TsMapInput, TsMapOutput, TsMapRun, TsMapSettings, TsMapStatus,
};
use pevatron::simulate::synthetic::{Case, Dataset, Survey, add_source};
use pevatron::{Control, Error};

use super::Subject;
use crate::support::compare::compare;

macro_rules! tests {
    ($($body:ident),* $(,)?) => {
        $(#[test]
        fn $body() {
            if let Some(engine) = (SUBJECT.make)(None) {
                bodies::$body(&SUBJECT, &engine);
            }
        })*
    };
}
pub(crate) use tests;

/// Runs a case on both engines and compares.
fn check(subject: &Subject, engine: &Backend, case: &Case) {
    let control = Control::new();
    let reference = Backend::reference();
    let data = case.data().unwrap();
    let want = reference.engine().ts_map(&data, &case.run(), &control).unwrap();
    let got = engine.engine().ts_map(&data, &case.run(), &control).unwrap();
    let report = compare(case, &got, &want, subject.tolerance);
    print!("{} {}:", subject.name, case.name);
    for (quantity, worst, median) in report {
        print!(" {quantity} {median:.0e}/{worst:.0e}");
    }
    println!();
}

/// From nearly empty to dense.
pub fn surveys(subject: &Subject, engine: &Backend) {
    for (seed, occupancy) in [(1, 0.003), (2, 0.03), (3, 0.15), (4, 0.6), (5, 0.95)] {
        let survey = Survey { seed, occupancy, ..Survey::default() };
        check(subject, engine, &survey.case(&format!("occupancy {occupancy}")));
        let exact = survey.case("exact sums").with(|case| case.settings.exact = true);
        check(subject, engine, &exact);
    }
    let dense =
        Survey { shape: (40, 44), planes: 4, half: (12, 12), occupancy: 0.6, sources: 4, seed: 6, ..Survey::default() };
    check(subject, engine, &dense.case("dense, large kernel"));
    // Enough bins per window for transforms of the moments; bright sources force some windows out of them.
    let transformed =
        Survey { shape: (64, 90), planes: 8, half: (16, 16), occupancy: 0.65, sources: 6, seed: 8, ..dense };
    let thinned = transformed.case("dense enough for transforms").with(|case| {
        case.fit_mask = Array2::from_shape_fn(case.fit_mask.dim(), |(y, x)| (y * 7 + x) % 13 == 0);
    });
    check(subject, engine, &thinned);
    let steep = Survey { planes: 6, occupancy: 0.02, spectrum: 1e3, seed: 7, ..Survey::default() };
    check(subject, engine, &steep.case("steep spectrum"));
}

/// Odd maps and kernels: one pixel, one row, kernels longer one way, larger than the map.
pub fn shapes(subject: &Subject, engine: &Backend) {
    for (seed, (shape, half)) in [
        ((1, 1), (0, 0)),
        ((1, 1), (2, 3)),
        ((1, 17), (1, 2)),
        ((19, 1), (2, 2)),
        ((5, 6), (9, 7)),
        ((13, 300), (1, 5)),
    ]
    .into_iter()
    .enumerate()
    {
        for occupancy in [0.1, 0.7] {
            let survey = Survey { shape, half, occupancy, seed: seed as u64, ..Survey::default() };
            check(subject, engine, &survey.case(&format!("map {shape:?}, half kernel {half:?}")));
        }
    }
}

/// Masked pixels, masked bins, nothing to fit, no map at all.
pub fn masks(subject: &Subject, engine: &Backend) {
    let survey = Survey { seed: 11, ..Survey::default() };
    let checkered = survey.case("checkered mask").with(|case| {
        case.fit_mask = Array2::from_shape_fn(case.fit_mask.dim(), |(y, x)| (y / 3 + x / 5) % 2 == 0);
    });
    check(subject, engine, &checkered);
    check(subject, engine, &survey.case("nothing to fit").with(|case| case.fit_mask.fill(false)));
    let holes = survey.case("masked bins").with(|case| {
        let bins = s![.., 5..20, 8..23];
        let data = &mut case.datasets[0];
        for cube in [&mut data.counts, &mut data.background, &mut data.exposure] {
            cube.slice_mut(bins).fill(0.0);
        }
    });
    check(subject, engine, &holes);
    let no_exposure = survey.case("no exposure").with(|case| case.datasets[0].exposure.fill(0.0));
    check(subject, engine, &no_exposure);
    let none = Survey { shape: (0, 5), sources: 0, ..survey };
    let empty = Case::new(
        "no map",
        vec![Dataset {
            counts: Array3::zeros((3, 0, 5)),
            background: Array3::zeros((3, 0, 5)),
            exposure: Array3::zeros((3, 0, 5)),
            kernel: Survey { shape: (4, 5), ..none }.dataset().kernel,
        }],
    );
    check(subject, engine, &empty);
}

/// Several datasets whose kernels differ in shape and whose planes differ in number.
pub fn joint(subject: &Subject, engine: &Backend) {
    let datasets = [(1, (2, 5), 0.1), (4, (5, 1), 0.3), (2, (3, 3), 0.02)].into_iter().enumerate().map(
        |(seed, (planes, half, occupancy))| {
            Survey { planes, half, occupancy, seed: 20 + seed as u64, ..Survey::default() }.dataset()
        },
    );
    check(subject, engine, &Case::new("joint", datasets.collect()));
}

/// Bins without background, with and without counts; background that varies by orders of magnitude.
pub fn backgrounds(subject: &Subject, engine: &Backend) {
    let survey = Survey { seed: 31, ..Survey::default() };
    let zero = |counts: f32| {
        survey.case(&format!("zero background, counts {counts}")).with(|case| {
            let data = &mut case.datasets[0];
            for (p, y, x) in [(0, 3, 4), (1, 12, 20), (2, 13, 21)] {
                data.background[[p, y, x]] = 0.0;
                data.counts[[p, y, x]] = counts;
            }
        })
    };
    check(subject, engine, &zero(0.0));
    check(subject, engine, &zero(2.0));
    let edge = survey.case("no background on one side").with(|case| {
        let data = &mut case.datasets[0];
        data.background.slice_mut(s![.., .., 20..]).fill(0.0);
        data.counts.slice_mut(s![.., .., 20..]).fill(0.0);
    });
    check(subject, engine, &edge);
    let wild = survey.case("wild background").with(|case| {
        for ((_, y, x), b) in case.datasets[0].background.indexed_iter_mut() {
            *b *= 10f32.powi(((y * 7 + x * 3) % 9) as i32 - 6);
        }
    });
    check(subject, engine, &wild);
}

/// A million counts in a bin, from a source or in the background.
pub fn bright(subject: &Subject, engine: &Backend) {
    let survey = Survey { seed: 41, sources: 0, ..Survey::default() };
    let source = survey.case("bright source").with(|case| {
        let data = &mut case.datasets[0];
        let mut expected = data.counts.mapv(f64::from);
        let peak = data.kernel.iter().fold(0.0f64, |a, b| a.max(*b)) * f64::from(data.exposure[[0, 12, 15]]);
        add_source(&mut expected, &data.exposure, &data.kernel, (12, 15), 1e6 / peak);
        data.counts = expected.mapv(|v| v.round() as f32);
    });
    check(subject, engine, &source);
    let known = source.with(|case| {
        case.name = String::from("bright background");
        let data = &mut case.datasets[0];
        data.background = data.counts.mapv(|n| n * 1.001 + 0.1);
    });
    check(subject, engine, &known);
}

/// Empty windows, windows with one bin, counts that are not integers, flat kernels.
pub fn sparse(subject: &Subject, engine: &Backend) {
    let empty = Survey { seed: 51, sources: 0, ..Survey::default() };
    check(subject, engine, &empty.case("no counts").with(|case| case.datasets[0].counts.fill(0.0)));
    let single = empty.case("single bins").with(|case| {
        let counts = &mut case.datasets[0].counts;
        counts.fill(0.0);
        counts[[0, 4, 5]] = 1.0;
        counts[[1, 16, 20]] = 3.0;
        counts[[2, 17, 5]] = 1.0;
    });
    check(subject, engine, &single);
    let fractions = empty.case("fractions of counts").with(|case| case.datasets[0].counts.mapv_inplace(|n| n * 0.37));
    check(subject, engine, &fractions);
    let flat = empty.case("flat kernel").with(|case| case.datasets[0].kernel.fill(1.0 / 81.0));
    check(subject, engine, &flat);
    let gaps = empty.case("kernel with zeros and faint tails").with(|case| {
        for ((_, u, v), k) in case.datasets[0].kernel.indexed_iter_mut() {
            *k *= [1.0, 0.0, 1e-9, 1.0][(u + 2 * v) % 4];
        }
    });
    check(subject, engine, &gaps);
}

/// The first guess and its threshold.
pub fn thresholds(subject: &Subject, engine: &Backend) {
    for (threshold, guess) in [(4.0, 0.0), (25.0, 0.05), (-1.0, 0.01), (1e9, -0.2)] {
        let case = Survey { seed: 61, occupancy: 0.3, ..Survey::default() }
            .case(&format!("threshold {threshold}, guess {guess}"))
            .with(|case| {
                case.settings.threshold = Some(threshold);
                let mut map = Array2::from_elem(case.fit_mask.dim(), guess);
                map[[3, 3]] = f64::NAN;
                case.guess = Some(map);
            });
        check(subject, engine, &case);
    }
}

/// Other numbers of sigmas, fewer maps, the sensitivity.
pub fn settings(subject: &Subject, engine: &Backend) {
    let survey = Survey { shape: (11, 13), seed: 71, ..Survey::default() };
    let base = TsMapSettings::default();
    for (name, settings) in [
        ("three sigmas", TsMapSettings { n_sigma: 3.0, n_sigma_ul: 3.0, ..base.clone() }),
        ("small errors", TsMapSettings { n_sigma: 0.1, n_sigma_ul: 5.0, ..base.clone() }),
        ("norm only", TsMapSettings { errn_errp: false, ul: false, ..base.clone() }),
        ("limit only", TsMapSettings { errn_errp: false, ..base.clone() }),
        ("sensitivity", TsMapSettings { sensitivity: true, ..base.clone() }),
    ] {
        check(subject, engine, &survey.case(name).with(|case| case.settings = settings));
    }
}

/// Sensitivities over backgrounds from next to nothing to many counts, for few and for many sigmas, beside bins without
/// background, and where there are no counts at all.
pub fn sensitivities(subject: &Subject, engine: &Backend) {
    let survey = Survey { shape: (21, 26), ..Survey::default() };
    for (seed, (occupancy, spectrum, half)) in
        [(1e-4, 10.0, 4), (0.03, 1e4, 4), (0.6, 10.0, 7), (0.95, 1.0, 2), (0.15, 10.0, 0)].into_iter().enumerate()
    {
        for n_sigma in [0.3, 5.0, 40.0] {
            let survey = Survey { occupancy, spectrum, half: (half, half), seed: 120 + seed as u64, ..survey };
            let case = survey.case(&format!("sensitivity, {n_sigma} sigmas, occupancy {occupancy}")).with(|case| {
                case.settings.sensitivity = true;
                case.settings.n_sigma_sensitivity = n_sigma;
            });
            check(subject, engine, &case);
        }
    }
    let odd = survey.case("sensitivity, holes and no counts").with(|case| {
        case.settings.sensitivity = true;
        let data = &mut case.datasets[0];
        data.counts.fill(0.0);
        data.background[[1, 4, 5]] = 0.0;
        data.background.slice_mut(s![.., .., 20..]).mapv_inplace(|b| b * 1e-6);
        data.exposure.slice_mut(s![.., 15.., ..]).fill(0.0);
    });
    check(subject, engine, &odd);
}

/// A kernel of 201 x 201 pixels, sparse and dense.
pub fn wide(subject: &Subject, engine: &Backend) {
    for occupancy in [0.01, 0.6] {
        let survey =
            Survey { shape: (205, 212), planes: 2, half: (100, 100), occupancy, seed: 131, ..Survey::default() };
        let case = survey.case(&format!("201 x 201, occupancy {occupancy}")).with(|case| {
            case.fit_mask = Array2::from_shape_fn(case.fit_mask.dim(), |at| {
                [(0, 0), (3, 120), (101, 104), (102, 107), (150, 30), (204, 211)].contains(&at)
            });
        });
        check(subject, engine, &case);
    }
}

/// Prepared once, run over groups of planes; double-precision input.
pub fn ranges(subject: &Subject, engine: &Backend) {
    let case = Survey { planes: 5, occupancy: 0.05, spectrum: 100.0, seed: 81, ..Survey::default() }.case("ranges");
    let control = Control::new();
    let data = case.data().unwrap();
    let reference = Backend::reference();
    let (ours, theirs) = (engine.engine().prepare(&data, &control), reference.engine().prepare(&data, &control));
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    for range in [0..2, 2..3, 3..5, 0..5, 4..4] {
        let run = case.run_over(range);
        let (got, want) = (ours.run(&run, &control).unwrap(), theirs.run(&run, &control).unwrap());
        compare(&case, &got, &want, subject.tolerance);
    }
    let wide = case.datasets[0].clone();
    let [counts, background, exposure] = [&wide.counts, &wide.background, &wide.exposure].map(|a| a.mapv(f64::from));
    let data = TsMapData::new(vec![TsMapInput {
        counts: CubeView::F64(counts.view()),
        background: CubeView::F64(background.view()),
        exposure: CubeView::F64(exposure.view()),
    }])
    .unwrap();
    let got = engine.engine().ts_map(&data, &case.run(), &control).unwrap();
    let want = theirs.run(&case.run(), &control).unwrap();
    compare(&case, &got, &want, subject.tolerance);
}

/// The same bits twice, and with any number of threads.
pub fn threads(subject: &Subject, engine: &Backend) {
    for occupancy in [0.05, 0.6] {
        let case = Survey { shape: (33, 290), occupancy, seed: 91, ..Survey::default() }.case("threads");
        let control = Control::new();
        let data = case.data().unwrap();
        let run = case.run();
        let bits = |map: &Array2<f64>| map.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let first = engine.engine().ts_map(&data, &run, &control).unwrap();
        for threads in [1, 2, 3] {
            let Some(other) = (subject.make)(Some(threads)) else { return };
            let data = case.data().unwrap();
            let again = other.engine().ts_map(&data, &run, &control).unwrap();
            for (a, b) in [
                (&first.norm, &again.norm),
                (&first.ts, &again.ts),
                (&first.stat_null, &again.stat_null),
                (first.norm_errn.as_ref().unwrap(), again.norm_errn.as_ref().unwrap()),
                (first.norm_ul.as_ref().unwrap(), again.norm_ul.as_ref().unwrap()),
            ] {
                assert!(bits(a) == bits(b), "{}: other bits with {threads} threads", subject.name);
            }
        }
    }
}

/// Runs of other sizes in between change nothing: an engine keeps its working memory, not what is in it.
pub fn again(subject: &Subject, engine: &Backend) {
    let control = Control::new();
    let dense = Survey { planes: 10, occupancy: 0.9, seed: 111, ..Survey::default() };
    let cases: Vec<Case> =
        [(24, 28, 30), (24, 31, 4), (24, 28, 15), (70, 20, 14), (12, 9, 44), (24, 28, 15), (24, 31, 4)]
            .into_iter()
            .map(|(ny, nx, half)| Survey { shape: (ny, nx), half: (half, half), ..dense }.case("again"))
            .map(|case| case.with(|case| case.fit_mask.slice_mut(s![8.., ..]).fill(false)))
            .collect();
    for case in &cases {
        let Some(fresh) = (subject.make)(None) else { return };
        let data = case.data().unwrap();
        let want = fresh.engine().ts_map(&data, &case.run(), &control).unwrap();
        let got = engine.engine().ts_map(&data, &case.run(), &control).unwrap();
        assert_same_bits(&got, &want, &format!("{} of {:?}", subject.name, data.shape()));
    }
}

/// All outputs, bit by bit.
fn assert_same_bits(got: &TsMapOutput, want: &TsMapOutput, what: &str) {
    let bits = |map: &Array2<f64>| map.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let maps = |output: &TsMapOutput| {
        let TsMapOutput { norm, norm_err, norm_errn, norm_errp, norm_ul, .. } = output;
        let TsMapOutput { norm_sensitivity, ts, stat_null, npred_null, npred_reference, .. } = output;
        [
            ("norm", Some(bits(norm))),
            ("norm_err", Some(bits(norm_err))),
            ("norm_errn", norm_errn.as_ref().map(bits)),
            ("norm_errp", norm_errp.as_ref().map(bits)),
            ("norm_ul", norm_ul.as_ref().map(bits)),
            ("norm_sensitivity", norm_sensitivity.as_ref().map(bits)),
            ("ts", Some(bits(ts))),
            ("stat_null", Some(bits(stat_null))),
            ("npred_null", Some(bits(npred_null))),
            ("npred_reference", Some(bits(npred_reference))),
        ]
    };
    for ((name, got), (_, want)) in maps(got).into_iter().zip(maps(want)) {
        assert!(got == want, "{what}: {name}");
    }
    assert!(got.niter == want.niter && got.status == want.status, "{what}: niter or status");
}

/// Many kernels in one call are as many calls, whether they are alike or not, and whatever the threads.
pub fn many(subject: &Subject, engine: &Backend) {
    let control = Control::new();
    let sparse = Survey { shape: (30, 41), planes: 3, half: (5, 5), occupancy: 0.05, seed: 131, ..Survey::default() };
    let dense = Survey { shape: (40, 44), planes: 8, half: (16, 16), occupancy: 0.65, sources: 4, seed: 132, ..sparse };
    let cases = [
        sparse.case("many, sparse"),
        dense.case("many, dense").with(|case| {
            case.fit_mask = Array2::from_shape_fn(case.fit_mask.dim(), |(y, x)| (y * 7 + x) % 13 == 0);
        }),
    ];
    for case in &cases {
        let kernel = &case.datasets[0].kernel;
        let mut kernels: Vec<Array3<f64>> =
            [1.0, 1.02, 1.04, 2.5, 1.06].iter().map(|power| kernel.mapv(|v| v.powf(*power))).collect();
        // Other scales, a plane without model, another size.
        kernels.push(kernel.mapv(|v| 1.7 * v));
        kernels.push(kernel.mapv(|v| 100.0 * v));
        kernels.push(kernel.clone());
        kernels[7].slice_mut(s![0, .., ..]).fill(0.0);
        let (_, ky, kx) = kernel.dim();
        kernels.push(kernel.slice(s![.., 2..ky - 2, 2..kx - 2]).to_owned());
        kernels.push(kernel.clone());
        let mut runs: Vec<TsMapRun<'_>> =
            kernels.iter().map(|kernel| TsMapRun { kernels: vec![kernel.view()], ..case.run() }).collect();
        runs[9].settings.n_sigma = 2.0;
        let data = case.data().unwrap();
        let prepared = engine.engine().prepare(&data, &control).unwrap();
        let together = prepared.run_many(&runs, &control).unwrap();
        assert_eq!(together.len(), runs.len());
        for (number, (run, got)) in runs.iter().zip(&together).enumerate() {
            let alone = prepared.run(run, &control).unwrap();
            let report = compare(case, got, &alone, subject.tolerance);
            println!("{} {} {number}: {report:?}", subject.name, case.name);
        }
        // The first of a call has nothing to begin from.
        assert_same_bits(&together[0], &prepared.run(&runs[0], &control).unwrap(), "the first of many");
        let Some(other) = (subject.make)(Some(1)) else { return };
        let again = other.engine().prepare(&data, &control).unwrap().run_many(&runs, &control).unwrap();
        for (got, want) in again.iter().zip(&together) {
            assert_same_bits(got, want, &format!("{} {}, one thread", subject.name, case.name));
        }
        assert!(prepared.run_many(&[], &control).unwrap().is_empty());
        runs[3].planes = std::iter::once(0..99).collect();
        assert!(prepared.run_many(&runs, &control).is_err(), "planes that are not there");
    }
}

/// Cancelled before and during the work; progress reaches its end otherwise.
pub fn cancel(subject: &Subject, engine: &Backend) {
    let case = Survey { shape: (40, 60), seed: 95, ..Survey::default() }.case("cancel");
    let data = case.data().unwrap();
    let stopped = Control::new();
    stopped.cancel();
    assert!(matches!(engine.engine().ts_map(&data, &case.run(), &stopped), Err(Error::Cancelled)), "{}", subject.name);

    let control = Control::new();
    let prepared = engine.engine().prepare(&data, &control).unwrap();
    let token = control.clone();
    let stopping = control.with_observer(move |_| token.cancel());
    assert!(matches!(prepared.run(&case.run(), &stopping), Err(Error::Cancelled)), "{}", subject.name);

    let last = Arc::new(AtomicU64::new(0));
    let seen = last.clone();
    let watched = Control::new().with_observer(move |progress| {
        assert!(progress.done <= progress.total);
        seen.fetch_max(progress.done, Ordering::Relaxed);
    });
    prepared.run(&case.run(), &watched).unwrap();
    assert_eq!(last.load(Ordering::Relaxed), 40 * 60);
}

/// Likelihood profiles pass through 0 at norm 0 and -ts at the norm.
pub fn profiles(subject: &Subject, engine: &Backend) {
    // Sums in single precision keep seven digits.
    let digits = 40.0 * subject.tolerance.jobs;
    let case = Survey { shape: (9, 11), seed: 101, ..Survey::default() }.case("profile").with(|case| {
        case.fit_mask[[2, 3]] = false;
    });
    let control = Control::new();
    let reference = Backend::reference();
    let data = case.data().unwrap();
    let best = reference.engine().ts_map(&data, &case.run(), &control).unwrap();
    let prepared = engine.engine().prepare(&data, &control).unwrap();
    let norms = Array3::from_shape_fn((3, 9, 11), |(scan, y, x)| match scan {
        0 => 0.0,
        1 => best.norm[[y, x]],
        _ => best.norm[[y, x]] + best.norm_errp.as_ref().unwrap()[[y, x]],
    });
    let profile = prepared.profile(&case.run(), norms.view(), &control).unwrap();
    for ((y, x), status) in best.status.indexed_iter() {
        if *status & TsMapStatus::MASKED != 0 {
            assert!(profile[[0, y, x]].is_nan());
            continue;
        }
        assert_eq!(profile[[0, y, x]], 0.0);
        assert!((profile[[1, y, x]] + best.ts[[y, x]]).abs() < digits.max(1e-6) * best.ts[[y, x]].abs().max(1.0));
        assert!((profile[[2, y, x]] - profile[[1, y, x]] - 1.0).abs() < digits.max(1e-5));
    }
    // Norms on both sides of the bound, and a pixel of its own for each.
    let wide = Array3::from_shape_fn((5, 9, 11), |(scan, y, x)| {
        best.norm[[y, x]] + (scan as f64 - 2.0) * 1.3 * best.norm_errp.as_ref().unwrap()[[y, x]]
    });
    let (got, want) =
        (prepared.profile(&case.run(), wide.view(), &control), reference.engine().prepare(&data, &control));
    let want = want.unwrap().profile(&case.run(), wide.view(), &control).unwrap();
    for (at, (got, want)) in got.unwrap().indexed_iter().map(|(at, got)| (at, (*got, want[at]))) {
        assert!(got.is_nan() == want.is_nan(), "{at:?}");
        assert!(
            got.is_nan() || (got - want).abs() < digits.max(1e-9) * want.abs().max(1.0),
            "{at:?}: {got} for {want}"
        );
    }
}

/// Convolution, energy dispersion, Cash statistic.
pub fn jobs(subject: &Subject, engine: &Backend) {
    let control = Control::new();
    let reference = Backend::reference();
    let same = |got: &Array3<f64>, want: &Array3<f64>, limit: f64, what: &str| {
        let largest = want.iter().fold(0.0f64, |a, b| a.max(b.abs()));
        for (at, want) in want.indexed_iter() {
            assert!(
                (got[at] - want).abs() <= limit * largest,
                "{}, {what} at {at:?}: {} for {want}",
                subject.name,
                got[at]
            );
        }
    };
    for (shape, half) in [((1, 1), (1, 2)), ((30, 41), (3, 5)), ((64, 70), (25, 24))] {
        let data = Survey { shape, half, occupancy: 0.5, seed: 111, ..Survey::default() }.dataset();
        let cube = CubeView::F32(data.counts.view());
        let skew =
            Array3::from_shape_fn(data.kernel.dim(), |(e, u, v)| data.kernel[[e, u, v]] * (1 + u + 3 * v) as f64);
        for kernel in [skew.view(), skew.slice(s![..1, .., ..])] {
            let job = ConvolveJob { cube, kernel };
            let (got, want) = (engine.engine().convolve(&job, &control), reference.engine().convolve(&job, &control));
            same(&got.unwrap(), &want.unwrap(), subject.tolerance.jobs, "convolution");
        }
        let matrix = Array2::from_shape_fn((3, 2), |(t, r)| (t * 2 + r) as f64 * 0.1);
        let job = EdispJob { cube, matrix: matrix.view() };
        let (got, want) = (engine.engine().apply_edisp(&job, &control), reference.engine().apply_edisp(&job, &control));
        same(&got.unwrap(), &want.unwrap(), subject.tolerance.jobs, "energy dispersion");
        let mask = Array3::from_shape_fn(data.counts.dim(), |(e, y, x)| (e + y + x) % 3 > 0);
        let job = CashSumJob { counts: cube, npred: CubeView::F32(data.background.view()), mask: Some(mask.view()) };
        let (got, want) = (engine.engine().cash_sum(&job, &control), reference.engine().cash_sum(&job, &control));
        let (got, want) = (got.unwrap(), want.unwrap());
        assert!(
            (got - want).abs() <= subject.tolerance.jobs * want.abs(),
            "{}: Cash sum {got} for {want}",
            subject.name
        );
    }
}
