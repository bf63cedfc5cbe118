//! From a dataset to the planes of the fit: counts, null hypothesis and exposure in reconstructed energy, masked.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use ndarray::{Array2, Array3, Axis};
use rayon::prelude::*;

use super::kernel::Kernel;
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::MapDataset;
use crate::error::{Error, Result};
use crate::estimators::undefined::{LeftOut, Looked, leave_out};
use crate::irf::diagonal_response;
use crate::kernels::{Cube, CubeView, EdispJob};
use crate::models::SkyModel;

/// Exposures outside this range of counts per norm stay in double precision: squares of them would leave `f32`.
const SINGLE_RANGE: Range<f64> = 1e-15..1e15;

/// Planes of the dataset itself where nothing had to be changed, or made for the fit.
#[derive(Debug)]
pub(super) enum Planes<'d> {
    Lent(CubeView<'d>),
    Made(Cube),
}

/// The planes of one dataset, `[energy, y, x]`; masked bins are 0.
#[derive(Debug)]
pub(super) struct FitPlanes<'d> {
    pub counts: Planes<'d>,
    /// Null hypothesis.
    pub background: Planes<'d>,
    /// Counts for norm 1 if all flux fell into the pixel.
    pub exposure: Planes<'d>,
    /// Bins that count; `None`: all.
    pub mask: Option<Array3<bool>>,
    /// Bins that would count if they held numbers.
    pub left_out: LeftOut,
}

impl Planes<'_> {
    pub fn view(&self) -> CubeView<'_> {
        match self {
            Self::Lent(view) => view.reborrow(),
            Self::Made(cube) => cube.view(),
        }
    }
}

impl<'d> Planes<'d> {
    /// The planes of a dataset: lent without a mask, else a copy in the same precision with 0 in masked bins.
    fn masked(cube: CubeView<'d>, mask: Option<&Array3<bool>>) -> Self {
        let Some(mask) = mask else { return Self::Lent(cube) };
        let made = match cube {
            CubeView::F32(a) => Cube::F32(a.to_owned()),
            CubeView::F64(a) => Cube::F64(a.to_owned()),
        };
        Self::made(made, Some(mask))
    }

    /// Planes that were made for the fit, with 0 in masked bins.
    fn made(mut cube: Cube, mask: Option<&Array3<bool>>) -> Self {
        if let Some(mask) = mask {
            // By hand where a bin is masked: what is there may be NaN.
            match &mut cube {
                Cube::F32(a) => ndarray::Zip::from(a).and(mask).par_for_each(|v, m| *v = if *m { *v } else { 0.0 }),
                Cube::F64(a) => ndarray::Zip::from(a).and(mask).par_for_each(|v, m| *v = if *m { *v } else { 0.0 }),
            }
        }
        Self::Made(cube)
    }
}

/// What each plane of the exposure gives to each plane in reconstructed energy for norm 1: the reference spectrum's flux
/// in the true bin through the energy dispersion at the centre of its map.
pub(in crate::estimators) fn exposure_weights(model: &SkyModel, dataset: &MapDataset) -> Result<Array2<f64>> {
    let exposure = dataset.require_exposure()?;
    let energy_true = exposure.geom().axis("energy_true")?;
    let energy = dataset.energy_axis()?;
    let mut matrix = match &dataset.edisp {
        Some(edisp) => edisp.matrix_at(None, energy)?,
        None => diagonal_response(energy_true, energy)?,
    };
    if matrix.dim().0 != energy_true.nbin() {
        return Err(Error::input(
            "edisp",
            format!("{} true energies where the exposure has {}", matrix.dim().0, energy_true.nbin()),
        ));
    }
    let factor = exposure.unit().factor_to_text("cm2 s")?;
    let flux = model.spectral.integral_bins(&energy_true.edges_tev()?);
    for (mut row, flux) in matrix.outer_iter_mut().zip(&flux) {
        row *= flux * factor;
    }
    Ok(matrix)
}

/// Predicted counts per pixel for norm 1 and all flux in that pixel, `[energy, y, x]` (Gammapy's
/// `estimate_exposure_reco_energy`, not normalised).
pub(super) fn exposure_reco(
    model: &SkyModel,
    dataset: &MapDataset,
    backend: &Backend,
    control: &Control,
) -> Result<Array3<f64>> {
    let weights = exposure_weights(model, dataset)?;
    let job = EdispJob { cube: dataset.require_exposure()?.cube(), matrix: weights.view() };
    // In double precision whatever the backend: the result is an input of every fit and costs little.
    backend.precise()?.engine().apply_edisp(&job, control)
}

