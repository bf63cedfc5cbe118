//! Predicted counts of one dataset, again and again: what a changed parameter leaves is kept.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView2, ArrayViewMut2, Axis, Zip, s};
use rayon::prelude::*;

use super::evaluator::{Evaluator, Prepared};
use super::template::TemplateCounts;
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::MapDataset;
use crate::error::{Error, Result};
use crate::maps::Map;
use crate::models::spatial::SPATIAL_TAGS;
use crate::models::spectral::SPECTRAL_TAGS;
use crate::models::{FoVBackgroundModel, Model, Models, Parameter, SkyModel, SpatialModel, TemplateNPredModel};

/// Predicted fluxes whose ratios differ by no more than this are multiples of each other.
const SAME_RATIO: f64 = 4.0 * f64::EPSILON;

/// How often something was computed anew, summed over models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NpredWork {
    /// PSF kernel, energy dispersion and cutout: a model that came, or has another position or extent.
    pub responses: u64,
    /// Shape through PSF and exposure, or factors by which a background is shaped: another position or shape.
    pub shapes: u64,
    /// Sum over true energies: a flux that is not a multiple of the last one, or another shape.
    pub spectra: u64,
    /// Factors alone: a flux that is a multiple of the last one.
    pub norms: u64,
    /// Predicted counts added up where something had changed, in bins.
    pub bins: u64,
}

/// Predicts counts of one dataset again and again, and computes only what a changed parameter needs (Gammapy's
/// `evaluators`).
///
/// Of each source it keeps the responses where it is, its shape through PSF and exposure, and its predicted counts: a norm
/// only scales, a spectrum only sums energies anew, a position or shape takes that model alone through everything, and the
/// sum is renewed only where a changed source reaches. A background's spectrum scales energies, its shape is kept. The result is that of [`MapDataset::npred`] to rounding. Kept are
/// `8 (true energies + energies)` bytes for each pixel of each source's cutout. The dataset is borrowed, so that its
/// exposure, responses and masks cannot change under what is kept.
///
/// ```
/// use std::sync::Arc;
/// use pevatron::datasets::{IrfAxes, MapDataset};
/// use pevatron::maps::{Map, MapAxis};
/// use pevatron::models::{spatial::PointSpatialModel, spectral::PowerLawSpectralModel};
/// use pevatron::prelude::*;
/// let axis = MapAxis::energy_bounds(1.0, 10.0, 4, "energy")?;
/// let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 20, 20, (0.1, 0.1), "TAN", vec![axis])?;
/// let mut dataset = MapDataset::create("a", &geom, &IrfAxes::default())?;
/// let exposure = dataset.require_exposure()?;
/// dataset.exposure = Some(Map::from_cube(exposure.geom().clone(), "cm2 s".parse()?, exposure.to_cube_f64() + 1e13)?);
/// (dataset.psf, dataset.edisp, dataset.mask_safe) = (None, None, None);
///
/// let spectral = Arc::new(PowerLawSpectralModel::new(2.0, 1e-12, 1.0));
/// let spatial = Arc::new(PointSpatialModel::new(83.63, 22.01, Frame::Icrs));
/// let mut models = Models { components: vec![Model::Sky(SkyModel::new("crab", spectral, Some(spatial)))] };
/// let (backend, control) = (Backend::reference(), Control::new());
/// let mut evaluators = dataset.evaluators(&backend)?;
/// let before = evaluators.npred(&models, &control)?.sum();
/// models.set_value("crab.spectral.amplitude", 3e-12)?;
/// let after = evaluators.npred(&models, &control)?.sum();
/// assert!((after / before - 3.0).abs() < 1e-12 && before > 1.0);
/// assert_eq!((evaluators.work().shapes, evaluators.work().norms), (1, 1));
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug)]
pub struct Evaluators<'a> {
    dataset: &'a MapDataset,
    backend: &'a Backend,
    /// There from the first source on: background alone needs no exposure.
    evaluator: Option<Evaluator<'a>>,
    mask: Option<Array2<bool>>,
    templates: Vec<Template>,
    sources: Vec<Kept>,
    /// By energy, what the background model makes of the background.
    factors: Vec<f64>,
    /// What its spatial part makes of it.
    background_shape: Option<BackgroundShape>,
    /// Sum over templates and sources `[energy, y, x]`.
    signal: Array3<f64>,
    /// Sources and background, at least 0; the data of `npred` between calls.
    npred: Option<Map>,
    /// False where `signal` and `npred` are not those of `sources`.
    is_summed: bool,
    work: NpredWork,
}

