//! What the host does for a TS map: sums over windows that do not depend on the norm, the output's numbers from the
//! device's, and fits in `f64` of pixels beyond single precision.

use ndarray::{Array2, Axis, Zip};
use rayon::prelude::*;

use super::planes::is_hole;
use super::ts_map_run::{BandState, flag};
use crate::compute::reference::Windows;
use crate::control::Control;
use crate::error::Result;
use crate::kernels::ts_map::{TRUNCATION_VALUE, Window, WindowFit};
use crate::kernels::{TsMapData, TsMapOutput, TsMapRun, TsMapStatus};

/// Pixels fitted on the host between two looks at the cancel flag.
const HOST_CHUNK: usize = 256;

/// Norms of more standard deviations than this have too few bits in single precision: they are good to 1e-7.
const MAX_SIGNIFICANCE: f64 = 5000.0;

/// Per pixel, sums over its window, `f64`.
pub(super) struct WindowSums {
    /// Sum of b.
    background: Array2<f64>,
    /// `2 sum [t(b) - n ln t(b)]`.
    stat_null: Array2<f64>,
    /// Number of bins with counts, whether they have model or not.
    counted: Array2<f64>,
    /// Number of bins with exposure but without background; `None`: nowhere.
    holes: Option<Array2<f64>>,
}

impl WindowSums {
    pub(super) fn new(data: &TsMapData<'_>, run: &TsMapRun<'_>) -> Self {
        let shape = data.shape();
        let zeros = || Array2::<f64>::zeros(shape);
        let mut sums = Self { background: zeros(), stat_null: zeros(), counted: zeros(), holes: None };
        let mut holes = zeros();
        for ((input, range), kernel) in data.inputs().iter().zip(&run.planes).zip(&run.kernels) {
            if range.is_empty() {
                continue;
            }
            let (mut b_sum, mut stat, mut counted, mut hole) = (zeros(), zeros(), zeros(), zeros());
            for plane in range.clone() {
                let (n, b, e) = (input.counts.plane(plane), input.background.plane(plane), input.exposure.plane(plane));
                Zip::indexed(&mut b_sum).and(&mut stat).and(&mut counted).and(&mut hole).par_for_each(
                    |(y, x), b_sum, stat, counted, hole| {
                        let (n, b, e) = (n.at(y, x), b.at(y, x), e.at(y, x));
                        let truncated = b.max(TRUNCATION_VALUE);
                        *b_sum += b;
                        *stat += 2.0 * b;
                        if n > 0.0 {
                            *stat -= 2.0 * n * truncated.ln();
                            *counted += 1.0;
                        }
                        *hole += f64::from(u8::from(is_hole(e, b)));
                    },
                );
            }
            let half = (kernel.dim().1 / 2, kernel.dim().2 / 2);
            for (total, part) in [
                (&mut sums.background, b_sum),
                (&mut sums.stat_null, stat),
                (&mut sums.counted, counted),
                (&mut holes, hole),
            ] {
                if part.iter().any(|v| *v != 0.0) {
                    *total += &box_sum(part, half);
                }
            }
        }
        sums.holes = holes.iter().any(|h| *h > 0.0).then_some(holes);
        sums
    }

    pub(super) fn has_hole(&self, y: usize, x: usize) -> bool {
        self.holes.as_ref().is_some_and(|holes| holes[[y, x]] > 0.5)
    }
}

/// Sums over windows of half sizes `(hy, hx)`; parts outside the map are 0.
fn box_sum(mut map: Array2<f64>, (hy, hx): (usize, usize)) -> Array2<f64> {
    for (axis, half) in [(Axis(0), hx), (Axis(1), hy)] {
        map.axis_iter_mut(axis).into_par_iter().for_each(|mut line| {
            let summed = window_sums(line.iter().copied(), half);
            line.iter_mut().zip(summed).for_each(|(to, from)| *to = from);
        });
    }
    map
}

/// Sums of `2 half + 1` neighbours by the method of van Herk and Gil-Werman: blocks of the window's length, a sum from
/// each block's start and one to its end. Three additions per value, and nothing is ever subtracted.
fn window_sums(values: impl ExactSizeIterator<Item = f64>, half: usize) -> Vec<f64> {
    let length = values.len();
    let window = 2 * half + 1;
    let padded_length = (length + 2 * half).next_multiple_of(window);
    let mut padded = vec![0.0; padded_length];
    padded[half..].iter_mut().zip(values).for_each(|(to, from)| *to = from);
    let mut from_start = padded.clone();
    let mut to_end = padded;
    for block in from_start.chunks_mut(window) {
        (1..block.len()).for_each(|i| block[i] += block[i - 1]);
    }
    for block in to_end.chunks_mut(window) {
        (0..block.len() - 1).rev().for_each(|i| block[i] += block[i + 1]);
    }
    (0..length)
        .map(|i| if i % window == 0 { from_start[i + window - 1] } else { to_end[i] + from_start[i + window - 1] })
        .collect()
}

