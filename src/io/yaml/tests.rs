//! Files of Gammapy, round trips, and files that nobody should write.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::Array3;
use proptest::prelude::*;

use super::write::{number, text};
use crate::error::{Error, Result};
use crate::maps::{AxisInterp, Frame, Geom, Map, MapAxis, RegionGeom, SkyPosition, WcsGeom};
use crate::models::spatial::*;
use crate::models::spectral::*;
use crate::models::{
    ApplyIrf, FoVBackgroundModel, Model, Models, Parameter, Prior, PriorDensity, Scan, SkyModel, SpatialModel,
    SpectralModel, TemplateNPredModel,
};
use crate::units::Unit;

fn no_maps(name: &str) -> Result<Map> {
    Err(Error::input(name, "no map is expected here"))
}

/// A template of a shape; `npred` in the name: of counts, `nd`: of a spectrum or a shape with parameters.
fn a_map(name: &str) -> Result<Map> {
    let axis = |name: &str| MapAxis::energy_bounds(1.0, 10.0, 2, name);
    let height = MapAxis::from_nodes("height", "kpc".parse()?, vec![1.0, 2.0], AxisInterp::Lin)?;
    if name.contains("nd-spectrum") {
        let geom = Geom::Region(RegionGeom::new(None, None, vec![axis("energy_true")?, height]));
        return Map::from_cube(Arc::new(geom), "cm-2 s-1 TeV-1".parse()?, Array3::from_elem((4, 1, 1), 1e-12));
    }
    if name.contains("npred") || name.contains("nd-shape") {
        let (axes, unit) = if name.contains("npred") { (vec![axis("energy")?], "") } else { (vec![height], "sr-1") };
        let center = SkyPosition { lon_deg: 0.0, lat_deg: 0.0, frame: Frame::Galactic };
        let geom = Geom::Wcs(WcsGeom::create(center, 4, 3, (1.0, 1.0), "CAR", axes)?);
        return Map::from_cube(Arc::new(geom), unit.parse()?, Array3::from_elem((2, 3, 4), 1.5));
    }
    let center = SkyPosition { lon_deg: 0.0, lat_deg: 0.0, frame: Frame::Galactic };
    let geom = WcsGeom::create(center, 4, 3, (1.0, 1.0), "CAR", vec![])?;
    let map = Map::zeros(Arc::new(Geom::Wcs(geom)), "cm-2 s-1 MeV-1 sr-1".parse()?);
    Map::from_cube(map.geom().clone(), map.unit().clone(), map.to_cube_f64() + 2.0)
}

/// Everything that a model file says.
fn summary(models: &Models) -> Vec<String> {
    let spectrum = |m: &Arc<dyn SpectralModel>| {
        format!("{} {:?} {:?}", m.tag(), m.parameters(), [0.1, 3.0, 70.0].map(|e| m.evaluate(e)))
    };
    let shape = |m: &Arc<dyn SpatialModel>| {
        format!("{} {:?} {:?} {:e}", m.tag(), m.frame(), m.parameters(), m.evaluate(0.1, 0.2, 1.0))
    };
    let component = |m: &Model| match m {
        Model::Sky(m) => {
            let shape = m.spatial.as_ref().map(shape);
            let how = (&m.temporal, m.apply_irf, &m.datasets_names);
            format!("{} {} {shape:?} {how:?}", m.name, spectrum(&m.spectral))
        }
        Model::FoVBackground(m) => {
            let shape = m.spatial.as_ref().map(shape);
            format!("{} {} {shape:?} {:?}", m.name, spectrum(&m.spectral), m.datasets_names)
        }
        Model::TemplateNPred(m) => {
            let shape = m.spatial.as_ref().map(shape);
            let counts = m.evaluate().map(|map| map.data().iter().collect::<Vec<_>>());
            format!("{} {} {shape:?} {:?} {counts:?}", m.name, spectrum(&m.spectral), m.datasets_names)
        }
    };
    models.components.iter().map(component).collect()
}

