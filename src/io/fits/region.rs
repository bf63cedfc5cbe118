//! Tables of regions, `NAME_REGION`: shapes in pixels of a projection around them, as Gammapy writes them.
//!
//! The FITS region standard counts pixels from 1; Gammapy (the `regions` package) writes and reads them from 0, so that
//! the centre of the pixel at CRPIX has X = CRPIX - 1. Its files are what is read and written here.

use super::cfitsio::{ColumnData, MemoryWriter};
use super::reader::FitsReader;
use super::wcs_header;
use crate::error::{Error, Place, Result};
use crate::maps::{SkyPosition, SkyRegion, Wcs, WcsHeader};

/// Pixels of the projections that are written.
const PIXEL_DEG: f64 = 0.01;

/// More shapes than this do not make the region of a spectrum.
const MOST_SHAPES: usize = 10_000;

/// Shapes and what their `R` holds.
const SHAPES: [&str; 7] = ["point", "circle", "annulus", "ellipse", "box", "rotbox", "polygon"];

/// The region that belongs to the map of that name; `None`, everywhere, if there is none.
pub(super) fn read(reader: &mut FitsReader, map: &str) -> Result<Option<SkyRegion>> {
    read_table(reader, &format!("{map}_REGION"))
}

/// The region of the table of that name; `None`, everywhere, if there is none.
pub(super) fn read_table(reader: &mut FitsReader, name: &str) -> Result<Option<SkyRegion>> {
    let Some(table) = reader.find(name).cloned() else { return Ok(None) };
    let place = reader.place().hdu(table.label());
    let shapes = reader.text_column(table.index, "SHAPE")?;
    if shapes.is_empty() || shapes.len() > MOST_SHAPES {
        return Err(Error::input_at(place.item("SHAPE"), format!("{} shapes", shapes.len())));
    }
    let wcs = wcs_header::read(&table.header, &place)?;
    let mut column = |name: &str| -> Result<Vec<Vec<f64>>> {
        if table.column(name).is_none() {
            return Ok(vec![Vec::new(); shapes.len()]);
        }
        let values = reader.column::<f64>(table.index, name)?;
        let width = values.len() / shapes.len();
        Ok((0..shapes.len()).map(|row| values[row * width..(row + 1) * width].to_vec()).collect())
    };
    let (x, y, r, angle) = (column("X")?, column("Y")?, column("R")?, column("ROTANG")?);
    let mut regions = Vec::new();
    for (row, shape) in shapes.iter().enumerate() {
        let place = place.clone().item(format!("row {}", row + 1));
        let columns = Shape { x: &x[row], y: &y[row], r: &r[row], angle: &angle[row] };
        regions.push(columns.region(shape, &wcs, &place)?);
    }
    Ok(Some(if regions.len() == 1 { regions.remove(0) } else { SkyRegion::Union(regions) }))
}

/// A row of the table.
struct Shape<'a> {
    x: &'a [f64],
    y: &'a [f64],
    r: &'a [f64],
    angle: &'a [f64],
}

