//! The container of an estimator's results.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::quantity::{FluxQuantity, SedType};
use crate::maps::{Geom, Map};
use crate::models::SkyModel;
use crate::time::Gti;

/// How the maps were made.
#[derive(Debug, Clone, PartialEq)]
pub struct FluxMeta {
    /// Number of sigmas of the errors.
    pub n_sigma: f64,
    /// Number of sigmas of the upper limit.
    pub n_sigma_ul: f64,
    /// Number of sigmas of the sensitivity.
    pub n_sigma_sensitivity: f64,
    /// Below this sqrt_ts a pixel is an upper limit.
    pub sqrt_ts_threshold_ul: f64,
    /// The SED type that the maps came in.
    pub sed_type_init: SedType,
    /// Free entries: estimator options, version, inputs; written as history.
    pub entries: BTreeMap<String, String>,
}

impl Default for FluxMeta {
    fn default() -> Self {
        Self {
            n_sigma: 1.0,
            n_sigma_ul: 2.0,
            n_sigma_sensitivity: 5.0,
            sqrt_ts_threshold_ul: 2.0,
            sed_type_init: SedType::Likelihood,
            entries: BTreeMap::new(),
        }
    }
}

/// Maps of a norm relative to a reference model, and what belongs to them (Gammapy's `FluxMaps`).
#[derive(Debug, Clone)]
pub struct FluxMaps {
    geom: Arc<Geom>,
    maps: BTreeMap<FluxQuantity, Map>,
    reference_model: SkyModel,
    /// Good time intervals of the data.
    pub gti: Option<Gti>,
    /// How the maps were made.
    pub meta: FluxMeta,
}

impl FluxMaps {
    /// Without any map yet. `geom` has the energy axis as its first axis.
    pub fn new(geom: Arc<Geom>, reference_model: SkyModel) -> Self {
        Self { geom, maps: BTreeMap::new(), reference_model, gti: None, meta: FluxMeta::default() }
    }

    /// Geometry of the maps (scans have one more axis).
    pub fn geom(&self) -> &Arc<Geom> {
        &self.geom
    }

    /// The model that norms are relative to.
    pub fn reference_model(&self) -> &SkyModel {
        &self.reference_model
    }

    /// The stored map of a quantity.
    pub fn get(&self, quantity: FluxQuantity) -> Option<&Map> {
        self.maps.get(&quantity)
    }

    /// Adds or replaces a map.
    ///
    /// # Errors
    /// Where its geometry is another one (scans may have one more axis).
    pub fn insert(&mut self, quantity: FluxQuantity, map: Map) -> crate::Result<()> {
        self.maps.insert(quantity, map);
        Ok(())
    }

    /// The stored quantities, in writing order.
    pub fn available_quantities(&self) -> impl Iterator<Item = FluxQuantity> {
        self.maps.keys().copied()
    }

    /// All maps of one SED type, by the names that a file has them under (`dnde`, `dnde_err`, `ts`, …), in writing
    /// order: reference fluxes applied, sqrt_ts and is_ul derived where not stored.
    ///
    /// # Errors
    /// Where the reference model does not allow the conversion.
    pub fn to_sed(&self, _sed: SedType) -> crate::Result<Vec<(String, Map)>> {
        todo!()
    }

    /// From maps of one SED type, by the names that a file has them under; the inverse of [`FluxMaps::to_sed`].
    ///
    /// # Errors
    /// Where the required map is missing, names both what is there and what is needed; or for unlike geometries.
    pub fn from_sed(_sed: SedType, _maps: Vec<(String, Map)>, _reference_model: SkyModel) -> crate::Result<Self> {
        todo!()
    }
}
