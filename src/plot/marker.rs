//! Sources marked on a map.

use super::font;
use super::mapping::SkyMapping;
use super::outline::{is_ring, joined, trace};
use super::svg::{Anchor, Canvas, Rect, Text, ink, num, path_data};
use crate::maps::{Form, Length, RingForm, Shape, Sign, SkyPosition, Spot, WcsGeom};

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
    /// An open square.
    Square,
}

impl From<Sign> for MarkerShape {
    fn from(sign: Sign) -> Self {
        match sign {
            Sign::Square => Self::Square,
            Sign::Diamond => Self::Diamond,
            Sign::Plus => Self::Plus,
            Sign::Cross => Self::Cross,
            _ => Self::Circle,
        }
    }
}

/// A marked position: a sign, a name, and if wanted a circle of that radius on the sky; or a shape of a region file.
#[derive(Debug, Clone, PartialEq)]
pub struct Marker {
    place: Spot,
    label: String,
    shape: MarkerShape,
    outline: Option<Box<Shape>>,
}

impl Marker {
    /// Where it is, the middle of a shape; NaN for one in pixels, see [`Marker::position_on`].
    pub fn position(&self) -> SkyPosition {
        match self.place {
            Spot::Sky(position) => position,
            Spot::Pixel { .. } => SkyPosition::icrs(f64::NAN, f64::NAN),
        }
    }

    /// Where it is on a map; `None` for one in pixels that lies outside of the sky.
    pub fn position_on(&self, geom: &WcsGeom) -> Option<SkyPosition> {
        match self.place {
            Spot::Sky(position) => Some(position),
            Spot::Pixel { x, y } => geom.pix_to_sky(x - 1.0, y - 1.0),
        }
    }

    /// A shape, drawn as what it is; its name stands beside it.
    ///
    /// ```
    /// use pevatron::maps::{Form, Length, RingForm, Shape, SkyPosition, Spot};
    /// use pevatron::plot::Marker;
    /// let center = Spot::Sky(SkyPosition::icrs(83.63, 22.01));
    /// let sizes = vec![(Length::Deg(0.6), Length::Deg(0.1))];
    /// let form = Form::Rings { form: RingForm::Ellipse, center, sizes, angle_deg: 30.0, sectors: vec![] };
    /// let marker = Marker::of_shape(Shape { form, name: "jet".into(), excluded: false });
    /// assert_eq!(marker.position(), SkyPosition::icrs(83.63, 22.01));
    /// ```
    pub fn of_shape(shape: Shape) -> Self {
        let sign = match &shape.form {
            Form::Point { sign, .. } => (*sign).into(),
            _ => MarkerShape::default(),
        };
        let outline = (!matches!(shape.form, Form::Point { .. })).then(|| Box::new(shape.clone()));
        Self { place: shape.center(), label: shape.name, shape: sign, outline }
    }

    /// An open circle without name.
    pub fn new(position: SkyPosition) -> Self {
        Self { place: Spot::Sky(position), label: String::new(), shape: MarkerShape::default(), outline: None }
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
        let radius = Length::Deg(radius_deg);
        let form = Form::Rings {
            form: RingForm::Ellipse,
            center: self.place,
            sizes: vec![(radius, radius)],
            angle_deg: 0.0,
            sectors: Vec::new(),
        };
        self.outline = Some(Box::new(Shape { form, name: String::new(), excluded: false }));
        self
    }

    /// True where its name is all that is drawn.
    fn is_text(&self) -> bool {
        self.outline.as_ref().is_some_and(|shape| matches!(shape.form, Form::Text { .. }))
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
    /// Where other things stand that names keep clear of.
    pub taken: &'a [Rect],
}

impl Ground<'_> {
    /// Where a spot is on the drawing.
    fn place(&self, spot: Spot) -> Option<(f64, f64)> {
        let pixel = match spot {
            Spot::Sky(position) => self.mapping.place(position)?,
            Spot::Pixel { x, y } => self.mapping.image_pixel(x - 1.0, y - 1.0),
        };
        Some((self.at)(pixel))
    }

    /// The visible lines of a shape.
    fn outline(&self, shape: &Shape) -> Vec<Vec<(f64, f64)>> {
        let (sx, sy) = self.mapping.scales_deg();
        let curves = shape.curves((sx * sy).abs().sqrt());
        joined(curves.iter().flat_map(|curve| trace(&|share| self.place(curve.at(share)), self.plot)).collect())
    }
}

/// A marker that was drawn.
struct Placed<'a> {
    marker: &'a Marker,
    /// Where its name belongs to.
    x: f64,
    y: f64,
    /// How far it reaches from there to the left, the right, up and down.
    reach: [f64; 4],
    /// Lines instead of a sign.
    lines: bool,
}