impl Shape<'_> {
    fn region(&self, shape: &str, wcs: &Wcs, place: &Place) -> Result<SkyRegion> {
        let number = |values: &[f64], at: usize, name: &str| {
            let value = values.get(at).copied().filter(|v| v.is_finite());
            value.ok_or_else(|| Error::input_at(place.clone(), format!("{name}: a finite number is needed")))
        };
        let position = |at: usize| -> Result<SkyPosition> {
            let (x, y) = (number(self.x, at, "X")?, number(self.y, at, "Y")?);
            let (lon_deg, lat_deg) = wcs
                .pix_to_world(x, y)
                .ok_or_else(|| Error::input_at(place.clone(), "it lies outside of the projection"))?;
            Ok(SkyPosition { lon_deg, lat_deg, frame: wcs.frame() })
        };
        let (scale_x, scale_y) = wcs.pixel_scales_deg();
        let pixel_deg = (scale_x * scale_y).sqrt();
        let size = |at: usize| Ok(number(self.r, at, "R")? * pixel_deg);
        let angle = self.angle.first().copied().unwrap_or(0.0);
        let angle_deg = match (self.x.first(), self.y.first()) {
            (Some(x), Some(y)) if angle.is_finite() => angle_on_sky(wcs, (*x, *y), angle),
            _ => angle,
        };
        let region = match shape.to_lowercase().as_str() {
            "point" => SkyRegion::Point { center: position(0)? },
            "circle" => SkyRegion::Circle { center: position(0)?, radius_deg: size(0)? },
            "annulus" => SkyRegion::Annulus { center: position(0)?, inner_deg: size(0)?, outer_deg: size(1)? },
            "ellipse" => SkyRegion::Ellipse {
                center: position(0)?,
                width_deg: 2.0 * size(0)?,
                height_deg: 2.0 * size(1)?,
                angle_deg,
            },
            "box" | "rotbox" => {
                SkyRegion::Rectangle { center: position(0)?, width_deg: size(0)?, height_deg: size(1)?, angle_deg }
            }
            "polygon" => {
                // Shorter polygons of a table are filled up with their first corner, or with NaN.
                let end = self.x.iter().position(|v| v.is_nan()).unwrap_or(self.x.len());
                let mut vertices = (0..end).map(position).collect::<Result<Vec<_>>>()?;
                while vertices.len() > 3 && vertices.last() == vertices.first() {
                    vertices.pop();
                }
                SkyRegion::Polygon { vertices }
            }
            other => {
                return Err(Error::unsupported(format!("{place}: the region '{other}' cannot be used"))
                    .with_help(format!("these can: {}", SHAPES.join(", "))));
            }
        };
        region.checked().map_err(|e| e.at(place))
    }
}

/// A step in pixels and in degrees that tells directions, not shapes.
const STEP: f64 = 1e-3;

/// Angles closer than this are equal but for rounding.
const SAME_DEG: f64 = 1e-5;

fn if_other(angle_deg: f64, found_deg: f64) -> f64 {
    let same = ((found_deg - angle_deg + 180.0).rem_euclid(360.0) - 180.0).abs() < SAME_DEG;
    if same { angle_deg } else { found_deg }
}

/// An angle in pixels (from x to y) as one on the sky, from falling longitude to north, whatever way the map is turned.
fn angle_on_sky(wcs: &Wcs, (x, y): (f64, f64), angle_deg: f64) -> f64 {
    let (sin, cos) = angle_deg.to_radians().sin_cos();
    let ends = wcs.pix_to_world(x, y).zip(wcs.pix_to_world(x + STEP * cos, y + STEP * sin));
    let Some(((lon, lat), (lon2, lat2))) = ends else { return angle_deg };
    let west = (lon - lon2 + 180.0).rem_euclid(360.0) - 180.0;
    if_other(angle_deg, (lat2 - lat).atan2(west * lat.to_radians().cos()).to_degrees())
}

/// The other way.
fn angle_in_pixels(wcs: &Wcs, center: SkyPosition, angle_deg: f64) -> f64 {
    let (sin, cos) = angle_deg.to_radians().sin_cos();
    let SkyPosition { lon_deg: lon, lat_deg: lat, .. } = center.to_frame(wcs.frame());
    let step = STEP * wcs.pixel_scales_deg().0;
    let beside = (lon - step * cos / lat.to_radians().cos(), lat + step * sin);
    let ends = wcs.world_to_pix(lon, lat).zip(wcs.world_to_pix(beside.0, beside.1));
    let Some(((x, y), (x2, y2))) = ends else { return angle_deg };
    if_other(angle_deg, (y2 - y).atan2(x2 - x).to_degrees())
}

/// Writes the region of the map of that name.
pub(super) fn write(out: &mut MemoryWriter, region: &SkyRegion, map: &str) -> Result<()> {
    write_table(out, region, &format!("{map}_REGION"))
}

