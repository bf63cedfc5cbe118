//! Celestial systems of files other than ICRS and Galactic, and the way from them to ICRS.
//!
//! Unit vectors in, unit vectors out. Formulas and constants: IAU 2006 precession (Capitaine, Wallace & Chapront 2003),
//! the bias of FK5 (USNO Circular 179), Newcomb's precession and the E-terms of aberration (Explanatory Supplement), FK4 to
//! FK5 (Murray 1989); they are the ones that astropy uses, so that positions agree with it.

use super::rotation::vector_of;
use crate::maps::frame::Frame;

/// A system of coordinates that is turned to ICRS or Galactic when a file is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum System {
    /// Mean equator and equinox of that Julian year, FK5.
    Fk5 {
        /// Julian year.
        equinox: f64,
    },
    /// Mean equator and equinox of that Besselian year, FK4; with the E-terms of aberration or without (`FK4-NO-E`).
    Fk4 {
        /// Besselian year.
        equinox: f64,
        /// Positions hold the E-terms.
        e_terms: bool,
    },
    /// Mean ecliptic and equinox of that Julian year.
    Ecliptic {
        /// Julian year.
        equinox: f64,
    },
    /// Supergalactic longitude and latitude (de Vaucouleurs).
    Supergalactic,
}

type Vector = [f64; 3];
type Matrix = [[f64; 3]; 3];

impl System {
    /// The frame that its positions are turned to.
    pub(crate) fn target(self) -> Frame {
        match self {
            Self::Fk5 { .. } | Self::Fk4 { .. } | Self::Ecliptic { .. } => Frame::Icrs,
            Self::Supergalactic => Frame::Galactic,
        }
    }

    /// A direction in this system as one in [`System::target`].
    pub(crate) fn turn(self, v: Vector) -> Vector {
        match self {
            Self::Fk5 { equinox } => times_transposed(&fk5_bias(), to_j2000(equinox, v)),
            Self::Fk4 { equinox, e_terms } => {
                let v = if e_terms { without_e_terms(equinox, v) } else { v };
                let b1950 = times(&newcomb(equinox, 1950.0), v);
                times_transposed(&fk5_bias(), unit(times(&b1950_to_j2000(equinox), b1950)))
            }
            Self::Ecliptic { equinox } => {
                let equatorial = times(&rotation(0, -obliquity_deg(equinox)), v);
                times_transposed(&mean_bias(), to_j2000(equinox, equatorial))
            }
            Self::Supergalactic => {
                // The pole lies at l = 47.37°, b = 6.32°, longitudes count from l = 137.37° on the galactic equator.
                let pole = vector_of(47.37, 6.32);
                let zero = vector_of(137.37, 0.0);
                let third = cross(pole, zero);
                std::array::from_fn(|i| v[0] * zero[i] + v[1] * third[i] + v[2] * pole[i])
            }
        }
    }

    #[cfg(feature = "yaml")]
    /// The rotation to [`System::target`] that is exact around a direction: everywhere for systems that are rotated, and
    /// for FK4 with its E-terms, which shift positions by up to 0.34″, to 0.006″ per degree of distance.
    pub(crate) fn rotation_around(self, center: Vector) -> Matrix {
        let center = unit(center);
        // Any direction that is not along the centre spans a tangent with it.
        let other = if center[2].abs() < 0.9 { [0.0, 0.0, 1.0] } else { [1.0, 0.0, 0.0] };
        let east = unit(cross(other, center));
        let (sin, cos) = 1e-3f64.sin_cos();
        let beside = |sign: f64| self.turn(std::array::from_fn(|i| cos * center[i] + sign * sin * east[i]));
        let (ahead, behind) = (beside(1.0), beside(-1.0));
        let new_center = self.turn(center);
        let step: Vector = std::array::from_fn(|i| ahead[i] - behind[i]);
        let along = dot(step, new_center);
        let new_east = unit(std::array::from_fn(|i| step[i] - along * new_center[i]));
        let old = [center, east, cross(center, east)];
        let new = [new_center, new_east, cross(new_center, new_east)];
        std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| new[k][i] * old[k][j]).sum()))
    }
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(v: Vector) -> Vector {
    let length = dot(v, v).sqrt();
    v.map(|c| c / length)
}

fn times(m: &Matrix, v: Vector) -> Vector {
    std::array::from_fn(|i| dot(m[i], v))
}

fn times_transposed(m: &Matrix, v: Vector) -> Vector {
    std::array::from_fn(|i| m[0][i] * v[0] + m[1][i] * v[1] + m[2][i] * v[2])
}

pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// Axes turned about one of them (0: x, 1: y, 2: z).
fn rotation(axis: usize, angle_deg: f64) -> Matrix {
    let (sin, cos) = angle_deg.to_radians().sin_cos();
    match axis {
        0 => [[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]],
        1 => [[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]],
        _ => [[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]],
    }
}

/// From three precession angles in arcseconds.
fn precession(zeta: f64, z: f64, theta: f64) -> Matrix {
    let deg = |arcsec: f64| arcsec / 3600.0;
    product(&product(&rotation(2, -deg(z)), &rotation(1, deg(theta))), &rotation(2, -deg(zeta)))
}