/// A model with what is kept of it.
#[derive(Debug)]
struct Kept {
    model: SkyModel,
    /// `None` where it lies too far outside to contribute.
    counts: Option<Counts>,
}

/// A template of predicted counts.
#[derive(Debug)]
struct Template {
    model: TemplateNPredModel,
    /// `None` where it has no pixel of the dataset.
    part: Option<Arc<TemplateCounts>>,
    /// By energy, what its spectrum makes of it.
    factors: Vec<f64>,
}

/// A spatial model of the background.
#[derive(Debug)]
struct BackgroundShape {
    spatial: Arc<dyn SpatialModel>,
    /// `[energy, y, x]`, or one plane for all energies.
    factors: Array3<f64>,
}

impl BackgroundShape {
    fn at(&self, energy: usize, y: usize, x: usize) -> f64 {
        self.factors[[if self.factors.dim().0 == 1 { 0 } else { energy }, y, x]]
    }
}

#[derive(Debug)]
struct Counts {
    prepared: Prepared,
    /// Counts per unit of flux `[energy_true, y, x]`.
    exposed: Array3<f64>,
    /// Flux that `npred` was predicted for, by true energy.
    flux: Vec<f64>,
    /// `[energy, y, x]`.
    npred: Array3<f64>,
    /// What `npred` is multiplied with.
    factor: f64,
}

/// Rows and columns of the dataset.
#[derive(Debug, Clone, PartialEq)]
struct Rectangle {
    y: Range<usize>,
    x: Range<usize>,
}

impl Rectangle {
    fn area(&self) -> usize {
        self.y.len() * self.x.len()
    }

    fn common(&self, other: &Self) -> Option<Self> {
        let meet = |a: &Range<usize>, b: &Range<usize>| a.start.max(b.start)..a.end.min(b.end);
        let (y, x) = (meet(&self.y, &other.y), meet(&self.x, &other.x));
        (!y.is_empty() && !x.is_empty()).then_some(Self { y, x })
    }
}

impl Counts {
    fn rectangle(&self) -> Rectangle {
        let (_, ny, nx) = self.npred.dim();
        let at = self.prepared.origin;
        Rectangle { y: at.y0..at.y0 + ny, x: at.x0..at.x0 + nx }
    }

    /// Adds its part within a rectangle to that rectangle's plane.
    fn add_to(&self, target: &mut ArrayViewMut2<'_, f64>, energy: usize, rectangle: &Rectangle) {
        let plane = self.npred.index_axis(Axis(0), energy);
        add_within(target, rectangle, &plane, &self.rectangle(), self.factor);
    }
}

impl Template {
    /// As [`Counts::add_to`].
    fn add_to(&self, target: &mut ArrayViewMut2<'_, f64>, energy: usize, rectangle: &Rectangle) {
        let Some(part) = &self.part else { return };
        let (_, ny, nx) = part.counts.dim();
        let own = Rectangle { y: part.origin.y0..part.origin.y0 + ny, x: part.origin.x0..part.origin.x0 + nx };
        let plane = part.counts.index_axis(Axis(0), energy);
        add_within(target, rectangle, &plane, &own, self.factors[energy]);
    }
}

/// Adds `factor` times what an image at `own` has within a rectangle to that rectangle.
fn add_within(
    target: &mut ArrayViewMut2<'_, f64>,
    rectangle: &Rectangle,
    image: &ArrayView2<'_, f64>,
    own: &Rectangle,
    factor: f64,
) {
    let Some(Rectangle { y, x }) = own.common(rectangle) else { return };
    let part = image.slice(s![y.start - own.y.start..y.end - own.y.start, x.start - own.x.start..x.end - own.x.start]);
    let (dy, dx) = (rectangle.y.start, rectangle.x.start);
    target.slice_mut(s![y.start - dy..y.end - dy, x.start - dx..x.end - dx]).scaled_add(factor, &part);
}

