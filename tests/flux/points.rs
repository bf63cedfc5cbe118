//! Flux points: Gammapy's files read and written back, conversions between SED types, collections, and what is refused.
#![cfg(all(feature = "fits-system", feature = "yaml"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use std::path::{Path, PathBuf};
use std::process::Command;

use pevatron::flux::{
    CoordSlice, FluxMaps, FluxPoints, FluxPointsCollection, FluxPointsKey, FluxQuantity, FromTable, SedType,
    TableFormat,
};
use pevatron::io::WriteOptions;
use pevatron::maps::{AxisInterp, Map, MapAxis, SkyPosition};
use pevatron::models::{Model, Models, SkyModel};
use pevatron::table::{Column, Table};

/// A file of the shared data; `None`, and said so, where there is none.
fn shared(path: &str) -> Option<PathBuf> {
    let folder = support::golden("fluxmaps")?;
    let file = folder.parent()?.parent()?.join(path);
    if !file.exists() {
        println!("SKIPPED: no {}", file.display());
        return None;
    }
    Some(file)
}

fn read(path: &Path) -> FluxPoints {
    FluxPoints::read(path, &FromTable::default()).unwrap().0
}

fn model(path: &Path) -> SkyModel {
    let models = Models::read(path).unwrap();
    models
        .components
        .into_iter()
        .find_map(|m| match m {
            Model::Sky(sky) => Some(sky),
            _ => None,
        })
        .unwrap()
}

fn values(map: &Map) -> Vec<f64> {
    map.data().iter().collect()
}

/// Equal but for the last digits of a factor applied there and back; NaN equals NaN.
fn assert_same(found: &[f64], wanted: &[f64], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (n, (a, b)) in found.iter().zip(wanted).enumerate() {
        assert!(
            a == b || (a.is_nan() && b.is_nan()) || (a / b - 1.0).abs() < 1e-14,
            "{what}: value {n} is {a}, not {b}"
        );
    }
}

fn assert_same_tables(found: &Table, wanted: &Table, what: &str) {
    assert_eq!((found.names(), found.meta()), (wanted.names(), wanted.meta()), "{what}");
    for (a, b) in found.columns().iter().zip(wanted.columns()) {
        assert_eq!((a.unit(), a.shape()), (b.unit(), b.shape()), "{what} {}", a.name());
        if wanted.texts(b.name()).is_ok() {
            assert_eq!(a.values(), b.values(), "{what} {}", b.name());
            continue;
        }
        let unit = b.unit().to_string();
        assert_same(&a.to_floats(&unit).unwrap(), &b.to_floats(&unit).unwrap(), &format!("{what} {}", a.name()));
    }
}

/// Tables of Gammapy's own flux points and of other tools.
const TABLES: [&str; 9] = [
    "data/spectra/flux-points/HAWC19_flux_points.fits",
    "data/spectra/flux-points/crab_hess_fp.fits",
    "data/spectra/flux-points/diff_flux_points.fits",
    "data/spectra/flux-points/diff_flux_points.ecsv",
    "data/spectra/flux-points/flux_points.fits",
    "data/spectra/flux-points/flux_points.ecsv",
    "data/spectra/light-curve/pks2155_hess_lc.fits",
    "golden/fluxmaps/flux_points_likelihood.ecsv",
    "golden/fluxmaps/flux_points_dnde.fits",
];

#[test]
fn tables_are_read_and_written_back_equal() {
    let folder = tempfile::tempdir().unwrap();
    let mut pairs: Vec<PathBuf> = Vec::new();
    for (n, name) in TABLES.iter().enumerate() {
        let Some(path) = shared(name) else { return };
        let points = read(&path);
        let sed = points.sed_type_init();
        for end in ["fits", "ecsv"] {
            let written = folder.path().join(format!("points_{n}.{end}"));
            points.write(&written, sed, None, &WriteOptions::default()).unwrap();
            let again = read(&written);
            assert_same_tables(&again.to_table(sed, None).unwrap(), &points.to_table(sed, None).unwrap(), name);
            let before: Vec<FluxQuantity> = points.available_quantities().collect();
            for quantity in before {
                let (a, b) = (points.get(quantity).unwrap(), again.require(quantity).unwrap());
                assert_eq!(a.geom().axes().len(), b.geom().axes().len(), "{name} {quantity:?}");
                assert_same(&values(b), &values(a), &format!("{name} {end} {quantity:?}"));
            }
            // Gammapy reads neither light curves nor profiles from ECSV.
            if end == "fits" || points.geom().axes().len() == 1 {
                pairs.extend([path.clone(), written]);
            }
        }
        assert!(points.write(folder.path().join(format!("points_{n}.fits")), sed, None, &Default::default()).is_err());
    }
    let Some(python) = support::python_with("gammapy") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flux/gammapy_flux_points.py");
    let output = Command::new(python).arg(script).args(&pairs).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    println!("{text}");
}

