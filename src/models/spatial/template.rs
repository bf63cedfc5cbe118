//! A map as a source's shape.

use std::sync::Arc;

use super::SpatialModel;
use crate::error::{Error, Result};
use crate::maps::{Frame, Map, MapAxis, MapData, SkyPosition, WcsGeom};
use crate::models::Parameter;
use crate::models::parameter_set::ParameterSpec;
use crate::units::Unit;

const LON_0: ParameterSpec = ParameterSpec::frozen("lon_0", f64::NAN, "deg");
const LAT_0: ParameterSpec = ParameterSpec::frozen("lat_0", f64::NAN, "deg").bounded(-90.0, 90.0);

/// A map of surface brightness, with or without a true-energy axis (Gammapy's `TemplateSpatialModel`).
///
/// Values are interpolated between pixel centres and energies, linearly in the logarithm of the value, up to half a
/// pixel beyond the outermost centres; farther out they are 0, as are negative and missing values.
///
/// With `normalize` each energy's plane is divided by its sum and its pixels' solid angles, so that it integrates to 1.
/// Else a map in a unit of sr-1 or without one is taken in sr-1, and one of a differential flux per solid angle gives
/// cm-2 s-1 TeV-1 sr-1: the spectrum that goes with it is a norm.
#[derive(Debug, Clone)]
pub struct TemplateSpatialModel {
    map: Arc<Map>,
    filename: Option<String>,
    normalize: bool,
    parameters: Vec<Parameter>,
    energy: Option<MapAxis>,
    /// TeV to the unit of the energy axis.
    energy_factor: f64,
    /// The map's unit to sr-1 or cm-2 s-1 TeV-1 sr-1.
    factor: f64,
    /// Shift of the position against the map's centre in degrees.
    shift_deg: (f64, f64),
}

impl TemplateSpatialModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "TemplateSpatialModel";

    /// From a map; `normalize` is Gammapy's default.
    ///
    /// # Errors
    /// [`Error::Input`] for a region, for axes other than one named `energy_true`, for a unit that is neither a
    /// surface brightness nor a flux per solid angle (where it is not normalised).
    pub fn new(map: Arc<Map>, normalize: bool) -> Result<Self> {
        let geom = map.wcs_geom().map_err(|e| e.with_help("a template is a map of the sky"))?;
        let energy = match geom.axes() {
            [] => None,
            [axis] if axis.name() == "energy_true" => Some(axis.clone()),
            axes => {
                let names: Vec<&str> = axes.iter().map(MapAxis::name).collect();
                return Err(Error::input(
                    Self::TAG,
                    format!("the map has the axes [{}], only 'energy_true' is possible", names.join(", ")),
                ));
            }
        };
        let energy_factor = match &energy {
            Some(axis) => "TeV".parse::<Unit>()?.factor_to(axis.unit())?,
            None => 1.0,
        };
        let center = geom.center()?;
        let (map, factor) =
            if normalize { (normalized(&map)?, 1.0) } else { (map.clone(), unit_factor(Self::TAG, map.unit())?) };
        Ok(Self {
            map,
            filename: None,
            normalize,
            parameters: vec![LON_0.parameter(center.lon_deg), LAT_0.parameter(center.lat_deg)],
            energy,
            energy_factor,
            factor,
            shift_deg: (0.0, 0.0),
        })
    }

    /// Gammapy's default parameters: a position of NaN, which stands for the centre of the map.
    pub fn default_parameters() -> [Parameter; 2] {
        [LON_0.parameter(f64::NAN), LAT_0.parameter(f64::NAN)]
    }

    /// With the name of the file that the map came from, for writing.
    pub fn with_filename(self, filename: impl Into<String>) -> Self {
        Self { filename: Some(filename.into()), ..self }
    }

    /// At the position of parameters `lon_0` and `lat_0` where they are given and not NaN.
    ///
    /// # Errors
    /// For a unit that is not an angle.
    pub fn at_parameters(mut self, parameters: &[Parameter]) -> Result<Self> {
        let center = self.wcs_geom()?.center()?;
        let mut position = [center.lon_deg, center.lat_deg];
        for (i, spec) in [LON_0, LAT_0].iter().enumerate() {
            let Some(p) = parameters.iter().find(|p| p.name == spec.name) else { continue };
            let factor = p.unit.factor_to_text("deg").map_err(|_| {
                Error::input(format!("{}.{}", Self::TAG, spec.name), format!("unit '{}' is not an angle", p.unit))
            })?;
            if p.value.is_nan() {
                let value = self.parameters[i].value / factor;
                self.parameters[i] = Parameter { value, ..p.clone() };
            } else {
                self.parameters[i] = p.clone();
                position[i] = p.value * factor;
            }
        }
        self.shift_deg = (position[0] - center.lon_deg, position[1] - center.lat_deg);
        Ok(self)
    }

    /// The map; normalised where that was asked for.
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// The name of the map's file.
    pub fn filename(&self) -> Option<&str> {
        self.filename.as_deref()
    }

    /// Whether the map was normalised.
    pub fn is_normalized(&self) -> bool {
        self.normalize
    }

    fn wcs_geom(&self) -> Result<&WcsGeom> {
        self.map.wcs_geom()
    }

    /// Linear interpolation of the logarithms at a pixel coordinate, in the map's unit; 0 beyond the pixels.
    fn at_pixel(&self, (nx, ny, planes): (usize, usize, usize), x: f64, y: f64, energy: f64) -> f64 {
        let (Some(x), Some(y), Some(e)) = (Nodes::new(x, nx), Nodes::new(y, ny), Nodes::new(energy, planes)) else {
            return 0.0;
        };
        let at = |plane: usize, row: usize, column: usize| ln_value(self.map.data(), (plane * ny + row) * nx + column);
        let row = |plane, row| x.mix(|column| at(plane, row, column));
        let value = e.mix(|plane| y.mix(|r| row(plane, r))).exp();
        if value <= 2.0 * smallest(self.map.data()) { 0.0 } else { value }
    }
}

