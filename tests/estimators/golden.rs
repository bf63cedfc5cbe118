//! The whole chain, dataset file to flux maps, on every engine, against exact solutions of Gammapy's fits.
//!
//! Cases are folders with a `case.json`: those of `tests/data`, and those of `../shared/golden` (or of PEVATRON_SHARED)
//! where they are there. Every pixel of every quantity is compared. With PEVATRON_TABLE=FILE the deviations are written
//! as the table of `docs/validation.md`.
#![cfg(feature = "fits-system")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pevatron::Control;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::datasets::MapDataset;
use pevatron::estimators::{EnergyEdges, TsMapEstimator};
use pevatron::flux::{FluxMaps, FluxQuantity};
use pevatron::maps::Map;
use pevatron::models::{Model, Models, SkyModel};
use pevatron::units::{Angle, Energy, parse_list};
use serde_json::Value;

/// How far a result may be from the exact solution.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    /// Norms, errors and limits, in errors of the pixel.
    sigma: f64,
    /// Square roots of TS.
    sqrt_ts: f64,
    /// Fit statistics, relative; large sums, so that single precision is shown and not judged.
    stat: f64,
    /// This part of a value is not a deviation: the engine's precision cannot hold more beside a very bright source.
    relative: f64,
}

/// Double precision throughout. What is left are roundings of the responses (1e-9) and of Gammapy's own double sums.
const DOUBLE: Tolerance = Tolerance { sigma: 1e-6, sqrt_ts: 1e-6, stat: 1e-8, relative: 1e-13 };
/// Counts, background and model per bin are single: 6e-8 of each, over some 1e3 bins.
const SINGLE: Tolerance = Tolerance { sigma: 2e-3, sqrt_ts: 2e-3, stat: f64::INFINITY, relative: 1e-6 };
/// Predicted counts that no exact file holds are compared with Gammapy's own, which go through single precision.
const NPRED: f64 = 5e-5;

