//! Spectra: datasets with one value per energy, of a region of the sky.

use std::sync::Arc;

use ndarray::Array3;

use super::any::Dataset;
use super::map::MapDataset;
use super::masks::mask_of;
use super::on_off::MapDatasetOnOff;
use crate::error::{Error, Result};
use crate::irf::{EDisp, EDispKernelMap, EDispMap, PsfMap, nearest_valid_position};
use crate::maps::{Geom, Map, Mask, RegionGeom, SkyPosition, SkyRegion, WcsGeom};

/// Counts, background, exposure and energy dispersion of a region (Gammapy's `SpectrumDataset`): a [`MapDataset`] whose
/// maps are `[energy, 1, 1]` on a [`RegionGeom`], without a PSF. All that map datasets do, these do.
///
/// A source's flux is taken to be seen whole: the exposure is that for the region's part of it
/// (`containment_correction` of [`MapDataset::to_spectrum_dataset`]). With a PSF, as
/// [`MapDataset::to_region_map_dataset`] leaves it, the part of each source in the region is computed.
///
/// ```
/// use pevatron::datasets::{IrfAxes, SpectrumDataset};
/// use pevatron::maps::{MapAxis, RegionGeom, SkyPosition, SkyRegion};
/// let energy = MapAxis::energy_bounds(1.0, 10.0, 4, "energy")?;
/// let region = SkyRegion::circle(SkyPosition::icrs(83.63, 22.01), 0.11)?;
/// let spectrum = SpectrumDataset::create("crab", RegionGeom::of(Some(region), vec![energy]), &IrfAxes::default())?;
/// assert_eq!(spectrum.data_shape()?, [4, 1, 1]);
/// assert!(spectrum.is_spectrum());
/// # Ok::<(), pevatron::Error>(())
/// ```
pub type SpectrumDataset = MapDataset;

/// On and off counts of regions with exposure and energy dispersion (Gammapy's `SpectrumDatasetOnOff`): a
/// [`MapDatasetOnOff`] of `[energy, 1, 1]`.
pub type SpectrumDatasetOnOff = MapDatasetOnOff;

/// Which pixels of a map's geometry belong to a region.
struct Selection {
    pixels: Vec<(usize, usize)>,
}

impl Selection {
    /// # Errors
    /// Where no pixel's centre lies inside, or the region reaches over the border.
    fn new(geom: &WcsGeom, region: &SkyRegion) -> Result<Self> {
        let outside = || {
            Error::options("region", "it is not fully inside of the map")
                .with_help("take a smaller region, or another map")
        };
        let points = match region {
            SkyRegion::Point { center } => Some(vec![*center]),
            SkyRegion::Union(parts) if region.is_point() => Some(parts.iter().map(SkyRegion::center).collect()),
            _ => None,
        };
        let pixels: Vec<(usize, usize)> = match points {
            Some(points) => points.iter().map(|p| geom.pixel_of(*p).ok_or_else(outside)).collect::<Result<_>>()?,
            None => {
                let padded = geom.to_image().pad(1, 1).region_mask(region);
                let (ny, nx) = padded.dim();
                let edge = |y: usize, x: usize| y == 0 || x == 0 || y == ny - 1 || x == nx - 1;
                let inside: Vec<_> = padded.indexed_iter().filter(|(_, v)| **v).map(|(at, _)| at).collect();
                if inside.iter().any(|(y, x)| edge(*y, *x)) {
                    return Err(outside());
                }
                inside.into_iter().map(|(y, x)| (y - 1, x - 1)).collect()
            }
        };
        if pixels.is_empty() {
            let problem = "the centre of no pixel lies in it, or it is not on the map";
            return Err(Error::options("region", problem));
        }
        Ok(Self { pixels })
    }

    /// Per plane the values of pixels, with those out that a mask (of the map's planes) leaves out.
    fn values(&self, map: &Map, mask: Option<&Mask>) -> Vec<Vec<f64>> {
        let cube = map.cube();
        let mask = mask.map(Mask::cube);
        let inside = |plane: usize, (y, x): (usize, usize)| mask.as_ref().is_none_or(|m| m[[plane, y, x]]);
        let plane = |p: usize| -> Vec<f64> {
            let pixels = self.pixels.iter().filter(|at| inside(p, **at));
            pixels.map(|(y, x)| cube.at(p, *y, *x)).filter(|v| v.is_finite()).collect()
        };
        (0..map.planes()).map(plane).collect()
    }

    /// `[plane, 1, 1]` on the region.
    fn reduced(&self, map: &Map, region: &SkyRegion, mask: Option<&Mask>, f: fn(&[f64]) -> f64) -> Result<Map> {
        let values: Vec<f64> = self.values(map, mask).iter().map(|v| f(v)).collect();
        on_region(map, region, &values)
    }