/// The smallest normal number of the values' precision: what zeros stand for on a logarithmic scale, as in Gammapy.
fn smallest(data: &MapData) -> f64 {
    match data {
        MapData::F32(_) => f64::from(f32::MIN_POSITIVE),
        MapData::F64(_) => f64::MIN_POSITIVE,
    }
}

fn ln_value(data: &MapData, index: usize) -> f64 {
    let value = match data {
        MapData::F32(a) => a.as_slice().map(|s| f64::from(s[index])),
        MapData::F64(a) => a.as_slice().map(|s| s[index]),
    };
    // NaN and infinities count as 0.
    value.filter(|v| v.is_finite()).unwrap_or(0.0).max(smallest(data)).ln()
}

/// Two neighbouring nodes and the weight of the second.
struct Nodes {
    lower: usize,
    upper: usize,
    weight: f64,
}

impl Nodes {
    /// Of a pixel coordinate on `n` nodes, extrapolated by up to half a pixel; `None` beyond.
    fn new(pix: f64, n: usize) -> Option<Self> {
        let nearest = pix.round_ties_even();
        if !(nearest >= 0.0 && nearest < n as f64) {
            return None;
        }
        if n == 1 {
            return Some(Self { lower: 0, upper: 0, weight: 0.0 });
        }
        let lower = (pix.floor().max(0.0) as usize).min(n - 2);
        Some(Self { lower, upper: lower + 1, weight: pix - lower as f64 })
    }

    fn mix(&self, value: impl Fn(usize) -> f64) -> f64 {
        let a = value(self.lower);
        if self.weight == 0.0 { a } else { a + (value(self.upper) - a) * self.weight }
    }
}

