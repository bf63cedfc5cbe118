//! The Crab nebula, a unit of fluxes.

use std::sync::Arc;

use super::{
    ExpCutoffPowerLawSpectralModel, LogParabolaSpectralModel, PowerLawSpectralModel, SpectralModel, tag_and_parameters,
    trapezoid_integrals,
};
use crate::error::{Error, Result};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec, parameter_model};

const SPECS: [ParameterSpec; 1] = [ParameterSpec::frozen("norm", 1.0, "")];

/// log10 of E² dnde in erg cm-2 s-1 as a polynomial of log10(E / TeV), highest power first (arXiv:1008.4524, Appendix D).
const MEYER: [f64; 6] = [-0.004_491_61, 0.0, 0.047_317_4, -0.179_475, -0.536_16, -10.2708];

/// TeV of an erg.
const TEV_PER_ERG: f64 = 1.0 / 1.602_176_634;

/// The spectrum of Meyer et al. 2010, times a norm. Gammapy: has no name for it in files, so only Pevatron reads it from
/// them.
///
/// ```
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::MeyerCrabSpectralModel;
/// assert!((MeyerCrabSpectralModel::default().evaluate(1.0) / 3.345_720_1e-11 - 1.0).abs() < 1e-7);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MeyerCrabSpectralModel {
    set: ParameterSet<1>,
}

parameter_model!(MeyerCrabSpectralModel, "MeyerCrabSpectralModel", &SPECS);

impl SpectralModel for MeyerCrabSpectralModel {
    tag_and_parameters!();
    trapezoid_integrals!();

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let x = energy_tev.log10();
        let log = MEYER.iter().fold(0.0, |sum, c| sum * x + c);
        self.set.values()[0] * 10f64.powf(log) * TEV_PER_ERG / (energy_tev * energy_tev)
    }
}

/// A spectrum of the Crab nebula by the name of its reference, as Gammapy's `create_crab_spectral_model`: `"meyer"`,
/// `"hegra"`, `"hess_pl"`, `"hess_ecpl"`, `"magic_lp"` or `"magic_ecpl"`.
///
/// # Errors
/// [`Error::Options`] for another name.
pub fn crab(reference: &str) -> Result<Arc<dyn SpectralModel>> {
    Ok(match reference {
        "meyer" => Arc::new(MeyerCrabSpectralModel::default()),
        // Aharonian et al. 2004, 2006; Aleksić et al. 2015, whose parabola has the decimal logarithm.
        "hegra" => Arc::new(PowerLawSpectralModel::new(2.62, 2.83e-11, 1.0)),
        "hess_pl" => Arc::new(PowerLawSpectralModel::new(2.63, 3.45e-11, 1.0)),
        "hess_ecpl" => Arc::new(ExpCutoffPowerLawSpectralModel::new(2.39, 3.76e-11, 1.0, 1.0 / 14.3, 1.0)),
        "magic_lp" => Arc::new(LogParabolaSpectralModel::new(3.23e-11, 1.0, 2.47, 0.24 / std::f64::consts::LN_10)),
        "magic_ecpl" => Arc::new(ExpCutoffPowerLawSpectralModel::new(2.21, 3.8e-11, 1.0, 1.0 / 6.0, 1.0)),
        other => {
            return Err(Error::options("reference", format!("'{other}' is not a spectrum of the Crab nebula"))
                .with_help("there are meyer, hegra, hess_pl, hess_ecpl, magic_lp, magic_ecpl"));
        }
    })
}
