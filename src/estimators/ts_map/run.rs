//! One run: kernels, planes, fits group by group, assembly.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array2, Array3, Axis, s};

use super::assemble::{Grid, GroupResult, assemble, status_counts};
use super::inputs::{FitPlanes, exposure_reco, exposure_weights, fit_planes};
use super::kernel::{Kernel, estimate_kernel, pixels_at_center};
use super::options::{NormScan, TsMapEstimator};
use super::scan::{read_off_profile, scan_norms};
use super::seam::Seam;
use crate::compute::{Backend, PreparedTsMap};
use crate::control::Control;
use crate::datasets::MapDataset;
use crate::error::{Error, Result};
use crate::estimators::distortion::{CutOpen, Distortion, shape_at_center};
use crate::estimators::undefined::{LeftOut, unknown_exposure, without_undefined};
use crate::estimators::{EnergyEdges, EnergyGroups};
use crate::flux::FluxMaps;
use crate::irf::KernelPixels;
use crate::kernels::{ConvolveJob, CubeView, TsMapData, TsMapInput, TsMapRun, TsMapSettings, TsMapStatus};
use crate::maps::WcsGeom;
use crate::memory;
use crate::units::{Angle, Energy};

/// Flux maps and what is worth knowing about how they came about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TsMapReport {
    /// The maps.
    pub maps: FluxMaps,
    /// The kernel width that was used, in degrees.
    pub kernel_width_deg: f64,
    /// Pixels fitted, over all energy groups.
    pub pixels: u64,
    /// Number of energy groups.
    pub energy_groups: usize,
    /// Pixels per status bit, over all groups.
    pub status_counts: BTreeMap<&'static str, u64>,
    /// What a user should know.
    pub warnings: Vec<String>,
    /// Seconds from datasets to the first fit (kernels, null hypothesis, exposures).
    pub prepare_seconds: f64,
}

impl TsMapEstimator {
    /// Makes the maps of datasets that share their pixels on the sky.
    ///
    /// # Errors
    /// [`Error::Options`] for options that fit no data, [`Error::Input`] for datasets that cannot be used, and what
    /// the backend reports.
    pub fn run(&self, datasets: &[MapDataset], backend: &Backend) -> Result<FluxMaps> {
        self.run_with(datasets, backend, &Control::new()).map(|report| report.maps)
    }

    /// The same with progress, cancellation and a report.
    ///
    /// # Errors
    /// Those of [`TsMapEstimator::run`], and [`Error::Cancelled`].
    pub fn run_with(&self, datasets: &[MapDataset], backend: &Backend, control: &Control) -> Result<TsMapReport> {
        backend.install(|| self.run_here(datasets, backend, control))
    }

