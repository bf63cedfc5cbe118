//! Sources marked on a map.

use super::font;
use super::graticule::SkyMapping;
use super::svg::{Anchor, Canvas, Rect, Text, ink, num, path_data};
use crate::maps::SkyPosition;

/// Sign of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MarkerShape {
    /// An open circle.
    #[default]
    Circle,
    /// An upright cross.
    Plus,
    /// A diagonal cross.
    Cross,
    /// An open square standing on its tip.
    Diamond,
}

/// A marked position: a sign, a name, and if wanted a circle of that radius on the sky.
#[derive(Debug, Clone, PartialEq)]
pub struct Marker {
    position: SkyPosition,
    label: String,
    shape: MarkerShape,
    radius_deg: Option<f64>,
}

impl Marker {
    /// An open circle without name.
    pub fn new(position: SkyPosition) -> Self {
        Self { position, label: String::new(), shape: MarkerShape::default(), radius_deg: None }
    }

    /// The name beside it. Where names would cover each other, the later one is left out.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The sign.
    pub fn shape(mut self, shape: MarkerShape) -> Self {
        self.shape = shape;
        self
    }

    /// A circle of this radius on the sky in place of the sign.
    pub fn radius_deg(mut self, radius_deg: f64) -> Self {
        self.radius_deg = Some(radius_deg);
        self
    }

    /// Points on the sky at the radius, in pixel coordinates.
    fn ring(&self, mapping: &dyn SkyMapping, radius_deg: f64) -> Vec<(f64, f64)> {
        let (sin_r, cos_r) = radius_deg.to_radians().sin_cos();
        let (sin_b, cos_b) = self.position.lat_deg.to_radians().sin_cos();
        (0..72)
            .filter_map(|i| {
                let (sin_a, cos_a) = (f64::from(i) * 5.0).to_radians().sin_cos();
                let sin_lat = sin_b * cos_r + cos_b * sin_r * cos_a;
                let shift = (sin_a * sin_r * cos_b).atan2(cos_r - sin_b * sin_lat);
                mapping.place(SkyPosition {
                    lon_deg: (self.position.lon_deg + shift.to_degrees()).rem_euclid(360.0),
                    lat_deg: sin_lat.clamp(-1.0, 1.0).asin().to_degrees(),
                    frame: self.position.frame,
                })
            })
            .collect()
    }
}

/// Draws the markers that lie in `plot`; `at` gives drawing coordinates of pixel coordinates.
pub(super) fn draw_markers(
    canvas: &mut Canvas,
    markers: &[Marker],
    mapping: &dyn SkyMapping,
    at: impl Fn((f64, f64)) -> (f64, f64),
    plot: Rect,
    font_px: f64,
) {
    let size = font_px * 0.42;
    let text_px = font_px * 0.82;
    let inside = |m: &&Marker| mapping.place(m.position).map(&at).filter(|(x, y)| plot.holds_point(*x, *y));
    let placed: Vec<(&Marker, (f64, f64))> = markers.iter().filter_map(|m| inside(&m).map(|p| (m, p))).collect();
    let mut taken: Vec<Rect> =
        placed.iter().map(|(_, (x, y))| Rect { x: x - size, y: y - size, w: 2.0 * size, h: 2.0 * size }).collect();
    for (marker, (x, y)) in &placed {
        let data = match marker.radius_deg {
            Some(radius) => {
                let ring: Vec<(f64, f64)> = marker.ring(mapping, radius).into_iter().map(&at).collect();
                path_data(&ring, true)
            }
            None => sign(marker.shape, *x, *y, size),
        };
        let width = font_px / 18.0;
        for (colour, stroke, opacity) in [(ink::WHITE, 3.4, 0.8), (ink::DARK, 1.5, 1.0)] {
            let stroke = num(stroke * width);
            canvas.path(&data, &format!(r#"fill="none" stroke="{colour}" stroke-width="{stroke}" stroke-opacity="{opacity}" stroke-linecap="round""#));
        }
    }
    for (marker, (x, y)) in &placed {
        if marker.label.is_empty() {
            continue;
        }
        let width = font::text_width_px(&marker.label, text_px);
        let gap = size + 0.25 * font_px;
        // Corner of the text's box against the marker: right first, then around it.
        let spots = [
            (gap, -0.5 * text_px),
            (gap * 0.75, -gap * 0.75 - text_px),
            (gap * 0.75, gap * 0.75),
            (-gap - width, -0.5 * text_px),
            (-gap * 0.75 - width, -gap * 0.75 - text_px),
            (-gap * 0.75 - width, gap * 0.75),
            (-0.5 * width, -gap - text_px),
            (-0.5 * width, gap),
        ];
        let spot = spots
            .iter()
            .map(|(dx, dy)| Rect { x: x + dx, y: y + dy, w: width, h: text_px })
            .find(|r| plot.holds(r) && !taken.iter().any(|t| t.overlaps(r)));
        if let Some(r) = spot {
            let baseline = r.y + 0.85 * text_px;
            canvas.text(Text::new(&marker.label, r.x, baseline, text_px, Anchor::Start).halo(ink::WHITE));
            taken.push(r);
        }
    }
}

/// Path of a sign that reaches `r` from its centre.
pub(super) fn sign(shape: MarkerShape, x: f64, y: f64, r: f64) -> String {
    let d = r * std::f64::consts::FRAC_1_SQRT_2;
    match shape {
        MarkerShape::Circle => {
            let (left, right, y, r) = (num(x - r), num(x + r), num(y), num(r));
            format!("M{left} {y}A{r} {r} 0 1 1 {right} {y}A{r} {r} 0 1 1 {left} {y}Z")
        }
        MarkerShape::Plus => path_data(&[(x - r, y), (x + r, y)], false) + &path_data(&[(x, y - r), (x, y + r)], false),
        MarkerShape::Cross => {
            path_data(&[(x - d, y - d), (x + d, y + d)], false) + &path_data(&[(x - d, y + d), (x + d, y - d)], false)
        }
        MarkerShape::Diamond => path_data(&[(x - r, y), (x, y - r), (x + r, y), (x, y + r)], true),
    }
}
