//! Sources one after the other: the brightest peak becomes a part of the null hypothesis, then the map is made again.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use super::find::{Columns, PeakDistance, find_in_plane};
use super::locate::{Paraboloid, PeakLocation, PeakStatus, locate};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::MapDataset;
use crate::error::{Error, Result};
use crate::estimators::TsMapEstimator;
use crate::flux::{FluxMaps, FluxQuantity};
use crate::maps::{Map, Mask, WcsGeom};
use crate::models::{Model, Models, Parameter, SkyModel, SpectralModel};
use crate::units::Angle;

/// Pixels around a source that its position may move by in one round, and that the shape of ts is taken from.
const REACH: usize = 6;

/// A group of neighbours has settled when no position and no norm changes by more than this part of its error.
const SETTLED: f64 = 0.02;

/// Names of found sources begin with this.
const SOURCE_PREFIX: &str = "source-";

/// Finds point sources (or sources of the test source's shape) in datasets by repeated TS maps.
///
/// Each round makes the TS map over everything found so far, takes the highest peak above the threshold, and adds a source
/// there: the test source times the fitted norm, at the position below the size of a pixel. Then the new source and its
/// neighbours are fitted in turn, each in a TS map of its surroundings with all others in the null hypothesis, until they
/// have settled: so sources that share counts come apart. The search ends when nothing is above the threshold.
///
/// The errors of a source are those with all other sources as they are. Results depend neither on threads nor on order.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SourceSearch {
    /// Makes the maps; one energy group. Likelihood profiles are left out.
    pub estimator: TsMapEstimator,
    /// sqrt_ts that a peak must exceed. Default 5.
    pub threshold: f64,
    /// Least distance of peaks within one map. Default one pixel.
    pub min_distance: PeakDistance,
    /// Most sources. Default 50.
    pub max_sources: usize,
    /// Most rounds of fits of neighbours. Default 20.
    pub max_rounds: usize,
}

impl SourceSearch {
    /// With the defaults.
    pub fn new(estimator: TsMapEstimator) -> Self {
        Self { estimator, threshold: 5.0, min_distance: PeakDistance::default(), max_sources: 50, max_rounds: 20 }
    }
}

/// A source that was found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FoundSource {
    /// `source-1`, `source-2`, … in the order in which they were found.
    pub name: String,
    /// sqrt_ts of the peak when it was found.
    pub found_sqrt_ts: f64,
    /// Position with its error; ts with all other sources in the null hypothesis.
    pub location: PeakLocation,
    /// Norm relative to the test source, at the position.
    pub norm: f64,
    /// Symmetric error of the norm, `n_sigma`.
    pub norm_err: f64,
    /// Lower error, where it was selected.
    pub norm_errn: Option<f64>,
    /// Upper error, where it was selected.
    pub norm_errp: Option<f64>,
    /// Upper limit, where it was selected.
    pub norm_ul: Option<f64>,
    /// Predicted counts within the energy group.
    pub npred_excess: f64,
    /// What norms are to be multiplied with for fluxes of the energy group, in cm-2 s-1.
    pub flux_ref: f64,
    /// The source as it stands in the null hypothesis.
    pub model: SkyModel,
}

/// What a search found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SearchReport {
    /// The sources, in the order in which they were found.
    pub sources: Vec<FoundSource>,
    /// The maps before anything was found.
    pub first: FluxMaps,
    /// The maps with all sources in the null hypothesis.
    pub residual: FluxMaps,
    /// Number of TS maps of the whole region.
    pub maps: usize,
    /// Width of the kernel in degrees.
    pub kernel_width_deg: f64,
    /// False where `max_sources` ended the search.
    pub complete: bool,
    /// What a user should know.
    pub warnings: Vec<String>,
}

impl SearchReport {
    /// The found sources as models.
    pub fn models(&self) -> Models {
        Models { components: self.sources.iter().map(|s| Model::Sky(s.model.clone())).collect() }
    }

