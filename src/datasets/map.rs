//! The binned map dataset.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array3, Axis, s};
use rayon::prelude::*;

use super::npred::{Domain, Evaluation, Evaluator, Evaluators, Exposure, TemplateCounts};
use crate::compute::Backend;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::irf::{EDisp, KernelPixels, PsfMap};
use crate::maps::{CutoutOrigin, Geom, Map, MapAxis, Mask, WcsGeom};
use crate::models::{Model, Models};
use crate::table::Table;
use crate::time::Gti;

/// Counts, background and reduced IRFs on one sky geometry (Gammapy's `MapDataset`).
///
/// Maps in reconstructed energy are `[energy, y, x]`, the exposure is `[energy_true, y, x]`.
#[derive(Debug, Clone, Default)]
pub struct MapDataset {
    /// Name; background models refer to it.
    pub name: String,
    /// Measured counts.
    pub counts: Option<Map>,
    /// Predicted background counts, before any background model.
    pub background: Option<Map>,
    /// Exposure (area times time).
    pub exposure: Option<Map>,
    /// Point spread function.
    pub psf: Option<PsfMap>,
    /// Energy dispersion.
    pub edisp: Option<EDisp>,
    /// Bins that are safe to use.
    pub mask_safe: Option<Mask>,
    /// Bins chosen for the fit.
    pub mask_fit: Option<Mask>,
    /// Good time intervals.
    pub gti: Option<Gti>,
    /// Time of observation without dead time, in seconds (Gammapy: in the meta data of the exposure).
    pub livetime_s: Option<f64>,
    /// One line per observation that went in; carried along, not used.
    pub meta_table: Option<Table>,
    /// Models of the null hypothesis.
    pub models: Models,
    /// Free-form header entries of the primary HDU that were there (`EVENT_TYPE`, …), by keyword.
    pub meta: BTreeMap<String, String>,
}

impl MapDataset {
    /// The counts' geometry, or that of the background where there are no counts.
    ///
    /// # Errors
    /// [`Error::Input`] without both.
    pub fn geom(&self) -> Result<&Arc<Geom>> {
        Ok(self.counts.as_ref().or(self.background.as_ref()).ok_or_else(|| self.missing("counts"))?.geom())
    }

    /// The same for a map with pixels.
    ///
    /// # Errors
    /// [`Error::Input`] without counts and background, or for a region.
    pub fn wcs_geom(&self) -> Result<&WcsGeom> {
        self.geom()?.as_wcs()
    }

    /// The reconstructed-energy axis.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none.
    pub fn energy_axis(&self) -> Result<&MapAxis> {
        self.geom()?.axis("energy")
    }

    /// The error for a part of the dataset that is needed but not there.
    pub fn missing(&self, part: &str) -> Error {
        Error::input(part, format!("dataset '{}' has none", self.name))
            .with_help(format!("a map dataset with {part} is needed"))
    }

    /// Counts, or the error that there are none.
    ///
    /// # Errors
    /// [`Error::Input`] without counts.
    pub fn require_counts(&self) -> Result<&Map> {
        self.counts.as_ref().ok_or_else(|| self.missing("counts"))
    }

    /// Exposure, or the error that there is none.
    ///
    /// # Errors
    /// [`Error::Input`] without exposure.
    pub fn require_exposure(&self) -> Result<&Map> {
        self.exposure.as_ref().ok_or_else(|| self.missing("exposure"))
    }

    /// mask_safe and mask_fit together; `None`: all bins count.
    ///
    /// # Errors
    /// [`Error::Input`] where their shapes differ.
    pub fn mask(&self) -> Result<Option<Mask>> {
        match (&self.mask_safe, &self.mask_fit) {
            (Some(a), Some(b)) => a.and(b).map(Some),
            (a, b) => Ok(a.as_ref().or(b.as_ref()).cloned()),
        }
    }

    /// Predicted background counts `[energy, y, x]`: the background cube, scaled by the dataset's background model
    /// evaluated at the centres of the energy bins and pixels. Zero without a background.
    ///
    /// # Errors
    /// [`Error::Input`] where the geometry has no energy axis, and those of [`crate::models::FoVBackgroundModel::scale`].
    pub fn npred_background(&self) -> Result<Map> {
        let geom = self.npred_geom()?;
        let Some(background) = &self.background else {
            return Ok(Map::zeros(geom, Default::default()));
        };
        let mut cube = background.to_cube_f64();
        if let Some(model) = self.models.background(&self.name) {
            model.scale(&mut cube, &geom)?;
        }
        Map::from_cube(geom, Default::default(), cube)
    }

