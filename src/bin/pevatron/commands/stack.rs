//! `pevatron stack`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use pevatron::datasets::Dataset;
use pevatron::maps::Mask;
use pevatron::{Control, Place, Result};
use serde_json::json;

use super::spectra::each_of;
use super::write_options;
use crate::args::StackArgs;
use crate::outputs::{FITS, Outputs};
use crate::{progress, report};

/// Keywords that name an instrument.
const INSTRUMENT: [&str; 2] = ["TELESCOP", "INSTRUME"];

/// The sum so far, and what was seen on the way.
#[derive(Default)]
struct Sum {
    dataset: Option<Dataset>,
    count: usize,
    instruments: BTreeSet<String>,
}

impl Sum {
    fn add(&mut self, dataset: Dataset, path: &Path) -> Result<()> {
        let place = Place::file(path);
        let meta = &dataset.common()?.meta;
        let names: Vec<&str> = INSTRUMENT.iter().filter_map(|key| meta.get(*key)).map(String::as_str).collect();
        if !names.is_empty() {
            self.instruments.insert(names.join(" "));
        }
        self.count += 1;
        match &mut self.dataset {
            Some(sum) => sum.stack(&dataset).map_err(|e| e.at(&place)),
            empty => {
                *empty = Some(dataset.to_masked().map_err(|e| e.at(&place))?);
                Ok(())
            }
        }
    }
}

pub fn run(args: &StackArgs, control: &Control) -> Result<()> {
    Outputs::new(args.overwrite).file("output", &args.output, FITS).reading(&args.datasets).check()?;
    let control = progress::observed(control, args.common.quiet || args.common.json);
    let start = Instant::now();
    let mut sum = Sum::default();
    // One after the other, so that only the sum and one dataset are in memory.
    each_of(&args.datasets, &args.spectrum, |n, path, dataset| {
        control.check()?;
        control.report("stack", n as u64, args.datasets.len() as u64);
        sum.add(dataset, path)
    })?;
    let Sum { dataset: Some(mut dataset), count, instruments } = sum else { return Ok(()) };
    let common = dataset.common_mut()?;
    common.name.clone_from(&args.name);
    common.mask_fit = None;
    let inputs: Vec<&Path> = args.datasets.iter().map(std::path::PathBuf::as_path).collect();
    dataset.write(&args.output, &write_options(args.overwrite, &inputs))?;

    let mut warnings = Vec::new();
    if instruments.len() > 1 {
        let names: Vec<String> = instruments.into_iter().collect();
        warnings.push(format!("datasets of several instruments ({}): fit them together instead", names.join(", ")));
    }
    let common = dataset.common()?;
    let counts = common.counts.as_ref().map(pevatron::maps::Map::sum);
    let safe = common.mask_safe.as_ref().map(Mask::count);
    if safe == Some(0) {
        warnings.push("no bin is safe: the sum is empty".to_string());
    }
    if args.common.json {
        report::json(&json!({
            "output": report::name(&args.output),
            "kind": dataset.kind(),
            "datasets": count,
            "counts_sum": counts,
            "background_sum": common.background.as_ref().map(pevatron::maps::Map::sum),
            "safe_bins": safe,
            "livetime_seconds": common.livetime_s,
            "ontime_seconds": common.gti.as_ref().map(pevatron::time::Gti::time_sum_s),
            "warnings": warnings,
            "seconds": start.elapsed().as_secs_f64(),
        }));
        return Ok(());
    }
    for warning in &warnings {
        report::warning(warning);
    }
    if !args.common.quiet {
        report::line(&format!("{}: {count} datasets, {} counts", args.output.display(), counts.unwrap_or(0.0)));
    }
    Ok(())
}
