//! From a dataset to the planes that are summed over disks: bins of a group added up, masked.

use std::ops::Range;

use ndarray::{Array3, ArrayView2, ArrayView3, Axis, s};
use rayon::prelude::*;

use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::{DatasetRef, MapDataset, MapDatasetOnOff};
use crate::error::{Error, Result};
use crate::estimators::EnergyGroups;
use crate::estimators::ts_map::inputs::exposure_weights;
use crate::estimators::undefined::{LeftOut, Looked, leave_out, unknown_exposure};
use crate::kernels::CubeView;
use crate::kernels::cube::PlaneView;
use crate::models::SkyModel;

/// Rows that a thread takes at once.
const ROWS_AT_LEAST: usize = 16;

/// Planes `[group, y, x]`, 0 where nothing is summed.
#[derive(Debug)]
pub(super) struct Planes {
    /// Pixels with a result: unmasked.
    pub shown: Array3<bool>,
    /// 1 where a pixel is summed: unmasked, with a background that is known; 0 elsewhere.
    pub summed: Array3<f64>,
    /// On counts.
    pub counts: Array3<f64>,
    /// Predicted counts per pixel for norm 1 and all flux in that pixel.
    pub exposure: Array3<f64>,
    /// Background.
    pub background: Array3<f64>,
    /// What belongs to off counts.
    pub off: Option<OffPlanes>,
    /// Bins that would be summed if they held numbers.
    pub left_out: LeftOut,
}

/// Planes of a dataset with off counts.
#[derive(Debug)]
pub(super) struct OffPlanes {
    pub counts: Array3<f64>,
    /// Counts of the source models; `None`: there are none.
    pub signal: Option<Array3<f64>>,
    pub acceptance: Array3<f64>,
    /// Such that alpha times the off counts of a group is its background; the plain sum without off counts.
    pub acceptance_off: Array3<f64>,
    /// The plain sums over groups, for disks without off counts.
    pub acceptance_off_sum: Array3<f64>,
}

/// Stretches of a row in which the same bins of a group are summed, and these bins.
struct Stretch {
    columns: Range<usize>,
    bins: Vec<usize>,
}

/// Which bins are summed.
struct Bins<'a> {
    /// `None`: all.
    mask: Option<ArrayView3<'a, bool>>,
    groups: &'a EnergyGroups,
    /// `(ny, nx)`.
    shape: (usize, usize),
}

impl Bins<'_> {
    fn stretches(&self, group: usize, y: usize) -> Vec<Stretch> {
        let bins = self.groups.bins[group].clone();
        let nx = self.shape.1;
        let Some(mask) = self.mask else { return vec![Stretch { columns: 0..nx, bins: bins.collect() }] };
        let mut begins = vec![false; nx];
        begins[0] = true;
        for bin in bins.clone() {
            let row = mask.slice(s![bin, y, ..]);
            for x in 1..nx {
                begins[x] |= row[x] != row[x - 1];
            }
        }
        let mut list: Vec<Stretch> = Vec::new();
        for x in (0..nx).filter(|x| begins[*x]) {
            if let Some(last) = list.last_mut() {
                last.columns.end = x;
            }
            list.push(Stretch { columns: x..nx, bins: bins.clone().filter(|bin| mask[[*bin, y, x]]).collect() });
        }
        list
    }

    /// Fills `[group, y, x]` row by row; `fill` gets the stretches of a row and the row.
    fn fill(&self, fill: impl Fn(usize, usize, &[Stretch], &mut [f64]) + Sync) -> Array3<f64> {
        let (ny, nx) = self.shape;
        let mut out = Array3::zeros((self.groups.bins.len(), ny, nx));
        if let Some(values) = out.as_slice_mut().filter(|v| !v.is_empty()) {
            values.par_chunks_mut(nx).with_min_len(ROWS_AT_LEAST).enumerate().for_each(|(row, target)| {
                let (group, y) = (row / ny, row % ny);
                fill(group, y, &self.stretches(group, y), target);
            });
        }
        out
    }

    /// The sums of a cube over the bins; NaN counts as 0.
    fn sum(&self, cube: CubeView<'_>) -> Array3<f64> {
        self.fill(|_, y, stretches, target| {
            for Stretch { columns, bins } in stretches {
                for bin in bins {
                    add_row(cube.plane(*bin), y, columns, 1.0, target);
                }
            }
        })
    }
}

/// Adds a stretch of a row of a plane times a factor, leaving out what is not finite.
fn add_row(plane: PlaneView<'_>, y: usize, columns: &Range<usize>, factor: f64, target: &mut [f64]) {
    // Selected, not branched on: this becomes vector code.
    let kept = |v: f64| if v.abs() < f64::INFINITY { v } else { 0.0 };
    let pairs = target[columns.clone()].iter_mut();
    match plane {
        PlaneView::F32(image) => match image.row(y).to_slice() {
            Some(row) => pairs.zip(&row[columns.clone()]).for_each(|(to, v)| *to += factor * kept(f64::from(*v))),
            None => pairs.zip(columns.clone()).for_each(|(to, x)| *to += factor * kept(plane.at(y, x))),
        },
        PlaneView::F64(image) => match image.row(y).to_slice() {
            Some(row) => pairs.zip(&row[columns.clone()]).for_each(|(to, v)| *to += factor * kept(*v)),
            None => pairs.zip(columns.clone()).for_each(|(to, x)| *to += factor * kept(plane.at(y, x))),
        },
    }
}

