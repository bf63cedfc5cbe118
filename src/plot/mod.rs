//! Pictures of maps and spectra as SVG and PNG, the same on every machine: no system fonts, no other program.
//!
//! [`MapImage`] and [`Chart`] describe what is to be seen, [`Figure`] puts several of them into one picture; `draw` gives
//! a [`Picture`], and that the bytes of files:
//!
//! ```
//! use ndarray::Array2;
//! use pevatron::maps::{Frame, SkyPosition, WcsGeom};
//! use pevatron::plot::{Figure, MapImage};
//! # fn main() -> pevatron::Result<()> {
//! let center = SkyPosition { lon_deg: 83.63, lat_deg: 22.01, frame: Frame::Icrs };
//! let geom = WcsGeom::create(center, 50, 40, (0.02, 0.02), "TAN", vec![])?;
//! let mut figure = Figure::new().title("Crab nebula").shared_range(true);
//! for (group, title) in [(1.0, "0.5 – 5 TeV"), (2.0, "5 – 50 TeV")] {
//!     let sqrt_ts = Array2::from_elem((40, 50), group);
//!     figure = figure.panel(MapImage::new(&sqrt_ts, &geom)?.significance().title(title));
//! }
//! let picture = figure.draw()?;
//! let (png, svg) = (picture.to_png()?, picture.to_svg()?);
//! assert!(png.len() > 1000 && svg.starts_with(b"<svg"));
//! # Ok(())
//! # }
//! ```

mod angles;
mod chart;
mod colour;
mod colouring;
mod contour;
mod counts;
mod figure;
mod fits;
mod font;
mod graticule;
mod heat;
mod histogram;
mod image;
mod label;
mod mapping;
mod marker;
mod outline;
mod pdf;
mod peek;
mod picture;
mod points_fit;
mod profiles;
mod raster;
mod responses;
mod scale;
mod side_bar;
mod spectra;
mod spread;
mod stretch;
mod style;
mod svg;

pub use chart::{Chart, ChartPoint, Series};
pub use colour::ColourMap;
pub use counts::{CountsSpectrum, FitPanel, counts_chart, excess_chart, fit_figure, region_pixels, residuals_chart};
pub use figure::Figure;
pub use fits::{FittedParameter, contour_chart, fit_profile_chart};
pub use heat::HeatMap;
pub use histogram::{NormalFit, significance_histogram};
pub use image::{MapImage, NanStyle, Thinning};
pub use label::unit_label;
pub use marker::{Marker, MarkerShape};
pub use peek::{
    CountsMaps, PeekOptions, PlotRegion, counts_figure, exposure_figure, mask_chart, masks_figure, peek_figure,
    residuals_figure, residuals_map, stack_figure,
};
pub use picture::Picture;
pub use points_fit::points_fit_charts;
pub use profiles::ProfileColumn;
pub use responses::{containment_radii, edisp_bias_chart, edisp_chart, exposure_chart, psf_chart, psf_profile_chart};
pub use spectra::{light_curve_chart, model_series, profile_chart, sed_chart};
pub use stretch::Stretch;
pub use style::{MapStyle, ScaleBar};
