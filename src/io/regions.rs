//! DS9 regions: shapes on the sky, in files or as text.

use std::path::Path;

use crate::error::{Error, Place, Result};
use crate::maps::{Frame, SkyPosition, SkyRegion};

/// A region and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedRegion {
    /// The region.
    pub region: SkyRegion,
    /// `text={…}`; may be empty.
    pub name: String,
}

/// Reads a DS9 region file (`icrs`, `fk5` taken as icrs, `galactic`; circle, annulus, ellipse, box,
/// polygon, point).
///
/// # Errors
/// [`Error::Input`] with the line for other shapes, pixel coordinates and numbers that cannot be read.
pub fn read_regions(path: impl AsRef<Path>) -> Result<Vec<NamedRegion>> {
    let path = path.as_ref();
    let text = super::input::read_text(path, "a region file is text, this is not")?;
    parse(&text).map_err(|e| e.at(&Place::file(path)))
}

/// One region from text as DS9 writes it, e.g. `icrs; circle(83.63, 22.01, 0.11)`; without a frame, in `frame`. Several
/// shapes are a union.
///
/// ```
/// use pevatron::io::parse_region;
/// use pevatron::maps::Frame;
/// let region = parse_region("circle(83.63, 22.01, 0.11)", Frame::Icrs)?;
/// assert_eq!(region.radius_deg(), Some(0.11));
/// # Ok::<(), pevatron::Error>(())
/// ```
///
/// # Errors
/// [`Error::Options`] for text that is no region.
pub fn parse_region(text: &str, frame: Frame) -> Result<SkyRegion> {
    let wrong =
        |problem: String| Error::options("region", problem).with_help("e.g. 'icrs; circle(83.63, 22.01, 0.11)'");
    let found = parse_in(text, Some(frame)).map_err(|e| wrong(e.to_string()))?;
    let mut regions: Vec<SkyRegion> = found.into_iter().map(|r| r.region).collect();
    match regions.len() {
        0 => Err(wrong(format!("'{text}' is no region"))),
        1 => Ok(regions.remove(0)),
        _ => SkyRegion::Union(regions).checked(),
    }
}

fn parse(text: &str) -> Result<Vec<NamedRegion>> {
    parse_in(text, None)
}

fn parse_in(text: &str, mut frame: Option<Frame>) -> Result<Vec<NamedRegion>> {
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

fn shape(statement: &str, frame: Option<Frame>, name: &str) -> std::result::Result<NamedRegion, String> {
    let frame = frame.ok_or("a shape before the line that names its frame, e.g. icrs")?;
    let (kind, arguments) = statement
        .split_once('(')
        .and_then(|(k, a)| Some((k.trim(), a.trim().strip_suffix(')')?)))
        .ok_or_else(|| format!("'{statement}' is no shape such as circle(83.63,22.01,0.5)"))?;
    let values: Vec<&str> = arguments.split(',').map(str::trim).collect();
    let right = match kind {
        "circle" => values.len() == 3,
        "annulus" => values.len() == 4,
        "ellipse" | "box" => values.len() == 5,
        "point" => values.len() == 2,
        "polygon" => values.len() >= 6 && values.len().is_multiple_of(2),
        other => return Err(format!("'{other}' is not one of circle, annulus, ellipse, box, polygon, point")),
    };
    if !right {
        return Err(format!("{kind} with {} numbers", values.len()));
    }
    let center = position(values[0], values[1], frame)?;
    let size = |i: usize| angle(values[i]);
    let region = match kind {
        "circle" => SkyRegion::Circle { center, radius_deg: size(2)? },
        "annulus" => SkyRegion::Annulus { center, inner_deg: size(2)?, outer_deg: size(3)? },
        // DS9 has half axes of ellipses and whole sides of boxes.
        "ellipse" => {
            SkyRegion::Ellipse { center, width_deg: 2.0 * size(2)?, height_deg: 2.0 * size(3)?, angle_deg: size(4)? }
        }
        "box" => SkyRegion::Rectangle { center, width_deg: size(2)?, height_deg: size(3)?, angle_deg: size(4)? },
        "polygon" => {
            let corners = values.chunks_exact(2).map(|c| position(c[0], c[1], frame));
            SkyRegion::Polygon { vertices: corners.collect::<std::result::Result<_, _>>()? }
        }
        _ => SkyRegion::Point { center },
    };
    let region = region.checked().map_err(|e| e.to_string())?;
    Ok(NamedRegion { region, name: name.to_string() })
}

fn position(lon: &str, lat: &str, frame: Frame) -> std::result::Result<SkyPosition, String> {
    let lon_deg = if lon.contains(':') { 15.0 * sexagesimal(lon)? } else { angle(lon)? };
    let lat_deg = if lat.contains(':') { sexagesimal(lat)? } else { angle(lat)? };
    if !(-90.0..=90.0).contains(&lat_deg) {
        return Err(format!("({lon_deg}, {lat_deg}) deg is no place on the sky"));
    }
    Ok(SkyPosition { lon_deg, lat_deg, frame })
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
        assert_eq!((regions[0].name.as_str(), regions[0].region.radius_deg()), ("Crab (M1)", Some(0.5)));
        let p = regions[1].region.center();
        assert!((p.lon_deg - 83.633_083_333).abs() < 1e-8 && (p.lat_deg + 22.0145).abs() < 1e-9, "{p:?}");
        assert_eq!((regions[2].region.center().frame, regions[2].name.as_str()), (Frame::Galactic, "x y"));
        assert!((regions[2].region.extent_deg() - 1.0 / 60.0).abs() < 1e-12);
        let more = "icrs; box(1,2,3,4,5); annulus(1,2,0.3,0.4); polygon(0,0, 1,0, 1,1)";
        assert!(matches!(parse_region(more, Frame::Icrs).unwrap(), SkyRegion::Union(parts) if parts.len() == 3));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, wanted) in [
            ("circle(1,2,3)", "before the line that names its frame"),
            ("image\ncircle(1,2,3)", "line 1"),
            ("icrs\npanda(1,2,3,4,5)", "'panda' is not one of"),
            ("icrs\ncircle(1,2)", "circle with 2 numbers"),
            ("icrs\ncircle(1,95,1)", "no place"),
            ("icrs\ncircle(1,2,-1)", "within 0 to 180"),
            ("icrs\ncircle(1,x,1)", "'x' is no number"),
            ("icrs\nhello", "no shape"),
            ("icrs\npoint(1:2:3:4,1)", "1:2:3:4"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
