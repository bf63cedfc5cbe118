//! One file per command: options → library → output.

pub mod asmooth;
pub mod bench;
pub mod combine;
pub mod convert;
pub mod cutout;
pub mod demo;
pub mod devices;
pub mod energies;
pub mod excess;
pub mod fit;
pub mod flux_maps;
pub mod flux_points;
pub mod info;
pub mod npred;
pub mod peaks;
pub mod picture;
pub mod plot;
pub mod plot_dataset;
pub mod plot_maps;
pub mod plot_points;
pub mod residuals;
pub mod shell;
pub mod simulate;
pub mod spectra;
pub mod stack;
pub mod tsmap;

use std::path::Path;

use pevatron::compute::Backend;
use pevatron::datasets::{Dataset, Datasets, MapDataset};
use pevatron::error::warnings;
use pevatron::flux::{FluxMaps, FluxQuantity};
use pevatron::io::{Provenance, WriteOptions};
use pevatron::maps::{Geom, Map, SkyPosition};
use pevatron::models::Models;
use pevatron::{Error, Place, Result};

use crate::args::{CommonArgs, EngineArgs};
use crate::report;

/// Makes the backend and says which and why, if asked for or chosen automatically.
pub fn backend(engine: &EngineArgs, common: &CommonArgs) -> Result<Backend> {
    let backend = Backend::new(&engine.options()?)?;
    let info = backend.info();
    if !common.quiet && (engine.backend == "auto" || common.verbose > 0) {
        report::remark(&format!("backend: {} ({}): {}", info.name, info.adapter, info.reason));
    }
    Ok(backend)
}

/// How outputs of this command are written: what made them stands in them.
pub fn write_options(overwrite: bool, inputs: &[&Path]) -> WriteOptions {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let mut provenance = Provenance::default().with_option("command", format!("pevatron {}", arguments.join(" ")));
    for input in inputs {
        provenance = provenance.with_input(input);
    }
    WriteOptions { overwrite, provenance }
}

/// Says which models none of the datasets takes, by their `datasets_names`.
pub fn say_unused(models: &Models, datasets: &[&str]) -> Result<()> {
    let unused = models.unused(datasets);
    let Some(first) = unused.first() else { return Ok(()) };
    let wanted = first.datasets_names().unwrap_or_default().join("', '");
    let more = if unused.len() > 1 { format!(" and {} more", unused.len() - 1) } else { String::new() };
    let there = datasets.join("', '");
    let text = format!("it is for the datasets '{wanted}', which are not among '{there}': it{more} is not used");
    warnings::warn(Error::input(first.name(), text).with_help("correct datasets_names if it is meant for them"))
}

/// Says where the energy groups of a result end.
pub fn say_groups(geom: &Geom) -> Result<()> {
    let edges = geom.axis("energy")?.edges_tev()?;
    let list: Vec<String> = edges.iter().map(|e| energies::energy_text(*e)).collect();
    report::remark(&format!("energy groups: {}", list.join(" – ")));
    Ok(())
}

/// Says that the unit of a map is not one, where it is not.
pub fn warn_of_unit(map: &Map, place: Place) {
    if !map.unit().is_known() {
        let (place, unit) = (place.item("BUNIT"), map.unit());
        report::warning(&format!("{place}: '{unit}' is an unknown unit; it is kept as text and nothing is converted"));
    }
}

/// Refuses datasets of a region: an image is to be made of this one.
pub fn require_map(dataset: &MapDataset, path: &Path) -> Result<()> {
    match dataset.geom() {
        Ok(geom) if geom.as_wcs().is_err() => Err(Error::input_at(
            Place::file(path),
            "these are counts of a region, a map with pixels on the sky is needed",
        )
        .with_help("spectra are for `pevatron fit` and `pevatron plot --kind spectrum`")),
        _ => Ok(()),
    }
}

fn is_list(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"))
}

/// The datasets of a file, one or those of a list (YAML), one after the other, so that only one is in memory.
pub fn each_dataset(path: &Path, mut take: impl FnMut(Dataset) -> Result<()>) -> Result<()> {
    if !is_list(path) {
        return take(Dataset::read(path)?);
    }
    Datasets::open_lazy(path, false)?.load_each().try_for_each(|dataset| take(dataset?))
}

/// Largest sqrt_ts: value, position and energy group.
pub fn max_sqrt_ts(maps: &FluxMaps) -> Result<Option<(f64, SkyPosition, usize)>> {
    let sqrt_ts = maps.sqrt_ts()?;
    let geom = sqrt_ts.wcs_geom()?;
    let (nx, ny) = (geom.nx(), geom.ny());
    Ok(sqrt_ts.max().and_then(|(index, value)| {
        let position = geom.pix_to_sky((index % nx) as f64, (index / nx % ny) as f64)?;
        Some((value, position, index / (nx * ny)))
    }))
}

/// The value of a quantity at the pixel that holds a position, in an energy group.
pub fn value_at(maps: &FluxMaps, quantity: FluxQuantity, position: SkyPosition, group: usize) -> Result<f64> {
    let map = maps.get(quantity).ok_or_else(|| Error::options("quantity", format!("no map '{}'", quantity.name())))?;
    Ok(map.nearest_planes_at(position)?.get(group).copied().unwrap_or(f64::NAN))
}
