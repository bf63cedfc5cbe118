//! Directions on the sphere, and positions inside of pixels.

use ndarray::Array2;
use rand::{Rng, RngExt};

use crate::maps::{Frame, Geom, Map, SkyPosition, WcsGeom};

/// Unit vector in ICRS.
pub(super) type Vector = [f64; 3];

/// The direction of a position.
pub(super) fn vector_of(position: SkyPosition) -> Vector {
    let p = position.to_frame(Frame::Icrs);
    let (sin_lon, cos_lon) = p.lon_deg.to_radians().sin_cos();
    let (sin_lat, cos_lat) = p.lat_deg.to_radians().sin_cos();
    [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]
}

/// The position of a direction; 0 ≤ longitude < 360.
pub(super) fn position_of(v: Vector) -> SkyPosition {
    let lon = v[1].atan2(v[0]).to_degrees();
    let lon = if lon < 0.0 { lon + 360.0 } else { lon };
    SkyPosition::icrs(if lon >= 360.0 { 0.0 } else { lon }, v[2].atan2(v[0].hypot(v[1])).to_degrees())
}

/// Unit vectors to the east and to the north of a direction.
fn east_north(v: Vector) -> (Vector, Vector) {
    let cos_lat = v[0].hypot(v[1]);
    let (sin_lon, cos_lon) = if cos_lat > 0.0 { (v[1] / cos_lat, v[0] / cos_lat) } else { (0.0, 1.0) };
    ([-sin_lon, cos_lon, 0.0], [-v[2] * cos_lon, -v[2] * sin_lon, cos_lat])
}

/// The direction at a distance (radians) in a random direction from another.
pub(super) fn offset(v: Vector, distance: f64, rng: &mut impl Rng) -> Vector {
    let (east, north) = east_north(v);
    let (sin_angle, cos_angle) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
    let (sin, cos) = distance.sin_cos();
    std::array::from_fn(|i| cos * v[i] + sin * (sin_angle * east[i] + cos_angle * north[i]))
}

/// A field of view centred on a pointing.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldOfView {
    center: Vector,
    east: Vector,
    north: Vector,
}

impl FieldOfView {
    /// Around a position.
    pub fn new(pointing: SkyPosition) -> Self {
        let center = vector_of(pointing);
        let (east, north) = east_north(center);
        Self { center, east, north }
    }

    /// DETX and DETY of a direction in degrees: longitude and latitude where the pointing is the origin.
    pub fn of(&self, v: Vector) -> (f64, f64) {
        let dot = |a: Vector| a[0] * v[0] + a[1] * v[1] + a[2] * v[2];
        let (x, y, z) = (dot(self.center), dot(self.east), dot(self.north));
        (y.atan2(x).to_degrees(), z.atan2(x.hypot(y)).to_degrees())
    }
}

/// Changes of the solid angle from pixel to pixel below this are not felt within a pixel.
const FLAT: f64 = 1e-4;

/// Attempts to find a place in a pixel that is on the sky.
const ATTEMPTS: usize = 64;

/// Positions inside of the pixels of an image, uniform in solid angle.
#[derive(Debug)]
pub(super) struct Pixels {
    geom: WcsGeom,
    /// `None` where the solid angle is the same within each pixel.
    solid_angle: Option<Array2<f64>>,
}

/// Part of a pixel: column and row of `factor` × `factor` parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub factor: usize,
    pub row: usize,
    pub column: usize,
}

impl Part {
    /// The pixel itself.
    pub const WHOLE: Self = Self { factor: 1, row: 0, column: 0 };
}

impl Pixels {
    /// Of an image, whose solid angles are known.
    pub fn new(geom: &WcsGeom, solid_angle: &Array2<f64>) -> Self {
        let steep = |a: f64, b: f64| (a - b).abs() > FLAT * a.max(b);
        let (ny, nx) = solid_angle.dim();
        let curved = (0..ny).any(|y| {
            (0..nx).any(|x| {
                let here = solid_angle[[y, x]];
                (x + 1 < nx && steep(here, solid_angle[[y, x + 1]]))
                    || (y + 1 < ny && steep(here, solid_angle[[y + 1, x]]))
            })
        });
        Self { geom: geom.to_image(), solid_angle: curved.then(|| solid_angle.clone()) }
    }

