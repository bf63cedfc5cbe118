//! Models of peaks, to be fitted.

use std::sync::Arc;

use super::find::FluxPeak;
use super::search::scaled;
use crate::error::{Error, Result};
use crate::models::{Model, Models, SkyModel};

/// A source for each peak: the reference model of the flux maps at the peak's position, with the flux that the pixel has.
/// `names` has one name per peak. They are what a fit can start from.
///
/// # Errors
/// [`Error::Input`] where a peak has no norm above 0; [`Error::Options`] for a reference model whose amplitude cannot be
/// changed.
pub fn peak_models(peaks: &[FluxPeak], names: &[String], reference: &SkyModel) -> Result<Models> {
    let model = |(peak, name): (&FluxPeak, &String)| {
        let Some(norm) = peak.value("norm").filter(|norm| *norm > 0.0 && norm.is_finite()) else {
            return Err(Error::input(
                name,
                "the maps have no norm above 0 at this peak, so that no source can be made of it",
            )
            .with_help("take peaks of sqrt_ts in maps of the SED type likelihood, or of another one with fluxes"));
        };
        Ok(Model::Sky(SkyModel {
            name: name.clone(),
            spectral: scaled(&reference.spectral, norm)?,
            spatial: reference.spatial.as_ref().map(|s| Arc::from(s.at_position(peak.location.position))),
            datasets_names: None,
            ..reference.clone()
        }))
    };
    Ok(Models { components: peaks.iter().zip(names).map(model).collect::<Result<_>>()? })
}
