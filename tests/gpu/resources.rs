//! What the GPU engine does with its device's time and memory.
#![cfg(feature = "gpu")]
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use crate::support;
use std::sync::Arc;

use crate::support::compare::{DEVICE, compare};
use pevatron::compute::BackendOptions;
use pevatron::compute::reference::ReferenceEngine;
use pevatron::kernels::TsMapOutput;
use pevatron::low_level::{Engine, FallbackEngine, GpuEngine};
use pevatron::simulate::synthetic::{Case, Survey};
use pevatron::{Control, ErrorKind};

fn open(memory_bytes: Option<u64>) -> Option<GpuEngine> {
    support::gpu_engine(&BackendOptions { memory_bytes, ..BackendOptions::default() })
}

fn case() -> Case {
    Survey { shape: (96, 80), planes: 3, half: (4, 4), occupancy: 0.1, sources: 3, seed: 17, ..Survey::default() }
        .case("resources")
        .with(|case| case.settings.exact = true)
}

fn bits(output: &TsMapOutput) -> [Vec<u64>; 4] {
    let ul = output.norm_ul.as_ref().unwrap();
    [&output.norm, &output.ts, &output.stat_null, ul].map(|map| map.iter().map(|v| v.to_bits()).collect())
}

#[test]
fn many_runs_over_prepared_data_repeat_neither_upload_nor_compilation() {
    let Some(engine) = open(None) else { return };
    let case = case();
    let data = case.data().unwrap();
    let control = Control::new();
    let prepared = engine.prepare(&data, &control).unwrap();
    let first = prepared.run(&case.run(), &control).unwrap();
    let (pipelines, before) = engine.made_and_uploaded();
    let dense = 3 * 4 * 96 * 80 * 3;
    assert!(before > dense, "{before} bytes for data of {dense}");
    for power in [1.0, 0.8, 1.5, 1.0] {
        let mut run = case.run();
        let kernel = case.datasets[0].kernel.mapv(|k| k.powf(power));
        run.kernels = vec![kernel.view()];
        let output = prepared.run(&run, &control).unwrap();
        assert_eq!(bits(&output) == bits(&first), power == 1.0);
    }
    let (after_pipelines, after) = engine.made_and_uploaded();
    assert_eq!(pipelines, after_pipelines);
    // Flags of pixels, the kernels and lists of tiles, four times.
    let each = (after - before) / 4;
    assert!(each < 4 * 96 * 80 + 80_000, "{each} bytes a run");
}

#[test]
fn the_budget_holds_for_all_device_memory_and_cuts_bands() {
    let Some(engine) = open(None) else { return };
    let case = case();
    let control = Control::new();
    let whole = engine.ts_map(&case.data().unwrap(), &case.run(), &control).unwrap();
    let peak = engine.device_peak_bytes().unwrap();
    // The data take 0.3 MB, a pixel 230 bytes.
    assert!(peak > 1_500_000, "{peak}");
    for budget in [1_400_000, 1_000_000] {
        let small = open(Some(budget)).unwrap();
        let cut = small.ts_map(&case.data().unwrap(), &case.run(), &control).unwrap();
        let peak = small.device_peak_bytes().unwrap();
        assert!(peak <= budget, "{peak} bytes with a budget of {budget}");
        assert!(bits(&whole) == bits(&cut), "other bits with a budget of {budget}");
    }
    let tiny = open(Some(200_000)).unwrap();
    let error = tiny.ts_map(&case.data().unwrap(), &case.run(), &control).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Memory, "{error}");
    let net = FallbackEngine::new(Arc::new(tiny), Arc::new(ReferenceEngine::new()));
    let output = net.ts_map(&case.data().unwrap(), &case.run(), &control).unwrap();
    compare(&case, &output, &whole, DEVICE);
}

#[test]
fn the_devices_clock_runs_where_there_is_one() {
    let Some(engine) = open(None) else { return };
    let case = case();
    let known =
        pevatron::compute::gpu::adapters().iter().any(|a| engine.info().adapter.contains(&a.name) && a.timestamps);
    let before = engine.device_seconds();
    assert_eq!(before.is_some(), known);
    let started = std::time::Instant::now();
    engine.ts_map(&case.data().unwrap(), &case.run(), &Control::new()).unwrap();
    if let (Some(before), Some(after)) = (before, engine.device_seconds()) {
        let wall = started.elapsed().as_secs_f64();
        assert!(after > before && after - before <= 1.5 * wall, "{before} to {after} in {wall} s");
    }
}