    /// Per plane whether the mask is true in any pixel.
    fn any(&self, mask: &Mask, region: &SkyRegion) -> Result<Mask> {
        let cube = mask.cube();
        let any = |p: usize| self.pixels.iter().any(|(y, x)| cube[[p, *y, *x]]);
        let values = Array3::from_shape_fn((cube.dim().0, 1, 1), |(p, ..)| any(p));
        mask_of(region_geom(mask.geom(), region), values)
    }

    /// # Errors
    /// Where a mask takes a part of the region away at some energy.
    fn require_uniform(&self, mask: &Mask) -> Result<()> {
        let cube = mask.cube();
        for plane in 0..cube.dim().0 {
            let inside = self.pixels.iter().filter(|(y, x)| cube[[plane, *y, *x]]).count();
            if inside != 0 && inside != self.pixels.len() {
                let problem = format!(
                    "energy bin {plane}: {inside} of {} pixels of the region are inside the masks",
                    self.pixels.len()
                );
                return Err(Error::input("mask", problem).with_help(
                    "within a region a mask must be the same everywhere: take a smaller region or another mask",
                ));
            }
        }
        Ok(())
    }
}

fn sum(values: &[f64]) -> f64 {
    values.iter().sum()
}

/// 0 where there is nothing.
fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { sum(values) / values.len() as f64 }
}

fn region_geom(geom: &Geom, region: &SkyRegion) -> Arc<Geom> {
    Arc::new(Geom::Region(RegionGeom::of(Some(region.clone()), geom.axes().to_vec())))
}

fn on_region(map: &Map, region: &SkyRegion, values: &[f64]) -> Result<Map> {
    let cube = Array3::from_shape_fn((values.len(), 1, 1), |(p, ..)| values[p]);
    Map::from_cube(region_geom(map.geom(), region), map.unit().clone(), cube)
}

/// A response at the pixel that is nearest to a position of those where it is valid.
fn response_at(map: &Map, valid: &Map, center: SkyPosition) -> Result<Map> {
    if map.wcs_geom().is_err() {
        return Ok(map.clone());
    }
    let values = map.nearest_planes_at(nearest_valid_position(valid, center)?)?;
    on_region(map, &SkyRegion::Point { center }, &values)
}

impl MapDataset {
    /// True for a spectrum: a region, and no PSF.
    pub fn is_spectrum(&self) -> bool {
        self.psf.is_none() && self.geom().is_ok_and(|g| matches!(g.as_ref(), Geom::Region(_)))
    }

    /// The dataset within a region: counts and background (with its background model) summed inside mask_safe, the mean
    /// exposure, PSF and energy dispersion at the region's centre, masks true where they are for any pixel. Pixels
    /// belong to the region if their centres do. Models are not kept (Gammapy's `to_region_map_dataset`).
    ///
    /// # Errors
    /// [`Error::Options`] for a region that is not fully inside of the map or holds no pixel, [`Error::Input`] where a
    /// mask is not the same all over the region at some energy, or for datasets of a region.
    pub fn to_region_map_dataset(&self, region: &SkyRegion) -> Result<Self> {
        let region = region.clone().checked()?;
        let chosen = Selection::new(self.wcs_geom()?, &region)?;
        if let Some(mask) = self.mask()? {
            chosen.require_uniform(&mask)?;
        }
        let safe = self.mask_safe.as_ref();
        let summed = |map: &Map| chosen.reduced(map, &region, safe, sum);
        let any = |mask: &Option<Mask>| mask.as_ref().map(|m| chosen.any(m, &region)).transpose();
        let exposure = match &self.exposure {
            Some(map) => {
                let pixels = Selection::new(map.wcs_geom()?, &region)?;
                Some(pixels.reduced(map, &region, None, mean)?)
            }
            None => None,
        };
        let center = region.center();
        let at = |map: &Map, valid: &Map| response_at(map, valid, center);
        let both = |map: &Map, exposure: &Option<Map>| -> Result<(Map, Option<Map>)> {
            Ok((at(map, map)?, exposure.as_ref().map(|e| at(e, map)).transpose()?))
        };
        let psf = match &self.psf {
            Some(p) => {
                let (psf, exposure) = both(&p.psf, &p.exposure)?;
                Some(PsfMap { psf, exposure })
            }
            None => None,
        };
        let edisp = match &self.edisp {
            Some(EDisp::Kernel(k)) => {
                let (edisp, exposure) = both(&k.edisp, &k.exposure)?;
                Some(EDisp::Kernel(EDispKernelMap { edisp, exposure }))
            }
            Some(EDisp::Migra(m)) => {
                let (edisp, exposure) = both(&m.edisp, &m.exposure)?;
                Some(EDisp::Migra(EDispMap { edisp, exposure }))
            }
            None => None,
        };
        let background = match &self.background {
            Some(_) => Some(summed(&self.npred_background()?)?),
            None => None,
        };
        Ok(Self {
            counts: self.counts.as_ref().map(summed).transpose()?,
            background,
            exposure,
            psf,
            edisp,
            mask_safe: any(&self.mask_safe)?,
            mask_fit: any(&self.mask_fit)?,
            models: Default::default(),
            ..self.shell()
        })
    }

