//! Flux points as a dataset: statistics, fits alone and with counts, lists, files, the command line, and what is refused.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use crate::support::program::{Place, data};
use pevatron::compute::Backend;
use pevatron::control::Control;
use pevatron::datasets::{
    Dataset, DatasetRef, Datasets, FluxPointsDataset, MapDataset, PointsStatistic, ProfileInterpolation, ResidualMethod,
};
use pevatron::fit::{Fit, FitResult};
use pevatron::flux::{FluxPoints, FromTable};
use pevatron::io::WriteOptions;
use pevatron::maps::{Frame, Geom, Map, SkyPosition, WcsGeom};
use pevatron::models::spatial::TemplateSpatialModel;
use pevatron::models::spectral::{PowerLawNormSpectralModel, PowerLawSpectralModel, SpectralErrors};
use pevatron::models::temporal::LinearTemporalModel;
use pevatron::models::{FoVBackgroundModel, Model, Models, Parameter, SkyModel};
use pevatron::table::{Column, Table};
use serde_json::{Value, json};

const DNDE: &str = "TeV-1 s-1 cm-2";

/// A file of the shared data; `None`, and said so, where there is none.
fn shared(name: &str) -> Option<PathBuf> {
    let file = support::golden("fluxmaps")?.parent()?.parent()?.join("data/spectra/flux-points").join(name);
    if !file.exists() {
        println!("SKIPPED: no {}", file.display());
        return None;
    }
    Some(file)
}

fn values(map: &Map) -> Vec<f64> {
    map.data().iter().collect()
}

fn source(name: &str, index: f64, amplitude: f64) -> Model {
    Model::Sky(SkyModel::new(name, Arc::new(PowerLawSpectralModel::new(index, amplitude, 1.0)), None))
}

fn models(index: f64, amplitude: f64) -> Models {
    Models { components: vec![source("source", index, amplitude)] }
}

/// A table at 1, 2, 4, … TeV with columns of differential flux.
fn table(columns: &[(&str, &[f64])]) -> Table {
    let mut table = Table::new();
    let n = columns[0].1.len();
    table.push(Column::floats("e_ref", "TeV".parse().unwrap(), (0..n).map(|i| 2f64.powi(i as i32)).collect())).unwrap();
    for (name, values) in columns {
        let unit = if name.starts_with("dnde") { DNDE } else { "" };
        table.push(Column::floats(name, unit.parse().unwrap(), values.to_vec())).unwrap();
    }
    table
}

fn dataset(table: &Table) -> FluxPointsDataset {
    FluxPointsDataset::new("points", FluxPoints::from_table(table, &FromTable::default()).unwrap().0).unwrap()
}

/// Points on a power law, 10 % errors.
fn on_a_power_law(name: &str, index: f64, amplitude: f64) -> FluxPointsDataset {
    let flux: Vec<f64> = (0..6).map(|i| amplitude * 2f64.powi(i).powf(-index)).collect();
    let errors: Vec<f64> = flux.iter().map(|v| 0.1 * v).collect();
    FluxPointsDataset { name: name.to_string(), ..dataset(&table(&[("dnde", &flux), ("dnde_err", &errors)])) }
}

/// Points with parabolic profiles: flux 1, 0.25 ± 0.1 of the reference, in steps of half an error.
fn with_profiles() -> FluxPointsDataset {
    let (best, scan) = ([1.0, 0.25], 21);
    let norms: Vec<f64> = best.iter().flat_map(|b| (0..scan).map(move |k| b + 0.05 * (k as f64 - 10.0))).collect();
    let stat: Vec<f64> = norms.iter().enumerate().map(|(i, x)| 40.0 + ((x - best[i / scan]) / 0.1).powi(2)).collect();
    let mut table = table(&[("norm", &best), ("norm_err", &[0.1; 2]), ("stat", &[40.0; 2])]);
    table.push(Column::floats("ref_dnde", DNDE.parse().unwrap(), vec![1e-12, 2e-13])).unwrap();
    for (name, values) in [("norm_scan", norms), ("stat_scan", stat)] {
        table.push(Column::floats(name, "".parse().unwrap(), values).with_shape(vec![scan]).unwrap()).unwrap();
    }
    table.set_meta("SED_TYPE", "likelihood");
    FluxPointsDataset { stat_type: PointsStatistic::Profile, ..dataset(&table) }
}