/// Draws the markers that lie on the map.
pub(super) fn draw_markers(canvas: &mut Canvas, markers: &[Marker], ground: &Ground, font_px: f64) {
    let size = font_px * 0.42;
    let text_px = font_px * 0.85;
    let around = |x: f64, y: f64, r: f64| Rect { x: x - r, y: y - r, w: 2.0 * r, h: 2.0 * r };
    let mut placed: Vec<Placed<'_>> = Vec::new();
    for marker in markers {
        let center = ground.place(marker.place).filter(|(x, y)| ground.plot.holds_point(*x, *y));
        let lines = marker.outline.as_ref().map_or_else(Vec::new, |shape| ground.outline(shape));
        let excluded = marker.outline.as_ref().is_some_and(|shape| shape.excluded);
        let data: String = match (&marker.outline, center) {
            (Some(_), _) if !lines.is_empty() => lines.iter().map(|l| path_data(l, is_ring(l))).collect(),
            (None, Some((x, y))) => sign(marker.shape, x, y, size),
            _ => String::new(),
        };
        let seen = lines.iter().flatten().filter(|(x, y)| ground.plot.holds_point(*x, *y));
        let (x, y) = match center {
            Some(center) => center,
            // Of a shape whose middle is not on the map, the middle of what is seen.
            None => {
                let (n, sum) = seen.clone().fold((0.0, (0.0, 0.0)), |(n, s), p| (n + 1.0, (s.0 + p.0, s.1 + p.1)));
                if n == 0.0 {
                    continue;
                }
                (sum.0 / n, sum.1 / n)
            }
        };
        // A name beside the middle of what is seen is near enough.
        let mut reach = [size; 4];
        for (px, py) in seen.filter(|_| center.is_some()) {
            for (far, d) in reach.iter_mut().zip([x - px, px - x, y - py, py - y]) {
                *far = far.max(d);
            }
        }
        let (fill, halo) = if (ground.dark)(&around(x, y, size)) && lines.is_empty() {
            (ink::WHITE, ink::BLACK)
        } else {
            (ink::BLACK, ink::WHITE)
        };
        let dash = if excluded { format!(r#" stroke-dasharray="{0} {0}""#, num(font_px / 3.0)) } else { String::new() };
        for (colour, stroke, opacity) in [(halo, 3.6, 0.8), (fill, 1.6, 1.0)] {
            let stroke = num(stroke * font_px / 18.0);
            let cap = if excluded { "butt" } else { "round" };
            canvas.path(
                &data,
                &format!(
                    r#"fill="none" stroke="{colour}" stroke-width="{stroke}" stroke-opacity="{opacity}" stroke-linecap="{cap}"{dash}"#
                ),
            );
        }
        placed.push(Placed { marker, x, y, reach, lines: !lines.is_empty() });
    }
    // Outlines are large; only signs keep names away.
    let signs = placed.iter().filter(|p| !p.lines && !p.marker.is_text());
    let mut taken: Vec<Rect> = signs.map(|p| around(p.x, p.y, size)).chain(ground.taken.iter().copied()).collect();
    for Placed { marker, x, y, reach, lines } in &placed {
        if marker.label.is_empty() {
            continue;
        }
        let width = font::text_width_px(&marker.label, text_px);
        let gaps = reach.map(|far| far + 0.25 * font_px);
        let slants = gaps.map(|gap| 0.72 * gap);
        // Corner of the text's box against the marker.
        let right = (gaps[1], -0.5 * text_px);
        let left = (-gaps[0] - width, -0.5 * text_px);
        let (above, below) = ((-0.5 * width, -gaps[2] - text_px), (-0.5 * width, gaps[3]));
        let corners = [
            (slants[1], -slants[2] - text_px),
            (slants[1], slants[3]),
            (-slants[0] - width, -slants[2] - text_px),
            (-slants[0] - width, slants[3]),
        ];
        let middle = (-0.5 * width, -0.5 * text_px);
        let sides = if *lines { [above, below, right, left] } else { [right, left, above, below] };
        let beside = [sides[0], corners[0], corners[1], sides[1], corners[2], corners[3], sides[2], sides[3], middle];
        // Within a shape that fills the map the name has no place but its middle.
        let spots = match (marker.is_text(), *lines) {
            (true, _) => &beside[8..],
            (false, true) => &beside[..],
            (false, false) => &beside[..8],
        };
        let spot = spots
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
        MarkerShape::Square => path_data(&[(x - d, y - d), (x + d, y - d), (x + d, y + d), (x - d, y + d)], true),
        MarkerShape::Diamond => path_data(&[(x - r, y), (x, y - r), (x + r, y), (x, y + r)], true),
    }
}
