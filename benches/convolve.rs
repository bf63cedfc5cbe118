//! Each plane with its PSF: `convolve/<engine>/<workload>`.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};

fn convolve(criterion: &mut Criterion) {
    support::group(criterion, "convolve", &["convolve"]);
}

criterion_group!(benches, convolve);
criterion_main!(benches);
