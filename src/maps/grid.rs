//! What every pixel of a WCS geometry has: position, solid angle, distance. Rows are shared among threads.

use ndarray::Array2;
use rayon::prelude::*;

use super::frame::{Distance, Frame, SkyPosition};
use super::geom::WcsGeom;

/// A point of a grid with what the formulas on the sphere need of it.
#[derive(Debug, Clone, Copy)]
struct Corner {
    lon: f64,
    sin_lat: f64,
    cos_lat: f64,
}

impl Corner {
    /// From degrees.
    fn new(lon_deg: f64, lat_deg: f64) -> Self {
        let (sin_lat, cos_lat) = lat_deg.to_radians().sin_cos();
        Self { lon: lon_deg.to_radians(), sin_lat, cos_lat }
    }

    const OUTSIDE: Self = Self { lon: f64::NAN, sin_lat: f64::NAN, cos_lat: f64::NAN };
}

/// The great circle from one corner to another: its length in radians, and the sine and cosine of the position angles
/// at its start towards the end, and at its end back towards the start.
#[derive(Debug, Clone, Copy)]
struct Side {
    length: f64,
    there: (f64, f64),
    back: (f64, f64),
}

impl Side {
    fn new(a: Corner, b: Corner) -> Self {
        let (sin_dlon, cos_dlon) = (b.lon - a.lon).sin_cos();
        let (east, north) = (b.cos_lat * sin_dlon, a.cos_lat * b.sin_lat - a.sin_lat * b.cos_lat * cos_dlon);
        let (east_back, north_back) = (-a.cos_lat * sin_dlon, b.cos_lat * a.sin_lat - b.sin_lat * a.cos_lat * cos_dlon);
        let sine = east.hypot(north);
        let length = sine.atan2(a.sin_lat * b.sin_lat + a.cos_lat * b.cos_lat * cos_dlon);
        // A side of no length has no direction, and no area: any finite angle does.
        let unit = |y: f64, x: f64| {
            let norm = y.hypot(x);
            if norm == 0.0 { (0.0, 1.0) } else { (y / norm, x / norm) }
        };
        Self { length, there: unit(east, north), back: unit(east_back, north_back) }
    }
}

/// Sine of the difference of two angles given as (sine, cosine).
fn sine_between(a: (f64, f64), b: (f64, f64)) -> f64 {
    a.0 * b.1 - a.1 * b.0
}

impl WcsGeom {
    /// Position of each pixel centre in the map's frame: longitude in [0, 360) and latitude in degrees, both `[y, x]`,
    /// NaN outside the projection.
    pub fn sky_grid(&self) -> (Array2<f64>, Array2<f64>) {
        self.sky_grid_in(self.frame())
    }

    /// Position of each pixel centre in any frame, as [`WcsGeom::sky_grid`].
    pub fn sky_grid_in(&self, frame: Frame) -> (Array2<f64>, Array2<f64>) {
        let mut lon = Array2::from_elem((self.ny(), self.nx()), f64::NAN);
        let mut lat = lon.clone();
        let (wcs, own, nx) = (self.wcs(), self.frame(), self.nx());
        if let (Some(lon), Some(lat)) = (lon.as_slice_mut(), lat.as_slice_mut()) {
            lon.par_chunks_mut(nx).zip(lat.par_chunks_mut(nx)).enumerate().for_each(|(y, (lon, lat))| {
                for (x, (lon, lat)) in lon.iter_mut().zip(lat).enumerate() {
                    if let Some((l, b)) = wcs.pix_to_world(x as f64, y as f64) {
                        (*lon, *lat) = own.convert(frame, l, b);
                    }
                }
            });
        }
        (lon, lat)
    }

    /// A value per pixel `[y, x]`, computed in parallel from its position in the map's frame; NaN outside the
    /// projection.
    pub fn map_pixels(&self, value: impl Fn(SkyPosition) -> f64 + Sync) -> Array2<f64> {
        let mut out = Array2::from_elem((self.ny(), self.nx()), f64::NAN);
        let nx = self.nx();
        if let Some(out) = out.as_slice_mut() {
            out.par_chunks_mut(nx).enumerate().for_each(|(y, row)| {
                for (x, out) in row.iter_mut().enumerate() {
                    if let Some(position) = self.pix_to_sky(x as f64, y as f64) {
                        *out = value(position);
                    }
                }
            });
        }
        out
    }

