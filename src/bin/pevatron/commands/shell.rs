//! Completions and the manual page, from the one definition of the options.

use clap::CommandFactory;
use pevatron::{Error, Result};

use crate::args::Cli;

/// Completions for a shell, on stdout.
pub fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pevatron", &mut text);
    crate::report::text(&String::from_utf8_lossy(&text));
    Ok(())
}

/// The manual page, on stdout.
pub fn man() -> Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text).map_err(|e| Error::io("stdout", e))?;
    crate::report::text(&String::from_utf8_lossy(&text));
    Ok(())
}
