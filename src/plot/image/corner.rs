//! What stands in the lower corners of a map: the size of the PSF, and a bar as long as an angle.

use super::super::angles::{length_text, round_below};
use super::super::font;
use super::super::style::ScaleBar;
use super::super::svg::{Anchor, Canvas, Rect, Text, ink, num, path_data};
use super::{CAPITAL, MapImage};
use crate::error::{Error, Result};
use crate::maps::SkyPosition;

/// Distance from the borders and between circle, bar and texts, in font sizes.
const INSET: f64 = 0.8;
const GAP: f64 = 0.35;

/// A bar by itself is at most this part of the width.
const AUTO_SHARE: f64 = 0.22;

/// Room that the largest circle and the longest bar leave, in parts of the plot.
const MOST_SHARE: f64 = 0.9;

/// Something in a corner, ready to be drawn.
pub(super) struct Corner {
    kind: Kind,
    text: String,
    /// What it covers: the circle or bar, and its text.
    pub places: [Rect; 2],
}

enum Kind {
    Circle { x: f64, y: f64, rx: f64, ry: f64 },
    Bar { x: f64, y: f64, w: f64 },
}

impl MapImage {
    /// Pixels of the drawing per degree on the sky, across and up, at a pixel of the map or else at its middle.
    fn px_per_deg(&self, plot: Rect, (x, y): (f64, f64)) -> (f64, f64) {
        let (ny, nx) = self.values.dim();
        let sky = |x: f64, y: f64| {
            let (lon_deg, lat_deg) = self.mapping.sky(x, y)?;
            Some(SkyPosition { lon_deg, lat_deg, frame: self.mapping.frame() })
        };
        let at = |x: f64, y: f64| {
            let across = sky(x - 0.5, y)?.separation_deg(sky(x + 0.5, y)?);
            let up = sky(x, y - 0.5)?.separation_deg(sky(x, y + 0.5)?);
            (across > 0.0 && up > 0.0).then_some((across, up))
        };
        let (sx, sy) = self.mapping.scales_deg();
        let middle = (0.5 * (nx as f64 - 1.0), 0.5 * (ny as f64 - 1.0));
        let (across, up) = at(x, y).or_else(|| at(middle.0, middle.1)).unwrap_or((sx.abs(), sy.abs()));
        (plot.w / nx as f64 / across, plot.h / ny as f64 / up)
    }

    /// What there is in the corners of a plot.
    ///
    /// # Errors
    /// For circles and bars that do not fit into the map.
    pub(super) fn corners(&self, plot: Rect, font_px: f64) -> Result<Vec<Corner>> {
        let bar = self.scale_bar.map(|bar| self.bar_corner(bar, plot, font_px)).transpose()?;
        let mut corners: Vec<Corner> = bar.into_iter().collect();
        if let Some(psf) = &self.psf {
            // The first word says what it is, the circle by itself does, too, where there is no room.
            let word = psf.label.split_whitespace().next().unwrap_or_default();
            for label in [psf.label.as_str(), word, ""] {
                let circle = self.psf_corner(psf.radius_deg, label, plot, font_px)?;
                let free = |place: &Rect| {
                    plot.holds(place) && corners.iter().flat_map(|c| &c.places).all(|other| !other.overlaps(place))
                };
                if label.is_empty() || circle.places.iter().all(free) {
                    corners.push(circle);
                    break;
                }
            }
        }
        Ok(corners)
    }

