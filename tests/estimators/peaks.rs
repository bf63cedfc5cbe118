//! Peaks, positions below the size of a pixel, and sources that are found one after the other.
#![cfg(feature = "fits-system")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use std::path::PathBuf;
use std::process::Command;

use crate::support::field::{cpu, dataset, image, source};
use pevatron::estimators::peaks::{FoundSource, PeakStatus, find_peaks_in_flux_map, peaks_table};
use pevatron::estimators::{EnergyEdges, PeakDistance, Selection, SourceSearch, TsMapEstimator};
use pevatron::flux::FluxMaps;
use pevatron::maps::SkyPosition;
use pevatron::models::SkyModel;
use pevatron::units::Angle;
use pevatron::{Control, Error};
use serde_json::Value;

fn estimator() -> TsMapEstimator {
    TsMapEstimator::new().kernel_width(Angle::deg(0.7)).sum_over_energy_groups(false)
}

/// Positions of many sources at any place within their pixels are where they should be, as often as their errors say.
#[test]
fn positions_scatter_as_much_as_their_errors_say() {
    let mut pulls = Vec::new();
    for seed in 0..6 {
        let geom = image(150, 90);
        // 5 x 3 sources far from each other, anywhere within a pixel.
        let places: Vec<(f64, f64)> = (0..15)
            .map(|i| {
                let part = |k: u64| ((seed * 15 + i) * k % 97) as f64 / 97.0 - 0.5;
                (15.0 + 30.0 * (i % 5) as f64 + part(37), 15.0 + 30.0 * (i / 5) as f64 + part(61))
            })
            .collect();
        let amplitude = [0.35, 0.7, 3.0][seed as usize % 3];
        let sources: Vec<SkyModel> = places.iter().map(|p| source("s", &geom, *p, amplitude)).collect();
        let data = dataset(&geom, &sources, 0.5, 100 + seed);
        let maps = estimator().run(&[data], &cpu(2)).unwrap();
        let peaks = find_peaks_in_flux_map(&maps, "sqrt_ts", None, 5.0, PeakDistance::Pixels(6)).unwrap();
        for peak in peaks {
            let (x, y) = peak.location.pixel;
            let near = |p: &&(f64, f64)| (p.0 - x).abs() < 4.0 && (p.1 - y).abs() < 4.0;
            let place = places.iter().find(near).unwrap_or_else(|| panic!("nothing was put at {x} {y}"));
            assert_eq!(peak.location.status, PeakStatus::Ok);
            let (xx, xy, yy) = peak.location.covariance;
            assert!(xx > 0.0 && yy > 0.0 && xx * yy > xy * xy);
            pulls.push((seed % 3, (x - place.0) / xx.sqrt(), (y - place.1) / yy.sqrt()));
        }
    }
    for kind in 0..3 {
        let own: Vec<f64> = pulls.iter().filter(|p| p.0 == kind).flat_map(|p| [p.1, p.2]).collect();
        let n = own.len() as f64;
        let (mean, square) = (own.iter().sum::<f64>() / n, own.iter().map(|p| p * p).sum::<f64>() / n);
        println!("kind {kind}: {n} pulls, mean {mean:.3}, rms {:.3}", square.sqrt());
        // 60 pulls: the rms is known to 9 %, the mean to 0.13.
        assert!(n > 40.0 && mean.abs() < 0.4, "{kind}: mean {mean} of {n}");
        assert!((0.75..1.3).contains(&square.sqrt()), "{kind}: rms {}", square.sqrt());
    }
}

fn nearest(sources: &[FoundSource], place: (f64, f64)) -> &FoundSource {
    let distance = |s: &FoundSource| (s.location.pixel.0 - place.0).hypot(s.location.pixel.1 - place.1);
    sources.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap()
}

