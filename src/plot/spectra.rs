//! Charts of flux points: spectra, light curves, likelihood profiles.

use super::chart::{Chart, ChartPoint, Series};
use super::label::rounded;
use super::profiles::ProfileColumn;
use crate::error::{Error, Result};
use crate::flux::{FluxPoints, SedType};
use crate::maps::{Map, MapAxis};
use crate::models::SpectralModel;
use crate::models::spectral::SpectralErrors;

/// Rise above the best fit up to which profiles are drawn: 9 is three standard deviations.
const PROFILE_RISE: f64 = 9.0;

/// Energies of a model's line.
const MODEL_POINTS: usize = 200;

/// What the axis of fluxes is called.
fn flux_name(sed: SedType) -> &'static str {
    match sed {
        SedType::Likelihood => "norm",
        SedType::Dnde => "dN/dE",
        SedType::Flux => "flux",
        SedType::Eflux => "energy flux",
        SedType::E2dnde => "E² dN/dE",
    }
}

/// The unit that energy fluxes are shown in.
const ERG: &str = "erg s-1 cm-2";

/// Values, errors and limits of one SED type, plane by plane.
struct Values {
    value: Vec<f64>,
    below: Vec<f64>,
    above: Vec<f64>,
    limit: Vec<f64>,
    is_limit: Vec<bool>,
    unit: String,
}

impl Values {
    fn of(points: &FluxPoints, sed: SedType) -> Result<Self> {
        let unit = match sed {
            SedType::Eflux | SedType::E2dnde => ERG.to_string(),
            other => other.unit().to_string(),
        };
        let maps = points.to_maps(sed)?;
        let find = |ending: &str| -> Result<Option<Vec<f64>>> {
            let name = format!("{}{ending}", sed.stem());
            let Some((_, map)) = maps.iter().find(|(n, _)| *n == name) else { return Ok(None) };
            let map: Map = if unit.is_empty() { map.as_ref().clone() } else { map.to_unit(&unit)? };
            Ok(Some(map.data().iter().collect()))
        };
        let value = find("")?.unwrap_or_default();
        let nothing = || vec![f64::NAN; value.len()];
        let symmetric = find("_err")?.unwrap_or_else(nothing);
        let one_sided = |values: Option<Vec<f64>>| -> Vec<f64> {
            // Where one side is not known the symmetric error is the best guess.
            let own = values.unwrap_or_else(nothing);
            own.iter().zip(&symmetric).map(|(a, b)| if a.is_finite() { *a } else { *b }).collect()
        };
        let (below, above) = (one_sided(find("_errn")?), one_sided(find("_errp")?));
        let limit = find("_ul")?.unwrap_or_else(nothing);
        let flags: Vec<f64> = points.is_ul()?.data().iter().collect();
        let is_limit = flags.iter().zip(&limit).map(|(flag, ul)| *flag == 1.0 && ul.is_finite()).collect();
        Ok(Self { value, below, above, limit, is_limit, unit })
    }

    fn point(&self, i: usize, x: f64, range: Option<(f64, f64)>) -> Option<ChartPoint> {
        let point = if self.is_limit[i] {
            ChartPoint::upper_limit(x, self.limit[i])
        } else if self.value[i].is_finite() {
            let point = ChartPoint::new(x, self.value[i]);
            match (self.below[i].is_finite(), self.above[i].is_finite()) {
                (true, true) => point.y_error(self.below[i], self.above[i]),
                _ => point,
            }
        } else {
            return None;
        };
        Some(match range {
            Some((lo, hi)) => point.x_range(lo, hi),
            None => point,
        })
    }
}

/// A reference energy in TeV, and the ends of its bin where there are bins.
pub(super) type EnergyPoint = (f64, Option<(f64, f64)>);

pub(super) fn energies(points: &FluxPoints) -> Result<Vec<EnergyPoint>> {
    let bins = points.energy_axis()?.has_bins();
    let (min, max) = (points.energy_min_tev()?, points.energy_max_tev()?);
    Ok(points
        .energy_ref_tev()?
        .into_iter()
        .zip(min.into_iter().zip(max))
        .map(|(e, b)| (e, bins.then_some(b)))
        .collect())
}

/// The energy unit that keeps numbers of an axis short, and what TeV are multiplied with.
pub(super) fn energy_unit(least_tev: f64) -> (&'static str, f64) {
    match least_tev {
        e if e < 2e-8 => ("keV", 1e9),
        e if e < 2e-5 => ("MeV", 1e6),
        e if e < 0.02 => ("GeV", 1e3),
        _ => ("TeV", 1.0),
    }
}

