//! Events against what is predicted: counts per bin, and the distributions of what happens to an event on its way.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use ndarray::{Array3, ArrayD, Axis};
use pevatron::data::EventList;
use pevatron::datasets::MapDataset;
use pevatron::irf::{EDisp, EDispKernelMap, EDispMap, PsfMap, gauss_response};
use pevatron::maps::{AxisInterp, Frame, Geom, Map, MapAxis, MapData, RegionGeom, SkyPosition, WcsGeom};
use pevatron::models::spatial::{
    ConstantSpatialModel, DiskSpatialModel, GaussianSpatialModel, PointSpatialModel, ShellSpatialModel,
    TemplateSpatialModel,
};
use pevatron::models::spectral::{ConstantSpectralModel, ExpCutoffPowerLawSpectralModel, PowerLawSpectralModel};
use pevatron::models::temporal::{self, TemporalModel};
use pevatron::models::{Model, Models, Parameter, SkyModel, SpatialModel, SpectralModel};
use pevatron::simulate::{EventSampler, EventSamplerOptions};
use pevatron::time::{Gti, TimeReference};
use pevatron::{Control, ErrorKind};
use support::field::cpu;

const CENTER: SkyPosition = SkyPosition::icrs(83.63, 22.01);

fn wcs(nx: usize, ny: usize, binsz: f64, axes: Vec<MapAxis>) -> WcsGeom {
    WcsGeom::create(CENTER, nx, ny, (binsz, binsz), "TAN", axes).unwrap()
}

fn cube(geom: &WcsGeom, axis: &MapAxis, unit: &str, value: impl Fn(usize, usize, usize) -> f64) -> Map {
    let geom = geom.with_axes(vec![axis.clone()]);
    let data = Array3::from_shape_fn((axis.nbin(), geom.ny(), geom.nx()), |(e, y, x)| value(e, y, x));
    Map::from_cube(Arc::new(Geom::Wcs(geom)), unit.parse().unwrap(), data).unwrap()
}

fn gti() -> Gti {
    Gti { intervals: vec![(1000.0, 2800.0), (4000.0, 5800.0)], reference: TimeReference::default() }
}

fn rad(bins: u32, width_deg: f64) -> MapAxis {
    let edges = (0..=bins).map(|i| width_deg * f64::from(i)).collect();
    MapAxis::from_edges("rad", "deg".parse().unwrap(), edges, AxisInterp::Lin).unwrap()
}

/// A survey of 40 × 36 pixels with everything that varies: exposure and background over the field, PSF with energy,
/// energy dispersion.
fn survey() -> MapDataset {
    let geom = wcs(40, 36, 0.05, Vec::new());
    let energy = MapAxis::energy_bounds(1.0, 30.0, 10, "energy").unwrap();
    let truth = MapAxis::energy_bounds(0.5, 60.0, 30, "energy_true").unwrap();
    let centers = truth.center_tev().unwrap();
    let matrix = gauss_response(&truth, &energy, 0.15, 0.0).unwrap();
    MapDataset {
        name: "survey".into(),
        background: Some(cube(&geom, &energy, "", |e, y, x| {
            (20.0 + 0.3 * x as f64 + 0.1 * y as f64) * (-0.35 * e as f64).exp()
        })),
        exposure: Some(cube(&geom, &truth, "m2 s", |t, y, x| {
            1e10 * centers[t].sqrt() * (1.0 + 0.004 * x as f64 - 0.003 * y as f64)
        })),
        psf: Some(PsfMap::from_gauss(rad(120, 0.005), truth.clone(), |e| 0.09 * e.powf(-0.15)).unwrap()),
        edisp: Some(EDisp::Kernel(EDispKernelMap::from_matrix(energy, truth, &matrix).unwrap())),
        gti: Some(gti()),
        livetime_s: Some(3400.0),
        ..MapDataset::default()
    }
}

fn power_law(index: f64, amplitude: f64) -> Arc<dyn SpectralModel> {
    Arc::new(PowerLawSpectralModel::new(index, amplitude, 1.0))
}

fn sky(name: &str, spectral: Arc<dyn SpectralModel>, spatial: impl SpatialModel + 'static) -> Model {
    Model::Sky(SkyModel::new(name, spectral, Some(Arc::new(spatial))))
}

