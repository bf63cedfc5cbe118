//! Datasets added up.
//!
//! | part | what becomes of it |
//! |---|---|
//! | counts, background | sums inside of each mask_safe, where both are defined |
//! | exposure | sum of the pixels that are safe at any energy |
//! | mask_safe | true where either is |
//! | mask_fit | dropped |
//! | psf | mean, weighted by exposure |
//! | edisp | mean, weighted by exposure, of what mask_safe leaves at each reconstructed energy |
//! | gti | union, in the time scale of the first ones |
//! | livetime | sum |
//!
//! So predicted counts stay the same, also where the energy thresholds of the observations differ, as far as exposures and
//! mask_safe are the same all over each pixel of the energy dispersion map. These pixels are mostly larger than those of
//! the counts, and one exposure weights each of them: where it varies within, real runs with different thresholds predict
//! 1.5 to 6.7 % more or less in the bin of the threshold, here as in Gammapy. (For migration densities, which know no
//! reconstructed energies, predicted counts stay the same only where thresholds do not differ.)

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array3, s};

use super::any::DatasetRef;
use super::map::MapDataset;
use super::masks::mask_of;
use super::on_off::MapDatasetOnOff;
use crate::error::{Error, Result};
use crate::irf::{EDisp, EDispKernelMap, EDispMap, PsfMap};
use crate::maps::{Geom, Map, MapAxis, Mask};
use crate::models::Model;
use crate::units::Unit;

/// Relative difference of axis edges below which they are the same.
const SAME_EDGE: f64 = 1e-6;

/// Where two maps of one grid overlap.
#[derive(Debug, Clone, PartialEq)]
struct Overlap {
    own: (Range<usize>, Range<usize>),
    other: (Range<usize>, Range<usize>),
}

fn same_axis(a: &MapAxis, b: &MapAxis) -> bool {
    let Ok(factor) = b.unit().factor_to(a.unit()) else { return false };
    let (x, y) = (a.edges(), b.edges());
    let close = |(p, q): (&f64, &f64)| (p - q * factor).abs() <= SAME_EDGE * p.abs().max((q * factor).abs());
    a.name() == b.name() && x.len() == y.len() && x.iter().zip(&y).all(close)
}

fn same_axes(what: &str, own: &Geom, other: &Geom) -> Result<()> {
    let names = |g: &Geom| -> Vec<String> { g.axes().iter().map(|a| a.name().to_string()).collect() };
    if names(own) != names(other) {
        return Err(Error::input(what, format!("axes {:?} cannot be added to axes {:?}", names(other), names(own))));
    }
    for (a, b) in own.axes().iter().zip(other.axes()) {
        if !same_axis(a, b) {
            let problem = format!(
                "its axis '{}' ({} bins) is not that of the dataset it is added to ({} bins), or has other edges",
                b.name(),
                b.nbin(),
                a.nbin()
            );
            return Err(Error::input(what, problem).with_help_for(
                "resample_energy_axis makes axes equal",
                "fit such datasets together with `pevatron fit`, or make them anew with the same energies",
            ));
        }
    }
    Ok(())
}

fn overlap(what: &str, own: &Geom, other: &Geom) -> Result<Overlap> {
    same_axes(what, own, other)?;
    let (own, other) = match (own, other) {
        (Geom::Wcs(own), Geom::Wcs(other)) => (own, other),
        (Geom::Region(a), Geom::Region(b)) if a.same_region(b) => {
            return Ok(Overlap { own: (0..1, 0..1), other: (0..1, 0..1) });
        }
        _ => return Err(Error::input(what, "it is a region where the other is a map, or another region")),
    };
    let (dy, dx) = other.offset_in(own).ok_or_else(|| {
        Error::input(what, "its pixels are not those of the dataset it is added to, nor of a cutout of it")
            .with_help("only equal geometries and cutouts of one geometry can be stacked")
    })?;
    let range = |offset: isize, own: usize, other: usize| -> (Range<usize>, Range<usize>) {
        let first = offset.clamp(0, own as isize);
        let last = (offset + other as isize).clamp(first, own as isize);
        let back = |v: isize| (v - offset).clamp(0, other as isize) as usize;
        (first as usize..last as usize, back(first)..back(last))
    };
    let (own_y, other_y) = range(dy, own.ny(), other.ny());
    let (own_x, other_x) = range(dx, own.nx(), other.nx());
    if own_y.is_empty() || own_x.is_empty() {
        return Err(Error::input(what, "it lies beside the dataset it is added to: they have no pixel in common"));
    }
    Ok(Overlap { own: (own_y, own_x), other: (other_y, other_x) })
}