/// True where two templates have the same counts before their spectra.
fn same_counts(a: &TemplateNPredModel, b: &TemplateNPredModel) -> bool {
    let spatial = match (&a.spatial, &b.spatial) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    };
    a.name == b.name && spatial && Arc::ptr_eq(a.map(), b.map())
}

fn same_values(a: &[Parameter], b: &[Parameter]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.name == b.name && a.value == b.value && a.unit == b.unit)
}

fn is_of_parameters_alone(tag: &str, tags: &[(&str, &str)]) -> bool {
    tags.iter().any(|(name, _)| *name == tag)
}

/// True where two shapes are certainly the same.
fn same_spatial(a: &Arc<dyn SpatialModel>, b: &Arc<dyn SpatialModel>) -> bool {
    let alike = || a.tag() == b.tag() && a.frame() == b.frame() && same_values(a.parameters(), b.parameters());
    let same_data = || match (a.as_template(), b.as_template(), a.as_piecewise(), b.as_piecewise()) {
        (Some(a), Some(b), ..) => Arc::ptr_eq(a.map(), b.map()),
        (_, _, Some(a), Some(b)) => a.same_nodes(b),
        (None, None, None, None) => is_of_parameters_alone(a.tag(), SPATIAL_TAGS),
        _ => false,
    };
    Arc::ptr_eq(a, b) || alike() && same_data()
}

/// True where the shapes of two sources are certainly the same.
fn same_shape(a: &SkyModel, b: &SkyModel) -> bool {
    let same = match (&a.spatial, &b.spatial) {
        (Some(a), Some(b)) => same_spatial(a, b),
        (None, None) => true,
        _ => false,
    };
    same && a.apply_irf == b.apply_irf
}

/// True where two models certainly have the same flux.
fn same_flux(a: &SkyModel, b: &SkyModel) -> bool {
    let spectral = Arc::ptr_eq(&a.spectral, &b.spectral)
        || a.spectral.tag() == b.spectral.tag()
            && is_of_parameters_alone(a.spectral.tag(), SPECTRAL_TAGS)
            && same_values(a.spectral.parameters(), b.spectral.parameters());
    let temporal = match (&a.temporal, &b.temporal) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    };
    spectral && temporal
}

/// True where responses and cutout of one model are those of the other.
fn same_place(a: &SkyModel, b: &SkyModel) -> bool {
    let place = |m: &SkyModel| m.spatial.as_ref().map(|s| (s.position(), s.evaluation_radius_deg()));
    place(a) == place(b) && a.apply_irf == b.apply_irf
}

/// The number that `b` is `a` times.
fn ratio(a: &[f64], b: &[f64]) -> Option<f64> {
    let (i, _) = a.iter().enumerate().max_by(|x, y| x.1.abs().total_cmp(&y.1.abs()))?;
    let ratio = b[i] / a[i];
    let same = a.iter().zip(b).all(|(x, y)| (y - ratio * x).abs() <= SAME_RATIO * (ratio * x).abs());
    (ratio.is_finite() && same).then_some(ratio)
}

impl Kept {
    fn rectangle(&self) -> Option<Rectangle> {
        self.counts.as_ref().map(Counts::rectangle)
    }

    /// A model that was not there before.
    fn new(
        model: &SkyModel,
        evaluator: &Evaluator<'_>,
        mask: Option<&Array2<bool>>,
        work: &mut NpredWork,
        control: &Control,
    ) -> Result<Self> {
        work.responses += 1;
        let counts = match evaluator.prepare(model, mask.map(|m| m.view()))? {
            Some(prepared) => {
                work.shapes += 1;
                work.spectra += 1;
                let exposed = evaluator.exposed_share(model, &prepared, control)?;
                let flux = evaluator.flux(model)?;
                let npred = evaluator.fold(&exposed, &flux, &prepared, control)?;
                Some(Counts { prepared, exposed, flux, npred, factor: 1.0 })
            }
            None => None,
        };
        Ok(Self { model: model.clone(), counts })
    }

