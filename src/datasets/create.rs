//! Datasets of given geometries, filled with zeros.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::map::MapDataset;
use super::on_off::MapDatasetOnOff;
use crate::error::{Error, Result};
use crate::irf::{EDisp, EDispKernelMap, EDispMap, PsfMap, diagonal_response};
use crate::maps::{AxisInterp, Geom, Map, MapAxis, Mask, WcsGeom};
use crate::memory;
use crate::time::{Gti, TimeReference};

/// The geometries of a dataset (Gammapy's `geoms`).
#[derive(Debug, Clone, PartialEq)]
pub struct Geoms {
    /// Counts, background and masks: axis `energy`.
    pub geom: Arc<Geom>,
    /// Exposure: axis `energy_true`.
    pub exposure: Option<Arc<Geom>>,
    /// PSF: axes `rad` and `energy_true`, or `energy` for one in reconstructed energy.
    pub psf: Option<Arc<Geom>>,
    /// Energy dispersion: axes `energy` or `migra`, and `energy_true`.
    pub edisp: Option<Arc<Geom>>,
}

/// The responses of a dataset that is made by [`MapDataset::create`].
#[derive(Debug, Clone, PartialEq)]
pub struct IrfAxes {
    /// True energy; `None`: as the reconstructed one.
    pub energy_true: Option<MapAxis>,
    /// Migration; `None`: the energy dispersion is a map of matrices.
    pub migra: Option<MapAxis>,
    /// Offset from the source; `None`: 66 bins up to 0.66 deg for maps, no PSF for regions.
    pub rad: Option<MapAxis>,
    /// Pixel size of the maps of responses in degrees.
    pub binsz_deg: f64,
    /// The PSF is in reconstructed energy.
    pub reco_psf: bool,
}

impl Default for IrfAxes {
    fn default() -> Self {
        Self { energy_true: None, migra: None, rad: None, binsz_deg: 0.2, reco_psf: false }
    }
}

/// 2000-01-01T00:00:00, from which empty datasets count their times (as in Gammapy).
fn reference() -> TimeReference {
    TimeReference { mjdrefi: 51544, mjdreff: 0.0, timesys: "tt".to_string(), timeref: None }
}

fn named_axis(geom: &Geom, name: &str, part: &str) -> Result<()> {
    geom.axis(name).map(|_| ()).map_err(|_| {
        let names: Vec<&str> = geom.axes().iter().map(MapAxis::name).collect();
        Error::input(part, format!("axes [{}], where {name} is needed", names.join(", ")))
    })
}

/// The same geometry with one axis of a single bin.
pub(super) fn squashed(geom: &Geom, name: &str) -> Arc<Geom> {
    let axes = geom.axes().iter().map(|a| if a.name() == name { a.squash() } else { a.clone() }).collect();
    Arc::new(geom.with_axes(axes))
}

impl Geoms {
    /// Those that Gammapy's `MapDataset.create` and `SpectrumDataset.create` make around a geometry with an axis `energy`.
    ///
    /// # Errors
    /// [`Error::Input`] for axes of other names, [`Error::Options`] for a pixel size that is not positive.
    pub fn create(geom: impl Into<Geom>, irfs: &IrfAxes) -> Result<Self> {
        let geom: Geom = geom.into();
        let energy = geom.axis("energy")?;
        let truth = irfs.energy_true.clone().unwrap_or_else(|| energy.renamed("energy_true"));
        let expect = |axis: &MapAxis, name: &str| {
            if axis.name() == name {
                Ok(())
            } else {
                Err(Error::input(axis.name(), format!("an axis named {name} is needed")))
            }
        };
        expect(&truth, "energy_true")?;
        let rad = match &irfs.rad {
            Some(rad) => rad.clone(),
            None => {
                let edges = (0..=66).map(|i| f64::from(i) * 0.01).collect();
                MapAxis::from_edges("rad", "deg".parse()?, edges, AxisInterp::Lin)?
            }
        };
        expect(&rad, "rad")?;
        let binsz = irfs.binsz_deg;
        if !(binsz > 0.0 && binsz.is_finite()) {
            return Err(Error::options("binsz_irf", format!("{binsz} deg is not positive")));
        }
        // The place of the responses, and that of the exposure.
        let (coarse, image, has_psf) = match &geom {
            Geom::Wcs(geom) => {
                let image = geom.to_image();
                let projection = &image.wcs().header().projection;
                // A map that is narrower than one pixel of the responses still has one.
                let width = (image.width_deg().0.max(binsz), image.width_deg().1.max(binsz));
                let coarse =
                    WcsGeom::create_with_width(image.center()?, width, (binsz, binsz), projection, Vec::new())?;
                (Geom::Wcs(coarse), Geom::Wcs(image), true)
            }
            Geom::Region(region) => (Geom::Region(region.clone()), Geom::Region(region.clone()), irfs.rad.is_some()),
        };
        let cube = |geom: &Geom, axes: Vec<MapAxis>| Some(Arc::new(geom.with_axes(axes)));
        let of_edisp = match &irfs.migra {
            Some(migra) => {
                expect(migra, "migra")?;
                migra
            }
            None => energy,
        };
        let of_psf = if irfs.reco_psf { energy } else { &truth };
        Ok(Self {
            exposure: cube(&image, vec![truth.clone()]),
            psf: if has_psf { cube(&coarse, vec![rad, of_psf.clone()]) } else { None },
            edisp: cube(&coarse, vec![of_edisp.clone(), truth.clone()]),
            geom: Arc::new(geom),
        })
    }
}

