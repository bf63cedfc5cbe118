//! What the benches share: engines, and one group of criterion per kernel, over the standard workloads of
//! `pevatron::bench`.

use criterion::{BenchmarkId, Criterion, Throughput};
use pevatron::Control;
use pevatron::bench::{Inputs, Size, Workload};
use pevatron::compute::{Backend, BackendChoice, BackendOptions};

/// The CPU and, where there is an adapter, the GPU: `PEVATRON_BENCH_SOFTWARE=1` takes a software adapter, too.
fn engines() -> Vec<(Backend, Size)> {
    let open = |choice| Backend::new(&BackendOptions { choice, ..BackendOptions::default() });
    let mut engines = Vec::new();
    engines.extend(open(BackendChoice::Cpu).ok().map(|engine| (engine, Size::Standard)));
    // The automatic choice takes hardware only; without any it is the CPU once more.
    let software = std::env::var_os("PEVATRON_BENCH_SOFTWARE").is_some();
    let (choice, size) =
        if software { (BackendChoice::Gpu, Size::Quick) } else { (BackendChoice::Auto, Size::Standard) };
    match open(choice) {
        Ok(engine) if engine.info().name == "gpu" => engines.push((engine, size)),
        Ok(engine) => println!("no GPU: {}", engine.info().reason),
        Err(error) => println!("no GPU: {error}"),
    }
    engines
}

/// `<group>/<engine>/<workload>_<map>` for all workloads that `names` stand for.
pub fn group(criterion: &mut Criterion, group: &str, names: &[&str]) {
    let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    let control = Control::new();
    let mut group = criterion.benchmark_group(group);
    group.sample_size(10);
    for (engine, size) in engines() {
        let workloads = Workload::select(size, &names).unwrap_or_default();
        assert!(!workloads.is_empty(), "{names:?} name no workload");
        for workload in workloads {
            let inputs = Inputs::new(&workload);
            let (_, ny, nx) = workload.size.dim();
            group.throughput(Throughput::Elements((ny * nx * workload.kernels().max(1)) as u64));
            let id = BenchmarkId::new(engine.info().name, format!("{}_{}", workload.name, workload.shape()));
            group.bench_function(id, |bencher| bencher.iter(|| inputs.run(engine.engine(), &control)));
        }
    }
    group.finish();
}
