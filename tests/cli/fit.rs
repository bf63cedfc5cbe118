//! `pevatron fit`: files that it writes, what its JSON says, and what it refuses.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;

use crate::support::program::{Place, data};
use crate::support::yaml::PointSource;
use pevatron::models::Models;
use serde_json::Value;

const BACKGROUND: &str = "-   type: FoVBackgroundModel
    datasets_names: [NAME]
    spectral:
        type: PowerLawNormSpectralModel
        parameters:
        -   {name: norm, value: 1.0}
        -   {name: tilt, value: 0.0, frozen: true}
        -   {name: reference, value: 1.0, unit: TeV}
";

/// The models with the dataset's own name and a source at the centre of its map.
fn yaml() -> String {
    let dataset = pevatron::datasets::MapDataset::read(data("sim-tan-1.fits.gz")).unwrap();
    let center = dataset.wcs_geom().unwrap().center().unwrap();
    let position = (center.lon_deg, center.lat_deg);
    let source = PointSource { name: "src", index: "2.0", amplitude: "2.0e-12", position, position_is_frozen: true };
    source.yaml() + &BACKGROUND.replace("NAME", &dataset.name)
}

fn place(yaml: &str) -> Place {
    let place = Place::with(|_| {});
    fs::write(place.path("m.yaml"), yaml).unwrap();
    place
}

const FIT: [&str; 8] = ["fit", "in.fits", "--models", "m.yaml", "-o", "out.yaml", "--backend", "cpu"];

#[test]
fn models_covariance_and_json_say_the_same() {
    let place = place(&yaml());
    let stdout = place.works(&[&FIT[..], &["--json", "--confidence", "src.spectral.amplitude"]].concat());
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["success"], true, "{}", json["message"]);
    assert!(json["stat"].as_f64().unwrap().is_finite());
    let models = Models::read(place.path("out.yaml")).unwrap();
    let covariance = models.read_covariance(place.path("out.yaml")).unwrap().unwrap();
    assert_eq!(json["parameters"].as_array().unwrap().len(), models.parameters().len());
    for (i, (name, parameter)) in models.parameters().iter().enumerate() {
        let entry = &json["parameters"][i];
        assert_eq!(entry["name"], name.as_str());
        assert_eq!(entry["value"].as_f64().unwrap(), parameter.value);
        assert_eq!(entry["error"].as_f64().unwrap(), parameter.error);
        let variance = covariance.get(name, name).unwrap();
        assert!((variance.sqrt() - parameter.error).abs() <= 1e-12 * parameter.error, "{name}");
        assert_eq!(parameter.error > 0.0, !parameter.frozen, "{name}");
        assert_eq!(json["errors"].get(name).is_some(), !parameter.frozen, "{name}");
    }
    let interval = &json["confidence"]["src.spectral.amplitude"];
    assert!(interval["errp"].as_f64().unwrap() > 0.0 && interval["errn"].as_f64().unwrap() > 0.0);
    assert!(fs::read_to_string(place.path("out.yaml")).unwrap().contains("covariance: out_covariance.dat"));

    // Fitted models stay where they are.
    fs::copy(place.path("out.yaml"), place.path("m.yaml")).unwrap();
    let again = place.works(&[&FIT[..], &["--json", "--overwrite"]].concat());
    let again: Value = serde_json::from_str(&again).unwrap();
    assert!((again["stat"].as_f64().unwrap() - json["stat"].as_f64().unwrap()).abs() < 1e-3);
    assert!(again["iterations"].as_u64().unwrap() <= 2);
    // An existing covariance is not replaced without being asked for.
    fs::remove_file(place.path("out.yaml")).unwrap();
    place.fails(&FIT, 2, &["out_covariance.dat", "exists"]);
}

#[test]
fn lines_for_people_name_values_and_errors() {
    let place = place(&yaml());
    let stdout = place.works(&FIT);
    assert!(stdout.contains("out.yaml: stat") && stdout.contains("src.spectral.index") && stdout.contains('±'));
    assert!(!stdout.contains("src.spatial.lon_0"), "frozen parameters are not told");
}

