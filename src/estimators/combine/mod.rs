//! Flux maps of several estimators or epochs combined through their likelihoods.

mod curve;
mod likeness;
mod profile;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ndarray::Array3;
use rayon::prelude::*;

use self::likeness::{Guess, Known};
use self::profile::{Best, Profile, Sum};
use crate::control::Control;
use crate::error::{Error, Place, Result};
use crate::estimators::ts_map::adaptive_norms;
use crate::flux::{FluxMaps, FluxQuantity};
use crate::kernels::TsMapStatus;
use crate::maps::{AxisInterp, Geom, Map, MapAxis};
use crate::models::SkyModel;
use crate::time::Gti;

/// Relative precision to which the shapes of reference spectra and energies must agree.
const SAME: f64 = 1e-6;

/// Number of norms of the combined profile where the inputs' profiles do not reach as far as the adaptive grid.
const EVEN_NORMS: usize = 109;

/// How the likelihood of one input is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CombineMethod {
    /// From its profile (`stat_scan`): exact, but for interpolation between the scanned norms.
    Profile,
    /// From norm, norm_errn and norm_errp (and norm_err, norm_ul, ts, npred_excess and status, where they are there): the
    /// likelihood of Poisson counts that passes through all of them.
    AsymmetricErrors,
    /// The same without norm_errn and norm_errp: a parabola, where there is nothing but norm and norm_err.
    SymmetricErrors,
}

impl CombineMethod {
    /// The word in headers and documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::AsymmetricErrors => "asymmetric errors",
            Self::SymmetricErrors => "symmetric errors",
        }
    }

    /// The best one that flux maps allow.
    fn of(maps: &FluxMaps) -> Option<Self> {
        let has = |q| maps.get(q).is_some();
        let scan_axis =
            maps.get(FluxQuantity::StatScan).and_then(|m| scan_axis(m)).is_some_and(|a| a.1.name() == "norm");
        if has(FluxQuantity::StatScan) && (has(FluxQuantity::DndeScanValues) || scan_axis) {
            Some(Self::Profile)
        } else if !has(FluxQuantity::Norm) {
            None
        } else if has(FluxQuantity::NormErrn) && has(FluxQuantity::NormErrp) {
            Some(Self::AsymmetricErrors)
        } else if has(FluxQuantity::NormErr) {
            Some(Self::SymmetricErrors)
        } else {
            None
        }
    }
}

/// Combined maps and how they came about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CombineReport {
    /// norm with errors and limit, ts, success; with profiles only: stat_scan; where all inputs have them: counts, stat
    /// and stat_null.
    pub maps: FluxMaps,
    /// How the likelihood of each input was known.
    pub methods: Vec<CombineMethod>,
    /// Pixels with a result, over all energies.
    pub pixels: u64,
    /// Of these, pixels whose inputs' errors do not tell the likelihood there (status [`TsMapStatus::APPROXIMATE`]): norm,
    /// errors, limit or sqrt_ts may be off by more than a tenth of the error.
    pub approximate: u64,
}

/// By how much of an error results may depend on what is not known of the inputs' likelihoods before they are marked.
const MOST_UNCERTAIN: f64 = 0.1;