/// Zero everywhere; a matrix is diagonal, as in Gammapy, which the first dataset that is stacked onto it replaces.
fn empty_edisp(geom: &Arc<Geom>) -> Result<EDisp> {
    named_axis(geom, "energy_true", "edisp")?;
    let planes = |per_plane: &[f64]| -> Result<Map> {
        let shape = geom.data_shape();
        let (ny, nx) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        if shape.len() != 4 || per_plane.len() != shape[0] * shape[1] {
            return Err(Error::input("edisp", "two axes are needed"));
        }
        memory::check::<f64>("an energy dispersion", &[per_plane.len(), ny, nx])?;
        let cube = ndarray::Array3::from_shape_fn((per_plane.len(), ny, nx), |(p, ..)| per_plane[p]);
        Map::from_cube(Arc::clone(geom), Default::default(), cube)
    };
    let truth = geom.axis("energy_true")?;
    if let Ok(migra) = geom.axis("migra") {
        let (one, widths) = (migra.coord_to_pix(1.0), migra.bin_width());
        let density: Vec<f64> =
            (0..migra.nbin()).map(|i| (1.0 - (i as f64 - one).abs()).max(0.0) / widths[i]).collect();
        let exposure = Some(Map::zeros(squashed(geom, "migra"), "m2 s".parse()?));
        return Ok(EDisp::Migra(EDispMap { edisp: planes(&density.repeat(truth.nbin()))?, exposure }));
    }
    named_axis(geom, "energy", "edisp")?;
    let matrix: Vec<f64> = diagonal_response(truth, geom.axis("energy")?)?.iter().copied().collect();
    let exposure = Some(Map::zeros(squashed(geom, "energy"), "m2 s".parse()?));
    Ok(EDisp::Kernel(EDispKernelMap { edisp: planes(&matrix)?, exposure }))
}