fn at_pixel(dataset: &MapDataset, x: f64, y: f64) -> (f64, f64) {
    let p = dataset.background.as_ref().unwrap().wcs_geom().unwrap().pix_to_sky(x, y).unwrap();
    (p.lon_deg, p.lat_deg)
}

fn with_sources() -> MapDataset {
    let mut dataset = survey();
    let ((a, b), (c, d), (e, f)) =
        (at_pixel(&dataset, 12.0, 14.0), at_pixel(&dataset, 26.3, 20.6), at_pixel(&dataset, 38.0, 3.0));
    let cutoff = ExpCutoffPowerLawSpectralModel::from_parameters(&[
        Parameter::new("index", 1.7, "".parse().unwrap()),
        Parameter::new("amplitude", 3e-11, "TeV-1 cm-2 s-1".parse().unwrap()),
        Parameter::new("lambda_", 0.1, "TeV-1".parse().unwrap()),
    ])
    .unwrap();
    dataset.models = Models {
        components: vec![
            sky("point", power_law(2.3, 4e-11), PointSpatialModel::new(a, b, Frame::Icrs)),
            sky("gauss", Arc::new(cutoff), GaussianSpatialModel::new(c, d, 0.2, 0.6, 30.0, Frame::Icrs)),
            // At the border, so that a part of it is lost.
            sky("disk", power_law(2.0, 2e-11), DiskSpatialModel::new(e, f, 0.25, 0.0, 0.0, 0.01, Frame::Icrs)),
            sky("shell", power_law(2.2, 2e-11), ShellSpatialModel::new(c, b, 0.2, 0.05, Frame::Icrs)),
            sky("everywhere", power_law(2.5, 1e-9), ConstantSpatialModel::new(1.0)),
            // Far outside: nothing comes of it.
            sky("elsewhere", power_law(2.0, 1e-9), GaussianSpatialModel::new(200.0, -40.0, 0.2, 0.0, 0.0, Frame::Icrs)),
        ],
    };
    dataset
}

fn sample(dataset: &MapDataset, seed: u64) -> EventList {
    let options = EventSamplerOptions { seed, ..EventSamplerOptions::default() };
    EventSampler::new(dataset, &options).unwrap().sample(&Control::new()).unwrap()
}

/// How far the chi-square of Poisson counts is from what it should be, in standard deviations: each bin has mean 1 and
/// variance 2 + 1/mu.
fn chi_square(counts: &Map, npred: &Map) -> f64 {
    let (mut sum, mut variance) = (0.0, 0.0);
    for (n, mu) in counts.data().iter().zip(npred.data().iter()) {
        if mu > 0.5 {
            sum += (n - mu).powi(2) / mu - 1.0;
            variance += 2.0 + 1.0 / mu;
        }
    }
    if variance > 0.0 { sum / f64::sqrt(variance) } else { 0.0 }
}

/// Largest distance of a sample from a distribution function, times the root of its size: 1.95 in 1 of 1000 cases.
fn kolmogorov(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    assert!(sample.len() > 1000, "{} values", sample.len());
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let far = |(i, v): (usize, &f64)| (cdf(*v) - i as f64 / n).abs().max(((i + 1) as f64 / n - cdf(*v)).abs());
    sample.iter().enumerate().map(far).fold(0.0, f64::max) * n.sqrt()
}

fn separations(events: &EventList, center: SkyPosition) -> Vec<f64> {
    let positions = events.ra_deg.iter().zip(&events.dec_deg);
    positions.map(|(ra, dec)| SkyPosition::icrs(*ra, *dec).separation_deg(center)).collect()
}

#[test]
fn binned_events_are_what_is_predicted() {
    let dataset = with_sources();
    let npred = dataset.npred(&cpu(2), &Control::new()).unwrap();
    let mut worst: f64 = 0.0;
    for seed in [1, 2] {
        let events = sample(&dataset, seed);
        let counts = events.counts(npred.geom()).unwrap();
        assert_eq!(counts.sum(), events.len() as f64, "all events lie on the map");
        let chi = chi_square(&counts, &npred);
        worst = worst.max(chi.abs());
        assert!(chi.abs() < 4.0, "seed {seed}: {chi} standard deviations, {} events", events.len());
        // Sums over the sky, by energy.
        let (counts, npred) = (counts.to_cube_f64(), npred.to_cube_f64());
        for (e, (n, mu)) in counts.axis_iter(Axis(0)).zip(npred.axis_iter(Axis(0))).enumerate() {
            let (n, mu) = (n.sum(), mu.sum());
            assert!((n - mu).abs() < 4.0 * mu.sqrt() + 1e-3 * mu, "energy {e}: {n} for {mu}");
        }
    }
    println!("worst deviation of chi-square: {worst:.2} standard deviations");
}

