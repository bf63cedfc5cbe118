//! Each plane with its PSF: `convolve/<engine>/<workload>`; and both ways of a GPU by the kernel's side:
//! `convolve_by/<direct or transforms>/<side>`, from which comes the rule that chooses one.

mod support;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn convolve(criterion: &mut Criterion) {
    support::group(criterion, "convolve", &["convolve"]);
}

#[cfg(feature = "gpu")]
fn convolve_by(criterion: &mut Criterion) {
    use ndarray::Array3;
    use pevatron::Control;
    use pevatron::compute::BackendOptions;
    use pevatron::kernels::{ConvolveJob, CubeView};
    use pevatron::low_level::{Engine, GpuEngine};

    let software = std::env::var_os("PEVATRON_BENCH_SOFTWARE").is_some();
    let cube = Array3::from_shape_fn((2, 500, 600), |(p, y, x)| ((p + 7 * y + 13 * x) % 11) as f64);
    let mut group = criterion.benchmark_group("convolve_by");
    group.sample_size(10);
    for (name, transforms) in [("direct", false), ("transforms", true)] {
        let engine = match GpuEngine::new(&BackendOptions::default(), software) {
            Ok(engine) => engine.with_transforms(transforms),
            Err(error) => return println!("no GPU: {error}"),
        };
        for side in [15, 21, 31, 41, 51, 71, 101] {
            let kernel = Array3::from_elem((1, side, side), 1.0 / (side * side) as f64);
            let job = ConvolveJob { cube: CubeView::F64(cube.view()), kernel: kernel.view() };
            let work = |bencher: &mut criterion::Bencher<'_>| {
                bencher.iter(|| engine.convolve(&job, &Control::new()));
            };
            group.bench_function(BenchmarkId::new(name, side), work);
        }
    }
    group.finish();
}

#[cfg(not(feature = "gpu"))]
fn convolve_by(_: &mut Criterion) {}

criterion_group!(benches, convolve, convolve_by);
criterion_main!(benches);
