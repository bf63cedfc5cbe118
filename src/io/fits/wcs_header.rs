//! Keywords of celestial coordinates, to and from [`Wcs`].
//!
//! What FITS papers I and II say is converted; what is not known is refused by the name of its keyword.

use super::cfitsio::MemoryWriter;
use super::header::{Header, Value};
use super::wcs_linear::{self, Linear};
use crate::error::{Error, Place, Result};
use crate::maps::wcs::{Fiducial, System};
use crate::maps::{Frame, Wcs, WcsHeader};
use crate::units::Unit;

/// Equinoxes beyond these are none (Julian or Besselian years).
const EQUINOXES: std::ops::RangeInclusive<f64> = 1800.0..=2200.0;

/// The keywords of one image.
struct Keywords<'a> {
    header: &'a Header,
    place: &'a Place,
}

impl Keywords<'_> {
    fn at(&self, key: &str) -> Place {
        self.place.clone().item(key)
    }

    fn wrong(&self, key: &str, problem: impl Into<String>) -> Error {
        Error::input_at(self.at(key), problem)
    }

    fn unsupported(&self, key: &str, problem: &str) -> Error {
        Error::unsupported(format!("{}: {problem}", self.at(key)))
    }

    /// A number, `None` where the keyword is missing.
    fn optional(&self, key: &str) -> Result<Option<f64>> {
        match self.header.get(key) {
            None => Ok(None),
            Some(_) => match self.header.real(key).filter(|v| v.is_finite()) {
                Some(value) => Ok(Some(value)),
                None => Err(self.wrong(key, "a finite number is needed")),
            },
        }
    }

    fn real(&self, key: &str, default: f64) -> Result<f64> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    /// A text without blanks around it; empty where the keyword is missing.
    fn text(&self, key: &str) -> Result<&str> {
        match self.header.get(key) {
            None | Some(Value::None) => Ok(""),
            Some(Value::Text(text)) => Ok(text.trim()),
            Some(_) => Err(self.wrong(key, "a text in quotes is needed")),
        }
    }
}

/// The two axes of the sky.
struct Axes {
    /// Number (0 or 1) of the axis of longitude.
    lon: usize,
    /// Names without the projection: RA, GLON, …
    name: String,
    projection: String,
}

/// `RA---TAN` → axis `RA`, projection `TAN`.
fn split_ctype(ctype: &str) -> (String, String) {
    let ctype = ctype.trim().to_uppercase();
    let axis: String = ctype.chars().take_while(|c| *c != '-').collect();
    let projection = ctype[axis.len()..].trim_start_matches('-').to_string();
    (axis, projection)
}

/// The latitude that belongs to a longitude.
fn latitude_of(longitude: &str) -> Option<String> {
    if longitude == "RA" {
        return Some("DEC".to_string());
    }
    longitude.strip_suffix("LON").or(longitude.strip_suffix("LN")).map(|prefix| {
        let suffix = if longitude.ends_with("LON") { "LAT" } else { "LT" };
        format!("{prefix}{suffix}")
    })
}

