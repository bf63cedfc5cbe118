//! Progress on stderr, and Ctrl-C.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pevatron::{Control, Progress};

use crate::{process, report};

/// Lines come this often where stderr is not a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// A control that Ctrl-C and the wish to terminate cancel; work that does not stop soon is ended.
pub fn cancellable() -> Control {
    let control = Control::new();
    let handle = control.clone();
    // Where the handler cannot be set, Ctrl-C simply ends the process; outputs are atomic either way.
    let _ = ctrlc::set_handler(move || {
        handle.cancel();
        process::end_after_grace();
    });
    control
}

/// The same control, with progress shown unless `quiet`.
pub fn observed(control: &Control, quiet: bool) -> Control {
    if quiet {
        return control.clone();
    }
    if std::io::stderr().is_terminal() { with_bar(control) } else { with_lines(control) }
}

fn with_bar(control: &Control) -> Control {
    let bar = ProgressBar::new(0);
    let template = "{msg:>8} [{bar:30}] {percent:>3}%  {per_sec}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    let stage = Mutex::new("");
    control.clone().with_observer(move |p: Progress| {
        if let Ok(mut current) = stage.lock() {
            if *current != p.stage {
                *current = p.stage;
                bar.set_message(p.stage);
                bar.reset();
            }
            bar.set_length(p.total);
            bar.set_position(p.done);
            if p.done >= p.total {
                bar.finish_and_clear();
            }
        }
    })
}

fn with_lines(control: &Control) -> Control {
    let last = Mutex::new(Instant::now());
    control.clone().with_observer(move |p: Progress| {
        if let Ok(mut last) = last.lock()
            && last.elapsed() >= LINE_INTERVAL
        {
            *last = Instant::now();
            report::remark(&format!("{}: {} of {}", p.stage, p.done, p.total));
        }
    })
}