/// As [`energy_unit`] for an axis with two ends: one without powers of ten, where there is one.
pub(super) fn axis_unit(lo_tev: f64, hi_tev: f64) -> (&'static str, f64) {
    let (unit, factor) = energy_unit(lo_tev);
    if hi_tev * factor > 1e4 && lo_tev >= 1e-3 { ("TeV", 1.0) } else { (unit, factor) }
}

/// Spectra of flux points with errors, and limits as arrows, one colour per source; names stand in the legend. Both axes
/// are logarithmic, with powers of ten where the numbers are not handy.
///
/// # Errors
/// Where points have more axes than energy, or a reference model does not allow the SED type.
pub fn sed_chart(spectra: &[(&str, &FluxPoints)], sed: SedType) -> Result<Chart> {
    let mut least = f64::INFINITY;
    for (name, points) in spectra {
        if points.geom().axes().len() != 1 {
            return Err(Error::input(*name, "a spectrum has an energy axis only, these points have more axes"));
        }
        least = points.energy_min_tev()?.into_iter().fold(least, f64::min);
    }
    let (energy, factor) = energy_unit(least);
    let mut chart = Chart::new().x("Energy", energy).log_x().log_y().powers_of_ten();
    for (name, points) in spectra {
        let values = Values::of(points, sed)?;
        let list: Vec<ChartPoint> = energies(points)?
            .into_iter()
            .enumerate()
            .filter_map(|(i, (e, bin))| values.point(i, e * factor, bin.map(|(a, b)| (a * factor, b * factor))))
            .collect();
        chart = chart.y(flux_name(sed), &values.unit).series(Series::points(*name, &list));
    }
    Ok(chart)
}

/// A model's line between two energies, and the band of its errors where it has any: those of its parameters, taken as
/// independent ([`points_fit_charts`](super::points_fit_charts) knows correlations). Goes into a chart of the same SED
/// type: [`sed_chart`].
///
/// # Errors
/// For SED types that are not a differential flux.
pub fn model_series(model: &dyn SpectralModel, name: &str, sed: SedType, tev: (f64, f64)) -> Result<Vec<Series>> {
    let errors = SpectralErrors::independent(model)?;
    model_lines(&|e| errors.evaluate(e), errors.is_empty(), name, sed, tev)
}

/// A line between two energies of differential fluxes, and unless it is to be bare the band of their errors.
pub(super) fn model_lines(
    dnde: &dyn Fn(f64) -> (f64, f64),
    bare: bool,
    name: &str,
    sed: SedType,
    tev: (f64, f64),
) -> Result<Vec<Series>> {
    let (line, band) = model_points(dnde, sed, tev)?;
    let line = Series::line(name, &line);
    Ok(if bare { vec![line] } else { vec![Series::band("", &band), line.like_previous()] })
}

/// Energy and flux, and energy with the ends of the flux's error, in the units of a chart of that SED type.
type ModelPoints = (Vec<(f64, f64)>, Vec<(f64, f64, f64)>);

fn model_points(dnde: &dyn Fn(f64) -> (f64, f64), sed: SedType, tev: (f64, f64)) -> Result<ModelPoints> {
    let erg_per_tev = 1.602_176_634;
    let weight = |e: f64| match sed {
        SedType::Dnde => Ok(1.0),
        SedType::E2dnde => Ok(e * e * erg_per_tev),
        other => Err(Error::options("sed_type", format!("a model is drawn as dnde or e2dnde, not {}", other.name()))),
    };
    let (_, factor) = energy_unit(tev.0);
    let steps = (MODEL_POINTS - 1) as f64;
    let mut line = Vec::with_capacity(MODEL_POINTS);
    let mut band = Vec::with_capacity(MODEL_POINTS);
    for e in (0..MODEL_POINTS).map(|i| tev.0 * (tev.1 / tev.0).powf(i as f64 / steps)) {
        let ((value, error), w) = (dnde(e), weight(e)?);
        line.push((e * factor, value * w));
        band.push((e * factor, (value - error) * w, (value + error) * w));
    }
    Ok((line, band))
}