    fn run_here(&self, datasets: &[MapDataset], backend: &Backend, control: &Control) -> Result<TsMapReport> {
        let start = std::time::Instant::now();
        self.check()?;
        let image = check_datasets(datasets)?;
        let mut warnings = Vec::new();
        let groups = self.energy_edges.groups(datasets[0].energy_axis()?)?;
        warnings.extend(groups.warning());
        let bins = bins_of_datasets(&groups, datasets)?;

        self.check_scan(&image, groups.bins.len())?;
        control.report("prepare", 0, 4);
        let width = self.width(datasets, control)?;
        let grid = self.grid(datasets, &image, width, control)?;
        let mut left_out = vec![LeftOut::default(); datasets.len()];
        let resampled: Vec<MapDataset>;
        let fitted: &[MapDataset] = if grid.pad == (0, 0) && grid.factor == 1 {
            datasets
        } else {
            let mut list = Vec::with_capacity(datasets.len());
            for (dataset, left_out) in datasets.iter().zip(&mut left_out) {
                let (dataset, bins) = if grid.factor == 1 {
                    (Cow::Borrowed(dataset), LeftOut::default())
                } else {
                    let weights = exposure_weights(&self.kernel_model, dataset)?;
                    without_undefined(dataset, unknown_exposure(dataset, weights.view())?)?
                };
                *left_out = bins;
                list.push(dataset.pad(grid.pad.0, grid.pad.1)?.downsample(grid.factor)?);
            }
            resampled = list;
            &resampled
        };
        control.report("prepare", 1, 4);
        let truth = Backend::reference();
        let kernels: Vec<Kernel> = fitted
            .iter()
            .map(|d| estimate_kernel(&self.kernel_model, d, Some(width), &truth, control))
            .collect::<Result<_>>()?;
        control.report("prepare", 2, 4);
        let planes: Vec<FitPlanes<'_>> =
            fitted.iter().map(|d| fit_planes(&self.kernel_model, d, backend, control)).collect::<Result<_>>()?;
        control.report("prepare", 4, 4);
        let prepare_seconds = start.elapsed().as_secs_f64();
        for ((dataset, planes), left_out) in datasets.iter().zip(&planes).zip(left_out) {
            warnings.extend(left_out.and(planes.left_out).warning(&dataset.name));
        }

        if kernels.iter().any(|k| k.data.dim().1 > 2 * image.ny() && k.data.dim().2 > 2 * image.nx()) {
            warnings.push("the kernel is more than twice as wide as the map; a smaller kernel_width is faster".into());
        }
        // Padded columns are not the sky.
        let fitted_image = fitted[0].wcs_geom()?.to_image();
        let seam = if grid.pad.1 == 0 { Seam::new(&fitted_image, &kernels) } else { None };
        let planes = match &seam {
            Some(seam) => planes.into_iter().map(|p| seam.continued(p)).collect(),
            None => planes,
        };
        let windows = Windows { planes: &planes, kernels: &kernels, seam: seam.as_ref() };
        let results = self.fit_groups(&bins, fitted, &windows, backend, control)?;
        let pixels = results.iter().map(GroupResult::fitted).sum();
        if pixels == 0 {
            return Err(Error::input(
                "dataset",
                "no pixel can be fitted: no bin is both unmasked and has predicted counts",
            )
            .with_help("check the masks, the background and the exposure with `pevatron info`"));
        }
        let mut chosen = Array2::from_elem((fitted_image.ny(), fitted_image.nx()), false);
        for result in &results {
            chosen.zip_mut_with(&result.output.status, |chosen, s| *chosen |= s & TsMapStatus::MASKED == 0);
        }
        warnings.extend(one_kernel(&fitted_image, &chosen));
        let half = kernels.iter().fold((0, 0), |h, k| (h.0.max(k.data.dim().1 / 2), h.1.max(k.data.dim().2 / 2)));
        warnings.extend(CutOpen::new(&fitted_image, &chosen, half).map(|cut| cut.warning()));
        if seam.is_none() && grid.pad.1 == 0 && fitted_image.closes_in_longitude().is_some() && half.1 > 0 {
            warnings.push("the kernel is wider than the sky: windows end at the first and the last column".into());
        } else if grid.pad.1 > 0 && image.closes_in_longitude().is_some() {
            warnings.push(format!(
                "windows end at the first and the last column, though the map goes around the sky: {} columns \
                 are not a multiple of the downsampling factor {}",
                image.nx(),
                grid.factor
            ));
        }
        let status_counts = status_counts(&results);
        let mut maps = assemble(&groups, results, &image, &fitted_image, grid, &self.kernel_model)?;
        maps.gti = crate::time::Gti::union_of(datasets.iter().filter_map(|d| d.gti.as_ref())).unwrap_or_else(|error| {
            warnings.push(format!("the result has no good time intervals: {error}"));
            None
        });
        self.describe(&mut maps, datasets, backend, width);
        if self.selection_optional.stat_scan {
            warnings.push(
                "stat_scan: ts, norm, errors and limits are read off the likelihood profile, as Gammapy does, also where \
                 predicted counts are negative; run without stat_scan for those of the fit"
                    .into(),
            );
        }
        if status_counts.get("not_converged").is_some_and(|n| *n > 0) {
            warnings.push(format!("{} fits did not converge; raise max_niter", status_counts["not_converged"]));
        }
        Ok(TsMapReport {
            maps,
            kernel_width_deg: width.to_deg(),
            pixels,
            energy_groups: groups.bins.len(),
            status_counts,
            warnings,
            prepare_seconds,
        })
    }

    /// The kernel width: as given, or that of the widest kernel over the datasets.
    fn width(&self, datasets: &[MapDataset], control: &Control) -> Result<Angle> {
        if let Some(width) = self.kernel_width {
            return Ok(width);
        }
        let truth = Backend::reference();
        let mut widest = 0.0;
        for dataset in datasets {
            widest = estimate_kernel(&self.kernel_model, dataset, None, &truth, control)?.width_deg.max(widest);
        }
        Ok(Angle::deg(widest))
    }

