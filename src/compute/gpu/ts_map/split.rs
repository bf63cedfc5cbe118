//! The cut of a run's kernel into its core, whose bins are summed from lists, and its wing, whose bins are moments.
//!
//! Few cells of a kernel predict so many counts over background that polynomials of their norm do not hold; they lie
//! around its centre. With them apart, passes over lists look at a small window.

use ndarray::{Array3, ArrayView2, ArrayView3};

use super::super::planes::is_hole;
use crate::kernels::{TsMapData, TsMapRun};

/// |x c| of one standard deviation up to which pixels up to a few standard deviations stay in the polynomials' range.
const MOST_SPREAD: f64 = 0.06;
/// The same where all bins are in the wing: its polynomials reach farther, and no pixel is lost to a pass over lists.
const MOST_SPREAD_ALONE: f64 = 0.1;
/// Places along each axis at which the map is looked at.
const SAMPLES: usize = 16;

/// A kernel in two parts.
pub(super) struct Split {
    /// The kernel without its core.
    pub(super) wing: Array3<f64>,
    /// The core, in the smallest odd shape that holds it; `None` where all is wing.
    pub(super) core: Option<Array3<f64>>,
}

impl Split {
    /// Cuts `kernel`, `[plane of the run, ky, kx]`, as background and exposure ask for it at places on a grid over the
    /// map. `None` where there is nothing to go by.
    pub(super) fn new(data: &TsMapData<'_>, run: &TsMapRun<'_>, kernel: ArrayView3<'_, f64>) -> Option<Self> {
        let mut limits = plane_limits(data, run, kernel);
        let median = |values: &mut Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let limits: Vec<f64> = limits.iter_mut().map(median).collect::<Option<_>>()?;
        let alone = MOST_SPREAD_ALONE / MOST_SPREAD;
        let fits_alone =
            kernel.outer_iter().zip(&limits).all(|(plane, limit)| plane.iter().all(|k| *k <= limit * alone));
        if fits_alone {
            return Some(Self { wing: kernel.to_owned(), core: None });
        }
        let (planes, ky, kx) = kernel.dim();
        let in_core = |p: usize, u: usize, v: usize| kernel[[p, u, v]] > limits[p];
        let (mut hy, mut hx) = (0, 0);
        for ((p, u, v), _) in kernel.indexed_iter() {
            if in_core(p, u, v) {
                (hy, hx) = (hy.max(u.abs_diff(ky / 2)), hx.max(v.abs_diff(kx / 2)));
            }
        }
        let part = |core: bool| {
            move |at: (usize, usize, usize)| if in_core(at.0, at.1, at.2) == core { kernel[at] } else { 0.0 }
        };
        let (from_wing, from_core) = (part(false), part(true));
        Some(Self {
            wing: Array3::from_shape_fn(kernel.dim(), from_wing),
            core: Some(Array3::from_shape_fn((planes, 2 * hy + 1, 2 * hx + 1), |(p, u, v)| {
                from_core((p, u + ky / 2 - hy, v + kx / 2 - hx))
            })),
        })
    }
}

/// For each plane of the run, at each place where there is something to fit: the largest value of the kernel whose bins
/// stay within [`MOST_SPREAD`] at one standard deviation.
fn plane_limits(data: &TsMapData<'_>, run: &TsMapRun<'_>, kernel: ArrayView3<'_, f64>) -> Vec<Vec<f64>> {
    let (ny, nx) = data.shape();
    let squares: Vec<f64> =
        kernel.outer_iter().map(|plane: ArrayView2<'_, f64>| plane.iter().map(|k| k * k).sum()).collect();
    let planes: Vec<_> = data
        .inputs()
        .iter()
        .zip(&run.planes)
        .flat_map(|(input, range)| range.clone().map(move |p| (input, p)))
        .collect();
    let sigmas = run.settings.n_sigma.max(0.5 * run.settings.n_sigma_ul);
    let mut limits = vec![Vec::new(); planes.len()];
    for place in 0..SAMPLES * SAMPLES {
        let at = |i: usize, length: usize| (2 * i + 1) * length / (2 * SAMPLES);
        let (y, x) = (at(place / SAMPLES, ny), at(place % SAMPLES, nx));
        let bin = |(input, plane): &(&crate::kernels::TsMapInput<'_>, usize)| {
            let (b, e) = (input.background.at(*plane, y, x), input.exposure.at(*plane, y, x));
            (e > 0.0 && !is_hole(e, b)).then_some((e, b))
        };
        let information: f64 = planes
            .iter()
            .zip(&squares)
            .filter_map(|(plane, squares)| bin(plane).map(|(e, b)| squares * e * e / b))
            .sum();
        if information > 0.0 {
            for (plane, limits) in planes.iter().zip(&mut limits) {
                let limit =
                    bin(plane).map_or(f64::INFINITY, |(e, b)| MOST_SPREAD / sigmas * information.sqrt() * b / e);
                limits.push(limit);
            }
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{CubeView, TsMapInput, TsMapSettings};

    #[test]
    fn the_parts_make_up_the_kernel() {
        let kernel = Array3::from_shape_fn((1, 9, 11), |(_, y, x)| {
            let (y, x) = (y as f64 - 4.0, x as f64 - 5.0);
            (-0.5 * (y * y + x * x)).exp()
        });
        let (counts, mask) = (Array3::<f64>::ones((1, 20, 20)), ndarray::Array2::from_elem((20, 20), true));
        for (level, alone) in [(0.1, false), (1e4, true)] {
            let background = Array3::from_elem((1, 20, 20), level);
            let (counts_view, exposure) = (CubeView::F64(counts.view()), CubeView::F64(counts.view()));
            let input = TsMapInput { counts: counts_view, background: CubeView::F64(background.view()), exposure };
            let data = TsMapData::new(vec![input]).unwrap();
            let run = TsMapRun {
                planes: std::iter::once(0..1).collect(),
                kernels: vec![kernel.view()],
                fit_mask: mask.view(),
                norm_guess: None,
                settings: TsMapSettings::default(),
            };
            let split = Split::new(&data, &run, kernel.view()).unwrap();
            assert_eq!(split.core.is_none(), alone);
            let core = split.core.as_ref().map_or(0.0, |core| core.sum());
            assert!((split.wing.sum() + core - kernel.sum()).abs() < 1e-12);
        }
    }
}
