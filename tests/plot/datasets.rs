//! Pictures of datasets: what is drawn is what is in them, and the command line that draws it.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;
use std::sync::Arc;

use crate::support::program::{Place, data};
use crate::support::yaml::PointSource;
use ndarray::{Array2, Array3};
use pevatron::datasets::ResidualMethod;
use pevatron::io::WriteOptions;
use pevatron::kernels::counts_statistic::{CountsStatistic, WStatCountsStatistic};
use pevatron::maps::{Geom, SkyRegion};
use pevatron::plot::{
    self, Chart, ChartPoint, CountsMaps, CountsSpectrum, Figure, FitPanel, PeekOptions, PlotRegion, Series,
};
use pevatron::prelude::*;
use pevatron::simulate::survey_field;

const FRAME: Frame = Frame::Icrs;
const CENTER: SkyPosition = SkyPosition { lon_deg: 83.6, lat_deg: 22.0, frame: FRAME };

fn control() -> Control {
    Control::new()
}

fn geom() -> Arc<Geom> {
    let axis = MapAxis::energy_bounds(1.0, 1000.0, 3, "energy").unwrap();
    Arc::new(Geom::Wcs(WcsGeom::create(CENTER, 5, 4, (0.1, 0.1), "TAN", vec![axis]).unwrap()))
}

fn map(value: impl Fn(usize, usize, usize) -> f64) -> Map {
    let cube = Array3::from_shape_fn((3, 4, 5), |(e, y, x)| value(e, y, x));
    Map::from_cube(geom(), Default::default(), cube).unwrap()
}

fn mask(inside: impl Fn(usize, usize, usize) -> bool) -> Mask {
    Mask::from_map(&map(|e, y, x| f64::from(u8::from(inside(e, y, x)))))
}

/// Counts that differ everywhere, and a background; the highest energy is not safe, nor is the first column.
fn dataset() -> MapDataset {
    MapDataset {
        name: "small".into(),
        counts: Some(map(|e, y, x| (100 * e + 10 * y + x) as f64)),
        background: Some(map(|e, _, _| 2.0 + e as f64)),
        mask_safe: Some(mask(|e, _, x| e < 2 && x > 0)),
        ..MapDataset::default()
    }
}

fn on_off() -> MapDatasetOnOff {
    let acceptance_off = map(|_, y, _| 4.0 + y as f64);
    MapDatasetOnOff::from_map_dataset(dataset(), map(|_, y, x| (20 + y + x) as f64), map(|_, _, _| 1.0), acceptance_off)
}

/// Texts stay texts.
fn svg(figure: Figure) -> String {
    String::from_utf8(figure.draw().unwrap().to_svg_with_text()).unwrap()
}

fn chart_svg(chart: Chart) -> String {
    svg(Figure::new().panel(chart))
}

#[track_caller]
fn holds(text: &str, words: &[&str]) {
    let texts: Vec<&str> =
        text.split("<text").skip(1).filter_map(|t| t.split('>').nth(1)?.strip_suffix("</text")).collect();
    for word in words {
        assert!(texts.contains(word), "'{word}' is not in {texts:?}");
    }
    assert!(!text.contains("NaN") && !text.contains("inf"), "{texts:?}");
}

fn spectrum(dataset: &MapDataset, pixels: Option<&Array2<bool>>) -> CountsSpectrum {
    CountsSpectrum::of(dataset, pixels, &Backend::reference(), &control()).unwrap()
}

