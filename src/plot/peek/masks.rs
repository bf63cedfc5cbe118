//! Where and at which energies a dataset is inside of its masks.

use ndarray::Array2;

use super::super::chart::{Chart, Series};
use super::super::counts::reference_map;
use super::super::figure::Figure;
use super::super::image::MapImage;
use super::super::label::range_text;
use super::super::spectra::axis_unit;
use super::images::Images;
use super::{FLAT, MOST_PANELS};
use crate::datasets::DatasetRef;
use crate::error::{Error, Result};
use crate::maps::{Geom, Mask};

/// The share of pixels inside of mask_safe, mask_fit and both over energy.
///
/// # Errors
/// [`Error::Input`] without a mask, or for masks that do not fit each other.
pub fn mask_chart<'a>(dataset: impl Into<DatasetRef<'a>>) -> Result<Chart> {
    let dataset = dataset.into();
    let common = dataset.common()?;
    let edges = reference_map(dataset)?.geom().axis("energy")?.edges_tev()?;
    let (unit, factor) = axis_unit(edges[0], edges[edges.len() - 1]);
    let edges: Vec<f64> = edges.into_iter().map(|e| e * factor).collect();
    let share = |mask: &Mask| -> Vec<f64> {
        let cube = mask.cube();
        let pixels = (cube.dim().1 * cube.dim().2).max(1) as f64;
        cube.outer_iter().map(|plane| plane.iter().filter(|m| **m).count() as f64 / pixels).collect()
    };
    let mut chart = Chart::new()
        .x("Energy", unit)
        .y("share of pixels inside", "")
        .log_x()
        .x_range(edges[0], edges[edges.len() - 1])
        .y_range(0.0, 1.3);
    let masks = [("mask_safe", &common.mask_safe), ("mask_fit", &common.mask_fit)];
    let there: Vec<(&str, &Mask)> = masks.iter().filter_map(|(name, m)| m.as_ref().map(|m| (*name, m))).collect();
    if there.is_empty() {
        return Err(common.missing("mask_safe or mask_fit"));
    }
    for (name, mask) in &there {
        if mask.cube().dim().0 + 1 != edges.len() {
            return Err(Error::input(*name, "it has another number of energies than the counts"));
        }
        let values = share(mask);
        if there.len() == 1 {
            chart = chart.series(Series::filled_steps("", &edges, &values));
            chart = chart.series(Series::steps(*name, &edges, &values).like_previous());
        } else {
            chart = chart.series(Series::steps(*name, &edges, &values));
        }
    }
    if let (2, Some(both)) = (there.len(), common.mask()?) {
        chart = chart.series(Series::dashed_steps("both", &edges, &share(&both)).dark());
    }
    Ok(chart)
}

/// The masks: how many pixels are inside over energy and, for up to twelve different energies (or the chosen one), which.
/// Neighbouring energies with the same masks share a panel.
///
/// # Errors
/// Those of [`mask_chart`]; [`Error::Options`] for an energy bin that is not there.
pub fn masks_figure<'a>(dataset: impl Into<DatasetRef<'a>>, energy: Option<usize>) -> Result<Figure> {
    let dataset = dataset.into();
    let common = dataset.common()?;
    let chart = mask_chart(dataset)?;
    let reference = reference_map(dataset)?;
    let Geom::Wcs(geom) = reference.geom().as_ref() else { return Ok(Figure::new().panel(chart)) };
    let geom = geom.to_image();
    let edges = reference.geom().axis("energy")?.edges_tev()?;
    let bins: Vec<usize> = match energy {
        Some(bin) if bin + 1 >= edges.len() => {
            return Err(Error::options(
                "energy",
                format!("{bin} is not one of the energy bins 0 to {}", edges.len() - 2),
            ));
        }
        Some(bin) => vec![bin],
        None => (0..edges.len() - 1).collect(),
    };
    let images = Images::of(dataset, &[])?;
    let aspect = images.aspect();
    let chart = chart.aspect(aspect.clamp(FLAT, 1.0));
    let meaning = match (&common.mask_safe, &common.mask_fit) {
        (Some(_), Some(_)) => "yellow: inside of both masks, green: of mask_fit only, blue: of mask_safe only",
        (Some(_), None) => "yellow: inside of mask_safe",
        _ => "yellow: inside of mask_fit",
    };
    let figure = Figure::new().columns(if aspect < FLAT { 1 } else { 3 });
    // 0: outside, 1: of mask_safe only, 2: of mask_fit only, 3: inside of all masks that there are.
    let value = |mask: &Option<Mask>, bin: usize, (y, x): (usize, usize)| mask.as_ref().map(|m| m.cube()[[bin, y, x]]);
    let image_of = |bin: usize| -> Array2<u8> {
        Array2::from_shape_fn((geom.ny(), geom.nx()), |at| {
            match (value(&common.mask_safe, bin, at), value(&common.mask_fit, bin, at)) {
                (Some(true), Some(true)) | (Some(true), None) | (None, Some(true)) => 3,
                (Some(false), Some(true)) => 2,
                (Some(true), Some(false)) => 1,
                _ => 0,
            }
        })
    };
    // Neighbours that are the same share a panel: first and last bin, and the image.
    let mut groups: Vec<(usize, usize, Array2<u8>)> = Vec::new();
    for bin in bins.iter().copied() {
        let image = image_of(bin);
        match groups.last_mut() {
            Some((_, last, same)) if *same == image => *last = bin,
            _ => groups.push((bin, bin, image)),
        }
    }
    if groups.len() > MOST_PANELS {
        // At how many of the energies a pixel is inside.
        let mut figure = figure.panel(chart);
        for (name, mask) in [("mask_safe", &common.mask_safe), ("mask_fit", &common.mask_fit)] {
            let Some(mask) = mask else { continue };
            let count = Array2::from_shape_fn((geom.ny(), geom.nx()), |(y, x)| {
                mask.cube().outer_iter().filter(|plane| plane[[y, x]]).count() as f64
            });
            let panel = MapImage::new(&count, &geom)?.title(format!("Energies inside of {name}, of {}", bins.len()));
            figure = figure.panel(panel.quantity("energy bins", "").range(0.0, bins.len() as f64));
        }
        return Ok(figure);
    }
    let figure =
        if groups.len() < 3 { figure.columns(if aspect < FLAT { 1 } else { groups.len() + 1 }) } else { figure };
    let mut figure = figure.title(format!("{meaning}; hatched: outside")).panel(chart.title("Share of pixels"));
    for (first, last, image) in groups {
        let shown = image.mapv(|v| if v == 0 { f64::NAN } else { f64::from(v) });
        let title = range_text(edges[first], edges[last + 1]);
        figure = figure.panel(MapImage::new(&shown, &geom)?.title(title).range(0.0, 3.0).colour_bar(false));
    }
    Ok(figure)
}
