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
    let geom = map.wcs_geom()?;
    match nearest_close_by(map, geom, position) {
        Some(found) => Ok(found),
        None => nearest_unmasked_position(geom, &positive_image(map), position),
    }
}

/// Pixels around the one that holds the position among which the nearest is looked for first.
const CLOSE_BY: usize = 4;

/// The nearest pixel above 0 where it is certain from the pixels close by: nearer than half the distance to the
/// nearest of those at the border of what was looked at, which the pixels beyond do not undercut on any smooth map.
fn nearest_close_by(map: &Map, geom: &WcsGeom, position: SkyPosition) -> Option<SkyPosition> {
    let (x, y) = geom.sky_to_pix(position)?;
    let inside = |v: f64, n: usize| v >= CLOSE_BY as f64 && v < (n as f64) - CLOSE_BY as f64 - 1.0;
    if !(inside(x, geom.nx()) && inside(y, geom.ny())) {
        return None;
    }
    let (x0, y0) = (x.round() as usize - CLOSE_BY, y.round() as usize - CLOSE_BY);
    let cube = map.cube();
    let mut nearest: Option<(f64, SkyPosition)> = None;
    let mut border = f64::INFINITY;
    for y in y0..=y0 + 2 * CLOSE_BY {
        for x in x0..=x0 + 2 * CLOSE_BY {
            let center = geom.pix_to_sky(x as f64, y as f64)?;
            let separation = center.separation_deg(position);
            if y == y0 || y == y0 + 2 * CLOSE_BY || x == x0 || x == x0 + 2 * CLOSE_BY {
                border = border.min(separation);
            }
            let positive = (0..cube.dim().0).any(|plane| cube.at(plane, y, x) > 0.0);
            if positive && nearest.is_none_or(|(best, _)| separation < best - EQUAL_DEG) {
                nearest = Some((separation, center));
            }
        }
    }
    nearest.filter(|(separation, _)| *separation < 0.5 * border).map(|(_, center)| center)
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
    if let Some((x, y)) = geom.sky_to_pix(position) {
        let (x, y) = ((x + 0.5).floor(), (y + 0.5).floor());
        let inside = x >= 0.0 && y >= 0.0 && x < geom.nx() as f64 && y < geom.ny() as f64;
        let cube = map.cube();
        if inside && (0..cube.dim().0).any(|plane| cube.at(plane, y as usize, x as usize) > 0.0) {
            return Ok(position);
        }
    }
    nearest_unmasked_position(geom, &positive_image(map), position)
}
