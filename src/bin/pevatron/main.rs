//! The command line of Pevatron: parse, make typed options, call the library, print.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod args;
mod commands;
mod config;
mod heap;
mod outputs;
mod process;
mod progress;
mod report;
mod terminal;
mod words;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command};

#[global_allocator]
static HEAP: heap::Bounded = heap::Bounded;

fn main() -> ExitCode {
    process::settle();
    let code = run();
    // What could not be written is not there for whoever reads it, so that the work is not done.
    match terminal::stdout_error() {
        Some(error) if code == ExitCode::SUCCESS => report::fail(&error),
        _ => code,
    }
}

fn run() -> ExitCode {
    let control = progress::cancellable();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let arguments = match config::expand(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return report::fail(&error),
    };
    let program = Cli::command();
    let parsed = program.clone().try_get_matches_from(&arguments).and_then(|m| Ok((Cli::from_arg_matches(&m)?, m)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        // It repeats what was typed, or what a configuration file holds.
        Err(error) if error.use_stderr() => {
            if let Some((problem, help)) = words::of_another_command(&program, &error, &arguments) {
                report::problem(&problem, Some(&help));
                return ExitCode::from(2);
            }
            terminal::err(error.render().to_string().trim_end());
            return ExitCode::from(2);
        }
        // clap prints help and versions through the same door; those are not errors.
        Err(error) => {
            terminal::note_stdout(error.print().and_then(|()| std::io::stdout().flush()));
            return ExitCode::SUCCESS;
        }
    };
    if let Some(command) = matches.subcommand_name().and_then(|name| program.find_subcommand(name)) {
        words::speak_of(command);
    }
    pevatron::error::warnings::set_handler(report::warning);
    pevatron::error::warnings::set_program_words(true);
    pevatron::error::warnings::set_strict(cli.is_strict());
    pevatron::io::keep_streams();
    let result = if cli.dumps_config() {
        config::dump(&matches)
    } else {
        match &cli.command {
            Command::Tsmap(args) => commands::tsmap::run(args, &control),
            Command::Excess(args) => commands::excess::run(args, &control),
            Command::Peaks(args) => commands::peaks::run(args, &control),
            Command::Combine(args) => commands::combine::run(args, &control),
            Command::Asmooth(args) => commands::asmooth::run(args, &control),
            Command::Npred(args) => commands::npred::run(args, &control),
            Command::Fit(args) => return ended(commands::fit::run(args, &control)),
            Command::Info(args) => commands::info::run(args),
            Command::Plot(args) => commands::plot::run(args, &control),
            Command::FluxPoints(args) => commands::flux_points::run(args),
            Command::Convert(args) => commands::convert::run(args),
            Command::Stack(args) => commands::stack::run(args, &control),
            Command::Cutout(args) => commands::cutout::run(args),
            Command::Residuals(args) => commands::residuals::run(args, &control),
            Command::Simulate(args) => commands::simulate::run(args, &control),
            Command::Devices(args) => commands::devices::run(args, &control),
            Command::Demo(args) => commands::demo::run(args, &control),
            Command::Bench(args) => return ended(commands::bench::run(args, &control)),
            Command::Completions { shell } => commands::shell::completions(*shell),
            Command::Man => commands::shell::man(),
        }
    };
    ended(result.map(|()| true))
}

/// The exit code. `false`: all was done, but what came out is not what was wanted, which has been said: a fit without a
/// minimum, a benchmark with a wrong or slower result.
fn ended(result: pevatron::Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => report::fail(&error),
    }
}
