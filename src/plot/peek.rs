//! Pictures of a whole dataset: its maps, responses and masks, counts against what is predicted, a stack and its runs.

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView2, Axis, Zip};

use super::colour::ColourMap;
use super::counts::{
    CountsSpectrum, Parts, counts_chart, reference_map, region_pixels, residual_label, residuals_chart,
};
use super::curve::{Chart, Series};
use super::figure::Figure;
use super::image::MapImage;
use super::marker::Marker;
use super::responses::{containment_radii, edisp_chart, exposure_chart, psf_chart};
use super::scale::Stretch;
use super::spectra::{axis_unit, short};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::{DatasetRef, ResidualMethod};
use crate::error::{Error, Result};
use crate::kernels::counts_statistic::{CashCountsStatistic, CountsStatistic, WStatCountsStatistic};
use crate::kernels::{CubeView, DiskSumJob};
use crate::maps::{Geom, Map, MapAxis, Mask, SkyPosition, SkyRegion, SmoothKernel, WcsGeom};

/// Radius of the disks of excess and significance by default, in degrees, and in pixels at least.
const DISK_DEG: f64 = 0.1;
const DISK_PIXELS: f64 = 1.5;

/// Pictures with more panels than this would be unreadable.
const MOST_PANELS: usize = 12;

/// Maps flatter than this stand below each other.
const FLAT: f64 = 0.35;

/// An energy in the unit that reads best.
fn energy_text(tev: f64) -> String {
    let (unit, factor) = match tev {
        t if t < 1e-6 => ("keV", 1e9),
        t if t < 1e-3 => ("MeV", 1e6),
        t if t < 0.9995 => ("GeV", 1e3),
        _ => ("TeV", 1.0),
    };
    format!("{} {unit}", short(tev * factor))
}

/// A range of energies, the unit once where it is the same.
fn range_text(lo: f64, hi: f64) -> String {
    let (lo, hi) = (energy_text(lo), energy_text(hi));
    match (lo.split_once(' '), hi.split_once(' ')) {
        (Some((value, a)), Some((_, b))) if a == b => format!("{value} – {hi}"),
        _ => format!("{lo} – {hi}"),
    }
}

/// An angle in degrees, up to three digits.
fn angle_text(deg: f64) -> String {
    format!("{}°", short(deg))
}

/// The images of a dataset: its maps summed over the energies at which a pixel is inside of the masks.
struct Images<'a> {
    geom: WcsGeom,
    mask: Option<Mask>,
    inside: Array2<bool>,
    markers: &'a [Marker],
}

impl<'a> Images<'a> {
    fn of(dataset: DatasetRef<'_>, markers: &'a [Marker]) -> Result<Self> {
        let reference = reference_map(dataset)?;
        let geom = reference.wcs_geom()?.to_image();
        let mask = dataset.common()?.mask()?;
        let dim = reference.cube().dim();
        if let Some(found) = mask.as_ref().map(|m| m.cube().dim()).filter(|found| *found != dim) {
            return Err(Error::input("mask", format!("shape {found:?} where the counts have {dim:?}")));
        }
        let inside = mask.as_ref().map_or_else(|| Array2::from_elem((geom.ny(), geom.nx()), true), Mask::any_plane);
        Ok(Self { geom, mask, inside, markers })
    }

    /// Sums of finite values inside of the masks; 0 outside.
    fn sum(&self, map: &Map) -> Result<Array2<f64>> {
        let cube = map.cube();
        let (planes, ny, nx) = cube.dim();
        if (ny, nx) != self.inside.dim() || self.mask.as_ref().is_some_and(|m| m.cube().dim() != (planes, ny, nx)) {
            return Err(Error::input("dataset", "its maps differ in shape"));
        }
        let mask = self.mask.as_ref().map(Mask::cube);
        let mut image = Array2::zeros((ny, nx));
        for plane in 0..planes {
            let mask = mask.as_ref().map(|m| m.index_axis(Axis(0), plane));
            for ((y, x), sum) in image.indexed_iter_mut() {
                let v = cube.at(plane, y, x);
                if v.is_finite() && mask.as_ref().is_none_or(|m: &ArrayView2<'_, bool>| m[[y, x]]) {
                    *sum += v;
                }
            }
        }
        Ok(image)
    }