/// The same, summed in double precision and stored in single; `None` where a value leaves the range that squares of
/// single precision hold.
fn exposure_reco_single(model: &SkyModel, dataset: &MapDataset, control: &Control) -> Result<Option<Array3<f32>>> {
    let weights = exposure_weights(model, dataset)?;
    let exposure = dataset.require_exposure()?.cube();
    let (truths, ny, nx) = exposure.dim();
    let mut out = Array3::<f32>::zeros((weights.dim().1, ny, nx));
    let Some(values) = out.as_slice_mut().filter(|v| !v.is_empty()) else { return Ok(Some(out)) };
    let fits = |v: f64| v == 0.0 || !v.is_finite() || SINGLE_RANGE.contains(&v.abs());
    let all_fit = values.par_chunks_mut(nx).enumerate().map_init(
        || (vec![0.0; nx], vec![0.0; nx]),
        |(sum, term), (row, target)| {
            control.check()?;
            let (reco, y) = (row / ny, row % ny);
            sum.fill(0.0);
            for truth in 0..truths {
                let weight = weights[[truth, reco]];
                if weight != 0.0 {
                    exposure.plane(truth).copy_row(y, 0, term);
                    sum.iter_mut().zip(&*term).for_each(|(sum, term)| *sum += weight * term);
                }
            }
            target.iter_mut().zip(&*sum).for_each(|(target, sum)| *target = *sum as f32);
            Ok(sum.iter().fold(true, |all, v| all & fits(*v)))
        },
    );
    let all_fit = all_fit.try_reduce(|| true, |a, b| Ok(a & b))?;
    Ok(all_fit.then_some(out))
}

/// All planes of one dataset.
pub(super) fn fit_planes<'d>(
    model: &SkyModel,
    dataset: &'d MapDataset,
    backend: &Backend,
    control: &Control,
) -> Result<FitPlanes<'d>> {
    let counts = dataset.require_counts()?;
    let shape = counts.cube().dim();
    let npred = dataset.npred_lent(backend, control)?;
    let single = if backend.info().double_precision { None } else { exposure_reco_single(model, dataset, control)? };
    let exposure = match single {
        Some(exposure) => Cube::F32(exposure),
        None => Cube::F64(exposure_reco(model, dataset, backend, control)?),
    };
    if exposure.view().dim() != shape {
        return Err(Error::input(
            "exposure",
            format!("its image is {:?} where the counts have {shape:?}", exposure.view().dim()),
        ));
    }
    let mut mask = chosen_bins(dataset, shape)?;
    let looked =
        Looked { counts: Some(counts.cube()), background: Some(npred.cube()), exposure: Some(exposure.view()) };
    let left_out = leave_out(&mut mask, &counts.wcs_geom()?.to_image(), &looked);
    let masked = Planes::masked(counts.cube(), mask.as_ref());
    masked.view().check_values(&format!("counts of dataset '{}'", dataset.name), 0.0)?;
    Ok(FitPlanes {
        counts: masked,
        background: match npred {
            Cow::Borrowed(map) => Planes::masked(map.cube(), mask.as_ref()),
            Cow::Owned(map) => Planes::made(Cube::F64(map.into_cube_f64()), mask.as_ref()),
        },
        exposure: Planes::made(exposure, mask.as_ref()),
        mask,
        left_out,
    })
}

/// Bins inside of mask_safe and mask_fit; `None` where that is all of them.
fn chosen_bins(dataset: &MapDataset, shape: (usize, usize, usize)) -> Result<Option<Array3<bool>>> {
    let Some(mask) = dataset.mask()? else { return Ok(None) };
    let found = mask.data().shape().to_vec();
    if mask.data().iter().all(|m| *m) && found == [shape.0, shape.1, shape.2] {
        return Ok(None);
    }
    let cube = mask.into_data().into_shape_with_order(shape);
    cube.map(Some).map_err(|_| Error::input("mask", format!("shape {found:?} where the counts have {shape:?}")))
}

