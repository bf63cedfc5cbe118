//! Reading models.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array2;

use super::node::{Node, Value};
use crate::error::{Error, Place, Result};
use crate::maps::wcs::System;
use crate::maps::{Frame, Map, SkyPosition};
use crate::models::spatial::{
    self, MAP_TAGS, NODE_TAGS, PiecewiseNormSpatialModel, SPATIAL_TAGS, TemplateNDSpatialModel, TemplateSpatialModel,
};
use crate::models::spectral::{
    self, AbsorptionTable, CompoundSpectralModel, EblAbsorptionNormSpectralModel, PiecewiseNormSpectralModel,
    PowerLawNormSpectralModel, SPECTRAL_TAGS, TABLE_TAGS, TemplateNDSpectralModel, TemplateSpectralModel,
};
use crate::models::temporal::{self, LightCurveTemplateTemporalModel, TEMPORAL_TAGS, TemplatePhaseCurveTemporalModel};
use crate::models::{
    ApplyIrf, FoVBackgroundModel, Model, Models, Parameter, Prior, Scan, SkyModel, SpatialModel, SpectralModel,
    TemplateNPredModel, TemporalModel,
};
use crate::units::Unit;

/// Types of components that are read.
const COMPONENT_TAGS: [&str; 3] = ["SkyModel", "FoVBackgroundModel", TemplateNPredModel::TAG];

/// Most values of a scan that a file may ask for.
const MAX_SCAN: f64 = 1e6;

/// Phases and norms of a phase curve.
pub(in crate::io) type PhaseCurve = (Vec<f64>, Vec<f64>);

/// Loads what a model names by its file.
pub(in crate::io) struct Load<'a> {
    /// The map of a template.
    pub map: &'a (dyn Fn(&str) -> Result<Map> + 'a),
    /// The table of an absorption.
    pub absorption: &'a (dyn Fn(&str) -> Result<AbsorptionTable> + 'a),
    /// A light curve, from a table or (true) a map.
    pub light_curve: &'a (dyn Fn(&str, bool) -> Result<LightCurveTemplateTemporalModel> + 'a),
    /// A phase curve.
    pub phase_curve: &'a (dyn Fn(&str) -> Result<PhaseCurve> + 'a),
}

/// Reads what a model names by its file, as [`Load`], by the path.
pub(in crate::io) struct Readers<'a> {
    pub map: &'a dyn Fn(&Path) -> Result<Map>,
    pub absorption: &'a dyn Fn(&Path) -> Result<AbsorptionTable>,
    pub light_curve: &'a dyn Fn(&Path, bool) -> Result<LightCurveTemplateTemporalModel>,
    pub phase_curve: &'a dyn Fn(&Path) -> Result<PhaseCurve>,
}

/// Where there is no reader for tables.
fn no_tables<T>(name: &str) -> Result<T> {
    Err(Error::unsupported(format!("the table '{name}' of a model cannot be read here"))
        .with_help_for("read the models with Models::read", "give the models as a file of their own"))
}

/// Parameters that share a link, by its label: the first one counts for all, as in Gammapy.
type Links = HashMap<String, Parameter>;

