//! Maps: an image and its table of bands, or a table for a region.

use std::path::Path;
use std::sync::Arc;

use ndarray::{ArrayD, Axis, IxDyn};

use super::axes::{self, Bands};
use super::check::{Hdu, HduKind};
use super::images::{healpix_error, is_healpix};
use super::reader::FitsReader;
use super::{region, wcs_header};
use crate::error::{Error, Place, Result};
use crate::maps::{Geom, Map, MapAxis, MapData, Mask, RegionGeom, WcsGeom};
use crate::units::Unit;

impl Map {
    /// Reads a map. Without `hdu`, the first HDU that holds one.
    ///
    /// # Errors
    /// [`Error::Input`] with the HDU and keyword where the file is missing, damaged, or holds no map there;
    /// [`Error::Unsupported`] for projections and pixelisations that are not known.
    pub fn read(path: impl AsRef<Path>, hdu: Option<&str>) -> Result<Self> {
        let mut reader = FitsReader::open(path.as_ref())?;
        let index = match hdu {
            Some(name) => reader.require(name)?.index,
            None => first_map(&reader)?,
        };
        read_map(&mut reader, index)
    }
}

impl Mask {
    /// Reads a mask: a map of zeros and ones.
    ///
    /// # Errors
    /// As [`Map::read`], and for values that are not finite.
    pub fn read(path: impl AsRef<Path>, hdu: Option<&str>) -> Result<Self> {
        let mut reader = FitsReader::open(path.as_ref())?;
        let index = match hdu {
            Some(name) => reader.require(name)?.index,
            None => first_map(&reader)?,
        };
        read_mask(&mut reader, index)
    }
}

fn first_map(reader: &FitsReader) -> Result<usize> {
    let found = |h: &&Hdu| h.has_image() || h.column("DATA").is_some();
    if let Some(hdu) = reader.hdus().iter().find(found) {
        return Ok(hdu.index);
    }
    Err(match reader.hdus().iter().find(|h| is_healpix(&h.header)) {
        Some(hdu) => healpix_error(&reader.place().hdu(hdu.label())),
        None => Error::input_at(reader.place(), format!("no map in [{}]", reader.names().join(", "))),
    })
}

/// The table of bands that belongs to a map.
fn find_bands(reader: &FitsReader, hdu: &Hdu) -> Result<Option<usize>> {
    let missing = |name: &str| {
        Error::input_at(
            reader.place().hdu(hdu.label()).item("BANDSHDU"),
            format!("the table of bands '{name}' is missing; there are [{}]", reader.names().join(", ")),
        )
        .with_help("the axes of the map stand in that table")
    };
    if let Some(name) = hdu.header.text("BANDSHDU") {
        return reader.find(name).map(|h| Some(h.index)).ok_or_else(|| missing(name));
    }
    let own = format!("{}_BANDS", hdu.name);
    if let Some(bands) = reader.find(&own) {
        return Ok(Some(bands.index));
    }
    let cube = hdu.has_image() && hdu.dims.len() > 2 || hdu.kind == HduKind::Table;
    if !cube {
        return Ok(None);
    }
    match ["EBOUNDS", "ENERGIES", "BANDS"].iter().find_map(|n| reader.find(n)) {
        Some(bands) => Ok(Some(bands.index)),
        None => Err(missing(&own)),
    }
}

/// Reads the map of an HDU.
pub(super) fn read_map(reader: &mut FitsReader, index: usize) -> Result<Map> {
    let hdu = reader.hdus()[index].clone();
    let place = reader.place().hdu(hdu.label());
    let (geom, data) = read_parts(reader, &hdu, &place)?;
    let unit = unit(reader, &hdu)?;
    Map::new(Arc::new(geom), unit, data).map_err(|e| e.at(&place))
}

/// Reads the map of an HDU as true and false.
pub(super) fn read_mask(reader: &mut FitsReader, index: usize) -> Result<Mask> {
    let hdu = reader.hdus()[index].clone();
    let place = reader.place().hdu(hdu.label());
    let (geom, data) = read_parts(reader, &hdu, &place)?;
    let data = match data {
        MapData::F32(a) if a.iter().all(|v| !v.is_nan()) => a.mapv(|v| v != 0.0),
        MapData::F64(a) if a.iter().all(|v| !v.is_nan()) => a.mapv(|v| v != 0.0),
        _ => return Err(Error::input_at(place, "a mask has only 0 and 1, this one has NaN")),
    };
    Mask::new(Arc::new(geom), data).map_err(|e| e.at(&place))
}

/// The unit of a map. What is not a unit is kept as text: the values can be looked at, and what needs the unit refuses
/// it.
fn unit(reader: &FitsReader, hdu: &Hdu) -> Result<Unit> {
    let text = match hdu.kind {
        HduKind::Table => hdu.column("DATA").map_or("", |c| hdu.columns[c].unit.as_str()),
        _ => hdu.header.text("BUNIT").unwrap_or(""),
    };
    if text.is_empty() && hdu.header.text("BANDSHDU").is_none_or(|b| b.eq_ignore_ascii_case("ENERGIES")) {
        // Gammapy: diffuse templates of Fermi have no unit, exposure cubes of the same form have a GTI table.
        if reader.find("ENERGIES").is_some() {
            return if reader.find("GTI").is_some() { "cm2 s".parse() } else { "cm-2 s-1 MeV-1 sr-1".parse() };
        }
    }
    Ok(Unit::parse_or_keep(text))
}

