//! A cube of predicted counts as a component of its own.

use std::sync::Arc;

use ndarray::Array3;

use super::spatial::{SpatialModel, pixel_factors};
use super::spectral::{PowerLawNormSpectralModel, SpectralModel};
use crate::error::{Error, Result};
use crate::maps::Map;

/// Predicted counts `[energy, y, x]` in reconstructed energy, scaled by a norm spectrum: what is known of a signal or a
/// background without its responses (Gammapy's `TemplateNPredModel`).
///
/// It adds to the predicted signal of the datasets that it applies to and goes through no response. Where a dataset is a
/// cutout of the cube, or the cube one of the dataset's sky, the pixels that both have count.
///
/// ```
/// use std::sync::Arc;
/// use pevatron::maps::{Geom, Map, MapAxis, SkyPosition, WcsGeom};
/// use pevatron::models::{Model, Models, TemplateNPredModel};
/// let axis = MapAxis::energy_bounds(1.0, 10.0, 2, "energy")?;
/// let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 3, 2, (0.1, 0.1), "TAN", vec![axis])?;
/// let map = Map::zeros(Arc::new(Geom::Wcs(geom)), Default::default());
/// let model = TemplateNPredModel::new("residual", Arc::new(map))?.with_filename("residual.fits");
/// let mut models = Models { components: vec![Model::TemplateNPred(model)] };
/// models.set_value("residual.spectral.norm", 1.2)?;
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TemplateNPredModel {
    /// Name.
    pub name: String,
    map: Arc<Map>,
    /// Norm spectrum (dimensionless), at the centre of each energy bin.
    pub spectral: Arc<dyn SpectralModel>,
    /// A factor for each pixel, at its centre: the value as a number without its unit ([`SpatialModel::unit_factor`]).
    /// Its parameters are not parameters of the model, as in Gammapy.
    pub spatial: Option<Arc<dyn SpatialModel>>,
    /// Datasets it applies to; `None`: all.
    pub datasets_names: Option<Vec<String>>,
    filename: Option<String>,
}

