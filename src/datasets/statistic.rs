//! How well a prediction describes the counts: statistics, residuals and what is said of a dataset in a few numbers.

use std::str::FromStr;
use std::sync::Arc;

use ndarray::{Array3, ArrayView3, Zip};

use super::map::MapDataset;
use super::masks::mask_of;
use super::on_off::MapDatasetOnOff;
use crate::compute::Backend;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::counts_statistic::{CashCountsStatistic, CountsStatistic, WStatCountsStatistic, cash, wstat};
use crate::maps::{Map, Mask, SmoothKernel};

/// How counts are compared with what is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResidualMethod {
    /// data − model, in counts.
    #[default]
    Diff,
    /// (data − model) / model.
    DiffOverModel,
    /// (data − model) / √model, about in sigmas.
    DiffOverSqrtModel,
}

impl ResidualMethod {
    /// As Gammapy calls it: `diff`, `diff/model`, `diff/sqrt(model)`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Diff => "diff",
            Self::DiffOverModel => "diff/model",
            Self::DiffOverSqrtModel => "diff/sqrt(model)",
        }
    }

    /// Of one bin; NaN where it is not defined (no model to divide by).
    pub fn of(self, data: f64, model: f64) -> f64 {
        let value = match self {
            Self::Diff => data - model,
            Self::DiffOverModel => (data - model) / model,
            Self::DiffOverSqrtModel => (data - model) / model.sqrt(),
        };
        if value.is_finite() { value } else { f64::NAN }
    }
}

impl FromStr for ResidualMethod {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Diff, Self::DiffOverSqrtModel, Self::DiffOverModel];
        let found = all.into_iter().find(|m| m.name() == text);
        found.ok_or_else(|| Error::not_one_of("method", text, all.map(Self::name)))
    }
}

/// A dataset in a few numbers, summed over its bins (Gammapy's `info_dict`); NaN where a part is missing.
#[derive(Debug, Clone, PartialEq)]
pub struct InfoDict {
    /// Name.
    pub name: String,
    /// Counts.
    pub counts: f64,
    /// Background, before any background model; for off counts, alpha times them.
    pub background: f64,
    /// Counts without the predicted background.
    pub excess: f64,
    /// Significance of the excess of all bins together.
    pub sqrt_ts: f64,
    /// Predicted counts.
    pub npred: f64,
    /// Predicted background counts.
    pub npred_background: f64,
    /// Predicted counts of sources; NaN without a source.
    pub npred_signal: f64,
    /// Least exposure above 0, of pixels that are safe at any energy, in m² s.
    pub exposure_min_m2_s: f64,
    /// Largest exposure of pixels that are safe at any energy, in m² s.
    pub exposure_max_m2_s: f64,
    /// Time of observation without dead time, in seconds.
    pub livetime_s: f64,
    /// Time of the intervals, in seconds.
    pub ontime_s: f64,
    /// Counts over livetime, per second.
    pub counts_rate: f64,
    /// Background over livetime, per second.
    pub background_rate: f64,
    /// Excess over livetime, per second.
    pub excess_rate: f64,
    /// Number of bins.
    pub n_bins: usize,
    /// Number of bins inside of both masks (Gammapy: 0 without masks).
    pub n_fit_bins: usize,
    /// `cash`, `wstat`, or for flux points `chi2`, `distrib`, `profile`.
    pub stat_type: &'static str,
    /// [`MapDataset::stat_sum`], also without models.
    pub stat_sum: f64,
    /// What datasets with off counts have beside.
    pub off: Option<OffInfo>,
}

impl InfoDict {
    /// Of what has no counts at all.
    pub(super) fn without_counts() -> Self {
        let none = f64::NAN;
        Self {
            name: String::new(),
            counts: none,
            background: none,
            excess: none,
            sqrt_ts: none,
            npred: none,
            npred_background: none,
            npred_signal: none,
            exposure_min_m2_s: none,
            exposure_max_m2_s: none,
            livetime_s: none,
            ontime_s: none,
            counts_rate: none,
            background_rate: none,
            excess_rate: none,
            n_bins: 0,
            n_fit_bins: 0,
            stat_type: "",
            stat_sum: none,
            off: None,
        }
    }
}

