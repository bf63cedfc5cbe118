//! Pictures of a whole dataset: its maps, responses and masks, counts against what is predicted, a stack and its runs.

mod counts;
mod disks;
mod exposure;
mod images;
mod masks;
mod overview;
mod residuals;
mod stack;

pub use counts::{CountsMaps, counts_figure};
pub use exposure::exposure_figure;
pub use masks::{mask_chart, masks_figure};
pub use overview::{PeekOptions, peek_figure};
pub use residuals::{PlotRegion, residuals_figure, residuals_map};
pub use stack::stack_figure;

use crate::error::Error;
use crate::maps::{Geom, Map, SkyPosition};

/// Pictures with more panels than this would be unreadable.
const MOST_PANELS: usize = 12;

/// Maps flatter than this stand below each other.
const FLAT: f64 = 0.35;

/// Where responses are looked at: the centre of a map, or that of a region.
fn center_of(map: &Map) -> Option<SkyPosition> {
    match map.geom().as_ref() {
        Geom::Wcs(geom) => geom.center().ok(),
        Geom::Region(region) => region.center(),
    }
}

/// The error that there is nothing to compare the counts with.
fn nothing_predicted(name: &str) -> Error {
    Error::input("npred", format!("dataset '{name}' has neither a background nor models")).with_help("give --models")
}
