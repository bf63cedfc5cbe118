//! A device's own account of its work: passes, times and transfers, and nothing of it while nobody watches.
#![cfg(feature = "gpu")]

use ndarray::Array3;
use pevatron::Control;
use pevatron::compute::{Backend, BackendChoice, BackendOptions, DeviceWork};
use pevatron::kernels::ConvolveJob;
use pevatron::kernels::cube::CubeView;

/// Any adapter, a software one included; none at all is a failure where `PEVATRON_REQUIRE_GPU` is set.
fn gpu() -> Option<Backend> {
    match Backend::new(&BackendOptions { choice: BackendChoice::Gpu, ..BackendOptions::default() }) {
        Ok(backend) => Some(backend),
        Err(error) => {
            println!("SKIPPED: no adapter: {error}");
            assert!(std::env::var_os("PEVATRON_REQUIRE_GPU").is_none(), "PEVATRON_REQUIRE_GPU is set: {error}");
            None
        }
    }
}

#[test]
fn only_engines_with_a_device_have_instruments() {
    assert!(Backend::reference().engine().instruments().is_none());
}

#[test]
fn passes_and_transfers_are_seen_and_change_nothing() {
    let Some(backend) = gpu() else { return };
    let (engine, control) = (backend.engine(), Control::new());
    let instruments = engine.instruments().unwrap();
    instruments.compile().unwrap();
    // More planes, and so passes, than timestamps are kept for before they are read.
    let planes = 1100;
    let cube = Array3::from_shape_fn((planes, 3, 5), |(p, y, x)| ((p * 7 + y * 3 + x) % 11) as f32);
    let kernel = Array3::from_shape_fn((1, 3, 3), |(_, u, v)| (1 + u + 3 * v) as f64);
    let job = ConvolveJob { cube: CubeView::F32(cube.view()), kernel: kernel.view() };
    let unwatched = engine.convolve(&job, &control).unwrap();
    assert_eq!(instruments.stop().unwrap(), DeviceWork::default(), "nobody watched");

    instruments.start().unwrap();
    let watched = engine.convolve(&job, &control).unwrap();
    let work = instruments.stop().unwrap();
    assert_eq!(watched, unwatched);
    assert!(work.passes >= planes as u64, "{work:?}");
    assert!(work.device_seconds.is_none_or(|s| s > 0.0 && s < 600.0), "{work:?}");
    assert!(work.into.bytes >= 4 * cube.len() as u64 && work.into.seconds > 0.0, "{work:?}");
    assert_eq!(work.out.bytes, 8 * cube.len() as u64, "{work:?}");
    assert_eq!(instruments.stop().unwrap(), DeviceWork::default(), "a watch ends once");
}

#[test]
fn ceilings_are_positive_and_can_be_cancelled() {
    let Some(backend) = gpu() else { return };
    let instruments = backend.engine().instruments().unwrap();
    let found = instruments.ceilings(8 << 20, &Control::new()).unwrap();
    for rate in
        [found.flops_per_second, found.copy_bytes_per_second, found.in_bytes_per_second, found.out_bytes_per_second]
    {
        assert!(rate.is_finite() && rate > 1e5, "{found:?}");
    }
    let control = Control::new();
    control.cancel();
    assert!(instruments.ceilings(8 << 20, &control).is_err());
}