/// Combines flux maps that measure the same flux with independent data (Gammapy's `combine_flux_maps`): the likelihoods
/// of all inputs are multiplied per pixel and energy, and norm, errors, limit and ts are read off the product.
///
/// The likelihood of an input is its profile where it has one; else an approximation from its errors, with its own ts as
/// the height of the maximum over norm 0. Where an input has no value in a pixel, the others decide. Norms are relative
/// to the reference model of the first input; the others' may have another amplitude, but not another shape. Errors and
/// limits have the numbers of sigmas of the first input. `names` stand in messages and in the header.
///
/// With `only_errors`, profiles are not looked at.
///
/// # Errors
/// [`Error::Input`] that names the input: other pixels, energies or shapes of the reference model than the first, neither
/// profile nor errors; [`Error::Options`] for less than two inputs; [`Error::Cancelled`].
pub fn combine_flux_maps(inputs: &[(&str, &FluxMaps)], only_errors: bool, control: &Control) -> Result<CombineReport> {
    let [(first_name, first), others @ ..] = inputs else {
        return Err(Error::options("maps", "at least two flux maps are needed"));
    };
    if others.is_empty() {
        return Err(Error::options("maps", "at least two flux maps are needed, there is one"));
    }
    let image = first.geom().as_wcs().map_err(|e| e.at(&Place::file(first_name)))?.to_image();
    let axis = first.energy_axis()?.clone();
    let mut sources = Vec::with_capacity(inputs.len());
    for (name, maps) in inputs {
        let scale = check_like(name, maps, first_name, first)?;
        let mut method = CombineMethod::of(maps);
        if only_errors && method == Some(CombineMethod::Profile) {
            let mut without = FluxMaps::new(maps.geom().clone(), maps.reference_model().clone());
            for quantity in [FluxQuantity::Norm, FluxQuantity::NormErr, FluxQuantity::NormErrn, FluxQuantity::NormErrp]
            {
                if let Some(map) = maps.get(quantity) {
                    without.insert(quantity, map.clone())?;
                }
            }
            method = CombineMethod::of(&without);
        }
        let method = method.ok_or_else(|| {
            Error::input_at(Place::file(name), "has neither a profile nor a norm with errors, so it has no likelihood")
                .with_help_for(
                    "estimate it with errors, best with stat_scan in selection_optional",
                    "estimate it with errors, best with `--selection stat_scan`",
                )
        })?;
        sources.push(Source::new(maps, method, scale).map_err(|e| e.at(&Place::file(name)))?);
    }
    let (n_sigma, n_sigma_ul) = (first.meta.n_sigma, first.meta.n_sigma_ul);
    let (bins, ny, nx) = (axis.nbin(), image.ny(), image.nx());
    let with_profile = sources.iter().all(|s| s.method == CombineMethod::Profile);
    let mut rows = Vec::with_capacity(bins * ny);
    for bin in 0..bins {
        control.check()?;
        control.report("combine", bin as u64, bins as u64);
        let plane: Vec<Vec<Option<Pixel>>> = (0..ny)
            .into_par_iter()
            .map(|y| {
                control.check()?;
                let pixel = |x| combine_pixel(&sources, (bin, y, x), (n_sigma, n_sigma_ul), with_profile);
                Ok((0..nx).map(pixel).collect())
            })
            .collect::<Result<_>>()?;
        rows.extend(plane);
    }
    control.report("combine", bins as u64, bins as u64);
    let cells: Vec<Option<Pixel>> = rows.into_iter().flatten().collect();
    let pixels = cells.iter().filter(|c| c.is_some()).count() as u64;
    let approximate = cells.iter().flatten().filter(|c| c.status & TsMapStatus::APPROXIMATE != 0).count() as u64;
    if pixels == 0 {
        return Err(Error::input("maps", "no pixel has a likelihood in common norms, nothing can be combined"));
    }

    let geom = Arc::new(Geom::Wcs(image.with_axes(vec![axis.clone()])));
    let mut maps = FluxMaps::new(geom.clone(), first.reference_model().clone());
    let mut insert = |quantity, value: &dyn Fn(&Best) -> f64| {
        let of = |(bin, y, x): (usize, usize, usize)| {
            cells[(bin * ny + y) * nx + x].as_ref().map_or(f64::NAN, |c| value(&c.best))
        };
        maps.insert(
            quantity,
            Map::from_cube(geom.clone(), Default::default(), Array3::from_shape_fn((bins, ny, nx), of))?,
        )
    };
    insert(FluxQuantity::Norm, &|b| b.norm)?;
    insert(FluxQuantity::NormErr, &|b| match (b.err.is_nan(), b.errn.is_nan(), b.errp.is_nan()) {
        (false, ..) => b.err,
        (_, true, _) => b.errp,
        (_, _, true) => b.errn,
        _ => 0.5 * (b.errn + b.errp),
    })?;
    insert(FluxQuantity::NormErrn, &|b| b.errn)?;
    insert(FluxQuantity::NormErrp, &|b| b.errp)?;
    insert(FluxQuantity::NormUl, &|b| b.ul)?;
    // Rounding and approximations may leave it a little below.
    insert(FluxQuantity::Ts, &|b| (-b.stat).max(0.0))?;
    insert(FluxQuantity::Success, &|_| 1.0)?;
    let status = Array3::from_shape_fn((bins, ny, nx), |(bin, y, x)| {
        f64::from(cells[(bin * ny + y) * nx + x].as_ref().map_or(TsMapStatus::MASKED, |c| c.status))
    });
    maps.insert(FluxQuantity::Status, Map::from_cube(geom.clone(), Default::default(), status)?)?;
    let sum = |quantity| -> Option<Array3<f64>> {
        let all: Vec<Array3<f64>> =
            inputs.iter().map(|(_, m)| m.get(quantity).map(Map::to_cube_f64)).collect::<Option<_>>()?;
        // An input without a value in a pixel has no data there.
        let finite = |v: f64| if v.is_finite() { v } else { 0.0 };
        Some(all.iter().fold(Array3::zeros((bins, ny, nx)), |total, cube| total + cube.mapv(finite)))
    };
    if let Some(counts) = sum(FluxQuantity::Counts) {
        maps.insert(FluxQuantity::Counts, Map::from_cube(geom.clone(), Default::default(), counts)?)?;
    }
    if let Some(null) = sum(FluxQuantity::StatNull) {
        let stat = &null - &maps.require(FluxQuantity::Ts)?.to_cube_f64();
        maps.insert(FluxQuantity::StatNull, Map::from_cube(geom.clone(), Default::default(), null)?)?;
        maps.insert(FluxQuantity::Stat, Map::from_cube(geom.clone(), Default::default(), stat)?)?;
    }
    if with_profile {
        insert_profile(&mut maps, &cells, &axis)?;
    }
    maps.gti = Gti::union_of(inputs.iter().filter_map(|(_, m)| m.gti.as_ref()))?;
    maps.meta = first.meta.clone();
    let methods: Vec<CombineMethod> = sources.iter().map(|s| s.method).collect();
    let told = inputs.iter().zip(&methods).map(|((name, _), m)| format!("{name} ({})", m.name()));
    maps.meta.entries = [
        ("estimator", "combine_flux_maps".to_string()),
        ("version", env!("CARGO_PKG_VERSION").to_string()),
        ("inputs", told.collect::<Vec<_>>().join(", ")),
    ]
    .map(|(key, value)| (key.to_string(), value))
    .into();
    Ok(CombineReport { maps, methods, pixels, approximate })
}