#[test]
fn each_component_has_its_number() {
    let dataset = with_sources();
    let options = EventSamplerOptions { seed: 5, ..EventSamplerOptions::default() };
    let sampler = EventSampler::new(&dataset, &options).unwrap();
    let mut all = None;
    let told = sampler
        .for_each_slice(&Control::new(), &mut |slice| {
            match &mut all {
                None => all = Some(slice.clone()),
                Some(list) => EventList::append(list, slice),
            }
            Ok(())
        })
        .unwrap();
    let all = all.unwrap();
    assert_eq!(told.len(), 7);
    for component in &told {
        let events = all.of_component(component.mc_id);
        assert_eq!(events.len() as u64, component.kept, "{}", component.name);
        let predicted = match component.mc_id {
            0 => dataset.npred_background().unwrap(),
            _ => dataset.npred_signal(Some(&component.name), &cpu(2), &Control::new()).unwrap(),
        };
        let (n, mu) = (events.len() as f64, predicted.sum());
        assert!((n - mu).abs() <= 4.0 * mu.sqrt() + 3e-3 * mu, "{}: {n} for {mu}", component.name);
        let chi = chi_square(&events.counts(predicted.geom()).unwrap(), &predicted);
        assert!(chi.abs() < 4.0, "{}: {chi} standard deviations", component.name);
        // Alone, a component has the same events.
        let options = EventSamplerOptions { component: Some(component.name.clone()), ..options.clone() };
        let alone = EventSampler::new(&dataset, &options).unwrap().sample(&Control::new()).unwrap();
        assert_eq!((&alone.time_s, &alone.ra_deg), (&events.time_s, &events.ra_deg), "{}", component.name);
        assert_eq!(alone.energy_tev, events.energy_tev, "{}", component.name);
    }
    assert_eq!(told[6].drawn, 0, "elsewhere");
    assert!(told[3].kept < told[3].drawn, "a part of the disk is lost: {:?}", told[3]);
    assert_eq!(all.event_id, (0..all.len() as i64).collect::<Vec<_>>());
    assert!(all.time_s.windows(2).all(|w| w[0] <= w[1]), "in order of time");
    assert!(all.time_s.iter().all(|t| (1000.0..=2800.0).contains(t) || (4000.0..=5800.0).contains(t)));
    assert_eq!(all.meta.components[0], (0, "background".to_string()));
    assert_eq!(all.meta.components[1], (1, "point".to_string()));
    // A point source is exactly where it is.
    let truth = all.of_component(1).truth.unwrap();
    let (ra, dec) = at_pixel(&dataset, 12.0, 14.0);
    assert!(
        truth.ra_deg.iter().all(|v| (v - ra).abs() < 1e-10) && truth.dec_deg.iter().all(|v| (v - dec).abs() < 1e-10)
    );
}

/// One source without background, in one wide bin of each energy.
fn one_source(model: Model, psf: Option<PsfMap>) -> MapDataset {
    let geom = wcs(200, 200, 0.05, Vec::new());
    let energy = MapAxis::energy_bounds(1.0, 100.0, 1, "energy").unwrap();
    let truth = energy.renamed("energy_true");
    MapDataset {
        name: "one".into(),
        counts: Some(cube(&geom, &energy, "", |_, _, _| 0.0)),
        exposure: Some(cube(&geom, &truth, "cm2 s", |_, _, _| 1e15)),
        psf,
        gti: Some(gti()),
        models: Models { components: vec![model] },
        ..MapDataset::default()
    }
}

fn point(spectral: Arc<dyn SpectralModel>) -> Model {
    sky("point", spectral, PointSpatialModel::new(CENTER.lon_deg, CENTER.lat_deg, Frame::Icrs))
}

