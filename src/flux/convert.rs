//! Conversions between norms and fluxes.

use std::borrow::Cow;
use std::sync::Arc;

use super::maps::FluxMaps;
use super::quantity::{FluxQuantity, SedType};
use super::reference::reference_values;
use crate::error::{Error, Result};
use crate::maps::{Geom, Map, MapAxis};
use crate::models::SkyModel;

/// Norm quantities and the endings of their names, in the order in which Gammapy writes norms.
const ENDINGS: [(FluxQuantity, &str); 6] = [
    (FluxQuantity::Norm, ""),
    (FluxQuantity::NormErr, "_err"),
    (FluxQuantity::NormErrn, "_errn"),
    (FluxQuantity::NormErrp, "_errp"),
    (FluxQuantity::NormUl, "_ul"),
    (FluxQuantity::NormSensitivity, "_sensitivity"),
];

/// The same in the order in which Gammapy writes fluxes.
const FLUX_ORDER: [usize; 6] = [0, 1, 3, 2, 4, 5];

impl SedType {
    /// Name of the map of a norm quantity in files of this type: `norm_err` becomes `dnde_err`.
    ///
    /// Quantities that are no norm keep their name.
    pub fn map_name(self, quantity: FluxQuantity) -> String {
        match ENDINGS.iter().find(|(q, _)| *q == quantity) {
            Some((_, ending)) => format!("{}{ending}", self.stem()),
            None => quantity.name().to_string(),
        }
    }

    /// The quantity that a map of a file of this type holds; `None` for unknown names.
    pub fn quantity(self, name: &str) -> Option<FluxQuantity> {
        let of_norm = name.strip_prefix(self.stem()).and_then(|end| ENDINGS.iter().find(|(_, e)| *e == end));
        if let Some((quantity, _)) = of_norm {
            return Some(*quantity);
        }
        name.parse().ok().filter(|q| ENDINGS.iter().all(|(norm, _)| norm != q))
    }
}

impl FluxMaps {
    /// All maps of one SED type, by the names that a file has them under (`dnde`, `dnde_err`, `ts`, …), in writing
    /// order: reference fluxes applied, norms NaN where the fit failed, sqrt_ts and is_ul derived where not stored. What
    /// is stored as it is asked for is lent, not copied.
    ///
    /// # Errors
    /// Where the reference model does not allow the conversion.
    pub fn to_maps(&self, sed: SedType) -> Result<Vec<(String, Cow<'_, Map>)>> {
        let mut maps = Vec::new();
        let order = if sed == SedType::Likelihood { [0, 1, 2, 3, 4, 5] } else { FLUX_ORDER };
        for (quantity, _) in order.map(|i| ENDINGS[i]) {
            if self.get(quantity).is_some() {
                maps.push((sed.map_name(quantity), self.converted(quantity, sed)?));
            }
        }
        for quantity in FluxQuantity::ALL.iter().filter(|q| ENDINGS.iter().all(|(norm, _)| norm != *q)) {
            let map = match quantity {
                _ if self.get(*quantity).is_some() => self.get(*quantity).map(Cow::Borrowed),
                FluxQuantity::SqrtTs if self.has_any_ts() => Some(Cow::Owned(self.sqrt_ts()?)),
                FluxQuantity::IsUl if self.get(FluxQuantity::Norm).is_some() => Some(Cow::Owned(self.is_ul()?)),
                _ => None,
            };
            maps.extend(map.map(|m| (quantity.name().to_string(), m)));
        }
        Ok(maps)
    }

    /// From maps of one SED type, by the names that a file has them under; the inverse of [`FluxMaps::to_maps`]. Maps of
    /// names that do not belong to the type are left out.
    ///
    /// # Errors
    /// Where the required map is missing, names both what is there and what is needed; for unlike geometries, units
    /// that are not those of the type, and where the reference model does not allow the conversion.
    pub fn from_maps(sed: SedType, maps: Vec<(String, Map)>, reference_model: SkyModel) -> Result<Self> {
        let Some((_, required)) = maps.iter().find(|(name, _)| name == sed.stem()) else {
            let names: Vec<&str> = maps.iter().map(|m| m.0.as_str()).collect();
            return Err(Error::input(
                sed.stem(),
                format!("is missing: SED type '{}' needs it, there are [{}]", sed.name(), names.join(", ")),
            ));
        };
        let axis = required.geom().axis("energy")?;
        check_edges(axis, sed)?;
        let reference: Vec<f64> = reference_values(&reference_model, axis, sed)?.iter().map(|v| 1.0 / v).collect();
        let mut flux = Self::new(required.geom().clone(), reference_model);
        flux.meta.sed_type_init = sed;
        for (name, map) in maps {
            let Some(quantity) = sed.quantity(&name) else { continue };
            let is_norm = ENDINGS.iter().any(|(norm, _)| *norm == quantity);
            let map = if is_norm && sed != SedType::Likelihood {
                let factor = map.unit().factor_to_text(sed.unit()).map_err(|_| {
                    Error::input(&name, format!("is in '{}' where '{}' is needed", map.unit(), sed.unit()))
                })?;
                let factors: Vec<f64> = reference.iter().map(|v| v * factor).collect();
                times_per_energy(&map, &factors, "")?
            } else {
                map
            };
            flux.insert(quantity, map)?;
        }
        Ok(flux)
    }

    /// A norm quantity in another SED type.
    pub(super) fn converted(&self, quantity: FluxQuantity, sed: SedType) -> Result<Cow<'_, Map>> {
        let norm = self.norm_quantity(quantity)?;
        if sed == SedType::Likelihood {
            return Ok(norm);
        }
        times_per_energy(&norm, &self.reference(sed)?, sed.unit()).map(Cow::Owned)
    }

    /// Values of the reference model per energy bin, in the unit of the SED type; 1 for norms.
    ///
    /// # Errors
    /// Where the reference model, or energies without bins, do not allow the SED type.
    pub fn reference_values(&self, sed: SedType) -> Result<Vec<f64>> {
        self.reference(sed)
    }

    /// Reference values per energy bin.
    pub(super) fn reference(&self, sed: SedType) -> Result<Vec<f64>> {
        if !self.is_convertible_to_flux_sed_type() {
            check_edges(self.energy_axis()?, sed)?;
        }
        reference_values(self.reference_model(), self.energy_axis()?, sed)
    }
}

/// Fluxes over bins need bins.
fn check_edges(axis: &MapAxis, sed: SedType) -> Result<()> {
    if matches!(sed, SedType::Flux | SedType::Eflux) && !axis.has_bins() {
        return Err(Error::input("energy", format!("has no bins, so there is no SED type '{}'", sed.name())));
    }
    Ok(())
}

/// Index of the energy bin of a plane.
pub(super) fn energy_bin(geom: &Geom, plane: usize) -> usize {
    let mut stride = 1;
    for axis in geom.axes() {
        if axis.name() == "energy" {
            return plane / stride % axis.nbin();
        }
        stride *= axis.nbin();
    }
    0
}

/// Each plane times the factor of its energy, in double precision and another unit.
pub(super) fn times_per_energy(map: &Map, factors: &[f64], unit: &str) -> Result<Map> {
    let mut cube = map.to_cube_f64();
    for (plane, mut values) in cube.outer_iter_mut().enumerate() {
        let factor = factors[energy_bin(map.geom(), plane)];
        values.mapv_inplace(|v| v * factor);
    }
    Map::from_cube(Arc::clone(map.geom()), unit.parse()?, cube)
}
