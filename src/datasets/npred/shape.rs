//! The share of a source's flux that falls into each pixel.

use ndarray::{Array2, Array3, Axis};
use rayon::prelude::*;

use super::evaluator::around;
use crate::error::Result;
use crate::maps::{Frame, SkyPosition, WcsGeom};
use crate::models::SpatialModel;

/// Most subdivisions of a pixel per side (Gammapy's `MAX_OVERSAMPLING`).
const MAX_OVERSAMPLING: usize = 200;

/// Flux share `[energy or 1, y, x]` per pixel of `geom` (axes are not looked at), for the energies in TeV if the model
/// varies with energy: pixel-centre value times solid angle, with pixels divided where the model is finer than they
/// are (Gammapy's `integrate_geom`); bilinear weights on four pixels for point sources.
///
/// # Errors
/// Where the geometry has no usable centre.
pub fn flux_share(model: &dyn SpatialModel, geom: &WcsGeom, energies_tev: &[f64]) -> Result<Array3<f64>> {
    if model.is_point() {
        return Ok(point_weights(model, geom).insert_axis(Axis(0)));
    }
    let energies = if model.is_energy_dependent() { energies_tev } else { &[1.0] };
    let (sx, sy) = geom.pixel_scales_deg();
    let pixel_deg = sx.max(sy);
    let mut factor = match model.evaluation_bin_size_min_deg() {
        Some(size) if size > 0.0 => ((pixel_deg / size).ceil() as usize).clamp(1, MAX_OVERSAMPLING),
        Some(_) => MAX_OVERSAMPLING,
        None => 1,
    };
    let (mut rows, mut columns) = (0..geom.ny(), 0..geom.nx());
    if let (Some(radius), Some(center)) = (model.evaluation_radius_deg(), model.position()) {
        let width = 2.0 * radius.max(pixel_deg);
        match around(geom, center, width, false) {
            // Only a divided evaluation is limited to the radius; an undivided one covers the whole geometry.
            Ok((cut, origin)) if factor > 1 => {
                rows = origin.y0..origin.y0 + cut.ny();
                columns = origin.x0..origin.x0 + cut.nx();
            }
            Ok(_) => {}
            Err(_) => factor = 1,
        }
    }
    let solid_angle = geom.slice(rows.clone(), columns.clone())?.solid_angle_sr();
    let mut share = Array3::zeros((energies.len(), geom.ny(), geom.nx()));
    let weight = 1.0 / (factor * factor) as f64;
    for (plane, energy) in energies.iter().enumerate() {
        let values: Vec<Vec<f64>> = rows
            .clone()
            .into_par_iter()
            .map(|y| {
                columns
                    .clone()
                    .map(|x| {
                        let mut sum = 0.0;
                        for sub_y in 0..factor {
                            for sub_x in 0..factor {
                                let offset = |sub: usize| (sub as f64 + 0.5) / factor as f64 - 0.5;
                                let (px, py) = (x as f64 + offset(sub_x), y as f64 + offset(sub_y));
                                if let Some((lon, lat)) = in_frame(geom, px, py, model.frame()) {
                                    sum += model.evaluate(lon, lat, *energy);
                                }
                            }
                        }
                        sum * weight
                    })
                    .collect()
            })
            .collect();
        for (y, row) in rows.clone().zip(values) {
            for (x, value) in columns.clone().zip(row) {
                let value = value * solid_angle[[y - rows.start, x - columns.start]];
                share[[plane, y, x]] = if value.is_finite() { value } else { 0.0 };
            }
        }
    }
    Ok(share)
}

fn in_frame(geom: &WcsGeom, x: f64, y: f64, frame: Frame) -> Option<(f64, f64)> {
    let (lon_deg, lat_deg) = geom.wcs().pix_to_world(x, y)?;
    if geom.frame() == frame {
        return Some((lon_deg, lat_deg));
    }
    let p = SkyPosition { lon_deg, lat_deg, frame: geom.frame() }.to_frame(frame);
    Some((p.lon_deg, p.lat_deg))
}

/// Weights on the four pixels around a position, so that their centroid is the position.
fn point_weights(model: &dyn SpatialModel, geom: &WcsGeom) -> Array2<f64> {
    let mut weights = Array2::zeros((geom.ny(), geom.nx()));
    let Some((x0, y0)) = model.position().and_then(|p| geom.sky_to_pix(p)) else {
        return weights;
    };
    // A position on a pixel centre (kernels) must not leak into its neighbours by rounding of the projection.
    let snap = |v: f64| if (v - v.round()).abs() < 1e-9 { v.round() } else { v };
    let (x0, y0) = (snap(x0), snap(y0));
    let turn = geom.closes_in_longitude().map(|turn| turn as f64);
    for y in [y0.floor(), y0.floor() + 1.0] {
        for x in [x0.floor(), x0.floor() + 1.0] {
            let weight = (1.0 - (x - x0).abs()).max(0.0) * (1.0 - (y - y0).abs()).max(0.0);
            // Around the sky the first column follows the last one.
            let x = match turn {
                Some(turn) if x < 0.0 => x + turn,
                Some(turn) if x >= geom.nx() as f64 => x - turn,
                _ => x,
            };
            if weight > 0.0 && x >= 0.0 && y >= 0.0 && x < geom.nx() as f64 && y < geom.ny() as f64 {
                weights[[y as usize, x as usize]] += weight;
            }
        }
    }
    weights
}
