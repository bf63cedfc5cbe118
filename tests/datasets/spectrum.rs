//! Datasets of regions: what is summed of a map, what a PSF leaves in a region, files, fits; and the same by Gammapy.
#![cfg(feature = "fits-system")]
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use crate::support;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ndarray::Array3;
use pevatron::compute::Backend;
use pevatron::control::Control;
use pevatron::datasets::{Dataset, Datasets, IrfAxes, MapDataset, MapDatasetOnOff, SpectrumDataset};
use pevatron::fit::Fit;
use pevatron::io::WriteOptions;
use pevatron::irf::PsfMap;
use pevatron::maps::{AxisInterp, Geom, Map, MapAxis, Mask, RegionGeom, SkyPosition, SkyRegion};
use pevatron::models::Models;
use serde_json::json;

fn models(spatial: &str) -> Models {
    let yaml = format!(
        "
components:
-   name: source
    type: SkyModel
    spectral:
        type: PowerLawSpectralModel
        parameters:
        -   {{name: index, value: 2.4}}
        -   {{name: amplitude, value: 3.5e-11, unit: cm-2 s-1 TeV-1}}
        -   {{name: reference, value: 1.0, unit: TeV, frozen: true}}
{spatial}"
    );
    Models::from_yaml(&yaml, &|_| unreachable!()).unwrap()
}

fn gaussian(center: SkyPosition, sigma: f64) -> String {
    let (lon, lat, frame) = (center.lon_deg, center.lat_deg, center.frame.name());
    format!(
        "    spatial:
        type: GaussianSpatialModel
        frame: {frame}
        parameters:
        -   {{name: lon_0, value: {lon}, unit: deg, frozen: true}}
        -   {{name: lat_0, value: {lat}, unit: deg, frozen: true}}
        -   {{name: sigma, value: {sigma}, unit: deg, frozen: true}}
"
    )
}

fn point(center: SkyPosition) -> String {
    let (lon, lat, frame) = (center.lon_deg, center.lat_deg, center.frame.name());
    format!(
        "    spatial:
        type: PointSpatialModel
        frame: {frame}
        parameters:
        -   {{name: lon_0, value: {lon}, unit: deg, frozen: true}}
        -   {{name: lat_0, value: {lat}, unit: deg, frozen: true}}
"
    )
}

fn shifted(center: SkyPosition, lon: f64, lat: f64) -> SkyPosition {
    SkyPosition { lon_deg: center.lon_deg + lon, lat_deg: center.lat_deg + lat, frame: center.frame }
}