/// Checks that maps measure the same flux in the same pixels as the first; gives what their norms must be multiplied with
/// to be relative to the first's reference model.
fn check_like(name: &str, maps: &FluxMaps, first_name: &str, first: &FluxMaps) -> Result<f64> {
    let wrong = |item: &str, problem: String| Error::input_at(Place::file(name).item(item), problem);
    let (image, first_image) = (maps.geom().as_wcs().map_err(|e| e.at(&Place::file(name)))?, first.geom().as_wcs()?);
    if !image.same_image(first_image) {
        let size = |g: &crate::maps::WcsGeom| format!("{} x {}", g.nx(), g.ny());
        let (own, theirs) = (size(image), size(first_image));
        let problem = if own == theirs {
            format!("its pixels are elsewhere than those of '{first_name}'")
        } else {
            format!("it has {own} pixels where '{first_name}' has {theirs}")
        };
        return Err(wrong("geometry", problem));
    }
    let (edges, first_edges) = (maps.energy_axis()?.edges_tev()?, first.energy_axis()?.edges_tev()?);
    let same = |a: f64, b: f64| (a - b).abs() <= SAME * a.abs().max(b.abs());
    if edges.len() != first_edges.len() || edges.iter().zip(&first_edges).any(|(a, b)| !same(*a, *b)) {
        return Err(wrong(
            "energy",
            format!("its edges {edges:?} TeV are not those of '{first_name}', {first_edges:?} TeV"),
        ));
    }
    let (model, first_model) = (maps.reference_model(), first.reference_model());
    let centers = first.energy_axis()?.center_tev()?;
    let energies = first_edges.iter().chain(&centers);
    let ratios: Vec<f64> = energies.map(|e| model.spectral.evaluate(*e) / first_model.spectral.evaluate(*e)).collect();
    let scale = ratios[0];
    if !(scale.is_finite() && scale > 0.0 && ratios.iter().all(|r| same(*r, scale))) {
        let text = |m: &SkyModel| {
            let parameters: Vec<String> =
                m.spectral.parameters().iter().map(|p| format!("{} {}", p.name, p.value)).collect();
            format!("{} ({})", m.spectral.tag(), parameters.join(", "))
        };
        let problem = format!(
            "its spectrum, {}, has another shape than that of '{first_name}', {}",
            text(model),
            text(first_model)
        );
        return Err(wrong("reference model", problem)
            .with_help("norms of different spectra cannot be combined; estimate both with one kernel model"));
    }
    if let (Some(own), Some(theirs)) = (&model.spatial, &first_model.spatial) {
        let shape = |p: &&crate::models::Parameter| p.name != "lon_0" && p.name != "lat_0";
        let (a, b) = (own.parameters().iter().filter(shape), theirs.parameters().iter().filter(shape));
        let alike = own.tag() == theirs.tag() && a.clone().count() == b.clone().count();
        if !alike || a.zip(b).any(|(p, q)| p.name != q.name || p.unit != q.unit || !same(p.value, q.value)) {
            let problem =
                format!("its source, {}, has another shape than that of '{first_name}', {}", own.tag(), theirs.tag());
            return Err(wrong("reference model", problem));
        }
    }
    Ok(scale)
}

