//! Shapes that are drawn over maps, as region files have them: on the sky, or on the pixels of an image.

use super::frame::SkyPosition;
use super::sky_region::SkyRegion;
#[cfg(feature = "yaml")]
use super::wcs::System;
use super::wcs::rotation::{lonlat_of, vector_of};
use crate::error::{Error, Result};

/// Length of the strokes of an arrow's head, as a part of the arrow, and their angle to it.
const ARROW_HEAD: (f64, f64) = (0.15, 30.0);

/// A place of a shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spot {
    /// On the sky.
    Sky(SkyPosition),
    /// In pixels of the image that it is drawn over, the centre of the first pixel at (1, 1) as in FITS.
    Pixel {
        /// Along the rows.
        x: f64,
        /// Along the columns.
        y: f64,
    },
}

/// A length of a shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// Degrees on the sky.
    Deg(f64),
    /// Pixels of the image.
    Pixels(f64),
}

/// How the sign of a point looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sign {
    /// A small circle.
    #[default]
    Circle,
    /// A small square.
    Square,
    /// A small square on its tip.
    Diamond,
    /// An upright cross.
    Plus,
    /// A diagonal cross.
    Cross,
}

/// What a ring is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingForm {
    /// Ellipses, or circles where the half axes are equal.
    Ellipse,
    /// Rectangles.
    Box,
}

/// The form of a shape.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Form {
    /// A sign.
    Point {
        /// Where.
        center: Spot,
        /// Its look.
        sign: Sign,
    },
    /// Its name alone.
    Text {
        /// The middle of the text.
        center: Spot,
    },
    /// Straight lines (great circles on the sky) from corner to corner.
    Lines {
        /// The corners in order.
        corners: Vec<Spot>,
        /// Whether a line leads from the last to the first: a polygon.
        closed: bool,
    },
    /// An arrow.
    Arrow {
        /// Its foot.
        from: Spot,
        /// From there to its tip.
        length: Length,
        /// Direction in degrees, as the angles of rings.
        angle_deg: f64,
    },
    /// Ellipses or rectangles with one centre, and sectors of them: circles, annuli, ellipses, boxes, pies.
    Rings {
        /// Ellipses or rectangles.
        form: RingForm,
        /// Centre of all.
        center: Spot,
        /// Half axes, or half sides, the smallest first.
        sizes: Vec<(Length, Length)>,
        /// Angle of the first half axis in degrees, from the right (west) anti-clockwise (to the north).
        angle_deg: f64,
        /// Where sectors begin and end, in degrees from the first half axis; empty for whole rings.
        sectors: Vec<f64>,
    },
}

/// A shape to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// What it is and where.
    pub form: Form,
    /// Text beside it; may be empty.
    pub name: String,
    /// Taken out of the others (a minus in front of it): drawn with broken lines.
    pub excluded: bool,
}

/// A line of an outline, from one end (share 0) to the other one (share 1).
#[derive(Debug, Clone, PartialEq)]
pub enum Curve {
    /// The great circle, or the straight line in pixels, between two places of one kind.
    Side {
        /// Where it begins.
        from: Spot,
        /// Where it ends.
        to: Spot,
    },
    /// A part of an ellipse around a place.
    Arc {
        /// Centre.
        center: Spot,
        /// Half axes in degrees, or in pixels where the centre is in pixels.
        half_axes: (f64, f64),
        /// Angle of the first one in degrees.
        angle_deg: f64,
        /// Where the arc begins and ends, in degrees from the first half axis.
        range_deg: (f64, f64),
    },
}

#[cfg(feature = "yaml")]
impl SkyPosition {
    /// A position of another system, turned to the frame that its maps are turned to.
    pub(crate) fn of_system(system: System, lon_deg: f64, lat_deg: f64) -> Self {
        let (lon_deg, lat_deg) = lonlat_of(system.turn(vector_of(lon_deg, lat_deg)));
        Self { lon_deg, lat_deg, frame: system.target() }
    }
}

