//! A dataset with counts in the likelihood: its bins, its background, and the templates and sources that reach it.

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView3, Axis, s};
use rayon::prelude::*;

use super::background::Background;
use super::bins::{self, Bin};
use super::source::{Block, Source, add};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::{DatasetRef, Evaluator, MapDataset, TemplateCounts};
use crate::error::words::{counted, verb_of};
use crate::error::{Error, Result, warnings};
use crate::maps::{Geom, Map, SkyRegion};
use crate::models::{Model, Models};

/// Part of a region's size that stands for a pixel in the steps of derivatives by positions.
const REGION_STEP: f64 = 0.1;

/// What is known of the background.
enum Kind {
    /// It is predicted: the cube, before the background model.
    Cash { background: Background },
    /// It was measured off the source.
    W { off: Array3<f64>, alpha: Array3<f64> },
}

/// A template of predicted counts: a signal that goes through no response.
pub(super) struct Template {
    /// Place of the model in the list.
    pub component: usize,
    part: TemplateCounts,
}

impl Template {
    /// By energy, what the model's spectrum makes of the counts.
    pub fn factors(&self, model: &Model) -> Vec<f64> {
        self.part.factors(model.spectral().as_ref())
    }

    /// The counts times factors by energy.
    pub fn block(&self, factors: &[f64]) -> Block {
        Block { y0: self.part.origin.y0, x0: self.part.origin.x0, data: Arc::new(self.part.scaled(factors)) }
    }

    /// By energy, the sum of slope × counts.
    pub fn sums(&self, slope: &Array3<f64>) -> Vec<f64> {
        let (_, ny, nx) = self.part.counts.dim();
        let (y0, x0) = (self.part.origin.y0, self.part.origin.x0);
        sums(slope.slice(s![.., y0..y0 + ny, x0..x0 + nx]), self.part.counts.view())
    }
}

/// By energy, the sum of slope × counts; bins without a slope do not count, whatever stands in them.
fn sums(slope: ArrayView3<'_, f64>, counts: ArrayView3<'_, f64>) -> Vec<f64> {
    let planes = slope.outer_iter().zip(counts.outer_iter());
    planes.map(|(a, b)| a.iter().zip(b.iter()).map(|(x, y)| if *x == 0.0 { 0.0 } else { x * y }).sum()).collect()
}

/// −2 ln L, and the number of bins where nothing is predicted and counts are seen: the statistic is cut off there.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Value {
    pub stat: f64,
    pub dead: usize,
    /// Bins without counts whose prediction is below 0.
    pub negative: usize,
}

impl std::ops::AddAssign for Value {
    fn add_assign(&mut self, other: Self) {
        self.stat += other.stat;
        self.dead += other.dead;
        self.negative += other.negative;
    }
}

/// −2 ln L of a dataset, and by bin its derivatives by the predicted counts; masked bins have none.
pub(super) struct Derivatives {
    pub value: Value,
    pub slope: Array3<f64>,
    pub curvature: Array3<f64>,
}

/// Takes bins out of a mask whose counts, background or off counts are not defined (NaN), and those of pixels without a
/// defined exposure, as the other estimators and `info` do, and says how many.
fn leave_out_undefined(
    dataset: &MapDataset,
    counts: &Array3<f64>,
    kind: &Kind,
    mask: &mut Option<Array3<bool>>,
) -> Result<()> {
    let exposure = dataset.exposure.as_ref().map(Map::cube).filter(|e| !e.all(|v| !v.is_nan()));
    let measured = match kind {
        Kind::Cash { background } => background.cube(),
        Kind::W { off, .. } => off,
    };
    let nan = |values: &Array3<f64>| values.iter().any(|v| v.is_nan());
    if exposure.is_none() && !nan(counts) && !nan(measured) {
        return Ok(());
    }
    let (_, ny, nx) = counts.dim();
    let unexposed = Array2::from_shape_fn((ny, nx), |(y, x)| {
        exposure.is_some_and(|e| e.dim().1 == ny && e.dim().2 == nx && (0..e.dim().0).any(|p| e.at(p, y, x).is_nan()))
    });
    let mask = mask.get_or_insert_with(|| Array3::from_elem(counts.dim(), true));
    let mut left_out = 0usize;
    for (index, used) in mask.indexed_iter_mut() {
        if *used && (counts[index].is_nan() || measured[index].is_nan() || unexposed[[index.1, index.2]]) {
            *used = false;
            left_out += 1;
        }
    }
    if left_out == 0 {
        return Ok(());
    }
    let text = format!(
        "dataset '{}': {} inside the masks {} no defined counts, background or exposure (NaN): left out",
        dataset.name,
        counted(left_out, "bin"),
        verb_of(left_out, "has")
    );
    warnings::warn(Error::input("counts", text))
}