/// How a map is added to another: where they overlap, and the factor between their units.
struct Addition {
    at: Overlap,
    factor: f64,
}

/// Whether a map can be added with weights (of its shape, or one image for all planes).
fn addition(what: &str, own: &Map, other: &Map, weights: Option<&Mask>) -> Result<Addition> {
    let at = overlap(what, own.geom(), other.geom())?;
    let factor = other
        .unit()
        .factor_to(own.unit())
        .map_err(|_| Error::input(what, format!("the unit '{}' cannot be added to '{}'", other.unit(), own.unit())))?;
    if let Some(mask) = weights {
        let (found, wanted) = (mask.cube().dim(), other.cube().dim());
        if (found.1, found.2) != (wanted.1, wanted.2) || (found.0 != 1 && found.0 != wanted.0) {
            return Err(Error::input("mask_safe", format!("shape {found:?} where {what} has {wanted:?}")));
        }
    }
    Ok(Addition { at, factor })
}

/// The sum, where the weights are true, in double precision; what is not finite counts as 0. A map in double precision
/// is not copied.
fn add(what: &str, own: Map, other: &Map, weights: Option<&Mask>) -> Result<Map> {
    let Addition { at, factor } = addition(what, &own, other, weights)?;
    let (geom, unit, planes) = (Arc::clone(own.geom()), own.unit().clone(), own.planes());
    let mut cube = own.into_cube_f64();
    let (view, mask) = (other.cube(), weights.map(Mask::cube));
    let (oy, ox) = (at.other.0.start, at.other.1.start);
    for plane in 0..planes {
        let mut part = cube.slice_mut(s![plane, at.own.0.clone(), at.own.1.clone()]);
        let mask_plane = |m: &ndarray::ArrayView3<'_, bool>| if m.dim().0 == 1 { 0 } else { plane };
        for ((y, x), v) in part.indexed_iter_mut() {
            let (y, x) = (y + oy, x + ox);
            let value = view.at(plane, y, x) * factor;
            if value.is_finite() && mask.as_ref().is_none_or(|m| m[[mask_plane(m), y, x]]) {
                *v += value;
            }
        }
    }
    Map::from_cube(geom, unit, cube)
}

/// A response and its exposure.
struct Response<'a> {
    map: &'a Map,
    exposure: Option<&'a Map>,
}

/// The exposure at a response's pixels, `[energy_true, 1, y, x]`: its own, or, where it has none, the dataset's: in its
/// pixels, for a region without a centre the mean of the safe ones.
fn response_exposure(what: &str, dataset: &MapDataset, response: &Response<'_>, second: &str) -> Result<Map> {
    if let Some(exposure) = response.exposure {
        return Ok(exposure.clone());
    }
    let geom = response.map.geom();
    let none = || {
        Error::input(
            what,
            "it has no exposure map, by which responses are averaged, nor can that of the dataset be taken",
        )
        .with_help("write datasets with the exposure maps of their PSF and energy dispersion, as Gammapy does")
    };
    let exposure = dataset.exposure.as_ref().ok_or_else(none)?;
    let truth = exposure.geom().axis("energy_true")?;
    if !same_axis(truth, geom.axis("energy_true")?) {
        return Err(none());
    }
    let cube = match geom.as_ref() {
        Geom::Wcs(target) => exposure.interp_planes_to(&target.to_image()),
        Geom::Region(region) => {
            let values = match region.center() {
                Some(center) => exposure.interp_planes_at(center)?,
                None => {
                    let safe = dataset.mask_safe.as_ref().map(Mask::any_plane);
                    let mean = |plane: usize| {
                        let image = exposure.plane_f64(plane);
                        let inside = |at| safe.as_ref().is_none_or(|s| s.get(at).copied().unwrap_or(false));
                        let values = image.indexed_iter().filter(|(at, v)| v.is_finite() && inside(*at));
                        let (sum, n) = values.fold((0.0, 0usize), |(sum, n), (_, v)| (sum + v, n + 1));
                        if n == 0 { 0.0 } else { sum / n as f64 }
                    };
                    (0..exposure.planes()).map(mean).collect()
                }
            };
            Array3::from_shape_fn((values.len(), 1, 1), |(p, ..)| values[p])
        }
    };
    // Extrapolated exposures may fall below 0.
    let cube = cube.mapv(|v| if v.is_finite() { v.max(0.0) } else { 0.0 });
    Map::from_cube(super::create::squashed(geom, second), exposure.unit().clone(), cube)
}

