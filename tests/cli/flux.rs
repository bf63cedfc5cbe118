//! Flux maps and flux points on the command line: convert, flux-points, and their pictures.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::fs;

use crate::support::fits_file::FitsFile;
use crate::support::program::{Place, dataset};
use pevatron::flux::{FluxMaps, FluxPoints, FluxPointsCollection, FromTable, SedType};

/// A place with flux maps of two energy groups, `flux.fits`.
fn with_flux_maps() -> Place {
    let place = Place::with(|_| {});
    let arguments = ["tsmap", "in.fits", "-o", "flux.fits", "--backend", "cpu", "--kernel-width", "0.2deg"];
    place.works(&[&arguments[..], &["--energy-edges", "all", "--selection", "all", "--quiet"]].concat());
    place
}

fn values(map: &pevatron::maps::Map) -> Vec<f64> {
    map.data().iter().collect()
}

fn assert_same(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(b).all(|(x, y)| x == y || (x.is_nan() && y.is_nan()) || (x / y - 1.0).abs() < 1e-12));
}

#[test]
fn flux_maps_in_every_sed_type_and_back() {
    let place = with_flux_maps();
    let maps = FluxMaps::read(place.path("flux.fits")).unwrap();
    for sed in SedType::ALL {
        let name = format!("as_{}.fits", sed.name());
        place.works(&["convert", "flux.fits", "-o", &name, "--sed-type", sed.name()]);
        place.works(&["convert", &name, "-o", "back.fits", "--sed-type", "likelihood", "--overwrite"]);
        let back = FluxMaps::read(place.path("back.fits")).unwrap();
        assert_same(&values(&back.norm().unwrap()), &values(&maps.norm().unwrap()));
        assert_same(&values(&back.norm_ul().unwrap()), &values(&maps.norm_ul().unwrap()));
        assert_same(&values(&back.ts_scan().unwrap()), &values(&maps.ts_scan().unwrap()));
    }
    // The same in memory.
    let bytes = maps.to_bytes(SedType::Eflux, &pevatron::io::WriteOptions::default()).unwrap();
    let back = FluxMaps::from_bytes(bytes).unwrap();
    assert_eq!((back.sed_type_init(), back.reference_model().name.as_str()), (SedType::Likelihood, "ts-kernel"));
    assert_same(&values(&back.norm().unwrap()), &values(&maps.norm().unwrap()));
    place.fails(&["convert", "flux.fits", "-o", "as_dnde.fits"], 2, &["'as_dnde.fits' exists"]);
    place.fails(&["convert", "flux.fits", "-o", "a.fits", "--sed-type", "fluence"], 2, &["'fluence'", "likelihood"]);
    place.fails(&["convert", "flux.fits", "-o", "a.fits", "--format", "gadf-sed"], 2, &["format", "flux maps"]);
    place.fails(&["convert", "none.fits", "-o", "a.fits"], 2, &["none.fits", "no such file"]);
    // Damaged flux maps: an unknown type, a missing map, a wrong unit.
    for (change, words) in [(0, ["SED_TYPE", "'fluence'"]), (1, ["dnde", "is missing"]), (2, ["dnde", "is in 'cm2'"])] {
        let mut file = FitsFile::read(place.path("as_dnde.fits"));
        match change {
            0 => file.hdus[0].set("SED_TYPE", "'fluence '"),
            1 => file.remove("DNDE"),
            _ => file.hdu("DNDE").set("BUNIT", "'cm2     '"),
        }
        for hdu in &mut file.hdus {
            hdu.unset("CHECKSUM");
            hdu.unset("DATASUM");
        }
        file.write(place.path("bad.fits"));
        place.fails(&["convert", "bad.fits", "-o", "a.fits"], 2, &[&["bad.fits"][..], &words[..]].concat());
    }
    // Its model is neither inside nor beside: an error, unless another one is given; none was named: said.
    let mut file = FitsFile::read(place.path("as_dnde.fits"));
    file.remove("MODEL_YAML");
    file.write(place.path("lonely.fits"));
    fs::rename(place.path("as_dnde_model.yaml"), place.path("moved.yaml")).unwrap();
    place.fails(&["convert", "lonely.fits", "-o", "a.fits"], 2, &["lonely.fits", "MODEL", "as_dnde_model.yaml"]);
    place.fails(&["info", "lonely.fits"], 2, &["as_dnde_model.yaml"]);
    place.works(&["convert", "lonely.fits", "-o", "a.fits", "--models", "moved.yaml", "--sed-type", "likelihood"]);
    assert_same(
        &values(&FluxMaps::read(place.path("a.fits")).unwrap().norm().unwrap()),
        &values(&maps.norm().unwrap()),
    );
    file.hdus[0].unset("MODEL");
    file.hdus[0].unset("CHECKSUM");
    file.write(place.path("nameless.fits"));
    let output = place.run(&["convert", "nameless.fits", "-o", "c.fits"]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("E^-2"));
    place.fails(&["convert", "flux.fits", "-o", "b.fits", "--models", "none.yaml"], 2, &["none.yaml"]);
}

