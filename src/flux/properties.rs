//! The quantities of flux maps by their names.

use std::borrow::Cow;

use ndarray::{Array3, ArrayView2, Zip};

use super::convert::times_per_energy;
use super::maps::{FluxMaps, ScanZero};
use super::quantity::{FluxQuantity, SedType};
use crate::error::{Error, Result};
use crate::maps::{Geom, Map, MapAxis};
use crate::models::spectral::SpectralModel;
use crate::units::Unit;

/// One method per quantity and SED type.
macro_rules! fluxes {
    ($($sed:ident: $unit:literal, $what:literal,
        $value:ident $err:ident $errn:ident $errp:ident $ul:ident $sensitivity:ident $reference:ident;)*) => {
        /// Quantities of the SED types. All are in double precision and fail where the norm that they come from is not
        /// there or the reference model does not allow the conversion.
        impl FluxMaps {
            $(
                #[doc = concat!($what, ", in ", $unit, ".")]
                ///
                /// # Errors
                /// See above.
                pub fn $value(&self) -> Result<Map> {
                    self.converted(FluxQuantity::Norm, SedType::$sed).map(Cow::into_owned)
                }

                #[doc = concat!("Symmetric error of n_sigma of the ", $what, ", in ", $unit, ".")]
                ///
                /// # Errors
                /// See above.
                pub fn $err(&self) -> Result<Map> {
                    self.converted(FluxQuantity::NormErr, SedType::$sed).map(Cow::into_owned)
                }

                #[doc = concat!("Lower error (positive) of the ", $what, ", in ", $unit, ".")]
                ///
                /// # Errors
                /// See above.
                pub fn $errn(&self) -> Result<Map> {
                    self.converted(FluxQuantity::NormErrn, SedType::$sed).map(Cow::into_owned)
                }

                #[doc = concat!("Upper error of the ", $what, ", in ", $unit, ".")]
                ///
                /// # Errors
                /// See above.
                pub fn $errp(&self) -> Result<Map> {
                    self.converted(FluxQuantity::NormErrp, SedType::$sed).map(Cow::into_owned)
                }

                #[doc = concat!("Upper limit of n_sigma_ul of the ", $what, ", in ", $unit, ".")]
                ///
                /// # Errors
                /// See above.
                pub fn $ul(&self) -> Result<Map> {
                    self.converted(FluxQuantity::NormUl, SedType::$sed).map(Cow::into_owned)
                }

                #[doc = concat!("Sensitivity of n_sigma_sensitivity of the ", $what, ", in ", $unit, ".")]
                ///
                /// # Errors
                /// See above.
                pub fn $sensitivity(&self) -> Result<Map> {
                    self.converted(FluxQuantity::NormSensitivity, SedType::$sed).map(Cow::into_owned)
                }

                #[doc = concat!("Per energy bin: ", $what, " of the reference model, in ", $unit, ".")]
                ///
                /// # Errors
                /// See above.
                pub fn $reference(&self) -> Result<Vec<f64>> {
                    self.reference(SedType::$sed)
                }
            )*
        }
    };
}

fluxes! {
    Likelihood: "units of the reference model", "norm",
        norm norm_err norm_errn norm_errp norm_ul norm_sensitivity norm_ref;
    Dnde: "TeV-1 s-1 cm-2", "differential flux at the reference energy",
        dnde dnde_err dnde_errn dnde_errp dnde_ul dnde_sensitivity dnde_ref;
    Flux: "s-1 cm-2", "flux integrated over the energy bin",
        flux flux_err flux_errn flux_errp flux_ul flux_sensitivity flux_ref;
    Eflux: "TeV s-1 cm-2", "energy flux integrated over the energy bin",
        eflux eflux_err eflux_errn eflux_errp eflux_ul eflux_sensitivity eflux_ref;
    E2dnde: "TeV s-1 cm-2", "differential flux times the reference energy squared",
        e2dnde e2dnde_err e2dnde_errn e2dnde_errp e2dnde_ul e2dnde_sensitivity e2dnde_ref;
}

