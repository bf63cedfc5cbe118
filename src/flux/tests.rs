//! Conversions against Gammapy 2.1, and what errors say.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::Array3;
use proptest::prelude::*;

use super::*;
use crate::maps::{AxisInterp, Frame, Geom, Map, MapAxis, RegionGeom, SkyPosition, WcsGeom};
use crate::models::SkyModel;
use crate::models::spectral::{LogParabolaSpectralModel, PowerLawNormSpectralModel, PowerLawSpectralModel};
use crate::units::Unit;

fn axis(unit: &str, edges: &[f64]) -> MapAxis {
    MapAxis::from_edges("energy", unit.parse().unwrap(), edges.to_vec(), AxisInterp::Log).unwrap()
}

fn geom(nx: usize, axes: Vec<MapAxis>) -> Arc<Geom> {
    let center = SkyPosition { lon_deg: 0.0, lat_deg: 0.0, frame: Frame::Galactic };
    Arc::new(Geom::Wcs(WcsGeom::create(center, nx, 1, (0.1, 0.1), "CAR", axes).unwrap()))
}

fn map(geom: &Arc<Geom>, unit: &str, values: &[f64]) -> Map {
    let shape = geom.data_shape();
    let planes = shape[..shape.len() - 2].iter().product();
    let cube = Array3::from_shape_vec((planes, shape[shape.len() - 2], shape[shape.len() - 1]), values.to_vec());
    Map::from_cube(geom.clone(), unit.parse().unwrap(), cube.unwrap()).unwrap()
}

fn log_parabola() -> SkyModel {
    SkyModel::new("ref", Arc::new(LogParabolaSpectralModel::new(3e-12, 2.0, 2.3, 0.12)), None)
}

const EDGES: [f64; 3] = [0.7, 5.916079783099614, 49.99999999999999];

/// One pixel, two energies, all norm quantities.
fn one_pixel() -> FluxMaps {
    let geom = geom(1, vec![axis("TeV", &EDGES)]);
    let mut flux = FluxMaps::new(geom.clone(), log_parabola());
    for (quantity, values) in [
        (FluxQuantity::Norm, [0.9096781287766671, 0.7225922086545371]),
        (FluxQuantity::NormErr, [0.11133403849726657, 0.3036533947023856]),
        (FluxQuantity::NormErrn, [0.1070320251695227, 0.2637833116683097]),
        (FluxQuantity::NormErrp, [0.11572067886354942, 0.34633167604556925]),
        (FluxQuantity::NormUl, [1.1500542472444089, 1.5053717655975225]),
        (FluxQuantity::NormSensitivity, [0.15476658726362702, 0.5829726174510126]),
        (FluxQuantity::Ts, [325.83851858653486, 33.09892004950259]),
        (FluxQuantity::Npred, [72.85104445920003, 5.998081677081159]),
        (FluxQuantity::NpredExcess, [69.80290740535271, 5.827615383616744]),
        (FluxQuantity::Success, [1.0, 1.0]),
    ] {
        flux.insert(quantity, map(&geom, "", &values)).unwrap();
    }
    flux
}

fn values(map: &Map) -> Vec<f64> {
    map.data().iter().collect()
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], rel: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        let close = a == b || (a - b).abs() <= rel * b.abs() || (a.is_nan() && b.is_nan());
        assert!(close, "{found:?}, expected {expected:?}");
    }
}

/// Numbers of Gammapy 2.1 for the reference model LogParabola(3e-12 cm-2 s-1 TeV-1, 2 TeV, 2.3, 0.12):
/// `flux_maps.dnde_ref` and so on, `flux_maps.dnde` of a pixel and so on.
/// All maps of a SED type as copies.
fn owned(flux: &FluxMaps, sed: SedType) -> Vec<(String, Map)> {
    flux.to_maps(sed).unwrap().into_iter().map(|(name, map)| (name, map.into_owned())).collect()
}