    /// Follows a model of the same name; true where its predicted counts may have changed.
    fn follow(
        &mut self,
        model: &SkyModel,
        evaluator: &Evaluator<'_>,
        mask: Option<&Array2<bool>>,
        work: &mut NpredWork,
        control: &Control,
    ) -> Result<bool> {
        let (shape_stays, flux_stays) = (same_shape(&self.model, model), same_flux(&self.model, model));
        if !shape_stays && !same_place(&self.model, model) {
            *self = Self::new(model, evaluator, mask, work, control)?;
            return Ok(true);
        }
        let mut changed = false;
        if let Some(counts) = &mut self.counts {
            let flux = if flux_stays { None } else { Some(evaluator.flux(model)?) };
            if !shape_stays {
                work.shapes += 1;
                counts.exposed = evaluator.exposed_share(model, &counts.prepared, control)?;
            }
            let scaled = flux.as_ref().and_then(|flux| ratio(&counts.flux, flux));
            match (shape_stays, flux, scaled) {
                (true, None, _) => {}
                (true, Some(_), Some(ratio)) => {
                    changed = ratio != counts.factor;
                    work.norms += u64::from(changed);
                    counts.factor = ratio;
                }
                (_, flux, _) => {
                    work.spectra += 1;
                    // Without another flux the last one is a multiple of what was predicted.
                    let flux = flux.unwrap_or_else(|| counts.flux.iter().map(|f| f * counts.factor).collect());
                    counts.npred = evaluator.fold(&counts.exposed, &flux, &counts.prepared, control)?;
                    (counts.flux, counts.factor, changed) = (flux, 1.0, true);
                }
            }
        }
        self.model = model.clone();
        Ok(changed)
    }
}

impl<'a> Evaluators<'a> {
    /// Nothing is kept yet.
    ///
    /// # Errors
    /// [`Error::Input`] without counts and background, or for masks of different shapes.
    pub fn new(dataset: &'a MapDataset, backend: &'a Backend) -> Result<Self> {
        let energies = dataset.energy_axis()?.nbin();
        let shape = dataset.geom()?.data_shape();
        let (ny, nx) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        if let Some(background) = &dataset.background
            && background.cube().dim() != (energies, ny, nx)
        {
            let problem =
                format!("its shape is {:?} where {:?} is needed", background.cube().dim(), (energies, ny, nx));
            return Err(Error::input("background", problem));
        }
        Ok(Self {
            dataset,
            backend,
            evaluator: None,
            mask: dataset.mask()?.map(|m| m.any_plane()),
            templates: Vec::new(),
            sources: Vec::new(),
            factors: Vec::new(),
            background_shape: None,
            signal: Array3::zeros((energies, ny, nx)),
            npred: None,
            is_summed: false,
            work: NpredWork::default(),
        })
    }

    /// Forgets everything, as if it were new (Gammapy's `reset_data_cache`); [`Evaluators::work`] goes on counting.
    #[doc(alias = "reset_data_cache")]
    pub fn reset(&mut self) {
        self.templates.clear();
        self.sources.clear();
        self.background_shape = None;
        self.is_summed = false;
    }

    /// What was computed so far.
    pub fn work(&self) -> NpredWork {
        self.work
    }

    /// Predicted counts `[energy, y, x]` of those of the models that apply to the dataset and of its background, at
    /// least 0, as [`MapDataset::npred`].
    ///
    /// # Errors
    /// Those of [`MapDataset::npred`]; what was kept stays valid.
    pub fn npred(&mut self, models: &Models, control: &Control) -> Result<&Map> {
        let backend = self.backend;
        backend.install(|| self.update(models, control))?;
        self.npred.as_ref().ok_or_else(|| self.dataset.missing("predicted counts"))
    }

    /// Predicted counts `[energy, y, x]` of the sources alone, as [`MapDataset::npred_signal`].
    ///
    /// # Errors
    /// Those of [`Evaluators::npred`].
    pub fn npred_signal(&mut self, models: &Models, control: &Control) -> Result<Map> {
        let backend = self.backend;
        backend.install(|| self.update(models, control))?;
        Map::from_cube(self.dataset.npred_geom()?, Default::default(), self.signal.clone())
    }