/// Writes a region as the table of that name.
pub(super) fn write_table(out: &mut MemoryWriter, region: &SkyRegion, name: &str) -> Result<()> {
    let center = region.center();
    let header = WcsHeader {
        projection: "TAN".into(),
        frame: center.frame,
        crpix: (1.0, 1.0),
        crval: (center.lon_deg, center.lat_deg),
        cdelt: (-PIXEL_DEG, PIXEL_DEG),
        pc: [[1.0, 0.0], [0.0, 1.0]],
        lonpole: None,
        latpole: None,
    };
    let wcs = Wcs::new(header.clone())?;
    let parts = match region {
        SkyRegion::Union(parts) => parts.as_slice(),
        single => std::slice::from_ref(single),
    };
    let pixels = |p: SkyPosition| -> Result<(f64, f64)> {
        let p = p.to_frame(center.frame);
        wcs.world_to_pix(p.lon_deg, p.lat_deg)
            .ok_or_else(|| Error::input("region", "its parts lie too far from each other to be written"))
    };
    let (mut shapes, mut x, mut y, mut r, mut angle) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        let (shape, sizes, rotation) = match part {
            SkyRegion::Point { .. } => ("point", vec![0.0], 0.0),
            SkyRegion::Circle { radius_deg, .. } => ("circle", vec![*radius_deg], 0.0),
            SkyRegion::Annulus { inner_deg, outer_deg, .. } => ("annulus", vec![*inner_deg, *outer_deg], 0.0),
            SkyRegion::Ellipse { width_deg, height_deg, angle_deg, .. } => {
                ("ellipse", vec![0.5 * width_deg, 0.5 * height_deg], angle_in_pixels(&wcs, part.center(), *angle_deg))
            }
            SkyRegion::Rectangle { width_deg, height_deg, angle_deg, .. } => {
                ("rotbox", vec![*width_deg, *height_deg], angle_in_pixels(&wcs, part.center(), *angle_deg))
            }
            SkyRegion::Polygon { .. } => ("polygon", vec![0.0], 0.0),
            _ => return Err(Error::unsupported("a union of unions as a region of a file")),
        };
        let corners = match part {
            SkyRegion::Polygon { vertices } => vertices.iter().copied().map(pixels).collect::<Result<Vec<_>>>()?,
            other => vec![pixels(other.center())?],
        };
        shapes.push(shape.to_string());
        x.push(corners.iter().map(|c| c.0).collect::<Vec<_>>());
        y.push(corners.iter().map(|c| c.1).collect::<Vec<_>>());
        r.push(sizes.iter().map(|s| s / PIXEL_DEG).collect::<Vec<_>>());
        angle.push(rotation);
    }
    let ((x, nx), (y, ny), (r, nr)) = (rows(&x), rows(&y), rows(&r));
    let component: Vec<i64> = vec![0; parts.len()];
    out.table(
        parts.len(),
        &[
            ("SHAPE", "", ColumnData::Texts(&shapes)),
            ("X", "pix", ColumnData::Double(&x, nx)),
            ("Y", "pix", ColumnData::Double(&y, ny)),
            ("R", "pix", ColumnData::Double(&r, nr)),
            ("ROTANG", "deg", ColumnData::Double(&angle, 1)),
            ("COMPONENT", "", ColumnData::Int(&component)),
        ],
    );
    out.text("EXTNAME", name, "extension name");
    wcs_header::write(out, &header);
    // Gammapy does not read the projection of a table without it; the size has no meaning here.
    out.text("WCSSHAPE", "(1,1)", "pixels");
    Ok(())
}

/// Rows of one length, filled up with their first value.
fn rows(rows: &[Vec<f64>]) -> (Vec<f64>, usize) {
    let width = rows.iter().map(Vec::len).max().unwrap_or(1);
    let values = rows.iter().flat_map(|row| (0..width).map(move |i| *row.get(i).unwrap_or(&row[0]))).collect();
    (values, width)
}