#[test]
fn conversions_are_gammapys() {
    let flux = one_pixel();
    assert_close(&flux.dnde_ref().unwrap(), &[2.8825223349316485e-12, 1.220537286826037e-14], 1e-12);
    assert_close(&flux.flux_ref().unwrap(), &[1.6070125961172472e-11, 7.393979688100817e-13], 1e-12);
    assert_close(&flux.eflux_ref().unwrap(), &[2.477803681086164e-11, 8.301556660707049e-12], 1e-12);
    assert_close(&flux.e2dnde_ref().unwrap(), &[1.193726247701555e-11, 3.6103979835553838e-12], 1e-12);
    let at = |m: crate::Result<Map>| values(&m.unwrap());
    assert_close(&at(flux.dnde()), &[2.622167523797571e-12, 8.819507338328424e-15], 1e-12);
    assert_close(&at(flux.flux_err()), &[1.789152022417099e-12, 2.2452070326522995e-13], 1e-12);
    assert_close(&at(flux.eflux_ul()), &[2.8496086472709736e-11, 1.2496929007536443e-11], 1e-12);
    assert_close(&at(flux.e2dnde_errn()), &[1.2776693778951273e-12, 9.523627365428268e-13], 1e-12);
    assert_close(&at(flux.sqrt_ts()), &[18.050997717204854, 5.753166089163652], 1e-12);
    assert_close(&at(flux.npred_excess_err()), &[8.543065216638423, 2.448926480331153], 1e-12);
    assert_close(&at(flux.npred_excess_ul()), &[88.24784018880456, 12.140634169849678], 1e-12);
    assert_close(&at(flux.npred_background()), &[3.048137053847313, 0.170466293464415], 1e-12);
    assert_eq!(at(flux.is_ul()), vec![0.0, 0.0]);
    assert_eq!(flux.dnde().unwrap().unit().to_string(), "TeV-1 s-1 cm-2");
    assert_close(&flux.energy_ref_tev().unwrap(), &[2.035007579388767, 17.198953141251955], 1e-12);
    assert_eq!((flux.energy_min_tev().unwrap()[1], flux.energy_max_tev().unwrap()[0]), (EDGES[1], EDGES[1]));
    assert!(flux.has_ul() && flux.has_any_ts() && flux.has_success() && !flux.has_stat_profiles());
}

/// All pixels and types of Gammapy's own file of conversions.
#[test]
fn conversions_of_the_golden_file() {
    let folder = std::env::var("PEVATRON_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_string());
    let path = PathBuf::from(folder).join("golden/fluxmaps/conversions.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: no {}", path.display());
        return;
    };
    let text = text.replace("NaN", "\"nan\"").replace("Infinity", "\"inf\"");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let pixels = json["pixels"].as_array().unwrap();
    let column = |name: &str| -> Vec<f64> {
        let number = |v: &serde_json::Value| v.as_f64().unwrap_or_else(|| v.as_str().unwrap().parse().unwrap());
        (0..2).flat_map(|e| pixels.iter().map(move |p| number(&p["values"][name]["values"][e]))).collect()
    };
    let geom = geom(pixels.len(), vec![axis("TeV", &EDGES)]);
    let mut flux = FluxMaps::new(geom.clone(), log_parabola());
    for quantity in FluxQuantity::ALL {
        let stored = !matches!(quantity, FluxQuantity::SqrtTs | FluxQuantity::IsUl);
        if stored && !pixels[0]["values"][quantity.name()].is_null() {
            flux.insert(*quantity, map(&geom, "", &column(quantity.name()))).unwrap();
        }
    }
    let mut compared = 0;
    for sed in SedType::ALL {
        let maps = flux.to_maps(sed).unwrap();
        for (name, found) in &maps {
            assert_close(&values(found), &column(name), 1e-11);
            let unit: Unit = pixels[0]["values"][name]["unit"].as_str().unwrap().parse().unwrap();
            assert_eq!(found.unit(), &unit, "{name}");
            compared += 1;
        }
        let back = FluxMaps::from_maps(sed, owned(&flux, sed), log_parabola(), None, None).unwrap();
        for quantity in flux.available_quantities() {
            assert_close(&values(back.get(quantity).unwrap()), &values(flux.get(quantity).unwrap()), 1e-12);
        }
    }
    assert_eq!(compared, 5 * 15);
    for name in ["npred_excess_err", "npred_excess_ul"] {
        let found = if name.ends_with("ul") { flux.npred_excess_ul() } else { flux.npred_excess_err() };
        assert_close(&values(&found.unwrap()), &column(name), 1e-11);
    }
}

