//! A simulated survey of the Galactic plane with sources at known places: what the demo shows.

use std::sync::Arc;

use ndarray::Array3;

use super::fake::fake_counts;
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::MapDataset;
use crate::error::Result;
use crate::irf::{EDisp, EDispKernelMap, PsfMap, gauss_response};
use crate::maps::{AxisInterp, Frame, Geom, Map, MapAxis, SkyPosition, WcsGeom};
use crate::models::spatial::{DiskSpatialModel, GaussianSpatialModel, PointSpatialModel};
use crate::models::spectral::PowerLawSpectralModel;
use crate::models::{Model, Models, SkyModel, SpatialModel};
use crate::time::{Gti, TimeReference};

/// Spectral index of all sources, so that the test source can be of the same kind.
pub const SPECTRAL_INDEX: f64 = 2.2;

/// A source of the simulated survey.
#[derive(Debug, Clone)]
pub struct InjectedSource {
    /// The model; its name is the source's.
    pub model: SkyModel,
    /// Centre, galactic.
    pub position: SkyPosition,
    /// 0 for a point source, else sigma of a Gaussian or radius of a disk, in degrees.
    pub extent_deg: f64,
}

/// A simulated survey: the dataset, with an empty list of models, and what was put into it.
#[derive(Debug, Clone)]
pub struct SurveyField {
    /// Counts, background and responses.
    pub dataset: MapDataset,
    /// The sources.
    pub sources: Vec<InjectedSource>,
}

/// Name, l, b in degrees, dnde at 1 TeV in 1e-13 cm-2 s-1 TeV-1, extent in degrees, shape.
const SOURCES: [(&str, f64, f64, f64, f64, Shape); 10] = [
    ("P1", 4.1, 0.3, 20.0, 0.0, Shape::Point),
    ("P2", 3.0, -1.2, 6.0, 0.0, Shape::Point),
    ("P3", 2.2, 1.1, 4.0, 0.0, Shape::Point),
    ("P4", 0.0, 0.0, 50.0, 0.0, Shape::Point),
    ("P5", 358.9, -1.5, 3.0, 0.0, Shape::Point),
    ("P6", 357.6, 1.4, 10.0, 0.0, Shape::Point),
    ("P7", 356.1, -0.4, 4.5, 0.0, Shape::Point),
    ("G1", 1.3, -0.4, 30.0, 0.15, Shape::Gaussian),
    ("G2", 357.2, -1.4, 18.0, 0.15, Shape::Gaussian),
    ("D1", 358.6, 0.9, 35.0, 0.3, Shape::Disk),
];

#[derive(Debug, Clone, Copy)]
enum Shape {
    Point,
    Gaussian,
    Disk,
}

