//! The engines against the reference where numbers are extreme: backgrounds over 40 decades, counts from fractions of one
//! to a billion per bin, exposures that differ by what they can, kernels with nothing in them.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::compare::{SINGLE, Tolerance, compare};
use ndarray::{Array2, Array3, s};
use pevatron::Control;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::simulate::synthetic::{Case, Dataset, Survey, add_source};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

fn cpu() -> Backend {
    Backend::new(&BackendOptions { choice: BackendChoice::Cpu, ..BackendOptions::default() }).unwrap()
}

/// Runs all cases; names those that are off, all of them at once.
fn check_all(cases: Vec<Case>) {
    check_engine(&cpu(), SINGLE, cases);
}

fn check_engine(engine: &Backend, tolerance: Tolerance, cases: Vec<Case>) {
    let control = Control::new();
    let reference = Backend::reference();
    let mut failures = Vec::new();
    let number = cases.len();
    for case in cases {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let data = case.data().unwrap();
            let want = reference.engine().ts_map(&data, &case.run(), &control).unwrap();
            let got = engine.engine().ts_map(&data, &case.run(), &control).unwrap();
            let report = compare(&case, &got, &want, tolerance);
            report.iter().map(|(_, worst, _)| *worst).fold(0.0, f64::max)
        }));
        match outcome {
            Ok(worst) => println!("{}: {worst:.0e}", case.name),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                failures.push(text);
            }
        }
    }
    assert!(failures.is_empty(), "{} of {number} cases are off:\n{}", failures.len(), failures.join("\n"));
}

/// A field whose expected background is given bin by bin, with Poisson counts and a source of so many counts on a pixel.
struct Field {
    dim: (usize, usize, usize),
    half: (usize, usize),
    source: f64,
    seed: u64,
}

impl Default for Field {
    fn default() -> Self {
        Self { dim: (2, 13, 18), half: (3, 3), source: 20.0, seed: 1 }
    }
}

impl Field {
    fn random(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed)
    }

    /// Kernel and exposure of a survey of this size.
    fn survey(&self) -> Dataset {
        let (planes, ny, nx) = self.dim;
        Survey { shape: (ny, nx), planes, half: self.half, sources: 0, seed: self.seed, ..Survey::default() }.dataset()
    }

    fn case(&self, name: &str, background: impl Fn((usize, usize, usize), &mut ChaCha8Rng) -> f64) -> Case {
        let mut random = self.random();
        let mut data = self.survey();
        data.background = Array3::from_shape_fn(self.dim, |at| background(at, &mut random) as f32);
        let mut expected = data.background.mapv(f64::from);
        let peak = data.exposure.iter().copied().fold(0.0f32, f32::max);
        if self.source > 0.0 {
            let place = (self.dim.1 / 2, self.dim.2 / 3);
            let norm = self.source / f64::from(peak);
            add_source(&mut expected, &data.exposure, &data.kernel, place, norm);
        }
        data.counts = expected.mapv(|mu| draw(mu, &mut random));
        Case::new(name, vec![data])
    }
}

/// Poisson counts, the normal approximation where they are many.
fn draw(mu: f64, random: &mut ChaCha8Rng) -> f32 {
    if mu > 1e6 {
        let spread: f64 = (0..12).map(|_| random.random_range(-0.5..0.5)).sum();
        return (mu + spread * mu.sqrt()).round() as f32;
    }
    Poisson::new(mu.max(1e-30)).map_or(0.0, |p| p.sample(random) as f32)
}

fn decades(random: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    10f64.powf(random.random_range(low..high))
}

/// The whole map at one level of background, from where it is truncated to where counts are not exact in single
/// precision, with a source of some counts and of many sigmas.
#[test]
fn backgrounds_of_every_decade() {
    let mut cases = Vec::new();
    for decade in -31..=9 {
        let level = 10f64.powi(decade);
        for (seed, source) in [(1, 3.0), (2, 40.0 + 30.0 * level.sqrt())] {
            let field = Field { seed, source, ..Field::default() };
            let wave = |(e, y, x): (usize, usize, usize)| 1.0 + 0.3 * ((3 * e + y) as f64).sin() + 0.02 * x as f64;
            let name = format!("background 1e{decade}, source {source:.0}");
            cases.push(field.case(&name, |at, _| level * wave(at)));
        }
    }
    check_all(cases);
}

