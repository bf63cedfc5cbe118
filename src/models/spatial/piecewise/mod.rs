//! A free norm at each of several places on the sky.

use std::sync::Arc;

use super::SpatialModel;
use crate::error::{Error, Result};
use crate::maps::{Frame, SkyPosition};
use crate::models::Parameter;
use crate::units::Unit;

mod patch;
mod triangles;

use patch::{Patch, gradients};
use triangles::Triangles;

/// Fewest nodes, as in Gammapy.
const FEWEST_NODES: usize = 4;
/// Most nodes: each is a parameter of a fit.
const MOST_NODES: usize = 4_000;
/// Where norms lie many orders of magnitude apart a curve through their logarithms may swing beyond all numbers.
const LARGEST_LOG: f64 = 690.0;

/// Norms at fixed places, each a parameter `norm_0`, `norm_1`, …, and between them a smooth surface through them or through
/// their logarithms: what scales a background over its field of view (Gammapy's `PiecewiseNormSpatialModel`).
///
/// Longitude and latitude are coordinates of a plane, in degrees and without a projection. The nodes are joined to Delaunay
/// triangles; within each the surface is a Clough–Tocher cubic, and the gradients at the nodes are those that bend the curves
/// along the triangles' sides least (Nielson 1983, Math. Comp. 40, 253). It is continuous with its first derivatives inside
/// of the nodes' convex hull and may swing beyond the norms around it. Beyond the hull it has the value at the nearest place
/// of the hull. Linear in its norms, unless it goes through logarithms.
///
/// Where four or more nodes lie on one circle with none inside, as those of a regular grid do, Delaunay triangles are not
/// the only ones: such a polygon is cut from its node of the least longitude (of these, of the least latitude), so that the
/// order of the nodes makes no difference.
///
/// Gammapy: cuts such polygons as Qhull happens to; finds gradients to 1e-6; is NaN beyond the hull; parts nodes on both
/// sides of longitude 0 where the first lies nearer to it than half of the nodes' width; its YAML says nothing of `interp`.
///
/// ```
/// use pevatron::maps::Frame;
/// use pevatron::models::SpatialModel;
/// use pevatron::models::spatial::PiecewiseNormSpatialModel;
/// let (lon, lat) = (vec![82.0, 84.0, 84.5, 81.5, 83.0], vec![21.0, 21.2, 23.0, 22.8, 22.1]);
/// let model = PiecewiseNormSpatialModel::new(lon, lat, vec![1.0, 1.1, 0.9, 1.0, 1.3], Frame::Icrs)?;
/// assert!((model.evaluate(83.0, 22.1, 1.0) - 1.3).abs() < 1e-12);
/// assert_eq!(model.parameters()[4].name, "norm_4");
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PiecewiseNormSpatialModel {
    nodes: Arc<Nodes>,
    parameters: Vec<Parameter>,
    is_log: bool,
    frame: Frame,
    /// One for each triangle.
    patches: Arc<Vec<Patch>>,
}

/// What does not depend on norms.
#[derive(Debug)]
struct Nodes {
    lon_deg: Vec<f64>,
    lat_deg: Vec<f64>,
    /// Middle of the longitudes; others are taken within half a turn of it.
    middle_deg: f64,
    triangles: Triangles,
}

impl PiecewiseNormSpatialModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "PiecewiseNormSpatialModel";

    /// From nodes in degrees and a norm for each, without logarithms.
    ///
    /// # Errors
    /// As [`PiecewiseNormSpatialModel::with_nodes`].
    pub fn new(lon_deg: Vec<f64>, lat_deg: Vec<f64>, norms: Vec<f64>, frame: Frame) -> Result<Self> {
        let parameters: Vec<Parameter> = norms
            .into_iter()
            .enumerate()
            .map(|(i, norm)| Parameter::new(&format!("norm_{i}"), norm, Unit::dimensionless()))
            .collect();
        Self::with_nodes(lon_deg, lat_deg, &parameters, false, frame)
    }

    /// From nodes in degrees and a parameter for each; with `is_log` the surface goes through the logarithms of the norms.
    ///
    /// # Errors
    /// [`Error::Input`] for fewer than 4 nodes or more than 4000, lists of different lengths, nodes that are not places
    /// on the sky, twice the same, or all on a line, and norms that are not finite numbers without a unit.
    pub fn with_nodes(
        lon_deg: Vec<f64>,
        lat_deg: Vec<f64>,
        norms: &[Parameter],
        is_log: bool,
        frame: Frame,
    ) -> Result<Self> {
        let wrong = |what: String| Err(Error::input(Self::TAG, what));
        let n = norms.len();
        if lon_deg.len() != n || lat_deg.len() != n {
            return wrong(format!("{} longitudes, {} latitudes and {n} norms", lon_deg.len(), lat_deg.len()));
        }
        if !(FEWEST_NODES..=MOST_NODES).contains(&n) {
            return wrong(format!("{n} nodes where {FEWEST_NODES} to {MOST_NODES} are needed"));
        }
        for (lon, lat) in lon_deg.iter().zip(&lat_deg) {
            if !lon.is_finite() || lat.is_nan() || lat.abs() > 90.0 {
                return wrong(format!("the node at {lon}, {lat} deg is not a place on the sky"));
            }
        }
        let (middle_deg, unrolled) = unrolled(&lon_deg);
        let places = unrolled.into_iter().zip(&lat_deg).map(|(lon, lat)| [lon, *lat]).collect();
        let triangles = Triangles::new(places).map_err(|problem| Error::input(Self::TAG, problem))?;
        Self::of(Arc::new(Nodes { lon_deg, lat_deg, middle_deg, triangles }), norms, is_log, frame)
    }

    fn of(nodes: Arc<Nodes>, norms: &[Parameter], is_log: bool, frame: Frame) -> Result<Self> {
        let n = nodes.lon_deg.len();
        if norms.len() != n {
            return Err(Error::input(Self::TAG, format!("{} norms for {n} nodes", norms.len())));
        }
        let mut values = Vec::with_capacity(n);
        for norm in norms {
            let place = || format!("{}.{}", Self::TAG, norm.name);
            let factor = norm
                .unit
                .factor_to(&Unit::dimensionless())
                .map_err(|_| Error::input(place(), format!("unit '{}' where no unit is needed", norm.unit)))?;
            let value = norm.value * factor;
            if !value.is_finite() {
                return Err(Error::input(place(), format!("value {} is not a finite number", norm.value)));
            }
            values.push(if is_log { value.max(f64::MIN_POSITIVE).ln() } else { value });
        }
        let values: Vec<f64> = nodes.triangles.order.iter().map(|i| values[*i]).collect();
        let gradients = gradients(&nodes.triangles, &values);
        let patches =
            (0..nodes.triangles.len()).map(|t| Patch::new(&nodes.triangles, t, &values, &gradients)).collect();
        Ok(Self { nodes, parameters: norms.to_vec(), is_log, frame, patches: Arc::new(patches) })
    }

    /// Longitudes of the nodes as given, in degrees.
    pub fn lon_deg(&self) -> &[f64] {
        &self.nodes.lon_deg
    }

    /// Latitudes of the nodes in degrees.
    pub fn lat_deg(&self) -> &[f64] {
        &self.nodes.lat_deg
    }

    /// True where it goes through the logarithms of the norms.
    pub fn is_log(&self) -> bool {
        self.is_log
    }

    /// True where both have the same nodes and go through them in the same way.
    pub fn same_nodes(&self, other: &Self) -> bool {
        let same = Arc::ptr_eq(&self.nodes, &other.nodes)
            || self.lon_deg() == other.lon_deg() && self.lat_deg() == other.lat_deg();
        same && self.is_log == other.is_log && self.frame == other.frame
    }
}

/// A longitude from 0 to below 360 deg; what is negative by less than the rounding of a turn is 0.
fn in_one_turn(lon_deg: f64) -> f64 {
    let lon = lon_deg.rem_euclid(360.0);
    if lon < 360.0 { lon } else { 0.0 }
}

/// Longitudes without a jump: they begin behind the widest gap between them. With the middle of their range.
fn unrolled(lon_deg: &[f64]) -> (f64, Vec<f64>) {
    let mut sorted: Vec<f64> = lon_deg.iter().map(|lon| in_one_turn(*lon)).collect();
    sorted.sort_by(f64::total_cmp);
    let (mut first, mut widest) = (0, f64::NEG_INFINITY);
    for (i, lon) in sorted.iter().enumerate() {
        let before = if i == 0 { sorted[sorted.len() - 1] - 360.0 } else { sorted[i - 1] };
        if lon - before > widest {
            (first, widest) = (i, lon - before);
        }
    }
    let start = sorted[first];
    let places = lon_deg.iter().map(|lon| {
        let lon = in_one_turn(*lon);
        if lon < start { lon + 360.0 } else { lon }
    });
    (start + 0.5 * (360.0 - widest), places.collect())
}

impl SpatialModel for PiecewiseNormSpatialModel {
    fn tag(&self) -> &'static str {
        Self::TAG
    }

    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn frame(&self) -> Frame {
        self.frame
    }

    fn position(&self) -> Option<SkyPosition> {
        None
    }

    /// The same: it has no centre.
    fn at_position(&self, _position: SkyPosition) -> Box<dyn SpatialModel> {
        Box::new(self.clone())
    }

    fn is_norm(&self) -> bool {
        true
    }

    fn evaluate(&self, lon_deg: f64, lat_deg: f64, _energy_tev: f64) -> f64 {
        let middle = self.nodes.middle_deg;
        let is_near = (lon_deg - middle).abs() <= 180.0;
        let lon = if is_near { lon_deg } else { middle - 180.0 + (lon_deg - middle + 180.0).rem_euclid(360.0) };
        let (triangle, weights) = self.nodes.triangles.locate([lon, lat_deg]);
        let value = self.patches[triangle].at(weights);
        if !self.is_log {
            return value;
        }
        let value = value.min(LARGEST_LOG).exp();
        if value <= 2.0 * f64::MIN_POSITIVE { 0.0 } else { value }
    }

    fn is_linear(&self) -> bool {
        !self.is_log
    }

    fn evaluation_radius_deg(&self) -> Option<f64> {
        None
    }

    fn evaluation_bin_size_min_deg(&self) -> Option<f64> {
        None
    }

    /// All norms, in order.
    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn SpatialModel>> {
        Ok(Arc::new(Self::of(Arc::clone(&self.nodes), parameters, self.is_log, self.frame)?))
    }

    fn as_piecewise(&self) -> Option<&PiecewiseNormSpatialModel> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