    fn update(&mut self, models: &Models, control: &Control) -> Result<()> {
        let sky: Vec<&SkyModel> = models.sky_models(&self.dataset.name).collect();
        let background = models.background(&self.dataset.name);
        let factors = match background {
            Some(model) => {
                let energies = self.dataset.energy_axis()?.center_tev()?;
                energies.into_iter().map(|e| model.spectral.evaluate(e)).collect()
            }
            None => vec![1.0; self.signal.dim().0],
        };
        // Until the sum is made again it is not known to be right: an error may end this at any place.
        let was_summed = std::mem::replace(&mut self.is_summed, false);
        let same_templates = self.follow_templates(models)?;
        let same_background = self.follow_background(background)? && self.factors == factors;
        let dirty = self.follow(&sky, control)?;
        let (_, ny, nx) = self.signal.dim();
        let whole = Rectangle { y: 0..ny, x: 0..nx };
        let many = dirty.iter().map(Rectangle::area).sum::<usize>() > whole.area() / 2;
        let dirty = if was_summed && same_templates && !many { dirty } else { vec![whole.clone()] };
        self.sum(&dirty);
        let dirty = if same_background { dirty } else { vec![whole] };
        self.factors = factors;
        self.add_background(&dirty)?;
        self.is_summed = true;
        Ok(())
    }

    /// Makes `background_shape` that of the model; true where it is what it was before.
    fn follow_background(&mut self, model: Option<&FoVBackgroundModel>) -> Result<bool> {
        let spatial = model.and_then(|m| m.spatial.as_ref());
        if let (Some(old), Some(new)) = (&self.background_shape, spatial)
            && same_spatial(&old.spatial, new)
        {
            return Ok(true);
        }
        let was_shaped = self.background_shape.is_some();
        self.background_shape = match (model, spatial) {
            (Some(model), Some(spatial)) if self.dataset.background.is_some() => {
                self.work.shapes += 1;
                let factors = model.spatial_factors(self.dataset.npred_geom()?.as_ref())?;
                factors.map(|factors| BackgroundShape { spatial: Arc::clone(spatial), factors })
            }
            _ => None,
        };
        Ok(!was_shaped && self.background_shape.is_none())
    }

    /// Makes `templates` those of the models; true where they predict what they predicted before.
    fn follow_templates(&mut self, models: &Models) -> Result<bool> {
        let geom = self.dataset.npred_geom()?;
        let mut same = true;
        let mut templates = Vec::new();
        for model in models.signal(&self.dataset.name) {
            let Model::TemplateNPred(model) = model else { continue };
            let old = self.templates.get(templates.len()).filter(|old| same_counts(&old.model, model));
            let part = match old {
                Some(old) => old.part.clone(),
                None => TemplateCounts::new(model, &geom)?.map(Arc::new),
            };
            let factors = part.as_ref().map_or(Vec::new(), |part| part.factors(model.spectral.as_ref()));
            same &= old.is_some_and(|old| old.factors == factors);
            templates.push(Template { model: model.clone(), part, factors });
        }
        same &= templates.len() == self.templates.len();
        self.templates = templates;
        Ok(same)
    }

