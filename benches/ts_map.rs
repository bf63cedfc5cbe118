//! TS maps of synthetic surveys, and 20 kernels over data that are prepared once: `ts_map/<engine>/<workload>`.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};

fn ts_map(criterion: &mut Criterion) {
    support::group(criterion, "ts_map", &["tsmap", "resident"]);
}

criterion_group!(benches, ts_map);
criterion_main!(benches);
