//! The TS map: per pixel, one norm is fitted to the counts in a kernel-shaped window.
//!
//! For pixel `p` the window is the kernel's box around `p`, over all planes of the run and all inputs. A window bin
//! has counts `n`, background `b` and model `m = kernel * exposure`; predicted counts are `mu = b + x m`. Window parts
//! outside the map contribute nothing. With `t(mu) = max(mu, 1e-25)` (Gammapy's truncation):
//!
//! ```text
//! stat(x) = 2 sum [t(mu) - n ln t(mu)]                 (no ln term for n = 0)
//! f(x)    = sum_{m>0} m (1 - n / mu)                   strictly increasing for x > -min_{n>0,m>0} b/m
//! norm    = max(root of f, -q),  q = min_{m>0} b/m     (npred >= 0 in every bin)
//! norm_err = n_sigma / sqrt(sum m^2 n / mu^2)
//! errn, errp: distance to the nearest y below, above norm with stat(y) = stat(norm) + n_sigma^2
//! ul:         the same above with n_sigma_ul^2, as norm + distance
//! ts      = stat(0) - stat(norm), summed as differences bin by bin
//! ```

mod rise;
pub mod window;

use ndarray::{Array2, ArrayView2, ArrayView3};
use std::ops::Range;

pub use window::{Window, WindowFit, fit_window};

use super::cube::CubeView;
use crate::error::{Error, Result};

/// Below this, predicted counts are replaced by it (Gammapy's `TRUNCATION_VALUE`).
pub const TRUNCATION_VALUE: f64 = 1e-25;

/// Planes of one dataset that stay the same over many runs. All three cubes are `[plane, y, x]`, of one shape;
/// masked bins are 0 in all three.
#[derive(Debug, Clone, Copy)]
pub struct TsMapInput<'a> {
    /// Measured counts, ≥ 0.
    pub counts: CubeView<'a>,
    /// Predicted counts of the null hypothesis, ≥ 0.
    pub background: CubeView<'a>,
    /// Counts that the test source would give for norm 1 if all its flux fell into the pixel, ≥ 0.
    pub exposure: CubeView<'a>,
}

/// What an engine prepares once: all planes of all datasets of one sky geometry.
#[derive(Debug, Clone)]
pub struct TsMapData<'a> {
    inputs: Vec<TsMapInput<'a>>,
    shape: (usize, usize),
}

impl<'a> TsMapData<'a> {
    /// Checks shapes and values once; engines rely on it. The number of planes may differ between inputs.
    ///
    /// # Errors
    /// [`Error::Input`] for no input, different `[y, x]` shapes, NaN, infinite or negative values.
    pub fn new(inputs: Vec<TsMapInput<'a>>) -> Result<Self> {
        let Some(first) = inputs.first() else {
            return Err(Error::input("datasets", "there is none, at least one is needed"));
        };
        let (_, ny, nx) = first.counts.dim();
        for (d, input) in inputs.iter().enumerate() {
            let dim = input.counts.dim();
            for (name, cube) in
                [("counts", input.counts), ("background", input.background), ("exposure", input.exposure)]
            {
                if cube.dim() != dim || (cube.dim().1, cube.dim().2) != (ny, nx) {
                    return Err(Error::input(
                        format!("{name} of dataset {d}"),
                        format!("shape {:?} where {:?} is needed", cube.dim(), (dim.0, ny, nx)),
                    ));
                }
                cube.check_values(&format!("{name} of dataset {d}"), 0.0)?;
            }
        }
        Ok(Self { inputs, shape: (ny, nx) })
    }

    /// The same data for a shorter time: views of ndarray do not shorten by themselves.
    pub fn shortened<'b>(&self) -> TsMapData<'b>
    where
        'a: 'b,
    {
        let inputs = self.inputs.iter().map(|input| TsMapInput {
            counts: input.counts.shortened(),
            background: input.background.shortened(),
            exposure: input.exposure.shortened(),
        });
        TsMapData { inputs: inputs.collect(), shape: self.shape }
    }

    /// The datasets' planes.
    pub fn inputs(&self) -> &[TsMapInput<'a>] {
        &self.inputs
    }

    /// `(ny, nx)` of the map.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }
}

/// One run over prepared data: which planes, which kernel, which pixels, which settings.
#[derive(Debug, Clone)]
pub struct TsMapRun<'a> {
    /// Per input: the planes fitted together.
    pub planes: Vec<Range<usize>>,
    /// Per input: `[plane of the range, ky, kx]`, ky and kx odd, values ≥ 0; inputs may differ in `(ky, kx)`.
    /// `kernel[ky/2 + dy, kx/2 + dx]` is the share of a source at pixel `(y, x)` that falls into `(y + dy, x + dx)`.
    pub kernels: Vec<ArrayView3<'a, f64>>,
    /// `[y, x]`: pixels to fit; elsewhere the output is NaN with [`TsMapStatus::MASKED`].
    pub fit_mask: ArrayView2<'a, bool>,
    /// `[y, x]`: first guess of the norm, used by `threshold` only.
    pub norm_guess: Option<ArrayView2<'a, f64>>,
    /// What to compute and how.
    pub settings: TsMapSettings,
}

