//! The likelihood around a point: −2 ln L of a dataset with its derivatives.

use std::sync::Arc;

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::derivatives::{Curve, Place, bends, curve, moved, multiple, pair, scalar, sky};
use super::source::{Block, add, add_symmetric, difference, joined, product, weighted_product};
use super::term::{Derivatives, Term, Value};
use crate::control::Control;
use crate::error::Result;
use crate::models::{Model, Models};

/// Which second derivatives are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Those that are expected where the prediction holds, without those of the predicted counts: Fisher's scoring, which
    /// leads from afar.
    Expected,
    /// Those of the counts that are seen, without those of the predicted counts.
    Observed,
    /// All but the second derivatives by two parameters of a shape, which cost most.
    Bent,
    /// All.
    Exact,
}

/// The likelihood around a point.
#[derive(Debug, Clone)]
pub(super) struct Local {
    pub value: Value,
    /// Derivatives of −2 ln L by the free parameters.
    pub gradient: Vec<f64>,
    /// Second derivatives without those of the predicted counts: positive where there is any effect at all.
    pub gauss: Array2<f64>,
    /// With those of the predicted counts, where they were asked for.
    pub hessian: Option<Array2<f64>>,
}

impl Local {
    /// What a step is made with.
    pub fn matrix(&self) -> &Array2<f64> {
        self.hessian.as_ref().unwrap_or(&self.gauss)
    }
}

