//! Shapes whose border is smooth on the scale of a pixel's parts.

use std::sync::Arc;

use super::{PiecewiseNormSpatialModel, SpatialModel, TemplateNDSpatialModel, TemplateSpatialModel};
use crate::error::Result;
use crate::maps::{Frame, SkyPosition};
use crate::models::{Model, Models, Parameter};

/// Parts of a pixel, per side, that a smooth border is drawn with.
const PARTS: f64 = 10.0;
/// Width of the border in units of a part: below it the parts would show.
const WIDTH: f64 = 1.0;

/// A disk or shell whose border is drawn on a tenth of a pixel, and falls over about that width: what is predicted varies
/// smoothly with radius and position, where Gammapy's shapes change in steps whenever the border crosses the centre of a
/// pixel or of one of its parts. It has the name and the parameters of the model inside, and is written as that.
#[derive(Debug, Clone)]
pub struct SmoothBorder {
    inner: Arc<dyn SpatialModel>,
    part_deg: f64,
}

impl SmoothBorder {
    /// A model on pixels of a size.
    pub fn new(inner: Arc<dyn SpatialModel>, pixel_deg: f64) -> Self {
        Self { inner, part_deg: pixel_deg / PARTS }
    }

    fn width_deg(&self) -> f64 {
        WIDTH * self.part_deg
    }
}

impl SpatialModel for SmoothBorder {
    fn tag(&self) -> &'static str {
        self.inner.tag()
    }

    fn parameters(&self) -> &[Parameter] {
        self.inner.parameters()
    }

    fn frame(&self) -> Frame {
        self.inner.frame()
    }

    fn position(&self) -> Option<SkyPosition> {
        self.inner.position()
    }

    fn at_position(&self, position: SkyPosition) -> Box<dyn SpatialModel> {
        Box::new(Self { inner: Arc::from(self.inner.at_position(position)), part_deg: self.part_deg })
    }

    fn is_point(&self) -> bool {
        self.inner.is_point()
    }

    fn evaluate(&self, lon_deg: f64, lat_deg: f64, energy_tev: f64) -> f64 {
        self.inner.evaluate_smooth(lon_deg, lat_deg, energy_tev, self.width_deg())
    }

    fn is_energy_dependent(&self) -> bool {
        self.inner.is_energy_dependent()
    }

    fn unit_factor(&self) -> f64 {
        self.inner.unit_factor()
    }

    /// That of the model and three widths of the border.
    fn evaluation_radius_deg(&self) -> Option<f64> {
        self.inner.evaluation_radius_deg().map(|radius| radius + 3.0 * self.width_deg())
    }

    /// A part of a pixel, whatever the radius is: the number of parts does not change within a fit.
    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        Some(self.part_deg * (1.0 + 1e-9))
    }

    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn SpatialModel>> {
        Ok(Arc::new(Self { inner: self.inner.with_parameters(parameters)?, part_deg: self.part_deg }))
    }

    fn as_template(&self) -> Option<&TemplateSpatialModel> {
        self.inner.as_template()
    }

    fn as_piecewise(&self) -> Option<&PiecewiseNormSpatialModel> {
        self.inner.as_piecewise()
    }

    fn as_template_nd(&self) -> Option<&TemplateNDSpatialModel> {
        self.inner.as_template_nd()
    }
}

impl Models {
    /// The models with smooth borders ([`SmoothBorder`]) for pixels of a size, and how many have one.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use pevatron::maps::Frame;
    /// use pevatron::models::{Model, Models, SkyModel};
    /// use pevatron::models::{spatial::DiskSpatialModel, spectral::PowerLawSpectralModel};
    /// let disk = DiskSpatialModel::new(0.0, 0.0, 0.3, 0.0, 0.0, 0.001, Frame::Icrs);
    /// let source = SkyModel::new("disk", Arc::new(PowerLawSpectralModel::new(2.0, 1e-12, 1.0)), Some(Arc::new(disk)));
    /// let models = Models { components: vec![Model::Sky(source)] };
    /// let (smooth, number) = models.with_smooth_borders(0.02);
    /// assert_eq!(number, 1);
    /// let Model::Sky(disk) = &smooth.components[0] else { panic!() };
    /// let at = |lon| disk.spatial.as_ref().unwrap().evaluate(lon, 0.0, 1.0);
    /// // Half of the brightness at the border, and all of it two parts of a pixel inside.
    /// assert!((at(0.3) / at(0.0) - 0.5).abs() < 1e-6 && (at(0.296) / at(0.0) - 1.0).abs() < 0.01);
    /// ```
    pub fn with_smooth_borders(&self, pixel_deg: f64) -> (Self, usize) {
        let mut models = self.clone();
        let mut number = 0;
        for model in &mut models.components {
            let Model::Sky(sky) = model else { continue };
            if let Some(spatial) = sky.spatial.as_ref().filter(|s| s.has_border()) {
                sky.spatial = Some(Arc::new(SmoothBorder::new(Arc::clone(spatial), pixel_deg)));
                number += 1;
            }
        }
        (models, number)
    }
}
