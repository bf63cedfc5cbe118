//! Maps of the whole sky and pixels far from the reference point: what does not hold a number is left out and said, rows
//! around the sky have no ends, and where pixels are not what the header says, kernels follow or a warning says so.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::sync::Arc;

use ndarray::{Array2, Array3};
use pevatron::Control;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::datasets::{MapDataset, ResidualMethod};
use pevatron::estimators::{
    AsmoothMapEstimator, ExcessMapEstimator, PeakDistance, SourceSearch, TsMapEstimator, find_peaks,
};
use pevatron::flux::{FluxMaps, FluxQuantity};
use pevatron::irf::PsfMap;
use pevatron::maps::{AxisInterp, Frame, Geom, Map, MapAxis, Mask, SkyPosition, SmoothKernel, WcsGeom};
use pevatron::models::spatial::{GaussianSpatialModel, PointSpatialModel};
use pevatron::models::spectral::PowerLawSpectralModel;
use pevatron::models::{Model, Models, SkyModel};
use pevatron::units::Angle;

fn cpu() -> Backend {
    Backend::new(&BackendOptions { choice: BackendChoice::Cpu, threads: Some(2), ..BackendOptions::default() }).unwrap()
}

fn engines() -> [Backend; 2] {
    [Backend::reference(), cpu()]
}

fn axis(name: &str) -> MapAxis {
    MapAxis::energy_bounds(1.0, 10.0, 2, name).unwrap()
}

/// A cube of two energies on an image.
fn cube(image: &WcsGeom, name: &str, unit: &str, value: impl Fn((usize, usize, usize)) -> f64) -> Map {
    let data = Array3::from_shape_fn((2, image.ny(), image.nx()), value);
    let geom = Arc::new(Geom::Wcs(image.with_axes(vec![axis(name)])));
    Map::from_cube(geom, unit.parse().unwrap(), data).unwrap()
}

/// A field with a Gaussian PSF of that many degrees, a background that varies along columns, and counts that are it.
fn field(image: &WcsGeom, sigma_deg: f64, exposure: f64) -> MapDataset {
    let rad = (0..=100).map(|i| 0.06 * sigma_deg * f64::from(i)).collect();
    let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), rad, AxisInterp::Lin).unwrap();
    let background = cube(image, "energy", "", |(e, y, _)| (4.0 + 0.02 * y as f64) / (1.0 + e as f64));
    MapDataset {
        name: "sky".into(),
        counts: Some(background.clone()),
        background: Some(background),
        exposure: Some(cube(image, "energy_true", "cm2 s", |_| exposure)),
        psf: Some(PsfMap::from_gauss(rad, axis("energy_true"), |_| sigma_deg).unwrap()),
        ..MapDataset::default()
    }
}

fn point(position: SkyPosition, amplitude: f64) -> SkyModel {
    let spatial = PointSpatialModel::new(position.lon_deg, position.lat_deg, position.frame);
    SkyModel::new("source", Arc::new(PowerLawSpectralModel::new(2.0, amplitude, 1.0)), Some(Arc::new(spatial)))
}

/// Columns moved to the right by `by`, the last ones to the front.
fn rolled(a: &Array3<f64>, by: usize) -> Array3<f64> {
    let nx = a.dim().2;
    let columns: Vec<usize> = (0..nx).map(|x| (x + nx - by) % nx).collect();
    Array3::from_shape_fn(a.dim(), |(p, y, x)| a[[p, y, columns[x]]])
}

fn rolled_map(map: &Map, by: usize) -> Map {
    Map::from_cube(map.geom().clone(), map.unit().clone(), rolled(&map.to_cube_f64(), by)).unwrap()
}

fn asmooth(scales: &[Angle]) -> AsmoothMapEstimator {
    let mut estimator = AsmoothMapEstimator::new();
    estimator.scales = scales.to_vec();
    estimator
}

fn all_sky(projection: &str) -> WcsGeom {
    let center = SkyPosition::galactic(0.0, 0.0);
    let ny = if projection == "CEA" { 28 } else { 44 };
    WcsGeom::create(center, 90, ny, (4.0, 4.0), projection, Vec::new()).unwrap()
}

