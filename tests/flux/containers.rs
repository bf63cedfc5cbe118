//! Flux maps keep what they know when they are made of maps, written and read: where profiles count from, thresholds of
//! limits, good times, names of files.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
#![cfg(feature = "fits-system")]

use std::sync::Arc;

use crate::support::field::{cpu, dataset, image, source};
use ndarray::Array3;
use pevatron::estimators::{Selection, TsMapEstimator};
use pevatron::flux::{FluxMaps, FluxMeta, FluxQuantity, ScanZero, SedType};
use pevatron::io::fits::WriteOptions;
use pevatron::maps::{Geom, Map, MapAxis};
use pevatron::units::Angle;

fn estimated(selection: Selection) -> FluxMaps {
    let geom = image(12, 10);
    let data = dataset(&geom, &[source("a", &geom, (5.0, 4.0), 1.0)], 1.0, 7);
    let estimator = TsMapEstimator::new().kernel_width(Angle::deg(0.5)).selection_optional(selection);
    estimator.run(&[data], &cpu(2)).unwrap()
}

fn owned(maps: &FluxMaps, sed: SedType) -> Vec<(String, Map)> {
    maps.to_maps(sed).unwrap().into_iter().map(|(name, map)| (name, map.into_owned())).collect()
}

fn values(map: &Map) -> Vec<f64> {
    map.data().iter().collect()
}

fn lowest(map: &Map) -> f64 {
    values(map).into_iter().filter(|v| v.is_finite()).fold(f64::INFINITY, f64::min)
}