#[test]
fn spectra_are_sums_inside_of_masks_and_region() {
    let dataset = dataset();
    let all = spectrum(&dataset, None);
    let sum = |e: usize, columns: std::ops::Range<usize>| -> f64 {
        (0..4).flat_map(|y| columns.clone().map(move |x| (100 * e + 10 * y + x) as f64)).sum()
    };
    // No pixel is safe at the highest energy: all of them are shown, and shaded.
    assert_eq!(all.counts.clone().unwrap(), [sum(0, 1..5), sum(1, 1..5), sum(2, 0..5)]);
    assert_eq!(all.background.clone().unwrap(), [32.0, 48.0, 80.0]);
    assert_eq!(all.inside, [true, true, false]);
    assert_eq!((all.signal.clone(), all.npred.clone()), (None, all.background.clone()));
    assert_eq!(all.excess().unwrap()[0], sum(0, 1..5) - 32.0);
    let residuals = all.residuals(ResidualMethod::DiffOverSqrtModel).unwrap();
    assert!((residuals[1] - (sum(1, 1..5) - 48.0) / 48f64.sqrt()).abs() < 1e-12 && residuals[2].is_nan());

    // One pixel, and one outside of the map.
    let wcs = geom();
    let wcs = wcs.as_wcs().unwrap();
    let here = wcs.pix_to_sky(3.0, 2.0).unwrap();
    for region in [SkyRegion::Point { center: here }, SkyRegion::circle(here, 0.04).unwrap()] {
        let pixels = plot::region_pixels(wcs, &region).unwrap();
        assert_eq!(pixels.iter().filter(|p| **p).count(), 1);
        assert_eq!(spectrum(&dataset, Some(&pixels)).counts.unwrap(), [23.0, 123.0, 223.0]);
    }
    let away = SkyPosition { lat_deg: -40.0, ..CENTER };
    for region in [SkyRegion::Point { center: away }, SkyRegion::circle(away, 1.0).unwrap()] {
        assert!(plot::region_pixels(wcs, &region).is_err());
    }
    let pixels = Array2::from_elem((2, 2), true);
    assert!(CountsSpectrum::of(&dataset, Some(&pixels), &Backend::reference(), &control()).is_err());
}

/// A spectrum dataset, of one value per energy, is drawn like the map that it was taken from.
#[test]
fn spectrum_datasets_are_drawn_like_regions_of_maps() {
    let (backend, control) = (Backend::reference(), control());
    let survey = survey_field((1.2, 1.0), 0.1, 3, &backend, &control).unwrap().dataset;
    let wcs = survey.wcs_geom().unwrap();
    let region = SkyRegion::circle(wcs.center().unwrap(), 0.25).unwrap();
    let of_map = spectrum(&survey, Some(&plot::region_pixels(wcs, &region).unwrap()));
    let dataset = survey.to_spectrum_dataset(&region, false).unwrap();
    let of_region = spectrum(&dataset, None);
    assert_eq!(of_region.counts, of_map.counts);
    let pairs = of_region.background.unwrap().into_iter().zip(of_map.background.unwrap());
    pairs.for_each(|(a, b)| assert!((a / b - 1.0).abs() < 1e-9, "{a} {b}"));
    let text = svg(plot::peek_figure(&dataset, &PeekOptions::default(), &backend, &control).unwrap());
    holds(&text, &["Counts over energy", "Exposure", "Energy dispersion at the centre"]);
    let dataset = Dataset::from(dataset);
    let figure = plot::residuals_figure(&dataset, ResidualMethod::Diff, None, None, &[], &backend, &control);
    holds(&svg(figure.unwrap()), &["Residuals of all pixels", "data − model"]);
    holds(&svg(plot::exposure_figure(&dataset, None, &[]).unwrap()), &["True energy [TeV]"]);
    assert!(plot::counts_figure(&dataset, CountsMaps::Counts, None, &[], &backend, &control).is_err());
}