    /// Geometry of the maps.
    ///
    /// # Errors
    /// Never for a report that a search made.
    pub fn geom(&self) -> Result<WcsGeom> {
        Ok(self.first.geom().as_wcs()?.to_image())
    }
}

/// What a TS map of a source's surroundings says of it.
struct Local {
    location: PeakLocation,
    norm: f64,
    norm_err: f64,
    norm_errn: Option<f64>,
    norm_errp: Option<f64>,
    norm_ul: Option<f64>,
    npred_excess: f64,
}

impl SourceSearch {
    /// Searches datasets that share their pixels on the sky. Their own models are part of the null hypothesis.
    ///
    /// # Errors
    /// [`Error::Options`] for a threshold that is not positive and finite, no source at all, several energy groups or a
    /// test source without an amplitude; those of [`TsMapEstimator::run_with`]; [`Error::Cancelled`].
    pub fn run_with(&self, datasets: &[MapDataset], backend: &Backend, control: &Control) -> Result<SearchReport> {
        if !(self.threshold > 0.0 && self.threshold.is_finite()) {
            return Err(Error::options("threshold", format!("{} must be positive and finite", self.threshold)));
        }
        if self.max_sources == 0 {
            return Err(Error::options("max_sources", "must be at least 1"));
        }
        let first =
            datasets.first().ok_or_else(|| Error::input("datasets", "there is none, at least one is needed"))?;
        if self.estimator.energy_edges.groups(first.energy_axis()?)?.bins.len() != 1 {
            return Err(Error::options(
                "energy_edges",
                "a search needs one energy group: a source belongs to all energies",
            ));
        }
        // Found out before any map is made.
        scaled(&self.estimator.kernel_model.spectral, 1.0)?;
        let mut estimator = self.estimator.clone();
        estimator.selection_optional.stat_scan = false;

        let mut report = estimator.run_with(datasets, backend, control)?;
        let mut found = SearchReport {
            sources: Vec::new(),
            first: report.maps.clone(),
            residual: report.maps.clone(),
            maps: 1,
            kernel_width_deg: report.kernel_width_deg,
            complete: true,
            warnings: report.warnings.clone(),
        };
        let geom = found.geom()?;
        estimator.kernel_width = Some(Angle::deg(report.kernel_width_deg));
        let mut rounds = Rounds {
            search: self,
            estimator: TsMapEstimator { downsampling_factor: None, ..estimator.clone() },
            datasets: datasets.to_vec(),
            base: datasets.iter().map(|d| d.models.clone()).collect(),
            geom: &geom,
            backend,
        };
        loop {
            control.report("sources", found.sources.len() as u64, self.max_sources as u64);
            control.check()?;
            let Some(source) = self.next_source(&report.maps, &geom, &mut found)? else { break };
            if found.sources.len() == self.max_sources {
                found.complete = false;
                found.warnings.push(format!(
                    "the search ended at {} sources, a peak of sqrt_ts {:.1} is left; raise max_sources",
                    self.max_sources, source.found_sqrt_ts
                ));
                break;
            }
            found.sources.push(source);
            let newest = found.sources.len() - 1;
            let group = rounds.neighbours(&found.sources, newest);
            rounds.settle(&mut found.sources, &group, control)?;
            rounds.set_models(&found.sources, |_| true);
            report = estimator.run_with(&rounds.datasets, backend, control)?;
            found.maps += 1;
        }
        if found.sources.len() > 2 {
            // Chains of neighbours: what moved last may matter to those found first.
            let all: Vec<usize> = (0..found.sources.len()).collect();
            if rounds.settle(&mut found.sources, &all, control)? {
                rounds.set_models(&found.sources, |_| true);
                report = estimator.run_with(&rounds.datasets, backend, control)?;
                found.maps += 1;
            }
        }
        found.residual = report.maps;
        control.report("sources", self.max_sources as u64, self.max_sources as u64);
        Ok(found)
    }

