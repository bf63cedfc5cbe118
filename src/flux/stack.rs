//! Flux maps one behind the other along an axis.

use super::maps::{FluxMaps, same_axis};
use crate::error::{Error, Result};
use crate::maps::{Map, MapAxis};
use crate::time::Gti;

impl FluxMaps {
    /// Flux maps of one geometry stacked along a new axis (time, dataset), or one that they have (energy): Gammapy's
    /// `from_stack`. The quantities that all have are stacked, with the units, the reference model and the meta data of
    /// the first; good time intervals are united.
    ///
    /// Norms are relative to the first one's reference model: where another has a different one, its norms are
    /// converted through dnde at the reference energies.
    ///
    /// # Errors
    /// [`Error::Input`] for no maps, maps of unlike geometry, and an axis that does not have as many bins as they fill.
    pub fn from_stack(maps: &[Self], axis: MapAxis) -> Result<Self> {
        let Some(first) = maps.first() else {
            return Err(Error::input(axis.name(), "there are no flux maps to be stacked"));
        };
        for (n, other) in maps.iter().enumerate().skip(1) {
            let same =
                |a: &MapAxis| a.name() == axis.name() || other.geom().axis(a.name()).is_ok_and(|b| same_axis(a, b));
            if !first.geom().axes().iter().all(same) {
                return Err(Error::input(axis.name(), format!("flux maps {n} have other axes than the first ones")));
            }
            if other.meta.scan_zero != first.meta.scan_zero && first.has_stat_profiles() && other.has_stat_profiles() {
                return Err(Error::input(
                    "stat_scan",
                    format!("profiles of {n} count from another zero than the first"),
                ));
            }
        }
        let along_energy = axis.name() == "energy";
        let converted: Vec<Self> = maps
            .iter()
            .enumerate()
            .map(|(n, m)| if n == 0 || along_energy { Ok(m.clone()) } else { m.relative_to(first) })
            .collect::<Result<_>>()?;
        let mut geom_axes = first.geom().axes().to_vec();
        match geom_axes.iter_mut().find(|a| a.name() == axis.name()) {
            Some(old) => *old = axis.clone(),
            None => geom_axes.push(axis.clone()),
        }
        let geom = first.geom().with_axes(geom_axes);
        let mut stacked = Self::new(geom.into(), first.reference_model().clone());
        stacked.meta = first.meta.clone();
        stacked.set_filter_success_nan(first.filter_success_nan());
        for quantity in first.available_quantities() {
            let parts: Vec<&Map> = converted.iter().filter_map(|m| m.get(quantity)).collect();
            if parts.len() == maps.len() {
                let map =
                    Map::from_stack(&parts, axis.clone()).map_err(|e| Error::input(quantity.name(), e.to_string()))?;
                stacked.insert(quantity, map)?;
            }
        }
        stacked.gti = Gti::union_of(maps.iter().filter_map(|m| m.gti.as_ref()))?;
        Ok(stacked)
    }

    /// The same fluxes as norms relative to the reference model of `other`.
    fn relative_to(&self, other: &Self) -> Result<Self> {
        let (Ok(own), Ok(wanted)) = (self.dnde_ref(), other.dnde_ref()) else { return Ok(self.clone()) };
        let ratios: Vec<f64> = own.iter().zip(&wanted).map(|(a, b)| a / b).collect();
        if ratios.iter().all(|r| (r - 1.0).abs() < 1e-12) {
            return Ok(self.clone());
        }
        let mut out = self.clone().with_reference_model(other.reference_model().clone());
        for quantity in self.available_quantities() {
            if quantity.is_norm() {
                out.insert(quantity, super::convert::times_per_energy(self.require(quantity)?, &ratios, "")?)?;
            }
        }
        Ok(out)
    }
}
