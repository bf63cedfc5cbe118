//! What the parts of a dataset must be: their values, axes and units, and that they fit to each other.

use crate::datasets::MapDataset;
use crate::error::words::of_number;
use crate::error::{Error, Place, Result};
use crate::io::fits::content;
use crate::io::fits::reader::FitsReader;
use crate::irf::PsfMap;
use crate::maps::{Geom, Map, MapAxis, MapData, Mask};

/// Where a value stands, as FITS software counts it: `[x, y, plane]` from 1.
pub(super) fn bin(map: &Map, index: usize) -> String {
    let shape = map.data().shape();
    let mut rest = index;
    let mut position: Vec<String> = Vec::new();
    for n in shape.iter().rev() {
        position.push((rest % n + 1).to_string());
        rest /= n;
    }
    format!("pixel [{}]", position.join(", "))
}

/// Number of values for which `bad` holds, and the first one with its index.
pub(super) fn count_bad(map: &Map, bad: impl Fn(f64) -> bool) -> Option<(usize, usize, f64)> {
    fn go<T: Copy + Into<f64>>(
        values: impl Iterator<Item = T>,
        bad: impl Fn(f64) -> bool,
    ) -> Option<(usize, usize, f64)> {
        let mut first = None;
        let mut count = 0;
        for (i, v) in values.enumerate() {
            let v: f64 = v.into();
            if bad(v) {
                count += 1;
                first.get_or_insert((i, v));
            }
        }
        first.map(|(i, v)| (count, i, v))
    }
    match map.data() {
        MapData::F32(a) => go(a.iter().copied(), bad),
        MapData::F64(a) => go(a.iter().copied(), bad),
    }
}

fn require(place: &Place, map: &Map, what: &str, bad: impl Fn(f64) -> bool, help: &str) -> Result<()> {
    match count_bad(map, bad) {
        None => Ok(()),
        Some((count, index, value)) => {
            let problem =
                format!("{} {what}, the first one ({value}) in {}", of_number(count, "value", "is"), bin(map, index));
            Err(Error::input_at(place.clone(), problem).with_help(help))
        }
    }
}

fn require_unit(place: &Place, map: &Map, unit: &str, kind: &str) -> Result<()> {
    map.unit().factor_to_text(unit).map(|_| ()).map_err(|_| {
        let problem = format!("the unit is '{}', {kind} such as '{unit}' is needed", map.unit());
        Error::input_at(place.clone().item("BUNIT"), problem).with_help("correct BUNIT in the header")
    })
}

fn require_axes(place: &Place, geom: &Geom, allowed: &[&[&str]]) -> Result<()> {
    let names: Vec<&str> = geom.axes().iter().map(MapAxis::name).collect();
    if allowed.contains(&names.as_slice()) {
        return Ok(());
    }
    let wanted: Vec<String> = allowed.iter().map(|a| format!("({})", a.join(", "))).collect();
    Err(Error::input_at(place.clone(), format!("axes ({}), needed {}", names.join(", "), wanted.join(" or "))))
}

fn same_axis(a: &MapAxis, b: &MapAxis) -> bool {
    let Ok(factor) = b.unit().factor_to(a.unit()) else { return false };
    let (a, b) = (a.edges(), b.edges());
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b * factor).abs() <= 1e-5 * (a.abs() + (b * factor).abs()))
}

/// Checks the values, axes and unit of a map by the name of its HDU.
pub(in crate::io::fits) fn check_map(file: &Place, name: &str, map: &Map) -> Result<()> {
    let at = file.clone().hdu(name);
    let (axes, unit, kind) = match name {
        "EXPOSURE" => ("energy_true", "m2 s", "area times time"),
        _ => ("energy", "", "none"),
    };
    require_axes(&at, map.geom(), &[&[axes]])?;
    require_unit(&at, map, unit, kind)?;
    match name {
        "COUNTS" | "COUNTS_OFF" => {
            let help = "counts are numbers of events: 0 or more; undefined bins (NaN) are left out";
            require(&at, map, "negative or infinite", |v| v < 0.0 || v.is_infinite(), help)
        }
        _ => {
            let help = match name {
                "BACKGROUND" => "predicted counts are 0 or more; undefined bins (NaN) are left out of the fit",
                "EXPOSURE" => "exposures are 0 or more",
                _ => "acceptances are 0 or more; undefined ones (NaN) leave the bin without a background",
            };
            require(&at, map, "negative or infinite", |v| v < 0.0 || v.is_infinite(), help)
        }
    }
}