    /// Relative change of the solid angle per pixel along x and y, from the neighbours.
    fn gradient(&self, y: usize, x: usize) -> (f64, f64) {
        let Some(omega) = &self.solid_angle else { return (0.0, 0.0) };
        let (ny, nx) = omega.dim();
        let slope = |a: f64, b: f64, steps: usize| {
            let slope = (b - a) / (steps.max(1) as f64 * omega[[y, x]]);
            // Positive in all of the pixel.
            if slope.is_finite() { slope.clamp(-1.0, 1.0) } else { 0.0 }
        };
        let (left, right) = (x.saturating_sub(1), (x + 1).min(nx - 1));
        let (low, high) = (y.saturating_sub(1), (y + 1).min(ny - 1));
        (slope(omega[[y, left]], omega[[y, right]], right - left), slope(omega[[low, x]], omega[[high, x]], high - low))
    }

    /// A position in a part of a pixel, in the frame of the image; `None` where the part is not on the sky.
    pub fn draw(&self, (y, x): (usize, usize), part: Part, rng: &mut impl Rng) -> Option<SkyPosition> {
        let (gx, gy) = self.gradient(y, x);
        let most = 1.0 + 0.5 * (gx.abs() + gy.abs());
        let at = |index: usize, u: f64| (index as f64 + u) / part.factor as f64 - 0.5;
        for _ in 0..ATTEMPTS {
            let (dx, dy) = (at(part.column, rng.random()), at(part.row, rng.random()));
            // The weight may fall below 0 in a corner; nothing is there.
            if most > 1.0 && rng.random::<f64>() * most > 1.0 + gx * dx + gy * dy {
                continue;
            }
            if let Some(position) = self.geom.pix_to_sky(x as f64 + dx, y as f64 + dy) {
                return Some(position);
            }
        }
        None
    }
}

/// Finds the pixels of a response map around a direction.
#[derive(Debug)]
pub(super) struct Lookup {
    /// `None`: one value for the whole sky.
    geom: Option<WcsGeom>,
    /// Pixel that stands for each pixel: itself, or the nearest one that is valid.
    stands_for: Vec<u32>,
    nx: usize,
    ny: usize,
}

impl Lookup {
    /// For the pixels of a map, of which `valid` says which ones have values.
    pub fn new(map: &Map, valid: &[bool]) -> Self {
        let shape = map.data().shape();
        let (ny, nx) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        let geom = match map.geom().as_ref() {
            Geom::Wcs(geom) if nx * ny > 1 => Some(geom.to_image()),
            _ => None,
        };
        Self { geom, stands_for: nearest_valid(valid, ny, nx), nx, ny }
    }

    /// The coordinates of a direction among the pixels, kept within their centres.
    fn place(&self, v: Vector) -> Option<(f64, f64)> {
        let geom = self.geom.as_ref()?;
        let (x, y) = geom.sky_to_pix(position_of(v))?;
        Some((x.clamp(0.0, (self.nx - 1) as f64), y.clamp(0.0, (self.ny - 1) as f64)))
    }

    /// The pixel that holds a direction, or the nearest one with values.
    pub fn nearest(&self, v: Vector) -> usize {
        let (x, y) = self.place(v).unwrap_or((0.0, 0.0));
        let index = (y + 0.5).floor() as usize * self.nx + (x + 0.5).floor() as usize;
        self.stands_for[index] as usize
    }

    /// Four pixels and their bilinear weights. Where the pixel that holds the direction has no values, the nearest one
    /// that has them.
    pub fn around(&self, v: Vector) -> [(usize, f64); 4] {
        let alone = |index: usize| [(index, 1.0), (index, 0.0), (index, 0.0), (index, 0.0)];
        let Some((x, y)) = self.place(v) else { return alone(self.stands_for[0] as usize) };
        let own = (y + 0.5).floor() as usize * self.nx + (x + 0.5).floor() as usize;
        if self.stands_for[own] as usize != own {
            return alone(self.stands_for[own] as usize);
        }
        let (x0, y0) = (x.floor() as usize, y.floor() as usize);
        let (x1, y1) = ((x0 + 1).min(self.nx - 1), (y0 + 1).min(self.ny - 1));
        let (u, w) = (x - x0 as f64, y - y0 as f64);
        [
            (y0 * self.nx + x0, (1.0 - w) * (1.0 - u)),
            (y0 * self.nx + x1, (1.0 - w) * u),
            (y1 * self.nx + x0, w * (1.0 - u)),
            (y1 * self.nx + x1, w * u),
        ]
    }
}

