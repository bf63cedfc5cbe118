//! The kernel of the test source: its predicted counts around a pixel, each energy normalised to 1.

use std::sync::Arc;

use ndarray::Array3;

use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::{Domain, Evaluator, Exposure, MapDataset};
use crate::error::{Error, Result};
use crate::irf::{KernelPixels, nearest_positive_pixel};
use crate::maps::WcsGeom;
use crate::memory;
use crate::models::SkyModel;
use crate::units::Angle;

/// Kernel values below this part of their plane's peak are set to 0: they are noise, and where the background is 0
/// they would decide the bound npred ≥ 0. Changes no usual map by more than 1e-10 sigma.
const TAIL: f64 = 1e-13;

/// No kernel is wider.
const WHOLE_SKY_DEG: f64 = 360.0;

/// Cubes `[energy_true, ky, kx]` that are held at once.
const CUBES: usize = 3;

/// A kernel and the width it spans.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    /// `[energy, ky, kx]`, odd sides, each plane summing to 1 (or 0).
    pub data: Array3<f64>,
    /// The larger side in degrees.
    pub width_deg: f64,
}

/// The map's own pixels where those at its centre are not what its header says.
pub(super) fn pixels_at_center(image: &WcsGeom) -> KernelPixels {
    KernelPixels::at(image, ((image.nx() as f64 - 1.0) / 2.0, (image.ny() as f64 - 1.0) / 2.0))
}

/// The kernel of a model for a dataset: the model at the centre of the exposure, through the responses there, with
/// the exposure's spectrum at the nearest position that has any (Gammapy's `estimate_kernel`).
///
/// # Errors
/// [`Error::Input`] without exposure anywhere, or responses that do not fit.
pub(super) fn estimate_kernel(
    model: &SkyModel,
    dataset: &MapDataset,
    width: Option<Angle>,
    backend: &Backend,
    control: &Control,
) -> Result<Kernel> {
    let exposure = dataset.require_exposure()?;
    let image = exposure.wcs_geom()?.to_image();
    let (geom, pixels) = match width {
        Some(width) => {
            if width.to_deg() > WHOLE_SKY_DEG {
                return Err(Error::options("kernel_width", format!("{width} is more than the whole sky, 360 deg")));
            }
            let pixels = pixels_at_center(&image);
            let geom = pixels.geom(&image, Angle::deg(width.to_deg() / 2.0))?;
            let energies = exposure.geom().axis("energy_true")?.nbin().saturating_mul(CUBES);
            let what = format!("a kernel of {} × {} pixels", geom.nx(), geom.ny());
            memory::check_option::<f64>("kernel_width", &what, &[energies, geom.ny(), geom.nx()])?;
            (geom, pixels)
        }
        None => (image, KernelPixels::Reference),
    };
    let center = geom.center()?;
    let nearest = nearest_positive_pixel(exposure, center).map_err(|_| {
        Error::input("exposure", format!("it is 0 everywhere in dataset '{}', a kernel is impossible", dataset.name))
    })?;
    let factor = exposure.unit().factor_to_text("cm2 s")?;
    let spectrum: Vec<f64> = exposure
        .nearest_planes_at(nearest)?
        .into_iter()
        // Energies without a known exposure there are left out, as bins are.
        .map(|v| if v.is_finite() { v * factor } else { 0.0 })
        .collect();
    let spatial = match &model.spatial {
        Some(spatial) => spatial.at_position(center),
        None => return Err(Error::options("kernel_model", "the test source needs a spatial model")),
    };
    let source = SkyModel { spatial: Some(Arc::from(spatial)), ..model.clone() };
    let (sx, sy) = geom.pixel_scales_deg();
    let evaluator = Evaluator {
        domain: Domain::Image(geom),
        exposure: Exposure::Spectrum(&spectrum),
        energy_true: exposure.geom().axis("energy_true")?,
        energy: dataset.energy_axis()?,
        psf: dataset.psf.as_ref(),
        kernel_pixels: pixels,
        edisp: dataset.edisp.as_ref(),
        gti: None,
        mask: None,
        backend,
    };
    let Some(part) = evaluator.evaluate(&source, control)? else {
        return Err(Error::options("kernel_model", "the test source has no counts within the kernel"));
    };
    let mut data = part.npred;
    for mut plane in data.outer_iter_mut() {
        let peak = plane.iter().copied().fold(0.0, f64::max);
        plane.mapv_inplace(|v| if v > TAIL * peak { v } else { 0.0 });
        let sum = plane.sum();
        if sum > 0.0 {
            plane /= sum;
        }
    }
    if data.iter().all(|v| *v == 0.0) {
        return Err(Error::input("kernel", format!("no counts are predicted for dataset '{}'", dataset.name))
            .with_help("PSF, energy dispersion or exposure are 0 at the centre of the map"));
    }
    let (_, ny, nx) = data.dim();
    let width_deg = (sx * nx as f64).max(sy * ny as f64);
    Ok(Kernel { data, width_deg })
}
