//! Datasets padded, downsampled, cut out and sliced.

use std::ops::Range;
use std::sync::Arc;

use ndarray::Array3;

use super::map::MapDataset;
use super::masks::mask_of;
use super::on_off::MapDatasetOnOff;
use crate::error::{Error, Result};
use crate::irf::{EDisp, EDispKernelMap, EDispMap, PsfMap};
use crate::maps::{AxisSlice, Geom, Map, MapAxis, Mask, SkyPosition, Weights};
use crate::units::{Angle, Energy};

/// Relative difference of an axis edge from that of another one below which they are the same.
const SAME_EDGE: f64 = 1e-6;

/// Cutouts of responses have at least this many pixels per side, so that they can be interpolated (as in Gammapy).
const LEAST_RESPONSE_PIXELS: f64 = 3.0;

/// A range of bins on each of some axes, by their names.
pub type AxisSlices<'a> = [(&'a str, Range<usize>)];

/// Ranges of slices; one bin would take an axis away that a dataset cannot do without.
fn ranges<'a, S: Clone + Into<AxisSlice>>(slices: &[(&'a str, S)]) -> Result<Vec<(&'a str, Range<usize>)>> {
    let range = |(name, slice): &(&'a str, S)| match slice.clone().into() {
        AxisSlice::Range(bins) => Ok((*name, bins)),
        AxisSlice::Index(bin) => {
            let problem = format!("bin {bin} alone would take the axis '{name}' away, which a dataset needs");
            let end = bin.saturating_add(1);
            Err(Error::options("slices", problem).with_help_for(
                format!("take the range {bin}..{end}, or Map::slice_by_idx for one of its maps"),
                format!("take the range {bin}..{end}"),
            ))
        }
    };
    slices.iter().map(range).collect()
}

fn each<T>(part: &Option<T>, f: impl Fn(&T) -> Result<T>) -> Result<Option<T>> {
    part.as_ref().map(f).transpose()
}

/// One map cut along those of its axes that are named.
fn sliced(map: &Map, slices: &AxisSlices<'_>) -> Result<Map> {
    let mut out = map.clone();
    for (name, bins) in slices {
        if map.geom().axis(name).is_ok() {
            out = out.slice_axis(name, bins.clone())?;
        }
    }
    Ok(out)
}

fn sliced_mask(mask: &Mask, slices: &AxisSlices<'_>) -> Result<Mask> {
    let mut out = mask.clone();
    for (name, bins) in slices {
        if mask.geom().axis(name).is_ok() {
            out = out.slice_axis(name, bins.clone())?;
        }
    }
    Ok(out)
}

/// A response around a position; where it does not reach there, all of it.
fn cut_response(map: &Map, center: SkyPosition, width_deg: (f64, f64)) -> Result<Map> {
    let Geom::Wcs(geom) = map.geom().as_ref() else { return Ok(map.clone()) };
    let (x, y) = geom.pixel_scales_deg();
    let width = (width_deg.0.max(LEAST_RESPONSE_PIXELS * x), width_deg.1.max(LEAST_RESPONSE_PIXELS * y));
    Ok(map.cutout(center, width, false).map_or_else(|_| map.clone(), |(cut, _)| cut))
}

/// The mean of defined values.
fn mean_exposure(exposure: &Map, factor: usize) -> Result<Map> {
    if exposure.cube().all(|v| !v.is_nan()) {
        return exposure.downsample(factor, false, Weights::One);
    }
    let cube = exposure.cube();
    let defined = Array3::from_shape_fn(cube.dim(), |(p, y, x)| !cube.at(p, y, x).is_nan());
    exposure.downsample(factor, false, Weights::Mask(&mask_of(Arc::clone(exposure.geom()), defined)?))
}