/// The celestial coordinates of an image header, those of other systems turned to ICRS or Galactic.
///
/// # Errors
/// [`Error::Unsupported`] for coordinates, distortions and projection parameters that are not known; [`Error::Input`] for
/// values that are missing, not finite, or contradict each other.
pub(super) fn read(header: &Header, place: &Place) -> Result<Wcs> {
    let keys = Keywords { header, place };
    if header.text("PIXTYPE").is_some_and(|p| p.eq_ignore_ascii_case("HEALPIX")) {
        return Err(keys
            .unsupported("PIXTYPE", "HEALPix maps cannot be read")
            .with_help("project the map onto a WCS geometry first"));
    }
    number_of_axes(&keys)?;
    let axes = axes(&keys)?;
    refuse_distortions(&keys)?;
    let (lon, lat) = (axes.lon, 1 - axes.lon);
    let scale = [to_deg(&keys, "CUNIT1")?, to_deg(&keys, "CUNIT2")?];
    let Linear { cdelt, pc } = wcs_linear::read(header, place, lat + 1)?;
    let increment = |axis: usize| cdelt[axis] * scale[axis];
    let value = |axis: usize| Ok::<f64, Error>(keys.real(&format!("CRVAL{}", axis + 1), 0.0)? * scale[axis]);
    if value(lat)?.abs() > 90.0 {
        let problem = format!("latitude {} deg is beyond a pole", value(lat)?);
        return Err(keys.wrong(&format!("CRVAL{}", lat + 1), problem));
    }
    let parameters = parameters(&keys, &axes)?;
    let undefined = |v: &f64| *v != 999.0;
    let out = WcsHeader {
        crpix: (keys.real("CRPIX1", 0.0)?, keys.real("CRPIX2", 0.0)?),
        crval: (value(lon)?, value(lat)?),
        cdelt: (increment(lon), increment(lat) * parameters.stretch),
        pc: [pc[lon], pc[lat]],
        lonpole: parameters.lonpole.or(keys.optional("LONPOLE")?).filter(undefined),
        latpole: parameters.latpole.or(keys.optional("LATPOLE")?).filter(undefined),
        frame: if axes.name == "GLON" { Frame::Galactic } else { Frame::Icrs },
        projection: axes.projection.clone(),
    };
    let wcs = Wcs::with_fiducial(out, parameters.fiducial).map_err(|e| e.at(place))?;
    match system(&keys, &axes)? {
        None => Ok(wcs),
        Some(system) => {
            let size = |n: usize| {
                let npix = header.int(&format!("ZNAXIS{n}")).or(header.int(&format!("NAXIS{n}"))).unwrap_or(1);
                (npix as f64 - 1.0) / 2.0
            };
            wcs.turned(system, size(1), size(2)).map_err(|e| e.at(place))
        }
    }
}

/// WCSAXES counts the axes of coordinates: no fewer than the sky's two, no more than there are.
fn number_of_axes(keys: &Keywords<'_>) -> Result<()> {
    if keys.header.get("WCSAXES").is_none() {
        return Ok(());
    }
    let described = keys.header.cards().iter().filter_map(|(key, _)| {
        let digits = ["CTYPE", "CRVAL", "CRPIX", "CDELT", "CUNIT"].iter().find_map(|k| key.strip_prefix(k))?;
        digits.parse::<i64>().ok()
    });
    let naxis = ["NAXIS", "ZNAXIS"].iter().filter_map(|k| keys.header.int(k)).max().unwrap_or(2);
    let most = described.chain([naxis, 2]).max().unwrap_or(2);
    match keys.header.int("WCSAXES") {
        Some(found) if (2..=most).contains(&found) => Ok(()),
        Some(found) => Err(keys.wrong("WCSAXES", format!("{found} axes of coordinates where there are {most}"))),
        None => Err(keys.wrong("WCSAXES", "a whole number is needed")),
    }
}

fn axes(keys: &Keywords<'_>) -> Result<Axes> {
    let ctypes = [keys.text("CTYPE1")?, keys.text("CTYPE2")?];
    for (n, ctype) in ctypes.iter().enumerate() {
        if ctype.is_empty() {
            let key = format!("CTYPE{}", n + 1);
            return Err(keys.wrong(&key, "the keyword is missing: the image has no sky coordinates"));
        }
    }
    let [first, second] = ctypes.map(split_ctype);
    let belongs = |lon: &str, lat: &str| latitude_of(lon).is_some_and(|l| l == lat);
    let (lon, (name, projection), other) = if belongs(&first.0, &second.0) {
        (0, first, second.1)
    } else if belongs(&second.0, &first.0) {
        (1, second, first.1)
    } else {
        let problem = format!("axes '{}', '{}' cannot be used", ctypes[0], ctypes[1]);
        return Err(keys
            .unsupported("CTYPE1", &problem)
            .with_help("maps need RA and DEC, or GLON and GLAT, as their first two axes"));
    };
    if projection != other {
        return Err(keys.wrong("CTYPE2", format!("'{}' does not belong to '{}'", ctypes[1], ctypes[0])));
    }
    if projection.is_empty() || projection.contains('-') {
        return Err(keys
            .unsupported("CTYPE1", &format!("'{}' cannot be used", ctypes[0]))
            .with_help("projections of three letters without distortions are known, e.g. RA---TAN"));
    }
    Ok(Axes { lon, name, projection })
}

