//! Counts of a dataset per energy bin, in a region or altogether, and their charts: counts, excess, residuals.

use ndarray::{Array2, ArrayView3};

use super::chart::{Chart, ChartPoint, Series};
use super::figure::Figure;
use super::spectra::axis_unit;
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::{DatasetRef, ResidualMethod};
use crate::error::{Error, Result};
use crate::kernels::counts_statistic::{CashCountsStatistic, CountsStatistic, WStatCountsStatistic};
use crate::maps::{Map, Mask, SkyPosition, SkyRegion, WcsGeom};

/// A linear axis shows values that are spread by less than this, a logarithmic one the others.
const LINEAR_SPREAD: f64 = 30.0;

/// Arrows of more empty bins than this would hide all else.
const MOST_LIMITS: usize = 6;

/// Significance of the limits that arrows stand for.
const LIMIT_SIGMA: f64 = 2.0;

/// The pixels `[y, x]` whose centres lie inside of a region; of a point the pixel that holds it.
///
/// # Errors
/// [`Error::Options`] where there is no such pixel.
pub fn region_pixels(geom: &WcsGeom, region: &SkyRegion) -> Result<Array2<bool>> {
    let pixels = if region.is_point() {
        let mut pixels = Array2::from_elem((geom.ny(), geom.nx()), false);
        if let Some(at) = geom.pixel_of(region.center()) {
            pixels[at] = true;
        }
        pixels
    } else {
        geom.region_mask(region)
    };
    if pixels.iter().any(|p| *p) {
        return Ok(pixels);
    }
    let SkyPosition { lon_deg, lat_deg, frame } = region.center();
    Err(Error::options(
        "region",
        format!(
            "no pixel of the map has its centre in the region around ({lon_deg}, {lat_deg}) deg ({})",
            frame.name()
        ),
    )
    .with_help("choose a region inside of the map, no smaller than a pixel"))
}

/// Sums over pixels per energy bin, of any dataset: what Gammapy's spectrum plots show.
///
/// Sums are over pixels inside of mask_safe and mask_fit. At energies where no pixel is inside, all of them are summed and
/// [`CountsSpectrum::inside`] is false; charts shade these.
#[derive(Debug, Clone, PartialEq)]
pub struct CountsSpectrum {
    /// Name of the dataset.
    pub name: String,
    /// Edges of the energy bins in TeV, one more than bins.
    pub edges_tev: Vec<f64>,
    /// Whether any pixel is inside of the masks.
    pub inside: Vec<bool>,
    /// Measured counts.
    pub counts: Option<Vec<f64>>,
    /// Background: the predicted one, or alpha times the off counts.
    pub background: Option<Vec<f64>>,
    /// Off counts of datasets that have them.
    pub counts_off: Option<Vec<f64>>,
    /// Predicted counts of the source models; `None` without a source.
    pub signal: Option<Vec<f64>>,
    /// All predicted counts; `None` where nothing can be predicted.
    pub npred: Option<Vec<f64>>,
}

/// What is predicted of a dataset, `[energy, y, x]`.
pub(super) struct Parts<'a> {
    /// The predicted background, or alpha times the off counts.
    pub background: Option<Map>,
    pub counts_off: Option<&'a Map>,
    /// Of the sources; `None` without one.
    pub signal: Option<Map>,
    /// All together; `None` where there is nothing.
    pub npred: Option<Map>,
}

impl<'a> Parts<'a> {
    pub fn of(dataset: DatasetRef<'a>, backend: &Backend, control: &Control) -> Result<Self> {
        let common = dataset.common()?;
        let has_sources = common.models.sky_models(&common.name).next().is_some();
        let signal = has_sources.then(|| common.npred_signal(None, backend, control)).transpose()?;
        Ok(match dataset {
            DatasetRef::Map(map) => {
                let background = map.background.as_ref().map(|_| map.npred_background()).transpose()?;
                let npred = if background.is_some() || has_sources { Some(map.npred(backend, control)?) } else { None };
                Self { background, counts_off: None, signal, npred }
            }
            DatasetRef::OnOff(on_off) => Self {
                background: Some(on_off.background()?),
                counts_off: Some(on_off.require_counts_off()?),
                signal,
                npred: on_off.on.counts.as_ref().map(|_| on_off.npred(backend, control)).transpose()?,
            },
            DatasetRef::FluxPoints(points) => return Err(points.no_counts()),
        })
    }
}