impl FitPlanes<'_> {
    /// `(ny, nx)`.
    pub fn image(&self) -> (usize, usize) {
        let (_, ny, nx) = self.counts.view().dim();
        (ny, nx)
    }

    /// True where a bin counts.
    pub fn is_unmasked(&self, plane: usize, y: usize, x: usize) -> bool {
        self.mask.as_ref().is_none_or(|mask| mask[[plane, y, x]])
    }

    /// Pixels of a group that are fitted: unmasked in any bin, with predicted counts.
    pub fn positions(&self, bins: &Range<usize>) -> Array2<bool> {
        let (ny, nx) = self.image();
        // Masked bins are 0, so what is predicted is predicted in unmasked bins.
        let total = sum_planes(self.background.view(), bins);
        Array2::from_shape_fn((ny, nx), |at| total[at] > 0.0)
    }

    /// The planes of a group summed over energy. Bins of one pixel may be masked in some energies; the kernel of a
    /// summed pixel is the plain mean of the kernels of its unmasked energies (Gammapy's rule). Pixels with the same
    /// set of unmasked energies share a kernel, so each such set becomes a plane of its own, 0 elsewhere; the joint
    /// fit of these planes is then the fit of the summed image.
    pub fn summed(&self, bins: &Range<usize>, kernel: &Kernel) -> (SummedPlanes, Array3<f64>) {
        let (_, ky, kx) = kernel.data.dim();
        let sets = self.sets(bins);
        let spread = |planes: &Planes<'_>| sets.spread(sum_planes(planes.view(), bins));
        let planes = SummedPlanes {
            counts: spread(&self.counts),
            background: spread(&self.background),
            exposure: spread(&self.exposure),
        };
        let mut kernels = Array3::zeros((sets.unmasked.len(), ky, kx));
        for (unmasked, mut target) in sets.unmasked.iter().zip(kernels.outer_iter_mut()) {
            for p in unmasked {
                target += &kernel.data.index_axis(Axis(0), *p);
            }
            if !unmasked.is_empty() {
                target /= unmasked.len() as f64;
            }
        }
        (planes, kernels)
    }

    /// The sets of unmasked energies that occur in a group.
    fn sets(&self, bins: &Range<usize>) -> Sets {
        let Some(mask) = &self.mask else {
            return Sets { unmasked: vec![bins.clone().collect()], of_pixel: None };
        };
        let (ny, nx) = self.image();
        // Plane by plane, each pixel goes from the set it has so far to the one with or without this plane.
        let mut unmasked: Vec<Vec<usize>> = vec![Vec::new()];
        let mut of_pixel = Array2::zeros((ny, nx));
        for plane in bins.clone() {
            let mut with: HashMap<usize, usize> = HashMap::new();
            for (set, m) in of_pixel.iter_mut().zip(mask.index_axis(Axis(0), plane)) {
                if *m {
                    *set = *with.entry(*set).or_insert_with_key(|old| {
                        let larger = unmasked[*old].iter().copied().chain([plane]).collect();
                        unmasked.push(larger);
                        unmasked.len() - 1
                    });
                }
            }
        }
        // Only those that are left, in the order in which pixels have them.
        let mut number = vec![usize::MAX; unmasked.len()];
        let mut kept = Vec::new();
        for set in of_pixel.iter_mut() {
            if unmasked[*set].is_empty() {
                *set = usize::MAX;
                continue;
            }
            if number[*set] == usize::MAX {
                number[*set] = kept.len();
                kept.push(unmasked[*set].clone());
            }
            *set = number[*set];
        }
        if kept.is_empty() {
            kept.push(Vec::new());
        }
        Sets { unmasked: kept, of_pixel: Some(of_pixel) }
    }
}

/// Sum of some planes, `[y, x]`, plane after plane in each pixel.
fn sum_planes(cube: CubeView<'_>, planes: &Range<usize>) -> Array2<f64> {
    let (_, ny, nx) = cube.dim();
    let mut out = Array2::zeros((ny, nx));
    let Some(values) = out.as_slice_mut().filter(|v| !v.is_empty()) else { return out };
    values.par_chunks_mut(nx).enumerate().for_each_init(
        || vec![0.0; nx],
        |term, (y, sum)| {
            for plane in planes.clone() {
                cube.plane(plane).copy_row(y, 0, term);
                sum.iter_mut().zip(&*term).for_each(|(sum, term)| *sum += term);
            }
        },
    );
    out
}

/// Which energies are unmasked where.
struct Sets {
    /// Planes of each set.
    unmasked: Vec<Vec<usize>>,
    /// Set of each pixel, `usize::MAX` where all planes are masked; `None`: one set for all.
    of_pixel: Option<Array2<usize>>,
}

impl Sets {
    /// An image as `[set, y, x]`, each pixel in the plane of its set, 0 elsewhere.
    fn spread(&self, image: Array2<f64>) -> Array3<f64> {
        let Some(of_pixel) = &self.of_pixel else { return image.insert_axis(Axis(0)) };
        let (ny, nx) = image.dim();
        let mut out = Array3::zeros((self.unmasked.len(), ny, nx));
        for (((y, x), set), value) in of_pixel.indexed_iter().zip(&image) {
            if *set != usize::MAX {
                out[[*set, y, x]] = *value;
            }
        }
        out
    }
}

/// Summed planes, one per set of unmasked energies.
#[derive(Debug)]
pub(super) struct SummedPlanes {
    pub counts: Array3<f64>,
    pub background: Array3<f64>,
    pub exposure: Array3<f64>,
}
