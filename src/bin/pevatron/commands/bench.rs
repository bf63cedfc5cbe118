//! `pevatron bench`.

mod commit;
mod csv;
mod table;

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pevatron::bench::{Comparison, Outcome, Report, Row, compare};
use pevatron::{Control, Error, Place, Result};
use serde_json::json;

use crate::args::BenchArgs;
use crate::outputs::{CSV, Outputs};
use crate::report;

/// Lines of progress come this often where stderr is not a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// False where a result is wrong or slower than before; stderr says which.
pub fn run(args: &BenchArgs, control: &Control) -> Result<bool> {
    let options = args.options()?;
    Outputs::new(args.overwrite).maybe("csv", args.csv.as_ref(), CSV).reading(&args.compare).check()?;
    let earlier = args.compare.as_deref().map(read).transpose()?;

    let tell = progress(args.common.quiet || args.common.json);
    let mut found = pevatron::bench::run(&options, report::host(), control, &tell)?;
    found.commit = commit::commit();
    let changes = earlier.as_ref().map(|earlier| compare(earlier, &found, args.threshold / 100.0));

    if let Some(path) = &args.csv {
        let text = csv::text(&found);
        pevatron::io::write_atomic(path, args.overwrite, |out| out.write_all(text.as_bytes()))?;
    }
    if args.common.json {
        report::json(&as_json(&found, changes.as_deref(), args.threshold)?);
    } else if !args.common.quiet {
        report::text(&table::text(&found));
        if let Some(changes) = &changes {
            report::text(&table::changes(changes, args.threshold));
        }
    }
    let wrong = found.wrong();
    wrong.iter().for_each(|row| report::problem(&complaint(row), None));
    let slower: Vec<_> = changes.iter().flatten().filter(|c| c.is_regression()).collect();
    for c in &slower {
        let ratio = c.ratio.unwrap_or(f64::NAN);
        let what = format!("{} {} on {}", c.workload, c.shape, c.engine);
        report::problem(&format!("{what} takes {ratio:.2} times as long as before"), None);
    }
    Ok(wrong.is_empty() && slower.is_empty())
}

/// What is wrong with a row, in one line.
fn complaint(row: &Row) -> String {
    let subject = format!("{} {} on {}", row.workload, row.shape, row.engine);
    match &row.outcome {
        Outcome::Failed { reason } => format!("{subject}: {reason}"),
        Outcome::Done(measured) if !measured.verdict.right() => {
            let v = &measured.verdict;
            let number = |value: Option<f64>| value.map_or("no number".to_string(), |v| v.to_string());
            let place = v.at.map_or(String::new(), |(y, x)| format!(" at pixel ({x}, {y})"));
            let (found, expected) = (number(v.found), number(v.expected));
            format!("{subject} is wrong: {}{place} is {found}, right is {expected}", v.quantity)
        }
        _ => format!("{subject} does not give the same bits twice"),
    }
}

fn as_json(found: &Report, changes: Option<&[Comparison]>, threshold: f64) -> Result<serde_json::Value> {
    let failed = |e: serde_json::Error| Error::unsupported(format!("the report as JSON: {e}"));
    let mut value = serde_json::to_value(found).map_err(failed)?;
    value["right"] = json!(found.wrong().is_empty());
    if let Some(changes) = changes {
        let rows = changes.iter().map(|c| {
            let (change, reason) = table::change(&c.change);
            json!({
                "workload": c.workload, "shape": c.shape, "engine": c.engine, "ratio": c.ratio, "change": change,
                "reason": reason, "earlier_seconds": c.seconds.map(|s| s.0), "seconds": c.seconds.map(|s| s.1),
            })
        });
        value["comparison"] = json!({ "threshold_percent": threshold, "rows": rows.collect::<Vec<_>>() });
    }
    Ok(value)
}

/// An earlier report.
fn read(path: &Path) -> Result<Report> {
    let text = crate::config::read_text(path)
        .map_err(|e| Error::input_at(Place::file(path), format!("cannot be read: {e}")))?;
    serde_json::from_str(&text).map_err(|e| {
        Error::input_at(Place::file(path), format!("is not a report of pevatron bench: {e}"))
            .with_help("make one with pevatron bench --json > FILE")
    })
}

/// Says on stderr what is being done.
fn progress(quiet: bool) -> impl Fn(&str) {
    let last = Mutex::new(Instant::now());
    let terminal = std::io::stderr().is_terminal();
    move |step: &str| {
        let Ok(mut last) = last.lock() else { return };
        let due = terminal || last.elapsed() >= LINE_INTERVAL;
        if !quiet && due {
            *last = Instant::now();
            report::remark(&format!("bench: {step}"));
        }
    }
}