/// Backgrounds of all decades side by side, by bins, by columns and by planes, counts wherever they may fall.
#[test]
fn backgrounds_of_many_decades_in_one_window() {
    let mut cases = Vec::new();
    for seed in 0..6 {
        for (low, high) in [(-24.0, 4.0), (-12.0, 0.0), (-6.0, 6.0), (-37.0, 3.0)] {
            let field = Field { seed, source: 30.0, ..Field::default() };
            cases
                .push(field.case(&format!("bins 1e{low} to 1e{high}, {seed}"), |_, random| decades(random, low, high)));
            let (nx, step) = (field.dim.2 as f64, high - low);
            cases.push(field.case(&format!("columns 1e{low} to 1e{high}, {seed}"), |(_, _, x), _| {
                10f64.powf(low + step * x as f64 / nx)
            }));
            cases.push(field.case(&format!("planes 1e{low} and 1e{high}, {seed}"), |(e, ..), _| {
                10f64.powf(if e == 0 { high } else { low })
            }));
            cases.push(
                field
                    .case(&format!("1e{high} with lone counts in 1e{low}, {seed}"), |(_, y, x), random| {
                        let lone = (y * 7 + x * 3) % 29 == 0 && random.random_range(0.0..1.0) < 0.5;
                        10f64.powf(if lone { low } else { high.min(0.0) })
                    })
                    .with(|case| {
                        let data = &mut case.datasets[0];
                        for (n, b) in data.counts.iter_mut().zip(&data.background) {
                            if *b < 0.5 * 10f32.powf(high.min(0.0) as f32) {
                                *n += 1.0;
                            }
                        }
                    }),
            );
        }
    }
    check_all(cases);
}

/// Counts up to a billion a bin: known background, a source, a dip, a flat kernel.
#[test]
fn counts_to_a_billion() {
    let mut cases = Vec::new();
    for decade in 3..=9 {
        let level = 10f64.powi(decade);
        for (seed, source) in [(1, 0.0), (2, 20.0), (3, 3000.0)] {
            let field = Field { seed, source: source * level.sqrt(), ..Field::default() };
            cases.push(field.case(&format!("1e{decade} a bin, source {source}"), |_, _| level));
            let flat = field.case(&format!("1e{decade} a bin, flat kernel, source {source}"), |_, _| level * 1.0001);
            cases.push(flat.with(|case| {
                case.datasets[0].kernel.fill(1.0 / 49.0);
                case.settings.sensitivity = true;
            }));
        }
        let dim = (3, 22, 25);
        let large = Field { dim, half: (9, 9), source: 50.0 * level.sqrt(), seed: 4 };
        cases.push(large.case(&format!("1e{decade} a bin, large kernel"), |(e, ..), _| level * (1.0 - 0.3 * e as f64)));
        let lone = Field { dim, source: 0.0, seed: 5, ..large };
        cases.push(lone.case(&format!("lone bin of 1e{decade}"), |_, _| 0.03).with(|case| {
            case.datasets[0].counts[[1, 11, 9]] = level as f32;
        }));
    }
    check_all(cases);
}

