//! Errors, memory, and other things that are told.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;

use pevatron::{Error, ErrorKind};

use crate::{terminal, words};

/// Prints an error in one line, its help in another, and gives the exit code: 2 for wrong input or options, 130 for
/// cancelled, else 1.
pub fn fail(error: &Error) -> ExitCode {
    let text = match error {
        Error::Options { option, problem, .. } => format!("{}: {}", words::option(option), words::own(problem)),
        other => words::own(&other.to_string()),
    };
    problem(&text, error.program_help().map(words::own).as_deref());
    ExitCode::from(match error.kind() {
        ErrorKind::Options | ErrorKind::Input | ErrorKind::Unsupported => 2,
        ErrorKind::Cancelled => CANCELLED,
        _ => 1,
    })
}

/// The exit code of what was cancelled.
pub const CANCELLED: u8 = 130;

/// Prints what is wrong in one line, and what helps in another. The picture of a wrong line of TOML stands below, indented.
pub fn problem(problem: &str, help: Option<&str>) {
    let parts: Vec<String> = problem.split("\n  ").map(terminal::one_line).collect();
    terminal::err(&format!("error: {}", parts.join("\n  ")));
    if let Some(help) = help {
        terminal::err(&format!("help: {}", terminal::one_line(help)));
    }
}

/// Prints what its user should know in one line, each text once: files are looked into more than once.
pub fn warning(text: &str) {
    let text = words::own(text);
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    if let Ok(mut said) = SAID.lock()
        && !said.contains(&text)
    {
        terminal::err(&format!("warning: {}", terminal::one_line(&text)));
        said.push(text);
    }
}

/// Prints one line to stderr: what is being done, what was decided.
pub fn remark(text: &str) {
    terminal::err(&terminal::one_line(text));
}

/// A file name in a JSON document; JSON has no bytes that are not UTF-8.
pub fn name(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}

/// Memory that is free now.
pub fn free_memory_bytes() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    Some(system.available_memory()).filter(|b| *b > 0)
}

/// The machine, for records.
pub fn host() -> pevatron::bench::Host {
    let mut host = pevatron::bench::Host {
        cores: std::thread::available_parallelism().map_or(1, |n| n.get()),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ..Default::default()
    };
    if let Ok(mut system) = sysinfo::System::new() {
        system.refresh_memory();
        system.refresh_cpu_all();
        host.cpu = system.cpus().first().map(|cpu| cpu.brand().trim().to_string()).filter(|name| !name.is_empty());
        host.memory_bytes = Some(system.total_memory()).filter(|bytes| *bytes > 0);
    }
    host
}

/// Largest resident memory of this process so far (Linux; elsewhere unknown).
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Prints a JSON document.
pub fn json(value: &serde_json::Value) {
    text(&format!("{value:#}"));
}

/// Prints one line to stdout.
pub fn line(text: &str) {
    terminal::out(&terminal::one_line(text));
}

/// Prints a text of several lines to stdout.
pub fn text(text: &str) {
    terminal::out(text);
}