/// A sky with some sources, one of them close to the last column, in counts of no particular pattern.
fn busy(image: &WcsGeom) -> MapDataset {
    let mut dataset = field(image, 4.0, 1e13);
    let places = [(3.0, 14.0), (44.3, 10.2), (70.0, 20.0), (88.8, 16.4)];
    let sources = places.map(|(x, y)| point(image.pix_to_sky(x, y).unwrap(), 3e-12));
    dataset.models = Models { components: sources.into_iter().map(Model::Sky).collect() };
    let npred = dataset.npred(&Backend::reference(), &Control::new()).unwrap().into_cube_f64();
    dataset.models = Models::default();
    let noise = |(e, y, x): (usize, usize, usize)| ((31 * e + 17 * y + 57 * x) % 7) as f64 - 3.0;
    dataset.counts = Some(cube(image, "energy", "", |at| (npred[[at.0, at.1, at.2]] + noise(at)).max(0.0).round()));
    dataset
}

fn rolled_dataset(dataset: &MapDataset, by: usize) -> MapDataset {
    let roll = |map: &Option<Map>| map.as_ref().map(|map| rolled_map(map, by));
    MapDataset {
        counts: roll(&dataset.counts),
        background: roll(&dataset.background),
        exposure: roll(&dataset.exposure),
        ..dataset.clone()
    }
}

#[track_caller]
fn assert_close(found: &Array3<f64>, wanted: &Array3<f64>, tolerance: f64, what: &str) {
    assert_eq!(found.dim(), wanted.dim(), "{what}");
    for (at, value) in found.indexed_iter() {
        let other = wanted[at];
        let same = value.is_nan() && other.is_nan()
            || value == &other
            || (value - other).abs() <= tolerance * (1.0 + other.abs());
        assert!(same, "{what} at {at:?}: {value}, not {other}");
    }
}

fn quantity(maps: &FluxMaps, quantity: FluxQuantity) -> Array3<f64> {
    maps.get(quantity).unwrap().to_cube_f64()
}

#[test]
fn ts_maps_of_a_turned_sky_are_turned() {
    let control = Control::new();
    for (projection, factor) in [("CAR", None), ("CEA", None), ("MER", None), ("CAR", Some(2))] {
        let image = all_sky(projection);
        let dataset = busy(&image);
        for sum in [true, false] {
            let mut estimator = TsMapEstimator::new()
                .kernel_width(Angle::deg(28.0))
                .sum_over_energy_groups(sum)
                .selection_optional("all".parse().unwrap());
            estimator.downsampling_factor = factor;
            for engine in engines() {
                let report = estimator.run_with(std::slice::from_ref(&dataset), &engine, &control).unwrap();
                for by in if factor.is_some() { [44, 2, 88] } else { [45, 3, 87] } {
                    let turned = rolled_dataset(&dataset, by);
                    let found = estimator.run_with(&[turned], &engine, &control).unwrap();
                    assert_eq!(found.pixels, report.pixels);
                    let tolerance = if engine.info().name == "reference" { 1e-7 } else { 2e-3 };
                    for name in [FluxQuantity::Ts, FluxQuantity::Norm, FluxQuantity::NormErr, FluxQuantity::Npred] {
                        let (found, wanted) = (quantity(&found.maps, name), rolled(&quantity(&report.maps, name), by));
                        assert_close(
                            &found,
                            &wanted,
                            tolerance,
                            &format!("{projection} {factor:?} {sum} {by} {}", name.name()),
                        );
                    }
                }
            }
        }
    }
}

/// Windows that went on over an end which is none would change maps of a part of the sky.
#[test]
fn a_map_without_its_last_column_ends_there() {
    let image = all_sky("CAR");
    let whole = busy(&image);
    let part = |columns: std::ops::Range<usize>| {
        let cut = |map: &Option<Map>| map.as_ref().map(|m| m.slice_image(0..44, columns.clone()).unwrap());
        MapDataset {
            counts: cut(&whole.counts),
            background: cut(&whole.background),
            exposure: cut(&whole.exposure),
            ..whole.clone()
        }
    };
    let estimator = TsMapEstimator::new().kernel_width(Angle::deg(28.0));
    let run = |dataset: MapDataset| estimator.run_with(&[dataset], &Backend::reference(), &Control::new()).unwrap();
    let (part, narrow, whole) = (run(part(0..89)), run(part(60..89)), run(whole.clone()));
    let told = |warnings: &[String]| warnings.iter().any(|w| w.contains("goes around the sky in 90.000 columns"));
    assert!(told(&part.warnings) && !told(&narrow.warnings) && !told(&whole.warnings), "{:?}", part.warnings);
    let norm = |report: &pevatron::estimators::ts_map::TsMapReport| quantity(&report.maps, FluxQuantity::Norm);
    let (whole, part, narrow) = (norm(&whole), norm(&part), norm(&narrow));
    for y in 0..44 {
        assert!((part[[0, y, 88]] - narrow[[0, y, 28]]).abs() < 1e-9, "{y}");
        assert!((part[[0, y, 30]] - whole[[0, y, 30]]).abs() < 1e-9, "{y}");
    }
    assert!((part[[0, 16, 88]] / whole[[0, 16, 88]] - 1.0).abs() > 1e-3);
}