/// The mean of two responses, weighted by exposure, and the sum of the exposures. `mask`: of the other one's pixels, one
/// plane or one per bin of the second axis (the first one in memory).
fn average(
    what: &str,
    (own, own_exposure): (&Map, &Map),
    (other, other_exposure): (&Map, &Map),
    mask: Option<&Mask>,
) -> Result<(Map, Map)> {
    let at = overlap(what, own.geom(), other.geom())?;
    let unit = |a: &Map, b: &Map| {
        let problem = || Error::input(what, format!("the unit '{}' cannot be added to '{}'", b.unit(), a.unit()));
        b.unit().factor_to(a.unit()).map_err(|_| problem())
    };
    let (factor, exposure_factor) = (unit(own, other)?, unit(own_exposure, other_exposure)?);
    let second = own.geom().axes().first().map_or(1, MapAxis::nbin);
    let truth = own.planes() / second;
    let image = |m: &Map| (m.planes(), m.cube().dim().1, m.cube().dim().2);
    let fits = |map: &Map, exposure: &Map| {
        let (_, ny, nx) = image(map);
        image(exposure) == (truth, ny, nx)
    };
    if !(fits(own, own_exposure) && fits(other, other_exposure)) {
        return Err(Error::input(what, "its exposure map has another shape"));
    }
    let mask = mask.map(Mask::cube);
    if let Some(m) = &mask {
        let (_, ny, nx) = image(other);
        if (m.dim().1, m.dim().2) != (ny, nx) || (m.dim().0 != 1 && m.dim().0 != second) {
            return Err(Error::input(what, format!("a mask of shape {:?} does not fit", m.dim())));
        }
    }
    let (mut cube, mut weight) = (own.to_cube_f64(), own_exposure.to_cube_f64());
    let (view, other_weight) = (other.cube(), other_exposure.cube());
    let finite = |v: f64| if v.is_finite() { v } else { 0.0 };
    for (own_y, y) in at.own.0.clone().zip(at.other.0.clone()) {
        for (own_x, x) in at.own.1.clone().zip(at.other.1.clone()) {
            let safe = |bin: usize| mask.as_ref().is_none_or(|m| m[[if m.dim().0 == 1 { 0 } else { bin }, y, x]]);
            let any = (0..second).any(safe);
            for t in 0..truth {
                let before = finite(weight[[t, own_y, own_x]]);
                let new = finite(other_weight.at(t, y, x) * exposure_factor);
                let total = before + if any { new } else { 0.0 };
                for bin in 0..second {
                    let plane = t * second + bin;
                    let value = finite(cube[[plane, own_y, own_x]]) * before;
                    let more = if safe(bin) { finite(view.at(plane, y, x) * factor) * new } else { 0.0 };
                    cube[[plane, own_y, own_x]] = if total > 0.0 { (value + more) / total } else { 0.0 };
                }
                weight[[t, own_y, own_x]] = total;
            }
        }
    }
    let mean = Map::from_cube(Arc::clone(own.geom()), own.unit().clone(), cube)?;
    let sum = Map::from_cube(Arc::clone(own_exposure.geom()), own_exposure.unit().clone(), weight)?;
    Ok((mean, sum))
}

