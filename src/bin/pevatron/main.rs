//! The command line of Pevatron: parse, make typed options, call the library, print.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod args;
mod commands;
mod config;
mod progress;
mod report;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command};

fn main() -> ExitCode {
    // Mesa's device-selection layer writes to stderr where a session has no runtime folder (containers, batch jobs).
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() && std::env::var_os("NODEVICE_SELECT").is_none() {
        // SAFETY: nothing else runs yet, so no other thread can read the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
    let arguments: Vec<String> = std::env::args().collect();
    let arguments = match config::expand(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return report::fail(&error),
    };
    let matches = match Cli::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // clap prints help and versions through the same door; those are no errors.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(2);
        }
    };
    let control = progress::cancellable();
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
