//! DS9 regions: shapes on the sky, in files or as text.

mod text;

use std::path::Path;

use text::{Coordinates, Statement, read, statements};

use crate::error::{Error, Place, Result};
use crate::maps::{Frame, Shape, SkyRegion};

/// A region and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedRegion {
    /// The region.
    pub region: SkyRegion,
    /// `text={…}`; may be empty.
    pub name: String,
}

/// The shapes of a DS9 region file, to be drawn: circles, annuli, ellipses, boxes, sectors (`panda`, `pie`), polygons,
/// lines, arrows, points and texts, in the frames `icrs`, `fk5`, `fk4`, `galactic`, `ecliptic`, `supergalactic` and in pixels
/// (`image`). Also returns what its user should be told: shapes that are not drawn.
///
/// # Errors
/// [`Error::Input`] with the line for other coordinates, numbers that cannot be read, and files of another kind.
pub fn read_shapes(path: impl AsRef<Path>) -> Result<(Vec<Shape>, Vec<String>)> {
    let path = path.as_ref();
    let text = region_text(path)?;
    let read = || {
        let mut unknown: Vec<String> = Vec::new();
        let shapes = parse_in(&text, None, &mut |kind, _| {
            if !unknown.contains(&kind) {
                unknown.push(kind);
            }
            Ok(())
        })?;
        Ok((shapes, unknown))
    };
    let (shapes, unknown) = read().map_err(|e: Error| e.at(&Place::file(path)))?;
    let warning = |kind: &String| format!("{}: shapes of the kind '{kind}' are not drawn", path.display());
    Ok((shapes.into_iter().map(|(shape, _)| shape).collect(), unknown.iter().map(warning).collect()))
}

/// Reads the regions of a DS9 region file that have an inside on the sky (circle, annulus, ellipse, box, polygon), and
/// points; positions of `fk5` are turned to icrs.
///
/// # Errors
/// [`Error::Input`] with the line for other shapes, pixel coordinates and numbers that cannot be read.
pub fn read_regions(path: impl AsRef<Path>) -> Result<Vec<NamedRegion>> {
    let path = path.as_ref();
    named(&region_text(path)?, None).map_err(|e| e.at(&Place::file(path)))
}

/// The text of a region file.
fn region_text(path: &Path) -> Result<String> {
    let place = || Place::file(path);
    let text = super::input::read_text(path, "a region file is text, this is not")?;
    let refused = |what: &str| {
        Err(Error::input_at(place(), format!("{what}, which cannot be read"))
            .with_help("save the regions in the format of DS9, as icrs or galactic"))
    };
    match text.trim_start() {
        t if t.starts_with("#CRTF") => refused("these are regions of CASA (CRTF)"),
        t if t.starts_with("SIMPLE  =") => refused("this is a FITS table of regions"),
        t if t.starts_with("<?xml") => refused("this is XML"),
        _ => Ok(text),
    }
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
/// [`Error::Options`] for text that is not a region.
pub fn parse_region(text: &str, frame: Frame) -> Result<SkyRegion> {
    let wrong =
        |problem: String| Error::options("region", problem).with_help("e.g. 'icrs; circle(83.63, 22.01, 0.11)'");
    let found = named(text, Some(frame)).map_err(|e| wrong(e.to_string()))?;
    let mut regions: Vec<SkyRegion> = found.into_iter().map(|r| r.region).collect();
    match regions.len() {
        0 => Err(wrong(format!("'{text}' is not a region"))),
        1 => Ok(regions.remove(0)),
        _ => SkyRegion::Union(regions).checked(),
    }
}

/// Regions with an inside, and points.
fn named(text: &str, frame: Option<Frame>) -> Result<Vec<NamedRegion>> {
    let refuse = |kind: String, line: usize| {
        Err(Error::input(
            format!("line {line}"),
            format!("'{kind}' is not one of circle, annulus, ellipse, box, polygon, point"),
        ))
    };
    let region = |(shape, line): (Shape, usize)| {
        let region = shape.region().map_err(|e| match e {
            Error::Options { problem, .. } => Error::input(format!("line {line}"), problem),
            other => other,
        })?;
        Ok(NamedRegion { region, name: shape.name })
    };
    parse_in(text, frame, &mut { refuse })?.into_iter().map(region).collect()
}

/// All shapes with their lines; those of a kind that is not known are told by name and line.
fn parse_in(
    text: &str,
    frame: Option<Frame>,
    unknown: &mut dyn FnMut(String, usize) -> Result<()>,
) -> Result<Vec<(Shape, usize)>> {
    let mut coordinates = frame.map(Coordinates::Sky);
    let mut shapes = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for (statement, properties) in statements(line) {
            let wrong = |problem: String| {
                let error = Error::input(format!("line {number}"), problem);
                match statement.contains('(') {
                    true => error,
                    false => error.with_help("save the regions as icrs or galactic, in degrees"),
                }
            };
            match read(&statement, &properties, coordinates).map_err(wrong)? {
                Statement::Nothing => {}
                Statement::Frame(found) => coordinates = Some(found),
                Statement::Shape(shape) => shapes.push((shape, number)),
                Statement::Unknown(kind) => unknown(kind, number)?,
            }
        }
    }
    Ok(shapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_ds9() {
        let text = "# Region file format: DS9 version 4.1\nglobal color=green\nicrs\ncircle(83.63,22.01,0.5) # text={Crab (M1)}\n\
                    point(5:34:31.94, -22:00:52.2) # point=cross\ngalactic; ellipse(0.1,-0.2,30\",1',45) # text=\"x y\"\n";
        let regions = named(text, None).unwrap();
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
            ("image\ncircle(1,2,3)", "line 2: it is in pixels"),
            ("physical\ncircle(1,2,3)", "line 1"),
            ("icrs\npanda(1,2,0,90,1,0.1,0.2,1)", "line 2: sectors"),
            ("icrs\nblob(1,2,3)", "'blob' is not one of"),
            ("icrs\n-circle(1,2,3)", "excluded"),
            ("icrs\ncircle(1,2)", "circle with 2 numbers"),
            ("icrs\ncircle(1,95,1)", "not a place"),
            ("icrs\ncircle(1,2,-1)", "within 0 to 180"),
            ("icrs\ncircle(1,x,1)", "'x' is not a number"),
            ("icrs\nhello", "not a shape"),
            ("icrs\npoint(1:2:3:4,1)", "1:2:3:4"),
        ] {
            let error = named(text, None).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