/// mask_safe of the other one added to the own one; none of the other one means all.
fn either(mask: Mask, at: &Overlap, other: Option<&Mask>) -> Result<Mask> {
    let (geom, planes) = (Arc::clone(mask.geom()), mask.cube().dim());
    let data = mask.into_data();
    let mut cube = data.into_shape_with_order(planes).map_err(|e| Error::input("mask_safe", e.to_string()))?;
    let view = other.map(Mask::cube);
    let (oy, ox) = (at.other.0.start, at.other.1.start);
    let mut part = cube.slice_mut(s![.., at.own.0.clone(), at.own.1.clone()]);
    for ((plane, y, x), v) in part.indexed_iter_mut() {
        *v |= view.as_ref().is_none_or(|m| m[[plane, y + oy, x + ox]]);
    }
    mask_of(geom, cube)
}

/// The error that one of two datasets lacks a part, without which a sum would be wrong.
fn lacking(part: &str, dataset: &MapDataset) -> Error {
    Error::input(part, format!("dataset '{}' has none, so it cannot be added to one with {part}", dataset.name))
}

/// mask_safe without the bins whose counts or background are undefined (NaN); `None` where there are none inside of it.
fn defined_bins(dataset: &MapDataset, background: Option<&Map>) -> Result<Option<Mask>> {
    let geom = dataset.geoms()?.geom;
    let shape = geom.data_shape();
    let maps: Vec<&Map> = [dataset.counts.as_ref(), background]
        .into_iter()
        .flatten()
        .filter(|map| map.data().shape() == shape && !map.cube().all(|v| !v.is_nan()))
        .collect();
    let Some(first) = maps.first() else { return Ok(None) };
    let safe = dataset.mask_safe.as_ref().filter(|m| m.data().shape() == shape).map(Mask::cube);
    let is_safe = |(p, y, x): (usize, usize, usize)| safe.is_none_or(|m| m[[p, y, x]]);
    let is_known = |(p, y, x): (usize, usize, usize)| maps.iter().all(|map| !map.cube().at(p, y, x).is_nan());
    let dim = first.cube().dim();
    if ndarray::indices(dim).into_iter().all(|at| !is_safe(at) || is_known(at)) {
        return Ok(None);
    }
    mask_of(geom, Array3::from_shape_fn(dim, |at| is_safe(at) && is_known(at))).map(Some)
}

