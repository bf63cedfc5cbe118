//! Pictures of maps: colours, graticule, colour bar, contours, markers.

mod axes;
mod bar;
mod corner;
mod sky;

use std::sync::Arc;

use ndarray::{Array2, s};

use super::colour::ColourMap;
use super::colouring::{ColourKey, Colouring, colouring_setters};
use super::figure::{Figure, Margins, Panel};
use super::font::widest;
use super::graticule::View;
use super::mapping::{SkyMapping, Window, sky_window};
use super::marker::Marker;
use super::picture::Picture;
use super::scale::Scale;
use super::spread::Spread;
use super::stretch::Stretch;
use super::style::{MapStyle, PsfCircle, ScaleBar};
use super::svg::{Canvas, Rect};
use crate::error::{Error, Result};
use crate::maps::WcsGeom;

/// How pixels without a value look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NanStyle {
    /// Light grey with diagonal lines: cannot be taken for a value.
    #[default]
    Hatched,
    /// Light grey.
    Plain,
    /// White, as the ground.
    Blank,
}

/// What becomes of maps with more pixels than the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Thinning {
    /// Mean of the finite values.
    #[default]
    Mean,
    /// The value farthest from zero: small sources stay visible, at the price of a livelier ground.
    Peak,
}

/// Height over width below which the colour bar lies under the map.
pub(super) const FLAT_ASPECT: f64 = 0.3;

/// Length of ticks, distance of labels from them, gap to the colour bar and its thickness, in font sizes.
const TICK: f64 = 0.32;
const LABEL_GAP: f64 = 0.3;
const BAR_GAP: f64 = 0.9;
const BAR: f64 = 1.15;
/// Height of capitals and digits of the font.
const CAPITAL: f64 = 0.73;
/// Height of tick labels and axis name under a map, in font sizes.
const LON_AXIS: f64 = 3.6;

/// A picture of one image on the sky.
///
/// The defaults show any map: viridis, linear, a range that leaves out half a percent of the pixels at both ends, a
/// graticule in degrees. [`MapImage::significance`] sets what a √TS map needs.
///
/// ```
/// use ndarray::{Array2, s};
/// use pevatron::maps::{Frame, SkyPosition, WcsGeom};
/// use pevatron::plot::MapImage;
/// # fn main() -> pevatron::Result<()> {
/// let center = SkyPosition { lon_deg: 0.0, lat_deg: 0.0, frame: Frame::Galactic };
/// let geom = WcsGeom::create(center, 20, 10, (0.1, 0.1), "CAR", vec![])?;
/// let sqrt_ts = Array2::from_elem((10, 20), 1.0);
/// let picture = MapImage::new(&sqrt_ts, &geom)?.significance().title("10 – 84 GeV").draw()?;
/// assert_eq!(picture.width_px(), 1200);
/// assert_eq!(&picture.to_png()?[1..4], b"PNG");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MapImage {
    values: Arc<Array2<f64>>,
    mapping: Arc<dyn SkyMapping>,
    title: String,
    colouring: Colouring,
    nan: NanStyle,
    thinning: Thinning,
    graticule: bool,
    contours: Vec<f64>,
    markers: Vec<Marker>,
    bar: bool,
    lon_name: bool,
    sexagesimal: bool,
    psf: Option<PsfCircle>,
    scale_bar: Option<ScaleBar>,
    width_px: f64,
}

impl MapImage {
    /// A picture of `values[y, x]` on the pixels of `geom` (its axes do not matter).
    ///
    /// # Errors
    /// [`Error::Input`] where the shapes differ or there is no pixel.
    pub fn new(values: &Array2<f64>, geom: &WcsGeom) -> Result<Self> {
        if values.dim() != (geom.ny(), geom.nx()) {
            return Err(Error::input(
                "picture",
                format!("an image of {:?} pixels where the geometry has {:?}", values.dim(), (geom.ny(), geom.nx())),
            ));
        }
        Self::with_mapping(values, Arc::new(geom.to_image()))
    }

    pub(super) fn with_mapping(values: &Array2<f64>, mapping: Arc<dyn SkyMapping>) -> Result<Self> {
        if values.is_empty() {
            return Err(Error::input("picture", "the image has no pixel"));
        }
        let (ny, nx) = values.dim();
        let (rows, columns) = sky_window(mapping.as_ref(), nx, ny);
        let mapping = if rows.len() == ny && columns.len() == nx {
            mapping
        } else {
            Arc::new(Window { whole: mapping, x0: columns.start, y0: rows.start })
        };
        Ok(Self {
            values: Arc::new(values.slice(s![rows, columns]).to_owned()),
            mapping,
            title: String::new(),
            colouring: Colouring::default(),
            nan: NanStyle::default(),
            thinning: Thinning::default(),
            graticule: true,
            contours: Vec::new(),
            markers: Vec::new(),
            bar: true,
            lon_name: true,
            sexagesimal: false,
            psf: None,
            scale_bar: None,
            width_px: Figure::WIDTH_PX,
        })
    }