#[test]
fn distances_follow_the_containment_of_the_psf() {
    for sigma in [0.02, 0.1, 0.5] {
        let axis = MapAxis::energy_bounds(1.0, 100.0, 1, "energy_true").unwrap();
        let psf = PsfMap::from_gauss(rad(300, sigma / 40.0), axis, |_| sigma).unwrap();
        let profile = psf.profile_at(None).unwrap();
        let events = sample(&one_source(point(power_law(2.0, 3e-11)), Some(psf)), 7);
        let distances = separations(&events, CENTER);
        let inside = |r: f64| distances.iter().filter(|d| **d < r).count() as f64 / distances.len() as f64;
        for fraction in [0.1, 0.39, 0.68, 0.95] {
            let found = inside(profile.containment_radius_deg(fraction, 10.0));
            let error = (fraction * (1.0 - fraction) / distances.len() as f64).sqrt();
            // The radius is one of a list with steps of 1/800 sigma.
            assert!((found - fraction).abs() < 4.0 * error + 1e-3, "{sigma}: {found} for {fraction}");
        }
        let d = kolmogorov(distances, |r| 1.0 - (-0.5 * (r / sigma).powi(2)).exp());
        assert!(d < 1.95, "sigma {sigma}: {d}");
        // Directions are all alike: as many to the east as to the west.
        let east = events.ra_deg.iter().filter(|ra| **ra > CENTER.lon_deg).count() as f64;
        let n = events.len() as f64;
        assert!((east - 0.5 * n).abs() < 4.0 * 0.5 * n.sqrt(), "{east} of {n}");
    }
}

#[test]
fn the_psf_is_that_of_the_position() {
    // Three pixels of 2° side by side, the PSF widens from one to the next; a fourth one has none.
    let axis = MapAxis::energy_bounds(1.0, 100.0, 1, "energy_true").unwrap();
    let sigmas = [0.03, 0.09, 0.15];
    let rad = rad(300, 0.0025);
    let image = wcs(4, 1, 2.0, vec![rad.clone(), axis]);
    let values = ArrayD::from_shape_fn(vec![1, 300, 1, 4], |i| {
        let Some(sigma) = sigmas.get(i[3]).map(|s: &f64| s.to_radians()) else { return 0.0 };
        let r = rad.center()[i[1]].to_radians();
        (-0.5 * (r / sigma).powi(2)).exp() / (2.0 * std::f64::consts::PI * sigma * sigma)
    });
    let psf = Map::new(Arc::new(Geom::Wcs(image.clone())), "sr-1".parse().unwrap(), MapData::F64(values)).unwrap();
    let psf = PsfMap { psf, exposure: None };
    for (x, expected) in [
        (0.0, 0.03f64.powi(2)),
        (1.0, 0.09f64.powi(2)),
        (1.5, 0.5 * (0.09f64.powi(2) + 0.15f64.powi(2))),
        (0.25, 0.75 * 0.03f64.powi(2) + 0.25 * 0.09f64.powi(2)),
        // The nearest pixel with a PSF stands for the one without.
        (3.0, 0.15f64.powi(2)),
    ] {
        let p = image.pix_to_sky(x, 0.0).unwrap();
        let model = sky("point", power_law(2.0, 2e-11), PointSpatialModel::new(p.lon_deg, p.lat_deg, Frame::Icrs));
        let events = sample(&one_source(model, Some(psf.clone())), 11);
        let squares: Vec<f64> = separations(&events, p).iter().map(|d| d * d).collect();
        let mean = squares.iter().sum::<f64>() / squares.len() as f64;
        assert!(events.len() > 10_000, "{}", events.len());
        assert!((mean / (2.0 * expected) - 1.0).abs() < 0.05, "at {x}: {mean} for {}", 2.0 * expected);
    }
}

fn migration(means: &[f64], sigma: f64) -> (EDispMap, MapAxis) {
    let edges = (0..=200).map(|i| 0.01 + 0.0125 * f64::from(i)).collect();
    let migra = MapAxis::from_edges("migra", "".parse().unwrap(), edges, AxisInterp::Lin).unwrap();
    let truth = MapAxis::energy_bounds(1.0, 100.0, means.len(), "energy_true").unwrap();
    let geom = Arc::new(Geom::Region(RegionGeom::new(None, None, vec![migra.clone(), truth])));
    let norm = 1.0 / (sigma * (2.0 * std::f64::consts::PI).sqrt());
    let values = ArrayD::from_shape_fn(geom.data_shape(), |i| {
        norm * (-0.5 * ((migra.center()[i[1]] - means[i[0]]) / sigma).powi(2)).exp()
    });
    let edisp = Map::new(geom, Default::default(), MapData::F64(values)).unwrap();
    (EDispMap { edisp, exposure: None }, migra)
}