impl MapDataset {
    /// Adds another dataset to this one, in place: what it holds inside of its mask_safe (counts outside are lost). The
    /// other geometry is this one's, or that of a cutout of it. This dataset's own mask_safe is not applied
    /// to its data: begin with [`MapDataset::create`] or [`MapDataset::to_masked`]. Of an on-off dataset alpha times the
    /// off counts are its background. Background models are applied to both backgrounds and the own one is removed.
    /// Sums are in double precision.
    ///
    /// | Gammapy 2.1 | here |
    /// |---|---|
    /// | keeps or adds mask_fit (its documentation drops it) | drops it |
    /// | keeps the background model, which is applied again | removes it |
    /// | of an on-off dataset adds the most likely background | alpha times the off counts, as documented |
    /// | parts that one of them lacks are left as they are | an error |
    /// | responses without an exposure map: an error | the exposure of the dataset is taken |
    /// | undefined counts and backgrounds (NaN) inside of mask_safe count as 0 | their bins are left out, also of mask_safe |
    ///
    /// # Errors
    /// [`Error::Input`] that names the part: geometries or axes that do not fit, units of another kind, parts that are
    /// missing. Then nothing has changed.
    pub fn stack<'a>(&mut self, other: impl Into<DatasetRef<'a>>) -> Result<()> {
        let other = other.into();
        overlap("geometry", &self.geoms()?.geom, &other.common()?.geoms()?.geom)?;
        let (background, plain) = match other {
            DatasetRef::Map(d) => (d.background.as_ref().map(|_| d.npred_background()).transpose()?, &d.background),
            DatasetRef::OnOff(d) => (Some(d.background()?), &None),
            DatasetRef::FluxPoints(points) => return Err(points.no_counts()),
        };
        let known;
        let other = match (other, defined_bins(other.common()?, plain.as_ref())?) {
            // Counts over an unknown background would be an excess.
            (DatasetRef::Map(dataset), Some(mask)) => {
                known = Self { mask_safe: Some(mask), ..dataset.clone() };
                &known
            }
            _ => other.common()?,
        };
        let mask = other.mask_safe.as_ref();
        match (&self.background, &background) {
            (Some(_), None) => return Err(lacking("background", other)),
            // The predicted background has the geometry of the counts, whatever that of the background is.
            (Some(own), Some(more)) => {
                addition("background", own, plain.as_ref().unwrap_or(more), mask)?;
            }
            _ => {}
        }
        let modelled = match (&self.background, self.models.background(&self.name)) {
            (Some(_), Some(_)) => Some(self.npred_background()?),
            _ => None,
        };
        self.stack_common(other)?;
        if let Some(map) = modelled {
            let name = self.name.clone();
            self.models.components.retain(|m| !(matches!(m, Model::FoVBackground(_)) && m.applies_to(&name)));
            self.background = Some(map);
        }
        if let (Some(own), Some(more)) = (self.background.take(), &background) {
            self.background = Some(add("background", own, more, mask)?);
        }
        Ok(())
    }

    /// All that both kinds of datasets have but the background. All is checked before anything changes, so that an error
    /// leaves the dataset as it is; large maps are not copied.
    fn stack_common(&mut self, other: &Self) -> Result<()> {
        let mask = other.mask_safe.as_ref();
        let image = other.mask_safe_image()?;
        let (own_geom, other_geom) = (self.geoms()?.geom, other.geoms()?.geom);
        let at = overlap("geometry", &own_geom, &other_geom)?;
        for (dataset, geom) in [(&*self, &own_geom), (other, &other_geom)] {
            let shape = geom.data_shape();
            if let Some(mask) = dataset.mask_safe.as_ref().filter(|m| m.data().shape() != shape) {
                let problem = format!("shape {:?} where the counts have {shape:?}", mask.data().shape());
                return Err(Error::input("mask_safe", problem));
            }
        }
        for (part, own, has) in [
            ("counts", self.counts.is_some(), other.counts.is_some()),
            ("exposure", self.exposure.is_some(), other.exposure.is_some()),
            ("psf", self.psf.is_some(), other.psf.is_some()),
            ("edisp", self.edisp.is_some(), other.edisp.is_some()),
        ] {
            if own && !has {
                return Err(lacking(part, other));
            }
        }
        for (part, own, more, weights) in [
            ("counts", &self.counts, &other.counts, mask),
            ("exposure", &self.exposure, &other.exposure, image.as_ref()),
        ] {
            if let (Some(own), Some(more)) = (own, more) {
                addition(part, own, more, weights)?;
            }
        }
        let gti = match (&self.gti, &other.gti) {
            // The reference of times is that of the first ones; time scales are converted.
            (Some(own), Some(gti)) if own.intervals.is_empty() => Some(gti.merged()),
            (Some(own), Some(gti)) => {
                let place = crate::error::Place::default().hdu(&other.name);
                Some(own.union(gti).map_err(|e| e.at(&place))?)
            }
            (own, gti) => own.clone().or_else(|| gti.clone()),
        };
        // Responses without exposure maps take the exposures as they are before they are summed.
        let (psf, edisp) = (self.stacked_psf(other)?, self.stacked_edisp(other)?);
        (self.psf, self.edisp) = (psf, edisp);
        if let (Some(own), Some(more)) = (self.counts.take(), &other.counts) {
            self.counts = Some(add("counts", own, more, mask)?);
        }
        if let (Some(own), Some(more)) = (self.exposure.take(), &other.exposure) {
            self.exposure = Some(add("exposure", own, more, image.as_ref())?);
        }
        self.mask_safe = self.mask_safe.take().map(|own| either(own, &at, mask)).transpose()?;
        self.mask_fit = None;
        self.gti = gti;
        if image.as_ref().is_none_or(|m| m.count() > 0)
            && let Some(more) = other.livetime_s
        {
            self.livetime_s = Some(self.livetime_s.unwrap_or(0.0) + more);
        }
        self.meta_table = match (self.meta_table.take(), &other.meta_table) {
            (Some(own), Some(more)) => own.appended(more).or(Some(own)),
            (own, more) => own.or_else(|| more.clone()),
        };
        // What is said of both stays true.
        if self.meta.is_empty() {
            self.meta.clone_from(&other.meta);
        } else {
            self.meta.retain(|key, value| other.meta.get(key).is_none_or(|v| v == value));
        }
        Ok(())
    }

    fn stacked_psf(&self, other: &Self) -> Result<Option<PsfMap>> {
        let (Some(own), Some(psf)) = (&self.psf, &other.psf) else { return Ok(None) };
        if own.is_in_reco_energy() || psf.is_in_reco_energy() {
            return Err(Error::unsupported("PSFs in reconstructed energy cannot be averaged")
                .with_help("fit such datasets together instead"));
        }
        let mask = other.mask_safe_psf()?;
        let exposure = |dataset: &Self, psf: &PsfMap| {
            response_exposure("psf", dataset, &Response { map: &psf.psf, exposure: psf.exposure.as_ref() }, "rad")
        };
        let (own_exposure, more) = (exposure(self, own)?, exposure(other, psf)?);
        let (psf, exposure) = average("psf", (&own.psf, &own_exposure), (&psf.psf, &more), mask.as_ref())?;
        Ok(Some(PsfMap { psf, exposure: Some(exposure) }))
    }

    fn stacked_edisp(&self, other: &Self) -> Result<Option<EDisp>> {
        let (Some(own), Some(edisp)) = (&self.edisp, &other.edisp) else { return Ok(None) };
        let mask = other.mask_safe_edisp()?;
        let parts = |edisp: &EDisp| -> (Map, Option<Map>, &'static str) {
            match edisp {
                EDisp::Kernel(k) => (k.edisp.clone(), k.exposure.clone(), "energy"),
                EDisp::Migra(m) => (m.edisp.clone(), m.exposure.clone(), "migra"),
            }
        };
        let ((a, a_exposure, a_axis), (b, b_exposure, b_axis)) = (parts(own), parts(edisp));
        if a_axis != b_axis {
            return Err(Error::input("edisp", "one is a map of matrices, the other one of migration densities"));
        }
        let exposure = |dataset: &Self, map: &Map, exposure: &Option<Map>| {
            response_exposure("edisp", dataset, &Response { map, exposure: exposure.as_ref() }, a_axis)
        };
        let (a_exposure, b_exposure) = (exposure(self, &a, &a_exposure)?, exposure(other, &b, &b_exposure)?);
        let (edisp, exposure) = average("edisp", (&a, &a_exposure), (&b, &b_exposure), mask.as_ref())?;
        let exposure = Some(exposure);
        Ok(Some(match own {
            EDisp::Kernel(_) => EDisp::Kernel(EDispKernelMap { edisp, exposure }),
            EDisp::Migra(_) => EDisp::Migra(EDispMap { edisp, exposure }),
        }))
    }

    /// The same parts on the same geometries, all zero.
    fn emptied(&self) -> Result<Self> {
        let empty = Self::from_geoms(&self.name, &self.geoms()?)?;
        let like = |map: &Option<Map>| map.as_ref().map(|m| Map::zeros(Arc::clone(m.geom()), m.unit().clone()));
        Ok(Self {
            counts: like(&self.counts),
            background: like(&self.background),
            exposure: like(&self.exposure),
            meta: BTreeMap::new(),
            ..empty
        })
    }

    /// The dataset with zeros outside of mask_safe, in all that [`MapDataset::stack`] masks (Gammapy's `to_masked`, once
    /// `apply_mask_safe`). Name, models and mask_fit are kept.
    ///
    /// # Errors
    /// Those of [`MapDataset::stack`].
    pub fn to_masked(&self) -> Result<Self> {
        // The background model is not applied: it stays with the models.
        let plain = Self { models: Default::default(), ..self.clone() };
        let mut masked = self.emptied()?;
        masked.stack(&plain)?;
        masked.models = self.models.clone();
        masked.mask_fit.clone_from(&self.mask_fit);
        if self.mask_safe.is_none() {
            masked.mask_safe = None;
        }
        Ok(masked)
    }

    /// [`MapDataset::to_masked`] in place.
    ///
    /// # Errors
    /// Those of [`MapDataset::stack`]; then nothing has changed.
    pub fn apply_mask_safe(&mut self) -> Result<()> {
        *self = self.to_masked()?;
        Ok(())
    }
}

