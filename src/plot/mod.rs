//! Pictures of maps and spectra as SVG and PNG, the same on every machine: no system fonts, no other program.

mod colour;
mod contour;
mod curve;
mod figure;
mod font;
mod graticule;
mod image;
mod label;
mod marker;
mod picture;
mod raster;
mod scale;
mod svg;

pub use colour::ColourMap;
pub use curve::{Chart, ChartPoint, Series};
pub use figure::Figure;
pub use image::{MapImage, NanStyle, Thinning};
pub use label::unit_label;
pub use marker::{Marker, MarkerShape};
pub use picture::Picture;
pub use scale::Stretch;
