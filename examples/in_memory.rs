//! Arrays in, maps out: no file, no FITS, no GPU needed. A flat background and one source of 40 counts are fitted.
//!
//! `cargo run --release --example in_memory --no-default-features`

use ndarray::{Array2, Array3};
use pevatron::Control;
use pevatron::compute::Backend;
use pevatron::kernels::{CubeView, TsMapData, TsMapInput, TsMapRun, TsMapSettings};

fn main() -> pevatron::Result<()> {
    let (ny, nx) = (48, 64);
    let width = 2.0f64;
    let mut kernel = Array3::from_shape_fn((1, 13, 13), |(_, v, u)| {
        let r2 = (v as f64 - 6.0).powi(2) + (u as f64 - 6.0).powi(2);
        (-0.5 * r2 / (width * width)).exp()
    });
    kernel /= kernel.sum();

    // Predicted counts: 0.5 per pixel, and a source of 40 counts at (y, x) = (20, 30); rounded, they serve as counts.
    let background = Array3::from_elem((1, ny, nx), 0.5);
    let mut counts = background.clone();
    for ((_, v, u), share) in kernel.indexed_iter() {
        counts[[0, 20 + v - 6, 30 + u - 6]] += 40.0 * share;
    }
    let exposure = Array3::from_elem((1, ny, nx), 1.0);

    let data = TsMapData::new(vec![TsMapInput {
        counts: CubeView::F64(counts.view()),
        background: CubeView::F64(background.view()),
        exposure: CubeView::F64(exposure.view()),
    }])?;
    let all = Array2::from_elem((ny, nx), true);
    let run = TsMapRun {
        planes: std::iter::once(0..1).collect(),
        kernels: vec![kernel.view()],
        fit_mask: all.view(),
        norm_guess: None,
        settings: TsMapSettings::default(),
    };
    let maps = Backend::reference().engine().ts_map(&data, &run, &Control::new())?;
    let (norm, error, ts) = (maps.norm[[20, 30]], maps.norm_err[[20, 30]], maps.ts[[20, 30]]);
    println!("norm {norm:.3} ± {error:.3} counts, sqrt(ts) {:.2}", ts.sqrt());
    assert!((norm - 40.0).abs() < 1e-6, "the counts are the prediction, so the norm is exact");
    Ok(())
}
