//! All of a dataset in one figure.

use ndarray::Zip;

use super::super::chart::Chart;
use super::super::colour::ColourMap;
use super::super::counts::{CountsSpectrum, Parts, counts_chart, reference_map};
use super::super::figure::Figure;
use super::super::image::MapImage;
use super::super::label::{angle_text, range_text};
use super::super::marker::Marker;
use super::super::responses::{edisp_chart, exposure_chart, psf_chart};
use super::super::stretch::Stretch;
use super::disks::Disks;
use super::exposure::exposure_panel;
use super::images::Images;
use super::masks::mask_chart;
use super::{FLAT, center_of};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::DatasetRef;
use crate::error::Result;
use crate::maps::Geom;

/// Radius of the disks of excess and significance by default, in degrees, and in pixels at least.
const DISK_DEG: f64 = 0.1;
const DISK_PIXELS: f64 = 1.5;

/// How far pictures are smoothed or summed, and what is marked.
#[derive(Debug, Clone, Default)]
pub struct PeekOptions {
    /// Radius of the disks of excess and significance, in degrees; 0.1, or one and a half pixels where these are larger.
    pub radius_deg: Option<f64>,
    /// Marked on all maps.
    pub markers: Vec<Marker>,
}

/// All of a dataset in one figure (Gammapy's `peek`): counts, background or off counts and alpha, excess and significance
/// in disks, exposure, masks over energy, PSF, energy dispersion and the counts over energy; of a dataset of a region,
/// what has no image. Parts that are not there are left out. Maps are summed over the energies inside of the masks; the
/// significance is that of what the models do not predict.
///
/// ```
/// use pevatron::plot::{PeekOptions, peek_figure};
/// use pevatron::prelude::*;
/// use pevatron::simulate::survey_field;
/// # fn main() -> pevatron::Result<()> {
/// let (backend, control) = (Backend::reference(), Control::new());
/// let survey = survey_field((1.2, 1.0), 0.1, 1, &backend, &control)?;
/// let figure = peek_figure(&survey.dataset, &PeekOptions::default(), &backend, &control)?;
/// let svg = String::from_utf8_lossy(&figure.draw()?.to_svg()?).into_owned();
/// assert_eq!(svg.matches("<image").count(), 12); // five maps and a matrix, each with a colour bar
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Input`](crate::error::Error::Input) without counts, background and off counts, or where parts do not fit each other; those of
/// [`MapDataset::npred`](crate::datasets::MapDataset::npred); [`Error::Options`](crate::error::Error::Options) for a radius beyond the map.
pub fn peek_figure<'a>(
    dataset: impl Into<DatasetRef<'a>>,
    options: &PeekOptions,
    backend: &Backend,
    control: &Control,
) -> Result<Figure> {
    let dataset = dataset.into();
    let common = dataset.common()?;
    let reference = reference_map(dataset)?;
    let energy = reference.geom().axis("energy")?;
    let parts = Parts::of(dataset, backend, control)?;
    let spectrum = CountsSpectrum::of_parts(dataset, &parts, None)?;
    let ends = (spectrum.edges_tev[0], spectrum.edges_tev[spectrum.edges_tev.len() - 1]);
    let range = range_text(ends.0, ends.1);
    let name = if common.name.is_empty() { range } else { format!("{}, {range}", common.name) };
    let mut figure = Figure::new().title(name);
    let is_map = matches!(reference.geom().as_ref(), Geom::Wcs(_));
    let images = if is_map { Some(Images::of(dataset, &options.markers)?) } else { None };
    let aspect = images.as_ref().map_or(0.7, Images::aspect);
    let flat = aspect < FLAT;
    // One below the other, charts of flat maps as flat as can be read.
    let aspect = if flat { 0.3 } else { aspect.clamp(0.6, 1.0) };
    figure = figure.columns(if flat { 1 } else { 3 });
    let mut panels = 0;
    if let Some(images) = &images {
        (figure, panels) = peek_maps(figure, images, dataset, &parts, options, backend, control)?;
    }
    let mut charts: Vec<Chart> = Vec::new();
    let center = center_of(reference);
    if common.mask_safe.is_some() || common.mask_fit.is_some() {
        charts.push(mask_chart(dataset)?.title("Masks"));
    }
    if let Some(psf) = &common.psf {
        charts.push(psf_chart(psf, center)?.title("PSF at the centre"));
    }
    if let Some(exposure) = common.exposure.as_ref().filter(|_| !is_map) {
        charts.push(exposure_chart(exposure, center)?.title("Exposure"));
    }
    if let Some(edisp) = &common.edisp {
        charts.push(edisp_chart(edisp, energy, center)?.title("Energy dispersion at the centre"));
    }
    // The last one fills a row, if there is room.
    if !(panels + charts.len()).is_multiple_of(3) || !is_map {
        charts.insert(0, counts_chart(&spectrum)?.title("Counts over energy"));
    }
    for chart in charts {
        figure = figure.panel(chart.aspect(aspect));
    }
    Ok(figure)
}

/// The maps of [`peek_figure`] and their number.
fn peek_maps(
    mut figure: Figure,
    images: &Images<'_>,
    dataset: DatasetRef<'_>,
    parts: &Parts<'_>,
    options: &PeekOptions,
    backend: &Backend,
    control: &Control,
) -> Result<(Figure, usize)> {
    let common = dataset.common()?;
    let mut panels = 0;
    let mut add = |figure: Figure, panel: MapImage| {
        panels += 1;
        figure.panel(panel)
    };
    if let Some(counts) = &common.counts {
        let panel = images.panel(&images.sum(counts)?, "Counts")?;
        figure = add(figure, counts_style(panel, "counts"));
    }
    match (parts.counts_off, &parts.background, &parts.npred) {
        (Some(off), Some(background), _) => {
            let (off, background) = (images.sum(off)?, images.sum(background)?);
            let panel = images.panel(&off, "Off counts")?;
            figure = add(figure, counts_style(panel, "off counts"));
            let alpha = Zip::from(&background).and(&off).map_collect(|b, n| if *n > 0.0 { b / n } else { f64::NAN });
            let panel = images.panel(&alpha, "Alpha: background over off counts")?;
            figure = add(figure, panel.quantity("alpha", ""));
        }
        (_, _, Some(npred)) => {
            let (title, name) = match (&parts.signal, &parts.background) {
                (None, _) => ("Background", "background counts"),
                (Some(_), Some(_)) => ("Predicted: sources and background", "npred"),
                (Some(_), None) => ("Predicted: sources", "npred"),
            };
            let panel = images.panel(&images.sum(npred)?, title)?;
            let spread = if parts.signal.is_some() { Stretch::Sqrt } else { Stretch::Linear };
            figure = add(figure, panel.quantity(name, "").colours(ColourMap::Inferno).stretch(spread));
        }
        _ => {}
    }
    if let Some(counts) = &common.counts {
        let (x, y) = images.geom.pixel_scales_deg();
        let radius = options.radius_deg.unwrap_or(DISK_DEG.max(DISK_PIXELS * 0.5 * (x + y)));
        if let Some(disks) = Disks::of(images, counts, parts, radius, backend, control)? {
            let size = angle_text(radius);
            if let Some(excess) = &disks.excess {
                let panel = images.panel(excess, format!("Excess in {size} disks"))?;
                figure = add(figure, panel.quantity("excess counts", "").colours(ColourMap::Diverging));
            }
            let what = if parts.signal.is_some() { "residuals" } else { "excess" };
            let panel = images.panel(&disks.sqrt_ts, format!("Significance of the {what}, {size} disks"))?;
            figure = add(figure, panel.significance());
        }
    }
    if let Some(exposure) = common.exposure.as_ref().filter(|e| matches!(e.geom().as_ref(), Geom::Wcs(_))) {
        figure = add(figure, exposure_panel(exposure, None)?.markers(options.markers.iter().cloned()));
    }
    Ok((figure, panels))
}

fn counts_style(panel: MapImage, name: &str) -> MapImage {
    panel.quantity(name, "").colours(ColourMap::Inferno).stretch(Stretch::Sqrt)
}
