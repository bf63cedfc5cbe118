//! Adaptive smoothing (Gammapy's `ASmoothMapEstimator`): per pixel the smallest scale at which an excess is significant
//! (Ebeling, White & Rangarajan 2006, "ASMOOTH: a simple and efficient algorithm for adaptive kernel smoothing").

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView2, Axis};
use rayon::prelude::*;

use super::distortion::{CutOpen, Distortion};
use super::energy::EnergyEdges;
use super::undefined::without_undefined;
use crate::control::Control;
use crate::datasets::MapDataset;
use crate::error::words::of_number;
use crate::error::{Error, Result};
use crate::irf::{EDisp, diagonal_response};
use crate::kernels::likelihood::cash_bin;
use crate::kernels::ts_map::TRUNCATION_VALUE;
use crate::maps::{Geom, Map, MapAxis, Weights};
use crate::models::SpectralModel;
use crate::models::spectral::PowerLawSpectralModel;
use crate::units::Angle;

/// Points per pixel and direction that the weight of a kernel is averaged over.
const OVERSAMPLING: usize = 10;

/// Half width in sigmas to which a Gaussian is taken.
const TRUNCATE: f64 = 4.0;

/// How the significance of a smoothed excess is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AsmoothMethod {
    /// sqrt_ts of counts over a known background (Gammapy calls it `lima`).
    #[default]
    Lima,
    /// Excess over the root of counts and background (formula 5 of the paper).
    Asmooth,
}

impl std::str::FromStr for AsmoothMethod {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s {
            "lima" => Ok(Self::Lima),
            "asmooth" => Ok(Self::Asmooth),
            _ => Err(Error::not_one_of("method", s, ["lima", "asmooth"])),
        }
    }
}

impl AsmoothMethod {
    /// Significance of counts over a background, both sums with the same weights; infinite over none at all.
    fn sqrt_ts(self, counts: f64, background: f64) -> f64 {
        match self {
            Self::Lima if counts > 0.0 && background <= TRUNCATION_VALUE => f64::INFINITY,
            Self::Lima => {
                let ts = cash_bin(counts, background) - cash_bin(counts, counts);
                ts.max(0.0).sqrt().copysign(counts - background)
            }
            Self::Asmooth => (counts - background) / (counts + background).sqrt(),
        }
    }
}

/// Smooths counts, background and flux adaptively; the fields are Gammapy's arguments.
#[doc(alias = "ASmoothMapEstimator")]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AsmoothMapEstimator {
    /// Sigmas of the Gaussian kernels, tried in this order. Without any: nine, from 0.19 pixels upwards by factors of √2
    /// (the paper's).
    pub scales: Vec<Angle>,
    /// Spectrum that fluxes are for. Default: a power law of index 2.
    pub spectral_model: Arc<dyn SpectralModel>,
    /// Default: [`AsmoothMethod::Lima`].
    pub method: AsmoothMethod,
    /// Significance at which a scale is taken. Default 5.
    pub threshold: f64,
    /// Energy groups, each an image. Default: one group (Gammapy's documentation says every bin, its code takes one group).
    pub energy_edges: EnergyEdges,
}

impl Default for AsmoothMapEstimator {
    fn default() -> Self {
        Self::new()
    }
}

/// Smoothed maps `[energy, y, x]`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AsmoothMaps {
    /// Counts; where no scale is significant, the mean of all such pixels.
    pub counts: Map,
    /// Background, likewise.
    pub background: Map,
    /// Excess over exposure in cm-2 s-1, likewise; `None` without an exposure.
    pub flux: Option<Map>,
    /// The scale that was taken in degrees, NaN where none is significant.
    pub scale: Map,
    /// Significance at that scale, NaN where none is.
    pub sqrt_ts: Map,
    /// What a user should know.
    pub warnings: Vec<String>,
}

impl AsmoothMaps {
    /// The maps by Gammapy's names.
    pub fn named(&self) -> Vec<(&'static str, &Map)> {
        let mut all = vec![("counts", &self.counts), ("background", &self.background)];
        all.extend(self.flux.as_ref().map(|flux| ("flux", flux)));
        all.extend([("scale", &self.scale), ("sqrt_ts", &self.sqrt_ts)]);
        all
    }
}