/// Two observations of the Crab nebula, or simulated ones, and a region in both.
fn observations() -> ([MapDataset; 2], SkyRegion) {
    let shared = std::env::var_os("PEVATRON_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let files = ["hess-crab-23523.fits.gz", "hess-crab-23526.fits.gz"].map(|f| shared.join("data").join(f));
    if files.iter().all(|f| f.exists()) {
        let region = SkyRegion::circle(SkyPosition::icrs(83.63, 22.01), 0.13).unwrap();
        return (files.map(|f| MapDataset::read(f).unwrap()), region);
    }
    println!("SKIPPED: no observations in {}; simulated ones instead", shared.display());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let both = ["sim-tan-1.fits.gz", "sim-tan-2.fits.gz"].map(|f| MapDataset::read(folder.join(f)).unwrap());
    // Their masks leave out two opposite corners; what lies around this pixel is inside of both at all energies.
    let center = both[0].wcs_geom().unwrap().pix_to_sky(5.0, 5.0).unwrap();
    (both, SkyRegion::circle(center, 0.15).unwrap())
}

fn on_off(dataset: &MapDataset, name: &str, factor: f64) -> MapDatasetOnOff {
    let background = dataset.background.as_ref().unwrap();
    let cube = background.to_cube_f64();
    let map = |f: &dyn Fn((usize, usize, usize)) -> f64| {
        let values = Array3::from_shape_fn(cube.dim(), f);
        Map::from_cube(Arc::clone(background.geom()), Default::default(), values).unwrap()
    };
    let off = map(&|at| (factor * cube[at] + 0.3 * ((at.1 + at.2) % 5) as f64).round());
    let acceptance = map(&|(e, y, x)| 1.0 + 0.1 * e as f64 + 0.01 * (y + x) as f64);
    let scaled = map(&|(e, y, x)| factor * (1.0 + 0.1 * e as f64 + 0.01 * (y + x) as f64));
    MapDatasetOnOff::from_map_dataset(MapDataset { name: name.into(), ..dataset.clone() }, off, acceptance, scaled)
}

/// A map with a Gaussian PSF and a perfect energy resolution, and no background.
fn simple(sigma_deg: f64, binsz: f64) -> MapDataset {
    let center = SkyPosition::icrs(50.0, -20.0);
    let energy = MapAxis::energy_bounds(1.0, 10.0, 3, "energy").unwrap();
    let npix = 2 * (1.0 / binsz).round() as usize + 1;
    let geom = pevatron::maps::WcsGeom::create(center, npix, npix, (binsz, binsz), "TAN", vec![energy]).unwrap();
    let mut dataset = MapDataset::create("simple", &geom, &IrfAxes::default()).unwrap();
    let truth = MapAxis::energy_bounds(1.0, 10.0, 3, "energy_true").unwrap();
    let exposure = dataset.exposure.as_ref().unwrap().geom();
    dataset.exposure = Some(
        Map::from_cube(Arc::clone(exposure), "cm2 s".parse().unwrap(), Array3::from_elem((3, npix, npix), 1e13))
            .unwrap(),
    );
    let edges = (0..=400).map(|i| 1.2 * f64::from(i) / 400.0).collect();
    let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), edges, AxisInterp::Lin).unwrap();
    dataset.psf = Some(PsfMap::from_gauss(rad, truth, |_| sigma_deg).unwrap());
    dataset.edisp = None;
    dataset.mask_safe = None;
    dataset
}

fn npred(dataset: &MapDataset, models: Models) -> Vec<f64> {
    let dataset = MapDataset { models, ..dataset.clone() };
    let map = dataset.npred(&Backend::reference(), &Control::new()).unwrap();
    map.data().iter().collect()
}

#[test]
fn a_spectrum_holds_what_lies_in_its_region() {
    let (observations, region) = observations();
    let dataset = &observations[0];
    let spectrum = dataset.to_spectrum_dataset(&region, false).unwrap();
    assert_eq!(Dataset::Map(spectrum.clone()).kind(), "SpectrumDataset");
    let inside = dataset.wcs_geom().unwrap().region_mask(&region);
    let (counts, safe) = (dataset.counts.as_ref().unwrap().to_cube_f64(), dataset.mask_safe.as_ref().unwrap().cube());
    let found: Vec<f64> = spectrum.counts.as_ref().unwrap().data().iter().collect();
    for (e, found) in found.iter().enumerate() {
        let wanted: f64 = inside
            .indexed_iter()
            .filter(|((y, x), v)| **v && safe[[e, *y, *x]])
            .map(|((y, x), _)| counts[[e, y, x]])
            .sum();
        assert_eq!(*found, wanted);
    }
    assert!(found.iter().sum::<f64>() > 0.0);
    // Region datasets are left alone by what cuts images.
    let width = pevatron::units::Angle::deg(1.0);
    assert_eq!(spectrum.cutout(region.center(), (width, width)).unwrap().counts, spectrum.counts);
    assert_eq!(spectrum.pad(2, 2).unwrap().counts, spectrum.counts);
    let image = spectrum.to_image().unwrap();
    assert_eq!(image.counts.unwrap().sum(), found.iter().sum::<f64>());
}

