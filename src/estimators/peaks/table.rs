//! Tables of peaks and sources.

use super::catalogue::Counterpart;
use super::find::FluxPeak;
use super::locate::{PeakLocation, SkyEllipse};
use super::search::FoundSource;
use crate::error::Result;
use crate::maps::{Frame, WcsGeom};
use crate::table::Table;

/// Columns of numbers: name, unit, description, values.
type Floats<'a> = (&'a str, &'a str, &'a str, Vec<f64>);

/// A quantity that was selected or not: its names as norm and as flux, and its norm.
type Optional = (&'static str, &'static str, fn(&FoundSource) -> Option<f64>);

/// The peaks of flux maps: Gammapy's columns (x, y, ra, dec, the quantities of the pixel), position below the size of a
/// pixel (`*_fit`) with its 1 sigma errors, and its status. `names` has one name per peak.
///
/// # Errors
/// Where the numbers of names and peaks differ.
pub fn peaks_table(peaks: &[FluxPeak], names: &[String], geom: &WcsGeom) -> Result<Table> {
    let mut table = Table::new().with_meta("frame", geom.frame().name());
    table.add("name", "", "name of the peak", names.to_vec())?;
    let of = |value: &dyn Fn(&FluxPeak) -> f64| peaks.iter().map(value).collect::<Vec<f64>>();
    let index = |value: &dyn Fn(&FluxPeak) -> usize| peaks.iter().map(|p| value(p) as i64).collect::<Vec<i64>>();
    table.add("energy_bin", "", "energy bin of the maps", index(&|p| p.energy_bin))?;
    table.add("energy_min", "TeV", "lower edge of the energy bin", of(&|p| p.energy_tev.0))?;
    table.add("energy_max", "TeV", "upper edge of the energy bin", of(&|p| p.energy_tev.1))?;
    table.add("value", "", "quantity that was searched, at the pixel", of(&|p| p.peak.value))?;
    table.add("x", "pix", "column of the pixel, from 0", index(&|p| p.peak.x))?;
    table.add("y", "pix", "row of the pixel, from 0", index(&|p| p.peak.y))?;
    let icrs = |p: &FluxPeak| p.peak.position.to_frame(Frame::Icrs);
    table.add("ra", "deg", "right ascension of the pixel's centre, ICRS", of(&|p| icrs(p).lon_deg))?;
    table.add("dec", "deg", "declination of the pixel's centre, ICRS", of(&|p| icrs(p).lat_deg))?;
    table.add("lon", "deg", "longitude of the pixel's centre, map frame", of(&|p| p.peak.position.lon_deg))?;
    table.add("lat", "deg", "latitude of the pixel's centre, map frame", of(&|p| p.peak.position.lat_deg))?;
    let locations: Vec<&PeakLocation> = peaks.iter().map(|p| &p.location).collect();
    location_columns(&mut table, &locations, geom, "_fit")?;
    if let Some(first) = peaks.first() {
        for (i, (name, _, unit)) in first.values.iter().enumerate() {
            table.add(name, unit, "", of(&|p| p.values.get(i).map_or(f64::NAN, |v| v.1)))?;
        }
    }
    Ok(table)
}

/// The sources of a search: position with its 1 sigma errors, norm and integral flux of the energy group with errors and
/// limit, ts with all other sources in the null hypothesis, predicted counts.
///
/// # Errors
/// None that a search's result can have.
pub fn sources_table(sources: &[FoundSource], geom: &WcsGeom) -> Result<Table> {
    let mut table = Table::new().with_meta("frame", geom.frame().name());
    table.add("name", "", "name of the source in the models", names(sources))?;
    let of = |value: &dyn Fn(&FoundSource) -> f64| sources.iter().map(value).collect::<Vec<f64>>();
    let locations: Vec<&PeakLocation> = sources.iter().map(|s| &s.location).collect();
    location_columns(&mut table, &locations, geom, "")?;
    let root = |s: &FoundSource| s.location.ts.abs().sqrt().copysign(s.norm);
    let mut columns: Vec<Floats<'_>> = vec![
        ("sqrt_ts", "", "with all other sources in the null hypothesis", of(&root)),
        ("found_sqrt_ts", "", "of the peak when the source was found", of(&|s| s.found_sqrt_ts)),
        ("npred_excess", "", "predicted counts of the source", of(&|s| s.npred_excess)),
        ("norm", "", "relative to the test source", of(&|s| s.norm)),
        ("norm_err", "", "with all other sources as they are", of(&|s| s.norm_err)),
    ];
    let optional: [Optional; 3] = [
        ("norm_errn", "flux_errn", |s| s.norm_errn),
        ("norm_errp", "flux_errp", |s| s.norm_errp),
        ("norm_ul", "flux_ul", |s| s.norm_ul),
    ];
    let there: Vec<_> = optional.iter().filter(|o| sources.iter().any(|s| o.2(s).is_some())).collect();
    for (name, _, value) in &there {
        columns.push((*name, "", "", of(&|s| value(s).unwrap_or(f64::NAN))));
    }
    let unit = "cm-2 s-1";
    columns.push(("flux", unit, "integral flux of the energy group", of(&|s| s.norm * s.flux_ref)));
    columns.push(("flux_err", unit, "", of(&|s| s.norm_err * s.flux_ref)));
    for (_, name, value) in &there {
        columns.push((*name, unit, "", of(&|s| value(s).unwrap_or(f64::NAN) * s.flux_ref)));
    }
    for (name, unit, description, values) in columns {
        table.add(name, unit, description, values)?;
    }
    Ok(table)
}

