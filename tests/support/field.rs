//! A small simulated field with point sources anywhere within their pixels.

use std::sync::Arc;

use ndarray::Array3;
use pevatron::Control;
use pevatron::compute::{Backend, BackendChoice, BackendOptions};
use pevatron::datasets::MapDataset;
use pevatron::irf::PsfMap;
use pevatron::maps::{AxisInterp, Frame, Geom, Map, MapAxis, SkyPosition, WcsGeom};
use pevatron::models::spatial::PointSpatialModel;
use pevatron::models::spectral::PowerLawSpectralModel;
use pevatron::models::{Model, Models, SkyModel};
use pevatron::simulate::fake_counts;

pub const BINSZ: f64 = 0.05;

pub fn image(nx: usize, ny: usize) -> WcsGeom {
    WcsGeom::create(SkyPosition::galactic(30.0, 10.0), nx, ny, (BINSZ, BINSZ), "CAR", Vec::new()).unwrap()
}

/// A point source at pixel coordinates, of an amplitude in 1e-12.
pub fn source(name: &str, geom: &WcsGeom, (x, y): (f64, f64), amplitude: f64) -> SkyModel {
    let p = geom.pix_to_sky(x, y).unwrap();
    let spatial = PointSpatialModel::new(p.lon_deg, p.lat_deg, Frame::Galactic);
    SkyModel::new(name, Arc::new(PowerLawSpectralModel::new(2.0, amplitude * 1e-12, 1.0)), Some(Arc::new(spatial)))
}

/// Counts drawn from background and sources; three energies from 1 to 30 TeV, a Gaussian PSF of about 1.5 pixels.
pub fn dataset(geom: &WcsGeom, sources: &[SkyModel], background: f64, seed: u64) -> MapDataset {
    let energy = MapAxis::energy_bounds(1.0, 30.0, 3, "energy").unwrap();
    let energy_true = energy.renamed("energy_true");
    let (nx, ny) = (geom.nx(), geom.ny());
    let cube = |axis: &MapAxis| Arc::new(Geom::Wcs(geom.with_axes(vec![axis.clone()])));
    let exposure = Array3::from_shape_fn((3, ny, nx), |(e, y, x)| 1e14 * (1.0 + e as f64 + 0.002 * (x + y) as f64));
    let background = Array3::from_shape_fn((3, ny, nx), |(e, ..)| background / (1.0 + 2.0 * e as f64));
    let rad = (0..=60).map(|i| 0.01 * f64::from(i)).collect();
    let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), rad, AxisInterp::Lin).unwrap();
    let mut dataset = MapDataset {
        name: "field".into(),
        background: Some(Map::from_cube(cube(&energy), Default::default(), background).unwrap()),
        exposure: Some(Map::from_cube(cube(&energy_true), "cm2 s".parse().unwrap(), exposure).unwrap()),
        psf: Some(PsfMap::from_gauss(rad, energy_true, |e| 0.08 * e.powf(-0.1)).unwrap()),
        models: Models { components: sources.iter().cloned().map(Model::Sky).collect() },
        ..MapDataset::default()
    };
    let npred = dataset.npred(&Backend::reference(), &Control::new()).unwrap();
    dataset.counts = Some(fake_counts(&npred, seed).unwrap());
    dataset.models = Models::default();
    dataset
}

/// The CPU engine.
pub fn cpu(threads: usize) -> Backend {
    let choice = BackendChoice::Cpu;
    Backend::new(&BackendOptions { choice, threads: Some(threads), ..Default::default() }).unwrap()
}