/// One pixel of the stored flux maps in all SED types: tables of any of them give the values of any other.
#[test]
fn tables_of_all_sed_types_agree() {
    let Some(folder) = support::golden("fluxmaps") else { return };
    let reference = model(&folder.join("flux_likelihood_model.yaml"));
    let options = FromTable { reference_model: Some(reference), ..FromTable::default() };
    let table = |sed: SedType| folder.join(format!("flux_points_{}.ecsv", sed.name()));
    for from in SedType::ALL {
        let points = FluxPoints::read(table(from), &options).unwrap().0;
        assert_eq!((points.sed_type_init(), points.n_sigma_ul()), (from, 2.0));
        for to in SedType::ALL {
            let (found, wanted) = (points.to_table(to, None).unwrap(), Table::read(table(to), None).unwrap());
            for column in wanted.columns() {
                let unit = column.unit().to_string();
                let (a, b) = (found.floats(column.name(), &unit).unwrap(), column.to_floats(&unit).unwrap());
                for (x, y) in a.iter().zip(&b) {
                    let same = (x.is_nan() && y.is_nan()) || (x - y).abs() <= 1e-6 * y.abs();
                    assert!(same, "{from:?} {to:?} {}: {x} {y}", column.name());
                }
            }
        }
    }
    // The points of a pixel of the maps are those of the stored tables.
    let maps = FluxMaps::read(folder.join("flux_likelihood.fits.gz")).unwrap();
    let geom = maps.geom().as_wcs().unwrap();
    let wanted = read(&table(SedType::Dnde)).norm().is_ok();
    assert!(wanted && maps.get_flux_points(None).unwrap().position() == Some(geom.center().unwrap()));
    let text = std::fs::read_to_string(folder.join("conversions.json")).unwrap().replace("NaN", "null");
    let json: serde_json::Value = serde_json::from_str(&text.replace("Infinity", "null")).unwrap();
    let mut compared = 0;
    for pixel in json["pixels"].as_array().unwrap() {
        let index = |key: &str| pixel[key].as_f64().or_else(|| pixel[key][0].as_f64());
        let (Some(x), Some(y)) = (index("x").or(index("i")), index("y").or(index("j"))) else { continue };
        let points = maps.get_flux_points(geom.pix_to_sky(x, y)).unwrap();
        let found = values(&points.dnde().unwrap());
        for (bin, value) in found.iter().enumerate() {
            if let Some(wanted) = pixel["values"]["dnde"]["values"][bin].as_f64() {
                assert!((value / wanted - 1.0).abs() < 1e-6, "pixel {x} {y}: {value} {wanted}");
                compared += 1;
            }
        }
    }
    println!("{compared} values of pixels compared");
}

#[test]
fn the_crab_with_and_without_its_reference_model() {
    let Some(path) = shared("data/spectra/flux-points/crab_hess_fp.fits") else { return };
    let Some(yaml) = shared("data/spectra/flux-points/crab_hess_fp_models.yaml") else { return };
    let (bare, warnings) = FluxPoints::read(&path, &FromTable::default()).unwrap();
    let exact =
        FluxPoints::read(&path, &FromTable { reference_model: Some(model(&yaml)), ..Default::default() }).unwrap().0;
    let table = Table::read(&path, Some("FLUXPOINTS")).unwrap();
    let close = |found: Vec<f64>, wanted: Vec<f64>, limit: f64| {
        for (a, b) in found.iter().zip(&wanted) {
            assert!((a / b - 1.0).abs() < limit, "{a} {b}");
        }
    };
    // Without a model the reference is a template of the table's dnde, which has its integrals, too.
    assert!(warnings.is_empty(), "{warnings:?}");
    close(bare.dnde_ref().unwrap(), table.floats("ref_dnde", "TeV-1 s-1 cm-2").unwrap(), 1e-10);
    close(bare.flux_ref().unwrap(), table.floats("ref_flux", "s-1 cm-2").unwrap(), 1e-3);
    let expected = bare.energy_ref_tev().unwrap().iter().map(|e| 3e-11 * e.powf(-2.5)).collect();
    close(exact.dnde_ref().unwrap(), expected, 1e-12);
    // 3 sigma limits, counts of one dataset, profiles.
    assert!((exact.n_sigma_ul() - 3.0).abs() < 1e-4);
    assert_eq!(exact.counts().unwrap().geom().axes()[0].name(), "dataset");
    let rise = exact.ts_scan().unwrap();
    let lowest = values(&rise)[11..].iter().copied().filter(|v| v.is_finite()).fold(f64::INFINITY, f64::min);
    assert!((-1e-6..2.0).contains(&lowest), "{lowest}");
    let limits = values(exact.recompute_ul(3.0).unwrap().require(FluxQuantity::NormUl).unwrap());
    let stored = values(&exact.norm_ul().unwrap());
    for (new, old) in limits.iter().zip(&stored).filter(|(a, b)| a.is_finite() && b.is_finite()) {
        assert!((new / old - 1.0).abs() < 0.1, "{new} {old}");
    }
    let some = exact.slice_by_energy(2.0, 10.0).unwrap();
    assert!(some.energy_ref_tev().unwrap().iter().all(|e| (2.0..10.0).contains(e)));
}