#[test]
fn energies_migrate_as_the_map_says() {
    let (edisp, _) = migration(&[1.1], 0.15);
    let mut dataset = one_source(point(power_law(2.0, 5e-11)), None);
    dataset.edisp = Some(EDisp::Migra(edisp));
    let events = sample(&dataset, 3);
    let truth = events.truth.as_ref().unwrap();
    // Far from the edges of the energies that are kept, nothing is lost.
    let ratios: Vec<f64> = (events.energy_tev.iter().zip(&truth.energy_tev))
        .filter(|(_, t)| **t > 4.0 && **t < 40.0)
        .map(|(e, t)| e / t)
        .collect();
    let n = ratios.len() as f64;
    let mean = ratios.iter().sum::<f64>() / n;
    let sigma = (ratios.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n).sqrt();
    assert!((mean - 1.1).abs() < 4.0 * 0.15 / n.sqrt() && (sigma - 0.15).abs() < 4.0 * 0.15 / n.sqrt());
    let normal = |r: f64| 0.5 * libm_erfc(-(r - 1.1) / (0.15 * std::f64::consts::SQRT_2));
    let d = kolmogorov(ratios, normal);
    assert!(d < 1.95, "{d}");

    // Migration that changes with energy, linearly between the nodes.
    let mut dataset = one_source(point(power_law(2.0, 5e-11)), None);
    dataset.edisp = Some(EDisp::Migra(migration(&[0.8, 1.2], 0.05).0));
    let events = sample(&dataset, 4);
    let truth = &events.truth.as_ref().unwrap().energy_tev;
    let near = |energy: f64| {
        let pairs = events.energy_tev.iter().zip(truth).filter(|(_, t)| (**t / energy).ln().abs() < 0.2);
        let (sum, n) = pairs.fold((0.0, 0.0), |(s, n), (e, t)| (s + e / t, n + 1.0));
        sum / n
    };
    // Nodes at 10^0.5 and 10^1.5 TeV.
    assert!((near(3.16) - 0.8).abs() < 0.025 && (near(31.6) - 1.2).abs() < 0.03, "{} {}", near(3.16), near(31.6));
    assert!((near(10.0) - 1.0).abs() < 0.03, "{}", near(10.0));
}

/// Complementary error function by its integral; exact enough to compare thousands of values with.
fn libm_erfc(x: f64) -> f64 {
    let integral = pevatron::math::quadrature::integrate(|t| (-t * t).exp(), 0.0, x.clamp(-6.0, 6.0), 1e-12, 1e-10);
    1.0 - 2.0 / std::f64::consts::PI.sqrt() * integral.value
}

#[test]
fn a_matrix_gives_its_rows() {
    let mut dataset = survey();
    let (lon, lat) = at_pixel(&dataset, 20.0, 18.0);
    dataset.psf = None;
    dataset.background = Some(dataset.background.as_ref().unwrap().scaled(0.0, Default::default()));
    dataset.models.components =
        vec![sky("point", power_law(2.0, 2e-10), PointSpatialModel::new(lon, lat, Frame::Icrs))];
    let events = sample(&dataset, 8);
    let (energy, truth) = (dataset.energy_axis().unwrap(), dataset.exposure.as_ref().unwrap().geom().axes()[0].clone());
    let matrix = dataset.edisp.as_ref().unwrap().matrix_at(None, energy).unwrap();
    let mut found = ndarray::Array2::<f64>::zeros(matrix.dim());
    for (e, t) in events.energy_tev.iter().zip(&events.truth.as_ref().unwrap().energy_tev) {
        found[[truth.coord_to_idx(*t).unwrap(), energy.coord_to_idx(*e).unwrap()]] += 1.0;
    }
    let model = power_law(2.0, 2e-10);
    let exposure = dataset.exposure.as_ref().unwrap().to_unit("cm2 s").unwrap();
    let (flux, mut chi, mut bins) = (model.integral_bins(&truth.edges_tev().unwrap()), 0.0, 0.0);
    for ((t, r), n) in found.indexed_iter() {
        let mu = matrix[[t, r]] * flux[t] * exposure.cube().at(t, 18, 20);
        if mu > 5.0 {
            chi += (n - mu).powi(2) / mu;
            bins += 1.0;
        } else {
            assert!(*n < 25.0, "{n} for {mu}");
        }
    }
    assert!(bins > 50.0 && (chi - bins).abs() < 4.5 * f64::sqrt(2.2 * bins), "{chi} in {bins} bins");
}

