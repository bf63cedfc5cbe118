//! The legend: on the plot where it hides the least, or below the axis where it would hide too much.

use super::super::font::{fit, widest};
use super::super::scale::Scale;
use super::super::stretch::Stretch;
use super::super::svg::{Anchor, Canvas, Rect, Text, num};
use super::covered::Covered;
use super::place::Place;
use super::series::{ChartPoint, Content, Series};
use super::{CAPITAL, Chart};

/// Distance of a legend from the borders of the plot, in font sizes.
const INSET: f64 = 0.7;

/// Distance of a legend below the plot from what stands there, in font sizes.
const GAP_BELOW: f64 = 0.45;

/// A legend that hides more than this share of its own area goes below the axis.
const MOST_HIDDEN: f64 = 0.03;

/// Where a legend is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum LegendPlace {
    /// On the plot.
    #[default]
    Inside,
    /// Below the axis, in rows of so many names.
    Below(Vec<usize>),
}

/// Lengths in a legend, px.
struct Sizes {
    text: f64,
    row: f64,
    swatch: f64,
    pad: f64,
}

impl Sizes {
    fn new(font_px: f64) -> Self {
        let text = 0.92 * font_px;
        Self { text, row: 1.45 * text, swatch: 2.0 * text, pad: 0.6 * text }
    }

    /// Width of a name with its sample, and of the gap that separates it from the next.
    fn entry(&self, name: &str) -> f64 {
        widest(std::iter::once(name), self.text) + self.swatch + 3.0 * self.pad
    }
}

impl Chart {
    /// The series that stand in the legend.
    fn named(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(|s| !s.name.is_empty())
    }

    /// The place on the plot that hides the least, and whether that is little enough. `None` without names.
    fn place_inside(&self, plot: Rect, font_px: f64) -> Option<(Rect, bool)> {
        let sizes = Sizes::new(font_px);
        let w = self.named().map(|s| sizes.entry(&s.name)).reduce(f64::max)?;
        let h = sizes.row * self.named().count() as f64 + sizes.pad;
        let inset = INSET * font_px;
        let (left, middle, right) = (plot.x + inset, plot.x + 0.5 * (plot.w - w), plot.right() - inset - w);
        let (top, centre, bottom) = (plot.y + inset, plot.y + 0.5 * (plot.h - h), plot.bottom() - inset - h);
        let spots = [
            (right, top),
            (left, top),
            (left, bottom),
            (right, bottom),
            (middle, top),
            (middle, bottom),
            (right, centre),
            (left, centre),
        ];
        let covered = Covered::new(&self.series, &Place { plot, scales: self.scales() }, font_px);
        let spots = spots.into_iter().map(|(x, y)| Rect { x, y, w, h });
        let best = spots.min_by(|a, b| covered.hidden(a).total_cmp(&covered.hidden(b)))?;
        let clear = plot.holds(&best) && covered.hidden(&best) <= MOST_HIDDEN * covered.count(&best);
        Some((best, clear))
    }

    /// Where the legend of a plot of about this size goes.
    pub(super) fn legend_place(&self, width_px: f64, height_px: f64, font_px: f64) -> LegendPlace {
        let plot = Rect { x: 0.0, y: 0.0, w: width_px, h: height_px };
        match self.place_inside(plot, font_px) {
            Some((_, false)) => {}
            _ => return LegendPlace::Inside,
        }
        let sizes = Sizes::new(font_px);
        let mut rows = Vec::new();
        let mut taken = f64::INFINITY;
        for series in self.named() {
            let w = sizes.entry(&series.name);
            match rows.last_mut() {
                Some(row) if taken + w <= width_px => *row += 1,
                _ => {
                    rows.push(1);
                    taken = 0.0;
                }
            }
            taken += w;
        }
        LegendPlace::Below(rows)
    }

    /// Height that the legend takes below the axis, px.
    pub(super) fn legend_below_px(&self, font_px: f64) -> f64 {
        match &self.legend {
            LegendPlace::Inside => 0.0,
            LegendPlace::Below(rows) => GAP_BELOW * font_px + Sizes::new(font_px).row * rows.len() as f64,
        }
    }

    /// Draws the legend; `axis_px` is what ticks and the name of the axis take below the plot.
    pub(super) fn draw_legend(&self, canvas: &mut Canvas, plot: Rect, font_px: f64, axis_px: f64, colours: &[&str]) {
        let sizes = Sizes::new(font_px);
        let entries = self.series.iter().zip(colours).filter(|(s, _)| !s.name.is_empty());
        match &self.legend {
            LegendPlace::Inside => {
                let Some((r, _)) = self.place_inside(plot, font_px) else { return };
                let thin = num(font_px / 18.0);
                let frame =
                    format!(r##"rx="3" fill="#ffffff" fill-opacity="0.85" stroke="#cccccc" stroke-width="{thin}""##);
                canvas.rect(r, &frame);
                for (i, (series, colour)) in entries.enumerate() {
                    let middle = r.y + 0.5 * sizes.pad + (i as f64 + 0.5) * sizes.row;
                    series.draw_entry(canvas, (r.x, middle), r.w, font_px, colour);
                }
            }
            LegendPlace::Below(rows) => {
                let mut entries = entries;
                for (i, count) in rows.iter().enumerate() {
                    let row: Vec<_> = entries.by_ref().take(*count).collect();
                    let width: f64 = row.iter().map(|(s, _)| sizes.entry(&s.name)).sum();
                    let middle = plot.bottom() + axis_px + GAP_BELOW * font_px + (i as f64 + 0.5) * sizes.row;
                    let mut x = plot.x + (0.5 * (plot.w - width)).max(0.0);
                    for (series, colour) in row {
                        series.draw_entry(canvas, (x, middle), plot.w, font_px, colour);
                        x += sizes.entry(&series.name);
                    }
                }
            }
        }
    }
}

impl Series {
    /// A sample and the name, to the right of a point; the letters get smaller where the room is less.
    fn draw_entry(&self, canvas: &mut Canvas, (x, middle): (f64, f64), room_px: f64, font_px: f64, colour: &str) {
        let sizes = Sizes::new(font_px);
        let (a, b) = (x + sizes.pad, x + sizes.pad + sizes.swatch);
        let unit = || Scale::new(Stretch::Linear, 0.0, 1.0);
        let place = Place {
            plot: Rect { x: a, y: middle - 0.35 * sizes.row, w: b - a, h: 0.7 * sizes.row },
            scales: (unit(), unit()),
        };
        let content = match &self.content {
            Content::Line { dashed, .. } => Content::Line { points: vec![(0.0, 0.5), (1.0, 0.5)], dashed: *dashed },
            Content::Points { shape, .. } => Content::Points {
                points: vec![ChartPoint::new(0.5, 0.5).x_range(0.1, 0.9).y_error(0.5, 0.5)],
                shape: *shape,
            },
            Content::Band(_) => Content::Band(vec![(0.0, 0.0, 1.0), (1.0, 0.0, 1.0)]),
            Content::Level { .. } => Content::Level { y: 0.5 },
            Content::Shade(_) => Content::Shade(vec![(0.0, 1.0)]),
        };
        Series { content, ..self.clone() }.draw(canvas, font_px, colour, &place);
        let size = fit(&self.name, sizes.text, room_px - sizes.swatch - 3.0 * sizes.pad + 0.01);
        canvas.text(Text::new(&self.name, b + sizes.pad, middle + 0.5 * CAPITAL * sizes.text, size, Anchor::Start));
    }
}