/// Images of one energy group.
struct Images {
    counts: Array2<f64>,
    background: Array2<f64>,
    flux: Option<Array2<f64>>,
}

impl AsmoothMapEstimator {
    /// Gammapy's defaults.
    pub fn new() -> Self {
        Self {
            scales: Vec::new(),
            spectral_model: Arc::new(PowerLawSpectralModel::default()),
            method: AsmoothMethod::default(),
            threshold: 5.0,
            energy_edges: EnergyEdges::Whole,
        }
    }

    /// Smooths a dataset. Only its background and background model are taken as background, no sources; bins outside of
    /// mask_safe do not count. Pixels without exposure have no flux and count as 0 in it.
    ///
    /// # Errors
    /// [`Error::Options`] for scales that are not positive and finite, a threshold that is not finite, energy edges that
    /// fit no bins; [`Error::Input`] for a dataset without counts or with responses that do not fit;
    /// [`Error::Cancelled`].
    pub fn run(&self, dataset: &MapDataset, control: &Control) -> Result<AsmoothMaps> {
        if !self.threshold.is_finite() {
            return Err(Error::options("threshold", format!("{} is not finite", self.threshold)));
        }
        let image = dataset.require_counts()?.wcs_geom()?.to_image();
        let (dataset, left_out) = without_undefined(dataset, None)?;
        let dataset = dataset.as_ref();
        let mut warnings: Vec<String> = left_out.warning(&dataset.name).into_iter().collect();
        let (sx, sy) = image.pixel_scales_deg();
        let pixel = 0.5 * (sx + sy);
        let scales_deg: Vec<f64> = if self.scales.is_empty() {
            (0..9).map(|i| pixel * 2f64.powf(0.5 * f64::from(i)) / (9.0 * std::f64::consts::PI).sqrt()).collect()
        } else {
            self.scales.iter().map(|s| s.to_deg()).collect()
        };
        if let Some(bad) = scales_deg.iter().find(|s| !(**s > 0.0 && s.is_finite())) {
            return Err(Error::options("scales", format!("{bad} deg must be positive and finite")));
        }
        let widest = scales_deg.iter().copied().fold(0.0, f64::max) / pixel;
        if widest > 4.0 * image.nx().max(image.ny()) as f64 {
            return Err(Error::options("scales", format!("a scale of {widest:.0} pixels is far beyond the map")));
        }
        let kernels: Vec<(Vec<f64>, f64)> =
            scales_deg.iter().map(|s| (gaussian(s / pixel), weight(s / pixel))).collect();
        let closes = image.closes_in_longitude();
        let groups = self.energy_edges.groups(dataset.energy_axis()?)?;
        warnings.extend(groups.warning());
        let (n, ny, nx) = (groups.bins.len(), image.ny(), image.nx());
        let geom = Arc::new(Geom::Wcs(image.with_axes(vec![groups.axis.clone()])));
        let empty = || Array3::from_elem((n, ny, nx), f64::NAN);
        let (mut all_counts, mut all_background, mut all_scale, mut all_ts) = (empty(), empty(), empty(), empty());
        let mut all_flux = dataset.exposure.is_some().then(empty);
        for (g, bins) in groups.bins.iter().enumerate() {
            control.check()?;
            let axis = groups.axis.slice(g..g + 1)?;
            let images = self.images(dataset, bins.clone(), &axis)?;
            let plane = |cube: &mut Array3<f64>, values: Array2<f64>| cube.index_axis_mut(Axis(0), g).assign(&values);
            let (mut scale, mut sqrt_ts) =
                (Array2::from_elem((ny, nx), f64::NAN), Array2::from_elem((ny, nx), f64::NAN));
            let mut smooth = [images.counts.clone(), images.background.clone()];
            let mut flux = images.flux.clone();
            for (i, ((kernel, weight), deg)) in kernels.iter().zip(&scales_deg).enumerate() {
                control.check()?;
                control.report("smooth", (g * kernels.len() + i) as u64, (n * kernels.len()) as u64);
                let counts = convolve(images.counts.view(), kernel, closes);
                let background = convolve(images.background.view(), kernel, closes);
                let fluxes = images.flux.as_ref().map(|f| convolve(f.view(), kernel, closes));
                for (at, chosen) in scale.indexed_iter_mut() {
                    let significance = self.method.sqrt_ts(weight * counts[at], weight * background[at]);
                    if !chosen.is_nan() || significance.is_nan() || significance <= self.threshold {
                        continue;
                    }
                    *chosen = *deg;
                    sqrt_ts[at] = significance;
                    smooth[0][at] = counts[at];
                    smooth[1][at] = background[at];
                    if let (Some(flux), Some(fluxes)) = (&mut flux, &fluxes) {
                        flux[at] = fluxes[at];
                    }
                }
            }
            let [smooth_counts, smooth_background] = smooth;
            plane(&mut all_counts, level(smooth_counts, &scale));
            plane(&mut all_background, level(smooth_background, &scale));
            if let (Some(all), Some(flux)) = (&mut all_flux, flux) {
                plane(all, level(flux, &scale));
            }
            plane(&mut all_scale, scale);
            plane(&mut all_ts, sqrt_ts);
        }
        control.report("smooth", (n * kernels.len()) as u64, (n * kernels.len()) as u64);
        let on_sky = |(y, x): (usize, usize)| image.pix_to_sky(x as f64, y as f64).is_some();
        let everywhere = Array2::from_shape_fn((ny, nx), on_sky);
        if let Some(found) = Distortion::new(&image, &everywhere, None) {
            warnings.push(format!(
                "{}: scales count pixels as the header says, so they are others on the sky there",
                found.describe("the header's")
            ));
        }
        let half = kernels.iter().map(|(line, _)| line.len() / 2).max().unwrap_or(0);
        warnings.extend(CutOpen::new(&image, &everywhere, (half, half)).map(|cut| cut.warning()));
        let infinite = all_ts.iter().filter(|v| v.is_infinite()).count();
        if infinite > 0 {
            warnings.push(format!(
                "{} counts but no background at all in the kernel: sqrt_ts is infinite there",
                of_number(infinite, "pixel", "has")
            ));
        }
        let map = |cube: Array3<f64>, unit: &str| Map::from_cube(geom.clone(), unit.parse()?, cube);
        Ok(AsmoothMaps {
            counts: map(all_counts, "")?,
            background: map(all_background, "")?,
            flux: all_flux.map(|cube| map(cube, "cm-2 s-1")).transpose()?,
            scale: map(all_scale, "deg")?,
            sqrt_ts: map(all_ts, "")?,
            warnings,
        })
    }