    /// Smoothed by a Gaussian, as if nothing lay outside of the masks.
    fn smooth(&self, image: Array2<f64>, smooth: Option<SmoothKernel>) -> Result<Array2<f64>> {
        let Some(kernel) = smooth else { return Ok(image) };
        let geom = Arc::new(Geom::Wcs(self.geom.clone()));
        let smoothed = |image: Array2<f64>| -> Result<Array2<f64>> {
            let cube = image.insert_axis(Axis(0));
            Ok(Map::from_cube(Arc::clone(&geom), Default::default(), cube)?.smooth(kernel)?.plane_f64(0))
        };
        let share = smoothed(self.inside.mapv(|i| f64::from(u8::from(i))))?;
        let mut image = smoothed(image)?;
        image.zip_mut_with(&share, |v, share| *v /= share);
        Ok(image)
    }

    /// A panel with what is outside of the masks left open.
    fn panel(&self, image: &Array2<f64>, title: impl Into<String>) -> Result<MapImage> {
        let mut shown = image.clone();
        shown.zip_mut_with(&self.inside, |v, inside| {
            if !inside {
                *v = f64::NAN;
            }
        });
        Ok(MapImage::new(&shown, &self.geom)?.title(title).markers(self.markers.iter().cloned()))
    }

    fn aspect(&self) -> f64 {
        let (x, y) = self.geom.pixel_scales_deg();
        let aspect = self.geom.ny() as f64 * y / (self.geom.nx() as f64 * x);
        if aspect.is_finite() { aspect } else { 1.0 }
    }
}

/// Sums over disks around each pixel: the excess over a background, and how significant all that is not predicted is.
struct Disks {
    excess: Option<Array2<f64>>,
    sqrt_ts: Array2<f64>,
}

impl Disks {
    fn of(
        images: &Images<'_>,
        counts: &Map,
        parts: &Parts<'_>,
        radius_deg: f64,
        backend: &Backend,
        control: &Control,
    ) -> Result<Option<Self>> {
        let Some(npred) = &parts.npred else { return Ok(None) };
        let mut planes = vec![images.sum(counts)?, images.sum(npred)?];
        planes.extend(parts.background.as_ref().map(|b| images.sum(b)).transpose()?);
        if let Some(off) = parts.counts_off {
            planes.push(images.sum(off)?);
            planes.push(match &parts.signal {
                Some(signal) => images.sum(signal)?,
                None => Array2::zeros(images.inside.dim()),
            });
        }
        let views: Vec<_> = planes.iter().map(|p| p.view().insert_axis(Axis(0))).collect();
        let stacked: Array3<f64> =
            ndarray::concatenate(Axis(0), &views).map_err(|e| Error::input("dataset", e.to_string()))?;
        let (x, y) = images.geom.pixel_scales_deg();
        let job = DiskSumJob { cube: CubeView::F64(stacked.view()), radius: radius_deg / (0.5 * (x + y)) };
        job.check()?;
        let sums = backend.precise()?.engine().disk_sum(&job, control)?;
        let plane = |i: usize| sums.index_axis(Axis(0), i);
        let (n_on, npred) = (plane(0), plane(1));
        let mut sqrt_ts = Array2::from_elem(n_on.dim(), f64::NAN);
        let excess = parts.background.is_some().then(|| &n_on - &plane(2));
        for (at, value) in sqrt_ts.indexed_iter_mut() {
            let (n_on, mu) = (n_on[at], npred[at]);
            *value = if parts.counts_off.is_some() {
                let (background, n_off, mu_sig) = (plane(2)[at], plane(3)[at], plane(4)[at]);
                WStatCountsStatistic { n_on, n_off, alpha: background / n_off, mu_sig }.sqrt_ts()
            } else {
                CashCountsStatistic { n_on, mu_bkg: mu }.sqrt_ts()
            };
            if !value.is_finite() {
                *value = f64::NAN;
            }
        }
        Ok(Some(Self { excess, sqrt_ts }))
    }
}

fn counts_style(panel: MapImage, name: &str) -> MapImage {
    panel.quantity(name, "").colours(ColourMap::Inferno).stretch(Stretch::Sqrt)
}