fn names(sources: &[FoundSource]) -> Vec<String> {
    sources.iter().map(|s| s.name.clone()).collect()
}

/// Adds the counterparts' names and distances to a table of as many rows.
///
/// # Errors
/// Where their number is not that of the rows.
pub fn add_counterparts(table: &mut Table, found: &[Option<Counterpart>], catalogue_names: &[String]) -> Result<()> {
    let name = |c: &Option<Counterpart>| c.and_then(|c| catalogue_names.get(c.index).cloned()).unwrap_or_default();
    let separation = |c: &Option<Counterpart>| c.map_or(f64::NAN, |c| c.separation_deg);
    table.add("counterpart", "", "nearest entry of the catalogue", found.iter().map(name).collect::<Vec<_>>())?;
    let separations: Vec<f64> = found.iter().map(separation).collect();
    table.add("separation", "deg", "from the counterpart", separations)
}

/// Position, errors, ts and status; `suffix` tells them from those of the pixel.
fn location_columns(table: &mut Table, all: &[&PeakLocation], geom: &WcsGeom, suffix: &str) -> Result<()> {
    let of = |value: &dyn Fn(&PeakLocation) -> f64| all.iter().map(|l| value(l)).collect::<Vec<f64>>();
    let error = |frame: Frame, value: &dyn Fn(SkyEllipse) -> f64| {
        all.iter().map(|l| l.ellipse(geom, frame).map_or(f64::NAN, value)).collect::<Vec<f64>>()
    };
    let own = geom.frame();
    let icrs = |l: &PeakLocation| l.position.to_frame(Frame::Icrs);
    let columns: Vec<Floats<'_>> = vec![
        ("x", "pix", "column, centre of the first pixel is 0", of(&|l| l.pixel.0)),
        ("y", "pix", "row, centre of the first pixel is 0", of(&|l| l.pixel.1)),
        ("ra", "deg", "right ascension, ICRS", of(&|l| icrs(l).lon_deg)),
        ("dec", "deg", "declination, ICRS", of(&|l| icrs(l).lat_deg)),
        ("lon", "deg", "longitude, map frame", of(&|l| l.position.lon_deg)),
        ("lat", "deg", "latitude, map frame", of(&|l| l.position.lat_deg)),
    ];
    for (name, unit, description, values) in columns {
        table.add(&format!("{name}{suffix}"), unit, description, values)?;
    }
    let columns: Vec<Floats<'_>> = vec![
        ("ra_err", "deg", "1 sigma along right ascension, on the sky", error(Frame::Icrs, &|e| e.lon_err_deg)),
        ("dec_err", "deg", "1 sigma along declination", error(Frame::Icrs, &|e| e.lat_err_deg)),
        ("lon_err", "deg", "1 sigma along the longitude of the map, on the sky", error(own, &|e| e.lon_err_deg)),
        ("lat_err", "deg", "1 sigma along the latitude of the map", error(own, &|e| e.lat_err_deg)),
        ("pos_err_major", "deg", "larger half axis of the 1 sigma ellipse", error(Frame::Icrs, &|e| e.major_deg)),
        ("pos_err_minor", "deg", "smaller half axis of the 1 sigma ellipse", error(Frame::Icrs, &|e| e.minor_deg)),
        ("pos_angle", "deg", "of the larger axis, ICRS, from north to east", error(Frame::Icrs, &|e| e.angle_deg)),
    ];
    for (name, unit, description, values) in columns {
        table.add(name, unit, description, values)?;
    }
    table.add(&format!("ts{suffix}"), "", "ts at the position", of(&|l| l.ts))?;
    let status: Vec<String> = all.iter().map(|l| l.status.name().to_string()).collect();
    table.add("position_status", "", "ok, or why there is no position below the size of a pixel", status)
}