#[test]
fn charts_draw_the_sums_with_their_errors() {
    let spectrum = spectrum(&dataset(), None);
    let edges = [1.0f64, 10.0, 100.0, 1000.0];
    let text = chart_svg(plot::counts_chart(&spectrum).unwrap());
    holds(&text, &["Energy [TeV]", "counts per bin", "background", "counts", "outside of the masks"]);
    // The same chart made by hand, from Poisson intervals: 100 counts have errors of 9.98 and 10.31 or so.
    let excess = spectrum.excess().unwrap();
    let counts = spectrum.counts.clone().unwrap();
    let point = |e: usize, y: f64| {
        let stat = pevatron::kernels::counts_statistic::CashCountsStatistic { n_on: counts[e], mu_bkg: 0.0 };
        let (below, above) = (stat.compute_errn(1.0), stat.compute_errp(1.0));
        assert!((below / counts[e].sqrt() - 1.0).abs() < 0.05 && above > below, "{below} {above}");
        let center = (edges[e] * edges[e + 1]).sqrt();
        ChartPoint::new(center, y).x_range(edges[e], edges[e + 1]).y_error(below, above)
    };
    let chart = plot::excess_chart(&spectrum).unwrap();
    let drawn = format!("{chart:?}");
    for (e, value) in excess.iter().enumerate().take(2) {
        let wanted = format!("{:?}", Series::points("", &[point(e, *value)]));
        let wanted = &wanted[wanted.find("ChartPoint").unwrap()..wanted.find("upper_limit").unwrap()];
        assert!(close_points(&drawn, wanted), "{wanted}\n{drawn}");
    }
    holds(&chart_svg(chart), &["Energy [TeV]", "excess counts per bin", "excess"]);
    for (method, name) in [
        (ResidualMethod::Diff, "data − model"),
        (ResidualMethod::DiffOverModel, "(data − model) / model"),
        (ResidualMethod::DiffOverSqrtModel, "(data − model) / √model"),
    ] {
        let text = svg(plot::fit_figure(&spectrum, FitPanel::Counts, method).unwrap());
        assert!(text.contains(&format!(">{name}<")), "{name}\n{text}");
        // The name of the energies stands under the lower chart only.
        assert_eq!(text.matches("Energy [TeV]").count(), 1);
    }
}

/// Whether the numbers of a point stand in a text, but for rounding in their last digits.
fn close_points(text: &str, wanted: &str) -> bool {
    let numbers = |t: &str| -> Vec<f64> {
        t.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == 'e' || c == '-'))
            .filter_map(|w| w.parse().ok())
            .collect()
    };
    let wanted = numbers(wanted);
    text.split("ChartPoint").skip(1).any(|part| {
        let found = numbers(part.split("upper_limit").next().unwrap());
        found.len() == wanted.len() && found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-9 * b.abs().max(1.0))
    })
}

#[test]
fn off_counts_give_the_background_and_the_errors() {
    let dataset = on_off();
    let spectrum = CountsSpectrum::of(&dataset, None, &Backend::reference(), &control()).unwrap();
    let (on, off) = (spectrum.counts.clone().unwrap()[0], spectrum.counts_off.clone().unwrap()[0]);
    let mut background = 0.0;
    for y in 0..4 {
        for x in 1..5 {
            background += (20 + y + x) as f64 / (4.0 + y as f64);
        }
    }
    assert!((spectrum.background.clone().unwrap()[0] - background).abs() < 1e-9);
    assert!((spectrum.excess().unwrap()[0] - (on - background)).abs() < 1e-9);
    let statistic = WStatCountsStatistic { n_on: on, n_off: off, alpha: background / off, mu_sig: 0.0 };
    let (below, above) = (statistic.compute_errn(1.0), statistic.compute_errp(1.0));
    let point = ChartPoint::new(10f64.sqrt(), on - background).x_range(1.0, 10.0).y_error(below, above);
    let wanted = format!("{point:?}");
    let drawn = format!("{:?}", plot::excess_chart(&spectrum).unwrap());
    assert!(close_points(&drawn, wanted.split("upper_limit").next().unwrap()), "{wanted}\n{drawn}");
    holds(&chart_svg(plot::counts_chart(&spectrum).unwrap()), &["alpha × off counts", "counts"]);
    let text = svg(plot::peek_figure(&dataset, &PeekOptions::default(), &Backend::reference(), &control()).unwrap());
    holds(&text, &["Counts", "Off counts", "alpha", "Masks", "√TS", "excess counts"]);
}

