//! `pevatron plot` of datasets: what is in them, what models predict, how they respond.

use std::path::{Path, PathBuf};

use pevatron::compute::Backend;
use pevatron::datasets::{Dataset, DatasetRef, Datasets, ResidualMethod};
use pevatron::io::parse_region;
use pevatron::maps::{Frame, Geom, SkyPosition, SkyRegion, SmoothKernel, WcsGeom};
use pevatron::models::Models;
use pevatron::plot::{self, CountsMaps, Figure, FitPanel, Marker, PeekOptions, PlotRegion};
use pevatron::units::Angle;
use pevatron::{Control, Error, Place, Result};

use super::energies::{bin_of, edges_of};
use super::{backend, say_unused};
use crate::args::{PlotArgs, named, parse_frame, parse_position};

/// What is drawn of datasets beside plain maps.
pub const KINDS: [&str; 12] =
    ["map", "peek", "counts", "excess", "npred", "spectrum", "residuals", "masks", "psf", "edisp", "exposure", "stack"];

/// The Gaussian that residual maps are smoothed with if nothing else is said.
const SMOOTH_DEG: f64 = 0.1;

/// A picture of a kind other than `map`.
pub fn figure(
    args: &PlotArgs,
    mut dataset: Dataset,
    kind: &str,
    markers: &[Marker],
    control: &Control,
) -> Result<Figure> {
    let options = &args.dataset;
    let models = options.models.as_ref().map(Models::read).transpose()?;
    if let Some(models) = &models {
        dataset.common_mut()?.models = models.clone();
        say_unused(models, &[dataset.name()])?;
    }
    let place = Place::file(&args.file);
    let of_file = |e: Error| e.at(&place);
    Ok(match kind {
        "psf" | "edisp" | "exposure" => responses(&dataset, kind, args, markers).map_err(of_file)?,
        "masks" => {
            let edges = edges_of(&dataset).map_err(of_file)?;
            let bin = args.energy.as_deref().map(|text| bin_of(text, edges.len() - 1, Some(&edges))).transpose()?;
            plot::masks_figure(&dataset, bin).map_err(of_file)?
        }
        _ => {
            let backend = backend(&options.engine, &args.common)?;
            match kind {
                "stack" => stack(&dataset, args, models.as_ref(), &backend, control)?,
                _ => predicted(&dataset, kind, args, markers, &backend, control).map_err(of_file)?,
            }
        }
    })
}

/// An angle above 0.
fn positive(option: &str, text: Option<&str>) -> Result<Option<Angle>> {
    let angle = text.map(|t| named(option, t.parse::<Angle>())).transpose()?;
    match angle {
        Some(angle) if !(angle.to_deg() > 0.0 && angle.to_deg().is_finite()) => {
            Err(Error::options(option, format!("{angle} is not positive")))
        }
        angle => Ok(angle),
    }
}

/// The geometry of the counts, where it is a map.
fn image(dataset: &Dataset) -> Option<WcsGeom> {
    let common = dataset.common().ok()?;
    let off = match dataset {
        Dataset::OnOff(on_off) => on_off.counts_off.as_ref(),
        Dataset::Map(_) | Dataset::FluxPoints(_) => None,
    };
    let map = common.counts.as_ref().or(common.background.as_ref()).or(off)?;
    match map.geom().as_ref() {
        Geom::Wcs(geom) => Some(geom.to_image()),
        _ => None,
    }
}

/// The position of the options, in their frame or that of the dataset.
fn position(dataset: &Dataset, args: &PlotArgs) -> Result<Option<SkyPosition>> {
    let Some(text) = &args.dataset.position else { return Ok(None) };
    let default = image(dataset).map_or(Frame::Icrs, |geom| geom.frame());
    let frame = parse_frame(args.dataset.frame.as_deref(), default)?;
    let files: Vec<&Path> = args.sources.iter().chain(&args.dataset.models).map(PathBuf::as_path).collect();
    parse_position("position", text, frame, &files).map(Some)
}

/// The region of the options.
fn region(dataset: &Dataset, args: &PlotArgs) -> Result<Option<PlotRegion>> {
    let options = &args.dataset;
    let radius = positive("radius", options.radius.as_deref())?.map(Angle::to_deg);
    let region = match (&options.region, position(dataset, args)?) {
        (Some(text), _) => {
            let frame = image(dataset).map_or(Frame::Icrs, |geom| geom.frame());
            parse_region(text, frame)?
        }
        (None, Some(center)) => match radius {
            Some(radius_deg) => SkyRegion::circle(center, radius_deg)?,
            None => SkyRegion::Point { center },
        },
        (None, None) if radius.is_some() => {
            return Err(Error::options("radius", "a radius needs a --position"));
        }
        (None, None) => return Ok(None),
    };
    let geom = image(dataset).ok_or_else(|| {
        Error::options("region", "the dataset is that of a region itself")
            .with_help("leave --region and --position out")
    })?;
    PlotRegion::new(&geom, &region).map(Some)
}

