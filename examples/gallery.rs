//! The pictures of docs/gallery.md, of simulated data: `cargo run --release --example gallery -- docs/gallery`.

use std::f64::consts::TAU;
use std::path::Path;

use pevatron::datasets::ResidualMethod;
use pevatron::estimators::{ExcessMapEstimator, PeakDistance, find_peaks_in_flux_map};
use pevatron::flux::{FluxMaps, FluxPoints};
use pevatron::irf::PsfMap;
use pevatron::maps::{MapAxis, SkyRegion, SmoothKernel};
use pevatron::models::spectral::PowerLawSpectralModel;
use pevatron::models::{Model, Models};
use pevatron::plot::{
    self, ColourMap, CountsMaps, CountsSpectrum, Figure, FitPanel, FittedParameter, MapImage, Marker, PeekOptions,
    PlotRegion, Stretch,
};
use pevatron::prelude::*;
use pevatron::simulate::{SPECTRAL_INDEX, SurveyField, fake_counts, survey_field};
use pevatron::time::TimeReference;

/// Epochs of the light curve.
const EPOCHS: usize = 16;

fn main() -> pevatron::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "gallery".to_string());
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let backend = Backend::new(&BackendOptions { choice: BackendChoice::Cpu, ..BackendOptions::default() })?;
    datasets(&backend, folder)?;
    let survey = survey_field((10.0, 5.0), 0.04, 1, &backend, &Control::new())?;
    let maps = estimator().run(std::slice::from_ref(&survey.dataset), &backend)?;

    maps_over_energy(&maps, &survey, folder)?;
    histogram(&maps, &survey, folder)?;
    spectra(&maps, &survey, folder)?;
    peaks(&maps, folder)?;
    excess(&survey, &backend, folder)?;
    light_curve(&survey_field((2.0, 2.0), 0.04, 1, &backend, &Control::new())?, &backend, folder)?;
    println!("pictures in {}", folder.display());
    Ok(())
}

/// Every energy group, with errors and limits, for sources of the survey's index.
fn estimator() -> TsMapEstimator {
    let spectral = PowerLawSpectralModel::new(SPECTRAL_INDEX, 1e-12, 1.0);
    let default = FluxMaps::default_reference_model();
    TsMapEstimator::new()
        .kernel_model(SkyModel::new("reference", std::sync::Arc::new(spectral), default.spatial))
        .kernel_width(Angle::deg(0.6))
        .energy_edges(EnergyEdges::Edges([0.5, 2.32, 10.77, 50.0].map(Energy::tev).to_vec()))
        .sum_over_energy_groups(false)
        .selection_optional(Selection { errn_errp: true, ul: true, ..Selection::default() })
}

fn markers(survey: &SurveyField) -> impl Iterator<Item = Marker> + '_ {
    survey.sources.iter().map(|s| {
        let marker = Marker::new(s.position).label(&s.model.name);
        if s.extent_deg > 0.0 { marker.radius_deg(s.extent_deg) } else { marker }
    })
}

fn maps_over_energy(maps: &FluxMaps, survey: &SurveyField, folder: &Path) -> pevatron::Result<()> {
    let titles = ["0.5 – 2.3 TeV", "2.3 – 11 TeV", "11 – 50 TeV"];
    let sqrt_ts = maps.sqrt_ts()?;
    let geom = sqrt_ts.wcs_geom()?.to_image();
    let mut figure = Figure::new().columns(1).shared_range(true);
    for (group, title) in titles.into_iter().enumerate() {
        let image = MapImage::new(&sqrt_ts.plane_f64(group), &geom)?.significance().title(title);
        figure = figure.panel(image.markers(markers(survey)));
    }
    save(figure, folder, "sqrt_ts")?;

    let e2dnde = maps.e2dnde()?.to_unit("erg s-1 cm-2")?;
    let mut figure = Figure::new().columns(1).shared_range(true);
    for (group, title) in titles.into_iter().enumerate() {
        let image = MapImage::new(&e2dnde.plane_f64(group), &geom)?
            .quantity("E² dN/dE", "erg s-1 cm-2")
            .colours(ColourMap::Viridis)
            .stretch(Stretch::Asinh)
            .contours(&[1e-12, 4e-12])
            .title(title);
        figure = figure.panel(image);
    }
    save(figure, folder, "flux")
}

