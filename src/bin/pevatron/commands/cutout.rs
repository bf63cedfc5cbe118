//! `pevatron cutout`: a part of a dataset, or the spectrum of a region of it.

use std::path::{Path, PathBuf};

use pevatron::datasets::Dataset;
use pevatron::{Error, Place, Result};
use serde_json::json;

use super::{require_map, write_options};
use crate::args::{CutoutArgs, parse_frame, parse_position};
use crate::outputs::{FITS, Outputs};
use crate::report;

pub fn run(args: &CutoutArgs) -> Result<()> {
    Outputs::new(args.overwrite)
        .file("output", &args.output, FITS)
        .reading([&args.dataset])
        .reading(&args.sources)
        .check()?;
    if args.containment_correction && args.region.is_none() {
        return Err(Error::options("containment_correction", "it is for the spectrum of a --region"));
    }
    let dataset = Dataset::read(&args.dataset)?;
    let place = Place::file(&args.dataset);
    require_map(dataset.common()?, &args.dataset)?;
    let of_dataset = dataset.common()?.wcs_geom().map_err(|e| e.at(&place))?.frame();
    let frame = parse_frame(args.frame.as_deref(), of_dataset)?;
    let cut = match (&args.region, &args.position) {
        (Some(region), _) => {
            let region = pevatron::io::parse_region(region, frame)?;
            dataset.to_spectrum_dataset(&region, args.containment_correction)
        }
        (None, position) => {
            let width = args.width()?;
            let files: Vec<&Path> = args.sources.iter().map(PathBuf::as_path).collect();
            let text = position.as_deref().unwrap_or_default();
            dataset.cutout(parse_position("position", text, frame, &files)?, width)
        }
    }
    .map_err(|e| e.at(&place))?;
    cut.write(&args.output, &write_options(args.overwrite, &[&args.dataset]))?;
    let shape = cut.data_shape()?;
    let (ny, nx) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    if args.common.json {
        report::json(&json!({
            "output": report::name(&args.output),
            "kind": cut.kind(),
            "npix": [nx, ny],
            "counts_sum": cut.common()?.counts.as_ref().map(pevatron::maps::Map::sum),
        }));
    } else if !args.common.quiet {
        let what = if args.region.is_some() { "a spectrum".to_string() } else { format!("{nx} × {ny} pixels") };
        report::line(&format!("{}: {what}", args.output.display()));
    }
    Ok(())
}