/// The geometry of the map of an HDU: its header, the tables of its axes and its region, no values.
pub(super) fn read_geom(reader: &mut FitsReader, index: usize) -> Result<Geom> {
    let hdu = reader.hdus()[index].clone();
    let place = reader.place().hdu(hdu.label());
    geometry(reader, &hdu, &place).map(|(geom, _)| geom)
}

fn read_parts(reader: &mut FitsReader, hdu: &Hdu, place: &Place) -> Result<(Geom, MapData)> {
    let (geom, reversed) = geometry(reader, hdu, place)?;
    let data = match hdu.kind {
        HduKind::Table => region_data(reader, hdu, &geom, place)?,
        _ => image_data(reader, hdu, geom.data_shape(), place)?,
    };
    Ok((geom, in_order(data, &reversed)))
}

/// Planes of axes whose values decrease in the file, turned over as the axes are.
fn in_order(data: MapData, reversed: &[bool]) -> MapData {
    fn turn<T: Clone>(mut data: ArrayD<T>, reversed: &[bool]) -> ArrayD<T> {
        for (n, _) in reversed.iter().enumerate().filter(|(_, turned)| **turned) {
            data.invert_axis(Axis(reversed.len() - 1 - n));
        }
        data.as_standard_layout().into_owned()
    }
    if !reversed.contains(&true) {
        return data;
    }
    match data {
        MapData::F32(a) => MapData::F32(turn(a, reversed)),
        MapData::F64(a) => MapData::F64(turn(a, reversed)),
    }
}

/// The geometry, and which of its axes decrease in the file.
fn geometry(reader: &mut FitsReader, hdu: &Hdu, place: &Place) -> Result<(Geom, Vec<bool>)> {
    let bands = find_bands(reader, hdu)?;
    let Bands { axes, reversed } = match bands {
        Some(bands) => axes::read(reader, bands, &hdu.header)?,
        None => Bands::default(),
    };
    if hdu.kind == HduKind::Table {
        if is_healpix(&hdu.header) {
            return Err(healpix_error(place));
        }
        return Ok((Geom::Region(RegionGeom::of(region::read(reader, &hdu.name)?, axes)), reversed));
    }
    if !hdu.has_image() {
        return Err(Error::input_at(place.clone(), "there is no image in this HDU"));
    }
    if hdu.dims.len() < 2 {
        return Err(Error::input_at(place.clone().item("NAXIS"), "an image with two or more axes is needed"));
    }
    // Axes of one bin beyond the sky may stand in the header without a table of bands, as images of other tools have.
    let found = &hdu.dims[2..];
    let expected: Vec<usize> = axes.iter().map(MapAxis::nbin).collect();
    let equal = found == expected || (axes.is_empty() && found.iter().all(|n| *n == 1));
    if !equal {
        let from = bands.map_or("no table".to_string(), |b| reader.hdus()[b].label());
        let problem = format!("the image has {found:?} planes, its axes ({from}) have {expected:?} bins");
        return Err(Error::input_at(place.clone(), problem));
    }
    let wcs = wcs_header::read(&hdu.header, place)?;
    Ok((Geom::Wcs(WcsGeom::new(wcs, hdu.dims[0], hdu.dims[1], axes)), reversed))
}

/// Values in the precision of the file. Integers become single precision where that is exact.
fn image_data(reader: &mut FitsReader, hdu: &Hdu, shape: Vec<usize>, place: &Place) -> Result<MapData> {
    let scaled = hdu.header.real("BSCALE").is_some_and(|v| v != 1.0);
    let single = match hdu.bitpix {
        -32 => !scaled,
        8 | 16 => !scaled && hdu.header.real("BZERO").is_none_or(|v| v.fract() == 0.0 && v.abs() <= 65536.0),
        _ => false,
    };
    if single {
        return shaped(reader.image::<f32>(hdu.index)?, shape, place).map(MapData::F32);
    }
    let values = reader.image::<f64>(hdu.index)?;
    let integers = hdu.bitpix > 0 && !scaled;
    if integers && values.iter().all(|v| v.is_nan() || f64::from(*v as f32) == *v) {
        let values = values.iter().map(|v| *v as f32).collect();
        return shaped(values, shape, place).map(MapData::F32);
    }
    shaped(values, shape, place).map(MapData::F64)
}

fn shaped<T>(values: Vec<T>, shape: Vec<usize>, place: &Place) -> Result<ArrayD<T>> {
    let found = values.len();
    ArrayD::from_shape_vec(IxDyn(&shape), values)
        .map_err(|_| Error::input_at(place.clone(), format!("{found} values where the axes make {shape:?}")))
}

fn region_data(reader: &mut FitsReader, hdu: &Hdu, geom: &Geom, place: &Place) -> Result<MapData> {
    let column = reader.column_index(hdu, "DATA")?;
    let info = &hdu.columns[column];
    let shape = geom.data_shape();
    let needed = shape.iter().try_fold(1usize, |a, n| a.checked_mul(*n));
    let found = hdu.rows().checked_mul(info.repeat);
    if found.is_none() || found != needed {
        let problem = format!("{} rows of {} values where the axes make {shape:?}", hdu.rows(), info.repeat);
        return Err(Error::input_at(place.clone().item("DATA"), problem));
    }
    if info.code == 'L' {
        let bytes = reader.raw_column(hdu.index, "DATA")?.concat();
        let values = bytes.iter().map(|b| f32::from(u8::from(*b == b'T' || *b == 1))).collect();
        shaped(values, shape, place).map(MapData::F32)
    } else if info.code == 'E' {
        shaped(reader.column::<f32>(hdu.index, "DATA")?, shape, place).map(MapData::F32)
    } else {
        shaped(reader.column::<f64>(hdu.index, "DATA")?, shape, place).map(MapData::F64)
    }
}
