//! The container of an estimator's results.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::quantity::{FluxQuantity, SedType};
use crate::error::{Error, Result};
use crate::maps::{AxisInterp, Geom, Map, MapAxis};
use crate::models::SkyModel;
use crate::models::spatial::PointSpatialModel;
use crate::models::spectral::PowerLawSpectralModel;
use crate::time::Gti;

/// What stored likelihood profiles (`stat_scan`) are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScanZero {
    /// From stat_null: TS maps, here and in Gammapy.
    #[default]
    StatNull,
    /// From nothing, as `stat` itself: Gammapy's flux points.
    Absolute,
}

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
    /// What likelihood profiles are counted from.
    pub scan_zero: ScanZero,
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
            scan_zero: ScanZero::default(),
            entries: BTreeMap::new(),
        }
    }
}

/// Maps of a norm relative to a reference model, and what belongs to them (Gammapy's `FluxMaps`).
#[doc(alias = "FluxMap")]
#[doc(alias = "FluxEstimate")]
#[derive(Debug, Clone)]
pub struct FluxMaps {
    geom: Arc<Geom>,
    maps: BTreeMap<FluxQuantity, Map>,
    reference_model: SkyModel,
    filter_success_nan: bool,
    /// Good time intervals of the data.
    pub gti: Option<Gti>,
    /// How the maps were made.
    pub meta: FluxMeta,
}

impl FluxMaps {
    /// Without any map yet. `geom` has the energy axis as its first axis.
    pub fn new(geom: Arc<Geom>, reference_model: SkyModel) -> Self {
        Self {
            geom,
            maps: BTreeMap::new(),
            reference_model,
            filter_success_nan: true,
            gti: None,
            meta: FluxMeta::default(),
        }
    }

    /// A point source in ICRS with a power law of index 2 and 1e-12 cm-2 s-1 TeV-1 at 1 TeV: what fluxes without a
    /// reference model are taken relative to.
    pub fn default_reference_model() -> SkyModel {
        let spectral = Arc::new(PowerLawSpectralModel::default());
        SkyModel::new("reference", spectral, Some(Arc::new(PointSpatialModel::default())))
    }

    /// The same norms relative to another model: this changes the fluxes. Gammapy: `copy(reference_model)`.
    pub fn with_reference_model(self, reference_model: SkyModel) -> Self {
        Self { reference_model, ..self }
    }

    /// Whether norm and its symmetric error are given as NaN where `success` is false; stored maps are not touched.
    pub fn filter_success_nan(&self) -> bool {
        self.filter_success_nan
    }

    /// Sets [`FluxMaps::filter_success_nan`], true by default.
    pub fn set_filter_success_nan(&mut self, filter: bool) {
        self.filter_success_nan = filter;
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
    /// Where its geometry is another one. Profiles and predicted counts may have one more axis (norm, dataset).
    pub fn insert(&mut self, quantity: FluxQuantity, map: Map) -> Result<()> {
        let may_have_more = matches!(
            quantity,
            FluxQuantity::StatScan
                | FluxQuantity::DndeScanValues
                | FluxQuantity::NormScan
                | FluxQuantity::Npred
                | FluxQuantity::NpredExcess
                | FluxQuantity::Counts
        );
        let same = Arc::ptr_eq(&self.geom, map.geom()) || matches(&self.geom, map.geom(), may_have_more);
        if !same {
            return Err(Error::input(
                quantity.name(),
                format!(
                    "a map of {} where the others are {}, or not at the same place",
                    describe(map.geom()),
                    describe(&self.geom)
                ),
            ));
        }
        self.maps.insert(quantity, map);
        Ok(())
    }

    /// Takes a map away.
    #[cfg(feature = "fits-system")]
    pub(super) fn remove(&mut self, quantity: FluxQuantity) {
        self.maps.remove(&quantity);
    }

    /// The stored quantities, in writing order.
    pub fn available_quantities(&self) -> impl Iterator<Item = FluxQuantity> {
        self.maps.keys().copied()
    }
}

/// True where `map` has the pixels and the axes of `geom`, and at most one axis more where that is allowed.
fn matches(geom: &Geom, map: &Geom, may_have_more: bool) -> bool {
    let same_place = match (geom, map) {
        (Geom::Wcs(a), Geom::Wcs(b)) => a.same_image(b),
        (Geom::Region(a), Geom::Region(b)) => a.same_region(b),
        _ => false,
    };
    let found = map.axes();
    let more = found.len().wrapping_sub(geom.axes().len());
    // The axes in order, with a strange one between them at most.
    let mut rest = found.iter();
    same_place
        && more <= usize::from(may_have_more)
        && geom.axes().iter().all(|axis| rest.any(|other| same_axis(axis, other)))
}

/// Same name, bins and edges, to single precision (files have rounded edges).
pub(super) fn same_axis(a: &MapAxis, b: &MapAxis) -> bool {
    let ends = |axis: &MapAxis| -> Vec<f64> { axis.bounds().into_iter().flat_map(|(a, b)| [a, b]).collect() };
    let Ok(edges) = b.in_unit(&ends(b), &a.unit().to_string()) else { return false };
    let expected = ends(a);
    // Points that are not in the middle of their bins.
    let Ok(centers) = b.in_unit(&b.center(), &a.unit().to_string()) else { return false };
    let logarithmic = a.interp() == AxisInterp::Log;
    let near = a.center().iter().zip(&centers).all(|(x, y)| !logarithmic || (x - y).abs() <= 1e-3 * x.abs());
    let scale = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    a.name() == b.name()
        && near
        && expected.len() == edges.len()
        && expected.iter().zip(&edges).all(|(x, y)| (x - y).abs() <= 1e-6 * x.abs().max(1e-6 * scale))
}

/// "12 x 10 pixels, energy 2".
fn describe(geom: &Geom) -> String {
    let mut text = match geom {
        Geom::Wcs(g) => format!("{} x {} pixels", g.nx(), g.ny()),
        Geom::Region(_) => "a region".to_string(),
    };
    for axis in geom.axes() {
        text += &format!(", {} {}", axis.name(), axis.nbin());
    }
    text
}
