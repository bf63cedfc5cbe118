//! What errors and warnings say, in the words of the command line: options as they are typed, not as the library names
//! them, and the command that an option belongs to.

use std::sync::OnceLock;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The options of the command that runs: the name of each in the library, and as it is typed.
static OPTIONS: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// From now on options are those of this command.
pub fn speak_of(command: &Command) {
    OPTIONS.get_or_init(|| options(command));
}

fn options(command: &Command) -> Vec<(String, String)> {
    let typed = |a: &clap::Arg| match (a.get_long(), a.get_value_names()) {
        (Some(long), _) => Some(format!("--{long}")),
        (None, Some([name])) => Some(name.to_string()),
        _ => None,
    };
    command.get_arguments().filter_map(|a| Some((a.get_id().to_string(), typed(a)?))).collect()
}

/// An option as it is typed, where the command has it.
pub fn option(name: &str) -> String {
    typed_option(OPTIONS.get().map_or(&[], Vec::as_slice), name)
}

fn typed_option(options: &[(String, String)], name: &str) -> String {
    options.iter().find(|(id, _)| id == name).map_or_else(|| name.to_string(), |(_, typed)| typed.clone())
}

/// A text whose words that can only be options (`kernel_width`) are as they are typed (`--kernel-width`). What is quoted or
/// part of a file name stays.
pub fn own(text: &str) -> String {
    typed_words(OPTIONS.get().map_or(&[], Vec::as_slice), text)
}

fn typed_words(options: &[(String, String)], text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let end = rest[start..].find(|c: char| !is_word(c)).map_or(rest.len(), |n| start + n);
        let word = &rest[start..end];
        out.push_str(&rest[..start]);
        let before = out.chars().next_back();
        let mut after = rest[end..].chars();
        let next = after.next();
        // A full stop ends a sentence, or stands before the ending of a file.
        let in_name = |c: Option<char>| c.is_some_and(|c| "'\"`/\\.-=[".contains(c));
        let follows = match next {
            Some('.') => after.next().is_some_and(is_word),
            next => in_name(next),
        };
        match word.contains('_') && !in_name(before) && !follows {
            true => out.push_str(&typed_option(options, word)),
            false => out.push_str(word),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Where an option that a command does not have belongs to, and what helps; `None` where no command has it.
pub fn elsewhere(program: &Command, command: &str, typed: &str) -> Option<(String, String)> {
    let name = typed.split('=').next().unwrap_or(typed);
    let has = |a: &clap::Arg| match (name.strip_prefix("--"), name.strip_prefix('-')) {
        (Some(long), _) => {
            a.get_long() == Some(long) || a.get_all_aliases().is_some_and(|aliases| aliases.contains(&long))
        }
        (None, Some(short)) => a.get_short().is_some_and(|c| short.strip_prefix(c) == Some("")),
        _ => false,
    };
    let owners: Vec<String> = program
        .get_subcommands()
        .filter(|c| c.get_name() != command && c.get_arguments().any(has))
        .map(|c| format!("`{}`", c.get_name()))
        .collect();
    let (last, others) = owners.split_last()?;
    let list = if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) };
    let help = format!("`pevatron {command} --help` lists the options of `{command}`");
    Some((format!("`{name}` is an option of {list}, not of `{command}`"), help))
}

/// The same for what clap says of arguments that it does not know.
pub fn of_another_command(
    program: &Command,
    error: &clap::Error,
    arguments: &[std::ffi::OsString],
) -> Option<(String, String)> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return None };
    let command = arguments.iter().skip(1).find_map(|a| program.find_subcommand(a))?;
    elsewhere(program, command.get_name(), typed)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    fn options_of(command: &str) -> Vec<(String, String)> {
        options(Cli::command().find_subcommand(command).unwrap())
    }

    #[test]
    fn options_are_as_they_are_typed() {
        let options = options_of("tsmap");
        assert_eq!(typed_option(&options, "kernel_width"), "--kernel-width");
        assert_eq!(typed_option(&options, "correlation_radius"), "correlation_radius");
        let own = typed_words(
            &options,
            "3 fits did not converge; raise max_niter. See 'max_niter', a/max_niter, max_niter.fits",
        );
        assert_eq!(own, "3 fits did not converge; raise --max-niter. See 'max_niter', a/max_niter, max_niter.fits");
        assert_eq!(
            typed_words(&options, "sqrt_ts of --max_niter, µ energy_edges"),
            "sqrt_ts of --max_niter, µ --energy-edges"
        );
    }

    #[test]
    fn options_are_found_in_the_commands_that_have_them() {
        let program = Cli::command();
        let (problem, help) = elsewhere(&program, "tsmap", "--correlation-radius=1deg").unwrap();
        assert_eq!(problem, "`--correlation-radius` is an option of `excess`, not of `tsmap`");
        assert!(help.contains("pevatron tsmap --help"));
        let (problem, _) = elsewhere(&program, "info", "--seed").unwrap();
        assert_eq!(problem, "`--seed` is an option of `simulate` and `demo`, not of `info`");
        assert_eq!(elsewhere(&program, "tsmap", "--no-such-option"), None);
        assert!(elsewhere(&program, "bench", "-o").unwrap().0.starts_with("`-o` is an option of `tsmap`, "));
    }
}