#[test]
fn peeks_show_what_there_is() {
    let (backend, control) = (Backend::reference(), control());
    let survey = survey_field((1.2, 1.0), 0.1, 3, &backend, &control).unwrap();
    let text = svg(plot::peek_figure(&survey.dataset, &PeekOptions::default(), &backend, &control).unwrap());
    holds(
        &text,
        &[
            "Counts",
            "Background",
            "Excess in 0.15° disks",
            "Significance of the excess, 0.15° disks",
            "containment radius [deg]",
            "probability per bin",
            "True energy [TeV]",
            "Counts over energy",
            "68 %",
            "95 %",
        ],
    );
    assert!(text.contains(">exposure [10¹") && text.contains(" cm² s]<"));
    // Parts that are not there are not drawn, and nothing breaks.
    let bare = MapDataset { counts: survey.dataset.counts.clone(), ..MapDataset::default() };
    let text = svg(plot::peek_figure(&bare, &PeekOptions::default(), &backend, &control).unwrap());
    assert!(!text.contains("PSF") && !text.contains("Significance") && text.contains(">Counts<"));
    assert!(plot::peek_figure(&MapDataset::default(), &PeekOptions::default(), &backend, &control).is_err());
    let wide = PeekOptions { radius_deg: Some(100.0), ..PeekOptions::default() };
    assert!(plot::peek_figure(&survey.dataset, &wide, &backend, &control).is_err());
}

#[test]
fn masks_are_shares_and_images() {
    let mut dataset = dataset();
    let drawn = format!("{:?}", plot::mask_chart(&dataset).unwrap());
    // Four of five columns, at two of three energies.
    let edges = geom().axis("energy").unwrap().edges_tev().unwrap();
    let steps = format!("{:?}", Series::steps("mask_safe", &edges, &[0.8, 0.8, 0.0]).like_previous());
    assert!(drawn.contains(&steps), "{steps}\n{drawn}");
    dataset.mask_fit = Some(mask(|_, y, _| y == 0));
    let text = svg(plot::masks_figure(&dataset, None).unwrap());
    holds(&text, &["mask_safe", "mask_fit", "both", "share of pixels inside", "1 – 100 TeV", "100 – 1000 TeV"]);
    assert!(text.contains("yellow: inside of both masks"));
    assert!(plot::masks_figure(&dataset, Some(3)).is_err());
    (dataset.mask_safe, dataset.mask_fit) = (None, None);
    assert!(plot::masks_figure(&dataset, None).is_err());
}

#[test]
fn maps_compare_counts_with_models_on_one_scale() {
    let (backend, control) = (Backend::reference(), control());
    let dataset = dataset();
    for (what, titles) in [
        (CountsMaps::Counts, &["Counts", "Predicted"][..]),
        (CountsMaps::Excess, &["Excess"]),
        (CountsMaps::Npred, &["Counts", "Predicted", "Counts − predicted"]),
    ] {
        let text = svg(plot::counts_figure(&dataset, what, None, &[], &backend, &control).unwrap());
        holds(&text, titles);
        assert!(text.contains("counts per pixel"));
    }
    let region = SkyRegion::circle(CENTER, 0.15).unwrap();
    let region = PlotRegion::new(geom().as_wcs().unwrap(), &region).unwrap();
    let smooth = Some(pevatron::maps::SmoothKernel::Gauss(Angle::deg(0.1)));
    let figure = plot::residuals_figure(&dataset, ResidualMethod::Diff, smooth, Some(&region), &[], &backend, &control);
    holds(&svg(figure.unwrap()), &["Residuals, σ = 0.1° Gaussian", "Residuals in the region", "Energy [TeV]"]);
    let bare = MapDataset { background: None, ..dataset };
    assert!(plot::counts_figure(&bare, CountsMaps::Npred, None, &[], &backend, &control).is_err());
    assert!(plot::counts_figure(&bare, CountsMaps::Excess, None, &[], &backend, &control).is_err());
    assert!(plot::counts_figure(&bare, CountsMaps::Counts, None, &[], &backend, &control).is_ok());
    assert!(plot::residuals_figure(&bare, ResidualMethod::Diff, None, None, &[], &backend, &control).is_err());
}

