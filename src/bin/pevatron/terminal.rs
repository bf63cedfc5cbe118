//! The one door to stdout and stderr: nothing raw of a file reaches a terminal, a closed pipe is quiet, a full disk an
//! error.

use std::io::{ErrorKind, Write};
use std::sync::Mutex;

use pevatron::Error;

/// How writing to stdout went so far.
#[derive(Default)]
struct Stdout {
    /// The reader went away: nothing more is written, and that is not an error.
    closed: bool,
    failed: Option<std::io::Error>,
}

static STDOUT: Mutex<Stdout> = Mutex::new(Stdout { closed: false, failed: None });

/// What a terminal would act on, or a reader be fooled by: controls, and marks that turn the direction of text.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text with such characters written out, as JSON does (`\u001b`), except those that `keep` takes.
fn escaped(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) && !keep(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// One line, whatever is in it.
pub fn one_line(text: &str) -> String {
    escaped(text, |_| false)
}

/// Several lines that this program laid out.
fn lines(text: &str) -> String {
    escaped(text, |c| c == '\n' || c == '\t')
}

/// Prints to stdout, with a line break.
pub fn out(text: &str) {
    let Ok(mut state) = STDOUT.lock() else { return };
    if state.closed || state.failed.is_some() {
        return;
    }
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(lines(text).as_bytes()).and_then(|()| stdout.write_all(b"\n"));
    note(&mut state, written.and_then(|()| stdout.flush()));
}

fn note(state: &mut Stdout, result: std::io::Result<()>) {
    match result {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => state.closed = true,
        Err(error) => state.failed = Some(error),
    }
}

/// Takes what someone else wrote to stdout into account.
pub fn note_stdout(result: std::io::Result<()>) {
    if let Ok(mut state) = STDOUT.lock() {
        note(&mut state, result);
    }
}

/// Prints to stderr, with a line break. Where that is not possible there is nobody to tell.
pub fn err(text: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{}\n", lines(text)).as_bytes());
}

/// Why stdout is not whole, if it is not.
pub fn stdout_error() -> Option<Error> {
    let failed = STDOUT.lock().ok().and_then(|mut state| state.failed.take());
    failed.map(|error| Error::io("standard output", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_harmless_passes() {
        assert_eq!(one_line("Öß µ 日本 ✓ a\\b"), "Öß µ 日本 ✓ a\\b");
        assert_eq!(one_line("\u{1b}[31mred\u{7}\r\n"), "\\u001b[31mred\\u0007\\u000d\\u000a");
        assert_eq!(one_line("\u{9b}x\u{7f}"), "\\u009bx\\u007f");
        assert_eq!(one_line("a\u{202e}b\u{2066}c"), "a\\u202eb\\u2066c");
        assert_eq!(lines("a\n\tb\u{8}"), "a\n\tb\\u0008");
    }
}