fn one(yaml_of_spectral: &str) -> String {
    format!("components:\n-   name: s\n    type: SkyModel\n    spectral:\n{yaml_of_spectral}")
}

#[test]
fn numbers_are_floats_for_pyyaml() {
    // PyYAML takes 1e-12, 1e+20 and 1.5e20 for texts.
    for (value, expected) in [
        (1e-12, "1.0e-12"),
        (1e20, "1.0e+20"),
        (1.5e20, "1.5e+20"),
        (2.0, "2.0"),
        (-0.0, "-0.0"),
        (f64::NAN, ".nan"),
        (f64::NEG_INFINITY, "-.inf"),
        (0.018182745349064267, "0.018182745349064267"),
    ] {
        assert_eq!(number(value), expected);
    }
}

proptest! {
    #[test]
    fn texts_and_numbers_survive(name in "\\PC{0,12}|[ -~\\x00-\\x1f\u{85}\u{2028}]{0,8}|yes|~|1e5|- a|a: b|a #b", value: f64) {
        prop_assume!(value.is_finite());
        let mut models = Models::default();
        let mut parameters = PowerLawSpectralModel::default().parameters().to_vec();
        parameters[0].value = value;
        parameters[0].max = -value;
        parameters[0].link = Some(name.clone());
        let spectral = PowerLawSpectralModel::from_parameters(&parameters).unwrap();
        models.components.push(Model::Sky(SkyModel::new(&name, Arc::new(spectral), None)));
        let written = models.to_yaml().unwrap();
        let back = Models::from_yaml(&written, &no_maps).map_err(|e| format!("{e}\n{written}")).unwrap();
        prop_assert_eq!(back.components[0].name(), &name, "{}", text(&name));
        prop_assert_eq!(summary(&back), summary(&models));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}", cut in 0usize..2000) {
        let _ = Models::from_yaml(&text, &no_maps);
        let whole = everything().to_yaml().unwrap();
        let mut end = cut.min(whole.len());
        while !whole.is_char_boundary(end) {
            end -= 1;
        }
        let _ = Models::from_yaml(&format!("{}{text}{}", &whole[..end], &whole[end..]), &a_map);
    }
}