/// The stack of two runs predicts what both do.
#[test]
fn a_stack_predicts_what_its_runs_do() {
    let (backend, control) = (Backend::reference(), control());
    let one = survey_field((1.0, 1.0), 0.1, 3, &backend, &control).unwrap().dataset;
    let run = |n: usize| MapDataset { name: format!("run-{n}"), ..one.clone() };
    let mut stack = run(1).to_masked().unwrap();
    stack.stack(&run(2)).unwrap();
    let runs = [run(1), run(2)];
    let lent: Vec<_> = runs.iter().map(Into::into).collect();
    let figure = plot::stack_figure((&stack).into(), &lent, &backend, &control).unwrap();
    let drawn = format!("{figure:?}");
    let text = svg(figure);
    holds(&text, &["run-1", "run-2", "stack", "sum of the runs", "68 % radius of the PSF", "ratio of npred"]);
    assert!(text.contains("Energy dispersion of"), "{drawn}");
    assert!(plot::stack_figure((&stack).into(), &[], &backend, &control).is_err());
    let other = dataset();
    assert!(plot::stack_figure((&stack).into(), &[(&other).into()], &backend, &control).is_err());
}

/// A folder with `in.fits`, the same with off counts, and a model at its centre; and its centre.
fn place() -> (Place, String) {
    let place = Place::with(|_| {});
    let dataset = MapDataset::read(data("sim-tan-1.fits.gz")).unwrap();
    let center = dataset.counts.as_ref().unwrap().wcs_geom().unwrap().center().unwrap().to_frame(FRAME);
    let position = (center.lon_deg, center.lat_deg);
    let source = PointSource { name: "s", index: "2.0", amplitude: "2.0e-12", position, position_is_frozen: true };
    fs::write(place.path("m.yaml"), source.yaml()).unwrap();
    let background = dataset.background.clone().unwrap();
    let same = |v: f64| {
        let cube = background.to_cube_f64().mapv(|_| v);
        Map::from_cube(background.geom().clone(), Default::default(), cube).unwrap()
    };
    let off = MapDatasetOnOff::from_map_dataset(dataset.clone(), same(3.0), same(1.0), same(5.0));
    off.write(place.path("off.fits"), &WriteOptions::default()).unwrap();
    let region = SkyRegion::circle(center, 0.2).unwrap();
    let mut one = off.clone();
    (one.on.mask_safe, one.on.mask_fit) = (None, None);
    let one = one.to_spectrum_dataset(&region, false).unwrap();
    one.write(place.path("one.fits"), &WriteOptions::default()).unwrap();
    let bare = MapDataset { background: None, psf: None, edisp: None, mask_safe: None, mask_fit: None, ..dataset };
    bare.write(place.path("bare.fits"), &WriteOptions::default()).unwrap();
    (place, format!("{},{}", center.lon_deg, center.lat_deg))
}

#[test]
fn the_program_draws_every_kind() {
    let (place, center) = place();
    let circle = format!("icrs;circle({center},0.3)");
    let draw = |kind: &str, more: &[&str]| {
        let name = format!("{kind}-{}.svg", place.names().len());
        place.works(&[&["plot", "in.fits", "-o", &name, "--kind", kind, "--backend", "cpu", "--quiet"], more].concat());
        assert!(fs::read_to_string(place.path(&name)).unwrap().starts_with("<svg"));
    };
    for kind in ["peek", "counts", "excess", "npred", "spectrum", "residuals", "masks", "psf", "edisp", "exposure"] {
        draw(kind, &[]);
    }
    for kind in ["peek", "npred", "excess"] {
        draw(kind, &["--models", "m.yaml", "--smooth", "0.1deg", "--sources", "m.yaml"]);
    }
    draw("spectrum", &["--models", "m.yaml", "--region", &circle, "--method", "diff", "--quantity", "excess"]);
    draw("residuals", &["--models", "m.yaml", "--position", &center, "--frame", "icrs", "--radius", "0.2deg"]);
    draw("stack", &["--runs", "in.fits", "--runs", "off.fits"]);
    for kind in ["peek", "spectrum", "residuals"] {
        let name = format!("off-{kind}.png");
        place.works(&["plot", "off.fits", "-o", &name, "--kind", kind, "--backend", "cpu", "--models", "m.yaml"]);
        assert!(fs::read(place.path(&name)).unwrap().starts_with(b"\x89PNG"));
    }
    // A dataset of a region has no map, and its spectrum is what is drawn of it.
    place.works(&["plot", "one.fits", "-o", "one.svg", "--models", "m.yaml", "--backend", "cpu"]);
    assert!(fs::read_to_string(place.path("one.svg")).unwrap().starts_with("<svg"));
    for kind in ["peek", "residuals", "exposure", "edisp"] {
        let name = format!("one-{kind}.svg");
        place.works(&["plot", "one.fits", "-o", &name, "--kind", kind, "--backend", "cpu", "--models", "m.yaml"]);
    }
    let around = ["plot", "one.fits", "-o", "x.png", "--kind", "spectrum", "--backend", "cpu", "--position", "1,1"];
    place.fails(&around, 2, &["region", "itself"]);
}

