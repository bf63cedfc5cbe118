//! Values of options.

use pevatron::maps::{Frame, SkyPosition};
use pevatron::units::{Angle, Energy};
use pevatron::{Error, Result};

/// Names the option in an error that a value's own parser made.
pub fn named<T>(option: &str, value: Result<T>) -> Result<T> {
    value.map_err(|error| Error::options(option, error.to_string()).with_help_of(&error))
}

pub fn parse_edges(text: &str) -> Result<pevatron::estimators::EnergyEdges> {
    use pevatron::estimators::EnergyEdges;
    if text == "all" {
        return Ok(EnergyEdges::All);
    }
    let edges = named("energy_edges", pevatron::units::parse_list(text))?
        .iter()
        .map(|q| q.to("TeV").map(Energy::tev))
        .collect::<Result<_>>();
    named("energy_edges", edges).map(EnergyEdges::Edges)
}

/// `2GB`, `500 MB`, `1GiB`, plain bytes.
fn parse_size(text: &str) -> Result<u64> {
    let wrong = || Error::options("memory", format!("'{text}' is no size")).with_help("write e.g. 2GB or 500MB");
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(trimmed.len());
    let number: f64 = trimmed[..split].trim().parse().map_err(|_| wrong())?;
    let scale = match trimmed[split..].to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number * scale;
    if (1.0..1e18).contains(&bytes) { Ok(bytes as u64) } else { Err(wrong()) }
}

/// `83.63deg,22.01deg`; bare numbers are degrees.
pub fn parse_position(text: &str, frame: Frame) -> Result<SkyPosition> {
    let wrong = |problem: String| {
        Error::options("position", problem).with_help("write longitude and latitude, e.g. 83.63deg,22.01deg")
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [lon, lat] = parts.as_slice() else { return Err(wrong(format!("'{text}' is not two angles"))) };
    let degrees = |text: &str| match text.parse::<f64>() {
        Ok(value) => Ok(value),
        Err(_) => text.parse::<Angle>().map(Angle::to_deg).map_err(|e| wrong(e.to_string())),
    };
    let (lon_deg, lat_deg) = (degrees(lon)?, degrees(lat)?);
    if !(lon_deg.is_finite() && (-90.0..=90.0).contains(&lat_deg)) {
        return Err(wrong(format!("({lon_deg}, {lat_deg}) deg is no place on the sky")));
    }
    Ok(SkyPosition { lon_deg, lat_deg, frame })
}

/// The frame of an option, else the one of the data.
pub fn parse_frame(text: Option<&str>, default: Frame) -> Result<Frame> {
    text.map_or(Ok(default), |t| named("frame", t.parse()))
}

pub fn threads(wanted: Option<usize>) -> Result<Option<usize>> {
    let most = crate::process::most_threads();
    match wanted {
        Some(0) => Err(Error::options("threads", "must be at least 1")),
        Some(n) if n > most => {
            let problem = format!("{n} are more than make sense here: at most {most}");
            Err(Error::options("threads", problem).with_help("leave it out to take all cores"))
        }
        wanted => Ok(wanted),
    }
}

/// What is asked for, else three quarters of what is free.
pub fn memory_bytes(wanted: Option<&str>) -> Result<Option<u64>> {
    match wanted {
        Some(text) => parse_size(text).map(Some),
        None => Ok(crate::report::free_memory_bytes().map(|free| free / 4 * 3)),
    }
}