/// Where responses are looked at: the centre of a map, or that of a region.
fn center_of(map: &Map) -> Option<SkyPosition> {
    match map.geom().as_ref() {
        Geom::Wcs(geom) => geom.center().ok(),
        Geom::Region(region) => region.center(),
    }
}

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
/// [`Error::Input`] without counts, background and off counts, or where parts do not fit each other; those of
/// [`MapDataset::npred`](crate::datasets::MapDataset::npred); [`Error::Options`] for a radius beyond the map.
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

/// The exposure at one true energy (`None`: the middle one).
fn exposure_panel(exposure: &Map, bin: Option<usize>) -> Result<MapImage> {
    let tev = exposure.geom().axis("energy_true")?.center_tev()?;
    let bin = bin.unwrap_or(tev.len() / 2).min(tev.len() - 1);
    let panel = MapImage::new(&exposure.plane_f64(bin), &exposure.wcs_geom()?.to_image())?;
    Ok(panel.title(format!("Exposure at {}", energy_text(tev[bin]))).quantity("exposure", exposure.unit().to_string()))
}

/// The exposure at its middle energy (where it has an image) and over energy at a position (`None`: the centre).
///
/// # Errors
/// [`Error::Input`] without an exposure, and those of [`exposure_chart`].
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

/// The share of pixels inside of mask_safe, mask_fit and both over energy.
///
/// # Errors
/// [`Error::Input`] without a mask, or for masks that do not fit each other.
pub fn mask_chart<'a>(dataset: impl Into<DatasetRef<'a>>) -> Result<Chart> {
    let dataset = dataset.into();
    let common = dataset.common()?;
    let edges = reference_map(dataset)?.geom().axis("energy")?.edges_tev()?;
    let (unit, factor) = axis_unit(edges[0], edges[edges.len() - 1]);
    let edges: Vec<f64> = edges.into_iter().map(|e| e * factor).collect();
    let share = |mask: &Mask| -> Vec<f64> {
        let cube = mask.cube();
        let pixels = (cube.dim().1 * cube.dim().2).max(1) as f64;
        cube.outer_iter().map(|plane| plane.iter().filter(|m| **m).count() as f64 / pixels).collect()
    };
    let mut chart = Chart::new()
        .x("Energy", unit)
        .y("share of pixels inside", "")
        .log_x()
        .x_range(edges[0], edges[edges.len() - 1])
        .y_range(0.0, 1.3);
    let masks = [("mask_safe", &common.mask_safe), ("mask_fit", &common.mask_fit)];
    let there: Vec<(&str, &Mask)> = masks.iter().filter_map(|(name, m)| m.as_ref().map(|m| (*name, m))).collect();
    if there.is_empty() {
        return Err(common.missing("mask_safe or mask_fit"));
    }
    for (name, mask) in &there {
        if mask.cube().dim().0 + 1 != edges.len() {
            return Err(Error::input(*name, "it has another number of energies than the counts"));
        }
        let values = share(mask);
        if there.len() == 1 {
            chart = chart.series(Series::filled_steps("", &edges, &values));
            chart = chart.series(Series::steps(*name, &edges, &values).like_previous());
        } else {
            chart = chart.series(Series::steps(*name, &edges, &values));
        }
    }
    if let (2, Some(both)) = (there.len(), common.mask()?) {
        chart = chart.series(Series::dashed_steps("both", &edges, &share(&both)).dark());
    }
    Ok(chart)
}