/// Which bins of a cube count, and the sums over them.
struct Region<'a> {
    pixels: Option<&'a Array2<bool>>,
    mask: Option<ArrayView3<'a, bool>>,
    inside: Vec<bool>,
}

impl<'a> Region<'a> {
    fn new(dim: (usize, usize, usize), pixels: Option<&'a Array2<bool>>, mask: Option<&'a Mask>) -> Result<Self> {
        let mask = mask.map(Mask::cube);
        if let Some(found) = pixels.map(|p| p.dim()).filter(|found| *found != (dim.1, dim.2)) {
            return Err(Error::input("region", format!("{found:?} pixels where the map has {:?}", (dim.1, dim.2))));
        }
        if let Some(found) = mask.as_ref().map(|m| m.dim()).filter(|found| *found != dim) {
            return Err(Error::input("mask", format!("shape {found:?} where the counts have {dim:?}")));
        }
        let chosen = |y: usize, x: usize| pixels.is_none_or(|p| p[[y, x]]);
        let inside = (0..dim.0)
            .map(|e| match &mask {
                Some(mask) => mask.index_axis(ndarray::Axis(0), e).indexed_iter().any(|((y, x), m)| *m && chosen(y, x)),
                None => true,
            })
            .collect();
        Ok(Self { pixels, mask, inside })
    }

    /// Row by row, so that the sums are the same whatever the threads. Bins that are not finite are left out.
    fn sums(&self, map: &Map) -> Result<Vec<f64>> {
        let cube = map.cube();
        let (planes, ny, nx) = cube.dim();
        let shapes = [self.pixels.map(|p| p.dim()), self.mask.as_ref().map(|m| (m.dim().1, m.dim().2))];
        if planes != self.inside.len() || shapes.into_iter().flatten().any(|s| s != (ny, nx)) {
            return Err(Error::input("dataset", "its maps differ in shape"));
        }
        let mut sums = vec![0.0; planes];
        for (e, sum) in sums.iter_mut().enumerate() {
            let mask = self.mask.as_ref().filter(|_| self.inside[e]);
            for y in 0..ny {
                let mut row = 0.0;
                for x in 0..nx {
                    let v = cube.at(e, y, x);
                    if v.is_finite() && self.pixels.is_none_or(|p| p[[y, x]]) && mask.is_none_or(|m| m[[e, y, x]]) {
                        row += v;
                    }
                }
                *sum += row;
            }
        }
        Ok(sums)
    }
}

