//! `pevatron demo`: a simulated survey, its TS maps, and injected against recovered fluxes.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use pevatron::estimators::{EnergyEdges, Selection, TsMapEstimator};
use pevatron::flux::{FluxMaps, FluxQuantity, SedType};
use pevatron::maps::Frame;
use pevatron::models::spatial::{DiskSpatialModel, GaussianSpatialModel, PointSpatialModel};
use pevatron::models::spectral::PowerLawSpectralModel;
use pevatron::models::{Model, Models, SkyModel, SpatialModel};
use pevatron::plot::Marker;
use pevatron::simulate::{InjectedSource, SPECTRAL_INDEX, survey_field};
use pevatron::units::Angle;
use pevatron::{Control, Error, Place, Result};
use serde_json::json;

use super::picture::Look;
use super::plot_maps::sqrt_ts_figure;
use super::{backend, value_at, write_options};
use crate::args::{DemoArgs, named};
use crate::outputs::Outputs;
use crate::{progress, report};

/// Size of the simulated survey in degrees (l, b).
const WIDTH_DEG: (f64, f64) = (10.0, 5.0);

/// Width of the kernel of point sources: flux beyond it is taken up by the norm, 1 % of it.
const KERNEL_WIDTH_DEG: f64 = 1.0;

/// A recovered source.
struct Row {
    name: String,
    shape: String,
    injected: f64,
    flux: f64,
    flux_err: f64,
    sqrt_ts: f64,
}