/// All planes of a dataset.
pub(super) fn planes(
    dataset: DatasetRef<'_>,
    groups: &EnergyGroups,
    spectrum: &SkyModel,
    backend: &Backend,
    control: &Control,
) -> Result<Planes> {
    let common = dataset.common()?;
    let counts = common.require_counts()?.cube();
    let (planes, ny, nx) = counts.dim();
    check_counts("counts", common, counts)?;
    let safe = common.mask_safe.as_ref();
    let fit = common.mask_fit.as_ref();
    for (name, mask) in [("mask_safe", safe), ("mask_fit", fit)] {
        if let Some(mask) = mask {
            check_shape(name, mask.cube().dim(), counts.dim())?;
        }
    }
    control.check()?;

    // Bins without a known background are not summed, nor are other undefined ones. `None`: all bins are.
    let npred;
    let off_or_background;
    let mut known = safe.filter(|mask| mask.cube().iter().any(|m| !m)).map(|mask| mask.cube().to_owned());
    let background = match dataset {
        DatasetRef::Map(dataset) => {
            npred = dataset.npred_lent(backend, control)?;
            let cube = npred.cube();
            check_shape("background", cube.dim(), counts.dim())?;
            off_or_background = cube;
            Some(cube)
        }
        DatasetRef::OnOff(dataset) => {
            check_off(dataset, counts.dim())?;
            let off = dataset.require_counts_off()?.cube();
            off_or_background = off;
            let (on, acceptance_off) = dataset.require_acceptances()?;
            let (on, acceptance_off) = (on.cube(), acceptance_off.cube());
            if !(on.all(f64::is_finite) && acceptance_off.all(|v| v > 0.0 && v.is_finite())) {
                let known = known.get_or_insert_with(|| Array3::from_elem((planes, ny, nx), true));
                ndarray::Zip::indexed(known).par_for_each(|(plane, y, x), known| {
                    let (a, b) = (on.at(plane, y, x), acceptance_off.at(plane, y, x));
                    // Gammapy's own resampling leaves NaN where there are no off counts.
                    let empty = b.is_nan() && off.at(plane, y, x) == 0.0;
                    *known &= a.is_finite() && (b > 0.0 && b.is_finite() || empty);
                });
            }
            None
        }
        DatasetRef::FluxPoints(points) => return Err(points.no_counts()),
    };
    let weights = exposure_weights(spectrum, common)?;
    let exposure_unknown = unknown_exposure(common, weights.view())?;
    let looked = Looked {
        counts: Some(counts),
        background: Some(off_or_background),
        exposure: exposure_unknown.as_ref().map(|cube| CubeView::F32(cube.view())),
    };
    let left_out = leave_out(&mut known, &common.require_counts()?.wcs_geom()?.to_image(), &looked);
    let known = known.as_ref().map(|known| known.view());
    let bins = Bins { mask: known, groups, shape: (ny, nx) };
    let mut shown = Array3::from_elem((groups.bins.len(), ny, nx), true);
    for mask in [safe, fit].into_iter().flatten() {
        shown.zip_mut_with(&any_of_groups(mask.cube(), groups), |shown, any| *shown &= *any);
    }
    if !shown.iter().any(|shown| *shown) {
        return Err(Error::input("mask", format!("no bin of dataset '{}' is unmasked", common.name))
            .with_help("check mask_safe and mask_fit with `pevatron info`"));
    }
    let mut summed = shown.mapv(|shown| f64::from(u8::from(shown)));
    if let Some(known) = known {
        summed.zip_mut_with(&any_of_groups(known, groups), |summed, any| *summed *= f64::from(u8::from(*any)));
    }
    let masked = |mut cube: Array3<f64>| {
        ndarray::Zip::from(&mut cube).and(&summed).for_each(|v, summed| *v *= summed);
        cube
    };

    let exposure = exposure(dataset, weights.view(), &bins)?;
    if exposure.iter().zip(&summed).all(|(exposure, summed)| exposure * summed == 0.0) {
        return Err(Error::input("exposure", format!("dataset '{}' has no exposure in any unmasked bin", common.name))
            .with_help("without an exposure there is no flux; check it with `pevatron info`"));
    }
    let (background, off) = match (background, dataset) {
        (Some(background), _) => (bins.sum(background), None),
        (None, DatasetRef::OnOff(dataset)) => {
            let (background, mut off) = off_planes(dataset, &bins)?;
            off.counts = masked(off.counts);
            off.acceptance = masked(off.acceptance);
            off.acceptance_off = masked(off.acceptance_off);
            off.acceptance_off_sum = masked(off.acceptance_off_sum);
            if dataset.on.models.has_signal(&dataset.on.name) {
                let signal = dataset.npred_signal(None, backend, control)?;
                off.signal = Some(masked(bins.sum(signal.cube())));
            }
            (background, Some(off))
        }
        (None, DatasetRef::Map(dataset)) => return Err(dataset.missing("background")),
        (None, DatasetRef::FluxPoints(points)) => return Err(points.no_counts()),
    };
    let (counts, exposure, background) = (masked(bins.sum(counts)), masked(exposure), masked(background));
    Ok(Planes { shown, summed, counts, exposure, background, off, left_out })
}