    /// How much the maps are padded and merged before the fit. Source models need the padding, since their flux
    /// beyond the border is smeared into the map; without them windows simply end at the border.
    fn grid(&self, datasets: &[MapDataset], image: &WcsGeom, width: Angle, control: &Control) -> Result<Grid> {
        let factor = self.downsampling_factor.unwrap_or(1);
        let longest = image.nx().max(image.ny());
        if factor > longest {
            let problem = format!("{factor} is more than the map's longer side of {longest} pixels");
            return Err(Error::options("downsampling_factor", problem));
        }
        let has_sources = datasets.iter().any(|d| d.models.sky_models(&d.name).next().is_some());
        if factor == 1 && !has_sources {
            return Ok(Grid { pad: (0, 0), factor });
        }
        let truth = Backend::reference();
        let mut half = (0, 0);
        for dataset in datasets {
            let (_, ky, kx) = estimate_kernel(&self.kernel_model, dataset, Some(width), &truth, control)?.data.dim();
            half = (half.0.max(ky / 2), half.1.max(kx / 2));
        }
        // Nothing is beyond the ends of a row that goes around the sky.
        let closes = image
            .closes_in_longitude()
            .is_some_and(|turn| turn.is_multiple_of(factor) && image.nx().is_multiple_of(factor));
        if factor == 1 {
            return Ok(Grid { pad: (half.0, if closes { 0 } else { half.1 }), factor });
        }
        // Gammapy pads the sides to the next multiple of 8 above the padded size, by the same width in both
        // directions; where that does not suit the other side, its own width is taken.
        let multiple = if 8 % factor == 0 { 8 } else { factor };
        let pad_for = |n: usize, half: usize| -> Result<usize> {
            let padded = n + 2 * half;
            let difference = padded + multiple - padded % multiple - n;
            if difference.is_multiple_of(2) {
                return Ok(difference / 2);
            }
            Err(Error::options(
                "downsampling_factor",
                format!("a side of {n} pixels cannot be padded evenly to a multiple of {multiple}"),
            )
            .with_help("cut the dataset to sides of even numbers of pixels"))
        };
        let y = pad_for(image.ny(), half.0)?;
        if closes {
            return Ok(Grid { pad: (y, 0), factor });
        }
        let x =
            if y >= half.1 && (image.nx() + 2 * y).is_multiple_of(factor) { y } else { pad_for(image.nx(), half.1)? };
        Ok(Grid { pad: (y, x), factor })
    }

    /// Whether there is room for the likelihood profiles: norms and statistic per group, and again where they are put
    /// together.
    fn check_scan(&self, image: &crate::maps::WcsGeom, groups: usize) -> Result<()> {
        let n = match (self.selection_optional.stat_scan, &self.norm) {
            (true, NormScan::Linear { n, .. }) => *n,
            _ => return Ok(()),
        };
        let what = format!("a profile of {n} norms in each of {} pixels", image.nx() * image.ny());
        memory::check_option::<f64>("norm_scan", &what, &[4, groups, n, image.ny(), image.nx()])
    }

    fn settings(&self) -> TsMapSettings {
        let selection = self.selection_optional;
        TsMapSettings {
            n_sigma: self.n_sigma,
            n_sigma_ul: self.n_sigma_ul,
            n_sigma_sensitivity: self.n_sigma_sensitivity,
            threshold: self.threshold,
            rtol: self.rtol,
            max_niter: self.max_niter,
            errn_errp: selection.errn_errp || selection.stat_scan,
            ul: selection.ul || selection.stat_scan,
            sensitivity: selection.sensitivity,
            exact: self.exact,
        }
    }

