//! Templates of predicted counts on a dataset's geometry.

use ndarray::{Array3, s};

use crate::error::{Error, Result};
use crate::maps::{CutoutOrigin, Geom, MapAxis, RegionGeom};
use crate::models::TemplateNPredModel;

/// Relative difference up to which two energy edges are the same.
const SAME_EDGE: f64 = 1e-6;

/// The part of a template that lies on a dataset, before its spectrum.
#[derive(Debug, Clone)]
pub struct TemplateCounts {
    /// Where it lies in the dataset.
    pub origin: CutoutOrigin,
    /// Predicted counts `[energy, y, x]`, all energies of the dataset; what is not finite counts as 0, as in Gammapy.
    pub counts: Array3<f64>,
    /// Centres of the energies in TeV.
    pub energies_tev: Vec<f64>,
}

impl TemplateCounts {
    /// The part of a template that lies on the geometry of a dataset (with its axis `energy`); `None` where they have no
    /// pixel in common.
    ///
    /// Gammapy: the energies must be the same; here the dataset may also have a part of the template's.
    ///
    /// # Errors
    /// [`Error::Input`] that names the model, for other pixels or other energies.
    pub fn new(model: &TemplateNPredModel, geom: &Geom) -> Result<Option<Self>> {
        let own = model.map().geom();
        let axis = geom.axis("energy")?;
        let first = first_bin(own.axis("energy")?, axis).ok_or_else(|| {
            let bins = own.axis("energy").map_or(0, MapAxis::nbin);
            let problem = format!("its {bins} energy bins are not those of the dataset ({})", axis.nbin());
            Error::input(&model.name, problem)
                .with_help("a template needs the edges of the dataset's energy axis, or more beyond its ends")
        })?;
        let energies_tev = axis.center_tev()?;
        let cut = |y: std::ops::Range<usize>, x: std::ops::Range<usize>| -> Result<Array3<f64>> {
            let counts = model.counts()?;
            let part = counts.slice(s![first..first + axis.nbin(), y, x]);
            Ok(part.mapv(|v| if v.is_finite() { v } else { 0.0 }))
        };
        let (own, geom) = match (own.as_ref(), geom) {
            (Geom::Wcs(own), Geom::Wcs(geom)) => (own, geom),
            (Geom::Region(a), Geom::Region(b)) if is_same_region(a, b) => {
                let origin = CutoutOrigin { y0: 0, x0: 0 };
                return Ok(Some(Self { origin, counts: cut(0..1, 0..1)?, energies_tev }));
            }
            _ => {
                return Err(Error::input(&model.name, "its map is a region where the dataset is none, or another one"));
            }
        };
        let (dy, dx) = own.offset_in(geom).ok_or_else(|| {
            Error::input(&model.name, "the pixels of its map are not those of the dataset, nor of a cutout of it")
                .with_help("resample the map to the geometry of the dataset's counts")
        })?;
        let overlap = |offset: isize, own: usize, all: usize| -> (usize, usize) {
            let start = offset.clamp(0, all as isize);
            let stop = offset.saturating_add(own as isize).clamp(start, all as isize);
            (start as usize, stop as usize)
        };
        let (y0, y1) = overlap(dy, own.ny(), geom.ny());
        let (x0, x1) = overlap(dx, own.nx(), geom.nx());
        if y0 == y1 || x0 == x1 {
            return Ok(None);
        }
        let back = |v: usize, offset: isize| (v as isize - offset) as usize;
        let counts = cut(back(y0, dy)..back(y1, dy), back(x0, dx)..back(x1, dx))?;
        Ok(Some(Self { origin: CutoutOrigin { y0, x0 }, counts, energies_tev }))
    }

    /// What the spectrum of the model makes of the counts, by energy.
    pub fn factors(&self, model: &dyn crate::models::SpectralModel) -> Vec<f64> {
        self.energies_tev.iter().map(|e| model.evaluate(*e)).collect()
    }

    /// The counts times factors by energy.
    pub fn scaled(&self, factors: &[f64]) -> Array3<f64> {
        let mut cube = self.counts.clone();
        for (mut plane, factor) in cube.outer_iter_mut().zip(factors) {
            plane *= *factor;
        }
        cube
    }
}

/// Regions of files are equal up to rounding.
fn is_same_region(a: &RegionGeom, b: &RegionGeom) -> bool {
    const TOLERANCE_DEG: f64 = 1e-6;
    let near = match (a.center().zip(a.radius_deg()), b.center().zip(b.radius_deg())) {
        (Some((p, r)), Some((q, s))) => p.separation_deg(q) < TOLERANCE_DEG && (r - s).abs() < TOLERANCE_DEG,
        _ => false,
    };
    near || a.same_region(b)
}

/// The bin of `all` that the first bin of `part` is, where all others follow.
fn first_bin(all: &MapAxis, part: &MapAxis) -> Option<usize> {
    let (all, part) = (all.edges_tev().ok()?, part.edges_tev().ok()?);
    let same = |a: f64, b: f64| (a - b).abs() <= SAME_EDGE * a.abs().max(b.abs());
    let first = all.iter().position(|e| same(*e, part[0]))?;
    let rest = all.get(first..first + part.len())?;
    rest.iter().zip(&part).all(|(a, b)| same(*a, *b)).then_some(first)
}