/// `[group, y, x]`: true where any bin of the group is.
fn any_of_groups(mask: ArrayView3<'_, bool>, groups: &EnergyGroups) -> Array3<bool> {
    let (_, ny, nx) = mask.dim();
    let mut out = Array3::from_elem((groups.bins.len(), ny, nx), false);
    for (mut target, bins) in out.outer_iter_mut().zip(&groups.bins) {
        for bin in bins.clone() {
            target.zip_mut_with(&mask.index_axis(Axis(0), bin), |any, m| *any |= *m);
        }
    }
    out
}

fn check_shape(name: &str, found: (usize, usize, usize), wanted: (usize, usize, usize)) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::input(name, format!("its shape is {found:?} where the counts have {wanted:?}")))
}

/// Counts are 0 or more; undefined ones (NaN) are left out later.
fn check_counts(name: &str, dataset: &MapDataset, cube: CubeView<'_>) -> Result<()> {
    if cube.all(|v| v.is_nan() || v >= 0.0 && v.is_finite()) {
        return Ok(());
    }
    let problem = format!("of dataset '{}' are negative or infinite somewhere", dataset.name);
    Err(Error::input(name, problem).with_help("counts are 0 or more; undefined ones (NaN) are left out"))
}

fn check_off(dataset: &MapDatasetOnOff, wanted: (usize, usize, usize)) -> Result<()> {
    let off = dataset.require_counts_off()?;
    let (acceptance, acceptance_off) = dataset.require_acceptances()?;
    for (name, map) in [("counts_off", off), ("acceptance", acceptance), ("acceptance_off", acceptance_off)] {
        check_shape(name, map.cube().dim(), wanted)?;
    }
    check_counts("counts_off", &dataset.on, off.cube())?;
    for (name, map) in [("acceptance", acceptance), ("acceptance_off", acceptance_off)] {
        if !map.cube().all(|v| v.is_nan() || (v >= 0.0 && v.is_finite())) {
            return Err(Error::input(
                name,
                format!("of dataset '{}' is negative or infinite somewhere", dataset.name()),
            ));
        }
    }
    Ok(())
}

/// Counts for norm 1 if all flux fell into the pixel, summed over the bins of each group.
fn exposure(dataset: DatasetRef<'_>, weights: ArrayView2<'_, f64>, bins: &Bins<'_>) -> Result<Array3<f64>> {
    let common = dataset.common()?;
    let map = common.require_exposure()?;
    let cube = map.cube();
    if !cube.all(|v| v.is_nan() || (v >= 0.0 && v.is_finite())) {
        return Err(Error::input(
            "exposure",
            format!("of dataset '{}' is negative or infinite somewhere", common.name),
        )
        .with_help("exposures are 0 or more"));
    }
    let (truths, ny, nx) = cube.dim();
    if (ny, nx) != bins.shape {
        return Err(Error::input(
            "exposure",
            format!("its image is {ny} x {nx} pixels where the counts have {} x {}", bins.shape.0, bins.shape.1),
        ));
    }
    Ok(bins.fill(|_, y, stretches, target| {
        for Stretch { columns, bins } in stretches.iter().filter(|stretch| !stretch.bins.is_empty()) {
            for truth in 0..truths {
                let weight: f64 = bins.iter().map(|bin| weights[[truth, *bin]]).sum();
                if weight != 0.0 {
                    add_row(cube.plane(truth), y, columns, weight, target);
                }
            }
        }
    }))
}

/// Background, and what belongs to off counts, summed over the bins of each group.
fn off_planes(dataset: &MapDatasetOnOff, bins: &Bins<'_>) -> Result<(Array3<f64>, OffPlanes)> {
    let (acceptance, acceptance_off) = dataset.require_acceptances()?;
    let background = bins.sum(dataset.background()?.cube());
    let counts = bins.sum(dataset.require_counts_off()?.cube());
    let acceptance = bins.sum(acceptance.cube());
    let acceptance_off_sum = bins.sum(acceptance_off.cube());
    let mut effective = acceptance_off_sum.clone();
    for (at, value) in effective.indexed_iter_mut() {
        // As bins are added up, alpha becomes the mean weighted with off counts.
        if background[at] > 0.0 {
            *value = acceptance[at] * counts[at] / background[at];
        }
    }
    let off = OffPlanes { counts, signal: None, acceptance, acceptance_off: effective, acceptance_off_sum };
    Ok((background, off))
}