#[test]
fn blended_sources_come_apart() {
    let geom = image(71, 61);
    // Two sources 4 pixels apart, 2.5 sigma of the PSF, and one by itself.
    let places = [(30.2, 28.9), (34.1, 29.8), (55.0, 45.3)];
    let amplitudes = [3.0, 2.0, 1.0];
    let models: Vec<SkyModel> = (0..3).map(|i| source("s", &geom, places[i], amplitudes[i])).collect();
    let data = [dataset(&geom, &models, 0.5, 7)];
    let estimator = estimator().selection_optional(Selection { errn_errp: true, ul: true, ..Selection::default() });
    // One map alone sees one source at the pair, too bright.
    let maps = estimator.run(&data, &cpu(2)).unwrap();
    let single = find_peaks_in_flux_map(&maps, "sqrt_ts", None, 5.0, PeakDistance::Pixels(5)).unwrap();
    assert_eq!(single.len(), 2);
    let blended = (single[0].value("norm").unwrap() - 3.0) / single[0].value("norm_err").unwrap();
    assert!(blended > 3.0, "the pair is not a blend: {blended} sigma");

    let search = SourceSearch::new(estimator.clone());
    let found = search.run_with(&data, &cpu(2), &Control::new()).unwrap();
    assert!(found.complete && found.warnings.is_empty(), "{:?}", found.warnings);
    assert_eq!(found.sources.len(), 3);
    for (place, amplitude) in places.iter().zip(amplitudes) {
        let s = nearest(&found.sources, *place);
        assert_eq!(s.location.status, PeakStatus::Ok);
        let pull = (
            (s.location.pixel.0 - place.0) / s.location.covariance.0.sqrt(),
            (s.location.pixel.1 - place.1) / s.location.covariance.2.sqrt(),
            (s.norm - amplitude) / s.norm_err,
        );
        println!("{}: pulls {pull:?}, sqrt_ts {:.1}", s.name, s.location.ts.sqrt());
        assert!(pull.0.abs() < 3.0 && pull.1.abs() < 3.0, "{} at {pull:?}", s.name);
        assert!(pull.2.abs() < 3.0, "{}: norm {} ± {}", s.name, s.norm, s.norm_err);
        let (errn, errp, ul) = (s.norm_errn.unwrap(), s.norm_errp.unwrap(), s.norm_ul.unwrap());
        assert!((errn / s.norm_err - 1.0).abs() < 0.3 && (errp / s.norm_err - 1.0).abs() < 0.3);
        assert!((ul - s.norm - 2.0 * errp).abs() < 0.3 * errp);
        // The model in the null hypothesis is what the table says.
        assert!((s.model.spectral.evaluate(1.0) / (s.norm * 1e-12) - 1.0).abs() < 1e-12);
        assert!(s.model.spatial.as_ref().unwrap().position().unwrap().separation_deg(s.location.position) < 1e-9);
    }
    // Nothing is left, and the norms are those of a joint maximum: no source wants to change on the residual.
    let left = find_peaks_in_flux_map(&found.residual, "sqrt_ts", None, 5.0, PeakDistance::Pixels(1)).unwrap();
    assert!(left.is_empty());
    let norm = found.residual.norm().unwrap().plane_f64(0);
    let error = found.residual.norm_err().unwrap().plane_f64(0);
    for s in &found.sources {
        let at = (s.location.pixel.1.round() as usize, s.location.pixel.0.round() as usize);
        // A point source between pixels is shared among four of them: up to a percent of the norm.
        assert!((norm[at] / error[at]).abs() < 0.3, "{}: {} ± {}", s.name, norm[at], error[at]);
    }

    // The same whatever the number of threads.
    let again = search.run_with(&data, &cpu(1), &Control::new()).unwrap();
    for (a, b) in found.sources.iter().zip(&again.sources) {
        assert_eq!((a.norm.to_bits(), a.location.pixel), (b.norm.to_bits(), b.location.pixel));
    }

    // It ends where it is told to, and says so.
    let mut short = search.clone();
    short.max_sources = 1;
    let report = short.run_with(&data, &cpu(2), &Control::new()).unwrap();
    assert!(!report.complete && report.sources.len() == 1 && report.warnings[0].contains("max_sources"));
}

