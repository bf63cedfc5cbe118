//! Flux points of tables.

use std::sync::Arc;

use ndarray::Array3;

use super::axes::{energy_axis, outer_axis};
use super::reference::template_reference;
use super::{FromTable, TableFormat};
use crate::error::{Error, Result};
use crate::flux::maps::{FluxMaps, ScanZero};
use crate::flux::points::FluxPoints;
use crate::flux::quantity::{FluxQuantity, SedType};
use crate::maps::{AxisInterp, Geom, Map, MapAxis, RegionGeom};
use crate::math::{confidence_of_sigma, sigma_of_confidence};
use crate::table::{Column, MetaValue, Table};
use crate::units::Unit;

impl FluxPoints {
    /// From a table of one SED type, as Gammapy and others write them, and what its reader should be told. Columns of
    /// other names are left out; `loglike`, `loglike_null` and `dloglike_scan` (GADF, fermipy) become stat, stat_null
    /// and stat_scan.
    ///
    /// Rows and energies in any order are sorted. Reference energies stay where they are in their bins, and bins may have gaps
    /// or overlap; edges that overlap by less than 0.3 % (rounding) touch.
    ///
    /// Without a reference model the one of SED type likelihood is a template of `ref_dnde`; of others a power law of
    /// index 2.
    ///
    /// # Errors
    /// [`Error::Input`] that names the column: missing ones, units, equal energies, rows of unlike size.
    pub fn from_table(table: &Table, options: &FromTable) -> Result<(Self, Vec<String>)> {
        let mut warnings = Vec::new();
        let prepared = options.prepared(table)?;
        let table = prepared.as_ref();
        let format = options.format.unwrap_or_else(|| guess_format(table));
        let sed = sed_type(table, options)?;
        let energy = energy_axis(table, format != TableFormat::GadfSed, &mut warnings)?;
        let outer = outer_axis(table, format, &mut warnings)?;
        let bins = outer.as_ref().map_or(1, MapAxis::nbin);
        let axes: Vec<MapAxis> = [energy.clone()].into_iter().chain(outer.clone()).collect();
        let region = |axes: Vec<MapAxis>| Arc::new(Geom::Region(RegionGeom::new(options.position, None, axes)));
        let geom = region(axes.clone());
        let likelihoods = likelihood_columns(table)?;
        let find = |name: &str| likelihoods.iter().find(|c| c.name() == name).or_else(|| table.get(name));

        let mut maps: Vec<(String, Map)> = Vec::new();
        for quantity in FluxQuantity::ALL {
            let name = sed.map_name(*quantity);
            let Some(column) = find(&name) else { continue };
            if matches!(quantity, FluxQuantity::NormScan | FluxQuantity::DndeScanValues | FluxQuantity::StatScan) {
                continue;
            }
            let unit =
                if column.unit().is_known() { column.unit().to_string() } else { sed_unit(sed, *quantity).to_string() };
            let values = column.to_floats(&unit)?;
            let per_point = values.len() / (bins * energy.nbin()).max(1);
            if per_point * bins * energy.nbin() != values.len() || per_point == 0 {
                return Err(Error::input(
                    name,
                    format!("{} values for {} energies and {bins} rows", values.len(), energy.nbin()),
                ));
            }
            let several = matches!(quantity, FluxQuantity::Counts | FluxQuantity::Npred | FluxQuantity::NpredExcess);
            let is_array = column.shape().len() > usize::from(outer.is_some());
            if per_point > 1 && !several {
                return Err(Error::input(name, format!("{per_point} values per point where there is one")));
            }
            // One that is named is not an axis: tables of maps without datasets have it for Gammapy's sake.
            let is_array = is_array && !(per_point == 1 && table.has("datasets"));
            let geom = if several && is_array {
                let dataset: Vec<f64> = (0..per_point).map(|i| i as f64).collect();
                let dataset = MapAxis::from_nodes("dataset", Unit::default(), dataset, AxisInterp::Lin)?;
                region([dataset].into_iter().chain(axes.clone()).collect())
            } else {
                geom.clone()
            };
            maps.push((name, cube(geom, column.unit().clone(), values)?));
        }
        let mut model = options.reference_model.clone();
        if model.is_none() && sed == SedType::Likelihood && table.has("ref_dnde") {
            model = Some(template_reference(table, &energy, &mut warnings)?);
        }
        let model = model.unwrap_or_else(|| {
            warnings.push("no reference model: a point source with an E^-2 spectrum is taken".to_string());
            FluxMaps::default_reference_model()
        });
        let mut flux = FluxMaps::from_maps(sed, maps, model, None, None)?;
        if let Some(scan) = find("stat_scan") {
            let norms = table.column("norm_scan")?;
            insert_profiles(&mut flux, scan, norms, &axes, &region)?;
            let relative = likelihoods.iter().any(|c| c.name() == "stat_scan");
            flux.meta.scan_zero = if relative { ScanZero::StatNull } else { ScanZero::Absolute };
        }
        flux.gti = options.gti.clone();
        let confidence = table.meta_value("UL_CONF").and_then(MetaValue::as_f64);
        if confidence.is_some_and(f64::is_nan) {
            warnings.push("UL_CONF is not a number: the confidence of the upper limits is not known".to_string());
            flux.meta.n_sigma_ul = f64::NAN;
        } else if let Some(sigma) = confidence.map(sigma_of_confidence) {
            if !(sigma > 0.0 && sigma.is_finite()) {
                return Err(Error::input("UL_CONF", "a confidence between 0 and 1 is needed"));
            }
            // Seven digits were written: 2 sigma come back as 2.
            let near = (sigma * 1e4).round() / 1e4;
            let same = (confidence_of_sigma(near) - confidence_of_sigma(sigma)).abs() < 1e-7;
            flux.meta.n_sigma_ul = if same { near } else { sigma };
        }
        Ok((Self::new(flux)?, warnings))
    }
}

