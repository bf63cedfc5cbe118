//! Maps around the whole sky: where the last column meets the first, windows go on.

use ndarray::{Array2, Array3, s};

use super::assemble::GroupResult;
use super::inputs::{FitPlanes, Planes};
use super::kernel::Kernel;
use crate::kernels::cube::of_columns;
use crate::kernels::{Cube, CubeView};
use crate::maps::WcsGeom;

/// How the planes of a map that closes in longitude are continued beyond both ends of their rows.
#[derive(Debug)]
pub(super) struct Seam {
    /// Column of the map for each column of the continued one.
    columns: Vec<usize>,
    /// Columns added on each side.
    half: usize,
}

impl Seam {
    /// For kernels of up to `2 half + 1` columns; `None` for maps that do not close, and where a window would see a
    /// place twice.
    pub fn new(image: &WcsGeom, kernels: &[Kernel]) -> Option<Self> {
        let turn = image.closes_in_longitude()?;
        let half = kernels.iter().map(|k| k.data.dim().2 / 2).max()?;
        if half == 0 || 2 * half + 1 > turn {
            return None;
        }
        let nx = image.nx();
        // A map that shows a part of the sky twice goes on as it does within.
        let before = (turn - half)..turn;
        let after = (nx - turn)..(nx - turn + half);
        Some(Self { columns: before.chain(0..nx).chain(after).collect(), half })
    }

    /// Planes with the added columns.
    pub fn continued<'d>(&self, planes: FitPlanes<'_>) -> FitPlanes<'d> {
        let cube = |planes: &Planes<'_>| {
            Planes::Made(match planes.view() {
                CubeView::F32(a) => Cube::F32(of_columns(a, &self.columns)),
                CubeView::F64(a) => Cube::F64(of_columns(a, &self.columns)),
            })
        };
        FitPlanes {
            counts: cube(&planes.counts),
            background: cube(&planes.background),
            exposure: cube(&planes.exposure),
            mask: planes.mask.as_ref().map(|mask| of_columns(mask.view(), &self.columns)),
            left_out: planes.left_out,
        }
    }

    /// A cube with the added columns.
    pub fn continued_cube(&self, cube: &Array3<f64>) -> Array3<f64> {
        of_columns(cube.view(), &self.columns)
    }

    /// Takes the added columns out of the pixels to fit.
    pub fn only_own(&self, mask: &mut Array2<bool>) {
        let end = self.columns.len() - self.half;
        mask.slice_mut(s![.., ..self.half]).fill(false);
        mask.slice_mut(s![.., end..]).fill(false);
    }

    /// A result without the added columns.
    pub fn cropped(&self, result: GroupResult) -> GroupResult {
        let own = self.half..self.columns.len() - self.half;
        let image = |a: Array2<f64>| a.slice(s![.., own.clone()]).as_standard_layout().into_owned();
        let whole = |a: Array2<u32>| a.slice(s![.., own.clone()]).as_standard_layout().into_owned();
        let cube = |a: Array3<f64>| a.slice(s![.., .., own.clone()]).as_standard_layout().into_owned();
        let mut output = result.output;
        for map in [
            &mut output.norm,
            &mut output.norm_err,
            &mut output.ts,
            &mut output.stat_null,
            &mut output.npred_null,
            &mut output.npred_reference,
        ]
        .into_iter()
        .chain(&mut output.norm_errn)
        .chain(&mut output.norm_errp)
        .chain(&mut output.norm_ul)
        .chain(&mut output.norm_sensitivity)
        {
            *map = image(std::mem::take(map));
        }
        output.niter = whole(output.niter);
        output.status = whole(output.status);
        GroupResult { output, profile: result.profile.map(|(norms, stat)| (cube(norms), cube(stat))) }
    }
}
