//! Datasets stacked, cut, resampled, compared with their models: all maps and numbers as Gammapy makes them of the same
//! files.
#![cfg(feature = "fits-system")]
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use crate::support;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::support::yaml::PointSource;
use ndarray::Array3;
use pevatron::compute::Backend;
use pevatron::control::Control;
use pevatron::datasets::{Datasets, InfoDict, IrfAxes, MapDataset, MapDatasetOnOff, ResidualMethod};
use pevatron::io::WriteOptions;
use pevatron::maps::{Map, MapAxis, Mask, SkyPosition, SmoothKernel};
use pevatron::models::spectral::PowerLawNormSpectralModel;
use pevatron::models::{FoVBackgroundModel, Model, Models};
use pevatron::units::{Angle, Energy};
use serde_json::{Value, json};

const CRAB: PointSource<'static> = PointSource {
    name: "crab",
    index: "2.6",
    amplitude: "3.5e-11",
    position: (83.63, 22.01),
    position_is_frozen: false,
};

/// Observations of the Crab nebula, or simulated ones.
fn observations() -> [MapDataset; 2] {
    let shared = std::env::var_os("PEVATRON_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let files = ["hess-crab-23523.fits.gz", "hess-crab-23526.fits.gz"].map(|f| shared.join("data").join(f));
    if files.iter().all(|f| f.exists()) {
        return files.map(|f| MapDataset::read(f).unwrap());
    }
    println!("SKIPPED: no observations in {}; simulated ones instead", shared.display());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    ["sim-tan-1.fits.gz", "sim-tan-2.fits.gz"].map(|f| MapDataset::read(folder.join(f)).unwrap())
}

/// mask_safe of all energies from `bins` on, and without the corner of the map.
fn with_threshold(dataset: &MapDataset, name: &str, bins: usize) -> MapDataset {
    let mask = dataset.mask_safe.as_ref().unwrap();
    let data = ndarray::ArrayD::from_shape_fn(mask.data().raw_dim(), |i| i[0] >= bins && mask.data()[&i] && i[1] > 4);
    let mask = Mask::new(Arc::clone(mask.geom()), data).unwrap();
    MapDataset { name: name.into(), mask_safe: Some(mask), mask_fit: None, ..dataset.clone() }
}

fn on_off(dataset: &MapDataset, name: &str, factor: f64) -> MapDatasetOnOff {
    let background = dataset.background.as_ref().unwrap();
    let map = |f: &dyn Fn((usize, usize, usize)) -> f64| {
        let cube = Array3::from_shape_fn(background.to_cube_f64().dim(), f);
        Map::from_cube(Arc::clone(background.geom()), Default::default(), cube).unwrap()
    };
    let cube = background.to_cube_f64();
    // Some bins without off counts.
    let off = map(&|at| (factor * cube[at] + 0.3 * ((at.1 + at.2) % 5) as f64).round());
    let acceptance = map(&|(e, y, x)| 1.0 + 0.1 * e as f64 + 0.01 * (y + x) as f64);
    let scaled = map(&|(e, y, x)| factor * (1.0 + 0.1 * e as f64 + 0.01 * (y + x) as f64));
    MapDatasetOnOff::from_map_dataset(MapDataset { name: name.into(), ..dataset.clone() }, off, acceptance, scaled)
}

fn info(info: &InfoDict) -> Value {
    let mut value = json!({
        "name": info.name, "counts": info.counts, "background": info.background, "excess": info.excess,
        "sqrt_ts": info.sqrt_ts, "npred": info.npred, "npred_background": info.npred_background,
        "npred_signal": info.npred_signal, "exposure_min": info.exposure_min_m2_s,
        "exposure_max": info.exposure_max_m2_s, "livetime": info.livetime_s, "ontime": info.ontime_s,
        "counts_rate": info.counts_rate, "background_rate": info.background_rate, "excess_rate": info.excess_rate,
        "n_bins": info.n_bins, "n_fit_bins": info.n_fit_bins, "stat_type": info.stat_type, "stat_sum": info.stat_sum,
    });
    if let Some(off) = &info.off {
        value["counts_off"] = json!(off.counts_off);
        value["acceptance"] = json!(off.acceptance);
        value["acceptance_off"] = json!(off.acceptance_off);
        value["alpha"] = json!(off.alpha);
    }
    value
}

#[test]
fn all_is_as_gammapy_makes_it() {
    let Some(python) = support::python_with("gammapy") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let options = WriteOptions::default();
    let (backend, control) = (Backend::reference(), Control::new());

    let [first, second] = observations();
    let mut a = with_threshold(&first, "a", 0);
    a.livetime_s = Some(1600.0);
    let mut b = with_threshold(&second, "b", 1);
    b.livetime_s = Some(1500.5);
    let mut c = with_threshold(&first, "c", 2);
    let write = |name: &str, d: &MapDataset| d.write(path(name), &options).unwrap();
    let write_off = |name: &str, d: &MapDatasetOnOff| d.write(path(name), &options).unwrap();
    for (name, dataset) in [("a.fits", &a), ("b.fits", &b), ("c.fits", &c)] {
        write(name, dataset);
    }
    let onoff = [on_off(&a, "onoff a", 8.0), on_off(&b, "onoff b", 3.0)];
    write_off("onoff-a.fits", &onoff[0]);
    write_off("onoff-b.fits", &onoff[1]);
    std::fs::write(path("models.yaml"), CRAB.yaml()).unwrap();

    let stack =
        |list: &[&MapDataset]| Datasets::new(list.iter().map(|d| (*d).clone())).unwrap().stack_reduce("sum").unwrap();
    stack(&[&a, &b]).write(path("stack-ab.fits"), &options).unwrap();
    stack(&[&a, &b, &c]).write(path("stack-abc.fits"), &options).unwrap();
    let irfs = IrfAxes {
        energy_true: Some(a.exposure.as_ref().unwrap().geom().axes()[0].clone()),
        rad: Some(a.psf.as_ref().unwrap().psf.geom().axes()[0].clone()),
        binsz_deg: 0.5,
        ..IrfAxes::default()
    };
    let mut created = MapDataset::create("created", a.wcs_geom().unwrap(), &irfs).unwrap();
    write("created.fits", &created);
    created.stack(&a).unwrap();
    created.stack(&c).unwrap();
    write("created-ac.fits", &created);
    write("masked.fits", &c.to_masked().unwrap());

    let at = SkyPosition::icrs(83.4, 22.1);
    let cut = a.cutout(at, (Angle::deg(0.5), Angle::deg(0.3))).unwrap();
    write("cutout.fits", &cut);
    let mut whole = a.to_masked().unwrap();
    whole.stack(&cut).unwrap();
    write("stack-cutout.fits", &whole);
    write("pad.fits", &a.pad(2, 3).unwrap());
    write("downsample.fits", &c.downsample(4).unwrap());
    write("downsample-energy.fits", &c.downsample_energy(2).unwrap());
    let axis = c.energy_axis().unwrap().clone();
    let edges = axis.edges();
    let merged = vec![edges[0], edges[1], edges[4]];
    let merged = MapAxis::from_edges("energy", axis.unit().clone(), merged, axis.interp()).unwrap();
    write("resample.fits", &c.resample_energy_axis(&merged).unwrap());
    write("image.fits", &c.to_image().unwrap());
    write("slice-idx.fits", &c.slice_by_idx(&[("energy", 1..3), ("energy_true", 2..9), ("rad", 0..20)]).unwrap());
    let tev = axis.edges_tev().unwrap();
    let (low, high) = (Energy::tev(1.2 * tev[1]), Energy::tev(0.9 * tev[3]));
    write("slice-energy.fits", &c.slice_by_energy(Some(low), Some(high)).unwrap());

    let both = Datasets::new(onoff.iter().cloned()).unwrap();
    both.stack_reduce("sum").unwrap().write(path("onoff-stack.fits"), &options).unwrap();
    write_off("onoff-cutout.fits", &onoff[0].cutout(at, (Angle::deg(0.4), Angle::deg(0.4))).unwrap());
    write_off("onoff-downsample.fits", &onoff[0].downsample(2).unwrap());
    write_off("onoff-image.fits", &onoff[1].to_image().unwrap());
    write_off("onoff-slice.fits", &onoff[1].slice_by_idx(&[("energy", 1..3)]).unwrap());

    let write_map = |name: &str, map: &Map| map.write(path(name), "PRIMARY", &options).unwrap();
    for (name, (min, max)) in
        [("energy_range", c.energy_range().unwrap()), ("energy_range_safe", c.energy_range_safe().unwrap())]
    {
        write_map(&format!("{name}-min.fits"), &min);
        write_map(&format!("{name}-max.fits"), &max);
    }
    write_map("mask-psf.fits", &c.mask_safe_psf().unwrap().unwrap().to_map());
    write_map("excess.fits", &c.excess().unwrap());
    let all = Datasets::new([a.clone(), b.clone(), c.clone()]).unwrap();
    let mut numbers = json!({
        "onoff_stat_sum": both.stat_sum(&backend, &control).unwrap(),
        "onoff_info": info(&onoff[0].info_dict(true, &backend, &control).unwrap()),
        "info": info(&c.info_dict(true, &backend, &control).unwrap()),
        "info_all": info(&c.info_dict(false, &backend, &control).unwrap()),
        "stat_sum": all.stat_sum(&backend, &control).unwrap(),
    });

    let mut models = Models::from_yaml(&CRAB.yaml(), &|_| unreachable!()).unwrap();
    let mut on = onoff[0].clone();
    on.on.models = models.clone();
    numbers["onoff_stat_sum_models"] = json!(on.stat_sum(&backend, &control).unwrap());
    models.components.push(Model::FoVBackground(FoVBackgroundModel {
        name: "c-bkg".into(),
        spectral: Arc::new(PowerLawNormSpectralModel::new(0.2, 1.3, 1.0)),
        spatial: None,
        datasets_names: vec!["c".into()],
    }));
    c.models = models.clone();
    numbers["stat_sum_models"] = json!(c.stat_sum(&backend, &control).unwrap());
    numbers["info_models"] = info(&c.info_dict(true, &backend, &control).unwrap());
    write_map("stat_array.fits", &c.stat_array(&backend, &control).unwrap());
    for (method, name) in [
        (ResidualMethod::Diff, "diff"),
        (ResidualMethod::DiffOverSqrtModel, "sqrt"),
        (ResidualMethod::DiffOverModel, "model"),
    ] {
        let smooth = Some(SmoothKernel::Gauss(Angle::deg(0.1)));
        for (kind, smooth) in [("plain", None), ("smooth", smooth)] {
            let map = c.residuals(method, smooth, &backend, &control).unwrap();
            write_map(&format!("residuals-{name}-{kind}.fits"), &map);
        }
    }

    // A list with models, written here and read there; and the other way round.
    let mut list = all;
    list.push(onoff[0].clone()).unwrap();
    list.set_models(&models);
    numbers["list_stat_sum"] = json!(list.stat_sum(&backend, &control).unwrap());
    let replace = WriteOptions::default().overwrite(true);
    list.write(path("list.yaml"), Some(&path("list-models.yaml")), &replace).unwrap();
    std::fs::write(path("numbers.json"), numbers.to_string()).unwrap();

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/datasets/gammapy_datasets.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    println!("{text}");

    let read = Datasets::read(path("gammapy.yaml"), Some(&path("gammapy-models.yaml"))).unwrap();
    assert_eq!(read.names(), ["a", "b"]);
    assert_eq!(read.iter().next().unwrap().common().unwrap().livetime_s, Some(1600.0));
    let again = Datasets::read(path("list.yaml"), Some(&path("list-models.yaml"))).unwrap();
    let sum = again.stat_sum(&backend, &control).unwrap();
    assert!((sum / numbers["list_stat_sum"].as_f64().unwrap() - 1.0).abs() < 1e-12);
}
