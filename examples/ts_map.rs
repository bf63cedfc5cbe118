//! A dataset file to flux maps: `cargo run --release --example ts_map -- dataset.fits.gz flux.fits [kernel width]`.

use pevatron::prelude::*;

fn main() -> pevatron::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: ts_map DATASET FLUX.fits [KERNEL_WIDTH]");
        return Ok(());
    };
    let mut estimator = TsMapEstimator::new().sum_over_energy_groups(false).selection_optional(Selection {
        errn_errp: true,
        ul: true,
        ..Selection::default()
    });
    if let Some(width) = arguments.next() {
        estimator = estimator.kernel_width(width.parse()?);
    }

    let dataset = MapDataset::read(&input)?;
    let backend = Backend::new(&BackendOptions::default())?;
    println!("{}: {}", backend.info().name, backend.info().reason);
    let maps = estimator.run(&[dataset], &backend)?;

    let sqrt_ts = maps.sqrt_ts()?;
    println!("largest sqrt_ts: {:.1}", sqrt_ts.max().map_or(f64::NAN, |(_, value)| value));
    maps.write(&output, SedType::Likelihood, &WriteOptions::default())
}