/// A mask whose bins along `energy` are true where any of a group is.
fn grouped_mask(mask: &Mask, axis: &MapAxis, groups: &[Range<usize>]) -> Result<Mask> {
    let cube = mask.cube();
    let (planes, ny, nx) = cube.dim();
    if let Some(group) = groups.iter().find(|g| g.end > planes) {
        return Err(Error::input("mask", format!("{planes} energies, bins {group:?} are to be merged")));
    }
    let out = Array3::from_shape_fn((groups.len(), ny, nx), |(g, y, x)| groups[g].clone().any(|bin| cube[[bin, y, x]]));
    mask_of(Arc::new(mask.geom().with_axes(vec![axis.clone()])), out)
}

/// The bins of `axis` that make each bin of `wanted`, and the axis of those groups.
fn groups_of(axis: &MapAxis, wanted: &MapAxis) -> Result<(Vec<Range<usize>>, MapAxis)> {
    let factor = wanted.unit().factor_to(axis.unit())?;
    let edges = axis.edges();
    let index = |edge: f64| edges.iter().position(|e| (e - edge).abs() <= SAME_EDGE * edge.abs());
    let mut indices = Vec::new();
    for edge in wanted.edges() {
        let edge = edge * factor;
        indices.push(index(edge).ok_or_else(|| {
            let problem = format!("the edge {edge} {} is none of the dataset's axis", axis.unit());
            Error::options("energy_axis", problem)
                .with_help("bins can only be merged, so each edge must be one of them")
        })?);
    }
    let groups: Vec<Range<usize>> = indices.windows(2).map(|w| w[0]..w[1]).collect();
    if groups.iter().any(Range::is_empty) {
        return Err(Error::options("energy_axis", "two of its edges are the same edge of the dataset's axis"));
    }
    let nodes = indices.iter().map(|i| edges[*i]).collect();
    Ok((groups, MapAxis::from_edges(axis.name(), axis.unit().clone(), nodes, axis.interp())?))
}

/// The bins between two energies, each moved to the nearest edge in the scale of the axis, ties to even numbers.
fn bins_between(axis: &MapAxis, min: Option<Energy>, max: Option<Energy>) -> Result<Range<usize>> {
    let factor = axis.unit().factor_to_text("TeV")?;
    let n = axis.nbin();
    let index = |energy: Energy, option: &str| -> Result<usize> {
        if energy.to_tev() <= 0.0 || energy.to_tev().is_nan() {
            return Err(Error::options(option, format!("{energy} is not positive")));
        }
        let pix = axis.coord_to_pix(energy.to_tev() / factor).clamp(-0.5, n as f64 - 0.5);
        Ok((pix + 0.5).round_ties_even() as usize)
    };
    let first = min.map_or(Ok(0), |e| index(e, "energy_min"))?;
    let last = max.map_or(Ok(n), |e| index(e, "energy_max"))?;
    if first >= last {
        let ends = axis.edges_tev()?;
        return Err(Error::options("energy_min", "no bin lies between the energies")
            .with_help(format!("the dataset has {n} bins from {} to {} TeV", ends[0], ends[n])));
    }
    Ok(first..last)
}

impl MapDataset {
    /// `pad_y`, `pad_x` pixels of zeros (masks: false) on each side of counts, background, exposure and masks. A region
    /// stays as it is.
    ///
    /// # Errors
    /// [`crate::Error::Input`] where a map has another geometry than the counts.
    pub fn pad(&self, pad_y: usize, pad_x: usize) -> Result<Self> {
        if self.is_of_region() {
            return Ok(self.clone());
        }
        let map = |m: &Map| m.pad(pad_y, pad_x, 0.0);
        let mask = |m: &Mask| m.pad(pad_y, pad_x, false);
        Ok(Self {
            counts: each(&self.counts, map)?,
            background: each(&self.background, map)?,
            exposure: each(&self.exposure, map)?,
            mask_safe: each(&self.mask_safe, mask)?,
            mask_fit: each(&self.mask_fit, mask)?,
            psf: self.psf.clone(),
            edisp: self.edisp.clone(),
            ..self.shell()
        })
    }