    /// Great-circle distance of each pixel centre `[y, x]` to a position, in degrees; NaN outside the projection.
    pub fn separation_deg(&self, position: SkyPosition) -> Array2<f64> {
        let position = position.to_frame(self.frame());
        let from = Distance::from(position.lat_deg);
        self.map_pixels(|p| from.to(p.lon_deg - position.lon_deg, p.lat_deg))
    }

    /// Solid angle of each pixel `[y, x]` in sr, as Gammapy computes it: two planar triangles from the four corners
    /// on the sphere; NaN where a corner is outside the projection.
    pub fn solid_angle_sr(&self) -> Array2<f64> {
        let (nx, ny) = (self.nx(), self.ny());
        let mut out = Array2::zeros((ny, nx));
        let corners = |edge: usize| -> Vec<Corner> {
            (0..=nx)
                .map(|x| {
                    let place = self.wcs().pix_to_world(x as f64 - 0.5, edge as f64 - 0.5);
                    place.map_or(Corner::OUTSIDE, |(lon, lat)| Corner::new(lon, lat))
                })
                .collect()
        };
        let sides_along_x =
            |row: &[Corner]| -> Vec<Side> { row.windows(2).map(|pair| Side::new(pair[0], pair[1])).collect() };
        // Bands of rows, so that an edge is computed twice at the borders of bands only.
        const ROWS: usize = 16;
        if let Some(out) = out.as_slice_mut() {
            out.par_chunks_mut(ROWS * nx).enumerate().for_each(|(band, rows)| {
                let mut here = corners(band * ROWS);
                let mut along_here = sides_along_x(&here);
                for (i, row) in rows.chunks_mut(nx).enumerate() {
                    let next = corners(band * ROWS + i + 1);
                    let along_next = sides_along_x(&next);
                    let mut left = Side::new(here[0], next[0]);
                    for (x, out) in row.iter_mut().enumerate() {
                        let right = Side::new(here[x + 1], next[x + 1]);
                        let (below, above) = (along_here[x], along_next[x]);
                        // Gammapy's two triangles: at the upper left corner, and at the lower right one. There
                        // the second angle is that of the lower side at its start, not at this corner.
                        let upper_left = left.length * above.length * sine_between(above.there, left.back);
                        let lower_right = right.length * below.length * sine_between(right.there, below.there);
                        *out = (0.5 * upper_left + 0.5 * lower_right).abs();
                        left = right;
                    }
                    (here, along_here) = (next, along_next);
                }
            });
        }
        out
    }

    /// Positions of the centres of the four corner pixels: first, last row of the first column, last, first row of the
    /// last column, as astropy's `calc_footprint`; `None` outside the projection.
    pub fn footprint(&self) -> [Option<SkyPosition>; 4] {
        let (x, y) = (self.nx() as f64 - 1.0, self.ny() as f64 - 1.0);
        [(0.0, 0.0), (0.0, y), (x, y), (x, 0.0)].map(|(x, y)| self.pix_to_sky(x, y))
    }

    /// The outline of the map along the outer edges of its pixels, starting at the lower left corner, against the
    /// order of [`WcsGeom::footprint`]: one point per pixel edge, `None` outside the projection.
    pub fn outline(&self) -> Vec<Option<SkyPosition>> {
        let (nx, ny) = (self.nx(), self.ny());
        let edge = |i: usize| i as f64 - 0.5;
        let bottom = (0..nx).map(|x| (edge(x), edge(0)));
        let right = (0..ny).map(|y| (edge(nx), edge(y)));
        let top = (0..nx).map(|x| (edge(nx - x), edge(ny)));
        let left = (0..ny).map(|y| (edge(0), edge(ny - y)));
        bottom.chain(right).chain(top).chain(left).map(|(x, y)| self.pix_to_sky(x, y)).collect()
    }

    /// True where the map covers the whole sky as Gammapy tells it: 360° × 180° of pixels.
    pub fn is_all_sky(&self) -> bool {
        let (width, height) = self.width_deg();
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-8 + 1e-5 * b;
        close(width, 360.0) && close(height, 180.0)
    }
}