#[test]
fn predictions_of_a_turned_sky_are_turned() {
    let image = all_sky("CAR");
    let backend = cpu();
    let predict = |model: SkyModel, in_reco: bool| {
        let mut dataset = field(&image, 4.0, 1e13);
        if in_reco {
            let psf = dataset.psf.unwrap().psf;
            let axes = psf
                .geom()
                .axes()
                .iter()
                .map(|a| if a.name() == "energy_true" { a.renamed("energy") } else { a.clone() });
            let geom = Arc::new(psf.geom().with_axes(axes.collect()));
            let psf = Map::new(geom, psf.unit().clone(), psf.into_data()).unwrap();
            dataset.psf = Some(PsfMap { psf, exposure: None });
        }
        dataset.models = Models { components: vec![Model::Sky(model)] };
        let whole = dataset.npred_signal(None, &backend, &Control::new()).unwrap().into_cube_f64();
        // As a fit predicts it.
        let models = dataset.models.clone();
        let again = dataset.evaluators(&backend).unwrap().npred_signal(&models, &Control::new()).unwrap();
        assert_close(&again.into_cube_f64(), &whole, 1e-12, "evaluators");
        whole
    };
    for (x, y) in [(40.0, 20.0), (40.4, 24.7)] {
        for by in [47, 49, 51, 90 - 42] {
            let place = |x: f64| image.pix_to_sky(x, y).unwrap();
            let moved = (x + by as f64 + 0.5).rem_euclid(90.0) - 0.5;
            for in_reco in [false, true] {
                let (here, there) = (point(place(x), 1e-12), point(place(moved), 1e-12));
                let (here, there) = (predict(here, in_reco), predict(there, in_reco));
                // Cut out around a pixel, tails are missing that a whole row has.
                let tolerance = if x == 40.0 { 1e-9 } else { 1e-4 };
                assert_close(&there, &rolled(&here, by), tolerance, &format!("point {x} {by} {in_reco}"));
            }
            let gauss = |x: f64| {
                let p = place(x);
                let spatial = GaussianSpatialModel::new(p.lon_deg, p.lat_deg, 5.0, 0.0, 0.0, Frame::Galactic);
                SkyModel { spatial: Some(Arc::new(spatial)), ..point(p, 1e-12) }
            };
            assert_close(&predict(gauss(moved), false), &rolled(&predict(gauss(x), false), by), 1e-4, "Gaussian");
        }
    }
}

#[test]
fn excess_smoothing_and_residuals_of_a_turned_sky_are_turned() {
    let image = all_sky("CAR");
    let dataset = busy(&image);
    let (backend, control) = (cpu(), Control::new());
    let excess = ExcessMapEstimator::new().correlation_radius(Angle::deg(13.0));
    let asmooth = asmooth(&[Angle::deg(4.0), Angle::deg(9.0)]);
    let all = |dataset: &MapDataset| {
        let maps = excess.run(dataset, &backend).unwrap();
        let smooth = asmooth.run(dataset, &control).unwrap();
        let kernel = Some(SmoothKernel::Gauss(Angle::deg(7.0)));
        let residuals = dataset.residuals(ResidualMethod::DiffOverSqrtModel, kernel, &backend, &control).unwrap();
        let smoothed = dataset.counts.as_ref().unwrap().smooth(SmoothKernel::Box(Angle::deg(10.0))).unwrap();
        [
            quantity(&maps, FluxQuantity::SqrtTs),
            quantity(&maps, FluxQuantity::Norm),
            smooth.counts.to_cube_f64(),
            smooth.sqrt_ts.to_cube_f64(),
            residuals.to_cube_f64(),
            smoothed.to_cube_f64(),
        ]
    };
    let here = all(&dataset);
    for by in [45, 2, 89] {
        for (i, (found, here)) in all(&rolled_dataset(&dataset, by)).iter().zip(&here).enumerate() {
            assert_close(found, &rolled(here, by), 1e-9, &format!("{i} by {by}"));
        }
    }
}

