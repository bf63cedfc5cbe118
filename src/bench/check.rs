//! Every result is compared with the `f64` twin: all of a sum, and pixels spread over a map.

use ndarray::{Array2, Array3};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::inputs::{Inputs, Output};
use super::workload::Job;
use crate::compute::{Backend, tolerance};
use crate::control::Control;
use crate::error::Result;
use crate::kernels::{CashSumJob, TsMapOutput, TsMapRun, TsMapStatus, likelihood};

/// Sums over windows that single precision gives, relative; see `tests/estimators/golden.rs`.
const MODEL_TOLERANCE: f64 = 1e-6;
/// Whether a norm lies within rounding of its bound may differ.
const FREE_BITS: u32 = TsMapStatus::AT_BOUND;

/// What is right, at some pixels.
#[derive(Debug, Clone)]
pub struct Expected {
    /// `(y, x)`.
    pixels: Vec<(usize, usize)>,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    /// The map of the last kernel, NaN beside the pixels.
    TsMap(Box<TsMapOutput>),
    /// `[plane, pixel]`, and the largest value that there can be: kernels and responses have sums of about 1.
    Cube(Array2<f64>, f64),
    Number(f64),
}

/// How a result compares with what is right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Largest deviation over what is allowed: right up to 1.
    pub worst: f64,
    /// The quantity with that deviation.
    pub quantity: String,
    /// Its `(y, x)`, where there is one.
    pub at: Option<(usize, usize)>,
    /// What was found there; `None` for NaN and infinities.
    pub found: Option<f64>,
    /// What is right; likewise.
    pub expected: Option<f64>,
    /// Number of values compared.
    pub values: usize,
}

impl Verdict {
    /// True where nothing deviates by more than is allowed.
    pub fn right(&self) -> bool {
        self.worst <= 1.0
    }

    fn new() -> Self {
        Self { worst: 0.0, quantity: String::new(), at: None, found: None, expected: None, values: 0 }
    }

    fn compare(&mut self, quantity: &str, at: Option<(usize, usize)>, found: f64, expected: f64, allowed: f64) {
        self.values += 1;
        let same = found == expected || (found.is_nan() && expected.is_nan());
        // NaN on one side only, or nothing allowed, is as wrong as can be; stored, it must stay a number.
        let deviation = if same { 0.0 } else { ((found - expected).abs() / allowed).min(f64::MAX) };
        let deviation = if deviation.is_nan() { f64::MAX } else { deviation };
        if deviation > self.worst || self.quantity.is_empty() {
            let finite = |v: f64| Some(v).filter(|v| v.is_finite());
            let (found, expected) = (finite(found), finite(expected));
            *self = Self { worst: deviation, quantity: quantity.to_string(), at, found, expected, values: self.values };
        }
    }
}