impl MapDataset {
    /// A dataset with the same parts as Gammapy's `MapDataset.create(geom, …)`: counts, background, exposure and the
    /// exposures of the responses are 0, mask_safe is false, there are no time intervals. Other datasets are stacked
    /// onto it.
    ///
    /// ```
    /// use pevatron::datasets::{IrfAxes, MapDataset};
    /// use pevatron::maps::{MapAxis, SkyPosition, WcsGeom};
    /// let axis = MapAxis::energy_bounds(1.0, 10.0, 4, "energy")?;
    /// let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 100, 100, (0.02, 0.02), "TAN", vec![axis])?;
    /// let empty = MapDataset::create("empty", &geom, &IrfAxes::default())?;
    /// assert_eq!(empty.data_shape()?, [4, 100, 100]);
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Geoms::create`].
    pub fn create(name: &str, geom: impl Into<Geom>, irfs: &IrfAxes) -> Result<Self> {
        Self::from_geoms(name, &Geoms::create(geom, irfs)?)
    }

    /// A dataset of zeros on these geometries, see [`MapDataset::create`]; parts without a geometry are left out.
    ///
    /// # Errors
    /// [`Error::Input`] for axes of other names.
    pub fn from_geoms(name: &str, geoms: &Geoms) -> Result<Self> {
        named_axis(&geoms.geom, "energy", "geom")?;
        let zeros = |geom: &Arc<Geom>, unit: &str| -> Result<Map> {
            memory::check::<f64>("a map of a new dataset", &geom.data_shape())?;
            Ok(Map::zeros(Arc::clone(geom), unit.parse()?))
        };
        let exposure = match &geoms.exposure {
            Some(geom) => {
                named_axis(geom, "energy_true", "exposure")?;
                Some(zeros(geom, "m2 s")?)
            }
            None => None,
        };
        let psf = match &geoms.psf {
            Some(geom) => {
                named_axis(geom, "rad", "psf")?;
                Some(PsfMap { psf: zeros(geom, "sr-1")?, exposure: Some(zeros(&squashed(geom, "rad"), "m2 s")?) })
            }
            None => None,
        };
        Ok(Self {
            name: name.to_string(),
            counts: Some(zeros(&geoms.geom, "")?),
            background: Some(zeros(&geoms.geom, "")?),
            exposure,
            psf,
            edisp: geoms.edisp.as_ref().map(empty_edisp).transpose()?,
            mask_safe: Some(Mask::filled(Arc::clone(&geoms.geom), false)),
            mask_fit: None,
            gti: Some(Gti { intervals: Vec::new(), reference: reference() }),
            livetime_s: None,
            meta_table: None,
            models: Default::default(),
            meta: BTreeMap::new(),
        })
    }

    /// The geometries of the parts that there are.
    ///
    /// # Errors
    /// [`Error::Input`] without counts, background and masks.
    pub fn geoms(&self) -> Result<Geoms> {
        let maps = [&self.counts, &self.background].into_iter().flatten().map(Map::geom);
        let masks = [&self.mask_safe, &self.mask_fit].into_iter().flatten().map(Mask::geom);
        let geom = maps.chain(masks).next().ok_or_else(|| self.missing("counts"))?;
        let edisp = self.edisp.as_ref().map(|e| match e {
            EDisp::Kernel(k) => &k.edisp,
            EDisp::Migra(m) => &m.edisp,
        });
        Ok(Geoms {
            geom: Arc::clone(geom),
            exposure: self.exposure.as_ref().map(|m| Arc::clone(m.geom())),
            psf: self.psf.as_ref().map(|p| Arc::clone(p.psf.geom())),
            edisp: edisp.map(|m| Arc::clone(m.geom())),
        })
    }

    /// Shape `[energy, y, x]` of counts or background.
    ///
    /// # Errors
    /// As [`MapDataset::geoms`].
    pub fn data_shape(&self) -> Result<Vec<usize>> {
        Ok(self.geoms()?.geom.data_shape())
    }

    /// Everything but the maps: name, models, time intervals, meta data. Maps of surveys are not copied on the way.
    pub(super) fn shell(&self) -> Self {
        Self {
            name: self.name.clone(),
            gti: self.gti.clone(),
            livetime_s: self.livetime_s,
            meta_table: self.meta_table.clone(),
            models: self.models.clone(),
            meta: self.meta.clone(),
            ..Self::default()
        }
    }

    /// A copy under another name, without models (which refer to datasets by their names), as in Gammapy.
    pub fn copy(&self, name: &str) -> Self {
        Self { name: name.to_string(), models: Default::default(), ..self.clone() }
    }
}

impl MapDatasetOnOff {
    /// As [`MapDataset::create`], with off counts and acceptances of 0 in place of a background.
    ///
    /// # Errors
    /// As [`MapDataset::create`].
    pub fn create(name: &str, geom: impl Into<Geom>, irfs: &IrfAxes) -> Result<Self> {
        Self::from_geoms(name, &Geoms::create(geom, irfs)?)
    }

    /// As [`MapDataset::from_geoms`], with off counts and acceptances of 0 in place of a background.
    ///
    /// # Errors
    /// As [`MapDataset::from_geoms`].
    pub fn from_geoms(name: &str, geoms: &Geoms) -> Result<Self> {
        let zeros = Map::zeros(Arc::clone(&geoms.geom), Default::default());
        let on = MapDataset::from_geoms(name, geoms)?;
        Ok(Self::from_map_dataset(on, zeros.clone(), zeros.clone(), zeros))
    }

    /// The geometries of the parts that there are.
    ///
    /// # Errors
    /// [`Error::Input`] without counts, off counts, acceptances and masks.
    pub fn geoms(&self) -> Result<Geoms> {
        let maps = [&self.on.counts, &self.counts_off, &self.acceptance, &self.acceptance_off];
        match maps.into_iter().flatten().next() {
            // The parts of the on region have the geometry of the first map that there is.
            Some(map) if self.on.counts.is_none() => {
                MapDataset { background: Some(map.clone()), ..self.on.clone() }.geoms()
            }
            _ => self.on.geoms(),
        }
    }

    /// Shape `[energy, y, x]` of the counts.
    ///
    /// # Errors
    /// As [`MapDatasetOnOff::geoms`].
    pub fn data_shape(&self) -> Result<Vec<usize>> {
        Ok(self.geoms()?.geom.data_shape())
    }

    /// A copy under another name, without models.
    pub fn copy(&self, name: &str) -> Self {
        Self { on: self.on.copy(name), ..self.clone() }
    }
}
