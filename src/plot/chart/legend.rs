//! The legend.

use super::super::font::widest;
use super::super::scale::{Scale, Stretch};
use super::super::svg::{Anchor, Canvas, Rect, Text, num};
use super::place::Place;
use super::series::{ChartPoint, Content, Series};
use super::{CAPITAL, Chart};

impl Chart {
    /// Places on the drawing that the series take up, lines in short steps.
    fn inked(&self, place: &Place) -> Vec<(f64, f64)> {
        const STEPS: usize = 12;
        let mut places = Vec::new();
        for series in &self.series {
            let corners: Vec<(f64, f64)> = series.extent().into_iter().filter_map(|p| place.at(p)).collect();
            for pair in corners.windows(2).filter(|_| matches!(series.content, Content::Line { .. })) {
                let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
                let share = |i: usize| i as f64 / STEPS as f64;
                places.extend((1..STEPS).map(|i| (x0 + share(i) * (x1 - x0), y0 + share(i) * (y1 - y0))));
            }
            places.extend(corners);
        }
        places
    }

    /// Draws the names where they hide the least.
    pub(super) fn draw_legend(&self, canvas: &mut Canvas, plot: Rect, font_px: f64, colours: &[&str], place: &Place) {
        let entries: Vec<(&Series, &str)> =
            self.series.iter().zip(colours.iter().copied()).filter(|(s, _)| !s.name.is_empty()).collect();
        if entries.is_empty() {
            return;
        }
        let text_px = 0.92 * font_px;
        let (row, swatch, pad) = (1.45 * text_px, 2.0 * text_px, 0.6 * text_px);
        let w = widest(entries.iter().map(|(s, _)| s.name.as_str()), text_px) + swatch + 3.0 * pad;
        let h = row * entries.len() as f64 + pad;
        let inset = 0.7 * font_px;
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
        let places = self.inked(place);
        let covered = |r: &Rect| places.iter().filter(|(x, y)| r.holds_point(*x, *y)).count();
        let Some(r) = spots.into_iter().map(|(x, y)| Rect { x, y, w, h }).min_by_key(covered) else { return };
        let thin = num(font_px / 18.0);
        canvas
            .rect(r, &format!(r##"rx="3" fill="#ffffff" fill-opacity="0.85" stroke="#cccccc" stroke-width="{thin}""##));
        for (i, (series, colour)) in entries.into_iter().enumerate() {
            let middle = r.y + 0.5 * pad + (i as f64 + 0.5) * row;
            let (a, b) = (r.x + pad, r.x + pad + swatch);
            let local = Place {
                plot: Rect { x: a, y: middle - 0.35 * row, w: b - a, h: 0.7 * row },
                scales: (Scale::new(Stretch::Linear, 0.0, 1.0), Scale::new(Stretch::Linear, 0.0, 1.0)),
            };
            let content = match &series.content {
                Content::Line { dashed, .. } => Content::Line { points: vec![(0.0, 0.5), (1.0, 0.5)], dashed: *dashed },
                Content::Points { shape, .. } => Content::Points {
                    points: vec![ChartPoint::new(0.5, 0.5).x_range(0.1, 0.9).y_error(0.5, 0.5)],
                    shape: *shape,
                },
                Content::Band(_) => Content::Band(vec![(0.0, 0.0, 1.0), (1.0, 0.0, 1.0)]),
                Content::Level { .. } => Content::Level { y: 0.5 },
                Content::Shade(_) => Content::Shade(vec![(0.0, 1.0)]),
            };
            let sample = Series { content, ..series.clone() };
            sample.draw(canvas, font_px, colour, &local);
            canvas.text(Text::new(&series.name, b + pad, middle + 0.5 * CAPITAL * text_px, text_px, Anchor::Start));
        }
    }
}
