//! Cylindrical projections, paper II section 5.2. All angles and plane coordinates in degrees.

use super::projection::R0_DEG;

/// Cylindrical projections by FITS code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cylindrical {
    /// Plate carrée.
    Car,
    /// Equal area with λ = 1.
    Cea,
    /// Mercator.
    Mer,
}

/// How far beyond the border a point still counts as on it (measured on astropy).
const BORDER_DEG: f64 = 1e-13;

impl Cylindrical {
    /// Plane coordinate of native `(φ, θ)`; `None` where it has none.
    pub(super) fn project(self, phi: f64, theta: f64) -> Option<(f64, f64)> {
        let y = match self {
            Self::Car => theta,
            Self::Cea => R0_DEG * theta.to_radians().sin(),
            Self::Mer if theta.abs() < 90.0 => R0_DEG * theta.to_radians().tan().asinh(),
            Self::Mer => return None,
        };
        Some((phi, y))
    }

    /// Native `(φ, θ)` at a plane coordinate; `None` outside the projection. The sky goes on to the left and the right
    /// of ±180°: maps whose reference point is not in their middle show it there.
    pub(super) fn deproject(self, x: f64, y: f64) -> Option<(f64, f64)> {
        let theta = match self {
            Self::Car if y.abs() <= 90.0 + BORDER_DEG => y.clamp(-90.0, 90.0),
            Self::Cea if y.abs() <= R0_DEG * (1.0 + BORDER_DEG) => {
                let s = (y / R0_DEG).clamp(-1.0, 1.0);
                s.atan2(((1.0 - s) * (1.0 + s)).sqrt()).to_degrees()
            }
            Self::Mer => (y / R0_DEG).sinh().atan().to_degrees(),
            Self::Car | Self::Cea => return None,
        };
        Some((x, theta))
    }
}
