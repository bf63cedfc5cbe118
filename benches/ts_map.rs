//! TS maps of synthetic surveys: `ts_map/<engine>/<case>`.

#[path = "../tests/support/synthetic.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod synthetic;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pevatron::Control;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use synthetic::{Case, Survey};

fn cases() -> Vec<Case> {
    let fermi = Survey {
        shape: (200, 400),
        planes: 11,
        half: (10, 10),
        occupancy: 0.03,
        sources: 30,
        spectrum: 300.0,
        seed: 1,
    };
    let survey = Survey { shape: (200, 400), planes: 10, half: (25, 25), sources: 14, spectrum: 10.0, ..fermi };
    vec![
        fermi.case("sparse_400x200x11_k21"),
        Survey { occupancy: 0.03, ..survey }.case("3_percent_400x200x10_k51"),
        Survey { occupancy: 0.15, ..survey }.case("15_percent_400x200x10_k51"),
        Survey { occupancy: 0.6, ..survey }.case("60_percent_400x200x10_k51"),
    ]
}

fn ts_map(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ts_map");
    group.sample_size(10);
    let control = Control::new();
    let engine = Backend::new(&BackendOptions { choice: BackendChoice::Cpu, ..BackendOptions::default() });
    let Ok(engine) = engine else { return };
    let name = engine.info().name;
    for case in cases() {
        let data = case.data();
        let run = case.run();
        group.bench_function(BenchmarkId::new(name, &case.name), |bencher| {
            bencher.iter(|| engine.engine().ts_map(&data, &run, &control));
        });
    }
    group.finish();
}

criterion_group!(benches, ts_map);
criterion_main!(benches);
