//! The likelihood, the Cash statistic summed over all bins: `cash_sum/<engine>/<workload>`.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};

fn cash_sum(criterion: &mut Criterion) {
    support::group(criterion, "cash_sum", &["cash"]);
}

criterion_group!(benches, cash_sum);
criterion_main!(benches);
