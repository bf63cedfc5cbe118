//! What is asked of a picture as a whole, over what its makers thought best: colours, scales, circles, bars.

use super::colour::ColourMap;
use super::colouring::Colouring;
use super::stretch::Stretch;
use crate::error::{Error, Result};

/// A circle of the size of the PSF and what is written beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PsfCircle {
    pub radius_deg: f64,
    pub label: String,
}

/// Length of a bar on the sky.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ScaleBar {
    /// A round one of about a fifth of the width.
    Auto,
    /// In degrees.
    Deg(f64),
}

/// The look of the maps of a [`Figure`](super::Figure), in place of what each kind of picture has by itself.
///
/// Colours, stretch and limits are for the maps that show the same quantity as the first one: significances beside counts
/// keep theirs. The rest is for all maps.
///
/// ```
/// use ndarray::Array2;
/// use pevatron::maps::{Frame, SkyPosition, WcsGeom};
/// use pevatron::plot::{ColourMap, Figure, MapImage, MapStyle, ScaleBar};
/// # fn main() -> pevatron::Result<()> {
/// let center = SkyPosition { lon_deg: 83.63, lat_deg: 22.01, frame: Frame::Icrs };
/// let geom = WcsGeom::create(center, 50, 40, (0.02, 0.02), "TAN", vec![])?;
/// let map = || MapImage::new(&Array2::from_elem((40, 50), 3.0), &geom);
/// let style = MapStyle::new().colours(ColourMap::Afmhot).vmax(20.0).sexagesimal(true).scale_bar(ScaleBar::Deg(0.25));
/// let svg = Figure::new().panel(map()?).map_style(style).draw()?.to_svg_with_text();
/// let svg = String::from_utf8_lossy(&svg).into_owned();
/// assert!(svg.contains(">15′<") && svg.contains("5ʰ34ᵐ"));
/// // Nothing lies between limits that are the wrong way round.
/// let wrong = MapStyle::new().vmin(20.0).vmax(3.0);
/// assert!(Figure::new().panel(map()?).map_style(wrong).draw().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MapStyle {
    pub(super) vmin: Option<f64>,
    pub(super) vmax: Option<f64>,
    pub(super) colours: Option<ColourMap>,
    pub(super) stretch: Option<Stretch>,
    pub(super) one_scale: Option<bool>,
    pub(super) sexagesimal: bool,
    pub(super) psf: Option<PsfCircle>,
    pub(super) scale_bar: Option<ScaleBar>,
}

impl MapStyle {
    /// Nothing is asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Value of the lowest colour.
    pub fn vmin(mut self, vmin: f64) -> Self {
        self.vmin = Some(vmin);
        self
    }

    /// Value of the highest colour.
    pub fn vmax(mut self, vmax: f64) -> Self {
        self.vmax = Some(vmax);
        self
    }

    /// The colour map.
    pub fn colours(mut self, colours: ColourMap) -> Self {
        self.colours = Some(colours);
        self
    }

    /// How values are spread over the colours.
    pub fn stretch(mut self, stretch: Stretch) -> Self {
        self.stretch = Some(stretch);
        self
    }

    /// One scale of colours for all maps of the same quantity, or one for each map.
    pub fn one_scale(mut self, one: bool) -> Self {
        self.one_scale = Some(one);
        self
    }

    /// Coordinates in hours, minutes and seconds (longitudes that are not right ascensions: degrees).
    pub fn sexagesimal(mut self, sexagesimal: bool) -> Self {
        self.sexagesimal = sexagesimal;
        self
    }

    /// A circle of that radius in the lower left corner of maps, with a text beside it such as `PSF`.
    pub fn psf_circle(mut self, radius_deg: f64, label: impl Into<String>) -> Self {
        self.psf = Some(PsfCircle { radius_deg, label: label.into() });
        self
    }

    /// A bar in the lower right corner of maps that tells how long an angle is.
    pub fn scale_bar(mut self, bar: ScaleBar) -> Self {
        self.scale_bar = Some(bar);
        self
    }

    /// What there must be colours for.
    pub(super) fn colour_option(&self) -> Option<&'static str> {
        let asked = [
            ("vmin", self.vmin.is_some()),
            ("vmax", self.vmax.is_some()),
            ("cmap", self.colours.is_some()),
            ("stretch", self.stretch.is_some()),
            ("panel_scale", self.one_scale.is_some()),
        ];
        asked.into_iter().find(|(_, asked)| *asked).map(|(name, _)| name)
    }

    /// What there must be a map of the sky for.
    pub(super) fn sky_option(&self) -> Option<&'static str> {
        let asked = [
            ("sexagesimal", self.sexagesimal),
            ("psf_circle", self.psf.is_some()),
            ("scale_bar", self.scale_bar.is_some()),
        ];
        asked.into_iter().find(|(_, asked)| *asked).map(|(name, _)| name)
    }

    /// Puts what is asked for into the colours of one panel.
    pub(super) fn colour(&self, colouring: &mut Colouring) {
        if let Some(colours) = self.colours {
            colouring.colours = colours;
        }
        if let Some(stretch) = self.stretch {
            colouring.stretch = stretch;
        }
        if self.one_scale == Some(false) {
            // It was found for all panels together.
            colouring.range = None;
        }
        (colouring.vmin, colouring.vmax) = (self.vmin, self.vmax);
    }

    /// # Errors
    /// Where nothing lies between the limits, or a logarithm has no value to begin at; `found` are the ends of the
    /// colours with the limits in place.
    pub(super) fn check(&self, stretch: Stretch, found: Option<(f64, f64)>) -> Result<()> {
        for (name, limit) in [("vmin", self.vmin), ("vmax", self.vmax)] {
            if let Some(value) = limit.filter(|v| !v.is_finite()) {
                return Err(Error::options(name, format!("{value} is not a finite number")));
            }
            if let Some(value) = limit.filter(|v| stretch == Stretch::Log && *v <= 0.0) {
                return Err(Error::options(name, format!("{value} has no place on a logarithmic scale"))
                    .with_help("take a limit above 0, or another stretch: linear, sqrt or asinh"));
            }
        }
        let Some((lo, hi)) = found else { return Ok(()) };
        if lo >= hi && (self.vmin.is_some() || self.vmax.is_some()) {
            let (name, problem, other) = match (self.vmin, self.vmax) {
                (Some(_), Some(_)) => ("vmin", format!("{lo} is not below vmax, {hi}"), None),
                (Some(_), None) => ("vmin", format!("{lo} is not below the largest value, {hi}"), Some("vmax")),
                _ => ("vmax", format!("{hi} is not above the smallest value, {lo}"), Some("vmin")),
            };
            let error = Error::options(name, problem);
            return Err(match other {
                Some(other) => error.with_help(format!("give {other}, too, or a value within the map")),
                None => error,
            });
        }
        if stretch == Stretch::Log && self.stretch.is_some() && hi <= 0.0 {
            return Err(Error::options("stretch", "no value of the map is above 0, a logarithm shows none of them")
                .with_help("take another one: linear, sqrt or asinh"));
        }
        Ok(())
    }
}
