//! Whole maps of real data against the solutions of an independent solver, for every engine.
#![cfg(feature = "fits-system")]
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use crate::support;
use std::path::Path;

use fitsio::FitsFile;
use ndarray::{Array2, Array3};
use pevatron::Control;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::kernels::cube::CubeView;
use pevatron::kernels::{TsMapData, TsMapInput, TsMapOutput, TsMapRun, TsMapSettings};

/// Cases whose kernel does not vary over the map.
const CASES: [&str; 4] = ["ts-cta-cube", "ts-fermi-cube", "ts-hess-cube", "ts-joint"];
/// In sigmas: the stored inputs are mostly single precision.
const DOUBLE_LIMIT: f64 = 1e-5;
const SINGLE_LIMIT: f64 = 2e-3;

#[test]
fn reference_meets_the_exact_maps() {
    check_engine(&Backend::reference(), DOUBLE_LIMIT);
}

#[test]
fn cpu_meets_the_exact_maps() {
    let options = BackendOptions { choice: BackendChoice::Cpu, ..BackendOptions::default() };
    check_engine(&Backend::new(&options).unwrap(), SINGLE_LIMIT);
}

fn check_engine(engine: &Backend, limit: f64) {
    for case in CASES {
        let Some(folder) = support::golden(case) else { return };
        let mut group = 0;
        while let Some(output) = fit_group(engine, &folder, group) {
            check_group(engine, case, &folder, group, &output, limit);
            group += 1;
        }
        assert!(group > 0, "{case} has no group");
    }
}

/// An image HDU as `[plane, y, x]`; `None` where there is no such HDU.
fn cube(path: &Path, hdu: &str) -> Option<Array3<f64>> {
    let mut file = FitsFile::open(path).unwrap();
    let hdu = file.hdu(hdu).ok()?;
    let fitsio::hdu::HduInfo::ImageInfo { shape, .. } = &hdu.info else { return None };
    let shape = shape.clone();
    let values: Vec<f64> = hdu.read_image(&mut file).unwrap();
    Some(Array3::from_shape_vec((shape[0], shape[1], shape[2]), values).unwrap())
}

fn exact(folder: &Path, quantity: &str, group: usize) -> Array2<f64> {
    cube(&folder.join("exact.fits.gz"), quantity).unwrap().index_axis_move(ndarray::Axis(0), group)
}

fn fit_group(engine: &Backend, folder: &Path, group: usize) -> Option<TsMapOutput> {
    let (inputs, kernels) = (folder.join("inputs.fits.gz"), folder.join("kernel.fits.gz"));
    let mut datasets = Vec::new();
    while let Some(counts) = cube(&inputs, &format!("COUNTS_G{group}_D{}", datasets.len())) {
        let name = format!("G{group}_D{}", datasets.len());
        // Convolutions in single precision leave noise below 0.
        let positive =
            |path: &Path, quantity: &str| cube(path, &format!("{quantity}_{name}")).unwrap().mapv_into(|v| v.max(0.0));
        let (background, exposure) = (positive(&inputs, "BACKGROUND"), positive(&inputs, "EXPOSURE"));
        datasets.push((counts, background, exposure, positive(&kernels, "KERNEL")));
    }
    if datasets.is_empty() {
        return None;
    }
    let data = TsMapData::new(
        datasets
            .iter()
            .map(|(counts, background, exposure, _)| TsMapInput {
                counts: CubeView::F64(counts.view()),
                background: CubeView::F64(background.view()),
                exposure: CubeView::F64(exposure.view()),
            })
            .collect(),
    )
    .unwrap();
    let fit_mask = exact(folder, "STAT_NULL", group).mapv(|v| !v.is_nan());
    let run = TsMapRun {
        planes: datasets.iter().map(|(counts, ..)| 0..counts.dim().0).collect(),
        kernels: datasets.iter().map(|(.., kernel)| kernel.view()).collect(),
        fit_mask: fit_mask.view(),
        norm_guess: None,
        settings: TsMapSettings::default(),
    };
    Some(engine.engine().ts_map(&data, &run, &Control::new()).unwrap())
}

fn check_group(engine: &Backend, case: &str, folder: &Path, group: usize, output: &TsMapOutput, limit: f64) {
    let err = exact(folder, "NORM_ERR", group);
    let errp = exact(folder, "NORM_ERRP", group);
    let maps = [
        ("NORM", Some(&output.norm)),
        ("NORM_ERR", Some(&output.norm_err)),
        ("NORM_ERRN", output.norm_errn.as_ref()),
        ("NORM_ERRP", output.norm_errp.as_ref()),
        ("NORM_UL", output.norm_ul.as_ref()),
        ("TS", Some(&output.ts)),
    ];
    print!("{} {case} group {group}:", engine.info().name);
    for (quantity, got) in maps {
        let want = exact(folder, quantity, group);
        let mut deviations = Vec::new();
        for (at, got) in got.unwrap().indexed_iter() {
            let want = want[at];
            assert_eq!(got.is_nan(), want.is_nan(), "{case}, group {group}, {quantity} at {at:?}: {got} for {want}");
            if *got == want || got.is_nan() {
                continue;
            }
            let unit = match quantity {
                "TS" => (got.abs().sqrt() + want.abs().sqrt()).max(0.1),
                _ if err[at].is_finite() => err[at],
                _ => errp[at],
            };
            let deviation = (got - want).abs() / unit;
            let status = output.status[at];
            assert!(
                deviation <= limit,
                "{case}, group {group}, {quantity} at {at:?}: {got} for {want}, off by {deviation:e}; status {status}"
            );
            deviations.push(deviation);
        }
        deviations.sort_by(f64::total_cmp);
        let at = |share: f64| deviations.get((deviations.len() as f64 * share) as usize).copied().unwrap_or(0.0);
        print!(" {quantity} {:.0e}/{:.0e}", at(0.5), deviations.last().copied().unwrap_or(0.0));
    }
    println!();
}