pub fn run(args: &DemoArgs, control: &Control) -> Result<()> {
    let start = Instant::now();
    let binsz = named("binsz", args.binsz.parse::<Angle>())?.to_deg();
    if !(0.005..=0.5).contains(&binsz) {
        return Err(Error::options("binsz", format!("{binsz} deg is not within 0.005 to 0.5 deg")));
    }
    let folder = &args.output;
    let files = ["dataset.fits.gz", "models.yaml", "flux.fits", "sqrt_ts.png"].map(|name| folder.join(name));
    let outputs = || {
        let all = Outputs::new(args.overwrite).flux_maps("output", &files[2]);
        [&files[0], &files[1], &files[3]].into_iter().fold(all, Outputs::beside)
    };
    if folder.exists() {
        outputs().check()?;
    }
    fs::create_dir_all(folder).map_err(|e| Error::input_at(Place::file(folder), format!("cannot be made: {e}")))?;
    outputs().check()?;

    let backend = backend(&args.engine, &args.common)?;
    let control = progress::observed(control, args.common.quiet || args.common.json);
    let field = survey_field(WIDTH_DEG, binsz, args.seed, &backend, &control)?;
    let options = write_options(args.overwrite, &[]);
    field.dataset.write(&files[0], &options)?;
    let models = Models { components: field.sources.iter().map(|s| Model::Sky(s.model.clone())).collect() };
    let yaml = models.to_yaml()?;
    pevatron::io::write_atomic(&files[1], args.overwrite, |out| out.write_all(yaml.as_bytes()))?;
    let simulated = start.elapsed().as_secs_f64();

    // One map per kind of source, each with the kernel of that kind; the point-source map is the one that is written.
    let estimator = |spatial: Arc<dyn SpatialModel>, width: f64| {
        let mut estimator = TsMapEstimator::new()
            .kernel_model(SkyModel::new(
                "test-source",
                Arc::new(PowerLawSpectralModel::new(SPECTRAL_INDEX, 1e-12, 1.0)),
                Some(spatial),
            ))
            .kernel_width(Angle::deg(width))
            .sum_over_energy_groups(false)
            .energy_edges(EnergyEdges::Whole);
        estimator.selection_optional = Selection { errn_errp: true, ul: true, ..Selection::default() };
        estimator
    };
    let fit = Instant::now();
    let datasets = [field.dataset];
    let point = estimator(Arc::new(PointSpatialModel::new(0.0, 0.0, Frame::Galactic)), KERNEL_WIDTH_DEG)
        .run_with(&datasets, &backend, &control)?;
    let fit_seconds = fit.elapsed().as_secs_f64();
    let mut extended: Vec<(String, FluxMaps)> = Vec::new();
    let mut rows = Vec::new();
    for source in &field.sources {
        let tag = source.model.spatial.as_ref().map_or("", |s| s.tag());
        let key = format!("{tag} {}", source.extent_deg);
        if source.extent_deg > 0.0 && !extended.iter().any(|(k, _)| *k == key) {
            let e = source.extent_deg;
            let (spatial, width): (Arc<dyn SpatialModel>, f64) = if tag == "DiskSpatialModel" {
                (
                    Arc::new(DiskSpatialModel::new(0.0, 0.0, e, 0.0, 0.0, 0.01, Frame::Galactic)),
                    2.0 * e + KERNEL_WIDTH_DEG,
                )
            } else {
                (
                    Arc::new(GaussianSpatialModel::new(0.0, 0.0, e, 0.0, 0.0, Frame::Galactic)),
                    7.0 * e + KERNEL_WIDTH_DEG,
                )
            };
            extended.push((key.clone(), estimator(spatial, width).run_with(&datasets, &backend, &control)?.maps));
        }
        let maps = extended.iter().find(|(k, _)| *k == key).map_or(&point.maps, |(_, maps)| maps);
        rows.push(recover(maps, source, &datasets[0])?);
    }
    point.maps.write(&files[2], SedType::Likelihood, &options)?;
    let markers: Vec<Marker> = field.sources.iter().map(|s| Marker::new(s.position).label(&s.model.name)).collect();
    let look = Look::default();
    look.write(sqrt_ts_figure(&point.maps, &markers, &look)?, &files[3], args.overwrite)?;

    let seconds = start.elapsed().as_secs_f64();
    if args.common.json {
        report::json(&json!({
            "output": report::name(folder),
            "backend": backend.info().name,
            "pixels": point.pixels,
            "estimate_seconds": fit_seconds,
            "seconds": seconds,
            "sources": rows.iter().map(|r| json!({
                "name": r.name, "shape": r.shape, "injected_cm2_s": r.injected, "flux_cm2_s": r.flux,
                "flux_err_cm2_s": r.flux_err, "pull": (r.flux - r.injected) / r.flux_err, "sqrt_ts": r.sqrt_ts,
            })).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    report::text(&format!(
        "Simulated a survey of {} x {} deg, pixels of {binsz} deg, in {simulated:.1} s.\n\
         Point-source TS map: {} fits in {fit_seconds:.2} s on {} ({}).\n",
        WIDTH_DEG.0,
        WIDTH_DEG.1,
        point.pixels,
        backend.info().name,
        backend.info().adapter,
    ));
    report::line("source  shape              injected     recovered             pull   sqrt(TS)");
    report::line("                           [1e-13 cm-2 s-1, 0.5-50 TeV]");
    for r in &rows {
        report::line(&format!(
            "{:<7} {:<16} {:>9.2}   {:>9.2} ± {:<7.2}   {:>6.1}   {:>7.1}",
            r.name,
            r.shape,
            r.injected * 1e13,
            r.flux * 1e13,
            r.flux_err * 1e13,
            (r.flux - r.injected) / r.flux_err,
            r.sqrt_ts
        ));
    }
    report::text(&format!("\nWritten in {seconds:.1} s:"));
    for file in &files {
        report::line(&format!("  {}", file.display()));
    }
    Ok(())
}

/// What the map says at the place of a source, against what was put there.
fn recover(maps: &FluxMaps, source: &InjectedSource, dataset: &pevatron::datasets::MapDataset) -> Result<Row> {
    let edges = dataset.energy_axis()?.edges_tev()?;
    let (low, high) = (edges[0], edges[edges.len() - 1]);
    let reference = maps.reference_model().spectral.integral(low, high);
    let at = |quantity| value_at(maps, quantity, source.position, 0);
    let (norm, error, ts) = (at(FluxQuantity::Norm)?, at(FluxQuantity::NormErr)?, at(FluxQuantity::Ts)?);
    let tag = source.model.spatial.as_ref().map_or("", |s| s.tag());
    let shape = match tag.trim_end_matches("SpatialModel") {
        "Point" => "point".to_string(),
        kind => format!("{} {} deg", kind.to_lowercase(), source.extent_deg),
    };
    Ok(Row {
        name: source.model.name.clone(),
        shape,
        injected: source.model.spectral.integral(low, high),
        flux: norm * reference,
        flux_err: error * reference,
        sqrt_ts: ts.max(0.0).sqrt().copysign(norm),
    })
}