impl CountsSpectrum {
    /// Of a dataset with its models, over some pixels `[y, x]` (see [`region_pixels`]) or all of them.
    ///
    /// # Errors
    /// [`Error::Input`] without any counts or background, for parts that do not fit each other, and those of
    /// [`MapDataset::npred_signal`](crate::datasets::MapDataset::npred_signal).
    pub fn of<'a>(
        dataset: impl Into<DatasetRef<'a>>,
        pixels: Option<&Array2<bool>>,
        backend: &Backend,
        control: &Control,
    ) -> Result<Self> {
        let dataset = dataset.into();
        Self::of_parts(dataset, &Parts::of(dataset, backend, control)?, pixels)
    }

    pub(super) fn of_parts(dataset: DatasetRef<'_>, parts: &Parts<'_>, pixels: Option<&Array2<bool>>) -> Result<Self> {
        let common = dataset.common()?;
        let reference = reference_map(dataset)?;
        let mask = common.mask()?;
        let region = Region::new(reference.cube().dim(), pixels, mask.as_ref())?;
        let sums = |map: Option<&Map>| map.map(|m| region.sums(m)).transpose();
        Ok(Self {
            name: common.name.clone(),
            edges_tev: reference.geom().axis("energy")?.edges_tev()?,
            counts: sums(common.counts.as_ref())?,
            background: sums(parts.background.as_ref())?,
            counts_off: sums(parts.counts_off)?,
            signal: sums(parts.signal.as_ref())?,
            npred: sums(parts.npred.as_ref())?,
            inside: region.inside,
        })
    }

    fn require<'a>(&self, part: &str, values: Option<&'a Vec<f64>>) -> Result<&'a [f64]> {
        let help = match part {
            "npred" => "give models, or a dataset with a background",
            "background" => "give a dataset with a background or off counts",
            _ => "give a dataset with counts",
        };
        let missing = || Error::input(part, format!("dataset '{}' has none", self.name)).with_help(help);
        values.map(Vec::as_slice).ok_or_else(missing)
    }

    /// Counts, which must be there.
    fn counts(&self) -> Result<&[f64]> {
        self.require("counts", self.counts.as_ref())
    }

    /// Counts without the background.
    ///
    /// # Errors
    /// [`Error::Input`] without counts or background.
    pub fn excess(&self) -> Result<Vec<f64>> {
        let background = self.require("background", self.background.as_ref())?;
        Ok(self.counts()?.iter().zip(background).map(|(n, b)| n - b).collect())
    }

    /// Counts compared with all predicted counts; NaN outside of the masks and where there is no model to divide by.
    ///
    /// # Errors
    /// [`Error::Input`] without counts, or where nothing can be predicted.
    pub fn residuals(&self, method: ResidualMethod) -> Result<Vec<f64>> {
        let npred = self.require("npred", self.npred.as_ref())?;
        let each = self.counts()?.iter().zip(npred).zip(&self.inside);
        Ok(each.map(|((n, mu), inside)| if *inside { method.of(*n, *mu) } else { f64::NAN }).collect())
    }

    /// The statistic of one bin with a signal subtracted: Cash, or W for off counts.
    fn statistic(&self, bin: usize, n_on: f64, signal: f64) -> Box<dyn CountsStatistic> {
        let of = |values: &Option<Vec<f64>>| values.as_ref().map_or(0.0, |v| v[bin]);
        match &self.counts_off {
            // Without off counts alpha is not known, and the background is 0.
            Some(off) if off[bin] > 0.0 => {
                let alpha = of(&self.background) / off[bin];
                Box::new(WStatCountsStatistic { n_on, n_off: off[bin], alpha, mu_sig: signal })
            }
            _ => Box::new(CashCountsStatistic { n_on, mu_bkg: of(&self.background) + signal }),
        }
    }

    /// One-sigma errors below and above the counts or (with off counts) the excess: where −2 ln L rises by 1; where there
    /// is no such place, the symmetric one.
    fn errors(statistic: &dyn CountsStatistic) -> (f64, f64) {
        let or = |v: f64| if v.is_finite() { v } else { statistic.error() };
        (or(statistic.compute_errn(1.0)), or(statistic.compute_errp(1.0)))
    }

    /// Ranges of energies outside of the masks, in the chart's unit.
    fn outside(&self, factor: f64) -> Vec<(f64, f64)> {
        let bins = self.edges_tev.windows(2).zip(&self.inside);
        let mut ranges: Vec<(f64, f64)> = Vec::new();
        for (edges, _) in bins.filter(|(_, inside)| !**inside) {
            let (lo, hi) = (edges[0] * factor, edges[1] * factor);
            match ranges.last_mut() {
                Some(last) if last.1 == lo => last.1 = hi,
                _ => ranges.push((lo, hi)),
            }
        }
        ranges
    }

    /// Unit, factor from TeV, and edges in the unit.
    fn axis(&self) -> (&'static str, f64, Vec<f64>) {
        let (unit, factor) = axis_unit(self.edges_tev[0], self.edges_tev[self.edges_tev.len() - 1]);
        (unit, factor, self.edges_tev.iter().map(|e| e * factor).collect())
    }

    /// A chart over energy with what is outside of the masks shaded.
    fn chart(&self) -> Chart {
        let (unit, factor, edges) = self.axis();
        let chart = Chart::new().x("Energy", unit).log_x().x_range(edges[0], edges[edges.len() - 1]).aspect(0.5);
        let outside = self.outside(factor);
        if outside.is_empty() { chart } else { chart.series(Series::shaded("outside of the masks", &outside)) }
    }

    /// A point over its bin.
    fn point(edges: &[f64], bin: usize, value: f64) -> ChartPoint {
        let (lo, hi) = (edges[bin], edges[bin + 1]);
        ChartPoint::new((lo * hi).sqrt(), value).x_range(lo, hi)
    }

    fn limit(edges: &[f64], bin: usize, value: f64) -> ChartPoint {
        let (lo, hi) = (edges[bin], edges[bin + 1]);
        ChartPoint::upper_limit((lo * hi).sqrt(), value).x_range(lo, hi)
    }
}

