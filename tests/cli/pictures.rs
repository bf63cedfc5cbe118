//! What pictures may be asked for, option by option, on files that the tests make.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;

use crate::support::program::Place;

/// The texts of a drawing of `in.fits` (a map of 4 energies around RA 10h, Dec −40°) or another file, with more options.
#[track_caller]
fn texts(place: &Place, file: &str, more: &[&str]) -> Vec<String> {
    place.works(&[&["plot", file, "-o", "drawn.svg", "--editable", "--overwrite", "--quiet"], more].concat());
    let svg = fs::read_to_string(place.path("drawn.svg")).unwrap();
    let elements = svg.split("<text ").skip(1);
    elements.map(|t| t.split_once('>').unwrap().1.split_once("</text>").unwrap().0.to_string()).collect()
}

#[track_caller]
fn has(texts: &[String], wanted: &[&str]) {
    for text in wanted {
        assert!(texts.iter().any(|t| t == text), "'{text}' is not among {texts:?}");
    }
}

fn with_flux_maps() -> Place {
    let place = Place::with(|_| {});
    let arguments = ["tsmap", "in.fits", "-o", "flux.fits", "--backend", "cpu", "--kernel-width", "0.2deg", "--quiet"];
    place.works(&[&arguments[..], &["--energy-edges", "0.5TeV,3.2TeV,20TeV"]].concat());
    place
}

#[test]
fn limits_are_the_ends_of_the_bar() {
    let place = Place::with(|_| {});
    let counts = ["--quantity", "counts", "--stretch", "linear"];
    has(&texts(&place, "in.fits", &[&counts[..], &["--vmin", "-30", "--vmax", "170"]].concat()), &["−20", "0", "160"]);
    has(&texts(&place, "in.fits", &[&counts[..], &["--vmax", "500"]].concat()), &["500", "0"]);
    let log = ["--quantity", "counts", "--stretch", "log", "--vmin", "1", "--vmax", "1000"];
    has(&texts(&place, "in.fits", &log), &["1", "10", "100", "1000"]);
    for (more, words) in [
        (&["--vmin", "5", "--vmax", "5"][..], &["vmin", "not below vmax"][..]),
        (&["--vmin", "1e6"], &["vmin", "not below the largest value"]),
        (&["--vmax", "-3"], &["vmax", "not above the smallest value"]),
        (&["--vmin", "nan"], &["vmin", "finite"]),
        (&["--vmax", "-1", "--stretch", "log"], &["vmax", "logarithmic"]),
        (&["--vmin", "0", "--stretch", "log"], &["vmin", "logarithmic"]),
    ] {
        place.fails(&[&["plot", "in.fits", "-o", "x.png", "--quiet"], more].concat(), 2, words);
    }
}

#[test]
fn names_of_colours_stretches_and_scales_are_told() {
    let place = Place::with(|_| {});
    for map in
        ["viridis", "Greys", "gray", "hot", "afmhot", "coolwarm", "RdBu", "RdBu_r", "seismic", "bwr", "significance"]
    {
        place.works(&["plot", "in.fits", "-o", "x.png", "--overwrite", "--quiet", "--width", "300", "--cmap", map]);
    }
    let pictures: Vec<Vec<u8>> = ["linear", "sqrt", "log", "asinh"]
        .map(|stretch| {
            let more = ["--overwrite", "--quiet", "--width", "300", "--stretch", stretch];
            place.works(&[&["plot", "in.fits", "-o", "x.png"][..], &more].concat());
            fs::read(place.path("x.png")).unwrap()
        })
        .to_vec();
    assert!(pictures.windows(2).all(|p| p[0] != p[1]));
    let fails = |more: &[&str], words: &[&str]| {
        place.fails(&[&["plot", "in.fits", "-o", "y.png", "--quiet"], more].concat(), 2, words);
    };
    fails(&["--cmap", "jet"], &["cmap", "'jet'", "viridis", "plasma", "afmhot", "RdBu_r"]);
    fails(&["--stretch", "power"], &["stretch", "'power'", "linear, sqrt, log, asinh"]);
    fails(&["--panel-scale", "two"], &["panel-scale", "one, each"]);
}

