//! Keywords of celestial coordinates, to and from [`WcsHeader`].

use super::cfitsio::MemoryWriter;
use super::header::Header;
use crate::error::{Error, Place, Result};
use crate::maps::{Frame, WcsHeader};
use crate::units::Unit;

/// `RA---TAN` → axis `RA`, projection `TAN`.
fn split_ctype(ctype: &str) -> (String, String) {
    let ctype = ctype.trim().to_uppercase();
    let axis: String = ctype.chars().take_while(|c| *c != '-').collect();
    let projection = ctype[axis.len()..].trim_start_matches('-').to_string();
    (axis, projection)
}

/// The celestial coordinates of an image header.
///
/// # Errors
/// [`Error::Unsupported`] for coordinates that are not RA/DEC or GLON/GLAT in this order, for distortions and
/// projection parameters; [`Error::Input`] for values that are missing or not finite.
pub(super) fn read(header: &Header, place: &Place) -> Result<WcsHeader> {
    let at = |key: &str| place.clone().item(key);
    if header.text("PIXTYPE").is_some_and(|p| p.eq_ignore_ascii_case("HEALPIX")) {
        return Err(Error::unsupported(format!("{}: HEALPix maps cannot be read", at("PIXTYPE")))
            .with_help("project the map onto a WCS geometry first"));
    }
    let Some(ctype1) = header.text("CTYPE1") else {
        return Err(Error::input_at(at("CTYPE1"), "the keyword is missing: the image has no sky coordinates"));
    };
    let ctype2 = header.text("CTYPE2").unwrap_or("");
    let ((axis1, projection), (axis2, projection2)) = (split_ctype(ctype1), split_ctype(ctype2));
    let frame = match (axis1.as_str(), axis2.as_str()) {
        ("RA", "DEC") => Frame::Icrs,
        ("GLON", "GLAT") => Frame::Galactic,
        _ => {
            return Err(Error::unsupported(format!("{}: axes '{ctype1}', '{ctype2}' cannot be used", at("CTYPE1")))
                .with_help("maps need RA/DEC or GLON/GLAT as their first two axes"));
        }
    };
    if projection != projection2 {
        return Err(Error::input_at(at("CTYPE2"), format!("'{ctype2}' does not belong to '{ctype1}'")));
    }
    if projection.is_empty() || projection.contains('-') {
        return Err(Error::unsupported(format!("{}: '{ctype1}' cannot be used", at("CTYPE1")))
            .with_help("projections of three letters without distortions are known, e.g. RA---TAN"));
    }
    if frame == Frame::Icrs
        && header.text("RADESYS").or(header.text("RADECSYS")).is_some_and(|r| r.to_uppercase().starts_with("FK4"))
    {
        return Err(Error::unsupported(format!("{}: FK4 coordinates cannot be used", at("RADESYS"))));
    }
    let real = |key: &str, default: f64| match header.get(key) {
        None => Ok(default),
        Some(_) => header
            .real(key)
            .filter(|v| v.is_finite())
            .ok_or_else(|| Error::input_at(at(key), "a finite number is needed")),
    };
    for (key, _) in header.cards().iter().filter(|(k, _)| k.starts_with("PV1_") || k.starts_with("PV2_")) {
        // PV1_1..4 of the longitude axis restate the defaults in some files.
        if real(key, 0.0)? != 0.0 && key != "PV1_3" && key != "PV1_4" {
            return Err(Error::unsupported(format!("{}: projection parameters cannot be used", at(key))));
        }
    }
    let to_deg = |key: &str| -> Result<f64> {
        match header.text(key).map(str::trim).unwrap_or("") {
            "" | "degree" | "degrees" => Ok(1.0),
            text => text.parse::<Unit>().and_then(|u| u.factor_to_text("deg")).map_err(|_| {
                Error::input_at(at(key), format!("'{text}' is no unit of angles"))
                    .with_help("sky coordinates are in deg")
            }),
        }
    };
    let scale = [to_deg("CUNIT1")?, to_deg("CUNIT2")?];
    let (mut cdelt, pc) = linear(header, &real)?;
    cdelt = [cdelt[0] * scale[0], cdelt[1] * scale[1]];
    for (n, v) in cdelt.iter().enumerate() {
        if *v == 0.0 {
            return Err(Error::input_at(at(&format!("CDELT{}", n + 1)), "an increment cannot be 0"));
        }
    }
    let optional = |key: &str| header.get(key).map(|_| real(key, 0.0)).transpose();
    Ok(WcsHeader {
        projection,
        frame,
        crpix: (real("CRPIX1", 0.0)?, real("CRPIX2", 0.0)?),
        crval: (real("CRVAL1", 0.0)? * scale[0], real("CRVAL2", 0.0)? * scale[1]),
        cdelt: (cdelt[0], cdelt[1]),
        pc,
        lonpole: optional("LONPOLE")?,
        latpole: optional("LATPOLE")?,
    })
}

