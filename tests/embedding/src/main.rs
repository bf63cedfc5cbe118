//! Pevatron inside another program: arrays in, maps out, no files, no GPU, no features.
//!
//! Ends with an error if a number is not what it must be, so that running it is a test.

use std::error::Error;
use std::sync::Arc;

use ndarray::{Array2, Array3};
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::datasets::MapDataset;
use pevatron::estimators::{EnergyEdges, TsMapEstimator};
use pevatron::flux::FluxQuantity;
use pevatron::irf::PsfMap;
use pevatron::kernels::{CubeView, TsMapData, TsMapInput, TsMapRun, TsMapSettings};
use pevatron::maps::{AxisInterp, Frame, Geom, Map, MapAxis, SkyPosition, WcsGeom};
use pevatron::models::SkyModel;
use pevatron::models::spatial::PointSpatialModel;
use pevatron::models::spectral::PowerLawSpectralModel;
use pevatron::units::Angle;
use pevatron::{Control, ErrorKind};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    arrays_in_arrays_out()?;
    dataset_in_flux_maps_out()?;
    errors_are_values()?;
    println!("embedding: all as expected");
    Ok(())
}

fn check(what: &str, got: f64, want: f64, tolerance: f64) -> Outcome {
    println!("{what}: {got:.9} for {want:.9}");
    if (got - want).abs() <= tolerance { Ok(()) } else { Err(format!("{what}: {got} is not {want}").into()) }
}

fn cpu() -> Result<Backend, pevatron::Error> {
    let mut options = BackendOptions::default();
    options.choice = BackendChoice::Cpu;
    options.threads = Some(2);
    Backend::new(&options)
}

/// The level below sky and units: one bin per window, where the solution is (n - b) / m and has sigma sqrt(n) / m.
fn arrays_in_arrays_out() -> Outcome {
    let backends = [Backend::reference(), cpu()?];
    let counts = Array3::from_shape_fn((1, 3, 4), |(_, y, x)| (10 + y * 4 + x) as f32);
    let background = Array3::from_elem((1, 3, 4), 6.0f32);
    let exposure = Array3::from_elem((1, 3, 4), 8.0f32);
    let data = TsMapData::new(vec![TsMapInput {
        counts: CubeView::F32(counts.view()),
        background: CubeView::F32(background.view()),
        exposure: CubeView::F32(exposure.view()),
    }])?;
    let kernel = Array3::from_elem((1, 1, 1), 0.5);
    let mask = Array2::from_elem((3, 4), true);
    let run = TsMapRun {
        planes: vec![0..1],
        kernels: vec![kernel.view()],
        fit_mask: mask.view(),
        norm_guess: None,
        settings: TsMapSettings::default(),
    };
    for backend in &backends {
        let tolerance = if backend.info().double_precision { 1e-12 } else { 1e-5 };
        let output = backend.engine().ts_map(&data, &run, &Control::new())?;
        for ((at, norm), error) in output.norm.indexed_iter().zip(&output.norm_err) {
            let n = f64::from(counts[[0, at.0, at.1]]);
            if ((norm - (n - 6.0) / 4.0).abs() > tolerance) || ((error - n.sqrt() / 4.0).abs() > tolerance) {
                return Err(format!("{}: {at:?}: {norm} ± {error}", backend.info().name).into());
            }
        }
    }
    Ok(())
}

/// A dataset made from arrays: Asimov counts of a source at pixel (12, 9) come back with the flux that was put in.
fn dataset_in_flux_maps_out() -> Outcome {
    let energy = MapAxis::energy_bounds(1.0, 10.0, 3, "energy")?;
    let energy_true = MapAxis::energy_bounds(1.0, 10.0, 3, "energy_true")?;
    let center = SkyPosition { lon_deg: 83.6, lat_deg: 22.0, frame: Frame::Icrs };
    let image = WcsGeom::create(center, 25, 21, (0.05, 0.05), "TAN", Vec::new())?;
    let cube = |axis: &MapAxis| Arc::new(Geom::Wcs(image.with_axes(vec![axis.clone()])));
    let shape = (3, 21, 25);
    let rad =
        MapAxis::from_edges("rad", "deg".parse()?, (0..=60).map(|i| f64::from(i) * 0.01).collect(), AxisInterp::Lin)?;
    let source = image.pix_to_sky(12.0, 9.0).ok_or("the pixel is not on the sky")?;

    let mut dataset = MapDataset {
        name: "mine".into(),
        background: Some(Map::from_cube(cube(&energy), Default::default(), Array3::from_elem(shape, 0.4))?),
        exposure: Some(Map::from_cube(cube(&energy_true), "cm2 s".parse()?, Array3::from_elem(shape, 3e13))?),
        psf: Some(PsfMap::from_gauss(rad, energy_true, |_| 0.06)?),
        ..MapDataset::default()
    };
    let amplitude = 4e-12;
    let model = |amplitude, lon, lat| {
        SkyModel::new(
            "source",
            Arc::new(PowerLawSpectralModel::new(2.0, amplitude, 1.0)),
            Some(Arc::new(PointSpatialModel::new(lon, lat, Frame::Icrs))),
        )
    };
    let backend = Backend::reference();
    let control = Control::new();
    dataset.models.components.push(pevatron::models::Model::Sky(model(amplitude, source.lon_deg, source.lat_deg)));
    dataset.counts = Some(dataset.npred(&backend, &control)?);
    dataset.models = Default::default();

    let estimator = TsMapEstimator::new()
        .kernel_model(model(1e-12, 0.0, 0.0))
        .kernel_width(Angle::deg(0.85))
        .energy_edges(EnergyEdges::Whole)
        .sum_over_energy_groups(false);
    let norm_at_source = |backend: &Backend| -> Result<(f64, f64), Box<dyn Error>> {
        let maps = estimator.run(std::slice::from_ref(&dataset), backend)?;
        let at = |q| maps.get(q).map(|m| m.plane_f64(0)[[9, 12]]).ok_or("a map is not there");
        Ok((at(FluxQuantity::Norm)?, at(FluxQuantity::Ts)?))
    };
    let (norm, ts) = norm_at_source(&backend)?;
    check("norm", norm, amplitude / 1e-12, 2e-3)?;
    if ts < 100.0 {
        return Err(format!("ts {ts} is too small").into());
    }
    let (on_cpu, _) = norm_at_source(&cpu()?)?;
    check("norm, cpu against reference", on_cpu, norm, 1e-4)
}

/// Wrong input is an error value with a class, never a panic; a cancelled run says so.
fn errors_are_values() -> Outcome {
    let backend = Backend::reference();
    let empty = TsMapEstimator::new().run(&[MapDataset::default()], &backend);
    match empty {
        Err(error) if error.kind() == ErrorKind::Input => println!("an empty dataset: {error}"),
        other => return Err(format!("an empty dataset gives {other:?}").into()),
    }
    let none = TsMapEstimator::new().run(&[], &backend);
    if none.is_ok() {
        return Err("no dataset at all gives a result".into());
    }
    let mut options = BackendOptions::default();
    options.choice = BackendChoice::Gpu;
    match Backend::new(&options) {
        Err(error) if error.kind() == ErrorKind::Unsupported => println!("a GPU in a build without: {error}"),
        other => return Err(format!("a GPU in a build without gives {other:?}").into()),
    }
    Ok(())
}