#[test]
fn panels_have_one_scale_or_one_each() {
    let place = Place::with(|_| {});
    // Flux falls over energy: on one scale the same numbers stand at every bar.
    let bars = |scale: &str| {
        let exposures = ["--quantity", "background", "--stretch", "linear", "--panel-scale", scale];
        place.works(
            &[
                &["residuals", "in.fits", "-o", "r.fits", "--png", "r.svg", "--editable", "--overwrite"][..],
                &exposures[2..],
            ]
            .concat(),
        );
        let svg = fs::read_to_string(place.path("r.svg")).unwrap();
        // The colour bars are pictures; their numbers are texts at the right of each.
        let numbers: Vec<String> = svg
            .split("text-anchor=\"start\"")
            .skip(1)
            .map(|t| t.split_once('>').unwrap().1.split_once('<').unwrap().0.to_string())
            .collect();
        let mut distinct = numbers.clone();
        distinct.sort();
        distinct.dedup();
        (numbers.len(), distinct.len())
    };
    let (one, each) = (bars("one"), bars("each"));
    assert_eq!(one.0, 4 * one.1, "the same numbers at all four bars: {one:?}");
    assert!(each.0 < 4 * each.1, "{each:?}");
}

#[test]
fn energies_choose_the_bin_that_they_are_in() {
    let place = with_flux_maps();
    for (energy, title) in [
        ("0", "500 GeV – 3.16 TeV"),
        ("700GeV", "500 GeV – 3.16 TeV"),
        ("0.5TeV", "500 GeV – 3.16 TeV"),
        ("10 TeV", "3.16 TeV – 20 TeV"),
        ("20TeV", "3.16 TeV – 20 TeV"),
    ] {
        let found = texts(&place, "flux.fits", &["--energy", energy]);
        let titles: Vec<&String> = found.iter().filter(|t| t.contains('–')).collect();
        assert_eq!(titles, [title], "{energy}");
    }
    has(&texts(&place, "in.fits", &["--quantity", "exposure", "--energy", "1TeV"]), &["646 GeV – 1.39 TeV"]);
    has(&texts(&place, "in.fits", &["--kind", "masks", "--energy", "1TeV"]), &["500 GeV – 1.26 TeV"]);
    let fails = |energy: &str, words: &[&str]| {
        place.fails(&["plot", "flux.fits", "-o", "x.png", "--energy", energy], 2, &[&["energy"], words].concat());
    };
    fails("2", &["2 is not one of the energy bins 0 to 1"]);
    fails("10GeV", &["10GeV is not within 500 GeV to 20 TeV"]);
    fails("30TeV", &["not within"]);
    fails("1deg", &["'1deg' is neither the number of a bin nor an energy"]);
    place.works(&["residuals", "in.fits", "-o", "r.fits", "--png", "r.png", "--energy", "2TeV", "--backend", "cpu"]);
    place.works(&["peaks", "flux.fits", "-o", "p.ecsv", "--energy", "2TeV", "--threshold", "2"]);
    place.fails(&["peaks", "flux.fits", "-o", "q.ecsv", "--energy", "2GeV"], 2, &["energy", "not within"]);
}