/// Profiles count from stat_null or from nothing: either way ts_scan is 0 at the best fit, and limits can be made anew.
#[test]
fn profiles_keep_their_zero() {
    let maps = estimated(Selection::ALL);
    let expected = values(&maps.ts_scan().unwrap());
    let mut absolute = maps.clone();
    let (scan, null) = (maps.stat_scan().unwrap(), maps.stat_null().unwrap().to_cube_f64());
    let mut cube = scan.to_cube_f64();
    let bins = null.dim().0;
    for (plane, mut values) in cube.outer_iter_mut().enumerate() {
        values += &null.index_axis(ndarray::Axis(0), plane % bins);
    }
    let map = Map::from_cube(scan.geom().clone(), Default::default(), cube).unwrap();
    absolute.insert(FluxQuantity::StatScan, map).unwrap();
    absolute.meta.scan_zero = ScanZero::Absolute;
    for (source, zero) in [(&maps, ScanZero::StatNull), (&absolute, ScanZero::Absolute)] {
        let reference = source.reference_model().clone();
        // Meta data that do not know it, none at all, and a file.
        for meta in [None, Some(FluxMeta { n_sigma_ul: 3.0, ..FluxMeta::default() })] {
            let made = FluxMaps::from_maps(
                SedType::Dnde,
                owned(source, SedType::Dnde),
                reference.clone(),
                source.gti.clone(),
                meta.clone(),
            )
            .unwrap();
            assert_eq!(made.meta.scan_zero, zero);
            assert_eq!(made.meta.n_sigma_ul, meta.map_or(2.0, |m| m.n_sigma_ul));
            assert_eq!(made.meta.sed_type_init, SedType::Dnde);
            assert_eq!(made.gti, source.gti);
            let found = values(&made.ts_scan().unwrap());
            let same = |(a, b): (&f64, &f64)| (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-6 * b.abs().max(1.0);
            assert!(
                found.iter().zip(&expected).all(same),
                "{zero:?}: {} for {}",
                lowest(&made.ts_scan().unwrap()),
                lowest(&maps.ts_scan().unwrap())
            );
            let points = made.get_flux_points(None).unwrap();
            let limit = values(&points.recompute_ul(2.0).unwrap().norm_ul().unwrap())[0];
            let wanted = values(&source.get_flux_points(None).unwrap().norm_ul().unwrap())[0];
            assert!((limit / wanted - 1.0).abs() < 0.02, "{limit} for {wanted}");
        }
        let read =
            FluxMaps::from_bytes(source.to_bytes(SedType::Likelihood, &WriteOptions::default()).unwrap()).unwrap();
        assert_eq!(read.meta.scan_zero, zero);
    }
}

/// Without a type, that of the required map which is there; files and maps in the type that they came in.
#[test]
fn sed_types_have_defaults() {
    let maps = estimated(Selection { errn_errp: true, ul: true, stat_scan: false, sensitivity: false });
    let reference = maps.reference_model().clone();
    for sed in SedType::ALL {
        let made = FluxMaps::from_maps(None, owned(&maps, sed), reference.clone(), None, None).unwrap();
        assert_eq!(made.meta.sed_type_init, sed);
        assert_eq!(made.to_maps(None).unwrap()[0].0, sed.stem());
        let bytes = made.to_bytes(None, &WriteOptions::default()).unwrap();
        assert_eq!(FluxMaps::from_bytes(bytes).unwrap().meta.sed_type_init, sed);
        let (a, b) = (values(&made.norm().unwrap()), values(&maps.norm().unwrap()));
        assert!(a.iter().zip(&b).all(|(a, b)| (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-6 * b.abs()));
    }
    let error = FluxMaps::from_maps(None, Vec::new(), None, None, None).unwrap_err().to_string();
    assert!(error.contains("norm"), "{error}");
}

/// The four pixels in the middle of even sides: the lower left one, whether the centre is asked for or given.
#[test]
fn the_middle_of_even_sides_is_the_lower_left_pixel() {
    for (nx, ny, x, y) in [(4, 6, 1, 2), (5, 6, 2, 2), (4, 5, 1, 2), (5, 5, 2, 2), (12, 10, 5, 4), (1, 2, 0, 0)] {
        let axis = MapAxis::energy_bounds(1.0, 10.0, 1, "energy").unwrap();
        let geom = Arc::new(Geom::Wcs(image(nx, ny).with_axes(vec![axis])));
        let numbers = Array3::from_shape_fn((1, ny, nx), |(_, y, x)| (100 * y + x) as f64);
        let mut maps = FluxMaps::new(geom.clone(), FluxMaps::default_reference_model());
        maps.insert(FluxQuantity::Norm, Map::from_cube(geom, Default::default(), numbers).unwrap()).unwrap();
        let wanted = (100 * y + x) as f64;
        let center = image(nx, ny).center().unwrap();
        assert_eq!(values(&maps.get_flux_points(None).unwrap().norm().unwrap()), [wanted], "{nx} x {ny}");
        assert_eq!(values(&maps.get_flux_points(Some(center)).unwrap().norm().unwrap()), [wanted], "{nx} x {ny}");
        // Every pixel's own centre is its own.
        for (px, py) in [(0, 0), (nx - 1, ny - 1), (nx - 1, 0)] {
            let place = image(nx, ny).pix_to_sky(px as f64, py as f64);
            assert_eq!(values(&maps.get_flux_points(place).unwrap().norm().unwrap()), [(100 * py + px) as f64]);
        }
    }
}

/// The threshold acts with limits and without, stays when it is written, and what was derived follows it after reading.
#[test]
fn thresholds_of_limits_act_and_are_not_frozen() {
    let flags = |maps: &FluxMaps, threshold: f64| -> Vec<f64> {
        values(&maps.sqrt_ts().unwrap()).iter().map(|v| f64::from(u8::from(*v < threshold))).collect()
    };
    for ul in [true, false] {
        let maps = estimated(Selection { errn_errp: true, ul, stat_scan: false, sensitivity: false });
        let read =
            |maps: &FluxMaps| FluxMaps::from_bytes(maps.to_bytes(None, &WriteOptions::default()).unwrap()).unwrap();
        let mut changed = maps.clone();
        changed.set_sqrt_ts_threshold_ul(4.0).unwrap();
        assert_eq!(values(&changed.is_ul().unwrap()), flags(&maps, 4.0), "limits {ul}");
        let again = read(&changed);
        assert_eq!(values(&again.is_ul().unwrap()), flags(&maps, 4.0), "limits {ul}, read");
        assert_eq!(again.sqrt_ts_threshold_ul(), 4.0);
        // Never set: derived before and after, so that it follows what is changed then.
        let mut plain = read(&maps);
        assert_eq!(values(&plain.is_ul().unwrap()), values(&maps.is_ul().unwrap()), "limits {ul}, never set");
        plain.meta.sqrt_ts_threshold_ul = 1.0;
        let wanted = if ul { flags(&maps, 1.0) } else { values(&maps.is_ul().unwrap()) };
        assert_eq!(values(&plain.is_ul().unwrap()), wanted, "limits {ul}, changed after reading");
    }
}

#[test]
fn excess_is_another_name() {
    let maps = estimated(Selection { errn_errp: false, ul: false, stat_scan: false, sensitivity: false });
    assert_eq!("excess".parse::<FluxQuantity>().unwrap(), FluxQuantity::NpredExcess);
    assert_eq!(values(maps.excess().unwrap()), values(maps.npred_excess().unwrap()));
}

/// One table of bands for all maps, a model file of another name, in another folder.
#[test]
fn bands_and_models_have_the_names_that_are_asked_for() {
    let maps = estimated(Selection::ALL);
    let bytes = maps.to_bytes_with_bands(SedType::Likelihood, "EBANDS", &WriteOptions::default()).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(text.matches("EXTNAME = 'EBANDS").count(), 1);
    assert_eq!(text.matches("EXTNAME = 'NORM_BANDS").count(), 0);
    let read = FluxMaps::from_bytes(bytes).unwrap();
    for quantity in maps.available_quantities() {
        let (a, b) = (values(maps.get(quantity).unwrap()), values(read.get(quantity).unwrap()));
        assert!(a.iter().zip(&b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())), "{}", quantity.name());
    }
    assert!(maps.to_bytes_with_bands(None, "norm", &WriteOptions::default()).is_err());

    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    let file = folder.path().join("flux.fits");
    for model in ["other.yaml", "models/one.yaml"] {
        let model = folder.path().join(model);
        let options = WriteOptions { overwrite: true, ..WriteOptions::default() };
        maps.write_with_model(&file, &model, None, &options).unwrap();
        assert!(model.is_file() && !folder.path().join("flux_model.yaml").exists());
        let read = FluxMaps::read(&file).unwrap();
        assert_eq!(read.reference_model().spectral.tag(), maps.reference_model().spectral.tag());
    }
    assert!(maps.write_with_model(&file, &file, None, &WriteOptions::default()).is_err());
}
