//! Times predicted counts, from a dataset and models in memory to a map in memory:
//! `cargo run --release --example time_npred -- DATASET MODELS RUNS [BACKEND [THREADS [OUTPUT]]]` prints seconds as JSON:
//! `cold` with nothing kept from before, `spectral` and `position` with what [`pevatron::datasets::Evaluators`] keeps, after
//! the first model's index or longitude has changed (setting the parameter included).
//! `benches/side_by_side_npred.py` compares them with Gammapy's.

use std::time::Instant;

use pevatron::datasets::MapDataset;
use pevatron::prelude::*;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize, default: &'static str| arguments.get(i).map_or(default, |a| a.as_str());
    let mut dataset = MapDataset::read(argument(0, "dataset.fits.gz"))?;
    dataset.models = Models::read(argument(1, "models.yaml"))?;
    let runs: usize = argument(2, "5").parse().map_err(|_| Error::options("RUNS", "is not a number"))?;
    let options = BackendOptions {
        choice: argument(3, "cpu").parse()?,
        threads: argument(4, "").parse().ok(),
        ..BackendOptions::default()
    };
    let backend = Backend::new(&options)?;
    let control = Control::new();
    let mut cold = Vec::new();
    for run in 0..runs {
        let begun = Instant::now();
        let npred = dataset.npred(&backend, &control)?;
        cold.push(begun.elapsed().as_secs_f64());
        if run == 0 && arguments.len() > 5 {
            npred.write(argument(5, ""), "NPRED", &WriteOptions { overwrite: true, ..WriteOptions::default() })?;
        }
    }
    let mut models = dataset.models.clone();
    let first = models.names().first().map_or_else(String::new, ToString::to_string);
    let mut evaluators = dataset.evaluators(&backend)?;
    evaluators.npred(&models, &control)?;
    let mut changed = |name: &str, step: f64| -> Result<Vec<f64>> {
        let name = format!("{first}.{name}");
        let start = models.parameter(&name)?.value;
        (0..runs)
            .map(|run| {
                let begun = Instant::now();
                models.set_value(&name, start + step * (run + 1) as f64)?;
                evaluators.npred(&models, &control)?;
                Ok(begun.elapsed().as_secs_f64())
            })
            .collect()
    };
    let spectral = changed("spectral.index", 0.01)?;
    let position = changed("spatial.lon_0", 0.005)?;
    println!("{{\"cold\": {cold:?}, \"spectral\": {spectral:?}, \"position\": {position:?}}}");
    Ok(())
}
