//! The text of DS9 regions: statements, their numbers, frames and shapes.

use crate::maps::position::sexagesimal as angle;
use crate::maps::wcs::System;
use crate::maps::{Form, Frame, Length, RingForm, Shape, Sign, SkyPosition, Spot};

/// What is wrong with a statement.
pub(super) type Problem = String;

/// Coordinates of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Coordinates {
    /// A frame that positions have in this program.
    Sky(Frame),
    /// Another one, whose positions are turned.
    System(System),
    /// Pixels of the image.
    Image,
}

/// What a statement is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Statement {
    /// It says nothing about shapes.
    Nothing,
    /// A frame for what follows.
    Frame(Coordinates),
    /// A shape.
    Shape(Shape),
    /// A shape that cannot be drawn, by its name.
    Unknown(String),
}

/// Shapes that DS9 writes behind a `#`, as it writes comments.
const BEHIND_A_HASH: [&str; 7] = ["text", "vector", "ruler", "compass", "projection", "segment", "composite"];

/// Signs of points.
const SIGNS: [&str; 7] = ["circle", "box", "diamond", "cross", "x", "arrow", "boxcircle"];

/// Names of shapes that are known by name only.
const NOT_DRAWN: [&str; 3] = ["compass", "projection", "field"];

/// The statements of a line with the properties that stand behind them.
pub(super) fn statements(line: &str) -> Vec<(String, String)> {
    let line = line.trim();
    let (code, comment) = line.split_once('#').unwrap_or((line, ""));
    if code.trim().trim_end_matches("||").trim().is_empty() {
        let shape = comment.trim_start();
        let word: String = shape.trim_start_matches(['-', '+']).chars().take_while(char::is_ascii_alphabetic).collect();
        if BEHIND_A_HASH.contains(&word.to_lowercase().as_str()) && shape[..].contains(['(', '[']) {
            let (code, rest) = match shape.find([')', ']']) {
                Some(end) => shape.split_at(end + 1),
                None => (shape, ""),
            };
            return vec![(code.to_string(), rest.to_string())];
        }
        return Vec::new();
    }
    code.split(';')
        .map(|s| s.trim().trim_end_matches("||").trim())
        .filter(|s| !s.is_empty())
        .map(|s| (s.to_string(), comment.to_string()))
        .collect()
}

/// Reads one statement.
pub(super) fn read(statement: &str, properties: &str, coordinates: Option<Coordinates>) -> Result<Statement, Problem> {
    let lower = statement.to_lowercase();
    match lower.as_str() {
        s if s.starts_with("global") => return Ok(Statement::Nothing),
        s if s.starts_with("tile ") => return Ok(Statement::Nothing),
        "icrs" => return Ok(Statement::Frame(Coordinates::Sky(Frame::Icrs))),
        "fk5" | "j2000" => return Ok(Statement::Frame(Coordinates::System(System::Fk5 { equinox: 2000.0 }))),
        "galactic" => return Ok(Statement::Frame(Coordinates::Sky(Frame::Galactic))),
        "fk4" | "b1950" => {
            let system = System::Fk4 { equinox: 1950.0, e_terms: true };
            return Ok(Statement::Frame(Coordinates::System(system)));
        }
        "ecliptic" => return Ok(Statement::Frame(Coordinates::System(System::Ecliptic { equinox: 2000.0 }))),
        "supergalactic" => return Ok(Statement::Frame(Coordinates::System(System::Supergalactic))),
        "image" => return Ok(Statement::Frame(Coordinates::Image)),
        "physical" | "detector" | "amplifier" | "linear" | "wcs" => {
            return Err(format!("'{statement}' coordinates cannot be used"));
        }
        s if s.len() == 4 && s.starts_with("wcs") => return Err(format!("'{statement}' coordinates cannot be used")),
        _ => {}
    }
    shape(&lower, properties, coordinates)
}