    /// The highest peak that is not where a source was put already.
    fn next_source(&self, maps: &FluxMaps, geom: &WcsGeom, found: &mut SearchReport) -> Result<Option<FoundSource>> {
        let sqrt_ts = maps.sqrt_ts()?.plane_f64(0);
        let peaks = find_in_plane(&sqrt_ts, geom, self.threshold, self.min_distance)?;
        let columns = Columns::of(geom);
        let known = |x: usize, y: usize| {
            found.sources.iter().any(|s| {
                let (u, v) = s.location.pixel;
                columns.between(u, x as f64).abs() <= 1.0 && (y as f64 - v).abs() <= 1.0
            })
        };
        let Some(peak) = peaks.iter().find(|p| !known(p.x, p.y)) else {
            if let Some(left) = peaks.first() {
                found.warnings.push(format!(
                    "a peak of sqrt_ts {:.1} is left within a pixel of a source: it may be extended, or of another spectrum",
                    left.value
                ));
            }
            return Ok(None);
        };
        let ts = maps.require(FluxQuantity::Ts)?.plane_f64(0);
        let location = locate(ts.view(), geom, (peak.y, peak.x));
        let local = read(maps, location, (peak.y, peak.x))?;
        let model = &self.estimator.kernel_model;
        let edges = maps.energy_axis()?.edges_tev()?;
        let name = format!("{SOURCE_PREFIX}{}", found.sources.len() + 1);
        let mut source = FoundSource {
            name: name.clone(),
            found_sqrt_ts: peak.value,
            location,
            norm: local.norm,
            norm_err: local.norm_err,
            norm_errn: None,
            norm_errp: None,
            norm_ul: None,
            npred_excess: local.npred_excess,
            flux_ref: model.spectral.integral(edges[0], edges[edges.len() - 1]),
            model: SkyModel { name, datasets_names: None, ..model.clone() },
        };
        source.take(local, model)?;
        Ok(Some(source))
    }
}

impl FoundSource {
    /// Takes over what a map says, and puts it into the model.
    fn take(&mut self, local: Local, test: &SkyModel) -> Result<()> {
        self.location = local.location;
        self.norm = local.norm;
        self.norm_err = local.norm_err;
        self.norm_errn = local.norm_errn;
        self.norm_errp = local.norm_errp;
        self.norm_ul = local.norm_ul;
        self.npred_excess = local.npred_excess;
        // A source that its neighbours have taken everything from stays there without counts.
        self.model.spectral = scaled(&test.spectral, self.norm.max(0.0))?;
        self.model.spatial = test.spatial.as_ref().map(|s| Arc::from(s.at_position(self.location.position)));
        Ok(())
    }
}

/// What the fits of single sources share.
struct Rounds<'a> {
    search: &'a SourceSearch,
    /// For the surroundings of single sources.
    estimator: TsMapEstimator,
    /// The datasets; their models are those of the latest null hypothesis.
    datasets: Vec<MapDataset>,
    /// The models that the datasets came with.
    base: Vec<Models>,
    geom: &'a WcsGeom,
    backend: &'a Backend,
}

