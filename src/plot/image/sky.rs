//! What lies between the axes of a map: pixels, graticule, contours, markers.

use ndarray::Array2;

use super::super::contour::{contours, contours_around};
use super::super::font;
use super::super::graticule::Graticule;
use super::super::marker::{Ground, draw_markers};
use super::super::raster;
use super::super::scale::Scale;
use super::super::svg::{Anchor, Canvas, Rect, Text, ink, num, path_data};
use super::{MapImage, NanStyle, Thinning};
use crate::error::Result;

/// Map pixels per pixel of the drawing, per side, that are kept; finer maps are averaged.
const MAX_PIXELS_PER_PX: f64 = 2.0;

impl MapImage {
    /// Draws the map into the plot, within the border of the sky.
    pub(super) fn draw_sky(
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
        let bytes = raster::map_png(shown, self.colouring.colours, scale)?;
        canvas.png(&bytes, plot);

        let (dark, line) = (self.colouring.colours.is_light(), font_px / 18.0);
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
            let lines = if self.mapping.closes(nx) { contours_around(shown, *level) } else { contours(shown, *level) };
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
        let table = raster::colour_table(self.colouring.colours, scale);
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
        let corners = self.corners(plot, font_px)?;
        let taken: Vec<Rect> = corners.iter().flat_map(|c| c.places).collect();
        let ground =
            Ground { mapping: self.mapping.as_ref(), plot, at: &at, on_sky: &on_sky, dark: &dark_below, taken: &taken };
        draw_markers(canvas, &self.markers, &ground, font_px);
        canvas.close();
        for corner in &corners {
            corner.draw(canvas, font_px, dark_below(&corner.places[0]));
        }
        canvas.path(&border, &format!(r#"fill="none" stroke="{}" stroke-width="{}""#, ink::DARK, num(1.2 * line)));
        Ok(())
    }

    /// The map in fewer pixels where it has more than the drawing can show.
    pub(super) fn thinned(&self, plot: Rect) -> Option<Array2<f64>> {
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
}

/// Relative lightness of a colour, 0 to 1.
fn lightness([r, g, b]: [u8; 3]) -> f64 {
    (0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)) / 255.0
}
