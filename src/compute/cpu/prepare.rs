//! What is built once per data set: the lists of bins with counts, plane by plane.

use rayon::prelude::*;

use crate::kernels::TsMapData;
use crate::kernels::ts_map::{TRUNCATION_VALUE, TsMapInput};

/// Bins with counts, background and exposure of one plane, row by row.
pub struct PlaneBins {
    /// Where each row starts in the three lists, and where the last ends.
    pub starts: Vec<usize>,
    /// x of each bin, ascending within a row.
    pub columns: Vec<u32>,
    /// Counts n.
    pub counts: Vec<f32>,
    /// Exposure over background, e / b, times [`BinLists::ratio_scale`].
    pub ratios: Vec<f32>,
    /// Largest of `ratios`.
    pub ratio_max: f32,
    /// Per row: largest of `ratios` and smallest of `counts`; 0 and infinity without bins.
    pub row_bounds: Vec<(f32, f32)>,
    /// Some bin has exposure but no background.
    pub has_holes: bool,
    /// `(y, x)`, ascending, of bins that single precision cannot hold: counts without background, or numbers beyond it.
    pub awkward: Vec<(u32, u32)>,
}

/// The lists of all planes of all inputs.
pub struct BinLists {
    /// Planes of the inputs, one input after the other.
    pub planes: Vec<PlaneBins>,
    /// First plane of each input.
    pub first_plane: Vec<usize>,
    /// Brings the ratios e / b into the range of single precision; a power of two.
    pub ratio_scale: f64,
}

impl BinLists {
    pub fn new(data: &TsMapData<'_>) -> Self {
        let numbered: Vec<(&TsMapInput<'_>, usize)> =
            data.inputs().iter().flat_map(|input| (0..input.counts.dim().0).map(move |plane| (input, plane))).collect();
        let mut first_plane = vec![0];
        for input in data.inputs() {
            first_plane.push(first_plane[first_plane.len() - 1] + input.counts.dim().0);
        }
        let largest = numbered
            .par_iter()
            .map(|(input, plane)| largest_ratio(input, *plane, data.shape()))
            .reduce(|| 0.0, f64::max);
        let ratio_scale = power_of_two_below(1.0 / largest);
        let planes = numbered
            .par_iter()
            .map(|(input, plane)| PlaneBins::new(input, *plane, data.shape(), ratio_scale))
            .collect();
        Self { planes, first_plane, ratio_scale }
    }
}

/// 1 where the value has no such power.
pub fn power_of_two_below(value: f64) -> f64 {
    if value.is_finite() && value > 0.0 { value.log2().floor().clamp(-900.0, 900.0).exp2() } else { 1.0 }
}

/// No background: e / b means nothing. Truncated background counts as none.
#[inline(always)]
pub fn is_hole(background: f64) -> bool {
    background <= TRUNCATION_VALUE
}

/// Largest e / b of the bins with counts.
fn largest_ratio(input: &TsMapInput<'_>, plane: usize, (ny, nx): (usize, usize)) -> f64 {
    let (background, exposure) = (input.background.plane(plane), input.exposure.plane(plane));
    let mut counts = vec![0.0; nx];
    let mut largest = 0.0f64;
    for y in 0..ny {
        input.counts.plane(plane).copy_row(y, 0, &mut counts);
        for (x, _) in counts.iter().enumerate().filter(|(_, n)| **n > 0.0) {
            let b = background.at(y, x);
            if !is_hole(b) {
                largest = largest.max(exposure.at(y, x) / b);
            }
        }
    }
    largest
}

impl PlaneBins {
    fn new(input: &TsMapInput<'_>, plane: usize, (ny, nx): (usize, usize), ratio_scale: f64) -> Self {
        let counts = input.counts.plane(plane);
        let (background, exposure) = (input.background.plane(plane), input.exposure.plane(plane));
        let mut bins = Self {
            starts: vec![0],
            columns: Vec::new(),
            counts: Vec::new(),
            ratios: Vec::new(),
            ratio_max: 0.0,
            row_bounds: Vec::with_capacity(ny),
            has_holes: false,
            awkward: Vec::new(),
        };
        let mut row = [vec![0.0; nx], vec![0.0; nx], vec![0.0; nx]];
        for y in 0..ny {
            for (row, plane) in row.iter_mut().zip([&counts, &background, &exposure]) {
                plane.copy_row(y, 0, row);
            }
            let [n, b, e] = &row;
            let mut bounds = (0.0f32, f32::INFINITY);
            bins.has_holes |= b.iter().zip(e).fold(false, |any, (b, e)| any | (is_hole(*b) & (*e > 0.0)));
            for (x, n) in n.iter().copied().enumerate().filter(|(x, n)| *n > 0.0 && e[*x] > 0.0) {
                let (b, e) = (b[x], e[x]);
                let ratio = (e / b * ratio_scale) as f32;
                if is_hole(b) || !ratio.is_normal() || !(n as f32).is_normal() {
                    bins.awkward.push((y as u32, x as u32));
                } else {
                    bins.columns.push(x as u32);
                    bins.counts.push(n as f32);
                    bins.ratios.push(ratio);
                    bounds = (bounds.0.max(ratio), bounds.1.min(n as f32));
                }
            }
            bins.starts.push(bins.columns.len());
            bins.row_bounds.push(bounds);
            bins.ratio_max = bins.ratio_max.max(bounds.0);
        }
        bins.columns.shrink_to_fit();
        bins.counts.shrink_to_fit();
        bins.ratios.shrink_to_fit();
        bins
    }
}