impl Rounds<'_> {
    fn width_deg(&self) -> f64 {
        self.estimator.kernel_width.map_or(0.0, Angle::to_deg)
    }

    fn near(&self, a: &FoundSource, b: &FoundSource, width: f64) -> bool {
        a.location.position.separation_deg(b.location.position) < width
    }

    /// A source and those that share counts with it, in order.
    fn neighbours(&self, sources: &[FoundSource], of: usize) -> Vec<usize> {
        (0..sources.len()).filter(|j| self.near(&sources[*j], &sources[of], self.width_deg())).collect()
    }

    /// The null hypothesis: what was given, and the chosen ones of the found sources.
    fn set_models(&mut self, sources: &[FoundSource], chosen: impl Fn(usize) -> bool) {
        for (dataset, base) in self.datasets.iter_mut().zip(&self.base) {
            dataset.models = base.clone();
            let found = sources.iter().enumerate().filter(|(i, _)| chosen(*i));
            dataset.models.components.extend(found.map(|(_, s)| Model::Sky(s.model.clone())));
        }
    }

    /// Fits each of a group in turn until none changes any more; true where any did.
    fn settle(&mut self, sources: &mut [FoundSource], group: &[usize], control: &Control) -> Result<bool> {
        let mut any = false;
        for _ in 0..self.search.max_rounds {
            let mut change: f64 = 0.0;
            for j in group {
                control.check()?;
                let Some(local) = self.fit_one(sources, *j, control)? else { continue };
                let source = &mut sources[*j];
                let (dx, dy) = (
                    Columns::of(self.geom).between(source.location.pixel.0, local.location.pixel.0),
                    local.location.pixel.1 - source.location.pixel.1,
                );
                // Without an error of the position a whole pixel is one.
                let size = |variance: f64| if variance > 0.0 { variance.sqrt() } else { 1.0 };
                change = change
                    .max(dx.abs() / size(local.location.covariance.0))
                    .max(dy.abs() / size(local.location.covariance.2))
                    .max((local.norm - source.norm).abs() / local.norm_err.max(f64::MIN_POSITIVE));
                source.take(local, &self.search.estimator.kernel_model)?;
            }
            any |= change > SETTLED;
            // Nobody else has moved where there is nobody else.
            if change <= SETTLED || group.len() < 2 {
                break;
            }
        }
        Ok(any)
    }

    /// The TS map around a source, with all others in the null hypothesis; `None` where it has no peak there.
    fn fit_one(&mut self, sources: &[FoundSource], j: usize, control: &Control) -> Result<Option<Local>> {
        let (u, v) = sources[j].location.pixel;
        let (cx, cy) = (u.round().max(0.0) as usize, v.round().max(0.0) as usize);
        let (sx, sy) = self.geom.pixel_scales_deg();
        let half = |scale: f64| (0.5 * self.width_deg() / scale).ceil() as usize + 1 + REACH;
        let range = |c: usize, half: usize, n: usize| c.saturating_sub(half)..(c + half + 1).min(n);
        let (cx, nx) = (cx.min(self.geom.nx() - 1), self.geom.nx());
        let is_over_an_end = cx < half(sx) || cx + half(sx) >= nx;
        let (rows, columns) = match self.geom.closes_in_longitude() {
            // Around the sky nothing ends there, as long as all columns are there.
            Some(_) if is_over_an_end => (range(cy, half(sy), self.geom.ny()), 0..nx),
            _ => (range(cy, half(sy), self.geom.ny()), range(cx, half(sx), nx)),
        };
        let reach_deg = 2.0 * self.width_deg() + 2.0 * REACH as f64 * sx.max(sy);
        let near: Vec<bool> = sources.iter().map(|other| self.near(other, &sources[j], reach_deg)).collect();
        self.set_models(sources, |i| i != j && near[i]);
        let cutouts: Vec<MapDataset> =
            self.datasets.iter().map(|d| self.cutout(d, &rows, &columns, control)).collect::<Result<_>>()?;
        let maps = self.estimator.run_with(&cutouts, self.backend, &quiet(control))?.maps;
        let ts = maps.require(FluxQuantity::Ts)?.plane_f64(0);
        let norm = maps.norm()?.plane_f64(0);
        let start = (cy - rows.start, cx - columns.start);
        let local_geom = maps.geom().as_wcs()?.to_image();
        let Some(peak) = climb(&ts, &norm, start, Columns::of(&local_geom)) else { return Ok(None) };
        let mut local = read(&maps, locate(ts.view(), &local_geom, peak), peak)?;
        local.location.pixel.0 += columns.start as f64;
        local.location.pixel.1 += rows.start as f64;
        Ok(Some(local))
    }

    /// A part of a dataset whose background is the whole null hypothesis.
    fn cutout(
        &self,
        dataset: &MapDataset,
        rows: &Range<usize>,
        columns: &Range<usize>,
        control: &Control,
    ) -> Result<MapDataset> {
        let map = |m: &Map| m.slice_image(rows.clone(), columns.clone());
        let mask = |m: &Option<Mask>| m.as_ref().map(|m| m.slice_image(rows.clone(), columns.clone())).transpose();
        Ok(MapDataset {
            name: dataset.name.clone(),
            counts: dataset.counts.as_ref().map(map).transpose()?,
            background: Some(map(&dataset.npred(self.backend, control)?)?),
            exposure: dataset.exposure.as_ref().map(map).transpose()?,
            psf: dataset.psf.clone(),
            edisp: dataset.edisp.clone(),
            mask_safe: mask(&dataset.mask_safe)?,
            mask_fit: mask(&dataset.mask_fit)?,
            ..MapDataset::default()
        })
    }
}