/// The part of a Gaussian of width `s` within `radius` of its centre.
fn within(radius: f64, s: f64) -> f64 {
    1.0 - (-0.5 * (radius / s).powi(2)).exp()
}

#[test]
fn a_region_sees_the_part_of_a_source_that_the_psf_leaves_in_it() {
    let dataset = simple(0.1, 0.05);
    let center = dataset.wcs_geom().unwrap().center().unwrap();
    let region = SkyRegion::circle(center, 0.2).unwrap();
    let spectrum = dataset.to_spectrum_dataset(&region, false).unwrap();
    let corrected = dataset.to_spectrum_dataset(&region, true).unwrap();
    let part = dataset.to_region_map_dataset(&region).unwrap();
    assert_eq!(Dataset::Map(part.clone()).kind(), "MapDataset");
    let all = npred(&spectrum, models(&point(center)));
    // Without a PSF the shape does not matter.
    assert_eq!(all, npred(&spectrum, models("")));
    let ratio = |values: &[f64]| values.iter().sum::<f64>() / all.iter().sum::<f64>();
    let contained = within(0.2, 0.1);
    assert!((ratio(&npred(&corrected, models(&point(center)))) - contained).abs() < 2e-3);
    assert!((ratio(&npred(&part, models(&point(center)))) - contained).abs() < 2e-3);
    // A shape as wide as the PSF; far away; beside; where Gammapy takes the containment around the centre.
    let wide = ratio(&npred(&part, models(&gaussian(center, 0.1))));
    assert!((wide - within(0.2, 0.1 * 2f64.sqrt())).abs() < 3e-3, "{wide}");
    assert_eq!(ratio(&npred(&part, models(&point(shifted(center, 0.0, 3.0))))), 0.0);
    let beside = ratio(&npred(&part, models(&point(shifted(center, 0.0, 0.2)))));
    // Just as many pixels of a fine map say.
    let fine = MapDataset { models: models(&point(shifted(center, 0.0, 0.2))), ..simple(0.1, 0.0125) };
    let geom = fine.wcs_geom().unwrap().clone();
    let map = fine.npred(&Backend::reference(), &Control::new()).unwrap().to_cube_f64();
    let weights = geom.region_weights(&region);
    let sum: f64 = map.outer_iter().map(|p| p.iter().zip(&weights).map(|(v, w)| v * w).sum::<f64>()).sum();
    let wanted = sum / map.sum();
    assert!((beside - wanted).abs() < 3e-3, "{beside} {wanted}");
    // A point source near the centre is not a jump away from one at the centre.
    let near = ratio(&npred(&part, models(&point(shifted(center, 0.0, 1e-4)))));
    assert!((near - contained).abs() < 3e-3, "{near} {contained}");
}

#[test]
fn spectra_are_fitted_like_maps() {
    let dataset = simple(0.1, 0.05);
    let center = dataset.wcs_geom().unwrap().center().unwrap();
    let region = SkyRegion::circle(center, 0.2).unwrap();
    let backend = Backend::reference();
    let control = Control::new();
    for part in [dataset.to_spectrum_dataset(&region, true).unwrap(), dataset.to_region_map_dataset(&region).unwrap()] {
        let truth = MapDataset { models: models(&point(center)), ..part };
        let truth = truth.asimov(&backend, &control).unwrap();
        let mut start = models(&point(center));
        start.set_value("source.spectral.index", 2.0).unwrap();
        start.set_value("source.spectral.amplitude", 1e-11).unwrap();
        let result = Fit::default().run(&[(&truth).into()], &start, &backend, &control).unwrap();
        assert!(result.success, "{}", result.message);
        let value =
            |name: &str| result.models.parameters().into_iter().find(|(n, _)| n.ends_with(name)).unwrap().1.value;
        assert!((value("index") - 2.4).abs() < 1e-4, "{}", value("index"));
        assert!((value("amplitude") / 3.5e-11 - 1.0).abs() < 1e-4, "{}", value("amplitude"));
    }
}