/// One model of every kind, in combinations that Gammapy allows.
fn everything() -> Models {
    let map = Arc::new(a_map("").unwrap());
    let diffuse = TemplateSpatialModel::new(map, false).unwrap().with_filename("$GAMMAPY_DATA/a b.fits.gz");
    let diffuse: Arc<dyn SpatialModel> = Arc::new(diffuse);
    let mut components = Vec::new();
    for (i, (tag, _)) in SPECTRAL_TAGS.iter().enumerate() {
        let spectral = crate::models::spectral::from_parameters(tag, &[]).unwrap();
        let (shape, _) = SPATIAL_TAGS[i % SPATIAL_TAGS.len()];
        let frame = if i % 2 == 0 { Frame::Icrs } else { Frame::Galactic };
        let shape = crate::models::spatial::from_parameters(shape, &[], frame).unwrap();
        let shape = if spectral.is_norm() { diffuse.clone() } else { shape };
        components.push(Model::Sky(SkyModel::new(&format!("source {i}: {tag}"), spectral, Some(shape))));
    }
    let pl: Arc<dyn SpectralModel> = Arc::new(PowerLawSpectralModel::new(2.4, 3e-12, 2.0));
    let diffuse_of_one: Arc<dyn SpatialModel> = Arc::new(ConstantSpatialModel::new(1.0));
    let mut counts = PowerLawSpectralModel::default().parameters().to_vec();
    counts[1].unit = "TeV-1".parse().unwrap();
    let counts = Arc::new(PowerLawSpectralModel::from_parameters(&counts).unwrap());
    for (i, exposure) in [true, false, false].into_iter().enumerate() {
        let spectral: Arc<dyn SpectralModel> = if exposure { pl.clone() } else { counts.clone() };
        let mut some = SkyModel::new(&format!("irf {i}"), spectral, Some(diffuse_of_one.clone()));
        some.apply_irf = ApplyIrf { exposure, psf: i == 1, edisp: i == 2 };
        components.push(Model::Sky(some));
    }
    for (tag, _) in SPATIAL_TAGS {
        let shape = crate::models::spatial::from_parameters(tag, &[], Frame::Galactic).unwrap();
        components.push(Model::Sky(SkyModel::new(&format!("shape: {tag}"), pl.clone(), Some(shape))));
    }
    let table = TemplateSpectralModel::with_units(
        vec![10.0, 200.0, 3e4],
        "GeV".parse().unwrap(),
        vec![1e-12, 3e-15, 1e-20],
        "cm-2 s-1 MeV-1".parse().unwrap(),
    );
    let table: Arc<dyn SpectralModel> = Arc::new(table.unwrap());
    let tilt: Arc<dyn SpectralModel> = Arc::new(PowerLawNormSpectralModel::new(0.1, 2.0, 1.0));
    let compound = CompoundSpectralModel::new(table.clone(), tilt.clone(), CompoundOperator::Mul);
    let mut joined = SkyModel::new("joined", Arc::new(compound), None);
    joined.datasets_names = Some(vec!["a".to_string(), "b 2".to_string()]);
    components.push(Model::Sky(SkyModel::new("table", table, None)));
    components.push(Model::Sky(joined));
    for (i, (tag, _)) in crate::models::temporal::TEMPORAL_TAGS.iter().enumerate() {
        let mut varying = SkyModel::new(&format!("varying: {tag}"), pl.clone(), None);
        let scale = ["utc", "tt"][i % 2];
        varying.temporal = Some(crate::models::temporal::from_parameters(tag, &[], scale).unwrap());
        components.push(Model::Sky(varying));
    }
    let pieces = PiecewiseNormSpectralModel::new(vec![0.1, 1.0, 10.0], vec![1.0, 2.0, 0.3]).unwrap();
    components.push(Model::Sky(SkyModel::new("pieces", Arc::new(pieces), Some(diffuse.clone()))));
    let values = ndarray::array![[0.9, 0.5, 0.1], [0.8, 0.3, 0.0]];
    let table = AbsorptionTable::new(vec![0.1, 0.5], vec![0.1, 1.0, 10.0], "TeV".parse().unwrap(), values, false);
    let absorption = EblAbsorptionNormSpectralModel::new(Arc::new(table.unwrap()), 0.3, 1.1).unwrap();
    let absorbed = CompoundSpectralModel::new(pl.clone(), Arc::new(absorption), CompoundOperator::Mul);
    components.push(Model::Sky(SkyModel::new("absorbed", Arc::new(absorbed), None)));
    let map = |name: &str| Arc::new(a_map(name).unwrap());
    let nd = TemplateNDSpectralModel::new(map("nd-spectrum")).unwrap().with_filename("nd-spectrum.fits");
    let mut height = nd.parameters()[0].clone();
    (height.value, height.error, height.frozen) = (1.2, 0.1, true);
    let shape = TemplateNDSpatialModel::new(map("nd-shape")).unwrap().with_filename("b/nd-shape.fits");
    let nd = CompoundSpectralModel::new(nd.with_parameters(&[height]).unwrap(), tilt.clone(), CompoundOperator::Mul);
    components.push(Model::Sky(SkyModel::new("nd", Arc::new(nd), Some(Arc::new(shape)))));
    let flat: Arc<dyn SpatialModel> = Arc::new(ConstantSpatialModel::new(0.5));
    let gauss = crate::models::spatial::from_parameters("gauss", &[], Frame::Galactic).unwrap();
    for datasets_names in [None, Some(vec!["a".to_string()])] {
        let name = format!("counts of {datasets_names:?}");
        let template = TemplateNPredModel::new(&name, map("npred")).unwrap().with_filename("npred.fits");
        let mut template = template.with_spectral(tilt.clone()).unwrap();
        template.spatial = datasets_names.is_some().then(|| flat.clone());
        template.datasets_names = datasets_names;
        components.push(Model::TemplateNPred(template));
    }
    let (lon, lat) = (vec![-2.0, 359.0, 0.5, 1.0, 2.25], vec![-1.0, 0.5, -0.25, 1.0, -2.0]);
    let mut norms: Vec<Parameter> =
        (0..5).map(|i| Parameter::new(&format!("norm_{i}"), 0.8 + 0.1 * f64::from(i), Unit::dimensionless())).collect();
    (norms[2].error, norms[3].frozen, norms[4].max) = (0.1, true, 3.0);
    let nodes = |is_log: bool| {
        let model = PiecewiseNormSpatialModel::with_nodes(lon.clone(), lat.clone(), &norms, is_log, Frame::Galactic);
        Some(Arc::new(model.unwrap()) as Arc<dyn SpatialModel>)
    };
    for (dataset, spatial) in [
        ("a", None),
        ("b 2", Some(diffuse)),
        ("c", Some(gauss)),
        ("d", Some(flat)),
        ("e", nodes(false)),
        ("f", nodes(true)),
    ] {
        components.push(Model::FoVBackground(FoVBackgroundModel {
            spatial,
            ..FoVBackgroundModel::new(dataset, tilt.clone())
        }));
    }
    Models { components }
}