#[test]
fn maps_are_in_gammapys_order() {
    let flux = one_pixel();
    let names = |sed| flux.to_maps(sed).unwrap().into_iter().map(|m| m.0).collect::<Vec<_>>().join(" ");
    assert_eq!(
        names(SedType::Likelihood),
        "norm norm_err norm_errn norm_errp norm_ul norm_sensitivity ts sqrt_ts npred npred_excess is_ul success"
    );
    assert_eq!(
        names(SedType::Dnde),
        "dnde dnde_err dnde_errp dnde_errn dnde_ul dnde_sensitivity ts sqrt_ts npred npred_excess is_ul success"
    );
    assert_eq!(SedType::Flux.quantity("flux_errn"), Some(FluxQuantity::NormErrn));
    assert_eq!(SedType::Flux.quantity("norm_errn"), None);
    assert_eq!(SedType::Flux.quantity("flux_what"), None);
    assert_eq!(SedType::Dnde.quantity("dnde_scan_values"), Some(FluxQuantity::DndeScanValues));
}

#[test]
fn failed_fits_and_signs() {
    let geom = geom(4, vec![axis("TeV", &[1.0, 10.0])]);
    let mut flux = FluxMaps::new(geom.clone(), FluxMaps::default_reference_model());
    let put = |flux: &mut FluxMaps, q, v: &[f64]| flux.insert(q, map(&geom, "", v)).unwrap();
    put(&mut flux, FluxQuantity::Norm, &[1.0, -1.0, 2.0, f64::NAN]);
    put(&mut flux, FluxQuantity::NormErr, &[0.1; 4]);
    put(&mut flux, FluxQuantity::NormErrn, &[0.1; 4]);
    put(&mut flux, FluxQuantity::Ts, &[9.0, 4.0, -1.0, 4.0]);
    put(&mut flux, FluxQuantity::Success, &[0.0, 1.0, 1.0, f64::NAN]);
    let nan = f64::NAN;
    assert_close(&values(&flux.norm().unwrap()), &[nan, -1.0, 2.0, nan], 0.0);
    assert_close(&values(&flux.norm_err().unwrap()), &[nan, 0.1, 0.1, 0.1], 0.0);
    assert_close(&values(&flux.norm_errn().unwrap()), &[0.1; 4], 0.0);
    assert_close(&values(&flux.sqrt_ts().unwrap()), &[-3.0, -2.0, 0.0, -2.0], 0.0);
    // Without limits, what is not a number is a limit.
    assert_eq!(values(&flux.is_ul().unwrap()), vec![1.0, 0.0, 0.0, 1.0]);
    flux.set_filter_success_nan(false);
    assert_eq!(values(&flux.norm().unwrap())[0], 1.0);
    assert_eq!(values(&flux.sqrt_ts().unwrap())[0], 3.0);
    put(&mut flux, FluxQuantity::NormUl, &[2.0, nan, 2.0, 2.0]);
    assert_eq!(values(&flux.is_ul().unwrap()), vec![0.0, 1.0, 1.0, 1.0]);
    put(&mut flux, FluxQuantity::IsUl, &[0.0; 4]);
    flux.set_sqrt_ts_threshold_ul(4.0).unwrap();
    assert_eq!(values(&flux.is_ul().unwrap()), vec![1.0; 4]);
    put(&mut flux, FluxQuantity::SqrtTs, &[5.0; 4]);
    assert_eq!(values(&flux.sqrt_ts().unwrap()), vec![5.0; 4]);
}