/// `text={…}` of the properties of a shape.
fn name(properties: &str) -> String {
    let Some((_, rest)) = properties.split_once("text=") else { return String::new() };
    let close = match rest.chars().next() {
        Some('{') => '}',
        Some(quote @ ('"' | '\'')) => quote,
        _ => return String::new(),
    };
    rest[1..].split(close).next().unwrap_or_default().to_string()
}

/// `point=cross` of the properties of a point.
fn sign(properties: &str) -> Sign {
    let style = properties.split_once("point=").map_or("", |(_, rest)| rest.split_whitespace().next().unwrap_or(""));
    match style.to_lowercase().as_str() {
        "box" | "boxcircle" => Sign::Square,
        "diamond" => Sign::Diamond,
        "cross" | "arrow" => Sign::Plus,
        "x" => Sign::Cross,
        _ => Sign::Circle,
    }
}

fn shape(statement: &str, properties: &str, coordinates: Option<Coordinates>) -> Result<Statement, Problem> {
    let (excluded, statement) = match statement.strip_prefix(['-', '!']) {
        Some(rest) => (true, rest.trim_start()),
        None => (false, statement.strip_prefix('+').unwrap_or(statement).trim_start()),
    };
    let end = statement.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(statement.len());
    let (kind, arguments) = statement.split_at(end);
    let no_shape = || format!("'{statement}' is not a shape such as circle(83.63,22.01,0.5)");
    let arguments = arguments.trim();
    // An older spelling of points: cross point 83.63 22.01.
    if let Some(place) = arguments.strip_prefix("point").filter(|_| SIGNS.contains(&kind)) {
        return shape(
            &format!("{}point {place}", if excluded { "-" } else { "" }),
            &format!("point={kind} {properties}"),
            coordinates,
        );
    }
    if kind.is_empty() || arguments.is_empty() {
        return Err(no_shape());
    }
    let arguments = match arguments.strip_prefix(['(', '[']) {
        Some(rest) => rest.strip_suffix([')', ']']).ok_or_else(no_shape)?,
        // DS9 takes them without, too: circle 100 100 10.
        None if arguments.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => arguments,
        None => return Err(no_shape()),
    };
    // n=3: how many rings there are between the first and the last one.
    let (counts, values): (Vec<&str>, Vec<&str>) = arguments
        .split(|c: char| c == ',' || c.is_whitespace())
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .partition(|s| s.starts_with("n="));
    if kind == "composite" {
        return Ok(Statement::Nothing);
    }
    if NOT_DRAWN.contains(&kind) {
        return Ok(Statement::Unknown(kind.to_string()));
    }
    let numbers = Numbers { kind, values, rings: rings_of(&counts)?, coordinates };
    let Some((form, turned)) = numbers.form(properties)? else { return Ok(Statement::Unknown(kind.to_string())) };
    Ok(Statement::Shape(Shape { form: turn(form, turned), name: name(properties), excluded }))
}

/// The number in `n=3`.
fn rings_of(counts: &[&str]) -> Result<Option<usize>, Problem> {
    let Some(text) = counts.first() else { return Ok(None) };
    let number = text[2..].parse::<usize>().ok().filter(|n| (1..=1000).contains(n));
    number.map(Some).ok_or_else(|| format!("'{text}' is not a number of rings"))
}

/// Turns a form by an angle: north of the file's frame is not that of ours.
fn turn(mut form: Form, by_deg: f64) -> Form {
    match &mut form {
        Form::Rings { angle_deg, .. } | Form::Arrow { angle_deg, .. } => *angle_deg += by_deg,
        _ => {}
    }
    form
}

/// The numbers of a shape.
struct Numbers<'a> {
    kind: &'a str,
    values: Vec<&'a str>,
    rings: Option<usize>,
    coordinates: Option<Coordinates>,
}

