//! The output's numbers from the device's, and fits in `f64` of pixels beyond single precision.

use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use super::band::BandState;
use super::layout::{flag, plane};
use super::rows::rows_of;
use super::window_sums::WindowSums;
use crate::compute::reference::Windows;
use crate::control::Control;
use crate::error::Result;
use crate::kernels::ts_map::window::stat_rise;
use crate::kernels::ts_map::{Window, WindowFit};
use crate::kernels::{TsMapData, TsMapOutput, TsMapRun, TsMapStatus};

/// Pixels fitted on the host between two looks at the cancel flag.
const HOST_CHUNK: usize = 256;

/// Norms of more standard deviations than this have too few bits in single precision: they are good to 1e-7.
const MAX_SIGNIFICANCE: f64 = 5000.0;

/// Fills the output with a band's results; returns the pixels that the host has to fit.
pub(super) fn assemble(
    output: &mut TsMapOutput,
    state: &BandState,
    sums: &WindowSums,
    run: &TsMapRun<'_>,
    scale: f64,
) -> Vec<(usize, usize)> {
    let nx = output.norm.dim().1;
    let flags = state.flags();
    let rows: Vec<_> = state.rows.clone().zip(rows_of(output, state.rows.clone())).collect();
    let left = rows.into_par_iter().enumerate().flat_map_iter(|(row, (y, mut out))| {
        let mut left = Vec::new();
        for x in 0..nx {
            let o = row * nx + x;
            if flags[o] & flag::VALID == 0 {
                continue;
            }
            match pixel_fit(state, o, run, scale).filter(|_| !sums.has_hole(y, x)) {
                Some(mut fit) => {
                    fit.stat_null = sums.stat_null[[y, x]];
                    fit.npred_null = sums.background[[y, x]];
                    if fit.status & TsMapStatus::NO_COUNTS != 0 && sums.counted[[y, x]] > 0.5 {
                        fit.status ^= TsMapStatus::NO_COUNTS | TsMapStatus::COUNTS_WITHOUT_MODEL;
                    }
                    out.set(x, &fit);
                }
                None => left.push((y, x)),
            }
        }
        left
    });
    left.collect()
}

/// One pixel's numbers from the device's; `None` where the device gave up.
fn pixel_fit(state: &BandState, o: usize, run: &TsMapRun<'_>, scale: f64) -> Option<WindowFit> {
    let settings = &run.settings;
    let flags = state.flags()[o];
    let value = |plane: usize| state.at(plane, o);
    let model = state.model(o) / scale;
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
    let norm = value(plane::X) * scale;
    fit.norm = norm;
    if flags & TsMapStatus::NO_COUNTS != 0 {
        // stat is linear: 2 (B + x M).
        fit.norm = -scale / value(plane::C_ALL);
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
        fit.norm_err = settings.n_sigma * scale / value(plane::Q).sqrt();
        fit.ts = 2.0 * (value(plane::GAIN) + value(plane::X) * value(plane::RHO));
        fit.niter = value(plane::ITERATIONS) as u32;
        if settings.errn_errp {
            fit.errn = -value(plane::D_ERRN) * scale;
            fit.errp = value(plane::D_ERRN + 1) * scale;
        }
        if settings.ul {
            fit.ul = norm + value(plane::D_UL) * scale;
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

/// Profiles of the pixels `left`, in `f64`.
pub(super) fn profile_on_host(
    profile: &mut Array3<f64>,
    left: &[(usize, usize)],
    (data, run): (&TsMapData<'_>, &TsMapRun<'_>),
    norms: ArrayView3<'_, f64>,
    control: &Control,
) -> Result<()> {
    let windows = Windows::new(data, run);
    for pixels in left.chunks(HOST_CHUNK) {
        control.check()?;
        let rises = pixels.par_iter().map_init(Window::default, |window, (y, x)| {
            windows.collect(*y, *x, window);
            (0..norms.dim().0).map(|scan| stat_rise(window, norms[[scan, *y, *x]])).collect()
        });
        let rises: Vec<Vec<f64>> = rises.collect();
        for ((y, x), rises) in pixels.iter().zip(rises) {
            rises.into_iter().enumerate().for_each(|(scan, rise)| profile[[scan, *y, *x]] = rise);
        }
    }
    Ok(())
}