/// The part of [`InfoDict`] of datasets with off counts.
#[derive(Debug, Clone, PartialEq)]
pub struct OffInfo {
    /// Off counts.
    pub counts_off: f64,
    /// Sum of the acceptance of the on region.
    pub acceptance: f64,
    /// Acceptance over alpha.
    pub acceptance_off: f64,
    /// Background over off counts.
    pub alpha: f64,
}

/// Sum of finite values that a mask chooses.
fn sum_inside(map: &Map, mask: Option<&Mask>) -> f64 {
    match mask {
        Some(mask) => map.data().iter().zip(mask.data()).filter(|(v, m)| **m && v.is_finite()).map(|(v, _)| v).sum(),
        None => map.sum(),
    }
}

/// Row by row, then the rows: the sum does not depend on threads. Bins that are not defined are left out.
fn sum_of_rows(stat: ArrayView3<'_, f64>, mask: Option<ArrayView3<'_, bool>>) -> f64 {
    let (planes, ny, nx) = stat.dim();
    let mut total = 0.0;
    for p in 0..planes {
        for y in 0..ny {
            let mut row = 0.0;
            for x in 0..nx {
                let v = stat[[p, y, x]];
                if !v.is_nan() && mask.as_ref().is_none_or(|m| m[[p, y, x]]) {
                    row += v;
                }
            }
            total += row;
        }
    }
    total
}

fn stat_sum(stat: &Map, mask: Option<&Mask>) -> Result<f64> {
    let cube = stat.to_cube_f64();
    if let Some(mask) = mask.filter(|m| m.cube().dim() != cube.dim()) {
        return Err(Error::input(
            "mask",
            format!("shape {:?} where the counts have {:?}", mask.cube().dim(), cube.dim()),
        ));
    }
    Ok(sum_of_rows(cube.view(), mask.map(Mask::cube)))
}

/// Residuals of two maps inside a mask, smoothed before they are compared.
fn residuals(
    counts: &Map,
    npred: &Map,
    mask: Option<&Mask>,
    method: ResidualMethod,
    smooth: Option<SmoothKernel>,
) -> Result<Map> {
    let defined = defined(counts, npred, mask)?;
    let mask = defined.as_ref().or(mask);
    let (counts, npred) = (inside(counts, mask)?, inside(npred, mask)?);
    let (mut data, mut model) = (counts.to_cube_f64(), npred.to_cube_f64());
    if let Some(kernel) = smooth {
        (data, model) = (counts.smooth(kernel)?.into_cube_f64(), npred.smooth(kernel)?.into_cube_f64());
        if let Some(mask) = mask {
            // The share of the kernel that lies inside of the mask.
            let share = mask.to_map().smooth(kernel)?.into_cube_f64();
            data /= &share;
            model /= &share;
        }
    }
    if data.dim() != model.dim() {
        return Err(Error::input("npred", format!("shape {:?} where the counts have {:?}", model.dim(), data.dim())));
    }
    Zip::from(&mut data).and(&model).for_each(|d, m| *d = method.of(*d, *m));
    if let Some(mask) = mask {
        Zip::from(&mut data).and(&mask.cube()).for_each(|d, m| {
            if !m {
                *d = f64::NAN;
            }
        });
    }
    Map::from_cube(Arc::clone(counts.geom()), Default::default(), data)
}

/// The bins inside of a mask in which both maps hold numbers; `None` where that is the mask.
fn defined(counts: &Map, npred: &Map, mask: Option<&Mask>) -> Result<Option<Mask>> {
    let (n, mu) = (counts.cube(), npred.cube());
    let is_map = mask.is_none_or(|m| m.cube().dim() == n.dim()) && mu.dim() == n.dim();
    if !is_map || n.all(f64::is_finite) && mu.all(f64::is_finite) {
        return Ok(None);
    }
    let mask = mask.map(Mask::cube);
    let cube = Array3::from_shape_fn(n.dim(), |(p, y, x)| {
        mask.is_none_or(|m| m[[p, y, x]]) && n.at(p, y, x).is_finite() && mu.at(p, y, x).is_finite()
    });
    mask_of(Arc::clone(counts.geom()), cube).map(Some)
}

