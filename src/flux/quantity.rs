//! Names of result maps and SED types.

use crate::error::{Error, Result};

/// How fluxes are expressed in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum SedType {
    /// Norms relative to the reference model.
    #[default]
    Likelihood,
    /// Differential flux at the reference energy.
    Dnde,
    /// Integral flux.
    Flux,
    /// Integral energy flux.
    Eflux,
    /// Differential flux times energy squared.
    E2dnde,
}

impl SedType {
    /// All types.
    pub const ALL: [Self; 5] = [Self::Likelihood, Self::Dnde, Self::Flux, Self::Eflux, Self::E2dnde];

    /// Gammapy's name, as in the SED_TYPE keyword.
    pub fn name(self) -> &'static str {
        match self {
            Self::Likelihood => "likelihood",
            Self::Dnde => "dnde",
            Self::Flux => "flux",
            Self::Eflux => "eflux",
            Self::E2dnde => "e2dnde",
        }
    }

    /// Stem of the column names: `norm` for likelihood, else the type's name.
    pub fn stem(self) -> &'static str {
        if self == Self::Likelihood { "norm" } else { self.name() }
    }
}

impl std::str::FromStr for SedType {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|t| t.name() == s);
        found.ok_or_else(|| Error::not_one_of("sed_type", s, Self::ALL.map(Self::name)))
    }
}

macro_rules! quantities {
    ($($variant:ident, $name:literal, $doc:literal;)*) => {
        /// A result map by name, in the order in which Gammapy writes them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FluxQuantity {
            $(#[doc = $doc] $variant,)*
        }

        impl FluxQuantity {
            /// All quantities, in writing order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Gammapy's name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

quantities! {
    Norm, "norm", "Norm relative to the reference model.";
    NormErr, "norm_err", "Symmetric error, n_sigma.";
    NormErrn, "norm_errn", "Lower error, positive.";
    NormErrp, "norm_errp", "Upper error.";
    NormUl, "norm_ul", "Upper limit, n_sigma_ul.";
    NormSensitivity, "norm_sensitivity", "Sensitivity, n_sigma_sensitivity.";
    Ts, "ts", "Test statistic, stat_null - stat.";
    SqrtTs, "sqrt_ts", "Square root of ts, negative for norm ≤ 0.";
    Npred, "npred", "Predicted counts with the source.";
    NpredExcess, "npred_excess", "Predicted counts of the source.";
    Stat, "stat", "Fit statistic with the source.";
    StatNull, "stat_null", "Fit statistic without the source.";
    StatScan, "stat_scan", "Likelihood profile: stat on the scan axis, counted from `FluxMeta::scan_zero`.";
    DndeScanValues, "dnde_scan_values", "dnde values of the profile.";
    NormScan, "norm_scan", "Norms of the profile, where they are not those of its norm axis.";
    Niter, "niter", "Iterations of the fit.";
    IsUl, "is_ul", "True where only the limit is meaningful.";
    Counts, "counts", "Measured counts.";
    Success, "success", "True where the fit converged.";
    NDof, "n_dof", "Degrees of freedom.";
    Alpha, "alpha", "On over off acceptance.";
    AcceptanceOn, "acceptance_on", "On acceptance.";
    AcceptanceOff, "acceptance_off", "Off acceptance.";
    Status, "status", "Per-pixel status bits.";
}

impl FluxQuantity {
    /// True for the norm and its errors and limits, which other SED types have as fluxes.
    pub fn is_norm(self) -> bool {
        matches!(
            self,
            Self::Norm | Self::NormErr | Self::NormErrn | Self::NormErrp | Self::NormUl | Self::NormSensitivity
        )
    }
}

/// By Gammapy's name, or `excess` for `npred_excess`.
impl std::str::FromStr for FluxQuantity {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        if s == "excess" {
            return Ok(Self::NpredExcess);
        }
        let found = Self::ALL.iter().copied().find(|q| q.name() == s);
        found.ok_or_else(|| Error::not_one_of("quantity", s, Self::ALL.iter().map(|q| q.name())))
    }
}