/// A light curve: fluxes against modified Julian date, one colour per energy bin.
///
/// # Errors
/// Where there is no time axis, or the reference model does not allow the SED type.
pub fn light_curve_chart(points: &FluxPoints, sed: SedType) -> Result<Chart> {
    let axis = points.geom().axis("time")?;
    let reference = axis.time_reference().cloned().unwrap_or_default();
    let days = axis.unit().factor_to_text("d")?;
    let mjd = |v: f64| reference.mjdrefi as f64 + (reference.mjdreff + v * days);
    let bins: Vec<(f64, f64)> = axis.bounds().into_iter().map(|(a, b)| (mjd(a), mjd(b))).collect();
    // Dates of a few hours differ in their last digits only: those before them go into the axis' name.
    let (first, last) = (bins[0].0, bins[bins.len() - 1].1);
    let zero = if last - first < 50.0 { first.floor() } else { 0.0 };
    let values = Values::of(points, sed)?;
    let name = if zero > 0.0 { format!("MJD − {zero}") } else { "MJD".to_string() };
    let mut chart = Chart::new().x(name, "d").y(flux_name(sed), &values.unit);
    let energies = energies(points)?;
    let (unit, factor) = energy_unit(energies.first().map_or(1.0, |e| e.1.map_or(e.0, |b| b.0)));
    for (bin, (e, ends)) in energies.iter().enumerate() {
        let label = match ends {
            Some((a, b)) => format!("{} – {} {unit}", rounded(a * factor), rounded(b * factor)),
            None => format!("{} {unit}", rounded(e * factor)),
        };
        let list: Vec<ChartPoint> = bins
            .iter()
            .enumerate()
            .filter_map(|(t, (a, b))| {
                values.point(bin + energies.len() * t, 0.5 * (a + b) - zero, Some((a - zero, b - zero)))
            })
            .collect();
        chart = chart.series(Series::points(label, &list));
    }
    Ok(chart)
}

/// Likelihood profiles as columns of colour (rise above the best fit, up to 9) with the points on top, over energy or,
/// for light curves of one energy bin, over time.
///
/// # Errors
/// Where there are no profiles, or the reference model does not allow the SED type.
pub fn profile_chart(points: &FluxPoints, sed: SedType) -> Result<Chart> {
    let over_time = points.geom().axes().len() > 1;
    let chart = if over_time { light_curve_chart(points, sed)? } else { sed_chart(&[("", points)], sed)? }.all_white();
    let values = Values::of(points, sed)?;
    let (rise, norms) = (points.ts_scan()?, points.norm_scan()?);
    let common = points.geom();
    let is_scan = |a: &&MapAxis| common.axis(a.name()).is_err();
    let axes = rise.geom().axes();
    let position = axes.iter().position(|a| is_scan(&a)).unwrap_or_default();
    let (below, n): (usize, usize) = (axes[..position].iter().map(MapAxis::nbin).product(), axes[position].nbin());
    let (rise, norms): (Vec<f64>, Vec<f64>) = (rise.data().iter().collect(), norms.data().iter().collect());
    let reference = points.reference_values(sed)?;
    // From the SED type's own unit to the one of the chart.
    let factor = if values.unit.is_empty() {
        1.0
    } else {
        sed.unit().parse::<crate::units::Unit>()?.factor_to_text(&values.unit)?
    };
    let ends = chart_ends(points, over_time)?;
    let columns: Vec<ProfileColumn> = ends
        .iter()
        .enumerate()
        .map(|(i, (lo, hi))| {
            let scale = factor * reference[if over_time { 0 } else { i }];
            let at = |k: usize| i % below + below * (k + n * (i / below));
            let list: Vec<(f64, f64)> = (0..n).map(|k| (norms[at(k)] * scale, rise[at(k)])).collect();
            ProfileColumn::new(*lo, *hi, &list)
        })
        .collect();
    Ok(chart.profiles(columns, "rise of stat above the best fit", PROFILE_RISE))
}

