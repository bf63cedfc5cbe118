//! One run: planes, sums over disks, statistics, flux maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView3, Axis, Zip, concatenate, s};

use super::inputs::{Planes, planes};
use super::options::{ExcessMapEstimator, ExcessSelection};
use super::statistic::{OffStatistics, Statistics};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::{DatasetRef, MapDataset};
use crate::error::words::of_number;
use crate::error::{Error, Result};
use crate::estimators::EnergyEdges;
use crate::estimators::distortion::{CutOpen, Distortion};
use crate::flux::{FluxMaps, FluxQuantity};
use crate::kernels::cube::of_columns;
use crate::kernels::{CubeView, DiskSumJob};
use crate::maps::{Geom, Map, WcsGeom};
use crate::models::Model;

/// Flux maps and what is worth knowing about how they came about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExcessMapReport {
    /// The maps.
    pub maps: FluxMaps,
    /// Radius of the disk in pixels.
    pub radius_pixels: f64,
    /// Unmasked pixels, over all energy groups.
    pub pixels: u64,
    /// Number of energy groups.
    pub energy_groups: usize,
    /// Pixels by what there is to say of them, over all groups; one pixel may be in several.
    pub status_counts: BTreeMap<&'static str, u64>,
    /// What a user should know.
    pub warnings: Vec<String>,
    /// Seconds from the dataset to the planes that are summed over disks.
    pub prepare_seconds: f64,
}