/// One dataset.
pub(super) struct Term<'a> {
    pub name: String,
    counts: Array3<f64>,
    mask: Option<Array3<bool>>,
    /// Pixels with an unmasked bin.
    mask_image: Option<Array2<bool>>,
    kind: Kind,
    /// Centres of the reconstructed energies in TeV.
    energies: Vec<f64>,
    /// Place of its background model.
    pub background: Option<usize>,
    pub templates: Vec<Template>,
    pub sources: Vec<Source>,
    evaluator: Option<Evaluator<'a>>,
    /// Larger side of a pixel, or what stands for it.
    pub pixel_deg: f64,
}

impl<'a> Term<'a> {
    pub fn new(dataset: DatasetRef<'a>, models: &Models, backend: &'a Backend) -> Result<Self> {
        let common = dataset.common()?;
        let counts = common.require_counts()?.to_cube_f64();
        let dim = counts.dim();
        let same = |name: &str, found: (usize, usize, usize)| {
            let problem = format!("dataset '{}': its shape is {found:?} where the counts have {dim:?}", common.name);
            if found == dim { Ok(()) } else { Err(Error::input(name, problem)) }
        };
        let mut kind = match dataset {
            DatasetRef::Map(dataset) => {
                let background = match &dataset.background {
                    Some(map) => map.to_cube_f64(),
                    None => Array3::zeros(dim),
                };
                same("background", background.dim())?;
                Kind::Cash { background: Background::new(background, Arc::clone(common.geom()?)) }
            }
            DatasetRef::OnOff(dataset) => {
                let (off, alpha) = (dataset.require_counts_off()?.to_cube_f64(), dataset.alpha()?.into_cube_f64());
                same("counts_off", off.dim())?;
                same("acceptance", alpha.dim())?;
                Kind::W { off, alpha }
            }
            DatasetRef::FluxPoints(points) => return Err(points.no_counts()),
        };
        let mut mask = common.mask()?.map(|m| m.cube().to_owned());
        if let Some(mask) = &mask {
            same("mask", mask.dim())?;
        }
        leave_out_undefined(common, &counts, &kind, &mut mask)?;
        if let Kind::Cash { background } = &mut kind {
            background.forget_undefined();
        }
        let pixel_deg = match common.geom()?.as_ref() {
            Geom::Wcs(geom) => geom.pixel_scales_deg().0.max(geom.pixel_scales_deg().1),
            Geom::Region(geom) => match geom.region().map(SkyRegion::extent_deg) {
                Some(extent) if extent > 0.0 => REGION_STEP * extent,
                _ => 1.0,
            },
        };
        let mut term = Self {
            name: common.name.clone(),
            mask_image: mask.as_ref().map(|m| m.map_axis(Axis(0), |bins| bins.iter().any(|m| *m))),
            mask,
            energies: common.energy_axis()?.center_tev()?,
            background: None,
            templates: Vec::new(),
            sources: Vec::new(),
            evaluator: None,
            pixel_deg,
            counts,
            kind,
        };
        for (place, model) in models.components.iter().enumerate().filter(|(_, m)| m.applies_to(&common.name)) {
            match model {
                Model::FoVBackground(background) => {
                    if let Some(first) = term.background {
                        let first = models.components[first].name();
                        return Err(Error::input(
                            &background.name,
                            format!("dataset '{}' has a background model already, '{first}'", common.name),
                        ));
                    }
                    if matches!(term.kind, Kind::W { .. }) {
                        return Err(Error::input(
                            &background.name,
                            format!("dataset '{}' has off counts in place of a predicted background", common.name),
                        ));
                    }
                    term.background = Some(place);
                }
                Model::TemplateNPred(template) => {
                    if let Some(part) = TemplateCounts::new(template, common.require_counts()?.geom())? {
                        term.templates.push(Template { component: place, part });
                    }
                }
                Model::Sky(source) => {
                    if term.evaluator.is_none() {
                        term.evaluator = Some(common.evaluator(backend)?);
                    }
                    if let Some(source) = term.source(place, source)? {
                        term.sources.push(source);
                    }
                }
            }
        }
        Ok(term)
    }

