//! Pictures of maps: colours, graticule, colour bar, contours, markers.

mod bar;

use std::sync::Arc;

use base64::Engine;
use ndarray::{Array2, s};

use super::colour::ColourMap;
use super::contour::contours;
use super::figure::{Figure, Margins, Panel};
use super::font;
use super::graticule::{Graticule, SkyMapping, View, Window, sky_window};
use super::label;
use super::marker::{Ground, Marker, draw_markers};
use super::picture::Picture;
use super::raster;
use super::scale::{Scale, Spread, Stretch};
use super::svg::{Anchor, Canvas, Rect, Text, ink, num, path_data};
use crate::error::{Error, Result};
use crate::maps::{Frame, WcsGeom};

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

/// Map pixels per pixel of the drawing, per side, that are kept; finer maps are averaged.
const MAX_PIXELS_PER_PX: f64 = 2.0;

/// Length of ticks, distance of labels from them, gap to the colour bar and its thickness, in font sizes.
const TICK: f64 = 0.32;
const LABEL_GAP: f64 = 0.3;
const BAR_GAP: f64 = 0.9;
const BAR: f64 = 1.15;
/// Height of capitals and digits of the font.
const CAPITAL: f64 = 0.73;

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
    name: String,
    unit: String,
    colours: ColourMap,
    stretch: Stretch,
    range: Option<(f64, f64)>,
    nan: NanStyle,
    thinning: Thinning,
    graticule: bool,
    contours: Vec<f64>,
    markers: Vec<Marker>,
    bar: bool,
    lon_name: bool,
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
            name: String::new(),
            unit: String::new(),
            colours: ColourMap::default(),
            stretch: Stretch::default(),
            range: None,
            nan: NanStyle::default(),
            thinning: Thinning::default(),
            graticule: true,
            contours: Vec::new(),
            markers: Vec::new(),
            bar: true,
            lon_name: true,
            width_px: Figure::WIDTH_PX,
        })
    }

    /// Title above the map.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Name and unit at the colour bar: `quantity("flux", "cm-2 s-1")`. Powers of ten are taken out of the numbers.
    pub fn quantity(mut self, name: impl Into<String>, unit: impl Into<String>) -> Self {
        self.name = name.into();
        self.unit = unit.into();
        self
    }

    /// Colour map, [`ColourMap::Viridis`] by default.
    pub fn colours(mut self, colours: ColourMap) -> Self {
        self.colours = colours;
        self
    }

    /// How values are spread over the colours, [`Stretch::Linear`] by default.
    pub fn stretch(mut self, stretch: Stretch) -> Self {
        self.stretch = stretch;
        self
    }

    /// Ends of the colour bar; automatic without.
    pub fn range(mut self, lo: f64, hi: f64) -> Self {
        self.range = Some((lo, hi));
        self
    }

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
        if self.range.is_none() {
            self.range = self.value_range();
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
        Spread::of(self.values.iter(), Spread::tails(self.stretch))
    }

    /// The automatic or given range; `None` where no value is finite.
    pub(super) fn value_range(&self) -> Option<(f64, f64)> {
        self.range.or_else(|| self.spread().map(|s| s.range(self.stretch, self.colours.is_diverging())))
    }

    fn scale(&self) -> Scale {
        let nothing = if self.stretch == Stretch::Significance { (-5.0, 5.0) } else { (0.0, 1.0) };
        let (lo, hi) = self.value_range().unwrap_or(nothing);
        Scale::new(self.stretch, lo, hi)
    }

    fn bar_below(&self) -> bool {
        self.aspect().is_some_and(|a| a < FLAT_ASPECT)
    }

    fn view(&self, width_px: f64, height_px: f64, font_px: f64) -> View<'_> {
        let (ny, nx) = self.values.dim();
        View { mapping: self.mapping.as_ref(), nx, ny, width_px, height_px, font_px }
    }

    fn bar_label(&self, scale: &Scale) -> String {
        label::quantity_label(&self.name, &self.unit, scale.label_power())
    }

    fn draw_sky(
        &self,
        canvas: &mut Canvas,
        plot: Rect,
        font_px: f64,
        scale: &Scale,
        graticule: &Graticule,
    ) -> Result<()> {
        let (ny, nx) = self.values.dim();
        let at = |(x, y): (f64, f64)| {
            (plot.x + (x + 0.5) / nx as f64 * plot.w, plot.bottom() - (y + 0.5) / ny as f64 * plot.h)
        };
        let path_of = |points: &[(f64, f64)], closed: bool| {
            let points: Vec<(f64, f64)> = points.iter().map(|p| at(*p)).collect();
            path_data(&points, closed)
        };
        let clip = canvas.id("clip");
        let border = match &graticule.outline {
            Some(points) => path_of(points, true),
            None => path_data(
                &[(plot.x, plot.y), (plot.right(), plot.y), (plot.right(), plot.bottom()), (plot.x, plot.bottom())],
                true,
            ),
        };
        canvas.raw(&format!(r#"<clipPath id="{clip}"><path d="{border}"/></clipPath>"#));
        canvas.open(&format!(r#"clip-path="url(#{clip})""#));

        let reduced = self.thinned(plot);
        let shown = reduced.as_ref().unwrap_or(&self.values);
        if shown.iter().any(|v| v.is_nan()) {
            self.draw_ground(canvas, plot, font_px);
        }
        let bytes = raster::map_png(shown, self.colours, scale)?;
        draw_png(canvas, &bytes, plot);

        let (dark, line) = (matches!(self.colours, ColourMap::Diverging | ColourMap::Greys), font_px / 18.0);
        if self.graticule {
            let (colour, opacity) = if dark { ("#000000", 0.28) } else { ("#ffffff", 0.4) };
            let data: String = graticule.lines.iter().map(|l| path_of(l, false)).collect();
            let width = num(0.9 * line);
            canvas.path(
                &data,
                &format!(r#"fill="none" stroke="{colour}" stroke-opacity="{opacity}" stroke-width="{width}""#),
            );
        }
        // Through the pixels that are drawn: finer lines could not be seen.
        let (shown_y, shown_x) = shown.dim();
        let whole = |(x, y): &(f64, f64)| {
            at(((x + 0.5) * nx as f64 / shown_x as f64 - 0.5, (y + 0.5) * ny as f64 / shown_y as f64 - 0.5))
        };
        for (i, level) in self.contours.iter().enumerate() {
            let lines = contours(shown, *level);
            let data: String =
                lines.iter().map(|l| path_data(&l.iter().map(whole).collect::<Vec<_>>(), false)).collect();
            let colour = if dark { "#101018" } else { "#ffffff" };
            let width = num((0.9 + 0.35 * i as f64) * line);
            canvas.path(&data, &format!(r#"fill="none" stroke="{colour}" stroke-opacity="0.85" stroke-width="{width}" stroke-linejoin="round""#));
        }
        let pixel_at =
            |x: f64, y: f64| ((x - plot.x) / plot.w * nx as f64 - 0.5, (plot.bottom() - y) / plot.h * ny as f64 - 0.5);
        let on_sky = |r: &Rect| {
            [(r.x, r.y), (r.right(), r.y), (r.x, r.bottom()), (r.right(), r.bottom())].iter().all(|(x, y)| {
                let (x, y) = pixel_at(*x, *y);
                self.mapping.sky(x, y).is_some()
            })
        };
        let table = raster::colour_table(self.colours, scale);
        let dark_below = |r: &Rect| {
            let lights: Vec<f64> = (0..15)
                .filter_map(|i| {
                    let (fx, fy) = (f64::from(i % 5) / 4.0, f64::from(i / 5) / 2.0);
                    let (x, y) = pixel_at(r.x + fx * r.w, r.y + fy * r.h);
                    let index = |v: f64, n: usize| (v.round().max(0.0) as usize).min(n - 1);
                    let value = self.values[[index(y, ny), index(x, nx)]];
                    (!value.is_nan()).then(|| lightness(raster::colour_of(&table, scale, value)))
                })
                .collect();
            !lights.is_empty() && lights.iter().sum::<f64>() / (lights.len() as f64) < 0.6
        };
        let mut labelled: Vec<Rect> = Vec::new();
        for tick in &graticule.inside {
            let (x, y) = at((tick.x, tick.y));
            let size = 0.82 * font_px;
            let place = Rect { x, y, w: font::text_width_px(&tick.text, size) + 0.3 * size, h: 1.2 * size };
            if labelled.iter().any(|other| other.overlaps(&place)) {
                continue;
            }
            let text = Text::new(&tick.text, x + 0.25 * size, y + 1.1 * size, size, Anchor::Start);
            canvas.text(text.haloed(dark_below(&place)));
            labelled.push(place);
        }
        let ground = Ground { mapping: self.mapping.as_ref(), plot, at: &at, on_sky: &on_sky, dark: &dark_below };
        draw_markers(canvas, &self.markers, &ground, font_px);
        canvas.close();
        canvas.path(&border, &format!(r#"fill="none" stroke="{}" stroke-width="{}""#, ink::DARK, num(1.2 * line)));
        Ok(())
    }

    /// The map in fewer pixels where it has more than the drawing can show.
    fn thinned(&self, plot: Rect) -> Option<Array2<f64>> {
        let (ny, nx) = self.values.dim();
        let most = |px: f64, density: f64| (px * density) as usize;
        match self.thinning {
            Thinning::Peak if nx > most(plot.w, 1.0) || ny > most(plot.h, 1.0) => {
                Some(raster::reduce_to_peaks(&self.values, most(plot.w, 1.0), most(plot.h, 1.0)))
            }
            Thinning::Mean if nx > most(plot.w, MAX_PIXELS_PER_PX) || ny > most(plot.h, MAX_PIXELS_PER_PX) => {
                let density = MAX_PIXELS_PER_PX;
                Some(raster::reduce(&self.values, most(plot.w, density), most(plot.h, density)))
            }
            _ => None,
        }
    }

    /// What shines through pixels without a value.
    fn draw_ground(&self, canvas: &mut Canvas, plot: Rect, font_px: f64) {
        match self.nan {
            NanStyle::Blank => {}
            NanStyle::Plain => canvas.rect(plot, r##"fill="#dcdcdc""##),
            NanStyle::Hatched => {
                let id = canvas.id("hatch");
                let step = num((font_px * 0.5).round().max(4.0));
                canvas.raw(&format!(
                    r##"<pattern id="{id}" width="{step}" height="{step}" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="{step}" height="{step}" fill="#e6e6e6"/><rect width="1.2" height="{step}" fill="#c4c4c4"/></pattern>"##
                ));
                canvas.rect(plot, &format!(r#"fill="url(#{id})""#));
            }
        }
    }

    fn draw_axes(&self, canvas: &mut Canvas, plot: Rect, font_px: f64, graticule: &Graticule) {
        let (ny, nx) = self.values.dim();
        let (tick, gap) = (TICK * font_px, LABEL_GAP * font_px);
        let stroke = format!(r#"stroke="{}" stroke-width="{}""#, ink::DARK, num(font_px / 18.0));
        let mut free_from = f64::NEG_INFINITY;
        for t in &graticule.bottom {
            let x = plot.x + (t.x + 0.5) / nx as f64 * plot.w;
            canvas.line((x, plot.bottom()), (x, plot.bottom() + tick), &stroke);
            let half = 0.5 * font::text_width_px(&t.text, font_px);
            if x - half >= free_from {
                let y = plot.bottom() + tick + gap + CAPITAL * font_px;
                canvas.text(Text::new(&t.text, x, y, font_px, Anchor::Middle));
                free_from = x + half + 0.5 * font_px;
            }
        }
        let mut free_below = f64::INFINITY;
        for t in &graticule.left {
            let whole_sky = graticule.outline.is_some();
            let y = plot.bottom() - (t.y + 0.5) / ny as f64 * plot.h;
            let x = if whole_sky { plot.x + (t.x + 0.5) / nx as f64 * plot.w } else { plot.x };
            if !whole_sky {
                canvas.line((x - tick, y), (x, y), &stroke);
            }
            if y + 0.6 * font_px <= free_below {
                // Beside an oval the label moves outwards with the border's slope.
                let slope = if whole_sky { 2.0 * (t.y + 0.5) / ny as f64 - 1.0 } else { 0.0 };
                let inner = if whole_sky { gap } else { tick + gap };
                let baseline = y + (0.5 * CAPITAL - 0.45 * slope) * font_px;
                canvas.text(Text::new(&t.text, x - inner, baseline, font_px, Anchor::End));
                free_below = y - 0.6 * font_px;
            }
        }
        let (lon_name, lat_name) = match self.mapping.frame() {
            Frame::Galactic => ("Galactic longitude", "Galactic latitude"),
            Frame::Icrs => ("Right ascension", "Declination"),
        };
        if graticule.outline.is_some() {
            let name = match self.mapping.frame() {
                Frame::Galactic => "Galactic coordinates",
                Frame::Icrs => "Equatorial coordinates (ICRS)",
            };
            let y = plot.bottom() + gap + 1.2 * font_px;
            canvas.text(Text::new(name, plot.x + 0.5 * plot.w, y, font_px, Anchor::Middle).grey());
            return;
        }
        let y = plot.bottom() + tick + gap + (CAPITAL + 0.55 + CAPITAL) * font_px + 0.1 * font_px;
        if self.lon_name {
            let size = fit(lon_name, font_px, plot.w);
            canvas.text(Text::new(lon_name, plot.x + 0.5 * plot.w, y, size, Anchor::Middle).grey());
        }
        let x = plot.x - tick - gap - widest(graticule.left.iter().map(|t| t.text.as_str()), font_px) - 0.65 * font_px;
        let size = fit(lat_name, font_px, plot.h);
        if size > 0.6 * font_px {
            canvas.text(Text::new(lat_name, x, plot.y + 0.5 * plot.h, size, Anchor::Middle).grey().upright());
        }
    }
}

/// Height of tick labels and axis name under a map, in font sizes.
const LON_AXIS: f64 = 3.6;

pub(super) fn widest<'a>(texts: impl Iterator<Item = &'a str>, size_px: f64) -> f64 {
    texts.map(|t| font::text_width_px(t, size_px)).fold(0.0, f64::max)
}

/// The font size, smaller where the text would be longer than `room_px`.
pub(super) fn fit(text: &str, size_px: f64, room_px: f64) -> f64 {
    let width = font::text_width_px(text, size_px);
    if width > room_px { size_px * room_px / width } else { size_px }
}

/// Text and font size: first smaller letters, then fewer, the unit at the end last.
pub(super) fn shorten(text: &str, size_px: f64, room_px: f64) -> (String, f64) {
    const LEAST: f64 = 0.75;
    let size = fit(text, size_px, room_px);
    if size >= LEAST * size_px {
        return (text.to_string(), size);
    }
    let (name, unit) = text.rfind(" [").map_or((text, ""), |i| text.split_at(i));
    let mut kept: Vec<char> = name.chars().collect();
    while kept.pop().is_some() {
        let shorter = format!("{}…{unit}", kept.iter().collect::<String>().trim_end());
        let size = fit(&shorter, size_px, room_px);
        if size >= LEAST * size_px || kept.is_empty() {
            return (shorter, size);
        }
    }
    (text.to_string(), size)
}

/// Relative lightness of a colour, 0 to 1.
fn lightness([r, g, b]: [u8; 3]) -> f64 {
    (0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)) / 255.0
}

pub(super) fn draw_png(canvas: &mut Canvas, bytes: &[u8], r: Rect) {
    let data = base64::engine::general_purpose::STANDARD.encode(bytes);
    let (x, y, w, h) = (num(r.x), num(r.y), num(r.w), num(r.h));
    canvas.raw(&format!(
        r#"<image x="{x}" y="{y}" width="{w}" height="{h}" preserveAspectRatio="none" style="image-rendering:pixelated" xlink:href="data:image/png;base64,{data}"/>"#
    ));
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
            let name = if self.bar_label(&scale).is_empty() { 0.0 } else { 0.5 + 1.15 };
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

    fn stand_above_another(&mut self) {
        (self.bar, self.lon_name) = (false, false);
    }

    fn value_range(&self) -> Option<(f64, f64)> {
        Self::value_range(self)
    }

    fn set_value_range(&mut self, lo: f64, hi: f64) {
        self.range = Some((lo, hi));
    }

    fn label(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests;
