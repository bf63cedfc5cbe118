//! Sums over disks around each pixel.

use ndarray::{Array2, Array3, Axis};

use super::super::counts::Parts;
use super::images::Images;
use crate::compute::Backend;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::counts_statistic::{CashCountsStatistic, CountsStatistic, WStatCountsStatistic};
use crate::kernels::{CubeView, DiskSumJob};
use crate::maps::Map;

/// Sums over disks around each pixel: the excess over a background, and how significant all that is not predicted is.
pub(super) struct Disks {
    pub(super) excess: Option<Array2<f64>>,
    pub(super) sqrt_ts: Array2<f64>,
}

impl Disks {
    pub(super) fn of(
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
