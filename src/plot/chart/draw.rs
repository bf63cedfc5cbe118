//! How series look.

use super::super::marker::{MarkerShape, sign};
use super::super::svg::{Canvas, Rect, ink, num, path_data};
use super::place::Place;
use super::series::{ChartPoint, Content, Series};

/// Widths of lines, in parts of the font size.
const LINE: f64 = 2.2 / 18.0;
const ERROR_BAR: f64 = 1.8 / 18.0;
const LEVEL: f64 = 1.4 / 18.0;
const RIM: f64 = 1.0 / 18.0;

/// Radius of the signs of points and length of the arrows of limits, in font sizes.
pub(super) const SIGN: f64 = 0.27;
pub(super) const ARROW: f64 = 2.0;

impl Series {
    /// Draws into the area of `place`, in a colour.
    pub(super) fn draw(&self, canvas: &mut Canvas, font_px: f64, colour: &str, place: &Place) {
        match &self.content {
            Content::Line { points, dashed } => draw_line(canvas, font_px, colour, place, points, *dashed),
            Content::Band(points) => draw_band(canvas, colour, place, points),
            Content::Shade(ranges) => draw_shade(canvas, colour, place, ranges),
            Content::Level { y } => draw_level(canvas, font_px, colour, place, *y),
            Content::Points { points, shape } => {
                let rim = if self.white { ink::DARK } else { ink::WHITE };
                for point in points {
                    draw_point(canvas, font_px, (colour, rim), place, point, *shape);
                }
            }
        }
    }
}

/// Lines of dashes and gaps as long as said, in parts of the font size.
fn dashes(dash: f64, gap: f64, font_px: f64) -> String {
    format!(r#"stroke-dasharray="{} {}""#, num(dash / 18.0 * font_px), num(gap / 18.0 * font_px))
}

fn draw_line(canvas: &mut Canvas, font_px: f64, colour: &str, place: &Place, points: &[(f64, f64)], dashed: bool) {
    let wide = num(LINE * font_px);
    let dash = if dashed { format!(" {}", dashes(8.0, 5.0, font_px)) } else { String::new() };
    let data: String = points
        .split(|p| place.at(*p).is_none())
        .map(|run| path_data(&run.iter().filter_map(|p| place.at(*p)).collect::<Vec<_>>(), false))
        .collect();
    canvas
        .path(&data, &format!(r#"fill="none" stroke="{colour}" stroke-width="{wide}" stroke-linejoin="round"{dash}"#));
}

fn draw_band(canvas: &mut Canvas, colour: &str, place: &Place, points: &[(f64, f64, f64)]) {
    let usable = points.iter().filter(|(x, a, b)| x.is_finite() && a.is_finite() && b.is_finite());
    let upper = usable.clone().filter_map(|(x, _, b)| place.at_clamped((*x, *b)));
    let lower = usable.rev().filter_map(|(x, a, _)| place.at_clamped((*x, *a)));
    let border: Vec<(f64, f64)> = upper.chain(lower).collect();
    canvas.path(&path_data(&border, true), &format!(r#"fill="{colour}" fill-opacity="0.25""#));
}

fn draw_shade(canvas: &mut Canvas, colour: &str, place: &Place, ranges: &[(f64, f64)]) {
    for (lo, hi) in ranges {
        let y = place.scales.1.hi;
        let (Some(a), Some(b)) = (place.at_clamped((*lo, y)), place.at_clamped((*hi, y))) else { continue };
        let area = Rect { x: a.0, w: (b.0 - a.0).max(0.0), ..place.plot };
        canvas.rect(area, &format!(r#"fill="{colour}" fill-opacity="0.22""#));
    }
}

fn draw_level(canvas: &mut Canvas, font_px: f64, colour: &str, place: &Place, y: f64) {
    let Some((_, y)) = place.at((place.scales.0.hi, y)) else { return };
    let (wide, dash) = (num(LEVEL * font_px), dashes(4.0, 4.0, font_px));
    canvas.line(
        (place.plot.x, y),
        (place.plot.right(), y),
        &format!(r#"stroke="{colour}" stroke-width="{wide}" {dash}"#),
    );
}

fn draw_point(
    canvas: &mut Canvas,
    font_px: f64,
    (colour, rim): (&str, &str),
    place: &Place,
    p: &ChartPoint,
    shape: MarkerShape,
) {
    let Some((x, y)) = place.at((p.x, p.y)) else { return };
    let bar = format!(r#"fill="none" stroke="{colour}" stroke-width="{}""#, num(ERROR_BAR * font_px));
    if let Some((lo, hi)) = p.x_range
        && let (Some(a), Some(b)) = (place.at_clamped((lo, p.y)), place.at_clamped((hi, p.y)))
    {
        canvas.line(a, b, &bar);
    }
    if p.upper_limit {
        let (tip, head) = (y + ARROW * font_px, 0.35 * font_px);
        canvas.line((x, y), (x, tip - head), &bar);
        let arrow = [(x - 0.7 * head, tip - 1.4 * head), (x, tip), (x + 0.7 * head, tip - 1.4 * head)];
        canvas.path(&path_data(&arrow, true), &format!(r#"fill="{colour}""#));
        if p.x_range.is_none() {
            canvas.line((x - head, y), (x + head, y), &bar);
        }
        return;
    }
    if let Some((lo, hi)) = p.y_range
        && let (Some(a), Some(b)) = (place.at_clamped((p.x, lo)), place.at_clamped((p.x, hi)))
    {
        canvas.line(a, b, &bar);
    }
    let data = sign(shape, x, y, SIGN * font_px);
    canvas.path(&data, &format!(r#"fill="{colour}" stroke="{rim}" stroke-width="{}""#, num(RIM * font_px)));
}