impl MapDatasetOnOff {
    /// Adds another dataset to this one, in place, as [`MapDataset::stack`]. Acceptances of the on region are summed,
    /// those of the off region are such that alpha times the off counts is the sum of the backgrounds:
    /// acceptance_off = acceptance · ΣOFF / Σ(alpha OFF). Bins without off counts have the mean alpha of all bins.
    ///
    /// # Errors
    /// As [`MapDataset::stack`], and where off counts or acceptances are missing.
    pub fn stack(&mut self, other: &Self) -> Result<()> {
        let mask = other.on.mask_safe.as_ref();
        let (off, other_off) =
            (self.of_on_region(self.require_counts_off()?)?, other.of_on_region(other.require_counts_off()?)?);
        let ((on_acceptance, off_acceptance), (other_on, other_off_acceptance)) =
            (self.require_acceptances()?, other.require_acceptances()?);
        let off_acceptance = self.of_on_region(off_acceptance)?;
        let other_off_acceptance = other.of_on_region(other_off_acceptance)?;
        // Zeros first, so that values that are not finite count as 0 here, too.
        let zeros = Map::zeros(Arc::clone(off.geom()), Unit::default());
        let sum = |what: &str, own: &Map, more: &Map| -> Result<Map> {
            add(what, add(what, zeros.clone(), own, None)?, more, mask)
        };
        let total_off = sum("counts_off", &off, &other_off)?;
        let acceptance = sum("acceptance", on_acceptance, other_on)?;
        let acceptances_off = sum("acceptance_off", &off_acceptance, &other_off_acceptance)?;
        let background = sum("background", &self.background()?, &other.background()?)?;
        let mean_alpha = background.sum() / total_off.sum();
        let (a, n, b) = (acceptance.cube(), total_off.cube(), background.cube());
        let plain = acceptances_off.cube();
        let acceptance_off = Array3::from_shape_fn(a.dim(), |(p, y, x)| {
            let (a, n, b) = (a.at(p, y, x), n.at(p, y, x), b.at(p, y, x));
            let value = if n > 0.0 { a * n / b } else { a / mean_alpha };
            // No off counts anywhere, or an alpha of 0: what there was, added up.
            if value.is_finite() { value } else { plain.at(p, y, x) }
        });
        let acceptance_off = Map::from_cube(Arc::clone(zeros.geom()), Unit::default(), acceptance_off)?;
        self.on.stack_common(&other.on)?;
        self.counts_off = Some(total_off);
        self.acceptance = Some(acceptance);
        self.acceptance_off = Some(acceptance_off);
        Ok(())
    }

