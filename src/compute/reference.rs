//! The reference engine: plain f64, pixel by pixel.

use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use super::backend::BackendInfo;
use super::engine::{Engine, PreparedTsMap};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::cube::PlaneView;
use crate::kernels::ts_map::{Window, WindowFit, fit_window, window::stat_rise};
use crate::kernels::{
    CashSumJob, ConvolveJob, DiskSumJob, EdispJob, TsMapData, TsMapOutput, TsMapRun, convolve, disk, edisp, likelihood,
};

/// Rows whose fits are held at once before they go into the output: bounds the memory, feeds 64 threads.
const BAND_ROWS: usize = 64;

/// The truth, slowly.
#[derive(Debug)]
pub struct ReferenceEngine {
    info: BackendInfo,
}

impl ReferenceEngine {
    /// Makes one.
    #[expect(clippy::new_without_default, reason = "an engine is chosen, never defaulted")]
    pub fn new() -> Self {
        Self {
            info: BackendInfo {
                name: "reference",
                adapter: String::new(),
                reason: String::from("asked for"),
                double_precision: true,
            },
        }
    }
}

impl Engine for ReferenceEngine {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn prepare<'a, 'd: 'a>(&'a self, data: &TsMapData<'d>, control: &Control) -> Result<Box<dyn PreparedTsMap + 'a>> {
        let data = &data.shortened();
        control.check()?;
        Ok(Box::new(Prepared { data: data.clone() }))
    }

    fn convolve(&self, job: &ConvolveJob<'_>, control: &Control) -> Result<Array3<f64>> {
        job.check()?;
        control.check()?;
        Ok(convolve::convolve(job))
    }

    fn apply_edisp(&self, job: &EdispJob<'_>, control: &Control) -> Result<Array3<f64>> {
        job.check()?;
        control.check()?;
        Ok(edisp::apply_edisp(job))
    }

    fn cash_sum(&self, job: &CashSumJob<'_>, control: &Control) -> Result<f64> {
        job.check()?;
        control.check()?;
        Ok(likelihood::cash_sum(job))
    }

    fn disk_sum(&self, job: &DiskSumJob<'_>, control: &Control) -> Result<Array3<f64>> {
        job.check()?;
        control.check()?;
        Ok(disk::disk_sum(job))
    }
}

struct Prepared<'a> {
    data: TsMapData<'a>,
}

impl PreparedTsMap for Prepared<'_> {
    fn run(&self, run: &TsMapRun<'_>, control: &Control) -> Result<TsMapOutput> {
        run.check(&self.data)?;
        let mut output = TsMapOutput::empty(self.data.shape(), &run.settings);
        let windows = Windows::new(&self.data, run);
        for_each_row(run, control, |y, x, window| windows.fit(y, x, run, window), |y, x, fit| output.set(y, x, fit))?;
        Ok(output)
    }

    fn profile(&self, run: &TsMapRun<'_>, norms: ArrayView3<'_, f64>, control: &Control) -> Result<Array3<f64>> {
        run.check(&self.data)?;
        check_norms(&self.data, norms)?;
        let mut profile = Array3::from_elem(norms.dim(), f64::NAN);
        let windows = Windows::new(&self.data, run);
        for_each_row(
            run,
            control,
            |y, x, window| {
                windows.collect(y, x, window);
                (0..norms.dim().0).map(|scan| stat_rise(window, norms[[scan, y, x]])).collect::<Vec<f64>>()
            },
            |y, x, rises| {
                for (scan, rise) in rises.iter().enumerate() {
                    profile[[scan, y, x]] = *rise;
                }
            },
        )?;
        Ok(profile)
    }
}