/// One method per stored quantity.
macro_rules! stored {
    ($($method:ident $quantity:ident $doc:literal;)*) => {
        /// Quantities that are stored and no norm. All fail where they are not there, and name what is.
        impl FluxMaps {
            $(
                #[doc = $doc]
                ///
                /// # Errors
                /// See above.
                pub fn $method(&self) -> Result<&Map> {
                    self.require(FluxQuantity::$quantity)
                }
            )*
        }
    };
}

stored! {
    ts Ts "Test statistic: stat_null - stat.";
    stat Stat "Fit statistic with the source.";
    stat_null StatNull "Fit statistic without the source.";
    stat_scan StatScan "Likelihood profiles, counted from `meta.scan_zero`.";
    niter Niter "Iterations of the fit.";
    success Success "1 where the fit converged, else 0.";
    n_dof NDof "Degrees of freedom.";
    alpha Alpha "Ratio of on to off acceptance.";
    acceptance_on AcceptanceOn "Acceptance of the on region.";
    acceptance_off AcceptanceOff "Acceptance of the off region.";
    counts Counts "Measured counts (Gammapy's text calls them predicted).";
    npred Npred "Predicted counts with the source.";
    npred_excess NpredExcess "Predicted counts of the source.";
}

/// How the maps were made, by Gammapy's names.
impl FluxMaps {
    /// Number of sigmas of errors, 1 by default.
    pub fn n_sigma(&self) -> f64 {
        self.meta.n_sigma
    }

    /// Number of sigmas of upper limits, 2 by default.
    pub fn n_sigma_ul(&self) -> f64 {
        self.meta.n_sigma_ul
    }

    /// The sqrt_ts below which a value is an upper limit, 2 by default.
    pub fn sqrt_ts_threshold_ul(&self) -> f64 {
        self.meta.sqrt_ts_threshold_ul
    }

    /// The SED type that the maps came in.
    pub fn sed_type_init(&self) -> SedType {
        self.meta.sed_type_init
    }

    /// The SED type of pictures: dnde for likelihood, else the one that the maps came in.
    pub fn sed_type_plot_default(&self) -> SedType {
        match self.meta.sed_type_init {
            SedType::Likelihood => SedType::Dnde,
            other => other,
        }
    }

    /// Spectrum of the reference model.
    pub fn reference_spectral_model(&self) -> &dyn SpectralModel {
        self.reference_model().spectral.as_ref()
    }

    /// Names of all maps that a file of a SED type may hold, the required one first.
    pub fn all_quantities(sed: SedType) -> Vec<String> {
        FluxQuantity::ALL.iter().map(|q| sed.map_name(*q)).collect()
    }
}

/// Energies, and what there is.
impl FluxMaps {
    /// The energy axis.
    ///
    /// # Errors
    /// Where the maps have none.
    pub fn energy_axis(&self) -> Result<&MapAxis> {
        self.geom().axis("energy")
    }

    /// Lower edges of the energy bins in TeV.
    ///
    /// # Errors
    /// Where there is no energy axis.
    pub fn energy_min_tev(&self) -> Result<Vec<f64>> {
        let axis = self.energy_axis()?;
        axis.in_unit(&axis.bounds().iter().map(|b| b.0).collect::<Vec<_>>(), "TeV")
    }

    /// Upper edges of the energy bins in TeV.
    ///
    /// # Errors
    /// Where there is no energy axis.
    pub fn energy_max_tev(&self) -> Result<Vec<f64>> {
        let axis = self.energy_axis()?;
        axis.in_unit(&axis.bounds().iter().map(|b| b.1).collect::<Vec<_>>(), "TeV")
    }

    /// Reference energies in TeV: the geometric centres of the bins.
    ///
    /// # Errors
    /// Where there is no energy axis.
    pub fn energy_ref_tev(&self) -> Result<Vec<f64>> {
        self.energy_axis()?.center_tev()
    }

    /// True where there are upper limits.
    pub fn has_ul(&self) -> bool {
        self.get(FluxQuantity::NormUl).is_some()
    }

