//! Pictures of maps: colours, graticule, colour bar, contours, markers.

use std::sync::Arc;

use base64::Engine;
use ndarray::Array2;

use super::colour::{ColourMap, hex};
use super::contour::contours;
use super::figure::{Figure, Margins, Panel};
use super::font;
use super::graticule::{Graticule, SkyMapping, View};
use super::label;
use super::marker::{Marker, draw_markers};
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

/// Height over width below which the colour bar lies under the map.
const FLAT_ASPECT: f64 = 0.3;

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
/// use ndarray::Array2;
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
    graticule: bool,
    contours: Vec<f64>,
    markers: Vec<Marker>,
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
        Ok(Self {
            values: Arc::new(values.clone()),
            mapping,
            title: String::new(),
            name: String::new(),
            unit: String::new(),
            colours: ColourMap::default(),
            stretch: Stretch::default(),
            range: None,
            nan: NanStyle::default(),
            graticule: true,
            contours: Vec::new(),
            markers: Vec::new(),
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
    /// colour for the same significance in all maps up to 5σ.
    pub fn significance(self) -> Self {
        self.quantity("√TS", "").colours(ColourMap::Diverging).stretch(Stretch::Significance)
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
        let (lo, hi) = self.value_range().unwrap_or((0.0, 1.0));
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

        let (most_x, most_y) = ((plot.w * MAX_PIXELS_PER_PX) as usize, (plot.h * MAX_PIXELS_PER_PX) as usize);
        let reduced =
            if nx > most_x || ny > most_y { Some(raster::reduce(&self.values, most_x, most_y)) } else { None };
        let shown = reduced.as_ref().unwrap_or(&self.values);
        if shown.iter().any(|v| v.is_nan()) {
            self.draw_ground(canvas, plot, font_px);
        }
        let bytes = raster::map_png(shown, self.colours, scale)?;
        draw_png(canvas, &bytes, plot);

        let (dark, line) = (matches!(self.colours, ColourMap::Diverging | ColourMap::Greys), font_px / 18.0);
        if self.graticule {
            let (colour, opacity) = if dark { ("#000000", 0.24) } else { ("#ffffff", 0.34) };
            let data: String = graticule.lines.iter().map(|l| path_of(l, false)).collect();
            let width = num(0.9 * line);
            canvas.path(
                &data,
                &format!(r#"fill="none" stroke="{colour}" stroke-opacity="{opacity}" stroke-width="{width}""#),
            );
        }
        for (i, level) in self.contours.iter().enumerate() {
            let data: String = contours(&self.values, *level).iter().map(|l| path_of(l, false)).collect();
            let colour = if dark { "#101018" } else { "#ffffff" };
            let width = num((0.9 + 0.35 * i as f64) * line);
            canvas.path(&data, &format!(r#"fill="none" stroke="{colour}" stroke-opacity="0.85" stroke-width="{width}" stroke-linejoin="round""#));
        }
        draw_markers(canvas, &self.markers, self.mapping.as_ref(), at, plot, font_px);
        for tick in &graticule.inside {
            let (x, y) = at((tick.x, tick.y));
            let size = 0.82 * font_px;
            canvas.text(Text::new(&tick.text, x + 0.2 * size, y + 1.15 * size, size, Anchor::Start).halo(ink::WHITE));
        }
        canvas.close();
        canvas.path(&border, &format!(r#"fill="none" stroke="{}" stroke-width="{}""#, ink::DARK, num(1.2 * line)));
        Ok(())
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
                let inner = if whole_sky { gap } else { tick + gap };
                canvas.text(Text::new(&t.text, x - inner, y + 0.5 * CAPITAL * font_px, font_px, Anchor::End));
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
        let size = fit(lon_name, font_px, plot.w);
        canvas.text(Text::new(lon_name, plot.x + 0.5 * plot.w, y, size, Anchor::Middle).grey());
        let x = plot.x - tick - gap - widest(graticule.left.iter().map(|t| t.text.as_str()), font_px) - 0.65 * font_px;
        let size = fit(lat_name, font_px, plot.h);
        if size > 0.6 * font_px {
            canvas.text(Text::new(lat_name, x, plot.y + 0.5 * plot.h, size, Anchor::Middle).grey().upright());
        }
    }

    fn draw_bar(&self, canvas: &mut Canvas, plot: Rect, font_px: f64, scale: &Scale) -> Result<()> {
        let upright = !self.bar_below();
        let frame = if upright {
            Rect { x: (plot.right() + BAR_GAP * font_px).round(), y: plot.y, w: (BAR * font_px).round(), h: plot.h }
        } else {
            Rect { x: plot.x, y: (plot.bottom() + LON_AXIS * font_px).round(), w: plot.w, h: (0.85 * font_px).round() }
        };
        let length = if upright { frame.h } else { frame.w };
        let (below, above) = self.values.iter().filter(|v| !v.is_nan()).fold((false, false), |(below, above), v| {
            let slack = 1e-9 * (scale.hi - scale.lo);
            (below || *v < scale.lo - slack, above || *v > scale.hi + slack)
        });
        // Tips say that there are values beyond the ends.
        let tip = (0.8 * font_px).min(0.08 * length).round();
        let (start, end) = (if below { tip } else { 0.0 }, length - if above { tip } else { 0.0 });
        let body = if upright {
            Rect { y: frame.bottom() - end, h: end - start, ..frame }
        } else {
            Rect { x: frame.x + start, w: end - start, ..frame }
        };
        draw_png(canvas, &raster::bar_png(self.colours, scale, upright)?, body);
        let place = |along: f64, across: f64| {
            if upright {
                (frame.x + across * frame.w, frame.bottom() - along)
            } else {
                (frame.x + along, frame.bottom() - across * frame.h)
            }
        };
        let table = raster::colour_table(self.colours, scale);
        let mut tip_fill = |at: f64, point: f64, value: f64| {
            let fill = hex(raster::colour_of(&table, scale, value));
            let data = path_data(&[place(at, 0.0), place(point, 0.5), place(at, 1.0)], true);
            canvas.path(&data, &format!(r#"fill="{fill}""#));
        };
        if below {
            tip_fill(start, 0.0, scale.lo);
        }
        if above {
            tip_fill(end, length, scale.hi);
        }
        let mut border = vec![place(start, 0.0)];
        border.extend(below.then(|| place(0.0, 0.5)));
        border.extend([place(start, 1.0), place(end, 1.0)]);
        border.extend(above.then(|| place(length, 0.5)));
        border.push(place(end, 0.0));
        let thin = num(font_px / 18.0);
        canvas.path(&path_data(&border, true), &format!(r#"fill="none" stroke="{}" stroke-width="{thin}""#, ink::DARK));

        let ticks = scale.ticks(body_length(&body, upright), self.bar_tick_gap(font_px));
        let (tick, gap) = (TICK * font_px, LABEL_GAP * font_px);
        let stroke = format!(r#"stroke="{}" stroke-width="{thin}""#, ink::DARK);
        for t in &ticks {
            let along = start + scale.position(t.value).clamp(0.0, 1.0) * (end - start);
            let size = if t.label.is_empty() { 0.5 * tick } else { tick };
            let (x, y) =
                if upright { (frame.right(), frame.bottom() - along) } else { (frame.x + along, frame.bottom()) };
            if upright {
                canvas.line((x, y), (x + size, y), &stroke);
                canvas.text(Text::new(&t.label, x + tick + gap, y + 0.5 * CAPITAL * font_px, font_px, Anchor::Start));
            } else {
                canvas.line((x, y), (x, y + size), &stroke);
                canvas.text(Text::new(&t.label, x, y + tick + gap + CAPITAL * font_px, font_px, Anchor::Middle));
            }
        }
        let name = self.bar_label(scale);
        if upright {
            let labels = widest(ticks.iter().map(|t| t.label.as_str()), font_px);
            let x = frame.right() + tick + gap + labels + (0.5 + 0.85) * font_px;
            let size = fit(&name, font_px, plot.h);
            canvas.text(Text::new(&name, x, plot.y + 0.5 * plot.h, size, Anchor::Middle).grey().upright());
        } else {
            let y = frame.bottom() + tick + gap + (2.0 * CAPITAL + 0.65) * font_px;
            canvas.text(Text::new(&name, plot.x + 0.5 * plot.w, y, fit(&name, font_px, plot.w), Anchor::Middle).grey());
        }
        Ok(())
    }

    /// Least distance of labels at the colour bar, px.
    fn bar_tick_gap(&self, font_px: f64) -> f64 {
        let linear = self.stretch == Stretch::Linear;
        match (self.bar_below(), linear) {
            (false, true) => 2.6 * font_px,
            (false, false) => 1.6 * font_px,
            (true, true) => 5.0 * font_px,
            (true, false) => 3.6 * font_px,
        }
    }
}

/// Height of tick labels and axis name under a map, in font sizes.
const LON_AXIS: f64 = 3.6;

fn body_length(body: &Rect, upright: bool) -> f64 {
    if upright { body.h } else { body.w }
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>, size_px: f64) -> f64 {
    texts.map(|t| font::text_width_px(t, size_px)).fold(0.0, f64::max)
}

/// The font size, smaller where the text would be longer than `room_px`.
pub(super) fn fit(text: &str, size_px: f64, room_px: f64) -> f64 {
    let width = font::text_width_px(text, size_px);
    if width > room_px { size_px * room_px / width } else { size_px }
}

fn draw_png(canvas: &mut Canvas, bytes: &[u8], r: Rect) {
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
        let ticks = scale.ticks(if below { width_px } else { height_px }, self.bar_tick_gap(font_px));
        let bar_labels = widest(ticks.iter().map(|t| t.label.as_str()), font_px);
        let right = if below {
            0.5 * bar_labels.max(2.0 * font_px) + 0.4 * font_px
        } else {
            let name = if self.bar_label(&scale).is_empty() { 0.0 } else { 0.5 + 1.15 };
            bar_labels + (BAR_GAP + BAR + TICK + LABEL_GAP + name + 0.4) * font_px
        };
        let lon_axis = if whole_sky { 2.2 } else { LON_AXIS };
        let bar = if below { 0.85 + TICK + LABEL_GAP + 2.0 * CAPITAL + 0.65 + 0.2 } else { 0.0 };
        let bottom = (if below { LON_AXIS } else { lon_axis } + bar) * font_px;
        Margins { left, right, bottom }
    }

    fn draw(&self, canvas: &mut Canvas, plot: Rect, font_px: f64) -> Result<()> {
        let graticule = self.view(plot.w, plot.h, font_px).graticule();
        let scale = self.scale();
        self.draw_sky(canvas, plot, font_px, &scale, &graticule)?;
        self.draw_axes(canvas, plot, font_px, &graticule);
        self.draw_bar(canvas, plot, font_px, &scale)
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