    /// Title above the map.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    colouring_setters!();

    /// What a √TS map needs: blue for deficits, pale within ±2σ, orange at 5σ, dark red at the maximum; the same
    /// colour for the same significance in all maps up to 5σ; peaks survive thinning.
    pub fn significance(self) -> Self {
        self.quantity("√TS", "").colours(ColourMap::Diverging).stretch(Stretch::Significance).thinning(Thinning::Peak)
    }

    /// What becomes of maps with more pixels than the drawing, [`Thinning::Mean`] by default.
    pub fn thinning(mut self, thinning: Thinning) -> Self {
        self.thinning = thinning;
        self
    }

    /// How pixels that are NaN look.
    pub fn nan(mut self, style: NanStyle) -> Self {
        self.nan = style;
        self
    }

    /// Whether lines of longitude and latitude are drawn (ticks always are); true by default.
    pub fn graticule(mut self, on: bool) -> Self {
        self.graticule = on;
        self
    }

    /// Whether there is a colour bar; true by default.
    pub fn colour_bar(mut self, on: bool) -> Self {
        self.bar = on;
        self
    }

    /// Whether coordinates are in hours, minutes and seconds (longitudes that are not right ascensions: degrees, minutes
    /// and seconds of arc); false by default.
    pub fn sexagesimal(mut self, on: bool) -> Self {
        self.sexagesimal = on;
        self
    }

    /// A circle of that radius in the lower left corner, with a text beside it such as `PSF`.
    pub fn psf_circle(mut self, radius_deg: f64, label: impl Into<String>) -> Self {
        self.psf = Some(PsfCircle { radius_deg, label: label.into() });
        self
    }

    /// A bar in the lower right corner that tells how long an angle is.
    pub fn scale_bar(mut self, bar: ScaleBar) -> Self {
        self.scale_bar = Some(bar);
        self
    }

    /// Lines of equal value, such as 3, 5, 10 for √TS.
    pub fn contours(mut self, levels: &[f64]) -> Self {
        self.contours = levels.to_vec();
        self
    }

    /// A marked source; may be called many times.
    pub fn marker(mut self, marker: Marker) -> Self {
        self.markers.push(marker);
        self
    }

    /// Marked sources.
    pub fn markers(mut self, markers: impl IntoIterator<Item = Marker>) -> Self {
        self.markers.extend(markers);
        self
    }

    /// Width of the picture, 1200 px by default; texts scale with it. Maps that are higher than wide get narrower.
    /// Within a [`Figure`] its width counts instead.
    pub fn width_px(mut self, width_px: u32) -> Self {
        self.width_px = f64::from(width_px);
        self
    }

    /// This map cut into strips of equal width that stand below each other, longitude running on from one to the next:
    /// for surveys of the Galactic plane, which are much wider than high. The last strip overlaps the one before where
    /// the columns do not divide evenly.
    ///
    /// ```
    /// # use ndarray::Array2;
    /// # use pevatron::maps::{Frame, SkyPosition, WcsGeom};
    /// # use pevatron::plot::MapImage;
    /// # fn main() -> pevatron::Result<()> {
    /// let center = SkyPosition { lon_deg: 0.0, lat_deg: 0.0, frame: Frame::Galactic };
    /// let geom = WcsGeom::create(center, 600, 30, (0.2, 0.2), "CAR", vec![])?;
    /// let survey = MapImage::new(&Array2::zeros((30, 600)), &geom)?.significance().title("Survey");
    /// assert!(survey.clone().folded(3).draw()?.height_px() > survey.draw()?.height_px());
    /// # Ok(())
    /// # }
    /// ```
    pub fn folded(mut self, strips: usize) -> Figure {
        let (_, nx) = self.values.dim();
        let strips = strips.clamp(1, nx);
        let width = nx.div_ceil(strips);
        if self.colouring.range.is_none() {
            self.colouring.range = self.value_range();
        }
        let figure = Figure::new().width_exact(self.width_px).title(std::mem::take(&mut self.title)).columns(1);
        (0..strips).fold(figure.shared_range(true), |figure, i| {
            let x0 = (i * width).min(nx - width);
            figure.panel(Self {
                values: Arc::new(self.values.slice(s![.., x0..x0 + width]).to_owned()),
                mapping: Arc::new(Window { whole: Arc::clone(&self.mapping), x0, y0: 0 }),
                ..self.clone()
            })
        })
    }

    /// The picture of this map alone.
    ///
    /// # Errors
    /// Widths below 100 px or above 20000 px.
    pub fn draw(self) -> Result<Picture> {
        let width_px = self.width_px;
        Figure::new().width_exact(width_px).panel(self).draw()
    }