#[test]
fn profiles_have_one_more_axis() {
    let energy = axis("TeV", &EDGES);
    let norms = MapAxis::from_nodes("norm", Unit::default(), vec![0.0, 1.0, 2.0], AxisInterp::Lin).unwrap();
    let common = geom(1, vec![energy.clone()]);
    let mut flux = one_pixel();
    for axes in [vec![norms.clone(), energy.clone()], vec![energy, norms]] {
        let first_is_norm = axes[0].name() == "norm";
        let wide = geom(1, axes);
        let scan = if first_is_norm { [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] } else { [1.0, 4.0, 2.0, 5.0, 3.0, 6.0] };
        flux.insert(FluxQuantity::StatScan, map(&wide, "", &scan)).unwrap();
        flux.insert(FluxQuantity::Ts, map(&common, "", &[10.0, 20.0])).unwrap();
        let found = values(&flux.ts_scan().unwrap());
        let expected =
            if first_is_norm { [11.0, 12.0, 13.0, 24.0, 25.0, 26.0] } else { [11.0, 24.0, 12.0, 25.0, 13.0, 26.0] };
        assert_eq!(found, expected);
        assert!(flux.has_stat_profiles());
        let error = flux.insert(FluxQuantity::Ts, map(&wide, "", &scan)).unwrap_err().to_string();
        assert!(error.contains("ts") && error.contains("norm 3"), "{error}");
    }
}

#[test]
fn parts_keep_their_values() {
    let mut flux = one_pixel();
    flux.meta.n_sigma_ul = 3.0;
    let norms = MapAxis::from_nodes("norm", Unit::default(), vec![0.0, 1.0], AxisInterp::Lin).unwrap();
    let wide = geom(1, vec![norms, axis("TeV", &EDGES)]);
    flux.insert(FluxQuantity::StatScan, map(&wide, "", &[1.0, 2.0, 3.0, 4.0])).unwrap();
    let high = flux.slice_by_energy(10.0, 20.0).unwrap();
    assert_eq!(values(high.get(FluxQuantity::Norm).unwrap()), vec![0.7225922086545371]);
    assert_eq!(values(high.get(FluxQuantity::StatScan).unwrap()), vec![3.0, 4.0]);
    assert_eq!((high.meta.n_sigma_ul, high.energy_min_tev().unwrap()), (3.0, vec![EDGES[1]]));
    assert!(flux.slice_by_energy(20.0, 30.0).unwrap_err().to_string().contains("17.19"));
    assert!(flux.slice_energy_bins(1..3).is_err());

    let center = SkyPosition { lon_deg: 0.01, lat_deg: 0.0, frame: Frame::Galactic };
    let points = flux.at_position(center).unwrap();
    assert_close(&values(&points.dnde().unwrap()), &values(&flux.dnde().unwrap()), 0.0);
    assert_eq!(values(points.get(FluxQuantity::StatScan).unwrap()), vec![1.0, 2.0, 3.0, 4.0]);
    assert!(points.at_position(center).is_ok());
    let far = SkyPosition { lon_deg: 0.2, ..center };
    assert!(flux.at_position(far).unwrap_err().to_string().contains("outside"));
}