#[test]
fn a_source_where_a_sky_is_cut_open_is_one_peak() {
    let image = all_sky("CAR");
    let mut dataset = field(&image, 4.0, 1e13);
    dataset.models = Models { components: vec![Model::Sky(point(image.pix_to_sky(-0.3, 22.0).unwrap(), 2e-11))] };
    dataset.counts = Some(dataset.npred(&Backend::reference(), &Control::new()).unwrap());
    dataset.models = Models::default();
    let estimator = TsMapEstimator::new().kernel_width(Angle::deg(28.0));
    let maps = estimator.run(std::slice::from_ref(&dataset), &cpu()).unwrap();
    for distance in [PeakDistance::Pixels(1), PeakDistance::Pixels(5), PeakDistance::Angle(Angle::deg(12.0))] {
        let peaks = pevatron::estimators::find_peaks_in_flux_map(&maps, "sqrt_ts", None, 5.0, distance).unwrap();
        assert_eq!(peaks.len(), 1, "{distance:?}");
        let location = peaks[0].location;
        assert_eq!(location.status.name(), "ok");
        let lon = (location.position.lon_deg - image.pix_to_sky(-0.3, 22.0).unwrap().lon_deg + 540.0).rem_euclid(360.0)
            - 180.0;
        assert!(lon.abs() < 0.2 && (location.position.lat_deg - 2.0).abs() < 0.1, "{location:?}");
        assert!(location.ellipse(&image, Frame::Galactic).is_some());
    }
    // The search is as good at the seam as half a turn away from it, where nothing is cut.
    let spectrum = PowerLawSpectralModel::default();
    let reference = pevatron::models::SpectralModel::evaluate(&spectrum, 1.0);
    let mut search = SourceSearch::new(estimator);
    search.max_sources = 3;
    let flux = |dataset: MapDataset| {
        let found = search.run_with(&[dataset], &cpu(), &Control::new()).unwrap();
        assert_eq!(found.sources.len(), 1);
        found.sources[0].norm * reference
    };
    let turned = rolled_dataset(&dataset, image.nx() / 2);
    let (here, there) = (flux(dataset), flux(turned));
    assert!((here / there - 1.0).abs() < 1e-4, "{here} {there}");
    // Kernels of a source between pixels of 4 deg are those of a pixel's centre.
    assert!((here / 2e-11 - 1.0).abs() < 0.04, "{here}");
}

fn image_of(image: &WcsGeom, values: &[((usize, usize), f64)]) -> Map {
    let mut data = Array3::zeros((1, image.ny(), image.nx()));
    for ((y, x), value) in values {
        data[[0, *y, *x]] = *value;
    }
    Map::from_cube(Arc::new(Geom::Wcs(image.clone())), Default::default(), data).unwrap()
}

#[test]
fn distances_of_peaks_are_angles_on_the_sky() {
    let pixels = |map: &Map, distance: PeakDistance| -> Vec<(usize, usize)> {
        find_peaks(map, 1.0, distance).unwrap().iter().map(|p| (p.y, p.x)).collect()
    };
    let deg = |v: f64| PeakDistance::Angle(Angle::deg(v));
    // Three degrees from a pole of a CAR map 180 degrees of longitude are 6 degrees.
    let image = WcsGeom::create(SkyPosition::galactic(0.0, 0.0), 180, 90, (2.0, 2.0), "CAR", Vec::new()).unwrap();
    let polar =
        image_of(&image, &[((88, 20), 9.0), ((88, 110), 8.0), ((45, 179), 7.0), ((45, 2), 6.0), ((45, 60), 5.0)]);
    assert_eq!(pixels(&polar, deg(3.0)), [(88, 20), (88, 110), (45, 179), (45, 2), (45, 60)]);
    assert_eq!(pixels(&polar, deg(5.9)).len(), 5);
    assert_eq!(pixels(&polar, deg(6.0)), [(88, 20), (45, 179), (45, 60)]);
    assert_eq!(pixels(&polar, PeakDistance::Pixels(3)), [(88, 20), (88, 110), (45, 179), (45, 60)]);
    // At 60 degrees of latitude pixels are half as wide; the corner of a square is not a circle.
    let high = image_of(&image, &[((75, 20), 9.0), ((75, 23), 8.0), ((78, 40), 7.0), ((80, 41), 6.0)]);
    assert_eq!(pixels(&high, deg(2.5)).len(), 4);
    assert_eq!(pixels(&high, deg(3.3)), [(75, 20), (78, 40), (80, 41)]);
    // A place that an Aitoff map shows at both borders is one.
    let aitoff = WcsGeom::create(SkyPosition::galactic(0.0, 0.0), 162, 81, (2.0, 2.0), "AIT", Vec::new()).unwrap();
    let row = 60;
    let on_sky: Vec<usize> = (0..162).filter(|x| aitoff.pix_to_sky(*x as f64, row as f64).is_some()).collect();
    let map = image_of(&aitoff, &[((row, on_sky[0]), 9.0), ((row, *on_sky.last().unwrap()), 8.0)]);
    assert_eq!(pixels(&map, PeakDistance::Pixels(2)).len(), 2);
    assert_eq!(pixels(&map, deg(6.0)).len(), 1);
}