/// The axis of a profile beside the energy: its place and the axis.
fn scan_axis(map: &Map) -> Option<(usize, &MapAxis)> {
    map.geom().axes().iter().enumerate().find(|(_, axis)| axis.name() != "energy")
}

/// One input, ready to be asked for pixels.
struct Source {
    method: CombineMethod,
    /// Of norms.
    scale: f64,
    errors: Option<Errors>,
    scan: Option<Scan>,
}

/// What errors tell, as arrays `[bin, y, x]`.
struct Errors {
    norm: Array3<f64>,
    err: Option<Array3<f64>>,
    errn: Option<Array3<f64>>,
    errp: Option<Array3<f64>>,
    ul: Option<Array3<f64>>,
    ts: Option<Array3<f64>>,
    excess: Option<Array3<f64>>,
    status: Option<Array3<f64>>,
    n_sigma: f64,
    n_sigma_ul: f64,
}

/// A profile as arrays `[plane, y, x]`.
struct Scan {
    stat: Array3<f64>,
    /// dnde per plane and pixel, or norms per scanned point.
    values: Option<Array3<f64>>,
    norms: Vec<f64>,
    /// Reference dnde per energy bin.
    reference: Vec<f64>,
    points: usize,
    bins: usize,
    /// Whether the energy is the faster axis.
    energy_first: bool,
}

impl Source {
    fn new(maps: &FluxMaps, method: CombineMethod, scale: f64) -> Result<Self> {
        if method == CombineMethod::Profile {
            return Ok(Self { method, scale, errors: None, scan: Some(Scan::new(maps)?) });
        }
        let cube = |q| maps.get(q).map(Map::to_cube_f64);
        let errors = Errors {
            // Failed fits are left out.
            norm: maps.norm()?.into_cube_f64(),
            err: cube(FluxQuantity::NormErr),
            errn: cube(FluxQuantity::NormErrn),
            errp: cube(FluxQuantity::NormErrp),
            ul: cube(FluxQuantity::NormUl),
            ts: cube(FluxQuantity::Ts).or_else(|| cube(FluxQuantity::SqrtTs).map(|c| c.mapv(|v| v * v))),
            excess: maps.get(FluxQuantity::NpredExcess).map(|map| summed(map, maps)).transpose()?,
            status: cube(FluxQuantity::Status),
            n_sigma: maps.meta.n_sigma,
            n_sigma_ul: maps.meta.n_sigma_ul,
        };
        Ok(Self { method, scale, errors: Some(errors), scan: None })
    }

