//! Bins that hold no number (NaN): they are left out of a map, and it is said how many.

use std::borrow::Cow;

use ndarray::{Array2, Array3, ArrayView2};
use rayon::prelude::*;

use crate::datasets::MapDataset;
use crate::error::Result;
use crate::error::words::{counted, verb_of};
use crate::kernels::CubeView;
use crate::maps::{Mask, WcsGeom};

/// Bins inside of a dataset's masks and on the sky that are left out, and which of their values are undefined; one bin may
/// be in several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    bins: u64,
    counts: u64,
    background: u64,
    exposure: u64,
}

impl LeftOut {
    /// What a user should know of it.
    pub fn warning(&self, dataset: &str) -> Option<String> {
        let parts = [("counts", self.counts), ("background", self.background), ("exposure", self.exposure)];
        let parts: Vec<String> =
            parts.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} in {n}")).collect();
        let bins = self.bins as usize;
        (bins > 0).then(|| {
            format!(
                "{} inside the masks of dataset '{dataset}' {} left out: undefined (NaN) are {}",
                counted(bins, "bin"),
                verb_of(bins, "is"),
                parts.join(", ")
            )
        })
    }

    pub fn and(self, other: Self) -> Self {
        Self {
            bins: self.bins + other.bins,
            counts: self.counts + other.counts,
            background: self.background + other.background,
            exposure: self.exposure + other.exposure,
        }
    }
}

/// Counts, background and exposure in reconstructed energy, `[energy, y, x]`; `None`: not looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looked<'a> {
    pub counts: Option<CubeView<'a>>,
    pub background: Option<CubeView<'a>>,
    pub exposure: Option<CubeView<'a>>,
}

/// Whether a value of counts (0), background (1) or exposure (2) is undefined. A prediction may also overflow.
fn is_undefined(part: usize, value: f64) -> bool {
    value.is_nan() || part == 1 && value.is_infinite()
}

/// Takes undefined bins out of a mask (`None`: all bins are in it).
pub(super) fn leave_out(mask: &mut Option<Array3<bool>>, image: &WcsGeom, looked: &Looked<'_>) -> LeftOut {
    let cubes = [looked.counts, looked.background, looked.exposure];
    let unsound: Vec<(usize, CubeView<'_>)> = cubes
        .into_iter()
        .enumerate()
        .filter_map(|(part, cube)| Some((part, cube?)))
        .filter(|(part, cube)| !cube.all(|v| !is_undefined(*part, v)))
        .collect();
    let Some(shape) = unsound.first().map(|(_, cube)| cube.dim()) else { return LeftOut::default() };
    let (_, ny, nx) = shape;
    let on_sky = Array2::from_shape_fn((ny, nx), |(y, x)| image.pix_to_sky(x as f64, y as f64).is_some());
    let mask = mask.get_or_insert_with(|| Array3::from_elem(shape, true));
    let rows = mask.as_slice_mut().map(|mask| mask.par_chunks_mut(nx).enumerate());
    let Some(rows) = rows else { return LeftOut::default() };
    let of_row = |(row, mask): (usize, &mut [bool])| {
        let mut numbers = [0; 3];
        let mut bins = 0;
        for (x, m) in mask.iter_mut().enumerate().filter(|(_, m)| **m) {
            // Beyond the projection there is nothing to leave out.
            let counted = u64::from(on_sky[[row % ny, x]]);
            for (part, cube) in &unsound {
                if is_undefined(*part, cube.at(row / ny, row % ny, x)) {
                    *m = false;
                    numbers[*part] += counted;
                }
            }
            bins += if *m { 0 } else { counted };
        }
        LeftOut { bins, counts: numbers[0], background: numbers[1], exposure: numbers[2] }
    };
    rows.map(of_row).reduce(LeftOut::default, LeftOut::and)
}

/// NaN where the exposure in reconstructed energy `[energy, y, x]` is undefined, 0 elsewhere; `None`: nowhere, or on other
/// pixels than the counts. `weights`: what each true energy gives to each reconstructed one.
pub(super) fn unknown_exposure(dataset: &MapDataset, weights: ArrayView2<'_, f64>) -> Result<Option<Array3<f32>>> {
    let (cube, shape) = (dataset.require_exposure()?.cube(), dataset.require_counts()?.cube().dim());
    let (truths, ny, nx) = cube.dim();
    if cube.all(|v| !v.is_nan()) || (ny, nx) != (shape.1, shape.2) {
        return Ok(None);
    }
    let mut out = Array3::zeros(shape);
    ndarray::Zip::indexed(&mut out).par_for_each(|(plane, y, x), v| {
        if (0..truths).any(|t| weights[[t, plane]] != 0.0 && cube.at(t, y, x).is_nan()) {
            *v = f32::NAN;
        }
    });
    Ok(Some(out))
}

/// The dataset with mask_safe false in undefined bins: where pixels are merged, what is left of them must be left out of
/// counts and background.
pub(super) fn without_undefined<'d>(
    dataset: &'d MapDataset,
    unknown_exposure: Option<Array3<f32>>,
) -> Result<(Cow<'d, MapDataset>, LeftOut)> {
    let geom = dataset.require_counts()?.geom();
    let counts = dataset.require_counts()?.cube();
    let background = dataset.background.as_ref().map(|m| m.cube()).filter(|b| b.dim() == counts.dim());
    let exposure = unknown_exposure.as_ref().map(|cube| CubeView::F32(cube.view()));
    let looked = Looked { counts: Some(counts), background, exposure };
    let mut cube = dataset.mask_safe.as_ref().map(|mask| mask.cube().to_owned());
    let before = cube.clone();
    let left_out = leave_out(&mut cube, geom.as_wcs()?, &looked);
    if cube == before {
        return Ok((Cow::Borrowed(dataset), left_out));
    }
    let mask = cube.map(|cube| Mask::new(geom.clone(), cube.into_dyn())).transpose()?;
    Ok((Cow::Owned(MapDataset { mask_safe: mask, ..dataset.clone() }), left_out))
}