/// The map with 0 outside of a mask.
fn inside(map: &Map, mask: Option<&Mask>) -> Result<Map> {
    let Some(mask) = mask else { return Ok(map.clone()) };
    let mut cube = map.to_cube_f64();
    if mask.cube().dim() != cube.dim() {
        return Err(Error::input("mask", format!("shape {:?} where the map has {:?}", mask.cube().dim(), cube.dim())));
    }
    Zip::from(&mut cube).and(&mask.cube()).for_each(|v, m| {
        if !m {
            *v = 0.0;
        }
    });
    Map::from_cube(Arc::clone(map.geom()), map.unit().clone(), cube)
}

impl MapDataset {
    /// Name of the statistic.
    pub const STAT_TYPE: &'static str = "cash";

    /// Counts without the background, `[energy, y, x]`.
    ///
    /// # Errors
    /// [`Error::Input`] without counts or background, or where their shapes differ.
    pub fn excess(&self) -> Result<Map> {
        let counts = self.require_counts()?;
        let background = self.background.as_ref().ok_or_else(|| self.missing("background"))?;
        let (mut cube, other) = (counts.to_cube_f64(), background.to_cube_f64());
        if cube.dim() != other.dim() {
            return Err(Error::input("background", format!("shape {:?}, counts {:?}", other.dim(), cube.dim())));
        }
        cube -= &other;
        Map::from_cube(Arc::clone(counts.geom()), Default::default(), cube)
    }

    /// The Cash statistic of each bin, `[energy, y, x]`, of counts and [`MapDataset::npred`]; NaN where nothing can be
    /// predicted.
    ///
    /// # Errors
    /// Those of [`MapDataset::npred`], and without counts.
    pub fn stat_array(&self, backend: &Backend, control: &Control) -> Result<Map> {
        let counts = self.require_counts()?;
        let npred = self.npred_lent(backend, control)?;
        let (mut cube, npred) = (counts.to_cube_f64(), npred.to_cube_f64());
        if cube.dim() != npred.dim() {
            return Err(Error::input("npred", format!("shape {:?}, counts {:?}", npred.dim(), cube.dim())));
        }
        Zip::from(&mut cube).and(&npred).par_for_each(|n, mu| *n = cash(*n, *mu));
        Map::from_cube(Arc::clone(counts.geom()), Default::default(), cube)
    }

    /// Sum of [`MapDataset::stat_array`] inside of mask_safe and mask_fit, −2 ln L; bins where nothing can be predicted
    /// are left out. The same on every engine and number of threads but for the prediction.
    ///
    /// # Errors
    /// Those of [`MapDataset::stat_array`].
    pub fn stat_sum(&self, backend: &Backend, control: &Control) -> Result<f64> {
        stat_sum(&self.stat_array(backend, control)?, self.mask()?.as_ref())
    }

    /// Residuals of counts and [`MapDataset::npred`], `[energy, y, x]`, NaN outside of mask_safe and mask_fit and where
    /// there is no model to divide by; both are smoothed first, if wanted.
    ///
    /// # Errors
    /// Those of [`MapDataset::npred`] and [`Map::smooth`], and without counts.
    pub fn residuals(
        &self,
        method: ResidualMethod,
        smooth: Option<SmoothKernel>,
        backend: &Backend,
        control: &Control,
    ) -> Result<Map> {
        let npred = self.npred_lent(backend, control)?;
        residuals(self.require_counts()?, npred.as_ref(), self.mask()?.as_ref(), method, smooth)
    }