/// The same token without the observer: many small maps would make its display flicker.
fn quiet(control: &Control) -> Control {
    control.clone().with_observer(|_| {})
}

/// From a pixel upwards to the nearest peak of ts with a positive norm, [`REACH`] pixels at most; `None` where the way
/// leads further.
fn climb(ts: &Array2<f64>, norm: &Array2<f64>, start: (usize, usize), columns: Columns) -> Option<(usize, usize)> {
    let height = |at: (usize, usize)| match (ts.get(at), norm.get(at)) {
        (Some(t), Some(n)) if t.is_finite() && n.is_finite() => t.copysign(*n),
        _ => f64::NEG_INFINITY,
    };
    let mut here = start;
    loop {
        let around = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dy, dx)));
        let next = around
            .filter_map(|(dy, dx)| Some((here.0.checked_add_signed(dy)?, columns.step(here.1, dx)?)))
            .fold(here, |best, other| if height(other) > height(best) { other } else { best });
        let along = columns.between(start.1 as f64, next.1 as f64).abs();
        if next.0.abs_diff(start.0) > REACH || along > REACH as f64 {
            return None;
        }
        if next == here {
            return (height(here) > f64::NEG_INFINITY).then_some(here);
        }
        here = next;
    }
}

/// The values of flux maps at a position near a pixel `(y, x)`: the norm from a quadratic form through its neighbours
/// where the position is good, errors and distances to limits from the pixel.
fn read(maps: &FluxMaps, location: PeakLocation, (y, x): (usize, usize)) -> Result<Local> {
    let plane = |quantity: FluxQuantity| maps.get(quantity).map(|m| m.plane_f64(0));
    let norms = maps.norm()?.plane_f64(0);
    let at_pixel = norms[[y, x]];
    let norm = match location.status {
        PeakStatus::Ok => {
            let columns = Columns::of(maps.geom().as_wcs()?);
            between(norms.view(), (y, x), location.pixel, columns).unwrap_or(at_pixel)
        }
        _ => at_pixel,
    };
    let value = |quantity| plane(quantity).map(|p| p[[y, x]]);
    let excess = value(FluxQuantity::NpredExcess).unwrap_or(f64::NAN);
    Ok(Local {
        location,
        norm,
        norm_err: value(FluxQuantity::NormErr).unwrap_or(f64::NAN),
        norm_errn: value(FluxQuantity::NormErrn),
        norm_errp: value(FluxQuantity::NormErrp),
        norm_ul: value(FluxQuantity::NormUl).map(|ul| ul - at_pixel + norm),
        npred_excess: if at_pixel == 0.0 { excess } else { excess * norm / at_pixel },
    })
}

/// The value at pixel coordinates within a pixel of `(y, x)`, `None` where neighbours are missing.
fn between(plane: ArrayView2<'_, f64>, (y, x): (usize, usize), (u, v): (f64, f64), columns: Columns) -> Option<f64> {
    let window = |dx: isize, dy: isize| {
        plane.get((y.checked_add_signed(dy)?, columns.step(x, dx)?)).copied().filter(|v| v.is_finite())
    };
    let offsets = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)));
    let values: Vec<f64> = offsets.map(|(dx, dy)| window(dx, dy)).collect::<Option<_>>()?;
    let at = |dx: isize, dy: isize| values[((dy + 1) * 3 + dx + 1) as usize];
    // Norms of a source fall like the overlap of the PSF with itself: a Gaussian, where they are positive.
    let logarithmic = values.iter().all(|v| *v > 0.0);
    let form = Paraboloid::fit(1, |dx, dy| if logarithmic { at(dx, dy).ln() } else { at(dx, dy) });
    let value = form.at((columns.between(x as f64, u), v - y as f64));
    Some(if logarithmic { value.exp() } else { value }).filter(|v| v.is_finite())
}

