//! Where a response is valid: the nearest pixel of a map with values above zero.

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::kernels::CubeView;
use crate::maps::{Geom, Map, SkyPosition, WcsGeom};

/// `[y, x]`: true where any plane is above 0.
fn positive_image(map: &Map) -> Array2<bool> {
    let cube = map.cube();
    let (planes, ny, nx) = cube.dim();
    let mut image = Array2::from_elem((ny, nx), false);
    for p in 0..planes {
        match cube {
            CubeView::F32(a) => image.zip_mut_with(&a.index_axis(ndarray::Axis(0), p), |t, v| *t |= *v > 0.0),
            CubeView::F64(a) => image.zip_mut_with(&a.index_axis(ndarray::Axis(0), p), |t, v| *t |= *v > 0.0),
        }
    }
    image
}

/// The centre of a response map, where it is taken for models without a position; a region has none and needs none.
pub(crate) fn center_of(map: &Map) -> Result<Option<SkyPosition>> {
    match map.geom().as_ref() {
        Geom::Wcs(g) => g.center().map(Some),
        _ => Ok(None),
    }
}

/// Separations in degrees that differ by no more than this are equal: the four pixels around the centre of an even
/// map are as near as each other but for the rounding of the projection.
const EQUAL_DEG: f64 = 1e-10;

/// The centre of the true pixel of `mask` nearest to `position`; of equally near ones the first in memory.
///
/// # Errors
/// [`Error::Input`] where no pixel is true.
pub fn nearest_unmasked_position(geom: &WcsGeom, mask: &Array2<bool>, position: SkyPosition) -> Result<SkyPosition> {
    let separation = geom.separation_deg(position);
    let mut nearest: Option<((usize, usize), f64)> = None;
    for (index, s) in separation.indexed_iter() {
        if mask[index] && s.is_finite() && nearest.is_none_or(|(_, best)| *s < best - EQUAL_DEG) {
            nearest = Some((index, *s));
        }
    }
    nearest
        .map(|(index, _)| index)
        .and_then(|(y, x)| geom.pix_to_sky(x as f64, y as f64))
        .ok_or_else(|| Error::input("response", "it is 0 everywhere, so it is valid nowhere"))
}

/// The centre of the pixel nearest to `position` where any plane of `map` is above 0 (Gammapy's
/// `get_nearest_valid_exposure_position`).
///
/// # Errors
/// [`Error::Input`] where the map is 0 everywhere, or has no pixels.
pub fn nearest_positive_pixel(map: &Map, position: SkyPosition) -> Result<SkyPosition> {
    nearest_unmasked_position(map.wcs_geom()?, &positive_image(map), position)
}

/// `position`, or the centre of the nearest pixel where any plane of `map` is above 0 if the pixel that holds
/// `position` has none (Gammapy's `get_nearest_valid_position`). Region maps are valid everywhere.
///
/// # Errors
/// [`Error::Input`] where the map is 0 everywhere.
pub fn nearest_valid_position(map: &Map, position: SkyPosition) -> Result<SkyPosition> {
    let Geom::Wcs(geom) = map.geom().as_ref() else {
        return Ok(position);
    };
    let mask = positive_image(map);
    if let Some((x, y)) = geom.sky_to_pix(position) {
        let (x, y) = ((x + 0.5).floor(), (y + 0.5).floor());
        if x >= 0.0 && y >= 0.0 && mask.get((y as usize, x as usize)).copied().unwrap_or(false) {
            return Ok(position);
        }
    }
    nearest_unmasked_position(geom, &mask, position)
}
