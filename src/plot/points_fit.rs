//! Charts of flux points with the models that were fitted to them, and what is left between the two.

use super::chart::{Chart, ChartPoint, Series};
use super::spectra::{energies, energy_unit, model_lines, sed_chart};
use crate::datasets::{FluxPointsDataset, ResidualMethod};
use crate::error::{Error, Result};
use crate::flux::{FluxQuantity, SedType};
use crate::maps::Map;
use crate::models::spectral::SpectralErrors;
use crate::models::{Covariance, SkyModel};

/// Room beside the energies, in shares of their logarithmic range.
const PAD: f64 = 0.04;
/// How far the chart goes beyond the points and limits, where models go further.
const BEYOND: f64 = 3.0;

/// Flux points with their models as lines, with bands of their errors (Gammapy's `plot_spectrum`), and the residuals as a
/// chart that goes below it in one column of a [`Figure`](super::Figure) (`plot_residuals`). With `covariance`, that of
/// all parameters of the dataset's models, bands have correlations; without, parameters count as independent.
///
/// Errors of residuals are those of the points, over the model for `diff/model`; upper limits have no residual.
///
/// # Errors
/// [`Error::Input`] for points with more axes than energy, where no model applies, or for a covariance of other models;
/// [`Error::Options`] for SED types that are not a differential flux, and for residuals of counts.
pub fn points_fit_charts(
    dataset: &FluxPointsDataset,
    sed: SedType,
    method: ResidualMethod,
    covariance: Option<&Covariance>,
) -> Result<(Chart, Chart)> {
    let residuals = residual_chart(dataset, method)?;
    let mut spectrum = sed_chart(&[(dataset.name.as_str(), &dataset.data)], sed)?;
    let (min, max) = dataset.energy_range()?;
    let ends = (min.to_tev(), max.to_tev());
    let models: Vec<&SkyModel> = dataset.models.sky_models(&dataset.name).collect();
    for model in &models {
        let errors = match covariance {
            Some(all) => {
                let own = all.of_spectrum(&dataset.models, &model.name)?;
                SpectralErrors::new(model.spectral.as_ref(), own.view())?
            }
            None => SpectralErrors::independent(model.spectral.as_ref())?,
        };
        for series in model_lines(&|e| errors.evaluate(e), errors.is_empty(), &model.name, sed, ends)? {
            spectrum = spectrum.series(series);
        }
    }
    if models.len() > 1 {
        let total = |e: f64| (models.iter().map(|m| m.spectral.evaluate(e)).sum(), 0.0);
        for series in model_lines(&total, true, "all models", sed, ends)? {
            spectrum = spectrum.series(series);
        }
    }
    // A model that falls off would leave the points a corner of the chart.
    if let Some((lo, hi)) = spectrum.y_of_points() {
        let (below, above) = spectrum.y_of_lines().unwrap_or((lo, hi));
        spectrum = spectrum.y_range(lo.min(below.max(lo / BEYOND)) / 1.3, hi.max(above.min(hi * BEYOND)) * 1.3);
    }
    let (_, factor) = energy_unit(ends.0);
    let pad = (ends.1 / ends.0).powf(PAD).max(1.01);
    let (left, right) = (ends.0 * factor / pad, ends.1 * factor * pad);
    Ok((spectrum.x_range(left, right).stand_above_another(), residuals.x_range(left, right)))
}

/// What is left of the points.
fn residual_chart(dataset: &FluxPointsDataset, method: ResidualMethod) -> Result<Chart> {
    let data = &dataset.data;
    if data.geom().axes().len() != 1 {
        let problem = "a spectrum has an energy axis only, these points have more axes";
        return Err(Error::input(&dataset.name, problem));
    }
    let values = |map: Map| -> Vec<f64> { map.data().iter().collect() };
    let residuals = values(dataset.residuals(method)?);
    let model = values(dataset.flux_pred()?);
    let error = |quantity: FluxQuantity, map: Result<Map>| match data.get(quantity) {
        Some(_) => map.map(values),
        None => Ok(vec![f64::NAN; residuals.len()]),
    };
    let symmetric = error(FluxQuantity::NormErr, data.dnde_err())?;
    let below = error(FluxQuantity::NormErrn, data.dnde_errn())?;
    let above = error(FluxQuantity::NormErrp, data.dnde_errp())?;
    let list = energies(data)?;
    let (unit, factor) = energy_unit(list.iter().map(|e| e.1.map_or(e.0, |b| b.0)).fold(f64::INFINITY, f64::min));
    let mut points = Vec::new();
    let mut largest = 0.0_f64;
    for (i, (e, bin)) in list.iter().enumerate().filter(|(i, _)| residuals[*i].is_finite()) {
        let scale = if method == ResidualMethod::DiffOverModel { 1.0 / model[i].abs() } else { 1.0 };
        let side = |own: f64| if own.is_finite() { own * scale } else { symmetric[i] * scale };
        let (down, up) = (side(below[i]), side(above[i]));
        let mut point = ChartPoint::new(e * factor, residuals[i]);
        if let Some((a, b)) = bin {
            point = point.x_range(a * factor, b * factor);
        }
        largest = largest.max(residuals[i].abs());
        if down.is_finite() && up.is_finite() {
            point = point.y_error(down, up);
            largest = largest.max((residuals[i] - down).abs()).max((residuals[i] + up).abs());
        }
        points.push(point);
    }
    let (name, flux_unit) = match method {
        ResidualMethod::DiffOverModel => ("(data − model) / model", ""),
        _ => ("data − model", SedType::Dnde.unit()),
    };
    let chart = Chart::new().x("Energy", unit).y(name, flux_unit).log_x().powers_of_ten().aspect(0.24);
    let chart = chart.series(Series::level("", 0.0)).series(Series::points("", &points));
    Ok(if largest > 0.0 { chart.y_range(-1.05 * largest, 1.05 * largest) } else { chart.y_range(-1.0, 1.0) })
}
