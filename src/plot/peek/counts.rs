//! Counts and what is predicted, as maps on one scale.

use ndarray::Array2;

use super::super::colour::ColourMap;
use super::super::counts::Parts;
use super::super::figure::Figure;
use super::super::marker::Marker;
use super::super::stretch::Stretch;
use super::images::Images;
use super::{FLAT, nothing_predicted};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::DatasetRef;
use crate::error::Result;
use crate::maps::{Map, SmoothKernel};

/// What [`counts_figure`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsMaps {
    /// Counts, and what is predicted where anything is.
    Counts,
    /// Counts without the background, and the predicted counts of the sources where there are any.
    Excess,
    /// Counts, all predicted counts, and their difference.
    Npred,
}

/// Counts and predicted counts as maps side by side, on one colour scale, summed over the energies inside of the masks
/// and smoothed, if wanted.
///
/// # Errors
/// [`Error::Input`](crate::error::Error::Input) for a region dataset, without counts, without a background for an excess, or where nothing is
/// predicted for `npred`; those of [`MapDataset::npred`](crate::datasets::MapDataset::npred).
pub fn counts_figure<'a>(
    dataset: impl Into<DatasetRef<'a>>,
    what: CountsMaps,
    smooth: Option<SmoothKernel>,
    markers: &[Marker],
    backend: &Backend,
    control: &Control,
) -> Result<Figure> {
    let dataset = dataset.into();
    let common = dataset.common()?;
    let images = Images::of(dataset, markers)?;
    let parts = Parts::of(dataset, backend, control)?;
    let image = |map: &Map| images.smooth(images.sum(map)?, smooth);
    let counts = image(common.require_counts()?)?;
    let mut panels: Vec<(&str, Array2<f64>)> = Vec::new();
    let mut difference = None;
    match what {
        CountsMaps::Counts => {
            panels.push(("Counts", counts));
            if let Some(npred) = &parts.npred {
                panels.push(("Predicted", image(npred)?));
            }
        }
        CountsMaps::Excess => {
            let background = parts.background.as_ref().ok_or_else(|| common.missing("background"))?;
            panels.push(("Excess", counts - image(background)?));
            if let Some(signal) = &parts.signal {
                panels.push(("Predicted: sources", image(signal)?));
            }
        }
        CountsMaps::Npred => {
            let npred = parts.npred.as_ref().ok_or_else(|| nothing_predicted(&common.name))?;
            let npred = image(npred)?;
            difference = Some(&counts - &npred);
            panels.push(("Counts", counts));
            panels.push(("Predicted", npred));
        }
    }
    let unit = if smooth.is_some() { "counts per pixel, smoothed" } else { "counts per pixel" };
    // One scale for what is compared.
    let ranges = panels.iter().map(|(title, image)| -> Result<_> {
        let panel = images.panel(image, *title)?.stretch(Stretch::Sqrt);
        Ok(panel.value_range())
    });
    let range = ranges
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        .unwrap_or((0.0, 1.0));
    let excess = what == CountsMaps::Excess;
    let n = panels.len() + usize::from(difference.is_some());
    let mut figure = Figure::new().columns(if images.aspect() < FLAT { 1 } else { n });
    for (title, image) in &panels {
        let panel = images.panel(image, *title)?.quantity(unit, "");
        figure = figure.panel(if excess {
            let most = range.0.abs().max(range.1.abs());
            panel.colours(ColourMap::Diverging).range(-most, most)
        } else {
            panel.colours(ColourMap::Inferno).stretch(Stretch::Sqrt).range(range.0, range.1)
        });
    }
    if let Some(difference) = difference {
        let panel = images.panel(&difference, "Counts − predicted")?.quantity(unit, "");
        figure = figure.panel(panel.colours(ColourMap::Diverging));
    }
    Ok(figure)
}
