//! The colour bar on the right of a chart.

use super::chart::{CAPITAL, LABEL_GAP, TICK};
use super::colour::ColourMap;
use super::font::{shorten, widest};
use super::raster;
use super::scale::Scale;
use super::stretch::Stretch;
use super::svg::{Anchor, Canvas, Rect, Text, ink, num};
use crate::error::Result;

/// Width of the bar and distances, in font sizes.
const BAR: f64 = 1.0;
const BAR_GAP: f64 = 0.9;

/// Least distance of labels, px: those of other than linear scales are chosen by their worth.
fn tick_gap(scale: &Scale, font_px: f64) -> f64 {
    if scale.stretch == Stretch::Linear { 2.2 * font_px } else { 1.6 * font_px }
}

/// Room that the bar takes on the right.
pub(super) fn room(scale: &Scale, name: &str, plot_h: f64, font_px: f64) -> f64 {
    let ticks = scale.ticks(plot_h, tick_gap(scale, font_px));
    let name = if name.is_empty() { 0.5 } else { 2.0 };
    widest(ticks.iter().map(|t| t.label.as_str()), font_px) + (BAR_GAP + BAR + TICK + LABEL_GAP + name) * font_px
}

/// Draws the bar on the right of the chart.
pub(super) fn draw(
    canvas: &mut Canvas,
    plot: Rect,
    colours: ColourMap,
    scale: &Scale,
    name: &str,
    font_px: f64,
) -> Result<()> {
    let frame = Rect { x: plot.right() + BAR_GAP * font_px, y: plot.y, w: BAR * font_px, h: plot.h };
    canvas.png(&raster::bar_png(colours, scale, true)?, frame);
    let stroke = format!(r#"stroke="{}" stroke-width="{}""#, ink::DARK, num(font_px / 18.0));
    canvas.rect(frame, &format!(r#"fill="none" {stroke}"#));
    let ticks = scale.ticks(frame.h, tick_gap(scale, font_px));
    for t in ticks.iter().filter(|t| !t.label.is_empty()) {
        let y = frame.bottom() - scale.position(t.value).clamp(0.0, 1.0) * frame.h;
        canvas.line((frame.right(), y), (frame.right() + TICK * font_px, y), &stroke);
        let x = frame.right() + (TICK + LABEL_GAP) * font_px;
        canvas.text(Text::new(&t.label, x, y + 0.5 * CAPITAL * font_px, font_px, Anchor::Start));
    }
    let labels = widest(ticks.iter().map(|t| t.label.as_str()), font_px);
    let x = frame.right() + (TICK + LABEL_GAP + 1.35) * font_px + labels;
    let (name, size) = shorten(name, font_px, plot.h);
    canvas.text(Text::new(&name, x, plot.y + 0.5 * plot.h, size, Anchor::Middle).grey().upright());
    Ok(())
}
