//! How much work a workload is: operations and bytes that its definition asks for, whichever way an engine goes.
//!
//! A rate of counted operations can so be compared between engines, and with the ceiling of a machine. It is not a
//! count of what the hardware did: an engine that works around an operation (an FFT for a convolution, moments for weak
//! terms of a likelihood) has a higher rate than it executes, even one above the ceiling.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::inputs::{Inputs, Output};
use super::workload::Job;

/// Operations of one evaluation of the fit's function and slope at a bin with counts:
/// mu = b + x m (2), r = n / mu (1), f += m (1 - r) (3), slope += m r m / mu (4).
const FIT_OPERATIONS: u64 = 10;
/// Operations of one evaluation of the statistic at a bin with counts: mu (2), logarithm (1), sum (3).
const STAT_OPERATIONS: u64 = 6;
/// Evaluations of the statistic that TS, errn, errp and ul take at least: one at the fit, two for each crossing.
const STAT_EVALUATIONS: u64 = 7;
/// Operations of a bin of the Cash sum: logarithm, product, difference, sum.
const CASH_OPERATIONS: u64 = 4;

/// Work of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Pixels of the map times kernels: fits, for a TS map.
    pub pixels: u64,
    /// Terms of the sums: bins of the windows of all pixels, kernel cells times pixels, or bins.
    pub bins: u64,
    /// Operations; a multiplication and an addition are two, a division or a logarithm is one.
    pub operations: u64,
    /// Bytes that must be read or written at least once: inputs, kernels and outputs.
    pub bytes: u64,
}

impl Count {
    /// Counts the work of one run; the iterations of fits are those of the output.
    pub fn of(inputs: &Inputs, output: &Output) -> Self {
        let (planes, ny, nx) = inputs.workload.size.dim();
        let (pixels, planes) = ((ny * nx) as u64, planes as u64);
        let input_planes = inputs.workload.input_planes() as u64;
        let kernel_cells = inputs.kernels.first().map_or(0, |k| k.len()) as u64;
        match (inputs.workload.job, output) {
            (Job::TsMap | Job::Resident, Output::TsMaps(maps)) => {
                let kernels = inputs.kernels.len() as u64;
                let window = (inputs.workload.kernel / 2, inputs.workload.kernel / 2);
                let (cells, filled) = windows(inputs, window);
                let mut count = Self { bytes: 12 * planes * pixels, ..Self::default() };
                for map in maps {
                    count.pixels += pixels;
                    // The model's sum over the whole window: a multiplication and an addition per bin.
                    count.operations += 2 * cells;
                    for (filled, niter) in filled.iter().zip(&map.niter) {
                        count.operations +=
                            filled * (u64::from(*niter) * FIT_OPERATIONS + STAT_EVALUATIONS * STAT_OPERATIONS);
                    }
                    count.bytes += 8 * kernel_cells + 80 * pixels;
                }
                count.bins = kernels * cells;
                count
            }
            (Job::Convolve, _) => Self {
                pixels,
                bins: kernel_cells * pixels,
                operations: 2 * kernel_cells * pixels,
                bytes: (4 + 8) * planes * pixels + 8 * kernel_cells,
            },
            (Job::Edisp, _) => Self {
                pixels,
                bins: planes * input_planes * pixels,
                operations: 2 * planes * input_planes * pixels,
                bytes: (4 * input_planes + 8 * planes) * pixels,
            },
            _ => Self {
                pixels,
                bins: planes * pixels,
                operations: CASH_OPERATIONS * planes * pixels,
                bytes: 8 * planes * pixels,
            },
        }
    }
}

/// Bins inside of the map in the windows of all pixels together, and bins with counts in the window of each pixel.
fn windows(inputs: &Inputs, (hy, hx): (usize, usize)) -> (u64, Array2<u64>) {
    let counts = &inputs.case.datasets[0].counts;
    let (planes, ny, nx) = counts.dim();
    // Sums over everything above and left of a corner.
    let mut above = Array2::<u64>::zeros((ny + 1, nx + 1));
    for y in 0..ny {
        let mut row = 0;
        for x in 0..nx {
            row += (0..planes).filter(|p| counts[[*p, y, x]] > 0.0).count() as u64;
            above[[y + 1, x + 1]] = above[[y, x + 1]] + row;
        }
    }
    let mut cells = 0;
    let filled = Array2::from_shape_fn((ny, nx), |(y, x)| {
        let (y0, y1) = (y.saturating_sub(hy), ny.min(y + hy + 1));
        let (x0, x1) = (x.saturating_sub(hx), nx.min(x + hx + 1));
        cells += ((y1 - y0) * (x1 - x0) * planes) as u64;
        above[[y1, x1]] + above[[y0, x0]] - above[[y0, x1]] - above[[y1, x0]]
    });
    (cells, filled)
}

#[cfg(test)]
mod tests {
    use super::super::workload::{Size, Workload};
    use super::*;
    use crate::compute::Backend;
    use crate::control::Control;

    #[test]
    fn windows_are_counted_bin_by_bin() {
        let inputs = Inputs::new(&Workload::select(Size::Tiny, &["tsmap_15_k21".into()]).unwrap()[0]);
        let counts = &inputs.case.datasets[0].counts;
        let (cells, filled) = windows(&inputs, (10, 10));
        let mut wanted_cells = 0;
        for ((y, x), filled) in filled.indexed_iter() {
            let near = counts.indexed_iter().filter(|((_, v, u), _)| v.abs_diff(y) <= 10 && u.abs_diff(x) <= 10);
            let (all, with_counts) = near.fold((0, 0), |(a, b), (_, n)| (a + 1, b + u64::from(*n > 0.0)));
            assert_eq!(*filled, with_counts, "at ({y}, {x})");
            wanted_cells += all;
        }
        assert_eq!(cells, wanted_cells);
    }

    #[test]
    fn counts_of_each_job() {
        let count = |name: &str| {
            let inputs = Inputs::new(&Workload::select(Size::Tiny, &[name.into()]).unwrap()[0]);
            let output = inputs.run(Backend::reference().engine(), &Control::new()).unwrap();
            Count::of(&inputs, &output)
        };
        let pixels = 32 * 48;
        assert_eq!(count("cash"), Count { pixels, bins: 2 * pixels, operations: 8 * pixels, bytes: 16 * pixels });
        let edisp = count("edisp");
        assert_eq!((edisp.bins, edisp.operations), (6 * pixels, 12 * pixels));
        assert_eq!(count("convolve").operations, 2 * 2 * 51 * 51 * pixels);
        let map = count("tsmap_15_k21");
        assert!(map.pixels == pixels && map.bins < 2 * 21 * 21 * pixels && map.operations > 2 * map.bins, "{map:?}");
    }
}