/// Checks axes and units of a PSF.
pub(in crate::io::fits) fn check_psf(file: &Place, psf: &PsfMap) -> Result<()> {
    let at = file.clone().hdu("PSF");
    require_axes(&at, psf.psf.geom(), &[&["rad", "energy_true"], &["rad", "energy"]])?;
    require_unit(&at, &psf.psf, "sr-1", "a density on the sky")?;
    match &psf.exposure {
        Some(exposure) => require_unit(&file.clone().hdu("PSF_EXPOSURE"), exposure, "m2 s", "area times time"),
        None => Ok(()),
    }
}

/// Checks the parts of a dataset one by one and against each other; `off`: the off counts and acceptances, if any.
pub(super) fn validate(reader: &FitsReader, dataset: &MapDataset, off: &[(&str, Option<&Map>)]) -> Result<()> {
    let place = |hdu: &str| reader.place().hdu(hdu);
    for (name, map) in [
        ("COUNTS", dataset.counts.as_ref()),
        ("BACKGROUND", dataset.background.as_ref()),
        ("EXPOSURE", dataset.exposure.as_ref()),
    ] {
        map.map_or(Ok(()), |map| check_map(&reader.place(), name, map))?;
    }
    dataset.psf.as_ref().map_or(Ok(()), |psf| check_psf(&reader.place(), psf))?;
    for (name, map) in off {
        map.map_or(Ok(()), |map| check_map(&reader.place(), name, map))?;
    }
    content::check_acceptances(&reader.place(), dataset, off)?;
    let parts = [
        ("COUNTS", dataset.counts.as_ref().map(|m| m.geom())),
        ("BACKGROUND", dataset.background.as_ref().map(|m| m.geom())),
        ("MASK_SAFE", dataset.mask_safe.as_ref().map(Mask::geom)),
        ("MASK_FIT", dataset.mask_fit.as_ref().map(Mask::geom)),
        ("EXPOSURE", dataset.exposure.as_ref().map(|m| m.geom())),
    ];
    let off = off.iter().map(|(name, map)| (*name, map.map(Map::geom)));
    let mut present = parts.into_iter().chain(off).filter_map(|(name, geom)| geom.map(|g| (name, g)));
    let Some((first_name, first)) = present.next() else { return Ok(()) };
    for (name, geom) in present {
        let at = place(name);
        match (first.as_ref(), geom.as_ref()) {
            (Geom::Wcs(a), Geom::Wcs(b)) if !a.same_image(b) => {
                let sizes = format!("{} × {} pixels, {first_name} has {} × {}", b.nx(), b.ny(), a.nx(), a.ny());
                let problem = if (a.nx(), a.ny()) == (b.nx(), b.ny()) {
                    format!("its pixels lie elsewhere on the sky than those of {first_name}")
                } else {
                    sizes
                };
                return Err(Error::input_at(at, problem).with_help("all maps of a dataset have the same pixels"));
            }
            (Geom::Wcs(_), Geom::Wcs(_)) | (Geom::Region(_), Geom::Region(_)) => {}
            _ => return Err(Error::input_at(at, format!("a map and a region: {first_name} is of the other kind"))),
        }
        if name == "EXPOSURE" || first_name == "EXPOSURE" {
            continue;
        }
        if let ([a], [b]) = (first.axes(), geom.axes()) {
            if !same_axis(a, b) {
                let problem =
                    format!("{} energy bins, not the {} of {first_name} or with other edges", b.nbin(), a.nbin());
                return Err(Error::input_at(at, problem));
            }
        } else if first.axes().len() != geom.axes().len() {
            return Err(Error::input_at(
                at,
                format!("{} axes, {first_name} has {}", geom.axes().len(), first.axes().len()),
            ));
        }
    }
    Ok(())
}