#[test]
fn spectra_are_stacked_and_written() {
    let ([a, b], region) = observations();
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = [a, b].map(|d| d.to_spectrum_dataset(&region, false).unwrap());
    let (a, b) = (SpectrumDataset { name: "a".into(), ..a }, SpectrumDataset { name: "b".into(), ..b });
    let list = Datasets::new([a.clone(), b.clone()]).unwrap();
    let sum = list.stack_reduce("sum").unwrap();
    let counts = |d: &MapDataset| d.counts.as_ref().unwrap().sum();
    let safe = |d: &MapDataset| counts(&d.to_masked().unwrap());
    assert_eq!(counts(sum.common().unwrap()), safe(&a) + safe(&b));
    list.write(folder.path().join("list.yaml"), None, &WriteOptions::default()).unwrap();
    let yaml = std::fs::read_to_string(folder.path().join("list.yaml")).unwrap();
    assert!(yaml.contains("type: SpectrumDataset\n"), "{yaml}");
    let again = Datasets::read(folder.path().join("list.yaml"), None).unwrap();
    let read = again.iter().next().unwrap().common().unwrap();
    assert_eq!(read.counts.as_ref().unwrap().to_cube_f64(), a.counts.as_ref().unwrap().to_cube_f64());
    assert_eq!(read.mask_safe.as_ref().unwrap().data(), a.mask_safe.as_ref().unwrap().data());
    let Geom::Region(geom) = read.geom().unwrap().as_ref() else { panic!("no region") };
    let separation = geom.center().unwrap().separation_deg(region.center());
    assert!(separation < 1e-9 && (geom.radius_deg().unwrap() - region.radius_deg().unwrap()).abs() < 1e-9);
    // Another region is another place.
    let other = SkyRegion::circle(region.center(), 0.9 * region.radius_deg().unwrap()).unwrap();
    let (observations, _) = observations_again();
    let other = observations[1].to_spectrum_dataset(&other, false).unwrap();
    let mut a = a;
    assert!(a.stack(&other).unwrap_err().to_string().contains("region"));
}

fn observations_again() -> ([MapDataset; 2], SkyRegion) {
    observations()
}

#[test]
fn every_shape_survives_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let center = SkyPosition::icrs(83.63, 22.01);
    let circle = SkyRegion::circle(center, 0.2).unwrap();
    let corners = [(0.1, 0.1), (-0.2, 0.15), (-0.1, -0.2), (0.3, -0.1)];
    let regions = [
        SkyRegion::Point { center },
        circle.clone(),
        SkyRegion::Annulus { center, inner_deg: 0.1, outer_deg: 0.3 },
        SkyRegion::Ellipse { center, width_deg: 0.4, height_deg: 0.2, angle_deg: 30.0 },
        SkyRegion::Rectangle { center, width_deg: 0.4, height_deg: 0.2, angle_deg: -40.0 },
        SkyRegion::Polygon { vertices: corners.iter().map(|(x, y)| shifted(center, *x, *y)).collect() },
        SkyRegion::Union(vec![
            circle,
            SkyRegion::Ellipse { center: shifted(center, 0.5, 0.1), width_deg: 0.3, height_deg: 0.1, angle_deg: 5.0 },
        ]),
    ];
    let axis = MapAxis::energy_bounds(1.0, 10.0, 2, "energy").unwrap();
    for (i, region) in regions.into_iter().enumerate() {
        let geom = Arc::new(Geom::Region(RegionGeom::of(Some(region.clone()), vec![axis.clone()])));
        let path = folder.path().join(format!("{i}.fits"));
        let dataset =
            MapDataset { counts: Some(Map::zeros(geom, Default::default())), name: "r".into(), ..Default::default() };
        dataset.write(&path, &WriteOptions::default()).unwrap();
        let read = MapDataset::read(&path).unwrap();
        let Geom::Region(geom) = read.geom().unwrap().as_ref() else { panic!("no region") };
        let found = geom.region().unwrap();
        assert_eq!(std::mem::discriminant(found), std::mem::discriminant(&region));
        assert!(found.center().separation_deg(region.center()) < 1e-9, "{found:?}");
        assert!((found.extent_deg() - region.extent_deg()).abs() < 1e-6, "{found:?} {region:?}");
        let (a, b) = (found.solid_angle_sr(), region.solid_angle_sr());
        assert!((a - b).abs() <= 1e-6 * b, "{found:?} {region:?}");
    }
}

