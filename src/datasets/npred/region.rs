//! The share of a source's flux that is seen from within a region.

use ndarray::{Array2, Array3, Axis, Zip};

use super::evaluator::Evaluator;
use super::shape::flux_share;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::irf::{PsfKernel, PsfProfile};
use crate::maps::{SkyPosition, SkyRegion, WcsGeom};
use crate::models::{SkyModel, SpatialModel};

/// Pixels across a region, on which shapes that are not centred points are summed.
const PIXELS_ACROSS: f64 = 40.0;
/// Most pixels per side of the image around a region that flux is spread from.
const MOST_PIXELS: f64 = 240.0;
/// Containment of the PSF up to which flux is looked for around a region.
const CONTAINMENT: f64 = 0.999;
/// Sources this near to the centre of a circle, in parts of its radius, are at its centre.
const CENTRED: f64 = 1e-6;

/// How much of a model's flux a region sees.
#[derive(Debug, Clone)]
pub(super) enum RegionShare {
    /// All of it: there is no PSF, no shape, or no region (spectra whose exposure is that of their region).
    All,
    /// What the PSF leaves in the region.
    Part(Box<Part>),
}

/// A region and the PSF at a model.
#[derive(Debug, Clone)]
pub(super) struct Part {
    region: SkyRegion,
    profile: PsfProfile,
    /// Image around the region, wide enough for flux that the PSF carries into it.
    geom: WcsGeom,
    kernel: PsfKernel,
    /// `[y, x]`: the part of each pixel that lies in the region.
    weights: Array2<f64>,
    /// False where the model leaves the PSF out: what counts is its flux in the region.
    has_psf: bool,
}

impl RegionShare {
    /// What does not depend on the model's shape while it stays where it is.
    pub fn new(evaluator: &Evaluator<'_>, region: Option<&SkyRegion>, model: &SkyModel) -> Result<Self> {
        let (Some(region), Some(psf), Some(spatial)) = (region, evaluator.psf, &model.spatial) else {
            return Ok(Self::All);
        };
        if region.is_point() {
            return Err(Error::input("psf", "a region that is a point holds no flux that a PSF spreads")
                .with_help("take the PSF away, or give the spectrum a circle as its region"));
        }
        if evaluator.psf_in_reco() {
            return Err(Error::unsupported("a region with a PSF in reconstructed energy"));
        }
        // A shape without a position is seen with the responses at the region.
        let position = spatial.position().unwrap_or_else(|| region.center());
        let profile = psf.profile_at(Some(position))?;
        let energies = evaluator.energy_true.center_tev()?;
        let reach = energies.iter().map(|e| profile.containment_radius_deg(CONTAINMENT, *e)).fold(0.0, f64::max);
        let width = 2.0 * (region.extent_deg() + reach);
        let pixel = (2.0 * region.extent_deg() / PIXELS_ACROSS).max(width / MOST_PIXELS);
        let side = 2 * (0.5 * width / pixel).ceil() as usize + 3;
        let geom = WcsGeom::create(region.center(), side, side, (pixel, pixel), "TAN", Vec::new())?;
        let kernel = psf.kernel_at(Some(position), &geom, evaluator.energy_true)?;
        let weights = geom.region_weights(region);
        let has_psf = model.apply_irf.psf;
        Ok(Self::Part(Box::new(Part { region: region.clone(), profile, geom, kernel, weights, has_psf })))
    }

    /// `[energy_true or 1, 1, 1]`.
    pub fn share(&self, evaluator: &Evaluator<'_>, model: &SkyModel, control: &Control) -> Result<Array3<f64>> {
        let (Self::Part(part), Some(spatial)) = (self, &model.spatial) else { return Ok(Array3::ones((1, 1, 1))) };
        let energies = evaluator.energy_true.center_tev()?;
        let values: Vec<f64> = match part.centred_radius(spatial.as_ref()) {
            // Gammapy: has the PSF's containment also where the PSF is switched off.
            Some(_) if !part.has_psf => vec![1.0],
            Some(radius) => energies.iter().map(|e| part.profile.containment(radius, *e)).collect(),
            None => {
                let share = flux_share(spatial.as_ref(), &part.geom, &energies)?;
                let seen =
                    if part.has_psf { evaluator.convolve(share, part.kernel.data.view(), control)? } else { share };
                let sum = |plane: ndarray::ArrayView2<'_, f64>| {
                    Zip::from(plane).and(&part.weights).fold(0.0, |sum, v, w| sum + v * w)
                };
                seen.axis_iter(Axis(0)).map(sum).collect()
            }
        };
        Ok(Array3::from_shape_fn((values.len(), 1, 1), |(t, ..)| values[t]))
    }
}

impl Part {
    /// The radius of the circle that a point source is at the centre of.
    ///
    /// Gammapy takes the containment around the centre for every point source, wherever it is.
    fn centred_radius(&self, spatial: &dyn SpatialModel) -> Option<f64> {
        let radius = self.region.radius_deg()?;
        let near = |p: SkyPosition| p.separation_deg(self.region.center()) <= CENTRED * radius;
        (spatial.is_point() && spatial.position().is_some_and(near)).then_some(radius)
    }
}
