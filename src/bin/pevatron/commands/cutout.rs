//! `pevatron cutout`.

use pevatron::datasets::Dataset;
use pevatron::{Place, Result};
use serde_json::json;

use super::{check_output, write_options};
use crate::args::{parse_frame, parse_position};
use crate::dataset_args::CutoutArgs;
use crate::report;

pub fn run(args: &CutoutArgs) -> Result<()> {
    check_output(&args.output, args.overwrite)?;
    let width = args.width()?;
    let dataset = Dataset::read(&args.dataset)?;
    let place = Place::file(&args.dataset);
    let frame = parse_frame(args.frame.as_deref(), dataset.common().wcs_geom().map_err(|e| e.at(&place))?.frame())?;
    let position = parse_position(&args.position, frame)?;
    let cut = dataset.cutout(position, width).map_err(|e| e.at(&place))?;
    cut.write(&args.output, &write_options(args.overwrite, &[&args.dataset]))?;
    let geom = cut.common().wcs_geom()?;
    if args.common.json {
        report::json(&json!({
            "output": args.output,
            "kind": cut.kind(),
            "npix": [geom.nx(), geom.ny()],
            "counts_sum": cut.common().counts.as_ref().map(pevatron::maps::Map::sum),
        }));
    } else if !args.common.quiet {
        report::line(&format!("{}: {} × {} pixels", args.output.display(), geom.nx(), geom.ny()));
    }
    Ok(())
}