    /// Makes `sources` those of the models, in their order; what has changed.
    fn follow(&mut self, sky: &[&SkyModel], control: &Control) -> Result<Vec<Rectangle>> {
        if self.evaluator.is_none() && !sky.is_empty() {
            self.evaluator = Some(self.dataset.evaluator(self.backend)?);
        }
        // By name, and by number among those of one name.
        let mut old: BTreeMap<(String, usize), Kept> = BTreeMap::new();
        let order: Vec<String> = self.sources.iter().map(|kept| kept.model.name.clone()).collect();
        for kept in self.sources.drain(..) {
            let mut number = 0;
            while old.contains_key(&(kept.model.name.clone(), number)) {
                number += 1;
            }
            old.insert((kept.model.name.clone(), number), kept);
        }
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let jobs: Vec<(&SkyModel, Option<Kept>)> = sky
            .iter()
            .map(|model| {
                let number = numbers.entry(&model.name).or_default();
                *number += 1;
                (*model, old.remove(&(model.name.clone(), *number - 1)))
            })
            .collect();
        let same_list = old.is_empty() && sky.iter().map(|m| &m.name).eq(order.iter());
        let Some(evaluator) = &self.evaluator else { return Ok(Vec::new()) };
        let mask = self.mask.as_ref();
        let follow = |(model, kept): (&SkyModel, Option<Kept>)| {
            let mut work = NpredWork::default();
            let before = kept.as_ref().and_then(Kept::rectangle);
            let (kept, changed) = match kept {
                Some(mut kept) => match kept.follow(model, evaluator, mask, &mut work, control) {
                    Ok(changed) => (Ok(kept), changed),
                    Err(error) => (Err(error), true),
                },
                None => (Kept::new(model, evaluator, mask, &mut work, control), true),
            };
            (kept, before.filter(|_| changed), changed, work)
        };
        let done: Vec<_> = if evaluator.is_shared_by_threads() {
            jobs.into_par_iter().map(follow).collect()
        } else {
            jobs.into_iter().map(follow).collect()
        };
        let mut dirty = Vec::new();
        let mut failed = None;
        for (kept, before, changed, work) in done {
            self.work.responses += work.responses;
            self.work.shapes += work.shapes;
            self.work.spectra += work.spectra;
            self.work.norms += work.norms;
            match kept {
                Ok(kept) => {
                    dirty.extend(before);
                    dirty.extend(kept.rectangle().filter(|_| changed));
                    self.sources.push(kept);
                }
                // The first error of the list; what did not fail is kept.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if !same_list {
            let (_, ny, nx) = self.signal.dim();
            dirty.push(Rectangle { y: 0..ny, x: 0..nx });
        }
        Ok(dirty)
    }

    /// Adds up all templates and sources within the rectangles, in their order: the same bits as over the whole.
    fn sum(&mut self, rectangles: &[Rectangle]) {
        let (templates, sources) = (&self.templates, &self.sources);
        self.work.bins += (rectangles.iter().map(Rectangle::area).sum::<usize>() * self.signal.dim().0) as u64;
        self.signal.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(energy, mut plane)| {
            for rectangle in rectangles {
                let mut part = plane.slice_mut(s![rectangle.y.clone(), rectangle.x.clone()]);
                part.fill(0.0);
                templates.iter().for_each(|template| template.add_to(&mut part, energy, rectangle));
                for counts in sources.iter().filter_map(|kept| kept.counts.as_ref()) {
                    counts.add_to(&mut part, energy, rectangle);
                }
            }
        });
    }

    /// Makes `npred` of background and sources within the rectangles.
    fn add_background(&mut self, rectangles: &[Rectangle]) -> Result<()> {
        let (geom, mut npred) = match self.npred.take() {
            Some(map) => (map.geom().clone(), map.into_cube_f64()),
            None => (self.dataset.npred_geom()?, Array3::zeros(self.signal.dim())),
        };
        let (background, signal, factors) =
            (self.dataset.background.as_ref().map(Map::cube), &self.signal, &self.factors);
        let shape = self.background_shape.as_ref();
        npred.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(energy, mut plane)| {
            for Rectangle { y, x } in rectangles {
                let signal = signal.slice(s![energy, y.clone(), x.clone()]);
                let part = plane.slice_mut(s![y.clone(), x.clone()]);
                let known = background.map(|cube| cube.plane(energy));
                Zip::indexed(part).and(signal).for_each(|(dy, dx), npred, signal| {
                    let (y, x) = (y.start + dy, x.start + dx);
                    let background = known.map_or(0.0, |plane| plane.at(y, x) * factors[energy]);
                    let total = shape.map_or(1.0, |shape| shape.at(energy, y, x)) * background + signal;
                    // NaN stays NaN: it marks bins that cannot be predicted.
                    *npred = if total < 0.0 { 0.0 } else { total };
                });
            }
        });
        self.npred = Some(Map::from_cube(geom, Default::default(), npred)?);
        Ok(())
    }
}
