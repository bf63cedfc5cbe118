//! Ticks, coordinates and names at the borders of a map.

use super::super::font::{self, fit, widest};
use super::super::graticule::Graticule;
use super::super::svg::{Anchor, Canvas, Rect, Text, ink, num};
use super::{CAPITAL, LABEL_GAP, MapImage, TICK};
use crate::maps::Frame;

impl MapImage {
    /// Draws what stands below and left of the plot.
    pub(super) fn draw_axes(&self, canvas: &mut Canvas, plot: Rect, font_px: f64, graticule: &Graticule) {
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