impl TemplateNPredModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "TemplateNPredModel";

    /// From predicted counts, with a norm of 1, for all datasets.
    ///
    /// # Errors
    /// [`Error::Input`] for axes other than one of energy bins, or a unit.
    pub fn new(name: &str, map: Arc<Map>) -> Result<Self> {
        let wrong = |problem: String| {
            Err(Error::input(Self::TAG, problem)
                .with_help("the map has counts in bins of one axis 'energy', as the background of a dataset has"))
        };
        match map.geom().axes() {
            [axis] if axis.name() == "energy" && axis.has_bins() => {}
            [axis] if axis.name() == "energy" => return wrong("the axis 'energy' has nodes, no bins".to_string()),
            axes => {
                let names: Vec<&str> = axes.iter().map(|a| a.name()).collect();
                return wrong(format!("the map has the axes [{}]", names.join(", ")));
            }
        }
        if !map.unit().is_dimensionless() {
            return wrong(format!("the map is in '{}'", map.unit()));
        }
        Ok(Self {
            name: name.to_string(),
            map,
            spectral: Arc::new(PowerLawNormSpectralModel::default()),
            spatial: None,
            datasets_names: None,
            filename: None,
        })
    }

    /// With another norm spectrum.
    ///
    /// # Errors
    /// [`Error::Input`] for a spectrum with a unit.
    pub fn with_spectral(self, spectral: Arc<dyn SpectralModel>) -> Result<Self> {
        if !spectral.is_norm() {
            let problem = format!("predicted counts are scaled by a norm model, '{}' is none", spectral.tag());
            return Err(Error::input(&self.name, problem).with_help("take e.g. PowerLawNormSpectralModel"));
        }
        Ok(Self { spectral, ..self })
    }

    /// With the name of the file that the map came from or is to be written to.
    pub fn with_filename(self, filename: impl Into<String>) -> Self {
        Self { filename: Some(filename.into()), ..self }
    }

    /// The predicted counts before any factor, `[energy, y, x]`.
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// The name of the map's file.
    pub fn filename(&self) -> Option<&str> {
        self.filename.as_deref()
    }

    /// Predicted counts `[energy, y, x]` with the factors of the spatial model, but not those of the spectrum.
    ///
    /// # Errors
    /// [`Error::Input`] for a spatial model on a region, or energies without a unit.
    pub fn counts(&self) -> Result<Array3<f64>> {
        let mut cube = self.map.to_cube_f64();
        let Some(spatial) = &self.spatial else { return Ok(cube) };
        let geom = self.map.wcs_geom().map_err(|e| e.with_help("a spatial model needs a map of the sky"))?;
        // One plane of factors stands for all energies.
        cube *= &pixel_factors(spatial.as_ref(), geom, &self.map.geom().axis("energy")?.center_tev()?);
        Ok(cube)
    }

    /// The predicted counts with all factors.
    ///
    /// # Errors
    /// As [`TemplateNPredModel::counts`].
    pub fn evaluate(&self) -> Result<Map> {
        let mut cube = self.counts()?;
        for (mut plane, energy) in cube.outer_iter_mut().zip(self.map.geom().axis("energy")?.center_tev()?) {
            plane *= self.spectral.evaluate(energy);
        }
        Map::from_cube(Arc::clone(self.map.geom()), Default::default(), cube)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::{AxisInterp, Frame, Geom, MapAxis, SkyPosition, WcsGeom};
    use crate::models::spatial::ConstantSpatialModel;
    use crate::models::spectral::PowerLawSpectralModel;

    fn map(axes: Vec<MapAxis>, unit: &str) -> Arc<Map> {
        let center = SkyPosition { lon_deg: 10.0, lat_deg: 20.0, frame: Frame::Icrs };
        let geom = Geom::Wcs(WcsGeom::create(center, 3, 2, (0.1, 0.1), "TAN", axes).unwrap());
        let n = geom.axes().iter().map(MapAxis::nbin).product();
        let cube = Array3::from_shape_fn((n, 2, 3), |(e, y, x)| (e * 6 + y * 3 + x) as f64);
        Arc::new(Map::from_cube(Arc::new(geom), unit.parse().unwrap(), cube).unwrap())
    }

    #[test]
    fn counts_are_scaled_by_norm_tilt_and_shape() {
        let axis = MapAxis::energy_bounds(1.0, 100.0, 2, "energy").unwrap();
        let energies = axis.center_tev().unwrap();
        let mut model = TemplateNPredModel::new("t", map(vec![axis], "")).unwrap();
        model = model.with_spectral(Arc::new(PowerLawNormSpectralModel::new(0.5, 3.0, 1.0))).unwrap();
        model.spatial = Some(Arc::new(ConstantSpatialModel::new(2.0)));
        let found = model.evaluate().unwrap().into_cube_f64();
        for (e, energy) in energies.iter().enumerate() {
            let wanted = 2.0 * 3.0 * energy.powf(-0.5) * (e * 6 + 4) as f64;
            assert!((found[[e, 1, 1]] - wanted).abs() < 1e-12 * wanted);
        }
    }

    #[test]
    fn other_maps_and_spectra_are_refused() {
        let energy = MapAxis::energy_bounds(1.0, 100.0, 2, "energy").unwrap();
        let model = TemplateNPredModel::new("t", map(vec![energy.clone()], "")).unwrap();
        let error = model.with_spectral(Arc::new(PowerLawSpectralModel::default())).unwrap_err();
        assert!(error.to_string().contains("is none"), "{error}");
        let nodes = MapAxis::from_nodes("energy", "TeV".parse().unwrap(), vec![1.0, 2.0], AxisInterp::Log).unwrap();
        for (axes, unit, said) in [
            (vec![energy.clone()], "cm2 s", "cm2 s"),
            (vec![energy.renamed("energy_true")], "", "energy_true"),
            (vec![], "", "axes []"),
            (vec![nodes], "", "no bins"),
        ] {
            let error = TemplateNPredModel::new("t", map(axes, unit)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
