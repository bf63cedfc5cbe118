//! The projections by their FITS codes, in native coordinates.

use super::{all_sky, cylindrical, zenithal};
use crate::error::{Error, Result};

/// Degrees per radian: the radius of the generating sphere, R₀ in paper II.
pub(super) const R0_DEG: f64 = 180.0 / std::f64::consts::PI;

/// A projection without parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Projection {
    /// A projection from a point on the axis; works on native unit vectors.
    Zenithal(zenithal::Zenithal),
    /// Parallels and meridians are straight and cross at right angles.
    Cylindrical(cylindrical::Cylindrical),
    /// Equal-area projections of the whole sky.
    AllSky(all_sky::AllSky),
}

impl Projection {
    /// By FITS code. `GLS` is `SFL` with another fiducial point, see [`super::Wcs::new`].
    pub(super) fn from_code(code: &str) -> Result<Self> {
        use all_sky::AllSky::{Ait, Mol, Sfl};
        use cylindrical::Cylindrical::{Car, Cea, Mer};
        use zenithal::Zenithal::{Arc, Sin, Stg, Tan, Zea};
        Ok(match code {
            "TAN" => Self::Zenithal(Tan),
            "SIN" => Self::Zenithal(Sin),
            "ARC" => Self::Zenithal(Arc),
            "STG" => Self::Zenithal(Stg),
            "ZEA" => Self::Zenithal(Zea),
            "CAR" => Self::Cylindrical(Car),
            "CEA" => Self::Cylindrical(Cea),
            "MER" => Self::Cylindrical(Mer),
            "SFL" | "GLS" => Self::AllSky(Sfl),
            "MOL" => Self::AllSky(Mol),
            "AIT" => Self::AllSky(Ait),
            _ => {
                return Err(Error::input("CTYPE", format!("projection '{code}' is not known"))
                    .with_help("known are AIT, ARC, CAR, CEA, GLS, MER, MOL, SFL, SIN, STG, TAN and ZEA"));
            }
        })
    }

    /// Plane coordinate of a place in native coordinates, in degrees; `None` where it has none.
    #[cfg(feature = "fits-system")]
    pub(super) fn project(self, phi_deg: f64, theta_deg: f64) -> Option<(f64, f64)> {
        match self {
            Self::Zenithal(p) => p.project(super::rotation::vector_of(phi_deg, theta_deg)),
            Self::Cylindrical(p) => p.project(phi_deg, theta_deg),
            Self::AllSky(p) => p.project(phi_deg, theta_deg),
        }
    }

    /// Native latitude of the fiducial point, θ₀, in degrees.
    pub(super) fn theta0_deg(self) -> f64 {
        match self {
            Self::Zenithal(_) => 90.0,
            Self::Cylindrical(_) | Self::AllSky(_) => 0.0,
        }
    }
}

/// Clamps a native longitude to ±180° if it lies beyond by less than `tolerance_deg`; `None` further out.
pub(super) fn within_half_turn(phi_deg: f64, tolerance_deg: f64) -> Option<f64> {
    (phi_deg.abs() <= 180.0 + tolerance_deg).then(|| phi_deg.clamp(-180.0, 180.0))
}