/// The masks: how many pixels are inside over energy and, for up to twelve different energies (or the chosen one), which.
/// Neighbouring energies with the same masks share a panel.
///
/// # Errors
/// Those of [`mask_chart`]; [`Error::Options`] for an energy bin that is not there.
pub fn masks_figure<'a>(dataset: impl Into<DatasetRef<'a>>, energy: Option<usize>) -> Result<Figure> {
    let dataset = dataset.into();
    let common = dataset.common()?;
    let chart = mask_chart(dataset)?;
    let reference = reference_map(dataset)?;
    let Geom::Wcs(geom) = reference.geom().as_ref() else { return Ok(Figure::new().panel(chart)) };
    let geom = geom.to_image();
    let edges = reference.geom().axis("energy")?.edges_tev()?;
    let bins: Vec<usize> = match energy {
        Some(bin) if bin + 1 >= edges.len() => {
            return Err(Error::options(
                "energy",
                format!("{bin} is not one of the energy bins 0 to {}", edges.len() - 2),
            ));
        }
        Some(bin) => vec![bin],
        None => (0..edges.len() - 1).collect(),
    };
    let images = Images::of(dataset, &[])?;
    let aspect = images.aspect();
    let chart = chart.aspect(aspect.clamp(FLAT, 1.0));
    let meaning = match (&common.mask_safe, &common.mask_fit) {
        (Some(_), Some(_)) => "yellow: inside of both masks, green: of mask_fit only, blue: of mask_safe only",
        (Some(_), None) => "yellow: inside of mask_safe",
        _ => "yellow: inside of mask_fit",
    };
    let figure = Figure::new().columns(if aspect < FLAT { 1 } else { 3 });
    // 0: outside, 1: of mask_safe only, 2: of mask_fit only, 3: inside of all masks that there are.
    let value = |mask: &Option<Mask>, bin: usize, (y, x): (usize, usize)| mask.as_ref().map(|m| m.cube()[[bin, y, x]]);
    let image_of = |bin: usize| -> Array2<u8> {
        Array2::from_shape_fn((geom.ny(), geom.nx()), |at| {
            match (value(&common.mask_safe, bin, at), value(&common.mask_fit, bin, at)) {
                (Some(true), Some(true)) | (Some(true), None) | (None, Some(true)) => 3,
                (Some(false), Some(true)) => 2,
                (Some(true), Some(false)) => 1,
                _ => 0,
            }
        })
    };
    // Neighbours that are the same share a panel: first and last bin, and the image.
    let mut groups: Vec<(usize, usize, Array2<u8>)> = Vec::new();
    for bin in bins.iter().copied() {
        let image = image_of(bin);
        match groups.last_mut() {
            Some((_, last, same)) if *same == image => *last = bin,
            _ => groups.push((bin, bin, image)),
        }
    }
    if groups.len() > MOST_PANELS {
        // At how many of the energies a pixel is inside.
        let mut figure = figure.panel(chart);
        for (name, mask) in [("mask_safe", &common.mask_safe), ("mask_fit", &common.mask_fit)] {
            let Some(mask) = mask else { continue };
            let count = Array2::from_shape_fn((geom.ny(), geom.nx()), |(y, x)| {
                mask.cube().outer_iter().filter(|plane| plane[[y, x]]).count() as f64
            });
            let panel = MapImage::new(&count, &geom)?.title(format!("Energies inside of {name}, of {}", bins.len()));
            figure = figure.panel(panel.quantity("energy bins", "").range(0.0, bins.len() as f64));
        }
        return Ok(figure);
    }
    let figure =
        if groups.len() < 3 { figure.columns(if aspect < FLAT { 1 } else { groups.len() + 1 }) } else { figure };
    let mut figure = figure.title(format!("{meaning}; hatched: outside")).panel(chart.title("Share of pixels"));
    for (first, last, image) in groups {
        let shown = image.mapv(|v| if v == 0 { f64::NAN } else { f64::from(v) });
        let title = range_text(edges[first], edges[last + 1]);
        figure = figure.panel(MapImage::new(&shown, &geom)?.title(title).range(0.0, 3.0).colour_bar(false));
    }
    Ok(figure)
}

/// What [`counts_figure`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsMaps {
    /// Counts, and what is predicted where anything is.
    Counts,
    /// Counts without the background, and the predicted counts of the sources where there are any.
    Excess,
    /// Counts, all predicted counts, and their difference.
    Npred,
}

