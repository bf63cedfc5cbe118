//! Times the excess map estimator, from a dataset in memory to flux maps in memory:
//! `cargo run --release --example time_excess -- DATASET SELECTION RUNS [RADIUS [BACKEND [THREADS]]]` prints the seconds of
//! each run as a JSON list. `benches/side_by_side_excess.py` compares them with Gammapy's.

use std::time::Instant;

use pevatron::datasets::Dataset;
use pevatron::estimators::ExcessSelection;
use pevatron::prelude::*;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize, default: &'static str| arguments.get(i).map_or(default, |a| a.as_str());
    let dataset = Dataset::read(argument(0, "dataset.fits.gz"))?;
    let runs: usize = argument(2, "5").parse().map_err(|_| Error::options("RUNS", "is not a number"))?;
    let options = BackendOptions {
        choice: argument(4, "cpu").parse()?,
        threads: argument(5, "").parse().ok(),
        ..BackendOptions::default()
    };
    let backend = Backend::new(&options)?;
    let estimator = ExcessMapEstimator::new()
        .correlation_radius(argument(3, "0.1deg").parse()?)
        .selection_optional(argument(1, "").parse::<ExcessSelection>()?);
    let mut seconds = Vec::new();
    for _ in 0..runs {
        let begun = Instant::now();
        let maps = estimator.run(&dataset, &backend)?;
        seconds.push(begun.elapsed().as_secs_f64());
        drop(maps);
    }
    println!("{seconds:?}");
    Ok(())
}