    /// True where ts or sqrt_ts is there.
    pub fn has_any_ts(&self) -> bool {
        self.get(FluxQuantity::Ts).is_some() || self.get(FluxQuantity::SqrtTs).is_some()
    }

    /// True where there are likelihood profiles.
    pub fn has_stat_profiles(&self) -> bool {
        self.get(FluxQuantity::StatScan).is_some()
    }

    /// True where the success of each fit is known.
    pub fn has_success(&self) -> bool {
        self.get(FluxQuantity::Success).is_some()
    }

    /// False for maps that came as dnde or e2dnde on energies without bins.
    pub fn is_convertible_to_flux_sed_type(&self) -> bool {
        !matches!(self.meta.sed_type_init, SedType::Dnde | SedType::E2dnde)
            || self.energy_axis().is_ok_and(|axis| axis.has_bins())
    }

    /// The stored map of a quantity, as [`FluxMaps::get`], or an error that lists what there is.
    ///
    /// # Errors
    /// [`Error::Input`] where it is not stored.
    pub fn require(&self, quantity: FluxQuantity) -> Result<&Map> {
        self.get(quantity).ok_or_else(|| {
            let names: Vec<&str> = self.available_quantities().map(FluxQuantity::name).collect();
            Error::input(quantity.name(), format!("is not among these flux maps: [{}]", names.join(", ")))
        })
    }
}

