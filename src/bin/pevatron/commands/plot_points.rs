//! Charts of `pevatron plot`: flux points with their models, and histograms of significances.

use std::path::Path;

use pevatron::datasets::{FluxPointsDataset, ResidualMethod};
use pevatron::flux::{FluxMaps, FluxPoints, FluxPointsCollection, FromTable, SedType};
use pevatron::models::{Model, Models};
use pevatron::plot::{self, Figure, Marker};
use pevatron::{Error, Place, Result};

use super::energies::{chosen, range_text};
use super::plot_maps::MOST_PANELS;
use crate::args::PlotArgs;
use crate::report;

/// The significances of flux maps as a histogram.
pub fn histogram(args: &PlotArgs, markers: &[Marker]) -> Result<Figure> {
    let maps = FluxMaps::read(&args.file)?;
    let sqrt_ts = maps.sqrt_ts()?;
    let geom = sqrt_ts.wcs_geom()?.to_image();
    let radius = match &args.exclude_radius {
        Some(text) => Some(crate::args::named("exclude_radius", text.parse::<pevatron::units::Angle>())?.to_deg()),
        None => None,
    };
    if let Some(radius) = radius.filter(|r| !(*r > 0.0 && *r < 180.0)) {
        let problem = format!("{radius} deg must be positive, and below 180 deg: else nothing is left");
        return Err(Error::options("exclude_radius", problem));
    }
    let is_off = |i: usize, radius: f64| {
        let here = geom.pix_to_sky((i % geom.nx()) as f64, (i / geom.nx()) as f64);
        here.is_some_and(|p| markers.iter().filter_map(|m| m.position_on(&geom)).all(|m| m.separation_deg(p) > radius))
    };
    let off: Option<Vec<bool>> = radius.map(|r| (0..geom.nx() * geom.ny()).map(|i| is_off(i, r)).collect());
    let edges = sqrt_ts.geom().axis("energy")?.edges_tev()?;
    let mut figure = Figure::new();
    for group in chosen(args.energy.as_deref(), edges.len() - 1, Some(&edges))? {
        let values: Vec<f64> = sqrt_ts.plane_f64(group).iter().copied().collect();
        let title = range_text(edges[group], edges[group + 1]);
        figure = figure.panel(plot::significance_histogram(&values, off.as_deref())?.title(title));
    }
    Ok(figure)
}

/// A table of flux points: spectra, a light curve or likelihood profiles.
pub fn flux_points(args: &PlotArgs) -> Result<Figure> {
    let (collection, warnings) = FluxPointsCollection::read(&args.file, &FromTable::default())?;
    // The reference model matters to conversions alone.
    for warning in warnings.iter().filter(|w| !w.starts_with("no reference model")) {
        report::warning(&warning.to_string());
    }
    let sed = args.quantity.as_deref().map(str::parse::<SedType>).transpose()?;
    let first = collection.iter().next().map(|(_, p)| p);
    let Some(points) = first else { return Err(Error::input_at(Place::file(&args.file), "there are no flux points")) };
    let is_curve = points.time_axis().is_some();
    let natural = if is_curve { SedType::Flux } else { points.sed_type_plot_default() };
    let sed = sed.unwrap_or(natural);
    let chart = match args.kind.as_deref() {
        Some("profiles") => plot::profile_chart(points, sed)?,
        Some("sed") if is_curve => {
            return Err(Error::options("kind", "a light curve has no single spectrum").with_help("take light-curve"));
        }
        Some("light-curve") | None if is_curve => plot::light_curve_chart(points, sed)?,
        Some("light-curve") => {
            return Err(Error::options("kind", "the points have no times, so there is no light curve"));
        }
        _ => {
            if let Some(path) = &args.sources {
                let models = Models::read(path)?;
                return spectra_figure(&collection, Some(sed), Some(&models));
            }
            return spectra_figure(&collection, Some(sed), None);
        }
    };
    Ok(Figure::new().panel(chart))
}

/// Flux points with fitted models above, residuals below.
pub fn points_fit(args: &PlotArgs) -> Result<Figure> {
    let Some(path) = &args.dataset.models else {
        return Err(Error::options("models", "the kind fit compares the points with models")
            .with_help("give those that `pevatron fit` wrote"));
    };
    let sed = args.quantity.as_deref().map_or(Ok(SedType::E2dnde), str::parse)?;
    let mut dataset = FluxPointsDataset::read(&args.file)?;
    dataset.models = Models::read(path)?;
    let method = args.dataset.method.as_deref().map_or(Ok(ResidualMethod::DiffOverModel), str::parse)?;
    points_fit_figure(&dataset, sed, method, path)
}

/// The same as a figure; `models` is the file of the dataset's models, which may name a covariance.
pub fn points_fit_figure(
    dataset: &FluxPointsDataset,
    sed: SedType,
    method: ResidualMethod,
    models: &Path,
) -> Result<Figure> {
    let covariance = dataset.models.read_covariance(models)?;
    let (spectrum, residuals) = plot::points_fit_charts(dataset, sed, method, covariance.as_ref())?;
    Ok(Figure::new().columns(1).panel(spectrum).panel(residuals))
}

/// The spectra of a collection in one chart, and the model of one of them.
pub fn spectra_figure(
    collection: &FluxPointsCollection,
    sed: Option<SedType>,
    models: Option<&Models>,
) -> Result<Figure> {
    let default = collection.iter().next().map_or(SedType::Dnde, |(_, p)| p.sed_type_plot_default());
    let sed = sed.unwrap_or(default);
    let spectra: Vec<(&str, &FluxPoints)> =
        collection.iter().map(|(k, p)| (k.source.as_deref().unwrap_or("flux points"), p)).collect();
    if spectra.len() > MOST_PANELS {
        return Err(Error::options("sources", format!("{} spectra are too many for one chart", spectra.len())));
    }
    let mut chart = plot::sed_chart(&spectra, sed)?;
    // The source of the same name, where there is one.
    let named = |m: &Model| matches!(m, Model::Sky(sky) if spectra.iter().any(|(name, _)| *name == sky.name));
    let sky = |m: &Model| match m {
        Model::Sky(sky) => Some(sky.clone()),
        _ => None,
    };
    let list = models.map(|m| m.components.as_slice()).unwrap_or_default();
    if let Some(model) = list.iter().find(|m| named(m)).or(list.first()).and_then(sky) {
        let ends = |list: Vec<f64>, pick: fn(f64, f64) -> f64| list.into_iter().reduce(pick).unwrap_or(1.0);
        let (min, max) =
            (ends(spectra[0].1.energy_min_tev()?, f64::min), ends(spectra[0].1.energy_max_tev()?, f64::max));
        for series in plot::model_series(model.spectral.as_ref(), &model.name, sed, (min, max))? {
            chart = chart.series(series);
        }
    }
    Ok(Figure::new().panel(chart))
}