#[test]
fn the_light_curve_is_cut_and_put_together() {
    let Some(path) = shared("data/spectra/light-curve/pks2155_hess_lc.fits") else { return };
    let curve = read(&path);
    let axis = curve.time_axis().unwrap();
    assert_eq!((axis.nbin(), axis.time_reference().unwrap().mjdrefi), (34, 51910));
    // The example of Gammapy's documentation.
    let range = CoordSlice::range("2035.93 d".parse().unwrap(), "2036.05 d".parse().unwrap());
    let part = curve.slice_by_coord(&[("time", range)]).unwrap();
    let n = part.geom().axis("time").unwrap().nbin();
    assert!(n > 0 && n < 34, "{n}");
    let by_date = curve.slice_by_time(51910.0 + 2035.93, 51910.0 + 2036.05).unwrap();
    assert_same(&values(&by_date.norm().unwrap()), &values(&part.norm().unwrap()), "light curve");
    assert!(part.gti.as_ref().unwrap().intervals.len() < curve.gti.as_ref().unwrap().intervals.len());
    let single = CoordSlice::Value("2035.857 d".parse().unwrap());
    assert_eq!(curve.slice_by_coord(&[("time", single)]).unwrap().geom().axis("time").unwrap().nbin(), 1);
    let open = CoordSlice::Range { min: None, max: Some("2035.93 d".parse().unwrap()) };
    assert!(curve.slice_by_coord(&[("time", open)]).is_ok());
    let beyond = CoordSlice::range("1 d".parse().unwrap(), "2 d".parse().unwrap());
    let error = curve.slice_by_coord(&[("time", beyond)]).unwrap_err().to_string();
    assert!(error.contains("no bin lies between 1 and 2 d"), "{error}");

    let collection = FluxPointsCollection::from_light_curve(&curve, Some("PKS 2155-304")).unwrap();
    assert_eq!(collection.len(), 34);
    let again = collection.light_curve().unwrap();
    assert_same(&values(&again.norm().unwrap()), &values(&curve.norm().unwrap()), "light curve");
    assert_same(&values(again.counts().unwrap()), &values(curve.counts().unwrap()), "light curve");
    let (first, _) = collection.iter().next().unwrap();
    let (start, stop) = first.time_mjd.unwrap();
    assert!(collection.flux_points_at_time(0.5 * (start + stop)).is_some());
    assert!(collection.flux_points_at_time(start - 1.0).is_none());
    assert_eq!(collection.select_time(start, stop).len(), 1);
    assert_eq!(collection.lightcurve_at_energy(1.0).unwrap().geom().axis("time").unwrap().nbin(), 34);
    assert!(collection.lightcurve_at_energy(1e6).is_err());

    // As a series with start and size, read again.
    let series = curve.to_table(SedType::Flux, Some(TableFormat::BinnedTimeSeries)).unwrap();
    let back = FluxPoints::from_table(&series, &FromTable::default()).unwrap().0;
    assert_eq!(back.time_axis().unwrap().nbin(), 34);

    // Flux maps with a time axis go through FITS.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("curve.fits");
    curve.iter_by_axis("time").unwrap().for_each(|part| assert!(part.unwrap().geom().axes().len() == 1));
    FluxMaps::from(curve.clone()).write(&file, SedType::Likelihood, &WriteOptions::default()).unwrap();
    let maps = FluxMaps::read(&file).unwrap();
    assert_same(&values(&maps.norm().unwrap()), &values(&curve.norm().unwrap()), "light curve");
    assert_eq!(maps.geom().axis("time").unwrap().bounds(), curve.time_axis().unwrap().bounds());
    assert_eq!(maps.geom().axis("time").unwrap().time_reference(), curve.time_axis().unwrap().time_reference());
    assert_same(&values(&maps.ts_scan().unwrap()), &values(&curve.ts_scan().unwrap()), "light curve");
}