#[test]
fn the_program_refuses_what_cannot_be_drawn() {
    let (place, center) = place();
    let fails = |more: &[&str], words: &[&str]| {
        place.fails(&[&["plot", "in.fits", "-o", "x.png", "--backend", "cpu"], more].concat(), 2, words);
    };
    fails(&["--kind", "beauty"], &["kind", "'beauty'", "spectrum"]);
    fails(&["--kind", "spectrum", "--region", "icrs;circle(10,-70,0.2)"], &["region", "no pixel", "10"]);
    fails(&["--kind", "spectrum", "--region", "blob(1,2,3)"], &["region"]);
    fails(&["--kind", "spectrum", "--position", "1,91"], &["position"]);
    fails(&["--kind", "spectrum", "--radius", "1deg"], &["radius", "--position"]);
    fails(&["--kind", "spectrum", "--position", &center, "--radius", "-1deg"], &["radius", "positive"]);
    fails(&["--kind", "spectrum", "--quantity", "flux"], &["quantity", "'flux'"]);
    fails(&["--kind", "residuals", "--method", "ratio"], &["method", "'ratio'"]);
    fails(&["--kind", "counts", "--smooth", "0deg"], &["smooth", "positive"]);
    fails(&["--kind", "stack"], &["runs"]);
    fails(&["--kind", "masks", "--energy", "99"], &["energy", "99"]);
    fails(&["--kind", "npred", "--models", "nowhere.yaml"], &["nowhere.yaml"]);
    let bare = |kind: &str, words: &[&str]| {
        place.fails(&["plot", "bare.fits", "-o", "x.png", "--backend", "cpu", "--kind", kind], 2, words);
    };
    bare("psf", &["bare.fits", "psf"]);
    bare("edisp", &["bare.fits", "edisp"]);
    bare("masks", &["bare.fits", "mask"]);
    bare("npred", &["bare.fits", "npred", "models"]);
    bare("residuals", &["bare.fits", "npred", "models"]);
    bare("excess", &["bare.fits", "background"]);
}

#[test]
fn fits_draw_profiles_and_contours() {
    let (place, _) = place();
    let fit = ["fit", "in.fits", "--models", "m.yaml", "--backend", "cpu", "-o"];
    let (index, amplitude) = ("s.spectral.index", "s.spectral.amplitude");
    let both = format!("{index},{amplitude}");
    let more = ["a.yaml", "--png", "fit.svg", "--profile", amplitude, "--contour", &both];
    place.works(&[&fit[..], &more].concat());
    assert!(fs::read_to_string(place.path("fit.svg")).unwrap().starts_with("<svg"));
    let fails = |more: &[&str], words: &[&str]| place.fails(&[&fit[..], more].concat(), 2, words);
    fails(&["b.yaml", "--png", "b.png"], &["png", "nothing to draw"]);
    fails(&["b.yaml", "--png", "b.gif", "--profile", index], &["b.gif"]);
    fails(&["b.yaml", "--profile", index], &["required"]);
    fails(&["b.yaml", "--png", "b.png", "--contour", index], &["contour", index]);
    fails(&["b.yaml", "--png", "b.png", "--profile", "s.spectral.beauty"], &["s.spectral.beauty"]);
    fails(&["b.yaml", "--png", "b.png", "--profile", "s.spatial.lon_0"], &["profile", "frozen"]);
}