type Linear = ([f64; 2], [[f64; 2]; 2]);

/// Increments and matrix from PCi_j, CDi_j or CROTA2.
fn linear(header: &Header, real: &impl Fn(&str, f64) -> Result<f64>) -> Result<Linear> {
    let matrix = |prefix: &str, unity: f64| -> Result<[[f64; 2]; 2]> {
        Ok([
            [real(&format!("{prefix}1_1"), unity)?, real(&format!("{prefix}1_2"), 0.0)?],
            [real(&format!("{prefix}2_1"), 0.0)?, real(&format!("{prefix}2_2"), unity)?],
        ])
    };
    let has = |prefix: &str| ["1_1", "1_2", "2_1", "2_2"].iter().any(|k| header.get(&format!("{prefix}{k}")).is_some());
    if has("CD") && !has("PC") {
        let cd = matrix("CD", 0.0)?;
        // Increments are the row lengths, with the signs that make the diagonal of the rest positive.
        let mut cdelt = [0.0; 2];
        let mut pc = [[0.0; 2]; 2];
        for i in 0..2 {
            let off = cd[i][1 - i];
            let length = if off == 0.0 { cd[i][i].abs() } else { cd[i][0].hypot(cd[i][1]) };
            cdelt[i] = if cd[i][i] < 0.0 { -length } else { length };
            for j in 0..2 {
                pc[i][j] = if length == 0.0 { 0.0 } else { cd[i][j] / cdelt[i] };
            }
        }
        return Ok((cdelt, pc));
    }
    let cdelt = [real("CDELT1", 1.0)?, real("CDELT2", 1.0)?];
    if !has("PC") && header.get("CROTA2").is_some() {
        let (sin, cos) = real("CROTA2", 0.0)?.to_radians().sin_cos();
        let ratio = cdelt[1] / cdelt[0];
        return Ok((cdelt, [[cos, -sin * ratio], [sin / ratio, cos]]));
    }
    Ok((cdelt, matrix("PC", 1.0)?))
}

/// Writes the keywords.
pub(super) fn write(out: &mut MemoryWriter, wcs: &WcsHeader) {
    let (lon, lat) = match wcs.frame {
        Frame::Icrs => ("RA", "DEC"),
        Frame::Galactic => ("GLON", "GLAT"),
    };
    out.int("WCSAXES", 2, "number of coordinate axes");
    out.real("CRPIX1", wcs.crpix.0, "pixel of the reference point");
    out.real("CRPIX2", wcs.crpix.1, "pixel of the reference point");
    for (i, row) in wcs.pc.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            if *value != f64::from(u8::from(i == j)) {
                out.real(&format!("PC{}_{}", i + 1, j + 1), *value, "coordinate transformation matrix");
            }
        }
    }
    out.real("CDELT1", wcs.cdelt.0, "[deg] increment at the reference point");
    out.real("CDELT2", wcs.cdelt.1, "[deg] increment at the reference point");
    out.text("CUNIT1", "deg", "unit of coordinate 1");
    out.text("CUNIT2", "deg", "unit of coordinate 2");
    out.text("CTYPE1", &format!("{lon:-<4}-{}", wcs.projection), "longitude and projection");
    out.text("CTYPE2", &format!("{lat:-<4}-{}", wcs.projection), "latitude and projection");
    out.real("CRVAL1", wcs.crval.0, "[deg] coordinate of the reference point");
    out.real("CRVAL2", wcs.crval.1, "[deg] coordinate of the reference point");
    if let Some(lonpole) = wcs.lonpole {
        out.real("LONPOLE", lonpole, "[deg] native longitude of the pole");
    }
    if let Some(latpole) = wcs.latpole {
        out.real("LATPOLE", latpole, "[deg] native latitude of the pole");
    }
    if wcs.frame == Frame::Icrs {
        out.text("RADESYS", "ICRS", "equatorial coordinate system");
    }
}