#[test]
fn a_plateau_is_one_peak() {
    let image = WcsGeom::create(SkyPosition::galactic(0.0, 0.0), 90, 45, (4.0, 4.0), "CAR", Vec::new()).unwrap();
    let flat: Vec<((usize, usize), f64)> = [88, 89, 0, 1, 2]
        .iter()
        .flat_map(|x| (10..13).map(move |y| ((y, *x), 8.0)))
        .chain([((30, 30), 7.0), ((31, 31), 7.0)])
        .collect();
    let map = image_of(&image, &flat);
    for distance in [PeakDistance::default(), PeakDistance::Angle(Angle::deg(9.0))] {
        let peaks: Vec<_> = find_peaks(&map, 1.0, distance).unwrap().iter().map(|p| (p.y, p.x)).collect();
        assert_eq!(peaks, [(11, 0), (31, 31)], "{distance:?}");
    }
}

/// Counts that a source leaves in each pixel of a map on the sphere, by the density of a Gaussian.
fn on_the_sphere(image: &WcsGeom, position: SkyPosition, sigma_deg: f64, counts: f64) -> Array2<f64> {
    const PARTS: usize = 5;
    let fine = image.upsample(PARTS);
    let omega = fine.solid_angle_sr();
    let sigma = sigma_deg.to_radians();
    let mut out = Array2::zeros((image.ny(), image.nx()));
    for ((y, x), distance) in fine.separation_deg(position).indexed_iter() {
        let d = distance.to_radians() / sigma;
        let density = (-0.5 * d * d).exp() / (2.0 * std::f64::consts::PI * sigma * sigma);
        out[[y / PARTS, x / PARTS]] += counts * density * omega[[y, x]];
    }
    out
}

/// A map cut out of a larger one far from its reference point.
fn cut_far_out(projection: &str, crval_lat: f64, center: SkyPosition) -> WcsGeom {
    let reference = SkyPosition::galactic(0.0, crval_lat);
    let start = WcsGeom::create(reference, 1, 1, (0.05, 0.05), projection, Vec::new()).unwrap();
    let (x, y) = start.sky_to_pix(center).unwrap();
    WcsGeom::new(start.wcs().shifted(30.0 - x, 30.0 - y), 61, 61, Vec::new())
}

/// Such a map with a source in the middle as it is on the sphere: its norm and the warnings.
fn far_out(projection: &str, crval_lat: f64, center: SkyPosition) -> (f64, Vec<String>) {
    let image = cut_far_out(projection, crval_lat, center);
    let mut dataset = field(&image, 0.15, 1e13);
    let reference = field(&image, 0.15, 1e13);
    let flux = PowerLawSpectralModel::default();
    let norm = 60.0;
    let shape = on_the_sphere(&image, center, 0.15, 1.0);
    let edges = axis("energy").edges_tev().unwrap();
    let counts = |e: usize| 1e13 * norm * pevatron::models::SpectralModel::integral(&flux, edges[e], edges[e + 1]);
    let background = reference.background.unwrap().to_cube_f64();
    dataset.counts = Some(cube(&image, "energy", "", |(e, y, x)| background[[e, y, x]] + counts(e) * shape[[y, x]]));
    let estimator = TsMapEstimator::new().kernel_width(Angle::deg(1.2)).sum_over_energy_groups(false);
    let report = estimator.run_with(&[dataset], &Backend::reference(), &Control::new()).unwrap();
    (quantity(&report.maps, FluxQuantity::Norm)[[0, 30, 30]] / norm, report.warnings)
}

const FAR_OUT: [(&str, f64, (f64, f64)); 9] = [
    ("CAR", 0.0, (0.0, 60.0)),
    ("CAR", 0.0, (100.0, -70.0)),
    ("CEA", 0.0, (30.0, 50.0)),
    ("MER", 0.0, (30.0, 50.0)),
    ("TAN", 10.0, (50.0, 0.0)),
    ("SIN", 0.0, (50.0, 20.0)),
    ("AIT", 0.0, (120.0, 50.0)),
    ("MOL", 0.0, (-120.0, 50.0)),
    ("SFL", 0.0, (100.0, -40.0)),
];