    /// The dataset in a few numbers; `in_safe_data_range`: of the bins inside of mask_safe.
    ///
    /// # Errors
    /// Those of [`MapDataset::npred`].
    pub fn info_dict(&self, in_safe_data_range: bool, backend: &Backend, control: &Control) -> Result<InfoDict> {
        let mask = self.mask_safe.as_ref().filter(|_| in_safe_data_range);
        let mut info = self.common_info(mask)?;
        if self.background.is_some() {
            info.npred_background = sum_inside(&self.npred_background()?, mask);
            if let Some(background) = &self.background {
                info.background = sum_inside(background, mask);
            }
            if let Some(counts) = &self.counts {
                // Only where both are known: counts over an unknown background are not an excess.
                let background = self.npred_background()?;
                let defined = defined(counts, &background, mask)?;
                let mask = defined.as_ref().or(mask);
                let stat =
                    CashCountsStatistic { n_on: sum_inside(counts, mask), mu_bkg: sum_inside(&background, mask) };
                info.excess = stat.n_sig();
                info.sqrt_ts = stat.sqrt_ts();
            }
        }
        let sources = self.models.has_signal(&self.name);
        if sources {
            info.npred_signal = sum_inside(&self.npred_signal(None, backend, control)?, mask);
        }
        if sources || self.background.is_some() {
            info.npred = sum_inside(self.npred_lent(backend, control)?.as_ref(), mask);
            if self.counts.is_some() {
                info.stat_sum = self.stat_sum(backend, control)?;
            }
        }
        Ok(info.with_rates())
    }

    /// What does not depend on the background.
    fn common_info(&self, mask: Option<&Mask>) -> Result<InfoDict> {
        let (mut exposure_min, mut exposure_max) = (f64::NAN, f64::NAN);
        if let Some(exposure) = &self.exposure {
            let factor = exposure.unit().factor_to_text("m2 s")?;
            let safe = self.mask_safe.as_ref().map(Mask::any_plane);
            let cube = exposure.cube();
            let (planes, ny, nx) = cube.dim();
            let fits = safe.as_ref().filter(|s| s.dim() == (ny, nx));
            let range = |chosen: &dyn Fn(f64, (usize, usize)) -> bool| {
                let mut ends = (f64::NAN, f64::NAN);
                for p in 0..planes {
                    for y in 0..ny {
                        for x in 0..nx {
                            let v = cube.at(p, y, x);
                            if v.is_finite() && chosen(v, (y, x)) {
                                // The other one where one is NaN.
                                ends = (ends.0.min(v), ends.1.max(v));
                            }
                        }
                    }
                }
                ends
            };
            let mut ends = range(&|v, at| v > 0.0 && fits.is_none_or(|s| s[at]));
            if ends.0.is_nan() {
                ends = range(&|_, _| true);
            }
            (exposure_min, exposure_max) = (ends.0 * factor, ends.1 * factor);
        }
        let n_bins = self.counts.as_ref().map_or(0, |c| c.data().len());
        Ok(InfoDict {
            name: self.name.clone(),
            counts: self.counts.as_ref().map_or(0.0, |c| sum_inside(c, mask)),
            background: f64::NAN,
            excess: f64::NAN,
            sqrt_ts: f64::NAN,
            npred: f64::NAN,
            npred_background: f64::NAN,
            npred_signal: f64::NAN,
            exposure_min_m2_s: exposure_min,
            exposure_max_m2_s: exposure_max,
            livetime_s: self.livetime_s.unwrap_or(f64::NAN),
            ontime_s: self.gti.as_ref().map_or(f64::NAN, crate::time::Gti::time_sum_s),
            counts_rate: f64::NAN,
            background_rate: f64::NAN,
            excess_rate: f64::NAN,
            n_bins,
            n_fit_bins: self.mask()?.map_or(n_bins, |m| m.count()),
            stat_type: Self::STAT_TYPE,
            stat_sum: f64::NAN,
            off: None,
        })
    }
}

impl InfoDict {
    fn with_rates(mut self) -> Self {
        let rate = |v: f64| {
            let rate = v / self.livetime_s;
            if rate.is_finite() { rate } else { f64::NAN }
        };
        (self.counts_rate, self.background_rate, self.excess_rate) =
            (rate(self.counts), rate(self.background), rate(self.excess));
        self
    }
}

impl MapDatasetOnOff {
    /// Name of the statistic.
    pub const STAT_TYPE: &'static str = "wstat";