#[test]
fn every_model_survives() {
    let models = everything();
    let written = models.to_yaml().unwrap();
    let back = Models::from_yaml(&written, &a_map).unwrap();
    assert_eq!(summary(&back), summary(&models));
    assert_eq!(back.to_yaml().unwrap(), written);
    let nothing = Models::default();
    assert!(Models::from_yaml(&nothing.to_yaml().unwrap(), &no_maps).unwrap().components.is_empty());
}

#[test]
fn attributes_of_parameters_survive() {
    let mut index = Parameter::new("index", 2.4, "".parse().unwrap());
    (index.error, index.min, index.max, index.frozen) = (0.1, 1.0, 5.0, true);
    index.link = Some("index@FJdEJY_T".to_string());
    let prior = Prior::new(PriorDensity::Gaussian { mu: 2.0, sigma: 0.3 }).unwrap();
    index.prior = Some(Prior { weight: 0.5, ..prior });
    index.scan = Scan { min: Some(1.5), n_values: 5, values: Some(vec![2.0, 1e-3]), ..Scan::default() };
    let mut reference = Parameter::new("reference", 1e9, "keV".parse().unwrap());
    reference.frozen = false;
    let model = PowerLawSpectralModel::from_parameters(&[index, reference]).unwrap();
    let models = Models { components: vec![Model::Sky(SkyModel::new("s", Arc::new(model), None))] };
    let back = Models::from_yaml(&models.to_yaml().unwrap(), &no_maps).unwrap();
    assert_eq!(summary(&back), summary(&models));
}

#[test]
fn linked_parameters_have_one_value() {
    let component = |name: &str, value: &str| {
        format!(
            "-   name: {name}\n    type: SkyModel\n    spectral:\n        type: pl\n        parameters:\n        \
             -   {{name: index, value: {value}, link: index@x}}\n"
        )
    };
    let yaml = format!("components:\n{}{}", component("a", "2.5"), component("b", "3.5"));
    let models = Models::from_yaml(&yaml, &no_maps).unwrap();
    for model in models.sky_models("any") {
        assert_eq!(model.spectral.parameters()[0].value, 2.5);
    }
}

#[test]
fn spellings_of_older_releases() {
    // Defaults fill what is missing, a text stands for a number, factor times scale is a value, short names are names.
    let yaml = one(
        "        type: pl\n        extra: {a: [1]}\n        parameters:\n        -   {name: index, factor: 2.5, scale: 2}\n        \
                    -   {name: amplitude, value: 3e-12}\n",
    );
    let model = &Models::from_yaml(&yaml, &no_maps).unwrap().components[0];
    let Model::Sky(model) = model else { panic!("{model:?}") };
    let p = model.spectral.parameters();
    assert_eq!((p[0].value, p[1].value, p[2].value, p[2].frozen), (5.0, 3e-12, 1.0, true));
    assert_eq!(p[1].unit.to_string(), "TeV-1 s-1 cm-2");

    let yaml = "components:\n- type: FoVBackgroundModel\n  datasets_names: [gc]\n  parameters:\n  - {name: norm, value: 1.5, min: 0.0, max: .nan}\n";
    let models = Models::from_yaml(yaml, &no_maps).unwrap();
    let background = models.background("gc").unwrap();
    assert_eq!((background.name.as_str(), background.spectral.evaluate(3.0)), ("gc-bkg", 1.5));
    assert_eq!(background.spectral.parameters()[1].min, 0.0);
}

