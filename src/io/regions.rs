//! DS9 region files: circles, ellipses and points on the sky.

use std::path::Path;

use crate::error::{Error, Place, Result};
use crate::maps::{Frame, SkyPosition};

/// A region: its centre, its size, its name.
#[derive(Debug, Clone, PartialEq)]
pub struct SkyRegion {
    /// Centre.
    pub center: SkyPosition,
    /// Radius of a circle, larger half axis of an ellipse, in degrees; `None` for a point.
    pub radius_deg: Option<f64>,
    /// `text={…}`; may be empty.
    pub name: String,
}

/// Reads a DS9 region file (`icrs`, `fk5` taken as icrs, `galactic`; circle, ellipse, point).
///
/// # Errors
/// [`Error::Input`] with the line for other shapes, pixel coordinates and numbers that cannot be read.
pub fn read_regions(path: impl AsRef<Path>) -> Result<Vec<SkyRegion>> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::input_at(Place::file(path), "there is no such file"),
        std::io::ErrorKind::InvalidData => Error::input_at(Place::file(path), "a region file is text, this is not"),
        _ => Error::io(path, e),
    })?;
    parse(&text).map_err(|e| e.at(&Place::file(path)))
}

/// The regions of a text in the format of DS9, e.g. `icrs;circle(83.63,22.01,0.2)`.
///
/// # Errors
/// As [`read_regions`].
pub fn parse_regions(text: &str) -> Result<Vec<SkyRegion>> {
    parse(text)
}

fn parse(text: &str) -> Result<Vec<SkyRegion>> {
    let mut frame = None;
    let mut regions = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (code, comment) = line.split_once('#').unwrap_or((line, ""));
        for statement in code.split(';').map(str::trim).filter(|s| !s.is_empty()) {
            let wrong = |problem: String| Error::input(format!("line {}", number + 1), problem);
            match statement.to_lowercase().as_str() {
                "icrs" | "fk5" | "j2000" => frame = Some(Frame::Icrs),
                "galactic" => frame = Some(Frame::Galactic),
                "image" | "physical" | "fk4" | "ecliptic" => {
                    return Err(wrong(format!("'{statement}' coordinates cannot be used"))
                        .with_help("save the regions as icrs or galactic, in degrees"));
                }
                s if s.starts_with("global") => {}
                s => regions.push(shape(s, frame, &name(comment)).map_err(wrong)?),
            }
        }
    }
    Ok(regions)
}

/// `text={…}` of the comment behind a shape.
fn name(comment: &str) -> String {
    let Some((_, rest)) = comment.split_once("text=") else { return String::new() };
    let close = match rest.chars().next() {
        Some('{') => '}',
        Some(quote @ ('"' | '\'')) => quote,
        _ => return String::new(),
    };
    rest[1..].split(close).next().unwrap_or_default().to_string()
}

fn shape(statement: &str, frame: Option<Frame>, name: &str) -> std::result::Result<SkyRegion, String> {
    let frame = frame.ok_or("a shape before the line that names its frame, e.g. icrs")?;
    let (kind, arguments) = statement
        .split_once('(')
        .and_then(|(k, a)| Some((k.trim(), a.trim().strip_suffix(')')?)))
        .ok_or_else(|| format!("'{statement}' is no shape such as circle(83.63,22.01,0.5)"))?;
    let values: Vec<&str> = arguments.split(',').map(str::trim).collect();
    let count = match kind {
        "circle" => 3,
        "ellipse" => 5,
        "point" => 2,
        other => return Err(format!("'{other}' is not one of circle, ellipse, point")),
    };
    if values.len() != count {
        return Err(format!("{kind} has {} numbers, not {count}", values.len()));
    }
    let lon_deg = match values[0].contains(':') {
        true => 15.0 * sexagesimal(values[0])?,
        false => angle(values[0])?,
    };
    let lat_deg = if values[1].contains(':') { sexagesimal(values[1])? } else { angle(values[1])? };
    if !(-90.0..=90.0).contains(&lat_deg) {
        return Err(format!("({lon_deg}, {lat_deg}) deg is no place on the sky"));
    }
    let radius_deg = match kind {
        "circle" => Some(angle(values[2])?),
        "ellipse" => Some(angle(values[2])?.max(angle(values[3])?)),
        _ => None,
    };
    if radius_deg.is_some_and(|r| r <= 0.0) {
        return Err("a size must be positive".to_string());
    }
    Ok(SkyRegion { center: SkyPosition { lon_deg, lat_deg, frame }, radius_deg, name: name.to_string() })
}

/// Degrees; `"` are arcseconds and `'` are arcminutes.
fn angle(text: &str) -> std::result::Result<f64, String> {
    let (number, scale) = match text.as_bytes().last() {
        Some(b'"') => (&text[..text.len() - 1], 1.0 / 3600.0),
        Some(b'\'') => (&text[..text.len() - 1], 1.0 / 60.0),
        Some(b'd') => (&text[..text.len() - 1], 1.0),
        _ => (text, 1.0),
    };
    let value = number.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    value.map(|v| v * scale).ok_or_else(|| format!("'{text}' is no number"))
}

/// `5:34:31.9` or `-22:00:52`.
fn sexagesimal(text: &str) -> std::result::Result<f64, String> {
    let wrong = || format!("'{text}' is no number of the form 5:34:31.9");
    let negative = text.trim_start().starts_with('-');
    let mut value = 0.0;
    let mut scale = 1.0;
    let mut parts = 0;
    for part in text.trim().trim_start_matches(['-', '+']).split(':') {
        let number: f64 = part.parse().map_err(|_| wrong())?;
        value += number * scale;
        scale /= 60.0;
        parts += 1;
    }
    if parts > 3 || !f64::is_finite(value) {
        return Err(wrong());
    }
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_ds9() {
        let text = "# Region file format: DS9 version 4.1\nglobal color=green\nicrs\ncircle(83.63,22.01,0.5) # text={Crab (M1)}\n\
                    point(5:34:31.94, -22:00:52.2) # point=cross\ngalactic; ellipse(0.1,-0.2,30\",1',45) # text=\"x y\"\n";
        let regions = parse(text).unwrap();
        assert_eq!(regions.len(), 3);
        assert_eq!((regions[0].name.as_str(), regions[0].radius_deg), ("Crab (M1)", Some(0.5)));
        let p = regions[1].center;
        assert!((p.lon_deg - 83.633_083_333).abs() < 1e-8 && (p.lat_deg + 22.0145).abs() < 1e-9, "{p:?}");
        assert_eq!((regions[2].center.frame, regions[2].name.as_str()), (Frame::Galactic, "x y"));
        assert!((regions[2].radius_deg.unwrap() - 1.0 / 60.0).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, wanted) in [
            ("circle(1,2,3)", "before the line that names its frame"),
            ("image\ncircle(1,2,3)", "line 1"),
            ("icrs\nbox(1,2,3,4,5)", "'box' is not one of"),
            ("icrs\ncircle(1,2)", "2 numbers, not 3"),
            ("icrs\ncircle(1,95,1)", "no place"),
            ("icrs\ncircle(1,2,-1)", "positive"),
            ("icrs\ncircle(1,x,1)", "'x' is no number"),
            ("icrs\nhello", "no shape"),
            ("icrs\npoint(1:2:3:4,1)", "1:2:3:4"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