/// The map that says how many bins there are.
pub(super) fn reference_map(dataset: DatasetRef<'_>) -> Result<&Map> {
    let common = dataset.common()?;
    let mut parts = vec![common.counts.as_ref(), common.background.as_ref()];
    if let DatasetRef::OnOff(on_off) = dataset {
        parts.extend([on_off.counts_off.as_ref(), on_off.acceptance.as_ref()]);
    }
    parts.into_iter().flatten().next().ok_or_else(|| common.missing("counts"))
}

/// Whether values are better seen on a logarithmic axis.
fn is_spread<'a>(lists: impl IntoIterator<Item = &'a [f64]>) -> bool {
    let positive = || lists.into_iter().flatten().copied().filter(|v| v.is_finite() && *v > 0.0);
    let (lo, hi) = positive().fold((f64::INFINITY, 0.0f64), |(lo, hi), v| (lo.min(v), hi.max(v)));
    hi > LINEAR_SPREAD * lo
}

/// Counts with errors over the background and all that is predicted (Gammapy's `SpectrumDataset.plot_counts`). Bins
/// without counts are arrows at their 2 sigma limit where the axis is logarithmic.
///
/// ```
/// use ndarray::Array3;
/// use pevatron::compute::Backend;
/// use pevatron::maps::{Geom, MapAxis};
/// use pevatron::plot::{CountsSpectrum, counts_chart};
/// use pevatron::prelude::*;
/// # fn main() -> pevatron::Result<()> {
/// let center = SkyPosition { lon_deg: 83.6, lat_deg: 22.0, frame: Frame::Icrs };
/// let axis = MapAxis::energy_bounds(1.0, 100.0, 2, "energy")?;
/// let geom = std::sync::Arc::new(Geom::Wcs(WcsGeom::create(center, 4, 3, (0.1, 0.1), "TAN", vec![axis])?));
/// let map = |value: f64| Map::from_cube(geom.clone(), Default::default(), Array3::from_elem((2, 3, 4), value));
/// let dataset = MapDataset { counts: Some(map(5.0)?), background: Some(map(3.5)?), ..MapDataset::default() };
/// let spectrum = CountsSpectrum::of(&dataset, None, &Backend::reference(), &Control::new())?;
/// assert_eq!(spectrum.counts.as_deref(), Some(&[60.0, 60.0][..]));
/// assert_eq!(spectrum.excess()?, [18.0, 18.0]);
/// let svg = counts_chart(&spectrum)?.draw()?.to_svg()?;
/// assert!(svg.starts_with(b"<svg"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Input`] where there are neither counts nor predicted ones.
pub fn counts_chart(spectrum: &CountsSpectrum) -> Result<Chart> {
    let (.., edges) = spectrum.axis();
    if spectrum.counts.is_none() && spectrum.npred.is_none() {
        spectrum.counts()?;
    }
    let lists = [&spectrum.counts, &spectrum.background, &spectrum.npred];
    let log = is_spread(lists.into_iter().flatten().map(Vec::as_slice));
    let mut chart = spectrum.chart().y("counts per bin", "");
    if let Some(background) = &spectrum.background {
        let name = if spectrum.counts_off.is_some() { "alpha × off counts" } else { "background" };
        chart = chart.series(Series::filled_steps("", &edges, background));
        chart = chart.series(Series::steps(name, &edges, background).like_previous());
    }
    if let Some(signal) = &spectrum.signal {
        chart = chart.series(Series::dashed_steps("npred of the sources", &edges, signal));
    }
    if let Some(npred) = spectrum.npred.as_ref().filter(|_| spectrum.signal.is_some()) {
        chart = chart.series(Series::steps("npred", &edges, npred));
    }
    let mut limits = false;
    if let Some(counts) = &spectrum.counts {
        let empty = counts.iter().filter(|n| **n <= 0.0).count();
        let points: Vec<ChartPoint> = counts
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0.0 || !log || empty <= MOST_LIMITS)
            .map(|(bin, n)| {
                let statistic = CashCountsStatistic { n_on: *n, mu_bkg: 0.0 };
                if log && *n <= 0.0 {
                    limits = true;
                    return CountsSpectrum::limit(&edges, bin, statistic.compute_upper_limit(LIMIT_SIGMA));
                }
                let (below, above) = CountsSpectrum::errors(&statistic);
                CountsSpectrum::point(&edges, bin, *n).y_error(below, above)
            })
            .collect();
        let name = if limits { "counts (arrows: 2σ limits)" } else { "counts" };
        chart = chart.series(Series::points(name, &points).dark());
    }
    Ok(vertical(chart, log, lists.into_iter().flatten().map(Vec::as_slice)))
}

