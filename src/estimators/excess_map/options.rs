//! Options of the excess map estimator.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::estimators::EnergyEdges;
use crate::estimators::setters::setters;
use crate::kernels::check_sigmas;
use crate::models::SkyModel;
use crate::models::spectral::PowerLawSpectralModel;
use crate::units::Angle;

/// Optional quantities of the excess map (Gammapy's `selection_optional`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExcessSelection {
    /// norm_errn and norm_errp.
    pub errn_errp: bool,
    /// norm_ul.
    pub ul: bool,
    /// norm_sensitivity.
    pub sensitivity: bool,
    /// alpha; of datasets with off counts only.
    pub alpha: bool,
    /// acceptance_on; of datasets with off counts only.
    pub acceptance_on: bool,
    /// acceptance_off; of datasets with off counts only.
    pub acceptance_off: bool,
}

impl ExcessSelection {
    /// Everything; of datasets without off counts what they have.
    pub const ALL: Self =
        Self { errn_errp: true, ul: true, sensitivity: true, alpha: true, acceptance_on: true, acceptance_off: true };

    /// Those that only datasets with off counts have, by their names.
    pub(super) fn of_off_counts(&self) -> impl Iterator<Item = &'static str> {
        let list =
            [(self.alpha, "alpha"), (self.acceptance_on, "acceptance_on"), (self.acceptance_off, "acceptance_off")];
        list.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name)
    }

    /// The words that select something.
    const NAMES: [&str; 8] =
        ["errn-errp", "ul", "sensitivity", "alpha", "acceptance", "acceptance_on", "acceptance_off", "all"];
}

impl std::str::FromStr for ExcessSelection {
    type Err = Error;

    /// `errn-errp`, `ul`, `sensitivity`, `alpha`, `acceptance_on`, `acceptance_off`, `acceptance` (both), separated by
    /// commas; `all`; the empty string for none.
    fn from_str(text: &str) -> Result<Self> {
        let mut selection = Self::default();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            match word {
                "all" => selection = Self::ALL,
                "errn-errp" => selection.errn_errp = true,
                "ul" => selection.ul = true,
                "sensitivity" => selection.sensitivity = true,
                "alpha" => selection.alpha = true,
                "acceptance_on" => selection.acceptance_on = true,
                "acceptance_off" => selection.acceptance_off = true,
                "acceptance" => (selection.acceptance_on, selection.acceptance_off) = (true, true),
                _ => {
                    return Err(Error::not_one_of("selection", word, Self::NAMES));
                }
            }
        }
        Ok(selection)
    }
}

/// Makes maps of excess, significance and flux, correlated with a disk; the fields are Gammapy's arguments with Gammapy's
/// defaults.
///
/// Counts and background are summed over a disk around each pixel. The significance is that of the excess over the
/// background: with a known background (`MapDataset`) from the Cash statistic, with off counts (`MapDatasetOnOff`) from
/// the W statistic, which without source models is Li & Ma's. The flux is the excess over the mean exposure in the disk;
/// no correction is made for what the PSF spreads beyond the disk.
///
/// Numbers are Gammapy's wherever it is well defined, with sums in double precision where Gammapy's come from a
/// single-precision transform. On purpose different:
///
/// - Pixels without exposure have counts and a significance, but no flux (NaN; in Gammapy infinite). A dataset without
///   any exposure is an error.
/// - Limits and errors of On-Off datasets are found where Gammapy's bracket ends before the root (NaN there). A disk
///   without off counts takes the ratio of the summed acceptances for alpha (NaN there).
/// - Bins whose background is undefined (NaN, or no acceptance in the off region) are left out of the sums; Gammapy
///   counts their events against a background of 0.
/// - The mean exposure is taken over the pixels that are summed; Gammapy's numerator has those outside of mask_fit, too.
/// - `bkg_syst_fraction_sensitivity` is a fraction of the background in the disk, not of that in one pixel.
/// - Counts that are not whole numbers (Asimov sets) are not rounded.
///
/// ```
/// use std::sync::Arc;
/// use pevatron::prelude::*;
/// use pevatron::datasets::MapDatasetOnOff;
/// use pevatron::estimators::ExcessMapEstimator;
/// # use pevatron::maps::Geom;
/// // 13 counts on, 11 off with twice the acceptance, in the middle of an empty map.
/// let center = SkyPosition { lon_deg: 83.6, lat_deg: 22.0, frame: Frame::Icrs };
/// let energy = MapAxis::energy_bounds(1.0, 10.0, 1, "energy")?;
/// let image = WcsGeom::create(center, 9, 9, (0.1, 0.1), "TAN", vec![energy])?;
/// let geom: Arc<Geom> = Arc::new(Geom::Wcs(image.clone()));
/// let map = |outside: f64, inside: f64| {
///     let mut cube = ndarray::Array3::from_elem((1, 9, 9), outside);
///     cube[[0, 4, 4]] = inside;
///     Map::from_cube(geom.clone(), Default::default(), cube)
/// };
/// let true_energy = MapAxis::energy_bounds(1.0, 10.0, 1, "energy_true")?;
/// let true_geom: Arc<Geom> = Arc::new(Geom::Wcs(image.with_axes(vec![true_energy])));
/// let exposure = Map::from_cube(true_geom, "m2 s".parse()?, ndarray::Array3::from_elem((1, 9, 9), 1e9))?;
/// let dataset = MapDatasetOnOff {
///     on: MapDataset { counts: Some(map(0.0, 13.0)?), exposure: Some(exposure), ..MapDataset::default() },
///     counts_off: Some(map(0.0, 11.0)?),
///     acceptance: Some(map(1.0, 1.0)?),
///     acceptance_off: Some(map(2.0, 2.0)?),
/// };
/// let estimator = ExcessMapEstimator::new()
///     .correlation_radius(Angle::deg(0.25))
///     .selection_optional("errn-errp,ul".parse::<pevatron::estimators::ExcessSelection>()?);
/// let maps = estimator.run(&dataset, &Backend::reference())?;
/// let at = |quantity| maps.get(quantity).unwrap().cube().at(0, 4, 4);
/// assert_eq!(at(FluxQuantity::NpredExcess), 13.0 - 5.5);
/// assert!((at(FluxQuantity::SqrtTs) - 2.092_832).abs() < 1e-6); // Li & Ma
/// assert!(at(FluxQuantity::NormUl) > at(FluxQuantity::Norm));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExcessMapEstimator {
    /// Radius of the disk. Default 0.1 deg.
    pub correlation_radius: Angle,
    /// Number of sigmas of the errors. Default 1.
    pub n_sigma: f64,
    /// Number of sigmas of upper limits. Default 2.
    pub n_sigma_ul: f64,
    /// Number of sigmas of the sensitivity. Default 5.
    pub n_sigma_sensitivity: f64,
    /// Optional quantities. Default: none.
    pub selection_optional: ExcessSelection,
    /// Energy groups, each a plane of the result. Default: one group, as in Gammapy 2.1 (whose documentation says one per
    /// bin: that is [`EnergyEdges::All`]).
    pub energy_edges: EnergyEdges,
    /// One group over the whole axis; of no effect where edges are given, as in Gammapy. Default false, which in Gammapy
    /// 2.1 without edges gives one group as well.
    pub sum_over_energy_groups: bool,
    /// Sum the off counts over the disk, too (default), or take those of its central pixel: right for off counts that
    /// are summed already, such as those of a ring.
    pub correlate_off: bool,
    /// Spectrum of the flux. Default: a power law of index 2.
    pub spectral_model: SkyModel,
    /// Least number of excess counts of a sensitivity, with `apply_threshold_sensitivity`. Default 10.
    pub gamma_min_sensitivity: f64,
    /// Least excess of a sensitivity as a fraction of the background, with `apply_threshold_sensitivity`. Default 0.05.
    pub bkg_syst_fraction_sensitivity: f64,
    /// Whether the two thresholds apply. Default false.
    pub apply_threshold_sensitivity: bool,
}