/// Counts that are not whole numbers: what is expected itself, shares of counts, next to nothing.
#[test]
fn counts_that_are_real_numbers() {
    let mut cases = Vec::new();
    for decade in -10..=7 {
        let level = 10f64.powi(decade);
        let field = Field { seed: 3, source: 0.0, ..Field::default() };
        let wave =
            |(e, y, x): (usize, usize, usize)| level * (1.0 + 0.5 * ((e + 2 * y) as f64).sin() + 0.03 * x as f64);
        cases.push(field.case(&format!("what is expected, 1e{decade}"), |at, _| wave(at)).with(|case| {
            case.datasets[0].counts = case.datasets[0].background.clone();
        }));
        cases.push(field.case(&format!("what is expected and a source, 1e{decade}"), |at, _| wave(at)).with(|case| {
            let data = &mut case.datasets[0];
            let mut expected = data.background.mapv(f64::from);
            add_source(&mut expected, &data.exposure, &data.kernel, (6, 6), 0.02 * (1.0 + level.sqrt()));
            data.counts = expected.mapv(|v| v as f32);
        }));
        for share in [0.37, 1e-3, 1.0 + 1e-4, 17.3] {
            cases.push(field.case(&format!("shares of {share}, 1e{decade}"), |at, _| wave(at)).with(|case| {
                case.datasets[0].counts.mapv_inplace(|n| n * share as f32);
            }));
        }
        let mut random = field.random();
        cases.push(field.case(&format!("noise, 1e{decade}"), |at, _| wave(at)).with(|case| {
            let data = &mut case.datasets[0];
            for (n, b) in data.counts.iter_mut().zip(&data.background) {
                *n = b * random.random_range(0.0f32..2.0);
            }
        }));
        cases.push(field.case(&format!("whole and broken, 1e{decade}"), |at, _| wave(at)).with(|case| {
            for ((e, y, x), n) in case.datasets[0].counts.indexed_iter_mut() {
                *n += if (e + y + 3 * x) % 5 == 0 { 0.25 } else { 0.0 };
            }
        }));
    }
    check_all(cases);
}

/// Exposures and kernels that differ by orders of magnitude, zeros among them.
#[test]
fn exposures_and_kernels_of_every_size() {
    let mut cases = Vec::new();
    for seed in 0..4 {
        for (low, high) in [(-15.0, 15.0), (-3.0, 3.0), (10.0, 20.0), (-20.0, -10.0)] {
            for level in [1e-9, 1e-3, 1.0, 1e4] {
                let field = Field { seed, ..Field::default() };
                let mut random = ChaCha8Rng::seed_from_u64(100 + seed);
                let name = format!("exposure 1e{low} to 1e{high}, background {level:e}, {seed}");
                cases.push(field.case(&name, |_, _| level).with(|case| {
                    case.datasets[0].exposure.mapv_inplace(|_| decades(&mut random, low, high) as f32);
                }));
                let name = format!("exposure by planes 1e{low} and 1e{high}, background {level:e}, {seed}");
                cases.push(field.case(&name, |_, _| level).with(|case| {
                    let planes = [low, high].map(|v: f64| 10f64.powf(v) as f32);
                    case.datasets[0].exposure.indexed_iter_mut().for_each(|((e, ..), v)| *v = planes[e]);
                }));
            }
        }
        for level in [1e-8, 0.3, 1e6] {
            let field = Field { seed, ..Field::default() };
            let case = |name: &str| field.case(&format!("{name}, background {level:e}, {seed}"), |_, _| level);
            cases.push(case("no kernel").with(|case| case.datasets[0].kernel.fill(0.0)));
            cases.push(case("no kernel in one plane").with(|case| {
                case.datasets[0].kernel.slice_mut(s![0, .., ..]).fill(0.0);
            }));
            cases.push(case("one pixel of a kernel").with(|case| {
                case.datasets[0].kernel.fill(0.0);
                case.datasets[0].kernel[[1, 2, 4]] = 1.0;
            }));
            cases.push(case("faint tails").with(|case| {
                for ((_, u, v), k) in case.datasets[0].kernel.indexed_iter_mut() {
                    *k *= [1.0, 0.0, 1e-12, 1e-30][(u + 2 * v) % 4];
                }
            }));
            cases.push(case("no exposure on one side").with(|case| {
                case.datasets[0].exposure.slice_mut(s![.., .., 9..]).fill(0.0);
            }));
            cases.push(case("single bins").with(|case| {
                let counts = &mut case.datasets[0].counts;
                counts.fill(0.0);
                counts[[0, 4, 5]] = 1.0;
                counts[[1, 10, 14]] = 2.5;
                counts[[1, 2, 16]] = 1e-6;
            }));
        }
    }
    check_all(cases);
}