/// Fills the output with a band's results; returns the pixels that the host has to fit.
pub(super) fn assemble(
    output: &mut TsMapOutput,
    state: &BandState,
    sums: &WindowSums,
    run: &TsMapRun<'_>,
    scale: f64,
) -> Vec<(usize, usize)> {
    let nx = output.norm.dim().1;
    let mut left = Vec::new();
    for (row, y) in state.rows.clone().enumerate() {
        for x in 0..nx {
            let o = row * nx + x;
            let flags = state.flags[o];
            if flags & flag::VALID == 0 {
                continue;
            }
            match pixel_fit(state, o, run, scale) {
                Some(mut fit) => {
                    fit.stat_null = sums.stat_null[[y, x]];
                    fit.npred_null = sums.background[[y, x]];
                    if fit.status & TsMapStatus::NO_COUNTS != 0 && sums.counted[[y, x]] > 0.5 {
                        fit.status ^= TsMapStatus::NO_COUNTS | TsMapStatus::COUNTS_WITHOUT_MODEL;
                    }
                    output.set(y, x, &fit);
                }
                None => left.push((y, x)),
            }
        }
    }
    left
}

/// One pixel's numbers from the device's; `None` where the device gave up.
fn pixel_fit(state: &BandState, o: usize, run: &TsMapRun<'_>, scale: f64) -> Option<WindowFit> {
    let settings = &run.settings;
    let flags = state.flags[o];
    let value = |plane: &[f32]| f64::from(plane[o]);
    let model = (f64::from(state.model[o][0]) + f64::from(state.model[o][1])) / scale;
    let mut fit = WindowFit { status: flags & flag::STATUS, npred_reference: model, ..WindowFit::MASKED };
    fit.status &= !TsMapStatus::MASKED;
    if flags & flag::TO_HOST != 0 {
        return None;
    }
    if flags & TsMapStatus::NO_MODEL != 0 {
        fit.ts = 0.0;
        fit.status = TsMapStatus::NO_MODEL;
        return Some(fit);
    }
    if let Some(sensitivity) = &state.sensitivity {
        fit.sensitivity = sensitivity[o];
        if fit.sensitivity.is_nan() {
            return None;
        }
    }
    let norm = value(&state.x) * scale;
    fit.norm = norm;
    if flags & TsMapStatus::NO_COUNTS != 0 {
        // stat is linear: 2 (B + x M).
        fit.norm = -scale / value(&state.c_all);
        fit.norm_err = f64::INFINITY;
        fit.ts = -2.0 * fit.norm * model;
        if settings.errn_errp {
            fit.errp = settings.n_sigma * settings.n_sigma / (2.0 * model);
            fit.status |= TsMapStatus::NO_ERRN;
        }
        if settings.ul {
            fit.ul = fit.norm + settings.n_sigma_ul * settings.n_sigma_ul / (2.0 * model);
        }
    } else {
        fit.norm_err = settings.n_sigma * scale / value(&state.q).sqrt();
        fit.ts = 2.0 * (value(&state.gain) + value(&state.x) * value(&state.rho));
        fit.niter = state.iterations[o] as u32;
        let [errn, errp, ul] = &state.displacements;
        if settings.errn_errp {
            fit.errn = -value(errn) * scale;
            fit.errp = value(errp) * scale;
        }
        if settings.ul {
            fit.ul = norm + value(ul) * scale;
        }
    }
    if (fit.norm / fit.norm_err).abs() > MAX_SIGNIFICANCE {
        return None;
    }
    let finite = fit.norm.is_finite() && fit.ts.is_finite() && !fit.norm_err.is_nan();
    let positive = |wanted: bool, v: f64| !wanted || v > 0.0 && v.is_finite();
    let errors = positive(settings.errn_errp && fit.status & TsMapStatus::NO_ERRN == 0, fit.errn)
        && positive(settings.errn_errp, fit.errp)
        && positive(settings.ul, fit.ul - fit.norm);
    (finite && errors).then_some(fit)
}

/// Fits the pixels `left` in `f64`.
pub(super) fn fit_on_host(
    output: &mut TsMapOutput,
    left: &[(usize, usize)],
    data: &TsMapData<'_>,
    run: &TsMapRun<'_>,
    control: &Control,
) -> Result<()> {
    let windows = Windows::new(data, run);
    for (chunk, pixels) in left.chunks(HOST_CHUNK).enumerate() {
        control.check()?;
        control.report("fit in double precision", (chunk * HOST_CHUNK) as u64, left.len() as u64);
        let fits: Vec<WindowFit> =
            pixels.par_iter().map_init(Window::default, |window, (y, x)| windows.fit(*y, *x, run, window)).collect();
        for ((y, x), fit) in pixels.iter().zip(&fits) {
            output.set(*y, *x, fit);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn window_sums_are_plain_sums(values in prop::collection::vec(0u32..1000, 0..40), half in 0usize..25) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let plain: Vec<f64> = (0..values.len())
                .map(|i| values[i.saturating_sub(half)..values.len().min(i + half + 1)].iter().sum())
                .collect();
            prop_assert_eq!(window_sums(values.iter().copied(), half), plain);
        }
    }
}