#[test]
fn other_geometries_are_refused() {
    let mut flux = one_pixel();
    for (other, expected) in [
        (geom(2, vec![axis("TeV", &EDGES)]), "2 x 1 pixels"),
        (geom(1, vec![axis("TeV", &[0.7, 5.0, 50.0])]), "or not at the same place"),
        (geom(1, vec![]), "1 x 1 pixels where"),
        (Arc::new(Geom::Region(RegionGeom::new(None, None, vec![axis("TeV", &EDGES)]))), "a region"),
    ] {
        let error = flux.insert(FluxQuantity::Ts, Map::zeros(other, Unit::default())).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // The same edges in another unit are the same axis.
    let kev = EDGES.map(|e| e * 1e9);
    flux.insert(FluxQuantity::Ts, Map::zeros(geom(1, vec![axis("keV", &kev)]), Unit::default())).unwrap();
}

#[test]
fn missing_and_impossible_conversions_are_named() {
    let mut flux = one_pixel();
    assert!(flux.norm_ul().is_ok() && flux.require(FluxQuantity::Counts).is_err());
    flux = FluxMaps::new(flux.geom().clone(), log_parabola());
    assert!(flux.dnde().unwrap_err().to_string().contains("norm"));
    assert!(flux.to_maps(SedType::Dnde).unwrap().is_empty());

    let maps = vec![("flux".to_string(), Map::zeros(flux.geom().clone(), "cm-2 s-1".parse().unwrap()))];
    let error = FluxMaps::from_maps(SedType::Dnde, maps.clone(), log_parabola(), None, None).unwrap_err().to_string();
    assert!(error.contains("dnde") && error.contains("[flux]"), "{error}");
    let wrong = vec![("dnde".to_string(), maps[0].1.clone())];
    let error = FluxMaps::from_maps(SedType::Dnde, wrong, log_parabola(), None, None).unwrap_err().to_string();
    assert!(error.contains("cm-2 s-1") && error.contains("TeV-1"), "{error}");

    let norm = SkyModel::new("diffuse", Arc::new(PowerLawNormSpectralModel::default()), None);
    let mut flux = one_pixel().with_reference_model(norm);
    let error = flux.flux().unwrap_err();
    assert!(error.to_string().contains("diffuse") && error.help().unwrap().contains("likelihood"));
    assert!(flux.to_maps(SedType::Likelihood).is_ok());
    flux = flux.with_reference_model(SkyModel::new("x", Arc::new(PowerLawSpectralModel::new(2.0, 1e308, 1e9)), None));
    assert!(flux.flux().unwrap_err().to_string().contains("inf"));

    let nodes = MapAxis::from_nodes("energy", "TeV".parse().unwrap(), vec![1.0, 10.0], AxisInterp::Log).unwrap();
    let points = geom(1, vec![nodes]);
    let make = |name: &str, sed: SedType| {
        let map = Map::zeros(points.clone(), sed.unit().parse().unwrap());
        FluxMaps::from_maps(sed, vec![(name.to_string(), map)], log_parabola(), None, None)
    };
    assert!(make("flux", SedType::Flux).unwrap_err().to_string().contains("no bins"));
    let flux = make("dnde", SedType::Dnde).unwrap();
    assert!(!flux.is_convertible_to_flux_sed_type());
    assert!(flux.e2dnde().is_ok() && flux.flux().is_err());
}

proptest! {
    /// Every type to norms and to every other type and back.
    #[test]
    fn conversions_are_inverse(
        index in 0.5..4.0f64, reference in 0.1..10.0f64, values_in in prop::collection::vec(-10.0..10.0f64, 6),
        unit in prop::sample::select(vec![("TeV", 1.0), ("GeV", 1e3), ("keV", 1e9)]),
    ) {
        let edges = [0.5, 1.0, 7.0].map(|e| e * unit.1);
        let geom = geom(3, vec![axis(unit.0, &edges)]);
        let model = || SkyModel::new("r", Arc::new(PowerLawSpectralModel::new(index, 1e-12, reference)), None);
        let mut flux = FluxMaps::new(geom.clone(), model());
        flux.insert(FluxQuantity::Norm, map(&geom, "", &values_in)).unwrap();
        flux.insert(FluxQuantity::NormUl, map(&geom, "", &values_in)).unwrap();
        for first in SedType::ALL {
            let there = FluxMaps::from_maps(first, owned(&flux, first), model(), None, None).unwrap();
            for second in SedType::ALL {
                let back = FluxMaps::from_maps(second, owned(&there, second), model(), None, None).unwrap();
                assert_close(&values(&back.norm_ul().unwrap()), &values_in, 1e-13);
                assert_eq!(back.meta.sed_type_init, second);
            }
        }
    }
}