    /// The spectrum of a region, see [`MapDataset::to_region_map_dataset`], without the PSF. With
    /// `containment_correction` the exposure is multiplied with the part of the PSF that lies in the region, a circle,
    /// for a point source at its centre (Gammapy's `to_spectrum_dataset`).
    ///
    /// # Errors
    /// Those of [`MapDataset::to_region_map_dataset`]; [`Error::Options`] where the containment of a region that is no
    /// circle is asked for, or there is no PSF.
    pub fn to_spectrum_dataset(&self, on_region: &SkyRegion, containment_correction: bool) -> Result<SpectrumDataset> {
        let mut dataset = self.to_region_map_dataset(on_region)?;
        if containment_correction {
            let wrong = |problem: &str| Error::options("containment_correction", problem);
            let radius = on_region.radius_deg().ok_or_else(|| wrong("it is only known of circles"))?;
            let psf = self.psf.as_ref().ok_or_else(|| wrong("there is no PSF"))?;
            if psf.is_in_reco_energy() {
                return Err(wrong("the PSF is in reconstructed energy"));
            }
            let profile = psf.profile_at(Some(on_region.center()))?;
            if let Some(exposure) = &dataset.exposure {
                let energies = exposure.geom().axis("energy_true")?.center_tev()?;
                let mut cube = exposure.to_cube_f64();
                for (mut plane, energy) in cube.outer_iter_mut().zip(energies) {
                    plane *= profile.containment(radius, energy);
                }
                dataset.exposure = Some(Map::from_cube(Arc::clone(exposure.geom()), exposure.unit().clone(), cube)?);
            }
        }
        dataset.psf = None;
        Ok(dataset)
    }
}

impl MapDatasetOnOff {
    /// True for a spectrum: a region, and no PSF.
    pub fn is_spectrum(&self) -> bool {
        self.on.psf.is_none() && self.geom().is_ok_and(|g| matches!(g.as_ref(), Geom::Region(_)))
    }

    /// As [`MapDataset::to_spectrum_dataset`]; off counts are summed, the acceptance is averaged, both inside mask_safe,
    /// and the acceptance of the off region is such that backgrounds are summed (without off counts: that alpha is
    /// averaged. Gammapy: 0).
    ///
    /// # Errors
    /// As [`MapDataset::to_spectrum_dataset`]; those of [`MapDatasetOnOff::background`].
    pub fn to_spectrum_dataset(
        &self,
        on_region: &SkyRegion,
        containment_correction: bool,
    ) -> Result<SpectrumDatasetOnOff> {
        let on = self.on.to_spectrum_dataset(on_region, containment_correction)?;
        let chosen = Selection::new(self.wcs_geom()?, on_region)?;
        let safe = self.on.mask_safe.as_ref();
        let off = match &self.counts_off {
            Some(map) => Some(chosen.reduced(map, on_region, safe, sum)?),
            None => None,
        };
        let acceptance = match &self.acceptance {
            Some(map) => Some(chosen.reduced(map, on_region, safe, mean)?),
            None => None,
        };
        let acceptance_off = match (&off, &acceptance) {
            (Some(off), Some(acceptance)) if self.acceptance_off.is_some() => {
                let background: Vec<f64> = chosen.values(&self.background()?, safe).iter().map(|v| sum(v)).collect();
                let alpha: Vec<f64> = chosen.values(&self.alpha()?, safe).iter().map(|v| mean(v)).collect();
                let (off, on) = (off.cube(), acceptance.cube());
                let value = |p: usize| {
                    let (a, n) = (on.at(p, 0, 0), off.at(p, 0, 0));
                    let value = if n > 0.0 { a * n / background[p] } else { a / alpha[p] };
                    if value.is_finite() { value } else { 0.0 }
                };
                let values: Vec<f64> = (0..acceptance.planes()).map(value).collect();
                Some(on_region_like(acceptance, &values)?)
            }
            _ => None,
        };
        Ok(Self { on, counts_off: off, acceptance, acceptance_off })
    }
}

fn on_region_like(map: &Map, values: &[f64]) -> Result<Map> {
    let cube = Array3::from_shape_fn((values.len(), 1, 1), |(p, ..)| values[p]);
    Map::from_cube(Arc::clone(map.geom()), map.unit().clone(), cube)
}

impl Dataset {
    /// As [`MapDataset::to_spectrum_dataset`].
    ///
    /// # Errors
    /// As there.
    pub fn to_spectrum_dataset(&self, on_region: &SkyRegion, containment_correction: bool) -> Result<Self> {
        match self {
            Self::Map(d) => d.to_spectrum_dataset(on_region, containment_correction).map(Self::Map),
            Self::OnOff(d) => d.to_spectrum_dataset(on_region, containment_correction).map(Self::OnOff),
            Self::FluxPoints(points) => Err(points.no_counts()),
        }
    }
}