fn problem(yaml: &str) -> String {
    let error = Models::from_yaml(yaml, &no_maps).unwrap_err();
    format!("{error} {}", error.help().unwrap_or_default())
}

#[test]
fn problems_are_named_with_their_line() {
    let nodes = |keys: &str| {
        let spatial = format!("spatial: {{type: piecewise-norm, {keys}}}");
        format!("components:\n- type: FoVBackgroundModel\n  datasets_names: [a]\n  {spatial}\n")
    };
    let pl = |entry: &str| one(&format!("        type: pl\n        parameters:\n        -   {entry}\n"));
    for (yaml, parts) in [
        (one("        type: NaimaSpectralModel\n"), vec!["'s'", "line 5", "NaimaSpectralModel", "LogParabola"]),
        (
            "components:\n- {name: d, type: SkyDiffuseCube}\n".to_string(),
            vec!["line 2", "'d'", "SkyDiffuseCube", "FoVB"],
        ),
        (pl("{name: index, value: .nan}"), vec!["line 7", "index", "NaN"]),
        (pl("{name: index, value: [1]}"), vec!["line 7", "index", "list"]),
        (pl("{name: index, value: two}"), vec!["line 7", "'two' is not a number"]),
        (pl("{name: index, frozen: 3}"), vec!["line 7", "true or false"]),
        (pl("{name: amplitude, value: 1, unit: cm}"), vec!["amplitude", "'cm'"]),
        (pl("{name: amplitude, value: 1, unit: furlong}"), vec!["line 7", "furlong"]),
        (pl("{value: 1}"), vec!["line 7", "'name' is missing"]),
        (pl("{name: indexx, value: 1}"), vec!["line 7", "'indexx'", "amplitude"]),
        ("components: 3".to_string(), vec!["line 1", "a list is needed"]),
        ("3".to_string(), vec!["line 1", "components"]),
        (String::new(), vec!["components"]),
        ("components:\n- {type: SkyModel}\n".to_string(), vec!["line 2", "'name' is missing"]),
        ("components:\n- {name: a, type: SkyModel}\n".to_string(), vec!["line 2", "'a'", "'spectral' is missing"]),
        ("components:\n- {type: FoVBackgroundModel}\n".to_string(), vec!["'datasets_names' is missing"]),
        (
            "components:\n- {type: FoVBackgroundModel, datasets_names: a, spectral: {type: pl}}\n".to_string(),
            vec!["norm model", "PowerLawSpectralModel"],
        ),
        (
            "components:\n- type: FoVBackgroundModel\n  datasets_names: [a]\n  spatial: {type: point}\n".to_string(),
            vec!["line 4, a-bkg", "PointSpatialModel", "extended"],
        ),
        (one("        type: pl\n    spatial: {type: point, frame: altaz}\n"), vec!["line 6", "altaz", "galactic"]),
        (nodes("lon: {data: [1, 2, 1], unit: deg}, lat: {data: [1, 1, 2], unit: deg}"), vec!["line 4", "3 nodes"]),
        (
            nodes("lon: {data: [1, 2, 1, 2], unit: deg}, lat: {data: [1, 1, 2], unit: deg}"),
            vec!["line 4", "4 longitudes, 3 latitudes"],
        ),
        (
            nodes("lon: {data: [1, 2, 3, 4], unit: deg}, lat: {data: [1, 2, 3, 4], unit: deg}"),
            vec!["line 4", "on a line"],
        ),
        (nodes("frame: altaz, lon: {data: [1], unit: deg}"), vec!["line 4", "altaz"]),
        (nodes("lon: {data: [1], unit: TeV}"), vec!["line 4", "not an angle", "deg"]),
        (nodes("lon: {data: [1], unit: deg}"), vec!["line 4", "'lat' is missing"]),
        (
            one("        type: pl\n    spatial: {type: piecewise-norm, lon: {data: [1, 2, 1, 2], unit: deg}, \
                 lat: {data: [1, 1, 2, 2], unit: deg}}\n"),
            vec!["'s'", "factor without a unit", "FoVBackgroundModel"],
        ),
        (one("        type: pl\n    spatial: {type: Ring}\n"), vec!["line 6", "Ring", "DiskSpatialModel"]),
        (one("        type: pl\n    spatial: {type: template, filename: a.fits}\n"), vec!["a.fits"]),
        (one("        type: pl\n    temporal: {type: FlareTemporalModel}\n"), vec!["'s'", "Flare"]),
        (one("        type: pl\n    apply_irf: {psf: no way}\n"), vec!["'s'", "line 6", "true or false"]),
        (one("        type: pl\n    apply_irf: {exposure: false}\n"), vec!["'s'", "line 2", "counts", "TeV-1"]),
        (pl("{name: amplitude, value: 1, unit: TeV-1}"), vec!["'s'", "no area and no time", "exposure off"]),
        (
            one(
                "        type: template\n        energy: {data: [1, .inf], unit: TeV}\n        values: {data: [1, 2]}\n",
            ),
            vec!["line 6", "finite"],
        ),
        (
            format!("{}{}", one("        type: pl\n"), "-   {name: s, type: SkyModel, spectral: {type: pl}}\n"),
            vec!["two models"],
        ),
        (pl("{name: amplitude, value: 1, unit: ''}"), vec!["line 5", "amplitude", "''", "TeV-1 s-1 cm-2"]),
        (pl("{name: index, value: 2, min: 3, max: 1}"), vec!["line 7", "'index'", "lower bound 3", "exchange"]),
        (
            pl("{name: index, value: 2, link: s.spectral.reference}\n        -   {name: reference, value: 2}"),
            vec!["s.spectral.index", "linked to s.spectral.reference", "unit"],
        ),
        (
            one(
                "        type: lp\n        parameters:\n        -   {name: alpha, link: s.spectral.beta}\n        -   \
                 {name: beta, link: s.spectral.alpha}\n",
            ),
            vec!["s.spectral.alpha", "back to itself", "no link"],
        ),
        (
            pl("{name: index, link: s.spectral.gamma}"),
            vec!["s.spectral.index", "s.spectral.gamma", "there are s.spectral.index"],
        ),
        ("components:\n- {name: c, type: TemplateNPredModel}\n".to_string(), vec!["'c'", "line 2", "'filename'"]),
        (
            "components:\n- name: c\n  type: TemplateNPredModel\n  filename: a.fits\n  datasets_names: [a, b]\n"
                .to_string(),
            vec!["'c'", "line 2", "one dataset"],
        ),
        (
            "components:\n- name: c\n  type: TemplateNPredModel\n  filename: a.fits\n".to_string(),
            vec!["'c'", "line 4", "a.fits"],
        ),
        (
            one("        type: pl\n    temporal: {type: template-phase, filename: p.fits}\n"),
            vec!["p.fits", "Models::read"],
        ),
        (
            one("        type: pl\n    temporal: {type: template, filename: p.fits, format: hdf5}\n"),
            vec!["line 6", "hdf5", "table"],
        ),
        ("components: [".to_string(), vec!["line 1", "YAML"]),
        ("components: {a: 1, a: 2}".to_string(), vec!["line 1"]),
    ] {
        let found = problem(&yaml);
        for part in parts {
            assert!(found.contains(part), "'{part}' is missing in: {found}\n{yaml}");
        }
    }
}

