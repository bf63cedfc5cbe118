//! Point spread function maps.

use std::sync::Arc;

use ndarray::Array2;

use super::profile::PsfProfile;
use crate::error::{Error, Result};
use crate::irf::position::{center_of, nearest_valid_position};
use crate::maps::{Geom, Map, MapAxis, MapData, RegionGeom, SkyPosition};

/// PSF map: axes `[rad, energy_true]` (or `[rad, energy]`, a PSF in reconstructed energy), values per sr or deg².
#[derive(Debug, Clone, PartialEq)]
pub struct PsfMap {
    /// `[energy, rad, y, x]`.
    pub psf: Map,
    /// Exposure at the PSF map's pixels, `[energy_true, 1, y, x]`; says where the PSF is valid.
    pub exposure: Option<Map>,
}

impl PsfMap {
    /// A PSF that is the same everywhere, from its profiles: `density(energy_tev, rad_rad)` in sr-1.
    ///
    /// # Errors
    /// [`Error::Input`] for axes that are not an angle or an energy.
    pub fn from_profile(rad: MapAxis, energy: MapAxis, density: impl Fn(f64, f64) -> f64) -> Result<Self> {
        let rad_rad = rad.in_unit(&rad.center(), "rad")?;
        let energy_tev = energy.center_tev()?;
        let mut values = Vec::with_capacity(rad_rad.len() * energy_tev.len());
        for e in &energy_tev {
            values.extend(rad_rad.iter().map(|r| density(*e, *r)));
        }
        let geom = Arc::new(Geom::Region(RegionGeom::new(None, None, vec![rad, energy])));
        let shape = geom.data_shape();
        let data = ndarray::ArrayD::from_shape_vec(shape, values)
            .map_err(|e| Error::input("psf", format!("profile does not fit its axes: {e}")))?;
        Ok(Self { psf: Map::new(geom, "sr-1".parse()?, MapData::F64(data))?, exposure: None })
    }

    /// A Gaussian PSF, the same everywhere; `sigma_deg(energy_tev)` is its width. The density is
    /// exp(-r²/2σ²) / (2πσ²), as Gammapy's `PSFMap.from_gauss`.
    ///
    /// # Errors
    /// [`Error::Input`] for axes that are not an angle or an energy.
    pub fn from_gauss(rad: MapAxis, energy: MapAxis, sigma_deg: impl Fn(f64) -> f64) -> Result<Self> {
        Self::from_profile(rad, energy, |e, r| {
            let variance = sigma_deg(e).to_radians().powi(2);
            (-0.5 * r * r / variance).exp() / (2.0 * std::f64::consts::PI * variance)
        })
    }

    /// A King PSF, the same everywhere: `(1 - 1/γ) / (2πσ²) · (1 + r²/(2γσ²))^-γ`, with
    /// `(sigma_deg, gamma)(energy_tev)`; Read et al. 2011, A&A 534, A34.
    ///
    /// # Errors
    /// [`Error::Input`] for axes that are not an angle or an energy.
    pub fn from_king(rad: MapAxis, energy: MapAxis, parameters: impl Fn(f64) -> (f64, f64)) -> Result<Self> {
        Self::from_profile(rad, energy, |e, r| {
            let (sigma_deg, gamma) = parameters(e);
            let variance = sigma_deg.to_radians().powi(2);
            (1.0 - 1.0 / gamma) / (2.0 * std::f64::consts::PI * variance)
                * (1.0 + r * r / (2.0 * gamma * variance)).powf(-gamma)
        })
    }

    /// The energy axis: `energy_true`, or `energy` for a PSF in reconstructed energy.
    ///
    /// # Errors
    /// [`Error::Input`] where there is neither.
    pub fn energy_axis(&self) -> Result<&MapAxis> {
        self.psf.geom().axis("energy_true").or_else(|_| self.psf.geom().axis("energy"))
    }

    /// True where the PSF is given in reconstructed energy and is applied after the energy dispersion.
    pub fn is_in_reco_energy(&self) -> bool {
        self.psf.geom().axis("energy_true").is_err()
    }

    /// The profile at a position (`None`: at the map's centre), or at the nearest one where the PSF is above 0:
    /// bilinear between the map's pixels, as Gammapy's `interp_by_coord`.
    ///
    /// # Errors
    /// [`Error::Input`] where the PSF is 0 everywhere, its axes are not `[rad, energy]`, or its unit is not an inverse
    /// solid angle.
    pub fn profile_at(&self, position: Option<SkyPosition>) -> Result<PsfProfile> {
        let axes = self.psf.geom().axes();
        if axes.len() != 2 || axes[0].name() != "rad" {
            let names: Vec<_> = axes.iter().map(MapAxis::name).collect();
            return Err(Error::input(
                "psf",
                format!("axes [{}] where [rad, energy_true] are needed", names.join(", ")),
            ));
        }
        let values = match position.map_or_else(|| center_of(&self.psf), |p| Ok(Some(p)))? {
            Some(p) => self.psf.interp_planes_at(nearest_valid_position(&self.psf, p)?)?,
            // A region has the same value everywhere.
            None => self.psf.interp_planes_at_pixel(0.0, 0.0),
        };
        let factor = self.psf.unit().factor_to_text("sr-1")?;
        let values: Vec<f64> = values.into_iter().map(|v| v * factor).collect();
        let table = Array2::from_shape_vec((axes[1].nbin(), axes[0].nbin()), values)
            .map_err(|e| Error::input("psf", format!("values do not fit the axes: {e}")))?;
        PsfProfile::new(axes[0].to_unit("deg")?, axes[1].to_unit("TeV")?, table)
    }
}