/// Enough bins per window for transforms of moments: bright, broken, next to nothing in parts, with sources.
#[test]
fn dense_maps() {
    let mut cases = Vec::new();
    let survey = Survey {
        shape: (40, 44),
        planes: 9,
        half: (15, 15),
        occupancy: 0.65,
        sources: 4,
        seed: 9,
        ..Survey::default()
    };
    let thin = |case: &mut Case| {
        case.fit_mask = Array2::from_shape_fn(case.fit_mask.dim(), |(y, x)| (y * 7 + x) % 41 == 0);
    };
    let base = survey.case("dense").with(thin);
    for factor in [1e2f32, 1e4, 1e6, 1e8] {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        cases.push(base.clone().with(|case| {
            case.name = format!("dense, {factor:e} times as bright");
            let data = &mut case.datasets[0];
            data.background.mapv_inplace(|b| b * factor);
            data.exposure.mapv_inplace(|e| e * factor);
            data.counts = data.background.mapv(|b| draw(f64::from(b), &mut random));
            let mut source = data.counts.mapv(f64::from);
            add_source(&mut source, &data.exposure, &data.kernel, (20, 20), 0.05 / f64::from(factor).sqrt());
            data.counts = source.mapv(|v| v.round() as f32);
        }));
    }
    for share in [0.1f32, 1e-3, 2.5] {
        cases.push(base.clone().with(|case| {
            case.name = format!("dense, shares of {share}");
            case.datasets[0].counts.mapv_inplace(|n| n * share);
        }));
    }
    cases.push(base.clone().with(|case| {
        case.name = String::from("dense, what is expected");
        case.datasets[0].counts = case.datasets[0].background.clone();
    }));
    for low in [1e-6f32, 1e-12, 1e-20] {
        cases.push(base.clone().with(|case| {
            case.name = format!("dense, background of {low:e} on one side");
            case.datasets[0].background.slice_mut(s![.., .., 22..]).mapv_inplace(|b| b * low);
            case.datasets[0].counts.slice_mut(s![.., .., 24..]).fill(0.0);
        }));
        cases.push(base.clone().with(|case| {
            case.name = format!("dense, background of {low:e} in some bins with counts");
            for ((e, y, x), b) in case.datasets[0].background.indexed_iter_mut() {
                *b *= if (e * 31 + y * 17 + x) % 101 == 0 { low } else { 1.0 };
            }
        }));
        cases.push(base.clone().with(|case| {
            case.name = format!("dense, all backgrounds {low:e} of what they were");
            case.datasets[0].background.mapv_inplace(|b| b * low);
        }));
    }
    check_all(cases);
}

/// Sensitivities and likelihood profiles at the same levels.
#[test]
fn sensitivities_and_profiles_of_every_decade() {
    let control = Control::new();
    let (engine, reference) = (cpu(), Backend::reference());
    let mut cases = Vec::new();
    for decade in (-30..=9).step_by(3) {
        for n_sigma in [0.5, 5.0] {
            let field = Field { seed: 6, source: 10.0 + 10f64.powf(0.5 * f64::from(decade)), ..Field::default() };
            let level = 10f64.powi(decade);
            let spread =
                field.case(&format!("1e{decade}, {n_sigma} sigmas"), |_, random| level * decades(random, -1.0, 1.0));
            cases.push(spread.with(|case| {
                case.settings.sensitivity = true;
                case.settings.n_sigma_sensitivity = n_sigma;
            }));
        }
    }
    for case in &cases {
        let data = case.data().unwrap();
        let best = reference.engine().ts_map(&data, &case.run(), &control).unwrap();
        let (_, ny, nx) = case.datasets[0].counts.dim();
        let norms = Array3::from_shape_fn((5, ny, nx), |(scan, y, x)| {
            best.norm[[y, x]] + (scan as f64 - 2.0) * 1.3 * best.norm_errp.as_ref().unwrap()[[y, x]]
        });
        let profile = |engine: &Backend| {
            let prepared = engine.engine().prepare(&data, &control).unwrap();
            prepared.profile(&case.run(), norms.view(), &control).unwrap()
        };
        let (got, want) = (profile(&engine), profile(&reference));
        for (at, want) in want.indexed_iter() {
            // Large terms of both signs add up to a small difference: it is known to some roundings of the terms.
            let terms = 1e-12 * best.npred_null[[at.1, at.2]];
            let off = (got[at] - want).abs();
            assert!(off <= 1e-9 * want.abs().max(1.0) + terms, "{}, {at:?}: {} for {want}", case.name, got[at]);
        }
    }
    check_all(cases);
}
