//! Maps whose axes beyond the energy are parameters of a model.

use std::sync::Arc;

use super::parameter::Parameter;
use crate::error::{Error, Result};
use crate::maps::{Map, MapAxis, MapData, NodeType};
use crate::units::Unit;

/// Names of the axis that is an energy, not a parameter.
const ENERGY: [&str; 2] = ["energy_true", "energy"];

/// A map between its nodes, linear in pixel coordinates and in the logarithm of the values, as both of Gammapy's n-d
/// templates take it. Values that are not finite or not positive count as 0.
#[derive(Debug, Clone)]
pub(crate) struct NdTemplate {
    map: Arc<Map>,
    /// The logarithms of the values.
    logs: Arc<Map>,
    /// Values up to this are 0.
    zero: f64,
    /// One for each axis but the energy, in order.
    parameters: Vec<Parameter>,
    /// Pixel coordinates on all axes; that of the energy is a placeholder.
    pix: Vec<f64>,
    /// Which axis is the energy, and the factor from TeV to its unit.
    energy: Option<(usize, f64)>,
    pub filename: Option<String>,
}

/// First and last edge, or first and last node of an axis without bins (Gammapy's `bounds`).
fn ends(axis: &MapAxis) -> (f64, f64) {
    let values = if axis.node_type() == NodeType::Center { axis.center() } else { axis.edges() };
    (values.first().copied().unwrap_or(f64::NAN), values.last().copied().unwrap_or(f64::NAN))
}

/// The parameter of an axis: in its middle, bounded by its ends.
fn parameter(axis: &MapAxis) -> Parameter {
    let (min, max) = ends(axis);
    Parameter { min, max, ..Parameter::new(axis.name(), 0.5 * (min + max), axis.unit().clone()) }
}

impl NdTemplate {
    /// # Errors
    /// [`Error::Input`] for axes of time, two of one name, or an energy in another unit.
    pub fn new(tag: &str, map: Arc<Map>) -> Result<Self> {
        let axes = map.geom().axes();
        let mut energy = None;
        for (i, axis) in axes.iter().enumerate() {
            let wrong = |problem: String| Err(Error::input(format!("{tag}, axis '{}'", axis.name()), problem));
            if axes[..i].iter().any(|other| other.name() == axis.name()) {
                return wrong("the map has two axes of this name".to_string());
            }
            if axis.time_reference().is_some() {
                return wrong("times cannot be a parameter of a model".to_string());
            }
            if ENERGY.contains(&axis.name()) {
                if energy.is_some() {
                    return wrong("the map has two axes of energy".to_string());
                }
                energy = Some((i, "TeV".parse::<Unit>()?.factor_to(axis.unit())?));
            }
        }
        let tiny = match map.data() {
            MapData::F32(_) => f64::from(f32::MIN_POSITIVE),
            MapData::F64(_) => f64::MIN_POSITIVE,
        };
        let mut logs = map.to_cube_f64();
        logs.par_mapv_inplace(|v| if v.is_finite() { v.max(tiny).ln() } else { tiny.ln() });
        let logs = Arc::new(Map::from_cube(Arc::clone(map.geom()), Unit::dimensionless(), logs)?);
        let parameters = Self::defaults_of(&map);
        let pix = vec![0.0; axes.len()];
        Self { map, logs, zero: 2.0 * tiny, parameters: Vec::new(), pix, energy, filename: None }
            .with_parameters(tag, &parameters)
    }

    /// The parameters of a map: one for each axis but the energy.
    pub fn defaults_of(map: &Map) -> Vec<Parameter> {
        map.geom().axes().iter().filter(|a| !ENERGY.contains(&a.name())).map(parameter).collect()
    }

    /// Parameters by name; missing ones are those of the axes.
    pub fn with_parameters(&self, tag: &str, given: &[Parameter]) -> Result<Self> {
        let mut new = Self { parameters: Vec::new(), ..self.clone() };
        for (i, axis) in self.map.geom().axes().iter().enumerate().filter(|(_, a)| !ENERGY.contains(&a.name())) {
            let found = given.iter().find(|p| p.name == axis.name()).cloned().unwrap_or_else(|| parameter(axis));
            let place = || format!("{tag}.{}", axis.name());
            if !found.value.is_finite() {
                return Err(Error::input(place(), format!("value {} is not a finite number", found.value)));
            }
            let factor = found.unit.factor_to(axis.unit()).map_err(|_| {
                Error::input(place(), format!("unit '{}' where the map's axis is in '{}'", found.unit, axis.unit()))
            })?;
            new.pix[i] = axis.coord_to_pix(found.value * factor);
            new.parameters.push(found);
        }
        Ok(new)
    }

    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }

    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    pub fn has_energy(&self) -> bool {
        self.energy.is_some()
    }

    /// The value in the map's unit at a pixel and energy, extrapolated; with `inside`, 0 beyond half a pixel from the
    /// outermost nodes of any axis.
    pub fn at(&self, (x, y): (f64, f64), energy_tev: f64, inside: bool) -> f64 {
        let axes = self.map.geom().axes();
        let mut pix = self.pix.clone();
        if let Some((i, factor)) = self.energy {
            pix[i] = axes[i].coord_to_pix(energy_tev * factor);
        }
        let shape = self.map.data().shape();
        let sky = [(x, shape[shape.len() - 1]), (y, shape[shape.len() - 2])];
        let all = sky.into_iter().chain(pix.iter().copied().zip(axes.iter().map(MapAxis::nbin)));
        if inside && all.into_iter().any(|(p, n)| !(p >= -0.5 && p < n as f64 - 0.5)) {
            return 0.0;
        }
        let value = self.logs.interp_at_pixel(x, y, &pix).exp();
        // Far beyond the map the line of logarithms leads out of all numbers.
        if !value.is_finite() || value <= self.zero { 0.0 } else { value }
    }
}

/// What both models of an n-d template say of it: their map, its file, and the parameters it makes.
macro_rules! nd_template_methods {
    () => {
        /// With the name of the file that the map came from, for writing.
        pub fn with_filename(mut self, filename: impl Into<String>) -> Self {
            self.template.filename = Some(filename.into());
            self
        }

        /// The map.
        pub fn map(&self) -> &Arc<Map> {
            self.template.map()
        }

        /// The name of the map's file.
        pub fn filename(&self) -> Option<&str> {
            self.template.filename.as_deref()
        }

        /// The parameters that the map's axes make: in their middle, bounded by their ends.
        pub fn default_parameters(&self) -> Vec<Parameter> {
            NdTemplate::defaults_of(self.map())
        }
    };
}

pub(crate) use nd_template_methods;