/// The unit that a quantity has in a table of an SED type.
fn sed_unit(sed: SedType, quantity: FluxQuantity) -> &'static str {
    if sed.map_name(quantity).starts_with(sed.stem()) { sed.unit() } else { "" }
}

pub(super) fn guess_format(table: &Table) -> TableFormat {
    match (table.has("time_min"), table.has("x_min"), table.has("time_bin_start")) {
        (true, ..) => TableFormat::LightCurve,
        (_, true, _) => TableFormat::Profile,
        (.., true) => TableFormat::BinnedTimeSeries,
        _ => TableFormat::GadfSed,
    }
}

fn sed_type(table: &Table, options: &FromTable) -> Result<SedType> {
    if let Some(sed) = options.sed_type {
        return Ok(sed);
    }
    if let Some(text) = table.meta_value("SED_TYPE").and_then(MetaValue::as_text) {
        return text.trim().parse().map_err(|_| {
            Error::input("SED_TYPE", format!("'{text}' is not one of likelihood, dnde, flux, eflux, e2dnde"))
        });
    }
    SedType::ALL.into_iter().find(|sed| table.has(sed.stem())).ok_or_else(|| {
        let names = table.names().join(", ");
        Error::input("table", format!("no flux points: none of norm, dnde, flux, eflux, e2dnde in [{names}]"))
            .with_help("rename the column of the flux, or say which SED type it has")
    })
}

/// stat, stat_null and stat_scan of a table that has log-likelihoods: stat = -2 ln L. Their sign is not agreed upon among
/// writers of such tables: ts = stat_null - stat must not be negative, and a profile is lowest at its best fit.
fn likelihood_columns(table: &Table) -> Result<Vec<Column>> {
    let values = |name: &str| table.get(name).map(|c| c.to_floats("")).transpose();
    let mut columns = Vec::new();
    if let Some(loglike) = values("loglike")?.filter(|_| !table.has("stat")) {
        let null = values("loglike_null")?;
        let gain: f64 = match &null {
            Some(null) => loglike.iter().zip(null).map(|(a, b)| a - b).filter(|v| v.is_finite()).sum(),
            None => 1.0,
        };
        let sign = if gain >= 0.0 { -2.0 } else { 2.0 };
        let scaled = |v: &[f64]| v.iter().map(|v| sign * v).collect::<Vec<f64>>();
        columns.push(Column::floats("stat", Unit::default(), scaled(&loglike)));
        if let Some(null) = null.filter(|_| !table.has("stat_null")) {
            columns.push(Column::floats("stat_null", Unit::default(), scaled(&null)));
        }
    }
    if let Some(scan) = table.get("dloglike_scan").filter(|_| !table.has("stat_scan")) {
        let values = scan.to_floats("")?;
        let sum: f64 = values.iter().filter(|v| v.is_finite()).sum();
        let sign = if sum <= 0.0 { -2.0 } else { 2.0 };
        // Counted from the best fit; ts turns that into the zero of TS maps.
        let ts = table.floats("ts", "").unwrap_or_else(|_| vec![0.0; table.rows()]);
        let n = scan.per_row();
        let moved = values.iter().enumerate().map(|(i, v)| sign * v - ts.get(i / n).copied().unwrap_or(0.0));
        columns.push(Column::floats("stat_scan", Unit::default(), moved.collect()).with_shape(scan.shape().to_vec())?);
    }
    Ok(columns)
}

fn cube(geom: Arc<Geom>, unit: Unit, values: Vec<f64>) -> Result<Map> {
    let n = values.len();
    let cube = Array3::from_shape_vec((n, 1, 1), values).map_err(|e| Error::input("table", e.to_string()))?;
    Map::from_cube(geom, unit, cube)
}

/// Profiles: with an axis of norms where all rows have the same ones, else numbered, with the norms as a map.
fn insert_profiles(
    flux: &mut FluxMaps,
    scan: &Column,
    norms: &Column,
    axes: &[MapAxis],
    region: &impl Fn(Vec<MapAxis>) -> Arc<Geom>,
) -> Result<()> {
    let (values, nodes) = (scan.to_floats("")?, norms.to_floats("")?);
    let points: usize = axes.iter().map(MapAxis::nbin).product();
    let n = values.len() / points.max(1);
    if n * points != values.len() || n == 0 {
        return Err(Error::input("stat_scan", format!("{} values for {points} points", values.len())));
    }
    let common = nodes.len() % n == 0 && nodes.chunks(n).all(|c| c == &nodes[..n]);
    if nodes.len() != values.len() && !(common && nodes.len() >= n) {
        return Err(Error::input(
            "norm_scan",
            format!("{} norms for {} values of stat_scan", nodes.len(), values.len()),
        ));
    }
    let axis = match common {
        true => MapAxis::from_nodes("norm", Unit::default(), nodes[..n].to_vec(), AxisInterp::Lin),
        false => MapAxis::from_nodes("norm_bin", Unit::default(), (0..n).map(|i| i as f64).collect(), AxisInterp::Lin),
    }
    .map_err(|e| Error::input("norm_scan", e.to_string()))?;
    let geom = region([axis].into_iter().chain(axes.iter().cloned()).collect());
    flux.insert(FluxQuantity::StatScan, cube(geom.clone(), Unit::default(), values)?)?;
    if !common {
        flux.insert(FluxQuantity::NormScan, cube(geom, Unit::default(), nodes)?)?;
    }
    Ok(())
}