/// Counts and predicted counts as maps side by side, on one colour scale, summed over the energies inside of the masks
/// and smoothed, if wanted.
///
/// # Errors
/// [`Error::Input`] for a region dataset, without counts, without a background for an excess, or where nothing is
/// predicted for `npred`; those of [`MapDataset::npred`](crate::datasets::MapDataset::npred).
pub fn counts_figure<'a>(
    dataset: impl Into<DatasetRef<'a>>,
    what: CountsMaps,
    smooth: Option<SmoothKernel>,
    markers: &[Marker],
    backend: &Backend,
    control: &Control,
) -> Result<Figure> {
    let dataset = dataset.into();
    let common = dataset.common()?;
    let images = Images::of(dataset, markers)?;
    let parts = Parts::of(dataset, backend, control)?;
    let image = |map: &Map| images.smooth(images.sum(map)?, smooth);
    let counts = image(common.require_counts()?)?;
    let mut panels: Vec<(&str, Array2<f64>)> = Vec::new();
    let mut difference = None;
    match what {
        CountsMaps::Counts => {
            panels.push(("Counts", counts));
            if let Some(npred) = &parts.npred {
                panels.push(("Predicted", image(npred)?));
            }
        }
        CountsMaps::Excess => {
            let background = parts.background.as_ref().ok_or_else(|| common.missing("background"))?;
            panels.push(("Excess", counts - image(background)?));
            if let Some(signal) = &parts.signal {
                panels.push(("Predicted: sources", image(signal)?));
            }
        }
        CountsMaps::Npred => {
            let npred = parts.npred.as_ref().ok_or_else(|| nothing_predicted(&common.name))?;
            let npred = image(npred)?;
            difference = Some(&counts - &npred);
            panels.push(("Counts", counts));
            panels.push(("Predicted", npred));
        }
    }
    let unit = if smooth.is_some() { "counts per pixel, smoothed" } else { "counts per pixel" };
    // One scale for what is compared.
    let ranges = panels.iter().map(|(title, image)| -> Result<_> {
        let panel = images.panel(image, *title)?.stretch(Stretch::Sqrt);
        Ok(panel.value_range())
    });
    let range = ranges
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        .unwrap_or((0.0, 1.0));
    let excess = what == CountsMaps::Excess;
    let n = panels.len() + usize::from(difference.is_some());
    let mut figure = Figure::new().columns(if images.aspect() < FLAT { 1 } else { n });
    for (title, image) in &panels {
        let panel = images.panel(image, *title)?.quantity(unit, "");
        figure = figure.panel(if excess {
            let most = range.0.abs().max(range.1.abs());
            panel.colours(ColourMap::Diverging).range(-most, most)
        } else {
            panel.colours(ColourMap::Inferno).stretch(Stretch::Sqrt).range(range.0, range.1)
        });
    }
    if let Some(difference) = difference {
        let panel = images.panel(&difference, "Counts − predicted")?.quantity(unit, "");
        figure = figure.panel(panel.colours(ColourMap::Diverging));
    }
    Ok(figure)
}

fn nothing_predicted(name: &str) -> Error {
    Error::input("npred", format!("dataset '{name}' has neither a background nor models")).with_help("give --models")
}

/// Residuals as a map, summed over the energies inside of the masks (Gammapy's `plot_residuals_spatial`).
///
/// # Errors
/// As [`counts_figure`] with [`CountsMaps::Npred`].
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
    /// The pixels of a region (see [`region_pixels`](super::region_pixels)); drawn as the circle that holds it.
    ///
    /// # Errors
    /// [`Error::Options`] where there is no such pixel.
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