    fn fit_groups(
        &self,
        bins: &[Vec<Range<usize>>],
        datasets: &[MapDataset],
        windows: &Windows<'_>,
        backend: &Backend,
        control: &Control,
    ) -> Result<Vec<GroupResult>> {
        let &Windows { planes, kernels, seam } = windows;
        let engine = backend.engine();
        let shape = planes[0].image();
        let mut results = Vec::with_capacity(bins[0].len());
        let joint = if self.sum_over_energy_groups {
            None
        } else {
            let inputs = planes
                .iter()
                .map(|p| TsMapInput {
                    counts: p.counts.view(),
                    background: p.background.view(),
                    exposure: p.exposure.view(),
                })
                .collect();
            Some(TsMapData::new(inputs)?)
        };
        let prepared = joint.as_ref().map(|data| engine.prepare(data, control)).transpose()?;
        for group in 0..bins[0].len() {
            control.check()?;
            let bins: Vec<&Range<usize>> = bins.iter().map(|b| &b[group]).collect();
            let mut fit_mask = Array2::from_elem(shape, false);
            for (p, bins) in planes.iter().zip(&bins) {
                fit_mask.zip_mut_with(&p.positions(bins), |all, one| *all |= one);
            }
            if let Some(seam) = seam {
                seam.only_own(&mut fit_mask);
            }
            let guess = match self.settings().threshold {
                Some(_) => Some(self.norm_guess(&bins, datasets, windows, backend, control)?),
                None => None,
            };
            let mut run = TsMapRun {
                planes: Vec::new(),
                kernels: Vec::new(),
                fit_mask: fit_mask.view(),
                norm_guess: guess.as_ref().map(|g| g.view()),
                settings: self.settings(),
            };
            let result = match &prepared {
                Some(prepared) => {
                    run.planes = bins.iter().map(|b| (*b).clone()).collect();
                    run.kernels =
                        kernels.iter().zip(&bins).map(|(k, b)| k.data.slice(s![(*b).clone(), .., ..])).collect();
                    self.fit(prepared.as_ref(), &run, control)?
                }
                None => {
                    let summed: Vec<_> =
                        planes.iter().zip(kernels).zip(&bins).map(|((p, k), b)| p.summed(b, k)).collect();
                    let inputs = summed
                        .iter()
                        .map(|(p, _)| TsMapInput {
                            counts: CubeView::F64(p.counts.view()),
                            background: CubeView::F64(p.background.view()),
                            exposure: CubeView::F64(p.exposure.view()),
                        })
                        .collect();
                    let data = TsMapData::new(inputs)?;
                    run.planes = summed.iter().map(|(p, _)| 0..p.counts.dim().0).collect();
                    run.kernels = summed.iter().map(|(_, k)| k.view()).collect();
                    let prepared = engine.prepare(&data, control)?;
                    self.fit(prepared.as_ref(), &run, control)?
                }
            };
            results.push(match seam {
                Some(seam) => seam.cropped(result),
                None => result,
            });
        }
        Ok(results)
    }

    fn fit(&self, prepared: &dyn PreparedTsMap, run: &TsMapRun<'_>, control: &Control) -> Result<GroupResult> {
        let mut output = prepared.run(run, control)?;
        let profile = if self.selection_optional.stat_scan {
            let norms = scan_norms(&self.norm, &output.norm, &output.norm_err);
            let stat = prepared.profile(run, norms.view(), control)?;
            read_off_profile(&mut output, &norms, &stat, self.n_sigma, self.n_sigma_ul);
            Some((norms, stat))
        } else {
            None
        };
        Ok(GroupResult { output, profile })
    }

    /// The first guess of the norm (Gammapy's `estimate_flux_default`): excess flux per pixel, correlated with the
    /// kernel over the sum of its squares, relative to the reference flux of the group; the mean over datasets.
    fn norm_guess(
        &self,
        bins: &[&Range<usize>],
        datasets: &[MapDataset],
        windows: &Windows<'_>,
        backend: &Backend,
        control: &Control,
    ) -> Result<Array2<f64>> {
        let &Windows { planes, kernels, seam } = windows;
        let precise = backend.precise()?;
        let spectral = &self.kernel_model.spectral;
        let mut guesses: Vec<Array2<f64>> = Vec::new();
        for (((p, kernel), bins), dataset) in planes.iter().zip(kernels).zip(bins).zip(datasets) {
            let edges = dataset.energy_axis()?.edges_tev()?;
            let reference = spectral.integral(edges[bins.start], edges[bins.end]);
            let per_bin = spectral.integral_bins(&edges);
            let (_, ny, nx) = dataset.require_counts()?.cube().dim();
            let slice = kernel.data.slice(s![(*bins).clone(), .., ..]);
            let squares: f64 = slice.iter().map(|v| v * v).sum();
            let mut flux = Array3::zeros((bins.len(), ny, nx));
            // Gammapy takes all bins here, masked or not.
            let (counts, npred) = (dataset.require_counts()?.cube(), dataset.npred(&precise, control)?);
            let (background, exposure) = (npred.cube(), exposure_reco(&self.kernel_model, dataset, &precise, control)?);
            for ((e, y, x), v) in flux.indexed_iter_mut() {
                let bin = bins.start + e;
                let f = (counts.at(bin, y, x) - background.at(bin, y, x)) * per_bin[bin] / exposure[[bin, y, x]];
                *v = if f.is_finite() { f } else { 0.0 };
            }
            if let Some(seam) = seam {
                flux = seam.continued_cube(&flux);
            }
            let job = ConvolveJob { cube: CubeView::F64(flux.view()), kernel: slice };
            let smooth = precise.engine().convolve(&job, control)?;
            let mut guess = Array2::zeros(p.image());
            for ((e, y, x), v) in smooth.indexed_iter() {
                if p.is_unmasked(bins.start + e, y, x) {
                    guess[[y, x]] += v / squares / reference;
                }
            }
            guesses.push(guess);
        }
        let stacked: Vec<_> = guesses.iter().map(|g| g.view()).collect();
        ndarray::stack(Axis(0), &stacked)
            .ok()
            .and_then(|all| all.mean_axis(Axis(0)))
            .map(|mean| mean.mapv(|v| if v.is_finite() { v } else { 1.0 }))
            .ok_or_else(|| Error::input("datasets", "their shapes differ"))
    }

