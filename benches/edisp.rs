//! The energy-dispersion product: `edisp/<engine>/<workload>`.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};

fn edisp(criterion: &mut Criterion) {
    support::group(criterion, "edisp", &["edisp"]);
}

criterion_group!(benches, edisp);
criterion_main!(benches);