/// Quantities that are derived.
impl FluxMaps {
    /// A norm quantity, with norm and norm_err NaN where the fit failed (see [`FluxMaps::filter_success_nan`]).
    pub(super) fn norm_quantity(&self, quantity: FluxQuantity) -> Result<Cow<'_, Map>> {
        let map = self.require(quantity)?;
        let filtered = self.filter_success_nan() && matches!(quantity, FluxQuantity::Norm | FluxQuantity::NormErr);
        // NaN, where nothing was fitted, is not a failure.
        let success = match self.get(FluxQuantity::Success) {
            Some(success) if filtered && success.data().iter().any(|ok| ok == 0.0) => success.to_cube_f64(),
            _ => return Ok(Cow::Borrowed(map)),
        };
        let mut cube = map.to_cube_f64();
        Zip::from(&mut cube).and(&success).for_each(|v, ok| {
            if *ok == 0.0 {
                *v = f64::NAN;
            }
        });
        Map::from_cube(map.geom().clone(), map.unit().clone(), cube).map(Cow::Owned)
    }

    /// Square root of ts: stored, or sqrt(max(ts, 0)), negative unless norm > 0 (also where norm is NaN).
    ///
    /// # Errors
    /// Where ts or norm is missing.
    pub fn sqrt_ts(&self) -> Result<Map> {
        if let Some(map) = self.get(FluxQuantity::SqrtTs) {
            return Ok(map.clone());
        }
        let mut cube = self.require(FluxQuantity::Ts)?.to_cube_f64();
        Zip::from(&mut cube).and(&self.norm()?.to_cube_f64()).for_each(|ts, norm| {
            // A NaN stays one: max() would turn it to 0.
            let root = if *ts < 0.0 { 0.0 } else { ts.sqrt() };
            *ts = if *norm > 0.0 { root } else { -root };
        });
        self.derived(cube)
    }

    /// 1 where only the limit is meaningful, else 0: stored; or sqrt_ts below the threshold of `meta` where there are a
    /// ts and limits; or where a limit is finite; or where the norm is NaN.
    ///
    /// # Errors
    /// Where norm is missing.
    pub fn is_ul(&self) -> Result<Map> {
        match self.get(FluxQuantity::IsUl) {
            Some(map) => Ok(map.clone()),
            None => self.derived_is_ul(),
        }
    }

    /// `is_ul` as it is where it is not stored.
    fn derived_is_ul(&self) -> Result<Map> {
        let flag = |map: &Map, is: &dyn Fn(f64) -> bool| map.to_cube_f64().mapv(|v| f64::from(u8::from(is(v))));
        let threshold = self.meta.sqrt_ts_threshold_ul;
        self.derived(match self.get(FluxQuantity::NormUl) {
            Some(_) if self.has_any_ts() => flag(&self.sqrt_ts()?, &|v| v < threshold),
            Some(ul) => flag(ul, &|v| v.is_finite()),
            None => flag(&self.norm()?, &|v| v.is_nan()),
        })
    }

    /// Sets the sqrt_ts below which a pixel is an upper limit: `is_ul` is from then on what follows from it, whether or not
    /// there are limits.
    ///
    /// # Errors
    /// Where there is no ts.
    pub fn set_sqrt_ts_threshold_ul(&mut self, threshold: f64) -> Result<()> {
        let flags = self.sqrt_ts()?.to_cube_f64().mapv(|v| f64::from(u8::from(v < threshold)));
        self.meta.sqrt_ts_threshold_ul = threshold;
        let map = self.derived(flags)?;
        self.insert(FluxQuantity::IsUl, map)
    }

    /// Takes a stored `is_ul` away where it says what follows from the rest: written maps hold it in any case, and what was
    /// derived when they were written follows later changes of norms, limits and threshold again.
    #[cfg(feature = "fits-system")]
    pub(crate) fn forget_derived_is_ul(&mut self) {
        let set = |v: f64| !v.is_nan() && v != 0.0;
        let same = match (self.get(FluxQuantity::IsUl), self.derived_is_ul()) {
            (Some(stored), Ok(derived)) => {
                let (a, b) = (stored.data(), derived.data());
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| set(a) == set(b))
            }
            _ => false,
        };
        if same {
            self.remove(FluxQuantity::IsUl);
        }
    }

    /// Predicted counts of the source, by their other name.
    ///
    /// # Errors
    /// Where they are not stored.
    pub fn excess(&self) -> Result<&Map> {
        self.npred_excess()
    }

    /// Predicted counts without those of the source.
    ///
    /// # Errors
    /// Where npred or npred_excess is missing.
    pub fn npred_background(&self) -> Result<Map> {
        let npred = self.require(FluxQuantity::Npred)?;
        let mut cube = npred.to_cube_f64();
        let excess = self.require(FluxQuantity::NpredExcess)?;
        if excess.geom().data_shape() != npred.geom().data_shape() {
            return Err(Error::input("npred_excess", "has other axes than npred"));
        }
        cube -= &excess.to_cube_f64();
        Map::from_cube(npred.geom().clone(), Unit::dimensionless(), cube)
    }

    /// Predicted counts of the source for norm 1: npred_excess / norm, NaN where norm is 0.
    ///
    /// # Errors
    /// Where npred_excess or norm is missing.
    pub fn npred_excess_ref(&self) -> Result<Map> {
        self.with_norms(self.require(FluxQuantity::NpredExcess)?, &self.norm()?, |excess, norm| excess / norm)
    }

    /// Symmetric error of the predicted counts of the source.
    ///
    /// # Errors
    /// Where npred_excess, norm or norm_err is missing.
    pub fn npred_excess_err(&self) -> Result<Map> {
        self.with_norms(&self.npred_excess_ref()?, &self.norm_err()?, |a, b| a * b)
    }

    /// Lower error (positive) of the predicted counts of the source.
    ///
    /// # Errors
    /// Where npred_excess, norm or norm_errn is missing.
    pub fn npred_excess_errn(&self) -> Result<Map> {
        self.with_norms(&self.npred_excess_ref()?, &self.norm_errn()?, |a, b| a * b)
    }

    /// Upper error of the predicted counts of the source.
    ///
    /// # Errors
    /// Where npred_excess, norm or norm_errp is missing.
    pub fn npred_excess_errp(&self) -> Result<Map> {
        self.with_norms(&self.npred_excess_ref()?, &self.norm_errp()?, |a, b| a * b)
    }

    /// Upper limit of the predicted counts of the source.
    ///
    /// # Errors
    /// Where npred_excess, norm or norm_ul is missing.
    pub fn npred_excess_ul(&self) -> Result<Map> {
        self.with_norms(&self.npred_excess_ref()?, &self.norm_ul()?, |a, b| a * b)
    }

    /// Likelihood profile above the best fit, 0 at its lowest point: stat_scan + ts where profiles are stored as
    /// stat - stat_null (ts is stat_null - stat at the best fit), else stat_scan - stat.
    ///
    /// # Errors
    /// Where stat_scan, or what it is compared with, is missing.
    pub fn ts_scan(&self) -> Result<Map> {
        let scan = self.require(FluxQuantity::StatScan)?;
        match self.meta.scan_zero {
            ScanZero::StatNull => self.with_norms(scan, self.require(FluxQuantity::Ts)?, |scan, ts| scan + ts),
            ScanZero::Absolute => self.with_norms(scan, self.require(FluxQuantity::Stat)?, |scan, stat| scan - stat),
        }
    }

    /// The norms of the likelihood profiles: stored, or those of the axis `norm` of stat_scan, or dnde_scan_values
    /// relative to the reference model.
    ///
    /// # Errors
    /// Where there are no profiles.
    pub fn norm_scan(&self) -> Result<Map> {
        if let Some(map) = self.get(FluxQuantity::NormScan) {
            return Ok(map.clone());
        }
        if let Some(map) = self.get(FluxQuantity::DndeScanValues) {
            let factor = map.unit().factor_to_text(SedType::Dnde.unit())?;
            let factors: Vec<f64> = self.dnde_ref()?.iter().map(|v| factor / v).collect();
            return times_per_energy(map, &factors, "");
        }
        let scan = self.require(FluxQuantity::StatScan)?;
        let norms = scan.geom().axis("norm")?.center();
        let below: usize = scan.geom().axes().iter().take_while(|a| a.name() != "norm").map(MapAxis::nbin).product();
        let mut cube = scan.to_cube_f64();
        for (plane, mut values) in cube.outer_iter_mut().enumerate() {
            values.fill(norms[plane / below % norms.len()]);
        }
        Map::from_cube(scan.geom().clone(), Unit::dimensionless(), cube)
    }

    /// The differential fluxes of the likelihood profiles, in TeV-1 s-1 cm-2: stored, or norm_scan times dnde_ref.
    ///
    /// # Errors
    /// Where there are no profiles, or the reference model does not allow the conversion.
    pub fn dnde_scan_values(&self) -> Result<Map> {
        if let Some(map) = self.get(FluxQuantity::DndeScanValues) {
            return map.to_unit(SedType::Dnde.unit());
        }
        times_per_energy(&self.norm_scan()?, &self.dnde_ref()?, SedType::Dnde.unit())
    }

    /// A map of these planes in the common geometry.
    fn derived(&self, cube: Array3<f64>) -> Result<Map> {
        Map::from_cube(self.geom().clone(), Unit::dimensionless(), cube)
    }

    /// A map that may have one more axis, combined with one of the common geometry.
    pub(super) fn with_norms(&self, map: &Map, norm: &Map, combine: impl Fn(f64, f64) -> f64) -> Result<Map> {
        let mut cube = map.to_cube_f64();
        let norms = norm.to_cube_f64();
        for (plane, mut values) in cube.outer_iter_mut().enumerate() {
            let other: ArrayView2<'_, f64> =
                norms.index_axis(ndarray::Axis(0), common_plane(map.geom(), self.geom(), plane));
            Zip::from(&mut values).and(&other).for_each(|v, n| *v = combine(*v, *n));
        }
        Map::from_cube(map.geom().clone(), map.unit().clone(), cube)
    }
}

/// The plane of `common` that a plane of `geom`, which has the same axes and perhaps more, belongs to.
pub(super) fn common_plane(geom: &Geom, common: &Geom, plane: usize) -> usize {
    let (mut stride, mut common_stride, mut index) = (1, 1, 0);
    for axis in geom.axes() {
        if common.axes().iter().any(|a| a.name() == axis.name()) {
            index += plane / stride % axis.nbin() * common_stride;
            common_stride *= axis.nbin();
        }
        stride *= axis.nbin();
    }
    index
}
