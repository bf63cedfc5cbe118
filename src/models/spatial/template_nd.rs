//! A map whose axes are parameters of a source's shape.

use std::sync::Arc;

use super::SpatialModel;
use super::template::unit_factor;
use crate::error::{Error, Result};
use crate::maps::{Frame, Map, SkyPosition, WcsGeom};
use crate::models::Parameter;
use crate::models::nd_template::{NdTemplate, nd_template_methods};

/// A map of surface brightness whose axes, but for the energy, are the parameters of the shape, by their names
/// (Gammapy's `TemplateNDSpatialModel`). Linear in the axes' scales and in the logarithm of the values; 0 beyond half a
/// pixel from the outermost nodes. It is not normalised and has no centre.
///
/// Gammapy: takes the longitudes and latitudes of the frame ICRS for those of the map; here a map in Galactic coordinates
/// lies where it lies.
#[derive(Debug, Clone)]
pub struct TemplateNDSpatialModel {
    template: NdTemplate,
    geom: WcsGeom,
    /// From the map's unit to sr-1 or cm-2 s-1 TeV-1 sr-1.
    factor: f64,
}

impl TemplateNDSpatialModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "TemplateNDSpatialModel";

    /// From a map of the sky; parameters are in the middle of the axes.
    ///
    /// # Errors
    /// [`Error::Input`] for a map of a region, without axes that are parameters, or in a unit that is neither a surface
    /// brightness nor a flux per solid angle.
    pub fn new(map: Arc<Map>) -> Result<Self> {
        let geom = map.wcs_geom().map_err(|e| e.with_help("a template is a map of the sky"))?.clone();
        let factor = unit_factor(Self::TAG, map.unit())?;
        let template = NdTemplate::new(Self::TAG, map)?;
        if template.parameters().is_empty() {
            return Err(Error::input(Self::TAG, "the map has no axis that is a parameter")
                .with_help("TemplateSpatialModel takes maps without parameters"));
        }
        Ok(Self { template, geom, factor })
    }

    nd_template_methods!();
}

impl SpatialModel for TemplateNDSpatialModel {
    fn tag(&self) -> &'static str {
        Self::TAG
    }

    fn parameters(&self) -> &[Parameter] {
        self.template.parameters()
    }

    fn frame(&self) -> Frame {
        self.geom.frame()
    }

    fn position(&self) -> Option<SkyPosition> {
        None
    }

    /// The same: it has no centre.
    fn at_position(&self, _position: SkyPosition) -> Box<dyn SpatialModel> {
        Box::new(self.clone())
    }

    fn evaluate(&self, lon_deg: f64, lat_deg: f64, energy_tev: f64) -> f64 {
        let position = SkyPosition { lon_deg, lat_deg, frame: self.geom.frame() };
        let Some(pixel) = self.geom.sky_to_pix(position) else { return 0.0 };
        self.factor * self.template.at(pixel, energy_tev, true)
    }

    fn unit_factor(&self) -> f64 {
        1.0 / self.factor
    }

    fn is_energy_dependent(&self) -> bool {
        self.template.has_energy()
    }

    fn evaluation_radius_deg(&self) -> Option<f64> {
        None
    }

    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        None
    }

    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn SpatialModel>> {
        let template = self.template.with_parameters(Self::TAG, parameters)?;
        Ok(Arc::new(Self { template, ..self.clone() }))
    }

    fn as_template_nd(&self) -> Option<&TemplateNDSpatialModel> {
        Some(self)
    }
}
