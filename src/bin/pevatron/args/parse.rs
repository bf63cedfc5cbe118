//! Values of options.

use std::path::Path;

use pevatron::io::Catalogue;
use pevatron::maps::{Frame, SkyPosition};
use pevatron::units::Energy;
use pevatron::{Error, Result};

/// Names the option in an error that a value's own parser made.
pub fn named<T>(option: &str, value: Result<T>) -> Result<T> {
    value.map_err(|error| {
        let problem = match &error {
            // The option says what the value is; a file is to be named all the same.
            Error::Options { problem, .. } => problem.clone(),
            Error::Input { place, problem, .. } if !place.has_file() => problem.clone(),
            other => other.to_string(),
        };
        Error::options(option, problem).with_help_of(&error)
    })
}

pub fn parse_edges(text: &str) -> Result<pevatron::estimators::EnergyEdges> {
    use pevatron::estimators::EnergyEdges;
    if text == "all" {
        return Ok(EnergyEdges::All);
    }
    let edges = quantities("energy_edges", text, "TeV")?.into_iter().map(Energy::tev).collect();
    Ok(EnergyEdges::Edges(edges))
}

/// Quantities by commas, in a unit that they can be converted to.
pub fn quantities(option: &str, text: &str, unit: &str) -> Result<Vec<f64>> {
    let list = named(option, pevatron::units::parse_list(text))?;
    if list.iter().any(|q| q.unit.to_string().is_empty()) {
        let problem = format!("'{text}' has no unit");
        return Err(Error::options(option, problem).with_help(format!("add one, e.g. {}{unit}", text.trim())));
    }
    named(option, list.iter().map(|q| q.to(unit)).collect())
}

/// `2GB`, `500 MB`, `1GiB`, plain bytes.
fn parse_size(text: &str) -> Result<u64> {
    let wrong = || Error::options("memory", format!("'{text}' is not a size")).with_help("write e.g. 2GB or 500MB");
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

/// A position in any spelling ([`SkyPosition::parse`]), or the name of a source of the files that the command is given.
pub fn parse_position(option: &str, text: &str, frame: Frame, files: &[&Path]) -> Result<SkyPosition> {
    let error = match SkyPosition::parse(text, frame) {
        Ok(position) => return Ok(position),
        Err(error) => error,
    };
    // What cannot be a position at all is a name.
    let is_name = text.chars().any(|c| c.is_alphabetic() && !"hmsd".contains(c));
    let mut missing = None;
    for file in files {
        match Catalogue::of_file(file, frame).and_then(|sources| sources.find(text)) {
            Ok(position) => return Ok(position),
            Err(error) => missing = missing.or(Some(error)),
        }
    }
    named(option, Err(missing.filter(|_| is_name).unwrap_or(error)))
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