    fn profile(&self, at: (usize, usize, usize)) -> Option<Profile> {
        if let Some(scan) = &self.scan {
            return Profile::from_scan(scan.points_of(at).map(|(norm, stat)| (norm * self.scale, stat)));
        }
        let errors = self.errors.as_ref()?;
        let value = |cube: &Option<Array3<f64>>| cube.as_ref().map(|c| c[at]);
        let scaled = |cube: &Option<Array3<f64>>| value(cube).map(|v| v * self.scale);
        let norm = errors.norm[at] * self.scale;
        let bits = value(&errors.status).filter(|v| v.is_finite()).map(|v| v as u32);
        Profile::from_errors(&Known {
            norm,
            err: scaled(&errors.err).map(|e| e / errors.n_sigma),
            errn: scaled(&errors.errn),
            errp: scaled(&errors.errp),
            n_sigma: errors.n_sigma,
            ul: scaled(&errors.ul),
            n_sigma_ul: errors.n_sigma_ul,
            ts: value(&errors.ts),
            model: value(&errors.excess).map(|excess| excess / norm),
            at_bound: bits.map(|bits| bits & AT_WALL != 0),
        })
    }
}

/// Bits of best fits that lie at the bound of predicted counts.
const AT_WALL: u32 = TsMapStatus::AT_BOUND | TsMapStatus::NO_COUNTS | TsMapStatus::COUNTS_WITHOUT_MODEL;

/// A map summed over what axes it has beside the energy.
fn summed(map: &Map, maps: &FluxMaps) -> Result<Array3<f64>> {
    let bins = maps.energy_axis()?.nbin();
    let cube = map.to_cube_f64();
    let (planes, ny, nx) = cube.dim();
    let energy_first = map.geom().axes().first().is_some_and(|axis| axis.name() == "energy");
    let mut sum = Array3::zeros((bins, ny, nx));
    for (plane, values) in cube.outer_iter().enumerate() {
        let bin = if energy_first { plane % bins } else { plane / (planes / bins).max(1) };
        let mut target = sum.index_axis_mut(ndarray::Axis(0), bin.min(bins - 1));
        target += &values;
    }
    Ok(sum)
}

impl Scan {
    fn new(maps: &FluxMaps) -> Result<Self> {
        let stat = maps.require(FluxQuantity::StatScan)?;
        let (place, axis) = scan_axis(stat)
            .ok_or_else(|| Error::input("stat_scan", "has no axis of scanned norms beside the energy"))?;
        let bins = maps.energy_axis()?.nbin();
        let values = maps.get(FluxQuantity::DndeScanValues);
        let reference = match values {
            Some(values) => {
                let factor = values.unit().factor_to_text("cm-2 s-1 TeV-1")?;
                maps.dnde_ref()?.iter().map(|v| v / factor).collect()
            }
            None => vec![1.0; bins],
        };
        let values = values.map(Map::to_cube_f64);
        let cube = stat.to_cube_f64();
        if values.as_ref().is_some_and(|v| v.dim() != cube.dim()) || cube.dim().0 != bins * axis.nbin() {
            return Err(Error::input("dnde_scan_values", "its shape is not that of stat_scan"));
        }
        Ok(Self {
            values,
            norms: axis.center(),
            reference,
            points: axis.nbin(),
            bins,
            energy_first: place > 0,
            stat: cube,
        })
    }

    /// Norms and stat - stat_null of a pixel.
    fn points_of(&self, (bin, y, x): (usize, usize, usize)) -> impl Iterator<Item = (f64, f64)> + '_ {
        (0..self.points).map(move |i| {
            let plane = if self.energy_first { i * self.bins + bin } else { bin * self.points + i };
            let norm = match &self.values {
                Some(values) => values[[plane, y, x]] / self.reference[bin],
                None => self.norms[i],
            };
            (norm, self.stat[[plane, y, x]])
        })
    }
}