fn run(datasets: &[DatasetRef<'_>], models: &Models) -> pevatron::Result<FitResult> {
    Fit::default().run(datasets, models, &Backend::reference(), &Control::new())
}

fn value(result: &FitResult, name: &str) -> (f64, f64) {
    let p = result.models.parameter(name).unwrap();
    (p.value, p.error)
}

#[track_caller]
fn close(found: f64, wanted: f64, relative: f64) {
    assert!((found - wanted).abs() <= relative * wanted.abs(), "{found} instead of {wanted}");
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: pevatron::Result<T>, words: &[&str]) {
    let text = result.unwrap_err().to_string();
    assert!(words.iter().all(|w| text.contains(w)), "{words:?} are not in '{text}'");
}

#[test]
fn chi2_takes_symmetric_errors_and_leaves_limits_out() {
    let nan = f64::NAN;
    let mut points = dataset(&table(&[
        ("dnde", &[3e-12, nan, 1e-13]),
        ("dnde_err", &[5e-13, nan, nan]),
        ("dnde_errn", &[nan, nan, 1e-14]),
        ("dnde_errp", &[nan, nan, 3e-14]),
        ("dnde_ul", &[nan, 9e-13, nan]),
    ]));
    points.models = models(2.0, 2e-12);
    let stat = values(&points.stat_array().unwrap());
    close(stat[0], 4.0, 1e-12);
    // The mean of both errors where there is no symmetric one: (1e-13 - 1.25e-13) / 2e-14.
    close(stat[2], 1.5625, 1e-12);
    assert!(stat[1].is_nan());
    close(points.stat_sum().unwrap(), 5.5625, 1e-12);
    assert_eq!((points.mask_valid().unwrap().count(), points.data_shape()), (2, vec![3, 1, 1]));
    let flux = points.flux_pred().unwrap();
    assert_eq!(flux.unit().to_string(), DNDE);
    for (found, wanted) in values(&flux).iter().zip([2e-12, 5e-13, 1.25e-13]) {
        close(*found, wanted, 1e-12);
    }
    let diff = values(&points.residuals(ResidualMethod::Diff).unwrap());
    close(diff[0], 1e-12, 1e-12);
    close(values(&points.residuals(ResidualMethod::DiffOverModel).unwrap())[2], -0.2, 1e-12);
    assert!(diff[1].is_nan());
    refused(points.residuals(ResidualMethod::DiffOverSqrtModel), &["method", "counts"]);

    points.mask_fit = Some(points.mask_of(vec![true, true, false]).unwrap());
    close(points.stat_sum().unwrap(), 4.0, 1e-12);
    points.mask_safe = Some(points.mask_of(vec![false, true, true]).unwrap());
    assert_eq!((points.stat_sum().unwrap(), points.mask().unwrap().count()), (0.0, 0));
    let info = points.info_dict().unwrap();
    assert_eq!((info.n_bins, info.n_fit_bins, info.stat_type), (3, 0, "chi2"));
    assert!(points.to_string().contains("Fit statistic type              : chi2"), "{points}");
    let copy = points.copy("again");
    assert_eq!((copy.name.as_str(), copy.models.components.len()), ("again", 0));
}

#[test]
fn distributions_have_two_sides_and_limits() {
    let nan = f64::NAN;
    let mut points = dataset(&table(&[
        ("dnde", &[3e-12, nan, 1e-13]),
        ("dnde_err", &[5e-13, nan, 9e-14]),
        ("dnde_errn", &[2e-13, nan, 1e-14]),
        ("dnde_errp", &[5e-13, nan, nan]),
        ("dnde_ul", &[nan, 1e-12, nan]),
    ]));
    points.stat_type = PointsStatistic::Distribution;
    points.models = models(2.0, 2e-12);
    let stat = values(&points.stat_array().unwrap());
    // The model lies below the first point, above the last one, whose upper error is the symmetric one.
    close(stat[0], 25.0, 1e-12);
    close(stat[2], (2.5f64 / 9.0).powi(2), 1e-12);
    // 2 ln(erfc(0.5) / erfc(1)).
    close(stat[1], 2.0 * (0.479_500_122_186_953_5_f64 / 0.157_299_207_050_285_13).ln(), 1e-12);
    close(points.stat_sum().unwrap(), stat.iter().sum(), 1e-15);
    // Far beyond, nothing overflows.
    for amplitude in [1e3, -1e3, 1e-60] {
        points.models = models(2.0, amplitude);
        assert!(points.stat_sum().unwrap().is_finite());
    }
}

#[test]
fn profiles_are_followed_and_extrapolated() {
    let mut points = with_profiles();
    for (amplitude, index) in [(1.02e-12, 2.3), (0.5e-12, 1.0), (7e-12, 5.0)] {
        points.models = models(index, amplitude);
        let flux = values(&points.flux_pred().unwrap());
        let wanted: f64 =
            [(1.0, 1e-12), (0.25, 2e-13)].iter().zip(&flux).map(|((b, r), f)| ((f / r - b) / 0.1f64).powi(2)).sum();
        close(points.stat_sum().unwrap(), wanted, 1e-9);
    }
    points.interpolation = ProfileInterpolation::Lines;
    points.models = models(2.0, 1.025e-12);
    // Half-way between 0 and (0.5)² = 0.25.
    close(values(&points.stat_array().unwrap())[0], 0.125, 1e-9);
    points.data = on_a_power_law("a", 2.0, 1e-12).data;
    refused(points.stat_sum(), &["stat_scan", "no likelihood profiles"]);
}

#[test]
fn fits_find_what_the_points_lie_on() {
    let (a, b) = (on_a_power_law("a", 2.4, 3e-12), on_a_power_law("b", 2.4, 3e-12));
    let one = run(&[(&a).into()], &models(2.0, 1e-12)).unwrap();
    assert!(one.success && one.stat < 1e-9, "{}", one.message);
    close(value(&one, "source.spectral.index").0, 2.4, 1e-5);
    close(value(&one, "source.spectral.amplitude").0, 3e-12, 1e-5);
    // The errors are those of linear least squares in ln flux: ln F = ln A - index ln E, errors of 0.1.
    let x: Vec<f64> = (0..6).map(|i| 2f64.powi(i).ln()).collect();
    let (n, sx, sxx) = (6.0, x.iter().sum::<f64>(), x.iter().map(|v| v * v).sum::<f64>());
    let det = n * sxx - sx * sx;
    close(value(&one, "source.spectral.index").1, 0.1 * (n / det).sqrt(), 1e-3);
    close(value(&one, "source.spectral.amplitude").1, 3e-13 * (sxx / det).sqrt(), 1e-3);
    // Two tables together halve the variances.
    let two = run(&[(&a).into(), (&b).into()], &models(2.0, 1e-12)).unwrap();
    close(value(&two, "source.spectral.index").1, value(&one, "source.spectral.index").1 / 2f64.sqrt(), 1e-3);

    // Errors of the flux at an energy from the covariance: least at the pivot energy, and Gauss' formula.
    let covariance = one.covariance.of_spectrum(&one.models, "source").unwrap();
    let spectral = one.models.components[0].spectral();
    let errors = SpectralErrors::new(spectral.as_ref(), covariance.view()).unwrap();
    for e in [1.0_f64, 5.0, 32.0] {
        let (flux, error) = errors.evaluate(e);
        let variance = 0.01 * (sxx - 2.0 * e.ln() * sx + n * e.ln().powi(2)) / det;
        close(error / flux, variance.sqrt(), 2e-3);
    }
    assert!(SpectralErrors::new(spectral.as_ref(), ndarray::Array2::zeros((2, 2)).view()).is_err());

    // Profiles: the minimum of each parabola is reached.
    let points = with_profiles();
    let result = run(&[(&points).into()], &models(2.0, 2e-12)).unwrap();
    assert!(result.success && result.stat.abs() < 1e-6, "{} {}", result.stat, result.message);
    close(value(&result, "source.spectral.amplitude").0, 1e-12, 1e-4);
    close(value(&result, "source.spectral.amplitude").1, 1e-13, 1e-3);

    // A limit at the others' power law pulls the fit down. (Far below it, the model of limits is flat.)
    let flux: Vec<f64> = vec![1e-12, 2.5e-13, 6.25e-14, f64::NAN];
    let errors: Vec<f64> = flux.iter().map(|v| 0.2 * v).collect();
    let limit = [f64::NAN, f64::NAN, f64::NAN, 1.5e-14];
    let mut limited = dataset(&table(&[("dnde", &flux), ("dnde_err", &errors), ("dnde_ul", &limit)]));
    let free = run(&[(&limited).into()], &models(2.2, 1e-12)).unwrap();
    limited.stat_type = PointsStatistic::Distribution;
    let held = run(&[(&limited).into()], &models(2.2, 1e-12)).unwrap();
    assert!(free.success && held.success, "{} {}", free.message, held.message);
    let (free, held) = (value(&free, "source.spectral.index").0, value(&held, "source.spectral.index").0);
    assert!(held > free + 0.02, "{held} {free}");
}

#[test]
fn joint_fits_with_counts_add_up() {
    let counts = MapDataset::read(data("sim-tan-1.fits.gz")).unwrap();
    let center = counts.wcs_geom().unwrap().center().unwrap();
    let spatial = pevatron::models::spatial::PointSpatialModel::new(center.lon_deg, center.lat_deg, center.frame);
    let frozen: Vec<Parameter> = pevatron::models::SpatialModel::parameters(&spatial)
        .iter()
        .map(|p| Parameter { frozen: true, ..p.clone() })
        .collect();
    let spatial = pevatron::models::SpatialModel::with_parameters(&spatial, &frozen).unwrap();
    let spectral = Arc::new(PowerLawSpectralModel::new(2.2, 2e-12, 1.0));
    let models = Models { components: vec![Model::Sky(SkyModel::new("source", spectral, Some(spatial)))] };
    let points = on_a_power_law("points", 2.2, 4e-12);
    let both: [DatasetRef<'_>; 2] = [(&counts).into(), (&points).into()];
    let stat = |datasets: &[DatasetRef<'_>]| {
        Fit::default().stat(datasets, &models, &Backend::reference(), &Control::new()).unwrap()
    };
    close(stat(&both), stat(&both[..1]) + stat(&both[1..]), 1e-12);
    let alone = run(&both[..1], &models).unwrap();
    let joint = run(&both, &models).unwrap();
    assert!(joint.success, "{}", joint.message);
    let error = |r: &FitResult| value(r, "source.spectral.amplitude").1;
    assert!(error(&joint) < error(&run(&both[1..], &models).unwrap()));
    assert!(error(&joint) < error(&alone));

    let mut list = Datasets::new([Dataset::from(counts.clone()), Dataset::from(points.clone())]).unwrap();
    list.set_models(&models);
    let sum = list.stat_sum(&Backend::reference(), &Control::new()).unwrap();
    close(sum, stat(&both), 1e-9);
    let info = list.info_table(false, &Backend::reference(), &Control::new()).unwrap();
    assert_eq!(info.texts("stat_type").unwrap(), ["cash", "chi2"]);
    assert!(info.floats("counts", "").unwrap()[1].is_nan());
    assert_eq!(list.contributes_to_stat().unwrap(), [true, true]);
    assert!(!list.is_all_same_type() && list.models().components.len() == 1);
    assert_eq!(list.energy_ranges().unwrap().len(), 2);
    refused(list.push(on_a_power_law("points", 2.0, 1e-12)), &["'points'", "unique"]);
    refused(list.stack_reduce("sum"), &["one kind"]);
    refused(list.get("points").unwrap().to_image(), &["points", "flux points"]);

    // As files: the list, its datasets and models come back.
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    if let Some(Dataset::FluxPoints(points)) = list.get("points").cloned().as_mut() {
        points.stat_type = PointsStatistic::Distribution;
        let named = Datasets::new([points.clone()]).unwrap();
        named.write(path("points-only.yaml"), None, &WriteOptions::default()).unwrap();
        let read = Datasets::read(path("points-only.yaml"), None).unwrap();
        let Some(Dataset::FluxPoints(read)) = read.get("points") else { panic!("the kind is lost") };
        assert_eq!(read.stat_type, PointsStatistic::Distribution);
    }
    let replace = WriteOptions::default().overwrite(true);
    list.write(path("list.yaml"), Some(&path("models.yaml")), &replace).unwrap();
    let read = Datasets::read(path("list.yaml"), Some(&path("models.yaml"))).unwrap();
    assert_eq!(read.names(), list.names());
    close(read.stat_sum(&Backend::reference(), &Control::new()).unwrap(), sum, 1e-7);
    let text = fs::read_to_string(path("list.yaml")).unwrap().replace("FluxPointsDataset", "SpectrumDatasetOnOffOnOff");
    fs::write(path("bad.yaml"), text).unwrap();
    refused(Datasets::read(path("bad.yaml"), None), &["SpectrumDatasetOnOffOnOff", "line"]);
}

#[test]
fn files_keep_points_and_masks() {
    let folder = tempfile::tempdir().unwrap();
    let mut points = on_a_power_law("points", 2.0, 1e-12);
    points.models = models(2.1, 1.1e-12);
    points.mask_fit = Some(points.mask_of(vec![true, false, true, true, false, true]).unwrap());
    let stat = points.stat_sum().unwrap();
    for name in ["a.fits", "a.ecsv"] {
        let path = folder.path().join(name);
        points.write(&path, &WriteOptions::default()).unwrap();
        refused(points.write(&path, &WriteOptions::default()), &["exists"]);
        let Dataset::FluxPoints(mut read) = Dataset::read(&path).unwrap() else { panic!("{name}: the kind is lost") };
        assert_eq!(read.name, "a");
        read.models = points.models.clone();
        close(read.stat_sum().unwrap(), stat, 1e-12);
        assert_eq!((read.mask().unwrap().count(), read.mask_safe.unwrap().count()), (4, 6));
    }
}

#[test]
fn templates_and_light_curves() {
    // A template that is not normalised: its integral over the sky scales the spectrum.
    let center = SkyPosition { lon_deg: 10.0, lat_deg: 0.0, frame: Frame::Galactic };
    let geom = WcsGeom::create(center, 20, 10, (0.1, 0.1), "CAR", vec![]).unwrap();
    let image = ndarray::Array3::from_elem((1, 10, 20), 3.0);
    let map = Map::from_cube(Arc::new(Geom::Wcs(geom)), "sr-1".parse().unwrap(), image).unwrap();
    let solid_angle = 2.0f64.to_radians() * 2.0 * 0.5f64.to_radians().sin();
    for (normalize, wanted) in [(true, 1.0), (false, 3.0 * solid_angle)] {
        let template = TemplateSpatialModel::new(Arc::new(map.clone()), normalize).unwrap();
        let spectral = Arc::new(PowerLawSpectralModel::new(2.0, 1e-12, 1.0));
        let model = SkyModel::new("diffuse", spectral, Some(Arc::new(template)));
        let mut points = on_a_power_law("points", 2.0, 1e-12);
        points.models.components.push(Model::Sky(model));
        close(values(&points.flux_pred().unwrap())[0], 1e-12 * wanted, 1e-4);
    }
    // Two nights of a source that grows by a tenth per day.
    let day: pevatron::units::Unit = "d".parse().unwrap();
    let mut curve = Table::new();
    curve.push(Column::floats("time_min", day.clone(), vec![55000.0, 55003.0])).unwrap();
    curve.push(Column::floats("time_max", day, vec![55001.0, 55005.0])).unwrap();
    for (name, unit, value) in
        [("e_min", "TeV", 1.0), ("e_max", "TeV", 10.0), ("flux", "s-1 cm-2", 1e-12), ("flux_err", "s-1 cm-2", 1e-13)]
    {
        let column = Column::floats(name, unit.parse().unwrap(), vec![value; 2]).with_shape(vec![1]).unwrap();
        curve.push(column).unwrap();
    }
    for (key, value) in [("TIMESYS", "tt"), ("TIMEUNIT", "d"), ("SED_TYPE", "flux")] {
        curve.set_meta(key, value);
    }
    let mut points = dataset(&curve);
    assert_eq!(points.data_shape(), [2, 1, 1, 1]);
    let parameter = |name: &str, value: f64, unit: &str| Parameter::new(name, value, unit.parse().unwrap());
    let rise = [parameter("alpha", 1.0, ""), parameter("beta", 0.1, "d-1"), parameter("t_ref", 55000.0, "d")];
    let mut model = SkyModel::new("source", Arc::new(PowerLawSpectralModel::new(2.0, 1e-12, 1.0)), None);
    model.temporal = Some(Arc::new(LinearTemporalModel::from_parameters(&rise, "tt").unwrap()));
    points.models.components.push(Model::Sky(model));
    let flux = values(&points.flux_pred().unwrap());
    close(flux[1] / flux[0], 1.4 / 1.05, 1e-6);
    assert!(points.stat_sum().unwrap() > 0.0);
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let good = on_a_power_law("points", 2.0, 1e-12);
    let start = models(2.0, 1e-12);
    let bare = dataset(&table(&[("dnde", &[1e-12, 2e-13])]));
    refused(run(&[(&bare).into()], &start), &["dnde_err", "'points'", "2 of 2", "no error"]);
    let nan = [f64::NAN; 2];
    let mut limits = dataset(&table(&[("dnde", &nan), ("dnde_err", &nan), ("dnde_ul", &[1e-12, 2e-13])]));
    refused(run(&[(&limits).into()], &start), &["upper limits", "chi2"]);
    limits.stat_type = PointsStatistic::Distribution;
    refused(run(&[(&limits).into()], &start), &["upper limits", "hold"]);
    refused(run(&[(&good).into()], &Models::default()), &["no source applies", "'points'"]);
    refused(good.flux_pred(), &["no source applies"]);

    let mut other = start.clone();
    if let Model::Sky(model) = &mut other.components[0] {
        model.datasets_names = Some(vec!["elsewhere".to_string()]);
    }
    refused(run(&[(&good).into()], &other), &["source", "'elsewhere'", "'points'"]);
    let mut background = start.clone();
    background.components.push(Model::FoVBackground(FoVBackgroundModel {
        name: "bkg".to_string(),
        spectral: Arc::new(PowerLawNormSpectralModel::default()),
        spatial: None,
        datasets_names: vec!["points".to_string()],
    }));
    refused(run(&[(&good).into()], &background), &["bkg", "background"]);
    let norm = Model::Sky(SkyModel::new("norm", Arc::new(PowerLawNormSpectralModel::default()), None));
    refused(run(&[(&good).into()], &Models { components: vec![norm] }), &["norm", "PowerLawNormSpectralModel"]);

    let mut masked = good.clone();
    refused(masked.mask_of(vec![true; 5]), &["5 values", "[6, 1, 1]"]);
    masked.mask_fit = Some(bare.mask_of(vec![true; 2]).unwrap());
    refused(masked.stat_sum(), &["mask_fit", "[2, 1, 1]", "[6, 1, 1]"]);
    masked.mask_fit = Some(good.mask_of(vec![false; 6]).unwrap());
    refused(run(&[(&masked).into()], &start), &["mask", "'points'", "masked"]);
    // Points without errors that are masked do no harm.
    let mut partly = dataset(&table(&[("dnde", &[1e-12, 2e-13, 5e-14]), ("dnde_err", &[1e-13, 2e-14, f64::NAN])]));
    refused(run(&[(&partly).into()], &start), &["1 of 3", "point 2"]);
    partly.mask_safe = Some(partly.mask_of(vec![true, true, false]).unwrap());
    assert!(run(&[(&partly).into()], &start).unwrap().success);
    refused("chi".parse::<PointsStatistic>(), &["stat_type", "'chi'", "chi2, distrib, profile"]);
    refused(run(&[(&good).into(), (&good).into()], &start), &["two datasets", "'points'"]);
}

const YAML: &str = "components:
-   name: source
    type: SkyModel
    spectral:
        type: PowerLawSpectralModel
        parameters:
        -   {name: index, value: 2.3}
        -   {name: amplitude, value: 2.0e-11, unit: cm-2 s-1 TeV-1}
        -   {name: reference, value: 1.0, unit: TeV, frozen: true}
";

#[test]
fn the_command_line() {
    let place = Place::new();
    fs::write(place.path("m.yaml"), YAML).unwrap();
    let mut points = on_a_power_law("points", 2.4, 3e-12);
    points.mask_fit = None;
    points.write(place.path("a.fits"), &WriteOptions::default()).unwrap();
    points.write(place.path("b.ecsv"), &WriteOptions::default()).unwrap();
    let list = Datasets::new([points.copy("c"), points.copy("d")]).unwrap();
    list.write(place.path("list.yaml"), None, &WriteOptions::default()).unwrap();

    let text = place.works(&["fit", "a.fits", "--models", "m.yaml", "-o", "one.yaml", "--json"]);
    let one: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((one["success"].as_bool(), one["datasets"][0].as_str()), (Some(true), Some("a")));
    let all =
        ["fit", "a.fits", "b.ecsv", "list.yaml", "--models", "m.yaml", "-o", "all.yaml", "--stat-type", "distrib"];
    let four: Value = serde_json::from_str(&place.works(&[&all[..], &["--json"]].concat())).unwrap();
    assert_eq!(four["datasets"], json!(["a", "b", "c", "d"]));
    let error = |v: &Value| v["errors"]["source.spectral.index"].as_f64().unwrap();
    close(error(&four), error(&one) / 2.0, 1e-3);

    place.works(&["plot", "a.fits", "--models", "one.yaml", "--kind", "fit", "-o", "fit.png"]);
    place.works(&["plot", "b.ecsv", "--models", "m.yaml", "--kind", "fit", "-o", "fit.svg", "--method", "diff"]);
    assert!(fs::read(place.path("fit.png")).unwrap().len() > 10_000);
    place.works(&[
        "residuals",
        "a.fits",
        "--models",
        "one.yaml",
        "-o",
        "r.ecsv",
        "--png",
        "r.png",
        "--method",
        "diff/model",
    ]);
    let read = Table::read(place.path("r.ecsv"), None).unwrap();
    assert_eq!(read.names(), ["e_ref", "dnde", "model", "residual", "stat"]);
    assert!(read.floats("residual", "").unwrap().iter().all(|v| v.abs() < 1e-4));

    let fails = |more: &[&str], words: &[&str]| place.fails(more, 2, words);
    let fit = |file: &'static str| ["fit", file, "--models", "m.yaml", "-o", "x.yaml"];
    fails(&[&fit("a.fits")[..], &["--stat-type", "cash"]].concat(), &["--stat-type", "'cash'"]);
    fails(&[&fit("a.fits")[..], &["--stat-type", "profile"]].concat(), &["stat_scan"]);
    fails(&["fit", "a.fits", "a.fits", "--models", "m.yaml", "-o", "x.yaml"], &["two datasets", "'a'"]);
    fs::copy(data("sim-tan-1.fits.gz"), place.path("counts.fits.gz")).unwrap();
    fails(&[&fit("counts.fits.gz")[..], &["--stat-type", "chi2"]].concat(), &["--stat-type", "flux points"]);
    let broken: [(&str, Table, &[&str]); 3] = [
        ("bare.ecsv", table(&[("dnde", &[1e-12, 1e-13])]), &["dnde_err", "no error"]),
        ("negative.ecsv", table(&[("dnde", &[1e-12, 1e-13]), ("dnde_err", &[1e-13, -1e-14])]), &["1 of 2"]),
        ("mask.ecsv", table(&[("dnde", &[1e-12, 1e-13]), ("dnde_err", &[f64::NAN, 0.0])]), &["2 of 2"]),
    ];
    for (name, table, words) in broken {
        table.write_ecsv(place.path(name), false).unwrap();
        fails(&["fit", name, "--models", "m.yaml", "-o", "x.yaml"], words);
    }
    fails(&["plot", "a.fits", "--kind", "fit", "-o", "x.png"], &["models", "compares"]);
    fails(&["plot", "a.fits", "--kind", "fit", "-o", "x.png", "--models", "none.yaml"], &["none.yaml"]);
    let plot = ["plot", "a.fits", "--kind", "fit", "-o", "x.png", "--models", "m.yaml"];
    fails(&[&plot[..], &["--method", "diff/sqrt(model)"]].concat(), &["method", "counts"]);
    fails(&[&plot[..], &["--quantity", "likelihood"]].concat(), &["sed_type", "dnde or e2dnde"]);
    fails(&["residuals", "a.fits", "-o", "x.ecsv"], &["a.fits", "no source applies"]);
    fails(&["residuals", "a.fits", "--models", "m.yaml", "-o", "x.ecsv", "--smooth", "0.1deg"], &["smooth"]);
    fails(&["tsmap", "a.fits", "-o", "x.fits"], &["a.fits"]);
}

/// Fits of published points by Gammapy 2.1: statistic at index 2.3 and 2e-11 at 1 TeV, at the minimum, index and
/// amplitude with errors.
type Published = (&'static str, PointsStatistic, f64, f64, [f64; 4]);

const PUBLISHED: [Published; 7] = [
    (
        "diff_flux_points.fits",
        PointsStatistic::Chi2,
        499_080_685.459_667_6,
        25.205_906_840_908_554,
        [2.215_921_913_780_525_7, 0.010_421_186_970_706_642, 2.161_754_552_685_455e-13, 1.898_573_917_074_448e-14],
    ),
    (
        "diff_flux_points.fits",
        PointsStatistic::Distribution,
        499_080_710.887_194_5,
        36.153_421_757_048_07,
        [2.218_348_107_005_937_7, 0.010_464_438_999_850_521, 2.117_555_292_102_488e-13, 1.868_282_592_181_e-14],
    ),
    (
        "HAWC19_flux_points.fits",
        PointsStatistic::Chi2,
        1_750.468_525_130_756_5,
        39.639_479_353_620_445,
        [2.698_925_165_085_588, 0.010_693_527_543_378_765, 4.238_332_629_603_518e-11, 7.289_555_435_647_e-13],
    ),
    (
        "HAWC19_flux_points.fits",
        PointsStatistic::Distribution,
        1_755.554_030_511_743,
        44.724_891_084_855_86,
        [2.698_925_584_996_852, 0.010_693_717_776_397_653, 4.238_334_604_274_039e-11, 7.289_605_303_813e-13],
    ),
    (
        "crab_hess_fp.fits",
        PointsStatistic::Chi2,
        17.259_726_487_909_795,
        0.448_378_041_499_713,
        [2.641_043_362_425_249, 0.159_829_758_460_392_9, 4.381_802_617_154_406e-11, 6.564_206_633_889e-12],
    ),
    (
        "crab_hess_fp.fits",
        PointsStatistic::Distribution,
        18.918_268_588_906_397,
        0.402_831_939_027_977_76,
        [2.623_990_609_374_377_7, 0.162_585_455_376_615_65, 4.366_734_517_367_913_4e-11, 6.827_334_781_198e-12],
    ),
    (
        "crab_hess_fp.fits",
        PointsStatistic::Profile,
        99.018_226_028_643_41,
        1.682_710_560_838_011_7,
        [2.631_188_134_942_224, 0.087_597_370_564_725_86, 4.407_830_657_011_373e-11, 3.425_897_322_169_2e-12],
    ),
];

#[test]
fn published_points_are_fitted_as_gammapy_does() {
    for (file, stat_type, start, least, wanted) in PUBLISHED {
        let Some(path) = shared(file) else { return };
        let points = FluxPointsDataset { stat_type, ..FluxPointsDataset::read(path).unwrap() };
        let at = FluxPointsDataset { models: models(2.3, 2e-11), ..points.clone() };
        let told = format!("{file} {}", stat_type.name());
        let found = at.stat_sum().unwrap();
        assert!((found / start - 1.0).abs() < 1e-9, "{told}: {found} instead of {start}");
        let result = run(&[(&points).into()], &models(2.3, 2e-11)).unwrap();
        assert!(result.success, "{told}: {}", result.message);
        assert!(result.stat < least + 1e-3, "{told}: {} instead of {least}", result.stat);
        for (name, i) in [("index", 0), ("amplitude", 2)] {
            let (value, error) = value(&result, &format!("source.spectral.{name}"));
            println!(
                "{told} {name}: {:.1e} errors off, error {:.1e}",
                (value - wanted[i]) / wanted[i + 1],
                error / wanted[i + 1] - 1.0
            );
            assert!((value - wanted[i]).abs() < 1e-2 * wanted[i + 1], "{told} {name}: {value} not {}", wanted[i]);
            assert!((error / wanted[i + 1] - 1.0).abs() < 0.05, "{told} {name}: error {error} not {}", wanted[i + 1]);
        }
    }
}

/// Statistics of Gammapy, of its own files and of what is written here, among it points of a TS map with profiles.
#[test]
fn gammapy_reads_and_compares_the_same() {
    let place = Place::with(|_| {});
    let tsmap = ["tsmap", "in.fits", "-o", "ts.fits", "--backend", "cpu", "--kernel-width", "0.2deg"];
    place.works(&[&tsmap[..], &["--energy-edges", "all", "--selection", "all", "--quiet"]].concat());
    place.works(&["flux-points", "ts.fits", "-o", "ts-points.fits", "--sed-type", "likelihood"]);
    let mut files = vec![place.path("ts-points.fits")];
    let published = ["diff_flux_points.fits", "HAWC19_flux_points.fits", "crab_hess_fp.fits", "flux_points.ecsv"];
    files.extend(published.iter().filter_map(|name| shared(name)));
    let mut cases = Vec::new();
    for (n, file) in files.iter().enumerate() {
        let mut points = FluxPointsDataset::read(file).unwrap();
        let written = place.path(&format!("written-{n}.fits"));
        points.name = format!("written-{n}");
        points.write(&written, &WriteOptions::default()).unwrap();
        let mut types = vec![PointsStatistic::Chi2, PointsStatistic::Distribution];
        types.extend(points.data.has_stat_profiles().then_some(PointsStatistic::Profile));
        for stat_type in types {
            points.stat_type = stat_type;
            for (index, amplitude) in [(2.0, 1e-12), (2.5, 3e-11), (3.1, 2e-10)] {
                points.models = models(index, amplitude);
                cases.push(json!({
                    "file": file, "written": written, "stat_type": stat_type.name(), "index": index,
                    "amplitude": amplitude, "stat_sum": points.stat_sum().unwrap(),
                    "count": points.mask().unwrap().count(),
                    "residuals": values(&points.residuals(ResidualMethod::DiffOverModel).unwrap()),
                }));
            }
        }
    }
    fs::write(place.path("cases.json"), Value::from(cases).to_string()).unwrap();
    let Some(python) = support::python_with("gammapy") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flux/gammapy_flux_points_dataset.py");
    let output = Command::new(python).arg(script).arg(place.folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    println!("{text}");
    // And back: a list with a dataset that Gammapy wrote.
    let list = Datasets::read(place.path("gammapy.yaml"), None).unwrap();
    let Some(Dataset::FluxPoints(points)) = list.iter().next() else { panic!("the kind is lost") };
    let own = FluxPointsDataset::read(&files[0]).unwrap();
    assert_eq!((points.name.as_str(), points.data_shape()), ("gp", own.data_shape()));
    let stat = |points: &FluxPointsDataset| {
        let models = models(2.0, 1e-12);
        FluxPointsDataset { models, ..points.clone() }.stat_sum().unwrap()
    };
    close(stat(points), stat(&own), 1e-9);
}