impl ExcessMapEstimator {
    /// Makes the maps of a dataset of either kind: a [`MapDataset`] (Cash statistic) or a
    /// [`crate::datasets::MapDatasetOnOff`] (W statistic).
    ///
    /// # Errors
    /// [`Error::Options`] for options that fit no data, [`Error::Input`] for datasets that cannot be used, and what the
    /// backend reports.
    pub fn run<'a>(&self, dataset: impl Into<DatasetRef<'a>>, backend: &Backend) -> Result<FluxMaps> {
        self.run_with(dataset, backend, &Control::new()).map(|report| report.maps)
    }

    /// The same with progress, cancellation and a report.
    ///
    /// # Errors
    /// Those of [`ExcessMapEstimator::run`], and [`Error::Cancelled`].
    pub fn run_with<'a>(
        &self,
        dataset: impl Into<DatasetRef<'a>>,
        backend: &Backend,
        control: &Control,
    ) -> Result<ExcessMapReport> {
        let dataset = dataset.into();
        backend.install(|| self.run_here(dataset, backend, control))
    }

    fn run_here(&self, dataset: DatasetRef<'_>, backend: &Backend, control: &Control) -> Result<ExcessMapReport> {
        let start = std::time::Instant::now();
        self.check()?;
        let common = dataset.common()?;
        let image = common.require_counts()?.wcs_geom()?.to_image();
        let radius = self.radius_pixels(&image)?;
        self.check_kind(dataset)?;
        let groups = self.energy_edges.groups(common.energy_axis()?)?;
        control.report("prepare", 0, 1);
        let planes = planes(dataset, &groups, &self.spectral_model, backend, control)?;
        control.report("prepare", 1, 1);
        let prepare_seconds = start.elapsed().as_secs_f64();

        let disk = Disk { radius, turn: image.closes_in_longitude() };
        let disks = Disks::sum(&planes, disk, self.correlate_off, backend, control)?;
        let statistics = &disks.statistics;
        let geom = Arc::new(Geom::Wcs(image.with_axes(vec![groups.axis.clone()])));
        let mut maps = FluxMaps::new(Arc::clone(&geom), self.spectral_model.clone());
        let mut insert = |quantity, cube: Array3<f64>| {
            maps.insert(quantity, Map::from_cube(Arc::clone(&geom), Default::default(), cube)?)
        };
        // Counts over counts for norm 1.
        let per_exposure = |mut counts: Array3<f64>| {
            Zip::from(&mut counts).and(&disks.exposure).for_each(|counts, exposure| *counts /= exposure);
            counts
        };
        let n_sig = statistics.n_sig();
        let (ts, sqrt_ts) = statistics.ts(&n_sig, control)?;
        let selection = self.selection_optional;
        if selection.errn_errp {
            insert(FluxQuantity::NormErrn, per_exposure(statistics.errn(self.n_sigma, control)?))?;
            insert(FluxQuantity::NormErrp, per_exposure(statistics.errp(self.n_sigma, control)?))?;
        }
        if selection.ul {
            let limit = statistics.upper_limit(&n_sig, self.n_sigma_ul, control)?;
            insert(FluxQuantity::NormUl, per_exposure(limit))?;
        }
        if selection.sensitivity {
            let mut excess = statistics.sensitivity(self.n_sigma_sensitivity, control)?;
            if self.apply_threshold_sensitivity {
                Zip::from(&mut excess).and(&statistics.n_bkg).for_each(|excess, background| {
                    *excess = self.threshold_excess(*excess, *background);
                });
            }
            insert(FluxQuantity::NormSensitivity, per_exposure(excess))?;
        }
        insert(FluxQuantity::NormErr, per_exposure(statistics.error(self.n_sigma)))?;
        insert(FluxQuantity::Norm, per_exposure(n_sig.clone()))?;
        insert(FluxQuantity::Ts, ts)?;
        insert(FluxQuantity::SqrtTs, sqrt_ts)?;
        insert(FluxQuantity::NpredExcess, n_sig)?;
        insert(FluxQuantity::Npred, statistics.n_on.clone())?;
        insert(FluxQuantity::Counts, statistics.n_on.clone())?;
        if let (Some(statistics), Some(off)) = (&statistics.off, &planes.off) {
            let shown = |values: &Array3<f64>| {
                let mut values = values.clone();
                Zip::from(&mut values).and(&planes.shown).for_each(|v, shown| {
                    if !shown {
                        *v = f64::NAN;
                    }
                });
                values
            };
            if selection.alpha {
                insert(FluxQuantity::Alpha, shown(&statistics.alpha))?;
            }
            if selection.acceptance_on {
                insert(FluxQuantity::AcceptanceOn, shown(&off.acceptance))?;
            }
            if selection.acceptance_off {
                insert(FluxQuantity::AcceptanceOff, shown(&off.acceptance_off))?;
            }
        }
        maps.gti = common.gti.clone();
        self.describe(&mut maps, common, backend);
        let status_counts = disks.status_counts(&planes);
        Ok(ExcessMapReport {
            maps,
            radius_pixels: radius,
            pixels: planes.shown.iter().filter(|shown| **shown).count() as u64,
            energy_groups: groups.bins.len(),
            warnings: [
                groups.warning(),
                planes.left_out.warning(&common.name),
                stretched(&image, &planes.shown),
                cut_open(&image, &planes, radius),
            ]
            .into_iter()
            .flatten()
            .chain(warnings(&status_counts))
            .collect(),
            status_counts,
            prepare_seconds,
        })
    }

    /// The correlation radius in pixels, whose size is the mean of the increments of both axes.
    fn radius_pixels(&self, image: &WcsGeom) -> Result<f64> {
        let (x, y) = image.wcs().header().cdelt;
        let pixel_deg = 0.5 * (x.abs() + y.abs());
        let radius = self.correlation_radius.to_deg() / pixel_deg;
        let longest = image.nx().max(image.ny());
        if radius > longest as f64 {
            let width = longest as f64 * pixel_deg;
            return Err(Error::options(
                "correlation_radius",
                format!("{} is more than the width of the map, {width:.6} deg", self.correlation_radius),
            )
            .with_help("a radius of about the PSF or of the source is usual, e.g. 0.1deg"));
        }
        Ok(radius)
    }

    /// Quantities of off counts that were asked for by name need off counts.
    fn check_kind(&self, dataset: DatasetRef<'_>) -> Result<()> {
        let wanted: Vec<&str> = self.selection_optional.of_off_counts().collect();
        match dataset {
            DatasetRef::Map(dataset) if !wanted.is_empty() && self.selection_optional != ExcessSelection::ALL => {
                Err(Error::options(
                    "selection",
                    format!(
                        "{} needs off counts, but dataset '{}' is a MapDataset, with a known background",
                        wanted.join(", "),
                        dataset.name
                    ),
                )
                .with_help("leave it out, or take a MapDatasetOnOff"))
            }
            DatasetRef::Map(dataset) if dataset.background.is_none() && !dataset.models.has_signal(&dataset.name) => {
                Err(dataset.missing("background"))
            }
            _ => Ok(()),
        }
    }

    /// At least `gamma_min_sensitivity` counts, at least the fraction of the background; NaN where there is no background
    /// at all, unless the least number of counts says what is needed.
    fn threshold_excess(&self, excess: f64, background: f64) -> f64 {
        if background.is_nan() {
            return f64::NAN;
        }
        // NaN: without any background, where every count is significant.
        let excess = if excess.is_nan() { 0.0 } else { excess };
        let least = self.gamma_min_sensitivity.max(self.bkg_syst_fraction_sensitivity * background);
        if least > 0.0 || excess > 0.0 { excess.max(least) } else { f64::NAN }
    }

    fn describe(&self, maps: &mut FluxMaps, dataset: &MapDataset, backend: &Backend) {
        maps.meta.n_sigma = self.n_sigma;
        maps.meta.n_sigma_ul = self.n_sigma_ul;
        maps.meta.n_sigma_sensitivity = self.n_sigma_sensitivity;
        let sources: Vec<&str> = dataset.models.signal(&dataset.name).map(Model::name).collect();
        let mut entry = |key: &str, value: String| {
            maps.meta.entries.insert(key.to_string(), value);
        };
        entry("estimator", "ExcessMapEstimator".into());
        entry("version", env!("CARGO_PKG_VERSION").into());
        entry("backend", backend.info().name.into());
        entry("correlation_radius_deg", self.correlation_radius.to_deg().to_string());
        entry("correlate_off", self.correlate_off.to_string());
        let edges = match self.energy_edges {
            EnergyEdges::Whole => "one group",
            EnergyEdges::All => "all",
            EnergyEdges::Edges(_) => "given",
        };
        entry("energy_edges", edges.into());
        entry("dataset", dataset.name.clone());
        entry("null_models", if sources.is_empty() { "background only".into() } else { sources.join(", ") });
        if self.apply_threshold_sensitivity {
            entry("gamma_min_sensitivity", self.gamma_min_sensitivity.to_string());
            entry("bkg_syst_fraction_sensitivity", self.bkg_syst_fraction_sensitivity.to_string());
        }
    }
}