fn histogram(maps: &FluxMaps, survey: &SurveyField, folder: &Path) -> pevatron::Result<()> {
    let sqrt_ts = maps.sqrt_ts()?;
    let geom = sqrt_ts.wcs_geom()?;
    let is_off = |i: usize| {
        let here = geom.pix_to_sky((i % geom.nx()) as f64, (i / geom.nx()) as f64);
        here.is_some_and(|p| survey.sources.iter().all(|s| s.position.separation_deg(p) > 0.5 + s.extent_deg))
    };
    let off: Vec<bool> = (0..geom.nx() * geom.ny()).map(is_off).collect();
    let values: Vec<f64> = sqrt_ts.plane_f64(0).iter().copied().collect();
    let chart = plot::significance_histogram(&values, Some(&off))?.title("Is the background right? 0.5 – 2.3 TeV");
    save(Figure::new().panel(chart), folder, "significances")
}

/// Peaks above five standard deviations in the lowest group, numbered by their height.
fn peaks(maps: &FluxMaps, folder: &Path) -> pevatron::Result<()> {
    let sqrt_ts = maps.sqrt_ts()?;
    let image = sqrt_ts.plane_f64(0);
    let geom = sqrt_ts.wcs_geom()?.to_image();
    let found = find_peaks_in_flux_map(maps, "sqrt_ts", Some(0), 5.0, PeakDistance::Angle(Angle::deg(0.5)))?;
    let name = |n: usize, sigma: f64| format!("{} ({sigma:.1}σ)", n + 1);
    let markers = found.iter().enumerate().map(|(n, p)| Marker::new(p.peak.position).label(name(n, p.peak.value)));
    let panel = MapImage::new(&image, &geom)?.significance().title("Peaks above 5σ, 0.5 – 2.3 TeV").markers(markers);
    save(Figure::new().panel(panel), folder, "peaks")
}

/// The significance of the counts in a disk around each pixel.
fn excess(survey: &SurveyField, backend: &Backend, folder: &Path) -> pevatron::Result<()> {
    let maps = ExcessMapEstimator::new().correlation_radius(Angle::deg(0.1)).run(&survey.dataset, backend)?;
    let sqrt_ts = maps.sqrt_ts()?;
    let panel = MapImage::new(&sqrt_ts.plane_f64(0), &sqrt_ts.wcs_geom()?.to_image())?
        .significance()
        .title("Excess in 0.1° disks, 0.5 – 50 TeV")
        .markers(markers(survey));
    save(Figure::new().panel(panel), folder, "excess")
}

fn spectra(maps: &FluxMaps, survey: &SurveyField, folder: &Path) -> pevatron::Result<()> {
    let named = |name: &str| survey.sources.iter().find(|s| s.model.name == name);
    let mut points: Vec<(&str, FluxPoints)> = Vec::new();
    for name in ["P4", "P1", "P7"] {
        if let Some(source) = named(name) {
            points.push((name, maps.get_flux_points(Some(source.position))?));
        }
    }
    let list: Vec<(&str, &FluxPoints)> = points.iter().map(|(n, p)| (*n, p)).collect();
    let mut chart = plot::sed_chart(&list, SedType::E2dnde)?.title("Spectra at three positions");
    if let Some(source) = named("P4") {
        // As a fit would give it: 5 % in the amplitude, 0.05 in the index.
        let mut parameters = source.model.spectral.parameters().to_vec();
        parameters[0].error = 0.05;
        parameters[1].error = 0.05 * parameters[1].value;
        let model = source.model.spectral.with_parameters(&parameters)?;
        for series in plot::model_series(model.as_ref(), "injected as P4", SedType::E2dnde, (0.5, 50.0))? {
            chart = chart.series(series);
        }
    }
    save(Figure::new().panel(chart), folder, "spectra")
}