/// The system of positions where it is neither ICRS nor Galactic.
fn system(keys: &Keywords<'_>, axes: &Axes) -> Result<Option<System>> {
    match axes.name.as_str() {
        "RA" => equatorial(keys),
        "GLON" => Ok(None),
        "ELON" => match equatorial(keys)? {
            None => Ok(Some(System::Ecliptic { equinox: equinox(keys)?.map_or(2000.0, |e| e.year) })),
            Some(System::Fk5 { equinox }) => Ok(Some(System::Ecliptic { equinox })),
            Some(_) => Err(keys.unsupported("RADESYS", "ecliptic coordinates of FK4 cannot be used")),
        },
        "SLON" => Ok(Some(System::Supergalactic)),
        name => Err(keys
            .unsupported(&format!("CTYPE{}", axes.lon + 1), &format!("coordinates '{name}' cannot be used"))
            .with_help("reproject the map to RA and DEC or GLON and GLAT")),
    }
}

/// RADESYS and EQUINOX with the defaults of FITS paper II, section 3.1.
fn equatorial(keys: &Keywords<'_>) -> Result<Option<System>> {
    let key = if keys.header.get("RADESYS").is_some() { "RADESYS" } else { "RADECSYS" };
    let system = keys.text(key)?.to_uppercase();
    if system == "ICRS" {
        return Ok(None);
    }
    let equinox = equinox(keys)?;
    let fk5 = |e: Option<Equinox>| Some(System::Fk5 { equinox: e.map_or(2000.0, |e| e.year) });
    let fk4 = |e: Option<Equinox>, e_terms| Some(System::Fk4 { equinox: e.map_or(1950.0, |e| e.year), e_terms });
    match (system.as_str(), equinox) {
        ("", None) => Ok(None),
        ("", Some(e)) if e.besselian => Ok(fk4(Some(e), true)),
        ("", Some(e)) => Ok(fk5(Some(e))),
        ("FK5", e) => Ok(fk5(e)),
        ("FK4", e) => Ok(fk4(e, true)),
        ("FK4-NO-E", e) => Ok(fk4(e, false)),
        _ => Err(keys
            .unsupported(key, &format!("coordinates of the system '{system}' cannot be used"))
            .with_help("known are ICRS, FK5, FK4 and FK4-NO-E")),
    }
}

/// A year, and whether it is one of FK4 where nothing else says so.
#[derive(Clone, Copy)]
struct Equinox {
    year: f64,
    besselian: bool,
}

/// EQUINOX, or EPOCH as it was called before 1990.
fn equinox(keys: &Keywords<'_>) -> Result<Option<Equinox>> {
    let Some(key) = ["EQUINOX", "EPOCH"].into_iter().find(|k| keys.header.get(k).is_some()) else { return Ok(None) };
    let text = keys.header.text(key).unwrap_or("").trim().to_uppercase();
    let (year, letter) = match text.chars().next() {
        Some(letter @ ('B' | 'J')) => (text[1..].parse().ok(), Some(letter)),
        _ => (keys.header.real(key), None),
    };
    let Some(year) = year.filter(|y: &f64| EQUINOXES.contains(y)) else {
        return Err(keys.wrong(key, "a year such as 2000.0 is needed"));
    };
    let besselian = letter.map_or(year < 1984.0, |l| l == 'B');
    Ok(Some(Equinox { year, besselian }))
}