#[test]
fn titles_coordinates_circles_and_bars() {
    let place = with_flux_maps();
    let more =
        ["--title", "A field & its <sources>", "--sexagesimal", "--psf-circle", "0.1deg", "--scale-bar", "0.25deg"];
    let found = texts(&place, "flux.fits", &[&more[..], &["--energy", "0"]].concat());
    has(&found, &["A field &amp; its &lt;sources&gt;", "10ʰ00ᵐ", "−40°00′", "15′", "PSF"]);
    // Circles differ from bin to bin; the bar chooses its length.
    let found = texts(&place, "flux.fits", &["--psf-circle", "in.fits", "--scale-bar", "auto"]);
    let circles: Vec<&String> = found.iter().filter(|t| t.starts_with("PSF 68 %, ")).collect();
    assert_eq!(circles.len(), 2);
    assert_ne!(circles[0], circles[1]);
    has(&found, &["10′"]);
    for kind in ["peek", "counts", "exposure", "masks"] {
        let more = ["--kind", kind, "--psf-circle", "in.fits", "--scale-bar", "auto", "--sexagesimal", "--title", kind];
        let found = texts(&place, "in.fits", &[&more[..], &["--backend", "cpu"]].concat());
        has(&found, &[kind]);
        assert!(found.iter().any(|t| t.starts_with("PSF 68 %, ")), "{kind}: {found:?}");
    }
    let fails = |file: &str, more: &[&str], words: &[&str]| {
        place.fails(&[&["plot", file, "-o", "x.png", "--quiet"], more].concat(), 2, words);
    };
    fails("flux.fits", &["--psf-circle", "2deg"], &["psf-circle", "too large"]);
    fails("flux.fits", &["--psf-circle", "-1deg"], &["psf-circle", "not above 0"]);
    fails("flux.fits", &["--psf-circle", "nowhere.fits"], &["psf-circle", "nowhere.fits"]);
    fails("flux.fits", &["--psf-circle", "0.1"], &["psf-circle", "no unit"]);
    fails("flux.fits", &["--scale-bar", "5deg"], &["scale-bar", "too long"]);
    fails("flux.fits", &["--scale-bar", "3"], &["scale-bar"]);
    // What there is nothing for is said.
    fails("flux.fits", &["--kind", "histogram", "--vmin", "3"], &["vmin", "none in this picture"]);
    fails("in.fits", &["--kind", "edisp", "--sexagesimal"], &["sexagesimal", "none in this picture"]);
    place.works(&["plot", "in.fits", "--kind", "edisp", "-o", "e.png", "--cmap", "magma", "--stretch", "sqrt"]);
}

#[test]
fn files_end_as_they_are_named() {
    let place = with_flux_maps();
    place.works(&["plot", "flux.fits", "-o", "a.pdf", "--title", "Übersicht"]);
    let pdf = fs::read(place.path("a.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF-1.") && pdf.ends_with(b"%%EOF"));
    place.works(&["plot", "flux.fits", "-o", "a.svg"]);
    place.works(&["plot", "flux.fits", "-o", "b.svg", "--editable"]);
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    assert!(
        !read("a.svg").contains("<text") && read("b.svg").contains("<text") && read("b.svg").contains("@font-face")
    );
    place.fails(&["plot", "flux.fits", "-o", "x.pdf", "--editable"], 2, &["editable", ".svg", "x.pdf"]);
    place.fails(&["plot", "flux.fits", "-o", "x.eps"], 2, &["x.eps", ".png, .svg or .pdf"]);
}