/// The same spectrum times a factor: its amplitude is changed.
///
/// # Errors
/// [`Error::Options`] for a spectrum without an amplitude.
pub(super) fn scaled(spectral: &Arc<dyn SpectralModel>, factor: f64) -> Result<Arc<dyn SpectralModel>> {
    let mut parameters: Vec<Parameter> = spectral.parameters().to_vec();
    let names = ["amplitude", "norm", "const"];
    let amplitude = names.iter().find_map(|n| parameters.iter().position(|p| p.name == *n));
    let wrong = || {
        Error::options("kernel_model", format!("the amplitude of a {} cannot be changed", spectral.tag()))
            .with_help("take a test source with a spectrum of parameters, such as a power law or a log parabola")
    };
    let Some(index) = amplitude.filter(|_| spectral.as_template().is_none() && spectral.as_compound().is_none()) else {
        return Err(wrong());
    };
    parameters[index].value *= factor;
    parameters[index].error = 0.0;
    let new = spectral.with_parameters(&parameters)?;
    let (before, after) = (spectral.evaluate(1.0) * factor, new.evaluate(1.0));
    if (before - after).abs() > 1e-9 * before.abs() { Err(wrong()) } else { Ok(new) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::spectral::{LogParabolaSpectralModel, PowerLaw2SpectralModel, PowerLawSpectralModel};

    #[test]
    fn amplitudes_are_scaled_whatever_the_spectrum() {
        let models: [Arc<dyn SpectralModel>; 3] = [
            Arc::new(PowerLawSpectralModel::new(2.4, 3e-12, 0.7)),
            Arc::new(PowerLaw2SpectralModel::from_parameters(&[]).unwrap()),
            Arc::new(LogParabolaSpectralModel::from_parameters(&[]).unwrap()),
        ];
        for model in models {
            let three = scaled(&model, 3.0).unwrap();
            for e in [0.1, 1.0, 30.0] {
                assert!((three.evaluate(e) / model.evaluate(e) - 3.0).abs() < 1e-12, "{}", model.tag());
            }
            assert_eq!(scaled(&model, 0.0).unwrap().evaluate(2.0), 0.0);
        }
    }

    #[test]
    fn climbing_ends_on_the_peak_or_nowhere() {
        let ts = Array2::from_shape_fn((30, 30), |(y, x)| {
            100.0 - ((x as f64 - 20.0).powi(2) + (y as f64 - 9.0).powi(2)) / 10.0
        });
        let norm = Array2::from_elem((30, 30), 1.0);
        let columns = Columns { number: 30, turn: None };
        assert_eq!(climb(&ts, &norm, (11, 16), columns), Some((9, 20)));
        assert_eq!(climb(&ts, &norm, (9, 5), columns), None);
        assert_eq!(climb(&ts.mapv(|_| f64::NAN), &norm, (9, 5), columns), None);
    }

    #[test]
    fn norms_between_pixels() {
        let columns = Columns { number: 5, turn: None };
        let gaussian = Array2::from_shape_fn((5, 5), |(y, x)| {
            (-0.2 * ((x as f64 - 2.3).powi(2) + (y as f64 - 1.8).powi(2))).exp()
        });
        assert!((between(gaussian.view(), (2, 2), (2.3, 1.8), columns).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(between(gaussian.view(), (0, 2), (2.3, 0.0), columns), None);
        let plane = Array2::from_shape_fn((5, 5), |(y, x)| 2.0 * x as f64 - y as f64 - 3.0);
        assert!((between(plane.view(), (2, 2), (2.4, 1.5), columns).unwrap() - (4.8 - 1.5 - 3.0)).abs() < 1e-12);
    }
}