    /// Predicted counts `[energy, y, x]` of the source models and templates of this dataset (of one of them, by name),
    /// without the background and not clipped.
    ///
    /// # Errors
    /// [`Error::Input`] for a missing exposure, a name that is not there, or responses that do not fit.
    pub fn npred_signal(&self, name: Option<&str>, backend: &Backend, control: &Control) -> Result<Map> {
        let geom = self.npred_geom()?;
        let energy = self.energy_axis()?;
        let models: Vec<&Model> =
            self.models.signal(&self.name).filter(|m| name.is_none_or(|wanted| m.name() == wanted)).collect();
        if let (Some(wanted), true) = (name, models.is_empty()) {
            let there = self.models.signal(&self.name).map(Model::name);
            return Err(Error::not_one_of("component", wanted, there));
        }
        let shape = self.geom()?.data_shape();
        let mut total = Array3::zeros((energy.nbin(), shape[shape.len() - 2], shape[shape.len() - 1]));
        let mut add = |origin: CutoutOrigin, npred: &Array3<f64>| {
            let (_, ny, nx) = npred.dim();
            let (y0, x0) = (origin.y0, origin.x0);
            let mut target = total.slice_mut(s![.., y0..y0 + ny, x0..x0 + nx]);
            target += npred;
        };
        for model in &models {
            if let Model::TemplateNPred(template) = model
                && let Some(part) = TemplateCounts::new(template, &geom)?
            {
                add(part.origin, &part.scaled(&part.factors(template.spectral.as_ref())));
            }
        }
        let sources: Vec<_> =
            models.into_iter().filter_map(|m| if let Model::Sky(m) = m { Some(m) } else { None }).collect();
        if sources.is_empty() {
            return Map::from_cube(geom, Default::default(), total);
        }
        let mask = self.mask()?.map(|m| m.any_plane());
        let evaluator = Evaluator { mask: mask.as_ref().map(|m| m.view()), ..self.evaluator(backend)? };
        evaluator.evaluate_many(&sources, control, |parts| add_parts(&mut total, parts))?;
        Map::from_cube(geom, Default::default(), total)
    }

    /// Predicts counts of this dataset again and again, and keeps what a changed parameter leaves (Gammapy's
    /// `evaluators`).
    ///
    /// # Errors
    /// [`Error::Input`] without counts and background, or for masks of different shapes.
    pub fn evaluators<'a>(&'a self, backend: &'a Backend) -> Result<Evaluators<'a>> {
        Evaluators::new(self, backend)
    }

    /// What predicts the counts of sources in this dataset.
    ///
    /// # Errors
    /// [`Error::Input`] without an exposure, or for one on other pixels than the counts.
    pub fn evaluator<'a>(&'a self, backend: &'a Backend) -> Result<Evaluator<'a>> {
        let exposure = self.require_exposure()?;
        let domain = match (exposure.geom().as_ref(), self.geom()?.as_ref()) {
            (Geom::Wcs(exposure), Geom::Wcs(counts)) if exposure.same_image(counts) => {
                Domain::Image(exposure.to_image())
            }
            (Geom::Region(_), Geom::Region(counts)) => Domain::Region(counts.region()),
            (Geom::Wcs(_), Geom::Wcs(_)) => {
                return Err(Error::input("exposure", "its pixels are not those of the counts"));
            }
            _ => return Err(Error::input("exposure", "one of exposure and counts is a region, the other a map")),
        };
        Ok(Evaluator {
            domain,
            exposure: Exposure::Cube(exposure.cube(), exposure.unit().factor_to_text("cm2 s")?),
            energy_true: exposure.geom().axis("energy_true")?,
            energy: self.energy_axis()?,
            psf: self.psf.as_ref(),
            kernel_pixels: KernelPixels::Reference,
            edisp: self.edisp.as_ref(),
            gti: self.gti.as_ref(),
            mask: None,
            backend,
        })
    }

    /// Predicted counts `[energy, y, x]` of sources and background, clipped at 0 (Gammapy's `npred`).
    ///
    /// # Errors
    /// Those of [`MapDataset::npred_signal`].
    pub fn npred(&self, backend: &Backend, control: &Control) -> Result<Map> {
        let background = self.npred_background()?;
        let geom = background.geom().clone();
        let mut cube = background.into_cube_f64();
        if self.models.has_signal(&self.name) {
            cube += &self.npred_signal(None, backend, control)?.into_cube_f64();
        }
        // NaN stays NaN: it marks bins that cannot be predicted.
        cube.par_mapv_inplace(|v| if v < 0.0 { 0.0 } else { v });
        Map::from_cube(geom, Default::default(), cube)
    }

    /// As [`MapDataset::npred`], but the stored background itself, in its own precision, where that is what is
    /// predicted: no source, no background model, nothing below 0.
    ///
    /// # Errors
    /// Those of [`MapDataset::npred_signal`].
    pub fn npred_lent(&self, backend: &Backend, control: &Control) -> Result<Cow<'_, Map>> {
        match &self.background {
            Some(background)
                if !self.models.has_signal(&self.name)
                    && self.models.background(&self.name).is_none()
                    && background.cube().all(|v| v.is_nan() || v >= 0.0) =>
            {
                Ok(Cow::Borrowed(background))
            }
            _ => self.npred(backend, control).map(Cow::Owned),
        }
    }

    pub(super) fn npred_geom(&self) -> Result<Arc<Geom>> {
        let geom = self.geom()?;
        Ok(Arc::new(geom.with_axes(vec![geom.axis("energy")?.clone()])))
    }
}

/// Adds predicted counts in their order; planes are shared among threads.
fn add_parts(total: &mut Array3<f64>, parts: &[Evaluation]) {
    total.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(e, mut plane)| {
        for part in parts {
            let (_, ny, nx) = part.npred.dim();
            let (y0, x0) = (part.origin.y0, part.origin.x0);
            let mut target = plane.slice_mut(s![y0..y0 + ny, x0..x0 + nx]);
            target += &part.npred.index_axis(Axis(0), e);
        }
    });
}