impl Models {
    /// From Gammapy's YAML, also that of older releases. `load` reads the map of a template by the file name that stands
    /// in the YAML.
    ///
    /// Missing parameters, units and bounds are those of Gammapy's defaults; keys that are not known are ignored. Linked
    /// parameters get the value of the first of them.
    ///
    /// ```
    /// let text = "
    /// components:
    /// -   name: crab
    ///     type: SkyModel
    ///     spectral:
    ///         type: PowerLawSpectralModel
    ///         parameters:
    ///         -   {name: index, value: 2.6}
    ///         -   {name: amplitude, value: 3.5e-11, unit: cm-2 s-1 TeV-1}
    /// ";
    /// let models = pevatron::models::Models::from_yaml(text, &|_| unreachable!())?;
    /// let crab = models.sky_models("any").next().unwrap();
    /// assert_eq!(crab.spectral.evaluate(1.0), 3.5e-11);
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Input`] with the line for anything that is not YAML or not a model, with the known types for an unknown
    /// one; what `load` returns.
    pub fn from_yaml(text: &str, load: &dyn Fn(&str) -> Result<Map>) -> Result<Self> {
        Self::from_yaml_with(
            text,
            &Load {
                map: load,
                absorption: &no_tables,
                light_curve: &|name, _| no_tables(name),
                phase_curve: &no_tables,
            },
        )
    }

    /// As [`Models::from_yaml`], with all kinds of files.
    pub(in crate::io) fn from_yaml_with(text: &str, load: &Load) -> Result<Self> {
        let root = Node::parse(text)?;
        let mut links = Links::new();
        let mut components: Vec<Model> = Vec::new();
        for node in root.require("components")?.list()? {
            let model = component(node, load, &mut links)?;
            if components.iter().any(|m| m.name() == model.name()) {
                return Err(node.error(format!("there are two models named '{}'", model.name())));
            }
            components.push(model);
        }
        let mut models = Self { components };
        models.resolve_links()?;
        Ok(models)
    }

    /// From a YAML file. File names of templates are taken relative to the YAML's folder where they exist there, else as
    /// they are, with environment variables (`$GAMMAPY_DATA/...`) expanded; `load` reads them.
    ///
    /// # Errors
    /// As [`Models::from_yaml`], with the file's name, also where there is no file; [`Error::Io`] where it cannot be
    /// read.
    pub fn read_with(path: impl AsRef<Path>, load: &dyn Fn(&Path) -> Result<Map>) -> Result<Self> {
        let readers = Readers {
            map: load,
            absorption: &|path| no_tables(&path.display().to_string()),
            light_curve: &|path, _| no_tables(&path.display().to_string()),
            phase_curve: &|path| no_tables(&path.display().to_string()),
        };
        Self::read_files(path.as_ref(), &readers)
    }

    /// As [`Models::read_with`], with all kinds of files.
    pub(in crate::io) fn read_files(path: &Path, readers: &Readers<'_>) -> Result<Self> {
        let text = crate::io::input::read_text(path, "this is not text")?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let load = Load {
            map: &|name| (readers.map)(&resolve(folder, name)?),
            absorption: &|name| (readers.absorption)(&resolve(folder, name)?),
            light_curve: &|name, is_map| (readers.light_curve)(&resolve(folder, name)?, is_map),
            phase_curve: &|name| (readers.phase_curve)(&resolve(folder, name)?),
        };
        Self::from_yaml_with(&text, &load).map_err(|e| e.at(&Place::file(path)))
    }
}

/// The path of a file named in a YAML that stands in `folder`.
pub(in crate::io) fn resolve(folder: &Path, name: &str) -> Result<PathBuf> {
    let mut expanded = String::new();
    let mut rest = name;
    while let Some(start) = rest.find('$') {
        expanded.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let braced = rest.starts_with('{');
        let body = if braced { &rest[1..] } else { rest };
        let end = body.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(body.len());
        let variable = &body[..end];
        let value = std::env::var(variable).map_err(|_| {
            Error::input(name, format!("the environment variable {variable} is not set"))
                .with_help(format!("export {variable}=... to the folder that the file stands in"))
        })?;
        expanded.push_str(&value);
        rest = &body[end..];
        if braced {
            rest = rest.strip_prefix('}').unwrap_or(rest);
        }
    }
    expanded.push_str(rest);
    let beside = folder.join(&expanded);
    Ok(if beside.exists() { beside } else { PathBuf::from(expanded) })
}

fn component(node: &Node, load: &Load, links: &mut Links) -> Result<Model> {
    let tag = node.require("type")?;
    let name = node.get("name").map(Node::text).transpose()?;
    let label = name.clone().unwrap_or_else(|| "without a name".to_string());
    let place = Place::item_only(format!("component '{label}'"));
    let model = match tag.text()?.as_str() {
        "SkyModel" => sky_model(node, load, links),
        "FoVBackgroundModel" => background(node, name, load, links),
        TemplateNPredModel::TAG => template_npred(node, load, links),
        other => Err(unknown(tag, other, "component", &COMPONENT_TAGS)),
    };
    model.map_err(|e| in_component(e, &place))
}

/// Puts the component's name in front of the line.
fn in_component(error: Error, outer: &Place) -> Error {
    match error {
        Error::Input { place, problem, help } => {
            Error::Input { place: Place::item_only(format!("{outer}, {place}")), problem, help }
        }
        other => other,
    }
}

fn unknown(node: &Node, tag: &str, kind: &str, known: &[&str]) -> Error {
    node.error(format!("'{tag}' is not a {kind} model that can be used here"))
        .with_help(format!("known are {}", known.join(", ")))
}

fn sky_model(node: &Node, load: &Load, links: &mut Links) -> Result<Model> {
    let name = node.require("name")?.text()?;
    let mut apply_irf = ApplyIrf::default();
    if let Some(apply) = node.get("apply_irf") {
        let ApplyIrf { exposure, psf, edisp } = &mut apply_irf;
        for (key, is_applied) in [("exposure", exposure), ("psf", psf), ("edisp", edisp)] {
            *is_applied = apply.get(key).map(Node::bool).transpose()?.unwrap_or(true);
        }
    }
    let spectral = spectral_model(node.require("spectral")?, load, links)?;
    let spatial = node.get("spatial").map(|n| spatial_model(n, load, links)).transpose()?;
    if let (Some(model), Some(node)) = (&spatial, node.get("spatial"))
        && model.is_norm()
    {
        let problem = format!("'{}' is a factor without a unit, not the shape of a source", model.tag());
        return Err(node.error(problem).with_help("it goes with FoVBackgroundModel or TemplateNPredModel"));
    }
    let datasets_names = node.get("datasets_names").map(Node::texts).transpose()?;
    let temporal = node.get("temporal").map(|n| temporal_model(n, load, links)).transpose()?;
    let model = SkyModel { name, spectral, spatial, temporal, apply_irf, datasets_names };
    model.check_irf().map_err(|e| at_line(e, node))?;
    Ok(Model::Sky(model))
}

fn temporal_model(node: &Node, load: &Load, links: &mut Links) -> Result<Arc<dyn TemporalModel>> {
    let tag_node = node.require("type")?;
    let tag = tag_node.text()?;
    if [LightCurveTemplateTemporalModel::TAG, "template"].contains(&tag.as_str()) {
        let file = node.require("filename")?;
        let filename = file.text()?;
        let is_map = match node.get("format") {
            None => false,
            Some(format) => match format.text()?.as_str() {
                "table" => false,
                "map" => true,
                other => return Err(format.error(format!("format '{other}' is neither table nor map"))),
            },
        };
        let model = (load.light_curve)(&filename, is_map).map_err(|e| at_line(e, file))?.with_filename(filename);
        let given = parameters(node, model.parameters(), links)?;
        // The reference stands in the table; Gammapy does not look at that of the YAML either.
        let same = given.iter().all(|p| model.parameters().iter().any(|own| (own.value - p.value).abs() < 1e-6));
        if !same {
            return Err(node.error("t_ref is not the reference time of the table"));
        }
        return Ok(Arc::new(model));
    }
    let scale = node.get("scale").map_or(Ok("utc".to_string()), Node::text)?;
    if [TemplatePhaseCurveTemporalModel::TAG, "template-phase"].contains(&tag.as_str()) {
        let filename = node.require("filename")?;
        let normalize = node.get("normalize").map(Node::bool).transpose()?.unwrap_or(true);
        let (phases, norms) = (load.phase_curve)(&filename.text()?).map_err(|e| at_line(e, filename))?;
        let model = TemplatePhaseCurveTemporalModel::new(phases, norms, normalize)
            .and_then(|model| model.with_filename(filename.text()?).with_scale(&scale))
            .map_err(|e| at_line(e, filename))?;
        let given = parameters(node, model.parameters(), links)?;
        return model.with_parameters(&given).map_err(|e| at_line(e, node));
    }
    let known: Vec<&str> = TEMPORAL_TAGS.iter().map(|t| t.0).chain(temporal::TABLE_TAGS).collect();
    let defaults =
        temporal::from_parameters(&tag, &[], "utc").map_err(|_| unknown(tag_node, &tag, "temporal", &known))?;
    let given = parameters(node, defaults.parameters(), links)?;
    temporal::from_parameters(&tag, &given, &scale).map_err(|e| at_line(e, node))
}

fn background(node: &Node, name: Option<String>, load: &Load, links: &mut Links) -> Result<Model> {
    let datasets_names = node.require("datasets_names")?.texts()?;
    let Some(first) = datasets_names.first() else {
        return Err(node.error("datasets_names is empty"));
    };
    let name = name.unwrap_or_else(|| format!("{first}-bkg"));
    let spectral = match node.get("spectral") {
        Some(spectral) => spectral_model(spectral, load, links)?,
        // Gammapy 0.18 had the parameters in the model itself.
        None => {
            let given = parameters(node, PowerLawNormSpectralModel::default().parameters(), links)?;
            Arc::new(PowerLawNormSpectralModel::from_parameters(&given)?)
        }
    };
    if !spectral.is_norm() {
        return Err(node.error(format!("a background is scaled by a norm model, '{}' is none", spectral.tag())));
    }
    let spatial = node.get("spatial");
    let model = FoVBackgroundModel {
        name,
        spectral,
        spatial: spatial.map(|n| spatial_model(n, load, links)).transpose()?,
        datasets_names,
    };
    model.check_spatial().map_err(|e| at_line(e, spatial.unwrap_or(node)))?;
    Ok(Model::FoVBackground(model))
}

fn template_npred(node: &Node, load: &Load, links: &mut Links) -> Result<Model> {
    let name = node.require("name")?.text()?;
    let filename = node.require("filename")?;
    let datasets_names = node.get("datasets_names").map(Node::texts).transpose()?;
    if datasets_names.as_ref().is_some_and(|names| names.len() != 1) {
        // Gammapy refuses them, too: the cube is that of one dataset.
        return Err(node.error("datasets_names must name one dataset, or be left out for all"));
    }
    let map = map_of(filename, load)?;
    let mut model = TemplateNPredModel::new(&name, Arc::new(map)).map_err(|e| at_line(e, filename))?;
    if let Some(spectral) = node.get("spectral") {
        let found = spectral_model(spectral, load, links)?;
        model = model.with_spectral(found).map_err(|e| at_line(e, spectral))?;
    }
    model.spatial = node.get("spatial").map(|n| spatial_model(n, load, links)).transpose()?;
    model.datasets_names = datasets_names;
    Ok(Model::TemplateNPred(model.with_filename(filename.text()?)))
}

fn spectral_model(node: &Node, load: &Load, links: &mut Links) -> Result<Arc<dyn SpectralModel>> {
    let tag_node = node.require("type")?;
    let tag = tag_node.text()?;
    match tag.as_str() {
        TemplateSpectralModel::TAG | "template" => {
            let (energies, energy_unit) = table(node.require("energy")?)?;
            let (values, value_unit) = table(node.require("values")?)?;
            let model = TemplateSpectralModel::with_units(energies, energy_unit, values, value_unit);
            Ok(Arc::new(model.map_err(|e| at_line(e, node))?))
        }
        CompoundSpectralModel::TAG | "compound" => {
            let first = spectral_model(node.require("model1")?, load, links)?;
            let second = spectral_model(node.require("model2")?, load, links)?;
            let operator = node.require("operator")?;
            let operator = operator.text()?.parse().map_err(|e| at_line(e, operator))?;
            Ok(Arc::new(CompoundSpectralModel::new(first, second, operator)))
        }
        TemplateNDSpectralModel::TAG | "templateND" => {
            let filename = node.require("filename")?;
            let map = Arc::new(map_of(filename, load)?);
            let model = TemplateNDSpectralModel::new(map).map_err(|e| at_line(e, filename))?;
            let given = parameters(node, &model.default_parameters(), links)?;
            model.with_filename(filename.text()?).with_parameters(&given).map_err(|e| at_line(e, node))
        }
        PiecewiseNormSpectralModel::TAG | "piecewise-norm" => piecewise(node, links),
        EblAbsorptionNormSpectralModel::TAG | "ebl-norm" => absorption(node, load, links),
        _ => {
            let known: Vec<&str> = SPECTRAL_TAGS.iter().map(|t| t.0).chain(TABLE_TAGS).collect();
            let defaults =
                spectral::from_parameters(&tag, &[]).map_err(|_| unknown(tag_node, &tag, "spectral", &known))?;
            let given = parameters(node, defaults.parameters(), links)?;
            spectral::from_parameters(&tag, &given).map_err(|e| at_line(e, node))
        }
    }
}

fn piecewise(node: &Node, links: &mut Links) -> Result<Arc<dyn SpectralModel>> {
    let (energies, unit) = table(node.require("energy")?)?;
    let is_log = is_log(node, true)?;
    let norms = norms(node, energies.len(), links)?;
    let model = PiecewiseNormSpectralModel::with_nodes(energies, unit, &norms, is_log);
    Ok(Arc::new(model.map_err(|e| at_line(e, node))?))
}

fn absorption(node: &Node, load: &Load, links: &mut Links) -> Result<Arc<dyn SpectralModel>> {
    let given = parameters(node, &EblAbsorptionNormSpectralModel::default_parameters(), links)?;
    let filename = node.get("filename").map(Node::text).transpose()?;
    let absorption = match &filename {
        Some(name) => (load.absorption)(name).map_err(|e| at_line(e, node))?,
        None => {
            let (energies, unit) = table(node.require("energy")?)?;
            let (redshifts, _) = table(node.require("param")?)?;
            let rows = node.require("values")?.require("data")?.list()?;
            let mut values = Vec::new();
            for row in rows {
                let row = row.list()?.iter().map(Node::finite).collect::<Result<Vec<f64>>>()?;
                if row.len() != energies.len() {
                    let problem = format!("{} values in a row where there are {} energies", row.len(), energies.len());
                    return Err(node.error(problem));
                }
                values.extend(row);
            }
            let values = Array2::from_shape_vec((rows.len(), energies.len()), values)
                .map_err(|e| node.error(format!("values: {e}")))?;
            AbsorptionTable::new(redshifts, energies, unit, values, false).map_err(|e| at_line(e, node))?
        }
    };
    let model = EblAbsorptionNormSpectralModel::from_parameters(Arc::new(absorption), &given);
    let model = model.map_err(|e| at_line(e, node))?;
    Ok(match filename {
        Some(name) => Arc::new(model.with_filename(name)),
        None => Arc::new(model),
    })
}

/// `{data: [...], unit: ...}`
fn table(node: &Node) -> Result<(Vec<f64>, Unit)> {
    let data = node.require("data")?;
    let values = match &data.value {
        Value::List(list) => list.iter().map(Node::finite).collect::<Result<_>>()?,
        _ => vec![data.finite()?],
    };
    Ok((values, node.get("unit").map_or_else(|| Ok(Unit::dimensionless()), unit)?))
}

fn unit(node: &Node) -> Result<Unit> {
    node.text()?.parse().map_err(|e| at_line(e, node))
}

/// Puts the line in front of the item that an error names.
fn at_line(error: Error, node: &Node) -> Error {
    match error {
        Error::Input { place, problem, help } => {
            Error::Input { place: Place::item_only(format!("line {}, {place}", node.line)), problem, help }
        }
        other => other,
    }
}

fn spatial_model(node: &Node, load: &Load, links: &mut Links) -> Result<Arc<dyn SpatialModel>> {
    let tag_node = node.require("type")?;
    let tag = tag_node.text()?;
    if [TemplateSpatialModel::TAG, "template"].contains(&tag.as_str()) {
        return template(node, load, links);
    }
    if [TemplateNDSpatialModel::TAG, "templateND"].contains(&tag.as_str()) {
        let filename = node.require("filename")?;
        let map = Arc::new(map_of(filename, load)?);
        let model = TemplateNDSpatialModel::new(map).map_err(|e| at_line(e, filename))?;
        let given = parameters(node, &model.default_parameters(), links)?;
        return model.with_filename(filename.text()?).with_parameters(&given).map_err(|e| at_line(e, node));
    }
    let (frame, system) = match node.get("frame") {
        None => (Frame::Icrs, None),
        Some(frame) => match frame.text()?.to_ascii_lowercase().as_str() {
            "icrs" => (Frame::Icrs, None),
            "fk5" | "j2000" => (Frame::Icrs, Some(System::Fk5 { equinox: 2000.0 })),
            "galactic" => (Frame::Galactic, None),
            other => return Err(frame.error(format!("frame '{other}' is none of icrs, fk5 and galactic"))),
        },
    };
    if [PiecewiseNormSpatialModel::TAG, "piecewise-norm"].contains(&tag.as_str()) {
        return piecewise_spatial(node, (frame, system), links);
    }
    let known: Vec<&str> = SPATIAL_TAGS.iter().map(|t| t.0).chain(MAP_TAGS).chain(NODE_TAGS).collect();
    let defaults =
        spatial::from_parameters(&tag, &[], frame).map_err(|_| unknown(tag_node, &tag, "spatial", &known))?;
    let mut given = parameters(node, defaults.parameters(), links)?;
    let model = spatial::from_parameters(&tag, &given, frame).map_err(|e| at_line(e, node))?;
    let (Some(system), Some(at)) = (system, model.position()) else { return Ok(model) };
    turn(&mut given, at, SkyPosition::of_system(system, at.lon_deg, at.lat_deg));
    spatial::from_parameters(&tag, &given, frame).map_err(|e| at_line(e, node))
}

/// Moves a position, with its bounds; parameters that are linked stay what the others are.
fn turn(parameters: &mut [Parameter], from: SkyPosition, to: SkyPosition) {
    let by_lon = (to.lon_deg - from.lon_deg + 180.0).rem_euclid(360.0) - 180.0;
    for (name, degrees) in [("lon_0", by_lon), ("lat_0", to.lat_deg - from.lat_deg)] {
        for p in parameters.iter_mut().filter(|p| p.name == name && p.link.is_none()) {
            let shift = degrees / p.unit.factor_to_text("deg").unwrap_or(1.0);
            // The poles bound latitudes in any system.
            let bound = |v: f64| if v.abs() == 90.0 { v } else { v + shift };
            (p.value, p.min, p.max) = (p.value + shift, bound(p.min), bound(p.max));
        }
    }
}

fn piecewise_spatial(
    node: &Node,
    (frame, system): (Frame, Option<System>),
    links: &mut Links,
) -> Result<Arc<dyn SpatialModel>> {
    let degrees = |key: &str| -> Result<Vec<f64>> {
        let entry = node.require(key)?;
        let (mut values, unit) = table(entry)?;
        let factor = unit.factor_to_text("deg").map_err(|_| {
            entry.error(format!("the unit '{unit}' of {key} is not an angle")).with_help("give nodes in deg")
        })?;
        values.iter_mut().for_each(|v| *v *= factor);
        Ok(values)
    };
    let (mut lon, mut lat) = (degrees("lon")?, degrees("lat")?);
    if let Some(system) = system {
        for (lon, lat) in lon.iter_mut().zip(&mut lat) {
            let at = SkyPosition::of_system(system, *lon, *lat);
            (*lon, *lat) = (at.lon_deg, at.lat_deg);
        }
    }
    // Gammapy: neither writes nor reads it.
    let is_log = is_log(node, false)?;
    let norms = norms(node, lon.len(), links)?;
    let model = PiecewiseNormSpatialModel::with_nodes(lon, lat, &norms, is_log, frame);
    Ok(Arc::new(model.map_err(|e| at_line(e, node))?))
}

/// Whether nodes are joined in logarithms.
fn is_log(node: &Node, default: bool) -> Result<bool> {
    match node.get("interp").map(Node::text).transpose()?.as_deref() {
        None => Ok(default),
        Some("log") => Ok(true),
        Some("lin") => Ok(false),
        Some(other) => Err(node.error(format!("interp '{other}' is neither log nor lin"))),
    }
}

/// `norm_0`, `norm_1`, … of a number of nodes; missing ones are 1.
fn norms(node: &Node, number: usize, links: &mut Links) -> Result<Vec<Parameter>> {
    let mut norms: Vec<Parameter> =
        (0..number).map(|i| Parameter::new(&format!("norm_{i}"), 1.0, Unit::dimensionless())).collect();
    for given in parameters(node, &norms.clone(), links)? {
        if let Some(norm) = norms.iter_mut().find(|n| n.name == given.name) {
            *norm = given;
        }
    }
    Ok(norms)
}

/// The map of the file that is named on a line.
fn map_of(filename: &Node, load: &Load) -> Result<Map> {
    (load.map)(&filename.text()?).map_err(|e| at_line(e, filename))
}

fn template(node: &Node, load: &Load, links: &mut Links) -> Result<Arc<dyn SpatialModel>> {
    let file = node.require("filename")?;
    let filename = file.text()?;
    let normalize = node.get("normalize").map(Node::bool).transpose()?.unwrap_or(true);
    let model = TemplateSpatialModel::new(Arc::new(map_of(file, load)?), normalize).map_err(|e| at_line(e, node))?;
    let given = parameters(node, &TemplateSpatialModel::default_parameters(), links)?;
    let model = model.with_filename(filename).at_parameters(&given).map_err(|e| at_line(e, node))?;
    Ok(Arc::new(model))
}

/// The `parameters` of a model. What an entry does not say comes from the default of that name. Entries of other names
/// are errors: Gammapy only warns, but a misspelt sigma that becomes 1 deg makes a wrong map without a trace.
fn parameters(node: &Node, defaults: &[Parameter], links: &mut Links) -> Result<Vec<Parameter>> {
    let Some(entries) = node.get("parameters") else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries.list()? {
        let name = entry.require("name")?.text()?;
        let Some(default) = defaults.iter().find(|p| p.name == name) else {
            let known: Vec<_> = defaults.iter().map(|p| p.name.as_str()).collect();
            return Err(entry.error(format!("parameter '{name}' is not one of {}", known.join(", "))));
        };
        found.push(parameter(entry, default, links).map_err(|e| in_parameter(e, &name))?);
    }
    Ok(found)
}

fn in_parameter(error: Error, name: &str) -> Error {
    match error {
        Error::Input { place, problem, help } => {
            Error::Input { place: Place::item_only(format!("{place}, parameter '{name}'")), problem, help }
        }
        other => other,
    }
}

fn parameter(entry: &Node, default: &Parameter, links: &mut Links) -> Result<Parameter> {
    let or = |key: &str, default: f64| entry.get(key).map_or(Ok(default), Node::number);
    // Gammapy before 0.18 wrote factor and scale in place of the value.
    let value = match (entry.get("value"), entry.get("factor")) {
        (Some(value), _) => value.number()?,
        (None, Some(factor)) => factor.number()? * or("scale", 1.0)?,
        (None, None) => default.value,
    };
    // The defaults of a template's position are NaN: its map's centre.
    if !value.is_finite() && !default.value.is_nan() {
        return Err(entry.error(format!("value {value} is not a finite number")));
    }
    let link = entry.get("link").map(Node::text).transpose()?;
    if let Some(first) = link.as_ref().and_then(|label| links.get(label)) {
        return Ok(Parameter { name: default.name.clone(), ..first.clone() });
    }
    let (min, max) = (or("min", default.min)?, or("max", default.max)?);
    if min > max {
        return Err(entry
            .error(format!("its lower bound {min} lies above the upper one {max}"))
            .with_help("exchange min and max, or take one of them away"));
    }
    let parameter = Parameter {
        name: default.name.clone(),
        value,
        unit: entry.get("unit").map_or_else(|| Ok(default.unit.clone()), unit)?,
        error: or("error", 0.0)?,
        min,
        max,
        frozen: entry.get("frozen").map_or(Ok(default.frozen), Node::bool)?,
        link,
        prior: entry.get("prior").map(prior).transpose()?,
        scan: scan(entry)?,
    };
    if let Some(label) = &parameter.link {
        links.insert(label.clone(), parameter.clone());
    }
    Ok(parameter)
}

/// `{type: GaussianPrior, parameters: [{name: mu, value: 2.0}, ...], weight: 1}`
fn prior(node: &Node) -> Result<Prior> {
    let tag = node.require("type")?.text()?;
    let mut given = Vec::new();
    if let Some(entries) = node.get("parameters") {
        for entry in entries.list()? {
            given.push((entry.require("name")?.text()?, entry.require("value")?.finite()?));
        }
    }
    let prior = Prior::from_parameters(&tag, &given).map_err(|e| at_line(e, node))?;
    if let Some((name, _)) = given.iter().find(|(name, _)| !prior.parameters().iter().any(|(n, _)| n == name)) {
        return Err(node.error(format!("'{name}' is not a parameter of a {tag}")));
    }
    let weight = node.get("weight").map_or(Ok(1.0), Node::finite)?;
    if weight < 0.0 {
        return Err(node.error(format!("the weight {weight} of a prior must not be negative")));
    }
    Ok(Prior { weight, ..prior })
}

fn scan(entry: &Node) -> Result<Scan> {
    let default = Scan::default();
    let values = match entry.get("scan_values") {
        Some(list) => Some(list.list()?.iter().map(Node::finite).collect::<Result<Vec<f64>>>()?),
        None => None,
    };
    let n_values = match entry.get("scan_n_values") {
        Some(node) => match node.finite()? {
            n if (1.0..=MAX_SCAN).contains(&n) && n.fract() == 0.0 => n as usize,
            n => return Err(node.error(format!("scan_n_values {n} is not a number from 1 to {MAX_SCAN}"))),
        },
        None => default.n_values,
    };
    Ok(Scan {
        min: entry.get("scan_min").map(Node::finite).transpose()?,
        max: entry.get("scan_max").map(Node::finite).transpose()?,
        n_values,
        n_sigma: entry.get("scan_n_sigma").map_or(Ok(default.n_sigma), Node::finite)?,
        values,
    })
}