    /// An off map on the geometry of the dataset: off regions differ from the on region and between observations.
    fn of_on_region<'a>(&self, off: &'a Map) -> Result<Cow<'a, Map>> {
        match (off.geom().as_ref(), self.geom()?.as_ref()) {
            (Geom::Region(own), Geom::Region(on)) if !own.same_region(on) => {
                let geom = Arc::new(Geom::Region(on.with_axes(own.axes().to_vec())));
                Map::new(geom, off.unit().clone(), off.data().clone()).map(Cow::Owned)
            }
            _ => Ok(Cow::Borrowed(off)),
        }
    }

    /// As [`MapDataset::to_masked`].
    ///
    /// # Errors
    /// Those of [`MapDatasetOnOff::stack`].
    pub fn to_masked(&self) -> Result<Self> {
        let zeros = Map::zeros(self.geoms()?.geom, Unit::default());
        let mut masked = Self::from_map_dataset(self.on.emptied()?, zeros.clone(), zeros.clone(), zeros);
        masked.stack(self)?;
        masked.on.models = self.on.models.clone();
        masked.on.mask_fit.clone_from(&self.on.mask_fit);
        if self.on.mask_safe.is_none() {
            masked.on.mask_safe = None;
        }
        Ok(masked)
    }

    /// [`MapDatasetOnOff::to_masked`] in place.
    ///
    /// # Errors
    /// Those of [`MapDatasetOnOff::stack`]; then nothing has changed.
    pub fn apply_mask_safe(&mut self) -> Result<()> {
        *self = self.to_masked()?;
        Ok(())
    }
}