#[test]
fn templates_of_counts_are_counts() {
    let read = |more: &str| {
        let yaml = format!("components:\n- name: c\n  type: TemplateNPredModel\n  filename: npred.fits\n{more}");
        Models::from_yaml(&yaml, &a_map)
    };
    let models = read("").unwrap();
    assert_eq!(models.parameters()[1].0, "c.spectral.norm");
    assert!(models.has_signal("any") && models.background("any").is_none());
    for (more, parts) in [
        ("  spectral: {type: pl}\n", vec!["'c'", "line 5", "norm model"]),
        ("  spectral: {type: pl-norm, parameters: [{name: norn}]}\n", vec!["'c'", "line 5", "'norn'"]),
    ] {
        let error = read(more).unwrap_err().to_string();
        assert!(parts.iter().all(|p| error.contains(p)), "{error}");
    }
    let yaml = "components:\n- name: c\n  type: TemplateNPredModel\n  filename: shape.fits\n";
    let error = Models::from_yaml(yaml, &a_map).unwrap_err();
    assert!(error.to_string().contains("line 4") && error.help().unwrap().contains("axis 'energy'"), "{error}");
    let unnamed = TemplateNPredModel::new("c", Arc::new(a_map("npred").unwrap())).unwrap();
    let error = Models { components: vec![Model::TemplateNPred(unnamed)] }.to_yaml().unwrap_err();
    assert!(error.to_string().contains("'c'") && error.help().unwrap().contains("with_filename"), "{error}");
}

