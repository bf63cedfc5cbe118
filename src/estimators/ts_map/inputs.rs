//! From a dataset to the planes of the fit: counts, null hypothesis and exposure in reconstructed energy, masked.

use ndarray::{Array2, Array3, Axis};

use super::kernel::Kernel;
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::MapDataset;
use crate::error::{Error, Result};
use crate::irf::diagonal_response;
use crate::kernels::{Cube, CubeView, EdispJob};
use crate::models::SkyModel;

/// Exposures outside this range of counts per norm stay in double precision: squares of them would leave `f32`.
const SINGLE_RANGE: std::ops::Range<f64> = 1e-15..1e15;

/// The planes of one dataset, `[energy, y, x]`; masked bins are 0.
#[derive(Debug)]
pub(super) struct FitPlanes {
    pub counts: Cube,
    /// Null hypothesis.
    pub background: Cube,
    /// Counts for norm 1 if all flux fell into the pixel.
    pub exposure: Cube,
    /// Bins that count.
    pub mask: Array3<bool>,
}

/// Predicted counts per pixel for norm 1 and all flux in that pixel, `[energy, y, x]`: exposure times the reference
/// spectrum's flux in each true bin, through the energy dispersion at the centre of its map (Gammapy's
/// `estimate_exposure_reco_energy`, not normalised).
pub(super) fn exposure_reco(
    model: &SkyModel,
    dataset: &MapDataset,
    backend: &Backend,
    control: &Control,
) -> Result<Array3<f64>> {
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
    let job = EdispJob { cube: exposure.cube(), matrix: matrix.view() };
    // In double precision whatever the backend: the result is an input of every fit and costs little.
    let cpu = if backend.info().double_precision { backend.clone() } else { Backend::reference() };
    cpu.engine().apply_edisp(&job, control)
}

/// All planes of one dataset.
pub(super) fn fit_planes(
    model: &SkyModel,
    dataset: &MapDataset,
    backend: &Backend,
    control: &Control,
) -> Result<FitPlanes> {
    let counts = dataset.require_counts()?;
    let shape = counts.cube().dim();
    check_counts(counts.cube(), &dataset.name)?;
    let npred = dataset.npred(backend, control)?;
    let exposure = exposure_reco(model, dataset, backend, control)?;
    if exposure.dim() != shape {
        return Err(Error::input(
            "exposure",
            format!("its image is {:?} where the counts have {:?}", exposure.dim(), shape),
        ));
    }
    let mask = fit_mask(dataset, npred.cube(), shape)?;
    Ok(FitPlanes {
        counts: masked(counts.cube(), &mask, true),
        background: masked(
            npred.cube(),
            &mask,
            dataset.background.as_ref().is_none_or(is_single) && dataset.models.components.is_empty(),
        ),
        exposure: masked(CubeView::F64(exposure.view()), &mask, !backend.info().double_precision),
        mask,
    })
}

fn is_single(map: &crate::maps::Map) -> bool {
    matches!(map.data(), crate::maps::MapData::F32(_))
}

fn check_counts(cube: CubeView<'_>, name: &str) -> Result<()> {
    cube.check_values(&format!("counts of dataset '{name}'"), 0.0)
}

/// Bins of the fit: mask_safe and mask_fit, where the null hypothesis is finite.
fn fit_mask(dataset: &MapDataset, npred: CubeView<'_>, shape: (usize, usize, usize)) -> Result<Array3<bool>> {
    let mut mask = match dataset.mask()? {
        Some(mask) => {
            let found = mask.data().shape().to_vec();
            mask.data()
                .clone()
                .into_shape_with_order(shape)
                .map_err(|_| Error::input("mask", format!("shape {found:?} where the counts have {shape:?}")))?
        }
        None => Array3::from_elem(shape, true),
    };
    for ((p, y, x), m) in mask.indexed_iter_mut() {
        *m &= npred.at(p, y, x).is_finite();
    }
    Ok(mask)
}

