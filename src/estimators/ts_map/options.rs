//! Options of the TS map estimator.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::estimators::EnergyEdges;
use crate::estimators::setters::setters;
use crate::models::SkyModel;
use crate::models::spatial::PointSpatialModel;
use crate::models::spectral::PowerLawSpectralModel;
use crate::units::Angle;

/// Optional quantities of the TS map (Gammapy's `selection_optional`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// norm_errn and norm_errp.
    pub errn_errp: bool,
    /// norm_ul.
    pub ul: bool,
    /// stat_scan and dnde_scan_values; brings errn, errp and ul with it.
    pub stat_scan: bool,
    /// norm_sensitivity.
    pub sensitivity: bool,
}

impl Selection {
    /// Everything.
    pub const ALL: Self = Self { errn_errp: true, ul: true, stat_scan: true, sensitivity: true };
}

impl std::str::FromStr for Selection {
    type Err = Error;

    /// `errn-errp`, `ul`, `stat_scan`, `sensitivity`, separated by commas; `all`; the empty string for none.
    fn from_str(text: &str) -> Result<Self> {
        let mut selection = Self::default();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            match word {
                "all" => selection = Self::ALL,
                "errn-errp" => selection.errn_errp = true,
                "ul" => selection.ul = true,
                "stat_scan" => selection.stat_scan = true,
                "sensitivity" => selection.sensitivity = true,
                _ => {
                    let names = ["errn-errp", "ul", "stat_scan", "sensitivity", "all"];
                    return Err(Error::not_one_of("selection", word, names));
                }
            }
        }
        Ok(selection)
    }
}

/// Norms at which the likelihood profile is given.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum NormScan {
    /// Gammapy's grid: per pixel 109 norms around the best fit at several scales, and ±10 and ±100.
    #[default]
    Adaptive,
    /// The same `n` norms in all pixels, evenly from `min` to `max`.
    Linear {
        /// First norm.
        min: f64,
        /// Last norm.
        max: f64,
        /// Number of norms, at least 2.
        n: usize,
    },
}

impl std::str::FromStr for NormScan {
    type Err = Error;

    /// `MIN,MAX,N`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::options("norm_scan", format!("'{text}' is not MIN,MAX,N, e.g. -5,20,101"));
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let [min, max, n] = parts.as_slice() else { return Err(wrong()) };
        Ok(Self::Linear {
            min: min.parse().map_err(|_| wrong())?,
            max: max.parse().map_err(|_| wrong())?,
            n: n.parse().map_err(|_| wrong())?,
        })
    }
}

/// Makes TS maps; the fields are Gammapy's arguments with Gammapy's defaults.
///
/// ```
/// use pevatron::{estimators::TsMapEstimator, units::Angle};
/// let estimator = TsMapEstimator::new().kernel_width(Angle::deg(1.0)).sum_over_energy_groups(false);
/// assert_eq!(estimator.rtol, 0.01);
/// ```
#[doc(alias = "TSMapEstimator")]
#[doc(alias = "TSMAPEstimator")]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TsMapEstimator {
    /// Test source; its position does not matter. Default: a point source with a power law of index 2.
    pub kernel_model: SkyModel,
    /// Width of the kernel; `None`: that of the widest PSF.
    pub kernel_width: Option<Angle>,
    /// Pixels are merged by this factor before the fit and the result is interpolated. Default: none.
    pub downsampling_factor: Option<usize>,
    /// Energy groups, each a plane of the result. Default: one group.
    pub energy_edges: EnergyEdges,
    /// Sum the counts of a group before the fit (default) or fit its bins together.
    pub sum_over_energy_groups: bool,
    /// Number of sigmas of the errors. Default 1.
    pub n_sigma: f64,
    /// Number of sigmas of upper limits. Default 2.
    pub n_sigma_ul: f64,
    /// Number of sigmas of the sensitivity. Default 5.
    pub n_sigma_sensitivity: f64,
    /// Where the first guess has no more TS than this, it is the result. Default: none.
    pub threshold: Option<f64>,
    /// Relative precision. Default 0.01; the engines reach far more than this.
    pub rtol: f64,
    /// Most iterations of a fit. Default 100.
    pub max_niter: u32,
    /// Optional quantities. Default: none.
    pub selection_optional: Selection,
    /// Norms of the likelihood profile.
    pub norm: NormScan,
    /// Exact sums only, no expansion of weak terms. Default false.
    pub exact: bool,
}

impl Default for TsMapEstimator {
    fn default() -> Self {
        Self::new()
    }
}

impl TsMapEstimator {
    /// Gammapy's defaults.
    pub fn new() -> Self {
        Self {
            kernel_model: SkyModel::new(
                "ts-kernel",
                Arc::new(PowerLawSpectralModel::default()),
                Some(Arc::new(PointSpatialModel::default())),
            ),
            kernel_width: None,
            downsampling_factor: None,
            energy_edges: EnergyEdges::Whole,
            sum_over_energy_groups: true,
            n_sigma: 1.0,
            n_sigma_ul: 2.0,
            n_sigma_sensitivity: 5.0,
            threshold: None,
            rtol: 0.01,
            max_niter: 100,
            selection_optional: Selection::default(),
            norm: NormScan::Adaptive,
            exact: false,
        }
    }

    setters! {
        kernel_model: SkyModel, "Sets the test source.";
        kernel_width: Angle, "Sets the width of the kernel.";
        downsampling_factor: usize, "Sets the downsampling factor.";
        energy_edges: EnergyEdges, "Sets the energy groups.";
        sum_over_energy_groups: bool, "Sums the counts of each group before the fit, or not.";
        n_sigma: f64, "Sets the number of sigmas of the errors.";
        n_sigma_ul: f64, "Sets the number of sigmas of upper limits.";
        n_sigma_sensitivity: f64, "Sets the number of sigmas of the sensitivity.";
        threshold: f64, "Sets the TS of the first guess below which nothing is fitted.";
        rtol: f64, "Sets the relative precision.";
        max_niter: u32, "Sets the largest number of iterations.";
        selection_optional: Selection, "Sets the optional quantities.";
        norm: NormScan, "Sets the norms of the likelihood profile.";
        exact: bool, "Switches expansions of weak terms off.";
    }

    /// Checks the options that can be checked without data.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(width) = self.kernel_width
            && !(width.to_deg() > 0.0 && width.to_deg().is_finite())
        {
            return Err(Error::options("kernel_width", format!("{width} must be positive and finite")));
        }
        if self.downsampling_factor == Some(0) {
            return Err(Error::options("downsampling_factor", "must be at least 1"));
        }
        if let NormScan::Linear { min, max, n } = self.norm
            && !(min.is_finite() && max.is_finite() && min < max && n >= 2)
        {
            return Err(Error::options("norm_scan", format!("{n} norms from {min} to {max} do not make a scan")));
        }
        if self.kernel_model.spatial.is_none() {
            return Err(Error::options("kernel_model", "the test source needs a spatial model"));
        }
        if !self.kernel_model.apply_irf.exposure {
            return Err(Error::options("kernel_model", "a test source without exposure has no flux")
                .with_help("leave the exposure in apply_irf, and give its amplitude in cm-2 s-1 TeV-1"));
        }
        Ok(())
    }
}
