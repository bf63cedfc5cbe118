//! A report for people: engines with their ceilings, then one line per workload and engine.

use pevatron::bench::{Change, Comparison, EngineReport, Measured, Outcome, Report, Row};

/// Right-aligned columns; the first three are left-aligned.
const HEAD: [&str; 18] = [
    "workload", "map", "engine", "result", "first", "min", "median", "max", "prepare", "device", "in", "out", "Mpx/s",
    "Gbin/s", "GFLOP/s", "of max", "GB/s", "x cpu",
];
const UNIT: [&str; 18] = ["", "", "", "", "ms", "ms", "ms", "ms", "ms", "ms", "ms", "ms", "", "", "", "", "", ""];

pub fn text(report: &Report) -> String {
    let host = &report.host;
    let commit = report.commit.as_ref().map_or(String::new(), |c| format!(", commit {c}"));
    let cpu = host.cpu.as_deref().unwrap_or("CPU");
    let memory = host.memory_bytes.map_or(String::new(), |b| format!(", {:.0} GB", b as f64 * 1e-9));
    let mut lines =
        vec![format!("pevatron {}{commit}; {cpu}, {} cores{memory}, {}", report.version, host.cores, host.system)];
    lines.extend(report.engines.iter().map(engine));
    lines.push(String::new());

    let mut rows = vec![HEAD.map(String::from).to_vec(), UNIT.map(String::from).to_vec()];
    rows.extend(report.rows.iter().map(|row| match &row.outcome {
        Outcome::Done(measured) => cells(row, measured, report),
        Outcome::Skipped { reason, .. } => note(row, format!("skipped: {reason}")),
        Outcome::Failed { reason } => note(row, format!("failed: {reason}")),
    }));
    lines.extend(aligned(&rows));
    for row in &report.rows {
        lines.extend(row.outcome.measured().map(|m| more(row, m)).unwrap_or_default());
    }
    lines.push(String::new());
    lines.push(
        "result: largest deviation from the double-precision reference, in units of what is allowed; px: pixels times \
         kernels (fits);\nGFLOP/s and GB/s: of the operations and bytes that the definition needs, so an engine that \
         needs fewer can be above its ceiling (of max)."
            .to_string(),
    );
    lines.push(format!("{:.1} s in all", report.seconds));
    lines.join("\n")
}

fn engine(e: &EngineReport) -> String {
    if let Some(problem) = &e.problem {
        return format!("{}: not measured: {problem}", e.id);
    }
    let mut parts = vec![e.adapter.clone()];
    parts.extend(e.driver.clone());
    if e.software {
        parts.push("a software adapter".into());
    }
    parts.push(format!("made in {} ms", short(e.create_seconds * 1e3)));
    parts.extend(e.compile_seconds.map(|s| format!("pipelines compiled in {} ms", short(s * 1e3))));
    if let Some(c) = &e.ceilings {
        let giga = |v: f64| short(v * 1e-9);
        let (flops, copy) = (giga(c.flops_per_second), giga(c.copy_bytes_per_second));
        parts.push(format!("reaches {flops} GFLOP/s (f32 FMA), {copy} GB/s (copy) by the {}'s clock", c.clock));
        if let (Some(into), Some(out)) = (c.in_bytes_per_second, c.out_bytes_per_second) {
            parts.push(format!("{} GB/s in, {} GB/s out", giga(into), giga(out)));
        }
    }
    parts.extend(e.limits.map(|l| {
        let clock = if l.timestamps { "" } else { ", no timestamps" };
        format!("largest binding {} MiB{clock}", l.max_binding_bytes >> 20)
    }));
    parts.retain(|part| !part.is_empty());
    format!("{}: {}", e.id, parts.join("; "))
}