    /// A source with its responses; `None` where it does not reach a bin that counts.
    fn source(&self, place: usize, model: &crate::models::SkyModel) -> Result<Option<Source>> {
        let Some(evaluator) = &self.evaluator else { return Ok(None) };
        let mask = self.mask_image.as_ref().map(|m| m.view());
        let prepared = evaluator.prepare(model, mask)?;
        Ok(prepared.map(|p| Source::new(place, model, p)))
    }

    /// Takes responses anew for sources that have left their place (with `all`, that have moved at all); true where one
    /// had.
    pub fn follow(&mut self, models: &Models, all: bool) -> Result<bool> {
        let mut moved = false;
        for i in 0..self.sources.len() {
            let place = self.sources[i].component;
            let Model::Sky(model) = &models.components[place] else { continue };
            let source = &self.sources[i];
            if (source.is_left_by(model) || all && source.is_moved(model))
                && let Some(source) = self.source(place, model)?
            {
                self.sources[i] = source;
                moved = true;
            }
        }
        Ok(moved)
    }

    /// The evaluator of the sources, and the sources.
    pub fn evaluator_and_sources(&mut self) -> Option<(Evaluator<'a>, &mut Vec<Source>)> {
        self.evaluator.clone().map(|e| (e, &mut self.sources))
    }

    /// By energy, what the background model makes of the background.
    pub fn background_factors(&self, model: &Model) -> Vec<f64> {
        self.energies.iter().map(|e| model.spectral().evaluate(*e)).collect()
    }

    /// The background before its model (with off counts: none, it follows the signal).
    pub fn background_cube(&mut self) -> Option<&mut Background> {
        match &mut self.kind {
            Kind::Cash { background } => Some(background),
            Kind::W { .. } => None,
        }
    }

    /// Predicted background (with off counts: none, it follows the signal).
    pub fn npred_background(&mut self, models: &Models) -> Result<Array3<f64>> {
        let model = self.background.map(|place| &models.components[place]);
        let factors = model.map_or(vec![1.0; self.energies.len()], |model| self.background_factors(model));
        let dim = self.counts.dim();
        let Some(background) = self.background_cube() else { return Ok(Array3::zeros(dim)) };
        let shape = match model {
            Some(model) => background.shape(model)?,
            None => None,
        };
        Ok(Arc::unwrap_or_clone(background.block(&factors, shape.as_deref()).data))
    }