#[test]
fn other_files_are_written_anew() {
    let place = with_flux_maps();
    place.works(&["convert", "in.fits", "-o", "again.fits.gz"]);
    let info = |file: &str| place.works(&["info", file, "--json"]).replace(file, "");
    assert_eq!(info("in.fits"), info("again.fits.gz"));
    place.works(&["convert", "flux_model.yaml", "-o", "model.yaml"]);
    place.works(&["convert", "model.yaml", "-o", "model2.yaml"]);
    let text = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(text("model.yaml"), text("model2.yaml"));
    place.fails(&["convert", "in.fits", "-o", "a.fits", "--format", "ogip"], 2, &["OGIP", "off counts"]);
    place.fails(&["convert", "in.fits", "-o", "a.fits", "--sed-type", "dnde"], 2, &["--sed-type", "a dataset"]);
}

#[test]
fn points_of_positions() {
    let place = with_flux_maps();
    let maps = FluxMaps::read(place.path("flux.fits")).unwrap();
    place.works(&["flux-points", "flux.fits", "-o", "centre.fits", "--png", "centre.png", "--sed-type", "e2dnde"]);
    let centre = FluxPoints::read(place.path("centre.fits"), &FromTable::default()).unwrap().0;
    assert_eq!(centre.sed_type_init(), SedType::E2dnde);
    let wanted = maps.get_flux_points(None).unwrap();
    assert_same(&values(&centre.e2dnde().unwrap()), &values(&wanted.e2dnde().unwrap()));
    assert!(place.path("centre.png").exists());

    let geom = maps.geom().as_wcs().unwrap();
    let (a, b) = (geom.pix_to_sky(1.0, 1.0).unwrap(), geom.pix_to_sky(3.0, 2.0).unwrap());
    let table = format!("name,lon,lat\nfirst one,{},{}\nb,{},{}\n", a.lon_deg, a.lat_deg, b.lon_deg, b.lat_deg);
    fs::write(place.path("positions.csv"), table).unwrap();
    for out in ["points.ecsv", "points.fits"] {
        place.works(&["flux-points", "flux.fits", "--positions", "positions.csv", "-o", out]);
        let collection = FluxPointsCollection::read(place.path(out), &FromTable::default()).unwrap().0;
        let names: Vec<_> = collection.iter().map(|(k, _)| k.source.clone().unwrap()).collect();
        assert_eq!(names, ["first one", "b"]);
        let (_, points) = collection.iter().nth(1).unwrap();
        assert_same(&values(&points.norm().unwrap()), &values(&maps.at_position(b).unwrap().norm().unwrap()));
        place.works(&["plot", out, "-o", &format!("{out}.png")]);
        place.works(&["info", out]);
    }
    place.works(&["plot", "points.fits", "-o", "sed.svg", "--quantity", "e2dnde", "--sources", "flux_model.yaml"]);
    place.works(&["flux-points", "flux.fits", "-o", "profiles.fits"]);
    place.works(&["plot", "profiles.fits", "-o", "profiles.png", "--kind", "profiles"]);

    let fails =
        |more: &[&str], words: &[&str]| place.fails(&[&["flux-points", "flux.fits"][..], more].concat(), 2, words);
    fails(&["-o", "x.fits", "--position", "0deg"], &["position", "two angles"]);
    fails(&["-o", "x.fits", "--position", "0deg,100deg"], &["position", "not a place"]);
    fails(&["-o", "x.fits", "--position", "0deg,89deg", "--frame", "icrs"], &["position", "outside"]);
    fails(&["-o", "x.fits", "--position", "0deg,0deg", "--frame", "fk4"], &["frame", "'fk4'"]);
    fails(&["-o", "x.fits", "--positions", "none.csv"], &["none.csv"]);
    fails(&["-o", "centre.fits"], &["exists"]);
    fs::write(place.path("bad.csv"), "name,x,y\nx,1,2\n").unwrap();
    fails(&["-o", "x.fits", "--positions", "bad.csv"], &["bad.csv", "no columns of positions", "[name, x, y]"]);
    fs::write(place.path("far.csv"), "name,lon,lat\nfar,1,-80\n").unwrap();
    fails(&["-o", "x.fits", "--positions", "far.csv"], &["far.csv", "far", "outside"]);
    place.fails(&["flux-points", "in.fits", "-o", "x.fits"], 2, &["in.fits"]);
}

