//! A report as a table for spreadsheets: one line per workload and engine, units in the column names.

use pevatron::bench::{Outcome, Report};

const COLUMNS: &str = "version,commit,cpu,workload,size,shape,kernel,occupancy,inputs,engine,adapter,driver,outcome,reason,\
right,same_bits,deviation,runs,create_s,compile_s,first_s,min_s,median_s,max_s,prepare_s,device_s,passes,in_bytes,in_s,\
out_bytes,out_s,pixels,bins,operations,bytes,pixels_per_s,bins_per_s,flops_per_s,bytes_per_s,share_of_flops,\
share_of_copy,kernels,ratio_to_one";

pub fn text(report: &Report) -> String {
    let mut text = format!("{COLUMNS}\n");
    for row in &report.rows {
        let engine = report.engines.iter().find(|e| e.id == row.engine);
        let (outcome, reason) = match &row.outcome {
            Outcome::Done(_) => ("done", String::new()),
            Outcome::Skipped { reason, .. } => ("skipped", reason.clone()),
            Outcome::Failed { reason } => ("failed", reason.clone()),
        };
        let mut cells = vec![
            report.version.clone(),
            report.commit.clone().unwrap_or_default(),
            report.host.cpu.clone().unwrap_or_default(),
            row.workload.clone(),
            row.size.name().to_string(),
            row.shape.clone(),
            row.kernel.to_string(),
            row.occupancy.to_string(),
            row.inputs.clone().unwrap_or_default(),
            row.engine.clone(),
            engine.map(|e| e.adapter.clone()).unwrap_or_default(),
            engine.and_then(|e| e.driver.clone()).unwrap_or_default(),
            outcome.to_string(),
            reason,
        ];
        if let Some(m) = row.outcome.measured() {
            let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
            cells.extend([m.verdict.right().to_string(), m.same_bits.to_string(), m.verdict.worst.to_string()]);
            cells.push(m.wall.runs.to_string());
            cells
                .extend([optional(engine.map(|e| e.create_seconds)), optional(engine.and_then(|e| e.compile_seconds))]);
            let times = [m.first_seconds, m.wall.min, m.wall.median, m.wall.max, m.prepare.median];
            cells.extend(times.map(|v| v.to_string()));
            cells.extend([optional(m.device_seconds), m.device_passes.to_string()]);
            cells.extend([m.bytes_in.to_string(), m.seconds_in.to_string()]);
            cells.extend([m.bytes_out.to_string(), m.seconds_out.to_string()]);
            cells.extend([m.count.pixels, m.count.bins, m.count.operations, m.count.bytes].map(|v| v.to_string()));
            let rates = [m.pixels_per_second, m.bins_per_second, m.flops_per_second, m.bytes_per_second];
            cells.extend(rates.map(|v| v.to_string()));
            cells.extend([m.share_of_flops, m.share_of_copy].map(optional));
            cells.extend([
                m.resident.map(|r| r.kernels.to_string()).unwrap_or_default(),
                optional(m.resident.map(|r| r.ratio)),
            ]);
        }
        cells.resize(COLUMNS.split(',').count(), String::new());
        let quoted: Vec<_> = cells.iter().map(|cell| quote(cell)).collect();
        text.push_str(&quoted.join(","));
        text.push('\n');
    }
    text
}

/// Quotes a cell with commas, quotes or line breaks in it (RFC 4180).
fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(quote("AVX2 + FMA"), "AVX2 + FMA");
        assert_eq!(quote("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert!(!COLUMNS.contains(' '));
    }
}