    /// `factor` × `factor` pixels merged: counts and background summed inside mask_safe, exposure averaged over pixels
    /// where it is defined, masks true where any pixel was (Gammapy's `downsample`, where an undefined exposure counts as 0
    /// in the mean).
    ///
    /// # Errors
    /// [`crate::Error::Input`] where the sides are not divisible.
    pub fn downsample(&self, factor: usize) -> Result<Self> {
        if factor == 1 {
            return Ok(self.clone());
        }
        let weights = self.mask_safe.as_ref().map_or(Weights::One, Weights::Mask);
        let sum = |m: &Map| m.downsample(factor, true, weights);
        let mask = |m: &Mask| m.downsample(factor);
        Ok(Self {
            counts: each(&self.counts, sum)?,
            background: each(&self.background, sum)?,
            exposure: each(&self.exposure, |m| mean_exposure(m, factor))?,
            mask_safe: each(&self.mask_safe, mask)?,
            mask_fit: each(&self.mask_fit, mask)?,
            psf: self.psf.clone(),
            edisp: self.edisp.clone(),
            ..self.shell()
        })
    }

    /// `factor` bins of reconstructed energy merged, see [`MapDataset::resample_energy_axis`] (Gammapy's
    /// `downsample(factor, axis_name="energy")`).
    ///
    /// # Errors
    /// [`Error::Options`] where the number of bins is not divisible.
    pub fn downsample_energy(&self, factor: usize) -> Result<Self> {
        self.resample_energy_axis(&coarser(self.energy_axis_any()?.as_ref(), factor)?)
    }

    fn is_of_region(&self) -> bool {
        self.geoms().is_ok_and(|g| matches!(g.geom.as_ref(), Geom::Region(_)))
    }

    /// The reconstructed-energy axis, of a map or a region.
    pub(super) fn energy_axis_any(&self) -> Result<Arc<MapAxis>> {
        self.geoms()?.geom.axis("energy").cloned().map(Arc::new)
    }

    /// Bins of reconstructed energy merged into those of another axis, each of whose edges must be one of the dataset's:
    /// counts and background summed inside mask_safe, masks true where any bin was, matrices of the energy dispersion
    /// summed inside mask_safe, so that predicted counts are the sums of what was predicted for safe bins.
    ///
    /// # Errors
    /// [`Error::Options`] for an edge that is none of the dataset's.
    pub fn resample_energy_axis(&self, energy_axis: &MapAxis) -> Result<Self> {
        let (groups, axis) = groups_of(self.energy_axis_any()?.as_ref(), energy_axis)?;
        self.grouped(&groups, &axis)
    }

    fn grouped(&self, groups: &[Range<usize>], axis: &MapAxis) -> Result<Self> {
        let weights = self.mask_safe.as_ref().map_or(Weights::One, Weights::Mask);
        let sum = |m: &Map| m.group_axis("energy", groups, weights);
        let mask = |m: &Mask| grouped_mask(m, axis, groups);
        let edisp = match &self.edisp {
            Some(EDisp::Kernel(kernel)) => {
                let whole = self.mask_safe_edisp()?.map(|safe| repeated(&safe, kernel.edisp.geom())).transpose()?;
                let weights = whole.as_ref().map_or(Weights::One, Weights::Mask);
                let edisp = kernel.edisp.group_axis("energy", groups, weights)?;
                Some(EDisp::Kernel(EDispKernelMap { edisp, exposure: kernel.exposure.clone() }))
            }
            other => other.clone(),
        };
        Ok(Self {
            counts: each(&self.counts, sum)?,
            background: each(&self.background, sum)?,
            exposure: self.exposure.clone(),
            mask_safe: each(&self.mask_safe, mask)?,
            mask_fit: each(&self.mask_fit, mask)?,
            psf: self.psf.clone(),
            edisp,
            ..self.shell()
        })
    }

