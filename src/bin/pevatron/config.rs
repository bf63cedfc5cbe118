//! `--config FILE.toml` and `--dump-config`: the options of a command under the same names, with underscores.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::CommandFactory;
use pevatron::{Error, Place, Result};

use crate::args::Cli;

/// Options that say where the options come from.
const META: [&str; 2] = ["config", "dump_config"];

/// Puts the options of the configuration file in front of those of the command line, so that the latter win.
pub fn expand(arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    let Some(path) = config_path(&arguments) else {
        return Ok(arguments);
    };
    let command = Cli::command();
    let Some((at, sub)) =
        arguments.iter().enumerate().skip(1).find_map(|(i, a)| command.find_subcommand(a).map(|sub| (i, sub.clone())))
    else {
        return Ok(arguments);
    };
    let text = read_text(&path)
        .map_err(|e| Error::input_at(Place::file(&path), format!("the configuration cannot be read: {e}")))?;
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        Error::input_at(Place::file(&path), e.to_string().trim().replace('\n', "\n  "))
    })?;
    let mut expanded = arguments[..=at].to_vec();
    let mut positional = Vec::new();
    for (key, value) in table {
        let argument = sub.get_arguments().find(|a| a.get_id().as_str() == key && !META.contains(&key.as_str()));
        let Some(argument) = argument else {
            let place = Place::file(&path).item(&key);
            let typed = format!("--{}", key.replace('_', "-"));
            if let Some((problem, help)) = crate::words::elsewhere(&command, sub.get_name(), &typed) {
                return Err(Error::input_at(place, problem).with_help(help));
            }
            let mut known: Vec<_> = sub.get_arguments().map(|a| a.get_id().as_str()).collect();
            known.retain(|id| !META.contains(id) && *id != "help");
            return Err(Error::input_at(
                place,
                format!("'{}' has no such option, only {}", sub.get_name(), known.join(", ")),
            ));
        };
        let texts = as_texts(&value).ok_or_else(|| {
            Error::input_at(Place::file(&path).item(&key), "a text, number, true, false or a list of them is needed")
        })?;
        if argument.is_positional() {
            positional.extend(texts.into_iter().map(OsString::from));
        } else if !argument.get_action().takes_values() {
            if value.as_bool() == Some(true) {
                expanded.push(format!("--{}", key.replace('_', "-")).into());
            } else if let Some(times) = value.as_integer() {
                expanded.extend((0..times.min(9)).map(|_| format!("--{}", key.replace('_', "-")).into()));
            }
        } else {
            expanded.push(format!("--{}={}", key.replace('_', "-"), texts.join(",")).into());
        }
    }
    let rest = &arguments[at + 1..];
    let flags_only = sub
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(std::iter::once(OsString::from(sub.get_name())).chain(rest.iter().cloned()));
    let has_positional = sub.get_positionals().next().is_some_and(|p| {
        flags_only.is_ok_and(|m| {
            m.value_source(p.get_id().as_str()).is_some_and(|s| s == clap::parser::ValueSource::CommandLine)
        })
    });
    if !has_positional {
        expanded.extend(positional);
    }
    expanded.extend(rest.iter().cloned());
    Ok(expanded)
}

fn config_path(arguments: &[OsString]) -> Option<PathBuf> {
    let mut iter = arguments.iter();
    while let Some(argument) = iter.next() {
        if argument == "--config" {
            return iter.next().map(PathBuf::from);
        }
        if let Some(path) = with_value(argument, "--config=") {
            return Some(PathBuf::from(path));
        }
    }
    None
}

/// What follows `start` in an argument, whatever bytes it is of.
fn with_value<'a>(argument: &'a OsStr, start: &str) -> Option<&'a OsStr> {
    let rest = argument.as_encoded_bytes().strip_prefix(start.as_bytes())?;
    // SAFETY: the bytes are those of an OS string, split right behind text that is UTF-8.
    Some(unsafe { OsStr::from_encoded_bytes_unchecked(rest) })
}

fn as_texts(value: &toml::Value) -> Option<Vec<String>> {
    Some(match value {
        toml::Value::String(s) => vec![s.clone()],
        toml::Value::Integer(i) => vec![i.to_string()],
        toml::Value::Float(f) => vec![f.to_string()],
        toml::Value::Boolean(b) => vec![b.to_string()],
        toml::Value::Array(list) => list.iter().map(as_texts).collect::<Option<Vec<_>>>()?.concat(),
        _ => return None,
    })
}

/// Prints the effective options of the command as TOML.
pub fn dump(matches: &clap::ArgMatches) -> Result<()> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    let command = Cli::command();
    let Some(sub) = command.find_subcommand(name) else { return Ok(()) };
    let mut table = toml::Table::new();
    for argument in sub.get_arguments() {
        let id = argument.get_id().as_str();
        if META.contains(&id) || id == "help" {
            continue;
        }
        let value = if !argument.get_action().takes_values() {
            match argument.get_action() {
                clap::ArgAction::Count => Some(toml::Value::Integer(i64::from(matches.get_count(id)))),
                _ => Some(toml::Value::Boolean(matches.get_flag(id))),
            }
        } else {
            matches.get_raw(id).map(|raw| {
                let mut texts: Vec<_> = raw.map(|v| typed(&v.to_string_lossy())).collect();
                if argument.is_positional() || texts.len() != 1 { toml::Value::Array(texts) } else { texts.remove(0) }
            })
        };
        if let Some(value) = value {
            table.insert(id.to_string(), value);
        }
    }
    crate::report::text(table.to_string().trim_end());
    Ok(())
}

fn typed(text: &str) -> toml::Value {
    if let Ok(i) = text.parse::<i64>() {
        toml::Value::Integer(i)
    } else if let Ok(f) = text.parse::<f64>() {
        toml::Value::Float(f)
    } else if let Ok(b) = text.parse::<bool>() {
        toml::Value::Boolean(b)
    } else {
        toml::Value::String(text.to_string())
    }
}

/// The text of a file; endless ones (devices) are refused.
pub fn read_text(path: &std::path::Path) -> std::io::Result<String> {
    use std::io::Read;
    const MOST_BYTES: u64 = 64 << 20;
    let mut text = String::new();
    pevatron::io::note_input(path);
    std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other(format!("it has more than {MOST_BYTES} bytes")));
    }
    Ok(text)
}