/// Flux along a line over the sky: an axis of distances beside energy.
#[test]
fn profiles_along_the_sky_are_tables_too() {
    let part = |n: f64| {
        let mut table = Table::new();
        table.push(Column::floats("e_min", "TeV".parse().unwrap(), vec![1.0, 10.0])).unwrap();
        table.push(Column::floats("e_max", "TeV".parse().unwrap(), vec![10.0, 100.0])).unwrap();
        table.push(Column::floats("flux", "cm-2 s-1".parse().unwrap(), vec![n * 1e-12, n * 1e-13])).unwrap();
        table.push(Column::floats("flux_err", "cm-2 s-1".parse().unwrap(), vec![1e-13, 1e-14])).unwrap();
        FluxMaps::from(FluxPoints::from_table(&table, &FromTable::default()).unwrap().0)
    };
    let edges = vec![-0.2, 0.0, 0.1, 0.4];
    let axis = MapAxis::from_edges("projected-distance", "deg".parse().unwrap(), edges, AxisInterp::Lin).unwrap();
    let stacked = FluxMaps::from_stack(&[part(1.0), part(2.0), part(3.0)], axis).unwrap();
    let profile = FluxPoints::new(stacked).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for end in ["fits", "ecsv"] {
        let path = folder.path().join(format!("profile.{end}"));
        profile.write(&path, SedType::Flux, Some(TableFormat::Profile), &WriteOptions::default()).unwrap();
        let again = read(&path);
        assert_same(&values(&again.flux().unwrap()), &[1e-12, 1e-13, 2e-12, 2e-13, 3e-12, 3e-13], end);
        let axis = again.geom().axis("projected-distance").unwrap();
        assert_eq!((axis.edges(), axis.unit().to_string().as_str()), (vec![-0.2, 0.0, 0.1, 0.4], "deg"));
    }
    let error = profile.to_table(SedType::Flux, Some(TableFormat::GadfSed)).unwrap_err().to_string();
    assert!(error.contains("projected-distance"), "{error}");
    assert!(profile.to_table(SedType::Flux, Some(TableFormat::LightCurve)).is_err());
}

#[test]
fn tables_of_other_tools_are_taken_with_names_and_units() {
    let Some(path) = shared("data/spectra/flux-points/flux_points_ctb_37b.txt") else { return };
    let mut table = Table::read(&path, None).unwrap();
    for (old, new) in
        [("E", "e_ref"), ("Differential_Flux", "dnde"), ("lower_error", "dnde_errn"), ("upper_error", "dnde_errp")]
    {
        table.rename(old, new).unwrap();
    }
    let error = FluxPoints::from_table(&table, &FromTable::default()).unwrap_err().to_string();
    assert!(error.contains("e_ref") && error.contains("no unit"), "{error}");
    table.set_unit("e_ref", "TeV").unwrap();
    for name in ["dnde", "dnde_errn", "dnde_errp"] {
        table.set_unit(name, "cm-2 s-1 TeV-1").unwrap();
    }
    let (points, _) = FluxPoints::from_table(&table, &FromTable::default()).unwrap();
    assert_eq!(values(&points.dnde().unwrap()).len(), 4);
    assert!((values(&points.dnde().unwrap())[0] / 6.97602e-12 - 1.0).abs() < 1e-12);
    // Energies without bins have no integral fluxes.
    assert!(!points.is_convertible_to_flux_sed_type());
    let error = points.to_table(SedType::Flux, None).unwrap_err().to_string();
    assert!(error.contains("no bins") && error.contains("flux"), "{error}");
}