    /// All reconstructed energies in one bin, see [`MapDataset::resample_energy_axis`].
    ///
    /// # Errors
    /// [`Error::Input`] without an energy axis.
    pub fn to_image(&self) -> Result<Self> {
        self.resample_energy_axis(&self.energy_axis_any()?.squash())
    }

    /// The dataset around a position, trimmed at the borders of the map; `width` is (x, y). Responses keep at least three
    /// pixels per side. Name and models are kept (Gammapy: a new name, no models). A region stays as it is.
    ///
    /// # Errors
    /// [`Error::Options`] for a width that is not positive, [`Error::Input`] where the cutout lies beside the map.
    pub fn cutout(&self, position: SkyPosition, width: (Angle, Angle)) -> Result<Self> {
        let width = positive(width)?;
        if self.is_of_region() {
            return Ok(self.clone());
        }
        let map = |m: &Map| m.cutout(position, width, false).map(|(cut, _)| cut);
        let mask = |m: &Mask| m.cutout(position, width, false).map(|(cut, _)| cut);
        let response = |m: &Map| cut_response(m, position, width);
        Ok(Self {
            counts: each(&self.counts, map)?,
            background: each(&self.background, map)?,
            exposure: each(&self.exposure, map)?,
            mask_safe: each(&self.mask_safe, mask)?,
            mask_fit: each(&self.mask_fit, mask)?,
            ..self.with_responses(&response)?
        })
    }

    /// Bins of some axes, e.g. `[("energy", 2..5)]`: each map is cut along those of its axes that are named. Name and
    /// models are kept.
    ///
    /// Gammapy: a single bin in place of a range takes the axis away, and what is left predicts no counts or is refused by
    /// its own responses; here it is refused. [`Map::slice_by_idx`] takes it.
    ///
    /// # Errors
    /// [`Error::Input`] for ranges that are empty or beyond the axis, [`Error::Options`] for an axis that no map has, or a
    /// single bin.
    pub fn slice_by_idx<S: Clone + Into<AxisSlice>>(&self, slices: &[(&str, S)]) -> Result<Self> {
        let slices = &ranges(slices)?[..];
        let geoms = self.geoms()?;
        let all = [Some(geoms.geom), geoms.exposure, geoms.psf, geoms.edisp];
        if let Some((name, _)) = slices.iter().find(|(name, _)| !all.iter().flatten().any(|g| g.axis(name).is_ok())) {
            return Err(Error::options("slices", format!("no map of the dataset has an axis '{name}'")));
        }
        let map = |m: &Map| sliced(m, slices);
        let mask = |m: &Mask| sliced_mask(m, slices);
        Ok(Self {
            counts: each(&self.counts, map)?,
            background: each(&self.background, map)?,
            exposure: each(&self.exposure, map)?,
            mask_safe: each(&self.mask_safe, mask)?,
            mask_fit: each(&self.mask_fit, mask)?,
            // The exposures of responses have one bin on the axis that only the response has.
            ..self.sliced_responses(slices)?
        })
    }

    /// The bins of reconstructed energy between two energies, which are moved to the nearest edges of bins; `None`: the
    /// end of the axis.
    ///
    /// # Errors
    /// [`Error::Options`] where no bin lies between them.
    pub fn slice_by_energy(&self, min: Option<Energy>, max: Option<Energy>) -> Result<Self> {
        self.slice_by_idx(&[("energy", bins_between(self.energy_axis_any()?.as_ref(), min, max)?)])
    }

    /// Everything but the maps of the sky, responses changed by `f`.
    fn with_responses(&self, f: &dyn Fn(&Map) -> Result<Map>) -> Result<Self> {
        let psf = each(&self.psf, |p| Ok(PsfMap { psf: f(&p.psf)?, exposure: each(&p.exposure, f)? }))?;
        let edisp = each(&self.edisp, |e| {
            Ok(match e {
                EDisp::Kernel(k) => {
                    EDisp::Kernel(EDispKernelMap { edisp: f(&k.edisp)?, exposure: each(&k.exposure, f)? })
                }
                EDisp::Migra(m) => EDisp::Migra(EDispMap { edisp: f(&m.edisp)?, exposure: each(&m.exposure, f)? }),
            })
        })?;
        Ok(Self { psf, edisp, ..self.shell() })
    }

