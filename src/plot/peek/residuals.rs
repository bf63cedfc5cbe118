//! What models leave of the counts, as a map and over energy.

use ndarray::Array2;

use super::super::colour::ColourMap;
use super::super::counts::{CountsSpectrum, Parts, reference_map, region_pixels, residual_label, residuals_chart};
use super::super::figure::Figure;
use super::super::image::MapImage;
use super::super::label::angle_text;
use super::super::marker::Marker;
use super::images::Images;
use super::{FLAT, nothing_predicted};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::{DatasetRef, ResidualMethod};
use crate::error::Result;
use crate::maps::{Geom, Map, SkyRegion, SmoothKernel, WcsGeom};

/// Residuals as a map, summed over the energies inside of the masks (Gammapy's `plot_residuals_spatial`).
///
/// # Errors
/// As [`counts_figure`](crate::plot::counts_figure) with [`CountsMaps::Npred`](crate::plot::CountsMaps::Npred).
pub fn residuals_map<'a>(
    dataset: impl Into<DatasetRef<'a>>,
    method: ResidualMethod,
    smooth: Option<SmoothKernel>,
    markers: &[Marker],
    backend: &Backend,
    control: &Control,
) -> Result<MapImage> {
    let dataset = dataset.into();
    let parts = Parts::of(dataset, backend, control)?;
    residuals_of(dataset, &parts, method, smooth, markers)
}

fn residuals_of(
    dataset: DatasetRef<'_>,
    parts: &Parts<'_>,
    method: ResidualMethod,
    smooth: Option<SmoothKernel>,
    markers: &[Marker],
) -> Result<MapImage> {
    let common = dataset.common()?;
    let images = Images::of(dataset, markers)?;
    let npred = parts.npred.as_ref().ok_or_else(|| nothing_predicted(&common.name))?;
    let image = |map: &Map| images.smooth(images.sum(map)?, smooth);
    let (mut residuals, npred) = (image(common.require_counts()?)?, image(npred)?);
    residuals.zip_mut_with(&npred, |n, mu| *n = method.of(*n, *mu));
    let title = match smooth {
        Some(SmoothKernel::Gauss(sigma)) => format!("Residuals, σ = {} Gaussian", angle_text(sigma.to_deg())),
        Some(SmoothKernel::Box(width)) => format!("Residuals, {} box", angle_text(width.to_deg())),
        None => "Residuals".to_string(),
    };
    let panel = images.panel(&residuals, title)?.quantity(residual_label(method), "");
    Ok(panel.colours(ColourMap::Diverging))
}

/// A region in which residuals are looked at over energy.
#[derive(Debug, Clone)]
pub struct PlotRegion {
    /// Its pixels `[y, x]`.
    pub pixels: Array2<bool>,
    /// Drawn on the map.
    pub marker: Marker,
}

impl PlotRegion {
    /// The pixels of a region (see [`region_pixels`](crate::plot::region_pixels)); drawn as the circle that holds it.
    ///
    /// # Errors
    /// [`Error::Options`](crate::error::Error::Options) where there is no such pixel.
    pub fn new(geom: &WcsGeom, region: &SkyRegion) -> Result<Self> {
        let marker = Marker::new(region.center());
        let extent = region.extent_deg();
        let marker = if extent > 0.0 { marker.radius_deg(extent) } else { marker };
        Ok(Self { pixels: region_pixels(geom, region)?, marker })
    }
}

/// The map of residuals beside the residuals over energy in a region, or of all pixels (Gammapy's `plot_residuals`).
///
/// # Errors
/// Those of [`residuals_map`] and [`CountsSpectrum::of`].
pub fn residuals_figure<'a>(
    dataset: impl Into<DatasetRef<'a>>,
    method: ResidualMethod,
    smooth: Option<SmoothKernel>,
    region: Option<&PlotRegion>,
    markers: &[Marker],
    backend: &Backend,
    control: &Control,
) -> Result<Figure> {
    let dataset = dataset.into();
    let parts = Parts::of(dataset, backend, control)?;
    if parts.npred.is_none() {
        return Err(nothing_predicted(&dataset.common()?.name));
    }
    let spectrum = CountsSpectrum::of_parts(dataset, &parts, region.map(|r| &r.pixels))?;
    let title = if region.is_some() { "Residuals in the region" } else { "Residuals of all pixels" };
    let chart = residuals_chart(&spectrum, method)?.title(title);
    let reference = reference_map(dataset)?;
    let Geom::Wcs(geom) = reference.geom().as_ref() else { return Ok(Figure::new().panel(chart.aspect(0.5))) };
    let markers: Vec<Marker> = markers.iter().cloned().chain(region.map(|r| r.marker.clone())).collect();
    let panel = residuals_of(dataset, &parts, method, smooth, &markers)?;
    let (x, y) = geom.pixel_scales_deg();
    let aspect = geom.ny() as f64 * y / (geom.nx() as f64 * x);
    let figure = Figure::new().columns(if aspect < FLAT { 1 } else { 2 });
    Ok(figure.panel(panel).panel(chart.aspect(aspect.clamp(FLAT, 1.0))))
}