#[test]
fn other_commands_take_the_same_options() {
    let place = with_flux_maps();
    let svg = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    let look = ["--editable", "--title", "Asked for", "--vmax", "10", "--cmap", "coolwarm", "--stretch", "linear"];
    let cases: [(&str, &[&str]); 5] = [
        ("t.svg", &["tsmap", "in.fits", "-o", "t.fits", "--backend", "cpu", "--kernel-width", "0.2deg"]),
        ("e.svg", &["excess", "in.fits", "-o", "e.fits", "--backend", "cpu"]),
        ("c.svg", &["combine", "flux.fits", "flux.fits", "-o", "c.fits"]),
        ("p.svg", &["peaks", "flux.fits", "-o", "p.ecsv", "--threshold", "2"]),
        ("r.svg", &["residuals", "in.fits", "-o", "r.fits", "--backend", "cpu"]),
    ];
    for (name, command) in cases {
        place.works(&[command, &["--png", name], &look[..]].concat());
        assert!(svg(name).contains(">Asked for<") && svg(name).contains(">10<"), "{name}");
    }
    place.works(&[
        "asmooth",
        "in.fits",
        "-o",
        "a.fits",
        "--threads",
        "1",
        "--png",
        "a.svg",
        "--editable",
        "--title",
        "Asked for",
    ]);
    assert!(svg("a.svg").contains(">Asked for<"));
    place.works(&["flux-points", "flux.fits", "-o", "f.fits", "--png", "f.svg", "--editable", "--title", "Asked for"]);
    assert!(svg("f.svg").contains(">Asked for<"));
    // Nothing is written where the picture cannot be as it is asked for, or none is made.
    let tsmap = ["tsmap", "in.fits", "-o", "x.fits", "--backend", "cpu", "--kernel-width", "0.2deg", "--quiet"];
    place.fails(&[&tsmap[..], &["--vmin", "3"]].concat(), 2, &["vmin", "none is made"]);
    place.fails(&[&tsmap[..], &["--png", "x.png", "--vmin", "1e9"]].concat(), 2, &["vmin", "largest"]);
    place.fails(&[&tsmap[..], &["--png", "x.png", "--cmap", "jet"]].concat(), 2, &["cmap", "'jet'"]);
    place.fails(&[&tsmap[..], &["--png", "x.png", "--scale-bar", "9deg"]].concat(), 2, &["scale-bar", "too long"]);
}

/// Light curves are in flux, spectra in the type that they came in, with powers of ten.
#[test]
fn charts_of_flux_points() {
    let place = Place::new();
    let table = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: time_min, unit: d, datatype: float64}\n# - {name: time_max, unit: d, \
                 datatype: float64}\n# - {name: e_min, unit: TeV, datatype: float64}\n# - {name: e_max, unit: TeV, datatype: \
                 float64}\n# - {name: e_ref, unit: TeV, datatype: float64}\n# - {name: dnde, unit: cm-2 s-1 TeV-1, datatype: \
                 float64}\n# - {name: dnde_err, unit: cm-2 s-1 TeV-1, datatype: float64}\n# meta: {SED_TYPE: dnde}\n";
    let names = "time_min time_max e_min e_max e_ref dnde dnde_err\n";
    let rows = "55000 55001 1 10 3.16 2e-12 2e-13\n55001 55002 1 10 3.16 4e-12 3e-13\n";
    fs::write(place.path("curve.ecsv"), format!("{table}{names}{rows}")).unwrap();
    let found = texts(&place, "curve.ecsv", &[]);
    assert!(found.iter().any(|t| t.starts_with("flux [10⁻¹¹ ")), "{found:?}");
    let found = texts(&place, "curve.ecsv", &["--quantity", "dnde"]);
    assert!(found.iter().any(|t| t.starts_with("dN/dE [")), "{found:?}");
    let csv = "E,F,dF\n0.7,1.1e-11,6e-13\n2,1.1e-12,7e-14\n6,9.7e-14,1.1e-14\n20,6.9e-15,2.1e-15\n";
    fs::write(place.path("paper.csv"), csv).unwrap();
    let dnde = ["--column", "dnde=F:cm-2 s-1 TeV-1", "--column", "dnde_err=dF:cm-2 s-1 TeV-1"];
    let convert = ["convert", "paper.csv", "-o", "paper.fits", "--column", "e_ref=E:TeV"];
    place.works(&[&convert[..], &dnde].concat());
    let found = texts(&place, "paper.fits", &["--quantity", "dnde"]);
    has(&found, &["dN/dE [TeV⁻¹ s⁻¹ cm⁻²]", "10⁻¹²", "10⁻¹⁴", "1", "10"]);
    place.fails(&["plot", "paper.fits", "-o", "x.png", "--vmin", "1e-14"], 2, &["vmin", "none in this picture"]);
}