/// What was summed over the disks; NaN where there is no result.
struct Disks {
    statistics: Statistics,
    /// Mean counts for norm 1; NaN without exposure.
    exposure: Array3<f64>,
    /// Pixels in whose disk nothing is summed, and those without off counts.
    empty: u64,
    no_off: u64,
}

/// What is summed over.
#[derive(Debug, Clone, Copy)]
struct Disk {
    /// In pixels.
    radius: f64,
    /// Columns of one turn in a map whose rows go around the sky: disks go on over the ends.
    turn: Option<usize>,
}

impl Disk {
    /// Sums around each pixel of each plane.
    fn sums(self, cube: Array3<f64>, backend: &Backend, control: &Control) -> Result<Array3<f64>> {
        let (half, nx) = (self.radius.ceil() as usize, cube.dim().2);
        let sum = |cube: ArrayView3<'_, f64>| {
            backend.engine().disk_sum(&DiskSumJob { cube: CubeView::F64(cube), radius: self.radius }, control)
        };
        match self.turn.filter(|turn| half > 0 && 2 * half < *turn) {
            Some(turn) => {
                let columns: Vec<usize> = (turn - half..turn).chain(0..nx).chain(nx - turn..nx - turn + half).collect();
                let wide = sum(of_columns(cube.view(), &columns).view())?;
                Ok(wide.slice(s![.., .., half..half + nx]).as_standard_layout().into_owned())
            }
            None => sum(cube.view()),
        }
    }
}

impl Disks {
    fn sum(planes: &Planes, disk: Disk, correlate_off: bool, backend: &Backend, control: &Control) -> Result<Self> {
        let mut parts = vec![&planes.summed, &planes.counts, &planes.exposure];
        match &planes.off {
            None => parts.push(&planes.background),
            Some(off) => {
                parts.push(&off.acceptance);
                if correlate_off {
                    parts.extend([&planes.background, &off.counts, &off.acceptance_off_sum]);
                }
                parts.extend(off.signal.as_ref());
            }
        }
        let groups = planes.counts.dim().0;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let stacked = concatenate(Axis(0), &views).map_err(|e| Error::input("dataset", e.to_string()))?;
        drop(views);
        let sums = disk.sums(stacked, backend, control)?;
        let mut sums = sums.axis_chunks_iter(Axis(0), groups).map(|part| part.to_owned());
        let mut next = || sums.next().ok_or_else(|| Error::input("disk", "a plane is missing"));

        let (pixels, mut n_on, mut exposure) = (next()?, next()?, next()?);
        let mut empty = 0;
        Zip::from(&mut n_on).and(&mut exposure).and(&pixels).and(&planes.shown).for_each(|n_on, exposure, n, shown| {
            if !shown || *n == 0.0 {
                empty += u64::from(*shown);
                (*n_on, *exposure) = (f64::NAN, f64::NAN);
            } else {
                // Never 0: what is divided by it would be infinite.
                *exposure = if *exposure > 0.0 { *exposure / n } else { f64::NAN };
            }
        });
        let Some(off) = &planes.off else {
            let mut n_bkg = next()?;
            Zip::from(&mut n_bkg).and(&n_on).for_each(|b, n_on| *b = if n_on.is_nan() { f64::NAN } else { *b });
            return Ok(Self { statistics: Statistics { n_on, n_bkg, off: None }, exposure, empty, no_off: 0 });
        };
        let acceptance = next()?;
        let mut no_off = 0;
        let mut alpha = Array3::from_elem(n_on.dim(), f64::NAN);
        let n_off = if correlate_off {
            let (background, n_off, acceptance_off) = (next()?, next()?, next()?);
            Zip::indexed(&mut alpha).for_each(|at, alpha| {
                if n_on[at].is_nan() {
                    return;
                }
                *alpha = if background[at] > 0.0 {
                    background[at] / n_off[at]
                } else {
                    no_off += u64::from(n_off[at] == 0.0);
                    acceptance[at] / acceptance_off[at]
                };
            });
            n_off
        } else {
            Zip::indexed(&mut alpha).for_each(|at, alpha| {
                if !n_on[at].is_nan() {
                    no_off += u64::from(off.counts[at] == 0.0);
                    *alpha = acceptance[at] / off.acceptance_off[at];
                }
            });
            off.counts.clone()
        };
        alpha.mapv_inplace(|alpha| if alpha > 0.0 && alpha.is_finite() { alpha } else { f64::NAN });
        let mu_sig = if off.signal.is_some() { Some(next()?) } else { None };
        let n_bkg = &alpha * &n_off;
        let off = OffStatistics { n_off, alpha, mu_sig };
        Ok(Self { statistics: Statistics { n_on, n_bkg, off: Some(off) }, exposure, empty, no_off })
    }