    fn describe(&self, maps: &mut FluxMaps, datasets: &[MapDataset], backend: &Backend, width: Angle) {
        maps.meta.n_sigma = self.n_sigma;
        maps.meta.n_sigma_ul = self.n_sigma_ul;
        maps.meta.n_sigma_sensitivity = self.n_sigma_sensitivity;
        let null: Vec<String> = datasets
            .iter()
            .flat_map(|d| d.models.components.iter().filter(|m| m.applies_to(&d.name)).map(|m| m.name().to_string()))
            .collect();
        let mut entry = |key: &str, value: String| {
            maps.meta.entries.insert(key.to_string(), value);
        };
        entry("estimator", "TsMapEstimator".into());
        entry("version", env!("CARGO_PKG_VERSION").into());
        entry("backend", backend.info().name.into());
        entry("kernel_width_deg", format!("{}", width.to_deg()));
        entry("sum_over_energy_groups", self.sum_over_energy_groups.to_string());
        entry("rtol", self.rtol.to_string());
        entry("max_niter", self.max_niter.to_string());
        entry("threshold", self.threshold.map_or("none".into(), |t| t.to_string()));
        entry("downsampling_factor", self.downsampling_factor.map_or("none".into(), |f| f.to_string()));
        entry("datasets", datasets.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", "));
        entry("null_models", if null.is_empty() { "background only".into() } else { null.join(", ") });
    }
}

/// What one kernel for the whole map means where pixels are not those that it was drawn on.
fn one_kernel(image: &WcsGeom, chosen: &Array2<bool>) -> Option<String> {
    let (center, what) = match pixels_at_center(image) {
        KernelPixels::Own => (shape_at_center(image), "that at the centre of the map"),
        KernelPixels::Reference => (None, "those of the header"),
    };
    let found = Distortion::new(image, chosen, center)?;
    Some(format!(
        "{}; the kernel is that of the centre, so fluxes of point sources come out at {} of the true ones there (where the \
         background dominates and the PSF is wider than pixels); take a map with its reference point close by",
        found.describe(what),
        found.flux()
    ))
}

/// What is fitted, dataset by dataset.
struct Windows<'a> {
    planes: &'a [FitPlanes<'a>],
    kernels: &'a [Kernel],
    /// Of planes that were continued.
    seam: Option<&'a Seam>,
}

/// The bins of each group in each dataset: energy axes may differ, each dataset takes its own bins nearest to the
/// groups' edges.
fn bins_of_datasets(groups: &EnergyGroups, datasets: &[MapDataset]) -> Result<Vec<Vec<Range<usize>>>> {
    let edges = EnergyEdges::Edges(groups.axis.edges_tev()?.into_iter().map(Energy::tev).collect());
    let mut all = vec![groups.bins.clone()];
    for dataset in &datasets[1..] {
        all.push(edges.groups(dataset.energy_axis()?)?.bins);
    }
    Ok(all)
}

/// The common image of the datasets.
fn check_datasets(datasets: &[MapDataset]) -> Result<WcsGeom> {
    let Some(first) = datasets.first() else {
        return Err(Error::input("datasets", "there is none, at least one is needed"));
    };
    let image = first.require_counts()?.wcs_geom()?.to_image();
    for dataset in datasets {
        if !dataset.require_counts()?.wcs_geom()?.same_image(&image) {
            return Err(Error::input(
                "counts",
                format!("the pixels of '{}' are not those of '{}'", dataset.name, first.name),
            )
            .with_help("a joint fit needs datasets of one sky geometry"));
        }
        dataset.require_exposure()?;
        if dataset.background.is_none() && !dataset.models.has_signal(&dataset.name) {
            return Err(dataset.missing("background"));
        }
    }
    Ok(image)
}
