//! Statistics of all pixels, by threads.

use ndarray::Array3;
use rayon::prelude::*;

use crate::control::Control;
use crate::error::Result;
use crate::kernels::counts_statistic::{CashCountsStatistic, CountsStatistic, WStatCountsStatistic};
use crate::kernels::ts_map::TRUNCATION_VALUE;

/// Pixels that a thread takes at once.
const CHUNK: usize = 512;

/// Whole numbers of counts up to this are looked up.
const LARGEST_TABLE: usize = 1 << 16;

/// Counts and background of each pixel `[group, y, x]`, summed over its disk; NaN where there is no result.
#[derive(Debug)]
pub(super) struct Statistics {
    pub n_on: Array3<f64>,
    /// Background in the on region.
    pub n_bkg: Array3<f64>,
    pub off: Option<OffStatistics>,
}

/// What belongs to off counts.
#[derive(Debug)]
pub(super) struct OffStatistics {
    pub n_off: Array3<f64>,
    pub alpha: Array3<f64>,
    pub mu_sig: Option<Array3<f64>>,
}

/// A number per pixel.
pub(super) type Image = Array3<f64>;

impl Statistics {
    pub fn n_sig(&self) -> Image {
        let mut out = &self.n_on - &self.n_bkg;
        if let Some(mu_sig) = self.off.as_ref().and_then(|off| off.mu_sig.as_ref()) {
            out -= mu_sig;
        }
        out
    }

    /// True for counts over no background at all, known to be 0: no finite number says how significant they are.
    pub fn is_without_background(n_on: f64, n_bkg: f64) -> bool {
        n_on > 0.0 && n_bkg <= TRUNCATION_VALUE
    }

    /// ts and sqrt_ts; infinite where [`Statistics::is_without_background`] (Gammapy: that over a background of 1e-25).
    pub fn ts(&self, n_sig: &Image, control: &Control) -> Result<(Image, Image)> {
        let mut ts = self.each(control, |stat| stat.ts())?;
        if self.off.is_none() {
            ndarray::Zip::from(&mut ts).and(&self.n_on).and(&self.n_bkg).for_each(|ts, n_on, n_bkg| {
                if Self::is_without_background(*n_on, *n_bkg) {
                    *ts = f64::INFINITY;
                }
            });
        }
        let mut root = n_sig.clone();
        ndarray::Zip::from(&mut root).and(&ts).for_each(|n_sig, ts| {
            let root = ts.sqrt();
            *n_sig = if *n_sig > 0.0 {
                root
            } else if *n_sig < 0.0 {
                -root
            } else {
                // 0, or NaN.
                *n_sig * root
            };
        });
        Ok((ts, root))
    }

    pub fn error(&self, n_sigma: f64) -> Image {
        let mut out = self.n_on.clone();
        if let Some(off) = &self.off {
            ndarray::Zip::from(&mut out)
                .and(&off.alpha)
                .and(&off.n_off)
                .for_each(|n_on, alpha, n_off| *n_on += alpha * alpha * n_off);
        }
        out.mapv_inplace(|v| n_sigma * v.sqrt());
        out
    }

    pub fn errn(&self, n_sigma: f64, control: &Control) -> Result<Image> {
        self.of_counts(control, |stat| stat.compute_errn(n_sigma))
    }

    pub fn errp(&self, n_sigma: f64, control: &Control) -> Result<Image> {
        self.of_counts(control, |stat| stat.compute_errp(n_sigma))
    }

    pub fn upper_limit(&self, n_sig: &Image, n_sigma: f64, control: &Control) -> Result<Image> {
        let mut limit = self.errp(n_sigma, control)?;
        let known_background = self.off.is_none();
        ndarray::Zip::from(&mut limit).and(n_sig).and(&self.n_on).for_each(|limit, n_sig, n_on| {
            // Without counts and with a known background the limit is n²/2 itself (`CashCountsStatistic`).
            if !(known_background && *n_on == 0.0) {
                *limit += n_sig;
            }
        });
        Ok(limit)
    }

    pub fn sensitivity(&self, significance: f64, control: &Control) -> Result<Image> {
        self.each(control, |stat| stat.n_sig_matching_significance(significance))
    }

    /// Something that with a known background depends on the counts alone: computed once for each number of them.
    fn of_counts(&self, control: &Control, f: impl Fn(&dyn CountsStatistic) -> f64 + Sync) -> Result<Image> {
        let counts = self.n_on.as_slice().filter(|_| self.off.is_none());
        let Some(counts) = counts else { return self.each(control, f) };
        let size = LARGEST_TABLE.min(4 * counts.len());
        let index = |n: f64| Some(n as usize).filter(|i| *i < size && *i as f64 == n);
        let mut table: Vec<f64> = Vec::new();
        for i in counts.iter().filter_map(|n| index(*n)) {
            if i >= table.len() {
                table.resize(i + 1, f64::NAN);
            }
            table[i] = 0.0;
        }
        let one = |n_on: f64| f(&CashCountsStatistic { n_on, mu_bkg: 0.0 });
        table
            .par_iter_mut()
            .with_min_len(64)
            .enumerate()
            .filter(|(_, v)| !v.is_nan())
            .for_each(|(n, v)| *v = one(n as f64));
        let look_up = |i: usize| {
            if counts[i].is_nan() { f64::NAN } else { index(counts[i]).map_or_else(|| one(counts[i]), |n| table[n]) }
        };
        self.fill(control, 8 * CHUNK, look_up)
    }

    fn each(&self, control: &Control, f: impl Fn(&dyn CountsStatistic) -> f64 + Sync) -> Result<Image> {
        let pieces = (self.n_on.as_slice(), self.n_bkg.as_slice());
        let (Some(n_on), Some(n_bkg)) = pieces else { return Ok(self.n_on.clone()) };
        match &self.off {
            None => self.fill(control, 2 * CHUNK, |i| {
                if n_on[i].is_nan() { f64::NAN } else { f(&CashCountsStatistic { n_on: n_on[i], mu_bkg: n_bkg[i] }) }
            }),
            Some(off) => {
                let (Some(n_off), Some(alpha)) = (off.n_off.as_slice(), off.alpha.as_slice()) else {
                    return Ok(self.n_on.clone());
                };
                let mu_sig = off.mu_sig.as_ref().and_then(|mu_sig| mu_sig.as_slice());
                self.fill(control, CHUNK / 4, |i| {
                    let mu_sig = mu_sig.map_or(0.0, |mu_sig| mu_sig[i]);
                    f(&WStatCountsStatistic { n_on: n_on[i], n_off: n_off[i], alpha: alpha[i], mu_sig })
                })
            }
        }
    }

    /// `[group, y, x]` of the values at the pixels in memory order.
    fn fill(&self, control: &Control, chunk: usize, f: impl Fn(usize) -> f64 + Sync) -> Result<Image> {
        let mut out = Array3::zeros(self.n_on.dim());
        let Some(values) = out.as_slice_mut() else { return Ok(out) };
        values.par_chunks_mut(chunk).enumerate().try_for_each(|(number, values)| {
            control.check()?;
            for (value, i) in values.iter_mut().zip(number * chunk..) {
                *value = f(i);
            }
            Ok(())
        })?;
        Ok(out)
    }
}