    /// Counts, background and flux of an energy group, inside mask_safe.
    fn images(&self, dataset: &MapDataset, bins: std::ops::Range<usize>, axis: &MapAxis) -> Result<Images> {
        let weights = dataset.mask_safe.as_ref().map_or(Weights::One, Weights::Mask);
        // The bins of the group only: the groups need not reach over the whole axis.
        let summed = |map: &Map| -> Result<Array2<f64>> {
            Ok(map.group_axis("energy", std::slice::from_ref(&bins), weights)?.plane_f64(0))
        };
        let counts = summed(dataset.require_counts()?)?;
        let mut background = match &dataset.background {
            Some(background) => summed(background)?,
            None => Array2::zeros(counts.dim()),
        };
        if let Some(model) = dataset.models.background(&dataset.name) {
            let mut cube = background.insert_axis(Axis(0));
            model.scale(&mut cube, &dataset.geom()?.with_axes(vec![axis.clone()]))?;
            background = cube.index_axis_move(Axis(0), 0);
        }
        let flux = match &dataset.exposure {
            Some(exposure) => {
                let exposure = self.exposure_reco(dataset, exposure, &bins, axis)?;
                if exposure.dim() != counts.dim() {
                    let problem = format!("its image is {:?} where the counts have {:?}", exposure.dim(), counts.dim());
                    return Err(Error::input("exposure", problem));
                }
                let flux = (&counts - &background) / exposure;
                Some(flux.mapv(|v| if v.is_finite() { v } else { 0.0 }))
            }
            None => None,
        };
        Ok(Images { counts, background, flux })
    }