impl Spot {
    /// The place in the distance (degrees or pixels, as the place itself) at an angle in degrees, from the right (west)
    /// to the top (north).
    fn toward(self, distance: f64, angle_deg: f64) -> Self {
        let (sin, cos) = angle_deg.to_radians().sin_cos();
        match self {
            Self::Pixel { x, y } => Self::Pixel { x: x + distance * cos, y: y + distance * sin },
            Self::Sky(center) => {
                let (sin_r, cos_r) = distance.to_radians().sin_cos();
                on_sphere(center, cos_r, sin_r * cos, sin_r * sin)
            }
        }
    }

    /// The place at offsets in the plane that touches the sphere, whose sides are `tan`; in pixels the offsets
    /// themselves.
    fn offset(self, along: f64, across: f64, angle_deg: f64) -> Self {
        let (sin, cos) = angle_deg.to_radians().sin_cos();
        match self {
            Self::Pixel { x, y } => {
                Self::Pixel { x: x + along * cos - across * sin, y: y + along * sin + across * cos }
            }
            Self::Sky(center) => {
                let tan = |v: f64| v.clamp(-89.9, 89.9).to_radians().tan();
                let (u, v) = (tan(along), tan(across));
                on_sphere(center, 1.0, u * cos - v * sin, u * sin + v * cos)
            }
        }
    }
}

/// The direction that is made of parts along a centre, to its west and to its north.
fn on_sphere(center: SkyPosition, along: f64, west: f64, north: f64) -> Spot {
    let c = vector_of(center.lon_deg, center.lat_deg);
    let ((sin_lon, cos_lon), (sin_lat, cos_lat)) =
        (center.lon_deg.to_radians().sin_cos(), center.lat_deg.to_radians().sin_cos());
    let to_west = [sin_lon, -cos_lon, 0.0];
    let to_north = [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat];
    let v: [f64; 3] = std::array::from_fn(|i| along * c[i] + west * to_west[i] + north * to_north[i]);
    let (lon_deg, lat_deg) = lonlat_of(v);
    Spot::Sky(SkyPosition { lon_deg, lat_deg, frame: center.frame })
}

impl Curve {
    /// The place at a share of the way.
    pub fn at(&self, share: f64) -> Spot {
        match self {
            Self::Side { from, to } => between(*from, *to, share),
            Self::Arc { center, half_axes: (a, b), angle_deg, range_deg: (from, to) } => {
                let theta = from + share * (to - from);
                center.toward(ellipse_radius(*a, *b, theta), angle_deg + theta)
            }
        }
    }
}

/// Distance of an ellipse from its centre at an angle from the first half axis.
fn ellipse_radius(a: f64, b: f64, theta_deg: f64) -> f64 {
    let (sin, cos) = theta_deg.to_radians().sin_cos();
    if a == b { a } else { a * b / (b * cos).hypot(a * sin) }
}

/// The place on the way from one to another.
fn between(from: Spot, to: Spot, share: f64) -> Spot {
    match (from, to) {
        (Spot::Sky(a), Spot::Sky(b)) => {
            let b = b.to_frame(a.frame);
            let angle = a.separation_deg(b).to_radians();
            let (p, q) = (vector_of(a.lon_deg, a.lat_deg), vector_of(b.lon_deg, b.lat_deg));
            let (wp, wq) = if angle < 1e-9 {
                (1.0 - share, share)
            } else {
                (((1.0 - share) * angle).sin() / angle.sin(), (share * angle).sin() / angle.sin())
            };
            let (lon_deg, lat_deg) = lonlat_of(std::array::from_fn(|i| wp * p[i] + wq * q[i]));
            Spot::Sky(SkyPosition { lon_deg, lat_deg, frame: a.frame })
        }
        (Spot::Pixel { x: x0, y: y0 }, Spot::Pixel { x: x1, y: y1 }) => {
            Spot::Pixel { x: x0 + share * (x1 - x0), y: y0 + share * (y1 - y0) }
        }
        (from, to) => {
            if share < 0.5 {
                from
            } else {
                to
            }
        }
    }
}

impl Shape {
    /// The middle: the centre, or that of the corners.
    pub fn center(&self) -> Spot {
        match &self.form {
            Form::Point { center, .. } | Form::Text { center } | Form::Rings { center, .. } => *center,
            Form::Arrow { from, .. } => *from,
            Form::Lines { corners, .. } => middle(corners),
        }
    }

