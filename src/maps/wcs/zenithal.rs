//! Zenithal (azimuthal) projections, paper II section 5.1.
//!
//! They work on native unit vectors `(cos θ cos φ, cos θ sin φ, sin θ)`, so nothing is lost near the native pole, where
//! maps in these projections lie. Plane coordinates are in degrees: `x = R sin φ`, `y = -R cos φ` with `R = R(θ)`.

use super::projection::R0_DEG;

/// Zenithal projections by FITS code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zenithal {
    /// Gnomonic.
    Tan,
    /// Orthographic, without slant.
    Sin,
    /// Equidistant.
    Arc,
    /// Stereographic.
    Stg,
    /// Equal area.
    Zea,
}

/// How far beyond the border a point still counts as on it, in degrees (measured on astropy).
const BORDER_DEG: f64 = 1e-13;

impl Zenithal {
    /// Plane coordinate of a native unit vector; `None` where it has none.
    pub(super) fn project(self, [vx, vy, vz]: [f64; 3]) -> Option<(f64, f64)> {
        let h = vx.hypot(vy);
        // R(θ) / cos θ, so that x = scale vy and y = -scale vx need no azimuth.
        let scale = match self {
            Self::Tan if vz > 0.0 => R0_DEG / vz,
            Self::Sin if vz >= 0.0 => R0_DEG,
            Self::Tan | Self::Sin => return None,
            Self::Arc | Self::Zea if h == 0.0 && vz < 0.0 => {
                // The antipode is a whole circle; its lowest point stands for it.
                return Some((0.0, if self == Self::Arc { -180.0 } else { -2.0 * R0_DEG }));
            }
            Self::Arc if h == 0.0 => R0_DEG,
            Self::Arc => R0_DEG * h.atan2(vz) / h,
            Self::Stg if vz >= 0.0 => 2.0 * R0_DEG / (1.0 + vz),
            Self::Stg if h == 0.0 => return None,
            // 1 + sin θ by its conjugate, which does not cancel.
            Self::Stg => 2.0 * R0_DEG * (1.0 - vz) / (h * h),
            Self::Zea if vz >= 0.0 => 2.0 * R0_DEG / (2.0 * (1.0 + vz)).sqrt(),
            Self::Zea => 2.0 * R0_DEG * ((1.0 - vz) / 2.0).sqrt() / h,
        };
        Some((scale * vy, -scale * vx))
    }

    /// Native unit vector at a plane coordinate; `None` outside the projection.
    pub(super) fn deproject(self, x: f64, y: f64) -> Option<[f64; 3]> {
        let r_deg = x.hypot(y);
        if r_deg == 0.0 {
            return Some([0.0, 0.0, 1.0]);
        }
        let r = r_deg / R0_DEG;
        let (cos_theta, sin_theta) = match self {
            Self::Tan => {
                let norm = r.hypot(1.0);
                (r / norm, 1.0 / norm)
            }
            Self::Sin if r <= 1.0 => (r, ((1.0 - r) * (1.0 + r)).sqrt()),
            Self::Sin => return None,
            Self::Arc if r_deg <= 180.0 + BORDER_DEG => r.min(std::f64::consts::PI).sin_cos(),
            Self::Arc => return None,
            Self::Stg => {
                let t = r / 2.0;
                // Both divided by t² where t² would overflow.
                let norm = 1.0 + t * t;
                if norm.is_finite() { (2.0 * t / norm, (1.0 - t) * (1.0 + t) / norm) } else { (0.0, -1.0) }
            }
            Self::Zea if r_deg <= 2.0 * R0_DEG + BORDER_DEG => {
                let s = (r / 2.0).min(1.0);
                (2.0 * s * ((1.0 - s) * (1.0 + s)).sqrt(), 1.0 - 2.0 * s * s)
            }
            Self::Zea => return None,
        };
        Some([-cos_theta * y / r_deg, cos_theta * x / r_deg, sin_theta])
    }
}