    /// Exposure in the reconstructed energies of a group for the spectrum, in cm² s (Gammapy's
    /// `estimate_exposure_reco_energy` of the dataset's image).
    fn exposure_reco(
        &self,
        dataset: &MapDataset,
        exposure: &Map,
        bins: &std::ops::Range<usize>,
        axis: &MapAxis,
    ) -> Result<Array2<f64>> {
        let energy_true = exposure.geom().axis("energy_true")?;
        let energy = dataset.energy_axis()?;
        let matrix = match &dataset.edisp {
            Some(edisp) => edisp.matrix_at(None, energy)?,
            None => diagonal_response(energy_true, energy)?,
        };
        if matrix.dim().0 != energy_true.nbin() {
            return Err(Error::input(
                "edisp",
                format!("{} true energies where the exposure has {}", matrix.dim().0, energy_true.nbin()),
            ));
        }
        // Kernels are summed over the bins that are safe at the centre of their map; migration matrices over all.
        let safe: Vec<bool> = match (&dataset.edisp, &dataset.mask_safe) {
            (Some(EDisp::Kernel(kernel)), Some(mask)) => match kernel.edisp.geom().as_wcs() {
                Ok(geom) => mask.to_map().nearest_planes_at(geom.center()?)?.iter().map(|v| *v > 0.0).collect(),
                Err(_) => vec![true; energy.nbin()],
            },
            _ => vec![true; energy.nbin()],
        };
        let factor = exposure.unit().factor_to_text("cm2 s")?;
        let flux = self.spectral_model.integral_bins(&energy_true.edges_tev()?);
        let edges = axis.edges_tev()?;
        let reference = self.spectral_model.integral(edges[0], edges[1]);
        let cube = exposure.to_cube_f64();
        let mut out = Array2::zeros((cube.dim().1, cube.dim().2));
        for (t, plane) in cube.outer_iter().enumerate() {
            let share: f64 =
                bins.clone().filter(|b| safe.get(*b).copied().unwrap_or(true)).map(|b| matrix[[t, b]]).sum();
            if share != 0.0 {
                out.scaled_add(share * flux[t] * factor / reference, &plane);
            }
        }
        Ok(out)
    }
}

/// Pixels without a scale get the mean of what they have.
fn level(mut values: Array2<f64>, scale: &Array2<f64>) -> Array2<f64> {
    let rest: Vec<f64> = values.iter().zip(scale).filter(|(_, s)| s.is_nan()).map(|(v, _)| *v).collect();
    let mean = rest.iter().sum::<f64>() / rest.len() as f64;
    values.zip_mut_with(scale, |v, s| {
        if s.is_nan() {
            *v = mean;
        }
    });
    values
}

/// One direction of a Gaussian of that sigma in pixels, of sum 1. The kernel on the sky is the product of two of them.
fn gaussian(sigma: f64) -> Vec<f64> {
    let half = (TRUNCATE * sigma + 0.5) as isize;
    let line: Vec<f64> = (-half..=half).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp()).collect();
    let sum: f64 = line.iter().sum();
    line.into_iter().map(|v| v / sum).collect()
}

/// Sum of the kernel whose peak is 1, averaged over each pixel: what smoothed counts are multiplied with so that they
/// count as counts.
fn weight(sigma: f64) -> f64 {
    let half = (TRUNCATE * sigma - 0.5).ceil().max(0.0) as isize;
    let average = |i: isize| -> f64 {
        let point = |k: usize| i as f64 + (k as f64 + 0.5) / OVERSAMPLING as f64 - 0.5;
        (0..OVERSAMPLING).map(|k| (-0.5 * (point(k) / sigma).powi(2)).exp()).sum()
    };
    ((-half..=half).map(average).sum::<f64>() / average(0)).powi(2)
}