#[test]
fn regions_that_cannot_be_used_are_named() {
    let ([dataset, _], region) = observations();
    let fails = |result: pevatron::Result<MapDataset>, words: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let geom = dataset.wcs_geom().unwrap();
    let beside = shifted(region.center(), 0.0, 30.0);
    fails(dataset.to_spectrum_dataset(&SkyRegion::circle(beside, 0.1).unwrap(), false), "no pixel");
    let large = SkyRegion::circle(region.center(), geom.width_deg().0).unwrap();
    fails(dataset.to_spectrum_dataset(&large, false), "not fully inside");
    let tiny = SkyRegion::circle(shifted(region.center(), 0.0, 0.3 * geom.pixel_scales_deg().1), 1e-7).unwrap();
    fails(dataset.to_spectrum_dataset(&tiny, false), "no pixel");
    fails(
        dataset.to_spectrum_dataset(&SkyRegion::Circle { center: region.center(), radius_deg: -1.0 }, false),
        "radius",
    );
    let ring = SkyRegion::Annulus { center: region.center(), inner_deg: 0.05, outer_deg: 0.12 };
    fails(dataset.to_spectrum_dataset(&ring, true), "circles");
    let bare = MapDataset { psf: None, ..dataset.clone() };
    fails(bare.to_spectrum_dataset(&region, true), "no PSF");
    // A mask with a border through the region.
    let mask = dataset.mask_safe.as_ref().unwrap();
    let (y, _) = geom.pixel_of(region.center()).unwrap();
    let data = ndarray::ArrayD::from_shape_fn(mask.data().raw_dim(), |i| i[1] > y);
    let mask = Mask::new(Arc::clone(mask.geom()), data).unwrap();
    let masked = MapDataset { mask_safe: Some(mask), mask_fit: None, ..dataset.clone() };
    fails(masked.to_spectrum_dataset(&region, false), "pixels of the region are inside the masks");
    fails(dataset.to_spectrum_dataset(&region, false).unwrap().to_spectrum_dataset(&region, false), "region");
}

