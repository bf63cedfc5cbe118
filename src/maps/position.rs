//! Positions as people write them.

use super::frame::{Frame, SkyPosition};
use super::wcs::System;
use super::wcs::rotation::{lonlat_of, vector_of};
use crate::error::{Error, Result};
use crate::units::Angle;

/// What helps where a text is not a position.
const HELP: &str = "write longitude and latitude, e.g. 83.63,22.01 or '05h34m31s +22d00m52s', with another frame as 'galactic 184.55,-5.78'";

/// The coordinates that a text is in.
#[derive(Debug, Clone, Copy)]
enum Coordinates {
    Own(Frame),
    Turned(System),
}

impl SkyPosition {
    /// From text: `83.63 22.01`, `83.63d,22.01d`, `05h34m31s +22d00m52s`, `05:34:31 22:00:52` (hours, but in degrees for
    /// longitudes that are none of the equator), with one of the frames `icrs`, `galactic`, `fk5`, `fk4`, `ecliptic`,
    /// `supergalactic` in front (`galactic 184.55,-5.78`, `icrs;83.63,22.01`), else in `frame`. Bare numbers are degrees.
    /// FK5 and FK4 are of J2000 and B1950, or of the equinox that follows (`fk5 J1975 …`); all but galactic ones become
    /// ICRS.
    ///
    /// ```
    /// use pevatron::maps::{Frame, SkyPosition};
    /// let crab = SkyPosition::parse("05h34m31.2s +22d00m36s", Frame::Icrs)?;
    /// assert!((crab.lon_deg - 83.63).abs() < 1e-12 && (crab.lat_deg - 22.01).abs() < 1e-12);
    /// assert_eq!(SkyPosition::parse("galactic 184.55,-5.78", Frame::Icrs)?, SkyPosition::galactic(184.55, -5.78));
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Options`] for text that is not a position.
    pub fn parse(text: &str, frame: Frame) -> Result<Self> {
        let wrong = |problem: String| Error::options("position", problem).with_help(HELP);
        let clean: String = text.chars().map(|c| if c == '−' { '-' } else { c }).collect();
        let (coordinates, numbers) = in_front(&clean, frame).map_err(wrong)?;
        let hours = match coordinates {
            Coordinates::Own(frame) => frame == Frame::Icrs,
            Coordinates::Turned(system) => matches!(system, System::Fk5 { .. } | System::Fk4 { .. }),
        };
        let (lon, lat) = two(numbers).ok_or_else(|| wrong(format!("'{text}' is not two angles")))?;
        // Nobody writes galactic longitudes so without saying that they are.
        if frame == Frame::Galactic && numbers.len() == clean.trim().len() && lon.contains(['h', ':']) {
            let problem = format!("'{text}' looks like right ascension and declination, the frame is galactic");
            return Err(Error::options("position", problem)
                .with_help(format!("say what it is: 'icrs {numbers}' or 'galactic {numbers}'")));
        }
        let lon_deg = longitude(&lon, hours).map_err(wrong)?;
        let lat_deg = degrees(&lat).map_err(wrong)?;
        if !((-360.0..=360.0).contains(&lon_deg) && (-90.0..=90.0).contains(&lat_deg)) {
            return Err(wrong(format!("({lon_deg}, {lat_deg}) deg is not a place on the sky")));
        }
        Ok(match coordinates {
            Coordinates::Own(frame) => Self { lon_deg, lat_deg, frame },
            Coordinates::Turned(system) => {
                let (lon_deg, lat_deg) = lonlat_of(system.turn(vector_of(lon_deg, lat_deg)));
                Self { lon_deg, lat_deg, frame: system.target() }
            }
        })
    }
}

/// The coordinates that a text names in front of its numbers, else those of `frame`, and the rest.
fn in_front(text: &str, frame: Frame) -> Result<(Coordinates, &str), String> {
    let text = text.trim();
    let word = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok((Coordinates::Own(frame), text));
    }
    let end = word(text);
    let separator = |c: char| c.is_whitespace() || ";,:(".contains(c);
    let rest = text[end..].trim_start_matches(separator);
    let name = text[..end].to_lowercase();
    // An equinox: J2000, B1950, also (equinox=J1975).
    let stated = rest.strip_prefix("equinox=").unwrap_or(rest);
    let equinox = stated.strip_prefix(['J', 'B', 'j', 'b']).and_then(|year| {
        let end = year.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(year.len());
        let value: f64 = year[..end].parse().ok()?;
        Some((stated.as_bytes()[0].to_ascii_uppercase(), value, year[end..].trim_start_matches(')')))
    });
    let of_equinox = |kind: u8, default: f64| match equinox {
        None => Ok((default, rest)),
        Some((given, year, rest)) if given == kind && (1500.0..=2500.0).contains(&year) => {
            Ok((year, rest.trim_start_matches(separator)))
        }
        Some((given, year, _)) => Err(format!("'{}{year}' is not an equinox of {name}", char::from(given))),
    };
    let turned = |system: System| Ok((Coordinates::Turned(system), rest));
    match name.as_str() {
        "icrs" => Ok((Coordinates::Own(Frame::Icrs), rest)),
        "galactic" => Ok((Coordinates::Own(Frame::Galactic), rest)),
        "fk5" => of_equinox(b'J', 2000.0).map(|(equinox, rest)| (Coordinates::Turned(System::Fk5 { equinox }), rest)),
        "fk4" => of_equinox(b'B', 1950.0)
            .map(|(equinox, rest)| (Coordinates::Turned(System::Fk4 { equinox, e_terms: true }), rest)),
        "j2000" => turned(System::Fk5 { equinox: 2000.0 }),
        "b1950" => turned(System::Fk4 { equinox: 1950.0, e_terms: true }),
        "ecliptic" => turned(System::Ecliptic { equinox: 2000.0 }),
        "supergalactic" => turned(System::Supergalactic),
        _ => Err(format!("'{text}' begins with none of the frames icrs, galactic, fk5, fk4, ecliptic, supergalactic")),
    }
}

/// The texts of two angles: on both sides of a comma, or of the blank in the middle of an even number of words.
fn two(text: &str) -> Option<(String, String)> {
    let words = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_string).collect() };
    let join = |words: &[String]| match words {
        [one] => one.clone(),
        // 05 34 31, which would be three numbers with any unit.
        words if words.iter().all(|w| w.parse::<f64>().is_ok()) => words.join(":"),
        words => words.concat(),
    };
    let (lon, lat) = match text.split_once(',') {
        Some((lon, lat)) => (words(lon), words(lat)),
        None => {
            let mut lon = words(text);
            if lon.len() % 2 != 0 {
                return None;
            }
            let lat = lon.split_off(lon.len() / 2);
            (lon, lat)
        }
    };
    let counts = 1..=3;
    (counts.contains(&lon.len()) && counts.contains(&lat.len())).then(|| (join(&lon), join(&lat)))
}

/// A longitude in degrees; one with colons is in hours on the equator.
fn longitude(text: &str, hours: bool) -> Result<f64, String> {
    let value = degrees(text)?;
    match hours && text.contains(':') {
        true if !(0.0..24.0).contains(&value) => Err(format!("'{text}': hours are from 0 to 24")),
        true => Ok(15.0 * value),
        false => Ok(value),
    }
}

/// An angle in degrees, of any spelling.
fn degrees(text: &str) -> Result<f64, String> {
    let plain = text.replace('°', "d").replace(['′', '’'], "m").replace('″', "s");
    sexagesimal(&plain).or_else(|problem| {
        let quantity = text.parse::<Angle>().map(Angle::to_deg);
        quantity.map_err(|_| problem)
    })
}

/// Degrees: a number, with `"` arcseconds, `'` arcminutes, `d` degrees, `h` hours, `r` radians; `5h34m31.9s`, `-22d00m52s`;
/// with colons degrees, too.
///
/// # Errors
/// What is wrong, for text that is none of these; minutes are below 60, and seconds, but for a rounded 60.
pub(crate) fn sexagesimal(text: &str) -> Result<f64, String> {
    let text = text.trim();
    if text.contains(':') {
        return parts(text).ok_or_else(|| format!("'{text}' is not a number of the form 5:34:31.9"));
    }
    if let Some(end) = text.find(['h', 'd']).filter(|end| end + 1 < text.len()) {
        let scale = if text.as_bytes()[end] == b'h' { 15.0 } else { 1.0 };
        let mut colons = format!("{}:{}", &text[..end], text[end + 1..].replacen('m', ":", 1).replacen('\'', ":", 1));
        colons = colons.trim_end_matches(['s', '"', ':']).to_string();
        return parts(&colons).map(|v| scale * v).ok_or_else(|| format!("'{text}' is not a number"));
    }
    let (number, scale) = match text.as_bytes().last() {
        Some(b'"') => (&text[..text.len() - 1], 1.0 / 3600.0),
        Some(b'\'') => (&text[..text.len() - 1], 1.0 / 60.0),
        Some(b'd') => (&text[..text.len() - 1], 1.0),
        Some(b'h') => (&text[..text.len() - 1], 15.0),
        Some(b'r') => (&text[..text.len() - 1], 1f64.to_degrees()),
        _ => (text, 1.0),
    };
    let value = number.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    value.map(|v| v * scale).ok_or_else(|| format!("'{text}' is not a number"))
}

/// `5:34:31.9` or `-22:00:52`.
fn parts(text: &str) -> Option<f64> {
    let text = text.trim();
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let parts: Vec<&str> = unsigned.split(':').collect();
    let mut value = 0.0;
    for (i, part) in parts.iter().enumerate() {
        // Signs and exponents stand nowhere behind the sign of the whole.
        let number = part.parse::<f64>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit() || b == b'.'))?;
        if i > 2
            || (i == 1 && number >= 60.0)
            || (i == 2 && number > 60.0)
            || (i + 1 < parts.len() && part.contains('.'))
        {
            return None;
        }
        value += number / [1.0, 60.0, 3600.0][i];
    }
    Some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SkyCoord(...).icrs` of astropy 8.0.2, in degrees.
    #[test]
    fn positions_are_astropys() {
        for (text, frame, ra, dec) in [
            ("83.63 22.01", Frame::Icrs, 83.63, 22.01),
            ("83.63,22.01", Frame::Icrs, 83.63, 22.01),
            ("83.63d,22.01d", Frame::Icrs, 83.63, 22.01),
            (" 83.63deg , -22.01 deg ", Frame::Icrs, 83.63, -22.01),
            ("05h34m31s +22d00m52s", Frame::Icrs, 83.62916666666665, 22.014444444444443),
            ("05:34:31 22:00:52", Frame::Icrs, 83.62916666666665, 22.014444444444443),
            ("05 34 31.94 -00 30 52.2", Frame::Icrs, 83.63308333333332, -0.5145),
            ("5h34.5m,-0d30.25m", Frame::Icrs, 83.62499999999999, -0.5041666666666667),
            ("17h45m40.04s -29°00′28.1″", Frame::Icrs, 266.41683333333333, -29.007805555555557),
            ("icrs;83.63,22.01", Frame::Galactic, 83.63, 22.01),
            ("icrs 05:34:31 22:00:52", Frame::Galactic, 83.62916666666665, 22.014444444444443),
            ("galactic 184.55,-5.78", Frame::Icrs, 83.63276812765655, 22.02309947025322),
            ("galactic 184:33:00 -5:46:48", Frame::Galactic, 83.63276812765655, 22.02309947025322),
            ("fk5 83.63,22.01", Frame::Galactic, 83.62999237548185, 22.01000521319671),
            ("FK5 J1975 83.63 22.01", Frame::Icrs, 84.00621486357333, 22.02499187635514),
            ("fk5(equinox=J2015.5) 05h34m31s -62d00m52s", Frame::Icrs, 83.59198620398777, -62.024040824619036),
            ("fk4;05:31:31 21:58:54", Frame::Icrs, 83.63142463483022, 22.014365742511306),
            ("fk4 B1900 310.5 -44.25", Frame::Icrs, 312.18558496116077, -43.88212595603038),
            ("b1950 266.4 -28.9", Frame::Icrs, 267.19426374083724, -28.915564600418584),
            ("supergalactic 47.4 -12.3", Frame::Icrs, 141.4462134084817, 55.15483484223156),
        ] {
            let found = SkyPosition::parse(text, frame).unwrap();
            let d = found.separation_deg(SkyPosition::icrs(ra, dec));
            assert!(d < 1e-8, "{text}: {found:?}, {d} deg away");
        }
        assert_eq!(SkyPosition::parse("184.55 -5.78", Frame::Galactic).unwrap(), SkyPosition::galactic(184.55, -5.78));
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for (text, wanted) in [
            ("83.63", "not two angles"),
            ("", "not two angles"),
            ("1,2,3", "'2,3' is not a number"),
            ("83.63 22.01 5", "not two angles"),
            ("fk6 83.63 22.01", "begins with none of the frames"),
            ("crab", "begins with none of the frames"),
            ("83.63,x", "'x' is not a number"),
            ("83.63,95", "not a place"),
            ("8363,22.01", "not a place"),
            ("25:00:00 10:00:00", "hours are from 0 to 24"),
            ("05:61:00 10:00:00", "'05:61:00'"),
            ("05:-4:00 10:00:00", "'05:-4:00'"),
            ("05:34:31 22:00:61", "'22:00:61'"),
            ("1:2:3:4 5", "'1:2:3:4'"),
            ("nan,3", "begins with none"),
            ("inf inf", "begins with none"),
            ("10 TeV,3", "'10TeV'"),
            ("fk5 B1950 83.63 22.01", "'B1950' is not an equinox of fk5"),
        ] {
            let error = SkyPosition::parse(text, Frame::Icrs).unwrap_err();
            assert!(error.to_string().contains(wanted), "{text}: {error}");
            assert!(error.help().unwrap().contains("83.63,22.01"), "{text}");
        }
        for text in ["05:34:31 22:00:52", "05h34m31s,22d00m52s"] {
            let error = SkyPosition::parse(text, Frame::Galactic).unwrap_err();
            assert!(error.to_string().contains("the frame is galactic") && error.help().unwrap().contains("'icrs 05"));
        }
    }
}
