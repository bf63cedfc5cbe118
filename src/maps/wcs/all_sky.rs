//! Equal-area projections of the whole sky, paper II section 5.3. All angles and plane coordinates in degrees.

use std::f64::consts::{PI, SQRT_2};

use super::projection::{R0_DEG, within_half_turn};

/// Whole-sky projections by FITS code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AllSky {
    /// Sanson-Flamsteed (sinusoidal).
    Sfl,
    /// Mollweide.
    Mol,
    /// Hammer-Aitoff.
    Ait,
}

/// How far beyond the border a point still counts as on it (measured on astropy).
const SFL_BORDER_DEG: f64 = 1e-12;
/// The same in native longitude for Mollweide and Hammer-Aitoff.
const PHI_BORDER_DEG: f64 = 1e-11;
/// The same in the sine of Mollweide's auxiliary angle.
const MOL_BORDER: f64 = 1e-12;
/// The same in Hammer-Aitoff's Z², which is 1/2 on the border.
const AIT_BORDER: f64 = 1e-13;

impl AllSky {
    /// Plane coordinate of native `(φ, θ)`; `None` where it has none.
    pub(super) fn project(self, phi: f64, theta: f64) -> Option<(f64, f64)> {
        Some(match self {
            Self::Sfl => (phi * theta.to_radians().cos(), theta),
            Self::Mol => {
                let w = mollweide_angle(theta.abs());
                let (sin_half, cos_half) = (w / 2.0).sin_cos();
                (2.0 * SQRT_2 / PI * phi * sin_half, (SQRT_2 * R0_DEG * cos_half).copysign(theta))
            }
            Self::Ait => {
                let (sin_theta, cos_theta) = theta.to_radians().sin_cos();
                let (sin_half, cos_half) = (phi.to_radians() / 2.0).sin_cos();
                let gamma = R0_DEG * (2.0 / (1.0 + cos_theta * cos_half)).sqrt();
                (2.0 * gamma * cos_theta * sin_half, gamma * sin_theta)
            }
        })
    }

    /// Native `(φ, θ)` at a plane coordinate; `None` outside the projection.
    pub(super) fn deproject(self, x: f64, y: f64) -> Option<(f64, f64)> {
        match self {
            Self::Sfl => {
                if y.abs() > 90.0 + SFL_BORDER_DEG {
                    return None;
                }
                let theta = y.clamp(-90.0, 90.0);
                Some((phi_of_parallel(x, theta.to_radians().cos(), SFL_BORDER_DEG)?, theta))
            }
            Self::Mol => {
                let s = (y / (SQRT_2 * R0_DEG)).abs();
                if s > 1.0 + MOL_BORDER {
                    return None;
                }
                let s = s.min(1.0);
                let cos_gamma = ((1.0 - s) * (1.0 + s)).sqrt();
                let phi = phi_of_parallel(x * PI / (2.0 * SQRT_2), cos_gamma, PHI_BORDER_DEG)?;
                // 1 - sin θ = (w - sin w) / π with w = π - 2γ: no arc sine near 1.
                let w = 2.0 * cos_gamma.atan2(s);
                let colatitude = 2.0 * (minus_sin(w) / (2.0 * PI)).sqrt().min(1.0).asin();
                Some((phi, (90.0 - colatitude.to_degrees()).copysign(y)))
            }
            Self::Ait => {
                let z2 = 1.0 - (x / (4.0 * R0_DEG)).powi(2) - (y / (2.0 * R0_DEG)).powi(2);
                if z2 < 0.5 - AIT_BORDER {
                    return None;
                }
                let z = z2.sqrt();
                let (a, b) = (z * x / (2.0 * R0_DEG), (2.0 * z2 - 1.0).max(0.0));
                let phi = within_half_turn(2.0 * a.atan2(b).to_degrees(), PHI_BORDER_DEG)?;
                Some((phi, (z * y / R0_DEG).atan2(a.hypot(b)).to_degrees()))
            }
        }
    }
}

/// Longitude at `x` on a parallel whose length is `cosine` of the equator's; on a pole only its one point is valid.
fn phi_of_parallel(x: f64, cosine: f64, tolerance_deg: f64) -> Option<f64> {
    if cosine < 1e-15 {
        return (x.abs() <= tolerance_deg).then_some(0.0);
    }
    within_half_turn(x / cosine, tolerance_deg)
}

/// w - sin w for 0 ≤ w ≤ π, without cancellation at small w.
fn minus_sin(w: f64) -> f64 {
    if w > 0.25 {
        return w - w.sin();
    }
    let q = w * w;
    w * q / 6.0 * (1.0 - q / 20.0 * (1.0 - q / 42.0 * (1.0 - q / 72.0 * (1.0 - q / 110.0))))
}

/// The angle w = π - 2γ of the parallel |θ|, from w - sin w = π (1 - sin θ): Newton's method from w = ∛(6q), where q is
/// convex in w, so that it converges from everywhere.
fn mollweide_angle(theta_deg: f64) -> f64 {
    let half_colatitude = (90.0 - theta_deg.min(90.0)).to_radians() / 2.0;
    let q = 2.0 * PI * half_colatitude.sin().powi(2);
    let mut w = (6.0 * q).cbrt();
    for _ in 0..20 {
        let slope = 2.0 * (w / 2.0).sin().powi(2);
        if slope == 0.0 {
            break;
        }
        let step = (minus_sin(w) - q) / slope;
        w -= step;
        if step.abs() <= 1e-16 * w.abs() {
            break;
        }
    }
    w
}