#[test]
fn spectra_are_as_gammapy_makes_them() {
    let Some(python) = support::python_with("gammapy") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let options = WriteOptions::default();
    let (backend, control) = (Backend::reference(), Control::new());
    let ([a, b], region) = observations();
    let center = region.center();
    let onoff = on_off(&a, "onoff", 8.0);
    a.write(path("a.fits"), &options).unwrap();
    b.write(path("b.fits"), &options).unwrap();
    onoff.write(path("onoff.fits"), &options).unwrap();
    let named = |d: MapDataset, name: &str| MapDataset { name: name.into(), ..d };
    let spectrum = named(a.to_spectrum_dataset(&region, false).unwrap(), "spectrum");
    let corrected = named(a.to_spectrum_dataset(&region, true).unwrap(), "corrected");
    let part = named(a.to_region_map_dataset(&region).unwrap(), "part");
    let mut second = named(b.to_spectrum_dataset(&region, true).unwrap(), "second");
    let on = onoff.to_spectrum_dataset(&region, true).unwrap();
    for (name, dataset) in [("spectrum.fits", &spectrum), ("corrected.fits", &corrected), ("part.fits", &part)] {
        dataset.write(path(name), &options).unwrap();
    }
    on.write(path("on.fits"), &options).unwrap();
    second.write(path("second.fits"), &options).unwrap();

    std::fs::write(path("models.yaml"), models(&point(center)).to_yaml().unwrap()).unwrap();
    std::fs::write(path("wide.yaml"), models(&gaussian(center, 0.08)).to_yaml().unwrap()).unwrap();
    let values = |d: &MapDataset, m: &Models| -> Vec<f64> { npred(d, m.clone()) };
    let pointlike = models(&point(center));
    let stat = |d: Dataset| {
        let mut d = d;
        d.common_mut().unwrap().models = pointlike.clone();
        d.stat_sum(&backend, &control).unwrap()
    };
    let result = Fit::default()
        .run(&[(&corrected).into(), (&second).into(), (&on).into()], &pointlike, &backend, &control)
        .unwrap();
    assert!(result.success, "{}", result.message);
    let fitted: Vec<(String, f64, f64)> = result
        .models
        .parameters()
        .into_iter()
        .filter(|(_, p)| !p.frozen)
        .map(|(_, p)| (p.name.to_string(), p.value, p.error))
        .collect();
    let numbers = json!({
        "lon": center.lon_deg, "lat": center.lat_deg, "frame": center.frame.name(),
        "radius": region.radius_deg(),
        "npred_spectrum": values(&spectrum, &pointlike),
        "npred_corrected": values(&corrected, &pointlike),
        "npred_part": values(&part, &pointlike),
        "npred_part_wide": values(&part, &models(&gaussian(center, 0.08))),
        "stat_corrected": stat(Dataset::Map(corrected.clone())),
        "stat_on": stat(Dataset::OnOff(on.clone())),
        "fit_stat": result.stat,
        "fit": fitted,
    });
    std::fs::write(path("numbers.json"), numbers.to_string()).unwrap();
    second.stack(&corrected).unwrap();
    second.write(path("stack.fits"), &options).unwrap();

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/datasets/gammapy_spectrum.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    println!("{text}");

    // Gammapy's files, read here.
    let read = Dataset::read(path("gammapy-corrected.fits")).unwrap();
    assert_eq!(read.kind(), "SpectrumDataset");
    let sums = |d: &MapDataset| {
        let e = d.exposure.as_ref().unwrap();
        (d.counts.as_ref().unwrap().sum(), d.mask_safe.as_ref().unwrap().count(), e.to_unit("m2 s").unwrap().sum())
    };
    let (found, wanted) = (sums(read.common().unwrap()), sums(&corrected));
    assert_eq!((found.0, found.1), (wanted.0, wanted.1));
    assert!((found.2 / wanted.2 - 1.0).abs() < 1e-5, "{found:?} {wanted:?}");
    let Geom::Region(geom) = read.common().unwrap().geom().unwrap().as_ref() else { panic!("no region") };
    let separation = geom.center().unwrap().separation_deg(center);
    assert!(separation < 1e-6, "{separation} deg from where Gammapy has it");
    let read = Dataset::read(path("gammapy-on.fits")).unwrap();
    assert_eq!(read.kind(), "SpectrumDatasetOnOff");
    let Dataset::OnOff(read) = read else { panic!("no off counts") };
    assert_eq!(read.counts_off.as_ref().unwrap().sum(), on.counts_off.as_ref().unwrap().sum());
    let alpha = |d: &MapDatasetOnOff| d.alpha().unwrap().sum();
    assert!((alpha(&read) / alpha(&on) - 1.0).abs() < 1e-5, "{} {}", alpha(&read), alpha(&on));
    let list = Datasets::read(path("gammapy.yaml"), None).unwrap();
    let kinds: Vec<_> = list.iter().map(Dataset::kind).collect();
    assert_eq!(kinds, ["SpectrumDataset", "SpectrumDatasetOnOff"]);
}
