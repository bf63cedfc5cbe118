//! Several panels in one picture, in rows and columns under a common title.

use std::fmt::Debug;

use super::colouring::ColourKey;
use super::font::fit;
use super::image::FLAT_ASPECT;
use super::picture::Picture;
use super::stretch::Stretch;
use super::style::MapStyle;
use super::svg::{Anchor, Canvas, Rect, Text};
use crate::error::{Error, Result};

/// Room that a panel needs around its plot, without its title, in px.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Margins {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

/// A part of a [`Figure`]: a [`MapImage`](super::MapImage) or a [`Chart`](super::Chart).
pub(super) trait Panel: Debug + Send + Sync {
    /// Height over width of the plot, where the content decides it.
    fn aspect(&self) -> Option<f64>;
    /// Title above the plot.
    fn title(&self) -> &str;
    /// Name of what is shown.
    fn label(&self) -> &str;
    /// Decides for a plot of about this size what stands around it; asked before [`Panel::margins`].
    fn settle(&mut self, _width_px: f64, _height_px: f64, _font_px: f64) {}
    /// Room around a plot of about this size.
    fn margins(&self, width_px: f64, height_px: f64, font_px: f64) -> Margins;
    /// Draws into `plot` and the room around it.
    fn draw(&self, canvas: &mut Canvas, plot: Rect, font_px: f64) -> Result<()>;
    /// Ends of the colour bar, if there is one and any value is finite.
    fn value_range(&self) -> Option<(f64, f64)> {
        None
    }
    /// Sets the ends of the colour bar.
    fn set_value_range(&mut self, _lo: f64, _hi: f64) {}
    /// What its colours mean; `None` without colours.
    fn colour_key(&self) -> Option<ColourKey> {
        None
    }
    /// How its values are spread over the colours.
    fn stretch(&self) -> Stretch {
        Stretch::Linear
    }
    /// Whether it is a map of the sky.
    fn is_map(&self) -> bool {
        false
    }
    /// Takes colours and limits of a style.
    fn colour(&mut self, _style: &MapStyle) {}
    /// Takes what a style asks of maps of the sky.
    fn restyle(&mut self, _style: &MapStyle) {}
    /// Leaves off what the panel below shows too: the colour bar and the name of the longitude.
    fn stand_above_another(&mut self) {}
}

/// Panels in rows and columns under a common title.
///
/// All plots have the same width and stand exactly below each other.
#[derive(Debug)]
pub struct Figure {
    title: String,
    columns: Option<usize>,
    width_px: f64,
    shared_range: bool,
    style: MapStyle,
    panels: Vec<Box<dyn Panel>>,
}

impl Default for Figure {
    fn default() -> Self {
        Self::new()
    }
}

/// Height over width of plots whose content does not decide it.
const FREE_ASPECT: f64 = 0.62;

/// Height of a plot at most, in widths of the picture.
const TALLEST: f64 = 0.95;

/// Sizes against the font: panel titles, figure title, their lines, the outer border.
const PANEL_TITLE: f64 = 1.15;
const FIGURE_TITLE: f64 = 1.4;
const TITLE_ROOM: f64 = 1.75;
const BORDER: f64 = 0.6;

impl Figure {
    /// Width of pictures by default.
    pub(super) const WIDTH_PX: f64 = 1200.0;

    /// No panels yet.
    pub fn new() -> Self {
        Self {
            title: String::new(),
            columns: None,
            width_px: Self::WIDTH_PX,
            shared_range: false,
            style: MapStyle::default(),
            panels: Vec::new(),
        }
    }