    /// Predicted counts: background, templates and sources (with off counts: no background).
    pub fn npred(&mut self, models: &Models, control: &Control) -> Result<Array3<f64>> {
        let mut total = self.npred_background(models)?;
        for template in &self.templates {
            let factors = template.factors(&models.components[template.component]);
            add(&mut total, &template.block(&factors), 1.0);
        }
        if let Some((evaluator, sources)) = self.evaluator_and_sources() {
            for source in sources {
                control.check()?;
                let Model::Sky(model) = &models.components[source.component] else { continue };
                let exposed = source.exposed(model, &evaluator, control)?;
                let flux = evaluator.flux(model)?;
                add(&mut total, &source.fold(&exposed, &flux, &evaluator, control)?, 1.0);
            }
        }
        Ok(total)
    }

    fn bin(&self, index: (usize, usize, usize), npred: f64) -> Bin {
        let n = self.counts[index];
        match &self.kind {
            Kind::Cash { .. } => bins::cash(n, npred),
            Kind::W { off, alpha } => bins::w(n, off[index], alpha[index], npred),
        }
    }

    fn counts_in(&self, index: (usize, usize, usize)) -> bool {
        self.mask.as_ref().is_none_or(|m| m[index])
    }

    /// −2 ln L, and in how many bins nothing is predicted where there are counts: rows are summed first, then the rows'
    /// sums, so the order never varies.
    pub fn value(&self, npred: &Array3<f64>) -> Value {
        let (planes, ny, nx) = npred.dim();
        let rows: Vec<Value> = (0..planes * ny)
            .into_par_iter()
            .map(|row| {
                let (e, y) = (row / ny, row % ny);
                let mut sum = Value::default();
                for i in (0..nx).map(|x| (e, y, x)).filter(|i| self.counts_in(*i)) {
                    let bin = self.bin(i, npred[i]);
                    let (dead, negative) = (usize::from(bin.is_dead), usize::from(bin.is_negative));
                    sum += Value { stat: bin.stat, dead, negative };
                }
                sum
            })
            .collect();
        let mut total = Value::default();
        for row in rows {
            total += row;
        }
        total
    }

    /// −2 ln L and its derivatives; the curvature that is `expected`, else the observed one.
    pub fn derivatives(&self, npred: &Array3<f64>, expected: bool) -> Derivatives {
        let mut slope = Array3::zeros(npred.dim());
        let mut curvature = Array3::zeros(npred.dim());
        slope.axis_iter_mut(Axis(0)).into_par_iter().zip(curvature.axis_iter_mut(Axis(0))).enumerate().for_each(
            |(e, (mut slope, mut curvature))| {
                for ((y, x), s) in slope.indexed_iter_mut() {
                    if self.counts_in((e, y, x)) {
                        let bin = self.bin((e, y, x), npred[[e, y, x]]);
                        *s = bin.slope;
                        curvature[[y, x]] = if expected { bin.expected } else { bin.curvature };
                    }
                }
            },
        );
        Derivatives { value: self.value(npred), slope, curvature }
    }

    /// Refuses bins that count but cannot be predicted or were not measured.
    pub fn check(&self, npred: &Array3<f64>) -> Result<()> {
        let bad =
            |values: &Array3<f64>| values.indexed_iter().filter(|(i, v)| self.counts_in(*i) && !v.is_finite()).count();
        let negative = self.counts.indexed_iter().filter(|(i, v)| self.counts_in(*i) && **v < 0.0).count();
        for (item, number, what) in [
            ("npred", bad(npred), "have no finite predicted counts"),
            ("counts", bad(&self.counts), "have no finite counts"),
            ("counts", negative, "have negative counts"),
        ] {
            if number > 0 {
                let problem = format!("dataset '{}': {number} unmasked bins {what}", self.name);
                let help = match item {
                    "npred" => {
                        "are the models finite at all energies there? else mask these bins in mask_safe or mask_fit"
                    }
                    _ => "mask them in mask_safe or mask_fit",
                };
                return Err(Error::input(item, problem).with_help(help));
            }
        }
        Ok(())
    }

    /// Number of bins that count.
    pub fn bins(&self) -> usize {
        self.mask.as_ref().map_or(self.counts.len(), |m| m.iter().filter(|v| **v).count())
    }
}
