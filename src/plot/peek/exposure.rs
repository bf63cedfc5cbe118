//! The exposure on the sky and over energy.

use super::super::figure::Figure;
use super::super::image::MapImage;
use super::super::label::energy_text;
use super::super::marker::Marker;
use super::super::responses::exposure_chart;
use super::FLAT;
use crate::datasets::DatasetRef;
use crate::error::Result;
use crate::maps::{Geom, Map, SkyPosition};

/// The exposure at its middle energy (where it has an image) and over energy at a position (`None`: the centre).
///
/// # Errors
/// [`Error::Input`](crate::error::Error::Input) without an exposure, and those of [`exposure_chart`].
pub fn exposure_figure<'a>(
    dataset: impl Into<DatasetRef<'a>>,
    position: Option<SkyPosition>,
    markers: &[Marker],
) -> Result<Figure> {
    let exposure = dataset.into().common()?.require_exposure()?;
    let chart = exposure_chart(exposure, position)?;
    let Geom::Wcs(geom) = exposure.geom().as_ref() else { return Ok(Figure::new().panel(chart)) };
    let (x, y) = geom.pixel_scales_deg();
    let aspect = geom.ny() as f64 * y / (geom.nx() as f64 * x);
    let title = if position.is_some() { "Exposure at the position" } else { "Exposure at the centre" };
    let figure = Figure::new().columns(if aspect < FLAT { 1 } else { 2 });
    let panel = exposure_panel(exposure, None)?.markers(markers.iter().cloned());
    Ok(figure.panel(panel).panel(chart.title(title).aspect(aspect.clamp(FLAT, 1.0))))
}

/// The exposure at one true energy (`None`: the middle one).
pub(super) fn exposure_panel(exposure: &Map, bin: Option<usize>) -> Result<MapImage> {
    let tev = exposure.geom().axis("energy_true")?.center_tev()?;
    let bin = bin.unwrap_or(tev.len() / 2).min(tev.len() - 1);
    let panel = MapImage::new(&exposure.plane_f64(bin), &exposure.wcs_geom()?.to_image())?;
    Ok(panel.title(format!("Exposure at {}", energy_text(tev[bin]))).quantity("exposure", exposure.unit().to_string()))
}
