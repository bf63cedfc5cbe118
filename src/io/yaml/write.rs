//! Writing models, in Gammapy's layout.

use std::fmt::Write;

use crate::error::{Error, Result};
use crate::maps::Frame;
use crate::models::spatial::{self, ConstantSpatialModel, TemplateSpatialModel};
use crate::models::spectral::{self, EblAbsorptionNormSpectralModel};
use crate::models::temporal::TemplatePhaseCurveTemporalModel;
use crate::models::{
    ApplyIrf, FoVBackgroundModel, Model, Models, Parameter, Prior, Scan, SkyModel, SpatialModel, SpectralModel,
    TemplateNPredModel, TemporalModel, temporal,
};
use crate::units::Unit;

impl Models {
    /// As Gammapy's YAML: what `Models.from_yaml` there and [`Models::from_yaml`] here read. Of a parameter only what
    /// differs from Gammapy's defaults is written beside its value.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use pevatron::models::{Model, Models, SkyModel};
    /// use pevatron::models::spectral::PowerLawSpectralModel;
    /// let spectral = Arc::new(PowerLawSpectralModel::new(2.0, 1e-12, 1.0));
    /// let models = Models { components: vec![Model::Sky(SkyModel::new("s", spectral, None))] };
    /// assert!(models.to_yaml()?.contains("value: 1.0e-12"));
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Input`] for a template that has no file name.
    pub fn to_yaml(&self) -> Result<String> {
        self.to_yaml_beside(None)
    }

    /// As [`Models::to_yaml`], with the name of the file beside it that holds the covariance.
    ///
    /// # Errors
    /// As [`Models::to_yaml`].
    pub fn to_yaml_beside(&self, covariance: Option<&str>) -> Result<String> {
        let mut out = Writer::default();
        if self.components.is_empty() {
            out.line(0, "components: []");
        } else {
            out.line(0, "components:");
        }
        for model in &self.components {
            match model {
                Model::Sky(model) => sky_model(&mut out, model)?,
                Model::FoVBackground(model) => background(&mut out, model)?,
                Model::TemplateNPred(model) => template_npred(&mut out, model)?,
            }
        }
        if let Some(name) = covariance {
            out.line(0, &format!("covariance: {}", text(name)));
        }
        out.line(0, "metadata:");
        out.line(1, concat!("creator: Pevatron ", env!("CARGO_PKG_VERSION")));
        Ok(out.text)
    }
}

/// Lines with indentation by 4, as Gammapy writes them.
#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    fn line(&mut self, level: usize, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{:1$}{line}", "", 4 * level);
    }

    /// `key: value`, the first one of a list's entry with its dash.
    fn entry(&mut self, level: usize, first: bool, key: &str, value: &str) {
        if first {
            self.line(level - 1, &format!("-   {key}: {value}"));
        } else {
            self.line(level, &format!("{key}: {value}"));
        }
    }

    fn names(&mut self, level: usize, names: &[String]) {
        if names.is_empty() {
            self.line(level, "datasets_names: []");
            return;
        }
        self.line(level, "datasets_names:");
        for name in names {
            self.line(level, &format!("- {}", text(name)));
        }
    }
}

/// A number that YAML 1.1 (PyYAML) reads as one: with a point, and a sign in the exponent.
pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_string();
    }
    let short = format!("{value:?}");
    let Some((mantissa, exponent)) = short.split_once('e') else { return short };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// A text, quoted unless it cannot be taken for anything else.
pub(super) fn text(value: &str) -> String {
    const RESERVED: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"];
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && !value.ends_with(' ')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || " _-+./$@".contains(c))
        && !RESERVED.contains(&value.to_ascii_lowercase().as_str());
    if plain {
        return value.to_string();
    }
    // YAML folds lines at these, in single quotes too.
    let breaks = |c: char| c.is_control() || ['\u{feff}', '\u{2028}', '\u{2029}'].contains(&c);
    if !value.contains(breaks) {
        return format!("'{}'", value.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if breaks(c) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn unit(unit: &Unit) -> String {
    let name = unit.to_string();
    if name.is_empty() { "''".to_string() } else { text(&name) }
}

fn sky_model(out: &mut Writer, model: &SkyModel) -> Result<()> {
    out.entry(1, true, "name", &text(&model.name));
    out.line(1, "type: SkyModel");
    if model.apply_irf != ApplyIrf::default() {
        let ApplyIrf { exposure, psf, edisp } = model.apply_irf;
        out.line(1, "apply_irf:");
        for (key, is_applied) in [("exposure", exposure), ("psf", psf), ("edisp", edisp)] {
            out.line(2, &format!("{key}: {is_applied}"));
        }
    }
    if let Some(names) = &model.datasets_names {
        out.names(1, names);
    }
    out.line(1, "spectral:");
    spectral_model(out, 2, model.spectral.as_ref()).map_err(|e| named(e, &model.name))?;
    if let Some(spatial) = &model.spatial {
        out.line(1, "spatial:");
        spatial_model(out, spatial.as_ref()).map_err(|e| named(e, &model.name))?;
    }
    if let Some(temporal) = &model.temporal {
        out.line(1, "temporal:");
        temporal_model(out, temporal.as_ref()).map_err(|e| named(e, &model.name))?;
    }
    Ok(())
}

fn temporal_model(out: &mut Writer, model: &dyn TemporalModel) -> Result<()> {
    out.line(2, &format!("type: {}", model.tag()));
    let defaults = temporal::from_parameters(model.tag(), &[], "utc");
    let timing = TemplatePhaseCurveTemporalModel::default_parameters();
    let defaults = match &defaults {
        Ok(model) => model.parameters(),
        Err(_) if model.as_phase_curve().is_some() => &timing,
        Err(_) => model.parameters(),
    };
    parameters(out, 2, model.parameters(), defaults);
    out.line(2, &format!("scale: {}", text(model.scale())));
    if let Some(light_curve) = model.as_light_curve() {
        let Some(filename) = light_curve.filename() else {
            return Err(Error::input("temporal", "the table of the light curve has no file name").with_help_for(
                "write the table and give its name by with_filename",
                "write the table to a file and name it as filename in the models",
            ));
        };
        out.line(2, &format!("filename: {}", text(filename)));
        out.line(2, if light_curve.is_map() { "format: map" } else { "format: table" });
        out.line(2, "unit: ''");
    }
    if let Some(phase_curve) = model.as_phase_curve() {
        let Some(filename) = phase_curve.filename() else {
            return Err(Error::input("temporal", "the table of the phase curve has no file name").with_help_for(
                "write the table and give its name by with_filename",
                "write the table to a file and name it as filename in the models",
            ));
        };
        out.line(2, &format!("filename: {}", text(filename)));
        out.line(2, &format!("normalize: {}", phase_curve.is_normalized()));
    }
    Ok(())
}

fn named(error: Error, name: &str) -> Error {
    match error {
        Error::Input { ref problem, .. } => Error::input(format!("model '{name}'"), problem).with_help_of(&error),
        other => other,
    }
}

fn background(out: &mut Writer, model: &FoVBackgroundModel) -> Result<()> {
    out.entry(1, true, "type", "FoVBackgroundModel");
    // Gammapy: names it after the dataset and neither writes nor reads a name.
    let usual = model.datasets_names.first().map(|first| format!("{first}-bkg"));
    if usual.as_ref() != Some(&model.name) {
        out.line(1, &format!("name: {}", text(&model.name)));
    }
    out.names(1, &model.datasets_names);
    out.line(1, "spectral:");
    spectral_model(out, 2, model.spectral.as_ref()).map_err(|e| named(e, &model.name))?;
    if let Some(spatial) = &model.spatial {
        out.line(1, "spatial:");
        spatial_model(out, spatial.as_ref()).map_err(|e| named(e, &model.name))?;
    }
    Ok(())
}

fn template_npred(out: &mut Writer, model: &TemplateNPredModel) -> Result<()> {
    out.entry(1, true, "name", &text(&model.name));
    out.line(1, &format!("type: {}", TemplateNPredModel::TAG));
    if let Some(spatial) = &model.spatial {
        out.line(1, "spatial:");
        spatial_model(out, spatial.as_ref()).map_err(|e| named(e, &model.name))?;
    }
    out.line(1, "spectral:");
    spectral_model(out, 2, model.spectral.as_ref()).map_err(|e| named(e, &model.name))?;
    let Some(filename) = model.filename() else {
        return Err(Error::input(format!("model '{}'", model.name), "its map has no file name").with_help_for(
            "give it one by with_filename: the map is written there with the models",
            "name one as filename in the models: the map is written there with them",
        ));
    };
    out.line(1, &format!("filename: {}", text(filename)));
    if let Some(names) = &model.datasets_names {
        out.names(1, names);
    }
    Ok(())
}

/// The file and the unit of an n-d template's map.
fn map_file(out: &mut Writer, level: usize, filename: Option<&str>, of: &Unit) -> Result<()> {
    let Some(filename) = filename else {
        return Err(Error::input("template", "the map of the template has no file name").with_help_for(
            "give it one by with_filename: the map is written there with the models",
            "name one as filename in the models: the map is written there with them",
        ));
    };
    out.line(level, &format!("filename: {}", text(filename)));
    out.line(level, &format!("unit: {}", unit(of)));
    Ok(())
}

fn spectral_model(out: &mut Writer, level: usize, model: &dyn SpectralModel) -> Result<()> {
    out.line(level, &format!("type: {}", model.tag()));
    if let Some(compound) = model.as_compound() {
        let (first, second) = compound.models();
        out.line(level, "model1:");
        spectral_model(out, level + 1, first.as_ref())?;
        out.line(level, "model2:");
        spectral_model(out, level + 1, second.as_ref())?;
        out.line(level, &format!("operator: {}", compound.operator().name()));
        return Ok(());
    }
    if let Some(template) = model.as_template_nd() {
        parameters(out, level, model.parameters(), &template.default_parameters());
        return map_file(out, level, template.filename(), template.map().unit());
    }
    let defaults = spectral::from_parameters(model.tag(), &[]);
    let absorption = EblAbsorptionNormSpectralModel::default_parameters();
    let defaults = match &defaults {
        Ok(model) => model.parameters(),
        Err(_) if model.as_absorption().is_some() => &absorption,
        Err(_) => &[],
    };
    parameters(out, level, model.parameters(), defaults);
    if let Some(template) = model.as_template() {
        table(out, level, "energy", template.energies());
        table(out, level, "values", template.values());
    }
    if let Some(piecewise) = model.as_piecewise() {
        table(out, level, "energy", piecewise.energies());
        out.line(level, if piecewise.is_log() { "interp: log" } else { "interp: lin" });
    }
    if let Some(absorption) = model.as_absorption() {
        absorption_table(out, level, absorption);
    }
    Ok(())
}

fn absorption_table(out: &mut Writer, level: usize, model: &EblAbsorptionNormSpectralModel) {
    if let Some(filename) = model.filename() {
        out.line(level, &format!("filename: {}", text(filename)));
        return;
    }
    let absorption = model.table();
    table(out, level, "energy", absorption.energies());
    table(out, level, "param", (absorption.redshifts(), &Unit::dimensionless()));
    out.line(level, "values:");
    out.line(level + 1, "data:");
    for row in absorption.values().outer_iter() {
        let row: Vec<String> = row.iter().map(|v| number(*v)).collect();
        out.line(level + 1, &format!("- [{}]", row.join(", ")));
    }
    out.line(level + 1, "unit: ''");
}

fn table(out: &mut Writer, level: usize, key: &str, (values, of): (&[f64], &Unit)) {
    out.line(level, &format!("{key}:"));
    out.line(level + 1, "data:");
    for value in values {
        out.line(level + 1, &format!("- {}", number(*value)));
    }
    out.line(level + 1, &format!("unit: {}", unit(of)));
}

fn spatial_model(out: &mut Writer, model: &dyn SpatialModel) -> Result<()> {
    out.line(2, &format!("type: {}", model.tag()));
    if model.tag() != ConstantSpatialModel::TAG {
        let frame = match model.frame() {
            Frame::Icrs => "icrs",
            Frame::Galactic => "galactic",
        };
        out.line(2, &format!("frame: {frame}"));
    }
    if let Some(template) = model.as_template_nd() {
        parameters(out, 2, model.parameters(), &template.default_parameters());
        return map_file(out, 2, template.filename(), template.map().unit());
    }
    if let Some(piecewise) = model.as_piecewise() {
        parameters(out, 2, model.parameters(), &[]);
        for (key, nodes) in [("lon", piecewise.lon_deg()), ("lat", piecewise.lat_deg())] {
            table(out, 2, key, (nodes, &"deg".parse()?));
        }
        if piecewise.is_log() {
            out.line(2, "interp: log");
        }
        return Ok(());
    }
    let Some(template) = model.as_template() else {
        let defaults = spatial::from_parameters(model.tag(), &[], model.frame());
        parameters(out, 2, model.parameters(), defaults.as_ref().map_or(&[], |m| m.parameters()));
        return Ok(());
    };
    parameters(out, 2, model.parameters(), &TemplateSpatialModel::default_parameters());
    let Some(filename) = template.filename() else {
        return Err(Error::input("template", "the map of the template has no file name").with_help_for(
            "write the map and give its name by with_filename",
            "write the map to a file and name it as filename in the models",
        ));
    };
    out.line(2, &format!("filename: {}", text(filename)));
    out.line(2, &format!("normalize: {}", template.is_normalized()));
    out.line(2, &format!("unit: {}", unit(template.map().unit())));
    Ok(())
}

fn parameters(out: &mut Writer, level: usize, parameters: &[Parameter], defaults: &[Parameter]) {
    if parameters.is_empty() {
        out.line(level, "parameters: []");
        return;
    }
    out.line(level, "parameters:");
    for p in parameters {
        let fallback = Parameter::new(&p.name, f64::NAN, Unit::dimensionless());
        let default = defaults.iter().find(|d| d.name == p.name).unwrap_or(&fallback);
        let differs = |a: f64, b: f64| a != b && !(a.is_nan() && b.is_nan());
        out.entry(level + 1, true, "name", &p.name);
        out.line(level + 1, &format!("value: {}", number(p.value)));
        if !p.unit.to_string().is_empty() || !default.unit.to_string().is_empty() {
            out.line(level + 1, &format!("unit: {}", unit(&p.unit)));
        }
        for (key, value, default) in [("error", p.error, 0.0), ("min", p.min, default.min), ("max", p.max, default.max)]
        {
            if differs(value, default) {
                out.line(level + 1, &format!("{key}: {}", number(value)));
            }
        }
        if p.frozen != default.frozen {
            out.line(level + 1, &format!("frozen: {}", p.frozen));
        }
        if let Some(link) = &p.link {
            out.line(level + 1, &format!("link: {}", text(link)));
        }
        if let Some(prior) = &p.prior {
            self::prior(out, level + 1, prior);
        }
        scan(out, level + 1, &p.scan);
    }
}

fn prior(out: &mut Writer, level: usize, prior: &Prior) {
    out.line(level, "prior:");
    out.line(level + 1, &format!("type: {}", prior.tag()));
    out.line(level + 1, "parameters:");
    for (name, value) in prior.parameters() {
        out.entry(level + 2, true, "name", name);
        out.line(level + 2, &format!("value: {}", number(value)));
        out.line(level + 2, "unit: ''");
    }
    out.line(level + 1, &format!("weight: {}", number(prior.weight)));
}

/// What differs from the usual scan. Gammapy reads these keys, but does not write them.
fn scan(out: &mut Writer, level: usize, scan: &Scan) {
    let default = Scan::default();
    if let Some(min) = scan.min {
        out.line(level, &format!("scan_min: {}", number(min)));
    }
    if let Some(max) = scan.max {
        out.line(level, &format!("scan_max: {}", number(max)));
    }
    if scan.n_values != default.n_values {
        out.line(level, &format!("scan_n_values: {}", scan.n_values));
    }
    if scan.n_sigma != default.n_sigma {
        out.line(level, &format!("scan_n_sigma: {}", number(scan.n_sigma)));
    }
    if let Some(values) = &scan.values {
        let list: Vec<String> = values.iter().map(|v| number(*v)).collect();
        out.line(level, &format!("scan_values: [{}]", list.join(", ")));
    }
}
