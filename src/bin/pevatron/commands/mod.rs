//! One file per command: options → library → output.

pub mod asmooth;
pub mod bench;
pub mod combine;
pub mod convert;
pub mod cutout;
pub mod demo;
pub mod devices;
pub mod excess;
pub mod fit;
pub mod flux_maps;
pub mod flux_points;
pub mod info;
pub mod npred;
pub mod peaks;
pub mod plot;
pub mod plot_dataset;
pub mod residuals;
pub mod shell;
pub mod simulate;
pub mod stack;
pub mod tsmap;

use std::path::Path;

use pevatron::compute::Backend;
use pevatron::datasets::{Dataset, Datasets, MapDataset};
use pevatron::flux::{FluxMaps, FluxQuantity};
use pevatron::io::{Provenance, WriteOptions};
use pevatron::maps::{Map, SkyPosition};
use pevatron::{Error, Place, Result};

use crate::args::{CommonArgs, EngineArgs};

/// Makes the backend and says which and why, if asked for or chosen automatically.
pub fn backend(engine: &EngineArgs, common: &CommonArgs) -> Result<Backend> {
    let backend = Backend::new(&engine.options()?)?;
    let info = backend.info();
    if !common.quiet && (engine.backend == "auto" || common.verbose > 0) {
        eprintln!("backend: {} ({}): {}", info.name, info.adapter, info.reason);
    }
    Ok(backend)
}

/// How outputs of this command are written: what made them stands in them.
pub fn write_options(overwrite: bool, inputs: &[&Path]) -> WriteOptions {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut provenance = Provenance::default().with_option("command", format!("pevatron {}", arguments.join(" ")));
    for input in inputs {
        provenance = provenance.with_input(input);
    }
    WriteOptions { overwrite, provenance }
}

/// Says that the unit of a map is no unit, where it is none.
pub fn warn_of_unit(map: &Map, place: Place) {
    if !map.unit().is_known() {
        let (place, unit) = (place.item("BUNIT"), map.unit());
        eprintln!("warning: {place}: '{unit}' is an unknown unit; it is kept as text and nothing is converted");
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

/// The datasets of a file: one, or those of a list (YAML).
pub fn read_datasets(path: &Path) -> Result<Vec<Dataset>> {
    if is_list(path) { Datasets::read(path, None).map(Datasets::into_inner) } else { Ok(vec![Dataset::read(path)?]) }
}

/// The same one after the other, so that only one is in memory.
pub fn each_dataset(path: &Path, mut take: impl FnMut(Dataset) -> Result<()>) -> Result<()> {
    if !is_list(path) {
        return take(Dataset::read(path)?);
    }
    Datasets::open_lazy(path, false)?.load_each().try_for_each(|dataset| take(dataset?))
}

/// An output must not exist (unless it may be overwritten) and its folder must; found out before the work is done.
pub fn check_output(path: &Path, overwrite: bool) -> Result<()> {
    pevatron::io::check_output(path, overwrite)
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