impl TsMapRun<'_> {
    /// Checks the run against the data it is for.
    ///
    /// # Errors
    /// [`Error::Input`] for ranges, kernels or masks of the wrong shape, even kernels, negative or NaN kernel values;
    /// [`Error::Options`] for settings out of range.
    pub fn check(&self, data: &TsMapData<'_>) -> Result<()> {
        self.settings.check()?;
        if self.planes.len() != data.inputs().len() || self.kernels.len() != data.inputs().len() {
            return Err(Error::input("kernels", "one range of planes and one kernel per dataset are needed"));
        }
        for ((range, kernel), input) in self.planes.iter().zip(&self.kernels).zip(data.inputs()) {
            let (planes, ..) = input.counts.dim();
            let (kp, ky, kx) = kernel.dim();
            if range.end > planes || range.start > range.end || kp != range.len() {
                return Err(Error::input(
                    "kernels",
                    format!("{kp} kernel planes for the planes {range:?} of {planes}"),
                ));
            }
            if ky % 2 == 0 || kx % 2 == 0 {
                return Err(Error::input("kernels", format!("shape ({ky}, {kx}) must be odd in both directions")));
            }
            if let Some(v) = kernel.iter().find(|v| !(v.is_finite() && **v >= 0.0)) {
                return Err(Error::input("kernels", format!("found {v}, values must be finite and at least 0")));
            }
        }
        let shape = data.shape();
        if self.fit_mask.dim() != shape || self.norm_guess.is_some_and(|g| g.dim() != shape) {
            return Err(Error::input("fit_mask", format!("mask and first guess must have the map's shape {shape:?}")));
        }
        Ok(())
    }
}

/// What a run computes per pixel, and how precisely.
#[derive(Debug, Clone, PartialEq)]
pub struct TsMapSettings {
    /// Number of sigmas of norm_err, errn and errp. Default 1.
    pub n_sigma: f64,
    /// Number of sigmas of the upper limit. Default 2.
    pub n_sigma_ul: f64,
    /// Number of sigmas of the sensitivity. Default 5.
    pub n_sigma_sensitivity: f64,
    /// Where the first guess improves the likelihood by no more than this TS, the guess is the result.
    pub threshold: Option<f64>,
    /// Relative precision of norm, errors and limits that must at least be reached. Default 0.01; engines stop far
    /// below it wherever that costs nothing.
    pub rtol: f64,
    /// Most iterations per root. Default 100.
    pub max_niter: u32,
    /// Compute errn and errp.
    pub errn_errp: bool,
    /// Compute the upper limit.
    pub ul: bool,
    /// Compute the sensitivity.
    pub sensitivity: bool,
    /// Only exact sums: no expansion of weak terms, however good.
    pub exact: bool,
}

impl Default for TsMapSettings {
    fn default() -> Self {
        Self {
            n_sigma: 1.0,
            n_sigma_ul: 2.0,
            n_sigma_sensitivity: 5.0,
            threshold: None,
            rtol: 0.01,
            max_niter: 100,
            errn_errp: true,
            ul: true,
            sensitivity: false,
            exact: false,
        }
    }
}

/// More sigmas than this are a mistake: no likelihood reaches so far.
const MOST_SIGMAS: f64 = 1000.0;

/// Checks a number of sigmas.
///
/// # Errors
/// [`Error::Options`] that names it, where it is not positive or beyond 1000.
pub(crate) fn check_sigmas(name: &str, sigmas: f64) -> Result<()> {
    if sigmas > 0.0 && sigmas <= MOST_SIGMAS {
        return Ok(());
    }
    Err(Error::options(name, format!("{sigmas} sigma must be positive and finite, at most {MOST_SIGMAS}")))
}

impl TsMapSettings {
    fn check(&self) -> Result<()> {
        let positive = |name: &str, v: f64| {
            if v.is_finite() && v > 0.0 {
                Ok(())
            } else {
                Err(Error::options(name, format!("{v} must be positive and finite")))
            }
        };
        check_sigmas("n_sigma", self.n_sigma)?;
        check_sigmas("n_sigma_ul", self.n_sigma_ul)?;
        check_sigmas("n_sigma_sensitivity", self.n_sigma_sensitivity)?;
        positive("rtol", self.rtol)?;
        if self.rtol >= 1.0 {
            return Err(Error::options("rtol", format!("{} must be below 1", self.rtol)));
        }
        if self.max_niter == 0 {
            return Err(Error::options("max_niter", "must be at least 1"));
        }
        if self.threshold.is_some_and(f64::is_nan) {
            return Err(Error::options("threshold", "must be a number"));
        }
        Ok(())
    }
}

/// Bits of the per-pixel status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TsMapStatus;

