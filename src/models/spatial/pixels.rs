//! A spatial model as a factor for each pixel of a map.

use ndarray::{Array3, Axis};

use super::SpatialModel;
use crate::maps::{SkyPosition, WcsGeom};

/// The value at a position in any frame as a number without its unit, 0 where it is not finite.
pub(crate) fn value_at(model: &dyn SpatialModel, p: SkyPosition, energy_tev: f64) -> f64 {
    let p = if p.frame == model.frame() { p } else { p.to_frame(model.frame()) };
    let value = model.evaluate(p.lon_deg, p.lat_deg, energy_tev) * model.unit_factor();
    if value.is_finite() { value } else { 0.0 }
}

/// [`value_at`] the centre of each pixel, `[energy, y, x]`, or one plane where the model does not vary with energy; NaN
/// outside of the projection.
pub(crate) fn pixel_factors(model: &dyn SpatialModel, geom: &WcsGeom, energies_tev: &[f64]) -> Array3<f64> {
    let energies = if model.is_energy_dependent() { energies_tev } else { &[1.0] };
    let mut out = Array3::zeros((energies.len(), geom.ny(), geom.nx()));
    for (mut plane, energy) in out.axis_iter_mut(Axis(0)).zip(energies) {
        plane.assign(&geom.map_pixels(|p| value_at(model, p, *energy)));
    }
    out
}