/// Values inside the mask, 0 outside; single precision where that is exact or all that is needed.
fn masked(cube: CubeView<'_>, mask: &Array3<bool>, single: bool) -> Cube {
    let value = |p, y, x| if mask[[p, y, x]] { cube.at(p, y, x) } else { 0.0 };
    let fits = |v: f64| v == 0.0 || SINGLE_RANGE.contains(&v.abs());
    match cube {
        CubeView::F32(_) => Cube::F32(Array3::from_shape_fn(cube.dim(), |(p, y, x)| value(p, y, x) as f32)),
        CubeView::F64(a) if single && a.iter().all(|v| fits(*v)) => {
            Cube::F32(Array3::from_shape_fn(cube.dim(), |(p, y, x)| value(p, y, x) as f32))
        }
        CubeView::F64(_) => Cube::F64(Array3::from_shape_fn(cube.dim(), |(p, y, x)| value(p, y, x))),
    }
}

impl FitPlanes {
    /// Pixels of a group that are fitted: unmasked in any bin, with predicted counts.
    pub fn positions(&self, bins: &std::ops::Range<usize>) -> Array2<bool> {
        let (_, ny, nx) = self.mask.dim();
        let background = self.background.view();
        Array2::from_shape_fn((ny, nx), |(y, x)| {
            bins.clone().any(|p| self.mask[[p, y, x]])
                && bins.clone().map(|p| background.at(p, y, x)).sum::<f64>() > 0.0
        })
    }

    /// The planes of a group summed over energy. Bins of one pixel may be masked in some energies; the kernel of a
    /// summed pixel is the plain mean of the kernels of its unmasked energies (Gammapy's rule). Pixels with the same
    /// set of unmasked energies share a kernel, so each such set becomes a plane of its own, 0 elsewhere; the joint
    /// fit of these planes is then the fit of the summed image.
    pub fn summed(&self, bins: &std::ops::Range<usize>, kernel: &Kernel) -> (SummedPlanes, Array3<f64>) {
        let (_, ny, nx) = self.mask.dim();
        let (_, ky, kx) = kernel.data.dim();
        let mut patterns: Vec<Vec<bool>> = Vec::new();
        let mut lookup: std::collections::HashMap<Vec<bool>, usize> = std::collections::HashMap::new();
        let mut index = Array2::from_elem((ny, nx), usize::MAX);
        for y in 0..ny {
            for x in 0..nx {
                let pattern: Vec<bool> = bins.clone().map(|p| self.mask[[p, y, x]]).collect();
                if !pattern.contains(&true) {
                    continue;
                }
                index[[y, x]] = *lookup.entry(pattern).or_insert_with_key(|key| {
                    patterns.push(key.clone());
                    patterns.len() - 1
                });
            }
        }
        if patterns.is_empty() {
            patterns.push(vec![false; bins.len()]);
        }
        let shape = (patterns.len(), ny, nx);
        let sum = |cube: &Cube| {
            let view = cube.view();
            let mut out = Array3::zeros(shape);
            for ((y, x), k) in index.indexed_iter() {
                if *k != usize::MAX {
                    out[[*k, y, x]] = bins.clone().map(|p| view.at(p, y, x)).sum::<f64>();
                }
            }
            out
        };
        let planes = SummedPlanes {
            counts: sum(&self.counts),
            background: sum(&self.background),
            exposure: sum(&self.exposure),
        };
        let mut kernels = Array3::zeros((patterns.len(), ky, kx));
        for (pattern, mut target) in patterns.iter().zip(kernels.outer_iter_mut()) {
            let unmasked: Vec<usize> = bins.clone().zip(pattern).filter(|(_, w)| **w).map(|(p, _)| p).collect();
            for p in &unmasked {
                target += &kernel.data.index_axis(Axis(0), *p);
            }
            if !unmasked.is_empty() {
                target /= unmasked.len() as f64;
            }
        }
        (planes, kernels)
    }
}

/// Summed planes, one per set of unmasked energies.
#[derive(Debug)]
pub(super) struct SummedPlanes {
    pub counts: Array3<f64>,
    pub background: Array3<f64>,
    pub exposure: Array3<f64>,
}