    fn psf_corner(&self, radius: f64, label: &str, plot: Rect, font_px: f64) -> Result<Corner> {
        let (x_scale, y_scale) = self.px_per_deg(plot, (0.0, 0.0));
        let (rx, ry) = (radius * x_scale, radius * y_scale);
        if !(radius > 0.0 && radius.is_finite()) {
            return Err(Error::options("psf_circle", format!("a radius of {radius} deg is not above 0")));
        }
        if 2.0 * rx > MOST_SHARE * plot.w || 2.0 * ry > MOST_SHARE * plot.h {
            return Err(Error::options("psf_circle", format!("a radius of {radius} deg is too large for this map")));
        }
        let (inset, gap, size) = (INSET * font_px, GAP * font_px, 0.9 * font_px);
        let (x, y) = (plot.x + inset + rx, plot.bottom() - inset - ry.max(0.5 * CAPITAL * size));
        let text_w = if label.is_empty() { 0.0 } else { gap + font::text_width_px(label, size) };
        let ring = Rect { x: x - rx, y: y - ry, w: 2.0 * rx, h: 2.0 * ry };
        let text = Rect { x: x + rx, y: y - 0.45 * size, w: text_w, h: 0.9 * size };
        Ok(Corner { kind: Kind::Circle { x, y, rx, ry }, text: label.to_string(), places: [ring, text] })
    }

    fn bar_corner(&self, bar: ScaleBar, plot: Rect, font_px: f64) -> Result<Corner> {
        let (nx, inset) = (self.values.dim().1 as f64, INSET * font_px);
        let (scale, _) = self.px_per_deg(plot, (nx - 1.0, 0.0));
        let deg = match bar {
            ScaleBar::Deg(deg) => deg,
            ScaleBar::Auto => round_below(AUTO_SHARE * plot.w / scale),
        };
        if !(deg > 0.0 && deg.is_finite()) {
            return Err(Error::options("scale_bar", format!("a length of {deg} deg is not above 0")));
        }
        let w = deg * scale;
        if w > MOST_SHARE * plot.w {
            let most = length_text(MOST_SHARE * plot.w / scale);
            let problem = format!("{} is too long for this map, {most} is the most", length_text(deg));
            return Err(Error::options("scale_bar", problem));
        }
        let text = length_text(deg);
        let size = 0.9 * font_px;
        let whole = w.max(font::text_width_px(&text, size));
        let (x, y) = (plot.right() - inset - 0.5 * (whole + w), plot.bottom() - inset - 0.25 * font_px);
        let top = y - GAP * font_px - CAPITAL * size;
        let place = Rect { x: plot.right() - inset - whole, y: top, w: whole, h: y + 0.25 * font_px - top };
        Ok(Corner { kind: Kind::Bar { x, y, w }, text, places: [place, place] })
    }
}

impl Corner {
    /// Draws it; `dark` says whether the ground below is.
    pub(super) fn draw(&self, canvas: &mut Canvas, font_px: f64, dark: bool) {
        let (fill, halo) = if dark { (ink::WHITE, ink::BLACK) } else { (ink::BLACK, ink::WHITE) };
        let size = 0.9 * font_px;
        let data = match self.kind {
            Kind::Circle { x, y, rx, ry } => {
                let (left, right) = (num(x - rx), num(x + rx));
                let (y, rx, ry) = (num(y), num(rx), num(ry));
                format!("M{left} {y}A{rx} {ry} 0 1 1 {right} {y}A{rx} {ry} 0 1 1 {left} {y}Z")
            }
            Kind::Bar { x, y, w } => {
                let end = 0.25 * font_px;
                path_data(&[(x, y), (x + w, y)], false)
                    + &path_data(&[(x, y - end), (x, y + end)], false)
                    + &path_data(&[(x + w, y - end), (x + w, y + end)], false)
            }
        };
        for (colour, stroke, opacity) in [(halo, 4.2, 0.75), (fill, 1.9, 1.0)] {
            let stroke = num(stroke * font_px / 18.0);
            canvas.path(
                &data,
                &format!(
                    r#"fill="none" stroke="{colour}" stroke-width="{stroke}" stroke-opacity="{opacity}" stroke-linecap="square""#
                ),
            );
        }
        let text = match self.kind {
            Kind::Circle { x, y, rx, .. } => {
                Text::new(&self.text, x + rx + GAP * font_px, y + 0.5 * CAPITAL * size, size, Anchor::Start)
            }
            Kind::Bar { x, y, w } => Text::new(&self.text, x + 0.5 * w, y - GAP * font_px, size, Anchor::Middle),
        };
        canvas.text(text.haloed(dark));
    }
}