/// Ends of the columns in the chart's units.
fn chart_ends(points: &FluxPoints, over_time: bool) -> Result<Vec<(f64, f64)>> {
    if over_time {
        let axis = points.geom().axis("time")?;
        let reference = axis.time_reference().cloned().unwrap_or_default();
        let days = axis.unit().factor_to_text("d")?;
        let mjd = |v: f64| reference.mjdrefi as f64 + (reference.mjdreff + v * days);
        let bins: Vec<(f64, f64)> = axis.bounds().into_iter().map(|(a, b)| (mjd(a), mjd(b))).collect();
        let zero = if bins[bins.len() - 1].1 - bins[0].0 < 50.0 { bins[0].0.floor() } else { 0.0 };
        return Ok(bins.into_iter().map(|(a, b)| (a - zero, b - zero)).collect());
    }
    let (min, max) = (points.energy_min_tev()?, points.energy_max_tev()?);
    let (_, factor) = energy_unit(min.iter().copied().fold(f64::INFINITY, f64::min));
    Ok(min.into_iter().zip(max).map(|(a, b)| (a * factor, b * factor)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flux::{FromTable, TableFormat};
    use crate::table::{Column, Table};

    fn points(n: usize) -> FluxPoints {
        let mut table = Table::new();
        let e = |i: usize| 10f64.powi(i as i32);
        table.push(Column::floats("e_min", "TeV".parse().unwrap(), (0..n).map(e).collect())).unwrap();
        table.push(Column::floats("e_max", "TeV".parse().unwrap(), (0..n).map(|i| e(i + 1)).collect())).unwrap();
        let flux = (0..n).map(|i| if i == 1 { f64::NAN } else { 1e-12 / e(i) }).collect();
        table.push(Column::floats("flux", "cm-2 s-1".parse().unwrap(), flux)).unwrap();
        table
            .push(Column::floats("flux_err", "cm-2 s-1".parse().unwrap(), (0..n).map(|i| 2e-13 / e(i)).collect()))
            .unwrap();
        table
            .push(Column::floats("flux_ul", "cm-2 s-1".parse().unwrap(), (0..n).map(|i| 2e-12 / e(i)).collect()))
            .unwrap();
        table
            .push(Column::floats(
                "sqrt_ts",
                Default::default(),
                (0..n).map(|i| if i == 1 { 1.0 } else { 5.0 }).collect(),
            ))
            .unwrap();
        FluxPoints::from_table(&table, &FromTable::default()).unwrap().0
    }

    fn svg(chart: Chart) -> String {
        String::from_utf8(chart.draw().unwrap().to_svg_with_text()).unwrap()
    }

    #[test]
    fn spectra_have_units_limits_and_models() {
        let points = points(3);
        let mut chart = sed_chart(&[("A", &points), ("B", &points)], SedType::E2dnde).unwrap();
        for series in model_series(points.reference_spectral_model(), "reference", SedType::E2dnde, (1.0, 1e3)).unwrap()
        {
            chart = chart.series(series);
        }
        let text = svg(chart);
        for wanted in ["Energy [TeV]", "E² dN/dE [erg s⁻¹ cm⁻²]", ">2×10⁻¹²<", ">10<", ">A<", ">B<", ">reference<"]
        {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
        assert!(!text.contains("NaN"));
        assert!(model_series(points.reference_spectral_model(), "", SedType::Flux, (1.0, 2.0)).is_err());
        assert!(points.to_table(SedType::Flux, Some(TableFormat::LightCurve)).is_err());
        assert!(light_curve_chart(&points, SedType::Flux).is_err() && profile_chart(&points, SedType::Flux).is_err());
    }

    #[test]
    fn errors_of_parameters_make_a_band() {
        use crate::models::spectral::PowerLawSpectralModel;
        let model = PowerLawSpectralModel::new(2.0, 1e-12, 1.0);
        let mut parameters = model.parameters().to_vec();
        parameters[1].error = 2e-13;
        let model = model.with_parameters(&parameters).unwrap();
        let series = model_series(model.as_ref(), "m", SedType::Dnde, (1.0, 10.0)).unwrap();
        assert_eq!(series.len(), 2);
        let errors = SpectralErrors::independent(model.as_ref()).unwrap();
        let (line, band) = model_points(&|e| errors.evaluate(e), SedType::Dnde, (1.0, 10.0)).unwrap();
        assert_eq!(series, [Series::band("", &band), Series::line("m", &line).like_previous()]);
        let wanted = band_of(model.as_ref());
        assert_eq!(band.len(), wanted.len());
        for (found, wanted) in band.iter().zip(wanted) {
            assert_eq!(found.0, wanted.0);
            // Differences of two fluxes on one side, derivatives on the other.
            assert!((found.1 / wanted.1 - 1.0).abs() < 1e-12 && (found.2 / wanted.2 - 1.0).abs() < 1e-12);
        }
    }

    /// The band of an amplitude's error of a fifth.
    fn band_of(model: &dyn SpectralModel) -> Vec<(f64, f64, f64)> {
        let energy = |i: usize| 1.0 * 10f64.powf(i as f64 / 199.0);
        (0..200)
            .map(|i| {
                let (e, v) = (energy(i), model.evaluate(energy(i)));
                let mut more = model.parameters().to_vec();
                more[1].value += 2e-14;
                let shift = 10.0 * (model.with_parameters(&more).unwrap().evaluate(e) - v);
                let error = (shift * shift).sqrt();
                assert!((error / v - 0.2).abs() < 1e-9);
                (e, v - error, v + error)
            })
            .collect()
    }
}