/// Degrees per unit of an axis.
fn to_deg(keys: &Keywords<'_>, key: &str) -> Result<f64> {
    let text = keys.text(key)?;
    match text.to_lowercase().as_str() {
        "" | "deg" | "degree" | "degrees" => Ok(1.0),
        lower => text.parse::<Unit>().or_else(|_| lower.parse::<Unit>()).and_then(|u| u.factor_to_text("deg")).map_err(
            |_| keys.wrong(key, format!("'{text}' is not a unit of angles")).with_help("sky coordinates are in deg"),
        ),
    }
}

/// What PVi_m say.
struct Parameters {
    fiducial: Fiducial,
    lonpole: Option<f64>,
    latpole: Option<f64>,
    /// Factor on the increment of latitude.
    stretch: f64,
}

fn parameters(keys: &Keywords<'_>, axes: &Axes) -> Result<Parameters> {
    let (lon, lat) = (axes.lon + 1, 2 - axes.lon);
    let mut found = Parameters {
        fiducial: Fiducial { phi_deg: 0.0, theta_deg: None, at_crpix: false },
        lonpole: None,
        latpole: None,
        stretch: 1.0,
    };
    for (key, _) in keys.header.cards() {
        let Some((axis, m)) = key.strip_prefix("PV").and_then(|k| k.split_once('_')) else { continue };
        let (Ok(axis), Ok(m)) = (axis.parse::<usize>(), m.parse::<usize>()) else { continue };
        let value = || keys.real(key, 0.0);
        match m {
            _ if axis != lon && axis != lat => {}
            0 if axis == lon => found.fiducial.at_crpix = value()? != 0.0,
            1 if axis == lon => found.fiducial.phi_deg = value()?,
            2 if axis == lon => found.fiducial.theta_deg = Some(value()?),
            3 if axis == lon => found.lonpole = Some(value()?),
            4 if axis == lon => found.latpole = Some(value()?),
            1 if axis == lat && axes.projection == "CEA" => {
                // y = sin θ / λ; in units of 1/λ that is the projection with λ = 1.
                let lambda = value()?;
                if !(lambda > 0.0 && lambda <= 1.0) {
                    return Err(keys.wrong(key, format!("{lambda} is not within 0 and 1, as CEA needs it")));
                }
                found.stretch = lambda;
            }
            _ if value()? == 0.0 => {}
            _ => {
                return Err(keys
                    .unsupported(key, &format!("this parameter of the projection {} cannot be used", axes.projection))
                    .with_help("reproject the map to a projection without parameters, e.g. TAN"));
            }
        }
    }
    if axes.projection == "GLS" && (found.fiducial.at_crpix || found.fiducial.theta_deg.is_some()) {
        return Err(keys.unsupported(&format!("PV{lon}_2"), "GLS has no parameters; the projection SFL has"));
    }
    Ok(found)
}

/// Distortions other than by the name of the projection: SIP, and the tables of paper IV.
fn refuse_distortions(keys: &Keywords<'_>) -> Result<()> {
    for (key, _) in keys.header.cards() {
        let sip = key.strip_prefix("A_").or(key.strip_prefix("B_")).is_some_and(|rest| {
            rest.split_once('_').is_some_and(|(i, j)| i.parse::<u8>().is_ok() && j.parse::<u8>().is_ok())
        });
        let table = ["CPDIS", "CQDIS", "D2IMDIS", "DQ1", "DP1", "DQ2", "DP2"].iter().any(|k| key.starts_with(k));
        let number = keys.header.real(key);
        if (sip && number != Some(0.0)) || (table && (number.is_none_or(|v| v != 0.0))) {
            return Err(keys
                .unsupported(key, "distorted coordinates cannot be used")
                .with_help("resample the map to a projection without distortion"));
        }
    }
    Ok(())
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