    /// Title above all panels.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Panels per row; by default 1 for one panel, 2 up to four, else 3, and 1 for maps that are much wider than high.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns.max(1));
        self
    }

    /// Width of the picture, 1200 px by default; texts scale with it.
    pub fn width_px(mut self, width_px: u32) -> Self {
        self.width_px = f64::from(width_px);
        self
    }

    pub(super) fn width_exact(mut self, width_px: f64) -> Self {
        self.width_px = width_px;
        self
    }

    /// One range of colours for all maps of the same quantity, so that they can be compared; false by default.
    pub fn shared_range(mut self, shared: bool) -> Self {
        self.shared_range = shared;
        self
    }

    /// The look of the maps.
    pub fn map_style(mut self, style: MapStyle) -> Self {
        self.style = style;
        self
    }

    /// One panel more.
    #[expect(private_bounds, reason = "panels are the types of this module; others cannot be added")]
    pub fn panel(mut self, panel: impl Panel + 'static) -> Self {
        self.panels.push(Box::new(panel));
        self
    }

    /// Whether all panels are maps much wider than high, with the colour bar below.
    fn is_flat(&self) -> bool {
        self.panels.iter().all(|p| p.aspect().is_some_and(|a| a < FLAT_ASPECT))
    }

    fn column_count(&self) -> usize {
        let automatic = match self.panels.len() {
            0 | 1 => 1,
            _ if self.is_flat() => 1,
            2..=4 => 2,
            _ => 3,
        };
        self.columns.unwrap_or(automatic).min(self.panels.len().max(1))
    }

    /// Puts the style into the panels and finds the ends of their colours. Gives whether all show the same quantity.
    fn settle_colours(&mut self) -> Result<bool> {
        let style = self.style.clone();
        let keys: Vec<Option<ColourKey>> = self.panels.iter().map(|p| p.colour_key()).collect();
        let first = keys.iter().flatten().next();
        if let (Some(option), None) = (style.colour_option(), first) {
            return Err(Error::options(option, "is for maps, and there is none in this picture"));
        }
        if let Some(option) = style.sky_option().filter(|_| !self.panels.iter().any(|p| p.is_map())) {
            return Err(Error::options(option, "is for maps of the sky, and there is none in this picture"));
        }
        for (panel, key) in self.panels.iter_mut().zip(&keys) {
            if key.is_some() && key.as_ref() == first && style.colour_option().is_some() {
                panel.colour(&style);
            }
            panel.restyle(&style);
        }
        self.shared_range = style.one_scale.unwrap_or(self.shared_range);
        // Found once: large maps take their time.
        let mut ranges: Vec<Option<(f64, f64)>> = self.panels.iter().map(|p| p.value_range()).collect();
        if self.shared_range {
            let wider = |a: (f64, f64), b: (f64, f64)| (a.0.min(b.0), a.1.max(b.1));
            let of = |key| ranges.iter().zip(&keys).filter(|(_, k)| *k == key).filter_map(|(r, _)| *r).reduce(wider);
            ranges = keys.iter().map(of).collect();
        }
        for ((panel, range), key) in self.panels.iter_mut().zip(ranges).zip(&keys) {
            if key.as_ref() == first && first.is_some() {
                style.check(panel.stretch(), range)?;
            }
            if let Some((lo, hi)) = range {
                panel.set_value_range(lo, hi);
            }
        }
        Ok(keys.iter().all(|key| key.as_ref() == first))
    }

    /// The picture.
    ///
    /// # Errors
    /// [`Error::Options`] without panels, for widths below 100 px or above 20000 px, for a style that there is nothing
    /// for or that shows nothing.
    pub fn draw(mut self) -> Result<Picture> {
        if self.panels.is_empty() {
            return Err(Error::options("panel", "a figure needs at least one panel"));
        }
        if !(100.0..=20_000.0).contains(&self.width_px) {
            return Err(Error::options("width_px", format!("{} px; it must be 100 to 20000", self.width_px)));
        }
        let alike = self.settle_colours()?;
        let columns = self.column_count();
        if self.shared_range && alike && columns == 1 && self.is_flat() {
            // One bar below all of them says the same.
            self.panels.iter_mut().rev().skip(1).for_each(|p| p.stand_above_another());
        }
        // Texts of 18 px suit one panel of 1200 px; narrower panels get smaller ones, though less than in proportion.
        let font_px = 18.0 * self.width_px / Self::WIDTH_PX / (columns as f64).powf(0.3);
        let border = BORDER * font_px;
        let gap = 1.2 * font_px;
        let cell = (self.width_px - 2.0 * border - gap * (columns as f64 - 1.0)) / columns as f64;
        let height_of = |p: &dyn Panel, width: f64| p.aspect().unwrap_or(FREE_ASPECT) * width;

        let steepest = self.panels.iter().map(|p| height_of(p.as_ref(), 1.0)).fold(0.0, f64::max);
        let tallest = TALLEST * self.width_px;
        let fitting = |width: f64| if steepest * width > tallest { tallest / steepest } else { width };

        // Labels depend on the size of the plots, and that on the room for the labels: the second round settles it.
        let mut width = fitting(0.75 * cell);
        let mut sides = vec![(0.0f64, 0.0f64); columns];
        let mut bottoms = vec![0.0; self.panels.len()];
        for _ in 0..2 {
            sides.fill((0.0, 0.0));
            for (i, panel) in self.panels.iter_mut().enumerate() {
                panel.settle(width, height_of(panel.as_ref(), width), font_px);
                let m = panel.margins(width, height_of(panel.as_ref(), width), font_px);
                let side = &mut sides[i % columns];
                *side = (side.0.max(m.left.ceil()), side.1.max(m.right.ceil()));
                bottoms[i] = m.bottom;
            }
            let taken: f64 = sides.iter().map(|(left, right)| left + right).sum();
            let free = columns as f64 * cell - taken;
            width = fitting((free / columns as f64).max(0.2 * cell)).floor().max(1.0);
        }
        let used: f64 = sides.iter().map(|(left, right)| left + width + right).sum();
        let total_width = (used + gap * (columns as f64 - 1.0) + 2.0 * border).min(self.width_px);
        let total_width = if self.width_px - total_width < 2.0 * columns as f64 { self.width_px } else { total_width };

        let mut canvas = Canvas::default();
        let mut y = border;
        if !self.title.is_empty() {
            let size = fit(&self.title, FIGURE_TITLE * font_px, total_width - 2.0 * border);
            let baseline = y + 1.05 * FIGURE_TITLE * font_px;
            canvas.text(Text::new(&self.title, 0.5 * total_width, baseline, size, Anchor::Middle));
            y += TITLE_ROOM * FIGURE_TITLE * font_px;
        }
        for (r, row) in self.panels.chunks(columns).enumerate() {
            let titled = row.iter().any(|p| !p.title().is_empty());
            let top = (y + if titled { TITLE_ROOM * PANEL_TITLE * font_px } else { 0.3 * font_px }).round();
            let mut below = top;
            let mut cell_x = border;
            for (i, panel) in row.iter().enumerate() {
                let (left, right) = sides[i];
                let cell = left + width + right;
                let x = (cell_x + left).round();
                cell_x += cell + gap;
                let plot = Rect { x, y: top, w: width, h: height_of(panel.as_ref(), width).round().max(1.0) };
                if !panel.title().is_empty() {
                    let size = fit(panel.title(), PANEL_TITLE * font_px, cell);
                    let baseline = top - 0.6 * font_px;
                    // A long title may be wider than the plot, but not leave the cell.
                    let half = 0.5 * super::font::text_width_px(panel.title(), size);
                    let middle = (plot.x + 0.5 * plot.w)
                        .clamp(plot.x - left + half, (plot.right() + right - half).max(plot.x - left + half));
                    canvas.text(Text::new(panel.title(), middle, baseline, size, Anchor::Middle));
                }
                panel.draw(&mut canvas, plot, font_px)?;
                below = below.max(plot.bottom() + bottoms[r * columns + i]);
            }
            y = below + 0.3 * font_px;
        }
        let titles = [self.title.as_str(), self.panels[0].title(), self.panels[0].label()];
        let title = titles.into_iter().find(|t| !t.is_empty()).unwrap_or_default().to_string();
        Ok(Picture::new(canvas.into_body(), title, total_width, y))
    }
}