impl Expected {
    /// Works out what is right for at most `pixels` pixels of a map.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn new(inputs: &Inputs, pixels: usize, control: &Control) -> Result<Self> {
        let (_, ny, nx) = inputs.case.datasets[0].counts.dim();
        let pixels = sample(ny, nx, pixels);
        let values = match inputs.workload.job {
            Job::TsMap | Job::Resident => {
                let mut mask = Array2::from_elem((ny, nx), false);
                pixels.iter().for_each(|at| mask[*at] = true);
                let data = inputs.case.data()?;
                let kernel = &inputs.kernels[inputs.kernels.len() - 1];
                let run = TsMapRun { fit_mask: mask.view(), ..inputs.ts_map_run(kernel) };
                Values::TsMap(Box::new(Backend::reference().engine().ts_map(&data, &run, control)?))
            }
            Job::Convolve | Job::Edisp => {
                let planes = inputs.workload.size.dim().0;
                let convolve = inputs.workload.job == Job::Convolve;
                let value = |p: usize, at: (usize, usize)| {
                    if convolve { convolved(inputs, p, at) } else { folded(inputs, p, at) }
                };
                let values = Array2::from_shape_fn((planes, pixels.len()), |(p, i)| value(p, pixels[i]));
                let largest = f64::from(inputs.case.datasets[0].background.fold(0.0f32, |a, b| a.max(*b)));
                Values::Cube(values, largest)
            }
            Job::Cash => {
                let job = CashSumJob { counts: inputs.counts(), npred: inputs.background(), mask: None };
                Values::Number(likelihood::cash_sum(&job))
            }
        };
        control.check()?;
        Ok(Self { pixels, values })
    }

    /// Compares an engine's output; `double`: the engine computes jobs other than TS maps in double precision.
    pub fn verdict(&self, output: &Output, double: bool) -> Verdict {
        let mut verdict = Verdict::new();
        let jobs = if double { tolerance::JOBS_DOUBLE } else { tolerance::JOBS_DEVICE };
        match (&self.values, output) {
            (Values::TsMap(right), Output::TsMaps(maps)) if !maps.is_empty() => {
                self.compare_maps(&mut verdict, &maps[maps.len() - 1], right);
            }
            (Values::Cube(right, largest), Output::Cube(cube)) => {
                self.compare_cubes(&mut verdict, cube, right, jobs * largest)
            }
            (Values::Number(right), Output::Number(found)) => {
                verdict.compare("sum", None, *found, *right, jobs * right.abs());
            }
            _ => verdict.compare("kind of output", None, f64::NAN, 0.0, 1.0),
        }
        verdict
    }

    fn compare_cubes(&self, verdict: &mut Verdict, cube: &Array3<f64>, right: &Array2<f64>, allowed: f64) {
        for ((p, i), expected) in right.indexed_iter() {
            let (y, x) = self.pixels[i];
            let found = cube.get([p, y, x]).copied().unwrap_or(f64::NAN);
            verdict.compare("value", Some((y, x)), found, *expected, allowed);
        }
    }

    fn compare_maps(&self, verdict: &mut Verdict, found: &TsMapOutput, right: &TsMapOutput) {
        if found.norm.dim() != right.norm.dim() {
            return verdict.compare("shape", None, f64::NAN, 0.0, 1.0);
        }
        for &at in &self.pixels {
            let err = right.norm_err[at];
            let sigma = match &right.norm_errp {
                _ if err.is_finite() => err,
                Some(errp) => errp[at],
                None => right.norm[at].abs(),
            };
            let mut compare = |name, found: f64, expected: f64, allowed| {
                verdict.compare(name, Some(at), found, expected, allowed);
            };
            compare("norm", found.norm[at], right.norm[at], tolerance::SIGMA * sigma);
            compare("norm_err", found.norm_err[at], err, tolerance::SIGMA * sigma);
            let roots = (found.ts[at].abs().sqrt() + right.ts[at].abs().sqrt()).max(0.1);
            compare("ts", found.ts[at], right.ts[at], tolerance::SQRT_TS * roots);
            for (name, found, right) in [
                ("norm_errn", &found.norm_errn, &right.norm_errn),
                ("norm_errp", &found.norm_errp, &right.norm_errp),
                ("norm_ul", &found.norm_ul, &right.norm_ul),
            ] {
                if let Some(right) = right {
                    let found = found.as_ref().map_or(f64::NAN, |map| map[at]);
                    compare(name, found, right[at], tolerance::SIGMA * sigma);
                }
            }
            let null = MODEL_TOLERANCE * (right.stat_null[at].abs() + right.npred_null[at]);
            compare("stat_null", found.stat_null[at], right.stat_null[at], null);
            let model = right.npred_reference[at];
            compare("npred_reference", found.npred_reference[at], model, MODEL_TOLERANCE * model);
            let (bits, wanted) = (found.status[at] & !FREE_BITS, right.status[at] & !FREE_BITS);
            compare("status", f64::from(bits), f64::from(wanted), 0.0);
        }
    }
}