/// The result of a pixel.
struct Pixel {
    best: Best,
    /// Bits of [`TsMapStatus`].
    status: u32,
    /// Norms and values of the combined profile; empty without one.
    profile: Vec<(f64, f64)>,
}

fn combine_pixel(
    sources: &[Source],
    at: (usize, usize, usize),
    (n_sigma, n_sigma_ul): (f64, f64),
    with_profile: bool,
) -> Option<Pixel> {
    let profiles: Vec<Profile> = sources.iter().filter_map(|s| s.profile(at)).collect();
    let sum = Sum::new(&profiles, Guess::Best)?;
    let best = sum.best(n_sigma, n_sigma_ul)?;
    let mut status = 0;
    if best.at_bound {
        status |= TsMapStatus::AT_BOUND;
    }
    if best.errn.is_nan() {
        status |= TsMapStatus::NO_ERRN;
    }
    let by_errors = profiles.iter().any(|p| matches!(p, Profile::Errors(_)));
    if by_errors && profiles.len() > 1 {
        let other = Sum::new(&profiles, Guess::Other)?.best(n_sigma, n_sigma_ul)?;
        if !alike(&best, &other) || profiles.iter().any(|p| p.is_delicate(best.norm)) {
            status |= TsMapStatus::APPROXIMATE;
        }
    }
    let mut profile = Vec::new();
    if with_profile {
        let (low, high) = sum.range();
        let error = if best.errp.is_nan() { best.errn } else { best.errp };
        let mut norms = adaptive_norms(best.norm, error);
        if norms.first().is_none_or(|n| *n < low) || norms.last().is_none_or(|n| *n > high) {
            let step = (high - low) / (EVEN_NORMS - 1) as f64;
            norms = (0..EVEN_NORMS).map(|i| (low + i as f64 * step).min(high)).collect();
        }
        profile = norms.into_iter().map(|norm| (norm, sum.at(norm))).collect();
    }
    Some(Pixel { best, status, profile })
}

/// Whether two results are the same but for a small part of their errors.
fn alike(a: &Best, b: &Best) -> bool {
    let error = if a.errp.is_nan() { a.errn } else { a.errp };
    let close = |x: f64, y: f64| (x.is_nan() && y.is_nan()) || (x - y).abs() <= MOST_UNCERTAIN * error;
    let root = |best: &Best| (-best.stat).max(0.0).sqrt();
    close(a.norm, b.norm)
        && close(a.errn, b.errn)
        && close(a.errp, b.errp)
        && close(a.ul, b.ul)
        && (root(a) - root(b)).abs() <= MOST_UNCERTAIN
}

/// stat_scan and dnde_scan_values, in the layout of the TS map estimator.
fn insert_profile(maps: &mut FluxMaps, cells: &[Option<Pixel>], axis: &MapAxis) -> Result<()> {
    let image = maps.geom().as_wcs()?.to_image();
    let (bins, ny, nx) = (axis.nbin(), image.ny(), image.nx());
    let points = cells.iter().flatten().map(|c| c.profile.len()).max().unwrap_or(0);
    let counter = (0..points).map(|i| i as f64).collect();
    let scan = MapAxis::from_nodes("dnde_bin", Default::default(), counter, AxisInterp::Lin)?;
    let geom = Arc::new(Geom::Wcs(image.with_axes(vec![axis.clone(), scan])));
    let reference = maps.dnde_ref()?;
    let mut stat = Array3::from_elem((points * bins, ny, nx), f64::NAN);
    let mut dnde = stat.clone();
    for (n, cell) in cells.iter().enumerate() {
        let (bin, y, x) = (n / (ny * nx), n / nx % ny, n % nx);
        for (i, (norm, value)) in cell.iter().flat_map(|c| &c.profile).enumerate() {
            stat[[i * bins + bin, y, x]] = *value;
            dnde[[i * bins + bin, y, x]] = norm * reference[bin];
        }
    }
    maps.insert(FluxQuantity::StatScan, Map::from_cube(geom.clone(), Default::default(), stat)?)?;
    maps.insert(FluxQuantity::DndeScanValues, Map::from_cube(geom, "cm-2 s-1 TeV-1".parse()?, dnde)?)
}