impl Numbers<'_> {
    /// The form and the angle of its frame; `None` for shapes that are not known.
    fn form(&self, properties: &str) -> Result<Option<(Form, f64)>, Problem> {
        let n = self.values.len();
        let right = match self.kind {
            "circle" => n == 3,
            "annulus" => n >= 4,
            "ellipse" | "box" | "rotbox" | "rectangle" | "line" | "ruler" => n >= 4,
            "point" | "text" => n >= 2,
            "vector" => n == 4,
            "segment" => n >= 4 && n.is_multiple_of(2),
            "polygon" => n >= 6 && n.is_multiple_of(2),
            "panda" | "cpanda" => n == 8,
            "epanda" | "bpanda" => n == 10 || n == 11,
            "pie" => n == 6,
            "sector" => n == 4 || n == 6,
            _ => return Ok(None),
        };
        if self.coordinates.is_none() {
            return Err("a shape before the line that names its frame, e.g. icrs".into());
        }
        if !right {
            return Err(format!("{} with {n} numbers", self.kind));
        }
        let (center, turned) = self.spot(0)?;
        let rings = |form, sizes, angle_deg, sectors| Form::Rings { form, center, sizes, angle_deg, sectors };
        let form = match self.kind {
            "point" => Form::Point { center, sign: sign(properties) },
            "text" => Form::Text { center },
            "circle" => {
                let radius = self.positive(2)?;
                rings(RingForm::Ellipse, vec![(radius, radius)], 0.0, Vec::new())
            }
            "annulus" => {
                let radii: Vec<Length> = (2..n).map(|i| self.length(i)).collect::<Result<_, _>>()?;
                let sizes = self.between(radii.into_iter().map(|r| (r, r)).collect())?;
                rings(RingForm::Ellipse, sizes, 0.0, Vec::new())
            }
            "ellipse" | "box" | "rotbox" => {
                let form = if self.kind == "ellipse" { RingForm::Ellipse } else { RingForm::Box };
                let angle = if n % 2 == 1 { self.degrees(n - 1)? } else { 0.0 };
                let pairs: Vec<(Length, Length)> =
                    (2..n - 1).step_by(2).map(|i| self.half_sizes(i, form)).collect::<Result<_, _>>()?;
                rings(form, self.between(pairs)?, angle, Vec::new())
            }
            "panda" | "cpanda" => {
                let (inner, outer) = (self.length(5)?, self.positive(6)?);
                let sizes = steps(&[(inner, inner), (outer, outer)], self.whole(7)?)?;
                rings(RingForm::Ellipse, sizes, 0.0, self.sectors(2, 3, self.whole(4)?)?)
            }
            "epanda" | "bpanda" => {
                let form = if self.kind == "epanda" { RingForm::Ellipse } else { RingForm::Box };
                let sizes = steps(&[self.half_sizes(5, form)?, self.half_sizes(7, form)?], self.whole(9)?)?;
                let angle = if n == 11 { self.degrees(10)? } else { 0.0 };
                rings(form, sizes, angle, self.sectors(2, 3, self.whole(4)?)?)
            }
            "pie" | "sector" if n == 6 => {
                let (inner, outer) = (self.length(2)?, self.positive(3)?);
                rings(RingForm::Ellipse, vec![(inner, inner), (outer, outer)], 0.0, self.sectors(4, 5, 1)?)
            }
            // An endless sector has no outline to draw.
            "sector" => return Ok(None),
            "vector" => Form::Arrow { from: center, length: self.positive(2)?, angle_deg: self.degrees(3)? },
            "rectangle" => {
                let (opposite, _) = self.spot(2)?;
                let corners = match (center, opposite) {
                    (Spot::Pixel { x: x0, y: y0 }, Spot::Pixel { x: x1, y: y1 }) => {
                        [(x0, y0), (x1, y0), (x1, y1), (x0, y1)].map(|(x, y)| Spot::Pixel { x, y })
                    }
                    _ => return Err("a rectangle of two corners is drawn in image coordinates only".into()),
                };
                Form::Lines { corners: corners.to_vec(), closed: true }
            }
            kind => {
                let last = if ["line", "ruler"].contains(&kind) { 4 } else { n };
                let corners: Vec<Spot> =
                    (0..last).step_by(2).map(|i| self.spot(i).map(|s| s.0)).collect::<Result<_, _>>()?;
                if corners.iter().any(|c| matches!(c, Spot::Sky(_)))
                    && corners.iter().any(|c| !matches!(c, Spot::Sky(_)))
                {
                    return Err("corners on the sky and in pixels do not go together".into());
                }
                Form::Lines { corners, closed: kind == "polygon" }
            }
        };
        Ok(Some((form, turned)))
    }

    /// The position whose numbers begin there, and the angle of its frame's north in degrees.
    fn spot(&self, i: usize) -> Result<(Spot, f64), Problem> {
        let (lon, lat) = (self.values[i], self.values[i + 1]);
        let pixel = |text: &str| text.strip_suffix(['i', 'p']).unwrap_or(text).trim().parse::<f64>().ok();
        let in_pixels = self.coordinates == Some(Coordinates::Image) || lon.ends_with('i') && lat.ends_with('i');
        if lon.ends_with('p') || lat.ends_with('p') {
            return Err(format!("'{lon},{lat}': physical coordinates cannot be used"));
        }
        if in_pixels {
            let finite = |text: &str| {
                pixel(text).filter(|v| v.is_finite()).ok_or_else(|| format!("'{text}' is not a number of pixels"))
            };
            return Ok((Spot::Pixel { x: finite(lon)?, y: finite(lat)? }, 0.0));
        }
        let equatorial = match self.coordinates {
            Some(Coordinates::Sky(frame)) => frame == Frame::Icrs,
            Some(Coordinates::System(system)) => matches!(system, System::Fk4 { .. } | System::Fk5 { .. }),
            _ => false,
        };
        // Right ascensions of several parts are hours, other longitudes degrees.
        let lon_deg = if lon.contains(':') && equatorial { 15.0 * angle(lon)? } else { angle(lon)? };
        let lat_deg = angle(lat)?;
        if !(-90.0..=90.0).contains(&lat_deg) {
            return Err(format!("({lon_deg}, {lat_deg}) deg is not a place on the sky"));
        }
        Ok(match self.coordinates {
            Some(Coordinates::System(system)) => {
                let center = SkyPosition::of_system(system, lon_deg, lat_deg);
                // A little way to the north, or from the north at its pole.
                let sign = if lat_deg < 89.0 { 1.0 } else { -1.0 };
                let beside = SkyPosition::of_system(system, lon_deg, lat_deg + sign * 1e-3);
                (Spot::Sky(center), north(center, beside, sign) - 90.0)
            }
            Some(Coordinates::Sky(frame)) => (Spot::Sky(SkyPosition { lon_deg, lat_deg, frame }), 0.0),
            _ => return Err("a shape before the line that names its frame, e.g. icrs".into()),
        })
    }

    /// A size: degrees, or pixels in image coordinates and with the letters `i` and `p`.
    fn length(&self, i: usize) -> Result<Length, Problem> {
        let text = self.values[i];
        let number = |text: &str| {
            let value = text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
            value.ok_or_else(|| format!("'{text}' is not a number"))
        };
        let length = match text.strip_suffix(['i', 'p']) {
            Some(pixels) => Length::Pixels(number(pixels)?),
            None if self.coordinates == Some(Coordinates::Image)
                && text.ends_with(|c: char| c.is_ascii_digit() || c == '.') =>
            {
                Length::Pixels(number(text)?)
            }
            None => Length::Deg(angle(text)?),
        };
        match length {
            Length::Deg(v) if !(0.0..=180.0).contains(&v) => Err(format!("{v} deg is not within 0 to 180 deg")),
            Length::Pixels(v) if !(0.0..=1e9).contains(&v) => Err(format!("{v} pixels is not a size")),
            length => Ok(length),
        }
    }

    /// A size above 0.
    fn positive(&self, i: usize) -> Result<Length, Problem> {
        match self.length(i)? {
            Length::Deg(0.0) => Err("0 deg is not within 0 to 180 deg".into()),
            Length::Pixels(0.0) => Err("0 pixels is not a size".into()),
            length => Ok(length),
        }
    }

    /// Half axes of an ellipse as they are, half of the whole sides of a box.
    fn half_sizes(&self, i: usize, form: RingForm) -> Result<(Length, Length), Problem> {
        let half = |length: Length| match (form, length) {
            (RingForm::Ellipse, length) => length,
            (RingForm::Box, Length::Deg(v)) => Length::Deg(0.5 * v),
            (RingForm::Box, Length::Pixels(v)) => Length::Pixels(0.5 * v),
        };
        Ok((half(self.length(i)?), half(self.length(i + 1)?)))
    }

    /// The sizes of rings, those between the first and the last one put in where `n=` says how many there are.
    fn between(&self, sizes: Vec<(Length, Length)>) -> Result<Vec<(Length, Length)>, Problem> {
        let sizes = match (self.rings, sizes.as_slice()) {
            (Some(rings), [_, _]) => steps(&sizes, rings)?,
            _ => sizes,
        };
        let zero =
            |s: &(Length, Length)| [s.0, s.1].iter().any(|l| matches!(l, Length::Deg(0.0) | Length::Pixels(0.0)));
        if sizes.iter().all(zero) || sizes.len() == 1 && sizes.iter().any(zero) {
            return Err("0 deg is not within 0 to 180 deg".into());
        }
        Ok(sizes)
    }

    /// An angle in degrees.
    fn degrees(&self, i: usize) -> Result<f64, Problem> {
        angle(self.values[i])
    }

    /// How many rings or sectors there are.
    fn whole(&self, i: usize) -> Result<usize, Problem> {
        let text = self.values[i];
        let number = text.parse::<f64>().ok().filter(|n| (1.0..=1000.0).contains(n) && n.fract() == 0.0);
        number.map(|n| n as usize).ok_or_else(|| format!("'{text}' is not a number of rings or sectors"))
    }

    /// Where sectors begin and end.
    fn sectors(&self, from: usize, to: usize, number: usize) -> Result<Vec<f64>, Problem> {
        let (from, mut to) = (self.degrees(from)?, self.degrees(to)?);
        if !(from.abs() <= 3600.0 && to.abs() <= 3600.0) {
            return Err(format!("sectors from {from} to {to} deg"));
        }
        while to <= from {
            to += 360.0;
        }
        Ok((0..=number).map(|i| from + (to - from) * i as f64 / number as f64).collect())
    }
}