    /// The curves of its outline, none of points and texts; `scale_deg`: degrees per pixel where lengths and places are
    /// in different units.
    pub fn curves(&self, scale_deg: f64) -> Vec<Curve> {
        match &self.form {
            Form::Point { .. } | Form::Text { .. } => Vec::new(),
            Form::Lines { corners, closed } => {
                let sides = corners.windows(2).map(|pair| Curve::Side { from: pair[0], to: pair[1] });
                let last = match (corners.first(), corners.last()) {
                    (Some(first), Some(last)) if *closed => Some(Curve::Side { from: *last, to: *first }),
                    _ => None,
                };
                sides.chain(last).collect()
            }
            Form::Arrow { from, length, angle_deg } => {
                let length = in_units_of(*from, *length, scale_deg);
                let tip = from.toward(length, *angle_deg);
                let (head, (sin, cos)) = (ARROW_HEAD.0 * length, ARROW_HEAD.1.to_radians().sin_cos());
                let stroke = |sign: f64| {
                    let (along, across) = (length - head * cos, sign * head * sin);
                    let turn = across.atan2(along).to_degrees();
                    Curve::Side { from: tip, to: from.toward(along.hypot(across), angle_deg + turn) }
                };
                vec![Curve::Side { from: *from, to: tip }, stroke(1.0), stroke(-1.0)]
            }
            Form::Rings { form, center, sizes, angle_deg, sectors } => {
                let sizes: Vec<(f64, f64)> = sizes
                    .iter()
                    .map(|(a, b)| (in_units_of(*center, *a, scale_deg), in_units_of(*center, *b, scale_deg)))
                    .collect();
                let ends = sectors.first().zip(sectors.last()).map(|(a, b)| (*a, *b));
                let range = ends.filter(|(a, b)| b - a < 360.0).unwrap_or((0.0, 360.0));
                let ring = Ring { form: *form, center: *center, angle_deg: *angle_deg };
                let mut curves: Vec<Curve> =
                    sizes.iter().filter(|s| s.0 > 0.0 && s.1 > 0.0).flat_map(|s| ring.outline(*s, range)).collect();
                if let (Some(inner), Some(outer)) = (sizes.first(), sizes.last()) {
                    // One ring alone is a pie: its sides begin in the centre.
                    let inner = if sizes.len() > 1 { *inner } else { (0.0, 0.0) };
                    curves.extend(
                        sectors.iter().map(|a| Curve::Side { from: ring.at(inner, *a), to: ring.at(*outer, *a) }),
                    );
                }
                curves
            }
        }
    }

    /// The same as a region of the sky, which can be asked for what lies inside.
    ///
    /// # Errors
    /// [`Error::Options`] for shapes on pixels, without an inside, of more than two rings, excluded ones, and sizes that
    /// make no sense.
    pub fn region(&self) -> Result<SkyRegion> {
        let wrong = |problem: &str| Error::options("region", problem);
        let sky = |spot: &Spot| match spot {
            Spot::Sky(position) => Ok(*position),
            Spot::Pixel { .. } => Err(wrong("it is in pixels, a region of the sky is needed")),
        };
        let deg = |length: &Length| match length {
            Length::Deg(v) => Ok(*v),
            Length::Pixels(_) => Err(wrong("a size is in pixels, degrees are needed")),
        };
        if self.excluded {
            return Err(wrong("an excluded region (with a minus) cannot be used here"));
        }
        let region = match &self.form {
            Form::Point { center, .. } => SkyRegion::Point { center: sky(center)? },
            Form::Lines { corners, closed: true } => {
                SkyRegion::Polygon { vertices: corners.iter().map(sky).collect::<Result<_>>()? }
            }
            Form::Rings { form, center, sizes, angle_deg, sectors } if sectors.is_empty() => {
                let center = sky(center)?;
                let sizes: Vec<(f64, f64)> =
                    sizes.iter().map(|(a, b)| Ok((deg(a)?, deg(b)?))).collect::<Result<_>>()?;
                match (form, sizes.as_slice()) {
                    (RingForm::Ellipse, [(a, b)]) if a == b => SkyRegion::Circle { center, radius_deg: *a },
                    (RingForm::Ellipse, [(a, b), (c, d)]) if a == b && c == d => {
                        SkyRegion::Annulus { center, inner_deg: *a, outer_deg: *c }
                    }
                    (RingForm::Ellipse, [(a, b)]) => {
                        SkyRegion::Ellipse { center, width_deg: 2.0 * a, height_deg: 2.0 * b, angle_deg: *angle_deg }
                    }
                    (RingForm::Box, [(a, b)]) => {
                        SkyRegion::Rectangle { center, width_deg: 2.0 * a, height_deg: 2.0 * b, angle_deg: *angle_deg }
                    }
                    _ => return Err(wrong("several rings of this kind cannot be used, one is needed")),
                }
            }
            Form::Rings { .. } => return Err(wrong("sectors cannot be used")),
            Form::Text { .. } | Form::Lines { .. } | Form::Arrow { .. } => return Err(wrong("a line has no inside")),
        };
        region.checked()
    }
}

