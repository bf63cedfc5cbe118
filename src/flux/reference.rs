//! Reference fluxes per energy bin: what norms are multiplied with.

use super::quantity::SedType;
use crate::error::{Error, Result};
use crate::maps::{MapAxis, NodeType};
use crate::models::SkyModel;

impl SedType {
    /// Unit of the values, spelled as Gammapy writes it in FITS files; empty for norms.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Likelihood => "",
            Self::Dnde => "TeV-1 s-1 cm-2",
            Self::Flux => "s-1 cm-2",
            Self::Eflux | Self::E2dnde => "TeV s-1 cm-2",
        }
    }
}

/// Reference values per bin of an energy axis, in the unit of the SED type: dnde at the bin's centre, and that times
/// the centre squared; integral flux and energy flux over the bin, as Gammapy integrates them. 1 for norms.
///
/// # Errors
/// [`Error::Input`] where the axis is not an energy, for a reference spectrum that is a norm, and for values that are
/// not finite.
pub(super) fn reference_values(model: &SkyModel, axis: &MapAxis, sed: SedType) -> Result<Vec<f64>> {
    if sed == SedType::Likelihood {
        return Ok(vec![1.0; axis.nbin()]);
    }
    let spectral = model.spectral.as_ref();
    let wrong = |problem: String| {
        Err(Error::input(format!("reference model '{}'", model.name), problem)
            .with_help("only the SED type 'likelihood' is possible with it"))
    };
    if spectral.is_norm() {
        return wrong(format!("norms of a {} cannot be converted to {}", spectral.tag(), sed.name()));
    }
    let values = match sed {
        SedType::Likelihood => Vec::new(),
        SedType::Dnde => axis.center_tev()?.iter().map(|e| spectral.evaluate(*e)).collect(),
        SedType::E2dnde => axis.center_tev()?.iter().map(|e| spectral.evaluate(*e) * e * e).collect(),
        // Bins with gaps have no common edges: each for itself.
        SedType::Flux | SedType::Eflux if axis.node_type() == NodeType::Intervals => {
            let factor = axis.unit().factor_to_text("TeV")?;
            let one = |min: f64, max: f64| match sed {
                SedType::Flux => spectral.integral(min, max),
                _ => spectral.energy_flux(min, max),
            };
            axis.bounds().iter().map(|(min, max)| one(min * factor, max * factor)).collect()
        }
        SedType::Flux => spectral.integral_bins(&axis.edges_tev()?),
        SedType::Eflux => spectral.energy_flux_bins(&axis.edges_tev()?),
    };
    match values.iter().position(|v: &f64| !v.is_finite()) {
        Some(bin) => wrong(format!("its {} in energy bin {bin} is {}", sed.name(), values[bin])),
        None => Ok(values),
    }
}