/// Convolution with the product of a line with itself; beyond the border the image goes on mirrored, or along rows of
/// which `closes` columns are a turn around the sky with those columns.
fn convolve(image: ArrayView2<'_, f64>, line: &[f64], closes: Option<usize>) -> Array2<f64> {
    along_rows(along_rows(image, line, closes).t(), line, None).reversed_axes().as_standard_layout().into_owned()
}

fn along_rows(image: ArrayView2<'_, f64>, line: &[f64], closes: Option<usize>) -> Array2<f64> {
    let (ny, nx) = image.dim();
    let half = line.len() / 2;
    let image = image.as_standard_layout();
    let source_of = |i: isize| -> usize {
        match closes {
            Some(turn) if i < 0 || i >= nx as isize => i.rem_euclid(turn as isize) as usize,
            Some(_) => i as usize,
            None => {
                let at = i.rem_euclid(2 * nx as isize) as usize;
                if at < nx { at } else { 2 * nx - 1 - at }
            }
        }
    };
    let sources: Vec<usize> = (0..nx + 2 * half).map(|i| source_of(i as isize - half as isize)).collect();
    let mut out = Array2::zeros((ny, nx));
    if let (Some(target), Some(source)) = (out.as_slice_mut().filter(|v| !v.is_empty()), image.as_slice()) {
        target.par_chunks_mut(nx).zip(source.par_chunks(nx)).for_each_init(
            || vec![0.0; nx + 2 * half],
            |wide, (target, source)| {
                wide.iter_mut().zip(&sources).for_each(|(value, from)| *value = source[*from]);
                for (value, window) in target.iter_mut().zip(wide.windows(line.len())) {
                    *value = window.iter().zip(line).map(|(s, k)| s * k).sum();
                }
            },
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_the_whole_kernel_and_borders_are_mirrors() {
        let image = Array2::from_shape_fn((13, 17), |(y, x)| ((y * 31 + x * 17) % 11) as f64);
        for sigma in [0.2, 0.7, 1.6, 9.0] {
            let line = gaussian(sigma);
            let half = (line.len() / 2) as isize;
            assert!(line.len() % 2 == 1 && (line.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let mirrored = |i: isize, n: isize| {
                let at = i.rem_euclid(2 * n);
                (if at < n { at } else { 2 * n - 1 - at }) as usize
            };
            let fast = convolve(image.view(), &line, None);
            for ((y, x), value) in fast.indexed_iter() {
                let mut sum = 0.0;
                for v in -half..=half {
                    for u in -half..=half {
                        let from = [mirrored(y as isize + v, 13), mirrored(x as isize + u, 17)];
                        sum += line[(v + half) as usize] * line[(u + half) as usize] * image[from];
                    }
                }
                assert!((value - sum).abs() < 1e-9, "{sigma} {y} {x}");
            }
        }
        // A wide kernel weighs 2 pi sigma² (a little more, its peak being a mean over a pixel), a narrow one a pixel.
        assert!((weight(5.0) / (50.0 * std::f64::consts::PI) - 1.0).abs() < 5e-3, "{}", weight(5.0));
        assert!((weight(0.05) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn significances() {
        assert!((AsmoothMethod::Asmooth.sqrt_ts(30.0, 6.0) - 4.0).abs() < 1e-12);
        let expected = (2.0f64 * (6.0 - 30.0 + 30.0 * 5f64.ln())).sqrt();
        assert!((AsmoothMethod::Lima.sqrt_ts(30.0, 6.0) - expected).abs() < 1e-12);
        assert!(AsmoothMethod::Lima.sqrt_ts(2.0, 6.0) < 0.0);
        assert_eq!(AsmoothMethod::Lima.sqrt_ts(0.0, 0.0), 0.0);
        assert_eq!(AsmoothMethod::Lima.sqrt_ts(1.0, 0.0), f64::INFINITY);
        assert!("ts".parse::<AsmoothMethod>().is_err());
    }
}
