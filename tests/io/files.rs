//! Files: what Gammapy reads is what we read, what we write is what Gammapy reads, and broken files are errors.
#![cfg(feature = "fits-system")]
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use ndarray::{ArrayD, IxDyn};
use pevatron::datasets::{Dataset, MapDataset};
use pevatron::flux::{FluxMaps, SedType};
use pevatron::io::{Provenance, WriteOptions};
use pevatron::maps::{AxisInterp, Frame, Geom, Map, MapAxis, MapData, NodeType, SkyPosition, WcsGeom};
use pevatron::time::Gti;
use pevatron::units::Unit;
use serde_json::Value;

/// Folder of the input data and reference results.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("PEVATRON_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    if folder.join("data").is_dir() {
        Some(folder)
    } else {
        println!("SKIPPED: no data in {}", folder.display());
        None
    }
}

/// A Python that has Gammapy, by PEVATRON_PYTHON or on the path.
fn python(module: &str) -> Option<PathBuf> {
    let python = std::env::var_os("PEVATRON_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let works = Command::new(&python)
        .args(["-c", &format!("import {module}; print({module}.__version__)")])
        .output()
        .is_ok_and(|o| o.status.success());
    works.then_some(python)
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, out);
        } else if path.to_string_lossy().ends_with(".fits.gz") {
            out.push(path);
        }
    }
}

/// All files with maps: data, and golden results.
fn map_files(shared: &Path) -> Vec<PathBuf> {
    let mut list = Vec::new();
    files(&shared.join("data"), &mut list);
    files(&shared.join("golden"), &mut list);
    list.retain(|p| !p.to_string_lossy().contains("hess-dl3"));
    assert!(list.len() > 30);
    list
}

fn close(a: f64, b: f64, relative: f64) -> bool {
    a == b || (a - b).abs() <= relative * a.abs().max(b.abs()) + 1e-300
}

