//! Flux points of tables.

use std::sync::Arc;

use ndarray::Array3;

use super::reference::template_reference;
use super::{FromTable, TableFormat};
use crate::error::{Error, Result};
use crate::flux::maps::{FluxMaps, ScanZero};
use crate::flux::points::FluxPoints;
use crate::flux::quantity::{FluxQuantity, SedType};
use crate::maps::{AxisInterp, Geom, Map, MapAxis, RegionGeom};
use crate::math::{confidence_of_sigma, sigma_of_confidence};
use crate::table::{Column, MetaValue, Table};
use crate::time::TimeReference;
use crate::units::Unit;

/// The modified Julian date that Gammapy counts the times of light curves from: 2001-01-01.
const LIGHT_CURVE_MJD: i64 = 51910;

impl FluxPoints {
    /// From a table of one SED type, as Gammapy and others write them, and what its reader should be told. Columns of
    /// other names are left out; `loglike`, `loglike_null` and `dloglike_scan` (GADF, fermipy) become stat, stat_null
    /// and stat_scan.
    ///
    /// Without a reference model the one of SED type likelihood is a template of `ref_dnde`; of others a power law of
    /// index 2.
    ///
    /// # Errors
    /// [`Error::Input`] that names the column: missing ones, units, energies that do not increase, rows of unlike size.
    pub fn from_table(table: &Table, options: &FromTable) -> Result<(Self, Vec<String>)> {
        let mut warnings = Vec::new();
        let format = options.format.unwrap_or_else(|| guess_format(table));
        let sed = sed_type(table, options)?;
        let energy = energy_axis(table, &mut warnings)?;
        let outer = outer_axis(table, format)?;
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
            let unit = column.unit().to_string();
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
            // One that is named is no axis: tables of maps without datasets have it for Gammapy's sake.
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
        if let Some(sigma) = table.meta_value("UL_CONF").and_then(MetaValue::as_f64).map(sigma_of_confidence) {
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

fn guess_format(table: &Table) -> TableFormat {
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

/// Energies of a column that all rows have in common.
fn energies(table: &Table, name: &str) -> Result<(Vec<f64>, Unit)> {
    let column = table.column(name)?;
    let unit = column.unit().clone();
    unit.factor_to_text("TeV").map_err(|_| {
        let found =
            if unit.to_string().is_empty() { "the column has no unit".into() } else { format!("the unit is '{unit}'") };
        Error::input(name, format!("{found}, one such as TeV is needed")).with_help("set the unit of the column")
    })?;
    let values = column.to_floats(&unit.to_string())?;
    if let Some(row) = values.iter().position(|v| !v.is_finite()) {
        return Err(Error::input(name, format!("row {row}: {} is no energy", values[row])));
    }
    let n = column.per_row();
    if column.shape().is_empty() {
        return Ok((values, unit));
    }
    let first = values.get(..n).unwrap_or_default().to_vec();
    if let Some(row) = values.chunks(n).position(|c| c != first) {
        return Err(Error::input(name, format!("row {row} has other energies than the first row")));
    }
    Ok((first, unit))
}

fn energy_axis(table: &Table, warnings: &mut Vec<String>) -> Result<MapAxis> {
    if table.rows() == 0 {
        return Err(Error::input("table", "has no rows"));
    }
    if !(table.has("e_min") && table.has("e_max")) {
        if !table.has("e_ref") {
            let names = table.names().join(", ");
            return Err(Error::input("e_ref", format!("there are neither e_ref nor e_min and e_max in [{names}]")));
        }
        let (nodes, unit) = energies(table, "e_ref")?;
        return MapAxis::from_nodes("energy", unit, nodes, AxisInterp::Log);
    }
    let ((min, unit), (max, upper_unit)) = (energies(table, "e_min")?, energies(table, "e_max")?);
    let factor = upper_unit.factor_to(&unit)?;
    let bins: Vec<(f64, f64)> = min.iter().zip(&max).map(|(a, b)| (*a, b * factor)).collect();
    // Tables have rounded edges; what is wider is a gap.
    let touch = bins.windows(2).all(|w| (w[0].1 - w[1].0).abs() <= 1e-4 * w[1].0.abs());
    let axis = if touch {
        let edges = bins.iter().map(|b| b.0).chain(bins.last().map(|b| b.1)).collect();
        MapAxis::from_edges("energy", unit, edges, AxisInterp::Log)?
    } else {
        MapAxis::from_intervals("energy", unit, &bins, AxisInterp::Log)?
    };
    if let Ok((reference, reference_unit)) = energies(table, "e_ref") {
        let factor = reference_unit.factor_to(axis.unit())?;
        let off = |(a, b): (&f64, &f64)| (a * factor / b - 1.0).abs() > 1e-3;
        if let Some(row) = reference.iter().zip(&axis.center()).position(off) {
            warnings.push(format!(
                "e_ref of row {row} ({} {reference_unit}) is not the geometric centre of its bin, which is taken",
                reference[row]
            ));
        }
    }
    Ok(axis)
}

/// The axis of the rows: times, distances, or none.
fn outer_axis(table: &Table, format: TableFormat) -> Result<Option<MapAxis>> {
    let number = |key: &str| table.meta_value(key).and_then(MetaValue::as_f64);
    let reference = || TimeReference {
        mjdrefi: number("MJDREFI").unwrap_or(0.0) as i64,
        mjdreff: number("MJDREFF").unwrap_or(0.0),
        timesys: table.meta_value("TIMESYS").and_then(MetaValue::as_text).unwrap_or("utc").to_lowercase(),
        timeref: None,
    };
    let day_unit: Unit = "d".parse()?;
    // Dates are counted from a recent day, as Gammapy does; the difference is exact.
    let recent = |bins: Vec<(f64, f64)>, unit: &Unit, reference: TimeReference| -> (Vec<(f64, f64)>, TimeReference) {
        if reference.mjd() != 0.0 || *unit != day_unit {
            return (bins, reference);
        }
        let day = LIGHT_CURVE_MJD as f64;
        let moved = bins.into_iter().map(|(a, b)| (a - day, b - day)).collect();
        (moved, TimeReference { mjdrefi: LIGHT_CURVE_MJD, ..reference })
    };
    match format {
        TableFormat::GadfSed => Ok(None),
        TableFormat::LightCurve => {
            let text = table.meta_value("TIMEUNIT").and_then(MetaValue::as_text).unwrap_or("d");
            let unit: Unit = text.parse()?;
            let times = |name: &str| -> Result<Vec<f64>> {
                let column = table.column(name)?;
                // Columns may have a unit of their own.
                let own = column.unit().to_string();
                column.to_floats(if own.is_empty() { "" } else { text })
            };
            let bins = times("time_min")?.into_iter().zip(times("time_max")?).collect();
            let (bins, reference) = recent(bins, &unit, reference());
            MapAxis::time(&bins, unit, reference).map(Some)
        }
        TableFormat::BinnedTimeSeries => {
            let (start, size) = (table.floats("time_bin_start", "d")?, table.floats("time_bin_size", "d")?);
            let bins = start.iter().zip(&size).map(|(a, b)| (*a, a + b)).collect();
            let unit: Unit = "d".parse()?;
            let (bins, reference) = recent(bins, &unit, reference());
            MapAxis::time(&bins, unit, reference).map(Some)
        }
        TableFormat::Profile => {
            let (min, max) = (table.column("x_min")?, table.column("x_max")?);
            let unit = min.unit().clone();
            let (min, max) = (min.to_floats(&unit.to_string())?, max.to_floats(&unit.to_string())?);
            let bins: Vec<(f64, f64)> = min.into_iter().zip(max).collect();
            let scale = bins.iter().fold(0.0, |m: f64, b| m.max(b.1.abs()));
            let axis = if bins.windows(2).all(|w| (w[0].1 - w[1].0).abs() <= 1e-9 * scale) {
                let edges = bins.iter().map(|b| b.0).chain(bins.last().map(|b| b.1)).collect();
                MapAxis::from_edges("projected-distance", unit, edges, AxisInterp::Lin)?
            } else {
                MapAxis::from_intervals("projected-distance", unit, &bins, AxisInterp::Lin)?
            };
            Ok(Some(axis))
        }
    }
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
