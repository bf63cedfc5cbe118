//! Fits models to a dataset from many places:
//! `cargo run --release --example fit_starts -- MODELS STARTS DATASET...` reads from the text file STARTS one start a line,
//! the values of the free parameters in their order, and prints a line of JSON for each: where the fit ended, whether it
//! says that this is a minimum, and how long it took. `benches/random_starts.py` compares them with Gammapy's.

use std::time::Instant;

use pevatron::datasets::{Dataset, DatasetRef};
use pevatron::fit::Fit;
use pevatron::prelude::*;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [models, starts, paths @ ..] = arguments.as_slice() else {
        return Err(Error::options("arguments", "give MODELS STARTS DATASET..."));
    };
    let models = Models::read(models)?;
    let datasets = paths.iter().map(Dataset::read).collect::<Result<Vec<_>>>()?;
    let lent: Vec<DatasetRef<'_>> = datasets.iter().map(Dataset::lend).collect();
    let starts = std::fs::read_to_string(starts).map_err(|e| Error::options("STARTS", e.to_string()))?;
    let backend = Backend::new(&BackendOptions { choice: "cpu".parse()?, ..BackendOptions::default() })?;
    let names: Vec<String> = models.free_parameters().into_iter().map(|free| free.name).collect();
    for line in starts.lines() {
        let mut begin = models.clone();
        for (name, value) in names.iter().zip(line.split_whitespace()) {
            begin.set_value(name, value.parse().map_err(|_| Error::options("STARTS", format!("'{value}'")))?)?;
        }
        let begun = Instant::now();
        let result = Fit::default().run(&lent, &begin, &backend, &Control::new());
        let seconds = begun.elapsed().as_secs_f64();
        match result {
            Ok(result) => {
                let values = names.iter().map(|n| Ok(result.models.parameter(n)?.value)).collect::<Result<Vec<_>>>()?;
                println!(
                    "{{\"success\": {}, \"stat\": {:?}, \"nfev\": {}, \"steps\": {}, \"seconds\": {seconds:.4}, \
                     \"values\": {values:?}, \"message\": {:?}}}",
                    result.success, result.stat, result.nfev, result.iterations, result.message
                );
            }
            Err(error) => {
                println!("{{\"success\": false, \"seconds\": {seconds:.4}, \"message\": {:?}}}", error.to_string())
            }
        }
    }
    Ok(())
}