#[test]
fn hostile_files_are_refused() {
    let deep_flow = format!("components: {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_block: String = (0..5000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
    for i in 1..12 {
        let before = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb += &format!("a{i}: &a{i} [{before}]\n");
    }
    bomb += "components: *a11\n";
    for yaml in [deep_flow, deep_block, bomb, "components: &a [*a]".to_string(), "components: !!python/object x".into()]
    {
        assert!(problem(&yaml).contains("line"), "{}", problem(&yaml));
    }
}

fn shared() -> Option<PathBuf> {
    let folder = std::env::var("PEVATRON_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_string());
    let folder = PathBuf::from(folder);
    if folder.join("data/spectra/models").is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: no model files in {}", folder.display());
    None
}

#[test]
fn files_of_gammapy_are_read_and_survive() {
    let Some(shared) = shared() else { return };
    let mut paths = Vec::new();
    let golden = std::fs::read_dir(shared.join("golden")).unwrap().map(|e| e.unwrap().path());
    for folder in golden.filter(|p| p.is_dir()).chain([shared.join("data/spectra/models")]) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "yaml") {
                paths.push(path);
            }
        }
    }
    assert!(paths.len() > 30, "{} files", paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let models = Models::from_yaml(&text, &a_map).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(!models.components.is_empty());
        let written = models.to_yaml().unwrap();
        let back = Models::from_yaml(&written, &a_map).unwrap();
        assert_eq!(summary(&back), summary(&models), "{}", path.display());
        assert_eq!(back.to_yaml().unwrap(), written);
    }
}

#[test]
fn files_beside_the_yaml_are_found_first() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("map.fits"), "").unwrap();
    for (name, expected) in
        [("map.fits", folder.path().join("map.fits")), ("other/map.fits", PathBuf::from("other/map.fits"))]
    {
        let yaml = one(&format!("        type: pl-norm\n    spatial: {{type: template, filename: {name}}}\n"));
        let path = folder.path().join("models.yaml");
        std::fs::write(&path, yaml).unwrap();
        let models = Models::read_with(&path, &|found| {
            assert_eq!(found, expected);
            a_map("")
        });
        assert_eq!(models.unwrap().components.len(), 1);
    }
    let path = folder.path().join("models.yaml");
    std::fs::write(&path, one("        type: pl-norm\n    spatial: {type: template, filename: $PEVATRON_UNSET_/a}\n"))
        .unwrap();
    let error = Models::read_with(&path, &|_| a_map("")).unwrap_err().to_string();
    assert!(error.contains("models.yaml") && error.contains("PEVATRON_UNSET_"), "{error}");
    assert!(Models::read_with(folder.path().join("none.yaml"), &|_| a_map("")).is_err());
}
