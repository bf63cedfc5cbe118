//! Sources marked on a map.

use super::font;
use super::mapping::SkyMapping;
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
    /// Where it is.
    pub fn position(&self) -> SkyPosition {
        self.position
    }

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

/// What markers are drawn on.
pub(super) struct Ground<'a> {
    pub mapping: &'a dyn SkyMapping,
    pub plot: Rect,
    /// Drawing coordinates of pixel coordinates.
    pub at: &'a dyn Fn((f64, f64)) -> (f64, f64),
    /// Whether a part of the drawing lies on the sky.
    pub on_sky: &'a dyn Fn(&Rect) -> bool,
    /// Whether the map is dark there.
    pub dark: &'a dyn Fn(&Rect) -> bool,
}

/// Draws the markers that lie on the map.
pub(super) fn draw_markers(canvas: &mut Canvas, markers: &[Marker], ground: &Ground, font_px: f64) {
    let size = font_px * 0.42;
    let text_px = font_px * 0.85;
    let around = |x: f64, y: f64, r: f64| Rect { x: x - r, y: y - r, w: 2.0 * r, h: 2.0 * r };
    let mut placed = Vec::new();
    for marker in markers {
        let Some((x, y)) = ground.mapping.place(marker.position).map(ground.at) else { continue };
        if !ground.plot.holds_point(x, y) {
            continue;
        }
        let ring: Vec<(f64, f64)> = marker
            .radius_deg
            .map_or_else(Vec::new, |r| marker.ring(ground.mapping, r))
            .into_iter()
            .map(ground.at)
            .collect();
        let reach = ring.iter().map(|p| (p.0 - x).hypot(p.1 - y)).fold(0.0, f64::max);
        let data = if ring.is_empty() { sign(marker.shape, x, y, size) } else { path_data(&ring, true) };
        let (fill, halo) = if (ground.dark)(&around(x, y, size)) && ring.is_empty() {
            (ink::WHITE, ink::BLACK)
        } else {
            (ink::BLACK, ink::WHITE)
        };
        for (colour, stroke, opacity) in [(halo, 3.6, 0.8), (fill, 1.6, 1.0)] {
            let stroke = num(stroke * font_px / 18.0);
            canvas.path(
                &data,
                &format!(
                    r#"fill="none" stroke="{colour}" stroke-width="{stroke}" stroke-opacity="{opacity}" stroke-linecap="round""#
                ),
            );
        }
        placed.push((marker, x, y, reach.max(size)));
    }
    // Rings are large; only signs keep names away.
    let mut taken: Vec<Rect> = placed.iter().filter(|p| p.3 <= size).map(|(_, x, y, r)| around(*x, *y, *r)).collect();
    for (marker, x, y, reach) in &placed {
        if marker.label.is_empty() {
            continue;
        }
        let width = font::text_width_px(&marker.label, text_px);
        let gap = reach + 0.25 * font_px;
        let slant = 0.72 * gap;
        // Corner of the text's box against the marker.
        let right = (gap, -0.5 * text_px);
        let left = (-gap - width, -0.5 * text_px);
        let (above, below) = ((-0.5 * width, -gap - text_px), (-0.5 * width, gap));
        let corners =
            [(slant, -slant - text_px), (slant, slant), (-slant - width, -slant - text_px), (-slant - width, slant)];
        let sides = if marker.radius_deg.is_some() { [above, below, right, left] } else { [right, left, above, below] };
        let spot = [sides[0], corners[0], corners[1], sides[1], corners[2], corners[3], sides[2], sides[3]]
            .iter()
            .map(|(dx, dy)| Rect { x: x + dx, y: y + dy, w: width, h: text_px })
            .find(|r| ground.plot.holds(r) && (ground.on_sky)(r) && !taken.iter().any(|t| t.overlaps(r)));
        if let Some(r) = spot {
            let text = Text::new(&marker.label, r.x, r.y + 0.85 * text_px, text_px, Anchor::Start);
            canvas.text(text.haloed((ground.dark)(&r)));
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