/// A source that brightens and fades, observed sixteen times.
fn light_curve(survey: &SurveyField, backend: &Backend, folder: &Path) -> pevatron::Result<()> {
    let Some(source) = survey.sources.iter().find(|s| s.model.name == "P4") else { return Ok(()) };
    let mut epochs = Vec::new();
    let mut bins = Vec::new();
    for epoch in 0..EPOCHS {
        let phase = epoch as f64 / EPOCHS as f64;
        let mut parameters = source.model.spectral.parameters().to_vec();
        parameters[1].value *= 0.5 + 0.45 * (TAU * phase).sin();
        let spectral = source.model.spectral.with_parameters(&parameters)?;
        let mut dataset = survey.dataset.clone();
        dataset.models = Models { components: vec![Model::Sky(SkyModel { spectral, ..source.model.clone() })] };
        let npred = dataset.npred(backend, &Control::new())?;
        dataset.counts = Some(fake_counts(&npred, 100 + epoch as u64)?);
        dataset.models = Models::default();
        let one_group = estimator().energy_edges(EnergyEdges::default()).selection_optional(Selection {
            errn_errp: true,
            ul: true,
            stat_scan: true,
            ..Selection::default()
        });
        let maps = one_group.run(&[dataset], backend)?;
        epochs.push(FluxMaps::from(maps.get_flux_points(Some(source.position))?));
        // Nights with a gap after each fourth.
        let start = 60_000.0 + epoch as f64 + 2.0 * (epoch / 4) as f64;
        bins.push((start + 0.1, start + 0.4));
    }
    // Each epoch has norms of its own in its profiles, so they are drawn one by one below.
    let profiles: Vec<FluxMaps> = epochs.clone();
    let axis = MapAxis::time(&bins, "d".parse()?, TimeReference::mjd_zero("utc"))?;
    let curve = FluxPoints::new(FluxMaps::from_stack(&epochs, axis)?)?;
    let chart = plot::light_curve_chart(&curve, SedType::Flux)?.title("A source that brightens and fades");
    save(Figure::new().panel(chart), folder, "light_curve")?;
    let one = FluxPoints::new(profiles[EPOCHS / 4].clone())?;
    let chart = plot::profile_chart(&one, SedType::E2dnde)?.title("Likelihood profile of one epoch");
    save(Figure::new().panel(chart), folder, "profiles")
}

/// A dataset, what models predict of it, how it responds, and a fit.
fn datasets(backend: &Backend, folder: &Path) -> pevatron::Result<()> {
    let control = Control::new();
    // Large pixels make a small file.
    let coarse = field_with_mask(0.08, backend)?.dataset;
    let figure = plot::peek_figure(&coarse, &PeekOptions::default(), backend, &control)?;
    save(figure.width_px(880), folder, "peek")?;
    let survey = field_with_mask(0.04, backend)?;
    let mut dataset = survey.dataset.clone();
    save(plot::masks_figure(&dataset, None)?, folder, "masks")?;

    // One of the two sources is in the models: the other one is left over.
    let named = |name: &str| survey.sources.iter().find(|s| s.model.name == name);
    let (Some(known), Some(unknown)) = (named("P4"), named("G1")) else { return Ok(()) };
    dataset.models = Models { components: vec![Model::Sky(known.model.clone())] };
    let smooth = SmoothKernel::Gauss(Angle::deg(0.06));
    let figure = plot::counts_figure(&dataset, CountsMaps::Npred, Some(smooth), &[], backend, &control)?;
    save(figure, folder, "npred")?;
    let geom = dataset.require_counts()?.wcs_geom()?.to_image();
    let region = PlotRegion::new(&geom, &SkyRegion::circle(unknown.position, 0.3)?)?;
    let method = ResidualMethod::DiffOverSqrtModel;
    let figure = plot::residuals_figure(&dataset, method, Some(smooth), Some(&region), &[], backend, &control)?;
    save(figure, folder, "residuals")?;
    let pixels = plot::region_pixels(&geom, &SkyRegion::circle(known.position, 0.2)?)?;
    let spectrum = CountsSpectrum::of(&dataset, Some(&pixels), backend, &control)?;
    save(plot::fit_figure(&spectrum, FitPanel::Counts, method)?, folder, "spectrum")?;

    let psf = dataset.psf.as_ref().ok_or_else(|| dataset.missing("psf"))?;
    let edisp = dataset.edisp.as_ref().ok_or_else(|| dataset.missing("edisp"))?;
    let axis = dataset.energy_axis()?;
    let figure = Figure::new()
        .panel(plot::psf_chart(psf, None)?.title("Containment radius").aspect(0.75))
        .panel(plot::psf_profile_chart(psf, None)?.title("Profile").aspect(0.75))
        .panel(plot::edisp_chart(edisp, axis, None)?.title("Energy dispersion").aspect(0.75))
        .panel(plot::exposure_chart(dataset.require_exposure()?, None)?.title("Exposure").aspect(0.75));
    save(figure.width_px(1000), folder, "responses")?;
    fit(
        &dataset,
        &Models { components: survey.sources.iter().map(|s| Model::Sky(s.model.clone())).collect() },
        backend,
        folder,
    )?;
    stack(backend, folder)
}