    fn status_counts(&self, planes: &Planes) -> BTreeMap<&'static str, u64> {
        let shown = planes.shown.iter().filter(|shown| **shown).count() as u64;
        let count = |f: &dyn Fn(usize) -> bool| (0..planes.shown.len()).filter(|i| f(*i)).count() as u64;
        let slices = (self.statistics.n_on.as_slice(), self.statistics.n_bkg.as_slice(), self.exposure.as_slice());
        let (Some(n_on), Some(n_bkg), Some(exposure)) = slices else { return BTreeMap::new() };
        let there = |i: usize| !n_on[i].is_nan();
        let unbound = |i: usize| self.statistics.off.is_none() && Statistics::is_without_background(n_on[i], n_bkg[i]);
        let mut counts = BTreeMap::from([
            ("masked", planes.shown.len() as u64 - shown),
            ("empty_disk", self.empty),
            ("no_background", count(&|i| there(i) && (n_bkg[i].is_nan() || n_bkg[i] <= 0.0))),
            ("infinite_ts", count(&unbound)),
            ("no_counts", count(&|i| n_on[i] == 0.0)),
            ("no_exposure", count(&|i| there(i) && exposure[i].is_nan())),
            ("no_off_counts", self.no_off),
            ("ok", count(&|i| there(i) && exposure[i] > 0.0 && !n_bkg[i].is_nan())),
        ]);
        counts.retain(|name, n| *n > 0 || *name == "ok");
        counts
    }
}

/// Pixels of the result at any energy.
fn any_group(shown: &Array3<bool>) -> Array2<bool> {
    shown.map_axis(Axis(0), |groups| groups.iter().any(|shown| *shown))
}

/// What a disk of pixels is on the sky where pixels are not what the header says.
fn stretched(image: &WcsGeom, shown: &Array3<bool>) -> Option<String> {
    let found = Distortion::new(image, &any_group(shown), None)?;
    Some(format!(
        "{}: the radius counts pixels as the header says, so disks are smaller there, and not circles",
        found.describe("the header's")
    ))
}

/// What disks miss beyond the border of an all-sky projection.
fn cut_open(image: &WcsGeom, planes: &Planes, radius: f64) -> Option<String> {
    let half = radius.ceil() as usize;
    CutOpen::new(image, &any_group(&planes.shown), (half, half)).map(|cut| cut.warning())
}

fn warnings(status: &BTreeMap<&'static str, u64>) -> Vec<String> {
    let texts = [
        ("empty_disk", "no bin with a known background in the disk: no result there"),
        ("infinite_ts", "counts but no background at all in the disk: ts and sqrt_ts are infinite there"),
        ("no_exposure", "no exposure in the disk: counts and significance, but no flux there"),
        ("no_off_counts", "no off counts: alpha is the ratio of the acceptances there"),
    ];
    let there = |name: &str| status.get(name).copied().filter(|n| *n > 0);
    texts
        .iter()
        .filter_map(|(name, text)| there(name).map(|n| format!("{} {text}", of_number(n as usize, "pixel", "has"))))
        .collect()
}
