//! A stack beside the runs that went into it.

use super::super::chart::{Chart, Series};
use super::super::counts::{CountsSpectrum, reference_map};
use super::super::figure::Figure;
use super::super::label::range_text;
use super::super::responses::containment_radii;
use super::super::spectra::axis_unit;
use super::{MOST_PANELS, center_of, nothing_predicted};
use crate::compute::Backend;
use crate::control::Control;
use crate::datasets::DatasetRef;
use crate::error::{Error, Result};
use crate::maps::MapAxis;

/// A stack beside the runs that went into it: predicted counts of runs, their sum and the stack over energy and the ratio
/// of both, and the 68 % radius of the PSF of each. Where all is right, the ratio is 1 and the stack's PSF lies within
/// those of the runs.
///
/// # Errors
/// [`Error::Input`] without runs, for more than twelve, or runs with other energies than the stack; those of
/// [`CountsSpectrum::of`], and where nothing is predicted.
pub fn stack_figure(
    stack: DatasetRef<'_>,
    runs: &[DatasetRef<'_>],
    backend: &Backend,
    control: &Control,
) -> Result<Figure> {
    if runs.is_empty() || runs.len() > MOST_PANELS {
        return Err(Error::input("runs", format!("{} runs; 1 to {MOST_PANELS} can be told apart", runs.len())));
    }
    let npred_of = |dataset: DatasetRef<'_>| -> Result<CountsSpectrum> {
        let spectrum = CountsSpectrum::of(dataset, None, backend, control)?;
        if spectrum.npred.is_none() { Err(nothing_predicted(&spectrum.name)) } else { Ok(spectrum) }
    };
    let whole = npred_of(stack)?;
    let same = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a / b - 1.0).abs() < 1e-6);
    let mut parts = Vec::new();
    for run in runs {
        let part = npred_of(*run)?;
        if !same(&part.edges_tev, &whole.edges_tev) {
            return Err(Error::input(part.name, format!("its energies are not those of '{}'", whole.name)));
        }
        parts.push(part);
    }
    let (unit, factor) = axis_unit(whole.edges_tev[0], whole.edges_tev[whole.edges_tev.len() - 1]);
    let edges: Vec<f64> = whole.edges_tev.iter().map(|e| e * factor).collect();
    let npred = |s: &CountsSpectrum| s.npred.clone().unwrap_or_default();
    let mut sum = vec![0.0; edges.len() - 1];
    let energy = || Chart::new().x("Energy", unit).log_x().x_range(edges[0], edges[edges.len() - 1]);
    let mut chart = energy().title("Predicted counts").y("npred per bin", "").log_y();
    for part in &parts {
        let values = npred(part);
        sum.iter_mut().zip(&values).for_each(|(s, v)| *s += v);
        chart = chart.series(Series::steps(&part.name, &edges, &values));
    }
    let total = npred(&whole);
    chart = chart.series(Series::steps("stack", &edges, &total).dark());
    chart = chart.series(Series::dashed_steps("sum of the runs", &edges, &sum));
    let ratio: Vec<f64> = total.iter().zip(&sum).map(|(t, s)| if *s > 0.0 { t / s } else { f64::NAN }).collect();
    let off = ratio.iter().filter(|r| r.is_finite()).map(|r| (r - 1.0).abs()).fold(0.01, f64::max);
    let ratio = energy()
        .title("Stack over the sum of the runs")
        .y("ratio of npred", "")
        .y_range(1.0 - 1.2 * off, 1.0 + 1.2 * off)
        .series(Series::level("", 1.0))
        .series(Series::steps("", &edges, &ratio).dark());
    let mut figure = Figure::new().panel(chart).panel(ratio);
    let mut radii = Chart::new().title("68 % radius of the PSF").y("radius", "deg").log_x();
    let mut any = false;
    for (dataset, name) in runs.iter().zip(parts.iter().map(|p| p.name.as_str())).chain([(&stack, "stack")]) {
        let Some(psf) = &dataset.common()?.psf else { continue };
        let line = containment_radii(psf, 0.68, center_of(reference_map(*dataset)?))?;
        let (unit, factor) = axis_unit(line.first().map_or(1.0, |p| p.0), line.last().map_or(1.0, |p| p.0));
        let line: Vec<(f64, f64)> = line.into_iter().map(|(e, r)| (e * factor, r)).collect();
        let series = Series::line(name, &line);
        radii = radii.x("True energy", unit).series(if name == "stack" { series.dark() } else { series });
        any = true;
    }
    if any {
        figure = figure.panel(radii);
    }
    let axis = reference_map(stack)?.geom().axis("energy")?;
    if let Some(chart) = response_chart(stack, runs, &parts, axis)? {
        figure = figure.panel(chart);
    }
    Ok(figure)
}

/// How one true energy in the middle is reconstructed, by the stack and by each run.
fn response_chart(
    stack: DatasetRef<'_>,
    runs: &[DatasetRef<'_>],
    parts: &[CountsSpectrum],
    axis: &MapAxis,
) -> Result<Option<Chart>> {
    let edges = axis.edges_tev()?;
    let (unit, factor) = axis_unit(edges[0], edges[edges.len() - 1]);
    let middle = (edges[0] * edges[edges.len() - 1]).sqrt();
    let edges: Vec<f64> = edges.into_iter().map(|e| e * factor).collect();
    let mut chart = None;
    for (dataset, name) in runs.iter().zip(parts.iter().map(|p| p.name.as_str())).chain([(&stack, "stack")]) {
        let Some(edisp) = &dataset.common()?.edisp else { continue };
        let matrix = edisp.matrix_at(center_of(reference_map(*dataset)?), axis)?;
        let truth = edisp.energy_true_axis()?.edges_tev()?;
        let row = truth.partition_point(|e| *e <= middle).saturating_sub(1).min(matrix.nrows() - 1);
        let range = range_text(truth[row], truth[row + 1]);
        let series = Series::steps(name, &edges, &matrix.row(row).to_vec());
        let fresh = || {
            let chart = Chart::new().title(format!("Energy dispersion of {range}")).y("probability per bin", "");
            chart.x("Energy", unit).log_x().x_range(edges[0], edges[edges.len() - 1])
        };
        let series = if name == "stack" { series.dark() } else { series };
        chart = Some(chart.unwrap_or_else(fresh).series(series));
    }
    Ok(chart)
}