/// Each plane divided by the sum of its finite values, per solid angle.
fn normalized(map: &Map) -> Result<Arc<Map>> {
    let solid_angle = map.wcs_geom()?.solid_angle_sr();
    let mut cube = map.to_cube_f64();
    for mut plane in cube.outer_iter_mut() {
        let sum: f64 = plane.iter().filter(|v| v.is_finite()).sum();
        if sum == 0.0 {
            plane.fill(0.0);
        } else {
            plane.zip_mut_with(&solid_angle, |v, omega| *v = *v / sum / omega);
        }
    }
    Ok(Arc::new(Map::from_cube(map.geom().clone(), "sr-1".parse()?, cube)?))
}

/// The factor of a map's unit to sr-1 or cm-2 s-1 TeV-1 sr-1.
pub(super) fn unit_factor(tag: &str, unit: &Unit) -> Result<f64> {
    if unit.is_dimensionless() {
        return unit.factor_to(&Unit::dimensionless());
    }
    unit.factor_to_text("sr-1")
        .or_else(|_| unit.factor_to_text("cm-2 s-1 TeV-1 sr-1"))
        .map_err(|_| Error::input(tag, format!("the map is in '{unit}' where sr-1 or cm-2 s-1 TeV-1 sr-1 is needed")))
}

impl SpatialModel for TemplateSpatialModel {
    fn tag(&self) -> &'static str {
        Self::TAG
    }

    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn frame(&self) -> Frame {
        self.wcs_geom().map_or(Frame::Icrs, WcsGeom::frame)
    }

    fn position(&self) -> Option<SkyPosition> {
        let center = self.wcs_geom().ok()?.center().ok()?;
        let (lon, lat) = self.shift_deg;
        Some(SkyPosition { lon_deg: center.lon_deg + lon, lat_deg: center.lat_deg + lat, ..center })
    }

    /// The map shifted in longitude and latitude, which is right close to its centre only.
    fn at_position(&self, position: SkyPosition) -> Box<dyn SpatialModel> {
        let mut model = self.clone();
        let p = if position.frame == self.frame() { position } else { position.to_frame(self.frame()) };
        if let Ok(center) = self.wcs_geom().and_then(WcsGeom::center) {
            model.shift_deg = (p.lon_deg - center.lon_deg, p.lat_deg - center.lat_deg);
            for (parameter, value) in model.parameters.iter_mut().zip([p.lon_deg, p.lat_deg]) {
                parameter.value = value / parameter.unit.factor_to_text("deg").unwrap_or(1.0);
            }
        }
        Box::new(model)
    }

    fn evaluate(&self, lon_deg: f64, lat_deg: f64, energy_tev: f64) -> f64 {
        let Ok(geom) = self.wcs_geom() else { return 0.0 };
        let shifted = SkyPosition {
            lon_deg: lon_deg - self.shift_deg.0,
            lat_deg: lat_deg - self.shift_deg.1,
            frame: geom.frame(),
        };
        let Some((x, y)) = geom.sky_to_pix(shifted) else { return 0.0 };
        let (energy_pix, planes) = match &self.energy {
            Some(axis) => (axis.coord_to_pix(energy_tev * self.energy_factor), axis.nbin()),
            None => (0.0, 1),
        };
        self.factor * self.at_pixel((geom.nx(), geom.ny(), planes), x, y, energy_pix)
    }

    fn unit_factor(&self) -> f64 {
        1.0 / self.factor
    }

    fn is_energy_dependent(&self) -> bool {
        self.energy.is_some()
    }

    /// Half of the larger side of the map, by its CDELT.
    fn evaluation_radius_deg(&self) -> Option<f64> {
        let geom = self.wcs_geom().ok()?;
        let (dx, dy) = geom.wcs().header().cdelt;
        Some((dx.abs() * geom.nx() as f64).max(dy.abs() * geom.ny() as f64) / 2.0)
    }

    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        None
    }

    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn SpatialModel>> {
        Ok(Arc::new(self.clone().at_parameters(parameters)?))
    }

    fn as_template(&self) -> Option<&TemplateSpatialModel> {
        Some(self)
    }
}