/// Corners, middle, and others drawn from a fixed seed; in rows, without doubles.
fn sample(ny: usize, nx: usize, count: usize) -> Vec<(usize, usize)> {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut pixels = vec![(0, 0), (0, nx - 1), (ny - 1, 0), (ny - 1, nx - 1), (ny / 2, nx / 2)];
    pixels.extend((pixels.len()..count).map(|_| (random.random_range(0..ny), random.random_range(0..nx))));
    pixels.truncate(count.max(1));
    pixels.sort_unstable();
    pixels.dedup();
    pixels
}

/// One value of the convolution, as it is defined (see `kernels::convolve`).
fn convolved(inputs: &Inputs, plane: usize, (y, x): (usize, usize)) -> f64 {
    let image = inputs.background().plane(plane);
    let (ny, nx) = image.dim();
    let kernel = inputs.kernels[0].index_axis(ndarray::Axis(0), plane);
    let (ky, kx) = kernel.dim();
    let mut sum = 0.0;
    for ((u, v), weight) in kernel.indexed_iter() {
        if let (Some(row), Some(column)) = ((y + ky / 2).checked_sub(u), (x + kx / 2).checked_sub(v))
            && row < ny
            && column < nx
        {
            sum += weight * image.at(row, column);
        }
    }
    sum
}

/// One value of the energy-dispersion product.
fn folded(inputs: &Inputs, energy: usize, (y, x): (usize, usize)) -> f64 {
    let cube = inputs.background();
    inputs.matrix.column(energy).iter().enumerate().map(|(t, weight)| weight * cube.at(t, y, x)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::workload::{Size, Workload};
    use super::*;

    #[test]
    fn the_reference_is_right_and_changed_results_are_wrong() {
        let control = Control::new();
        for name in ["tsmap_15_k21", "resident", "convolve", "edisp", "cash"] {
            let workload = &Workload::select(Size::Tiny, &[name.into()]).unwrap()[0];
            let mut inputs = Inputs::new(workload);
            inputs.kernels.truncate(2);
            let expected = Expected::new(&inputs, 12, &control).unwrap();
            let output = inputs.run(Backend::reference().engine(), &control).unwrap();
            let verdict = expected.verdict(&output, true);
            assert!(verdict.right() && verdict.values > 0, "{name}: {verdict:?}");

            let wrong = match output.clone() {
                Output::TsMaps(mut maps) => {
                    let last = maps.len() - 1;
                    let err = maps[last].norm_err[[0, 0]];
                    maps[last].norm[[0, 0]] += 3e-3 * err;
                    Output::TsMaps(maps)
                }
                Output::Cube(cube) => Output::Cube(cube.mapv(|v| v * (1.0 + 1e-6))),
                Output::Number(number) => Output::Number(number * (1.0 + 1e-6)),
            };
            let verdict = expected.verdict(&wrong, false);
            assert!(!verdict.right(), "{name}: {verdict:?}");
            assert_ne!(output.fingerprint(), wrong.fingerprint(), "{name}");
        }
    }

    #[test]
    fn nan_and_other_shapes_are_wrong() {
        let control = Control::new();
        let workload = &Workload::select(Size::Tiny, &["tsmap_15_k21".into()]).unwrap()[0];
        let inputs = Inputs::new(workload);
        let expected = Expected::new(&inputs, 6, &control).unwrap();
        let Output::TsMaps(mut maps) = inputs.run(Backend::reference().engine(), &control).unwrap() else { panic!() };
        maps[0].ts[[0, 0]] = f64::NAN;
        let verdict = expected.verdict(&Output::TsMaps(maps), false);
        assert_eq!((verdict.right(), verdict.quantity.as_str(), verdict.at), (false, "ts", Some((0, 0))));
        assert!(!expected.verdict(&Output::Number(1.0), false).right());
    }
}