fn compare_map(place: &str, map: &Map, want: &Value) {
    let shape: Vec<u64> = map.data().shape().iter().map(|n| *n as u64).collect();
    let wanted: Vec<u64> = want["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(shape, wanted, "{place}");
    let unit: Unit = want["unit"].as_str().unwrap().parse().unwrap();
    assert_eq!(map.unit(), &unit, "{place}");
    let values: Vec<f64> = map.data().iter().collect();
    let finite = |v: &&f64| v.is_finite();
    let sum: f64 = values.iter().filter(finite).sum();
    let scale: f64 = values.iter().filter(finite).map(|v| v.abs()).sum();
    assert!((sum - want["sum"].as_f64().unwrap()).abs() <= 1e-9 * scale + 1e-300, "{place}: sum {sum} {want}");
    let moment: f64 = values.iter().enumerate().filter(|(_, v)| v.is_finite()).map(|(i, v)| v * i as f64).sum::<f64>()
        / values.len() as f64;
    assert!((moment - want["moment"].as_f64().unwrap()).abs() <= 1e-9 * scale + 1e-300, "{place}: moment");
    assert_eq!(values.iter().filter(|v| v.is_nan()).count() as u64, want["nan"].as_u64().unwrap(), "{place}: NaN");
    let axes = map.geom().axes();
    let wanted = want["axes"].as_array().unwrap();
    assert_eq!(axes.len(), wanted.len(), "{place}");
    for (axis, want) in axes.iter().zip(wanted) {
        assert_eq!(axis.name(), want["name"].as_str().unwrap(), "{place}");
        assert_eq!(axis.unit(), &want["unit"].as_str().unwrap().parse::<Unit>().unwrap(), "{place}");
        let node_type = if axis.node_type() == NodeType::Edges { "edges" } else { "center" };
        assert_eq!(node_type, want["node_type"].as_str().unwrap(), "{place}");
        let interp = match axis.interp() {
            AxisInterp::Lin => "lin",
            AxisInterp::Log => "log",
            AxisInterp::Sqrt => "sqrt",
        };
        assert_eq!(interp, want["interp"].as_str().unwrap(), "{place}");
        for (key, found) in [("edges", axis.edges()), ("center", axis.center())] {
            let wanted: Vec<f64> = want[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            assert_eq!(found.len(), wanted.len(), "{place} {key}");
            for (a, b) in found.iter().zip(&wanted) {
                // Some files have axes in single precision, and Gammapy computes with them so.
                assert!(close(*a, *b, 2e-6) || (a - b).abs() < 1e-9, "{place} {} {key}: {a} {b}", axis.name());
            }
        }
    }
    match map.geom().as_ref() {
        Geom::Wcs(geom) => {
            assert_eq!(want["region"], false, "{place}");
            let sky = geom.pix_to_sky(1.5, 0.5).unwrap();
            let frame = if geom.frame() == Frame::Icrs { "icrs" } else { "galactic" };
            assert_eq!(frame, want["frame"].as_str().unwrap(), "{place}");
            for (a, b) in [(sky.lon_deg, &want["sky"][0]), (sky.lat_deg, &want["sky"][1])] {
                assert!((a - b.as_f64().unwrap()).abs() < 1e-9, "{place}: {a} {b}");
            }
        }
        _ => assert_eq!(want["region"], true, "{place}"),
    }
}

#[test]
fn all_maps_are_read_as_gammapy_reads_them() {
    let Some(shared) = shared() else { return };
    let list = map_files(&shared);
    let Some(python) = python("gammapy") else {
        println!("SKIPPED: no Python with gammapy (set PEVATRON_PYTHON)");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/io/gammapy_read.py");
    let output = Command::new(python).arg(script).args(&list).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut maps = 0;
    for path in &list {
        let want = &document[path.to_str().unwrap()];
        for (name, want) in want["maps"].as_object().unwrap() {
            let place = format!("{}[{name}]", path.display());
            let map = Map::read(path, Some(name)).unwrap_or_else(|e| panic!("{e}"));
            compare_map(&place, &map, want);
            maps += 1;
        }
        if let Some(want) = want.get("gti") {
            let gti = Gti::read(path).unwrap();
            assert_eq!(gti.intervals.len() as u64, want["n"].as_u64().unwrap());
            assert!(close(gti.time_sum_s(), want["sum"].as_f64().unwrap(), 1e-9));
        }
    }
    println!("{maps} maps of {} files are equal", list.len());
    assert!(maps > 300);
}

#[test]
fn datasets_of_all_instruments() {
    let Some(shared) = shared() else { return };
    let data = shared.join("data");
    for name in [
        "fermi-3fhl-gc",
        "fermi-gc-cutout",
        "hess-crab",
        "hess-crab-cutout",
        "hess-crab-23523",
        "hess-crab-23526",
        "hess-crab-onoff",
        "hess-crab-onoff-cutout",
        "cta-1dc-gc",
        "cta-gc-cutout",
    ] {
        let read = Dataset::read(data.join(format!("{name}.fits.gz"))).unwrap_or_else(|e| panic!("{e} {:?}", e.help()));
        assert_eq!(matches!(read, Dataset::OnOff(_)), name.contains("onoff"), "{name}");
        let dataset = read.common().unwrap();
        assert_eq!(dataset.name, name);
        assert!(dataset.counts.is_some() && dataset.exposure.is_some() && dataset.psf.is_some(), "{name}");
        assert_eq!(dataset.background.is_some(), !name.contains("onoff"), "{name}");
        for problem in read.check() {
            println!("{name}: {problem}");
        }
    }
}

fn run_roundtrip(arguments: &[std::ffi::OsString]) {
    let (python, module, script) = match (python("gammapy"), python("astropy")) {
        (Some(python), _) => (python, "Gammapy", "gammapy_roundtrip.py"),
        (None, Some(python)) => (python, "astropy", "astropy_roundtrip.py"),
        (None, None) => {
            println!("SKIPPED: no Python with gammapy or astropy (set PEVATRON_PYTHON)");
            return;
        }
    };
    let script = format!("{}/tests/io/{script}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    println!("{} files opened with {module}: {text}", arguments.len() / 3);
}

fn assert_same_dataset(a: &MapDataset, b: &MapDataset, place: &str) {
    assert_eq!(a.name, b.name, "{place}");
    assert_eq!(a.meta, b.meta, "{place}");
    assert!(a.counts == b.counts, "{place}: counts");
    assert!(a.exposure == b.exposure, "{place}: exposure");
    assert!(a.psf == b.psf, "{place}: psf");
    assert!(a.edisp == b.edisp, "{place}: edisp");
    assert!(a.mask_safe == b.mask_safe && a.mask_fit == b.mask_fit, "{place}: masks");
    assert_eq!(a.gti, b.gti, "{place}");
}

#[test]
fn datasets_round_trip_through_us_and_gammapy() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut arguments: Vec<std::ffi::OsString> = Vec::new();
    let options = WriteOptions {
        provenance: Provenance::default()
            .with_option("command", "rewrite with a rather long description that does not fit into a card of 80")
            .with_input(shared.join("data/README.md")),
        ..WriteOptions::default()
    };
    for (name, ending) in [
        ("fermi-3fhl-gc", "fits"),
        ("fermi-gc-cutout", "fits.gz"),
        ("hess-crab-cutout", "fits"),
        ("hess-crab-23523", "fits.gz"),
        ("cta-gc-cutout", "fits"),
    ] {
        let original = shared.join(format!("data/{name}.fits.gz"));
        let rewritten = folder.path().join(format!("{name}.{ending}"));
        let dataset = MapDataset::read(&original).unwrap();
        dataset.write(&rewritten, &options).unwrap();
        assert_same_dataset(&dataset, &MapDataset::read(&rewritten).unwrap(), name);
        arguments.extend(["dataset".into(), original.clone().into(), rewritten.into()]);
        for hdu in ["COUNTS", "BACKGROUND"] {
            let map = Map::read(&original, Some(hdu)).unwrap();
            let rewritten = folder.path().join(format!("{name}-{hdu}.{ending}"));
            map.write(&rewritten, if hdu == "COUNTS" { "PRIMARY" } else { hdu }, &options).unwrap();
            assert!(map == Map::read(&rewritten, None).unwrap(), "{name} {hdu}");
            arguments.extend([format!("map:{hdu}").into(), original.clone().into(), rewritten.into()]);
        }
    }
    run_roundtrip(&arguments);
}

#[test]
fn images_of_other_tools_are_read_as_astropy_reads_them() {
    let Some(python) = python("astropy") else {
        println!("SKIPPED: no Python with astropy (set PEVATRON_PYTHON)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/io/astropy_files.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, want) in document.as_object().unwrap() {
        let map = Map::read(want["path"].as_str().unwrap(), None).unwrap_or_else(|e| panic!("{name}: {e}"));
        let values: Vec<f64> = map.data().iter().collect();
        for (i, (found, want)) in values.iter().zip(want["values"].as_array().unwrap()).enumerate() {
            let want = want.as_f64().unwrap_or(f64::NAN);
            assert!(*found == want || (found.is_nan() && want.is_nan()), "{name} value {i}: {found} {want}");
        }
        let exact = matches!(map.data(), MapData::F32(_));
        let single = !["i32-large", "i64-large", "scaled"].contains(&name.as_str()) && !name.starts_with('f');
        if want["hdu"] == 1 && single && ["u8", "i16", "u16", "i32", "RICE_1", "GZIP_1"].contains(&name.as_str()) {
            assert!(exact, "{name}: small integers are exact in single precision");
        }
        let geom = map.wcs_geom().unwrap();
        for (i, (x, y)) in [(0.0, 0.0), (8.0, 6.0), (2.5, 1.0)].into_iter().enumerate() {
            let sky = geom.pix_to_sky(x, y).unwrap();
            let (lon, lat) = (want["lon"][i].as_f64().unwrap(), want["lat"][i].as_f64().unwrap());
            assert!(
                (sky.lon_deg - lon).abs() < 1e-9 && (sky.lat_deg - lat).abs() < 1e-9,
                "{name}: {sky:?} {lon} {lat}"
            );
        }
    }
    println!("{} images are equal", document.as_object().unwrap().len());
}

#[test]
fn flux_maps_round_trip_through_us_and_gammapy() {
    let Some(shared) = shared() else { return };
    let golden = shared.join("golden");
    let folder = tempfile::tempdir().unwrap();
    let mut arguments: Vec<std::ffi::OsString> = Vec::new();
    // From likelihood to every type, against the files that Gammapy converted itself, and back.
    let norms = FluxMaps::read(golden.join("fluxmaps/flux_likelihood.fits.gz")).unwrap();
    for sed in SedType::ALL {
        let original = golden.join(format!("fluxmaps/flux_{}.fits.gz", sed.name()));
        let rewritten = folder.path().join(format!("{}.fits", sed.name()));
        norms.write(&rewritten, sed, &WriteOptions::default()).unwrap();
        let back = FluxMaps::read(&rewritten).unwrap();
        assert_eq!(back.reference_model().name, norms.reference_model().name);
        for quantity in norms.available_quantities() {
            let (a, b) = (norms.get(quantity).unwrap(), back.get(quantity).unwrap());
            for (a, b) in a.data().iter().zip(b.data().iter()) {
                assert!(close(a, b, 1e-6) || (a.is_nan() && b.is_nan()), "{} {}: {a} {b}", sed.name(), quantity.name());
            }
        }
        arguments.extend(["fluxmaps".into(), original.into(), rewritten.into()]);
    }
    for name in ["ts-fermi-cube", "ts-cta-cube", "ts-joint", "ts-source-model", "excess-hess", "excess-onoff"] {
        let original = golden.join(format!("{name}/flux.fits.gz"));
        let rewritten = folder.path().join(format!("{name}.fits.gz"));
        let (mut maps, warnings) = FluxMaps::read_with_warnings(&original).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        maps.meta.n_sigma_ul = 3.0;
        maps.meta.entries.insert("kernel_width".into(), "0.5 deg".into());
        maps.write(&rewritten, SedType::Likelihood, &WriteOptions::default()).unwrap();
        assert_eq!(FluxMaps::read(&rewritten).unwrap().meta, maps.meta);
        // The model inside counts; one that is named and not there is an error, unless another one is given.
        std::fs::rename(folder.path().join(format!("{name}_model.yaml")), folder.path().join("away.yaml")).unwrap();
        let (moved, warnings) = FluxMaps::read_with_warnings(&rewritten).unwrap();
        assert!(warnings.is_empty());
        assert_eq!(moved.reference_model().spectral.tag(), maps.reference_model().spectral.tag());
        std::fs::rename(folder.path().join("away.yaml"), folder.path().join(format!("{name}_model.yaml"))).unwrap();
        let empty = tempfile::tempdir().unwrap();
        let alone = empty.path().join("alone.fits.gz");
        std::fs::copy(&original, &alone).unwrap();
        let error = FluxMaps::read(&alone).unwrap_err().to_string();
        assert!(error.contains("alone.fits.gz") && error.contains("flux_model.yaml"), "{error}");
        let model = maps.reference_model().clone();
        assert!(FluxMaps::read_with_model(&alone, model).is_ok());
        arguments.extend(["fluxmaps".into(), original.into(), rewritten.into()]);
    }
    let error = norms.write(folder.path().join("dnde.fits"), SedType::Dnde, &WriteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), pevatron::ErrorKind::Options);
    run_roundtrip(&arguments);
}

/// An 80 MB cube comes back bit by bit; `--nocapture` shows how long that takes.
#[test]
fn time_to_read_and_write_a_large_cube() {
    let folder = tempfile::tempdir().unwrap();
    let center = SkyPosition { lon_deg: 0.0, lat_deg: 0.0, frame: Frame::Galactic };
    let energy = MapAxis::energy_bounds(0.1, 100.0, 20, "energy").unwrap();
    let geom = Geom::Wcs(WcsGeom::create(center, 1000, 1000, (0.02, 0.02), "CAR", vec![energy]).unwrap());
    let data = ArrayD::from_shape_fn(IxDyn(&[20, 1000, 1000]), |i| (i[0] * 7 + i[1] * 3 + i[2]) as f32 * 0.01);
    let map = Map::new(geom.into(), Unit::default(), MapData::F32(data)).unwrap();
    for name in ["a.fits", "a.fits.gz"] {
        let path = folder.path().join(name);
        let start = Instant::now();
        map.write(&path, "COUNTS", &WriteOptions::default()).unwrap();
        let written = start.elapsed();
        for _ in 0..3 {
            let start = Instant::now();
            let back = Map::read(&path, None).unwrap();
            println!("{name}: written in {written:?}, read in {:?}", start.elapsed());
            assert!(back == map);
        }
    }
}