impl Default for ExcessMapEstimator {
    fn default() -> Self {
        Self::new()
    }
}

impl ExcessMapEstimator {
    /// Gammapy's defaults.
    pub fn new() -> Self {
        Self {
            correlation_radius: Angle::deg(0.1),
            n_sigma: 1.0,
            n_sigma_ul: 2.0,
            n_sigma_sensitivity: 5.0,
            selection_optional: ExcessSelection::default(),
            energy_edges: EnergyEdges::Whole,
            sum_over_energy_groups: false,
            correlate_off: true,
            spectral_model: SkyModel::new("excess", Arc::new(PowerLawSpectralModel::default()), None),
            gamma_min_sensitivity: 10.0,
            bkg_syst_fraction_sensitivity: 0.05,
            apply_threshold_sensitivity: false,
        }
    }

    setters! {
        correlation_radius: Angle, "Sets the radius of the disk.";
        n_sigma: f64, "Sets the number of sigmas of the errors.";
        n_sigma_ul: f64, "Sets the number of sigmas of upper limits.";
        n_sigma_sensitivity: f64, "Sets the number of sigmas of the sensitivity.";
        selection_optional: ExcessSelection, "Sets the optional quantities.";
        energy_edges: EnergyEdges, "Sets the energy groups.";
        sum_over_energy_groups: bool, "Sets whether there is one group, where no edges are given.";
        correlate_off: bool, "Sums the off counts over the disk, too, or not.";
        spectral_model: SkyModel, "Sets the spectrum of the flux; a spatial part is not looked at.";
        gamma_min_sensitivity: f64, "Sets the least number of excess counts of a sensitivity.";
        bkg_syst_fraction_sensitivity: f64, "Sets the least excess of a sensitivity as a fraction of the background.";
        apply_threshold_sensitivity: bool, "Applies the thresholds of the sensitivity, or not.";
    }

    /// Checks the options that can be checked without data.
    pub(super) fn check(&self) -> Result<()> {
        let radius = self.correlation_radius;
        if !(radius.to_deg() > 0.0 && radius.to_deg().is_finite()) {
            return Err(Error::options("correlation_radius", format!("{radius} must be positive and finite")));
        }
        check_sigmas("n_sigma", self.n_sigma)?;
        check_sigmas("n_sigma_ul", self.n_sigma_ul)?;
        check_sigmas("n_sigma_sensitivity", self.n_sigma_sensitivity)?;
        for (name, value) in [
            ("gamma_min_sensitivity", self.gamma_min_sensitivity),
            ("bkg_syst_fraction_sensitivity", self.bkg_syst_fraction_sensitivity),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::options(name, format!("{value} must be 0 or more")));
            }
        }
        if self.sum_over_energy_groups && self.energy_edges == EnergyEdges::All {
            return Err(Error::options(
                "sum_over_energy_groups",
                "contradicts energy_edges `all`: one group, or all bins",
            ));
        }
        Ok(())
    }
}