    fn spread(&self) -> Option<Spread> {
        Spread::of(self.values.iter(), Spread::tails(self.colouring.stretch))
    }

    /// The automatic or given range; `None` where no value is finite.
    pub(super) fn value_range(&self) -> Option<(f64, f64)> {
        let centred = |lo: f64, hi: f64| self.colouring.colours.is_centred(lo, hi);
        let automatic = || self.spread().map(|s| s.range(self.colouring.stretch, centred));
        self.colouring.range.or_else(automatic).map(|range| self.colouring.limited(range))
    }

    fn scale(&self) -> Scale {
        let nothing = if self.colouring.stretch == Stretch::Significance { (-5.0, 5.0) } else { (0.0, 1.0) };
        let (lo, hi) = self.value_range().unwrap_or(self.colouring.limited(nothing));
        Scale::new(self.colouring.stretch, lo, hi)
    }

    fn bar_below(&self) -> bool {
        self.aspect().is_some_and(|a| a < FLAT_ASPECT)
    }

    fn view(&self, width_px: f64, height_px: f64, font_px: f64) -> View<'_> {
        let (ny, nx) = self.values.dim();
        View { mapping: self.mapping.as_ref(), nx, ny, width_px, height_px, font_px, sexagesimal: self.sexagesimal }
    }
}

impl Panel for MapImage {
    fn aspect(&self) -> Option<f64> {
        let (ny, nx) = self.values.dim();
        let (sx, sy) = self.mapping.scales_deg();
        let aspect = (ny as f64 * sy.abs()) / (nx as f64 * sx.abs());
        Some(if aspect.is_finite() && aspect > 0.0 { aspect } else { ny as f64 / nx as f64 })
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn margins(&self, width_px: f64, height_px: f64, font_px: f64) -> Margins {
        let graticule = self.view(width_px, height_px, font_px).graticule();
        let scale = self.scale();
        let below = self.bar_below();
        let whole_sky = graticule.outline.is_some();
        let lat_labels = widest(graticule.left.iter().map(|t| t.text.as_str()), font_px);
        let axis_name = if whole_sky { 0.3 } else { TICK + 0.65 + 1.25 };
        let left = lat_labels + (LABEL_GAP + axis_name) * font_px;
        let length_px = if below { width_px } else { height_px };
        let ticks = scale.ticks(length_px, self.bar_tick_gap(length_px, font_px));
        let bar_labels = widest(ticks.iter().map(|t| t.label.as_str()), font_px);
        let right = if below || !self.bar {
            let lon_labels = widest(graticule.bottom.iter().map(|t| t.text.as_str()), font_px);
            0.5 * bar_labels.max(lon_labels) + 0.2 * font_px
        } else {
            let name = if self.colouring.label(&scale).is_empty() { 0.0 } else { 0.5 + 1.15 };
            bar_labels + (BAR_GAP + BAR + TICK + LABEL_GAP + name + 0.4) * font_px
        };
        let lon_axis = match (whole_sky, self.lon_name) {
            (true, _) => 2.2,
            (false, true) => LON_AXIS,
            (false, false) => LON_AXIS - 1.5,
        };
        let bar = if below && self.bar { 0.85 + TICK + LABEL_GAP + 2.0 * CAPITAL + 0.65 + 0.2 } else { 0.0 };
        let bottom = (if below && self.bar { LON_AXIS } else { lon_axis } + bar) * font_px;
        Margins { left, right, bottom }
    }

    fn draw(&self, canvas: &mut Canvas, plot: Rect, font_px: f64) -> Result<()> {
        let graticule = self.view(plot.w, plot.h, font_px).graticule();
        let scale = self.scale();
        self.draw_sky(canvas, plot, font_px, &scale, &graticule)?;
        self.draw_axes(canvas, plot, font_px, &graticule);
        if self.bar { self.draw_bar(canvas, plot, font_px, &scale) } else { Ok(()) }
    }

    fn colour_key(&self) -> Option<ColourKey> {
        Some(self.colouring.key())
    }

    fn stretch(&self) -> Stretch {
        self.colouring.stretch
    }

    fn is_map(&self) -> bool {
        true
    }

    fn colour(&mut self, style: &MapStyle) {
        style.colour(&mut self.colouring);
    }

    fn restyle(&mut self, style: &MapStyle) {
        self.sexagesimal |= style.sexagesimal;
        self.psf = self.psf.take().or_else(|| style.psf.clone());
        self.scale_bar = self.scale_bar.or(style.scale_bar);
    }

    fn stand_above_another(&mut self) {
        (self.bar, self.lon_name) = (false, false);
    }

    fn value_range(&self) -> Option<(f64, f64)> {
        Self::value_range(self)
    }

    fn set_value_range(&mut self, lo: f64, hi: f64) {
        self.colouring.range = Some((lo, hi));
    }

    fn label(&self) -> &str {
        &self.colouring.name
    }
}

#[cfg(test)]
mod tests;