/// Wherever a source is, its PSF is round on the sky; wide models are not cut off.
#[test]
fn predictions_follow_the_pixels_at_the_source() {
    for (projection, lat, center) in FAR_OUT {
        let center = SkyPosition::galactic(center.0, center.1);
        let image = cut_far_out(projection, lat, center);
        for (x, y, sigma) in [(30.0, 30.0, 0.0), (24.0, 37.0, 0.0), (30.0, 30.0, 0.1)] {
            let position = image.pix_to_sky(x, y).unwrap();
            let mut dataset = field(&image, 0.15, 1e13);
            let mut model = point(position, 1e-11);
            if sigma > 0.0 {
                let p = position;
                let spatial = GaussianSpatialModel::new(p.lon_deg, p.lat_deg, sigma, 0.0, 0.0, p.frame);
                model.spatial = Some(Arc::new(spatial));
            }
            dataset.models = Models { components: vec![Model::Sky(model)] };
            let found = dataset.npred_signal(None, &cpu(), &Control::new()).unwrap().plane_f64(0);
            let edges = axis("energy").edges_tev().unwrap();
            let spectrum = PowerLawSpectralModel::new(2.0, 1e-11, 1.0);
            let counts = 1e13 * pevatron::models::SpectralModel::integral(&spectrum, edges[0], edges[1]);
            let wanted = on_the_sphere(&image, position, 0.15_f64.hypot(sigma), counts);
            let peak = wanted.iter().copied().fold(0.0, f64::max);
            let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            let what = format!("{projection} {center:?} ({x}, {y}) {sigma}");
            assert!(worst < 0.03 * peak, "{what}: {} of the peak", worst / peak);
            assert!((found.sum() / wanted.sum() - 1.0).abs() < 0.01, "{what}: {} of {}", found.sum(), wanted.sum());
        }
    }
}

#[test]
fn kernels_follow_the_pixels_at_the_centre_of_the_map() {
    for (projection, lat, center) in FAR_OUT {
        let (norm, warnings) = far_out(projection, lat, SkyPosition::galactic(center.0, center.1));
        assert!((norm - 1.0).abs() < 0.01, "{projection} {center:?}: {norm}");
        let told = warnings.iter().any(|w| w.contains("solid angle") && w.contains("fluxes"));
        // An equal-area projection may be alike all over such a small map.
        assert!(told || !["CAR", "TAN", "MER"].contains(&projection), "{projection}: {warnings:?}");
    }
    let (norm, warnings) = far_out("TAN", 20.0, SkyPosition::galactic(0.0, 20.0));
    assert!((norm - 1.0).abs() < 0.01 && warnings.is_empty(), "{norm} {warnings:?}");
}