#[test]
fn energies_in_a_wide_bin_have_the_slope_of_the_spectrum() {
    for index in [1.0, 2.5, 4.0] {
        let model = power_law(index, 1e-11 * 3f64.powf(index));
        let events = sample(&one_source(point(Arc::clone(&model)), None), 21);
        let whole = model.integral(1.0, 100.0);
        let d = kolmogorov(events.energy_tev, |e| model.integral(1.0, e) / whole);
        assert!(d < 1.95, "index {index}: {d}");
    }
}

/// A template whose brightness falls as E^-2 on one side and as E^-3 on the other: in one wide bin, events of each side
/// have their own slope.
#[test]
fn templates_that_vary_with_energy_have_the_spectrum_of_the_place() {
    let nodes = MapAxis::from_nodes("energy_true", "TeV".parse().unwrap(), vec![1.0, 100.0], AxisInterp::Log).unwrap();
    let geom = wcs(2, 1, 2.0, vec![nodes]);
    let data = Array3::from_shape_fn((2, 1, 2), |(e, _, x)| 1e-8 * 100f64.powf(-((2 + x) as f64) * e as f64));
    let map = Map::from_cube(Arc::new(Geom::Wcs(geom)), "cm-2 s-1 TeV-1 sr-1".parse().unwrap(), data).unwrap();
    let template = TemplateSpatialModel::new(Arc::new(map), false).unwrap();
    let mut dataset = one_source(sky("map", Arc::new(ConstantSpectralModel::norm(1.0)), template), None);
    dataset.exposure = Some(dataset.exposure.as_ref().unwrap().scaled(10.0, "cm2 s".parse().unwrap()));
    let events = sample(&dataset, 31);
    let index = |ra: f64| {
        // The maximum-likelihood index of a power law from 1 to 100 TeV, where the upper end does not matter much.
        let logs: Vec<f64> = events
            .ra_deg
            .iter()
            .zip(&events.energy_tev)
            .filter(|(r, _)| (**r - ra).abs() < 0.15)
            .map(|(_, e)| e.ln())
            .collect();
        assert!(logs.len() > 300, "{} near {ra}", logs.len());
        (1.0 + logs.len() as f64 / logs.iter().sum::<f64>(), logs.len() as f64)
    };
    let cos = CENTER.lat_deg.to_radians().cos();
    for (ra, wanted) in [(CENTER.lon_deg + 1.0 / cos, 2.0), (CENTER.lon_deg - 1.0 / cos, 3.0)] {
        let (found, n) = index(ra);
        assert!((found - wanted).abs() < 4.0 * (wanted - 1.0) / n.sqrt() + 0.07, "{found} for {wanted}, {n} events");
    }
}

#[test]
fn times_follow_the_variation() {
    let reference = gti().reference.mjd();
    let parameters = [
        Parameter::new("t_ref", reference + 2500.0 / 86400.0, "d".parse().unwrap()),
        Parameter::new("sigma", 400.0 / 86400.0, "d".parse().unwrap()),
    ];
    let flare = temporal::from_parameters("GaussianTemporalModel", &parameters, "tt").unwrap();
    let mut model = SkyModel::new(
        "flare",
        power_law(2.0, 1e-10),
        Some(Arc::new(PointSpatialModel::new(CENTER.lon_deg, CENTER.lat_deg, Frame::Icrs))),
    );
    model.temporal = Some(Arc::clone(&flare));
    let dataset = one_source(Model::Sky(model), None);
    let events = sample(&dataset, 13);
    let npred = dataset.npred(&cpu(2), &Control::new()).unwrap().sum();
    assert!((events.len() as f64 - npred).abs() < 4.0 * npred.sqrt(), "{} for {npred}", events.len());
    let day = |s: f64| reference + s / 86400.0;
    let integral = |flare: &dyn TemporalModel, to: f64| {
        let part = |a: f64, b: f64| if to > a { flare.integral_days(day(a), day(to.min(b))) } else { 0.0 };
        part(1000.0, 2800.0) + part(4000.0, 5800.0)
    };
    let whole = integral(flare.as_ref(), 1e9);
    let d = kolmogorov(events.time_s, |t| integral(flare.as_ref(), t) / whole);
    assert!(d < 1.95, "{d}");

    // Without variation: uniform over what was observed.
    let events = sample(&one_source(point(power_law(2.0, 3e-11)), None), 14);
    let observed = |t: f64| if t < 3000.0 { t - 1000.0 } else { t - 2200.0 };
    let d = kolmogorov(events.time_s, |t| observed(t) / 3600.0);
    assert!(d < 1.95, "{d}");
}

