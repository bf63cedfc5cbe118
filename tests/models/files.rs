//! Models with files beside them: maps that are written with the models, and files that are missing or broken.
#![cfg(feature = "fits-system")]
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::path::Path;
use std::sync::Arc;

use ndarray::Array3;
use pevatron::io::WriteOptions;
use pevatron::maps::{AxisInterp, Geom, Map, MapAxis, RegionGeom, SkyPosition, WcsGeom};
use pevatron::models::spatial::{TemplateNDSpatialModel, TemplateSpatialModel};
use pevatron::models::spectral::{PowerLawSpectralModel, TemplateNDSpectralModel};
use pevatron::models::{Model, Models, SkyModel, TemplateNPredModel};
use pevatron::table::{Column, Table};

fn sky_map(axes: Vec<MapAxis>, unit: &str) -> Arc<Map> {
    let center = SkyPosition::icrs(83.6, 22.0);
    let geom = Geom::Wcs(WcsGeom::create(center, 4, 3, (0.1, 0.1), "TAN", axes).unwrap());
    let planes = geom.axes().iter().map(MapAxis::nbin).product();
    let cube = Array3::from_shape_fn((planes, 3, 4), |(e, y, x)| 0.5 + (e * 12 + y * 4 + x) as f64);
    Arc::new(Map::from_cube(Arc::new(geom), unit.parse().unwrap(), cube).unwrap())
}

fn height() -> MapAxis {
    MapAxis::from_nodes("height", "kpc".parse().unwrap(), vec![1.0, 2.0, 5.0], AxisInterp::Lin).unwrap()
}

/// A model for each kind of map.
fn models() -> Models {
    let energy = MapAxis::energy_bounds(1.0, 10.0, 2, "energy").unwrap();
    let counts = TemplateNPredModel::new("counts", sky_map(vec![energy], "")).unwrap();
    let region = Geom::Region(RegionGeom::new(
        None,
        None,
        vec![MapAxis::energy_bounds(0.1, 100.0, 3, "energy_true").unwrap(), height()],
    ));
    let cube = Array3::from_shape_fn((9, 1, 1), |(i, ..)| 1e-12 * (1 + i) as f64);
    let spectrum = Map::from_cube(Arc::new(region), "cm-2 s-1 TeV-1".parse().unwrap(), cube).unwrap();
    let spectral = TemplateNDSpectralModel::new(Arc::new(spectrum)).unwrap().with_filename("maps/spectrum.fits");
    let shape = TemplateNDSpatialModel::new(sky_map(vec![height()], "sr-1")).unwrap().with_filename("maps/shape.fits");
    let plain = TemplateSpatialModel::new(sky_map(Vec::new(), "sr-1"), true).unwrap().with_filename("plain.fits.gz");
    let pl = Arc::new(PowerLawSpectralModel::default());
    Models {
        components: vec![
            Model::Sky(SkyModel::new("nd", Arc::new(spectral), Some(Arc::new(shape)))),
            Model::Sky(SkyModel::new("plain", pl, Some(Arc::new(plain)))),
            Model::TemplateNPred(counts.with_filename("counts.fits")),
        ],
    }
}

fn values(models: &Models) -> Vec<f64> {
    let mut all = Vec::new();
    for model in &models.components {
        match model {
            Model::Sky(sky) => {
                all.extend([0.5, 3.0].map(|e| sky.spectral.evaluate(e)));
                all.push(sky.spatial.as_ref().unwrap().evaluate(83.57, 22.02, 1.0));
            }
            Model::TemplateNPred(template) => all.extend(template.evaluate().unwrap().data().iter()),
            _ => {}
        }
    }
    all
}

#[test]
fn maps_are_written_beside_the_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.yaml");
    let options = WriteOptions::default();
    let models = models();
    models.write(&path, &options).unwrap();
    for name in ["counts.fits", "maps/spectrum.fits", "maps/shape.fits", "plain.fits.gz"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    let back = Models::read(&path).unwrap();
    let (found, wanted) = (values(&back), values(&models));
    assert_eq!(found.len(), wanted.len());
    assert!(wanted.iter().all(|v| *v > 0.0));
    assert!(found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs()), "{found:?} {wanted:?}");
    assert_eq!(back.to_yaml().unwrap(), models.to_yaml().unwrap());
    // A map that is there stays as it is; one that cannot be written takes nothing with it.
    let before = std::fs::read(folder.path().join("counts.fits")).unwrap();
    models.write(folder.path().join("again.yaml"), &options).unwrap();
    assert_eq!(std::fs::read(folder.path().join("counts.fits")).unwrap(), before);
    assert!(models.write(&path, &options).is_err(), "the YAML exists");
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("maps"), "a file where a folder is needed").unwrap();
    assert!(models.write(other.path().join("models.yaml"), &options).is_err());
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 1, "nothing is left of what failed");
}

fn problem(folder: &Path, yaml: &str) -> String {
    let path = folder.join("broken.yaml");
    std::fs::write(&path, yaml).unwrap();
    let error = Models::read(&path).unwrap_err();
    format!("{error} {}", error.help().unwrap_or_default())
}

