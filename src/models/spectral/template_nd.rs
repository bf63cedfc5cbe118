//! A table of spectra against parameters.

use std::sync::Arc;

use super::{SpectralModel, trapezoid_integrals};
use crate::error::{Error, Result};
use crate::maps::{Geom, Map};
use crate::models::Parameter;
use crate::models::nd_template::{NdTemplate, nd_template_methods};
use crate::units::Unit;

/// A map of a region with an axis of energy whose other axes are the parameters of the spectrum, by their names: dark
/// matter against its mass, say (Gammapy's `TemplateNDSpectralModel`). Linear in the axes' scales and in the logarithm
/// of the values, and extrapolated beyond the ends.
#[derive(Debug, Clone)]
pub struct TemplateNDSpectralModel {
    template: NdTemplate,
    /// From the map's unit to cm-2 s-1 TeV-1.
    factor: f64,
}

impl TemplateNDSpectralModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "TemplateNDSpectralModel";

    /// From a map of a region, in a unit of a differential flux or without one; parameters are in the middle of the axes.
    ///
    /// # Errors
    /// [`Error::Input`] for a map of the sky, one without an axis of energy, or another unit.
    pub fn new(map: Arc<Map>) -> Result<Self> {
        let wrong = |problem: String| Err(Error::input(Self::TAG, problem));
        if !matches!(map.geom().as_ref(), Geom::Region(_)) {
            return wrong("the map is one of the sky where that of a region is needed".to_string());
        }
        let factor = if map.unit().is_dimensionless() {
            map.unit().factor_to(&Unit::dimensionless())?
        } else {
            map.unit().factor_to_text("cm-2 s-1 TeV-1").map_err(|_| {
                Error::input(Self::TAG, format!("the map is in '{}' where cm-2 s-1 TeV-1 is needed", map.unit()))
            })?
        };
        let template = NdTemplate::new(Self::TAG, map)?;
        if !template.has_energy() {
            return wrong("the map has no axis 'energy_true'".to_string());
        }
        Ok(Self { template, factor })
    }

    nd_template_methods!();
}

impl SpectralModel for TemplateNDSpectralModel {
    trapezoid_integrals!();

    fn tag(&self) -> &'static str {
        Self::TAG
    }

    fn parameters(&self) -> &[Parameter] {
        self.template.parameters()
    }

    fn evaluate(&self, energy_tev: f64) -> f64 {
        self.factor * self.template.at((0.0, 0.0), energy_tev, false)
    }

    fn is_norm(&self) -> bool {
        self.map().unit().is_dimensionless()
    }

    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn SpectralModel>> {
        let template = self.template.with_parameters(Self::TAG, parameters)?;
        Ok(Arc::new(Self { template, ..self.clone() }))
    }

    fn as_template_nd(&self) -> Option<&TemplateNDSpectralModel> {
        Some(self)
    }
}