/// Simulates `width_deg` (l, b) around the Galactic centre in pixels of `binsz_deg`: six energy bins from 0.5 to 50
/// TeV, an exposure and background that vary over the field, a King PSF that narrows with energy, 12 % energy
/// resolution, ten sources. The same seed gives the same counts everywhere.
///
/// # Errors
/// [`crate::Error::Input`] for sizes that give no map.
pub fn survey_field(
    width_deg: (f64, f64),
    binsz_deg: f64,
    seed: u64,
    backend: &Backend,
    control: &Control,
) -> Result<SurveyField> {
    let energy = MapAxis::energy_bounds(0.5, 50.0, 6, "energy")?;
    let energy_true = MapAxis::energy_bounds(0.3, 100.0, 15, "energy_true")?;
    let center = SkyPosition { lon_deg: 0.0, lat_deg: 0.0, frame: Frame::Galactic };
    let npix = |w: f64| ((w / binsz_deg).round() as usize).max(1);
    let (nx, ny) = (npix(width_deg.0), npix(width_deg.1));
    let image = WcsGeom::create(center, nx, ny, (binsz_deg, binsz_deg), "CAR", Vec::new())?;

    // Offset of a pixel from the middle of the survey, -1 … 1 in both directions.
    let offset =
        |y: usize, x: usize| ((x as f64 + 0.5) / nx as f64 * 2.0 - 1.0, (y as f64 + 0.5) / ny as f64 * 2.0 - 1.0);
    let acceptance = |y: usize, x: usize| {
        let (u, v) = offset(y, x);
        (1.0 + 0.25 * (5.0 * u).sin() * (2.0 * v).cos()) * (-0.5 * v * v).exp()
    };

    let true_tev = energy_true.center_tev()?;
    let exposure = Array3::from_shape_fn((true_tev.len(), ny, nx), |(t, y, x)| {
        // 20 hours of an area that rises to 3e9 cm2 and saturates.
        let e = true_tev[t];
        72_000.0 * 3e9 * e / (e + 0.8) * acceptance(y, x)
    });
    let reco = energy.edges_tev()?;
    let background = Array3::from_shape_fn((energy.nbin(), ny, nx), |(p, y, x)| {
        let (_, v) = offset(y, x);
        let integral = (reco[p].powf(-1.7) - reco[p + 1].powf(-1.7)) / 1.7;
        let plane = 1.0 + 0.6 * (-v * v / 0.08).exp();
        1.6 * (binsz_deg / 0.02).powi(2) * integral * acceptance(y, x) * plane
    });
    let rad_edges = (0..=66).map(|i| f64::from(i) * 0.01).collect();
    let rad = MapAxis::from_edges("rad", "deg".parse()?, rad_edges, AxisInterp::Lin)?;
    let psf = PsfMap::from_king(rad, energy_true.clone(), |e| (0.04 * e.powf(-0.15).max(0.5), 2.5))?;
    let matrix = gauss_response(&energy_true, &energy, 0.12, 0.0)?;
    let edisp = EDispKernelMap::from_matrix(energy.clone(), energy_true.clone(), &matrix)?;

    let cube_geom = |axis: &MapAxis| Arc::new(Geom::Wcs(image.with_axes(vec![axis.clone()])));
    let mut dataset = MapDataset {
        name: "survey".into(),
        background: Some(Map::from_cube(cube_geom(&energy), Default::default(), background)?),
        exposure: Some(Map::from_cube(cube_geom(&energy_true), "cm2 s".parse()?, exposure)?),
        psf: Some(psf),
        edisp: Some(EDisp::Kernel(edisp)),
        gti: Some(Gti { intervals: vec![(0.0, 72_000.0)], reference: TimeReference::default() }),
        ..MapDataset::default()
    };

    let sources: Vec<InjectedSource> = SOURCES
        .into_iter()
        .map(|(name, lon_deg, lat_deg, amplitude, extent_deg, shape)| {
            let position = on_pixel(&image, SkyPosition { lon_deg, lat_deg, frame: Frame::Galactic });
            let SkyPosition { lon_deg, lat_deg, .. } = position;
            let spectral = PowerLawSpectralModel::new(SPECTRAL_INDEX, amplitude * 1e-13, 1.0);
            let spatial: Arc<dyn SpatialModel> = match shape {
                Shape::Point => Arc::new(PointSpatialModel::new(lon_deg, lat_deg, Frame::Galactic)),
                Shape::Gaussian => {
                    Arc::new(GaussianSpatialModel::new(lon_deg, lat_deg, extent_deg, 0.0, 0.0, Frame::Galactic))
                }
                Shape::Disk => {
                    Arc::new(DiskSpatialModel::new(lon_deg, lat_deg, extent_deg, 0.0, 0.0, 0.01, Frame::Galactic))
                }
            };
            let model = SkyModel::new(name, Arc::new(spectral), Some(spatial));
            InjectedSource { model, position, extent_deg }
        })
        .filter(|s| {
            image
                .sky_to_pix(s.position)
                .is_some_and(|(x, y)| x > -0.5 && y > -0.5 && x < nx as f64 - 0.5 && y < ny as f64 - 0.5)
        })
        .collect();
    dataset.models = Models { components: sources.iter().map(|s| Model::Sky(s.model.clone())).collect() };
    let npred = dataset.npred(backend, control)?;
    dataset.counts = Some(fake_counts(&npred, seed)?);
    dataset.models = Models::default();
    Ok(SurveyField { dataset, sources })
}

/// The centre of the pixel that holds a position: sources stand on pixels, so that what is recovered there is compared
/// with what was injected and not with the loss of a filter beside its source.
fn on_pixel(image: &WcsGeom, position: SkyPosition) -> SkyPosition {
    let pixel = image.sky_to_pix(position).map(|(x, y)| (x.round(), y.round()));
    pixel.and_then(|(x, y)| image.pix_to_sky(x, y)).unwrap_or(position)
}