/// For each pixel the nearest valid one, in pixels: each takes the seed of its neighbours, in two sweeps there and back,
/// which is exact but for rare ties of shape. Without any valid pixel, each stands for itself.
fn nearest_valid(valid: &[bool], ny: usize, nx: usize) -> Vec<u32> {
    const NONE: u32 = u32::MAX;
    if !valid.contains(&true) {
        return (0..valid.len() as u32).collect();
    }
    let mut seed: Vec<u32> = valid.iter().enumerate().map(|(i, v)| if *v { i as u32 } else { NONE }).collect();
    let squared = |from: usize, seed: u32| {
        let (dy, dx) = ((from / nx).abs_diff(seed as usize / nx), (from % nx).abs_diff(seed as usize % nx));
        dy * dy + dx * dx
    };
    let pixels: Vec<usize> = (0..ny * nx).collect();
    for sweep in 0..4 {
        let order: Box<dyn Iterator<Item = &usize>> =
            if sweep % 2 == 0 { Box::new(pixels.iter()) } else { Box::new(pixels.iter().rev()) };
        for &at in order {
            let (y, x) = (at / nx, at % nx);
            for yy in y.saturating_sub(1)..(y + 2).min(ny) {
                for xx in x.saturating_sub(1)..(x + 2).min(nx) {
                    let other = seed[yy * nx + xx];
                    if other != NONE && (seed[at] == NONE || squared(at, other) < squared(at, seed[at])) {
                        seed[at] = other;
                    }
                }
            }
        }
    }
    seed
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn offsets_have_their_length_everywhere() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for lat in [-90.0, -60.0, 0.0, 89.999, 90.0] {
            let p = SkyPosition::icrs(40.0, lat);
            for distance in [0.0, 1e-7, 0.1, 30.0] {
                let moved = position_of(offset(vector_of(p), f64::to_radians(distance), &mut rng));
                assert!((moved.separation_deg(p) - distance).abs() < 1e-9, "{lat} {distance}");
            }
        }
    }

    /// `SkyCoord(ra, dec).transform_to(SkyOffsetFrame(origin=SkyCoord(83.63, 22.01)))`: lon grows with right ascension.
    #[test]
    fn detector_coordinates_are_those_of_an_offset_frame() {
        let field = FieldOfView::new(SkyPosition::icrs(83.63, 22.01));
        let (x, y) = field.of(vector_of(SkyPosition::icrs(83.63, 23.01)));
        assert!(x.abs() < 1e-12 && (y - 1.0).abs() < 1e-12, "{x} {y}");
        let (x, y) = field.of(vector_of(SkyPosition::icrs(84.63, 22.01)));
        assert!((x - 0.927_09).abs() < 1e-4 && (y - 0.003_03).abs() < 1e-4, "{x} {y}");
    }

    /// In plate carrée the sky gets narrower within a pixel: the mean latitude is that of the zone.
    #[test]
    fn positions_are_uniform_in_solid_angle() {
        let geom = WcsGeom::create(SkyPosition::icrs(0.0, 0.0), 3, 17, (10.0, 10.0), "CAR", Vec::new()).unwrap();
        let omega = geom.solid_angle_sr();
        let pixels = Pixels::new(&geom, &omega);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        const N: usize = 200_000;
        for y in [8, 12, 15] {
            let (low, high) = ((y as f64 - 8.5) * 10.0, (y as f64 - 7.5) * 10.0);
            let sum: f64 = (0..N).map(|_| pixels.draw((y, 1), Part::WHOLE, &mut rng).unwrap().lat_deg).sum();
            let (a, b) = (low.to_radians(), high.to_radians());
            let exact = ((b * b.sin() + b.cos() - a * a.sin() - a.cos()) / (b.sin() - a.sin())).to_degrees();
            let error = 10.0 / 12f64.sqrt() / (N as f64).sqrt();
            assert!((sum / N as f64 - exact).abs() < 4.0 * error, "row {y}: {} for {exact}", sum / N as f64);
        }
    }

    #[test]
    fn the_nearest_valid_pixel_is_found() {
        let (ny, nx) = (7, 9);
        let mut valid = vec![false; ny * nx];
        for (y, x) in [(1, 1), (5, 7), (6, 0)] {
            valid[y * nx + x] = true;
        }
        let found = nearest_valid(&valid, ny, nx);
        for (at, seed) in found.into_iter().enumerate() {
            let squared = |i: usize| (at / nx).abs_diff(i / nx).pow(2) + (at % nx).abs_diff(i % nx).pow(2);
            let best = (0..ny * nx).filter(|i| valid[*i]).map(squared).min().unwrap();
            assert_eq!(squared(seed as usize), best, "pixel {at}");
        }
    }
}