#[test]
fn files_that_are_missing_or_broken_are_named_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let options = WriteOptions::default();
    let table = |name: &str, columns: [(&str, &str, Vec<f64>); 2]| {
        let mut table = Table::new();
        for (column, unit, values) in columns {
            table.push(Column::floats(column, unit.parse().unwrap(), values)).unwrap();
        }
        table.set_meta("MJDREFI", 55555i64);
        table.set_meta("MJDREFF", 0.5);
        table.write(path(name), &options).unwrap();
    };
    let (time, norm) = ("TIME", "NORM");
    table("unsorted.fits", [(time, "d", vec![0.0, 2.0, 1.0]), (norm, "", vec![1.0; 3])]);
    table("nan.fits", [(time, "d", vec![0.0, 1.0, 2.0]), (norm, "", vec![1.0, f64::NAN, 1.0])]);
    table("columns.fits", [(time, "d", vec![0.0, 1.0]), ("FLUX", "", vec![1.0; 2])]);
    table("phases.fits", [("PHASE", "", vec![0.5, 0.2]), (norm, "", vec![1.0; 2])]);
    sky_map(Vec::new(), "sr-1").write(path("image.fits"), "PRIMARY", &options).unwrap();
    let source = |more: &str| format!("components:\n- name: s\n  type: SkyModel\n  spectral: {{type: pl}}\n{more}");
    let counts = |file: &str| format!("components:\n- name: c\n  type: TemplateNPredModel\n  filename: {file}\n");
    for (yaml, parts) in [
        (counts("none.fits"), vec!["broken.yaml", "'c'", "line 4", "none.fits"]),
        (counts("image.fits"), vec!["'c'", "line 4", "axes []", "axis 'energy'"]),
        (counts("broken.yaml"), vec!["'c'", "line 4", "broken.yaml"]),
        (source("  spatial: {type: template, filename: none.fits}\n"), vec!["'s'", "line 5", "none.fits"]),
        (source("  spatial: {type: templateND, filename: image.fits}\n"), vec!["'s'", "line 5", "no axis"]),
        (source("  temporal: {type: template, filename: none.fits}\n"), vec!["'s'", "line 5", "none.fits"]),
        (
            source("  temporal: {type: template, filename: unsorted.fits}\n"),
            vec!["'s'", "line 5", "1 does not follow 2"],
        ),
        (source("  temporal: {type: template, filename: nan.fits}\n"), vec!["'s'", "line 5", "finite"]),
        (source("  temporal: {type: template, filename: columns.fits}\n"), vec!["'s'", "line 5", "NORM", "FLUX"]),
        (
            source("  temporal: {type: template-phase, filename: phases.fits}\n"),
            vec!["'s'", "line 5", "0.2 does not follow"],
        ),
        (source("  temporal: {type: template, filename: image.fits, format: map}\n"), vec!["'s'", "line 5"]),
    ] {
        let found = problem(folder.path(), &yaml);
        for part in parts {
            assert!(found.contains(part), "'{part}' is missing in: {found}\n{yaml}");
        }
    }
}

#[test]
fn positions_of_fk5_are_turned_to_icrs() {
    let place = "{name: lon_0, value: 83.63, min: 83.0, max: 84.0}, {name: lat_0, value: 22.01}";
    let parameters = |frame: &str| {
        let shape = format!("{{type: gauss, frame: {frame}, parameters: [{place}, {{name: sigma, value: 0.1}}]}}");
        let source = "components:\n- name: s\n  type: SkyModel\n  spectral: {type: pl}\n  spatial: ";
        let models = Models::from_yaml(&format!("{source}{shape}\n"), &|name| {
            Err(pevatron::Error::input(name, "no map is expected here"))
        })
        .unwrap();
        let Model::Sky(model) = &models.components[0] else { panic!("no source") };
        model.spatial.as_ref().unwrap().parameters().to_vec()
    };
    let (own, turned) = (parameters("icrs"), parameters("fk5"));
    let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
    // astropy: SkyCoord(83.63, 22.01, unit="deg", frame="fk5").icrs
    let (lon, lat) = (&turned[0], &turned[1]);
    assert!(close(lon.value, 83.629_992_375_5) && close(lat.value, 22.010_005_213_2), "{turned:?}");
    // Bounds move along, but for the poles, and sizes stay.
    assert!(close(lon.min, 83.0 - 7.6245e-6) && close(lon.max, 84.0 - 7.6245e-6) && lat.max == 90.0, "{turned:?}");
    assert_eq!((own[0].value, own[0].min), (83.63, 83.0));
    assert!(own[2..].iter().zip(&turned[2..]).all(|(a, b)| a.value == b.value), "{turned:?}");

    let nodes = "lon: {data: [1, 2, 1, 2], unit: deg}, lat: {data: [1, 1, 2, 2], unit: deg}";
    let spatial = format!("spatial: {{type: piecewise-norm, frame: fk5, {nodes}}}");
    let yaml = format!("components:\n- type: FoVBackgroundModel\n  datasets_names: [a]\n  {spatial}\n");
    let written = Models::from_yaml(&yaml, &|name| Err(pevatron::Error::input(name, "no map is expected here")))
        .unwrap()
        .to_yaml()
        .unwrap();
    for node in ["0.99999354", "1.99999354", "0.99999756", "0.99999766"] {
        assert!(written.contains(node), "{node} in\n{written}");
    }
    assert!(written.contains("frame: icrs"), "{written}");
}