#[test]
fn undefined_bins_are_left_out_and_said() {
    let image = WcsGeom::create(SkyPosition::galactic(10.0, 0.0), 30, 30, (0.1, 0.1), "CAR", Vec::new()).unwrap();
    let mut clean = field(&image, 0.15, 1e13);
    let noise = |(e, y, x): (usize, usize, usize)| ((31 * e + 17 * y + 57 * x) % 7) as f64;
    clean.counts = Some(cube(&image, "energy", "", noise));
    let safe = |(_, y, x): (usize, usize, usize)| y > 4 && x > 4;
    let mask = |is: &dyn Fn((usize, usize, usize)) -> bool| {
        Mask::from_map(&cube(&image, "energy", "", |at| f64::from(u8::from(is(at)))))
    };
    let hole = |(_, y, x): (usize, usize, usize)| (12..15).contains(&y) && (10..14).contains(&x);
    let dented = |map: &Option<Map>, is: &dyn Fn((usize, usize, usize)) -> bool| {
        let map = map.as_ref().unwrap();
        let data = map.to_cube_f64();
        let holed = Array3::from_shape_fn(data.dim(), |at| if is(at) { f64::NAN } else { data[[at.0, at.1, at.2]] });
        Some(Map::from_cube(map.geom().clone(), map.unit().clone(), holed).unwrap())
    };
    let backend = Backend::reference();
    let control = Control::new();
    let outside = |at| !safe(at);
    // Outside of the mask it does not matter what is undefined.
    let mut wanted = MapDataset { mask_safe: Some(mask(&safe)), ..clean.clone() };
    let undefined = MapDataset {
        counts: dented(&clean.counts, &outside),
        background: dented(&clean.background, &outside),
        exposure: dented(&clean.exposure, &outside),
        ..wanted.clone()
    };
    let estimator = TsMapEstimator::new().kernel_width(Angle::deg(0.9));
    let excess = ExcessMapEstimator::new().correlation_radius(Angle::deg(0.25));
    let asmooth = asmooth(&[Angle::deg(0.3)]);
    let same = |found: &MapDataset, wanted: &MapDataset, bins: Option<usize>| {
        for sum in [true, false] {
            for factor in [None, Some(2)] {
                let mut estimator = estimator.clone().sum_over_energy_groups(sum);
                estimator.downsampling_factor = factor;
                let run = |d: &MapDataset| estimator.run_with(std::slice::from_ref(d), &backend, &control).unwrap();
                let (a, b) = (run(found), run(wanted));
                for name in [FluxQuantity::Norm, FluxQuantity::Ts, FluxQuantity::Status] {
                    assert_close(&quantity(&a.maps, name), &quantity(&b.maps, name), 1e-12, name.name());
                }
                let told = a.warnings.iter().find(|w| w.contains("left out"));
                assert_eq!(told.is_some(), bins.is_some(), "{:?}", a.warnings);
                assert!(bins.is_none_or(|n| told.unwrap().contains(&format!("{n} bins inside"))), "{told:?}");
            }
        }
        let run = |d: &MapDataset| excess.run_with(d, &backend, &control).unwrap();
        let (a, b) = (run(found), run(wanted));
        for name in [FluxQuantity::Counts, FluxQuantity::SqrtTs, FluxQuantity::Norm] {
            let (a, b) = (quantity(&a.maps, name), quantity(&b.maps, name));
            // Pixels of the hole are shown with what is around them; in the masked dataset they are not.
            for (at, value) in a.indexed_iter().filter(|(at, _)| b[*at].is_finite()) {
                assert!(
                    (value - b[at]).abs() <= 1e-12 * (1.0 + b[at].abs()),
                    "{} {at:?}: {value} {}",
                    name.name(),
                    b[at]
                );
            }
        }
        assert_eq!(a.warnings.iter().any(|w| w.contains("left out")), bins.is_some(), "{:?}", a.warnings);
        let (a, b) = (asmooth.run(found, &control).unwrap(), asmooth.run(wanted, &control).unwrap());
        assert_close(&a.counts.to_cube_f64(), &b.counts.to_cube_f64(), 1e-12, "asmooth");
    };
    same(&undefined, &wanted, None);
    // Inside they are left out.
    wanted.mask_safe = Some(mask(&|at| safe(at) && !hole(at)));
    let inside = MapDataset { mask_safe: Some(mask(&safe)), ..clean.clone() };
    for part in 0..2 {
        let mut undefined = inside.clone();
        match part {
            0 => undefined.counts = dented(&clean.counts, &hole),
            _ => undefined.background = dented(&clean.background, &hole),
        }
        same(&undefined, &wanted, Some(24));
        let info = |d: &MapDataset| d.info_dict(true, &backend, &control).unwrap();
        let (a, b) = (info(&undefined), info(&wanted));
        assert!((a.excess - b.excess).abs() < 1e-9 && (a.sqrt_ts - b.sqrt_ts).abs() < 1e-9, "{a:?} {b:?}");
        assert!((a.stat_sum - b.stat_sum).abs() < 1e-9, "{} {}", a.stat_sum, b.stat_sum);
        let kernel = Some(SmoothKernel::Gauss(Angle::deg(0.2)));
        let residuals =
            |d: &MapDataset| d.residuals(ResidualMethod::Diff, kernel, &backend, &control).unwrap().to_cube_f64();
        assert_close(&residuals(&undefined), &residuals(&wanted), 1e-12, "residuals");
    }
    // Without an exposure no fit, but counts and background are known; one energy of two that are undefined is enough.
    let undefined = MapDataset { exposure: dented(&clean.exposure, &|at| hole(at) && at.0 == 1), ..inside.clone() };
    wanted.mask_safe = Some(mask(&|at| safe(at) && !(hole(at) && at.0 == 1)));
    let one = estimator.clone().sum_over_energy_groups(false);
    for engine in engines() {
        let run = |d: &MapDataset| one.run_with(std::slice::from_ref(d), &engine, &control).unwrap();
        let (a, b) = (run(&undefined), run(&wanted));
        assert_close(&quantity(&a.maps, FluxQuantity::Ts), &quantity(&b.maps, FluxQuantity::Ts), 1e-9, "exposure");
        assert!(
            a.warnings.iter().any(|w| w.contains("12 bins inside") && w.contains("exposure in 12")),
            "{:?}",
            a.warnings
        );
    }
}

