//! Reading models.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::node::{Node, Value};
use crate::error::{Error, Place, Result};
use crate::maps::{Frame, Map};
use crate::models::spatial::{self, SPATIAL_TAGS, TemplateSpatialModel};
use crate::models::spectral::{
    self, CompoundSpectralModel, PowerLawNormSpectralModel, SPECTRAL_TAGS, TemplateSpectralModel,
};
use crate::models::{
    FoVBackgroundModel, Model, Models, Parameter, Prior, Scan, SkyModel, SpatialModel, SpectralModel,
};
use crate::units::Unit;

/// Types of components that are read.
const COMPONENT_TAGS: [&str; 2] = ["SkyModel", "FoVBackgroundModel"];

/// Most values of a scan that a file may ask for.
const MAX_SCAN: f64 = 1e6;

/// Loads the map of a template by its file name.
type Load<'a> = dyn Fn(&str) -> Result<Map> + 'a;

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
    /// [`Error::Input`] with the line for anything that is no YAML or no model, with the known types for an unknown one;
    /// [`Error::Unsupported`] for a temporal model, a spatial model of the background, or IRFs that are switched off; what
    /// `load` returns.
    pub fn from_yaml(text: &str, load: &Load) -> Result<Self> {
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
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::input_at(Place::file(path), "there is no such file"),
            std::io::ErrorKind::InvalidData => Error::input_at(Place::file(path), "this is no text"),
            _ => Error::io(path, e),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::from_yaml(&text, &|name| load(&resolve(folder, name)?)).map_err(|e| e.at(&Place::file(path)))
    }
}

/// The path of a file named in a YAML that stands in `folder`.
fn resolve(folder: &Path, name: &str) -> Result<PathBuf> {
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
        "FoVBackgroundModel" => background(node, name, links),
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
    if let Some(temporal) = node.get("temporal") {
        let tag = temporal.require("type")?.text()?;
        if !["ConstantTemporalModel", "const"].contains(&tag.as_str()) {
            return Err(Error::unsupported(format!("model '{name}': the temporal model '{tag}'"))
                .with_help("only sources that are constant in time can be used"));
        }
    }
    if let Some(apply) = node.get("apply_irf") {
        for irf in ["exposure", "psf", "edisp"] {
            if apply.get(irf).map(Node::bool).transpose()? == Some(false) {
                return Err(Error::unsupported(format!("model '{name}': apply_irf without {irf}")));
            }
        }
    }
    let spectral = spectral_model(node.require("spectral")?, links)?;
    let spatial = node.get("spatial").map(|n| spatial_model(n, load, links)).transpose()?;
    let datasets_names = node.get("datasets_names").map(Node::texts).transpose()?;
    Ok(Model::Sky(SkyModel { name, spectral, spatial, datasets_names }))
}

fn background(node: &Node, name: Option<String>, links: &mut Links) -> Result<Model> {
    let datasets_names = node.require("datasets_names")?.texts()?;
    let Some(first) = datasets_names.first() else {
        return Err(node.error("datasets_names is empty"));
    };
    let name = name.unwrap_or_else(|| format!("{first}-bkg"));
    if let Some(spatial) = node.get("spatial") {
        let tag = spatial.require("type")?.text()?;
        return Err(Error::unsupported(format!("background model '{name}': the spatial model '{tag}'")));
    }
    let spectral = match node.get("spectral") {
        Some(spectral) => spectral_model(spectral, links)?,
        // Gammapy 0.18 had the parameters in the model itself.
        None => {
            let given = parameters(node, PowerLawNormSpectralModel::default().parameters(), links)?;
            Arc::new(PowerLawNormSpectralModel::from_parameters(&given)?)
        }
    };
    if !spectral.is_norm() {
        return Err(node.error(format!("a background is scaled by a norm model, '{}' is none", spectral.tag())));
    }
    Ok(Model::FoVBackground(FoVBackgroundModel { name, spectral, datasets_names }))
}

fn spectral_model(node: &Node, links: &mut Links) -> Result<Arc<dyn SpectralModel>> {
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
            let first = spectral_model(node.require("model1")?, links)?;
            let second = spectral_model(node.require("model2")?, links)?;
            let operator = node.require("operator")?;
            let operator = operator.text()?.parse().map_err(|e| at_line(e, operator))?;
            Ok(Arc::new(CompoundSpectralModel::new(first, second, operator)))
        }
        _ => {
            let known: Vec<&str> = SPECTRAL_TAGS
                .iter()
                .map(|t| t.0)
                .chain([TemplateSpectralModel::TAG, CompoundSpectralModel::TAG])
                .collect();
            let defaults =
                spectral::from_parameters(&tag, &[]).map_err(|_| unknown(tag_node, &tag, "spectral", &known))?;
            let given = parameters(node, defaults.parameters(), links)?;
            spectral::from_parameters(&tag, &given).map_err(|e| at_line(e, node))
        }
    }
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
    let frame = match node.get("frame") {
        None => Frame::Icrs,
        Some(frame) => match frame.text()?.to_ascii_lowercase().as_str() {
            "icrs" | "fk5" | "j2000" => Frame::Icrs,
            "galactic" => Frame::Galactic,
            other => return Err(frame.error(format!("frame '{other}' is neither icrs nor galactic"))),
        },
    };
    let known: Vec<&str> = SPATIAL_TAGS.iter().map(|t| t.0).chain([TemplateSpatialModel::TAG]).collect();
    let defaults =
        spatial::from_parameters(&tag, &[], frame).map_err(|_| unknown(tag_node, &tag, "spatial", &known))?;
    let given = parameters(node, defaults.parameters(), links)?;
    spatial::from_parameters(&tag, &given, frame).map_err(|e| at_line(e, node))
}

fn template(node: &Node, load: &Load, links: &mut Links) -> Result<Arc<dyn SpatialModel>> {
    let filename = node.require("filename")?.text()?;
    let normalize = node.get("normalize").map(Node::bool).transpose()?.unwrap_or(true);
    let model = TemplateSpatialModel::new(Arc::new(load(&filename)?), normalize).map_err(|e| at_line(e, node))?;
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
    let parameter = Parameter {
        name: default.name.clone(),
        value,
        unit: entry.get("unit").map_or_else(|| Ok(default.unit.clone()), unit)?,
        error: or("error", 0.0)?,
        min: or("min", default.min)?,
        max: or("max", default.max)?,
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
        return Err(node.error(format!("'{name}' is no parameter of a {tag}")));
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
            n if n >= 1.0 && n <= MAX_SCAN && n.fract() == 0.0 => n as usize,
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