    /// The W statistic of each bin, `[energy, y, x]`, of on and off counts and the predicted signal, the background being
    /// the most likely one; 0 where it is not defined (alpha = 0), as in Gammapy.
    ///
    /// # Errors
    /// Those of [`MapDatasetOnOff::npred_background`].
    pub fn stat_array(&self, backend: &Backend, control: &Control) -> Result<Map> {
        let counts = self.on.require_counts()?;
        let (alpha, off) = (self.alpha()?, self.require_counts_off()?);
        let signal = if self.on.models.has_signal(&self.on.name) {
            Some(self.npred_signal(None, backend, control)?)
        } else {
            None
        };
        let mut cube = counts.to_cube_f64();
        for (name, map) in
            [("counts_off", off), ("acceptance", &alpha)].into_iter().chain(signal.iter().map(|s| ("npred", s)))
        {
            if map.cube().dim() != cube.dim() {
                let problem = format!("shape {:?}, counts {:?}", map.cube().dim(), cube.dim());
                return Err(Error::input(name, problem));
            }
        }
        let (off, alpha) = (off.to_cube_f64(), alpha.to_cube_f64());
        let signal = signal.map_or_else(|| Array3::zeros(cube.dim()), Map::into_cube_f64);
        Zip::from(&mut cube).and(&off).and(&alpha).and(&signal).par_for_each(|on, off, alpha, signal| {
            let stat = wstat(*on, *off, *alpha, *signal, None, true);
            *on = if stat.is_finite() { stat } else { 0.0 };
        });
        Map::from_cube(Arc::clone(counts.geom()), Default::default(), cube)
    }

    /// Sum of [`MapDatasetOnOff::stat_array`] inside of mask_safe and mask_fit.
    ///
    /// # Errors
    /// Those of [`MapDatasetOnOff::stat_array`].
    pub fn stat_sum(&self, backend: &Backend, control: &Control) -> Result<f64> {
        stat_sum(&self.stat_array(backend, control)?, self.mask()?.as_ref())
    }

    /// As [`MapDataset::residuals`].
    ///
    /// # Errors
    /// As there.
    pub fn residuals(
        &self,
        method: ResidualMethod,
        smooth: Option<SmoothKernel>,
        backend: &Backend,
        control: &Control,
    ) -> Result<Map> {
        let npred = self.npred(backend, control)?;
        residuals(self.on.require_counts()?, &npred, self.mask()?.as_ref(), method, smooth)
    }

    /// As [`MapDataset::info_dict`].
    ///
    /// # Errors
    /// Those of [`MapDatasetOnOff::npred`].
    pub fn info_dict(&self, in_safe_data_range: bool, backend: &Backend, control: &Control) -> Result<InfoDict> {
        let mask = self.on.mask_safe.as_ref().filter(|_| in_safe_data_range);
        let mut info = self.on.common_info(mask)?;
        info.stat_type = Self::STAT_TYPE;
        let background = sum_inside(&self.background()?, mask);
        let n_off = sum_inside(self.require_counts_off()?, mask);
        let alpha = background / n_off;
        info.background = background;
        let stat = WStatCountsStatistic { n_on: info.counts, n_off, alpha, mu_sig: 0.0 };
        info.excess = stat.n_sig();
        info.sqrt_ts = stat.sqrt_ts();
        info.npred_background = sum_inside(&self.npred_background(backend, control)?, mask);
        if self.on.models.has_signal(&self.on.name) {
            info.npred_signal = sum_inside(&self.npred_signal(None, backend, control)?, mask);
        }
        info.npred = sum_inside(&self.npred(backend, control)?, mask);
        info.stat_sum = self.stat_sum(backend, control)?;
        let acceptance = sum_inside(self.require_acceptances()?.0, mask);
        let acceptance_off = acceptance / alpha;
        let acceptance_off = if acceptance_off.is_finite() { acceptance_off } else { f64::NAN };
        info.off = Some(OffInfo { counts_off: n_off, acceptance, acceptance_off, alpha });
        Ok(info.with_rates())
    }
}