#[expect(clippy::too_many_arguments, reason = "one step of Problem::local, on its parts")]
pub(super) fn term_local(
    term: &mut Term<'_>,
    models: &Models,
    places: &[Place],
    reach: &[(f64, f64)],
    order: Order,
    local: &mut Local,
    second: &mut Array2<f64>,
    control: &Control,
) -> Result<()> {
    let is_bent = order >= Order::Bent;
    // Derivatives of the predicted counts by free parameter.
    let mut blocks: Vec<Option<Block>> = vec![None; reach.len()];
    let put = |blocks: &mut Vec<Option<Block>>, free: usize, block: Block| {
        blocks[free] = Some(match &blocks[free] {
            Some(other) => joined(other, &block),
            None => block,
        });
    };
    let of_component = |component: usize| -> (Vec<Place>, Vec<Place>) {
        places.iter().filter(|p| p.component == component).partition(|p| !p.is_shape)
    };

    // What a source's second derivatives need again.
    struct Kept {
        component: usize,
        shapes: Vec<Place>,
        spectral: Vec<Place>,
        fluxes: Curve,
        exposed: Arc<Array3<f64>>,
        slopes: Vec<Array3<f64>>,
    }
    let mut kept: Vec<Kept> = Vec::new();
    let background = match term.background {
        Some(place) => {
            let model = &models.components[place];
            let (spectral, shapes) = of_component(place);
            let factors = curve(model, &spectral, reach, is_bent, |m| Ok(term.background_factors(m)))?;
            let put = |free, block| put(&mut blocks, free, block);
            match term.background_cube() {
                Some(background) => Some((model, background.local(model, (spectral, shapes), factors, reach, put)?)),
                None => None,
            }
        }
        None => None,
    };
    let mut total = term.npred_background(models)?;
    let mut templates: Vec<(Vec<Place>, Curve)> = Vec::new();
    for template in &term.templates {
        let model = &models.components[template.component];
        let (spectral, _) = of_component(template.component);
        let factors = curve(model, &spectral, reach, is_bent, |m| Ok(template.factors(m)))?;
        for (p, slope) in spectral.iter().zip(&factors.first) {
            put(&mut blocks, p.free, template.block(slope));
        }
        add(&mut total, &template.block(&factors.value), 1.0);
        templates.push((spectral, factors));
    }
    if let Some((evaluator, sources)) = term.evaluator_and_sources() {
        for source in sources.iter_mut() {
            control.check()?;
            let model = &models.components[source.component];
            let (spectral, shapes) = of_component(source.component);
            let fluxes = curve(model, &spectral, reach, is_bent, |m| evaluator.flux(sky(m)?))?;
            let exposed = source.exposed(sky(model)?, &evaluator, control)?;
            let signal = source.fold(&exposed, &fluxes.value, &evaluator, control)?;
            add(&mut total, &signal, 1.0);
            for (p, slope) in spectral.iter().zip(&fluxes.first) {
                let block = match multiple(&fluxes.value, slope) {
                    Some(ratio) => Block { data: Arc::new(signal.data.as_ref() * ratio), ..signal.clone() },
                    None => source.fold(&exposed, slope, &evaluator, control)?,
                };
                put(&mut blocks, p.free, block);
            }
            let mut slopes = Vec::new();
            for p in &shapes {
                let (down, up) = reach[p.free];
                let high = source.exposed(sky(&moved(model, &[(p.index, up)])?)?, &evaluator, control)?;
                let low = source.exposed(sky(&moved(model, &[(p.index, -down)])?)?, &evaluator, control)?;
                let slope = difference(&high, &low, (up + down).max(f64::MIN_POSITIVE));
                put(&mut blocks, p.free, source.fold(&slope, &fluxes.value, &evaluator, control)?);
                slopes.push(slope);
            }
            if is_bent {
                kept.push(Kept { component: source.component, shapes, spectral, fluxes, exposed, slopes });
            }
        }
    }

    let Derivatives { value, slope, curvature } = term.derivatives(&total, order == Order::Expected);
    local.value += value;
    for (k, block) in blocks.iter().enumerate() {
        if let Some(block) = block {
            local.gradient[k] += product(&slope, block);
        }
    }
    let pairs: Vec<(usize, usize)> = (0..blocks.len()).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    let products: Vec<f64> = pairs
        .par_iter()
        .map(|(i, j)| match (&blocks[*i], &blocks[*j]) {
            (Some(a), Some(b)) => weighted_product(&curvature, a, b),
            _ => 0.0,
        })
        .collect();
    for ((i, j), value) in pairs.into_iter().zip(products) {
        add_symmetric(&mut local.gauss, i, j, value);
    }
    if !is_bent {
        return Ok(());
    }

    // Second derivatives of the predicted counts against the slopes of the bins.
    if let (Some((model, kept)), Some(background)) = (&background, term.background_cube()) {
        background.add_second(model, kept, &slope, reach, order == Order::Exact, second)?;
    }
    let mut pair = |p: &Place, q: &Place, same: bool, value: f64| pair(second, p, q, same, value);
    for (template, (spectral, factors)) in term.templates.iter().zip(&templates) {
        let sums = template.sums(&slope);
        for (i, p) in spectral.iter().enumerate() {
            for (j, q) in spectral[..=i].iter().enumerate() {
                pair(p, q, i == j, scalar(&factors.second[i][j], &sums));
            }
        }
    }
    let Some((evaluator, sources)) = term.evaluator_and_sources() else { return Ok(()) };
    for (source, kept) in sources.iter_mut().zip(&kept) {
        control.check()?;
        let model = &models.components[kept.component];
        let part = source.cut(slope.view(), &evaluator, control)?;
        let sums = source.per_flux(&kept.exposed, &part);
        for (i, p) in kept.spectral.iter().enumerate() {
            for (j, q) in kept.spectral[..=i].iter().enumerate() {
                pair(p, q, i == j, scalar(&kept.fluxes.second[i][j], &sums));
            }
        }
        for (i, p) in kept.shapes.iter().enumerate() {
            let by_shape = source.per_flux(&kept.slopes[i], &part);
            for (q, flux) in kept.spectral.iter().zip(&kept.fluxes.first) {
                pair(p, q, false, scalar(flux, &by_shape));
            }
            if order < Order::Exact {
                continue;
            }
            let at = |model: &Model| source.exposed(sky(model)?, &evaluator, control);
            for (q, bend) in bends(model, &kept.shapes[..=i], reach, &kept.exposed, at)? {
                let same = q.index == p.index;
                pair(p, &q, same, scalar(&kept.fluxes.value, &source.per_flux(&bend, &part)));
            }
        }
    }
    Ok(())
}