impl TsMapStatus {
    /// Not fitted: outside the mask, or no predicted counts. Everything is NaN.
    pub const MASKED: u32 = 1;
    /// No counts in the window: norm = -q, norm_err infinite, errn NaN; errp and ul follow from the Poisson
    /// likelihood of zero counts.
    pub const NO_COUNTS: u32 = 2;
    /// A single window bin has counts and model: closed form (Gammapy's root finder fails here).
    pub const SINGLE_BIN: u32 = 4;
    /// No model in the window (no exposure): norm, errors and limits NaN, ts 0.
    pub const NO_MODEL: u32 = 8;
    /// The norm sits at the bound npred ≥ 0, norm = -q; ts is then not a maximum in the usual sense.
    pub const AT_BOUND: u32 = 16;
    /// A window bin has model but no background (q = 0 or a pole at 0).
    pub const ZERO_BACKGROUND: u32 = 32;
    /// The first guess was kept because of `threshold`.
    pub const BELOW_THRESHOLD: u32 = 64;
    /// The norm did not converge within `max_niter`: success is false.
    pub const NOT_CONVERGED: u32 = 128;
    /// errn does not exist (the statistic stays below the wanted rise on the lower side) or did not converge.
    pub const NO_ERRN: u32 = 256;
    /// All counts lie where the model is 0: norm = -q.
    pub const COUNTS_WITHOUT_MODEL: u32 = 512;
    /// Combined from errors that do not tell the likelihood well enough here: norm, errors, limit or sqrt_ts may be off by
    /// more than a tenth of the error.
    pub const APPROXIMATE: u32 = 1024;

    /// Bit, name and meaning of each, for documentation and reports.
    pub const ALL: [(u32, &'static str); 11] = [
        (Self::MASKED, "masked"),
        (Self::NO_COUNTS, "no_counts"),
        (Self::SINGLE_BIN, "single_bin"),
        (Self::NO_MODEL, "no_model"),
        (Self::AT_BOUND, "at_bound"),
        (Self::ZERO_BACKGROUND, "zero_background"),
        (Self::BELOW_THRESHOLD, "below_threshold"),
        (Self::NOT_CONVERGED, "not_converged"),
        (Self::NO_ERRN, "no_errn"),
        (Self::COUNTS_WITHOUT_MODEL, "counts_without_model"),
        (Self::APPROXIMATE, "approximate"),
    ];
}

/// Result of a run, each map `[y, x]`; NaN where not fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct TsMapOutput {
    /// Best-fit norm.
    pub norm: Array2<f64>,
    /// Error from the curvature, times n_sigma; infinite without counts.
    pub norm_err: Array2<f64>,
    /// stat_null - stat.
    pub ts: Array2<f64>,
    /// stat(0), to f64 precision in every engine.
    pub stat_null: Array2<f64>,
    /// Predicted counts of the null hypothesis in the window: sum of b.
    pub npred_null: Array2<f64>,
    /// Predicted counts of the test source for norm 1 in the window: sum of m.
    pub npred_reference: Array2<f64>,
    /// Lower error, positive; NaN where there is none.
    pub norm_errn: Option<Array2<f64>>,
    /// Upper error.
    pub norm_errp: Option<Array2<f64>>,
    /// Upper limit.
    pub norm_ul: Option<Array2<f64>>,
    /// Norm whose Asimov counts (b + x m) give TS = n_sigma_sensitivity²; does not depend on the counts.
    pub norm_sensitivity: Option<Array2<f64>>,
    /// Iterations of the best fit.
    pub niter: Array2<u32>,
    /// Bits of [`TsMapStatus`].
    pub status: Array2<u32>,
}

impl TsMapOutput {
    /// All NaN and [`TsMapStatus::MASKED`], with the maps that `settings` ask for.
    pub fn empty(shape: (usize, usize), settings: &TsMapSettings) -> Self {
        let nan = || {
            // Zeros cost nothing; that way the first writing, which is the slow part, is shared by threads.
            let mut map = Array2::zeros(shape);
            map.par_mapv_inplace(|_: f64| f64::NAN);
            map
        };
        Self {
            norm: nan(),
            norm_err: nan(),
            ts: nan(),
            stat_null: nan(),
            npred_null: nan(),
            npred_reference: nan(),
            norm_errn: settings.errn_errp.then(nan),
            norm_errp: settings.errn_errp.then(nan),
            norm_ul: settings.ul.then(nan),
            norm_sensitivity: settings.sensitivity.then(nan),
            niter: Array2::zeros(shape),
            status: Array2::from_elem(shape, TsMapStatus::MASKED),
        }
    }

    /// Stores one pixel's fit.
    pub fn set(&mut self, y: usize, x: usize, fit: &WindowFit) {
        let at = [y, x];
        self.norm[at] = fit.norm;
        self.norm_err[at] = fit.norm_err;
        self.ts[at] = fit.ts;
        self.stat_null[at] = fit.stat_null;
        self.npred_null[at] = fit.npred_null;
        self.npred_reference[at] = fit.npred_reference;
        self.niter[at] = fit.niter;
        self.status[at] = fit.status;
        let optional = [
            (&mut self.norm_errn, fit.errn),
            (&mut self.norm_errp, fit.errp),
            (&mut self.norm_ul, fit.ul),
            (&mut self.norm_sensitivity, fit.sensitivity),
        ];
        for (map, value) in optional {
            if let Some(map) = map {
                map[at] = value;
            }
        }
    }
}