    fn sliced_responses(&self, slices: &AxisSlices<'_>) -> Result<Self> {
        self.with_responses(&|map: &Map| {
            let single = |name: &str| map.geom().axis(name).is_ok_and(|a| a.nbin() == 1);
            // Axes of one bin stand for all bins in the exposure of a response.
            let own: Vec<(&str, Range<usize>)> =
                slices.iter().filter(|(name, bins)| !single(name) || *bins == (0..1)).cloned().collect();
            sliced(map, &own)
        })
    }
}

/// A mask with one bin of `energy_true` for all of them.
fn repeated(mask: &Mask, geom: &Arc<Geom>) -> Result<Mask> {
    let cube = mask.cube();
    let (bins, ny, nx) = cube.dim();
    let truth = geom.axis("energy_true")?.nbin();
    mask_of(Arc::clone(geom), Array3::from_shape_fn((bins * truth, ny, nx), |(plane, y, x)| cube[[plane % bins, y, x]]))
}

fn coarser(axis: &MapAxis, factor: usize) -> Result<MapAxis> {
    if factor == 0 || !axis.nbin().is_multiple_of(factor) {
        return Err(Error::options(
            "factor",
            format!("{} bins of '{}' are not divisible by {factor}", axis.nbin(), axis.name()),
        ));
    }
    let edges = axis.edges().into_iter().step_by(factor).collect();
    MapAxis::from_edges(axis.name(), axis.unit().clone(), edges, axis.interp())
}

fn positive(width: (Angle, Angle)) -> Result<(f64, f64)> {
    let width = (width.0.to_deg(), width.1.to_deg());
    if !(width.0 > 0.0 && width.1 > 0.0 && width.0.is_finite() && width.1.is_finite()) {
        return Err(Error::options("width", format!("{} × {} deg is not positive and finite", width.0, width.1)));
    }
    Ok(width)
}

impl MapDatasetOnOff {
    /// The same with the on region and the three maps of the off region changed, where nothing is computed.
    fn rearranged(&self, on: MapDataset, f: &dyn Fn(&Map) -> Result<Map>) -> Result<Self> {
        Ok(Self {
            on,
            counts_off: each(&self.counts_off, f)?,
            acceptance: each(&self.acceptance, f)?,
            acceptance_off: each(&self.acceptance_off, f)?,
        })
    }

    /// The same with counts of the off region and the acceptance changed, and the other acceptance such that the background
    /// is the sum of the backgrounds. Where that is 0 the acceptance of the off region is changed as the counts are.
    fn summed(
        &self,
        on: MapDataset,
        sum: &dyn Fn(&Map) -> Result<Map>,
        acceptance: &dyn Fn(&Map) -> Result<Map>,
    ) -> Result<Self> {
        let counts_off = each(&self.counts_off, sum)?;
        let (Some(on_acceptance), Some(off_acceptance), Some(off)) =
            (&self.acceptance, &self.acceptance_off, &counts_off)
        else {
            return Ok(Self {
                on,
                acceptance: each(&self.acceptance, acceptance)?,
                acceptance_off: each(&self.acceptance_off, acceptance)?,
                counts_off,
            });
        };
        let (on_acceptance, plain) = (acceptance(on_acceptance)?, acceptance(off_acceptance)?);
        let background = sum(&self.background()?)?;
        let (a, n, b, p) = (on_acceptance.cube(), off.cube(), background.cube(), plain.cube());
        let cube = Array3::from_shape_fn(a.dim(), |(e, y, x)| {
            let value = a.at(e, y, x) * n.at(e, y, x) / b.at(e, y, x);
            if value.is_finite() { value } else { p.at(e, y, x) }
        });
        let acceptance_off = Map::from_cube(Arc::clone(on_acceptance.geom()), Default::default(), cube)?;
        Ok(Self { on, acceptance: Some(on_acceptance), acceptance_off: Some(acceptance_off), counts_off })
    }