#[test]
fn tables_of_other_tools() {
    let place = Place::new();
    fs::write(place.path("paper.txt"), "# from a paper\nE F lo up\n0.5 7e-12 3e-12 3e-12\n1.5 2e-13 4e-14 5e-14\n")
        .unwrap();
    let columns = ["--column", "e_ref=E:TeV", "--column", "dnde=F:cm-2 s-1 TeV-1"];
    let errors = ["--column", "dnde_errn=lo:cm-2 s-1 TeV-1", "--column", "dnde_errp=up:cm-2 s-1 TeV-1"];
    place.works(&[&["convert", "paper.txt", "-o", "points.fits"][..], &columns, &errors].concat());
    let points = FluxPoints::read(place.path("points.fits"), &FromTable::default()).unwrap().0;
    assert_same(&values(&points.dnde_errp().unwrap()), &[3e-12, 5e-14]);
    place.works(&["convert", "points.fits", "-o", "points.ecsv", "--sed-type", "e2dnde"]);
    place.fails(&["convert", "points.fits", "-o", "x.fits", "--sed-type", "flux"], 2, &["energy", "no bins"]);
    place.fails(&["convert", "paper.txt", "-o", "x.fits"], 2, &["paper.txt", "not converted"]);
    place.fails(&["convert", "paper.txt", "-o", "x.fits", "--column", "e_ref"], 2, &["column", "has no ="]);
    place.fails(&["convert", "paper.txt", "-o", "x.fits", "--column", "e_ref=Q:TeV"], 2, &["Q", "no such column"]);
    place.fails(&["convert", "paper.txt", "-o", "x.fits", "--column", "e_ref=E:parsnip"], 2, &["parsnip"]);
    place.fails(&["convert", "points.fits", "-o", "x.fits", "--format", "lightcurve"], 2, &["lightcurve", "time"]);
    place.fails(&["plot", "points.fits", "-o", "x.png", "--kind", "light-curve"], 2, &["kind", "no times"]);
    place.fails(&["plot", "points.fits", "-o", "x.png", "--kind", "profiles"], 2, &["stat_scan"]);
    place.fails(&["plot", "points.fits", "-o", "x.png", "--kind", "histogram"], 2, &["kind", "'histogram'"]);
}

#[test]
fn histograms_and_contours() {
    let place = with_flux_maps();
    let models = "components:\n- name: s\n  type: SkyModel\n  spectral:\n    type: PowerLawSpectralModel\n  spatial:\n    \
                  type: PointSpatialModel\n    frame: icrs\n    parameters:\n    - {name: lon_0, value: 83.6, unit: deg}\n    \
                  - {name: lat_0, value: 22.0, unit: deg}\n";
    fs::write(place.path("models.yaml"), models).unwrap();
    fn plot<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["plot", "flux.fits"][..], more].concat()
    }
    place.works(&plot(&["-o", "h.png", "--kind", "histogram"]));
    place.works(&plot(&[
        "-o",
        "h.svg",
        "--kind",
        "histogram",
        "--sources",
        "models.yaml",
        "--exclude-radius",
        "0.1deg",
    ]));
    let svg = fs::read_to_string(place.path("h.svg")).unwrap();
    assert!(svg.len() > 3000 && !svg.contains("NaN"));
    place.works(&plot(&["-o", "c.png", "--quantity", "sqrt_ts", "--contours", "1,2.5", "--energy", "0"]));
    place.fails(&plot(&["-o", "x.png", "--contours", "1,a"]), 2, &["contours", "'a'"]);
    place.fails(&plot(&["-o", "x.png", "--kind", "sed"]), 2, &["kind", "map, histogram"]);
    fs::write(place.path("r.reg"), "icrs\ncircle(83.6,22.0,0.05) # text={ring}\n").unwrap();
    place.works(&plot(&["-o", "r.png", "--quantity", "sqrt_ts", "--regions", "r.reg"]));
    fs::write(place.path("r.reg"), "icrs\npolygon(1,2,3,4)\n").unwrap();
    place.fails(&plot(&["-o", "x.png", "--regions", "r.reg"]), 2, &["r.reg", "line 2", "polygon"]);
    let bad = ["-o", "x.png", "--kind", "histogram", "--sources", "models.yaml", "--exclude-radius", "0deg"];
    place.fails(&plot(&bad), 2, &["--exclude-radius", "positive"]);
    assert!(dataset().bytes().len() > 1000);
}