fn cells(row: &Row, m: &Measured, report: &Report) -> Vec<String> {
    let ms = |seconds: f64| short(seconds * 1e3);
    let on_device = m.device_passes > 0;
    let dash = || "-".to_string();
    let result = match (m.verdict.right(), m.same_bits) {
        (false, _) => "WRONG".to_string(),
        (true, false) => "VARIES".to_string(),
        (true, true) => format!("ok {:.3}", m.verdict.worst),
    };
    let cpu = report.rows.iter().find(|r| r.engine == "cpu" && r.workload == row.workload && r.shape == row.shape);
    let faster = cpu.and_then(|r| r.outcome.measured()).map(|cpu| cpu.wall.median / m.wall.median);
    vec![
        row.workload.clone(),
        row.shape.clone(),
        row.engine.clone(),
        result,
        ms(m.first_seconds),
        ms(m.wall.min),
        ms(m.wall.median),
        ms(m.wall.max),
        if m.prepare.max > 0.0 { ms(m.prepare.median) } else { dash() },
        m.device_seconds.map_or_else(dash, ms),
        if on_device { ms(m.seconds_in) } else { dash() },
        if on_device { ms(m.seconds_out) } else { dash() },
        short(m.pixels_per_second * 1e-6),
        short(m.bins_per_second * 1e-9),
        short(m.flops_per_second * 1e-9),
        m.share_of_flops.map_or_else(dash, |s| format!("{:.0} %", s * 100.0)),
        short(m.bytes_per_second * 1e-9),
        faster.map_or_else(dash, short),
    ]
}

fn note(row: &Row, text: String) -> Vec<String> {
    vec![row.workload.clone(), row.shape.clone(), row.engine.clone(), text]
}

/// What does not fit into a line of the table.
fn more(row: &Row, m: &Measured) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(r) = &m.resident {
        lines.push(format!(
            "{} on {}: {} kernels over data prepared once take {} times as long as one from the start ({} ms)",
            row.workload,
            row.engine,
            r.kernels,
            short(r.ratio),
            short(r.one_seconds * 1e3),
        ));
    }
    if let Some(s) = &m.sustained {
        lines.push(format!("{} on {}, over time:", row.workload, row.engine));
        lines.extend(s.windows.iter().map(|w| {
            let (begin, rate) = (w.begin_seconds, short(w.pixels_per_second * 1e-6));
            format!("  from {begin:.1} s: {rate} Mpx/s in {} runs", w.runs)
        }));
        let words = if s.throttled { "throttled" } else { "steady" };
        lines.push(format!("  last over first: {:.3}, {words}", s.last_over_first));
    }
    lines
}

/// The comparison with an earlier report.
pub fn changes(changes: &[Comparison], threshold: f64) -> String {
    let mut rows = vec![["workload", "map", "engine", "before", "now", "ratio", "change"].map(String::from).to_vec()];
    for c in changes {
        let (word, reason) = change(&c.change);
        let mut row = vec![c.workload.clone(), c.shape.clone(), c.engine.clone()];
        match (c.seconds, c.ratio) {
            (Some((then, now)), Some(ratio)) => {
                row.extend([short(then * 1e3), short(now * 1e3), format!("{ratio:.3}"), word.to_string()]);
            }
            _ => row.push(format!("{word}: {}", reason.unwrap_or_default())),
        }
        rows.push(row);
    }
    let mut lines = vec![format!("\nagainst the earlier report, medians in ms, threshold {threshold} %:")];
    lines.extend(aligned(&rows));
    lines.join("\n")
}

/// A change in a word, and why there is none.
pub fn change(change: &Change) -> (&'static str, Option<String>) {
    match change {
        Change::Faster => ("faster", None),
        Change::Same => ("same", None),
        Change::Slower => ("slower", None),
        Change::NotComparable(why) => ("not compared", Some(why.clone())),
        _ => ("unknown", None),
    }
}

/// Three digits, never in scientific notation.
fn short(value: f64) -> String {
    let digits = if value == 0.0 || !value.is_finite() { 0 } else { 2 - value.abs().log10().floor() as i32 };
    format!("{value:.*}", digits.clamp(0, 6) as usize)
}

/// Columns as wide as their widest cell; a row that ends early has a note in its last cell, which counts for nothing.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let full = rows.iter().filter(|row| row.len() == columns || column + 1 < row.len());
        full.filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, width))| {
            if i < 3 || row.len() < columns { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [(0.0, "0"), (1234.5, "1234"), (12.345, "12.3"), (0.012345, "0.0123"), (1e-9, "0.000000")]
        {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn columns_are_aligned_and_notes_widen_none() {
        let row = |cells: &[&str]| cells.iter().map(|c| c.to_string()).collect::<Vec<_>>();
        let lines =
            aligned(&[row(&["a", "b", "c", "num"]), row(&["aa", "b", "c", "1"]), row(&["a", "b", "a long note"])]);
        assert_eq!(lines, ["a   b  c  num", "aa  b  c    1", "a   b  a long note"]);
    }
}
