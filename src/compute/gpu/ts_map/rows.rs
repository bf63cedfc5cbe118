//! Rows of an output, to be filled by several threads.

use std::ops::Range;

use ndarray::{Array2, ArrayViewMut1, Axis};

use crate::kernels::TsMapOutput;
use crate::kernels::ts_map::WindowFit;

/// One row of all maps.
pub(super) struct OutputRow<'o> {
    always: [ArrayViewMut1<'o, f64>; 6],
    /// errn, errp, ul, sensitivity.
    wanted: [Option<ArrayViewMut1<'o, f64>>; 4],
    niter: ArrayViewMut1<'o, u32>,
    status: ArrayViewMut1<'o, u32>,
}

impl OutputRow<'_> {
    /// Stores one pixel's fit, as [`TsMapOutput::set`] does.
    pub(super) fn set(&mut self, x: usize, fit: &WindowFit) {
        let values = [fit.norm, fit.norm_err, fit.ts, fit.stat_null, fit.npred_null, fit.npred_reference];
        self.always.iter_mut().zip(values).for_each(|(row, value)| row[x] = value);
        let values = [fit.errn, fit.errp, fit.ul, fit.sensitivity];
        for (row, value) in self.wanted.iter_mut().zip(values) {
            if let Some(row) = row {
                row[x] = value;
            }
        }
        self.niter[x] = fit.niter;
        self.status[x] = fit.status;
    }
}

/// The rows of all maps, in order.
pub(super) fn rows_of(output: &mut TsMapOutput, rows: Range<usize>) -> Vec<OutputRow<'_>> {
    fn cut<T>(map: &mut Array2<T>, rows: Range<usize>) -> impl Iterator<Item = ArrayViewMut1<'_, T>> {
        map.axis_iter_mut(Axis(0)).skip(rows.start).take(rows.len())
    }
    let [mut norm, mut norm_err, mut ts, mut stat_null, mut npred_null, mut npred_reference] = [
        &mut output.norm,
        &mut output.norm_err,
        &mut output.ts,
        &mut output.stat_null,
        &mut output.npred_null,
        &mut output.npred_reference,
    ]
    .map(|map| cut(map, rows.clone()));
    let [mut errn, mut errp, mut ul, mut sensitivity] =
        [&mut output.norm_errn, &mut output.norm_errp, &mut output.norm_ul, &mut output.norm_sensitivity]
            .map(|map| map.as_mut().map(|map| cut(map, rows.clone())));
    let mut niter = cut(&mut output.niter, rows.clone());
    let mut status = cut(&mut output.status, rows.clone());
    let mut next = || {
        Some(OutputRow {
            always: [
                norm.next()?,
                norm_err.next()?,
                ts.next()?,
                stat_null.next()?,
                npred_null.next()?,
                npred_reference.next()?,
            ],
            wanted: [&mut errn, &mut errp, &mut ul, &mut sensitivity].map(|map| map.as_mut()?.next()),
            niter: niter.next()?,
            status: status.next()?,
        })
    };
    std::iter::from_fn(&mut next).collect()
}