/// A length in degrees for a place on the sky, else in pixels.
fn in_units_of(spot: Spot, length: Length, scale_deg: f64) -> f64 {
    match (spot, length) {
        (Spot::Sky(_), Length::Deg(v)) | (Spot::Pixel { .. }, Length::Pixels(v)) => v,
        (Spot::Sky(_), Length::Pixels(v)) => v * scale_deg,
        (Spot::Pixel { .. }, Length::Deg(v)) => v / scale_deg,
    }
}

/// The mean of corners.
fn middle(corners: &[Spot]) -> Spot {
    let sky: Vec<SkyPosition> = corners
        .iter()
        .filter_map(|c| match c {
            Spot::Sky(p) => Some(*p),
            Spot::Pixel { .. } => None,
        })
        .collect();
    if sky.len() == corners.len() {
        return Spot::Sky(SkyRegion::Polygon { vertices: sky }.center());
    }
    let pixels = corners.iter().filter_map(|c| match c {
        Spot::Pixel { x, y } => Some((*x, *y)),
        Spot::Sky(_) => None,
    });
    let (n, x, y) = pixels.fold((0.0, 0.0, 0.0), |(n, sx, sy), (x, y)| (n + 1.0, sx + x, sy + y));
    Spot::Pixel { x: x / n, y: y / n }
}

/// Where the rings of a shape lie.
struct Ring {
    form: RingForm,
    center: Spot,
    angle_deg: f64,
}

impl Ring {
    /// The place of a ring of these half axes at an angle from the first one.
    fn at(&self, (a, b): (f64, f64), theta_deg: f64) -> Spot {
        if a == 0.0 || b == 0.0 {
            return self.center;
        }
        match self.form {
            RingForm::Ellipse => self.center.toward(ellipse_radius(a, b, theta_deg), self.angle_deg + theta_deg),
            RingForm::Box => {
                let (sin, cos) = theta_deg.to_radians().sin_cos();
                let reach = (a / cos.abs()).min(b / sin.abs());
                let near = |v: f64, half: f64| if (v.abs() - half).abs() < 1e-9 * half { half.copysign(v) } else { v };
                self.center.offset(near(reach * cos, a), near(reach * sin, b), self.angle_deg)
            }
        }
    }

    /// Its outline within a range of angles.
    fn outline(&self, (a, b): (f64, f64), (from, to): (f64, f64)) -> Vec<Curve> {
        match self.form {
            RingForm::Ellipse => {
                vec![Curve::Arc {
                    center: self.center,
                    half_axes: (a, b),
                    angle_deg: self.angle_deg,
                    range_deg: (from, to),
                }]
            }
            RingForm::Box => {
                let corner = b.atan2(a).to_degrees();
                let corners = [corner, 180.0 - corner, 180.0 + corner, 360.0 - corner];
                let turns = (from / 360.0).floor() as i32..=(to / 360.0).ceil() as i32;
                let mut stops: Vec<f64> = turns
                    .flat_map(|turn| corners.map(|c| c + 360.0 * f64::from(turn)))
                    .filter(|c| *c > from && *c < to)
                    .collect();
                stops.insert(0, from);
                stops.push(to);
                stops
                    .windows(2)
                    .map(|pair| Curve::Side { from: self.at((a, b), pair[0]), to: self.at((a, b), pair[1]) })
                    .collect()
            }
        }
    }
}