    /// As [`MapDataset::pad`].
    ///
    /// # Errors
    /// As there.
    pub fn pad(&self, pad_y: usize, pad_x: usize) -> Result<Self> {
        if self.on.is_of_region() {
            return Ok(self.clone());
        }
        self.rearranged(self.on.pad(pad_y, pad_x)?, &|m| m.pad(pad_y, pad_x, 0.0))
    }

    /// As [`MapDataset::downsample`]; the acceptance of the on region is averaged, and that of the off region such that
    /// backgrounds are summed.
    ///
    /// # Errors
    /// As [`MapDataset::downsample`].
    pub fn downsample(&self, factor: usize) -> Result<Self> {
        if factor == 1 {
            return Ok(self.clone());
        }
        let weights = self.on.mask_safe.as_ref().map_or(Weights::One, Weights::Mask);
        let sum = |m: &Map| m.downsample(factor, true, weights);
        self.summed(self.on.downsample(factor)?, &sum, &|m| m.downsample(factor, false, Weights::One))
    }

    /// As [`MapDataset::downsample_energy`].
    ///
    /// # Errors
    /// As there.
    pub fn downsample_energy(&self, factor: usize) -> Result<Self> {
        self.resample_energy_axis(&coarser(self.geoms()?.geom.axis("energy")?, factor)?)
    }

    /// As [`MapDataset::resample_energy_axis`]; acceptances of the on region are summed inside mask_safe, and that of the
    /// off region is such that backgrounds are summed.
    ///
    /// # Errors
    /// As [`MapDataset::resample_energy_axis`].
    pub fn resample_energy_axis(&self, energy_axis: &MapAxis) -> Result<Self> {
        let (groups, axis) = groups_of(self.geoms()?.geom.axis("energy")?, energy_axis)?;
        let weights = self.on.mask_safe.as_ref().map_or(Weights::One, Weights::Mask);
        let sum = |m: &Map| m.group_axis("energy", &groups, weights);
        self.summed(self.on.grouped(&groups, &axis)?, &sum, &sum)
    }

    /// As [`MapDataset::to_image`].
    ///
    /// # Errors
    /// As there.
    pub fn to_image(&self) -> Result<Self> {
        self.resample_energy_axis(&self.geoms()?.geom.axis("energy")?.squash())
    }

    /// As [`MapDataset::cutout`].
    ///
    /// # Errors
    /// As there.
    pub fn cutout(&self, position: SkyPosition, width: (Angle, Angle)) -> Result<Self> {
        let size = positive(width)?;
        if self.on.is_of_region() {
            return Ok(self.clone());
        }
        let map = |m: &Map| m.cutout(position, size, false).map(|(cut, _)| cut);
        self.rearranged(self.on.cutout(position, width)?, &map)
    }

    /// As [`MapDataset::slice_by_idx`].
    ///
    /// # Errors
    /// As there.
    pub fn slice_by_idx<S: Clone + Into<AxisSlice>>(&self, slices: &[(&str, S)]) -> Result<Self> {
        let slices = &ranges(slices)?[..];
        self.rearranged(self.on.slice_by_idx(slices)?, &|m| sliced(m, slices))
    }

    /// As [`MapDataset::slice_by_energy`].
    ///
    /// # Errors
    /// As there.
    pub fn slice_by_energy(&self, min: Option<Energy>, max: Option<Energy>) -> Result<Self> {
        self.slice_by_idx(&[("energy", bins_between(self.geoms()?.geom.axis("energy")?, min, max)?)])
    }
}
