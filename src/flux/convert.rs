//! Conversions between norms and fluxes.

use std::borrow::Cow;
use std::sync::Arc;

use super::maps::{FluxMaps, FluxMeta, ScanZero};
use super::quantity::{FluxQuantity, SedType};
use super::reference::reference_values;
use ndarray::{Axis, Zip};

use super::properties::common_plane;
use crate::error::{Error, Result};
use crate::maps::{Geom, Map, MapAxis};
use crate::models::SkyModel;
use crate::time::Gti;

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
    /// Quantities that are not a norm keep their name.
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
    /// is stored as it is asked for is lent, not copied. Without a type: that which they came in, as Gammapy.
    ///
    /// # Errors
    /// Where the reference model does not allow the conversion.
    pub fn to_maps(&self, sed: impl Into<Option<SedType>>) -> Result<Vec<(String, Cow<'_, Map>)>> {
        let sed = sed.into().unwrap_or(self.meta.sed_type_init);
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
    /// Without a type, it is the first of [`SedType::ALL`] whose map is there; without a reference model, it is
    /// [`FluxMaps::default_reference_model`]. The SED type of `meta` is replaced by that of the maps, and what likelihood
    /// profiles count from is found from the maps where they have a profile with its stat or ts.
    ///
    /// # Errors
    /// Where the required map is missing, names both what is there and what is needed; for unlike geometries, units
    /// that are not those of the type, and where the reference model does not allow the conversion.
    pub fn from_maps(
        sed: impl Into<Option<SedType>>,
        maps: Vec<(String, Map)>,
        reference_model: impl Into<Option<SkyModel>>,
        gti: Option<Gti>,
        meta: Option<FluxMeta>,
    ) -> Result<Self> {
        let there = |sed: &SedType| maps.iter().any(|(name, _)| name == sed.stem());
        let sed = sed.into().or_else(|| SedType::ALL.into_iter().find(there)).unwrap_or_default();
        let reference_model = reference_model.into().unwrap_or_else(Self::default_reference_model);
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
        flux.gti = gti;
        flux.meta = FluxMeta { sed_type_init: sed, ..meta.unwrap_or_default() };
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
        if let Some(zero) = flux.found_scan_zero() {
            flux.meta.scan_zero = zero;
        }
        Ok(flux)
    }

    /// What profiles count from, as the maps tell: the lowest value of each profile is near `stat`, or near -ts. `None`
    /// where one of these is missing or they are the same.
    fn found_scan_zero(&self) -> Option<ScanZero> {
        let (scan, stat) = (self.get(FluxQuantity::StatScan)?, self.get(FluxQuantity::Stat)?);
        let ts = match self.get(FluxQuantity::Ts) {
            Some(ts) => ts.to_cube_f64(),
            None => self.get(FluxQuantity::SqrtTs)?.to_cube_f64().mapv(|v| v * v),
        };
        let (scan, stat, common) = (scan, stat.to_cube_f64(), self.geom());
        let mut lowest = stat.mapv(|_| f64::NAN);
        let cube = scan.to_cube_f64();
        for (plane, values) in cube.outer_iter().enumerate() {
            let mut target = lowest.index_axis_mut(Axis(0), common_plane(scan.geom(), common, plane));
            // NaN is larger than nothing.
            Zip::from(&mut target).and(&values).for_each(|low, v| *low = low.min(*v));
        }
        let (mut absolute, mut relative, mut any) = (0.0, 0.0, false);
        Zip::from(&lowest).and(&stat).and(&ts).for_each(|low, stat, ts| {
            if low.is_finite() && stat.is_finite() && ts.is_finite() {
                // No pixel speaks louder than others.
                let (a, b) = ((low - stat).abs(), (low + ts).abs());
                let scale = (a + b).max(f64::MIN_POSITIVE);
                (absolute, relative, any) = (absolute + a / scale, relative + b / scale, true);
            }
        });
        match (any, absolute < relative) {
            (true, true) => Some(ScanZero::Absolute),
            (true, false) if relative < absolute => Some(ScanZero::StatNull),
            _ => None,
        }
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