#[test]
fn the_same_on_any_number_of_threads() {
    let mut dataset = with_sources();
    // Enough for several slices of time.
    dataset.background = Some(dataset.background.as_ref().unwrap().scaled(14.0, Default::default()));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| sample(&dataset, 99))
    };
    let one = on(1);
    assert!(one.len() > 1 << 20, "{} events", one.len());
    assert!(one.time_s.windows(2).all(|w| w[0] <= w[1]));
    for threads in [2, 4] {
        assert!(on(threads) == one, "{threads} threads");
    }
    assert!(sample(&dataset, 100).time_s[..100] != one.time_s[..100], "another seed");
}

#[test]
fn detector_coordinates_are_distances_from_the_pointing() {
    let pointing = SkyPosition::icrs(83.63, 22.51);
    let options = EventSamplerOptions { pointing: Some(pointing), truth: false, ..EventSamplerOptions::default() };
    let dataset = one_source(point(power_law(2.0, 3e-12)), None);
    let events = EventSampler::new(&dataset, &options).unwrap().sample(&Control::new()).unwrap();
    let detector = events.detector.as_ref().unwrap();
    assert!(events.truth.is_none() && events.len() > 100);
    for (x, y) in detector.x_deg.iter().zip(&detector.y_deg) {
        assert!(x.abs() < 1e-9 && (y + 0.5).abs() < 1e-9, "{x} {y}");
    }
    assert_eq!(events.meta.pointing, Some(pointing));
}

#[test]
fn what_cannot_be_simulated_is_an_error() {
    let default = EventSamplerOptions::default();
    #[track_caller]
    fn wrong(dataset: &MapDataset, options: &EventSamplerOptions, kind: ErrorKind, words: &[&str]) {
        let error = EventSampler::new(dataset, options).and_then(|s| s.sample(&Control::new())).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "'{word}' in {error}");
        }
    }
    let whole = with_sources();
    wrong(&MapDataset { exposure: None, ..whole.clone() }, &default, ErrorKind::Input, &["exposure"]);
    wrong(&MapDataset { gti: None, ..whole.clone() }, &default, ErrorKind::Input, &["gti"]);
    wrong(&MapDataset { gti: Some(Gti::default()), ..whole.clone() }, &default, ErrorKind::Input, &["gti", "no time"]);
    let mut other = whole.clone();
    other.background = Some(whole.background.as_ref().unwrap().scaled(-1.0, Default::default()));
    wrong(&other, &default, ErrorKind::Input, &["background", "-"]);
    other.background = Some(whole.background.as_ref().unwrap().scaled(1e6, Default::default()));
    wrong(&other, &default, ErrorKind::Input, &["events, more than 2e9"]);
    let component = EventSamplerOptions { component: Some("crab".into()), ..default.clone() };
    wrong(&whole, &component, ErrorKind::Options, &["component", "crab", "gauss", "background"]);
    let mut other = whole.clone();
    other.models.components[0] =
        sky("sink", power_law(2.0, -1e-12), PointSpatialModel::new(CENTER.lon_deg, CENTER.lat_deg, Frame::Icrs));
    wrong(&other, &default, ErrorKind::Input, &["sink", "-"]);
    let mut other = whole.clone();
    other.models.components = vec![Model::Sky(SkyModel::new("spectrum", power_law(2.0, 1e-12), None))];
    wrong(&other, &default, ErrorKind::Input, &["spectrum", "spatial"]);
    let mut other = whole.clone();
    let sine =
        [Parameter::new("amp", 3.0, "".parse().unwrap()), Parameter::new("omega", 2000.0, "rad d-1".parse().unwrap())];
    if let Model::Sky(model) = &mut other.models.components[0] {
        model.temporal = Some(temporal::from_parameters("SineTemporalModel", &sine, "tt").unwrap());
    }
    wrong(&other, &default, ErrorKind::Input, &["SineTemporalModel", "below 0"]);
    let control = Control::new();
    control.cancel();
    let error = EventSampler::new(&whole, &default).unwrap().sample(&control).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[cfg(feature = "fits-system")]
mod files;
