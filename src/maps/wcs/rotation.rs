//! The rotation between native and celestial coordinates, paper II section 2.4.

use crate::error::{Error, Result};

/// Tolerance of the solution for the pole, as a sine and in degrees.
const TOLERANCE: f64 = 1e-10;

/// The rotation, and what it was made from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rotation {
    /// Native unit vector to celestial unit vector.
    matrix: [[f64; 3]; 3],
    /// Set where the poles coincide: longitudes then differ by a constant only.
    aligned: Option<Aligned>,
    /// Native longitude of the celestial pole.
    pub(super) lonpole_deg: f64,
    /// Celestial latitude of the native pole.
    pub(super) latpole_deg: f64,
}

/// lon = shift + sign φ, lat = sign θ, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Aligned {
    sign: f64,
    shift_deg: f64,
}

impl Rotation {
    /// From the celestial coordinate `crval` (degrees) of the fiducial point, which has native coordinates `(φ₀, θ₀)`.
    pub(super) fn new(
        crval: (f64, f64),
        (phi0, theta0): (f64, f64),
        lonpole: Option<f64>,
        latpole: Option<f64>,
    ) -> Result<Self> {
        let (lon0, lat0) = crval;
        let phi_pole = lonpole.unwrap_or(phi0 + if lat0 < theta0 { 180.0 } else { 0.0 });
        let (lon_pole, lat_pole) = if theta0 == 90.0 {
            (lon0, lat0)
        } else {
            let lat_pole = pole_latitude(lat0, theta0, phi_pole - phi0, latpole.unwrap_or(90.0))?;
            (pole_longitude(crval, theta0, phi_pole - phi0, lat_pole)?, lat_pole)
        };
        let aligned = (phi0 == 0.0 && theta0 != 90.0 && lat_pole.abs() == 90.0 && lat0.abs() < 90.0)
            .then(|| Aligned { sign: lat_pole.signum(), shift_deg: lon0 });

        let (sa, ca) = lon_pole.to_radians().sin_cos();
        let (sd, cd) = lat_pole.to_radians().sin_cos();
        let (sp, cp) = phi_pole.to_radians().sin_cos();
        // Paper II, equation 2, as a matrix: first with longitudes counted from that of the pole …
        let u = [-sd * cp, -sd * sp, cd];
        let v = [sp, -cp, 0.0];
        let w = [cd * cp, cd * sp, sd];
        // … then turned by it.
        let turn = |f: f64, g: f64| std::array::from_fn(|i| f * u[i] + g * v[i]);
        let matrix = [turn(ca, -sa), turn(sa, ca), w];
        Ok(Self { matrix, aligned, lonpole_deg: phi_pole, latpole_deg: lat_pole })
    }

    /// Native to celestial unit vectors.
    #[cfg(feature = "fits-system")]
    pub(super) fn matrix(&self) -> &[[f64; 3]; 3] {
        &self.matrix
    }

    /// The same with a matrix that is known better than from the keywords.
    ///
    /// # Errors
    /// [`Error::Input`] where the keywords do not give this matrix to 5e-8 (0.01″).
    #[cfg(feature = "fits-system")]
    pub(super) fn exactly(mut self, matrix: [[f64; 3]; 3]) -> Result<Self> {
        let pairs = self.matrix.as_flattened().iter().zip(matrix.as_flattened());
        let same = pairs.into_iter().all(|(a, b)| (a - b).abs() < 5e-8);
        if !same {
            return Err(Error::input("LONPOLE", "coordinates with this pole cannot be turned to another frame")
                .with_help("reproject the map to ICRS or Galactic coordinates"));
        }
        if self.aligned.is_none() {
            self.matrix = matrix;
        }
        Ok(self)
    }

    /// Celestial `(lon, lat)` in degrees of a native unit vector.
    pub(super) fn sky_of_vector(&self, v: [f64; 3]) -> (f64, f64) {
        let m = &self.matrix;
        lonlat_of(std::array::from_fn(|i| m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2]))
    }

    /// Native unit vector of celestial `(lon, lat)` in degrees.
    pub(super) fn vector_of_sky(&self, lon: f64, lat: f64) -> [f64; 3] {
        let m = &self.matrix;
        let s = vector_of(lon, lat);
        std::array::from_fn(|i| m[0][i] * s[0] + m[1][i] * s[1] + m[2][i] * s[2])
    }

    /// Celestial `(lon, lat)` of native `(φ, θ)`, in degrees.
    pub(super) fn sky_of_native(&self, phi: f64, theta: f64) -> (f64, f64) {
        match self.aligned {
            Some(a) => (turns_removed(a.shift_deg + a.sign * phi), a.sign * theta),
            None => self.sky_of_vector(vector_of(phi, theta)),
        }
    }

    /// Native `(φ, θ)` of celestial `(lon, lat)`, in degrees, -180 ≤ φ ≤ 180.
    pub(super) fn native_of_sky(&self, lon: f64, lat: f64) -> (f64, f64) {
        match self.aligned {
            Some(a) => {
                let phi = (a.sign * (lon - a.shift_deg)) % 360.0;
                let phi = if phi > 180.0 {
                    phi - 360.0
                } else if phi < -180.0 {
                    phi + 360.0
                } else {
                    phi
                };
                (phi, a.sign * lat)
            }
            None => {
                let [x, y, z] = self.vector_of_sky(lon, lat);
                (y.atan2(x).to_degrees(), z.atan2(x.hypot(y)).to_degrees())
            }
        }
    }
}