/// A whole sky in a projection with a border, as Gammapy writes it: nothing is defined beyond the border, and the masks
/// may be true there.
#[test]
fn all_sky_projections_end_at_their_border() {
    for projection in ["AIT", "MOL", "SFL"] {
        let image =
            WcsGeom::create(SkyPosition::galactic(0.0, 0.0), 72, 36, (5.0, 5.0), projection, Vec::new()).unwrap();
        let on_sky = |y: usize, x: usize| image.pix_to_sky(x as f64, y as f64).is_some();
        let mut dataset = field(&image, 5.0, 1e13);
        let or_nan = |v: f64, y: usize, x: usize| if on_sky(y, x) { v } else { f64::NAN };
        dataset.counts =
            Some(cube(&image, "energy", "", |(e, y, x)| or_nan(((3 * e + 5 * y + 7 * x) % 9) as f64, y, x)));
        dataset.background = Some(cube(&image, "energy", "", |(e, y, x)| or_nan(4.0 / (1.0 + e as f64), y, x)));
        dataset.exposure = Some(cube(&image, "energy_true", "cm2 s", |(_, y, x)| or_nan(1e13, y, x)));
        dataset.mask_safe = Some(Mask::filled(dataset.counts.as_ref().unwrap().geom().clone(), true));
        let expected = (0..36).flat_map(|y| (0..72).map(move |x| (y, x))).filter(|(y, x)| on_sky(*y, *x)).count();
        let estimator = TsMapEstimator::new().kernel_width(Angle::deg(30.0));
        for engine in engines() {
            let report = estimator.run_with(std::slice::from_ref(&dataset), &engine, &Control::new()).unwrap();
            let norm = quantity(&report.maps, FluxQuantity::Norm);
            assert_eq!(norm.iter().filter(|v| v.is_finite()).count(), expected, "{projection}");
            assert!(report.warnings.iter().any(|w| w.contains("cut open")), "{projection}: {:?}", report.warnings);
            assert!(report.warnings.iter().any(|w| w.contains("solid angle")), "{projection}: {:?}", report.warnings);
            assert!(!report.warnings.iter().any(|w| w.contains("left out")), "{projection}: {:?}", report.warnings);
        }
        let maps = ExcessMapEstimator::new().correlation_radius(Angle::deg(12.0)).run(&dataset, &cpu()).unwrap();
        let counts = quantity(&maps, FluxQuantity::SqrtTs);
        assert!((0..36).all(|y| (0..72).all(|x| !on_sky(y, x) || counts[[0, y, x]].is_finite())), "{projection}");
        #[cfg(feature = "fits")]
        {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("sky.fits");
            dataset.write(&path, &pevatron::io::WriteOptions::default()).unwrap();
            let again = MapDataset::read(&path).unwrap();
            let counts = again.counts.as_ref().unwrap().to_cube_f64();
            assert_eq!(counts.iter().filter(|v| v.is_finite()).count(), 2 * expected);
            let text: Vec<String> = again.check().iter().map(ToString::to_string).collect();
            assert!(
                text.iter().any(|t| t.starts_with("note: COUNTS") && t.contains("outside the projection")),
                "{text:?}"
            );
            assert!(!text.iter().any(|t| t.starts_with("error")), "{text:?}");
        }
    }
}

#[test]
fn counts_over_no_background_have_no_finite_significance() {
    let image = WcsGeom::create(SkyPosition::galactic(10.0, 0.0), 30, 30, (0.1, 0.1), "CAR", Vec::new()).unwrap();
    let mut dataset = field(&image, 0.15, 1e13);
    let empty = |y: usize, x: usize| y < 12 && x < 12;
    dataset.background = Some(cube(&image, "energy", "", |(_, y, x)| if empty(y, x) { 0.0 } else { 2.0 }));
    dataset.counts = Some(cube(&image, "energy", "", |(_, y, x)| if y < 6 && x < 6 { 0.0 } else { 3.0 }));
    let report = ExcessMapEstimator::new()
        .correlation_radius(Angle::deg(0.25))
        .run_with(&dataset, &cpu(), &Control::new())
        .unwrap();
    let root = quantity(&report.maps, FluxQuantity::SqrtTs);
    assert_eq!((root[[0, 8, 8]], root[[0, 2, 2]]), (f64::INFINITY, 0.0));
    assert!(root[[0, 20, 20]].is_finite() && root[[0, 20, 20]] > 0.0);
    let infinite = root.iter().filter(|v| v.is_infinite()).count() as u64;
    assert_eq!(report.status_counts["infinite_ts"], infinite);
    assert!(report.warnings.iter().any(|w| w.contains(&infinite.to_string()) && w.contains("no background")));
    let asmooth = asmooth(&[Angle::deg(0.06)]);
    let smooth = asmooth.run(&dataset, &Control::new()).unwrap();
    assert_eq!(smooth.sqrt_ts.to_cube_f64()[[0, 8, 8]], f64::INFINITY);
    assert!(smooth.warnings.iter().any(|w| w.contains("no background")), "{:?}", smooth.warnings);
}