#[test]
fn a_search_can_be_cancelled_and_checks_its_options() {
    let geom = image(41, 35);
    let data = [dataset(&geom, &[source("s", &geom, (20.0, 17.0), 3.0)], 0.5, 3)];
    let control = Control::new();
    let handle = control.clone();
    let control = control.with_observer(move |p| {
        if p.stage == "sources" && p.done == 1 {
            handle.cancel();
        }
    });
    let search = SourceSearch::new(estimator());
    assert!(matches!(search.run_with(&data, &cpu(1), &control), Err(Error::Cancelled)));

    let refused = |change: &dyn Fn(&mut SourceSearch), word: &str| {
        let mut search = SourceSearch::new(estimator());
        change(&mut search);
        let error = search.run_with(&data, &cpu(1), &Control::new()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(&|s| s.threshold = f64::NAN, "threshold");
    refused(&|s| s.threshold = 0.0, "threshold");
    refused(&|s| s.max_sources = 0, "max_sources");
    refused(&|s| s.estimator.energy_edges = EnergyEdges::All, "one energy group");
    let error = SourceSearch::new(estimator()).run_with(&[], &cpu(1), &Control::new()).unwrap_err();
    assert!(error.to_string().contains("datasets"));
}

/// A Python that has Gammapy and the script beside this file, or `None` and a line that says so.
fn gammapy(arguments: &[&std::ffi::OsStr]) -> Option<Value> {
    let python = support::python_with("gammapy")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/estimators/gammapy_peaks.py");
    let output = Command::new(&python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// The golden flux maps that Gammapy made.
fn golden_maps() -> Vec<PathBuf> {
    let cases = [
        "ts-cta-cube",
        "ts-defaults",
        "ts-fermi-cube",
        "ts-fermi-sum",
        "ts-hess-cube",
        "ts-joint",
        "ts-source-model",
        "excess-hess",
        "excess-hess-default",
        "excess-onoff",
        "excess-onoff-uncorrelated",
    ];
    let maps = cases.iter().filter_map(|case| support::golden(case)).map(|folder| folder.join("flux.fits.gz"));
    maps.filter(|path| path.is_file()).collect()
}

/// The same pixels as Gammapy's `find_peaks`, in its order, and the values of `find_peaks_in_flux_map`.
#[test]
fn peaks_are_gammapys() {
    let files = golden_maps();
    if files.is_empty() {
        return;
    }
    let mut compared = (0, 0);
    for (threshold, distance) in [(5.0, 0.3), (2.0, 0.1), (-1.0, 0.07)] {
        let (t, d) = (threshold.to_string(), distance.to_string());
        let mut arguments: Vec<&std::ffi::OsStr> = vec!["peaks".as_ref(), t.as_ref(), d.as_ref()];
        arguments.extend(files.iter().map(|f| f.as_os_str()));
        let Some(theirs) = gammapy(&arguments) else { return };
        for file in &files {
            let theirs = &theirs[file.to_str().unwrap()];
            let maps = FluxMaps::read(file).unwrap();
            // Gammapy turns an angle into pixels.
            let image = maps.geom().as_wcs().unwrap().to_image();
            let pixels = PeakDistance::Angle(Angle::deg(distance)).pixels(&image).unwrap();
            let distance = PeakDistance::Pixels(pixels);
            let peaks = find_peaks_in_flux_map(&maps, "sqrt_ts", None, threshold, distance).unwrap();
            for (bin, expected) in theirs["bins"].as_array().unwrap().iter().enumerate() {
                let own: Vec<_> = peaks.iter().filter(|p| p.energy_bin == bin).collect();
                let expected = expected.as_array().unwrap();
                assert_eq!(own.len(), expected.len(), "{} bin {bin} above {threshold}", file.display());
                for (peak, row) in own.iter().zip(expected) {
                    let number = |i: usize| row[i].as_f64().unwrap();
                    let at = (peak.peak.y as f64, peak.peak.x as f64);
                    assert_eq!(at, (number(0), number(1)), "{} bin {bin}", file.display());
                    assert!((peak.peak.value - number(2)).abs() <= 1e-6 * number(2).abs());
                    let place = SkyPosition::icrs(number(3), number(4));
                    assert!(peak.peak.position.separation_deg(place) < 1e-9, "{} at {at:?}", file.display());
                    compared.0 += 1;
                }
            }
            // Gammapy's table of one energy bin, which has the largest last.
            let Some(table) = theirs["table"].as_object() else { continue };
            let mut upward = peaks.clone();
            upward.reverse();
            for (name, values) in table.iter().filter(|(name, _)| !["x", "y", "ra", "dec"].contains(&name.as_str())) {
                for (peak, value) in upward.iter().zip(values.as_array().unwrap()) {
                    let own = peak.value(name).unwrap_or_else(|| panic!("{name} is missing"));
                    let Some(value) = value.as_f64() else { continue };
                    assert!(
                        (own - value).abs() <= 1e-5 * value.abs() || own.is_nan() && value.is_nan(),
                        "{name}: {own} {value}"
                    );
                    compared.1 += 1;
                }
            }
        }
    }
    println!("{} peaks, {} values of them", compared.0, compared.1);
    assert!(compared.0 > 100 && compared.1 > 100);
}

/// astropy reads the table as it was: names, units, types, values, header.
#[test]
fn astropy_reads_the_table() {
    let Some(folder) = support::golden("ts-hess-cube") else { return };
    let maps = FluxMaps::read(folder.join("flux.fits.gz")).unwrap();
    let peaks = find_peaks_in_flux_map(&maps, "sqrt_ts", None, 3.0, PeakDistance::Pixels(2)).unwrap();
    let names: Vec<String> = (0..peaks.len()).map(|i| ["", "a \"b\" c", "é"][i % 3].to_string()).collect();
    let geom = maps.geom().as_wcs().unwrap().to_image();
    let table = peaks_table(&peaks, &names, &geom).unwrap().with_meta("small", 1e-12).with_meta("a: #b", "x {y}\n- z");
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("peaks.ecsv");
    table.write_ecsv(&path, false).unwrap();
    let Some(read) = gammapy(&["table".as_ref(), path.as_os_str()]) else { return };
    assert_eq!(read["rows"].as_u64().unwrap() as usize, peaks.len());
    assert_eq!(read["meta"]["small"].as_f64(), Some(1e-12));
    assert_eq!(read["meta"]["a: #b"], "x {y}\n- z");
    for (name, unit) in [("ra", "deg"), ("flux", "1 / (s cm2)"), ("energy_min", "TeV"), ("x", "pix"), ("norm", "")] {
        assert_eq!(read["units"][name], unit, "{name}");
    }
    assert_eq!(read["types"]["x"], "int64");
    for (i, peak) in peaks.iter().enumerate() {
        let cell = |name: &str| read["columns"][name][i].clone();
        // An empty text is a missing one.
        assert_eq!(cell("name").as_str().unwrap_or(""), names[i]);
        assert_eq!(cell("position_status"), peak.location.status.name());
        for (name, value) in
            [("value", peak.peak.value), ("ts_fit", peak.location.ts), ("flux", peak.value("flux").unwrap())]
        {
            assert_eq!(
                cell(name).as_f64().unwrap_or(f64::NAN).to_bits() << 1 >> 1,
                value.to_bits() << 1 >> 1,
                "{name}"
            );
        }
    }
}