/// A small survey whose lowest energies are not safe in the corners.
fn field_with_mask(binsz_deg: f64, backend: &Backend) -> pevatron::Result<SurveyField> {
    let mut survey = survey_field((2.8, 2.4), binsz_deg, 2, backend, &Control::new())?;
    let geom = survey.dataset.require_counts()?.geom().clone();
    let offset = |y: usize, x: usize| (y as f64 * binsz_deg - 1.2).hypot(x as f64 * binsz_deg - 1.4);
    let bins = ndarray::ArrayD::from_shape_fn(geom.data_shape(), |at| at[0] > 1 || offset(at[1], at[2]) < 1.5);
    survey.dataset.mask_safe = Some(Mask::new(geom, bins)?);
    Ok(survey)
}

/// Index and amplitude of a source fitted, with profile and contours.
fn fit(dataset: &MapDataset, models: &Models, backend: &Backend, folder: &Path) -> pevatron::Result<()> {
    let (control, fit) = (Control::new(), Fit::default());
    let (index, amplitude) = ("P4.spectral.index", "P4.spectral.amplitude");
    let mut models = models.select(|m| ["P4", "G1"].contains(&m.name()));
    let all: Vec<String> = models.parameters().into_iter().map(|(name, _)| name).collect();
    for name in all.iter().filter(|n| ![index, amplitude].contains(&n.as_str())) {
        models.freeze(name)?;
    }
    let datasets = [dataset.into()];
    let result = fit.run(&datasets, &models, backend, &control)?;
    let fitted = |name: &'static str, unit: &'static str| -> pevatron::Result<FittedParameter<'static>> {
        let p = result.models.parameter(name)?;
        Ok(FittedParameter { name, unit, value: p.value, errors: (p.error, p.error) })
    };
    let (x, y) = (fitted(index, "")?, fitted(amplitude, "cm-2 s-1 TeV-1")?);
    let profile = fit.stat_profile(&datasets, &result.models, index, true, backend, &control)?;
    let mut lines = Vec::new();
    for sigma in [1.0, 2.0, 3.0] {
        let c = fit.stat_contour(&datasets, &result.models, index, amplitude, 36, sigma, backend, &control)?;
        lines.push((format!("{sigma}σ"), c.x.into_iter().zip(c.y).collect::<Vec<_>>()));
    }
    let lines: Vec<(&str, &[(f64, f64)])> = lines.iter().map(|(n, l)| (n.as_str(), l.as_slice())).collect();
    let figure = Figure::new()
        .panel(plot::fit_profile_chart(&x, &profile.values, &profile.stat, result.stat)?.aspect(0.75))
        .panel(plot::contour_chart(&x, &y, &lines)?);
    save(figure, folder, "fit")
}

/// Two runs of different PSF and length, and their stack.
fn stack(backend: &Backend, folder: &Path) -> pevatron::Result<()> {
    let control = Control::new();
    let long = survey_field((1.6, 1.6), 0.04, 5, backend, &control)?.dataset;
    let mut short = survey_field((1.6, 1.6), 0.04, 6, backend, &control)?.dataset;
    let half = |map: &Option<Map>| map.as_ref().map(|m| m.scaled(0.4, m.unit().clone()));
    (short.exposure, short.background) = (half(&short.exposure), half(&short.background));
    if let Some(psf) = &mut short.psf {
        let axes = psf.psf.geom().axes();
        *psf = PsfMap::from_king(axes[0].clone(), axes[1].clone(), |e| (0.07 * e.powf(-0.15).max(0.5), 2.5))?;
    }
    let runs = [MapDataset { name: "run 1".into(), ..long }, MapDataset { name: "run 2".into(), ..short }];
    let mut stacked = runs[0].to_masked()?;
    stacked.stack(&runs[1])?;
    let lent: Vec<_> = runs.iter().map(Into::into).collect();
    save(plot::stack_figure((&stacked).into(), &lent, backend, &control)?, folder, "stack")
}

fn save(figure: Figure, folder: &Path, name: &str) -> pevatron::Result<()> {
    let picture = figure.draw()?;
    for (bytes, end) in [(picture.to_png()?, "png"), (picture.to_svg()?, "svg")] {
        let path = folder.join(format!("{name}.{end}"));
        std::fs::write(&path, bytes).map_err(|e| Error::io(&path, e))?;
    }
    Ok(())
}