#[test]
fn collections_are_flat_tables() {
    let mut table = Table::new();
    table.push(Column::floats("e_min", "TeV".parse().unwrap(), vec![1.0, 10.0])).unwrap();
    table.push(Column::floats("e_max", "TeV".parse().unwrap(), vec![10.0, 100.0])).unwrap();
    table.push(Column::floats("flux", "cm-2 s-1".parse().unwrap(), vec![1e-11, f64::NAN])).unwrap();
    table.push(Column::floats("flux_ul", "cm-2 s-1".parse().unwrap(), vec![2e-11, 3e-13])).unwrap();
    let points = FluxPoints::from_table(&table, &FromTable::default()).unwrap().0;
    let mut collection = FluxPointsCollection::new();
    assert!(collection.to_table(SedType::Flux).is_err());
    let crab = SkyPosition::icrs(83.63, 22.01);
    collection.push(FluxPointsKey::source("Crab \"nebula\"").at(crab).during(55000.0, 55001.0), points.clone());
    collection.push(FluxPointsKey::source("B").at(SkyPosition::icrs(1.0, 2.0)), points.clone());
    collection.push(FluxPointsKey::source("Crab \"nebula\"").at(crab).during(54000.0, 54001.0), points);
    let folder = tempfile::tempdir().unwrap();
    for end in ["ecsv", "fits", "fits.gz"] {
        let path = folder.path().join(format!("collection.{end}"));
        collection.write(&path, SedType::Flux, &WriteOptions::default()).unwrap();
        let again = FluxPointsCollection::read(&path, &FromTable::default()).unwrap().0;
        assert_eq!(again.len(), 3, "{end}");
        assert!(again.iter().map(|(k, _)| k).eq(collection.iter().map(|(k, _)| k)), "{end}");
        for ((_, a), (_, b)) in again.iter().zip(collection.iter()) {
            let (a, b) = (values(&a.flux_ul().unwrap()), values(&b.flux_ul().unwrap()));
            assert!(a.iter().zip(&b).all(|(x, y)| (x / y - 1.0).abs() < 1e-14), "{a:?} {b:?}");
        }
    }
    assert_eq!(collection.select_source("B").len(), 1);
    assert_eq!(collection.select_region(SkyPosition::icrs(83.6, 22.0), 0.1).len(), 2);
    let sorted: Vec<f64> = collection.sorted().iter().filter_map(|(k, _)| k.time_mjd.map(|t| t.0)).collect();
    assert_eq!(sorted, [54000.0, 55000.0]);
    let curve = collection.select_source("Crab \"nebula\"").light_curve().unwrap();
    assert_eq!(curve.geom().axis("time").unwrap().bounds(), [(54000.0, 54001.0), (55000.0, 55001.0)]);
    assert!(collection.light_curve().is_err());
}

#[test]
fn wrong_tables_are_refused_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let good = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: e_min, unit: TeV, datatype: float64}\n\
                # - {name: e_max, unit: TeV, datatype: float64}\n# - {name: flux, unit: cm-2 s-1, datatype: float64}\n\
                # meta: !!omap\n# - {SED_TYPE: flux}\ne_min e_max flux\n1.0 10.0 1e-11\n10.0 100.0 1e-13\n";
    let path = folder.path().join("points.ecsv");
    let result = |text: &str| {
        std::fs::write(&path, text).unwrap();
        FluxPoints::read(&path, &FromTable::default())
    };
    assert_eq!(values(&result(good).unwrap().0.flux().unwrap()).len(), 2);
    for (from, to, wanted) in [
        ("SED_TYPE: flux", "SED_TYPE: fluxes", "'fluxes' is not one of"),
        ("SED_TYPE: flux", "SED_TYPE: dnde", "dnde"),
        ("unit: TeV", "unit: cm", "the unit is 'cm'"),
        ("{name: flux, unit: cm-2 s-1,", "{name: flux, unit: cm-2,", "is in 'cm-2'"),
        ("1.0 10.0 1e-11", "nan 10.0 1e-11", "is not an energy"),
        ("1.0 10.0 1e-11", "20.0 10.0 1e-11", "is not a bin"),
        ("1.0 10.0 1e-11\n", "", ""),
        ("10.0 100.0 1e-13", "10.0 100.0", "line 11"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good);
        match result(&text) {
            Err(error) => {
                let error = error.to_string();
                assert!(
                    !wanted.is_empty() && error.contains(wanted) && error.contains("points.ecsv"),
                    "{from} {error}"
                );
            }
            Ok(_) => assert!(wanted.is_empty(), "{to} is taken"),
        }
    }
    assert!(result("").is_err() && result("# %ECSV 1.0\n").is_err() && result("\u{0}\u{1}").is_err());
    // Half a FITS file.
    let whole = folder.path().join("points.fits");
    result(good).unwrap().0.write(&whole, SedType::Flux, None, &WriteOptions::default()).unwrap();
    let bytes = std::fs::read(&whole).unwrap();
    for length in [1000, 2880, 5000, bytes.len() - 3000] {
        std::fs::write(&whole, &bytes[..length]).unwrap();
        let error = FluxPoints::read(&whole, &FromTable::default()).unwrap_err().to_string();
        assert!(error.contains("points.fits"), "{length}: {error}");
    }
}