/// Quantities of the table, in the order of the comparison.
const TABLE: [&str; 6] = ["norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "sqrt_ts"];

/// FLAGS of the exact files: both a number and NaN are right where a quantity is a matter of definition.
const CLIP: i64 = 4;
const NO_COUNTS: i64 = 8;
const NO_MODEL: i64 = 32;

struct Case {
    name: String,
    folder: PathBuf,
    json: Value,
}

fn cases(folder: &Path) -> Vec<Case> {
    let mut cases: Vec<Case> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|folder| {
            let json: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("case.json")).ok()?).unwrap();
            (json["estimator"] == "TSMapEstimator").then(|| {
                let name = json["name"].as_str().unwrap().to_string();
                Case { name, folder, json }
            })
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn sky_model(path: &Path) -> SkyModel {
    let models = Models::read(path).unwrap_or_else(|e| panic!("{e}"));
    let model = models.components.into_iter().find_map(|m| if let Model::Sky(sky) = m { Some(sky) } else { None });
    model.unwrap()
}

impl Case {
    fn datasets(&self) -> Vec<MapDataset> {
        let models =
            self.json["models"].as_str().map(|f| Models::read(self.folder.join(f)).unwrap_or_else(|e| panic!("{e}")));
        let files = self.json["datasets"].as_array().unwrap().iter();
        files
            .map(|file| {
                let path = self.folder.join(file.as_str().unwrap());
                let mut dataset = MapDataset::read(path).unwrap_or_else(|e| panic!("{e}"));
                if let Some(models) = &models {
                    dataset.models = models.clone();
                }
                dataset
            })
            .collect()
    }

    fn estimator(&self) -> TsMapEstimator {
        let mut estimator = TsMapEstimator::new();
        if let Some(file) = self.json["kernel_model"].as_str() {
            estimator.kernel_model = sky_model(&self.folder.join(file));
        }
        for (key, value) in self.json["options"].as_object().unwrap() {
            let words = || {
                let words: Vec<&str> = value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
                words.join(",")
            };
            match key.as_str() {
                "kernel_width" => estimator.kernel_width = Some(value.as_str().unwrap().parse::<Angle>().unwrap()),
                "energy_edges" => {
                    let edges = parse_list(&words()).unwrap();
                    let edges = edges.iter().map(|q| Energy::tev(q.to("TeV").unwrap())).collect();
                    estimator.energy_edges = EnergyEdges::Edges(edges);
                }
                "sum_over_energy_groups" => estimator.sum_over_energy_groups = value.as_bool().unwrap(),
                "selection_optional" => estimator.selection_optional = words().parse().unwrap(),
                "rtol" => estimator.rtol = value.as_f64().unwrap(),
                "threshold" => estimator.threshold = value.as_f64(),
                "downsampling_factor" => estimator.downsampling_factor = value.as_u64().map(|n| n as usize),
                "n_sigma" => estimator.n_sigma = value.as_f64().unwrap(),
                "n_sigma_ul" => estimator.n_sigma_ul = value.as_f64().unwrap(),
                other => panic!("{}: option {other}", self.name),
            }
        }
        estimator
    }

    /// The tolerance of an engine, wider where the case says that the reference itself is not better.
    fn tolerance(&self, engine: Tolerance) -> Tolerance {
        let limits = &self.json["limits"];
        let wider = |key: &str, own: f64| limits[key].as_f64().map_or(own, |v| v.max(own));
        Tolerance {
            sigma: wider("sigma", engine.sigma),
            sqrt_ts: wider("sqrt_ts", engine.sqrt_ts),
            stat: wider("stat", engine.stat),
            ..engine
        }
    }

    fn exact(&self) -> PathBuf {
        let outputs = &self.json["outputs"];
        self.folder.join(outputs["exact_f64"].as_str().or(outputs["exact"].as_str()).unwrap())
    }

    fn gammapy(&self) -> PathBuf {
        self.folder.join(self.json["outputs"]["flux"].as_str().unwrap())
    }
}

/// Values of the HDU of a file, or `None` where there is no such HDU.
fn read(path: &Path, hdu: &str) -> Option<Map> {
    Map::read(path, Some(hdu)).ok()
}

fn values(map: &Map) -> Vec<f64> {
    map.data().iter().collect()
}

/// Deviations of one quantity over all its pixels.
struct Row {
    quantity: &'static str,
    max: f64,
    p99: f64,
    median: f64,
    limit: f64,
    pixels: usize,
    problems: Vec<String>,
}

/// Percentile as numpy's, linear between neighbours; 0 of nothing.
fn percentile(sorted: &[f64], part: f64) -> f64 {
    if sorted.is_empty() {
        return 0.0;
    }
    let at = part * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// sigma of each pixel: the exact symmetric error, else the upper, else the lower one, else the norm itself.
fn sigmas(exact: &Path) -> Vec<f64> {
    let good = |v: f64| v.is_finite() && v > 0.0;
    let norm = values(&read(exact, "NORM").unwrap());
    let mut sigma = vec![f64::NAN; norm.len()];
    for hdu in ["NORM_ERR", "NORM_ERRP", "NORM_ERRN"] {
        let Some(map) = read(exact, hdu) else { continue };
        for (s, v) in sigma.iter_mut().zip(values(&map)) {
            if !good(*s) && good(v) {
                *s = v;
            }
        }
    }
    for (s, v) in sigma.iter_mut().zip(norm) {
        if !good(*s) {
            *s = v.abs().max(1e-300);
        }
    }
    sigma
}

fn compare(case: &Case, maps: &FluxMaps, tolerance: Tolerance) -> Vec<Row> {
    let (exact, gammapy) = (case.exact(), case.gammapy());
    let sigma = sigmas(&exact);
    let flags: Vec<i64> =
        read(&exact, "FLAGS").map_or(vec![0; sigma.len()], |m| values(&m).iter().map(|v| *v as i64).collect());
    let shape = maps.geom().data_shape();
    let mut rows = Vec::new();
    for quantity in [
        FluxQuantity::Norm,
        FluxQuantity::NormErr,
        FluxQuantity::NormErrn,
        FluxQuantity::NormErrp,
        FluxQuantity::NormUl,
        FluxQuantity::Ts,
        FluxQuantity::Stat,
        FluxQuantity::StatNull,
        FluxQuantity::Npred,
        FluxQuantity::NpredExcess,
    ] {
        let name = quantity.name();
        // Exact at every pixel, else Gammapy's where it is right.
        let (want, everywhere) = match read(&exact, &name.to_uppercase()) {
            Some(map) => (values(&map), true),
            None => match read(&gammapy, &name.to_uppercase()) {
                Some(map) => (values(&map), false),
                None => continue,
            },
        };
        let mut problems = Vec::new();
        let Some(map) = maps.get(quantity) else {
            let problems = vec![format!("{name} is not there")];
            rows.push(Row { quantity: name, max: 0.0, p99: 0.0, median: 0.0, limit: 0.0, pixels: 0, problems });
            continue;
        };
        let got = values(map);
        assert_eq!(got.len(), want.len(), "{}: {name}", case.name);
        let mut sizes: Vec<f64> = want.iter().filter(|v| v.is_finite()).map(|v| v.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let typical = percentile(&sizes, 0.5).max(1.0);
        let is_norm = matches!(quantity, FluxQuantity::Norm | FluxQuantity::Ts);
        let limit = match quantity {
            FluxQuantity::Ts => tolerance.sqrt_ts,
            FluxQuantity::Stat | FluxQuantity::StatNull => tolerance.stat,
            FluxQuantity::Npred | FluxQuantity::NpredExcess if !everywhere => tolerance.sigma.max(NPRED),
            _ => tolerance.sigma,
        };
        let place = |i: usize| {
            let (nx, ny) = (shape[shape.len() - 1], shape[shape.len() - 2]);
            format!("[group {}, y {}, x {}]", i / (nx * ny), i / nx % ny, i % nx)
        };
        let (mut deviations, mut beyond, mut worst, mut only_one) = (Vec::new(), 0, (0.0, 0), Vec::new());
        for (i, (x, r)) in got.iter().copied().zip(want.iter().copied()).enumerate() {
            if !everywhere && flags[i] != 0 {
                continue;
            }
            if x.is_finite() != r.is_finite() {
                let free = if is_norm { NO_MODEL } else { CLIP | NO_COUNTS | NO_MODEL };
                if flags[i] & free == 0 {
                    only_one.push(i);
                }
                continue;
            }
            if !x.is_finite() {
                continue;
            }
            let off = ((x - r).abs() - tolerance.relative * r.abs()).max(0.0);
            let deviation = match quantity {
                FluxQuantity::Ts => off / (x.abs().sqrt() + r.abs().sqrt()).max(0.1),
                FluxQuantity::Stat | FluxQuantity::StatNull => (x - r).abs() / typical.max(r.abs()),
                FluxQuantity::Npred | FluxQuantity::NpredExcess => (x - r).abs() / r.abs().max(1.0),
                _ => off / sigma[i],
            };
            beyond += usize::from(deviation > limit);
            if deviation > worst.0 {
                worst = (deviation, i);
            }
            deviations.push(deviation);
        }
        deviations.sort_by(f64::total_cmp);
        if beyond > 0 {
            let i = worst.1;
            problems.push(format!(
                "{name}: {beyond} of {} pixels beyond {limit:e}, worst {:.3e} at {}: {} for {}, sigma {}",
                deviations.len(),
                worst.0,
                place(i),
                got[i],
                want[i],
                sigma[i]
            ));
        }
        if let Some(i) = only_one.first() {
            problems.push(format!(
                "{name}: {} pixels are NaN on one side only, the first one at {}: {} for {}",
                only_one.len(),
                place(*i),
                got[*i],
                want[*i]
            ));
        }
        rows.push(Row {
            quantity: if quantity == FluxQuantity::Ts { "sqrt_ts" } else { name },
            max: deviations.last().copied().unwrap_or(0.0),
            p99: percentile(&deviations, 0.99),
            median: percentile(&deviations, 0.5),
            limit,
            pixels: deviations.len(),
            problems,
        });
    }
    rows
}

/// Image geometry and energy edges are those of Gammapy's file.
fn compare_geometry(case: &Case, maps: &FluxMaps) -> Vec<String> {
    let theirs = read(&case.gammapy(), "NORM").unwrap();
    let mut problems = Vec::new();
    if !maps.geom().as_wcs().unwrap().same_image(theirs.wcs_geom().unwrap()) {
        problems.push("the image geometry is not Gammapy's".to_string());
    }
    let edges = |geom: &pevatron::maps::Geom| geom.axis("energy").unwrap().edges_tev().unwrap();
    let (ours, theirs) = (edges(maps.geom()), edges(theirs.geom()));
    if ours.len() != theirs.len() || ours.iter().zip(&theirs).any(|(a, b)| (a / b - 1.0).abs() > 1e-6) {
        problems.push(format!("energy edges {ours:?} TeV instead of {theirs:?}"));
    }
    problems
}

/// The engines of this machine; a GPU may be missing, unless PEVATRON_REQUIRE_GPU says that it may not.
fn engines() -> Vec<(&'static str, Backend, Tolerance)> {
    let make = |choice| Backend::new(&BackendOptions { choice, ..BackendOptions::default() });
    let mut engines = vec![
        ("reference", make(BackendChoice::Reference).unwrap(), DOUBLE),
        ("cpu", make(BackendChoice::Cpu).unwrap(), SINGLE),
    ];
    match make(BackendChoice::Gpu) {
        Ok(backend) => engines.push(("gpu", backend, SINGLE)),
        Err(error) if std::env::var_os("PEVATRON_REQUIRE_GPU").is_some_and(|v| v == "1") => {
            panic!("PEVATRON_REQUIRE_GPU is set, and there is no GPU: {error}")
        }
        Err(error) => println!("SKIPPED: the backend gpu: {error}"),
    }
    engines
}

#[test]
fn flux_maps_meet_the_exact_solutions() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut list = cases(&own);
    assert!(list.len() >= 4, "only {} cases in {}", list.len(), own.display());
    let shared = std::env::var_os("PEVATRON_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
        .join("golden");
    if shared.is_dir() {
        list.extend(cases(&shared));
    } else {
        println!("SKIPPED: the cases of {} (set PEVATRON_SHARED)", shared.display());
    }

    let engines = engines();
    let mut failures = Vec::new();
    let mut table = format!("| case | backend | pixels | {} |\n|---|---|---:|", TABLE.join(" | "));
    table.push_str(&"---|".repeat(TABLE.len()));
    table.push('\n');
    for case in &list {
        let datasets = case.datasets();
        let estimator = case.estimator();
        for (engine, backend, tolerance) in &engines {
            let start = Instant::now();
            let report = match estimator.run_with(&datasets, backend, &Control::new()) {
                Ok(report) => report,
                Err(error) => {
                    failures.push(format!("{} on {engine}: error: {error}", case.name));
                    continue;
                }
            };
            let seconds = start.elapsed().as_secs_f64();
            let before = failures.len();
            failures.extend(
                compare_geometry(case, &report.maps).into_iter().map(|p| format!("{} on {engine}: {p}", case.name)),
            );
            println!(
                "{:<16} {engine:<9} {:<12} {:>8} {:>8} {:>8} {:>8} {:>7}",
                case.name, "quantity", "max", "p99", "median", "limit", "pixels"
            );
            let (mut cells, mut pixels) = (String::new(), 0);
            for row in compare(case, &report.maps, case.tolerance(*tolerance)) {
                println!(
                    "{:<26} {:<12} {:>8.1e} {:>8.1e} {:>8.1e} {:>8.0e} {:>7}",
                    "", row.quantity, row.max, row.p99, row.median, row.limit, row.pixels
                );
                pixels = row.pixels;
                if TABLE.contains(&row.quantity) {
                    write!(cells, " {:.0e} / {:.0e} / {:.0e} |", row.max, row.p99, row.median).unwrap();
                }
                failures.extend(row.problems.into_iter().map(|p| format!("{} on {engine}: {p}", case.name)));
            }
            writeln!(table, "| {} | {engine} | {pixels} |{cells}", case.name).unwrap();
            let state = if failures.len() == before { "pass" } else { "FAIL" };
            println!("{:<16} {engine:<9} {state}, {seconds:.2} s ({})", case.name, backend.info().adapter);
        }
    }
    if let Some(path) = std::env::var_os("PEVATRON_TABLE") {
        std::fs::write(&path, table).unwrap();
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// The comparison itself notices what it should: a copy of the exact maps passes, a small change is found.
#[test]
fn the_comparison_finds_deviations() {
    let case = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")).into_iter().next().unwrap();
    let exact = |quantity: FluxQuantity| read(&case.exact(), &quantity.name().to_uppercase());
    let norm = exact(FluxQuantity::Norm).unwrap();
    let mut maps = FluxMaps::new(norm.geom().clone(), sky_model(&case.folder.join("kernel-model.yaml")));
    for quantity in FluxQuantity::ALL {
        let map = exact(*quantity).or_else(|| read(&case.gammapy(), &quantity.name().to_uppercase()));
        if let Some(map) = map {
            maps.insert(*quantity, map).unwrap();
        }
    }
    let problems = |maps: &FluxMaps| compare(&case, maps, DOUBLE).iter().map(|r| r.problems.len()).sum::<usize>();
    assert_eq!(problems(&maps), 0);
    let sigma = sigmas(&case.exact());
    for (quantity, change, expected) in [
        (FluxQuantity::Norm, 2e-6, 1),
        (FluxQuantity::Norm, 2e-7, 0),
        (FluxQuantity::NormUl, f64::NAN, 1),
        (FluxQuantity::Ts, 1.0, 1),
    ] {
        let mut cube = exact(quantity).unwrap().to_cube_f64();
        let (i, value) = cube.iter_mut().enumerate().find(|(_, v)| v.is_finite()).unwrap();
        *value += change * sigma[i];
        let mut changed = maps.clone();
        changed.insert(quantity, Map::from_cube(norm.geom().clone(), Default::default(), cube).unwrap()).unwrap();
        assert_eq!(problems(&changed), expected, "{quantity:?} {change}");
    }
}