/// A linear axis that begins at 0 where nothing is below, or a logarithmic one that leaves far tails of models out.
fn vertical<'a>(chart: Chart, log: bool, lists: impl IntoIterator<Item = &'a [f64]>) -> Chart {
    let all = || lists.into_iter().flatten().copied().filter(|v| v.is_finite());
    let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut least_positive = f64::INFINITY;
    for v in all() {
        (lo, hi) = (lo.min(v), hi.max(v));
        if v > 0.0 {
            least_positive = least_positive.min(v);
        }
    }
    if !log {
        return if lo >= 0.0 && hi > 0.0 { chart.y_range(0.0, 1.18 * hi + 2.0 * hi.sqrt().min(hi)) } else { chart };
    }
    // Less than a tenth of a count says nothing, unless it is all there is.
    let bottom = least_positive.max(0.1f64.min(1e-4 * hi).max(0.03)).min(hi * 0.1);
    let top = 4.0 * hi;
    // Beyond ten thousand, an axis that begins below 10 has powers of ten as labels and none in its name.
    let lower = if top > 1e4 { (0.5 * bottom).min(9.9) } else { 0.5 * bottom };
    chart.log_y().y_range(lower, top)
}

/// Counts without the background, with errors, over the predicted counts of the sources (Gammapy's
/// `SpectrumDataset.plot_excess`). Errors are where −2 ln L rises by 1; with off counts, those of the W statistic.
///
/// # Errors
/// [`Error::Input`] without counts or background.
pub fn excess_chart(spectrum: &CountsSpectrum) -> Result<Chart> {
    let (.., edges) = spectrum.axis();
    let excess = spectrum.excess()?;
    let counts = spectrum.counts()?;
    let shown: Vec<f64> =
        excess.iter().zip(&spectrum.inside).map(|(v, inside)| if *inside { *v } else { f64::NAN }).collect();
    let signal = spectrum.signal.as_deref();
    // A logarithmic axis only where the signal stands out at most energies: below 0 there is nothing to see on it.
    let above = shown.iter().filter(|v| **v > 0.0).count();
    let finite = shown.iter().filter(|v| v.is_finite()).count();
    let log = 4 * above >= 3 * finite && is_spread([&shown[..]].into_iter().chain(signal));
    let mut chart = spectrum.chart().y("excess counts per bin", "");
    if let Some(signal) = signal {
        chart = chart.series(Series::filled_steps("", &edges, signal));
        chart = chart.series(Series::steps("npred of the sources", &edges, signal).like_previous());
    }
    let mut limits = false;
    let mut ends = vec![0.0];
    let points: Vec<ChartPoint> = excess
        .iter()
        .enumerate()
        .filter(|(bin, _)| spectrum.inside[*bin])
        .map(|(bin, value)| {
            let statistic = spectrum.statistic(bin, counts[bin], 0.0);
            if log && *value <= 0.0 {
                limits = true;
                let limit = statistic.compute_upper_limit(LIMIT_SIGMA);
                return CountsSpectrum::limit(&edges, bin, limit);
            }
            let (below, above) = CountsSpectrum::errors(statistic.as_ref());
            ends.extend([value - below, value + above]);
            CountsSpectrum::point(&edges, bin, *value).y_error(below, above)
        })
        .collect();
    let name = if limits { "excess (arrows: 2σ limits)" } else { "excess" };
    chart = chart.series(Series::points(name, &points).dark());
    if log {
        return Ok(vertical(chart, true, [&shown[..]].into_iter().chain(signal)));
    }
    chart = chart.series(Series::level("", 0.0));
    Ok(padded(chart, ends.into_iter().chain(signal.into_iter().flatten().copied())))
}