/// Norms of a profile must be `[scan, y, x]` over the data's map.
pub(super) fn check_norms(data: &TsMapData<'_>, norms: ArrayView3<'_, f64>) -> Result<()> {
    let (scans, ny, nx) = norms.dim();
    if (ny, nx) != data.shape() {
        let wanted = data.shape();
        return Err(Error::input("norms", format!("shape ({scans}, {ny}, {nx}) over a map of shape {wanted:?}")));
    }
    Ok(())
}

/// Calls `pixel` for every unmasked pixel, rows in parallel, and `store` with what it gave, in order.
pub(super) fn for_each_row<T: Send>(
    run: &TsMapRun<'_>,
    control: &Control,
    pixel: impl Fn(usize, usize, &mut Window) -> T + Sync,
    mut store: impl FnMut(usize, usize, &T),
) -> Result<()> {
    let (ny, nx) = run.fit_mask.dim();
    let total = run.fit_mask.iter().filter(|fitted| **fitted).count() as u64;
    let done = AtomicU64::new(0);
    for first in (0..ny).step_by(BAND_ROWS) {
        let rows = (first..ny.min(first + BAND_ROWS)).into_par_iter();
        let band: Vec<Vec<(usize, T)>> = rows
            .map_init(Window::default, |window, y| {
                let fitted = (0..nx).filter(|x| run.fit_mask[[y, *x]]);
                let row = fitted
                    .map(|x| {
                        control.check()?;
                        Ok((x, pixel(y, x, window)))
                    })
                    .collect::<Result<Vec<_>>>()?;
                let count = row.len() as u64;
                control.report("fit", done.fetch_add(count, Ordering::Relaxed) + count, total);
                Ok(row)
            })
            .collect::<Result<_>>()?;
        for (y, row) in (first..).zip(&band) {
            for (x, value) in row {
                store(y, *x, value);
            }
        }
    }
    Ok(())
}

/// The planes of a run, each with its kernel plane: cuts out windows.
pub(super) struct Windows<'d, 'r> {
    planes: Vec<WindowPlane<'d, 'r>>,
    shape: (usize, usize),
}

struct WindowPlane<'d, 'r> {
    counts: PlaneView<'d>,
    background: PlaneView<'d>,
    exposure: PlaneView<'d>,
    kernel: ndarray::ArrayView2<'r, f64>,
}

impl<'d, 'r> Windows<'d, 'r> {
    pub(super) fn new(data: &TsMapData<'d>, run: &'r TsMapRun<'_>) -> Self {
        let mut planes = Vec::new();
        for ((input, range), kernel) in data.inputs().iter().zip(&run.planes).zip(&run.kernels) {
            for (plane, kernel) in range.clone().zip(kernel.outer_iter()) {
                planes.push(WindowPlane {
                    counts: input.counts.plane(plane),
                    background: input.background.plane(plane),
                    exposure: input.exposure.plane(plane),
                    kernel,
                });
            }
        }
        Self { planes, shape: data.shape() }
    }

    /// Fills `window` with the bins around `(y, x)`, plane by plane, row by row.
    pub(super) fn collect(&self, y: usize, x: usize, window: &mut Window) {
        window.clear();
        let (ny, nx) = self.shape;
        for plane in &self.planes {
            let (ky, kx) = plane.kernel.dim();
            let (hy, hx) = (ky / 2, kx / 2);
            for row in y.saturating_sub(hy)..ny.min(y + hy + 1) {
                let columns = x.saturating_sub(hx)..nx.min(x + hx + 1);
                let kernel = plane.kernel.row(row + hy - y);
                let kernel = kernel.iter().skip(columns.start + hx - x);
                window.push_row([plane.counts, plane.background, plane.exposure], (row, columns), kernel);
            }
        }
    }

    /// The fit of one pixel: the way out of other engines for awkward pixels.
    pub(super) fn fit(&self, y: usize, x: usize, run: &TsMapRun<'_>, window: &mut Window) -> WindowFit {
        self.collect(y, x, window);
        fit_window(window, run.norm_guess.map(|guess| guess[[y, x]]), &run.settings)
    }
}