fn polynomial(t: f64, coefficients: &[f64]) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * t + c)
}

/// Offset of the pole and of the origin of right ascension from those of ICRS, in milliarcseconds (η₀, ξ₀, dα₀).
fn bias(eta: f64, xi: f64, ra: f64) -> Matrix {
    const MAS: f64 = 1.0 / 3_600_000.0;
    product(&product(&rotation(0, -eta * MAS), &rotation(1, xi * MAS)), &rotation(2, ra * MAS))
}

/// ICRS to FK5 at J2000.
fn fk5_bias() -> Matrix {
    bias(-19.9, 9.1, -22.9)
}

/// ICRS to the mean equator and equinox at J2000, IAU 2006.
fn mean_bias() -> Matrix {
    bias(-6.951, -16.617, -14.6)
}

/// A vector of the equator and equinox of a Julian year at J2000, with IAU 2006 precession.
fn to_j2000(equinox: f64, v: Vector) -> Vector {
    let t = (equinox - 2000.0) / 100.0;
    let zeta = [2.650545, 2306.083227, 0.2988499, 0.01801828, -0.000005971, -0.0000003173];
    let z = [-2.650545, 2306.077181, 1.0927348, 0.01826837, -0.000028596, -0.0000002904];
    let theta = [0.0, 2004.191903, -0.4294934, -0.04182264, -0.000007089, -0.0000001274];
    let from_j2000 = precession(polynomial(t, &zeta), polynomial(t, &z), polynomial(t, &theta));
    times_transposed(&from_j2000, v)
}

/// Newcomb's precession between two Besselian years.
fn newcomb(from: f64, to: f64) -> Matrix {
    let t = (from - 1850.0) / 1000.0;
    let dt = (to - from) / 1000.0;
    let first = polynomial(t, &[23035.545, 139.720, 0.060]);
    let zeta = polynomial(dt, &[0.0, first, polynomial(t, &[30.240, -0.27]), 17.995]);
    let z = polynomial(dt, &[0.0, first, polynomial(t, &[109.480, 0.39]), 18.325]);
    let theta = [0.0, polynomial(t, &[20051.12, -85.29, -0.37]), polynomial(t, &[-42.65, -0.37]), -41.8];
    precession(zeta, z, polynomial(dt, &theta))
}

/// Julian date of a Besselian year.
fn besselian_jd(year: f64) -> f64 {
    2_415_020.313_52 + (year - 1900.0) * 365.242_198_781
}

/// FK4 without E-terms at B1950 to FK5 at J2000 for positions observed at the equinox of their system; FK4 turns against
/// FK5 with time. Not quite a rotation.
fn b1950_to_j2000(equinox: f64) -> Matrix {
    const AT_1950: Matrix = [
        [0.9999256794956877, -0.0111814832204662, -0.0048590038153592],
        [0.0111814832391717, 0.9999374848933135, -0.0000271625947142],
        [0.0048590037723143, -0.0000271702937440, 0.9999881946023742],
    ];
    const PER_CENTURY: Matrix = [
        [-0.0026455262e-6, -1.1539918689e-6, 2.1111346190e-6],
        [1.1540628161e-6, -0.0129042997e-6, 0.0236021478e-6],
        [-2.1112979048e-6, -0.0056024448e-6, 0.0102587734e-6],
    ];
    let julian_year = 2000.0 + (besselian_jd(equinox) - 2_451_545.0) / 365.25;
    let centuries = (julian_year - 1950.0) / 100.0;
    std::array::from_fn(|i| std::array::from_fn(|j| AT_1950[i][j] + centuries * PER_CENTURY[i][j]))
}

/// Takes the E-terms, the part of aberration by the ellipticity of the Earth's orbit, out of an FK4 position.
fn without_e_terms(equinox: f64, v: Vector) -> Vector {
    let jd = besselian_jd(equinox);
    let t = (jd - besselian_jd(1950.0)) / 36525.0;
    let eccentricity = polynomial(t, &[0.01673011, -0.00004193, -0.000000126]);
    let perigee = (polynomial(t, &[1_015_489.951, 6190.67, 1.65, 0.012]) / 3600.0).to_radians();
    let obliquity =
        (polynomial((jd - 2_451_545.0) / 36525.0, &[84381.448, -46.8150, -0.00059, 0.001813]) / 3600.0).to_radians();
    let size = 0.0056932f64.to_radians() * eccentricity;
    let e = [size * perigee.sin(), -size * perigee.cos() * obliquity.cos(), -size * perigee.cos() * obliquity.sin()];
    let along = dot(e, v);
    unit(std::array::from_fn(|i| v[i] - e[i] + along * v[i]))
}

/// Mean obliquity of the ecliptic in degrees, IAU 2006.
fn obliquity_deg(equinox: f64) -> f64 {
    let t = (equinox - 2000.0) / 100.0;
    polynomial(t, &[84381.406, -46.836769, -0.0001831, 0.00200340, -0.000000576, -0.0000000434]) / 3600.0
}
