//! How close to the `f64` twin an engine must be: for tests and for the benchmark's check of every result.

/// norm, errors and limits, in units of the error of the pixel: rounding of single-precision passes and the last step
/// of a cubically converging search, far below what a measurement can see.
pub const SIGMA: f64 = 2e-3;

/// TS, as difference of square roots: `|ts_a - ts_b| / max(sqrt|ts_a| + sqrt|ts_b|, 0.1)`, for the same reason.
pub const SQRT_TS: f64 = 2e-3;

/// Convolution, energy dispersion and Cash sum in double precision, relative to the largest value: another order of
/// the same sums.
pub const JOBS_DOUBLE: f64 = 1e-12;

/// The same on a device, where inputs are rounded to single precision. Convolutions by transforms are far below it: their
/// numbers have 48 bits (`tests/gpu/convolve.rs` has their limit).
pub const JOBS_DEVICE: f64 = 3e-7;