#[test]
fn a_fit_without_a_minimum_ends_with_1_and_says_why() {
    let yaml = yaml().replace("value: 2.0e-12", "value: 2.0e-9");
    let one_step = [&FIT[..], &["--max-iterations", "1"]].concat();
    for more in [&[][..], &["--quiet"], &["--json"]] {
        let place = place(&yaml);
        let output = place.run(&[&one_step[..], more].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let errors: Vec<&str> = stderr.lines().filter(|l| l.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{stderr}");
        assert!(errors[0].contains("did not succeed") && errors[0].contains("no minimum within 1 steps"), "{stderr}");
        assert!(stderr.contains("help: out.yaml") && stderr.contains("--max-iterations"), "{stderr}");
        // Where it ended is there to be looked at, and to go on from.
        let models = Models::read(place.path("out.yaml")).unwrap();
        assert_ne!(models.parameter("src.spectral.amplitude").unwrap().value, 2e-9);
        assert!(place.path("out_covariance.dat").exists());
        let stdout = String::from_utf8(output.stdout).unwrap();
        match more {
            ["--json"] => {
                let json: Value = serde_json::from_str(&stdout).unwrap();
                assert_eq!(json["success"], false);
                assert!(json["message"].as_str().unwrap().contains("no minimum"));
            }
            ["--quiet"] => assert_eq!(stdout, ""),
            _ => assert!(stdout.contains("no minimum") && stdout.contains("src.spectral.index")),
        }
    }
}

#[test]
fn wrong_input_ends_with_2() {
    let good = yaml();
    let fails = |yaml: &str, words: &[&str]| place(yaml).fails(&FIT, 2, words);
    fails(&good.replace("PowerLawSpectralModel", "PowerSpectralModel"), &["PowerSpectralModel", "line"]);
    fails(&good.replace("cm-2 s-1 TeV-1", "''"), &["amplitude", "unit"]);
    fails(&good.replace("{name: amplitude", "{name: amplitud"), &["amplitud", "not one of"]);
    let frozen = good.replace("value: 2.0}", "value: 2.0, frozen: true}").replace("TeV-1}", "TeV-1, frozen: true}");
    fails(&frozen.replace("value: 1.0}", "value: 1.0, frozen: true}"), &["no parameter is free"]);
    let circle = good
        .replace("{name: index, value: 2.0}", "{name: index, value: 2.0, link: other.spectral.norm}")
        .replace("{name: norm, value: 1.0}", "{name: norm, value: 1.0, link: src.spectral.index}")
        .replace("-   type: FoVBackgroundModel", "-   name: other\n    type: FoVBackgroundModel");
    fails(&circle, &["back to itself"]);
    fails(&good.replace("value: 2.0}", "value: 2.0, link: nobody.spectral.index}"), &["nobody.spectral.index"]);
    fails(&good.replace("value: 2.0}", "value: 9.0, max: 5.0}"), &["src.spectral.index", "beyond its bounds"]);
    fails(&good.replace("value: 2.0}", "value: 2.0, min: 5.0, max: 4.0}"), &["lower bound"]);
    fails(&good.replace("value: 2.0}", "value: .nan}"), &["finite"]);
    let prior =
        "value: 2.0, prior: {type: GaussianPrior, parameters: [{name: mu, value: 2}, {name: sigma, value: 0}]}}";
    fails(&good.replace("value: 2.0}", prior), &["sigma", "positive"]);
    fails(&good.replace("value: 2.0}", &prior.replace("GaussianPrior", "NormalPrior")), &["NormalPrior"]);
    let elsewhere = good.replace("datasets_names: [", "datasets_names: [not-");
    fails(&elsewhere, &["applies to 'not-"]);

    let place = place(&good);
    place.fails(&["fit", "none.fits", "--models", "m.yaml", "-o", "out.yaml"], 2, &["none.fits"]);
    place.fails(&["fit", "in.fits", "--models", "none.yaml", "-o", "out.yaml"], 2, &["none.yaml"]);
    place.fails(&["fit", "in.fits", "in.fits", "--models", "m.yaml", "-o", "out.yaml"], 2, &["two datasets"]);
    place.fails(&["fit", "in.fits", "--models", "m.yaml", "-o", "no/out.yaml"], 2, &["does not exist"]);
    place.fails(&[&FIT[..], &["--tolerance", "0"]].concat(), 2, &["tolerance"]);
    place.fails(&[&FIT[..], &["--confidence", "src.spectral.gamma"]].concat(), 2, &["src.spectral.gamma"]);
    place.fails(&[&FIT[..], &["--confidence", "src.spectral.index", "--sigma", "0"]].concat(), 2, &["sigma"]);
}