/// Longitude and latitude of the native pole, and native longitude of the celestial pole, of a matrix, in degrees. Where
/// the poles coincide, the latter is 180.
#[cfg(feature = "fits-system")]
pub(super) fn poles_of(matrix: &[[f64; 3]; 3]) -> (f64, f64, f64) {
    let m = matrix;
    let (along, up) = (m[2][0].hypot(m[2][1]), m[2][2]);
    if along < 1e-12 {
        return ((-m[0][1]).atan2(m[1][1]).to_degrees(), 90f64.copysign(up), 180.0);
    }
    let lon = m[1][2].atan2(m[0][2]).to_degrees();
    (lon, up.atan2(along).to_degrees(), m[2][1].atan2(m[2][0]).to_degrees())
}

/// Celestial latitude of the native pole, paper II equation 8: of the two solutions the valid one nearest to LATPOLE.
fn pole_latitude(lat0: f64, theta0: f64, phi_pole: f64, latpole: f64) -> Result<f64> {
    let (sin_theta0, cos_theta0) = theta0.to_radians().sin_cos();
    let x = cos_theta0 * phi_pole.to_radians().cos();
    let length = x.hypot(sin_theta0);
    let sin_lat0 = lat0.to_radians().sin();
    let impossible = || {
        Error::input("LONPOLE", format!("{phi_pole} is impossible for a reference latitude (CRVAL2) of {lat0}"))
            .with_help("leave LONPOLE out for the standard's default")
    };
    if length == 0.0 {
        // LATPOLE alone decides.
        return if sin_lat0.abs() < TOLERANCE { Ok(latpole.clamp(-90.0, 90.0)) } else { Err(impossible()) };
    }
    let sine = sin_lat0 / length;
    if sine.abs() > 1.0 + TOLERANCE {
        return Err(impossible());
    }
    let middle = sin_theta0.atan2(x).to_degrees();
    let half_gap = if sine.abs() > 1.0 - 1e-9 {
        // The arc cosine would lose half of the digits: the sine by the difference of two squares instead.
        let (a, b) = (lat0.to_radians().cos(), cos_theta0 * phi_pole.to_radians().sin());
        ((a - b) * (a + b)).max(0.0).sqrt().atan2(sin_lat0).to_degrees()
    } else {
        sine.acos().to_degrees()
    };
    let half_turn = |a: f64| {
        if a > 180.0 {
            a - 360.0
        } else if a < -180.0 {
            a + 360.0
        } else {
            a
        }
    };
    let (a, b) = (half_turn(middle + half_gap), half_turn(middle - half_gap));
    // Of equally near ones the second, as wcslib takes it. With LATPOLE = 0 the two lie symmetrically and rounding tells
    // them apart, there and here; five times of six both choose the same.
    let (near, far) = if (latpole - a).abs() < (latpole - b).abs() { (a, b) } else { (b, a) };
    let solution = if near.abs() < 90.0 + TOLERANCE { near } else { far };
    if solution.abs() >= 90.0 + TOLERANCE {
        return Err(impossible());
    }
    // Rounding of the two arcs must not turn an aligned pole into an almost aligned one.
    Ok(if (solution.abs() - 90.0).abs() < 1e-12 { 90f64.copysign(solution) } else { solution })
}

/// Celestial longitude of the native pole, paper II equations 9 and 10 and their special cases.
fn pole_longitude((lon0, lat0): (f64, f64), theta0: f64, phi_pole: f64, lat_pole: f64) -> Result<f64> {
    let (sin_pole, cos_pole) = lat_pole.to_radians().sin_cos();
    let (sin_lat0, cos_lat0) = lat0.to_radians().sin_cos();
    if cos_lat0.abs() < TOLERANCE {
        return Ok(lon0);
    }
    if (cos_pole * cos_lat0).abs() < TOLERANCE {
        return Ok(if lat_pole > 0.0 { lon0 + phi_pole - 180.0 } else { lon0 - phi_pole });
    }
    let (sin_theta0, cos_theta0) = theta0.to_radians().sin_cos();
    let x = (sin_theta0 - sin_pole * sin_lat0) / (cos_pole * cos_lat0);
    let y = phi_pole.to_radians().sin() * cos_theta0 / cos_lat0;
    if x == 0.0 && y == 0.0 {
        return Err(Error::input("LONPOLE", format!("{phi_pole} leaves the longitude of the native pole undefined")));
    }
    Ok(lon0 - y.atan2(x).to_degrees())
}

/// Unit vector of `(lon, lat)` in degrees.
pub(in crate::maps) fn vector_of(lon_deg: f64, lat_deg: f64) -> [f64; 3] {
    let (sl, cl) = lon_deg.to_radians().sin_cos();
    let (sb, cb) = lat_deg.to_radians().sin_cos();
    [cb * cl, cb * sl, sb]
}

/// `(lon, lat)` in degrees of a vector of any length, 0 ≤ lon < 360.
pub(in crate::maps) fn lonlat_of([x, y, z]: [f64; 3]) -> (f64, f64) {
    (turns_removed(y.atan2(x).to_degrees()), z.atan2(x.hypot(y)).to_degrees())
}

/// A longitude in [0, 360).
pub(in crate::maps) fn turns_removed(lon_deg: f64) -> f64 {
    let lon = lon_deg.rem_euclid(360.0);
    // Of tiny negative numbers the remainder rounds to the divisor itself.
    if lon < 360.0 { lon } else { 0.0 }
}