/// The sizes of a number of rings from the first to the last one.
fn steps(ends: &[(Length, Length)], rings: usize) -> Result<Vec<(Length, Length)>, Problem> {
    let [first, last] = ends else { return Err("two sizes are needed".into()) };
    let mix = |a: Length, b: Length, share: f64| match (a, b) {
        (Length::Deg(a), Length::Deg(b)) => Ok(Length::Deg(a + share * (b - a))),
        (Length::Pixels(a), Length::Pixels(b)) => Ok(Length::Pixels(a + share * (b - a))),
        _ => Err("sizes in degrees and in pixels do not go together".to_string()),
    };
    (0..=rings)
        .map(|i| {
            let share = i as f64 / rings as f64;
            Ok((mix(first.0, last.0, share)?, mix(first.1, last.1, share)?))
        })
        .collect()
}

/// Angle from the right (west) to the direction of north, given a place a little way to it (`sign` -1: away from it).
fn north(center: SkyPosition, beside: SkyPosition, sign: f64) -> f64 {
    let (lat0, lat) = (center.lat_deg.to_radians(), beside.lat_deg.to_radians());
    let dlon = (beside.lon_deg - center.lon_deg).to_radians();
    let west = -(lat.cos() * dlon.sin());
    let up = lat0.cos() * lat.sin() - lat0.sin() * lat.cos() * dlon.cos();
    (sign * up).atan2(sign * west).to_degrees()
}