/// A stack beside the runs that went into it: predicted counts of runs, their sum and the stack over energy and the ratio
/// of both, and the 68 % radius of the PSF of each. Where all is right, the ratio is 1 and the stack's PSF lies within
/// those of the runs.
///
/// # Errors
/// [`Error::Input`] without runs, for more than twelve, or runs with other energies than the stack; those of
/// [`CountsSpectrum::of`], and where nothing is predicted.
pub fn stack_figure(
    stack: DatasetRef<'_>,
    runs: &[DatasetRef<'_>],
    backend: &Backend,
    control: &Control,
) -> Result<Figure> {
    if runs.is_empty() || runs.len() > MOST_PANELS {
        return Err(Error::input("runs", format!("{} runs; 1 to {MOST_PANELS} can be told apart", runs.len())));
    }
    let npred_of = |dataset: DatasetRef<'_>| -> Result<CountsSpectrum> {
        let spectrum = CountsSpectrum::of(dataset, None, backend, control)?;
        if spectrum.npred.is_none() { Err(nothing_predicted(&spectrum.name)) } else { Ok(spectrum) }
    };
    let whole = npred_of(stack)?;
    let same = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a / b - 1.0).abs() < 1e-6);
    let mut parts = Vec::new();
    for run in runs {
        let part = npred_of(*run)?;
        if !same(&part.edges_tev, &whole.edges_tev) {
            return Err(Error::input(part.name, format!("its energies are not those of '{}'", whole.name)));
        }
        parts.push(part);
    }
    let (unit, factor) = axis_unit(whole.edges_tev[0], whole.edges_tev[whole.edges_tev.len() - 1]);
    let edges: Vec<f64> = whole.edges_tev.iter().map(|e| e * factor).collect();
    let npred = |s: &CountsSpectrum| s.npred.clone().unwrap_or_default();
    let mut sum = vec![0.0; edges.len() - 1];
    let energy = || Chart::new().x("Energy", unit).log_x().x_range(edges[0], edges[edges.len() - 1]);
    let mut chart = energy().title("Predicted counts").y("npred per bin", "").log_y();
    for part in &parts {
        let values = npred(part);
        sum.iter_mut().zip(&values).for_each(|(s, v)| *s += v);
        chart = chart.series(Series::steps(&part.name, &edges, &values));
    }
    let total = npred(&whole);
    chart = chart.series(Series::steps("stack", &edges, &total).dark());
    chart = chart.series(Series::dashed_steps("sum of the runs", &edges, &sum));
    let ratio: Vec<f64> = total.iter().zip(&sum).map(|(t, s)| if *s > 0.0 { t / s } else { f64::NAN }).collect();
    let off = ratio.iter().filter(|r| r.is_finite()).map(|r| (r - 1.0).abs()).fold(0.01, f64::max);
    let ratio = energy()
        .title("Stack over the sum of the runs")
        .y("ratio of npred", "")
        .y_range(1.0 - 1.2 * off, 1.0 + 1.2 * off)
        .series(Series::level("", 1.0))
        .series(Series::steps("", &edges, &ratio).dark());
    let mut figure = Figure::new().panel(chart).panel(ratio);
    let mut radii = Chart::new().title("68 % radius of the PSF").y("radius", "deg").log_x();
    let mut any = false;
    for (dataset, name) in runs.iter().zip(parts.iter().map(|p| p.name.as_str())).chain([(&stack, "stack")]) {
        let Some(psf) = &dataset.common()?.psf else { continue };
        let line = containment_radii(psf, 0.68, center_of(reference_map(*dataset)?))?;
        let (unit, factor) = axis_unit(line.first().map_or(1.0, |p| p.0), line.last().map_or(1.0, |p| p.0));
        let line: Vec<(f64, f64)> = line.into_iter().map(|(e, r)| (e * factor, r)).collect();
        let series = Series::line(name, &line);
        radii = radii.x("True energy", unit).series(if name == "stack" { series.dark() } else { series });
        any = true;
    }
    if any {
        figure = figure.panel(radii);
    }
    let axis = reference_map(stack)?.geom().axis("energy")?;
    if let Some(chart) = response_chart(stack, runs, &parts, axis)? {
        figure = figure.panel(chart);
    }
    Ok(figure)
}

/// How one true energy in the middle is reconstructed, by the stack and by each run.
fn response_chart(
    stack: DatasetRef<'_>,
    runs: &[DatasetRef<'_>],
    parts: &[CountsSpectrum],
    axis: &MapAxis,
) -> Result<Option<Chart>> {
    let edges = axis.edges_tev()?;
    let (unit, factor) = axis_unit(edges[0], edges[edges.len() - 1]);
    let middle = (edges[0] * edges[edges.len() - 1]).sqrt();
    let edges: Vec<f64> = edges.into_iter().map(|e| e * factor).collect();
    let mut chart = None;
    for (dataset, name) in runs.iter().zip(parts.iter().map(|p| p.name.as_str())).chain([(&stack, "stack")]) {
        let Some(edisp) = &dataset.common()?.edisp else { continue };
        let matrix = edisp.matrix_at(center_of(reference_map(*dataset)?), axis)?;
        let truth = edisp.energy_true_axis()?.edges_tev()?;
        let row = truth.partition_point(|e| *e <= middle).saturating_sub(1).min(matrix.nrows() - 1);
        let range = range_text(truth[row], truth[row + 1]);
        let series = Series::steps(name, &edges, &matrix.row(row).to_vec());
        let fresh = || {
            let chart = Chart::new().title(format!("Energy dispersion of {range}")).y("probability per bin", "");
            chart.x("Energy", unit).log_x().x_range(edges[0], edges[edges.len() - 1])
        };
        let series = if name == "stack" { series.dark() } else { series };
        chart = Some(chart.unwrap_or_else(fresh).series(series));
    }
    Ok(chart)
}
