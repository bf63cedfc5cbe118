//! The colour bar of a map.

use super::super::colour::hex;
use super::super::font::{shorten, widest};
use super::super::raster;
use super::super::scale::Scale;
use super::super::stretch::Stretch;
use super::super::svg::{Anchor, Canvas, Rect, Text, ink, num, path_data};
use super::{BAR, BAR_GAP, CAPITAL, LABEL_GAP, LON_AXIS, MapImage, TICK};
use crate::error::Result;

impl MapImage {
    /// Draws the bar beside or below the plot.
    pub(super) fn draw_bar(&self, canvas: &mut Canvas, plot: Rect, font_px: f64, scale: &Scale) -> Result<()> {
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
        canvas.png(&raster::bar_png(self.colouring.colours, scale, upright)?, body);
        let place = |along: f64, across: f64| {
            if upright {
                (frame.x + across * frame.w, frame.bottom() - along)
            } else {
                (frame.x + along, frame.bottom() - across * frame.h)
            }
        };
        let table = raster::colour_table(self.colouring.colours, scale);
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

        let ticks = scale.ticks(end - start, self.bar_tick_gap(end - start, font_px));
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
        let name = self.colouring.label(scale);
        if upright {
            let labels = widest(ticks.iter().map(|t| t.label.as_str()), font_px);
            let x = frame.right() + tick + gap + labels + (0.5 + 0.85) * font_px;
            let (name, size) = shorten(&name, font_px, plot.h);
            canvas.text(Text::new(&name, x, plot.y + 0.5 * plot.h, size, Anchor::Middle).grey().upright());
        } else {
            let y = frame.bottom() + tick + gap + (2.0 * CAPITAL + 0.65) * font_px;
            let (name, size) = shorten(&name, font_px, plot.w);
            canvas.text(Text::new(&name, plot.x + 0.5 * plot.w, y, size, Anchor::Middle).grey());
        }
        Ok(())
    }

    /// Least distance of labels at the colour bar, px.
    pub(super) fn bar_tick_gap(&self, length_px: f64, font_px: f64) -> f64 {
        let least = match (self.bar_below(), self.colouring.stretch) {
            (false, Stretch::Linear) => 2.2 * font_px,
            (false, _) => 1.6 * font_px,
            (true, Stretch::Linear) => 5.0 * font_px,
            (true, _) => 3.6 * font_px,
        };
        // Long bars do not need more labels, only more room.
        if self.colouring.stretch == Stretch::Linear { least.max(length_px / 11.0) } else { least }
    }
}