/// Room above the values, where the legend goes.
fn padded(chart: Chart, values: impl Iterator<Item = f64>) -> Chart {
    let (lo, hi) = values.filter(|v| v.is_finite()).fold((0.0f64, 0.0f64), |(lo, hi), v| (lo.min(v), hi.max(v)));
    let span = hi - lo;
    if span > 0.0 { chart.y_range(lo - 0.08 * span, hi + 0.25 * span) } else { chart }
}

/// Counts compared with all that is predicted (Gammapy's `plot_residuals_spectral`), inside of the masks, with the errors
/// of the excess over it.
///
/// # Errors
/// [`Error::Input`] without counts, or where nothing can be predicted.
pub fn residuals_chart(spectrum: &CountsSpectrum, method: ResidualMethod) -> Result<Chart> {
    let (.., edges) = spectrum.axis();
    let residuals = spectrum.residuals(method)?;
    let (counts, npred) = (spectrum.counts()?, spectrum.require("npred", spectrum.npred.as_ref())?);
    let mut ends = vec![0.0];
    let points: Vec<ChartPoint> = residuals
        .iter()
        .enumerate()
        .filter(|(_, v)| v.is_finite())
        .map(|(bin, value)| {
            let signal = spectrum.signal.as_ref().map_or(0.0, |s| s[bin]);
            let statistic = spectrum.statistic(bin, counts[bin], signal);
            let scale = match method {
                ResidualMethod::Diff => 1.0,
                ResidualMethod::DiffOverSqrtModel => npred[bin].sqrt(),
                ResidualMethod::DiffOverModel => npred[bin],
            };
            let (below, above) = CountsSpectrum::errors(statistic.as_ref());
            let (below, above) = (below / scale, above / scale);
            ends.extend([value - below, value + above]);
            CountsSpectrum::point(&edges, bin, *value).y_error(below, above)
        })
        .collect();
    // The same distance above and below: a trend is seen as such.
    let most = ends.into_iter().filter(|v| v.is_finite()).map(f64::abs).fold(0.0, f64::max);
    let most = if most > 0.0 { 1.1 * most } else { 1.0 };
    Ok(spectrum
        .chart()
        .y(residual_label(method), "")
        .y_range(-most, most)
        .aspect(0.22)
        .series(Series::level("", 0.0))
        .series(Series::points("", &points).dark())
        .without_legend())
}

/// What an axis of residuals is called.
pub(super) fn residual_label(method: ResidualMethod) -> &'static str {
    match method {
        ResidualMethod::Diff => "data − model",
        ResidualMethod::DiffOverSqrtModel => "(data − model) / √model",
        ResidualMethod::DiffOverModel => "(data − model) / model",
    }
}

/// What the upper panel of [`fit_figure`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitPanel {
    /// [`counts_chart`].
    Counts,
    /// [`excess_chart`].
    Excess,
}

/// Counts or excess with the model, and the residuals below on the same energies (Gammapy's
/// `SpectrumDataset.plot_fit`). Where nothing is predicted there are no residuals.
///
/// # Errors
/// Those of [`counts_chart`] and [`excess_chart`].
pub fn fit_figure(spectrum: &CountsSpectrum, upper: FitPanel, method: ResidualMethod) -> Result<Figure> {
    let chart = match upper {
        FitPanel::Counts => counts_chart(spectrum)?,
        FitPanel::Excess => excess_chart(spectrum)?,
    };
    if spectrum.counts.is_none() || spectrum.npred.is_none() {
        return Ok(Figure::new().panel(chart));
    }
    let lower = residuals_chart(spectrum, method)?;
    Ok(Figure::new().columns(1).panel(chart.without_x_name()).panel(lower))
}