/// Pictures of what the instrument does.
fn responses(dataset: &Dataset, kind: &str, args: &PlotArgs, markers: &[Marker]) -> Result<Figure> {
    let common = dataset.common()?;
    let position = match position(dataset, args)? {
        Some(position) => Some(position),
        None => image(dataset).and_then(|geom| geom.center().ok()),
    };
    match kind {
        "psf" => {
            let psf = common.psf.as_ref().ok_or_else(|| common.missing("psf"))?;
            let radii = plot::psf_chart(psf, position)?.title("Containment radius").aspect(0.75);
            let profile = plot::psf_profile_chart(psf, position)?.title("Profile").aspect(0.75);
            Ok(Figure::new().panel(radii).panel(profile))
        }
        "edisp" => {
            let edisp = common.edisp.as_ref().ok_or_else(|| common.missing("edisp"))?;
            let map = common.counts.as_ref().or(common.background.as_ref()).ok_or_else(|| common.missing("counts"))?;
            let energy = map.geom().axis("energy")?;
            let matrix = plot::edisp_chart(edisp, energy, position)?.title("Energy dispersion").aspect(0.75);
            let figure = Figure::new().panel(matrix);
            // In wide bins there is no bias to be seen.
            Ok(match plot::edisp_bias_chart(edisp, energy, position) {
                Ok(chart) => figure.panel(chart.title("Bias and resolution").aspect(0.75)),
                Err(_) => figure,
            })
        }
        _ => plot::exposure_figure(dataset, args.dataset.position.as_ref().and(position), markers),
    }
}

/// Pictures that compare counts with what is predicted.
fn predicted(
    dataset: &Dataset,
    kind: &str,
    args: &PlotArgs,
    markers: &[Marker],
    backend: &Backend,
    control: &Control,
) -> Result<Figure> {
    let options = &args.dataset;
    let smooth = positive("smooth", options.smooth.as_deref())?;
    let method = match &options.method {
        Some(text) => text.parse()?,
        None => ResidualMethod::DiffOverSqrtModel,
    };
    let maps = |what: CountsMaps| {
        plot::counts_figure(dataset, what, smooth.map(SmoothKernel::Gauss), markers, backend, control)
    };
    match kind {
        "counts" => maps(CountsMaps::Counts),
        "excess" => maps(CountsMaps::Excess),
        "npred" => maps(CountsMaps::Npred),
        "residuals" => {
            let region = region(dataset, args)?;
            let smooth = SmoothKernel::Gauss(smooth.unwrap_or(Angle::deg(SMOOTH_DEG)));
            plot::residuals_figure(dataset, method, Some(smooth), region.as_ref(), markers, backend, control)
        }
        "spectrum" => {
            let upper = match (args.quantity.as_deref(), dataset) {
                (Some("counts"), _) | (None, Dataset::Map(_) | Dataset::FluxPoints(_)) => FitPanel::Counts,
                (Some("excess"), _) | (None, Dataset::OnOff(_)) => FitPanel::Excess,
                (Some(other), _) => {
                    return Err(Error::options(
                        "quantity",
                        format!("a spectrum shows counts or excess, not '{other}'"),
                    ));
                }
            };
            let region = region(dataset, args)?;
            let spectrum = plot::CountsSpectrum::of(dataset, region.as_ref().map(|r| &r.pixels), backend, control)?;
            let title = match (&options.region, &options.position, &options.radius) {
                (Some(region), ..) => region.clone(),
                (None, Some(position), Some(radius)) => format!("{radius} around {position}"),
                (None, Some(position), None) => format!("pixel at {position}"),
                (None, None, _) => String::new(),
            };
            let titles = [spectrum.name.clone(), title];
            let title = titles.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", ");
            Ok(plot::fit_figure(&spectrum, upper, method)?.title(title))
        }
        _ => {
            let radius_deg = positive("radius", options.radius.as_deref())?.map(Angle::to_deg);
            plot::peek_figure(dataset, &PeekOptions { radius_deg, markers: markers.to_vec() }, backend, control)
        }
    }
}

/// A stack beside its runs.
fn stack(
    dataset: &Dataset,
    args: &PlotArgs,
    models: Option<&Models>,
    backend: &Backend,
    control: &Control,
) -> Result<Figure> {
    let mut runs: Vec<Dataset> = Vec::new();
    for path in &args.dataset.runs {
        let yaml = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"));
        if yaml {
            runs.extend(Datasets::read(path, None)?.into_inner());
        } else {
            runs.push(Dataset::read(path)?);
        }
    }
    if runs.is_empty() {
        return Err(Error::options("runs", "a picture of a stack needs the runs that it was made of"));
    }
    if let Some(models) = models {
        for run in &mut runs {
            run.common_mut()?.models = models.clone();
        }
    }
    let lent: Vec<DatasetRef<'_>> = runs.iter().map(Dataset::lend).collect();
    plot::stack_figure(dataset.lend(), &lent, backend, control)
}
