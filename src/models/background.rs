//! The field-of-view background: a norm, a tilt and a shape on the dataset's background cube.

use std::sync::Arc;

use ndarray::Array3;

use super::spatial::{SpatialModel, pixel_factors, value_at};
use super::spectral::SpectralModel;
use crate::error::{Error, Result};
use crate::maps::Geom;

/// Scales a dataset's background by a norm spectrum evaluated at the centre of each reconstructed-energy bin, and where
/// there is one by a spatial model at the centre of each pixel (Gammapy's `FoVBackgroundModel`).
///
/// ```
/// use std::sync::Arc;
/// use pevatron::maps::Frame;
/// use pevatron::models::{FoVBackgroundModel, Model, Models};
/// use pevatron::models::spatial::GaussianSpatialModel;
/// use pevatron::models::spectral::PowerLawNormSpectralModel;
/// let mut background = FoVBackgroundModel::new("run", Arc::new(PowerLawNormSpectralModel::default()));
/// background.spatial = Some(Arc::new(GaussianSpatialModel::new(83.6, 22.0, 2.0, 0.0, 0.0, Frame::Icrs)));
/// let models = Models { components: vec![Model::FoVBackground(background)] };
/// assert_eq!(models.parameter("run-bkg.spatial.sigma")?.value, 2.0);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FoVBackgroundModel {
    /// Name.
    pub name: String,
    /// Norm spectrum (dimensionless), usually a `PowerLawNormSpectralModel`.
    pub spectral: Arc<dyn SpectralModel>,
    /// A factor for each pixel: the value at its centre and, where the model varies with energy, at the centre of each
    /// reconstructed-energy bin, as a number without its unit ([`SpatialModel::unit_factor`]). `None`: 1 everywhere.
    ///
    /// Gammapy: takes longitudes and latitudes of the map for those of the model; here they are converted to the frame of
    /// the model where that is another one.
    pub spatial: Option<Arc<dyn SpatialModel>>,
    /// Datasets it applies to.
    pub datasets_names: Vec<String>,
}

impl FoVBackgroundModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "FoVBackgroundModel";

    /// Without a spatial part, for one dataset, and named after it as Gammapy does: `{dataset}-bkg`.
    pub fn new(dataset_name: &str, spectral: Arc<dyn SpectralModel>) -> Self {
        let datasets_names = vec![dataset_name.to_string()];
        Self { name: format!("{dataset_name}-bkg"), spectral, spatial: None, datasets_names }
    }

    /// What the spatial part makes of each pixel of a geometry with the axis `energy`, `[energy, y, x]`; one plane in place
    /// of all energies where it does not vary with energy. `None` without a spatial part.
    ///
    /// Pixels that are not on the sky have 1; where the model has no finite value it counts as 0, as shapes of sources do.
    /// A region has the value at its centre.
    ///
    /// # Errors
    /// [`Error::Input`] for a point source, which is not a factor, a region without a place, or energies without a
    /// unit.
    pub fn spatial_factors(&self, geom: &Geom) -> Result<Option<Array3<f64>>> {
        let Some(spatial) = &self.spatial else { return Ok(None) };
        self.check_spatial()?;
        let energies = geom.axis("energy")?.center_tev()?;
        let mut factors = match geom {
            Geom::Wcs(geom) => pixel_factors(spatial.as_ref(), geom, &energies),
            Geom::Region(geom) => {
                let center = geom.center().ok_or_else(|| {
                    Error::input(&self.name, "its spatial model has no value for a spectrum that is nowhere on the sky")
                        .with_help("take the spatial model away, or give the spectrum a region")
                })?;
                let energies = if spatial.is_energy_dependent() { &energies[..] } else { &[1.0] };
                let values: Vec<f64> = energies.iter().map(|e| value_at(spatial.as_ref(), center, *e)).collect();
                Array3::from_shape_fn((values.len(), 1, 1), |(e, ..)| values[e])
            }
        };
        factors.mapv_inplace(|v| if v.is_nan() { 1.0 } else { v });
        Ok(Some(factors))
    }

    /// Scales predicted background counts `[energy, y, x]` on a geometry with the axis `energy`.
    ///
    /// # Errors
    /// As [`FoVBackgroundModel::spatial_factors`], and [`Error::Input`] for counts of another shape.
    pub fn scale(&self, background: &mut Array3<f64>, geom: &Geom) -> Result<()> {
        let energies = geom.axis("energy")?.center_tev()?;
        let (_, ny, nx) = background.dim();
        let factors = self.spatial_factors(geom)?;
        let image = factors.as_ref().map_or((ny, nx), |f| (f.dim().1, f.dim().2));
        if background.dim() != (energies.len(), image.0, image.1) {
            let wanted = (energies.len(), image.0, image.1);
            let problem = format!("its shape is {:?} where {wanted:?} is needed", background.dim());
            return Err(Error::input("background", problem));
        }
        for (mut plane, energy) in background.outer_iter_mut().zip(energies) {
            plane *= self.spectral.evaluate(energy);
        }
        if let Some(factors) = factors {
            // One plane stands for all energies.
            *background *= &factors;
        }
        Ok(())
    }

    /// Refuses spatial models that give no factor.
    pub(crate) fn check_spatial(&self) -> Result<()> {
        match &self.spatial {
            Some(spatial) if spatial.is_point() => {
                let problem =
                    format!("a background is not scaled by a point: '{}' has no value at a pixel", spatial.tag());
                Err(Error::input(&self.name, problem).with_help("take an extended model, e.g. GaussianSpatialModel"))
            }
            _ => Ok(()),
        }
    }
}
